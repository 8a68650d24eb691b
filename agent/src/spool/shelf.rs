//! Reading durable batches back: where a size is, and the batches from there on, verbatim.

use ntk_segment::error::SegmentError;
use ntk_segment::frame::{Batch, Frame};
use ntk_segment::pointer::Pointer;
use ntk_segment::reader::Reader;

/// A place between two batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// How many entries are before it.
    pub size: u64,
    /// The author's note of that size; empty for size 0.
    pub note: Vec<u8>,
    /// Where reading goes on.
    pub next: Pointer,
}

/// Finds the place after `size` entries; `None` when no batch ends there or it is no longer kept.
pub fn find(reader: &Reader, size: u64) -> Result<Option<Place>, SegmentError> {
    let mut start = None;
    for info in reader.segments()? {
        if info.form.is_quarantined() {
            continue;
        }
        let first = reader.state_of(info.number)?.authors.first().map_or(u64::MAX, |author| author.size);
        if size == 0 && first == 0 {
            return Ok(Some(Place { size, note: Vec::new(), next: info.first }));
        }
        // The batch that ends at `size` is in the last segment that begins before it.
        if first < size {
            start = Some(info.first);
        }
    }
    let Some(start) = start else { return Ok(None) };
    let mut frames = reader.frames_from(start);
    while let Some(item) = frames.next() {
        let Frame::Batch(batch) = item?.1 else { continue };
        let end = end_of(&batch);
        if end == size {
            return Ok(Some(Place { size, note: batch.note, next: frames.position() }));
        }
        if end > size {
            break;
        }
    }
    Ok(None)
}

/// The number of the oldest entry that can be read; none where there is no segment.
pub fn oldest(reader: &Reader) -> Result<Option<u64>, SegmentError> {
    let mut segments = reader.segments()?.into_iter().filter(|info| !info.form.is_quarantined());
    let first = segments.next().map(|info| reader.state_of(info.number)).transpose()?;
    Ok(first.and_then(|state| state.authors.first().map(|author| author.size)))
}

/// The batches from a place on, at least one if there is one, then as many as stay within `bytes_max`; and the
/// place after them.
pub fn read(reader: &Reader, from: Pointer, bytes_max: usize) -> Result<(Vec<Batch>, Pointer), SegmentError> {
    let mut batches = Vec::new();
    let (mut bytes, mut next) = (0usize, from);
    let mut frames = reader.frames_from(from);
    while let Some(item) = frames.next() {
        let Frame::Batch(batch) = item?.1 else {
            next = frames.position();
            continue;
        };
        bytes = bytes.saturating_add(bytes_of(&batch));
        if bytes > bytes_max && !batches.is_empty() {
            break;
        }
        next = frames.position();
        batches.push(batch);
    }
    Ok((batches, next))
}

/// The number after a batch's last entry.
pub fn end_of(batch: &Batch) -> u64 {
    batch.first.saturating_add(u64::try_from(batch.entries.len()).unwrap_or(u64::MAX))
}

/// About how many bytes a batch takes on the wire and in memory.
pub fn bytes_of(batch: &Batch) -> usize {
    let entries = batch
        .entries
        .iter()
        .flatten()
        .map(|part| part.len().saturating_add(4))
        .fold(0, usize::saturating_add);
    entries.saturating_add(batch.note.len()).saturating_add(64)
}
