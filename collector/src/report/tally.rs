//! What the entries of one week come to: counts, changes, holes. Fed in one pass, in order, by the reader.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_evidence::bundle::wording::verb;
use ntk_evidence::event::{Event, Kind, Outcome, TamperKind};

use super::coverage::Beat;
use super::text::capitalise;
use super::week::Week;
use super::{HeatRow, Note};
use crate::finding::wording;
use crate::need_to_know::{Access, Decision, Judgement};
use crate::policy::Area;
use crate::roster::account_text;

/// Counts of one week.
#[derive(Clone, Debug)]
pub struct WeekTally {
    from: Timestamp,
    to: Timestamp,
    pub(super) n_judged: u64,
    pub(super) n_explained: u64,
    pub(super) explained: BTreeMap<String, u64>,
    pub(super) areas: BTreeMap<Area, u64>,
    pub(super) heat: BTreeMap<String, Vec<u64>>,
    pub(super) unknown: BTreeMap<String, u64>,
    pub(super) not_evaluated: BTreeMap<String, u64>,
    pub(super) rights: Vec<Note>,
    pub(super) recording_changes: Vec<Note>,
    pub(super) gaps: Vec<GapSeen>,
    pub(super) beats: BTreeMap<String, Vec<Beat>>,
    pub(super) cannot_see: BTreeMap<String, Vec<String>>,
    pub(super) n_recorded: u64,
    pub(super) n_imported: u64,
    pub(super) n_small_changes: u64,
    pub(super) n_entries: u64,
}

/// An interval in which a machine lost records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GapSeen {
    pub(super) host: String,
    pub(super) at: Option<Timestamp>,
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
    pub(super) cause: String,
    pub(super) lost: Option<u64>,
}

impl WeekTally {
    /// An empty tally of a week in a zone.
    pub fn new(week: Week, zone: &TimeZone) -> Self {
        let (from, to) = week.bounds(zone);
        Self {
            from,
            to,
            n_judged: 0,
            n_explained: 0,
            explained: BTreeMap::new(),
            areas: BTreeMap::new(),
            heat: BTreeMap::new(),
            unknown: BTreeMap::new(),
            not_evaluated: BTreeMap::new(),
            rights: Vec::new(),
            recording_changes: Vec::new(),
            gaps: Vec::new(),
            beats: BTreeMap::new(),
            cannot_see: BTreeMap::new(),
            n_recorded: 0,
            n_imported: 0,
            n_small_changes: 0,
            n_entries: 0,
        }
    }

    /// Takes in one entry. Entries outside the week are passed over, but for health entries, which tell what
    /// a machine did at its edges: feed some days more on both sides where they exist.
    pub fn observe(&mut self, access: &Access<'_>, decision: &Decision) {
        let at = access.local.map(|local| local.at);
        if access.event.kind == Kind::Health {
            self.health(access);
        }
        // An entry whose time cannot be read is counted in whichever week reads it: better twice than never.
        if at.is_some_and(|at| at < self.from || at >= self.to) {
            return;
        }
        self.n_entries += access.entries;
        self.n_recorded += if access.is_recorded() { access.entries } else { 0 };
        self.n_imported += if access.is_imported() { access.entries } else { 0 };
        for name in access.event.unknown() {
            *self.unknown.entry(name).or_default() += access.entries;
        }
        if let Some(reason) = decision.system_item() {
            *self.not_evaluated.entry(reason.sentence.clone()).or_default() += access.entries;
        }
        self.judged(access, decision);
        match &access.event.kind {
            // A service tells of every small change of an account; those that open a way to mail are told one by one.
            Kind::AccountChange if is_small_change(access.event) => self.n_small_changes += access.entries,
            Kind::AccountChange => self.rights.push(Note::new(at, rights_sentence(access))),
            Kind::Tamper => self.recording_changes.push(Note::new(at, recording_sentence(access))),
            Kind::Gap => self.gap(access),
            Kind::Login
            | Kind::Logout
            | Kind::Elevation
            | Kind::FileAccess
            | Kind::ProcessStart
            | Kind::RemoteControl
            | Kind::Health
            | Kind::Inventory
            | Kind::Epoch
            | Kind::Commission
            | Kind::Other(_) => {}
        }
    }

    /// Entries of the week.
    pub fn n_entries(&self) -> u64 {
        self.n_entries
    }

    /// Accesses of the week to each area: what next weeks' medians are made of.
    pub fn areas(&self) -> &BTreeMap<Area, u64> {
        &self.areas
    }

    fn judged(&mut self, access: &Access<'_>, decision: &Decision) {
        let (Some(who), Some(asset)) = (&decision.who, &decision.asset) else { return };
        let n = access.n_accesses();
        self.n_judged = self.n_judged.saturating_add(n);
        let of_area = self.areas.entry(asset.area).or_default();
        *of_area = of_area.saturating_add(n);
        let reason = decision.reasons.first();
        if decision.outcome == Judgement::Explained {
            self.n_explained = self.n_explained.saturating_add(n);
            if let Some(reason) = reason {
                let counted = self.explained.entry(reason.sentence.clone()).or_default();
                *counted = counted.saturating_add(n);
            }
        }
        if !asset.area.is_files() {
            return;
        }
        let job = reason.and_then(|reason| reason.rule.strip_prefix("job:"));
        let label = match (job, &who.account, &who.holder) {
            (Some(job), _, _) => format!("{job} · job"),
            (None, Some(account), Some(holder)) => format!("{} · {holder}", short(account)),
            (None, Some(account), None) => format!("{} · not in the roster", short(account)),
            (None, None, _) => "no account on the record".to_owned(),
        };
        let hours = self.heat.entry(label).or_insert_with(|| vec![0; 24]);
        let hour = access.local.map(|local| usize::from(local.hour()));
        if let Some(cell) = hour.and_then(|hour| hours.get_mut(hour)) {
            *cell = cell.saturating_add(n);
        }
    }

    fn health(&mut self, access: &Access<'_>) {
        let (Some(local), Some(health)) = (access.local, &access.event.health) else { return };
        let beats = self.beats.entry(access.host.to_owned()).or_default();
        // Of the time outside, the nearest entry on each side tells what the first and last hole were.
        if local.at >= self.to && beats.last().is_some_and(|last| last.at >= self.to) {
            return;
        }
        if local.at < self.from && beats.last().is_some_and(|last| last.at < self.from) {
            beats.pop();
        }
        if (self.from..self.to).contains(&local.at) {
            let cannot_see = self.cannot_see.entry(access.host.to_owned()).or_default();
            for sentence in &health.cannot_see {
                if !cannot_see.contains(sentence) {
                    cannot_see.push(sentence.clone());
                }
            }
        }
        beats.push(Beat::of(local.at, health));
    }

    fn gap(&mut self, access: &Access<'_>) {
        let Some(gap) = &access.event.gap else { return };
        let read = |time: &Option<String>| time.as_deref().and_then(|time| time.parse().ok());
        self.gaps.push(GapSeen {
            host: access.host.to_owned(),
            at: access.local.map(|local| local.at),
            from: read(&gap.from),
            to: read(&gap.to),
            cause: gap.cause.clone(),
            lost: gap.lost,
        });
    }

    /// The busiest accounts, and one row for all others.
    pub(super) fn heat_rows(&self, rows_max: usize) -> Vec<HeatRow> {
        let mut rows: Vec<HeatRow> = self
            .heat
            .iter()
            .map(|(label, hours)| HeatRow { label: label.clone(), hours: hours.clone() })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.hours.iter().sum::<u64>()));
        if rows.len() > rows_max {
            let others = rows.split_off(rows_max.saturating_sub(1));
            let mut hours = vec![0u64; 24];
            for row in &others {
                for (sum, n) in hours.iter_mut().zip(&row.hours) {
                    *sum = sum.saturating_add(*n);
                }
            }
            rows.push(HeatRow { label: format!("{} other accounts", others.len()), hours });
        }
        rows
    }
}

fn short(account: &str) -> &str {
    account.split(" (").next().unwrap_or(account)
}

/// A change that a service or log names, and that opens no way to mail.
fn is_small_change(event: &Event) -> bool {
    let is_service = event.source.as_ref().is_some_and(|source| source.operation.is_some());
    is_service && event.change.as_ref().is_some_and(|change| !change.what.opens_a_way())
}

fn by_account(event: &Event) -> String {
    match event.actor.as_ref().and_then(account_text) {
        Some(account) => format!("by account {account}"),
        None => "by an account that the record does not name".to_owned(),
    }
}

/// The details of a change in rights, as the record's own words.
fn rights_sentence(access: &Access<'_>) -> String {
    if let Some(change) = &access.event.change {
        let owner = access.event.object.as_ref().and_then(|object| object.owner.as_deref());
        let of = owner.map(|owner| format!(" of {owner}")).unwrap_or_default();
        let to = change.to.as_ref().map(|to| format!(", to {to}")).unwrap_or_default();
        let rights =
            if change.rights.is_empty() { String::new() } else { format!(" ({})", change.rights.join(", ")) };
        let taken = if change.is_removal { ", taken away" } else { "" };
        let at = if access.is_imported() { "in" } else { "on" };
        let sentence = format!(
            "{}{of}{to}{rights}{taken}, {at} {}, {}.",
            verb(access.event),
            access.host,
            by_account(access.event)
        );
        return capitalise(&sentence);
    }
    let details: Vec<_> = access
        .event
        .other
        .iter()
        .filter_map(|(key, value)| match value {
            serde_json::Value::String(text) => Some(format!("{} {text}", key.replace('_', " "))),
            serde_json::Value::Number(number) => Some(format!("{} {number}", key.replace('_', " "))),
            _ => None,
        })
        .collect();
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    let verb = match access.event.outcome {
        Some(Outcome::Denied) => "A change of an account, group or right was refused",
        Some(Outcome::Failed) => "A change of an account, group or right failed",
        Some(Outcome::Success | Outcome::Other(_)) | None => "An account, group or right was changed",
    };
    format!("{verb} on {} {}{details}.", access.host, by_account(access.event))
}

fn recording_sentence(access: &Access<'_>) -> String {
    let tamper = access.event.tamper.as_ref();
    let by = match tamper.map(|tamper| &tamper.what) {
        Some(TamperKind::RecordGap) => String::new(),
        _ => format!(" {}", by_account(access.event)),
    };
    let detail = tamper.and_then(|tamper| tamper.detail.as_deref());
    let detail = detail.map(|detail| format!(" The record says: {detail}.")).unwrap_or_default();
    let is_refused = access.event.outcome == Some(Outcome::Denied);
    let what = wording::recording(tamper.map(|tamper| &tamper.what), is_refused, access.host, &by);
    format!("{what}.{detail}")
}
