//! Writing every file of a log again on another disk: how a folder is encrypted, and decrypted.
//!
//! File by file, under its own name: the new one is written beside the old one, synced, compared byte for byte, and
//! renamed over it, then the folder is synced. A crash leaves each file in one form or the other, and maybe a `.tmp`;
//! running it again does what is left. What the old files held is freed, not overwritten.
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile};
use crate::error::SegmentError;
use crate::folder::Folder;
use crate::pointer::SegmentNumber;
use crate::sizes;
use crate::source::WALK_BYTES;

/// Writes each file of the log in `dir` that is not `done` yet again: read from `from`, written on `to`. Tells how many
/// are looked at, of how many. No process may have the log open.
///
/// # Errors
/// When the folder holds no log, another process has it, a file reads back differently, or the disk fails.
pub fn rewrite(
    from: &Arc<dyn Disk>,
    to: &Arc<dyn Disk>,
    dir: &Path,
    done: impl Fn(&Path) -> io::Result<bool>,
    mut tell: impl FnMut(u64, u64),
) -> Result<(), SegmentError> {
    let folder = Folder::new(Arc::clone(to), dir);
    if folder.list()?.is_empty() {
        return Err(SegmentError::NoLog { path: dir.to_owned() });
    }
    let _lock = folder.lock()?;
    folder.remove_temporaries()?;
    let listing = folder.list()?;
    let total = listing.values().fold(0, |sum: u64, forms| sum.saturating_add(sizes::on_disk(forms.len())));
    let mut n_looked_at = 0_u64;
    for (segment, forms) in listing {
        for form in forms {
            let path = folder.path_of(segment, form);
            let is_done = done(&path).map_err(|source| SegmentError::Read { path: path.clone(), source })?;
            if !is_done {
                let temporary = folder.temporary_path_of(segment, form);
                copy(from, to, &path, &temporary, segment)?;
                folder.publish(segment, form)?;
            }
            n_looked_at = n_looked_at.saturating_add(1);
            tell(n_looked_at, total);
        }
    }
    Ok(())
}

fn copy(
    from: &Arc<dyn Disk>,
    to: &Arc<dyn Disk>,
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
