//! Reads the configuration again when its file changes; what is faulty changes nothing.

use std::path::Path;
use std::sync::mpsc;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tracing::warn;

use super::Config;

/// Watches a configuration file for as long as it lives.
#[derive(Debug)]
pub struct Reload {
    _watcher: RecommendedWatcher,
}

/// Calls `changed` with each configuration that differs from the one before and has no fault.
///
/// The folder is watched, not the file: editors replace files.
pub fn watch(
    path: &Path,
    mut now: Config,
    mut changed: impl FnMut(&Config, &Config) + Send + 'static,
) -> notify::Result<Reload> {
    let (tell, told) = mpsc::sync_channel::<()>(1);
    let name = path.file_name().map(ToOwned::to_owned);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // A lost event asks for a look as well: reading once too often does no harm.
        let ours = match &event {
            Ok(event) => {
                event.need_rescan() || event.paths.iter().any(|path| path.file_name() == name.as_deref())
            }
            Err(_) => true,
        };
        if ours {
            let _ = tell.try_send(());
        }
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    let path = path.to_owned();
    crate::threads::spawn("config", move || {
            while told.recv().is_ok() {
                match Config::read(&path) {
                    Ok(next) if next != now => {
                        changed(&now, &next);
                        now = next;
                    }
                    Ok(_) => {}
                    Err(fault) => warn!(reason = %crate::error_chain(&fault), "the changed configuration is not used; the one before stays"),
                }
            }
    })
    .map_err(notify::Error::io)?;
    Ok(Reload { _watcher: watcher })
}
