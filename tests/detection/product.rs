//! The product's own detector: the engine that the collector runs, fed from a scenario instead of from segments.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_collector::engine::Engine;
use ntk_collector::finding::{Finding, FindingStep};
use ntk_collector::items::{Span, incidents_of, new_in_roster};
use ntk_collector::roster::Roster;
use ntk_collector::ticket::items::{Period, items as ticket_items};
use ntk_evidence::act;

use super::detector::{DetectedItem, Detector, SumsUp, Week};
use super::scenario::{Act, Entry};
use super::walk::{event_of, seen};

/// What the collector would put before the manager.
#[derive(Debug)]
pub struct Product {
    engine: Engine,
    zone: TimeZone,
    findings: BTreeMap<String, Finding>,
    /// Entries of each finding: a finding itself lists the first of them only.
    entries: BTreeMap<String, BTreeSet<(String, u64)>>,
    /// Entries that rested on a ticket, by its number: its item opens them.
    under: BTreeMap<String, BTreeSet<(String, u64)>>,
    /// Rosters by the moment from which they held.
    rosters: Vec<(Timestamp, Roster)>,
    not_judged: BTreeMap<(Week, String), Vec<(String, u64)>>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Product {
    /// In the zone of the practice.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            engine: Engine::new(zone.clone()),
            zone,
            findings: BTreeMap::new(),
            entries: BTreeMap::new(),
            under: BTreeMap::new(),
            rosters: Vec::new(),
            not_judged: BTreeMap::new(),
            first: None,
            last: None,
        }
    }

    fn keep(&mut self, steps: Vec<FindingStep>) {
        for step in steps {
            let finding = step.finding().clone();
            self.findings.insert(finding.id.clone(), finding);
        }
    }

    /// Weeks from the first receipt to the last.
    fn weeks(&self) -> Vec<(Week, Span)> {
        let (Some(first), Some(last)) = (self.first, self.last) else { return Vec::new() };
        let mut weeks = Vec::new();
        let mut week = Week::of(first, &self.zone);
        loop {
            let start = |week: Week| self.zone.to_timestamp(week.monday().at(0, 0, 0, 0));
            let (Ok(from), Ok(to)) = (start(week), start(week.next())) else { return weeks };
            if from > last {
                return weeks;
            }
            weeks.push((week, Span { from, to }));
            week = week.next();
        }
    }

    fn tickets(&self, week: Week, span: Span, items: &mut Vec<DetectedItem>) {
        let usage = self.engine.uses();
        let period = Period {
            roster: self.engine.roster(),
            terms: self.engine.policy().tickets(),
            from: span.from,
            to: span.to,
            now: span.to,
        };
        for item in
            ticket_items(self.engine.tickets(), usage, period).into_iter().filter(|item| item.is_to_decide)
        {
            items.push(DetectedItem {
                week,
                entries: self.under.get(&item.id).into_iter().flatten().cloned().collect(),
                headline: item.sentence,
                kind: format!("ticket_{:?}", item.kind).to_lowercase(),
                sums_up: SumsUp::No,
            });
        }
    }

    fn roster(&self, week: Week, span: Span, items: &mut Vec<DetectedItem>) {
        let at = |moment: Timestamp| {
            let held = self.rosters.iter().rev().find(|(from, _)| *from < moment);
            held.map_or_else(Roster::default, |(_, roster)| roster.clone())
        };
        for item in new_in_roster(&at(span.from), &at(span.to), span, &self.zone) {
            items.push(DetectedItem {
                week,
                entries: Vec::new(),
                headline: item.sentence,
                kind: "roster".to_owned(),
                sums_up: SumsUp::No,
            });
        }
    }
}

impl Detector for Product {
    fn name(&self) -> &str {
        "need-to-know"
    }

    fn act(&mut self, act: &Act) -> Result<()> {
        self.engine.act(&event_of(act))?;
        if act.kind == act::kind::ROSTER {
            self.rosters.push((act.at, self.engine.roster().clone()));
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<()> {
        self.first.get_or_insert(entry.received);
        self.last = self.last.max(Some(entry.received));
        let steps = self.engine.advance(entry.received);
        self.keep(steps);
        let decided = self.engine.entry(seen(entry));
        self.keep(decided.steps);
        let rests_on = (entry.author.clone(), entry.number);
        if let Some(reason) = decided.decision.system_item().filter(|reason| reason.rule != "system-work") {
            let week = Week::of(entry.received, &self.zone);
            self.not_judged.entry((week, reason.sentence.clone())).or_default().push(rests_on.clone());
        }
        let tickets =
            decided.decision.reasons.iter().filter_map(|reason| reason.rule.strip_prefix("ticket:"));
        for id in tickets.filter(|_| decided.decision.is_explained()) {
            self.under.entry(id.to_owned()).or_default().insert(rests_on.clone());
        }
        let grown = self
            .engine
            .open()
            .filter(|finding| finding.author == entry.author && finding.last_number == entry.number);
        let grown: Vec<String> = grown.map(|finding| finding.id.clone()).collect();
        for id in grown {
            self.entries.entry(id).or_default().insert(rests_on.clone());
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<DetectedItem>> {
        let steps = self.engine.finish();
        self.keep(steps);
        let findings: Vec<Finding> = self.findings.values().cloned().collect();
        let mut items = Vec::new();
        for (week, span) in self.weeks() {
            for incident in incidents_of(&findings, span, &self.zone) {
                let entries = incident.findings.iter().filter_map(|id| self.entries.get(id)).flatten();
                items.push(DetectedItem {
                    week,
                    entries: entries.cloned().collect(),
                    headline: incident.headline,
                    kind: format!("{:?} {:?}", incident.severity, incident.outcome).to_lowercase(),
                    sums_up: if incident.is_flood { SumsUp::Flood } else { SumsUp::No },
                });
            }
            self.tickets(week, span, &mut items);
            self.roster(week, span, &mut items);
        }
        for ((week, sentence), entries) in std::mem::take(&mut self.not_judged) {
            let kind = "system".to_owned();
            items.push(DetectedItem { week, entries, headline: sentence, kind, sums_up: SumsUp::No });
        }
        Ok(items)
    }
}
