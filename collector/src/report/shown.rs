//! A report as people see it: what strangers' texts could hide is made visible, what is endless is cut and says so.
//!
//! `report.json` keeps every text as it came; pages for people are made of this.

use serde_json::Value;

use super::WeeklyReport;
use super::text::number;

/// So many letters of one text are shown.
pub const LETTERS_MAX: usize = 600;

/// The report with every text made visible and no longer than [`LETTERS_MAX`]; the report itself where that cannot be
/// made.
pub(super) fn shown(report: &WeeklyReport) -> WeeklyReport {
    written(report, &|text| cut(&visible(text), LETTERS_MAX))
}

/// The same report with each text written as `write` does; the report itself where that cannot be made.
pub(super) fn written(report: &WeeklyReport, write: &dyn Fn(&str) -> String) -> WeeklyReport {
    let made = serde_json::to_value(report).map(|value| values(value, write));
    let mut written: WeeklyReport = made.and_then(serde_json::from_value).unwrap_or_else(|_| report.clone());
    // Three lines by form; the QR code holds them byte for byte.
    written.footer.checkpoint = report.footer.checkpoint.clone();
    written
}

fn values(value: Value, write: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(write(&text)),
        Value::Array(all) => all.into_iter().map(|value| values(value, write)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, values(value, write))).collect()
        }
        other => other,
    }
}

/// The text with control characters, overrides of the direction of writing and what has no width written out:
/// `\u{202E}`.
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\t' | '\n' | '\r' => visible.push_str(&letter.escape_default().to_string()),
            _ if is_hiding(letter) => visible.push_str(&letter.escape_unicode().to_string()),
            _ => visible.push(letter),
        }
    }
    visible
}

/// Letters that show nothing, or change how others are shown.
pub(crate) fn is_hiding(letter: char) -> bool {
    // The last two of every plane are no letters at all, and no XML takes them.
    letter.is_control()
        || u32::from(letter) & 0xFFFE == 0xFFFE
        || matches!(u32::from(letter),
            0xAD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
            | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFDD0..=0xFDEF | 0xFFF0..=0xFFFC
            | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

/// At most so many letters, and how many there are more.
pub fn cut(text: &str, letters_max: usize) -> String {
    let n = text.chars().count();
    if n <= letters_max {
        return text.to_owned();
    }
    let more = u64::try_from(n.saturating_sub(letters_max)).unwrap_or(u64::MAX);
    let kept: String = text.chars().take(letters_max).collect();
    format!("{kept}… ({} more letters in report.json)", number(more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_written_out_and_words_of_all_people_stay() {
        assert_eq!(visible("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
        assert_eq!(visible("a\u{0}b\u{200b}c\nd\u{feff}"), "a\\u{0}b\\u{200b}c\\nd\\u{feff}");
        for kept in ["Müller, José, Łódź", "Ελένη", "Иванова", "李雷", "שרה", "👩 x", "a b"]
        {
            assert_eq!(visible(kept), kept);
        }
    }

    #[test]
    fn what_is_cut_says_how_much() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut(&"é".repeat(2003), 3), "ééé… (2,000 more letters in report.json)");
    }
}
