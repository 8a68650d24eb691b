//! The second reviewer: sees findings about the manager, decides them, and co-signs what one person should not do alone.
//!
//! Pure. Who it is comes from acts alone; that somebody signed comes from a passphrase that was verified just now.
//!
//! # Invariants
//! - SR-1: once there is a second reviewer, findings about somebody who approves are decided by nobody else
//!   ([`may_decide`]).
//! - SR-2: a co-signature holds for one text: it names the SHA-256 of what it signs ([`cosign`]).

pub mod cosign;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::TicketTerms;
use crate::roster::Roster;
use crate::ticket::approve::is_approver;

/// Body of `act_second_reviewer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum SecondStep {
    /// Somebody is it from now on.
    Named {
        /// Id of the person.
        person: String,
        /// Id of the one who was it before and agreed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agreed: Option<String>,
        /// Why it changed without that agreement.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// The practice does without.
    Declined {
        /// Why.
        because: String,
        /// Id of the one who was it before and agreed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agreed: Option<String>,
    },
}

/// How the practice stands to a second reviewer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Standing {
    /// Nobody has said anything.
    #[default]
    NotAsked,
    /// A name was given at set-up, when there was no roster yet.
    Intended {
        /// As it was typed.
        name: String,
    },
    /// The practice does without.
    Declined {
        /// Why.
        because: String,
    },
    /// There is one.
    Named {
        /// Id of the person.
        person: String,
        /// Since when, RFC 3339.
        since: String,
        /// Why the one before was replaced without agreement.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        without_agreement: Option<String>,
    },
}

impl Standing {
    /// From the act with which a ledger begins: what was said at set-up.
    pub fn of_init(body: &Value) -> Self {
        let said = |key: &str| {
            let text = body.pointer(key).and_then(Value::as_str).map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        match (said("/second_reviewer/named"), said("/second_reviewer/declined")) {
            (Some(name), _) => Self::Intended { name },
            (None, Some(because)) => Self::Declined { because },
            (None, None) => Self::NotAsked,
        }
    }

    /// Takes in an act at its time.
    pub fn apply(&mut self, at: &str, step: SecondStep) {
        *self = match step {
            SecondStep::Named { person, because, .. } => {
                Self::Named { person, since: at.to_owned(), without_agreement: because }
            }
            SecondStep::Declined { because, .. } => Self::Declined { because },
        };
    }

    /// Id of the second reviewer.
    pub fn person(&self) -> Option<&str> {
        match self {
            Self::Named { person, .. } => Some(person),
            Self::NotAsked | Self::Intended { .. } | Self::Declined { .. } => None,
        }
    }

    /// What every report says about it; none where there is a second reviewer and nothing to tell.
    pub fn sentence(&self, roster: &Roster, on: Date) -> Option<String> {
        let follows = "Decisions, leave dates, tables and exports rest on one person’s word.";
        Some(match self {
            Self::NotAsked => format!(
                "There is no second reviewer, and nobody has declined one. {follows} Name one: ntk-collector reviewer second PERSON --by WHO."
            ),
            Self::Intended { name } => format!(
                "{} was to be the second reviewer when the practice was set up, and is not yet. {follows} Next: ntk-collector reviewer second PERSON --by WHO.",
                shown(name)
            ),
            Self::Declined { because } => {
                format!("The practice does without a second reviewer (“{}”). {follows}", shown(because))
            }
            Self::Named { person, without_agreement, .. } => match (roster.person(person), without_agreement)
            {
                (None, _) => format!(
                    "The second reviewer `{person}` is no longer in the roster: nothing can be co-signed until another one is named."
                ),
                (Some(who), _) if roster.leave_of(person).is_some_and(|leave| leave <= on) => format!(
                    "The second reviewer, {}, has left: nothing can be co-signed until another one is named.",
                    who.name
                ),
                (Some(who), Some(because)) => format!(
                    "{} became second reviewer without the agreement of the one before (“{}”).",
                    who.name,
                    shown(because)
                ),
                (Some(_), None) => return None,
            },
        })
    }
}

/// A typed text in one line, with what would turn a line round made visible.
pub fn shown(text: &str) -> String {
    let seen = |c: char| if is_hidden(c) { '\u{fffd}' } else { c };
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().map(seen).collect()
}

/// Control characters, and those that override the direction of a text.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Who may not decide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is about {about}, who approves here: only the second reviewer, `{second}`, decides it")]
pub struct OnlySecond {
    about: String,
    second: String,
}

/// Whether a person may decide about others. That nobody decides about themselves is said elsewhere (ST-2).
pub fn may_decide<'p>(
    by: &str,
    about: impl IntoIterator<Item = &'p str>,
    standing: &Standing,
    roster: &Roster,
    terms: &TicketTerms,
) -> Result<(), OnlySecond> {
    let Some(second) = standing.person() else { return Ok(()) };
    // INVARIANT SR-1: who approves is judged by nobody whom they could approve something for.
    let is_managers =
        |id: &&str| *id != second && roster.person(id).is_some_and(|person| is_approver(person, terms));
    match about.into_iter().find(is_managers) {
        Some(about) if by != second => {
            let about = roster.person(about).map_or_else(|| about.to_owned(), |person| person.name.clone());
            Err(OnlySecond { about, second: second.to_owned() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
