//! Speaks to a time-stamping authority: one POST, one bounded answer (RFC 3161 section 3.4, over HTTP).
//!
//! Plain http is usual: request and answer hold a hash, a number and a signature, no secret; what a stranger in between
//! changes fails against imprint and nonce here, and against the signature at whoever verifies.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;
use ntk_evidence::time_stamp::RESPONSE_BYTES_MAX;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::config::time_stamps::AuthorityUrl;

/// The authority gave no answer that could be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SpeakError {
    /// It took too long.
    #[error("the time-stamping authority did not answer within {0} s")]
    Late(u64),
    /// No connection.
    #[error("`{0}` cannot be reached; check `time_stamps.url` and the way out of the building")]
    Reach(String, #[source] std::io::Error),
    /// TLS.
    #[error("no secure connection to `{0}`; check its certificate and this machine's root certificates")]
    Tls(String, #[source] std::io::Error),
    /// HTTP.
    #[error("the time-stamping authority does not speak HTTP")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another status than 200.
    #[error("the time-stamping authority answered with HTTP status {0}; check the path of `time_stamps.url`")]
    Status(StatusCode),
    /// An answer without end.
    #[error("the answer is longer than {RESPONSE_BYTES_MAX} bytes or was cut off")]
    Body,
}

/// Sends a request; the answer's bytes, whatever they are.
pub async fn speak(url: &AuthorityUrl, query: Vec<u8>, within: Duration) -> Result<Bytes, SpeakError> {
    let late = |_| SpeakError::Late(within.as_secs());
    tokio::time::timeout(within, exchange(url, query)).await.map_err(late)?
}

async fn exchange(url: &AuthorityUrl, query: Vec<u8>) -> Result<Bytes, SpeakError> {
    let host = url.host_header();
    let stream = TcpStream::connect((url.host.as_str(), url.port))
        .await
        .map_err(|source| SpeakError::Reach(host.clone(), source))?;
    if !url.is_https {
        return post(stream, url, query).await;
    }
    let tls = |source| SpeakError::Tls(host.clone(), source);
    let name = ServerName::try_from(url.host.clone()).map_err(|error| tls(std::io::Error::other(error)))?;
    let connector = crate::outside::connector().map_err(|error| tls(std::io::Error::other(error)))?;
    post(connector.connect(name, stream).await.map_err(tls)?, url, query).await
}

async fn post<S>(stream: S, url: &AuthorityUrl, query: Vec<u8>) -> Result<Bytes, SpeakError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| SpeakError::Http(error.into()))?;
    let connection = tokio::spawn(connection);
    let answer = async {
        let request = Request::post(&url.path)
            .header("host", url.host_header())
            .header("content-type", "application/timestamp-query")
            .header("accept", "application/timestamp-reply")
            .body(Body::from(query))
            .map_err(|error| SpeakError::Http(error.into()))?;
        let response = sender.send_request(request).await.map_err(|error| SpeakError::Http(error.into()))?;
        if response.status() != StatusCode::OK {
            return Err(SpeakError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), RESPONSE_BYTES_MAX).collect().await;
        body.map(|body| body.to_bytes()).map_err(|_| SpeakError::Body)
    }
    .await;
    connection.abort();
    answer
}
