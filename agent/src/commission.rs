//! The on-site test: real accesses of every kind on this very machine, and what of them its own log holds.
//!
//! ```text
//! ntk-agent commission (cli, perform) -- a child process for each step (act) --> kernel --> the running agent's log
//!          |  reads the log, waits for each step's entries (own_log, judge)                       |
//!          +-- claim (a file in the agent's folder) --> running agent: reads its own log again, judges, seals
//! ```
//! Whoever runs the test is the machine's administrator, and may be who is watched: what the command says is a claim
//! (`claim`). The running agent believes none of it. It looks for each step in its own log, by process number, by a name
//! that holds the test's random number, and by the person that the kernel stamped, and writes what it found as one entry
//! of the kind `commission` (EV-1: signed and numbered like any other). Names of people are the claim's.
//!
//! The folder [`FOLDER`] in the agent's own is watched like any folder of the practice, all the time: a test needs no
//! change of what is watched, which a sealed kernel would refuse.

pub mod act;
pub mod claim;
pub mod judge;
pub mod older;
pub mod own_log;
pub mod perform;
pub mod seal;

use std::path::{Path, PathBuf};

use ntk_evidence::event::Class;

use crate::watch_list::Watch;

pub use claim::{Claim, Made};

/// Name of this source in events.
pub const SENSOR: &str = "on-site-test";

/// The test's own folder, below the agent's.
pub const FOLDER: &str = "on-site-test";

/// The login uid of a test that is run outside every login: the account `nobody`.
pub const NOBODY: u32 = 65_534;

/// The test's folder, as the kernel names it.
pub fn folder(dir: &Path) -> PathBuf {
    let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let folder = dir.join(FOLDER);
    // Windows answers with a prefix that no record of its log has.
    match folder.to_str().and_then(|text| text.strip_prefix(r"\\?\")) {
        Some(plain) if cfg!(windows) => PathBuf::from(plain),
        _ => folder,
    }
}

/// The watch of the test's folder; none where its path cannot be watched.
pub fn watch(dir: &Path) -> Option<Watch> {
    Watch::new(folder(dir).to_str()?, Class::SelfFiles, None).ok()
}
