//! May this person approve this request now? One pure function; its refusals are sentences.

use jiff::{SignedDuration, Zoned};

use super::book::Tickets;
use super::record::{State, needs_two};
use super::side::{Same, same_side};
use super::{ROLE, Request};
use crate::policy::TicketTerms;
use crate::roster::{Person, Roster};

/// Roles that may approve without being listed in the policy.
pub const APPROVERS: [&str; 2] = ["manager", "reviewer"];
/// The role that may approve as a second person without being listed.
pub const SECOND_APPROVER: &str = "physician";

/// Proof that an approval may be written: made by [`approve`] alone.
#[must_use = "an approval that is not written allows nothing"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    request: Request,
    by: String,
    is_waiting: bool,
}

impl Approved {
    /// What was asked for.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Id of the person who approves.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Whether a second person still has to approve.
    pub fn awaits_second(&self) -> bool {
        self.is_waiting
    }
}

/// Why an approval is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such number.
    #[error("there is no ticket `{0}`; see `ntk-collector ticket list`")]
    Unknown(String),
    /// Decided or over.
    #[error("ticket {id} is not open: {}; ask for a new one", state.in_words())]
    NotOpen {
        /// Number of the ticket.
        id: String,
        /// How it stands.
        state: State,
    },
    /// Not in the roster.
    #[error("`{0}` is not in the roster, so nobody knows whose approval it would be")]
    Stranger(String),
    /// No longer here.
    #[error("{0} has left by the roster and approves nothing any more")]
    Left(String),
    /// No role that approves.
    #[error(
        "{0} has none of the roles that approve tickets: manager, reviewer, or one that the policy lists under `[tickets] approvers`"
    )]
    Role(String),
    /// Only after another.
    #[error("{0} approves as the second person; somebody else approves first")]
    OnlySecond(String),
    /// The approver's own ticket.
    #[error("ticket {0} is for the person who would approve it; another person has to")]
    Own(String),
    /// The approver's own firm.
    #[error(
        "ticket {0} is for the firm that the approver works for; somebody of the practice has to approve"
    )]
    OwnFirm(String),
    /// The same person twice.
    #[error("{0} approved this already; the second approval is another person's")]
    Twice(String),
    /// Longer than the policy allows.
    #[error("ticket {id} covers more than {hours_max} hours; ask for less")]
    TooLong {
        /// Number of the ticket.
        id: String,
        /// What the policy allows.
        hours_max: u32,
    },
    /// The assignee is in the roster no more.
    #[error("ticket {id} is for `{assignee}`, who is not in the roster any more; decline it")]
    AssigneeGone {
        /// Number of the ticket.
        id: String,
        /// Whom it is for.
        assignee: String,
    },
}

impl Refusal {
    /// Whether the refusal belongs into the review: somebody tried to approve for their own side.
    pub fn is_own_side(&self) -> bool {
        matches!(self, Self::Own(_) | Self::OwnFirm(_))
    }
}

/// Whether this person may approve this request now. `now` is in the practice's zone.
pub fn approve(
    tickets: &Tickets,
    roster: &Roster,
    terms: &TicketTerms,
    id: &str,
    by: &str,
    now: &Zoned,
) -> Result<Approved, Refusal> {
    let record = tickets.record(id).ok_or_else(|| Refusal::Unknown(id.to_owned()))?;
    let request = &record.request;
    let state = record.state(terms, now.timestamp());
    if !state.is_open() {
        return Err(Refusal::NotOpen { id: id.to_owned(), state });
    }
    let approver = roster.person(by).ok_or_else(|| Refusal::Stranger(by.to_owned()))?;
    if approver.leave_date.is_some_and(|leave| now.date() >= leave) {
        return Err(Refusal::Left(approver.name.clone()));
    }
    match same_side(by, &request.assignee, roster) {
        Some(Same::Person) => return Err(Refusal::Own(id.to_owned())),
        Some(Same::Firm) => return Err(Refusal::OwnFirm(id.to_owned())),
        None => {}
    }
    if record.approvals.iter().any(|approval| approval.by == by) {
        return Err(Refusal::Twice(approver.name.clone()));
    }
    may_approve(approver, record.approvals.is_empty(), request, roster, terms)?;
    let is_known = request.assignee.starts_with(ROLE) || roster.person(&request.assignee).is_some();
    if !is_known {
        return Err(Refusal::AssigneeGone { id: id.to_owned(), assignee: request.assignee.clone() });
    }
    if request.to.duration_since(request.from) > SignedDuration::from_hours(i64::from(terms.hours_max)) {
        return Err(Refusal::TooLong { id: id.to_owned(), hours_max: terms.hours_max });
    }
    let is_waiting = needs_two(request.class, terms) && record.approvals.is_empty();
    Ok(Approved { request: request.clone(), by: by.to_owned(), is_waiting })
}

/// Whether two are one side: the same person, or of one firm.
pub fn is_own_side(approver: &str, assignee: &str, roster: &Roster) -> bool {
    same_side(approver, assignee, roster).is_some()
}

/// Whether a person's roles let them approve anybody's ticket, as the first person.
pub fn is_approver(person: &Person, terms: &TicketTerms) -> bool {
    let listed = terms.approvers.iter().any(|role| person.has_role(role));
    listed || APPROVERS.iter().any(|role| person.has_role(role))
}

fn may_approve(
    person: &Person,
    is_first: bool,
    request: &Request,
    roster: &Roster,
    terms: &TicketTerms,
) -> Result<(), Refusal> {
    if is_approver(person, terms) {
        return Ok(());
    }
    if !person.has_role(SECOND_APPROVER) {
        return Err(Refusal::Role(person.name.clone()));
    }
    // Where the only approver is the one who asks (the manager, say), the second reviewer stands in.
    let mut others = roster.persons().iter().filter(|other| is_approver(other, terms));
    let somebody_else = others.any(|other| same_side(&other.id, &request.assignee, roster).is_none());
    if is_first && somebody_else { Err(Refusal::OnlySecond(person.name.clone())) } else { Ok(()) }
}
