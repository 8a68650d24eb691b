//! Steps of findings, from their acts into the store.

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use tracing::warn;

use crate::finding::step::{StepAct, StepRecord};
use crate::store::{Changes, Store, StoreError};

/// Adds a step to each finding that it applies to. Reading the same act again changes nothing.
pub(super) fn apply(store: &Store, number: u64, event: &Event) -> Result<(), StoreError> {
    let step = act::body(event).and_then(StepAct::of_body);
    let at = event.time.parse::<Timestamp>().ok();
    let (Some(step), Some(at)) = (step, at) else {
        warn!(number, "a step of a finding in the ledger cannot be read by this version; it is left aside");
        return Ok(());
    };
    for id in step.applies_to() {
        // The act that opened the finding stands before this one in the same log.
        let Some(mut record) = store.finding(id)? else { continue };
        if record.steps.iter().any(|have| have.number == number) {
            continue;
        }
        record.steps.push(StepRecord {
            number,
            at,
            seen: step.seen.get(id).copied(),
            step: step.step.clone(),
        });
        record.steps.sort_by_key(|step| step.number);
        // Written at once: the same commit may hold several steps of one finding.
        let mut changes = Changes::default();
        changes.finding(&record)?;
        store.apply(changes, None)?;
    }
    Ok(())
}
