//! What a person does about damage: set the segment aside, keep its bytes for an expert, and go on.
//!
//! Nothing here deletes. A quarantined file keeps its number, so no pointer ever means something else.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, RealDisk};
use crate::error::SegmentError;
use crate::folder::{Folder, Form};
use crate::frame::State;
use crate::log::{Options, SegmentLog, begin_segment};
use crate::pointer::SegmentNumber;
use crate::recover::hash_of;
use crate::source::{Source, WALK_BYTES};

/// Sets a segment aside under a name that no writer touches, and says where. No process may have the log open.
///
/// Readers that skip damage still read it; all others stop there. If it was the last segment, the log goes on
/// with [`resume_after_quarantine`].
///
/// # Errors
/// When there is no such segment, a process has the log, or the disk fails.
pub fn quarantine(dir: &Path, segment: SegmentNumber) -> Result<PathBuf, SegmentError> {
    quarantine_on(Arc::new(RealDisk), dir, segment)
}

/// [`quarantine`] on another disk.
///
/// # Errors
/// As [`quarantine`].
pub fn quarantine_on(
    disk: Arc<dyn Disk>,
    dir: &Path,
    segment: SegmentNumber,
) -> Result<PathBuf, SegmentError> {
    let folder = Folder::new(disk, dir);
    let _lock = folder.lock()?;
    let mut set_aside = None;
    for form in folder.list()?.remove(&segment).unwrap_or_default() {
        let new_form = match form {
            Form::Plain => Form::QuarantinedPlain,
            Form::Sealed | Form::Pruned => Form::QuarantinedSealed,
            Form::QuarantinedPlain | Form::QuarantinedSealed => form,
        };
        let path = folder.path_of(segment, new_form);
        if new_form != form {
            folder.rename(&folder.path_of(segment, form), &path)?;
        }
        set_aside = set_aside.or(Some(path));
    }
    set_aside.ok_or(SegmentError::Missing { segment })
}

/// Goes on after a quarantined last segment, in a new one with a STATE that the caller answers for.
///
/// The new segment's `previous_hash` is that of the quarantined bytes as they are now: the damage is in the chain.
///
/// # Errors
/// When the last segment is not quarantined, another process has the log, or the disk fails.
pub fn resume_after_quarantine(
    dir: &Path,
    options: Options,
    state: State,
) -> Result<SegmentLog, SegmentError> {
    resume_after_quarantine_on(Arc::new(RealDisk), dir, options, state)
}

/// [`resume_after_quarantine`] on another disk.
///
/// # Errors
/// As [`resume_after_quarantine`].
pub fn resume_after_quarantine_on(
    disk: Arc<dyn Disk>,
    dir: &Path,
    options: Options,
    state: State,
) -> Result<SegmentLog, SegmentError> {
    let folder = Folder::new(disk, dir);
    let lock = folder.lock()?;
    folder.remove_temporaries()?;
    let listing = folder.list()?;
    let segment = match listing.last_key_value() {
        Some((segment, forms)) if forms.iter().all(|form| form.is_quarantined()) => *segment,
        _ => return Err(SegmentError::NotQuarantined { path: dir.to_owned() }),
    };
    let hash = match Source::open(&folder, segment, WALK_BYTES) {
        Ok(Some(mut source)) => hash_of(&mut source)?,
        // A sealed file without a readable table has no logical bytes to hash.
        Ok(None) | Err(SegmentError::Damaged { .. }) => [0; 32],
        Err(other) => return Err(other),
    };
    let tail = begin_segment(&folder, segment.next(), state, hash)?;
    SegmentLog::with_tail(folder, lock, options, tail)
}
