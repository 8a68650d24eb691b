//! What was there before us, on disk before anything is changed: the next start cleans up after a kill -9.
//!
//! JSON, mode 0600, written whole under another name, synced, renamed, its folder synced. A crash before the
//! rename leaves the old file or none, and nothing was changed yet. The file goes after everything is put back.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::status::KernelState;

/// The state before us, and what we add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Before {
    /// The boot it belongs to: after another boot nothing of ours is left.
    pub(super) boot_id: String,
    /// The process that took over.
    pub(super) agent_pid: u32,
    /// The kernel's state.
    pub(super) state: KernelState,
    /// Our rules, in hex.
    pub(super) rules: Vec<String>,
}

/// Reads the file; none where there is none, or it is no such file.
pub(super) fn read(path: &Path) -> Option<Before> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Writes the file so that a crash leaves the old or the new one.
pub(super) fn write(path: &Path, before: &Before) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder)?;
    let fresh = path.with_extension("new");
    let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
    file.write_all(&serde_json::to_vec(before).map_err(io::Error::other)?)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}

/// Removes the file; that it is gone already is no fault.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Bytes as hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hex as bytes.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at.checked_add(2)?)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_damage_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/audit-before.json");
        assert_eq!(read(&path), None);
        let state = KernelState { enabled: 1, backlog_limit: 64, ..KernelState::default() };
        let before = Before { boot_id: "b".into(), agent_pid: 7, state, rules: vec![hex(&[0, 255])] };
        write(&path, &before).unwrap();
        assert_eq!(read(&path), Some(before));
        assert_eq!(unhex("00ff"), Some(vec![0, 255]));
        assert_eq!((unhex("0"), unhex("zz"), unhex("aé")), (None, None, None));
        std::fs::write(&path, b"{").unwrap();
        assert_eq!(read(&path), None);
        remove(&path).unwrap();
        remove(&path).unwrap();
    }
}
