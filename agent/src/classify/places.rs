//! Where files and folders of the watches are, beyond their names: by inode, and by open descriptor.
//!
//! A name in a record may be relative to a folder that the record does not name (`openat(5, "x")`), or lie
//! elsewhere (a link, a bind mount, /proc/self/fd). Inodes seen under a watch lead back.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::mounts::Mount;

/// Inodes that are remembered; a practice's mailboxes and exports have fewer.
pub(super) const INODES_MAX: usize = 262_144;

/// Open folders that are remembered.
const FOLDERS_MAX: usize = 16_384;

/// Mounts that are remembered, of all namespaces.
const MOUNTS_MAX: usize = 16_384;

/// Looks up what a process's descriptor is. Live: /proc; in a replay nothing.
pub trait Folders: Send {
    /// Path of the folder that a process has open under a descriptor.
    fn folder(&self, pid: u32, descriptor: i32) -> Option<String>;

    /// The file systems that a process sees, or else those of every namespace; none in a replay.
    fn mounts(&self, _pid: u32) -> Vec<Mount> {
        Vec::new()
    }

    /// Whether the file system that a process has open under a descriptor shows another folder's files under names of
    /// its own; none where it cannot be known.
    fn is_overlay(&self, _pid: u32, _descriptor: i32) -> Option<bool> {
        None
    }
}

/// Knows no descriptors.
#[derive(Clone, Copy, Debug)]
pub struct NoFolders;

impl Folders for NoFolders {
    fn folder(&self, _pid: u32, _descriptor: i32) -> Option<String> {
        None
    }
}

/// The machine, the device and the inode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inode {
    /// Name of the machine, where records say one.
    pub node: Option<Box<str>>,
    /// `major:minor` in hex, as records write it.
    pub device: Box<str>,
    /// Number of the inode.
    pub number: u64,
}

/// What is known of an inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Place of the watch it was seen under.
    pub watch: usize,
    /// Absolute path under which it was seen.
    pub path: String,
}

/// Inodes and open folders of the watches, the disks that hold them, and what is mounted.
#[derive(Debug, Default)]
pub struct Places {
    inodes: HashMap<Inode, Known>,
    inodes_order: VecDeque<Inode>,
    /// Names beyond the first, of inodes that have several.
    more_names: BTreeMap<Inode, u64>,
    folders: BTreeMap<(Option<Box<str>>, u32, i64), String>,
    folders_order: VecDeque<(Option<Box<str>>, u32, i64)>,
    disks: BTreeMap<Box<str>, Vec<usize>>,
    mounts: BTreeSet<Mount>,
}

impl Places {
    /// A block device (`major:minor` in hex, as records write it) holds the file system of a watch.
    pub fn holds(&mut self, device: &str, watch: usize) {
        let held = self.disks.entry(device.into()).or_default();
        if !held.contains(&watch) {
            held.push(watch);
        }
    }

    /// The watches that a block device holds.
    pub fn disk(&self, device: &str) -> &[usize] {
        self.disks.get(device).map(Vec::as_slice).unwrap_or_default()
    }

    /// Which of these mounts are new; all are known from now on.
    pub(super) fn new_mounts(&mut self, seen: Vec<Mount>) -> Vec<Mount> {
        // Namespaces come and go, each with the same mounts under other numbers: numbers are no part of a mount.
        if self.mounts.len() > MOUNTS_MAX {
            self.mounts.clear();
        }
        seen.into_iter().filter(|mount| self.mounts.insert(mount.clone())).collect()
    }

    /// These mounts were there before us.
    pub fn has_mounts(&mut self, seen: Vec<Mount>) {
        self.mounts.extend(seen);
    }

    /// Remembers an inode that was seen under a watch.
    pub fn saw(&mut self, inode: Inode, known: Known) {
        if self.inodes.insert(inode.clone(), known).is_none() {
            self.inodes_order.push_back(inode);
        }
        // A forgotten inode stays in the order until its turn comes, hence the second bound.
        while self.inodes.len() > INODES_MAX || self.inodes_order.len() > INODES_MAX.saturating_mul(2) {
            let Some(oldest) = self.inodes_order.pop_front() else { break };
            self.inodes.remove(&oldest);
            self.more_names.remove(&oldest);
        }
    }

    /// An inode that is known has so many names more.
    pub fn has_more_names(&mut self, inode: &Inode, n: u64) {
        if n > 0 && self.inodes.contains_key(inode) {
            let names = self.more_names.entry(inode.clone()).or_default();
            *names = names.saturating_add(n);
        }
    }

    /// What is known of an inode.
    pub fn known(&self, inode: &Inode) -> Option<&Known> {
        self.inodes.get(inode)
    }

    /// Whether an inode has names beyond the one that it is known by.
    pub fn has_several_names(&self, inode: &Inode) -> bool {
        self.more_names.get(inode).is_some_and(|names| *names > 0)
    }

    /// A name of an inode was taken away. With the last one it is forgotten: its number may be given to another file.
    pub fn lost_a_name(&mut self, inode: &Inode) {
        match self.more_names.get_mut(inode) {
            Some(names) if *names > 0 => *names = names.saturating_sub(1),
            _ => {
                self.more_names.remove(inode);
                self.inodes.remove(inode);
            }
        }
    }

    pub(super) fn opened_folder(&mut self, node: Option<&str>, pid: u32, descriptor: i64, path: &str) {
        let key = (node.map(Into::into), pid, descriptor);
        if self.folders.insert(key.clone(), path.to_owned()).is_none() {
            self.folders_order.push_back(key);
        }
        if self.folders_order.len() > FOLDERS_MAX
            && let Some(oldest) = self.folders_order.pop_front()
        {
            self.folders.remove(&oldest);
        }
    }

    pub(super) fn folder(&self, node: Option<&str>, pid: u32, descriptor: i64) -> Option<&str> {
        self.folders.get(&(node.map(Into::into), pid, descriptor)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_lost_one_of_its_names_is_still_known_by_the_other() {
        let mut places = Places::default();
        let inode = Inode { node: None, device: "fe:00".into(), number: 7 };
        let known = Known { watch: 0, path: "/a/x".into() };
        places.saw(inode.clone(), known.clone());
        places.has_more_names(&inode, 1);
        places.lost_a_name(&inode);
        assert_eq!(places.known(&inode), Some(&known));
        places.lost_a_name(&inode);
        assert_eq!(places.known(&inode), None, "the number may be another file's now");
        places.has_more_names(&inode, 1);
        places.saw(inode.clone(), known);
        places.lost_a_name(&inode);
        assert_eq!(places.known(&inode), None, "names of an unknown file are not counted");
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let mut places = Places::default();
        let inode = |number| Inode { node: None, device: "fe:00".into(), number };
        for number in 0..=INODES_MAX as u64 {
            places.saw(inode(number), Known { watch: 0, path: "/a".into() });
        }
        assert_eq!(places.known(&inode(0)), None);
        assert!(places.known(&inode(1)).is_some());
        for descriptor in 0..=FOLDERS_MAX as i64 {
            places.opened_folder(None, 1, descriptor, "/a");
        }
        assert_eq!(places.folder(None, 1, 0), None);
    }
}
