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
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::mine::Mine;
use crate::people::SELF_VIEW;
use crate::reviewer::Passphrase;

/// For how many days where nothing is said.
const DAYS: u16 = 7;
/// For how many at most.
const DAYS_MAX: u16 = 31;

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
struct SetRequest {
    allowed: bool,
    by: String,
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

async fn set(State(app): State<App>, Json(request): Json<SetRequest>) -> Answer<Json<Value>> {
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

/// A person's own entries of the last days. That they looked is an act.
async fn mine(State(app): State<App>, Query(query): Query<MineQuery>) -> Answer<Json<Value>> {
    if !app.ledger.published().registry.people.self_view {
        return Err(Failure::not_theirs(
            "this practice does not show people what is recorded about themselves; whoever approves can allow it: ntk-collector self-view allow --by WHO",
        ));
    }
    let days = query.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Failure::bad(format!("`days` is at least 1 and at most {DAYS_MAX}")));
    }
    let (_, roster) = in_force(&app).await?;
    person(&roster, &query.person)?;
    let now: Timestamp = app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
    let from = now.checked_sub((i64::from(days) * 24).hours()).unwrap_or(Timestamp::UNIX_EPOCH);
    let looked = json!({"what": "what is recorded about oneself", "person": query.person});
    let app_for_reading = app.clone();
    let found = blocking(move || {
        let mut found = Mine::default();
        let zone = app_for_reading.lookup.zone().clone();
        let (from_ns, from_at) = (i64::try_from(from.as_nanosecond()).unwrap_or(0), from);
        app_for_reading.lookup.events(from_ns, i64::MAX, |seen| {
            if seen.access.local.is_none_or(|local| local.at >= from_at) {
                found.observe(&query.person, &seen, &zone);
            }
        })?;
        serde_json::to_value(found.finish()).map_err(|error| Failure::ours(&error))
    })
    .await?;
    record(&app, act::kind::VIEWED, looked).await?;
    Ok(Json(json!({"days": days, "mine": found})))
}

#[cfg(test)]
mod tests;
