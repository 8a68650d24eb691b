//! One agent's stream: batches up; receipts and checkpoints down, in order.
//!
//! Two tasks. The reader verifies each batch against the author's log as this stream left it and hands it to
//! the ledger; the writer waits for each answer in turn and builds the receipt from [`Appended`] alone. What
//! the agent remembers of the collector log only grows along the stream, so each receipt proves consistency
//! from the one before it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ntk_evidence::act;
use ntk_evidence::author_log::{AuthorLog, SealedBatch};
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::hash::base64;
use ntk_evidence::name::Author;
use ntk_evidence::witness::AddCheckpoint;
use ntk_proto::convert::NOTE_BYTES_MAX;
use ntk_proto::v1::{self, agent_message, collector_message};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use tracing::{info, warn};

use super::clones::{Clones, Parting, Run};
use super::short;
use super::verify::{self, Refusal};
use super::{AgentIdentity, Refusals, counted};
use crate::follow::Lookup;
use crate::ledger::{Appended, LedgerError, LedgerHandle, SignedCheckpoint};
use crate::proposals::Step;
use crate::silence::task::Ear;
use crate::watch::Liveness;
use crate::witness::rounds::{Round, Rounds};
use crate::witness::trust::CurrentTrust;

/// How many batches of one stream may wait for the ledger; more wait in the agent's spool.
const IN_FLIGHT_MAX: usize = 32;

/// How long a machine may take from the opening of a stream to its whole greeting.
const GREETING_WITHIN: Duration = Duration::from_secs(10);
/// How long a machine may take from one whole message to the next. It shows every 15 seconds that it lives; the largest batch
/// over a line of 120 kbit/s takes less.
const MESSAGE_WITHIN: Duration = Duration::from_secs(300);

/// How long what a stream sent before may take to be durable, before it is asked to come again.
const DURABLE_WITHIN: Duration = Duration::from_secs(10);

/// How many contradicting checkpoints are told until the collector starts again.
const DISAGREEMENTS_MAX: usize = 256;
/// The longest sentence of an agent that is kept, letters.
const SENTENCE_MAX: usize = 300;

/// A machine's sentence, cut and fit for a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SENTENCE_MAX).collect()
}

/// What every stream needs.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The ledger.
    pub ledger: LedgerHandle,
    /// Finds stored notes by author and size.
    pub lookup: Lookup,
    /// What was refused.
    pub refusals: Refusals,
    /// Which machines are connected and when they last spoke.
    pub liveness: Liveness,
    /// Hears every word of a machine, so that its silence is noticed.
    pub ear: Ear,
    /// Greetings that one machine alone cannot make.
    pub clones: Clones,
    /// Rounds of witnessing.
    pub rounds: Rounds,
    /// The trust file in force, which every agent is shown.
    pub trust: CurrentTrust,
    /// Contradicting checkpoints that were told already.
    pub disagreements: Arc<Mutex<BTreeSet<String>>>,
}

/// Messages to the agent.
pub type Downstream = mpsc::Sender<Result<v1::CollectorMessage, Status>>;

/// What the writer has to send next.
enum Answer {
    /// A batch on its way into the ledger.
    Pending { size: u64, note: Vec<u8>, answer: oneshot::Receiver<Result<Appended, LedgerError>> },
    /// A batch that the ledger held already.
    Known { size: u64, leaf: u64 },
    /// The stream ends with this.
    Refuse { first: u64, refusal: Refusal, note: Vec<u8> },
}

/// Runs one stream to its end.
pub async fn run(
    shared: Shared,
    identity: AgentIdentity,
    mut up: Streaming<v1::AgentMessage>,
    down: Downstream,
    stop: CancellationToken,
) {
    let author = identity.author().clone();
    let (generation, replaced) = shared.liveness.connected(&author, &shared.ledger.clock().now());
    let outcome = tokio::select! {
        outcome = talk(&shared, &identity, &mut up, &down) => outcome,
        () = replaced.cancelled() => Err(Status::aborted("another stream of this machine has taken over")),
        () = stop.cancelled() => Err(Status::unavailable("the collector is stopping")),
    };
    if let Err(status) = outcome {
        info!(agent = %author, code = ?status.code(), "stream ended");
        let _ = down.send(Err(status)).await;
    }
    shared.liveness.disconnected(&author, generation, &shared.ledger.clock().now());
}

async fn talk(
    shared: &Shared,
    identity: &AgentIdentity,
    up: &mut Streaming<v1::AgentMessage>,
    down: &Downstream,
) -> Result<(), Status> {
    let author = identity.author();
    let hello = match on_time(up, GREETING_WITHIN).await.map_err(|late| counted(shared, "late", late))? {
        Some(Ok(v1::AgentMessage { message: Some(agent_message::Message::Hello(hello)) })) => hello,
        Some(Err(status)) => return Err(counted(shared, "bad_message", status)),
        _ => {
            return Err(counted(
                shared,
                "bad_message",
                Status::invalid_argument("the first message is to be a Hello"),
            ));
        }
    };
    shared.ear.greeted(author, &hello, shared.ledger.clock().now());
    // The author and the checkpoint alone: a stream that kept the list of all authors would have every later group copy it.
    let (known, checkpoint) = shared.ledger.standing(author);
    let known = known.ok_or_else(|| Status::permission_denied("this machine is not enrolled"))?;
    if known.key().is_none() {
        return Err(Status::permission_denied("this machine was revoked"));
    }
    let mut log = known.log.clone();
    if let Some(pair) = shared.clones.greeted(author, Run::new(&hello.boot_id, &hello.run_id)) {
        warn!(agent = %author, "a run of the agent speaks again that was over: two machines hold one identity");
        act(shared, act::kind::CLONE, pair.body(author)).await?;
    }
    if log.size() > 0 && hello.size <= log.size() {
        let held = note_of(shared, author, hello.size).await?;
        let held = held.as_ref().map(|(_, note)| &**note);
        let parting = Parting::of_greeting(hello.size, &hello.note, log.size(), held);
        if let Some(pair) = parting.and_then(|parting| shared.clones.parted(author, parting)) {
            warn!(agent = %author, size = hello.size, held = log.size(), "an agent comes with another history than it sent");
            act(shared, act::kind::CLONE, pair.body(author)).await?;
        }
    }
    let mut remembered = hello.remembered_log_size;
    if remembered > checkpoint.checkpoint.size {
        // Not refused: the agent will see a smaller log than it remembers, and record that by itself.
        warn!(agent = %author, remembered, size = checkpoint.checkpoint.size, "the agent remembers a larger log than this one");
        remembered = 0;
    }
    // Read before the greeting is made: one that changes just now is shown again rather than never.
    let trust = shared.trust.now().1;
    let decisions = decisions(shared, log.author());
    let asked = asked(shared, log.author());
    let welcome = welcome(shared, &log, &mut remembered, &checkpoint).await?;
    send(down, collector_message::Message::Welcome(welcome)).await?;
    info!(agent = %author, size = log.size(), agent_size = hello.size, "stream began");

    let (answers, waiting) = mpsc::channel(IN_FLIGHT_MAX);
    let (finished, finish) = oneshot::channel::<()>();
    let reading = async {
        let result = read(shared, &mut log, up, &answers).await;
        drop(answers);
        drop(finished);
        result
    };
    let sight = Sight { remembered, trust, decisions, asked };
    let writing = write(shared, identity, down, waiting, sight, finish);
    let (read, written) = tokio::join!(reading, writing);
    written.and(read)
}

async fn welcome(
    shared: &Shared,
    log: &AuthorLog,
    remembered: &mut u64,
    checkpoint: &SignedCheckpoint,
) -> Result<v1::Welcome, Status> {
    let mut welcome =
        v1::Welcome { unix_nanos: shared.ledger.clock().now().unix_nanos(), ..Default::default() };
    welcome.trust = shared.trust.now().1.as_bytes().to_vec();
    welcome.watch_decisions = decisions(shared, log.author());
    welcome.inventory_asked = asked(shared, log.author());
    if log.size() > 0 {
        let found = note_of(shared, log.author(), log.size()).await?;
        let (leaf, note) = found
            .ok_or_else(|| Status::unavailable("the collector is still reading its ledger; try again"))?;
        welcome.size = log.size();
        welcome.note = note.to_vec();
        welcome.receipt = Some(receipt(shared, log.size(), leaf, checkpoint, remembered)?);
    }
    Ok(welcome)
}

async fn read(
    shared: &Shared,
    log: &mut AuthorLog,
    up: &mut Streaming<v1::AgentMessage>,
    answers: &mpsc::Sender<Answer>,
) -> Result<(), Status> {
    while let Some(message) =
        on_time(up, MESSAGE_WITHIN).await.map_err(|late| counted(shared, "late", late))?
    {
        let message = message.map_err(|status| match status.code() {
            tonic::Code::Cancelled | tonic::Code::Unknown => status,
            _ => counted(shared, "bad_message", status),
        })?;
        shared.liveness.spoke(log.author(), &shared.ledger.clock().now());
        shared.ear.spoke(log.author(), shared.ledger.clock().now());
        let batch = match message.message {
            Some(agent_message::Message::Batch(batch)) => batch,
            Some(agent_message::Message::Keepalive(keepalive)) => {
                shared.liveness.keepalive(log.author(), &keepalive);
                shared.ear.keepalive(log.author(), &keepalive, shared.ledger.clock().now());
                continue;
            }
            Some(agent_message::Message::CheckpointSeen(seen)) => {
                if seen.refusal.is_empty() {
                    shared.liveness.witnessed(log.author(), seen.size);
                    let answer = Some((seen.size, seen.cosignature.as_slice()));
                    shared.rounds.answered(&log.author().to_string(), answer);
                } else if let Some(short) = seen.refusal.strip_prefix(ntk_proto::SHORT) {
                    short::told(shared, log, short).await?;
                } else {
                    shared.rounds.answered(&log.author().to_string(), None);
                    if !seen.remembered.is_empty() && seen.remembered.len() <= NOTE_BYTES_MAX {
                        disagree(shared, log.author(), &seen.remembered, &plain(&seen.refusal)).await?;
                    }
                    shared.refusals.count("checkpoint_refused");
                    let body = json!({"author": log.author().to_string(), "size": seen.size, "refusal": plain(&seen.refusal), "by": "agent"});
                    act(shared, act::kind::REFUSAL, body).await?;
                }
                continue;
            }
            Some(agent_message::Message::Hello(_)) | None => {
                return Err(counted(
                    shared,
                    "bad_message",
                    Status::invalid_argument("a Batch or Keepalive is expected"),
                ));
            }
        };
        let (first, note) = (batch.first, batch.note.clone());
        let answer = match take(shared, log, batch).await? {
            Ok(answer) => answer,
            Err(refusal) => Answer::Refuse { first, refusal, note },
        };
        let last = matches!(answer, Answer::Refuse { .. });
        if answers.send(answer).await.is_err() || last {
            break;
        }
    }
    Ok(())
}

/// Verifies one batch and hands it to the ledger.
async fn take(
    shared: &Shared,
    log: &mut AuthorLog,
    message: v1::Batch,
) -> Result<Result<Answer, Refusal>, Status> {
    let batch = match verify::read(log, message) {
        Ok(batch) => batch,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if batch.first < log.size() {
        return known(shared, log, &batch).await;
    }
    let (base, size, note) = (log.clone(), batch.size(), batch.note.clone());
    let verified = tokio::task::spawn_blocking(move || verify::verify(&base, batch))
        .await
        .map_err(|_| internal_text())?;
    let verified = match verified {
        Ok(verified) => verified,
        Err(refusal) => return Ok(Err(refusal)),
    };
    *log = verified.next().clone();
    let answer = shared.ledger.append(verified.into_continuation()).await.map_err(internal)?;
    Ok(Ok(Answer::Pending { size, note, answer }))
}

/// A batch from before the log's end: the old receipt for the same note, FORKED for another one.
async fn known(
    shared: &Shared,
    log: &AuthorLog,
    batch: &SealedBatch,
) -> Result<Result<Answer, Refusal>, Status> {
    let size = batch.size();
    // What this very stream sent a moment ago is not there to be compared with before it is durable: no fork is told of that.
    let mut sizes = shared.ledger.sizes();
    let durable = async {
        let held = || shared.ledger.standing(log.author()).0.map_or(0, |known| known.log.size());
        while size <= log.size() && held() < size {
            sizes.changed().await.map_err(|_| Status::unavailable("the ledger has stopped"))?;
        }
        Ok::<(), Status>(())
    };
    tokio::time::timeout(DURABLE_WITHIN, durable)
        .await
        .map_err(|_| Status::unavailable("what was sent before is not durable yet; try again"))??;
    let found = note_of(shared, log.author(), size).await?;
    Ok(match found {
        Some((leaf, note)) if *note == *batch.note => {
            shared.liveness.replayed(log.author());
            Ok(Answer::Known { size, leaf })
        }
        _ => Err(Refusal::Fork(size)),
    })
}

/// Leaf and note of an author's batch that ends at a size: at hand for its last one, else looked up.
async fn note_of(shared: &Shared, author: &Author, size: u64) -> Result<Option<(u64, Arc<[u8]>)>, Status> {
    if let Some(last) = shared.ledger.standing(author).0.and_then(|known| known.ends_with(size)) {
        return Ok(Some(last));
    }
    let found = shared.lookup.note(author.clone(), size).await.map_err(internal)?;
    Ok(found.map(|(leaf, note)| (leaf, note.into())))
}

async fn write(
    shared: &Shared,
    identity: &AgentIdentity,
    down: &Downstream,
    mut waiting: mpsc::Receiver<Answer>,
    mut sight: Sight,
    finish: oneshot::Receiver<()>,
) -> Result<(), Status> {
    let mut rounds = shared.rounds.subscribe();
    // A round that is under way is this stream's, too.
    rounds.mark_changed();
    let _finish = finish;
    loop {
        let answer = tokio::select! {
            answer = waiting.recv() => answer,
            changed = rounds.changed() => {
                let round = rounds.borrow_and_update().clone();
                if let (Ok(()), Some(current)) = (changed, round) {
                    round_on(shared, identity, down, &current, &mut sight).await?;
                }
                continue;
            }
        };
        match answer {
            None => return Ok(()),
            Some(Answer::Pending { size, note, answer }) => {
                let appended =
                    match answer.await.map_err(|_| Status::unavailable("the ledger has stopped"))? {
                        Ok(appended) => appended,
                        Err(LedgerError::Moved(_)) => {
                            drop(note);
                            return Err(Status::aborted(
                                "another stream of this machine was faster; connect again",
                            ));
                        }
                        Err(LedgerError::NotEnrolled(_)) => {
                            let gone = Status::permission_denied("this machine was revoked");
                            return Err(counted(shared, "revoked", gone));
                        }
                        Err(error) => return Err(internal(error)),
                    };
                let receipt = receipt(
                    shared,
                    size,
                    appended.leaf_index(),
                    appended.checkpoint(),
                    &mut sight.remembered,
                )?;
                send(down, collector_message::Message::Receipt(receipt)).await?;
            }
            Some(Answer::Known { size, leaf }) => {
                let newest = shared.ledger.checkpoint();
                let receipt = receipt(shared, size, leaf, &newest, &mut sight.remembered)?;
                send(down, collector_message::Message::Receipt(receipt)).await?;
            }
            Some(Answer::Refuse { first, refusal, note }) => {
                return refuse(shared, identity, down, first, refusal, &note).await;
            }
        }
    }
}

async fn refuse(
    shared: &Shared,
    identity: &AgentIdentity,
    down: &Downstream,
    first: u64,
    refusal: Refusal,
    note: &[u8],
) -> Result<(), Status> {
    let (author, code) = (identity.author().to_string(), refusal.code());
    warn!(agent = %author, first, code, "batch refused");
    let due = shared.refusals.count_of(&author, code, shared.ledger.clock().now());
    match (&refusal, due) {
        (_, None) => {}
        (Refusal::Fork(size), Some(count)) => {
            // Both notes are kept: together they prove that one key told two histories.
            let held = shared.lookup.note(identity.author().clone(), *size).await.map_err(internal)?;
            let held = held.map(|(leaf, note)| json!({"leaf": leaf, "note": base64(&note)}));
            let body = json!({"author": author, "size": size, "held": held, "offered": {"note": base64(note)}, "count": count});
            act(shared, act::kind::FORK, body).await?;
        }
        (_, Some(count)) => {
            let body = json!({"author": author, "first": first, "code": code, "reason": refusal.to_string(), "count": count});
            act(shared, act::kind::REFUSAL, body).await?;
        }
    }
    if let Refusal::Fork(_) = refusal
        && let Some(pair) = shared.clones.parted(identity.author(), Parting::Fork)
    {
        act(shared, act::kind::CLONE, pair.body(identity.author())).await?;
    }
    let message = v1::Refusal { first, code: code.to_owned(), reason: refusal.to_string(), retry: false };
    send(down, collector_message::Message::Refusal(message)).await
}

/// A machine speaks that was revoked, such as one in whose place another was enrolled: counted, and told in an act.
pub(super) async fn revoked(shared: &Shared, author: &str) -> Status {
    warn!(agent = %author, "a revoked machine was turned away");
    let due = shared.refusals.count_of(author, "revoked", shared.ledger.clock().now());
    if let Some(count) = due {
        let body = json!({"author": author, "code": "revoked", "reason": "its certificate was revoked", "count": count});
        if let Err(status) = act(shared, act::kind::REFUSAL, body).await {
            return status;
        }
    }
    Status::permission_denied("this machine was revoked; if it was set up anew, enrol it with a new token")
}

pub(super) async fn act(shared: &Shared, kind: &str, body: serde_json::Value) -> Result<(), Status> {
    let event = act::event(kind, shared.ledger.now(), body);
    shared.ledger.act(vec![event]).await.map(|_| ()).map_err(internal)
}

/// What the machine at the other end of a stream has seen.
struct Sight {
    /// Size of the log that it remembers.
    remembered: u64,
    /// The trust file that it was shown.
    trust: Arc<str>,
    /// What it was told of decisions about its proposals to watch more.
    decisions: Vec<v1::WatchDecision>,
    /// The question for what accounts hold there that it was told; empty for none.
    asked: String,
}

/// The newest question of a machine for what accounts hold there; empty for none.
fn asked(shared: &Shared, author: &Author) -> String {
    let published = shared.ledger.published();
    published.registry.inventory_asked.of(&author.to_string()).unwrap_or_default().to_owned()
}

/// What was decided about the proposals of a machine; one that is set up anew has those of its earlier self.
fn decisions(shared: &Shared, author: &Author) -> Vec<v1::WatchDecision> {
    let decided = &shared.ledger.published().registry.watch_decisions;
    let mut of_machine = std::collections::BTreeMap::new();
    let mut earlier = author.machine().and_then(|machine| Author::agent(machine).ok());
    while let Some(one) = earlier {
        of_machine.extend(decided.of(&one.to_string()).map(|(id, step)| (id.to_owned(), step)));
        earlier = one.successor().filter(|_| one != *author);
    }
    let told = |(id, step)| v1::WatchDecision { id, confirmed: step == Step::Confirmed };
    of_machine.into_iter().map(told).collect()
}

/// One round of witnessing on this stream. A stream that went on beyond the round's checkpoint has no answer to give.
async fn round_on(
    shared: &Shared,
    identity: &AgentIdentity,
    down: &Downstream,
    current: &Round,
    sight: &mut Sight,
) -> Result<(), Status> {
    let size = current.checkpoint.checkpoint.size;
    if size < sight.remembered {
        shared.rounds.answered(&identity.author().to_string(), None);
        return Ok(());
    }
    let request = AddCheckpoint {
        old: sight.remembered,
        proof: shared.ledger.consistency(sight.remembered, size).map_err(internal)?,
        checkpoint: String::from_utf8_lossy(&current.checkpoint.note).into_owned(),
    };
    sight.remembered = size;
    let trust = shared.trust.now().1;
    let is_news = trust != sight.trust;
    let decisions = decisions(shared, identity.author());
    let are_news = decisions != sight.decisions;
    let asked = asked(shared, identity.author());
    let round = v1::CheckpointRound {
        add_checkpoint: request.to_string().into_bytes(),
        trust: if is_news { trust.as_bytes().to_vec() } else { Vec::new() },
        watch_decisions: if are_news { decisions.clone() } else { Vec::new() },
        inventory_asked: if asked != sight.asked { asked.clone() } else { String::new() },
    };
    sight.trust = trust;
    (sight.decisions, sight.asked) = (decisions, asked);
    send(down, collector_message::Message::Checkpoint(round)).await
}

/// What a machine remembers contradicts what is kept here: both notes become an act, once a pair.
async fn disagree(shared: &Shared, author: &Author, remembered: &[u8], why: &str) -> Result<(), Status> {
    let kept = shared.ledger.published().checkpoint;
    let size = |note: &[u8]| Checkpoint::unverified(note).map_or(0, |checkpoint| checkpoint.size);
    let pair = format!("{author} {}", base64(remembered));
    let is_new = {
        let mut told = shared.disagreements.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < DISAGREEMENTS_MAX && told.insert(pair)
    };
    if !is_new {
        return Ok(());
    }
    warn!(agent = %author, "a machine remembers another history of the log than the one that is kept");
    let body = json!({
        "author": author.to_string(),
        "why": why,
        "remembered": {"size": size(remembered), "note": base64(remembered)},
        "kept": {"size": kept.checkpoint.size, "note": base64(&kept.note)},
    });
    act(shared, act::kind::DISAGREEMENT, body).await
}

fn receipt(
    shared: &Shared,
    size: u64,
    leaf: u64,
    checkpoint: &SignedCheckpoint,
    remembered: &mut u64,
) -> Result<v1::Receipt, Status> {
    // A stream's checkpoints only grow: an older one is answered with the newest.
    let newest = shared.ledger.checkpoint();
    let checkpoint = if checkpoint.checkpoint.size < *remembered { &newest } else { checkpoint };
    let log_size = checkpoint.checkpoint.size;
    let bytes =
        |hashes: Vec<ntk_evidence::hash::Hash>| hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect();
    let receipt = v1::Receipt {
        size,
        leaf_index: leaf,
        inclusion: bytes(shared.ledger.inclusion(leaf, log_size).map_err(internal)?),
        checkpoint: checkpoint.note.clone(),
        consistency: bytes(shared.ledger.consistency(*remembered, log_size).map_err(internal)?),
    };
    *remembered = log_size;
    Ok(receipt)
}

/// The next message, if it is whole in time: a byte now and then holds a stream open, not for ever.
async fn on_time<T>(
    up: &mut (impl Stream<Item = Result<T, Status>> + Unpin),
    within: Duration,
) -> Result<Option<Result<T, Status>>, Status> {
    let late =
        |_| Status::deadline_exceeded(format!("no whole message came within {} s", within.as_secs_f32()));
    tokio::time::timeout(within, up.next()).await.map_err(late)
}

async fn send(down: &Downstream, message: collector_message::Message) -> Result<(), Status> {
    let message = v1::CollectorMessage { message: Some(message) };
    down.send(Ok(message)).await.map_err(|_| Status::cancelled("the agent is gone"))
}

fn internal(error: LedgerError) -> Status {
    warn!(reason = %crate::error_chain(&error), "a stream failed");
    internal_text()
}

fn internal_text() -> Status {
    Status::unavailable("the collector could not do this now; try again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_that_brings_no_whole_message_ends_and_one_that_does_goes_on() {
        let mut mute = tokio_stream::pending::<Result<u8, Status>>();
        let late = on_time(&mut mute, Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(late.code(), tonic::Code::DeadlineExceeded);
        assert_eq!(late.message(), "no whole message came within 0.02 s");
        let mut honest = tokio_stream::iter([Ok::<_, Status>(1u8)]);
        assert_eq!(on_time(&mut honest, GREETING_WITHIN).await.unwrap().unwrap().unwrap(), 1);
        assert!(on_time(&mut honest, MESSAGE_WITHIN).await.unwrap().is_none());
    }
}
