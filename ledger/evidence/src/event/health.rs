//! What an agent says of itself: every few minutes, at its start and end, and when something changes.

use serde::{Deserialize, Serialize};

use super::OtherFields;

/// The agent's own state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Why this entry was made: `start`, `periodic`, `change`, `stop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Version of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SHA-256 of the agent's program file as it started, hex: what the agent says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_sha256: Option<String>,
    /// Names of the sensors that are running.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensors: Vec<String>,
    /// Plain sentences about what this machine cannot show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cannot_see: Vec<String>,
    /// Operating system, kernel and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Build of the operating system: its point release, or the build that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_build: Option<String>,
    /// The kernel's random id of this boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Generation id of a virtual machine, 32 hex digits: another one once it was put back to an earlier point or copied. Absent on
    /// hardware and where the system keeps it to itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm_generation: Option<String>,
    /// Parameters with which the kernel was started, in their order; most values withheld, and not which kernel it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boot_parameters: Vec<String>,
    /// Seconds since boot, the monotonic clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<u64>,
    /// Milliseconds of this boot without the time that the machine slept (CLOCK_MONOTONIC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monotonic_ms: Option<u64>,
    /// Milliseconds of this boot with the time that the machine slept (CLOCK_BOOTTIME).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boottime_ms: Option<u64>,
    /// Random number of the agent's process, made at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// When the machine was last shut down in order, by its own records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_shutdown: Option<String>,
    /// Milliseconds by which the machine's clock is ahead of the collector's, as last told by it; negative: behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
    /// Records that the agent knows to be lost since it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Kernel audit: 0 off, 1 on, 2 locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_enabled: Option<u32>,
    /// Kernel audit: process number of the owner, 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_owner: Option<u32>,
    /// Kernel audit: records lost since boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_lost: Option<u64>,
    /// Kernel audit: records waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_backlog: Option<u64>,
    /// Kernel audit before the agent took it: what will be put back at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_was: Option<String>,
    /// Kernel audit: what nobody can change until the machine boots: `rules` (rules and state), `login_uids`, or `sealed`
    /// (both).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_lock: Option<String>,
    /// SHA-256 of the rule list, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_hash: Option<String>,
    /// Bytes of the spool on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spool_bytes: Option<u64>,
    /// Resident memory of the agent, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes on the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// Accounts that hold a session now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<String>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}
