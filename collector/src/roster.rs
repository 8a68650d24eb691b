//! The roster: which person holds which account and key, and which programs run as jobs.
//!
//! The person is the unit of review. A record names an account (a login uid on a host, a SID, a mail or
//! health-record account); [`Roster::person_of`] says who holds it, as the practice wrote it down. An account
//! that nobody wrote down is first-class: it is named as itself, never guessed to be somebody.

mod parse;

use jiff::civil::Date;
use ntk_evidence::event::{Actor, Class, Confidence};
use serde::{Deserialize, Serialize};

pub use parse::RosterError;
pub(crate) use parse::version_of;

use crate::policy::hours::Span;

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
}

/// One person, or an organisation whose technicians change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Short name that never changes, such as `mary`.
    pub id: String,
    /// Name as people say it.
    pub name: String,
    /// Rows of the table that apply.
    pub roles: Vec<String>,
    /// Firm the person works for, where it is not the practice.
    pub organisation: Option<String>,
    /// Address for questions.
    pub email: Option<String>,
    /// First day.
    pub employed_from: Option<Date>,
    /// First day on which nothing of this person's is used any more.
    pub leave_date: Option<Date>,
    /// Day since which it is known that the person leaves.
    pub notice_given: Option<Date>,
    /// A firm whose technicians change.
    pub is_organisation: bool,
}

/// One account and its holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Id of the holder.
    pub person: String,
    /// Machine on which the account exists; absent for accounts that are the same everywhere.
    pub host: Option<String>,
    /// Linux uid on that machine.
    pub uid: Option<u32>,
    /// User name.
    pub user: Option<String>,
    /// Windows security identifier.
    pub sid: Option<String>,
    /// Microsoft 365 user principal name.
    pub upn: Option<String>,
    /// Account in the health-record system.
    pub ehr_user: Option<String>,
}

/// One SSH key and its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Id of the holder.
    pub person: String,
    /// `SHA256:...` as sshd writes it.
    pub fingerprint: String,
}

/// A program that works by itself: one program, one account, one machine, its hours, what it may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Short name.
    pub id: String,
    /// What it does, as people say it.
    pub name: String,
    /// Full path of the program.
    pub program: String,
    /// Machine it runs on.
    pub host: String,
    /// Linux uid it runs as; `4294967295` stands for a service outside any login.
    pub uid: Option<u32>,
    /// User name it runs as.
    pub user: Option<String>,
    /// Hours of the day in which it works; empty means any hour.
    pub hours: Vec<Span>,
    /// Classes of asset it may touch.
    pub classes: Vec<Class>,
}

/// What a record and the roster together say about who acted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// The account is held by this person (id).
    Person(String),
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
        }
    }
}

impl Roster {
    /// Reads the text of a roster; every fault is reported at once, with its key.
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

    /// The person with this id.
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.persons.iter().find(|person| person.id == id)
    }

    /// Whose doing a record shows, as far as the roster knows; a key names its holder before an account does.
    ///
    /// A name that was only typed (`claims`) names nobody: see [`Roster::claimed_person`].
    pub fn person_of(&self, host: &str, actor: &Actor) -> Attribution {
        if actor.confidence == Some(Confidence::Unattributed) {
            return Attribution::Unattributed;
        }
        if let Some(holder) = self.holder_of_key(actor).or_else(|| self.holder_of_account(host, actor)) {
            return Attribution::Person(holder.id.clone());
        }
        account_text(actor)
            .map_or(Attribution::Unattributed, |text| Attribution::Account(on_host(text, host, actor)))
    }

    /// The holder of the SSH key that opened the session.
    pub fn holder_of_key(&self, actor: &Actor) -> Option<&Person> {
        let fingerprint = actor.key.as_deref()?;
        let key = self.keys.iter().find(|key| key.fingerprint == fingerprint)?;
        self.person(&key.person)
    }

    /// The holder of the account itself, whatever key was used.
    pub fn holder_of_account(&self, host: &str, actor: &Actor) -> Option<&Person> {
        let account = self.accounts.iter().find(|account| account.is_named_by(host, actor))?;
        self.person(&account.person)
    }

    /// The user name that the roster gives this account.
    pub fn account_name(&self, host: &str, actor: &Actor) -> Option<&str> {
        self.accounts.iter().find(|account| account.is_named_by(host, actor))?.user.as_deref()
    }

    /// The holder of the account whose name was typed at a login that failed: says nothing about who typed it.
    pub fn claimed_person(&self, host: &str, name: &str) -> Option<&Person> {
        let account = self.accounts.iter().find(|account| account.has_name(host, name))?;
        self.person(&account.person)
    }

    /// The person whom the owner of an asset names: by id, by mail address, by account name, or by a role that
    /// exactly one person has.
    pub fn owner(&self, host: &str, owner: &str) -> Option<&Person> {
        let by_address =
            |person: &&Person| person.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(owner));
        if let Some(person) = self.person(owner).or_else(|| self.persons.iter().find(by_address)) {
            return Some(person);
        }
        if let Some(person) = self.claimed_person(host, owner) {
            return Some(person);
        }
        let mut with_role = self.persons.iter().filter(|person| person.has_role(owner));
        match (with_role.next(), with_role.next()) {
            (Some(person), None) => Some(person),
            _ => None,
        }
    }
}

impl Person {
    /// Whether this row of the table applies to the person.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|have| have == role)
    }

    /// The holder in words: the name, and the firm where it is another word.
    pub fn in_words(&self) -> String {
        match &self.organisation {
            Some(firm) if *firm != self.name => format!("{}, {firm}", self.name),
            Some(_) | None => self.name.clone(),
        }
    }
}

impl Account {
    /// Whether a record on a host names this account. A uid decides over a name: the kernel stamped it.
    fn is_named_by(&self, host: &str, actor: &Actor) -> bool {
        if self.host.as_deref().is_some_and(|own| own != host) {
            return false;
        }
        let same_text = |own: &Option<String>, theirs: &Option<String>| match (own, theirs) {
            (Some(own), Some(theirs)) => own.eq_ignore_ascii_case(theirs),
            _ => false,
        };
        if same_text(&self.sid, &actor.sid)
            || same_text(&self.upn, &actor.upn)
            || same_text(&self.ehr_user, &actor.ehr_user)
        {
            return true;
        }
        match (self.uid, actor.login_uid) {
            (Some(own), Some(theirs)) => own == theirs,
            _ => self.user.is_some() && self.user == actor.login_user,
        }
    }

    fn has_name(&self, host: &str, name: &str) -> bool {
        if self.host.as_deref().is_some_and(|own| own != host) {
            return false;
        }
        self.user.as_deref() == Some(name)
            || [&self.upn, &self.ehr_user, &self.sid]
                .into_iter()
                .any(|own| own.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name)))
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

/// An account of one machine is only unique with that machine's name.
fn on_host(text: String, host: &str, actor: &Actor) -> String {
    let is_local = actor.login_uid.is_some() || actor.login_user.is_some();
    if is_local { format!("{text} on {host}") } else { text }
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
