//! The notices to staff and vendors: the text in force, who has not read it, a new version.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::super::form::{Wrong, may_post, passphrase};
use super::super::shell::{Page, Shell, Visitor, page_with};
use super::super::{Console, see};
use crate::admin::roster::{in_force, today};
use crate::admin::staff_notices::{PublishRequest, publish};
use crate::report::shown::visible;
use crate::report::text::moment;
use crate::staff_notice::{Notice, TEXT_BYTES_MAX};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/notices", get(show).post(bring))
}

#[derive(Template)]
#[template(path = "console/notices.html")]
struct NoticesPage {
    shell: Shell,
    is_staff: bool,
    name: &'static str,
    heading: &'static str,
    in_force: String,
    version: String,
    since: String,
    missing: Vec<String>,
    next_version: String,
    draft: String,
    text_max: usize,
    may_publish: bool,
    wrong: Wrong,
    said: &'static str,
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    notice: String,
    #[serde(default)]
    said: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct PublishForm {
    #[serde(default)]
    notice: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    passphrase: String,
}

async fn show(State(console): State<Console>, visitor: Visitor, Query(wanted): Query<Wanted>) -> Page {
    let notice = Notice::parse(&wanted.notice).unwrap_or(Notice::Staff);
    let said = match wanted.said.as_str() {
        "published" => "This version is in force. Everybody whom it asks is asked anew.",
        _ => "",
    };
    with(&console, &visitor, notice, None, Wrong::default(), said).await
}

async fn with(
    console: &Console,
    visitor: &Visitor,
    notice: Notice,
    typed: Option<PublishForm>,
    wrong: Wrong,
    said: &'static str,
) -> Page {
    let (_, roster) = in_force(&console.app).await?;
    let published = console.app.ledger.published();
    let notices = &published.registry.people.notices;
    let kept = notices.in_force(notice);
    let zone = console.app.lookup.zone();
    let missing = notices.missing(notice, &roster, today(&console.app)?);
    let text = kept.map(|kept| kept.published.text.clone()).unwrap_or_default();
    let template = || notice.template(&console.app.practice.config.raw.practice);
    let (draft, version) = match typed {
        Some(typed) => (typed.text, typed.version),
        None if text.is_empty() => (template(), notices.next_version(notice)),
        None => (text.clone(), notices.next_version(notice)),
    };
    let page = NoticesPage {
        shell: Shell::new(console, Some(visitor), "/people", "Notices"),
        is_staff: notice == Notice::Staff,
        name: notice.name(),
        heading: match notice {
            Notice::Staff => "The staff notice",
            Notice::VendorContract => "The clause for vendors’ contracts",
        },
        in_force: text,
        version: kept.map(|kept| kept.published.version.clone()).unwrap_or_default(),
        since: kept
            .map(|kept| kept.since.parse().map(|at| moment(at, zone)).unwrap_or_else(|_| kept.since.clone()))
            .unwrap_or_default(),
        missing: missing.iter().map(|person| visible(&person.in_words())).collect(),
        next_version: version,
        draft,
        text_max: TEXT_BYTES_MAX,
        may_publish: may_post(&visitor.role, "/notices"),
        said,
        wrong: wrong.clone(),
    };
    page_with(wrong.status, &page)
}

async fn bring(State(console): State<Console>, visitor: Visitor, Form(form): Form<PublishForm>) -> Page {
    let Some(notice) = Notice::parse(&form.notice) else {
        let wrong = Wrong::new("publish", "", "Choose one of the notices that there are.");
        return with(&console, &visitor, Notice::Staff, Some(form), wrong, "").await;
    };
    let version = form.version.trim().to_owned();
    let request = PublishRequest {
        notice: Some(form.notice.clone()),
        text: Some(form.text.clone()),
        version: Some(version).filter(|version| !version.is_empty()),
        by: visitor.person.clone(),
        passphrase: passphrase(&form.passphrase),
    };
    let kept = {
        let _room = console.passphrases.acquire().await;
        publish(State(console.app.clone()), Json(request)).await
    };
    match kept {
        Ok(_) => Ok(see(&format!("/notices?notice={}&said=published", notice.name()))),
        Err(failure) => {
            let mut wrong = Wrong::from_failure("publish", failure)?;
            if wrong.field.is_empty() {
                wrong.field = if wrong.sentence.contains("version") { "version" } else { "text" };
            }
            with(&console, &visitor, notice, Some(form), wrong, "").await
        }
    }
}
