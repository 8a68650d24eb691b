//! Which incidents a review is about, with what has become of their findings. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::finding::Finding;
use crate::finding::incident::{Incident, incidents};
use crate::finding::step::{self, Explanation};
use crate::items::{Span, incidents_of};
use crate::report::{FindingInput, IncidentInput, UndecidedInput};
use crate::store::FindingRecord;

/// Some paths of each finding, by its id.
pub type Paths = BTreeMap<String, BTreeSet<String>>;

/// The incidents of a week, worst first, and those of earlier weeks that nobody has decided.
pub fn weigh(
    records: &[FindingRecord],
    paths: &Paths,
    week: Span,
    zone: &TimeZone,
) -> (Vec<IncidentInput>, Vec<UndecidedInput>) {
    let explained =
        step::explanations(records.iter().map(|record| (&record.finding, record.steps.as_slice())));
    let by_id: BTreeMap<&str, &FindingRecord> =
        records.iter().map(|record| (record.finding.id.as_str(), record)).collect();
    let input = |incident: Incident| IncidentInput {
        findings: incident
            .findings
            .iter()
            .filter_map(|id| by_id.get(id.as_str()))
            .map(|record| finding_input(record, &explained, paths))
            .collect(),
        incident,
    };
    let findings: Vec<Finding> = records.iter().map(|record| record.finding.clone()).collect();
    let here: Vec<IncidentInput> = incidents_of(&findings, week, zone).into_iter().map(input).collect();
    let told: BTreeSet<&str> =
        here.iter().flat_map(|input| &input.incident.findings).map(String::as_str).collect();
    let is_before = |finding: &&Finding| {
        !told.contains(finding.id.as_str()) && finding.last_time.is_some_and(|last| last < week.from)
    };
    let before: Vec<Finding> = findings.iter().filter(is_before).cloned().collect();
    let undecided = incidents(&before, zone).into_iter().map(input);
    let undecided = undecided.filter(|input| input.state().is_undecided()).filter_map(|input| {
        let Incident { id, headline, first_time, .. } = input.incident;
        Some(UndecidedInput { id, headline, opened: first_time? })
    });
    let undecided = undecided.collect();
    (here, undecided)
}

fn finding_input(record: &FindingRecord, explained: &[Explanation], paths: &Paths) -> FindingInput {
    let (state, covered) = step::standing(&record.finding, &record.steps, explained);
    FindingInput {
        state,
        covered: covered.cloned(),
        is_open: record.is_open,
        steps: record.steps.clone(),
        paths: paths.get(&record.finding.id).map(|paths| paths.iter().cloned().collect()).unwrap_or_default(),
        finding: record.finding.clone(),
    }
}
