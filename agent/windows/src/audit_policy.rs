//! What a Windows machine is to record, and how far it does: the list of a data file, compared with what the machine says.
//!
//! ```text
//! data/windows_audit_policy.toml -> Wanted \
//! the system's answers           -> Found   > differences -> sentences
//! ```
//! An answer that could not be had is a [`Difference`] of its own: what nobody read is never in order.

pub mod sddl;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

const DATA: &str = include_str!("../../data/windows_audit_policy.toml");

/// The script that sets what is wanted, as people find it.
pub const SCRIPT: &str = "deploy/windows/audit-policy.ps1";

/// What a machine is to record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The Security log holds at least so many bytes.
    pub log_bytes_min: u64,
    /// What watched folders have recorded.
    pub sacl: Sacl,
    /// The parts of the audit policy.
    #[serde(rename = "subcategory")]
    pub subcategories: Vec<Subcategory>,
}

/// The entry for auditing that a watched folder is to have, for success and for failure, and for everything below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sacl {
    /// Whose accesses are recorded.
    pub sid: String,
    /// Which, as a mask of rights (winnt.h).
    pub rights: u32,
}

/// One part of the audit policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Subcategory {
    /// Its identifier, in lower case and without braces.
    pub guid: String,
    /// Its English name.
    pub name: String,
    /// What nobody records where success is off; absent where success is not wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<String>,
    /// The same of failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Wanted of servers alone.
    #[serde(default)]
    pub servers_only: bool,
}

impl Wanted {
    /// What the data file says. One that cannot be read is none: a test holds it.
    pub fn built_in() -> &'static Self {
        static WANTED: LazyLock<Wanted> = LazyLock::new(|| toml::from_str(DATA).unwrap_or_default());
        &WANTED
    }

    /// The name of a part of the policy, by its identifier as records of the system have it.
    pub fn name_of(&self, guid: &str) -> Option<&str> {
        let guid = guid.trim_matches(['{', '}']);
        let found = self.subcategories.iter().find(|known| known.guid.eq_ignore_ascii_case(guid));
        found.map(|known| known.name.as_str())
    }

    /// In what a machine differs from this, in an order that does not change.
    pub fn differences(&self, found: &Found) -> BTreeSet<Difference> {
        let mut differences = BTreeSet::new();
        match &found.settings {
            Ok(settings) => self.settings(settings, found.is_server, &mut differences),
            Err(why) => _ = differences.insert(Difference::Unread(About::Policy, why.clone())),
        }
        match &found.is_subcategory_forced {
            Ok(true) => {}
            Ok(false) => _ = differences.insert(Difference::Legacy),
            Err(why) => _ = differences.insert(Difference::Unread(About::Legacy, why.clone())),
        }
        match &found.log {
            Ok(log) => {
                if log.bytes_max < self.log_bytes_min {
                    differences
                        .insert(Difference::LogSmall { bytes: log.bytes_max, wanted: self.log_bytes_min });
                }
                if log.stops_when_full {
                    differences.insert(Difference::LogStops);
                }
            }
            Err(why) => _ = differences.insert(Difference::Unread(About::Log, why.clone())),
        }
        for (path, entries) in &found.folders {
            match entries {
                Ok(Descriptor { text, is_folder }) => {
                    let audited = sddl::audited(text, *is_folder, &self.sacl.sid);
                    for (half, rights) in [(Half::Success, audited.success), (Half::Failure, audited.failure)]
                    {
                        if rights & self.sacl.rights != self.sacl.rights {
                            differences.insert(Difference::Folder { path: path.clone(), half });
                        }
                    }
                }
                Err(why) => {
                    differences.insert(Difference::Unread(About::Folder(path.clone()), why.clone()));
                }
            }
        }
        differences
    }

    fn settings(
        &self,
        settings: &BTreeMap<String, Setting>,
        is_server: bool,
        found: &mut BTreeSet<Difference>,
    ) {
        for part in self.subcategories.iter().filter(|part| is_server || !part.servers_only) {
            // One that the system did not name is one that it does not record.
            let setting = settings.get(&part.guid).copied().unwrap_or_default();
            let halves = [
                (Half::Success, &part.success, setting.success),
                (Half::Failure, &part.failure, setting.failure),
            ];
            for (half, unseen, is_on) in halves {
                if let Some(unseen) = unseen.clone().filter(|_| !is_on) {
                    found.insert(Difference::Setting { name: part.name.clone(), half, unseen });
                }
            }
        }
    }
}

/// What a machine says of itself. An error is a reason in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether it is a server (`ProductType` in the registry is not `WinNT`).
    pub is_server: bool,
    /// Its effective audit policy, by identifier as in [`Subcategory::guid`].
    pub settings: Result<BTreeMap<String, Setting>, String>,
    /// Whether an audit policy of the older kind, by category, cannot replace it (`SCENoApplyLegacyAuditPolicy` is 1).
    pub is_subcategory_forced: Result<bool, String>,
    /// Its Security log.
    pub log: Result<SecurityLog, String>,
    /// The entries for auditing of each watched path that is there.
    pub folders: BTreeMap<String, Result<Descriptor, String>>,
}

/// What a file or folder has recorded, as the system writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// SDDL, with the part of the system's list (`S:`).
    pub text: String,
    /// Whether entries must reach what lies below.
    pub is_folder: bool,
}

/// One part of the policy as it is in force (`POLICY_AUDIT_EVENT_SUCCESS`, `POLICY_AUDIT_EVENT_FAILURE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// What was done is recorded.
    pub success: bool,
    /// What was refused is recorded.
    pub failure: bool,
}

/// How the Security log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityLog {
    /// The most that it holds.
    pub bytes_max: u64,
    /// It keeps old records and refuses new ones when it is full.
    pub stops_when_full: bool,
}

/// Which half of a part of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// What was done.
    Success,
    /// What was refused.
    Failure,
}

impl Half {
    fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// What could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// The audit policy.
    Policy,
    /// Whether it is in force at all.
    Legacy,
    /// Size and retention of the Security log.
    Log,
    /// The entries for auditing of this path.
    Folder(String),
}

/// One way in which a machine does not record what it should.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Half of a part of the policy is off.
    Setting {
        /// Name of the part.
        name: String,
        /// Which half.
        half: Half,
        /// What nobody records so.
        unseen: String,
    },
    /// A policy of the older kind may replace this one.
    Legacy,
    /// The Security log holds less than wanted.
    LogSmall {
        /// What it holds at most.
        bytes: u64,
        /// What it should hold.
        wanted: u64,
    },
    /// The Security log records nothing when it is full.
    LogStops,
    /// A watched path has not the whole entry for auditing.
    Folder {
        /// The path.
        path: String,
        /// Which half.
        half: Half,
    },
    /// Nobody knows.
    Unread(About, String),
}

impl Difference {
    /// What it is a difference of.
    fn about(&self) -> About {
        match self {
            Self::Setting { .. } => About::Policy,
            Self::Legacy => About::Legacy,
            Self::LogSmall { .. } | Self::LogStops => About::Log,
            Self::Folder { path, .. } => About::Folder(path.clone()),
            Self::Unread(about, _) => about.clone(),
        }
    }

    /// Whether both are of one thing, whatever its amount.
    fn is_same(&self, other: &Self) -> bool {
        let small = |one: &Self| matches!(one, Self::LogSmall { .. });
        self == other || small(self) && small(other)
    }

    /// The same in words that name no path: for an event, which is told to more people than its object.
    pub fn detail(&self) -> String {
        match self {
            Self::Setting { name, half, .. } => format!("{name}: {} is not recorded any more", half.word()),
            Self::Legacy => "an audit policy of the older kind may replace this one".to_owned(),
            Self::LogSmall { bytes, wanted } => {
                format!("the Security log holds {} MiB, less than {}", mib(*bytes), mib(*wanted))
            }
            Self::LogStops => "the Security log records nothing when it is full".to_owned(),
            Self::Folder { half, .. } => {
                format!(
                    "the entry for auditing of a watched folder: {} is not recorded any more",
                    half.word()
                )
            }
            Self::Unread(_, why) => format!("could not be read ({why})"),
        }
    }

    /// The watched path, where it is about one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Folder { path, .. } => Some(path),
            _ => None,
        }
    }
}

/// What became worse between two looks. What could not be read before or now says nothing about a change.
pub fn worse<'a>(
    before: &BTreeSet<Difference>,
    looked_at: &BTreeSet<String>,
    now: &'a BTreeSet<Difference>,
) -> Vec<&'a Difference> {
    let was_unread: BTreeSet<About> =
        before.iter().filter(|one| matches!(one, Difference::Unread(..))).map(Difference::about).collect();
    let is_new = |one: &&Difference| {
        let is_known = one.path().is_none_or(|path| looked_at.contains(path));
        is_known && !was_unread.contains(&one.about()) && !before.iter().any(|known| known.is_same(one))
    };
    now.iter().filter(|one| !matches!(one, Difference::Unread(..))).filter(is_new).collect()
}

/// What a machine does not record, each in a sentence, and the two halves of one thing in one.
pub fn sentences(differences: &BTreeSet<Difference>) -> Vec<String> {
    let mut parts: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut others = Vec::new();
    for difference in differences {
        match difference {
            Difference::Setting { name, half, unseen } => {
                let (halves, said) = parts.entry(name).or_default();
                halves.push(half.word());
                said.push(unseen);
            }
            Difference::Folder { path, half } => folders.entry(path).or_default().push(half.word()),
            Difference::Legacy => others.push(
                "a group policy of the older kind may replace the audit policy of this computer without a word: SCENoApplyLegacyAuditPolicy is not 1"
                    .to_owned(),
            ),
            Difference::LogSmall { bytes, wanted } => others.push(format!(
                "what is recorded while the agent of this computer is stopped may be overwritten before it is read: the Security log holds {} MiB, less than {}",
                mib(*bytes),
                mib(*wanted)
            )),
            Difference::LogStops => others.push(
                "this computer records nothing more once its Security log is full: it is set to keep old records instead of overwriting them"
                    .to_owned(),
            ),
            Difference::Unread(about, why) => others.push(unread(about, why)),
        }
    }
    let mut sentences = Vec::new();
    for (name, (halves, said)) in parts {
        let halves = halves.join(" and ");
        sentences.push(format!(
            "not recorded on this computer: {}, because {halves} of `{name}` is off in its audit policy",
            said.join("; ")
        ));
    }
    for (path, halves) in folders {
        let what: Vec<&str> =
            halves.iter().map(|half| if *half == "success" { "is done" } else { "is refused" }).collect();
        sentences.push(format!(
            "not wholly recorded on this computer: what {} in {path}, because its entry for auditing ({}) is missing or not whole",
            what.join(" and what "),
            halves.join(" and ")
        ));
    }
    sentences.extend(others);
    sentences
}

fn unread(about: &About, why: &str) -> String {
    match about {
        About::Policy => {
            format!(
                "whether the audit policy of this computer records logins and file access could not be read ({why})"
            )
        }
        About::Legacy => {
            format!(
                "whether an older policy may replace the audit policy of this computer could not be read ({why})"
            )
        }
        About::Log => format!("size and retention of this computer's Security log could not be read ({why})"),
        About::Folder(path) => format!("whether file access in {path} is recorded could not be read ({why})"),
    }
}

const fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

#[cfg(test)]
mod tests;
