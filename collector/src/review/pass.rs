//! One pass over the entries of a review.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use serde_json::Value;

use super::incidents::Paths;
use super::paths::PATHS_MAX;
use super::silences::Silences;
use super::stamps::StampsSeen;
use crate::baseline::Survey;
use crate::follow::answer::Seen;
use crate::on_site;
use crate::report::Note;
use crate::report::acts::{Looks, change, look};
use crate::report::alarms::alarm;
use crate::report::held::{Waiting, held};
use crate::report::matters::Rested;
use crate::report::tally::WeekTally;
use crate::report::usual::UsualWeeks;
use crate::report::week::Week;
use crate::rollup::Rolled;
use crate::roster::Roster;
use crate::roster::proposal::Gathering;
use crate::store::FindingRecord;

/// What the entries come to.
pub(super) struct Pass<'r> {
    from: Timestamp,
    to: Timestamp,
    roster: &'r Roster,
    /// Which findings an entry belongs to, as far as they list their entries.
    numbers: BTreeMap<(&'r str, u64), Vec<&'r str>>,
    pub(super) tally: WeekTally,
    pub(super) usual: UsualWeeks,
    pub(super) survey: Option<Survey>,
    pub(super) accounts: Gathering,
    pub(super) rested: Rested,
    pub(super) paths: Paths,
    pub(super) changes: Vec<Note>,
    pub(super) waiting: Waiting,
    pub(super) looks: Looks,
    pub(super) alarms: Looks,
    pub(super) self_check: Option<(bool, String, Option<Timestamp>)>,
    pub(super) silences: Silences,
    pub(super) stamps: StampsSeen,
    pub(super) first: Option<String>,
    /// Place in the log, and name.
    pub(super) last: Option<((u64, u64), String)>,
}

impl<'r> Pass<'r> {
    pub(super) fn new(
        week: Week,
        zone: &TimeZone,
        roster: &'r Roster,
        findings: &'r [FindingRecord],
        usual: UsualWeeks,
        survey: Option<Survey>,
    ) -> Self {
        let (from, to) = week.bounds(zone);
        let mut numbers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for finding in findings.iter().map(|record| &record.finding) {
            for number in &finding.numbers {
                numbers.entry((finding.author.as_str(), *number)).or_default().push(finding.id.as_str());
            }
        }
        Self {
            from,
            to,
            roster,
            numbers,
            tally: WeekTally::new(week, zone),
            usual,
            survey,
            accounts: Gathering::default(),
            rested: Rested::default(),
            paths: Paths::new(),
            changes: Vec::new(),
            waiting: Waiting::default(),
            looks: Looks::default(),
            alarms: Looks::default(),
            self_check: None,
            silences: Silences::default(),
            stamps: StampsSeen::default(),
            first: None,
            last: None,
        }
    }

    /// From when on entries are needed, beside those of the week.
    pub(super) fn since(&self) -> Option<Timestamp> {
        [self.usual.since(), self.survey.as_ref().map(Survey::start)].into_iter().flatten().min()
    }

    /// Takes in one entry of a case, of which single entries may be withheld.
    pub(super) fn observe_shown(&mut self, seen: &Seen<'_>, is_shown: bool) {
        self.observe(&Rolled::from(seen), is_shown);
        if is_shown {
            self.path(seen);
        }
    }

    /// Takes in one entry, or several of one kind; `is_shown` is whether they go into the review at all.
    pub(super) fn observe(&mut self, seen: &Rolled<'_>, is_shown: bool) {
        let at = seen.access.local.map(|local| local.at);
        let is_in_week = at.is_some_and(|at| self.from <= at && at < self.to);
        if act::is_act(&seen.event.kind) {
            self.silences.observe(seen.event);
            self.stamps.observe(seen.event, seen.leaf);
            self.check(seen.event, at);
            // An act that a case withholds is not retold in its review either.
            if is_in_week && is_shown {
                self.act(seen, at);
            }
            return;
        }
        if !is_shown {
            return;
        }
        self.tally.observe(seen.access, seen.decision);
        self.usual.observe(seen.access, seen.decision);
        if let Some(survey) = &mut self.survey {
            survey.observe(seen.access, seen.decision);
        }
        if is_in_week {
            self.accounts.observe(seen.access, self.roster);
            self.rested.observe(seen.access, seen.decision);
            self.changes.extend(held(seen.access.host, seen.event, at));
            self.changes.extend(on_site::note(seen.access.host, seen.event, at));
            self.waiting.observe(seen.access.author, seen.access.host, seen.event);
            let name = |number: u64, time: &str| format!("{} {number} ({time})", seen.access.author);
            self.first.get_or_insert_with(|| name(seen.access.number, &seen.event.time));
            // Of two rows the one that began earlier may end later.
            let (leaf, number, time) = seen.last;
            if self.last.as_ref().is_none_or(|(last, _)| *last <= (leaf, number)) {
                self.last = Some(((leaf, number), name(number, time)));
            }
        }
    }

    fn act(&mut self, seen: &Rolled<'_>, at: Option<Timestamp>) {
        self.changes.extend(change(seen.event, at, self.roster));
        if let Some(sentence) = look(seen.event, self.roster) {
            self.looks.add(sentence, at);
        }
        if let Some(sentence) = alarm(seen.event) {
            self.alarms.add(sentence, at);
        }
    }

    /// The last self-check before the end of the week, however long ago.
    fn check(&mut self, event: &Event, at: Option<Timestamp>) {
        let is_before = at.is_none_or(|at| at < self.to);
        if let (act::kind::SELF_CHECK, Some(body), true) = (event.kind.as_str(), act::body(event), is_before)
        {
            let passed = body.get("passed").and_then(Value::as_bool).unwrap_or(false);
            let sentence = body.get("sentence").and_then(Value::as_str).unwrap_or_default();
            self.self_check = Some((passed, sentence.to_owned(), at));
        }
    }

    fn path(&mut self, seen: &Seen<'_>) {
        let key = (seen.record.author.as_str(), seen.access.number);
        for id in self.numbers.get(&key).into_iter().flatten() {
            let paths = self.paths.entry((*id).to_owned()).or_default();
            let path = seen.event.object.as_ref().and_then(|object| object.path.clone());
            paths.extend(path.filter(|_| paths.len() < PATHS_MAX));
        }
    }
}
