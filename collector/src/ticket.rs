//! Tickets: access that somebody asked for and another person allowed, for one area and a few hours.
//!
//! A request becomes a ticket by the manager's own authenticated act ([`approve`]); help-desk systems and
//! imports only ask ([`request`], [`csv`]). The book of all tickets ([`Tickets`]) is built from the acts in
//! the ledger's order and from nothing else, so that it is the same again whenever they are read.
//!
//! # Invariants
//! - TK-1: a ticket explains only what happened after its approval, and nobody's own approval counts:
//!   neither the assignee's nor that of the firm that the assignee works for.
//! - TK-2: pure: no I/O, no clock. The moment, the roster and the terms are passed in.

pub mod approve;
pub mod book;
pub mod csv;
pub mod echo;
pub mod fit;
pub mod items;
pub mod record;
pub mod request;
mod side;
pub mod step;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use approve::{Approved, Refusal, approve};
pub use book::{TicketChange, TicketFault, Tickets};
pub use fit::{Fit, Need};
pub use record::{Glass, Record, State};
pub use request::{Draft, Request, Via};

use crate::need_to_know::moment;
use crate::policy::Area;

/// What a role as an assignee begins with: `role:itadmin`.
pub const ROLE: &str = "role:";

/// An approved request for access. What is not approved is not a ticket yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Number of the ticket.
    pub id: String,
    /// What kind of work it is for.
    #[serde(default)]
    pub kind: TicketKind,
    /// Whom it lets in: id of a person or an organisation, or `role:` and a role.
    pub assignee: String,
    /// The one area it is for.
    pub class: Area,
    /// What of that area.
    pub scope: Scope,
    /// First moment covered.
    #[serde(with = "moment")]
    pub from: Timestamp,
    /// Last moment covered; its closing, where that came earlier.
    #[serde(with = "moment")]
    pub to: Timestamp,
    /// Id of the person who approved it.
    pub approved_by: String,
    /// Id of the second person, where the policy asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_approved_by: Option<String>,
    /// When it was asked for, by the collector's clock; absent in old records.
    #[serde(default, with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Timestamp>,
    /// When the last approval that it needed was given, by the collector's clock; absent in old records.
    #[serde(default, with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
}

/// What kind of work a ticket is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketKind {
    /// One piece of work.
    #[default]
    Ticket,
    /// A window in which one machine is worked on, by whoever has the role.
    Maintenance,
    /// Somebody is on call.
    OnCall,
}

impl TicketKind {
    /// The word as acts and policies have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Maintenance => "maintenance",
            Self::OnCall => "on_call",
        }
    }
}

impl TicketKind {
    /// The words as people type them.
    pub const WORDS: &'static [&'static str] = &["ticket", "maintenance", "on_call"];

    /// The kind that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "ticket" => Some(Self::Ticket),
            "maintenance" => Some(Self::Maintenance),
            "on_call" | "on-call" => Some(Self::OnCall),
            _ => None,
        }
    }

    /// In words, as the beginning of a sentence about one.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Ticket => "Ticket",
            Self::Maintenance => "Maintenance window",
            Self::OnCall => "On-call ticket",
        }
    }
}

/// What of its area a ticket covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All of it.
    Everything,
    /// What belongs to this owner: an id of the roster or the owner's name as the watch list has it.
    Owner(String),
    /// What lies on this machine.
    Host(String),
}

/// Access taken without a ticket, with a typed reason: explained, always reported, acknowledged by another person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakGlass {
    /// `B-1`.
    pub id: String,
    /// Id of the person.
    pub person: String,
    /// Why, as typed.
    pub reason: String,
    /// First moment covered.
    #[serde(with = "moment")]
    pub from: Timestamp,
    /// Last moment covered.
    #[serde(with = "moment")]
    pub to: Timestamp,
}

#[cfg(test)]
mod tests;
