//! Ranges: whether the rows lead to signed notes and the notes stand in the log. The checks batch-notes,
//! inclusion and entries.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::RANGES;
use crate::bundle::bag::Files;
use crate::bundle::range::Range;
use crate::bundle::row::Row;
use crate::checkpoint::Checkpoint;
use crate::checks::anchor::{FinalCheckpoint, status_of_checkpoint};
use crate::checks::keys::Keys;
use crate::checks::rows::Rows;
use crate::checks::{Check, Faults, Status, quoted};
use crate::hash::Hash;
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::name::Author;
use crate::tlog_proof::TlogProof;

/// How many ranges are read.
const RANGES_MAX: usize = 10_000;
/// How many ranges are told one by one when all is well.
const RANGES_TOLD_MAX: usize = 12;

/// The ranges of a bundle.
pub(super) struct Listed {
    ranges: Vec<ListedRange>,
}

/// One range with its author's name read.
pub(super) struct ListedRange {
    pub(super) author: Author,
    pub(super) range: Range,
}

/// Faults found on the way, by check.
#[derive(Default)]
pub(super) struct RangeFaults {
    notes: Faults,
    inclusion: Faults,
    entries: Faults,
    n_notes: u64,
    told: Vec<String>,
}

impl RangeFaults {
    fn everywhere(&mut self, status: Status, sentence: &str) {
        for faults in [&mut self.notes, &mut self.inclusion, &mut self.entries] {
            faults.add(status, sentence);
        }
    }

    /// The three checks.
    pub(super) fn into_checks(self, listed: &Listed, checks: &mut Vec<Check>) {
        let n_notes = self.n_notes;
        checks.push(
            self.notes
                .into_check("batch-notes", || format!("{n_notes} notes are signed by their authors' keys")),
        );
        checks.push(
            self.inclusion.into_check("inclusion", || {
                format!("{n_notes} notes stand in the log of the final checkpoint")
            }),
        );
        checks.push(self.entries.into_check("entries", || {
            let mut sentence = self.told.iter().take(RANGES_TOLD_MAX).cloned().collect::<Vec<_>>().join("; ");
            let more = listed.ranges.len().saturating_sub(RANGES_TOLD_MAX);
            if more > 0 {
                sentence.push_str(&format!("; and {more} more ranges, none missing"));
            }
            sentence
        }));
    }
}

impl Listed {
    /// Reads `proofs/ranges.json`, and finds rows that no range ties.
    pub(super) fn read(files: &Files, rows: &Rows) -> (Self, RangeFaults) {
        let mut faults = RangeFaults::default();
        rows.tell_unreadable(&mut faults.entries);
        let mut ranges = Vec::new();
        match files.get(RANGES).map(|bytes| serde_json::from_slice::<Vec<Range>>(bytes)) {
            None => faults.everywhere(Status::Incomplete, &format!("{RANGES} is missing")),
            Some(Err(_)) => faults.everywhere(Status::Altered, &format!("{RANGES} is not a list of ranges")),
            Some(Ok(list)) if list.is_empty() => {
                faults.everywhere(Status::Incomplete, &format!("{RANGES} names no range"))
            }
            Some(Ok(list)) if list.len() > RANGES_MAX => {
                faults.everywhere(
                    Status::NotVerifiable,
                    &format!("{RANGES} names more than {RANGES_MAX} ranges"),
                );
            }
            Some(Ok(list)) => {
                for range in list {
                    match Author::parse(&range.author) {
                        Ok(author) => ranges.push(ListedRange { author, range }),
                        Err(error) => faults.everywhere(Status::Altered, &format!("{RANGES}: {error}")),
                    }
                }
            }
        }
        for author in rows.authors() {
            tied(author, rows.of(author), &ranges, &mut faults.entries);
        }
        (Self { ranges }, faults)
    }

    /// All ranges.
    pub(super) fn all(&self) -> &[ListedRange] {
        &self.ranges
    }

    /// The collector's ranges, which name the others' keys.
    pub(super) fn of_collector(&self) -> impl Iterator<Item = &ListedRange> {
        self.ranges.iter().filter(|range| range.author == Author::Collector)
    }

    /// The roots to which an author's rows lead at these sizes; none where no range has the size inside.
    pub(super) fn roots(&self, author: &Author, sizes: &BTreeSet<u64>, rows: &Rows) -> BTreeMap<u64, Hash> {
        let mut roots = BTreeMap::new();
        for listed in self.ranges.iter().filter(|listed| listed.author == *author) {
            let (first, size) = (listed.range.first, listed.range.size);
            // A range that cannot be followed leads nowhere; the check entries says what is wrong with it.
            let Ok(mut range) = listed.range.compact_range() else { continue };
            for row in rows.of(author).iter().filter(|row| (first..size).contains(&row.number())) {
                if range.size() != row.number() || range.append(row.leaf_hash()).is_err() {
                    break;
                }
                if range.size() < size && sizes.contains(&range.size()) {
                    roots.insert(range.size(), range.root());
                }
            }
        }
        roots
    }

    /// Everybody else's ranges.
    pub(super) fn of_others(&self) -> impl Iterator<Item = &ListedRange> {
        self.ranges.iter().filter(|range| range.author != Author::Collector)
    }
}

/// Every row of an author lies in a range, rows and ranges in order of their numbers.
fn tied(author: &Author, rows: &[Row], ranges: &[ListedRange], faults: &mut Faults) {
    let of_author: Vec<&Range> =
        ranges.iter().filter(|range| range.author == *author).map(|listed| &listed.range).collect();
    if !of_author.is_sorted_by(|earlier, later| earlier.size <= later.first) {
        faults.add(Status::Altered, format!("the ranges of {author} overlap or are out of order"));
    }
    if !rows.is_sorted_by(|earlier, later| earlier.number() < later.number()) {
        faults.add(Status::Altered, format!("rows of {author} are out of order or stand twice"));
    }
    let mut rest = of_author.iter().peekable();
    for row in rows {
        while rest.peek().is_some_and(|range| range.size <= row.number()) {
            rest.next();
        }
        if rest.peek().is_none_or(|range| row.number() < range.first) {
            faults.add(
                Status::NotVerifiable,
                format!("row {} of {author} lies in no range: nothing ties it to a note", row.number()),
            );
        }
    }
    if rows.is_empty() {
        faults.add(Status::Incomplete, format!("{author} has no row"));
    }
}

impl ListedRange {
    fn name(&self) -> String {
        format!("{} [{}, {})", self.author, self.range.first, self.range.size)
    }

    /// Checks notes, inclusion and rows; the rows if all of it holds.
    pub(super) fn verify<'a>(
        &self,
        keys: &Keys,
        files: &Files,
        last: Option<&FinalCheckpoint>,
        rows: &'a Rows,
        faults: &mut RangeFaults,
    ) -> Option<&'a [Row]> {
        let end = self.note(
            &self.range.note,
            &self.range.proof,
            self.range.epoch,
            self.range.size,
            keys,
            files,
            last,
            faults,
        );
        let is_beginning = || self.range.compact_range().is_ok_and(|range| keys.begins(&self.author, &range));
        let before = match (&self.range.before, self.range.first) {
            (None, 0) => Some(None),
            (None, first) if first > 0 && is_beginning() => Some(None),
            (Some(at), first) if first > 0 => {
                self.note(&at.note, &at.proof, at.epoch, first, keys, files, last, faults).map(Some)
            }
            (None, _) => {
                faults
                    .entries
                    .add(Status::Incomplete, format!("{} has no note of its beginning", self.name()));
                return None;
            }
            (Some(_), _) => {
                faults.entries.add(
                    Status::Altered,
                    format!("{} has a note of a beginning that it does not have", self.name()),
                );
                return None;
            }
        };
        let (Some((end, end_at)), Some(before)) = (end, before) else {
            faults.entries.add(Status::NotVerifiable, format!("{} is not tied to signed notes", self.name()));
            return None;
        };
        if before.as_ref().is_some_and(|(_, index)| *index >= end_at) {
            faults.inclusion.add(
                Status::Altered,
                format!("the notes of {} stand in the log in the wrong order", self.name()),
            );
            return None;
        }
        match self.rows_lead_to(&end, before.as_ref().map(|(note, _)| note), rows) {
            Ok((found, told)) => {
                if faults.told.len() < RANGES_TOLD_MAX {
                    faults.told.push(told);
                }
                Some(found)
            }
            Err((status, sentence)) => {
                faults.entries.add(status, sentence);
                None
            }
        }
    }

    /// The author's note of a size, if it is signed and stands in the log; and where.
    #[expect(clippy::too_many_arguments, reason = "what is checked, against what, and where faults go")]
    fn note(
        &self,
        note_path: &str,
        proof_path: &str,
        epoch: u32,
        size: u64,
        keys: &Keys,
        files: &Files,
        last: Option<&FinalCheckpoint>,
        faults: &mut RangeFaults,
    ) -> Option<(Checkpoint, u64)> {
        let Some(note) = files.get(note_path) else {
            faults.notes.add(Status::Incomplete, format!("{} is missing", quoted(note_path)));
            return None;
        };
        let Some(key) = keys.of(&self.author, epoch) else {
            faults
                .notes
                .add(Status::NotVerifiable, format!("no key is known for {} in epoch {epoch}", self.author));
            faults
                .inclusion
                .add(Status::NotVerifiable, format!("{} is not judged without a key", quoted(note_path)));
            return None;
        };
        let checkpoint = match Checkpoint::verify(note, key) {
            Ok(checkpoint) if checkpoint.size == size => checkpoint,
            Ok(checkpoint) => {
                faults.notes.add(
                    Status::Altered,
                    format!(
                        "{} speaks of {} entries where the range needs {size}",
                        quoted(note_path),
                        checkpoint.size
                    ),
                );
                return None;
            }
            Err(error) => {
                faults.notes.add(status_of_checkpoint(&error), format!("{}: {error}", quoted(note_path)));
                return None;
            }
        };
        faults.n_notes = faults.n_notes.saturating_add(1);
        let index = included(note, proof_path, files, last);
        match index {
            Ok(index) => match keys.within(&self.author, epoch, size, index) {
                Ok(()) => Some((checkpoint, index)),
                Err(wrong) => {
                    faults.notes.add(Status::Altered, format!("{}: {wrong}", quoted(note_path)));
                    None
                }
            },
            Err((status, wrong)) => {
                faults.inclusion.add(status, format!("{}: {wrong}", quoted(proof_path)));
                None
            }
        }
    }

    fn rows_lead_to<'a>(
        &self,
        end: &Checkpoint,
        before: Option<&Checkpoint>,
        rows: &'a Rows,
    ) -> Result<(&'a [Row], String), (Status, String)> {
        let name = self.name();
        let (first, size) = (self.range.first, self.range.size);
        if first >= size {
            return Err((Status::Altered, format!("{name} is empty")));
        }
        let mut range = self
            .range
            .compact_range()
            .map_err(|error| (Status::Altered, format!("the compact range before {name}: {error}")))?;
        if before.is_some_and(|before| before.root != range.root()) {
            return Err((
                Status::Altered,
                format!("the compact range before {name} does not lead to the note of its beginning"),
            ));
        }
        let all = rows.of(&self.author);
        let from = all.partition_point(|row| row.number() < first);
        let to = all.partition_point(|row| row.number() < size);
        let found = all.get(from..to).unwrap_or_default();
        let mut shown: u64 = 0;
        let mut expected = first;
        for row in found {
            if row.number() != expected {
                break;
            }
            range.append(row.leaf_hash()).map_err(|error| (Status::Altered, format!("{name}: {error}")))?;
            shown = shown.saturating_add(u64::from(row.is_disclosed()));
            expected = expected.saturating_add(1);
        }
        if expected != size {
            return Err((Status::Incomplete, format!("entry {expected} of {name} is missing")));
        }
        if range.root() != end.root {
            return Err((
                Status::Altered,
                format!("the rows of {name} do not lead to the root that the author signed"),
            ));
        }
        let withheld = size.saturating_sub(first).saturating_sub(shown);
        let mut told = format!(
            "of entries {first}..{} of {}, {shown} shown, {withheld} withheld, none missing",
            size.saturating_sub(1),
            self.author,
        );
        if first > 0 && before.is_none() {
            told.push_str(&format!(" (entries before {first} are gone, as the act that enrolled it says)"));
        }
        Ok((found, told))
    }
}

/// Where a note stands in the log of the final checkpoint.
pub(super) fn included(
    note: &[u8],
    proof_path: &str,
    files: &Files,
    last: Option<&FinalCheckpoint>,
) -> Result<u64, (Status, String)> {
    let altered = |wrong: String| (Status::Altered, wrong);
    let last = last.ok_or((Status::NotVerifiable, "there is no verified final checkpoint".to_owned()))?;
    let bytes = files.get(proof_path).ok_or((Status::Incomplete, "missing".to_owned()))?;
    let text = std::str::from_utf8(bytes).map_err(|_| altered("not UTF-8".to_owned()))?;
    let proof = TlogProof::parse(text).map_err(|error| altered(error.to_string()))?;
    if proof.checkpoint.as_bytes() != last.note {
        return Err(altered("carries another checkpoint than the final one".to_owned()));
    }
    let Checkpoint { size, root, .. } = &last.checkpoint;
    verify_inclusion(&leaf_hash(note), proof.index, *size, &proof.hashes, root)
        .map_err(|error| altered(error.to_string()))?;
    Ok(proof.index)
}
