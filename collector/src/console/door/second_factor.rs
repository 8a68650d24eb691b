//! The second factor: a code for the app, the first number that it shows, and ten recovery codes to print.

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::get;
use ntk_evidence::act;
use serde::Deserialize;
use serde_json::json;

use super::super::shell::{Page, Shell, Visitor, page_with};
use super::super::{Console, first_page, see};
use super::{begin, may_try, with_cookie};
use crate::account::session::Stage;
use crate::account::{secret, totp};
use crate::admin::{Failure, blocking};
use crate::home::random;
use crate::report::qr;

/// Bytes of a secret: as many as the hash has (RFC 4226, section 4).
const SECRET_BYTES: usize = 20;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/second-factor", get(ask).post(set))
}

#[derive(Template)]
#[template(path = "console/second_factor.html")]
struct SecondFactorPage {
    shell: Shell,
    qr: String,
    secret: String,
    is_wrong: bool,
}

#[derive(Template)]
#[template(path = "console/recovery_codes.html")]
struct RecoveryCodesPage {
    shell: Shell,
    codes: Vec<String>,
    next: &'static str,
}

async fn ask(State(console): State<Console>, visitor: Visitor) -> Page {
    if visitor.session.stage == Stage::SignedIn {
        return Ok(see("/me"));
    }
    form(&console, &visitor, StatusCode::OK)
}

fn form(console: &Console, visitor: &Visitor, status: StatusCode) -> Page {
    let secret = match &visitor.session.pending {
        Some(secret) => secret.clone(),
        None => {
            let secret: Vec<u8> =
                random().map_err(|error| Failure::ours(&error))?.into_iter().take(SECRET_BYTES).collect();
            console.app.sessions.set_pending(&visitor.token, secret.clone());
            secret
        }
    };
    let practice = &console.app.practice.config.raw.practice;
    let address = totp::address(&secret, practice, &visitor.person);
    let spelled = totp::base32(&secret);
    let groups: Vec<String> =
        spelled.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    let page = SecondFactorPage {
        shell: Shell::new(console, Some(visitor), "", "Your second factor"),
        qr: qr::code(&address, "QR code for your authenticator app; the same as text stands below"),
        secret: groups.join(" "),
        is_wrong: status != StatusCode::OK,
    };
    page_with(status, &page)
}

#[derive(Deserialize)]
struct CodeForm {
    code: String,
}

async fn set(
    State(console): State<Console>,
    visitor: Visitor,
    parts: Parts,
    Form(given): Form<CodeForm>,
) -> Page {
    may_try(&console, &parts)?;
    let Some(pending) = visitor.session.pending.clone() else { return Ok(see("/second-factor")) };
    if visitor.session.stage == Stage::SignedIn {
        return Ok(see("/me"));
    }
    let codes = secret::recovery_codes().map_err(|error| Failure::ours(&error))?;
    let (app, person, now) = (console.app.clone(), visitor.person.clone(), console.now());
    let kept = codes.clone();
    let is_set =
        blocking(move || Ok(app.accounts.set_second_factor(&person, (&pending, &given.code, &kept), now)?));
    if !is_set.await? {
        return form(&console, &visitor, StatusCode::BAD_REQUEST);
    }
    let body = json!({"step": "second_factor_set", "person": visitor.person, "by": visitor.person});
    console.record(act::kind::ACCOUNT, body).await?;
    let how = (&visitor.role, Stage::SignedIn);
    let begun = begin(&console, (&visitor.person, &visitor.name), how, &parts, "/")?;
    // The page with the codes bears the cookie of the new session; its form leads on.
    let token = begun.headers().get(axum::http::header::SET_COOKIE).and_then(|value| value.to_str().ok());
    let token = token.and_then(|cookie| cookie.split([';', '=']).nth(1)).unwrap_or_default().to_owned();
    let page = RecoveryCodesPage {
        shell: Shell::new(&console, None, "", "Your recovery codes"),
        codes,
        next: first_page(&console, &visitor.role).await?,
    };
    Ok(with_cookie(page_with(StatusCode::OK, &page)?, &token, ""))
}
