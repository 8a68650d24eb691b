//! One request and all that became of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BreakGlass, Request, Ticket};
use crate::need_to_know::moment;
use crate::policy::{Area, TicketTerms};

/// One request and all that became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What was asked for.
    pub request: Request,
    /// When, by the collector's clock.
    #[serde(with = "moment")]
    pub requested_at: Timestamp,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Signed>,
    /// Approvals that were refused: who tried, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Signed>,
    /// Who declined it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declined: Option<Signed>,
    /// Who closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Signed>,
}

/// Who, when, and in which words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Id of the person.
    pub by: String,
    /// When, by the collector's clock.
    #[serde(with = "moment")]
    pub at: Timestamp,
    /// The sentence that was shown or typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// One break-glass with its acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Glass {
    /// What was opened.
    pub glass: BreakGlass,
    /// When the ledger learned of it.
    #[serde(with = "moment")]
    pub opened_at: Timestamp,
    /// Who acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Signed>,
}

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has approved or declined it.
    Requested,
    /// One person approved it; the policy asks for two.
    AwaitsSecond,
    /// It allows what it says, from and until.
    Approved,
    /// Somebody said no.
    Declined,
    /// Ended before its time.
    Closed,
    /// Its time is over; nobody approved it.
    Expired,
    /// Its time is over.
    Over,
}

impl State {
    /// Whether somebody may still approve or decline.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::AwaitsSecond)
    }

    /// In words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Requested => "asked for",
            Self::AwaitsSecond => "waits for a second approval",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Closed => "closed",
            Self::Expired => "never decided, and over",
            Self::Over => "over",
        }
    }
}

impl Record {
    pub(super) fn new(request: Request, requested_at: Timestamp) -> Self {
        Self {
            request,
            requested_at,
            approvals: Vec::new(),
            attempts: Vec::new(),
            declined: None,
            closed: None,
        }
    }

    /// How it stands at a moment.
    pub fn state(&self, terms: &TicketTerms, now: Timestamp) -> State {
        let is_over = self.request.to <= now;
        let needs = if needs_two(self.request.class, terms) { 2 } else { 1 };
        match (&self.declined, &self.closed) {
            (Some(_), _) => State::Declined,
            (None, Some(_)) => State::Closed,
            (None, None) => match self.approvals.len() {
                n if n >= needs => {
                    if is_over {
                        State::Over
                    } else {
                        State::Approved
                    }
                }
                _ if is_over => State::Expired,
                0 => State::Requested,
                _ => State::AwaitsSecond,
            },
        }
    }

    /// The ticket that it is, once somebody has approved it and nobody has declined.
    pub fn ticket(&self) -> Option<Ticket> {
        let first = self.approvals.first()?;
        if self.declined.is_some() {
            return None;
        }
        let request = &self.request;
        let ends = self.closed.as_ref().map_or(request.to, |closed| closed.at.min(request.to));
        Some(Ticket {
            id: request.id.clone(),
            kind: request.kind,
            assignee: request.assignee.clone(),
            class: request.class,
            scope: request.scope.clone(),
            from: request.from,
            to: ends,
            approved_by: first.by.clone(),
            second_approved_by: self.approvals.get(1).map(|second| second.by.clone()),
            requested_at: Some(self.requested_at),
            approved_at: self.approvals.last().map(|last| last.at),
        })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.declined.is_some() || self.closed.is_some()
    }
}

/// Whether a ticket for this class needs a second approver.
pub fn needs_two(class: Area, terms: &TicketTerms) -> bool {
    terms.mailbox_needs_two && class.class() == Area::Mailbox
}
