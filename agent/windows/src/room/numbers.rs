//! What is missing: holes and falls in record numbers, records that come twice, and what could not be read.
//!
//! Windows numbers the records of each log of a machine without holes, and goes on counting when a log is cleared. A
//! number that is lower than the last one at a later time therefore says that the log, or the machine, was put back.
//!
//! A hole says nothing where only some records were taken along, as in exports by a filter and in what forwarders send.
//! Which of both it is says whoever makes the room: [`Numbers`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ntk_evidence::event::{Event, Gap, Kind, Outcome, Tamper, TamperKind};

use super::{is_past, source_of_log, text_of};
use crate::record::{Record, Stamp};

/// What a hole in record numbers means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Every record of the log comes: a hole is told at once, as tampering.
    Whole,
    /// Records are an excerpt: how many are not there is told at the end, once for each log, as a gap.
    Excerpt,
}

/// Something that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// A record, or a line.
    Record,
    /// A part of a file, with an unknown number of records.
    Part,
    /// Records were read that are not those that were written: a checksum is wrong.
    Checksum,
}

impl Damage {
    const fn cause(self) -> &'static str {
        match self {
            Self::Record => "damaged_record",
            Self::Part => "damaged_part",
            Self::Checksum => "wrong_checksum",
        }
    }
}

/// Logs that are followed at once; those of further machines are not looked at for holes and repeats.
const LOGS_MAX: usize = 1024;

/// Records that are remembered to tell which come again: files of one log may overlap by many, a live log does by a few.
const fn identities_max(numbers: Numbers) -> usize {
    match numbers {
        Numbers::Whole => 1024,
        Numbers::Excerpt => 65_536,
    }
}

/// A record: number of its log among those seen, its own number, its time in nanoseconds.
type Identity = (usize, u64, i64);

/// How much later than the last one a record with a lower number must be. Threads write at the same time, and a record
/// gets its time before its number.
const FALL_AFTER: Duration = Duration::from_secs(60);

/// One log of one machine since the last fall.
struct Log {
    /// The machine as it calls itself; keys are in lower case.
    computer: String,
    first: u64,
    highest: u64,
    n_records: u64,
    /// Time of the record before the first hole.
    before_hole: Option<Stamp>,
    after_hole: Option<Stamp>,
    last: Stamp,
    latest: Stamp,
}

impl Log {
    fn begins(computer: &str, id: u64, time: Stamp) -> Self {
        Self {
            computer: computer.to_owned(),
            first: id,
            highest: id,
            n_records: 1,
            before_hole: None,
            after_hole: None,
            last: time,
            latest: time,
        }
    }
}

/// Record numbers by machine and log.
pub(super) struct Sequence {
    numbers: Numbers,
    logs: BTreeMap<(String, String), Log>,
    log_numbers: BTreeMap<(String, String), usize>,
    seen: BTreeSet<Identity>,
    order: VecDeque<Identity>,
}

impl Sequence {
    pub(super) fn new(numbers: Numbers) -> Self {
        Self {
            numbers,
            logs: BTreeMap::new(),
            log_numbers: BTreeMap::new(),
            seen: BTreeSet::new(),
            order: VecDeque::new(),
        }
    }

    /// Whether the same record came before: same machine, log, number and time.
    pub(super) fn is_repeated(&mut self, record: &Record) -> bool {
        let Some(id) = record.record_id else { return false };
        let n_logs = self.log_numbers.len();
        let key = key(record);
        let log = match self.log_numbers.get(&key) {
            Some(log) => *log,
            None if n_logs < LOGS_MAX => *self.log_numbers.entry(key).or_insert(n_logs),
            None => return false,
        };
        let identity = (log, id, record.time.moment.unix_nanos());
        if !self.seen.insert(identity) {
            return true;
        }
        self.order.push_back(identity);
        if self.order.len() > identities_max(self.numbers)
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        false
    }

    /// A log goes on after this record.
    pub(super) fn resume(&mut self, computer: &str, channel: &str, id: u64, time: Stamp) {
        if self.logs.len() < LOGS_MAX {
            self.logs
                .insert((computer.to_lowercase(), channel.to_lowercase()), Log::begins(computer, id, time));
        }
    }

    /// Takes a record's number; gives what it shows to be missing.
    pub(super) fn take(&mut self, record: &Record) -> Vec<Event> {
        let Some(id) = record.record_id else { return Vec::new() };
        let key = key(record);
        let new = Log::begins(&record.computer, id, record.time);
        let n_logs = self.logs.len();
        let Some(log) = self.logs.get_mut(&key) else {
            if n_logs < LOGS_MAX {
                self.logs.insert(key, new);
            }
            return Vec::new();
        };
        let is_later = record.time > log.latest && is_past(log.latest.moment, record.time.moment, FALL_AFTER);
        if id < log.highest && is_later {
            let mut events: Vec<Event> = missing(&key, log).into_iter().collect();
            events.push(fell(record, log));
            *log = new;
            return events;
        }
        let mut events = Vec::new();
        let is_hole = id > log.highest.saturating_add(1);
        if is_hole && self.numbers == Numbers::Whole {
            let lost = id.saturating_sub(log.highest).saturating_sub(1);
            events.push(hole(record, log, lost));
            *log = new;
            return events;
        }
        if is_hole {
            log.before_hole = log.before_hole.or(Some(log.last));
            log.after_hole = Some(record.time);
        }
        log.first = log.first.min(id);
        log.highest = log.highest.max(id);
        log.n_records = log.n_records.saturating_add(1);
        log.last = record.time;
        log.latest = log.latest.max(record.time);
        events
    }

    /// What is missing from the logs that were followed.
    pub(super) fn finish(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.logs).iter().filter_map(|(key, log)| missing(key, log)).collect()
    }
}

fn key(record: &Record) -> (String, String) {
    (record.computer.to_lowercase(), record.channel.to_lowercase())
}

/// One gap for all holes of a log that is an excerpt.
fn missing((_, channel): &(String, String), log: &Log) -> Option<Event> {
    let n_all = log.highest.saturating_sub(log.first).saturating_add(1);
    let lost = n_all.checked_sub(log.n_records).filter(|lost| *lost > 0)?;
    let time = log.before_hole.unwrap_or(log.last);
    let mut event = Event::new(Kind::Gap, time.rfc3339());
    event.source = Some(source_of_log(&log.computer, channel));
    event.gap = Some(Gap {
        cause: "not_in_excerpt".to_owned(),
        from: text_of(log.before_hole),
        to: text_of(log.after_hole),
        lost: Some(lost),
        other: Default::default(),
    });
    Some(event)
}

fn hole(record: &Record, log: &Log, lost: u64) -> Event {
    let detail = format!("numbers missing after {}: {lost}", log.highest);
    let mut event = tampered(record, detail);
    event.gap = Some(Gap {
        cause: "record_gap".to_owned(),
        from: Some(log.last.rfc3339()),
        to: Some(record.time.rfc3339()),
        lost: Some(lost),
        other: Default::default(),
    });
    event
}

fn fell(record: &Record, log: &Log) -> Event {
    let id = record.record_id.unwrap_or_default();
    tampered(record, format!("record numbers fell from {} to {id}", log.highest))
}

fn tampered(record: &Record, detail: String) -> Event {
    let mut event = Event::new(Kind::Tamper, record.time.rfc3339());
    event.source = Some(super::source(record));
    event.outcome = Some(Outcome::Success);
    event.tamper =
        Some(Tamper { what: TamperKind::RecordGap, detail: Some(detail), other: Default::default() });
    event
}

/// What could not be read since the last record that could.
#[derive(Default)]
pub(super) struct Damages {
    counts: BTreeMap<Damage, u64>,
    since: Option<Stamp>,
    fallback: Option<String>,
}

impl Damages {
    pub(super) fn set_fallback_time(&mut self, time: String) {
        self.fallback = Some(time);
    }

    pub(super) fn add(&mut self, damage: Damage) {
        let count = self.counts.entry(damage).or_default();
        *count = count.saturating_add(1);
    }

    /// INVARIANT SE-1: what is no record is a gap, with its bounds as far as its neighbours tell them.
    pub(super) fn end(&mut self, next: Option<Stamp>) -> Vec<Event> {
        let counts = std::mem::take(&mut self.counts);
        let time = self.since.or(next).map(Stamp::rfc3339).or_else(|| self.fallback.clone());
        let time = time.unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned());
        let gap = |(damage, count): (Damage, u64)| {
            let mut event = Event::new(Kind::Gap, time.clone());
            let lost = (damage == Damage::Record).then_some(count);
            event.gap = Some(Gap {
                cause: damage.cause().to_owned(),
                from: text_of(self.since),
                to: text_of(next),
                lost,
                other: Default::default(),
            });
            event
        };
        let events = counts.into_iter().map(gap).collect();
        self.since = next.or(self.since);
        events
    }
}
