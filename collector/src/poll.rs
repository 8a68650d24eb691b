//! Asks Microsoft 365 for its audit log: the Office 365 Management Activity API, and where the application may, sign-ins and
//! directory audits of Microsoft Graph. Read only, through an application of the practice's own.
//!
//! What comes goes the way of a file ([`crate::import`]): the same events, ids and gaps. Content that was had is not asked for
//! again ([`Memory`], which may be deleted: then it is asked for, and known). The service keeps seven days; what is older is in
//! an export of Purview.
//!
//! # Invariants
//! - SE-1: 24 hours without a record are a gap, whether the service answers or not.
//! - A token goes to the configured addresses alone.

mod activity;
mod applications;
mod graph;
mod session;
mod web;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ntk_evidence::event::{Event, Gap, Kind, Source as EventSource};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::app::App;
use crate::config::m365::M365;
use crate::home::{HomeError, write_file};
use crate::import::task::{Import, ImportAct, ImportError};
use crate::import::{Source, m365};
use crate::turns::every;
use session::Session;

/// Name of the application's secret below `private/`.
pub const SECRET: &str = "m365-secret";
/// How far back the service gives content.
pub const LOOKBACK_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How far back a first poll asks, where nobody says otherwise.
const LOOKBACK: SignedDuration = SignedDuration::from_hours(24);
/// Content may come so much later than what it tells of; so far back it is asked for again.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// After so long without a record it is said.
const SILENT_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// The cause of the gap that this is.
pub(crate) const SILENT: &str = "service_silent";
/// How often the applications with mail rights are compared.
const COMPARE_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// An import that brought nothing is an act once a day.
const NOTHING_IS_AN_ACT_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// How often it is looked at whether a poll is due.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// A poll did not come to its end. What was had before is kept.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// No section.
    #[error(
        "Microsoft 365 is not set up; add the section [m365] with `tenant` and `client_id` to collector.toml"
    )]
    NotSetUp,
    /// No secret.
    #[error("the application has no secret here; run `ntk-collector poll m365 --set-secret`")]
    NoSecret,
    /// Another poll.
    #[error("it is being asked just now; try again in a moment")]
    Busy,
    /// No token.
    #[error(
        "Microsoft 365 gave no token ({0}); compare `m365.tenant` and `m365.client_id`, and make a new secret where that has ended"
    )]
    NoToken(String),
    /// A token that does not help.
    #[error(
        "Microsoft 365 did not let the application in ({0}); give it the permissions ActivityFeed.Read, AuditLog.Read.All and Directory.Read.All, with an administrator’s consent"
    )]
    NotLetIn(String),
    /// A refusal.
    #[error("Microsoft 365 refused {what} ({said})")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// What it says.
        said: String,
    },
    /// Later.
    #[error("`{host}` asks to wait {seconds} s; the next poll goes on from here")]
    Throttled {
        /// Who.
        host: String,
        /// How long.
        seconds: u64,
    },
    /// Too slow.
    #[error("`{0}` did not answer within 60 s")]
    Late(String),
    /// No connection.
    #[error("`{0}` cannot be reached; check the way out of the building")]
    Reach(String, #[source] std::io::Error),
    /// TLS.
    #[error("`{0}` did not show a certificate that this machine trusts for that name, and nothing was sent")]
    Tls(String, #[source] std::io::Error),
    /// HTTP.
    #[error("`{0}` does not speak HTTP")]
    Http(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// No JSON.
    #[error("{0} is no JSON")]
    NotJson(&'static str),
    /// A page at another place.
    #[error("an answer of `{0}` names a page at another address; the token was not sent there")]
    Elsewhere(String),
    /// The import.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Files.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Inside.
    #[error("the poll failed inside; see the collector’s log")]
    Inside,
}

/// What was had already, times in seconds since 1970. Working memory: without it content is asked for again, and known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Up to when content was asked for.
    through: Option<i64>,
    /// When a record last came.
    heard: Option<i64>,
    /// When the last act about a poll was written.
    told: Option<i64>,
    /// When the applications were last compared.
    compared: Option<i64>,
    /// Content that was had, with when it was made.
    had: BTreeMap<String, i64>,
    /// Rights to mail of applications, as they were last: right by application.
    rights: BTreeMap<String, String>,
}

/// Whether so much time has gone by since then; true where it never was.
fn is_over(since: Option<i64>, span: SignedDuration, now: Timestamp) -> bool {
    since.is_none_or(|since| now.as_second().saturating_sub(since) >= span.as_secs())
}

const MEMORY: &str = "m365.json";

impl Memory {
    fn read(app: &App) -> Self {
        let path = app.practice.home.cache().join(MEMORY);
        std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn keep(&mut self, app: &App, now: Timestamp) -> Result<(), PollError> {
        let oldest = now.as_second().saturating_sub(LOOKBACK_MAX.as_secs());
        self.had.retain(|_, made| *made >= oldest);
        let bytes = serde_json::to_vec(self).map_err(ImportError::Act)?;
        Ok(write_file(&app.practice.home.cache().join(MEMORY), &bytes, 0o600)?)
    }

    /// From when on to ask.
    fn from(&self, now: Timestamp, lookback: Option<SignedDuration>) -> Timestamp {
        let back = |by: SignedDuration| now.checked_sub(by.min(LOOKBACK_MAX)).unwrap_or(now);
        let resumed = self
            .through
            .and_then(|through| Timestamp::from_second(through.saturating_sub(OVERLAP.as_secs())).ok());
        match (lookback, resumed) {
            (Some(lookback), _) => back(lookback),
            (None, Some(resumed)) => resumed.max(back(LOOKBACK_MAX)),
            (None, None) => back(LOOKBACK),
        }
    }
}

/// What one poll came to.
#[derive(Debug, Serialize)]
pub struct Polled {
    /// What was imported; nothing where nothing new came and that was said lately.
    pub import: Option<ImportAct>,
    /// What the service did not give, a sentence each.
    pub notes: Vec<String>,
}

/// The import that a poll feeds, out on a thread of its own for each piece.
struct Feed<'a> {
    app: &'a App,
    import: Option<Box<Import>>,
}

impl Feed<'_> {
    /// Takes in an answer's records: a JSON array.
    async fn take(&mut self, bytes: Vec<u8>) -> Result<(), PollError> {
        let (app, mut import) = (self.app.clone(), self.import.take().ok_or(PollError::Inside)?);
        let work = move || import.whole(&app, &bytes).map(|()| import);
        self.import = Some(tokio::task::spawn_blocking(work).await.map_err(|_| PollError::Inside)??);
        Ok(())
    }

    /// Takes in an event of the poll's own.
    async fn event(&mut self, event: Event) -> Result<(), PollError> {
        let (app, mut import) = (self.app.clone(), self.import.take().ok_or(PollError::Inside)?);
        let work = move || import.event(&app, event).map(|()| import);
        self.import = Some(tokio::task::spawn_blocking(work).await.map_err(|_| PollError::Inside)??);
        Ok(())
    }

    fn n_records(&self) -> u64 {
        self.import.as_ref().map_or(0, |import| import.tally().records)
    }
}

/// Asks now. What was had up to a fault is kept, and the fault is told.
pub async fn poll(app: &App, lookback: Option<SignedDuration>, by: &str) -> Result<Polled, PollError> {
    let config = app.practice.current();
    let settings = config.m365.as_ref().ok_or(PollError::NotSetUp)?;
    let secret =
        zeroize::Zeroizing::new(app.practice.home.read_secret(SECRET).map_err(|_| PollError::NoSecret)?);
    let _turn = app.polling.try_lock().map_err(|_| PollError::Busy)?;
    let now: Timestamp = app.ledger.now().parse().map_err(|_| PollError::Inside)?;
    let mut memory = Memory::read(app);
    let from = memory.from(now, lookback);
    let what = format!("what the service kept from {from} to {now}");
    let begin = {
        let (app, by) = (app.clone(), by.to_owned());
        move || Import::of_answers(&app, Source::M365, what, by)
    };
    let import = tokio::task::spawn_blocking(begin).await.map_err(|_| PollError::Inside)??;
    let mut feed = Feed { app, import: Some(Box::new(import)) };
    let mut notes = Vec::new();
    let asked = everything(settings, secret.trim(), &mut feed, &mut memory, &mut notes, (from, now)).await;
    if feed.n_records() > 0 {
        memory.heard = Some(now.as_second());
    }
    if let Some(gap) = silent(&memory, now) {
        feed.event(gap).await?;
    }
    memory.heard.get_or_insert(now.as_second());
    if asked.is_ok() {
        memory.through = Some(now.as_second());
    }
    let import = feed.import.take().ok_or(PollError::Inside)?;
    let is_news = import.tally().entries > 0 || import.tally().damaged > 0;
    let is_due = is_over(memory.told, NOTHING_IS_AN_ACT_AFTER, now);
    let import = if is_news || is_due || lookback.is_some() {
        let app = app.clone();
        let done =
            tokio::task::spawn_blocking(move || import.end(&app)).await.map_err(|_| PollError::Inside)??;
        memory.told = Some(now.as_second());
        Some(done)
    } else {
        None
    };
    memory.keep(app, now)?;
    asked?;
    Ok(Polled { import, notes })
}

async fn everything(
    settings: &M365,
    secret: &str,
    feed: &mut Feed<'_>,
    memory: &mut Memory,
    notes: &mut Vec<String>,
    (from, now): (Timestamp, Timestamp),
) -> Result<(), PollError> {
    let mut graph = Session::new(settings, &settings.graph, secret);
    let is_directory_told = graph::lists(&mut graph, feed, notes, from).await?;
    let mut activity = Session::new(settings, &settings.activity, secret);
    activity::contents(&mut activity, settings, feed, memory, (from, now), !is_directory_told).await?;
    if is_over(memory.compared, COMPARE_EVERY, now)
        && applications::compare(&mut graph, feed, memory, notes, now).await?
    {
        memory.compared = Some(now.as_second());
    }
    Ok(())
}

/// A gap for each whole day since a record last came.
fn silent(memory: &Memory, now: Timestamp) -> Option<Event> {
    let heard = Timestamp::from_second(memory.heard?).ok()?;
    let for_so_long = now.duration_since(heard);
    if for_so_long < SILENT_AFTER {
        return None;
    }
    let mut event = Event::new(Kind::Gap, now.to_string());
    event.source = Some(EventSource {
        sensor: Some(m365::SENSOR.to_owned()),
        record: Some(format!("silent:{heard}:{}", for_so_long.as_hours() / 24)),
        recorded: Some(true),
        ..EventSource::default()
    });
    event.gap = Some(Gap {
        cause: SILENT.to_owned(),
        from: Some(heard.to_string()),
        to: Some(now.to_string()),
        lost: None,
        other: Default::default(),
    });
    Some(event)
}

/// Asks whenever it is due, until stopped. A poll that fails is tried again at its next turn.
pub async fn run(app: App, stop: CancellationToken) {
    let mut next = tokio::time::Instant::now();
    let mut turns = every(LOOK_EVERY, &stop);
    while turns.next().await {
        // As the configuration is now: it may have been changed since the last look.
        let every = app.practice.current().m365.as_ref().and_then(|settings| settings.every_seconds);
        let Some(every) = every.map(Duration::from_secs) else { continue };
        if tokio::time::Instant::now() < next || !app.practice.home.private(SECRET).exists() {
            continue;
        }
        next = tokio::time::Instant::now() + every;
        tokio::select! {
            () = stop.cancelled() => return,
            polled = poll(&app, None, "the collector") => match polled {
                Ok(polled) => {
                    let entries = polled.import.as_ref().map_or(0, |import| import.tally.entries);
                    info!(entries, "Microsoft 365 was asked");
                }
                Err(error) => warn!(reason = %crate::error_chain(&error), "Microsoft 365 could not be asked"),
            },
        }
    }
}

#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod tests;
