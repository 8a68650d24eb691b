//! Which folder a handle is: the marked folders and files of the watches, by the handles that events bear.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::decode::{Entry, Handle};
use super::group::Group;

/// Folders and files that are marked; each pins some kilobyte of the kernel's memory.
const MARKS_MAX: usize = 16_384;

/// The marked folders.
#[derive(Default)]
pub(super) struct Folders {
    paths: HashMap<Handle, String>,
    /// More folders than may be marked.
    pub(super) is_full: bool,
    /// Folders whose handle was not found among the marks.
    pub(super) n_unnamed: u64,
}

/// What a marking found.
#[derive(Default)]
pub(super) struct Found {
    /// Files that lay in new folders already.
    pub(super) files: Vec<String>,
    /// Folders below the first one.
    pub(super) folders: Vec<String>,
}

impl Folders {
    /// Marks a folder and everything below it, or one file. What lay there before the mark is given back.
    pub(super) fn add(&mut self, group: &mut Group, root: &Path) -> std::io::Result<Found> {
        let metadata = std::fs::metadata(root)?;
        let mut found = Found::default();
        // Several marked paths may have one inode number on different file systems.
        let mut fresh: HashMap<u64, Vec<(String, std::fs::Metadata)>> = HashMap::new();
        let mut open = vec![(root.to_owned(), metadata)];
        while let Some((path, metadata)) = open.pop() {
            let is_root = path == root;
            if self.paths.len().saturating_add(fresh.len()) >= MARKS_MAX {
                self.is_full = true;
                break;
            }
            // First the mark, then the look: what comes between is told twice rather than not at all.
            match group.mark(&path, metadata.is_dir()) {
                Ok(()) => {}
                Err(error) if is_root => return Err(error),
                Err(_) => continue,
            }
            if metadata.is_dir() {
                below(&path, &mut open, &mut found);
            }
            fresh.entry(metadata.ino()).or_default().push((path.to_string_lossy().into_owned(), metadata));
        }
        self.name(group, fresh);
        Ok(found)
    }

    fn name(&mut self, group: &Group, mut fresh: HashMap<u64, Vec<(String, std::fs::Metadata)>>) {
        for marked in group.marks() {
            let Some(paths) = fresh.get_mut(&marked.inode) else { continue };
            let device = |metadata: &std::fs::Metadata| {
                (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()))
            };
            let exact = paths.iter().position(|(_, metadata)| device(metadata) == marked.device);
            // Some file systems (btrfs) tell programs another device than the kernel's own.
            let place = exact.or_else(|| (paths.len() == 1).then_some(0));
            let Some((path, _)) = place.map(|place| paths.swap_remove(place)) else { continue };
            let Ok(system) = rustix::fs::statvfs(path.as_str()) else { continue };
            self.paths.insert(marked.handle(system.f_fsid), path);
        }
        let n_unnamed = fresh.values().map(Vec::len).sum::<usize>();
        self.n_unnamed = self.n_unnamed.saturating_add(u64::try_from(n_unnamed).unwrap_or(u64::MAX));
    }

    /// The path of a name in a marked folder.
    pub(super) fn path_of(&self, entry: &Entry) -> Option<String> {
        let folder = self.paths.get(&entry.folder)?;
        Some(if entry.name == "." { folder.clone() } else { format!("{folder}/{}", entry.name) })
    }

    /// The path of a file that is marked itself.
    pub(super) fn file(&self, handle: &Handle) -> Option<String> {
        self.paths.get(handle).cloned()
    }

    /// A folder has another name: everything below it, too.
    pub(super) fn renamed(&mut self, from: &str, to: &str) {
        for path in self.paths.values_mut() {
            let Some(rest) = path.strip_prefix(from) else { continue };
            if rest.is_empty() || rest.starts_with('/') {
                *path = format!("{to}{rest}");
            }
        }
    }

    /// A folder is gone.
    pub(super) fn removed(&mut self, gone: &str) {
        self.paths.retain(|_, path| path != gone);
    }
}

fn below(folder: &Path, open: &mut Vec<(PathBuf, std::fs::Metadata)>, found: &mut Found) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        // Links are not followed: they would lead out of the watch.
        let Ok(metadata) = entry.metadata() else { continue };
        let path = entry.path();
        let text = path.to_string_lossy().into_owned();
        if metadata.is_dir() {
            found.folders.push(text);
            open.push((path, metadata));
        } else {
            found.files.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_folder_takes_what_is_below_it_along() {
        let handle = |bytes: &[u8]| Handle { file_system: 1, kind: 1, bytes: bytes.to_vec() };
        let mut folders = Folders::default();
        for (bytes, path) in [(b"a", "/w/a"), (b"b", "/w/a/b"), (b"c", "/w/ab")] {
            folders.paths.insert(handle(bytes), path.to_owned());
        }
        folders.renamed("/w/a", "/w/z");
        let path = |folders: &Folders, bytes: &[u8]| folders.file(&handle(bytes));
        assert_eq!(path(&folders, b"b").as_deref(), Some("/w/z/b"));
        assert_eq!(path(&folders, b"c").as_deref(), Some("/w/ab"));
        let entry = |name: &str| Entry { folder: handle(b"a"), name: name.to_owned() };
        assert_eq!(folders.path_of(&entry("x")).as_deref(), Some("/w/z/x"));
        assert_eq!(folders.path_of(&entry(".")).as_deref(), Some("/w/z"));
        folders.removed("/w/z");
        assert_eq!(folders.path_of(&entry("x")), None);
    }
}
