//! When the rows of a bundle came into the collector log: its time-stamps, the acts that hold them, and the notes that
//! place rows between them. Read from the bundle's own files, so that who makes it and who checks it get one answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::act;
use crate::bundle::bag::Files;
use crate::bundle::range::Range;
use crate::bundle::row::Row;
use crate::bundle::{PLACED, RANGES, TIME_STAMPS};
use crate::hash::Hash;
use crate::name::Author;
use crate::time_stamp::TimeStamp;
use crate::time_stamp::bracket::{Bracket, Stamped};
use crate::time_stamp::placed::{PlacedNote, Placements, brackets_csv};
use crate::tlog_proof::TlogProof;

/// A time-stamp as the collector's act holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Number of the act in the collector's own log.
    pub act: u64,
    /// SHA-256 of the checkpoint note that was stamped.
    pub imprint: Hash,
    /// The request, verbatim; absent where it was not kept.
    pub request: Option<Vec<u8>>,
    /// The response, verbatim.
    pub response: Vec<u8>,
}

impl Recorded {
    /// The time-stamps among the collector's disclosed rows.
    pub fn among(rows: &[Row]) -> Vec<Self> {
        rows.iter().filter_map(Self::of).collect()
    }

    fn of(row: &Row) -> Option<Self> {
        let event = row.event().ok()??;
        if event.kind.as_str() != act::kind::TIME_STAMP {
            return None;
        }
        let body = act::body(&event)?;
        let bytes = |key: &str| STANDARD.decode(body.get(key)?.as_str()?).ok();
        Some(Self {
            act: row.number(),
            imprint: Hash::of(body.get("note")?.as_str()?.as_bytes()),
            request: bytes("request"),
            response: bytes("response")?,
        })
    }
}

/// What a bundle knows of the times at which its rows were received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    ranges: Vec<(Author, u64, u64)>,
    placements: Placements,
    stamps: Vec<Stamped>,
}

impl Received {
    /// Reads it from a bundle's files; `collector` are the collector's rows. What cannot be read proves nothing.
    pub fn read(files: &Files, collector: &[Row]) -> Self {
        let mut read = Self::default();
        let ranges = files.get(RANGES).and_then(|bytes| serde_json::from_slice::<Vec<Range>>(bytes).ok());
        for range in ranges.unwrap_or_default() {
            let Ok(author) = Author::parse(&range.author) else { continue };
            for (size, proof) in std::iter::once((range.size, &range.proof))
                .chain(range.before.iter().map(|before| (range.first, &before.proof)))
            {
                let text = files.get(proof.as_str()).and_then(|bytes| std::str::from_utf8(bytes).ok());
                if let Some(proof) = text.and_then(|text| TlogProof::parse(text).ok()) {
                    read.placements.insert(&author, size, proof.index);
                }
            }
            read.ranges.push((author, range.first, range.size));
        }
        for placed in placed_notes(files).unwrap_or_default() {
            if let Ok(author) = Author::parse(&placed.author) {
                read.placements.insert(&author, placed.size, placed.index);
            }
        }
        let recorded = Recorded::among(collector);
        for (size, response) in responses(files) {
            let Ok(stamp) = TimeStamp::parse(response) else { continue };
            let act =
                recorded.iter().find(|recorded| recorded.response == response).map(|recorded| recorded.act);
            let recorded = act.and_then(|act| read.placements.at_most(&Author::Collector, act));
            read.stamps.push(Stamped { size, time: stamp.time, recorded });
        }
        read
    }

    /// Whether an act shows of any time-stamp where in the log it was recorded.
    pub fn has_recorded(&self) -> bool {
        self.stamps.iter().any(|stamp| stamp.recorded.is_some())
    }

    /// The authority's newest time, with the size of the log that it speaks of.
    pub fn newest(&self) -> Option<&Stamped> {
        self.stamps.iter().max_by_key(|stamp| (stamp.time, stamp.size))
    }

    /// Between which times an entry came into the log.
    pub fn bracket(&self, author: &Author, number: u64) -> Bracket {
        self.placements.bracket(&self.stamps, author, number)
    }

    /// `proofs/brackets.csv`.
    pub fn csv(&self) -> String {
        brackets_csv(&self.ranges, &self.placements, &self.stamps)
    }
}

/// The responses of a bundle by the size in their path.
fn responses(files: &Files) -> impl Iterator<Item = (u64, &[u8])> {
    let below = files.range(TIME_STAMPS.to_owned()..).take_while(|(path, _)| path.starts_with(TIME_STAMPS));
    below.filter_map(|(path, bytes)| {
        let name = path.strip_prefix(TIME_STAMPS)?.strip_suffix(".tsr")?;
        Some((name.parse().ok()?, bytes.as_slice()))
    })
}

/// The lines of `proofs/placed.jsonl`; none where the file is not exactly what [`placed_lines`] writes.
pub fn placed_notes(files: &Files) -> Option<Vec<PlacedNote>> {
    let Some(bytes) = files.get(PLACED) else { return Some(Vec::new()) };
    let text = std::str::from_utf8(bytes).ok()?;
    let notes: Vec<PlacedNote> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>().ok()?;
    let is_in_order = notes.is_sorted_by(|one, other| (&one.author, one.size) < (&other.author, other.size));
    (is_in_order && placed_lines(&notes) == text).then_some(notes)
}

/// `proofs/placed.jsonl`: by author and size.
pub fn placed_lines(notes: &[PlacedNote]) -> String {
    notes.iter().filter_map(|note| Some(format!("{}\n", serde_json::to_string(note).ok()?))).collect()
}
