//! `preserve` over the admin API: what secures everything at once, step by step, whatever became of the step before.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use ntk_evidence::act;
use ntk_evidence::name::Author;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::Api;
use super::preservation::{acts_of, begin, case_id};
use super::reviewers::{Signature, Word, sign};
use super::roster::in_force;
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::{App, Job};
use crate::bundles::acts::Line;
use crate::bundles::work::What;
use crate::hold::{Hold, Terms};
use crate::reviewer::Passphrase;
use crate::self_check::self_check;
use crate::time_stamp::ask::{AskError, WITHIN, ask};

/// How many steps there are.
const STEPS: u64 = 6;

pub(super) fn routes() -> Api {
    Api::new().get("/v1/preserve", "What was preserved so far, step by step", preserved).post(
        "/v1/preserve",
        "Preserve now: hold, time-stamp, copy outside, inventory, check and round",
        preserve,
    )
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreserveRequest {
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    pub(crate) case: String,
    /// Who asks for it; on the worst day nobody has to look for a passphrase first.
    #[serde(default)]
    pub(crate) by: Option<String>,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

async fn preserved(State(app): State<App>) -> Answer<Json<Value>> {
    let lines = preserved_so_far(&app).await?;
    let lines: Vec<Value> =
        lines.iter().map(|line| json!({"act": line.act, "time": line.time, "body": line.body})).collect();
    Ok(Json(json!({"preserved": lines})))
}

/// What was preserved so far, oldest first.
pub(crate) async fn preserved_so_far(app: &App) -> Answer<Vec<Line>> {
    let app = app.clone();
    blocking(move || acts_of(&app, &[act::kind::PRESERVED])).await
}

/// How a step of `preserve` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Ended {
    Done,
    NotConfigured,
    Failed,
}

#[derive(Debug, Serialize)]
struct Step {
    step: &'static str,
    outcome: Ended,
    said: String,
}

/// Every step is tried, whatever became of the one before; what is not set up is said. Names nobody.
async fn preserve(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<PreserveRequest>,
) -> Answer<Json<Value>> {
    case_id(&request.case)?;
    let by = asked_by(&app, &request).await?;
    let job = Arc::clone(&app.job);
    Ok(Json(preserve_now(&app, &viewer, &request.case, by, &job).await?))
}

/// Who asks, where somebody says so.
pub(super) async fn asked_by(app: &App, request: &PreserveRequest) -> Answer<Option<Signature>> {
    let Some(by) = &request.by else { return Ok(None) };
    let (_, roster) = in_force(app).await?;
    sign(app, &roster, by, request.passphrase.as_ref(), Word::IsRecorded).await.map(Some)
}

/// Begins it in the background; a wrong passphrase is told at once.
pub(crate) async fn begin_preserving(app: &App, viewer: &Viewer, request: PreserveRequest) -> Answer<()> {
    case_id(&request.case)?;
    let now = app.desk.now().timestamp();
    let turn = app
        .works
        .begin(What::Preserve, &request.case, now)
        .map_err(|running| super::bundles::busy(&running))?;
    let by = match asked_by(app, &request).await {
        Ok(by) => by,
        Err(failure) => {
            turn.give_back();
            return Err(failure);
        }
    };
    let (app, viewer) = (app.clone(), viewer.clone());
    tokio::spawn(async move {
        let job = Arc::clone(&app.works.job);
        let ended = preserve_now(&app, &viewer, &request.case, by, &job).await;
        turn.end(ended.map(|_| request.case).map_err(|failure| failure.sentence));
    });
    Ok(())
}

/// The steps, one after the other. Without a passphrase it is in the name of whoever is signed in, and proves nothing.
async fn preserve_now(
    app: &App,
    viewer: &Viewer,
    case: &str,
    by: Option<Signature>,
    job: &Job,
) -> Answer<Value> {
    job.set(0, STEPS);
    let (hold, first) = hold_of(app, viewer, case, by.as_ref()).await;
    let mut steps = vec![first];
    job.set(1, STEPS);
    steps.push(time_stamp(app).await);
    job.set(2, STEPS);
    steps.push(copy_outside(app).await);
    job.set(3, STEPS);
    let (inventory, step) = inventory(app).await;
    steps.push(step);
    job.set(4, STEPS);
    steps.push(check(app).await);
    job.set(5, STEPS);
    steps.push(round(app).await);
    let body = json!({"case": case, "hold": hold, "steps": steps, "inventory": inventory});
    let body = match &by {
        Some(by) => by.sign(body),
        None => viewer.looked(body),
    };
    record(app, act::kind::PRESERVED, body.clone()).await?;
    job.set(STEPS, STEPS);
    Ok(body)
}

/// A time-stamp over the log as it stands, the hold included.
async fn time_stamp(app: &App) -> Step {
    match ask(app, WITHIN).await {
        Ok(stamped) => {
            let by = stamped.authority.unwrap_or_else(|| "an authority that does not name itself".to_owned());
            ended(
                "time-stamp",
                Ok(format!("the log at size {} was stamped at {} by {by}", stamped.size, stamped.time)),
            )
        }
        Err(AskError::Nobody) => not_set_up("time-stamp", "no time-stamping authority is configured"),
        Err(failure) => ended("time-stamp", Err(Failure::ours(&failure))),
    }
}

fn not_set_up(step: &'static str, said: &str) -> Step {
    Step { step, outcome: Ended::NotConfigured, said: said.to_owned() }
}

fn ended(step: &'static str, result: Answer<String>) -> Step {
    match result {
        Ok(said) => Step { step, outcome: Ended::Done, said },
        Err(failure) => Step { step, outcome: Ended::Failed, said: failure.sentence },
    }
}

/// Everything up to now, outside: the segment in use is finished first.
async fn copy_outside(app: &App) -> Step {
    if app.off_site.target().is_none() {
        return not_set_up(
            "off-site copy",
            "no copy is made outside this machine; set `[off_site]` in collector.toml",
        );
    }
    let ran = super::off_site::copy_now(app, |_, _| {}).await;
    ended(
        "off-site copy",
        ran.map(|copied| {
            format!(
                "{} sent, {} there, up to {} leaves of the log",
                copied.n_sent,
                copied.list.segments.len(),
                copied.list.log_size
            )
        }),
    )
}

/// The hold of a case: the one in force, else a new one of everything.
async fn hold_of(app: &App, viewer: &Viewer, case: &str, by: Option<&Signature>) -> (Option<String>, Step) {
    let holds = app.ledger.published().registry.holds.clone();
    // One of a person or a span would not hold everything.
    let of_all = |hold: &&Hold| {
        let terms = &hold.terms;
        terms.case == case && terms.person.is_none() && terms.from.is_none() && terms.to.is_none()
    };
    if let Some(hold) = holds.in_force().find(of_all) {
        let id = hold.terms.id.clone();
        return (Some(id.clone()), ended("hold", Ok(format!("{id} is in force since {}", hold.began))));
    }
    let terms = Terms {
        id: holds.next_id(),
        case: case.to_owned(),
        person: None,
        from: None,
        to: None,
        reason: "preserve".to_owned(),
        by: by.map(|by| by.by.clone()).or_else(|| viewer.person().map(str::to_owned)),
        proof: by.map(|by| by.proof.to_owned()),
    };
    match begin(app, terms).await {
        Ok(id) => (Some(id.clone()), ended("hold", Ok(format!("{id} holds everything from now on")))),
        Err(failure) => (None, ended("hold", Err(failure))),
    }
}

/// Which machines have sent how much, and when each was last heard; which computers the roster knows besides.
async fn inventory(app: &App) -> (Value, Step) {
    let app_for_reading = app.clone();
    let found = blocking(move || {
        let app = app_for_reading;
        let (roster, policy) = app.lookup.rules_now()?;
        let published = app.ledger.published();
        let streams = app.liveness.streams();
        let machines: Vec<Value> = published
            .registry
            .machines
            .iter()
            .map(|(author, machine)| {
                let known = Author::parse(author).ok().and_then(|author| published.authors.get(&author));
                json!({
                    "author": author, "enrolled": machine.enrolled, "revoked": machine.revoked,
                    "entries": known.map_or(0, |known| known.log.size()),
                    "last_spoke": streams.get(author).map(|stream| stream.last_spoke.clone()),
                })
            })
            .collect();
        let without: Vec<&str> = roster
            .machines()
            .iter()
            .map(|machine| machine.name.as_str())
            .filter(|name| !published.registry.machines.contains_key(&format!("agent/{name}")))
            .collect();
        let said = format!(
            "{} recording, {} known and not recording, log of {} batches",
            crate::report::text::count(
                u64::try_from(machines.len()).unwrap_or(u64::MAX),
                "machine",
                "machines"
            ),
            without.len(),
            published.checkpoint.checkpoint.size
        );
        let value = json!({
            "machines": machines, "known_without_agent": without, "policy_hash": policy.hash(),
            "roster_version": roster.version(), "log_size": published.checkpoint.checkpoint.size,
            "log_root": published.checkpoint.checkpoint.root.to_base64(),
        });
        Ok((value, said))
    })
    .await;
    match found {
        Ok((value, said)) => (value, ended("inventory", Ok(said))),
        Err(failure) => (Value::Null, ended("inventory", Err(failure))),
    }
}

async fn check(app: &App) -> Step {
    let app_for_reading = app.clone();
    let checked = blocking(move || {
        Ok(self_check(&app_for_reading.practice, &app_for_reading.ledger.reader(), |_| {})?)
    })
    .await;
    let recorded = match checked {
        Ok(check) => match serde_json::to_value(&check) {
            Ok(body) => record(app, act::kind::SELF_CHECK, body).await.map(|_| check),
            Err(error) => Err(Failure::ours(&error)),
        },
        Err(failure) => Err(failure),
    };
    match recorded {
        Ok(check) if check.passed => ended("self-check", Ok(check.sentence)),
        Ok(check) => Step { step: "self-check", outcome: Ended::Failed, said: check.sentence },
        Err(failure) => ended("self-check", Err(failure)),
    }
}

/// Which machines remember the newest checkpoint: rounds go by themselves.
/// Holds a round now: as many as are connected remember the log as it stands.
async fn round(app: &App) -> Step {
    let streams = app.liveness.streams();
    let connected = streams.values().filter(|stream| stream.connected).count();
    if connected == 0 {
        return not_set_up("witness round", "no machine is connected that could remember a checkpoint");
    }
    let (trust, _) = app.trust.now();
    let held = app.rounds.hold(&app.ledger, &app.liveness, &trust).await.map_err(Failure::from);
    let until = app.ledger.published().registry.witnessed.until(&trust);
    let vouched = until
        .inside
        .map_or("the trust file names no committee that cosigned it", |_| "the committee cosigned");
    ended(
        "witness round",
        held.map(|held| {
            format!(
                "{connected} connected; the checkpoint went round at size {}; {vouched}",
                held.checkpoint.size
            )
        }),
    )
}
