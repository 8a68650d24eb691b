//! What machines told of themselves, as rows of the query store: their state, holdings, and proposals to watch.
//!
//! Rows of one commit are made in memory and written with it. A machine's last word stands, so reading the same leaves
//! again ends in the same rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use ntk_evidence::event::{Event, InventoryReason, Kind};

use crate::inventory::Known;
use crate::proposals::Proposal;
use crate::store::{Changes, HealthRecord, InventoryRecord, LeafRecord, ProposalRecord, Store, StoreError};

/// Longest id of a proposal that gets a row: agents make shorter ones.
const ID_MAX: usize = 64;

/// The rows that a commit changes.
pub(super) struct Told {
    store: Arc<Store>,
    health: BTreeMap<String, HealthRecord>,
    inventories: BTreeMap<String, InventoryRecord>,
    proposals: BTreeMap<(String, String), ProposalRecord>,
}

impl Told {
    pub(super) fn begin(store: &Arc<Store>) -> Self {
        Self {
            store: Arc::clone(store),
            health: BTreeMap::new(),
            inventories: BTreeMap::new(),
            proposals: BTreeMap::new(),
        }
    }

    /// Takes in an entry of a machine, which lies in this leaf.
    pub(super) fn observe(&mut self, of: &LeafRecord, event: &Event) -> Result<(), StoreError> {
        let (leaf, author, received_unix_ns) = (of.leaf, of.author.as_str(), of.received_unix_ns);
        if let Some(health) = event.health.as_deref().cloned() {
            let record = HealthRecord { leaf, received_unix_ns, author: author.to_owned(), health };
            self.health.insert(author.to_owned(), record);
        }
        if event.kind != Kind::Inventory {
            return Ok(());
        }
        let before = match self.inventories.get(author) {
            Some(record) => Some(record.clone()),
            None => self.store.inventory(author)?,
        };
        if let Some(known) = Known::after(before.as_ref().map(|record| &record.known), author, event) {
            let reason = event.inventory.as_ref().map(|inventory| &inventory.reason);
            let full = before.filter(|_| reason == Some(&InventoryReason::Change));
            let leaf = full.map_or(leaf, |record| record.leaf);
            self.inventories.insert(author.to_owned(), InventoryRecord { leaf, known });
        }
        let id = event.inventory.as_ref().and_then(|inventory| inventory.proposal.as_deref());
        let Some(id) = id.filter(|id| id.len() <= ID_MAX && !id.contains('\0')) else { return Ok(()) };
        let key = (author.to_owned(), id.to_owned());
        let before = match self.proposals.get(&key) {
            Some(record) => Some(record.clone()),
            None => self.store.proposal(author, id)?,
        };
        let before = before.as_ref().map(|record| &record.proposal);
        if let Some(proposal) = Proposal::after(before, author, event) {
            self.proposals.insert(key, ProposalRecord { leaf, received_unix_ns, proposal });
        }
        Ok(())
    }

    /// Puts the rows among the commit's changes.
    pub(super) fn end(self, changes: &mut Changes) -> Result<(), StoreError> {
        for record in self.health.values() {
            changes.health(record)?;
        }
        for record in self.inventories.values() {
            changes.inventory(record)?;
        }
        for record in self.proposals.values() {
            changes.proposal(record)?;
        }
        Ok(())
    }
}
