//! Moments as RFC 3339 text in UTC, without a clock: the text is what is signed, the number is for order.

/// Nanoseconds since 1970-01-01T00:00:00Z; before that negative. Reaches from 1677 to 2262.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Moment {
    /// A moment from nanoseconds since 1970.
    pub const fn from_unix_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A moment from whole seconds since 1970; none outside the years 1677 to 2262.
    pub const fn from_unix_seconds(seconds: i64) -> Option<Self> {
        match seconds.checked_mul(NANOS_PER_SECOND) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// Nanoseconds since 1970.
    pub const fn unix_nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded towards the past.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    /// The moment that is this many seconds later, at most the last one that can be written.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(NANOS_PER_SECOND)))
    }

    /// RFC 3339 in UTC with `digits` (0 to 9) digits of the second's fraction.
    pub fn to_rfc3339(self, digits: usize) -> String {
        let seconds = self.unix_seconds();
        let nanos = self.0.rem_euclid(NANOS_PER_SECOND);
        let (days, of_day) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) =
            (of_day.div_euclid(3600), of_day.rem_euclid(3600).div_euclid(60), of_day.rem_euclid(60));
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        if digits > 0 {
            let fraction = format!("{nanos:09}");
            text.push('.');
            text.push_str(fraction.get(..digits.min(9)).unwrap_or(&fraction));
        }
        text.push('Z');
        text
    }

    /// Reads RFC 3339 with `Z` or a numeric offset; more than nine digits of fraction are cut.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            digits.bytes().all(|c| c.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let mark = |at: usize| text.as_bytes().get(at).copied();
        let joined = mark(4) == Some(b'-')
            && mark(7) == Some(b'-')
            && mark(13) == Some(b':')
            && mark(16) == Some(b':');
        if !joined || !matches!(mark(10), Some(b'T' | b't' | b' ')) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let days = days_from_civil(year, month, day);
        if civil_from_days(days) != (year, month, day) {
            return None; // 30 February and its like
        }
        let mut rest = text.get(19..)?;
        let mut nanos = 0i64;
        if let Some(fraction) = rest.strip_prefix('.') {
            let end = fraction.bytes().position(|c| !c.is_ascii_digit()).unwrap_or(fraction.len());
            let digits = fraction.get(..end)?;
            if digits.is_empty() {
                return None;
            }
            let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
            nanos = nine.parse().ok()?;
            rest = fraction.get(end..)?;
        }
        let offset = match rest.as_bytes() {
            [b'Z' | b'z'] => 0,
            [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
                let at = text.len().checked_sub(5)?;
                let seconds = number(at, at.checked_add(2)?)?
                    .checked_mul(3600)?
                    .checked_add(number(at.checked_add(3)?, text.len())?.checked_mul(60)?)?;
                if *sign == b'+' { seconds } else { seconds.checked_neg()? }
            }
            _ => return None,
        };
        let of_day = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
        days.checked_mul(SECONDS_PER_DAY)?
            .checked_add(of_day)?
            .checked_sub(offset)?
            .checked_mul(NANOS_PER_SECOND)?
            .checked_add(nanos)
            .map(Self)
    }
}

/// Year, month and day of a number of days since 1970 (proleptic Gregorian; the eras of 400 years repeat).
#[expect(clippy::arithmetic_side_effects, reason = "the largest day number that a Moment holds is 106,751")]
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    (year_of_era + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

/// Days since 1970 of a date; the inverse of [`civil_from_days`].
#[expect(clippy::arithmetic_side_effects, reason = "years have four digits, months and days two")]
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments_read_and_write_the_same() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-20T21:00:00.250Z", 1_795_208_400_250_000_000),
            ("2024-02-29T23:59:59.999999999Z", 1_709_251_199_999_999_999),
            ("2026-11-20T16:00:00.25-05:00", 1_795_208_400_250_000_000),
        ] {
            assert_eq!(Moment::parse(text).map(Moment::unix_nanos), Some(nanos), "{text}");
        }
        assert_eq!(
            Moment::from_unix_nanos(1_795_208_400_250_000_000).to_rfc3339(3),
            "2026-11-20T21:00:00.250Z"
        );
        assert_eq!(Moment::from_unix_nanos(-1).to_rfc3339(9), "1969-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for wrong in [
            "",
            "2026",
            "2026-02-30T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T21:00:00",
            "2026-11-20T21:00:00.Z",
            "9999-12-31T23:59:59Z",
            "2026-11-20T21:00:00+0500",
            "２０２６-11-20T21:00:00Z",
        ] {
            assert_eq!(Moment::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_reads_back(nanos in any::<i64>(), noise in ".{0,40}") {
            let moment = Moment::from_unix_nanos(nanos);
            prop_assert_eq!(Moment::parse(&moment.to_rfc3339(9)), Some(moment));
            let _ = Moment::parse(&noise);
        }
    }
}
