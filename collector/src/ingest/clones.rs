//! Two machines with one identity: what their greetings say that one machine alone cannot.
//!
//! A boot id is random for each boot of a machine, a run id for each start of the agent. Both only move on: once a
//! later one has spoken, the earlier one is over. One that speaks again belongs to another machine, or to a second
//! agent, that holds the same keys. And an agent sends only what is durable on its own disk: one that comes with less
//! than it sent, or with another note of a size that the ledger holds, was put back to an older state, or is a copy.
//! Pure, in memory: after a start of the collector a pair is told once more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use ntk_evidence::name::Author;
use serde_json::{Value, json};

/// Runs that are remembered for each author: a machine that restarts every minute is remembered for half a day.
const RUNS_MAX: usize = 720;
/// Pairs that are told for each author until the collector starts again.
const PAIRS_MAX: usize = 32;
/// The longest id that is believed, bytes.
const ID_BYTES_MAX: usize = 64;

/// One run of an agent: of which boot, and which start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The machine's boot id; empty where it has none.
    pub boot: String,
    /// The process's run id; empty for an older agent.
    pub run: String,
}

impl Run {
    /// What a greeting says.
    pub fn new(boot: &str, run: &str) -> Self {
        let cut = |id: &str| id.chars().filter(|c| !c.is_control()).take(ID_BYTES_MAX).collect();
        Self { boot: cut(boot), run: cut(run) }
    }
}

/// Two runs that cannot be of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    what: &'static str,
    runs: [Run; 2],
}

impl Pair {
    /// The act's body.
    pub fn body(&self, author: &Author) -> Value {
        let [one, other] = &self.runs;
        json!({
            "author": author.to_string(),
            "what": self.what,
            "boot_ids": [one.boot, other.boot],
            "run_ids": [one.run, other.run],
        })
    }
}

/// The runs of one author, in the order in which they first spoke.
#[derive(Debug, Default)]
struct Runs {
    /// The newest last.
    seen: VecDeque<Run>,
    told: BTreeSet<(&'static str, Run, Run)>,
}

/// What is remembered of every author's greetings.
#[derive(Clone, Debug, Default)]
pub struct Clones(Arc<Mutex<BTreeMap<Author, Runs>>>);

impl Clones {
    /// Takes in a greeting; the pair that it makes with the run that spoke last, if they cannot be one machine.
    pub fn greeted(&self, author: &Author, run: Run) -> Option<Pair> {
        let mut authors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = authors.entry(author.clone()).or_default();
        runs.greeted(run)
    }

    /// The history of this author parted: the run that speaks now, and the one before it.
    pub fn parted(&self, author: &Author, how: Parting) -> Option<Pair> {
        let mut authors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = authors.entry(author.clone()).or_default();
        let now = runs.seen.back().cloned().unwrap_or_default();
        let before = runs.seen.iter().rev().nth(1).cloned().unwrap_or_else(|| now.clone());
        runs.tell(how.word(), before, now)
    }
}

/// How a history parts from the one that the ledger holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// Another batch of a size that the ledger holds.
    Fork,
    /// The greeting shows another note of such a size.
    OtherHistory,
    /// The greeting shows less than the ledger holds.
    Behind,
}

impl Parting {
    /// What a greeting of that size and note says where the ledger holds so many entries and, of that size, `held`.
    pub fn of_greeting(size: u64, note: &[u8], ledger_size: u64, held: Option<&[u8]>) -> Option<Self> {
        if size > ledger_size || ledger_size == 0 {
            return None;
        }
        if size > 0 && held != Some(note) {
            return Some(Self::OtherHistory);
        }
        (size < ledger_size).then_some(Self::Behind)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::OtherHistory => "other_history",
            Self::Behind => "behind",
        }
    }
}

impl Runs {
    fn greeted(&mut self, run: Run) -> Option<Pair> {
        let Some(last) = self.seen.back().cloned() else {
            self.seen.push_back(run);
            return None;
        };
        if last == run || run == Run::default() {
            return None;
        }
        // An older agent has no run id: its boots alone are told apart.
        let left_boot = last.boot != run.boot && self.seen.iter().any(|seen| seen.boot == run.boot);
        let left_run = !run.run.is_empty() && self.seen.iter().any(|seen| seen.run == run.run);
        self.seen.retain(|seen| *seen != run);
        self.seen.push_back(run.clone());
        if self.seen.len() > RUNS_MAX {
            self.seen.pop_front();
        }
        match (left_boot, left_run) {
            (true, _) => self.tell("boot_id_returned", last, run),
            (false, true) => self.tell("run_id_returned", last, run),
            (false, false) => None,
        }
    }

    fn tell(&mut self, what: &'static str, one: Run, other: Run) -> Option<Pair> {
        // Of two that alternate one is told, whichever comes back first.
        let fact = if what.ends_with("_returned") { "returned" } else { what };
        let (first, second) = if one <= other { (&one, &other) } else { (&other, &one) };
        let pair = (fact, first.clone(), second.clone());
        let is_new = self.told.len() < PAIRS_MAX && self.told.insert(pair);
        is_new.then_some(Pair { what, runs: [one, other] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Greetings as `boot run`, and what each told.
    #[track_caller]
    fn check(greetings: &[(&str, &str)], expected: &[&str]) {
        let clones = Clones::default();
        let author = Author::agent("ws-01").unwrap();
        let told = greetings.iter().filter_map(|(boot, run)| clones.greeted(&author, Run::new(boot, run)));
        let told: Vec<String> = told
            .map(|pair| {
                format!(
                    "{} {}/{} {}/{}",
                    pair.what, pair.runs[0].boot, pair.runs[0].run, pair.runs[1].boot, pair.runs[1].run
                )
            })
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn one_machine_that_reconnects_restarts_and_reboots_is_one() {
        check(&[("a", "1"), ("a", "1"), ("a", "2"), ("a", "2"), ("b", "3"), ("b", "4"), ("c", "5")], &[]);
        check(&[("a", ""), ("a", ""), ("b", ""), ("b", "")], &[]);
        check(&[("a", ""), ("", ""), ("a", ""), ("b", "1")], &[]);
    }

    #[test]
    fn a_boot_or_a_run_that_was_left_behind_and_speaks_again_is_told_once() {
        check(&[("a", "1"), ("b", "2"), ("a", "1")], &["boot_id_returned b/2 a/1"]);
        check(&[("a", ""), ("b", ""), ("a", ""), ("b", "")], &["boot_id_returned b/ a/"]);
        check(&[("a", "1"), ("a", "2"), ("a", "1"), ("a", "2"), ("a", "1")], &["run_id_returned a/2 a/1"]);
        check(&[("a", "1"), ("b", "2"), ("a", "3")], &["boot_id_returned b/2 a/3"]);
        let third = [("a", "1"), ("b", "2"), ("a", "1"), ("c", "3"), ("a", "1")];
        check(&third, &["boot_id_returned b/2 a/1", "boot_id_returned c/3 a/1"]);
    }

    #[test]
    fn a_greeting_with_less_or_with_another_note_is_no_continuation() {
        for (size, note, ledger, held, expected) in [
            (0, "", 0, None, None),
            (5, "n5", 0, None, None),
            (5, "n5", 5, Some("n5"), None),
            (9, "n9", 5, None, None),
            (5, "x5", 5, Some("n5"), Some(Parting::OtherHistory)),
            (4, "n4", 5, Some("n4"), Some(Parting::Behind)),
            (4, "x4", 5, Some("n4"), Some(Parting::OtherHistory)),
            (3, "n3", 5, None, Some(Parting::OtherHistory)),
            (0, "", 5, None, Some(Parting::Behind)),
        ] {
            let found = Parting::of_greeting(size, note.as_bytes(), ledger, held.map(str::as_bytes));
            assert_eq!(found, expected, "{size} {note} of {ledger}");
        }
    }

    #[test]
    fn a_fork_names_the_run_that_speaks_and_the_one_before_once() {
        let clones = Clones::default();
        let author = Author::agent("ws-01").unwrap();
        clones.greeted(&author, Run::new("a", "1"));
        clones.greeted(&author, Run::new("a", "2"));
        let body = clones.parted(&author, Parting::Fork).unwrap().body(&author);
        assert_eq!(body["what"], "fork");
        assert_eq!(body["run_ids"], json!(["1", "2"]));
        assert_eq!(clones.parted(&author, Parting::Fork), None);
        assert!(clones.parted(&author, Parting::Behind).is_some(), "another fact of the same pair");
        let long = "x".repeat(99);
        assert_eq!(Run::new(&long, "\u{7}").boot.len(), ID_BYTES_MAX);
    }
}
