//! Who this machine is to the collector: keys, certificate, author and the collector's own key.
//!
//! ```text
//! DIR/identity/             0700
//!   agent.key               0600  PKCS#8 PEM: the secret key of the TLS certificate
//!   epoch.key               0600  64 hex digits: the seed of the Ed25519 key that signs this machine's log
//!   witness.key             0600  64 hex digits: the seed of the key that cosigns checkpoints of the collector log
//!   trust.txt                     the practice's trust file as last seen, signed by the practice key
//!   certificate.pem               this machine's certificate, from enrolment
//!   authority.pem                 the practice's certificate authority, the only one that is believed
//!   identity.toml                 slug, author, epoch, log_key, collector, server_name
//! ```
//! Enrolment writes the two secret keys first and `identity.toml` last: without it the identity is incomplete,
//! and enrolling again goes on with the same keys.
//!
//! Thief of agent.key: can open sessions as this machine, but not sign entries. Thief of epoch.key: can sign
//! entries of this epoch; what the collector acknowledged before stays as it is.

use std::path::{Path, PathBuf};

use ntk_evidence::hash::{hex, unhex};
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::{KeyType, NoteSigner, VerifierKey};
use ntk_evidence::trust::TrustFile;
use serde::{Deserialize, Serialize};

use crate::whole_file::{Files, Readable, create_private_folder};

mod modes;

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
    /// Epoch of `epoch.key`.
    pub epoch: u32,
    /// The collector log's verifier key.
    pub log_key: String,
    /// `host:port` of the collector.
    pub collector: String,
    /// The name in the collector's certificate.
    pub server_name: String,
}

/// The secrets that a machine makes for itself.
#[derive(Clone)]
pub struct Secrets {
    /// PKCS#8 PEM of the TLS key.
    pub tls_key_pem: String,
    /// Seed of the signing key.
    pub epoch_seed: [u8; 32],
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
    /// Epoch of the signing key.
    pub epoch: u32,
    /// Checks the collector log's notes.
    pub log_key: VerifierKey,
    /// Who is trusted for what, as the practice key signed it.
    pub trust: TrustFile,
    /// `host:port` of the collector.
    pub collector: String,
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

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that holds the TLS key.
    pub fn tls_key(&self) -> PathBuf {
        self.folder.join("agent.key")
    }

    /// The file that holds the signing key's seed.
    pub fn epoch_key(&self) -> PathBuf {
        self.folder.join("epoch.key")
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
            self.epoch_key(),
            self.witness_key(),
            self.trust(),
            self.certificate(),
            self.authority(),
            self.enrolled(),
        ]
        .iter()
        .all(|path| path.is_file())
    }

    /// The secrets of an earlier, unfinished enrolment, or new ones, durable before anyone hears of them.
    pub fn secrets_or_new(
        &self,
        files: &dyn Files,
        new: impl FnOnce() -> Secrets,
    ) -> Result<Secrets, IdentityError> {
        let write = |path: PathBuf| move |source| IdentityError::Write { path, source };
        create_private_folder(&self.folder).map_err(write(self.folder.clone()))?;
        modes::check_folder(&self.folder)?;
        if self.tls_key().is_file() && self.epoch_key().is_file() && self.witness_key().is_file() {
            return self.secrets(files);
        }
        let secrets = new();
        let (epoch, witness) =
            (format!("{}\n", hex(&secrets.epoch_seed)), format!("{}\n", hex(&secrets.witness_seed)));
        for (path, content) in [
            (self.tls_key(), &secrets.tls_key_pem),
            (self.epoch_key(), &epoch),
            (self.witness_key(), &witness),
        ] {
            files.replace(&path, content.as_bytes(), Readable::ByOwner).map_err(write(path))?;
        }
        Ok(secrets)
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
        let enrolled: Enrolled =
            toml::from_str(&text(files, &path)?).map_err(|error| damaged(error.message().to_owned()))?;
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
        Ok(Identity {
            slug,
            author,
            epoch: enrolled.epoch,
            log_key,
            trust,
            collector: enrolled.collector,
            server_name: enrolled.server_name,
            certificate_pem: text(files, &self.certificate())?,
            authority_pem: text(files, &self.authority())?,
            secrets: self.secrets(files)?,
        })
    }

    fn secrets(&self, files: &dyn Files) -> Result<Secrets, IdentityError> {
        modes::check_secret(&self.tls_key())?;
        modes::check_secret(&self.epoch_key())?;
        modes::check_secret(&self.witness_key())?;
        let tls_key_pem = text(files, &self.tls_key())?;
        let (epoch_seed, witness_seed) = (seed(files, self.epoch_key())?, seed(files, self.witness_key())?);
        Ok(Secrets { tls_key_pem, epoch_seed, witness_seed })
    }
}

impl Identity {
    /// The key that signs this machine's log.
    pub fn signer(&self) -> Result<NoteSigner, IdentityError> {
        let name = self.slug.author_origin(&self.author);
        NoteSigner::new(&name, KeyType::Ed25519, &self.secrets.epoch_seed).map_err(|error| {
            IdentityError::Damaged { path: PathBuf::from("epoch.key"), what: error.to_string() }
        })
    }
}

fn seed(files: &dyn Files, path: PathBuf) -> Result<[u8; 32], IdentityError> {
    let seed = unhex(text(files, &path)?.trim_end()).and_then(|seed| seed.try_into().ok());
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
