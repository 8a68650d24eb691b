//! What this machine kept of its own log, listed and packed: what a lost collector is filled again from.
//!
//! ```text
//! OUT/                      0700, must not be there yet
//!   kept/<number>.age       finished segments, as they lie in the spool
//!   live/<number>.age       the segments in use, encrypted to the same recovery key
//!   position.json           how far the collector acknowledged, and the newest checkpoint of it that was seen
//!   trust.txt               the practice's trust file as last seen
//!   identity.toml           who this machine is; nothing secret
//! ```
//! Reads only, also while the agent runs: a segment in use may end in a group that is not whole yet, which whoever
//! reads it cuts. Thief of the package: learns who the machine is and how far its log went, not what was recorded.

use std::io;
use std::path::{Path, PathBuf};

use crate::identity::{Identity, IdentityFiles};
use crate::run::spool_path;
use crate::spool::away::{self, Away, AwayError, Limits, Stored};
use crate::whole_file::{Files, Readable, create_private_folder};

/// The package could not be made.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// There is something already.
    #[error("`{0}` is there already; name a folder that is not")]
    There(PathBuf),
    /// The disk.
    #[error("could not use `{path}`; check permissions and free space")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Encryption.
    #[error(transparent)]
    Away(#[from] AwayError),
}

/// What a package holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Finished segments.
    pub n_kept: usize,
    /// Segments in use.
    pub n_live: usize,
}

/// What was put away below the agent's folder, oldest first.
pub fn list(dir: &Path) -> Result<Vec<Stored>, KeptError> {
    let spool = spool_path(dir);
    away::list(&spool).map_err(|source| KeptError::Io { path: spool, source })
}

/// Writes the package of an agent's folder to `out`.
pub fn pack(dir: &Path, identity: &Identity, out: &Path, files: &dyn Files) -> Result<Packed, KeptError> {
    if out.exists() {
        return Err(KeptError::There(out.to_owned()));
    }
    let spool = spool_path(dir);
    // Nothing is put away or removed here: the limits are the agent's own.
    let away = Away::new(&spool, &identity.trust.recovery, Limits { days: 1, bytes: 0 })?;
    let (kept, live) = (out.join("kept"), out.join("live"));
    for folder in [out, &kept, &live] {
        create_private_folder(folder).map_err(at(folder))?;
    }
    // The segments in use first: one that is put away meanwhile is then among the kept ones, and none falls between.
    let mut n_live = 0usize;
    for path in live_segments(&spool).map_err(at(&spool))? {
        let Some(plain) = files.read(&path).map_err(at(&path))? else { continue };
        let name = path.with_extension("age");
        write(files, &live.join(name.file_name().unwrap_or_default()), &away.encrypt(&plain)?)?;
        n_live = n_live.saturating_add(1);
    }
    let mut n_kept = 0usize;
    for stored in list(dir)? {
        // Gone by its age meanwhile.
        let Some(sealed) = files.read(&stored.path).map_err(at(&stored.path))? else { continue };
        write(files, &kept.join(stored.path.file_name().unwrap_or_default()), &sealed)?;
        n_kept = n_kept.saturating_add(1);
    }
    let identity = IdentityFiles::of(dir);
    for path in [spool.join("position.json"), identity.trust(), identity.folder().join("identity.toml")] {
        if let Some(content) = files.read(&path).map_err(at(&path))? {
            write(files, &out.join(path.file_name().unwrap_or_default()), &content)?;
        }
    }
    Ok(Packed { n_kept, n_live })
}

fn live_segments(spool: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(spool)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "seg") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn write(files: &dyn Files, path: &Path, content: &[u8]) -> Result<(), KeptError> {
    files.replace(path, content, Readable::ByOwner).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeptError {
    let path = path.to_owned();
    move |source| KeptError::Io { path, source }
}

#[cfg(test)]
mod tests;
