//! Sensors: what this machine can tell, and honest sentences about what it cannot.
//!
//! ```text
//! kernel audit (audit)  \
//! recordings (recorded)  > pipeline: coalesce -> attribute -> classify -> Sink -> spool
//! fanotify, auth-log, notify (watch): events of their own, and only of what audit does not tell
//! event-log (event_log): the records of Windows, on Windows in place of all of these but notify; audit-policy
//! (audit_policy) says beside it what Windows does not record
//! ```
//! A ladder: audit as its owner, audit beside another owner, fanotify for files and the logs for logins, notify for
//! files without any person. [`standing`] carries down it what audit tells at the moment, so that the rung below
//! stands in by itself. Beside audit, fanotify compares and the logs lend the fingerprints of ssh keys. Each rung says
//! what it cannot see.

#[cfg(target_os = "linux")]
pub mod audit;
pub mod audit_policy;
#[cfg(target_os = "linux")]
mod cross_check;
pub mod event_log;
#[cfg(target_os = "linux")]
pub mod fanotify;
pub mod fingerprints;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub mod logs;
mod pipeline;
pub mod recorded;
mod sink;
pub mod standing;
mod stop;
pub mod watch;
#[cfg(windows)]
mod windows;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ntk_evidence::event::Health;

use crate::clock::Clock;
use crate::watch_list::WatchList;

use fingerprints::Fingerprints;
#[cfg(target_os = "linux")]
use linux as machine;
use standing::Standing;
#[cfg(windows)]
use windows as machine;

pub use pipeline::Pipeline;
pub use recorded::{Position, Recordings};
pub use sink::{Closed, QUEUE_MAX, Sensed, Sink};
pub use stop::Stop;

/// Name, below the agent's folder, of the state of kernel audit before it, for as long as that is not put back.
pub const STATE_FILE: &str = "audit-before.json";

/// Which sensors may run, and with what.
#[derive(Clone, Debug)]
pub struct SensorConfig {
    /// What is watched.
    pub watches: WatchList,
    /// Nothing but the end of the agent and acts against the recording are told: the observer beside an agent.
    pub observe: bool,
    /// Kernel audit may be used (Linux, root).
    pub audit: bool,
    /// Kernel audit and login uids are locked until the machine boots.
    pub sealed: bool,
    /// fanotify may be used: the fallback for files, and a comparison beside audit.
    pub fanotify: bool,
    /// The logs of login programs may be followed; on Windows its event log.
    pub logs: bool,
    /// Files to follow in place of the usual logs.
    pub log_files: Vec<PathBuf>,
    /// The channels of the event log that are followed (Windows).
    pub channels: Vec<String>,
    /// How far each was told.
    pub channels_after: BTreeMap<String, event_log::Place>,
    /// The notify fallback may be used.
    pub notify: bool,
    /// Recordings to play.
    pub recordings: Option<Recordings>,
    /// Where the audit state before us is kept while we run.
    pub state_file: PathBuf,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
}

/// What was started, and what was not.
pub struct Started {
    /// The sensors that run.
    pub running: Vec<Running>,
    /// Sentences about what this machine cannot show, beyond those of the sensors that run.
    pub cannot_see: Vec<String>,
}

impl Started {
    /// Fills what health entries tell of sensors.
    pub fn fill(&self, health: &mut Health) {
        health.cannot_see.extend(self.cannot_see.iter().cloned());
        for running in self.running.iter().filter(|running| !running.has_ended()) {
            running.fill(health);
        }
    }

    /// Waits until every sensor ended and gave back what it took; the stop was requested before. False when
    /// the deadline passed first.
    pub fn join(self, within: Duration) -> bool {
        // Each is waited for in turn with the whole time, though one did not end: they end side by side.
        let ended: Vec<bool> = self.running.into_iter().map(|running| running.join(within)).collect();
        ended.into_iter().all(|ended| ended)
    }
}

/// One sensor that runs on its own thread.
pub struct Running {
    name: &'static str,
    #[cfg(target_os = "linux")]
    audit: Option<Arc<Mutex<audit::AuditStatus>>>,
    cannot_see: Arc<Mutex<Vec<String>>>,
    /// Whether it is needed now; a sensor that only stands in sleeps otherwise.
    awake: Arc<AtomicBool>,
    ended: Receiver<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Running {
    /// Name of the sensor, as in events.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it ended: a recording at its last event, others only when they were stopped.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Adds to a health entry what this sensor knows.
    pub fn fill(&self, health: &mut Health) {
        if !self.awake.load(Ordering::Acquire) {
            return;
        }
        health.sensors.push(self.name.to_owned());
        health
            .cannot_see
            .extend(self.cannot_see.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        #[cfg(target_os = "linux")]
        if let Some(audit) = &self.audit {
            let status = audit.lock().unwrap_or_else(PoisonError::into_inner);
            health.audit_enabled = Some(status.enabled);
            health.audit_owner = Some(status.owner_pid);
            health.audit_lost = Some(status.lost);
            health.audit_backlog = Some(status.backlog);
            health.rules_hash = Some(status.rules_hash.clone());
            health.audit_was = Some(status.was.clone());
            health.audit_lock = status.lock.word().map(str::to_owned);
        }
    }

    fn join(self, within: Duration) -> bool {
        let ended = self.ended.recv_timeout(within) != Err(RecvTimeoutError::Timeout);
        if ended {
            let _ = self.thread.join();
        }
        ended
    }

    fn spawn(name: &'static str, run: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let (ends, ended) = channel();
        let thread = std::thread::Builder::new().name(format!("sensor-{name}")).spawn(move || {
            // Dropped when the sensor ends, also by a panic: that is the signal.
            let _ends = ends;
            run();
        })?;
        Ok(Self {
            name,
            #[cfg(target_os = "linux")]
            audit: None,
            cannot_see: Arc::default(),
            awake: Arc::new(AtomicBool::new(true)),
            ended,
            thread,
        })
    }
}

/// Starts the sensors that this machine allows. The stop ends them; [`Started::join`] waits for that.
pub fn start(config: SensorConfig, sink: &Sink, stop: &Stop) -> Started {
    let mut started = Started { running: Vec::new(), cannot_see: Vec::new() };
    if config.observe {
        started_or_said(&mut started, machine::observe(&config, sink.clone(), stop.clone()));
        return started;
    }
    if let Some(recordings) = config.recordings.clone().filter(|recordings| !recordings.files.is_empty()) {
        started_or_said(&mut started, play(recordings, sink.clone(), stop.clone()));
    }
    if config.watches.is_empty() {
        started.cannot_see.push("no folder is watched: name some in the configuration".to_owned());
    }
    let standing = Arc::<Standing>::default();
    let fingerprints = Arc::<Fingerprints>::default();
    // The logs are opened first: a login that audit tells of waits for them only where they are read. They and the
    // others that stand in for audit say what is not seen after it was taken: what it tells is known only then.
    let logs = config.logs.then(|| machine::open_logs(&config, &standing, &fingerprints));
    #[cfg(windows)]
    if config.logs {
        started_or_said(
            &mut started,
            machine::compare_policy(&config, &standing, sink.clone(), stop.clone()),
        );
    }
    if config.audit {
        let result = machine::sense_audit(&config, &standing, fingerprints, sink.clone(), stop.clone());
        started_or_said(&mut started, result);
    }
    if let Some(logs) = logs {
        let result = logs.and_then(|logs| machine::follow_logs(logs, sink.clone(), stop.clone()));
        started_or_said(&mut started, result);
    }
    if config.watches.is_empty() {
        return started;
    }
    let mut stands_in = false;
    if config.fanotify {
        let result = machine::sense_fanotify(&config, &standing, sink.clone(), stop.clone());
        stands_in = result.is_ok();
        started_or_said(&mut started, result);
    }
    if config.notify && !stands_in {
        started_or_said(&mut started, sense_notify(&config, standing, sink.clone(), stop.clone()));
    }
    started
}

fn started_or_said(started: &mut Started, result: Result<Running, String>) {
    match result {
        Ok(running) => started.running.push(running),
        Err(reason) => started.cannot_see.push(reason),
    }
}

fn play(recordings: Recordings, sink: Sink, stop: Stop) -> Result<Running, String> {
    let told = Arc::<Mutex<Vec<String>>>::default();
    let tell = Arc::clone(&told);
    let run = move || {
        if let Err(error) = recorded::play(&recordings, &sink, &stop) {
            tell.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
        }
    };
    let running = Running::spawn("recorded", run).map_err(|error| not_started("recordings", &error))?;
    Ok(Running { cannot_see: told, ..running })
}

fn sense_notify(
    config: &SensorConfig,
    standing: Arc<Standing>,
    sink: Sink,
    stop: Stop,
) -> Result<Running, String> {
    let (watches, clock) = (config.watches.clone(), Arc::clone(&config.clock));
    if !standing.sees_files() {
        // A fault is said at once; whether it runs is known now.
        let sensor = watch::WatchSensor::start(watches.clone(), Arc::clone(&clock));
        let sensor = sensor.map_err(|error| format!("folders cannot be watched either ({error})"))?;
        if !config.audit {
            let cannot_see = Arc::new(Mutex::new(sensor.cannot_see().to_vec()));
            let running = Running::spawn(watch::SENSOR, move || sensor.run(&sink, &stop));
            let running = running.map_err(|error| not_started("notify", &error))?;
            return Ok(Running { cannot_see, ..running });
        }
    }
    let awake = Arc::new(AtomicBool::new(!standing.sees_files()));
    let cannot_see = Arc::<Mutex<Vec<String>>>::default();
    let told = (Arc::clone(&awake), Arc::clone(&cannot_see));
    let running = Running::spawn(watch::SENSOR, move || {
        watch::stand_in(&watches, &clock, &standing, (&told.0, &told.1), &sink, &stop);
    });
    let running = running.map_err(|error| not_started("notify", &error))?;
    Ok(Running { cannot_see, awake, ..running })
}

fn not_started(what: &str, error: &std::io::Error) -> String {
    format!("the sensor for {what} could not be started ({error})")
}
