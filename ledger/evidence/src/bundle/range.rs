//! Ranges and keys: what ties the rows of a bundle to signed notes, and the notes to the log.
//!
//! A range is `[first, size)` of one author's log. It begins at a batch boundary and ends at one: the end
//! note is the author's checkpoint of `size`; where `first` is not 0, the note of `first` is there too, and
//! the compact range before the first row leads to its root. The rows lead from there to the end note's root.
//! Only a log of which the first entries are gone ([`act::Begins`](crate::act::Begins)) begins without a note.

use serde::{Deserialize, Serialize};

use crate::bundle::row::Row;
use crate::bundle::{note_path, proof_path};
use crate::hash::Hash;
use crate::merkle::{CompactRange, ProofError};
use crate::name::Author;
use crate::note::VerifierKey;

/// Numbers `[first, size)` of one author, as listed in `proofs/ranges.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// `agent/<id>`, `collector` or `import/<source>`.
    pub author: String,
    /// Epoch of the key that signed the end note.
    pub epoch: u32,
    /// Number of the first row.
    pub first: u64,
    /// The number after the last row.
    pub size: u64,
    /// Roots of the full subtrees before the first row, largest first.
    pub compact_range_before: Vec<Subtree>,
    /// Path of the author's note of `size`.
    pub note: String,
    /// Path of the tlog-proof of that note.
    pub proof: String,
    /// The note of `first`; absent exactly when `first` is 0, or where the act that enrolled the author says that its
    /// log is known from there on only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Boundary>,
}

/// A full subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subtree {
    /// How many leaves, a power of two.
    pub size: u64,
    /// Its root.
    pub hash: Hash,
}

/// The author's note at the beginning of a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boundary {
    /// Epoch of the key that signed it.
    pub epoch: u32,
    /// Path of the note.
    pub note: String,
    /// Path of its tlog-proof.
    pub proof: String,
}

impl Range {
    /// A range with the fixed paths; `before_epoch` is the epoch of the note of `before.size()`.
    pub fn new(author: &Author, epoch: u32, before: &CompactRange, before_epoch: u32, size: u64) -> Self {
        let first = before.size();
        let boundary = (first > 0).then(|| Boundary {
            epoch: before_epoch,
            note: note_path(author, first),
            proof: proof_path(author, first),
        });
        Self {
            author: author.to_string(),
            epoch,
            first,
            size,
            compact_range_before: subtrees(before),
            note: note_path(author, size),
            proof: proof_path(author, size),
            before: boundary,
        }
    }

    /// The same range of a log of which everything before it is gone.
    #[must_use]
    pub fn known_from_here(self) -> Self {
        Self { before: None, ..self }
    }

    /// The compact range before the first row, if sizes and number of hashes fit `first`.
    pub fn compact_range(&self) -> Result<CompactRange, ProofError> {
        compact_range(self.first, &self.compact_range_before)
    }
}

impl RolledBy {
    /// The compact range before the entry, if sizes and number of hashes fit its number.
    pub fn compact_range(&self) -> Result<CompactRange, ProofError> {
        compact_range(self.number, &self.before)
    }
}

fn compact_range(size: u64, before: &[Subtree]) -> Result<CompactRange, ProofError> {
    let range = CompactRange::new(size, before.iter().map(|subtree| subtree.hash).collect())?;
    if subtrees(&range) == before { Ok(range) } else { Err(ProofError::RangeLength) }
}

/// A compact range as it is written in JSON.
pub fn subtrees(range: &CompactRange) -> Vec<Subtree> {
    range.subtrees().into_iter().map(|(size, hash)| Subtree { size, hash }).collect()
}

/// A key that signed notes, as listed in `proofs/keys.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedKey {
    /// Whose key.
    pub author: String,
    /// Its epoch.
    pub epoch: u32,
    /// The verifier key.
    pub key: String,
    /// The entry that enrolled it; absent for the collector, whose key stands in the trust file, and for every key
    /// that another one named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_by: Option<EntryRef>,
    /// The roll-over that named it, signed by the key of the epoch before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_by: Option<RolledBy>,
    /// The collector's act that revoked the author, with every epoch of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<ActRef>,
}

/// A roll-over: the entry, what ties it to its batch's note, and the note's place in the collector log.
///
/// `before` and the row's leaf lead to the root of `note`, which the key of the epoch before signed; a roll-over is
/// alone in its batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolledBy {
    /// The entry's number in the author's log.
    pub number: u64,
    /// The entry, its core disclosed.
    pub row: Row,
    /// Roots of the full subtrees before it, largest first.
    pub before: Vec<Subtree>,
    /// The author's note of `number + 1` entries.
    pub note: String,
    /// The note's index in the collector log.
    pub index: u64,
    /// From that leaf upwards to the final checkpoint's root.
    pub inclusion: Vec<Hash>,
}

/// Points to an act of the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActRef {
    /// Number in the collector's log.
    pub number: u64,
}

/// Points to an entry of an author's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRef {
    /// Whose log.
    pub author: String,
    /// Number in it.
    pub number: u64,
}

impl ListedKey {
    /// The collector's own key, which the trust file names.
    pub fn of_collector(epoch: u32, key: &VerifierKey) -> Self {
        Self::new(&Author::Collector, epoch, key)
    }

    fn new(author: &Author, epoch: u32, key: &VerifierKey) -> Self {
        Self {
            author: author.to_string(),
            epoch,
            key: key.to_string(),
            enrolled_by: None,
            rolled_by: None,
            revoked_by: None,
        }
    }

    /// A key that the collector's act of this number enrolled.
    pub fn enrolled(author: &Author, epoch: u32, key: &VerifierKey, act: u64) -> Self {
        let enrolled_by = EntryRef { author: Author::Collector.to_string(), number: act };
        Self { enrolled_by: Some(enrolled_by), ..Self::new(author, epoch, key) }
    }

    /// A key that the key of the epoch before named.
    pub fn rolled(author: &Author, epoch: u32, key: &VerifierKey, by: RolledBy) -> Self {
        Self { rolled_by: Some(by), ..Self::new(author, epoch, key) }
    }

    /// The same, of an author that the collector's act of this number revoked.
    #[must_use]
    pub fn revoked(self, act: u64) -> Self {
        Self { revoked_by: Some(ActRef { number: act }), ..self }
    }
}

/// A list as it is written to `proofs/ranges.json` or `proofs/keys.json`: one item a line.
pub fn to_json<T: Serialize>(items: &[T]) -> Result<Vec<u8>, serde_json::Error> {
    let lines = items.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("[\n{}\n]\n", lines.join(",\n")).into_bytes())
}
