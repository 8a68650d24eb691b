//! Which program each machine runs, against what the practice key announced.
//!
//! Announcements are acts with the signed text in them ([`ntk_evidence::program`]). Which of them counts is asked of the
//! practice key each time ([`Programs::in_force`]): an act alone, which the collector's own key makes, announces nothing. A
//! machine says in its health entries what it runs; one that runs what nobody announced becomes an act, once a machine
//! and program, and so stands in the review and in a notice. Where nothing was ever announced nothing is compared.
//!
//! What a machine says is its own word: a changed program can say the hash of another. What it cannot do is to be
//! installed by the practice's own way (`ntk-agent check-package`), or to look alike in a machine that is read from outside.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::program::Announcement;
use ntk_evidence::trust::TrustFile;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::App;
use crate::follow::answer::store_error;
use crate::ledger::LedgerError;
use crate::ledger::registry::Registry;
use crate::on_site::Mark;
use crate::report::text::moment;

/// Announcements that are remembered: years of them.
const KEPT_MAX: usize = 128;
/// How often machines are compared.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Digits of a hash by which people compare.
const DIGITS: usize = 12;

/// What the acts say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Programs {
    /// Signed announcements, the newest last.
    #[serde(default)]
    announced: Vec<String>,
    /// SHA-256 of the program of each machine that was told of as not announced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    told: BTreeMap<String, String>,
}

impl Programs {
    /// Whether acts say nothing.
    pub fn is_empty(&self) -> bool {
        self.announced.is_empty() && self.told.is_empty()
    }

    /// Takes in the body of an act.
    pub fn apply(&mut self, body: &Value) {
        let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
        match text("step").as_deref() {
            Some("announced") => {
                let Some(signed) = text("text") else { return };
                self.announced.retain(|other| *other != signed);
                self.announced.push(signed);
                let too_many = self.announced.len().saturating_sub(KEPT_MAX);
                self.announced.drain(..too_many);
            }
            Some("not_announced") => {
                if let Some((author, program)) = text("author").zip(text("program")) {
                    self.told.insert(author, program);
                }
            }
            _ => {}
        }
    }

    /// Those that the practice key signed, with their text, the newest last.
    pub fn in_force(&self, trust: &TrustFile) -> Vec<(Announcement, &str)> {
        let read =
            |text: &String| Announcement::parse(text.as_bytes(), &trust.slug, &trust.practice_key).ok();
        self.announced.iter().filter_map(|text| Some((read(text)?, text.as_str()))).collect()
    }
}

/// Whether a machine's program was announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "program", rename_all = "snake_case")]
pub enum Runs {
    /// Nothing was ever announced, or the machine has not said what it runs.
    NotCompared,
    /// It runs what the practice key announced.
    Announced {
        /// The announcement's version.
        version: String,
    },
    /// Nobody announced it.
    NotAnnounced {
        /// SHA-256 of the program, hex.
        sha256: String,
        /// Since when the machine says so, RFC 3339; absent where that is no longer known.
        since: Option<String>,
    },
}

impl Runs {
    /// What a machine with these marks runs; `sha256` is what it said last.
    pub fn of(announced: &[(Announcement, &str)], sha256: Option<&str>, marks: &[Mark]) -> Self {
        let Some(sha256) = sha256.filter(|_| !announced.is_empty()) else { return Self::NotCompared };
        let found = announced.iter().rev().find(|(one, _)| one.program.to_hex() == sha256);
        if let Some((announcement, _)) = found {
            return Self::Announced { version: announcement.version.clone() };
        }
        let is_this = |mark: &&Mark| mark.facts.binary_sha256.as_deref() == Some(sha256);
        let first = marks.iter().rev().take_while(is_this).last();
        let since = first.and_then(|mark| Timestamp::from_nanosecond(i128::from(mark.received_unix_ns)).ok());
        Self::NotAnnounced { sha256: sha256.to_owned(), since: since.map(|since| since.to_string()) }
    }

    /// In one sentence, in the practice's zone.
    pub fn in_words(&self, zone: &TimeZone) -> String {
        match self {
            Self::NotCompared => "Its program is compared with nothing: none was announced.".to_owned(),
            Self::Announced { version } => {
                format!("It runs a program that was announced: version {version}.")
            }
            Self::NotAnnounced { sha256, since } => {
                let since = since.as_deref().and_then(|since| since.parse::<Timestamp>().ok());
                let since = since.map(|since| format!(" since {}", moment(since, zone))).unwrap_or_default();
                format!("It runs a program that nobody announced{since} ({}).", digits(sha256))
            }
        }
    }
}

/// The first digits of a hash.
pub fn digits(sha256: &str) -> &str {
    sha256.get(..DIGITS).unwrap_or(sha256)
}

/// Acts about machines that run what nobody announced, as far as none was written: one a machine and program.
fn due(registry: &Registry, trust: &TrustFile, said: &[(String, String)], now: &str) -> Vec<Event> {
    let announced = registry.programs.in_force(trust);
    if announced.is_empty() {
        return Vec::new();
    }
    let is_known = |program: &str| announced.iter().any(|(one, _)| one.program.to_hex() == program);
    let is_told =
        |author: &str, program: &str| registry.programs.told.get(author).is_some_and(|told| told == program);
    said.iter()
        .filter(|(author, program)| !is_known(program) && !is_told(author, program))
        .map(|(author, program)| {
            let body = json!({"step": "not_announced", "author": author, "program": program});
            act::event(act::kind::PROGRAM, now, body)
        })
        .collect()
}

/// Compares once a minute, until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if app.ledger.published().registry.programs.is_empty() {
            continue;
        }
        if let Err(failure) = compare(&app).await {
            warn!(reason = %crate::error_chain(&failure), "what machines run could not be compared");
        }
    }
}

/// Compares now.
pub async fn compare(app: &App) -> Result<(), LedgerError> {
    let comparing = app.clone();
    let compared = tokio::task::spawn_blocking(move || {
        let app = comparing;
        let published = app.ledger.published();
        let mut said = Vec::new();
        for (author, machine) in &published.registry.machines {
            if machine.revoked.is_none()
                && let Some(record) = app.lookup.store().health(author).map_err(store_error)?
                && let Some(program) = record.health.binary_sha256
            {
                said.push((author.clone(), program));
            }
        }
        let trust = app.trust.now().0;
        let due = due(&published.registry, &trust, &said, &app.ledger.now());
        if due.is_empty() { Ok(()) } else { app.ledger.act_blocking(due).map(|_| ()) }
    });
    compared.await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests;
