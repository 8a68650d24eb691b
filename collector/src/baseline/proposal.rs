//! One program that works by itself, as it was seen, and the job that it would become.

use jiff::Timestamp;
use jiff::civil::Date;
use ntk_evidence::event::Class;
use ntk_evidence::hash::hex;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Account, Work, Worker};
use crate::need_to_know::job::file_name;
use crate::report::text::{count, list_of};
use crate::roster::Roster;

/// Bytes of the hash that make the id: 12 hex digits.
const ID_BYTES: usize = 6;

/// What programs of these names do, in words, for the sentence alone: it permits nothing.
const KNOWN: &[(&str, &[&str])] = &[
    (
        "the virus scanner",
        &["clamd", "clamscan", "clamonacc", "msmpeng", "sophos", "sentinelagent", "savscand", "wdavdaemon"],
    ),
    ("the search index", &["updatedb", "tracker-miner-fs-3", "searchindexer", "baloo_file", "recollindex"]),
    (
        "the backup",
        &[
            "restic",
            "borg",
            "rsnapshot",
            "duplicity",
            "bacula-fd",
            "kopia",
            "veeamagent",
            "urbackupclientbackend",
        ],
    ),
    ("the file sync", &["syncthing", "rclone", "nextcloudcmd", "unison", "rsync"]),
];

/// What a job is pinned by. Absent pins were not in the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pins {
    /// Full path of the program.
    pub program: String,
    /// Machine.
    pub host: String,
    /// Uid of the account, where it has a login of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Name of the account, for a service outside any login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Hours of the day; absent where it works at any hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    /// Classes of asset it touched.
    pub classes: Vec<Class>,
    /// SHA-256 of the program's file, where all records show the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Who signed the program, where all records show the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The program that starts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// An entry to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Author of the entry.
    pub author: String,
    /// Its number.
    pub number: u64,
}

/// What the entries show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Distinct days.
    pub n_days: usize,
    /// Accesses.
    pub n_accesses: u64,
    /// First of them, as the machine claims.
    #[serde(serialize_with = "crate::need_to_know::moment::option::serialize")]
    pub first: Option<Timestamp>,
    /// Last of them.
    #[serde(serialize_with = "crate::need_to_know::moment::option::serialize")]
    pub last: Option<Timestamp>,
    /// Some of the entries.
    pub samples: Vec<Sample>,
}

/// A program to confirm as a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// First 12 hex digits of SHA-256 of the pins.
    pub id: String,
    /// Id of the job that it would become.
    pub job: String,
    /// What it does, as people say it.
    pub name: String,
    /// What it is pinned by.
    pub pins: Pins,
    /// What the entries show.
    pub evidence: Evidence,
    /// For the person who confirms.
    pub sentence: String,
    /// What the records do not show, so that it cannot be pinned.
    pub cautions: Vec<String>,
}

/// A program that is as regular and is not proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unfit {
    /// Full path of the program.
    pub program: String,
    /// Machine.
    pub host: String,
    /// Why.
    pub why: String,
    /// What the entries show.
    pub evidence: Evidence,
}

impl Unfit {
    pub(super) fn new(worker: &Worker, work: &Work, why: String) -> Self {
        Self { program: worker.program.clone(), host: worker.host.clone(), why, evidence: Evidence::of(work) }
    }
}

impl Evidence {
    fn of(work: &Work) -> Self {
        Self {
            n_days: work.days.len(),
            n_accesses: work.n_accesses,
            first: work.first,
            last: work.last,
            samples: work.samples.clone(),
        }
    }
}

/// The `[[job]]` block.
#[derive(Serialize)]
struct Blocks<'a> {
    job: [Block<'a>; 1],
}

#[derive(Serialize)]
struct Block<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(flatten)]
    pins: &'a Pins,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    confirmed_by: &'a str,
    confirmed_on: String,
}

impl Proposal {
    pub(super) fn new(worker: &Worker, work: &Work, roster: &Roster) -> Option<Self> {
        let (uid, user) = match worker.account.as_ref()? {
            Account::Uid(uid, _) => (Some(*uid), None),
            Account::Service(user) => (None, Some(user.clone())),
        };
        // One value in every record, or none to pin.
        let only = |seen: &std::collections::BTreeSet<Option<String>>| {
            if seen.len() == 1 { seen.first().cloned().flatten() } else { None }
        };
        let pins = Pins {
            program: worker.program.clone(),
            host: worker.host.clone(),
            uid,
            user,
            hours: work.hours.spans(),
            classes: work.classes.iter().cloned().collect(),
            sha256: only(&work.files),
            signer: only(&work.signers),
            parent: worker.parent.clone(),
        };
        let id = pins.id();
        let stem = slug(&format!("{}-{}", file_name(&worker.program), worker.host));
        let is_taken = roster.jobs().iter().any(|job| job.id == stem);
        let job = if is_taken { format!("{stem}-{id}") } else { stem };
        let name = pins.name();
        let mut cautions = Vec::new();
        if work.files.len() > 1 {
            cautions.push("The program’s file changed in these weeks, so it is not pinned.".to_owned());
        }
        if pins.sha256.is_none() && pins.signer.is_none() {
            cautions.push("The records show neither the program’s file nor its signer: another program in its place would look the same.".to_owned());
        }
        if pins.parent.is_none() {
            cautions.push("The records do not show which program starts it.".to_owned());
        }
        let evidence = Evidence::of(work);
        let sentence = sentence(&name, &pins, worker, &evidence);
        Some(Self { id, job, name, pins, evidence, sentence, cautions })
    }

    /// The block to append to the roster.
    pub fn to_job_toml(&self, by: &str, on: Date, until: Option<Date>) -> Result<String, toml::ser::Error> {
        let block = Block {
            id: &self.job,
            name: &self.name,
            pins: &self.pins,
            until: until.map(|until| until.to_string()),
            confirmed_by: by,
            confirmed_on: on.to_string(),
        };
        toml::to_string(&Blocks { job: [block] })
    }
}

impl Pins {
    fn id(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        hex(Sha256::digest(text.as_bytes()).get(..ID_BYTES).unwrap_or_default())
    }

    fn name(&self) -> String {
        let program = file_name(&self.program);
        let stem = program.strip_suffix(".exe").unwrap_or(program).to_lowercase();
        let known = KNOWN.iter().find(|(_, names)| names.contains(&stem.as_str()));
        let what = known.map_or("the program", |(what, _)| what);
        format!("{what} {program} on {}", self.host)
    }
}

fn sentence(name: &str, pins: &Pins, worker: &Worker, evidence: &Evidence) -> String {
    let account = match &worker.account {
        Some(Account::Uid(uid, Some(user))) => format!("account {user} (uid {uid})"),
        Some(Account::Uid(uid, None)) => format!("uid {uid}"),
        Some(Account::Service(user)) => format!("service account {user}"),
        None => "an account that is not named".to_owned(),
    };
    let classes: Vec<String> = pins
        .classes
        .iter()
        .filter_map(crate::policy::Area::of_class)
        .map(|area| area.heading().to_lowercase())
        .collect();
    let hours = pins.hours.as_ref().map_or("at any hour".to_owned(), |hours| {
        format!("between {}", hours.replace('-', " and ").replace(", ", ", and between "))
    });
    let parent = pins.parent.as_ref().map_or(String::new(), |parent| format!(", started by {parent},"));
    format!(
        "{} ({}{parent} under {account}) touched {} {hours} on {} of the last {}, {}, with nobody logged in.",
        crate::report::text::capitalise(name),
        pins.program,
        list_of(&classes),
        evidence.n_days,
        count(u64::from(super::DAYS.unsigned_abs()), "day", "days"),
        count(evidence.n_accesses, "access", "accesses"),
    )
}

fn slug(text: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    text.chars().map(plain).collect()
}
