//! What a decision is about: one entry of one author, with its moment in the practice's own zone.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use ntk_evidence::event::Event;

/// One entry of the ledger, as [`super::decide`] and the findings need it.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// Id of the author: the agent or the import.
    pub author: &'a str,
    /// Machine on which it happened.
    pub host: &'a str,
    /// Number of the entry in the author's log.
    pub number: u64,
    /// What was recorded.
    pub event: &'a Event,
    /// When, by the clock on the practice's wall; absent when the record's time cannot be read.
    pub local: Option<LocalTime>,
    /// When the collector received it; absent where that is not known.
    pub received: Option<Timestamp>,
    /// When the author's batch before was received: it happened after that, unless a clock lies.
    pub previous_received: Option<Timestamp>,
    /// Remote-support tool that was driving the session or the computer by what earlier entries say.
    pub remote_tool: Option<&'a str>,
}

/// A moment and what the clock on the wall showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The moment.
    pub at: Timestamp,
    /// The day there.
    pub date: Date,
    /// Minute of that day.
    pub minute: u16,
}

impl LocalTime {
    /// The moment in a zone.
    pub fn new(at: Timestamp, zone: &TimeZone) -> Self {
        let there = zone.to_datetime(at);
        let minute = u16::from(there.hour().unsigned_abs()) * 60 + u16::from(there.minute().unsigned_abs());
        Self { at, date: there.date(), minute }
    }

    /// Day of the week there.
    pub fn weekday(self) -> Weekday {
        self.date.weekday()
    }

    /// Hour of the day there, 0 to 23.
    pub fn hour(self) -> u8 {
        u8::try_from(self.minute / 60).unwrap_or(23)
    }
}

impl<'a> Access<'a> {
    /// An entry with its moment in the practice's zone.
    pub fn new(author: &'a str, host: &'a str, number: u64, event: &'a Event, zone: &TimeZone) -> Self {
        let local = event.time.parse::<Timestamp>().ok().map(|at| LocalTime::new(at, zone));
        Self {
            author,
            host,
            number,
            event,
            local,
            received: None,
            previous_received: None,
            remote_tool: None,
        }
    }

    /// Time of the last access of a coalesced run; of the only one otherwise.
    pub fn last(&self) -> Option<Timestamp> {
        let first = self.local.map(|local| local.at);
        let last = self.event.last.as_deref().and_then(|time| time.parse().ok());
        last.max(first)
    }

    /// How many accesses the entry stands for.
    pub fn n_accesses(&self) -> u64 {
        self.event.count.unwrap_or(1).max(1)
    }

    /// Whether the entry was played from a recording.
    pub fn is_recorded(&self) -> bool {
        self.event.source.as_ref().and_then(|source| source.recorded).unwrap_or(false)
    }
}
