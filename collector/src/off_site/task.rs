//! Copies on schedule, on a thread of its own: it never stands in the way of what agents send.

use std::time::Duration;

use ntk_evidence::time::Moment;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Finish, OffSiteError};
use crate::app::App;
use crate::turns::every;

/// How often it is looked whether a copy is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Copies whenever a copy is due, until stopped; not at all where nothing is set up.
pub async fn run(app: App, stop: CancellationToken) {
    let mut turns = every(LOOK_EVERY, &stop);
    let mut last: Option<(Moment, u64)> = None;
    while turns.next().await {
        // As the configuration is now: it may have been changed since the last look.
        let Some(raw) = app.practice.current().raw.off_site.clone() else { continue };
        let every = i64::from(raw.every_minutes).saturating_mul(60);
        let finish_after = i64::from(raw.finish_after_hours).saturating_mul(3600);
        let (now, segment) = (app.ledger.clock().now(), app.ledger.committed_end().segment.value());
        let is_due = last.is_none_or(|(tried, in_use)| tried.plus_seconds(every) <= now || in_use != segment);
        if !is_due {
            continue;
        }
        let recorded = app.ledger.published().registry.off_site.clone().unwrap_or_default();
        let copied = recorded.copied.as_deref().and_then(Moment::parse);
        let is_old = copied.is_none_or(|copied| copied.plus_seconds(finish_after) <= now);
        let finish = if is_old { Finish::Yes } else { Finish::No };
        let (off_site, stopping) = (app.off_site.clone(), stop.clone());
        let ran = tokio::task::spawn_blocking(move || off_site.copy(finish, &stopping, &mut |_, _| {})).await;
        // Failures of the copy itself are told where they happen.
        if let Ok(Err(OffSiteError::Act(failure))) = ran {
            warn!(reason = %crate::error_chain(&failure), "how the off-site copy went is not in the ledger");
        }
        last = Some((now, app.ledger.committed_end().segment.value()));
    }
}
