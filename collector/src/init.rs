//! `init`: a practice's keys, ledger and configuration, in a folder that has none.
//!
//! The practice key and the recovery key are written once, to a file that is taken away, and kept nowhere
//! else. Everything is made in memory first; `collector.toml` is written last, so a half-finished init has no
//! configuration and can be run again over what it left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::hash::hex;
use ntk_evidence::name::{NameError, Slug};
use ntk_evidence::note::{KeyType, NoteError, NoteSigner};
use ntk_evidence::time::Moment;
use ntk_evidence::trust::{TrustError, TrustFile};
use ntk_evidence::words;
use serde_json::{Value, json};

use crate::at_rest::source::{self, Secret, Source};
use crate::at_rest::{AtRestError, convert, header};
use crate::authority::{self, Authority, AuthorityError};
use crate::clock::Clock;
use crate::config::console::RawConsole;
use crate::config::{Config, ConfigError, RawConfig};
use crate::home::{Home, HomeError, random, write_file};
use crate::ledger::LedgerError;
use crate::ledger::writer::{self, LedgerKeys};
use crate::policy::Policy;
use crate::practice::file;
use crate::recovery::{self, RecoveryError};

/// How many machines may be enrolled without the practice key, at first.
const MACHINES_MAX: u32 = 100;
/// For how long: a year.
const ENROLMENT_SECONDS: i64 = 366 * 86_400;
/// The name in the listener's certificate that tokens ask for, whatever the address.
pub const SERVER_NAME: &str = "ntk-collector";

/// What a person decides at init.
#[derive(Clone, Debug)]
pub struct InitOptions {
    /// The practice's full name.
    pub name: String,
    /// Its zone.
    pub timezone: String,
    /// Which table to begin with.
    pub template: String,
    /// Where the practice key and the recovery key go.
    pub keys_to: PathBuf,
    /// Who administers what.
    pub administers: BTreeMap<String, String>,
    /// Where agents connect.
    pub listen: String,
    /// Where people sign in with a browser; nowhere where absent.
    pub console: Option<String>,
    /// Whether what is stored is encrypted.
    pub at_rest: Option<AtRestOptions>,
}

/// Encryption of what is stored.
#[derive(Clone, Debug)]
pub struct AtRestOptions {
    /// Where the key comes from.
    pub key: Source,
    /// File with the passphrase, where it is one that nobody types.
    pub passphrase_file: Option<PathBuf>,
}

/// What init made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The practice's slug.
    pub slug: String,
    /// The practice key in twelve words.
    pub practice_words: String,
    /// Where the keys to be taken away are.
    pub keys_to: PathBuf,
}

/// A practice could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is one already.
    #[error("`{0}` holds a practice already; nothing was changed")]
    AlreadyThere(String),
    /// The keys' file exists.
    #[error("`{0}` exists already; name another file for the keys, nothing was changed")]
    KeysThere(String),
    /// No such table.
    #[error("there is no template `{wanted}`; choose one of: {known}")]
    Template {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// Values of the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Files.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Names.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Keys.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The trust file.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Certificates.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Encryption at rest.
    #[error(transparent)]
    AtRest(#[from] AtRestError),
    /// The recovery key.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The ledger.
    #[error("the ledger could not be made")]
    Ledger(#[from] LedgerError),
    /// The configuration could not be written as TOML.
    #[error("the configuration could not be written")]
    Toml(#[from] toml::ser::Error),
}

/// Makes a practice.
pub fn init(home: &Home, options: &InitOptions, clock: &Clock) -> Result<Made, InitError> {
    init_with(home, options, json!({}), clock)
}

/// Makes a practice of which the first act says more, such as what was said about a second reviewer.
pub fn init_with(home: &Home, options: &InitOptions, more: Value, clock: &Clock) -> Result<Made, InitError> {
    if home.config().exists() {
        return Err(InitError::AlreadyThere(home.dir().display().to_string()));
    }
    if options.keys_to.exists() {
        return Err(InitError::KeysThere(options.keys_to.display().to_string()));
    }
    let policy = template(&options.template)?;
    let text = configuration(home, options)?;
    let wanted = secret_at_rest(home, options)?;
    clear_half_made(home)?;
    home.create()?;
    let keys = Keys::make(&options.name)?;
    let home = &kept(home, wanted, &keys)?;
    let now = clock.now();
    let trust = keys.trust(&options.name, now);
    keys.write_to_take_away(&options.keys_to, options)?;
    let acts = first_acts(&keys, &trust, options, (policy, "# Nobody is listed yet.\n"), more, now);
    let made = Made {
        slug: keys.slug.to_string(),
        practice_words: trust.practice_words(),
        keys_to: options.keys_to.clone(),
    };
    lay(home, keys, &trust, acts, clock)?;
    finish(home, &text)?;
    Ok(made)
}

/// The table of a template.
pub(crate) fn template(name: &str) -> Result<&'static str, InitError> {
    Policy::template(name).ok_or_else(|| InitError::Template {
        wanted: name.to_owned(),
        known: crate::policy::TEMPLATES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
    })
}

/// The text of a new `collector.toml`, checked.
pub(crate) fn configuration(home: &Home, options: &InitOptions) -> Result<String, InitError> {
    let raw = RawConfig {
        practice: options.name.clone(),
        timezone: options.timezone.clone(),
        listen: options.listen.clone(),
        address_for_agents: None,
        more_addresses_for_agents: Vec::new(),
        tickets_listen: None,
        witness_round_seconds: 60,
        silent_after_seconds: crate::silence::SILENT_AFTER_SECONDS,
        settle_seconds: crate::silence::SETTLE_SECONDS,
        self_check_hours: 24,
        log: "human".into(),
        log_level: "info".into(),
        administers: options.administers.clone(),
        retention: crate::config::Retention::default(),
        off_site: None,
        time_stamps: None,
        console: options.console.clone().map(|listen| RawConsole { listen, ..RawConsole::default() }),
        report: None,
        mail: None,
        notices: None,
        m365: None,
    };
    let text = format!(
        "# Need-to-Know collector. Changes are read while it runs.\n{}{}",
        toml::to_string_pretty(&raw)?,
        include_str!("../templates/delivery-example.toml")
    );
    Config::parse(&text, &home.config().display().to_string())?;
    Ok(text)
}

/// The secret that the folder is to be kept under, asked for before anything is written; none for one in plain.
pub(crate) fn secret_at_rest<'o>(
    home: &Home,
    options: &'o InitOptions,
) -> Result<Option<(&'o Source, Secret)>, InitError> {
    let wanted = options.at_rest.as_ref().map(|wanted| {
        let secret = source::make(&wanted.key, home, wanted.passphrase_file.as_deref());
        secret.map(|secret| (&wanted.key, secret))
    });
    Ok(wanted.transpose()?)
}

/// The folder as it is kept from now on.
pub(crate) fn kept(home: &Home, wanted: Option<(&Source, Secret)>, keys: &Keys) -> Result<Home, InitError> {
    Ok(match wanted {
        None => home.clone(),
        Some((source, secret)) => convert::begin_new(home.clone(), source, &secret, &keys.recovery)?,
    })
}

/// The acts that a ledger begins with: who it is of, the table and the roster.
pub(crate) fn first_acts(
    keys: &Keys,
    trust: &TrustFile,
    options: &InitOptions,
    (policy, roster): (&str, &str),
    more: Value,
    now: Moment,
) -> Vec<Event> {
    let time = now.to_rfc3339(3);
    let mut init = json!({
        "practice": options.name, "slug": trust.slug.as_str(), "practice_key": trust.practice_key.to_string(),
        "recovery_key": keys.recovery, "timezone": options.timezone,
        "administers": options.administers, "version": env!("CARGO_PKG_VERSION"),
        "at_rest": options.at_rest.as_ref().map_or("plain", |wanted| wanted.key.kind()),
    });
    if let (Some(init), Some(more)) = (init.as_object_mut(), more.as_object()) {
        init.extend(more.clone());
    }
    vec![
        act::event(act::kind::INIT, &time, init),
        act::event(act::kind::POLICY, &time, json!({"text": policy, "template": options.template})),
        act::event(act::kind::ROSTER, &time, json!({"text": roster})),
    ]
}

/// Writes keys, certificates, trust file and the ledger's first batch. Without a configuration it is no practice yet.
pub(crate) fn lay(
    home: &Home,
    keys: Keys,
    trust: &TrustFile,
    acts: Vec<Event>,
    clock: &Clock,
) -> Result<(), InitError> {
    keys.write(home)?;
    write_file(&home.trust(), trust.sign(&keys.practice)?.as_bytes(), 0o644)?;
    writer::create(home, &keys.slug, keys.ledger, acts, clock)?;
    Ok(())
}

/// Writes the configuration, last.
pub(crate) fn finish(home: &Home, text: &str) -> Result<(), InitError> {
    Ok(write_file(&home.config(), text.as_bytes(), 0o640)?)
}

/// Removes what an init left that did not come to its end: its keys signed nothing that left the folder.
pub(crate) fn clear_half_made(home: &Home) -> Result<(), HomeError> {
    let gone = |path: PathBuf| match std::fs::remove_dir_all(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(HomeError::Write { path, source })
        }
        _ => Ok(()),
    };
    gone(home.ledger())?;
    gone(home.cache())?;
    let header = home.path(header::FILE);
    match std::fs::remove_file(&header) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(HomeError::Write { path: header, source })
        }
        _ => Ok(()),
    }
}

/// A practice's keys before they are written: those that are taken away and those of the collector.
pub(crate) struct Keys {
    slug: Slug,
    practice: NoteSigner,
    practice_seed: [u8; 32],
    recovery_seed: [u8; 32],
    /// The public half, as age writes it.
    recovery: String,
    ledger: LedgerKeys,
    bundle: NoteSigner,
    seeds: [(&'static str, [u8; 32]); 3],
}

impl Keys {
    fn make(name: &str) -> Result<Self, InitError> {
        let (practice_seed, recovery_seed) = (random()?, random()?);
        let public =
            *NoteSigner::new("practice", KeyType::Ed25519, &practice_seed)?.verifier().public_bytes();
        Self::of(Slug::new(&Slug::word_from_name(name), &public)?, practice_seed, recovery_seed)
    }

    /// The keys that were taken away, with new ones for a new collector.
    pub(crate) fn of(
        slug: Slug,
        practice_seed: [u8; 32],
        recovery_seed: [u8; 32],
    ) -> Result<Self, InitError> {
        let practice = NoteSigner::new(&slug.practice_name(), KeyType::Ed25519, &practice_seed)?;
        let seeds =
            [(file::LOG_KEY, random()?), (file::COLLECTOR_KEY, random()?), (file::BUNDLE_KEY, random()?)];
        let [(_, log), (_, collector), (_, bundle)] = &seeds;
        Ok(Self {
            ledger: LedgerKeys {
                log: NoteSigner::new(&slug.log_origin(), KeyType::Ed25519, log)?,
                collector: NoteSigner::new(&format!("{slug}/collector"), KeyType::Ed25519, collector)?,
            },
            bundle: NoteSigner::new(&slug.bundle_name(), KeyType::Ed25519, bundle)?,
            recovery: recovery::identity(&recovery_seed)?.to_public().to_string(),
            slug,
            practice,
            practice_seed,
            recovery_seed,
            seeds,
        })
    }

    /// Whom these keys make known, as the practice key will sign it.
    pub(crate) fn trust(&self, practice: &str, now: Moment) -> TrustFile {
        TrustFile {
            practice: practice.to_owned(),
            made: now.to_rfc3339(0),
            practice_key: self.practice.verifier().clone(),
            log: self.ledger.log.verifier().clone(),
            collector: self.ledger.collector.verifier().clone(),
            bundle: self.bundle.verifier().clone(),
            recovery: self.recovery.clone(),
            reviewers: Vec::new(),
            machines_max: MACHINES_MAX,
            enrolment_until: now.plus_seconds(ENROLMENT_SECONDS).to_rfc3339(0),
            committee: Vec::new(),
            outside: Vec::new(),
            committee_quorum: 0,
            outside_quorum: 0,
            slug: self.slug.clone(),
        }
    }

    fn write(&self, home: &Home) -> Result<(), InitError> {
        for (file, seed) in &self.seeds {
            home.write_key(file, seed)?;
        }
        let made = authority::make(self.slug.as_str())?;
        write_file(&home.private(file::AUTHORITY), made.certificate.as_bytes(), 0o644)?;
        home.write_secret(file::AUTHORITY_KEY, made.key.as_bytes())?;
        let server = Authority::open(&made, Vec::new())?.server(&[SERVER_NAME.to_owned()])?;
        write_file(&home.private(file::SERVER), server.certificate.as_bytes(), 0o644)?;
        Ok(home.write_secret(file::SERVER_KEY, server.key.as_bytes())?)
    }

    fn write_to_take_away(&self, path: &Path, options: &InitOptions) -> Result<(), InitError> {
        let text = format!(
            "Need-to-Know: keys of {name} ({slug})\n\
             Take this file away now: to a USB stick or on paper, then delete it here.\n\
             Whoever holds the practice key decides whom verifiers trust. Whoever holds the recovery key can\n\
             read what was kept for a rebuild. Nobody can make them again.\n\n\
             The practice key's public half in twelve words (these may be shown to anybody):\n  {words}\n\n\
             practice key  {practice}\n  as words: {practice_words}\n\n\
             recovery key  {recovery}\n  for age: {recovery_age}\n  as words: {recovery_words}\n",
            name = options.name,
            slug = self.slug,
            words = words::of_key(self.practice.verifier().public_bytes()),
            practice = hex(&self.practice_seed),
            practice_words = words::secret_to_words(&self.practice_seed),
            recovery = hex(&self.recovery_seed),
            recovery_age = recovery::identity(&self.recovery_seed)?.to_string().expose_secret(),
            recovery_words = words::secret_to_words(&self.recovery_seed),
        );
        Ok(write_file(path, text.as_bytes(), 0o600)?)
    }
}
