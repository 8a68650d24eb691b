//! Imports: what servers and services recorded themselves, as entries of authors of their own.
//!
//! A file comes in pieces, as it lies on the disk of whoever exported it; [`records`] cuts it into records without holding
//! it, one room for each source turns a record into events ([`m365`]), [`task`] leaves out what the ledger holds already and
//! appends the rest, and one act says what came of it, with the file's hash. The file itself is kept nowhere: subjects and
//! message ids are in it, and no event has a place for them (PR-2).
//!
//! # Invariants
//! - A record is an entry once, however often it is imported: by the id that its source gave it (`source.record`).
//! - Nothing is left out in silence: what is damaged, cut, unknown or noise is counted, by name; what a file cannot hold is a gap.
//! - `source.recorded` is true: nobody but the source vouches for its time, and it is judged by it.

pub mod author;
pub mod ehr;
pub mod exchange;
pub mod m365;
pub mod records;
mod tally;
pub mod task;
pub mod windows;

use std::collections::BTreeMap;

use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use serde::{Deserialize, Serialize};

pub use tally::{Damage, Tally};

/// From where records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Microsoft 365: the unified audit log, sign-ins and directory audits.
    M365,
    /// An Exchange server of the practice's own.
    Exchange,
    /// A health-record system.
    EhrAudit,
    /// Event logs of Windows machines without an agent.
    Evtx,
}

impl Source {
    /// By its name on the command line.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "m365" => Some(Self::M365),
            "exchange" => Some(Self::Exchange),
            "ehr-audit" => Some(Self::EhrAudit),
            "evtx" => Some(Self::Evtx),
            _ => None,
        }
    }

    /// The name, on the command line and of the author.
    pub const fn name(self) -> &'static str {
        match self {
            Self::M365 => "m365",
            Self::Exchange => "exchange",
            Self::EhrAudit => "ehr-audit",
            Self::Evtx => "evtx",
        }
    }

    /// Every source.
    pub const ALL: &'static [Self] = &[Self::M365, Self::Exchange, Self::EhrAudit, Self::Evtx];

    /// Name of its sensor in events.
    pub const fn sensor(self) -> &'static str {
        match self {
            Self::M365 => m365::SENSOR,
            Self::Exchange => exchange::SENSOR,
            Self::EhrAudit => ehr::SENSOR,
            Self::Evtx => windows::SENSOR,
        }
    }
}

/// A record of a source, as far as it concerns us.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// What it amounts to: events with ids of the source. None has a place for contents or subjects.
    Events(Vec<Event>),
    /// Nothing, by this rule.
    Noise(&'static str),
    /// It cannot be read.
    Damaged(String),
    /// No record: what earlier ones amount to, told at the end.
    Rest(Vec<Event>),
}

/// What tells a record of a source from every other one: the id that the source gave it; of a copied event log, whose
/// numbers are unique in one log only, its computer, log, number, time and what it is.
pub(crate) fn identity(source: &str, event: &Event) -> Option<String> {
    let from = event.source.as_ref()?;
    let record = from.record.as_deref()?;
    if source != Source::Evtx.name() || record.starts_with("file:") {
        return Some(record.to_owned());
    }
    let object = event.object.as_ref();
    let parts = [
        from.computer.as_deref().unwrap_or_default(),
        from.sensor.as_deref().unwrap_or_default(),
        record,
        &event.time,
        event.kind.as_str(),
        event.action.as_ref().map_or("", |action| action.as_str()),
        object.and_then(|object| object.path.as_deref()).unwrap_or_default(),
    ];
    Some(parts.join("\n"))
}

/// A file is not what it was said to be: nothing of it was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotThis {
    /// Another encoding.
    #[error(
        "the file is in UTF-16; save it again as UTF-8 (in a spreadsheet: “CSV UTF-8”) and import that one"
    )]
    Utf16,
    /// A workbook or archive.
    #[error("the file is a ZIP archive or a spreadsheet; import the CSV or JSON file itself")]
    Archive,
    /// No column that is needed.
    #[error(
        "the first line names no column `AuditData`; export the search with “Download all results” and import the file as it comes (columns found: {0})"
    )]
    NoColumn(String),
    /// A health-record system's table without its map.
    #[error(
        "say which column holds what: give --map FILE (see `ntk-collector import --help`); the columns of this file are {0}"
    )]
    NoMap(String),
    /// A map of another file.
    #[error("the file has no column {missing}, which the map names; its columns are {found}")]
    OtherColumns {
        /// What the map names.
        missing: String,
        /// What there is.
        found: String,
    },
    /// Not what Exchange sends.
    #[error(
        "the file holds no `SearchResults`; import the SearchResult.xml that New-MailboxAuditLogSearch sends"
    )]
    NoSearchResults,
    /// No log of Windows.
    #[error("the file is no event log of Windows (.evtx)")]
    NoEventLog,
    /// Beyond all bounds.
    #[error("the file is larger than such a file can be; import it in parts")]
    TooLarge,
    /// Neither.
    #[error("the file is neither CSV with a first line of column names nor JSON; it begins with `{0}`")]
    Neither(String),
    /// Nothing.
    #[error("the file is empty")]
    Empty,
}

/// Mailboxes that one sentence names.
const MAILBOXES_NAMED: usize = 8;

/// How far the imports of one source reach, as the acts say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// When the last one was made, RFC 3339.
    pub imported: String,
    /// Time of the earliest event of any of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Time of the latest event of any of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Mailboxes that records named, and whether any told what was opened there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mailboxes: BTreeMap<String, bool>,
}

/// How far imports reach, by source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reached(pub BTreeMap<String, Reach>);

impl Reached {
    /// Whether nothing was imported.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in an act.
    pub(crate) fn apply(&mut self, body: &serde_json::Value, time: &str) {
        let Ok(act) = serde_json::from_value::<task::ImportAct>(body.clone()) else { return };
        let reach = self.0.entry(act.source).or_default();
        time.clone_into(&mut reach.imported);
        let at =
            |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let (first, last) = (at(&act.tally.first), at(&act.tally.last));
        reach.first = [at(&reach.first), first].into_iter().flatten().min().map(|at| at.to_string());
        reach.last = at(&reach.last).max(last).map(|at| at.to_string());
        for (mailbox, tells) in act.tally.mailboxes {
            if reach.mailboxes.len() < tally::MAILBOXES_MAX || reach.mailboxes.contains_key(&mailbox) {
                *reach.mailboxes.entry(mailbox).or_default() |= tells;
            }
        }
    }

    /// What is not told, a sentence each: RP-1.
    pub fn in_words(&self, zone: &jiff::tz::TimeZone) -> Vec<String> {
        let day = |text: &Option<String>| {
            let at: jiff::Timestamp = text.as_deref()?.parse().ok()?;
            Some(zone.to_datetime(at).strftime("%-d %B %Y").to_string())
        };
        let line = |(source, reach): (&String, &Reach)| {
            let name =
                Author::import(source).map_or_else(|_| source.clone(), |author| author.place().to_owned());
            match (day(&reach.first), day(&reach.last)) {
                (Some(first), Some(last)) => format!(
                    "{name}: nothing is known of it before {first} and after {last}, and between them only what was imported; what it did not record itself, it cannot tell."
                ),
                _ => format!("{name}: what was imported holds no entry."),
            }
        };
        let unopened = |reach: &Reach| {
            let names: Vec<String> =
                reach.mailboxes.iter().filter(|(_, tells)| !**tells).map(|(name, _)| name.clone()).collect();
            let more = names.len().saturating_sub(MAILBOXES_NAMED);
            let shown = names.get(..names.len().min(MAILBOXES_NAMED)).unwrap_or_default().join(", ");
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            (!shown.is_empty()).then(|| {
                format!("No record of what was opened (MailItemsAccessed) has come of the mailboxes {shown}{more}: their licence may not have it, or it is switched off.")
            })
        };
        self.0
            .iter()
            .flat_map(|(source, reach)| [Some(line((source, reach))), unopened(reach)])
            .flatten()
            .collect()
    }
}
