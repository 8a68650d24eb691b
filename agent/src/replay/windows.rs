//! Replays records of Windows: log files, or lines of JSON. Records of every machine in them go through one room.

use std::fs::File;
use std::io::{Read as _, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ntk_windows::evtx::{Damaged, Records};
use ntk_windows::record::Record;
use ntk_windows::room::{Damage, Numbers, Room};
use ntk_windows::watch::Watches;

use super::{ReplayError, each_line, modified, write_events};

/// A form of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Log files.
    Evtx,
    /// A record a line.
    Json,
}

/// The files as one stream; gives what became of the records, in a line for people.
pub(super) fn replay(
    form: Form,
    files: &[PathBuf],
    watches: Watches,
    out: &mut dyn Write,
) -> Result<String, ReplayError> {
    // All of them are opened first: a wrong name among them prints nothing.
    for path in files {
        File::open(path).and_then(|mut file| file.read(&mut [0])).map_err(|source| failed(path, source))?;
    }
    // What was taken along is what somebody chose: holes in numbers are told, and are no sign of tampering.
    let mut room = Room::recorded(watches, Numbers::Excerpt, String::new());
    for path in files {
        room.set_fallback_time(modified(path));
        match form {
            Form::Evtx => log_file(path, &mut room, out)?,
            Form::Json => lines(path, &mut room, out)?,
        }
    }
    write_events(out, room.finish())?;
    Ok(room.tally().to_string())
}

fn log_file(path: &Path, room: &mut Room, out: &mut dyn Write) -> Result<(), ReplayError> {
    let file = File::open(path).map_err(|source| failed(path, source))?;
    let records = Records::open(file).map_err(|source| failed(path, source))?;
    for record in records {
        match record {
            Ok(record) => write_events(out, room.feed(&record))?,
            Err(Damaged::Read(source)) => return Err(failed(path, source)),
            Err(Damaged::Record { .. }) => room.damaged(Damage::Record),
            Err(Damaged::Checksum { .. }) => room.damaged(Damage::Checksum),
            Err(Damaged::FileHeader | Damaged::TooLong | Damaged::Chunk { .. } | Damaged::CutOff { .. }) => {
                room.damaged(Damage::Part)
            }
        }
    }
    Ok(())
}

fn lines(path: &Path, room: &mut Room, out: &mut dyn Write) -> Result<(), ReplayError> {
    each_line(path, |line, _| {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(ControlFlow::Continue(()));
        }
        match Record::from_json(line) {
            Ok(record) => write_events(out, room.feed(&record))?,
            Err(_) => room.damaged(Damage::Record),
        }
        Ok(ControlFlow::Continue(()))
    })
}

fn failed(path: &Path, source: std::io::Error) -> ReplayError {
    ReplayError::Read { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
