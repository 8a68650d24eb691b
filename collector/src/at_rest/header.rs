//! `at-rest.json`: how the data key is wrapped, in the collector's folder, for everybody to see.
//!
//! The data key itself stands there twice: encrypted with a key that is derived from the passphrase, credential or
//! file, and encrypted to the practice's recovery key, so that a forgotten passphrase or a lost stick loses nothing.
//! Changing the one does not touch what the data key encrypts. Kind, parameters and salt are associated data.

use std::path::PathBuf;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ntk_evidence::hash::{hex, unhex};
use ntk_evidence::trust::TrustFile;
use serde::{Deserialize, Serialize};

use super::AtRestError;
use super::keys::{self, Key, subkey};
use super::source::{Secret, Source};
use crate::encrypt::{Recipients, encrypt};
use crate::home::{Home, random, read_text, write_file};

/// Where it lies, below the collector's folder.
pub const FILE: &str = "at-rest.json";
const VERSION: u32 = 1;
/// RFC 9106, the second recommended choice: 64 MiB and three passes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// What a header may ask for: from OWASP's least to what an ordinary computer has.
const MEMORY_KIB_BOUNDS: std::ops::RangeInclusive<u32> = 19 * 1024..=2 * 1024 * 1024;
const PASSES_BOUNDS: std::ops::RangeInclusive<u32> = 1..=64;
const LANES_BOUNDS: std::ops::RangeInclusive<u32> = 1..=16;

/// How far encrypting or decrypting the folder came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Files are in one form or the other, on their way to be encrypted.
    Encrypting,
    /// Everything is.
    Encrypted,
    /// Files are in one form or the other, on their way to be plain.
    Decrypting,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Wrapping {
    Passphrase { argon2id_memory_kib: u32, argon2id_passes: u32, argon2id_lanes: u32 },
    Credential {},
    File { path: PathBuf },
}

/// The file, read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    version: u32,
    /// How far it came.
    pub state: State,
    key: Wrapping,
    /// 32 random bytes, hex.
    salt: String,
    /// The data key, encrypted with the derived key, hex.
    wrapped: String,
    /// The data key, encrypted to the recovery key (age-encryption.org/v1), base64.
    recovery: String,
    /// That recovery key's public half, where the key was replaced since the practice began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recovery_key: Option<String>,
}

fn sealed_for(recovery: &str, data_key: &Key) -> Result<String, AtRestError> {
    let wrong = |error: crate::encrypt::EncryptError| AtRestError::Recovery(error.to_string());
    let recipients = Recipients::parse(&[recovery]).map_err(wrong)?;
    let recipients = recipients.ok_or_else(|| AtRestError::Recovery("the trust file names none".into()))?;
    Ok(STANDARD.encode(encrypt(data_key.as_slice(), &recipients).map_err(wrong)?))
}

impl Header {
    /// A header for a data key.
    pub(super) fn new(
        state: State,
        data_key: &Key,
        source: &Source,
        secret: &Secret,
        recovery: &str,
    ) -> Result<Self, AtRestError> {
        let key = match source {
            Source::Passphrase => Wrapping::Passphrase {
                argon2id_memory_kib: MEMORY_KIB,
                argon2id_passes: PASSES,
                argon2id_lanes: LANES,
            },
            Source::Credential => Wrapping::Credential {},
            Source::File(path) => Wrapping::File { path: path.clone() },
        };
        let mut header = Self {
            version: VERSION,
            state,
            key,
            salt: hex(&random()?),
            wrapped: String::new(),
            recovery: sealed_for(recovery, data_key)?,
            recovery_key: None,
        };
        let with = header.derived(secret)?;
        header.wrapped = hex(&keys::wrap(&with, header.bound().as_bytes(), data_key)?);
        Ok(header)
    }

    /// Whether the data key is encrypted to the recovery key in force.
    pub(super) fn is_for(&self, trust: &TrustFile) -> bool {
        self.recovery_key.as_ref().map_or(trust.retired.is_empty(), |key| *key == trust.recovery)
    }

    /// The same, with the data key encrypted to this recovery key.
    pub(super) fn for_recovery(self, recovery: &str, data_key: &Key) -> Result<Self, AtRestError> {
        let sealed = sealed_for(recovery, data_key)?;
        Ok(Self { recovery: sealed, recovery_key: Some(recovery.to_owned()), ..self })
    }

    /// The header of a folder; none where nothing is encrypted.
    pub fn read(home: &Home) -> Result<Option<Self>, AtRestError> {
        let path = home.path(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let wrong = |why: String| AtRestError::Header { path: path.clone(), why };
        let header: Self =
            serde_json::from_str(&read_text(&path)?).map_err(|error| wrong(error.to_string()))?;
        if header.version != VERSION {
            return Err(wrong(format!(
                "it is of version {}, and this program reads version 1",
                header.version
            )));
        }
        if let Wrapping::Passphrase { argon2id_memory_kib, argon2id_passes, argon2id_lanes } = header.key
            && !(MEMORY_KIB_BOUNDS.contains(&argon2id_memory_kib)
                && PASSES_BOUNDS.contains(&argon2id_passes)
                && LANES_BOUNDS.contains(&argon2id_lanes))
        {
            return Err(wrong("a parameter of argon2id is out of its bounds".into()));
        }
        Ok(Some(header))
    }

    /// The same, that far.
    pub(super) fn at(self, state: State) -> Self {
        Self { state, ..self }
    }

    /// Writes it, durably.
    pub(super) fn write(&self, home: &Home) -> Result<(), AtRestError> {
        let path = home.path(FILE);
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| AtRestError::Header { path: path.clone(), why: error.to_string() })?;
        text.push(b'\n');
        Ok(write_file(&path, &text, 0o600)?)
    }

    /// Where the key comes from.
    pub fn source(&self) -> Source {
        match &self.key {
            Wrapping::Passphrase { .. } => Source::Passphrase,
            Wrapping::Credential {} => Source::Credential,
            Wrapping::File { path } => Source::File(path.clone()),
        }
    }

    /// The data key, if this is the secret.
    pub(super) fn unwrap(&self, secret: &Secret) -> Result<Key, AtRestError> {
        let wrapped = unhex(&self.wrapped).unwrap_or_default();
        let with = self.derived(secret)?;
        keys::unwrap(&with, self.bound().as_bytes(), &wrapped)
            .ok_or_else(|| AtRestError::Wrong(self.source()))
    }

    /// The data key, for whoever holds the recovery key.
    pub(super) fn recover(&self, recovery_key: &[u8; 32]) -> Result<Key, AtRestError> {
        let wrong = |why: &dyn std::fmt::Display| AtRestError::Recovery(why.to_string());
        let identity = crate::recovery::identity(recovery_key).map_err(|error| wrong(&error))?;
        let sealed = STANDARD.decode(&self.recovery).map_err(|error| wrong(&error))?;
        let opened = age::decrypt(&identity, &sealed).map_err(|error| match (error, &self.recovery_key) {
            (age::DecryptError::NoMatchingKeys, Some(key)) => {
                AtRestError::Recovery(format!("the data key is encrypted to another one ({key})"))
            }
            (error, _) => wrong(&error),
        });
        let key = zeroize::Zeroizing::new(opened?);
        key.as_slice().try_into().map(Key::new).map_err(|_| wrong(&"it does not hold a key of 32 bytes"))
    }

    fn derived(&self, secret: &Secret) -> Result<Key, AtRestError> {
        let salt = unhex(&self.salt).unwrap_or_default();
        match self.key {
            Wrapping::Passphrase { argon2id_memory_kib, argon2id_passes, argon2id_lanes } => {
                let wrong = |error: argon2::Error| AtRestError::Derive(error.to_string());
                let params = Params::new(argon2id_memory_kib, argon2id_passes, argon2id_lanes, Some(32));
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(wrong)?);
                let mut key = Key::default();
                argon2.hash_password_into(secret.bytes(), &salt, key.as_mut_slice()).map_err(wrong)?;
                Ok(key)
            }
            Wrapping::Credential {} | Wrapping::File { .. } => {
                let key: [u8; 32] =
                    secret.bytes().try_into().map_err(|_| AtRestError::Wrong(self.source()))?;
                Ok(subkey(&Key::new(key), &[b"need-to-know at rest: wrap ", salt.as_slice()].concat()))
            }
        }
    }

    /// What the wrapped key is bound to. Not the path: a stick may be mounted elsewhere.
    fn bound(&self) -> String {
        let kind = match &self.key {
            Wrapping::Passphrase { argon2id_memory_kib, argon2id_passes, argon2id_lanes } => {
                format!("passphrase {argon2id_memory_kib} {argon2id_passes} {argon2id_lanes}")
            }
            Wrapping::Credential {} => "credential".to_owned(),
            Wrapping::File { .. } => "file".to_owned(),
        };
        format!("need-to-know at rest 1 {kind} {}", self.salt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recovery() -> String {
        crate::recovery::identity(&[9; 32]).unwrap().to_public().to_string()
    }

    fn header(source: &Source, secret: &Secret) -> Header {
        Header::new(State::Encrypted, &Key::new([7; 32]), source, secret, &recovery()).unwrap()
    }

    #[test]
    fn the_data_key_comes_back_from_the_right_secret_and_from_the_recovery_key_only() {
        let file = Source::File("/media/usb/ntk.key".into());
        for (source, right, wrong) in [
            (
                Source::Passphrase,
                Secret::new(b"correct horse".to_vec()),
                Secret::new(b"correct house".to_vec()),
            ),
            (Source::Credential, Secret::new(vec![1; 32]), Secret::new(vec![2; 32])),
            (file, Secret::new(vec![1; 32]), Secret::new(vec![1; 31])),
        ] {
            let header = header(&source, &right);
            assert_eq!(header.source(), source);
            assert_eq!(*header.unwrap(&right).unwrap(), [7; 32]);
            assert!(matches!(header.unwrap(&wrong), Err(AtRestError::Wrong(_))), "{source:?}");
            assert_eq!(*header.recover(&[9; 32]).unwrap(), [7; 32]);
            assert!(header.recover(&[8; 32]).is_err());
            let text = serde_json::to_string(&header).unwrap();
            assert!(!text.contains(&hex(&[7; 32])));
        }
    }

    #[test]
    fn the_data_key_follows_the_recovery_key_that_the_trust_file_names_and_the_former_one_opens_it_no_more() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path());
        let secret = Secret::new(b"correct horse".to_vec());
        header(&Source::Passphrase, &secret).write(&home).unwrap();
        let now = crate::clock::Clock::system().now();
        let mut trust = crate::init::trust_for_tests([1; 32], [9; 32], now);
        let opening = || crate::at_rest::Opening::Secret(Secret::new(b"correct horse".to_vec()));
        let read = || Header::read(&home).unwrap().unwrap();
        let home_with_keys = crate::at_rest::unlock_with(home.clone(), &read(), &opening()).unwrap();
        let follow =
            |trust: &TrustFile| crate::at_rest::convert::for_recovery(&home_with_keys, trust).unwrap();
        assert!(!follow(&trust), "nothing was replaced");
        let next = crate::recovery::recipient(&[8; 32]).unwrap();
        trust.replace_recovery(&next, "2036-01-01T00:00:00Z", "a stick was lost").unwrap();
        assert!(
            crate::at_rest::convert::for_recovery(&home, &trust).is_err(),
            "whoever does not hold the data key"
        );
        assert!(follow(&trust) && !follow(&trust), "once");
        assert_eq!(*read().recover(&[8; 32]).unwrap(), [7; 32]);
        let error = read().recover(&[9; 32]).unwrap_err().to_string();
        assert!(error.contains(&next), "which one is wanted: {error}");
        assert_eq!(*read().unwrap(&secret).unwrap(), [7; 32], "the passphrase opens it as before");
    }

    #[test]
    fn a_header_that_was_changed_opens_nothing_and_absurd_parameters_are_refused() {
        let secret = Secret::new(b"correct horse".to_vec());
        let good = header(&Source::Passphrase, &secret);
        for (key, value) in [("passes", 2), ("lanes", 2), ("memory_kib", 20 * 1024)] {
            let text = serde_json::to_string(&good).unwrap();
            let field = format!("\"argon2id_{key}\":");
            let at = text.find(&field).unwrap() + field.len();
            let end = at + text[at..].find(|c: char| !c.is_ascii_digit()).unwrap();
            let changed: Header =
                serde_json::from_str(&format!("{}{value}{}", &text[..at], &text[end..])).unwrap();
            assert!(matches!(changed.unwrap(&secret), Err(AtRestError::Wrong(_))), "{key}");
        }
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path());
        good.write(&home).unwrap();
        assert_eq!(Header::read(&home).unwrap().as_ref(), Some(&good));
        let text = std::fs::read_to_string(home.path(FILE)).unwrap();
        for (from, to) in
            [("65536", "4294967295"), ("65536", "8"), ("\"version\": 1", "\"version\": 2"), ("salt", "sugar")]
        {
            std::fs::write(home.path(FILE), text.replace(from, to)).unwrap();
            assert!(matches!(Header::read(&home), Err(AtRestError::Header { .. })), "{to}");
        }
    }
}
