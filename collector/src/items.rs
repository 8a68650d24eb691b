//! What a manager decides in one week: incidents, tickets that ask for a look, and what is new in the roster. Pure.
//!
//! The same function serves the review and the detection bench, so what the bench counts is what a manager gets.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::finding::Finding;
use crate::finding::incident::{Incident, incidents};
use crate::roster::{Roster, RosterItem, roster_items};

/// First moment of a week and first moment after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First moment.
    pub from: Timestamp,
    /// First moment after.
    pub to: Timestamp,
}

impl Span {
    /// Whether a moment lies in it.
    pub fn holds(self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// The incidents with something in the week, worst first, as they were known at its end: what began earlier and
/// goes on is one incident with its whole length.
pub fn incidents_of(findings: &[Finding], week: Span, zone: &TimeZone) -> Vec<Incident> {
    let known: Vec<Finding> = findings
        .iter()
        .filter(|finding| finding.first_time.is_none_or(|first| first < week.to))
        .cloned()
        .collect();
    let is_in_week = |id: &String| {
        let finding = known.iter().find(|finding| finding.id == *id);
        finding.is_some_and(|finding| finding.last_time.is_none_or(|last| last >= week.from))
    };
    let mut all = incidents(&known, zone);
    all.retain(|incident| incident.findings.iter().any(is_in_week));
    all
}

/// What the roster of today asks that the one before did not.
pub fn new_in_roster(before: &Roster, now: &Roster, week: Span, zone: &TimeZone) -> Vec<RosterItem> {
    let (first, last) = (zone.to_datetime(week.from).date(), zone.to_datetime(week.to).date());
    let known = roster_items(before, first);
    // Fewer people in the same matter are no news.
    let is_known = |item: &RosterItem| {
        let covers = |old: &&RosterItem| item.persons.iter().all(|id| old.persons.contains(id));
        known.contains(item)
            || !item.persons.is_empty()
                && known.iter().filter(|old| old.kind == item.kind).any(|old| covers(&old))
    };
    roster_items(now, last).into_iter().filter(|item| !is_known(item)).collect()
}
