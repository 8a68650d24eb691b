//! How connections come in: TCP, then TLS, each for itself and each for a bounded time.
//!
//! Whoever reaches the port may open a connection and say nothing, or a byte a minute. So a handshake has a deadline; so many
//! are under way at most, and when that many are, one that took longer than an honest one gives way to the next
//! ([`HALF_OPEN_MAX`], [`GIVES_WAY_AFTER`]); and a connection without a certificate, which can do nothing but enrol, ends after
//! a while. What a connection with a certificate may do is bounded by its stream's deadlines, in [`super::session`]; and so
//! many of one certificate are open at once, with a stream or without: the oldest gives way to one more
//! ([`OF_ONE_CERTIFICATE_MAX`]). The newest is the one that an honest machine made, where it could not end those before.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use ntk_evidence::hash::Hash;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Connected, TcpConnectInfo, TlsConnectInfo};
use tracing::{debug, warn};

use crate::authority::Credentials;

/// How many handshakes are under way at most: memory for each is some 20 KB, and one takes about a millisecond of a core.
const HALF_OPEN_MAX: usize = 512;
/// Connections whose handshake is done and that the service has not taken yet.
const READY_MAX: usize = 64;
/// How many connections of one certificate are open at most. A machine needs one, and some while it renews its certificate or
/// while lines that broke are not yet known to be.
const OF_ONE_CERTIFICATE_MAX: usize = 8;
/// How long to wait after an accept that failed, such as for want of file handles.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// How long whoever comes in is borne.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a handshake.
    pub handshake: Duration,
    /// For a handshake, while as many as may be are under way: an honest one over a bad line takes less.
    pub handshake_in_a_crowd: Duration,
    /// For a connection without a certificate: an enrolment takes a second.
    pub stranger: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            handshake_in_a_crowd: GIVES_WAY_AFTER,
            stranger: Duration::from_secs(60),
        }
    }
}

/// What a handshake may take in a crowd.
const GIVES_WAY_AFTER: Duration = Duration::from_secs(2);

/// The server's side of mutual TLS for HTTP/2. Client certificates are optional, because Enroll comes before there is one.
pub(super) fn tls(server: &Credentials, authority_pem: &str) -> Result<TlsAcceptor, String> {
    let wrong = |error: &dyn std::fmt::Display| error.to_string();
    // The chain carries the authority, so that an agent that enrols can compare it with its token.
    let chain = format!("{}{authority_pem}", server.certificate);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).map_err(|error| wrong(&error))?;
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authority_pem.as_bytes()) {
        roots.add(authority.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| wrong(&error))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain.map_err(|error| wrong(&error))?, key)
        .map_err(|error| wrong(&error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Accepts and shakes hands until `stop` is cancelled; connections whose handshake is done come out.
pub(super) fn open(
    listener: TcpListener,
    tls: TlsAcceptor,
    patience: Patience,
    stop: CancellationToken,
) -> mpsc::Receiver<io::Result<Connection>> {
    let (ready, connections) = mpsc::channel(READY_MAX);
    tokio::spawn(accept(listener, tls, patience, ready, stop));
    connections
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    patience: Patience,
    ready: mpsc::Sender<io::Result<Connection>>,
    stop: CancellationToken,
) {
    let mut crowd = Crowd::default();
    let open = Open::default();
    loop {
        let accepted = tokio::select! {
            accepted = async {
                crowd.make_room(HALF_OPEN_MAX, patience.handshake_in_a_crowd).await;
                listener.accept().await
            } => accepted,
            () = stop.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        // Receipts are small, and each is waited for.
        let _ = stream.set_nodelay(true);
        let (tls, ready, open) = (tls.clone(), ready.clone(), open.clone());
        crowd.add(async move {
            match tokio::time::timeout(patience.handshake, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let _ = ready.send(Ok(Connection::new(stream, patience.stranger, &open))).await;
                }
                Ok(Err(error)) => debug!(%error, "a handshake failed"),
                Err(_) => debug!("a handshake took too long"),
            }
        });
    }
}

/// The handshakes that are under way, oldest first. Dropped, it ends them.
#[derive(Debug, Default)]
struct Crowd {
    handshakes: JoinSet<()>,
    since: VecDeque<(Instant, AbortHandle)>,
}

impl Crowd {
    fn add(&mut self, handshake: impl Future<Output = ()> + Send + 'static) {
        let handle = self.handshakes.spawn(handshake);
        self.since.push_back((Instant::now(), handle));
        // What is done is forgotten as it comes to the front, so that a handshake costs no look at all of them.
        while self.since.front().is_some_and(|(_, handle)| handle.is_finished()) {
            self.since.pop_front();
        }
        while self.handshakes.try_join_next().is_some() {}
    }

    /// Waits until fewer than `most` are under way; one that takes longer than `patience` is ended for that.
    async fn make_room(&mut self, most: usize, patience: Duration) {
        while self.handshakes.len() >= most {
            self.since.retain(|(_, handle)| !handle.is_finished());
            let Some((began, oldest)) = self.since.front() else { return };
            let until = began.checked_add(patience).unwrap_or(*began);
            tokio::select! {
                _ = self.handshakes.join_next() => {}
                () = tokio::time::sleep_until(until) => {
                    oldest.abort();
                    self.since.pop_front();
                    self.handshakes.join_next().await;
                }
            }
        }
    }
}

/// One open connection.
#[derive(Debug)]
struct Opened {
    number: u64,
    /// Dropped, it ends the connection.
    _end: oneshot::Sender<()>,
}

/// The open connections of each certificate, oldest first.
#[derive(Clone, Debug, Default)]
struct Open(Arc<Mutex<BTreeMap<Hash, VecDeque<Opened>>>>);

impl Open {
    /// Takes in one more of a certificate; the oldest gives way where there are too many.
    fn add(&self, certificate: &CertificateDer<'_>) -> Place {
        let certificate = Hash::of(certificate);
        let (end, gives_way) = oneshot::channel();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = open.entry(certificate).or_default();
        let number = of_it.back().map_or(0, |newest| newest.number.wrapping_add(1));
        if of_it.len() >= OF_ONE_CERTIFICATE_MAX {
            of_it.pop_front();
            debug!("of the connections of one certificate the oldest gives way");
        }
        of_it.push_back(Opened { number, _end: end });
        Place { open: self.clone(), certificate, number, gives_way }
    }
}

/// The place of one connection among those of its certificate, until it is dropped.
#[derive(Debug)]
struct Place {
    open: Open,
    certificate: Hash,
    number: u64,
    gives_way: oneshot::Receiver<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_it) = open.get_mut(&self.certificate) {
            of_it.retain(|opened| opened.number != self.number);
            if of_it.is_empty() {
                open.remove(&self.certificate);
            }
        }
    }
}

/// One connection whose handshake is done. It ends after a while where it showed no certificate, and when it gives way to
/// newer ones where it showed one.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    bound: Bound,
}

#[derive(Debug)]
enum Bound {
    Stranger(Pin<Box<Sleep>>),
    Known(Place),
    Over,
}

impl Connection {
    fn new(stream: TlsStream<TcpStream>, stranger: Duration, open: &Open) -> Self {
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let bound = match shown {
            Some(certificate) => Bound::Known(open.add(certificate)),
            None => Bound::Stranger(Box::pin(tokio::time::sleep(stranger))),
        };
        Self { stream, bound }
    }

    fn is_over(&mut self, ctx: &mut Context<'_>) -> bool {
        let is_over = match &mut self.bound {
            Bound::Stranger(ends) => ends.as_mut().poll(ctx).is_ready(),
            Bound::Known(place) => Pin::new(&mut place.gives_way).poll(ctx).is_ready(),
            Bound::Over => true,
        };
        if is_over {
            self.bound = Bound::Over;
        }
        is_over
    }
}

impl Connected for Connection {
    type ConnectInfo = TlsConnectInfo<TcpConnectInfo>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over(ctx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(ctx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, ctx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_over(ctx) {
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

#[cfg(test)]
mod tests;
