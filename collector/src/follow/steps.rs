//! Steps of findings: from their acts into the store, and what comes later to a finding by itself.

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use tracing::warn;

use crate::engine::Engine;
use crate::finding::step::{Step, StepAct, StepRecord, late_ticket};
use crate::store::{Changes, FindingRecord, Store, StoreError};
use crate::ticket::{Record, TicketChange};

/// Adds a step to each finding that it applies to. Reading the same act again changes nothing.
/// Gives back what it says, as [`later`] would have said it.
pub(super) fn apply(store: &Store, number: u64, event: &Event) -> Result<Vec<StepAct>, StoreError> {
    let step = act::body(event).and_then(StepAct::of_body);
    let at = event.time.parse::<Timestamp>().ok();
    let (Some(step), Some(at)) = (step, at) else {
        warn!(number, "a step of a finding in the ledger cannot be read by this version; it is left aside");
        return Ok(Vec::new());
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
    Ok(vec![step])
}

/// What a ticket's step means for findings that are there already: an approval that came late, a break-glass that
/// somebody took note of. A decision sees the ledger up to its entry, so this is a step and no new decision.
pub(super) fn later(
    store: &Store,
    engine: &Engine,
    change: Option<&TicketChange>,
) -> Result<Vec<StepAct>, StoreError> {
    let mut steps = Vec::new();
    match change {
        Some(TicketChange::Approved(id)) => {
            let Some(ticket) = engine.tickets().record(id).and_then(Record::ticket) else { return Ok(steps) };
            let (roster, terms) = (engine.roster(), engine.policy().tickets());
            for record in store.findings()? {
                let is_late =
                    late_ticket(&record.finding, std::slice::from_ref(&ticket), roster, terms).is_some();
                let step = Step::LateTicket { ticket: id.clone() };
                if is_late && !record.steps.iter().any(|have| have.step == step) {
                    steps.push(about(&record, step));
                }
            }
        }
        Some(TicketChange::Acknowledged(id)) => {
            let signed = engine.tickets().glasses().find(|glass| glass.glass.id == *id);
            let Some(signed) = signed.and_then(|glass| glass.acknowledged.as_ref()) else { return Ok(steps) };
            let rule = format!("break-glass:{id}");
            for record in store.findings()? {
                let step = Step::Acknowledged { break_glass: id.clone(), by: signed.by.clone() };
                let rests_on_it = record.finding.reasons.iter().any(|reason| reason.rule == rule);
                if rests_on_it && !record.steps.iter().any(|have| have.step == step) {
                    steps.push(about(&record, step));
                }
            }
        }
        _ => {}
    }
    Ok(steps)
}

fn about(record: &FindingRecord, step: Step) -> StepAct {
    let finding = &record.finding;
    StepAct {
        id: finding.id.clone(),
        findings: vec![finding.id.clone()],
        seen: [(finding.id.clone(), finding.n_accesses)].into(),
        about: finding.person.clone().or_else(|| finding.account.clone()),
        step,
    }
}
