//! Reading files that the watched people can write: bounded, and never the file of somebody else in their place.
//!
//! The agent may be root. A link from `~/.forward` to `/etc/shadow`, a pipe in place of a file, or a file without end
//! must give nothing: every read is of a regular file, at most [`FILE_BYTES_MAX`], and below a home folder it does not
//! follow a link to what the account could not have read as its own.
//!
//! A path is written as its system writes it: from `/`, or from a drive (`C:\Users`).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

#[cfg_attr(windows, path = "root/windows.rs")]
#[cfg_attr(not(windows), path = "root/linux.rs")]
mod system;

/// Most that is read of one file: a sudoers or authorized_keys file of a hospital is smaller.
pub const FILE_BYTES_MAX: u64 = 512 << 10;
/// Most names that are read of one folder.
pub const NAMES_MAX: usize = 4096;

/// How paths are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `/srv/mail`.
    Slashes,
    /// `C:\Mail`.
    Drives,
}

/// Where the machine's files begin: `/`, or a folder of a test.
#[derive(Debug)]
pub struct Root {
    base: PathBuf,
    form: Form,
    unread: RefCell<BTreeSet<String>>,
}

impl Root {
    /// Files below this folder, whose names are written from `/`.
    pub fn at(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into(), form: Form::Slashes, unread: RefCell::default() }
    }

    /// Files below this folder, whose names are written from a drive: `C:\a` is `C:/a` in it. With an empty name, the
    /// drives of this machine.
    pub fn with_drives(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into(), form: Form::Drives, unread: RefCell::default() }
    }

    /// The files of this machine.
    pub fn here() -> Self {
        if cfg!(windows) { Self::with_drives("") } else { Self::at("/") }
    }

    /// Where a path of the machine lies.
    pub fn path(&self, path: &str) -> PathBuf {
        match self.form {
            Form::Slashes => self.base.join(path.trim_start_matches('/')),
            Form::Drives if !self.base.as_os_str().is_empty() => self.base.join(path.replace('\\', "/")),
            // `C:` alone is wherever some program last was on it.
            Form::Drives if path.ends_with(':') => PathBuf::from(format!("{path}\\")),
            Form::Drives => PathBuf::from(path),
        }
    }

    /// What stands between the names of a path.
    pub fn separator(&self) -> char {
        match self.form {
            Form::Slashes => '/',
            Form::Drives => '\\',
        }
    }

    /// Whether `A` and `a` are one name.
    pub fn is_caseless(&self) -> bool {
        self.form == Form::Drives
    }

    /// The drives of the machine's own disks, `C:` and so on, sorted; none where paths begin with `/`.
    pub fn drives(&self) -> Vec<String> {
        let is_here = |drive: &String| self.is_folder(drive);
        let all = || ('A'..='Z').map(|letter| format!("{letter}:"));
        match self.form {
            Form::Slashes => Vec::new(),
            Form::Drives if self.base.as_os_str().is_empty() => system::drives(),
            Form::Drives => all().filter(is_here).collect(),
        }
    }

    /// The path of a name in a folder.
    pub fn below(&self, folder: &str, name: &str) -> String {
        format!("{folder}{}{name}", self.separator())
    }

    /// The text of a file, at most [`FILE_BYTES_MAX`] of it; nothing where it is no regular file or cannot be read.
    pub fn read(&self, path: &str) -> Option<String> {
        self.bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The same as bytes.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        match system::open(&self.path(path)) {
            Ok(file) => self.content(path, file),
            Err(error) => {
                self.missed(path, &error);
                None
            }
        }
    }

    /// The first bytes of a regular file, at most so many: never those of what a link leads to, and as far as the system
    /// allows that without a trace of having been read. Nothing where it cannot be read.
    pub fn first_bytes(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        let file = system::open_itself(&self.path(path)).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut first = Vec::with_capacity(bytes_max);
        file.take(u64::try_from(bytes_max).ok()?).read_to_end(&mut first).ok()?;
        Some(first)
    }

    fn content(&self, path: &str, file: File) -> Option<Vec<u8>> {
        let kind = file.metadata().ok()?;
        if !kind.is_file() {
            return None;
        }
        if kind.len() > FILE_BYTES_MAX {
            self.miss(path, "is longer than is read; its end is not looked at");
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Names in a folder, sorted, at most [`NAMES_MAX`]; nothing where there is none.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = match std::fs::read_dir(self.path(path)) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied {
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

    /// Sentences about what could not be read.
    pub fn unread(&self) -> Vec<String> {
        self.unread.borrow().iter().cloned().collect()
    }

    fn missed(&self, path: &str, error: &io::Error) {
        if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
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
    use crate::inventory::linux::accounts::Account;
    use rustix::fs::Mode;

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
