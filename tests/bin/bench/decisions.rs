//! Decisions a second of one core, over a made-up practice, beside plain readings of the same entries' JSON; and
//! whether appending waits for them.

use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use ntk_collector::engine::Engine;
use ntk_collector::need_to_know::{Judgement, Verdicts, decide, decide_with};
use ntk_tests::detection::generate::Request;
use ntk_tests::detection::scenario::{Line, Scenario};
use ntk_tests::detection::walk::{Walk, event_of, seen};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::ingest;
use crate::table::{Table, float};

/// The practice: as large as a small hospital's department, long enough for hundreds of tickets.
const PRACTICE: Request = Request { seed: 1, people: 150, weeks: 12 };

/// Seconds of one core that something took, whoever else uses the machine.
fn core_seconds<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let now = || clock_gettime(ClockId::ThreadCPUTime);
    let began = now();
    let made = black_box(work());
    let ended = now();
    let seconds = Duration::try_from(ended - began).unwrap_or_default();
    (seconds.as_secs_f64(), made)
}

/// Measures.
pub(crate) fn measure() -> Result<Table> {
    let mut table = Table::new("decisions: one core, a made-up practice of 150 people, 12 weeks");
    let scenario = PRACTICE.scenario()?;
    let n = float(u64::try_from(scenario.entries().count())?);
    let mut n_judged = 0;
    let walk = Walk::through(&scenario, |_, decided| {
        n_judged += u64::from(decided.decision.outcome != Judgement::NotJudged);
    })?;

    let (mut without, mut with) = (0.0, 0.0);
    let mut verdicts = Verdicts::remembering();
    walk.stretches(|rules, accesses| {
        let once = || {
            accesses.for_each(|access| {
                drop(black_box(decide(&access, &rules.roster, &rules.policy, &rules.tickets)))
            })
        };
        without += core_seconds(once).0;
    })?;
    walk.stretches(|rules, accesses| {
        let remembered = || {
            for access in accesses {
                let decision =
                    decide_with(&access, &rules.roster, &rules.policy, &rules.tickets, &mut verdicts);
                drop(black_box(decision));
            }
        };
        with += core_seconds(remembered).0;
    })?;
    let engine = engine_seconds(&scenario)?;
    let (parsing, _) = core_seconds({
        let texts = scenario
            .entries()
            .map(|entry| serde_json::to_string(&entry.event))
            .collect::<Result<Vec<_>, _>>()?;
        move || {
            texts.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok().map(black_box)).count()
        }
    });
    table.row("decisions, each policy evaluated anew", n / without, "decisions/s");
    table.row("decisions, verdicts remembered", n / with, "decisions/s");
    table.row("the engine: decisions, signals, findings", n / engine, "entries/s");
    table.row("plain parsing of the same entries' JSON (the limit)", n / parsing, "entries/s");
    table.row("remembered decisions against the limit", 100.0 * parsing / with, "%");
    table.row("entries, of which were accesses to be judged", 100.0 * float(n_judged) / n, "%");
    ingest::measure(&mut table, &scenario)?;
    Ok(table)
}

/// What the engine takes for all entries; acts come between and are not counted.
fn engine_seconds(scenario: &Scenario) -> Result<f64> {
    let mut engine = Engine::new(jiff::tz::TimeZone::get(&scenario.header.timezone)?);
    let mut seconds = 0.0;
    for stretch in scenario.lines.chunk_by(|_, next| !matches!(next, Line::Act(_))) {
        if let Some(Line::Act(act)) = stretch.first() {
            engine.act(&event_of(act))?;
        }
        let entries = || {
            for line in stretch {
                if let Line::Entry(entry) = line {
                    drop(black_box(engine.advance(entry.received)));
                    drop(black_box(engine.entry(seen(entry))));
                }
            }
        };
        seconds += core_seconds(entries).0;
    }
    Ok(seconds)
}
