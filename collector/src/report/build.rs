//! From the inputs to the report: pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::coverage::{self, Interval, MachineCoverage, MachineInput, State};
use super::item::{item, settled};
use super::tally::{GapSeen, WeekTally};
use super::text::{count, duration, list_of, moment, period, times};
use super::trend::{Covered, TrendWeek};
use super::verdict::{Parts, verdict};
use super::{
    AreaCount, Counted, Item, Line, Matter, MatterLine, Note, Settled, TITLE, Undecided, WeekInput,
    WeeklyReport,
};
use crate::on_site::OnSite;
use crate::policy::Area;

/// Rows of the heat map; more accounts share the last one.
const HEAT_ROWS_MAX: usize = 12;

/// Makes the report of a week.
pub fn build(input: WeekInput) -> WeeklyReport {
    let (from, to) = input.week.bounds(&input.zone);
    let machines = machines(&input, from, to);
    let roster = &input.names;
    let (open, done): (Vec<_>, Vec<_>) =
        input.incidents.iter().partition(|incident| incident.state().is_undecided());
    let items: Vec<Item> = open.iter().filter_map(|incident| item(incident, &input.zone, roster)).collect();
    let settled: Vec<Settled> = done.iter().map(|incident| settled(incident, &input.zone, roster)).collect();
    let lines = |notes: &[Note]| lines(notes, &input.zone);
    let tally = &input.tally;
    WeeklyReport {
        title: TITLE.to_owned(),
        practice: input.practice.clone(),
        timezone: input.zone_name.clone(),
        week: input.week.to_string(),
        period: input.week.in_words(),
        from,
        to,
        made_at: input.made_at,
        made: moment(input.made_at, &input.zone),
        number: input.number,
        verdict: verdict(&input, &Parts { items: &items, settled: &settled, machines: &machines }),
        break_glass: matters(&input.break_glass, &input.zone),
        tickets: matters(&input.tickets, &input.zone),
        roster: input.roster.clone(),
        gaps: tally.gaps.iter().map(|gap| gap_line(gap, &input.zone)).collect(),
        recording_changes: lines(&tally.recording_changes),
        changes: lines(&input.changes),
        previous_opens: lines(&input.previous_opens),
        could_not_see: could_not_see(&input, &machines),
        rights: rights(tally, &input.zone),
        areas: areas(&input),
        heat: tally.heat_rows(HEAT_ROWS_MAX),
        trend: trend(&input, &machines),
        explained: counted(&tally.explained),
        n_explained: tally.n_explained,
        settled,
        undecided: undecided(&input),
        unknown: counted(&tally.unknown),
        not_evaluated: counted(&tally.not_evaluated),
        n_recorded: tally.n_recorded,
        n_imported: tally.n_imported,
        is_extract: input.is_extract,
        footer: input.footer.clone(),
        items,
        machines,
    }
}

/// Changes of rights, one by one; small ones that services tell of are counted.
fn rights(tally: &WeekTally, zone: &TimeZone) -> Vec<Line> {
    let mut told = lines(&tally.rights, zone);
    if tally.n_small_changes > 0 {
        let n = count(tally.n_small_changes, "other change", "other changes");
        let sentence =
            format!("{n} of accounts and settings: they open no way to mail, and stand among the entries.");
        told.push(Line { when: String::new(), sentence, is_prominent: false });
    }
    told
}

fn machines(input: &WeekInput, from: Timestamp, to: Timestamp) -> Vec<MachineCoverage> {
    let mut known: Vec<MachineInput> = input.machines.clone();
    for name in input.tally.beats.keys() {
        if !known.iter().any(|machine| machine.name == *name) {
            let name = name.clone();
            let on_site = OnSite::Never;
            known.push(MachineInput { name, enrolled_at: None, on_site, silences: Vec::new() });
        }
    }
    known.sort_by(|one, other| one.name.cmp(&other.name));
    // A report made before the week is over says nothing about what is still to come.
    let seen_to = to.min(input.made_at.max(from));
    known.iter().map(|machine| machine_coverage(input, machine, from, seen_to)).collect()
}

fn machine_coverage(
    input: &WeekInput,
    machine: &MachineInput,
    from: Timestamp,
    to: Timestamp,
) -> MachineCoverage {
    let mut beats = input.tally.beats.get(&machine.name).cloned().unwrap_or_default();
    beats.sort_by_key(|beat| beat.at);
    let mut intervals = coverage::intervals(&beats, from, to, machine.enrolled_at);
    for interval in &mut intervals {
        let told = input.tally.gaps.iter().find(|gap| gap.host == machine.name && overlaps(gap, interval));
        if let (None, State::Silent, Some(gap)) = (&interval.cause, interval.state, told) {
            interval.cause = Some(cause_in_words(&gap.cause));
        }
    }
    let intervals = coverage::overlay(intervals, &machine.silences);
    let mut sentence = machine_sentence(machine, &intervals, &input.zone);
    if let Some(off) = coverage::clock_off(&beats) {
        sentence = format!("{sentence} {off}");
    }
    MachineCoverage {
        name: machine.name.clone(),
        hours: coverage::per_hour(&intervals, from, to),
        days: coverage::minutes_per_day(&intervals, &input.week.day_starts(&input.zone)),
        intervals,
        sentence,
        is_proved: machine.on_site.is_proved(),
    }
}

fn overlaps(gap: &GapSeen, interval: &Interval) -> bool {
    let from = gap.from.or(gap.at);
    let to = gap.to.or(gap.at);
    from.zip(to).is_some_and(|(from, to)| from < interval.to && to > interval.from)
}

fn machine_sentence(machine: &MachineInput, intervals: &[Interval], zone: &TimeZone) -> String {
    let mut parts = Vec::new();
    let mut say = |state: State, before: &str, after: &str| {
        let length = coverage::total(intervals, state);
        if !length.is_zero() {
            parts.push(format!("{before}{}{after}", duration(length)));
        }
    };
    say(State::Reporting, "reporting ", "");
    say(State::Off, "switched off or asleep ", "");
    say(State::Silent, "running but silent ", "");
    say(State::Unknown, "", " without a report, and not known whether it was running");
    say(State::NotEnrolled, "not enrolled yet ", "");
    let silences: Vec<_> = intervals
        .iter()
        .filter(|interval| interval.state == State::Silent)
        .take(5)
        .map(|interval| {
            let cause = interval.cause.as_deref().unwrap_or("cause not known");
            format!("{}: {cause}", period(interval.from, interval.to, zone))
        })
        .collect();
    let silences =
        if silences.is_empty() { String::new() } else { format!(" Silent {}.", silences.join("; ")) };
    let proved = machine.on_site.sentence(zone);
    format!("{}: {}.{silences} {proved}", machine.name, parts.join("; "))
}

fn gap_line(gap: &GapSeen, zone: &TimeZone) -> Line {
    let when = match (gap.from, gap.to) {
        (Some(from), Some(to)) => period(from, to, zone),
        _ => gap.at.map(|at| moment(at, zone)).unwrap_or_default(),
    };
    let lost = match gap.lost {
        Some(0) => "; nothing was lost".to_owned(),
        Some(lost) => format!("; {} lost", count(lost, "record", "records")),
        None => "; how many records are missing is not known".to_owned(),
    };
    let sentence = format!("{}: {}{lost}.", gap.host, cause_in_words(&gap.cause));
    Line { when, sentence, is_prominent: false }
}

/// Causes of gaps in words; a cause of a newer agent is shown as it came.
pub(crate) fn cause_in_words(cause: &str) -> String {
    match cause {
        "agent_restart" => "the agent was started again".to_owned(),
        "kernel_lost" => "the kernel dropped audit records".to_owned(),
        "queue_overflow" => "more records came than could be taken in".to_owned(),
        "spool_full" => "the agent’s disk space was full".to_owned(),
        "enobufs" => "the receive buffer was full".to_owned(),
        "sensor_unfinished" => "the agent ended before a sensor had told everything".to_owned(),
        "damaged" | "damaged_input" => "damaged records could not be read".to_owned(),
        "export_truncated" => {
            "the file that was imported ends at the largest number of rows that an export has".to_owned()
        }
        "cells_cut" => "a spreadsheet had cut cells of the file that was imported".to_owned(),
        "import_damaged" => "records of the file that was imported could not be read".to_owned(),
        "mailbox_throttled" => {
            "the mail service stopped recording what was opened in a mailbox, for a day".to_owned()
        }
        other => other.replace('_', " "),
    }
}

fn could_not_see(input: &WeekInput, machines: &[MachineCoverage]) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut hosts_of: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (host, said) in &input.tally.cannot_see {
        for sentence in said {
            hosts_of.entry(sentence).or_default().push(host.clone());
        }
    }
    sentences.extend(hosts_of.iter().map(|(sentence, hosts)| format!("{}: {sentence}", list_of(hosts))));
    sentences.extend(input.imported.iter().cloned());
    if machines.is_empty() {
        sentences.push("No machine is enrolled, so nothing was seen.".to_owned());
    }
    if !input.tally.gaps.is_empty() {
        sentences
            .push(format!("Records were lost {}: the list stands above.", times(input.tally.gaps.len())));
    }
    let n_unknown: u64 = input.tally.unknown.values().sum();
    if n_unknown > 0 {
        let n = count(n_unknown, "field or word", "fields or words");
        sentences.push(format!("{n} of newer agents were kept but not understood."));
    }
    if input.made_at < input.week.bounds(&input.zone).1 {
        sentences.push("The report was made before the week was over.".to_owned());
    }
    if input.is_extract {
        sentences.push(
            "This review is of one case: other people’s accesses, tickets and usual weeks are left out."
                .to_owned(),
        );
    }
    for always in [
        "Machines that are not enrolled, and what is done on paper or by telephone.",
        "Who sat at the keyboard, and whether anyone read what was opened.",
        "A disk that was taken out, or a machine started from another medium.",
    ] {
        sentences.push(always.to_owned());
    }
    sentences
}

fn areas(input: &WeekInput) -> Vec<AreaCount> {
    let shown = |area: &&Area| input.tally.areas.contains_key(area) || input.medians.contains_key(area);
    let count = |area: &Area| AreaCount {
        area: *area,
        heading: area.heading().to_owned(),
        count: input.tally.areas.get(area).copied().unwrap_or(0),
        median: input.medians.get(area).copied(),
    };
    let is_news = |count: &AreaCount| count.count > 0 || count.median.is_some_and(|median| median > 0);
    Area::ALL.iter().filter(shown).map(count).filter(is_news).collect()
}

/// The weeks before and this one; nothing where there is nothing to compare with.
fn trend(input: &WeekInput, machines: &[MachineCoverage]) -> Vec<TrendWeek> {
    if input.earlier.is_empty() {
        return Vec::new();
    }
    let this = TrendWeek {
        week: input.week.to_string(),
        n_accesses: input.tally.areas.values().fold(0u64, |sum, n| sum.saturating_add(*n)),
        n_items: u64::try_from(input.incidents.len()).unwrap_or(u64::MAX),
        coverage_percent: Covered::of(machines).percent(),
    };
    input.earlier.iter().cloned().chain([this]).collect()
}

fn counted(counts: &BTreeMap<String, u64>) -> Vec<Counted> {
    let mut counted: Vec<_> = counts
        .iter()
        .map(|(sentence, count)| Counted { count: *count, sentence: sentence.clone() })
        .collect();
    counted.sort_by_key(|line| std::cmp::Reverse(line.count));
    counted
}

fn lines(notes: &[Note], zone: &TimeZone) -> Vec<Line> {
    let line = |note: &Note| Line {
        when: note.at.map(|at| moment(at, zone)).unwrap_or_default(),
        sentence: note.sentence.clone(),
        is_prominent: note.is_prominent,
    };
    notes.iter().map(line).collect()
}

fn matters(matters: &[Matter], zone: &TimeZone) -> Vec<MatterLine> {
    let line = |matter: &Matter| MatterLine {
        id: matter.id.clone(),
        when: matter.at.map(|at| moment(at, zone)).unwrap_or_default(),
        sentence: matter.sentence.clone(),
        is_to_decide: matter.is_to_decide,
    };
    matters.iter().map(line).collect()
}

fn undecided(input: &WeekInput) -> Vec<Undecided> {
    let mut open = input.undecided.clone();
    open.sort_by_key(|item| item.opened);
    let line = |item: &super::UndecidedInput| Undecided {
        id: item.id.clone(),
        headline: item.headline.clone(),
        age: duration(input.made_at.duration_since(item.opened)),
    };
    open.iter().map(line).collect()
}
