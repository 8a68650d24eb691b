//! Details of a `commission` event: an on-site test of the recording, on the very machine that wrote this log.
//!
//! Somebody did real accesses of every kind there and named who was present. Which of them arrived, the agent read
//! from its own log before it wrote this: each step names the entries. No paths: what was touched stands in those.

use serde::{Deserialize, Serialize};

use super::OtherFields;

vocabulary! {
    /// What was done, in the order in which it is done.
    CommissionWhat {
        /// The login of the session that the test was run from.
        Login = "login",
        /// Another account's rights were taken on.
        Elevation = "elevation",
        /// A program was started with root's rights.
        ProcessStart = "process_start",
        /// A file was created.
        Create = "create",
        /// Opened for writing.
        Write = "write",
        /// Opened for reading.
        Read = "read",
        /// Its mode was changed.
        Attributes = "attributes",
        /// A folder was listed.
        List = "list",
        /// A second name was made.
        Link = "link",
        /// Renamed.
        Rename = "rename",
        /// Removed.
        Delete = "delete",
        /// An account without the right asked to open it.
        Denied = "denied",
        /// Opened by its file handle, without a name.
        Handle = "handle",
        /// Opened through io_uring.
        IoUring = "io_uring",
        /// The disk below was opened.
        RawDisk = "raw_disk",
        /// Something was mounted over a watched folder.
        Mount = "mount",
        /// An audit rule was added and removed.
        Rules = "rules",
        /// The clock was moved and put back.
        Clock = "clock",
        /// Each folder that the practice has watched was opened for listing.
        Watched = "watched",
        /// The recording program was stopped and started.
        Stop = "stop",
        /// Opened for reading after that.
        ReadAgain = "read_again",
        /// The collector's receipt covers all of it.
        Receipt = "receipt",
    }
}

impl CommissionWhat {
    /// The step in words, as it stands in "proved except: ...".
    pub fn words(&self) -> &str {
        match self {
            Self::Login => "login",
            Self::Elevation => "another account's rights",
            Self::ProcessStart => "program start",
            Self::Create => "creating",
            Self::Write => "writing",
            Self::Read => "reading",
            Self::Attributes => "changing attributes",
            Self::List => "listing",
            Self::Link => "second names",
            Self::Rename => "renaming",
            Self::Delete => "removing",
            Self::Denied => "refused opens",
            Self::Handle => "opens by handle",
            Self::IoUring => "io_uring",
            Self::RawDisk => "raw disk",
            Self::Mount => "mounts",
            Self::Rules => "changed audit rules",
            Self::Clock => "a moved clock",
            Self::Watched => "the watched folders themselves",
            Self::Stop => "a stop of the recording",
            Self::ReadAgain => "reading after a restart",
            Self::Receipt => "the collector's receipt",
            Self::Other(word) => word,
        }
    }

    /// Every step that this version knows.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::WORDS.iter().map(|word| Self::from((*word).to_owned()))
    }
}

vocabulary! {
    /// What became of a step.
    CommissionOutcome {
        /// It was done, and the log has it.
        Arrived = "arrived",
        /// It was done, and the log does not have it, or not whole.
        NotArrived = "not_arrived",
        /// It could not be done here.
        NotMade = "not_made",
        /// Whoever ran the test left it out.
        Skipped = "skipped",
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommissionStep {
    /// What was done.
    pub what: CommissionWhat,
    /// What became of it.
    pub outcome: CommissionOutcome,
    /// When it was begun, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    /// The process that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Numbers of the entries of this log that tell of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<u64>,
    /// Why it was not made, or what of it did not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Details of a `commission` event. Who did the accesses stands in `actor`, as the kernel stamped it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Commission {
    /// Random number of the test; each is sealed once.
    pub id: String,
    /// When it began, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Who ran it, by the name that they gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Who else was there, by the names that were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub present: Vec<String>,
    /// Whether the accesses were made under a login uid of the test's own, because it was run outside every login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_login: Option<bool>,
    /// Every step in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<CommissionStep>,
    /// Operating system and kernel, in the words of health entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Build of the operating system, in the words of health entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_build: Option<String>,
    /// Version of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SHA-256 of the agent's program file as it started, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_sha256: Option<String>,
    /// The kernel's random id of this boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Names of the sensors that were running.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensors: Vec<String>,
    /// Plain sentences about what this machine could not show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cannot_see: Vec<String>,
    /// Kernel audit: 0 off, 1 on, 2 locked until the next boot (sealed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_enabled: Option<u32>,
    /// Whether the kernel was started with audit on, so that no process is older than it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_at_boot: Option<bool>,
    /// Processes that may be older than audit: what they do may go unseen. Threads of the kernel are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_processes: Option<u64>,
    /// Names of some of these programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub older_names: Vec<String>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl Commission {
    /// The steps that this version knows and that did not arrive, whatever the reason. Empty: everything is proved.
    pub fn exceptions(&self) -> Vec<CommissionWhat> {
        let arrived = |what: &CommissionWhat| {
            let of_it: Vec<_> = self.steps.iter().filter(|step| step.what == *what).collect();
            // Told twice with two outcomes, it is not proved.
            !of_it.is_empty() && of_it.iter().all(|step| step.outcome == CommissionOutcome::Arrived)
        };
        CommissionWhat::all().filter(|what| !arrived(what)).collect()
    }

    /// Whether everything that this version knows of arrived.
    pub fn is_proved(&self) -> bool {
        self.exceptions().is_empty()
    }

    /// The result in a few words: `proved`, `proved except: raw disk, a moved clock`, `nothing was proved`.
    pub fn in_words(&self) -> String {
        let exceptions = self.exceptions();
        if exceptions.is_empty() {
            return "proved".to_owned();
        }
        if exceptions.len() == CommissionWhat::WORDS.len() {
            return "nothing was proved".to_owned();
        }
        let words: Vec<&str> = exceptions.iter().map(CommissionWhat::words).collect();
        format!("proved except: {}", words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(outcome: impl Fn(&CommissionWhat) -> Option<CommissionOutcome>) -> Commission {
        let step = |what: CommissionWhat| {
            let outcome = outcome(&what)?;
            Some(CommissionStep { what, outcome, began: None, pid: None, entries: vec![1], because: None })
        };
        Commission { steps: CommissionWhat::all().filter_map(step).collect(), ..Commission::default() }
    }

    #[test]
    fn everything_or_an_exception_and_silence_is_one() {
        let arrived = |_: &CommissionWhat| Some(CommissionOutcome::Arrived);
        assert!(told(arrived).is_proved());
        assert_eq!(told(arrived).in_words(), "proved");
        assert_eq!(Commission::default().in_words(), "nothing was proved");
        for outcome in [
            None,
            Some(CommissionOutcome::NotArrived),
            Some(CommissionOutcome::NotMade),
            Some(CommissionOutcome::Skipped),
            Some(CommissionOutcome::Other("later".to_owned())),
        ] {
            let but_disk = |what: &CommissionWhat| match what {
                CommissionWhat::RawDisk => outcome.clone(),
                _ => Some(CommissionOutcome::Arrived),
            };
            assert_eq!(told(but_disk).in_words(), "proved except: raw disk", "{outcome:?}");
        }
    }

    #[test]
    fn a_step_that_is_told_twice_counts_by_the_worse() {
        let mut commission = told(|_| Some(CommissionOutcome::Arrived));
        let mut again = commission.steps[0].clone();
        again.outcome = CommissionOutcome::NotArrived;
        commission.steps.push(again);
        assert_eq!(commission.exceptions(), [CommissionWhat::Login]);
    }

    #[test]
    fn a_newer_step_does_not_take_the_proof_away() {
        let mut commission = told(|_| Some(CommissionOutcome::Arrived));
        commission.steps.push(CommissionStep {
            what: CommissionWhat::Other("usb".to_owned()),
            outcome: CommissionOutcome::NotMade,
            began: None,
            pid: None,
            entries: Vec::new(),
            because: None,
        });
        assert!(commission.is_proved());
    }
}
