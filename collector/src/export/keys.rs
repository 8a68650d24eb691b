//! The keys of a bundle: each author's first one by the act that enrolled it, each later one by the roll-over that
//! named it, and the act that revoked the author. Found through the store; nothing is scanned.

use ntk_evidence::bundle::bag::Bag;
use ntk_evidence::bundle::note_path;
use ntk_evidence::bundle::range::{ListedKey, RolledBy, subtrees};
use ntk_evidence::bundle::row::{Paths, Row};
use ntk_evidence::merkle::CompactRange;
use ntk_evidence::name::Author;
use ntk_evidence::note::VerifierKey;

use super::{ExportError, boundary};
use crate::follow::Lookup;
use crate::follow::answer::{read, store_error};
use crate::ledger::{LedgerError, LedgerHandle, SignedCheckpoint};
use crate::store::RollOverRecord;

/// The keys of an author up to the epoch after this one: the roll-over to that one bounds it.
pub(super) fn of_author(
    lookup: &Lookup,
    ledger: &LedgerHandle,
    checkpoint: &SignedCheckpoint,
    author: &Author,
    epoch: u32,
    bag: &mut Bag,
) -> Result<Vec<ListedKey>, ExportError> {
    let name = author.to_string();
    let registry = ledger.published().registry;
    let Some(machine) = registry.enrolled(author) else { return Ok(Vec::new()) };
    let first = machine.enrolment.epoch;
    let key = VerifierKey::parse(&machine.enrolment.key).map_err(LedgerError::from)?;
    let mut keys = vec![ListedKey::enrolled(author, first, &key, machine.act)];
    let size = checkpoint.checkpoint.size;
    let rolled = lookup.store().roll_overs(&name, epoch.saturating_add(1)).map_err(store_error)?;
    for record in rolled.into_iter().filter(|record| record.epoch > first && record.leaf < size) {
        keys.push(of_roll_over(lookup, ledger, author, size, &record)?);
    }
    let Some(act) = machine.revoked_by else { return Ok(keys) };
    let collector = Author::Collector.to_string();
    let leaf =
        lookup.store().leaf_of_entry(&collector, act).map_err(store_error)?.ok_or(LedgerError::Behind)?;
    if leaf.leaf >= size {
        // It came after the bundle's checkpoint: no row discloses it, and every note is earlier.
        return Ok(keys);
    }
    // The note may be there already: it ends the collector's range, or revoked another machine, too.
    if !bag.payload().contains_key(&note_path(&Author::Collector, leaf.size)) {
        let note = read(&ledger.reader(), &leaf)?.note;
        boundary(ledger, checkpoint, &Author::Collector, &leaf, &note, bag)?;
    }
    Ok(keys.into_iter().map(|key| key.revoked(act)).collect())
}

fn of_roll_over(
    lookup: &Lookup,
    ledger: &LedgerHandle,
    author: &Author,
    log_size: u64,
    record: &RollOverRecord,
) -> Result<ListedKey, ExportError> {
    let leaf = lookup.store().leaf(record.leaf).map_err(store_error)?.ok_or(LedgerError::Behind)?;
    let batch = read(&ledger.reader(), &leaf)?;
    let damaged = || LedgerError::Damaged {
        leaf: record.leaf,
        source: "no roll-over stands where the query store has one; delete the folder `cache`".into(),
    };
    let (number, entry) = batch.numbered().next().ok_or_else(damaged)?;
    let event = entry.event().map_err(|_| damaged())?;
    let key = event.epoch.map(|epoch| epoch.key).ok_or_else(damaged)?;
    let key = VerifierKey::parse(&key).map_err(LedgerError::from)?;
    let before = CompactRange::new(record.number, record.before.clone()).map_err(LedgerError::from)?;
    let by = RolledBy {
        number,
        row: Row::disclosed(number, entry, &batch.key, Paths::Shown),
        before: subtrees(&before),
        note: String::from_utf8_lossy(&batch.note).into_owned(),
        index: record.leaf,
        inclusion: ledger.inclusion(record.leaf, log_size)?,
    };
    Ok(ListedKey::rolled(author, record.epoch, &key, by))
}
