//! The logical bytes of one segment, plain or sealed, through a window of bounded size.
use std::path::PathBuf;

use crate::disk::DiskFile;
use crate::error::SegmentError;
use crate::folder::{Folder, Form};
use crate::frame::{COMMIT_BYTES_MAX, Frame, HEADER_BYTES, Header, Kind, MAGIC_BYTES, RawFrame, State};
use crate::pointer::SegmentNumber;
use crate::sealed::SealedFile;
use crate::sizes;

/// Read at once when walking through a segment.
pub(crate) const WALK_BYTES: usize = 1024 * 1024;
/// Read at once when one batch is wanted.
pub(crate) const LOOKUP_BYTES: usize = 32 * 1024;

/// An open segment.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) segment: SegmentNumber,
    pub(crate) form: Form,
    path: PathBuf,
    body: Body,
    /// Nothing from here on is read.
    limit: u64,
    read_ahead: usize,
    window: Vec<u8>,
    window_start: u64,
}

#[derive(Debug)]
enum Body {
    Plain(Box<dyn DiskFile>),
    Sealed(SealedFile),
}

/// What is at an offset.
pub(crate) enum Found<'a> {
    /// A frame whose checksum holds.
    Frame(RawFrame<'a>),
    /// The limit, exactly.
    End,
    /// Bytes that are no frame.
    Broken,
}

impl Source {
    /// Opens a segment in the first form there is; `None` when there is none.
    pub(crate) fn open(
        folder: &Folder,
        segment: SegmentNumber,
        read_ahead: usize,
    ) -> Result<Option<Self>, SegmentError> {
        // Plain first: sealing publishes the sealed form before it removes the plain one.
        for form in [Form::Plain, Form::Sealed, Form::Pruned, Form::QuarantinedPlain, Form::QuarantinedSealed]
        {
            if let Some(source) = Self::open_form(folder, segment, form, read_ahead)? {
                return Ok(Some(source));
            }
        }
        Ok(None)
    }

    /// Opens a segment in this form; `None` when it is not there.
    pub(crate) fn open_form(
        folder: &Folder,
        segment: SegmentNumber,
        form: Form,
        read_ahead: usize,
    ) -> Result<Option<Self>, SegmentError> {
        let Some(file) = folder.open_read(segment, form)? else { return Ok(None) };
        let path = folder.path_of(segment, form);
        let read_error = |source| SegmentError::Read { path: path.clone(), source };
        let (body, limit) = if form.is_sealed() {
            let sealed = SealedFile::open(file)
                .map_err(read_error)?
                .filter(|sealed| form.is_quarantined() || sealed.was.is_some() == (form == Form::Pruned))
                .ok_or(SegmentError::Damaged { segment, offset: 0 })?;
            let limit = sealed.logical_bytes;
            (Body::Sealed(sealed), limit)
        } else {
            let limit = file.size().map_err(read_error)?;
            (Body::Plain(file), limit)
        };
        Ok(Some(Self { segment, form, path, body, limit, read_ahead, window: Vec::new(), window_start: 0 }))
    }

    /// The length of the logical bytes that are read.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Reads nothing from `limit` on, and nothing beyond the file either. Forgets what was read before.
    pub(crate) fn set_limit(&mut self, limit: u64) -> Result<(), SegmentError> {
        let size = match &self.body {
            Body::Plain(file) => file.size().map_err(|source| self.read_error(source))?,
            Body::Sealed(sealed) => sealed.logical_bytes,
        };
        if limit.min(size) != self.limit {
            self.limit = limit.min(size);
            self.window.clear();
        }
        Ok(())
    }

    /// The sealed file, if this is one.
    pub(crate) fn sealed(&self) -> Option<&SealedFile> {
        match &self.body {
            Body::Plain(_) => None,
            Body::Sealed(sealed) => Some(sealed),
        }
    }

    pub(crate) fn read_error(&self, source: std::io::Error) -> SegmentError {
        SegmentError::Read { path: self.path.clone(), source }
    }

    pub(crate) fn damaged(&self, offset: u64) -> SegmentError {
        SegmentError::Damaged { segment: self.segment, offset }
    }

    /// The bytes from `offset` on: at least `wanted`, or fewer when they end or a sealed block is damaged.
    pub(crate) fn window(&mut self, offset: u64, wanted: usize) -> Result<&[u8], SegmentError> {
        let rest = self.limit.saturating_sub(offset);
        let wanted = wanted.min(sizes::in_memory(rest));
        let window_end = self.window_start.saturating_add(sizes::on_disk(self.window.len()));
        let wanted_end = offset.saturating_add(sizes::on_disk(wanted));
        if offset < self.window_start || wanted_end > window_end || self.window.is_empty() {
            self.load(offset, wanted.max(self.read_ahead).min(sizes::in_memory(rest)))?;
        }
        let start = sizes::in_memory(offset.saturating_sub(self.window_start));
        Ok(self.window.get(start..).unwrap_or(&[]))
    }

    fn load(&mut self, offset: u64, length: usize) -> Result<(), SegmentError> {
        let loaded = match &self.body {
            Body::Plain(file) => {
                self.window.clear();
                self.window.resize(length, 0);
                self.window_start = offset;
                file.read_at(&mut self.window, offset).map(|count| self.window.truncate(count))
            }
            Body::Sealed(sealed) => match sealed.block_at(offset) {
                Some(block) => {
                    self.window_start = block.logical_offset;
                    sealed.read_block(&block, &mut self.window).map(drop)
                }
                None => {
                    self.window.clear();
                    Ok(())
                }
            },
        };
        loaded.map_err(|source| {
            self.window.clear();
            SegmentError::Read { path: self.path.clone(), source }
        })
    }

    /// What is at `offset`.
    pub(crate) fn frame_at(&mut self, offset: u64) -> Result<Found<'_>, SegmentError> {
        if offset == self.limit {
            return Ok(Found::End);
        }
        let Ok(header) = Header::decode(self.window(offset, HEADER_BYTES)?) else { return Ok(Found::Broken) };
        let window = self.window(offset, header.frame_bytes)?;
        Ok(RawFrame::read(window).map_or(Found::Broken, Found::Frame))
    }

    /// The STATE at the start, if it is whole.
    pub(crate) fn state(&mut self) -> Result<Option<State>, SegmentError> {
        match self.frame_at(MAGIC_BYTES)? {
            Found::Frame(raw) if raw.kind == Kind::State => match raw.decode() {
                Ok(Frame::State(state)) => Ok(Some(state)),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// The offset of the first whole COMMIT at or after `from`, wherever it begins.
    ///
    /// Its bytes say that all before them were whole once. Text cannot pretend to be one by chance: the length
    /// inside must agree with the one outside, and so must the checksum.
    pub(crate) fn find_commit(&mut self, from: u64) -> Result<Option<u64>, SegmentError> {
        let mut offset = from;
        while offset < self.limit {
            let rest = self.limit.saturating_sub(offset);
            let window = self.window(offset, COMMIT_BYTES_MAX)?;
            let is_last = sizes::on_disk(window.len()) >= rest;
            // A COMMIT may reach over the end of the window: its beginning is looked at again in the next one.
            let n_starts = if is_last {
                window.len()
            } else {
                window.len().saturating_sub(COMMIT_BYTES_MAX.saturating_sub(1))
            };
            for start in 0..n_starts {
                let candidate = window.get(start..).unwrap_or(&[]);
                if is_commit(candidate) {
                    return Ok(Some(offset.saturating_add(sizes::on_disk(start))));
                }
            }
            if n_starts == 0 {
                return Ok(None);
            }
            offset = offset.saturating_add(sizes::on_disk(n_starts));
        }
        Ok(None)
    }

    /// Where reading can go on after a broken frame: the frame its length points to, or the next COMMIT, or,
    /// in a sealed file, the next block.
    pub(crate) fn resume_after(&mut self, broken: u64) -> Result<Option<u64>, SegmentError> {
        if let Some(sealed) = self.sealed() {
            let next = sealed.block_at(broken).map(|block| block.logical_end());
            return Ok(next.filter(|next| *next < self.limit));
        }
        if let Ok(header) = Header::decode(self.window(broken, HEADER_BYTES)?) {
            let next = broken.saturating_add(sizes::on_disk(header.frame_bytes));
            if next < self.limit && matches!(self.frame_at(next)?, Found::Frame(_)) {
                return Ok(Some(next));
            }
        }
        self.find_commit(broken.saturating_add(1))
    }
}

fn is_commit(bytes: &[u8]) -> bool {
    /// The receive time and the length of the checkpoint.
    const FIXED_BYTES: usize = 12;
    let Ok(header) = Header::decode(bytes) else { return false };
    if header.kind != Kind::Commit {
        return false;
    }
    // The cheap test first, so that a hostile file cannot make every byte cost a checksum.
    let inner = bytes.get(HEADER_BYTES.saturating_add(8)..).and_then(|rest| rest.first_chunk());
    let inner_bytes = inner.map_or(usize::MAX, |length| sizes::of_field(u32::from_le_bytes(*length)));
    inner_bytes.saturating_add(FIXED_BYTES).saturating_add(HEADER_BYTES) == header.frame_bytes
        && matches!(RawFrame::read(bytes).and_then(|raw| raw.decode()), Ok(Frame::Commit(_)))
}
