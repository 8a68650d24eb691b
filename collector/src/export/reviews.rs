//! The report of a bundle.

use jiff::Timestamp;
use ntk_evidence::bundle;
use ntk_evidence::bundle::bag::Bag;

use super::ExportError;
use super::shown::Shown;
use crate::follow::Lookup;
use crate::follow::answer::Seen;
use crate::ledger::writer::Published;
use crate::practice::Practice;
use crate::report::html::render_html;
use crate::report::week::Week;
use crate::review::review;

/// The review of the last week of the question's time, of the entries that are shown alone.
pub(super) fn reviews(
    bag: &mut Bag,
    practice: &Practice,
    lookup: &Lookup,
    published: &Published,
    now: Timestamp,
    shown: &Shown<'_>,
) -> Result<(), ExportError> {
    let last = Week::of(shown.question.to.min(now), lookup.zone());
    let of_case = |seen: &Seen<'_>| {
        let who = seen.decision.who.as_ref();
        let person = who.and_then(|who| who.person.clone().or_else(|| who.account.clone()));
        shown.entry(seen.event, person.as_deref(), seen.access.local.map(|local| local.at))
    };
    let mut report = review(practice, lookup, published, now, last, Some(&of_case))?;
    if shown.question.redact_paths {
        report.items.iter_mut().for_each(|item| item.paths.clear());
    }
    bag.insert(bundle::REPORT_JSON, serde_json::to_vec_pretty(&report)?)?;
    bag.insert(bundle::REPORT_HTML, render_html(&report))?;
    Ok(())
}
