//! Holds, custody and retention over the admin API. Each is an act; entries are taken away by `prune` alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use ntk_evidence::act;
use ntk_evidence::hash::Hash;
use ntk_segment::pointer::SegmentNumber;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::requests::{Edge, moment};
use super::reviewers::{Word, sign};
use super::roster::in_force;
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::bundles::acts::Line;
use crate::follow::answer::{read, store_error};
use crate::hold::{Hold, HoldStep, Terms};
use crate::reviewer::Passphrase;
use crate::store::LeafRecord;

/// How long a text of a person may be, bytes.
const TEXT_BYTES_MAX: usize = 2000;

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/hold", "Holds, in force and released", holds)
        .post("/v1/hold", "Hold entries of a case back from removal", add)
        .post("/v1/hold/release", "Release a hold", release)
        .get("/v1/custody", "Exports and hand-overs, by case", custody)
        .post("/v1/custody", "Record that something was handed over", hand_over)
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
pub(crate) struct ReleaseRequest {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) because: Option<String>,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustodyRequest {
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    pub(crate) case: String,
    #[schemars(length(min = 1, max = 2000))]
    pub(crate) what: String,
    #[schemars(length(min = 1, max = 2000))]
    pub(crate) to: String,
    /// By which way: by hand, by courier.
    #[serde(default)]
    #[schemars(length(min = 1, max = 2000))]
    pub(crate) how: Option<String>,
    /// When; now where absent.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
    pub(crate) when: Option<String>,
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9A-Fa-f]{64}$"))]
    pub(crate) sha256: Option<String>,
    #[serde(default)]
    #[schemars(length(min = 1, max = 2000))]
    pub(crate) note: Option<String>,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CustodyQuery {
    #[serde(default)]
    case: Option<String>,
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

async fn holds(State(app): State<App>, viewer: Viewer) -> Answer<Json<Value>> {
    let (holds, not_shown) = holds_for(&app, &viewer).await?;
    Ok(Json(json!({"holds": holds, "not_shown": not_shown})))
}

/// The holds that the one who asks is shown: none about themselves; and how many they are not shown.
pub(crate) async fn holds_for(app: &App, viewer: &Viewer) -> Answer<(Vec<Hold>, usize)> {
    let (_, roster) = in_force(app).await?;
    let them = viewer.themselves(&roster);
    let all: Vec<Hold> = app.ledger.published().registry.holds.all().into_iter().cloned().collect();
    let is_theirs =
        |hold: &Hold| hold.terms.person.as_ref().is_some_and(|person| them.are_named(person, &roster));
    let (theirs, shown): (Vec<Hold>, Vec<Hold>) = all.into_iter().partition(is_theirs);
    Ok((shown, theirs.len()))
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

pub(super) async fn begin(app: &App, terms: Terms) -> Answer<String> {
    let id = terms.id.clone();
    let body = serde_json::to_value(HoldStep::Began(terms)).map_err(|error| Failure::ours(&error))?;
    record(app, act::kind::HOLD, body).await?;
    Ok(id)
}

async fn release(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<ReleaseRequest>,
) -> Answer<Json<Value>> {
    let id = released(&app, &viewer, request).await?;
    Ok(Json(json!({"released": id})))
}

/// Releases a hold; nobody releases one about themselves.
pub(crate) async fn released(app: &App, viewer: &Viewer, request: ReleaseRequest) -> Answer<String> {
    let published = app.ledger.published();
    let hold = published.registry.holds.get(&request.id);
    let hold = hold.ok_or_else(|| {
        Failure::missing(format!("there is no hold `{}`; see `ntk-collector hold list`", request.id))
    })?;
    if let Some(when) = &hold.released {
        return Err(Failure::bad(format!("`{}` was released already, {when}", request.id)));
    }
    let (_, roster) = in_force(app).await?;
    let about = hold.terms.person.as_deref();
    if about.is_some_and(|person| viewer.themselves(&roster).are_named(person, &roster)) {
        return Err(Failure::not_theirs("This hold is about you: somebody else who decides releases it."));
    }
    let by = sign(app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    let step = HoldStep::Released {
        id: request.id.clone(),
        because: request.because,
        by: Some(by.by),
        proof: Some(by.proof.to_owned()),
    };
    record(app, act::kind::HOLD, serde_json::to_value(step).map_err(|error| Failure::ours(&error))?).await?;
    Ok(request.id)
}

async fn hand_over(State(app): State<App>, Json(request): Json<CustodyRequest>) -> Answer<Json<Value>> {
    let case = request.case.clone();
    let exported = handed_over(&app, request).await?;
    Ok(Json(json!({"case": case, "exported": exported})))
}

/// Writes down that something went from hand to hand; when the bundle of that hash was made here.
pub(crate) async fn handed_over(app: &App, request: CustodyRequest) -> Answer<Option<String>> {
    case_id(&request.case)?;
    one_text("--to", &request.to)?;
    one_text("--what", &request.what)?;
    for (flag, text) in [("--note", &request.note), ("--how", &request.how)] {
        text.as_deref().map_or(Ok(()), |text| one_text(flag, text))?;
    }
    let zone = app.lookup.zone().clone();
    let when = request.when.as_deref().map(|when| moment(when, &zone, Edge::Start)).transpose()?;
    if when.is_some_and(|when| when > app.desk.now().timestamp()) {
        return Err(Failure::bad("`--when` is yet to come"));
    }
    if request.sha256.as_deref().is_some_and(|hash| Hash::from_hex(hash).is_err()) {
        return Err(Failure::bad("`--sha256` is 64 hex digits, as `sha256sum FILE` prints them"));
    }
    let (_, roster) = in_force(app).await?;
    let by = sign(app, &roster, &request.by, request.passphrase.as_ref(), Word::IsRecorded).await?;
    let mut body = by.sign(json!({
        "case": request.case, "what": request.what, "to": request.to, "sha256": request.sha256, "note": request.note,
    }));
    let more = [("how", request.how.map(Value::from)), ("when", when.map(|when| json!(when.to_string())))];
    for (key, value) in more {
        if let (Some(fields), Some(value)) = (body.as_object_mut(), value) {
            fields.insert(key.to_owned(), value);
        }
    }
    record(app, act::kind::CUSTODY, body).await?;
    match request.sha256 {
        Some(sha256) => exported_at(app, sha256).await,
        None => Ok(None),
    }
}

/// When a bundle of this hash was made here.
pub(crate) async fn exported_at(app: &App, sha256: String) -> Answer<Option<String>> {
    let app = app.clone();
    blocking(move || {
        let is_it = |line: &Line| {
            let is = |key: &str, wanted: &str| line.body.get(key).and_then(Value::as_str) == Some(wanted);
            is("what", "exported") && is("sha256", &sha256)
        };
        Ok(acts_of(&app, &[act::kind::CUSTODY])?.into_iter().find(is_it).map(|line| line.time))
    })
    .await
}

async fn custody(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<CustodyQuery>,
) -> Answer<Json<Value>> {
    let lines = chain(&app, &viewer, query.case).await?;
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| json!({"act": line.act, "time": line.time, "kind": line.kind, "body": line.body}))
        .collect();
    Ok(Json(json!({"custody": lines})))
}

/// The kinds of acts that [`acts_of`] tells.
const TOLD: &[&str] = &[act::kind::CUSTODY, act::kind::EXPORT, act::kind::PRESERVED, act::kind::IMPORT];

/// All acts of these kinds among [`TOLD`], oldest first.
pub(super) fn acts_of(app: &App, kinds: &[&str]) -> Answer<Vec<Line>> {
    app.lookup.up_to_date()?;
    let reader = app.ledger.reader();
    let leaves = app.lookup.store().leaves_of("collector").map_err(store_error)?;
    let of_leaf = |leaf: &LeafRecord| -> Answer<Vec<Line>> {
        let batch = read(&reader, leaf)?;
        let lines = batch.numbered().filter_map(|(act, entry)| {
            let event = entry.event().ok()?;
            let kind = event.kind.as_str();
            let body = act::body(&event).filter(|_| TOLD.contains(&kind))?;
            Some(Line { act, time: event.time.clone(), kind: kind.to_owned(), body: body.clone() })
        });
        Ok(lines.collect())
    };
    app.works.seen.after(leaves, |leaf| leaf.leaf, of_leaf, kinds)
}

/// Exports and hand-overs, of one case where one is named; an attorney is told of their own, and nobody of bundles that
/// are about themselves.
pub(crate) async fn chain(app: &App, viewer: &Viewer, case: Option<String>) -> Answer<Vec<Line>> {
    let own = viewer.case().map(str::to_owned);
    let (app, viewer) = (app.clone(), viewer.clone());
    blocking(move || {
        let (roster, _) = app.lookup.rules_now()?;
        let them = viewer.themselves(&roster);
        let mut lines = acts_of(&app, &[act::kind::CUSTODY, act::kind::EXPORT])?;
        // What is about them is known by its hash afterwards.
        let hash = |line: &Line| line.body.get("sha256").and_then(Value::as_str).map(str::to_owned);
        let is_theirs = |line: &Line| super::bundles::is_about_reader(&them, &roster, &line.body);
        let theirs: std::collections::BTreeSet<String> =
            lines.iter().filter(|line| is_theirs(line)).filter_map(hash).collect();
        lines.retain(|line| {
            let of = line.body.get("case").and_then(Value::as_str);
            let is_wanted = [&case, &own].into_iter().flatten().all(|wanted| of == Some(wanted.as_str()));
            is_wanted && !is_theirs(line) && !hash(line).is_some_and(|hash| theirs.contains(&hash))
        });
        Ok(lines)
    })
    .await
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
        let months = app.practice.current().raw.retention.raw_months;
        let outcome =
            crate::prune::prune(&app.ledger, months, request.dry_run, |done, total| job.set(done, total))?;
        if !request.dry_run {
            // What the query store kept of those entries goes with them.
            let (reader, pruner) = (app.ledger.reader(), app.ledger.pruner());
            let mut pruned = BTreeMap::new();
            let is_removed = |leaf: &LeafRecord| {
                let segment = SegmentNumber::new(leaf.segment);
                let is_pruned =
                    pruned.entry(leaf.segment).or_insert_with(|| pruner.is_pruned(segment).unwrap_or(true));
                *is_pruned && read(&reader, leaf).is_ok_and(|batch| batch.is_removed())
            };
            app.lookup.store().forget_told(is_removed).map_err(store_error)?;
        }
        Ok(outcome)
    })
    .await?;
    Ok(Json(serde_json::to_value(&outcome).map_err(|error| Failure::ours(&error))?))
}
