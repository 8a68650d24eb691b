//! One HTTP request at a time, over TLS that this machine's own certificates vouch for, with a limit on the answer.

use std::error::Error;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::shelf::ShelfError;

/// Makes requests.
pub(super) struct Web {
    tls: TlsConnector,
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Web")
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: StatusCode,
    /// All of the body.
    pub(super) body: Bytes,
}

/// No answer. No sentence holds the address or a header: they are signed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// The address.
    #[error("the address cannot be used")]
    Address,
    /// Connecting, or the connection.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// HTTP.
    #[error("{0}")]
    Talk(#[from] hyper::Error),
    /// More than was asked for.
    #[error("the answer is too long")]
    TooLarge,
    /// The body broke off.
    #[error("the answer broke off")]
    Cut,
}

impl Web {
    /// Trusts what this machine trusts.
    pub(super) fn new() -> Result<Self, ShelfError> {
        let tls = crate::outside::connector();
        let tls = tls.map_err(|error| ShelfError::Settings(format!("TLS cannot be used: {error}")))?;
        Ok(Self { tls })
    }

    /// Sends a request to the server that its address names, and takes in the whole answer.
    pub(super) async fn send<B>(&self, request: Request<B>, limit: usize) -> Result<Answer, HttpError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (mut head, body) = request.into_parts();
        let authority = head.uri.authority().ok_or(HttpError::Address)?.clone();
        let is_tls = head.uri.scheme_str() == Some("https");
        let path = head.uri.path_and_query().ok_or(HttpError::Address)?.clone();
        head.uri = path.into();
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| HttpError::Address)?;
        head.headers.insert(HOST, host);
        head.headers.insert(USER_AGENT, HeaderValue::from_static("ntk-collector"));
        let request = Request::from_parts(head, body);
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        if is_tls {
            let name = ServerName::try_from(host).map_err(|_| HttpError::Address)?;
            exchange(self.tls.connect(name, stream).await?, request, limit).await
        } else {
            exchange(stream, request, limit).await
        }
    }
}

async fn exchange<B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<B>,
    limit: usize,
) -> Result<Answer, HttpError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let taken =
        async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), limit).collect().await;
            let body = body.map_err(|error| {
                if error.is::<LengthLimitError>() { HttpError::TooLarge } else { HttpError::Cut }
            })?;
            Ok(Answer { status, body: body.to_bytes() })
        };
    let answer = taken.await;
    connection.abort();
    answer
}
