//! Repeated starts of processes: the first is told at once, equal ones within [`REPEATS_WITHIN`] become one event
//! with a count. Nothing is left out, and a busy administrator stays cheap.
//!
//! A loop that starts one program with ever other words is told word by word up to [`DIFFERENT_MAX`] times; after
//! that its starts are one event without the command.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use ntk_evidence::event::Event;

/// For how long equal starts are counted before they are told.
pub const REPEATS_WITHIN: Duration = Duration::from_secs(600);

/// Different starts that are counted at once; beyond that the oldest is told early.
pub const REPEATS_MAX: usize = 2048;

/// Starts of one program by one session and parent, with different words, that are each told.
const DIFFERENT_MAX: u32 = 64;

/// How often it is looked for counts that are over.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Repeat {
    key: u64,
    since: Duration,
    /// The starts that were not told yet, as one event.
    held: Option<Event>,
    /// How many different starts of its kind were told.
    n_different: u32,
}

/// Starts that were told and may come again, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    open: BTreeMap<u64, Repeat>,
    number_of: HashMap<u64, u64>,
    next: u64,
    looked: Duration,
}

impl Repeats {
    /// Takes one start; gives it, if it is the first of its kind, after counts that are over.
    pub(super) fn take(&mut self, event: Event, now: Duration) -> Vec<Event> {
        let mut out = self.expire(now);
        if self.hold(hash(&event, true), &event) {
            return out;
        }
        let of_program = hash(&event, false);
        let n_different = self.repeat(of_program).map_or(0, |repeat| repeat.n_different);
        if n_different >= DIFFERENT_MAX {
            let mut event = event;
            if let Some(process) = event.process.as_mut() {
                process.command = None;
            }
            self.hold(of_program, &event);
            return out;
        }
        match self.repeat(of_program) {
            Some(repeat) => repeat.n_different = repeat.n_different.saturating_add(1),
            None => out.extend(self.open(of_program, now)),
        }
        let key = hash(&event, true);
        out.extend(self.open(key, now));
        out.push(event);
        out
    }

    /// Gives the counts that are over.
    pub(super) fn expire(&mut self, now: Duration) -> Vec<Event> {
        if now.saturating_sub(self.looked) < LOOK_EVERY && now >= self.looked {
            return Vec::new();
        }
        self.looked = now;
        let mut out = Vec::new();
        while let Some((number, repeat)) = self.open.first_key_value()
            && now.saturating_sub(repeat.since) >= REPEATS_WITHIN
        {
            let number = *number;
            out.extend(self.close(number));
        }
        out
    }

    /// Gives everything.
    pub(super) fn flush(&mut self) -> Vec<Event> {
        self.number_of.clear();
        std::mem::take(&mut self.open).into_values().filter_map(|repeat| repeat.held).collect()
    }

    fn repeat(&mut self, key: u64) -> Option<&mut Repeat> {
        let number = self.number_of.get(&key)?;
        self.open.get_mut(number)
    }

    /// Counts a start among those of its key; false where none is open.
    fn hold(&mut self, key: u64, event: &Event) -> bool {
        let Some(repeat) = self.repeat(key) else { return false };
        match &mut repeat.held {
            Some(held) => {
                held.count = Some(held.count.unwrap_or(1).saturating_add(1));
                held.last = Some(event.time.clone());
                // Several processes: no number is the one.
                held.process.iter_mut().for_each(|process| process.pid = None);
            }
            held => *held = Some(event.clone()),
        }
        true
    }

    fn open(&mut self, key: u64, now: Duration) -> Option<Event> {
        let repeat = Repeat { key, since: now, held: None, n_different: 1 };
        self.open.insert(self.next, repeat);
        self.number_of.insert(key, self.next);
        self.next = self.next.saturating_add(1);
        let oldest = self.open.keys().next().copied().filter(|_| self.open.len() > REPEATS_MAX)?;
        self.close(oldest)
    }

    fn close(&mut self, number: u64) -> Option<Event> {
        let repeat = self.open.remove(&number)?;
        self.number_of.remove(&repeat.key);
        repeat.held
    }
}

/// What equal starts have in common; their process numbers differ.
fn hash(event: &Event, with_command: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    let process = event.process.as_ref();
    process.map(|process| (&process.exe, &process.parent, &process.ancestors)).hash(&mut hasher);
    if let Some(actor) = &event.actor {
        (actor.login_uid, &actor.login_user, &actor.effective_user, actor.session, &actor.from)
            .hash(&mut hasher);
        (&actor.tool, &actor.claims, &actor.confidence).hash(&mut hasher);
    }
    with_command.hash(&mut hasher);
    if with_command {
        process.and_then(|process| process.command.as_ref()).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntk_evidence::event::{Kind, Process};

    fn start(command: &str, time: &str) -> Event {
        let mut event = Event::new(Kind::ProcessStart, time);
        let exe = command.split(' ').next().map(str::to_owned);
        event.process =
            Some(Process { pid: Some(7), exe, command: Some(command.to_owned()), ..Process::default() });
        event
    }

    fn shown(events: &[Event]) -> Vec<String> {
        let one = |event: &Event| {
            let process = event.process.clone().unwrap_or_default();
            let command = process.command.unwrap_or_else(|| "-".to_owned());
            let (count, last) = (event.count.unwrap_or(1), event.last.as_deref().unwrap_or("-"));
            format!("{} `{command}` x{count} ..{last} pid {:?}", event.time, process.pid)
        };
        events.iter().map(one).collect()
    }

    #[test]
    fn the_first_is_told_at_once_and_equal_ones_as_one_with_a_count() {
        let mut repeats = Repeats::default();
        let seconds = Duration::from_secs;
        assert_eq!(
            shown(&repeats.take(start("ps aux", "t0"), seconds(1))),
            ["t0 `ps aux` x1 ..- pid Some(7)"]
        );
        assert!(repeats.take(start("ps aux", "t1"), seconds(2)).is_empty());
        assert!(repeats.take(start("ps aux", "t2"), seconds(3)).is_empty());
        assert_eq!(repeats.take(start("ps -e", "t3"), seconds(4)).len(), 1, "other words are another start");
        assert!(repeats.expire(seconds(600)).is_empty());
        assert_eq!(shown(&repeats.expire(seconds(601))), ["t1 `ps aux` x2 ..t2 pid None"]);
        assert_eq!(repeats.take(start("ps aux", "t4"), seconds(602)).len(), 1, "told at once again");
        assert!(repeats.flush().is_empty(), "what came once is not told twice");
    }

    #[test]
    fn a_loop_over_ten_thousand_files_is_told_in_a_few_events_that_count_them_all() {
        let mut repeats = Repeats::default();
        let mut told = Vec::new();
        for file in 0..10_000 {
            told.extend(repeats.take(start(&format!("cat /x/{file}"), "t"), Duration::from_secs(1)));
        }
        told.extend(repeats.flush());
        let n: u64 = told.iter().map(|event| event.count.unwrap_or(1)).sum();
        assert_eq!((n, told.len()), (10_000, 65));
    }

    #[test]
    fn what_is_held_is_bounded_and_nothing_is_dropped() {
        let mut repeats = Repeats::default();
        let mut n = 0;
        for program in 0..5000 {
            for _ in 0..3 {
                let out = repeats.take(start(&format!("/p{program} x"), "t"), Duration::from_secs(1));
                n += out.iter().map(|event| event.count.unwrap_or(1)).sum::<u64>();
                assert!(repeats.open.len() <= REPEATS_MAX + 1 && repeats.number_of.len() <= REPEATS_MAX + 1);
            }
        }
        n += repeats.flush().iter().map(|event| event.count.unwrap_or(1)).sum::<u64>();
        assert_eq!(n, 15_000);
    }
}
