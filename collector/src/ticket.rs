//! A ticket: one person, one area, a scope, from and until, approved by another person.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::need_to_know::moment;
use crate::policy::{Area, TicketTerms};

/// An approved request for access. What is not approved is not a ticket yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Number of the ticket.
    pub id: String,
    /// Id of the person whom it lets in.
    pub assignee: String,
    /// The one area it is for.
    pub class: Area,
    /// What of that area.
    pub scope: Scope,
    /// First moment covered.
    #[serde(with = "moment")]
    pub from: Timestamp,
    /// Last moment covered.
    #[serde(with = "moment")]
    pub to: Timestamp,
    /// Id of the person who approved it.
    pub approved_by: String,
    /// Id of the second person, where the policy asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_approved_by: Option<String>,
    /// When the last approval that it needed was given, by the collector's clock; absent in old records.
    #[serde(default, with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
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

/// Every ticket and break-glass that the acts so far amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tickets {
    approved: BTreeMap<String, Vec<Ticket>>,
    break_glass: Vec<BreakGlass>,
}

impl Tickets {
    /// From approved tickets.
    pub fn of_approved(tickets: impl IntoIterator<Item = Ticket>) -> Self {
        let mut book = Self::default();
        for ticket in tickets {
            book.approved.entry(ticket.assignee.clone()).or_default().push(ticket);
        }
        book
    }

    /// The approved tickets of a person.
    pub fn of(&self, person: &str) -> &[Ticket] {
        self.approved.get(person).map_or(&[], Vec::as_slice)
    }

    /// The break-glass that covers a person at a moment.
    pub fn break_glass(&self, person: &str, at: Timestamp) -> Option<&BreakGlass> {
        self.break_glass.iter().find(|glass| glass.person == person && glass.from <= at && at <= glass.to)
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

/// Whether a ticket explains an access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Covers,
    /// It is about something, somebody or some time else.
    Elsewhere,
    /// It would, but for this.
    ButFor(&'static str),
}

/// What an access asks of a ticket.
#[derive(Clone, Copy, Debug)]
pub struct Need<'a> {
    /// Id of the person.
    pub person: &'a str,
    /// The area.
    pub area: Area,
    /// Names of the owner: as the event has it, and the roster's id.
    pub owners: [Option<&'a str>; 2],
    /// The machine.
    pub host: &'a str,
    /// The moment.
    pub at: Option<Timestamp>,
}

impl Ticket {
    /// Whether this ticket explains that access. A ticket for any area lets its assignee log in and take on
    /// rights meanwhile, because no work is possible without.
    pub fn fit(&self, need: Need<'_>, terms: TicketTerms) -> Fit {
        let is_way_in = matches!(need.area, Area::Login | Area::Elevation);
        let covers_area = self.class.class() == need.area.class() || is_way_in;
        if self.assignee != need.person || !covers_area || !self.covers_scope(need, is_way_in) {
            return Fit::Elsewhere;
        }
        let Some(at) = need.at else { return Fit::ButFor("the time of the record cannot be read") };
        if at < self.from || at > self.to {
            return Fit::Elsewhere;
        }
        if self.approved_by == self.assignee || self.second_approved_by.as_ref() == Some(&self.assignee) {
            return Fit::ButFor("it was approved by the person it was for");
        }
        let longest = self.from.checked_add(i64::from(terms.hours_max).hours());
        if longest.is_ok_and(|longest| self.to > longest) {
            return Fit::ButFor("it covers more hours than the policy allows");
        }
        let second = self.second_approved_by.as_ref().filter(|second| **second != self.approved_by);
        if terms.mailbox_needs_two && need.area.class() == Area::Mailbox && second.is_none() {
            return Fit::ButFor("a ticket for a mailbox needs the approval of a second person");
        }
        Fit::Covers
    }

    fn covers_scope(&self, need: Need<'_>, is_way_in: bool) -> bool {
        match &self.scope {
            Scope::Everything => true,
            Scope::Owner(owner) => is_way_in || need.owners.contains(&Some(owner.as_str())),
            Scope::Host(host) => host == need.host,
        }
    }
}
