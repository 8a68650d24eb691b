//! Whether a step may be taken: by whom, with what words, until when.

use jiff::{Timestamp, ToSpan};

use super::{Choice, How, Step, StepRecord};
use crate::finding::Finding;
use crate::need_to_know::Judgement;
use crate::roster::Roster;

/// Characters that a question, an answer or a reason may have.
pub const TEXT_MAX: usize = 2000;
/// Days ahead for which an explanation may hold.
pub const UNTIL_DAYS_MAX: i64 = 90;

/// Why a step may not be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepFault {
    /// Nobody in the roster.
    #[error("`{0}` is nobody in the roster; `by` takes the id of a person there, such as `mary`")]
    Unknown(String),
    /// About themselves.
    #[error("this is about `{0}`: nobody decides about themselves; somebody else has to")]
    Themselves(String),
    /// About their own firm.
    #[error(
        "this is about `{about}`, who is of the same firm as `{by}`; somebody of another one has to decide"
    )]
    SameFirm {
        /// Who would decide.
        by: String,
        /// Whom it is about.
        about: String,
    },
    /// Too short or too long.
    #[error("`{what}` has {length} characters; write 1 to {TEXT_MAX}")]
    Length {
        /// Which text.
        what: &'static str,
        /// How long it is.
        length: usize,
    },
    /// Whoever typed it in is whose answer it is said to be.
    #[error("`{0}` cannot type in an answer of their own from paper; leave `--paper` away")]
    OwnPaper(String),
    /// An answer without a question.
    #[error("nobody has been asked about this; put a question first")]
    NoQuestion,
    /// `until` with another decision.
    #[error("`until` goes with the decision `expected` only; leave it away")]
    UntilWithout,
    /// `until` in the past or too far ahead.
    #[error("`until` is {0}; choose a time from now to {UNTIL_DAYS_MAX} days ahead")]
    Until(Timestamp),
    /// Never is never explained ahead.
    #[error(
        "your table says that this never happens, so it cannot be explained ahead; decide without `until`"
    )]
    NeverAhead,
    /// Break-glass is never explained ahead.
    #[error("break-glass is looked at each time, so it cannot be explained ahead; decide without `until`")]
    BreakGlassAhead,
    /// No person to explain.
    #[error(
        "this names nobody in the roster, so nothing can be explained ahead; put the account into the roster, or decide without `until`"
    )]
    NobodyAhead,
    /// Break-glass that is not there.
    #[error("break-glass `{0}` does not explain any of this")]
    NoBreakGlass(String),
}

/// Looks at a step before it becomes an act; every fault at once. `about` is the incident's findings with their
/// steps so far.
pub fn check(
    step: &Step,
    about: &[(&Finding, &[StepRecord])],
    roster: &Roster,
    at: Timestamp,
) -> Result<(), Vec<StepFault>> {
    let mut faults = Vec::new();
    match step {
        Step::Asked { question, by, .. } => {
            faults.extend(by_another(by, about, roster));
            faults.extend(length("question", question));
        }
        Step::Answered { answer, by, given, .. } => {
            // The person whom it is about may answer, and only answer.
            faults.extend(roster.person(by).is_none().then(|| StepFault::Unknown(by.clone())));
            if let Some(given) = given {
                let is_known = roster.person(&given.from).is_some();
                faults.extend((!is_known).then(|| StepFault::Unknown(given.from.clone())));
                let is_own = given.how == How::Paper && given.from == *by;
                faults.extend(is_own.then(|| StepFault::OwnPaper(by.clone())));
                // What somebody typed in for another is that somebody's word: not about themselves.
                if given.how == How::Paper {
                    faults.extend(by_another(by, about, roster));
                }
            }
            faults.extend(length("answer", answer));
            let asked = |(_, steps): &(&Finding, &[StepRecord])| {
                steps.iter().any(|record| matches!(record.step, Step::Asked { .. }))
            };
            if !about.iter().any(asked) {
                faults.push(StepFault::NoQuestion);
            }
        }
        Step::Decided { decision, because, until, by, .. } => {
            faults.extend(by_another(by, about, roster));
            faults.extend(length("because", because));
            if let Some(until) = until {
                faults.extend(ahead(*decision, *until, about, at));
            }
        }
        Step::LateTicket { .. } => {}
        Step::Acknowledged { break_glass, by } => {
            faults.extend(by_another(by, about, roster));
            let rule = format!("break-glass:{break_glass}");
            if !about.iter().any(|(finding, _)| finding.reasons.iter().any(|reason| reason.rule == rule)) {
                faults.push(StepFault::NoBreakGlass(break_glass.clone()));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Whether what is about a person is about this viewer or their own firm: then they neither see nor decide it.
pub fn is_about(person: Option<&str>, viewer: &str, roster: &Roster) -> bool {
    // Whoever is not in the roster any more may still be the one whom it is about.
    person.is_some_and(|person| person == viewer || same_side(viewer, person, roster).is_some())
}

fn by_another(by: &str, about: &[(&Finding, &[StepRecord])], roster: &Roster) -> Option<StepFault> {
    if roster.person(by).is_none() {
        return Some(StepFault::Unknown(by.to_owned()));
    }
    let persons = about.iter().filter_map(|(finding, _)| finding.person.as_deref());
    persons.filter_map(|person| same_side(by, person, roster)).next()
}

fn same_side(by: &str, person: &str, roster: &Roster) -> Option<StepFault> {
    if person == by {
        return Some(StepFault::Themselves(by.to_owned()));
    }
    let decider = roster.person(by)?;
    let firm = roster.person(person).and_then(|person| person.organisation.as_deref());
    let own = decider.organisation.as_deref();
    // A firm is a holder itself, and so may the one be whom it employs.
    let is_same = own.is_some() && (own == firm || own == Some(person)) || firm == Some(by);
    is_same.then(|| StepFault::SameFirm { by: by.to_owned(), about: person.to_owned() })
}

fn length(what: &'static str, text: &str) -> Option<StepFault> {
    let length = text.trim().chars().count();
    (!(1..=TEXT_MAX).contains(&length)).then_some(StepFault::Length { what, length })
}

fn ahead(
    decision: Choice,
    until: Timestamp,
    about: &[(&Finding, &[StepRecord])],
    at: Timestamp,
) -> Vec<StepFault> {
    if decision != Choice::Expected {
        return vec![StepFault::UntilWithout];
    }
    let mut faults = Vec::new();
    let latest = at.checked_add((UNTIL_DAYS_MAX * 24).hours());
    if until <= at || latest.is_ok_and(|latest| until > latest) {
        faults.push(StepFault::Until(until));
    }
    if about.iter().any(|(finding, _)| finding.outcome == Judgement::Never) {
        faults.push(StepFault::NeverAhead);
    }
    if about.iter().any(|(finding, _)| finding.is_break_glass()) {
        faults.push(StepFault::BreakGlassAhead);
    }
    if about.iter().any(|(finding, _)| finding.person.is_none()) {
        faults.push(StepFault::NobodyAhead);
    }
    faults
}
