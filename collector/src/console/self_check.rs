//! Self-check: how the last one ended, and one now, with its progress.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::shell::{Page, Shell, Visitor, page};
use super::{Console, see};
use crate::admin::check_now;
use crate::report::text::{moment, number};
use crate::self_check::SelfCheck;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/self-check", get(show).post(run))
}

/// The check that somebody asked for here.
#[derive(Debug, Default)]
pub(crate) struct Checking {
    runs: AtomicBool,
    /// How the last one ended since the collector's start, or why it could not be made.
    last: Mutex<Option<Result<SelfCheck, String>>>,
}

#[derive(Template)]
#[template(path = "console/self_check.html")]
struct SelfCheckPage {
    shell: Shell,
    runs: bool,
    done: u64,
    total: u64,
    last: Option<(bool, String)>,
    found: Option<SelfCheck>,
    failed: String,
    every_hours: u32,
}

impl SelfCheckPage {
    fn n(&self, n: &u64) -> String {
        number(*n)
    }
}

async fn show(State(console): State<Console>, visitor: Visitor) -> Page {
    let app = &console.app;
    let last = app.ledger.published().registry.checked.clone().map(|last| {
        let when = last.time.parse().map(|at| moment(at, app.lookup.zone()));
        (last.passed, when.unwrap_or(last.time))
    });
    let (done, total) = app.job.now();
    let found = console.checking.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (found, failed) = match found {
        Some(Ok(found)) => (Some(found), String::new()),
        Some(Err(failed)) => (None, failed),
        None => (None, String::new()),
    };
    page(&SelfCheckPage {
        shell: Shell::new(&console, Some(&visitor), "/self-check", "Self-check"),
        runs: console.checking.runs.load(Ordering::Acquire),
        done: done.min(total),
        total: total.max(1),
        last,
        found,
        failed,
        every_hours: app.practice.current().raw.self_check_hours,
    })
}

async fn run(State(console): State<Console>, _: Visitor) -> Page {
    // One at a time: whoever asks meanwhile sees the one that runs.
    if !console.checking.runs.swap(true, Ordering::AcqRel) {
        let (app, checking) = (console.app.clone(), Arc::clone(&console.checking));
        app.job.set(0, app.ledger.published().checkpoint.checkpoint.size);
        tokio::spawn(async move {
            let found = check_now(&app).await.map_err(|failure| failure.into_parts().1);
            *checking.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
            checking.runs.store(false, Ordering::Release);
        });
    }
    Ok(see("/self-check"))
}
