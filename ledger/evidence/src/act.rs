//! Acts: what people and the collector decide or change, as entries of the author `collector`.
//!
//! An act is an [`Event`] whose `kind` begins with `act_` and whose body stands in the field `act`. Acts are
//! salted, numbered and signed like events, so no decision can be taken back without a trace.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::{Event, Kind};
use crate::hash::Hash;
use crate::merkle::{CompactRange, ProofError};
use crate::name::Author;
use crate::note::VerifierKey;

/// The field of an event that holds an act's body.
pub const FIELD: &str = "act";

/// The kinds of acts that this version writes.
pub mod kind {
    /// The practice's ledger began: practice, slug, who administers what.
    pub const INIT: &str = "act_init";
    /// A one-time token was made.
    pub const ENROLMENT_OFFERED: &str = "act_enrolment_offered";
    /// A machine's key was accepted.
    pub const ENROLMENT: &str = "act_enrolment";
    /// A machine was given a new certificate in the place of the one that ends; its keys in the log stay as they are.
    pub const CERTIFICATE: &str = "act_certificate";
    /// The practice key announced or withdrew a program that machines may run, or a machine runs one that is not announced.
    pub const PROGRAM: &str = "act_program";
    /// A machine's key is no longer accepted.
    pub const REVOCATION: &str = "act_revocation";
    /// A roster came into force.
    pub const ROSTER: &str = "act_roster";
    /// A step of a departure was ticked off, or that was taken back.
    pub const DEPARTURE: &str = "act_departure";
    /// A machine's proposal to watch something was confirmed or declined.
    pub const WATCH: &str = "act_watch";
    /// Machines were asked what accounts hold there now.
    pub const INVENTORY_ASKED: &str = "act_inventory_asked";
    /// A need-to-know table came into force.
    pub const POLICY: &str = "act_policy";
    /// A step of a ticket: asked for, approved, refused, declined, closed.
    pub const TICKET: &str = "act_ticket";
    /// Access was taken without a ticket, or that was acknowledged.
    pub const BREAK_GLASS: &str = "act_break_glass";
    /// A person's passphrase was set, changed or taken away; no hash of it.
    pub const REVIEWER: &str = "act_reviewer";
    /// A console account: made, given a role, locked, unlocked, taken away; its second factor; its one-time links.
    pub const ACCOUNT: &str = "act_account";
    /// Somebody signed in to the console, or tried to, counted.
    pub const SIGN_IN: &str = "act_sign_in";
    /// Who co-signs was named, or that somebody does was declined.
    pub const SECOND_REVIEWER: &str = "act_second_reviewer";
    /// A second person's signature was asked for, given or declined.
    pub const COSIGN: &str = "act_cosign";
    /// A one-time link or a paper form was made, opened or withdrawn; of what is secret in it a hash alone.
    pub const LINK: &str = "act_link";
    /// A staff notice was published, or somebody acknowledged it.
    pub const STAFF_NOTICE: &str = "act_staff_notice";
    /// A breach assessment was begun, noted on or closed.
    pub const BREACH: &str = "act_breach";
    /// The collector's own configuration changed, or it started.
    pub const CONFIGURATION: &str = "act_configuration";
    /// A finding opened.
    pub const FINDING_OPENED: &str = "act_finding_opened";
    /// A finding's window closed, with its totals.
    pub const FINDING_CLOSED: &str = "act_finding_closed";
    /// Something was asked, answered or decided about findings, or came to light later.
    pub const FINDING_STEP: &str = "act_finding_step";
    /// A report was made.
    pub const REPORT_MADE: &str = "act_report_made";
    /// A week's review was opened by a person.
    pub const REPORT_OPENED: &str = "act_report_opened";
    /// A person has gone through a week's review.
    pub const SIGN_OFF: &str = "act_sign_off";
    /// Findings or events were looked at.
    pub const VIEWED: &str = "act_viewed";
    /// A bundle was made.
    pub const EXPORT: &str = "act_export";
    /// A batch, connection or enrolment was refused.
    pub const REFUSAL: &str = "act_refusal";
    /// Two different notes of one size: both are kept.
    pub const FORK: &str = "act_fork";
    /// A machine was silent.
    pub const SILENCE: &str = "act_silence";
    /// The ledger was verified as a whole.
    pub const SELF_CHECK: &str = "act_self_check";
    /// A checkpoint with the cosignatures that it bears.
    pub const WITNESSED: &str = "act_witnessed";
    /// Somebody remembers another history of the log than the one that is kept: both notes.
    pub const DISAGREEMENT: &str = "act_disagreement";
    /// Two machines speak with one machine's keys.
    pub const CLONE: &str = "act_clone";
    /// Another trust file, signed by the practice key, came into force.
    pub const TRUST: &str = "act_trust";
    /// An RFC 3161 token over a checkpoint.
    pub const TIME_STAMP: &str = "act_time_stamp";
    /// A legal hold began or ended.
    pub const HOLD: &str = "act_hold";
    /// What `preserve` did, step by step.
    pub const PRESERVED: &str = "act_preserved";
    /// Evidence was handed over, returned or copied, by whom to whom.
    pub const CUSTODY: &str = "act_custody";
    /// Entries past their retention were removed; their notes stay.
    pub const PRUNED: &str = "act_pruned";
    /// A wiped ledger was filled again, and what is gone.
    pub const REFILLED: &str = "act_refilled";
    /// A lost collector was put back from a copy: its log closed at which size, which one goes on, what is gone; or later, what
    /// a machine no longer holds behind the copy's end.
    pub const RESTORED: &str = "act_restored";
    /// Finished segments were copied off-site, encrypted to the recovery key; or that has failed for a day, or is over.
    pub const OFF_SITE: &str = "act_off_site";
    /// Records of another system were imported: from which file or service, its hash, what came of it.
    pub const IMPORT: &str = "act_import";
    /// A review or notice was queued to be sent, taken by somebody's server, or not; or whom they go to changed.
    pub const DELIVERY: &str = "act_delivery";
    /// How long the collector's disk lasts: that it is full soon, or once a week.
    pub const DISK: &str = "act_disk";
    /// The practice key's permission to enrol machines ends soon, or nearly as many as it permits are enrolled.
    pub const DELEGATION: &str = "act_delegation";
}

/// Whether a kind is an act's.
pub fn is_act(kind: &Kind) -> bool {
    kind.as_str().starts_with("act_")
}

/// An act as an event, by nobody but the collector unless the body says who.
pub fn event(kind: &str, time: impl Into<String>, body: Value) -> Event {
    let mut event = Event::new(Kind::from(kind.to_owned()), time);
    event.other = Map::from_iter([(FIELD.to_owned(), body)]);
    event
}

/// The body of an act.
pub fn body(event: &Event) -> Option<&Value> {
    event.other.get(FIELD)
}

/// Body of [`kind::ENROLMENT`]: from here on this key speaks for this author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// `agent/<id>` or `import/<source>`.
    pub author: String,
    /// The author's verifier key for this epoch.
    pub key: String,
    /// Epoch of that key.
    pub epoch: u32,
    /// SHA-256 of the client certificate, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// What the machine says of itself: operating system, host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Whether the machine's users were told that access is recorded, or why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// The key that this one replaces, for a re-imaged machine: its name says whose, and this act revokes that author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// The verifier key with which this machine cosigns checkpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
    /// Where the log begins that is known here; absent for 0. Only a refilled log begins later: what stands before
    /// is gone, and these are the roots of its subtrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins: Option<Begins>,
}

impl Enrolment {
    /// The author that this act revokes, where it enrols a machine in the place of an earlier one.
    pub fn replaced(&self) -> Option<String> {
        let key = VerifierKey::parse(self.replaces.as_deref()?).ok()?;
        let author = Author::parse(key.name().split_once('/')?.1).ok()?;
        // No act takes the word from anybody but the machine's or source's own earlier key.
        let own = Author::parse(&self.author).ok()?;
        let is_machines = author.machine().is_some() && author.machine() == own.machine();
        let is_sources = author.source().is_some() && author.source() == own.source();
        (author != own && (is_machines || is_sources)).then(|| author.to_string())
    }
}

/// Body of [`kind::REVOCATION`]: from here on nobody speaks for this author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// `agent/<id>` or `import/<source>`.
    pub author: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The beginning of an author's log of which the first entries are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begins {
    /// Number of the first entry that is known.
    pub first: u64,
    /// Roots of the full subtrees before it, largest first.
    pub range: Vec<Hash>,
}

impl Begins {
    /// What stands before the first entry that is known, if the number of roots fits.
    pub fn compact_range(&self) -> Result<CompactRange, ProofError> {
        CompactRange::new(self.first, self.range.clone())
    }
}
