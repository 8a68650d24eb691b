//! Those who say what no honest agent says, and those who say nothing and hold on: what each is told.
//!
//! Each is enrolled as a machine of its own: a liar has a key and a certificate, or it would not come so far. Those that need
//! none hold a connection open at most as long as the collector bears it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use ntk_evidence::entry::BatchKey;
use ntk_proto::v1;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::Status;

use super::Fleet;
use super::line::Line;
use super::verbatim::Verbatim;
use crate::crafted::{Answer, Crafted, core, entry, message};

/// The longest that a connection which does nothing may be borne, and some.
const BORNE_AT_MOST: Duration = Duration::from_secs(45);
/// A byte after each such pause: a slow-loris in its handshake, and one in its greeting.
const A_BYTE_EVERY: Duration = Duration::from_millis(250);
const A_BYTE_OF_A_GREETING_EVERY: Duration = Duration::from_millis(20);

/// How the collector answered a liar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What it did.
    pub liar: &'static str,
    /// The refusal's word, the status, or that the connection was closed.
    pub told: String,
    /// How long it was borne.
    pub after: Duration,
}

/// Lies about content: each machine, what it does, and the batch that it bends.
type Bend = fn(&mut v1::Batch, &mut Crafted) -> Result<()>;

const BENT: &[(&str, Bend)] = &[
    ("bad-signature", |batch, _| {
        let last = batch.note.len().saturating_sub(6);
        let letter = batch.note.get_mut(last).context("a signature")?;
        *letter = if *letter == b'A' { b'B' } else { b'A' };
        Ok(())
    }),
    ("wrong-root", |batch, _| {
        batch.entries.first_mut().context("an entry")?.core = core(77).into_bytes();
        Ok(())
    }),
    ("cut-end", |batch, _| batch.entries.pop().context("an entry").map(|_| ())),
    ("cut-middle", |batch, _| {
        batch.first += 5;
        Ok(())
    }),
    ("other-epoch", |batch, _| {
        batch.epoch = 7;
        Ok(())
    }),
    ("no-event", |batch, agent| {
        *batch = message(&agent.seal(vec![entry("{\"colour\":\"green\"}")?])?);
        Ok(())
    }),
    ("too-many", |batch, _| {
        let one = batch.entries.first().cloned().context("an entry")?;
        batch.entries = vec![one; 513];
        Ok(())
    }),
    ("too-large", |batch, _| {
        batch.entries.first_mut().context("an entry")?.paths = vec![b' '; (1 << 20) + 1];
        Ok(())
    }),
    ("message-too-large", |batch, _| {
        let large = v1::Entry { core: vec![b'x'; 1 << 20], ..v1::Entry::default() };
        batch.entries = vec![large; 12];
        Ok(())
    }),
    ("fork", |batch, agent| {
        let start = agent.log().clone();
        let entries = vec![entry(&core(0))?, entry(&core(9))?];
        *batch = message(&start.seal(entries, BatchKey::new([41; 32]), agent.signer())?.0);
        Ok(())
    }),
];

/// Machines that were enrolled to lie.
#[derive(Debug)]
pub struct Liars {
    bent: Vec<Crafted>,
    replay: Crafted,
    mute: Crafted,
    slow: Crafted,
    address: String,
    authority_pem: String,
}

impl Liars {
    /// One for each lie.
    pub async fn enrolled(fleet: &Fleet) -> Result<Self> {
        let mut bent = Vec::new();
        for (number, (name, _)) in BENT.iter().enumerate() {
            bent.push(fleet.liar(&format!("liar-{name}"), number).await?);
        }
        Ok(Self {
            bent,
            replay: fleet.liar("liar-replay", 100).await?,
            mute: fleet.liar("liar-mute", 101).await?,
            slow: fleet.liar("liar-slow", 102).await?,
            address: fleet.address().to_owned(),
            authority_pem: fleet.authority_pem().to_owned(),
        })
    }

    /// All lie at once; none is waited for by another.
    pub async fn lie(self) -> Result<Vec<Answered>> {
        let Self { bent: agents, replay, mute, slow, address, authority_pem } = self;
        let mut lying = tokio::task::JoinSet::new();
        for (agent, (name, bend)) in agents.into_iter().zip(BENT) {
            lying.spawn(async move { bent(agent, name, *bend).await.context(*name) });
        }
        lying.spawn(async move { replayed(replay).await.context("replay") });
        lying.spawn(async move { without_hello(mute).await.context("no-hello") });
        let target = address.clone();
        lying.spawn(async move { slow_hello(slow, &target).await.context("slow-hello") });
        let target = address.clone();
        lying.spawn(async move { stranger(&target, &authority_pem).await.context("stranger") });
        let target = address.clone();
        lying.spawn(async move { half_open(&target).await.context("half-open") });
        lying.spawn(async move { slow_handshake(&address).await.context("slow-handshake") });
        let mut answered = Vec::new();
        while let Some(one) = lying.join_next().await {
            answered.push(one??);
        }
        answered.sort_by_key(|one| one.liar);
        Ok(answered)
    }
}

/// Connections that are opened and never say a word, for as long as the collector bears them; how many it closed.
pub async fn half_open_crowd(address: &str, n: usize) -> Result<usize> {
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..n {
        let address = address.to_owned();
        crowd.spawn(async move { half_open(&address).await });
    }
    let mut closed = 0;
    while let Some(one) = crowd.join_next().await {
        closed += usize::from(one?.is_ok());
    }
    Ok(closed)
}

/// Two good entries, so that there is something to touch; then the bent batch.
async fn bent(mut agent: Crafted, liar: &'static str, bend: Bend) -> Result<Answered> {
    let start = agent.log().clone();
    let mut stream = agent.stream().await?;
    stream.send(message(&agent.seal(vec![entry(&core(0))?, entry(&core(1))?])?)).await?;
    ensure!(matches!(stream.answer().await?, Answer::Receipt(_)), "the good batch was not taken");
    let entries = vec![entry(&core(2))?, entry(&core(3))?];
    let key = BatchKey::new([40; 32]);
    let mut batch = message(&agent.log().seal(entries, key, agent.signer())?.0);
    if liar == "fork" {
        // It seals another history of the same length from the beginning.
        let mut other = agent;
        other.rewind(start);
        bend(&mut batch, &mut other)?;
    } else {
        bend(&mut batch, &mut agent)?;
    }
    let began = Instant::now();
    stream.send(batch).await?;
    Ok(Answered { liar, told: told(stream.answer().await?), after: began.elapsed() })
}

async fn replayed(mut agent: Crafted) -> Result<Answered> {
    let mut stream = agent.stream().await?;
    let first = message(&agent.seal(vec![entry(&core(0))?, entry(&core(1))?])?);
    let second = message(&agent.seal(vec![entry(&core(2))?])?);
    let began = Instant::now();
    for batch in [first.clone(), second, first] {
        stream.send(batch).await?;
    }
    let mut sizes = Vec::new();
    for _ in 0..3 {
        match stream.answer().await? {
            Answer::Receipt(receipt) => sizes.push(receipt.size),
            other => bail!("expected a receipt, got {other:?}"),
        }
    }
    Ok(Answered { liar: "replay", told: format!("the old receipts: {sizes:?}"), after: began.elapsed() })
}

/// Opens a stream and never greets.
async fn without_hello(agent: Crafted) -> Result<Answered> {
    let channel = agent.connection().await?;
    let (up, messages) = tokio::sync::mpsc::channel(1);
    let began = Instant::now();
    let status = status_of(channel, messages).await?;
    drop(up);
    Ok(Answered { liar: "no-hello", told: word(&status), after: began.elapsed() })
}

/// Greets on a second stream over a line that has become slow since the first: the greeting alone would take 40 seconds.
async fn slow_hello(mut agent: Crafted, target: &str) -> Result<Answered> {
    let is_slow = Arc::new(AtomicBool::new(false));
    let wire = TcpListener::bind("127.0.0.1:0").await?;
    agent.moved_to(&wire.local_addr()?.to_string());
    let (slow, target) = (Arc::clone(&is_slow), target.to_owned());
    let carrying = tokio::spawn(async move {
        let (near, _) = wire.accept().await?;
        let (mut near_in, mut near_out) = near.into_split();
        let (mut far_in, mut far_out) = TcpStream::connect(target).await?.into_split();
        let back = tokio::spawn(async move { tokio::io::copy(&mut far_in, &mut near_out).await });
        let mut byte = [0];
        while near_in.read(&mut byte).await? == 1 && far_out.write_all(&byte).await.is_ok() {
            if slow.load(Ordering::Relaxed) {
                tokio::time::sleep(A_BYTE_OF_A_GREETING_EVERY).await;
            }
        }
        back.abort();
        anyhow::Ok(())
    });
    let channel = agent.connection().await?;
    let first = Line::open(channel.clone(), agent.hello("first"), &[]).await?;
    // From here on it trickles: the call's head, the greeting.
    is_slow.store(true, Ordering::Relaxed);
    let (up, messages) = tokio::sync::mpsc::channel(1);
    let hello = v1::Hello { boot_id: "x".repeat(2_000), ..agent.hello("slow") };
    let greeting = tonic_prost::prost::Message::encode_to_vec(&v1::AgentMessage {
        message: Some(v1::agent_message::Message::Hello(hello)),
    });
    up.send(greeting).await?;
    let began = Instant::now();
    let status = status_of(channel, messages).await?;
    carrying.abort();
    drop(first);
    Ok(Answered { liar: "slow-hello", told: word(&status), after: began.elapsed() })
}

/// The status with which a stream ends, whatever comes before.
async fn status_of(
    channel: tonic::transport::Channel,
    messages: tokio::sync::mpsc::Receiver<Vec<u8>>,
) -> Result<Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await?;
    let path = tonic::codegen::http::uri::PathAndQuery::from_static("/ntk.v1.Ledger/Session");
    let messages = tokio_stream::wrappers::ReceiverStream::new(messages);
    let ended = async {
        let mut down = match grpc.streaming(tonic::Request::new(messages), path, Verbatim).await {
            Err(status) => return anyhow::Ok(status),
            Ok(response) => response.into_inner(),
        };
        match down.message().await {
            Err(status) => Ok(status),
            Ok(None) => bail!("the stream ended without a status"),
            Ok(Some(message)) => bail!("it was answered: {message:?}"),
        }
    };
    tokio::time::timeout(BORNE_AT_MOST, ended).await.context("it is borne for ever")?
}

/// A certificate of its own making.
async fn stranger(address: &str, authority_pem: &str) -> Result<Answered> {
    let key = rcgen::KeyPair::generate()?;
    let own = rcgen::CertificateParams::default().self_signed(&key)?;
    let identity = (own.pem(), key.serialize_pem());
    let began = Instant::now();
    let tried = async {
        let mut client =
            crate::crafted::connect(address, authority_pem, Some((&identity.0, &identity.1))).await?;
        client.session(tokio_stream::empty()).await?;
        anyhow::Ok(())
    };
    let told = match tried.await {
        Ok(()) => "it was let in",
        Err(_) => "no connection",
    };
    Ok(Answered { liar: "stranger", told: told.to_owned(), after: began.elapsed() })
}

/// A connection without a word.
async fn half_open(address: &str) -> Result<Answered> {
    let mut stream = TcpStream::connect(address).await?;
    let began = Instant::now();
    let mut said = Vec::new();
    // An end or a reset: either way it is over.
    let _ = tokio::time::timeout(BORNE_AT_MOST, stream.read_to_end(&mut said))
        .await
        .context("it is borne for ever")?;
    Ok(Answered { liar: "half-open", told: "closed".to_owned(), after: began.elapsed() })
}

/// The beginning of a handshake, byte by byte.
async fn slow_handshake(address: &str) -> Result<Answered> {
    let (mut from, mut to) = TcpStream::connect(address).await?.into_split();
    // A record of a handshake, 512 bytes, of which there never is the end.
    let began = Instant::now();
    let writing = tokio::spawn(async move {
        let head = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
        for byte in head.into_iter().chain(std::iter::repeat(0)) {
            if to.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(A_BYTE_EVERY).await;
        }
    });
    let mut said = Vec::new();
    let _ = tokio::time::timeout(BORNE_AT_MOST, from.read_to_end(&mut said))
        .await
        .context("it is borne for ever")?;
    writing.abort();
    Ok(Answered { liar: "slow-handshake", told: "closed".to_owned(), after: began.elapsed() })
}

fn told(answer: Answer) -> String {
    match answer {
        Answer::Refusal(refusal) => refusal.code,
        Answer::Status(status) => word(&status),
        Answer::Receipt(receipt) => format!("a receipt for {}", receipt.size),
        Answer::End => "the end".to_owned(),
    }
}

fn word(status: &Status) -> String {
    format!("{:?}", status.code())
}
