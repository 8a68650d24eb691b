//! The book: every request, ticket and break-glass that the acts so far amount to.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use ntk_evidence::act;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::{Glass, Record, Signed};
use super::side::is_assigned_to;
use super::step::{BreakGlassStep, TicketStep};
use super::{BreakGlass, Ticket, Via};
use crate::roster::{Person, Roster};

/// How many requests the book holds; beyond, the oldest that allows nothing any more goes.
pub const RECORDS_MAX: usize = 20_000;
/// How many break-glass uses it holds.
const GLASSES_MAX: usize = 2_000;
/// How many refused approvals are kept of one request.
const ATTEMPTS_MAX: usize = 20;

/// Every ticket and break-glass, built from acts alone, in the ledger's order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tickets {
    /// Requests by number.
    records: BTreeMap<u64, Record>,
    /// Approved tickets by assignee.
    approved: BTreeMap<String, Vec<Ticket>>,
    /// Highest number given to a request.
    last_ticket: u64,
    break_glass: VecDeque<Glass>,
    /// Highest number given to a break-glass.
    last_glass: u64,
}

/// What an act changed, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketChange {
    /// A request was added.
    Requested(String),
    /// An approval was added.
    Approved(String),
    /// An approval was tried and refused.
    Refused(String),
    /// A request was declined.
    Declined(String),
    /// A ticket ended.
    Closed(String),
    /// A break-glass began.
    Opened(String),
    /// A break-glass was acknowledged.
    Acknowledged(String),
}

/// An act that the book cannot take: it stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum TicketFault {
    /// Not a step that this version knows.
    #[error("the act is no step of a ticket that this version knows")]
    Form(#[from] serde_json::Error),
    /// A step of a ticket that is not in the book.
    #[error("there is no ticket `{0}`")]
    Unknown(String),
    /// A number that is none or was given before.
    #[error("`{0}` is no new number: write `T-12`, once")]
    Number(String),
    /// A step after the end, or a second one by the same person.
    #[error("the step does not follow from how `{0}` stands")]
    Order(String),
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

    /// Takes in one act; acts of other kinds change nothing. `at` is the act's own time.
    pub fn apply(
        &mut self,
        at: Timestamp,
        kind: &str,
        body: &Value,
    ) -> Result<Option<TicketChange>, TicketFault> {
        match kind {
            act::kind::TICKET => self.step(at, TicketStep::deserialize(body)?).map(Some),
            act::kind::BREAK_GLASS => self.glass(at, BreakGlassStep::deserialize(body)?).map(Some),
            _ => Ok(None),
        }
    }

    /// The approved tickets that let a person in: their own, their firm's, their roles'.
    pub fn of<'a>(&'a self, person: &'a Person, roster: &'a Roster) -> impl Iterator<Item = &'a Ticket> {
        let is_assigned = is_assigned_to(person, roster);
        self.approved
            .iter()
            .filter(move |(assignee, _)| is_assigned(assignee))
            .flat_map(|(_, tickets)| tickets)
    }

    /// The break-glass that covers a person at a moment.
    pub fn break_glass(&self, person: &str, at: Timestamp) -> Option<&BreakGlass> {
        let covers = |glass: &&BreakGlass| glass.person == person && glass.from <= at && at <= glass.to;
        self.break_glass.iter().map(|glass| &glass.glass).find(covers)
    }

    /// Every request, in the order of asking.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.values()
    }

    /// The request with this number, `T-12`.
    pub fn record(&self, id: &str) -> Option<&Record> {
        self.records.get(&number(id, 'T')?).filter(|record| record.request.id == id)
    }

    /// The request that a help desk made over its endpoint under its own number.
    pub fn by_external_id(&self, requested_by: &str, external_id: &str) -> Option<&Record> {
        let is_it = |record: &&Record| {
            record.request.via == Via::Rest
                && record.request.requested_by == requested_by
                && record.request.external_id.as_deref() == Some(external_id)
        };
        self.records.values().find(is_it)
    }

    /// Every break-glass, in the order of opening.
    pub fn glasses(&self) -> impl DoubleEndedIterator<Item = &Glass> {
        self.break_glass.iter()
    }

    /// The number that the next request gets.
    pub fn next_ticket(&self) -> String {
        format!("T-{}", self.last_ticket.saturating_add(1))
    }

    /// The number that the next break-glass gets.
    pub fn next_break_glass(&self) -> String {
        format!("B-{}", self.last_glass.saturating_add(1))
    }

    fn step(&mut self, at: Timestamp, step: TicketStep) -> Result<TicketChange, TicketFault> {
        let signed = |by: String, words: Option<String>| Signed { by, at, words };
        Ok(match step {
            TicketStep::Requested { ticket } => {
                let id = ticket.id.clone();
                let is_new = |number: &u64| !self.records.contains_key(number);
                let number = number(&id, 'T').filter(is_new);
                let number = number.ok_or_else(|| TicketFault::Number(id.clone()))?;
                self.last_ticket = self.last_ticket.max(number);
                self.records.insert(number, Record::new(ticket, at));
                self.forget(at);
                TicketChange::Requested(id)
            }
            TicketStep::Approved { id, by, echo, .. } => {
                let record = self.record_mut(&id)?;
                let is_twice = record.approvals.len() >= 2 || record.approvals.iter().any(|one| one.by == by);
                if record.has_ended() || is_twice {
                    return Err(TicketFault::Order(id));
                }
                record.approvals.push(signed(by, Some(echo)));
                self.refresh(&id);
                TicketChange::Approved(id)
            }
            TicketStep::Refused { id, by, why } => {
                let record = self.record_mut(&id)?;
                if record.attempts.len() < ATTEMPTS_MAX {
                    record.attempts.push(signed(by, Some(why)));
                }
                TicketChange::Refused(id)
            }
            TicketStep::Declined { id, by, reason } => {
                let record = self.record_mut(&id)?;
                if record.has_ended() {
                    return Err(TicketFault::Order(id));
                }
                record.declined = Some(signed(by, Some(reason)));
                self.refresh(&id);
                TicketChange::Declined(id)
            }
            TicketStep::Closed { id, by, note } => {
                let record = self.record_mut(&id)?;
                if record.has_ended() {
                    return Err(TicketFault::Order(id));
                }
                record.closed = Some(signed(by, note));
                self.refresh(&id);
                TicketChange::Closed(id)
            }
        })
    }

    fn glass(&mut self, at: Timestamp, step: BreakGlassStep) -> Result<TicketChange, TicketFault> {
        Ok(match step {
            BreakGlassStep::Opened(glass) => {
                let id = glass.id.clone();
                let is_new = self.break_glass.iter().all(|other| other.glass.id != id);
                let number = number(&id, 'B').filter(|_| is_new);
                let number = number.ok_or_else(|| TicketFault::Number(id.clone()))?;
                self.last_glass = self.last_glass.max(number);
                self.break_glass.push_back(Glass { glass, opened_at: at, acknowledged: None });
                if self.break_glass.len() > GLASSES_MAX {
                    self.break_glass.pop_front();
                }
                TicketChange::Opened(id)
            }
            BreakGlassStep::Acknowledged { id, by, .. } => {
                let glass = self.break_glass.iter_mut().find(|glass| glass.glass.id == id);
                let glass = glass.ok_or_else(|| TicketFault::Unknown(id.clone()))?;
                if glass.acknowledged.is_some() {
                    return Err(TicketFault::Order(id));
                }
                glass.acknowledged = Some(Signed { by, at, words: None });
                TicketChange::Acknowledged(id)
            }
        })
    }

    fn record_mut(&mut self, id: &str) -> Result<&mut Record, TicketFault> {
        let record = number(id, 'T').and_then(|number| self.records.get_mut(&number));
        record.filter(|record| record.request.id == id).ok_or_else(|| TicketFault::Unknown(id.to_owned()))
    }

    /// Puts the ticket of a request as it stands now in the place of the one before.
    fn refresh(&mut self, id: &str) {
        let Some(record) = self.record(id) else { return };
        let (assignee, ticket) = (record.request.assignee.clone(), record.ticket());
        let tickets = self.approved.entry(assignee).or_default();
        match (tickets.iter_mut().find(|ticket| ticket.id == id), ticket) {
            (Some(before), Some(ticket)) => *before = ticket,
            (None, Some(ticket)) => tickets.push(ticket),
            (Some(_), None) => tickets.retain(|ticket| ticket.id != id),
            (None, None) => {}
        }
    }

    /// Keeps the book within its bounds: what allows nothing any more goes first.
    fn forget(&mut self, at: Timestamp) {
        while self.records.len() > RECORDS_MAX {
            let is_idle = |record: &Record| record.ticket().is_none_or(|ticket| ticket.to < at);
            let idle = self.records.iter().find(|(_, record)| is_idle(record)).map(|(number, _)| *number);
            let Some(oldest) = idle.or_else(|| self.records.keys().next().copied()) else { return };
            let Some(record) = self.records.remove(&oldest) else { return };
            if let Some(tickets) = self.approved.get_mut(&record.request.assignee) {
                tickets.retain(|ticket| ticket.id != record.request.id);
            }
        }
    }
}

fn number(id: &str, letter: char) -> Option<u64> {
    id.strip_prefix(letter)?.strip_prefix('-')?.parse().ok()
}
