//! Time-stamps around the entries of a review: between which of them each item's entries came into the log.

use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use ntk_evidence::time_stamp::bracket::{Bracket, Stamped, bracket};

use crate::follow::Lookup;
use crate::follow::answer::{read, store_error};
use crate::ledger::LedgerError;
use crate::report::{Item, ReceivedBetween};
use crate::time_stamp::{TimeStampAct, in_words};

/// The time-stamps that the acts hold.
#[derive(Debug, Default)]
pub(super) struct StampsSeen(Vec<Stamped>);

impl StampsSeen {
    /// Takes in an act.
    pub(super) fn observe(&mut self, event: &Event, leaf: u64) {
        if event.kind.as_str() != act::kind::TIME_STAMP {
            return;
        }
        let body = act::body(event).cloned().unwrap_or_default();
        let Ok(TimeStampAct::Stamped(act)) = serde_json::from_value(body) else { return };
        if let Some(time) = act.moment() {
            self.0.push(Stamped { size: act.size, time, recorded: Some(leaf) });
        }
    }

    /// Takes in what came after the entries that were read, up to the first time-stamp over this leaf: it may be of a
    /// later week.
    fn and_the_next(&mut self, lookup: &Lookup, read_to_ns: i64, leaf: u64) -> Result<(), LedgerError> {
        let acts = lookup.store().leaves_of(&Author::Collector.to_string()).map_err(store_error)?;
        let reader = lookup.reader();
        for record in acts.iter().filter(|record| record.to_unix_ns > read_to_ns) {
            if self.0.iter().any(|stamp| stamp.size > leaf) {
                break;
            }
            for (_, entry) in read(&reader, record)?.numbered() {
                if let Ok(event) = entry.event() {
                    self.observe(&event, record.leaf);
                }
            }
        }
        Ok(())
    }

    /// Says of each item when its entries were received, where a time-stamp says anything about it. Acts up to
    /// `read_to_ns` were read.
    pub(super) fn tell(
        mut self,
        lookup: &Lookup,
        read_to_ns: i64,
        items: &mut [Item],
    ) -> Result<(), LedgerError> {
        let mut last_leaf = None;
        for finding in items.iter().map(|item| &item.finding) {
            let record = lookup.store().leaf_of_entry(&finding.author, finding.last_number);
            last_leaf = last_leaf.max(record.map_err(store_error)?.map(|record| record.leaf));
        }
        if let Some(leaf) = last_leaf {
            self.and_the_next(lookup, read_to_ns, leaf)?;
        }
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
