//! `restore`: a collector that is lost, put back from the copy outside, and announced to whoever remembers more.
//!
//! The ledger is put back verbatim, acts and all, and its log is **closed** at the copy's size: what the lost collector
//! acknowledged later is void. The same tree goes on under new keys, because those that signed the lost leaves are in no copy
//! and no key may sign two trees of one size (LG-1). The practice key, which lies in the safe, says so in the trust file
//! ([`ntk_evidence::trust::restored`]); machines that hold the older trust file believe it, keep what they remember as
//! evidence, and send again what they still have. Whoever puts an old copy back without the practice key has a collector
//! that every machine and witness refuses.
//!
//! # What a crash leaves at each step
//! Segments, keys, trust file: a folder without a configuration, which is no practice; the next restore clears it. The
//! configuration is written last, and taken away again where the self-check behind it does not pass.
//!
//! # What vouches for what
//! The copy's list by its checkpoint, which the lost log signed; each file by the list's hashes and by its own signatures
//! (the self-check reads every byte); settings by the lost collector's key. That a *newer* copy existed nothing here can
//! know: size and time are shown, and what machines' packages remember beyond is named ([`gone`]).

use std::collections::BTreeMap;
use std::path::PathBuf;

use ntk_evidence::act;
use ntk_evidence::author_log::AuthorLog;
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, NoteError, NoteSigner};
use ntk_evidence::time::Moment;
use ntk_evidence::trust::restored::{NotRestored, Restored};
use ntk_evidence::trust::{TrustError, TrustFile};
use ntk_segment::frame::Frame;
use ntk_segment::put_back::PutBack;
use ntk_segment::reader::Reader;
use serde_json::json;

use crate::authority::Credentials;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::home::{Home, HomeError, write_file};
use crate::init::{self, AtRestOptions, InitError, Keys};
use crate::keys_file::{Secret, secret};
use crate::ledger::state::LedgerState;
use crate::ledger::{LedgerError, from_frame, from_pruned, writer};
use crate::off_site::settings::{AUTHORITY, CONFIGURATION, Settings};
use crate::off_site::shelf::{Shelf, ShelfError};
use crate::place::Place;
use crate::practice::{Practice, PracticeError};
use crate::recovery::{RecoveryError, RecoveryKeys, is_in_force};
use crate::refill::RefillError;
use crate::refill::filling::Filling;
use crate::refill::source::{self, Source};
use crate::self_check::{SelfCheck, self_check};

mod copied;
mod gone;

use copied::Copied;

/// What a person gives.
pub struct RestoreOptions {
    /// The text of the file that `init` wrote to be taken away.
    pub keys: String,
    /// Texts with recovery keys of before the one in `keys`.
    pub former_keys: Vec<String>,
    /// Where the copy lies.
    pub copy: Box<dyn Shelf>,
    /// Packages of machines (`ntk-agent kept --out`): what they hold beyond the copy goes in.
    pub packages: Vec<PathBuf>,
    /// A newer trust file than the copy's, where one is left: of a collector that was restored before and lost again.
    pub trust: Option<String>,
    /// Who restores.
    pub by: String,
    /// Why, in one line.
    pub why: String,
    /// Where agents connect, if not where they did.
    pub listen: Option<String>,
    /// Where the collector lives now, if it moved.
    pub place: Option<Place>,
    /// Whether what is stored is encrypted.
    pub at_rest: Option<AtRestOptions>,
}

impl std::fmt::Debug for RestoreOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RestoreOptions(keys withheld)")
    }
}

/// What a restore made.
#[derive(Clone, Debug)]
pub struct PutBackLedger {
    /// The practice's slug.
    pub slug: String,
    /// The announcement, as it stands in the trust file.
    pub closed: Restored,
    /// When the copy's list was written, RFC 3339.
    pub copied: String,
    /// What is gone, and what a person has to look at.
    pub gone: Vec<String>,
    /// The whole ledger, verified from its bytes.
    pub check: SelfCheck,
}

/// A collector could not be put back. Nothing that was read from is changed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// What was put away goes into files.
    #[error(
        "this ledger is in a database; stop its collectors, bring it back with `ntk-collector migrate --to files`, take back, and migrate again"
    )]
    InDatabase,
    /// The keys' file holds not both keys.
    #[error("`--keys`: the file holds no {0}; it is the one that `init` wrote to be taken away")]
    Keys(&'static str),
    /// The place of the copy.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// A file of the copy is not there.
    #[error(
        "`{0}` is missing in the copy; nothing was restored: try an older state of that place, or `ntk-collector refill`"
    )]
    Missing(String),
    /// A file of the copy is not what the list says.
    #[error(
        "`{0}` in the copy is not what the list beside it names; nothing was restored. Keep the copy as it is and ask who could write there"
    )]
    Changed(String),
    /// A file of the copy is not encrypted to a recovery key that was given.
    #[error("`{0}` in the copy could not be decrypted: {1}; nothing was restored")]
    Sealed(String, String),
    /// The recovery key is none that the trust files name.
    #[error(
        "the recovery key in `--keys` is none that the newest trust file at hand (signed {0}) names; nothing was restored. If it came after that one, give `--trust` the trust file of then (each machine has it as identity/trust.txt), and the key of before with `--former-keys`"
    )]
    OtherRecovery(String),
    /// A recovery key.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// List or trust file.
    #[error("`{0}` of the copy cannot be used: {1}; nothing was restored")]
    Copy(&'static str, String),
    /// A segment is not in the copy.
    #[error(
        "the copy has no segment {0}; what follows it could not be verified, so nothing was restored: `ntk-collector refill` takes what can be read"
    )]
    Hole(u64),
    /// Another practice's.
    #[error(
        "the copy was signed by another practice key than the one in `--keys`; nothing was restored. After a hand-over of the practice key give `--trust` the trust file that it made"
    )]
    OtherPractice,
    /// A trust file that does not continue the copy's.
    #[error("`{0}` is no trust file that continues the copy's; nothing was restored")]
    OtherTrust(String),
    /// No settings, or from before the authority was among them.
    #[error(
        "the copy holds no authority, so machines could not know this collector again; use `ntk-collector refill` and enrol them anew"
    )]
    NoSettings,
    /// Settings that are not the lost collector's.
    #[error("the settings in the copy cannot be used: {0}; nothing was restored")]
    Settings(String),
    /// The batches do not lead to the list's checkpoint.
    #[error(
        "the copy's batches lead to {found} leaves and another root than its list names ({named}); nothing was restored"
    )]
    OtherEnd {
        /// Leaves that were counted.
        found: u64,
        /// Leaves that the list names.
        named: u64,
    },
    /// The copy reaches beyond where its log was closed already.
    #[error(
        "this copy reaches {copied} leaves of a log that the practice key closed at {closed} when another copy was put back: machines take what lies beyond as void. Put back the copy of then, or a later one of the log that went on; keep this one as evidence"
    )]
    Beyond {
        /// Leaves of the copy.
        copied: u64,
        /// Where the log was closed.
        closed: u64,
    },
    /// What was put back does not verify.
    #[error("what was put back does not verify, so no collector was made of it: {0}")]
    Unsound(String),
    /// The reason, or its form.
    #[error("`--reason` takes one line of at most 300 bytes: {0}")]
    Reason(#[from] NotRestored),
    /// The old configuration.
    #[error("the copied configuration cannot be used")]
    Config(#[from] ConfigError),
    /// It could not be written again.
    #[error("the configuration could not be written")]
    Toml(#[from] toml::ser::Error),
    /// A package.
    #[error(transparent)]
    Package(#[from] RefillError),
    /// The new collector.
    #[error(transparent)]
    Init(#[from] InitError),
    /// Its folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The new ledger.
    #[error("the ledger could not be put back")]
    Ledger(#[from] LedgerError),
    /// The trust file.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Keys.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The practice as it was put back.
    #[error(transparent)]
    Practice(#[from] PracticeError),
}

/// Puts a lost collector back into `home`. `tell` hears done and total segments.
pub fn restore(
    home: &Home,
    options: RestoreOptions,
    clock: &Clock,
    tell: &mut dyn FnMut(u64, u64),
) -> Result<PutBackLedger, RestoreError> {
    if home.config().exists() {
        return Err(InitError::AlreadyThere(home.dir().display().to_string()).into());
    }
    let seed = |which, name| secret(&options.keys, which).ok_or(RestoreError::Keys(name));
    let (practice_seed, recovery_seed) =
        (seed(Secret::Practice, "practice key")?, seed(Secret::Recovery, "recovery key")?);
    let public = *NoteSigner::new("practice", KeyType::Ed25519, &practice_seed)?.verifier().public_bytes();
    let recovery = RecoveryKeys::new(&recovery_seed, &options.former_keys)?;
    let copied = Copied::open(options.copy)?;
    let before = newest_trust(&copied.trust, &options.packages, options.trust.as_deref(), &public)?;
    if !is_in_force(&recovery_seed, &before)? {
        return Err(RestoreError::OtherRecovery(before.made));
    }
    let packages = options.packages.iter().map(|folder| Source::open(folder, &before));
    let packages: Vec<Source> = packages.collect::<Result<_, _>>()?;
    within_announced(&before, &copied)?;
    let settings = copied.settings(&recovery, &before)?;
    let now = clock.now();
    // Of two trust files of one second machines keep the one that they have.
    let made = Moment::parse(&before.made).map_or(now, |before| now.max(before.plus_seconds(1)));
    let closed = Restored {
        made: made.to_rfc3339(0),
        size: copied.checkpoint.size,
        root: copied.checkpoint.root,
        log: before.log.clone(),
        collector: before.collector.clone(),
        why: options.why,
    };
    closed.check()?;
    let config = configuration(&settings, options.listen, options.place)?;

    let at_rest = options.at_rest.as_ref();
    let wanted = at_rest.map(|wanted| init::secret_of(home, wanted)).transpose()?;
    init::clear_half_made(home)?;
    home.create()?;
    let keys = Keys::of(before.slug.clone(), practice_seed, recovery_seed)?;
    let home = &init::kept(home, wanted, &keys)?;
    let trust = announced(&keys, &before, &closed);
    let put_back = copied.put_back(home.disk(), &home.ledger(), (&recovery, &before), tell)?;
    let mut state = end_of(&put_back, &copied)?;
    state.goes_on(&trust);

    let mut said = gone::before(&copied, &packages, &state, &settings);
    let body = json!({
        "by": options.by, "why": closed.why, "made": closed.made,
        "old_log": {"key": closed.log.to_string(), "size": closed.size, "root": closed.root.to_base64(),
            "checkpoint": copied.list.checkpoint, "beyond": gone::beyond(&packages, closed.size)},
        "new_log": trust.log.to_string(),
        "copy": {"written": copied.list.written, "segments": copied.list.segments.len()},
        "gone": said,
    });
    write_private(home, &keys, &settings, now)?;
    write_file(&home.trust(), trust.sign(keys.practice())?.as_bytes(), 0o644)?;
    let acts = vec![act::event(act::kind::RESTORED, now.to_rfc3339(3), body)];
    let logs = logs(&state);
    writer::go_on(put_back, state, keys.into_ledger(), acts, clock)?;
    if !packages.is_empty() {
        let keys = crate::refill::keys_of(home, &trust)?;
        let opened = writer::open(home, &trust.slug, keys, clock.clone(), None)?;
        said.extend(fill(opened, logs, &packages, (&recovery, &trust))?.said);
    }
    init::finish(home, &config)?;
    let check = checked(home).inspect_err(|_| drop(std::fs::remove_file(home.config())))?;
    Ok(PutBackLedger { slug: trust.slug.to_string(), closed, copied: copied.list.written, gone: said, check })
}

/// The newest trust file at hand that continues the copy's, of the practice key with these public bytes.
fn newest_trust(
    copied: &TrustFile,
    packages: &[PathBuf],
    given: Option<&str>,
    practice: &[u8; 32],
) -> Result<TrustFile, RestoreError> {
    let given = given.map(|text| TrustFile::parse(text.as_bytes())).transpose()?;
    if let Some(given) = given.as_ref().filter(|given| given.since(copied).is_none()) {
        return Err(RestoreError::OtherTrust(format!("--trust (signed {})", given.made)));
    }
    let theirs = packages.iter().map(|folder| source::trust_in(folder)).collect::<Result<Vec<_>, _>>()?;
    let all =
        theirs.iter().chain(given.as_ref()).chain([copied]).filter(|trust| trust.since(copied).is_some());
    // Longest chains first: a machine may hold a file of another restore, or of a hand-over.
    let newest = all.max_by_key(|trust| {
        (trust.restored.len(), trust.succeeded.len(), trust.retired.len(), Moment::parse(&trust.made))
    });
    let newest = newest.unwrap_or(copied);
    if newest.practice_key.public_bytes() == practice {
        Ok(newest.clone())
    } else {
        Err(RestoreError::OtherPractice)
    }
}

/// What the practice key announced stays so: where the copied log was closed below the copy's end, the rest is void for good.
fn within_announced(newest: &TrustFile, copied: &Copied) -> Result<(), RestoreError> {
    let later = newest.restored.get(copied.trust.restored.len()..).unwrap_or_default();
    match later.iter().map(|closed| closed.size).min().filter(|size| *size < copied.checkpoint.size) {
        Some(closed) => Err(RestoreError::Beyond { copied: copied.checkpoint.size, closed }),
        None => Ok(()),
    }
}

/// The trust file that goes on, with one more line.
fn announced(keys: &Keys, before: &TrustFile, closed: &Restored) -> TrustFile {
    let mut trust = before.clone();
    keys.put_into(&mut trust);
    trust.made.clone_from(&closed.made);
    trust.restored.push(closed.clone());
    trust
}

/// What the copied batches lead to: the last segment from its own STATE, by signature and root.
fn end_of(put_back: &PutBack, copied: &Copied) -> Result<LedgerState, RestoreError> {
    let reader = put_back.reader().map_err(LedgerError::from)?;
    let state = follow_last(&reader, &copied.trust)?;
    let end = state.checkpoint();
    if end == copied.checkpoint {
        Ok(state)
    } else {
        Err(RestoreError::OtherEnd { found: end.size, named: copied.checkpoint.size })
    }
}

fn follow_last(reader: &Reader, trust: &TrustFile) -> Result<LedgerState, LedgerError> {
    let last = reader.committed_end().segment;
    let stated = reader.state_of(last)?;
    let mut state = LedgerState::from_frame(trust.slug.clone(), trust.collector.clone(), &stated)?;
    for frame in reader.frames_from(ntk_segment::pointer::Pointer::first_in(last)) {
        let leaf = state.range.size();
        match frame?.1 {
            Frame::Batch(batch) => drop(state.follow(from_frame(leaf, batch)?)?),
            Frame::Pruned(pruned) => drop(state.follow(from_pruned(leaf, pruned)?)?),
            Frame::State(_) | Frame::Commit(_) => {}
        }
    }
    Ok(state)
}

/// The logs of machines that may go on; what was revoked stays so.
fn logs(state: &LedgerState) -> BTreeMap<Author, AuthorLog> {
    let logs =
        state.authors.iter().filter(|(author, known)| author.machine().is_some() && known.key().is_some());
    logs.map(|(author, known)| (author.clone(), known.log.clone())).collect()
}

/// What became of packages.
#[derive(Debug)]
pub struct TakenBack {
    /// A sentence for each machine of which something came or is gone.
    pub said: Vec<String>,
    /// Whether no key that was given opens some of it.
    pub some_unread: bool,
}

/// Takes in what machines had put away, later: the collector is stopped, its folder is a whole practice.
pub fn take_back(
    home: &Home,
    (keys, former_keys): (&str, &[String]),
    packages: &[PathBuf],
    clock: &Clock,
) -> Result<TakenBack, RestoreError> {
    let recovery = secret(keys, Secret::Recovery).ok_or(RestoreError::Keys("recovery key"))?;
    let recovery = RecoveryKeys::new(&recovery, former_keys)?;
    let practice = Practice::open(home.clone())?;
    // The files here are a copy then: what is added to them alone would be another history.
    if practice.config.store.is_some() {
        return Err(RestoreError::InDatabase);
    }
    let packages = packages.iter().map(|folder| Source::open(folder, &practice.trust));
    let packages: Vec<Source> = packages.collect::<Result<_, _>>()?;
    let opened = writer::open(home, &practice.trust.slug, practice.ledger_keys()?, clock.clone(), None)?;
    let authors = opened.handle.published().authors;
    let logs = authors.iter().filter(|(author, known)| author.machine().is_some() && known.key().is_some());
    let logs = logs.map(|(author, known)| (author.clone(), known.log.clone())).collect();
    fill(opened, logs, &packages, (&recovery, &practice.trust))
}

/// Takes in what packages hold behind the copy's end, and says so.
fn fill(
    opened: writer::Opened,
    logs: BTreeMap<Author, AuthorLog>,
    packages: &[Source],
    (recovery, trust): (&RecoveryKeys, &TrustFile),
) -> Result<TakenBack, RestoreError> {
    let mut filling = Filling::new(opened.handle, logs);
    loop {
        let before = filling.n_batches;
        for package in packages {
            filling.take(package, recovery, &mut || {})?;
        }
        if filling.n_batches == before {
            break;
        }
    }
    let mut said = gone::after(&filling, packages);
    let unread = unopened(packages, recovery, trust);
    let some_unread = unread.is_some();
    said.extend(unread);
    let handle = filling.handle.clone();
    if !said.is_empty() {
        let filled =
            filling.logs.iter().filter(|(author, log)| filling.begins.get(author) != Some(&log.size()));
        let filled: Vec<String> = filled.map(|(author, _)| author.to_string()).collect();
        let body = json!({"step": "filled", "authors": filled, "gone": said});
        let _appended = handle.act_blocking(vec![act::event(act::kind::RESTORED, handle.now(), body)])?;
    }
    drop((handle, filling));
    // The writer ends when the last handle is gone.
    let _ended = opened.thread.join();
    Ok(TakenBack { said, some_unread })
}

/// What packages hold and no key that was given opens: a sentence that says which key is wanted.
fn unopened(packages: &[Source], recovery: &RecoveryKeys, trust: &TrustFile) -> Option<String> {
    let n: usize = packages.iter().map(|package| package.n_of_another_key(recovery)).sum();
    let missing = recovery.missing(trust);
    (n > 0).then(|| {
        format!("{n} segments in the packages are encrypted to another recovery key and were not read; {missing}. `ntk-collector take-back` takes them in later.")
    })
}

/// Keys, certificates and secrets: the lost collector's authority, so that machines know this one again.
fn write_private(home: &Home, keys: &Keys, settings: &Settings, now: Moment) -> Result<(), RestoreError> {
    let [certificate, key] = AUTHORITY.map(|name| settings.files.get(name).cloned().unwrap_or_default());
    keys.write(home, now, Some(Credentials { certificate, key }))?;
    let beside = |name: &&String| name.as_str() != CONFIGURATION && !AUTHORITY.contains(&name.as_str());
    for name in settings.files.keys().filter(beside) {
        home.write_secret(name, settings.files.get(name).map_or(&[][..], |text| text.as_bytes()))?;
    }
    Ok(())
}

/// The lost collector's configuration, as far as it fits another machine.
fn configuration(
    settings: &Settings,
    listen: Option<String>,
    place: Option<Place>,
) -> Result<String, RestoreError> {
    let text = settings.files.get(CONFIGURATION).ok_or(RestoreError::NoSettings)?;
    let mut raw = Config::parse(text, CONFIGURATION)?.raw;
    if listen.is_none() && place.is_none() && raw.store.is_none() {
        return Ok(text.clone());
    }
    raw.listen = listen.unwrap_or(raw.listen);
    raw.place = place.or(raw.place);
    // What is put back are files; `migrate` brings them into a database.
    raw.store = None;
    let text = format!(
        "# Need-to-Know collector. Changes are read while it runs.\n# Put back from a copy: comments are gone.\n{}",
        toml::to_string_pretty(&raw)?
    );
    Config::parse(&text, CONFIGURATION)?;
    Ok(text)
}

fn checked(home: &Home) -> Result<SelfCheck, RestoreError> {
    let practice = Practice::open(home.clone())?;
    let reader = Reader::open_on(home.disk(), &home.ledger()).map_err(LedgerError::from)?;
    let check = self_check(&practice, &reader, |_| {})?;
    if check.passed { Ok(check) } else { Err(RestoreError::Unsound(check.sentence)) }
}
