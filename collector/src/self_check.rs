//! Verifies the whole ledger by its own bytes: every frame, entry, note, checkpoint; nothing from any cache.

use ntk_evidence::act;
use ntk_evidence::author_log::SealedBatch;
use ntk_evidence::entry::Entry;
use ntk_evidence::hash::Hash;
use ntk_evidence::name::Author;
use ntk_evidence::time::Moment;
use ntk_segment::frame::Frame;
use ntk_segment::pointer::SegmentNumber;
use ntk_segment::verify::verify_chain_on;

pub mod daily;

use crate::home::HomeError;
use crate::ledger::state::LedgerState;
use crate::ledger::{LedgerError, from_frame, from_pruned};
use crate::practice::Practice;
use crate::prune;
use crate::report::text::count;
use ntk_segment::reader::Reader;

/// `what` of the custody act that says which files of a review were kept.
pub const KEPT_REVIEW: &str = "review_kept";

/// What the check found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SelfCheck {
    /// Whether everything verified.
    pub passed: bool,
    /// For people.
    pub sentence: String,
    /// Batches whose notes and roots were verified.
    pub batches: u64,
    /// Entries that were hashed.
    pub entries: u64,
    /// Entries that were removed after their retention; their leaf hashes were verified.
    #[serde(default)]
    pub removed: u64,
    /// Checkpoints whose signatures and roots were verified.
    pub checkpoints: u64,
    /// Size and root at the end.
    pub log_size: u64,
    /// Root at the end, base64.
    pub log_root: String,
    /// Each thing that did not verify, one sentence.
    pub faults: Vec<String>,
}

impl SelfCheck {
    /// With what has to be said in time of the practice's authority: no fault, and nothing else would say it.
    #[must_use]
    pub fn and_of_authority(mut self, practice: &Practice, now: Moment) -> Self {
        if let Ok(Some(ends)) = practice.authority_ends(now) {
            self.sentence = format!("{} {ends}", self.sentence);
        }
        self
    }
}

/// Walks the segments from the oldest kept one to `reader`'s end. `tell` hears how many batches are done.
pub fn self_check(
    practice: &Practice,
    reader: &Reader,
    mut tell: impl FnMut(u64),
) -> Result<SelfCheck, LedgerError> {
    let mut check = SelfCheck {
        passed: false,
        sentence: String::new(),
        batches: 0,
        entries: 0,
        removed: 0,
        checkpoints: 0,
        log_size: 0,
        log_root: String::new(),
        faults: Vec::new(),
    };
    let chain = verify_chain_on(practice.home.disk(), &practice.home.ledger())?;
    check.faults.extend(
        chain
            .damage
            .iter()
            .map(|damage| format!("segment {} at {}: {:?}", damage.segment, damage.offset, damage.kind)),
    );
    let (mut written, mut reviews) = (Vec::new(), Vec::new());
    let oldest = reader.segments()?.first().map_or(SegmentNumber::FIRST, |segment| segment.number);
    let begin = reader.state_of(oldest)?;
    let mut state =
        LedgerState::from_frame(practice.trust.slug.clone(), practice.trust.collector.clone(), &begin)?;
    for frame in reader.frames()?.skipping_damage() {
        let frame = match frame {
            Ok((_, frame)) => frame,
            Err(damage) => {
                check.faults.push(crate::error_chain(&damage));
                break;
            }
        };
        let step = match frame {
            Frame::State(stated) if stated.log_size == state.range.size() => {
                // A ledger that was put back goes on under new keys, where the practice key says so.
                state.goes_on(&practice.trust);
                same_state(&state, &stated)
            }
            Frame::State(stated) => Err(format!(
                "a segment begins at leaf {} where leaf {} is next",
                stated.log_size,
                state.range.size()
            )),
            Frame::Batch(batch) => {
                check.batches = check.batches.saturating_add(1);
                check.entries =
                    check.entries.saturating_add(u64::try_from(batch.entries.len()).unwrap_or(u64::MAX));
                if check.batches.is_multiple_of(256) {
                    tell(check.batches);
                }
                let leaf = state.range.size();
                from_frame(leaf, batch)
                    .inspect(|batch| {
                        written.extend(prune::segments_of(batch));
                        reviews.extend(kept_reviews(batch));
                    })
                    .and_then(|batch| state.follow(batch))
                    .map(|_| ())
                    .map_err(|fault| crate::error_chain(&fault))
            }
            Frame::Pruned(pruned) => {
                check.batches = check.batches.saturating_add(1);
                check.removed =
                    check.removed.saturating_add(u64::try_from(pruned.leaves.len()).unwrap_or(u64::MAX));
                let leaf = state.range.size();
                from_pruned(leaf, pruned)
                    .and_then(|batch| state.follow(batch))
                    .map(|_| ())
                    .map_err(|fault| crate::error_chain(&fault))
            }
            Frame::Commit(commit) => {
                check.checkpoints = check.checkpoints.saturating_add(1);
                match practice.trust.checkpoint(&commit.checkpoint) {
                    Ok(signed) if signed == state.checkpoint() => Ok(()),
                    Ok(signed) => Err(format!(
                        "the checkpoint of size {} is not the one that the batches lead to",
                        signed.size
                    )),
                    Err(fault) => Err(crate::error_chain(&fault)),
                }
            }
        };
        if let Err(fault) = step {
            // What follows a broken link cannot be judged: its base is unknown.
            check.faults.push(fault);
            break;
        }
    }
    // Whoever takes entries out writes both hashes down before: a pruned segment without its act is a fault.
    for pruned in &chain.pruned {
        if !written.iter().any(|segment| segment.is_of(pruned)) {
            check.faults.push(format!(
                "segment {} lost its entries, and no act says that retention removed them",
                pruned.segment.value()
            ));
        }
    }
    for (name, sha256) in reviews {
        // A copy that was taken away is nobody's fault; one that says something else now is.
        let edited = match practice.home.read_report(&name) {
            Ok(bytes) => Hash::of(&bytes).to_hex() != sha256,
            Err(HomeError::Read { .. }) => false,
            Err(_) => true,
        };
        if edited {
            check
                .faults
                .push(format!("the kept review `{name}` is not the one that was made: it was edited"));
        }
    }
    tell(check.batches);
    let end = state.checkpoint();
    (check.log_size, check.log_root) = (end.size, end.root.to_base64());
    check.passed = check.faults.is_empty();
    check.sentence = if check.passed {
        format!(
            "The whole ledger verifies: {} in {} of {} under {}.",
            count(check.entries, "entry", "entries"),
            count(check.batches, "batch", "batches"),
            count(state.authors.len(), "author", "authors"),
            count(check.checkpoints, "checkpoint", "checkpoints"),
        ) + &match check.removed {
            0 => String::new(),
            n => format!(
                " {} removed after retention; notes and leaf hashes stand.",
                count(n, "entry was", "entries were")
            ),
        }
    } else {
        format!("The ledger does NOT verify: {}.", check.faults.join("; "))
    };
    Ok(check)
}

/// File names and hashes of the reviews that acts of this batch say were kept.
fn kept_reviews(batch: &SealedBatch) -> Vec<(String, String)> {
    if batch.author != Author::Collector {
        return Vec::new();
    }
    let of_entry = |(_, entry): (u64, &Entry)| {
        let event = entry.event().ok()?;
        let body = act::body(&event).filter(|body| {
            event.kind.as_str() == act::kind::CUSTODY
                && body.get("what").is_some_and(|what| what == KEPT_REVIEW)
        })?;
        let files = body.get("files")?.as_object()?.clone();
        Some(files.into_iter().filter_map(|(name, hash)| Some((name, hash.as_str()?.to_owned()))))
    };
    // A name is one part of a path: nothing outside the folder of reviews is looked at.
    let is_name = |(name, _): &(String, String)| !name.contains(['/', '\\']) && !name.starts_with('.');
    batch.numbered().filter_map(of_entry).flatten().filter(is_name).collect()
}

fn same_state(state: &LedgerState, stated: &ntk_segment::frame::State) -> Result<(), String> {
    let mut ours = state.to_frame();
    ours.previous_hash = stated.previous_hash;
    if ours == *stated {
        Ok(())
    } else {
        Err(format!("the state at leaf {} is not what the batches before it lead to", stated.log_size))
    }
}
