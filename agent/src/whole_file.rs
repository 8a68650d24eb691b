//! Small files that appear whole or not at all, and outlast a power cut.
//!
//! The steps: write beside, sync, rename over, sync the folder. A crash leaves the old file or the new one, and
//! at worst a stray `.new` beside it that the next write replaces.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ntk_segment::disk::{Disk as _, RealDisk};

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// Its owner only: 0600.
    ByOwner,
    /// Its owner only, and a secret: where the system can seal it to this machine, it is sealed on the disk.
    Secret,
    /// Everyone: 0644.
    ByAll,
    /// Everyone, who may run it, too: 0755.
    ByAllToRun,
}

/// The seam between small durable files and the disk, so that tests can make it fail.
pub trait Files: std::fmt::Debug + Send + Sync {
    /// Puts this content in place of the file's, durably.
    fn replace(&self, path: &Path, content: &[u8], readable: Readable) -> io::Result<()>;
    /// The file's content; `None` when there is no such file.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// Overwrites the file's content, syncs, and removes it, durably; one that is gone is fine.
    fn destroy(&self, path: &Path) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealFiles;

impl Files for RealFiles {
    fn replace(&self, path: &Path, content: &[u8], readable: Readable) -> io::Result<()> {
        let beside = beside(path);
        // A stray one may have other permissions: begin with a file of our own making.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = create(&beside, readable)?;
        file.write_all(on_disk(content, readable)?.as_ref())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder_of(path)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(content) => from_disk(content).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn destroy(&self, path: &Path) -> io::Result<()> {
        let mut file = match OpenOptions::new().write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        // The same blocks, where the file system writes in place: not truncated first.
        let n_bytes = usize::try_from(file.metadata()?.len()).unwrap_or(0).min(DESTROY_BYTES_MAX);
        file.write_all(&vec![0; n_bytes])?;
        file.sync_all()?;
        fs::remove_file(path)?;
        sync_folder_of(path)
    }
}

/// Files that are destroyed are small; more of one is not a secret of ours.
const DESTROY_BYTES_MAX: usize = 1 << 20;

/// Makes a folder that only its owner may use (0700), durably; one that exists is left as it is.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
        fs::create_dir_all(parent)?;
    }
    private_folder().create(path)?;
    sync_folder_of(path)
}

#[cfg(unix)]
fn private_folder() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Windows: what lies in the agent's folder inherits the list of rights that installing gave it.
#[cfg(not(unix))]
fn private_folder() -> fs::DirBuilder {
    fs::DirBuilder::new()
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn create(path: &Path, readable: Readable) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(
        &mut options,
        match readable {
            Readable::ByOwner | Readable::Secret => 0o600,
            Readable::ByAll => 0o644,
            Readable::ByAllToRun => 0o755,
        },
    );
    #[cfg(not(unix))]
    let _ = readable;
    options.open(path)
}

/// Makes a name durable: that it came, or that it went.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    RealDisk.sync_folder(folder)
}

/// On Linux the permission bits are what keeps a secret.
#[cfg(not(windows))]
fn on_disk(content: &[u8], _readable: Readable) -> io::Result<&[u8]> {
    Ok(content)
}

#[cfg(not(windows))]
fn from_disk(content: Vec<u8>) -> io::Result<Vec<u8>> {
    Ok(content)
}

/// What stands before a secret that Windows sealed.
#[cfg(windows)]
const SEALED: &[u8] = b"ntk sealed by DPAPI\n";

#[cfg(windows)]
fn on_disk(content: &[u8], readable: Readable) -> io::Result<std::borrow::Cow<'_, [u8]>> {
    if readable != Readable::Secret {
        return Ok(content.into());
    }
    let sealed = crate::windows::system_ffi::seal(content)?;
    Ok([SEALED, sealed.as_slice()].concat().into())
}

#[cfg(windows)]
fn from_disk(content: Vec<u8>) -> io::Result<Vec<u8>> {
    match content.strip_prefix(SEALED) {
        Some(sealed) => crate::windows::system_ffi::open(sealed),
        None => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_is_replaced_whole_and_readable_only_as_asked() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("a/private");
        create_private_folder(&folder).unwrap();
        create_private_folder(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let path = folder.join("key");
        fs::write(beside(&path), "stray").unwrap();
        RealFiles.replace(&path, b"one", Readable::ByOwner).unwrap();
        RealFiles.replace(&path, b"two", Readable::ByOwner).unwrap();
        assert_eq!(RealFiles.read(&path).unwrap().as_deref(), Some(b"two".as_slice()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing stays beside it");
        assert_eq!(RealFiles.read(&folder.join("none")).unwrap(), None);
        let (other, link) = (folder.join("other"), folder.join("link"));
        fs::write(&other, "secret").unwrap();
        fs::hard_link(&other, &link).unwrap();
        RealFiles.destroy(&other).unwrap();
        RealFiles.destroy(&other).unwrap();
        assert!(!other.exists());
        assert_eq!(fs::read(&link).unwrap(), [0; 6], "what stood there was overwritten first");
    }
}
