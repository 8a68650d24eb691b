//! Looks through the watches once at start, so that an inode without a full name is known by its path.
//!
//! Names only: no file is opened (PR-2). Bounded; what lies beyond is learned as it is touched.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::classify::{Inode, Known, Places};
use crate::watch_list::WatchList;

/// Files and folders that are looked at.
const ENTRIES_MAX: usize = 200_000;

/// Remembers the inodes below the watches.
pub(super) fn scan(watches: &WatchList, places: &mut Places) {
    let mut n_left = ENTRIES_MAX;
    for (place, watch) in watches.iter().enumerate() {
        let mut folders = vec![PathBuf::from(&watch.path)];
        saw(Path::new(&watch.path), place, places);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                if n_left == 0 {
                    return;
                }
                n_left = n_left.saturating_sub(1);
                let path = entry.path();
                saw(&path, place, places);
                // Links are not followed: they would lead out of the watch.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                }
            }
        }
    }
}

fn saw(path: &Path, place: usize, places: &mut Places) {
    let (Some(text), Ok(metadata)) = (path.to_str(), std::fs::symlink_metadata(path)) else { return };
    if metadata.file_type().is_symlink() {
        return;
    }
    let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    // As records write it: two digits of hex at least.
    let device = format!("{major:02x}:{minor:02x}").into();
    places.saw(
        Inode { node: None, device, number: metadata.ino() },
        Known { watch: place, path: text.to_owned() },
    );
}
