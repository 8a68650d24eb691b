//! Opening hours: minutes of the day, per weekday, in the practice's own zone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};

/// Minutes in a day; `24:00` is allowed as an end.
const MINUTES_OF_DAY: u16 = 24 * 60;

/// The weekdays as they stand in the file, Monday first.
pub const WEEKDAYS: &[(&str, Weekday)] = &[
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// From one minute of the day up to, not including, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First minute.
    pub from: u16,
    /// Minute after the last one.
    pub to: u16,
}

impl Span {
    /// Whether the minute lies inside.
    pub fn holds(self, minute: u16) -> bool {
        self.from <= minute && minute < self.to
    }
}

/// When the practice is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpeningHours {
    days: BTreeMap<u8, Vec<Span>>,
    closed_on: BTreeSet<Date>,
}

impl OpeningHours {
    /// Hours per weekday, and dates on which the practice is closed all the same.
    pub fn new(
        days: impl IntoIterator<Item = (Weekday, Vec<Span>)>,
        closed_on: impl IntoIterator<Item = Date>,
    ) -> Self {
        let days = days.into_iter().map(|(day, spans)| (number(day), spans)).collect();
        Self { days, closed_on: closed_on.into_iter().collect() }
    }

    /// Whether the practice is open at that minute of that day.
    pub fn is_open(&self, date: Date, minute: u16) -> bool {
        self.spans(date).iter().any(|span| span.holds(minute))
    }

    /// Whether the practice is closed on that date whatever the weekday.
    pub fn is_holiday(&self, date: Date) -> bool {
        self.closed_on.contains(&date)
    }

    /// The hours of a date in words: `Wednesday 07:00 to 18:30`, `Sunday closed`.
    pub fn in_words(&self, date: Date) -> String {
        let weekday = date.weekday();
        let name = WEEKDAYS.iter().find(|(_, day)| *day == weekday).map_or("", |(name, _)| name);
        let mut letters = name.chars();
        let name: String =
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect();
        let spans = self.spans(date);
        if spans.is_empty() {
            return format!("{name}: closed");
        }
        let spans: Vec<_> =
            spans.iter().map(|span| format!("{} to {}", clock(span.from), clock(span.to))).collect();
        format!("{name} {}", spans.join(" and "))
    }

    fn spans(&self, date: Date) -> &[Span] {
        if self.closed_on.contains(&date) {
            return &[];
        }
        self.days.get(&number(date.weekday())).map_or(&[], Vec::as_slice)
    }
}

fn number(day: Weekday) -> u8 {
    day.to_monday_one_offset().unsigned_abs()
}

/// `07:00-12:00, 13:00-18:30`, or `closed`.
pub fn parse_spans(text: &str) -> Result<Vec<Span>, String> {
    if text.trim() == "closed" {
        return Ok(Vec::new());
    }
    let mut spans: Vec<Span> = Vec::new();
    for part in text.split(',') {
        let form = || format!("`{}` is not like \"07:00-18:30\" or \"closed\"", part.trim());
        let (from, to) = part.trim().split_once('-').ok_or_else(form)?;
        let span = Span { from: minute_of(from).ok_or_else(form)?, to: minute_of(to).ok_or_else(form)? };
        if span.from >= span.to {
            return Err(format!(
                "`{}` ends before it begins; write hours over midnight as two, \"22:00-24:00, 00:00-05:00\"",
                part.trim()
            ));
        }
        if spans.iter().any(|other| span.from < other.to && other.from < span.to) {
            return Err(format!("`{}` overlaps another span", part.trim()));
        }
        spans.push(span);
    }
    Ok(spans)
}

fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    if hour.len() > 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
    let total = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && total <= MINUTES_OF_DAY).then_some(total)
}

/// A minute of the day as `HH:MM`.
pub fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn spans_are_read_and_wrong_ones_are_answered() {
        assert_eq!(parse_spans("closed"), Ok(vec![]));
        assert_eq!(parse_spans("07:00-12:00, 13:00-24:00").map(|spans| spans.len()), Ok(2));
        for (wrong, says) in [
            ("7-18", "is not like"),
            ("07:00", "is not like"),
            ("07:60-08:00", "is not like"),
            ("07:00-24:01", "is not like"),
            ("22:00-05:00", "over midnight"),
            ("07:00-12:00,11:59-13:00", "overlaps"),
        ] {
            assert!(parse_spans(wrong).unwrap_err().contains(says), "{wrong}");
        }
    }

    #[test]
    fn open_includes_the_first_minute_and_not_the_last() {
        let hours = OpeningHours::new(
            [(Weekday::Wednesday, parse_spans("07:00-18:30").unwrap())],
            [date(2026, 11, 25)],
        );
        let day = date(2026, 11, 18);
        assert!(hours.is_open(day, 420) && hours.is_open(day, 1109));
        assert!(!hours.is_open(day, 419) && !hours.is_open(day, 1110));
        assert!(!hours.is_open(date(2026, 11, 19), 600), "no hours means closed");
        assert!(!hours.is_open(date(2026, 11, 25), 600), "a holiday");
        assert_eq!(hours.in_words(day), "Wednesday 07:00 to 18:30");
        assert_eq!(hours.in_words(date(2026, 11, 19)), "Thursday: closed");
    }
}
