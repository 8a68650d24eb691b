//! Coming in and going out: sign-in, sign-out; below it the set-up link, the second factor, one's own sign-ins.

mod failed;
mod me;
mod second_factor;
mod set_up;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use ntk_evidence::act;
use serde::Deserialize;
use serde_json::json;

pub(super) use failed::Failed;

use super::gate::peer;
use super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::{COOKIE, Console, first_page, see};
use crate::account::session::Stage;
use crate::account::sign_in::{Given, Outcome};
use crate::account::{AccountError, Role, WRONG_MAX};
use crate::admin::roster::name_of_present;
use crate::admin::{Failure, blocking};
use crate::reviewer::Passphrase;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/sign-in", get(ask).post(sign_in))
        .route("/sign-out", post(sign_out))
        .merge(set_up::routes())
        .merge(second_factor::routes())
        .merge(me::routes())
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        match &error {
            AccountError::Home(_) | AccountError::Form(_) => Self::ours(&error),
            AccountError::Unknown(_) => Self::missing(error.to_string()),
            _ => Self::bad(error.to_string()),
        }
    }
}

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignInPage {
    shell: Shell,
    next: String,
    name: String,
    is_wrong: bool,
    is_ended: bool,
    is_changed: bool,
    wrong_max: u32,
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    next: String,
    #[serde(default)]
    ended: Option<String>,
    #[serde(default)]
    changed: Option<String>,
}

async fn ask(State(console): State<Console>, Query(asked): Query<Asked>) -> Page {
    let page = SignInPage {
        shell: Shell::new(&console, None, "", "Sign in"),
        next: own_path(&asked.next),
        name: String::new(),
        is_wrong: false,
        is_ended: asked.ended.is_some(),
        is_changed: asked.changed.is_some(),
        wrong_max: WRONG_MAX,
    };
    page_with(StatusCode::OK, &page)
}

/// Where somebody wanted to go: a page of ours, and of ours only.
fn own_path(next: &str) -> String {
    let is_own = next.len() <= 200
        && next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|c| c.is_ascii_alphanumeric() || b"/-_.~%".contains(&c));
    if is_own { next.to_owned() } else { String::new() }
}

#[derive(Deserialize)]
struct SignInForm {
    name: String,
    passphrase: Passphrase,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(State(console): State<Console>, parts: Parts, Form(form): Form<SignInForm>) -> Page {
    let from = peer(&parts);
    let now = console.now();
    may_try(&console, &parts)?;
    let given = Given { name: form.name.trim().to_lowercase(), passphrase: form.passphrase, code: form.code };
    let name = given.name.clone();
    let outcome = {
        let _room = console.passphrases.acquire().await;
        let app = console.app.clone();
        blocking(move || Ok(app.accounts.sign_in(&app.reviewers, &given, now)?)).await?
    };
    let (role, recovery_left) = match outcome {
        Outcome::SignedIn { role, recovery_left } => (role, recovery_left),
        Outcome::Wrong { person, locks } => {
            if locks {
                let body = json!({"step": "locked", "person": person, "wrong": WRONG_MAX});
                console.record(act::kind::ACCOUNT, body).await?;
            }
            return wrong(&console, person, &form.next, &name, from).await;
        }
    };
    // Who has left, or was taken off the roster, is let in no more, whatever they still know.
    let Some(full_name) = name_of_present(&console.app, &name).await? else {
        return wrong(&console, Some(name.clone()), &form.next, &name, from).await;
    };
    console.tell_failed().await?;
    let with = if recovery_left.is_some() { "recovery code" } else { "code" };
    let body = json!({
        "outcome": "signed in", "person": name, "role": role.name(), "from": from.to_string(),
        "with": with, "recovery_left": recovery_left,
    });
    console.record(act::kind::SIGN_IN, body).await?;
    let next = own_path(&form.next);
    let next = if next.is_empty() { first_page(&console, &role).await?.to_owned() } else { next };
    let next = if recovery_left.is_some() { "/me?recovery=1".to_owned() } else { next };
    begin(&console, (&name, &full_name), (&role, Stage::SignedIn), &parts, &next)
}

/// The same page again. What was wrong is not said, and every failure is counted.
async fn wrong(
    console: &Console,
    person: Option<String>,
    next: &str,
    name: &str,
    from: std::net::IpAddr,
) -> Page {
    console.count_failed(person, from).await?;
    let page = SignInPage {
        shell: Shell::new(console, None, "", "Sign in"),
        next: own_path(next),
        name: name.to_owned(),
        is_wrong: true,
        is_ended: false,
        is_changed: false,
        wrong_max: WRONG_MAX,
    };
    page_with(StatusCode::UNAUTHORIZED, &page)
}

/// Bounds how often one address may try anything here.
fn may_try(console: &Console, parts: &Parts) -> Result<(), Trouble> {
    if console.tries.may(peer(parts), console.now()) {
        return Ok(());
    }
    Err(Trouble {
        status: StatusCode::TOO_MANY_REQUESTS,
        sentence: "There were too many tries from this address. Wait ten minutes, and try again.".to_owned(),
    })
}

/// A new session in place of the one that this browser had.
fn begin(console: &Console, who: (&str, &str), how: (&Role, Stage), parts: &Parts, next: &str) -> Page {
    if let Some(before) = parts.extensions.get::<Visitor>() {
        console.app.sessions.end(&before.token);
    }
    let from = peer(parts).to_string();
    let token = console.app.sessions.begin(who, how, &from, console.now());
    let token = token.map_err(|error| Failure::ours(&error))?;
    Ok(with_cookie(see(next), &token, ""))
}

fn with_cookie(mut response: Response, token: &str, more: &str) -> Response {
    let cookie = format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict{more}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

async fn sign_out(State(console): State<Console>, visitor: Visitor) -> Page {
    console.app.sessions.end(&visitor.token);
    let mut response = with_cookie(see("/sign-in"), "", "; Max-Age=0");
    // Whatever the browser still holds of these pages is not for who sits down next.
    response.headers_mut().insert(
        axum::http::HeaderName::from_static("clear-site-data"),
        HeaderValue::from_static("\"cache\", \"cookies\", \"storage\""),
    );
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_sign_in_only_pages_of_ours_are_opened() {
        for own in ["/", "/findings/9c3a51", "/reports/2026-W47.html"] {
            assert_eq!(own_path(own), own);
        }
        for foreign in
            ["", "https://x.example", "//x.example", "/\\x.example", "/a?b", "/a b", "javascript:1"]
        {
            assert_eq!(own_path(foreign), "", "{foreign}");
        }
    }
}
