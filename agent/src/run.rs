//! The agent at work: configuration, identity, spool, sensors, uplink; and the way back in the same order.
//!
//! This thread waits for signals, a changed configuration and the next health entry. Sensors, spool and reloader have
//! threads of their own; the event loop below the uplink is the only one. A crash must be as good as a stop: what
//! runs at start is what repairs.
//!
//! Stop: sensors end and give back what they took; a health entry `stop` is the last; the spool syncs; the uplink
//! may bring it out for [`DRAIN_WITHIN`]; exit 0.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use ntk_evidence::name::Author;
use ntk_segment::disk::RealDisk;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::boot::{Boot, Parameters};
use crate::clock::{Clock, RealClock, text};
use crate::config::reload::Reloader;
use crate::config::{self, Config, ConfigError};
use crate::generation::Generation;
use crate::identity::epochs::EpochKeys;
use crate::identity::{Identity, IdentityError, IdentityFiles};
use crate::service::{Service, Sign};
use crate::spool::away::Away;
use crate::spool::keeper::{Keeper, Progress, Setup};
use crate::spool::thread::{Intake, SpoolThread};
use crate::spool::{Bookmark, SpoolError, Writer};
use crate::status::{self, StatusFile};
use crate::uplink::cosigner::Cosigner;
use crate::uplink::renewal::Renewing;
use crate::uplink::stream::{Line, LineError};
use crate::uplink::task::{Uplink, UplinkStatus};
use crate::uplink::wire::WatchDecision;
use crate::watch_list::{Watch, WatchList};
use crate::whole_file::{RealFiles, create_private_folder};
use crate::{decoy, host, log_output, vigil};

mod commission;
mod health;
mod holdings;
mod sensing;

pub(crate) use commission::places;
use health::Pulse;
use sensing::Sensing;

/// Sensors have so long to give back what they took.
const SENSORS_END_WITHIN: Duration = Duration::from_secs(5);
/// The last entries have so long to become durable.
const SYNC_WITHIN: Duration = Duration::from_secs(10);
/// The uplink has so long to bring out the last entries.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// The same where there is no connection at the moment: one more attempt, no more.
const DRAIN_WITHIN_UNCONNECTED: Duration = Duration::from_secs(1);
/// How often state is looked at and the status file written.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// The agent could not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The line to the collector.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The spool's folder.
    #[error("could not make `{path}`; check permissions and free space")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The event loop or a thread.
    #[error("could not start the agent's threads; check the limits of this account")]
    Threads(#[source] std::io::Error),
}

/// What reaches the waiting thread.
enum Control {
    Stop,
    Reload(Box<Config>),
    /// What is watched beyond the configuration.
    Watch(Vec<Watch>),
}

/// The spool's folder below the agent's.
pub fn spool_path(dir: &Path) -> PathBuf {
    dir.join("spool")
}

/// What a process of this program does on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Records accesses and logins.
    Agent,
    /// Reports the agent's end, under another account and without its rights.
    Observer,
}

/// Runs until a signal or the service manager says to stop.
pub fn run(dir: &Path, part: Part, service: &Service) -> Result<(), RunError> {
    let mut config = config::load(&config::path_in(dir))?;
    config.sensor.observe = part == Part::Observer;
    log_output::start(config.log_format, service.log_file(dir));
    // Signals first: whoever asks a starting agent to end gets an orderly end, not a dead process.
    let (control, controls) = mpsc::channel();
    let runtime = runtime(control.clone())?;
    let stop = control.clone();
    service.on_stop(move || {
        let _ = stop.send(Control::Stop);
    });
    let identity_files = IdentityFiles::of(dir);
    if let Err(error) = identity_files.settle_renewal(&RealFiles) {
        // The new pair is whole and is used from where it lies.
        warn!(error = %crate::error_chain(&error), "a renewed certificate could not be put in its place yet");
    }
    let identity = identity_files.load(&RealFiles)?;
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let run = host::Run::begin(clock.now());
    let lines = Line::all(&identity, &config.collector, &run)?;

    let cosigner =
        Cosigner::new(&identity, &IdentityFiles::of(dir), dir.to_owned(), Arc::new(RealFiles)).map_err(
            |error| IdentityError::Damaged { path: PathBuf::from("witness.key"), what: error.to_string() },
        )?;
    let spool_path = spool_path(dir);
    create_private_folder(&spool_path)
        .map_err(|source| RunError::Folder { path: spool_path.clone(), source })?;
    let (keeper, found) =
        Keeper::open(setup(spool_path, &config, &identity, &clock), Arc::new(writer(dir, &identity)))?;
    if found.truncated_bytes > 0 {
        info!(bytes = found.truncated_bytes, "a torn tail of the spool was cut; nobody was told of it");
    }
    let spool = SpoolThread::start(keeper, config.spool.commit_after)?;
    let progress = spool.progress().borrow().clone();
    info!(author = %identity.author, epoch = progress.epoch, size = progress.size, "agent started");

    let drain = CancellationToken::new();
    let (status_sender, uplink_status) = watch::channel(UplinkStatus::default());
    let (decisions_sender, decisions) = watch::channel(Vec::new());
    let (question_sender, inventory_asked) = watch::channel(None);
    let (lines_sender, renewed_lines) = watch::channel(None);
    let renewing = Renewing {
        identity: identity_files,
        files: Arc::new(RealFiles),
        configured: config.collector.clone(),
        run: run.clone(),
        progress: spool.progress(),
        clock: Arc::clone(&clock),
        lines: lines_sender,
    };
    runtime.spawn(renewing.run(drain.clone()));
    let uplink = Uplink {
        lines,
        renewed_lines,
        log_key: identity.log_key.clone(),
        intake: spool.intake(),
        wishes: spool.wishes(),
        progress: spool.progress(),
        status: status_sender,
        clock: Arc::clone(&clock),
        cosigner,
        decisions: decisions_sender,
        inventory_asked: question_sender,
        keepalive: config.keepalive,
    };
    let uplink = runtime.spawn(uplink.run(drain.clone()));
    let reload = control.clone();
    let reloader = Reloader::start(dir, config.clone(), move |new| {
        let _ = reload.send(Control::Reload(Box::new(new)));
    });
    if let Err(error) = &reloader {
        warn!(error = %crate::error_chain(error), "changes of the configuration need a restart");
    }

    let mut agent = Agent {
        dir: dir.to_owned(),
        author: identity.author,
        since: clock.now(),
        intake: spool.intake(),
        progress: spool.progress(),
        uplink_status,
        pulse: Pulse::new(config.health_every),
        sealing: commission::Sealing::default(),
        sensing: None,
        more_watches: more_watches(dir),
        watched: watch::channel(WatchList::default()).0,
        bookmark: found.bookmark,
        config,
        clock: Arc::clone(&clock),
        run,
        generation: Generation::open(dir, &RealFiles),
    };
    let vigil = vigil::Watch::start(clock, agent.intake.clone()).map_err(RunError::Threads)?;
    if part == Part::Agent {
        tell_boot(&agent, &spool);
    }
    agent.start_sensors();
    let holdings = start_holdings(&agent, control, decisions, inventory_asked);
    service.tell(Sign::Ready);
    agent.wait(&controls, service);
    service.tell(Sign::Stopping);

    info!("stopping");
    drop(vigil);
    stop_holdings(holdings);
    if !agent.stop_sensors() && agent.intake.own(Sensing::unfinished(&text(agent.clock.now()))).is_err() {
        warn!("the spool is closed; a gap is not recorded");
    }
    agent.tell_who_uninstalls();
    agent.tell_health("stop");
    if !spool.sync(SYNC_WITHIN) {
        warn!("the last entries could not be written in time");
    }
    drain.cancel();
    let is_connected = agent.uplink_status.borrow().is_connected;
    let within = if is_connected { DRAIN_WITHIN } else { DRAIN_WITHIN_UNCONNECTED };
    if runtime.block_on(async { tokio::time::timeout(within, uplink).await }).is_err() {
        info!("the collector did not take the last entries in time; they wait in the spool");
    }
    // The last acknowledgements, too, are durable before the status speaks of them.
    spool.sync(SYNC_WITHIN);
    agent.write_status(status::Life::Stopped);
    drop(reloader);
    // Readers of the spool on the event loop's threads end first: the spool must outlive them.
    runtime.shutdown_timeout(Duration::from_secs(1));
    spool.end();
    info!("stopped");
    Ok(())
}

fn setup(path: PathBuf, config: &Config, identity: &Identity, clock: &Arc<dyn Clock>) -> Setup {
    // Recording comes first: without a recovery key what is released stays as it is, and the log says so.
    let away = Away::new(&path, &identity.trust.recovery, config.kept)
        .inspect_err(|error| error!(%error, "released segments stay unencrypted on this disk"))
        .ok();
    Setup {
        path,
        bytes_max: config.spool.bytes_max,
        epoch_every: config.epoch_every,
        trust: identity.trust.clone(),
        away,
        disk: Arc::new(RealDisk),
        files: Arc::new(RealFiles),
        clock: Arc::clone(clock),
    }
}

/// Tells with which other parameters the kernel was started, where it was; kept once that is durable.
fn tell_boot(agent: &Agent, spool: &SpoolThread) {
    let boot = Boot::look(&agent.dir, &agent.run.boot_id, Parameters::now(), &RealFiles);
    let event = boot.event(agent.clock.now());
    if event.is_some_and(|event| agent.intake.own(event).is_err()) || !spool.sync(SYNC_WITHIN) {
        warn!("how the kernel was started could not be recorded in time; the next start tells it");
    } else if let Err(error) = boot.keep(&RealFiles) {
        warn!(%error, "how the kernel was started could not be kept; the next start may tell it again");
    }
}

fn writer(dir: &Path, identity: &Identity) -> Writer {
    let (slug, author) = (identity.slug.clone(), identity.author.clone());
    let keys = EpochKeys::new(IdentityFiles::of(dir), &slug, &author, Arc::new(RealFiles));
    Writer { slug, author, keys }
}

/// What is watched on this machine: what the configuration names, and what was confirmed besides.
#[cfg(windows)]
pub(crate) fn watches(dir: &Path, config: &Config) -> WatchList {
    config.watches.with(more_watches(dir))
}

/// What is watched on top of the configuration, as it was kept.
fn more_watches(dir: &Path) -> Vec<Watch> {
    crate::discover::book::Book::open(dir, Arc::new(RealFiles)).watches()
}

fn start_holdings(
    agent: &Agent,
    control: mpsc::Sender<Control>,
    decisions: watch::Receiver<Vec<WatchDecision>>,
    inventory_asked: watch::Receiver<Option<String>>,
) -> Option<holdings::Holdings> {
    // A player of recordings tells of other machines, not of what is held on this one; an observer leaves it to the agent.
    let sensor = &agent.config.sensor;
    let is_here = sensor.audit || sensor.notify || (cfg!(windows) && sensor.logs);
    if sensor.observe || !is_here {
        return None;
    }
    let setup = holdings::Setup {
        dir: agent.dir.clone(),
        every: agent.config.inventory_every,
        intake: agent.intake.clone(),
        clock: Arc::clone(&agent.clock),
        control,
        decisions,
        inventory_asked,
        watched: agent.watched.subscribe(),
    };
    holdings::Holdings::start(setup)
        .inspect_err(|error| error!(%error, "nobody looks at what accounts hold"))
        .ok()
}

fn stop_holdings(holdings: Option<holdings::Holdings>) {
    holdings.into_iter().for_each(holdings::Holdings::stop);
}

/// The event loop, with a task that turns signals into [`Control::Stop`].
fn runtime(control: mpsc::Sender<Control>) -> Result<Runtime, RunError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime =
        builder.worker_threads(2).thread_name("uplink").enable_all().build().map_err(RunError::Threads)?;
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let guard = runtime.enter();
        let mut term = signal(SignalKind::terminate()).map_err(RunError::Threads)?;
        let mut int = signal(SignalKind::interrupt()).map_err(RunError::Threads)?;
        drop(guard);
        runtime.spawn(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            let _ = control.send(Control::Stop);
        });
    }
    #[cfg(not(unix))]
    runtime.spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        let _ = control.send(Control::Stop);
    });
    Ok(runtime)
}

/// What the waiting thread owns.
struct Agent {
    dir: PathBuf,
    author: Author,
    since: ntk_evidence::time::Moment,
    config: Config,
    intake: Intake,
    progress: watch::Receiver<Progress>,
    uplink_status: watch::Receiver<UplinkStatus>,
    pulse: Pulse,
    sealing: commission::Sealing,
    sensing: Option<Sensing>,
    /// Watches on top of the configuration's.
    more_watches: Vec<Watch>,
    /// What is watched now.
    watched: watch::Sender<WatchList>,
    bookmark: Option<Bookmark>,
    clock: Arc<dyn Clock>,
    run: host::Run,
    generation: Generation,
}

impl Agent {
    fn wait(&mut self, controls: &mpsc::Receiver<Control>, service: &Service) {
        #[cfg(target_os = "linux")]
        let mut footprint = crate::footprint::Footprint::default();
        self.tell_health("start");
        self.write_status(status::Life::Running);
        loop {
            match controls.recv_timeout(LOOK_EVERY) {
                Ok(Control::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Control::Reload(new)) => self.reload(*new),
                Ok(Control::Watch(watches)) => self.watch_more(watches),
                Err(RecvTimeoutError::Timeout) => {}
            }
            service.tell(Sign::Alive);
            let health = self.health("");
            if let Some(reason) = self.pulse.reason(&health, Instant::now()) {
                self.tell_health(reason);
            }
            self.seal_a_test();
            self.write_status(status::Life::Running);
            #[cfg(target_os = "linux")]
            footprint.look();
        }
    }

    /// Writes down the result of an on-site test, where one was made.
    fn seal_a_test(&mut self) {
        if self.config.sensor.observe || !commission::is_asked(&self.dir) {
            return;
        }
        let progress = self.progress.borrow().clone();
        let watches = self.watched.borrow().clone();
        let around = commission::Around {
            dir: &self.dir,
            watches: &watches,
            progress: &progress,
            clock: &*self.clock,
        };
        let mut health = health::health("", self.sensing.as_ref(), &progress);
        let event = self.sealing.look(&around, || {
            host::fill(&mut health, &self.run, &*self.clock);
            health
        });
        if event.is_some_and(|event| self.intake.own(event).is_err()) {
            warn!("the spool is closed; the result of an on-site test is not recorded");
        }
    }

    /// Watches and sensors take effect at once; the rest at the next start.
    fn reload(&mut self, mut new: Config) {
        new.sensor.observe = self.config.sensor.observe;
        self.pulse.set_every(new.health_every);
        let is_other_sensing = new.watches != self.config.watches || new.sensor != self.config.sensor;
        if new.spool != self.config.spool
            || new.kept != self.config.kept
            || new.collector != self.config.collector
            || new.keepalive != self.config.keepalive
            || new.epoch_every != self.config.epoch_every
        {
            info!("spool, collector, keepalive and epoch settings take effect at the next start");
        }
        self.config = new;
        if is_other_sensing {
            self.stop_sensors();
            self.start_sensors();
            self.tell_health("change");
        }
    }

    fn watch_more(&mut self, watches: Vec<Watch>) {
        if watches != self.more_watches {
            self.more_watches = watches;
            self.stop_sensors();
            self.start_sensors();
            self.tell_health("change");
        }
    }

    fn start_sensors(&mut self) {
        let mut config = self.config.clone();
        config.watches = config.watches.with(self.more_watches.clone());
        self.watched.send_replace(config.watches.clone());
        // Before the sensors: what the agent itself writes is no access.
        decoy::plant_missing(&config.watches);
        if !config.sensor.observe {
            commission::begin(&self.dir, &*self.clock);
            config.watches = commission::watched(&self.dir, &config.watches);
        }
        let sensing = Sensing::start(&self.dir, &config, self.bookmark.as_ref(), &self.intake, &self.clock);
        info!(sensors = ?sensing.names(), watches = config.watches.len(), "sensors started");
        self.sensing = Some(sensing);
    }

    /// Whether all of them ended in time.
    fn stop_sensors(&mut self) -> bool {
        let Some(sensing) = self.sensing.take() else { return true };
        let (has_ended, bookmark) = sensing.stop(SENSORS_END_WITHIN);
        if !has_ended {
            warn!("a sensor did not end in time");
        }
        if bookmark.is_some() {
            self.bookmark = bookmark;
        }
        has_ended
    }

    fn health(&self, reason: &str) -> ntk_evidence::event::Health {
        health::health(reason, self.sensing.as_ref(), &self.progress.borrow())
    }

    fn tell_health(&mut self, reason: &str) {
        let mut health = self.health(reason);
        self.pulse.told(&health, Instant::now());
        host::fill(&mut health, &self.run, &*self.clock);
        let generation = health.vm_generation.as_deref();
        if let Some(event) = self.generation.look(generation, self.clock.now(), &RealFiles)
            && self.intake.own(event).is_err()
        {
            warn!("the spool is closed; that the machine was put back is not recorded");
        }
        health.clock_ahead_ms = self.uplink_status.borrow().clock_ahead_ms;
        health.lost = Some(self.progress.borrow().n_lost);
        if self.intake.own(health::event(health, self.clock.now())).is_err() {
            warn!("the spool is closed; a health entry is not recorded");
        }
    }

    /// Where the service is being taken off this machine: by whose session.
    fn tell_who_uninstalls(&self) {
        #[cfg(target_os = "linux")]
        if let Some(event) =
            crate::install::leaving::event(&self.dir, &host::Accounts::default(), self.clock.now())
            && self.intake.own(event).is_err()
        {
            warn!("the spool is closed; who uninstalls the agent is not recorded");
        }
    }

    fn write_status(&self, life: status::Life) {
        let health = self.health("");
        let file = StatusFile::new(
            life,
            &self.author,
            self.since,
            self.clock.now(),
            &health,
            &self.progress.borrow(),
            &self.uplink_status.borrow(),
        );
        if let Err(error) = file.write(&self.dir) {
            warn!(error = %crate::error_chain(&error), "the status could not be written");
        }
    }
}
