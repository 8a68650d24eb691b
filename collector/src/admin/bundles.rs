//! Evidence bundles over the admin API: what one would show, making one, and those that are kept here.
//!
//! # Invariants
//! - VW-1 holds for bundles, too: whoever is signed in neither looks through, makes, checks nor fetches a bundle that is, or
//!   may be, about themselves ([`may_have`]); an attorney has those of one case.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use ntk_evidence::act;
use ntk_evidence::checks::{self, Verification};
use ntk_evidence::hash::Hash;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::cosigns::{self, Export, ExportRequest};
use super::preservation::{case_id, exported_at};
use super::reviewers::{Word, sign};
use super::roster::in_force;
use super::viewer::{Themselves, Viewer};
use super::{Answer, Failure, blocking, record, witness};
use crate::app::{App, Job};
use crate::bundles::work::{Checked, Running, What};
use crate::bundles::{self, Kept};
use crate::export::{self, Preview, Question};
use crate::finding::Finding;
use crate::follow::answer::{read, store_error};
use crate::home::HomeError;
use crate::reviewer::Passphrase;
use crate::roster::Roster;
use crate::second::cosign;

pub(super) fn routes() -> Api {
    Api::new()
        .post("/v1/export", "Make an evidence bundle", export_now)
        .giving("application/zip")
        .or_later()
        .post("/v1/export/preview", "What an evidence bundle would show and withhold", preview)
        .get("/v1/bundles", "Bundles that are kept here, and what runs in the background", list)
        .post("/v1/bundles", "Make an evidence bundle in the background, and keep it here", build)
        .or_later()
        .get("/v1/bundles/{id}", "A bundle that is kept here, as a ZIP file", fetch)
        .giving("application/zip")
        .post("/v1/bundles/check", "Check a bundle that is kept here, as ntk-verify does", check)
        .post("/v1/bundles/remove", "Remove a bundle that is kept here", remove)
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        Self::ours(&error)
    }
}

/// Who else can have what the reader may not.
fn another(app: &App, viewer: &Viewer, roster: &Roster) -> String {
    let second = cosigns::second(app).filter(|second| Some(second.as_str()) != viewer.person());
    match second.and_then(|id| Some(roster.person(&id)?.name.clone())) {
        Some(name) => {
            format!("{name}, the second reviewer, can have it, and so can the command line on the collector.")
        }
        None => "Somebody else who decides here can have it, and so can the command line on the collector."
            .to_owned(),
    }
}

/// What decides whether somebody may have a bundle.
struct Judge<'a> {
    app: &'a App,
    viewer: &'a Viewer,
    roster: Roster,
    findings: Vec<Finding>,
}

impl<'a> Judge<'a> {
    fn read(app: &'a App, viewer: &'a Viewer) -> Answer<Self> {
        app.lookup.up_to_date()?;
        let (roster, _) = app.lookup.rules_now()?;
        let them = viewer.themselves(&roster);
        let records = app.lookup.store().findings().map_err(store_error)?;
        let theirs = records.into_iter().map(|record| record.finding).filter(|finding| them.are_in(finding));
        Ok(Self { app, viewer, findings: theirs.collect(), roster })
    }

    /// Why they may not have what a question asks for; nothing where they may. The command line may have all.
    fn refuses(&self, question: &Question) -> Option<String> {
        let Self { app, viewer, roster, findings } = self;
        viewer.person()?;
        let asked = question.person.as_deref();
        if asked.is_some_and(|person| viewer.themselves(roster).are_named(person, roster)) {
            return Some(format!(
                "This bundle is about you, your firm or an account that you share: you neither look through it nor make or fetch it. {}",
                another(app, viewer, roster)
            ));
        }
        let holds = |finding: &&Finding| {
            let about = finding.person.as_deref().or(finding.account.as_deref());
            asked.is_none_or(|asked| about == Some(asked)) && question.is_about(&finding.asset)
        };
        findings.iter().find(holds).map(|_| {
            format!(
                "This bundle holds a finding that is, or may be, about you, your firm or an account that you share: you neither look through it nor make or fetch it. Ask about one other person, or about other assets; for this one: {}",
                another(app, viewer, roster)
            )
        })
    }
}

/// INVARIANT VW-1, of bundles.
async fn may_have(app: &App, viewer: &Viewer, question: &Question) -> Answer<()> {
    let (app, viewer, question) = (app.clone(), viewer.clone(), question.clone());
    let why = blocking(move || Ok(Judge::read(&app, &viewer)?.refuses(&question))).await?;
    why.map_or(Ok(()), |why| Err(Failure::not_theirs(why)))
}

/// What a bundle would show and withhold. A look like any other: an act.
async fn preview(
    State(app): State<App>,
    viewer: Viewer,
    Json(question): Json<Question>,
) -> Answer<Json<Value>> {
    let preview = previewed(&app, &viewer, question).await?;
    Ok(Json(serde_json::to_value(&preview).map_err(|error| Failure::ours(&error))?))
}

/// [`preview`], for whoever asks.
pub(crate) async fn previewed(app: &App, viewer: &Viewer, question: Question) -> Answer<Preview> {
    askable(&question)?;
    may_have(app, viewer, &question).await?;
    let looked = json!({"what": "export preview", "question": question});
    record(app, act::kind::VIEWED, viewer.looked(looked)).await?;
    let app = app.clone();
    blocking(move || {
        let size = app.ledger.published().checkpoint.checkpoint.size;
        let job = Arc::clone(&app.job);
        export::preview(&app.lookup, &question, size, |done, total| job.set(done, total))
            .map_err(|error| Failure::ours(&error))
    })
    .await
}

/// Whether a question can be answered.
pub(crate) fn askable(question: &Question) -> Answer<()> {
    if question.from > question.to {
        return Err(Failure::bad("`--from` is later than `--to`"));
    }
    case_id(&question.case)?;
    if let Some(unknown) =
        question.interchange.iter().flatten().find(|wanted| !export::INTERCHANGE.contains(&wanted.as_str()))
    {
        return Err(Failure::bad(format!("`{unknown}` is no rendering: {}", export::INTERCHANGE.join(", "))));
    }
    if question.redact_people && question.person.is_none() {
        return Err(Failure::bad("`--redact people` withholds everybody but one: say whom with --person"));
    }
    question.check().map_err(|error| Failure::bad(error.to_string()))
}

/// A bundle that was asked for, by an act.
struct Asked {
    leaf: u64,
    question: Question,
    by: Option<String>,
}

/// Asks for a bundle in the ledger, or for the signature that it needs first.
async fn ask(app: &App, viewer: &Viewer, request: ExportRequest) -> Answer<Result<Asked, Value>> {
    let ExportRequest { question, asked } = request;
    askable(&question)?;
    may_have(app, viewer, &question).await?;
    let by = asked.by.clone();
    if viewer.person().is_some() && by.is_none() {
        return Err(Failure::unproved("say who asks, with their passphrase"));
    }
    let mut body = json!({"case": question.case, "question": question});
    match cosigns::export(app, &question, asked).await? {
        Export::Goes(how) => how.into_iter().for_each(|(key, value)| {
            if let Some(fields) = body.as_object_mut() {
                fields.insert(key.to_owned(), value);
            }
        }),
        Export::Waits(pending) => return Ok(Err(pending)),
    }
    let leaf = record(app, act::kind::EXPORT, body).await?;
    Ok(Ok(Asked { leaf, question, by }))
}

/// Makes the ZIP file.
async fn make(app: &App, question: &Question, job: Arc<Job>) -> Answer<Vec<u8>> {
    let vouched = witness::vouched(app).await?;
    let (app, question) = (app.clone(), question.clone());
    blocking(move || {
        let key = app.practice.bundle_key().map_err(|error| Failure::ours(&error))?;
        let files = export::bundle(
            &app.practice,
            &app.lookup,
            &app.ledger,
            &key,
            &question,
            &vouched,
            |done, total| job.set(done, total),
        );
        let files = files.map_err(|error| Failure::ours(&error))?;
        export::zip(&files, &format!("bundle-{}", question.case)).map_err(|error| Failure::ours(&error))
    })
    .await
}

/// The bundle cannot name its own hash: the next one does.
async fn record_exported(app: &App, question: &Question, zip: &[u8]) -> Answer<String> {
    let sha256 = Hash::of(zip).to_hex();
    let body = json!({
        "what": "exported", "case": question.case, "sha256": sha256, "bytes": zip.len(), "about": question.person,
    });
    record(app, act::kind::CUSTODY, body).await?;
    Ok(sha256)
}

async fn export_now(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<ExportRequest>,
) -> Answer<Response> {
    let Asked { question, .. } = match ask(&app, &viewer, request).await? {
        Ok(asked) => asked,
        Err(pending) => {
            return Ok((StatusCode::ACCEPTED, Json(json!({"pending": pending}))).into_response());
        }
    };
    let zip = make(&app, &question, Arc::clone(&app.job)).await?;
    record_exported(&app, &question, &zip).await?;
    Ok(([(header::CONTENT_TYPE, "application/zip")], zip).into_response())
}

pub(super) fn busy(running: &Running) -> Failure {
    Failure::bad(format!(
        "{} already, for case {}; wait until that is done",
        running.what.in_words(),
        running.case
    ))
}

/// What came of asking for a bundle in the background.
pub(crate) enum Begun {
    /// It is being built; its id.
    Builds(String),
    /// It waits for a second signature.
    Waits(Value),
}

async fn build(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<ExportRequest>,
) -> Answer<Response> {
    let said = match begin(&app, &viewer, request).await? {
        Begun::Builds(id) => json!({"id": id}),
        Begun::Waits(pending) => json!({"pending": pending}),
    };
    Ok((StatusCode::ACCEPTED, Json(said)).into_response())
}

/// [`build`], for whoever asks: who asks is proved, and the act written, before this answers.
pub(crate) async fn begin(app: &App, viewer: &Viewer, request: ExportRequest) -> Answer<Begun> {
    let now = app.desk.now().timestamp();
    let turn = app.works.begin(What::Build, &request.question.case, now).map_err(|running| busy(&running))?;
    let asked = match ask(app, viewer, request).await {
        Ok(Ok(asked)) => asked,
        Ok(Err(pending)) => {
            turn.give_back();
            return Ok(Begun::Waits(pending));
        }
        Err(failure) => {
            turn.give_back();
            return Err(failure);
        }
    };
    let id = bundles::id(&asked.question.case, asked.leaf);
    let (app, id_of_it) = (app.clone(), id.clone());
    tokio::spawn(async move {
        let built = built(&app, &id_of_it, asked).await;
        turn.end(built.map(|()| id_of_it).map_err(|failure| failure.sentence));
    });
    Ok(Begun::Builds(id))
}

/// Builds and keeps. The bytes are durable before the act names them, and the act before anybody is shown them.
async fn built(app: &App, id: &str, asked: Asked) -> Answer<()> {
    let zip = make(app, &asked.question, Arc::clone(&app.works.job)).await?;
    let (home, id_of_it) = (app.practice.home.clone(), id.to_owned());
    let zip = blocking(move || {
        bundles::write(&home, &id_of_it, &zip)?;
        Ok(zip)
    })
    .await?;
    let sha256 = record_exported(app, &asked.question, &zip).await?;
    let kept = Kept {
        id: id.to_owned(),
        question: asked.question,
        by: asked.by,
        made: app.ledger.now(),
        sha256,
        bytes: u64::try_from(zip.len()).unwrap_or(u64::MAX),
    };
    let home = app.practice.home.clone();
    blocking(move || Ok(bundles::list_it(&home, &kept)?)).await
}

/// Those that are kept and that the one who asks may have; and how many they may not.
pub(crate) async fn listed(app: &App, viewer: &Viewer) -> Answer<(Vec<Kept>, usize)> {
    let (app, viewer) = (app.clone(), viewer.clone());
    blocking(move || {
        let mut all = bundles::list(&app.practice.home)?;
        if let Some(case) = viewer.case() {
            all.retain(|kept| kept.question.case == case);
        }
        let judge = Judge::read(&app, &viewer)?;
        let (shown, hidden): (Vec<Kept>, Vec<Kept>) =
            all.into_iter().partition(|kept| judge.refuses(&kept.question).is_none());
        Ok((shown, hidden.len()))
    })
    .await
}

async fn list(State(app): State<App>, viewer: Viewer) -> Answer<Json<Value>> {
    let (kept, not_shown) = listed(&app, &viewer).await?;
    let is_theirs = |case: &str| viewer.case().is_none_or(|own| own == case);
    let (done, total) = app.works.job.now();
    let running = app.works.running().filter(|running| is_theirs(&running.case));
    let running = running.map(|running| {
        json!({"what": running.what.name(), "case": running.case, "since": running.since.to_string(), "done": done, "total": total})
    });
    let ended = app.works.ended().filter(|ended| is_theirs(&ended.case));
    let ended = ended.map(|ended| {
        let (id, failed) = match ended.outcome {
            Ok(id) => (Some(id), None),
            Err(why) => (None, Some(why)),
        };
        json!({"what": ended.what.name(), "case": ended.case, "id": id, "failed": failed})
    });
    Ok(Json(json!({"bundles": kept, "not_shown": not_shown, "running": running, "ended": ended})))
}

/// One that is kept and that the one who asks may have.
pub(crate) async fn found(app: &App, viewer: &Viewer, id: &str) -> Answer<Kept> {
    let missing =
        || Failure::missing(format!("There is no bundle `{id}` here: it was removed, or never was."));
    let (app_for_reading, wanted) = (app.clone(), id.to_owned());
    let kept = blocking(move || Ok(bundles::one(&app_for_reading.practice.home, &wanted)?)).await?;
    let kept = kept.ok_or_else(missing)?;
    if viewer.case().is_some_and(|case| kept.question.case != case) {
        return Err(missing());
    }
    may_have(app, viewer, &kept.question).await?;
    Ok(kept)
}

/// Its bytes, if they are the ones that an act of the ledger names.
async fn bytes_of(app: &App, kept: &Kept) -> Answer<Vec<u8>> {
    let (home, kept_here) = (app.practice.home.clone(), kept.clone());
    let zip = blocking(move || Ok(bundles::read(&home, &kept_here)?)).await?;
    let sha256 = Hash::of(&zip).to_hex();
    if sha256 != kept.sha256 || exported_at(app, sha256).await?.is_none() {
        return Err(Failure::bad(format!(
            "The file of the bundle `{}` is not the one that was made here: it was changed afterwards. Leave it as it is, tell whoever looks into this, and have the bundle made again.",
            kept.id
        )));
    }
    Ok(zip)
}

async fn fetch(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Answer<Response> {
    let (_, zip) = fetched(&app, &viewer, &id).await?;
    Ok(([(header::CONTENT_TYPE, "application/zip")], zip).into_response())
}

/// The bytes of a bundle, for whoever asks; that they have a copy is an act of custody.
pub(crate) async fn fetched(app: &App, viewer: &Viewer, id: &str) -> Answer<(Kept, Vec<u8>)> {
    let kept = found(app, viewer, id).await?;
    let zip = bytes_of(app, &kept).await?;
    let to = viewer.person().unwrap_or("the collector’s command line");
    let body = json!({
        "what": "downloaded", "case": kept.question.case, "sha256": kept.sha256, "to": to, "about": kept.question.person,
    });
    record(app, act::kind::CUSTODY, viewer.looked(body)).await?;
    Ok((kept, zip))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CheckRequest {
    id: String,
}

async fn check(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<CheckRequest>,
) -> Answer<Json<Value>> {
    let kept = found(&app, &viewer, &request.id).await?;
    let verification = checked(&app, &viewer, &kept).await?;
    Ok(Json(json!({
        "id": kept.id, "verdict": verification.verdict(), "exit_code": verification.exit_code(),
        "checkpoint_words": verification.checkpoint_words(), "checks": verification.checks,
    })))
}

/// The checks of `ntk-verify`, by the same code, over the kept bytes and against the practice's trust file in force.
async fn checked(app: &App, viewer: &Viewer, kept: &Kept) -> Answer<Arc<Verification>> {
    let zip = bytes_of(app, kept).await?;
    let (_, trust) = app.trust.now();
    let verification = blocking(move || {
        let files = export::unzip(&zip).map_err(|error| Failure::ours(&error))?;
        Ok(Arc::new(checks::check(&files, Some(trust.as_bytes()))))
    })
    .await?;
    let looked = json!({"what": "a bundle checked", "bundle": kept.id, "verdict": verification.verdict()});
    record(app, act::kind::VIEWED, viewer.looked(looked)).await?;
    let checked = Checked { at: app.desk.now().timestamp(), verification: Arc::clone(&verification) };
    app.works.keep(&kept.id, checked);
    Ok(verification)
}

/// Begins a check in the background.
pub(crate) async fn begin_check(app: &App, viewer: &Viewer, id: &str) -> Answer<()> {
    let kept = found(app, viewer, id).await?;
    let now = app.desk.now().timestamp();
    let turn = app.works.begin(What::Check, &kept.question.case, now).map_err(|running| busy(&running))?;
    let (app, viewer) = (app.clone(), viewer.clone());
    tokio::spawn(async move {
        let ended = checked(&app, &viewer, &kept).await;
        turn.end(ended.map(|_| kept.id).map_err(|failure| failure.sentence));
    });
    Ok(())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveRequest {
    pub(crate) id: String,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<RemoveRequest>,
) -> Answer<Json<Value>> {
    let id = removed(&app, &viewer, request).await?;
    Ok(Json(json!({"removed": id})))
}

/// Removes a kept bundle. The ledger keeps what it was made of; a hold of its case or person keeps the copy, too.
pub(crate) async fn removed(app: &App, viewer: &Viewer, request: RemoveRequest) -> Answer<String> {
    let kept = found(app, viewer, &request.id).await?;
    let (_, roster) = in_force(app).await?;
    let by = sign(app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    let holds = &app.ledger.published().registry.holds;
    if let Some(holds) = holds.ids_of(&kept.question.case, kept.question.person.as_deref()) {
        return Err(Failure::bad(format!(
            "A hold is in force ({holds}), so this bundle stays. Release the hold first, if nothing needs it any more."
        )));
    }
    let now = app.desk.now().timestamp();
    // Not while something reads or writes there.
    let turn = app.works.begin(What::Check, &kept.question.case, now).map_err(|running| busy(&running))?;
    let body = json!({
        "what": "copy removed here", "case": kept.question.case, "sha256": kept.sha256, "to": "nobody", "about": kept.question.person,
    });
    let gone = match record(app, act::kind::CUSTODY, by.sign(body)).await {
        Ok(_) => {
            let (home, id) = (app.practice.home.clone(), kept.id.clone());
            blocking(move || Ok(bundles::remove(&home, &id)?)).await
        }
        Err(failure) => Err(failure),
    };
    turn.give_back();
    app.works.forget(&kept.id);
    gone.map(|()| kept.id)
}

/// A bundle that was co-signed, and is not made yet.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// Number of the signature.
    pub(crate) id: String,
    /// What was signed, in a sentence.
    pub(crate) says: String,
    /// What was asked.
    pub(crate) question: Question,
}

/// The bundles that somebody asked for and that were co-signed since: what was asked stands in the act.
pub(crate) async fn signed_for(app: &App, viewer: &Viewer) -> Answer<Vec<Signed>> {
    let Some(person) = viewer.person() else { return Ok(Vec::new()) };
    let published = app.ledger.published();
    let over = published.registry.people.cosigns.all_over();
    let ready = over.filter(|over| {
        over.what == cosign::What::Export
            && over.by == person
            && matches!(over.outcome, cosign::Outcome::Signed { .. })
    });
    let ready: Vec<(String, String)> = ready.map(|over| (over.id.clone(), over.says.clone())).collect();
    if ready.is_empty() {
        return Ok(Vec::new());
    }
    let app = app.clone();
    let asked = blocking(move || asked_in_ledger(&app)).await?;
    let found = ready.into_iter().filter_map(|(id, says)| {
        let body = asked.iter().find(|body| body.get("id").and_then(Value::as_str) == Some(&id))?;
        Some(Signed { question: serde_json::from_value(body.get("body")?.clone()).ok()?, id, says })
    });
    Ok(found.collect())
}

/// Bodies of the acts that asked for a second signature. Read only while one is signed and not used.
fn asked_in_ledger(app: &App) -> Answer<Vec<Value>> {
    app.lookup.up_to_date()?;
    let reader = app.ledger.reader();
    let mut asked = Vec::new();
    for leaf in app.lookup.store().leaves_of("collector").map_err(store_error)? {
        for (_, entry) in read(&reader, &leaf)?.numbered() {
            let Ok(event) = entry.event() else { continue };
            let body = act::body(&event).filter(|_| event.kind.as_str() == act::kind::COSIGN);
            asked.extend(body.filter(|body| body.get("step").is_some_and(|step| step == "asked")).cloned());
        }
    }
    Ok(asked)
}

/// Whether a line of custody names the one who reads it as whom a bundle is about.
pub(crate) fn is_about_reader(them: &Themselves, roster: &Roster, body: &Value) -> bool {
    let named = [body.pointer("/question/person"), body.get("about"), body.get("person")];
    named.into_iter().flatten().filter_map(Value::as_str).any(|name| them.are_named(name, roster))
}
