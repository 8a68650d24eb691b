//! Who may sign in, and the help desks that may ask for tickets. A link or token is shown once, on the page that made it.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::super::parts::{ChangeForm, Refused, said};
use super::super::shell::{Page, Shell, Visitor, page_with};
use super::super::{Console, ask, see};
use super::{Asked, refusal, text};
use crate::admin::Failure;
use crate::admin::roster::in_force;
use crate::console::words::when;
use crate::report::shown::visible;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/settings/accounts", get(accounts).post(change_account))
        .route("/settings/help-desks", get(desks).post(change_desk))
}

/// One account in words.
struct Row {
    person: String,
    name: String,
    role: String,
    since: String,
    factor: String,
    is_locked: bool,
    signed_in: u64,
    is_you: bool,
}

/// What is shown once: whose, and the link or token.
#[derive(Default)]
struct Once {
    person: String,
    secret: String,
}

#[derive(Template)]
#[template(path = "console/settings_accounts.html")]
struct AccountsPage {
    shell: Shell,
    said: &'static str,
    refused: Refused,
    rows: Vec<Row>,
    /// People of the roster without an account: short name and name.
    others: Vec<(String, String)>,
    once: Once,
    zone: String,
}

async fn accounts(State(console): State<Console>, visitor: Visitor, Query(asked): Query<Asked>) -> Page {
    show(&console, &visitor, said(&asked.said), Refused::default(), Once::default()).await
}

async fn show(
    console: &Console,
    visitor: &Visitor,
    said: &'static str,
    refused: Refused,
    once: Once,
) -> Page {
    let zone = console.app.lookup.zone();
    let told: Value = ask::get(console, visitor, "/v1/accounts").await?;
    let told = told.get("accounts").and_then(Value::as_array).cloned().unwrap_or_default();
    let rows: Vec<Row> = told.iter().map(|row| in_words(row, visitor, zone)).collect();
    let (_, roster) = in_force(&console.app).await?;
    let has = |id: &str| rows.iter().any(|row| row.person == id);
    let today = console.now().to_zoned(zone.clone()).date();
    let gone: Vec<&str> = roster.gone(today).map(|person| person.id.as_str()).collect();
    let others = roster.persons().iter().filter(|person| !person.is_organisation && !has(&person.id));
    let others = others.filter(|person| !gone.contains(&person.id.as_str()));
    let others = others.map(|person| (person.id.clone(), visible(&person.name))).collect();
    let status = if refused.sentence.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let page = AccountsPage {
        shell: Shell::new(console, Some(visitor), "/settings", "Settings: accounts"),
        said,
        refused,
        others,
        rows,
        once,
        zone: console.app.practice.config.raw.timezone.clone(),
    };
    page_with(status, &page)
}

fn in_words(row: &Value, visitor: &Visitor, zone: &TimeZone) -> Row {
    let said = |path: &str| text(row, path).unwrap_or_default();
    let person = said("/person");
    let role = match text(row, "/case") {
        Some(case) => format!("{} of case {case}", said("/role")),
        None => said("/role"),
    };
    let left = row.pointer("/recovery_left").and_then(Value::as_u64);
    Row {
        name: text(row, "/name").unwrap_or_else(|| format!("{person} (no longer in the roster)")),
        role,
        since: when(&said("/since"), zone),
        factor: match left {
            Some(left) => format!("set; {left} recovery codes left"),
            None => "not set up yet".to_owned(),
        },
        is_locked: row.get("locked").is_some_and(Value::is_string),
        signed_in: row.get("signed_in").and_then(Value::as_u64).unwrap_or_default(),
        is_you: person == visitor.person,
        person,
    }
}

async fn change_account(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<ChangeForm>,
) -> Page {
    match account(&console, &visitor, &form).await {
        Ok((_, Some(link))) => {
            let once = Once { person: visible(&form.person), secret: link };
            show(&console, &visitor, "", Refused::default(), once).await
        }
        // Whoever changes or removes their own account is signed out by that.
        Ok((said, None)) => Ok(see(&format!("/settings/accounts?said={said}"))),
        Err(failure) => show(&console, &visitor, "", refusal(&form, failure)?, Once::default()).await,
    }
}

/// What was done, and the link where there is one.
async fn account(
    console: &Console,
    visitor: &Visitor,
    form: &ChangeForm,
) -> Result<(&'static str, Option<String>), Failure> {
    if form.person.is_empty() {
        return Err(Failure::bad("Choose whose account it is."));
    }
    let who = json!({"person": form.person});
    let with_role = || {
        let case = Some(form.case.trim()).filter(|case| !case.is_empty());
        json!({"person": form.person, "role": form.role, "case": case})
    };
    let link = |answer: &Value| answer.get("link").and_then(Value::as_str).map(str::to_owned);
    let signed =
        |path: &'static str, body: Value| ask::signed(console, visitor, path, body, &form.passphrase);
    Ok(match form.act.as_str() {
        "add" => ("added", link(&signed("/v1/accounts", with_role()).await?)),
        "role" => {
            signed("/v1/accounts/role", with_role()).await?;
            ("role", None)
        }
        "remove" => {
            signed("/v1/accounts/remove", who).await?;
            ("removed", None)
        }
        "unlock" => {
            signed("/v1/accounts/unlock", who).await?;
            ("unlocked", None)
        }
        "reset" => ("reset", link(&signed("/v1/accounts/reset-second-factor", who).await?)),
        _ => return Err(Failure::bad("Choose what you want to do.")),
    })
}

#[derive(Template)]
#[template(path = "console/settings_help_desks.html")]
struct DesksPage {
    shell: Shell,
    said: &'static str,
    refused: Refused,
    /// Name, since when, and when it was revoked.
    rows: Vec<(String, String, Option<String>)>,
    listens: Option<String>,
    once: Once,
    config: String,
}

async fn desks(State(console): State<Console>, visitor: Visitor, Query(asked): Query<Asked>) -> Page {
    show_desks(&console, &visitor, said(&asked.said), Refused::default(), Once::default()).await
}

async fn show_desks(
    console: &Console,
    visitor: &Visitor,
    said: &'static str,
    refused: Refused,
    once: Once,
) -> Page {
    let zone = console.app.lookup.zone();
    let told: Value = ask::get(console, visitor, "/v1/ticket-tokens").await?;
    let told = told.get("tokens").and_then(Value::as_array).cloned().unwrap_or_default();
    let row = |row: &Value| {
        let made = when(&text(row, "/made").unwrap_or_default(), zone);
        (text(row, "/name").unwrap_or_default(), made, text(row, "/revoked").map(|at| when(&at, zone)))
    };
    let status = if refused.sentence.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let page = DesksPage {
        shell: Shell::new(console, Some(visitor), "/settings", "Settings: help desks"),
        said,
        refused,
        rows: told.iter().map(row).collect(),
        listens: console.app.practice.config.raw.tickets_listen.clone(),
        once,
        config: console.app.practice.home.config().display().to_string(),
    };
    page_with(status, &page)
}

async fn change_desk(State(console): State<Console>, visitor: Visitor, Form(form): Form<ChangeForm>) -> Page {
    let body = json!({"name": form.name.trim()});
    let done = match form.act.as_str() {
        "make" => ask::post(&console, &visitor, "/v1/ticket-tokens", body).await,
        "revoke" => ask::post(&console, &visitor, "/v1/ticket-tokens/revoke", body).await,
        _ => Err(Failure::bad("Choose what you want to do.")),
    };
    match done {
        Ok(answer) => match answer.get("token").and_then(Value::as_str) {
            Some(token) => {
                let once = Once { person: visible(form.name.trim()), secret: token.to_owned() };
                show_desks(&console, &visitor, "", Refused::default(), once).await
            }
            None => Ok(see("/settings/help-desks?said=revoked")),
        },
        Err(failure) => show_desks(&console, &visitor, "", refusal(&form, failure)?, Once::default()).await,
    }
}
