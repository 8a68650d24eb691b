//! This week: the verdict, what is to be decided, what waits, what could be seen.

use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use ntk_evidence::hash::Hash;
use serde_json::json;

use super::second::n_to_sign;
use super::shell::{Page, Shell, Visitor, page};
use super::{Console, first_page, live};
use crate::admin::cosigns::Untold;
use crate::admin::findings::hidden_from;
use crate::admin::roster::in_force;
use crate::admin::{Answer, blocking};
use crate::report::text::count;
use crate::report::week::Week;
use crate::report::{Item, Undecided, WeeklyReport, html};
use crate::review::review;

/// A review is shown again so many times as long as it took to make it, so that looking costs at most a tenth of the
/// time; the page says as of when it is. Where something was found or decided since, it is made anew at once.
const SHOWN_AGAIN: i32 = 10;
/// The shortest and the longest time for which it is shown again.
const FRESH: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(5), SignedDuration::from_mins(5));

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/", get(show))
}

/// The review of this week as it was made last: two people who look at once make one.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Option<Made>>);

#[derive(Debug)]
struct Made {
    at: Timestamp,
    took: SignedDuration,
    /// What was found and decided by then.
    state: Option<Hash>,
    report: Arc<WeeklyReport>,
}

impl Made {
    fn is_fresh(&self, now: Timestamp, state: Option<Hash>) -> bool {
        self.state == state
            && now.duration_since(self.at).abs()
                < self.took.saturating_mul(SHOWN_AGAIN).clamp(FRESH.0, FRESH.1)
    }
}

/// The review of the week in which we are; it is no report, and is kept nowhere.
pub(crate) async fn this_week(console: &Console) -> Answer<Arc<WeeklyReport>> {
    let console = console.clone();
    blocking(move || {
        // Held while it is made: whoever comes meanwhile takes the same.
        let mut kept = console.week.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = console.now();
        let app = &console.app;
        app.lookup.up_to_date()?;
        let state = live::state(app);
        if let Some(made) = kept.as_ref().filter(|made| made.is_fresh(now, state)) {
            return Ok(Arc::clone(&made.report));
        }
        let week = Week::of(now, app.lookup.zone());
        let trust = app.trust.now().0;
        let report = review(&app.practice, &app.lookup, &app.ledger.published(), &trust, now, week, None)?;
        let report = Arc::new(report);
        let took = console.now().duration_since(now).abs();
        *kept = Some(Made { at: now, took, state, report: Arc::clone(&report) });
        Ok(report)
    })
    .await
}

impl Kept {
    /// Somebody decided something: what was made before says it no more.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[derive(Template)]
#[template(path = "console/week.html")]
struct WeekPage<'a> {
    shell: Shell,
    report: &'a WeeklyReport,
    heading: String,
    more: Vec<&'a String>,
    items: Vec<&'a Item>,
    undecided: Vec<&'a Undecided>,
    hidden: String,
    coverage: String,
    machines: Vec<String>,
    waits: bool,
    to_sign: String,
    is_set_up: bool,
}

impl WeekPage<'_> {
    fn is_never(&self, item: &Item) -> bool {
        item.finding.outcome == crate::need_to_know::Judgement::Never
    }
}

async fn show(State(console): State<Console>, visitor: Visitor) -> Page {
    console.viewed(&visitor, json!({"what": "this week"})).await?;
    let report = this_week(&console).await?;
    let hidden = hidden_from(&console.app, &visitor.viewer()).await?;
    let items: Vec<&Item> = report.items.iter().filter(|item| !hidden.contains(&item.incident.id)).collect();
    let n_hidden = report.items.len().saturating_sub(items.len());
    let undecided = report.undecided.iter().filter(|one| !hidden.contains(&one.id)).collect();
    let (_, roster) = in_force(&console.app).await?;
    let untold = Untold::of(&console.app, &visitor.viewer(), &roster)?;
    let (not_told, more): (Vec<&String>, Vec<&String>) =
        report.verdict.more.iter().partition(|said| untold.is_in(said));
    let (coverage, machines) = html::coverage(&report);
    let coverage = without_style(&coverage);
    let heading = match (n_hidden, items.len()) {
        (0, _) => report.verdict.sentence.clone(),
        (_, 0) => "Nothing needs your answer this week".to_owned(),
        (_, 1) => "One thing needs your answer this week".to_owned(),
        (_, n) => format!("{n} things need your answer this week"),
    };
    let waits = !report.break_glass.is_empty()
        || !report.tickets.is_empty()
        || !report.roster.new_items.is_empty()
        || !report.roster.unknown_accounts.is_empty();
    let n_to_sign = n_to_sign(&console, &visitor).await?;
    let page_of_week = WeekPage {
        shell: Shell::new(&console, Some(&visitor), "/", "This week").live(),
        heading,
        more,
        items,
        undecided,
        hidden: about_you(n_hidden.saturating_add(not_told.len())),
        coverage,
        machines,
        is_set_up: first_page(&console, &visitor.role).await? != "/wizard",
        waits: waits || n_to_sign > 0,
        to_sign: if n_to_sign == 0 { String::new() } else { count(n_to_sign, "thing", "things") },
        report: &report,
    };
    page(&page_of_week)
}

/// A drawing without style attributes, which the console's policy refuses; its width is the style sheet's.
pub(super) fn without_style(drawing: &str) -> String {
    let mut parts = drawing.split(" style=\"");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('"').map_or("", |(_, rest)| rest));
    }
    plain
}

/// That something is not shown, and who sees it; empty where everything is.
pub(super) fn about_you(n_hidden: usize) -> String {
    match n_hidden {
        0 => String::new(),
        n => format!(
            "{} about you, your firm or an account that you share is not shown to you. Somebody else who decides sees it.",
            count(n, "item", "items")
        ),
    }
}
