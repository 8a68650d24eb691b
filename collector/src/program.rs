//! Which program each machine runs, against what the practice key announced.
//!
//! Announcements and withdrawals are acts with the signed text in them ([`ntk_evidence::program`]). Which of them counts is
//! asked of the practice key each time ([`Programs::known`]): an act alone, which the collector's own key makes, announces
//! and withdraws nothing. A machine says in its health entries what it runs; one that runs what nobody announced, or what was
//! withdrawn, becomes an act, once a machine and program, and so stands in the review and in a notice. Where nothing was
//! ever announced nothing is compared.
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
use ntk_evidence::program::withdrawal::Withdrawal;
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
use crate::turns::every;

/// Announcements that are remembered, and withdrawals: years of them.
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
    /// Signed withdrawals, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    withdrawn: Vec<String>,
    /// SHA-256 of the program of each machine that was told of as not announced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    told: BTreeMap<String, String>,
    /// Program and withdrawal of each machine that was told of as running what was withdrawn.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    told_withdrawn: BTreeMap<String, String>,
}

/// A program that the practice key announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known<'a> {
    /// What it said.
    pub announcement: Announcement,
    /// The signed text.
    pub text: &'a str,
    /// Where the practice key took it back: how, and the signed text.
    pub withdrawn: Option<(Withdrawal, &'a str)>,
}

impl Programs {
    /// Whether acts say nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in the body of an act.
    pub fn apply(&mut self, body: &Value) {
        let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
        match text("step").as_deref() {
            Some(step @ ("announced" | "withdrawn")) => {
                let Some(signed) = text("text") else { return };
                let kept = if step == "announced" { &mut self.announced } else { &mut self.withdrawn };
                kept.retain(|other| *other != signed);
                kept.push(signed);
                let too_many = kept.len().saturating_sub(KEPT_MAX);
                kept.drain(..too_many);
            }
            Some("runs_withdrawn") => {
                if let Some(((author, program), made)) =
                    text("author").zip(text("program")).zip(text("withdrawn"))
                {
                    self.told_withdrawn.insert(author, told_of(&program, &made));
                }
            }
            Some("not_announced") => {
                if let Some((author, program)) = text("author").zip(text("program")) {
                    self.told.insert(author, program);
                }
            }
            _ => {}
        }
    }

    /// Those that the practice key announced, the newest last, and which of them it took back.
    pub fn known(&self, trust: &TrustFile) -> Vec<Known<'_>> {
        let withdrawal =
            |text: &'_ String| Withdrawal::parse(text.as_bytes(), &trust.slug, &trust.practice_key).ok();
        let withdrawn: Vec<(Withdrawal, &str)> =
            self.withdrawn.iter().filter_map(|text| Some((withdrawal(text)?, text.as_str()))).collect();
        let known =
            |text: &'_ String| Announcement::parse(text.as_bytes(), &trust.slug, &trust.practice_key).ok();
        let known = self.announced.iter().filter_map(|text| Some((known(text)?, text.as_str())));
        known
            .map(|(announcement, text)| {
                let by = withdrawn.iter().rev().find(|(withdrawal, _)| withdrawal.ends(&announcement));
                Known { withdrawn: by.cloned(), announcement, text }
            })
            .collect()
    }
}

/// What is remembered of an act about a machine that runs what was withdrawn.
fn told_of(program: &str, withdrawn: &str) -> String {
    format!("{program} {withdrawn}")
}

/// The announcement that counts for a program: the newest in force, or else the newest.
fn of_program<'a, 'b>(known: &'a [Known<'b>], sha256: &str) -> Option<&'a Known<'b>> {
    let of_it = || known.iter().rev().filter(|one| one.announcement.program.to_hex() == sha256);
    of_it().find(|one| one.withdrawn.is_none()).or_else(|| of_it().next())
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
    /// The practice key announced it, and took that back.
    Withdrawn {
        /// The announcement's version.
        version: String,
        /// When it was withdrawn, RFC 3339.
        withdrawn: String,
        /// Why.
        withdrawn_because: String,
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
    pub fn of(known: &[Known<'_>], sha256: Option<&str>, marks: &[Mark]) -> Self {
        let Some(sha256) = sha256.filter(|_| !known.is_empty()) else { return Self::NotCompared };
        if let Some(found) = of_program(known, sha256) {
            let version = found.announcement.version.clone();
            return match &found.withdrawn {
                None => Self::Announced { version },
                Some((by, _)) => Self::Withdrawn {
                    version,
                    withdrawn: by.of.made.clone(),
                    withdrawn_because: by.reason.clone(),
                },
            };
        }
        let is_this = |mark: &&Mark| mark.facts.binary_sha256.as_deref() == Some(sha256);
        let first = marks.iter().rev().take_while(is_this).last();
        let since = first.and_then(|mark| Timestamp::from_nanosecond(i128::from(mark.received_unix_ns)).ok());
        Self::NotAnnounced { sha256: sha256.to_owned(), since: since.map(|since| since.to_string()) }
    }

    /// Whether somebody should put another one in its place.
    pub const fn is_to_be_replaced(&self) -> bool {
        matches!(self, Self::NotAnnounced { .. } | Self::Withdrawn { .. })
    }

    /// In one sentence, in the practice's zone.
    pub fn in_words(&self, zone: &TimeZone) -> String {
        match self {
            Self::NotCompared => "Its program is compared with nothing: none was announced.".to_owned(),
            Self::Announced { version } => {
                format!("It runs a program that was announced: version {version}.")
            }
            Self::Withdrawn { version, withdrawn, withdrawn_because } => {
                let at = withdrawn.parse::<Timestamp>().ok();
                let at = at.map(|at| format!(" on {}", moment(at, zone))).unwrap_or_default();
                format!("It runs version {version}, which was withdrawn{at}: {withdrawn_because}.")
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

/// Acts about machines that run what nobody announced, or what was withdrawn, as far as none was written: one a machine and
/// program, and one more for each withdrawal.
fn due(registry: &Registry, trust: &TrustFile, said: &[(String, String)], now: &str) -> Vec<Event> {
    let programs = &registry.programs;
    let known = programs.known(trust);
    if known.is_empty() {
        return Vec::new();
    }
    let due = |(author, program): &(String, String)| {
        let body = match of_program(&known, program) {
            None if programs.told.get(author) == Some(program) => return None,
            None => json!({"step": "not_announced", "author": author, "program": program}),
            Some(Known { withdrawn: None, .. }) => return None,
            Some(Known { withdrawn: Some((by, _)), announcement, .. }) => {
                let made = &by.of.made;
                if programs.told_withdrawn.get(author) == Some(&told_of(program, made)) {
                    return None;
                }
                json!({"step": "runs_withdrawn", "author": author, "program": program, "version": announcement.version,
                       "withdrawn": made, "reason": by.reason})
            }
        };
        Some(act::event(act::kind::PROGRAM, now, body))
    };
    said.iter().filter_map(due).collect()
}

/// Compares once a minute, until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    let mut turns = every(LOOK_EVERY, &stop);
    while turns.next().await {
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
