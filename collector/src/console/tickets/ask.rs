//! Asks for a ticket: whom it lets in, to what, from when until when, and why.

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;

use super::super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::super::{Console, see};
use crate::admin::Failure;
use crate::admin::roster::in_force;
use crate::admin::tickets::ask_for;
use crate::console::form::is_the_forms;
use crate::console::words::plain;
use crate::policy::Area;
use crate::ticket::request::REASON_MAX;
use crate::ticket::{Draft, Via};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/tickets/request", get(form).post(ask))
}

/// The form, with what was typed.
#[derive(Clone, Debug, Default, Deserialize)]
struct AskForm {
    #[serde(default, rename = "for")]
    person: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    reason: String,
}

#[derive(Template)]
#[template(path = "console/ticket_request.html")]
struct AskPage {
    shell: Shell,
    zone: String,
    typed: AskForm,
    people: Vec<(String, String)>,
    classes: Vec<(&'static str, &'static str)>,
    faults: Vec<(&'static str, String)>,
    reason_max: usize,
}

impl AskPage {
    /// What is wrong with a field; empty where nothing is.
    fn wrong(&self, field: &str) -> String {
        let sentences = self.faults.iter().filter(|(key, _)| *key == field).map(|(_, wrong)| wrong.as_str());
        sentences.collect::<Vec<_>>().join(" ")
    }

    fn is(&self, one: &str, other: &str) -> bool {
        one == other
    }
}

async fn form(State(console): State<Console>, visitor: Visitor) -> Page {
    show(&console, &visitor, AskForm::default(), Vec::new()).await
}

async fn show(
    console: &Console,
    visitor: &Visitor,
    typed: AskForm,
    faults: Vec<(&'static str, String)>,
) -> Page {
    let (_, roster) = in_force(&console.app).await?;
    let mut people: Vec<(String, String)> =
        roster.persons().iter().map(|person| (person.id.clone(), plain(&person.in_words()))).collect();
    people.sort_by(|one, other| one.1.cmp(&other.1));
    let classes = Area::ALL.iter().filter(|area| area.class() == **area);
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    page_with(
        status,
        &AskPage {
            shell: Shell::new(console, Some(visitor), "/tickets", "Ask for a ticket"),
            zone: console.app.practice.config.raw.timezone.clone(),
            typed,
            people,
            classes: classes.map(|area| (area.as_str(), area.heading())).collect(),
            faults,
            reason_max: REASON_MAX,
        },
    )
}

impl AskForm {
    fn draft(&self, by: &str) -> Draft {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Draft {
            assignee: self.person.trim().to_owned(),
            class: self.class.trim().to_owned(),
            owner: given(&self.owner),
            host: given(&self.host),
            from: given(&self.from),
            to: given(&self.to),
            hours: None,
            reason: self.reason.trim().to_owned(),
            kind: None,
            by: Some(by.to_owned()),
            external_id: None,
        }
    }
}

async fn ask(State(console): State<Console>, visitor: Visitor, Form(form): Form<AskForm>) -> Page {
    let asked = ask_for(&console.app, form.draft(&visitor.person), Via::Console).await;
    match asked.map_err(Failure::into_parts) {
        Ok(Ok((id, _))) => {
            console.week.forget();
            Ok(see(&format!("/tickets/{id}?said=asked")))
        }
        Ok(Err(faults)) => {
            let faults =
                faults.into_iter().map(|fault| (fault.key, plain(&in_form_words(fault.key, &fault.wrong))));
            show(&console, &visitor, form, faults.collect()).await
        }
        Err((status, sentence)) if is_the_forms(status) => {
            show(&console, &visitor, form, vec![("for", plain(&sentence))]).await
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}

/// A fault as a sentence at its field: the core names no field.
fn in_form_words(key: &str, wrong: &str) -> String {
    let subject = match key {
        "for" => "Whom it lets in",
        "class" => "What it opens",
        "owner" => "Whose",
        "host" => "The machine",
        "from" => "The beginning",
        "to" => "The end",
        "reason" => "The reason",
        _ => "This",
    };
    if wrong.starts_with("is ") { format!("{subject} {wrong}.") } else { format!("{subject}: {wrong}.") }
}
