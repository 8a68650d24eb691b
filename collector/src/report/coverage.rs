//! When each machine reported, was off, or was running and silent.
//!
//! An agent leaves a health entry every five minutes and on change. Between two entries that are further
//! apart, the boot id and the uptime say what the machine did: another boot means that it was off for a
//! while; the same boot with an uptime that went on means that it ran and told nothing. Where neither can be
//! told the state is unknown, and the report says so (RP-1).

use jiff::{SignedDuration, Timestamp};
use ntk_evidence::event::Health;
use serde::{Deserialize, Serialize};

use crate::need_to_know::moment;
use crate::on_site::OnSite;

/// Two health entries further apart than this leave a hole: twice five minutes and some slack.
const HOLE_AFTER: SignedDuration = SignedDuration::from_mins(11);

/// What a machine was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It reported.
    Reporting,
    /// It was switched off or asleep.
    Off,
    /// It was running and did not report.
    Silent,
    /// It did not report; whether it was running is not known.
    Unknown,
    /// It was not enrolled yet.
    NotEnrolled,
}

/// A state from one moment to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// First moment.
    #[serde(with = "moment")]
    pub from: Timestamp,
    /// First moment after.
    #[serde(with = "moment")]
    pub to: Timestamp,
    /// The state.
    pub state: State,
    /// Why, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// An enrolled machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineInput {
    /// Name, as in the entries.
    pub name: String,
    /// When it was enrolled; absent when long ago.
    pub enrolled_at: Option<Timestamp>,
    /// What an on-site test has proved of it.
    pub on_site: OnSite,
    /// Silences that the collector itself noticed; they replace what the health entries say.
    pub silences: Vec<Interval>,
}

/// A machine in the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineCoverage {
    /// Name.
    pub name: String,
    /// The whole week, without holes.
    pub intervals: Vec<Interval>,
    /// One state per hour of the week, the worst of it.
    pub hours: Vec<State>,
    /// Minutes per day of the week and state: reporting, off, silent, unknown or not enrolled.
    pub days: Vec<DayMinutes>,
    /// The week in one sentence.
    pub sentence: String,
    /// Whether an on-site test has proved what it sees.
    pub is_proved: bool,
}

/// Minutes of one day, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayMinutes {
    /// Reporting.
    pub reporting: u64,
    /// Off or asleep.
    pub off: u64,
    /// Running and silent.
    pub silent: u64,
    /// Not known, or not enrolled yet.
    pub unknown: u64,
}

/// One health entry, as far as coverage needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When.
    pub at: Timestamp,
    /// Why it was made: `start`, `periodic`, `change`, `stop`.
    pub reason: Option<String>,
    /// The boot.
    pub boot_id: Option<String>,
    /// Seconds since that boot.
    pub uptime_s: Option<u64>,
    /// By how much the machine's clock was ahead of the collector's, ms; negative: behind.
    pub ahead_ms: Option<i64>,
}

/// Clocks that differ by less are in order.
const CLOCK_OFF_MS: u64 = 2_000;

/// In a sentence, by how much a machine's clock was off at its worst; nothing where it was in order or is not known.
pub fn clock_off(beats: &[Beat]) -> Option<String> {
    let worst = beats.iter().filter_map(|beat| beat.ahead_ms).max_by_key(|ahead| ahead.unsigned_abs())?;
    let off = worst.unsigned_abs();
    if off <= CLOCK_OFF_MS {
        return None;
    }
    let amount = match off / 1000 {
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds @ 120..7200 => format!("{} minutes", seconds / 60),
        seconds => format!("{} hours", seconds / 3600),
    };
    let direction = if worst > 0 { "ahead of" } else { "behind" };
    Some(format!("Its clock was up to {amount} {direction} the collector’s."))
}

impl Beat {
    /// A health entry at its moment.
    pub fn of(at: Timestamp, health: &Health) -> Self {
        Self {
            at,
            reason: health.reason.clone(),
            boot_id: health.boot_id.clone(),
            uptime_s: health.uptime_s,
            ahead_ms: health.clock_ahead_ms,
        }
    }

    fn booted(&self) -> Option<Timestamp> {
        let uptime = SignedDuration::from_secs(i64::try_from(self.uptime_s?).ok()?);
        self.at.checked_sub(uptime).ok()
    }

    fn is_stop(&self) -> bool {
        self.reason.as_deref() == Some("stop")
    }
}

/// The states of a machine between two moments, from its health entries in order of time.
pub fn intervals(
    beats: &[Beat],
    from: Timestamp,
    to: Timestamp,
    enrolled_at: Option<Timestamp>,
) -> Vec<Interval> {
    let mut line = TimeLine { from, to, intervals: Vec::new() };
    let known_from = enrolled_at.filter(|at| *at > from).map_or(from, |at| at.min(to));
    line.add(from, known_from, State::NotEnrolled, None);
    match beats.first() {
        None => line.add(known_from, to, State::Unknown, Some("no report came at all")),
        Some(first) if first.at.duration_since(known_from) <= HOLE_AFTER => {
            line.add(known_from, first.at, State::Reporting, None);
        }
        Some(first) => {
            let booted = first.booted().unwrap_or(first.at).clamp(known_from.min(first.at), first.at);
            line.add(known_from, booted, State::Unknown, Some("no report before the machine was started"));
            line.after_boot(booted, first);
        }
    }
    for pair in beats.windows(2) {
        if let [before, after] = pair {
            line.between(before, after);
        }
    }
    if let Some(last) = beats.last() {
        let is_fresh = to.duration_since(last.at) <= HOLE_AFTER && !last.is_stop();
        let cause = if last.is_stop() { "the agent had stopped" } else { "no report since" };
        match is_fresh {
            true => line.add(last.at, to, State::Reporting, None),
            false => line.add(last.at, to, State::Unknown, Some(cause)),
        }
    }
    line.intervals
}

/// Whether something else than reporting lies between two health entries of a machine.
pub(super) fn is_hole(before: &Beat, after: &Beat) -> bool {
    after.at.duration_since(before.at) > HOLE_AFTER || before.is_stop()
}

/// Lays the collector's own observations over what the health entries say.
pub fn overlay(base: Vec<Interval>, over: &[Interval]) -> Vec<Interval> {
    let mut line = base;
    for top in over {
        let mut next = Vec::new();
        for under in line {
            for (from, to) in [(under.from, under.to.min(top.from)), (under.from.max(top.to), under.to)] {
                if from < to {
                    next.push(Interval { from, to, ..under.clone() });
                }
            }
        }
        next.push(top.clone());
        next.sort_by_key(|interval| interval.from);
        line = next;
    }
    line
}

struct TimeLine {
    from: Timestamp,
    to: Timestamp,
    intervals: Vec<Interval>,
}

impl TimeLine {
    fn add(&mut self, from: Timestamp, to: Timestamp, state: State, cause: Option<&str>) {
        let (from, to) = (from.max(self.from), to.min(self.to));
        if from >= to {
            return;
        }
        let cause = cause.map(str::to_owned);
        match self.intervals.last_mut() {
            Some(last) if last.state == state && last.cause == cause && last.to == from => last.to = to,
            _ => self.intervals.push(Interval { from, to, state, cause }),
        }
    }

    fn after_boot(&mut self, booted: Timestamp, first: &Beat) {
        let is_long = first.at.duration_since(booted) > HOLE_AFTER;
        let (state, cause) = if is_long {
            (State::Silent, Some("running before the first report"))
        } else {
            (State::Reporting, None)
        };
        self.add(booted, first.at, state, cause);
    }

    fn between(&mut self, before: &Beat, after: &Beat) {
        if !is_hole(before, after) {
            return self.add(before.at, after.at, State::Reporting, None);
        }
        let same_boot = match (&before.boot_id, &after.boot_id) {
            (Some(before), Some(after)) => Some(before == after),
            _ => None,
        };
        let stopped = before.is_stop().then_some("the agent had stopped");
        match (same_boot, before.uptime_s, after.uptime_s) {
            (Some(true), Some(then), Some(now)) => {
                // The uptime stands still while a machine sleeps.
                let ran =
                    SignedDuration::from_secs(i64::try_from(now.saturating_sub(then)).unwrap_or(i64::MAX));
                if ran <= HOLE_AFTER && !before.is_stop() {
                    self.add(before.at, after.at, State::Off, Some("asleep"));
                } else {
                    self.add(before.at, after.at, State::Silent, stopped);
                }
            }
            (Some(false), _, Some(_)) => {
                let booted = after.booted().unwrap_or(after.at).clamp(before.at, after.at);
                self.add(before.at, booted, State::Off, None);
                self.after_boot(booted, after);
            }
            _ => self.add(before.at, after.at, State::Unknown, stopped),
        }
    }
}

/// Sums the intervals per day; `day_starts` has one entry more than there are days.
pub fn minutes_per_day(intervals: &[Interval], day_starts: &[Timestamp]) -> Vec<DayMinutes> {
    let day = |pair: &[Timestamp]| {
        let mut minutes = DayMinutes::default();
        let [start, end] = pair else { return minutes };
        for interval in intervals {
            let length = interval.to.min(*end).duration_since(interval.from.max(*start));
            let Ok(length) = u64::try_from(length.as_mins()) else { continue };
            match interval.state {
                State::Reporting => minutes.reporting += length,
                State::Off => minutes.off += length,
                State::Silent => minutes.silent += length,
                State::Unknown | State::NotEnrolled => minutes.unknown += length,
            }
        }
        minutes
    };
    day_starts.windows(2).map(day).collect()
}

/// The worst state of each hour from one moment to another.
pub fn per_hour(intervals: &[Interval], from: Timestamp, to: Timestamp) -> Vec<State> {
    let mut hours = Vec::new();
    let mut start = from;
    while start < to {
        let Ok(end) = start.checked_add(SignedDuration::from_hours(1)) else { break };
        let inside = intervals.iter().filter(|interval| interval.from < end && interval.to > start);
        let worst = inside.map(|interval| interval.state).max_by_key(|state| match state {
            State::NotEnrolled => 0,
            State::Reporting => 1,
            State::Off => 2,
            State::Unknown => 3,
            State::Silent => 4,
        });
        hours.push(worst.unwrap_or(State::Unknown));
        start = end;
    }
    hours
}

/// How long the machine was in a state.
pub fn total(intervals: &[Interval], state: State) -> SignedDuration {
    let of_state = intervals.iter().filter(|interval| interval.state == state);
    of_state.map(|interval| interval.to.duration_since(interval.from)).sum()
}

#[cfg(test)]
mod tests;
