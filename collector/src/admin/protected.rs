//! `/v1/protected`: what is protected, where it lies, who needs it, and since when the table is in force.

use axum::Json;
use axum::extract::State;
use jiff::SignedDuration;
use ntk_evidence::act;
use serde_json::{Value, json};

use super::api::Api;
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::follow::answer::{read, store_error};
use crate::protected::{DAYS, Places, Protected};
use crate::report::acts::change;

pub(super) fn routes() -> Api {
    Api::new().get("/v1/protected", "What is protected, where it lies, and who needs it", show)
}

/// What is protected, and how the table that says so came into force.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// Each class of asset.
    pub(crate) classes: Vec<Protected>,
    /// Accesses at places that are not told apart.
    pub(crate) n_left_out: u64,
    /// When the table came into force, RFC 3339.
    pub(crate) since: Option<String>,
    /// How, in a sentence: by whom, and who co-signed.
    pub(crate) how: Option<String>,
}

/// A look: an act.
pub(crate) async fn looked(app: &App, viewer: &Viewer) -> Answer<()> {
    record(app, act::kind::VIEWED, viewer.looked(json!({"what": "what is protected"}))).await?;
    Ok(())
}

/// Reads the entries of the last days; whoever shows it has written down that somebody looks.
pub(crate) async fn standing(app: &App) -> Answer<Standing> {
    let app = app.clone();
    blocking(move || {
        let now = app.desk.now().timestamp();
        let from = now.checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(now);
        let nanos = |at: jiff::Timestamp| i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX);
        let mut places = Places::default();
        app.lookup.rolled(nanos(from), nanos(now), |seen| {
            if !act::is_act(&seen.event.kind) {
                places.observe(
                    &crate::review::machine_name(seen.access.author),
                    seen.event,
                    seen.access.n_accesses(),
                );
            }
        })?;
        let (roster, policy) = app.lookup.rules_now()?;
        let n_left_out = places.n_left_out;
        let classes = places.finish(&policy);
        let (mut since, mut how) = (None, None);
        let leaf = app.lookup.store().policy_leaf().map_err(store_error)?;
        let leaf = leaf.map(|leaf| app.lookup.store().leaf(leaf).map_err(store_error)).transpose()?.flatten();
        if let Some(record) = leaf {
            let batch = read(&app.lookup.reader(), &record)?;
            let events = batch.numbered().filter_map(|(_, entry)| entry.event().ok());
            let adopted = events.filter(|event| event.kind.as_str() == act::kind::POLICY).last();
            how = adopted.and_then(|event| change(&event, Some(record.received()), &roster));
            since = Some(record.received().to_string());
        }
        Ok(Standing { classes, n_left_out, since, how: how.map(|note| note.sentence) })
    })
    .await
}

async fn show(State(app): State<App>, viewer: Viewer) -> Answer<Json<Value>> {
    looked(&app, &viewer).await?;
    let Standing { classes, n_left_out, since, how } = standing(&app).await?;
    let classes = serde_json::to_value(&classes).map_err(|error| Failure::ours(&error))?;
    Ok(Json(
        json!({"days": DAYS, "classes": classes, "n_left_out": n_left_out, "policy_since": since, "policy_adopted": how}),
    ))
}
