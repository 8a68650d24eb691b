//! Batches of machines' own logs that go into a ledger as ingest would take them, whatever they were read from.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use ntk_evidence::author_log::{AuthorLog, SealedBatch};
use ntk_evidence::hash::Hash;
use ntk_evidence::name::Author;
use tokio::sync::oneshot;

use super::RefillError;
use super::source::Source;
use super::walk::{Step, walk};
use crate::ingest::verify::verify;
use crate::ledger::{Appended, LedgerError, LedgerHandle};
use crate::recovery::RecoveryKeys;

/// How many batches are on their way to the disk at once.
const WAITING_MAX: usize = 32;

type Waiting = oneshot::Receiver<Result<Appended, LedgerError>>;

/// A ledger while it is filled.
pub(crate) struct Filling {
    pub(crate) handle: LedgerHandle,
    /// Where each author's log began.
    pub(crate) begins: BTreeMap<Author, u64>,
    /// How far each author's log is.
    pub(crate) logs: BTreeMap<Author, AuthorLog>,
    /// Note of each size that went in: another note of the same size is another history.
    pub(crate) notes: BTreeMap<(Author, u64), Hash>,
    waiting: Vec<Waiting>,
    pub(crate) n_batches: u64,
}

impl Filling {
    pub(crate) fn new(handle: LedgerHandle, logs: BTreeMap<Author, AuthorLog>) -> Self {
        let begins = logs.iter().map(|(author, log)| (author.clone(), log.size())).collect();
        Self { handle, begins, logs, notes: BTreeMap::new(), waiting: Vec::new(), n_batches: 0 }
    }

    /// Whether every log is as far as its sources reach.
    pub(crate) fn is_whole(&self, reaches: impl Fn(&Author) -> u64) -> bool {
        self.logs.iter().all(|(author, log)| log.size() >= reaches(author))
    }

    /// Appends what continues the logs as they stand.
    pub(crate) fn take(
        &mut self,
        source: &Source,
        recovery: &RecoveryKeys,
        step: &mut impl FnMut(),
    ) -> Result<(), RefillError> {
        walk(source, recovery, |came| match came {
            Step::Batch { batch, .. } if batch.author != Author::Collector => self.batch(source, batch),
            Step::Done => {
                step();
                Ok(())
            }
            Step::Batch { .. } | Step::Checkpoint(..) | Step::Broken(_) => Ok(()),
        })?;
        self.settle()
    }

    fn batch(&mut self, source: &Source, batch: SealedBatch) -> Result<(), RefillError> {
        let Some(log) = self.logs.get_mut(&batch.author) else { return Ok(()) };
        let (author, size, note) = (batch.author.clone(), batch.size(), Hash::of(&batch.note));
        match self.notes.entry((author.clone(), size)) {
            Slot::Occupied(known) if *known.get() != note => {
                let folder = source.folder.clone();
                return Err(RefillError::OtherHistory { folder, author, size });
            }
            Slot::Vacant(free) if batch.first == log.size() && !batch.is_removed() => {
                free.insert(note);
            }
            _ => return Ok(()),
        }
        // The walk followed it already; an entry that is no event was never let in by the old collector either.
        let verified = verify(log, batch).map_err(|refusal| RefillError::Package {
            path: source.folder.clone(),
            what: refusal.to_string(),
        })?;
        *log = verified.next().clone();
        self.waiting.push(self.handle.append_blocking(verified.into_continuation())?);
        self.n_batches = self.n_batches.saturating_add(1);
        if self.waiting.len() >= WAITING_MAX { self.settle() } else { Ok(()) }
    }

    /// Waits until everything that was handed over is durable.
    fn settle(&mut self) -> Result<(), RefillError> {
        for waiting in self.waiting.drain(..) {
            let _appended = waiting.blocking_recv().map_err(|_| LedgerError::Stopped)??;
        }
        Ok(())
    }
}
