//! The pages that a one-time link opens: no account, no script, no cookie; the address is the right.
//!
//! Opening a page spends nothing, because mail programs open links by themselves; sending the form does. That a link
//! was opened is an act, the first time.

use std::collections::BTreeMap;

use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Form, Router};
use jiff::Timestamp;

use super::{Asked, CSS, NO_ADMISSION, NoticePage, PATH, QuestionPage, SaidPage, notice_title, typed};
use crate::admin::Failure;
use crate::admin::links::{self, Sent};
use crate::app::App;
use crate::link::{Closed, Link, Purpose, Token};
use crate::roster::Roster;
use crate::staff_notice::{InForce, Notice};

/// The largest form, bytes: an answer and its escapes.
const FORM_BYTES_MAX: usize = 32 << 10;

/// The routes; mount them beside the console's, without its sign-in.
pub fn routes(app: App) -> Router {
    Router::new()
        .route(&format!("{PATH}/style.css"), get(style))
        .route(&format!("{PATH}/{{token}}"), get(open).post(send))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(app)
}

async fn style() -> Response {
    guarded(([(header::CONTENT_TYPE, "text/css; charset=utf-8")], CSS).into_response())
}

/// Nothing is cached, framed, sent on as a referrer, or run.
fn guarded(mut response: Response) -> Response {
    let policy =
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn page(status: StatusCode, page: &impl askama::Template) -> Response {
    match page.render() {
        Ok(text) => guarded((status, Html(text)).into_response()),
        Err(_) => guarded(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
    }
}

fn said(app: &App, status: StatusCode, title: &str, said: &[&str]) -> Response {
    page(status, &SaidPage { practice: &app.practice.config.raw.practice, title, said })
}

fn closed(app: &App, why: Closed) -> Response {
    let status = match why {
        Closed::Unknown => StatusCode::NOT_FOUND,
        Closed::Used | Closed::Withdrawn | Closed::Expired => StatusCode::GONE,
    };
    said(app, status, "This link opens nothing", &[&why.to_string()])
}

fn not_now(app: &App) -> Response {
    said(
        app,
        StatusCode::SERVICE_UNAVAILABLE,
        "Not now",
        &[
            "The practice’s collector cannot answer just now. Nothing was taken and the link still works: try again in a few minutes.",
        ],
    )
}

/// What a link leads to, read once for a request.
struct Found {
    link: Link,
    roster: Roster,
    notice: Option<InForce>,
}

async fn find(app: &App, token: &str) -> Result<Found, Response> {
    let Ok(now) = app.ledger.now().parse::<Timestamp>() else { return Err(not_now(app)) };
    let published = app.ledger.published();
    let people = &published.registry.people;
    let token = Token::parse(token).ok_or_else(|| closed(app, Closed::Unknown))?;
    let link = people.links.find(&token, now).map_err(|why| closed(app, why))?.clone();
    let notice = match &link.purpose {
        Purpose::Notice { notice, version } => {
            let in_force = Notice::parse(notice).and_then(|notice| people.notices.in_force(notice));
            // There is a newer version: what the link leads to is no longer asked.
            let this = in_force.filter(|in_force| in_force.published.version == *version).cloned();
            Some(this.ok_or_else(|| closed(app, Closed::Withdrawn))?)
        }
        Purpose::Question { .. } => None,
    };
    let (_, roster) = crate::admin::roster::in_force(app).await.map_err(|_| not_now(app))?;
    Ok(Found { link, roster, notice })
}

impl Found {
    fn page(&self, app: &App, status: StatusCode, before: &str, wrong: &str) -> Response {
        let (practice, zone) = (app.practice.config.raw.practice.as_str(), app.lookup.zone());
        if let Some(asked) = Asked::of(&self.link, practice, &self.roster, zone) {
            return page(status, &QuestionPage { asked: &asked, no_admission: NO_ADMISSION, before, wrong });
        }
        let Some(in_force) = &self.notice else { return closed(app, Closed::Unknown) };
        let name =
            self.roster.person(&self.link.to).map_or(self.link.to.as_str(), |person| person.name.as_str());
        let (title, version) = (notice_title(in_force), in_force.published.version.as_str());
        page(
            status,
            &NoticePage { practice, name, title: &title, version, text: &in_force.published.text, wrong },
        )
    }
}

async fn open(State(app): State<App>, Path(token): Path<String>) -> Response {
    let found = match find(&app, &token).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    // Where the act cannot be written nothing is shown: what is opened unseen could be denied.
    if links::opened(&app, &found.link.id).await.is_err() {
        return not_now(&app);
    }
    found.page(&app, StatusCode::OK, "", "")
}

type Fields = Result<Form<BTreeMap<String, String>>, FormRejection>;

async fn send(State(app): State<App>, Path(token): Path<String>, fields: Fields) -> Response {
    let found = match find(&app, &token).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let Ok(Form(fields)) = fields else {
        let wrong = "What was sent cannot be read, or is too long. Send it again.";
        return found.page(&app, StatusCode::BAD_REQUEST, "", wrong);
    };
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let sent = match found.link.purpose {
        Purpose::Question { .. } => Sent::Answer { text: typed(&field("answer")), code: field("code") },
        Purpose::Notice { .. } if field("read") == "yes" => Sent::Read,
        Purpose::Notice { .. } => {
            return found.page(
                &app,
                StatusCode::BAD_REQUEST,
                "",
                "Tick the box, so that it is clear that you have read it.",
            );
        }
    };
    let before = match &sent {
        Sent::Answer { text, .. } => text.clone(),
        Sent::Read => String::new(),
    };
    match links::send(&app, &found.link.id, sent).await {
        Ok(lines) => {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            said(&app, StatusCode::OK, "Thank you", &lines)
        }
        Err(links::NotTaken::Closed(why)) => closed(&app, why),
        Err(links::NotTaken::Wrong(sentence)) => {
            found.page(&app, StatusCode::BAD_REQUEST, &before, &sentence)
        }
        Err(links::NotTaken::Failed(failure)) => {
            let failure: Failure = failure;
            tracing::warn!(link = %found.link.id, reason = %failure.sentence(), "what came by a link could not be taken");
            not_now(&app)
        }
    }
}
