//! Writing every file of a log again on another disk: how a folder is encrypted, and decrypted.
//!
//! File by file, under its own name: the new one is written beside the old one, synced, compared byte for byte, and
//! renamed over it, then the folder is synced. A crash leaves each file in one form or the other, and maybe a `.tmp`;
//! running it again does what is left. What the old files held is freed, not overwritten.
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, HeldLock};
use crate::error::SegmentError;
use crate::folder::Folder;
use crate::pointer::SegmentNumber;
use crate::sizes;
use crate::source::WALK_BYTES;

/// A log that nobody else has while its files are written again.
#[derive(Debug)]
pub struct Conversion {
    folder: Folder,
    to: Arc<dyn Disk>,
    _lock: Box<dyn HeldLock>,
}

impl Conversion {
    /// Takes the log in `dir`, to be written again on `to`.
    ///
    /// # Errors
    /// When the folder holds no log, or another process has it.
    pub fn begin(to: Arc<dyn Disk>, dir: &Path) -> Result<Self, SegmentError> {
        let folder = Folder::new(Arc::clone(&to), dir);
        if folder.list()?.is_empty() {
            return Err(SegmentError::NoLog { path: dir.to_owned() });
        }
        let lock = folder.lock()?;
        Ok(Self { folder, to, _lock: lock })
    }

    /// Writes each file that is not `done` yet again, read from `from`. Tells how many are looked at, of how many.
    ///
    /// # Errors
    /// When a file reads back differently, or the disk fails.
    pub fn rewrite(
        &self,
        from: &dyn Disk,
        done: impl Fn(&Path) -> io::Result<bool>,
        mut tell: impl FnMut(u64, u64),
    ) -> Result<(), SegmentError> {
        self.folder.remove_temporaries()?;
        let listing = self.folder.list()?;
        let total =
            listing.values().fold(0, |sum: u64, forms| sum.saturating_add(sizes::on_disk(forms.len())));
        let mut n_looked_at = 0_u64;
        for (segment, forms) in listing {
            for form in forms {
                let path = self.folder.path_of(segment, form);
                let is_done =
                    done(&path).map_err(|source| SegmentError::Read { path: path.clone(), source })?;
                if !is_done {
                    let temporary = self.folder.temporary_path_of(segment, form);
                    copy(from, self.to.as_ref(), &path, &temporary, segment)?;
                    self.folder.publish(segment, form)?;
                }
                n_looked_at = n_looked_at.saturating_add(1);
                tell(n_looked_at, total);
            }
        }
        Ok(())
    }
}

fn copy(
    from: &dyn Disk,
    to: &dyn Disk,
    path: &Path,
    temporary: &Path,
    segment: SegmentNumber,
) -> Result<(), SegmentError> {
    let read_error = |source| SegmentError::Read { path: path.to_owned(), source };
    let write_error = |source| SegmentError::Write { path: temporary.to_owned(), source };
    let old = from.open_read(path).map_err(read_error)?;
    let mut new = to.create(temporary).map_err(write_error)?;
    let mut offset = 0_u64;
    loop {
        let piece = piece_at(old.as_ref(), offset).map_err(read_error)?;
        if piece.is_empty() {
            break;
        }
        new.write_at(&piece, offset).map_err(write_error)?;
        offset = offset.saturating_add(sizes::on_disk(piece.len()));
    }
    new.sync_data().map_err(|source| SegmentError::Sync { path: temporary.to_owned(), source })?;
    drop(new);
    // The old one goes next: read back what is to stand for it.
    let new = to.open_read(temporary).map_err(write_error)?;
    let mut compared = 0_u64;
    while compared < offset {
        let there = piece_at(new.as_ref(), compared).map_err(write_error)?;
        if there.is_empty() || there != piece_at(old.as_ref(), compared).map_err(read_error)? {
            return Err(SegmentError::Damaged { segment, offset: compared });
        }
        compared = compared.saturating_add(sizes::on_disk(there.len()));
    }
    Ok(())
}

fn piece_at(file: &dyn DiskFile, offset: u64) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; WALK_BYTES];
    let count = file.read_at(&mut piece, offset)?;
    piece.truncate(count);
    Ok(piece)
}
