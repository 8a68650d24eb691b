//! What the writer shares with readers and sealers on other threads: how far is committed, and whose turn upkeep is.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pointer::Pointer;

/// What the writer shares with readers and sealers on other threads.
#[derive(Debug)]
pub(crate) struct Shared {
    committed_end: Mutex<Pointer>,
    earlier_bytes: AtomicU64,
    /// Held while files are removed or replaced.
    upkeep: Mutex<()>,
}

impl Shared {
    pub(crate) fn new(committed_end: Pointer, earlier_bytes: u64) -> Self {
        Self {
            committed_end: Mutex::new(committed_end),
            earlier_bytes: AtomicU64::new(earlier_bytes),
            upkeep: Mutex::new(()),
        }
    }

    pub(crate) fn committed_end(&self) -> Pointer {
        *self.committed_end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_committed_end(&self, end: Pointer) {
        *self.committed_end.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    pub(crate) fn upkeep(&self) -> MutexGuard<'_, ()> {
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn earlier_bytes(&self) -> u64 {
        self.earlier_bytes.load(Ordering::Relaxed)
    }

    /// Counts bytes of finished segments in. Differences, not totals: roll and seal may run at the same time.
    pub(crate) fn add_earlier(&self, bytes: u64) {
        self.earlier_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes of finished segments out; they were counted in before.
    pub(crate) fn remove_earlier(&self, bytes: u64) {
        self.earlier_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}
