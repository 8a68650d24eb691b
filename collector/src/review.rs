//! Gathers what a weekly review is made of: entries of the week and of those before, findings, tickets, the
//! roster, machines, acts, the footer.
//!
//! The entries are read once: the week with some days on both sides, and before it the weeks that say what is
//! usual and which programs work by themselves. Each is decided again under the rules of its time.

pub mod incidents;
mod pass;
mod paths;
mod silences;
mod stamps;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_evidence::name::Author;
use ntk_evidence::time::Moment;
use ntk_evidence::trust::{TrustFile, custodian, retired, succession};
use ntk_evidence::words;

use crate::at_rest;
use crate::baseline::Survey;
use crate::finding::Finding;
use crate::finding::step::Step;
use crate::follow::Lookup;
use crate::follow::answer::{Seen, store_error};
use crate::items::{Span, incidents_of, new_in_roster};
use crate::ledger::LedgerError;
use crate::ledger::writer::Published;
use crate::on_site::OnSite;
use crate::practice::Practice;
use crate::program::Runs;
use crate::report::coverage::MachineInput;
use crate::report::matters::{break_glass, roster_part, tickets};
use crate::report::trend::{Covered, TrendWeek};
use crate::report::usual::UsualWeeks;
use crate::report::week::Week;
use crate::report::{Footer, Note, RosterPart, WeekInput, WeeklyReport, build};
use crate::roster::Roster;
use crate::store::{FindingRecord, StoreError};
use crate::ticket::items::{Period, Usage};
use crate::time_stamp::Stamps;
use crate::witness::Until;
use incidents::weigh;
use pass::Pass;
use paths::paths_of;

/// Health entries of the days beyond both edges tell "off" from "not known" there.
const MARGIN_NS: i64 = 3 * 86_400 * 1_000_000_000;

/// Which entries and findings go into a review; all where absent.
pub type Filter<'a> = Option<&'a dyn Fn(&Seen<'_>) -> bool>;

/// Makes the review of a week; its footer names the published checkpoint that is passed in.
pub fn review(
    practice: &Practice,
    lookup: &Lookup,
    published: &Published,
    trust: &TrustFile,
    made_at: Timestamp,
    week: Week,
    only: Filter<'_>,
) -> Result<WeeklyReport, LedgerError> {
    let zone = lookup.zone().clone();
    let (from, to) = week.bounds(&zone);
    let span = Span { from, to };
    let records = lookup.store().findings().map_err(store_error)?;
    let (roster, policy) = lookup.rules_now()?;
    let first_leaf = lookup.store().leaf(0).map_err(store_error)?;
    let ledger_since = first_leaf.map(|leaf| leaf.received());
    // What is usual for a practice says nothing about one case.
    let usual = UsualWeeks::before(week, &zone, ledger_since.filter(|_| only.is_none()));
    let survey = only.is_none().then(|| Survey::new(made_at.min(to), ledger_since));
    let mut pass = Pass::new(week, &zone, &roster, &records, usual, survey);
    let since = pass.since().map_or(i64::MAX, nanos).min(nanos(from).saturating_sub(MARGIN_NS));
    let read_to = nanos(to).saturating_add(MARGIN_NS);
    match only {
        None => {
            lookup.rolled(since, read_to, |seen| pass.observe(&seen, true))?;
            pass.paths = paths_of(lookup, &records, span)?;
        }
        Some(only) => lookup.events(since, read_to, |seen| pass.observe_shown(&seen, only(&seen)))?,
    }
    // A machine that was set up anew is one machine, known since its first enrolment.
    let mut known: BTreeMap<String, MachineInput> = BTreeMap::new();
    for (author, machine) in &published.registry.machines {
        let name = machine_name(author);
        let enrolled: Option<Timestamp> = machine.enrolled.parse().ok();
        let one = known.entry(name.clone()).or_insert_with(|| MachineInput {
            name,
            enrolled_at: enrolled,
            on_site: OnSite::Never,
            silences: Vec::new(),
        });
        one.enrolled_at =
            one.enrolled_at.map_or(enrolled, |since| enrolled.map(|enrolled| enrolled.min(since)));
        one.silences.extend(pass.silences.of(author, made_at));
    }
    for machine in known.values_mut() {
        machine.on_site = on_site(lookup, published, &machine.name, to)?;
    }
    let machines: Vec<_> = known.into_values().collect();
    let is_shown = |record: &FindingRecord| only.is_none() || pass.paths.contains_key(&record.finding.id);
    let records: Vec<FindingRecord> = records.iter().filter(|record| is_shown(record)).cloned().collect();
    let (incidents, undecided) = weigh(&records, &pass.paths, span, &zone);
    let mut uses = lookup.store().ticket_uses().map_err(store_error)?;
    add_late(&mut uses, &records);
    let book = lookup.tickets_now()?;
    let period = Period { roster: &roster, terms: policy.tickets(), from, to, now: made_at };
    let is_of_case = |id: &str| only.is_none() || pass.rested.ids().contains(id);
    let mut glasses = break_glass(&book, &uses, &pass.rested, period, &zone);
    glasses.retain(|matter| is_of_case(&matter.id));
    let mut tickets = tickets(&book, &uses, period);
    tickets.retain(|matter| is_of_case(&matter.id));
    let roster_part = match pass.survey {
        None => RosterPart::default(),
        Some(survey) => {
            let (before, after) = (roster_at(lookup, from)?, roster_at(lookup, to)?);
            let new = new_in_roster(&before, &after, span, &zone).into_iter().map(|item| item.sentence);
            let today = zone.to_datetime(made_at.min(to)).date();
            let programs = survey.finish(&roster, today).proposals;
            roster_part(new.collect(), &pass.accounts.finish(&roster), &programs, &roster)
        }
    };
    let today = zone.to_datetime(made_at).date();
    let standing = match only {
        // One case says nothing about how the practice stands.
        Some(_) => Vec::new(),
        None => {
            let mut standing = published.registry.people.sentences(&roster, made_at, today);
            standing.extend(programs(lookup, published, trust)?);
            standing
        }
    };
    let standing =
        standing.into_iter().map(|(sentence, is_prominent)| Note { at: None, sentence, is_prominent });
    let alarms = pass.alarms.notes().into_iter().map(|note| Note { is_prominent: true, ..note });
    let stamps = pass.stamps;
    let input = WeekInput {
        practice: practice.config.raw.practice.clone(),
        zone_name: practice.config.raw.timezone.clone(),
        zone: zone.clone(),
        week,
        made_at,
        number: None,
        tally: pass.tally,
        machines,
        incidents,
        undecided,
        break_glass: glasses,
        tickets,
        roster: roster_part,
        changes: standing.chain(alarms).chain(pass.waiting.notes()).chain(pass.changes).collect(),
        previous_opens: pass.looks.notes(),
        medians: pass.usual.medians(),
        earlier: earlier(&pass.usual, &records, &zone, from),
        imported: published.registry.imported.in_words(&zone),
        is_extract: only.is_some(),
        footer: Footer {
            log_size: published.checkpoint.checkpoint.size,
            root: published.checkpoint.checkpoint.root.to_base64(),
            checkpoint: published.checkpoint.checkpoint.text(),
            words: words::of_checkpoint(&published.checkpoint.checkpoint.text())
                .split(' ')
                .map(str::to_owned)
                .collect(),
            first_entry: pass.first,
            last_entry: pass.last.map(|(_, name)| name),
            practice_words: trust.practice_words(),
            policy_hash: policy.hash().to_owned(),
            roster_version: roster.version().to_owned(),
            self_check_passed: pass.self_check.as_ref().map(|(passed, ..)| *passed),
            self_check: self_check_in_words(pass.self_check, made_at.min(to)),
            at_rest: at_rest::sentence(&practice.home)
                .unwrap_or("How the ledger is kept is not known.")
                .to_owned(),
            provable_until: provable(published.registry.witnessed.until(trust), &zone),
            outside: outside(practice, published, &zone),
            time_stamps: time_stamps_in_words(&published.registry.stamps, practice, made_at, &zone),
            custodians: [
                custodian::in_words(&trust.custodians),
                succession::in_words(&trust.succeeded, &trust.practice_key),
                retired::in_words(&trust.retired, &trust.recovery),
            ]
            .join(" ")
            .trim_end()
            .replace("  ", " "),
            place: crate::place::Place::said(practice.config.raw.place).to_owned(),
            administers: practice.config.raw.administers.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        names: roster,
    };
    let mut report = build(input);
    stamps.tell(lookup, read_to, &mut report.items)?;
    let removed = lookup.removed(nanos(from), nanos(to))?;
    if removed > 0 {
        report.could_not_see.push(format!(
            "The entries of {removed} batches of this week were removed after retention: what they said is told by acts alone."
        ));
    }
    Ok(report)
}

/// The weeks before, with the questions of each as they would be counted now.
fn earlier(
    usual: &UsualWeeks,
    records: &[FindingRecord],
    zone: &TimeZone,
    until: Timestamp,
) -> Vec<TrendWeek> {
    let findings: Vec<Finding> = records.iter().map(|record| record.finding.clone()).collect();
    let week = |(week, n_accesses, covered): (Week, u64, Covered)| {
        let (from, to) = week.bounds(zone);
        let incidents = incidents_of(&findings, Span { from, to }, zone);
        TrendWeek {
            week: week.to_string(),
            n_accesses,
            n_items: u64::try_from(incidents.len()).unwrap_or(u64::MAX),
            coverage_percent: covered.percent(),
        }
    };
    usual.weeks(until).into_iter().map(week).collect()
}

/// The machine's name, the same for all that were enrolled there.
pub(crate) fn machine_name(author: &str) -> String {
    let parsed = Author::parse(author).ok();
    parsed.as_ref().and_then(Author::machine).unwrap_or(author).to_owned()
}

/// What on-site tests have proved of a machine up to a moment. Where it was set up anew, only its newest log counts.
pub(crate) fn on_site(
    lookup: &Lookup,
    published: &Published,
    name: &str,
    until: Timestamp,
) -> Result<OnSite, LedgerError> {
    let of_machine = published.registry.machines.iter().filter(|(author, _)| machine_name(author) == name);
    let Some((author, _)) = of_machine.max_by_key(|(_, machine)| machine.act) else {
        return Ok(OnSite::Never);
    };
    let marks = lookup.store().marks(author, u64::MAX).map_err(store_error)?;
    Ok(OnSite::of(&marks, nanos(until)))
}

/// Machines that run a program which nobody announced, or which was withdrawn, for as long as they do.
fn programs(
    lookup: &Lookup,
    published: &Published,
    trust: &TrustFile,
) -> Result<Vec<(String, bool)>, LedgerError> {
    let known = published.registry.programs.known(trust);
    let mut sentences = Vec::new();
    for (author, machine) in &published.registry.machines {
        if known.is_empty() || machine.revoked.is_some() {
            continue;
        }
        let said = lookup.store().health(author).map_err(store_error)?;
        let sha256 = said.and_then(|said| said.health.binary_sha256);
        let marks = lookup.store().marks(author, u64::MAX).map_err(store_error)?;
        let runs = Runs::of(&known, sha256.as_deref(), &marks);
        if runs.is_to_be_replaced() {
            sentences.push((format!("{}: {}", machine_name(author), runs.in_words(lookup.zone())), true));
        }
    }
    Ok(sentences)
}

/// The last self-check and its age: the ledger verifies itself daily, so an old one is said first.
fn self_check_in_words(last: Option<(bool, String, Option<Timestamp>)>, now: Timestamp) -> String {
    let Some((_, said, at)) = last else {
        return "THE COLLECTOR HAS NOT CHECKED ITS LEDGER, as far as this review can see.".to_owned();
    };
    let hours = at.map_or(0, |at| now.duration_since(at).as_hours());
    if hours >= 48 {
        format!("NOT CHECKED FOR {} DAYS. The last time: {said}", hours.div_euclid(24))
    } else {
        said
    }
}

/// The roster in force at a moment: that of the acts received before it.
fn roster_at(lookup: &Lookup, at: Timestamp) -> Result<Roster, LedgerError> {
    let found = || -> Result<Option<String>, StoreError> {
        let store = lookup.store();
        // Leaves are numbered in the order of their receipt.
        let (mut low, mut high) = (0u64, lookup.reached().0);
        while low < high {
            let middle = low.midpoint(high);
            let is_before = store.leaf(middle)?.is_some_and(|leaf| leaf.received() < at);
            if is_before { low = middle.saturating_add(1) } else { high = middle }
        }
        store.roster_before(low)
    };
    let text = found().map_err(store_error)?;
    // A text in the ledger that this version cannot read never came into force here either.
    Ok(text.and_then(|text| Roster::parse(&text).ok()).unwrap_or_default())
}

/// A moment by the practice's clocks, with the year: a footer is read long afterwards.
fn there(at: &str, zone: &TimeZone) -> String {
    let Ok(moment) = at.parse::<Timestamp>() else { return at.to_owned() };
    moment.to_zoned(zone.clone()).strftime("%A %-d %B %Y, %H:%M (%Z)").to_string()
}

/// "Provable up to": the newest time at which somebody remembered the log.
fn provable(until: Until, zone: &TimeZone) -> String {
    let text = |moment: Option<Moment>| moment.map(|at| there(&at.to_rfc3339(0), zone));
    match (text(until.inside), text(until.outside)) {
        (inside, Some(outside)) => {
            let inside = inside.map_or_else(String::new, |at| format!(" (inside, by the computers of the committee, until {at})"));
            format!(
                "Provable up to {outside}, when a witness outside the building cosigned the log{inside}: nothing before that can be changed without being noticed. What came later rests on the computers inside and on this page."
            )
        }
        (Some(inside), None) => format!(
            "Provable up to {inside} by the computers of the committee alone; no witness outside the building has cosigned a checkpoint: whoever administers all of them and the collector could still rewrite what no printed page holds. Keep this page."
        ),
        (None, None) => "Provable up to no time: nobody outside the collector has cosigned a checkpoint of this ledger yet. Whoever administers the collector and every agent could still rewrite what no printed page or outside witness holds. Keep this page.".to_owned(),
    }
}

/// The copy outside, as the acts tell of it.
fn outside(practice: &Practice, published: &Published, zone: &TimeZone) -> String {
    let recorded = published.registry.off_site.clone().unwrap_or_default();
    let copied = recorded.copied.map(|copied| there(&copied, zone));
    let config = practice.current();
    let Some(target) = &config.off_site else {
        return "No copy of this ledger is made outside this machine: if it is lost or wiped, what agents still keep is all there is.".to_owned();
    };
    match (recorded.failing_since, copied) {
        (Some(_), Some(copied)) => {
            format!("THE COPY OUTSIDE FAILS: nothing reached {target} since {copied}.")
        }
        (Some(_), None) => format!("THE COPY OUTSIDE FAILS: nothing has ever reached {target}."),
        (None, Some(copied)) => format!(
            "A copy outside this machine ({target}) was last added to {copied}; it holds the log up to {} leaves and is readable with the recovery key alone.",
            recorded.log_size
        ),
        (None, None) => {
            format!("A copy outside this machine is set up ({target}), and nothing has been copied yet.")
        }
    }
}

/// What a time-stamping authority outside has seen of the log, in one sentence.
fn time_stamps_in_words(stamps: &Stamps, practice: &Practice, made_at: Timestamp, zone: &TimeZone) -> String {
    let config = practice.current();
    let Some(settings) = &config.time_stamps else {
        let before = stamps
            .newest
            .as_ref()
            .map(|newest| format!(" The last time-stamp is of {}.", there(&newest.time, zone)));
        return format!("No time-stamping authority is configured.{}", before.unwrap_or_default());
    };
    let Some(newest) = &stamps.newest else {
        return "NO TIME-STAMP YET: the time-stamping authority has not stamped this log.".to_owned();
    };
    let by = newest.authority.as_deref().unwrap_or("a time-stamping authority");
    let recorded: Option<Timestamp> = newest.recorded.parse().ok();
    // Two were missed, and not only because one is just being asked for.
    let late = settings.every_seconds.saturating_mul(2).saturating_add(600);
    let is_late = recorded.is_none_or(|at| made_at.duration_since(at).as_secs() > late);
    if is_late {
        format!("NO TIME-STAMP SINCE {}, from {by}: see `ntk-collector status`.", there(&newest.time, zone))
    } else {
        format!(
            "{by} stamped the log at size {} on {} by its own clock.",
            newest.size,
            there(&newest.time, zone)
        )
    }
}

fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}

/// What was reached before a ticket was approved: it stands as a step on its finding.
fn add_late(uses: &mut BTreeMap<String, Usage>, records: &[FindingRecord]) {
    for record in records {
        for step in &record.steps {
            if let Step::LateTicket { ticket } = &step.step {
                let usage = uses.entry(ticket.clone()).or_default();
                usage.n_before_approval = usage.n_before_approval.saturating_add(record.finding.n_accesses);
            }
        }
    }
}

#[cfg(test)]
mod tests;
