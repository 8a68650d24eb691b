//! The roster: which person holds which account and key, and which programs run as jobs.
//!
//! The person is the unit of review. A record names an account (a login uid on a host, a SID, a mail or
//! health-record account); [`Roster::person_of`] says who holds it, as the practice wrote it down. An account
//! that nobody wrote down is first-class: it is named as itself, never guessed to be somebody.

pub mod append;
mod change;
pub mod csv;
mod entry;
mod index;
mod items;
mod parse;
pub mod proposal;
mod raw;
mod standing;

use ntk_evidence::event::{Actor, Confidence};
use serde::{Deserialize, Serialize};

use index::Index;

pub use change::changes;
pub use entry::{
    Account, Acknowledgement, Cover, Holder, Job, Key, Leave, Machine, Notice, NoticeKind, Person,
};
pub use items::{ItemKind, RosterItem, roster_items};
pub use parse::RosterError;
pub(crate) use parse::version_of;
pub use proposal::Proposal;

/// The login uid that the kernel gives to processes outside any login.
const LOGIN_UID_UNSET: u32 = u32::MAX;

/// Who holds what, as the practice wrote it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    version: String,
    persons: Vec<Person>,
    accounts: Vec<Account>,
    keys: Vec<Key>,
    jobs: Vec<Job>,
    covers: Vec<Cover>,
    leave: Vec<Leave>,
    notices: Vec<Notice>,
    acknowledgements: Vec<Acknowledgement>,
    machines: Vec<Machine>,
    index: Index,
}

/// What a record and the roster together say about who acted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// The account is held by this person (id).
    Person(String),
    /// The account is shared by these people (ids): which of them acted is not on the record.
    Shared(Vec<String>),
    /// An account that is not in the roster, in words.
    Account(String),
    /// The record names no account.
    Unattributed,
}

impl Default for Roster {
    /// Nobody yet: what an empty text says.
    fn default() -> Self {
        Self {
            version: version_of(""),
            persons: Vec::new(),
            accounts: Vec::new(),
            keys: Vec::new(),
            jobs: Vec::new(),
            covers: Vec::new(),
            leave: Vec::new(),
            notices: Vec::new(),
            acknowledgements: Vec::new(),
            machines: Vec::new(),
            index: Index::default(),
        }
    }
}

impl Roster {
    /// Reads the text of a roster; every fault is reported at once, with its key and line.
    pub fn parse(text: &str) -> Result<Self, RosterError> {
        parse::parse(text)
    }

    /// SHA-256 of the exact text, in hex.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Everybody in the roster.
    pub fn persons(&self) -> &[Person] {
        &self.persons
    }

    /// Every account in the roster.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Every job in the roster.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Every key in the roster.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Every leave block, in the order in which they were written.
    pub fn leave(&self) -> &[Leave] {
        &self.leave
    }

    /// Every version of every notice.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Who acknowledged what.
    pub fn acknowledgements(&self) -> &[Acknowledgement] {
        &self.acknowledgements
    }

    /// Every cover, past and to come.
    pub fn all_covers(&self) -> &[Cover] {
        &self.covers
    }

    /// Every computer that was written down.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// The person with this id.
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.persons.get(self.index.person(id)?)
    }

    /// Everybody with this role.
    pub fn with_role(&self, role: &str) -> impl Iterator<Item = &Person> {
        self.index.with_role(role).iter().filter_map(|position| self.persons.get(*position))
    }

    /// Whose doing a record shows, as far as the roster knows; a key names its holder before an account does.
    ///
    /// A name that was only typed (`claims`) names nobody: see [`Roster::claimed_person`].
    pub fn person_of(&self, host: &str, actor: &Actor) -> Attribution {
        if actor.confidence == Some(Confidence::Unattributed) {
            return Attribution::Unattributed;
        }
        if let Some(holder) = self.holder_of_key(actor) {
            return Attribution::Person(holder.id.clone());
        }
        match self.account_of(host, actor).map(|account| &account.holder) {
            Some(Holder::Person(id)) => return Attribution::Person(id.clone()),
            Some(Holder::Shared(ids)) => return Attribution::Shared(ids.clone()),
            None => {}
        }
        account_on_host(host, actor).map_or(Attribution::Unattributed, Attribution::Account)
    }

    /// The holder of the SSH key that opened the session.
    pub fn holder_of_key(&self, actor: &Actor) -> Option<&Person> {
        let fingerprint = actor.key.as_deref()?;
        let key = self.keys.get(self.index.key(fingerprint)?)?;
        self.person(&key.person)
    }

    /// The account that a record names.
    pub fn account_of(&self, host: &str, actor: &Actor) -> Option<&Account> {
        self.first(self.index.accounts_of(actor), |account| account.is_named_by(host, actor))
    }

    /// The one holder of the account itself, whatever key was used; a shared account has none.
    pub fn holder_of_account(&self, host: &str, actor: &Actor) -> Option<&Person> {
        self.person(self.account_of(host, actor)?.holder.person()?)
    }

    /// The user name that the roster gives this account.
    pub fn account_name(&self, host: &str, actor: &Actor) -> Option<&str> {
        self.account_of(host, actor)?.user.as_deref()
    }

    /// The one holder of the account whose name was typed at a login that failed: says nothing about who
    /// typed it.
    pub fn claimed_person(&self, host: &str, name: &str) -> Option<&Person> {
        let called = self.index.accounts_called(name);
        let account = self.first(called, |account| account.has_name(host, name))?;
        self.person(account.holder.person()?)
    }

    /// The person whom the owner of an asset names: by id, by mail address, by account name, or by a role that
    /// exactly one person has.
    pub fn owner(&self, host: &str, owner: &str) -> Option<&Person> {
        let by_address = || self.persons.get(self.index.address(owner)?);
        if let Some(person) = self.person(owner).or_else(by_address) {
            return Some(person);
        }
        if let Some(person) = self.claimed_person(host, owner) {
            return Some(person);
        }
        let mut with_role = self.with_role(owner);
        match (with_role.next(), with_role.next()) {
            (Some(person), None) => Some(person),
            _ => None,
        }
    }

    /// The first account of these, in the order of the text, that fits.
    fn first(
        &self,
        positions: impl Iterator<Item = usize>,
        fits: impl Fn(&Account) -> bool,
    ) -> Option<&Account> {
        let is_fitting = |position: &usize| self.accounts.get(*position).is_some_and(&fits);
        self.accounts.get(positions.filter(is_fitting).min()?)
    }

    fn add_person(&mut self, person: Person) {
        self.index.add_person(&person, self.persons.len());
        self.persons.push(person);
    }

    fn add_account(&mut self, account: Account) {
        self.index.add_account(&account, self.accounts.len());
        self.accounts.push(account);
    }

    fn add_key(&mut self, key: Key) {
        self.index.add_key(&key, self.keys.len());
        self.keys.push(key);
    }
}

/// The account of a record in words: `itadmin1 (uid 1001)`; nothing where the record names none.
pub fn account_text(actor: &Actor) -> Option<String> {
    let uid = actor.login_uid.filter(|uid| *uid != LOGIN_UID_UNSET);
    match (&actor.login_user, uid) {
        (Some(user), Some(uid)) => return Some(format!("{user} (uid {uid})")),
        (None, Some(uid)) => return Some(format!("uid {uid}")),
        // A service outside any login may carry a name that nobody logged in with.
        (Some(_), None) if actor.login_uid.is_some() => {}
        (Some(user), None) => return Some(user.clone()),
        (None, None) => {}
    }
    [&actor.upn, &actor.ehr_user, &actor.sid].into_iter().find_map(Clone::clone)
}

/// The account of a record in words, with its machine where it is an account of one machine: only so unique.
pub fn account_on_host(host: &str, actor: &Actor) -> Option<String> {
    let text = account_text(actor)?;
    let is_local = actor.login_uid.is_some() || actor.login_user.is_some();
    Some(if is_local { format!("{text} on {host}") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(actor: &str, expected: Expect) {
        let roster = Roster::parse(include_str!("../templates/roster-example.toml")).unwrap();
        let actor: Actor = serde_json::from_str(actor).unwrap();
        expected.assert_eq(&format!("{:?}", roster.person_of("ws-01", &actor)));
    }

    #[test]
    fn a_uid_on_its_host_names_the_person() {
        check(r#"{"login_uid":1001,"login_user":"itadmin1"}"#, expect![[r#"Person("northwind")"#]]);
    }

    #[test]
    fn a_uid_decides_over_a_name() {
        check(
            r#"{"login_uid":1777,"login_user":"itadmin1"}"#,
            expect![[r#"Account("itadmin1 (uid 1777) on ws-01")"#]],
        );
    }

    #[test]
    fn a_mail_account_is_compared_without_case() {
        check(r#"{"upn":"Mary@MapleStreet.example"}"#, expect![[r#"Person("mary")"#]]);
    }

    #[test]
    fn a_key_names_its_holder_before_the_account_does() {
        check(
            r#"{"login_uid":0,"login_user":"root","key":"SHA256:uNiVztksCsDhcc0u9e8BrqXVGHQ8k2bhBLXDbLX3Gx0"}"#,
            expect![[r#"Person("northwind")"#]],
        );
    }

    #[test]
    fn an_unknown_account_is_named_as_itself() {
        check(r#"{"login_uid":1044}"#, expect![[r#"Account("uid 1044 on ws-01")"#]]);
        check(r#"{"sid":"S-1-5-21-1-2-3-500"}"#, expect![[r#"Account("S-1-5-21-1-2-3-500")"#]]);
    }

    #[test]
    fn nobody_is_guessed() {
        check(r#"{}"#, expect!["Unattributed"]);
        check(r#"{"login_uid":4294967295,"login_user":"unset"}"#, expect!["Unattributed"]);
        check(r#"{"login_uid":1001,"confidence":"unattributed"}"#, expect!["Unattributed"]);
        check(r#"{"claims":"itadmin1"}"#, expect!["Unattributed"]);
    }

    #[test]
    fn a_shared_account_names_all_who_share_it_and_a_key_names_one() {
        let text = format!(
            "{}\n[[account]]\nshared_by = [\"sam\", \"bea\"]\nuser = \"desk\"\nknown_to = [\"northwind\"]",
            include_str!("../templates/roster-example.toml")
        );
        let roster = Roster::parse(&text).unwrap();
        let actor = |more: &str| {
            serde_json::from_str::<Actor>(&format!(r#"{{"login_uid":1010,"login_user":"desk"{more}}}"#))
                .unwrap()
        };
        let shared = Attribution::Shared(vec!["sam".into(), "bea".into()]);
        assert_eq!(roster.person_of("ws-02", &actor("")), shared);
        assert_eq!(roster.holder_of_account("ws-02", &actor("")), None);
        assert_eq!(roster.claimed_person("ws-02", "desk"), None);
        assert_eq!(roster.shared_accounts().map(Account::in_words).collect::<Vec<_>>(), ["desk"]);
        let key = r#","key":"SHA256:uNiVztksCsDhcc0u9e8BrqXVGHQ8k2bhBLXDbLX3Gx0""#;
        assert_eq!(roster.person_of("ws-02", &actor(key)), Attribution::Person("northwind".into()));
    }

    #[test]
    fn an_owner_is_found_by_id_address_account_or_only_role() {
        let roster = Roster::parse(include_str!("../templates/roster-example.toml")).unwrap();
        for owner in ["mary", "mary@maplestreet.example", "mlopez", "manager"] {
            assert_eq!(
                roster.owner("ws-01", owner).map(|person| person.id.as_str()),
                Some("mary"),
                "{owner}"
            );
        }
        assert_eq!(roster.owner("ws-01", "nobody"), None);
    }
}
