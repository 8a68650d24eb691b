//! The help desks' listener: TLS with the practice's own server certificate, a bounded number of connections.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::router;
use crate::app::App;
use crate::authority::Credentials;

/// How many connections at once.
const CONNECTIONS_MAX: usize = 32;
/// How long a handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may live: a request takes far less.
const CONNECTION_WITHIN: Duration = Duration::from_secs(60);
/// How long to wait after an accept that failed, such as for want of file handles.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// The listener could not start.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// The address is taken or not ours.
    #[error("could not listen for help desks on `{address}` (`tickets_listen`)")]
    Bind {
        /// Address from the configuration.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error("the server certificate in `private` cannot be used for help desks: {0}")]
    Certificate(String),
}

/// Binds the listener.
pub async fn bind(address: &str) -> Result<(TcpListener, SocketAddr), RestError> {
    let wrong = |source| RestError::Bind { address: address.to_owned(), source };
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let bound = listener.local_addr().map_err(wrong)?;
    Ok((listener, bound))
}

/// The server's side of TLS: the chain carries the authority, so that a client can pin it.
pub fn tls(server: &Credentials, authority_pem: &str) -> Result<TlsAcceptor, RestError> {
    let chain = format!("{}{authority_pem}", server.certificate);
    acceptor(&chain, &server.key).map_err(RestError::Certificate)
}

/// TLS 1.3 and 1.2 with this certificate chain and key, PEM, for HTTP/1.1.
pub fn acceptor(chain: &str, key: &str) -> Result<TlsAcceptor, String> {
    let wrong = |error: &dyn std::fmt::Display| error.to_string();
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| wrong(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_no_client_auth()
        .with_single_cert(chain.map_err(|error| wrong(&error))?, key)
        .map_err(|error| wrong(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until `stop` is cancelled; each connection with the certificate that is in force when it comes.
pub async fn serve(
    listener: TcpListener,
    tls: watch::Receiver<TlsAcceptor>,
    app: App,
    stop: CancellationToken,
) -> io::Result<()> {
    let (ready, connections) = mpsc::channel(1);
    let address = listener.local_addr()?;
    let accepting = tokio::spawn(accept(listener, tls, ready, stop.clone()));
    let served = axum::serve(Connections { connections, address }, router(app))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    accepting.abort();
    served
}

/// Accepts and shakes hands, each connection for itself: a slow one holds up no other.
async fn accept(
    listener: TcpListener,
    tls: watch::Receiver<TlsAcceptor>,
    ready: mpsc::Sender<(Connection, SocketAddr)>,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let (tls, ready) = (tls.borrow().clone(), ready.clone());
        tokio::spawn(async move {
            let shaken = tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await;
            if let Ok(Ok(stream)) = shaken {
                let deadline = Box::pin(tokio::time::sleep(CONNECTION_WITHIN));
                let _ = ready.send((Connection { stream, deadline, _place: place }, peer)).await;
            }
        });
    }
}

/// Connections whose handshake is done, as axum takes them.
struct Connections {
    connections: mpsc::Receiver<(Connection, SocketAddr)>,
    address: SocketAddr,
}

impl axum::serve::Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.connections.recv().await {
            Some(connection) => connection,
            // Accepting has ended: only the stop comes now.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// One connection with its place among the bounded number, and its end.
struct Connection {
    stream: TlsStream<TcpStream>,
    deadline: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.deadline.as_mut().poll(ctx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(ctx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, ctx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.deadline.as_mut().poll(ctx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_write(ctx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(ctx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(ctx)
    }
}
