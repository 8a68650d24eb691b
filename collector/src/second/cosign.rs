//! What waits for a second signature, and what became of it.
//!
//! A co-signature names the SHA-256 of the text that it signs: number, kind, the sentence that was read, and the
//! whole of what takes effect. A signature for another text, for another number or a second time changes nothing.
//!
//! What makes the record more careful does not wait: a leave date holds at once, because watching too much for a
//! week costs a few items and watching too little may cost the evidence. It is co-signed afterwards, or declined,
//! which withdraws it. What makes the record less careful waits: taking a leave date back, a roster that takes one
//! back, another table, an export. Where a table or an export cannot wait there is a way round, with a reason,
//! recorded and shown in the review.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use ntk_evidence::hash::Hash;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::need_to_know::moment;
use crate::roster::Roster;

/// How long a signature is waited for.
pub const WAITS: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many may wait at once.
pub const WAITING_MAX: usize = 20;
/// How many are remembered once they are over.
const OVER_MAX: usize = 100;

/// What is co-signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A leave date.
    Leave,
    /// A leave date is taken back.
    LeaveWithdrawn,
    /// A roster that takes leave dates back.
    Roster,
    /// A need-to-know table.
    Policy,
    /// An evidence bundle.
    Export,
}

/// What waits for a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// `C-1`.
    pub id: String,
    /// What kind of thing.
    pub what: What,
    /// What it does, in a sentence; signed with the rest.
    pub says: String,
    /// The whole of what takes effect.
    pub body: Value,
    /// SHA-256 of the text that is signed, hex.
    pub sha256: String,
    /// Why it took effect at once; absent where it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<String>,
    /// Id of the person who asks for it.
    pub by: String,
    /// How they showed who they are.
    pub proof: String,
    /// Until when a signature is waited for.
    #[serde(with = "moment")]
    pub expires: Timestamp,
}

impl Pending {
    /// The text that is signed: the same bytes as long as nothing in it changes.
    pub fn text(id: &str, what: What, says: &str, body: &Value) -> String {
        json!({"id": id, "what": what, "says": says, "body": body}).to_string()
    }

    /// The hash of the text, made again from what stands here.
    pub fn hash(&self) -> String {
        Hash::of(Self::text(&self.id, self.what, &self.says, &self.body).as_bytes()).to_hex()
    }
}

/// Body of `act_cosign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum CosignStep {
    /// A signature is asked for.
    Asked(Pending),
    /// It was given.
    Signed {
        /// Which.
        id: String,
        /// SHA-256 of the text that was signed, hex.
        sha256: String,
        /// Id of the person who signs.
        by: String,
    },
    /// It was refused.
    Declined {
        /// Which.
        id: String,
        /// Why.
        because: String,
        /// Id of the person who refuses.
        by: String,
    },
}

/// How a question for a signature ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outcome {
    /// Signed.
    Signed {
        /// By whom.
        by: String,
    },
    /// Signed, and the one thing that it allowed was done.
    Used,
    /// Refused.
    Declined {
        /// By whom.
        by: String,
        /// Why.
        because: String,
    },
    /// Nobody signed in time.
    Lapsed,
}

/// One that is over: what it was, without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// `C-1`.
    pub id: String,
    /// What kind of thing.
    pub what: What,
    /// What it does, in a sentence.
    pub says: String,
    /// SHA-256 of the text, hex.
    pub sha256: String,
    /// SHA-256 of the body alone, hex: what an export is compared with.
    pub body_sha256: String,
    /// Why it took effect at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<String>,
    /// Who asked for it.
    pub by: String,
    /// When it was over.
    pub at: String,
    /// How.
    pub outcome: Outcome,
}

/// Why a signature is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignFault {
    /// No such number.
    #[error("nothing with the number `{0}` waits for a signature; see `ntk-collector cosign list`")]
    Unknown(String),
    /// Nobody has signed yet.
    #[error("`{0}` is not signed yet; see `ntk-collector cosign list`")]
    NotYet(String),
    /// It is over.
    #[error(
        "`{0}` is over: it was signed, declined, or nobody signed in time; see `ntk-collector cosign list`"
    )]
    Over(String),
    /// Another text.
    #[error(
        "the signature is for another text than the one of `{0}`; look at it again: ntk-collector cosign show {0}"
    )]
    OtherText(String),
    /// The same person.
    #[error("`{0}` asked for this; somebody else signs it")]
    Same(String),
    /// Not the one who signs.
    #[error("`{by}` does not co-sign this; {who} does")]
    NotTheOne {
        /// Who tried.
        by: String,
        /// Who does.
        who: String,
    },
}

/// Everything that waits for a signature or has waited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cosigns {
    n_asked: u64,
    waiting: BTreeMap<String, Pending>,
    over: VecDeque<Over>,
}

impl Cosigns {
    /// Takes in an act at its time.
    pub fn apply(&mut self, at: &str, step: CosignStep) {
        match step {
            CosignStep::Asked(pending) => {
                self.n_asked = self.n_asked.saturating_add(1);
                self.forget_lapsed(at);
                let is_known = self.waiting.contains_key(&pending.id) || self.over(&pending.id).is_some();
                if !is_known && self.waiting.len() < WAITING_MAX && pending.hash() == pending.sha256 {
                    self.waiting.insert(pending.id.clone(), pending);
                }
            }
            CosignStep::Signed { id, sha256, by } => {
                // INVARIANT SR-2: a signature for another text is none for this one.
                let is_this = self.waiting.get(&id).is_some_and(|waiting| {
                    waiting.sha256 == sha256 && waiting.by != by && is_before(at, waiting.expires)
                });
                if is_this {
                    self.end(&id, at, Outcome::Signed { by });
                }
            }
            CosignStep::Declined { id, because, by } => {
                self.end(&id, at, Outcome::Declined { by, because });
            }
        }
    }

    /// What a signature allowed once was done.
    pub fn used(&mut self, id: &str) {
        if let Some(over) = self.over.iter_mut().find(|over| over.id == id)
            && matches!(over.outcome, Outcome::Signed { .. })
        {
            over.outcome = Outcome::Used;
        }
    }

    fn forget_lapsed(&mut self, at: &str) {
        let lapsed: Vec<String> = self
            .waiting
            .values()
            .filter(|waiting| !is_before(at, waiting.expires))
            .map(|waiting| waiting.id.clone())
            .collect();
        lapsed.iter().for_each(|id| self.end(id, at, Outcome::Lapsed));
    }

    fn end(&mut self, id: &str, at: &str, outcome: Outcome) {
        let Some(was) = self.waiting.remove(id) else { return };
        self.over.push_back(Over {
            body_sha256: body_sha256(&was.body),
            id: was.id,
            what: was.what,
            says: was.says,
            sha256: was.sha256,
            at_once: was.at_once,
            by: was.by,
            at: at.to_owned(),
            outcome,
        });
        while self.over.len() > OVER_MAX {
            self.over.pop_front();
        }
    }

    /// What waits at a moment.
    pub fn waiting(&self, now: Timestamp) -> impl Iterator<Item = &Pending> {
        self.waiting.values().filter(move |waiting| waiting.expires > now)
    }

    /// What nobody signed in time, and no act has said so yet.
    pub fn lapsed(&self, now: Timestamp) -> impl Iterator<Item = &Pending> {
        self.waiting.values().filter(move |waiting| waiting.expires <= now)
    }

    /// What is over, newest first.
    pub fn all_over(&self) -> impl Iterator<Item = &Over> {
        self.over.iter().rev()
    }

    /// One that is over.
    pub fn over(&self, id: &str) -> Option<&Over> {
        self.over.iter().find(|over| over.id == id)
    }

    /// One that waits at a moment.
    pub fn find(&self, id: &str, now: Timestamp) -> Result<&Pending, CosignFault> {
        match self.waiting.get(id) {
            Some(waiting) if waiting.expires > now => Ok(waiting),
            Some(_) => Err(CosignFault::Over(id.to_owned())),
            None if self.over(id).is_some() => Err(CosignFault::Over(id.to_owned())),
            None => Err(CosignFault::Unknown(id.to_owned())),
        }
    }

    /// Whether this person may put their name under this text now. `others` says who else signs where the second
    /// reviewer asked.
    pub fn may_sign(
        &self,
        id: &str,
        sha256: &str,
        by: &str,
        second: &str,
        others: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<&Pending, CosignFault> {
        let waiting = self.find(id, now)?;
        if waiting.by == by {
            return Err(CosignFault::Same(by.to_owned()));
        }
        let not_the_one = |who: String| Err(CosignFault::NotTheOne { by: by.to_owned(), who });
        if waiting.by == second && !others(by) {
            return not_the_one("somebody who approves".to_owned());
        }
        if waiting.by != second && by != second {
            return not_the_one(format!("`{second}`, the second reviewer,"));
        }
        // INVARIANT SR-2: what is signed is what was read, and what was read is what stands in the ledger.
        if waiting.sha256 != sha256 || waiting.hash() != sha256 {
            return Err(CosignFault::OtherText(id.to_owned()));
        }
        Ok(waiting)
    }

    /// Whether an export was co-signed and not made yet.
    pub fn may_export(&self, id: &str, by: &str, body: &Value) -> Result<(), CosignFault> {
        if self.waiting.contains_key(id) {
            return Err(CosignFault::NotYet(id.to_owned()));
        }
        let over = self.over(id).ok_or_else(|| CosignFault::Unknown(id.to_owned()))?;
        if over.what != What::Export || over.by != by || over.body_sha256 != body_sha256(body) {
            return Err(CosignFault::OtherText(id.to_owned()));
        }
        match over.outcome {
            Outcome::Signed { .. } => Ok(()),
            Outcome::Used | Outcome::Declined { .. } | Outcome::Lapsed => {
                Err(CosignFault::Over(id.to_owned()))
            }
        }
    }

    /// Whether there is room for another one.
    pub fn has_room(&self, now: Timestamp) -> bool {
        self.waiting(now).count() < WAITING_MAX
    }

    /// The id of the next one.
    pub fn next_id(&self) -> String {
        format!("C-{}", self.n_asked.saturating_add(1))
    }
}

fn body_sha256(body: &Value) -> String {
    Hash::of(body.to_string().as_bytes()).to_hex()
}

fn is_before(at: &str, expires: Timestamp) -> bool {
    at.parse::<Timestamp>().is_ok_and(|at| at < expires)
}

/// What a new roster would loosen: leave dates that are gone or later, and a second reviewer who is gone. Empty where
/// it may come into force on one person's word.
pub fn loosens(before: &Roster, after: &Roster, second: &str) -> Vec<String> {
    let mut loose = Vec::new();
    for person in before.persons() {
        let Some(was) = before.leave_of(&person.id) else { continue };
        match (after.person(&person.id), after.leave_of(&person.id)) {
            (Some(_), None) => loose.push(format!("the leave date of {}, {was}, is gone", person.name)),
            (Some(_), Some(is)) if is > was => {
                loose.push(format!("the leave date of {} is {is} and no longer {was}", person.name));
            }
            (None, _) => loose.push(format!("{}, who leaves on {was}, is gone", person.name)),
            (Some(_), Some(_)) => {}
        }
    }
    if let (Some(was), None) = (before.person(second), after.person(second)) {
        loose.push(format!("the second reviewer, {}, is gone", was.name));
    }
    loose
}
