//! Pruning: a finished segment loses the entries of some batches and keeps everything that proofs need.
//!
//! The pruned form has the same logical length and offsets: in the place of each pruned BATCH stands a PRUNED frame
//! of the same length, with the note and the leaf hash of each entry, filled up with zeros. The file's header carries
//! the hash of what the segment was, which is what the next segment's STATE says. Two steps, so that the caller can
//! write down what it does in between: [`Pruner::prepare`] writes the new form under a temporary name and reads it
//! back; [`Pruner::publish`] renames it and removes the other forms. A crash leaves either form, or both, of which
//! open keeps the pruned one if it is whole. Preparing again gives the same bytes.
use std::io;
use std::sync::Arc;

use crate::error::SegmentError;
use crate::folder::{Folder, Form};
use crate::frame::{Batch, Frame, MAGIC, MAGIC_BYTES, Pruned};
use crate::pointer::SegmentNumber;
use crate::recover::previous_hash_of;
use crate::scan::scan;
use crate::sealed::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, SealedFile, SealedWriter};
use crate::shared::Shared;
use crate::sizes;
use crate::source::{Found, Source, WALK_BYTES};

/// A pruned form that is written and synced and does not count yet.
#[must_use = "publish it, or it is thrown away at the next open"]
#[derive(Debug)]
pub struct Prepared {
    segment: SegmentNumber,
    /// SHA-256 of the logical bytes as they were.
    pub was: [u8; 32],
    /// SHA-256 of the logical bytes of the pruned form.
    pub is: [u8; 32],
    /// How many batches lost their entries.
    pub n_pruned: u64,
    /// How many were asked for and kept: what stays of them would not fit in their place.
    pub n_kept: u64,
}

/// Prunes finished segments, on any thread, while the log is being written.
#[derive(Clone, Debug)]
pub struct Pruner {
    folder: Folder,
    shared: Arc<Shared>,
}

impl Pruner {
    pub(crate) fn new(folder: Folder, shared: Arc<Shared>) -> Self {
        Self { folder, shared }
    }

    /// Whether a segment is in its pruned form.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn is_pruned(&self, segment: SegmentNumber) -> Result<bool, SegmentError> {
        Ok(self.folder.list()?.get(&segment).is_some_and(|forms| forms.contains(&Form::Pruned)))
    }

    /// Writes the pruned form beside the segment. `leaves` gives the leaf hashes of a batch that is to lose its
    /// entries, one each, and nothing for a batch that stays.
    ///
    /// # Errors
    /// When the segment is the last, missing, pruned or damaged, or the disk fails. Nothing is changed then.
    pub fn prepare(
        &self,
        segment: SegmentNumber,
        mut leaves: impl FnMut(&Batch) -> Option<Vec<[u8; 32]>>,
    ) -> Result<Prepared, SegmentError> {
        if segment >= self.shared.committed_end().segment {
            return Err(SegmentError::NotFinished { segment });
        }
        let _upkeep = self.shared.upkeep();
        let mut source = Source::open(&self.folder, segment, WALK_BYTES)?
            .filter(|source| matches!(source.form, Form::Plain | Form::Sealed))
            .ok_or(SegmentError::Missing { segment })?;
        let found = scan(&mut source)?;
        if let Some(offset) = found.damage_if_finished(source.limit()) {
            return Err(source.damaged(offset));
        }
        let was = found.content_hash();
        if previous_hash_of(&self.folder, segment.next())?.is_some_and(|expected| expected != was) {
            return Err(source.damaged(0));
        }
        let path = self.folder.temporary_path_of(segment, Form::Pruned);
        let write_error = |source: io::Error| SegmentError::Write { path: path.clone(), source };
        let file = self.folder.create_temporary(segment, Form::Pruned)?;
        let mut writer = SealedWriter::begin_pruned(file, &was).map_err(write_error)?;
        let (mut block, mut offset) = (MAGIC.to_vec(), MAGIC_BYTES);
        let (mut n_pruned, mut n_kept) = (0_u64, 0_u64);
        loop {
            let raw = match source.frame_at(offset)? {
                Found::Frame(raw) => raw,
                Found::End => break,
                Found::Broken => return Err(source.damaged(offset)),
            };
            let (length, frame) = (raw.bytes.len(), raw.decode().ok());
            let mut ends_group = false;
            let mut kept = true;
            match frame {
                Some(Frame::Batch(batch)) => {
                    if let Some(leaves) = leaves(&batch) {
                        let pruned = Pruned {
                            author: batch.author,
                            epoch: batch.epoch,
                            first: batch.first,
                            note: batch.note,
                            leaves,
                        };
                        kept = pruned.encode(length, &mut block).is_err();
                        n_kept = n_kept.saturating_add(u64::from(kept));
                        n_pruned = n_pruned.saturating_add(u64::from(!kept));
                    }
                }
                Some(Frame::Commit(_)) => ends_group = true,
                Some(Frame::State(_)) => {}
                Some(Frame::Pruned(_)) | None => return Err(SegmentError::Damaged { segment, offset }),
            }
            if kept {
                block.extend_from_slice(raw.bytes);
            }
            if block.len() > BLOCK_BYTES_MAX {
                return Err(SegmentError::Damaged { segment, offset });
            }
            offset = offset.saturating_add(sizes::on_disk(length));
            if ends_group && block.len() >= BLOCK_BYTES_MIN {
                writer.block(&block).map_err(write_error)?;
                block.clear();
            }
        }
        if !block.is_empty() {
            writer.block(&block).map_err(write_error)?;
        }
        let file = writer.finish().map_err(write_error)?;
        file.sync_data().map_err(|source| SegmentError::Sync { path: path.clone(), source })?;
        let read_error = |source: io::Error| SegmentError::Read { path: path.clone(), source };
        let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "the file reads back differently");
        let sealed =
            SealedFile::open(file).map_err(read_error)?.ok_or_else(unreadable).map_err(write_error)?;
        if sealed.was != Some(was) || !sealed.verify().map_err(read_error)? {
            return Err(write_error(unreadable()));
        }
        Ok(Prepared { segment, was, is: sealed.content_hash, n_pruned, n_kept })
    }

    /// Lets the pruned form stand for the segment, and removes the others: what they held is gone.
    ///
    /// # Errors
    /// When the disk fails; there is then the one form, the other or both.
    pub fn publish(&self, prepared: &Prepared) -> Result<(), SegmentError> {
        let segment = prepared.segment;
        let _upkeep = self.shared.upkeep();
        self.folder.publish(segment, Form::Pruned)?;
        self.shared.add_earlier(self.folder.size_of(segment, Form::Pruned)?);
        for form in [Form::Plain, Form::Sealed] {
            let bytes = self.folder.size_of(segment, form)?;
            self.folder.remove(&self.folder.path_of(segment, form))?;
            self.shared.remove_earlier(bytes);
        }
        Ok(())
    }
}
