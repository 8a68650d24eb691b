//! Looks through the watches once at start, so that an inode without a full name is known by its path.
//!
//! Names only: no file is opened (PR-2). Bounded; what lies beyond is learned as it is touched.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::classify::{Inode, Known, Places};
use crate::watch_list::{Watch, WatchList};

/// Devices that one watch's file system may lie on.
const DISKS_MAX: usize = 64;

/// Files and folders that are looked at.
const ENTRIES_MAX: usize = 200_000;

/// Remembers the inodes below the watches.
pub(super) fn scan(watches: &WatchList, places: &mut Places) {
    let mut n_left = ENTRIES_MAX;
    places.has_mounts(crate::host::all_mounts());
    for (place, watch) in watches.iter().enumerate().filter(|(_, watch)| watch.is_asset()) {
        disks_of(Path::new(&watch.path), place, places);
        let mut folders = vec![PathBuf::from(&watch.path)];
        saw(Path::new(&watch.path), place, watches, places);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                if n_left == 0 {
                    return;
                }
                n_left = n_left.saturating_sub(1);
                let path = entry.path();
                saw(&path, place, watches, places);
                // Links are not followed: they would lead out of the watch.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                }
            }
        }
    }
}

/// The block devices that hold a watch's file system, and those that hold these: a partition's disk, a volume's parts.
fn disks_of(path: &Path, place: usize, places: &mut Places) {
    let existing = path.ancestors().find_map(|folder| std::fs::metadata(folder).ok());
    let Some(metadata) = existing else { return };
    let sysfs = |major: u32, minor: u32| PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
    let number = metadata.dev();
    let mut below = vec![sysfs(rustix::fs::major(number), rustix::fs::minor(number))];
    let mut n_left = DISKS_MAX;
    while let Some(device) = below.pop().filter(|_| n_left > 0) {
        n_left = n_left.saturating_sub(1);
        let Ok(device) = device.canonicalize() else { continue };
        let numbers = std::fs::read_to_string(device.join("dev")).unwrap_or_default();
        let Some((major, minor)) = numbers.trim().split_once(':') else { continue };
        let Some((major, minor)) = major.parse::<u32>().ok().zip(minor.parse::<u32>().ok()) else { continue };
        places.holds(&format!("{major:02x}:{minor:02x}"), place);
        if device.join("partition").exists() {
            below.extend(device.parent().map(Path::to_owned));
        }
        let parts = std::fs::read_dir(device.join("slaves")).into_iter().flatten().flatten();
        below.extend(parts.map(|part| part.path()));
    }
}

fn saw(path: &Path, place: usize, watches: &WatchList, places: &mut Places) {
    let (Some(text), Ok(metadata)) = (path.to_str(), std::fs::symlink_metadata(path)) else { return };
    if metadata.file_type().is_symlink() {
        return;
    }
    let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    // As records write it: two digits of hex at least.
    let device = format!("{major:02x}:{minor:02x}").into();
    let inode = Inode { node: None, device, number: metadata.ino() };
    // Once for each file: another of its names may be looked at, too.
    let more = if metadata.is_file() && places.known(&inode).is_none() { metadata.nlink() } else { 1 };
    // A watch below this one is the file's, as it is when the file is touched.
    let nearest = watches.place_of(text).filter(|place| watches.at(*place).is_some_and(Watch::is_asset));
    places.saw(inode.clone(), Known { watch: nearest.unwrap_or(place), path: text.to_owned() });
    places.has_more_names(&inode, more.saturating_sub(1));
}
