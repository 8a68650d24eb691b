//! What became of records: how many were read, told, joined, and dropped by which rule.

use std::collections::BTreeMap;
use std::fmt;

/// Why a record that was understood is told to nobody. Each is a rule that can be disputed, so each is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noise {
    /// No sentence of ours needs an event of this id.
    IdNotNeeded,
    /// The same record came before: same machine, log, number and time.
    Repeated,
    /// An access to a registry key, a process or another object that is no file.
    NotAFile,
    /// A file that lies below no watch.
    NotWatched,
    /// What the agent itself opened or started.
    Own,
    /// An access that asks only for attributes, the access list, or to wait: neither contents nor a change.
    AttributesOnly,
    /// A handle was asked for and given: its first use is a record of its own (4663).
    AskedAndGranted,
    /// A session of SYSTEM, a service or the desktop's window manager.
    SystemSession,
    /// A session of a machine's own account.
    MachineSession,
    /// The end of a session whose beginning was not told.
    EndOfUntold,
    /// Another record told the same.
    ToldAlready,
    /// A process that an ordinary session, the system or a service started, not below a remote-support tool.
    OrdinaryStart,
    /// The end of a process.
    EndOfProcess,
    /// The clock was moved by a few seconds by the time service.
    ClockKept,
    /// A service was started or stopped that has no part in the recording.
    OrdinaryService,
    /// A name and password that were right.
    PasswordRight,
    /// Credentials that the system used for its own ends.
    SystemCredentials,
}

impl Noise {
    /// The rule's name in summaries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdNotNeeded => "id_not_needed",
            Self::Repeated => "repeated",
            Self::NotAFile => "not_a_file",
            Self::NotWatched => "not_watched",
            Self::Own => "own",
            Self::AttributesOnly => "attributes_only",
            Self::AskedAndGranted => "asked_and_granted",
            Self::SystemSession => "system_session",
            Self::MachineSession => "machine_session",
            Self::EndOfUntold => "end_of_untold",
            Self::ToldAlready => "told_already",
            Self::OrdinaryStart => "ordinary_start",
            Self::EndOfProcess => "end_of_process",
            Self::ClockKept => "clock_kept",
            Self::OrdinaryService => "ordinary_service",
            Self::PasswordRight => "password_right",
            Self::SystemCredentials => "system_credentials",
        }
    }
}

/// Counts of one room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that were taken in.
    pub n_records: u64,
    /// Events that were given out.
    pub n_events: u64,
    /// Records that were dropped, by rule.
    pub noise: BTreeMap<Noise, u64>,
    /// Records 4672: special privileges for a new session.
    pub n_privileged: u64,
    /// Those of them whose session's beginning (4624) was seen.
    pub n_joined: u64,
}

impl Tally {
    pub(crate) fn drop(&mut self, noise: Noise) {
        let n_dropped = self.noise.entry(noise).or_default();
        *n_dropped = n_dropped.saturating_add(1);
    }

    /// Records that were dropped by any rule.
    pub fn n_dropped(&self) -> u64 {
        self.noise.values().fold(0, |sum, n_dropped| sum.saturating_add(*n_dropped))
    }
}

impl fmt::Display for Tally {
    /// One line for people, such as `85 records, 20 events; dropped: 9 not_watched, ...; 7 of 7 privileged sessions joined
    /// to their login`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records, {} events", self.n_records, self.n_events)?;
        for (nth, (noise, n_dropped)) in self.noise.iter().enumerate() {
            let before = if nth == 0 { "; dropped by rule: " } else { ", " };
            write!(f, "{before}{n_dropped} {}", noise.as_str())?;
        }
        write!(f, "; {} of {} privileged sessions joined to their login", self.n_joined, self.n_privileged)
    }
}
