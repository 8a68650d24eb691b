//! What a manager decides: findings that are one story, put together into one incident.
//!
//! From finer to coarser: findings of one session on one host, or of one holder within half an hour, are a
//! story; stories of one holder whose chief asset is the same, each about a week after the last or less, are one
//! incident however long that goes on; more than [`FLOOD_AFTER`] small incidents of one holder in a week are
//! one item with counts. Nothing is left out: an incident names all its findings.
//!
//! # Invariants
//! - IN-1: pure, and the same whatever the order of the findings.
//! - IN-2: every finding is in exactly one incident.
//! - IN-3: what the table calls never, what is high or urgent, and break-glass is never part of a flood; what
//!   the table says never happens to one asset stays apart from the same for another, unless one session did both.

mod told;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::{Finding, Severity};
use crate::need_to_know::{Judgement, moment};
use crate::policy::Area;

/// So many small incidents of one holder in a week are still shown one by one.
pub const FLOOD_AFTER: usize = 8;

/// Accesses of one holder this close together are one story.
const BURST: SignedDuration = SignedDuration::from_mins(30);
/// A session's number may come again after a restart: beyond this it is taken for another session.
const SESSION: SignedDuration = SignedDuration::from_hours(24);
/// The same asset again within this is the same incident: a week, and a day because nobody is punctual.
const AGAIN_WITHIN: SignedDuration = SignedDuration::from_hours(8 * 24);

/// One item to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Id of the weightiest finding, the first of equals.
    pub id: String,
    /// Ids of all its findings, in order of time.
    pub findings: Vec<String>,
    /// Id of the person who holds the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The account in words, where one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Who, for the beginning of a sentence.
    pub who: String,
    /// The highest of its findings.
    pub severity: Severity,
    /// The gravest of its findings.
    pub outcome: Judgement,
    /// The whole in one to three sentences.
    pub headline: String,
    /// How many accesses.
    pub n_accesses: u64,
    /// First access, as claimed.
    #[serde(with = "moment::option")]
    pub first_time: Option<Timestamp>,
    /// Last access, as claimed.
    #[serde(with = "moment::option")]
    pub last_time: Option<Timestamp>,
    /// Days with an access, in the practice's zone: `2026-11-18`.
    pub days: Vec<String>,
    /// Machines.
    pub hosts: Vec<String>,
    /// What was reached, in words, in order of time.
    pub assets: Vec<String>,
    /// Whether it stands for many small incidents.
    pub is_flood: bool,
    /// For how many incidents a flood stands; their findings are all listed.
    #[serde(default)]
    pub grouped: u64,
}

/// Puts findings together, worst first.
pub fn incidents(findings: &[Finding], zone: &TimeZone) -> Vec<Incident> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by(|one, other| in_time(one, other));
    sorted.dedup_by(|one, other| one.id == other.id);
    let mut by_holder: BTreeMap<Holder, Stories<'_>> = BTreeMap::new();
    for finding in sorted {
        let holder = Holder::of(finding);
        let is_known = holder.is_known();
        by_holder.entry(holder).or_default().join(finding, is_known);
    }
    let mut made = Vec::new();
    for stories in by_holder.into_values() {
        let (small, alone): (Vec<_>, Vec<_>) = chains(stories.all()).into_iter().partition(Group::is_small);
        made.extend(alone.iter().map(|group| told::incident(group, zone)));
        for (_, groups) in by_week(small, zone) {
            if groups.len() > FLOOD_AFTER {
                made.push(told::flood(&groups, zone));
            } else {
                made.extend(groups.iter().map(|group| told::incident(group, zone)));
            }
        }
    }
    made.sort_by(|(one, its), (other, others)| {
        others.cmp(its).then_with(|| (one.first_time, &one.id).cmp(&(other.first_time, &other.id)))
    });
    made.into_iter().map(|(incident, _)| incident).collect()
}

/// What makes two findings of one asset the same asset; folders of several machines may serve one purpose.
pub(super) type AssetKey = (Area, Option<String>, Option<String>);

fn asset_key(finding: &Finding) -> AssetKey {
    let host = (!finding.asset.area.is_files()).then(|| finding.host.clone());
    let whose = finding.asset.person.as_ref().or(finding.asset.owner.as_ref());
    (finding.asset.area, whose.cloned(), host)
}

/// Whose doing findings are put together by. What names nobody is only told apart by its machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holder {
    Person { id: String, recorded: bool },
    Account { host: String, account: String, recorded: bool },
    Typed { host: String, recorded: bool },
    Nobody { host: String, recorded: bool },
}

impl Holder {
    fn of(finding: &Finding) -> Self {
        let (host, recorded) = (finding.host.clone(), finding.recorded);
        match (&finding.person, &finding.account) {
            (Some(id), _) => Self::Person { id: id.clone(), recorded },
            (None, _) if !finding.is_verified => Self::Typed { host, recorded },
            (None, Some(account)) => Self::Account { host, account: account.clone(), recorded },
            (None, None) => Self::Nobody { host, recorded },
        }
    }

    /// Whether nearness in time says that one hand did both.
    fn is_known(&self) -> bool {
        matches!(self, Self::Person { .. } | Self::Account { .. })
    }
}

/// Findings that belong together, in order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Group<'a> {
    pub(super) findings: Vec<&'a Finding>,
}

impl<'a> Group<'a> {
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.findings.iter().filter_map(|finding| finding.first_time).min()
    }

    pub(super) fn last(&self) -> Option<Timestamp> {
        self.findings.iter().filter_map(|finding| finding.last_time.max(finding.first_time)).max()
    }

    /// The weightiest finding, the first of equals.
    pub(super) fn chief(&self) -> Option<&'a Finding> {
        let heaviest = self.findings.iter().map(|finding| weight(finding)).max()?;
        self.findings.iter().find(|finding| weight(finding) == heaviest).copied()
    }

    pub(super) fn severity(&self) -> Severity {
        self.findings.iter().map(|finding| severity(finding)).max().unwrap_or_default()
    }

    fn is_small(&self) -> bool {
        let is_grave = |finding: &&Finding| finding.outcome == Judgement::Never || finding.is_break_glass();
        self.severity() <= Severity::Normal && !self.findings.iter().any(is_grave)
    }

    fn shares_session(&self, finding: &Finding) -> bool {
        finding.session.is_some()
            && self.findings.iter().any(|have| {
                have.session == finding.session
                    && have.host == finding.host
                    && is_within(have.last_time.max(have.first_time), finding.first_time, SESSION)
            })
    }

    /// Whether nearness alone may put two groups together.
    fn goes_with(&self, other: &Self) -> bool {
        let nevers = |group: &Self| -> BTreeSet<AssetKey> {
            let never = group.findings.iter().filter(|finding| finding.outcome == Judgement::Never);
            never.map(|finding| asset_key(finding)).collect()
        };
        let (ours, theirs) = (nevers(self), nevers(other));
        ours.is_empty() || theirs.is_empty() || !ours.is_disjoint(&theirs)
    }

    fn absorb(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.findings.sort_by(|one, other| in_time(one, other));
    }
}

fn in_time(one: &Finding, other: &Finding) -> std::cmp::Ordering {
    // What has no readable time comes last.
    let key = |finding: &Finding| (finding.first_time.is_none(), finding.first_time);
    key(one).cmp(&key(other)).then_with(|| {
        (&one.author, one.first_number, &one.id).cmp(&(&other.author, other.first_number, &other.id))
    })
}

fn is_within(earlier: Option<Timestamp>, later: Option<Timestamp>, at_most: SignedDuration) -> bool {
    matches!((earlier, later), (Some(earlier), Some(later)) if later.duration_since(earlier) <= at_most)
}

/// The stored severity; findings of older versions have none of their own.
pub(super) fn severity(finding: &Finding) -> Severity {
    match finding.outcome {
        Judgement::Never => finding.severity.max(Severity::High),
        Judgement::Explained | Judgement::Unexplained | Judgement::NotJudged => finding.severity,
    }
}

/// What makes a finding the chief one of its incident. No count is in it, so that a growing finding keeps its place.
pub(super) type FindingWeight = (Severity, Judgement, bool, bool, bool);

pub(super) fn weight(finding: &Finding) -> FindingWeight {
    let is_way_in = matches!(finding.asset.area, Area::Login | Area::Elevation | Area::RemoteControl);
    (severity(finding), finding.outcome, !is_way_in, finding.is_raised(), !finding.is_only_attempts())
}

/// The stories of one holder: those that may go on, and those that are over.
#[derive(Default)]
struct Stories<'a> {
    going_on: Vec<Group<'a>>,
    over: Vec<Group<'a>>,
}

impl<'a> Stories<'a> {
    /// Adds a finding; findings come in order of time.
    fn join(&mut self, finding: &'a Finding, is_known: bool) {
        let mut joined = Group { findings: vec![finding] };
        let mut others = Vec::new();
        for story in self.going_on.drain(..) {
            if story.shares_session(finding) {
                joined.absorb(story);
            } else if is_within(story.last(), finding.first_time, SESSION) {
                others.push(story);
            } else {
                self.over.push(story);
            }
        }
        let is_near = |story: &Group<'_>| {
            let same_asset = story.findings.iter().any(|have| asset_key(have) == asset_key(finding));
            (is_known || same_asset) && is_within(story.last(), finding.first_time, BURST)
        };
        let near = (0usize..).zip(&others).filter(|(_, story)| is_near(story) && story.goes_with(&joined));
        if let Some((position, _)) = near.max_by_key(|(position, story)| (story.last(), *position)) {
            joined.absorb(others.remove(position));
        }
        others.push(joined);
        self.going_on = others;
    }

    fn all(self) -> Vec<Group<'a>> {
        [self.over, self.going_on].concat()
    }
}

/// Puts stories of one holder together whose chief asset is the same: a slow drip is one incident.
fn chains<'a>(mut stories: Vec<Group<'a>>) -> Vec<Group<'a>> {
    stories.sort_by(|one, other| match (one.findings.first(), other.findings.first()) {
        (Some(one), Some(other)) => in_time(one, other),
        _ => std::cmp::Ordering::Equal,
    });
    let mut chains: Vec<Group<'a>> = Vec::new();
    let mut newest: BTreeMap<AssetKey, usize> = BTreeMap::new();
    for story in stories {
        let Some(key) = story.chief().map(asset_key) else { continue };
        let chain = newest.get(&key).copied().and_then(|position| chains.get_mut(position));
        match chain {
            Some(chain) if is_within(chain.last(), story.first(), AGAIN_WITHIN) => chain.absorb(story),
            _ => {
                newest.insert(key, chains.len());
                chains.push(story);
            }
        }
    }
    chains
}

/// By the Monday of the week of the last access, in the practice's zone.
fn by_week<'a>(groups: Vec<Group<'a>>, zone: &TimeZone) -> BTreeMap<Option<Date>, Vec<Group<'a>>> {
    let mut weeks: BTreeMap<Option<Date>, Vec<Group<'a>>> = BTreeMap::new();
    for group in groups {
        let monday = group.last().and_then(|at| monday_of(zone.to_datetime(at).date()));
        weeks.entry(monday).or_default().push(group);
    }
    weeks
}

fn monday_of(day: Date) -> Option<Date> {
    day.checked_sub(i64::from(day.weekday().since(Weekday::Monday)).days()).ok()
}

#[cfg(test)]
mod tests;
