//! What is recorded about oneself, over the admin API; off until somebody allows it, which is an act.

use axum::Json;
use axum::extract::{Query, State};
use jiff::{Timestamp, ToSpan as _};
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Word, sign};
use super::roster::{in_force, person};
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::mine::Mine;
use crate::people::SELF_VIEW;
use crate::reviewer::Passphrase;

/// For how many days where nothing is said.
pub(crate) const DAYS: u16 = 7;
/// For how many at most.
pub(crate) const DAYS_MAX: u16 = 31;

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/mine", "What is recorded about one person, for that person", mine)
        .get("/v1/self-view", "Whether people see what is recorded about themselves", show)
        .post("/v1/self-view", "Allow or forbid that people see what is recorded about themselves", set)
}

async fn show(State(app): State<App>) -> Json<Value> {
    Json(json!({"allowed": app.ledger.published().registry.people.self_view}))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetRequest {
    pub(crate) allowed: bool,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

pub(crate) async fn set(State(app): State<App>, Json(request): Json<SetRequest>) -> Answer<Json<Value>> {
    let (_, roster) = in_force(&app).await?;
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    if app.ledger.published().registry.people.self_view == request.allowed {
        let already = if request.allowed { "allowed" } else { "not allowed" };
        return Err(Failure::bad(format!(
            "that people see what is recorded about themselves is {already} already"
        )));
    }
    let body = by.sign(json!({"change": SELF_VIEW, "allowed": request.allowed}));
    record(&app, act::kind::CONFIGURATION, body).await?;
    Ok(Json(json!({"allowed": request.allowed})))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MineQuery {
    person: String,
    #[serde(default)]
    days: Option<u16>,
}

/// A person's own entries of the last days; whoever is signed in asks for their own only.
async fn mine(State(app): State<App>, viewer: Viewer, Query(query): Query<MineQuery>) -> Answer<Json<Value>> {
    if viewer.person().is_some_and(|own| own != query.person) {
        return Err(Failure::not_theirs(
            "whoever is signed in sees here what is recorded about themselves, and nobody else",
        ));
    }
    let days = query.days.unwrap_or(DAYS);
    let found = read(&app, &viewer, &query.person, days).await?;
    Ok(Json(json!({"days": days, "mine": found})))
}

/// What is recorded about a person in the last days. That somebody looked is an act.
pub(crate) async fn read(app: &App, viewer: &Viewer, id: &str, days: u16) -> Answer<Mine> {
    if !app.ledger.published().registry.people.self_view {
        return Err(Failure::not_theirs(
            "this practice does not show people what is recorded about themselves; whoever approves can allow it: ntk-collector self-view allow --by WHO",
        ));
    }
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Failure::bad(format!("`days` is at least 1 and at most {DAYS_MAX}")));
    }
    let (_, roster) = in_force(app).await?;
    person(&roster, id)?;
    let now: Timestamp = app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
    let from = now.checked_sub((i64::from(days) * 24).hours()).unwrap_or(Timestamp::UNIX_EPOCH);
    let looked = viewer.looked(json!({"what": "what is recorded about oneself", "person": id}));
    let (app_for_reading, id) = (app.clone(), id.to_owned());
    let found = blocking(move || {
        let mut found = Mine::default();
        let zone = app_for_reading.lookup.zone().clone();
        let (from_ns, from_at) = (i64::try_from(from.as_nanosecond()).unwrap_or(0), from);
        app_for_reading.lookup.events(from_ns, i64::MAX, |seen| {
            if seen.access.local.is_none_or(|local| local.at >= from_at) {
                found.observe(&id, &seen, &zone);
            }
        })?;
        Ok(found.finish())
    })
    .await?;
    record(app, act::kind::VIEWED, looked).await?;
    Ok(found)
}

#[cfg(test)]
mod tests;
