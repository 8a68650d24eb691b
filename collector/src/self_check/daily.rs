//! The ledger verifies itself without being asked: when the last check is older than a day, and so at a start, too.
//!
//! One check at a time, on a thread of its own; the result is an act, so the weekly review can tell how long ago the
//! last one was, and that there was none.

use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::act;
use ntk_evidence::time::Moment;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::self_check;
use crate::app::App;
use crate::turns::every;

/// How often the age of the last check is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const SECONDS_PER_HOUR: i64 = 3600;

/// Checks whenever a check is due, until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    let mut turns = every(LOOK_EVERY, &stop);
    while turns.next().await {
        let last =
            app.ledger.published().registry.checked.as_ref().and_then(|last| Moment::parse(&last.time));
        let every = i64::from(app.practice.current().raw.self_check_hours).saturating_mul(SECONDS_PER_HOUR);
        if last.is_some_and(|last| last.plus_seconds(every) > app.ledger.clock().now()) {
            continue;
        }
        let checking = app.clone();
        let checked = tokio::task::spawn_blocking(move || check(&checking)).await;
        if let Ok(Err(failure)) = checked {
            error!(reason = %crate::error_chain(&failure), "the daily self-check could not be made");
        }
    }
}

fn check(app: &App) -> Result<(), crate::ledger::LedgerError> {
    let job = Arc::clone(&app.job);
    let total = app.ledger.published().checkpoint.checkpoint.size;
    let found = self_check(&app.practice, &app.ledger.reader(), |done| job.set(done, total))?
        .and_of_authority(&app.practice, app.ledger.clock().now());
    if found.passed {
        info!(entries = found.entries, "the daily self-check passed");
    } else {
        error!(faults = found.faults.len(), "the daily self-check failed: run `ntk-collector self-check`");
    }
    let body = serde_json::to_value(&found).unwrap_or_default();
    app.ledger.act_blocking(vec![act::event(act::kind::SELF_CHECK, app.ledger.now(), body)]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::desk::rig::Rig;

    #[tokio::test(flavor = "multi_thread")]
    async fn status_and_self_check_say_that_the_authority_ends_from_a_year_before_on() {
        let rig = Rig::start().await;
        assert_eq!(rig.get("/v1/status").await.1["authority_ends"], Value::Null);
        let (_, check) = rig.post("/v1/self-check", json!({})).await;
        assert!(!check["sentence"].as_str().unwrap().contains("authority"), "{check}");
        let rig = rig.again("2036-03-01T00:00:00Z").await;
        let ends = "The practice's own authority ends on 2036-12-31: ";
        let (_, status) = rig.get("/v1/status").await;
        assert!(status["authority_ends"].as_str().unwrap().starts_with(ends), "{status}");
        let (_, check) = rig.post("/v1/self-check", json!({})).await;
        assert_eq!(check["passed"], true, "it is no fault");
        assert!(check["sentence"].as_str().unwrap().contains(ends), "{check}");
        // The review's last word on the ledger is that of the newest check.
        tokio::task::spawn_blocking({
            let app = rig.app().clone();
            move || super::check(&app).unwrap()
        })
        .await
        .unwrap();
        rig.end().await;
    }
}
