//! New files in likely folders, as notify tells of them: a hint, never evidence. What is there decides.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecursiveMode, Watcher as _};

use super::templates::Place;

/// Hints that wait; beyond that everything is looked at again.
const HINTS_MAX: usize = 1024;
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

/// Follows likely folders.
pub struct Arrivals {
    watcher: notify::RecommendedWatcher,
    hints: Receiver<String>,
    lost: Arc<AtomicBool>,
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
            if !is_arrival(&hint.kind) {
                return;
            }
            // Of a rename that was told whole, the second path is the new name.
            if let Some(path) = hint.paths.last().and_then(|path| path.to_str())
                && sender.try_send(path.to_owned()).is_err()
            {
                tell.store(true, Ordering::Relaxed);
            }
        })?;
        Ok(Self { watcher, hints, lost, folders: BTreeMap::new() })
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
    pub fn next(&self, within: Duration) -> Arrival {
        if self.lost.swap(false, Ordering::Relaxed) {
            return Arrival::Rescan;
        }
        match self.hints.recv_timeout(within) {
            Ok(path) => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let account = self.folders.get(folder).cloned().flatten();
                Arrival::File(path, account)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Arrival::Nothing,
        }
    }
}

/// A file that was written and closed, moved in, or linked there.
fn is_arrival(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Create(_)
    )
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
