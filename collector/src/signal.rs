//! Signals: what is unusual about an access, beside the policy. Neutral, labelled, never a verdict.
//!
//! A signal never changes a [`crate::need_to_know::Decision`]. A signal of weight [`Weight::Raise`] turns even
//! an explained access into a question; all others only stand beside an item. Hours alone are never a signal.

use serde::{Deserialize, Serialize};

/// What is unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// The account had not reached this asset before.
    FirstTime,
    /// Many accesses in one session.
    Bulk,
    /// Far more than in the eight weeks before.
    Volume,
    /// Soon after the person's rights were widened.
    AfterRightsChange,
    /// Soon after somebody else set a new password for the account.
    AfterReset,
    /// After it was known that the person leaves.
    AfterNotice,
    /// Refused attempts.
    Denied,
    /// Through a backup or a shadow copy.
    ThroughCopy,
    /// From a computer that is not enrolled.
    UnenrolledHost,
    /// To a place outside the watched folder.
    MovedOut,
    /// The machine's clock did not fit the time at which the entry was received.
    ClockOff,
    /// A remote-support tool was driving the session or the computer.
    RemoteControl,
    /// What was touched had been put there for nobody to open.
    Decoy,
}

/// How much a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It is shown beside an item.
    Note,
    /// It makes an item even of an explained access.
    Raise,
}

/// One signal with its sentence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signal {
    /// What is unusual.
    pub kind: SignalKind,
    /// For people; accuses nobody (RP-3).
    pub sentence: String,
    /// How much it does.
    pub weight: Weight,
}
