//! Opening: from whatever a crash left to the last whole COMMIT.
//!
//! 1. Temporary files go, and the folder is synced.
//! 2. A segment in both forms keeps the one that its successor vouches for.
//! 3. A last file without a whole STATE and without a COMMIT goes.
//! 4. The last segment is scanned: a torn tail is cut; damage is reported and nothing touched.
//! 5. The last group is written and synced again.
use sha2::{Digest, Sha256};

use crate::error::SegmentError;
use crate::folder::{Folder, Form, Listing};
use crate::frame::State;
use crate::log::Tail;
use crate::pointer::{Pointer, SegmentNumber};
use crate::reader::{Frames, Reader};
use crate::scan::{Scan, scan};
use crate::sizes;
use crate::source::{Source, WALK_BYTES};

/// What opening found: the caller rebuilds its memory from `state` and [`Recovery::replay`].
#[derive(Clone, Debug)]
pub struct Recovery {
    /// The STATE of the last segment.
    pub state: State,
    /// Bytes of a torn tail that were cut; none of them was ever acknowledged.
    pub truncated_bytes: u64,
    /// Whole batches among them.
    pub truncated_batches: u64,
    /// The first position after the STATE.
    pub replay_from: Pointer,
    /// The position after the last COMMIT.
    pub committed_end: Pointer,
    reader: Reader,
}

impl Recovery {
    /// The committed frames since the STATE.
    #[must_use]
    pub fn replay(&self) -> Frames {
        self.reader.frames_between(self.replay_from, self.committed_end)
    }
}

/// [`Recovery`] before there is a reader.
pub(crate) struct Recovered {
    state: State,
    truncated_bytes: u64,
    truncated_batches: u64,
    replay_from: Pointer,
}

impl Recovered {
    pub(crate) fn with_reader(self, reader: Reader, committed_end: Pointer) -> Recovery {
        Recovery {
            state: self.state,
            truncated_bytes: self.truncated_bytes,
            truncated_batches: self.truncated_batches,
            replay_from: self.replay_from,
            committed_end,
            reader,
        }
    }
}

/// Repairs what a crash may leave. The caller holds the lock.
pub(crate) fn recover(folder: &Folder) -> Result<(Tail, Recovered), SegmentError> {
    folder.remove_temporaries()?;
    // What a failed sync left half known is made certain before anything is built on it.
    folder.sync()?;
    let listing = folder.list()?;
    for (segment, forms) in &listing {
        if forms.contains(&Form::Pruned) && forms.len() > 1 {
            finish_pruning(folder, *segment, forms)?;
        }
        if forms.contains(&Form::Plain) && forms.contains(&Form::Sealed) && !forms.contains(&Form::Pruned) {
            // Only finished segments are sealed: nobody can vouch for the last one.
            if !listing.contains_key(&segment.next()) {
                return Err(SegmentError::Missing { segment: segment.next() });
            }
            keep_one_form(folder, *segment)?;
        }
    }
    let listing = folder.list()?;
    let segment = last_plain(folder, &listing)?;
    let mut source = open_plain(folder, segment)?;
    let found = scan(&mut source)?;
    if let Some(state) = found.state.clone() {
        return finish(folder, &mut source, found, state);
    }
    if has_later_commit(&mut source, &found)? || found.broken_is_whole {
        return Err(source.damaged(found.broken.unwrap_or(0)));
    }
    // Nothing was ever committed here, and its STATE follows from the segment before.
    let mut earlier = listing;
    earlier.remove(&segment);
    match earlier.last_key_value() {
        Some((previous, forms)) if previous.next() == segment && forms.as_slice() == [Form::Plain] => {
            let mut source = open_plain(folder, *previous)?;
            let found_before = scan(&mut source)?;
            // It was finished, so it is whole; otherwise both are damaged and neither is touched.
            if let Some(offset) = found_before.damage_if_finished(source.limit()) {
                return Err(source.damaged(offset));
            }
            let Some(state) = found_before.state.clone() else { return Err(source.damaged(0)) };
            folder.remove(&folder.path_of(segment, Form::Plain))?;
            finish(folder, &mut source, found_before, state)
        }
        _ => Err(SegmentError::Damaged { segment, offset: found.broken.unwrap_or(0) }),
    }
}

fn last_plain(folder: &Folder, listing: &Listing) -> Result<SegmentNumber, SegmentError> {
    let Some((segment, forms)) = listing.last_key_value() else {
        return Err(SegmentError::NoLog { path: folder.path().to_owned() });
    };
    match forms.first() {
        Some(Form::Plain) => Ok(*segment),
        // Only finished segments are sealed, so one must have followed.
        Some(Form::Sealed | Form::Pruned) => Err(SegmentError::Missing { segment: segment.next() }),
        _ => Err(SegmentError::LastQuarantined { segment: *segment }),
    }
}

fn open_plain(folder: &Folder, segment: SegmentNumber) -> Result<Source, SegmentError> {
    Source::open_form(folder, segment, Form::Plain, WALK_BYTES)?.ok_or(SegmentError::Missing { segment })
}

fn has_later_commit(source: &mut Source, found: &Scan) -> Result<bool, SegmentError> {
    match found.broken {
        Some(broken) => Ok(source.find_commit(broken.saturating_add(1))?.is_some()),
        None => Ok(false),
    }
}

fn finish(
    folder: &Folder,
    source: &mut Source,
    found: Scan,
    state: State,
) -> Result<(Tail, Recovered), SegmentError> {
    if let Some(broken) = found.broken
        && (found.broken_is_whole || has_later_commit(source, &found)?)
    {
        return Err(source.damaged(broken));
    }
    let segment = source.segment;
    let path = folder.path_of(segment, Form::Plain);
    let size = source.limit();
    let truncated_bytes = size.saturating_sub(found.committed_end);
    let mut file = folder.open_write(segment)?;
    if truncated_bytes > 0 {
        file.truncate(found.committed_end)
            .map_err(|source| SegmentError::Truncate { path: path.clone(), source })?;
    }
    // A failed fdatasync may leave pages that look whole in memory and are not on the disk, and a second
    // fdatasync would not write them. Writing the same bytes again makes it do so.
    let mut offset = found.group_start;
    while offset < found.committed_end {
        let rest = sizes::in_memory(found.committed_end.saturating_sub(offset));
        let window = source.window(offset, rest.min(WALK_BYTES))?;
        let piece = window.get(..rest.min(window.len())).unwrap_or(&[]);
        if piece.is_empty() {
            return Err(SegmentError::Damaged { segment, offset });
        }
        file.write_at(piece, offset).map_err(|source| SegmentError::Write { path: path.clone(), source })?;
        offset = offset.saturating_add(sizes::on_disk(piece.len()));
    }
    file.sync_data().map_err(|source| SegmentError::Sync { path, source })?;
    let recovered = Recovered {
        state,
        truncated_bytes,
        truncated_batches: found.tail_batches,
        replay_from: Pointer::new(segment, found.state_end),
    };
    Ok((Tail { segment, file, end: found.committed_end, hash: found.hash }, recovered))
}

/// A crash between publishing the sealed form and removing the plain one: the successor's STATE decides.
fn keep_one_form(folder: &Folder, segment: SegmentNumber) -> Result<(), SegmentError> {
    let expected = previous_hash_of(folder, segment.next())?;
    let sealed_holds = match Source::open_form(folder, segment, Form::Sealed, WALK_BYTES) {
        Ok(Some(source)) => match source.sealed() {
            Some(sealed) => {
                expected.is_none_or(|hash| hash == sealed.content_hash)
                    && sealed.verify().map_err(|error| source.read_error(error))?
            }
            None => false,
        },
        Ok(None) | Err(SegmentError::Damaged { .. }) => false,
        Err(other) => return Err(other),
    };
    let mut plain = open_plain(folder, segment)?;
    let hash = hash_of(&mut plain)?;
    let plain_holds = expected
        .map_or(scan(&mut plain)?.damage_if_finished(plain.limit()).is_none(), |expected| expected == hash);
    match (sealed_holds, plain_holds) {
        (true, _) => folder.remove(&folder.path_of(segment, Form::Plain)),
        (false, true) => folder.remove(&folder.path_of(segment, Form::Sealed)),
        (false, false) => Err(SegmentError::Damaged { segment, offset: 0 }),
    }
}

/// A crash between publishing the pruned form and removing the others: the pruned one stays if it is whole and was
/// made of what the successor's STATE says; it was published only after that was written down.
fn finish_pruning(folder: &Folder, segment: SegmentNumber, forms: &[Form]) -> Result<(), SegmentError> {
    let expected = previous_hash_of(folder, segment.next())?;
    let holds = match Source::open_form(folder, segment, Form::Pruned, WALK_BYTES) {
        Ok(Some(source)) => match source.sealed() {
            Some(sealed) => {
                expected.is_some()
                    && sealed.was == expected
                    && sealed.verify().map_err(|error| source.read_error(error))?
            }
            None => false,
        },
        Ok(None) | Err(SegmentError::Damaged { .. }) => false,
        Err(other) => return Err(other),
    };
    for form in forms {
        if !form.is_quarantined() && holds != (*form == Form::Pruned) {
            folder.remove(&folder.path_of(segment, *form))?;
        }
    }
    Ok(())
}

/// What a segment's STATE says of the one before; `None` when there is no readable STATE.
pub(crate) fn previous_hash_of(
    folder: &Folder,
    segment: SegmentNumber,
) -> Result<Option<[u8; 32]>, SegmentError> {
    match Source::open(folder, segment, crate::source::LOOKUP_BYTES) {
        Ok(Some(mut source)) => Ok(source.state()?.map(|state| state.previous_hash)),
        Ok(None) | Err(SegmentError::Damaged { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// SHA-256 of all logical bytes, whatever they are.
pub(crate) fn hash_of(source: &mut Source) -> Result<[u8; 32], SegmentError> {
    let mut hash = Sha256::new();
    let mut offset = 0_u64;
    while offset < source.limit() {
        let window = source.window(offset, 1)?;
        if window.is_empty() {
            break;
        }
        hash.update(window);
        offset = offset.saturating_add(sizes::on_disk(window.len()));
    }
    Ok(hash.finalize().into())
}
