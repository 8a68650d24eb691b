//! Whether a ticket explains an access.

use jiff::{Timestamp, ToSpan};

use super::side::{is_assigned, same_side};
use super::{Scope, Ticket};
use crate::policy::{Area, TicketTerms};
use crate::roster::{Person, Roster};

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
    /// The person.
    pub person: &'a Person,
    /// The roster as it was.
    pub roster: &'a Roster,
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
    pub fn fit(&self, need: Need<'_>, terms: &TicketTerms) -> Fit {
        let is_way_in = matches!(need.area, Area::Login | Area::Elevation);
        let covers_area = self.class.class() == need.area.class() || is_way_in;
        let is_for = is_assigned(&self.assignee, need.person, need.roster);
        if !is_for || !covers_area || !self.covers_scope(need, is_way_in) {
            return Fit::Elsewhere;
        }
        let Some(at) = need.at else { return Fit::ButFor("the time of the record cannot be read") };
        if at < self.from || at > self.to {
            return Fit::Elsewhere;
        }
        // INVARIANT TK-1: no approval by the assignee's own side, and none that came afterwards.
        let approvers = [Some(&self.approved_by), self.second_approved_by.as_ref()];
        let is_own = |assignee: &str| {
            let mut sides = approvers.iter().flatten();
            sides.any(|approver| same_side(approver, assignee, need.roster).is_some())
        };
        if is_own(&self.assignee) || is_own(&need.person.id) {
            return Fit::ButFor("it was approved by the person it was for");
        }
        if self.approved_at.is_some_and(|approved_at| at < approved_at) {
            return Fit::ButFor("it was approved only after the access");
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
