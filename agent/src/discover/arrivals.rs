//! New files in likely folders, as notify tells of them: a hint, never evidence. What is there decides.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecursiveMode, Watcher as _};

use super::settling::Settling;
use super::templates::Place;

/// Hints that wait; beyond that everything is looked at again.
const HINTS_MAX: usize = 1024;
/// How long one wait lasts while files are being written.
const PIECE_TURN: Duration = Duration::from_millis(200);
/// Folders that are followed.
const FOLDERS_MAX: usize = 400;

/// What happened in a likely folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Nothing within the time.
    Nothing,
    /// Hints were lost: everything has to be looked at again.
    Rescan,
    /// A file was written or moved in; the account of the home folder it lies in.
    File(String, Option<String>),
}

/// What one hint says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// It is there as a whole.
    Whole,
    /// Something of it was written.
    Piece,
}

/// Follows likely folders.
pub struct Arrivals {
    watcher: notify::RecommendedWatcher,
    hints: Receiver<(Word, String)>,
    lost: Arc<AtomicBool>,
    settling: Settling,
    began: Instant,
    folders: BTreeMap<String, Option<String>>,
}

impl Arrivals {
    /// Follows nothing yet.
    pub fn start() -> notify::Result<Self> {
        let (sender, hints) = sync_channel(HINTS_MAX);
        let lost = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&lost);
        let watcher = notify::recommended_watcher(move |hint: notify::Result<notify::Event>| {
            let Ok(hint) = hint else {
                tell.store(true, Ordering::Relaxed);
                return;
            };
            // First of all: a rescan means that hints were lost, and may carry no paths (SE-1).
            if hint.need_rescan() {
                tell.store(true, Ordering::Relaxed);
                return;
            }
            let Some(word) = word_of(&hint.kind) else { return };
            // Of a rename that was told whole, the second path is the new name.
            if let Some(path) = hint.paths.last().and_then(|path| path.to_str())
                && sender.try_send((word, path.to_owned())).is_err()
            {
                tell.store(true, Ordering::Relaxed);
            }
        })?;
        let (settling, began) = (Settling::default(), Instant::now());
        Ok(Self { watcher, hints, lost, settling, began, folders: BTreeMap::new() })
    }

    /// Follows these folders from now on, and no others.
    pub fn follow(&mut self, folders: &[Place]) {
        let wanted: BTreeMap<String, Option<String>> = folders
            .iter()
            .take(FOLDERS_MAX)
            .map(|place| (place.path.clone(), place.account.clone()))
            .collect();
        for gone in self.folders.keys().filter(|path| !wanted.contains_key(*path)) {
            let _ = self.watcher.unwatch(Path::new(gone));
        }
        let new = |path: &String| !self.folders.contains_key(path);
        for path in wanted.keys().filter(|path| new(path)).cloned().collect::<Vec<_>>() {
            // A folder that cannot be followed is still looked at every few minutes.
            let _ = self.watcher.watch(Path::new(&path), RecursiveMode::NonRecursive);
        }
        self.folders = wanted;
    }

    /// The next arrival, waiting for at most so long.
    pub fn next(&mut self, within: Duration) -> Arrival {
        let deadline = self.began.elapsed().saturating_add(within);
        loop {
            if self.lost.swap(false, Ordering::Relaxed) {
                return Arrival::Rescan;
            }
            let now = self.began.elapsed();
            if let Some(path) = self.settling.settled(now) {
                return self.file(path);
            }
            let rest = deadline.saturating_sub(now);
            let turn = if self.settling.waits() { rest.min(PIECE_TURN) } else { rest };
            match self.hints.recv_timeout(turn) {
                Ok((Word::Whole, path)) => return self.file(path),
                Ok((Word::Piece, path)) => {
                    if self.settling.touched(path, self.began.elapsed()).is_err() {
                        return Arrival::Rescan;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if self.began.elapsed() >= deadline {
                return Arrival::Nothing;
            }
        }
    }

    fn file(&self, path: String) -> Arrival {
        let folder = path.rsplit_once(std::path::MAIN_SEPARATOR).map_or("", |(folder, _)| folder);
        let account = self.folders.get(folder).cloned().flatten();
        Arrival::File(path, account)
    }
}

/// What a hint says: on Linux of a file that was written and closed, moved in, or linked there; Windows tells of no close.
fn word_of(kind: &EventKind) -> Option<Word> {
    match kind {
        EventKind::Create(_) | EventKind::Modify(_) if cfg!(windows) => Some(Word::Piece),
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(_))
        | EventKind::Create(_) => Some(Word::Whole),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_or_moved_in_arrives_and_a_folder_that_is_let_go_is_silent() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().to_str().unwrap().to_owned();
        let mut arrivals = Arrivals::start().unwrap();
        arrivals.follow(&[Place { path: path.clone(), account: Some("bea".into()) }]);
        std::fs::write(scratch.path().join("a.csv"), "x").unwrap();
        let expected = Arrival::File(format!("{path}/a.csv"), Some("bea".into()));
        assert_eq!(arrivals.next(Duration::from_secs(20)), expected);
        while arrivals.next(Duration::from_millis(200)) != Arrival::Nothing {}
        std::fs::rename(scratch.path().join("a.csv"), scratch.path().join("b.csv")).unwrap();
        let mut seen = Vec::new();
        while let Arrival::File(path, _) = arrivals.next(Duration::from_secs(2)) {
            seen.push(path);
        }
        assert!(seen.contains(&format!("{path}/b.csv")), "{seen:?}");
        arrivals.lost.store(true, Ordering::Relaxed);
        assert_eq!(arrivals.next(Duration::ZERO), Arrival::Rescan);
        arrivals.follow(&[]);
        std::fs::write(scratch.path().join("c.csv"), "x").unwrap();
        assert_eq!(arrivals.next(Duration::from_millis(200)), Arrival::Nothing);
    }
}
