//! What kernel audit tells at this moment, for the sensors that stand in where it does not.
//!
//! ```text
//! audit (owner -> listener -> nothing) -> Standing -> fanotify: cross-check beside audit, else the sensor
//!                                                  -> notify, auth-log: asleep, else the sensor
//! ```
//! The audit sensor writes, the others read. Beside the two facts it carries the inodes and paths that audit records
//! spoke of, as numbers: what fanotify saw opened is compared with them. On Windows the event log asks through it for a look at
//! the audit policy.

#![cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "audit and fanotify exist on Linux only"))]

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Marks that wait for the comparison: one megabyte, some seconds of the busiest machine.
const MARKS_MAX: usize = 131_072;

/// A path or an inode, as a number that only this run of the agent understands.
pub(crate) type Mark = u64;

/// What was told since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// What audit records spoke of.
    pub(crate) marks: Vec<Mark>,
    /// Audit lost records, or there was no room here: what is missing may have been told.
    pub(crate) lossy: bool,
}

/// Shared by the sensors of one machine.
#[derive(Debug, Default)]
pub struct Standing {
    files: AtomicBool,
    logins: AtomicBool,
    compared: AtomicBool,
    policy_asked: AtomicBool,
    told: Mutex<Told>,
    hasher: RandomState,
}

impl Standing {
    /// Whether audit tells of accesses to every watch.
    pub fn sees_files(&self) -> bool {
        self.files.load(Ordering::Acquire)
    }

    /// Whether audit tells of logins.
    pub fn sees_logins(&self) -> bool {
        self.logins.load(Ordering::Acquire)
    }

    /// Says what audit tells of from now on.
    pub(crate) fn set(&self, files: bool, logins: bool) {
        self.files.store(files, Ordering::Release);
        self.logins.store(logins, Ordering::Release);
    }

    /// A record says that what Windows records was changed: [`super::audit_policy`] is to look.
    pub fn ask_policy(&self) {
        self.policy_asked.store(true, Ordering::Release);
    }

    /// Whether one did since this was asked last.
    pub fn policy_is_asked(&self) -> bool {
        self.policy_asked.swap(false, Ordering::AcqRel)
    }

    /// Somebody compares from now on: marks are worth keeping.
    pub(crate) fn compare(&self) {
        self.compared.store(true, Ordering::Release);
    }

    /// Whether marks are asked for.
    pub(crate) fn is_compared(&self) -> bool {
        self.compared.load(Ordering::Acquire)
    }

    /// The mark of a path.
    pub(crate) fn path(&self, path: &str) -> Mark {
        self.hasher.hash_one(path)
    }

    /// The mark of an inode; the device as records write it, `major:minor` in hex.
    pub(crate) fn inode(&self, device: &str, number: u64) -> Mark {
        self.hasher.hash_one((device, number))
    }

    /// Audit spoke of these.
    pub(crate) fn tell(&self, marks: impl IntoIterator<Item = Mark>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for mark in marks {
            if told.marks.len() >= MARKS_MAX {
                told.lossy = true;
                return;
            }
            told.marks.push(mark);
        }
    }

    /// Audit lost records.
    pub(crate) fn lost(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).lossy = true;
    }

    /// Takes what was told.
    pub(crate) fn take(&self) -> Told {
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_bounded_and_what_finds_no_room_is_said() {
        let standing = Standing::default();
        assert_eq!(standing.path("/a"), standing.path("/a"));
        assert_ne!(standing.inode("fe:00", 1), standing.inode("fe:01", 1));
        standing.tell([1, 2]);
        assert_eq!(standing.take(), Told { marks: vec![1, 2], lossy: false });
        standing.tell(0..=u64::try_from(MARKS_MAX).unwrap());
        let told = standing.take();
        assert_eq!((told.marks.len(), told.lossy), (MARKS_MAX, true));
        standing.lost();
        assert!(standing.take().lossy && !standing.take().lossy);
    }
}
