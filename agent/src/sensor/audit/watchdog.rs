//! A drain thread that hangs must not hold up the machine: then this process ends, and the kernel goes on alone.
//!
//! An owner that lives and does not read makes every audited call wait. The wait is short ([`super::hold`]), and what
//! does not fit is lost and counted; this ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::sensor::stop::Stop;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// So many looks without a beat end the process. Looks are counted, not time: a machine that slept owes no beats.
const LOOKS_MAX: u32 = 10;

/// Counts looks without a beat.
#[derive(Debug, Default)]
struct Pulse {
    beats: u64,
    n_still: u32,
}

impl Pulse {
    fn is_dead(&mut self, beats: u64) -> bool {
        self.n_still = if beats == self.beats { self.n_still.saturating_add(1) } else { 0 };
        self.beats = beats;
        self.n_still >= LOOKS_MAX
    }
}

/// Watches the beats of a drain thread until the stop.
pub(super) fn watch(beats: Arc<AtomicU64>, stop: Stop) -> std::io::Result<()> {
    let watch = move || {
        let mut pulse = Pulse::default();
        while !stop.requested() {
            stop.wait(LOOK_EVERY);
            if !stop.requested() && pulse.is_dead(beats.load(Ordering::Relaxed)) {
                tracing::error!(
                    "records are not read any more; the agent ends so that the machine is not held up"
                );
                std::process::abort();
            }
        }
    };
    std::thread::Builder::new().name("audit-watchdog".to_owned()).spawn(watch).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_drain_that_stays_still_is_dead() {
        let mut pulse = Pulse::default();
        let mut dead = |beats| pulse.is_dead(beats);
        assert!((0..LOOKS_MAX - 1).all(|_| !dead(0)));
        assert!(!dead(1), "it moved at the last moment");
        assert!((0..LOOKS_MAX - 1).all(|_| !dead(1)));
        assert!(dead(1));
    }
}
