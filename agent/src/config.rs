//! The configuration: one TOML file, read whole, and every fault in it reported at once by the name of its key.
//!
//! Faults name keys and say what is needed. They repeat values of watches only where a person reads them on a
//! terminal ([`Fault::sentence`]); the log gets the keys alone ([`Fault::key`], PR-1).

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::log_output::LogFormat;
use crate::watch_list::WatchList;

mod read;
pub mod reload;
mod section;

pub(crate) use read::{ADDRESSES_MAX, EPOCH_HOURS_DEFAULT, is_address};

/// What `enroll` writes where there is no configuration yet; the comments are the manual.
#[cfg(not(windows))]
pub const TEMPLATE: &str = include_str!("config/template.toml");
/// What `enroll` writes where there is no configuration yet; the comments are the manual.
#[cfg(windows)]
pub const TEMPLATE: &str = include_str!("config/template-windows.toml");

/// Where the agent keeps everything, unless `--dir` says otherwise.
#[cfg(not(windows))]
pub const DEFAULT_DIR: &str = "/var/lib/ntk-agent";
/// Where the agent keeps everything, unless `--dir` says otherwise.
#[cfg(windows)]
pub const DEFAULT_DIR: &str = r"C:\ProgramData\Need-to-Know\agent";

/// The smallest byte cap: the reserve for gaps and health, and room to hold at least something else.
pub const SPOOL_BYTES_MIN: u64 = 4 << 20;

/// The configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `host:port` each, in place of the addresses that enrolment gave; empty: those.
    pub collector: Vec<String>,
    /// What is watched.
    pub watches: WatchList,
    /// Which sensors run.
    pub sensor: SensorChoice,
    /// The spool's bounds.
    pub spool: SpoolChoice,
    /// What is kept of released segments, encrypted to the recovery key.
    pub kept: KeptChoice,
    /// Time between two health entries.
    pub health_every: Duration,
    /// Time between two keepalives.
    pub keepalive: Duration,
    /// How long a signing key is used before the next one takes its place; each start takes a new one, too.
    pub epoch_every: Duration,
    /// Time between two looks at what accounts hold and what might be watched.
    pub inventory_every: Duration,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// Which sensors run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorChoice {
    /// The observer beside an agent, which only listens; chosen by the command, not in the file.
    pub observe: bool,
    /// Kernel audit (Linux, root).
    pub audit: bool,
    /// Kernel audit and login uids are locked until the machine boots.
    pub sealed: bool,
    /// fanotify: the fallback for files, and a comparison beside kernel audit (Linux, root).
    pub fanotify: bool,
    /// The logs of login programs: logins where kernel audit is missing, and the keys of ssh logins beside it.
    pub logs: bool,
    /// Files to follow in place of the usual logs; wtmp and btmp by name, the others text.
    pub log_files: Vec<PathBuf>,
    /// Channels of the event log (Windows).
    pub channels: Vec<String>,
    /// The notify fallback, which can name no person.
    pub notify: bool,
    /// Recordings to play, in this order.
    pub recorded: Vec<PathBuf>,
    /// Events per second at which recordings are played; as fast as possible when absent.
    pub recorded_rate: Option<u32>,
}

/// The spool's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolChoice {
    /// Bytes on disk, kept segments included.
    pub bytes_max: u64,
    /// The longest an event waits for its group.
    pub commit_after: Duration,
}

pub use crate::spool::away::Limits as KeptChoice;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key, dotted; `watch[2].class` is the class of the second watch.
    pub key: String,
    /// What is wrong and what to do.
    pub sentence: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {}", self.key, self.sentence)
    }
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error(
        "could not read configuration `{path}`; check that it exists (`ntk-agent enroll` writes one) and its permissions"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("`{path}` is not TOML; mend the place that is named")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line and column.
        source: toml::de::Error,
    },
    /// Keys are wrong.
    #[error("`{path}` has {}:\n  {}", count(faults), listed(faults))]
    Faults {
        /// The file.
        path: PathBuf,
        /// Every fault.
        faults: Vec<Fault>,
    },
}

impl ConfigError {
    /// Names of the keys that are wrong, without any value: fit for the log.
    pub fn keys(&self) -> String {
        match self {
            Self::Read { .. } => "the file cannot be read".to_owned(),
            Self::Syntax { .. } => "the file is not TOML".to_owned(),
            Self::Faults { faults, .. } => {
                faults.iter().map(|fault| fault.key.as_str()).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

fn count(faults: &[Fault]) -> String {
    if faults.len() == 1 { "a fault".to_owned() } else { format!("{} faults", faults.len()) }
}

fn listed(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n  ")
}

/// The configuration file below the agent's folder.
pub fn path_in(dir: &Path) -> PathBuf {
    dir.join("agent.toml")
}

/// Reads and checks the configuration.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(&text, path)
}

/// Checks a configuration's text.
pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let table = text.parse().map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })?;
    read::config(table).map_err(|faults| ConfigError::Faults { path: path.to_owned(), faults })
}

#[cfg(test)]
mod tests;
