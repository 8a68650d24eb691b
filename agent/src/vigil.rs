//! Watches this machine's clocks once a second, so that what happened to the agent itself shows: held still, slept,
//! or told another time.
//!
//! A look sees three clocks: the wall, which anybody may set; the monotonic one, which nobody can and which stands
//! still while the machine sleeps; and the same with sleep counted. [`Vigil`] compares two looks, without I/O:
//!
//! | between two looks | means | entry |
//! |---|---|---|
//! | monotonic time passed that no look saw | the process did not run: SIGSTOP, a debugger, a stopped virtual machine | gap `frozen` |
//! | time passed only on the clock that counts sleep | the machine slept | gap `asleep` |
//! | the wall moved by more than monotonic time | the clock was set | tamper `clock_changed` |
//! | the wall runs faster or slower for minutes | the clock is slewed (adjtime, NTP) | tamper `clock_changed` |
//!
//! SE-1: an interval in which nothing can have been recorded is a gap with its bounds, also when it was short.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use ntk_evidence::event::{Event, Kind, OtherFields, Source, Tamper, TamperKind};
use ntk_evidence::time::Moment;
use tracing::warn;

use crate::clock::{self, Clock};
use crate::spool::room;
use crate::spool::thread::Intake;

/// How often the clocks are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// So much monotonic time between two looks is a busy machine; more is a process that did not run.
const LATE_MAX: Duration = Duration::from_secs(4);
/// So much may clocks differ between two looks without a meaning.
const DIFFERENCE_MAX: Duration = Duration::from_secs(1);
/// A slew is judged over at least this long.
const SLEW_OVER: Duration = Duration::from_secs(300);
/// NTP corrects a healthy clock by up to 500 parts in a million (RFC 5905, the maximum of its slew).
const SLEW_MAX_PPM: i128 = 500;
const MILLION: i128 = 1_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;

/// The three clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What the machine says the time is.
    pub wall: Moment,
    /// Time since boot without sleep.
    pub monotonic: Duration,
    /// Time since boot with sleep.
    pub boottime: Duration,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The process did not run.
    Frozen {
        /// The last look before.
        from: Moment,
        /// The first one after.
        to: Moment,
    },
    /// The machine slept.
    Asleep {
        /// The last look before.
        from: Moment,
        /// The first one after.
        to: Moment,
    },
    /// The clock was set.
    Jumped {
        /// What it would have said.
        before: Moment,
        /// What it says.
        after: Moment,
    },
    /// The clock is run faster (positive) or slower, in parts in a million.
    Slewed(i128),
}

/// Compares looks.
#[derive(Clone, Debug)]
pub struct Vigil {
    last: Sample,
    /// Where the slew is measured from: the start, or the last time that the clock was set.
    since: Sample,
    has_told_slew: bool,
}

impl Vigil {
    /// Begins with a first look.
    pub const fn new(first: Sample) -> Self {
        Self { last: first, since: first, has_told_slew: false }
    }

    /// What happened since the look before.
    pub fn look(&mut self, now: Sample) -> Vec<Notice> {
        let before = std::mem::replace(&mut self.last, now);
        let ran = now.monotonic.saturating_sub(before.monotonic);
        let passed = now.boottime.saturating_sub(before.boottime);
        let mut notices = Vec::new();
        if passed.saturating_sub(ran) > DIFFERENCE_MAX {
            notices.push(Notice::Asleep { from: before.wall, to: now.wall });
        } else if ran > LATE_MAX {
            notices.push(Notice::Frozen { from: before.wall, to: now.wall });
        }
        let expected = plus(before.wall, passed);
        if between(expected, now.wall).unsigned_abs() > DIFFERENCE_MAX.as_nanos() {
            notices.push(Notice::Jumped { before: expected, after: now.wall });
            (self.since, self.has_told_slew) = (now, false);
        }
        notices.extend(self.slew(now));
        notices
    }

    /// The rate since the reference, told once until it is measured anew.
    fn slew(&mut self, now: Sample) -> Option<Notice> {
        let passed = now.boottime.saturating_sub(self.since.boottime);
        if passed < SLEW_OVER {
            return None;
        }
        let ahead = between(plus(self.since.wall, passed), now.wall);
        let nanos = i128::try_from(passed.as_nanos()).unwrap_or(i128::MAX);
        let rate = ahead.saturating_mul(MILLION).checked_div(nanos).unwrap_or_default();
        let is_slewed = rate.abs() > SLEW_MAX_PPM;
        let is_news = is_slewed && !self.has_told_slew;
        // The next stretch is measured from here: a slew that begins late is not thinned by the quiet hours before.
        (self.since, self.has_told_slew) = (now, is_slewed);
        is_news.then_some(Notice::Slewed(rate))
    }
}

impl Notice {
    /// The entry of this machine's own log.
    pub fn event(self, now: Moment) -> Event {
        match self {
            Self::Frozen { from, to } => room::gap("frozen", Some(from), to, now, None),
            Self::Asleep { from, to } => room::gap("asleep", Some(from), to, now, None),
            Self::Jumped { before, after } => {
                let ahead = between(before, after).checked_div(NANOS_PER_MILLI).unwrap_or_default();
                let direction = if ahead < 0 { "back" } else { "forward" };
                let detail = format!(
                    "the clock moved {direction} by {}.{:03} s: it would have said {} and said {}",
                    ahead.unsigned_abs() / 1000,
                    ahead.unsigned_abs() % 1000,
                    clock::text(before),
                    clock::text(after)
                );
                changed(detail, now)
            }
            Self::Slewed(rate) => {
                let direction = if rate < 0 { "slower" } else { "faster" };
                changed(
                    format!(
                        "the clock runs {direction} than it should, by {} parts in a million",
                        rate.abs()
                    ),
                    now,
                )
            }
        }
    }
}

fn changed(detail: String, now: Moment) -> Event {
    let mut event = Event::new(Kind::Tamper, clock::text(now));
    event.tamper =
        Some(Tamper { what: TamperKind::ClockChanged, detail: Some(detail), other: OtherFields::new() });
    // The kernel's own record of a set clock, where there is one, names the audit sensor.
    event.source = Some(Source { sensor: Some("clocks".to_owned()), ..Source::default() });
    event
}

fn plus(moment: Moment, by: Duration) -> Moment {
    let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
    Moment::from_unix_nanos(moment.unix_nanos().saturating_add(nanos))
}

fn between(from: Moment, to: Moment) -> i128 {
    i128::from(to.unix_nanos()).saturating_sub(i128::from(from.unix_nanos()))
}

/// The clocks now.
pub fn sample(clock: &dyn Clock) -> Sample {
    Sample { wall: clock.now(), monotonic: clock.monotonic(), boottime: clock.uptime() }
}

/// The running watch over the clocks; it ends when dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts it on a thread of its own.
    pub fn start(clock: Arc<dyn Clock>, intake: Intake) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("clocks".to_owned()).spawn(move || {
            let mut vigil = Vigil::new(sample(&*clock));
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EVERY) {
                for notice in vigil.look(sample(&*clock)) {
                    warn!(notice = ?notice, "the clocks differ from what was expected");
                    if intake.own(notice.event(clock.now())).is_err() {
                        return;
                    }
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Looks as (wall, monotonic, boottime) in milliseconds; the events that come of them.
    fn check(looks: &[(i64, u64, u64)], expected: Expect) {
        let begin = 1_795_208_400_000;
        let looks: Vec<Sample> = looks
            .iter()
            .map(|(wall, monotonic, boottime)| Sample {
                wall: Moment::from_unix_nanos((begin + wall) * 1_000_000),
                monotonic: Duration::from_millis(*monotonic),
                boottime: Duration::from_millis(*boottime),
            })
            .collect();
        let mut vigil = Vigil::new(looks[0]);
        let mut told = String::new();
        for look in &looks[1..] {
            for notice in vigil.look(*look) {
                let event = notice.event(look.wall);
                let line = match (&event.gap, &event.tamper) {
                    (Some(gap), _) => format!(
                        "gap {} {} .. {}",
                        gap.cause,
                        gap.from.as_deref().unwrap_or("?"),
                        gap.to.as_deref().unwrap_or("?")
                    ),
                    (_, Some(tamper)) => tamper.detail.clone().unwrap_or_default(),
                    _ => String::new(),
                };
                told.push_str(&line);
                told.push('\n');
            }
        }
        expected.assert_eq(&told);
    }

    #[test]
    fn a_quiet_second_and_a_busy_one_say_nothing() {
        check(&[(0, 0, 0), (1000, 1000, 1000), (4900, 4900, 4900), (5950, 5900, 5900)], expect![[""]]);
    }

    #[test]
    fn a_process_that_was_held_still_shows_its_own_hole() {
        check(
            &[(0, 0, 0), (1000, 1000, 1000), (61_000, 61_000, 61_000), (62_000, 62_000, 62_000)],
            expect![[r#"
                gap frozen 2026-11-20T21:00:01.000Z .. 2026-11-20T21:01:01.000Z
            "#]],
        );
    }

    #[test]
    fn a_machine_that_slept_is_no_frozen_process() {
        check(
            &[(0, 0, 0), (1000, 1000, 1000), (3_602_000, 2000, 3_602_000)],
            expect![[r#"
                gap asleep 2026-11-20T21:00:01.000Z .. 2026-11-20T22:00:02.000Z
            "#]],
        );
    }

    #[test]
    fn a_clock_set_back_and_forth_is_told_both_times() {
        check(
            &[(0, 0, 0), (1000, 1000, 1000), (-3_598_000, 2000, 2000), (3000, 3000, 3000)],
            expect![[r#"
                the clock moved back by 3600.000 s: it would have said 2026-11-20T21:00:02.000Z and said 2026-11-20T20:00:02.000Z
                the clock moved forward by 3600.000 s: it would have said 2026-11-20T20:00:03.000Z and said 2026-11-20T21:00:03.000Z
            "#]],
        );
    }

    #[test]
    fn a_clock_set_while_the_process_was_held_still_shows_both() {
        check(
            &[(0, 0, 0), (600_000, 60_000, 60_000)],
            expect![[r#"
                gap frozen 2026-11-20T21:00:00.000Z .. 2026-11-20T21:10:00.000Z
                the clock moved forward by 540.000 s: it would have said 2026-11-20T21:01:00.000Z and said 2026-11-20T21:10:00.000Z
            "#]],
        );
    }

    #[test]
    fn a_clock_that_is_slowed_in_small_steps_is_told_once() {
        // 0.9 s a second: each step is too small for a jump.
        let looks: Vec<_> =
            (0i64..1200).map(|s| (s * 900, s.unsigned_abs() * 1000, s.unsigned_abs() * 1000)).collect();
        check(
            &looks,
            expect![[r#"
                the clock runs slower than it should, by 100000 parts in a million
            "#]],
        );
        // A healthy clock under NTP drifts by some parts in a million.
        let looks: Vec<_> = (0i64..1200)
            .map(|s| (s * 1000 + s / 50, s.unsigned_abs() * 1000, s.unsigned_abs() * 1000))
            .collect();
        check(&looks, expect![[""]]);
    }
}
