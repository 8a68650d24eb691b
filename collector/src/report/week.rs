//! An ISO week and its bounds in the practice's own zone.

use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// One week, Monday to Sunday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Week {
    monday: Date,
}

/// A week that was not understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a week; write it as 2026-W47")]
pub struct WeekError {
    text: String,
}

impl Week {
    /// Reads `2026-W47`.
    pub fn parse(text: &str) -> Result<Self, WeekError> {
        let wrong = || WeekError { text: text.to_owned() };
        let (year, week) = text.split_once("-W").ok_or_else(wrong)?;
        let is_digits = |text: &str, n| text.len() == n && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(year, 4) || !is_digits(week, 2) {
            return Err(wrong());
        }
        let year = year.parse().map_err(|_| wrong())?;
        let week = week.parse().map_err(|_| wrong())?;
        let monday = ISOWeekDate::new(year, week, Weekday::Monday).map_err(|_| wrong())?;
        Ok(Self { monday: monday.date() })
    }

    /// The week in which a moment lies, in a zone.
    pub fn of(at: Timestamp, zone: &TimeZone) -> Self {
        let date = zone.to_datetime(at).date();
        let monday = date.iso_week_date();
        let days = i32::from(monday.weekday().to_monday_zero_offset());
        Self { monday: date.checked_sub(days.days()).unwrap_or(date) }
    }

    /// Monday.
    pub fn first_day(self) -> Date {
        self.monday
    }

    /// The week so many weeks before.
    pub fn earlier(self, weeks: i32) -> Self {
        let days = i64::from(weeks).saturating_mul(7);
        Self { monday: self.monday.checked_sub(days.days()).unwrap_or(Date::MIN) }
    }

    /// Monday to Sunday.
    pub fn days(self) -> Vec<Date> {
        (0..7).filter_map(|n| self.monday.checked_add(n.days()).ok()).collect()
    }

    /// First moment, and first moment of the next week; 167 to 169 hours apart where clocks change.
    pub fn bounds(self, zone: &TimeZone) -> (Timestamp, Timestamp) {
        let next = self.monday.checked_add(7.days()).unwrap_or(Date::MAX);
        (start_of(self.monday, zone), start_of(next, zone))
    }

    /// First moment of each day and of the next week's first.
    pub fn day_starts(self, zone: &TimeZone) -> Vec<Timestamp> {
        (0..8).filter_map(|n| self.monday.checked_add(n.days()).ok()).map(|day| start_of(day, zone)).collect()
    }

    /// `Monday 16 to Sunday 22 November 2026`.
    pub fn in_words(self) -> String {
        let sunday = self.monday.checked_add(6.days()).unwrap_or(self.monday);
        let first = match (self.monday.month() == sunday.month(), self.monday.year() == sunday.year()) {
            (true, true) => "%A %-d",
            (false, true) => "%A %-d %B",
            (_, false) => "%A %-d %B %Y",
        };
        format!("{} to {}", self.monday.strftime(first), sunday.strftime("%A %-d %B %Y"))
    }
}

impl std::fmt::Display for Week {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let week = self.monday.iso_week_date();
        write!(f, "{:04}-W{:02}", week.year(), week.week())
    }
}

/// Midnight, or the first moment after it where midnight does not exist.
fn start_of(day: Date, zone: &TimeZone) -> Timestamp {
    day.to_zoned(zone.clone()).map_or(Timestamp::MAX, |start| start.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(week: &str, zone: &str, words: &str, hours: i64) {
        let zone = TimeZone::get(zone).unwrap();
        let parsed = Week::parse(week).unwrap();
        let (from, to) = parsed.bounds(&zone);
        assert_eq!(parsed.to_string(), week);
        assert_eq!(parsed.in_words(), words);
        assert_eq!(to.duration_since(from).as_hours(), hours);
        assert_eq!(Week::of(from, &zone), parsed);
        assert_ne!(Week::of(to, &zone), parsed);
        assert_eq!(parsed.day_starts(&zone).len(), 8);
    }

    #[test]
    fn weeks_are_as_long_as_the_clocks_make_them() {
        check("2026-W47", "America/New_York", "Monday 16 to Sunday 22 November 2026", 168);
        check("2026-W44", "America/New_York", "Monday 26 October to Sunday 1 November 2026", 169);
        check("2026-W10", "America/New_York", "Monday 2 to Sunday 8 March 2026", 167);
        check("2026-W13", "Europe/Berlin", "Monday 23 to Sunday 29 March 2026", 167);
        check("2026-W43", "Europe/Berlin", "Monday 19 to Sunday 25 October 2026", 169);
        // On these days only one of the two changes.
        check("2026-W10", "Europe/Berlin", "Monday 2 to Sunday 8 March 2026", 168);
        check("2026-W44", "Europe/Berlin", "Monday 26 October to Sunday 1 November 2026", 168);
        check("2026-W53", "UTC", "Monday 28 December 2026 to Sunday 3 January 2027", 168);
        // Here the clocks change at midnight: the Sunday begins at 01:00.
        check("2018-W44", "America/Sao_Paulo", "Monday 29 October to Sunday 4 November 2018", 167);
    }

    #[test]
    fn a_week_ends_when_it_ends_for_the_practice() {
        let zone = TimeZone::get("America/New_York").unwrap();
        for (at, this, last) in [
            ("2026-11-30T04:59:59Z", "2026-W48", "2026-W47"),
            ("2026-11-30T05:00:00Z", "2026-W49", "2026-W48"),
            ("2027-01-04T01:00:00Z", "2026-W53", "2026-W52"),
        ] {
            let week = Week::of(at.parse().unwrap(), &zone);
            assert_eq!(
                (week.to_string().as_str(), week.earlier(1).to_string().as_str()),
                (this, last),
                "{at}"
            );
        }
    }

    #[test]
    fn what_is_no_week_is_answered_with_the_form() {
        for wrong in
            ["2026-47", "2026-W54", "2026-W00", "26-W47", "2026-W7", "2025-W53", "", "W47", "2026-W+7"]
        {
            let error = Week::parse(wrong).unwrap_err();
            assert!(error.to_string().contains("2026-W47"), "{wrong}");
        }
    }
}
