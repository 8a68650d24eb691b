//! The list of a departure: everything that the roster and the machines say a person holds, in order.

use std::collections::BTreeSet;

use ntk_evidence::event::HoldingKind;
use serde::Serialize;

use super::{Holding, Inventory, Order, Step};
use crate::roster::{Account, Person, Roster};

/// What has to be taken back when this person leaves; empty where nobody has this id.
pub fn checklist(roster: &Roster, person: &str, inventory: Option<&Inventory>) -> Vec<Step> {
    let Some(person) = roster.person(person) else { return Vec::new() };
    let mut list = List { roster, person, steps: Vec::new() };
    list.sessions_and_tools();
    list.admin_groups(inventory);
    list.accounts_and_keys();
    list.mail();
    list.passwords();
    list.jobs();
    list.covers();
    list.contract_and_things();
    if let Some(inventory) = inventory {
        list.reported_by_machines(inventory);
    }
    list.finish()
}

/// Names of a person's accounts and fingerprints of their keys, in small letters.
fn names_of(roster: &Roster, person: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for account in roster.accounts().iter().filter(|account| account.holder.person() == Some(person)) {
        let texts = [&account.user, &account.sid, &account.upn];
        names.extend(texts.into_iter().flatten().map(|text| text.to_ascii_lowercase()));
    }
    let keys = roster.keys().iter().filter(|key| key.person == person);
    names.extend(keys.map(|key| key.fingerprint.to_ascii_lowercase()));
    names
}

/// One thing that a machine says a person holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The machine.
    pub host: String,
    /// What, in words.
    pub what: String,
    /// Since when the machine tells of it, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// What machines say that this person's accounts and keys hold.
pub fn held(roster: &Roster, person: &str, inventory: &Inventory) -> Vec<Held> {
    let names = names_of(roster, person);
    let held = inventory.of(&names).map(|holding| {
        let kind = match holding.order {
            Order::RemoteTools => "remote access",
            Order::AdminGroups => "administrator’s rights",
            Order::Accounts => "account",
            Order::Keys => "key",
            Order::Mail => "mail",
            Order::Passwords => "place of passwords or keys",
            Order::Jobs => "job or service",
            Order::Sessions | Order::Covers | Order::Contracts | Order::Things => "other",
        };
        let whose = holding.whose.iter().find(|whose| **whose != holding.name);
        let whose = whose.map(|whose| format!(" (account {whose})")).unwrap_or_default();
        Held {
            host: holding.host.clone(),
            what: format!("{kind}: {}{whose}", holding.name),
            since: inventory.since(holding).map(str::to_owned),
        }
    });
    held.collect()
}

struct List<'r> {
    roster: &'r Roster,
    person: &'r Person,
    steps: Vec<Step>,
}

impl<'r> List<'r> {
    fn add(&mut self, order: Order, id: String, what: String, why: &str) {
        self.steps.push(Step { id: slug(&id), what, why: why.to_owned(), order, since: None });
    }

    fn own(&self) -> impl Iterator<Item = &'r Account> + use<'r> {
        let id = self.person.id.as_str();
        self.roster.accounts().iter().filter(move |account| account.holder.person() == Some(id))
    }

    fn sessions_and_tools(&mut self) {
        let who = &self.person.name;
        self.add(
            Order::Sessions,
            "sessions".into(),
            format!("End every open session of {who}"),
            "An open session goes on after a password is changed.",
        );
        for tool in &self.person.remote_tools {
            self.add(
                Order::RemoteTools,
                format!("remote-tool/{tool}"),
                format!("Remove {tool} or its access rights from every computer"),
                "It reaches a computer from outside without an account there.",
            );
        }
    }

    fn admin_groups(&mut self, inventory: Option<&Inventory>) {
        // Where machines report their groups, each of them has its own step.
        if inventory.is_some_and(|inventory| inventory.all(Order::AdminGroups).next().is_some()) {
            return;
        }
        self.add(
            Order::AdminGroups,
            "admin-groups".into(),
            format!("Take the accounts of {} out of administrator groups and sudoers", self.person.name),
            "With an administrator’s rights a closed account can be opened again.",
        );
    }

    fn accounts_and_keys(&mut self) {
        for account in self.own() {
            self.add(
                Order::Accounts,
                format!("account/{}", short(account)),
                format!("Close the account {}", account.in_words()),
                "The roster says that they hold it.",
            );
        }
        for key in self.roster.keys().iter().filter(|key| key.person == self.person.id) {
            let tail: String = key.fingerprint.trim_start_matches("SHA256:").chars().take(12).collect();
            self.add(
                Order::Keys,
                format!("key/{tail}"),
                format!("Remove the SSH key {} from every authorized_keys file", key.fingerprint),
                "A key opens an account without its password, also accounts of others.",
            );
        }
    }

    fn mail(&mut self) {
        let has_mail = self.person.email.is_some() || self.own().any(|account| account.upn.is_some());
        if has_mail {
            self.add(
                Order::Mail,
                "mail".into(),
                format!(
                    "Close the mailbox of {}, look for forwards and delegates, sign out phones",
                    self.person.name
                ),
                "Mail goes on arriving, and a forward or a phone goes on reading it.",
            );
        }
    }

    fn passwords(&mut self) {
        let id = &self.person.id;
        for account in self.roster.accounts() {
            let shares = account.is_shared() && account.holder.ids().contains(id);
            if shares || account.known_to.contains(id) {
                self.add(
                    Order::Passwords,
                    format!("password/{}", short(account)),
                    format!("Change the password of {}", account.in_words()),
                    "The roster says that they know it.",
                );
            }
        }
    }

    fn jobs(&mut self) {
        for job in self.roster.jobs() {
            let runs_as = |account: &Account| {
                let same_host = account.host.as_deref().is_none_or(|host| host == job.host);
                let same_uid = account.uid.is_some() && account.uid == job.uid;
                let same_user = account.user.is_some() && account.user == job.user;
                same_host && (same_uid || same_user)
            };
            if self.own().any(runs_as) {
                self.add(
                    Order::Jobs,
                    format!("job/{}", job.id),
                    format!("Give {} on {} an account of its own", job.name, job.host),
                    "It runs as an account of theirs and stops when that is closed.",
                );
            }
        }
    }

    fn covers(&mut self) {
        let id = &self.person.id;
        let ends_before =
            |cover: &crate::roster::Cover| self.person.leave_date.is_some_and(|leave| cover.to < leave);
        let open = self.roster.all_covers().iter().filter(|cover| !ends_before(cover));
        let open: Vec<_> = open.filter(|cover| cover.person == *id || cover.covers == *id).collect();
        for cover in open {
            let name =
                |id: &str| self.roster.person(id).map_or_else(|| id.to_owned(), |person| person.name.clone());
            self.add(
                Order::Covers,
                format!("cover/{}-{}-{}", cover.person, cover.covers, cover.from),
                format!(
                    "End the cover of {} by {} from {} to {}",
                    name(&cover.covers),
                    name(&cover.person),
                    cover.from,
                    cover.to
                ),
                "It lends roles until its last day.",
            );
        }
    }

    fn contract_and_things(&mut self) {
        let Person { name, is_organisation, .. } = self.person;
        if *is_organisation {
            self.add(
                Order::Contracts,
                "contract".into(),
                format!("Settle the end of the contract with {name}, with the return of data and passwords in writing"),
                "What they still hold afterwards is then theirs to give back.",
            );
            self.add(
                Order::Things,
                "keys-and-phone".into(),
                format!("Take back door keys, cards and equipment from {name} and tell the building and the telephone company"),
                "Whoever stands in the room needs no account.",
            );
        } else {
            self.add(
                Order::Contracts,
                "contract".into(),
                format!("Tell firms that know {name} as a contact: software, laboratory, bank, insurer"),
                "They give out access to whom they know.",
            );
            self.add(
                Order::Things,
                "keys-and-phone".into(),
                format!("Take back door keys, cards, phone, laptop and papers from {name}"),
                "Whoever stands in the room needs no account.",
            );
        }
    }

    /// What machines report beyond the roster.
    fn reported_by_machines(&mut self, inventory: &Inventory) {
        let names = names_of(self.roster, &self.person.id);
        for holding in inventory.of(&names) {
            let (host, name) = (&holding.host, &holding.name);
            // The roster's own step names the account already.
            let is_known = |account: &Account| {
                account.user.as_ref() == Some(name) && account.host.as_ref().is_none_or(|known| known == host)
            };
            if holding.order == Order::Accounts && self.own().any(is_known) {
                continue;
            }
            let Some(what) = holding.step() else { continue };
            let id = format!("machine/{host}/{:?}/{name}", holding.order);
            self.add(holding.order, id, what, "The machine’s own inventory names it.");
            if let Some(step) = self.steps.last_mut() {
                step.since = inventory.since(holding).map(str::to_owned);
            }
        }
        if self.person.remote_tools.is_empty() {
            let is_tool = |holding: &&Holding| holding.what != Some(HoldingKind::VpnProfile);
            for holding in inventory.all(Order::RemoteTools).filter(is_tool) {
                let id = format!("machine/{}/RemoteTools/{}", holding.host, holding.name);
                let what = format!(
                    "Ask whether {} knows how to reach {} on {}",
                    self.person.name, holding.name, holding.host
                );
                self.add(Order::RemoteTools, id, what, "The machine’s own inventory lists it.");
            }
        }
    }

    /// In order, each name once.
    fn finish(mut self) -> Vec<Step> {
        self.steps.sort_by_key(|step| step.order);
        let mut taken = BTreeSet::new();
        for step in &mut self.steps {
            let wanted = step.id.clone();
            let mut n = 2u32;
            while !taken.insert(step.id.clone()) {
                step.id = format!("{wanted}-{n}");
                n = n.saturating_add(1);
            }
        }
        self.steps
    }
}

/// An account as one word: `itadmin1@ws-01`.
fn short(account: &Account) -> String {
    let uid = account.uid.map(|uid| format!("uid{uid}"));
    let names = [&account.user, &uid, &account.upn, &account.ehr_user, &account.sid];
    let name = names.into_iter().flatten().next().cloned().unwrap_or_default();
    match &account.host {
        Some(host) => format!("{name}@{host}"),
        None => name,
    }
}

/// A name that can be typed without quotes.
fn slug(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/@.-_+".contains(letter);
    text.chars().map(|letter| if plain(letter) { letter } else { '-' }).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests;
