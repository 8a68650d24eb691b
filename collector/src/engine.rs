//! From entries in the ledger's order to decisions, signals and finding steps. No I/O, no clock.
//!
//! The engine holds what the acts so far laid down (roster, policy, tickets) and what the entries so far
//! amount to (history, open findings). [`crate::follow`] feeds it from the segments; the detection bench feeds
//! it from a scenario: it is the same code, so what the bench says of it is said of the product.
//!
//! A decision depends on the entry, the rules in force at its place in the ledger, and three facts about its
//! surroundings that earlier entries tell ([`Around`]); never on findings or on what came later.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use ntk_evidence::act;
use ntk_evidence::event::{Confidence, Event};
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, FindingStep, Findings};
use crate::history::History;
use crate::need_to_know::{Access, Decision, Verdicts, decide_with, moment};
use crate::policy::{Policy, PolicyError};
use crate::roster::{Roster, RosterError};
use crate::ticket::items::Usage;
use crate::ticket::{Record, TicketChange, TicketFault, Tickets};

/// What an act changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A roster came into force.
    Roster,
    /// A policy came into force.
    Policy,
    /// A ticket or break-glass went a step further.
    Ticket(Option<TicketChange>),
    /// Nothing that decides.
    None,
}

/// An act that could not be taken in: what was in force before stays so.
#[derive(Debug, thiserror::Error)]
pub enum ActFault {
    /// A roster.
    #[error("a roster in the ledger cannot be read; the one before stays")]
    Roster(#[from] RosterError),
    /// A policy.
    #[error("a table in the ledger cannot be read; the one before stays")]
    Policy(#[from] PolicyError),
    /// A ticket.
    #[error("a ticket’s step in the ledger cannot be taken")]
    Ticket(#[from] TicketFault),
}

/// What earlier entries say about the surroundings of one: kept beside the entry, so that its decision can be
/// made again alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Around {
    /// When the author's last entry whose claimed time fitted its receipt was received: this one is younger.
    #[serde(default, with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub live: Option<Timestamp>,
    /// Remote-support tool that was driving the session or the computer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

impl Around {
    /// An entry with its surroundings.
    pub fn access<'a>(&'a self, seen: Entry<'a>, zone: &TimeZone) -> Access<'a> {
        let mut access = Access::new(seen.author, seen.host, seen.number, seen.event, zone);
        access = access.received(seen.received, self.live, zone);
        access.remote_tool = self.tool.as_deref();
        access
    }
}

/// One entry as it comes out of the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its author.
    pub author: &'a str,
    /// The author's machine.
    pub host: &'a str,
    /// Its number.
    pub number: u64,
    /// What was recorded.
    pub event: &'a Event,
    /// When the collector received it.
    pub received: Timestamp,
}

/// One entry, decided.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// What surrounded the entry.
    pub around: Around,
    /// What becomes of it.
    pub steps: Vec<FindingStep>,
}

/// Everything that deciding rests on, but the rules' texts: kept with the position in the ledger at which no
/// finding was open, so that a start goes on from there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    tickets: Tickets,
    history: History,
    live: BTreeMap<String, i64>,
    uses: BTreeMap<String, Usage>,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    zone: TimeZone,
    roster: Arc<Roster>,
    policy: Arc<Policy>,
    state: Snapshot,
    findings: Findings,
    verdicts: Verdicts,
    /// Day of the last receipt; not kept, because nothing is open where a snapshot is taken.
    day: Option<Date>,
}

impl Engine {
    /// Before the first act.
    pub fn new(zone: TimeZone) -> Self {
        Self::resume(zone, Snapshot::default(), Roster::default(), Policy::default())
    }

    /// At a position where no finding was open, with the rules that were in force there.
    pub fn resume(zone: TimeZone, state: Snapshot, roster: Roster, policy: Policy) -> Self {
        Self {
            zone,
            roster: Arc::new(roster),
            policy: Arc::new(policy),
            state,
            findings: Findings::new(),
            verdicts: Verdicts::remembering(),
            day: None,
        }
    }

    /// What to keep for [`Engine::resume`].
    pub const fn snapshot(&self) -> &Snapshot {
        &self.state
    }

    /// The roster in force.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The book of tickets.
    pub const fn tickets(&self) -> &Tickets {
        &self.state.tickets
    }

    /// How much each ticket was used.
    pub const fn uses(&self) -> &BTreeMap<String, Usage> {
        &self.state.uses
    }

    /// The findings whose windows are open.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.open()
    }

    /// Those of them that began or grew since the last [`Engine::advance`].
    pub fn grown(&self) -> impl Iterator<Item = &Finding> {
        self.findings.grown()
    }

    /// Takes in an act of the collector.
    pub fn act(&mut self, event: &Event) -> Result<Effect, ActFault> {
        let Some(body) = act::body(event) else { return Ok(Effect::None) };
        let text = || body.get("text").and_then(|text| text.as_str()).unwrap_or_default();
        match event.kind.as_str() {
            act::kind::ROSTER => {
                self.roster = Arc::new(Roster::parse(text())?);
                Ok(Effect::Roster)
            }
            act::kind::POLICY => {
                self.policy = Arc::new(Policy::parse(text())?);
                Ok(Effect::Policy)
            }
            kind @ (act::kind::TICKET | act::kind::BREAK_GLASS) => {
                let at = event.time.parse().unwrap_or(Timestamp::UNIX_EPOCH);
                Ok(Effect::Ticket(self.state.tickets.apply(at, kind, body)?))
            }
            _ => Ok(Effect::None),
        }
    }

    /// Time goes on to the receipt of the next entries: closes what got quiet, and everything at a day's end.
    pub fn advance(&mut self, received: Timestamp) -> Vec<FindingStep> {
        let today = self.zone.to_datetime(received).date();
        let mut steps = Vec::new();
        if self.day.is_some_and(|day| day != today) {
            steps.extend(self.findings.end_day());
        }
        self.day = Some(today);
        steps.extend(self.findings.advance(received));
        steps
    }

    /// Closes everything that is open.
    pub fn finish(&mut self) -> Vec<FindingStep> {
        self.findings.end_day()
    }

    /// Decides one entry of an agent or import.
    pub fn entry(&mut self, seen: Entry<'_>) -> Decided {
        let live = self.state.live.get(seen.author);
        let mut around =
            Around { live: live.and_then(|second| Timestamp::from_second(*second).ok()), tool: None };
        around.tool = self.state.history.remote_tool(&around.access(seen, &self.zone)).map(ToOwned::to_owned);
        let access = around.access(seen, &self.zone);
        let decision =
            decide_with(&access, &self.roster, &self.policy, &self.state.tickets, &mut self.verdicts);
        let signals = self.state.history.observe(&access, &decision, &self.roster);
        let is_nameless = decision.is_finding()
            && seen
                .event
                .actor
                .as_ref()
                .is_none_or(|actor| actor.confidence == Some(Confidence::Unattributed));
        let candidates =
            if is_nameless { self.state.history.candidates(&access, &self.roster) } else { Vec::new() };
        let steps = self.findings.observe(&access, &decision, &signals, &candidates);
        self.count_uses(&access, &decision);
        if access.is_live() {
            self.state.live.insert(seen.author.to_owned(), seen.received.as_second());
        }
        Decided { decision, around, steps }
    }

    fn count_uses(&mut self, access: &Access<'_>, decision: &Decision) {
        let n = access.n_accesses();
        let ids = decision.reasons.iter().filter_map(|reason| reason.rule.split_once(':'));
        for (_, id) in ids.filter(|(kind, _)| matches!(*kind, "ticket" | "break-glass")) {
            let is_early = !decision.is_explained() && self.is_before_approval(id, access);
            let used = self.state.uses.entry(id.to_owned()).or_default();
            if decision.is_explained() {
                used.n_accesses = used.n_accesses.saturating_add(n);
            } else if is_early {
                used.n_before_approval = used.n_before_approval.saturating_add(n);
            }
        }
    }

    fn is_before_approval(&self, id: &str, access: &Access<'_>) -> bool {
        let ticket = self.state.tickets.record(id).and_then(Record::ticket);
        let approved = ticket.and_then(|ticket| ticket.approved_at);
        let at = access.judged.map(|judged| judged.at);
        approved.zip(at).is_some_and(|(approved, at)| at < approved)
    }
}

#[cfg(test)]
mod tests;
