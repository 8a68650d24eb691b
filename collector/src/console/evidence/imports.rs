//! Files of other systems' own logs, taken in: what came, and a form for the next. The script of the page sends the file piece
//! by piece through the API (`/api/v1/imports/*`), so that a large one shows how far it is and never lies here whole.

use askama::Template;
use axum::extract::State;
use ntk_evidence::name::Author;

use super::super::Console;
use super::super::shell::{Page, Shell, Visitor, page};
use crate::admin::imports::{LISTED_MAX, acts};
use crate::admin::roster::in_force;
use crate::console::words::when_in_short as when;
use crate::import::Source;
use crate::report::acts::name;
use crate::report::shown::visible;

/// A source as the form offers it.
struct Choice {
    name: &'static str,
    is_first: bool,
    title: &'static str,
    /// Where the file comes from.
    hint: &'static str,
}

/// One import that was made.
struct Made {
    when: String,
    place: String,
    file: String,
    by: String,
    sentence: String,
    sha256: String,
}

#[derive(Template)]
#[template(path = "console/imports.html")]
struct ImportsPage {
    shell: Shell,
    me: String,
    choices: Vec<Choice>,
    asks_m365: bool,
    made: Vec<Made>,
    n_more: usize,
}

fn choice(source: Source) -> Choice {
    let (title, hint) = match source {
        Source::M365 => (
            "Microsoft 365",
            "The CSV of an audit search in Purview as it was downloaded, or JSON lines of the audit log, sign-ins or directory audits.",
        ),
        Source::Exchange => {
            ("An Exchange server of your own", "The SearchResult.xml that New-MailboxAuditLogSearch sends.")
        }
        Source::EhrAudit => (
            "A health-record system",
            "Its audit log as CSV, with a map of its columns below, or as FHIR AuditEvent, one a line.",
        ),
        Source::Evtx => (
            "A Windows computer without an agent",
            "A copy of its Security log (.evtx), and below what is watched there.",
        ),
    };
    Choice { name: source.name(), is_first: source == Source::M365, title, hint }
}

pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Page {
    let (app, zone) = (console.app.clone(), console.app.lookup.zone());
    let (_, roster) = in_force(&app).await?;
    let working = app.clone();
    let all = crate::admin::blocking(move || acts(&working)).await?;
    let place = |source: &str| {
        Author::import(source).map_or_else(|_| source.to_owned(), |author| author.place().to_owned())
    };
    let made = all.iter().rev().take(LISTED_MAX).map(|(time, act)| Made {
        when: when(time, zone),
        place: visible(&place(&act.source)),
        file: visible(&act.file),
        by: visible(&name(&act.by, &roster)),
        sentence: visible(&act.tally.in_words()),
        sha256: visible(&act.sha256),
    });
    page(&ImportsPage {
        me: visitor.person.clone(),
        choices: Source::ALL.iter().copied().map(choice).collect(),
        asks_m365: app.practice.current().m365.is_some(),
        made: made.collect(),
        n_more: all.len().saturating_sub(LISTED_MAX),
        shell: Shell::new(&console, Some(&visitor), "/evidence", "Logs of other systems"),
    })
}
