//! Copies outside this machine over the admin API: make one now, say what is there, read it back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::api::Api;
use super::{Answer, Failure, blocking};
use crate::app::App;
use crate::off_site::copy::Copied;
use crate::off_site::{Finish, OffSiteError};

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/off-site", "How far the copy outside is", list)
        .post("/v1/off-site/now", "Copy outside now", now)
        .post("/v1/off-site/check", "Compare the copy outside with the ledger", check)
}

impl From<OffSiteError> for Failure {
    fn from(error: OffSiteError) -> Self {
        match error {
            OffSiteError::None => Self::missing(error.to_string()),
            other => Self::ours(&other),
        }
    }
}

/// Finishes the segment in use and copies everything.
pub(super) async fn copy_now(app: &App, mut tell: impl FnMut(u64, u64) + Send + 'static) -> Answer<Copied> {
    let off_site = app.off_site.clone();
    blocking(move || Ok(off_site.copy(Finish::Yes, &CancellationToken::new(), &mut tell)?)).await
}

async fn now(State(app): State<App>) -> Answer<Json<Value>> {
    let job = Arc::clone(&app.job);
    let copied = copy_now(&app, move |done, total| job.set(done, total)).await?;
    Ok(Json(json!({"sent": copied.n_sent, "replaced": copied.n_replaced, "list": copied.list})))
}

async fn list(State(app): State<App>) -> Answer<Json<Value>> {
    let off_site = app.off_site.clone();
    let list = blocking(move || Ok(off_site.list(&CancellationToken::new())?)).await?;
    Ok(Json(json!({"standing": app.off_site.standing(), "list": list})))
}

async fn check(State(app): State<App>) -> Answer<Json<Value>> {
    let found = blocking(move || {
        let job = Arc::clone(&app.job);
        Ok(app.off_site.check(&CancellationToken::new(), |done, total| job.set(done, total))?)
    })
    .await?;
    Ok(Json(serde_json::to_value(&found).map_err(|error| Failure::ours(&error))?))
}
