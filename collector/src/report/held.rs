//! What changed on a computer, from its inventories: who may do more than before, and what else is watched.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ntk_evidence::event::{Event, Holding, HoldingKind, InventoryReason};

use super::Note;
use super::text::{count, list_of};

/// Things of one sentence that are named; the ledger has them all.
const NAMED_MAX: usize = 6;

/// The sentences of an inventory that tells of a change; none for what is there at a start.
pub fn held(host: &str, event: &Event, at: Option<Timestamp>) -> Vec<Note> {
    let Some(inventory) = &event.inventory else { return Vec::new() };
    let note = |sentence: String, is_prominent| Note { at, sentence, is_prominent };
    match inventory.reason {
        InventoryReason::Change => {
            let (new, gone) = (things(&inventory.holdings), things(&inventory.gone));
            let gives_reach = inventory.holdings.iter().any(|holding| reaches(&holding.what));
            let new =
                (!new.is_empty()).then(|| note(format!("New on {host}: {}.", list_of(&new)), gives_reach));
            let gone =
                (!gone.is_empty()).then(|| note(format!("No longer on {host}: {}.", list_of(&gone)), false));
            new.into_iter().chain(gone).collect()
        }
        InventoryReason::WatchBegun => {
            let object = event.object.as_ref();
            let class = object.and_then(|object| object.class.as_ref()).map(ToString::to_string);
            let because = inventory.because.as_deref().unwrap_or("it was confirmed");
            let class = class.unwrap_or_else(|| "unknown".to_owned());
            vec![note(format!("{host} watches one place more, of the class {class}: it {because}."), false)]
        }
        InventoryReason::Start
        | InventoryReason::Asked
        | InventoryReason::WatchProposed
        | InventoryReason::WatchDeclined
        | InventoryReason::Other(_) => Vec::new(),
    }
}

/// Proposals to watch more that machines made in a week and that nobody has decided about since.
#[derive(Debug, Default)]
pub struct Waiting {
    /// Computer and class, by author and id of the proposal.
    open: BTreeMap<(String, String), (String, String)>,
}

impl Waiting {
    /// Takes in an entry of a machine.
    pub fn observe(&mut self, author: &str, host: &str, event: &Event) {
        let Some(inventory) = &event.inventory else { return };
        let Some(id) = &inventory.proposal else { return };
        let key = (author.to_owned(), id.clone());
        match inventory.reason {
            InventoryReason::WatchProposed => {
                let class = event.object.as_ref().and_then(|object| object.class.as_ref());
                let class = class.map(ToString::to_string).unwrap_or_default();
                self.open.insert(key, (host.to_owned(), class));
            }
            InventoryReason::WatchBegun | InventoryReason::WatchDeclined => {
                self.open.remove(&key);
            }
            InventoryReason::Start
            | InventoryReason::Change
            | InventoryReason::Asked
            | InventoryReason::Other(_) => {}
        }
    }

    /// One sentence for each computer and class.
    pub fn notes(&self) -> Vec<Note> {
        let mut counted: BTreeMap<&(String, String), usize> = BTreeMap::new();
        for place in self.open.values() {
            let n = counted.entry(place).or_default();
            *n = n.saturating_add(1);
        }
        let sentence = |((host, class), n): (&(String, String), usize)| {
            let places = count(n, "place", "places");
            format!(
                "{host} found {places} of the class {class} that nobody watches and nobody has decided about: ntk-collector watch list"
            )
        };
        counted
            .into_iter()
            .map(|one| Note { at: None, sentence: sentence(one), is_prominent: true })
            .collect()
    }
}

/// Whether it lets somebody do or reach more.
fn reaches(what: &HoldingKind) -> bool {
    matches!(
        what,
        HoldingKind::Account
            | HoldingKind::AdminGroup
            | HoldingKind::SudoRule
            | HoldingKind::AuthorizedKey
            | HoldingKind::RemoteTool
            | HoldingKind::MailForward
            | HoldingKind::VpnProfile
            | HoldingKind::Share
    )
}

fn things(holdings: &[Holding]) -> Vec<String> {
    let mut things: Vec<String> = holdings.iter().take(NAMED_MAX).map(thing).collect();
    let more = holdings.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        things.push(format!("{more} more"));
    }
    things
}

/// One thing and whose it is.
fn thing(holding: &Holding) -> String {
    let (name, accounts) = (&holding.name, holding.accounts.join(", "));
    let of = if accounts.is_empty() { String::new() } else { format!(" of {accounts}") };
    match holding.what {
        HoldingKind::Account => format!("the account {name}"),
        HoldingKind::AdminGroup => format!("{accounts} in the group {name}"),
        HoldingKind::SudoRule => format!("the sudo rule for {name}"),
        HoldingKind::AuthorizedKey => format!("the SSH key {name}, which opens {accounts}"),
        HoldingKind::PrivateKey => format!("the private key {name}{of}"),
        HoldingKind::ScheduledJob => format!("the scheduled job {name}{of}"),
        HoldingKind::Service => format!("the service {name}{of}"),
        HoldingKind::RemoteTool => format!("the remote-access tool {name}"),
        HoldingKind::MailForward => format!("a forward of mail{of} to {name}"),
        HoldingKind::VpnProfile => format!("the VPN profile {name}{of}"),
        HoldingKind::SecretPlace => format!("{name}{of}, where passwords or keys usually lie"),
        HoldingKind::Share => format!("the shared folder {name}"),
        HoldingKind::Other(_) => format!("{name}{of}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(inventory: Value, expected: Expect) {
        let event = json!({"kind": "inventory", "time": "2026-11-20T08:00:00Z", "inventory": inventory,
            "object": {"class": "export", "path": "/srv/a"}});
        let notes = held("ws-01", &serde_json::from_value(event).unwrap(), None);
        let lines: Vec<_> =
            notes.iter().map(|note| format!("{} {}", note.is_prominent, note.sentence)).collect();
        for word in crate::finding::wording::ACCUSING_WORDS {
            assert!(lines.iter().all(|line| !line.to_lowercase().contains(word)), "{word}");
        }
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn what_waits_for_a_decision_is_counted_and_what_was_decided_is_not() {
        let mut waiting = Waiting::default();
        let told = |reason: &str, id: &str, class: &str| -> Event {
            let inventory = json!({"reason": reason, "proposal": id});
            let event =
                json!({"kind": "inventory", "time": "1", "object": {"class": class}, "inventory": inventory});
            serde_json::from_value(event).unwrap()
        };
        for (reason, id, class) in [
            ("watch_proposed", "a", "export"),
            ("watch_proposed", "a", "export"),
            ("watch_proposed", "b", "export"),
            ("watch_proposed", "c", "mailbox"),
            ("watch_proposed", "d", "mailbox"),
            ("watch_declined", "c", "mailbox"),
            ("watch_begun", "d", "mailbox"),
        ] {
            waiting.observe("agent/ws-01", "ws-01", &told(reason, id, class));
        }
        let notes: Vec<_> = waiting.notes().into_iter().map(|note| note.sentence).collect();
        assert_eq!(
            notes,
            [
                "ws-01 found 2 places of the class export that nobody watches and nobody has decided about: ntk-collector watch list"
            ]
        );
    }

    #[test]
    fn changes_are_told_and_what_was_there_at_a_start_is_not() {
        let key = json!({"what": "authorized_key", "name": "SHA256:abc", "accounts": ["root"]});
        let secret = json!({"what": "secret_place", "name": "~/.netrc", "accounts": ["bea"]});
        let tool = json!({"what": "remote_tool", "name": "RustDesk"});
        check(json!({"reason": "start", "holdings": [key]}), expect![""]);
        check(
            json!({"reason": "change", "holdings": [key, tool], "gone": [secret]}),
            expect![[r#"
                true New on ws-01: the SSH key SHA256:abc, which opens root and the remote-access tool RustDesk.
                false No longer on ws-01: ~/.netrc of bea, where passwords or keys usually lie."#]],
        );
        check(
            json!({"reason": "change", "holdings": vec![secret; 9]}),
            expect![[r#"
            false New on ws-01: ~/.netrc of bea, where passwords or keys usually lie, ~/.netrc of bea, where passwords or keys usually lie, ~/.netrc of bea, where passwords or keys usually lie, ~/.netrc of bea, where passwords or keys usually lie, ~/.netrc of bea, where passwords or keys usually lie, ~/.netrc of bea, where passwords or keys usually lie and 3 more."#]],
        );
        check(
            json!({"reason": "watch_begun", "because": "looks like a table of patients, by its first bytes"}),
            expect![
                "false ws-01 watches one place more, of the class export: it looks like a table of patients, by its first bytes."
            ],
        );
    }
}
