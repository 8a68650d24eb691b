//! The seam between what is judged and who judges: entries and acts go in, items for a manager come out.

use std::fmt;

use anyhow::Result;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::scenario::{Act, Entry};

/// Something that reads a ledger in its order and says what a manager should look at.
pub trait Detector {
    /// Its name in the table.
    fn name(&self) -> &str;

    /// An act of the collector or of a person.
    fn act(&mut self, act: &Act) -> Result<()>;

    /// An entry of an agent or an import.
    fn entry(&mut self, entry: &Entry) -> Result<()>;

    /// Everything it would have put before the manager, in any order.
    fn finish(&mut self) -> Result<Vec<DetectedItem>>;
}

/// One thing that a manager has to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectedItem {
    /// The week in whose report it stands.
    pub week: Week,
    /// The entries on which it rests, by author and number.
    pub entries: Vec<(String, u64)>,
    /// Its sentence.
    pub headline: String,
    /// What kind of item it is, in the detector's own words.
    pub kind: String,
    /// Whether it only says that there is a lot, so that nothing in it is found.
    pub sums_up: SumsUp,
}

/// Whether an item stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumsUp {
    /// It is about its entries.
    No,
    /// It is a count of many small things.
    Flood,
}

/// A week of the report: Monday to Sunday in the practice's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week(Date);

impl Week {
    /// The week of a moment.
    pub fn of(at: Timestamp, zone: &TimeZone) -> Self {
        Self::of_date(zone.to_datetime(at).date())
    }

    /// The week of a day.
    pub fn of_date(date: Date) -> Self {
        let since = i64::from(date.weekday().since(Weekday::Monday));
        Self(date.saturating_sub(since.days()))
    }

    /// Its first day.
    pub fn monday(self) -> Date {
        self.0
    }

    /// The week after.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(7.days()))
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let week = self.0.iso_week_date();
        write!(f, "{}-W{:02}", week.year(), week.week())
    }
}
