//! Reading entries through roll-ups, and making the next one.

use std::ops::ControlFlow;

use super::{Cover, Known, Making, Rolled, Rollup, made_by};
use crate::follow::answer::store_error;
use crate::follow::{Lookup, Rules};
use crate::ledger::LedgerError;
use crate::store::StoreError;

/// A run of leaves, in the order of the log.
enum Part {
    /// They are rolled up.
    Rolled(Cover),
    /// They are read one by one.
    Leaves(Vec<u64>),
}

impl Lookup {
    /// What was claimed for `[from, to]`, in the order of the log: rows where leaves are rolled up, single entries elsewhere.
    ///
    /// Beyond [`Lookup::events`], which gives whole batches, nothing outside the time is given.
    pub fn rolled(
        &self,
        from_unix_ns: i64,
        to_unix_ns: i64,
        mut each: impl FnMut(Rolled<'_>),
    ) -> Result<(), LedgerError> {
        self.up_to_date()?;
        let mut give = |rolled: Rolled<'_>| {
            if (from_unix_ns..=to_unix_ns).contains(&rolled.at_unix_ns) {
                each(rolled);
            }
        };
        let (mut rules, mut known) = (Rules::new(), Known::default());
        for part in self.parts(from_unix_ns, to_unix_ns)? {
            let leaves = match part {
                Part::Leaves(leaves) => leaves,
                Part::Rolled(cover) => match self.store().rollup(cover.first).map_err(store_error)? {
                    Some(rollup) => {
                        let given = rollup.each(&mut known, self.zone(), &mut give);
                        given.map_err(|error| store_error(StoreError::Value(error)))?;
                        continue;
                    }
                    // Taken out meanwhile, by retention say.
                    None => (cover.first..cover.end.min(self.reached().0)).collect(),
                },
            };
            self.events_of(leaves, (from_unix_ns, to_unix_ns), &mut rules, |seen, _| {
                give(Rolled::from(&seen));
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }

    fn parts(&self, from_unix_ns: i64, to_unix_ns: i64) -> Result<Vec<Part>, LedgerError> {
        let made_by = made_by(self.zone());
        let mut covers = self.store().covers().map_err(store_error)?;
        covers.retain(|cover| cover.made_by == made_by);
        let mut covers = covers.into_iter().peekable();
        let mut parts = Vec::new();
        let take = |cover: Cover, parts: &mut Vec<Part>| {
            if cover.from_unix_ns <= to_unix_ns && cover.to_unix_ns >= from_unix_ns {
                parts.push(Part::Rolled(cover));
            }
        };
        for leaf in self.store().indexes_between(from_unix_ns, to_unix_ns).map_err(store_error)? {
            while let Some(cover) = covers.next_if(|cover| cover.end <= leaf) {
                take(cover, &mut parts);
            }
            if covers.peek().is_some_and(|cover| cover.first <= leaf) {
                continue;
            }
            match parts.last_mut() {
                Some(Part::Leaves(leaves)) => leaves.push(leaf),
                Some(Part::Rolled(_)) | None => parts.push(Part::Leaves(vec![leaf])),
            }
        }
        covers.for_each(|cover| take(cover, &mut parts));
        Ok(parts)
    }
}

/// Where the next roll-up begins, and how many entries there are for it so far.
#[derive(Debug)]
pub(crate) struct Next {
    first: u64,
    counted: u64,
    n_entries: u64,
}

impl Next {
    /// After the last one that is kept. Those of another version of this program go: the decisions in them may be others.
    pub(crate) fn after_kept(lookup: &Lookup) -> Result<Self, LedgerError> {
        let (store, made_by) = (lookup.store(), made_by(lookup.zone()));
        store.forget_rollups(|cover| cover.made_by != made_by).map_err(store_error)?;
        let last = store.covers().map_err(store_error)?.pop();
        let first = last.map_or(0, |cover| cover.end);
        lookup.progress().set_rolled_up(first);
        Ok(Self { first, counted: first, n_entries: 0 })
    }

    /// Makes the next roll-up of at least so many entries, where there are as many; whether it was made.
    pub(crate) fn make(&mut self, lookup: &Lookup, entries: u64) -> Result<bool, LedgerError> {
        let store = lookup.store();
        let (reached, _) = lookup.reached();
        while self.counted < reached && self.n_entries < entries {
            let Some(record) = store.leaf(self.counted).map_err(store_error)? else { return Ok(false) };
            self.n_entries = self.n_entries.saturating_add(record.size.saturating_sub(record.first));
            self.counted = self.counted.saturating_add(1);
        }
        if self.n_entries < entries {
            return Ok(false);
        }
        let Some((cover, rollup)) = made_of(lookup, self.first, self.counted)? else { return Ok(false) };
        store.put_rollup(&cover, &rollup).map_err(store_error)?;
        lookup.progress().set_rolled_up(cover.end);
        *self = Self { first: cover.end, counted: cover.end, n_entries: 0 };
        Ok(true)
    }
}

/// What these leaves come to; none where one of them is not in the store.
fn made_of(lookup: &Lookup, first: u64, end: u64) -> Result<Option<(Cover, Rollup)>, LedgerError> {
    let made_by = made_by(lookup.zone());
    let mut cover = Cover { first, end, from_unix_ns: i64::MAX, to_unix_ns: i64::MIN, made_by };
    for leaf in first..end {
        let Some(record) = lookup.store().leaf(leaf).map_err(store_error)? else { return Ok(None) };
        cover.from_unix_ns = cover.from_unix_ns.min(record.from_unix_ns);
        cover.to_unix_ns = cover.to_unix_ns.max(record.to_unix_ns);
    }
    let (mut making, mut added) = (Making::default(), Ok(()));
    lookup.events_of(first..end, (i64::MIN, i64::MAX), &mut Rules::new(), |seen, _| {
        added = making.add(&seen);
        if added.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    added.map(|()| Some((cover, making.finish()))).map_err(|error| store_error(StoreError::Value(error)))
}

/// Makes every roll-up again and puts right what is not what its entries come to: how many were not. Whoever writes into
/// the query store could otherwise leave something out of a review.
pub(crate) fn put_right(lookup: &Lookup) -> Result<usize, LedgerError> {
    let store = lookup.store();
    let (mut n_wrong, mut end) = (0usize, 0);
    for cover in store.covers().map_err(store_error)? {
        let is_one = end <= cover.first && cover.first < cover.end && cover.end <= lookup.reached().0;
        let made = if is_one { made_of(lookup, cover.first, cover.end)? } else { None };
        // One that does not open is as wrong as one that says something else.
        let kept = store.rollup(cover.first).ok().flatten();
        match made {
            Some((made, rollup)) if made == cover && Some(&rollup) == kept.as_ref() => {}
            Some((made, rollup)) => {
                n_wrong = n_wrong.saturating_add(1);
                store.put_rollup(&made, &rollup).map_err(store_error)?;
            }
            None => {
                n_wrong = n_wrong.saturating_add(1);
                store.forget_rollups(|other| *other == cover).map_err(store_error)?;
            }
        }
        if is_one {
            end = cover.end;
        }
    }
    Ok(n_wrong)
}
