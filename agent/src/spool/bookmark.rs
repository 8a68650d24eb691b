//! How far recordings are durable: the position of the last recorded event, carried by the frames that hold it.

use std::path::PathBuf;

use ntk_evidence::hash::Hash;
use serde::{Deserialize, Serialize};

use crate::sensor::recorded::Position;

/// The position of an event in the recordings that were configured then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    /// Hash of the names of the files up to the one that holds the position.
    pub list: String,
    /// The position.
    pub position: Position,
}

impl Bookmark {
    /// The bookmark of an event of these files.
    pub fn new(files: &[PathBuf], position: Position) -> Self {
        Self { list: list(files, position), position }
    }

    /// The position, if the files up to it are still the same ones; other files are played from their beginning.
    pub fn position_in(&self, files: &[PathBuf]) -> Option<Position> {
        (self.list == list(files, self.position)).then_some(self.position)
    }
}

fn list(files: &[PathBuf], position: Position) -> String {
    let n_files = usize::try_from(position.file).unwrap_or(usize::MAX).saturating_add(1);
    let names: Vec<String> = files.iter().take(n_files).map(|file| format!("{}\n", file.display())).collect();
    Hash::of(names.concat().as_bytes()).to_hex()
}

/// For a COMMIT; nothing where there is no recording.
pub(super) fn encode(bookmark: Option<&Bookmark>) -> Vec<u8> {
    bookmark.and_then(|bookmark| serde_json::to_vec(bookmark).ok()).unwrap_or_default()
}

/// The bookmark of a COMMIT; `None` for what no agent writes.
pub(super) fn decode(bytes: &[u8]) -> Option<Option<Bookmark>> {
    if bytes.is_empty() { Some(None) } else { serde_json::from_slice(bytes).ok().map(Some) }
}

/// What the agent keeps in a STATE beside its author.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Decided {
    /// When the segment began: the one before is no younger.
    pub(super) began_unix_ns: i64,
    /// The bookmark at its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recorded: Option<Bookmark>,
}

impl Decided {
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookmark_counts_as_long_as_the_files_up_to_it_are_the_same() {
        let files: Vec<PathBuf> = ["a", "b", "c"].map(PathBuf::from).into();
        let position = Position { file: 1, offset: 7, nth: 0 };
        let bookmark = Bookmark::new(&files[..2], position);
        assert_eq!(bookmark.position_in(&files), Some(position), "one was added behind it");
        assert_eq!(bookmark.position_in(&files[1..]), None, "another list");
        assert_eq!(decode(&encode(Some(&bookmark))), Some(Some(bookmark)));
        assert_eq!((decode(b""), decode(b"{")), (Some(None), None));
    }
}
