//! `/v1/inventory`: what accounts hold on each machine, and a question for how it is now.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use ntk_evidence::act;
use ntk_evidence::hash::hex;
use ntk_evidence::name::Author;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Word, sign};
use super::roster::in_force;
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::follow::answer::store_error;
use crate::home::random;
use crate::inventory::{AskAct, Known};
use crate::reviewer::Passphrase;

/// Bytes of a question's id.
const ID_BYTES: usize = 8;

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/inventory", "What machines said about their accounts, groups and ways in", list)
        .post("/v1/inventory/ask", "Ask machines for their inventory now", ask)
        .get("/v1/inventory/answers", "Which machines have answered the newest question", answers)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    #[serde(default)]
    machine: Option<String>,
}

/// `inventory --now`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskRequest {
    /// One machine; else all of them.
    #[serde(default)]
    pub(crate) machine: Option<String>,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

/// Machines that are let in, name and author, all or the one that is meant.
fn meant(app: &App, machine: Option<&str>) -> Answer<BTreeMap<String, String>> {
    let registry = app.ledger.published().registry;
    let let_in = registry.machines.iter().filter(|(_, machine)| machine.revoked.is_none());
    let name = |author: &str| Some(Author::parse(author).ok()?.machine()?.to_owned());
    let named = let_in.filter_map(|(author, _)| Some((name(author)?, author.clone())));
    let of = |name: &str| machine.is_none_or(|machine| machine == name);
    let found: BTreeMap<String, String> = named.filter(|(name, _)| of(name)).collect();
    match machine {
        Some(machine) if found.is_empty() => Err(Failure::missing(format!(
            "there is no machine `{machine}` that is let in; see `ntk-collector enroll list`"
        ))),
        _ => Ok(found),
    }
}

fn known(app: &App) -> Answer<BTreeMap<String, Known>> {
    app.lookup.up_to_date()?;
    let records = app.lookup.store().inventories().map_err(store_error)?;
    Ok(records.into_iter().map(|record| (record.known.author.clone(), record.known)).collect())
}

async fn list(State(app): State<App>, viewer: Viewer, Query(query): Query<ListQuery>) -> Answer<Json<Value>> {
    Ok(Json(told(&app, &viewer, query.machine.as_deref()).await?))
}

/// What machines told last. A look: an act.
pub(crate) async fn told(app: &App, viewer: &Viewer, machine: Option<&str>) -> Answer<Value> {
    let meant = meant(app, machine)?;
    let app_for_reading = app.clone();
    let machines = blocking(move || {
        let known = known(&app_for_reading)?;
        let row = |(machine, author): (String, String)| match known.get(&author) {
            None => json!({"machine": machine, "author": author}),
            Some(known) => json!({
                "machine": machine, "author": author, "taken": known.taken, "full": known.full,
                "holdings": known.holdings, "administrators": known.administrators(),
                "left_out": known.left_out, "cannot_see": known.cannot_see,
            }),
        };
        Ok(meant.into_iter().map(row).collect::<Vec<_>>())
    })
    .await?;
    let looked = viewer.looked(json!({"what": "inventories of computers", "machine": machine}));
    record(app, act::kind::VIEWED, looked).await?;
    Ok(json!({"machines": machines}))
}

/// Asks; the answers come as entries of the machines.
async fn ask(State(app): State<App>, Json(request): Json<AskRequest>) -> Answer<Json<Value>> {
    Ok(Json(ask_now(&app, request).await?))
}

/// Asks, and says which machines were asked.
pub(crate) async fn ask_now(app: &App, request: AskRequest) -> Answer<Value> {
    let meant = meant(app, request.machine.as_deref())?;
    if meant.is_empty() {
        return Err(Failure::missing("no machine is let in; see `ntk-collector enroll new`"));
    }
    let (_, roster) = in_force(app).await?;
    let by = sign(app, &roster, &request.by, request.passphrase.as_ref(), Word::IsRecorded).await?;
    let id = random().map_err(|error| Failure::ours(&error))?;
    let id = hex(id.get(..ID_BYTES).unwrap_or_default());
    let asked = AskAct { id: id.clone(), authors: meant.values().cloned().collect() };
    let body = serde_json::to_value(&asked).map_err(|error| Failure::ours(&error))?;
    record(app, act::kind::INVENTORY_ASKED, by.sign(body)).await?;
    let streams = app.liveness.streams();
    let app_for_reading = app.clone();
    let known = blocking(move || known(&app_for_reading)).await?;
    // The machines hear of it with this round, or with their next greeting.
    let app = app.clone();
    tokio::spawn(async move {
        let (trust, _) = app.trust.now();
        app.rounds.hold(&app.ledger, &app.liveness, &trust).await.map(|_| ())
    });
    let row = |(machine, author): (String, String)| {
        json!({
            "machine": machine,
            "connected": streams.get(&author).is_some_and(|stream| stream.connected),
            "has_told": known.contains_key(&author),
            "author": author,
        })
    };
    Ok(json!({"id": id, "machines": meant.into_iter().map(row).collect::<Vec<_>>()}))
}

/// Authors that answered their newest question.
async fn answers(State(app): State<App>) -> Answer<Json<Value>> {
    blocking(move || {
        let known = known(&app)?;
        let published = app.ledger.published();
        let asked = &published.registry.inventory_asked;
        let has_answered =
            |known: &&Known| known.answered.is_some() && known.answered.as_deref() == asked.of(&known.author);
        let authors: Vec<&str> =
            known.values().filter(has_answered).map(|known| known.author.as_str()).collect();
        Ok(Json(json!({"answered": authors})))
    })
    .await
}
