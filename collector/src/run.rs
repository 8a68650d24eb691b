//! `run`: the agents' listener and the admin socket over one working practice, until somebody ends it.

use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::act;
use ntk_evidence::hash::Hash;
use ntk_segment::error::SegmentError;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{Span, error, info, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

use crate::admin::client::ASK_EVERY;
use crate::admin::router;
use crate::app::{App, AppError, Working};
use crate::at_rest::{self, AtRestError};
use crate::authority::Credentials;
use crate::clock::Clock;
use crate::config::{Config, reload};
use crate::console;
use crate::home::Home;
use crate::ingest::clones::Clones;
use crate::ingest::enroll::Enrolling;
use crate::ingest::listener::{self, ListenError, Service};
use crate::ingest::renew::Renewing;
use crate::ingest::session::Shared;
use crate::ledger::LedgerError;
use crate::monitoring::{self, MonitoringError};
use crate::practice::PracticeError;
use crate::rest::listener::{self as rest, RestError};
use crate::self_check;
use crate::server_certificate;
use crate::silence::task::Ear;
use crate::silence::{self, Silences};
use crate::system;
use crate::threads;
use crate::time_stamp;
use crate::witness;

/// How long another process may hold the ledger's lock while this one starts.
const LOCK_WITHIN: Duration = Duration::from_secs(10);

/// How often a collector that stands by says which machines it hears.
const HEARD_EVERY: Duration = Duration::from_secs(1);

/// How long streams may take to end after a signal; tonic's own waiting may never end.
const DRAIN_AT_MOST: Duration = Duration::from_secs(5);

/// Threads that hold the sockets of one practice among many.
const WORKERS: usize = 2;
/// Threads on which one practice among many verifies, reads and hashes passphrases, at most.
const BLOCKING_MAX: usize = 32;

/// Changes which messages are logged, while running.
pub type LevelHandle = Handle<EnvFilter, tracing_subscriber::Registry>;

/// The collector could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The practice.
    #[error(transparent)]
    App(#[from] AppError),
    /// Keys or certificates.
    #[error(transparent)]
    Practice(#[from] PracticeError),
    /// The agents' listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The help desks' listener.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// The listener for monitoring.
    #[error(transparent)]
    Monitoring(#[from] MonitoringError),
    /// The admin socket.
    #[error("could not make the socket `{path}`")]
    Socket {
        /// Where.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The runtime.
    #[error("could not start")]
    Runtime(#[source] std::io::Error),
    /// The ledger.
    #[error("that the collector started could not be written into the ledger")]
    Start(#[from] LedgerError),
    /// The ledger stopped while running.
    #[error("the ledger stopped; nothing that was acknowledged is lost, start the collector again")]
    Ledger,
    /// Another collector leads.
    #[error("another collector took over; nothing that was acknowledged is lost, a new start stands by")]
    LeadLost,
}

/// What the program that started the collector is told, and how it says that the collector should end.
#[derive(Clone, Debug, Default)]
pub struct Starter {
    /// Cancelled by it: end in order.
    pub stop: CancellationToken,
    /// Cancelled when agents and commands are answered.
    pub is_ready: CancellationToken,
    /// Whether other practices work in this process: then the starter alone hears signals, and threads are few.
    pub is_among_others: bool,
}

/// Runs until a signal, or whoever started it, ends it.
pub fn run(home: Home, level: Option<LevelHandle>, starter: &Starter) -> Result<(), RunError> {
    // Before anything else: whoever types a passphrase should be told at once that it is wrong.
    let home = if home.config().exists() { at_rest::unlock(home).map_err(AppError::from)? } else { home };
    let runtime = runtime(starter.is_among_others).map_err(RunError::Runtime)?;
    let working = runtime.block_on(start(home))?;
    let result = runtime.block_on(serve(working.app.clone(), level, starter));
    runtime.shutdown_timeout(DRAIN_AT_MOST);
    working.stop();
    info!("stopped");
    result
}

/// The practice's own runtime: what one practice keeps busy is none of another's threads.
fn runtime(is_among_others: bool) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if is_among_others {
        let within = Span::current();
        builder
            .worker_threads(WORKERS)
            .max_blocking_threads(BLOCKING_MAX)
            .on_thread_start(move || threads::enter(&within))
            .on_thread_stop(threads::leave);
    }
    builder.enable_all().build()
}

/// Opens the practice; a subcommand that works on it in-process just now is waited for.
async fn start(home: Home) -> Result<Working, RunError> {
    let deadline = tokio::time::Instant::now() + LOCK_WITHIN;
    loop {
        let home = home.clone();
        let opened = tokio::task::spawn_blocking(move || Working::start(home, Clock::system())).await;
        match opened.map_err(|panic| RunError::Runtime(std::io::Error::other(panic)))? {
            Err(
                AppError::Ledger(LedgerError::Segment(SegmentError::Locked { .. }))
                | AppError::AtRest(AtRestError::Segment(SegmentError::Locked { .. })),
            ) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(ASK_EVERY).await;
            }
            opened => return Ok(opened?),
        }
    }
}

async fn serve(app: App, level: Option<LevelHandle>, starter: &Starter) -> Result<(), RunError> {
    let stop = CancellationToken::new();
    let (authority_pem, authority) = app.practice.authority()?;
    let server = server_certificate::at_start(&app).await?;
    // Not used before an export, but a start is the moment to say that it is missing.
    app.practice.bundle_key()?;
    let (agents, address) = listener::bind(&app.practice.config.raw.listen).await?;
    let _ = app.address.set(address.to_string());
    if starter.is_among_others {
        let _ = app.label.set(app.practice.trust.slug.to_string());
    }
    let config = app.practice.config.clone();
    let ear = Ear::new(Silences::new(config.raw.silent_after_seconds, config.raw.settle_seconds));
    let shared = Shared {
        ledger: app.ledger.clone(),
        lookup: app.lookup.clone(),
        refusals: app.refusals.clone(),
        liveness: app.liveness.clone(),
        ear: ear.clone(),
        clones: Clones::default(),
        rounds: app.rounds.clone(),
        trust: app.trust.clone(),
        disagreements: Arc::default(),
    };
    let authority = Arc::new(authority);
    let renewing = Renewing::new(app.ledger.clone(), Arc::clone(&authority), app.refusals.clone());
    let enrolling = Enrolling::new(app.ledger.clone(), authority, app.trust.clone(), app.refusals.clone());
    let service = Service::new(shared, Arc::new(enrolling), Arc::new(renewing), stop.clone());
    let help_desks = help_desks(&app, server.subscribe(), &authority_pem, &stop).await?;
    let console = console::start::start(&app, &stop).await;
    let monitoring = monitoring::start(&app, &stop).await?;
    let admin = system::answering(&app.practice.home).map_err(|source| RunError::Socket {
        path: app.practice.home.socket().display().to_string(),
        source,
    })?;
    let _reload = watch_config(&app, level);
    info!(listen = %address, "collector runs");
    starter.is_ready.cancel();
    #[cfg(unix)]
    let signs = tokio::spawn(system::signs::tell(stop.clone()));
    let change = |what: &str| {
        let mut body = json!({"change": what, "version": env!("CARGO_PKG_VERSION")});
        if let (Some(body), Some(place)) = (body.as_object_mut(), config.raw.place) {
            // The file can be changed between two starts; what reports said meanwhile stays in the ledger.
            body.insert("place".to_owned(), json!(place));
        }
        act::event(act::kind::CONFIGURATION, app.ledger.now(), body)
    };
    let _appended = app.ledger.act(vec![change("started")]).await?;
    let checks = tokio::spawn(self_check::daily::run(app.clone(), stop.clone()));
    let retention = tokio::spawn(crate::prune::daily(app.clone(), stop.clone()));
    let rounds = tokio::spawn(witness::rounds::run(app.clone(), stop.clone()));
    let trusts = tokio::spawn(witness::elsewhere::run(app.clone(), stop.clone()));
    // What is done once for a practice is done by the collector that leads.
    let once = tokio::spawn(lead(app.clone(), ear, stop.clone()));
    let certificate = server.subscribe();
    let mut agents =
        tokio::spawn(async move { listener::serve(agents, service, certificate, &authority_pem).await });
    let certificates = tokio::spawn(server_certificate::run(app.clone(), server, stop.clone()));
    let admin_stop = stop.clone();
    let admin_app = app.clone();
    let mut admin = tokio::spawn(async move {
        axum::serve(admin, router(admin_app)).with_graceful_shutdown(admin_stop.cancelled_owned()).await
    });
    let result = tokio::select! {
        () = system::asked_to_stop(), if !starter.is_among_others => Ok(()),
        () = starter.stop.cancelled() => Ok(()),
        ended = &mut agents => match ended {
            Ok(Err(failure)) => Err(failure.into()),
            _ => Ok(()),
        },
        _ = &mut admin => Ok(()),
        () = ledger_ended(&app) => Err(RunError::Ledger),
        () = lead_lost(&app) => Err(RunError::LeadLost),
    };
    info!("stopping");
    if let Err(failure) = app.ledger.act(vec![change("stopped")]).await {
        warn!(reason = %crate::error_chain(&failure), "that the collector stops is not in the ledger");
    }
    stop.cancel();
    let mut running = vec![
        agents.abort_handle(),
        admin.abort_handle(),
        checks.abort_handle(),
        retention.abort_handle(),
        rounds.abort_handle(),
        trusts.abort_handle(),
        once.abort_handle(),
        certificates.abort_handle(),
    ];
    running.extend(help_desks.as_ref().map(JoinHandle::abort_handle));
    running.extend(console.as_ref().map(JoinHandle::abort_handle));
    running.extend(monitoring.as_ref().map(JoinHandle::abort_handle));
    let drained = async {
        if !agents.is_finished() {
            let _ = (&mut agents).await;
        }
        if !admin.is_finished() {
            let _ = (&mut admin).await;
        }
        if let Some(help_desks) = help_desks {
            let _ = help_desks.await;
        }
        if let Some(console) = console {
            let _ = console.await;
        }
        if let Some(monitoring) = monitoring {
            let _ = monitoring.await;
        }
        let _ = checks.await;
        let _ = retention.await;
        let _ = rounds.await;
        let _ = trusts.await;
        let _ = once.await;
        let _ = certificates.await;
        #[cfg(unix)]
        let _ = signs.await;
    };
    if tokio::time::timeout(DRAIN_AT_MOST, drained).await.is_err() {
        running.into_iter().for_each(|task| task.abort());
        warn!("some streams did not end in time; they resume at the next start");
    }
    let _ = std::fs::remove_file(app.practice.home.socket());
    result
}

/// What one collector does for all of a practice: copies, time-stamps, mails, imports, silences. Begins when
/// this one leads.
async fn lead(app: App, ear: Ear, stop: CancellationToken) {
    let mut leading = app.ledger.leading();
    if !*leading.borrow() {
        info!("another collector leads; this one stands by");
    }
    tokio::select! {
        led = leading.wait_for(|leads| *leads) => if led.is_err() { return },
        () = stop.cancelled() => return,
        // Never comes back: the one that leads must know which machines are heard here.
        () = tell_heard(&app) => return,
    }
    tokio::join!(
        crate::off_site::task::run(app.clone(), stop.clone()),
        time_stamp::ask::run(app.clone(), stop.clone()),
        crate::delivery::task::run(app.clone(), stop.clone()),
        crate::disk::run(app.clone(), stop.clone()),
        crate::program::run(app.clone(), stop.clone()),
        crate::delegation::run(app.clone(), stop.clone()),
        crate::poll::run(app.clone(), stop.clone()),
        silence::task::run(app.clone(), ear, stop.clone()),
    );
}

async fn tell_heard(app: &App) {
    let mut ticks = tokio::time::interval(HEARD_EVERY);
    loop {
        ticks.tick().await;
        let streams = app.liveness.streams().into_iter().filter(|(_, stream)| stream.connected);
        let _elsewhere = app.ledger.share_heard(streams.map(|(author, _)| author).collect());
    }
}

/// Comes back when this collector led and another one took over: a new start stands by.
async fn lead_lost(app: &App) {
    let mut leading = app.ledger.leading();
    let led = leading.wait_for(|leads| *leads).await.is_ok();
    if !led || leading.wait_for(|leads| !*leads).await.is_err() {
        // The ledger ended, which is told elsewhere.
        std::future::pending::<()>().await;
    }
}

/// Lets help-desk systems ask for tickets, where the configuration says so.
async fn help_desks(
    app: &App,
    mut server: watch::Receiver<Arc<Credentials>>,
    authority_pem: &str,
    stop: &CancellationToken,
) -> Result<Option<JoinHandle<std::io::Result<()>>>, RunError> {
    let Some(address) = &app.practice.config.raw.tickets_listen else { return Ok(None) };
    let first = rest::tls(&server.borrow_and_update(), authority_pem)?;
    let (sender, tls) = watch::channel(first);
    let (ended, authority_pem) = (stop.clone(), authority_pem.to_owned());
    tokio::spawn(async move {
        let changed = async {
            while server.changed().await.is_ok() {
                match rest::tls(&server.borrow_and_update(), &authority_pem) {
                    Ok(tls) => drop(sender.send_replace(tls)),
                    Err(failure) => {
                        error!(reason = %crate::error_chain(&failure), "help desks see the old certificate")
                    }
                }
            }
        };
        tokio::select! { () = changed => {}, () = ended.cancelled() => {} }
    });
    let (listener, address) = rest::bind(address).await?;
    info!(listen = %address, "help desks may ask for tickets");
    Ok(Some(tokio::spawn(rest::serve(listener, tls, app.clone(), stop.clone()))))
}

/// Comes back when the ledger thread has stopped by itself.
async fn ledger_ended(app: &App) {
    let mut sizes = app.ledger.sizes();
    while sizes.changed().await.is_ok() {}
}

/// Settings that differ and are read at a start alone, by their names in the file.
fn waits_for_a_start(before: &Config, next: &Config) -> Vec<&'static str> {
    let (was, is) = (&before.raw, &next.raw);
    let differs = [
        ("practice", was.practice != is.practice),
        ("timezone", was.timezone != is.timezone),
        ("listen", was.listen != is.listen),
        ("address_for_agents", was.address_for_agents != is.address_for_agents),
        ("more_addresses_for_agents", was.more_addresses_for_agents != is.more_addresses_for_agents),
        ("tickets_listen", was.tickets_listen != is.tickets_listen),
        ("witness_round_seconds", was.witness_round_seconds != is.witness_round_seconds),
        ("log", was.log != is.log),
        ("place", was.place != is.place),
        ("administers", was.administers != is.administers),
        ("console", was.console != is.console),
        ("monitoring", was.monitoring != is.monitoring),
        ("store", was.store != is.store),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn watch_config(app: &App, level: Option<LevelHandle>) -> Option<reload::Reload> {
    let (ledger, outgoing, practice) = (app.ledger.clone(), app.outgoing.clone(), Arc::clone(&app.practice));
    let watching = reload::watch(
        &app.practice.home.config(),
        app.practice.config.clone(),
        move |before, next| {
            if let Some(level) = &level
                && before.raw.log_level != next.raw.log_level
                && let Ok(filter) = next.raw.log_level.parse::<EnvFilter>()
            {
                let _ = level.reload(filter);
            }
            let waits = waits_for_a_start(before, next);
            if !waits.is_empty() {
                warn!(
                    settings = waits.join(", "),
                    "the changed configuration asks for a new start of the collector"
                );
            }
            practice.changed(next.clone());
            // Whom reviews and notices go to is an act of its own.
            outgoing.set(next.delivery.clone());
            let text = serde_json::to_vec(&next.raw).unwrap_or_default();
            let body = json!({"change": "collector.toml", "sha256": Hash::of(&text).to_hex()});
            if let Err(failure) =
                ledger.act_blocking(vec![act::event(act::kind::CONFIGURATION, ledger.now(), body)])
            {
                error!(reason = %crate::error_chain(&failure), "the change of configuration is not in the ledger");
            }
            info!("configuration read again");
        },
    );
    watching.inspect_err(|failure| warn!(reason = %failure, "the configuration is not watched; start again after a change")).ok()
}
