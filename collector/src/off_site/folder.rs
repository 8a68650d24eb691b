//! A folder as the place of copies: another disk, a mounted share.
//!
//! An object is written beside its place, synced, renamed, and read back with its hash: what a share acknowledged and did
//! not keep is found at once. A crash leaves `<name>.new`, which is no object and is written over by the next run.
//!
//! `object_store` has a local form, too, which syncs where that is asked. It reads nothing back, gives its files the rights
//! that the account's umask leaves, and numbers what a crash left behind instead of writing over it: so this stays.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ntk_evidence::hash::Hash;
use ntk_evidence::name::Slug;
use tokio_util::sync::CancellationToken;

use super::shelf::{OBJECT_BYTES_MAX, Shelf, ShelfError};
use crate::home::write_file;
use crate::system;

/// Files of one practice below a folder.
pub(super) struct FolderShelf {
    top: PathBuf,
    stop: CancellationToken,
}

impl FolderShelf {
    /// Below this folder, which must be there: a missing one is a disk that is not mounted, and the copy would fill the wrong one.
    pub(super) fn new(folder: &Path, slug: &Slug, stop: CancellationToken) -> Result<Self, ShelfError> {
        let there = fs::metadata(folder).and_then(|found| {
            if found.is_dir() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotADirectory)) }
        });
        there.map_err(|source| ShelfError::Io { path: folder.to_owned(), source })?;
        Ok(Self { top: folder.join(slug.as_str()), stop })
    }

    /// A practice's own folder, wherever it was brought.
    pub(super) fn at(top: &Path) -> Self {
        Self { top: top.to_owned(), stop: CancellationToken::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    fn goes_on(&self) -> Result<(), ShelfError> {
        if self.stop.is_cancelled() { Err(ShelfError::Stopped) } else { Ok(()) }
    }
}

impl Shelf for FolderShelf {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ShelfError> {
        self.goes_on()?;
        let path = self.path(name);
        let failed = |source| ShelfError::Io { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            system::make_folder(parent, 0o700).map_err(failed)?;
        }
        write_file(&path, bytes, 0o600)
            .map_err(|error| failed(io::Error::other(crate::error_chain(&error))))?;
        let back = fs::read(&path).map_err(failed)?;
        if Hash::of(&back) == Hash::of(bytes) {
            Ok(())
        } else {
            Err(failed(io::Error::other("what is there is not what was written")))
        }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ShelfError> {
        self.goes_on()?;
        let path = self.path(name);
        let read = || match fs::metadata(&path) {
            Ok(found) if found.len() > OBJECT_BYTES_MAX => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
            Ok(_) => fs::read(&path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        read().map_err(|source| ShelfError::Io { path: path.clone(), source })
    }

    fn list(&self, folder: &str) -> Result<BTreeMap<String, u64>, ShelfError> {
        self.goes_on()?;
        let path = self.path(folder);
        let read = || {
            let entries = match fs::read_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
                other => other?,
            };
            let mut found = BTreeMap::new();
            for entry in entries {
                let entry = entry?;
                if let (Ok(name), true) = (entry.file_name().into_string(), entry.file_type()?.is_file()) {
                    found.insert(format!("{folder}/{name}"), entry.metadata()?.len());
                }
            }
            Ok(found)
        };
        read().map_err(|source| ShelfError::Io { path: path.clone(), source })
    }

    fn remove(&self, name: &str) -> Result<(), ShelfError> {
        self.goes_on()?;
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ShelfError::Io { path, source: error })
            }
            _ => Ok(()),
        }
    }
}
