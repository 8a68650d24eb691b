//! Texts and moments of machines and acts, as pages say them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::report::shown::visible;
use crate::report::text::moment;

/// The longest text of a machine that is shown in a line, letters.
const LETTERS_MAX: usize = 300;

/// A text of a machine as people see it: what hides is written out, what is long is cut.
pub(super) fn plain(text: &str) -> String {
    let text = visible(text);
    match text.char_indices().nth(LETTERS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// `Saturday 28 November, 08:40 (EST)`; the text itself where it is no time.
pub(super) fn when(time: &str, zone: &TimeZone) -> String {
    time.parse::<Timestamp>().map_or_else(|_| plain(time), |at| moment(at, zone))
}

/// `2026-11-28 08:40`, for lists of a page that names the zone; the text itself where it is no time.
pub(super) fn when_in_short(time: &str, zone: &TimeZone) -> String {
    time.parse::<Timestamp>()
        .map_or_else(|_| plain(time), |at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string())
}
