//! What a usual week looks like: accesses to each area in the eight weeks before, and their median.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::coverage::Beat;
use super::trend::{Covered, Running};
use super::week::Week;
use crate::need_to_know::{Access, Decision};
use crate::policy::Area;

/// How many weeks are looked at.
pub const WEEKS: i32 = 8;
/// Fewer weeks than this are not called usual.
const WEEKS_MIN: usize = 4;

/// Counts of the weeks before one.
#[derive(Clone, Debug)]
pub struct UsualWeeks {
    weeks: Vec<Counted>,
    running: Running,
}

#[derive(Clone, Debug)]
struct Counted {
    week: Week,
    from: Timestamp,
    to: Timestamp,
    n_entries: u64,
    areas: BTreeMap<Area, u64>,
}

impl UsualWeeks {
    /// The weeks before `week`, of which only those count that began when the ledger was there already.
    pub fn before(week: Week, zone: &TimeZone, ledger_since: Option<Timestamp>) -> Self {
        let weeks = (1..=WEEKS).map(|n| {
            let week = week.earlier(n);
            let (from, to) = week.bounds(zone);
            Counted { week, from, to, n_entries: 0, areas: BTreeMap::new() }
        });
        let is_whole = |week: &Counted| ledger_since.is_some_and(|since| since <= week.from);
        let weeks: Vec<_> = weeks.filter(is_whole).collect();
        let running = Running::of(weeks.iter().map(|week| (week.from, week.to)));
        Self { weeks, running }
    }

    /// The first moment that counts; none where no week does.
    pub fn since(&self) -> Option<Timestamp> {
        self.weeks.iter().map(|week| week.from).min()
    }

    /// Takes in one entry.
    pub fn observe(&mut self, access: &Access<'_>, decision: &Decision) {
        let Some(at) = access.local.map(|local| local.at) else { return };
        if let Some(health) = &access.event.health {
            self.running.observe(access.host, Beat::of(at, health));
        }
        let Some(week) = self.weeks.iter_mut().find(|week| week.from <= at && at < week.to) else { return };
        week.n_entries = week.n_entries.saturating_add(access.entries);
        if let (Some(_), Some(asset)) = (&decision.who, &decision.asset) {
            let n = week.areas.entry(asset.area).or_default();
            *n = n.saturating_add(access.n_accesses());
        }
    }

    /// The weeks that count, the oldest first: each with its accesses and what its machines reported by `until`.
    pub fn weeks(&self, until: Timestamp) -> Vec<(Week, u64, Covered)> {
        let covered = self.running.clone().finish(until);
        let of_week = |week: &Counted| {
            let n = week.areas.values().fold(0u64, |sum, n| sum.saturating_add(*n));
            (week.week, n, covered.get(&week.from).copied().unwrap_or_default())
        };
        self.weeks.iter().rev().map(of_week).collect()
    }

    /// The median of each area; a week from which nothing came says nothing about a usual one.
    pub fn medians(&self) -> BTreeMap<Area, u64> {
        let weeks: Vec<_> = self.weeks.iter().filter(|week| week.n_entries > 0).collect();
        if weeks.len() < WEEKS_MIN {
            return BTreeMap::new();
        }
        let median = |area: &Area| {
            let mut counts: Vec<u64> =
                weeks.iter().map(|week| week.areas.get(area).copied().unwrap_or(0)).collect();
            counts.sort_unstable();
            let at = |position: usize| counts.get(position).copied().unwrap_or(0);
            let (low, high) = (at(counts.len().saturating_sub(1) / 2), at(counts.len() / 2));
            (*area, low.midpoint(high))
        };
        Area::ALL.iter().map(median).filter(|(_, n)| *n > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::roster::Roster;
    use crate::ticket::Tickets;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(ledger_since: &str, counts: &[u64], expected: Option<u64>) {
        let zone = TimeZone::get("America/New_York").unwrap();
        let roster = Roster::parse(include_str!("../../templates/roster-example.toml")).unwrap();
        let policy = Policy::parse(Policy::template("small-practice").unwrap()).unwrap();
        let week = Week::parse("2026-W47").unwrap();
        let mut usual = UsualWeeks::before(week, &zone, Some(at(ledger_since)));
        for (n, count) in (1i32..).zip(counts) {
            let (from, _) = week.earlier(n).bounds(&zone);
            let json = format!(
                r#"{{"kind":"file_access","time":"{from}","count":{count},"action":"read","outcome":"success",
                "actor":{{"login_uid":1005,"login_user":"frontdesk1","confidence":"kernel"}},"object":{{"class":"ehr"}}}}"#
            );
            let event = serde_json::from_str(&json).unwrap();
            let access = Access::new("agent/reception-2", "reception-2", 7, &event, &zone);
            let decision = crate::need_to_know::decide(&access, &roster, &policy, &Tickets::default());
            usual.observe(&access, &decision);
        }
        assert_eq!(usual.medians().get(&Area::Ehr).copied(), expected);
    }

    #[test]
    fn the_median_is_of_whole_weeks_with_entries() {
        check("2026-01-01T00:00:00Z", &[9, 1, 5, 100, 7, 3, 2, 8], Some(6));
        check("2026-01-01T00:00:00Z", &[9, 1, 5, 100, 7], Some(7));
        check("2026-01-01T00:00:00Z", &[9, 1, 5], None);
        // The weeks of the clock change and before were not whole: the ledger began within them.
        check("2026-10-21T00:00:00Z", &[9, 1, 5, 100, 7, 3, 2, 8], None);
        check("2026-10-19T04:00:00Z", &[9, 1, 5, 100, 7, 3, 2, 8], Some(7));
    }

    #[test]
    fn nothing_is_read_where_no_week_is_whole() {
        let week = Week::parse("2026-W47").unwrap();
        assert_eq!(UsualWeeks::before(week, &TimeZone::UTC, None).since(), None);
        let old = UsualWeeks::before(week, &TimeZone::UTC, Some(at("2020-01-01T00:00:00Z")));
        assert_eq!(old.since(), Some(at("2026-09-21T00:00:00Z")));
    }
}
