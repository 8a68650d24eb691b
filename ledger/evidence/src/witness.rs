//! Witnessing (c2sp.org/tlog-witness add-checkpoint), without I/O: the request body and the rules.
//!
//! Body: `old <n>`, one base64 hash per line, an empty line, the checkpoint with the log's signature. The old
//! size must equal what the witness remembers, the proof must hold, and the new state must be durable BEFORE
//! the answer leaves: [`consider`] returns the state to persist, and only then may [`Accepted`] be answered.

use crate::checkpoint::{Checkpoint, cosign};
use crate::hash::Hash;
use crate::note::{NoteSigner, SignedNote, VerifierKey};
use crate::receipt::{ReceiptError, SeenCheckpoint};

/// An add-checkpoint request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size that the sender believes the witness remembers; 0 for none.
    pub old: u64,
    /// Consistency proof from `old`.
    pub proof: Vec<Hash>,
    /// The checkpoint note.
    pub checkpoint: String,
}

/// Why a witness refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// Not the form above.
    #[error("not an add-checkpoint request: {0}")]
    Form(&'static str),
    /// The old size is not what this witness remembers: the sender may ask again from there.
    #[error("conflict: this witness remembers size {0}")]
    Conflict(u64),
    /// The checkpoint does not continue what this witness remembers.
    #[error(transparent)]
    Inconsistent(#[from] ReceiptError),
}

impl AddCheckpoint {
    /// Reads a request body.
    pub fn parse(text: &str) -> Result<Self, WitnessError> {
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(WitnessError::Form("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).unwrap_or_default();
        let old: u64 = old
            .parse()
            .ok()
            .filter(|number: &u64| number.to_string() == old)
            .ok_or(WitnessError::Form("the first line is not `old <size>`"))?;
        let proof = lines.map(Hash::from_base64).collect::<Result<Vec<_>, _>>();
        let proof = proof.map_err(|_| WitnessError::Form("a line is not a hash in base64"))?;
        if proof.len() > 64 {
            return Err(WitnessError::Form("more than 64 hashes"));
        }
        Ok(Self { old, proof, checkpoint: checkpoint.to_owned() })
    }
}

impl std::fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// A checkpoint that may be cosigned once its state is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    text: String,
}

impl Accepted {
    /// The cosignature line at a time (unix seconds).
    pub fn cosign(&self, time: u64, witness: &NoteSigner) -> String {
        cosign(&self.text, time, witness)
    }
}

/// Applies the witness rules: the state to persist, and what may be answered after that.
pub fn consider(
    remembered: Option<&SeenCheckpoint>,
    request: &AddCheckpoint,
    log: &VerifierKey,
) -> Result<(SeenCheckpoint, Accepted), WitnessError> {
    let known = remembered.map_or(0, |seen| seen.checkpoint().size);
    if request.old != known {
        return Err(WitnessError::Conflict(known));
    }
    if request.old == 0 && !request.proof.is_empty() {
        return Err(WitnessError::Form("a proof from size 0 is empty"));
    }
    let seen = SeenCheckpoint::advance(remembered, request.checkpoint.as_bytes(), &request.proof, log)?;
    let text = SignedNote::parse(request.checkpoint.as_bytes()).map(|note| note.text().to_owned());
    let text = text.map_err(|_| WitnessError::Form("the checkpoint is not a signed note"))?;
    Ok((seen, Accepted { text }))
}

/// The checkpoint of a request as it claims to be, unverified: for logs and refusals.
pub fn claimed(request: &AddCheckpoint) -> Option<Checkpoint> {
    Checkpoint::unverified(request.checkpoint.as_bytes()).ok()
}
