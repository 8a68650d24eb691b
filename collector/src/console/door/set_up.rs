//! A one-time link: the first manager sets up the practice with one, everybody else their own sign-in.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::get;
use ntk_evidence::act;
use serde::Deserialize;
use serde_json::json;

use super::super::gate::peer;
use super::super::shell::{Page, Shell, page_with};
use super::super::{Console, first_page};
use super::{begin, may_try};
use crate::account::AccountError;
use crate::account::session::Stage;
use crate::admin::reviewers::{PassphraseRequest, prove, set_passphrase};
use crate::admin::roster::{check_manager, list_manager, name_of_present};
use crate::admin::{Failure, blocking};
use crate::reviewer::{LETTERS_MIN, Passphrase, Reviewers};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/set-up/{token}", get(ask).post(set_up))
}

#[derive(Template)]
#[template(path = "console/set_up.html")]
struct SetUpPage {
    shell: Shell,
    /// Why the link does nothing, where it does not.
    refused: String,
    token: String,
    /// Id of the person, where the link is for one.
    person: String,
    /// What was typed before.
    typed: (String, String),
    has_passphrase: bool,
    wrong: String,
    letters_min: usize,
}

/// What the link is for, and what there is already.
struct Found {
    person: Option<String>,
    has_passphrase: bool,
}

async fn find(console: &Console, token: &str) -> Result<Result<Found, AccountError>, Failure> {
    let (app, token, now) = (console.app.clone(), token.to_owned(), console.now());
    blocking(move || {
        let person = match app.accounts.link_is_for(&token, now) {
            Ok(person) => person,
            Err(error @ (AccountError::Home(_) | AccountError::Form(_))) => return Err(error.into()),
            Err(refused) => return Ok(Err(refused)),
        };
        let has = person.as_deref().map(|person| app.reviewers.has(person)).transpose()?;
        Ok(Ok(Found { person, has_passphrase: has.unwrap_or(false) }))
    })
    .await
}

fn blank(console: &Console, token: &str) -> SetUpPage {
    SetUpPage {
        shell: Shell::new(console, None, "", "Set up your sign-in"),
        refused: String::new(),
        token: token.to_owned(),
        person: String::new(),
        typed: (String::new(), String::new()),
        has_passphrase: false,
        wrong: String::new(),
        letters_min: LETTERS_MIN,
    }
}

async fn ask(State(console): State<Console>, Path(token): Path<String>, parts: Parts) -> Page {
    may_try(&console, &parts)?;
    match find(&console, &token).await? {
        Ok(found) => {
            let page = SetUpPage {
                person: found.person.unwrap_or_default(),
                has_passphrase: found.has_passphrase,
                ..blank(&console, &token)
            };
            page_with(StatusCode::OK, &page)
        }
        Err(refused) => refuse(&console, &token, &refused, &parts).await,
    }
}

/// A link that does nothing, told to who holds it and, where it once was a link, in the ledger.
async fn refuse(console: &Console, token: &str, refused: &AccountError, parts: &Parts) -> Page {
    let why = match refused {
        AccountError::LinkUsed(_) => Some("used already"),
        AccountError::LinkOld(_) => Some("too old"),
        _ => None,
    };
    if let Some(why) = why {
        let body = json!({"step": "link_refused", "why": why, "from": peer(parts).to_string()});
        console.record(act::kind::ACCOUNT, body).await?;
    }
    let zone = console.app.lookup.zone();
    let refused = match refused {
        AccountError::LinkUsed(at) => format!(
            "This link was used on {}. It works once.",
            at.to_zoned(zone.clone()).strftime("%A %-d %B at %H:%M")
        ),
        AccountError::LinkOld(at) => {
            format!("This link held until {}.", at.to_zoned(zone.clone()).strftime("%A %-d %B at %H:%M"))
        }
        _ => "This link is not one of this collector, or a newer one took its place.".to_owned(),
    };
    page_with(StatusCode::GONE, &SetUpPage { refused, ..blank(console, token) })
}

#[derive(Deserialize)]
struct SetUpForm {
    #[serde(default)]
    person: String,
    #[serde(default)]
    name: String,
    passphrase: Passphrase,
    #[serde(default)]
    again: String,
}

async fn set_up(
    State(console): State<Console>,
    Path(token): Path<String>,
    parts: Parts,
    Form(form): Form<SetUpForm>,
) -> Page {
    may_try(&console, &parts)?;
    let found = match find(&console, &token).await? {
        Ok(found) => found,
        Err(refused) => return refuse(&console, &token, &refused, &parts).await,
    };
    let is_first = found.person.is_none();
    let person = found.person.unwrap_or_else(|| form.person.trim().to_lowercase());
    let name = form.name.trim().to_owned();
    let has_passphrase = check(&console, &person, &name, is_first, &form).await;
    let has_passphrase = match has_passphrase {
        Ok(has) => has,
        Err(failure) => {
            let (status, wrong) = failure.into_parts();
            let page = SetUpPage {
                person: if is_first { String::new() } else { person.clone() },
                typed: (person, name),
                has_passphrase: found.has_passphrase,
                wrong,
                ..blank(&console, &token)
            };
            return page_with(status, &page);
        }
    };
    // From here on the link is used: what comes after can be done again with a new link.
    let (app, now, claimed, id) = (console.app.clone(), console.now(), token.clone(), person.clone());
    let used = blocking(move || match app.accounts.use_link(&claimed, &id, now) {
        Ok(account) => Ok(Ok(account)),
        Err(error @ (AccountError::Home(_) | AccountError::Form(_))) => Err(error.into()),
        Err(refused) => Ok(Err(refused)),
    });
    let account = match used.await? {
        Ok(account) => account,
        Err(refused) => return refuse(&console, &token, &refused, &parts).await,
    };
    let from = peer(&parts).to_string();
    let body = json!({"step": "link_used", "person": person, "role": account.role.name(), "from": from});
    console.record(act::kind::ACCOUNT, body).await?;
    let name = if is_first {
        list_manager(&console.app, &person, &name).await?
    } else {
        name_of_present(&console.app, &person).await?.unwrap_or_else(|| person.clone())
    };
    if !has_passphrase {
        let request =
            PassphraseRequest { person: person.clone(), new: form.passphrase, old: None, reset: false };
        set_passphrase(&console.app, request).await?;
    }
    let (stage, next) = match account.second_factor {
        Some(_) => (Stage::SignedIn, first_page(&console, &account.role).await?),
        None => (Stage::NoSecondFactor, "/second-factor"),
    };
    begin(&console, (&person, &name), (&account.role, stage), &parts, next)
}

/// Everything that can be wrong, before the link is used; whether the person has a passphrase already, which then fits.
async fn check(
    console: &Console,
    person: &str,
    name: &str,
    is_first: bool,
    form: &SetUpForm,
) -> Result<bool, Failure> {
    if is_first {
        if person.is_empty() || name.is_empty() {
            return Err(Failure::bad("Write your short name and your full name."));
        }
        check_manager(&console.app, person, name).await?;
    } else if name_of_present(&console.app, person).await?.is_none() {
        return Err(Failure::bad("You are not in the roster of this practice now; ask a manager."));
    }
    let (app, id) = (console.app.clone(), person.to_owned());
    if blocking(move || Ok(app.reviewers.has(&id)?)).await? {
        let _room = console.passphrases.acquire().await;
        let _proof = prove(&console.app, person, &form.passphrase).await?;
        return Ok(true);
    }
    Reviewers::check_new(&form.passphrase)?;
    if !form.passphrase.is(&form.again) {
        return Err(Failure::bad("The two passphrases are not the same; type both again."));
    }
    Ok(false)
}
