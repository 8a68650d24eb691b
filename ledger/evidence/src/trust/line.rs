//! What the lines of a trust file that tell of a change have in common: a time, and a reason that a person wrote.

use crate::name::is_plain;
use crate::time::Moment;

/// The longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 300;

/// Whether it is one line, not too long, that a terminal shows as it stands.
pub(super) fn is_reason(why: &str) -> bool {
    why.len() <= REASON_BYTES_MAX && is_plain(why)
}

/// Whether all are times of RFC 3339 and none is before the one above it.
pub(super) fn are_in_order<'a>(times: impl Iterator<Item = &'a str>) -> bool {
    times.map(Moment::parse).collect::<Option<Vec<Moment>>>().is_some_and(|times| times.is_sorted())
}
