//! What stands around every page: who is signed in, the navigation, the form token; and pages for what went wrong.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Console;
use super::table;
use crate::account::Role;
use crate::account::session::{Session, Stage};
use crate::admin::Failure;
use crate::admin::viewer::Viewer;

/// Whoever is signed in, as the gate found them; every handler of a page takes one.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Id of the person.
    pub person: String,
    /// Name of the person.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The session itself.
    pub session: Session,
    /// Its secret, to end it or all others.
    pub token: String,
}

impl Visitor {
    pub(super) fn new(token: String, session: Session) -> Self {
        Self {
            person: session.person.clone(),
            name: session.name.clone(),
            role: session.role.clone(),
            session,
            token,
        }
    }

    /// The same, as the API's handlers know them.
    pub fn viewer(&self) -> Viewer {
        Viewer::signed_in(&self.person, &self.role)
    }
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &Console) -> Result<Self, Trouble> {
        // The gate puts it there for every row but those for anybody.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Trouble {
            status: StatusCode::UNAUTHORIZED,
            sentence: "Sign in first.".to_owned(),
        })
    }
}

/// One entry of the navigation.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What it says.
    pub label: &'static str,
    /// Where it leads.
    pub path: &'static str,
    /// Whether it is where we are.
    pub is_here: bool,
}

/// What the layout shows around a page.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Title of the page.
    pub title: String,
    /// Name of the practice.
    pub practice: String,
    /// Whether somebody is signed in; nobody is shown the navigation before.
    pub is_inside: bool,
    /// What may be opened.
    pub navigation: Vec<Entry>,
    /// Name of who is signed in; empty for nobody.
    pub name: String,
    /// Token for every form.
    pub csrf: String,
    /// Whether the page follows the ledger by itself.
    pub is_live: bool,
    /// Whether the visitor changes roster, table and accounts.
    pub may_change: bool,
    /// Whether they decide.
    pub decides: bool,
}

impl Shell {
    /// For a page of somebody who is signed in; `here` is its entry of the navigation.
    pub fn new(console: &Console, visitor: Option<&Visitor>, here: &str, title: impl Into<String>) -> Self {
        let entries = |visitor: &Visitor| {
            let all = table::navigation(&visitor.role);
            all.map(|(label, path)| Entry { label, path, is_here: path == here }).collect()
        };
        let signed_in = visitor.filter(|visitor| visitor.session.stage == Stage::SignedIn);
        Self {
            title: title.into(),
            practice: console.app.practice.config.raw.practice.clone(),
            is_inside: signed_in.is_some(),
            navigation: signed_in.map(entries).unwrap_or_default(),
            name: visitor.map(|visitor| visitor.name.clone()).unwrap_or_default(),
            csrf: visitor.map(|visitor| visitor.session.csrf.clone()).unwrap_or_default(),
            is_live: false,
            may_change: visitor.is_some_and(|visitor| visitor.role.name() == "manager"),
            decides: visitor.is_some_and(|visitor| ["manager", "reviewer"].contains(&visitor.role.name())),
        }
    }

    /// The same for a page that follows the ledger by itself.
    #[must_use]
    pub fn live(self) -> Self {
        Self { is_live: true, ..self }
    }
}

/// A page, or what went wrong.
pub type Page = Result<Response, Trouble>;

/// A filled template as an answer.
pub fn page(template: &impl Template) -> Page {
    page_with(StatusCode::OK, template)
}

/// [`page()`] with a status.
pub fn page_with(status: StatusCode, template: &impl Template) -> Page {
    let text = template.render().map_err(|error| Trouble {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        sentence: format!("The page could not be written: {error}."),
    })?;
    Ok((status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response())
}

/// What went wrong, in one sentence: the gate makes a page of it, and JSON below `/api`.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Status of the answer.
    pub status: StatusCode,
    /// What, and what to do.
    pub sentence: String,
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        let (status, sentence) = failure.into_parts();
        Self { status, sentence }
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "console/trouble.html")]
struct TroublePage<'a> {
    shell: Shell,
    heading: &'a str,
    sentence: &'a str,
    back: &'a str,
}

/// The page that says what went wrong.
pub(super) fn trouble_page(
    console: &Console,
    visitor: Option<&Visitor>,
    here: &str,
    trouble: &Trouble,
) -> Response {
    let heading = match trouble.status {
        StatusCode::NOT_FOUND => "Not here",
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "Not open to you",
        status if status.is_client_error() => "That did not work",
        _ => "The collector could not answer",
    };
    let back = visitor.map_or("/sign-in", |visitor| table::first_page(&visitor.role));
    let shell = Shell::new(console, visitor, here, heading);
    let page = TroublePage { shell, heading, sentence: &trouble.sentence, back };
    let written = page_with(trouble.status, &page);
    written.unwrap_or_else(|trouble| (trouble.status, trouble.sentence).into_response())
}
