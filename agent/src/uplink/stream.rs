//! One stream to the collector: connecting with mutual TLS, Hello first, then messages both ways until it ends.

use std::future::Future;
use std::time::Duration;

use ntk_proto::convert::MESSAGE_BYTES_MAX;
use ntk_proto::v1;
use ntk_proto::v1::agent_message::Message as Up;
use ntk_proto::v1::ledger_client::LedgerClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity as TlsIdentity};

use super::addresses::Addresses;
use super::wire::{self, Heard};
use crate::clock::{self, Clock};
use crate::host::Run;
use crate::identity::Identity;

/// Messages that may wait to be sent: the session's window of bytes, read from the spool as its smallest batches.
const QUEUE_MAX: usize = 16_384;

const CONNECT_WITHIN: Duration = Duration::from_secs(15);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const HTTP2_KEEPALIVE: Duration = Duration::from_secs(20);

/// What a stream tells.
#[derive(Debug)]
pub enum StreamEvent {
    /// It is open, and Hello is on it; batches go in here.
    Opened(mpsc::Sender<v1::AgentMessage>),
    /// The collector spoke.
    Heard(Heard),
    /// It ended, and why in a sentence for people.
    Lost(String),
}

/// Where the collector is at one address, and how this machine shows who it is.
#[derive(Clone, Debug)]
pub struct Line {
    address: String,
    endpoint: Endpoint,
    run: Run,
}

/// What this machine shows when it opens a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Its certificate.
    Certificate,
    /// Nothing: its certificate has ended, and a new one is asked for.
    Nothing,
}

/// The line cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The address is not one.
    #[error("`{0}` is not the address of a collector; write host:port")]
    Address(String),
    /// Certificate or key are unusable.
    #[error("this machine's certificate, key or authority cannot be used; enrol it anew")]
    Tls(#[source] tonic::transport::Error),
}

impl Line {
    /// Lines to every address of the collector: those of the configuration, or else those of the enrolment.
    pub fn all(identity: &Identity, configured: &[String], run: &Run) -> Result<Addresses<Self>, LineError> {
        Self::all_showing(identity, configured, run, Shown::Certificate)
    }

    /// The same, with or without this machine's certificate.
    pub fn all_showing(
        identity: &Identity,
        configured: &[String],
        run: &Run,
        shown: Shown,
    ) -> Result<Addresses<Self>, LineError> {
        let enrolled = || (identity.collector.as_str(), identity.more_collectors.as_slice());
        let (first, others) = match configured.split_first() {
            Some((first, others)) => (first.as_str(), others),
            None => enrolled(),
        };
        let first = Self::new(identity, first, run.clone(), shown)?;
        let others = others.iter().map(|address| Self::new(identity, address, run.clone(), shown));
        Ok(Addresses::new(first, others.collect::<Result<Vec<_>, _>>()?))
    }

    fn new(identity: &Identity, address: &str, run: Run, shown: Shown) -> Result<Self, LineError> {
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&identity.authority_pem))
            .domain_name(&identity.server_name);
        if shown == Shown::Certificate {
            let (certificate, key) = (&identity.certificate_pem, &identity.secrets.tls_key_pem);
            tls = tls.identity(TlsIdentity::from_pem(certificate, key));
        }
        let endpoint = Endpoint::from_shared(format!("https://{address}"))
            .map_err(|_| LineError::Address(address.to_owned()))?
            .tls_config(tls)
            .map_err(LineError::Tls)?
            .connect_timeout(CONNECT_WITHIN)
            .http2_keep_alive_interval(HTTP2_KEEPALIVE)
            .keep_alive_timeout(HTTP2_KEEPALIVE)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        Ok(Self { address: address.to_owned(), endpoint, run })
    }

    /// `host:port`, for a person at the terminal; the log gets its place in the list.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Connects, and nothing else: for `check`.
    pub async fn connect(&self) -> Result<Channel, tonic::transport::Error> {
        self.endpoint.connect().await
    }

    /// The first message.
    pub fn hello(
        &self,
        size: u64,
        note: &[u8],
        epoch: u32,
        remembered_log_size: u64,
        clock: &dyn Clock,
    ) -> v1::AgentMessage {
        wire::said(Up::Hello(v1::Hello {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.run.boot_id.clone(),
            uptime_seconds: clock.uptime().as_secs(),
            size,
            note: note.to_vec(),
            remembered_log_size,
            epoch,
            unix_nanos: clock.now().unix_nanos(),
            run_id: self.run.run_id.clone(),
            monotonic_ms: millis(clock.monotonic()),
            boottime_ms: millis(clock.uptime()),
            started_unix_nanos: self.run.started.unix_nanos(),
            last_shutdown: self.run.last_shutdown.map(clock::text).unwrap_or_default(),
        }))
    }
}

/// Milliseconds of a span, for the wire.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Runs one stream to its end; `tell` says false when nobody listens any more.
pub async fn run<F: Future<Output = bool>>(
    line: &Line,
    hello: v1::AgentMessage,
    tell: impl Fn(StreamEvent) -> F,
) {
    let why = match open(line, hello).await {
        Ok((sender, mut incoming)) => {
            if !tell(StreamEvent::Opened(sender)).await {
                return;
            }
            let mut is_greeted = false;
            loop {
                // A peer that answers pings and never greets would hold this machine for ever.
                let message = if is_greeted {
                    incoming.message().await
                } else {
                    match tokio::time::timeout(ANSWER_WITHIN, incoming.message()).await {
                        Ok(message) => message,
                        Err(_) => break "the collector does not greet".to_owned(),
                    }
                };
                is_greeted = true;
                match message {
                    Ok(Some(message)) => match wire::heard(message) {
                        Ok(heard) => {
                            if !tell(StreamEvent::Heard(heard)).await {
                                return;
                            }
                        }
                        Err(error) => break format!("the collector's message cannot be read: {error}"),
                    },
                    Ok(None) => break "the collector closed the stream".to_owned(),
                    Err(status) => break ended(&status),
                }
            }
        }
        Err(why) => why,
    };
    tell(StreamEvent::Lost(why)).await;
}

async fn open(
    line: &Line,
    hello: v1::AgentMessage,
) -> Result<(mpsc::Sender<v1::AgentMessage>, tonic::Streaming<v1::CollectorMessage>), String> {
    // The endpoint's own limit ends with TCP: who takes a connection and says nothing would hold this machine for ever.
    let channel = tokio::time::timeout(CONNECT_WITHIN, line.connect())
        .await
        .map_err(|_| "the collector takes the connection and does not answer".to_owned())?
        .map_err(|error| format!("the collector cannot be reached ({})", crate::error_chain(&error)))?;
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    sender.try_send(hello).map_err(|_| "the stream could not be begun".to_owned())?;
    let mut client = LedgerClient::new(channel)
        .send_compressed(CompressionEncoding::Zstd)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let opening = client.session(ReceiverStream::new(receiver));
    match tokio::time::timeout(ANSWER_WITHIN, opening).await {
        Ok(Ok(response)) => Ok((sender, response.into_inner())),
        Ok(Err(status)) => Err(ended(&status)),
        Err(_) => Err("the collector does not answer".to_owned()),
    }
}

/// Why a stream ended; the code only, because the peer's own words are a stranger's.
fn ended(status: &tonic::Status) -> String {
    match status.code() {
        tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => {
            "the collector does not accept this machine's certificate; ask who runs the collector".to_owned()
        }
        code => format!("the stream to the collector ended ({code:?})"),
    }
}
