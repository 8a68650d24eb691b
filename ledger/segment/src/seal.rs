//! Sealing: a finished segment becomes a compressed one with the same logical bytes.
//!
//! Scan it whole, compare with what the next segment says of it, write the sealed form under a temporary name,
//! sync, read it back, rename, sync the folder, and only then remove the plain form.
use std::io;
use std::sync::Arc;

use crate::error::SegmentError;
use crate::folder::{Folder, Form};
use crate::frame::{Kind, MAGIC, MAGIC_BYTES};
use crate::pointer::SegmentNumber;
use crate::recover::previous_hash_of;
use crate::scan::scan;
use crate::sealed::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, SealedFile, SealedWriter};
use crate::shared::Shared;
use crate::sizes;
use crate::source::{Found, Source, WALK_BYTES};

/// Seals finished segments, on any thread, while the log is being written.
#[derive(Clone, Debug)]
pub struct Sealer {
    folder: Folder,
    shared: Arc<Shared>,
}

impl Sealer {
    pub(crate) fn new(folder: Folder, shared: Arc<Shared>) -> Self {
        Self { folder, shared }
    }

    /// Seals this segment; one that is sealed already stays as it is.
    ///
    /// # Errors
    /// When the segment is the last, missing or damaged (it is left alone then), or the disk fails.
    pub fn seal(&self, segment: SegmentNumber) -> Result<(), SegmentError> {
        if segment >= self.shared.committed_end().segment {
            return Err(SegmentError::NotFinished { segment });
        }
        let _upkeep = self.shared.upkeep();
        let Some(mut source) = Source::open_form(&self.folder, segment, Form::Plain, WALK_BYTES)? else {
            let sealed = match self.folder.open_read(segment, Form::Sealed)? {
                None => self.folder.open_read(segment, Form::Pruned)?,
                sealed => sealed,
            };
            return sealed.map(drop).ok_or(SegmentError::Missing { segment });
        };
        let found = scan(&mut source)?;
        if let Some(offset) = found.damage_if_finished(source.limit()) {
            return Err(source.damaged(offset));
        }
        let hash = found.content_hash();
        if previous_hash_of(&self.folder, segment.next())?.is_some_and(|expected| expected != hash) {
            return Err(source.damaged(0));
        }
        self.write(&mut source, hash)?;
        // An earlier attempt may have left one, published but not trusted.
        let replaced_bytes = self.folder.size_of(segment, Form::Sealed)?;
        self.folder.publish(segment, Form::Sealed)?;
        self.shared.remove_earlier(replaced_bytes);
        self.shared.add_earlier(self.folder.size_of(segment, Form::Sealed)?);
        let plain_bytes = self.folder.size_of(segment, Form::Plain)?;
        self.folder.remove(&self.folder.path_of(segment, Form::Plain))?;
        self.shared.remove_earlier(plain_bytes);
        Ok(())
    }

    /// Every finished segment that is not sealed yet, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn unsealed(&self) -> Result<Vec<SegmentNumber>, SegmentError> {
        let last = self.shared.committed_end().segment;
        let listing = self.folder.list()?;
        Ok(listing.range(..last).filter(|(_, forms)| forms.contains(&Form::Plain)).map(|(n, _)| *n).collect())
    }

    fn write(&self, source: &mut Source, hash: [u8; 32]) -> Result<(), SegmentError> {
        let segment = source.segment;
        let path = self.folder.temporary_path_of(segment, Form::Sealed);
        let write_error = |source: io::Error| SegmentError::Write { path: path.clone(), source };
        let file = self.folder.create_temporary(segment, Form::Sealed)?;
        let mut writer = SealedWriter::begin(file).map_err(write_error)?;
        let mut block = MAGIC.to_vec();
        let mut offset = MAGIC_BYTES;
        loop {
            let raw = match source.frame_at(offset)? {
                Found::Frame(raw) => raw,
                Found::End => break,
                Found::Broken => return Err(source.damaged(offset)),
            };
            block.extend_from_slice(raw.bytes);
            if block.len() > BLOCK_BYTES_MAX {
                // No writer of ours makes such a group.
                return Err(SegmentError::Damaged { segment, offset });
            }
            offset = offset.saturating_add(sizes::on_disk(raw.bytes.len()));
            if raw.kind == Kind::Commit && block.len() >= BLOCK_BYTES_MIN {
                writer.block(&block).map_err(write_error)?;
                block.clear();
            }
        }
        if !block.is_empty() {
            writer.block(&block).map_err(write_error)?;
        }
        let file = writer.finish().map_err(write_error)?;
        file.sync_data().map_err(|source| SegmentError::Sync { path: path.clone(), source })?;
        // The plain form goes next: read back what is to stand for it.
        let read_error = |source: io::Error| SegmentError::Read { path: path.clone(), source };
        let whole = match SealedFile::open(file).map_err(read_error)? {
            Some(sealed) => sealed.content_hash == hash && sealed.verify().map_err(read_error)?,
            None => false,
        };
        if whole {
            Ok(())
        } else {
            Err(write_error(io::Error::new(io::ErrorKind::InvalidData, "the file reads back differently")))
        }
    }
}
