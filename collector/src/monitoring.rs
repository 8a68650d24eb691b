//! What a monitoring system may ask: whether it lives, whether it does its work, and the numbers.
//!
//! `/healthz` answers as long as the process does; `/readyz` says line by line whether entries are taken in, whether what
//! came is being decided, and whether the disk takes a file, and is 503 where one of them is not so; `/metrics` is the text
//! of `ntk-collector metrics`. A listener of its own (`[monitoring]`), off by default, without encryption and without
//! sign-in: so nothing stands there but states, counts and machines' names. The same is asked over the admin socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::admin::metrics::metrics;
use crate::app::App;
use crate::home::write_file;

/// The file that is written and removed to see whether the disk takes one; below `cache/`, which may be deleted.
const PROBE: &str = "ready";
/// How long the disk may take.
const DISK_WITHIN: Duration = Duration::from_secs(5);

/// The listener could not start.
#[derive(Debug, thiserror::Error)]
pub enum MonitoringError {
    /// The address is taken or not ours.
    #[error("could not listen for monitoring on `{address}` (`monitoring.listen`)")]
    Bind {
        /// Address from the configuration.
        address: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Whether it does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// The ledger is open and takes entries in.
    pub ledger: bool,
    /// What came is read and decided.
    pub deciding: bool,
    /// The disk takes a file.
    pub disk: bool,
}

impl Ready {
    /// Whether all of it is so.
    pub const fn is_whole(self) -> bool {
        self.ledger && self.deciding && self.disk
    }

    fn text(self) -> String {
        let line = |what: &str, is_so| format!("{what} {}\n", if is_so { "ok" } else { "FAILS" });
        [line("ledger", self.ledger), line("deciding", self.deciding), line("disk", self.disk)].concat()
    }

    fn status(self) -> StatusCode {
        if self.is_whole() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
    }
}

/// How it stands now.
pub async fn look(app: &App) -> Ready {
    let probe = app.practice.home.cache().join(PROBE);
    let written = tokio::task::spawn_blocking(move || {
        let written = write_file(&probe, b"", 0o600).is_ok();
        written && std::fs::remove_file(&probe).is_ok()
    });
    let disk = matches!(tokio::time::timeout(DISK_WITHIN, written).await, Ok(Ok(true)));
    Ready { ledger: app.ledger.is_open(), deciding: app.lookup.reached().1, disk }
}

/// `GET /v1/ready` of the admin API.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let ready = look(&app).await;
    (ready.status(), Json(ready)).into_response()
}

fn router(app: App) -> Router {
    // Anybody who reaches the listener can ask: the disk is tried by one after the other.
    let turn = Arc::new(Mutex::new(()));
    let ready = move |State(app): State<App>| {
        let turn = Arc::clone(&turn);
        async move {
            let _turn = turn.lock().await;
            let ready = look(&app).await;
            (ready.status(), ready.text())
        }
    };
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(app)
}

/// Listens where the configuration says so, until `stop` is cancelled.
pub async fn start(
    app: &App,
    stop: &CancellationToken,
) -> Result<Option<JoinHandle<std::io::Result<()>>>, MonitoringError> {
    let Some(section) = &app.practice.config.raw.monitoring else { return Ok(None) };
    let wrong = |source| MonitoringError::Bind { address: section.listen.clone(), source };
    let listener = TcpListener::bind(&section.listen).await.map_err(wrong)?;
    let address: SocketAddr = listener.local_addr().map_err(wrong)?;
    info!(listen = %address, "monitoring may ask");
    let (router, stopped) = (router(app.clone()), stop.clone().cancelled_owned());
    Ok(Some(tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::rig::Rig;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    async fn ask(app: &App, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(app.clone()).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_lives_and_is_ready_and_says_which_part_is_not() {
        let rig = Rig::start().await;
        let app = rig.app();
        assert_eq!(ask(app, "/healthz").await, (200, "alive\n".to_owned()));
        assert_eq!(ask(app, "/readyz").await, (200, "ledger ok\ndeciding ok\ndisk ok\n".to_owned()));
        let (status, metrics) = ask(app, "/metrics").await;
        assert!(status == 200 && metrics.contains("ntk_log_size"), "{metrics}");
        assert_eq!(
            rig.get("/v1/ready").await,
            (200, serde_json::json!({"ledger": true, "deciding": true, "disk": true}))
        );
        // A folder in the file's place: nothing can be written there.
        std::fs::create_dir(app.practice.home.cache().join(PROBE)).unwrap();
        assert_eq!(ask(app, "/readyz").await, (503, "ledger ok\ndeciding ok\ndisk FAILS\n".to_owned()));
        assert_eq!(ask(app, "/healthz").await.0, 200, "it lives all the same");
        // Nothing else is answered here.
        for path in ["/v1/status", "/v1/events", "/", "/v1/enroll"] {
            assert_eq!(ask(app, path).await.0, 404, "{path}");
        }
        rig.end().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_ledger_that_has_stopped_is_not_ready() {
        let rig = Rig::start().await;
        let app = rig.app().clone();
        assert!(app.ledger.is_open());
        let whole = Ready { ledger: true, deciding: true, disk: true };
        for (ready, expected) in [
            (whole, 200),
            (Ready { ledger: false, ..whole }, 503),
            (Ready { deciding: false, ..whole }, 503),
            (Ready { disk: false, ..whole }, 503),
        ] {
            assert_eq!(ready.status().as_u16(), expected);
        }
        drop(app);
        rig.end().await;
    }
}
