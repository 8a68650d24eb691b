//! RFC 3161 time-stamps of the log: what the acts say about them, and when which checkpoint is to be stamped next.
//!
//! An authority outside signs that it saw a hash at its own time. The hash is that of the newest checkpoint's note; the
//! answer becomes an act, verbatim, and with that a leaf of the log. So a leaf lies between the time in an answer that
//! stands before it and the time of the first stamp whose checkpoint holds it, whatever the collector's clock says.
//!
//! [`next`] is pure: acts, the log's size, attempts so far and the time go in. [`ask`] does what it says over HTTP.
//! Whether the authority's own signature holds is for openssl and the authority's certificate, not for this program.

pub mod ask;
pub mod authority;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ntk_evidence::hash::Hash;
use ntk_evidence::time::Moment;
use ntk_evidence::time_stamp::{TimeStamp, TimeStampError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many requests that were written into files may still be answered.
const ASKED_MAX: usize = 16;
/// The first wait after a failure, seconds; it doubles with each more.
const WAIT_SECONDS_MIN: i64 = 60;
/// Without a time-stamp for so long, the act that says so is written.
pub const FAILING_SECONDS: i64 = 86_400;

/// Body of `act_time_stamp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum TimeStampAct {
    /// An authority stamped a checkpoint.
    Stamped(StampedAct),
    /// A request was written into a file, for somebody to take to an authority.
    Asked(Asked),
    /// There was none for longer than a day.
    Failing {
        /// Time of the last one, or of the first attempt.
        since: String,
        /// Why the last attempt failed.
        reason: String,
    },
}

/// A time-stamp as it is kept: request and response verbatim, and what the response says, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StampedAct {
    /// Size of the log.
    pub size: u64,
    /// The checkpoint note, whose SHA-256 is the imprint.
    pub note: String,
    /// The request, DER in base64.
    pub request: String,
    /// The response, DER in base64.
    pub response: String,
    /// The authority's time, RFC 3339.
    pub time: String,
    /// The authority's name as the response has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Its number for it, hex.
    pub serial: String,
    /// Its policy, dotted.
    pub policy: String,
}

impl StampedAct {
    /// The response, DER.
    pub fn response_der(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.response).ok()
    }

    /// The request, DER.
    pub fn request_der(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.request).ok()
    }

    /// The authority's time.
    pub fn moment(&self) -> Option<Moment> {
        Moment::parse(&self.time)
    }
}

/// A request that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Size of the log.
    pub size: u64,
    /// The checkpoint note.
    pub note: String,
    /// The request's nonce, 16 hex digits.
    pub nonce: String,
}

impl Asked {
    /// For a checkpoint note of this size.
    pub fn new(size: u64, note: &[u8], nonce: &[u8; 8]) -> Self {
        Self { size, note: String::from_utf8_lossy(note).into_owned(), nonce: ntk_evidence::hash::hex(nonce) }
    }

    fn nonce(&self) -> Option<[u8; 8]> {
        ntk_evidence::hash::unhex(&self.nonce)?.try_into().ok()
    }

    /// The request, DER: none for a nonce that is none.
    pub fn query(&self) -> Option<Vec<u8>> {
        Some(ntk_evidence::time_stamp::request(&Hash::of(self.note.as_bytes()), &self.nonce()?))
    }

    /// The act for a response that was granted over this checkpoint in answer to this request.
    pub fn answered(&self, response: &[u8]) -> Result<StampedAct, TimeStampError> {
        const FORM: TimeStampError = TimeStampError::Form("the request in the ledger has no nonce");
        let (nonce, query) = (self.nonce().ok_or(FORM)?, self.query().ok_or(FORM)?);
        let stamp = TimeStamp::parse(response)?;
        stamp.answers(&Hash::of(self.note.as_bytes()), &nonce)?;
        Ok(StampedAct {
            size: self.size,
            note: self.note.clone(),
            request: STANDARD.encode(query),
            response: STANDARD.encode(response),
            time: stamp.time.to_rfc3339(0),
            authority: stamp.authority,
            serial: stamp.serial,
            policy: stamp.policy,
        })
    }
}

/// The newest time-stamp, as far as states carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// Size of the log that it speaks of.
    pub size: u64,
    /// The authority's time, RFC 3339.
    pub time: String,
    /// The authority's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// When the collector recorded it by its own clock, RFC 3339.
    pub recorded: String,
}

/// What the acts say about time-stamps so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamps {
    /// The one over the largest log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
    /// Requests in files that may still be answered, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
    /// Whether an act said that there was none for long, and none came since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_failing: bool,
}

impl Stamps {
    /// Whether no act spoke of time-stamps yet.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in the body of an act, recorded at `time`.
    pub fn apply(&mut self, body: &Value, time: &str) {
        match serde_json::from_value(body.clone()) {
            Ok(TimeStampAct::Stamped(act)) => {
                self.is_failing = false;
                self.asked.retain(|asked| asked.note != act.note);
                // One that was fetched by hand may come late: the larger log is the newer one.
                if self.newest.as_ref().is_none_or(|newest| newest.size <= act.size) {
                    let recorded = time.to_owned();
                    self.newest =
                        Some(Newest { size: act.size, time: act.time, authority: act.authority, recorded });
                }
            }
            Ok(TimeStampAct::Asked(asked)) => {
                self.asked.push(asked);
                let more = self.asked.len().saturating_sub(ASKED_MAX);
                self.asked.drain(..more);
            }
            Ok(TimeStampAct::Failing { .. }) => self.is_failing = true,
            Err(_) => {}
        }
    }

    /// Finds the request that a response answers: the act to write, else what is wrong with it.
    pub fn add(&self, response: &[u8]) -> Result<StampedAct, TimeStampError> {
        let mut wrong = TimeStampError::OtherRequest;
        for asked in self.asked.iter().rev() {
            match asked.answered(response) {
                Ok(act) => return Ok(act),
                // Of several requests, the one over the same checkpoint says the most about what is wrong.
                Err(TimeStampError::OtherText) => {}
                Err(error) => wrong = error,
            }
        }
        TimeStamp::parse(response)?;
        Err(wrong)
    }
}

/// What became of asking since the collector's start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attempts {
    /// How many failed.
    pub failed: u64,
    /// How many of them one after the other, up to now.
    pub in_a_row: u32,
    /// When the first of those was made.
    #[serde(skip)]
    pub failing_since: Option<Moment>,
    /// When the last one was made.
    #[serde(skip)]
    pub last: Option<Moment>,
    /// Why the last one failed; absent where it did not.
    pub reason: Option<String>,
}

impl Attempts {
    /// One was made, and failed for this reason or did not.
    pub fn ended(&mut self, at: Moment, reason: Option<String>) {
        self.last = Some(at);
        if reason.is_some() {
            self.failed = self.failed.saturating_add(1);
            self.in_a_row = self.in_a_row.saturating_add(1);
            self.failing_since.get_or_insert(at);
        } else {
            (self.in_a_row, self.failing_since) = (0, None);
        }
        self.reason = reason;
    }

    /// So long nobody is asked after the last failure, seconds.
    fn wait(&self, every_seconds: i64) -> i64 {
        let doubled = 1i64.checked_shl(self.in_a_row.saturating_sub(1).min(20)).unwrap_or(i64::MAX);
        WAIT_SECONDS_MIN.saturating_mul(doubled).min(every_seconds)
    }
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing yet.
    Wait,
    /// Ask for the newest checkpoint.
    Ask,
    /// Write the act that there was none for long.
    Tell {
        /// Since when.
        since: String,
        /// Why the last attempt failed.
        reason: String,
    },
}

/// What is to be done for a log of this size, now.
///
/// A clock that was set back makes a stamp due, never late: nothing waits for a time that may come again.
pub fn next(every_seconds: i64, stamps: &Stamps, attempts: &Attempts, size: u64, now: Moment) -> Next {
    let is_within = |since: Moment, seconds: i64| since <= now && now < since.plus_seconds(seconds);
    let recorded = stamps.newest.as_ref().and_then(|newest| Moment::parse(&newest.recorded));
    if let (Some(since), Some(reason), false) = (attempts.failing_since, &attempts.reason, stamps.is_failing)
    {
        // After a start the attempts are few, but the ledger knows how long there was none.
        let since = recorded.filter(|recorded| *recorded < since).unwrap_or(since);
        if !is_within(since, FAILING_SECONDS) && since <= now {
            return Next::Tell { since: since.to_rfc3339(0), reason: reason.clone() };
        }
    }
    let is_waiting = attempts.in_a_row > 0
        && attempts.last.is_some_and(|last| is_within(last, attempts.wait(every_seconds)));
    // The act about a time-stamp is the one leaf that it brings itself.
    let has_news = stamps.newest.as_ref().is_none_or(|newest| newest.size.saturating_add(1) < size);
    if size == 0 || !has_news || is_waiting || recorded.is_some_and(|at| is_within(at, every_seconds)) {
        Next::Wait
    } else {
        Next::Ask
    }
}

/// Between which times of the authority something came into the log, for people.
pub fn in_words(not_before: Option<Moment>, not_after: Option<Moment>) -> String {
    let text = |moment: Moment| moment.to_rfc3339(0);
    match (not_before.map(text), not_after.map(text)) {
        (Some(from), Some(to)) => {
            format!("Received between {from} and {to}, by the clock of the time-stamping authority.")
        }
        (None, Some(to)) => {
            format!(
                "Received by {to}, by the clock of the time-stamping authority; no time-stamp says since when."
            )
        }
        (Some(from), None) => {
            format!(
                "Received after {from}, by the clock of the time-stamping authority; no later time-stamp holds it yet."
            )
        }
        (None, None) => "No time-stamp says when it was received: that is the collector's word.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
