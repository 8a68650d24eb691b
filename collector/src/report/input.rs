//! What a review is made of: plain data, whoever gathered it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::coverage::MachineInput;
use super::tally::WeekTally;
use super::trend::TrendWeek;
use super::week::Week;
use super::{Footer, RosterPart};
use crate::finding::Finding;
use crate::finding::incident::Incident;
use crate::finding::step::{Explanation, FindingState, StepRecord};
use crate::policy::Area;
use crate::roster::Roster;

/// Everything that a report is made of.
#[derive(Clone, Debug)]
pub struct WeekInput {
    /// Name of the practice.
    pub practice: String,
    /// Name of the zone, such as `America/New_York`.
    pub zone_name: String,
    /// The zone.
    pub zone: TimeZone,
    /// The week.
    pub week: Week,
    /// When the report is made.
    pub made_at: Timestamp,
    /// Running number of the report.
    pub number: Option<u32>,
    /// What the week's entries came to.
    pub tally: WeekTally,
    /// Enrolled machines.
    pub machines: Vec<MachineInput>,
    /// Incidents of the week, decided or not, worst first.
    pub incidents: Vec<IncidentInput>,
    /// Uses of break-glass and who acknowledged them.
    pub break_glass: Vec<Matter>,
    /// Tickets that were late, self-approved, unused, broad or expired, and every ticket for a mailbox.
    pub tickets: Vec<Matter>,
    /// What in the roster waits for a person.
    pub roster: RosterPart,
    /// The roster in force: names of people.
    pub names: Roster,
    /// Changes to the watch list, the policy, the roster, the machines.
    pub changes: Vec<Note>,
    /// Who looked at earlier reports and at records.
    pub previous_opens: Vec<Note>,
    /// Items of earlier weeks that nobody has decided.
    pub undecided: Vec<UndecidedInput>,
    /// Accesses per area in a usual week: the median of the last eight.
    pub medians: BTreeMap<Area, u64>,
    /// The weeks before, the oldest first; empty where none was whole.
    pub earlier: Vec<TrendWeek>,
    /// How far what was imported reaches, a sentence each source.
    pub imported: Vec<String>,
    /// Whether it is of some entries only, those of one case.
    pub is_extract: bool,
    /// What the ledger says of itself.
    pub footer: Footer,
}

/// An incident with its findings.
#[derive(Clone, Debug)]
pub struct IncidentInput {
    /// The incident.
    pub incident: Incident,
    /// Its findings, in order of time.
    pub findings: Vec<FindingInput>,
}

/// A finding, what has become of it, and what only the report may show of it.
#[derive(Clone, Debug)]
pub struct FindingInput {
    /// The finding.
    pub finding: Finding,
    /// Whether more may still be added to it.
    pub is_open: bool,
    /// What was asked, answered and decided about it, in the order of the ledger.
    pub steps: Vec<StepRecord>,
    /// How far it is.
    pub state: FindingState,
    /// The earlier decision that covers it.
    pub covered: Option<Explanation>,
    /// Some of the paths; they may name patients and stay inside the report.
    pub paths: Vec<String>,
}

/// Something that happened at a moment, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When; absent when the record does not say.
    pub at: Option<Timestamp>,
    /// What.
    pub sentence: String,
    /// Whether it is to be read with the verdict.
    pub is_prominent: bool,
}

impl Note {
    /// An ordinary one.
    pub fn new(at: Option<Timestamp>, sentence: impl Into<String>) -> Self {
        Self { at, sentence: sentence.into(), is_prominent: false }
    }
}

/// What is to be said about a ticket or a break-glass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matter {
    /// `T-12`, `B-1`.
    pub id: String,
    /// When; absent when the record does not say.
    pub at: Option<Timestamp>,
    /// What.
    pub sentence: String,
    /// Whether somebody has to decide or acknowledge; otherwise it is listed only.
    pub is_to_decide: bool,
}

/// An incident of an earlier week.
#[derive(Clone, Debug)]
pub struct UndecidedInput {
    /// Id of the incident.
    pub id: String,
    /// Its sentence.
    pub headline: String,
    /// When it opened.
    pub opened: Timestamp,
}
