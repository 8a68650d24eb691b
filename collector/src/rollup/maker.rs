//! The thread that makes roll-ups behind the one that follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::warn;

use super::ENTRIES;
use super::read::Next;
use crate::follow::Lookup;

/// How often it is looked whether enough entries have come.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long it waits after a failure.
const AFTER_A_FAILURE: Duration = Duration::from_secs(60);

/// The running thread. Without it everything is read one by one: slower, and the same.
#[derive(Debug)]
pub struct Maker {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Maker {
    /// Starts it.
    pub fn start(lookup: Lookup) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = crate::threads::spawn("rollups", move || run(&lookup, &stopping))?;
        Ok(Self { stop, thread })
    }

    /// Ends it, after the roll-up that it is at.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            warn!("the thread of roll-ups ended with a panic");
        }
    }
}

fn run(lookup: &Lookup, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        let made = Next::after_kept(lookup).and_then(|mut next| {
            while !stop.load(Ordering::Acquire) {
                if !next.make(lookup, ENTRIES)? {
                    std::thread::park_timeout(LOOK_EVERY);
                }
            }
            Ok(())
        });
        if let Err(error) = made {
            // Retention may just have taken the segment away that was being read.
            warn!(reason = %crate::error_chain(&error), "a roll-up could not be made; it is tried again, and until then reviews take longer");
            std::thread::park_timeout(AFTER_A_FAILURE);
        }
    }
}
