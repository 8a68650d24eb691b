//! The last checkpoint of each week of the question's time, with its consistency proof to the final one.
//!
//! Whoever kept a printed review of one of these weeks has its twelve words: the proofs lead from there to here.

use jiff::Timestamp;
use ntk_evidence::bundle;
use ntk_evidence::bundle::bag::Bag;
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::trust::TrustFile;
use ntk_segment::frame::Frame;

use super::{ExportError, Question};
use crate::follow::Lookup;
use crate::follow::answer::store_error;
use crate::ledger::{LedgerError, LedgerHandle, SignedCheckpoint};
use crate::report::week::Week;

/// How many weeks are shown at most: ten years.
const WEEKS_MAX: usize = 522;

/// Puts them in; how many.
pub(super) fn weekly(
    bag: &mut Bag,
    lookup: &Lookup,
    ledger: &LedgerHandle,
    trust: &TrustFile,
    last: &SignedCheckpoint,
    question: &Question,
    now: Timestamp,
) -> Result<usize, ExportError> {
    let zone = lookup.zone();
    let first = lookup.store().leaf(0).map_err(store_error)?;
    let Some(first) = first.map(|leaf| leaf.received()) else { return Ok(0) };
    let mut week = Week::of(question.from.max(first), zone);
    let until = question.to.min(now);
    let (mut shown, mut size_before) = (0usize, 0u64);
    while shown < WEEKS_MAX && week.bounds(zone).0 <= until {
        let (_, end) = week.bounds(zone);
        if let Some((checkpoint, note)) = last_before(lookup, ledger, end, trust, last)?
            && checkpoint.size > size_before
            && checkpoint.size < last.checkpoint.size
        {
            size_before = checkpoint.size;
            let proof = ledger.consistency(checkpoint.size, last.checkpoint.size)?;
            let proof: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
            bag.insert(&format!("{}{week}.txt", bundle::WEEKLY), note)?;
            bag.insert(&format!("{}{week}.consistency", bundle::WEEKLY), proof)?;
            shown = shown.saturating_add(1);
        }
        week = week.earlier(-1);
    }
    Ok(shown)
}

/// The checkpoint of the last group that was received before a moment.
fn last_before(
    lookup: &Lookup,
    ledger: &LedgerHandle,
    at: Timestamp,
    trust: &TrustFile,
    last: &SignedCheckpoint,
) -> Result<Option<(Checkpoint, Vec<u8>)>, LedgerError> {
    let store = lookup.store();
    let (mut low, mut high) = (0u64, last.checkpoint.size);
    while low < high {
        let middle = low.midpoint(high);
        let is_before = store.leaf(middle).map_err(store_error)?.is_some_and(|leaf| leaf.received() < at);
        if is_before { low = middle.saturating_add(1) } else { high = middle }
    }
    let Some(before) = low.checked_sub(1) else { return Ok(None) };
    let Some(record) = store.leaf(before).map_err(store_error)? else { return Ok(None) };
    for frame in ledger.reader().frames_from(record.pointer()) {
        if let Frame::Commit(commit) = frame?.1 {
            // After a refill the log goes on under another key: what the old one signed proves nothing under this one,
            // except where the trust file announces where that log was closed.
            return Ok(trust.checkpoint(&commit.checkpoint).ok().map(|seen| (seen, commit.checkpoint)));
        }
    }
    Ok(None)
}
