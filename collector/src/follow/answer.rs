//! Questions to the store and the segments: notes by author and size, events by person and time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use ntk_evidence::author_log::SealedBatch;
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use ntk_segment::pointer::SegmentNumber;
use ntk_segment::reader::{Kept, Reader};

use super::{Progress, Rules};
use crate::engine::Entry;
use crate::ledger::{LedgerError, LedgerHandle, from_frame, from_pruned};
use crate::need_to_know::{Access, Decision, host_of};
use crate::policy::Policy;
use crate::roster::Roster;
use crate::store::{LeafRecord, Store, StoreError};
use crate::ticket::Tickets;

/// How long a question waits for the store to come up to the ledger.
const PATIENCE: Duration = Duration::from_secs(60);

/// Finds stored batches.
#[derive(Clone, Debug)]
pub struct Lookup {
    ledger: LedgerHandle,
    store: Arc<Store>,
    progress: Arc<Progress>,
    zone: TimeZone,
}

impl Lookup {
    /// Over a ledger and its store.
    pub const fn new(
        ledger: LedgerHandle,
        store: Arc<Store>,
        progress: Arc<Progress>,
        zone: TimeZone,
    ) -> Self {
        Self { ledger, store, progress, zone }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reads the ledger itself.
    pub fn reader(&self) -> Reader {
        self.ledger.reader()
    }

    /// The practice's zone.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Leaves that are decided and can be asked about, and whether that goes on.
    pub fn reached(&self) -> (u64, bool) {
        (self.progress.applied(), !self.progress.has_failed())
    }

    /// How far following and what comes behind it have come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Waits until the store holds what is durable now.
    pub fn up_to_date(&self) -> Result<u64, LedgerError> {
        let size = self.ledger.published().checkpoint.checkpoint.size;
        if self.progress.wait_for(size, PATIENCE) { Ok(size) } else { Err(LedgerError::Behind) }
    }

    /// Leaf and note of an author's batch that ends at this size.
    pub async fn note(&self, author: Author, size: u64) -> Result<Option<(u64, Vec<u8>)>, LedgerError> {
        let lookup = self.clone();
        let found = tokio::task::spawn_blocking(move || {
            lookup.up_to_date()?;
            let record = lookup.store.leaf_of_note(&author.to_string(), size).map_err(store_error)?;
            let Some(record) = record else { return Ok(None) };
            let batch = read(&lookup.ledger.reader(), &record)?;
            Ok(Some((record.leaf, batch.note)))
        });
        found.await.map_err(|_| LedgerError::Stopped)?
    }

    /// Reads every event of `[from, to]` in the order of the log, with its batch and its decision.
    pub fn events(
        &self,
        from_unix_ns: i64,
        to_unix_ns: i64,
        mut each: impl FnMut(Seen<'_>),
    ) -> Result<(), LedgerError> {
        self.events_with_rules(from_unix_ns, to_unix_ns, |seen, _| each(seen))
    }

    /// [`Lookup::events`], each with the rules that were in force.
    pub fn events_with_rules(
        &self,
        from_unix_ns: i64,
        to_unix_ns: i64,
        mut each: impl FnMut(Seen<'_>, &Rules),
    ) -> Result<(), LedgerError> {
        self.events_from(0, (from_unix_ns, to_unix_ns), |seen, rules| {
            each(seen, rules);
            ControlFlow::Continue(())
        })
    }

    /// [`Lookup::events_with_rules`], beginning with a leaf of the collector log, for as long as `each` goes on.
    pub fn events_from(
        &self,
        first_leaf: u64,
        (from_unix_ns, to_unix_ns): (i64, i64),
        each: impl FnMut(Seen<'_>, &Rules) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        self.up_to_date()?;
        let mut leaves = self.store.indexes_between(from_unix_ns, to_unix_ns).map_err(store_error)?;
        leaves.retain(|leaf| *leaf >= first_leaf);
        self.events_of(leaves, (from_unix_ns, to_unix_ns), &mut Rules::new(), each)
    }

    /// The events of some leaves, in order, of batches that touch `[from, to]`, for as long as `each` goes on. Rules that
    /// stand at an earlier leaf go on from there.
    pub(crate) fn events_of(
        &self,
        leaves: impl IntoIterator<Item = u64>,
        (from_unix_ns, to_unix_ns): (i64, i64),
        rules: &mut Rules,
        mut each: impl FnMut(Seen<'_>, &Rules) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        let reader = self.ledger.reader();
        for leaf in leaves {
            // One at a time: whoever stops early has not read the rest.
            let record = self.store.leaf(leaf).map_err(store_error)?;
            let Some(record) = record.filter(|record| record.touches(from_unix_ns, to_unix_ns)) else {
                continue;
            };
            let batch = read(&reader, &record)?;
            rules.at(&self.store, record.leaf)?;
            let author = record.author.as_str();
            for (number, entry) in batch.numbered() {
                let Ok(event) = entry.event() else { continue };
                let host = host_of(&batch.author, &event);
                let around = record.around(number);
                let received = record.received();
                let access =
                    around.access(Entry { author, host, number, event: &event, received }, &self.zone);
                let decision = rules.decide(&access);
                let seen = Seen {
                    record: &record,
                    batch: &batch,
                    access: &access,
                    event: &event,
                    decision: &decision,
                };
                if each(seen, rules).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// How many batches of that time have lost their entries to retention, by receive time.
    pub fn removed(&self, from_unix_ns: i64, to_unix_ns: i64) -> Result<u64, LedgerError> {
        let reader = self.ledger.reader();
        let (mut removed, mut forms) = (0u64, BTreeMap::new());
        for record in self.store.leaves_between(from_unix_ns, to_unix_ns).map_err(store_error)? {
            let pruner = self.ledger.pruner();
            let segment = SegmentNumber::new(record.segment);
            let is_pruned = match forms.get(&record.segment) {
                Some(known) => *known,
                None => {
                    let found = pruner.is_pruned(segment)?;
                    forms.insert(record.segment, found);
                    found
                }
            };
            if is_pruned && read(&reader, &record)?.is_removed() {
                removed = removed.saturating_add(1);
            }
        }
        Ok(removed)
    }

    /// The book of tickets now.
    pub fn tickets_now(&self) -> Result<Tickets, LedgerError> {
        self.up_to_date()?;
        let mut rules = Rules::new();
        rules.at(&self.store, u64::MAX)?;
        Ok(rules.tickets)
    }

    /// Roster and policy in force now.
    pub fn rules_now(&self) -> Result<(Roster, Policy), LedgerError> {
        self.up_to_date()?;
        let mut rules = Rules::new();
        rules.at(&self.store, u64::MAX)?;
        Ok((rules.roster, rules.policy))
    }

    /// The texts of roster and policy in force now.
    pub fn rule_texts_now(&self) -> Result<(String, String), LedgerError> {
        self.up_to_date()?;
        let roster = self.store.roster_before(u64::MAX).map_err(store_error)?;
        let policy = self.store.policy_before(u64::MAX).map_err(store_error)?;
        Ok((roster.unwrap_or_default(), policy.unwrap_or_default()))
    }
}

/// One event with all that is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Where its batch lies.
    pub record: &'a LeafRecord,
    /// Its batch.
    pub batch: &'a SealedBatch,
    /// As need-to-know sees it.
    pub access: &'a Access<'a>,
    /// The event.
    pub event: &'a Event,
    /// The decision under the rules of its time.
    pub decision: &'a Decision,
}

/// The batch of a record.
pub fn read(reader: &Reader, record: &LeafRecord) -> Result<SealedBatch, LedgerError> {
    match reader.read_kept(record.pointer())? {
        Kept::Whole(batch) => from_frame(record.leaf, batch),
        Kept::Pruned(pruned) => from_pruned(record.leaf, pruned),
    }
}

/// A failed store as a failed ledger: the question could not be answered.
pub fn store_error(error: StoreError) -> LedgerError {
    LedgerError::Store(Box::new(error))
}
