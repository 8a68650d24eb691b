//! What people say and decide about a finding, and what comes to light later: each a step, each an act.
//!
//! # Invariants
//! - ST-1: a step is never changed or removed; deciding again is another step. The state of a finding is what
//!   its steps amount to ([`state`]), and no decision of [`crate::need_to_know`] depends on it.
//! - ST-2: nobody decides about themselves or their own firm ([`check`]).
//! - ST-3: an explanation holds for one person and one asset, for a limited time, and for nothing that the
//!   table calls never, was done under break-glass, or is more unusual than what was explained
//!   ([`covered_by`]): nobody can train the system.

mod check;
mod explanation;
mod given;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use check::is_about;
pub use check::{StepFault, TEXT_MAX, UNTIL_DAYS_MAX, check};
pub use explanation::{Explanation, covered_by, explanations, late_ticket};
pub use given::{Confirmed, Given, How};

use super::Finding;
use crate::need_to_know::moment;

/// One step, as it stands in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAct {
    /// Id of the incident or finding that it was said about.
    pub id: String,
    /// Ids of the findings to which it applies: those of the incident at that time.
    #[serde(default)]
    pub findings: Vec<String>,
    /// How many accesses each of them counted at that time: what was decided is this much, and no more.
    #[serde(default)]
    pub seen: BTreeMap<String, u64>,
    /// Person or account that these findings are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What was said.
    #[serde(flatten)]
    pub step: Step,
}

impl StepAct {
    /// From the body of an act; none where it is not one that this version knows.
    pub fn of_body(body: &Value) -> Option<Self> {
        serde_json::from_value(body.clone()).ok()
    }

    /// The findings to which it applies; at least the one that it names.
    pub fn applies_to(&self) -> Vec<&str> {
        if self.findings.is_empty() {
            vec![&self.id]
        } else {
            self.findings.iter().map(String::as_str).collect()
        }
    }
}

/// What was said, decided or has come to light.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// A question was put to the person.
    Asked {
        /// The question.
        question: String,
        /// Id of the person who asks.
        by: String,
        /// How it was made sure that it is them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<String>,
    },
    /// An answer was given.
    Answered {
        /// The answer.
        answer: String,
        /// Id of the person who says it, or who typed it in from paper.
        by: String,
        /// How it was made sure that it is them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<String>,
        /// Which way it came, where it was not typed in by the person themselves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        given: Option<Given>,
    },
    /// It was decided.
    Decided {
        /// What.
        decision: Choice,
        /// Why.
        because: String,
        /// Until when it explains the same of the same person, too.
        #[serde(default, with = "moment::option", skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Id of the person who decides.
        by: String,
        /// How it was made sure that it is them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<String>,
    },
    /// A ticket that was approved afterwards would have covered it.
    LateTicket {
        /// Number of the ticket.
        ticket: String,
    },
    /// Another person has taken note of the break-glass.
    Acknowledged {
        /// Number of the break-glass.
        break_glass: String,
        /// Id of that person.
        by: String,
    },
}

/// What can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// It was expected.
    Expected,
    /// Somebody else has to look into it.
    Escalated,
    /// It is undecided again.
    Open,
}

/// A step with where and when it stands in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Number of the act in the collector's log.
    pub number: u64,
    /// When, by the collector's clock.
    #[serde(with = "moment")]
    pub at: Timestamp,
    /// How many accesses the finding counted then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// The step.
    #[serde(flatten)]
    pub step: Step,
}

/// How far a finding is, least settled first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// Nobody has said anything, or it was opened again.
    #[default]
    Open,
    /// The person was asked.
    Asked,
    /// There is an answer; somebody has to judge it.
    Answered,
    /// Somebody else looks into it.
    Escalated,
    /// Decided: it was expected.
    Expected,
}

impl FindingState {
    /// Whether somebody still has to decide.
    pub fn is_undecided(self) -> bool {
        matches!(self, Self::Open | Self::Asked | Self::Answered)
    }

    /// In a word or two.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Asked => "asked, no answer yet",
            Self::Answered => "answered, to be judged",
            Self::Escalated => "escalated",
            Self::Expected => "expected",
        }
    }
}

/// What the steps of a finding amount to. A question after a decision does not undo it, another decision does;
/// and what was expected is open again once more was counted than whoever decided saw.
pub fn state(finding: &Finding, steps: &[StepRecord]) -> FindingState {
    steps.iter().fold(FindingState::Open, |state, record| match (&record.step, state) {
        (Step::Decided { decision: Choice::Open, .. }, _) => FindingState::Open,
        (Step::Decided { decision: Choice::Expected, .. }, _) => {
            let has_grown = record.seen.is_some_and(|seen| finding.n_accesses > seen);
            if has_grown { FindingState::Open } else { FindingState::Expected }
        }
        (Step::Decided { decision: Choice::Escalated, .. }, _) => FindingState::Escalated,
        (_, FindingState::Expected | FindingState::Escalated) => state,
        (Step::Asked { .. }, _) => FindingState::Asked,
        (Step::Answered { .. }, _) => FindingState::Answered,
        (Step::LateTicket { .. } | Step::Acknowledged { .. }, _) => state,
    })
}

/// How far a finding is, with the explanation that covers it. What somebody has asked or decided about it
/// stands for itself: that is covered by nothing.
pub fn standing<'e>(
    finding: &Finding,
    steps: &[StepRecord],
    explanations: &'e [Explanation],
) -> (FindingState, Option<&'e Explanation>) {
    let is_said = |record: &StepRecord| {
        matches!(record.step, Step::Asked { .. } | Step::Answered { .. } | Step::Decided { .. })
    };
    if steps.iter().any(is_said) {
        return (state(finding, steps), None);
    }
    match covered_by(finding, explanations) {
        Some(explanation) => (FindingState::Expected, Some(explanation)),
        None => (FindingState::Open, None),
    }
}

#[cfg(test)]
mod tests;
