//! Plays recordings through the same pipeline as live records; every event says that it was recorded.
//!
//! Recordings are played once. Each event bears its [`Position`]; a restarted agent that gives the last one it
//! kept plays on behind it. The records before it are read again, because they hold the logins that name the
//! persons, but nothing of them is handed over.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use ntk_evidence::event::{Event, Source};
use serde::{Deserialize, Serialize};

use super::pipeline::{Pipeline, gap};
use super::sink::{Closed, Sensed, Sink};
use super::stop::Stop;
use crate::classify::ForeignKeys;
use crate::replay::{self, ReplayError};
use crate::watch_list::WatchList;

/// Where an event stood in the recordings. Later events have greater positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Place of the file in the list.
    pub file: u32,
    /// Bytes of the file that were read when the event came out; beyond all for events of the file's end.
    pub offset: u64,
    /// Which of the events that came out there.
    pub nth: u32,
}

/// What is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recordings {
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// What they watch.
    pub watches: WatchList,
    /// Play only what lies behind this position.
    pub after: Option<Position>,
    /// Events per second; as fast as they are taken when absent.
    pub rate_per_second: Option<u32>,
}

/// Plays everything, or until the stop or the end of the queue. The number of events that were handed over.
pub fn play(recordings: &Recordings, sink: &Sink, stop: &Stop) -> Result<u64, ReplayError> {
    let mut player = Player { recordings, sink, stop, n_sent: 0 };
    let keys = replay::learn_keys(&recordings.files, &recordings.watches);
    let keys = keys.unwrap_or_else(|_| ForeignKeys::Known(Default::default()));
    let mut pipeline = Pipeline::recorded(recordings.watches.clone(), keys);
    let mut failed = None;
    for (file, path) in (0_u32..).zip(&recordings.files) {
        let time = replay::modified(path);
        pipeline.set_fallback_time(time.clone());
        let read =
            replay::each_line(path, |line, offset| Ok(player.hand_over(pipeline.line(line), file, offset)));
        let mut events = pipeline.finish();
        if read.is_err() {
            // INVARIANT SE-1: a recording that cannot be read is a gap, and the next one is still played.
            events.push(gap("recording_unreadable", &time, None, None));
        }
        failed = failed.or(read.err());
        if stop.requested() || player.hand_over(events, file, u64::MAX).is_break() {
            break;
        }
    }
    failed.map_or(Ok(player.n_sent), Err)
}

struct Player<'a> {
    recordings: &'a Recordings,
    sink: &'a Sink,
    stop: &'a Stop,
    n_sent: u64,
}

impl Player<'_> {
    fn hand_over(&mut self, events: Vec<Event>, file: u32, offset: u64) -> ControlFlow<()> {
        for (nth, mut event) in (0_u32..).zip(events) {
            let position = Position { file, offset, nth };
            if self.recordings.after.is_some_and(|after| position <= after) {
                continue;
            }
            event.source.get_or_insert_with(Source::default).recorded = Some(true);
            let sent =
                self.sink.send(Sensed { event: Box::new(event), position: Some(position), passed: None });
            if sent == Err(Closed) {
                return ControlFlow::Break(());
            }
            self.n_sent = self.n_sent.saturating_add(1);
            let pause =
                self.recordings.rate_per_second.and_then(|rate| Duration::from_secs(1).checked_div(rate));
            if let Some(pause) = pause
                && self.stop.wait(pause)
            {
                return ControlFlow::Break(());
            }
        }
        if self.stop.requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[cfg(test)]
mod tests;
