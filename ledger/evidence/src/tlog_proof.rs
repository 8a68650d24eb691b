//! Transferable proofs (c2sp.org/tlog-proof@v1): one text that shows a batch note in the collector log.
//!
//! `c2sp.org/tlog-proof@v1` / `index <i>` / hashes from the leaf upwards, one per line in base64 / an empty
//! line / the checkpoint with its cosignatures.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::merkle::{ProofError, leaf_hash, verify_inclusion};
use crate::note::VerifierKey;

const MAGIC: &str = "c2sp.org/tlog-proof@v1";

/// A proof as read; nothing is checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Index of the leaf.
    pub index: u64,
    /// From the leaf upwards.
    pub hashes: Vec<Hash>,
    /// The checkpoint note with its signatures.
    pub checkpoint: String,
}

/// A proof cannot be read or does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Not the form above.
    #[error("not a tlog-proof: {0}")]
    Form(&'static str),
    /// The checkpoint does not verify.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The hashes do not lead to the checkpoint's root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl TlogProof {
    /// Reads the text.
    pub fn parse(text: &str) -> Result<Self, TlogProofError> {
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(TlogProofError::Form("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(MAGIC) {
            return Err(TlogProofError::Form("the first line is not c2sp.org/tlog-proof@v1"));
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).unwrap_or_default();
        let index: u64 = index
            .parse()
            .ok()
            .filter(|number: &u64| number.to_string() == index)
            .ok_or(TlogProofError::Form("the second line is not `index <number>`"))?;
        let hashes = lines.map(Hash::from_base64).collect::<Result<Vec<_>, _>>();
        let hashes = hashes.map_err(|_| TlogProofError::Form("a line is not a hash in base64"))?;
        if hashes.len() > 64 {
            return Err(TlogProofError::Form("more than 64 hashes"));
        }
        Ok(Self { index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that a leaf with this data stands in the log of this key.
    pub fn verify(&self, leaf_data: &[u8], log: &VerifierKey) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = Checkpoint::verify(self.checkpoint.as_bytes(), log)?;
        verify_inclusion(&leaf_hash(leaf_data), self.index, checkpoint.size, &self.hashes, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl std::fmt::Display for TlogProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{MAGIC}\nindex {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
