//! An incident in words: one to three sentences, from those of its findings.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Group, Incident, asset_key, monday_of, severity, weight};
use crate::finding::{Finding, Severity, wording};
use crate::report::text::{capitalise, count, list_of, times};

/// Assets that a headline names; it counts the others.
const NAMED_MAX: usize = 5;

/// What comes first among incidents: weight of the chief finding, whether it stands alone, how much there is.
pub(super) type Rank = (super::FindingWeight, bool, u64);

/// The incident of a group.
pub(super) fn incident(group: &Group<'_>, zone: &TimeZone) -> (Incident, Rank) {
    let facts = Facts::of(group, zone);
    let chief = group.chief();
    let headline = chief.map(|chief| headline(group, chief, zone)).unwrap_or_default();
    made(group, facts, headline, 0)
}

/// One item for many small incidents.
pub(super) fn flood(groups: &[Group<'_>], zone: &TimeZone) -> (Incident, Rank) {
    let mut all = Group::default();
    for group in groups {
        all.absorb(group.clone());
    }
    let facts = Facts::of(&all, zone);
    let week = all.last().and_then(|at| monday_of(zone.to_datetime(at).date()));
    let when =
        week.map(|monday| format!(" in the week of {}", monday.strftime("%-d %B"))).unwrap_or_default();
    let n = u64::try_from(groups.len()).unwrap_or(u64::MAX);
    let headline = format!(
        "{}: {}{when}, shown as one because they are so many: {}.",
        facts.who,
        count(n, "separate question", "separate questions"),
        assets_counted(&all)
    );
    let (mut incident, mut rank) = made(&all, facts, headline, n);
    // That there are so many is a question of its own.
    incident.severity = incident.severity.max(Severity::Normal);
    rank.0.0 = rank.0.0.max(Severity::Normal);
    incident.is_flood = true;
    (incident, rank)
}

fn made(group: &Group<'_>, facts: Facts, headline: String, grouped: u64) -> (Incident, Rank) {
    let chief = group.chief();
    let n_accesses = group.findings.iter().fold(0u64, |sum, finding| sum.saturating_add(finding.n_accesses));
    let heaviest = chief
        .map(weight)
        .unwrap_or_else(|| (Severity::Low, crate::need_to_know::Judgement::Explained, false, false, false));
    let incident = Incident {
        id: chief.map(|chief| chief.id.clone()).unwrap_or_default(),
        findings: group.findings.iter().map(|finding| finding.id.clone()).collect(),
        person: chief.and_then(|chief| chief.person.clone()),
        account: chief.and_then(|chief| chief.account.clone()),
        who: facts.who,
        severity: group.severity(),
        outcome: heaviest.1,
        headline,
        n_accesses,
        first_time: group.first(),
        last_time: group.last(),
        days: facts.days.iter().map(ToString::to_string).collect(),
        hosts: facts.hosts.into_iter().collect(),
        assets: facts.assets,
        is_flood: false,
        grouped,
    };
    (incident, (heaviest, grouped == 0, n_accesses))
}

struct Facts {
    who: String,
    days: BTreeSet<Date>,
    hosts: BTreeSet<String>,
    assets: Vec<String>,
}

impl Facts {
    fn of(group: &Group<'_>, zone: &TimeZone) -> Self {
        let mut assets: Vec<String> = Vec::new();
        for finding in &group.findings {
            if !assets.contains(&finding.asset.label) {
                assets.push(finding.asset.label.clone());
            }
        }
        Self {
            who: group.chief().map(who).unwrap_or_default(),
            days: days(group.findings.iter().copied(), zone),
            hosts: group.findings.iter().map(|finding| finding.host.clone()).collect(),
            assets,
        }
    }
}

fn days<'a>(findings: impl Iterator<Item = &'a Finding>, zone: &TimeZone) -> BTreeSet<Date> {
    let times = findings.flat_map(|finding| [finding.first_time, finding.last_time]);
    times.flatten().map(|at| zone.to_datetime(at).date()).collect()
}

/// Who, for the beginning of a sentence.
fn who(finding: &Finding) -> String {
    match (&finding.holder, &finding.account) {
        _ if !finding.is_verified => format!("Names typed at logins to {}", finding.host),
        (Some(holder), _) => capitalise(holder),
        (None, Some(account)) => format!("Account {account} on {}, which is not in the roster", finding.host),
        (None, None) => format!("Accounts that the records of {} do not name", finding.host),
    }
}

fn headline(group: &Group<'_>, chief: &Finding, zone: &TimeZone) -> String {
    let mut text = wording::headline(chief);
    let is_same = |finding: &&&Finding| asset_key(finding) == asset_key(chief);
    let same: Vec<&Finding> = group.findings.iter().filter(is_same).copied().collect();
    let days = days(same.iter().copied(), zone);
    if let (Some(first), Some(last), true) = (days.first(), days.last(), days.len() > 1) {
        let n_accesses = same.iter().fold(0u64, |sum, finding| sum.saturating_add(finding.n_accesses));
        let year = if first.year() == last.year() { "%-d %B" } else { "%-d %B %Y" };
        text.push_str(&format!(
            " This happened on {} days since {}, {} in all.",
            days.len(),
            first.strftime(year),
            count(n_accesses, "access", "accesses")
        ));
    }
    let mut others: Vec<String> = Vec::new();
    for finding in &group.findings {
        if asset_key(finding) != asset_key(chief) && !others.contains(&finding.asset.label) {
            others.push(finding.asset.label.clone());
        }
    }
    if !others.is_empty() {
        text.push_str(&format!(" Close to it in time: {}.", named(others)));
    }
    text
}

/// `the exports twice and logging in on ws-01 12 times`, gravest first, then rarest.
fn assets_counted(group: &Group<'_>) -> String {
    let mut counted: BTreeMap<&str, (Severity, usize)> = BTreeMap::new();
    for finding in &group.findings {
        let (gravest, n) = counted.entry(&finding.asset.label).or_default();
        *gravest = if *n == 0 { severity(finding) } else { severity(finding).max(*gravest) };
        *n = n.saturating_add(1);
    }
    let mut counted: Vec<_> = counted.into_iter().collect();
    counted.sort_by(|(one, (its, n)), (other, (others, more))| {
        others.cmp(its).then(n.cmp(more)).then(one.cmp(other))
    });
    named(counted.into_iter().map(|(label, (_, n))| format!("{label} {}", times(n))).collect())
}

fn named(mut labels: Vec<String>) -> String {
    if labels.len() > NAMED_MAX.saturating_add(1) {
        let n_more = labels.len().saturating_sub(NAMED_MAX);
        labels.truncate(NAMED_MAX);
        labels.push(format!("{n_more} more"));
    }
    list_of(&labels)
}
