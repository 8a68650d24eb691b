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
pub mod job;
pub mod moment;
mod place;
mod verdicts;
mod weigh;

use ntk_evidence::event::{Action, Actor, Kind};

pub use access::{Access, LocalTime, host_of};
pub use decision::{Asset, Decision, Judgement, Reason, Who};
pub use verdicts::Verdicts;

use crate::policy::{Area, Policy};
use crate::roster::{Attribution, Person, Roster, account_text};
use crate::ticket::Tickets;
use place::Place;

/// Decides one access.
pub fn decide(access: &Access<'_>, roster: &Roster, policy: &Policy, tickets: &Tickets) -> Decision {
    decide_with(access, roster, policy, tickets, &mut Verdicts::forgetful())
}

/// [`decide`] with verdicts that are remembered: the same decisions, sooner.
pub fn decide_with(
    access: &Access<'_>,
    roster: &Roster,
    policy: &Policy,
    tickets: &Tickets,
    verdicts: &mut Verdicts,
) -> Decision {
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
    let terms = Terms { roster, policy, tickets };
    let mut scales = Scales::default();
    match &subject {
        Subject::Known(person, _) | Subject::Claimed(person, _) => {
            place.see_as(person, access);
            scales = weigh::person(access, &place, person, &terms, verdicts);
            if let Some(tool) = access.tool().filter(|_| place.area != Area::RemoteControl) {
                scales = driven(scales, access, tool, &place, person, &terms, verdicts);
            }
        }
        Subject::Shared(persons, _) => {
            let each = persons.iter().map(|person| {
                let mut place = place.clone();
                place.see_as(person, access);
                weigh::person(access, &place, person, &terms, verdicts)
            });
            scales = Scales::whoever(each.collect());
        }
        Subject::TypedName | Subject::Stranger { .. } | Subject::Nobody => {}
    }
    if place.area.is_files() {
        weigh::jobs(&mut scales, access, roster);
    }
    weigh::what_is_missing(&mut scales, access, &subject, &place, roster);
    let asset = place.asset(roster, access);
    let decision = scales.decide(&subject, asset, roster, policy);
    if place.area == Area::Login && job::is_of_timer(actor) && decision.outcome != Judgement::Never {
        // Nobody came in. Whatever the job touches is judged by itself.
        let reason = Reason::new("timer", "A timer opened a session for a scheduled job.");
        return Decision::not_judged(Some(reason), roster, policy);
    }
    decision
}

/// A session that a remote-support tool drives is used by two: by its account's holder and by the firm behind
/// the tool. It is explained where it is explained whoever of them it was.
fn driven(
    scales: Scales,
    access: &Access<'_>,
    tool: &str,
    place: &Place,
    person: &Person,
    terms: &Terms<'_>,
    verdicts: &mut Verdicts,
) -> Scales {
    match terms.roster.firm_behind(tool) {
        Some(firm) if firm.id == person.id || person.works_for(firm) => scales,
        Some(firm) => {
            let firm = weigh::person(access, place, firm, terms, verdicts);
            Scales::whoever(vec![scales, firm])
        }
        None => {
            let mut scales = scales;
            scales.explains.clear();
            scales.notes.retain(|note| note.rule != "remote-control");
            let sentence =
                format!("The session was driven through {tool}, and the roster names no firm behind it.");
            scales.notes.push(Reason::new("remote-control", sentence));
            scales.would_explain.push(format!("an entry in the roster that says who works through {tool}"));
            scales
        }
    }
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
    /// Policies that could not be evaluated.
    errors: Vec<String>,
    /// One of them would have said never, for all that is known.
    never_is_uncertain: bool,
}

impl Scales {
    /// Where several people use one account: explained where it is explained whoever of them it was, never
    /// where it is never for each of them, and a question otherwise.
    fn whoever(each: Vec<Self>) -> Self {
        let is_explained = |scales: &Self| !scales.explains.is_empty() && scales.nevers.is_empty();
        let explained = !each.is_empty() && each.iter().all(is_explained);
        let never = !each.is_empty() && each.iter().all(|scales| !scales.nevers.is_empty());
        let mut together = Self::default();
        for scales in each {
            together.needs_time |= scales.needs_time;
            together.errors.extend(scales.errors);
            together.never_is_uncertain |= scales.never_is_uncertain;
            together.would_explain.extend(scales.would_explain);
            together.notes.extend(scales.notes);
            match (explained, never) {
                (true, _) => together.explains.extend(scales.explains),
                (_, true) => together.nevers.extend(scales.nevers),
                _ => together.notes.extend(scales.nevers),
            }
        }
        for reasons in [&mut together.explains, &mut together.nevers, &mut together.notes] {
            let mut seen = Vec::new();
            reasons.retain(|reason| {
                !seen.contains(reason) && {
                    seen.push(reason.clone());
                    true
                }
            });
        }
        together
    }

    fn decide(self, subject: &Subject<'_>, asset: Asset, roster: &Roster, policy: &Policy) -> Decision {
        // A name that was only typed is nobody's act: it may be explained, never forbidden.
        let is_forbidden = !self.nevers.is_empty() && !matches!(subject, Subject::Claimed(..));
        let (outcome, reasons) = if is_forbidden {
            (Judgement::Never, [self.nevers, self.notes].concat())
        } else if !self.explains.is_empty() && self.nevers.is_empty() && !self.never_is_uncertain {
            (Judgement::Explained, self.explains)
        } else if !self.errors.is_empty() {
            // Fail closed, and hold it against nobody: it may have been a never that could not be evaluated.
            let sentence = format!("A policy could not be evaluated: {}.", self.errors.join("; "));
            return Decision::not_judged(Some(Reason::new("policy-error", sentence)), roster, policy);
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
    /// An account that these people use together; the account in words.
    Shared(Vec<&'a Person>, String),
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
        // Whoever drives a session through a firm's tool is that firm: the account is only whose screen it was.
        if access.event.kind == Kind::RemoteControl
            && let Some(firm) = access.tool().and_then(|tool| roster.firm_behind(tool))
        {
            return Self::Known(firm, name());
        }
        match roster.person_of(access.host, actor) {
            Attribution::Person(id) => match roster.person(&id) {
                Some(person) => Self::Known(person, name()),
                None => Self::Stranger { account: account(), on_host: account() },
            },
            Attribution::Shared(ids) => {
                Self::Shared(ids.iter().filter_map(|id| roster.person(id)).collect(), name())
            }
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
            Self::Shared(persons, account) => Who {
                person: None,
                account: Some(account.clone()),
                holder: Some(one_of(persons)),
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

/// `Sam Ortiz or Bea Novak`.
fn one_of(persons: &[&Person]) -> String {
    persons.iter().map(|person| person.in_words()).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests;
