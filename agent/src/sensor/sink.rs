//! Where sensors hand over their events: a bounded queue that never loses anything in silence.
//!
//! # Invariants
//! - SE-1: an event that found the queue full is counted, and the count goes out as a `gap` before the next
//!   event that finds room.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use ntk_evidence::event::Event;

use super::event_log::Passed;
use super::pipeline::gap;
use super::recorded::Position;
use crate::clock::{self, Clock};

/// Events that wait for the spool: some 10 MB, a second of the busiest machine.
pub const QUEUE_MAX: usize = 8192;

/// An event and where it stood in a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensed {
    /// The event; boxed, because the queue's room is set aside at once.
    pub event: Box<Event>,
    /// For events from recordings: from here on a restarted agent plays on.
    pub position: Option<Position>,
    /// For events from the event log of Windows: how far its channel is told with this one.
    pub passed: Option<Box<Passed>>,
}

impl Sensed {
    /// An event of a record that the system keeps.
    pub fn of_record(event: Event, passed: Passed) -> Self {
        Self { event: Box::new(event), position: None, passed: Some(Box::new(passed)) }
    }
}

/// The other end of the queue is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes events any more")]
pub struct Closed;

#[derive(Debug, Default)]
struct Overflow {
    n_lost: u64,
    from: Option<String>,
    to: Option<String>,
}

/// The sensors' end of the queue.
#[derive(Clone, Debug)]
pub struct Sink {
    sender: SyncSender<Sensed>,
    overflow: Arc<Mutex<Overflow>>,
    clock: Arc<dyn Clock>,
}

impl Sink {
    /// A queue for this many events, normally [`QUEUE_MAX`].
    pub fn bounded(n_max: usize, clock: Arc<dyn Clock>) -> (Self, Receiver<Sensed>) {
        let (sender, receiver) = sync_channel(n_max);
        (Self { sender, overflow: Arc::default(), clock }, receiver)
    }

    /// Hands over a live event. Does not wait: live sensors must go on draining.
    pub fn offer(&self, event: Event) -> Result<(), Closed> {
        let mut overflow = self.overflow.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(&mut overflow)?;
        if overflow.n_lost > 0 {
            self.count(&mut overflow);
            return Ok(());
        }
        match self.sender.try_send(Sensed { event: Box::new(event), position: None, passed: None }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                self.count(&mut overflow);
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => Err(Closed),
        }
    }

    /// Hands over an event and waits for room: recordings do not run away.
    pub fn send(&self, sensed: Sensed) -> Result<(), Closed> {
        self.settle()?;
        self.sender.send(sensed).map_err(|_| Closed)
    }

    /// Tells of events that were lost, if there is room by now. To be called now and then.
    pub fn settle(&self) -> Result<(), Closed> {
        let mut overflow = self.overflow.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(&mut overflow)
    }

    fn count(&self, overflow: &mut Overflow) {
        let now = clock::text(self.clock.now());
        overflow.n_lost = overflow.n_lost.saturating_add(1);
        overflow.from.get_or_insert_with(|| now.clone());
        overflow.to = Some(now);
    }

    fn tell(&self, overflow: &mut Overflow) -> Result<(), Closed> {
        if overflow.n_lost == 0 {
            return Ok(());
        }
        // INVARIANT SE-1: the count first, then the next event.
        let time = clock::text(self.clock.now());
        let mut event = gap("queue_overflow", &time, overflow.from.as_deref(), overflow.to.as_deref());
        event.source = None;
        if let Some(gap) = &mut event.gap {
            gap.lost = Some(overflow.n_lost);
        }
        match self.sender.try_send(Sensed { event: Box::new(event), position: None, passed: None }) {
            Ok(()) => *overflow = Overflow::default(),
            Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return Err(Closed),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::fake::FakeClock;
    use ntk_evidence::event::Kind;

    #[test]
    fn what_finds_no_room_is_counted_and_told_first() {
        let clock = Arc::new(FakeClock::default());
        let (sink, receiver) = Sink::bounded(2, clock.clone());
        for time in ["1", "2", "3"] {
            sink.offer(Event::new(Kind::Login, time)).unwrap();
        }
        clock.advance(5);
        sink.offer(Event::new(Kind::Login, "4")).unwrap();
        let one = receiver.recv().unwrap().event;
        sink.offer(Event::new(Kind::Login, "5")).unwrap();
        let (two, gap) = (receiver.recv().unwrap().event, receiver.recv().unwrap().event);
        assert_eq!((one.time.as_str(), two.time.as_str()), ("1", "2"));
        let told = gap.gap.unwrap();
        assert_eq!((told.cause.as_str(), told.lost), ("queue_overflow", Some(2)));
        assert_eq!(told.from.as_deref(), Some("2026-11-20T21:00:00.000Z"));
        assert_eq!(told.to.as_deref(), Some("2026-11-20T21:00:05.000Z"));
        sink.settle().unwrap();
        let told = receiver.recv().unwrap().event.gap.unwrap();
        assert_eq!(told.lost, Some(1), "event 5 found the gap in the last place");
        drop(receiver);
        assert_eq!(sink.offer(Event::new(Kind::Login, "6")), Err(Closed));
    }
}
