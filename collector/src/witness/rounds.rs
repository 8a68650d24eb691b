//! Rounds: one checkpoint to every stream, answers back, the note with its cosignatures as an act.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ntk_evidence::act;
use ntk_evidence::checkpoint::{Checkpoint, cosigned_at};
use ntk_evidence::note::SignedNote;
use ntk_evidence::trust::TrustFile;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{By, WitnessedAct};
use crate::app::App;
use crate::ledger::{LedgerError, LedgerHandle, SignedCheckpoint};
use crate::turns::every;
use crate::watch::Liveness;

/// How often a round is tried until every machine that is connected has seen one checkpoint.
const ATTEMPTS: u32 = 3;
/// So long a round waits for its answers.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// A round that goes out.
#[derive(Clone, Debug)]
pub struct Round {
    /// Its number since the collector's start.
    pub number: u64,
    /// The checkpoint of all its bodies.
    pub checkpoint: Arc<SignedCheckpoint>,
}

#[derive(Debug, Default)]
struct Answers {
    number: u64,
    waited_for: BTreeSet<String>,
    seen: BTreeSet<String>,
    cosignatures: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Inner {
    out: watch::Sender<Option<Round>>,
    answers: Mutex<Answers>,
    answered: Notify,
    // One round at a time.
    turn: tokio::sync::Mutex<()>,
}

/// Where rounds go out and answers come in.
#[derive(Clone, Debug)]
pub struct Rounds(Arc<Inner>);

impl Default for Rounds {
    fn default() -> Self {
        let (out, _) = watch::channel(None);
        let inner = Inner {
            out,
            answers: Mutex::default(),
            answered: Notify::new(),
            turn: tokio::sync::Mutex::default(),
        };
        Self(Arc::new(inner))
    }
}

impl Rounds {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of every round from now on.
    pub fn subscribe(&self) -> watch::Receiver<Option<Round>> {
        self.0.out.subscribe()
    }

    /// A stream's answer: it has checked the checkpoint of this size, and maybe cosigned. Or none will come.
    pub fn answered(&self, author: &str, seen: Option<(u64, &[u8])>) {
        {
            let mut answers = self.answers();
            answers.waited_for.remove(author);
            let round = self.0.out.borrow().as_ref().map(|round| round.checkpoint.checkpoint.size);
            if let Some((size, cosignature)) = seen.filter(|(size, _)| Some(*size) == round) {
                answers.seen.insert(author.to_owned());
                if let Ok(line) = std::str::from_utf8(cosignature)
                    && !line.is_empty()
                {
                    answers.cosignatures.insert(author.to_owned(), line.to_owned());
                }
                let _ = size;
            }
        }
        self.0.answered.notify_waiters();
    }

    /// Holds a round now and waits for its answers: the checkpoint with the cosignatures that came. What nobody saw
    /// is no act.
    pub async fn hold(
        &self,
        ledger: &LedgerHandle,
        liveness: &Liveness,
        trust: &TrustFile,
    ) -> Result<SignedCheckpoint, LedgerError> {
        let _turn = self.0.turn.lock().await;
        let mut attempt = 1;
        let (checkpoint, note, cosigned, seen) = loop {
            let (checkpoint, expected, seen, lines) = self.once(ledger, liveness).await;
            let (note, cosigned) = gather(&checkpoint, &lines, trust);
            // A machine whose batch was acknowledged meanwhile is beyond this checkpoint: the next one is for it, too.
            if seen >= expected || attempt >= ATTEMPTS {
                break (checkpoint, note, cosigned, seen);
            }
            attempt += 1;
        };
        if seen > 0 {
            let body = WitnessedAct {
                by: By::Round,
                size: checkpoint.checkpoint.size,
                note: note.clone(),
                seen: u64::try_from(seen).ok(),
                cosigned,
            };
            let body = serde_json::to_value(body).unwrap_or_default();
            let event = act::event(act::kind::WITNESSED, ledger.now(), body);
            let _appended = ledger.act(vec![event]).await?;
        }
        Ok(SignedCheckpoint { checkpoint: checkpoint.checkpoint.clone(), note: note.into_bytes() })
    }

    /// One checkpoint out and its answers in: how many were expected, how many have seen it, and their cosignatures.
    async fn once(
        &self,
        ledger: &LedgerHandle,
        liveness: &Liveness,
    ) -> (Arc<SignedCheckpoint>, usize, usize, Vec<String>) {
        let checkpoint = ledger.published().checkpoint;
        let connected = liveness.streams().into_iter().filter(|(_, stream)| stream.connected);
        let waited_for: BTreeSet<String> = connected.map(|(author, _)| author).collect();
        let expected = waited_for.len();
        let number = {
            let mut answers = self.answers();
            let number = answers.number.wrapping_add(1);
            *answers = Answers { number, waited_for, ..Answers::default() };
            number
        };
        self.0.out.send_replace(Some(Round { number, checkpoint: Arc::clone(&checkpoint) }));
        let all = async {
            loop {
                let changed = self.0.answered.notified();
                if self.answers().waited_for.is_empty() {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(ANSWERS_WITHIN, all).await.is_err() {
            info!(
                missing = self.answers().waited_for.len(),
                "a round of witnessing went on without some machines"
            );
        }
        let (seen, lines) = {
            let answers = self.answers();
            (answers.seen.len(), answers.cosignatures.values().cloned().collect::<Vec<_>>())
        };
        (checkpoint, expected, seen, lines)
    }
}

/// The note with the committee's cosignatures that verify, each once, and whose they are.
fn gather(checkpoint: &SignedCheckpoint, lines: &[String], trust: &TrustFile) -> (String, Vec<String>) {
    let mut note = String::from_utf8_lossy(&checkpoint.note).into_owned();
    let mut cosigned = Vec::new();
    for key in &trust.committee {
        for line in lines.iter().filter(|line| line.contains(key.name())) {
            let longer = format!("{note}{}\n", line.trim_end_matches('\n'));
            let verified =
                SignedNote::parse(longer.as_bytes()).is_ok_and(|note| cosigned_at(&note, key).is_ok());
            if verified {
                note = longer;
                cosigned.push(key.name().to_owned());
                break;
            }
            warn!("a cosignature of the committee does not verify");
        }
    }
    (note, cosigned)
}

/// Whether anything but witness acts came since the newest round.
fn has_news(ledger: &LedgerHandle) -> bool {
    let published = ledger.published();
    let size = published.checkpoint.checkpoint.size;
    let witnessed = &published.registry.witnessed;
    // The act about a round is the one leaf that a round itself brings.
    witnessed.inside.as_ref().is_none_or(|kept| kept.size.saturating_add(1) < size)
}

/// Holds a round every so often, until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    let period = Duration::from_secs(app.practice.config.raw.witness_round_seconds);
    let mut turns = every(period, &stop);
    turns.next().await;
    while turns.next().await {
        if !has_news(&app.ledger) {
            continue;
        }
        let (trust, _) = app.trust.now();
        if let Err(failure) = app.rounds.hold(&app.ledger, &app.liveness, &trust).await {
            error!(reason = %crate::error_chain(&failure), "a round of witnessing failed");
            return;
        }
    }
}

/// Whether two checkpoints are of one tree is for the agents to say; sizes alone decide whether a body can be made.
pub fn is_answerable(remembered: u64, round: &Checkpoint) -> bool {
    remembered <= round.size
}
