//! What one account did in each session of today, and what its sessions usually amount to.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::day::Day;
use super::weeks::median;
use crate::policy::Area;

/// Sessions of today that are counted apart for one account; the oldest is closed when more come.
const SESSIONS_MAX: usize = 64;
/// Past sessions from which the usual one is told: about a month of work.
const RECENT_MAX: usize = 20;
/// Past sessions that there must be before a usual one is spoken of.
const RECENT_MIN: usize = 5;
/// Different files of one session that are told apart; beyond that it is "or more".
pub(super) const OBJECTS_MAX: usize = 50;
/// Stands for a record without a session: these are counted together, by day.
const NO_SESSION: u64 = u64::MAX;

/// Sizes of the last sessions, per area.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recent(BTreeMap<Area, Vec<u32>>);

impl Recent {
    pub(super) fn add(&mut self, area: Area, n: u32) {
        let sizes = self.0.entry(area).or_default();
        if sizes.len() >= RECENT_MAX {
            sizes.remove(0);
        }
        sizes.push(n);
    }

    /// What a session usually amounts to; nothing while too few are known.
    pub(super) fn usual(&self, area: Area) -> Option<f64> {
        let sizes = self.0.get(&area).filter(|sizes| sizes.len() >= RECENT_MIN)?;
        Some(median(sizes.iter().copied().map(f64::from).collect()))
    }
}

/// One session on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    day: Day,
    counts: BTreeMap<Area, u32>,
    refused: u32,
    objects: BTreeSet<u64>,
}

impl Counter {
    pub(super) fn accesses(&self, area: Area) -> u32 {
        self.counts.get(&area).copied().unwrap_or(0)
    }

    pub(super) fn refused(&self) -> u32 {
        self.refused
    }

    pub(super) fn n_objects(&self) -> usize {
        self.objects.len()
    }
}

/// The sessions of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// By machine and number of the session.
    open: BTreeMap<String, BTreeMap<u64, Counter>>,
    pub(super) recent: Recent,
}

impl Tally {
    /// The counter of a session, if it has one of that day.
    pub(super) fn of(&self, host: &str, session: Option<u64>, day: Day) -> Option<&Counter> {
        let counter = self.open.get(host)?.get(&session.unwrap_or(NO_SESSION))?;
        (counter.day == day).then_some(counter)
    }

    /// Adds to a session; gives the sizes of the sessions that are over with that.
    pub(super) fn add(
        &mut self,
        host: &str,
        session: Option<u64>,
        day: Day,
        area: Area,
        n: u32,
        object: Option<&str>,
    ) -> Vec<(Area, u32)> {
        let (counter, over) = self.counter(host, session, day);
        let count = counter.counts.entry(area).or_default();
        *count = count.saturating_add(n);
        if let Some(object) = object.filter(|_| counter.objects.len() < OBJECTS_MAX) {
            counter.objects.insert(mark(object));
        }
        over
    }

    /// Counts refused attempts.
    pub(super) fn refuse(&mut self, host: &str, session: Option<u64>, day: Day, n: u32) {
        let (counter, _) = self.counter(host, session, day);
        counter.refused = counter.refused.saturating_add(n);
    }

    fn counter(&mut self, host: &str, session: Option<u64>, day: Day) -> (&mut Counter, Vec<(Area, u32)>) {
        let session = session.unwrap_or(NO_SESSION);
        let is_there = self
            .open
            .get(host)
            .and_then(|sessions| sessions.get(&session))
            .is_some_and(|counter| counter.day == day);
        let over = if is_there { Vec::new() } else { self.close(day) };
        let counter = self.open.entry(host.to_owned()).or_default().entry(session).or_default();
        if counter.day != day {
            *counter = Counter { day, ..Counter::default() };
        }
        (counter, over)
    }

    /// Closes the sessions of other days, and more if there are too many.
    fn close(&mut self, day: Day) -> Vec<(Area, u32)> {
        let n_open: usize = self.open.values().map(BTreeMap::len).sum();
        let is_full = n_open >= SESSIONS_MAX;
        let mut over = Vec::new();
        for sessions in self.open.values_mut() {
            sessions.retain(|_, counter| {
                let stays = counter.day == day && !is_full;
                if !stays {
                    over.extend(counter.counts.iter().map(|(area, n)| (*area, *n)));
                }
                stays
            });
        }
        self.open.retain(|_, sessions| !sessions.is_empty());
        for (area, n) in &over {
            self.recent.add(*area, *n);
        }
        over
    }
}

/// FNV-1a: tells files apart without keeping their names, the same in each run.
fn mark(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
