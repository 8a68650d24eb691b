//! Which refusals become acts: an enrolled machine that is refused again and again must not fill the ledger.
//!
//! The first of an author and code is told at once, later ones at most once a minute with their number. What is kept
//! is bounded by authors and codes, both of which the collector itself names. Pure: time is passed in.

use std::collections::BTreeMap;

use ntk_evidence::time::Moment;

/// Seconds between two acts about one author and code.
const TELL_EVERY_SECONDS: i64 = 60;

/// Refusals by author and code: when they were last told, and how many wait since.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<(String, String), (Option<Moment>, u64)>);

impl Told {
    /// Counts one; how many are to be told now, if it is time.
    pub(super) fn count(&mut self, author: &str, code: &str, now: Moment) -> Option<u64> {
        let (last, waiting) = self.0.entry((author.to_owned(), code.to_owned())).or_default();
        *waiting = waiting.saturating_add(1);
        // A clock that was set back must not silence the ledger until it has caught up.
        let is_due = last.is_none_or(|last| now < last || last.plus_seconds(TELL_EVERY_SECONDS) <= now);
        is_due.then(|| {
            *last = Some(now);
            std::mem::take(waiting)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_a_flood_once_a_minute_with_its_number() {
        let mut told = Told::default();
        let at = |seconds| Moment::from_unix_nanos(1_795_208_400_000_000_000).plus_seconds(seconds);
        assert_eq!(told.count("agent/a", "epoch", at(0)), Some(1));
        for second in 1..60 {
            assert_eq!(told.count("agent/a", "epoch", at(second)), None, "{second}");
        }
        assert_eq!(told.count("agent/b", "epoch", at(30)), Some(1), "another author is heard");
        assert_eq!(told.count("agent/a", "fork", at(30)), Some(1), "another code is heard");
        assert_eq!(told.count("agent/a", "epoch", at(60)), Some(60));
        assert_eq!(told.count("agent/a", "epoch", at(-5)), Some(1), "the clock was set back");
    }
}
