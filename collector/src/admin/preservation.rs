//! Holds, custody and `preserve` over the admin API. Each is an act; nothing here removes anything.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use ntk_evidence::act;
use ntk_evidence::hash::Hash;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::Api;
use super::requests::{Edge, moment};
use super::reviewers::{Signature, Word, sign};
use super::roster::in_force;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::follow::answer::{read, store_error};
use crate::hold::{HoldStep, Terms};
use crate::reviewer::Passphrase;
use crate::self_check::self_check;
use crate::time_stamp::ask::{AskError, WITHIN, ask};

/// How long a text of a person may be, bytes.
const TEXT_BYTES_MAX: usize = 2000;
/// The steps of `preserve`.
const STEPS: u64 = 6;

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/hold", "Holds, in force and released", holds)
        .post("/v1/hold", "Hold entries of a case back from removal", add)
        .post("/v1/hold/release", "Release a hold", release)
        .get("/v1/custody", "Exports and hand-overs, by case", custody)
        .post("/v1/custody", "Record that something was handed over", hand_over)
        .post(
            "/v1/preserve",
            "Preserve now: hold, time-stamp, copy outside, inventory, check and round",
            preserve,
        )
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HoldRequest {
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    case: String,
    #[serde(default)]
    person: Option<String>,
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
    from: Option<String>,
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
    to: Option<String>,
    #[schemars(length(min = 1, max = 2000))]
    reason: String,
    by: String,
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseRequest {
    id: String,
    #[serde(default)]
    because: Option<String>,
    by: String,
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CustodyRequest {
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    case: String,
    #[schemars(length(min = 1, max = 2000))]
    what: String,
    #[schemars(length(min = 1, max = 2000))]
    to: String,
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9A-Fa-f]{64}$"))]
    sha256: Option<String>,
    #[serde(default)]
    #[schemars(length(min = 1, max = 2000))]
    note: Option<String>,
    by: String,
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CustodyQuery {
    #[serde(default)]
    case: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PreserveRequest {
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    case: String,
    /// Who asks for it; on the worst day nobody has to look for a passphrase first.
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

/// A case id, as in a bundle's label.
pub(super) fn case_id(case: &str) -> Answer<()> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    if case.is_empty() || case.len() > 64 || !case.bytes().all(plain) {
        return Err(Failure::bad(format!(
            "`{case}` is not a case id: use 1 to 64 letters, digits, `-` and `_`"
        )));
    }
    Ok(())
}

fn one_text(flag: &str, text: &str) -> Answer<()> {
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX || text.contains(char::is_control) {
        return Err(Failure::bad(format!("`{flag}` is one line of at most {TEXT_BYTES_MAX} bytes")));
    }
    Ok(())
}

async fn holds(State(app): State<App>) -> Json<Value> {
    let published = app.ledger.published();
    Json(json!({"holds": published.registry.holds.all()}))
}

async fn add(State(app): State<App>, Json(request): Json<HoldRequest>) -> Answer<Json<Value>> {
    case_id(&request.case)?;
    one_text("--reason", &request.reason)?;
    let zone = app.lookup.zone().clone();
    let edge =
        |text: &Option<String>, edge| text.as_deref().map(|text| moment(text, &zone, edge)).transpose();
    let (from, to) = (edge(&request.from, Edge::Start)?, edge(&request.to, Edge::End)?);
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(Failure::bad("`--from` is later than `--to`"));
    }
    let (_, roster) = in_force(&app).await?;
    if let Some(person) = &request.person {
        super::roster::person(&roster, person)?;
    }
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    let terms = Terms {
        id: app.ledger.published().registry.holds.next_id(),
        case: request.case,
        person: request.person,
        from,
        to,
        reason: request.reason,
        by: Some(by.by),
        proof: Some(by.proof.to_owned()),
    };
    begin(&app, terms).await.map(|id| Json(json!({"id": id})))
}

async fn begin(app: &App, terms: Terms) -> Answer<String> {
    let id = terms.id.clone();
    let body = serde_json::to_value(HoldStep::Began(terms)).map_err(|error| Failure::ours(&error))?;
    record(app, act::kind::HOLD, body).await?;
    Ok(id)
}

async fn release(State(app): State<App>, Json(request): Json<ReleaseRequest>) -> Answer<Json<Value>> {
    let published = app.ledger.published();
    let hold = published.registry.holds.get(&request.id);
    let hold = hold.ok_or_else(|| {
        Failure::missing(format!("there is no hold `{}`; see `ntk-collector hold list`", request.id))
    })?;
    if let Some(when) = &hold.released {
        return Err(Failure::bad(format!("`{}` was released already, {when}", request.id)));
    }
    let (_, roster) = in_force(&app).await?;
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    let step = HoldStep::Released {
        id: request.id.clone(),
        because: request.because,
        by: Some(by.by),
        proof: Some(by.proof.to_owned()),
    };
    record(&app, act::kind::HOLD, serde_json::to_value(step).map_err(|error| Failure::ours(&error))?).await?;
    Ok(Json(json!({"released": request.id})))
}

async fn hand_over(State(app): State<App>, Json(request): Json<CustodyRequest>) -> Answer<Json<Value>> {
    case_id(&request.case)?;
    one_text("--to", &request.to)?;
    one_text("--what", &request.what)?;
    if let Some(note) = &request.note {
        one_text("--note", note)?;
    }
    if request.sha256.as_deref().is_some_and(|hash| Hash::from_hex(hash).is_err()) {
        return Err(Failure::bad("`--sha256` is 64 hex digits, as `sha256sum FILE` prints them"));
    }
    let (_, roster) = in_force(&app).await?;
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::IsRecorded).await?;
    let body = by.sign(json!({
        "case": request.case, "what": request.what, "to": request.to, "sha256": request.sha256, "note": request.note,
    }));
    record(&app, act::kind::CUSTODY, body).await?;
    let exported = match request.sha256 {
        Some(sha256) => exported_at(&app, sha256).await?,
        None => None,
    };
    Ok(Json(json!({"case": request.case, "exported": exported})))
}

/// When a bundle of this hash was made here.
async fn exported_at(app: &App, sha256: String) -> Answer<Option<String>> {
    let app = app.clone();
    blocking(move || {
        app.lookup.up_to_date()?;
        let reader = app.ledger.reader();
        for leaf in app.lookup.store().leaves_of("collector").map_err(store_error)? {
            for (_, entry) in read(&reader, &leaf)?.numbered() {
                let Ok(event) = entry.event() else { continue };
                let body = act::body(&event).filter(|_| event.kind.as_str() == act::kind::CUSTODY);
                let is_it = |key: &str, wanted: &str| {
                    body.and_then(|body| body.get(key)).and_then(Value::as_str) == Some(wanted)
                };
                if is_it("what", "exported") && is_it("sha256", &sha256) {
                    return Ok(Some(event.time.clone()));
                }
            }
        }
        Ok(None)
    })
    .await
}

async fn custody(State(app): State<App>, Query(query): Query<CustodyQuery>) -> Answer<Json<Value>> {
    let lines = blocking(move || {
        app.lookup.up_to_date()?;
        let reader = app.ledger.reader();
        let mut lines = Vec::new();
        for leaf in app.lookup.store().leaves_of("collector").map_err(store_error)? {
            for (number, entry) in read(&reader, &leaf)?.numbered() {
                let Ok(event) = entry.event() else { continue };
                let (kind, Some(body)) = (event.kind.as_str(), act::body(&event)) else { continue };
                let is_of_case = query
                    .case
                    .as_deref()
                    .is_none_or(|case| body.get("case").and_then(Value::as_str) == Some(case));
                if [act::kind::CUSTODY, act::kind::EXPORT].contains(&kind) && is_of_case {
                    lines.push(json!({"act": number, "time": event.time, "kind": kind, "body": body}));
                }
            }
        }
        Ok(lines)
    })
    .await?;
    Ok(Json(json!({"custody": lines})))
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
async fn preserve(State(app): State<App>, Json(request): Json<PreserveRequest>) -> Answer<Json<Value>> {
    case_id(&request.case)?;
    let by = match &request.by {
        Some(by) => {
            let (_, roster) = in_force(&app).await?;
            Some(sign(&app, &roster, by, request.passphrase.as_ref(), Word::IsRecorded).await?)
        }
        None => None,
    };
    let (hold, first) = hold_of(&app, &request.case, by.as_ref()).await;
    let mut steps = vec![first];
    app.job.set(1, STEPS);
    steps.push(time_stamp(&app).await);
    app.job.set(2, STEPS);
    steps.push(copy_outside(&app).await);
    app.job.set(3, STEPS);
    let (inventory, step) = inventory(&app).await;
    steps.push(step);
    app.job.set(4, STEPS);
    steps.push(check(&app).await);
    app.job.set(5, STEPS);
    steps.push(round(&app).await);
    let body = json!({"case": request.case, "hold": hold, "steps": steps, "inventory": inventory});
    let body = by.as_ref().map_or_else(|| body.clone(), |by| by.sign(body.clone()));
    record(&app, act::kind::PRESERVED, body.clone()).await?;
    app.job.set(STEPS, STEPS);
    Ok(Json(body))
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
async fn hold_of(app: &App, case: &str, by: Option<&Signature>) -> (Option<String>, Step) {
    let holds = app.ledger.published().registry.holds.clone();
    // One of a person or a span would not hold everything.
    let of_all = |hold: &&crate::hold::Hold| {
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
        by: by.map(|by| by.by.clone()),
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
                let known = published.authors.iter().find(|(name, _)| name.to_string() == *author);
                json!({
                    "author": author, "enrolled": machine.enrolled, "revoked": machine.revoked,
                    "entries": known.map_or(0, |(_, known)| known.log.size()),
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
        let job = Arc::clone(&app_for_reading.job);
        Ok(self_check(&app_for_reading.practice, &app_for_reading.ledger.reader(), |_| job.set(4, STEPS))?)
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PruneRequest {
    #[serde(default)]
    dry_run: bool,
}

/// Removes entries whose retention is over, or says which would be.
pub(super) async fn prune(State(app): State<App>, Json(request): Json<PruneRequest>) -> Answer<Json<Value>> {
    let outcome = blocking(move || {
        let job = Arc::clone(&app.job);
        let months = app.practice.config.raw.retention.raw_months;
        let outcome =
            crate::prune::prune(&app.ledger, months, request.dry_run, |done, total| job.set(done, total))?;
        if !request.dry_run {
            // What the query store kept of those entries goes with them.
            let reader = app.ledger.reader();
            let is_removed = |leaf: &_| read(&reader, leaf).is_ok_and(|batch| batch.is_removed());
            app.lookup.store().forget_told(is_removed).map_err(store_error)?;
        }
        Ok(outcome)
    })
    .await?;
    Ok(Json(serde_json::to_value(&outcome).map_err(|error| Failure::ours(&error))?))
}
