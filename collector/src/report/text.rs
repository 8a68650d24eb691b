//! Numbers, lists and moments in words.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// `4,012`.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 thing`, `4,012 things`.
pub fn count(n: impl TryInto<u64>, one: &str, more: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{} {}", number(n), if n == 1 { one } else { more })
}

/// `once`, `twice`, `13 times`.
pub fn times(n: usize) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => count(n, "time", "times"),
    }
}

/// `One thing`, `Two things`, `13 things`: for the beginning of a sentence.
pub fn count_in_words(n: u64, one: &str, more: &str) -> String {
    let words = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"];
    let word = usize::try_from(n).ok().and_then(|n| words.get(n).copied());
    let amount = word.map_or_else(|| number(n), str::to_owned);
    format!("{amount} {}", if n == 1 { one } else { more })
}

/// `a, b and c`.
pub fn list_of(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The text with its first letter large.
pub fn capitalise(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// `2 hours 13 minutes`.
pub fn duration(length: SignedDuration) -> String {
    let minutes = u64::try_from(length.as_mins()).unwrap_or(0);
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let mut parts = Vec::new();
    if days > 0 {
        parts.push(count(days, "day", "days"));
    }
    if hours > 0 {
        parts.push(count(hours, "hour", "hours"));
    }
    if minutes > 0 && days == 0 || parts.is_empty() {
        parts.push(count(minutes, "minute", "minutes"));
    }
    parts.join(" ")
}

/// `Wednesday 18 November, 21:03 (EST)`.
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let there = at.to_zoned(zone.clone());
    format!("{} ({})", there.strftime("%A %-d %B, %H:%M"), there.strftime("%Z"))
}

/// `Wednesday 18 November, 21:03 to 21:09 (EST)`.
pub fn period(first: Timestamp, last: Timestamp, zone: &TimeZone) -> String {
    let (from, to) = (first.to_zoned(zone.clone()), last.to_zoned(zone.clone()));
    let short = |there: &jiff::Zoned| there.strftime("%H:%M").to_string();
    if from.date() != to.date() || from.offset() != to.offset() {
        return format!("{} to {}", moment(first, zone), moment(last, zone));
    }
    if short(&from) == short(&to) {
        return moment(first, zone);
    }
    let day = from.strftime("%A %-d %B, %H:%M");
    format!("{day} to {} ({})", short(&to), to.strftime("%Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lists_read_well() {
        assert_eq!([0, 999, 1000, 4012, 1234567].map(number), ["0", "999", "1,000", "4,012", "1,234,567"]);
        assert_eq!(count(1usize, "item", "items"), "1 item");
        assert_eq!(count_in_words(2, "item", "items"), "Two items");
        assert_eq!(count_in_words(11, "item", "items"), "11 items");
        assert_eq!(list_of(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(capitalise("ärger"), "Ärger");
        assert_eq!(duration(SignedDuration::from_mins(133)), "2 hours 13 minutes");
        assert_eq!(duration(SignedDuration::from_mins(0)), "0 minutes");
        assert_eq!(duration(SignedDuration::from_mins(1501)), "1 day 1 hour");
    }

    #[test]
    fn a_period_over_a_clock_change_names_both_abbreviations() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let at = |text: &str| text.parse().unwrap();
        assert_eq!(
            period(at("2026-11-19T02:03:00Z"), at("2026-11-19T02:09:30Z"), &zone),
            "Wednesday 18 November, 21:03 to 21:09 (EST)"
        );
        assert_eq!(
            period(at("2026-11-01T05:30:00Z"), at("2026-11-01T06:30:00Z"), &zone),
            "Sunday 1 November, 01:30 (EDT) to Sunday 1 November, 01:30 (EST)"
        );
    }
}
