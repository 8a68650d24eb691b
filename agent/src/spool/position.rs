//! How far the collector acknowledged, and the newest checkpoint of its log that this machine has seen.
//!
//! INVARIANT SP-4: the file is durable before anything is deleted, and before a checkpoint counts as seen towards
//! the collector. What it remembers never shrinks. A lost file loses nothing that waits: everything counts as not
//! yet released, and the log gets an entry that says so.

use std::path::{Path, PathBuf};

use ntk_evidence::note::VerifierKey;
use ntk_evidence::receipt::SeenCheckpoint;
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
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    released: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
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
        Ok(Recalled::Known(Position { released: written.released, seen }))
    }

    /// Writes it, durably.
    pub fn write(&self, files: &dyn Files, position: &Position) -> Result<(), PositionError> {
        let checkpoint = position.seen.as_ref().map(|seen| String::from_utf8_lossy(seen.note()).into_owned());
        let written = Written { released: position.released, checkpoint };
        let failed = |source| PositionError::Write { path: self.path.clone(), source };
        let content = serde_json::to_vec(&written).map_err(|error| failed(error.into()))?;
        files.replace(&self.path, &content, Readable::ByOwner).map_err(failed)
    }
}
