//! The acts of a test, each in a process of its own: what the kernel stamps on it is the step's and nothing else's.
//!
//! The process does one thing, says `done` on its standard output (with the number of the process that did it, where that is
//! another one), and waits until its standard input ends: some acts are asked about while they last. What fails is said on standard error, with exit code 1.

use std::io::{self, Write as _};
use std::path::PathBuf;

use ntk_evidence::event::CommissionWhat;

use super::judge;

#[cfg_attr(windows, path = "act/windows.rs")]
#[cfg_attr(not(windows), path = "act/linux.rs")]
mod system;

pub use system::cannot;

/// The clock is moved by so much, and put back at once.
pub const CLOCK_SECONDS: i64 = 2;

/// What opens files in ways that no ordinary program has.
pub const WAYS: &str = include_str!("../../data/ways.pl");

/// What one process is to do.
#[derive(Clone, Debug)]
pub struct Order {
    /// The step; none to tidy up afterwards.
    pub what: Option<CommissionWhat>,
    /// The test's folder, absolute.
    pub folder: PathBuf,
    /// The test's random number.
    pub id: String,
    /// The login uid that the process gives itself; none where it has one.
    pub login_uid: Option<u32>,
    /// Places that are opened.
    pub places: Vec<PathBuf>,
}

/// An act could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// A system call.
    #[error("{what} was refused")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// Something is not there.
    #[error("{0}")]
    Absent(&'static str),
}

fn refused(what: &'static str) -> impl FnOnce(io::Error) -> ActError {
    move |source| ActError::Refused { what, source }
}

impl Order {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn letter(&self) -> PathBuf {
        self.at(&judge::letter(&self.id))
    }
}

fn done_and_wait() -> Result<(), ActError> {
    done_by_and_wait("done")
}

/// Says so, and waits until nobody asks any more.
fn done_by_and_wait(word: &str) -> Result<(), ActError> {
    println!("{word}");
    io::stdout().flush().map_err(refused("saying that it is done"))?;
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map(drop).map_err(refused("waiting"))
}
