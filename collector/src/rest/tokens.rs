//! Help desks' tokens: 32 random bytes, shown once; `private/ticket-tokens.json` keeps their SHA-256.
//!
//! Whoever steals a token can ask for tickets until it is revoked, and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use ntk_evidence::hash::{Hash, hex};
use serde::{Deserialize, Serialize};

use crate::home::{Home, HomeError, random};
use crate::need_to_know::moment;

/// How many requests a minute a token may make.
pub const PER_MINUTE_MAX: usize = 60;
/// What a token begins with.
const PREFIX: &str = "ntk-ticket.";
/// The longest name of a help desk.
const NAME_MAX: usize = 40;
/// Where the hashes lie, below `private/`.
const FILE: &str = "ticket-tokens.json";

/// A token was not made, found or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A name that is none.
    #[error("`{0}` is not a name: use 1 to {NAME_MAX} lower-case letters, digits and `-`")]
    Name(String),
    /// Taken.
    #[error("there was a token `{0}` before; choose another name, so that its requests are told apart")]
    Taken(String),
    /// Not there.
    #[error("there is no token `{0}`; see `ntk-collector ticket token list`")]
    Unknown(String),
    /// Revoked before.
    #[error("the token `{0}` was revoked already")]
    Revoked(String),
    /// The file.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The file is not what this version writes.
    #[error("`private/{FILE}` cannot be read; put back the right file from a backup")]
    Form(#[source] serde_json::Error),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    tokens: BTreeMap<String, Entry>,
}

/// One token, without what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// SHA-256 of the whole token, hex.
    pub sha256: String,
    /// When it was made.
    #[serde(with = "moment")]
    pub made: Timestamp,
    /// When it was revoked.
    #[serde(default, with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
}

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token's name.
    pub name: String,
    /// Whether this request is within the rate.
    pub is_within_rate: bool,
}

/// Every help desk.
#[derive(Debug)]
pub struct HelpDesks {
    home: Home,
    /// When requests came, by the token's name.
    recent: Mutex<BTreeMap<String, VecDeque<Timestamp>>>,
    /// One writer at a time.
    writing: Mutex<()>,
}

impl HelpDesks {
    /// Those of a collector's folder.
    pub fn new(home: Home) -> Self {
        Self { home, recent: Mutex::default(), writing: Mutex::default() }
    }

    /// Whether a token of this name could be made.
    pub fn check_new(&self, name: &str) -> Result<(), TokenError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(plain) {
            return Err(TokenError::Name(name.to_owned()));
        }
        if self.read()?.tokens.contains_key(name) {
            return Err(TokenError::Taken(name.to_owned()));
        }
        Ok(())
    }

    /// Makes a token; the answer is the only place where it stands.
    pub fn make(&self, name: &str, now: Timestamp) -> Result<String, TokenError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_new(name)?;
        let token = format!("{PREFIX}{}", hex(&random()?));
        self.change(|stored| {
            if stored.tokens.contains_key(name) {
                return Err(TokenError::Taken(name.to_owned()));
            }
            let entry = Entry { sha256: Hash::of(token.as_bytes()).to_hex(), made: now, revoked: None };
            stored.tokens.insert(name.to_owned(), entry);
            Ok(())
        })?;
        Ok(token)
    }

    /// Takes nothing more from a token.
    pub fn revoke(&self, name: &str, now: Timestamp) -> Result<(), TokenError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.change(|stored| {
            let entry = stored.tokens.get_mut(name).ok_or_else(|| TokenError::Unknown(name.to_owned()))?;
            if entry.revoked.is_some() {
                return Err(TokenError::Revoked(name.to_owned()));
            }
            entry.revoked = Some(now);
            Ok(())
        })
    }

    /// Every token by name.
    pub fn list(&self) -> Result<BTreeMap<String, Entry>, TokenError> {
        Ok(self.read()?.tokens)
    }

    /// Whose token this is, and whether one more request is within the rate.
    pub fn caller(&self, token: &str, now: Timestamp) -> Result<Option<Caller>, TokenError> {
        // Hashes are compared, so how long it takes says nothing about the token.
        let sha256 = Hash::of(token.as_bytes()).to_hex();
        let stored = self.read()?;
        let mut valid = stored.tokens.into_iter().filter(|(_, entry)| entry.revoked.is_none());
        let Some((name, _)) = valid.find(|(_, entry)| entry.sha256 == sha256) else { return Ok(None) };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let times = recent.entry(name.clone()).or_default();
        times.retain(|at| now.duration_since(*at) < SignedDuration::from_mins(1));
        let is_within_rate = times.len() < PER_MINUTE_MAX;
        if is_within_rate {
            times.push_back(now);
        }
        Ok(Some(Caller { name, is_within_rate }))
    }

    fn read(&self) -> Result<Stored, TokenError> {
        parse(self.home.find_secret(FILE)?.as_deref())
    }

    fn change(
        &self,
        mut change: impl FnMut(&mut Stored) -> Result<(), TokenError>,
    ) -> Result<(), TokenError> {
        self.home.change_secret(FILE, |before| {
            let mut stored = parse(before)?;
            change(&mut stored)?;
            Ok(((), serde_json::to_vec_pretty(&stored).map_err(TokenError::Form)?))
        })
    }
}

fn parse(text: Option<&str>) -> Result<Stored, TokenError> {
    text.map_or_else(|| Ok(Stored::default()), |text| serde_json::from_str(text).map_err(TokenError::Form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_until_it_is_revoked_and_sixty_times_a_minute() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path());
        home.create().unwrap();
        let desks = HelpDesks::new(home.clone());
        let at = |second: i64| Timestamp::from_second(1_795_000_000 + second).unwrap();
        let token = desks.make("helpdesk", at(0)).unwrap();
        let file = std::fs::read_to_string(home.private(FILE)).unwrap();
        assert!(!file.contains(&token[PREFIX.len()..]), "only the hash is kept");
        for n in 0..70 {
            let caller = desks.caller(&token, at(n / 10)).unwrap().unwrap();
            assert_eq!((caller.name.as_str(), caller.is_within_rate), ("helpdesk", n < 60), "{n}");
        }
        assert!(desks.caller(&token, at(60)).unwrap().unwrap().is_within_rate);
        for wrong in ["", "ntk-ticket.", &token[..token.len() - 1]] {
            assert_eq!(desks.caller(wrong, at(1)).unwrap(), None);
        }
        desks.revoke("helpdesk", at(2)).unwrap();
        assert_eq!(desks.caller(&token, at(3)).unwrap(), None);
        assert!(matches!(desks.revoke("helpdesk", at(3)), Err(TokenError::Revoked(_))));
        assert!(matches!(desks.revoke("other", at(3)), Err(TokenError::Unknown(_))));
        assert!(matches!(desks.make("helpdesk", at(3)), Err(TokenError::Taken(_))));
        for name in ["", "Help Desk", "a/b", &"x".repeat(41)] {
            assert!(matches!(desks.make(name, at(3)), Err(TokenError::Name(_))), "{name}");
        }
    }
}
