//! What speaks for each outcome: the policies' verdict, and in words what was missing.

use super::job::fits;
use super::{Access, Place, Reason, Scales, Subject, Terms, Verdicts};
use crate::policy::cedar::{Clock, Facts, GlassFacts, TICKET, TicketFacts, Verdict};
use crate::policy::{Area, Cell, Rule};
use crate::roster::{Person, Roster};
use crate::ticket::{Fit, Need, Ticket};

/// For how many days after somebody left an account that nobody confirmed counts as possibly theirs.
const AFTER_LEAVING_DAYS: i64 = 180;

/// A person's access: asks the policies, and says what would have explained it.
pub(super) fn person(
    access: &Access<'_>,
    place: &Place,
    person: &Person,
    terms: &Terms<'_>,
    verdicts: &mut Verdicts,
) -> Scales {
    let mut scales = Scales::default();
    let on = access.judged.map(|judged| judged.date);
    let roles = on.map_or_else(|| person.roles.clone(), |on| terms.roster.roles_on(&person.id, on));
    let tickets = Fitting::of(access, place, person, terms);
    let facts = facts(access, place, person, &roles, &tickets, terms);
    let glass = facts.break_glass.clone();
    let verdict = verdicts.of(terms.policy, facts);
    scales.errors.extend(verdict.errors.iter().cloned());
    scales.never_is_uncertain = verdict.never_is_uncertain;
    let cells = terms.policy.cells(&roles, place.area);
    beginnings(&mut scales, access, place, person);
    matched(&mut scales, &verdict, person, place.area, &tickets, glass.as_ref(), terms);
    not_matched(&mut scales, access, place, &verdict, &cells, &tickets, terms, &roles);
    scales
}

/// The tickets of a person that are about this access at all.
struct Fitting<'t> {
    covering: Vec<&'t Ticket>,
    but_for: Vec<(&'t Ticket, &'static str)>,
}

impl<'t> Fitting<'t> {
    fn of(access: &Access<'_>, place: &Place, person: &'t Person, terms: &Terms<'t>) -> Self {
        let need = Need {
            person,
            roster: terms.roster,
            area: place.area,
            owners: [place.owner.as_deref(), place.owner_person.as_deref()],
            host: access.host,
            at: access.judged.map(|judged| judged.at),
        };
        let (mut covering, mut but_for) = (Vec::new(), Vec::new());
        for ticket in terms.tickets.of(person, terms.roster) {
            match ticket.fit(need, terms.policy.tickets()) {
                Fit::Covers => covering.push(ticket),
                Fit::ButFor(why) => but_for.push((ticket, why)),
                Fit::Elsewhere => {}
            }
        }
        Self { covering, but_for }
    }

    fn best(&self) -> Option<TicketFacts> {
        let facts = |ticket: &Ticket, covers| TicketFacts {
            id: ticket.id.clone(),
            kind: ticket.kind.as_str().to_owned(),
            assignee: ticket.assignee.clone(),
            approved_by: ticket.approved_by.clone(),
            second_approved_by: ticket.second_approved_by.clone(),
            covers,
        };
        let covering = self.covering.first().map(|ticket| facts(ticket, true));
        covering.or_else(|| self.but_for.first().map(|(ticket, _)| facts(ticket, false)))
    }
}

fn facts(
    access: &Access<'_>,
    place: &Place,
    person: &Person,
    roles: &[String],
    tickets: &Fitting<'_>,
    terms: &Terms<'_>,
) -> Facts {
    let event = access.event;
    let actor = event.actor.as_ref();
    let process = event.process.as_ref();
    let date = access.judged.map(|judged| judged.date);
    let hours = terms.policy.opening_hours();
    let covers = |only_mail: bool| {
        let covers = date.into_iter().flat_map(|date| terms.roster.covers(&person.id, date));
        covers.filter(|cover| cover.mailbox || !only_mail).map(|cover| cover.covers.clone()).collect()
    };
    let is_since = |from: Option<jiff::civil::Date>| from.zip(date).is_some_and(|(from, date)| date >= from);
    let glass = access.judged.and_then(|judged| terms.tickets.break_glass(&person.id, judged.at));
    Facts {
        person: person.id.clone(),
        name: person.name.clone(),
        roles: roles.to_vec(),
        organisation: person.organisation.clone(),
        employed: !is_since(person.leave_date),
        leaving: is_since(person.notice_given),
        covers_for: covers(false),
        mail_of: covers(true),
        action: place.action_word(access),
        area: place.area,
        owner: place.owner_person.clone(),
        groups: place.groups(access, terms.policy.groups()),
        host: access.host.to_owned(),
        clock: access.judged.map(|judged| Clock {
            minute: judged.minute,
            weekday: judged.weekday().to_monday_one_offset().unsigned_abs(),
            holiday: hours.is_holiday(judged.date),
            open: hours.is_open(judged.date, judged.minute),
        }),
        outcome: event.outcome.as_ref().map_or("success", |outcome| outcome.as_str()).to_owned(),
        elevated: actor
            .is_some_and(|actor| actor.effective_user.is_some() && actor.effective_user != actor.login_user),
        remote: actor.is_some_and(|actor| actor.from.as_deref().is_some_and(is_an_address)),
        tool: access.tool().map(ToOwned::to_owned),
        program: process.and_then(|process| process.exe.clone()),
        parent: process.and_then(|process| process.parent.clone()),
        via: event.object.as_ref().and_then(|object| object.via.as_ref()).map(ToString::to_string),
        ticket: tickets.best(),
        break_glass: glass.map(|glass| GlassFacts { id: glass.id.clone(), reason: glass.reason.clone() }),
    }
}

/// A terminal of the machine itself is no other computer.
fn is_an_address(from: &str) -> bool {
    !(from.starts_with("tty") || from.starts_with("/dev/") || from.starts_with(':') || from == "console")
}

/// What the roster says about when the person began, and what the way of working leaves open.
fn beginnings(scales: &mut Scales, access: &Access<'_>, place: &Place, person: &Person) {
    if let (Some(local), Some(first)) = (access.judged, person.employed_from)
        && local.date < first
    {
        let sentence = format!("The roster says that {} begins on {first}.", person.in_words());
        scales.notes.push(Reason::new("not-yet-here", sentence));
    }
    if let (Some(tool), true) = (access.tool(), place.belongs_to(person)) {
        // While a remote-support tool drives the session, "their own" says nothing about who drives.
        let sentence = format!("The session was driven through {tool}, so “their own” explains nothing.");
        scales.notes.push(Reason::new("remote-control", sentence));
    }
    if access.clock_off().is_some() {
        let sentence = "The machine’s clock did not fit the time at which the entry was received, so hours and tickets were judged by the time of receipt.";
        scales.notes.push(Reason::new("clock", sentence));
    }
}

/// The rule's id as reasons have it: `table:itadmin.mailbox@managers_mailbox` is the cell `itadmin.mailbox`.
fn rule_of(id: &str) -> &str {
    id.split('@').next().unwrap_or(id)
}

fn matched(
    scales: &mut Scales,
    verdict: &Verdict,
    person: &Person,
    area: Area,
    tickets: &Fitting<'_>,
    glass: Option<&GlassFacts>,
    terms: &Terms<'_>,
) {
    let plain = |id: &str| {
        let compiled = terms.policy.compiled().and_then(|compiled| compiled.plain(id));
        compiled.unwrap_or("A policy matched.").to_owned()
    };
    for id in &verdict.nevers {
        let reason = match (id.as_str(), person.leave_date) {
            ("left", Some(leave)) => {
                let sentence = format!(
                    "The roster says that nothing held by {} is used from {leave} on.",
                    person.in_words()
                );
                Reason::new("left", sentence)
            }
            _ => Reason::new(rule_of(id), plain(id)),
        };
        scales.nevers.push(reason);
    }
    for id in &verdict.explains {
        match (id.as_str(), glass) {
            ("break-glass", Some(glass)) => {
                let sentence =
                    format!("Break-glass {} was opened for this time, with a typed reason.", glass.id);
                scales.explains.push(Reason::new(format!("break-glass:{}", glass.id), sentence));
            }
            // A login that the table explains anyway is no use of a ticket.
            (TICKET, _) if verdict.explains.len() > 1 && !area.is_files() => {}
            (TICKET, _) => {
                for ticket in &tickets.covering {
                    let reason = covered(ticket, terms);
                    if !scales.explains.contains(&reason) {
                        scales.explains.push(reason);
                    }
                }
            }
            _ => scales.explains.push(Reason::new(rule_of(id), plain(id))),
        }
    }
}

fn covered(ticket: &Ticket, terms: &Terms<'_>) -> Reason {
    let approver =
        terms.roster.person(&ticket.approved_by).map_or(&ticket.approved_by, |person| &person.name);
    let sentence = format!("Ticket {}, approved by {approver}, covers this.", ticket.id);
    Reason::new(format!("ticket:{}", ticket.id), sentence)
}

/// The id under which a cell was compiled for an area.
fn id_of(row: &str, column: Area, area: Area) -> String {
    let within = if column == area { String::new() } else { format!("@{area}") };
    format!("table:{row}.{column}{within}")
}

/// The cells that spoke of the area and did not match: each is a note, and says what it asks for.
#[expect(
    clippy::too_many_arguments,
    reason = "each is one thing that a sentence needs; a struct would have no name"
)]
fn not_matched(
    scales: &mut Scales,
    access: &Access<'_>,
    place: &Place,
    verdict: &Verdict,
    cells: &[(&str, Area, &Cell)],
    tickets: &Fitting<'_>,
    terms: &Terms<'_>,
    roles: &[String],
) {
    for (ticket, why) in &tickets.but_for {
        let sentence = format!("Ticket {} does not explain this: {why}.", ticket.id);
        scales.notes.push(Reason::new(format!("ticket:{}", ticket.id), sentence));
    }
    let n_before = scales.notes.len();
    for (row, column, cell) in cells {
        let id = id_of(row, *column, place.area);
        let is_matched = verdict.explains.contains(&id) || verdict.nevers.contains(&id);
        let reason = Reason::new(format!("table:{row}.{column}"), cell.sentence.clone());
        match cell.rule {
            Rule::WithTicket => {
                scales.needs_time |= access.judged.is_none();
                let is_any = !tickets.covering.is_empty() || !tickets.but_for.is_empty();
                let so_far = if is_any { "" } else { "; there was none" };
                let asset = place.label(place.area.is_own());
                scales
                    .would_explain
                    .push(format!("an approved ticket for {asset} that covers this time{so_far}"));
                scales.notes.push(reason);
            }
            Rule::InHours if !is_matched => {
                match access.judged {
                    Some(judged) => {
                        let hours = terms.policy.opening_hours().in_words(judged.date);
                        scales.would_explain.push(format!("opening hours ({hours})"));
                    }
                    None => scales.needs_time = true,
                }
                scales.notes.push(reason);
            }
            Rule::Own if !is_matched => {
                scales.would_explain.push("it being the account holder’s own".to_owned());
                scales.notes.push(reason);
            }
            Rule::Never | Rule::Always | Rule::InHours | Rule::Own => {}
        }
    }
    if scales.nevers.is_empty() && scales.explains.is_empty() && scales.notes.len() == n_before {
        let sentence = format!("No row of the table speaks of {} for {}.", place.topic(), in_words(roles));
        scales.notes.push(Reason::new("no-rule", sentence));
        scales
            .would_explain
            .push(format!("an entry in the table for {}, if this is their work", place.topic()));
    }
}

fn in_words(roles: &[String]) -> String {
    let roles: Vec<_> = roles.iter().map(|role| format!("“{role}”")).collect();
    format!("the role {}", roles.join(" or "))
}

/// The jobs that this could be: the one that fits explains it, a near miss says what was missing.
pub(super) fn jobs(scales: &mut Scales, access: &Access<'_>, roster: &Roster) {
    for job in roster.jobs() {
        match fits(job, access) {
            Ok(()) => {
                let sentence = format!("This is {}, doing its own work in its own hours.", job.name);
                scales.explains.push(Reason::new(format!("job:{}", job.id), sentence));
            }
            Err(misfit) => {
                let sentence = misfit.sentence(job);
                let rule = format!("job:{}", job.id);
                scales.notes.extend(sentence.map(|sentence| Reason::new(rule, sentence)));
            }
        }
    }
}

/// Reasons and remedies that come from what the record or the roster lacks.
pub(super) fn what_is_missing(
    scales: &mut Scales,
    access: &Access<'_>,
    subject: &Subject<'_>,
    place: &Place,
    roster: &Roster,
) {
    if access.judged.is_none() {
        let sentence = "The time in the record cannot be read, so hours and tickets were not considered.";
        scales.notes.push(Reason::new("time-unreadable", sentence));
    }
    match subject {
        Subject::Stranger { on_host, .. } => {
            let sentence = format!("Account {on_host} is not in the roster, so no row of the table applies.");
            scales.notes.push(Reason::new("unknown-account", sentence));
            scales.would_explain.push("an entry in the roster that says who holds the account".to_owned());
            scales.notes.extend(after_leaving(access, roster));
        }
        Subject::Nobody => {
            let sentence = "The record names no account; who could have been is not known.";
            scales.notes.push(Reason::new("unattributed", sentence));
            let remedy = if place.area.is_files() {
                "a sensor that names accounts on this machine, or a job in the roster for this program"
            } else {
                "a sensor that names accounts on this machine"
            };
            scales.would_explain.push(remedy.to_owned());
        }
        Subject::TypedName => {
            let sentence = "The names that were typed are in nobody’s entry of the roster.";
            scales.notes.push(Reason::new("typed-name", sentence));
            scales.would_explain.push("a mistyped name, or a device with an old password".to_owned());
        }
        Subject::Claimed(_, name) => {
            let sentence = format!("The name {name} was typed; that does not show who typed it.");
            scales.notes.push(Reason::new("typed-name", sentence));
        }
        Subject::Shared(persons, account) => {
            let sentence = format!(
                "Account {account} is shared by {}; which of them used it is not shown.",
                super::one_of(persons)
            );
            scales.notes.push(Reason::new("shared-account", sentence));
            scales.would_explain.push("an account of their own for each of them".to_owned());
        }
        Subject::Known(..) => {}
    }
}

/// After somebody left, an account that nobody has confirmed as someone else's may be theirs.
fn after_leaving(access: &Access<'_>, roster: &Roster) -> Option<Reason> {
    let date = access.judged?.date;
    let left = roster.persons().iter().filter_map(|person| {
        let leave = person.leave_date.filter(|leave| date >= *leave)?;
        let days = leave.until(date).ok()?.get_days();
        (i64::from(days) <= AFTER_LEAVING_DAYS).then_some((leave, person))
    });
    let (leave, person) = left.max_by_key(|(leave, _)| *leave)?;
    let sentence =
        format!("{} left on {leave}, and nobody has confirmed whose this account is.", person.in_words());
    Some(Reason::new("left:unconfirmed", sentence))
}
