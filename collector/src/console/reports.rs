//! Reports: the reviews as they were kept, who opened and signed them, and the sign-off.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use jiff::tz::TimeZone;
use ntk_evidence::hash::Hash;
use serde::Deserialize;

use super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::{Console, see};
use crate::admin::cosigns::Untold;
use crate::admin::findings::hidden_from;
use crate::admin::reviews::{Kept, SignOffRequest, kept, opened, reviewed, sign_week};
use crate::admin::{Failure, blocking};
use crate::report::WeeklyReport;
use crate::report::acts::name;
use crate::report::html::render_html;
use crate::report::text::moment;
use crate::report::week::Week;
use crate::reviewer::Passphrase;
use crate::roster::Roster;
use crate::sign_off::Mark;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/reports", get(list))
        .route("/reports/{name}", get(one))
        .route("/reports/sign-off", post(sign))
}

/// One week with its newest review.
struct Line {
    week: String,
    period: String,
    newest: Kept,
    n_earlier: usize,
    signed: Vec<String>,
    opened: Vec<String>,
    can_sign: bool,
}

#[derive(Template)]
#[template(path = "console/reports.html")]
struct ReportsPage {
    shell: Shell,
    lines: Vec<Line>,
    wrong: String,
    wrong_week: String,
}

async fn list(State(console): State<Console>, visitor: Visitor) -> Page {
    show(&console, &visitor, StatusCode::OK, String::new(), String::new()).await
}

async fn show(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    wrong: String,
    wrong_week: String,
) -> Page {
    let (_, roster) = crate::admin::roster::in_force(&console.app).await?;
    let (app, person) = (console.app.clone(), visitor.person.clone());
    let lines = blocking(move || {
        let (zone, now) = (app.lookup.zone().clone(), app.desk.now().timestamp());
        let mut lines: Vec<Line> = Vec::new();
        for one in kept(&app)? {
            if let Some(line) = lines.last_mut().filter(|line| line.week == one.week) {
                line.n_earlier = line.n_earlier.saturating_add(1);
                continue;
            }
            let Ok(week) = Week::parse(&one.week) else { continue };
            let done = reviewed(&app, &one.week);
            let is_signed = done.signed.iter().any(|mark| mark.by == person);
            lines.push(Line {
                period: week.in_words(),
                can_sign: !is_signed && week.bounds(&zone).1 <= now,
                signed: done.signed.iter().map(|mark| in_words(mark, &roster, &zone)).collect(),
                opened: done.opened.iter().map(|mark| in_words(mark, &roster, &zone)).collect(),
                week: one.week.clone(),
                newest: one,
                n_earlier: 0,
            });
        }
        Ok(lines)
    })
    .await?;
    let shell = Shell::new(console, Some(visitor), "/reports", "Reports");
    page_with(status, &ReportsPage { shell, lines, wrong, wrong_week })
}

fn in_words(mark: &Mark, roster: &Roster, zone: &TimeZone) -> String {
    let when = mark.time.parse().map(|at| moment(at, zone)).unwrap_or_else(|_| mark.time.clone());
    let note = mark.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    format!("{}, {when}{note}", name(&mark.by, roster))
}

/// One file of a kept review. Its page brings its own style, which the hash in the policy names.
async fn one(State(console): State<Console>, visitor: Visitor, Path(file): Path<String>) -> Page {
    let (app, wanted) = (console.app.clone(), file.clone());
    let found = blocking(move || {
        let found = kept(&app)?.into_iter().find(|one| one.files.values().any(|name| *name == wanted));
        let found = found.ok_or_else(|| Failure::missing("There is no such review here."))?;
        let read = |name: &str| app.practice.home.read_report(name).map_err(|error| Failure::ours(&error));
        let json = found.files.get("json").map(|name| read(name)).transpose()?;
        Ok((found.week, read(&wanted)?, json))
    });
    let (week, content, json) = found.await?;
    opened(&console.app, &visitor.viewer(), &week).await?;
    let kind = file.rsplit_once('.').map_or("", |(_, kind)| kind);
    // VW-1: a review with something about the one who reads it is shown without that, and says so.
    let report: Option<WeeklyReport> = json.and_then(|json| serde_json::from_slice(&json).ok());
    let hidden = hidden_from(&console.app, &visitor.viewer()).await?;
    let (_, roster) = crate::admin::roster::in_force(&console.app).await?;
    let untold = Untold::of(&console.app, &visitor.viewer(), &roster)?;
    match report.and_then(|report| without(report, &hidden, &visitor.person, &untold)) {
        None if kind == "html" => Ok(document(content)),
        Some(report) if kind == "html" => Ok(document(render_html(&report).into_bytes())),
        None => {
            let kind = if kind == "pdf" { "application/pdf" } else { "application/json" };
            Ok(([(header::CONTENT_TYPE, kind)], content).into_response())
        }
        Some(report) if kind == "json" => {
            let text = serde_json::to_vec_pretty(&report).map_err(|error| Failure::ours(&error))?;
            Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
        }
        Some(_) => Err(Failure::not_theirs(
            "This review has something about you in it. Open it as a page: there it stands without that.",
        )
        .into()),
    }
}

/// The review without what is about its reader; none where nothing is.
fn without(
    mut report: WeeklyReport,
    hidden: &std::collections::BTreeSet<String>,
    person: &str,
    untold: &Untold,
) -> Option<WeeklyReport> {
    let n = |report: &WeeklyReport| {
        let items = [report.items.len(), report.undecided.len(), report.settled.len()];
        let said = [report.verdict.more.len(), report.changes.len(), report.roster.new_items.len()];
        items.iter().chain(&said).sum::<usize>()
    };
    let before = n(&report);
    report.items.retain(|item| {
        !hidden.contains(&item.incident.id)
            && !hidden.contains(&item.finding.id)
            && item.incident.person.as_deref() != Some(person)
    });
    report.undecided.retain(|one| !hidden.contains(&one.id));
    report.settled.retain(|one| !hidden.contains(&one.id));
    report.verdict.more.retain(|sentence| !untold.is_in(sentence));
    report.changes.retain(|line| !untold.is_in(&line.sentence));
    report.roster.new_items.retain(|sentence| !untold.is_in(sentence));
    if n(&report) == before {
        return None;
    }
    let sentence = "What is about you, your firm or an account that you share is not shown to you; this page is not the one that was kept.";
    report.verdict.more.insert(0, sentence.to_owned());
    report.could_not_see.insert(0, sentence.to_owned());
    Some(report)
}

/// A page that brings its own style: the policy names its hash, and lets in nothing else.
fn document(content: Vec<u8>) -> Response {
    let text = String::from_utf8_lossy(&content).into_owned();
    let style = text.split_once("<style>").and_then(|(_, rest)| Some(rest.split_once("</style>")?.0));
    let hash = style.map(|style| Hash::of(style.as_bytes()).to_base64()).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src-elem 'sha256-{hash}'; style-src-attr 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    );
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], content).into_response();
    if let Ok(value) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, value);
    }
    response
}

#[derive(Deserialize)]
struct SignForm {
    week: String,
    #[serde(default)]
    note: String,
    passphrase: Passphrase,
}

async fn sign(State(console): State<Console>, visitor: Visitor, Form(form): Form<SignForm>) -> Page {
    let week = form.week.clone();
    let request = SignOffRequest {
        week: form.week,
        note: Some(form.note),
        by: visitor.person.clone(),
        passphrase: Some(form.passphrase),
    };
    let signed = {
        let _room = console.passphrases.acquire().await;
        sign_week(&console.app, request).await
    };
    match signed.map_err(Failure::into_parts) {
        Ok(_) => Ok(see("/reports")),
        Err((status, wrong)) if status.is_client_error() => {
            show(&console, &visitor, status, wrong, week).await
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}
