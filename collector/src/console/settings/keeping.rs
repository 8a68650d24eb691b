//! How long entries are kept, and holds that keep them longer.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::parts::{ChangeForm, Refused, said};
use super::super::shell::{Page, Shell, Visitor, page_with};
use super::super::{Console, ask, see};
use super::{Asked, refusal};
use crate::admin::Failure;
use crate::admin::roster::in_force;
use crate::console::words::when;
use crate::hold::Hold;
use crate::report::acts::name;
use crate::report::shown::visible;
use crate::report::text::moment;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/settings/keeping", get(open).post(change))
}

#[derive(Deserialize)]
struct Told {
    holds: Vec<Hold>,
    #[serde(default)]
    not_shown: usize,
}

/// One hold in words.
struct Row {
    id: String,
    case: String,
    about: String,
    span: String,
    reason: String,
    began: String,
    released: Option<String>,
}

#[derive(Template)]
#[template(path = "console/settings_keeping.html")]
struct KeepingPage {
    shell: Shell,
    said: &'static str,
    refused: Refused,
    months: u32,
    years: u32,
    rows: Vec<Row>,
    not_shown: usize,
    people: Vec<(String, String)>,
    config: String,
    zone: String,
}

async fn open(State(console): State<Console>, visitor: Visitor, Query(asked): Query<Asked>) -> Page {
    show(&console, &visitor, said(&asked.said), Refused::default()).await
}

async fn show(console: &Console, visitor: &Visitor, said: &'static str, refused: Refused) -> Page {
    let zone = console.app.lookup.zone();
    let told: Told = ask::get(console, visitor, "/v1/hold").await?;
    let (_, roster) = in_force(&console.app).await?;
    let n_all = told.holds.len();
    // Nobody reads of a hold about themselves.
    let is_shown = |hold: &Hold| hold.terms.person.as_deref() != Some(visitor.person.as_str());
    let holds: Vec<Hold> = told.holds.into_iter().filter(is_shown).collect();
    let row = |hold: &Hold| {
        let edge = |at: Option<jiff::Timestamp>| at.map(|at| moment(at, zone));
        let span = match (edge(hold.terms.from), edge(hold.terms.to)) {
            (None, None) => "all of it, and what is to come".to_owned(),
            (Some(from), None) => format!("from {from}, without end"),
            (None, Some(to)) => format!("from the beginning to {to}"),
            (Some(from), Some(to)) => format!("from {from} to {to}"),
        };
        Row {
            id: hold.terms.id.clone(),
            case: visible(&hold.terms.case),
            about: hold
                .terms
                .person
                .as_deref()
                .map_or_else(|| "nobody in particular".to_owned(), |id| visible(&name(id, &roster))),
            span,
            reason: visible(&hold.terms.reason),
            began: when(&hold.began, zone),
            released: hold.released.as_deref().map(|at| when(at, zone)),
        }
    };
    let people = roster.persons().iter().filter(|person| person.id != visitor.person);
    let config = console.app.practice.current();
    let raw = &config.raw;
    let status = if refused.sentence.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let page = KeepingPage {
        shell: Shell::new(console, Some(visitor), "/settings", "Settings: how long things are kept"),
        said,
        refused,
        months: raw.retention.raw_months,
        years: raw.retention.acts_years,
        rows: holds.iter().map(row).collect(),
        not_shown: told.not_shown.saturating_add(n_all.saturating_sub(holds.len())),
        people: people.map(|person| (person.id.clone(), visible(&person.name))).collect(),
        config: console.app.practice.home.config().display().to_string(),
        zone: raw.timezone.clone(),
    };
    page_with(status, &page)
}

async fn change(State(console): State<Console>, visitor: Visitor, Form(form): Form<ChangeForm>) -> Page {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let (path, body, done) = match form.act.as_str() {
        "hold" if given(&form.because).is_none() => {
            let refused = refusal(&form, Failure::bad("Say why it is held."))?;
            return show(&console, &visitor, "", refused).await;
        }
        "hold" => {
            let body = json!({
                "case": form.case.trim(), "person": given(&form.person), "from": given(&form.from),
                "to": given(&form.to), "reason": form.because.trim(),
            });
            ("/v1/hold", body, "held")
        }
        "release" => {
            let body: Value = json!({"id": form.what, "because": given(&form.because)});
            ("/v1/hold/release", body, "released")
        }
        _ => {
            let refused = refusal(&form, Failure::bad("Choose what you want to do."))?;
            return show(&console, &visitor, "", refused).await;
        }
    };
    match ask::signed(&console, &visitor, path, body, &form.passphrase).await {
        Ok(_) => Ok(see(&format!("/settings/keeping?said={done}"))),
        Err(failure) => show(&console, &visitor, "", refusal(&form, failure)?).await,
    }
}
