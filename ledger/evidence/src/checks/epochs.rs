//! Epochs of a bundle's keys: each roll-over is signed by the key before it and stands in the log, and every note
//! lies within the bounds of its epoch and before the author's revocation. Part of the checks author-keys and
//! batch-notes.

use std::collections::BTreeMap;

use crate::bundle::bag::Files;
use crate::bundle::range::RolledBy;
use crate::bundle::{NOTE_SUFFIX, note_path, notes_prefix, proof_path};
use crate::checkpoint::Checkpoint;
use crate::checks::anchor::{FinalCheckpoint, status_of_checkpoint};
use crate::checks::keys::{Acts, Read, Shown, enrolled};
use crate::checks::ranges::included;
use crate::checks::{Faults, Status};
use crate::epoch::RollOver;
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::name::Author;
use crate::note::VerifierKey;
use crate::trust::TrustFile;

/// What a key may have signed: sizes of the author's log, and places in the collector log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    epoch: u32,
    /// Size and index of the roll-over that began the epoch; its notes are larger and later.
    begins: Option<(u64, u64)>,
    /// Size and index of the roll-over that ended it: its last note.
    ends: Option<(u64, u64)>,
    /// Act and index of the note that revoked the author: its notes are earlier.
    revoked: Option<(u64, u64)>,
}

impl Bounds {
    /// Whether a note of that size at that index lies within; else why not.
    pub(super) fn hold(&self, size: u64, index: u64) -> Result<(), String> {
        let epoch = self.epoch;
        if let Some((at, place)) = self.begins
            && (size <= at || index <= place)
        {
            return Err(format!("the note of {size} entries lies before epoch {epoch}, which began at {at}"));
        }
        if let Some((at, place)) = self.ends
            && (size > at || index > place)
        {
            return Err(format!("the note of {size} entries lies behind epoch {epoch}, which ended at {at}"));
        }
        if let Some((act, place)) = self.revoked
            && index >= place
        {
            return Err(format!("the note of {size} entries came after act {act}, which revoked its author"));
        }
        Ok(())
    }
}

/// Keys that are shown to be their authors': the first enrolled, each later one named by the one before.
pub(super) fn chain(
    read: &BTreeMap<(Author, u32), Read<'_>>,
    acts: &Acts,
    trust: &TrustFile,
    files: &Files,
    last: Option<&FinalCheckpoint>,
    faults: &mut Faults,
) -> BTreeMap<(Author, u32), Shown> {
    let mut shown: BTreeMap<(Author, u32), Shown> = BTreeMap::new();
    for ((author, epoch), read) in read {
        let mut bounds = Bounds { epoch: *epoch, ..Bounds::default() };
        let outcome = match (&read.listed.enrolled_by, &read.listed.rolled_by) {
            (_, None) => enrolled(read, acts),
            (Some(_), Some(_)) => {
                Err((Status::NotVerifiable, format!("{} is enrolled and rolled over to, too", read.name)))
            }
            (None, Some(by)) => {
                let before = epoch.checked_sub(1).and_then(|before| shown.get_mut(&(author.clone(), before)));
                match before {
                    None => Err((
                        Status::NotVerifiable,
                        format!("{} follows a key that is not shown to be its author's", read.name),
                    )),
                    Some(before) => rolled(read, by, *epoch, &before.key, last).and_then(|place| {
                        before.bounds.hold(place.0, place.1).map_err(|wrong| (Status::Altered, wrong))?;
                        (before.bounds.ends, bounds.begins) = (Some(place), Some(place));
                        Ok(())
                    }),
                }
            }
        };
        let outcome = outcome.and_then(|()| {
            bounds.revoked = revoked(read, acts, trust, files, last)?;
            Ok(())
        });
        match outcome {
            Ok(()) => drop(shown.insert((author.clone(), *epoch), Shown { key: read.key.clone(), bounds })),
            Err((status, wrong)) => faults.add(status, wrong),
        }
    }
    shown
}

/// Checks that the key before signed a roll-over to this one, which stands in the log: its note's size and index.
fn rolled(
    read: &Read<'_>,
    by: &RolledBy,
    epoch: u32,
    before: &VerifierKey,
    last: Option<&FinalCheckpoint>,
) -> Result<(u64, u64), (Status, String)> {
    let name = format!("the roll-over to {}", read.name);
    let altered = |wrong: String| (Status::Altered, format!("{name}: {wrong}"));
    let unknown = |wrong: &str| (Status::NotVerifiable, format!("{name} {wrong}"));
    if by.row.number() != by.number {
        return Err(altered("its row bears another number".to_owned()));
    }
    let event = by.row.event().ok().flatten().ok_or_else(|| unknown("is not disclosed"))?;
    if event.kind.as_str() != "epoch" {
        return Err(unknown("is an entry of another kind"));
    }
    let next = RollOver::read(&event, before.name()).map_err(|error| altered(error.to_string()))?;
    if next.number != epoch || next.key != read.key {
        return Err(unknown("names another epoch or key"));
    }
    let signed = Checkpoint::verify(by.note.as_bytes(), before)
        .map_err(|error| (status_of_checkpoint(&error), format!("{name}: {error}")))?;
    let mut range = by.compact_range().map_err(|error| altered(error.to_string()))?;
    range.append(by.row.leaf_hash()).map_err(|error| altered(error.to_string()))?;
    if signed.size != range.size() || signed.root != range.root() {
        return Err(altered("the entry does not lead to the root that the key before signed".to_owned()));
    }
    let last = last.ok_or_else(|| unknown("is not judged without a final checkpoint"))?;
    let Checkpoint { size, root, .. } = &last.checkpoint;
    verify_inclusion(&leaf_hash(by.note.as_bytes()), by.index, *size, &by.inclusion, root)
        .map_err(|error| altered(error.to_string()))?;
    Ok((signed.size, by.index))
}

/// The act that revoked an author, and where in the log; the list says the same as the acts.
fn revoked(
    read: &Read<'_>,
    acts: &Acts,
    trust: &TrustFile,
    files: &Files,
    last: Option<&FinalCheckpoint>,
) -> Result<Option<(u64, u64)>, (Status, String)> {
    let (listed, name) = (read.listed.revoked_by.map(|by| by.number), &read.name);
    let act = match (acts.revoked(&read.listed.author), listed) {
        (None, None) => return Ok(None),
        (Some(act), Some(listed)) if act == listed => act,
        (Some(act), _) => {
            return Err((
                Status::Altered,
                format!("act {act} revoked the author of {name}, which its list hides"),
            ));
        }
        (None, Some(act)) => {
            let wrong =
                format!("{name} is listed as revoked by act {act}, which no verified row discloses so");
            return Err((Status::NotVerifiable, wrong));
        }
    };
    let missing = || {
        let wrong = format!(
            "the collector's note of the batch with act {act}, which revoked the author of {name}, is missing"
        );
        (Status::Incomplete, wrong)
    };
    // The smallest note that covers the act is the note of its batch.
    let prefix = notes_prefix(&Author::Collector);
    let sizes = files.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
    let sizes = sizes.filter_map(|(path, _)| {
        path.strip_prefix(&prefix)?.strip_suffix(NOTE_SUFFIX)?.parse::<u64>().ok().filter(|size| *size > act)
    });
    let size = sizes.min().ok_or_else(missing)?;
    let note = files.get(&note_path(&Author::Collector, size)).ok_or_else(missing)?;
    let signed = Checkpoint::verify(note, &trust.collector)
        .map_err(|error| (status_of_checkpoint(&error), format!("the note of act {act}: {error}")))?;
    if signed.size != size {
        return Err((Status::Altered, format!("the note of act {act} speaks of another size than its name")));
    }
    let index = included(note, &proof_path(&Author::Collector, size), files, last)
        .map_err(|(status, wrong)| (status, format!("the note of act {act}: {wrong}")))?;
    Ok(Some((act, index)))
}
