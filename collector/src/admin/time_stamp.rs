//! Routes of time-stamps: ask now, a request for somebody to take away, and an answer that somebody brings.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::{Answer, Failure};
use crate::app::App;
use crate::time_stamp::ask::{AskError, WITHIN, ask, keep, question, standing};
use crate::time_stamp::{StampedAct, TimeStampAct};

/// Routes below `/v1/time-stamp`.
pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/time-stamp", "The newest time-stamp, and whether one is due", stands)
        .post("/v1/time-stamp", "Ask the time-stamping authority now", now)
        .post("/v1/time-stamp/request", "A question to the authority for somebody to take away", request)
        .post("/v1/time-stamp/add", "Add the authority's answer that somebody fetched", add)
}

async fn stands(State(app): State<App>) -> Json<Value> {
    Json(standing(&app))
}

async fn now(State(app): State<App>) -> Answer<Json<Value>> {
    let stamped = ask(&app, WITHIN).await.map_err(|error| match error {
        AskError::Nobody => Failure::bad(error.to_string()),
        AskError::Speak(_) | AskError::Answer(_) | AskError::Random(_) | AskError::Ledger(_) => {
            Failure::ours(&error)
        }
    })?;
    Ok(Json(told(&stamped)))
}

/// A request is an act: without its nonce in the ledger nothing would tell an answer from an old one.
async fn request(State(app): State<App>) -> Answer<Json<Value>> {
    let asked = question(&app).map_err(|error| Failure::ours(&error))?;
    let query = asked.query().map(|query| STANDARD.encode(query));
    let size = asked.size;
    keep(&app, TimeStampAct::Asked(asked)).await?;
    Ok(Json(json!({"size": size, "request": query})))
}

/// A response as somebody fetched it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fetched {
    /// DER in base64.
    response: String,
}

async fn add(State(app): State<App>, Json(fetched): Json<Fetched>) -> Answer<Json<Value>> {
    let response =
        STANDARD.decode(&fetched.response).map_err(|_| Failure::bad("`response` is DER in base64"))?;
    let stamps = app.ledger.published().registry.stamps.clone();
    let stamped = stamps.add(&response).map_err(|error| {
        Failure::bad(format!("{error}; give the answer to a file that `time-stamp request` wrote, once"))
    })?;
    keep(&app, TimeStampAct::Stamped(stamped.clone())).await?;
    Ok(Json(told(&stamped)))
}

fn told(stamped: &StampedAct) -> Value {
    json!({
        "size": stamped.size, "time": stamped.time, "authority": stamped.authority, "serial": stamped.serial,
        "policy": stamped.policy,
    })
}
