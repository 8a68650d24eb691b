//! What might be watched on this machine and is not: found, proposed, confirmed by a person, watched from then on.
//!
//! ```text
//! templates by place, files by content (look) -> Proposal -> event -> a person at the collector -> decision -> book
//! a new file that looks like an export (arrivals) ------------------------------------------------------> book
//! ```
//! Nobody confirms on this machine: its administrator may be who is watched. A decision comes down the agent's stream,
//! and the [`book::Book`] keeps it. The book only ever adds watches to those of the configuration; a declined proposal
//! is not made again. A new file that looks like an export is watched at once, and that is told.

pub mod arrivals;
pub mod book;
pub mod homes;
pub mod look;
pub mod recognise;
pub mod settling;
pub mod templates;

use ntk_evidence::event::{Class, Event, Inventory, InventoryReason, Kind, Object, Source};
use ntk_evidence::hash::Hash;
use ntk_evidence::time::Moment;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::inventory::SENSOR;

/// Letters of a proposal's id: two equal ones on one machine are not to be expected, and people type them.
const ID_LETTERS: usize = 12;

/// Something that might be watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The same for the same class and path, also after a new start.
    pub id: String,
    /// Absolute path.
    pub path: String,
    /// Class of asset.
    pub class: Class,
    /// Whose it is, where it belongs to one account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What speaks for it, in words.
    pub because: String,
}

/// The id of a proposal.
pub fn id_of(class: &Class, path: &str) -> String {
    let hash = Hash::of(format!("ntk watch\n{class}\n{path}").as_bytes()).to_hex();
    hash.chars().take(ID_LETTERS).collect()
}

impl Proposal {
    /// The event that tells of it.
    pub fn event(&self, reason: InventoryReason, now: Moment) -> Event {
        let mut event = Event::new(Kind::Inventory, clock::text(now));
        event.object = Some(Object {
            path: Some(self.path.clone()),
            owner: self.owner.clone(),
            class: Some(self.class.clone()),
            ..Object::default()
        });
        event.inventory = Some(Box::new(Inventory {
            proposal: Some(self.id.clone()),
            because: Some(self.because.clone()),
            ..Inventory::new(reason)
        }));
        event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
        event
    }
}

/// The event that says how many places were found and not proposed.
pub fn left_out(n: u64, now: Moment) -> Event {
    let mut event = Event::new(Kind::Inventory, clock::text(now));
    event.inventory =
        Some(Box::new(Inventory { left_out: Some(n), ..Inventory::new(InventoryReason::WatchProposed) }));
    event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
    event
}

#[cfg(test)]
mod tests;
