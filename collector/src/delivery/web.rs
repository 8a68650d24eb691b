//! One POST to a service outside, over TLS that this machine's own certificates vouch for; what it answers is not read
//! beyond its status.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::config::time_stamps::AuthorityUrl;

/// So long a service may take.
const WITHIN: Duration = Duration::from_secs(20);

/// A service did not take it. No sentence holds the path: it is as good as a password.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Too slow.
    #[error("`{0}` did not answer within 20 s")]
    Late(String),
    /// No connection.
    #[error("`{0}` cannot be reached; check its address and the way out of the building")]
    Reach(String, #[source] std::io::Error),
    /// TLS.
    #[error("`{0}` did not show a certificate that this machine trusts for that name, and nothing was sent")]
    Tls(String, #[source] std::io::Error),
    /// HTTP.
    #[error("`{0}` does not speak HTTP")]
    Http(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another status than 2xx.
    #[error("`{0}` answered with HTTP status {1}; check its address and token")]
    Status(String, StatusCode),
}

/// Posts a body with these headers; `more` stands behind the path of the address.
pub async fn post(
    url: &AuthorityUrl,
    more: &str,
    headers: &[(&str, String)],
    body: Vec<u8>,
) -> Result<(), WebError> {
    let exchanged = tokio::time::timeout(WITHIN, exchange(url, more, headers, body)).await;
    exchanged.map_err(|_| WebError::Late(url.host_header()))?
}

async fn exchange(
    url: &AuthorityUrl,
    more: &str,
    headers: &[(&str, String)],
    body: Vec<u8>,
) -> Result<(), WebError> {
    let host = url.host_header();
    let http = |error: Box<dyn std::error::Error + Send + Sync>| WebError::Http(host.clone(), error);
    let (path, query) =
        url.path.split_once('?').map_or((url.path.as_str(), None), |(path, query)| (path, Some(query)));
    let path = format!("{}{more}", if more.is_empty() { path } else { path.trim_end_matches('/') });
    let path = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    let mut request = Request::post(path).header("host", &host).header("user-agent", "ntk-collector");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Body::from(body)).map_err(|error| http(error.into()))?;
    let stream = TcpStream::connect((url.host.as_str(), url.port))
        .await
        .map_err(|source| WebError::Reach(host.clone(), source))?;
    let status = if url.is_https {
        let tls = |source| WebError::Tls(host.clone(), source);
        let name =
            ServerName::try_from(url.host.clone()).map_err(|error| tls(std::io::Error::other(error)))?;
        let connector = crate::outside::connector().map_err(|error| tls(std::io::Error::other(error)))?;
        talk(connector.connect(name, stream).await.map_err(tls)?, request).await.map_err(http)?
    } else {
        talk(stream, request).await.map_err(http)?
    };
    if status.is_success() { Ok(()) } else { Err(WebError::Status(host, status)) }
}

async fn talk<S>(
    stream: S,
    request: Request<Body>,
) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    connection.abort();
    Ok(answer?.status())
}
