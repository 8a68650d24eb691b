//! Reading files that the watched people can write: bounded, and never the file of somebody else in their place.
//!
//! The agent may be root. A link from `~/.forward` to `/etc/shadow`, a pipe in place of a file, or a file without end
//! must give nothing: every read is of a regular file, at most [`FILE_BYTES_MAX`], and below a home folder it does not
//! follow a link to what the account could not have read as its own.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::accounts::Account;

/// Most that is read of one file: a sudoers or authorized_keys file of a hospital is smaller.
pub const FILE_BYTES_MAX: u64 = 512 << 10;
/// Most names that are read of one folder.
pub const NAMES_MAX: usize = 4096;

/// Where the machine's files begin: `/`, or a folder of a test.
#[derive(Debug)]
pub struct Root {
    base: PathBuf,
    unread: RefCell<BTreeSet<String>>,
}

impl Root {
    /// Everything below this folder is the machine.
    pub fn at(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into(), unread: RefCell::default() }
    }

    /// The place of an absolute path of the machine.
    pub fn path(&self, path: &str) -> PathBuf {
        self.base.join(path.trim_start_matches('/'))
    }

    /// The text of a file of the system; nothing where there is none. What cannot be read is remembered.
    pub fn read(&self, path: &str) -> Option<String> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::open(self.path(path), flags, Mode::empty()) {
            Ok(file) => self.text(path, File::from(file)),
            Err(error) => {
                self.missed(path, error);
                None
            }
        }
    }

    /// The text of a file of an account, by its path below the home folder.
    pub fn read_in_home(&self, account: &Account, below: &str) -> Option<String> {
        let file = self.open_in_home(account, below)?;
        self.text(&format!("{}/{below}", account.home), file)
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
                self.missed(&format!("{}/{below}", account.home), error);
                None
            }
        }
    }

    fn text(&self, path: &str, file: File) -> Option<String> {
        let kind = file.metadata().ok()?;
        if !kind.is_file() {
            return None;
        }
        if kind.len() > FILE_BYTES_MAX {
            self.miss(path, "is longer than is read; its end is not looked at");
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Names in a folder, sorted, at most [`NAMES_MAX`]; nothing where there is none.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = match std::fs::read_dir(self.path(path)) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() == std::io::ErrorKind::PermissionDenied {
                    self.miss(path, "cannot be read by this account");
                }
                return Vec::new();
            }
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.take(NAMES_MAX).collect();
        if names.len() == NAMES_MAX {
            self.miss(path, "holds more than is looked at");
        }
        names.sort();
        names
    }

    /// Whether something is there; links count by themselves.
    pub fn is_there(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// Whether a regular file is there that is no link.
    pub fn is_plain_file(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok_and(|file| file.is_file())
    }

    /// Whether a folder is there that is no link.
    pub fn is_folder(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok_and(|file| file.is_dir())
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

    /// Sentences about what could not be read.
    pub fn unread(&self) -> Vec<String> {
        self.unread.borrow().iter().cloned().collect()
    }

    fn missed(&self, path: &str, error: rustix::io::Errno) {
        if !matches!(error, rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) {
            self.miss(path, "cannot be read by this account");
        }
    }

    fn miss(&self, path: &str, why: &str) {
        let mut unread = self.unread.borrow_mut();
        // A folder with thousands of unreadable files is one matter, not thousands.
        if unread.len() < 32 {
            unread.insert(format!("{path} {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(home: &str, uid: u32) -> Account {
        Account { name: "bea".into(), uid, gid: uid, home: home.into(), shell: "/bin/sh".into() }
    }

    #[test]
    fn a_link_to_somebody_elses_file_and_a_pipe_give_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let root = Root::at(scratch.path());
        let home = root.path("/home/bea");
        std::fs::create_dir_all(&home).unwrap();
        std::fs::write(root.path("/secret"), "root:$6$hash").unwrap();
        std::os::unix::fs::symlink("../../secret", home.join(".forward")).unwrap();
        std::os::unix::fs::symlink("plain", home.join("own")).unwrap();
        std::fs::write(home.join("plain"), "x@example.org").unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            home.join("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let me = rustix::process::getuid().as_raw();
        let (own, other) = (account("/home/bea", me), account("/home/bea", me.wrapping_add(1)));
        assert_eq!(root.read_in_home(&other, ".forward"), None);
        assert_eq!(root.read_in_home(&other, "plain").as_deref(), Some("x@example.org"));
        assert_eq!(root.read_in_home(&own, "own").as_deref(), Some("x@example.org"));
        assert_eq!(root.read_in_home(&own, "pipe"), None);
        assert_eq!(root.read_in_home(&own, "../../secret"), None, "not below the home folder");
        assert_eq!(root.read("/home/bea"), None, "a folder is no text");
    }

    #[test]
    fn a_file_without_end_is_read_to_its_bound_and_that_is_said() {
        let scratch = tempfile::tempdir().unwrap();
        let root = Root::at(scratch.path());
        let file = File::create(root.path("/long")).unwrap();
        file.set_len(FILE_BYTES_MAX + 1).unwrap();
        assert_eq!(root.read("/long").unwrap().len() as u64, FILE_BYTES_MAX);
        assert_eq!(root.unread(), ["/long is longer than is read; its end is not looked at"]);
        assert_eq!(root.read("/none"), None);
        assert_eq!(root.unread().len(), 1, "what is not there is no matter");
    }
}
