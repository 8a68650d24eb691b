//! The gate before every route: headers, session, table, forms' tokens, in this order and in one place.
//!
//! # Invariants
//! - GA-1: nothing of a route runs for a request that its row of the table does not let through.
//! - GA-2: nothing is changed for a request whose origin is not the console's own page; and none in somebody's name
//!   without the token of their session.
//! - GA-3: what a request says of who does something (`by`) is the one who is signed in.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Form, FromRequest as _, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::listener::Peer;
use super::shell::{Trouble, Visitor, trouble_page};
use super::table::{self, Who};
use super::{COOKIE, Console};
use crate::account::secret;
use crate::account::session::{Session, Stage};
use crate::admin::viewer::Viewer;

/// The largest form, bytes: a roster that is pasted fits.
const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a request may take from its first byte to its answer; live pages answer at once and go on.
const REQUEST_WITHIN: Duration = Duration::from_secs(120);

/// What stands on every answer. Forms and links tell their origin to the console alone (`same-origin`): with
/// `no-referrer` browsers would say `Origin: null` for the console's own forms, and GA-2 could not tell.
const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// The outermost layer: every answer, whatever happened, has the strict headers.
pub async fn headers(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(REQUEST_WITHIN, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response());
    for &(name, value) in HEADERS {
        // A kept review brings a policy of its own, with the hash of its style.
        let is_own = name == "content-security-policy" && response.headers().contains_key(name);
        if !is_own {
            response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }
    response
}

/// Why a request does not go through.
#[derive(Debug)]
enum Stopped {
    /// No such route, or none for this method.
    NoRow,
    /// Nobody is signed in.
    NotSignedIn,
    /// Signed in, and the second factor is still to be set up.
    NoSecondFactor,
    /// Another role may.
    NotTheirs,
    /// The form did not come from a page of this console.
    Foreign,
    /// The form's token is not that of the session.
    OldForm,
    /// Too large, or cut off.
    Body,
    /// Somebody else's name in it.
    Another(String),
}

/// Lets a request through or not.
pub async fn gate(State(console): State<Console>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let asks_api = parts.uri.path().starts_with("/api/");
    let target = parts.uri.path().to_owned();
    let session = session(&console, &parts);
    let visitor = session.clone().map(|(token, session)| Visitor::new(token, session));
    let passed = match let_through(&parts, session.as_ref().map(|(_, session)| session)) {
        Ok(who) => check_body(&parts, body, who, session.as_ref().map(|(_, session)| session)).await,
        Err(stopped) => Err(stopped),
    };
    let response = match passed {
        Ok(body) => {
            if let Some(visitor) = &visitor {
                parts.extensions.insert(Viewer::signed_in(&visitor.person, &visitor.role));
                parts.extensions.insert(visitor.clone());
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(Stopped::NotSignedIn) if !asks_api => {
            let is_page = parts.method == Method::GET && target != "/live";
            return if is_page {
                Redirect::to(&format!("/sign-in?next={}", encoded(&target))).into_response()
            } else {
                Redirect::to("/sign-in?ended=1").into_response()
            };
        }
        Err(Stopped::NoSecondFactor) if !asks_api => return Redirect::to("/second-factor").into_response(),
        Err(stopped) => stopped.into_trouble().into_response(),
    };
    let mut response = in_our_words(response, asks_api).await;
    match response.extensions_mut().remove::<Trouble>() {
        Some(trouble) if asks_api => {
            (trouble.status, Json(json!({"error": trouble.sentence}))).into_response()
        }
        Some(trouble) => trouble_page(&console, visitor.as_ref(), &target, &trouble),
        None => response,
    }
}

/// A form or body that lacks something is refused by axum in plain text: the same as a sentence of ours.
async fn in_our_words(response: Response, asks_api: bool) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !response.status().is_client_error() || !kind.is_some_and(|kind| kind.starts_with("text/plain")) {
        return response;
    }
    let status = response.status();
    let said = to_bytes(response.into_body(), 4096).await.unwrap_or_default();
    let sentence = if asks_api {
        String::from_utf8_lossy(&said).into_owned()
    } else {
        "Something is missing in that form, so nothing was done. Go back and fill it in.".to_owned()
    };
    Trouble { status, sentence }.into_response()
}

/// The session that a request's cookie names. What a live page fetches by itself keeps nobody signed in.
fn session(console: &Console, parts: &Parts) -> Option<(String, Session)> {
    let headers = &parts.headers;
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let own = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let token = own.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned()).next()?;
    let counts = !headers.contains_key("x-live") && parts.uri.path() != "/live";
    let session = console.app.sessions.find(&token, console.now(), counts)?;
    Some((token, session))
}

/// INVARIANT GA-1.
fn let_through(parts: &Parts, session: Option<&Session>) -> Result<Who, Stopped> {
    let pattern = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let row = pattern.and_then(|pattern| table::row(&parts.method, pattern));
    let Some(row) = row else {
        // Strangers are not told what there is.
        return Err(if session.is_some() { Stopped::NoRow } else { Stopped::NotSignedIn });
    };
    match (row.who, session) {
        (Who::Anybody, _) => {}
        (_, None) => return Err(Stopped::NotSignedIn),
        (Who::Beginning, Some(_)) => {}
        (_, Some(session)) if session.stage == Stage::NoSecondFactor => return Err(Stopped::NoSecondFactor),
        (who, Some(session)) if !table::may(who, &session.role) => return Err(Stopped::NotTheirs),
        _ => {}
    }
    Ok(row.who)
}

/// INVARIANT GA-2, GA-3: reads the body of what changes something.
async fn check_body(parts: &Parts, body: Body, who: Who, session: Option<&Session>) -> Result<Body, Stopped> {
    if parts.method != Method::POST {
        return Ok(Body::empty());
    }
    if !is_own_origin(&parts.headers) {
        return Err(Stopped::Foreign);
    }
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Stopped::Body)?;
    if let (false, Some(session)) = (who == Who::Anybody, session) {
        let given = match parts.headers.get("x-csrf-token") {
            Some(value) => value.to_str().unwrap_or_default().to_owned(),
            None => form_token(&parts.headers, &bytes).await,
        };
        if !secret::is_same(&given, &session.csrf) {
            return Err(Stopped::OldForm);
        }
        if parts.uri.path().starts_with("/api/") {
            check_by(&bytes, &session.person)?;
        }
    }
    Ok(Body::from(bytes))
}

fn check_by(bytes: &Bytes, person: &str) -> Result<(), Stopped> {
    let said: Value = serde_json::from_slice(bytes).unwrap_or_default();
    match said.get("by") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(by)) if by == person => Ok(()),
        Some(_) => Err(Stopped::Another(person.to_owned())),
    }
}

#[derive(Default, Deserialize)]
struct Token {
    #[serde(default)]
    csrf: String,
}

async fn form_token(headers: &HeaderMap, bytes: &Bytes) -> String {
    let mut request = Request::new(Body::from(bytes.clone()));
    *request.method_mut() = Method::POST;
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        request.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    Form::<Token>::from_request(request, &()).await.map(|Form(token)| token.csrf).unwrap_or_default()
}

/// Whether a browser says that the form came from a page of this very host.
fn is_own_origin(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(header::ORIGIN).and_then(|origin| origin.strip_prefix("https://")), text(header::HOST)) {
        (Some(origin), Some(host)) => !host.is_empty() && origin.eq_ignore_ascii_case(host),
        _ => false,
    }
}

impl Stopped {
    fn into_trouble(self) -> Trouble {
        let (status, sentence) = match self {
            Self::NoRow => (StatusCode::NOT_FOUND, "There is no such page here.".to_owned()),
            Self::NotSignedIn => (StatusCode::UNAUTHORIZED, "Sign in first.".to_owned()),
            Self::NoSecondFactor => {
                (StatusCode::UNAUTHORIZED, "Set up your second factor first: /second-factor.".to_owned())
            }
            Self::NotTheirs => (
                StatusCode::FORBIDDEN,
                "Your role does not open this page. A manager can change roles under Settings.".to_owned(),
            ),
            Self::Foreign => (
                StatusCode::FORBIDDEN,
                "This was not sent from a page of this console, so nothing was done. Open the page here and send it again.".to_owned(),
            ),
            Self::OldForm => (
                StatusCode::FORBIDDEN,
                "This form is of an earlier session, so nothing was done. Open the page again and send it once more.".to_owned(),
            ),
            Self::Body => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("That is more than {} KiB, so nothing was done.", BODY_BYTES_MAX / 1024),
            ),
            Self::Another(person) => (
                StatusCode::FORBIDDEN,
                format!("You are signed in as `{person}`: `by` can name nobody else. Nothing was done."),
            ),
        };
        Trouble { status, sentence }
    }
}

/// A path as it stands in a query.
pub(super) fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The address of who asks.
pub fn peer(parts: &Parts) -> std::net::IpAddr {
    let unknown = std::net::Ipv4Addr::UNSPECIFIED.into();
    parts.extensions.get::<Peer>().map_or(unknown, |peer| peer.0.ip())
}
