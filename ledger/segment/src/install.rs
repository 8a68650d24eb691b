//! Putting whole segment files into a folder that holds no log yet: how a copy is made of what another place holds.
//!
//! Each file appears whole under its name or not at all, oldest first, so that what a crash leaves is a log that is
//! shorter. Nothing is decoded here: whoever opens the log afterwards recovers and checks it as any other.
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, HeldLock};
use crate::error::SegmentError;
use crate::folder::Folder;
use crate::pointer::SegmentNumber;

pub use crate::folder::Form;

/// A folder that is being filled; nobody else has it.
#[derive(Debug)]
pub struct Install {
    folder: Folder,
    _lock: Box<dyn HeldLock>,
}

impl Install {
    /// Takes a folder, which is made if need be. None where it holds a log already.
    ///
    /// # Errors
    /// When another process has it, or the disk fails.
    pub fn begin(disk: Arc<dyn Disk>, dir: &Path) -> Result<Option<Self>, SegmentError> {
        let folder = Folder::new(disk, dir);
        folder.create()?;
        let lock = folder.lock()?;
        if !folder.list()?.is_empty() {
            return Ok(None);
        }
        folder.remove_temporaries()?;
        Ok(Some(Self { folder, _lock: lock }))
    }

    /// Writes a file of a segment, durably.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn put(&self, segment: SegmentNumber, form: Form, bytes: &[u8]) -> Result<(), SegmentError> {
        let path = self.folder.temporary_path_of(segment, form);
        let mut file = self.folder.create_temporary(segment, form)?;
        file.write_at(bytes, 0).map_err(|source| SegmentError::Write { path: path.clone(), source })?;
        file.sync_data().map_err(|source| SegmentError::Sync { path, source })?;
        self.folder.publish(segment, form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::frame::{Batch, Commit, State};
    use crate::log::{Options, SegmentLog};

    #[test]
    fn what_was_put_there_opens_as_the_log_that_it_was_and_a_log_is_never_written_over() {
        let scratch = tempfile::tempdir().unwrap();
        let (from, to) = (scratch.path().join("from"), scratch.path().join("to"));
        let mut log = SegmentLog::create(&from, Options::default(), State::default()).unwrap();
        let batch = Batch { author: "ws-01".into(), note: b"note".to_vec(), ..Batch::default() };
        let _ = log.append(&batch).unwrap();
        let _ = log.commit(&Commit { received_unix_ns: 1, checkpoint: b"c".to_vec() }).unwrap();
        let hash = log.content_hash();
        log.roll(State::default()).unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let install = Install::begin(Arc::clone(&disk), &to).unwrap().unwrap();
        for segment in log.reader().segments().unwrap() {
            let (form, bytes) = log.reader().file_of(segment.number).unwrap().unwrap();
            install.put(segment.number, form, &bytes).unwrap();
        }
        drop(install);
        let (copy, _) = SegmentLog::open(&to, Options::default()).unwrap();
        assert_eq!(copy.committed_end(), log.committed_end());
        assert_eq!(copy.reader().state_of(SegmentNumber::new(1)).unwrap().previous_hash, hash);
        drop(copy);
        assert!(Install::begin(disk, &to).unwrap().is_none());
    }
}
