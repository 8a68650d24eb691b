//! Accounts of the console: who may sign in, as what, with which second factor.
//!
//! An account is a person of the roster with a [`Role`]. The passphrase is the one with which they decide
//! ([`crate::reviewer`], RV-1, RV-2); the second factor is a code of an app ([`totp`]) or one of ten recovery
//! codes. `private/accounts.json` holds roles, secrets of second factors and hashes of recovery codes and links,
//! 0600, written whole or not at all.
//!
//! # Invariants
//! - AC-1: an attempt counts, durably, before it is known how it ends; after [`WRONG_MAX`] wrong ones in a row the
//!   account is locked until somebody on the collector unlocks it, which is an act.
//! - AC-2: no code, recovery code or link works twice: the use is durable before it counts.
//! - AC-3: a set-up link is made only while nobody is a manager, and the last manager cannot be taken away.

pub mod limit;
pub mod secret;
pub mod session;
pub mod sign_in;
pub mod totp;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::home::{Home, HomeError};
use crate::need_to_know::moment;

/// Wrong attempts in a row that lock an account.
pub const WRONG_MAX: u32 = 10;
/// How long a link holds.
pub const LINK_HOLDS: SignedDuration = SignedDuration::from_hours(24);
/// How many links are kept in mind, used ones among them.
const LINKS_MAX: usize = 100;
/// Where it lies, below `private/`.
const FILE: &str = "accounts.json";

/// What somebody may do in the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Role {
    /// Decides.
    Manager,
    /// Sees what is about the manager too, and co-signs.
    Reviewer,
    /// Sees one case.
    Attorney {
        /// Which.
        case: String,
    },
    /// Keeps it running, and sees no findings.
    Operator,
    /// Sees what is recorded about themselves, where the practice allows it.
    Person,
}

impl Role {
    /// Reads a role; an attorney's has a case.
    pub fn parse(name: &str, case: Option<&str>) -> Result<Self, AccountError> {
        let is_case = |case: &&str| {
            (1..=64).contains(&case.len())
                && case.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
        };
        match (name, case) {
            ("attorney", Some(case)) if is_case(&case) => Ok(Self::Attorney { case: case.to_owned() }),
            ("attorney", _) => Err(AccountError::Case),
            ("manager" | "reviewer" | "operator" | "person", Some(_)) => Err(AccountError::Case),
            ("manager", None) => Ok(Self::Manager),
            ("reviewer", None) => Ok(Self::Reviewer),
            ("operator", None) => Ok(Self::Operator),
            ("person", None) => Ok(Self::Person),
            _ => Err(AccountError::Role(name.to_owned())),
        }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Reviewer => "reviewer",
            Self::Attorney { .. } => "attorney",
            Self::Operator => "operator",
            Self::Person => "person",
        }
    }

    /// The case that an attorney sees.
    pub fn case(&self) -> Option<&str> {
        match self {
            Self::Attorney { case } => Some(case),
            Self::Manager | Self::Reviewer | Self::Operator | Self::Person => None,
        }
    }
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What they may do.
    #[serde(flatten)]
    pub role: Role,
    /// Since when.
    #[serde(with = "moment")]
    pub since: Timestamp,
    /// The second factor; nobody signs in without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<SecondFactor>,
    /// Wrong attempts in a row.
    #[serde(default)]
    pub wrong: u32,
    /// Since when it is locked.
    #[serde(default, with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub locked: Option<Timestamp>,
}

/// A second factor.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondFactor {
    secret: Vec<u8>,
    /// The last half minute of which a code was used.
    last_used: Option<u64>,
    /// Hashes of the recovery codes that are left.
    recovery: Vec<String>,
    #[serde(with = "moment")]
    since: Timestamp,
}

impl SecondFactor {
    /// How many recovery codes are left.
    pub fn n_recovery(&self) -> usize {
        self.recovery.len()
    }
}

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecondFactor(withheld)")
    }
}

/// A one-time link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    hash: String,
    /// For whom; for the first manager where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    #[serde(with = "moment")]
    expires: Timestamp,
    #[serde(default, with = "moment::option", skip_serializing_if = "Option::is_none")]
    used: Option<Timestamp>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    accounts: BTreeMap<String, Account>,
    #[serde(default)]
    links: Vec<Link>,
}

impl Stored {
    fn parse(text: Option<&str>) -> Result<Self, AccountError> {
        text.map_or_else(
            || Ok(Self::default()),
            |text| serde_json::from_str(text).map_err(AccountError::Form),
        )
    }

    fn has_manager(&self) -> bool {
        self.accounts.values().any(|account| account.role == Role::Manager)
    }

    /// Whether taking this one's role away leaves nobody who is a manager.
    fn is_last_manager(&self, person: &str) -> bool {
        let managers = self.accounts.iter().filter(|(_, account)| account.role == Role::Manager);
        managers.map(|(id, _)| id.as_str()).eq([person])
    }

    fn account(&mut self, person: &str) -> Result<&mut Account, AccountError> {
        self.accounts.get_mut(person).ok_or_else(|| AccountError::Unknown(person.to_owned()))
    }

    fn add_link(&mut self, person: Option<&str>, now: Timestamp) -> Result<String, AccountError> {
        let token = secret::token()?;
        // One link for one purpose: whoever asks for another one has lost the first.
        self.links.retain(|link| link.used.is_some() || link.person.as_deref() != person);
        if self.links.len() >= LINKS_MAX {
            self.links.remove(0);
        }
        let expires = now.checked_add(LINK_HOLDS).unwrap_or(Timestamp::MAX);
        let (hash, person) = (secret::hash(&token), person.map(str::to_owned));
        self.links.push(Link { hash, person, expires, used: None });
        Ok(token)
    }

    fn link(&mut self, token: &str, now: Timestamp) -> Result<&mut Link, AccountError> {
        let hash = secret::hash(token);
        let has_manager = self.has_manager();
        let link = self.links.iter_mut().find(|link| link.hash == hash).ok_or(AccountError::NoLink)?;
        match link.used {
            Some(at) => Err(AccountError::LinkUsed(at)),
            None if link.expires <= now => Err(AccountError::LinkOld(link.expires)),
            // INVARIANT AC-3: another link may have made a manager meanwhile.
            None if link.person.is_none() && has_manager => Err(AccountError::NoLink),
            None => Ok(link),
        }
    }
}

/// An account was not made, changed or opened.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// It exists.
    #[error("`{0}` has an account already; change its role with `ntk-collector account role {0} ROLE`")]
    Taken(String),
    /// It does not.
    #[error("`{0}` has no account; see `ntk-collector account list`")]
    Unknown(String),
    /// No such role.
    #[error("`{0}` is no role: choose manager, reviewer, attorney, operator or person")]
    Role(String),
    /// An attorney without a case, or another role with one.
    #[error("an attorney has `--case ID` of 1 to 64 letters, digits, `-` and `_`, and nobody else has one")]
    Case,
    /// It would leave nobody who decides.
    #[error("`{0}` is the only manager; make somebody else a manager first")]
    LastManager(String),
    /// There is a manager.
    #[error("somebody is a manager already: they let others in, and no set-up link is made any more")]
    SetUp,
    /// No such link.
    #[error("this link is not one of this collector, or a newer one took its place")]
    NoLink,
    /// It was used.
    #[error("this link was used already, on {0}")]
    LinkUsed(Timestamp),
    /// It expired.
    #[error("this link held until {0}")]
    LinkOld(Timestamp),
    /// The file.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The file is not what this version writes.
    #[error("`private/{FILE}` cannot be read; put back the right file from a backup")]
    Form(#[source] serde_json::Error),
}

/// Everybody who may sign in.
#[derive(Debug)]
pub struct Accounts {
    home: Home,
    /// Who reads to write waits here.
    writing: Mutex<()>,
}

impl Accounts {
    /// Those of a collector's folder.
    pub fn new(home: Home) -> Self {
        Self { home, writing: Mutex::default() }
    }

    /// All accounts by person.
    pub fn list(&self) -> Result<BTreeMap<String, Account>, AccountError> {
        Ok(self.read()?.accounts)
    }

    /// A person's account.
    pub fn get(&self, person: &str) -> Result<Option<Account>, AccountError> {
        Ok(self.read()?.accounts.remove(person))
    }

    /// Whether somebody is a manager.
    pub fn has_manager(&self) -> Result<bool, AccountError> {
        Ok(self.read()?.has_manager())
    }

    /// A link with which the first manager sets up the practice.
    pub fn set_up_link(&self, now: Timestamp) -> Result<String, AccountError> {
        self.change(
            |stored| if stored.has_manager() { Err(AccountError::SetUp) } else { stored.add_link(None, now) },
        )
    }

    /// Makes an account, and a link with which its person sets passphrase and second factor.
    pub fn add(&self, person: &str, role: Role, now: Timestamp) -> Result<String, AccountError> {
        self.change(|stored| {
            if stored.accounts.contains_key(person) {
                return Err(AccountError::Taken(person.to_owned()));
            }
            let role = role.clone();
            let account = Account { role, since: now, second_factor: None, wrong: 0, locked: None };
            stored.accounts.insert(person.to_owned(), account);
            stored.add_link(Some(person), now)
        })
    }

    /// Gives another role; the one before.
    pub fn set_role(&self, person: &str, role: Role) -> Result<Role, AccountError> {
        self.change(|stored| {
            // INVARIANT AC-3.
            if role != Role::Manager && stored.is_last_manager(person) {
                return Err(AccountError::LastManager(person.to_owned()));
            }
            Ok(std::mem::replace(&mut stored.account(person)?.role, role.clone()))
        })
    }

    /// Takes an account away.
    pub fn remove(&self, person: &str) -> Result<(), AccountError> {
        self.change(|stored| {
            // INVARIANT AC-3.
            if stored.is_last_manager(person) {
                return Err(AccountError::LastManager(person.to_owned()));
            }
            stored.account(person)?;
            stored.accounts.remove(person);
            stored.links.retain(|link| link.person.as_deref() != Some(person));
            Ok(())
        })
    }

    /// Opens a locked account; whether it was locked.
    pub fn unlock(&self, person: &str) -> Result<bool, AccountError> {
        self.change(|stored| {
            let account = stored.account(person)?;
            account.wrong = 0;
            Ok(account.locked.take().is_some())
        })
    }

    /// Takes the second factor away; a link with which the person sets another one.
    pub fn reset_second_factor(&self, person: &str, now: Timestamp) -> Result<String, AccountError> {
        self.change(|stored| {
            stored.account(person)?.second_factor = None;
            stored.add_link(Some(person), now)
        })
    }

    /// For whom a link is; for the first manager where nobody is named.
    pub fn link_is_for(&self, token: &str, now: Timestamp) -> Result<Option<String>, AccountError> {
        Ok(self.read()?.link(token, now)?.person.clone())
    }

    /// Uses a link for this person. With the set-up link they become the first manager.
    pub fn use_link(&self, token: &str, person: &str, now: Timestamp) -> Result<Account, AccountError> {
        self.change(|stored| {
            // INVARIANT AC-2: looked at and marked in one step.
            let link = stored.link(token, now)?;
            if link.person.as_deref().is_some_and(|of| of != person) {
                return Err(AccountError::NoLink);
            }
            link.used = Some(now);
            let is_first = link.person.is_none();
            if is_first {
                let role = Role::Manager;
                let account = Account { role, since: now, second_factor: None, wrong: 0, locked: None };
                stored.accounts.insert(person.to_owned(), account);
            }
            stored.account(person).cloned()
        })
    }

    /// Sets a second factor, shown by its first code; whether that was one.
    pub fn set_second_factor(
        &self,
        person: &str,
        (secret, code, recovery): (&[u8], &str, &[String]),
        now: Timestamp,
    ) -> Result<bool, AccountError> {
        let Some(step) = totp::accept(secret, code, now.as_second(), None) else { return Ok(false) };
        self.change(|stored| {
            stored.account(person)?.second_factor = Some(SecondFactor {
                secret: secret.to_vec(),
                last_used: Some(step),
                recovery: recovery.iter().map(|code| secret::hash(code)).collect(),
                since: now,
            });
            Ok(true)
        })
    }

    fn read(&self) -> Result<Stored, AccountError> {
        Stored::parse(self.home.find_secret(FILE)?.as_deref())
    }

    /// Reads, changes, and writes where the change was one.
    fn change<T>(
        &self,
        mut change: impl FnMut(&mut Stored) -> Result<T, AccountError>,
    ) -> Result<T, AccountError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.home.change_secret(FILE, |before| {
            let mut stored = Stored::parse(before)?;
            let changed = change(&mut stored)?;
            Ok((changed, serde_json::to_vec_pretty(&stored).map_err(AccountError::Form)?))
        })
    }
}

#[cfg(test)]
mod tests;
