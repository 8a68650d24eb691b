//! When a machine was not heard, from when to when and why: as acts, so that absence is evidence too.
//!
//! Agents send a keepalive every 15 seconds. A machine that was not heard for [`SILENT_AFTER_SECONDS`] (two keepalives
//! and some slack) is silent: an act `began` with the time of its last word. When it speaks again, the cause is
//! decided from facts and written with the bounds as the act `ended`:
//!
//! | what is known at the return | cause |
//! |---|---|
//! | another boot | `powered_off`: the machine was started again; whether its records tell of an orderly shutdown stands in the detail |
//! | the same boot, another run of the agent | `stopped`: the agent's process ended |
//! | the same run; its clock that counts sleep ran ahead of the other | `asleep` |
//! | the same run; its own log says that it was held still | `frozen` |
//! | the same run; it recorded meanwhile and delivers it now | `firewalled`: the way to the collector was cut |
//! | nothing of this | `silent` |
//!
//! [`Silences`] has no I/O and no clock. Its state over a restart of the collector is what the acts say
//! ([`crate::ledger::registry::Registry`]): an open silence goes on.

use std::collections::BTreeMap;

use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::time::Moment;
use ntk_proto::v1;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub mod task;

/// Without a word for so long a machine counts as silent: two keepalives, and the time of a busy network.
pub const SILENT_AFTER_SECONDS: u32 = 35;
/// After its return a machine has so long to deliver what it recorded, before the cause is decided.
pub const SETTLE_SECONDS: i64 = 10;
/// Agents wait up to a minute between attempts to connect: so much longer a machine is waited for that was enrolled before
/// the collector's own start and was not heard since. Without it each longer outage of the collector would call
/// machines silent that ran and recorded.
pub const RECONNECT_SECONDS: i64 = 60;
/// Clocks of one boot may differ by so much without sleep.
const SLEPT_OVER_MS: u64 = 2_000;
/// What a machine recorded so close to the edges of a silence may have been on its way already.
const EDGE_SECONDS: i64 = 5;

/// Why a machine was not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nothing says why.
    Silent,
    /// It was started again in between.
    PoweredOff,
    /// It slept.
    Asleep,
    /// The agent's process was held still while the machine ran.
    Frozen,
    /// The agent ran and recorded, and the way to the collector was cut.
    Firewalled,
    /// The agent's process ended and was started again.
    Stopped,
}

/// An act about a silence, as its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// `agent/<machine>`.
    pub author: String,
    /// Begun or ended.
    pub step: Step,
    /// Why, as far as is known: of a silence that goes on, only that it is one.
    pub cause: Cause,
    /// The machine's last word, by the collector's clock, RFC 3339.
    pub from: String,
    /// Its next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What the cause was decided by, one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Where a silence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It goes on.
    Began,
    /// It is over.
    Ended,
}

impl Silence {
    /// The act.
    pub fn event(&self, now: String) -> Event {
        act::event(act::kind::SILENCE, now, serde_json::to_value(self).unwrap_or_else(|_| json!({})))
    }

    /// Reads an act's body.
    pub fn of(event: &Event) -> Option<Self> {
        if event.kind.as_str() != act::kind::SILENCE {
            return None;
        }
        serde_json::from_value(act::body(event)?.clone()).ok()
    }
}

/// Which boot and run a machine speaks from, and its clocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The boot.
    pub boot_id: String,
    /// The run of the agent's process.
    pub run_id: String,
    /// Milliseconds of this boot without sleep.
    pub monotonic_ms: u64,
    /// Milliseconds of this boot with sleep.
    pub boottime_ms: u64,
    /// When its records say that it was last shut down in order.
    pub last_shutdown: Option<Moment>,
}

impl From<&v1::Hello> for Facts {
    fn from(hello: &v1::Hello) -> Self {
        Self {
            boot_id: hello.boot_id.clone(),
            run_id: hello.run_id.clone(),
            monotonic_ms: hello.monotonic_ms,
            boottime_ms: hello.boottime_ms,
            last_shutdown: Moment::parse(&hello.last_shutdown),
        }
    }
}

/// What the machine's own log says about the time of a silence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meanwhile {
    /// Its own entry says that it was held still.
    pub frozen: bool,
    /// Its own entry says that it slept.
    pub asleep: bool,
    /// How many other entries it made well inside the silence, by its own clock.
    pub recorded: u64,
    /// Boot and run of its last health entry before, where the collector did not hear a greeting.
    pub before: Option<(String, String)>,
}

#[derive(Clone, Debug)]
struct Known {
    heard: Moment,
    /// After this moment without a word it is silent.
    due: Moment,
    facts: Option<Facts>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Heard,
    Silent { from: Moment, before: Option<Facts> },
    Returned { from: Moment, to: Moment, before: Option<Facts> },
}

/// All machines.
#[derive(Clone, Debug)]
pub struct Silences {
    after_seconds: i64,
    settle_seconds: i64,
    known: BTreeMap<String, Known>,
}

impl Silences {
    /// Nobody is expected yet.
    pub fn new(after_seconds: u32, settle_seconds: i64) -> Self {
        Self { after_seconds: i64::from(after_seconds), settle_seconds, known: BTreeMap::new() }
    }

    /// The same machines, from now on with other patience: due times are counted anew with their next word.
    pub fn set(&mut self, after_seconds: u32, settle_seconds: i64) {
        (self.after_seconds, self.settle_seconds) = (i64::from(after_seconds), settle_seconds);
    }

    /// A machine that is to be heard since its enrolment; or since the collector's start, where that came later: then
    /// it may still be waiting before its next attempt ([`RECONNECT_SECONDS`]). One that was silent before this start
    /// goes on being so.
    pub fn expect(&mut self, author: &str, enrolled: Moment, started: Moment, silent_from: Option<Moment>) {
        let state = silent_from.map_or(State::Heard, |from| State::Silent { from, before: None });
        let heard = enrolled.max(started);
        let patience = if enrolled < started { RECONNECT_SECONDS } else { 0 };
        let due = heard.plus_seconds(self.after_seconds.saturating_add(patience));
        let known = Known { heard, due, facts: None, state };
        self.known.entry(author.to_owned()).or_insert(known);
    }

    /// A machine that is no longer expected.
    pub fn forget_all_but(&mut self, is_expected: impl Fn(&str) -> bool) {
        self.known.retain(|author, _| is_expected(author));
    }

    /// A machine greeted.
    pub fn greeted(&mut self, author: &str, facts: Facts, at: Moment) {
        self.spoke(author, at);
        if let Some(known) = self.known.get_mut(author) {
            known.facts = Some(facts);
        }
    }

    /// A machine's sign of life with its clocks.
    pub fn keepalive(&mut self, author: &str, monotonic_ms: u64, boottime_ms: u64, at: Moment) {
        self.spoke(author, at);
        if let Some(facts) = self.known.get_mut(author).and_then(|known| known.facts.as_mut()) {
            (facts.monotonic_ms, facts.boottime_ms) = (monotonic_ms, boottime_ms);
        }
    }

    /// A machine said anything.
    pub fn spoke(&mut self, author: &str, at: Moment) {
        let due = at.plus_seconds(self.after_seconds);
        let known = self.known.entry(author.to_owned()).or_insert(Known {
            heard: at,
            due,
            facts: None,
            state: State::Heard,
        });
        // What was heard late is told as a silence even if no tick fell into it.
        let late = known.due < at;
        known.state = match std::mem::replace(&mut known.state, State::Heard) {
            State::Silent { from, before } => State::Returned { from, to: at, before },
            State::Heard if late => {
                State::Returned { from: known.heard, to: at, before: known.facts.clone() }
            }
            other => other,
        };
        (known.heard, known.due) = (at, due);
    }

    /// Whose silence is to be judged by now, from when to when: of their logs [`Silences::tick`] wants to know. Read before it,
    /// and not while this is locked: a whole office comes back at once.
    pub fn returned(&self, now: Moment) -> Vec<(String, Moment, Moment)> {
        let is_settled =
            |known: &&Known, to: Moment| known.due >= now && to.plus_seconds(self.settle_seconds) <= now;
        let of = |(author, known): (&String, &Known)| match known.state {
            State::Returned { from, to, .. } if is_settled(&known, to) => Some((author.clone(), from, to)),
            State::Returned { .. } | State::Heard | State::Silent { .. } => None,
        };
        self.known.iter().filter_map(of).collect()
    }

    /// Which silences began and ended by now. `meanwhile` says what the machine's own log says between two moments; where it
    /// was not read yet, the silence is judged at a later tick.
    pub fn tick<Own: Into<Option<Meanwhile>>>(
        &mut self,
        now: Moment,
        mut meanwhile: impl FnMut(&str, Moment, Moment) -> Own,
    ) -> Vec<Silence> {
        let mut acts = Vec::new();
        for (author, known) in &mut self.known {
            let is_late = known.due < now;
            known.state = match std::mem::replace(&mut known.state, State::Heard) {
                State::Heard if is_late => {
                    acts.push(began(author, known.heard));
                    State::Silent { from: known.heard, before: known.facts.clone() }
                }
                // Gone again before its return was judged: one silence that goes on.
                State::Returned { from, before, .. } if is_late => State::Silent { from, before },
                State::Returned { from, to, before } if to.plus_seconds(self.settle_seconds) <= now => {
                    let Some(own) = meanwhile(author, from, to).into() else {
                        known.state = State::Returned { from, to, before };
                        continue;
                    };
                    let (cause, detail) = decide(before.as_ref(), known.facts.as_ref(), &own, from, to);
                    acts.push(Silence {
                        author: author.clone(),
                        step: Step::Ended,
                        cause,
                        from: from.to_rfc3339(3),
                        to: Some(to.to_rfc3339(3)),
                        detail: Some(detail),
                    });
                    State::Heard
                }
                other => other,
            };
        }
        acts
    }
}

fn began(author: &str, from: Moment) -> Silence {
    Silence {
        author: author.to_owned(),
        step: Step::Began,
        cause: Cause::Silent,
        from: from.to_rfc3339(3),
        to: None,
        detail: None,
    }
}

/// The cause, and the sentence it was decided by.
fn decide(
    before: Option<&Facts>,
    after: Option<&Facts>,
    own: &Meanwhile,
    from: Moment,
    to: Moment,
) -> (Cause, String) {
    let before_ids = before
        .map(|facts| (facts.boot_id.as_str(), facts.run_id.as_str()))
        .or_else(|| own.before.as_ref().map(|(boot, run)| (boot.as_str(), run.as_str())));
    let ids = before_ids.zip(after);
    if let Some(((boot, _), after)) = ids
        && !boot.is_empty()
        && boot != after.boot_id
    {
        let booted =
            Moment::from_unix_nanos(to.unix_nanos().saturating_sub(
                i64::try_from(after.boottime_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000),
            ));
        let shutdown = after.last_shutdown.filter(|at| at.plus_seconds(60) >= from && *at <= to);
        let how = shutdown.map_or_else(
            || "its records tell of no orderly shutdown in that time".to_owned(),
            |at| format!("its records tell of an orderly shutdown at {}", at.to_rfc3339(0)),
        );
        return (
            Cause::PoweredOff,
            format!("the machine was started again at {}; {how}", booted.to_rfc3339(0)),
        );
    }
    if let Some(((_, run), after)) = ids
        && !run.is_empty()
        && run != after.run_id
    {
        return (Cause::Stopped, "the same boot; the agent's process ended and was started again".to_owned());
    }
    let slept =
        before.zip(after).filter(|(before, after)| before.boot_id == after.boot_id).map(|(before, after)| {
            let counted = after.boottime_ms.saturating_sub(before.boottime_ms);
            counted.saturating_sub(after.monotonic_ms.saturating_sub(before.monotonic_ms))
        });
    if own.asleep || slept.is_some_and(|slept| slept > SLEPT_OVER_MS) {
        return (Cause::Asleep, "the same run; the machine's clocks show that it slept".to_owned());
    }
    if own.frozen {
        return (
            Cause::Frozen,
            "the same run; its own log says that the process was held still while the machine ran".to_owned(),
        );
    }
    if own.recorded > 0 {
        return (
            Cause::Firewalled,
            format!(
                "the same run; it recorded {} entries meanwhile and delivered them at its return: the way to the collector was cut",
                own.recorded
            ),
        );
    }
    (Cause::Silent, "the same run as far as is known; nothing says why it was not heard".to_owned())
}

/// Whether a moment lies well inside a silence.
pub fn is_inside(at: Moment, from: Moment, to: Moment) -> bool {
    from.plus_seconds(EDGE_SECONDS) < at && at < to.plus_seconds(EDGE_SECONDS.wrapping_neg())
}

#[cfg(test)]
mod tests;
