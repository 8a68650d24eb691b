//! The first-start page: code, form, keys, link.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{KEYS, Standing, TRIES_MAX, is_zone, keys, link, standing};
use crate::clock::Clock;
use crate::config::ADMINISTERED;
use crate::console::{CSS, gate};
use crate::home::{Home, read_text};
use crate::init::{InitOptions, init_with};
use crate::link::{Code, Token};
use crate::place::Place;

/// The largest form, bytes.
const BODY_BYTES_MAX: usize = 16 * 1024;
const COOKIE: &str = "__Host-ntk-first-start";
const AGENTS_LISTEN: &str = "0.0.0.0:7443";

/// One first start.
#[derive(Clone)]
pub struct FirstStart(Arc<Inner>);

struct Inner {
    home: Home,
    console: String,
    clock: Clock,
    code_hash: String,
    /// Wrong codes so far. Held while one is tried: FS-1 holds for many at once, too.
    wrong: tokio::sync::Mutex<u32>,
    /// SHA-256 of the cookie of whoever typed the code.
    session: Mutex<Option<String>>,
    /// Held while the practice is made or its keys are put away: one at a time.
    work: tokio::sync::Mutex<()>,
    done: CancellationToken,
}

impl FirstStart {
    /// A first start of this folder; the console will listen on `console`. `done` is cancelled when all is done.
    pub fn new(home: Home, console: &str, clock: Clock, code_hash: String, done: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            home,
            console: console.to_owned(),
            clock,
            code_hash,
            wrong: tokio::sync::Mutex::new(0),
            session: Mutex::new(None),
            work: tokio::sync::Mutex::new(()),
            done,
        }))
    }

    fn is_in(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|all| all.split(';')).filter_map(|one| one.trim().split_once('='));
        let token = pairs.find(|(name, _)| *name == COOKIE).and_then(|(_, value)| Token::parse(value));
        let session = self.0.session.lock().unwrap_or_else(PoisonError::into_inner);
        token.is_some_and(|token| session.as_deref() == Some(token.sha256().as_str()))
    }

    fn show(&self, status: StatusCode, wrong: &str, form: &Made) -> Response {
        let keys = match standing(&self.0.home) {
            Standing::KeysHere => read_text(&keys(&self.0.home)).unwrap_or_default(),
            Standing::Fresh | Standing::Over => String::new(),
        };
        page(
            status,
            &Page { step: if keys.is_empty() { "make" } else { "keys" }, wrong, form, keys: &keys, link: "" },
        )
    }
}

/// What the form says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Made {
    name: String,
    timezone: String,
    place: String,
    network: String,
    second: String,
    no_second: String,
}

#[derive(Template)]
#[template(path = "first_start.html")]
struct Page<'a> {
    step: &'static str,
    wrong: &'a str,
    form: &'a Made,
    keys: &'a str,
    link: &'a str,
}

fn page(status: StatusCode, page: &Page<'_>) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn ask_code(status: StatusCode, wrong: &str) -> Response {
    page(status, &Page { step: "code", wrong, form: &Made::default(), keys: "", link: "" })
}

/// Its routes.
pub fn router(page: FirstStart) -> Router {
    Router::new()
        .route("/", get(open))
        .route("/code", post(code))
        .route("/make", post(make))
        .route("/keys", get(take))
        .route("/taken", post(taken))
        .route("/console.css", get(|| async { ([(header::CONTENT_TYPE, "text/css")], CSS) }))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(gate::headers))
        .with_state(page)
}

async fn open(State(this): State<FirstStart>, headers: HeaderMap) -> Response {
    if this.is_in(&headers) {
        let form = Made { timezone: "America/New_York".to_owned(), ..Made::default() };
        return this.show(StatusCode::OK, "", &form);
    }
    ask_code(StatusCode::OK, "")
}

#[derive(Deserialize)]
struct Typed {
    code: String,
}

async fn code(State(this): State<FirstStart>, Form(typed): Form<Typed>) -> Response {
    let mut wrong = this.0.wrong.lock().await;
    // INVARIANT FS-1.
    if *wrong >= TRIES_MAX {
        let over = "Too many wrong codes. Switch the box off and on; its screen shows another one.";
        return ask_code(StatusCode::FORBIDDEN, over);
    }
    let (hash, parsed) = (this.0.code_hash.clone(), Code::parse(&typed.code));
    let is_right = tokio::task::spawn_blocking(move || parsed.is_some_and(|code| code.is_of(&hash))).await;
    if !is_right.unwrap_or(false) {
        *wrong = wrong.saturating_add(1);
        let left = TRIES_MAX.saturating_sub(*wrong);
        return ask_code(
            StatusCode::FORBIDDEN,
            &format!("This is not the code on the box’s screen. {left} more tries."),
        );
    }
    let Ok(token) = Token::make() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    *this.0.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.sha256());
    let cookie = format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Strict", token.reveal());
    ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

async fn make(State(this): State<FirstStart>, headers: HeaderMap, Form(form): Form<Made>) -> Response {
    if !this.is_in(&headers) {
        return ask_code(StatusCode::FORBIDDEN, "Type the code first.");
    }
    let _one = this.0.work.lock().await;
    let (options, second) = match options(&this, &form, &headers) {
        Ok(options) => options,
        Err(wrong) => return this.show(StatusCode::BAD_REQUEST, wrong, &form),
    };
    let (home, clock) = (this.0.home.clone(), this.0.clock.clone());
    let made = tokio::task::spawn_blocking(move || init_with(&home, &options, second, None, &clock)).await;
    match made {
        Ok(Ok(_)) => Redirect::to("/").into_response(),
        Ok(Err(error)) => this.show(StatusCode::CONFLICT, &crate::error_chain(&error), &form),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The form as `init` takes it.
fn options(
    this: &FirstStart,
    form: &Made,
    headers: &HeaderMap,
) -> Result<(InitOptions, serde_json::Value), &'static str> {
    let (name, zone) = (form.name.trim(), form.timezone.trim());
    if name.is_empty() {
        return Err("Give the practice’s name.");
    }
    if !is_zone(zone) {
        return Err("There is no such time zone; one is America/New_York.");
    }
    let second = match (form.second.trim(), form.no_second.trim()) {
        ("", "") => return Err("Name a second reviewer, or say why there is none: every review repeats it."),
        ("", because) => json!({"second_reviewer": {"declined": because}}),
        (named, _) => json!({"second_reviewer": {"named": named}}),
    };
    let place = match form.place.as_str() {
        "box" => Place::Box,
        "practice-server" => Place::PracticeServer,
        "outsider" => Place::Outsider,
        _ => return Err("Say where the box stands."),
    };
    let mut administers: BTreeMap<String, String> =
        ADMINISTERED.map(|what| (what.to_owned(), "not named at set-up".to_owned())).into();
    if place == Place::Box {
        administers.insert("host".to_owned(), "nobody signs in to the box".to_owned());
        administers.insert("hypervisor".to_owned(), "none".to_owned());
    }
    if !form.network.trim().is_empty() {
        administers.insert("network".to_owned(), form.network.trim().to_owned());
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let options = InitOptions {
        name: name.to_owned(),
        timezone: zone.to_owned(),
        template: "small-practice".to_owned(),
        keys_to: vec![keys(&this.0.home)],
        administers,
        listen: AGENTS_LISTEN.to_owned(),
        console: Some(this.0.console.clone()),
        // As this browser reached the box: links are to say the same.
        console_address: host.map(str::to_owned),
        place: Some(place),
        at_rest: None,
    };
    Ok((options, second))
}

async fn take(State(this): State<FirstStart>, headers: HeaderMap) -> Response {
    let text = read_text(&keys(&this.0.home));
    match text {
        Ok(text) if this.is_in(&headers) && standing(&this.0.home) == Standing::KeysHere => {
            let attachment = format!("attachment; filename=\"{KEYS}\"");
            (
                [
                    (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
                    (header::CONTENT_DISPOSITION, attachment),
                ],
                text,
            )
                .into_response()
        }
        _ => ask_code(StatusCode::FORBIDDEN, "Type the code first."),
    }
}

#[derive(Deserialize)]
struct Back {
    practice: String,
    recovery: String,
}

/// The last of the words of each key in a keys file.
fn last_words(keys: &str) -> Vec<&str> {
    let words = keys.lines().filter_map(|line| line.trim().strip_prefix("as words:"));
    words.filter_map(|words| words.split_whitespace().next_back()).collect()
}

async fn taken(State(this): State<FirstStart>, headers: HeaderMap, Form(back): Form<Back>) -> Response {
    if !this.is_in(&headers) {
        return ask_code(StatusCode::FORBIDDEN, "Type the code first.");
    }
    let _one = this.0.work.lock().await;
    let Ok(text) = read_text(&keys(&this.0.home)) else { return Redirect::to("/").into_response() };
    // INVARIANT FS-3.
    let typed = [back.practice.trim().to_lowercase(), back.recovery.trim().to_lowercase()];
    if last_words(&text) != typed {
        let wrong =
            "These are not the last words of the two keys. Open what you took away and read them there.";
        return this.show(StatusCode::BAD_REQUEST, wrong, &Made::default());
    }
    if std::fs::remove_file(keys(&this.0.home)).is_err() {
        return this.show(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The keys file could not be deleted here.",
            &Made::default(),
        );
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let link = link(this.0.home.clone(), &format!("https://{host}"), this.0.clock.clone()).await;
    let link = link.ok().flatten().unwrap_or_default();
    // INVARIANT FS-2: this answer is the last one.
    this.0.done.cancel();
    page(StatusCode::OK, &Page { step: "done", wrong: "", form: &Made::default(), keys: "", link: &link })
}
