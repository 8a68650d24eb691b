//! One request to a service of Microsoft's, with a token, patience and a limit on the answer.
//!
//! What these services ask of whoever asks (Microsoft, "Microsoft Graph throttling guidance" and "Office 365 Management
//! Activity API reference"): wait as long as Retry-After says after 429 and 503, and get a new token after 401. A token goes to
//! the configured addresses and nowhere else, whatever an answer names as its next page.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::PollError;
use crate::config::time_stamps::AuthorityUrl;

/// So long one answer may take.
const WITHIN: Duration = Duration::from_secs(60);
/// The largest answer, bytes: a page of records has some hundred of them.
const BODY_BYTES_MAX: usize = 64 << 20;
/// How often one request is tried.
const TRIES_MAX: u32 = 5;
/// The longest wait that is obeyed within one poll; what takes longer is for the next one.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self, what: &'static str) -> Result<Value, PollError> {
        serde_json::from_slice(&self.body).map_err(|_| PollError::NotJson(what))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn next_page(&self) -> Option<String> {
        self.header("nextpageuri").map(ToOwned::to_owned)
    }

    /// How long it asks to wait.
    fn wait(&self, nth: u32) -> Duration {
        let said = self.header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
        said.map_or_else(|| Duration::from_secs(2_u64.saturating_pow(nth.min(6))), Duration::from_secs)
    }
}

/// A request: path and query below an address.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) is_post: bool,
    pub(super) path: String,
    pub(super) form: Option<String>,
}

impl Asked {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { is_post: false, path: path.into(), form: None }
    }

    pub(super) fn post(path: impl Into<String>, form: Option<String>) -> Self {
        Self { is_post: true, path: path.into(), form }
    }
}

/// The path of an address that an answer named, where it is at the same place.
pub(super) fn path_at(base: &AuthorityUrl, named: &str) -> Result<String, PollError> {
    let url = AuthorityUrl::parse(named);
    let same = url.filter(|url| {
        (url.is_https, url.host.to_ascii_lowercase(), url.port)
            == (base.is_https, base.host.to_ascii_lowercase(), base.port)
    });
    same.map(|url| url.path).ok_or_else(|| PollError::Elsewhere(base.host_header()))
}

/// Sends a request until it has an answer that is none of "later"; a 401 is the caller's to answer.
pub(super) async fn ask(
    base: &AuthorityUrl,
    asked: &Asked,
    token: Option<&str>,
) -> Result<Answer, PollError> {
    let mut nth = 0;
    loop {
        nth += 1;
        let late = |_| PollError::Late(base.host_header());
        let answer = tokio::time::timeout(WITHIN, once(base, asked, token)).await.map_err(late)??;
        if !matches!(answer.status, 429 | 500 | 502 | 503 | 504) {
            return Ok(answer);
        }
        let wait = answer.wait(nth);
        if nth >= TRIES_MAX || wait > WAIT_MAX {
            return Err(PollError::Throttled { host: base.host_header(), seconds: wait.as_secs() });
        }
        tokio::time::sleep(wait).await;
    }
}

async fn once(base: &AuthorityUrl, asked: &Asked, token: Option<&str>) -> Result<Answer, PollError> {
    let host = base.host_header();
    let http = |error: Box<dyn std::error::Error + Send + Sync>| PollError::Http(host.clone(), error);
    let method = if asked.is_post { "POST" } else { "GET" };
    let mut request = Request::builder()
        .method(method)
        .uri(&asked.path)
        .header("host", &host)
        .header("user-agent", "ntk-collector")
        .header("accept", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if asked.form.is_some() {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    let body = Body::from(asked.form.clone().unwrap_or_default());
    let request = request.body(body).map_err(|error| http(error.into()))?;
    let stream = TcpStream::connect((base.host.as_str(), base.port))
        .await
        .map_err(|source| PollError::Reach(host.clone(), source))?;
    if !base.is_https {
        return talk(stream, request).await.map_err(http);
    }
    let tls = |source| PollError::Tls(host.clone(), source);
    let name = ServerName::try_from(base.host.clone()).map_err(|error| tls(std::io::Error::other(error)))?;
    let connector = crate::outside::connector().map_err(|error| tls(std::io::Error::other(error)))?;
    talk(connector.connect(name, stream).await.map_err(tls)?, request).await.map_err(http)
}

async fn talk<S>(
    stream: S,
    request: Request<Body>,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = async {
        let response = sender.send_request(request).await?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await?.to_bytes().to_vec();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
    .await;
    connection.abort();
    answer
}
