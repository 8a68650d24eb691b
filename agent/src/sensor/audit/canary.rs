//! The agent's test of its own sight: a child of it opens a file of its own, and the kernel's record of that must come.
//!
//! A child, because the kernel makes no records of what the owner of audit does itself.
//!
//! A rule that blinds, a filter, a lost owner or a queue that nobody reads shows here, whatever its cause.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::record::{RawRecord, kind};
use crate::watch_list::CANARY_KEY;

/// Time between two tests.
const EVERY: Duration = Duration::from_secs(60);

/// How long a record may take. It takes milliseconds; a busy machine takes a second.
const WITHIN: Duration = Duration::from_secs(15);

/// What a look at the test says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing to do.
    Wait,
    /// Time to open the file.
    Open,
    /// The record did not come.
    Missing,
}

/// When the file was opened, and whether its record came.
#[derive(Debug)]
pub(super) struct Canary {
    path: PathBuf,
    opened: Option<Duration>,
    next: Duration,
    is_blind: bool,
    child: Option<Child>,
}

impl Canary {
    /// Makes the file in the agent's folder; none where that cannot be.
    pub(super) fn make(own_dir: &Path, now: Duration) -> Option<Self> {
        let path = own_dir.join("canary");
        std::fs::create_dir_all(own_dir).ok()?;
        std::fs::write(&path, b"Opened by the agent itself, to test whether records of it come.\n").ok()?;
        Some(Self { path, opened: None, next: now, is_blind: false, child: None })
    }

    /// The file.
    pub(super) fn path(&self) -> Option<&str> {
        self.path.to_str()
    }

    /// What is to be done now.
    pub(super) fn turn(&mut self, now: Duration) -> Turn {
        match self.opened {
            Some(opened) if now.saturating_sub(opened) >= WITHIN => {
                self.opened = None;
                self.next = now.saturating_add(EVERY);
                // Once for as long as it lasts.
                if std::mem::replace(&mut self.is_blind, true) { Turn::Wait } else { Turn::Missing }
            }
            Some(_) => Turn::Wait,
            None if now >= self.next => {
                self.opened = Some(now);
                Turn::Open
            }
            None => Turn::Wait,
        }
    }

    /// Has the file opened.
    pub(super) fn open(&mut self) {
        self.reap();
        let mut command = Command::new("cat");
        command.arg(&self.path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = command.spawn().ok();
    }

    /// Takes the ended child off the table of processes.
    fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            // By now it has ended, or hangs on a disk that hangs.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Looks at a record of the kernel: is it the test's?
    pub(super) fn saw(&mut self, raw: RawRecord<'_>, now: Duration) {
        let key = CANARY_KEY.as_bytes();
        if self.opened.is_some()
            && raw.kind == kind::SYSCALL
            && memchr::memmem::find(raw.payload, key).is_some()
        {
            self.opened = None;
            self.is_blind = false;
            self.reap();
            self.next = now.saturating_add(EVERY);
        }
    }

    /// Whether the last test failed.
    pub(super) fn is_blind(&self) -> bool {
        self.is_blind
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.reap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_does_not_come_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = Duration::from_secs;
        let mut canary = Canary::make(dir.path(), at(0)).unwrap();
        let record = |kind| RawRecord { kind, payload: b"syscall=257 key=\"ntk-canary\"" };
        assert_eq!(canary.turn(at(0)), Turn::Open);
        canary.saw(record(kind::PATH), at(1));
        assert_eq!(canary.turn(at(14)), Turn::Wait);
        canary.saw(record(kind::SYSCALL), at(14));
        assert_eq!(canary.turn(at(20)), Turn::Wait);
        assert_eq!(canary.turn(at(74)), Turn::Open);
        assert_eq!(canary.turn(at(89)), Turn::Missing);
        assert!(canary.is_blind());
        assert_eq!(canary.turn(at(149)), Turn::Open);
        assert_eq!(canary.turn(at(164)), Turn::Wait, "told already");
        assert_eq!(canary.turn(at(224)), Turn::Open);
        canary.saw(record(kind::SYSCALL), at(225));
        assert!(!canary.is_blind());
    }
}
