//! One honest agent: a signed log, a stream, and nothing let go without a receipt that verifies.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use ntk_evidence::author_log::SealedBatch;
use ntk_evidence::hash::Hash;
use ntk_evidence::note::VerifierKey;
use ntk_evidence::receipt::{Receipt, SeenCheckpoint};
use ntk_evidence::witness::{AddCheckpoint, consider};
use ntk_proto::convert;
use ntk_proto::v1;
use ntk_proto::v1::agent_message::Message as Up;
use ntk_proto::v1::collector_message::Message as Down;

use super::line::Line;
use crate::crafted::{Crafted, core, entry, message};

/// How many batches may be on their way; the rest waits, as in a spool.
const IN_FLIGHT_MAX: usize = 16;
/// How often an agent shows that it lives.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
/// After so many failures in a row an agent of a test gives up.
const TRIES_MAX: u32 = 12;
/// A field that no version knows yet, number 200: the text `later`.
const LATER: &[u8] = b"\xc2\x0c\x05later";

/// Which program an agent runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// From before greetings told of runs, boots and clocks.
    Older,
    /// This one.
    Current,
    /// A later one: a field in each message, and a kind of event, that this collector does not know.
    Newer,
}

impl Version {
    /// A tenth of a fleet is older, a tenth newer.
    pub const fn of(number: usize) -> Self {
        match number % 10 {
            3 => Self::Older,
            7 => Self::Newer,
            _ => Self::Current,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Member {
    crafted: Crafted,
    log_key: VerifierKey,
    version: Version,
    /// The newest checkpoint that verified.
    seen: Option<SeenCheckpoint>,
    /// Sealed and not acknowledged, oldest first: what a spool would hold.
    waiting: VecDeque<SealedBatch>,
    /// How many of the waiting were sent on this stream.
    n_sent: usize,
    acknowledged: u64,
    n_receipts: u64,
    line: Option<Line>,
}

impl Member {
    /// An agent that was enrolled just now.
    pub fn new(crafted: Crafted, log_key: VerifierKey, version: Version) -> Self {
        Self {
            crafted,
            log_key,
            version,
            seen: None,
            waiting: VecDeque::new(),
            n_sent: 0,
            acknowledged: 0,
            n_receipts: 0,
            line: None,
        }
    }

    /// Its name in the ledger.
    pub fn author(&self) -> String {
        self.crafted.log().author().to_string()
    }

    /// Entries that it sealed.
    pub fn sealed(&self) -> u64 {
        self.crafted.log().size()
    }

    /// Entries with a receipt that verified.
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Receipts that verified.
    pub const fn n_receipts(&self) -> u64 {
        self.n_receipts
    }

    /// What it remembers of the collector's log.
    pub fn remembered(&self) -> u64 {
        self.seen.as_ref().map_or(0, |seen| seen.checkpoint().size)
    }

    /// Drops its connection without a word, as a cable that is pulled.
    pub fn hang_up(&mut self) {
        self.line = None;
        self.n_sent = 0;
    }

    /// Connects, again after each failure as the agent does, is greeted, and sends what it still holds until all of it is
    /// acknowledged.
    pub async fn arrive(&mut self) -> Result<()> {
        let mut n_failed = 0;
        loop {
            self.hang_up();
            let tried = async {
                self.greet().await?;
                self.settle().await
            };
            match tried.await {
                Ok(()) => return Ok(()),
                Err(error) if n_failed + 1 == TRIES_MAX => return Err(error),
                // A refusal is no failure of the network.
                Err(error) if error.is::<Refused>() => return Err(error),
                Err(_) => n_failed += 1,
            }
            tokio::time::sleep(self.backoff(n_failed)).await;
        }
    }

    /// From half a second up to a bound that doubles until it is a minute; spread by the machine's key and the try.
    fn backoff(&self, n_failed: u32) -> Duration {
        let bound = 500u64.saturating_mul(1 << n_failed.min(7)).min(60_000);
        let chosen = Hash::of(format!("{} {n_failed}", self.author()).as_bytes());
        let random = chosen.as_bytes().iter().take(4).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        Duration::from_millis(500 + random % bound)
    }

    async fn greet(&mut self) -> Result<()> {
        let hello = v1::Hello { remembered_log_size: self.remembered(), ..self.crafted.hello("fleet") };
        let hello = match self.version {
            Version::Older => v1::Hello { agent_version: String::new(), boot_id: String::new(), ..hello },
            Version::Current | Version::Newer => v1::Hello { run_id: self.author(), ..hello },
        };
        let later = if self.version == Version::Newer { LATER } else { &[] };
        let mut line = Line::open(self.crafted.connection().await?, hello, later).await?;
        let welcome = match line.next().await? {
            Down::Welcome(welcome) => welcome,
            other => bail!("expected a welcome, got {other:?}"),
        };
        self.line = Some(line);
        ensure!(welcome.size >= self.acknowledged, "it holds {} and acknowledged more", welcome.size);
        ensure!(welcome.size <= self.sealed(), "it holds {} and was sent less", welcome.size);
        if let Some(receipt) = welcome.receipt {
            ensure!(receipt.size == welcome.size, "a receipt for another size than the greeting's");
            self.take(receipt)?;
        }
        Ok(())
    }

    /// Seals one batch of harmless entries and sends it, or keeps it where there is no stream.
    pub async fn say(&mut self, n_entries: usize) -> Result<()> {
        let first = self.sealed();
        let cores = (first..).take(n_entries).map(|number| match self.version {
            // A kind that no version knows yet.
            Version::Newer if number % 5 == 4 => core(number).replacen("file_access", "printed", 1),
            _ => core(number),
        });
        let entries: Vec<_> = cores.map(|core| entry(&core)).collect::<Result<_>>()?;
        let batch = self.crafted.seal(entries)?;
        self.waiting.push_back(batch);
        if self.line.is_some() { self.send_more().await } else { Ok(()) }
    }

    async fn send_more(&mut self) -> Result<()> {
        let line = self.line.as_ref().context("a stream")?;
        while self.n_sent < IN_FLIGHT_MAX
            && let Some(batch) = self.waiting.get(self.n_sent)
        {
            line.send(Up::Batch(message(batch))).await?;
            self.n_sent += 1;
        }
        Ok(())
    }

    /// Sends and hears until nothing waits.
    pub async fn settle(&mut self) -> Result<()> {
        while !self.waiting.is_empty() {
            self.send_more().await?;
            self.hear().await?;
        }
        Ok(())
    }

    /// Stays connected for a time: answers rounds of witnessing, and shows that it lives.
    pub async fn rest(&mut self, time: Duration) -> Result<()> {
        let until = tokio::time::Instant::now() + time;
        let mut alive = tokio::time::interval(KEEPALIVE_EVERY);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Ok(()),
                _ = alive.tick() => {
                    let line = self.line.as_ref().context("a stream")?;
                    line.send(Up::Keepalive(v1::Keepalive::default())).await?;
                }
                heard = self.hear() => heard?,
            }
        }
    }

    async fn hear(&mut self) -> Result<()> {
        let line = self.line.as_mut().context("a stream")?;
        match line.next().await? {
            Down::Receipt(receipt) => self.take(receipt),
            Down::Checkpoint(round) => self.witness(round).await,
            Down::Refusal(refusal) => Err(Refused { code: refusal.code, reason: refusal.reason }.into()),
            Down::Welcome(_) => bail!("a second welcome"),
        }
    }

    /// UP-1: inclusion of our own note, and consistency with the newest checkpoint that this machine has seen.
    fn take(&mut self, message: v1::Receipt) -> Result<()> {
        let hashes = |field, proof: &[Vec<u8>]| -> Result<Vec<Hash>> {
            Ok(convert::hashes(field, proof)?.into_iter().map(Hash::from_bytes).collect())
        };
        let receipt = Receipt {
            leaf_index: message.leaf_index,
            inclusion: hashes("inclusion", &message.inclusion)?,
            checkpoint: message.checkpoint,
            consistency: hashes("consistency", &message.consistency)?,
        };
        let note = self.crafted.note(message.size).context("a receipt for a size that we never had")?;
        self.seen = Some(receipt.verify(note, self.seen.as_ref(), &self.log_key)?);
        self.n_receipts += 1;
        self.acknowledged = self.acknowledged.max(message.size);
        while self.waiting.front().is_some_and(|batch| batch.size() <= self.acknowledged) {
            self.waiting.pop_front();
            self.n_sent = self.n_sent.saturating_sub(1);
        }
        self.crafted.forget_below(self.acknowledged);
        Ok(())
    }

    /// A checkpoint is checked and remembered, then answered.
    async fn witness(&mut self, round: v1::CheckpointRound) -> Result<()> {
        let request = AddCheckpoint::parse(&String::from_utf8(round.add_checkpoint)?)?;
        let (seen, _) = consider(self.seen.as_ref(), &request, &self.log_key)?;
        self.seen = Some(seen);
        let seen = v1::CheckpointSeen { size: self.remembered(), ..v1::CheckpointSeen::default() };
        self.line.as_ref().context("a stream")?.send(Up::CheckpointSeen(seen)).await
    }
}

/// The collector refused a batch of an honest agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the collector refused a batch: {code}: {reason}")]
pub struct Refused {
    /// One word.
    pub code: String,
    /// One sentence.
    pub reason: String,
}
