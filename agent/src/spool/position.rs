//! How far the collector acknowledged, the newest receipt whole, and the newest checkpoint of its log that this machine
//! has seen.
//!
//! INVARIANT SP-4: the file is durable before anything is deleted, and before a checkpoint counts as seen towards
//! the collector. What it remembers never shrinks. A lost file loses nothing that waits: everything counts as not
//! yet released, and the log gets an entry that says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::hash::Hash;
use ntk_evidence::note::VerifierKey;
use ntk_evidence::receipt::{Receipt, SeenCheckpoint};
use ntk_evidence::tlog_proof::TlogProof;
use serde::{Deserialize, Serialize};

use crate::whole_file::{Files, Readable};

/// The position could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum PositionError {
    /// Not written.
    #[error(
        "could not write `{path}`; nothing is released until it can be: check free space and the disk's health"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Not read.
    #[error("could not read `{path}`; check its permissions and the disk's health")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// Acknowledged entries, and the collector log as last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Entries `[0, released)` are acknowledged by a receipt that verified.
    pub released: u64,
    /// The newest checkpoint of the collector log that verified.
    pub seen: Option<SeenCheckpoint>,
    /// The receipt that released so much: it proves without collector and agent what was acknowledged.
    pub receipt: Option<Arc<KeptReceipt>>,
}

/// A receipt that verified, with the note that it acknowledges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptReceipt {
    /// How many entries of this machine it acknowledges.
    pub size: u64,
    /// This machine's note of that size.
    pub note: String,
    /// Index of the note in the collector log.
    pub leaf_index: u64,
    /// From the leaf upwards.
    pub inclusion: Vec<Hash>,
    /// The log's checkpoint note.
    pub checkpoint: String,
}

impl KeptReceipt {
    /// A receipt that verified for this note.
    pub fn new(size: u64, note: &[u8], receipt: &Receipt) -> Self {
        Self {
            size,
            note: String::from_utf8_lossy(note).into_owned(),
            leaf_index: receipt.leaf_index,
            inclusion: receipt.inclusion.clone(),
            checkpoint: String::from_utf8_lossy(&receipt.checkpoint).into_owned(),
        }
    }

    /// The proof in the form that other programs read: c2sp.org/tlog-proof@v1.
    pub fn proof(&self) -> TlogProof {
        let (index, hashes) = (self.leaf_index, self.inclusion.clone());
        TlogProof { index, hashes, checkpoint: self.checkpoint.clone() }
    }

    fn verifies(&self, log_key: &VerifierKey) -> bool {
        let speaks = Checkpoint::unverified(self.note.as_bytes()).is_ok_and(|note| note.size == self.size);
        speaks && self.proof().verify(self.note.as_bytes(), log_key).is_ok()
    }
}

impl Position {
    /// Size of the collector log that is remembered; 0 for none.
    pub fn log_size(&self) -> u64 {
        self.seen.as_ref().map_or(0, |seen| seen.checkpoint().size)
    }

    /// Takes over what is newer in the other one.
    pub fn merge(&mut self, newer: Self) {
        self.released = self.released.max(newer.released);
        if newer.log_size() >= self.log_size() && newer.seen.is_some() {
            self.seen = newer.seen;
        }
        let size = |receipt: &Option<Arc<KeptReceipt>>| receipt.as_ref().map_or(0, |receipt| receipt.size);
        if newer.receipt.is_some() && size(&newer.receipt) >= size(&self.receipt) {
            self.receipt = newer.receipt;
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    released: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt: Option<KeptReceipt>,
}

/// What was found at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// The position.
    Known(Position),
    /// There is no file: the first start, or it was removed.
    None,
    /// There is a file that cannot be believed.
    Damaged,
}

/// The file.
#[derive(Clone, Debug)]
pub struct PositionFile {
    path: PathBuf,
}

impl PositionFile {
    /// The file in the spool's folder.
    pub fn of(spool: &Path) -> Self {
        Self { path: spool.join("position.json") }
    }

    /// Reads it; the checkpoint's signature is checked again.
    pub fn read(&self, files: &dyn Files, log_key: &VerifierKey) -> Result<Recalled, PositionError> {
        let content = files
            .read(&self.path)
            .map_err(|source| PositionError::Read { path: self.path.clone(), source })?;
        let Some(content) = content else { return Ok(Recalled::None) };
        let Ok(written) = serde_json::from_slice::<Written>(&content) else { return Ok(Recalled::Damaged) };
        let seen = match written.checkpoint.map(|note| SeenCheckpoint::recall(note.as_bytes(), log_key)) {
            None => None,
            Some(Ok(seen)) => Some(seen),
            Some(Err(_)) => return Ok(Recalled::Damaged),
        };
        if written.receipt.as_ref().is_some_and(|receipt| !receipt.verifies(log_key)) {
            return Ok(Recalled::Damaged);
        }
        Ok(Recalled::Known(Position {
            released: written.released,
            seen,
            receipt: written.receipt.map(Arc::new),
        }))
    }

    /// Writes it, durably.
    pub fn write(&self, files: &dyn Files, position: &Position) -> Result<(), PositionError> {
        let checkpoint = position.seen.as_ref().map(|seen| String::from_utf8_lossy(seen.note()).into_owned());
        let written = Written {
            released: position.released,
            checkpoint,
            receipt: position.receipt.as_deref().cloned(),
        };
        let failed = |source| PositionError::Write { path: self.path.clone(), source };
        let content = serde_json::to_vec(&written).map_err(|error| failed(error.into()))?;
        files.replace(&self.path, &content, Readable::ByOwner).map_err(failed)
    }
}
