//! Time-stamps around the entries of a review: between which of them each item's entries came into the log.

use ntk_evidence::act;
use ntk_evidence::time_stamp::bracket::{Bracket, Stamped, bracket};

use crate::follow::Lookup;
use crate::follow::answer::{Seen, store_error};
use crate::ledger::LedgerError;
use crate::report::{Item, ReceivedBetween};
use crate::time_stamp::{TimeStampAct, in_words};

/// The time-stamps that the acts hold.
#[derive(Debug, Default)]
pub(super) struct StampsSeen(Vec<Stamped>);

impl StampsSeen {
    /// Takes in an act.
    pub(super) fn observe(&mut self, seen: &Seen<'_>) {
        if seen.event.kind.as_str() != act::kind::TIME_STAMP {
            return;
        }
        let body = act::body(seen.event).cloned().unwrap_or_default();
        let Ok(TimeStampAct::Stamped(act)) = serde_json::from_value(body) else { return };
        if let Some(time) = act.moment() {
            self.0.push(Stamped { size: act.size, time, recorded: Some(seen.record.leaf) });
        }
    }

    /// Says of each item when its entries were received, where a time-stamp says anything about it.
    pub(super) fn tell(&self, lookup: &Lookup, items: &mut [Item]) -> Result<(), LedgerError> {
        if self.0.is_empty() {
            return Ok(());
        }
        for item in items {
            let finding = &item.finding;
            let of = |number| -> Result<Bracket, LedgerError> {
                let leaf = lookup.store().leaf_of_entry(&finding.author, number).map_err(store_error)?;
                Ok(leaf.map_or_else(Bracket::default, |record| bracket(&self.0, record.leaf)))
            };
            let (first, last) = (of(finding.first_number)?, of(finding.last_number)?);
            let text = |moment: Option<ntk_evidence::time::Moment>| moment.map(|moment| moment.to_rfc3339(0));
            item.received_between =
                Some(ReceivedBetween { not_before: text(first.not_before), not_after: text(last.not_after) });
            item.facts.push(("Received".to_owned(), in_words(first.not_before, last.not_after)));
        }
        Ok(())
    }
}
