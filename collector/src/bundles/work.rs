//! The one thing that runs in the background for the pages Evidence and Case: a build, a check, preserving.
//!
//! Memory of this process alone: what has to stay is an act or a file. One at a time, because each reads the whole ledger or
//! a whole bundle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use ntk_evidence::checks::Verification;

use super::acts::Seen;
use crate::app::Job;

/// How many results of checks are kept in mind.
const CHECKED_MAX: usize = 50;

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A bundle is built.
    Build,
    /// A bundle is checked.
    Check,
    /// Everything is preserved.
    Preserve,
}

impl What {
    /// What is said while it runs.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Build => "A bundle is being built",
            Self::Check => "A bundle is being checked",
            Self::Preserve => "Everything is being preserved",
        }
    }

    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Check => "check",
            Self::Preserve => "preserve",
        }
    }
}

/// Something that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// What.
    pub what: What,
    /// Of which case.
    pub case: String,
    /// Since when.
    pub since: Timestamp,
}

/// How the last one of a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What.
    pub what: What,
    /// Of which case.
    pub case: String,
    /// Id of the bundle, or why there is none.
    pub outcome: Result<String, String>,
}

/// How a check of a bundle ended.
#[derive(Clone, Debug)]
pub struct Checked {
    /// When.
    pub at: Timestamp,
    /// What the checks say.
    pub verification: Arc<Verification>,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Running>,
    ended: Option<Ended>,
    checked: BTreeMap<String, Checked>,
}

/// What runs, and how the last ones ended.
#[derive(Debug, Default)]
pub struct Works {
    state: Mutex<State>,
    /// How far it is.
    pub job: Arc<Job>,
    /// Acts about evidence that were read already.
    pub seen: Seen,
}

impl Works {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What runs now.
    pub fn running(&self) -> Option<Running> {
        self.state().running.clone()
    }

    /// How the last one ended.
    pub fn ended(&self) -> Option<Ended> {
        self.state().ended.clone()
    }

    /// How the last check of a bundle ended, since the collector's start.
    pub fn checked(&self, id: &str) -> Option<Checked> {
        self.state().checked.get(id).cloned()
    }

    /// Begins something, unless something runs already.
    pub fn begin(self: &Arc<Self>, what: What, case: &str, now: Timestamp) -> Result<Turn, Running> {
        let mut state = self.state();
        if let Some(running) = &state.running {
            return Err(running.clone());
        }
        state.running = Some(Running { what, case: case.to_owned(), since: now });
        self.job.set(0, 1);
        Ok(Turn { works: Arc::clone(self), what, case: case.to_owned(), outcome: None })
    }

    /// Keeps in mind how a check ended.
    pub fn keep(&self, id: &str, checked: Checked) {
        let mut state = self.state();
        if state.checked.len() >= CHECKED_MAX {
            let oldest = state.checked.iter().min_by_key(|(_, checked)| checked.at).map(|(id, _)| id.clone());
            oldest.map(|id| state.checked.remove(&id));
        }
        state.checked.insert(id.to_owned(), checked);
    }

    /// Forgets how a check of a bundle ended: it is gone.
    pub fn forget(&self, id: &str) {
        let mut state = self.state();
        state.checked.remove(id);
        state.ended = state.ended.take().filter(|ended| ended.outcome.as_deref() != Ok(id));
    }
}

/// The right to run; whatever becomes of it, the next one may begin afterwards.
#[derive(Debug)]
pub struct Turn {
    works: Arc<Works>,
    what: What,
    case: String,
    outcome: Option<Result<String, String>>,
}

impl Turn {
    /// Says how it ended.
    pub fn end(mut self, outcome: Result<String, String>) {
        self.outcome = Some(outcome);
    }

    /// Ends it as if it had not begun: what was asked was refused before any of it ran.
    pub fn give_back(self) {
        self.works.state().running = None;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.works.state();
        if state.running.take().is_none() {
            return;
        }
        let cut =
            || Err("It did not come to its end; see the collector's log, and ask for it again.".to_owned());
        let outcome = self.outcome.take().unwrap_or_else(cut);
        state.ended = Some(Ended { what: self.what, case: std::mem::take(&mut self.case), outcome });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runs_at_a_time_and_one_that_is_cut_off_says_so_and_frees_the_place() {
        let works = Arc::new(Works::default());
        let now = Timestamp::UNIX_EPOCH;
        let turn = works.begin(What::Build, "C-1", now).unwrap();
        assert_eq!(works.begin(What::Check, "C-2", now).unwrap_err().case, "C-1");
        drop(turn);
        assert!(works.ended().is_some_and(|ended| ended.outcome.is_err() && ended.case == "C-1"));
        works.begin(What::Build, "C-2", now).unwrap().end(Ok("C-2-9".to_owned()));
        assert_eq!(works.ended().and_then(|ended| ended.outcome.ok()).as_deref(), Some("C-2-9"));
        works.begin(What::Build, "C-3", now).unwrap().give_back();
        assert_eq!(works.ended().map(|ended| ended.case).as_deref(), Some("C-2"), "refused: nothing ended");
        assert_eq!(works.running(), None);
        works.forget("C-2-9");
        assert_eq!(works.ended(), None);
    }
}
