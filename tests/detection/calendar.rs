//! The calendar of the made-up practice: its weeks, its holidays, its wall clock.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, ToSpan as _};

/// Zone of the made-up practice.
pub const ZONE: &str = "America/New_York";

/// Weeks of a practice, with the days on which it is closed.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    /// The first Monday.
    pub first: Date,
    /// How many weeks.
    pub weeks: u32,
}

impl Calendar {
    /// So many weeks from a Monday on.
    pub fn new(zone: TimeZone, first: Date, weeks: u32) -> Self {
        Self { zone, first, weeks }
    }

    /// A moment by the clock on the wall; minutes may exceed a day.
    pub fn at(&self, date: Date, minute: i64) -> Timestamp {
        let date = date.saturating_add(Span::new().days(minute.div_euclid(1440).clamp(-999, 999)));
        let minute = minute.rem_euclid(1440);
        let hour = i8::try_from(minute / 60).unwrap_or_default();
        let minute = i8::try_from(minute % 60).unwrap_or_default();
        // Every date here lies within a few years of the first Monday, which no zone refuses.
        let ambiguous = self.zone.to_ambiguous_timestamp(date.at(hour, minute, 0, 0));
        ambiguous.compatible().unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The day by the clock on the wall.
    pub fn date_of(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }

    /// The day so many days after the first Monday.
    pub fn day(&self, n: i64) -> Date {
        later(self.first, n)
    }

    /// How many days the weeks have.
    pub fn n_days(&self) -> i64 {
        i64::from(self.weeks) * 7
    }

    /// The day after the last.
    pub fn end(&self) -> Date {
        self.day(self.n_days())
    }

    /// Whether people work on that day.
    pub fn is_work_day(&self, date: Date) -> bool {
        !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) && holiday(date).is_none()
    }

    /// The first work day on or after this one.
    pub fn work_day_from(&self, date: Date) -> Date {
        (0..10).map(|n| later(date, n)).find(|day| self.is_work_day(*day)).unwrap_or(date)
    }

    /// Every holiday between the first day and the last.
    pub fn holidays(&self) -> Vec<(Date, &'static str)> {
        let days = (0..self.n_days()).map(|n| self.day(n));
        days.filter_map(|day| holiday(day).map(|name| (day, name))).collect()
    }
}

/// So many days later.
pub fn later(date: Date, days: i64) -> Date {
    date.saturating_add(days.clamp(-3660, 3660).days())
}

/// So many seconds later.
pub fn seconds(at: Timestamp, n: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(n)).unwrap_or(at)
}

/// So many minutes later.
pub fn minutes(at: Timestamp, n: i64) -> Timestamp {
    seconds(at, n.saturating_mul(60))
}

/// The name of the holiday on which practices in the United States are closed.
pub fn holiday(date: Date) -> Option<&'static str> {
    let nth = (date.day() - 1) / 7 + 1;
    match (date.month(), date.weekday()) {
        (1, _) if date.day() == 1 => Some("New Year's Day"),
        (1, Weekday::Monday) if nth == 3 => Some("Martin Luther King Day"),
        (2, Weekday::Monday) if nth == 3 => Some("Presidents' Day"),
        (5, Weekday::Monday) if date.day() > 24 => Some("Memorial Day"),
        (7, _) if date.day() == 4 => Some("Independence Day"),
        (9, Weekday::Monday) if nth == 1 => Some("Labor Day"),
        (11, Weekday::Thursday) if nth == 4 => Some("Thanksgiving"),
        (12, _) if date.day() == 25 => Some("Christmas Day"),
        _ => None,
    }
}
