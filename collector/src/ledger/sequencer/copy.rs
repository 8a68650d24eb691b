//! A collector's copy of what the database holds: made, and followed group by group with everything checked.

use std::sync::Arc;

use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::name::Slug;
use ntk_segment::disk::Disk;
use ntk_segment::frame::{Frame, MAGIC};
use ntk_segment::install::{Form, Install};
use ntk_segment::pointer::SegmentNumber;
use tracing::info;

use super::steadily;
use crate::config::store::StoreAt;
use crate::home::Home;
use crate::ledger::database::{Database, DatabaseError, StoredGroup, StoredSegment};
use crate::ledger::writer::{Finished, Writer};
use crate::ledger::{LedgerError, SignedCheckpoint, from_frame};

/// The way to the database, and a copy of its segments where this collector has none.
///
/// # Errors
/// When it does not answer, holds no ledger of this practice, or the copy cannot be written.
pub fn connect(
    at: &StoreAt,
    home: &Home,
    slug: &Slug,
    disk: &Arc<dyn Disk>,
) -> Result<Database, LedgerError> {
    let mut database = Database::new(at, home, slug.as_str())?;
    let tip = steadily(&mut database, Database::tip)?;
    if tip.is_closed {
        return Err(DatabaseError::Closed(slug.as_str().to_owned()).into());
    }
    if let Some(install) = Install::begin(Arc::clone(disk), &home.ledger())? {
        copy(&mut database, &install)?;
    }
    Ok(database)
}

/// Writes every segment file anew from its rows.
pub(super) fn copy(database: &mut Database, install: &Install) -> Result<(), LedgerError> {
    let segments = steadily(database, |database| database.segments_from(0))?;
    info!(segments = segments.len(), "the ledger is copied from the database");
    let mut next = segments.iter().skip(1);
    for segment in &segments {
        let until = next.next().map(|next| next.size);
        let number = SegmentNumber::new(segment.number);
        if let Some(file) = &segment.pruned {
            install.put(number, Form::Pruned, file)?;
            continue;
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&segment.state);
        let mut size = segment.size;
        while until.is_none_or(|until| size < until) {
            let groups = steadily(database, |database| database.groups_after(size))?;
            if groups.is_empty() {
                break;
            }
            for group in groups {
                if until.is_some_and(|until| group.size > until) {
                    break;
                }
                group.batches.iter().for_each(|frame| bytes.extend_from_slice(frame));
                bytes.extend_from_slice(&group.commit);
                size = group.size;
            }
        }
        install.put(number, Form::Plain, &bytes)?;
    }
    Ok(())
}

pub(super) fn checkpoint_of(writer: &Writer, commit: &[u8]) -> Result<Checkpoint, LedgerError> {
    match Frame::decode(commit) {
        Ok((Frame::Commit(commit), _)) => {
            Ok(Checkpoint::verify(&commit.checkpoint, writer.core.keys.log.verifier())?)
        }
        _ => Err(damaged(writer, "a COMMIT of the database cannot be read")),
    }
}

pub(super) fn damaged(writer: &Writer, wrong: &str) -> LedgerError {
    LedgerError::Damaged { leaf: writer.core.state.range.size(), source: wrong.into() }
}

pub(super) fn follow_group(writer: &mut Writer, group: &StoredGroup) -> Result<(), LedgerError> {
    let mut leaves = Vec::new();
    for bytes in &group.batches {
        let leaf = writer.core.state.range.size();
        match Frame::decode(bytes) {
            Ok((Frame::Batch(frame), length)) if length == bytes.len() => {
                leaves.push(writer.core.state.follow(from_frame(leaf, frame.clone())?)?);
                let _at = writer.core.log.append(&frame)?;
            }
            _ if bytes.is_empty() => {
                return Err(damaged(
                    writer,
                    "entries were taken out of the database since this copy was made; remove the folder `ledger`, it is copied again",
                ));
            }
            _ => return Err(damaged(writer, "a BATCH of the database cannot be read")),
        }
    }
    let checkpoint = checkpoint_of(writer, &group.commit)?;
    if checkpoint != writer.core.state.checkpoint() {
        return Err(damaged(writer, "a group of the database is not what its checkpoint says"));
    }
    let Ok((Frame::Commit(commit), _)) = Frame::decode(&group.commit) else {
        return Err(damaged(writer, "a COMMIT of the database cannot be read"));
    };
    let note = commit.checkpoint.clone();
    let signed = SignedCheckpoint { checkpoint, note };
    let signed = Arc::new(writer.core.keep(signed, &commit)?);
    writer.publish(&leaves, &signed)
}

pub(super) fn follow_segment(writer: &mut Writer, segment: &StoredSegment) -> Result<(), LedgerError> {
    let Ok((Frame::State(state), _)) = Frame::decode(&segment.state) else {
        return Err(damaged(writer, "a STATE of the database cannot be read"));
    };
    let own = writer.core.state.to_frame();
    let is_next = segment.number == writer.core.log.committed_end().segment.next().value();
    let is_same =
        state.authors == own.authors && state.log_size == own.log_size && state.log_range == own.log_range;
    if !is_next || !is_same || state.previous_hash != writer.core.log.content_hash() {
        return Err(damaged(writer, "a segment of the database does not continue the one before"));
    }
    writer.roll_to(state, Finished(Vec::new()))
}
