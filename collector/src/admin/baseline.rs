//! `/v1/baseline`: what four weeks of entries propose as jobs, and a person's word that one of them is right.

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::reviewers::prove;
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::baseline::{Baseline, Confirmation, Survey, confirm};
use crate::reviewer::Passphrase;
use crate::roster::Roster;

/// `baseline confirm`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    /// Id of the proposal.
    pub id: String,
    /// Id of the person who confirms.
    pub by: String,
    /// Last day on which the job counts.
    #[serde(default)]
    #[schemars(extend("format" = "date"))]
    pub until: Option<String>,
    /// How the person shows who they are.
    pub passphrase: Passphrase,
}

/// What is proposed now.
pub async fn list(State(app): State<App>, viewer: Viewer) -> Answer<Json<Value>> {
    let baseline = proposed(&app, &viewer).await?;
    Ok(Json(serde_json::to_value(&baseline).map_err(|error| Failure::ours(&error))?))
}

/// What four weeks propose now. A look: an act.
pub(crate) async fn proposed(app: &App, viewer: &Viewer) -> Answer<Baseline> {
    let app_for_reading = app.clone();
    let baseline = blocking(move || Ok(survey(&app_for_reading)?.1)).await?;
    record(app, act::kind::VIEWED, viewer.looked(json!({"what": "baseline"}))).await?;
    Ok(baseline)
}

/// Appends the job of a proposal to the roster in force.
pub async fn confirm_proposal(
    State(app): State<App>,
    Json(request): Json<ConfirmRequest>,
) -> Answer<Json<Value>> {
    Ok(Json(confirmed(&app, request).await?))
}

/// The same: the roster's new version, and what the job does, in a sentence.
pub(crate) async fn confirmed(app: &App, request: ConfirmRequest) -> Answer<Value> {
    let until = request.until.as_deref().map(day).transpose()?;
    let proof = prove(app, &request.by, &request.passphrase).await?;
    // From the text that is read to the one that is written: another change of the roster between them would be lost.
    let _turn = app.turns.roster.lock().await;
    let app_for_reading = app.clone();
    let (confirmed, sentence) = blocking(move || {
        let (today, baseline) = survey(&app_for_reading)?;
        let proposal = baseline.proposals.iter().find(|proposal| proposal.id == request.id);
        let proposal = proposal.ok_or_else(|| {
            Failure::missing(format!(
                "there is no proposal `{}` now, because new entries change what is proposed; look at the proposals again",
                request.id
            ))
        })?;
        let (text, _) = app_for_reading.lookup.rule_texts_now()?;
        let confirmation = Confirmation { by: proof.by(), proof: proof.how(), on: today, until };
        let confirmed = confirm(&text, proposal, confirmation)
            .map_err(|fault| Failure::bad(crate::error_chain(&fault)))?;
        Ok((confirmed, proposal.sentence.clone()))
    })
    .await?;
    record(app, act::kind::ROSTER, confirmed.body).await?;
    Ok(json!({
        "version": confirmed.roster.version(),
        "jobs": confirmed.roster.jobs().len(),
        "sentence": sentence,
    }))
}

fn day(text: &str) -> Answer<Date> {
    text.parse()
        .map_err(|_| Failure::bad(format!("`{text}` is not a day; write the last day like 2027-06-30")))
}

fn survey(app: &App) -> Answer<(Date, Baseline)> {
    let now = app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
    let today = crate::need_to_know::LocalTime::new(now, app.lookup.zone()).date;
    let first = app.lookup.store().leaf(0).map_err(|error| Failure::ours(&error))?;
    let oldest =
        first.and_then(|leaf| jiff::Timestamp::from_nanosecond(i128::from(leaf.received_unix_ns)).ok());
    let mut survey = Survey::new(now, oldest);
    let nanos = |at: jiff::Timestamp| i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX);
    app.lookup
        .rolled(nanos(survey.start()), nanos(now), |seen| survey.observe(seen.access, seen.decision))?;
    let roster: Roster = app.lookup.rules_now()?.0;
    Ok((today, survey.finish(&roster, today)))
}
