//! The whole week in one sentence, and what must be read with it.

use super::coverage::{self, MachineCoverage, State};
use super::text::{capitalise, count_in_words, duration, list_of, number, times};
use super::{Item, Settled, Verdict, WeekInput};
use crate::need_to_know::Judgement;

/// What the verdict speaks of.
pub(super) struct Parts<'a> {
    pub(super) items: &'a [Item],
    pub(super) settled: &'a [Settled],
    pub(super) machines: &'a [MachineCoverage],
}

/// The verdict.
pub(super) fn verdict(input: &WeekInput, parts: &Parts<'_>) -> Verdict {
    let n_tickets = input.tickets.iter().filter(|matter| matter.is_to_decide).count();
    let n_glasses = input.break_glass.iter().filter(|matter| matter.is_to_decide).count();
    let n_roster = input.roster.new_items.len();
    let n_items = long(parts.items.len() + n_tickets + n_glasses + n_roster);
    let sentence = sentence(input, parts, n_items);
    let mut more = Vec::new();
    if long(parts.items.len()) < n_items && n_items > 1 {
        more.push(made_of(&[
            (parts.items.len(), "question about accesses", "questions about accesses"),
            (n_glasses, "break-glass to acknowledge", "uses of break-glass to acknowledge"),
            (n_tickets, "ticket", "tickets"),
            (n_roster, "matter of the roster", "matters of the roster"),
        ]));
    }
    more.extend(of_the_items(parts.items, n_items == 1));
    let prominent = input.changes.iter().filter(|note| note.is_prominent);
    more.extend(prominent.map(|note| note.sentence.clone()));
    for machine in parts.machines {
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
    Verdict { sentence, more, is_quiet: n_items == 0 }
}

fn sentence(input: &WeekInput, parts: &Parts<'_>, n_items: u64) -> String {
    let n_explained = n_calmly_explained(input);
    let n_settled = long(parts.settled.len());
    let decided = match n_settled {
        0 => String::new(),
        1 => "one question was decided or covered by an earlier answer".to_owned(),
        n => {
            let n = count_in_words(n, "question", "questions").to_lowercase();
            format!("{n} were decided or covered by an earlier answer")
        }
    };
    if n_items > 0 {
        let needs = count_in_words(n_items, "item needs", "items need");
        let explained = match (n_explained, n_settled) {
            (0, 0) => String::new(),
            (0, _) => format!(" {}.", capitalise(&decided)),
            (1, 0) => " The one other recorded access or login is explained.".to_owned(),
            (n, 0) => format!(" All {} other recorded accesses and logins are explained.", number(n)),
            (1, _) => format!(" One other recorded access or login is explained; {decided}."),
            (n, _) => {
                format!(" {} other recorded accesses and logins are explained; {decided}.", number(n))
            }
        };
        return format!("{needs} your decision.{explained}");
    }
    let is_blind = !parts.machines.iter().any(|machine| machine.hours.contains(&State::Reporting));
    match (n_explained, n_settled) {
        (0, 0) if is_blind => {
            "No machine reported this week, so this page cannot say what happened.".to_owned()
        }
        (0, 0) => "Nothing needs your decision: no access to a protected area was recorded.".to_owned(),
        (0, _) => format!("Nothing needs your decision: {decided}."),
        (1, 0) => "Nothing needs your decision: the one recorded access is explained.".to_owned(),
        (1, _) => format!("Nothing needs your decision: one recorded access is explained, and {decided}."),
        (n, 0) => format!(
            "Nothing needs your decision: all {} recorded accesses and logins are explained.",
            number(n)
        ),
        (n, _) => format!(
            "Nothing needs your decision: {} recorded accesses and logins are explained, and {decided}.",
            number(n)
        ),
    }
}

/// What is explained and no question for all that.
fn n_calmly_explained(input: &WeekInput) -> u64 {
    let (from, to) = input.week.bounds(&input.zone);
    let findings = input.incidents.iter().flat_map(|incident| &incident.findings);
    let asked = findings.filter(|input| {
        let finding = &input.finding;
        finding.outcome == Judgement::Explained && finding.first_time.is_some_and(|at| from <= at && at < to)
    });
    let n_asked = asked.fold(0u64, |sum, input| sum.saturating_add(input.finding.n_accesses));
    input.tally.n_explained.saturating_sub(n_asked)
}

/// `These are two questions about accesses, one ticket and one matter of the roster.`
fn made_of(counts: &[(usize, &str, &str)]) -> String {
    let counted = counts.iter().filter(|(n, ..)| *n > 0);
    let parts: Vec<_> =
        counted.map(|(n, one, more)| count_in_words(long(*n), one, more).to_lowercase()).collect();
    format!("These are {}.", list_of(&parts))
}

fn of_the_items(items: &[Item], is_only: bool) -> Vec<String> {
    let mut sentences = Vec::new();
    match items.iter().filter(|item| item.incident.outcome == Judgement::Never).count() {
        0 => {}
        1 if is_only => sentences.push("It is something that your table says never happens.".to_owned()),
        1 => sentences.push("One of them is something that your table says never happens.".to_owned()),
        n => sentences.push(format!(
            "{} of them are things that your table says never happen.",
            count_in_words(long(n), "", "").trim()
        )),
    }
    if !items.is_empty() && items.iter().all(|item| item.finding.recorded) {
        let what = "comes from records that were played from a recording, not seen live.";
        sentences.push(format!("Every question about accesses {what}"));
    }
    sentences
}

fn long(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
