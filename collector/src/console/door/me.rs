//! One's own sign-ins: where one is signed in, the passphrase, how many recovery codes are left.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use ntk_evidence::act;
use serde::Deserialize;
use serde_json::json;

use super::super::shell::{Page, Shell, Visitor, page_with};
use super::super::{Console, see};
use crate::admin::reviewers::{PassphraseRequest, set_passphrase};
use crate::admin::{Failure, blocking};
use crate::reviewer::{LETTERS_MIN, Passphrase};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/me", get(show))
        .route("/me/end-others", post(end_others))
        .route("/me/passphrase", post(change))
}

#[derive(Template)]
#[template(path = "console/me.html")]
struct MePage {
    shell: Shell,
    person: String,
    role: &'static str,
    case: String,
    sessions: Vec<(String, String, bool)>,
    recovery_left: usize,
    letters_min: usize,
    said: &'static str,
    wrong: String,
}

#[derive(Debug, Default, Deserialize)]
struct Said {
    #[serde(default)]
    ended: Option<String>,
    #[serde(default)]
    recovery: Option<String>,
}

async fn show(State(console): State<Console>, visitor: Visitor, Query(said): Query<Said>) -> Page {
    let said = match said {
        Said { ended: Some(_), .. } => "Your other sign-ins are ended.",
        Said { recovery: Some(_), .. } => {
            "You signed in with a recovery code; it is used up. If you have lost your app, ask for a new second factor."
        }
        _ => "",
    };
    with(&console, &visitor, StatusCode::OK, said, String::new()).await
}

async fn with(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    said: &'static str,
    wrong: String,
) -> Page {
    let (app, person) = (console.app.clone(), visitor.person.clone());
    let account = blocking(move || Ok(app.accounts.get(&person)?)).await?;
    let zone = console.app.lookup.zone();
    let sessions = console.app.sessions.of(&visitor.person, console.now()).into_iter().map(|session| {
        let since = session.since.to_zoned(zone.clone()).strftime("%A %-d %B, %H:%M").to_string();
        let is_this = session.csrf == visitor.session.csrf;
        (since, session.from, is_this)
    });
    let page = MePage {
        sessions: sessions.collect(),
        shell: Shell::new(console, Some(visitor), "/me", "Your sign-in"),
        person: visitor.person.clone(),
        role: visitor.role.name(),
        case: visitor.role.case().unwrap_or_default().to_owned(),
        recovery_left: account
            .and_then(|account| account.second_factor)
            .map_or(0, |factor| factor.n_recovery()),
        letters_min: LETTERS_MIN,
        said,
        wrong,
    };
    page_with(status, &page)
}

async fn end_others(State(console): State<Console>, visitor: Visitor) -> Page {
    let n = console.app.sessions.end_of(&visitor.person, Some(&visitor.token));
    if n > 0 {
        let body = json!({"step": "sessions_ended", "person": visitor.person, "by": visitor.person, "n": n});
        console.record(act::kind::ACCOUNT, body).await?;
    }
    Ok(see("/me?ended=1"))
}

#[derive(Deserialize)]
struct ChangeForm {
    old: Passphrase,
    new: Passphrase,
    again: String,
}

async fn change(State(console): State<Console>, visitor: Visitor, Form(form): Form<ChangeForm>) -> Page {
    if !form.new.is(&form.again) {
        let wrong = "The two new passphrases are not the same; nothing was changed.".to_owned();
        return with(&console, &visitor, StatusCode::BAD_REQUEST, "", wrong).await;
    }
    let changed = {
        let _room = console.passphrases.acquire().await;
        let person = visitor.person.clone();
        let request = PassphraseRequest { person, new: form.new, old: Some(form.old), reset: false };
        set_passphrase(&console.app, request).await
    };
    match changed.map_err(Failure::into_parts) {
        // That ended every sign-in, this one too.
        Ok(_) => Ok(see("/sign-in?changed=1")),
        Err((status, wrong)) => with(&console, &visitor, status, "", wrong).await,
    }
}
