//! Event logs copied from a Windows machine without an agent (.evtx), and commands of an Exchange server's administrators in
//! them: by the room that the agent uses ([`ntk_windows::room`]).
//!
//! A log is read by its chunks in the order of their numbers, so the whole file has to be there: it waits in a file without
//! a name, which is gone with this process however that ends. A record's identity is computer, log, number and time.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use ntk_evidence::event::{Class, Event};
use ntk_windows::evtx::{Damaged, FILE_MAGIC, Records};
use ntk_windows::exchange;
use ntk_windows::room::{Damage, Numbers, Room};
use ntk_windows::watch::{Watch, Watches};
use serde::Deserialize;
use serde_json::json;

use super::{Found, NotThis, m365};
use crate::home::HomeError;

/// The sensor of gaps that the file itself shows.
pub const SENSOR: &str = "event-log";
/// The largest file, bytes: Windows allows logs of 4 GiB.
const FILE_BYTES_MAX: u64 = 5 << 30;
/// The largest list of watches, bytes.
const LIST_BYTES_MAX: usize = 256 << 10;

/// What is watched on the machine that the log is of: `[[watch]]` with path, class, and where it belongs to somebody owner.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    watch: Vec<Line>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    path: String,
    class: String,
    #[serde(default)]
    owner: Option<String>,
}

/// Reads a list of watches; what is wrong with it, in a sentence.
pub fn watches(text: &str) -> Result<Watches, String> {
    if text.len() > LIST_BYTES_MAX {
        return Err("the list of watches is larger than 256 KiB".to_owned());
    }
    let list: List = toml::from_str(text)
        .map_err(|error| format!("the list of watches cannot be read: {}", error.message()))?;
    let one = |line: Line| Watch::new(&line.path, Class::from(line.class), line.owner);
    let all: Result<Vec<Watch>, _> = list.watch.into_iter().map(one).collect();
    all.and_then(Watches::new).map_err(|error| format!("the list of watches: {error}"))
}

/// A log file on its way in.
#[derive(Debug)]
pub struct Waiting {
    file: File,
    path: std::path::PathBuf,
    bytes: u64,
    beginning: Vec<u8>,
}

impl Waiting {
    /// Makes the file without a name, beside the query store.
    pub(super) fn new(cache: &Path) -> Result<Self, HomeError> {
        let name = format!(
            "import-{}",
            ntk_evidence::hash::hex(crate::home::random()?.get(..8).unwrap_or_default())
        );
        let path = cache.join(name);
        let failed = |source| HomeError::Write { path: path.clone(), source };
        let file = crate::system::create_unnamed(&path).map_err(failed)?;
        Ok(Self { file, path, bytes: 0, beginning: Vec::new() })
    }

    /// Takes in the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Result<(), NotThis>, HomeError> {
        let missing = FILE_MAGIC.len().saturating_sub(self.beginning.len());
        self.beginning.extend(bytes.iter().take(missing));
        if !FILE_MAGIC.starts_with(&self.beginning) {
            return Ok(Err(NotThis::NoEventLog));
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.bytes > FILE_BYTES_MAX {
            return Ok(Err(NotThis::TooLarge));
        }
        let written = self.file.write_all(bytes);
        written.map(Ok).map_err(|source| HomeError::Write { path: self.path.clone(), source })
    }

    /// The file is whole: gives what each of its records comes to, with its place in the file.
    pub(super) fn read<E>(
        mut self,
        watches: Watches,
        now: &str,
        mut each: impl FnMut(u64, Found) -> Result<(), E>,
    ) -> Result<Result<Result<(), E>, NotThis>, HomeError> {
        if self.bytes < u64::try_from(FILE_MAGIC.len()).unwrap_or(0) {
            return Ok(Err(if self.bytes == 0 { NotThis::Empty } else { NotThis::NoEventLog }));
        }
        let failed = |source: io::Error| HomeError::Read { path: self.path.clone(), source };
        self.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let records =
            Records::open(self.file).map_err(|source| HomeError::Read { path: self.path.clone(), source })?;
        let mut room = Room::recorded(watches, Numbers::Excerpt, now.to_owned());
        let mut row = 0_u64;
        let mut told = |found: Found, row: u64| each(row, found);
        for record in records {
            row = row.saturating_add(1);
            let found = match record {
                Ok(record) => match exchange::cmdlet(&record) {
                    Some(cmdlet) => administered(&record, &cmdlet),
                    None => {
                        let before = room.tally().noise.clone();
                        let events = room.feed(&record);
                        let rule = room.tally().noise.iter().find(|(rule, n)| before.get(rule) != Some(n));
                        match (events.is_empty(), rule) {
                            (true, Some((rule, _))) => Found::Noise(rule.as_str()),
                            _ => Found::Events(events.into_iter().map(placed).collect()),
                        }
                    }
                },
                Err(Damaged::Read(source)) => {
                    return Err(HomeError::Read { path: self.path.clone(), source });
                }
                Err(damaged) => {
                    room.damaged(match damaged {
                        Damaged::Record { .. } => Damage::Record,
                        Damaged::Checksum { .. } => Damage::Checksum,
                        _ => Damage::Part,
                    });
                    Found::Damaged(damaged.to_string())
                }
            };
            if let Err(error) = told(found, row) {
                return Ok(Ok(Err(error)));
            }
        }
        let rest: Vec<Event> = room.finish().into_iter().map(placed).collect();
        Ok(Ok(told(Found::Rest(rest), row)))
    }
}

/// The computer as machines are named here: in lower case, without its domain.
fn computer(name: &str) -> String {
    let name = name.split('.').next().unwrap_or(name);
    name.trim().to_ascii_lowercase()
}

fn placed(mut event: Event) -> Event {
    if let Some(source) = &mut event.source {
        source.computer = source.computer.as_deref().map(computer).filter(|name| !name.is_empty());
    }
    event
}

/// A command of an Exchange server's administrator, read as the same command of Microsoft 365.
fn administered(record: &ntk_windows::record::Record, cmdlet: &exchange::Cmdlet) -> Found {
    let parameters: Vec<_> =
        cmdlet.parameters.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    // `practice.example/Users/Anna`: the last part is the account.
    let user = cmdlet.user.rsplit('/').next().unwrap_or_default();
    let found = m365::of_json(&json!({
        "Id": record.record_id.unwrap_or(0).to_string(),
        "CreationTime": record.time.rfc3339(),
        "Operation": cmdlet.name,
        "UserId": user,
        "Workload": "Exchange",
        "ResultStatus": if cmdlet.failed { "Failed" } else { "True" },
        "Parameters": parameters,
    }));
    let Found::Events(mut events) = found else { return found };
    for source in events.iter_mut().filter_map(|event| event.source.as_mut()) {
        source.sensor = Some("exchange-management".to_owned());
        source.event_id = Some(record.event_id);
        source.computer = Some(computer(&record.computer)).filter(|name| !name.is_empty());
    }
    Found::Events(events)
}

#[cfg(test)]
mod tests;
