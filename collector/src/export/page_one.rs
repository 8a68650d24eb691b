//! Page one of a bundle's report: what was asked, each finding with its exhibit, entries and proof, coverage and
//! gaps, what else may explain it, what was changed in the 30 days before, the clocks, and what is withheld.
//!
//! RP-3: verbs come from the table; rows that speak for the person are in the range like all others.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use ntk_evidence::act;
use ntk_evidence::bundle::received::Received;
use ntk_evidence::bundle::wording;
use ntk_evidence::event::{Kind, TamperKind};
use serde::Serialize;

use super::rules::acts;
use super::{Part, Question};
use crate::finding::step::state;
use crate::finding::wording::{headline, not_shown, tag};
use crate::report::acts::change;
use crate::roster::Roster;
use crate::store::FindingRecord;
use crate::time_stamp::in_words;

/// How many findings are told one by one.
const FINDINGS_MAX: usize = 200;
/// How many gaps and moves of clocks are told one by one, each.
const LINES_MAX: usize = 50;

/// Page one as data: `page_one` of report.json.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct PageOne {
    /// What was asked, in one sentence.
    pub(super) question: String,
    /// Findings in the range, by time.
    pub(super) findings: Vec<Exhibit>,
    /// For each author, how many entries are shown and withheld.
    pub(super) rows: Vec<String>,
    /// What each record proves and does not show, for the verbs that occur.
    pub(super) verbs: Vec<String>,
    /// Gaps and tampering.
    pub(super) coverage: Vec<String>,
    /// What else may explain the findings.
    pub(super) alternatives: Vec<String>,
    /// Changes of roster, policy and leave dates in the 30 days before the range ends.
    pub(super) changes: Vec<String>,
    /// Until when somebody outside the collector is known to have seen the log.
    pub(super) provable_up_to: Vec<String>,
    /// What is known of the machines' clocks.
    pub(super) clocks: Vec<String>,
    /// What is withheld or absent.
    pub(super) withheld: Vec<String>,
}

/// One finding and where its proof lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Exhibit {
    /// Its number in this bundle.
    pub(super) exhibit: usize,
    /// Id of the finding.
    pub(super) finding: String,
    /// Its sentence.
    pub(super) sentence: String,
    /// How it stands: decided how, or not.
    pub(super) state: String,
    /// Author and numbers of its entries.
    pub(super) entries: String,
    /// File that holds them.
    pub(super) file: String,
    /// Note and proof that cover them.
    pub(super) proof: String,
    /// Between which times of the authority they came into the log.
    pub(super) received: String,
    /// What the records do not show.
    pub(super) not_shown: Vec<String>,
}

/// Makes page one out of what is shown.
pub(super) fn page_one(
    question: &Question,
    parts: &[Part],
    findings: &[FindingRecord],
    roster: &Roster,
    received: &Received,
    provable: &[String],
    not_included: &[String],
) -> PageOne {
    let whose = question.person.as_deref().map_or_else(
        || "every account".to_owned(),
        |id| {
            roster
                .person(id)
                .map_or_else(|| format!("account {id}"), |person| format!("the accounts of {}", person.name))
        },
    );
    let mut page = PageOne {
        question: format!(
            "Case {}: what did the computers record of {whose} from {} to {}?",
            question.case, question.from, question.to
        ),
        ..PageOne::default()
    };
    page.exhibits(question, parts, findings, received);
    page.provable_up_to = provable.to_vec();
    page.rows_and_verbs(parts);
    page.changes(question, parts, roster);
    page.withheld = not_included.to_vec();
    page
}

impl PageOne {
    fn exhibits(
        &mut self,
        question: &Question,
        parts: &[Part],
        findings: &[FindingRecord],
        received: &Received,
    ) {
        let wanted = question.person.as_deref();
        let mut of_case: Vec<&FindingRecord> = findings
            .iter()
            .filter(|record| {
                let finding = &record.finding;
                let is_theirs = finding.person.as_deref().or(finding.account.as_deref());
                let begins = finding.first_time.is_none_or(|at| at <= question.to);
                let ends = finding.last_time.is_none_or(|at| at >= question.from);
                (wanted.is_none() || is_theirs == wanted) && begins && ends
            })
            .collect();
        of_case.sort_by_key(|record| (record.finding.first_time, record.finding.id.clone()));
        let more = of_case.len().saturating_sub(FINDINGS_MAX);
        for (exhibit, record) in (1usize..).zip(of_case.iter().take(FINDINGS_MAX)) {
            let finding = &record.finding;
            let part = parts.iter().find(|part| part.author.to_string() == finding.author);
            let of_part = |say: fn(&Part) -> String| {
                part.map_or_else(|| "outside the range of this bundle".to_owned(), say)
            };
            self.findings.push(Exhibit {
                exhibit,
                finding: finding.id.clone(),
                sentence: format!("{} ({})", headline(finding), tag(finding)),
                state: state(finding, &record.steps).in_words().to_owned(),
                entries: format!(
                    "{} {} to {}, {} entries",
                    finding.author, finding.first_number, finding.last_number, finding.n_entries
                ),
                file: of_part(|part| ntk_evidence::bundle::entries_path(&part.author)),
                proof: of_part(|part| format!("{}, {}", part.range.note, part.range.proof)),
                received: part.map_or_else(String::new, |part| {
                    let of = |number| received.bracket(&part.author, number);
                    in_words(of(finding.first_number).not_before, of(finding.last_number).not_after)
                }),
                not_shown: not_shown(finding),
            });
            for cause in &finding.innocent_causes {
                let line = format!("Exhibit {exhibit}: {cause}");
                if !self.alternatives.contains(&line) {
                    self.alternatives.push(line);
                }
            }
        }
        if more > 0 {
            self.alternatives.push(format!("{more} more findings are in the acts and not listed here"));
        }
    }

    fn rows_and_verbs(&mut self, parts: &[Part]) {
        let mut verbs: BTreeMap<&'static str, (u64, &'static str)> = BTreeMap::new();
        let (mut gaps, mut moved) = (Vec::new(), Vec::new());
        for part in parts {
            let shown = part.rows.iter().filter(|row| row.is_disclosed()).count();
            let withheld = part.rows.len().saturating_sub(shown);
            self.rows.push(format!(
                "{}: entries {} to {}, {shown} shown, {withheld} withheld behind their hashes, none missing",
                part.author,
                part.range.first,
                part.range.size.saturating_sub(1)
            ));
            for row in &part.rows {
                let Ok(Some(event)) = row.event() else { continue };
                if act::is_act(&event.kind) {
                    continue;
                }
                let verb = verbs.entry(wording::verb(&event)).or_insert((0, wording::does_not_show(&event)));
                verb.0 = verb.0.saturating_add(1);
                let line = || {
                    format!(
                        "{} {}, {}: {}",
                        part.author,
                        row.number(),
                        event.time,
                        wording::message(&event, super::preview::computer(&part.author))
                    )
                };
                let is_clock =
                    event.tamper.as_ref().is_some_and(|tamper| tamper.what == TamperKind::ClockChanged);
                match event.kind {
                    Kind::Tamper if is_clock => moved.push(line()),
                    Kind::Gap | Kind::Tamper => gaps.push(line()),
                    _ => {}
                }
                if let Some(ahead) = event.health.as_ref().and_then(|health| health.clock_ahead_ms)
                    && ahead.unsigned_abs() > 2_000
                {
                    moved.push(format!(
                        "{} {}: the computer's clock was {} s {} the collector's",
                        part.author,
                        row.number(),
                        ahead.unsigned_abs() / 1000,
                        if ahead > 0 { "ahead of" } else { "behind" }
                    ));
                }
            }
        }
        self.verbs = verbs
            .into_iter()
            .map(|(verb, (count, not))| format!("{verb} ({count}): does not show {not}"))
            .collect();
        let none = "No gap and no touch of the recording stands in the rows shown.";
        self.coverage = cut(gaps, none);
        self.clocks =
            cut(moved, "No clock that was moved, and none more than 2 s off, stands in the rows shown.");
        self.clocks.push("Times are those of each computer's own clock; order is by number.".to_owned());
    }

    fn changes(&mut self, question: &Question, parts: &[Part], roster: &Roster) {
        let since = question.to.checked_sub((30 * 24).hours()).unwrap_or(question.to).min(question.from);
        let since = since.checked_sub((30 * 24).hours()).unwrap_or(since);
        for (number, event) in acts(parts) {
            let is_rule = matches!(
                event.kind.as_str(),
                act::kind::ROSTER
                    | act::kind::POLICY
                    | act::kind::DEPARTURE
                    | act::kind::REVIEWER
                    | act::kind::ACCOUNT
                    | act::kind::CONFIGURATION
            );
            let at = event.time.parse::<Timestamp>().ok();
            if !is_rule || at.is_some_and(|at| at < since || at > question.to) {
                continue;
            }
            if let Some(note) = change(&event, at, roster) {
                self.changes.push(format!("{} (act {number}): {}", event.time, note.sentence));
            }
        }
        if self.changes.is_empty() {
            self.changes.push(
                "Nothing in roster, table or leave dates was changed in that time, in the acts shown."
                    .to_owned(),
            );
        }
    }

    /// The page as a section of report.html.
    pub(super) fn html(&self) -> String {
        let list = |items: &[String]| -> String {
            let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escaped(item))).collect();
            format!("<ul>\n{items}</ul>\n")
        };
        let mut out = format!(
            "<section id=\"page-one\" aria-labelledby=\"p1\">\n<h2 id=\"p1\">Page one</h2>\n<p class=\"verdict\">{}</p>\n<h3>Findings</h3>\n",
            escaped(&self.question)
        );
        if self.findings.is_empty() {
            out.push_str("<p>No finding lies in this range.</p>\n");
        }
        for exhibit in &self.findings {
            out.push_str(&format!(
                "<p><b>Exhibit {}.</b> {} <i>{}.</i><br>Entries: {}, in {}.<br>Proof: {}.<br>{}<br>The records do not show: {}</p>\n",
                exhibit.exhibit,
                escaped(&exhibit.sentence),
                escaped(&exhibit.state),
                escaped(&exhibit.entries),
                escaped(&exhibit.file),
                escaped(&exhibit.proof),
                escaped(&exhibit.received),
                escaped(&exhibit.not_shown.join(" "))
            ));
        }
        for (title, items) in [
            ("Provable up to", &self.provable_up_to),
            ("Coverage and gaps", &self.coverage),
            ("What is shown", &self.rows),
            ("What these records prove", &self.verbs),
            ("What else may explain it", &self.alternatives),
            ("Roster, table and leave dates in the 30 days before, and since", &self.changes),
            ("Clocks", &self.clocks),
            ("Withheld or absent", &self.withheld),
        ] {
            if !items.is_empty() {
                out.push_str(&format!("<h3>{title}</h3>\n{}", list(items)));
            }
        }
        out.push_str("</section>\n");
        out
    }
}

fn cut(mut lines: Vec<String>, none: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    match (lines.is_empty(), more) {
        (true, _) => lines.push(none.to_owned()),
        (false, 0) => {}
        (false, more) => lines.push(format!("and {more} more; see timeline.csv")),
    }
    lines
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
