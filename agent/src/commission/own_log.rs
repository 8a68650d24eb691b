//! This machine's own log, read back: by the agent that writes it, and by the command beside it. Reads only.

use std::path::Path;
use std::sync::Arc;

use ntk_evidence::entry::Entry;
use ntk_evidence::event::Event;
use ntk_segment::error::SegmentError;
use ntk_segment::frame::Frame;
use ntk_segment::pointer::Pointer;
use ntk_segment::reader::Reader;

use crate::run::spool_path;

/// So much of the log before the newest entry is looked at, in bytes on disk.
const LOOK_BACK_BYTES: u64 = 64 << 20;

/// Entries with their numbers.
pub type Numbered = Vec<(u64, Event)>;

/// The log, as far as it was read.
#[derive(Debug)]
pub struct OwnLog {
    reader: Source,
    /// Where reading goes on.
    next: Option<Pointer>,
}

#[derive(Debug)]
enum Source {
    /// The agent's own: it grows by itself.
    Live(Arc<Reader>),
    /// The folder of an agent that runs: opened anew for what came since.
    Folder(std::path::PathBuf),
}

impl OwnLog {
    /// The log of the agent of this folder, which another process writes.
    pub fn of(dir: &Path) -> Self {
        Self { reader: Source::Folder(spool_path(dir)), next: None }
    }

    /// The log that this process writes.
    pub fn live(reader: Arc<Reader>) -> Self {
        Self { reader: Source::Live(reader), next: None }
    }

    /// What came since the last time; at first everything that is kept, but for what lies far back.
    pub fn read(&mut self, mut wanted: impl FnMut(u64, &str) -> bool) -> Result<Numbered, SegmentError> {
        let opened;
        let reader = match &self.reader {
            Source::Live(reader) => reader.as_ref(),
            Source::Folder(path) => {
                opened = Reader::open(path)?;
                &opened
            }
        };
        let from = match self.next {
            Some(next) => next,
            None => begin(reader)?,
        };
        let mut found = Vec::new();
        let mut frames = reader.frames_from(from);
        for item in frames.by_ref() {
            let (_, Frame::Batch(batch)) = item? else { continue };
            for (number, parts) in (batch.first..).zip(batch.entries) {
                let Ok(entry) = Entry::from_parts(parts) else { continue };
                if wanted(number, entry.part(ntk_evidence::entry::Part::Core))
                    && let Ok(event) = entry.event()
                {
                    found.push((number, event));
                }
            }
        }
        self.next = Some(frames.position());
        Ok(found)
    }
}

/// The segment to begin with.
fn begin(reader: &Reader) -> Result<Pointer, SegmentError> {
    let mut bytes = 0u64;
    let mut first = reader.committed_end();
    for segment in reader.segments()?.into_iter().rev() {
        if segment.form.is_quarantined() || bytes > LOOK_BACK_BYTES {
            break;
        }
        bytes = bytes.saturating_add(segment.bytes_on_disk);
        first = segment.first;
    }
    Ok(first)
}
