//! Tells of a changed configuration file.
//!
//! The folder is watched, not the file: editors replace files. What arrives here is a hint; the file's content
//! decides. A file that is faulty is reported by the names of its keys, and the old settings stay in force.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use tracing::{info, warn};

use super::{Config, load, path_in};

/// An editor writes in several steps: look when it has been quiet for so long.
const QUIET: Duration = Duration::from_millis(300);

/// The configuration cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("could not watch `{path}` for changes; changes take effect at the next start")]
pub struct ReloadError {
    path: PathBuf,
    source: notify::Error,
}

/// Watches as long as it lives.
#[derive(Debug)]
pub struct Reloader {
    _watcher: notify::RecommendedWatcher,
}

impl Reloader {
    /// Calls `changed` on a thread of its own with each new configuration that has no fault.
    pub fn start(
        dir: &Path,
        current: Config,
        changed: impl FnMut(Config) + Send + 'static,
    ) -> Result<Self, ReloadError> {
        let failed = |source| ReloadError { path: dir.to_owned(), source };
        // One hint is enough, however many there are: when it is full, one is waiting already.
        let (hint, hints) = mpsc::sync_channel(1);
        let mut watcher = notify::recommended_watcher(move |event| {
            if concerns_us(&event) {
                let _ = hint.try_send(());
            }
        })
        .map_err(failed)?;
        watcher.watch(dir, RecursiveMode::NonRecursive).map_err(failed)?;
        let path = path_in(dir);
        let thread = std::thread::Builder::new().name("reload".to_owned());
        thread
            .spawn(move || follow(&path, current, &hints, changed))
            .map_err(|error| failed(notify::Error::io(error)))?;
        Ok(Self { _watcher: watcher })
    }
}

/// The agent's own files in the folder change every few seconds; a lost hint is a hint.
fn concerns_us(event: &notify::Result<notify::Event>) -> bool {
    let ours = |path: &PathBuf| path.file_name() == path_in(Path::new("")).file_name();
    match event {
        Ok(event) => event.need_rescan() || event.paths.iter().any(ours) && !event.kind.is_access(),
        Err(_) => true,
    }
}

fn follow(path: &Path, mut current: Config, hints: &mpsc::Receiver<()>, mut changed: impl FnMut(Config)) {
    let mut last_fault = None;
    // Ends when the watcher, which holds the sender, is dropped.
    while hints.recv().is_ok() {
        while hints.recv_timeout(QUIET).is_ok() {}
        match load(path) {
            Ok(new) if new == current => last_fault = None,
            Ok(new) => {
                info!("configuration changed");
                last_fault = None;
                current = new.clone();
                changed(new);
            }
            Err(error) => {
                let keys = error.keys();
                if last_fault.as_ref() != Some(&keys) {
                    warn!(keys, "the changed configuration is faulty and not used; run `ntk-agent check`");
                }
                last_fault = Some(keys);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_change_arrives_and_a_faulty_one_does_not() {
        let scratch = tempfile::tempdir().unwrap();
        let path = path_in(scratch.path());
        std::fs::write(&path, "").unwrap();
        let (sender, changes) = mpsc::channel();
        let current = load(&path).unwrap();
        let _reloader =
            Reloader::start(scratch.path(), current, move |new| sender.send(new).unwrap()).unwrap();
        std::fs::write(&path, "keepalive_s = \"soon\"").unwrap();
        assert!(changes.recv_timeout(QUIET * 4).is_err(), "a faulty file is not used");
        let beside = scratch.path().join("agent.toml~");
        std::fs::write(&beside, "keepalive_s = 3").unwrap();
        std::fs::rename(&beside, &path).unwrap();
        let new = changes.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(new.keepalive, Duration::from_secs(3));
    }
}
