//! What a process used, read from /proc.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// CPU time and memory of one process so far.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Resident memory now, bytes.
    pub resident: u64,
    /// The part of it that is the process's own; the rest is pages of its program and libraries, which the system takes
    /// back when it needs them.
    pub own: u64,
    /// The most it ever was, bytes.
    pub resident_max: u64,
}

/// Reads the usage of a process that runs.
pub fn of(process: u32) -> Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold blanks: count after its end.
    let (_, rest) = stat.rsplit_once(')').context("stat has a name in brackets")?;
    let field = |n: usize| -> Result<u64> {
        Ok(rest.split_whitespace().nth(n).context("stat has that field")?.parse()?)
    };
    let ticks = field(11)? + field(12)?;
    let per_second = rustix::param::clock_ticks_per_second();
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kilobytes = |key: &str| -> Result<u64> {
        let line = status.lines().find(|line| line.starts_with(key)).context("status has that line")?;
        Ok(line.split_whitespace().nth(1).context("a number")?.parse()?)
    };
    Ok(Usage {
        cpu: Duration::from_nanos(ticks * 1_000_000_000 / per_second),
        resident: kilobytes("VmRSS:")? * 1024,
        own: kilobytes("RssAnon:")? * 1024,
        resident_max: kilobytes("VmHWM:")? * 1024,
    })
}

/// Bytes of all files below a folder.
pub fn bytes_below(folder: &std::path::Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        sum += if kind.is_dir() {
            bytes_below(&entry.path())?
        } else if kind.is_file() {
            entry.metadata()?.len()
        } else {
            0
        };
    }
    Ok(sum)
}
