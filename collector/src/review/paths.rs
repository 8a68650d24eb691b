//! Some paths of each finding of a week, read from the entries that it lists.

use std::collections::{BTreeMap, BTreeSet};

use super::incidents::Paths;
use crate::finding::Finding;
use crate::follow::Lookup;
use crate::follow::answer::{read, store_error};
use crate::items::Span;
use crate::ledger::LedgerError;
use crate::store::FindingRecord;

/// How many paths of a finding are kept.
pub(super) const PATHS_MAX: usize = 8;

/// Of those findings that are told in the review of the week.
pub(super) fn paths_of(lookup: &Lookup, records: &[FindingRecord], week: Span) -> Result<Paths, LedgerError> {
    let is_told = |finding: &&Finding| {
        finding.first_time.is_none_or(|first| first < week.to)
            && finding.last_time.is_none_or(|last| last >= week.from)
    };
    // By author and number, so that a batch that several findings list is read once.
    let mut listed: BTreeMap<(&str, u64), Vec<&str>> = BTreeMap::new();
    for finding in records.iter().map(|record| &record.finding).filter(is_told) {
        for number in &finding.numbers {
            listed.entry((&finding.author, *number)).or_default().push(&finding.id);
        }
    }
    let mut paths: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (reader, mut batch) = (lookup.reader(), None);
    for ((author, number), ids) in listed {
        let wants = |id: &&&str| paths.get(**id).is_none_or(|paths| paths.len() < PATHS_MAX);
        if !ids.iter().any(|id| wants(&id)) {
            continue;
        }
        let is_here =
            |(of, first, size, _): &(&str, u64, u64, _)| *of == author && (*first..*size).contains(&number);
        if !batch.as_ref().is_some_and(is_here) {
            let Some(record) = lookup.store().leaf_of_entry(author, number).map_err(store_error)? else {
                continue;
            };
            batch = Some((author, record.first, record.size, read(&reader, &record)?));
        }
        let entry = batch.iter().flat_map(|(.., batch)| batch.numbered()).find(|(of, _)| *of == number);
        let event = entry.and_then(|(_, entry)| entry.event().ok());
        let Some(path) = event.and_then(|event| event.object?.path) else { continue };
        for id in ids {
            let of_finding = paths.entry(id.to_owned()).or_default();
            if of_finding.len() < PATHS_MAX {
                of_finding.insert(path.clone());
            }
        }
    }
    Ok(paths)
}
