//! What install put where, and what was there before: so that uninstall removes what is ours and nothing else.
//!
//! `DIR/install.json`, 0600, written whole before the step that it is about. A file is ours if it is, byte for byte, one that
//! an install wrote: its SHA-256 stands here. One that somebody changed since is theirs.

use std::path::Path;

use ntk_evidence::hash::Hash;
use serde::{Deserialize, Serialize};

/// Name of the record below the agent's folder.
pub(super) const NAME: &str = "install.json";

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    /// Where, as the machine names it.
    pub(super) path: String,
    /// SHA-256 of everything that installs wrote there, hex; the last one is the newest.
    pub(super) sha256: Vec<String>,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The files.
    pub(super) files: Vec<Written>,
    /// Whether `[sensor] sealed` was set before an install set it; none where no install did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) was_sealed: Option<bool>,
    /// Something was changed, and the service has not been started with it yet.
    #[serde(default)]
    pub(super) is_pending: bool,
}

impl Record {
    /// Reads one; a damaged one is none, so that nothing is taken for ours.
    pub(super) fn parse(bytes: Option<&[u8]>) -> Self {
        bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
    }

    /// Takes down what is about to be written.
    pub(super) fn note(&mut self, path: &Path, content: &[u8]) {
        self.is_pending = true;
        let (path, hash) = (path.to_string_lossy().into_owned(), Hash::of(content).to_hex());
        let place = self.files.iter().position(|file| file.path == path);
        match place.and_then(|place| self.files.get_mut(place)) {
            Some(file) => {
                file.sha256.retain(|known| *known != hash);
                file.sha256.push(hash);
            }
            None => self.files.push(Written { path, sha256: vec![hash] }),
        }
    }

    /// Whether an install wrote something there, whatever became of it.
    pub(super) fn names(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    /// Whether an install wrote this there.
    pub(super) fn wrote(&self, path: &Path, content: &[u8]) -> bool {
        let (path, hash) = (path.to_string_lossy(), Hash::of(content).to_hex());
        self.files.iter().any(|file| file.path == path && file.sha256.contains(&hash))
    }
}
