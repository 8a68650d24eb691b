//! Room on the disk: what may still be written, and what was lost while there was none.
//!
//! Below the cap everything is written. In the last [`RESERVE_BYTES`] only the agent's own gap and health entries
//! are. Sensors go on being read: what does not fit is counted, and becomes one gap event with cause and bounds as
//! soon as anything is written again, at the latest with the next health entry (SE-1).

use ntk_evidence::event::{Event, Gap, Kind};
use ntk_evidence::time::Moment;

use crate::clock;

/// The last part of the cap, for gap and health entries only.
pub const RESERVE_BYTES: u64 = 1 << 20;

/// Frames, note, COMMIT and a new segment's STATE round a group's entries: more than they ever take.
const AROUND_GROUP_BYTES: u64 = 8 << 10;

/// Round each entry: three lengths.
const AROUND_ENTRY_BYTES: u64 = 12;

/// What is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Observations of sensors.
    Observations,
    /// Gap and health entries of the agent itself.
    Own,
}

/// Whether `entries_bytes` of so many entries fit below the cap.
pub fn fits(
    bytes_max: u64,
    bytes_on_disk: u64,
    n_entries: usize,
    entries_bytes: usize,
    content: Content,
) -> bool {
    let n_entries = u64::try_from(n_entries).unwrap_or(u64::MAX);
    let group = u64::try_from(entries_bytes)
        .unwrap_or(u64::MAX)
        .saturating_add(n_entries.saturating_mul(AROUND_ENTRY_BYTES))
        .saturating_add(AROUND_GROUP_BYTES);
    let limit = match content {
        Content::Observations => bytes_max.saturating_sub(RESERVE_BYTES),
        Content::Own => bytes_max,
    };
    bytes_on_disk.saturating_add(group) <= limit
}

/// Why events were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The byte cap.
    SpoolFull,
    /// The disk refused to write.
    SpoolFailed,
    /// The event was larger than an entry may be.
    EventTooLarge,
}

impl Cause {
    /// The word in the gap event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SpoolFull => "spool_full",
            Self::SpoolFailed => "spool_failed",
            Self::EventTooLarge => "event_too_large",
        }
    }
}

/// Events that were lost and not yet told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    cause: Cause,
    from: Moment,
    to: Moment,
    lost: u64,
}

/// Adds one lost event at a moment.
pub fn lose(loss: &mut Option<Loss>, cause: Cause, now: Moment) {
    let loss = loss.get_or_insert(Loss { cause, from: now, to: now, lost: 0 });
    loss.to = now;
    loss.lost = loss.lost.saturating_add(1);
}

impl Loss {
    /// How many.
    pub fn n_lost(&self) -> u64 {
        self.lost
    }

    /// The event that tells of it.
    pub fn event(&self, now: Moment) -> Event {
        gap(self.cause.as_str(), Some(self.from), self.to, now, Some(self.lost))
    }
}

/// A gap event.
pub fn gap(cause: &str, from: Option<Moment>, to: Moment, now: Moment, lost: Option<u64>) -> Event {
    let mut event = Event::new(Kind::Gap, clock::text(now));
    event.gap = Some(Gap {
        cause: cause.to_owned(),
        from: from.map(clock::text),
        to: Some(clock::text(to)),
        lost,
        other: ntk_evidence::event::OtherFields::new(),
    });
    event
}
