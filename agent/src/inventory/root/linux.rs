//! Opens of Linux, and reading below home folders: nothing of somebody else's, and whose something is.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::Root;
use crate::inventory::linux::accounts::Account;

/// A file for reading; a pipe does not hold it up.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// The same, never what a link leads to. When a file was read last is for others to know: our look leaves no time on it
/// where the system allows that.
pub(super) fn open_itself(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags | OFlags::NOATIME, Mode::empty());
    let file = file.or_else(|_| rustix::fs::open(path, flags, Mode::empty()))?;
    Ok(File::from(file))
}

/// Linux has no drives.
pub(super) fn drives() -> Vec<String> {
    Vec::new()
}

impl Root {
    /// The text of a file of an account, by its path below the home folder.
    pub fn read_in_home(&self, account: &Account, below: &str) -> Option<String> {
        let file = self.open_in_home(account, below)?;
        let bytes = self.content(&format!("{}/{below}", account.home), file)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether an account has a regular file there.
    pub fn is_file_in_home(&self, account: &Account, below: &str) -> bool {
        self.open_in_home(account, below)
            .and_then(|file| file.metadata().ok())
            .is_some_and(|file| file.is_file())
    }

    fn open_in_home(&self, account: &Account, below: &str) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let home = self.path(&account.home);
        let folder = rustix::fs::open(home, flags | OFlags::DIRECTORY, Mode::empty()).ok()?;
        let below = below.trim_start_matches('/');
        let plain = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
        match rustix::fs::openat2(&folder, below, flags, Mode::empty(), plain) {
            Ok(file) => Some(File::from(file)),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => None,
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOSYS) => {
                // A link is followed only to what is the account's own: others' files are not theirs to show.
                let file = File::from(rustix::fs::openat(&folder, below, flags, Mode::empty()).ok()?);
                let is_own = file.metadata().is_ok_and(|file| file.uid() == account.uid);
                is_own.then_some(file)
            }
            Err(error) => {
                self.missed(&format!("{}/{below}", account.home), &error.into());
                None
            }
        }
    }

    /// Whose file it is.
    pub fn owner(&self, path: &str) -> Option<u32> {
        self.path(path).symlink_metadata().ok().map(|file| file.uid())
    }

    /// The last bytes of a log, at most so many.
    pub fn tail(&self, path: &str, bytes_max: u64) -> Option<Vec<u8>> {
        use std::io::{Seek as _, SeekFrom};
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(self.path(path), flags, Mode::empty()).ok()?);
        let kind = file.metadata().ok()?;
        if !kind.is_file() {
            return None;
        }
        file.seek(SeekFrom::Start(kind.len().saturating_sub(bytes_max))).ok()?;
        let mut tail = Vec::new();
        file.take(bytes_max).read_to_end(&mut tail).ok()?;
        Some(tail)
    }
}
