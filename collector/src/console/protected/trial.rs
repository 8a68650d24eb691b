//! Tries a changed table: what it would have said about the past weeks. Nothing is changed by it, so the answer is a
//! page, and loading it again tries once more. Whoever may take the table finds the form for it there; it goes to the
//! settings.

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;

use super::super::Console;
use super::super::parts::{Refused, TablePart};
use super::super::shell::{Page, Shell, Trouble, Visitor, page_with};
use crate::admin::policy::{TryRequest, tried};
use crate::admin::{Failure, blocking};
use crate::console::form::{is_the_forms, may_post};
use crate::console::words::plain;
use crate::need_to_know::Judgement;
use crate::policy::trial::Comparison;
use crate::report::text::{count, number};

/// Weeks that the form offers.
const WEEKS: &[u16] = &[1, 4, 12, 26];

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/protected/try", get(form).post(attempt))
}

#[derive(Debug, Default, Deserialize)]
struct TryForm {
    #[serde(default)]
    text: String,
    #[serde(default)]
    weeks: String,
}

/// What would have been another outcome.
struct Outcome {
    weeks: String,
    accesses: String,
    changed: String,
    items_before: u64,
    items_after: u64,
    changes: Vec<(String, String, String, String, String)>,
    n_not_listed: u64,
    not_delivered: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/try.html")]
struct TryPage {
    shell: Shell,
    typed: TryForm,
    weeks: &'static [u16],
    outcome: Option<Outcome>,
    /// The table in force and who else may adopt, where the one that was tried can be taken from here.
    take: Option<TablePart>,
    /// Nothing: what is refused is said where the form leads.
    refused: Refused,
    wrong: Vec<String>,
}

impl TryPage {
    fn is_chosen(&self, weeks: &u16) -> bool {
        self.typed.weeks == weeks.to_string()
    }

    fn n(&self, n: &u64) -> String {
        number(*n)
    }
}

async fn form(State(console): State<Console>, visitor: Visitor) -> Page {
    let app = console.app.clone();
    let text = blocking(move || Ok(app.lookup.rule_texts_now()?.1)).await?;
    let typed = TryForm { text, weeks: "4".to_owned() };
    answer(&console, &visitor, StatusCode::OK, typed, None, Vec::new()).await
}

async fn answer(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    typed: TryForm,
    outcome: Option<Outcome>,
    wrong: Vec<String>,
) -> Page {
    let shell = Shell::new(console, Some(visitor), "/protected", "Try a changed table");
    let can_be_taken = outcome.as_ref().is_some_and(|outcome| outcome.not_delivered.is_empty());
    let take = match can_be_taken && may_post(&visitor.role, "/settings/table") {
        true => Some(TablePart::now(console, visitor, "").await?),
        false => None,
    };
    let refused = Refused::default();
    page_with(status, &TryPage { shell, typed, weeks: WEEKS, outcome, take, refused, wrong })
}

fn word(judgement: Judgement) -> String {
    let word = serde_json::to_value(judgement).ok().and_then(|word| word.as_str().map(str::to_owned));
    word.unwrap_or_default().replace('_', " ")
}

impl Outcome {
    fn of(weeks: u16, comparison: &Comparison, not_delivered: &[String]) -> Self {
        let change = |change: &crate::policy::trial::Change| {
            (
                number(change.n_accesses),
                plain(&format!("{}: {}", change.who, change.asset)),
                word(change.before),
                word(change.after),
                plain(&change.because),
            )
        };
        Self {
            weeks: count(u64::from(weeks), "week", "weeks"),
            accesses: count(comparison.n_accesses, "access or login", "accesses and logins"),
            changed: number(comparison.n_changed),
            items_before: comparison.items_before,
            items_after: comparison.items_after,
            changes: comparison.changes.iter().map(change).collect(),
            n_not_listed: comparison.n_not_listed,
            not_delivered: not_delivered.iter().map(|sentence| plain(sentence)).collect(),
        }
    }
}

async fn attempt(State(console): State<Console>, visitor: Visitor, Form(form): Form<TryForm>) -> Page {
    // A text area sends its lines with carriage returns.
    let text = form.text.replace("\r\n", "\n");
    if text.trim().is_empty() {
        let wrong = vec!["Write the table that is to be tried.".to_owned()];
        return answer(&console, &visitor, StatusCode::BAD_REQUEST, form, None, wrong).await;
    }
    let request = TryRequest { text, experts: Vec::new(), weeks: form.weeks.parse().ok() };
    match tried(&console.app, &visitor.viewer(), request).await.map_err(Failure::into_parts) {
        Ok(tried) => {
            let outcome = Outcome::of(tried.weeks, &tried.comparison, &tried.not_delivered);
            answer(&console, &visitor, StatusCode::OK, form, Some(outcome), Vec::new()).await
        }
        Err((status, sentence)) if is_the_forms(status) => {
            let wrong = sentence.lines().map(plain).collect();
            answer(&console, &visitor, StatusCode::BAD_REQUEST, form, None, wrong).await
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}
