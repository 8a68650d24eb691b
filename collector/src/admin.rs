//! The admin JSON API: every subcommand and the console speak it; over `admin.sock` while the
//! collector runs, in-process when it does not. Command line, console and API are one program.

mod accounts;
pub mod api;
pub mod baseline;
pub(crate) mod breaches;
pub(crate) mod bundles;
pub mod client;
pub(crate) mod cosigns;
mod delivery;
pub(crate) mod departure;
pub(crate) mod events;
pub mod findings;
pub(crate) mod imports;
pub(crate) mod inventory;
pub(crate) mod links;
pub(crate) mod machines;
pub(crate) mod metrics;
pub(crate) mod mine;
mod off_site;
pub(crate) mod policy;
pub(crate) mod preservation;
pub(crate) mod preserve;
mod programs;
pub(crate) mod proposals;
pub(crate) mod protected;
pub mod rebuild;
pub mod requests;
pub mod reviewers;
pub(crate) mod reviews;
pub(crate) mod roster;
mod second;
pub(crate) mod set_up;
pub(crate) mod staff_notices;
pub mod ticket_tokens;
pub mod tickets;
mod time_stamp;
pub mod viewer;
mod witness;

use axum::Json;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ntk_evidence::act;
use serde_json::{Value, json};

use crate::app::App;
use crate::ledger::LedgerError;
use crate::report::WeeklyReport;
use crate::report::html::render_html;
use crate::report::pdf::render_pdf;
use crate::report::week::Week;
use crate::review::review;
use crate::self_check::{KEPT_REVIEW, SelfCheck, self_check};
use api::Api;
use requests::ReportRequest;

/// The largest request, bytes: a roster of a hospital fits.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A request that failed: one sentence and a status.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    sentence: String,
}

impl Failure {
    /// The caller's fault.
    pub fn bad(sentence: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, sentence: sentence.into() }
    }

    /// Who decides has to show who they are.
    pub fn unproved(sentence: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, sentence: sentence.into() }
    }

    /// Not there.
    pub fn missing(sentence: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, sentence: sentence.into() }
    }

    /// Not theirs to do.
    pub fn not_theirs(sentence: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, sentence: sentence.into() }
    }

    /// As it was answered before.
    pub(crate) const fn answered(status: StatusCode, sentence: String) -> Self {
        Self { status, sentence }
    }

    /// What is answered: status and sentence.
    pub(crate) fn into_parts(self) -> (StatusCode, String) {
        (self.status, self.sentence)
    }

    /// What it says.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// Ours.
    pub fn ours(error: &dyn std::error::Error) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, sentence: crate::error_chain(error) }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::ours(&error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.sentence}))).into_response()
    }
}

pub(crate) type Answer<T> = Result<T, Failure>;

/// All that can be asked for, described.
pub fn api() -> Api {
    Api::new()
        .get("/v1/openapi.json", "This description, as OpenAPI", description)
        .get("/v1/status", "What runs, who is connected, what was refused", status)
        .get(
            "/v1/metrics",
            "Numbers for a monitoring system, as Prometheus reads them; no person and no path",
            metrics::metrics,
        )
        .giving(metrics::MEDIA_TYPE)
        .get(
            "/v1/ready",
            "Whether it takes in, decides and can write: 503 where one of it is not so",
            crate::monitoring::ready,
        )
        .merge(machines::routes())
        .merge(accounts::routes())
        .merge(reviews::routes())
        .merge(witness::routes())
        .merge(programs::routes())
        .merge(time_stamp::routes())
        .merge(roster::routes())
        .merge(departure::routes())
        .merge(delivery::routes())
        .merge(policy::routes())
        .merge(preservation::routes())
        .merge(preserve::routes())
        .merge(off_site::routes())
        .merge(proposals::routes())
        .merge(protected::routes())
        .merge(imports::routes())
        .merge(inventory::routes())
        .merge(links::routes())
        .merge(staff_notices::routes())
        .merge(second::routes())
        .merge(set_up::routes())
        .merge(cosigns::routes())
        .merge(breaches::routes())
        .merge(bundles::routes())
        .merge(mine::routes())
        .get("/v1/reviewers", "Who may decide, and who of them has a passphrase", reviewers::list)
        .post("/v1/reviewers/passphrase", "Set or change a reviewer's passphrase", reviewers::set)
        .get("/v1/tickets", "Tickets, and who opened the glass", tickets::list)
        .post("/v1/tickets/request", "Ask for a ticket", tickets::request)
        .post("/v1/tickets/import", "Ask for the tickets of a CSV file", tickets::import)
        .post("/v1/tickets/echo", "The sentence that who approves a ticket repeats", tickets::preview)
        .post("/v1/tickets/approve", "Approve a ticket", tickets::approve_ticket)
        .post("/v1/tickets/decline", "Decline a ticket", tickets::decline)
        .post("/v1/tickets/close", "End a ticket before its time", tickets::close)
        .post(
            "/v1/break-glass",
            "Open the glass: access now, reason and review afterwards",
            tickets::open_glass,
        )
        .post(
            "/v1/break-glass/acknowledge",
            "Record that a reviewer has seen an opened glass",
            tickets::acknowledge,
        )
        .get("/v1/ticket-tokens", "Help desks that may ask for tickets", ticket_tokens::list)
        .post("/v1/ticket-tokens", "Make a help desk's token: it is shown once", ticket_tokens::make)
        .post("/v1/ticket-tokens/revoke", "Revoke a help desk's token", ticket_tokens::revoke)
        .get("/v1/baseline", "Regular work of four weeks that could be made a job", baseline::list)
        .post("/v1/baseline/confirm", "Make a proposed job one of the roster", baseline::confirm_proposal)
        .get("/v1/findings", "Findings, newest first", findings::list)
        .get("/v1/findings/{id}", "One finding with its story", findings::one)
        .post("/v1/findings/{id}/step", "Ask, answer or decide about a finding", findings::take_step)
        .get("/v1/events", "Entries of a person, a time or an asset, one JSON object a line", events::list)
        .giving("application/x-ndjson")
        .post("/v1/report", "Make the weekly access review", report)
        .get("/v1/progress", "How far the running job is", progress)
        .post("/v1/self-check", "Verify the whole ledger and every signature", check_ledger)
        .post(
            "/v1/prune",
            "Remove entries whose retention is over, or say which would be",
            preservation::prune,
        )
        .post("/v1/rebuild", "Make the query store again from the ledger and compare", rebuild::rebuild)
}

async fn description() -> Json<Value> {
    Json(api().document())
}

/// All routes.
pub fn router(app: App) -> Router {
    api()
        .into_router()
        .fallback(|| async { Failure::missing("there is no such request in this version of the collector") })
        .method_not_allowed_fallback(|| async {
            Failure {
                status: StatusCode::METHOD_NOT_ALLOWED,
                sentence: "this is asked for with another method; see `ntk-collector api`".into(),
            }
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(map_response(in_a_sentence))
        .with_state(app)
}

/// The largest refusal that is not ours, bytes.
const REFUSAL_BYTES_MAX: usize = 1 << 14;

/// What refuses a request before any of our functions sees it (a field that is missing, a body that is no JSON) says so in plain
/// text: whoever reads answers finds it where every other refusal stands.
async fn in_a_sentence(response: Response) -> Response {
    let status = response.status();
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let said = to_bytes(body, REFUSAL_BYTES_MAX).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let sentence = match (said.trim(), status.canonical_reason()) {
        ("", reason) => reason.unwrap_or("the request was refused"),
        (said, _) => said,
    };
    let body = json!({"error": sentence}).to_string();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, body.into())
}

/// Runs what reads files or hashes on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Answer<T> + Send + 'static,
) -> Answer<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        sentence: "the request failed inside; see the collector's log".into(),
    })?
}

pub(crate) async fn record(app: &App, kind: &str, body: Value) -> Answer<u64> {
    let appended = app.ledger.act(vec![act::event(kind, app.ledger.now(), body)]).await?;
    Ok(appended.leaf_index())
}

async fn status(State(app): State<App>) -> Json<Value> {
    let published = app.ledger.published();
    let authors: Vec<Value> = published
        .authors
        .iter()
        .map(|(author, known)| json!({"author": author.to_string(), "size": known.log.size()}))
        .collect();
    let (decided, goes_on) = app.lookup.reached();
    Json(json!({
        "practice": app.practice.config.raw.practice,
        "slug": app.ledger.slug().as_str(),
        "practice_words": app.trust.now().0.practice_words(),
        "version": env!("CARGO_PKG_VERSION"),
        "listening": app.address.get(),
        "log": {"size": published.checkpoint.checkpoint.size, "root": published.checkpoint.checkpoint.root.to_base64()},
        "decided": {"leaves": decided, "goes_on": goes_on, "rolled_up": app.lookup.progress().rolled_up()},
        "authors": authors,
        "streams": app.liveness.streams(),
        "refusals": app.refusals.counts(),
        "silent": published.registry.silent,
        "self_check": published.registry.checked,
        "off_site": app.off_site.standing(),
        "delegation": crate::delegation::standing(&app.trust.now().0, &published.registry.machines, app.ledger.clock().now()),
        "authority_ends": app.practice.authority_ends(app.ledger.clock().now()).unwrap_or_default(),
        "disk": app.disk.forecast(app.ledger.clock().now()),
        "at_rest": app.at_rest,
        "store": {"in": if app.practice.config.store.is_some() { "database" } else { "files" }, "leads": app.ledger.leads()},
        "time_stamps": crate::time_stamp::ask::standing(&app),
    }))
}

/// A review as it was made and kept.
pub(crate) struct Made {
    /// Of which week.
    pub(crate) week: Week,
    /// Leaf of the act that it was asked for.
    pub(crate) leaf: u64,
    /// As data.
    pub(crate) report: WeeklyReport,
    /// Its files: what their names end in, and their bytes.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

async fn report(State(app): State<App>, Json(request): Json<ReportRequest>) -> Answer<Json<Value>> {
    let now = app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
    let week = match &request.week {
        Some(week) => Week::parse(week).map_err(|error| Failure::bad(error.to_string()))?,
        None => Week::of(now, app.lookup.zone()),
    };
    let settings = app.outgoing.settings();
    if request.send && crate::delivery::report::reaches_nobody(&settings) {
        return Err(Failure::bad(
            "nobody is to get reviews: set `to` under [mail] or `folder` under [report] in collector.toml",
        ));
    }
    let made = make_report(&app, week).await?;
    let sent = match request.send {
        true => Some(crate::delivery::report::queue_made(&app, &settings, &made, false).await?),
        false => None,
    };
    let file = |wanted: &str| {
        let found = made.files.iter().find(|(kind, _)| kind == wanted);
        found.map(|(_, bytes)| bytes.as_slice()).unwrap_or_default()
    };
    let (html, pdf) = (String::from_utf8_lossy(file("html")), BASE64_STANDARD.encode(file("pdf")));
    Ok(Json(
        json!({"week": week.to_string(), "html": html, "pdf": pdf, "report": made.report, "queued": sent}),
    ))
}

/// Makes the review of a week, keeps it, and says so in acts.
pub(crate) async fn make_report(app: &App, week: Week) -> Answer<Made> {
    let now = app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
    let leaf = record(app, act::kind::REPORT_MADE, json!({"week": week.to_string()})).await?;
    // Its page names a checkpoint that as many as can have seen.
    let unstamped = witness::vouched(app).await?.unstamped;
    let (app_for_custody, app) = (app.clone(), app.clone());
    let (made, kept) = blocking(move || {
        app.lookup.up_to_date()?;
        let mut report =
            review(&app.practice, &app.lookup, &app.ledger.published(), &app.trust.now().0, now, week, None)?;
        if let Some(reason) = unstamped {
            report
                .footer
                .time_stamps
                .push_str(&format!(" For this page it was asked again and gave none: {reason}."));
        }
        let html = render_html(&report);
        // Kept as it was made: a bundle shows this page, not what the same question gives later.
        let data = serde_json::to_vec_pretty(&report).map_err(|error| Failure::ours(&error))?;
        let pdf = render_pdf(&report).map_err(|error| Failure::ours(&error))?;
        let files =
            vec![("html".to_owned(), html.into_bytes()), ("json".to_owned(), data), ("pdf".to_owned(), pdf)];
        let mut kept = serde_json::Map::new();
        for (kind, bytes) in &files {
            let name = format!("{week}-leaf-{leaf}.{kind}");
            app.practice.home.write_report(&name, bytes).map_err(|error| Failure::ours(&error))?;
            kept.insert(name, ntk_evidence::hash::Hash::of(bytes).to_hex().into());
        }
        Ok((Made { week, leaf, report, files }, kept))
    })
    .await?;
    // A page that is edited afterwards no longer is the one that was made: the self-check compares.
    let body = json!({"what": KEPT_REVIEW, "week": week.to_string(), "files": kept});
    record(&app_for_custody, act::kind::CUSTODY, body).await?;
    Ok(made)
}

async fn progress(State(app): State<App>) -> Json<Value> {
    let (done, total) = app.job.now();
    Json(json!({"done": done, "total": total}))
}

async fn check_ledger(State(app): State<App>) -> Answer<Json<Value>> {
    let check = check_now(&app).await?;
    Ok(Json(serde_json::to_value(&check).map_err(|error| Failure::ours(&error))?))
}

/// Verifies the whole ledger, and writes down how that ended.
pub(crate) async fn check_now(app: &App) -> Answer<SelfCheck> {
    let app_for_reading = app.clone();
    let check = blocking(move || {
        let total = app_for_reading.ledger.published().checkpoint.checkpoint.size;
        let job = std::sync::Arc::clone(&app_for_reading.job);
        Ok(self_check(&app_for_reading.practice, &app_for_reading.ledger.reader(), |done| {
            job.set(done, total)
        })?)
    })
    .await?
    .and_of_authority(&app.practice, app.ledger.clock().now());
    record(app, act::kind::SELF_CHECK, serde_json::to_value(&check).map_err(|error| Failure::ours(&error))?)
        .await?;
    Ok(check)
}
