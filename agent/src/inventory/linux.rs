//! What accounts of a Linux machine hold: from its files alone.

pub mod accounts;
mod jobs;
mod logs;
mod mail;
mod places;
mod ssh;
mod sudo;
pub mod tools;
mod units;

use std::collections::BTreeSet;

use ntk_evidence::time::Moment;

use super::Found;
use super::list::List;
use super::root::Root;
use super::running::Running;
use accounts::People;
use logs::LastUsed;

/// Looks at a machine.
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
