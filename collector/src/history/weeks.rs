//! Counts by week: the last eight complete weeks and the one that runs.

use serde::{Deserialize, Serialize};

use super::day::Day;

/// Complete weeks that are remembered: long enough for a holiday and a busy month to be a part of the usual.
pub(super) const WEEKS_BEFORE: i32 = 8;
/// Weeks with any work that there must be before a usual week is spoken of.
const WEEKS_MIN: usize = 4;
/// Weeks with any work from which the first half can be told from the second: slow growth shows.
const WEEKS_FOR_GROWTH: usize = 6;
/// How many of the oldest weeks slow growth is measured against.
const OLDEST: usize = 4;
const SLOTS: usize = 9;

/// What happened by week, newest first, and today.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Weeks {
    week: i32,
    counts: [u32; SLOTS],
    day: Day,
    today: u32,
}

impl Weeks {
    /// Adds to a day.
    pub(super) fn add(&mut self, day: Day, n: u32) {
        let week = day.week();
        while self.week < week {
            if week - self.week > WEEKS_BEFORE {
                (self.week, self.counts) = (week, [0; SLOTS]);
                break;
            }
            self.counts.rotate_right(1);
            if let Some(newest) = self.counts.first_mut() {
                *newest = 0;
            }
            self.week = self.week.saturating_add(1);
        }
        // What a machine sends late still counts in its own week.
        if let Some(slot) = self.slot(week).and_then(|slot| self.counts.get_mut(slot)) {
            *slot = slot.saturating_add(n);
        }
        if self.day < day {
            (self.day, self.today) = (day, 0);
        }
        if self.day == day {
            self.today = self.today.saturating_add(n);
        }
    }

    /// How many there were in a week.
    pub(super) fn in_week(&self, week: i32) -> u32 {
        self.slot(week).and_then(|slot| self.counts.get(slot)).copied().unwrap_or(0)
    }

    /// How many there were on the newest day, if it is this one.
    pub(super) fn on_day(&self, day: Day) -> u32 {
        if self.day == day { self.today } else { 0 }
    }

    /// The newest day.
    pub(super) fn newest_day(&self) -> Day {
        self.day
    }

    fn slot(&self, week: i32) -> Option<usize> {
        usize::try_from(self.week.saturating_sub(week)).ok().filter(|slot| *slot < SLOTS)
    }
}

/// What is usual for somebody, from the weeks in which they worked at all: a holiday makes nobody unusual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usual {
    /// Median of the complete weeks remembered.
    pub(super) week: f64,
    /// Median of the oldest four of them, where there are enough to see growth.
    pub(super) week_at_first: Option<f64>,
    /// Median of what came on a day of work.
    pub(super) day: f64,
}

impl Usual {
    /// From counts and days of work by week; nothing while too few weeks are known. The week in which the
    /// first entry came counts as none, because it is not a whole one.
    pub(super) fn of(counts: &Weeks, days_of_work: &Weeks, first: Day, week: i32) -> Option<Self> {
        let before = (week.saturating_sub(WEEKS_BEFORE)..week).filter(|week| *week > first.week());
        let worked: Vec<(f64, f64)> = before
            .filter_map(|week| {
                let days = days_of_work.in_week(week);
                (days > 0).then(|| (f64::from(counts.in_week(week)), f64::from(days)))
            })
            .collect();
        if worked.len() < WEEKS_MIN {
            return None;
        }
        let median_of = |counts: &[(f64, f64)]| median(counts.iter().map(|(count, _)| *count).collect());
        let oldest = (worked.len() >= WEEKS_FOR_GROWTH).then(|| worked.get(..OLDEST)).flatten();
        Some(Self {
            week: median_of(&worked),
            week_at_first: oldest.map(median_of),
            day: median(worked.iter().map(|(count, days)| count / days).collect()),
        })
    }
}

/// The middle value; 0 of none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or(0.0);
    if values.len().is_multiple_of(2) {
        let lower = middle.checked_sub(1).and_then(|lower| values.get(lower)).copied().unwrap_or(upper);
        (lower + upper) / 2.0
    } else {
        upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;
    use jiff::civil::date;

    fn day(n: i64) -> Day {
        Day::of(date(2026, 8, 31).checked_add(n.days()).unwrap())
    }

    #[test]
    fn weeks_roll_and_late_entries_count_in_their_own_week() {
        let mut weeks = Weeks::default();
        weeks.add(day(0), 5);
        weeks.add(day(7), 7);
        weeks.add(day(3), 1);
        assert_eq!([weeks.in_week(day(0).week()), weeks.in_week(day(7).week())], [6, 7]);
        assert_eq!(weeks.on_day(day(7)), 7);
        weeks.add(day(7 * 8), 1);
        assert_eq!(weeks.in_week(day(0).week()), 6, "eight weeks back is still known");
        weeks.add(day(7 * 9), 1);
        assert_eq!(weeks.in_week(day(0).week()), 0, "nine is not");
        weeks.add(day(7 * 40), 2);
        assert_eq!(weeks.in_week(day(7 * 39).week()), 0);
    }

    #[test]
    fn a_holiday_does_not_make_the_usual_week_smaller() {
        let (mut counts, mut days) = (Weeks::default(), Weeks::default());
        for week in 0..8 {
            if week == 5 {
                continue;
            }
            for weekday in 0..5 {
                counts.add(day(week * 7 + weekday), 20);
                days.add(day(week * 7 + weekday), 1);
            }
        }
        let usual = Usual::of(&counts, &days, day(-3), day(8 * 7).week()).unwrap();
        assert_eq!((usual.week, usual.week_at_first, usual.day), (100.0, Some(100.0), 20.0));
        assert_eq!(
            Usual::of(&counts, &days, day(0), day(4 * 7).week()),
            None,
            "three whole weeks are too few"
        );
    }
}
