//! A finding: what one account did to one asset in one session, as one question with counts.
//!
//! 4,000 messages opened in six minutes are one finding. Two acts go to the ledger for it, one when it opens
//! and one when its window closes ([`FindingStep`]); explained accesses are only counted, unless a signal asks
//! for a look or break-glass was used. A finding holds no path and no command line, so its acts can be
//! disclosed without blacking anything out.
//!
//! A manager decides [`incident`]s, one story each ([`story`]); what people say and decide about a finding
//! are its [`step`]s.

mod aggregate;
mod gather;
pub mod incident;
mod severity;
pub mod step;
pub mod story;
pub(crate) mod way;
pub mod wording;

use jiff::Timestamp;
use ntk_evidence::event::{ActingAs, Action, ChangeWhat, Confidence, Outcome, TamperKind, Via};
use serde::{Deserialize, Serialize};

pub use aggregate::{Findings, QUIET_AFTER_MINUTES};
pub use severity::severity;

use crate::need_to_know::{Asset, Judgement, Reason, moment};
use crate::signal::Signal;

/// How many numbers of entries a finding lists; it counts them all.
pub const NUMBERS_MAX: usize = 50;
/// How many signals a finding shows.
pub const SIGNALS_MAX: usize = 12;
/// How many it names of those who could have been.
pub const CANDIDATES_MAX: usize = 12;

/// One question to a person, with what is needed to answer it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// First 16 hex digits of SHA-256 of author, first number, person or account, asset, session.
    pub id: String,
    /// Unexplained, never, or explained and yet worth a look.
    pub outcome: Judgement,
    /// Author of the entries.
    pub author: String,
    /// Machine.
    pub host: String,
    /// Number of the first entry.
    pub first_number: u64,
    /// Number of the last entry.
    pub last_number: u64,
    /// Numbers of the first [`NUMBERS_MAX`] entries.
    pub numbers: Vec<u64>,
    /// How many entries there are.
    pub n_entries: u64,
    /// How many accesses they stand for.
    pub n_accesses: u64,
    /// Time of the first access, as the machine claims.
    #[serde(with = "moment::option")]
    pub first_time: Option<Timestamp>,
    /// Time of the last access, as the machine claims.
    #[serde(with = "moment::option")]
    pub last_time: Option<Timestamp>,
    /// Id of the person who holds the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The account in words; absent when the records name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The holder in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// False where a name was only typed at a login that failed.
    pub is_verified: bool,
    /// What was reached.
    pub asset: Asset,
    /// The operating system's number of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// How the account worked, from the first record.
    pub way: Way,
    /// What happened, with how it ended and how often, in order of action and outcome.
    pub deeds: Vec<Deed>,
    /// Sentences that led to the outcome.
    pub reasons: Vec<Reason>,
    /// What would have explained it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_explain: Vec<String>,
    /// Harmless causes to rule out first.
    pub innocent_causes: Vec<String>,
    /// How soon somebody should look.
    #[serde(default)]
    pub severity: Severity,
    /// What is unusual beside the policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Signal>,
    /// Who could have been, where the records name nobody: persons and accounts with a session at the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// How sure the weakest record's actor is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// Whether the entries were played from recordings.
    pub recorded: bool,
    /// Hash of the policy that decided the first access.
    pub policy_hash: String,
    /// Version of the roster that decided the first access.
    pub roster_version: String,
}

/// How soon somebody should look, least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Explained, or next to nothing.
    Low,
    /// An ordinary question.
    #[default]
    Normal,
    /// Something that the table says never happens, or strong signals.
    High,
    /// Within minutes: after leaving, the recording itself.
    Urgent,
}

/// How the account worked, as the first record shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The sensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// Windows event id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<u32>,
    /// Account whose rights were in use, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_as: Option<String>,
    /// Program that lent these rights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Remote-control tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Address or console of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Program that acted, without its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// A way round the file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// What was done to the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tamper: Option<TamperKind>,
    /// What was changed about who may reach mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeWhat>,
    /// Who or what it was given to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// In what capacity a mail service let the account in, where it was not as the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting_as: Option<ActingAs>,
}

/// One kind of access, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// What; absent for logins, elevations and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How often.
    pub count: u64,
}

/// What becomes an act in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum FindingStep {
    /// A finding opened, with its first access.
    Opened {
        /// The finding at that moment.
        finding: Finding,
    },
    /// Its window closed, with totals.
    Closed {
        /// The finding at the end.
        finding: Finding,
        /// Why no more is added.
        because: ClosedBecause,
    },
}

/// Why a window closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBecause {
    /// Nothing more came for [`QUIET_AFTER_MINUTES`].
    Quiet,
    /// The session ended.
    SessionEnded,
    /// The day ended.
    DayEnded,
}

impl FindingStep {
    /// The finding as of this step.
    pub fn finding(&self) -> &Finding {
        match self {
            Self::Opened { finding } | Self::Closed { finding, .. } => finding,
        }
    }

    /// Name of the step, as the act's kind has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "finding_opened",
            Self::Closed { .. } => "finding_closed",
        }
    }
}

impl Finding {
    /// Where its entries are none that were seen live: what they are, as a tag.
    pub fn source_tag(&self) -> Option<&'static str> {
        match () {
            () if self.author.starts_with("import/") => Some("collected afterwards"),
            () if self.recorded => Some("from a recording"),
            () => None,
        }
    }

    /// How many accesses ended in this way.
    pub fn n_with(&self, outcome: &Outcome) -> u64 {
        self.deeds.iter().filter(|deed| deed.outcome.as_ref() == Some(outcome)).map(|deed| deed.count).sum()
    }

    /// How many accesses did this.
    pub fn n_of(&self, action: &Action) -> u64 {
        self.deeds.iter().filter(|deed| deed.action.as_ref() == Some(action)).map(|deed| deed.count).sum()
    }

    /// Whether all of it was refused or failed.
    pub fn is_only_attempts(&self) -> bool {
        self.deeds.iter().all(|deed| matches!(deed.outcome, Some(Outcome::Denied | Outcome::Failed)))
    }

    /// What the manager reads first: never before unexplained, done before refused, more before less.
    pub fn urgency(&self) -> (Judgement, bool, u64) {
        (self.outcome, !self.is_only_attempts(), self.n_accesses)
    }
}
