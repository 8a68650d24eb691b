//! What the query store keeps under its keys.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ntk_evidence::event::Health;
use ntk_evidence::hash::Hash;
use ntk_segment::pointer::{Pointer, SegmentNumber};
use serde::{Deserialize, Serialize};

use crate::engine::Around;
use crate::finding::Finding;
use crate::finding::step::StepRecord;
use crate::inventory::Known;
use crate::proposals::Proposal;

/// From which leaf everything has to be read again after a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The leaf.
    pub leaf: u64,
    /// Segment of the frame to go on with.
    pub segment: u64,
    /// Its position there.
    pub offset: u64,
}

impl Cursor {
    /// A cursor at a frame.
    pub const fn at(leaf: u64, pointer: Pointer) -> Self {
        Self { leaf, segment: pointer.segment.value(), offset: pointer.offset }
    }

    /// The frame's position.
    pub const fn pointer(self) -> Pointer {
        Pointer::new(SegmentNumber::new(self.segment), self.offset)
    }
}

/// Where a batch lies, whose it is, which span of time it covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafRecord {
    /// Index in the collector log.
    pub leaf: u64,
    /// Segment.
    pub segment: u64,
    /// Position there.
    pub offset: u64,
    /// Author.
    pub author: String,
    /// Epoch of the author's key.
    pub epoch: u32,
    /// Number of the first entry.
    pub first: u64,
    /// Number after the last entry.
    pub size: u64,
    /// When it was received, nanoseconds since 1970.
    pub received_unix_ns: i64,
    /// Earliest time of an entry, as claimed, nanoseconds since 1970.
    pub from_unix_ns: i64,
    /// Latest.
    pub to_unix_ns: i64,
    /// What surrounded entries that need it to be decided again, by number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub around: BTreeMap<u64, Around>,
}

impl LeafRecord {
    /// When it was received.
    pub fn received(&self) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(self.received_unix_ns)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Whether entries of it may lie in `[from, to]`, as they claim.
    pub const fn touches(&self, from_unix_ns: i64, to_unix_ns: i64) -> bool {
        self.from_unix_ns <= to_unix_ns && self.to_unix_ns >= from_unix_ns
    }

    /// What surrounded an entry of this batch: noted where it changed.
    pub fn around(&self, number: u64) -> Around {
        self.around.range(..=number).next_back().map(|(_, around)| around.clone()).unwrap_or_default()
    }
}

/// A step of a ticket as the ledger holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TicketAct {
    /// When, by the collector's clock, RFC 3339.
    pub time: String,
    /// Kind of the act.
    pub kind: String,
    /// Its body.
    pub body: serde_json::Value,
}

impl LeafRecord {
    /// Position of the BATCH frame.
    pub const fn pointer(&self) -> Pointer {
        Pointer::new(SegmentNumber::new(self.segment), self.offset)
    }
}

/// Where a roll-over lies, with what shows that it is the entry of its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollOverRecord {
    /// The epoch that it begins.
    pub epoch: u32,
    /// Index of its batch in the collector log.
    pub leaf: u64,
    /// Its number in the author's log.
    pub number: u64,
    /// Roots of the full subtrees before it, largest first.
    pub before: Vec<Hash>,
}

/// What a machine's agent last said of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthRecord {
    /// Leaf in which it was told.
    pub leaf: u64,
    /// When that was received, nanoseconds since 1970.
    pub received_unix_ns: i64,
    /// Whose it is.
    pub author: String,
    /// What it said.
    pub health: Health,
}

/// What a machine's accounts hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryRecord {
    /// Leaf of the last full inventory.
    pub leaf: u64,
    /// As it stands.
    pub known: Known,
}

/// What a machine proposed to watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalRecord {
    /// Leaf in which it was told last.
    pub leaf: u64,
    /// When that was received, nanoseconds since 1970.
    pub received_unix_ns: i64,
    /// As it stands.
    pub proposal: Proposal,
}

/// A finding as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRecord {
    /// The finding with its counts so far.
    pub finding: Finding,
    /// Whether its window is still open.
    pub is_open: bool,
    /// Number of the act that opened it, in the collector's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<u64>,
    /// Number of the act that closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<u64>,
    /// What was asked, answered and decided about it, in the order of the ledger.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepRecord>,
}
