//! The console: what people open with a browser, over TLS, at an address of its own.
//!
//! Server-rendered pages over the same code that the command line calls. Readable and usable without JavaScript; a
//! small script of our own only lets a page follow the ledger. Everything that stands on a page is escaped,
//! and what hides in it written out, by [`crate::escape`], which askama calls for every template.
//!
//! | room | does |
//! |---|---|
//! | [`listener`] | TLS, bounded connections, time limits |
//! | [`gate`] | headers, session, permissions, form tokens: before every route |
//! | [`table`] | who may open what; one row a route, for pages and JSON API alike; the navigation |
//! | [`shell`] | what stands around a page ([`shell::Shell`]), who is signed in ([`shell::Visitor`]), what went wrong ([`shell::Trouble`]) |
//! | `door` | sign-in, sign-out, set-up link, second factor, one's own sign-ins |
//! | [`ask`] | a page asks the JSON API, as whoever is signed in |
//! | `form`, `words`, `parts` | what pages have in common: forms that come back, texts and moments, roster and table |
//! | `week`, `findings`, `breach`, `events`, `machines`, `protected`, `tickets`, `departure`, `reports`, `evidence`, `case`, `second`, `self_check`, `settings`, `wizard` | the pages of these names; `live` tells them that something is new |
//!
//! # To add a page
//! 1. A template `templates/console/NAME.html` that begins with `{% extends "console/layout.html" %}` and fills
//!    `{% block main %}`. Its data has a field `shell: Shell`. Each form is
//!    `<form method="post" action="..."><input type="hidden" name="csrf" value="{{ shell.csrf }}">`. No `style=`, no
//!    `<style>`, no `<script>`, no `onclick`: the browser is told to refuse them. Looks come from `console.css`.
//! 2. A module `console/NAME.rs` with `pub(super) fn routes() -> Router<Console>`. A handler takes
//!    `State(console): State<Console>` and `visitor: Visitor`, calls the code behind `crate::admin` (the same that the
//!    command line calls), and returns [`shell::Page`], with [`shell::page`]. A [`crate::admin::Failure`] becomes a page
//!    by `?`. What takes long or blocks goes through `crate::admin::blocking`.
//! 3. One line in [`router`] (`.merge(NAME::routes())`), and one row a route in [`table::PAGES`]: without its row a
//!    route is 404 for everybody. The navigation shows a page by itself once it has a row.
//!    A route of the JSON API has its row in [`table::api`], or a reason there why the console does not open it.
//! 4. After a POST answer with [`see`], so that a reload repeats nothing.
//!
//! A look at a finding or report is an act: `console.viewed(&visitor, json!({"what": "..."}))`. Who is
//! not to see a finding is decided by [`crate::admin::viewer::Viewer`].

mod ask;
mod breach;
mod case;
mod departure;
mod door;
mod events;
mod evidence;
mod findings;
mod form;
pub mod gate;
mod link_made;
pub mod listener;
mod live;
mod machines;
mod mine;
mod parts;
mod people;
mod protected;
mod questions;
mod reports;
mod second;
mod self_check;
mod settings;
pub mod shell;
mod signing;
pub mod start;
pub mod table;
mod tickets;
mod week;
mod wizard;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use jiff::Timestamp;
use ntk_evidence::act;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::account::Role;
use crate::account::limit::Tries;
use crate::admin::{self, Failure};
use crate::app::App;
use crate::question;
use shell::{Trouble, Visitor};

/// Name of the session's cookie. `__Host-`: browsers take it over TLS only, for this host and the whole of it.
pub const COOKIE: &str = "__Host-ntk";

/// So many passphrases are looked at at once: each takes 19 MiB and a good part of a second.
const PASSPHRASES_AT_ONCE: usize = 2;
/// So many pages follow the ledger at once.
const LIVE_MAX: usize = 64;

/// What every handler needs.
#[derive(Clone, Debug)]
pub struct Console {
    /// The practice at work.
    pub app: App,
    /// Beginning of every link.
    pub origin: Arc<str>,
    /// Tries by address.
    pub(crate) tries: Arc<Tries>,
    /// Failed sign-ins that are not in the ledger yet.
    pub(crate) failed: Arc<door::Failed>,
    /// Room for passphrases.
    pub(crate) passphrases: Arc<Semaphore>,
    /// Room for pages that follow.
    pub(crate) live: Arc<Semaphore>,
    /// This week's review as it was made last.
    pub(crate) week: Arc<week::Kept>,
    /// What is protected, as it was read last.
    pub(crate) protected: Arc<protected::Kept>,
    /// What the entries of the last weeks say about people, as somebody looked it up last.
    pub(crate) people: Arc<people::Kept>,
    /// The check of the ledger that somebody asked for.
    pub(crate) checking: Arc<self_check::Checking>,
    /// What became of the trials that somebody sent last.
    pub(crate) tried: Arc<parts::Tried>,
    /// What the command line asks, too.
    pub(crate) api: Router,
}

impl Console {
    /// Over a practice at work.
    pub fn new(app: App, origin: &str) -> Self {
        Self {
            api: admin::router(app.clone()),
            app,
            origin: origin.into(),
            tries: Arc::default(),
            failed: Arc::default(),
            passphrases: Arc::new(Semaphore::new(PASSPHRASES_AT_ONCE)),
            live: Arc::new(Semaphore::new(LIVE_MAX)),
            week: Arc::default(),
            protected: Arc::default(),
            people: Arc::default(),
            checking: Arc::default(),
            tried: Arc::default(),
        }
    }

    /// Now, by the collector's clock.
    pub fn now(&self) -> Timestamp {
        self.app.desk.now().timestamp()
    }

    /// Writes an act down.
    pub async fn record(&self, kind: &str, body: Value) -> Result<u64, Failure> {
        admin::record(&self.app, kind, body).await
    }

    /// Writes down that somebody looked at something: `what`, and more where it says more.
    pub async fn viewed(&self, visitor: &Visitor, looked: Value) -> Result<(), Trouble> {
        self.record(act::kind::VIEWED, visitor.viewer().looked(looked)).await?;
        Ok(())
    }
}

/// Where somebody begins: a manager with what is still to be set up, until it is, or was put away.
pub(crate) async fn first_page(console: &Console, role: &Role) -> Result<&'static str, Failure> {
    let page = table::first_page(role);
    let is_set_up = role.name() != "manager" || admin::set_up::is_over(&console.app).await?;
    Ok(if is_set_up { page } else { "/wizard" })
}

/// Where a form leads once it is done.
pub fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// Every route behind the gate.
pub fn router(console: Console) -> Router {
    let pages = Router::new()
        .merge(breach::routes())
        .merge(case::routes())
        .merge(departure::routes())
        .merge(door::routes())
        .merge(events::routes())
        .merge(evidence::routes())
        .merge(findings::routes())
        .merge(live::routes())
        .merge(machines::routes())
        .merge(protected::routes())
        .merge(mine::routes())
        .merge(people::routes())
        .merge(questions::routes())
        .merge(reports::routes())
        .merge(second::routes())
        .merge(self_check::routes())
        .merge(settings::routes())
        .merge(tickets::routes())
        .merge(week::routes())
        .merge(wizard::routes())
        .route("/console.css", get(|| async { asset("text/css", CSS) }))
        .route("/console.js", get(|| async { asset("text/javascript", SCRIPT) }))
        .route("/icon.svg", get(|| async { asset("image/svg+xml", ICON) }))
        .with_state(console.clone());
    // Whoever has such a link needs no account: these pages have guards of their own.
    let links = question::public::routes(console.app.clone());
    pages
        .nest("/api", console.api.clone())
        .fallback(nowhere)
        .method_not_allowed_fallback(nowhere)
        .layer(DefaultBodyLimit::max(1 << 20))
        .layer(from_fn_with_state(console, gate::gate))
        .layer(from_fn(gate::headers))
        .merge(links)
}

async fn nowhere() -> Trouble {
    Failure::missing("There is no such page here.").into()
}

/// Colours and type are those of the report and of mails.
pub(crate) const CSS: &str =
    concat!(include_str!("../templates/tokens.css"), include_str!("../templates/console.css"));
const SCRIPT: &str = include_str!("../templates/console.js");
const ICON: &str = include_str!("../templates/console/icon.svg");

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
