//! Epochs of a bundle's keys: each roll-over is signed by the key before it and stands in the log, and every note
//! lies within the bounds of its epoch and before the author's revocation. The collector's epochs are not rolled over
//! to: the trust file announces each restore, and at which leaf it closed the log. Part of the checks author-keys and
//! batch-notes.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::bag::Files;
use crate::bundle::range::RolledBy;
use crate::bundle::{NOTE_SUFFIX, note_path, notes_prefix, proof_path};
use crate::checkpoint::Checkpoint;
use crate::checks::anchor::{FinalCheckpoint, status_of_checkpoint};
use crate::checks::keys::{Acts, Keys, Read, Shown, enrolled};
use crate::checks::ranges::{Listed, included};
use crate::checks::rows::Rows;
use crate::checks::{Faults, Status};
use crate::epoch::RollOver;
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::name::Author;
use crate::note::VerifierKey;
use crate::tlog_proof::TlogProof;
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

/// Whether a batch of the collector of that size, at that leaf, may be of this epoch: the leaf says whose it is.
pub(super) fn of_collector(trust: &TrustFile, index: u64, size: u64, epoch: u32) -> Result<(), String> {
    let belongs = trust.generation(index.saturating_add(1));
    if usize::try_from(epoch) == Ok(belongs) {
        return Ok(());
    }
    Err(format!(
        "the note of {size} entries of collector epoch {epoch} stands at leaf {index}, which is of epoch {belongs} as the trust file announces its restores"
    ))
}

/// Checks that the collector's acts lead to the last note before each announced restore, which the closed key signed; how
/// many do. The new key vouches for no act before it.
pub(super) fn closed(
    keys: &Keys,
    trust: &TrustFile,
    files: &Files,
    last: Option<&FinalCheckpoint>,
    listed: &Listed,
    rows: &Rows,
    faults: &mut Faults,
) -> usize {
    let Some(last) = last else { return 0 };
    let mut held = 0usize;
    for closed in trust.closed_within(last.checkpoint.size) {
        match before(closed.size, keys, trust, files, last, listed, rows) {
            Ok(()) => held = held.saturating_add(1),
            Err((status, wrong)) => faults.add(status, format!("the restore at {}: {wrong}", closed.made)),
        }
    }
    held
}

fn before(
    closed_at: u64,
    keys: &Keys,
    trust: &TrustFile,
    files: &Files,
    last: &FinalCheckpoint,
    listed: &Listed,
    rows: &Rows,
) -> Result<(), (Status, String)> {
    let is_before = |size: &u64| {
        let proof = files.get(&proof_path(&Author::Collector, *size));
        let proof = proof.and_then(|bytes| TlogProof::parse(std::str::from_utf8(bytes).ok()?).ok());
        proof.is_some_and(|proof| proof.index < closed_at)
    };
    let size = collector_notes(files).filter(is_before).max().ok_or_else(|| {
        (Status::Incomplete, format!("the collector's last note before leaf {closed_at} is missing"))
    })?;
    let (signed, index) = collector_note(size, trust, files, Some(last))?;
    let epoch = u32::try_from(trust.generation(index.saturating_add(1))).unwrap_or(u32::MAX);
    if keys.of(&Author::Collector, epoch).is_none() {
        return Err((Status::NotVerifiable, format!("the collector's key in epoch {epoch} is not listed")));
    }
    // Where the note ends a range, the check entries leads the rows to it.
    if listed.of_collector().any(|range| range.range.size == size) {
        return Ok(());
    }
    match listed.roots(&Author::Collector, &BTreeSet::from([size]), rows).get(&size) {
        Some(root) if *root == signed.root => Ok(()),
        Some(_) => Err((
            Status::Altered,
            format!(
                "the collector's acts do not lead to the root of {size} entries that its key signed before"
            ),
        )),
        None => Err((
            Status::NotVerifiable,
            format!("the collector's note of {size} entries lies inside no range of this bundle"),
        )),
    }
}

/// Sizes of the collector's notes that a bundle has as files.
fn collector_notes(files: &Files) -> impl Iterator<Item = u64> {
    let prefix = notes_prefix(&Author::Collector);
    let from = files.range(prefix.clone()..);
    from.map_while(move |(path, _)| path.strip_prefix(&prefix))
        .filter_map(|name| name.strip_suffix(NOTE_SUFFIX)?.parse::<u64>().ok())
}

/// The collector's note of a size, signed with the key of the leaf at which it stands; and that leaf.
fn collector_note(
    size: u64,
    trust: &TrustFile,
    files: &Files,
    last: Option<&FinalCheckpoint>,
) -> Result<(Checkpoint, u64), (Status, String)> {
    let path = note_path(&Author::Collector, size);
    let note = files.get(&path).ok_or_else(|| (Status::Incomplete, format!("{path} is missing")))?;
    let index = included(note, &proof_path(&Author::Collector, size), files, last)
        .map_err(|(status, wrong)| (status, format!("{path}: {wrong}")))?;
    let epoch = u32::try_from(trust.generation(index.saturating_add(1))).ok();
    let key = epoch.and_then(|epoch| trust.collector_of(epoch)).unwrap_or(&trust.collector);
    let signed = Checkpoint::verify(note, key)
        .map_err(|error| (status_of_checkpoint(&error), format!("{path}: {error}")))?;
    if signed.size != size {
        return Err((Status::Altered, format!("{path} speaks of another size than its name")));
    }
    Ok((signed, index))
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
    let size = collector_notes(files).filter(|size| *size > act).min().ok_or_else(missing)?;
    let (_, index) = collector_note(size, trust, files, last)
        .map_err(|(status, wrong)| (status, format!("the note of act {act}: {wrong}")))?;
    Ok(Some((act, index)))
}
