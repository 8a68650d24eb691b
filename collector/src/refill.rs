//! `refill`: a new collector in the place of one that is gone, filled from what machines kept and what was copied off-site.
//!
//! The practice key and the recovery key come from the safe. The new ledger has keys of its own, which a new trust file
//! names; the old log is closed, never continued, so that no two trees of one key exist. Batches go in verbatim, as
//! ingest would take them: numbers, signatures, roots, epochs ([`walk`]). A log of which the first entries are gone begins
//! where its enrolment says ([`ntk_evidence::act::Begins`]).
//!
//! What vouches for a package that its own machine wrote: the newest receipt of the old log in it. The old log's key is
//! the one of the trust file that the practice key signed; the receipt shows the machine's note of a size in that log;
//! the entries up to that size lead to the note's root. Behind that size the machine alone speaks, and the act says so.
//!
//! Nobody speaks for the old identities any more afterwards: each machine is enrolled anew in its own place
//! (`enroll new --replace`). The act [`act::kind::REFILLED`] names what is gone ([`gone`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ntk_evidence::act::{self, Begins, Enrolment};
use ntk_evidence::author_log::{AuthorLog, SealedBatch};
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, NoteError, NoteSigner};
use ntk_evidence::trust::TrustFile;
use ntk_evidence::trust::retired::NotRetired;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::home::Home;
use crate::init::{self, InitError, InitOptions, Keys};
use crate::keys_file::{Secret, secret};
use crate::ledger::{LedgerError, writer};
use crate::policy::Policy;
use crate::recovery::{NotOpened, RecoveryKeys, is_in_force, recipient};
use crate::roster::Roster;
use crate::second::{SecondStep, Standing};

pub(crate) mod filling;
mod gone;
mod settings;
pub(crate) mod source;
pub(crate) mod walk;

use filling::Filling;
use gone::{Facts, Here, sentences};
use source::{Kind, Source};
use walk::{Step, walk};

/// What a person gives.
#[derive(Clone, Debug)]
pub struct RefillOptions {
    /// The configuration of the new collector; the practice's name is the old one's.
    pub init: InitOptions,
    /// The text of the file that `init` wrote to be taken away.
    pub keys: String,
    /// Texts with recovery keys of before the one in `keys`.
    pub former_keys: Vec<String>,
    /// Packages of machines (`ntk-agent kept --out`), copies of the old ledger.
    pub from: Vec<PathBuf>,
    /// The roster to come into force; the copied ledger's last one where absent.
    pub roster: Option<String>,
    /// The table to come into force; the copied ledger's last one, else the template's, where absent.
    pub policy: Option<String>,
    /// Machines that the practice had.
    pub expected: Vec<String>,
}

/// What a refill made.
#[derive(Clone, Debug)]
pub struct Refilled {
    /// The practice's slug.
    pub slug: String,
    /// Author, first number, number after the last.
    pub machines: Vec<(String, u64, u64)>,
    /// What is gone.
    pub gone: Vec<String>,
}

/// A ledger could not be filled again. Nothing that was read from is changed.
#[derive(Debug, thiserror::Error)]
pub enum RefillError {
    /// The keys' file holds not both keys.
    #[error("`--keys`: the file holds no {0}; it is the one that `init` wrote to be taken away")]
    Keys(&'static str),
    /// A folder is neither.
    #[error(
        "`{0}` is neither a package of a machine (`ntk-agent kept --out`) nor a copy of a ledger (a folder `segments` with trust.txt beside it)"
    )]
    NoSource(PathBuf),
    /// A file could not be read.
    #[error("could not read `{}`; check the path and its permissions", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of a source is not what it should be.
    #[error("`{}`: {what}; leave this folder out, or take a fresh copy", path.display())]
    Package {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Another practice's.
    #[error("`{}` was signed by another practice key than the one in `--keys`", .0.display())]
    OtherPractice(PathBuf),
    /// The package tells another history than the old ledger acknowledged.
    #[error(
        "`{}`: the old ledger acknowledged other entries of {author} up to {size} than these; keep the folder as evidence and leave it out",
        folder.display()
    )]
    OtherHistory {
        /// Which source.
        folder: PathBuf,
        /// Whose log.
        author: Author,
        /// Up to which number.
        size: u64,
    },
    /// Nothing was found.
    #[error("no entry of any machine could be read; see what was said of each folder: {0}")]
    Nothing(String),
    /// The roster or table that was given.
    #[error("`{0}` cannot be used: {1}")]
    Rules(&'static str, String),
    /// The new collector.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The new ledger.
    #[error("the new ledger could not be written")]
    Ledger(#[from] LedgerError),
    /// Keys.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// That the recovery key was replaced.
    #[error("that the recovery key was replaced cannot be signed: {0}")]
    Retired(#[from] NotRetired),
}

/// Makes a collector in `home` and fills its ledger. `tell` hears done and total segments.
pub fn refill(
    home: &Home,
    mut options: RefillOptions,
    clock: &Clock,
    mut tell: impl FnMut(u64, u64),
) -> Result<Refilled, RefillError> {
    if home.config().exists() {
        return Err(InitError::AlreadyThere(home.dir().display().to_string()).into());
    }
    let seed = |which, name| secret(&options.keys, which).ok_or(RefillError::Keys(name));
    let (practice_seed, recovery_seed) =
        (seed(Secret::Practice, "practice key")?, seed(Secret::Recovery, "recovery key")?);
    let recovery = RecoveryKeys::new(&recovery_seed, &options.former_keys).map_err(InitError::from)?;
    let (sources, mut before) = sources(&options.from, &practice_seed)?;
    let is_known = is_in_force(&recovery_seed, &before).map_err(InitError::from)?;
    let missing = recovery.missing(&before);
    let total = sources.iter().map(Source::len).fold(0usize, usize::saturating_add).saturating_mul(2);
    let total = u64::try_from(total).unwrap_or(u64::MAX);
    let mut done = 0u64;
    let mut step = || {
        done = done.saturating_add(1);
        tell(done.min(total), total);
    };

    let mut found = Found::default();
    for source in &sources {
        found.survey(source, &recovery, &mut step)?;
    }
    if found.runs.is_empty() {
        let of_keys =
            if before.retired.is_empty() && is_known { String::new() } else { format!("; {missing}") };
        return Err(RefillError::Nothing(found.broken.join("; ") + &of_keys));
    }

    options.init.name.clone_from(&before.practice);
    let text = init::configuration(home, &options.init)?;
    let (policy, roster) = rules(&options, &found)?;
    let wanted = init::secret_at_rest(home, &options.init)?;
    init::clear_half_made(home).map_err(InitError::from)?;
    home.create().map_err(InitError::from)?;
    let keys = Keys::of(before.slug.clone(), practice_seed, recovery_seed)?;
    let home = &init::kept(home, wanted, &keys)?;
    let now = clock.now();
    if !is_known {
        // Replaced after the newest of these sources last heard: the practice key says so once more, in what it signs now.
        let next = recipient(&recovery_seed).map_err(InitError::from)?;
        let why = "no source of the refill had heard of it";
        before.replace_recovery(&next, &now.to_rfc3339(0), why)?;
    }
    let trust = TrustFile {
        reviewers: before.reviewers.clone(),
        custodians: before.custodians.clone(),
        succeeded: before.succeeded.clone(),
        retired: before.retired.clone(),
        restored: Vec::new(),
        machines_max: before.machines_max,
        ..keys.trust(&before.practice, now)
    };
    let (said, named) = taken_over(found.second.as_ref().map(|(_, standing)| standing));
    let mut acts = init::first_acts(&keys, &trust, &options.init, (&policy, &roster), said, now);
    acts.extend(named.map(|body| act::event(act::kind::SECOND_REVIEWER, now.to_rfc3339(3), body)));
    let begins = found.begins();
    for log in begins.values() {
        acts.push(enrolment(log, &now.to_rfc3339(3)));
    }
    init::lay(home, keys, &trust, acts, clock)?;

    let practice_keys = keys_of(home, &trust)?;
    let opened = writer::open(home, &trust.slug, practice_keys, clock.clone(), None)?;
    let mut filling = Filling::new(opened.handle, begins);
    // A machine's older entries may lie in a source that comes later: go round while something goes in.
    loop {
        let before = filling.n_batches;
        for source in &sources {
            filling.take(source, &recovery, &mut step)?;
        }
        if filling.n_batches == before || filling.is_whole(|author| found.reaches(author)) {
            break;
        }
    }
    let facts = facts(&options, &found, &filling);
    let mut gone = sentences(&facts);
    let (copied, refused) = settings::found(&sources, &recovery, &before);
    gone.extend(refused);
    if facts.broken.iter().any(|broken| broken.contains(&NotOpened::OtherKey.to_string())) {
        gone.push(format!("Some of what was kept is encrypted to another recovery key: {missing}."));
    }
    if let Some(copied) = copied {
        gone.push(settings::put_back(home, &copied).map_err(InitError::from)?);
    }
    let body = body(&facts, &found, &before, &gone);
    let handle = filling.handle.clone();
    let mut acts = vec![act::event(act::kind::REFILLED, handle.now(), body)];
    acts.extend(filling.logs.keys().map(|author| {
        let reason = "its collector was made anew; the machine is enrolled again in its own place";
        act::event(
            act::kind::REVOCATION,
            handle.now(),
            json!({"author": author.to_string(), "reason": reason}),
        )
    }));
    let _appended = handle.act_blocking(acts)?;
    let machines = facts.machines.iter().map(|(author, here)| (author.to_string(), here.first, here.size));
    let machines = machines.collect();
    drop((handle, filling));
    // The writer ends when the last handle is gone: everything is durable before the folder becomes a practice.
    let _ended = opened.thread.join();
    init::finish(home, &text)?;
    Ok(Refilled { slug: trust.slug.to_string(), machines, gone })
}

/// Copies of the old ledger first, for they reach back furthest; and the newest trust file of this practice key.
///
/// A source may be of before a hand-over: the newest trust file has to lead from the one beside it.
fn sources(from: &[PathBuf], practice_seed: &[u8; 32]) -> Result<(Vec<Source>, TrustFile), RefillError> {
    let practice = NoteSigner::new("practice", KeyType::Ed25519, practice_seed)?;
    let trusts = from.iter().map(|folder| source::trust_in(folder)).collect::<Result<Vec<_>, _>>()?;
    let is_ours =
        |trust: &&TrustFile| trust.practice_key.public_bytes() == practice.verifier().public_bytes();
    let Some(newest) = trusts.iter().filter(is_ours).max_by(|a, b| a.made.cmp(&b.made)) else {
        let first = from.first().ok_or(RefillError::Keys("practice key"))?;
        return Err(RefillError::OtherPractice(first.clone()));
    };
    let mut sources =
        from.iter().map(|folder| Source::open(folder, newest)).collect::<Result<Vec<_>, _>>()?;
    sources.sort_by_key(|source| matches!(source.kind, Kind::Package(_)));
    Ok((sources, newest.clone()))
}

/// The keys in a folder that is not a practice yet.
pub(crate) fn keys_of(home: &Home, trust: &TrustFile) -> Result<writer::LedgerKeys, RefillError> {
    let read = |file, name: &str| -> Result<NoteSigner, RefillError> {
        let seed = home.read_key(file).map_err(InitError::from)?;
        Ok(NoteSigner::new(name, KeyType::Ed25519, &seed)?)
    };
    Ok(writer::LedgerKeys {
        log: read(crate::practice::file::LOG_KEY, trust.log.name())?,
        collector: read(crate::practice::file::COLLECTOR_KEY, trust.collector.name())?,
    })
}

/// The table and the roster to come into force: given, copied, or a template and nobody.
fn rules(options: &RefillOptions, found: &Found) -> Result<(String, String), RefillError> {
    let policy = match options.policy.as_ref().or(found.policy.as_ref()) {
        Some(text) => text.clone(),
        None => init::template(&options.init.template)?.to_owned(),
    };
    Policy::parse(&policy).map_err(|error| RefillError::Rules("--policy", error.to_string()))?;
    let roster = options.roster.as_ref().or(found.roster.as_ref());
    let roster = roster.map_or("# Nobody is listed yet.\n", String::as_str).to_owned();
    Roster::parse(&roster).map_err(|error| RefillError::Rules("--roster", error.to_string()))?;
    Ok((policy, roster))
}

/// How the practice stood to a second reviewer goes on: what the first act says of it, and the act that names one. Without
/// that, a ledger that was made anew would let one person decide alone.
fn taken_over(before: Option<&Standing>) -> (Value, Option<Value>) {
    let said = |what: &str, text: &str| json!({"refilled": true, "second_reviewer": {what: text}});
    match before {
        None | Some(Standing::NotAsked) => (json!({"refilled": true}), None),
        Some(Standing::Intended { name }) => (said("named", name), None),
        Some(Standing::Declined { because }) => (said("declined", because), None),
        Some(Standing::Named { person, without_agreement, .. }) => {
            let (person, because) = (person.clone(), without_agreement.clone());
            let mut body =
                serde_json::to_value(SecondStep::Named { person, agreed: None, because }).unwrap_or_default();
            if let Some(fields) = body.as_object_mut() {
                fields.insert("refilled".to_owned(), Value::Bool(true));
            }
            (json!({"refilled": true}), Some(body))
        }
    }
}

fn enrolment(log: &AuthorLog, time: &str) -> Event {
    let begins = (log.size() > 0).then(|| Begins { first: log.size(), range: log.range().hashes().to_vec() });
    let body = Enrolment {
        author: log.author().to_string(),
        key: log.key().map(ToString::to_string).unwrap_or_default(),
        epoch: log.epoch(),
        certificate: None,
        machine: Some("refilled".to_owned()),
        notice: None,
        replaces: None,
        witness: None,
        begins,
    };
    act::event(act::kind::ENROLMENT, time, serde_json::to_value(body).unwrap_or_default())
}

/// An uninterrupted row of an author's batches in one source.
#[derive(Clone, Debug)]
struct Run {
    begins: AuthorLog,
    size: u64,
}

/// What the first look at the sources found.
#[derive(Debug, Default)]
struct Found {
    runs: BTreeMap<Author, Vec<Run>>,
    /// Entries that the old log acknowledged, and where its proof stands: leaf and size of that log.
    proved: BTreeMap<Author, (u64, Option<(u64, u64)>)>,
    /// The largest checkpoint of the old log, and its note.
    old_log: Option<(Checkpoint, String)>,
    /// How many leaves a copy of the old ledger holds.
    copied: Option<u64>,
    roster: Option<String>,
    policy: Option<String>,
    /// How it stood to a second reviewer, and when that was said: another copy may be older.
    second: Option<(String, Standing)>,
    machines: BTreeSet<String>,
    broken: Vec<String>,
}

impl Found {
    fn survey(
        &mut self,
        source: &Source,
        recovery: &RecoveryKeys,
        step: &mut impl FnMut(),
    ) -> Result<(), RefillError> {
        let mut sizes: BTreeMap<Author, u64> = BTreeMap::new();
        let mut open: BTreeMap<Author, usize> = BTreeMap::new();
        if let Kind::Package(package) = &source.kind {
            self.machines.extend(package.author.machine().map(str::to_owned));
            let seen = package.seen.iter().chain(package.receipt.iter().map(|receipt| &receipt.log));
            seen.for_each(|(checkpoint, note)| self.old_log(checkpoint, note));
        }
        let of_witness = |name: &str| name.rsplit_once('/').map(|(_, machine)| machine.to_owned());
        self.machines.extend(source.trust.committee.iter().filter_map(|key| of_witness(key.name())));
        walk(source, recovery, |came| {
            match came {
                Step::Batch { batch, .. } if batch.author == Author::Collector => self.act(&batch),
                Step::Batch { batch, .. } if batch.is_removed() => drop(open.remove(&batch.author)),
                Step::Batch { before, batch, run } => {
                    self.batch(source, before, &batch, run, &mut open)?;
                    sizes.insert(batch.author.clone(), batch.size());
                }
                Step::Checkpoint(checkpoint, note) => {
                    self.copied = self.copied.max(Some(checkpoint.size));
                    self.old_log(&checkpoint, &String::from_utf8_lossy(&note));
                    for (author, size) in &sizes {
                        self.prove(author, *size, None);
                    }
                }
                Step::Broken(what) => self.broken.push(format!("{}: {what}", source.folder.display())),
                Step::Done => step(),
            }
            Ok(())
        })
    }

    fn batch(
        &mut self,
        source: &Source,
        before: &AuthorLog,
        batch: &SealedBatch,
        run: usize,
        open: &mut BTreeMap<Author, usize>,
    ) -> Result<(), RefillError> {
        if let Kind::Package(package) = &source.kind
            && let Some(receipt) = package.receipt.as_ref().filter(|receipt| receipt.size == batch.size())
        {
            if receipt.note != batch.note {
                let (folder, author) = (source.folder.clone(), batch.author.clone());
                return Err(RefillError::OtherHistory { folder, author, size: receipt.size });
            }
            self.prove(&batch.author, receipt.size, Some((receipt.leaf, receipt.log.0.size)));
        }
        let runs = self.runs.entry(batch.author.clone()).or_default();
        let is_open = open.insert(batch.author.clone(), run) == Some(run);
        match runs.last_mut().filter(|last| is_open && last.size == batch.first) {
            Some(last) => last.size = batch.size(),
            None => runs.push(Run { begins: before.clone(), size: batch.size() }),
        }
        Ok(())
    }

    fn prove(&mut self, author: &Author, size: u64, place: Option<(u64, u64)>) {
        let known = self.proved.entry(author.clone()).or_default();
        if size > known.0 {
            *known = (size, place);
        }
    }

    fn old_log(&mut self, checkpoint: &Checkpoint, note: &str) {
        if self.old_log.as_ref().is_none_or(|(known, _)| known.size < checkpoint.size) {
            self.old_log = Some((checkpoint.clone(), note.to_owned()));
        }
    }

    /// Takes over the last roster and table of a copied ledger, who was enrolled, and the second reviewer.
    fn act(&mut self, batch: &SealedBatch) {
        for (_, entry) in batch.numbered() {
            let Ok(event) = entry.event() else { continue };
            let Some(body) = act::body(&event) else { continue };
            let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
            match event.kind.as_str() {
                act::kind::ROSTER => self.roster = text("text").or(self.roster.take()),
                act::kind::POLICY => self.policy = text("text").or(self.policy.take()),
                act::kind::INIT => self.second(&event.time, |_| Some(Standing::of_init(body))),
                act::kind::SECOND_REVIEWER => self.second(&event.time, |mut standing| {
                    standing.apply(&event.time, serde_json::from_value(body.clone()).ok()?);
                    Some(standing)
                }),
                act::kind::ENROLMENT => {
                    let author = text("author").and_then(|author| Author::parse(&author).ok());
                    self.machines.extend(author.and_then(|author| author.machine().map(str::to_owned)));
                }
                _ => {}
            }
        }
    }

    /// Takes in what an act says of a second reviewer, unless a later one was read already.
    fn second(&mut self, at: &str, next: impl FnOnce(Standing) -> Option<Standing>) {
        let before = self.second.take();
        let is_later = before.as_ref().is_none_or(|(since, _)| since.as_str() <= at);
        let standing = before.as_ref().map(|(_, standing)| standing.clone()).unwrap_or_default();
        self.second = match next(standing).filter(|_| is_later) {
            Some(standing) => Some((at.to_owned(), standing)),
            None => before,
        };
    }

    /// Where each author's log begins: at the first entry of the unbroken row that reaches furthest.
    fn begins(&self) -> BTreeMap<Author, AuthorLog> {
        self.runs
            .iter()
            .filter_map(|(author, runs)| Some((author.clone(), furthest(runs)?.begins.clone())))
            .collect()
    }

    fn reaches(&self, author: &Author) -> u64 {
        self.runs.get(author).and_then(|runs| runs.iter().map(|run| run.size).max()).unwrap_or(0)
    }
}

/// The first run of the unbroken row that ends furthest: runs of several sources may overlap or meet.
fn furthest(runs: &[Run]) -> Option<&Run> {
    let mut first = runs.iter().max_by_key(|run| (run.size, std::cmp::Reverse(run.begins.size())))?;
    while let Some(earlier) = runs
        .iter()
        .filter(|run| run.begins.size() < first.begins.size() && run.size >= first.begins.size())
        .min_by_key(|run| run.begins.size())
    {
        first = earlier;
    }
    Some(first)
}

fn facts(options: &RefillOptions, found: &Found, filling: &Filling) -> Facts {
    let proved = |author: &Author| found.proved.get(author).map_or(0, |(size, _)| *size);
    let here = filling.notes.keys().filter(|(author, size)| *size <= proved(author)).count();
    let machines = filling.logs.iter().map(|(author, log)| {
        let first = filling.begins.get(author).copied().unwrap_or(0);
        (author.clone(), Here { first, size: log.size(), proved: proved(author) })
    });
    Facts {
        old_leaves: found.old_log.as_ref().map(|(checkpoint, _)| checkpoint.size),
        here: u64::try_from(here).unwrap_or(u64::MAX),
        copied: found.copied,
        machines: machines.collect(),
        expected: found.machines.iter().chain(&options.expected).cloned().collect(),
        broken: found.broken.clone(),
    }
}

/// The act's body: what is here, what proves it, the old log's last words, and what is gone.
fn body(facts: &Facts, found: &Found, before: &TrustFile, gone: &[String]) -> Value {
    let machines: Vec<Value> = facts
        .machines
        .iter()
        .map(|(author, here)| {
            let place = found.proved.get(author).and_then(|(_, place)| *place);
            json!({
                "author": author.to_string(), "first": here.first, "size": here.size, "proved": here.proved,
                "old_leaf": place.map(|(leaf, _)| leaf), "old_log_size": place.map(|(_, size)| size),
            })
        })
        .collect();
    json!({
        "machines": machines,
        "old_log": {
            "key": before.log.to_string(), "trust_made": before.made,
            "checkpoint": found.old_log.as_ref().map(|(_, note)| note),
            "copied": facts.copied,
        },
        "gone": gone,
    })
}

#[cfg(test)]
mod tests;
