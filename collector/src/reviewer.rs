//! Reviewers' passphrases: who approves, decides and adopts shows first who they are.
//!
//! `private/reviewers.json` holds one argon2id hash a person, readable by the owner alone, written whole or not
//! at all. Whoever can read that file can guess at it; whoever can write it can put in a passphrase of their
//! own, and the next approval still names the person whose passphrase it was said to be. Setting one is an act
//! without any hash, so a passphrase that changed is seen in the review. Collectors that share a ledger have one such file
//! in common ([`crate::in_common`]).
//!
//! # Invariants
//! - RV-1: a [`Proof`] exists only for a passphrase that was verified just now.
//! - RV-2: guessing costs: argon2id by itself, and at most ten failures an hour and person. An attempt counts
//!   before it is verified, so many at once gain nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::home::{Home, HomeError, random};
use crate::ledger::LedgerHandle;
use crate::need_to_know::moment;

/// The shortest passphrase, letters.
pub const LETTERS_MIN: usize = 12;
/// The longest passphrase, bytes.
const BYTES_MAX: usize = 1024;
/// How many failures an hour and person.
const FAILURES_MAX: usize = 10;
/// Over which time failures count.
const FAILURES_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// How many people's failures are kept in mind.
const PEOPLE_MAX: usize = 1_000;
/// Where the hashes lie, below `private/`.
const FILE: &str = "reviewers.json";

/// A passphrase as it was typed; never printed.
#[derive(Clone, Deserialize, JsonSchema)]
#[schemars(inline, extend("format" = "password"))]
#[serde(transparent)]
pub struct Passphrase(String);

impl Passphrase {
    /// A typed text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it was typed the same way twice.
    pub fn is(&self, again: &str) -> bool {
        self.0 == again
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(withheld)")
    }
}

/// Proof that a person showed who they are. Nothing but [`Reviewers::verify`] makes one.
#[must_use = "a decision is written with this"]
#[derive(Debug, PartialEq, Eq)]
pub struct Proof {
    by: String,
}

impl Proof {
    /// Id of the person.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// How they showed it: what an act says in `proof`.
    pub fn how(&self) -> &'static str {
        "passphrase"
    }
}

/// A passphrase was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReviewerError {
    /// Nobody set one.
    #[error("`{0}` has no passphrase yet; set one with `ntk-collector reviewer passphrase {0}`")]
    None(String),
    /// Another one.
    #[error("that is not the passphrase of `{0}`")]
    Wrong(String),
    /// The ledger knows of one that was set since.
    #[error(
        "the ledger says that the passphrase of `{0}` was set since this collector's copy was made; try again in a moment. If it stays so, the database keeps it back, or it was not set after all: `ntk-collector reviewer passphrase {0} --reset`"
    )]
    Older(String),
    /// Too many wrong ones.
    #[error("too many wrong passphrases for `{0}`; try again in an hour")]
    TooMany(String),
    /// Too short, too long.
    #[error("a passphrase has at least {LETTERS_MIN} letters and no line breaks; four or five words do well")]
    Weak,
    /// The file.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The file is not what this version writes.
    #[error("`private/{FILE}` cannot be read; put back the right file from a backup")]
    Form(#[source] serde_json::Error),
    /// Hashing failed.
    #[error("the passphrase could not be hashed: {0}")]
    Hash(String),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    reviewers: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    hash: String,
    #[serde(with = "moment")]
    set_at: Timestamp,
}

impl Stored {
    fn parse(text: Option<&str>) -> Result<Self, ReviewerError> {
        text.map_or_else(
            || Ok(Self::default()),
            |text| serde_json::from_str(text).map_err(ReviewerError::Form),
        )
    }
}

/// Everybody who has a passphrase.
#[derive(Debug)]
pub struct Reviewers {
    home: Home,
    /// What says when passphrases were set, where the file comes from a database.
    ledger: Option<LedgerHandle>,
    /// When attempts failed, or were begun, by person.
    failures: Mutex<BTreeMap<String, VecDeque<Timestamp>>>,
    /// One writer at a time.
    writing: Mutex<()>,
}

impl Reviewers {
    /// Those of a collector's folder.
    pub fn new(home: Home) -> Self {
        Self { home, ledger: None, failures: Mutex::default(), writing: Mutex::default() }
    }

    /// The same, held to what the ledger says about when passphrases were set.
    #[must_use]
    pub fn held_to(self, ledger: LedgerHandle) -> Self {
        Self { ledger: Some(ledger), ..self }
    }

    /// Verifies a passphrase. Takes a good part of a second: not on a thread that serves others.
    pub fn verify(&self, by: &str, given: &Passphrase, now: Timestamp) -> Result<Proof, ReviewerError> {
        let stored = self.read()?;
        let entry = stored.reviewers.get(by).ok_or_else(|| ReviewerError::None(by.to_owned()))?;
        let said = self.ledger.as_ref().and_then(|ledger| ledger.published().registry.passphrase_set(by));
        // INVARIANT RV-1: an older row that somebody put back, or a newer one that they keep back, lets nobody in.
        if said.is_some_and(|said| entry.set_at < said) {
            warn!("a passphrase is older here than the ledger says; it is not taken");
            return Err(ReviewerError::Older(by.to_owned()));
        }
        let hash = PasswordHash::new(&entry.hash).map_err(|error| ReviewerError::Hash(error.to_string()))?;
        // INVARIANT RV-2: the attempt counts before it is known how it ends.
        self.begin_attempt(by, now)?;
        if given.0.len() > BYTES_MAX || Argon2::default().verify_password(given.0.as_bytes(), &hash).is_err()
        {
            return Err(ReviewerError::Wrong(by.to_owned()));
        }
        self.end_attempt(by, now);
        // INVARIANT RV-1: the one place where a proof is made.
        Ok(Proof { by: by.to_owned() })
    }

    /// As slow as [`Reviewers::verify`], for names that have no passphrase: how long an answer takes tells nothing.
    pub fn spend(given: &Passphrase) {
        let short = given.0.as_bytes().get(..BYTES_MAX).unwrap_or(given.0.as_bytes());
        let _: Result<PasswordHash, _> = Argon2::default().hash_password_with_salt(short, &[7; 32]);
    }

    /// Checks that a new passphrase is long enough.
    pub fn check_new(new: &Passphrase) -> Result<(), ReviewerError> {
        let is_long = new.0.trim().chars().count() >= LETTERS_MIN && new.0.len() <= BYTES_MAX;
        if is_long && !new.0.chars().any(char::is_control) { Ok(()) } else { Err(ReviewerError::Weak) }
    }

    /// Whether one could be set now, as far as that is known before.
    pub fn check_settable(&self) -> Result<(), ReviewerError> {
        Ok(self.home.in_common().map_or(Ok(()), |common| common.check(FILE))?)
    }

    /// Sets a passphrase, in place of any before. Who may do that is the caller's question.
    pub fn set(&self, person: &str, new: &Passphrase, now: Timestamp) -> Result<(), ReviewerError> {
        Self::check_new(new)?;
        let salt = random()?;
        let hash: PasswordHash = Argon2::default()
            .hash_password_with_salt(new.0.as_bytes(), &salt)
            .map_err(|error| ReviewerError::Hash(error.to_string()))?;
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.home.change_secret(FILE, |before| {
            let mut stored = Stored::parse(before)?;
            stored.reviewers.insert(person.to_owned(), Entry { hash: hash.to_string(), set_at: now });
            let text = serde_json::to_vec_pretty(&stored).map_err(ReviewerError::Form)?;
            Ok::<_, ReviewerError>(((), text))
        })?;
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(person);
        Ok(())
    }

    /// Whether a person has a passphrase.
    pub fn has(&self, person: &str) -> Result<bool, ReviewerError> {
        Ok(self.read()?.reviewers.contains_key(person))
    }

    /// Everybody who has one, with when it was set.
    pub fn list(&self) -> Result<Vec<(String, Timestamp)>, ReviewerError> {
        Ok(self.read()?.reviewers.into_iter().map(|(person, entry)| (person, entry.set_at)).collect())
    }

    fn read(&self) -> Result<Stored, ReviewerError> {
        Stored::parse(self.home.find_secret(FILE)?.as_deref())
    }

    fn begin_attempt(&self, by: &str, now: Timestamp) -> Result<(), ReviewerError> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &Timestamp| now.duration_since(*at) < FAILURES_WITHIN;
        failures.retain(|_, times| {
            times.retain(is_recent);
            !times.is_empty()
        });
        if failures.len() >= PEOPLE_MAX && !failures.contains_key(by) {
            return Err(ReviewerError::TooMany(by.to_owned()));
        }
        let times = failures.entry(by.to_owned()).or_default();
        if times.len() >= FAILURES_MAX {
            return Err(ReviewerError::TooMany(by.to_owned()));
        }
        times.push_back(now);
        Ok(())
    }

    /// A right passphrase takes back its own attempt; those that failed stay.
    fn end_attempt(&self, by: &str, now: Timestamp) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = failures.get_mut(by)
            && let Some(position) = times.iter().rposition(|at| *at == now)
        {
            times.remove(position);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + minutes * 60).unwrap()
    }

    fn phrase(text: &str) -> Passphrase {
        Passphrase::new(text)
    }

    const MARYS: &str = "correct horse battery";

    // RV-1 and RV-2.
    #[test]
    fn only_the_right_passphrase_makes_a_proof_and_ten_failures_an_hour_are_enough() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path());
        home.create().unwrap();
        let reviewers = Reviewers::new(home.clone());
        assert!(matches!(reviewers.verify("mary", &phrase(MARYS), at(0)), Err(ReviewerError::None(_))));
        assert!(!reviewers.has("mary").unwrap());
        reviewers.set("mary", &phrase(MARYS), at(0)).unwrap();
        let file = home.private(FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("$argon2id$") && !text.contains("horse"), "{text}");
        assert_eq!(reviewers.verify("mary", &phrase(MARYS), at(1)).unwrap().by(), "mary");

        for n in 0..10 {
            let wrong = reviewers.verify("mary", &phrase(&format!("wrong horse {n}")), at(2 + n));
            assert!(matches!(wrong, Err(ReviewerError::Wrong(_))), "{n}");
        }
        // The right one does not help any more, until the first failures are an hour old.
        assert!(matches!(reviewers.verify("mary", &phrase(MARYS), at(12)), Err(ReviewerError::TooMany(_))));
        assert!(reviewers.verify("mary", &phrase(MARYS), at(62)).is_ok());
        assert!(matches!(reviewers.verify("sam", &phrase(MARYS), at(12)), Err(ReviewerError::None(_))));
    }

    #[test]
    fn a_weak_passphrase_and_a_file_that_is_loose_or_damaged_are_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path());
        home.create().unwrap();
        let reviewers = Reviewers::new(home.clone());
        let long = "x".repeat(2000);
        for weak in ["", "short", "            x", "with a\nline break", &long] {
            assert!(
                matches!(reviewers.set("mary", &phrase(weak), at(0)), Err(ReviewerError::Weak)),
                "{weak}"
            );
        }
        assert!(!home.private(FILE).exists());
        reviewers.set("mary", &phrase(MARYS), at(0)).unwrap();
        std::fs::set_permissions(home.private(FILE), std::fs::Permissions::from_mode(0o644)).unwrap();
        let loose = reviewers.verify("mary", &phrase(MARYS), at(0)).unwrap_err();
        assert!(loose.to_string().contains("chmod 600"), "{loose}");
        home.write_secret(FILE, b"{}").unwrap();
        assert!(matches!(reviewers.verify("mary", &phrase(MARYS), at(0)), Err(ReviewerError::Form(_))));
        assert_eq!(format!("{:?}", phrase(MARYS)), "Passphrase(withheld)");
    }
}
