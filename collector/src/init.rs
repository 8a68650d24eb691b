//! `init`: a practice's keys, ledger and configuration, in a folder that has none.
//!
//! The practice key and the recovery key are written once, to a file that is taken away, and kept nowhere
//! else. Everything is made in memory first; `collector.toml` is written last, so a half-finished init has no
//! configuration and can be run again over what it left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::name::{NameError, Slug};
use ntk_evidence::note::{KeyType, NoteError, NoteSigner};
use ntk_evidence::time::Moment;
use ntk_evidence::trust::{TrustError, TrustFile};
use serde_json::{Value, json};

use crate::at_rest::source::{self, Secret, Source};
use crate::at_rest::{AtRestError, convert, header};
use crate::authority::{self, Authority, AuthorityError, Credentials};
use crate::clock::Clock;
use crate::config::console::RawConsole;
use crate::config::{Config, ConfigError, RawConfig};
use crate::home::{Home, HomeError, random, read_text, write_file};
use crate::keys_file::TakenAway;
use crate::keys_file::paper::PaperError;
use crate::ledger::LedgerError;
use crate::ledger::writer::{self, LedgerKeys};
use crate::place::Place;
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
    /// Where the practice key and the recovery key go: files of a whole copy each; none where they are on paper alone.
    pub keys_to: Vec<PathBuf>,
    /// Who administers what.
    pub administers: BTreeMap<String, String>,
    /// Where agents connect.
    pub listen: String,
    /// Where people sign in with a browser; nowhere where absent.
    pub console: Option<String>,
    /// What links to the console say, where it is not `console`.
    pub console_address: Option<String>,
    /// Where the collector lives, if it was said.
    pub place: Option<Place>,
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
    /// Where the keys to be taken away are, each read back after it was written.
    pub keys_to: Vec<PathBuf>,
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
    /// Two copies would be one.
    #[error("`{0}` is named twice for the keys; name a file on each stick, nothing was changed")]
    KeysTwice(String),
    /// Neither a file nor paper.
    #[error("the keys would be nowhere; name a file for them, or take them on paper")]
    KeysNowhere,
    /// A copy is not what was written.
    #[error(
        "the keys in `{0}` do not read back as they were written; use another stick; nothing is in force of them"
    )]
    KeysNotReadBack(String),
    /// The words were not copied onto paper.
    #[error(transparent)]
    Paper(#[from] PaperError),
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
    init_with(home, options, json!({}), None, clock)
}

/// Shows the keys to somebody who takes them on paper, and comes back when they are there.
pub type OnPaper<'p> = &'p mut dyn FnMut(&TakenAway, &TrustFile) -> Result<(), PaperError>;

/// Makes a practice of which the first act says more, such as what was said about a second reviewer.
pub fn init_with(
    home: &Home,
    options: &InitOptions,
    more: Value,
    on_paper: Option<OnPaper<'_>>,
    clock: &Clock,
) -> Result<Made, InitError> {
    if home.config().exists() {
        return Err(InitError::AlreadyThere(home.dir().display().to_string()));
    }
    check_places(&options.keys_to, on_paper.is_some())?;
    let policy = template(&options.template)?;
    let settings = configuration(home, options)?;
    let wanted = secret_at_rest(home, options)?;
    clear_half_made(home)?;
    home.create()?;
    let keys = Keys::make(&options.name)?;
    let home = &kept(home, wanted, &keys)?;
    let now = clock.now();
    let trust = keys.trust(&options.name, now);
    let away = TakenAway::new(keys.practice_seed, keys.recovery_seed);
    // Paper first: where nobody gets the words right nothing is left, on no stick either.
    if let Some(on_paper) = on_paper {
        on_paper(&away, &trust)?;
    }
    let text = away.file(&options.name, &keys.slug, keys.practice.verifier().public_bytes())?;
    write_copies(&options.keys_to, &text)?;
    let acts = first_acts(&keys, &trust, options, (policy, "# Nobody is listed yet.\n"), more, now);
    let made = Made {
        slug: keys.slug.to_string(),
        practice_words: trust.practice_words(),
        keys_to: options.keys_to.clone(),
    };
    lay(home, keys, &trust, acts, clock)?;
    finish(home, &settings)?;
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
        place: options.place,
        administers: options.administers.clone(),
        retention: crate::config::Retention::default(),
        off_site: None,
        time_stamps: None,
        console: options.console.clone().map(|listen| {
            let address = options.console_address.clone();
            RawConsole { listen, address, ..RawConsole::default() }
        }),
        report: None,
        mail: None,
        notices: None,
        m365: None,
        monitoring: None,
        store: None,
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
    options.at_rest.as_ref().map(|wanted| secret_of(home, wanted)).transpose()
}

/// The secret that a folder is to be kept under, asked for before anything is written.
pub(crate) fn secret_of<'o>(
    home: &Home,
    wanted: &'o AtRestOptions,
) -> Result<(&'o Source, Secret), InitError> {
    let secret = source::make(&wanted.key, home, wanted.passphrase_file.as_deref())?;
    Ok((&wanted.key, secret))
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
    if let (Some(init), Some(place)) = (init.as_object_mut(), options.place) {
        init.insert("place".to_owned(), json!(place));
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
    keys.write(home, clock.now(), None)?;
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
            custodians: Vec::new(),
            succeeded: Vec::new(),
            retired: Vec::new(),
            restored: Vec::new(),
            machines_max: MACHINES_MAX,
            enrolment_until: now.plus_seconds(ENROLMENT_SECONDS).to_rfc3339(0),
            committee: Vec::new(),
            outside: Vec::new(),
            committee_quorum: 0,
            outside_quorum: 0,
            slug: self.slug.clone(),
        }
    }

    /// Names the keys of a new collector in a trust file that speaks of an earlier one.
    pub(crate) fn put_into(&self, trust: &mut TrustFile) {
        trust.log = self.ledger.log.verifier().clone();
        trust.collector = self.ledger.collector.verifier().clone();
        trust.bundle = self.bundle.verifier().clone();
    }

    /// Signs trust files.
    pub(crate) const fn practice(&self) -> &NoteSigner {
        &self.practice
    }

    /// The keys that a ledger is written with.
    pub(crate) fn into_ledger(self) -> LedgerKeys {
        self.ledger
    }

    /// Writes the keys that stay, and a certificate for agents' connections by a new authority or by this one.
    pub(crate) fn write(
        &self,
        home: &Home,
        now: Moment,
        authority: Option<Credentials>,
    ) -> Result<(), InitError> {
        for (file, seed) in &self.seeds {
            home.write_key(file, seed)?;
        }
        let made = authority.map_or_else(|| authority::make(self.slug.as_str()), Ok)?;
        write_file(&home.private(file::AUTHORITY), made.certificate.as_bytes(), 0o644)?;
        home.write_secret(file::AUTHORITY_KEY, made.key.as_bytes())?;
        let server =
            Authority::open(&made, Vec::new())?.server(&[SERVER_NAME.to_owned()], now.unix_seconds())?;
        write_file(&home.private(file::SERVER), server.certificate.as_bytes(), 0o644)?;
        Ok(home.write_secret(file::SERVER_KEY, server.key.as_bytes())?)
    }
}

fn check_places(places: &[PathBuf], is_on_paper: bool) -> Result<(), InitError> {
    if places.is_empty() && !is_on_paper {
        return Err(InitError::KeysNowhere);
    }
    for (number, place) in places.iter().enumerate() {
        if place.exists() {
            return Err(InitError::KeysThere(place.display().to_string()));
        }
        if places.iter().take(number).any(|earlier| earlier == place) {
            return Err(InitError::KeysTwice(place.display().to_string()));
        }
    }
    Ok(())
}

/// Writes the keys to each place and reads them back. Where one fails none stays, so that init can be run again.
fn write_copies(places: &[PathBuf], text: &str) -> Result<(), InitError> {
    let written = places.iter().try_for_each(|place| write_copy(place, text));
    if written.is_err() {
        // None was there before (`check_places`), so each that is there now is ours.
        places.iter().for_each(|place| drop(std::fs::remove_file(place)));
    }
    written
}

/// Writes the keys to one place and reads them back.
pub(crate) fn write_copy(place: &Path, text: &str) -> Result<(), InitError> {
    write_file(place, text.as_bytes(), 0o600)?;
    let back = zeroize::Zeroizing::new(read_text(place)?);
    if *back != text || TakenAway::read(&back).is_none() {
        return Err(InitError::KeysNotReadBack(place.display().to_string()));
    }
    Ok(())
}

/// The trust file that a practice of these two seeds begins with.
#[cfg(test)]
pub(crate) fn trust_for_tests(practice: [u8; 32], recovery: [u8; 32], now: Moment) -> TrustFile {
    let signer = NoteSigner::new("practice", KeyType::Ed25519, &practice).unwrap();
    let slug = Slug::new("test", signer.verifier().public_bytes()).unwrap();
    Keys::of(slug, practice, recovery).unwrap().trust("Test", now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(keys_to: Vec<PathBuf>) -> InitOptions {
        InitOptions {
            name: "Maple Street".into(),
            timezone: "America/New_York".into(),
            template: "small-practice".into(),
            keys_to,
            administers: BTreeMap::new(),
            listen: "127.0.0.1:0".into(),
            console: None,
            console_address: None,
            place: None,
            at_rest: None,
        }
    }

    #[test]
    fn two_copies_are_the_same_whole_file_and_each_reads_back() {
        let scratch = tempfile::tempdir().unwrap();
        let (a, b) = (scratch.path().join("a.txt"), scratch.path().join("b.txt"));
        let home = Home::new(scratch.path().join("collector"));
        let made = init(&home, &options(vec![a.clone(), b.clone()]), &Clock::system()).unwrap();
        assert_eq!(made.keys_to, [a.clone(), b.clone()]);
        let text = read_text(&a).unwrap();
        assert_eq!(text, read_text(&b).unwrap());
        let trust = TrustFile::parse(&std::fs::read(home.trust()).unwrap()).unwrap();
        assert_eq!(crate::keys_file::check(&text, &trust), [crate::keys_file::Found::Ours; 2]);
    }

    #[test]
    fn where_one_copy_cannot_be_written_none_stays_and_init_can_be_run_again() {
        let scratch = tempfile::tempdir().unwrap();
        let (a, away) = (scratch.path().join("a.txt"), scratch.path().join("not-mounted/b.txt"));
        let home = Home::new(scratch.path().join("collector"));
        let failed = init(&home, &options(vec![a.clone(), away]), &Clock::system());
        assert!(matches!(failed, Err(InitError::Home(HomeError::Write { .. }))));
        assert!(!a.exists() && !home.config().exists());
        init(&home, &options(vec![a.clone(), scratch.path().join("b.txt")]), &Clock::system()).unwrap();
        assert!(a.exists());
    }

    #[test]
    fn one_place_named_twice_a_file_that_is_there_and_no_place_at_all_are_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let (a, home) = (scratch.path().join("a.txt"), Home::new(scratch.path().join("collector")));
        let tried = |to| init(&home, &options(to), &Clock::system());
        assert!(matches!(tried(vec![a.clone(), a.clone()]), Err(InitError::KeysTwice(_))));
        assert!(matches!(tried(vec![]), Err(InitError::KeysNowhere)));
        std::fs::write(&a, "mine").unwrap();
        assert!(matches!(tried(vec![scratch.path().join("b.txt"), a.clone()]), Err(InitError::KeysThere(_))));
        assert_eq!(std::fs::read_to_string(&a).unwrap(), "mine");
        assert!(!scratch.path().join("b.txt").exists() && !home.config().exists());
    }

    #[test]
    fn words_that_nobody_typed_back_make_no_practice_and_leave_no_copy() {
        let scratch = tempfile::tempdir().unwrap();
        let (a, home) = (scratch.path().join("a.txt"), Home::new(scratch.path().join("collector")));
        let mut refuse = |_: &TakenAway, _: &TrustFile| Err(PaperError::Ended);
        let failed =
            init_with(&home, &options(vec![a.clone()]), json!({}), Some(&mut refuse), &Clock::system());
        assert!(matches!(failed, Err(InitError::Paper(PaperError::Ended))));
        assert!(!a.exists() && !home.config().exists());
        let mut words = Vec::new();
        let mut take = |keys: &TakenAway, _: &TrustFile| {
            words = crate::keys_file::Secret::BOTH.map(|which| keys.words(which).join(" ")).to_vec();
            Ok(())
        };
        init_with(&home, &options(vec![]), json!({}), Some(&mut take), &Clock::system()).unwrap();
        let trust = TrustFile::parse(&std::fs::read(home.trust()).unwrap()).unwrap();
        let text = format!("practice key {}\nrecovery key {}\n", words[0], words[1]);
        assert_eq!(crate::keys_file::check(&text, &trust), [crate::keys_file::Found::Ours; 2]);
        assert!(!home.path("keys-to-take-away.txt").exists());
    }
}
