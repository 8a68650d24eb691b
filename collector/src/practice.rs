//! A practice as its folder holds it: configuration, trust file, keys; opened once by whoever works on it.

use std::sync::{Arc, PoisonError, RwLock};

use ntk_evidence::note::{KeyType, NoteError, NoteSigner};
use ntk_evidence::time::Moment;
use ntk_evidence::trust::{TrustError, TrustFile};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::authority::{Authority, AuthorityError, Credentials, Dates};
use crate::config::{Config, ConfigError};
use crate::home::{Home, HomeError, read_text};
use crate::in_common::InCommon;
use crate::init::SERVER_NAME;
use crate::ledger::writer::LedgerKeys;

/// File names below `private/`.
pub mod file {
    /// Seed of the key that signs checkpoints.
    pub const LOG_KEY: &str = "log.key";
    /// Seed of the key that signs the collector's acts.
    pub const COLLECTOR_KEY: &str = "collector.key";
    /// Seed of the key that signs bundles.
    pub const BUNDLE_KEY: &str = "bundle.key";
    /// Key of the certificate authority.
    pub const AUTHORITY_KEY: &str = "authority.key";
    /// Its certificate.
    pub const AUTHORITY: &str = "authority.pem";
    /// Key of the agents' listener.
    pub const SERVER_KEY: &str = "server.key";
    /// Its certificate.
    pub const SERVER: &str = "server.pem";
    /// Certificate and key of the agents' listener, once they were renewed: one file, so that they always fit. Not `.pem`:
    /// those lie open where everything else is encrypted.
    pub const SERVER_RENEWED: &str = "server-renewed.key";
}

/// The folder holds no practice, or not a whole one.
#[derive(Debug, thiserror::Error)]
pub enum PracticeError {
    /// No practice here.
    #[error("`{0}` holds no practice; make one with `ntk-collector init --dir {0}`")]
    None(String),
    /// A file cannot be read.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The configuration is faulty.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The trust file is not what it was.
    #[error("`trust.txt` is not as the practice key signed it: {0}")]
    Trust(#[from] TrustError),
    /// A key is not the one that the trust file names.
    #[error(
        "the key `private/{0}` is not the one that trust.txt names; put back the right file from a backup"
    )]
    OtherKey(&'static str),
    /// A key cannot be used.
    #[error("a key cannot be used")]
    Note(#[from] NoteError),
    /// A certificate cannot be used.
    #[error("a certificate in `private` cannot be used")]
    Authority(#[from] AuthorityError),
    /// A certificate is not PEM.
    #[error("`private/authority.pem` is not a certificate")]
    Certificate,
}

/// A practice, read.
#[derive(Debug)]
pub struct Practice {
    /// Its folder.
    pub home: Home,
    /// Its configuration as it was at the start.
    pub config: Config,
    /// The same as it is now, for what takes effect without a start.
    live: RwLock<Arc<Config>>,
    /// Its trust file, verified against the practice key inside.
    pub trust: TrustFile,
    /// The trust file verbatim.
    pub trust_text: String,
}

impl Practice {
    /// Reads a folder.
    pub fn open(home: Home) -> Result<Self, PracticeError> {
        if !home.config().exists() {
            return Err(PracticeError::None(home.dir().display().to_string()));
        }
        let config = Config::read(&home.config())?;
        let trust_text = read_text(&home.trust())?;
        let trust = TrustFile::parse(trust_text.as_bytes())?;
        let live = RwLock::new(Arc::new(config.clone()));
        let common = config.store.clone().map(|at| InCommon::new(home.clone(), at, trust.slug.as_str()));
        let home = common.into_iter().fold(home, |home, common| home.with_in_common(Arc::new(common)));
        Ok(Self { home, config, live, trust, trust_text })
    }

    /// The configuration as it is now. What a start alone can change (addresses, zone, console, store) is read from
    /// `config` instead.
    pub fn current(&self) -> Arc<Config> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A changed configuration, read again.
    pub fn changed(&self, next: Config) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    /// The keys of the ledger.
    pub fn ledger_keys(&self) -> Result<LedgerKeys, PracticeError> {
        let log = self.signer(file::LOG_KEY, self.trust.log.name())?;
        let collector = self.signer(file::COLLECTOR_KEY, self.trust.collector.name())?;
        if *log.verifier() != self.trust.log {
            return Err(PracticeError::OtherKey(file::LOG_KEY));
        }
        if *collector.verifier() != self.trust.collector {
            return Err(PracticeError::OtherKey(file::COLLECTOR_KEY));
        }
        Ok(LedgerKeys { log, collector })
    }

    /// The key that signs bundles.
    pub fn bundle_key(&self) -> Result<NoteSigner, PracticeError> {
        let bundle = self.signer(file::BUNDLE_KEY, self.trust.bundle.name())?;
        if *bundle.verifier() == self.trust.bundle {
            Ok(bundle)
        } else {
            Err(PracticeError::OtherKey(file::BUNDLE_KEY))
        }
    }

    fn signer(&self, file: &'static str, name: &str) -> Result<NoteSigner, PracticeError> {
        Ok(NoteSigner::new(name, KeyType::Ed25519, &self.home.read_key(file)?)?)
    }

    /// The certificate authority, PEM, and ready to sign.
    pub fn authority(&self) -> Result<(String, Authority), PracticeError> {
        let credentials = Credentials {
            certificate: read_text(&self.home.private(file::AUTHORITY))?,
            key: self.home.read_secret(file::AUTHORITY_KEY)?,
        };
        let der = CertificateDer::from_pem_slice(credentials.certificate.as_bytes())
            .map_err(|_| PracticeError::Certificate)?;
        let authority = Authority::open(&credentials, der.to_vec())?;
        Ok((credentials.certificate, authority))
    }

    /// What to do about the authority's end, in a sentence; none where there is more than a year left.
    pub fn authority_ends(&self, now: Moment) -> Result<Option<String>, PracticeError> {
        let certificate = read_text(&self.home.private(file::AUTHORITY))?;
        let der = CertificateDer::from_pem_slice(certificate.as_bytes());
        let dates = der.ok().and_then(|der| Dates::of(&der)).ok_or(PracticeError::Certificate)?;
        Ok(dates.authority_ends(now.unix_seconds()))
    }

    /// Certificate and key of the agents' listener: they belong together, and the authority vouches for them.
    pub fn server(&self) -> Result<Credentials, PracticeError> {
        let (_, authority) = self.authority()?;
        let credentials = if self.home.private(file::SERVER_RENEWED).exists() {
            let both = self.home.read_secret(file::SERVER_RENEWED)?;
            Credentials { certificate: both.clone(), key: both }
        } else {
            let certificate = read_text(&self.home.private(file::SERVER))?;
            Credentials { certificate, key: self.home.read_secret(file::SERVER_KEY)? }
        };
        authority.vouches_for(&credentials)?;
        Ok(credentials)
    }

    /// A new certificate with a new key for the agents' listener, durable, where the one in force is due.
    pub fn renew_server(&self, now: Moment) -> Result<Option<Credentials>, PracticeError> {
        let before = self.server()?;
        if !before.dates()?.is_due(now.unix_seconds()) {
            return Ok(None);
        }
        let made = self.authority()?.1.server(&[SERVER_NAME.to_owned()], now.unix_seconds())?;
        let both = zeroize::Zeroizing::new(format!("{}{}", made.certificate, made.key));
        self.home.write_secret(file::SERVER_RENEWED, both.as_bytes())?;
        Ok(Some(made))
    }
}
