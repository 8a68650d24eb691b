//! A practice at work: ledger, query store, the thread that follows. The listeners and the command line sit on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ntk_evidence::act;
use serde_json::json;
use tracing::{info, warn};

use crate::account::Accounts;
use crate::account::session::Sessions;
use crate::admin::imports::Importing;
use crate::at_rest::{self, AtRestError, convert};
use crate::bundles::work::Works;
use crate::clock::Clock;
use crate::delivery::task::Outgoing;
use crate::desk::Desk;
use crate::disk::Disk;
use crate::follow::{FollowError, Follower, Lookup, Progress, Writing};
use crate::home::Home;
use crate::ingest::Refusals;
use crate::ledger::writer::{self, Opened};
use crate::ledger::{LedgerError, LedgerHandle};
use crate::mail::lookup::{LookedUp, Names};
use crate::off_site::OffSite;
use crate::practice::{Practice, PracticeError};
use crate::rest::tokens::HelpDesks;
use crate::reviewer::Reviewers;
use crate::rollup::Maker;
use crate::store::{Store, StoreError};
use crate::threads;
use crate::time_stamp::ask::Asking;
use crate::watch::Liveness;
use crate::witness::rounds::Rounds;
use crate::witness::trust::CurrentTrust;

/// A practice could not be opened for work.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Its folder.
    #[error(transparent)]
    Practice(#[from] PracticeError),
    /// What is encrypted in it.
    #[error(transparent)]
    AtRest(#[from] AtRestError),
    /// Its ledger.
    #[error("the ledger could not be opened")]
    Ledger(#[from] LedgerError),
    /// Its query store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Following.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[from] std::io::Error),
}

/// Done and total of the one long job, for progress bars.
#[derive(Debug, Default)]
pub struct Job {
    done: std::sync::atomic::AtomicU64,
    total: std::sync::atomic::AtomicU64,
}

impl Job {
    /// Says how far the job is.
    pub fn set(&self, done: u64, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.done.store(done, Ordering::Relaxed);
    }

    /// Done and total.
    pub fn now(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// Whose turn it is, of what is written only after it was read: one at a time within a practice, and no practice waits for
/// another.
#[derive(Debug, Default)]
pub struct Turns {
    /// Reading the text in force, adding to it and writing it down is one step: two at once would lose one.
    /// The roster, the table, and what waits for a second signature.
    pub roster: tokio::sync::Mutex<()>,
    /// What comes by links.
    pub links: tokio::sync::Mutex<()>,
    /// Breach assessments: looking what stands and writing what comes is one step.
    pub breaches: tokio::sync::Mutex<()>,
}

/// What every request needs.
#[derive(Clone, Debug)]
pub struct App {
    /// The practice's folder, as read at start.
    pub practice: Arc<Practice>,
    /// The ledger.
    pub ledger: LedgerHandle,
    /// Questions to it.
    pub lookup: Lookup,
    /// Where tickets are handled.
    pub desk: Desk,
    /// Passphrases of those who decide.
    pub reviewers: Arc<Reviewers>,
    /// Who may sign in to the console.
    pub accounts: Arc<Accounts>,
    /// Who is signed in.
    pub sessions: Arc<Sessions>,
    /// Tokens of help-desk systems.
    pub help_desks: Arc<HelpDesks>,
    /// Who is connected.
    pub liveness: Liveness,
    /// What was refused.
    pub refusals: Refusals,
    /// The long job that runs now.
    pub job: Arc<Job>,
    /// The import at work.
    pub importing: Arc<Importing>,
    /// Whose turn it is to write.
    pub turns: Arc<Turns>,
    /// Whose turn it is to ask Microsoft 365.
    pub polling: Arc<tokio::sync::Mutex<()>>,
    /// What runs in the background for the pages about evidence.
    pub works: Arc<Works>,
    /// Rounds of witnessing with the agents that are connected.
    pub rounds: Rounds,
    /// Questions to the time-stamping authority.
    pub stamping: Asking,
    /// The trust file in force.
    pub trust: CurrentTrust,
    /// The copy outside this machine.
    pub off_site: OffSite,
    /// What is free on the disk.
    pub disk: Disk,
    /// What is sent out by itself.
    pub outgoing: Outgoing,
    /// Who is asked where names lead to.
    pub names: Names,
    /// Where they led to when it was last asked.
    pub looked_up: LookedUp,
    /// Address of the agents' listener, once it listens.
    pub address: Arc<std::sync::OnceLock<String>>,
    /// The practice's short name in every sample of the metrics, where several practices work in this process.
    pub label: Arc<std::sync::OnceLock<String>>,
    /// How the folder is kept, in a sentence.
    pub at_rest: &'static str,
}

/// A practice at work; dropping it without [`Working::stop`] is a crash, which is as good as a stop.
#[derive(Debug)]
pub struct Working {
    /// For requests.
    pub app: App,
    stop: Arc<AtomicBool>,
    follower: JoinHandle<()>,
    rollups: Maker,
    ledger: JoinHandle<()>,
}

impl Working {
    /// Opens the ledger, the store, and begins to follow.
    pub fn start(home: Home, clock: Clock) -> Result<Self, AppError> {
        let home = convert::finish(home, &mut |done, total| {
            info!(done, total, "the ledger's files are written again")
        })?;
        let at_rest = at_rest::sentence(&home)?;
        let practice = Arc::new(Practice::open(home)?);
        if convert::for_recovery(&practice.home, &practice.trust)? {
            info!("the data key is encrypted to the recovery key that the trust file names now");
        }
        let keys = practice.ledger_keys()?;
        let Opened { handle, thread, truncated_bytes } =
            writer::open(&practice.home, &practice.trust.slug, keys, clock, practice.config.store.as_ref())?;
        // Whoever holds the ledger builds, and nothing is being built yet.
        if let Err(error) = crate::bundles::sweep(&practice.home) {
            warn!(error = crate::error_chain(&error), "what an unfinished bundle left could not be removed");
        }
        let (store, fresh) =
            Store::open_sealed(&practice.home.cache().join("sled"), practice.home.store_seal())?;
        let store = Arc::new(store);
        if fresh {
            info!("the query store is made anew from the ledger");
        }
        let zone = practice.config.zone.clone();
        let progress = Arc::new(Progress::default());
        let follower = Follower::new(
            handle.clone(),
            Arc::clone(&store),
            zone.clone(),
            Arc::clone(&progress),
            Writing::Acts,
        )?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let follower = threads::spawn("follow", move || follower.run(&stopping))?;
        let lookup = Lookup::new(handle.clone(), store, progress, zone);
        let rollups = Maker::start(lookup.clone())?;
        if truncated_bytes > 0 {
            warn!(truncated_bytes, "a torn tail was cut; nothing in it had been acknowledged");
            let body = json!({"change": "recovered", "truncated_bytes": truncated_bytes});
            let _appended =
                handle.act_blocking(vec![act::event(act::kind::CONFIGURATION, handle.now(), body)])?;
        }
        let trust = CurrentTrust::new(practice.trust.clone(), &practice.trust_text);
        handle.hold_to(trust.clone());
        let reviewers = Reviewers::new(practice.home.clone());
        let is_in_common = practice.home.in_common().is_some();
        let reviewers = if is_in_common { reviewers.held_to(handle.clone()) } else { reviewers };
        let app = App {
            names: Names::default(),
            looked_up: LookedUp::default(),
            outgoing: Outgoing::open(&practice.home, practice.config.delivery.clone())
                .map_err(PracticeError::Home)?,
            off_site: OffSite::new(Arc::clone(&practice), handle.clone(), trust.clone()),
            disk: Disk::open(&practice.home),
            desk: Desk::new(handle.clone(), lookup.clone()),
            reviewers: Arc::new(reviewers),
            accounts: Arc::new(Accounts::new(practice.home.clone())),
            sessions: Arc::default(),
            help_desks: Arc::new(HelpDesks::new(practice.home.clone())),
            trust,
            rounds: Rounds::default(),
            stamping: Asking::default(),
            practice,
            ledger: handle,
            lookup,
            liveness: Liveness::default(),
            refusals: Refusals::default(),
            job: Arc::default(),
            importing: Arc::default(),
            turns: Arc::default(),
            polling: Arc::default(),
            works: Arc::default(),
            address: Arc::default(),
            label: Arc::default(),
            at_rest,
        };
        if app.practice.config.store.is_some() {
            crate::witness::elsewhere::look(&app, &mut None);
        }
        Ok(Self { app, stop, follower, rollups, ledger: thread })
    }

    /// Stops following and lets the ledger thread come to its end. All clones of the app must be gone by then.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        let follower = self.follower;
        join(follower, "follow");
        self.rollups.stop();
        drop(self.app);
        let deadline = Duration::from_secs(10);
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let ledger = self.ledger;
        let joiner = threads::spawn("join", move || {
            join(ledger, "ledger");
            drop(done);
        });
        if joiner.is_ok() && wait.recv_timeout(deadline) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            warn!("the ledger thread did not end in time; everything that was acknowledged is durable");
        }
    }
}

fn join(thread: JoinHandle<()>, name: &str) {
    if thread.join().is_err() {
        warn!(thread = name, "a thread ended with a panic");
    }
}
