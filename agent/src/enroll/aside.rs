//! A new identity in the place of an old one: made beside it, then three renames. Nothing is deleted.
//!
//! `identity.new` is complete, then `spool` becomes `spool.before-<time>`, `identity` becomes
//! `identity.before-<time>`, `identity.new` becomes `identity`. A crash between two of them leaves what the same
//! command, run again, finishes without a second token.

use std::io;
use std::path::{Path, PathBuf};

use ntk_evidence::time::Moment;
use ntk_segment::disk::{Disk as _, HeldLock, Locking, RealDisk};

use super::EnrollError;
use crate::identity::IdentityFiles;

/// The identity that is being made.
pub(super) fn new_identity(dir: &Path) -> IdentityFiles {
    IdentityFiles::in_folder(dir.join("identity.new"))
}

/// Refuses while an agent writes into the spool; else keeps others away until the value is dropped.
pub(super) fn refuse_running(dir: &Path) -> Result<Option<Box<dyn HeldLock>>, EnrollError> {
    let spool = dir.join("spool");
    if !spool.is_dir() {
        return Ok(None);
    }
    match RealDisk.lock(&spool.join("lock")) {
        Ok(Locking::Held(lock)) => Ok(Some(lock)),
        Ok(Locking::Busy) => Err(EnrollError::Running { path: dir.to_owned() }),
        Err(source) => Err(EnrollError::Folder { path: spool, source }),
    }
}

/// Moves the old spool and identity aside and the new identity into its place.
pub(super) fn swap(dir: &Path, now: Moment) -> Result<(), EnrollError> {
    let time: String = now.to_rfc3339(0).chars().filter(|c| !matches!(c, '-' | ':')).collect();
    for name in ["spool", "identity"] {
        let from = dir.join(name);
        if from.exists() {
            rename(dir, &from, &free(dir, &format!("{name}.before-{time}")))?;
        }
    }
    rename(dir, &dir.join("identity.new"), &dir.join("identity"))
}

/// A name that nothing has yet: two moves within a second both keep what they moved.
fn free(dir: &Path, name: &str) -> PathBuf {
    let mut names = (2u32..).map(|n| format!("{name}-{n}"));
    let mut path = dir.join(name);
    while path.exists() {
        let Some(next) = names.next() else { break };
        path = dir.join(next);
    }
    path
}

fn rename(dir: &Path, from: &Path, to: &Path) -> Result<(), EnrollError> {
    let moved = std::fs::rename(from, to).and_then(|()| sync(dir));
    moved.map_err(|source| EnrollError::Aside { path: from.to_owned(), source })
}

fn sync(dir: &Path) -> io::Result<()> {
    RealDisk.sync_folder(dir)
}
