//! From the inputs to the report: pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::coverage::{self, Interval, MachineCoverage, MachineInput, State};
use super::tally::GapSeen;
use super::text::{count, count_in_words, duration, list_of, moment, number, period, times};
use super::{
    AreaCount, Counted, FindingInput, Item, Line, Note, TITLE, Undecided, Verdict, WeekInput, WeeklyReport,
};
use crate::finding::{Finding, wording};
use crate::need_to_know::Judgement;
use crate::policy::Area;

/// Rows of the heat map; more accounts share the last one.
const HEAT_ROWS_MAX: usize = 12;
/// Paths shown per item.
const PATHS_MAX: usize = 3;

/// Makes the report of a week.
pub fn build(input: WeekInput) -> WeeklyReport {
    let (from, to) = input.week.bounds(&input.zone);
    let machines = machines(&input, from, to);
    let mut items: Vec<Item> = input.findings.iter().map(|finding| item(finding, &input.zone)).collect();
    items.sort_by(|one, other| {
        other
            .finding
            .urgency()
            .cmp(&one.finding.urgency())
            .then_with(|| one.finding.id.cmp(&other.finding.id))
    });
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
        verdict: verdict(&input, &items, &machines),
        break_glass: lines(&input.break_glass),
        tickets: lines(&input.tickets),
        gaps: tally.gaps.iter().map(|gap| gap_line(gap, &input.zone)).collect(),
        recording_changes: lines(&tally.recording_changes),
        changes: lines(&input.changes),
        previous_opens: lines(&input.previous_opens),
        could_not_see: could_not_see(&input, &machines),
        rights: lines(&tally.rights),
        areas: areas(&input),
        heat: tally.heat_rows(HEAT_ROWS_MAX),
        explained: counted(&tally.explained),
        n_explained: tally.n_explained,
        undecided: undecided(&input),
        unknown: counted(&tally.unknown),
        not_evaluated: counted(&tally.not_evaluated),
        n_recorded: tally.n_recorded,
        footer: input.footer.clone(),
        items,
        machines,
    }
}

fn verdict(input: &WeekInput, items: &[Item], machines: &[MachineCoverage]) -> Verdict {
    let n_items = u64::try_from(items.len()).unwrap_or(u64::MAX);
    let n_explained = input.tally.n_explained;
    let n_never = items.iter().filter(|item| item.finding.outcome == Judgement::Never).count();
    let explained = match n_explained {
        0 => String::new(),
        1 => " The one other recorded access or login is explained.".to_owned(),
        n => format!(" All {} other recorded accesses and logins are explained.", number(n)),
    };
    let is_blind = !machines.iter().any(|machine| machine.hours.contains(&State::Reporting));
    let sentence = match (n_items, n_explained) {
        (0, 0) if is_blind => {
            "No machine reported this week, so this page cannot say what happened.".to_owned()
        }
        (0, 0) => "Nothing needs your decision: no access to a protected area was recorded.".to_owned(),
        (0, 1) => "Nothing needs your decision: the one recorded access is explained.".to_owned(),
        (0, n) => format!(
            "Nothing needs your decision: all {} recorded accesses and logins are explained.",
            number(n)
        ),
        (n, _) => format!("{} your decision.{explained}", count_in_words(n, "item needs", "items need")),
    };
    let mut more = Vec::new();
    if n_never > 0 {
        more.push(match n_never {
            1 => "One of them is something that your table says never happens.".to_owned(),
            n => format!(
                "{} of them are things that your table says never happen.",
                count_in_words(n.try_into().unwrap_or(u64::MAX), "", "").trim()
            ),
        });
    }
    if n_items > 0 && items.iter().all(|item| item.finding.recorded) {
        more.push(
            "Every item comes from records that were played from a recording, not seen live.".to_owned(),
        );
    }
    for machine in machines {
        let silent = coverage::total(&machine.intervals, State::Silent);
        if !silent.is_zero() {
            more.push(format!("{} was running but did not report for {}.", machine.name, duration(silent)));
        }
    }
    if !input.tally.recording_changes.is_empty() {
        let n = times(input.tally.recording_changes.len());
        more.push(format!("Something was done to the recording itself {n}: see “What we could see”."));
    }
    if input.footer.self_check_passed == Some(false) {
        more.push("The ledger’s check of itself did not pass: see the end of this page.".to_owned());
    }
    Verdict { sentence, more, is_quiet: items.is_empty() }
}

fn item(input: &FindingInput, zone: &TimeZone) -> Item {
    let finding = &input.finding;
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    fact("When", when(finding, zone));
    let way = wording::way(finding).map(|way| format!(", {way}")).unwrap_or_default();
    let who = match (&finding.account, &finding.holder, finding.is_verified) {
        (Some(name), Some(holder), false) => {
            format!("the name {name} was typed; the account is held by {holder}")
        }
        (Some(account), Some(holder), true) => format!("{account}, held by {holder}{way}"),
        (Some(account), None, _) => format!("{account}, not in the roster{way}"),
        (None, _, false) => "names that are not in the roster were typed".to_owned(),
        (None, _, true) => format!("the record names no account{way}"),
    };
    fact("Account", who);
    let program =
        finding.way.program.as_ref().map(|program| format!(", by the program {program}")).unwrap_or_default();
    fact("What", format!("{}{program}", wording::what(finding)));
    if let Some(from) = &finding.way.from {
        fact("From", from.clone());
    }
    let reasons: Vec<_> = finding.reasons.iter().map(|reason| reason.sentence.clone()).collect();
    fact("Rule", if reasons.is_empty() { "nothing matched".to_owned() } else { reasons.join(" ") });
    if !finding.would_explain.is_empty() {
        fact("Would explain it", finding.would_explain.join("; or "));
    }
    if !finding.signals.is_empty() {
        let signals: Vec<_> = finding.signals.iter().map(|signal| signal.sentence.clone()).collect();
        fact("Unusual", signals.join(" "));
    }
    if let Some(candidates) = wording::candidates(finding) {
        fact("Who could have been", candidates);
    }
    if let Some(status) = &input.status {
        fact("So far", status.clone());
    }
    let records = format!(
        "{} of {}, first number {}, finding {}",
        count(finding.n_entries, "entry", "entries"),
        finding.author,
        finding.first_number,
        finding.id
    );
    let mut paths: Vec<String> = input.paths.iter().take(PATHS_MAX).cloned().collect();
    if input.paths.len() > PATHS_MAX {
        paths.push(format!("and {} more", input.paths.len() - PATHS_MAX));
    }
    Item {
        headline: wording::headline(finding),
        tag: wording::tag(finding).to_owned(),
        facts,
        records,
        paths,
        innocent_causes: finding.innocent_causes.clone(),
        not_shown: wording::not_shown(finding),
        finding: finding.clone(),
    }
}

fn when(finding: &Finding, zone: &TimeZone) -> String {
    match (finding.first_time, finding.last_time) {
        (Some(first), Some(last)) => period(first, last, zone),
        (Some(at), None) | (None, Some(at)) => moment(at, zone),
        (None, None) => "the time in the record cannot be read".to_owned(),
    }
}

fn machines(input: &WeekInput, from: Timestamp, to: Timestamp) -> Vec<MachineCoverage> {
    let mut known: Vec<MachineInput> = input.machines.clone();
    for name in input.tally.beats.keys() {
        if !known.iter().any(|machine| machine.name == *name) {
            let name = name.clone();
            known.push(MachineInput { name, enrolled_at: None, is_proved: false, silences: Vec::new() });
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
    let sentence = machine_sentence(machine, &intervals, &input.zone);
    MachineCoverage {
        name: machine.name.clone(),
        hours: coverage::per_hour(&intervals, from, to),
        days: coverage::minutes_per_day(&intervals, &input.week.day_starts(&input.zone)),
        intervals,
        sentence,
        is_proved: machine.is_proved,
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
    let proved = if machine.is_proved { "" } else { " Not proved by an on-site test." };
    format!("{}: {}.{silences}{proved}", machine.name, parts.join("; "))
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
    Line { when, sentence: format!("{}: {}{lost}.", gap.host, cause_in_words(&gap.cause)) }
}

/// Causes of gaps in words; a cause of a newer agent is shown as it came.
fn cause_in_words(cause: &str) -> String {
    match cause {
        "agent_restart" => "the agent was started again".to_owned(),
        "kernel_lost" => "the kernel dropped audit records".to_owned(),
        "queue_overflow" => "more records came than could be taken in".to_owned(),
        "spool_full" => "the agent’s disk space was full".to_owned(),
        "enobufs" => "the receive buffer was full".to_owned(),
        "damaged" | "damaged_input" => "damaged records could not be read".to_owned(),
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
    };
    notes.iter().map(line).collect()
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
