//! From the wire to a [`VerifiedBatch`]: form, limits, signature, size, root, epoch, JSON. Pure.

use ntk_evidence::author_log::{AuthorLog, BATCH_ENTRIES_MAX, BatchError, SealedBatch};
use ntk_evidence::entry::{BatchKey, Entry, EntryError, Part};
use ntk_proto::convert::{self, FieldError};
use ntk_proto::v1;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::ledger::Continuation;

/// A batch that continues its author's log under the author's key. Only [`verify`] makes one.
#[derive(Debug)]
pub struct VerifiedBatch {
    continuation: Continuation,
}

impl VerifiedBatch {
    /// The author's log after this batch.
    pub const fn next(&self) -> &AuthorLog {
        &self.continuation.next
    }

    /// For the ledger.
    pub fn into_continuation(self) -> Continuation {
        self.continuation
    }
}

/// Why a batch is not taken: the author's fault, told to it and counted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A field is not what it should be.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A part is too large or not UTF-8, or an entry is not the JSON of an event.
    #[error("entry {number} of the batch: {source}")]
    Entry {
        /// Its number in the author's log.
        number: u64,
        /// What is wrong.
        source: EntryError,
    },
    /// The batch does not continue the log.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A different note of a size that the ledger holds already.
    #[error("the ledger holds another note of size {0}: two histories of one log")]
    Fork(u64),
}

impl Refusal {
    /// One word for machines and counters.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Field(_) => "bad_field",
            Self::Entry { source: EntryError::TooLarge(_), .. } | Self::Batch(BatchError::TooLarge) => {
                "too_large"
            }
            Self::Entry { .. } => "not_an_entry",
            Self::Batch(BatchError::Gap { .. }) => "gap",
            Self::Batch(BatchError::WrongRoot | BatchError::WrongSize { .. }) => "wrong_root",
            Self::Batch(BatchError::Note(_)) => "bad_signature",
            Self::Batch(BatchError::OtherEpoch { .. } | BatchError::RollOver(_)) => "epoch",
            Self::Batch(BatchError::Revoked | BatchError::OtherKey(_)) => "revoked",
            Self::Batch(BatchError::OtherAuthor) => "other_author",
            Self::Batch(BatchError::Empty) => "empty",
            Self::Batch(BatchError::Full(_)) => "full",
            Self::Fork(_) => "fork",
        }
    }
}

/// The message as a batch of this author; nothing is verified yet.
pub fn read(author: &AuthorLog, message: v1::Batch) -> Result<SealedBatch, Refusal> {
    if message.entries.len() > BATCH_ENTRIES_MAX {
        return Err(BatchError::TooLarge.into());
    }
    let first = message.first;
    let entries = (first..).zip(message.entries).map(|(number, entry)| {
        let parts = [entry.core, entry.paths, entry.command];
        Entry::from_parts(parts).map_err(|source| Refusal::Entry { number, source })
    });
    Ok(SealedBatch {
        removed: Vec::new(),
        author: author.author().clone(),
        epoch: message.epoch,
        first,
        note: convert::note("note", message.note)?,
        key: BatchKey::new(convert::exactly("batch_key", &message.batch_key)?),
        entries: entries.collect::<Result<_, _>>()?,
    })
}

/// Checks that a batch continues `base` under the author's current key and that every entry is an event.
pub fn verify(base: &AuthorLog, batch: SealedBatch) -> Result<VerifiedBatch, Refusal> {
    let next = base.follow(&batch)?;
    for (number, entry) in batch.numbered() {
        is_event(entry).map_err(|source| Refusal::Entry { number, source })?;
    }
    Ok(VerifiedBatch { continuation: Continuation { batch, base: base.clone(), next } })
}

/// The cheap form of [`Entry::event`]: JSON with a kind and a time, whatever else a newer agent may say.
fn is_event(entry: &Entry) -> Result<(), EntryError> {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only that they are there and are texts matters")]
    struct Core<'a> {
        #[serde(borrow)]
        kind: std::borrow::Cow<'a, str>,
        #[serde(borrow)]
        time: std::borrow::Cow<'a, str>,
    }
    let json = |part| move |source| EntryError::NotJson { part, source };
    serde_json::from_str::<Core<'_>>(entry.part(Part::Core)).map_err(json(Part::Core))?;
    for part in [Part::Paths, Part::Command] {
        if !entry.part(part).is_empty() {
            serde_json::from_str::<IgnoredAny>(entry.part(part)).map_err(json(part))?;
        }
    }
    Ok(())
}
