//! A copy of a log put back into an empty folder, file by file, and the segment that goes on behind it.
//!
//! Files are written verbatim in the form in which they were copied, each whole or not at all. The copy ends with a finished
//! segment, so the next one is begun here, with a STATE that vouches for it as a roll would have done. A crash before that
//! leaves a folder without a last plain segment, which no opening accepts.
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, HeldLock};
use crate::error::SegmentError;
use crate::folder::{Folder, Form};
use crate::frame::State;
use crate::log::{Options, SegmentLog, begin_segment};
use crate::pointer::SegmentNumber;
use crate::reader::Reader;
use crate::scan::scan;
use crate::source::{Source, WALK_BYTES};

/// A log while it is put back.
#[derive(Debug)]
pub struct PutBack {
    folder: Folder,
    disk: Arc<dyn Disk>,
    lock: Box<dyn HeldLock>,
    last: Option<SegmentNumber>,
}

impl PutBack {
    /// Begins in a folder without a log. Makes the folder if need be.
    ///
    /// # Errors
    /// When the folder holds segments, another process has it, or the disk fails.
    pub fn begin(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, SegmentError> {
        let folder = Folder::new(Arc::clone(&disk), dir);
        folder.create()?;
        let lock = folder.lock()?;
        if !folder.list()?.is_empty() {
            return Err(SegmentError::AlreadyThere { path: dir.to_owned() });
        }
        folder.remove_temporaries()?;
        Ok(Self { folder, disk, lock, last: None })
    }

    /// Puts the next segment's file in its place. Numbers follow each other without a hole.
    ///
    /// # Errors
    /// When a number is missing, or the disk fails.
    pub fn put(&mut self, segment: SegmentNumber, form: Form, bytes: &[u8]) -> Result<(), SegmentError> {
        if let Some(missing) = self.last.map(SegmentNumber::next).filter(|next| *next != segment) {
            return Err(SegmentError::Missing { segment: missing });
        }
        let path = self.folder.temporary_path_of(segment, form);
        let mut file = self.folder.create_temporary(segment, form)?;
        file.write_at(bytes, 0).map_err(|source| SegmentError::Write { path: path.clone(), source })?;
        file.sync_data().map_err(|source| SegmentError::Sync { path, source })?;
        self.folder.publish(segment, form)?;
        self.last = Some(segment);
        Ok(())
    }

    /// Reads what was put back.
    ///
    /// # Errors
    /// When nothing was, or it cannot be read.
    pub fn reader(&self) -> Result<Reader, SegmentError> {
        Reader::open_on(Arc::clone(&self.disk), self.folder.path())
    }

    /// Begins the next segment with this STATE, whose `previous_hash` is set here.
    ///
    /// # Errors
    /// When nothing was put back, the last segment is damaged, or the disk fails.
    pub fn go_on(self, options: Options, state: State) -> Result<SegmentLog, SegmentError> {
        let last = self.last.ok_or_else(|| SegmentError::NoLog { path: self.folder.path().to_owned() })?;
        let mut source =
            Source::open(&self.folder, last, WALK_BYTES)?.ok_or(SegmentError::Missing { segment: last })?;
        let found = scan(&mut source)?;
        if let Some(offset) = found.damage_if_finished(source.limit()) {
            return Err(source.damaged(offset));
        }
        // A pruned file says what the segment was: that is what the next STATE vouches for.
        let was = source.sealed().and_then(|sealed| sealed.was);
        let hash = was.unwrap_or_else(|| found.content_hash());
        let tail = begin_segment(&self.folder, last.next(), state, hash)?;
        SegmentLog::with_tail(self.folder, self.lock, options, tail)
    }
}
