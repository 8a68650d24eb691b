//! `/v1/programs`: programs that the practice key announced, and withdrew.

use axum::Json;
use axum::extract::State;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::program::withdrawal::Withdrawal;
use ntk_evidence::program::{Announcement, AnnouncementError};
use ntk_evidence::trust::TrustFile;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::{Answer, Failure};
use crate::app::App;

pub(super) fn routes() -> Api {
    Api::new()
        .get(
            "/v1/programs",
            "Programs that the practice key announced, each with the signed text; and which it withdrew",
            list,
        )
        .post("/v1/programs", "Take an announcement that the practice key signed", take)
        .post("/v1/programs/withdraw", "Take a withdrawal that the practice key signed", withdraw)
}

async fn list(State(app): State<App>) -> Json<Value> {
    let (trust, registry) = (app.trust.now().0, app.ledger.published().registry);
    let known = registry.programs.known(&trust).into_iter();
    let programs = known.map(|known| {
        let one = known.announcement;
        let packages: Vec<String> = one.packages.iter().map(|hash| hash.to_hex()).collect();
        let withdrawn = known.withdrawn.map(|(by, text)| json!({"made": by.of.made, "reason": by.reason, "text": text}));
        json!({"version": one.version, "platform": one.platform, "made": one.made, "program": one.program.to_hex(),
               "packages": packages, "text": known.text, "withdrawn": withdrawn})
    });
    Json(json!({"programs": programs.collect::<Vec<_>>()}))
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
    let registry = app.ledger.published().registry;
    let ended = registry.programs.known(&trust).into_iter().filter_map(|known| known.withdrawn);
    if let Some((by, _)) = ended.into_iter().find(|(by, _)| by.ends(&one)) {
        return Err(Failure::bad(format!(
            "this program was withdrawn at {}, later than this announcement of it was made; sign another one now if it may run again",
            by.of.made
        )));
    }
    let act =
        announced(&signed.text, &trust, app.ledger.now()).map_err(|error| Failure::bad(error.to_string()))?;
    let _appended = app.ledger.act(vec![act]).await?;
    Ok(Json(json!({"announced": one.program.to_hex()})))
}

/// The act of an announcement that the practice key of this trust file signed.
pub(super) fn announced(text: &str, trust: &TrustFile, now: String) -> Result<Event, AnnouncementError> {
    let one = Announcement::parse(text.as_bytes(), &trust.slug, &trust.practice_key)?;
    let body = json!({"step": "announced", "version": one.version, "platform": one.platform,
                      "program": one.program.to_hex(), "text": text});
    Ok(act::event(act::kind::PROGRAM, now, body))
}

async fn withdraw(State(app): State<App>, Json(signed): Json<Signed>) -> Answer<Json<Value>> {
    let trust = app.trust.now().0;
    let one = Withdrawal::parse(signed.text.as_bytes(), &trust.slug, &trust.practice_key)
        .map_err(|error| Failure::bad(error.to_string()))?;
    let registry = app.ledger.published().registry;
    if !registry.programs.known(&trust).iter().any(|known| one.ends(&known.announcement)) {
        return Err(Failure::bad(
            "this withdraws nothing: no such program is announced, or its announcement was made later; look at the clock where the key is",
        ));
    }
    let program = one.of.program.to_hex();
    let body = json!({"step": "withdrawn", "version": one.of.version, "platform": one.of.platform,
                      "program": program, "reason": one.reason, "text": signed.text});
    let _appended = app.ledger.act(vec![act::event(act::kind::PROGRAM, app.ledger.now(), body)]).await?;
    Ok(Json(json!({"withdrawn": program})))
}
