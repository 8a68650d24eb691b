//! One's own page: what is recorded about oneself, where the practice allows it; never a finding.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Deserialize;

use super::Console;
use super::shell::{Page, Shell, Visitor, page};
use crate::admin::mine::{DAYS, DAYS_MAX, read};
use crate::admin::roster::in_force;
use crate::mine::{Mine, ROWS_MAX};
use crate::report::shown::visible;
use crate::report::text::number;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/mine", get(show))
}

#[derive(Template)]
#[template(path = "console/mine.html")]
struct MinePage {
    shell: Shell,
    practice: String,
    is_allowed: bool,
    is_in_roster: bool,
    days: u16,
    found: Mine,
    rows_max: usize,
    zone: String,
}

impl MinePage {
    fn n(&self, n: &u64) -> String {
        number(*n)
    }

    fn is_of(&self, days: &u16) -> bool {
        self.days == *days
    }

    fn is_cut(&self) -> bool {
        self.found.rows.len() >= self.rows_max
    }

    fn clean(&self, text: &str) -> String {
        visible(text)
    }
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    days: String,
}

async fn show(State(console): State<Console>, visitor: Visitor, Query(wanted): Query<Wanted>) -> Page {
    let days = wanted.days.parse().unwrap_or(DAYS).clamp(1, DAYS_MAX);
    let (_, roster) = in_force(&console.app).await?;
    let is_allowed = console.app.ledger.published().registry.people.self_view;
    let is_in_roster = roster.person(&visitor.person).is_some();
    let found = if is_allowed && is_in_roster {
        // Whoever is signed in is the one who is shown: there is no other to ask for.
        read(&console.app, &visitor.viewer(), &visitor.person, days).await?
    } else {
        Mine::default()
    };
    page(&MinePage {
        shell: Shell::new(&console, Some(&visitor), "/mine", "What is recorded about me"),
        practice: visible(&console.app.practice.config.raw.practice),
        is_allowed,
        is_in_roster,
        days,
        found,
        rows_max: ROWS_MAX,
        zone: console.app.lookup.zone().iana_name().unwrap_or("the practice’s own zone").to_owned(),
    })
}
