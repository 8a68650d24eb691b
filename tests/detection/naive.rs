//! The rules that people write first, so that everybody sees what they cost: hours, foreign computers, any read
//! with rights.
//!
//! They are treated kindly: one item a person and day, the roster's jobs left out, refused attempts left out, and
//! a computer is nobody's foreign one after a few days of use.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use ntk_evidence::event::{Action, Event, Kind, Outcome};
use serde_json::Value;

use super::detector::{DetectedItem, Detector, SumsUp, Week};
use super::people::{Hours, People};
use super::scenario::{Act, Entry, Header};

/// Days of use after which a computer is one that a person usually uses.
const USUAL_DAYS: usize = 3;

/// One of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Any access to a protected class outside opening hours.
    Hours,
    /// Anything on a computer that the person does not usually use.
    ForeignHost,
    /// Any read by IT or a vendor, as root, or with another account's rights.
    AnyPrivilegedRead,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hours, Self::ForeignHost, Self::AnyPrivilegedRead];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hours => "hours",
            Self::ForeignHost => "foreign_host",
            Self::AnyPrivilegedRead => "any_privileged_read",
        }
    }
}

/// A rule at work.
#[derive(Debug)]
pub struct Naive {
    rule: Rule,
    zone: TimeZone,
    people: People,
    hours: Hours,
    used: BTreeMap<(String, String), BTreeSet<Date>>,
    items: BTreeMap<(Date, String), DetectedItem>,
}

impl Naive {
    /// For a scenario.
    pub fn new(rule: Rule, header: &Header) -> Result<Self> {
        let zone = TimeZone::get(&header.timezone).context("the scenario's zone")?;
        Ok(Self {
            rule,
            zone,
            people: People::default(),
            hours: Hours::default(),
            used: BTreeMap::new(),
            items: BTreeMap::new(),
        })
    }

    fn fires(&mut self, host: &str, event: &Event, holder: Option<&str>, date: Date, minute: i16) -> bool {
        let is_done = event.outcome.as_ref().is_none_or(|outcome| *outcome == Outcome::Success);
        let is_file = event.kind == Kind::FileAccess
            && event.object.as_ref().is_some_and(|object| object.class.is_some());
        if !is_done || self.people.is_job(host, event) {
            return false;
        }
        match self.rule {
            Rule::Hours => is_file && !self.hours.is_open(date, minute),
            Rule::ForeignHost => {
                let Some(holder) = holder.filter(|_| is_file || event.kind == Kind::Login) else {
                    return false;
                };
                let days = self.used.entry((holder.to_owned(), host.to_owned())).or_default();
                let is_foreign = days.iter().filter(|day| **day < date).count() < USUAL_DAYS;
                if days.len() <= USUAL_DAYS {
                    days.insert(date);
                }
                is_foreign
            }
            Rule::AnyPrivilegedRead => {
                let actor = event.actor.as_ref();
                let effective = actor.and_then(|actor| actor.effective_user.as_deref());
                let own = actor.and_then(|actor| actor.login_user.as_deref());
                let borrows = effective.is_some() && (effective == Some("root") || effective != own);
                let reads = matches!(event.action, Some(Action::Read | Action::List));
                is_file
                    && reads
                    && (borrows || holder.is_some_and(|holder| self.people.is_privileged(holder)))
            }
        }
    }
}

impl Detector for Naive {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn act(&mut self, act: &Act) -> Result<()> {
        let text = act.body.get("text").and_then(Value::as_str);
        match (act.kind.as_str(), text) {
            ("act_roster", Some(text)) => self.people = People::parse(text)?,
            ("act_policy", Some(text)) => self.hours = Hours::parse(text)?,
            ("act_policy", None) => self.hours = Hours::default(),
            _ => {}
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<()> {
        let Ok(at) = entry.event.time.parse::<Timestamp>() else { return Ok(()) };
        let local = self.zone.to_datetime(at);
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        let host = entry.author.split_once('/').map_or(entry.author.as_str(), |(_, host)| host);
        let actor = entry.event.actor.clone().unwrap_or_default();
        let holder = self.people.holder(host, &actor);
        if !self.fires(host, &entry.event, holder.as_deref(), local.date(), minute) {
            return Ok(());
        }
        let service = || actor.effective_user.as_ref().map(|user| format!("service {user}"));
        let who = holder.or_else(service).unwrap_or_else(|| "unattributed".to_owned());
        let item = self.items.entry((local.date(), who.clone())).or_insert_with(|| DetectedItem {
            week: Week::of_date(local.date()),
            entries: Vec::new(),
            headline: format!("{who} on {}", local.date()),
            kind: self.rule.name().to_owned(),
            sums_up: SumsUp::No,
        });
        item.entries.push((entry.author.clone(), entry.number));
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<DetectedItem>> {
        Ok(std::mem::take(&mut self.items).into_values().collect())
    }
}
