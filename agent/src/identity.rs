//! Who this machine is to the collector: keys, certificate, author and the collector's own key.
//!
//! ```text
//! DIR/identity/             0700
//!   agent.key               0600  PKCS#8 PEM: the secret key of the TLS certificate
//!   epoch-<n>.key           0600  64 hex digits: the seed of the key that signs this machine's log ([`epochs`])
//!   witness.key             0600  64 hex digits: the seed of the key that cosigns checkpoints of the collector log
//!   trust.txt                     the practice's trust file as last seen, signed by the practice key
//!   certificate.pem               this machine's certificate, from enrolment or the last renewal ([`renewed`])
//!   authority.pem                 the practice's certificate authority, the only one that is believed
//!   identity.toml                 slug, author, epoch, log_key, collector, more_collectors, server_name
//! ```
//! On Windows the three keys are sealed to the machine (DPAPI), and the folder's list of rights takes the place of modes.
//! Enrolment writes the secret keys first and `identity.toml` last: without it the identity is incomplete,
//! and enrolling again goes on with the same keys.
//!
//! Thief of agent.key: can open sessions as this machine, but not sign entries. Thief of the
//! epoch's key: can sign entries until the epoch ends; what the collector acknowledged before stays as it is.

use std::path::{Path, PathBuf};

use ntk_evidence::hash::{hex, unhex};
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::VerifierKey;
use ntk_evidence::trust::TrustFile;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::whole_file::{Files, Readable, create_private_folder};

pub mod epochs;
mod modes;
mod renewed;

use epochs::Seed;

/// The identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No identity.
    #[error("`{path}` is missing: this machine is not enrolled; run `ntk-agent enroll --token TOKEN`")]
    NotEnrolled {
        /// The missing file or folder.
        path: PathBuf,
    },
    /// A file of a finished enrolment is gone.
    #[error(
        "`{path}` is missing; restore it from a backup, or have this machine enrolled anew with a token from `ntk-collector enroll new --replace NAME`"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others may read or write what only the owner may.
    #[error("`{path}` has mode {found:04o}, so others could use it; run `chmod {wanted:04o} {path}`")]
    Loose {
        /// File or folder.
        path: PathBuf,
        /// Its mode.
        found: u32,
        /// The mode it needs.
        wanted: u32,
    },
    /// A file could not be read.
    #[error("could not read `{path}`; run this as the user that owns it (root, when installed as a service)")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("could not write `{path}`; check free space and permissions")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// No random numbers.
    #[error("the system gave no random numbers for a key: {0}")]
    Random(getrandom::Error),
    /// A file holds something else than it should.
    #[error("`{path}` is damaged: {what}; restore it from a backup, or enrol this machine anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// What is in `identity.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// The practice's slug.
    pub slug: String,
    /// `agent/<machine>`.
    pub author: String,
    /// Epoch of the key that was enrolled; the log says which one is current.
    pub epoch: u32,
    /// The collector log's verifier key.
    pub log_key: String,
    /// `host:port` of the collector.
    pub collector: String,
    /// More addresses of it, tried in this order after the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_collectors: Vec<String>,
    /// The name in the collector's certificate.
    pub server_name: String,
}

/// The secrets that a machine makes for itself and keeps; the signing keys' are [`epochs::EpochKeys`].
#[derive(Clone)]
pub struct Secrets {
    /// PKCS#8 PEM of the TLS key.
    pub tls_key_pem: String,
    /// Seed of the key that cosigns checkpoints: its own, longer-lived than any epoch.
    pub witness_seed: [u8; 32],
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(withheld)")
    }
}

/// Everything that a session and the spool need to know about this machine.
#[derive(Debug)]
pub struct Identity {
    /// The practice.
    pub slug: Slug,
    /// This machine's author.
    pub author: Author,
    /// Checks the collector log's notes.
    pub log_key: VerifierKey,
    /// Who is trusted for what, as the practice key signed it.
    pub trust: TrustFile,
    /// `host:port` of the collector.
    pub collector: String,
    /// More addresses of it, tried in this order after the first.
    pub more_collectors: Vec<String>,
    /// The name in the collector's certificate.
    pub server_name: String,
    /// This machine's certificate.
    pub certificate_pem: String,
    /// The practice's certificate authority.
    pub authority_pem: String,
    /// The secrets.
    pub secrets: Secrets,
}

/// The files of an identity.
#[derive(Clone, Debug)]
pub struct IdentityFiles {
    folder: PathBuf,
}

impl IdentityFiles {
    /// The identity below the agent's folder.
    pub fn of(dir: &Path) -> Self {
        Self { folder: dir.join("identity") }
    }

    /// An identity in a folder of another name: one that is not in use yet.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// What the collector answered to the enrolment.
    pub fn enrolment(&self, files: &dyn Files) -> Result<Enrolled, IdentityError> {
        let path = self.enrolled();
        toml::from_str(&text(files, &path)?)
            .map_err(|error| IdentityError::Damaged { path, what: error.message().to_owned() })
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that holds the TLS key.
    pub fn tls_key(&self) -> PathBuf {
        self.folder.join("agent.key")
    }

    /// The file that holds the seed of an epoch's signing key.
    pub fn epoch_key(&self, epoch: u32) -> PathBuf {
        self.folder.join(format!("epoch-{epoch}.key"))
    }

    /// Epochs of which there is a key file, in their order.
    pub fn epochs(&self) -> Result<Vec<u32>, IdentityError> {
        let read = |source| IdentityError::Read { path: self.folder.clone(), source };
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(read)? {
            numbers.extend(epochs::number_of(&entry.map_err(read)?.path()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The file that holds the cosigning key's seed.
    pub fn witness_key(&self) -> PathBuf {
        self.folder.join("witness.key")
    }

    /// The file that holds the practice's trust file.
    pub fn trust(&self) -> PathBuf {
        self.folder.join("trust.txt")
    }

    /// The file that holds this machine's certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// The file that holds the practice's authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// The file that is written last.
    pub fn enrolled(&self) -> PathBuf {
        self.folder.join("identity.toml")
    }

    /// Whether every file is there.
    pub fn is_complete(&self) -> bool {
        [
            self.tls_key(),
            self.witness_key(),
            self.trust(),
            self.certificate(),
            self.authority(),
            self.enrolled(),
        ]
        .iter()
        .all(|path| path.is_file())
            && self.epochs().is_ok_and(|epochs| !epochs.is_empty())
    }

    /// The secrets of an earlier, unfinished enrolment, or new ones, durable before anyone hears of them.
    pub fn secrets_or_new(
        &self,
        files: &dyn Files,
        new: impl FnOnce() -> (Secrets, Seed),
    ) -> Result<(Secrets, Seed), IdentityError> {
        let write = |path: PathBuf| move |source| IdentityError::Write { path, source };
        create_private_folder(&self.folder).map_err(write(self.folder.clone()))?;
        modes::check_folder(&self.folder)?;
        let epoch_key = self.epoch_key(0);
        if self.tls_key().is_file() && epoch_key.is_file() && self.witness_key().is_file() {
            return Ok((self.secrets(files)?, Zeroizing::new(seed(files, epoch_key)?)));
        }
        let (secrets, first) = new();
        let witness = format!("{}\n", hex(&secrets.witness_seed));
        let first_text = epochs::written(&first);
        for (path, content) in [
            (self.tls_key(), secrets.tls_key_pem.as_str()),
            (epoch_key, first_text.as_str()),
            (self.witness_key(), witness.as_str()),
        ] {
            files.replace(&path, content.as_bytes(), Readable::Secret).map_err(write(path))?;
        }
        Ok((secrets, first))
    }

    /// Finishes an enrolment: certificate, authority, trust file, and last `identity.toml`.
    pub fn finish(
        &self,
        files: &dyn Files,
        certificate_pem: &str,
        authority_pem: &str,
        trust_text: &str,
        enrolled: &Enrolled,
    ) -> Result<(), IdentityError> {
        let text = toml::to_string(enrolled)
            .map_err(|error| IdentityError::Damaged { path: self.enrolled(), what: error.to_string() })?;
        for (path, content) in [
            (self.certificate(), certificate_pem),
            (self.authority(), authority_pem),
            (self.trust(), trust_text),
            (self.enrolled(), text.as_str()),
        ] {
            files
                .replace(&path, content.as_bytes(), Readable::ByOwner)
                .map_err(|source| IdentityError::Write { path, source })?;
        }
        Ok(())
    }

    /// Reads and checks the whole identity.
    pub fn load(&self, files: &dyn Files) -> Result<Identity, IdentityError> {
        if !self.enrolled().is_file() {
            return Err(IdentityError::NotEnrolled { path: self.enrolled() });
        }
        modes::check_folder(&self.folder)?;
        let path = self.enrolled();
        let damaged = |what: String| IdentityError::Damaged { path: path.clone(), what };
        let enrolled = self.enrolment(files)?;
        let slug = Slug::parse(&enrolled.slug).map_err(|error| damaged(error.to_string()))?;
        let author = Author::parse(&enrolled.author).map_err(|error| damaged(error.to_string()))?;
        let log_key = VerifierKey::parse(&enrolled.log_key).map_err(|error| damaged(error.to_string()))?;
        if author.machine().is_none() {
            return Err(damaged("the author is not an agent".to_owned()));
        }
        if log_key.name() != slug.log_origin() {
            return Err(damaged("the log key belongs to another practice".to_owned()));
        }
        let trust = TrustFile::parse(text(files, &self.trust())?.as_bytes())
            .map_err(|error| IdentityError::Damaged { path: self.trust(), what: error.to_string() })?;
        if trust.slug != slug {
            let what = "it belongs to another practice".to_owned();
            return Err(IdentityError::Damaged { path: self.trust(), what });
        }
        // The practice key may have announced that the log which this machine was enrolled with was closed and put back.
        let is_closed = trust.restored.iter().any(|closed| closed.log == log_key);
        let log_key = if is_closed { trust.log.clone() } else { log_key };
        let pair = self.tls_pair(files)?;
        let mut secrets = self.secrets(files)?;
        secrets.tls_key_pem = pair.key;
        Ok(Identity {
            slug,
            author,
            log_key,
            trust,
            collector: enrolled.collector,
            more_collectors: enrolled.more_collectors,
            server_name: enrolled.server_name,
            certificate_pem: pair.certificate,
            authority_pem: text(files, &self.authority())?,
            secrets,
        })
    }

    fn secrets(&self, files: &dyn Files) -> Result<Secrets, IdentityError> {
        modes::check_secret(&self.tls_key())?;
        let epochs = self.epochs()?;
        if epochs.is_empty() {
            return Err(IdentityError::Missing { path: self.epoch_key(0) });
        }
        for epoch in epochs {
            modes::check_secret(&self.epoch_key(epoch))?;
        }
        modes::check_secret(&self.witness_key())?;
        let tls_key_pem = text(files, &self.tls_key())?;
        Ok(Secrets { tls_key_pem, witness_seed: seed(files, self.witness_key())? })
    }
}

fn seed(files: &dyn Files, path: PathBuf) -> Result<[u8; 32], IdentityError> {
    let text = Zeroizing::new(text(files, &path)?);
    let bytes = unhex(text.trim_end()).map(Zeroizing::new);
    let seed = bytes.and_then(|bytes| bytes.as_slice().try_into().ok());
    seed.ok_or_else(|| IdentityError::Damaged { path, what: "not 64 hex digits".to_owned() })
}

fn text(files: &dyn Files, path: &Path) -> Result<String, IdentityError> {
    let path = path.to_owned();
    let content = match files.read(&path) {
        Ok(Some(content)) => content,
        Ok(None) => return Err(IdentityError::Missing { path }),
        Err(source) => return Err(IdentityError::Read { path, source }),
    };
    String::from_utf8(content).map_err(|_| IdentityError::Damaged { path, what: "not text".to_owned() })
}

#[cfg(test)]
pub(crate) mod tests;
