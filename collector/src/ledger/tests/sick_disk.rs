//! The real disk, until it falls ill: then the next write or sync fails, and what it left behind differs.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ntk_segment::disk::{Disk, DiskFile, Locking, RealDisk};

/// How the next durable step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sickness {
    /// Nothing reaches the file.
    NotWritten,
    /// Half of it does.
    HalfWritten,
    /// All of it does, and the call says that it failed.
    WrittenThoughReportedFailed,
    /// All of it does, and the sync says that it failed.
    SyncFails,
}

#[derive(Clone, Debug, Default)]
pub(super) struct SickDisk {
    sickness: Arc<Mutex<Option<Sickness>>>,
}

#[derive(Debug)]
struct SickFile {
    file: Box<dyn DiskFile>,
    disk: SickDisk,
}

impl SickDisk {
    pub(super) fn fall_ill(&self, sickness: Sickness) {
        *self.sickness.lock().unwrap_or_else(PoisonError::into_inner) = Some(sickness);
    }

    pub(super) fn recover(&self) {
        *self.sickness.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn now(&self) -> Option<Sickness> {
        *self.sickness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, file: io::Result<Box<dyn DiskFile>>) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SickFile { file: file?, disk: self.clone() }))
    }
}

fn sick() -> io::Error {
    io::Error::other("the disk is sick")
}

impl Disk for SickDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.create_folder(folder)
    }
    fn lock(&self, path: &Path) -> io::Result<Locking> {
        // A thread that stopped may hold the lock for a moment longer.
        for _ in 0..2000 {
            match RealDisk.lock(path)? {
                Locking::Busy => std::thread::yield_now(),
                held @ Locking::Held(_) => return Ok(held),
            }
        }
        RealDisk.lock(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(folder)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.file(RealDisk.create(path))
    }
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.file(RealDisk.open_write(path))
    }
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open_read(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        RealDisk.sync_folder(folder)
    }
}

impl DiskFile for SickFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self.disk.now() {
            None | Some(Sickness::SyncFails) => self.file.write_at(bytes, offset),
            Some(Sickness::NotWritten) => Err(sick()),
            Some(Sickness::HalfWritten) => {
                self.file.write_at(&bytes[..bytes.len() / 2], offset)?;
                Err(sick())
            }
            Some(Sickness::WrittenThoughReportedFailed) => {
                self.file.write_at(bytes, offset)?;
                Err(sick())
            }
        }
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn sync_data(&self) -> io::Result<()> {
        match self.disk.now() {
            Some(Sickness::SyncFails) => Err(sick()),
            _ => self.file.sync_data(),
        }
    }
    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.file.truncate(size)
    }
}
