//! A day on the practice's wall, as a number: small to keep, cheap to compare.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The day with the number 0, a Thursday.
const EPOCH: Date = jiff::civil::date(1970, 1, 1);
/// From Monday to that Thursday.
const DAYS_BEFORE_EPOCH: i32 = 3;

/// Days since 1 January 1970 in the practice's zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Day(i32);

impl Day {
    /// The day of a date.
    pub(crate) fn of(date: Date) -> Self {
        Self(i32::try_from(date.duration_since(EPOCH).as_hours() / 24).unwrap_or(0))
    }

    /// Number of its week; a week begins on Monday, as ISO 8601 has it.
    pub(crate) fn week(self) -> i32 {
        self.0.saturating_add(DAYS_BEFORE_EPOCH).div_euclid(7)
    }

    /// How many days after another one this is.
    pub(crate) fn days_after(self, other: Self) -> i32 {
        self.0.saturating_sub(other.0)
    }

    /// The date.
    pub(crate) fn date(self) -> Date {
        EPOCH.checked_add(i64::from(self.0).days()).unwrap_or(EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_day_is_its_date_again_and_weeks_turn_on_monday() {
        for day in [date(1969, 12, 28), date(1970, 1, 1), date(2026, 11, 22), date(2028, 2, 29)] {
            assert_eq!(Day::of(day).date(), day);
        }
        let sunday = Day::of(date(2026, 11, 22));
        let monday = Day::of(date(2026, 11, 23));
        assert_eq!(monday.week() - sunday.week(), 1);
        assert_eq!(Day::of(date(2026, 11, 29)).week(), monday.week());
    }
}
