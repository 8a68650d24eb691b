//! The event vocabulary: one observation as the JSON that people read and that is hashed and signed.
//!
//! An [`Event`] is written once, by its author, to three strings (see [`crate::entry`]): the core, the
//! paths part `{"path":..,"to":..}` and the command part `{"command":..}`. Readers parse those strings;
//! nothing ever writes them again (EV-1).
//!
//! Reading is generous, because a newer agent may say more than this version knows: an unknown field is
//! kept in `other`, an unknown word of a vocabulary becomes `Other(word)`. [`Event::unknown`] lists both, so
//! that they are stored, counted and shown instead of being lost. The JSON Schema of what *this* version
//! writes is `schema/event.schema.json`; a test holds it to these types.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Declares a vocabulary: fixed words in snake_case, plus `Other` for words of a newer version.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// A word that this version does not know; kept as it came.
            Other(String),
        }

        impl $name {
            /// Every word that this version writes.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word as it stands in JSON.
            pub fn as_str(&self) -> &str {
                match self { $(Self::$variant => $word,)+ Self::Other(word) => word }
            }

            /// Whether this version knows the word.
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::Other(_))
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() { $($word => Self::$variant,)+ _ => Self::Other(word) }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                match value { $($name::$variant => $word.to_owned(),)+ $name::Other(word) => word }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

mod change;
pub mod commission;
mod health;
pub mod inventory;
mod unknown;

pub use change::{ActingAs, Change, ChangeWhat};
pub use commission::{Commission, CommissionOutcome, CommissionStep, CommissionWhat};
pub use health::Health;
pub use inventory::{Holding, HoldingKind, Inventory, InventoryReason};

vocabulary! {
    /// What happened. Acts of people and the collector are `Other("act_..")`: see [`crate::act`].
    Kind {
        /// A session began or failed to begin.
        Login = "login",
        /// A session ended.
        Logout = "logout",
        /// An account took on another one's rights (sudo, su, runas).
        Elevation = "elevation",
        /// A watched file or folder was touched, or touching it was refused.
        FileAccess = "file_access",
        /// A process of a privileged session started.
        ProcessStart = "process_start",
        /// A remote-support tool controls a session.
        RemoteControl = "remote_control",
        /// An account, group or right changed.
        AccountChange = "account_change",
        /// Something was done to the means of recording.
        Tamper = "tamper",
        /// Something was not recorded; cause and bounds as far as known (SE-1).
        Gap = "gap",
        /// The agent's own state, every five minutes and on change.
        Health = "health",
        /// What is installed and who has rights on a machine.
        Inventory = "inventory",
        /// The agent rolled over to its next signing key.
        Epoch = "epoch",
        /// An on-site test of the recording on this very machine.
        Commission = "commission",
    }
}

vocabulary! {
    /// How the attempt ended, as the system said.
    Outcome {
        /// It was allowed and done.
        Success = "success",
        /// It was refused (EACCES, EPERM, wrong password).
        Denied = "denied",
        /// It failed for another reason (no such file).
        Failed = "failed",
    }
}

vocabulary! {
    /// How sure the actor is.
    Confidence {
        /// The kernel stamped the login identity on this very record.
        Kernel = "kernel",
        /// Derived from other records or from /proc.
        Derived = "derived",
        /// No person can be named; never a guess.
        Unattributed = "unattributed",
    }
}

vocabulary! {
    /// Why nobody can be named.
    Because {
        /// The process had ended before it could be asked for.
        ProcessEnded = "process_ended",
        /// The process belongs to no login.
        NoLogin = "no_login",
        /// It was there when the folder came under watch.
        BeforeWatching = "before_watching",
    }
}

vocabulary! {
    /// What a file access did, from the open flags or the call.
    Action {
        /// Opened for reading.
        Read = "read",
        /// Opened for writing, or truncated.
        Write = "write",
        /// Created.
        Create = "create",
        /// Removed.
        Delete = "delete",
        /// Renamed: `path` is the old name, `to` the new one.
        Rename = "rename",
        /// Hard link made: `path` is the existing name, `to` the new one.
        Link = "link",
        /// Mode, owner or other attributes changed.
        Attributes = "attributes",
        /// A directory was opened for listing.
        List = "list",
        /// An open was refused and the record does not hold the flags.
        OpenDenied = "open_denied",
    }
}

vocabulary! {
    /// What class of asset a path belongs to.
    Class {
        /// Mail of one person.
        Mailbox = "mailbox",
        /// Voice messages.
        Voicemail = "voicemail",
        /// The health-record system itself.
        Ehr = "ehr",
        /// Files exported from the health-record system.
        Export = "export",
        /// Personnel files.
        Hr = "hr",
        /// Copies made for safekeeping.
        Backup = "backup",
        /// System and account files.
        System = "system",
        /// Need-to-Know's own files.
        SelfFiles = "self",
    }
}

vocabulary! {
    /// By which way a file was reached.
    Via {
        /// By its name, through ordinary calls.
        Direct = "direct",
        /// Through io_uring.
        IoUring = "io_uring",
        /// Through a file handle, without a name.
        Handle = "handle",
        /// Through the block device below the file system.
        RawDisk = "raw_disk",
        /// Over a network share.
        Share = "share",
        /// From a shadow copy or snapshot.
        ShadowCopy = "shadow_copy",
    }
}

vocabulary! {
    /// What was done to the means of recording.
    TamperKind {
        /// Kernel audit was switched off.
        AuditDisabled = "audit_disabled",
        /// Audit rules were added, removed or reordered by someone else.
        RulesChanged = "rules_changed",
        /// A login identity was overwritten.
        LoginUidChanged = "login_uid_changed",
        /// The agent was killed.
        AgentKilled = "agent_killed",
        /// A log was cleared.
        LogCleared = "log_cleared",
        /// The audit policy was changed.
        AuditPolicyChanged = "audit_policy_changed",
        /// The clock was moved.
        ClockChanged = "clock_changed",
        /// An access-control list for auditing was changed.
        SaclChanged = "sacl_changed",
        /// A service was installed.
        ServiceInstalled = "service_installed",
        /// Records are missing from a sequence.
        RecordGap = "record_gap",
        /// A file system was mounted that shows what is watched under another name, or hides it.
        MountChanged = "mount_changed",
        /// Another process attached itself to the agent.
        AgentTraced = "agent_traced",
        /// A kernel module was loaded or removed, another kernel was loaded, or it was started with other parameters.
        KernelChanged = "kernel_changed",
        /// The virtual machine went on from an earlier point: a snapshot, a backup or a copy.
        MachineRestored = "machine_restored",
    }
}

/// Fields of a newer version, kept as they came.
pub type OtherFields = Map<String, Value>;

/// One event. Absent fields are unknown or do not apply; they are not written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// When, as the machine claims: RFC 3339 UTC with the source's precision.
    pub time: String,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Who, as far as the record shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// What a file access did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The process that acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// What was touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    /// How many equal events this one stands for; absent means one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Time of the last event of a coalesced run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Which sensor said so, and in which record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Details of a `tamper` event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tamper: Option<Tamper>,
    /// Details of a `gap` event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// Details of a `health` event. Boxed, as what few events have: an event is moved often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Box<Health>>,
    /// Details of an `epoch` event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Box<Epoch>>,
    /// Details of an `inventory` event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Box<Inventory>>,
    /// Details of a `commission` event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commission: Option<Box<Commission>>,
    /// Details of an `account_change` event, where its source tells them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Box<Change>>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// The account behind an event and how it was reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Actor {
    /// Linux login uid: the account that logged in, kept through sudo and su.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_uid: Option<u32>,
    /// Windows security identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Microsoft 365 user principal name; `app:<application id>` where an application acted by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upn: Option<String>,
    /// Account in the health-record system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ehr_user: Option<String>,
    /// Fingerprint of the SSH key that opened the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Remote-control tool through which the session was driven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Name of the account that logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_user: Option<String>,
    /// Name of the account whose rights were in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_user: Option<String>,
    /// The operating system's number of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// Address or console the session came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// An identity that was claimed but not verified, or forged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
    /// In what capacity a mail service let the account in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting_as: Option<ActingAs>,
    /// How sure the actor is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// Sessions that were open at the time, where nobody can be named: at most 16. None of them is said to have acted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// Why nobody can be named, where the sensor knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// A session that was open when something happened that no login identity stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Linux login uid of the account that logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_uid: Option<u32>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_user: Option<String>,
    /// The operating system's number of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// Address or console the session came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl Actor {
    /// Whether the record names no account that logged in.
    pub fn is_nobody(&self) -> bool {
        self.login_uid.is_none() && self.sid.is_none() && self.upn.is_none() && self.ehr_user.is_none()
    }
}

/// The process that acted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Process number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Path of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// Command line; travels in the command part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Program of the parent process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Programs above the parent, nearest first, as far as they are known: at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<String>,
    /// Name of the systemd unit that the process belonged to, where no login identity stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// What was touched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Absolute path; travels in the paths part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// New path of a rename or link; travels in the paths part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whose asset it is, as configured for the watched folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Class of the asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// By which way it was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// True for a file or folder that was made for nobody to open: whoever opens it had no reason to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoy: Option<bool>,
    /// What a disk holds that was reached as a whole: `class`, or `class:owner`, the most protected first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<String>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// Which sensor said so, and in which record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Name of the sensor: `linux-audit`, `notify`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// The source's own number of the record: audit serial, EventRecordID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Windows event id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<u32>,
    /// What the service calls it, where its records have names for what was done: `Bind`, `Add-MailboxPermission`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The computer that an imported record names: its author speaks for many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computer: Option<String>,
    /// True when the record was played from a recording, not sensed live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<bool>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// What was done to the means of recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tamper {
    /// What was done.
    pub what: TamperKind,
    /// The record's own words, without paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// Something was not recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Why, in snake_case: `agent_restart`, `kernel_lost`, `queue_overflow`, `spool_full`, ...
    pub cause: String,
    /// Start of the interval that may be incomplete, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// End of that interval, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How many records were lost, where a counter says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// The author's next signing key, in the last entry that the one before it signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Number of the epoch that begins after this entry.
    pub number: u32,
    /// Verifier key of that epoch.
    pub key: String,
    /// Why now: `start`, `daily`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl Event {
    /// An event of a kind at a time, with nothing else known.
    pub fn new(kind: Kind, time: impl Into<String>) -> Self {
        Self {
            kind,
            time: time.into(),
            outcome: None,
            actor: None,
            action: None,
            process: None,
            object: None,
            count: None,
            last: None,
            source: None,
            tamper: None,
            gap: None,
            health: None,
            epoch: None,
            inventory: None,
            commission: None,
            change: None,
            other: OtherFields::new(),
        }
    }
}
