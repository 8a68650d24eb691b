//! What each account of this machine holds: rights, keys, jobs, tools, forwards, ways in, and where secrets lie.
//!
//! Names only, never a value: keys by fingerprint, commands by program, options by name, secrets by place (PR-2). Every
//! file is read bounded and as far as it is the account's own (`root`); every parser is total. What could not be read is
//! said.
//!
//! [`look`] looks once. [`Watch`] turns looks into events: everything at the start, afterwards what is new and gone.
//! [`answer`] tells everything again to whoever asked.

#[cfg(target_os = "linux")]
pub mod linux;
mod list;
pub mod root;
pub mod running;
pub mod text;
pub mod windows;

#[cfg(target_os = "linux")]
pub use linux::take;

use std::collections::BTreeSet;

use ntk_evidence::event::{Event, Holding, Inventory, InventoryReason, Kind, Source};
use ntk_evidence::time::Moment;

use crate::clock;
use root::Root;
use running::Running;

/// Name under which inventories stand in events.
pub const SENSOR: &str = "inventory";

/// What one look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Everything, sorted.
    pub holdings: Vec<Holding>,
    /// Accounts that can act as an administrator.
    pub administrators: BTreeSet<String>,
    /// How many more there are than are listed.
    pub left_out: u64,
    /// Sentences about what could not be looked at.
    pub cannot_see: Vec<String>,
}

/// Looks at this machine.
pub fn look(now: Moment) -> Found {
    let root = Root::here();
    let running = Running::now(&root);
    #[cfg(windows)]
    {
        let _ = now;
        windows::take(&crate::windows::machine::Machine::default(), &root, &running)
    }
    #[cfg(not(windows))]
    take(&root, &running, now)
}

/// What was told last, so that the next event says what changed.
#[derive(Debug, Default)]
pub struct Watch {
    told: Option<(Vec<Holding>, Vec<String>)>,
}

impl Watch {
    /// The event that a look makes due, if any.
    pub fn event(&mut self, found: &Found, now: Moment) -> Option<Event> {
        let told = self.told.replace((found.holdings.clone(), found.cannot_see.clone()));
        let mut inventory = details(InventoryReason::Start, found);
        match told {
            None => inventory.holdings.clone_from(&found.holdings),
            Some((before, could_not_see)) => {
                inventory.reason = InventoryReason::Change;
                inventory.holdings = beyond(&found.holdings, &before);
                inventory.gone = beyond(&before, &found.holdings);
                if inventory.holdings.is_empty()
                    && inventory.gone.is_empty()
                    && could_not_see == found.cannot_see
                {
                    return None;
                }
            }
        }
        Some(event(inventory, now))
    }
}

/// Everything, because somebody asked for it; `id` is that of the question.
pub fn answer(found: &Found, id: &str, now: Moment) -> Event {
    let mut inventory = details(InventoryReason::Asked, found);
    inventory.holdings.clone_from(&found.holdings);
    inventory.asked = Some(id.to_owned());
    event(inventory, now)
}

fn details(reason: InventoryReason, found: &Found) -> Inventory {
    let mut inventory = Inventory::new(reason);
    inventory.cannot_see.clone_from(&found.cannot_see);
    inventory.left_out = Some(found.left_out).filter(|n| *n > 0);
    inventory
}

fn event(inventory: Inventory, now: Moment) -> Event {
    let mut event = Event::new(Kind::Inventory, clock::text(now));
    event.inventory = Some(Box::new(inventory));
    event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
    event
}

/// What is in the first and not in the second; a later use alone is no difference.
fn beyond(these: &[Holding], those: &[Holding]) -> Vec<Holding> {
    let bare = |holding: &Holding| Holding { last_used: None, ..holding.clone() };
    let those: BTreeSet<Holding> = those.iter().map(bare).collect();
    these.iter().filter(|holding| !those.contains(&bare(holding))).cloned().collect()
}

#[cfg(test)]
mod tests;
