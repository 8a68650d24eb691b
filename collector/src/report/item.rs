//! An incident as an item to decide, or as a line where that is done already.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::acts::in_name;
use super::text::{capitalise, count, list_of, moment, number, period};
use super::{FindingInput, IncidentInput, Item, Settled};
use crate::finding::step::{Choice, FindingState, Step, StepRecord};
use crate::finding::{Finding, wording};
use crate::need_to_know::Judgement;
use crate::roster::Roster;
use crate::signal::Weight;

/// Paths shown per item.
const PATHS_MAX: usize = 3;
/// So many different sentences of one kind an item shows.
const SENTENCES_MAX: usize = 5;
/// So many days are named; more are counted.
const DAYS_NAMED_MAX: usize = 5;
/// So much of a typed text is shown; `finding ID` tells the rest.
const TYPED_MAX: usize = 400;

impl IncidentInput {
    /// The least settled of its findings.
    pub fn state(&self) -> FindingState {
        self.findings.iter().map(|finding| finding.state).min().unwrap_or_default()
    }

    fn chief(&self) -> Option<&FindingInput> {
        let chief = self.findings.iter().find(|input| input.finding.id == self.incident.id);
        chief.or(self.findings.first())
    }

    fn all(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().map(|input| &input.finding)
    }

    /// What was said about it, each step once, in the order of the ledger.
    fn steps(&self) -> Vec<&StepRecord> {
        let mut steps: Vec<&StepRecord> = self.findings.iter().flat_map(|input| &input.steps).collect();
        steps.sort_by_key(|record| record.number);
        steps.dedup_by_key(|record| record.number);
        steps
    }
}

/// The item; none where an incident has no finding.
pub(super) fn item(input: &IncidentInput, zone: &TimeZone, roster: &Roster) -> Option<Item> {
    let (incident, chief) = (&input.incident, &input.chief()?.finding);
    let paths: Vec<String> = distinct(input.findings.iter().flat_map(|finding| finding.paths.clone()));
    let n_more = paths.len().saturating_sub(PATHS_MAX);
    let mut paths: Vec<String> = paths.into_iter().take(PATHS_MAX).collect();
    if n_more > 0 {
        paths.push(format!("and {n_more} more"));
    }
    Some(Item {
        headline: incident.headline.clone(),
        tag: wording::tag(chief).to_owned(),
        facts: facts(input, zone, roster),
        records: records(input, chief),
        paths,
        innocent_causes: distinct(input.all().flat_map(|finding| finding.innocent_causes.clone())),
        not_shown: shown(input.all().flat_map(wording::not_shown)),
        received_between: None,
        stands_for: stands_for(input),
        state: input.state(),
        incident: incident.clone(),
        finding: chief.clone(),
    })
}

fn facts(input: &IncidentInput, zone: &TimeZone, roster: &Roster) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            facts.push((name.to_owned(), value));
        }
    };
    fact("When", when(input, zone));
    fact("Account", shown(input.all().map(account)).join("; "));
    fact("What", what(input));
    let hosts = if input.incident.hosts.len() > 1 { list_of(&input.incident.hosts) } else { String::new() };
    fact("On", hosts);
    fact("From", shown(input.all().filter_map(|finding| finding.way.from.clone())).join(", "));
    let rules =
        shown(input.all().flat_map(|finding| finding.reasons.iter().map(|reason| reason.sentence.clone())));
    fact("Rule", if rules.is_empty() { "nothing matched".to_owned() } else { rules.join(" ") });
    fact(
        "Would explain it",
        shown(input.all().flat_map(|finding| finding.would_explain.clone())).join("; or "),
    );
    let mut signals: Vec<_> = input.all().flat_map(|finding| finding.signals.clone()).collect();
    signals.sort_by_key(|signal| std::cmp::Reverse(signal.weight == Weight::Raise));
    fact("Unusual", shown(signals.into_iter().map(|signal| signal.sentence)).join(" "));
    fact("Who could have been", shown(input.all().filter_map(wording::candidates)).join(" "));
    for record in input.steps() {
        if let Some((name, value)) = said(record, zone, roster) {
            fact(name, value);
        }
    }
    fact("So far", so_far(input));
    facts
}

fn when(input: &IncidentInput, zone: &TimeZone) -> String {
    let incident = &input.incident;
    let (first, last) = match (incident.first_time, incident.last_time) {
        (Some(first), Some(last)) => (first, last),
        (Some(at), None) | (None, Some(at)) => return moment(at, zone),
        (None, None) => return "the time in the record cannot be read".to_owned(),
    };
    if incident.days.len() < 2 || last.duration_since(first) < SignedDuration::from_hours(12) {
        return period(first, last, zone);
    }
    let days: Vec<Date> = incident.days.iter().filter_map(|day| day.parse().ok()).collect();
    let ends = format!("first {}, last {}", moment(first, zone), moment(last, zone));
    let n_days = count(incident.days.len(), "day", "days");
    if days.len() < 3 || days.len() > DAYS_NAMED_MAX {
        return format!("on {n_days}: {ends}");
    }
    let names: Vec<_> = days.iter().map(|day| day.strftime("%A %-d %B").to_string()).collect();
    format!("on {n_days}, {}: {ends}", list_of(&names))
}

/// Which account, and how it worked.
fn account(finding: &Finding) -> String {
    let way = wording::way(finding).map(|way| format!(", {way}")).unwrap_or_default();
    match (&finding.account, &finding.holder, finding.is_verified) {
        (Some(name), Some(holder), false) => {
            format!("the name {name} was typed; the account is held by {holder}")
        }
        (Some(account), Some(holder), true) => format!("{account}, held by {holder}{way}"),
        (Some(account), None, _) => format!("{account}, not in the roster{way}"),
        (None, _, false) => "names that are not in the roster were typed".to_owned(),
        (None, _, true) => format!("the record names no account{way}"),
    }
}

/// How much, by asset where there are several.
fn what(input: &IncidentInput) -> String {
    let mut assets: Vec<Finding> = Vec::new();
    for finding in input.all() {
        match assets.iter_mut().find(|have| have.asset.label == finding.asset.label) {
            Some(have) => add_deeds(have, finding),
            None => assets.push(finding.clone()),
        }
    }
    let is_one = assets.len() == 1;
    let lines = assets.iter().map(|asset| {
        let label = if is_one { String::new() } else { format!("{}: ", asset.asset.label) };
        format!("{label}{}", wording::what(asset))
    });
    let lines = shown(lines).join("; ");
    let programs = shown(input.all().filter_map(|finding| finding.way.program.clone()));
    let by = match programs.as_slice() {
        [] => String::new(),
        [one] => format!(", by the program {one}"),
        several => format!(", by the programs {}", list_of(several)),
    };
    capitalise(&format!("{lines}{by}"))
}

fn add_deeds(have: &mut Finding, other: &Finding) {
    for deed in &other.deeds {
        let is_same =
            |mine: &&mut crate::finding::Deed| (&mine.action, &mine.outcome) == (&deed.action, &deed.outcome);
        match have.deeds.iter_mut().find(is_same) {
            Some(mine) => mine.count = mine.count.saturating_add(deed.count),
            None => have.deeds.push(deed.clone()),
        }
    }
}

/// A step as name and value of a fact.
fn said(record: &StepRecord, zone: &TimeZone, roster: &Roster) -> Option<(&'static str, String)> {
    let at = |record: &StepRecord| moment(record.at, zone);
    let who = |by: &str, proof: &Option<String>| in_name(by, proof.as_deref(), roster);
    Some(match &record.step {
        Step::Asked { question, by, proof } => {
            ("Asked", format!("“{}”, {}, {}", typed(question), who(by, proof), at(record)))
        }
        Step::Answered { answer, given: Some(given), by, proof } => {
            let typed_in = if given.from == *by { String::new() } else { format!(", {}", who(by, proof)) };
            ("Answered", format!("“{}”, {}{typed_in}, {}", typed(answer), given.in_words(roster), at(record)))
        }
        Step::Answered { answer, by, proof, given: None } => {
            ("Answered", format!("“{}”, {}, {}", typed(answer), who(by, proof), at(record)))
        }
        Step::Decided { decision, because, by, proof, .. } => {
            let what = match decision {
                Choice::Expected => "expected",
                Choice::Escalated => "escalated",
                Choice::Open => "opened again",
            };
            ("Decided", format!("{what}, “{}”, {}, {}", typed(because), who(by, proof), at(record)))
        }
        Step::LateTicket { ticket } => (
            "Late ticket",
            format!("{ticket} was approved afterwards and would have covered this; it explains nothing."),
        ),
        Step::Acknowledged { break_glass, by } => (
            "Acknowledged",
            format!("break-glass {break_glass}, by {}, {}", super::acts::name(by, roster), at(record)),
        ),
    })
}

fn so_far(input: &IncidentInput) -> String {
    let mut parts = Vec::new();
    let was_expected = input.findings.iter().any(|finding| {
        let last = finding.steps.iter().rev().find_map(|record| match &record.step {
            Step::Decided { decision, .. } => Some(*decision),
            _ => None,
        });
        last == Some(Choice::Expected) && finding.state == FindingState::Open
    });
    if was_expected {
        parts.push("more was recorded after it was decided".to_owned());
    }
    let n_settled = input.findings.iter().filter(|finding| !finding.state.is_undecided()).count();
    if n_settled > 0 {
        let of = count(input.findings.len(), "finding", "findings");
        let verb = if n_settled == 1 { "is" } else { "are" };
        parts.push(format!("{n_settled} of its {of} {verb} decided or covered by an earlier answer"));
    }
    if input.findings.iter().any(|finding| finding.is_open) {
        parts.push("still going on when this was made".to_owned());
    }
    parts.join("; ")
}

fn stands_for(input: &IncidentInput) -> Option<String> {
    let (incident, n) = (&input.incident, input.findings.len());
    let open = format!("open with `ntk-collector finding {}`", incident.id);
    if incident.is_flood {
        let questions = count(incident.grouped, "question", "questions");
        let findings = count(n, "finding", "findings");
        return Some(format!(
            "So many small questions about one holder are shown as one, and that there are so many is a question of its own: stands for {questions} with {findings}; {open}."
        ));
    }
    (n > 1).then(|| format!("Stands for {n} findings: {open}."))
}

fn records(input: &IncidentInput, chief: &Finding) -> String {
    if input.findings.len() == 1 {
        return format!(
            "{} of {}, first number {}, finding {}",
            count(chief.n_entries, "entry", "entries"),
            chief.author,
            chief.first_number,
            chief.id
        );
    }
    let n_entries = input.all().fold(0u64, |sum, finding| sum.saturating_add(finding.n_entries));
    let authors = distinct(input.all().map(|finding| finding.author.clone()));
    format!(
        "{} of {}, findings {}",
        count(n_entries, "entry", "entries"),
        list_of(&authors),
        list_of(&shown(input.all().map(|finding| finding.id.clone())))
    )
}

/// The line of an incident that needs nothing any more.
pub(super) fn settled(input: &IncidentInput, zone: &TimeZone, roster: &Roster) -> Settled {
    let incident = &input.incident;
    let state = input.state();
    let covered = input.findings.iter().find_map(|finding| finding.covered.as_ref());
    let decided = input.steps().into_iter().rev().find_map(|record| match &record.step {
        Step::Decided { because, until, by, proof, .. } => {
            Some((because, until, in_name(by, proof.as_deref(), roster), record.at))
        }
        _ => None,
    });
    let day = |until: Timestamp| until.to_zoned(zone.clone()).strftime("%-d %B %Y").to_string();
    let (is_covered, sentence) = match (decided, covered) {
        (Some((because, until, who, at)), _) => {
            let until = until.filter(|_| state == FindingState::Expected && explains_ahead(input));
            let until = until.map(|until| format!(" The answer holds until {}.", day(until)));
            let what = capitalise(state.in_words());
            let text = format!("{what}: “{}”, {who}, {}.", typed(because), moment(at, zone));
            (false, text + &until.unwrap_or_default())
        }
        (None, Some(explanation)) => {
            let because = typed(&explanation.because);
            let who = super::acts::name(&explanation.by, roster);
            let text = format!(
                "Covered by the answer to {}: “{because}”, by {who}, until {}.",
                explanation.finding,
                day(explanation.until)
            );
            (true, text)
        }
        (None, None) => (false, format!("{}.", capitalise(state.in_words()))),
    };
    Settled { id: incident.id.clone(), headline: incident.headline.clone(), state, is_covered, sentence }
}

/// Whether an answer may speak of what is still to come: never of what the table calls never, or of break-glass.
fn explains_ahead(input: &IncidentInput) -> bool {
    input.all().all(|finding| finding.outcome != Judgement::Never && !finding.is_break_glass())
}

/// A text that somebody typed, as far as there is room.
fn typed(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= TYPED_MAX {
        return text;
    }
    text.chars().take(TYPED_MAX).chain(['…']).collect()
}

fn distinct(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for one in all {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    distinct
}

/// Each once, and how many more there are.
fn shown(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut shown = distinct(all);
    let n_more = shown.len().saturating_sub(SENTENCES_MAX);
    if n_more > 1 {
        shown.truncate(SENTENCES_MAX);
        shown.push(format!("{} more", number(u64::try_from(n_more).unwrap_or(u64::MAX))));
    }
    shown
}
