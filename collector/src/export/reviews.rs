//! The report of a bundle with its page one, and the weekly reviews: as they were made, or made again and labelled so.
//!
//! A review that was sent names everybody of its week. So it goes into a bundle as it was made only where everybody is
//! asked about and nothing is blacked out; otherwise it is made again of the entries that are shown.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::bundle;
use ntk_evidence::bundle::bag::{Bag, sha256_hex};
use serde_json::{Value, json};

use super::page_one::PageOne;
use super::rules::acts;
use super::shown::Shown;
use super::{ExportError, Part};
use ntk_evidence::trust::TrustFile;

use crate::follow::Lookup;
use crate::follow::answer::Seen;
use crate::ledger::LedgerError;
use crate::ledger::writer::Published;
use crate::practice::Practice;
use crate::report::WeeklyReport;
use crate::report::html::render_html;
use crate::report::week::Week;
use crate::review::review;

/// How many weeks' reviews are put in.
const REVIEWS_MAX: usize = 60;
/// How large one kept file may be, bytes.
const REVIEW_BYTES_MAX: u64 = 8 << 20;

/// What reviews are made of.
pub(super) struct Reviewed<'a> {
    /// The trust file in force.
    pub(super) trust: &'a TrustFile,
    pub(super) practice: &'a Practice,
    pub(super) lookup: &'a Lookup,
    pub(super) published: &'a Published,
    pub(super) now: Timestamp,
    pub(super) shown: &'a Shown<'a>,
}

impl Reviewed<'_> {
    /// The review of the last week of the question's time, of the entries that are shown alone, with page one.
    pub(super) fn report(&self, bag: &mut Bag, page: &PageOne) -> Result<(), ExportError> {
        let last = Week::of(self.shown.question.to.min(self.now), self.lookup.zone());
        let report = self.made_again(last)?;
        let mut value = serde_json::to_value(&report)?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("page_one".to_owned(), serde_json::to_value(page)?);
        }
        let html = render_html(&report);
        let html = match html.split_once("<main>") {
            Some((head, rest)) => format!("{head}<main>\n{}{rest}", page.html()),
            None => html,
        };
        bag.insert(bundle::REPORT_JSON, serde_json::to_vec_pretty(&value)?)?;
        bag.insert(bundle::REPORT_HTML, html)?;
        Ok(())
    }

    /// The weekly reviews that the acts speak of; what was left out, in sentences.
    pub(super) fn weekly(&self, bag: &mut Bag, parts: &[Part]) -> Result<Vec<String>, ExportError> {
        let (zone, question) = (self.lookup.zone(), self.shown.question);
        let weeks: BTreeSet<Week> = acts(parts)
            .filter(|(_, event)| event.kind.as_str() == act::kind::REPORT_MADE)
            .filter_map(|(_, event)| {
                Week::parse(act::body(&event)?.get("week").and_then(Value::as_str)?).ok()
            })
            .filter(|week| {
                let (from, to) = week.bounds(zone);
                to > question.from && from <= question.to
            })
            .collect();
        let more = weeks.len().saturating_sub(REVIEWS_MAX);
        let is_whole = question.shows_everything();
        let mut index = String::new();
        for week in weeks.into_iter().rev().take(REVIEWS_MAX) {
            let kept = if is_whole { self.kept(week) } else { Vec::new() };
            let is_kept = !kept.is_empty();
            let files = if is_kept {
                kept
            } else {
                let report = self.made_again(week)?;
                let html = render_html(&report);
                let json = serde_json::to_vec_pretty(&report)?;
                vec![
                    (format!("{week}-made-again.html"), html.into_bytes()),
                    (format!("{week}-made-again.json"), json),
                ]
            };
            for (name, bytes) in files {
                let label = if is_kept {
                    "as it was made"
                } else {
                    "made again for this bundle, of the entries shown"
                };
                let line = json!({"file": name, "week": week.to_string(), "label": label, "sha256": sha256_hex(&bytes)});
                index.push_str(&format!("{line}\n"));
                bag.insert(&format!("{}{name}", bundle::REVIEWS), bytes)?;
            }
        }
        if !index.is_empty() {
            bag.insert(&format!("{}index.jsonl", bundle::REVIEWS), index)?;
        }
        Ok(if more == 0 {
            Vec::new()
        } else {
            vec![format!("reviews of {more} earlier weeks are not put in")]
        })
    }

    fn made_again(&self, week: Week) -> Result<WeeklyReport, LedgerError> {
        let shown = self.shown;
        let of_case = |seen: &Seen<'_>| {
            let who = seen.decision.who.as_ref();
            let person = who.and_then(|who| who.person.clone().or_else(|| who.account.clone()));
            shown.entry(seen.event, person.as_deref(), seen.access.local.map(|local| local.at))
        };
        let mut report =
            review(self.practice, self.lookup, self.published, self.trust, self.now, week, Some(&of_case))?;
        if shown.question.redact_paths {
            report.items.iter_mut().for_each(|item| item.paths.clear());
        }
        Ok(report)
    }

    /// The files of a week in the collector's folder of reviews.
    fn kept(&self, week: Week) -> Vec<(String, Vec<u8>)> {
        let prefix = format!("{week}-");
        let Ok(listed) = std::fs::read_dir(self.practice.home.path("reports")) else { return Vec::new() };
        let mut found: Vec<(String, Vec<u8>)> = listed
            .flatten()
            .filter_map(|file| {
                let name = file.file_name().into_string().ok()?;
                let fits = file.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= REVIEW_BYTES_MAX);
                let is_one = name.starts_with(&prefix)
                    && [".html", ".json", ".pdf"].iter().any(|kind| name.ends_with(kind));
                (fits && is_one && bundle::is_safe_path(&name)).then_some(())?;
                let bytes = self.practice.home.read_report(&name).ok()?;
                Some((name, bytes))
            })
            .collect();
        found.sort();
        found
    }
}
