//! Steps of tickets and of break-glass: the bodies of their acts.

use serde::{Deserialize, Serialize};

use super::{BreakGlass, Request};

/// A step of a ticket: the body of `act_ticket`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum TicketStep {
    /// Somebody asked.
    Requested {
        /// For what.
        ticket: Request,
    },
    /// A person allowed it.
    Approved {
        /// Number of the ticket.
        id: String,
        /// Id of the person.
        by: String,
        /// How the person showed who they are.
        proof: String,
        /// The sentence that was shown before.
        echo: String,
    },
    /// An approval was tried and refused.
    Refused {
        /// Number of the ticket.
        id: String,
        /// Id of the person.
        by: String,
        /// Why.
        why: String,
    },
    /// A person said no.
    Declined {
        /// Number of the ticket.
        id: String,
        /// Id of the person.
        by: String,
        /// Why.
        reason: String,
    },
    /// It ended before its time.
    Closed {
        /// Number of the ticket.
        id: String,
        /// Id of the person.
        by: String,
        /// Anything to add.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

/// A step of a break-glass: the body of `act_break_glass`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum BreakGlassStep {
    /// Somebody takes access without a ticket.
    Opened(BreakGlass),
    /// Another person has seen it.
    Acknowledged {
        /// `B-1`.
        id: String,
        /// Id of the person.
        by: String,
        /// How the person showed who they are.
        proof: String,
    },
}
