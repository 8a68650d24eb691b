//! How far the collector acknowledged, the newest receipt whole, and the newest checkpoint of its log that this machine
//! has seen.
//!
//! INVARIANT SP-4: the file is durable before anything is deleted, and before a checkpoint counts as seen towards
//! the collector. What it remembers never shrinks. A lost file loses nothing that waits: everything counts as not
//! yet released, and the log gets an entry that says so.
//!
//! What it remembers of a log is void where the practice key says that the log was closed below that and put back
//! ([`Position::under`]): that is worked out of the trust file at every start, so one durable write of that file is enough.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::hash::Hash;
use ntk_evidence::receipt::{Receipt, SeenCheckpoint};
use ntk_evidence::tlog_proof::TlogProof;
use ntk_evidence::trust::TrustFile;
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
    /// How many announced restores of the collector are taken in.
    pub restores: usize,
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

    fn verifies(&self, trust: &TrustFile) -> bool {
        let speaks = Checkpoint::unverified(self.note.as_bytes()).is_ok_and(|note| note.size == self.size);
        speaks && trust.logs().any(|log| self.proof().verify(self.note.as_bytes(), log).is_ok())
    }

    /// Leaves of the log that it shows.
    fn log_size(&self) -> u64 {
        Checkpoint::unverified(self.checkpoint.as_bytes()).map_or(u64::MAX, |checkpoint| checkpoint.size)
    }
}

impl Position {
    /// Size of the collector log that is remembered; 0 for none.
    pub fn log_size(&self) -> u64 {
        self.seen.as_ref().map_or(0, |seen| seen.checkpoint().size)
    }

    /// The position as the practice key's announcements leave it: what is remembered of a closed log beyond its end is void,
    /// so what only that acknowledged counts as not yet released.
    #[must_use]
    pub fn under(mut self, trust: &TrustFile) -> Self {
        let closed = trust.restored.get(self.restores..).unwrap_or_default();
        // The tree that goes on leads back to where a log was closed lowest.
        let Some(lowest) = closed.iter().min_by_key(|closed| closed.size) else { return self };
        if self.log_size() > lowest.size {
            self.receipt = self.receipt.filter(|receipt| receipt.log_size() <= lowest.size);
            self.released = self.receipt.as_ref().map_or(0, |receipt| receipt.size);
            self.seen = None;
        }
        self.seen = self.seen.or_else(|| Some(SeenCheckpoint::announced(lowest)));
        self.restores = trust.restored.len();
        self
    }

    /// Takes over what is newer in the other one. One that knows of another restore is newer as a whole.
    pub fn merge(&mut self, newer: Self) {
        if newer.restores != self.restores {
            if newer.restores > self.restores {
                *self = newer;
            }
            return;
        }
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
    #[serde(default, skip_serializing_if = "is_zero")]
    restores: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(n: &usize) -> bool {
    *n == 0
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

    /// Reads it; the checkpoint's signature is checked again. What announced restores make of it is worked out here.
    pub fn read(&self, files: &dyn Files, trust: &TrustFile) -> Result<Recalled, PositionError> {
        let content = files
            .read(&self.path)
            .map_err(|source| PositionError::Read { path: self.path.clone(), source })?;
        let Some(content) = content else { return Ok(Recalled::None) };
        let Ok(written) = serde_json::from_slice::<Written>(&content) else { return Ok(Recalled::Damaged) };
        let recall =
            |note: &String| trust.logs().find_map(|log| SeenCheckpoint::recall(note.as_bytes(), log).ok());
        let seen = written.checkpoint.as_ref().map(recall);
        if seen == Some(None) || written.receipt.as_ref().is_some_and(|receipt| !receipt.verifies(trust)) {
            return Ok(Recalled::Damaged);
        }
        let position = Position {
            released: written.released,
            seen: seen.flatten(),
            receipt: written.receipt.map(Arc::new),
            restores: written.restores,
        };
        // Whoever took a restore in and has heard nothing since remembers the announcement alone.
        let announced = trust.restored.iter().take(position.restores).min_by_key(|closed| closed.size);
        let seen = position.seen.clone().or_else(|| announced.map(SeenCheckpoint::announced));
        Ok(Recalled::Known(Position { seen, ..position }.under(trust)))
    }

    /// Writes it, durably.
    pub fn write(&self, files: &dyn Files, position: &Position) -> Result<(), PositionError> {
        let noted = position.seen.as_ref().filter(|seen| !seen.note().is_empty());
        let checkpoint = noted.map(|seen| String::from_utf8_lossy(seen.note()).into_owned());
        let written = Written {
            released: position.released,
            checkpoint,
            receipt: position.receipt.as_deref().cloned(),
            restores: position.restores,
        };
        let failed = |source| PositionError::Write { path: self.path.clone(), source };
        let content = serde_json::to_vec(&written).map_err(|error| failed(error.into()))?;
        files.replace(&self.path, &content, Readable::ByOwner).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use ntk_evidence::note::{KeyType, NoteSigner};
    use ntk_evidence::trust::restored::Restored;

    use super::*;
    use crate::identity::tests::{SLUG, log_signer, practice, trust_file};
    use crate::whole_file::RealFiles;

    fn checkpoint(size: u64) -> Checkpoint {
        Checkpoint { origin: format!("{SLUG}/log"), size, root: Hash::of(&size.to_be_bytes()) }
    }

    fn seen(size: u64) -> SeenCheckpoint {
        let note = checkpoint(size).sign(&log_signer()).unwrap();
        SeenCheckpoint::recall(note.as_bytes(), log_signer().verifier()).unwrap()
    }

    /// The receipt of the only leaf of a log.
    fn receipt(size: u64) -> KeptReceipt {
        let note = Checkpoint { origin: format!("{SLUG}/agent/ws-01"), size, root: Hash::of(b"entries") };
        let note = note.sign(&practice()).unwrap();
        let root = ntk_evidence::merkle::leaf_hash(note.as_bytes());
        let log = Checkpoint { size: 1, root, ..checkpoint(1) }.sign(&log_signer()).unwrap();
        KeptReceipt { size, note, leaf_index: 0, inclusion: Vec::new(), checkpoint: log }
    }

    /// The trust file after the log was closed at each of these sizes.
    fn closed_at(sizes: &[u64]) -> TrustFile {
        let key = |name: &str, seed: u8| {
            NoteSigner::new(&format!("{SLUG}/{name}"), KeyType::Ed25519, &[seed; 32])
                .unwrap()
                .verifier()
                .clone()
        };
        let mut trust = trust_file();
        for (size, seed) in sizes.iter().zip(100u8..) {
            trust.restored.push(Restored {
                made: "2026-11-22T15:00:00Z".to_owned(),
                size: *size,
                root: checkpoint(*size).root,
                log: trust.log.clone(),
                collector: trust.collector.clone(),
                why: "the disk broke".to_owned(),
            });
            (trust.log, trust.collector) = (key("log", seed), key("collector", seed + 50));
        }
        trust
    }

    fn position(released: u64, size: u64) -> Position {
        Position { released, seen: Some(seen(size)), ..Position::default() }
    }

    #[test]
    fn what_is_remembered_beyond_where_the_log_was_closed_is_void_and_what_is_below_stays() {
        let beyond = position(7, 10).under(&closed_at(&[4]));
        assert_eq!((beyond.released, beyond.log_size(), beyond.restores), (0, 4, 1));
        assert_eq!(beyond.seen.unwrap(), SeenCheckpoint::announced(&closed_at(&[4]).restored[0]));
        let below = position(7, 4).under(&closed_at(&[4]));
        assert_eq!((below.released, below.seen, below.restores), (7, Some(seen(4)), 1));
        // A receipt of the part that was put back still releases.
        let acknowledged =
            Position { receipt: Some(Arc::new(receipt(5))), ..position(7, 10) }.under(&closed_at(&[4]));
        assert_eq!((acknowledged.released, acknowledged.log_size()), (5, 4));
        // Twice, the second time from an older copy: the lower end is the one that the tree goes on from.
        let twice = position(7, 10).under(&closed_at(&[6, 3]));
        assert_eq!((twice.released, twice.log_size(), twice.restores), (0, 3, 2));
        let again = twice.clone().under(&closed_at(&[6, 3]));
        assert_eq!(again, twice, "taken in once");
    }

    #[test]
    fn a_position_that_knows_of_a_restore_is_not_overtaken_by_one_that_does_not() {
        let mut now = position(7, 10).under(&closed_at(&[4]));
        let set_back = now.clone();
        now.merge(position(9, 12));
        assert_eq!(now, set_back);
        let mut old = position(9, 12);
        old.merge(set_back.clone());
        assert_eq!(old, set_back);
    }

    #[test]
    fn a_start_between_the_trust_file_and_the_position_takes_the_restore_in() {
        let scratch = tempfile::tempdir().unwrap();
        let file = PositionFile::of(scratch.path());
        file.write(&RealFiles, &position(7, 10)).unwrap();
        let trust = closed_at(&[4]);
        let taken = position(7, 10).under(&trust);
        assert_eq!(file.read(&RealFiles, &trust).unwrap(), Recalled::Known(taken.clone()));
        file.write(&RealFiles, &taken).unwrap();
        assert_eq!(file.read(&RealFiles, &trust).unwrap(), Recalled::Known(taken));
        // Without the practice key's word the log of another key is nobody's.
        let mut silent = closed_at(&[4]);
        silent.restored.clear();
        file.write(&RealFiles, &position(7, 10)).unwrap();
        assert_eq!(file.read(&RealFiles, &silent).unwrap(), Recalled::Damaged);
    }
}
