//! What a copy asks of the place it goes to: the seam above a folder, an SFTP server and a bucket, so that tests can make
//! it fail.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ntk_evidence::name::Slug;
use tokio_util::sync::CancellationToken;

use super::folder::FolderShelf;
use super::s3::S3Shelf;
use super::sftp::SftpShelf;
use super::target::Target;

/// The largest object that is read back: a segment and its last group, encrypted, with room.
pub const OBJECT_BYTES_MAX: u64 = 256 << 20;

/// Where the objects of one practice lie. Names are relative, with `/`. Every call waits until it is done, and is given
/// up when the run is stopped.
pub trait Shelf: Send {
    /// Writes an object whole, in place of any of that name. When this returns it is there and durable as far as the
    /// place tells; when it fails it may be there all the same, or not, but never in part under its name.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ShelfError>;
    /// The bytes of an object; none where there is no such object.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ShelfError>;
    /// Every object below a folder, by its name from the top, with its size.
    fn list(&self, folder: &str) -> Result<BTreeMap<String, u64>, ShelfError>;
    /// Removes an object; one that is not there is no fault.
    fn remove(&self, name: &str) -> Result<(), ShelfError>;
}

/// A place did not do what it was asked. No sentence holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// A file or folder here.
    #[error("could not use `{}` for the off-site copy; check that it is mounted, free space and permissions", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the configuration names here is missing or loose.
    #[error("{0}")]
    Settings(String),
    /// The place cannot be reached.
    #[error("could not reach `{target}`: {said}; check the network and that the server runs")]
    Unreachable {
        /// Where.
        target: String,
        /// What was heard.
        said: String,
    },
    /// The server is not the one that is known.
    #[error(
        "`{target}` does not show the key that `{}` names; nothing was sent. Ask whoever runs the server for its key, and put that line into the file", known_hosts.display()
    )]
    HostKey {
        /// Where.
        target: String,
        /// The file.
        known_hosts: PathBuf,
    },
    /// The place does not take us.
    #[error("`{target}` refused: {said}; check the key or credentials and what they may do there")]
    Refused {
        /// Where.
        target: String,
        /// What was heard.
        said: String,
    },
    /// One step failed.
    #[error("could not {doing} `{name}` at `{target}`: {said}")]
    Failed {
        /// `write`, `read`, `list`, `remove`.
        doing: &'static str,
        /// The object.
        name: String,
        /// Where.
        target: String,
        /// What was heard.
        said: String,
    },
    /// The run was stopped.
    #[error("the off-site copy was stopped; the next one goes on")]
    Stopped,
}

impl ShelfError {
    /// One word for acts and numbers.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::Settings(_) => "settings",
            Self::Unreachable { .. } => "unreachable",
            Self::HostKey { .. } => "host_key",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// Opens the place that the configuration names, for one practice.
pub fn open(target: &Target, slug: &Slug, stop: &CancellationToken) -> Result<Box<dyn Shelf>, ShelfError> {
    match target {
        Target::Folder(path) => Ok(Box::new(FolderShelf::new(path, slug, stop.clone())?)),
        Target::Sftp(address) => Ok(Box::new(SftpShelf::new(address, slug, stop.clone())?)),
        Target::S3(address) => Ok(Box::new(S3Shelf::new(address, slug, stop.clone())?)),
    }
}

/// Opens a copy that lies in a folder here: the one that was configured, or the practice's own in it. None where there is
/// no list of a copy.
pub fn found_in(folder: &Path) -> Result<Option<Box<dyn Shelf>>, ShelfError> {
    let below =
        std::fs::read_dir(folder).map_err(|source| ShelfError::Io { path: folder.to_owned(), source })?;
    let below = below.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut places = std::iter::once(folder.to_owned()).chain(below);
    let place = places.find(|place| place.join(super::list::NAME).is_file());
    Ok(place.map(|place| Box::new(FolderShelf::at(&place)) as Box<dyn Shelf>))
}
