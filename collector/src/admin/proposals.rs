//! `/v1/watches`: what machines propose to watch, and a person's decision about it.

use axum::Json;
use axum::extract::State;
use jiff::{Timestamp, ToSpan};
use ntk_evidence::act;
use ntk_evidence::event::{Class, Object};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::prove;
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::follow::answer::store_error;
use crate::proposals::{Proposal, Proposals, Standing, Step, WatchAct};
use crate::reviewer::Passphrase;
use crate::ticket::approve::is_approver;

/// A proposal that was not told for so long is shown no more. A machine makes them again at every start.
const PROPOSALS_DAYS: i64 = 400;

pub(super) fn routes() -> Api {
    Api::new().get("/v1/watches", "Places that machines propose to watch", list).post(
        "/v1/watches/decide",
        "Decide whether a proposed place is watched",
        decide,
    )
}

/// `watch confirm`, `watch decline`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecideRequest {
    pub(crate) id: String,
    pub(crate) step: Step,
    pub(crate) by: String,
    pub(crate) passphrase: Passphrase,
    /// The machine, where two proposed the same.
    #[serde(default)]
    pub(crate) machine: Option<String>,
}

fn proposals(app: &App) -> Answer<Proposals> {
    app.lookup.up_to_date()?;
    let now: Timestamp = app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
    let from = now.checked_sub((PROPOSALS_DAYS * 24).hours()).unwrap_or(now);
    let from = i64::try_from(from.as_nanosecond()).unwrap_or(0);
    let records = app.lookup.store().proposals().map_err(store_error)?;
    let recent = records.into_iter().filter(|record| record.received_unix_ns >= from);
    Ok(recent.map(|record| record.proposal).collect())
}

fn row(app: &App, proposal: &Proposal) -> Answer<Value> {
    let mut row = serde_json::to_value(proposal).map_err(|error| Failure::ours(&error))?;
    let decided = app.ledger.published().registry.watch_decisions.about(&proposal.author, &proposal.id);
    if let (Some(decided), Some(fields)) = (decided, row.as_object_mut()) {
        fields.insert("decided".into(), json!(decided));
    }
    Ok(row)
}

async fn list(State(app): State<App>, viewer: Viewer) -> Answer<Json<Value>> {
    Ok(Json(json!({"proposals": proposed(&app, &viewer).await?})))
}

/// Of each proposal, whether it is decided.
pub(super) fn standings(app: &App) -> Answer<Vec<bool>> {
    let proposals = proposals(app)?;
    let published = app.ledger.published();
    let decisions = &published.registry.watch_decisions;
    let is_decided = |proposal: &Proposal| decisions.about(&proposal.author, &proposal.id).is_some();
    Ok(proposals.sorted().into_iter().map(is_decided).collect())
}

/// What machines propose, with what was decided. A look: an act.
pub(crate) async fn proposed(app: &App, viewer: &Viewer) -> Answer<Vec<Value>> {
    let app_for_reading = app.clone();
    let rows = blocking(move || {
        let proposals = proposals(&app_for_reading)?;
        proposals
            .sorted()
            .into_iter()
            .map(|proposal| row(&app_for_reading, proposal))
            .collect::<Answer<Vec<_>>>()
    })
    .await?;
    record(app, act::kind::VIEWED, viewer.looked(json!({"what": "proposals to watch"}))).await?;
    Ok(rows)
}

async fn decide(State(app): State<App>, Json(request): Json<DecideRequest>) -> Answer<Json<Value>> {
    Ok(Json(decided(&app, request).await?))
}

/// A person's decision about a proposal: what it says, and of which machine.
pub(crate) async fn decided(app: &App, request: DecideRequest) -> Answer<Value> {
    let proof = prove(app, &request.by, &request.passphrase).await?;
    let app_for_reading = app.clone();
    let (id, machine, by) = (request.id.clone(), request.machine.clone(), request.by.clone());
    let proposal = blocking(move || {
        let (roster, policy) = app_for_reading.lookup.rules_now()?;
        let may = roster.person(&by).is_some_and(|person| is_approver(person, policy.tickets()));
        if !may {
            return Err(Failure::bad(format!(
                "`--by {by}`: what is watched is decided by somebody whose role approves tickets, such as the manager; whoever looks after the computers does not"
            )));
        }
        one(&proposals(&app_for_reading)?, &id, machine.as_deref())
    })
    .await?;
    let decided = app.ledger.published().registry.watch_decisions.about(&proposal.author, &proposal.id);
    let is_watched = decided == Some(Step::Confirmed) || proposal.standing == Standing::Watched;
    if decided == Some(request.step) || (request.step == Step::Declined && is_watched) {
        let how = if is_watched {
            "watched already, and what is watched stays watched"
        } else {
            "declined already"
        };
        return Err(Failure::bad(format!("`{}` is {how}", proposal.id)));
    }
    let act = WatchAct {
        step: request.step,
        author: proposal.author.clone(),
        id: proposal.id.clone(),
        because: Some(proposal.because.clone()),
    };
    let mut body = serde_json::to_value(&act).map_err(|error| Failure::ours(&error))?;
    if let Some(fields) = body.as_object_mut() {
        fields.insert("by".into(), json!(proof.by()));
        fields.insert("proof".into(), json!(proof.how()));
    }
    let mut event = act::event(act::kind::WATCH, app.ledger.now(), body);
    event.object = Some(Object {
        path: Some(proposal.path.clone()),
        class: Some(Class::from(proposal.class.clone())),
        owner: proposal.owner.clone(),
        ..Object::default()
    });
    let appended = app.ledger.act(vec![event]).await?;
    // The machine hears of it with this round, or with its next greeting.
    let hearing = app.clone();
    tokio::spawn(async move {
        let (trust, _) = hearing.trust.now();
        hearing.rounds.hold(&hearing.ledger, &hearing.liveness, &trust).await.map(|_| ())
    });
    Ok(
        json!({"id": proposal.id, "step": request.step, "path": proposal.path, "machine": proposal.author, "leaf": appended.leaf_index()}),
    )
}

/// The one proposal that is meant.
fn one(proposals: &Proposals, id: &str, machine: Option<&str>) -> Answer<Proposal> {
    let of = |proposal: &&Proposal| {
        machine.is_none_or(|machine| {
            proposal.author.strip_prefix("agent/").unwrap_or(&proposal.author) == machine
        })
    };
    let mut named = proposals.named(id).into_iter().filter(of);
    match (named.next(), named.next()) {
        (Some(proposal), None) => Ok(proposal.clone()),
        (None, _) => {
            Err(Failure::missing(format!("there is no proposal `{id}`; see `ntk-collector watch list`")))
        }
        (Some(_), Some(_)) => Err(Failure::bad(format!(
            "more than one proposal is called `{id}`; write it whole, or name the computer with --machine"
        ))),
    }
}
