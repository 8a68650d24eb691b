//! Details of an `inventory` event: what the accounts of a machine hold, and what might be watched there.
//!
//! Names only: of accounts, groups, keys by fingerprint, programs and places. Never a value of anything secret, and
//! no path below a home folder other than those that programs prescribe. Where something was found that might be
//! watched, its path stands in `object.path`, which travels in the paths part.

use serde::{Deserialize, Serialize};

use super::OtherFields;

vocabulary! {
    /// What kind of thing is held.
    HoldingKind {
        /// An account that can be signed in to, or that has the rights of root.
        Account = "account",
        /// A group whose members can do what an administrator can.
        AdminGroup = "admin_group",
        /// A rule by which an account or group acts as another one.
        SudoRule = "sudo_rule",
        /// A public key that opens an account.
        AuthorizedKey = "authorized_key",
        /// A file with a private key; its place, never its content.
        PrivateKey = "private_key",
        /// Something that runs at a time.
        ScheduledJob = "scheduled_job",
        /// Something that runs all the time, as a person or from a home folder.
        Service = "service",
        /// A program by which the machine is driven from elsewhere.
        RemoteTool = "remote_tool",
        /// Mail that goes on to another address or program.
        MailForward = "mail_forward",
        /// A way into another network.
        VpnProfile = "vpn_profile",
        /// A file in which passwords or keys of other services usually lie.
        SecretPlace = "secret_place",
        /// A folder that other machines reach.
        Share = "share",
    }
}

/// One thing that is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holding {
    /// What kind of thing.
    pub what: HoldingKind,
    /// What it is called: account, group, fingerprint, program, unit, address, place.
    pub name: String,
    /// The accounts that hold it, sorted; empty where it belongs to the machine as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Where that stands: a file of the system, or `~` for the home folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// More in words: rights, options by name, when it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it was last used, RFC 3339, as far as the machine's own logs say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
}

vocabulary! {
    /// Why the event was made.
    InventoryReason {
        /// Everything, because the agent started.
        Start = "start",
        /// What is new and what is gone since the last one.
        Change = "change",
        /// Everything, because a person of the practice asked for it.
        Asked = "asked",
        /// Something was found that might be watched; a person of the practice decides.
        WatchProposed = "watch_proposed",
        /// Something is watched from now on that the configuration does not name.
        WatchBegun = "watch_begun",
        /// A person of the practice declined a proposal.
        WatchDeclined = "watch_declined",
    }
}

impl Default for InventoryReason {
    /// No reason that this version knows: what others write may lack one.
    fn default() -> Self {
        Self::Other(String::new())
    }
}

/// Details of an `inventory` event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// Why it was made.
    #[serde(default)]
    pub reason: InventoryReason,
    /// With `start` and `asked` everything that is held, with `change` what is new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holdings: Vec<Holding>,
    /// With `change`: what is no longer there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Holding>,
    /// How many more there are than the bounds allow to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
    /// Plain sentences about what could not be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cannot_see: Vec<String>,
    /// With `asked`: id of the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Id of the proposal to watch what `object` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// What speaks for watching it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl Inventory {
    /// An event's details with nothing but their reason.
    pub fn new(reason: InventoryReason) -> Self {
        Self {
            reason,
            holdings: Vec::new(),
            gone: Vec::new(),
            left_out: None,
            cannot_see: Vec::new(),
            asked: None,
            proposal: None,
            because: None,
            other: OtherFields::new(),
        }
    }
}
