//! What a decision says; it can be kept, shown, and compared with a replay.

use serde::{Deserialize, Serialize};

use crate::policy::{Area, Policy};
use crate::roster::Roster;

/// Outcome of one access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// A sentence of the table, a ticket or a job explains it.
    Explained,
    /// Nothing explains it: a question to a person.
    Unexplained,
    /// A sentence of the table says that this does not happen, whatever else matched.
    Never,
    /// Not an access, or one that this version cannot evaluate.
    NotJudged,
}

/// One sentence and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// `table:itadmin.managers_mailbox`, `job:ID`, `ticket:ID`, `left`, `unknown-account`, ...
    pub rule: String,
    /// For people.
    pub sentence: String,
}

impl Reason {
    /// A reason from its rule and sentence.
    pub fn new(rule: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { rule: rule.into(), sentence: sentence.into() }
    }
}

/// Who acted, as far as the record and the roster show.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Who {
    /// Id of the person who holds the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The account in words; absent when the record names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The holder in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// False where a name was only typed at a login that failed.
    pub is_verified: bool,
}

/// What was reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Asset {
    /// Column of the table.
    pub area: Area,
    /// Whose it is, as the watch list has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Id of the person whose it is, where the roster calls them otherwise: services name people by their addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// In words: `the manager’s mailbox`.
    pub label: String,
}

/// One decision, repeatable from the entry, the roster, the policy and the tickets (ND-2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The outcome.
    pub outcome: Judgement,
    /// The sentences that led to it.
    pub reasons: Vec<Reason>,
    /// What would have explained it, in words; empty unless unexplained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_explain: Vec<String>,
    /// Who; absent when not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// What; absent when not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<Asset>,
    /// Hash of the policy in force.
    pub policy_hash: String,
    /// Version of the roster in force.
    pub roster_version: String,
}

impl Decision {
    pub(super) fn not_judged(reason: Option<Reason>, roster: &Roster, policy: &Policy) -> Self {
        Self {
            outcome: Judgement::NotJudged,
            reasons: reason.into_iter().collect(),
            would_explain: Vec::new(),
            who: None,
            asset: None,
            policy_hash: policy.hash().to_owned(),
            roster_version: roster.version().to_owned(),
        }
    }

    /// Whether something explains the access.
    pub fn is_explained(&self) -> bool {
        self.outcome == Judgement::Explained
    }

    /// Whether the access is a question to a person.
    pub fn is_finding(&self) -> bool {
        matches!(self.outcome, Judgement::Unexplained | Judgement::Never)
    }

    /// What the engine could not evaluate: for the people who keep the system running.
    pub fn system_item(&self) -> Option<&Reason> {
        match self.outcome {
            Judgement::NotJudged => self.reasons.first(),
            Judgement::Explained | Judgement::Unexplained | Judgement::Never => None,
        }
    }
}
