//! What is recorded about a person, for that person: their own entries and how many of which kind. No finding, no
//! decision, no other person's entry, and nothing that a machine says about itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_evidence::act;
use ntk_evidence::bundle::wording;
use ntk_evidence::event::Kind;
use serde::Serialize;

use crate::follow::answer::Seen;
use crate::report::text::moment;

/// How many entries are listed; all are counted.
pub const ROWS_MAX: usize = 500;

/// One entry as its person sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// When, in words.
    pub when: String,
    /// On which computer.
    pub computer: String,
    /// What the record proves.
    pub what: &'static str,
    /// What was touched, as it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// What the record does not show.
    pub does_not_show: &'static str,
}

/// A person's own entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mine {
    /// How many entries there are in the time asked for.
    pub n_entries: u64,
    /// How many of each kind, by what the record proves.
    pub counts: BTreeMap<&'static str, u64>,
    /// The last of them, newest last.
    pub rows: Vec<Row>,
}

impl Mine {
    /// Takes in an entry, if it is this person's own.
    pub fn observe(&mut self, person: &str, seen: &Seen<'_>, zone: &TimeZone) {
        let who = seen.decision.who.as_ref().and_then(|who| who.person.as_deref());
        let is_about_machine = matches!(
            seen.event.kind,
            Kind::Gap | Kind::Health | Kind::Inventory | Kind::Epoch | Kind::Commission | Kind::Tamper
        );
        if who != Some(person) || is_about_machine || act::is_act(&seen.event.kind) {
            return;
        }
        let what = wording::verb(seen.event);
        let n = self.counts.entry(what).or_default();
        *n = n.saturating_add(1);
        self.n_entries = self.n_entries.saturating_add(1);
        let at: Option<Timestamp> = seen.access.local.map(|local| local.at);
        self.rows.push(Row {
            when: at.map_or_else(|| seen.event.time.clone(), |at| moment(at, zone)),
            computer: seen.access.host.to_owned(),
            what,
            object: seen.event.object.as_ref().and_then(|object| object.path.clone()),
            does_not_show: wording::does_not_show(seen.event),
        });
        if self.rows.len() > ROWS_MAX.saturating_mul(2) {
            self.trim();
        }
    }

    /// All that was taken in, no longer than it is listed.
    pub fn finish(mut self) -> Self {
        self.trim();
        self
    }

    fn trim(&mut self) {
        let more = self.rows.len().saturating_sub(ROWS_MAX);
        self.rows.drain(..more);
    }
}
