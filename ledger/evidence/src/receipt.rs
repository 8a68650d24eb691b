//! Receipts: the collector's transferable proof that a batch stands in its log.
//!
//! A receipt holds the leaf's index, its inclusion proof, the log's signed checkpoint, and the consistency
//! proof from the size that this agent remembers. Only a receipt that verified lets an agent release a batch
//! (UP-1), and what it remembers never shrinks: a lower or inconsistent checkpoint is evidence, not an error
//! to retry.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::merkle::{ProofError, leaf_hash, verify_consistency, verify_inclusion};
use crate::note::VerifierKey;
use crate::trust::restored::Restored;

/// What the collector answers to a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Index of the batch note in the collector log.
    pub leaf_index: u64,
    /// From the leaf upwards.
    pub inclusion: Vec<Hash>,
    /// The log's checkpoint note.
    pub checkpoint: Vec<u8>,
    /// From the size that the agent remembers; empty where it remembers nothing or the same size.
    pub consistency: Vec<Hash>,
}

/// Why a receipt or checkpoint is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The checkpoint's note does not verify.
    #[error("the collector's checkpoint does not verify: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The batch is not where the receipt says.
    #[error("the receipt does not show the batch in the log: {0}")]
    NotIncluded(ProofError),
    /// The log is smaller than what was seen before.
    #[error("the collector's log has {now} leaves where {remembered} were seen before: it was rolled back")]
    RolledBack {
        /// Size in the checkpoint.
        now: u64,
        /// Size seen before.
        remembered: u64,
    },
    /// The log is not an extension of what was seen before: two trees of one log.
    #[error("the collector's log does not continue the one seen before: {0}")]
    Forked(ProofError),
}

/// The newest checkpoint of the collector log that verified, with its note.
///
/// Made only by checking ([`Self::advance`], [`Receipt::verify`]); a stored one is read back with
/// [`Self::recall`], which checks the signature again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenCheckpoint {
    checkpoint: Checkpoint,
    note: Vec<u8>,
}

impl SeenCheckpoint {
    /// Reads back a note that was stored after it had verified.
    pub fn recall(note: &[u8], log: &VerifierKey) -> Result<Self, ReceiptError> {
        Ok(Self { checkpoint: Checkpoint::verify(note, log)?, note: note.to_vec() })
    }

    /// What the practice key says of a log that was put back: where the one before was closed. No note of a log vouches for
    /// it, so there is none.
    pub fn announced(closed: &Restored) -> Self {
        let checkpoint =
            Checkpoint { origin: closed.log.name().to_owned(), size: closed.size, root: closed.root };
        Self { checkpoint, note: Vec::new() }
    }

    /// Accepts a newer checkpoint if it continues the one seen before.
    pub fn advance(
        before: Option<&Self>,
        note: &[u8],
        consistency: &[Hash],
        log: &VerifierKey,
    ) -> Result<Self, ReceiptError> {
        let checkpoint = Checkpoint::verify(note, log)?;
        if let Some(before) = before.map(|seen| &seen.checkpoint).filter(|seen| seen.size > 0) {
            if checkpoint.size < before.size {
                return Err(ReceiptError::RolledBack { now: checkpoint.size, remembered: before.size });
            }
            verify_consistency(before.size, checkpoint.size, consistency, &before.root, &checkpoint.root)
                .map_err(ReceiptError::Forked)?;
        }
        Ok(Self { checkpoint, note: note.to_vec() })
    }

    /// Size and root.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note, for storing; empty where an announced restore is all that is known.
    pub fn note(&self) -> &[u8] {
        &self.note
    }
}

impl Receipt {
    /// Checks that the batch with this note is in the log, and that the log continues the one seen before.
    pub fn verify(
        &self,
        batch_note: &[u8],
        before: Option<&SeenCheckpoint>,
        log: &VerifierKey,
    ) -> Result<SeenCheckpoint, ReceiptError> {
        let seen = SeenCheckpoint::advance(before, &self.checkpoint, &self.consistency, log)?;
        self.includes(batch_note, &seen.checkpoint)?;
        Ok(seen)
    }

    /// Checks only that the batch is in the log of this checkpoint: for a receipt older than what was seen since.
    pub fn includes(&self, batch_note: &[u8], checkpoint: &Checkpoint) -> Result<(), ReceiptError> {
        verify_inclusion(
            &leaf_hash(batch_note),
            self.leaf_index,
            checkpoint.size,
            &self.inclusion,
            &checkpoint.root,
        )
        .map_err(ReceiptError::NotIncluded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{KeyType, NoteSigner};
    use crate::tree::{MemoryTree, consistency_proof, inclusion_proof, root};

    const NOTES: [&[u8]; 5] = [b"n0", b"n1", b"n2", b"n3", b"n4"];

    fn receipt(tree: &MemoryTree, index: u64, size: u64, from: u64, signer: &NoteSigner) -> Receipt {
        let checkpoint = Checkpoint { origin: "maple/log".into(), size, root: root(tree, size).unwrap() };
        Receipt {
            leaf_index: index,
            inclusion: inclusion_proof(tree, index, size).unwrap(),
            checkpoint: checkpoint.sign(signer).unwrap().into_bytes(),
            consistency: if from == 0 || from == size {
                Vec::new()
            } else {
                consistency_proof(tree, from, size).unwrap()
            },
        }
    }

    #[test]
    fn a_receipt_shows_its_batch_in_a_log_that_only_grows() {
        let signer = NoteSigner::new("maple/log", KeyType::Ed25519, &[1; 32]).unwrap();
        let log = signer.verifier();
        let tree = MemoryTree::of(NOTES.iter().map(|note| leaf_hash(note)));
        let first = receipt(&tree, 1, 3, 0, &signer).verify(NOTES[1], None, log).unwrap();
        let second = receipt(&tree, 4, 5, 3, &signer).verify(NOTES[4], Some(&first), log).unwrap();
        assert_eq!(second.checkpoint().size, 5);

        let other_batch = receipt(&tree, 1, 3, 0, &signer).verify(NOTES[2], None, log);
        assert!(matches!(other_batch, Err(ReceiptError::NotIncluded(_))));
        let back = receipt(&tree, 1, 3, 0, &signer).verify(NOTES[1], Some(&second), log);
        assert_eq!(back, Err(ReceiptError::RolledBack { now: 3, remembered: 5 }));
        let forked = MemoryTree::of([b"n0", b"xx", b"n2", b"n3"].iter().map(|note| leaf_hash(*note)));
        let fork = receipt(&forked, 3, 4, 3, &signer).verify(b"n3", Some(&first), log);
        assert!(matches!(fork, Err(ReceiptError::Forked(_))));
        let stranger = NoteSigner::new("maple/log", KeyType::Ed25519, &[2; 32]).unwrap();
        let unsigned = receipt(&tree, 1, 3, 0, &stranger).verify(NOTES[1], None, log);
        assert!(matches!(unsigned, Err(ReceiptError::Checkpoint(_))));
    }
}
