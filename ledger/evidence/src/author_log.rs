//! An author's own log: entries go in, batches with a signed checkpoint come out; and how anyone follows it.
//!
//! A [`SealedBatch`] holds the entries `[first, size)` of one author and the author's checkpoint note of
//! that size. Size is the count and root is the chain: an edit, gap or reorder cannot be consistent. Whoever
//! follows an author keeps an [`AuthorLog`] (a compact range, and the key that speaks now) and extends it batch by
//! batch. A signed batch is never cut anew. A batch that is a roll-over ([`epoch`](crate::epoch)) is the last that
//! its key signs: the log after it belongs to the next epoch, under the key that it names.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::entry::{BatchKey, Entry, PART_BYTES_MAX};
use crate::epoch::{self, RollOverError};
use crate::hash::Hash;
use crate::merkle::{CompactRange, ProofError};
use crate::name::{Author, Slug};
use crate::note::{NoteSigner, VerifierKey};

/// How many entries a batch may hold.
pub const BATCH_ENTRIES_MAX: usize = 512;
/// How many bytes the parts of a batch may hold together: one entry of the largest kind always fits.
pub const BATCH_BYTES_MAX: usize = 4 * PART_BYTES_MAX;

/// A batch is refused: the author's fault, told to it by name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// No entry.
    #[error("the batch holds no entry")]
    Empty,
    /// More than [`BATCH_ENTRIES_MAX`] entries or [`BATCH_BYTES_MAX`] bytes.
    #[error("the batch is larger than 512 entries or 4 MiB")]
    TooLarge,
    /// The batch does not begin where the log ends.
    #[error("the batch begins at number {found} where number {expected} is next")]
    Gap {
        /// The next number of the log as known.
        expected: u64,
        /// The batch's first number.
        found: u64,
    },
    /// The note's size is not the number after the last entry.
    #[error("the note speaks of {noted} entries where the batch ends at {counted}")]
    WrongSize {
        /// Size in the note.
        noted: u64,
        /// Size by counting.
        counted: u64,
    },
    /// The entries lead to another root than the signed one.
    #[error("the entries do not lead to the signed root")]
    WrongRoot,
    /// The batch belongs to another author.
    #[error("the batch belongs to another author")]
    OtherAuthor,
    /// The batch belongs to another epoch of the author's keys.
    #[error("the batch belongs to epoch {found} where epoch {expected} is current")]
    OtherEpoch {
        /// Current epoch.
        expected: u32,
        /// The batch's epoch.
        found: u32,
    },
    /// An `epoch` entry that is no roll-over of this log as it stands.
    #[error("the batch is no roll-over: {0}")]
    RollOver(#[from] RollOverError),
    /// Nobody speaks for this author any more.
    #[error("the author was revoked: no key speaks for it")]
    Revoked,
    /// The key at hand is not the one that speaks for this author now.
    #[error("the key at hand is not the one of epoch {0}")]
    OtherKey(u32),
    /// The note is no checkpoint of this author under its key.
    #[error("the batch's note does not verify: {0}")]
    Note(#[from] CheckpointError),
    /// The log is full.
    #[error(transparent)]
    Full(#[from] ProofError),
}

/// Entries `[first, size)` of one author with the author's signed checkpoint of that size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBatch {
    /// Whose entries.
    pub author: Author,
    /// Epoch of the author's key.
    pub epoch: u32,
    /// Number of the first entry.
    pub first: u64,
    /// The author's checkpoint note, verbatim.
    pub note: Vec<u8>,
    /// Key of the salts.
    pub key: BatchKey,
    /// The entries, verbatim; none where they were removed after their retention.
    pub entries: Vec<Entry>,
    /// Leaf hashes of entries that were removed after their retention; empty for a batch that has its entries. No
    /// wire carries it: only who keeps a ledger has such batches.
    pub removed: Vec<Hash>,
}

impl SealedBatch {
    /// The number after the last entry.
    pub fn size(&self) -> u64 {
        let n = if self.entries.is_empty() { self.removed.len() } else { self.entries.len() };
        self.first.saturating_add(u64::try_from(n).unwrap_or(u64::MAX))
    }

    /// The leaf hashes of the entries in order.
    pub fn leaves(&self) -> impl Iterator<Item = Hash> {
        let removed = if self.entries.is_empty() { self.removed.as_slice() } else { &[] };
        let whole = (self.first..).zip(&self.entries).map(|(number, entry)| self.key.leaf(number, entry));
        whole.chain(removed.iter().copied())
    }

    /// Whether its entries were removed after their retention: note and leaves are left.
    pub fn is_removed(&self) -> bool {
        self.entries.is_empty() && !self.removed.is_empty()
    }

    /// The entries with their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &Entry)> {
        (self.first..).zip(&self.entries)
    }

    fn fits(&self) -> bool {
        let bytes = self.entries.iter().map(Entry::len).fold(0, usize::saturating_add);
        self.entries.len() <= BATCH_ENTRIES_MAX
            && self.removed.len() <= BATCH_ENTRIES_MAX
            && bytes <= BATCH_BYTES_MAX
    }
}

/// How far an author's log reaches: enough to append to it, and to check what is appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorLog {
    author: Author,
    origin: String,
    epoch: u32,
    key: Option<VerifierKey>,
    range: CompactRange,
}

impl AuthorLog {
    /// The empty log of an author in epoch 0.
    pub fn new(slug: &Slug, author: Author, key: VerifierKey) -> Self {
        Self::resume(slug, author, 0, Some(key), CompactRange::empty())
    }

    /// A log that reaches this far, in an epoch with its key; without one nobody speaks for the author any more.
    pub fn resume(
        slug: &Slug,
        author: Author,
        epoch: u32,
        key: Option<VerifierKey>,
        range: CompactRange,
    ) -> Self {
        Self { origin: slug.author_origin(&author), author, epoch, key, range }
    }

    /// The same log, for which nobody speaks from here on.
    #[must_use]
    pub fn revoked(self) -> Self {
        Self { key: None, ..self }
    }

    /// Whose log.
    pub const fn author(&self) -> &Author {
        &self.author
    }

    /// Origin of its checkpoints.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Current epoch of the author's keys.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The key that speaks for the author now; none once it was revoked.
    pub const fn key(&self) -> Option<&VerifierKey> {
        self.key.as_ref()
    }

    /// How many entries it holds; the next entry's number.
    pub const fn size(&self) -> u64 {
        self.range.size()
    }

    /// Roots of the full subtrees.
    pub const fn range(&self) -> &CompactRange {
        &self.range
    }

    /// The checkpoint of the log as it stands.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { origin: self.origin.clone(), size: self.size(), root: self.range.root() }
    }

    /// Appends entries and signs: the batch, and the log after it.
    pub fn seal(
        &self,
        entries: Vec<Entry>,
        key: BatchKey,
        signer: &NoteSigner,
    ) -> Result<(SealedBatch, Self), BatchError> {
        match &self.key {
            None => return Err(BatchError::Revoked),
            Some(key) if key != signer.verifier() => return Err(BatchError::OtherKey(self.epoch)),
            Some(_) => {}
        }
        let mut batch = SealedBatch {
            author: self.author.clone(),
            epoch: self.epoch,
            first: self.size(),
            note: Vec::new(),
            key,
            entries,
            removed: Vec::new(),
        };
        let next = self.appended(&batch)?;
        batch.note = next.checkpoint().sign(signer)?.into_bytes();
        Ok((batch, next))
    }

    /// Checks that a batch continues this log under the author's current key: the log after it.
    pub fn follow(&self, batch: &SealedBatch) -> Result<Self, BatchError> {
        let key = self.key.as_ref().ok_or(BatchError::Revoked)?;
        if batch.author != self.author {
            return Err(BatchError::OtherAuthor);
        }
        if batch.epoch != self.epoch {
            return Err(BatchError::OtherEpoch { expected: self.epoch, found: batch.epoch });
        }
        if batch.first != self.size() {
            return Err(BatchError::Gap { expected: self.size(), found: batch.first });
        }
        if !batch.fits() {
            return Err(BatchError::TooLarge);
        }
        // The signature first: hashing a stranger's entries would be work for nothing.
        let signed = Checkpoint::verify(&batch.note, key)?;
        if signed.origin != self.origin {
            return Err(BatchError::OtherAuthor);
        }
        if signed.size != batch.size() {
            return Err(BatchError::WrongSize { noted: signed.size, counted: batch.size() });
        }
        let next = self.appended(batch)?;
        if next.range.root() == signed.root { Ok(next) } else { Err(BatchError::WrongRoot) }
    }

    fn appended(&self, batch: &SealedBatch) -> Result<Self, BatchError> {
        if batch.entries.is_empty() && batch.removed.is_empty() {
            return Err(BatchError::Empty);
        }
        if !batch.fits() {
            return Err(BatchError::TooLarge);
        }
        let mut next = self.clone();
        for leaf in batch.leaves() {
            next.range.append(leaf)?;
        }
        if let Some(rolled) = epoch::of_batch(&self.author, &self.origin, self.epoch, &batch.entries)? {
            if self.key.as_ref() == Some(&rolled.key) {
                return Err(RollOverError::SameKey.into());
            }
            (next.epoch, next.key) = (rolled.number, Some(rolled.key));
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests;
