//! The gRPC service over the connections that come through the [`door`]: client certificates are optional on the
//! wire, because Enroll comes before there is one; every other method asks for an [`AgentIdentity`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ntk_proto::convert::MESSAGE_BYTES_MAX;
use ntk_proto::v1;
use ntk_proto::v1::ledger_server::{Ledger, LedgerServer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::door::{self, Patience};
use super::enroll::Enrolling;
use super::renew::Renewing;
use super::session::{self, Shared};
use super::{AgentIdentity, Unidentified};
use crate::authority::Credentials;

/// How many messages may wait for a slow agent.
const DOWNSTREAM_MAX: usize = 64;

/// How long the server with the certificate before may take to end.
const GIVE_WAY_WITHIN: Duration = Duration::from_secs(5);

/// The agents' listener could not start or failed.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken or not ours.
    #[error("could not listen for agents on `{address}`; is another collector running?")]
    Bind {
        /// Address from the configuration.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The socket could not be taken over.
    #[error("the agents' listener could not take over its socket")]
    Socket(#[source] std::io::Error),
    /// The server's certificate, key or authority cannot be used.
    #[error("the certificates in `private` cannot be used for the agents' listener: {0}")]
    Certificate(String),
    /// Serving failed.
    #[error("the agents' listener failed")]
    Serve(#[from] tonic::transport::Error),
}

/// The service.
#[derive(Clone, Debug)]
pub struct Service {
    shared: Shared,
    enrolling: Arc<Enrolling>,
    renewing: Arc<Renewing>,
    stop: CancellationToken,
}

impl Service {
    /// A service over the ledger; streams end when `stop` is cancelled.
    pub fn new(
        shared: Shared,
        enrolling: Arc<Enrolling>,
        renewing: Arc<Renewing>,
        stop: CancellationToken,
    ) -> Self {
        Self { shared, enrolling, renewing, stop }
    }

    /// The same service, whose streams end when this is cancelled.
    pub fn until(&self, stop: CancellationToken) -> Self {
        Self { stop, ..self.clone() }
    }
}

#[tonic::async_trait]
impl Ledger for Service {
    type SessionStream = ReceiverStream<Result<v1::CollectorMessage, Status>>;

    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::EnrollResponse>, Status> {
        self.enrolling.enroll(request.into_inner()).await.map(Response::new)
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let certificates = request.peer_certs();
        let shown = certificates.as_deref().and_then(|certificates| certificates.first());
        self.renewing.renew(shown, request.into_inner()).await.map(Response::new)
    }

    async fn session(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let certificates = request.peer_certs();
        let registry = self.shared.ledger.published().registry;
        let now = self.shared.ledger.clock().now();
        let identity = match AgentIdentity::from_certificates(
            certificates.as_deref().map(Vec::as_slice),
            &registry,
            now,
        ) {
            Ok(identity) => identity,
            Err(Unidentified::Unknown(status)) => {
                self.shared.refusals.count("certificate");
                return Err(status);
            }
            Err(Unidentified::Revoked(machine)) => {
                return Err(session::revoked(&self.shared, &machine.enrolment.author).await);
            }
        };
        let (down, stream) = mpsc::channel(DOWNSTREAM_MAX);
        tokio::spawn(session::run(
            self.shared.clone(),
            identity,
            request.into_inner(),
            down,
            self.stop.clone(),
        ));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Binds the listener: an address with port 0 gets a free one.
pub async fn bind(address: &str) -> Result<(TcpListener, SocketAddr), ListenError> {
    let wrong = |source| ListenError::Bind { address: address.to_owned(), source };
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let bound = listener.local_addr().map_err(wrong)?;
    Ok((listener, bound))
}

/// Serves until `stop` is cancelled. Where the certificate changes, it is served with the new one from then on.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    mut server: watch::Receiver<Arc<Credentials>>,
    authority_pem: &str,
) -> Result<(), ListenError> {
    // Connections wait in the socket's queue while one server gives way to the next.
    let socket = listener.into_std().map_err(ListenError::Socket)?;
    loop {
        let until = service.stop.child_token();
        let again = socket.try_clone().and_then(TcpListener::from_std).map_err(ListenError::Socket)?;
        let current = Arc::clone(&server.borrow_and_update());
        let serving = serve_with(again, service.until(until.clone()), &current, authority_pem);
        tokio::pin!(serving);
        tokio::select! {
            served = &mut serving => return served,
            Ok(()) = server.changed() => {}
        }
        until.cancel();
        // Streams end by the token; what does not end in time was told, and holds nobody up.
        let _ = tokio::time::timeout(GIVE_WAY_WITHIN, serving).await;
    }
}

async fn serve_with(
    listener: TcpListener,
    service: Service,
    server: &Credentials,
    authority_pem: &str,
) -> Result<(), ListenError> {
    let tls = door::tls(server, authority_pem).map_err(ListenError::Certificate)?;
    let stop = service.stop.clone();
    let connections = door::open(listener, tls, Patience::default(), stop.clone());
    let ledger = LedgerServer::new(service)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .accept_compressed(CompressionEncoding::Zstd)
        .send_compressed(CompressionEncoding::Zstd);
    Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .add_service(ledger)
        .serve_with_incoming_shutdown(ReceiverStream::new(connections), stop.cancelled_owned())
        .await?;
    Ok(())
}
