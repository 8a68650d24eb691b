//! The model collector behind real gRPC and TLS on this machine.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use ntk_evidence::hash::{Hash, base64};
use ntk_proto::v1;
use ntk_proto::v1::agent_message::Message as Up;
use ntk_proto::v1::collector_message::Message as Down;
use ntk_proto::v1::ledger_server::{Ledger, LedgerServer};
use ntk_segment::frame::Batch;
use tokio_stream::StreamExt as _;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use super::super::wire::ReceiptFor;
use super::model::Collector;
use crate::identity::tests::{SLUG, log_signer, trust};

pub(crate) const SECRET: [u8; 32] = [0xab; 32];

/// What tests look at and change while the server runs.
pub(crate) struct Shared {
    pub(super) collector: Collector,
    pub(crate) n_enrolments: u32,
    pub(crate) n_streams: u32,
    /// Streams end after so many batches.
    pub(crate) batches_per_stream: usize,
    /// What `enroll` answers is changed by this.
    pub(crate) falsify: fn(&mut v1::EnrollResponse),
    /// Requests for another certificate, and whether one was shown on the connection.
    pub(crate) renewals: Vec<(bool, v1::RenewRequest)>,
    /// What `renew` answers is changed by this.
    pub(crate) falsify_renewal: fn(&mut v1::RenewResponse),
}

pub(crate) struct TestCollector {
    pub(crate) shared: Arc<Mutex<Shared>>,
    pub(crate) address: SocketAddr,
    pub(crate) authority: Vec<u8>,
}

struct Service {
    shared: Arc<Mutex<Shared>>,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    authority: Vec<u8>,
}

impl TestCollector {
    /// Serves on a free port until the runtime ends.
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(["collector".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let chain = format!("{}{}", leaf.pem(), ca_certificate.pem());
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(chain, key.serialize_pem()))
            .client_ca_root(Certificate::from_pem(ca_certificate.pem()))
            .client_auth_optional(true);
        let shared = Arc::new(Mutex::new(Shared {
            collector: Collector::new(),
            n_enrolments: 0,
            n_streams: 0,
            batches_per_stream: usize::MAX,
            falsify: |_| {},
            renewals: Vec::new(),
            falsify_renewal: |_| {},
        }));
        let authority = ca_certificate.der().to_vec();
        let service = Service { shared: Arc::clone(&shared), issuer, authority: authority.clone() };
        let service = LedgerServer::new(service)
            .accept_compressed(CompressionEncoding::Zstd)
            .send_compressed(CompressionEncoding::Zstd);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = Server::builder().tls_config(tls).unwrap().add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
        Self { shared, address, authority }
    }

    pub(crate) fn token(&self) -> String {
        let (address, pin) = (self.address, Hash::of(&self.authority).to_hex());
        let secret = ntk_evidence::hash::hex(&SECRET);
        let json = format!(r#"{{"a":"{address}","n":"collector","s":"{secret}","c":"{pin}","m":"ws-01"}}"#);
        format!("ntk1.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json))
    }

    pub(crate) fn n_held(&self) -> usize {
        self.shared.lock().unwrap().collector.held.len()
    }
}

fn receipt(receipt: ReceiptFor) -> v1::Receipt {
    let hashes = |hashes: Vec<Hash>| hashes.into_iter().map(|hash| hash.as_bytes().to_vec()).collect();
    v1::Receipt {
        size: receipt.size,
        leaf_index: receipt.receipt.leaf_index,
        inclusion: hashes(receipt.receipt.inclusion),
        checkpoint: receipt.receipt.checkpoint,
        consistency: hashes(receipt.receipt.consistency),
    }
}

#[tonic::async_trait]
impl Ledger for Service {
    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::EnrollResponse>, Status> {
        assert!(request.peer_certs().is_none_or(|certs| certs.is_empty()));
        let request = request.into_inner();
        if request.secret != SECRET {
            return Err(Status::permission_denied("the token was used already."));
        }
        let author_key = ed25519_dalek::SigningKey::from_bytes(&[5; 32]).verifying_key();
        assert_eq!(request.author_key.len(), base64(author_key.as_bytes()).len());
        let csr =
            rcgen::CertificateSigningRequestParams::from_der(&request.certificate_request.into()).unwrap();
        let mut response = v1::EnrollResponse {
            certificate: csr.signed_by(&self.issuer).unwrap().der().to_vec(),
            authority: self.authority.clone(),
            slug: SLUG.to_owned(),
            author: "agent/ws-01".to_owned(),
            log_key: log_signer().verifier().to_string(),
            trust: trust().into_bytes(),
        };
        let mut shared = self.shared.lock().unwrap();
        shared.n_enrolments += 1;
        (shared.falsify)(&mut response);
        Ok(Response::new(response))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let is_shown = request.peer_certs().is_some_and(|certs| !certs.is_empty());
        let request = request.into_inner();
        let csr = request.certificate_request.clone();
        let mut csr = rcgen::CertificateSigningRequestParams::from_der(&csr.into()).unwrap();
        // Until a day that is no more than 91 days after the one that the test's clock shows.
        csr.params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        csr.params.not_after = rcgen::date_time_ymd(2027, 2, 15);
        let certificate = csr.signed_by(&self.issuer).unwrap().der().to_vec();
        let mut response = v1::RenewResponse { certificate };
        let mut shared = self.shared.lock().unwrap();
        shared.renewals.push((is_shown, request));
        (shared.falsify_renewal)(&mut response);
        Ok(Response::new(response))
    }

    type SessionStream =
        Pin<Box<dyn tokio_stream::Stream<Item = Result<v1::CollectorMessage, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        if request.peer_certs().is_none_or(|certs| certs.is_empty()) {
            return Err(Status::unauthenticated("no client certificate"));
        }
        let mut left = {
            let mut shared = self.shared.lock().unwrap();
            shared.n_streams += 1;
            shared.batches_per_stream
        };
        let shared = Arc::clone(&self.shared);
        let answers = request.into_inner().map_while(move |message| {
            let mut shared = shared.lock().unwrap();
            let down = match message.ok()?.message? {
                Up::Hello(hello) => {
                    let welcome = shared.collector.greet(hello.remembered_log_size);
                    Down::Welcome(v1::Welcome {
                        size: welcome.size,
                        note: welcome.note,
                        receipt: welcome.receipt.map(receipt),
                        ..v1::Welcome::default()
                    })
                }
                Up::Batch(batch) => {
                    left = left.checked_sub(1)?;
                    let batch = Batch {
                        author: "agent/ws-01".to_owned(),
                        epoch: batch.epoch,
                        first: batch.first,
                        note: batch.note,
                        batch_key: batch.batch_key.try_into().unwrap(),
                        entries: batch
                            .entries
                            .into_iter()
                            .map(|entry| [entry.core, entry.paths, entry.command])
                            .collect(),
                    };
                    shared.collector.take(&batch).unwrap();
                    if left == 0 {
                        return None; // taken, and the receipt is lost
                    }
                    Down::Receipt(receipt(shared.collector.receipt(&batch.note).unwrap()))
                }
                Up::Keepalive(_) | Up::CheckpointSeen(_) => {
                    let body = shared.collector.round_on_stream();
                    Down::Checkpoint(v1::CheckpointRound {
                        add_checkpoint: body.into_bytes(),
                        ..Default::default()
                    })
                }
            };
            Some(Ok(v1::CollectorMessage { message: Some(down) }))
        });
        Ok(Response::new(Box::pin(answers)))
    }
}
