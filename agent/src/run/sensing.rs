//! The one place where sensors meet the spool: starts them, carries their events over, stops them.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ntk_evidence::event::{Event, Gap, Health, Kind};
use tracing::error;

use crate::clock::Clock;
use crate::config::Config;
use crate::sensor::{self, Recordings, Sensed, SensorConfig, Sink, Started, Stop};
use crate::spool::Bookmark;
use crate::spool::thread::Intake;

/// Sensors that run, and the thread that carries their events to the spool.
pub(super) struct Sensing {
    stop: Stop,
    started: Started,
    /// Ends when every sensor did; gives the last bookmark.
    carrier: Option<JoinHandle<Option<Bookmark>>>,
}

impl Sensing {
    pub(super) fn start(
        dir: &Path,
        config: &Config,
        bookmark: Option<&Bookmark>,
        intake: &Intake,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let stop = Stop::default();
        let (sink, sensed) = Sink::bounded(sensor::QUEUE_MAX, Arc::clone(clock));
        let files = config.sensor.recorded.clone();
        let recordings = Recordings {
            files: files.clone(),
            watches: config.watches.clone(),
            after: bookmark.and_then(|bookmark| bookmark.position_in(&files)),
            rate_per_second: config.sensor.recorded_rate,
        };
        let sensor_config = SensorConfig {
            watches: config.watches.clone(),
            observe: config.sensor.observe,
            audit: config.sensor.audit,
            sealed: config.sensor.sealed,
            fanotify: config.sensor.fanotify,
            logs: config.sensor.logs,
            log_files: config.sensor.log_files.clone(),
            channels: config.sensor.channels.clone(),
            channels_after: bookmark.map(|bookmark| bookmark.channels.clone()).unwrap_or_default(),
            notify: config.sensor.notify,
            recordings: Some(recordings),
            state_file: dir.join(sensor::STATE_FILE),
            clock: Arc::clone(clock),
        };
        let intake = intake.clone();
        let watches = config.watches.clone();
        let mut reached = bookmark.cloned().unwrap_or_default();
        let carry = move || {
            let mut last = None;
            for Sensed { mut event, position, passed } in sensed {
                watches.mark_decoy(&mut event);
                let moves = position.is_some() || passed.is_some();
                if let Some(position) = position {
                    reached.pass_recorded(&files, position);
                }
                if let Some(passed) = passed {
                    reached.pass_channel(*passed);
                }
                let bookmark = moves.then(|| reached.clone());
                if moves {
                    last.clone_from(&bookmark);
                }
                if intake.observed(*event, bookmark).is_err() {
                    break;
                }
            }
            last
        };
        let carrier = std::thread::Builder::new().name("carrier".to_owned()).spawn(carry);
        let carrier = carrier.map_err(|error| error!(%error, "events cannot be carried to the spool")).ok();
        let started = sensor::start(sensor_config, &sink, &stop);
        Self { stop, started, carrier }
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.started.running.iter().map(sensor::Running::name).collect()
    }

    pub(super) fn fill(&self, health: &mut Health) {
        self.started.fill(health);
    }

    /// INVARIANT SE-1: what a sensor had read and could not tell before the end is lost with this process. Since when, it
    /// alone knew.
    pub(super) fn unfinished(now: &str) -> Event {
        let mut event = Event::new(Kind::Gap, now);
        let cause = "sensor_unfinished".to_owned();
        event.gap =
            Some(Gap { cause, from: None, to: Some(now.to_owned()), lost: None, other: Default::default() });
        event
    }

    /// Ends all sensors; whether they ended in time, and how far recordings came.
    pub(super) fn stop(self, within: Duration) -> (bool, Option<Bookmark>) {
        self.stop.request();
        if !self.started.join(within) {
            // A sensor that hangs holds the queue open: the carrier goes on until the process ends.
            return (false, None);
        }
        (true, self.carrier.and_then(|carrier| carrier.join().ok().flatten()))
    }
}
