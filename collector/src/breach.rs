//! Breach assessments: whether protected information was compromised, and by when people have to be told.
//!
//! Pure. The rules are those of the United States: the four factors of 45 CFR 164.402(2); notice to individuals
//! without unreasonable delay and in no case later than 60 calendar days after discovery, 164.404(b); notice to the
//! Secretary at the same time where 500 or more people are concerned, otherwise within 60 days of the end of the
//! calendar year of the discovery, 164.408; notice to the media where more than 500 residents of one State are
//! concerned, 164.406. Days are counted on the practice's own calendar.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::text::count;

/// Calendar days after discovery within which individuals are told (45 CFR 164.404(b)).
pub const DAYS: i64 = 60;
/// From so many people on the Secretary is told at the same time (45 CFR 164.408(b)).
pub const LARGE_FROM: u64 = 500;
/// How long a text may be, characters.
pub const TEXT_MAX: usize = 4000;
/// Notes of one assessment that are kept in mind; all stand in the ledger.
const NOTES_MAX: usize = 200;
/// How many assessments are kept in mind.
const ALL_MAX: usize = 500;

/// One of the factors of 45 CFR 164.402(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// (i): which information, which identifiers, how likely people can be recognised.
    Information,
    /// (ii): who used it, or to whom it was disclosed.
    Recipient,
    /// (iii): whether it was actually acquired or viewed.
    Viewed,
    /// (iv): how far the risk was made smaller.
    Mitigated,
}

impl Factor {
    /// All four, in the order of the rule.
    pub const ALL: [Self; 4] = [Self::Information, Self::Recipient, Self::Viewed, Self::Mitigated];

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|factor| factor.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Recipient => "recipient",
            Self::Viewed => "viewed",
            Self::Mitigated => "mitigated",
        }
    }

    /// The question that it asks.
    pub const fn question(self) -> &'static str {
        match self {
            Self::Information => {
                "Which protected information is it, which identifiers are in it, and how likely can people be recognised by it?"
            }
            Self::Recipient => "Who used it, or to whom was it disclosed?",
            Self::Viewed => "Was it actually acquired or viewed?",
            Self::Mitigated => "How far was the risk to it made smaller?",
        }
    }
}

/// What a factor says about the risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Leaning {
    /// It speaks for a low probability that the information was compromised.
    Low,
    /// It speaks against it.
    High,
    /// It is not known.
    Unknown,
}

/// How an assessment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The four factors show a low probability that the information was compromised: no notice.
    LowProbability,
    /// One of the exceptions of 164.402(1) applies, or no unsecured protected information was concerned.
    NoBreach,
    /// It was a breach; who had to be told was told.
    Notified,
}

impl Outcome {
    /// In words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::LowProbability => "a low probability that the information was compromised",
            Self::NoBreach => "nothing that has to be told under 45 CFR 164.404",
            Self::Notified => "those concerned were told",
        }
    }
}

/// Body of `act_breach`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum BreachStep {
    /// An assessment begins.
    Started {
        /// `A-1`.
        id: String,
        /// Id of the incident that it is about.
        finding: String,
        /// Person or account that the incident is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<String>,
        /// First day on which it was known, or would have been with reasonable care (164.404(a)(2)).
        #[serde(with = "day")]
        discovered: Date,
        /// Why it begins.
        because: String,
    },
    /// Something is noted.
    Noted {
        /// Which.
        id: String,
        /// A factor, with what it says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        factor: Option<Factor>,
        /// What the factor says about the risk.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leaning: Option<Leaning>,
        /// How many people are concerned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        people: Option<u64>,
        /// What is noted.
        text: String,
    },
    /// It ends.
    Closed {
        /// Which.
        id: String,
        /// With what.
        outcome: Outcome,
        /// Why.
        because: String,
    },
}

/// A date as text.
mod day {
    use jiff::civil::Date;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(day: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(day)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A step with who took it and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When, RFC 3339.
    pub at: String,
    /// Id of the person.
    pub by: String,
    /// The step.
    #[serde(flatten)]
    pub step: BreachStep,
}

/// One assessment as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// `A-1`.
    pub id: String,
    /// Id of the incident.
    pub finding: String,
    /// Person or account that the incident is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The day of discovery.
    #[serde(with = "day")]
    pub discovered: Date,
    /// How many people are concerned, as noted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<u64>,
    /// The last word on each factor.
    pub factors: BTreeMap<Factor, FactorNote>,
    /// Everything, in order.
    pub notes: Vec<Note>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What was noted on a factor last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactorNote {
    /// What it says about the risk.
    pub leaning: Leaning,
    /// Why.
    pub text: String,
}

impl Assessment {
    /// The last day on which individuals are told in time (164.404(b)).
    pub fn due(&self) -> Option<Date> {
        self.discovered.checked_add(DAYS.days()).ok()
    }

    /// The last day on which the Secretary is told in time (164.408), as far as it is known how many are concerned.
    pub fn secretary_due(&self) -> Option<Date> {
        if self.people? >= LARGE_FROM {
            return self.due();
        }
        let end_of_year = date(self.discovered.year(), 12, 31);
        end_of_year.checked_add(DAYS.days()).ok()
    }

    /// Calendar days left until individuals have to be told; negative once that is past.
    pub fn days_left(&self, today: Date) -> Option<i64> {
        let span = today.until(self.due()?).ok()?;
        Some(i64::from(span.get_days()))
    }

    /// The factors on which nothing is noted.
    pub fn open_factors(&self) -> impl Iterator<Item = Factor> {
        Factor::ALL.into_iter().filter(|factor| !self.factors.contains_key(factor))
    }

    /// What the weekly review says while it is open.
    pub fn sentence(&self, today: Date) -> String {
        let left = match (self.days_left(today), self.due()) {
            (Some(0), Some(due)) => {
                format!("today, {due}, is the last day on which those concerned are told in time")
            }
            (Some(left @ 1..), Some(due)) => {
                format!("{} left, until {due}", count(left.unsigned_abs(), "day", "days"))
            }
            (Some(left), Some(due)) => {
                format!("PAST by {}, it was {due}", count(left.unsigned_abs(), "day", "days"))
            }
            _ => "the last day cannot be reckoned".to_owned(),
        };
        let people = match self.people {
            None => "how many people are concerned is not known yet".to_owned(),
            Some(n) if n >= LARGE_FROM => format!(
                "{} concerned: the Secretary is told at the same time, and the media where more than 500 live in one State",
                count(n, "person", "people")
            ),
            Some(n) => {
                let by = self.secretary_due().map(|day| format!(" by {day}")).unwrap_or_default();
                format!("{} concerned: the Secretary is told{by}", count(n, "person", "people"))
            }
        };
        format!(
            "Assessment {} under 45 CFR 164.402 (finding {}, discovered {}): {left}; {} of 4 factors noted; {people}.",
            self.id,
            self.finding,
            self.discovered,
            self.factors.len()
        )
    }
}

/// Why a step is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BreachFault {
    /// No such number.
    #[error("there is no breach assessment `{0}`; see `ntk-collector breach list`")]
    Unknown(String),
    /// It is over.
    #[error("the assessment `{0}` is closed; begin another one where more comes to light")]
    Closed(String),
    /// There is one about this incident.
    #[error("`{0}` is about this finding and still open; note what is new there")]
    Again(String),
    /// The discovery lies ahead.
    #[error("`--discovered {0}` is yet to come")]
    Ahead(Date),
    /// Before the first access.
    #[error("`--discovered {0}` is before the first access of this finding, {1}")]
    TooEarly(Date, Date),
    /// A text.
    #[error("`{what}` has {length} characters; write 1 to {TEXT_MAX}")]
    Length {
        /// Which.
        what: &'static str,
        /// How long it is.
        length: usize,
    },
    /// A factor without what it says, or the other way round.
    #[error("a factor comes with what it says, `--says low|high|unknown`, and the other way round")]
    Half,
    /// The factors are not all there.
    #[error("a low probability is shown by all four factors of 45 CFR 164.402(2); nothing is noted on: {0}")]
    FactorsMissing(String),
    /// Nobody knows how many.
    #[error("note first how many people are concerned: --people N")]
    PeopleMissing,
}

/// Every assessment, as the acts so far say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaches(BTreeMap<String, Assessment>);

impl Breaches {
    /// Takes in an act at its time.
    pub fn apply(&mut self, at: &str, by: &str, step: BreachStep) {
        let note = Note { at: at.to_owned(), by: by.to_owned(), step: step.clone() };
        match step {
            BreachStep::Started { id, finding, about, discovered, .. } => {
                if self.0.len() < ALL_MAX {
                    let (factors, notes) = (BTreeMap::new(), vec![note]);
                    let begun = Assessment {
                        id: id.clone(),
                        finding,
                        about,
                        discovered,
                        people: None,
                        factors,
                        notes,
                        outcome: None,
                    };
                    // An id is given once: a second act of it moves no day of discovery.
                    self.0.entry(id).or_insert(begun);
                }
            }
            BreachStep::Noted { id, factor, leaning, people, text } => {
                let Some(open) = self.0.get_mut(&id).filter(|one| one.outcome.is_none()) else { return };
                if let (Some(factor), Some(leaning)) = (factor, leaning) {
                    open.factors.insert(factor, FactorNote { leaning, text });
                }
                open.people = people.or(open.people);
                if open.notes.len() < NOTES_MAX {
                    open.notes.push(note);
                }
            }
            BreachStep::Closed { id, outcome, .. } => {
                let Some(open) = self.0.get_mut(&id).filter(|one| one.outcome.is_none()) else { return };
                open.outcome = Some(outcome);
                open.notes.push(note);
            }
        }
    }

    /// Looks at a step before it becomes an act. `first_access` is the day of the finding's first one.
    pub fn check(
        &self,
        step: &BreachStep,
        today: Date,
        first_access: Option<Date>,
    ) -> Result<(), BreachFault> {
        let length = |what: &'static str, text: &str| {
            let length = text.trim().chars().count();
            if (1..=TEXT_MAX).contains(&length) { Ok(()) } else { Err(BreachFault::Length { what, length }) }
        };
        match step {
            BreachStep::Started { finding, discovered, because, .. } => {
                length("--because", because)?;
                if *discovered > today {
                    return Err(BreachFault::Ahead(*discovered));
                }
                if let Some(first) = first_access.filter(|first| discovered < first) {
                    return Err(BreachFault::TooEarly(*discovered, first));
                }
                let again = self.open().find(|open| open.finding == *finding);
                again.map_or(Ok(()), |open| Err(BreachFault::Again(open.id.clone())))
            }
            BreachStep::Noted { id, factor, leaning, text, .. } => {
                self.find_open(id)?;
                length("--text", text)?;
                if factor.is_some() == leaning.is_some() { Ok(()) } else { Err(BreachFault::Half) }
            }
            BreachStep::Closed { id, outcome, because } => {
                let open = self.find_open(id)?;
                length("--because", because)?;
                let missing: Vec<&str> = open.open_factors().map(Factor::name).collect();
                match outcome {
                    Outcome::LowProbability if !missing.is_empty() => {
                        Err(BreachFault::FactorsMissing(missing.join(", ")))
                    }
                    Outcome::Notified if open.people.is_none() => Err(BreachFault::PeopleMissing),
                    Outcome::LowProbability | Outcome::NoBreach | Outcome::Notified => Ok(()),
                }
            }
        }
    }

    fn find_open(&self, id: &str) -> Result<&Assessment, BreachFault> {
        let found = self.get(id).ok_or_else(|| BreachFault::Unknown(id.to_owned()))?;
        if found.outcome.is_some() { Err(BreachFault::Closed(id.to_owned())) } else { Ok(found) }
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Option<&Assessment> {
        self.0.get(id)
    }

    /// All of them, by number.
    pub fn all(&self) -> Vec<&Assessment> {
        let mut all: Vec<&Assessment> = self.0.values().collect();
        all.sort_by_key(|one| (one.id.len(), one.id.as_str()));
        all
    }

    /// Those that are open.
    pub fn open(&self) -> impl Iterator<Item = &Assessment> {
        self.all().into_iter().filter(|one| one.outcome.is_none())
    }

    /// The id of the next one.
    pub fn next_id(&self) -> String {
        format!("A-{}", self.0.len().saturating_add(1))
    }
}

#[cfg(test)]
mod tests;
