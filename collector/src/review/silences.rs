//! The acts about silences as what the review shows of a machine's week.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ntk_evidence::event::Event;

use crate::report::coverage::{Interval, State};
use crate::silence::{Cause, Silence, Step};

/// Silences by author, as far as the acts that were read tell of them.
#[derive(Debug, Default)]
pub(super) struct Silences {
    ended: BTreeMap<String, Vec<Interval>>,
    open: BTreeMap<String, Timestamp>,
}

impl Silences {
    /// Takes in an act.
    pub(super) fn observe(&mut self, event: &Event) {
        let Some(silence) = Silence::of(event) else { return };
        let Ok(from) = silence.from.parse::<Timestamp>() else { return };
        match silence.step {
            Step::Began => {
                self.open.insert(silence.author, from);
            }
            Step::Ended => {
                self.open.remove(&silence.author);
                let to = silence.to.as_deref().and_then(|to| to.parse().ok());
                let Some(to) = to.filter(|to| from < *to) else { return };
                let (state, cause) = in_words(silence.cause);
                let cause = Some(cause.to_owned());
                self.ended.entry(silence.author).or_default().push(Interval { from, to, state, cause });
            }
        }
    }

    /// Those of one author; one that goes on reaches to `until`.
    pub(super) fn of(&self, author: &str, until: Timestamp) -> Vec<Interval> {
        let mut all = self.ended.get(author).cloned().unwrap_or_default();
        if let Some(from) = self.open.get(author).copied().filter(|from| *from < until) {
            let cause = Some("it has not been heard since".to_owned());
            all.push(Interval { from, to: until, state: State::Silent, cause });
        }
        all
    }
}

const fn in_words(cause: Cause) -> (State, &'static str) {
    match cause {
        Cause::Silent => (State::Silent, "nothing says why it was not heard"),
        Cause::PoweredOff => (State::Off, "it was started again afterwards"),
        Cause::Asleep => (State::Off, "asleep"),
        Cause::Frozen => (State::Silent, "the agent was held still while the computer ran"),
        Cause::Firewalled => {
            (State::Silent, "the way to the collector was cut; what was recorded meanwhile came later")
        }
        Cause::Stopped => (State::Silent, "the agent was not running"),
    }
}
