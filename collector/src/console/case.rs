//! The page of an attorney: the bundles of one case, to fetch and to check, and who had a copy. Nothing else.
//!
//! That they look and check is written down as looks are: a bundle holds looks behind their hashes only. That they had a
//! copy stands in custody, as everybody's copy does.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::json;

use super::evidence::steps::{attachment, checked_page};
use super::evidence::words::{Card, Hand, card, hands};
use super::evidence::{Bar, bar, failed};
use super::shell::{Page, Shell, Trouble, Visitor, page};
use super::week::about_you;
use super::{Console, see};
use crate::admin::Failure;
use crate::admin::bundles::{begin_check, listed};
use crate::admin::preservation::chain;
use crate::admin::roster::in_force;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/case", get(show))
        .route("/case/bundle/{id}", get(fetch).post(check))
        .route("/case/checked/{id}", get(checked))
}

#[derive(Template)]
#[template(path = "console/case.html")]
struct CasePage {
    shell: Shell,
    zone: String,
    case: String,
    running: Option<Bar>,
    failed: String,
    hidden: String,
    bundles: Vec<Card>,
    hands: Vec<Hand>,
}

/// The case of the one who reads; the table lets nobody else in.
fn case_of(visitor: &Visitor) -> Result<String, Trouble> {
    let case = visitor.role.case().map(str::to_owned);
    case.ok_or_else(|| Failure::not_theirs("This page is an attorney’s, for one case.").into())
}

async fn show(State(console): State<Console>, visitor: Visitor) -> Page {
    let case = case_of(&visitor)?;
    let (app, viewer, zone) = (&console.app, visitor.viewer(), console.app.lookup.zone());
    console.viewed(&visitor, json!({"what": "their case", "case": case})).await?;
    // Before what it makes is listed: where it is done, that is there.
    let running = bar(&app.works, Some(&case));
    let (_, roster) = in_force(app).await?;
    let (kept, n_hidden) = listed(app, &viewer).await?;
    let lines = chain(app, &viewer, Some(case.clone())).await?;
    page(&CasePage {
        shell: Shell::new(&console, Some(&visitor), "/case", format!("Case {case}")),
        zone: zone.iana_name().unwrap_or("the practice’s zone").to_owned(),
        running,
        failed: failed(&app.works, Some(&case)),
        hidden: about_you(n_hidden),
        bundles: kept.iter().map(|kept| card(kept, app.works.checked(&kept.id), &roster, zone)).collect(),
        hands: hands(&lines, &roster, zone),
        case,
    })
}

async fn fetch(State(console): State<Console>, visitor: Visitor, Path(id): Path<String>) -> Page {
    case_of(&visitor)?;
    attachment(&console, &visitor, &id).await
}

async fn check(State(console): State<Console>, visitor: Visitor, Path(id): Path<String>) -> Page {
    case_of(&visitor)?;
    begin_check(&console.app, &visitor.viewer(), &id).await?;
    Ok(see(&format!("/case/checked/{id}")))
}

async fn checked(State(console): State<Console>, visitor: Visitor, Path(id): Path<String>) -> Page {
    case_of(&visitor)?;
    checked_page(&console, &visitor, &id, "/case").await
}
