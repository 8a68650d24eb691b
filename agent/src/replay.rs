//! `replay`: runs recorded records through the same pipeline as live ones and prints the events as JSON lines.
//!
//! Damaged input becomes `gap` lines and is no failure. The machine it runs on is asked nothing: two machines
//! print the same lines.

mod auth_log;
mod windows;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ntk_evidence::event::Event;
use ntk_windows::watch::Watches;

use crate::classify::{ForeignKeys, KeyLearner};
use crate::coalesce::Coalescer;
use crate::record::{RECORD_BYTES_MAX, rfc3339};
use crate::sensor::Pipeline;
use crate::watch_list::WatchList;

/// A form of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines of auditd, ausearch --raw or our own recorder.
    LinuxAudit,
    /// Text of auth.log or `journalctl -o json`, or records of wtmp and btmp; each file by its own first bytes.
    AuthLog,
    /// Log files of Windows.
    Evtx,
    /// Records of Windows as lines of winlogbeat or nxlog.
    WindowsJson,
}

/// Why a replay could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A format that does not exist.
    #[error("`{0}` is no format of recordings; use linux-audit, auth-log, evtx or windows-json")]
    UnknownFormat(String),
    /// A file that cannot be read.
    #[error("could not read the recording `{path}`; check the name and that this account may read it")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output was closed or is full.
    #[error("could not write the events; check where the output goes")]
    Write(#[source] io::Error),
    /// An event that has no JSON form.
    #[error("could not write an event as JSON; this is a fault of the program")]
    Encode(#[source] serde_json::Error),
}

impl std::str::FromStr for Format {
    type Err = ReplayError;

    fn from_str(word: &str) -> Result<Self, ReplayError> {
        match word {
            "linux-audit" => Ok(Self::LinuxAudit),
            "auth-log" => Ok(Self::AuthLog),
            "evtx" => Ok(Self::Evtx),
            "windows-json" => Ok(Self::WindowsJson),
            _ => Err(ReplayError::UnknownFormat(word.to_owned())),
        }
    }
}

/// What is watched, as the machines write paths that the recordings are of.
#[derive(Clone, Debug)]
pub enum Watched {
    /// Paths of Linux.
    Linux(WatchList),
    /// Paths of Windows.
    Windows(Watches),
}

/// Why a watch was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchedError {
    /// As a path of Linux.
    #[error(transparent)]
    Linux(#[from] crate::watch_list::WatchError),
    /// As a path of Windows.
    #[error(transparent)]
    Windows(#[from] ntk_windows::watch::WatchError),
}

impl Format {
    /// Reads watches of the form `PATH=CLASS[:OWNER]`, with the paths of this format's machines.
    pub fn watches(self, texts: &[String]) -> Result<Watched, WatchedError> {
        match self {
            Self::LinuxAudit | Self::AuthLog => {
                let watches = texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
                Ok(Watched::Linux(WatchList::new(watches)?))
            }
            Self::Evtx | Self::WindowsJson => {
                let watches = texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
                Ok(Watched::Windows(Watches::new(watches)?))
            }
        }
    }
}

/// Replays recordings in order, as one stream, and writes one JSON line per event. Gives a line for people, where there is
/// something to sum up.
///
/// Every file is opened before the first event is written: a wrong name among them prints nothing.
pub fn replay(
    format: Format,
    files: &[PathBuf],
    watched: &Watched,
    out: &mut dyn Write,
) -> Result<Option<String>, ReplayError> {
    let (linux, windows) = match watched {
        Watched::Linux(watches) => (watches.clone(), Watches::default()),
        Watched::Windows(watches) => (WatchList::default(), watches.clone()),
    };
    let summary = match format {
        Format::LinuxAudit => linux_audit(files, &linux, out).map(|()| None)?,
        Format::AuthLog => auth_log::replay(files, out).map(|()| None)?,
        Format::Evtx => Some(windows::replay(windows::Form::Evtx, files, windows, out)?),
        Format::WindowsJson => Some(windows::replay(windows::Form::Json, files, windows, out)?),
    };
    out.flush().map_err(ReplayError::Write)?;
    Ok(summary)
}

fn linux_audit(files: &[PathBuf], watches: &WatchList, out: &mut dyn Write) -> Result<(), ReplayError> {
    let keys = learn_keys(files, watches)?;
    let mut pipeline = Pipeline::recorded(watches.clone(), keys);
    for path in files {
        pipeline.set_fallback_time(modified(path));
        each_line(path, |line, _| {
            write_events(out, pipeline.line(line))?;
            Ok(ControlFlow::Continue(()))
        })?;
    }
    write_events(out, pipeline.finish())
}

/// The first of two readings: which rule keys stand for a watch.
pub(crate) fn learn_keys(files: &[PathBuf], watches: &WatchList) -> Result<ForeignKeys, ReplayError> {
    let mut learner = KeyLearner::default();
    let mut coalescer = Coalescer::default();
    for path in files {
        each_line(path, |line, _| {
            Pipeline::learn_keys(&mut coalescer, line, watches, &mut learner);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    for observation in coalescer.flush() {
        crate::classify::Classifier::learn_keys(&observation, watches, &mut learner);
    }
    Ok(learner.finish(watches))
}

/// When a recording was last written, as the moment of gaps in files without any whole record.
pub(crate) fn modified(path: &Path) -> String {
    let time = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    rfc3339(time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default())
}

/// Calls with each line and the offset after it, until it breaks off. A line beyond all bounds is handed over cut off: its rest is
/// skipped, not held.
pub(crate) fn each_line(
    path: &Path,
    mut with: impl FnMut(&[u8], u64) -> Result<ControlFlow<()>, ReplayError>,
) -> Result<(), ReplayError> {
    let failed = |source| ReplayError::Read { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(path).map_err(failed)?);
    let mut line = Vec::new();
    let mut offset = 0_u64;
    loop {
        line.clear();
        let mut ended = false;
        let mut any = false;
        while !ended {
            let buffer = reader.fill_buf().map_err(failed)?;
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            let room = RECORD_BYTES_MAX.saturating_add(1).saturating_sub(line.len());
            line.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
            let n_used = part.len().saturating_add(usize::from(end.is_some()));
            ended = end.is_some();
            offset = offset.saturating_add(u64::try_from(n_used).unwrap_or(u64::MAX));
            reader.consume(n_used);
        }
        if !any || with(&line, offset)?.is_break() {
            return Ok(());
        }
    }
}

fn write_events(out: &mut dyn Write, events: Vec<Event>) -> Result<(), ReplayError> {
    for event in events {
        let mut line = serde_json::to_vec(&event).map_err(ReplayError::Encode)?;
        line.push(b'\n');
        out.write_all(&line).map_err(ReplayError::Write)?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
