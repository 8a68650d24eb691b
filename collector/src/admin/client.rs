//! The command line's side of the admin API: through the socket of the running collector, or in-process.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use ntk_segment::error::SegmentError;
use serde_json::Value;
use tower::ServiceExt as _;

use super::router;
use crate::app::{AppError, Working};
use crate::at_rest::{self, AtRestError};
use crate::clock::Clock;
use crate::home::Home;
use crate::ledger::LedgerError;
use crate::practice::{Practice, PracticeError};
use crate::system;

/// A request that did not come to an answer, or whose answer is a refusal.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The practice.
    #[error(transparent)]
    Practice(#[from] PracticeError),
    /// What is encrypted in it.
    #[error(transparent)]
    AtRest(#[from] AtRestError),
    /// The practice, where no collector runs.
    #[error(transparent)]
    App(#[from] AppError),
    /// Talking over the socket failed.
    #[error("the running collector did not answer: {0}")]
    Talk(String),
    /// Who decides has to show who they are.
    #[error("{0}")]
    Unproved(String),
    /// The collector's own sentence.
    #[error("{0}")]
    Refused(String),
}

/// Where requests go.
#[derive(Debug)]
pub enum Client {
    /// A collector runs: its socket.
    Socket(Home),
    /// None runs: the practice is opened here. Boxed, as it is large.
    Here(Box<Working>),
}

impl Client {
    /// Finds out whether a collector runs.
    pub async fn connect(home: Home) -> Result<Self, ClientError> {
        let deadline = tokio::time::Instant::now() + START_WITHIN;
        let mut unlocked = home.keys().is_some().then(|| home.clone());
        loop {
            match system::connect(&home).await {
                Ok(_) => return Ok(Self::Socket(home)),
                Err(error) if error.kind() == system::NOT_OURS => {
                    return Err(ClientError::Talk(error.to_string()));
                }
                Err(_) => {}
            }
            Practice::open(home.clone())?;
            // Asked once, and only where no collector runs.
            let here = match &unlocked {
                Some(home) => Home::clone(home),
                None => unlocked.insert(at_rest::unlock(home.clone())?).clone(),
            };
            let working = tokio::task::spawn_blocking(move || Working::start(here, Clock::system())).await;
            match working.map_err(|error| ClientError::Talk(error.to_string()))? {
                // Somebody holds the ledger and does not answer yet: a collector that is just starting.
                Err(
                    AppError::Ledger(LedgerError::Segment(SegmentError::Locked { .. }))
                    | AppError::AtRest(AtRestError::Segment(SegmentError::Locked { .. })),
                ) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(ASK_EVERY).await;
                }
                working => return Ok(Self::Here(Box::new(working?))),
            }
        }
    }

    /// A GET; `query` is already encoded.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<u8>, ClientError> {
        let query: Vec<String> =
            query.iter().map(|(key, value)| format!("{key}={}", percent(value))).collect();
        let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) };
        self.send(Method::GET, &uri, None).await
    }

    /// A POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Vec<u8>, ClientError> {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(&self, method: Method, uri: &str, body: Option<&Value>) -> Result<Vec<u8>, ClientError> {
        let talk = |error: &dyn std::fmt::Display| ClientError::Talk(error.to_string());
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "admin")
            .header("content-type", "application/json");
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Body::from(body)).map_err(|error| talk(&error))?;
        let (status, bytes) = match self {
            Self::Socket(home) => {
                let stream = system::connect(home).await.map_err(|error| talk(&error))?;
                let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(|error| talk(&error))?;
                tokio::spawn(connection);
                let response = sender.send_request(request).await.map_err(|error| talk(&error))?;
                let status = response.status();
                (status, response.into_body().collect().await.map_err(|error| talk(&error))?.to_bytes())
            }
            Self::Here(working) => {
                let response =
                    router(working.app.clone()).oneshot(request).await.map_err(|error| talk(&error))?;
                let status = response.status();
                (status, response.into_body().collect().await.map_err(|error| talk(&error))?.to_bytes())
            }
        };
        if status.is_success() {
            return Ok(bytes.to_vec());
        }
        let sentence = serde_json::from_slice::<Value>(&bytes)
            .ok()
            .and_then(|body| Some(body.get("error")?.as_str()?.to_owned()));
        let sentence = sentence.unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned());
        Err(match status {
            StatusCode::UNAUTHORIZED => ClientError::Unproved(sentence),
            _ => ClientError::Refused(sentence),
        })
    }

    /// Done and total of the running job.
    pub async fn progress(&self) -> Option<(u64, u64)> {
        let bytes = self.get("/v1/progress", &[]).await.ok()?;
        let body: Value = serde_json::from_slice(&bytes).ok()?;
        Some((body.get("done")?.as_u64()?, body.get("total")?.as_u64()?))
    }

    /// Ends the practice that was opened here.
    pub async fn close(self) {
        if let Self::Here(working) = self {
            let _ = tokio::task::spawn_blocking(move || working.stop()).await;
        }
    }
}

/// How long a collector may take from its lock to its socket.
const START_WITHIN: Duration = Duration::from_secs(30);

/// How often a progress bar, or who waits for a lock, asks.
pub const ASK_EVERY: Duration = Duration::from_millis(200);

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
