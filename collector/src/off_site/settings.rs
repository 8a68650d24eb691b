//! What stands in the collector's folder beside the ledger and cannot be made from it: the configuration, passphrase hashes,
//! second factors, tokens of help desks, passwords for mail and services.
//!
//! Keys that sign the log, acts and bundles are not among it: a key that stands in two places can sign two histories. A new
//! collector has keys of its own ([`crate::refill`], [`crate::restore`]). The authority of the machines' connections is: it
//! signs no history, and without it every machine would have to be enrolled by hand after a restore. Whoever has the
//! recovery key and a copy could stand as the collector on the network: they would get no receipt that a machine believes.
//!
//! Whoever can write where the copy lies can encrypt for the recovery key. So the collector's key signs what is sent, and
//! [`open`] takes nothing else: not another practice's, not one that was changed, no file of another name. An older one
//! that was put back is told by its time, which the signature covers.

use std::collections::BTreeMap;

use ntk_evidence::hash::{Hash, hex, unhex};
use ntk_evidence::name::Slug;
use ntk_evidence::note::{NoteSigner, VerifierKey};
use serde::{Deserialize, Serialize};

use crate::home::{Home, HomeError, read_text};
use crate::practice::file;

/// The configuration's name in it.
pub const CONFIGURATION: &str = "collector.toml";
/// Files of `private/`, each as its room names it.
pub const PRIVATE: [&str; 8] = [
    "reviewers.json",
    "accounts.json",
    "ticket-tokens.json",
    "mail-password",
    "mail-passphrase",
    "webhook-secret",
    "ntfy-token",
    "m365-secret",
];
/// Certificate and key of the authority, in this order.
pub const AUTHORITY: [&str; 2] = [file::AUTHORITY, file::AUTHORITY_KEY];
/// What is signed begins so: no note of this key does.
const FORMAT: &str = "ntk-settings/1\n";

/// Settings, and of when they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Whose.
    pub slug: String,
    /// When they were read, RFC 3339.
    pub made: String,
    /// Leaves of the log at that time.
    pub log_size: u64,
    /// Name and text.
    pub files: BTreeMap<String, String>,
}

/// Settings as they are to be encrypted.
#[derive(Clone, Debug)]
pub struct Signed {
    /// SHA-256 of names and texts, hex: the same as long as nothing changes.
    pub files_sha256: String,
    /// Signature and text.
    pub plain: Vec<u8>,
}

/// Settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSettings {
    /// Bytes.
    #[error("they have another form")]
    Form,
    /// The signature.
    #[error("they were not signed by the collector that the trust file beside them names")]
    Signature,
    /// Another practice.
    #[error("they are of another practice")]
    Practice,
    /// A file that is none of them.
    #[error("they hold a file that is no setting")]
    Name,
}

impl Settings {
    /// Reads them from the folder. What was never set is not there.
    pub fn gather(home: &Home, slug: &Slug, made: String, log_size: u64) -> Result<Self, HomeError> {
        let mut files = BTreeMap::new();
        files.insert(CONFIGURATION.to_owned(), read_text(&home.config())?);
        for name in PRIVATE.into_iter().filter(|name| home.private(name).exists()) {
            files.insert(name.to_owned(), home.read_secret(name)?);
        }
        // The certificate lies open where the rest is encrypted.
        let [certificate, key] = AUTHORITY;
        files.insert(certificate.to_owned(), read_text(&home.private(certificate))?);
        files.insert(key.to_owned(), home.read_secret(key)?);
        Ok(Self { slug: slug.to_string(), made, log_size, files })
    }

    /// Signs them with the collector's key.
    pub fn sign(&self, signer: &NoteSigner) -> Signed {
        // Plain texts: serde cannot fail on them.
        let text = |value: serde_json::Result<String>| value.unwrap_or_default();
        let files_sha256 = Hash::of(text(serde_json::to_string(&self.files)).as_bytes()).to_hex();
        let body = format!("{FORMAT}{}", text(serde_json::to_string(self)));
        let plain = format!("{}\n{body}", hex(&signer.raw(body.as_bytes()))).into_bytes();
        Signed { files_sha256, plain }
    }
}

/// Reads decrypted settings of a practice, which this key must have signed.
pub fn open(plain: &[u8], slug: &Slug, key: &VerifierKey) -> Result<Settings, NotSettings> {
    let text = std::str::from_utf8(plain).map_err(|_| NotSettings::Form)?;
    let (signature, body) = text.split_once('\n').ok_or(NotSettings::Form)?;
    let signature = unhex(signature).and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
    if !key.verify_bytes(body.as_bytes(), &signature.ok_or(NotSettings::Form)?) {
        return Err(NotSettings::Signature);
    }
    let settings = body.strip_prefix(FORMAT).and_then(|json| serde_json::from_str::<Settings>(json).ok());
    let settings = settings.ok_or(NotSettings::Form)?;
    if settings.slug != slug.as_str() {
        return Err(NotSettings::Practice);
    }
    let is_known = |name: &String| {
        let name = name.as_str();
        name == CONFIGURATION || PRIVATE.contains(&name) || AUTHORITY.contains(&name)
    };
    if settings.files.keys().all(is_known) { Ok(settings) } else { Err(NotSettings::Name) }
}

#[cfg(test)]
mod tests {
    use ntk_evidence::note::KeyType;

    use super::*;

    fn signer(seed: u8) -> NoteSigner {
        NoteSigner::new("maple/collector", KeyType::Ed25519, &[seed; 32]).unwrap()
    }

    fn settings(slug: &Slug, name: &str) -> Settings {
        let files = [(name.to_owned(), "{}".to_owned())].into();
        Settings { slug: slug.to_string(), made: "2026-11-27T19:00:00Z".into(), log_size: 7, files }
    }

    #[test]
    fn only_what_this_practices_collector_signed_is_read_and_only_files_that_are_settings() {
        let (slug, other) = (Slug::new("maple", &[1; 32]).unwrap(), Slug::new("elm", &[2; 32]).unwrap());
        let key = signer(1);
        let key = key.verifier();
        let good = settings(&slug, "accounts.json");
        let signed = good.sign(&signer(1));
        assert_eq!(open(&signed.plain, &slug, key), Ok(good.clone()));
        assert_eq!(open(&good.sign(&signer(2)).plain, &slug, key), Err(NotSettings::Signature));
        assert_eq!(open(&signed.plain, &other, key), Err(NotSettings::Practice));
        for name in ["../../etc/passwd", "log.key", "collector.key", "server.key", "bundle.key", ""] {
            let refused = open(&settings(&slug, name).sign(&signer(1)).plain, &slug, key);
            assert_eq!(refused, Err(NotSettings::Name), "{name}");
        }
        for at in 0..signed.plain.len() {
            let mut changed = signed.plain.clone();
            changed[at] ^= 1;
            assert!(open(&changed, &slug, key).is_err(), "byte {at}");
            assert!(open(&signed.plain[..at], &slug, key).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_same_files_have_one_hash_whenever_they_were_read() {
        let slug = Slug::new("maple", &[1; 32]).unwrap();
        let (now, key) = (settings(&slug, "accounts.json"), signer(1));
        let later = Settings { made: "2027-01-01T00:00:00Z".into(), log_size: 9, ..now.clone() };
        assert_eq!(now.sign(&key).files_sha256, later.sign(&key).files_sha256);
        assert_ne!(now.sign(&key).files_sha256, settings(&slug, "reviewers.json").sign(&key).files_sha256);
    }
}
