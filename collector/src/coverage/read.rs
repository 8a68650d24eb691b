//! Takes the table out of the ledger: every act, and the entries round the time that is asked about.

use jiff::Timestamp;
use ntk_evidence::name::Author;

use super::Coverage;
use crate::follow::Lookup;
use crate::follow::answer::{read, store_error};
use crate::ledger::LedgerError;

/// Entries of the days beyond both edges tell how long a gap at the edge was.
const MARGIN_NS: i64 = 3 * 86_400 * 1_000_000_000;

/// What was seen from one moment to another, as the ledger tells it now.
pub fn coverage(
    lookup: &Lookup,
    reader: &ntk_segment::reader::Reader,
    from: Timestamp,
    to: Timestamp,
) -> Result<Coverage, LedgerError> {
    lookup.up_to_date()?;
    let nanos = |at: Timestamp| i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX);
    let (from, to) = (nanos(from).saturating_sub(MARGIN_NS), nanos(to).saturating_add(MARGIN_NS));
    // Acts of all times: a silence may have begun long before, and ended long after.
    let mut records = lookup.store().leaves_of(&Author::Collector.to_string()).map_err(store_error)?;
    records.extend(lookup.store().leaves_between(from, to).map_err(store_error)?);
    records.sort_by_key(|record| record.leaf);
    records.dedup_by_key(|record| record.leaf);
    let mut coverage = Coverage::default();
    for record in records {
        let batch = read(reader, &record)?;
        for (_, entry) in batch.numbered() {
            if let Ok(event) = entry.event() {
                coverage.observe(&record.author, record.received(), &event);
            }
        }
    }
    Ok(coverage)
}
