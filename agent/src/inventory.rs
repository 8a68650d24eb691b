//! What each account of this Linux machine holds: rights, keys, jobs, tools, forwards, ways in, and where secrets lie.
//!
//! Names only, never a value: keys by fingerprint, commands by program, options by name, secrets by place (PR-2). Every
//! file is read bounded and as far as it is the account's own (`root`); every parser is total. What could not be read is
//! said.
//!
//! [`take`] looks once. [`Watch`] turns looks into events: everything at the start, afterwards what is new and gone.
//! [`answer`] tells everything again to whoever asked.

pub mod accounts;
mod jobs;
mod list;
mod logs;
mod mail;
mod places;
pub mod root;
mod ssh;
mod sudo;
pub mod text;
pub mod tools;
mod units;

use std::collections::BTreeSet;

use ntk_evidence::event::{Event, Holding, Inventory, InventoryReason, Kind, Source};
use ntk_evidence::time::Moment;

use crate::clock;
use accounts::People;
use list::List;
use logs::LastUsed;
use root::Root;
use tools::Running;

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

/// Looks at the machine.
pub fn take(root: &Root, running: &Running, now: Moment) -> Found {
    let people = People::read(root);
    let last_used = LastUsed::read(root, now);
    let mut list = List::default();
    people.list(&last_used.accounts, &mut list);
    sudo::list(root, &people, &mut list);
    ssh::list(root, &people, &last_used.keys, &mut list);
    jobs::list(root, &people, &mut list);
    units::list(root, &people, &mut list);
    tools::list(root, running, &mut list);
    mail::list(root, &people, &mut list);
    places::list(root, &people, &mut list);
    let (holdings, left_out) = list.finish();
    let by_rule =
        holdings.iter().filter(|holding| holding.what == ntk_evidence::event::HoldingKind::SudoRule);
    let mut administrators: BTreeSet<String> =
        by_rule.flat_map(|rule| rule.accounts.iter().cloned()).collect();
    administrators.extend(
        people.accounts.iter().map(|account| account.name.clone()).filter(|name| people.is_admin(name)),
    );
    let mut cannot_see = root.unread();
    cannot_see.extend(directory_service(root));
    Found { holdings, administrators, left_out, cannot_see }
}

/// Accounts that come from elsewhere are not in the machine's own lists.
fn directory_service(root: &Root) -> Option<String> {
    let switch = root.read("/etc/nsswitch.conf")?;
    let line = switch.lines().find_map(|line| line.trim().strip_prefix("passwd:"))?;
    let elsewhere = line.split_whitespace().find(|word| ["sss", "ldap", "winbind", "nis"].contains(word))?;
    Some(format!("accounts and groups of the directory service ({elsewhere}) are not listed"))
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
