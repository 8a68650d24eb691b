//! Reading what is committed: one batch by its pointer, or all frames in order, over plain and sealed segments.
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::{Disk, RealDisk};
use crate::error::SegmentError;
use crate::folder::Folder;
use crate::frame::{Batch, Frame, Kind, MAGIC_BYTES, Pruned, State};
use crate::log::SegmentInfo;
use crate::pointer::{Pointer, SegmentNumber};
use crate::scan::last_commit_end;
use crate::shared::Shared;
use crate::sizes;
use crate::source::{Found, LOOKUP_BYTES, Source, WALK_BYTES};

pub use crate::folder::Form;

/// A batch, or what stays of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// With its entries.
    Whole(Batch),
    /// Its note and leaf hashes: the entries were removed after their retention.
    Pruned(Pruned),
}

/// Reads a log, on any thread. A clone reads on its own.
#[derive(Debug)]
pub struct Reader {
    folder: Folder,
    committed: Committed,
    /// The segment of the last lookup: the next one is often in the same.
    cached: Mutex<Option<Source>>,
}

#[derive(Clone, Debug)]
enum Committed {
    /// As far as the writer in this process has come.
    Live(Arc<Shared>),
    /// As far as the log went when the reader was opened.
    Until(Pointer),
}

impl Clone for Reader {
    fn clone(&self) -> Self {
        Self { folder: self.folder.clone(), committed: self.committed.clone(), cached: Mutex::new(None) }
    }
}

impl Reader {
    /// Opens a folder for reading only, without the lock: for inspection, also while another process writes.
    /// It sees what is committed now, and changes nothing.
    ///
    /// # Errors
    /// When there is no log, or it cannot be read.
    pub fn open(dir: &Path) -> Result<Self, SegmentError> {
        Self::open_on(Arc::new(RealDisk), dir)
    }

    /// [`Reader::open`] on another disk.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, SegmentError> {
        let folder = Folder::new(disk, dir);
        let Some(segment) = folder.list()?.last_key_value().map(|(segment, _)| *segment) else {
            return Err(SegmentError::NoLog { path: dir.to_owned() });
        };
        let mut source =
            Source::open(&folder, segment, WALK_BYTES)?.ok_or(SegmentError::Missing { segment })?;
        let end = if source.sealed().is_some() { source.limit() } else { last_commit_end(&mut source)? };
        let committed = Committed::Until(Pointer::new(segment, end));
        Ok(Self { folder, committed, cached: Mutex::new(None) })
    }

    pub(crate) fn live(folder: Folder, shared: Arc<Shared>) -> Self {
        Self { folder, committed: Committed::Live(shared), cached: Mutex::new(None) }
    }

    /// The position after the last COMMIT that this reader may see.
    #[must_use]
    pub fn committed_end(&self) -> Pointer {
        match &self.committed {
            Committed::Live(shared) => shared.committed_end(),
            Committed::Until(end) => *end,
        }
    }

    /// The committed batch at this position.
    ///
    /// # Errors
    /// When there is none, its segment is pruned, or its bytes are damaged.
    pub fn read_batch(&self, pointer: Pointer) -> Result<Batch, SegmentError> {
        match self.read_kept(pointer)? {
            Kept::Whole(batch) => Ok(batch),
            Kept::Pruned(_) => Err(SegmentError::Removed { pointer }),
        }
    }

    /// The committed batch at this position, or what stays of it.
    ///
    /// # Errors
    /// As [`Reader::read_batch`], without those of entries that were removed.
    pub fn read_kept(&self, pointer: Pointer) -> Result<Kept, SegmentError> {
        let end = self.committed_end();
        if pointer >= end || pointer.offset < MAGIC_BYTES {
            return Err(SegmentError::NoBatch { pointer });
        }
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let mut source = match cached.take().filter(|source| source.segment == pointer.segment) {
            Some(source) => source,
            None => Source::open(&self.folder, pointer.segment, LOOKUP_BYTES)?
                .ok_or(SegmentError::Missing { segment: pointer.segment })?,
        };
        source.set_limit(limit_in(pointer.segment, end))?;
        let batch = match source.frame_at(pointer.offset)? {
            Found::Frame(raw) if raw.kind == Kind::Batch => match raw.decode() {
                Ok(Frame::Batch(batch)) => Ok(Kept::Whole(batch)),
                _ => Err(source.damaged(pointer.offset)),
            },
            Found::Frame(raw) if raw.kind == Kind::Pruned => match raw.decode() {
                Ok(Frame::Pruned(pruned)) => Ok(Kept::Pruned(pruned)),
                _ => Err(source.damaged(pointer.offset)),
            },
            Found::Frame(_) | Found::End => Err(SegmentError::NoBatch { pointer }),
            Found::Broken => Err(source.damaged(pointer.offset)),
        };
        *cached = Some(source);
        batch
    }

    /// All committed frames from the oldest kept segment on.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn frames(&self) -> Result<Frames, SegmentError> {
        let end = self.committed_end();
        let oldest = self.folder.list()?.first_key_value().map_or(end.segment, |(segment, _)| *segment);
        Ok(self.frames_between(Pointer::first_in(oldest), end))
    }

    /// The committed frames from a frame's position on, up to what is committed now.
    #[must_use]
    pub fn frames_from(&self, from: Pointer) -> Frames {
        self.frames_between(from, self.committed_end())
    }

    pub(crate) fn frames_between(&self, from: Pointer, end: Pointer) -> Frames {
        Frames {
            folder: self.folder.clone(),
            position: Pointer::new(from.segment, from.offset.max(MAGIC_BYTES)),
            end,
            source: None,
            on_damage: OnDamage::Stop,
        }
    }

    /// The STATE of a segment.
    ///
    /// # Errors
    /// When the segment is missing or its STATE is damaged.
    pub fn state_of(&self, segment: SegmentNumber) -> Result<State, SegmentError> {
        let mut source =
            Source::open(&self.folder, segment, LOOKUP_BYTES)?.ok_or(SegmentError::Missing { segment })?;
        source.state()?.ok_or(SegmentError::Damaged { segment, offset: MAGIC_BYTES })
    }

    /// Every segment, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn segments(&self) -> Result<Vec<SegmentInfo>, SegmentError> {
        let mut segments = Vec::new();
        for (number, forms) in self.folder.list()? {
            for form in forms {
                let bytes_on_disk = self.folder.size_of(number, form)?;
                segments.push(SegmentInfo { number, form, bytes_on_disk, first: Pointer::first_in(number) });
            }
        }
        Ok(segments)
    }
}

impl Reader {
    /// The file of a segment as it lies on the disk, in the form that readers take; none where there is no such segment.
    /// For copies: nothing is decoded. Of the segment that is written now it may hold more than is committed.
    ///
    /// # Errors
    /// When the folder or the file cannot be read.
    pub fn file_of(&self, segment: SegmentNumber) -> Result<Option<(Form, Vec<u8>)>, SegmentError> {
        let mut forms = self.forms_of(segment)?;
        loop {
            for form in &forms {
                if let Some(bytes) = self.folder.read_whole(segment, *form)? {
                    return Ok(Some((*form, bytes)));
                }
            }
            // Sealing or pruning gave the file another form in between.
            let again = self.forms_of(segment)?;
            if again == forms {
                return Ok(None);
            }
            forms = again;
        }
    }

    fn forms_of(&self, segment: SegmentNumber) -> Result<Vec<Form>, SegmentError> {
        Ok(self.folder.list()?.remove(&segment).unwrap_or_default())
    }
}

/// What an iterator does at bytes that do not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnDamage {
    Stop,
    Skip,
}

/// Iterates over frames with their positions, in bounded memory.
///
/// At damage it gives one error and ends; after [`Frames::skipping_damage`] it goes on with what is whole behind.
#[derive(Debug)]
pub struct Frames {
    folder: Folder,
    position: Pointer,
    end: Pointer,
    source: Option<Source>,
    on_damage: OnDamage,
}

impl Frames {
    /// Goes on behind damage, after naming it.
    #[must_use]
    pub fn skipping_damage(mut self) -> Self {
        self.on_damage = OnDamage::Skip;
        self
    }

    /// The position of the next frame: where another iterator could go on.
    #[must_use]
    pub fn position(&self) -> Pointer {
        self.position
    }

    fn step(&mut self) -> Result<Option<(Pointer, Frame)>, SegmentError> {
        while self.position < self.end {
            let at = self.position;
            let mut source = match self.source.take() {
                Some(source) => source,
                None => self.open()?,
            };
            let (frame, length) = match source.frame_at(at.offset)? {
                Found::Frame(raw) => (raw.decode().ok(), sizes::on_disk(raw.bytes.len())),
                Found::End => {
                    self.position = Pointer::first_in(at.segment.next());
                    continue;
                }
                Found::Broken => (None, 0),
            };
            if let Some(frame) = frame {
                self.position.offset = at.offset.saturating_add(length);
                self.source = Some(source);
                return Ok(Some((at, frame)));
            }
            match source.resume_after(at.offset)? {
                Some(next) => {
                    self.position.offset = next;
                    self.source = Some(source);
                }
                None => self.position = Pointer::first_in(at.segment.next()),
            }
            return Err(SegmentError::Damaged { segment: at.segment, offset: at.offset });
        }
        Ok(None)
    }

    /// Opens the segment at the position; on failure the position is already behind it.
    fn open(&mut self) -> Result<Source, SegmentError> {
        let segment = self.position.segment;
        let offset = self.position.offset;
        match Source::open(&self.folder, segment, WALK_BYTES) {
            Ok(Some(mut source)) => {
                source.set_limit(limit_in(segment, self.end))?;
                if source.form.is_quarantined() && self.on_damage == OnDamage::Stop {
                    return Err(source.damaged(offset));
                }
                Ok(source)
            }
            Ok(None) => {
                let next = self.folder.list()?.range(segment.next()..).next().map(|(next, _)| *next);
                self.position = Pointer::first_in(next.unwrap_or_else(|| self.end.segment.next()));
                Err(SegmentError::Missing { segment })
            }
            Err(error) => {
                self.position = Pointer::first_in(segment.next());
                Err(error)
            }
        }
    }
}

impl Iterator for Frames {
    type Item = Result<(Pointer, Frame), SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if let Err(error) = &step {
            let goes_on = matches!(error, SegmentError::Damaged { .. } | SegmentError::Missing { .. });
            if self.on_damage == OnDamage::Stop || !goes_on {
                self.end = self.position;
            }
        }
        step.transpose()
    }
}

/// How far a segment may be read: to its end if it is finished.
fn limit_in(segment: SegmentNumber, end: Pointer) -> u64 {
    if segment == end.segment { end.offset } else { u64::MAX }
}
