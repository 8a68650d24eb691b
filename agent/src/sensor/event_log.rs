//! The rung that Windows has: records of its event log, each told once, whatever ends the agent and whenever.
//!
//! ```text
//! Log (event_log_ffi, or a test's) -> XML of one record -> Room (room) -> events, each with its Place -> Sink -> spool
//! ```
//! # Exactly once
//! A [`Place`] says up to which record of a channel everything is told. It travels with its event into the spool's
//! bookmark, and stands in the same COMMIT frame: both are on disk or neither is, so there is no moment at which a record
//! is durable and counts as untold, or the other way round. Nothing else remembers how far we are. A start looks the
//! record of the place up again, by number and time, and goes on behind it. Is it another one by now, or gone, then the
//! log was cleared or has run over: that is told as a gap, and everything that the log still holds is told.
//!
//! Records before the place are read once more at a start, at most [`REREAD_MAX`] of a channel, and nothing of them is told:
//! the sessions that name people began there. The first start of all tells from where on it records.
//!
//! The system keeps what we have not read: a full queue makes this sensor wait, and loses nothing (SE-1).

pub mod head;
pub mod room;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::event::{Event, Source};
use serde::{Deserialize, Serialize};

use super::pipeline::gap;
use super::sink::{Closed, Sensed, Sink};
use super::stop::Stop;
use crate::clock::{self, Clock};
use head::Head;
use room::Room;

/// Name of this sensor in events.
pub const SENSOR: &str = "event-log";

/// The channels that are followed unless the configuration names others.
pub const CHANNELS: &[&str] = &[
    "Security",
    "System",
    "MSExchange Management",
    "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",
];

/// Those that only machines with that program have: their absence is no blindness.
pub const IF_THERE: &[&str] = &["MSExchange Management"];

/// Records of one channel that are read again at a start: some hours of a busy machine, seconds of reading.
pub const REREAD_MAX: u32 = 20_000;
/// Records of one channel before the next one has its turn.
const TURN_RECORDS_MAX: usize = 256;
/// Time between two looks at channels that had nothing more.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A channel that failed is tried again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Up to where a channel is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The last record of which everything is told, by its `EventRecordID`; 0 is before the first.
    pub record: u64,
    /// Its `TimeCreated`, as the system wrote it: a cleared log counts anew, and this tells the two apart.
    pub at: String,
    /// How many events of the record after it are told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The place that an event brings a channel to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The channel's name.
    pub channel: String,
    /// How far it is told with that event.
    pub place: Place,
}

/// The system's event log, as far as this sensor needs it.
pub trait Log: Send {
    /// The newest record of a channel; none in an empty one. A channel that does not exist is [`io::ErrorKind::NotFound`].
    fn newest(&self, channel: &str) -> io::Result<Option<String>>;
    /// Records in their order, from at most so many before this one on.
    fn reread(&self, channel: &str, record: u64, n_max: u32) -> io::Result<Box<dyn Records>>;
    /// Records as they come: those that are there, then new ones.
    fn follow(&self, channel: &str, start: Start) -> io::Result<Box<dyn Records>>;
}

/// Where following begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record that the log still holds.
    Oldest,
    /// Behind the record of this number, which is there.
    Behind(u64),
}

/// Records, one after another.
pub trait Records: Send {
    /// The next record as the system renders it; none when there is none at the moment.
    fn next(&mut self) -> io::Result<Option<String>>;
}

/// What is followed, and from where.
pub struct EventLogConfig {
    /// Names of channels.
    pub channels: Vec<String>,
    /// How far each was told, as the spool says.
    pub after: BTreeMap<String, Place>,
    /// The system's log.
    pub log: Box<dyn Log>,
    /// Makes events of records.
    pub room: Box<dyn Room>,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
}

struct Channel {
    name: String,
    place: Place,
    /// None while it cannot be read.
    records: Option<Box<dyn Records>>,
    /// Uptime before which it is not tried again.
    again_at: Duration,
}

/// Follows channels of the event log.
pub struct EventLogSensor {
    log: Box<dyn Log>,
    room: Box<dyn Room>,
    clock: Arc<dyn Clock>,
    channels: Vec<Channel>,
    /// What starting found out, told before anything else.
    first: Vec<Sensed>,
    cannot_see: Vec<String>,
}

impl EventLogSensor {
    /// Begins to follow every channel that is there; a sentence when none is.
    pub fn start(config: EventLogConfig) -> Result<Self, String> {
        let EventLogConfig { channels, mut after, log, room, clock } = config;
        let mut sensor = Self { log, room, clock, channels: vec![], first: vec![], cannot_see: vec![] };
        for name in channels {
            let place = after.remove(&name);
            match sensor.resume(&name, place) {
                Ok(channel) => sensor.channels.push(channel),
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && IF_THERE.contains(&name.as_str()) => {}
                Err(error) => sensor.cannot_see.push(unread(&name, &error)),
            }
        }
        if sensor.channels.is_empty() {
            return Err(sensor.cannot_see.join("; "));
        }
        Ok(sensor)
    }

    /// Sentences about what is not seen.
    pub fn cannot_see(&self) -> &[String] {
        &self.cannot_see
    }

    /// Hands over events until the stop.
    pub fn run(mut self, sink: &Sink, stop: &Stop) {
        for sensed in std::mem::take(&mut self.first) {
            if sink.send(sensed) == Err(Closed) {
                return;
            }
        }
        let mut channels = std::mem::take(&mut self.channels);
        loop {
            let mut is_more = false;
            for channel in &mut channels {
                match self.turn(channel, sink, stop) {
                    Ok(more) => is_more |= more,
                    Err(Closed) => return,
                }
            }
            if stop.wait(if is_more { Duration::ZERO } else { LOOK_EVERY }) || sink.settle().is_err() {
                return;
            }
        }
    }

    /// Goes on where a channel was left, or begins.
    fn resume(&mut self, name: &str, place: Option<Place>) -> io::Result<Channel> {
        let is_first = place.is_none();
        let place = match place {
            Some(place) => place,
            None => self.newest(name)?,
        };
        let is_there = place.record == 0 || self.is_there(name, &place)?;
        if is_there && place.record > 0 {
            self.reread(name, &place)?;
        }
        let (place, start) = match (is_there, place.record) {
            (true, 0) => (place, Start::Oldest),
            (true, record) => (place, Start::Behind(record)),
            (false, _) => (Place::default(), Start::Oldest),
        };
        let records = self.log.follow(name, start)?;
        if is_first || !is_there {
            let cause = if is_first { "event_log_begins" } else { "event_log_cut" };
            let passed = Passed { channel: name.to_owned(), place: place.clone() };
            self.first.push(Sensed::of_record(self.gap(cause, name), passed));
        }
        Ok(Channel { name: name.to_owned(), place, records: Some(records), again_at: Duration::ZERO })
    }

    fn newest(&self, name: &str) -> io::Result<Place> {
        let newest = self.log.newest(name)?;
        let head = newest.as_deref().and_then(Head::of);
        Ok(head.map(|head| Place { record: head.record, at: head.at, more: 0 }).unwrap_or_default())
    }

    /// Whether the record of a place is still there and the same. Looked at before anything is read again: of a cleared log
    /// that counts anew nothing was told, and the room must not take it for what it knows.
    fn is_there(&self, name: &str, place: &Place) -> io::Result<bool> {
        let mut records = self.log.reread(name, place.record, 1)?;
        while let Some(xml) = records.next()? {
            let Some(head) = Head::of(&xml) else { continue };
            if head.record >= place.record {
                return Ok(head.record == place.record && head.at == place.at);
            }
        }
        Ok(false)
    }

    /// Reads what lies before a place again, for the sessions in it.
    fn reread(&mut self, name: &str, place: &Place) -> io::Result<()> {
        let mut records = self.log.reread(name, place.record, REREAD_MAX)?;
        while let Some(xml) = records.next()? {
            let Some(head) = Head::of(&xml) else { continue };
            if head.record > place.record {
                break;
            }
            // What it tells was told.
            let _ = self.room.feed(&xml);
        }
        Ok(())
    }

    /// Reads some records of a channel; whether there may be more at once.
    fn turn(&mut self, channel: &mut Channel, sink: &Sink, stop: &Stop) -> Result<bool, Closed> {
        for _ in 0..TURN_RECORDS_MAX {
            if stop.requested() {
                return Ok(false);
            }
            let Some(records) = self.records(channel) else { return Ok(false) };
            match records.next() {
                Ok(Some(xml)) => self.tell(channel, &xml, sink)?,
                Ok(None) => return Ok(false),
                Err(error) => {
                    // What came meanwhile is still in the log: it is read from the same place once it can be.
                    tracing::error!(%error, "a channel of the event log cannot be read; it is tried again");
                    channel.records = None;
                    channel.again_at = self.clock.uptime().saturating_add(AGAIN_AFTER);
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn records<'a>(&mut self, channel: &'a mut Channel) -> Option<&'a mut Box<dyn Records>> {
        if channel.records.is_none() && self.clock.uptime() >= channel.again_at {
            match self.resume(&channel.name, Some(channel.place.clone())) {
                Ok(resumed) => *channel = resumed,
                Err(_) => channel.again_at = self.clock.uptime().saturating_add(AGAIN_AFTER),
            }
        }
        channel.records.as_mut()
    }

    fn tell(&mut self, channel: &mut Channel, xml: &str, sink: &Sink) -> Result<(), Closed> {
        for sensed in std::mem::take(&mut self.first) {
            sink.send(sensed)?;
        }
        let Some(head) = Head::of(xml) else {
            // INVARIANT SE-1: what cannot be read was there.
            let gap = self.gap("record_unreadable", &channel.name);
            return sink.send(Sensed { event: Box::new(gap), position: None, passed: None });
        };
        let events = self.room.feed(xml);
        let n_events = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let told = std::mem::take(&mut channel.place.more);
        let whole = Place { record: head.record, at: head.at, more: 0 };
        for (nth, mut event) in (1_u32..).zip(events).filter(|(nth, _)| *nth > told) {
            let place =
                if nth < n_events { Place { more: nth, ..channel.place.clone() } } else { whole.clone() };
            event.source.get_or_insert_with(Source::default).sensor.get_or_insert_with(|| SENSOR.to_owned());
            sink.send(Sensed::of_record(event, Passed { channel: channel.name.clone(), place }))?;
        }
        channel.place = whole;
        Ok(())
    }

    fn gap(&self, cause: &str, channel: &str) -> Event {
        let now = clock::text(self.clock.now());
        let mut event = gap(cause, &now, None, Some(&now));
        let source = Source { sensor: Some(format!("{SENSOR} {channel}")), ..Source::default() };
        event.source = Some(source);
        event
    }
}

fn unread(name: &str, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        return format!("this machine has no event log `{name}`; what it would tell is not seen");
    }
    format!("the event log `{name}` cannot be read ({error}); what it would tell is not seen")
}

#[cfg(test)]
mod tests;
