//! `/v1/programs`: programs that the practice key announced.

use axum::Json;
use axum::extract::State;
use ntk_evidence::act;
use ntk_evidence::program::Announcement;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::{Answer, Failure, record};
use crate::app::App;

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/programs", "Programs that the practice key announced, each with the signed text", list)
        .post("/v1/programs", "Take an announcement that the practice key signed", take)
}

async fn list(State(app): State<App>) -> Json<Value> {
    let (trust, registry) = (app.trust.now().0, app.ledger.published().registry);
    let announced: Vec<Value> = registry
        .programs
        .in_force(&trust)
        .into_iter()
        .map(|(one, text)| {
            let packages: Vec<String> = one.packages.iter().map(|hash| hash.to_hex()).collect();
            json!({"version": one.version, "platform": one.platform, "made": one.made,
                   "program": one.program.to_hex(), "packages": packages, "text": text})
        })
        .collect();
    Json(json!({"programs": announced}))
}

/// What the practice key signed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Signed {
    text: String,
}

async fn take(State(app): State<App>, Json(signed): Json<Signed>) -> Answer<Json<Value>> {
    let trust = app.trust.now().0;
    let one = Announcement::parse(signed.text.as_bytes(), &trust.slug, &trust.practice_key)
        .map_err(|error| Failure::bad(error.to_string()))?;
    let program = one.program.to_hex();
    let body = json!({"step": "announced", "version": one.version, "platform": one.platform,
                      "program": program, "text": signed.text});
    record(&app, act::kind::PROGRAM, body).await?;
    Ok(Json(json!({"announced": program})))
}
