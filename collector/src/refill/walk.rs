//! Goes through a source's segments and checks every batch as ingest does: numbers, signature, root, epoch. What
//! stands behind a missing or damaged segment begins a new run.

use ntk_evidence::author_log::{AuthorLog, SealedBatch};
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::name::Author;
use ntk_segment::frame::Frame;

use super::source::{Kind, Segment, Source};
use crate::ledger::state::LedgerState;
use crate::ledger::{LedgerError, from_frame, from_pruned};
use crate::recovery::RecoveryKeys;

/// What a walk comes upon, in the order of the segments.
pub(crate) enum Step<'a> {
    /// A batch that continues its author's log, with the log before it.
    Batch {
        /// The log before it.
        before: &'a AuthorLog,
        /// The batch.
        batch: SealedBatch,
        /// Whether what stood before it in this source was seen by this walk.
        run: usize,
    },
    /// A checkpoint of the old log that the batches before it lead to.
    Checkpoint(Checkpoint, Vec<u8>),
    /// Something was missing or damaged: one sentence.
    Broken(String),
    /// A segment is done.
    Done,
}

/// Walks a source. `each` may end the walk with an error.
pub(crate) fn walk<E>(
    source: &Source,
    key: &RecoveryKeys,
    mut each: impl FnMut(Step<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut state: Option<(u64, LedgerState)> = None;
    let mut run = 0usize;
    for (number, segment) in source.segments(key) {
        let next = match segment {
            Err(wrong) => {
                each(Step::Broken(wrong))?;
                None
            }
            Ok(segment) => {
                let joined = state.take().filter(|(last, _)| last.checked_add(1) == Some(number.value()));
                let follows = joined.is_some();
                match begin(source, &segment, joined.map(|(_, state)| state)) {
                    Err(wrong) => {
                        each(Step::Broken(format!("segment {number}: {wrong}")))?;
                        None
                    }
                    Ok((mut begun, is_joined)) => {
                        run = if is_joined { run } else { run.saturating_add(1) };
                        if follows && !is_joined {
                            let wrong = "does not begin where the one before it ends";
                            each(Step::Broken(format!(
                                "segment {number} {wrong}: joined to nothing before it"
                            )))?;
                        }
                        let whole = through(source, &segment, &mut begun, run, &mut each)?;
                        whole.then_some((number.value(), begun))
                    }
                }
            }
        };
        state = next;
        each(Step::Done)?;
    }
    Ok(())
}

/// The state at a segment's beginning, and whether it is the one that the segment before led to.
fn begin(
    source: &Source,
    segment: &Segment,
    before: Option<LedgerState>,
) -> Result<(LedgerState, bool), String> {
    let mut stated = segment.reader.state_of(segment.number).map_err(|error| crate::error_chain(&error))?;
    if matches!(source.kind, Kind::Package(_)) {
        // What an agent keeps there beside its log is its own.
        stated.decided.clear();
    }
    let state = LedgerState::from_frame(source.trust.slug.clone(), source.trust.collector.clone(), &stated);
    let state = state.map_err(|error| crate::error_chain(&error))?;
    if let Kind::Package(package) = &source.kind
        && state.authors.keys().any(|author| *author != Author::Collector && *author != package.author)
    {
        return Err("it holds the log of another machine".to_owned());
    }
    match before {
        Some(before) if same(&before, &state) => Ok((before, true)),
        _ => Ok((state, false)),
    }
}

fn same(one: &LedgerState, other: &LedgerState) -> bool {
    // An agent's STATE says nothing of a collector log; its batches are no leaves of one.
    let logs = |state: &LedgerState| -> Vec<AuthorLog> {
        let others = state.authors.iter().filter(|(author, _)| **author != Author::Collector);
        others.map(|(_, known)| known.log.clone()).collect()
    };
    logs(one) == logs(other)
}

/// Whether the segment was whole.
fn through<E>(
    source: &Source,
    segment: &Segment,
    state: &mut LedgerState,
    run: usize,
    each: &mut impl FnMut(Step<'_>) -> Result<(), E>,
) -> Result<bool, E> {
    let frames = match segment.reader.frames() {
        Ok(frames) => frames,
        Err(error) => {
            each(Step::Broken(crate::error_chain(&error)))?;
            return Ok(false);
        }
    };
    for frame in frames {
        let leaf = state.range.size();
        let batch = match frame {
            Ok((_, Frame::Batch(frame))) => from_frame(leaf, frame),
            Ok((_, Frame::Pruned(frame))) => from_pruned(leaf, frame),
            Ok((_, Frame::State(_))) => continue,
            Ok((_, Frame::Commit(commit))) if matches!(source.kind, Kind::OldLedger) => {
                match source.trust.checkpoint(&commit.checkpoint) {
                    Ok(signed) if signed == state.checkpoint() => {
                        each(Step::Checkpoint(signed, commit.checkpoint))?;
                        continue;
                    }
                    _ => Err(LedgerError::Damaged {
                        leaf,
                        source: "a checkpoint is not the one that the batches lead to".into(),
                    }),
                }
            }
            Ok((_, Frame::Commit(_))) => continue,
            Err(error) => Err(error.into()),
        };
        let followed = batch.and_then(|batch| {
            let before = state.authors.get(&batch.author).map(|known| known.log.clone());
            let before = before.ok_or_else(|| LedgerError::NotEnrolled(batch.author.to_string()))?;
            state.follow(batch.clone()).map(|_| (before, batch))
        });
        match followed {
            Ok((before, batch)) => each(Step::Batch { before: &before, batch, run })?,
            Err(error) => {
                each(Step::Broken(format!("segment {}: {}", segment.number, crate::error_chain(&error))))?;
                return Ok(false);
            }
        }
    }
    Ok(true)
}
