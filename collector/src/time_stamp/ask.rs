//! Asks for time-stamps while the collector runs: unasked, before a report and an export, and when somebody says so.
//!
//! Never in the way of ingest: an own task, one question at a time, each with a deadline. An answer is looked at before
//! anything is kept: granted, over this checkpoint, in answer to this request. A question that fails is counted and
//! told; only when there was no stamp for a day is there an act about it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ntk_evidence::act;
use ntk_evidence::time_stamp::TimeStampError;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::authority::{SpeakError, speak};
use super::{Asked, Attempts, Next, StampedAct, TimeStampAct, next};
use crate::app::App;
use crate::home::HomeError;
use crate::ledger::LedgerError;
use crate::turns::every;

/// How often it is looked at whether a stamp is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// So long an authority may take.
pub const WITHIN: Duration = Duration::from_secs(20);
/// So long a report or an export waits for one.
pub const WITHIN_BEFORE_A_DOCUMENT: Duration = Duration::from_secs(4);

/// No time-stamp was got.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody to ask.
    #[error("no time-stamping authority is configured; set `url` under [time_stamps] in collector.toml")]
    Nobody,
    /// It gave no answer.
    #[error(transparent)]
    Speak(#[from] SpeakError),
    /// Its answer is not one, or a no.
    #[error(transparent)]
    Answer(#[from] TimeStampError),
    /// The nonce.
    #[error(transparent)]
    Random(#[from] HomeError),
    /// The act.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What all who ask share.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    attempts: Arc<Mutex<Attempts>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Asking {
    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of asking since the start.
    pub fn so_far(&self) -> Attempts {
        self.attempts().clone()
    }
}

/// The newest checkpoint as a request with a nonce of its own.
pub fn question(app: &App) -> Result<Asked, HomeError> {
    let checkpoint = app.ledger.published().checkpoint;
    let [a, b, c, d, e, f, g, h, ..] = crate::home::random()?;
    Ok(Asked::new(checkpoint.checkpoint.size, &checkpoint.note, &[a, b, c, d, e, f, g, h]))
}

/// Asks now for the newest checkpoint and records the answer.
pub async fn ask(app: &App, within: Duration) -> Result<StampedAct, AskError> {
    let config = app.practice.current();
    let Some(settings) = &config.time_stamps else { return Err(AskError::Nobody) };
    // Who waits for somebody else's question waits no longer than for an own one.
    let _turn = tokio::time::timeout(within, app.stamping.turn.lock())
        .await
        .map_err(|_| SpeakError::Late(within.as_secs()))?;
    let result = async {
        let asked = question(app)?;
        let query = asked.query().unwrap_or_default();
        let response = speak(&settings.authority, query, within).await?;
        let stamped = asked.answered(&response)?;
        keep(app, TimeStampAct::Stamped(stamped.clone())).await?;
        Ok(stamped)
    }
    .await;
    let reason = result.as_ref().err().map(|error: &AskError| crate::error_chain(error));
    app.stamping.attempts().ended(app.ledger.clock().now(), reason);
    result
}

/// Before a document: a stamp if one can be had soon, else why not; none where nobody is to be asked.
pub async fn before_a_document(app: &App) -> Option<String> {
    match ask(app, WITHIN_BEFORE_A_DOCUMENT).await {
        Ok(_) | Err(AskError::Nobody) => None,
        Err(failure) => Some(crate::error_chain(&failure)),
    }
}

/// Writes an act about time-stamps.
pub async fn keep(app: &App, body: TimeStampAct) -> Result<(), LedgerError> {
    let body = serde_json::to_value(body).unwrap_or_default();
    app.ledger.act(vec![act::event(act::kind::TIME_STAMP, app.ledger.now(), body)]).await.map(|_| ())
}

/// Asks whenever one is due, until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    let mut turns = every(LOOK_EVERY, &stop);
    while turns.next().await {
        // As the configuration is now: it may have been changed since the last look.
        let Some(settings) = app.practice.current().time_stamps.clone() else { continue };
        let published = app.ledger.published();
        let (size, now) = (published.checkpoint.checkpoint.size, app.ledger.clock().now());
        let attempts = app.stamping.so_far();
        match next(settings.every_seconds, &published.registry.stamps, &attempts, size, now) {
            Next::Wait => {}
            Next::Ask => {
                let asked = tokio::select! {
                    () = stop.cancelled() => return,
                    asked = ask(&app, WITHIN) => asked,
                };
                match asked {
                    Ok(stamped) => info!(size = stamped.size, "the log was time-stamped"),
                    Err(failure) => {
                        warn!(reason = %crate::error_chain(&failure), "no time-stamp; it is tried again later");
                    }
                }
            }
            Next::Tell { since, reason } => {
                if let Err(failure) = keep(&app, TimeStampAct::Failing { since, reason }).await {
                    error!(reason = %crate::error_chain(&failure), "that time-stamps fail is not in the ledger");
                    return;
                }
            }
        }
    }
}

/// How time-stamping stands, for `status` and `time-stamp --json`.
pub fn standing(app: &App) -> Value {
    let registry = app.ledger.published().registry;
    let attempts = app.stamping.so_far();
    json!({
        "configured": app.practice.current().time_stamps.is_some(),
        "newest": registry.stamps.newest,
        "failed": attempts.failed,
        "failing_since": attempts.failing_since.map(|at| at.to_rfc3339(0)),
        "reason": attempts.reason,
    })
}
