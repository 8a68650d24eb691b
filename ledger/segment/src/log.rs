//! The log one process writes: append, commit, roll, prune.
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::disk::{Disk, DiskFile, HeldLock, RealDisk};
use crate::error::SegmentError;
use crate::folder::{Folder, Form};
use crate::frame::{Batch, Commit, MAGIC, State};
use crate::pointer::{Pointer, SegmentNumber};
use crate::prune::Pruner;
use crate::reader::Reader;
use crate::recover;
use crate::seal::Sealer;
use crate::shared::Shared;
use crate::sizes;

pub use crate::recover::Recovery;

/// The most bytes that may wait for one commit; it bounds the memory of writer, sealer and recovery.
pub const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A buffer larger than this is given back after its commit.
const BUFFER_BYTES_KEPT: usize = 1024 * 1024;

/// How a log behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A segment that has grown beyond this wants to be rolled.
    pub segment_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes_max: 64 * 1024 * 1024 }
    }
}

/// Proof that a commit is on the disk: nothing else makes one.
#[must_use = "what is durable may be acknowledged; what is not proven durable may not"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durable {
    through: Pointer,
    end: Pointer,
    n_batches: u64,
}

impl Durable {
    /// The COMMIT frame: it and everything before it is durable.
    #[must_use]
    pub fn through(&self) -> Pointer {
        self.through
    }

    /// The position after the COMMIT, where a reader goes on.
    #[must_use]
    pub fn end(&self) -> Pointer {
        self.end
    }

    /// The number of batches in the group.
    #[must_use]
    pub fn n_batches(&self) -> u64 {
        self.n_batches
    }
}

/// A segment in the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number.
    pub number: SegmentNumber,
    /// How it lies on the disk.
    pub form: Form,
    /// The bytes its file takes.
    pub bytes_on_disk: u64,
    /// Its first frame, the STATE.
    pub first: Pointer,
}

/// Whether what is on the disk is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Sound,
    Poisoned,
}

/// The last segment as recovery or creation leaves it: what appending goes on from.
pub(crate) struct Tail {
    pub(crate) segment: SegmentNumber,
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) end: u64,
    pub(crate) hash: Sha256,
}

/// An append-only log in a folder. One process has it at a time; it takes `&mut` to write.
#[derive(Debug)]
pub struct SegmentLog {
    folder: Folder,
    options: Options,
    segment: SegmentNumber,
    file: Box<dyn DiskFile>,
    /// The end of what is committed in the current segment.
    end: u64,
    /// The hash of what is committed in the current segment.
    hash: Sha256,
    buffer: Vec<u8>,
    n_buffered: u64,
    condition: Condition,
    shared: Arc<Shared>,
    _lock: Box<dyn HeldLock>,
}

impl SegmentLog {
    /// Creates a log in a folder without one, with this STATE at its start. Makes the folder if need be.
    ///
    /// # Errors
    /// When the folder already holds segments, another process has it, or the disk fails.
    pub fn create(dir: &Path, options: Options, state: State) -> Result<Self, SegmentError> {
        Self::create_on(Arc::new(RealDisk), dir, options, state)
    }

    /// [`SegmentLog::create`] on another disk.
    ///
    /// # Errors
    /// As [`SegmentLog::create`].
    pub fn create_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: Options,
        state: State,
    ) -> Result<Self, SegmentError> {
        let folder = Folder::new(disk, dir);
        folder.create()?;
        let lock = folder.lock()?;
        if !folder.list()?.is_empty() {
            return Err(SegmentError::AlreadyThere { path: dir.to_owned() });
        }
        folder.remove_temporaries()?;
        let tail = begin_segment(&folder, SegmentNumber::FIRST, state, [0; 32])?;
        Self::with_tail(folder, lock, options, tail)
    }

    /// Opens a log that exists and recovers it: finds the last whole COMMIT and cuts a torn tail behind it.
    ///
    /// # Errors
    /// When the folder holds no log, another process has it, the last segment is damaged, or the disk fails.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), SegmentError> {
        Self::open_on(Arc::new(RealDisk), dir, options)
    }

    /// [`SegmentLog::open`] on another disk.
    ///
    /// # Errors
    /// As [`SegmentLog::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: Options,
    ) -> Result<(Self, Recovery), SegmentError> {
        let folder = Folder::new(disk, dir);
        // Look before locking: taking a lock would litter a folder that was named by mistake.
        if folder.list()?.is_empty() {
            return Err(SegmentError::NoLog { path: dir.to_owned() });
        }
        let lock = folder.lock()?;
        let (tail, found) = recover::recover(&folder)?;
        let log = Self::with_tail(folder, lock, options, tail)?;
        let recovery = found.with_reader(log.reader(), log.committed_end());
        Ok((log, recovery))
    }

    pub(crate) fn with_tail(
        folder: Folder,
        lock: Box<dyn HeldLock>,
        options: Options,
        tail: Tail,
    ) -> Result<Self, SegmentError> {
        let earlier_bytes = folder.bytes_before(tail.segment)?;
        let shared = Arc::new(Shared::new(Pointer::new(tail.segment, tail.end), earlier_bytes));
        Ok(Self {
            folder,
            options,
            segment: tail.segment,
            file: tail.file,
            end: tail.end,
            hash: tail.hash,
            buffer: Vec::new(),
            n_buffered: 0,
            condition: Condition::Sound,
            shared,
            _lock: lock,
        })
    }

    /// Adds a batch to the group that the next commit writes, and says where it will be. Nothing is written yet.
    ///
    /// # Errors
    /// When the batch is too large, too much waits already, or the log is poisoned.
    pub fn append(&mut self, batch: &Batch) -> Result<Pointer, SegmentError> {
        self.check_sound()?;
        let start = self.buffer.len();
        batch.encode(&mut self.buffer).map_err(|source| SegmentError::Encode { source })?;
        if self.buffer.len() > GROUP_BYTES_MAX {
            self.buffer.truncate(start);
            return Err(SegmentError::GroupTooLarge { bytes_max: GROUP_BYTES_MAX });
        }
        self.n_buffered = self.n_buffered.saturating_add(1);
        Ok(Pointer::new(self.segment, self.end.saturating_add(sizes::on_disk(start))))
    }

    /// Forgets the batches that wait; their pointers mean nothing any more.
    pub fn discard_buffered(&mut self) {
        self.buffer.clear();
        self.n_buffered = 0;
    }

    /// Writes the waiting batches and a COMMIT with one write and one fdatasync.
    ///
    /// # Errors
    /// When the checkpoint is too long (the batches go on waiting), or the disk fails: the log is then poisoned.
    pub fn commit(&mut self, commit: &Commit) -> Result<Durable, SegmentError> {
        self.check_sound()?;
        let batches_bytes = self.buffer.len();
        commit.encode(&mut self.buffer).map_err(|source| SegmentError::Encode { source })?;
        // INVARIANT LG-2: poisoned until the last step has succeeded, so that no early return forgets it.
        self.condition = Condition::Poisoned;
        let path = || self.folder.path_of(self.segment, Form::Plain);
        self.file
            .write_at(&self.buffer, self.end)
            .map_err(|source| SegmentError::Write { path: path(), source })?;
        self.file.sync_data().map_err(|source| SegmentError::Sync { path: path(), source })?;
        self.condition = Condition::Sound;
        let through = Pointer::new(self.segment, self.end.saturating_add(sizes::on_disk(batches_bytes)));
        self.hash.update(&self.buffer);
        self.end = self.end.saturating_add(sizes::on_disk(self.buffer.len()));
        let end = Pointer::new(self.segment, self.end);
        self.shared.set_committed_end(end);
        let n_batches = self.n_buffered;
        self.discard_buffered();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        // INVARIANT SP-1: the only place that makes a Durable, and the fdatasync above has returned.
        Ok(Durable { through, end, n_batches })
    }

    /// Whether the current segment is long enough for the next one to begin.
    #[must_use]
    pub fn needs_roll(&self) -> bool {
        self.end > self.options.segment_bytes_max
    }

    /// Finishes the current segment and begins the next one with this STATE, whose `previous_hash` is set here.
    ///
    /// # Errors
    /// When batches wait, the STATE is too long, or the disk fails: the log is then poisoned.
    pub fn roll(&mut self, state: State) -> Result<SegmentNumber, SegmentError> {
        self.check_sound()?;
        if !self.buffer.is_empty() {
            return Err(SegmentError::Uncommitted);
        }
        self.condition = Condition::Poisoned;
        let previous_hash = self.hash.clone().finalize().into();
        let tail = begin_segment(&self.folder, self.segment.next(), state, previous_hash);
        if matches!(tail, Ok(_) | Err(SegmentError::Encode { .. })) {
            self.condition = Condition::Sound;
        }
        let tail = tail?;
        self.shared.add_earlier(self.end);
        self.segment = tail.segment;
        self.file = tail.file;
        self.end = tail.end;
        self.hash = tail.hash;
        self.shared.set_committed_end(Pointer::new(self.segment, self.end));
        Ok(self.segment)
    }

    /// Removes every segment before the one that `keep_from` points into, oldest first; quarantined ones stay.
    /// Says how many went.
    ///
    /// The caller has made its position durable first: what is removed here is gone (SP-4).
    ///
    /// # Errors
    /// When the log is poisoned or the disk fails; what was removed until then stays removed.
    pub fn remove_whole_segments_before(&mut self, keep_from: Pointer) -> Result<u64, SegmentError> {
        self.check_sound()?;
        let shared = Arc::clone(&self.shared);
        let _upkeep = shared.upkeep();
        let mut n_removed = 0_u64;
        // INVARIANT SP-4: whole segments, oldest first, and the last one always stays.
        for (segment, forms) in self.folder.list()?.range(..keep_from.segment.min(self.segment)) {
            let removable: Vec<_> = forms.iter().filter(|form| !form.is_quarantined()).collect();
            for form in &removable {
                let bytes = self.folder.size_of(*segment, **form)?;
                self.folder.remove(&self.folder.path_of(*segment, **form))?;
                self.shared.remove_earlier(bytes);
            }
            if !removable.is_empty() {
                n_removed = n_removed.saturating_add(1);
            }
        }
        Ok(n_removed)
    }

    /// Seals one finished segment here and now; [`SegmentLog::sealer`] does it on another thread.
    ///
    /// # Errors
    /// As [`Sealer::seal`], and when the log is poisoned.
    pub fn seal(&mut self, segment: SegmentNumber) -> Result<(), SegmentError> {
        self.check_sound()?;
        self.sealer().seal(segment)
    }

    /// A handle that seals finished segments on another thread. It must not outlive the log.
    #[must_use]
    pub fn sealer(&self) -> Sealer {
        Sealer::new(self.folder.clone(), Arc::clone(&self.shared))
    }

    /// A handle that takes entries out of finished segments. It must not outlive the log.
    #[must_use]
    pub fn pruner(&self) -> Pruner {
        Pruner::new(self.folder.clone(), Arc::clone(&self.shared))
    }

    /// A reader of what is committed, now and later, for this or another thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::live(self.folder.clone(), Arc::clone(&self.shared))
    }

    /// The position after the last COMMIT.
    #[must_use]
    pub fn committed_end(&self) -> Pointer {
        Pointer::new(self.segment, self.end)
    }

    /// SHA-256 of what is committed in the current segment: what the next one's STATE will say of it.
    #[must_use]
    pub fn content_hash(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// The bytes that wait for a commit.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The bytes all segments take on the disk, quarantined ones too.
    #[must_use]
    pub fn bytes_on_disk(&self) -> u64 {
        self.shared.earlier_bytes().saturating_add(self.end)
    }

    /// Every segment, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn segments(&self) -> Result<Vec<SegmentInfo>, SegmentError> {
        self.reader().segments()
    }

    fn check_sound(&self) -> Result<(), SegmentError> {
        // INVARIANT LG-2: unknown state: stop, then recover by the code that runs every day.
        match self.condition {
            Condition::Sound => Ok(()),
            Condition::Poisoned => Err(SegmentError::Poisoned),
        }
    }
}

/// Makes a segment of magic and STATE appear, durably.
pub(crate) fn begin_segment(
    folder: &Folder,
    segment: SegmentNumber,
    state: State,
    previous_hash: [u8; 32],
) -> Result<Tail, SegmentError> {
    let state = State { previous_hash, ..state };
    let mut content = MAGIC.to_vec();
    state.encode(&mut content).map_err(|source| SegmentError::Encode { source })?;
    let file = folder.write_new(segment, &content)?;
    let mut hash = Sha256::new();
    hash.update(&content);
    Ok(Tail { segment, file, end: sizes::on_disk(content.len()), hash })
}
