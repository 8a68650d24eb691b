//! One HTTP request at a time, over TLS that this machine's own certificates vouch for, with a limit on the answer.

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::{Request, Uri};
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

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// All of the body.
    pub(super) body: Vec<u8>,
}

/// No answer. No sentence holds the address: it is signed.
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

    /// Sends a request and takes in the whole answer.
    pub(super) async fn send(
        &self,
        method: &str,
        url: &str,
        body: &[u8],
        limit: usize,
    ) -> Result<Answer, HttpError> {
        let uri: Uri = url.parse().map_err(|_| HttpError::Address)?;
        let authority = uri.authority().ok_or(HttpError::Address)?.clone();
        let is_tls = uri.scheme_str() == Some("https");
        let path = uri.path_and_query().ok_or(HttpError::Address)?.as_str();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", authority.as_str())
            .header("user-agent", "ntk-collector")
            .body(Full::new(Bytes::copy_from_slice(body)))
            .map_err(|_| HttpError::Address)?;
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

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Answer, HttpError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let taken =
        async {
            let response = sender.send_request(request).await?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), limit).collect().await;
            let body = body.map_err(|error| {
                if error.is::<LengthLimitError>() { HttpError::TooLarge } else { HttpError::Cut }
            })?;
            Ok(Answer { status, body: body.to_bytes().to_vec() })
        };
    let answer = taken.await;
    connection.abort();
    answer
}
