//! A disk in memory that fails on demand and loses power.
//!
//! It keeps for each file what programs see and what a power cut leaves, and the same for names. A sync that
//! fails forgets what it should have written, as Linux does: a second sync of the same file writes nothing.
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use ntk_segment::disk::{Disk, DiskFile, HeldLock, Locking};
use ntk_segment::encrypted::{EncryptedDisk, PlainFiles};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotDone,
    DoneThoughReportedFailed,
    HalfDone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aftermath {
    ReopenAtOnce,
    PowerCut,
    PowerCutKeepingHalfOfTheUnsynced,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    dirty: Vec<Range<usize>>,
    resized: bool,
}

#[derive(Debug, Default)]
struct Inner {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    locked: bool,
    n_steps: u64,
    fault: Option<(u64, Fault)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryDisk {
    inner: Arc<Mutex<Inner>>,
    content: Content,
}

/// What [`MemoryDisk::shared`] lays over it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Content {
    #[default]
    Plain,
    Encrypted,
}

pub(crate) const KEY: [u8; 32] = [5; 32];

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    inode: usize,
}

#[derive(Debug)]
struct MemoryLock(MemoryDisk);

impl HeldLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.inner().locked = false;
    }
}

impl Inner {
    /// Counts a step that changes the disk and says whether and how it fails.
    fn step(&mut self) -> Option<Fault> {
        self.n_steps += 1;
        self.fault.filter(|(at, _)| *at == self.n_steps).map(|(_, fault)| fault)
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Does a step that is done or not, and reports what the fault wants reported.
fn apply(fault: Option<Fault>, act: impl FnOnce()) -> io::Result<()> {
    match fault {
        None => {
            act();
            Ok(())
        }
        Some(Fault::DoneThoughReportedFailed) => {
            act();
            Err(io::Error::other("reported failed, but done"))
        }
        Some(Fault::NotDone | Fault::HalfDone) => Err(io::Error::other("not done")),
    }
}

impl MemoryDisk {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn new(content: Content) -> Self {
        Self { content, ..Self::default() }
    }

    /// The disk as a log sees it: itself, or an encrypted one over it, as another process would open it.
    pub(crate) fn shared(&self) -> Arc<dyn Disk> {
        match self.content {
            Content::Plain => Arc::new(self.clone()),
            Content::Encrypted => Arc::new(self.encrypted(PlainFiles::Refused)),
        }
    }

    pub(crate) fn encrypted(&self, plain_files: PlainFiles) -> EncryptedDisk {
        EncryptedDisk::new(Arc::new(self.clone()), &KEY, plain_files)
    }

    pub(crate) fn n_steps(&self) -> u64 {
        self.inner().n_steps
    }

    pub(crate) fn fail_at(&self, step: u64, fault: Fault) {
        self.inner().fault = Some((step, fault));
    }

    pub(crate) fn stop_failing(&self) {
        self.inner().fault = None;
    }

    pub(crate) fn suffer(&self, aftermath: Aftermath) {
        let inner = &mut *self.inner();
        if aftermath == Aftermath::ReopenAtOnce {
            return;
        }
        inner.names = inner.durable_names.clone();
        for inode in &mut inner.inodes {
            if aftermath == Aftermath::PowerCutKeepingHalfOfTheUnsynced
                && let Some(range) = inode.dirty.last().cloned()
            {
                let kept = range.start..range.start + range.len() / 2;
                inode.durable.resize(inode.durable.len().max(kept.end), 0);
                inode.durable[kept.clone()].copy_from_slice(&inode.seen[kept]);
            }
            inode.seen = inode.durable.clone();
            inode.dirty.clear();
            inode.resized = false;
        }
    }

    pub(crate) fn content(&self, path: &Path) -> Vec<u8> {
        let inner = self.inner();
        inner.inodes[inner.find(path).unwrap()].seen.clone()
    }

    /// Puts a file there, durably, in place of any other.
    pub(crate) fn put(&self, path: &Path, content: &[u8]) {
        let mut inner = self.inner();
        let inode = inner.inodes.len();
        inner.inodes.push(Inode { seen: content.into(), durable: content.into(), ..Inode::default() });
        inner.names.insert(path.into(), inode);
        inner.durable_names.insert(path.into(), inode);
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.list(Path::new("/log")).unwrap();
        names.into_iter().filter(|name| name != "lock").collect()
    }

    fn file(&self, inode: usize) -> Box<dyn DiskFile> {
        Box::new(MemoryFile { disk: self.clone(), inode })
    }
}

impl Disk for MemoryDisk {
    fn create_folder(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Locking> {
        let mut inner = self.inner();
        if inner.locked {
            return Ok(Locking::Busy);
        }
        inner.locked = true;
        Ok(Locking::Held(Box::new(MemoryLock(self.clone()))))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let inner = self.inner();
        let own = inner.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(own.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inner = &mut *self.inner();
        let fault = inner.step();
        let inode = inner.inodes.len();
        apply(fault, || {
            inner.inodes.push(Inode::default());
            inner.names.insert(path.into(), inode);
        })?;
        Ok(self.file(inode))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open_read(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.inner().find(path)?;
        Ok(self.file(inode))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let inner = &mut *self.inner();
        let inode = inner.find(from)?;
        let fault = inner.step();
        apply(fault, || {
            inner.names.remove(from);
            inner.names.insert(to.into(), inode);
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let inner = &mut *self.inner();
        inner.find(path)?;
        let fault = inner.step();
        apply(fault, || {
            inner.names.remove(path);
        })
    }

    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        let inner = &mut *self.inner();
        let fault = inner.step();
        apply(fault, || inner.durable_names = inner.names.clone())
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let fault = inner.step();
        let start = usize::try_from(offset).unwrap();
        let count = match fault {
            None | Some(Fault::DoneThoughReportedFailed) => bytes.len(),
            Some(Fault::HalfDone) => bytes.len() / 2,
            Some(Fault::NotDone) => 0,
        };
        let inode = &mut inner.inodes[self.inode];
        let end = start + count;
        inode.seen.resize(inode.seen.len().max(end), 0);
        inode.seen[start..end].copy_from_slice(&bytes[..count]);
        inode.dirty.push(start..end);
        fault.map_or(Ok(()), |_| Err(io::Error::other("write failed")))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let inner = self.disk.inner();
        let seen = &inner.inodes[self.inode].seen;
        let rest = seen.get(usize::try_from(offset).unwrap()..).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.inner().inodes[self.inode].seen.len() as u64)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let fault = inner.step();
        let inode = &mut inner.inodes[self.inode];
        let dirty = std::mem::take(&mut inode.dirty);
        let resized = std::mem::take(&mut inode.resized);
        apply(fault, || {
            for range in dirty {
                let range = range.start..range.end.min(inode.seen.len());
                inode.durable.resize(inode.durable.len().max(range.end), 0);
                inode.durable[range.clone()].copy_from_slice(&inode.seen[range]);
            }
            if resized {
                inode.durable.truncate(inode.seen.len());
            }
        })
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let fault = inner.step();
        let inode = &mut inner.inodes[self.inode];
        let size = usize::try_from(size).unwrap();
        apply(fault, || {
            inode.seen.truncate(size);
            inode.dirty.retain(|range| range.end <= size);
            inode.resized = true;
        })
    }
}
