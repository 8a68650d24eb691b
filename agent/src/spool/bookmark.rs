//! How far what can be read again is durable, carried by the frames that hold the events: the position of the last
//! recorded event, and the place in each channel of the event log of Windows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ntk_evidence::hash::Hash;
use serde::{Deserialize, Serialize};

use crate::sensor::event_log::{Passed, Place};
use crate::sensor::recorded::Position;

/// How far recordings and channels are told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    /// The position in recordings.
    #[serde(flatten)]
    pub recorded: Option<Recorded>,
    /// The place in each channel.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, Place>,
}

/// The position of an event in the recordings that were configured then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Hash of the names of the files up to the one that holds the position.
    pub list: String,
    /// The position.
    pub position: Position,
}

impl Bookmark {
    /// The event at this position of these files is told.
    pub fn pass_recorded(&mut self, files: &[PathBuf], position: Position) {
        self.recorded = Some(Recorded { list: list(files, position), position });
    }

    /// A channel is told so far.
    pub fn pass_channel(&mut self, passed: Passed) {
        self.channels.insert(passed.channel, passed.place);
    }

    /// The position, if the files up to it are still the same ones; other files are played from their beginning.
    pub fn position_in(&self, files: &[PathBuf]) -> Option<Position> {
        let recorded = self.recorded.as_ref()?;
        (recorded.list == list(files, recorded.position)).then_some(recorded.position)
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
        let mut bookmark = Bookmark::default();
        bookmark.pass_recorded(&files[..2], position);
        assert_eq!(bookmark.position_in(&files), Some(position), "one was added behind it");
        assert_eq!(bookmark.position_in(&files[1..]), None, "another list");
        let text = encode(Some(&bookmark));
        assert!(text.starts_with(br#"{"list":""#), "as it was written before there were channels");
        assert_eq!(decode(&text), Some(Some(bookmark.clone())));
        let place = Place { record: 7, at: "2026".into(), more: 0 };
        bookmark.pass_channel(Passed { channel: "Security".into(), place });
        assert_eq!(decode(&encode(Some(&bookmark))), Some(Some(bookmark.clone())));
        bookmark.recorded = None;
        assert_eq!(decode(&encode(Some(&bookmark))), Some(Some(bookmark)));
        assert_eq!((decode(b""), decode(b"{")), (Some(None), None));
    }
}
