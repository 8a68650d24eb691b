//! Routes of witnessing and trust: the trust file in force, bodies for witnesses outside, cosignatures back.

use axum::Json;
use axum::extract::{Query, State};
use ntk_evidence::act;
use ntk_evidence::hash::Hash;
use ntk_evidence::witness::AddCheckpoint;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::programs::announced;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::at_rest::convert::for_recovery;
use crate::export::Vouched;
use crate::home::write_file;
use crate::ledger::LedgerError;
use crate::time_stamp::ask::before_a_document;
use crate::witness::{self, By, WitnessedAct};

/// Routes below `/v1/trust` and `/v1/witness`.
pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/trust", "The trust file in force, its words, and the machines' witness keys", show)
        .post("/v1/trust", "Take a trust file that was signed anew", take)
        .get("/v1/witness", "Up to which size and time the log is vouched for", list)
        .post("/v1/witness/round", "Let the connected machines remember the log as it stands now", round)
        .post("/v1/witness/body", "A request for a witness outside to take away", body)
        .post("/v1/witness/add", "Add the cosignature that a witness outside gave", add)
}

async fn show(State(app): State<App>) -> Json<Value> {
    let (trust, text) = app.trust.now();
    let machines: Vec<Value> = app
        .ledger
        .published()
        .registry
        .machines
        .values()
        .filter(|machine| machine.revoked.is_none())
        .map(|machine| json!({"author": machine.enrolment.author, "witness": machine.enrolment.witness}))
        .collect();
    Json(json!({"text": &*text, "words": trust.practice_words(), "machines": machines}))
}

/// A trust file that was signed anew.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Signed {
    text: String,
    /// Programs that a new practice key announces in the place of the one before it.
    #[serde(default)]
    programs: Vec<String>,
}

async fn take(State(app): State<App>, Json(signed): Json<Signed>) -> Answer<Json<Value>> {
    let trust = app.trust.check(&signed.text).map_err(|error| Failure::bad(error.to_string()))?;
    let held = app.trust.now().0;
    let mut body = json!({
        "sha256": Hash::of(signed.text.as_bytes()).to_hex(), "text": signed.text,
        "committee": trust.committee.iter().map(|key| key.name().to_owned()).collect::<Vec<_>>(),
        "outside": trust.outside.iter().map(|key| key.name().to_owned()).collect::<Vec<_>>(),
    });
    let new = trust.succeeded.get(held.succeeded.len()..).unwrap_or_default();
    if let (Some(last), Some(body)) = (new.last(), body.as_object_mut()) {
        let next = trust.practice_key.to_string();
        let handed =
            json!({"former": last.former.to_string(), "next": next, "made": last.made, "why": last.why});
        body.insert("succession".to_owned(), handed);
    }
    let new = trust.retired.get(held.retired.len()..).unwrap_or_default();
    if let (Some(last), Some(body)) = (new.last(), body.as_object_mut()) {
        let replaced =
            json!({"former": last.recipient, "next": trust.recovery, "made": last.made, "why": last.why});
        body.insert("recovery".to_owned(), replaced);
    }
    let mut acts = vec![act::event(act::kind::TRUST, app.ledger.now(), body)];
    for text in &signed.programs {
        acts.push(
            announced(text, &trust, app.ledger.now()).map_err(|error| Failure::bad(error.to_string()))?,
        );
    }
    // The acts first: a file that is in force and of which the ledger knows nothing would be the worse half.
    let _appended = app.ledger.act(acts).await?;
    let (path, text) = (app.practice.home.trust(), signed.text.clone());
    blocking(move || write_file(&path, text.as_bytes(), 0o644).map_err(|error| Failure::ours(&error)))
        .await?;
    app.trust.replace(trust.clone(), &signed.text);
    // Behind the trust file: it says to which key a start encrypts the data key where this one does not come to it.
    let home = app.practice.home.clone();
    let moved = blocking(move || for_recovery(&home, &trust).map_err(|error| Failure::ours(&error))).await;
    moved.map_err(|error| {
        let (status, why) = error.into_parts();
        let said = "the trust file is in force, but the data key could not be encrypted to the new recovery key; start the collector again, which does it";
        Failure::answered(status, format!("{said}: {why}"))
    })?;
    Ok(Json(json!({"taken": true})))
}

async fn list(State(app): State<App>) -> Json<Value> {
    let registry = app.ledger.published().registry;
    let witnessed = &registry.witnessed;
    let until = witnessed.until(&app.trust.now().0);
    let text = |moment: Option<ntk_evidence::time::Moment>| moment.map(|moment| moment.to_rfc3339(0));
    Json(json!({
        "inside": {"size": witnessed.inside.as_ref().map(|kept| kept.size), "until": text(until.inside)},
        "outside": {"size": witnessed.outside.as_ref().map(|kept| kept.size), "until": text(until.outside)},
        "asked": witnessed.asked.iter().map(|kept| kept.size).collect::<Vec<_>>(),
        "remembered": witnessed.remembered,
    }))
}

async fn round(State(app): State<App>) -> Answer<Json<Value>> {
    let (trust, _) = app.trust.now();
    let held = app.rounds.hold(&app.ledger, &app.liveness, &trust).await?;
    Ok(Json(json!({"size": held.checkpoint.size, "note": String::from_utf8_lossy(&held.note)})))
}

/// Which size the witness remembers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default)]
    old: Option<u64>,
    /// Name of the witness's key, or a part of it.
    #[serde(default)]
    name: Option<String>,
}

async fn body(State(app): State<App>, Query(asked): Query<Body>) -> Answer<Json<Value>> {
    let published = app.ledger.published();
    let remembered = &published.registry.witnessed.remembered;
    let known =
        asked.name.as_ref().and_then(|name| remembered.iter().find(|(key, _)| key.contains(name.as_str())));
    let only = remembered.iter().next().filter(|_| remembered.len() == 1 && asked.name.is_none());
    let old = asked.old.or(known.or(only).map(|(_, size)| *size)).unwrap_or(0);
    let checkpoint = published.checkpoint;
    let size = checkpoint.checkpoint.size;
    if old > size {
        return Err(Failure::bad(format!(
            "the witness remembers size {old} and this ledger has {size}: it was cut or rolled back; keep both"
        )));
    }
    let note = String::from_utf8_lossy(&checkpoint.note).into_owned();
    let proof = app.ledger.consistency(old, size)?;
    let request = AddCheckpoint { old, proof, checkpoint: note.clone() };
    let act = WitnessedAct { by: By::Asked, size, note, seen: None, cosigned: Vec::new() };
    let value = serde_json::to_value(act).map_err(|error| Failure::ours(&error))?;
    record(&app, act::kind::WITNESSED, value).await?;
    Ok(Json(json!({"size": size, "old": old, "body": request.to_string()})))
}

/// A cosignature as `ntk-verify witness` wrote it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Cosignature {
    text: String,
}

async fn add(State(app): State<App>, Json(cosignature): Json<Cosignature>) -> Answer<Json<Value>> {
    let registry = app.ledger.published().registry;
    let witnessed = &registry.witnessed;
    let (trust, _) = app.trust.now();
    let act = witness::add(witnessed, &cosignature.text, &trust.outside)
        .map_err(|error| Failure::bad(error.to_string()))?;
    let (size, by) = (act.size, act.cosigned.clone());
    let value = serde_json::to_value(act).map_err(|error| Failure::ours(&error))?;
    record(&app, act::kind::WITNESSED, value).await?;
    Ok(Json(json!({"size": size, "by": by})))
}

/// What vouches for a document: a time-stamp where one can be had soon, and a round that is held now, so that as many
/// as can have seen its checkpoint.
pub(super) async fn vouched(app: &App) -> Result<Vouched, LedgerError> {
    let unstamped = before_a_document(app).await;
    let (trust, trust_text) = app.trust.now();
    let checkpoint = app.rounds.hold(&app.ledger, &app.liveness, &trust).await?;
    let outside = app.ledger.published().registry.witnessed.outside.clone();
    Ok(Vouched { checkpoint, trust, trust_text, outside, unstamped })
}
