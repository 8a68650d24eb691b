//! What came of an import, counted: for the act, for people.

use std::collections::BTreeMap;

use ntk_evidence::event::{Class, Event, Kind};
use serde::{Deserialize, Serialize};

/// Damaged records that are named; all are counted.
pub(super) const DAMAGED_NAMED_MAX: usize = 20;

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// Its line, or its place in the file, from 1.
    pub row: u64,
    /// What is wrong; nothing of its contents.
    pub what: String,
}

/// Counts of one import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Records in the file.
    pub records: u64,
    /// Entries that were made.
    pub entries: u64,
    /// Events that stood in the ledger already.
    pub known: u64,
    /// Of those, what says something else than the entry under the same id.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub differ: u64,
    /// Ids of the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differ_ids: Vec<String>,
    /// Records that were left out, by rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub noise: BTreeMap<String, u64>,
    /// Records whose cell was cut off by a spreadsheet: of these, what stands in other columns was taken.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut: u64,
    /// Records that could not be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub damaged: u64,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged_rows: Vec<Damage>,
    /// Gaps that the file itself shows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gaps: u64,
    /// Entries that were made, by what they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, u64>,
    /// Mailboxes that records name, and whether any tells what was opened there (Bind or Sync): not every licence has that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mailboxes: BTreeMap<String, bool>,
    /// Time of the first event, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Time of the last event, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}

// Serde's form: a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Mailboxes that are told apart.
pub(super) const MAILBOXES_MAX: usize = 1000;

impl Tally {
    /// Takes in an event of a mailbox.
    pub(super) fn mailbox(&mut self, event: &Event) {
        let object = event.object.as_ref().filter(|_| event.kind == Kind::FileAccess);
        let object = object.filter(|object| object.class == Some(Class::Mailbox));
        let Some(owner) = object.and_then(|object| object.owner.as_ref()) else { return };
        let operation = event.source.as_ref().and_then(|source| source.operation.as_deref());
        let tells = matches!(operation, Some("Bind" | "Sync" | "MailItemsAccessed"));
        let owner = owner.to_ascii_lowercase();
        if self.mailboxes.len() < MAILBOXES_MAX || self.mailboxes.contains_key(&owner) {
            *self.mailboxes.entry(owner).or_default() |= tells;
        }
    }

    pub(super) fn damage(&mut self, row: u64, what: &str) {
        self.damaged = self.damaged.saturating_add(1);
        if self.damaged_rows.len() < DAMAGED_NAMED_MAX {
            self.damaged_rows.push(Damage { row, what: what.to_owned() });
        }
    }

    pub(super) fn differs(&mut self, id: &str) {
        self.differ = self.differ.saturating_add(1);
        if self.differ_ids.len() < DAMAGED_NAMED_MAX {
            self.differ_ids.push(id.to_owned());
        }
    }

    /// In one sentence, for people.
    pub fn in_words(&self) -> String {
        use crate::report::text::count;
        let mut parts =
            vec![count(self.records, "record", "records"), count(self.entries, "new entry", "new entries")];
        let mut more = |n: u64, one: &str, many: &str| {
            if n > 0 {
                parts.push(count(n, one, many));
            }
        };
        more(self.known, "there already", "there already");
        more(
            self.differ,
            "that says something else than its entry",
            "that say something else than their entries",
        );
        more(self.noise.values().sum(), "left out by rule", "left out by rule");
        more(self.cut, "cut off by a spreadsheet", "cut off by a spreadsheet");
        more(self.damaged, "that could not be read", "that could not be read");
        more(self.gaps, "gap", "gaps");
        parts.join(", ")
    }
}
