//! One pure function: was this access explained, unexplained, or one that the table says never happens?
//!
//! # Invariants
//! - ND-1: no I/O, no clock, no async. The event carries its time; [`Access::new`] gets the zone.
//! - ND-2: each [`Decision`] names its reasons, the policy's hash and the roster's version; the same entry,
//!   roster, policy and tickets give the same decision again.
//!
//! `never` wins over whatever else matches. What cannot be evaluated (a class or kind of a newer agent) is a
//! note for the people who keep the system running, and is held against nobody.

mod access;
mod decision;
pub mod moment;
mod place;

use ntk_evidence::event::{Action, Actor, Kind};

pub use access::{Access, LocalTime};
pub use decision::{Asset, Decision, Judgement, Reason, Who};

use crate::policy::{Area, Policy, Rule};
use crate::roster::{Attribution, Job, Person, Roster, account_text};
use crate::ticket::{Fit, Need, Tickets};
use place::Place;

/// Decides one access.
pub fn decide(access: &Access<'_>, roster: &Roster, policy: &Policy, tickets: &Tickets) -> Decision {
    let mut place = match place::of(access, roster) {
        Ok(place) => place,
        Err(reason) => return Decision::not_judged(reason, roster, policy),
    };
    let nobody = Actor::default();
    let actor = access.event.actor.as_ref().unwrap_or(&nobody);
    let subject = Subject::of(access, actor, roster);
    if subject.is_system_work(access, &place) {
        let reason = Reason::new("system-work", "A service outside any login read a system file.");
        return Decision::not_judged(Some(reason), roster, policy);
    }
    let mut scales = Scales::default();
    if let Some(person) = subject.judged_as() {
        place.see_as(person, actor);
        weigh_employment(&mut scales, access, person);
        weigh_table(&mut scales, access, actor, &place, person, &Terms { roster, policy, tickets });
    }
    if let (true, Some(job)) = (place.area.is_files(), matching_job(access, actor, roster)) {
        let sentence = format!("This is {}, doing its own work in its own hours.", job.name);
        scales.explains.push(Reason::new(format!("job:{}", job.id), sentence));
    }
    weigh_what_is_missing(&mut scales, access, &subject, &place);
    let asset = place.asset(roster, access);
    scales.decide(&subject, asset, roster, policy)
}

/// What the practice has laid down.
struct Terms<'a> {
    roster: &'a Roster,
    policy: &'a Policy,
    tickets: &'a Tickets,
}

/// What speaks for each outcome.
#[derive(Default)]
struct Scales {
    nevers: Vec<Reason>,
    explains: Vec<Reason>,
    notes: Vec<Reason>,
    would_explain: Vec<String>,
    /// A cell asks for the time, and the record's cannot be read.
    needs_time: bool,
}

impl Scales {
    fn decide(self, subject: &Subject<'_>, asset: Asset, roster: &Roster, policy: &Policy) -> Decision {
        // A name that was only typed is nobody's act: it may be explained, never forbidden.
        let is_forbidden = !self.nevers.is_empty() && !matches!(subject, Subject::Claimed(..));
        let (outcome, reasons) = if is_forbidden {
            (Judgement::Never, [self.nevers, self.notes].concat())
        } else if !self.explains.is_empty() && self.nevers.is_empty() {
            (Judgement::Explained, self.explains)
        } else if self.needs_time {
            // The record's fault, not the person's.
            let sentence =
                "The time in a record cannot be read, so hours and tickets could not be considered.";
            return Decision::not_judged(Some(Reason::new("time-unreadable", sentence)), roster, policy);
        } else {
            (Judgement::Unexplained, [self.nevers, self.notes].concat())
        };
        let mut would_explain =
            if outcome == Judgement::Unexplained { self.would_explain } else { Vec::new() };
        would_explain.dedup();
        Decision {
            outcome,
            reasons,
            would_explain,
            who: Some(subject.who()),
            asset: Some(asset),
            policy_hash: policy.hash().to_owned(),
            roster_version: roster.version().to_owned(),
        }
    }
}

/// Who acted, with what the roster adds.
enum Subject<'a> {
    /// A verified account or key of this person; the account in words.
    Known(&'a Person, String),
    /// The name of this person's account was typed at a login that failed.
    Claimed(&'a Person, String),
    /// A name that is in nobody's roster entry was typed at a login that failed.
    TypedName,
    /// An account that is not in the roster, in words and with its machine.
    Stranger { account: String, on_host: String },
    /// The record names no account.
    Nobody,
}

impl<'a> Subject<'a> {
    fn of(access: &Access<'_>, actor: &Actor, roster: &'a Roster) -> Self {
        let account = || account_text(actor).unwrap_or_else(|| "without a name".to_owned());
        // An account that the roster knows needs no uid to be told from others; the kernel may name it by uid alone.
        let named = || roster.account_name(access.host, actor).map(ToOwned::to_owned);
        let name = || actor.login_user.clone().or_else(named).unwrap_or_else(account);
        match roster.person_of(access.host, actor) {
            Attribution::Person(id) => match roster.person(&id) {
                Some(person) => Self::Known(person, name()),
                None => Self::Stranger { account: account(), on_host: account() },
            },
            Attribution::Shared(_) => Self::Stranger { account: account(), on_host: account() },
            Attribution::Account(on_host) => Self::Stranger { account: account(), on_host },
            Attribution::Unattributed => match (&actor.claims, &access.event.kind) {
                (Some(name), Kind::Login) => match roster.claimed_person(access.host, name) {
                    Some(person) => Self::Claimed(person, name.clone()),
                    None => Self::TypedName,
                },
                _ => Self::Nobody,
            },
        }
    }

    fn judged_as(&self) -> Option<&'a Person> {
        match self {
            Self::Known(person, _) | Self::Claimed(person, _) => Some(person),
            Self::TypedName | Self::Stranger { .. } | Self::Nobody => None,
        }
    }

    /// Services outside any login read system files all day.
    fn is_system_work(&self, access: &Access<'_>, place: &Place) -> bool {
        let is_reading = matches!(access.event.action, Some(Action::Read | Action::List));
        matches!(self, Self::Nobody) && is_reading && matches!(place.area, Area::System | Area::SelfFiles)
    }

    fn who(&self) -> Who {
        match self {
            Self::Known(person, account) => Who {
                person: Some(person.id.clone()),
                account: Some(account.clone()),
                holder: Some(person.in_words()),
                is_verified: true,
            },
            Self::Claimed(person, name) => Who {
                person: None,
                account: Some(name.clone()),
                holder: Some(person.in_words()),
                is_verified: false,
            },
            Self::TypedName => Who { person: None, account: None, holder: None, is_verified: false },
            Self::Stranger { account, .. } => {
                Who { person: None, account: Some(account.clone()), holder: None, is_verified: true }
            }
            Self::Nobody => Who { person: None, account: None, holder: None, is_verified: true },
        }
    }
}

fn weigh_employment(scales: &mut Scales, access: &Access<'_>, person: &Person) {
    let Some(local) = access.local else { return };
    if let Some(leave) = person.leave_date.filter(|leave| local.date >= *leave) {
        let sentence =
            format!("The roster says that nothing held by {} is used from {leave} on.", person.in_words());
        scales.nevers.push(Reason::new("left", sentence));
    }
    if let Some(first) = person.employed_from.filter(|first| local.date < *first) {
        let sentence = format!("The roster says that {} begins on {first}.", person.in_words());
        scales.notes.push(Reason::new("not-yet-here", sentence));
    }
}

fn weigh_table(
    scales: &mut Scales,
    access: &Access<'_>,
    actor: &Actor,
    place: &Place,
    person: &Person,
    terms: &Terms<'_>,
) {
    let policy = terms.policy;
    let is_own = place.area.is_own();
    let area = place.area;
    if let (Some(tool), true) = (&actor.tool, place.belongs_to(person)) {
        // While a remote-support tool drives the session, "their own" says nothing about who drives.
        let sentence = format!("The session was driven through {tool}, so “their own” explains nothing.");
        scales.notes.push(Reason::new("remote-control", sentence));
    }
    let need = Need {
        person: &person.id,
        area,
        owners: [place.owner.as_deref(), place.owner_person.as_deref()],
        host: access.host,
        at: access.local.map(|local| local.at),
    };
    let n_before = scales.notes.len();
    for (row, column, cell) in policy.cells(&person.roles, area) {
        let reason = Reason::new(format!("table:{row}.{column}"), cell.sentence.clone());
        match cell.rule {
            Rule::Never => scales.nevers.push(reason),
            Rule::Always => scales.explains.push(reason),
            Rule::Own if is_own => scales.explains.push(reason),
            Rule::Own => {
                scales.would_explain.push("it being the account holder’s own".to_owned());
                scales.notes.push(reason);
            }
            Rule::InHours => match access.local {
                Some(local) if policy.opening_hours().is_open(local.date, local.minute) => {
                    scales.explains.push(reason);
                }
                Some(local) => {
                    let hours = policy.opening_hours().in_words(local.date);
                    scales.would_explain.push(format!("opening hours ({hours})"));
                    scales.notes.push(reason);
                }
                None => {
                    scales.needs_time = true;
                    scales.notes.push(reason);
                }
            },
            Rule::WithTicket => {
                scales.needs_time |= access.local.is_none();
                let asset = place.label(is_own);
                let so_far = if weigh_tickets(scales, need, terms) { "" } else { "; there was none" };
                scales
                    .would_explain
                    .push(format!("an approved ticket for {asset} that covers this time{so_far}"));
                scales.notes.push(reason);
            }
        }
    }
    if scales.nevers.is_empty() && scales.explains.is_empty() && scales.notes.len() == n_before {
        let sentence =
            format!("No row of the table speaks of {} for {}.", place.topic(), roles_in_words(person));
        scales.notes.push(Reason::new("no-rule", sentence));
        scales
            .would_explain
            .push(format!("an entry in the table for {}, if this is their work", place.topic()));
    }
}

fn roles_in_words(person: &Person) -> String {
    let roles: Vec<_> = person.roles.iter().map(|role| format!("“{role}”")).collect();
    format!("the role {}", roles.join(" or "))
}

/// Whether any ticket is about this at all.
fn weigh_tickets(scales: &mut Scales, need: Need<'_>, terms: &Terms<'_>) -> bool {
    let mut is_any = false;
    for ticket in terms.tickets.of(need.person) {
        match ticket.fit(need, terms.policy.tickets()) {
            Fit::Covers => {
                let approver = terms
                    .roster
                    .person(&ticket.approved_by)
                    .map_or(&ticket.approved_by, |person| &person.name);
                let sentence = format!("Ticket {}, approved by {approver}, covers this.", ticket.id);
                scales.explains.push(Reason::new(format!("ticket:{}", ticket.id), sentence));
            }
            Fit::ButFor(why) => {
                let sentence = format!("Ticket {} does not explain this: {why}.", ticket.id);
                scales.notes.push(Reason::new(format!("ticket:{}", ticket.id), sentence));
            }
            Fit::Elsewhere => continue,
        }
        is_any = true;
    }
    is_any
}

/// The job whose program, account, machine, hours and classes all match; a login that a person could have
/// made with the job's account is no job.
fn matching_job<'r>(access: &Access<'_>, actor: &Actor, roster: &'r Roster) -> Option<&'r Job> {
    let exe = access.event.process.as_ref()?.exe.as_deref()?;
    let class = access.event.object.as_ref()?.class.as_ref()?;
    let local = access.local?;
    let is_interactive = actor.from.is_some() || actor.key.is_some() || actor.tool.is_some();
    if is_interactive {
        return None;
    }
    let logged_in = actor.login_uid.is_some_and(|uid| uid != u32::MAX);
    roster.jobs().iter().find(|job| {
        let same_uid = job.uid.is_some() && job.uid == actor.login_uid;
        let user = if logged_in { &actor.login_user } else { &actor.effective_user };
        let same_account = same_uid || (job.user.is_some() && job.user == *user);
        let in_hours = job.hours.is_empty() || job.hours.iter().any(|span| span.holds(local.minute));
        job.program == exe
            && job.host == access.host
            && same_account
            && in_hours
            && job.classes.contains(class)
    })
}

/// Reasons and remedies that come from what the record or the roster lacks.
fn weigh_what_is_missing(scales: &mut Scales, access: &Access<'_>, subject: &Subject<'_>, place: &Place) {
    if access.local.is_none() {
        let sentence = "The time in the record cannot be read, so hours and tickets were not considered.";
        scales.notes.push(Reason::new("time-unreadable", sentence));
    }
    match subject {
        Subject::Stranger { on_host, .. } => {
            let sentence = format!("Account {on_host} is not in the roster, so no row of the table applies.");
            scales.notes.push(Reason::new("unknown-account", sentence));
            scales.would_explain.push("an entry in the roster that says who holds the account".to_owned());
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
        Subject::Known(..) => {}
    }
}

#[cfg(test)]
mod tests;
