//! The ledger: batches of all authors in one order, under one signed checkpoint after each group.
//!
//! One thread owns the segment files ([`writer`]). It takes what waits, checks that each batch continues its
//! author's log, signs a checkpoint over everything, writes BATCH frames and one COMMIT, syncs, and only
//! then answers: [`Appended`] exists for nothing else, and a receipt is built from it and nothing else.
//!
//! # Invariants
//! - LG-1: one tree per size: leaves are only appended, by one thread; the last whole COMMIT holds the last
//!   checkpoint, and no checkpoint leaves this process before its COMMIT is durable.
//! - LG-2: after a write that failed the state is unknown: the thread stops, and a new start recovers by the
//!   code that runs at every start.
//! - LG-3: there is no delete here: retention takes entries out of finished segments and leaves notes and leaves
//!   ([`crate::prune`]), the log stays what it was.

pub mod database;
mod enrolled;
pub mod handle;
pub mod hashes;
pub mod registry;
pub mod sequencer;
pub mod state;
pub mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use ntk_evidence::author_log::{AuthorLog, BatchError, SealedBatch};
use ntk_evidence::checkpoint::{Checkpoint, CheckpointError};
use ntk_evidence::entry::{BatchKey, Entry, EntryError};
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::ProofError;
use ntk_evidence::name::{Author, NameError};
use ntk_evidence::note::NoteError;
use ntk_segment::error::SegmentError;
use ntk_segment::frame;
use ntk_segment::pointer::Pointer;

pub use handle::LedgerHandle;
pub use writer::open;

/// Proof that a batch is in the log and durable. Nothing but the writer thread makes one.
#[must_use = "a receipt is built from this"]
#[derive(Clone, Debug)]
pub struct Appended {
    leaf_index: u64,
    checkpoint: Arc<SignedCheckpoint>,
}

impl Appended {
    /// Index of the batch's note in the collector log.
    pub const fn leaf_index(&self) -> u64 {
        self.leaf_index
    }

    /// The checkpoint that covers it.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }
}

/// A checkpoint of the collector log with its note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// Size and root.
    pub checkpoint: Checkpoint,
    /// The note, verbatim.
    pub note: Vec<u8>,
}

/// A batch that was found to continue its author's log, with that log before and after it.
///
/// Made by `ingest::verify` for agents and by the writer for the collector's own acts.
#[derive(Clone, Debug)]
pub struct Continuation {
    pub(crate) batch: SealedBatch,
    pub(crate) base: AuthorLog,
    pub(crate) next: AuthorLog,
}

/// The ledger failed or refused.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The batch does not continue the author's log as it stands by now: another stream was faster.
    #[error("the log of `{0}` has moved on; the batch is to be checked again")]
    Moved(String),
    /// The author is not enrolled, or no longer.
    #[error("`{0}` is not enrolled")]
    NotEnrolled(String),
    /// The author that an act enrols was enrolled before.
    #[error("`{0}` was enrolled before")]
    Enrolled(String),
    /// As many machines as the practice key permits were enrolled.
    #[error("{}", crate::delegation::FULL)]
    Full,
    /// The writer thread has stopped.
    #[error("the ledger has stopped; see the log for the reason and start the collector again")]
    Stopped,
    /// Segment files.
    #[error("the ledger's files failed; nothing that was acknowledged is lost, start the collector again")]
    Segment(#[from] SegmentError),
    /// A stored entry or batch is not what was stored: evidence of damage or change.
    #[error("what the ledger holds at leaf {leaf} does not verify")]
    Damaged {
        /// Index in the collector log.
        leaf: u64,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The stored hashes beside the ledger failed.
    #[error("could not use the stored hashes in `{}`; the folder may be deleted", path.display())]
    Hashes {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A proof could not be made.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// An act could not be frozen.
    #[error("an act could not be written down")]
    Act(#[from] EntryError),
    /// A batch of our own could not be sealed.
    #[error("the collector's own batch could not be sealed")]
    Seal(#[from] BatchError),
    /// A checkpoint could not be signed or read.
    #[error("the ledger's checkpoint does not fit its key")]
    Checkpoint(#[from] CheckpointError),
    /// A note or key is wrong.
    #[error("a key or note of the ledger cannot be read")]
    Note(#[from] NoteError),
    /// A stored name is wrong.
    #[error("a name in the ledger cannot be read")]
    Name(#[from] NameError),
    /// The query store is still reading the ledger.
    #[error("the query store is still reading the ledger; ask again in a moment")]
    Behind,
    /// The query store failed.
    #[error("the query store could not answer")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database that holds it.
    #[error("the database of the ledger")]
    Database(#[from] database::DatabaseError),
    /// The database and this collector's copy tell two histories.
    #[error(
        "the database holds another history than this collector saw ({0}); keep both as they are and ask the consultant"
    )]
    OtherHistory(String),
    /// Files beside the ledger.
    #[error(transparent)]
    Home(#[from] crate::home::HomeError),
}

/// A batch as it stands in a segment.
pub fn to_frame(batch: &SealedBatch) -> frame::Batch {
    frame::Batch {
        author: batch.author.to_string(),
        epoch: batch.epoch,
        first: batch.first,
        note: batch.note.clone(),
        batch_key: *batch.key.as_bytes(),
        entries: batch.entries.iter().cloned().map(Entry::into_parts).collect(),
    }
}

/// A batch out of a segment.
pub fn from_frame(leaf: u64, frame: frame::Batch) -> Result<SealedBatch, LedgerError> {
    let damaged = |source: Box<dyn std::error::Error + Send + Sync>| LedgerError::Damaged { leaf, source };
    let author = Author::parse(&frame.author).map_err(|error| damaged(Box::new(error)))?;
    let entries = frame.entries.into_iter().map(Entry::from_parts).collect::<Result<Vec<_>, _>>();
    Ok(SealedBatch {
        removed: Vec::new(),
        author,
        epoch: frame.epoch,
        first: frame.first,
        note: frame.note,
        key: BatchKey::new(frame.batch_key),
        entries: entries.map_err(|error| damaged(Box::new(error)))?,
    })
}

/// What stays of a batch out of a segment: its note and leaf hashes.
pub fn from_pruned(leaf: u64, frame: frame::Pruned) -> Result<SealedBatch, LedgerError> {
    let author = Author::parse(&frame.author);
    Ok(SealedBatch {
        author: author.map_err(|error| LedgerError::Damaged { leaf, source: Box::new(error) })?,
        epoch: frame.epoch,
        first: frame.first,
        note: frame.note,
        key: BatchKey::new([0; 32]),
        entries: Vec::new(),
        removed: frame.leaves.into_iter().map(Hash::from_bytes).collect(),
    })
}

/// Where a leaf's batch lies and when it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index in the collector log.
    pub leaf: u64,
    /// Position of the BATCH frame.
    pub pointer: Pointer,
    /// Receive time of its group, nanoseconds since 1970.
    pub received_unix_ns: i64,
}

#[cfg(test)]
mod tests;
