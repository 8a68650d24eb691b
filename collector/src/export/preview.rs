//! What a bundle would show and withhold, before it is built: the same rows by the same rules, without proofs.

use std::collections::BTreeMap;

use ntk_evidence::act;
use ntk_evidence::bundle::wording;
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use serde::Serialize;

use super::rows::{Told, walk};
use super::shown::Shown;
use super::{ExportError, Question, not_included, spans};
use crate::follow::Lookup;

/// Rows that are shown in words; the first of each author's.
const WORDS_MAX: usize = 50;

/// What a bundle would hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Entries that would be shown.
    pub shown: u64,
    /// Entries that would stand as commitments only.
    pub withheld: u64,
    /// The same by author: machines, and the collector's own acts.
    pub authors: Vec<AuthorPart>,
    /// What would be shown, by what it is in words, most frequent first.
    pub kinds: Vec<(String, u64)>,
    /// The first of what would be shown, acts of the collector left out.
    pub words: Vec<Line>,
    /// What the bundle would say that it does not hold.
    pub not_included: Vec<String>,
}

/// One author's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuthorPart {
    /// Which.
    pub author: String,
    /// Entries that would be shown.
    pub shown: u64,
    /// Entries that would be withheld.
    pub withheld: u64,
}

/// One entry in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Author.
    pub author: String,
    /// Number.
    pub number: u64,
    /// When, as the machine claims.
    pub time: String,
    /// What.
    pub sentence: String,
}

/// Looks through what a question asks for. `tell` hears done and total entries.
pub fn preview(
    lookup: &Lookup,
    question: &Question,
    log_size: u64,
    mut tell: impl FnMut(u64, u64),
) -> Result<Preview, ExportError> {
    question.check()?;
    lookup.up_to_date()?;
    let shown = Shown::new(question, lookup)?;
    let (spans, total) = spans(lookup, question, log_size)?;
    let mut preview = Preview { not_included: not_included(question), ..Preview::default() };
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut done = 0u64;
    for (author, (first, size)) in spans {
        let mut part = AuthorPart { author: author.clone(), shown: 0, withheld: 0 };
        let name = Author::parse(&author).map_err(crate::ledger::LedgerError::from)?;
        walk(lookup, &shown, &name, first, size, |told| match told {
            Told::Entry { number, event, is_shown, .. } => {
                let n = if is_shown { &mut part.shown } else { &mut part.withheld };
                *n = n.saturating_add(1);
                let Some(event) = event.filter(|_| is_shown) else { return Ok(()) };
                let n = kinds.entry(wording::verb(event).to_owned()).or_default();
                *n = n.saturating_add(1);
                if preview.words.len() < WORDS_MAX && !act::is_act(&event.kind) {
                    preview.words.push(line(&author, &name, number, event, question));
                }
                Ok(())
            }
            Told::Removed(..) => {
                part.withheld = part.withheld.saturating_add(1);
                Ok(())
            }
            Told::BatchEnd { record, .. } => {
                done = done.saturating_add(record.size.saturating_sub(record.first));
                tell(done, total);
                Ok(())
            }
        })?;
        preview.shown = preview.shown.saturating_add(part.shown);
        preview.withheld = preview.withheld.saturating_add(part.withheld);
        preview.authors.push(part);
    }
    preview.kinds = kinds.into_iter().collect();
    preview.kinds.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    Ok(preview)
}

/// The computer or service that a sentence about an entry names; the collector's own acts name none.
pub(super) fn computer(name: &Author) -> Option<&str> {
    (*name != Author::Collector).then(|| name.place())
}

fn line(author: &str, name: &Author, number: u64, event: &Event, question: &Question) -> Line {
    let mut event = event.clone();
    if question.redact_paths
        && let Some(object) = event.object.as_mut()
    {
        (object.path, object.to) = (None, None);
    }
    Line {
        author: author.to_owned(),
        number,
        time: event.time.clone(),
        sentence: wording::message(&event, computer(name)),
    }
}
