//! The room where records become events: sessions, accesses, starts, changes of accounts and of the recording itself.
//!
//! ```text
//! Record -> numbers (holes, falls, repeats) -> by event id: logins, accesses, starts, accounts, tampering
//!                                               |  sessions: whose logon id this is
//!                                               v
//!                                             Event, or a rule of noise that is counted
//! ```
//! A session is one logon id of one machine between two starts of it. A person's two sessions under User Account
//! Control (one with, one without administrators' rights) are one; the first one's id stands for both. Whatever is done
//! with another account's password from within a session (runas) stays with the account that logged in.
//!
//! # Records of which no sentence is made
//! A 4672 whose 4624 was never seen is told as an elevation without an address: a privileged session, its start unknown.
//! A record of SYSTEM or of a service is nobody's: the event names no account, and the sessions that were open.
//!
//! # Bounds
//! Every table has a limit; beyond it the oldest goes. Nothing waits longer than [`HELD`] of the records' own time, but
//! that needs a next record or a call of [`Room::expire`].

mod accesses;
mod accounts;
mod logins;
mod numbers;
mod runs;
mod sessions;
mod starts;
mod tampering;

use std::time::Duration;

use ntk_evidence::event::{Event, Kind, Process, Source};
use ntk_evidence::time::Moment;

use crate::record::{Record, Stamp};
use crate::tally::{Noise, Tally};
use crate::tools::Tools;
use crate::watch::Watches;

pub use numbers::{Damage, Numbers};
pub use sessions::SESSIONS_MAX;

/// How long a record waits for another one that explains it: a 4672 for its 4624, a 4776 for its 4625.
pub const HELD: Duration = Duration::from_secs(5);

/// Records that wait at once; beyond that the oldest is told.
const HELD_MAX: usize = 1024;

/// What one record comes to.
type Found = Result<Vec<Event>, Noise>;

/// Turns the records of any number of machines into events.
pub struct Room {
    watches: Watches,
    tools: Tools,
    sessions: sessions::Sessions,
    starts: starts::Starts,
    runs: runs::Runs,
    numbers: numbers::Sequence,
    damage: numbers::Damages,
    held: Vec<Held>,
    /// Recent elevations by another account's password, so that two records of one are told once.
    passwords: Vec<(String, u64, String, Moment)>,
    tally: Tally,
    is_recorded: bool,
    /// This agent's own process, where it runs on the machine whose records these are.
    own: Option<u32>,
}

/// An event that waits for another record.
struct Held {
    computer: String,
    since: Moment,
    what: Waiting,
    event: Result<Event, Noise>,
}

#[derive(PartialEq, Eq)]
enum Waiting {
    /// Special privileges of this logon id.
    Privileges(u64),
    /// A wrong password for this account, in lower case.
    Password(String),
}

impl Room {
    /// Knows no session yet. `numbers` says what a hole in record numbers means.
    pub fn new(watches: Watches, numbers: Numbers) -> Self {
        Self {
            watches,
            tools: Tools::built_in(),
            sessions: sessions::Sessions::default(),
            starts: starts::Starts::default(),
            runs: runs::Runs::default(),
            numbers: numbers::Sequence::new(numbers),
            damage: numbers::Damages::default(),
            held: Vec::new(),
            passwords: Vec::new(),
            tally: Tally::default(),
            is_recorded: false,
            own: None,
        }
    }

    /// The same for a recording: events say that they were played and not sensed, and on which computer. `time` is that of gaps in a recording
    /// without any whole record, RFC 3339.
    pub fn recorded(watches: Watches, numbers: Numbers, time: String) -> Self {
        let mut room = Self::new(watches, numbers);
        room.is_recorded = true;
        room.damage.set_fallback_time(time);
        room
    }

    /// Other watches from now on.
    pub fn set_watches(&mut self, watches: Watches) {
        self.watches = watches;
    }

    /// What this process opens and starts is not told: it is the agent's own.
    pub fn set_own(&mut self, pid: u32) {
        self.own = Some(pid);
    }

    /// The last record of a log that was taken before a restart: what is missing since then is told.
    pub fn resume(&mut self, computer: &str, channel: &str, record_id: u64, time: Stamp) {
        self.numbers.resume(computer, channel, record_id, time);
    }

    /// The time of gaps in the next recording, where that has no whole record.
    pub fn set_fallback_time(&mut self, time: String) {
        self.damage.set_fallback_time(time);
    }

    /// Takes one record; gives the events that are finished.
    pub fn feed(&mut self, record: &Record) -> Vec<Event> {
        self.tally.n_records = self.tally.n_records.saturating_add(1);
        let mut events = self.damage.end(Some(record.time));
        if self.numbers.is_repeated(record) {
            self.tally.drop(Noise::Repeated);
            return self.given(events);
        }
        events.extend(self.wait_no_longer(record.time.moment));
        events.extend(self.runs.expire(record.time.moment));
        events.extend(self.numbers.take(record));
        match self.read(record) {
            Ok(found) => {
                for event in found {
                    events.extend(self.runs.take(event, &record.computer, record.time.moment));
                }
            }
            Err(noise) => self.tally.drop(noise),
        }
        self.given(events)
    }

    /// Something stood in the place of records and could not be read; it becomes a gap, between its neighbours (SE-1).
    pub fn damaged(&mut self, damage: Damage) {
        self.damage.add(damage);
    }

    /// Lets time pass without a record; gives the events that waited long enough.
    pub fn expire(&mut self, now: Moment) -> Vec<Event> {
        let mut events = self.wait_no_longer(now);
        events.extend(self.runs.expire(now));
        self.given(events)
    }

    /// Gives what is still held back, at the end.
    pub fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for held in std::mem::take(&mut self.held) {
            events.extend(self.told(held));
        }
        events.extend(self.runs.flush());
        events.extend(self.numbers.finish());
        events.extend(self.damage.end(None));
        self.given(events)
    }

    /// What became of the records so far.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    fn given(&mut self, mut events: Vec<Event>) -> Vec<Event> {
        for event in &mut events {
            if let Some(source) = event.source.as_mut() {
                // Live, the author of an entry is the computer; a recording may hold those of many.
                if self.is_recorded {
                    source.recorded = Some(true);
                } else {
                    source.computer = None;
                }
            }
        }
        let n_events = u64::try_from(events.len()).unwrap_or(u64::MAX);
        self.tally.n_events = self.tally.n_events.saturating_add(n_events);
        events
    }

    /// By event id. Ids below 4096 belong to whoever wrote the record, so that is looked at, too.
    fn read(&mut self, record: &Record) -> Found {
        let provider = record.provider.to_ascii_lowercase();
        match (record.event_id, provider.as_str()) {
            (7045 | 7036, "service control manager") => return self.service(record),
            (104 | 1102, _) if provider.ends_with("eventlog") || record.is_security() => {
                return self.log_cleared(record);
            }
            (1100 | 1101 | 1104, _) if provider.ends_with("eventlog") || record.is_security() => {
                return self.log_stopped(record);
            }
            _ if !record.is_security() => return Err(Noise::IdNotNeeded),
            _ => {}
        }
        // What stands in a 4672 is a session that begins now.
        if let Some(id) = record.logon_id("SubjectLogonId").filter(|_| record.event_id != 4672) {
            let subject = logins::account(record, "Subject");
            self.sessions.learn(&record.computer, id, subject, record.time.moment);
        }
        match record.event_id {
            4608 => {
                self.sessions.started(&record.computer);
                self.starts.started(&record.computer);
                Err(Noise::IdNotNeeded)
            }
            4624 => self.logged_in(record),
            4625 | 4771 => self.login_refused(record),
            4634 | 4647 => self.logged_out(record),
            4648 => self.used_password(record),
            4672 => self.privileged(record),
            4776 => self.password_checked(record),
            4778 | 4779 => self.connected(record),
            4656 | 4663 | 5145 => self.access(record),
            4664 => self.linked(record),
            4670 => self.rights_of_file_changed(record),
            4688 => self.process_started(record),
            4689 => self.process_ended(record),
            4697 => self.service(record),
            4612 | 4616 | 4719 | 4907 | 4906 => self.recording_touched(record),
            id if accounts::is_change(id) => self.account_changed(record),
            _ => Err(Noise::IdNotNeeded),
        }
    }

    /// An event of a record, with nothing known but when, where and in which record.
    fn event(kind: Kind, record: &Record) -> Event {
        let mut event = Event::new(kind, record.time.rfc3339());
        event.source = Some(source(record));
        event
    }

    /// The process that a record names, with what is known of its parents.
    fn process(&self, record: &Record, pid: &str, exe: &str) -> Option<Process> {
        let pid = record.number(pid).and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0);
        let exe = record.field(exe).map(str::to_owned);
        let parent = pid.and_then(|pid| self.starts.parent_of(&record.computer, pid));
        let process = Process { pid, exe, parent, ..Process::default() };
        Some(process).filter(|process| *process != Process::default())
    }

    /// Whether a record names the agent's own process as who acted.
    fn is_by_own(&self, record: &Record) -> bool {
        let pid = record.number("ProcessId").and_then(|pid| u32::try_from(pid).ok());
        self.own.is_some() && pid == self.own
    }

    fn hold(&mut self, record: &Record, what: Waiting, event: Result<Event, Noise>) -> Vec<Event> {
        let mut events = Vec::new();
        if self.held.len() >= HELD_MAX {
            let oldest = self.held.remove(0);
            events.extend(self.told(oldest));
        }
        self.held.push(Held { computer: record.computer.clone(), since: record.time.moment, what, event });
        events
    }

    /// Takes back what waits for this.
    fn take_back(&mut self, computer: &str, what: &Waiting) -> Option<Result<Event, Noise>> {
        let place = self.held.iter().position(|held| held.computer == computer && held.what == *what)?;
        Some(self.held.remove(place).event)
    }

    fn wait_no_longer(&mut self, now: Moment) -> Vec<Event> {
        let is_over = |held: &mut Held| is_past(held.since, now, HELD);
        let over: Vec<Held> = self.held.extract_if(.., is_over).collect();
        over.into_iter().filter_map(|held| self.told(held)).collect()
    }

    fn told(&mut self, held: Held) -> Option<Event> {
        held.event.map_err(|noise| self.tally.drop(noise)).ok()
    }
}

/// Whether a moment is further away than this, in either direction: records of several machines, or of several
/// recordings, do not come in the order of their clocks.
fn is_past(since: Moment, now: Moment, than: Duration) -> bool {
    let nanos = i64::try_from(than.as_nanos()).unwrap_or(i64::MAX);
    now.unix_nanos().saturating_sub(since.unix_nanos()).saturating_abs() > nanos
}

/// Which sensor said so: by log, as the three that are read differ in what they can know.
fn source(record: &Record) -> Source {
    let sensor = match record.channel.to_ascii_lowercase().as_str() {
        "security" => "windows-security",
        "system" => "windows-system",
        _ => "windows-log",
    };
    Source {
        sensor: Some(sensor.to_owned()),
        record: record.record_id.map(|id| id.to_string()),
        event_id: Some(record.event_id),
        computer: Some(record.computer.clone()),
        ..Source::default()
    }
}

/// Source of an event that several records amount to.
fn source_of_log(computer: &str, channel: &str) -> Source {
    let sensor = if channel.eq_ignore_ascii_case("security") { "windows-security" } else { "windows-system" };
    Source { sensor: Some(sensor.to_owned()), computer: Some(computer.to_owned()), ..Source::default() }
}

/// The moment of a stamp as text, where there is one.
fn text_of(stamp: Option<Stamp>) -> Option<String> {
    stamp.map(Stamp::rfc3339)
}

#[cfg(test)]
mod tests;
