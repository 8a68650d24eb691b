//! Time and serial number of a record: what joins the records of one event, and its moment as text.

use std::time::Duration;

/// Last second of the year 9999; later ones have no RFC 3339 form.
const SECONDS_MAX: u64 = 253_402_300_799;

/// `audit(SECONDS.MILLIS:SERIAL)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    seconds: u64,
    millis: u16,
    serial: u64,
}

impl Stamp {
    /// Reads the stamp in front of a record and gives back what follows it.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let rest = bytes.strip_prefix(b"audit(")?;
        let (seconds, rest) = digits(rest)?;
        let (millis, rest) = digits(rest.strip_prefix(b".")?)?;
        let (serial, rest) = digits(rest.strip_prefix(b":")?)?;
        let rest = rest.strip_prefix(b"):")?;
        let millis = u16::try_from(millis).ok().filter(|millis| *millis < 1000)?;
        (seconds <= SECONDS_MAX).then_some((Self { seconds, millis, serial }, rest.trim_ascii_start()))
    }

    /// A moment since 1970 that no record bears; its serial number is 0.
    pub(crate) fn of_moment(since_epoch: Duration) -> Self {
        let millis = u16::try_from(since_epoch.subsec_millis()).unwrap_or_default();
        Self { seconds: since_epoch.as_secs().min(SECONDS_MAX), millis, serial: 0 }
    }

    /// The kernel's number of the event.
    pub fn serial(self) -> u64 {
        self.serial
    }

    /// Time since 1970 as the machine claims it.
    pub fn since_epoch(self) -> Duration {
        Duration::from_secs(self.seconds).saturating_add(Duration::from_millis(self.millis.into()))
    }

    /// The moment as RFC 3339 UTC with milliseconds.
    pub fn rfc3339(self) -> String {
        rfc3339(self.since_epoch())
    }
}

/// A moment since 1970 as RFC 3339 UTC with milliseconds; what lies beyond the year 9999 is its last second.
pub fn rfc3339(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs().min(SECONDS_MAX);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a date, counted in eras of 400 years that begin on 1 March (Howard Hinnant's civil_from_days).
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap_days = (day_of_era / 1_460).saturating_add(day_of_era / 146_096);
    let year_of_era = day_of_era.saturating_add(day_of_era / 36_524).saturating_sub(leap_days) / 365;
    let years_in_days = year_of_era.saturating_mul(365).saturating_add(year_of_era / 4);
    let day_of_year = day_of_era.saturating_sub(years_in_days.saturating_sub(year_of_era / 100));
    let month_from_march = day_of_year.saturating_mul(5).saturating_add(2) / 153;
    let day = day_of_year
        .saturating_sub(month_from_march.saturating_mul(153).saturating_add(2) / 5)
        .saturating_add(1);
    let month = if month_from_march < 10 {
        month_from_march.saturating_add(3)
    } else {
        month_from_march.saturating_sub(9)
    };
    let year = era.saturating_mul(400).saturating_add(year_of_era).saturating_add(u64::from(month <= 2));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let millis = u64::from(since_epoch.subsec_millis());
    let mut text = String::with_capacity("2026-11-20T21:00:00.000Z".len());
    let parts = [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (hour, 2, ':'),
        (minute, 2, ':'),
        (second, 2, '.'),
        (millis, 3, 'Z'),
    ];
    // Without the machinery of `format!`: every event bears two of these.
    for (number, n_digits, mark) in parts {
        for power in [1000, 100, 10, 1].into_iter().skip(4_usize.saturating_sub(n_digits)) {
            text.push(char::from(b'0'.saturating_add(u8::try_from(number / power % 10).unwrap_or_default())));
        }
        text.push(mark);
    }
    text
}

fn digits(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let (number, rest) = bytes.split_at_checked(end)?;
    Some((super::field::decimal(number)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: u64, millis: u64, expected: &str) {
        assert_eq!(rfc3339(Duration::from_secs(seconds) + Duration::from_millis(millis)), expected);
    }

    #[test]
    fn moments_are_written_as_utc() {
        check(0, 0, "1970-01-01T00:00:00.000Z");
        check(951_782_400, 7, "2000-02-29T00:00:00.007Z");
        check(1_795_350_710, 388, "2026-11-22T12:31:50.388Z");
        check(4_107_542_400, 0, "2100-03-01T00:00:00.000Z");
        check(1_735_689_599, 999, "2024-12-31T23:59:59.999Z");
        check(u64::MAX / 2, 0, "9999-12-31T23:59:59.000Z");
    }
}
