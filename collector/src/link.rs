//! One-time links and paper forms: how somebody without an account answers a question or acknowledges a notice.
//!
//! A token is 32 random bytes, shown once, as one segment of an address; the ledger keeps its SHA-256. A code is
//! short enough to be read out or printed, and handed over on another way than the link; the ledger keeps an
//! argon2id hash of it, because fifty bits alone could be tried out.
//!
//! # Invariants
//! - LK-1: an open link is used at most once: the first act that names it spends it, later ones change nothing.
//! - LK-2: a link that is spent, withdrawn or over opens nothing again, whatever acts come later.

mod secret;

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use secret::{Code, SecretError, Token};

use crate::need_to_know::moment;

/// How many links may be open at once.
pub const OPEN_MAX: usize = 300;
/// How many that are no longer open are remembered, so that whoever follows one is told why.
const SPENT_MAX: usize = 500;
/// Days for which a link holds where nothing else is said.
pub const DAYS: u16 = 7;
/// Days for which it holds at most.
pub const DAYS_MAX: u16 = 60;

/// What a link is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Purpose {
    /// To answer a question about a finding.
    Question {
        /// Id of the incident that the question was put about.
        finding: String,
        /// The question.
        question: String,
        /// What is recorded, in neutral words, as it was when the question was put.
        recorded: String,
        /// Id of the person who asks.
        asked_by: String,
    },
    /// To acknowledge a notice.
    Notice {
        /// Which.
        notice: String,
        /// Its version.
        version: String,
    },
}

/// A link or a form that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// `L-1`.
    pub id: String,
    /// Id of the person who is asked.
    pub to: String,
    /// What for.
    #[serde(flatten)]
    pub purpose: Purpose,
    /// SHA-256 of the token, hex; absent for a form on paper alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Hash of the code, as argon2 writes it; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Whether what comes by this link counts as confirmed only with the code: the person runs the practice's mail.
    #[serde(default)]
    pub needs_code: bool,
    /// Until when it holds.
    #[serde(with = "moment")]
    pub expires: Timestamp,
}

/// Body of `act_link`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum LinkStep {
    /// It was made.
    Made(Link),
    /// It was opened for the first time; by whom is not known.
    Opened {
        /// Which.
        id: String,
    },
    /// It was taken back.
    Withdrawn {
        /// Which.
        id: String,
    },
}

/// Why a link opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// Nobody made it, or so long ago that nothing is known of it.
    #[error(
        "There is no such link. Check that the whole address was copied, or ask the practice for a new one."
    )]
    Unknown,
    /// It was used.
    #[error(
        "This link was used already, and works once. What was sent with it is kept. Ask the practice for a new one if there is more to say."
    )]
    Used,
    /// It was taken back.
    #[error("The practice has taken this link back. Ask there what to do.")]
    Withdrawn,
    /// Its time is over.
    #[error("The time for this link is over. Nothing is taken from that; ask the practice for a new one.")]
    Expired,
}

/// A link that opens no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Spent {
    id: String,
    to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    why: Closed,
}

/// Every link, as the acts so far say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    n_made: u64,
    open: BTreeMap<String, Link>,
    opened: BTreeMap<String, String>,
    spent: VecDeque<Spent>,
}

impl Links {
    /// Takes in an act at its time.
    pub fn apply(&mut self, at: &str, step: LinkStep) {
        match step {
            LinkStep::Made(link) => {
                self.n_made = self.n_made.saturating_add(1);
                self.forget_expired(at.parse().ok());
                let is_known = self.open.contains_key(&link.id) || self.spent_of(&link.id).is_some();
                // INVARIANT LK-2: an id is given once; a second act of it revives nothing.
                if !is_known && self.open.len() < OPEN_MAX {
                    self.open.insert(link.id.clone(), link);
                }
            }
            LinkStep::Opened { id } => {
                if self.open.contains_key(&id) {
                    self.opened.entry(id).or_insert_with(|| at.to_owned());
                }
            }
            LinkStep::Withdrawn { id } => self.close(&id, Closed::Withdrawn),
        }
    }

    /// An act names this link as the way that it came: it is spent.
    pub fn used(&mut self, id: &str) {
        self.close(id, Closed::Used);
    }

    fn forget_expired(&mut self, now: Option<Timestamp>) {
        let Some(now) = now else { return };
        let over: Vec<String> =
            self.open.values().filter(|link| link.expires <= now).map(|link| link.id.clone()).collect();
        over.iter().for_each(|id| self.close(id, Closed::Expired));
    }

    fn close(&mut self, id: &str, why: Closed) {
        // INVARIANT LK-1: only what is open can be spent, and it is open no more.
        let Some(link) = self.open.remove(id) else { return };
        self.opened.remove(id);
        self.spent.push_back(Spent { id: link.id, to: link.to, sha256: link.sha256, why });
        while self.spent.len() > SPENT_MAX {
            self.spent.pop_front();
        }
    }

    fn spent_of(&self, id: &str) -> Option<&Spent> {
        self.spent.iter().find(|spent| spent.id == id)
    }

    /// The open link of a token at a moment.
    pub fn find(&self, token: &Token, now: Timestamp) -> Result<&Link, Closed> {
        let sha256 = token.sha256();
        let is_it = |have: &Option<String>| have.as_deref() == Some(sha256.as_str());
        match self.open.values().find(|link| is_it(&link.sha256)) {
            Some(link) if link.expires > now => Ok(link),
            Some(_) => Err(Closed::Expired),
            None => Err(self
                .spent
                .iter()
                .find(|spent| is_it(&spent.sha256))
                .map_or(Closed::Unknown, |spent| spent.why)),
        }
    }

    /// The open link or form of an id at a moment.
    pub fn open(&self, id: &str, now: Timestamp) -> Result<&Link, Closed> {
        match self.open.get(id) {
            Some(link) if link.expires > now => Ok(link),
            Some(_) => Err(Closed::Expired),
            None => Err(self.spent_of(id).map_or(Closed::Unknown, |spent| spent.why)),
        }
    }

    /// Those that are open at a moment, with when each was opened first.
    pub fn all_open(&self, now: Timestamp) -> impl Iterator<Item = (&Link, Option<&str>)> {
        self.open
            .values()
            .filter(move |link| link.expires > now)
            .map(|link| (link, self.opened.get(&link.id).map(String::as_str)))
    }

    /// Whether a link was opened before.
    pub fn was_opened(&self, id: &str) -> bool {
        self.opened.contains_key(id)
    }

    /// Whether there is room for another one.
    pub fn has_room(&self, now: Timestamp) -> bool {
        self.all_open(now).count() < OPEN_MAX
    }

    /// The id of the next one.
    pub fn next_id(&self) -> String {
        format!("L-{}", self.n_made.saturating_add(1))
    }
}

#[cfg(test)]
mod tests;
