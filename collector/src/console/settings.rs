//! Settings: what keeps the collector running, accounts, roster and table as text, holds, help desks. What only the
//! collector's operator changes is shown with the lines to write; there is no second store of configuration.

mod accounts;
mod keeping;
mod texts;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use super::parts::{ChangeForm, Outgoing, Refused, said, send_trial};
use super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::words::when;
use super::{Console, ask, see, wizard};
use crate::admin::Failure;
use crate::report::shown::visible;
use crate::report::text::number;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/settings", get(open).post(change))
        .merge(accounts::routes())
        .merge(keeping::routes())
        .merge(texts::routes())
}

/// What was asked for by the address.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    said: String,
    template: String,
}

/// What a refused form leads to: the same page with what was typed. Everything else is a page of its own.
fn refusal(form: &ChangeForm, failure: Failure) -> Result<Refused, Trouble> {
    let (status, sentence) = failure.into_parts();
    if status.is_client_error() && status != StatusCode::FORBIDDEN {
        return Ok(Refused::new(form, sentence));
    }
    Err(Trouble { status, sentence })
}

#[derive(Template)]
#[template(path = "console/settings.html")]
struct SettingsPage {
    shell: Shell,
    said: &'static str,
    refused: Refused,
    to: &'static str,
    /// Who may send, copy, stamp.
    may_run: bool,
    outgoing: Outgoing,
    off_site: Vec<(&'static str, String)>,
    is_copied: bool,
    stamps: Vec<(&'static str, String)>,
    is_stamped: bool,
    witness: Vec<(&'static str, String)>,
    keeps: Vec<(&'static str, String)>,
    config: String,
    zone: String,
}

async fn open(State(console): State<Console>, visitor: Visitor, Query(asked): Query<Asked>) -> Page {
    show(&console, &visitor, StatusCode::OK, said(&asked.said), Refused::default()).await
}

async fn show(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    said: &'static str,
    refused: Refused,
) -> Page {
    let zone = console.app.lookup.zone();
    let told: Value = ask::get(console, visitor, "/v1/status").await?;
    let witness: Value = ask::get(console, visitor, "/v1/witness").await?;
    let at = |path: &str| told.pointer(path).cloned().unwrap_or_default();
    let role = visitor.role.name();
    let page = SettingsPage {
        shell: Shell::new(console, Some(visitor), "/settings", "Settings"),
        said,
        refused,
        to: "/settings",
        may_run: ["manager", "operator"].contains(&role),
        outgoing: Outgoing::now(console, visitor).await?,
        is_copied: at("/off_site/to").is_string(),
        off_site: off_site(&at("/off_site"), zone),
        is_stamped: at("/time_stamps/configured") == json!(true),
        stamps: stamps(&at("/time_stamps"), zone),
        witness: witnesses(&witness, zone),
        keeps: keeps(console, &told),
        config: console.app.practice.home.config().display().to_string(),
        zone: console.app.practice.config.raw.timezone.clone(),
    };
    page_with(status, &page)
}

fn text(value: &Value, path: &str) -> Option<String> {
    value.pointer(path).and_then(Value::as_str).map(visible)
}

/// How the copy outside stands, row by row.
fn off_site(told: &Value, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let Some(to) = text(told, "/to") else { return Vec::new() };
    let n = |path: &str| told.pointer(path).and_then(Value::as_u64).unwrap_or_default();
    let mut rows = vec![
        ("It goes to", to),
        (
            "There now",
            format!("{} segments, {} leaves of the log", number(n("/segments")), number(n("/log_size"))),
        ),
        (
            "Last good copy",
            text(told, "/succeeded").map_or_else(|| "none yet".to_owned(), |at| when(&at, zone)),
        ),
    ];
    if let Some(since) = text(told, "/failing_since") {
        let why = text(told, "/failure").unwrap_or_default();
        rows.push(("It fails", format!("since {}: {why}", when(&since, zone))));
    }
    rows
}

fn stamps(told: &Value, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let newest = match (text(told, "/newest/time"), text(told, "/newest/authority")) {
        (Some(at), Some(authority)) => format!("{}, by {authority}", when(&at, zone)),
        (Some(at), None) => when(&at, zone),
        (None, _) => "none yet".to_owned(),
    };
    let mut rows = vec![("The newest", newest)];
    if let Some(since) = text(told, "/failing_since") {
        let why = text(told, "/reason").unwrap_or_default();
        rows.push(("It fails", format!("since {}: {why}", when(&since, zone))));
    }
    rows
}

fn witnesses(told: &Value, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let until = |path: &str| text(told, path).map_or_else(|| "nobody yet".to_owned(), |at| when(&at, zone));
    vec![
        ("Witnessed by the practice’s own machines until", until("/inside/until")),
        ("Witnessed from outside until", until("/outside/until")),
    ]
}

/// What the file says that is not shown elsewhere.
fn keeps(console: &Console, told: &Value) -> Vec<(&'static str, String)> {
    let config = console.app.practice.current();
    let raw = &config.raw;
    let version = text(told, "/version").unwrap_or_default();
    vec![
        ("Version", version),
        ("Practice", visible(&raw.practice)),
        ("Agents connect to", console.app.practice.config.address_for_agents().to_owned()),
        ("This console", console.origin.to_string()),
        ("The ledger checks itself", format!("every {} hours", raw.self_check_hours)),
        ("A machine counts as silent", format!("after {} seconds", raw.silent_after_seconds)),
        (
            "Kept",
            format!(
                "entries {} months, acts {} years; holds keep longer",
                raw.retention.raw_months, raw.retention.acts_years
            ),
        ),
    ]
}

async fn change(State(console): State<Console>, visitor: Visitor, Form(form): Form<ChangeForm>) -> Page {
    let ask = |path: &'static str| ask::post(&console, &visitor, path, json!({}));
    let done = match form.act.as_str() {
        "trial" => send_trial(&console, &visitor, &form.what).await.map(|()| "tried"),
        "mail" => wizard::decline(&console, &visitor, &form).await.map(|()| "declined"),
        "copy" => ask("/v1/off-site/now").await.map(|_| "copied"),
        "stamp" => ask("/v1/time-stamp").await.map(|_| "stamped"),
        "round" => ask("/v1/witness/round").await.map(|_| "round"),
        _ => Err(Failure::bad("Choose what you want to do.")),
    };
    match done {
        Ok(said) => Ok(see(&format!("/settings?said={said}"))),
        // A copy or a stamp that fails is told here, beside what is set.
        Err(failure) if ["copy", "stamp", "round"].contains(&form.act.as_str()) => {
            let (status, sentence) = failure.into_parts();
            if status == StatusCode::FORBIDDEN {
                return Err(Trouble { status, sentence });
            }
            show(&console, &visitor, status, "", Refused::new(&form, visible(&sentence))).await
        }
        Err(failure) => {
            let refused = refusal(&form, failure)?;
            show(&console, &visitor, StatusCode::BAD_REQUEST, "", refused).await
        }
    }
}
