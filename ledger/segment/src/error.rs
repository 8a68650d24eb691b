//! What can fail: each variant is an operation, with the path or position it failed at.
use std::io;
use std::path::PathBuf;

use crate::frame::FrameError;
use crate::pointer::{Pointer, SegmentNumber};

/// Why a log, a reader or a check could not go on.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The folder could not be made or listed.
    #[error("could not use folder `{path}`; check that it exists and that its permissions allow it")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The lock file could not be opened.
    #[error("could not open lock file `{path}`; check the folder's permissions")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process has the log.
    #[error("another process holds `{path}`; stop it, or ask it instead")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// `create` found segments.
    #[error("`{path}` already holds a log; open it, or choose an empty folder")]
    AlreadyThere {
        /// The folder.
        path: PathBuf,
    },
    /// `open` found no segments.
    #[error("`{path}` holds no log; check the path, or create one there first")]
    NoLog {
        /// The folder.
        path: PathBuf,
    },
    /// A file could not be made or written.
    #[error("could not write segment file `{path}`; check free space and the disk's health")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The disk did not confirm what was written.
    #[error("could not make `{path}` durable; check the disk's health")]
    Sync {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("could not read segment file `{path}`; check the disk's health and the file's permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A torn tail could not be cut.
    #[error("could not cut the torn tail of `{path}`; check the disk's health")]
    Truncate {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file could not get its final name.
    #[error("could not rename `{path}`; check the folder's permissions")]
    Rename {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file could not be removed.
    #[error("could not remove `{path}`; check the folder's permissions")]
    Remove {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Committed bytes have changed since. Nothing was cut.
    #[error(
        "segment {segment} is damaged at byte {offset}; nothing was changed: keep a copy of the folder, \
         check the disk, then quarantine the segment"
    )]
    Damaged {
        /// The segment.
        segment: SegmentNumber,
        /// The logical offset of the first frame that does not hold.
        offset: u64,
    },
    /// A file of a later format.
    #[error("segment {segment} has a format this program does not know; use the version that wrote it")]
    UnknownVersion {
        /// The segment.
        segment: SegmentNumber,
    },
    /// A segment that should be there is not.
    #[error("segment {segment} is missing; restore it from a backup")]
    Missing {
        /// The segment.
        segment: SegmentNumber,
    },
    /// The newest segment was set aside; going on needs a state that someone answers for.
    #[error("segment {segment}, the last, is quarantined; resume the log after it with a known state")]
    LastQuarantined {
        /// The segment.
        segment: SegmentNumber,
    },
    /// `resume_after_quarantine` on a log that can simply be opened.
    #[error("the last segment in `{path}` is not quarantined; open the log instead")]
    NotQuarantined {
        /// The folder.
        path: PathBuf,
    },
    /// An earlier commit or roll failed: what is on disk is unknown until the log is opened again.
    #[error("an earlier write to the log failed; open it again, so that it finds out what is on disk")]
    Poisoned,
    /// A value does not fit into a frame.
    #[error("could not encode the frame")]
    Encode {
        /// Why.
        source: FrameError,
    },
    /// Too many bytes wait for one commit.
    #[error("over {bytes_max} bytes wait for one commit; commit more often")]
    GroupTooLarge {
        /// The most that may wait.
        bytes_max: usize,
    },
    /// Batches wait for a commit; rolling would leave them behind.
    #[error("batches are waiting; commit them before the next segment begins")]
    Uncommitted,
    /// Only finished segments can be sealed or set aside while the log is in use.
    #[error("segment {segment} is not finished; roll to the next one first")]
    NotFinished {
        /// The segment.
        segment: SegmentNumber,
    },
    /// The entries at this position are gone.
    #[error("the entries at {pointer} were removed after their retention; their notes stand")]
    Removed {
        /// Where their notes are.
        pointer: Pointer,
    },
    /// Nothing committed is at this position.
    #[error("there is no committed batch at {pointer}; rebuild the index that names it")]
    NoBatch {
        /// The position.
        pointer: Pointer,
    },
}
