//! What accounts of a Windows machine hold: local administrators and other groups, services, scheduled tasks, what a login
//! starts, remote access, shared folders, certificates with keys.
//!
//! Everything comes from the registry and from files; only names of accounts are asked for ([`system::System`]). Groups go by
//! their identifiers: their names are localised. As on Linux: names only, never a value.

pub mod certificates;
#[cfg(test)]
pub mod fake;
pub mod services;
pub mod starts;
pub mod system;
pub mod tasks;
pub mod ways_in;

use std::collections::BTreeSet;

use ntk_evidence::event::{Holding, HoldingKind};
use ntk_windows::sid::POWERFUL_GROUPS;

use super::Found;
use super::list::List;
use super::root::Root;
use super::running::Running;
use crate::discover::homes;
use system::{Environment, System};

/// What members of a group can do.
fn reach(sid: &str) -> &'static str {
    match sid {
        "S-1-5-32-544" => "may do everything on this machine",
        "S-1-5-32-551" => "may read every file, to back it up",
        "S-1-5-32-555" => "may sign in through Remote Desktop",
        "S-1-5-32-580" => "may run commands from elsewhere",
        "S-1-5-32-573" => "may read the event log",
        "S-1-5-32-578" => "may start and copy virtual machines",
        _ => "has rights of an administrator",
    }
}

/// Looks at a machine.
pub fn take(system: &dyn System, root: &Root, running: &Running) -> Found {
    let environment = Environment::read(system);
    let homes = homes::of_windows(system, root);
    let mut list = List::default();
    let mut cannot_see = Vec::new();
    let administrators = people(system, &mut list, &mut cannot_see);
    let services = services::services(system, &environment);
    services::list(&services, &environment, &mut list);
    cannot_see.extend(tasks::list(system, root, &environment, &mut list));
    starts::list(system, root, &homes, &environment, &mut list);
    ways_in::list(system, &environment, &services, running, &mut list);
    certificates::list(system, &mut list);
    let (holdings, left_out) = list.finish();
    cannot_see.push(
        "services and tasks whose program lies in the folder of Windows are taken to be Windows' own"
            .to_owned(),
    );
    cannot_see.push(
        "what an account that is not signed in starts at its login is in no registry that is loaded"
            .to_owned(),
    );
    cannot_see.extend(root.unread());
    cannot_see.extend(system.unread());
    Found { holdings, administrators, left_out, cannot_see }
}

/// Accounts of the machine, and members of groups with rights; who of them can act as an administrator.
fn people(system: &dyn System, list: &mut List, cannot_see: &mut Vec<String>) -> BTreeSet<String> {
    match system.accounts() {
        Ok(accounts) => {
            for account in accounts.into_iter().filter(|account| !account.is_disabled) {
                let detail = if account.needs_no_password {
                    "of this machine, needs no password"
                } else {
                    "of this machine"
                };
                list.add(Holding {
                    detail: Some(detail.to_owned()),
                    ..List::of(HoldingKind::Account, &account.name, &[&account.name])
                });
            }
        }
        Err(why) => cannot_see.push(format!("the accounts of this machine ({why})")),
    }
    let mut administrators = BTreeSet::new();
    for (sid, name) in POWERFUL_GROUPS {
        match system.members(sid) {
            Ok(members) => {
                for member in members {
                    if *sid == "S-1-5-32-544" {
                        administrators.insert(member.clone());
                    }
                    list.add(Holding {
                        place: Some((*sid).to_owned()),
                        detail: Some(reach(sid).to_owned()),
                        ..List::of(HoldingKind::AdminGroup, name, &[&member])
                    });
                }
            }
            Err(why) => cannot_see.push(format!("members of the group {name} ({why})")),
        }
    }
    administrators
}

#[cfg(test)]
mod tests;
