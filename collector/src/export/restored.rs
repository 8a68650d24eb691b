//! What shows that the log goes on from where it was closed when a copy was put back: the proof from the root that the
//! practice key named, and the collector's last note before, which its closed key signed.

use ntk_evidence::bundle::bag::Bag;
use ntk_evidence::bundle::range::ListedKey;
use ntk_evidence::bundle::{note_path, restored_path};
use ntk_evidence::name::Author;
use ntk_evidence::trust::TrustFile;

use super::{ExportError, boundary};
use crate::follow::Lookup;
use crate::follow::answer::{read, store_error};
use crate::ledger::{LedgerHandle, SignedCheckpoint};

/// The collector's keys: one for each announced restore, and today's.
pub(super) fn keys(trust: &TrustFile) -> Vec<ListedKey> {
    let keys = (0..).map_while(|epoch| Some(ListedKey::of_collector(epoch, trust.collector_of(epoch)?)));
    keys.collect()
}

/// Puts it in, for each restore behind which the checkpoint lies.
pub(super) fn seams(
    lookup: &Lookup,
    ledger: &LedgerHandle,
    checkpoint: &SignedCheckpoint,
    trust: &TrustFile,
    bag: &mut Bag,
) -> Result<(), ExportError> {
    let size = checkpoint.checkpoint.size;
    let mut closed: Vec<u64> = trust.closed_within(size).map(|closed| closed.size).collect();
    closed.dedup();
    if closed.is_empty() {
        return Ok(());
    }
    let acts = lookup.store().leaves_of(&Author::Collector.to_string()).map_err(store_error)?;
    for closed in closed {
        let proof = ledger.consistency(closed, size)?;
        let lines: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
        bag.insert(&restored_path(closed), lines)?;
        let Some(leaf) = acts.iter().rfind(|leaf| leaf.leaf < closed) else { continue };
        if !bag.payload().contains_key(&note_path(&Author::Collector, leaf.size)) {
            let note = read(&ledger.reader(), leaf)?.note;
            boundary(ledger, checkpoint, &Author::Collector, leaf, &note, bag)?;
        }
    }
    Ok(())
}
