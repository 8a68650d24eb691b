//! Joins what is the same to one event with a count: accesses of one file by one process in one way, and refused logins
//! of one claim from one place.
//!
//! One open gives several records (4656 for each step, 4663 for each kind of use, 5145 over a share), and a program
//! opens a file again and again. Windows of time are those of the sensor for Linux.

use std::collections::BTreeMap;
use std::time::Duration;

use ntk_evidence::event::{Event, Kind, Outcome};
use ntk_evidence::time::Moment;

use super::is_past;

/// How long a run of accesses may pause, and last.
const ACCESSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// The same of refused logins, which people and programs try more slowly.
const REFUSALS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// Runs that are open at once; beyond that the oldest goes out.
const RUNS_MAX: usize = 1024;

struct Run {
    key: String,
    event: Event,
    since: Moment,
    last: Moment,
}

/// Open runs, in the order in which they began.
#[derive(Default)]
pub(super) struct Runs {
    open: BTreeMap<u64, Run>,
    by_key: BTreeMap<String, u64>,
    next: u64,
}

impl Runs {
    /// Takes an event; gives what is finished by it, in order. What is no access goes out at once, after the runs that
    /// began before it; the start of a process ends none of them.
    pub(super) fn take(&mut self, event: Event, computer: &str, now: Moment) -> Vec<Event> {
        let Some(key) = key(&event, computer) else {
            let mut out = if event.kind == Kind::ProcessStart { Vec::new() } else { self.flush() };
            out.push(event);
            return out;
        };
        let known = self.by_key.get(&key).copied();
        if let Some(run) = known.and_then(|number| self.open.get_mut(&number)) {
            run.event.count = Some(run.event.count.unwrap_or(1).saturating_add(1));
            run.event.last = Some(event.time);
            run.last = now;
            return Vec::new();
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.by_key.insert(key.clone(), number);
        self.open.insert(number, Run { key, event, since: now, last: now });
        let mut out = Vec::new();
        if self.open.len() > RUNS_MAX
            && let Some((_, oldest)) = self.open.pop_first()
        {
            self.by_key.remove(&oldest.key);
            out.push(oldest.event);
        }
        out
    }

    /// Gives out what paused or lasted long enough.
    pub(super) fn expire(&mut self, now: Moment) -> Vec<Event> {
        let is_over = |_: &u64, run: &mut Run| {
            let (pause, length) = if run.event.kind == Kind::FileAccess { ACCESSES } else { REFUSALS };
            is_past(run.last, now, pause) || is_past(run.since, now, length)
        };
        let over: Vec<(u64, Run)> = self.open.extract_if(.., is_over).collect();
        over.into_iter().map(|(_, run)| self.out(run)).collect()
    }

    /// Gives out everything.
    pub(super) fn flush(&mut self) -> Vec<Event> {
        self.by_key.clear();
        std::mem::take(&mut self.open).into_values().map(|run| run.event).collect()
    }

    fn out(&mut self, run: Run) -> Event {
        self.by_key.remove(&run.key);
        run.event
    }
}

/// What events of one run have in common; none for what is no run.
fn key(event: &Event, computer: &str) -> Option<String> {
    let is_refusal = event.kind == Kind::Login && event.outcome == Some(Outcome::Denied);
    if event.kind != Kind::FileAccess && !is_refusal {
        return None;
    }
    let actor = event.actor.as_ref();
    let process = event.process.as_ref();
    let object = event.object.as_ref();
    Some(format!(
        "{computer}\u{1f}{:?}\u{1f}{:?}\u{1f}{:?}\u{1f}{:?}\u{1f}{:?}\u{1f}{:?}\u{1f}{:?}\u{1f}{:?}\u{1f}{:?}",
        event.source.as_ref().and_then(|source| source.event_id),
        actor.map(|actor| (&actor.sid, &actor.login_user, &actor.effective_user, actor.session)),
        actor.map(|actor| (&actor.claims, &actor.from)),
        process.map(|process| (process.pid, &process.exe)),
        object.map(|object| object.path.as_ref().map(|path| path.to_lowercase())),
        object.map(|object| object.to.as_ref().map(|path| path.to_lowercase())),
        object.map(|object| &object.via),
        event.action,
        event.outcome,
    ))
}
