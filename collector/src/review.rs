//! Gathers what a weekly review is made of: entries of the week, findings, machines, acts, the footer.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::words;
use serde_json::Value;

use crate::finding::wording;
use crate::follow::Lookup;
use crate::follow::answer::Seen;
use crate::ledger::LedgerError;
use crate::ledger::writer::Published;
use crate::practice::Practice;
use crate::report::coverage::MachineInput;
use crate::report::tally::WeekTally;
use crate::report::week::Week;
use crate::report::{FindingInput, Footer, Note, UndecidedInput, WeekInput, WeeklyReport, build};
use crate::store::FindingRecord;

/// How many paths of a finding a report shows.
const PATHS_MAX: usize = 8;
/// Health entries of the days beyond both edges tell "off" from "not known" there.
const MARGIN_NS: i64 = 3 * 86_400 * 1_000_000_000;

/// Which entries and findings go into a review.
pub type Filter<'a> = &'a dyn Fn(&Seen<'_>) -> bool;

/// Makes the review of a week; its footer names the published checkpoint that is passed in.
pub fn review(
    practice: &Practice,
    lookup: &Lookup,
    published: &Published,
    made_at: Timestamp,
    week: Week,
    only: Filter<'_>,
) -> Result<WeeklyReport, LedgerError> {
    let zone = lookup.zone().clone();
    let (from, to) = week.bounds(&zone);
    let (from_ns, to_ns) = (nanos(from), nanos(to));
    let mut tally = WeekTally::new(week, &zone);
    let mut gathered = Gathered::default();
    let findings = lookup.store().findings().map_err(crate::follow::answer::store_error)?;
    let numbers = numbers_of(&findings);
    lookup.events(from_ns.saturating_sub(MARGIN_NS), to_ns.saturating_add(MARGIN_NS), |seen| {
        let at = seen.access.local.map(|local| local.at);
        if act::is_act(&seen.event.kind) {
            if at.is_some_and(|at| at >= from && at < to) {
                gathered.act(seen.event, at);
            }
        } else if only(&seen) {
            tally.observe(seen.access, seen.decision);
            gathered.entry(&seen, &numbers);
        }
    })?;
    let machines = published.registry.machines.iter().map(|(author, machine)| MachineInput {
        name: author.strip_prefix("agent/").unwrap_or(author).to_owned(),
        enrolled_at: machine.enrolled.parse().ok(),
        is_proved: false,
        silences: Vec::new(),
    });
    let (roster, policy) = lookup.rules_now()?;
    let (in_week, before): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .filter(|record| record.finding.first_time.is_none_or(|at| at < to))
        .partition(|record| record.finding.last_time.is_none_or(|at| at >= from));
    let seen_here = |record: &FindingRecord| gathered.findings.contains_key(&record.finding.id);
    let input = WeekInput {
        practice: practice.config.raw.practice.clone(),
        zone_name: practice.config.raw.timezone.clone(),
        zone: zone.clone(),
        week,
        made_at,
        number: None,
        tally,
        machines: machines.collect(),
        undecided: before
            .iter()
            .filter_map(|record| {
                let opened = record.finding.first_time?;
                Some(UndecidedInput {
                    id: record.finding.id.clone(),
                    headline: wording::headline(&record.finding),
                    opened,
                })
            })
            .collect(),
        findings: in_week
            .into_iter()
            .filter(seen_here)
            .map(|record| FindingInput {
                paths: gathered
                    .findings
                    .get(&record.finding.id)
                    .map(|paths| paths.iter().cloned().collect())
                    .unwrap_or_default(),
                status: record.is_open.then(|| "still going on when this was made".to_owned()),
                finding: record.finding,
            })
            .collect(),
        break_glass: Vec::new(),
        tickets: Vec::new(),
        changes: gathered.changes,
        previous_opens: gathered.opens,
        medians: BTreeMap::new(),
        footer: Footer {
            log_size: published.checkpoint.checkpoint.size,
            root: published.checkpoint.checkpoint.root.to_base64(),
            words: words::of_checkpoint(&published.checkpoint.checkpoint.text())
                .split(' ')
                .map(str::to_owned)
                .collect(),
            first_entry: gathered.first,
            last_entry: gathered.last,
            practice_words: practice.trust.practice_words(),
            policy_hash: policy.hash().to_owned(),
            roster_version: roster.version().to_owned(),
            self_check_passed: gathered.self_check.as_ref().map(|(passed, _)| *passed),
            self_check: gathered.self_check.map_or_else(
                || "The collector has not checked its whole ledger this week.".to_owned(),
                |(_, said)| said,
            ),
            provable_until: provable(&practice.trust.outside, &gathered.witnessed),
            administers: practice.config.raw.administers.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
    };
    Ok(build(input))
}

fn provable(outside: &[ntk_evidence::note::VerifierKey], witnessed: &BTreeSet<String>) -> String {
    let inside = if witnessed.is_empty() {
        "No checkpoint of this ledger has been kept outside the collector and its agents yet".to_owned()
    } else {
        format!("Checkpoints are remembered by {} agents", witnessed.len())
    };
    let outer = if outside.is_empty() {
        "no outside witness is set up"
    } else {
        "see the trust file for outside witnesses"
    };
    format!(
        "{inside}; {outer}: whoever administers the collector and every agent could still rewrite what no printed page or outside witness holds. Keep this page."
    )
}

#[derive(Default)]
struct Gathered {
    changes: Vec<Note>,
    opens: Vec<Note>,
    self_check: Option<(bool, String)>,
    witnessed: BTreeSet<String>,
    findings: BTreeMap<String, BTreeSet<String>>,
    first: Option<String>,
    last: Option<String>,
}

impl Gathered {
    fn act(&mut self, event: &Event, at: Option<Timestamp>) {
        let body = act::body(event).cloned().unwrap_or(Value::Null);
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut change = |sentence: String| self.changes.push(Note { at, sentence });
        match event.kind.as_str() {
            act::kind::ROSTER => {
                let said = text("change");
                change(if said.is_empty() { "A roster came into force.".into() } else { said })
            }
            act::kind::POLICY => change("A need-to-know table came into force.".into()),
            act::kind::ENROLMENT => {
                change(format!("The machine {} was enrolled.", text("author").trim_start_matches("agent/")))
            }
            act::kind::REVOCATION => {
                change(format!("The machine {} was revoked.", text("author").trim_start_matches("agent/")))
            }
            act::kind::EXPORT => self.opens.push(Note {
                at,
                sentence: format!("An evidence bundle was made for case {}.", text("case")),
            }),
            act::kind::VIEWED => self.opens.push(Note {
                at,
                sentence: format!("{} were looked at from the command line.", capital(&text("what"))),
            }),
            act::kind::REPORT_MADE => self
                .opens
                .push(Note { at, sentence: format!("The review of week {} was made.", text("week")) }),
            act::kind::SELF_CHECK => {
                let passed = body.get("passed").and_then(Value::as_bool).unwrap_or(false);
                self.self_check = Some((passed, text("sentence")));
            }
            _ => {}
        }
    }

    fn entry(&mut self, seen: &Seen<'_>, numbers: &BTreeMap<(String, u64), Vec<String>>) {
        let name = format!("{} {} ({})", seen.record.author, seen.access.number, seen.event.time);
        self.first.get_or_insert_with(|| name.clone());
        self.last = Some(name);
        let key = (seen.record.author.clone(), seen.access.number);
        for id in numbers.get(&key).into_iter().flatten() {
            let paths = self.findings.entry(id.clone()).or_default();
            if let Some(path) = seen
                .event
                .object
                .as_ref()
                .and_then(|object| object.path.clone())
                .filter(|_| paths.len() < PATHS_MAX)
            {
                paths.insert(path);
            }
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Which findings an entry belongs to, as far as they list their entries.
fn numbers_of(findings: &[FindingRecord]) -> BTreeMap<(String, u64), Vec<String>> {
    let mut numbers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in findings {
        for number in &record.finding.numbers {
            numbers
                .entry((record.finding.author.clone(), *number))
                .or_default()
                .push(record.finding.id.clone());
        }
    }
    numbers
}

fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}
