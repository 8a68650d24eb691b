//! What the accounts of each machine hold, as its own inventories say, and the question for a new one.
//!
//! [`Known`] is a machine's last full inventory with every change since; it is made from entries alone, in the order of
//! the log, and taking the same entries in again changes nothing. [`Asked`] is what the acts amount to: the newest
//! question of each machine, which goes down with greeting and round. An agent answers a question once, and at most one a
//! minute, so a collector in wrong hands learns nothing that it would not be told anyway.

use std::collections::{BTreeMap, BTreeSet};

use ntk_evidence::event::{Event, Holding, HoldingKind, InventoryReason, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Body of `act_inventory_asked`, beside who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskAct {
    /// Id of the question, hex.
    pub id: String,
    /// The machines: `agent/<id>`.
    pub authors: Vec<String>,
}

/// The newest question of each machine, by author.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asked {
    newest: BTreeMap<String, String>,
}

impl Asked {
    /// Whether nobody was asked.
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// Takes in the body of an act.
    pub fn apply(&mut self, body: &Value) {
        let Ok(act) = serde_json::from_value::<AskAct>(body.clone()) else { return };
        self.newest.extend(act.authors.into_iter().map(|author| (author, act.id.clone())));
    }

    /// A machine is accepted no more.
    pub fn forget(&mut self, author: &str) {
        self.newest.remove(author);
    }

    /// The newest question of a machine.
    pub fn of(&self, author: &str) -> Option<&str> {
        self.newest.get(author).map(String::as_str)
    }
}

/// What a machine holds, as far as it told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The machine: `agent/<id>`.
    pub author: String,
    /// When it looked last and told of it, RFC 3339, as the machine says.
    pub taken: String,
    /// When it told everything last, likewise.
    pub full: String,
    /// Everything, sorted.
    pub holdings: Vec<Holding>,
    /// How many more there are than it told.
    #[serde(default)]
    pub left_out: u64,
    /// Sentences about what it could not look at.
    #[serde(default)]
    pub cannot_see: Vec<String>,
    /// The question that it answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
}

impl Known {
    /// What is known after an entry of a machine; nothing where the entry says nothing of it. Changes count from the first
    /// full inventory on.
    pub fn after(before: Option<&Self>, author: &str, event: &Event) -> Option<Self> {
        let told = event.inventory.as_ref().filter(|_| event.kind == Kind::Inventory)?;
        let mut known = match told.reason {
            InventoryReason::Start | InventoryReason::Asked => Self {
                author: author.to_owned(),
                taken: event.time.clone(),
                full: event.time.clone(),
                holdings: Vec::new(),
                left_out: 0,
                cannot_see: Vec::new(),
                answered: told.asked.clone().or_else(|| before?.answered.clone()),
            },
            InventoryReason::Change => before?.clone(),
            InventoryReason::WatchProposed
            | InventoryReason::WatchBegun
            | InventoryReason::WatchDeclined
            | InventoryReason::Other(_) => return None,
        };
        // A later use alone is no difference.
        let bare = |holding: &Holding| Holding { last_used: None, ..holding.clone() };
        let renewed: BTreeSet<Holding> = told.gone.iter().chain(&told.holdings).map(bare).collect();
        known.holdings.retain(|holding| !renewed.contains(&bare(holding)));
        known.holdings.extend(told.holdings.iter().cloned());
        known.holdings.sort();
        known.taken.clone_from(&event.time);
        known.left_out = told.left_out.unwrap_or(0);
        known.cannot_see.clone_from(&told.cannot_see);
        Some(known)
    }

    /// Accounts that can act as an administrator, as far as groups and rules say.
    pub fn administrators(&self) -> BTreeSet<&str> {
        let gives =
            |holding: &&Holding| matches!(holding.what, HoldingKind::AdminGroup | HoldingKind::SudoRule);
        self.holdings.iter().filter(gives).flat_map(|one| one.accounts.iter().map(String::as_str)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(reason: &str, time: &str, holdings: &[&str], gone: &[&str]) -> Event {
        let all = |names: &[&str]| {
            let one = |name: &&str| {
                let (name, used) = name.split_once('@').unwrap_or((name, ""));
                json!({"what": "admin_group", "name": name, "accounts": ["bea"],
                       "last_used": (!used.is_empty()).then_some(used)})
            };
            names.iter().map(one).collect::<Vec<_>>()
        };
        let inventory = json!({"reason": reason, "holdings": all(holdings), "gone": all(gone), "asked": (reason == "asked").then_some("0a1b")});
        serde_json::from_value(json!({"kind": "inventory", "time": time, "inventory": inventory})).unwrap()
    }

    fn shown(known: Option<&Known>) -> String {
        let Some(known) = known else { return "nothing".to_owned() };
        let names: Vec<&str> = known.holdings.iter().map(|one| one.name.as_str()).collect();
        let answered = known.answered.as_deref().unwrap_or("-");
        format!("{} since {} {} {answered}", known.taken, known.full, names.join(" "))
    }

    #[test]
    fn everything_and_its_changes_are_the_state_also_when_they_are_read_twice() {
        let entries = [
            (told("change", "0", &["docker"], &[]), "nothing"),
            (told("start", "1", &["adm", "sudo@early"], &[]), "1 since 1 adm sudo -"),
            (told("watch_begun", "2", &[], &[]), "1 since 1 adm sudo -"),
            (told("change", "3", &["docker"], &["adm"]), "3 since 1 docker sudo -"),
            (told("change", "4", &["sudo@late"], &[]), "4 since 1 docker sudo -"),
            (told("asked", "5", &["sudo"], &[]), "5 since 5 sudo 0a1b"),
            (told("start", "6", &["adm", "sudo"], &[]), "6 since 6 adm sudo 0a1b"),
        ];
        let mut known: Option<Known> = None;
        for (entry, wanted) in &entries {
            known = Known::after(known.as_ref(), "agent/ws-01", entry).or(known);
            assert_eq!(shown(known.as_ref()), *wanted);
        }
        let before = known.clone();
        for (entry, _) in entries.iter().skip(3) {
            known = Known::after(known.as_ref(), "agent/ws-01", entry).or(known);
        }
        assert_eq!(known, before, "after a start the last entries are read again");
        assert_eq!(known.unwrap().administrators(), BTreeSet::from(["bea"]));
    }

    #[test]
    fn the_newest_question_of_each_machine_stands_until_it_is_shut_out() {
        let mut asked = Asked::default();
        asked.apply(&json!({"id": "a1", "authors": ["agent/ws-01", "agent/ws-02"], "by": "mary"}));
        asked.apply(&json!({"id": "b2", "authors": ["agent/ws-01"], "by": "mary"}));
        asked.apply(&json!({"nothing": "else"}));
        assert_eq!((asked.of("agent/ws-01"), asked.of("agent/ws-02")), (Some("b2"), Some("a1")));
        asked.forget("agent/ws-01");
        assert_eq!((asked.of("agent/ws-01"), asked.of("agent/ws-03")), (None, None));
    }
}
