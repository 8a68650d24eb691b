//! Imports over the API: a file comes in pieces of at most half a megabyte, in their order, and one at a time; nothing of it
//! is kept but entries and counts. One that breaks off is begun again from the start: what stands in the ledger is known.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::{Answer, Failure, blocking, preservation};
use crate::app::App;
use crate::import::Source;
use crate::import::ehr::map::Map;
use crate::import::task::{Beside, Import, ImportAct, ImportError};
use crate::import::windows;
use crate::poll::PollError;

/// The largest piece of a file, bytes: as base64 in JSON it fits into a request.
pub(crate) const PART_BYTES_MAX: usize = 512 << 10;
/// So long nothing may come before another import may begin in its place.
const IDLE_AT_MOST: Duration = Duration::from_secs(10);
/// Imports that are listed.
pub(crate) const LISTED_MAX: usize = 100;

/// The import at work.
#[derive(Default)]
pub struct Importing(Mutex<Option<Running>>);

struct Running {
    id: String,
    touched: Instant,
    /// Out while a piece of it is being taken in.
    import: Option<Box<Import>>,
}

impl std::fmt::Debug for Importing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Importing")
    }
}

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/imports", "What was imported, newest first", list)
        .post("/v1/imports/begin", "Begin to import a file of a mail service's or server's own log", begin)
        .post("/v1/imports/part", "The next piece of the file", part)
        .post("/v1/poll", "Ask Microsoft 365 for its audit log now", poll_now)
        .post("/v1/imports/end", "The file is whole: say what came of it", end)
}

/// Which file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BeginRequest {
    /// Where its records come from: `m365`, `exchange`, `ehr-audit`, `evtx`.
    source: String,
    /// The text of the map: which column of a health-record system's CSV holds what, or what is watched on the machine of an
    /// event log.
    #[serde(default)]
    map: Option<String>,
    /// Its name, without a folder.
    file: String,
    /// Who imports it, as they say themselves.
    by: String,
}

/// A piece of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartRequest {
    /// Which import.
    import: String,
    /// Where in the file it begins, bytes.
    at: u64,
    /// At most 524,288 bytes, in base64.
    data: String,
}

/// Its end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndRequest {
    /// Which import.
    import: String,
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::NotThis(what) => Self::bad(what.to_string()),
            other => Self::ours(&other),
        }
    }
}

async fn begin(State(app): State<App>, Json(request): Json<BeginRequest>) -> Answer<Json<Value>> {
    let source = Source::named(&request.source).ok_or_else(|| {
        let known: Vec<&str> = Source::ALL.iter().map(|source| source.name()).collect();
        Failure::bad(format!("`{}` is no source of imports; use one of {}", request.source, known.join(", ")))
    })?;
    let beside = beside(source, request.map.as_deref()).map_err(Failure::bad)?;
    let name = |text: &str, most: usize| {
        let kept: String = text.chars().filter(|letter| !letter.is_control()).take(most).collect();
        kept.trim().to_owned()
    };
    let file = name(request.file.rsplit(['/', '\\']).next().unwrap_or_default(), 160);
    let by = name(&request.by, 120);
    if file.is_empty() || by.is_empty() {
        return Err(Failure::bad("say which file it is, and who imports it"));
    }
    let id = ntk_evidence::hash::hex(
        crate::home::random().map_err(|error| Failure::ours(&error))?.get(..8).unwrap_or_default(),
    );
    let running = Arc::clone(&app.importing);
    {
        let mut slot = running.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = slot.as_ref()
            && other.touched.elapsed() < IDLE_AT_MOST
        {
            return Err(Failure::bad("another import is at work; try again when it is done"));
        }
        *slot = Some(Running { id: id.clone(), touched: Instant::now(), import: None });
    }
    let begun = {
        let app = app.clone();
        blocking(move || Ok(Import::begin(&app, source, beside, file, by)?)).await
    };
    let mut slot = running.0.lock().unwrap_or_else(PoisonError::into_inner);
    match begun {
        Ok(import) => {
            *slot = Some(Running { id: id.clone(), touched: Instant::now(), import: Some(Box::new(import)) });
            Ok(Json(json!({"import": id, "part_bytes": PART_BYTES_MAX})))
        }
        Err(failure) => {
            *slot = None;
            Err(failure)
        }
    }
}

/// What a text beside the file says, by the source.
fn beside(source: Source, text: Option<&str>) -> Result<Beside, String> {
    let Some(text) = text else { return Ok(Beside::default()) };
    match source {
        Source::EhrAudit => {
            let map = Map::parse(text).map_err(|error| error.to_string())?;
            Ok(Beside { map: Some(map), ..Beside::default() })
        }
        Source::Evtx => Ok(Beside { watches: windows::watches(text)?, ..Beside::default() }),
        Source::M365 | Source::Exchange => {
            Err(format!("files of {} need no --map; leave it out", source.name()))
        }
    }
}

/// Takes the import out of its place for a piece of work.
fn taken(app: &App, id: &str) -> Answer<Box<Import>> {
    let mut slot = app.importing.0.lock().unwrap_or_else(PoisonError::into_inner);
    let running = slot.as_mut().filter(|running| running.id == id);
    let running = running
        .ok_or_else(|| Failure::missing("this import is over; begin it again from the start of the file"))?;
    running.touched = Instant::now();
    running
        .import
        .take()
        .ok_or_else(|| Failure::bad("a piece of this import is being taken in; wait for its answer"))
}

fn over(app: &App, id: &str) {
    let mut slot = app.importing.0.lock().unwrap_or_else(PoisonError::into_inner);
    if slot.as_ref().is_some_and(|running| running.id == id) {
        *slot = None;
    }
}

async fn part(State(app): State<App>, Json(request): Json<PartRequest>) -> Answer<Json<Value>> {
    let bytes = BASE64_STANDARD.decode(&request.data).map_err(|_| Failure::bad("the piece is no base64"))?;
    if bytes.len() > PART_BYTES_MAX {
        return Err(Failure::bad("the piece is larger than 524,288 bytes"));
    }
    let mut import = taken(&app, &request.import)?;
    let (id, working) = (request.import.clone(), app.clone());
    let done = blocking(move || {
        if import.bytes() != request.at {
            let sentence = format!("the next piece begins at byte {}, not at {}", import.bytes(), request.at);
            return Err(Failure::bad(sentence));
        }
        import.part(&working, &bytes)?;
        Ok(import)
    })
    .await;
    match done {
        Ok(import) => {
            let answer = json!({"bytes": import.bytes(), "tally": import.tally()});
            let mut slot = app.importing.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(running) = slot.as_mut().filter(|running| running.id == id) {
                (running.import, running.touched) = (Some(import), Instant::now());
            }
            Ok(Json(answer))
        }
        Err(failure) => {
            over(&app, &id);
            Err(failure)
        }
    }
}

async fn end(State(app): State<App>, Json(request): Json<EndRequest>) -> Answer<Json<Value>> {
    let import = taken(&app, &request.import)?;
    let working = app.clone();
    let done = blocking(move || Ok(import.end(&working)?)).await;
    over(&app, &request.import);
    let act = done?;
    let sentence = act.tally.in_words();
    let mut answer = serde_json::to_value(&act).map_err(|error| Failure::ours(&error))?;
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("sentence".into(), sentence.into());
    }
    Ok(Json(answer))
}

/// What is to be asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PollRequest {
    /// How far back, hours, at most 168; since the last time where absent.
    #[serde(default)]
    lookback_hours: Option<u32>,
    /// Who asks, as they say themselves.
    by: String,
}

async fn poll_now(State(app): State<App>, Json(request): Json<PollRequest>) -> Answer<Json<Value>> {
    let hours = request.lookback_hours;
    if hours.is_some_and(|hours| !(1..=168).contains(&hours)) {
        return Err(Failure::bad("the service keeps 7 days: `lookback_hours` is a number from 1 to 168"));
    }
    let lookback = hours.map(|hours| jiff::SignedDuration::from_hours(i64::from(hours)));
    let polled = crate::poll::poll(&app, lookback, &request.by).await.map_err(|error| match error {
        PollError::NotSetUp | PollError::NoSecret | PollError::Busy => Failure::bad(error.to_string()),
        other => Failure::ours(&other),
    })?;
    let sentence = polled.import.as_ref().map(|import| import.tally.in_words());
    let mut answer = serde_json::to_value(&polled).map_err(|error| Failure::ours(&error))?;
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("sentence".into(), sentence.into());
    }
    Ok(Json(answer))
}

async fn list(State(app): State<App>) -> Answer<Json<Value>> {
    blocking(move || {
        let imports: Vec<Value> = acts(&app)?
            .into_iter()
            .rev()
            .take(LISTED_MAX)
            .map(|(time, act)| json!({"time": time, "sentence": act.tally.in_words(), "import": act}))
            .collect();
        Ok(Json(json!({"imports": imports})))
    })
    .await
}

/// Every import with its time, oldest first.
pub(crate) fn acts(app: &App) -> Answer<Vec<(String, ImportAct)>> {
    let lines = preservation::acts_of(app, &[act::kind::IMPORT])?;
    Ok(lines
        .into_iter()
        .filter_map(|line| Some((line.time, serde_json::from_value(line.body).ok()?)))
        .collect())
}
