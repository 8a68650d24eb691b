//! What a detector found of a scenario, and what it cost.
//!
//! An incident is found when an item of its week, or of the week after, rests on one of its key entries and is
//! more than the summary of a flood. An item counts as right when it rests on any entry of an incident; what
//! only surrounds one is no false alarm. Items of the learning time are not counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::detector::{DetectedItem, Detector, SumsUp, Week};
use super::scenario::{CONTEXT, Entry, Label, Line, Scenario};

/// Found of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many there are.
    pub all: u32,
    /// How many of them came up.
    pub found: u32,
}

/// An incident that did not come up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Its label.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// What it was.
    pub about: String,
}

/// The figures of one detector.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Name of the detector.
    pub name: String,
    /// Incidents and how many of them were found.
    pub incidents: Share,
    /// Items that a manager had to decide.
    pub items: u32,
    /// Those that rest on an incident.
    pub right: u32,
    /// Those that rest on nothing but innocent look-alikes and unlabelled entries.
    pub on_look_alikes: u32,
    /// Weeks that were counted.
    pub weeks: u32,
    /// The largest number of items in one week.
    pub worst_week: u32,
    /// Incidents by kind.
    pub kinds: BTreeMap<String, Share>,
    /// Look-alikes by kind.
    pub innocents: BTreeMap<String, Share>,
    /// Items by the detector's own kinds.
    pub item_kinds: BTreeMap<String, u32>,
    /// What was missed.
    pub misses: Vec<Miss>,
}

/// An act that a detector cannot take in, such as a roster that names an account twice.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {kind} is not taken; put its text right as `ntk-collector` would take it")]
pub struct Refused {
    line: usize,
    kind: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Lets a detector read a scenario and judges its items.
pub fn judge(scenario: &Scenario, detector: &mut dyn Detector) -> Result<Outcome> {
    // The header is line 1.
    for (number, line) in (2..).zip(&scenario.lines) {
        match line {
            Line::Label(_) => {}
            Line::Act(act) => detector.act(act).map_err(|error| Refused {
                line: number,
                kind: act.kind.clone(),
                source: error.into(),
            })?,
            Line::Entry(entry) => detector.entry(entry)?,
        }
    }
    let items = detector.finish()?;
    Labels::of(scenario)?.outcome(detector.name(), &items)
}

/// Which entries carry which labels.
struct Labels<'a> {
    scenario: &'a Scenario,
    zone: TimeZone,
    by_id: BTreeMap<&'a str, &'a Label>,
    entries: HashMap<(&'a str, u64), &'a Entry>,
}

impl<'a> Labels<'a> {
    fn of(scenario: &'a Scenario) -> Result<Self> {
        let labelled = scenario.entries().filter(|entry| entry.label.is_some());
        Ok(Self {
            scenario,
            zone: TimeZone::get(&scenario.header.timezone).context("the scenario's zone")?,
            by_id: scenario.labels().map(|label| (label.id.as_str(), label)).collect(),
            entries: labelled.map(|entry| ((entry.author.as_str(), entry.number), entry)).collect(),
        })
    }

    /// The labels under an item, each with the moment of the entry that carries it.
    fn under(&self, item: &DetectedItem) -> Vec<(&'a Label, Option<Timestamp>)> {
        let found = item.entries.iter().filter_map(|(author, number)| {
            let entry = self.entries.get(&(author.as_str(), *number))?;
            let label = self.by_id.get(entry.label.as_deref()?)?;
            Some((*label, entry.event.time.parse().ok()))
        });
        found.collect()
    }

    fn outcome(&self, name: &str, items: &[DetectedItem]) -> Result<Outcome> {
        let header = &self.scenario.header;
        let first = Week::of(header.counted_from, &self.zone);
        let mut found: BTreeSet<&str> = BTreeSet::new();
        let mut flagged: BTreeSet<&str> = BTreeSet::new();
        let mut per_week: BTreeMap<Week, u32> = BTreeMap::new();
        let mut item_kinds: BTreeMap<String, u32> = BTreeMap::new();
        let (mut right, mut on_look_alikes) = (0, 0);
        for item in items.iter().filter(|item| item.week >= first) {
            *per_week.entry(item.week).or_default() += 1;
            *item_kinds.entry(item.kind.clone()).or_default() += 1;
            let under = self.under(item);
            let is_right = under.iter().any(|(label, _)| label.incident);
            let is_look_alike = under.iter().any(|(label, _)| !label.incident);
            right += u32::from(is_right);
            on_look_alikes += u32::from(is_look_alike && !is_right);
            for (label, at) in under {
                let is_in_time = at.is_some_and(|at| item.week <= Week::of(at, &self.zone).next());
                if label.incident && label.key && item.sums_up == SumsUp::No && is_in_time {
                    found.insert(&label.id);
                }
                if !label.incident {
                    flagged.insert(label.id.strip_suffix(CONTEXT).unwrap_or(&label.id));
                }
            }
        }
        let mut outcome = Outcome {
            name: name.to_owned(),
            incidents: Share::default(),
            items: per_week.values().sum(),
            right,
            on_look_alikes,
            weeks: self.weeks(),
            worst_week: per_week.values().copied().max().unwrap_or_default(),
            kinds: BTreeMap::new(),
            innocents: BTreeMap::new(),
            item_kinds,
            misses: Vec::new(),
        };
        let counted = self.counted();
        for label in self.by_id.values().filter(|label| label.key && counted.contains(label.id.as_str())) {
            let is_found = if label.incident { &found } else { &flagged }.contains(label.id.as_str());
            let table = if label.incident { &mut outcome.kinds } else { &mut outcome.innocents };
            let share = table.entry(label.kind.clone()).or_default();
            share.all += 1;
            share.found += u32::from(is_found);
            if label.incident {
                outcome.incidents.all += 1;
                outcome.incidents.found += u32::from(is_found);
            }
            if label.incident && !is_found {
                let (id, kind) = (label.id.clone(), label.kind.clone());
                outcome.misses.push(Miss { id, kind, about: label.about.clone() });
            }
        }
        Ok(outcome)
    }

    /// The cases of which an entry lies in the weeks that are counted.
    fn counted(&self) -> BTreeSet<&'a str> {
        let from = self.scenario.header.counted_from;
        let is_counted = |entry: &&&Entry| entry.event.time.parse::<Timestamp>().is_ok_and(|at| at >= from);
        let ids = self.entries.values().filter(is_counted).filter_map(|entry| entry.label.as_deref());
        ids.map(|id| id.strip_suffix(CONTEXT).unwrap_or(id)).collect()
    }

    fn weeks(&self) -> u32 {
        let header = &self.scenario.header;
        let seconds = header.counted_from.as_second().saturating_sub(header.from.as_second()).max(0);
        // A change of the clock makes a week an hour shorter or longer.
        let learning = u32::try_from((seconds + 43_200) / (7 * 86_400)).unwrap_or(u32::MAX);
        header.weeks.saturating_sub(learning).max(1)
    }
}

impl Outcome {
    /// Found incidents, of 1; 1 where there were none.
    pub fn recall(&self) -> f64 {
        part(self.incidents.found, self.incidents.all)
    }

    /// Right items, of 1; 1 where there were none.
    pub fn precision(&self) -> f64 {
        part(self.right, self.items)
    }

    /// Items a counted week.
    pub fn items_per_week(&self) -> f64 {
        f64::from(self.items) / f64::from(self.weeks)
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let misses =
            self.misses.iter().map(|miss| json!({"label": miss.id, "kind": miss.kind, "about": miss.about}));
        json!({
            "incidents": self.incidents.all,
            "found": self.incidents.found,
            "recall": rounded(self.recall()),
            "items": self.items,
            "items_per_week": rounded(self.items_per_week()),
            "items_in_the_worst_week": self.worst_week,
            "precision": rounded(self.precision()),
            "items_on_look_alikes": self.on_look_alikes,
            "kinds": shares(&self.kinds, "incidents", "found"),
            "innocents": shares(&self.innocents, "cases", "flagged"),
            "item_kinds": self.item_kinds,
            "misses": misses.collect::<Vec<_>>(),
        })
    }
}

fn shares(of: &BTreeMap<String, Share>, all: &str, found: &str) -> Value {
    of.iter().map(|(kind, share)| (kind.clone(), json!({all: share.all, found: share.found}))).collect()
}

fn part(of: u32, all: u32) -> f64 {
    if all == 0 { 1.0 } else { f64::from(of) / f64::from(all) }
}

fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}
