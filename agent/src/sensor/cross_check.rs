//! Compares what fanotify saw opened with what audit told: an open without a record within [`TOLD_WITHIN`] is news.
//!
//! Pure. Only that is compared: fanotify joins equal events and knows no flags, so counts and kinds of access would
//! differ on every machine. An open counts as told if audit spoke of its inode or of its path, before or after.

use std::collections::HashMap;
use std::time::Duration;

use super::standing::{Mark, Told};

/// How long an audit record may come after the open.
pub(crate) const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// Opens that wait; more of them are counted.
const OPENS_MAX: usize = 8192;

/// What audit told is remembered for so long: records may come before fanotify's event, too.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// An open that audit did not tell of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing<T> {
    /// What came with it.
    pub(crate) with: T,
    /// Whether audit lost records at that time: then it may have been among them.
    pub(crate) lossy: bool,
}

#[derive(Debug)]
struct Open<T> {
    marks: Vec<Mark>,
    since: Duration,
    with: T,
}

/// Opens that wait for their record.
#[derive(Debug)]
pub(crate) struct CrossCheck<T> {
    opens: Vec<Open<T>>,
    told: HashMap<Mark, Duration>,
    lossy_at: Option<Duration>,
    n_unchecked: u64,
}

impl<T> Default for CrossCheck<T> {
    fn default() -> Self {
        Self { opens: Vec::new(), told: HashMap::new(), lossy_at: None, n_unchecked: 0 }
    }
}

impl<T> CrossCheck<T> {
    /// Something was opened: its inode and path as marks.
    pub(crate) fn opened(&mut self, marks: Vec<Mark>, with: T, now: Duration) {
        if self.opens.len() >= OPENS_MAX {
            self.n_unchecked = self.n_unchecked.saturating_add(1);
            return;
        }
        self.opens.push(Open { marks, since: now, with });
    }

    /// Audit spoke.
    pub(crate) fn told(&mut self, told: Told, now: Duration) {
        if told.lossy {
            self.lossy_at = Some(now);
        }
        for mark in told.marks {
            self.told.insert(mark, now);
        }
    }

    /// The opens that waited long enough without a word.
    pub(crate) fn expire(&mut self, now: Duration) -> Vec<Missing<T>> {
        let told = &self.told;
        let is_told = |open: &Open<T>| open.marks.iter().any(|mark| told.contains_key(mark));
        self.opens.retain(|open| !is_told(open));
        let late = |open: &mut Open<T>| now.saturating_sub(open.since) >= TOLD_WITHIN;
        let missing: Vec<Open<T>> = self.opens.extract_if(.., late).collect();
        self.told.retain(|_, at| now.saturating_sub(*at) < REMEMBERED_FOR);
        let lossy = self.lossy_at.is_some_and(|at| now.saturating_sub(at) < REMEMBERED_FOR);
        missing.into_iter().map(|open| Missing { with: open.with, lossy }).collect()
    }

    /// Forgets what waits: audit does not tell of files at the moment, which is said elsewhere.
    pub(crate) fn forget(&mut self) -> Vec<T> {
        std::mem::take(&mut self.opens).into_iter().map(|open| open.with).collect()
    }

    /// How many opens found no room since the last question.
    pub(crate) fn unchecked(&mut self) -> u64 {
        std::mem::take(&mut self.n_unchecked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(marks: &[Mark]) -> Told {
        Told { marks: marks.to_vec(), lossy: false }
    }

    fn missing(check: &mut CrossCheck<&'static str>, now: u64) -> Vec<(&'static str, bool)> {
        let found = check.expire(Duration::from_secs(now));
        found.into_iter().map(|missing| (missing.with, missing.lossy)).collect()
    }

    #[test]
    fn only_an_open_without_any_record_is_news_and_only_after_its_time() {
        let s = Duration::from_secs;
        let mut check = CrossCheck::default();
        check.told(told(&[1]), s(9));
        check.opened(vec![1, 100], "told before", s(10));
        check.opened(vec![2, 200], "told after by its path", s(10));
        check.opened(vec![3, 300], "not told", s(10));
        assert_eq!(missing(&mut check, 14), []);
        check.told(told(&[200]), s(14));
        assert_eq!(missing(&mut check, 15), [("not told", false)]);
        assert_eq!(missing(&mut check, 60), []);
        check.opened(vec![1, 100], "told long ago", s(60));
        assert_eq!(missing(&mut check, 65), [("told long ago", false)]);
    }

    #[test]
    fn where_audit_lost_records_it_is_said_so() {
        let mut check = CrossCheck::default();
        check.opened(vec![1], "a", Duration::from_secs(1));
        check.told(Told { marks: Vec::new(), lossy: true }, Duration::from_secs(2));
        assert_eq!(missing(&mut check, 6), [("a", true)]);
    }

    #[test]
    fn memory_is_bounded_and_the_rest_is_counted() {
        let mut check = CrossCheck::default();
        for n in 0..OPENS_MAX as u64 + 3 {
            check.opened(vec![n], "x", Duration::ZERO);
        }
        assert_eq!((check.unchecked(), check.unchecked()), (3, 0));
        assert_eq!(check.forget().len(), OPENS_MAX);
    }
}
