//! Questions to people: the links and forms that are open, and their withdrawal. They are put from a finding's page.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::form::{Done, Wrong, passphrase};
use super::shell::{Page, Shell, Visitor, page_with};
use super::{Console, see};
use crate::admin::links::{WithdrawRequest, open_to, withdraw};
use crate::admin::roster::in_force;
use crate::link::{Link, Purpose};
use crate::report::shown::visible;
use crate::report::text::moment;
use crate::roster::Roster;
use crate::staff_notice::Notice;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/links", get(list).post(take_back))
}

/// An open link or form, as a page tells it.
pub(super) struct OpenLink {
    pub(super) id: String,
    pub(super) to: String,
    /// `a question`, `the staff notice`.
    pub(super) what: String,
    /// The finding that a question is about.
    pub(super) finding: Option<String>,
    /// By link, on paper, and with which proof.
    pub(super) way: &'static str,
    pub(super) until: String,
    pub(super) opened: String,
}

impl OpenLink {
    fn of(link: &Link, opened: Option<&str>, roster: &Roster, console: &Console) -> Self {
        let zone = console.app.lookup.zone();
        let (what, finding) = match &link.purpose {
            Purpose::Question { question, finding, .. } => {
                (format!("a question: {}", visible(question)), Some(finding.clone()))
            }
            Purpose::Notice { notice, version } => {
                let name = Notice::parse(notice).map_or("notice", Notice::in_words);
                (format!("the {name}, version {}", visible(version)), None)
            }
        };
        let name = roster.person(&link.to).map_or(link.to.as_str(), |person| person.name.as_str());
        Self {
            id: link.id.clone(),
            to: visible(name),
            what,
            finding,
            way: match (link.sha256.is_some(), link.needs_code) {
                (true, true) => "by link, with a code",
                (true, false) => "by link",
                (false, _) => "on paper",
            },
            until: moment(link.expires, zone),
            opened: opened
                .map(|at| at.parse().map(|at| moment(at, zone)).unwrap_or_else(|_| at.to_owned()))
                .unwrap_or_default(),
        }
    }
}

/// What is open, without what is about whoever looks.
pub(super) async fn open(
    console: &Console,
    visitor: &Visitor,
) -> Result<Vec<OpenLink>, crate::admin::Failure> {
    let (_, roster) = in_force(&console.app).await?;
    let links = open_to(&console.app, &visitor.viewer()).await?;
    let told =
        |(link, opened): &(Link, Option<String>)| OpenLink::of(link, opened.as_deref(), &roster, console);
    Ok(links.iter().map(told).collect())
}

#[derive(Template)]
#[template(path = "console/links.html")]
struct LinksPage {
    shell: Shell,
    links: Vec<OpenLink>,
    typed: String,
    wrong: Wrong,
    said: &'static str,
}

async fn list(State(console): State<Console>, visitor: Visitor, Query(said): Query<Done>) -> Page {
    let said = if said.said == "withdrawn" { "It is withdrawn, and opens nothing any more." } else { "" };
    show(&console, &visitor, String::new(), Wrong::default(), said).await
}

async fn show(console: &Console, visitor: &Visitor, typed: String, wrong: Wrong, said: &'static str) -> Page {
    let page = LinksPage {
        shell: Shell::new(console, Some(visitor), "/people", "Open links"),
        links: open(console, visitor).await?,
        typed,
        wrong: wrong.clone(),
        said,
    };
    page_with(wrong.status, &page)
}

#[derive(Debug, Deserialize)]
struct WithdrawForm {
    #[serde(default)]
    id: String,
    #[serde(default)]
    passphrase: String,
}

async fn take_back(State(console): State<Console>, visitor: Visitor, Form(form): Form<WithdrawForm>) -> Page {
    let request = WithdrawRequest {
        id: form.id.clone(),
        by: visitor.person.clone(),
        passphrase: passphrase(&form.passphrase),
    };
    let taken = {
        let _room = console.passphrases.acquire().await;
        withdraw(State(console.app.clone()), visitor.viewer(), Json(request)).await
    };
    match taken {
        Ok(_) => Ok(see("/links?said=withdrawn")),
        Err(failure) => {
            let wrong = Wrong::from_failure("withdraw", failure)?;
            show(&console, &visitor, form.id, wrong, "").await
        }
    }
}
