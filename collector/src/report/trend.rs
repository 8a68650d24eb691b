//! This week beside the eight before it: accesses, questions, coverage. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::coverage::{Beat, Interval, MachineCoverage, State, intervals, is_hole};

/// One week of the trend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrendWeek {
    /// `2026-W47`.
    pub week: String,
    /// Accesses and logins that were recorded and concern a protected area.
    pub n_accesses: u64,
    /// Questions about accesses, decided or not.
    pub n_items: u64,
    /// Of the time in which its machines were not off, how much they reported, in whole per cent, rounded down; absent
    /// where no machine told anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<u64>,
}

impl TrendWeek {
    /// `98 %`, or a dash.
    pub fn coverage(&self) -> String {
        self.coverage_percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"))
    }

    /// `W47`.
    pub fn short(&self) -> &str {
        self.week.split_once('-').map_or(self.week.as_str(), |(_, week)| week)
    }
}

/// How long machines reported, and how long they should have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    reporting: SignedDuration,
    dark: SignedDuration,
}

impl Covered {
    fn add(&mut self, state: State, length: SignedDuration) {
        let sum = match state {
            State::Reporting => &mut self.reporting,
            State::Silent | State::Unknown => &mut self.dark,
            State::Off | State::NotEnrolled => return,
        };
        *sum = sum.saturating_add(length);
    }

    /// What the machines of a report come to.
    pub fn of(machines: &[MachineCoverage]) -> Self {
        let mut covered = Self::default();
        for interval in machines.iter().flat_map(|machine| &machine.intervals) {
            covered.add(interval.state, interval.to.duration_since(interval.from));
        }
        covered
    }

    /// In whole per cent, rounded down, so that 100 means all of it.
    pub fn percent(self) -> Option<u64> {
        let (reporting, all) = (self.reporting.as_secs(), self.reporting.saturating_add(self.dark).as_secs());
        u64::try_from(reporting.saturating_mul(100).checked_div(all)?).ok()
    }
}

/// Coverage of several weeks from health entries in order of time, of which only the last of each machine is kept.
#[derive(Clone, Debug, Default)]
pub struct Running {
    last: BTreeMap<String, Beat>,
    weeks: BTreeMap<Timestamp, (Timestamp, Covered)>,
}

impl Running {
    /// Of these weeks, by their first moment and the first after.
    pub fn of(weeks: impl IntoIterator<Item = (Timestamp, Timestamp)>) -> Self {
        let weeks = weeks.into_iter().map(|(from, to)| (from, (to, Covered::default())));
        Self { last: BTreeMap::new(), weeks: weeks.collect() }
    }

    /// Takes in one health entry.
    pub fn observe(&mut self, host: &str, beat: Beat) {
        match self.last.get(host) {
            Some(before) if before.at >= beat.at => return,
            Some(before) if !is_hole(before, &beat) => {
                let (from, to) = (before.at, beat.at);
                self.add(&Interval { from, to, state: State::Reporting, cause: None });
            }
            Some(before) => {
                let (from, to) = (before.at, beat.at);
                for interval in intervals(&[before.clone(), beat.clone()], from, to, None) {
                    self.add(&interval);
                }
            }
            None => {}
        }
        match self.last.get_mut(host) {
            Some(last) => *last = beat,
            None => {
                self.last.insert(host.to_owned(), beat);
            }
        }
    }

    /// What is known by a moment: a machine that told nothing more is not known since.
    pub fn finish(mut self, until: Timestamp) -> BTreeMap<Timestamp, Covered> {
        for beat in std::mem::take(&mut self.last).into_values().filter(|beat| beat.at < until) {
            self.add(&Interval { from: beat.at, to: until, state: State::Unknown, cause: None });
        }
        self.weeks.into_iter().map(|(from, (_, covered))| (from, covered)).collect()
    }

    fn add(&mut self, interval: &Interval) {
        for (from, (to, covered)) in &mut self.weeks {
            let (from, to) = (interval.from.max(*from), interval.to.min(*to));
            if from < to {
                covered.add(interval.state, to.duration_since(from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_mins(minute)).unwrap()
    }

    fn beat(minute: i64, boot: &str, uptime_min: u64) -> Beat {
        let uptime_s = Some(uptime_min * 60);
        Beat { at: at(minute), reason: None, boot_id: Some(boot.to_owned()), uptime_s, ahead_ms: None }
    }

    /// Per cent of each of two spans of 100 minutes.
    #[track_caller]
    fn check(beats: &[(&str, Beat)], until: i64, expected: [Option<u64>; 2]) {
        let mut running = Running::of([(at(0), at(100)), (at(100), at(200))]);
        for (host, beat) in beats {
            running.observe(host, beat.clone());
        }
        let covered: Vec<_> = running.finish(at(until)).into_values().map(Covered::percent).collect();
        assert_eq!(covered, expected);
    }

    #[test]
    fn silence_counts_against_coverage_and_being_off_does_not() {
        let steady = |from: i64, to: i64| {
            (from..=to).step_by(5).map(|minute| ("a", beat(minute, "x", 1000 + minute.unsigned_abs())))
        };
        check(&[], 200, [None, None]);
        check(&steady(0, 200).collect::<Vec<_>>(), 200, [Some(100), Some(100)]);
        // The same boot ran on without a word for half of the first span.
        let silent: Vec<_> = steady(0, 20).chain(steady(70, 200)).collect();
        check(&silent, 200, [Some(50), Some(100)]);
        // Another boot: it was off.
        let off: Vec<_> = steady(0, 20)
            .chain((70..=200).step_by(5).map(|minute| ("a", beat(minute, "y", minute.unsigned_abs() - 69))))
            .collect();
        check(&off, 200, [Some(100), Some(100)]);
        // Nothing after the first span: not known is not covered.
        check(&steady(0, 100).collect::<Vec<_>>(), 200, [Some(100), Some(0)]);
        check(&steady(0, 100).collect::<Vec<_>>(), 150, [Some(100), Some(0)]);
    }

    #[test]
    fn an_older_entry_changes_nothing() {
        let beats = [("a", beat(0, "x", 10)), ("a", beat(10, "x", 20)), ("a", beat(5, "x", 15))];
        check(&beats, 10, [Some(100), None]);
    }
}
