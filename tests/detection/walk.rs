//! The entries of a scenario, each with the rules and surroundings of its place in the ledger: for deciding
//! them one by one, without findings.

use anyhow::Result;
use jiff::tz::TimeZone;
use ntk_collector::engine::{Around, Decided, Engine, Entry as EngineEntry};
use ntk_collector::need_to_know::Access;
use ntk_collector::policy::Policy;
use ntk_collector::roster::Roster;
use ntk_collector::ticket::Tickets;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use serde_json::{Value, json};

use super::scenario::{Act, Entry, Line, Scenario};

/// What is in force at a place.
#[derive(Debug, Default)]
pub struct Rules {
    /// The roster.
    pub roster: Roster,
    /// The policy.
    pub policy: Policy,
    /// The book of tickets.
    pub tickets: Tickets,
}

impl Rules {
    fn take(&mut self, act: &Act) -> Result<()> {
        let body = body_of(act);
        let text = || body.get("text").and_then(Value::as_str).unwrap_or_default();
        match act.kind.as_str() {
            act::kind::ROSTER => self.roster = Roster::parse(text())?,
            act::kind::POLICY => self.policy = Policy::parse(text())?,
            kind => drop(self.tickets.apply(act.at, kind, &body)?),
        }
        Ok(())
    }
}

/// The act as it would stand in the ledger.
pub fn event_of(act: &Act) -> Event {
    act::event(&act.kind, act.at.to_string(), body_of(act))
}

/// The body of an act; a scenario may name a table that ships, the ledger holds its text.
fn body_of(act: &Act) -> Value {
    let template = act.body.get("template").and_then(Value::as_str).and_then(Policy::template);
    match template {
        Some(text) if act.kind == act::kind::POLICY => json!({ "text": text }),
        _ => act.body.clone(),
    }
}

/// The entry as the engine takes it.
pub fn seen(entry: &Entry) -> EngineEntry<'_> {
    EngineEntry {
        author: &entry.author,
        host: entry.author.split_once('/').map_or(entry.author.as_str(), |(_, host)| host),
        number: entry.number,
        event: &entry.event,
        received: entry.received,
    }
}

/// A scenario that the engine has been through.
#[derive(Debug)]
pub struct Walk<'s> {
    scenario: &'s Scenario,
    zone: TimeZone,
    arounds: Vec<Around>,
}

impl<'s> Walk<'s> {
    /// Lets the engine decide everything in the order of the ledger; `each` sees what it says.
    pub fn through(scenario: &'s Scenario, mut each: impl FnMut(&Entry, &Decided)) -> Result<Self> {
        let zone = TimeZone::get(&scenario.header.timezone)?;
        let mut engine = Engine::new(zone.clone());
        let mut arounds = Vec::new();
        for line in &scenario.lines {
            match line {
                Line::Label(_) => {}
                Line::Act(act) => drop(engine.act(&event_of(act))?),
                Line::Entry(entry) => {
                    engine.advance(entry.received);
                    let decided = engine.entry(seen(entry));
                    each(entry, &decided);
                    arounds.push(decided.around);
                }
            }
        }
        Ok(Self { scenario, zone, arounds })
    }

    /// Gives each stretch of entries between two acts with the rules that hold there.
    pub fn stretches(
        &self,
        mut each: impl FnMut(&Rules, &mut dyn Iterator<Item = Access<'_>>),
    ) -> Result<()> {
        let mut rules = Rules::default();
        let mut arounds = self.arounds.iter();
        let is_act = |line: &Line| matches!(line, Line::Act(_));
        for stretch in self.scenario.lines.chunk_by(|_, next| !is_act(next)) {
            if let Some(Line::Act(act)) = stretch.first() {
                rules.take(act)?;
            }
            let entries = stretch.iter().filter_map(|line| match line {
                Line::Entry(entry) => Some(&**entry),
                Line::Label(_) | Line::Act(_) => None,
            });
            each(
                &rules,
                &mut entries
                    .zip(arounds.by_ref())
                    .map(|(entry, around)| around.access(seen(entry), &self.zone)),
            );
        }
        Ok(())
    }
}
