//! `/v1/set-up`: what is still to be set up, that the keys were taken away, that the list is put away.

use axum::Json;
use axum::extract::State;
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Word, sign};
use super::roster::in_force;
use super::{Answer, blocking, proposals, record};
use crate::app::App;
use crate::delivery::task::{notice_ways, report_ways};
use crate::reviewer::Passphrase;
use crate::second;
use crate::set_up::{Facts, KEYS_AWAY, PUT_AWAY, standings};

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/set-up", "What is set up, and what is still to be", show)
        .post("/v1/set-up/keys", "Record that the keys were taken away from the collector", keys_away)
        .post("/v1/set-up/put-away", "Put the list of what is still to be set up away", put_away)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Recorded {
    by: String,
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

async fn show(State(app): State<App>) -> Answer<Json<Value>> {
    let facts = gather(&app).await?;
    let steps = standings(&facts);
    let n_done = steps.iter().filter(|one| one.done).count();
    let is_over = n_done == steps.len() || facts.acts.put_away.is_some();
    Ok(Json(json!({"steps": steps, "done": n_done, "over": is_over, "acts": facts.acts})))
}

/// Whether the list is done with; looked at at every sign-in of a manager.
pub(crate) async fn is_over(app: &App) -> Answer<bool> {
    let facts = gather(app).await?;
    Ok(facts.acts.put_away.is_some() || standings(&facts).iter().all(|one| one.done))
}

async fn gather(app: &App) -> Answer<Facts> {
    let (_, roster) = in_force(app).await?;
    let settings = app.outgoing.settings();
    let reading = app.clone();
    let (places, table) = blocking(move || {
        let places = proposals::standings(&reading)?;
        Ok((places, reading.lookup.rules_now()?.1.name().to_owned()))
    })
    .await?;
    let registry = app.ledger.published().registry;
    let config = &app.practice.config.raw;
    Ok(Facts {
        practice: config.practice.clone(),
        zone: config.timezone.clone(),
        n_people: roster.persons().len(),
        n_accounts: roster.accounts().len(),
        n_reports: report_ways(&settings).len(),
        n_notices: notice_ways(&settings).len(),
        is_second_settled: matches!(
            registry.people.second,
            second::Standing::Named { .. } | second::Standing::Declined { .. }
        ),
        n_machines: registry.machines.values().filter(|machine| machine.revoked.is_none()).count(),
        n_places: places.len(),
        n_undecided: places.iter().filter(|is_decided| !**is_decided).count(),
        table,
        is_witnessed: registry.witnessed.outside.is_some(),
        acts: registry.people.set_up.clone(),
    })
}

async fn keys_away(State(app): State<App>, Json(request): Json<Recorded>) -> Answer<Json<Value>> {
    write(&app, KEYS_AWAY, request).await
}

async fn put_away(State(app): State<App>, Json(request): Json<Recorded>) -> Answer<Json<Value>> {
    write(&app, PUT_AWAY, request).await
}

async fn write(app: &App, change: &str, request: Recorded) -> Answer<Json<Value>> {
    let (_, roster) = in_force(app).await?;
    let by = sign(app, &roster, &request.by, request.passphrase.as_ref(), Word::IsRecorded).await?;
    record(app, act::kind::CONFIGURATION, by.sign(json!({"change": change}))).await?;
    Ok(Json(json!({"recorded": change})))
}
