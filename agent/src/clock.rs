//! The clock, passed in wherever time matters, so that a test can be next Tuesday.
//!
//! Order comes from numbers in the author's log, never from a clock: what is read here is the machine's claim.

use std::time::Duration;

use ntk_evidence::time::Moment;

/// Tells the time.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// What the machine says the time is.
    fn now(&self) -> Moment;
    /// How long the machine has been up, sleep included; never runs backwards.
    fn uptime(&self) -> Duration;
    /// The same without the time that the machine slept.
    fn monotonic(&self) -> Duration;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the one real clock of the agent")]
    fn now(&self) -> Moment {
        let now = std::time::SystemTime::now();
        let nanos = match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, i64::wrapping_neg),
        };
        Moment::from_unix_nanos(nanos)
    }

    #[cfg(target_os = "linux")]
    fn uptime(&self) -> Duration {
        of_kernel(rustix::time::ClockId::Boottime)
    }

    #[cfg(target_os = "linux")]
    fn monotonic(&self) -> Duration {
        of_kernel(rustix::time::ClockId::Monotonic)
    }

    #[cfg(windows)]
    fn uptime(&self) -> Duration {
        crate::windows::system_ffi::uptime()
    }

    #[cfg(windows)]
    fn monotonic(&self) -> Duration {
        crate::windows::system_ffi::monotonic()
    }
}

#[cfg(target_os = "linux")]
fn of_kernel(id: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(id);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// A moment as the agent writes it into events: UTC with milliseconds.
pub fn text(moment: Moment) -> String {
    moment.to_rfc3339(3)
}

#[cfg(test)]
pub(crate) mod fake {
    //! A clock that stands still until a test moves it.
    use super::{Clock, Duration, Moment};
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Seconds since 2026-11-20T21:00:00Z.
    #[derive(Debug, Default)]
    pub(crate) struct FakeClock(AtomicI64);

    impl FakeClock {
        pub(crate) fn advance(&self, seconds: i64) {
            self.0.fetch_add(seconds, Ordering::Relaxed);
        }
    }

    impl Clock for FakeClock {
        fn now(&self) -> Moment {
            Moment::from_unix_nanos(1_795_208_400_000_000_000).plus_seconds(self.0.load(Ordering::Relaxed))
        }

        fn uptime(&self) -> Duration {
            Duration::from_secs(u64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or_default())
        }

        fn monotonic(&self) -> Duration {
            self.uptime()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_clock_is_later_than_this_program_and_up() {
        assert!(text(RealClock.now()).as_str() > "2026-01-01");
        assert!(RealClock.uptime() > Duration::ZERO);
    }
}
