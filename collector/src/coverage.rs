//! What was seen and what was not, by author and hour: a pure function of entries and acts, so that the ledger alone
//! gives the same table to anybody at any time.
//!
//! Entries are taken in in the order of the log ([`Coverage::observe`]). A second belongs to the first of these that
//! covers it: the machine's own gap (`frozen`, `asleep`, a stop in order or a restart), the collector's act about a
//! silence, a time in which the collector itself did not run, else it was up. RP-1: what is not known says so.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use ntk_evidence::act;
use ntk_evidence::event::Event;

use crate::silence::{Cause, Silence, Step};

mod read;

pub use read::coverage;

/// What a machine was, for some seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Heard.
    Up,
    /// Not heard, and nothing says why.
    Silent,
    /// Started again in between.
    PoweredOff,
    /// It slept.
    Asleep,
    /// The agent was held still.
    Frozen,
    /// The way to the collector was cut; what it recorded came later.
    Firewalled,
    /// The agent did not run.
    Stopped,
    /// The collector did not run; what the machine recorded came later.
    CollectorDown,
}

/// All states, in the order of the columns.
pub const STATES: [(State, &str); 8] = [
    (State::Up, "up_s"),
    (State::Silent, "silent_s"),
    (State::PoweredOff, "powered_off_s"),
    (State::Asleep, "asleep_s"),
    (State::Frozen, "frozen_s"),
    (State::Firewalled, "firewalled_s"),
    (State::Stopped, "stopped_s"),
    (State::CollectorDown, "collector_down_s"),
];

/// One author's hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// `agent/<machine>`.
    pub author: String,
    /// When it began, UTC.
    pub hour: Timestamp,
    /// Seconds by state; together 3600, or less where the author was not enrolled or the table ends.
    pub seconds: BTreeMap<State, i64>,
    /// Records that are known to be lost.
    pub lost: u64,
    /// By how much the machine's clock was ahead of the collector's, ms, as it was last told.
    pub clock_ahead_ms: Option<i64>,
    /// The shortest time between what an entry claims and its receipt, ms; below zero the machine's clock is ahead.
    pub delay_min_ms: Option<i64>,
}

#[derive(Clone, Debug)]
struct Span {
    from: Timestamp,
    to: Timestamp,
    state: State,
    /// The smaller one wins.
    rank: u8,
}

const OWN: u8 = 0;
const HEARD: u8 = 1;
const COLLECTOR: u8 = 2;

#[derive(Clone, Debug, Default)]
struct Machine {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    spans: Vec<Span>,
    open: Option<Timestamp>,
    lost: Vec<(Timestamp, u64)>,
    ahead: Vec<(Timestamp, i64)>,
    delays: BTreeMap<i64, i64>,
}

/// The table in the making.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    machines: BTreeMap<String, Machine>,
    /// Times in which the collector did not run.
    down: Vec<(Timestamp, Timestamp)>,
    last_received: Option<Timestamp>,
    stopped: Option<Timestamp>,
}

const HOUR_SECONDS: i64 = 3600;

fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(HOUR_SECONDS)
}

impl Coverage {
    /// Takes in an entry, in the order of the log.
    pub fn observe(&mut self, author: &str, received: Timestamp, event: &Event) {
        if act::is_act(&event.kind) {
            self.act(event, received);
        } else {
            self.entry(author, received, event);
        }
        self.last_received = Some(received);
    }

    fn entry(&mut self, author: &str, received: Timestamp, event: &Event) {
        let machine = self.machines.entry(author.to_owned()).or_default();
        let Some(at) = parse(&event.time) else { return };
        let is_recorded = event.source.as_ref().and_then(|source| source.recorded).unwrap_or(false);
        if !is_recorded {
            let delay = i64::try_from(received.duration_since(at).as_millis()).unwrap_or(i64::MAX);
            let least = machine.delays.entry(hour_of(received)).or_insert(delay);
            *least = delay.min(*least);
        }
        if let Some(ahead) = event.health.as_ref().and_then(|health| health.clock_ahead_ms) {
            machine.ahead.push((at, ahead));
        }
        let Some(gap) = &event.gap else { return };
        machine.lost.extend(gap.lost.filter(|lost| *lost > 0).map(|lost| (at, lost)));
        let state = match gap.cause.as_str() {
            "frozen" => State::Frozen,
            "asleep" => State::Asleep,
            "clean_stop" | "agent_restart" => State::Stopped,
            _ => return,
        };
        let bounds = gap.from.as_deref().and_then(parse).zip(gap.to.as_deref().and_then(parse));
        if let Some((from, to)) = bounds.filter(|(from, to)| from < to) {
            machine.spans.push(Span { from, to, state, rank: OWN });
        }
    }

    fn act(&mut self, event: &Event, received: Timestamp) {
        let Some(body) = act::body(event) else { return };
        let text = |key: &str| body.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        match event.kind.as_str() {
            act::kind::ENROLMENT => {
                let machine = self.machines.entry(text("author").to_owned()).or_default();
                machine.since.get_or_insert(received);
            }
            act::kind::REVOCATION => {
                self.machines.entry(text("author").to_owned()).or_default().until = Some(received);
            }
            act::kind::CONFIGURATION if text("change") == "started" => {
                if let Some(from) = self.stopped.take().or(self.last_received).filter(|from| *from < received)
                {
                    self.down.push((from, received));
                }
            }
            act::kind::CONFIGURATION if text("change") == "stopped" => self.stopped = Some(received),
            _ => {
                let Some(silence) = Silence::of(event) else { return };
                let machine = self.machines.entry(silence.author.clone()).or_default();
                match silence.step {
                    Step::Began => machine.open = parse(&silence.from),
                    Step::Ended => {
                        machine.open = None;
                        let to = silence.to.as_deref().and_then(parse);
                        if let Some((from, to)) = parse(&silence.from).zip(to).filter(|(from, to)| from < to)
                        {
                            let state = match silence.cause {
                                Cause::Silent => State::Silent,
                                Cause::PoweredOff => State::PoweredOff,
                                Cause::Asleep => State::Asleep,
                                Cause::Frozen => State::Frozen,
                                Cause::Firewalled => State::Firewalled,
                                Cause::Stopped => State::Stopped,
                            };
                            // Of a machine that was started again its own gap says only that the agent did not run.
                            let rank = if silence.cause == Cause::PoweredOff { OWN } else { HEARD };
                            machine.spans.insert(0, Span { from, to, state, rank });
                        }
                    }
                }
            }
        }
    }

    /// The hours from one moment to another, by author.
    pub fn hours(&self, from: Timestamp, to: Timestamp) -> Vec<Hour> {
        let mut hours = Vec::new();
        for (author, machine) in self.machines.iter().filter(|(author, _)| author.starts_with("agent/")) {
            let first = machine.since.map_or(from, |since| since.max(from));
            let last = machine.until.map_or(to, |until| until.min(to));
            let mut number = hour_of(first);
            while let Ok(hour) = Timestamp::from_second(number.saturating_mul(HOUR_SECONDS)) {
                if hour >= last {
                    break;
                }
                let end = hour.checked_add(SignedDuration::from_hours(1)).unwrap_or(last);
                hours.push(self.hour(author, machine, number, hour.max(first), end.min(last)));
                number = number.saturating_add(1);
            }
        }
        hours
    }

    fn hour(&self, author: &str, machine: &Machine, number: i64, from: Timestamp, to: Timestamp) -> Hour {
        let open = machine.open.map(|open| Span { from: open, to, state: State::Silent, rank: HEARD });
        let down = self.down.iter().map(|(from, to)| Span {
            from: *from,
            to: *to,
            state: State::CollectorDown,
            rank: COLLECTOR,
        });
        let spans: Vec<Span> = machine
            .spans
            .iter()
            .cloned()
            .chain(open)
            .chain(down)
            .filter(|span| span.from < to && span.to > from)
            .collect();
        let mut edges: Vec<Timestamp> =
            spans.iter().flat_map(|span| [span.from.max(from), span.to.min(to)]).collect();
        edges.extend([from, to]);
        edges.sort();
        edges.dedup();
        let mut seconds: BTreeMap<State, i64> = BTreeMap::new();
        for pair in edges.windows(2) {
            let [start, end] = pair else { continue };
            let covering = spans.iter().filter(|span| span.from <= *start && span.to >= *end);
            let state = covering.min_by_key(|span| span.rank).map_or(State::Up, |span| span.state);
            let sum = seconds.entry(state).or_default();
            *sum = sum.saturating_add(end.duration_since(*start).as_millis().try_into().unwrap_or(0));
        }
        seconds.values_mut().for_each(|ms| *ms = ms.div_euclid(1000));
        let in_hour = |at: &Timestamp| from <= *at && *at < to;
        Hour {
            author: author.to_owned(),
            hour: Timestamp::from_second(number.saturating_mul(HOUR_SECONDS)).unwrap_or(from),
            seconds,
            lost: machine
                .lost
                .iter()
                .filter(|(at, _)| in_hour(at))
                .map(|(_, lost)| *lost)
                .fold(0, u64::saturating_add),
            clock_ahead_ms: machine.ahead.iter().rfind(|(at, _)| in_hour(at)).map(|(_, ahead)| *ahead),
            delay_min_ms: machine.delays.get(&number).copied(),
        }
    }

    /// The table as CSV, one line an author and hour; empty cells are unknown.
    pub fn csv(&self, from: Timestamp, to: Timestamp) -> String {
        let states = STATES.map(|(_, name)| name).join(",");
        let mut csv = format!("author,hour,{states},lost,clock_ahead_ms,delay_min_ms\n");
        for hour in self.hours(from, to) {
            let cell = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
            let seconds =
                STATES.map(|(state, _)| hour.seconds.get(&state).copied().unwrap_or(0).to_string()).join(",");
            csv.push_str(&format!(
                "{},{},{seconds},{},{},{}\n",
                hour.author,
                hour.hour,
                hour.lost,
                cell(hour.clock_ahead_ms),
                cell(hour.delay_min_ms)
            ));
        }
        csv
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::*;

    fn at(minute: i64) -> Timestamp {
        "2026-11-20T21:00:00Z"
            .parse::<Timestamp>()
            .unwrap()
            .checked_add(SignedDuration::from_mins(minute))
            .unwrap()
    }

    fn entry(body: Value) -> Event {
        serde_json::from_value(body).unwrap()
    }

    fn check(entries: &[(&str, i64, Value)], expected: Expect) {
        let mut coverage = Coverage::default();
        for (author, minute, body) in entries {
            coverage.observe(author, at(*minute), &entry(body.clone()));
        }
        expected.assert_eq(&coverage.csv(at(-60), at(180)));
    }

    fn enrolled(minute: i64) -> (&'static str, i64, Value) {
        let time = at(minute).to_string();
        ("collector", minute, json!({"kind": "act_enrolment", "time": time, "act": {"author": "agent/a"}}))
    }

    fn silence(minute: i64, from: i64, to: i64, cause: &str) -> (&'static str, i64, Value) {
        let body = json!({"author": "agent/a", "step": "ended", "cause": cause, "from": at(from).to_string(), "to": at(to).to_string()});
        ("collector", minute, json!({"kind": "act_silence", "time": at(minute).to_string(), "act": body}))
    }

    #[test]
    fn a_machine_is_up_from_its_enrolment_on_and_each_cause_has_its_seconds() {
        check(
            &[
                enrolled(-30),
                silence(31, 10, 30, "firewalled"),
                silence(100, 70, 90, "powered_off"),
                (
                    "agent/a",
                    101,
                    json!({"kind": "gap", "time": at(90).to_string(), "gap": {"cause": "agent_restart", "from": at(69).to_string(), "to": at(91).to_string()}}),
                ),
                (
                    "agent/a",
                    130,
                    json!({"kind": "gap", "time": at(129).to_string(), "gap": {"cause": "kernel_lost", "lost": 7}}),
                ),
                (
                    "agent/a",
                    140,
                    json!({"kind": "health", "time": at(140).to_string(), "health": {"clock_ahead_ms": -120}}),
                ),
            ],
            expect![[r#"
                author,hour,up_s,silent_s,powered_off_s,asleep_s,frozen_s,firewalled_s,stopped_s,collector_down_s,lost,clock_ahead_ms,delay_min_ms
                agent/a,2026-11-20T20:00:00Z,1800,0,0,0,0,0,0,0,0,,
                agent/a,2026-11-20T21:00:00Z,2400,0,0,0,0,1200,0,0,0,,
                agent/a,2026-11-20T22:00:00Z,2280,0,1200,0,0,0,120,0,0,,660000
                agent/a,2026-11-20T23:00:00Z,3600,0,0,0,0,0,0,0,7,-120,0
            "#]],
        );
    }

    #[test]
    fn a_silence_that_goes_on_and_a_collector_that_did_not_run_are_no_coverage() {
        check(
            &[
                enrolled(-30),
                ("agent/a", 5, json!({"kind": "health", "time": at(5).to_string(), "health": {}})),
                (
                    "collector",
                    45,
                    json!({"kind": "act_configuration", "time": at(45).to_string(), "act": {"change": "started"}}),
                ),
                (
                    "collector",
                    62,
                    json!({"kind": "act_silence", "time": at(62).to_string(), "act": {"author": "agent/a", "step": "began", "cause": "silent", "from": at(60).to_string()}}),
                ),
            ],
            expect![[r#"
                author,hour,up_s,silent_s,powered_off_s,asleep_s,frozen_s,firewalled_s,stopped_s,collector_down_s,lost,clock_ahead_ms,delay_min_ms
                agent/a,2026-11-20T20:00:00Z,1800,0,0,0,0,0,0,0,0,,
                agent/a,2026-11-20T21:00:00Z,1200,0,0,0,0,0,0,2400,0,,0
                agent/a,2026-11-20T22:00:00Z,0,3600,0,0,0,0,0,0,0,,
                agent/a,2026-11-20T23:00:00Z,0,3600,0,0,0,0,0,0,0,,
            "#]],
        );
    }
}
