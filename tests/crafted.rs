//! The agents' protocol spoken by hand: everything that no honest agent says can be said here.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ntk_evidence::author_log::{AuthorLog, SealedBatch};
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::hash::{base64, unhex};
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::{KeyType, NoteSigner, VerifierKey};
use ntk_proto::v1::ledger_client::LedgerClient;
use ntk_proto::v1::{self, agent_message, collector_message};
use ntk_segment::frame::Frame;
use ntk_segment::reader::Reader;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Status, Streaming};

/// The longest that an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The longest that a handshake may take: thousands come at once.
const CONNECT_WITHIN: Duration = Duration::from_secs(60);
/// Name in the collector's certificate.
const SERVER_NAME: &str = "ntk-collector";
/// More than the collector takes, so that too large messages leave this side.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Something that speaks like an agent.
#[derive(Debug)]
pub struct Crafted {
    address: String,
    authority_pem: String,
    certificate_pem: String,
    key_pem: String,
    signer: NoteSigner,
    log: AuthorLog,
    /// Its notes by size: a greeting shows the newest.
    notes: BTreeMap<u64, Vec<u8>>,
    next_key: u8,
}

/// One open stream.
#[derive(Debug)]
pub struct Stream {
    up: mpsc::Sender<v1::AgentMessage>,
    down: Streaming<v1::CollectorMessage>,
    /// The collector's first word.
    pub welcome: v1::Welcome,
}

/// A connection, with a client certificate or without.
pub async fn connect(
    address: &str,
    authority_pem: &str,
    identity: Option<(&str, &str)>,
) -> Result<LedgerClient<Channel>> {
    let client = LedgerClient::new(channel(address, authority_pem, identity).await?);
    Ok(client
        .send_compressed(CompressionEncoding::Zstd)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX))
}

/// A connection whose handshake is done.
pub(crate) async fn channel(
    address: &str,
    authority_pem: &str,
    identity: Option<(&str, &str)>,
) -> Result<Channel> {
    // The first one wins; a second test in this process finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority_pem)).domain_name(SERVER_NAME);
    if let Some((certificate, key)) = identity {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let endpoint =
        Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)?.connect_timeout(CONNECT_WITHIN);
    Ok(endpoint.connect().await?)
}

/// The practice's authority, from the collector's own folder.
pub fn authority_of(collector: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(collector.join("private").join("authority.pem"))?)
}

/// The secret inside a token, and the machine's name.
pub fn secret_of(token: &str) -> Result<(Vec<u8>, String)> {
    let text = token.strip_prefix("ntk1.").context("a token begins with ntk1.")?;
    let standard: String = text
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    let padded = format!("{standard}{}", "=".repeat((4 - standard.len() % 4) % 4));
    let json: serde_json::Value =
        serde_json::from_slice(&ntk_evidence::hash::unbase64(&padded).context("base64")?)?;
    let field =
        |name: &str| json.get(name).and_then(serde_json::Value::as_str).context("a field of the token");
    Ok((unhex(field("s")?).context("hex")?, field("m")?.to_owned()))
}

/// Core text of a harmless event with a number that a test finds again.
pub fn core(number: u64) -> String {
    format!(
        "{{\"kind\":\"file_access\",\"time\":\"2026-11-20T15:00:00.{:03}Z\",\"outcome\":\"success\",\
         \"actor\":{{\"login_uid\":1001,\"login_user\":\"itadmin1\",\"confidence\":\"kernel\"}},\"action\":\"read\",\
         \"object\":{{\"class\":\"export\",\"via\":\"direct\"}},\"source\":{{\"sensor\":\"linux_audit\",\"record\":\"{number}\"}}}}",
        number % 1000
    )
}

/// An entry with this core and nothing else.
pub fn entry(core: &str) -> Result<Entry> {
    Ok(Entry::from_parts([core.as_bytes().to_vec(), Vec::new(), Vec::new()])?)
}

impl Crafted {
    /// Enrols with a token, as an agent would.
    pub async fn enroll(address: &str, collector: &Path, token: &str) -> Result<Self> {
        let authority_pem = authority_of(collector)?;
        let mut client = connect(address, &authority_pem, None).await?;
        Ok(Self::enroll_over(&mut client, address, &authority_pem, token, [7; 32]).await?.0)
    }

    /// The same over a connection that others use, too, with a key of its own; beside it the verifier key of the collector's log.
    pub async fn enroll_over(
        client: &mut LedgerClient<Channel>,
        address: &str,
        authority_pem: &str,
        token: &str,
        seed: [u8; 32],
    ) -> Result<(Self, VerifierKey)> {
        let (secret, _) = secret_of(token)?;
        let key = rcgen::KeyPair::generate()?;
        let request = rcgen::CertificateParams::default().serialize_request(&key)?;
        // The slug is learned from the answer; the public half does not depend on it.
        let unnamed = NoteSigner::new("unnamed", KeyType::Ed25519, &seed)?;
        let answer = client
            .enroll(v1::EnrollRequest {
                secret,
                certificate_request: request.der().to_vec(),
                author_key: base64(unnamed.verifier().public_bytes()),
                machine: "crafted".into(),
                agent_version: "0".into(),
                notice: String::new(),
                ..v1::EnrollRequest::default()
            })
            .await?
            .into_inner();
        let slug = Slug::parse(&answer.slug)?;
        // A machine that takes its own earlier place is another author: the answer says which.
        let author = Author::parse(&answer.author)?;
        let signer = NoteSigner::new(&slug.author_origin(&author), KeyType::Ed25519, &seed)?;
        let log = AuthorLog::new(&slug, author, signer.verifier().clone());
        let crafted = Self {
            address: address.to_owned(),
            authority_pem: authority_pem.to_owned(),
            certificate_pem: pem("CERTIFICATE", &answer.certificate),
            key_pem: key.serialize_pem(),
            signer,
            log,
            notes: BTreeMap::new(),
            next_key: 1,
        };
        Ok((crafted, VerifierKey::parse(&answer.log_key)?))
    }

    /// The same agent with its certificate, at the collector of another practice, whose authority it believes now.
    pub fn go_to(&mut self, address: &str, collector: &Path) -> Result<()> {
        self.authority_pem = authority_of(collector)?;
        self.address = address.to_owned();
        Ok(())
    }

    /// What a thief has who copied an agent's folder: its certificate, its log as it stood then, and a key.
    pub fn stolen(address: &str, agent: &Path, seed: &[u8; 32]) -> Result<Self> {
        let identity = agent.join("identity");
        let text = |name: &str| std::fs::read_to_string(identity.join(name));
        let frames = Reader::open(&agent.join("spool"))?;
        let (mut log, mut first, mut notes) = (None::<AuthorLog>, None, BTreeMap::new());
        for item in frames.frames()? {
            match item?.1 {
                Frame::State(state) if log.is_none() => {
                    let author = state.authors.first().context("a STATE names its author")?;
                    let key = VerifierKey::parse(&author.key)?;
                    let slug = Slug::parse(key.name().split_once('/').context("an origin")?.0)?;
                    first = Some(key.clone());
                    log = Some(AuthorLog::new(&slug, Author::parse(&author.author)?, key));
                }
                Frame::Batch(batch) => {
                    let entries = batch.entries.into_iter().map(Entry::from_parts);
                    let batch = SealedBatch {
                        removed: Vec::new(),
                        author: Author::parse(&batch.author)?,
                        epoch: batch.epoch,
                        first: batch.first,
                        note: batch.note,
                        key: BatchKey::new(batch.batch_key),
                        entries: entries.collect::<Result<_, _>>()?,
                    };
                    log = Some(log.context("STATE comes first")?.follow(&batch)?);
                    notes.insert(batch.size(), batch.note);
                }
                Frame::State(_) | Frame::Commit(_) | Frame::Pruned(_) => {}
            }
        }
        let name = first.context("a key in the spool")?.name().to_owned();
        Ok(Self {
            address: address.to_owned(),
            authority_pem: text("authority.pem")?,
            certificate_pem: text("certificate.pem")?,
            key_pem: text("agent.key")?,
            signer: NoteSigner::new(&name, KeyType::Ed25519, seed)?,
            log: log.context("a log in the spool")?,
            notes,
            next_key: 1,
        })
    }

    /// Seals entries for an epoch as whoever holds some key can, whatever the log says.
    pub fn forge(&self, epoch: u32, entries: Vec<Entry>) -> Result<SealedBatch> {
        let slug = Slug::parse(self.log.origin().split_once('/').context("an origin")?.0)?;
        let (author, range) = (self.log.author().clone(), self.log.range().clone());
        let key = Some(self.signer.verifier().clone());
        let log = AuthorLog::resume(&slug, author, epoch, key, range);
        Ok(log.seal(entries, BatchKey::new([99; 32]), &self.signer)?.0)
    }

    /// Its key, to sign what should not be signed.
    pub const fn signer(&self) -> &NoteSigner {
        &self.signer
    }

    /// Its log as it stands.
    pub const fn log(&self) -> &AuthorLog {
        &self.log
    }

    /// Goes back to an earlier state of its log, as a restored clone would.
    pub fn rewind(&mut self, log: AuthorLog) {
        self.log = log;
    }

    /// Seals entries into the next batch of its log.
    pub fn seal(&mut self, entries: Vec<Entry>) -> Result<SealedBatch> {
        self.next_key = self.next_key.wrapping_add(1);
        let (batch, next) = self.log.seal(entries, BatchKey::new([self.next_key; 32]), &self.signer)?;
        self.log = next;
        self.notes.insert(batch.size(), batch.note.clone());
        Ok(batch)
    }

    /// Opens a stream and waits for the welcome.
    pub async fn stream(&self) -> Result<Stream> {
        let identity = Some((self.certificate_pem.as_str(), self.key_pem.as_str()));
        self.stream_as(identity).await
    }

    /// Opens a stream as a run of the agent: of that boot of a machine, and that start of the process.
    pub async fn stream_of(&self, boot_id: &str, run_id: &str) -> Result<Stream> {
        let identity = Some((self.certificate_pem.as_str(), self.key_pem.as_str()));
        self.greet(identity, v1::Hello { run_id: run_id.into(), ..self.hello(boot_id) }).await
    }

    /// Opens a stream as a run of the agent on a machine whose clocks stand so: milliseconds of this boot, without and with
    /// the time that it slept.
    pub async fn stream_at(
        &self,
        boot_id: &str,
        run_id: &str,
        (monotonic_ms, boottime_ms): (u64, u64),
    ) -> Result<Stream> {
        let identity = Some((self.certificate_pem.as_str(), self.key_pem.as_str()));
        let hello = self.hello(boot_id);
        self.greet(identity, v1::Hello { run_id: run_id.into(), monotonic_ms, boottime_ms, ..hello }).await
    }

    /// A connection with its certificate, on which nothing was said yet.
    pub async fn connection(&self) -> Result<Channel> {
        let identity = Some((self.certificate_pem.as_str(), self.key_pem.as_str()));
        channel(&self.address, &self.authority_pem, identity).await
    }

    /// The same agent where it believes its collector to be elsewhere, such as behind a line that is slow.
    pub fn moved_to(&mut self, address: &str) {
        address.clone_into(&mut self.address);
    }

    /// Its note of a size that it sealed and did not forget.
    pub(crate) fn note(&self, size: u64) -> Option<&Vec<u8>> {
        self.notes.get(&size)
    }

    /// Forgets its notes below a size, which are acknowledged.
    pub(crate) fn forget_below(&mut self, size: u64) {
        self.notes = self.notes.split_off(&size);
    }

    pub(crate) fn hello(&self, boot_id: &str) -> v1::Hello {
        let size = self.log.size();
        v1::Hello {
            agent_version: "0".into(),
            boot_id: boot_id.into(),
            size,
            note: self.notes.get(&size).cloned().unwrap_or_default(),
            ..v1::Hello::default()
        }
    }

    /// Sends bytes as the first message of a stream, whatever they are; the status that comes back.
    ///
    /// They travel where the fields of a Hello would stand: another message of the same outer shape carries them.
    pub async fn send_raw(&self, bytes: &[u8]) -> Result<Status> {
        let identity = Some((self.certificate_pem.as_str(), self.key_pem.as_str()));
        let channel = channel(&self.address, &self.authority_pem, identity).await?;
        let mut grpc = tonic::client::Grpc::new(channel);
        grpc.ready().await?;
        let path = tonic::codegen::http::uri::PathAndQuery::from_static("/ntk.v1.Ledger/Session");
        let shape = v1::CheckpointRound { add_checkpoint: bytes.to_vec(), ..Default::default() };
        let request = tonic::Request::new(tokio_stream::iter([shape]));
        let codec = tonic_prost::ProstCodec::<v1::CheckpointRound, v1::CollectorMessage>::default();
        let call = grpc.streaming(request, path, codec);
        let mut down = match tokio::time::timeout(ANSWER_WITHIN, call).await? {
            Err(status) => return Ok(status),
            Ok(response) => response.into_inner(),
        };
        loop {
            match tokio::time::timeout(ANSWER_WITHIN, down.message()).await? {
                Err(status) => return Ok(status),
                Ok(None) => bail!("the stream ended without a status"),
                Ok(Some(_)) => {}
            }
        }
    }

    /// Opens a stream with another certificate, or none.
    pub async fn stream_as(&self, identity: Option<(&str, &str)>) -> Result<Stream> {
        self.greet(identity, self.hello("crafted")).await
    }

    async fn greet(&self, identity: Option<(&str, &str)>, hello: v1::Hello) -> Result<Stream> {
        let mut client = connect(&self.address, &self.authority_pem, identity).await?;
        let (up, messages) = mpsc::channel(64);
        up.send(v1::AgentMessage { message: Some(agent_message::Message::Hello(hello)) }).await?;
        let call = client.session(ReceiverStream::new(messages));
        let mut down = tokio::time::timeout(ANSWER_WITHIN, call).await??.into_inner();
        let first = tokio::time::timeout(ANSWER_WITHIN, down.message()).await??;
        match first.and_then(|message| message.message) {
            Some(collector_message::Message::Welcome(welcome)) => Ok(Stream { up, down, welcome }),
            other => bail!("expected a welcome, got {other:?}"),
        }
    }
}

impl Stream {
    /// Sends a batch.
    pub async fn send(&self, batch: v1::Batch) -> Result<()> {
        Ok(self.up.send(v1::AgentMessage { message: Some(agent_message::Message::Batch(batch)) }).await?)
    }

    /// Sends a sign of life, with the machine's clocks as in [`Crafted::stream_at`].
    pub async fn keepalive(&self, (monotonic_ms, boottime_ms): (u64, u64)) -> Result<()> {
        let keepalive = v1::Keepalive { monotonic_ms, boottime_ms, ..v1::Keepalive::default() };
        Ok(self
            .up
            .send(v1::AgentMessage { message: Some(agent_message::Message::Keepalive(keepalive)) })
            .await?)
    }

    /// Sends a message without content.
    pub async fn send_nothing(&self) -> Result<()> {
        Ok(self.up.send(v1::AgentMessage { message: None }).await?)
    }

    /// The next receipt or refusal or end of the stream; rounds of witnessing are passed over.
    pub async fn answer(&mut self) -> Result<Answer> {
        loop {
            let message = tokio::time::timeout(ANSWER_WITHIN, self.down.message()).await?;
            return Ok(match message {
                Err(status) => Answer::Status(status),
                Ok(None) => Answer::End,
                Ok(Some(message)) => match message.message {
                    Some(collector_message::Message::Receipt(receipt)) => Answer::Receipt(receipt),
                    Some(collector_message::Message::Refusal(refusal)) => Answer::Refusal(refusal),
                    _ => continue,
                },
            });
        }
    }
}

/// What came back.
#[derive(Debug)]
pub enum Answer {
    /// The batch is in the log.
    Receipt(v1::Receipt),
    /// The batch is not taken.
    Refusal(v1::Refusal),
    /// The stream failed.
    Status(Status),
    /// The stream ended without a word.
    End,
}

/// A sealed batch as a message.
pub fn message(batch: &SealedBatch) -> v1::Batch {
    let entries = batch.entries.iter().cloned().map(|entry| {
        let [core, paths, command] = entry.into_parts();
        v1::Entry { core, paths, command }
    });
    v1::Batch {
        epoch: batch.epoch,
        first: batch.first,
        note: batch.note.clone(),
        batch_key: batch.key.as_bytes().to_vec(),
        entries: entries.collect(),
    }
}

/// DER as PEM.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
