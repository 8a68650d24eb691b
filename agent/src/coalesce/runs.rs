//! Joins equal successive file accesses to one event with a count: the same session, process, action, path and
//! outcome within a few seconds. Different files stay different events; the collector groups those.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use ntk_evidence::event::{Event, Kind};

/// How long a run may pause before it is given out.
pub const RUN_PAUSE: Duration = Duration::from_secs(1);

/// How long a run may last in all, so that nothing is told much later than it happened.
pub const RUN_LENGTH: Duration = Duration::from_secs(5);

/// Runs that are open at once; beyond that the oldest goes out.
pub const RUNS_MAX: usize = 1024;

/// An event and what travels with it.
#[derive(Debug)]
struct Run<T> {
    event: Event,
    with: T,
    since: Duration,
    last: Duration,
}

/// Open runs by what their events have in common; the number is the order in which they began.
#[derive(Debug)]
pub struct Runs<T> {
    open: BTreeMap<u64, Run<T>>,
    number_of: HashMap<u64, u64>,
    hasher: RandomState,
    next: u64,
    look_again: Duration,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            number_of: HashMap::new(),
            hasher: RandomState::new(),
            next: 0,
            look_again: Duration::ZERO,
        }
    }
}

impl<T> Runs<T> {
    /// Takes one event; gives what is finished, in the order in which it began. Anything but a file access
    /// goes out at once, after the runs that began before it; the start of a process ends none of them.
    pub fn take(&mut self, event: Event, with: T, now: Duration) -> Vec<(Event, T)> {
        let mut out = self.expire(now);
        if event.kind != Kind::FileAccess {
            if event.kind != Kind::ProcessStart {
                out.extend(self.flush());
            }
            out.push((event, with));
            return out;
        }
        let common = self.hash(&event);
        let number = self.number_of.get(&common).copied();
        if let Some(run) = number.and_then(|number| self.open.get_mut(&number))
            && same(&run.event, &event)
        {
            let n_before = run.event.count.unwrap_or(1);
            run.event.count = Some(n_before.saturating_add(event.count.unwrap_or(1)));
            run.event.last = Some(event.last.unwrap_or(event.time));
            run.with = with;
            run.last = now;
            return out;
        }
        self.number_of.insert(common, self.next);
        self.open.insert(self.next, Run { event, with, since: now, last: now });
        self.next = self.next.saturating_add(1);
        if self.open.len() > RUNS_MAX {
            let oldest = self.open.keys().next().copied();
            out.extend(oldest.and_then(|number| self.end(number)));
        }
        out
    }

    /// Gives out the runs that paused or lasted long enough.
    pub fn expire(&mut self, now: Duration) -> Vec<(Event, T)> {
        if now < self.look_again {
            return Vec::new();
        }
        self.look_again = now.saturating_add(RUN_PAUSE / 10);
        let done = |run: &Run<T>| {
            now.saturating_sub(run.last) >= RUN_PAUSE || now.saturating_sub(run.since) >= RUN_LENGTH
        };
        let done: Vec<u64> =
            self.open.iter().filter(|(_, run)| done(run)).map(|(number, _)| *number).collect();
        done.into_iter().filter_map(|number| self.end(number)).collect()
    }

    /// Gives out everything.
    pub fn flush(&mut self) -> Vec<(Event, T)> {
        self.number_of.clear();
        std::mem::take(&mut self.open).into_values().map(|run| (run.event, run.with)).collect()
    }

    fn end(&mut self, number: u64) -> Option<(Event, T)> {
        let run = self.open.remove(&number)?;
        let common = self.hash(&run.event);
        if self.number_of.get(&common) == Some(&number) {
            self.number_of.remove(&common);
        }
        Some((run.event, run.with))
    }

    fn hash(&self, event: &Event) -> u64 {
        let object = event.object.as_ref();
        let path = object.map(|object| (&object.path, &object.to));
        let process = event.process.as_ref().map(|process| process.pid);
        self.hasher.hash_one((&event.outcome, &event.action, path, process))
    }
}

fn same(run: &Event, event: &Event) -> bool {
    run.outcome == event.outcome
        && run.action == event.action
        && run.actor == event.actor
        && run.process == event.process
        && run.object == event.object
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntk_evidence::event::Object;

    fn access(path: &str, time: &str) -> Event {
        let mut event = Event::new(Kind::FileAccess, time);
        event.object = Some(Object { path: Some(path.into()), ..Object::default() });
        event
    }

    fn shown(events: Vec<(Event, u32)>) -> Vec<String> {
        let one = |(event, with): (Event, u32)| {
            let path = event.object.and_then(|object| object.path).unwrap_or_default();
            format!(
                "{} {path} x{} ..{} @{with}",
                event.time,
                event.count.unwrap_or(1),
                event.last.unwrap_or_default()
            )
        };
        events.into_iter().map(one).collect()
    }

    #[test]
    fn equal_accesses_are_one_event_and_different_ones_stay() {
        let mut runs = Runs::default();
        let tenths = |tenths: u64| Duration::from_millis(tenths * 100);
        assert!(runs.take(access("/a", "t1"), 1, tenths(0)).is_empty());
        assert!(runs.take(access("/b", "t1"), 2, tenths(0)).is_empty());
        assert!(runs.take(access("/a", "t2"), 3, tenths(9)).is_empty());
        assert_eq!(shown(runs.expire(tenths(10))), ["t1 /b x1 .. @2"]);
        assert_eq!(shown(runs.expire(tenths(19))), ["t1 /a x2 ..t2 @3"]);
    }

    #[test]
    fn a_run_ends_although_it_never_pauses() {
        let mut runs = Runs::default();
        let mut out = Vec::new();
        for tick in 0..25_u64 {
            out.extend(runs.take(access("/a", &format!("t{tick}")), 0, Duration::from_millis(tick * 500)));
        }
        assert_eq!(shown(out), ["t0 /a x10 ..t9 @0", "t10 /a x10 ..t19 @0"]);
    }

    #[test]
    fn other_events_end_the_runs_before_them() {
        let mut runs = Runs::default();
        runs.take(access("/a", "t1"), 1, Duration::ZERO);
        let out = runs.take(Event::new(Kind::Logout, "t2"), 2, Duration::ZERO);
        assert_eq!(shown(out), ["t1 /a x1 .. @1", "t2  x1 .. @2"]);
    }

    #[test]
    fn four_thousand_files_stay_four_thousand_events() {
        let mut runs = Runs::default();
        let mut n = 0;
        for file in 0..4000 {
            n += runs.take(access(&format!("/m/{file}"), "t"), 0, Duration::ZERO).len();
        }
        assert_eq!(n + runs.flush().len(), 4000);
    }
}
