//! The report as one HTML page: inline style, inline drawings, no script, nothing from outside.
//!
//! Everything in the template is escaped by askama; only the drawings and the sentences with something to type
//! go in as they are, and they escape their own text.

use std::collections::BTreeMap;

use askama::Template;

use super::coverage::{DayMinutes, MachineCoverage, State};
use super::drawing::{Form, coverage_bars, escaped, heat_map};
use super::text::{list_of, number};
use super::week::Week;
use super::{Item, Settled, WeeklyReport, qr};
use crate::finding::Severity;
use crate::finding::step::FindingState;

/// Items that get a card of their own; the rest share a table.
const CARDS_MAX: usize = 8;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a WeeklyReport,
    cards: &'a [Item],
    rest: &'a [Item],
    heat: String,
    coverage: String,
    days: Vec<String>,
    calm: Vec<String>,
    administers: String,
    settled: String,
    machine_sentences: Vec<String>,
    qr: String,
}

/// The page; a template that cannot be filled is reported by the writer, never by half a page.
pub fn render_html(report: &WeeklyReport) -> String {
    let (cards, rest) = report.items.split_at(report.items.len().min(CARDS_MAX));
    let days = Week::parse(&report.week).map(Week::days).unwrap_or_default();
    let day_starts = day_starts(report);
    let drawn = |draw: &dyn Fn(Form) -> String| format!("{}{}", draw(Form::Wide), draw(Form::Narrow));
    let page = Page {
        report,
        cards,
        rest,
        heat: drawn(&|form| heat_map(&report.heat, form)),
        coverage: drawn(&|form| coverage_bars(&report.machines, &day_starts, form)),
        days: days.iter().map(|day| day.strftime("%A").to_string()).collect(),
        calm: calm(report),
        administers: administers(report),
        settled: settled(report),
        machine_sentences: machine_sentences(report),
        qr: qr::drawing(&report.footer.checkpoint),
    };
    // Writing to a String fails only where a template asks for what is not there, which the compiler checks.
    page.render().unwrap_or_default()
}

/// What was seen of each machine: the drawing, and a sentence each.
pub(crate) fn coverage(report: &WeeklyReport) -> (String, Vec<String>) {
    let starts = day_starts(report);
    let drawn = |form| coverage_bars(&report.machines, &starts, form);
    (format!("{}{}", drawn(Form::Wide), drawn(Form::Narrow)), machine_sentences(report))
}

/// The parts in which there is nothing to tell, in one line each.
fn calm(report: &WeeklyReport) -> Vec<String> {
    // A review of one case was not given all of these.
    let is_whole = !report.is_extract;
    let parts = [
        (report.break_glass.is_empty() && is_whole, "Break-glass was not used."),
        (
            report.tickets.is_empty() && is_whole,
            "No ticket was late, self-approved, broad, unused or expired.",
        ),
        (
            report.roster.new_items.is_empty() && report.roster.unknown_accounts.is_empty() && is_whole,
            "Every account seen has a holder; nothing new in the roster.",
        ),
        (report.rights.is_empty(), "No change of accounts, groups or rights was recorded."),
        (report.gaps.is_empty(), "No loss of records was reported."),
        (report.recording_changes.is_empty(), "Nothing was done to the recording itself."),
        (
            report.changes.is_empty(),
            "No change to the table, the roster, the passphrases or the machines was recorded.",
        ),
        (report.undecided.is_empty(), "No item of an earlier week is waiting."),
        (report.previous_opens.is_empty(), "No look at earlier reports or records was recorded."),
    ];
    parts.into_iter().filter(|(is_empty, _)| *is_empty).map(|(_, sentence)| sentence.to_owned()).collect()
}

/// How many of each: `2 expected, 1 escalated, 3 covered by an earlier answer`.
fn settled(report: &WeeklyReport) -> String {
    let n = |is_one: &dyn Fn(&Settled) -> bool| report.settled.iter().filter(|line| is_one(line)).count();
    let parts = [
        (n(&|line| !line.is_covered && line.state == FindingState::Expected), "expected"),
        (n(&|line| !line.is_covered && line.state == FindingState::Escalated), "escalated"),
        (n(&|line| line.is_covered), "covered by an earlier answer"),
    ];
    let parts: Vec<_> =
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    format!("{}. Nothing is asked about these; each can be opened again.", list_of(&parts))
}

/// `Northwind IT (host, network)`: who could have stopped records from being made.
fn administers(report: &WeeklyReport) -> String {
    let mut duties: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (what, who) in &report.footer.administers {
        duties.entry(who).or_default().push(what);
    }
    let parts: Vec<_> = duties.iter().map(|(who, what)| format!("{who} ({})", what.join(", "))).collect();
    parts.join("; ")
}

/// One sentence per machine; those that reported all week share one.
fn machine_sentences(report: &WeeklyReport) -> Vec<String> {
    let is_whole = |machine: &&MachineCoverage| {
        machine.is_proved && machine.intervals.iter().all(|interval| interval.state == State::Reporting)
    };
    let (whole, others): (Vec<_>, Vec<_>) = report.machines.iter().partition(is_whole);
    let mut sentences: Vec<_> = others.iter().map(|machine| machine.sentence.clone()).collect();
    let names: Vec<_> = whole.iter().map(|machine| machine.name.clone()).collect();
    if !names.is_empty() {
        let proved = if names.len() == 1 { "an on-site test" } else { "on-site tests" };
        sentences.push(format!("{}: reporting without a break, and proved by {proved}.", list_of(&names)));
    }
    sentences
}

fn day_starts(report: &WeeklyReport) -> Vec<jiff::Timestamp> {
    let week = Week::parse(&report.week).ok();
    let zone = jiff::tz::TimeZone::get(&report.timezone).ok();
    match week.zip(zone) {
        Some((week, zone)) => week.day_starts(&zone),
        None => vec![report.from, report.to],
    }
}

impl Page<'_> {
    /// A count with thousands apart.
    fn n(&self, count: &u64) -> String {
        number(*count)
    }

    fn sum(&self, hours: &[u64]) -> String {
        number(hours.iter().sum())
    }

    /// `24 h reporting`, `9 h 30 min reporting, 14 h 30 min off`.
    fn day(&self, minutes: &DayMinutes) -> String {
        let states = [
            (minutes.reporting, "reporting"),
            (minutes.off, "off"),
            (minutes.silent, "silent while running"),
            (minutes.unknown, "not known"),
        ];
        let parts: Vec<_> = states
            .into_iter()
            .filter(|(length, _)| *length > 0)
            .map(|(length, state)| match (length / 60, length % 60) {
                (hours, 0) => format!("{hours} h {state}"),
                (0, minutes) => format!("{minutes} min {state}"),
                (hours, minutes) => format!("{hours} h {minutes} min {state}"),
            })
            .collect();
        if parts.is_empty() { "–".to_owned() } else { parts.join(", ") }
    }

    fn is_never(&self, item: &Item) -> bool {
        item.incident.outcome == crate::need_to_know::Judgement::Never
    }

    fn is_urgent(&self, item: &Item) -> bool {
        item.incident.severity == Severity::Urgent
    }

    /// How far it is, where something was said about it.
    fn state(&self, item: &Item) -> Option<&'static str> {
        (item.state != FindingState::Open).then(|| item.state.in_words())
    }

    fn has_roster(&self) -> bool {
        let part = &self.report.roster;
        !part.new_items.is_empty() || !part.unknown_accounts.is_empty() || part.standing_permits.is_some()
    }

    /// Escaped, with what stands in backticks as something to type.
    fn code(&self, text: &str) -> String {
        let mut html = String::new();
        for (position, part) in text.split('`').enumerate() {
            let escaped = escaped(part);
            if position % 2 == 1 {
                html.push_str(&format!("<code>{escaped}</code>"));
            } else {
                html.push_str(&escaped);
            }
        }
        html
    }
}
