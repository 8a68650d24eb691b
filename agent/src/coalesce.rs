//! Joins the records of one kernel event to one [`Observation`]; later, equal accesses to one run.
//!
//! No I/O and no clock: records and moments come in, observations come out. A moment is any clock that does
//! not run backwards: the machine's monotonic one when live, the records' own when played.
//!
//! An event is complete at its EOE record, or at PROCTITLE, the last one before it (auditd's files have no
//! EOE, and live the kernel keeps it back: `sensor::audit::filter_ffi`); an event of io_uring alone, which has no PROCTITLE,
//! when as many PATH records are here as it announces. Types that are an event by themselves are complete at once. What stays unfinished for
//! [`PATIENCE`] is given out with what it has, and says what is missing. A LOGIN is given out before any
//! later event, because it says whose session that event belongs to.
//!
//! # Invariants
//! - Memory is bounded: [`PENDING_MAX`] unfinished events, [`PENDING_BYTES_MAX`] bytes; beyond that the oldest
//!   goes out as partial.
//! - An event that was given out is not given out again: late and repeated records are dropped.

mod runs;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

pub use runs::{RUN_LENGTH, RUN_PAUSE, RUNS_MAX, Runs};

use crate::record::{Record, Stamp, kind};

/// How long an unfinished event may wait for its next record.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Unfinished events that are held: the kernel interleaves as many as there are processors, give or take.
pub const PENDING_MAX: usize = 4096;

/// Bytes of unfinished events that are held.
pub const PENDING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Finished events that are remembered, to know late and repeated records.
const FINISHED_MAX: usize = 8192;

/// The records of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Time and serial number.
    pub stamp: Stamp,
    /// The records in the order in which they came; never empty.
    pub records: Vec<Record>,
    /// Whether all of it is here.
    pub completeness: Completeness,
}

/// Whether an observation is all that the kernel said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// Everything that its own records announce is here.
    Complete,
    /// Something is missing.
    Partial {
        /// Names of the record types that are announced and not here.
        missing: Vec<&'static str>,
    },
}

impl Observation {
    /// The first record of a type.
    pub fn first(&self, kind: u16) -> Option<&Record> {
        self.records.iter().find(|record| record.kind() == kind)
    }

    /// Every record of a type.
    pub fn each(&self, kind: u16) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.kind() == kind)
    }

    /// Name of the machine, where the records say one.
    pub fn node(&self) -> Option<&str> {
        self.records.first().and_then(Record::node)
    }

    fn new(stamp: Stamp, records: Vec<Record>) -> Self {
        let mut missing = Vec::new();
        let (mut call, mut n_paths, mut has_cwd) = (None, 0_usize, false);
        for record in &records {
            match record.kind() {
                kind::SYSCALL | kind::URINGOP => call = call.or(Some(record)),
                kind::PATH => n_paths = n_paths.saturating_add(1),
                kind::CWD => has_cwd = true,
                _ => {}
            }
        }
        match call {
            Some(call) => {
                let n_announced = usize::try_from(call.number("items").unwrap_or(0)).unwrap_or(usize::MAX);
                if n_paths < n_announced {
                    missing.push("PATH");
                }
                if n_announced > 0 && !has_cwd {
                    missing.push("CWD");
                }
            }
            None if n_paths > 0 || has_cwd => missing.push("SYSCALL"),
            None => {}
        }
        let completeness =
            if missing.is_empty() { Completeness::Complete } else { Completeness::Partial { missing } };
        Self { stamp, records, completeness }
    }
}

/// Whether these are an event of io_uring's own thread with every PATH that it announces: nothing of it comes after the last
/// one but EOE. It has to go out then: it names no person but its process, and that may be gone soon. What was done within the
/// caller's own system call has a SYSCALL record and a PROCTITLE.
fn is_whole_of_io_uring(records: &[Record]) -> bool {
    let Some(first) = records.first().filter(|first| first.kind() == kind::URINGOP) else { return false };
    if records.iter().any(|record| record.kind() == kind::SYSCALL) {
        return false;
    }
    let n_paths = records.iter().filter(|record| record.kind() == kind::PATH).count();
    n_paths > 0 && first.number("items") == u64::try_from(n_paths).ok()
}

/// The machine and the event that a record belongs to.
type Key = (Stamp, Option<Box<str>>);

#[derive(Debug)]
struct Pending {
    records: Vec<Record>,
    bytes: usize,
    since: Duration,
}

/// Holds unfinished events.
#[derive(Debug, Default)]
pub struct Coalescer {
    pending: BTreeMap<Key, Pending>,
    pending_bytes: usize,
    finished: HashSet<Key>,
    finished_order: VecDeque<Key>,
    look_again: Duration,
}

impl Coalescer {
    /// Takes one record; gives what it completes.
    pub fn take(&mut self, record: Record, now: Duration) -> Vec<Observation> {
        let mut out = self.expire(now);
        let key = (record.stamp(), record.node().map(Into::into));
        if !self.pending.contains_key(&key) && self.finished.contains(&key) {
            return out;
        }
        if kind::stands_alone(record.kind()) {
            let stamp = record.stamp();
            self.finish(key, Observation::new(stamp, vec![record]), &mut out);
            return out;
        }
        let mut ends = matches!(record.kind(), kind::EOE | kind::PROCTITLE);
        let bytes = record.size_bytes();
        let pending = self.pending.entry(key.clone()).or_insert_with(|| Pending {
            // SYSCALL, CWD, PATH, PROCTITLE, and one more.
            records: Vec::with_capacity(5),
            bytes: 0,
            since: now,
        });
        if record.kind() != kind::EOE {
            pending.records.push(record);
            ends |= is_whole_of_io_uring(&pending.records);
            pending.bytes = pending.bytes.saturating_add(bytes);
            self.pending_bytes = self.pending_bytes.saturating_add(bytes);
        }
        if ends {
            self.give_out(key, &mut out);
        }
        while self.pending.len() > PENDING_MAX || self.pending_bytes > PENDING_BYTES_MAX {
            let Some(oldest) = self.pending.keys().next().cloned() else { break };
            self.give_out(oldest, &mut out);
        }
        out
    }

    /// Gives out what waited longer than [`PATIENCE`].
    pub fn expire(&mut self, now: Duration) -> Vec<Observation> {
        let mut out = Vec::new();
        if now < self.look_again {
            return out;
        }
        self.look_again = now.saturating_add(PATIENCE / 8);
        let late = |pending: &Pending| now.saturating_sub(pending.since) >= PATIENCE;
        while let Some(key) =
            self.pending.iter().find(|(_, pending)| late(pending)).map(|(key, _)| key.clone())
        {
            self.give_out(key, &mut out);
        }
        out
    }

    /// Gives out everything, at the end of a recording or of the agent.
    pub fn flush(&mut self) -> Vec<Observation> {
        let mut out = Vec::new();
        self.look_again = Duration::ZERO;
        while let Some(key) = self.pending.keys().next().cloned() {
            self.give_out(key, &mut out);
        }
        out
    }

    fn give_out(&mut self, key: Key, out: &mut Vec<Observation>) {
        let Some(pending) = self.pending.remove(&key) else { return };
        self.pending_bytes = self.pending_bytes.saturating_sub(pending.bytes);
        if !pending.records.is_empty() {
            let stamp = key.0;
            self.finish(key, Observation::new(stamp, pending.records), out);
        }
    }

    fn finish(&mut self, key: Key, observation: Observation, out: &mut Vec<Observation>) {
        let is_login = |pending: &Pending| pending.records.iter().any(|record| record.kind() == kind::LOGIN);
        let earlier = self.pending.range(..key.clone());
        let logins: Vec<Key> =
            earlier.filter(|(_, pending)| is_login(pending)).map(|(login, _)| login.clone()).collect();
        if self.finished.insert(key.clone()) {
            self.finished_order.push_back(key);
        }
        if self.finished_order.len() > FINISHED_MAX
            && let Some(oldest) = self.finished_order.pop_front()
        {
            self.finished.remove(&oldest);
        }
        for login in logins {
            self.give_out(login, out);
        }
        out.push(observation);
    }
}

#[cfg(test)]
mod tests;
