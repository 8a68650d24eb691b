//! The weekly access review: plain data from plain inputs, then a page for the screen and one for paper.
//!
//! # Invariants
//! - RP-1: a report says what it could not see; [`WeeklyReport::could_not_see`] is never empty.
//! - RP-2: it is made also when there is nothing to tell.
//! - RP-3: no generated text accuses anybody.
//!
//! [`build()`] is pure: the ledger's entries come in through [`tally::WeekTally`], everything else through
//! [`WeekInput`]. The data is `report.json`; [`html::render_html`] makes `report.html` of it and [`pdf::render_pdf`]
//! `report.pdf`.

pub mod acts;
pub mod alarms;
pub(crate) mod build;
pub mod coverage;
mod delivered;
mod drawing;
pub mod held;
pub mod html;
mod input;
mod item;
pub mod matters;
pub mod pdf;
pub(crate) mod qr;
pub mod shown;
pub mod tally;
pub mod text;
pub mod trend;
pub mod usual;
mod verdict;
pub mod week;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use build::build;
pub use input::{FindingInput, IncidentInput, Matter, Note, UndecidedInput, WeekInput};

use crate::finding::Finding;
use crate::finding::incident::Incident;
use crate::finding::step::FindingState;
use crate::need_to_know::moment;
use crate::policy::Area;
use coverage::MachineCoverage;
use trend::TrendWeek;

/// Title of every report.
pub const TITLE: &str = "Weekly access review";

/// What in the roster waits for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterPart {
    /// What was not there a week before; each is to be decided.
    pub new_items: Vec<String>,
    /// Accounts that were seen this week and that nobody holds, most used first.
    pub unknown_accounts: Vec<UnknownAccount>,
    /// Programs that could become standing permits, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing_permits: Option<String>,
}

/// An account that was seen and that is in nobody’s entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownAccount {
    /// The account, as `roster confirm` names it.
    pub account: String,
    /// Logins and accesses of the week.
    pub n_records: u64,
    /// What was seen and whose it may be.
    pub sentence: String,
}

/// What the ledger says of itself, and who could change what lies under it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// Entries in the collector's log.
    pub log_size: u64,
    /// Root of that log, base64.
    pub root: String,
    /// The checkpoint in twelve words.
    pub words: Vec<String>,
    /// The checkpoint's text: origin, size and root, a line each; what the QR code holds.
    #[serde(default)]
    pub checkpoint: String,
    /// The practice key in twelve words: what a verifier prints for a bundle is compared with them.
    pub practice_words: String,
    /// First entry of the period, in words.
    pub first_entry: Option<String>,
    /// Last entry of the period, in words.
    pub last_entry: Option<String>,
    /// Hash of the policy in force.
    pub policy_hash: String,
    /// Version of the roster in force.
    pub roster_version: String,
    /// Whether the collector's check of its whole ledger passed; absent when it has not run.
    pub self_check_passed: Option<bool>,
    /// What that check said.
    pub self_check: String,
    /// Whether what the collector keeps is encrypted at rest, in one sentence.
    #[serde(default)]
    pub at_rest: String,
    /// Up to when the proof reaches, in one sentence.
    pub provable_until: String,
    /// Whether a copy of the ledger lies outside, and up to where.
    #[serde(default)]
    pub outside: String,
    /// What a time-stamping authority has seen, in one sentence.
    #[serde(default)]
    pub time_stamps: String,
    /// Who outside the practice holds copies of its keys, and what that lets them do; which practice keys there were before.
    #[serde(default)]
    pub custodians: String,
    /// Where the collector lives, and who can therefore read it, stop it or delete it.
    #[serde(default)]
    pub place: String,
    /// Who administers host, hypervisor, network, backup.
    pub administers: BTreeMap<String, String>,
    /// Version of the programs.
    pub version: String,
}

/// The report as plain data: `report.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeeklyReport {
    /// [`TITLE`].
    pub title: String,
    /// Name of the practice.
    pub practice: String,
    /// Zone of every time in the report.
    pub timezone: String,
    /// `2026-W47`.
    pub week: String,
    /// `Monday 16 to Sunday 22 November 2026`.
    pub period: String,
    /// First moment.
    #[serde(with = "moment")]
    pub from: Timestamp,
    /// First moment of the next week.
    #[serde(with = "moment")]
    pub to: Timestamp,
    /// When it was made.
    #[serde(with = "moment")]
    pub made_at: Timestamp,
    /// The same in words.
    pub made: String,
    /// Running number.
    pub number: Option<u32>,
    /// 1: the verdict.
    pub verdict: Verdict,
    /// 2: items to decide, worst first.
    pub items: Vec<Item>,
    /// 3: uses of break-glass.
    pub break_glass: Vec<MatterLine>,
    /// 4: tickets worth a look.
    pub tickets: Vec<MatterLine>,
    /// 4: what in the roster waits for a person.
    #[serde(default)]
    pub roster: RosterPart,
    /// 5: coverage of each machine.
    pub machines: Vec<MachineCoverage>,
    /// 5: intervals in which records were lost, with cause.
    pub gaps: Vec<Line>,
    /// 5: things done to the means of recording.
    pub recording_changes: Vec<Line>,
    /// 5: changes to watch list, policy, roster, machines.
    pub changes: Vec<Line>,
    /// 5: who looked at earlier reports and at records.
    pub previous_opens: Vec<Line>,
    /// 5: what the report could not see; never empty (RP-1).
    pub could_not_see: Vec<String>,
    /// 6: changes in rights.
    pub rights: Vec<Line>,
    /// 7: accesses per area.
    pub areas: Vec<AreaCount>,
    /// 7: accesses per account and hour of day.
    pub heat: Vec<HeatRow>,
    /// 7: this week and the eight before it, the oldest first; only whole weeks.
    #[serde(default)]
    pub trend: Vec<TrendWeek>,
    /// 8: explained accesses by reason.
    pub explained: Vec<Counted>,
    /// 8: how many are explained.
    pub n_explained: u64,
    /// 8: incidents of the week that are decided or covered by an earlier answer.
    #[serde(default)]
    pub settled: Vec<Settled>,
    /// 9: undecided items of earlier weeks.
    pub undecided: Vec<Undecided>,
    /// Kinds, words and fields of newer agents, counted.
    pub unknown: Vec<Counted>,
    /// Entries that could not be evaluated, counted by why; held against nobody.
    pub not_evaluated: Vec<Counted>,
    /// Entries of the week that were played from recordings.
    pub n_recorded: u64,
    /// Entries that a service recorded itself, and that were collected afterwards.
    #[serde(default)]
    pub n_imported: u64,
    /// Whether it is of some entries only, those of one case.
    #[serde(default)]
    pub is_extract: bool,
    /// 10: what the ledger says of itself.
    pub footer: Footer,
}

/// The report in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The sentence.
    pub sentence: String,
    /// What must be read with it.
    pub more: Vec<String>,
    /// Whether nothing is to be decided.
    pub is_quiet: bool,
}

/// One item to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The sentence.
    pub headline: String,
    /// `the table says never`, `no explanation yet`.
    pub tag: String,
    /// Name and value of each fact, in order.
    pub facts: Vec<(String, String)>,
    /// Which entries of the ledger it rests on.
    pub records: String,
    /// Some paths.
    pub paths: Vec<String>,
    /// Harmless causes to rule out first.
    pub innocent_causes: Vec<String>,
    /// What the record does not show.
    pub not_shown: Vec<String>,
    /// Between which times of the time-stamping authority its chief finding's entries came into the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_between: Option<ReceivedBetween>,
    /// For how many findings it stands and how to open them, where it is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<String>,
    /// How far it is.
    #[serde(default)]
    pub state: FindingState,
    /// The incident.
    pub incident: Incident,
    /// Its weightiest finding.
    pub finding: Finding,
}

/// Times of a time-stamping authority, RFC 3339, between which something came into the collector log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedBetween {
    /// No sooner; absent where no time-stamp says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// No later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
}

/// An incident that needs nothing any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Id of the incident.
    pub id: String,
    /// Its sentence.
    pub headline: String,
    /// How it stands.
    pub state: FindingState,
    /// Whether an earlier answer covers it, not one about itself.
    pub is_covered: bool,
    /// What was decided, why, by whom, until when.
    pub sentence: String,
}

/// A ticket or a break-glass in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatterLine {
    /// `T-12`, `B-1`.
    pub id: String,
    /// When, in words; empty where unknown.
    pub when: String,
    /// What.
    pub sentence: String,
    /// Whether somebody has to decide or acknowledge.
    pub is_to_decide: bool,
}

/// A moment in words and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When, in words; empty where unknown.
    pub when: String,
    /// What.
    pub sentence: String,
    /// Whether it stands with the verdict too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_prominent: bool,
}

/// A count and what was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// Of what.
    pub sentence: String,
}

/// Accesses to one area.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AreaCount {
    /// The area.
    pub area: Area,
    /// Its heading.
    pub heading: String,
    /// This week.
    pub count: u64,
    /// In a usual week.
    pub median: Option<u64>,
}

/// Accesses of one account, by hour of the day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeatRow {
    /// The account, with its holder.
    pub label: String,
    /// 24 counts.
    pub hours: Vec<u64>,
}

/// An undecided item of an earlier week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecided {
    /// Id of the finding.
    pub id: String,
    /// Its sentence.
    pub headline: String,
    /// `9 days`.
    pub age: String,
}

#[cfg(test)]
mod tests;
