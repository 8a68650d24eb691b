//! Leaving: what a person holds, in the order in which it is taken back, who ticked what off, and what was used after.
//!
//! Pure: the list comes from the roster (and from what the machines' inventories say, where agents report one),
//! ticks from acts, the watch from entries. The order is that of urgency: what reaches in from outside first,
//! what opens a door last. Nothing here says that anybody did anything; it says what a record shows.

mod book;
mod holdings;
mod inventory;
mod watch;

pub use book::{DepartureFault, DepartureStep, Tick, Ticks};
pub use holdings::checklist;
pub use inventory::{Holding, Inventory};
pub use watch::{Use, Watch};

use serde::Serialize;

/// What kind of thing a step takes back; the order of the kinds is the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Open sessions.
    Sessions,
    /// Remote-support tools.
    RemoteTools,
    /// Administrator groups and sudoers.
    AdminGroups,
    /// Accounts, machine by machine.
    Accounts,
    /// SSH keys.
    Keys,
    /// Mailbox, forwards, delegates, phones that synchronise.
    Mail,
    /// Passwords that they know.
    Passwords,
    /// Programs that run as them.
    Jobs,
    /// Covers that name them.
    Covers,
    /// Contracts.
    Contracts,
    /// Keys of doors, phones, papers.
    Things,
}

/// One thing to do when a person leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Short name by which it is ticked; the same as long as the roster says the same.
    pub id: String,
    /// What to do.
    pub what: String,
    /// Why, in one sentence.
    pub why: String,
    /// Where it stands in the list.
    pub order: Order,
}
