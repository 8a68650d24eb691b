//! Breach assessments over the admin API: begun from a finding, noted on, closed, listed with the days that are left.

use axum::Json;
use axum::extract::State;
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Signature, Word, sign};
use super::roster::{day, in_force, today};
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::breach::{Assessment, BreachStep, Factor, Leaning, Outcome};
use crate::finding::step::is_about;
use crate::reviewer::Passphrase;

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/breach", "Assessments under 45 CFR 164.402 with their days", list)
        .post("/v1/breach", "Begin an assessment", start)
        .post("/v1/breach/note", "Write down a factor or a fact of an assessment", note)
        .post("/v1/breach/close", "Close an assessment with its result", close)
}

fn row(app: &App, one: &Assessment) -> Answer<Value> {
    let today = today(app)?;
    let text = |day: Option<jiff::civil::Date>| day.map(|day| day.to_string());
    let is_open = one.outcome.is_none();
    Ok(json!({
        "assessment": one, "due": text(one.due()), "secretary_due": text(one.secretary_due()),
        "days_left": one.days_left(today).filter(|_| is_open),
        "sentence": is_open.then(|| one.sentence(today)),
        "outcome_in_words": one.outcome.map(Outcome::in_words),
        "open_factors": one.open_factors().map(|factor| json!({"factor": factor, "question": factor.question()})).collect::<Vec<_>>(),
    }))
}

async fn list(State(app): State<App>, viewer: Viewer) -> Answer<Json<Value>> {
    let (all, not_shown) = assessments(&app, &viewer).await?;
    let rows = all.iter().map(|one| row(&app, one)).collect::<Answer<Vec<_>>>()?;
    Ok(Json(json!({"assessments": rows, "not_shown": not_shown})))
}

/// The assessments that the one who asks is shown: none about themselves; and how many they are not shown.
pub(crate) async fn assessments(app: &App, viewer: &Viewer) -> Answer<(Vec<Assessment>, usize)> {
    let (_, roster) = in_force(app).await?;
    let hidden = super::findings::hidden_from(app, viewer).await?;
    let them = viewer.themselves(&roster);
    let published = app.ledger.published();
    let all: Vec<Assessment> = published.registry.people.breaches.all().into_iter().cloned().collect();
    let (theirs, shown): (Vec<Assessment>, Vec<Assessment>) = all.into_iter().partition(|one| {
        hidden.contains(&one.finding)
            || one.about.as_deref().is_some_and(|about| them.are_named(about, &roster))
    });
    Ok((shown, theirs.len()))
}

/// Whether somebody is shown this assessment; none that is about themselves.
async fn is_shown(app: &App, viewer: &Viewer, id: &str) -> Answer<()> {
    let is_there = app.ledger.published().registry.people.breaches.get(id).is_some();
    let (shown, _) = assessments(app, viewer).await?;
    if is_there && shown.iter().all(|one| one.id != id) {
        return Err(Failure::not_theirs(
            "This assessment is about you, your firm or an account that you share.",
        ));
    }
    Ok(())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartRequest {
    pub(crate) finding: String,
    /// The day of discovery; today where absent.
    #[serde(default)]
    pub(crate) discovered: Option<String>,
    pub(crate) because: String,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteRequest {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) factor: Option<Factor>,
    #[serde(default)]
    pub(crate) says: Option<Leaning>,
    #[serde(default)]
    pub(crate) people: Option<u64>,
    pub(crate) text: String,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseRequest {
    pub(crate) id: String,
    pub(crate) outcome: Outcome,
    pub(crate) because: String,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

async fn start(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<StartRequest>,
) -> Answer<Json<Value>> {
    let id = started(&app, &viewer, request).await?;
    answer(&app, &id)
}

/// [`start`], for whoever asks; its number.
pub(crate) async fn started(app: &App, viewer: &Viewer, request: StartRequest) -> Answer<String> {
    let _turn = app.turns.breaches.lock().await;
    let (_, roster) = in_force(app).await?;
    let by = sign(app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    let today = today(app)?;
    let discovered = request.discovered.as_deref().map_or(Ok(today), |on| day("--discovered", on))?;
    let (app_for_reading, wanted) = (app.clone(), request.finding.clone());
    let (incident, is_files) =
        blocking(move || super::findings::incident_of(&app_for_reading, &wanted)).await?;
    if !is_files {
        return Err(Failure::bad(format!(
            "finding `{}` is about a login or rights, not about protected information; begin from the finding about what was reached",
            incident.id
        )));
    }
    if super::findings::hidden_from(app, viewer).await?.contains(&incident.id)
        || is_about(incident.person.as_deref(), &by.by, &roster)
    {
        return Err(Failure::bad(format!(
            "this is about `{}` or their firm: nobody assesses themselves",
            by.by
        )));
    }
    let first = incident.first_time.map(|at| app.lookup.zone().to_datetime(at).date());
    let id = app.ledger.published().registry.people.breaches.next_id();
    let about = incident.person.or(incident.account);
    let step = BreachStep::Started {
        id,
        finding: incident.id,
        about,
        discovered,
        because: request.because.trim().to_owned(),
    };
    take(app, step, first, &by).await
}

/// Nobody assesses themselves or their own firm.
async fn is_another(app: &App, id: &str, by: &Signature) -> Answer<()> {
    let (_, roster) = in_force(app).await?;
    let published = app.ledger.published();
    let about = published.registry.people.breaches.get(id).and_then(|one| one.about.clone());
    if is_about(about.as_deref(), &by.by, &roster) {
        return Err(Failure::bad(format!(
            "this is about `{}` or their firm: nobody assesses themselves",
            by.by
        )));
    }
    Ok(())
}

async fn note(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<NoteRequest>,
) -> Answer<Json<Value>> {
    let id = noted(&app, &viewer, request).await?;
    answer(&app, &id)
}

/// [`note`], for whoever asks; its number.
pub(crate) async fn noted(app: &App, viewer: &Viewer, request: NoteRequest) -> Answer<String> {
    let _turn = app.turns.breaches.lock().await;
    let (_, roster) = in_force(app).await?;
    is_shown(app, viewer, &request.id).await?;
    let by = sign(app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    is_another(app, &request.id, &by).await?;
    let NoteRequest { id, factor, says: leaning, people, text, .. } = request;
    let text = crate::question::typed(&text);
    take(app, BreachStep::Noted { id, factor, leaning, people, text }, None, &by).await
}

async fn close(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<CloseRequest>,
) -> Answer<Json<Value>> {
    let id = closed(&app, &viewer, request).await?;
    answer(&app, &id)
}

/// [`close`], for whoever asks; its number.
pub(crate) async fn closed(app: &App, viewer: &Viewer, request: CloseRequest) -> Answer<String> {
    let _turn = app.turns.breaches.lock().await;
    let (_, roster) = in_force(app).await?;
    is_shown(app, viewer, &request.id).await?;
    let by = sign(app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    is_another(app, &request.id, &by).await?;
    let CloseRequest { id, outcome, because, .. } = request;
    take(app, BreachStep::Closed { id, outcome, because: because.trim().to_owned() }, None, &by).await
}

async fn take(
    app: &App,
    step: BreachStep,
    first_access: Option<jiff::civil::Date>,
    by: &Signature,
) -> Answer<String> {
    let before = app.ledger.published();
    before
        .registry
        .people
        .breaches
        .check(&step, today(app)?, first_access)
        .map_err(|fault| Failure::bad(fault.to_string()))?;
    let id = match &step {
        BreachStep::Started { id, .. } | BreachStep::Noted { id, .. } | BreachStep::Closed { id, .. } => {
            id.clone()
        }
    };
    let mut body = serde_json::to_value(step).map_err(|error| Failure::ours(&error))?;
    // Whom it is about stands in each of its acts, so that a bundle about another person shows none of them.
    let known = before.registry.people.breaches.get(&id).and_then(|one| one.about.clone());
    if let (Some(fields), Some(about)) = (body.as_object_mut(), known) {
        fields.insert("about".to_owned(), json!(about));
    }
    record(app, act::kind::BREACH, by.sign(body)).await?;
    Ok(id)
}

fn answer(app: &App, id: &str) -> Answer<Json<Value>> {
    let after = app.ledger.published();
    let one = after.registry.people.breaches.get(id);
    let one = one.ok_or_else(|| Failure::missing(format!("there is no breach assessment `{id}`")))?;
    Ok(Json(row(app, one)?))
}

#[cfg(test)]
mod tests;
