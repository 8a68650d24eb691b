//! The console's listener: TLS, a bounded number of connections, and limits on how slowly one may speak.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::info;

use crate::app::App;
use crate::config::console::ConsoleAt;
use crate::home::{HomeError, read_text};
use crate::practice::{Practice, PracticeError};
use crate::rest::listener::acceptor;
use crate::system;

/// How many connections at once: a practice has some dozen browsers, each with a few.
const CONNECTIONS_MAX: usize = 128;
/// How long a handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long the lines before a request's body may take.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may live, live pages too: a browser opens another one.
const CONNECTION_WITHIN: Duration = Duration::from_secs(600);
/// Buffer of a connection, bytes: the longest request line and headers.
const HEADERS_BYTES_MAX: usize = 32 * 1024;
/// How long to wait after an accept that failed, such as for want of file handles.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// The console could not start.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The address is taken or not ours.
    #[error("the console could not listen on `{address}` (`console.listen`)")]
    Bind {
        /// Address from the configuration.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error("the console's certificate cannot be used (`console.certificate`, `console.key`): {0}")]
    Certificate(String),
    /// Its key.
    #[error(transparent)]
    Key(#[from] HomeError),
    /// The practice's own authority.
    #[error(transparent)]
    Practice(#[from] PracticeError),
}

/// The address from which a request came.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The certificate that the configuration names, ready for use; none where it names none.
pub fn certificate(practice: &Practice, at: &ConsoleAt) -> Result<Option<TlsAcceptor>, ConsoleError> {
    let Some((certificate, key)) = &at.certificate else { return Ok(None) };
    let file = |path: &Path| {
        let path = practice.home.dir().join(path);
        read_text(&path).map_err(|error| ConsoleError::Certificate(crate::error_chain(&error)))
    };
    let path = practice.home.dir().join(key);
    if system::is_loose_at(&path).unwrap_or(false) {
        return Err(HomeError::Loose { path }.into());
    }
    let tls = acceptor(&file(certificate)?, &file(key)?);
    Ok(Some(tls.map_err(ConsoleError::Certificate)?))
}

/// TLS as the configuration wants it; and whether browsers know who vouches for it.
pub fn tls(app: &App, at: &ConsoleAt) -> Result<(TlsAcceptor, bool), ConsoleError> {
    if let Some(tls) = certificate(&app.practice, at)? {
        return Ok((tls, true));
    }
    let (authority_pem, authority) = app.practice.authority()?;
    let mut names = vec![at.host.clone(), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.dedup();
    let now = app.desk.now().timestamp().as_second();
    let wrong = |error: &dyn std::error::Error| ConsoleError::Certificate(crate::error_chain(error));
    let own = authority.console(&names, now).map_err(|error| wrong(&error))?;
    let chain = format!("{}{authority_pem}", own.certificate);
    Ok((acceptor(&chain, &own.key).map_err(ConsoleError::Certificate)?, false))
}

/// Binds the listener.
pub async fn bind(at: &ConsoleAt) -> Result<TcpListener, ConsoleError> {
    let listener = TcpListener::bind(&at.listen).await;
    listener.map_err(|source| ConsoleError::Bind { address: at.listen.clone(), source })
}

/// Serves until `stop` is cancelled, and then until the requests that were under way are answered.
pub async fn serve(listener: TcpListener, tls: TlsAcceptor, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = stop.cancelled() => break,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let (tls, router, stop) = (tls.clone(), router.clone(), stop.clone());
        connections.spawn(async move {
            let _ = tokio::time::timeout(CONNECTION_WITHIN, speak((stream, peer), tls, router, stop)).await;
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
    info!("the console is closed");
}

/// One connection to its end; what goes wrong on it is the browser's to see.
async fn speak(
    (stream, peer): (TcpStream, SocketAddr),
    tls: TlsAcceptor,
    router: Router,
    stop: CancellationToken,
) {
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await else { return };
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let request: Request = request.map(Body::new);
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADERS_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
