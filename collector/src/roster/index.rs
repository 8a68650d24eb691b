//! Where people, accounts and keys stand in the roster, by what records name them with.
//!
//! Every access asks who holds its account and whose asset it reached; a large practice has hundreds of both.
//! A look-up here gives positions only, in the order of the text: whether an account fits is for
//! [`Account`] to say, so that the first that fits is the same as without the index.

use std::collections::HashMap;

use ntk_evidence::event::Actor;

use super::{Account, Key, Person};

/// Positions by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    persons: HashMap<String, usize>,
    /// Mail addresses in lower case.
    addresses: HashMap<String, usize>,
    roles: HashMap<String, Vec<usize>>,
    keys: HashMap<String, usize>,
    uids: HashMap<u32, Vec<usize>>,
    users: HashMap<String, Vec<usize>>,
    /// SIDs, UPNs and health-record accounts in lower case.
    names: HashMap<String, Vec<usize>>,
}

impl Index {
    pub(super) fn add_person(&mut self, person: &Person, position: usize) {
        self.persons.entry(person.id.clone()).or_insert(position);
        if let Some(email) = &person.email {
            self.addresses.entry(email.to_ascii_lowercase()).or_insert(position);
        }
        for role in &person.roles {
            let positions = self.roles.entry(role.clone()).or_default();
            if positions.last() != Some(&position) {
                positions.push(position);
            }
        }
    }

    pub(super) fn add_account(&mut self, account: &Account, position: usize) {
        if let Some(uid) = account.uid {
            self.uids.entry(uid).or_default().push(position);
        }
        if let Some(user) = &account.user {
            self.users.entry(user.clone()).or_default().push(position);
        }
        for name in [&account.sid, &account.upn, &account.ehr_user].into_iter().flatten() {
            self.names.entry(name.to_ascii_lowercase()).or_default().push(position);
        }
    }

    pub(super) fn add_key(&mut self, key: &Key, position: usize) {
        self.keys.entry(key.fingerprint.clone()).or_insert(position);
    }

    pub(super) fn person(&self, id: &str) -> Option<usize> {
        self.persons.get(id).copied()
    }

    pub(super) fn address(&self, address: &str) -> Option<usize> {
        self.addresses.get(&address.to_ascii_lowercase()).copied()
    }

    pub(super) fn with_role(&self, role: &str) -> &[usize] {
        self.roles.get(role).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn key(&self, fingerprint: &str) -> Option<usize> {
        self.keys.get(fingerprint).copied()
    }

    /// Accounts that share a uid or a name with an actor.
    pub(super) fn accounts_of(&self, actor: &Actor) -> impl Iterator<Item = usize> {
        let by_uid = actor.login_uid.and_then(|uid| self.uids.get(&uid));
        let by_user = actor.login_user.as_ref().and_then(|user| self.users.get(user));
        let names = [&actor.sid, &actor.upn, &actor.ehr_user].into_iter().flatten();
        let by_name = names.filter_map(|name| self.names.get(&name.to_ascii_lowercase()));
        by_uid.into_iter().chain(by_user).chain(by_name).flatten().copied()
    }

    /// Accounts that a typed name could mean.
    pub(super) fn accounts_called(&self, name: &str) -> impl Iterator<Item = usize> {
        let (by_user, by_name) = (self.users.get(name), self.names.get(&name.to_ascii_lowercase()));
        by_user.into_iter().chain(by_name).flatten().copied()
    }
}
