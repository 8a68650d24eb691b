//! One fanotify group: marks on folders and files, and the events that they give.
//!
//! The calls go through the crates nix and rustix, so that no line of our own is `unsafe`. The kernel names inodes by
//! handles; which handle a mark has is read from the group's own entry in /proc/self/fdinfo, so that no handle has to
//! be asked for or opened. Notification only: nobody who opens a file waits for this process.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};

use super::decode::{self, Handle, Seen};

pub(super) const OPEN: u64 = 0x20;
pub(super) const MODIFY: u64 = 0x2;
pub(super) const ATTRIBUTES: u64 = 0x4;
pub(super) const MOVED_FROM: u64 = 0x40;
pub(super) const MOVED_TO: u64 = 0x80;
pub(super) const CREATE: u64 = 0x100;
pub(super) const DELETE: u64 = 0x200;
pub(super) const OPEN_EXEC: u64 = 0x1000;
pub(super) const OVERFLOW: u64 = 0x4000;
pub(super) const RENAME: u64 = 0x1000_0000;
pub(super) const ON_FOLDER: u64 = 0x4000_0000;
const ON_CHILD: u64 = 0x0800_0000;

/// FAN_REPORT_PIDFD, _FID, _DIR_FID, _NAME: the process as a descriptor, the inode as a handle, its folder and name.
const REPORT: u32 = 0x80 | 0x200 | 0x400 | 0x800;

/// Room for one read: some hundred events.
const BUFFER_BYTES: usize = 64 * 1024;

/// A mark as the kernel lists it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) inode: u64,
    pub(super) device: (u32, u32),
    pub(super) kind: i32,
    pub(super) bytes: Vec<u8>,
}

/// An open group.
pub(super) struct Group {
    group: Fanotify,
    buffer: Vec<u8>,
    /// The kernel tells both names of a rename at once (5.17 and later).
    renames: bool,
}

impl Group {
    /// Asks for a group; needs root, and Linux 5.15.
    pub(super) fn open() -> io::Result<Self> {
        let flags = InitFlags::FAN_CLASS_NOTIF
            | InitFlags::FAN_CLOEXEC
            | InitFlags::FAN_NONBLOCK
            | InitFlags::FAN_UNLIMITED_MARKS
            | InitFlags::from_bits_retain(REPORT);
        let group = Fanotify::init(flags, EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC)?;
        Ok(Self { group, buffer: vec![0; BUFFER_BYTES], renames: true })
    }

    /// Marks a folder with what is directly in it, or one file.
    pub(super) fn mark(&mut self, path: &Path, is_folder: bool) -> io::Result<()> {
        let common = OPEN | MODIFY | ATTRIBUTES | OPEN_EXEC;
        let of_folder = |renames| {
            let names = if renames { RENAME } else { MOVED_FROM | MOVED_TO };
            common | CREATE | DELETE | names | ON_FOLDER | ON_CHILD
        };
        let mask = if is_folder { of_folder(self.renames) } else { common };
        match self.add(path, mask) {
            Err(Errno::EINVAL) if is_folder && self.renames => {
                self.renames = false;
                self.add(path, of_folder(false))?;
            }
            result => result?,
        }
        Ok(())
    }

    fn add(&self, path: &Path, mask: u64) -> nix::Result<()> {
        let mask = MaskFlags::from_bits_retain(mask);
        self.group.mark(MarkFlags::FAN_MARK_ADD, mask, rustix::fs::CWD, Some(path))
    }

    /// Waits at most so long for events.
    pub(super) fn read(&mut self, wait: Duration) -> io::Result<Vec<Seen>> {
        let timeout = PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO);
        let mut asked = [PollFd::new(self.group.as_fd(), PollFlags::POLLIN)];
        match poll(&mut asked, timeout) {
            Ok(0) | Err(Errno::EINTR) => return Ok(Vec::new()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        match rustix::io::read(self.group.as_fd(), &mut self.buffer) {
            Ok(n_bytes) => Ok(decode::events(self.buffer.get(..n_bytes).unwrap_or_default())),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Every mark with its handle.
    pub(super) fn marks(&self) -> Vec<Marked> {
        let path = format!("/proc/self/fdinfo/{}", self.group.as_raw_fd());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().filter_map(marked).collect()
    }
}

/// The process's descriptor that came with an event is ours to close.
pub(super) fn close(pidfd: i32) {
    let _ = nix::unistd::close(pidfd);
}

/// `fanotify ino:44 sdev:800001 ... fhandle-bytes:8 fhandle-type:1 f_handle:44000000a1b2c3d4`, numbers in hex.
fn marked(line: &str) -> Option<Marked> {
    let line = line.strip_prefix("fanotify ")?;
    let word = |name: &str| line.split_whitespace().find_map(|word| word.strip_prefix(name));
    let number = |name: &str| u64::from_str_radix(word(name)?, 16).ok();
    let device = u32::try_from(number("sdev:")?).ok()?;
    let hex = word("f_handle:")?;
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at.checked_add(2)?)?, 16).ok();
    Some(Marked {
        inode: number("ino:")?,
        device: (device >> 20, device & 0xf_ffff),
        kind: i32::try_from(number("fhandle-type:")?).ok()?,
        bytes: (0..hex.len()).step_by(2).map(byte).collect::<Option<_>>()?,
    })
}

impl Marked {
    /// The handle, with the number of the file system that events bear beside it.
    pub(super) fn handle(self, file_system: u64) -> Handle {
        Handle { file_system, kind: self.kind, bytes: self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_the_kernel_lists_it() {
        let line = "fanotify ino:a9090f sdev:fe00000 mflags:0 mask:48000326 ignored_mask:0  fhandle-bytes:8 fhandle-type:1 f_handle:0f09a90039a0a343";
        let expected = Marked {
            inode: 0xa9_090f,
            device: (0xfe, 0),
            kind: 1,
            bytes: vec![0x0f, 0x09, 0xa9, 0, 0x39, 0xa0, 0xa3, 0x43],
        };
        assert_eq!(marked(line), Some(expected));
        assert_eq!(marked("fanotify flags:f82 event-flags:80000"), None);
        assert_eq!(marked("pos:\t0"), None);
    }
}
