//! Roster and table in force as text, with the forms that put others in force.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::get;

use super::super::parts::{
    ChangeForm, Refused, RosterPart, TablePart, add_person, put_roster, put_table, said,
};
use super::super::shell::{Page, Shell, Visitor, page_with};
use super::super::{Console, see};
use super::{Asked, refusal};
use crate::admin::Failure;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/settings/roster", get(roster).post(change_roster))
        .route("/settings/table", get(table).post(change_table))
}

#[derive(Template)]
#[template(path = "console/settings_roster.html")]
struct RosterPage {
    shell: Shell,
    said: &'static str,
    refused: Refused,
    to: &'static str,
    roster: RosterPart,
}

async fn roster(State(console): State<Console>, visitor: Visitor, Query(asked): Query<Asked>) -> Page {
    show_roster(&console, &visitor, said(&asked.said), Refused::default()).await
}

async fn show_roster(console: &Console, visitor: &Visitor, said: &'static str, refused: Refused) -> Page {
    let status = status_of(&refused);
    let page = RosterPage {
        shell: Shell::new(console, Some(visitor), "/settings", "Settings: roster"),
        said,
        refused,
        to: "/settings/roster",
        roster: RosterPart::now(console, visitor).await?,
    };
    page_with(status, &page)
}

fn status_of(refused: &Refused) -> StatusCode {
    if refused.sentence.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST }
}

async fn change_roster(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<ChangeForm>,
) -> Page {
    let came = match form.act.as_str() {
        "roster" => put_roster(&console, &visitor, &form).await,
        "person" => add_person(&console, &visitor, &form).await,
        _ => Err(Failure::bad("Choose what you want to do.")),
    };
    match came {
        Ok(came) => Ok(see(&format!("/settings/roster?said={}", came.name()))),
        Err(failure) => show_roster(&console, &visitor, "", refusal(&form, failure)?).await,
    }
}

#[derive(Template)]
#[template(path = "console/settings_table.html")]
struct TablePage {
    shell: Shell,
    said: &'static str,
    refused: Refused,
    to: &'static str,
    back: &'static str,
    table: TablePart,
}

async fn table(State(console): State<Console>, visitor: Visitor, Query(asked): Query<Asked>) -> Page {
    show_table(&console, &visitor, &asked, Refused::default()).await
}

async fn show_table(console: &Console, visitor: &Visitor, asked: &Asked, refused: Refused) -> Page {
    let status = status_of(&refused);
    let page = TablePage {
        shell: Shell::new(console, Some(visitor), "/settings", "Settings: who needs what"),
        said: said(&asked.said),
        refused,
        to: "/settings/table",
        back: "/settings/table",
        table: TablePart::now(console, visitor, &asked.template).await?,
    };
    page_with(status, &page)
}

async fn change_table(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<ChangeForm>,
) -> Page {
    let came = match form.act.as_str() {
        "table" => put_table(&console, &visitor, &form).await,
        _ => Err(Failure::bad("Choose what you want to do.")),
    };
    match came {
        Ok(came) => Ok(see(&format!("/settings/table?said={}", came.name()))),
        Err(failure) => show_table(&console, &visitor, &Asked::default(), refusal(&form, failure)?).await,
    }
}
