//! What accounts hold on a machine, by the person who holds the account: as the machine told it last.

use std::collections::{BTreeMap, BTreeSet};

use ntk_evidence::event::{Holding, HoldingKind};
use serde::Deserialize;

use super::super::Console;
use super::super::shell::{Trouble, Visitor};
use crate::admin::Failure;
use crate::admin::inventory::told;
use crate::admin::roster::in_force;
use crate::console::words::{plain, when};
use crate::roster::{Holder as Holds, Roster};

/// One account, or the machine as a whole.
pub(super) struct Holder {
    /// Whose it is, or what: a heading.
    pub(super) title: String,
    /// More about it.
    pub(super) note: String,
    /// Whether it has an administrator's rights.
    pub(super) administers: bool,
    /// What it holds: kind, name, more.
    pub(super) holds: Vec<(String, String, String)>,
}

/// What a machine told.
#[derive(Default)]
pub(super) struct Held {
    /// When, in words; empty where it never did.
    pub(super) told: String,
    pub(super) holders: Vec<Holder>,
    pub(super) cannot_see: Vec<String>,
    pub(super) n_left_out: u64,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    taken: Option<String>,
    #[serde(default)]
    holdings: Vec<Holding>,
    #[serde(default)]
    administrators: BTreeSet<String>,
    #[serde(default)]
    left_out: u64,
    #[serde(default)]
    cannot_see: Vec<String>,
}

/// Looks: that is an act.
pub(super) async fn of(console: &Console, visitor: &Visitor, machine: &str) -> Result<Held, Trouble> {
    let answer = told(&console.app, &visitor.viewer(), Some(machine)).await?;
    let row = answer.pointer("/machines/0").cloned().unwrap_or_default();
    let row: Row = serde_json::from_value(row).map_err(|error| Failure::ours(&error))?;
    let Some(taken) = row.taken else { return Ok(Held::default()) };
    let (_, roster) = in_force(&console.app).await?;
    Ok(Held {
        told: when(&taken, console.app.lookup.zone()),
        holders: by_account(&row.holdings, &row.administrators, machine, &roster),
        cannot_see: row.cannot_see.iter().map(|sentence| plain(sentence)).collect(),
        n_left_out: row.left_out,
    })
}

fn by_account(
    holdings: &[Holding],
    administrators: &BTreeSet<String>,
    machine: &str,
    roster: &Roster,
) -> Vec<Holder> {
    let mut by_account: BTreeMap<(bool, &str), Vec<&Holding>> = BTreeMap::new();
    let mut of_the_machine = Vec::new();
    for holding in holdings {
        if holding.accounts.is_empty() {
            of_the_machine.push(holding);
        }
        for account in &holding.accounts {
            by_account.entry((!administrators.contains(account), account)).or_default().push(holding);
        }
    }
    let lines = |holdings: &[&Holding]| holdings.iter().map(|holding| line(holding, roster)).collect();
    let mut holders: Vec<Holder> = by_account
        .iter()
        .map(|((is_other, account), holdings)| Holder {
            title: plain(account),
            note: whose(machine, account, roster),
            administers: !is_other,
            holds: lines(holdings),
        })
        .collect();
    if !of_the_machine.is_empty() {
        holders.push(Holder {
            title: "The machine as a whole".to_owned(),
            note: String::new(),
            administers: false,
            holds: lines(&of_the_machine),
        });
    }
    holders
}

/// Whose an account is, by the roster.
fn whose(machine: &str, account: &str, roster: &Roster) -> String {
    let name = |id: &String| roster.person(id).map_or_else(|| id.clone(), |person| person.in_words());
    let known = roster.accounts().iter().find(|known| known.has_name(machine, account));
    match known.map(|known| &known.holder) {
        Some(Holds::Person(id)) => plain(&name(id)),
        Some(Holds::Shared(ids)) => {
            plain(&format!("shared by {}", ids.iter().map(name).collect::<Vec<_>>().join(", ")))
        }
        None => "nobody in the roster holds it".to_owned(),
    }
}

fn line(holding: &Holding, roster: &Roster) -> (String, String, String) {
    let key = roster.keys().iter().find(|key| key.fingerprint == holding.name);
    let of_key =
        key.and_then(|key| roster.person(&key.person)).map(|person| format!("key of {}", person.in_words()));
    let used = holding.last_used.as_ref().map(|used| format!("last used {used}"));
    let more = [of_key, holding.detail.clone(), holding.place.clone(), used];
    let more: Vec<String> = more.into_iter().flatten().map(|text| plain(&text)).collect();
    (kind_in_words(&holding.what), plain(&holding.name), more.join("; "))
}

fn kind_in_words(kind: &HoldingKind) -> String {
    let words = match kind {
        HoldingKind::Account => "Account",
        HoldingKind::AdminGroup => "Group with an administrator’s rights",
        HoldingKind::SudoRule => "Rule for acting as another account (sudo)",
        HoldingKind::AuthorizedKey => "SSH key that opens it",
        HoldingKind::PrivateKey => "Private key kept there",
        HoldingKind::ScheduledJob => "Job that runs at a time",
        HoldingKind::Service => "Program that always runs",
        HoldingKind::RemoteTool => "Remote-access tool",
        HoldingKind::MailForward => "Mail goes on to",
        HoldingKind::VpnProfile => "Way into another network (VPN)",
        HoldingKind::SecretPlace => "Place where passwords or keys usually lie",
        HoldingKind::Share => "Folder that other machines reach",
        HoldingKind::Other(word) => return plain(&word.replace('_', " ")),
    };
    words.to_owned()
}
