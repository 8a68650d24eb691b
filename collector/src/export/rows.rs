//! The rows of one author: what is shown, what stays a commitment, and the notes at both ends.

use ntk_evidence::author_log::SealedBatch;
use ntk_evidence::bundle::bag::Bag;
use ntk_evidence::bundle::range::Range;
use ntk_evidence::bundle::row::{Paths, Row};
use ntk_evidence::entry::Entry as Frozen;
use ntk_evidence::event::Event;
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::CompactRange;
use ntk_evidence::name::Author;

use super::shown::Shown;
use super::{ExportError, Part, boundary, range_before};
use crate::engine::Entry;
use crate::follow::answer::{read, store_error};
use crate::follow::{Lookup, Rules};
use crate::ledger::{LedgerError, LedgerHandle, SignedCheckpoint};
use crate::need_to_know::host_of;
use crate::store::LeafRecord;

/// What a walk through an author's entries meets.
pub(super) enum Told<'a> {
    /// An entry that is there.
    Entry {
        number: u64,
        entry: &'a Frozen,
        /// What it says, where that can be read.
        event: Option<&'a Event>,
        batch: &'a SealedBatch,
        is_shown: bool,
    },
    /// An entry that retention took: its number and leaf.
    Removed(u64, Hash),
    /// Everything of a batch was told.
    BatchEnd { record: &'a LeafRecord, batch: &'a SealedBatch },
}

/// Goes through an author's entries from a batch's first to a batch's last, and says of each whether it is shown.
pub(super) fn walk(
    lookup: &Lookup,
    shown: &Shown<'_>,
    name: &Author,
    first: u64,
    size: u64,
    mut tell: impl FnMut(Told<'_>) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let author = name.to_string();
    let author = author.as_str();
    let reader = lookup.reader();
    let (mut at, mut rules) = (first, Rules::new());
    while at < size {
        let record = lookup.store().leaf_of_entry(author, at).map_err(store_error)?;
        let record = record.ok_or(LedgerError::Behind)?;
        let batch = read(&reader, &record)?;
        rules.at(lookup.store(), record.leaf)?;
        for (number, entry) in batch.numbered() {
            let event = entry.event().ok();
            let is_shown = event.as_ref().is_some_and(|event| {
                let host = host_of(name, event);
                let around = record.around(number);
                let received = record.received();
                let access = around.access(Entry { author, host, number, event, received }, lookup.zone());
                let decision = rules.decide(&access);
                let who = decision.who.as_ref();
                let person = who.and_then(|who| who.person.clone().or_else(|| who.account.clone()));
                shown.entry(event, person.as_deref(), access.local.map(|local| local.at))
            });
            tell(Told::Entry { number, entry, event: event.as_ref(), batch: &batch, is_shown })?;
        }
        if batch.is_removed() {
            for (number, leaf) in (batch.first..).zip(batch.leaves()) {
                tell(Told::Removed(number, leaf))?;
            }
        }
        tell(Told::BatchEnd { record: &record, batch: &batch })?;
        at = record.size;
    }
    Ok(())
}

#[expect(
    clippy::too_many_arguments,
    reason = "one author's part of one bundle; a struct would only rename them"
)]
pub(super) fn part(
    lookup: &Lookup,
    ledger: &LedgerHandle,
    checkpoint: &SignedCheckpoint,
    shown: &Shown<'_>,
    author: &str,
    first: u64,
    size: u64,
    bag: &mut Bag,
    done: &mut dyn FnMut(u64),
) -> Result<Part, ExportError> {
    let name = Author::parse(author).map_err(LedgerError::from)?;
    let reader = ledger.reader();
    let (mut rows, mut epoch) = (Vec::new(), 0);
    let first_leaf = lookup.store().leaf_of_entry(author, first).map_err(store_error)?;
    let paths = if shown.question.redact_paths { Paths::Withheld } else { Paths::Shown };
    walk(lookup, shown, &name, first, size, |told| {
        match told {
            Told::Entry { number, entry, batch, is_shown: true, .. } => {
                rows.push(Row::disclosed(number, entry, &batch.key, paths));
            }
            Told::Entry { number, entry, batch, .. } => {
                rows.push(Row::withheld(number, batch.key.leaf(number, entry)));
            }
            Told::Removed(number, leaf) => rows.push(Row::withheld(number, leaf)),
            Told::BatchEnd { record, batch } => {
                done(record.size.saturating_sub(record.first));
                epoch = record.epoch;
                if record.size == size {
                    boundary(ledger, checkpoint, &name, record, &batch.note, bag)?;
                }
            }
        }
        Ok(())
    })?;
    let begins = ledger.published().registry.begins(&name).filter(|range| range.size() == first);
    if let Some(begins) = begins {
        let range = Range::new(&name, epoch, &begins, epoch, size).known_from_here();
        return Ok(Part { author: name, range, rows });
    }
    let (before, before_epoch) = match (first, first_leaf) {
        (0, _) | (_, None) => (CompactRange::empty(), epoch),
        (_, Some(record)) => {
            let earlier = lookup
                .store()
                .leaf_of_note(author, first)
                .map_err(store_error)?
                .ok_or(LedgerError::Behind)?;
            let batch = read(&reader, &earlier)?;
            boundary(ledger, checkpoint, &name, &earlier, &batch.note, bag)?;
            (range_before(ledger, &name, &record)?, earlier.epoch)
        }
    };
    let range = Range::new(&name, epoch, &before, before_epoch, size);
    Ok(Part { author: name, range, rows })
}
