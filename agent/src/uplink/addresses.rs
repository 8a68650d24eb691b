//! Which of the collector's addresses is tried next: a decision without I/O, with time passed in.
//!
//! One address is tried at a time. The one that worked last comes first, then the others in the order in which they are
//! written down. A stream that lasted is opened again at the same address: most ends are a restart. An address that
//! failed, or whose stream ended soon, gives way to the next, so that one which greets and then drops keeps nobody from
//! the others. The wait grows with each walk round the whole list, not with each address: a second collector is asked
//! after about a second, and a dead fleet of them is left in peace.

use std::time::Duration;

/// A stream that ended sooner than this counts as one that failed.
pub const LASTED: Duration = Duration::from_secs(30);

/// The addresses of one collector, or of several over one ledger.
#[derive(Clone, Debug)]
pub struct Addresses<T> {
    /// As written down; never empty.
    all: Vec<T>,
    /// Where in `all` sending worked last; the first one, before it ever did.
    preferred: usize,
    /// How many of the walk's addresses were passed over since.
    n_passed: usize,
    /// When the stream began on which sending works, in the time that is passed in.
    working_since: Option<Duration>,
}

impl<T> Addresses<T> {
    /// One address and the others.
    pub fn new(first: T, others: impl IntoIterator<Item = T>) -> Self {
        let all = std::iter::once(first).chain(others).collect();
        Self { all, preferred: 0, n_passed: 0, working_since: None }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// All, as written down.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.iter()
    }

    /// Others in the place of all of them, in the same order: what was learned of each stays.
    pub fn replace_each(&mut self, others: Self) {
        if others.all.len() == self.all.len() {
            self.all = others.all;
        }
    }

    /// Where the next attempt goes.
    pub fn current(&self) -> Option<&T> {
        self.all.get(self.place())
    }

    fn place(&self) -> usize {
        let Some(n_passed) = self.n_passed.checked_sub(1) else { return self.preferred };
        // The others in their order: those before the preferred one keep their place, those behind move up by one.
        if n_passed < self.preferred { n_passed } else { n_passed.saturating_add(1) }
    }

    /// The stream to the current address was greeted, and batches go there now.
    pub fn works(&mut self, now: Duration) {
        self.preferred = self.place();
        self.n_passed = 0;
        self.working_since = Some(now);
    }

    /// The attempt failed, or its stream ended.
    pub fn ended(&mut self, now: Duration) {
        let lasted = self.working_since.take().is_some_and(|since| now.saturating_sub(since) >= LASTED);
        if !lasted {
            self.n_passed = self.n_passed.saturating_add(1).checked_rem(self.all.len()).unwrap_or(0);
        }
    }

    /// After how many failures in a row the wait before the next attempt is to be like: failed walks, not addresses.
    pub fn n_failed_walks(&self, n_failed: u32) -> u32 {
        let count = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        n_failed.div_ceil(count.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn three() -> Addresses<&'static str> {
        Addresses::new("a", ["b", "c"])
    }

    #[test]
    fn dead_addresses_are_walked_in_order_and_round_again() {
        let mut addresses = three();
        let mut walked = Vec::new();
        for second in 0..7 {
            walked.extend(addresses.current().copied());
            addresses.ended(at(second));
        }
        assert_eq!(walked, ["a", "b", "c", "a", "b", "c", "a"]);
    }

    #[test]
    fn the_one_that_worked_last_comes_first_and_the_others_in_their_order() {
        let mut addresses = three();
        addresses.ended(at(0));
        addresses.works(at(1));
        // It lasted: a restart, most likely.
        addresses.ended(at(1) + LASTED);
        let mut walked = Vec::new();
        for second in 0..4 {
            walked.extend(addresses.current().copied());
            addresses.ended(at(100 + second));
        }
        assert_eq!(walked, ["b", "a", "c", "b"]);
    }

    #[test]
    fn an_address_that_greets_and_drops_keeps_nobody_from_the_others() {
        let mut addresses = three();
        addresses.works(at(0));
        addresses.ended(at(1));
        assert_eq!(addresses.current(), Some(&"b"));
        addresses.works(at(2));
        addresses.ended(at(3));
        assert_eq!(addresses.current(), Some(&"a"), "the first of the others");
        addresses.ended(at(4));
        assert_eq!(addresses.current(), Some(&"c"));
    }

    #[test]
    fn a_single_address_is_tried_again_and_again_with_the_wait_of_before() {
        let mut addresses = Addresses::new("a", []);
        for second in 0..5 {
            assert_eq!(addresses.current(), Some(&"a"));
            addresses.ended(at(second));
        }
        assert_eq!((0..4).map(|n| addresses.n_failed_walks(n)).collect::<Vec<_>>(), [0, 1, 2, 3]);
        addresses.works(at(9));
        addresses.ended(at(10));
        assert_eq!(addresses.current(), Some(&"a"));
    }

    #[test]
    fn the_wait_grows_with_each_walk_and_not_with_each_address() {
        let addresses = three();
        assert_eq!((0..8).map(|n| addresses.n_failed_walks(n)).collect::<Vec<_>>(), [0, 1, 1, 1, 2, 2, 2, 3]);
    }

    #[test]
    fn a_clock_that_went_back_counts_as_a_stream_that_ended_soon() {
        let mut addresses = three();
        addresses.works(at(1_000));
        addresses.ended(at(1));
        assert_eq!(addresses.current(), Some(&"b"));
    }
}
