//! What a rule key that is not ours says: nothing when live; in a recording it may be the watch's.
//!
//! A recording was made with somebody's rules, under keys we did not choose. When watches are given, a key
//! counts as a watch's if some record that bears it names a file below that watch. A recording whose file
//! records all bear one same key, none of them below a watch, was made with that rule for the watch: then the
//! key is the watch's too. When no watch is given, every key counts, and there is no class.

use std::collections::{BTreeMap, BTreeSet};

use crate::watch_list::{KEY_PREFIX, WatchList};

/// How keys of other people's rules are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignKeys {
    /// They say nothing: live, where the watches bear our own keys.
    Ignored,
    /// Every one counts: a recording without a list of watches.
    All,
    /// These count, for the watch at that place if there is one.
    Known(BTreeMap<String, Option<usize>>),
}

impl ForeignKeys {
    /// Whether a key counts, and for which watch.
    pub(super) fn reading(&self, key: &str) -> Option<Option<usize>> {
        if key.starts_with(KEY_PREFIX) {
            return None;
        }
        match self {
            Self::Ignored => None,
            Self::All => Some(None),
            Self::Known(known) => known.get(key).copied(),
        }
    }
}

/// Learns from a first reading of a recording which keys are a watch's.
#[derive(Debug, Default)]
pub struct KeyLearner {
    seen: BTreeSet<String>,
    below: BTreeMap<String, Option<usize>>,
}

impl KeyLearner {
    pub(super) fn saw(&mut self, key: &str, watch: Option<usize>) {
        self.seen.insert(key.to_owned());
        if watch.is_some() {
            let known = self.below.entry(key.to_owned()).or_insert(watch);
            if *known != watch {
                *known = None;
            }
        }
    }

    /// What was learned.
    pub fn finish(self, watches: &WatchList) -> ForeignKeys {
        if watches.is_empty() {
            return ForeignKeys::All;
        }
        let mut known = self.below;
        if known.is_empty() && self.seen.len() == 1 {
            known.extend(self.seen.into_iter().map(|key| (key, (watches.len() == 1).then_some(0))));
        }
        ForeignKeys::Known(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watches(n: usize) -> WatchList {
        WatchList::new((0..n).map(|place| format!("/w{place}=ehr").parse().unwrap()).collect()).unwrap()
    }

    fn learn(seen: &[(&str, Option<usize>)]) -> KeyLearner {
        let mut learner = KeyLearner::default();
        seen.iter().for_each(|(key, watch)| learner.saw(key, *watch));
        learner
    }

    #[test]
    fn a_key_seen_below_a_watch_is_that_watchs() {
        let keys = learn(&[("a", Some(1)), ("b", None), ("a", None)]).finish(&watches(2));
        assert_eq!(keys.reading("a"), Some(Some(1)));
        assert_eq!(keys.reading("b"), None);
        let keys = learn(&[("a", Some(1)), ("a", Some(0))]).finish(&watches(2));
        assert_eq!(keys.reading("a"), Some(None));
    }

    #[test]
    fn a_lone_key_is_the_watchs_and_two_are_not() {
        assert_eq!(learn(&[("a", None)]).finish(&watches(1)).reading("a"), Some(Some(0)));
        assert_eq!(learn(&[("a", None)]).finish(&watches(2)).reading("a"), Some(None));
        assert_eq!(learn(&[("a", None), ("b", None)]).finish(&watches(1)).reading("a"), None);
    }

    #[test]
    fn without_watches_every_key_counts_but_never_our_own() {
        let keys = KeyLearner::default().finish(&watches(0));
        assert_eq!(keys.reading("anything"), Some(None));
        assert_eq!(keys.reading("ntk-denied"), None);
    }
}
