//! Several practices on one collector: one process over a folder of practices, each as much by itself as with a process of
//! its own.
//!
//! ```text
//! FOLDER/practices.lock       held while a collector runs over the folder
//! FOLDER/practices.json       how each practice stands: written by the collector, read by `ntk-collector practices`
//! FOLDER/<any name>/          one practice, as `init --dir FOLDER/<any name>` made it
//! ```
//! What is shared is the process and nothing else: each practice has its folder, keys, ledger, authority, accounts,
//! listeners, admin socket, threads and a runtime of its own. So a practice that is flooded keeps its own threads busy, of which
//! there is a bound, and the kernel is fair among threads; one that ends, for whatever reason, is ended whole and
//! begun again, while the others do not hear of it.
//!
//! A practice whose ledger stops, whose folder is damaged or whose port is taken is tried again, later each time, for as
//! long as it stands there. Two folders that hold the same practice would be two logs of one name: the second is refused.

pub mod board;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ntk_segment::disk::{Disk as _, HeldLock, Locking, RealDisk};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;
use tracing::{error, error_span, info, warn};

use crate::at_rest::header::Header;
use crate::at_rest::source::{PASSPHRASE_FILE, Source};
use crate::home::Home;
use crate::practice::Practice;
use crate::run::{self, Starter};
use crate::{system, threads};
use board::{Board, State};

/// Where practices are unless told otherwise.
pub const DEFAULT_FOLDER: &str = "/var/lib/ntk-practices";
/// How often the folder is looked at for new practices.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How many looks a practice must be missing for before it is ended: editors take a file away for a moment.
const MISSING_LOOKS: u32 = 3;
/// How long until a practice that ended is tried again: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A practice that ran for so long begins anew with the shortest pause.
const SOUND_AFTER: Duration = Duration::from_secs(60);

/// The collector could not run over a folder of practices.
#[derive(Debug, thiserror::Error)]
pub enum PracticesError {
    /// The folder.
    #[error("the folder of practices `{}` cannot be used; check that it is there and that this account may write to it", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another one runs.
    #[error("another collector runs over `{}` already", .0.display())]
    Busy(PathBuf),
    /// The runtime.
    #[error("could not start")]
    Runtime(#[source] io::Error),
}

/// One practice that is kept running.
struct Kept {
    stop: CancellationToken,
    thread: JoinHandle<()>,
    /// Looks in a row at which it was not there.
    missing: u32,
}

/// Runs every practice below a folder until a signal, or `stop`, ends them in order.
///
/// # Errors
/// When the folder cannot be used or another collector runs over it; what happens to a practice is no error.
pub fn run(folder: &Path, stop: &CancellationToken) -> Result<(), PracticesError> {
    let _lock = lock(folder)?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(PracticesError::Runtime)?;
    let board = Arc::new(Board::new(folder));
    let mut kept = BTreeMap::new();
    info!("the collector runs over a folder of practices");
    runtime.block_on(async {
        let mut asked = std::pin::pin!(system::asked_to_stop());
        loop {
            match found(folder) {
                Ok(found) => look(folder, found, &mut kept, &board),
                Err(failure) => {
                    warn!(reason = %failure, "the folder of practices cannot be read; those that run go on");
                }
            }
            tokio::select! {
                () = &mut asked => break,
                () = stop.cancelled() => break,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        info!("stopping");
        kept.values().for_each(|practice| practice.stop.cancel());
        let ended = kept.into_values().map(|practice| practice.thread);
        let all = tokio::task::spawn_blocking(move || ended.for_each(joined)).await;
        if all.is_err() {
            warn!("a practice could not be waited for");
        }
    });
    board.write();
    info!("stopped");
    Ok(())
}

/// The lock that says that a collector runs over the folder.
///
/// # Errors
/// When the folder cannot be written to, or another one holds it.
pub fn lock(folder: &Path) -> Result<Box<dyn HeldLock>, PracticesError> {
    match RealDisk.lock(&folder.join("practices.lock")) {
        Ok(Locking::Held(lock)) => Ok(lock),
        Ok(Locking::Busy) => Err(PracticesError::Busy(folder.to_owned())),
        Err(source) => Err(PracticesError::Folder { path: folder.to_owned(), source }),
    }
}

/// Names of the folders below `folder` that hold a practice.
///
/// # Errors
/// When it cannot be read.
pub fn found(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A name that is not text, or hidden, is none of ours.
        if let Ok(name) = entry.file_name().into_string()
            && !name.starts_with('.')
            && Home::new(entry.path()).config().exists()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Begins what is new and ends what is gone.
fn look(folder: &Path, found: Vec<String>, kept: &mut BTreeMap<String, Kept>, board: &Arc<Board>) {
    for (name, practice) in kept.iter_mut() {
        practice.missing =
            if found.binary_search(name).is_ok() { 0 } else { practice.missing.saturating_add(1) };
        if practice.missing == MISSING_LOOKS {
            warn!(folder = %name, "a practice was taken out of the folder; it is ended");
            practice.stop.cancel();
        }
    }
    let gone: Vec<String> = kept
        .iter()
        .filter(|(_, practice)| practice.stop.is_cancelled() && practice.thread.is_finished())
        .map(|(name, _)| name.clone())
        .collect();
    for name in gone {
        board.remove(&name);
        kept.remove(&name).into_iter().for_each(|practice| joined(practice.thread));
    }
    for name in found {
        if kept.contains_key(&name) {
            continue;
        }
        let stop = CancellationToken::new();
        let keeper = Keeper {
            home: Home::new(folder.join(&name)),
            name: name.clone(),
            board: Arc::clone(board),
            stop: stop.clone(),
            tell: Handle::current(),
        };
        match threads::spawn("practice", move || keeper.keep()) {
            Ok(thread) => {
                kept.insert(name, Kept { stop, thread, missing: 0 });
            }
            Err(failure) => {
                error!(folder = %name, reason = %failure, "a practice has no thread; tried again")
            }
        }
    }
}

fn joined(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        warn!("the thread that keeps a practice ended with a panic");
    }
}

/// Keeps one practice running.
struct Keeper {
    home: Home,
    /// Its folder's name.
    name: String,
    board: Arc<Board>,
    stop: CancellationToken,
    /// Where it is noticed that the practice answers.
    tell: Handle,
}

impl Keeper {
    fn keep(self) {
        let mut pause = PAUSE.0;
        while !self.stop.is_cancelled() {
            let began = Instant::now();
            let ended = self.once();
            if self.stop.is_cancelled() {
                break;
            }
            let fault = ended.err().unwrap_or_else(|| "it ended, and nobody had asked for it".to_owned());
            if began.elapsed() > SOUND_AFTER {
                pause = PAUSE.0;
            }
            let in_seconds = pause.as_secs();
            let who = self.board.slug_of(&self.name).unwrap_or_else(|| self.name.clone());
            error_span!("", practice = %who).in_scope(|| {
                error!(reason = %fault, in_seconds, "this practice does not run; it is tried again, and the others go on");
            });
            self.board.set(&self.name, State::Waiting, Some(&fault));
            self.wait(pause);
            pause = pause.saturating_mul(2).min(PAUSE.1);
        }
        self.board.set(&self.name, State::Stopped, None);
    }

    /// Runs the practice to its end; why it ended, where nobody asked for it.
    fn once(&self) -> Result<(), String> {
        self.board.set(&self.name, State::Starting, None);
        let said = |error: &dyn std::error::Error| crate::error_chain(error);
        let practice = Practice::open(self.home.clone()).map_err(|error| said(&error))?;
        let raw = &practice.config.raw;
        let console = practice.config.console.as_ref();
        let listens = [
            ("listen", Some(raw.listen.as_str())),
            ("tickets_listen", raw.tickets_listen.as_deref()),
            ("console.listen", console.map(|console| console.listen.as_str())),
        ];
        let listens = listens.into_iter().filter_map(|(key, at)| at.map(|at| (key, at.to_owned())));
        let slug = practice.trust.slug.to_string();
        let _claim = self.board.claim(&self.name, &slug, &raw.practice, listens.collect())?;
        // Whoever starts a collector of many practices cannot type a passphrase for each.
        let header = Header::read(&self.home).map_err(|error| said(&error))?;
        if header.is_some_and(|header| header.source() == Source::Passphrase)
            && std::env::var_os(PASSPHRASE_FILE).is_none()
        {
            return Err(format!(
                "its data is encrypted with a passphrase, and nobody types one here: run `ntk-collector at-rest change` for a key file or a credential, or name a file in {PASSPHRASE_FILE}"
            ));
        }
        let starter =
            Starter { stop: self.stop.clone(), is_ready: CancellationToken::new(), is_among_others: true };
        let (board, name, ready) = (Arc::clone(&self.board), self.name.clone(), starter.is_ready.clone());
        let told = self.tell.spawn(async move {
            ready.cancelled().await;
            board.set(&name, State::Running, None);
        });
        let ended = error_span!("", practice = %slug)
            .in_scope(|| catch_unwind(AssertUnwindSafe(|| run::run(self.home.clone(), None, &starter))));
        told.abort();
        match ended {
            Ok(ended) => ended.map_err(|error| said(&error)),
            Err(_) => Err("it ended with a panic; its words are in the log".to_owned()),
        }
    }

    /// Waits, but not for longer than until the end is asked for.
    fn wait(&self, pause: Duration) {
        let Ok(runtime) = Builder::new_current_thread().enable_time().build() else { return };
        let _ = runtime.block_on(async { tokio::time::timeout(pause, self.stop.cancelled()).await });
    }
}
