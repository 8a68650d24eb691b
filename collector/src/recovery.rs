//! The recovery key: what is kept for a rebuild is encrypted to its public half (age-encryption.org/v1, X25519),
//! and only whoever holds the secret half, which was taken away at `init`, can read it again.
//!
//! It may be replaced ([`crate::succession`]). What was encrypted before stays encrypted to the key of then, so whoever
//! rebuilds may need several: [`RecoveryKeys`] tries each, and says which one is wanted where none opens.

use std::str::FromStr as _;

use age::x25519::Identity;
use bech32::Hrp;
use ntk_evidence::trust::TrustFile;

use crate::keys_file::{Secret, secret};

/// The recovery key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// Not a secret that age takes.
    #[error("the recovery key cannot be used: {0}")]
    Secret(String),
    /// A file for a former key holds none.
    #[error(
        "`--former-keys`: file {0} of those that were named holds no recovery key, neither on its line nor alone in 64 hex digits or 24 words"
    )]
    NoFormer(usize),
    /// The one that should be in force was replaced.
    #[error(
        "the recovery key in `--keys` was replaced on {0} ({1}). Give the file of the key that came after it with `--keys`, and this one with `--former-keys`: it opens what was encrypted before"
    )]
    Replaced(String, String),
}

/// The key of a 32-byte secret, as `init` writes it in hex and in words.
pub fn identity(secret: &[u8; 32]) -> Result<Identity, RecoveryError> {
    let wrong = |error: &dyn std::fmt::Display| RecoveryError::Secret(error.to_string());
    let prefix = Hrp::parse("age-secret-key-").map_err(|error| wrong(&error))?;
    let text = bech32::encode_upper::<bech32::Bech32>(prefix, secret).map_err(|error| wrong(&error))?;
    Identity::from_str(&text).map_err(|error| wrong(&error))
}

/// The public half of a secret, `age1...`.
pub fn recipient(secret: &[u8; 32]) -> Result<String, RecoveryError> {
    Ok(identity(secret)?.to_public().to_string())
}

/// The recovery keys that a person gave, the one in force first.
pub struct RecoveryKeys {
    keys: Vec<Identity>,
}

impl std::fmt::Debug for RecoveryKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryKeys(withheld)")
    }
}

/// No key that was given opens it, or it is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// Encrypted to another key.
    #[error("it is encrypted to a recovery key that was not given")]
    OtherKey,
    /// Anything else.
    #[error("{0}")]
    Damaged(String),
}

impl RecoveryKeys {
    /// The key in force, and those of the texts with former ones.
    pub fn new(in_force: &[u8; 32], former: &[String]) -> Result<Self, RecoveryError> {
        let mut keys = vec![identity(in_force)?];
        for (number, text) in (1..).zip(former) {
            let former = secret(text, Secret::Recovery).map(zeroize::Zeroizing::new);
            keys.push(identity(&*former.ok_or(RecoveryError::NoFormer(number))?)?);
        }
        Ok(Self { keys })
    }

    /// The plain bytes, if one of them opens it.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, NotOpened> {
        for key in &self.keys {
            match age::decrypt(key, sealed) {
                Err(age::DecryptError::NoMatchingKeys) => {}
                Err(error) => return Err(NotOpened::Damaged(error.to_string())),
                Ok(plain) => return Ok(plain),
            }
        }
        Err(NotOpened::OtherKey)
    }

    /// Whether it is encrypted to none of them; only its beginning is looked at.
    pub fn is_for_another(&self, sealed: &[u8]) -> bool {
        let opens = |key: &Identity| {
            let read = age::Decryptor::new(sealed).map(|sealed| sealed.decrypt(std::iter::once(key as _)));
            !matches!(read, Ok(Err(age::DecryptError::NoMatchingKeys)))
        };
        !self.keys.iter().any(opens)
    }

    fn holds(&self, recipient: &str) -> bool {
        self.keys.iter().any(|key| key.to_public().to_string() == recipient)
    }

    /// Which keys of a practice were not given: which stick or paper to look for.
    pub fn missing(&self, trust: &TrustFile) -> String {
        let all = trust.retired.iter().map(|one| one.recipient.as_str()).chain([trust.recovery.as_str()]);
        let missing: Vec<String> =
            all.filter(|recipient| !self.holds(recipient)).map(|recipient| which(recipient, trust)).collect();
        if missing.is_empty() {
            format!("of the recovery keys that the trust file of {} names none is missing here", trust.made)
        } else {
            format!("not given here: {}", missing.join("; "))
        }
    }
}

/// A recovery key in words that say which stick or paper it is on.
pub fn which(recipient: &str, trust: &TrustFile) -> String {
    if recipient == trust.recovery {
        return format!(
            "the recovery key in force ({recipient}), on the newest stick or paper: give that with `--keys`"
        );
    }
    match trust.retired.iter().find(|one| one.recipient == recipient) {
        Some(one) => format!(
            "the recovery key of before {} ({recipient}), on the stick or paper of before then: give that with `--former-keys`",
            one.made
        ),
        None => format!("a recovery key that no trust file at hand names ({recipient})"),
    }
}

/// Whether a secret is the recovery key in force as far as this trust file says; one that was replaced is refused by name.
pub fn is_in_force(secret: &[u8; 32], trust: &TrustFile) -> Result<bool, RecoveryError> {
    let recipient = recipient(secret)?;
    match trust.retired.iter().find(|one| one.recipient == recipient) {
        Some(one) => Err(RecoveryError::Replaced(one.made.clone(), one.why.clone())),
        None => Ok(recipient == trust.recovery),
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;
    use ntk_evidence::hash::hex;

    use super::*;

    #[test]
    fn a_secret_has_one_recipient_and_reads_back_as_age_writes_it() {
        let key = identity(&[7; 32]).unwrap();
        assert!(key.to_string().expose_secret().starts_with("AGE-SECRET-KEY-1"));
        assert_eq!(key.to_public(), identity(&[7; 32]).unwrap().to_public());
        assert_ne!(key.to_public().to_string(), identity(&[8; 32]).unwrap().to_public().to_string());
        assert_eq!(key.to_public().to_string().len(), 62);
    }

    #[test]
    fn each_key_that_was_given_is_tried_and_where_none_opens_the_missing_one_is_named() {
        let mut trust = crate::init::trust_for_tests([1; 32], [2; 32], crate::clock::Clock::system().now());
        let former = trust.recovery.clone();
        trust.replace_recovery(&recipient(&[3; 32]).unwrap(), "2036-01-01T00:00:00Z", "lost").unwrap();
        let sealed = |seed| age::encrypt(&identity(&[seed; 32]).unwrap().to_public(), b"plain").unwrap();
        let both = RecoveryKeys::new(&[3; 32], &[hex(&[2; 32])]).unwrap();
        assert_eq!(
            (both.open(&sealed(2)).unwrap(), both.open(&sealed(3)).unwrap()),
            (b"plain".to_vec(), b"plain".to_vec())
        );
        assert_eq!(both.open(&sealed(4)), Err(NotOpened::OtherKey));
        assert!(matches!(both.open(&sealed(3)[..80]), Err(NotOpened::Damaged(_))));
        assert!(both.missing(&trust).contains("none is missing"));
        let newest = RecoveryKeys::new(&[3; 32], &[]).unwrap();
        assert_eq!(newest.open(&sealed(2)), Err(NotOpened::OtherKey));
        let missing = newest.missing(&trust);
        assert!(
            missing.contains(&former)
                && missing.contains("before 2036-01-01")
                && missing.contains("--former-keys"),
            "{missing}"
        );
        let old = RecoveryKeys::new(&[2; 32], &[]).unwrap().missing(&trust);
        assert!(old.contains("in force") && !old.contains("--former-keys"), "{old}");
        assert!(which("age1x", &trust).contains("no trust file"));
        assert!(is_in_force(&[3; 32], &trust).unwrap() && !is_in_force(&[4; 32], &trust).unwrap());
        assert!(matches!(is_in_force(&[2; 32], &trust), Err(RecoveryError::Replaced(..))));
        assert!(matches!(RecoveryKeys::new(&[3; 32], &["none".into()]), Err(RecoveryError::NoFormer(1))));
    }
}
