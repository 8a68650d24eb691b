//! Messages of the wire to the session's values and back: each bound is checked here, once.

use ntk_evidence::hash::Hash;
use ntk_evidence::receipt::Receipt;
use ntk_proto::convert::{self, FieldError};
use ntk_proto::v1;
use ntk_proto::v1::agent_message::Message as Up;
use ntk_proto::v1::collector_message::Message as Down;
use ntk_segment::frame::Batch;

/// A receipt with the size that it acknowledges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptFor {
    /// Size in the author's note.
    pub size: u64,
    /// The proof.
    pub receipt: Receipt,
}

/// What a person of the practice decided about something that this machine proposed to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchDecision {
    /// Id of the proposal.
    pub id: String,
    /// Whether it is to be watched.
    pub is_confirmed: bool,
}

/// Decisions that are taken in at once: more than a machine can propose.
const DECISIONS_MAX: usize = 10_000;

/// The collector's first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// How many of this machine's entries it holds.
    pub size: u64,
    /// This machine's note of that size; empty for 0.
    pub note: Vec<u8>,
    /// The proof that it holds it; absent for 0.
    pub receipt: Option<ReceiptFor>,
    /// What the collector's clock said.
    pub unix_nanos: i64,
    /// The practice's trust file as the collector holds it.
    pub trust: Vec<u8>,
    /// Everything that was decided about what this machine proposed.
    pub decisions: Vec<WatchDecision>,
    /// Id of the newest question for what accounts hold here.
    pub inventory_asked: Option<String>,
}

/// A batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Number of its first entry.
    pub first: u64,
    /// One word.
    pub code: String,
    /// Whether the same batch may be sent again later.
    pub retry: bool,
}

/// A round of witnessing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The body of an add-checkpoint request.
    pub body: String,
    /// The practice's trust file, where it changed since the greeting; else empty.
    pub trust: Vec<u8>,
    /// Everything that was decided about what this machine proposed, where that changed; else empty.
    pub decisions: Vec<WatchDecision>,
    /// Id of the newest question for what accounts hold here, where that changed.
    pub inventory_asked: Option<String>,
}

impl From<String> for Round {
    fn from(body: String) -> Self {
        Self { body, trust: Vec::new(), decisions: Vec::new(), inventory_asked: None }
    }
}

/// What the collector says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// First.
    Welcome(Welcome),
    /// A batch is in its log.
    Receipt(ReceiptFor),
    /// A round of witnessing.
    Round(Round),
    /// A batch was not taken.
    Refusal(Refusal),
}

/// Reads a message of the collector.
pub fn heard(message: v1::CollectorMessage) -> Result<Heard, FieldError> {
    let nothing =
        FieldError { field: "message", wanted: "one that this agent knows: it is older than the collector" };
    Ok(match message.message.ok_or(nothing)? {
        Down::Welcome(welcome) => Heard::Welcome(Welcome {
            size: welcome.size,
            note: convert::note("note", welcome.note)?,
            receipt: welcome.receipt.map(receipt).transpose()?,
            unix_nanos: welcome.unix_nanos,
            trust: convert::note("trust", welcome.trust)?,
            decisions: decisions(welcome.watch_decisions),
            inventory_asked: question(welcome.inventory_asked),
        }),
        Down::Receipt(message) => Heard::Receipt(receipt(message)?),
        Down::Checkpoint(round) => {
            let body = convert::note("add_checkpoint", round.add_checkpoint)?;
            let wrong = FieldError { field: "add_checkpoint", wanted: "UTF-8" };
            let body = String::from_utf8(body).map_err(|_| wrong)?;
            let trust = convert::note("trust", round.trust)?;
            let inventory_asked = question(round.inventory_asked);
            Heard::Round(Round { body, trust, decisions: decisions(round.watch_decisions), inventory_asked })
        }
        Down::Refusal(refusal) => {
            // The sentence is for the collector's own log: a stranger's prose stays out of ours.
            let is_word = |code: &str| {
                !code.is_empty()
                    && code.len() <= 40
                    && code.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')
            };
            let code =
                Some(refusal.code).filter(|code| is_word(code)).unwrap_or_else(|| "unknown".to_owned());
            Heard::Refusal(Refusal { first: refusal.first, code, retry: refusal.retry })
        }
    })
}

/// Ids that are none are passed over: they name nothing here.
fn decisions(decisions: Vec<v1::WatchDecision>) -> Vec<WatchDecision> {
    decisions
        .into_iter()
        .filter(|decision| is_id(&decision.id))
        .take(DECISIONS_MAX)
        .map(|decision| WatchDecision { id: decision.id, is_confirmed: decision.confirmed })
        .collect()
}

/// A question without an id is none.
fn question(id: String) -> Option<String> {
    Some(id).filter(|id| is_id(id))
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|letter| letter.is_ascii_hexdigit())
}

fn receipt(message: v1::Receipt) -> Result<ReceiptFor, FieldError> {
    let hashes = |field, proof: &[Vec<u8>]| -> Result<Vec<Hash>, FieldError> {
        Ok(convert::hashes(field, proof)?.into_iter().map(Hash::from_bytes).collect())
    };
    Ok(ReceiptFor {
        size: message.size,
        receipt: Receipt {
            leaf_index: message.leaf_index,
            inclusion: hashes("inclusion", &message.inclusion)?,
            checkpoint: convert::note("checkpoint", message.checkpoint)?,
            consistency: hashes("consistency", &message.consistency)?,
        },
    })
}

/// A stored batch as a message, its bytes verbatim (EV-1).
pub fn batch(batch: Batch) -> v1::AgentMessage {
    let entries = batch.entries.into_iter().map(|[core, paths, command]| v1::Entry { core, paths, command });
    said(Up::Batch(v1::Batch {
        epoch: batch.epoch,
        first: batch.first,
        note: batch.note,
        batch_key: batch.batch_key.to_vec(),
        entries: entries.collect(),
    }))
}

/// Any message of the agent.
pub fn said(message: Up) -> v1::AgentMessage {
    v1::AgentMessage { message: Some(message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_comes_with_round_and_greeting_and_an_older_collector_asks_none() {
        for (told, read) in [("0a1b", Some("0a1b")), ("", None), ("../x", None), (&"a".repeat(65), None)] {
            let inventory_asked = told.to_owned();
            let round =
                v1::CheckpointRound { inventory_asked: inventory_asked.clone(), ..Default::default() };
            let welcome = v1::Welcome { inventory_asked, ..Default::default() };
            for down in [Down::Checkpoint(round), Down::Welcome(welcome)] {
                let asked = match heard(v1::CollectorMessage { message: Some(down) }).unwrap() {
                    Heard::Round(round) => round.inventory_asked,
                    Heard::Welcome(welcome) => welcome.inventory_asked,
                    other => panic!("{other:?}"),
                };
                assert_eq!(asked.as_deref(), read);
            }
        }
    }

    #[test]
    fn decisions_come_with_round_and_greeting_and_what_is_no_id_is_passed_over() {
        let told = |id: &str, confirmed| v1::WatchDecision { id: id.to_owned(), confirmed };
        let watch_decisions =
            vec![told("3f9a0c1b2d4e", true), told("../x", true), told("", true), told("aa", false)];
        let round = v1::CheckpointRound { watch_decisions: watch_decisions.clone(), ..Default::default() };
        let welcome = v1::Welcome { watch_decisions, ..Default::default() };
        for down in [Down::Checkpoint(round), Down::Welcome(welcome)] {
            let decisions = match heard(v1::CollectorMessage { message: Some(down) }).unwrap() {
                Heard::Round(round) => round.decisions,
                Heard::Welcome(welcome) => welcome.decisions,
                other => panic!("{other:?}"),
            };
            let read: Vec<_> = decisions.iter().map(|one| (one.id.as_str(), one.is_confirmed)).collect();
            assert_eq!(read, [("3f9a0c1b2d4e", true), ("aa", false)]);
        }
        let many = (0..DECISIONS_MAX + 5).map(|n| told(&format!("{n:x}"), true)).collect();
        assert_eq!(decisions(many).len(), DECISIONS_MAX);
    }
}
