//! What a decision is about: one entry of one author, with its moment in the practice's own zone.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;

/// How far a machine's clock may be off before its claims are not believed.
pub(super) const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(2);

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
    /// When, as the machine claims, by the clock on the practice's wall; absent when the record's time cannot be
    /// read.
    pub local: Option<LocalTime>,
    /// The time by which hours, dates and tickets are judged: the claimed one, unless the collector knows that
    /// it cannot be true.
    pub judged: Option<LocalTime>,
    /// When the collector received it; absent where that is not known.
    pub received: Option<Timestamp>,
    /// When the author's last entry whose claimed time fitted its receipt was received: this one is younger.
    pub previous_received: Option<Timestamp>,
    /// Remote-support tool that was driving the session or the computer by what earlier entries say.
    pub remote_tool: Option<&'a str>,
    /// Entries that it stands for: one, unless it is a row of a [`crate::rollup`].
    pub entries: u64,
}

/// Where it happened: the author's machine, or the service or computer that an import tells of.
pub fn host_of<'a>(author: &'a Author, event: &'a Event) -> &'a str {
    let computer = || event.source.as_ref().and_then(|source| source.computer.as_deref());
    match author.source() {
        Some(_) => computer().unwrap_or_else(|| author.place()),
        None => author.place(),
    }
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
            judged: local,
            received: None,
            previous_received: None,
            remote_tool: None,
            entries: 1,
        }
    }

    /// The same entry with what the collector knows of its time: when its batch was received, and when the last
    /// entry before it that came live was.
    ///
    /// Numbers are in the order of making, so it was made between the two. A claimed time more than [`CLOCK_SLACK`] outside is not believed:
    /// the nearer end is judged instead, so that a clock that was moved opens neither hours nor tickets.
    /// Recordings and imports are as old as they say.
    #[must_use]
    pub fn received(mut self, received: Timestamp, previous: Option<Timestamp>, zone: &TimeZone) -> Self {
        self.received = Some(received);
        self.previous_received = previous;
        let is_live = self.author.starts_with("agent/") && !self.is_recorded();
        if let (Some(local), true) = (self.local, is_live) {
            let earliest = previous.and_then(|previous| previous.checked_sub(CLOCK_SLACK).ok());
            let latest = received.checked_add(CLOCK_SLACK).unwrap_or(received);
            let last = self.last().unwrap_or(local.at);
            let judged = match earliest {
                _ if local.at > latest => received,
                Some(earliest) if last < earliest => previous.unwrap_or(received),
                _ => return self,
            };
            self.judged = Some(LocalTime::new(judged, zone));
        }
        self
    }

    /// The remote-support tool that drove the session, by this record or by earlier ones.
    pub fn tool(&self) -> Option<&'a str> {
        self.event.actor.as_ref().and_then(|actor| actor.tool.as_deref()).or(self.remote_tool)
    }

    /// Whether the claimed time fits the receipt: the entry came as it was made, so what follows it is younger.
    pub fn is_live(&self) -> bool {
        let fits = |(at, received): (Timestamp, Timestamp)| at.duration_since(received).abs() <= CLOCK_SLACK;
        !self.is_recorded() && !self.is_imported() && self.last().zip(self.received).is_some_and(fits)
    }

    /// How far the machine's clock is from what can be true; absent where it fits.
    pub fn clock_off(&self) -> Option<SignedDuration> {
        let (local, judged) = (self.local?, self.judged?);
        (local.at != judged.at).then(|| local.at.duration_since(judged.at))
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

    /// Whether the entry was imported: its author speaks for a service, not for a machine of the practice.
    pub fn is_imported(&self) -> bool {
        self.author.starts_with("import/")
    }

    /// Whether the entry was played from a recording of an agent. Imports are the service's own records, collected afterwards.
    pub fn is_recorded(&self) -> bool {
        !self.is_imported() && self.event.source.as_ref().and_then(|source| source.recorded).unwrap_or(false)
    }
}
