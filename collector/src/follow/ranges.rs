//! Compact ranges of the agents' logs along the ledger, so that each roll-over is indexed with what ties it to its note:
//! years of epochs then cost no scan when a bundle is made.

use std::collections::BTreeMap;

use ntk_evidence::author_log::SealedBatch;
use ntk_evidence::epoch::is_roll_over;
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::CompactRange;
use ntk_evidence::name::Author;
use ntk_segment::frame::Frame;
use ntk_segment::pointer::Pointer;

use crate::ledger::{LedgerError, LedgerHandle, from_frame, from_pruned};
use crate::store::RollOverRecord;

/// How far each agent's log reaches at a place of the ledger.
#[derive(Debug, Default)]
pub(super) struct Ranges(BTreeMap<Author, CompactRange>);

impl Ranges {
    /// At a frame: from the state of its segment, then batch by batch.
    pub(super) fn at(ledger: &LedgerHandle, pointer: Pointer) -> Result<Self, LedgerError> {
        let reader = ledger.reader();
        let mut ranges = Self::default();
        for author in reader.state_of(pointer.segment)?.authors {
            let hashes = author.range.iter().copied().map(Hash::from_bytes).collect();
            ranges.0.insert(Author::parse(&author.author)?, CompactRange::new(author.size, hashes)?);
        }
        for frame in reader.frames_from(Pointer::first_in(pointer.segment)) {
            let (at, frame) = frame?;
            if at >= pointer {
                break;
            }
            // The leaf is named in an error only.
            let batch = match frame {
                Frame::Batch(batch) => Some(from_frame(0, batch)?),
                Frame::Pruned(pruned) => Some(from_pruned(0, pruned)?),
                Frame::State(_) | Frame::Commit(_) => None,
            };
            if let Some(batch) = batch.filter(|batch| batch.author != Author::Collector) {
                ranges.append(ledger, &batch)?;
            }
        }
        Ok(ranges)
    }

    /// Takes in the next batch of an agent, which is that leaf of the collector log; its roll-over, if it is one.
    pub(super) fn take(
        &mut self,
        ledger: &LedgerHandle,
        leaf: u64,
        batch: &SealedBatch,
    ) -> Result<Option<RollOverRecord>, LedgerError> {
        let before = self.append(ledger, batch)?;
        let rolled = batch.entries.first().is_some_and(is_roll_over);
        Ok(rolled.then(|| RollOverRecord {
            epoch: batch.epoch.saturating_add(1),
            leaf,
            number: batch.first,
            before: before.hashes().to_vec(),
        }))
    }

    /// Appends a batch; the range before it.
    fn append(&mut self, ledger: &LedgerHandle, batch: &SealedBatch) -> Result<CompactRange, LedgerError> {
        let range = self.0.entry(batch.author.clone()).or_insert_with(CompactRange::empty);
        if range.size() != batch.first
            && let Some(begins) = begins(ledger, &batch.author, batch.first)
        {
            *range = begins;
        }
        let before = range.clone();
        for leaf in batch.leaves() {
            range.append(leaf)?;
        }
        Ok(before)
    }
}

/// Where a log begins of which the first entries are gone, as its enrolment says.
fn begins(ledger: &LedgerHandle, author: &Author, first: u64) -> Option<CompactRange> {
    ledger.published().registry.begins(author).filter(|range| range.size() == first)
}
