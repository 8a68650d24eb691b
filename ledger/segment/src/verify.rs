//! Checks a whole folder: every frame, every sealed block, and the chain of hashes from segment to segment.
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, RealDisk};
use crate::error::SegmentError;
use crate::folder::{Folder, Form};
use crate::pointer::SegmentNumber;
use crate::scan::scan;
use crate::source::{Source, WALK_BYTES};

/// What a check of a folder found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The segments there are, oldest first.
    pub segments: Vec<SegmentNumber>,
    /// Whole batches up to each segment's last COMMIT, or to its first damage.
    pub n_batches: u64,
    /// Whole commits up to the same.
    pub n_commits: u64,
    /// Bytes after the last COMMIT: a torn tail, or a commit on its way.
    pub uncommitted_bytes: u64,
    /// Segments without entries whose retention is over: what they were and what they are.
    pub pruned: Vec<PrunedSegment>,
    /// Everything that does not hold, in order.
    pub damage: Vec<Damage>,
}

impl Report {
    /// Whether everything holds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }
}

/// A segment out of which entries were taken. Whoever took them wrote both hashes down: compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrunedSegment {
    /// The segment.
    pub segment: SegmentNumber,
    /// SHA-256 of its logical bytes before, as its header says and the next STATE confirms.
    pub was: [u8; 32],
    /// SHA-256 of its logical bytes now.
    pub is: [u8; 32],
}

/// One thing that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: SegmentNumber,
    /// The logical offset, as near as it is known.
    pub offset: u64,
    /// What is wrong.
    pub kind: DamageKind,
}

/// What is wrong with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// No whole frame is at the offset, though it was once committed.
    Frame,
    /// The sealed file's table, a block or its hash does not hold.
    Sealed,
    /// The STATE names another hash for the segment before than it has.
    PreviousHash,
    /// There is no such segment, though there are earlier and later ones.
    Missing,
    /// A person set it aside.
    Quarantined,
    /// The format is of a later version.
    UnknownVersion,
}

/// Checks the log in a folder. Changes nothing and takes no lock.
///
/// # Errors
/// When there is no log, or files cannot be read. Damage is no error: it is in the report.
pub fn verify_chain(dir: &Path) -> Result<Report, SegmentError> {
    verify_chain_on(Arc::new(RealDisk), dir)
}

/// [`verify_chain`] on another disk.
///
/// # Errors
/// As [`verify_chain`].
pub fn verify_chain_on(disk: Arc<dyn Disk>, dir: &Path) -> Result<Report, SegmentError> {
    let folder = Folder::new(disk, dir);
    let listing = folder.list()?;
    let Some((last, _)) = listing.last_key_value() else {
        return Err(SegmentError::NoLog { path: dir.to_owned() });
    };
    let mut report = Report::default();
    let mut chain = Chain::Unknown;
    let mut expected = None;
    for (segment, forms) in &listing {
        if let Some(missing) = expected.filter(|expected| expected != segment) {
            report.add(missing, 0, DamageKind::Missing);
            chain = Chain::Unknown;
        }
        expected = Some(segment.next());
        if *segment == SegmentNumber::FIRST {
            chain = Chain::Hash([0; 32]);
        }
        let before = chain;
        for form in forms {
            chain = report.check(&folder, *segment, *form, before, segment == last)?;
        }
        report.segments.push(*segment);
    }
    Ok(report)
}

/// What the next STATE must say.
#[derive(Clone, Copy)]
enum Chain {
    Hash([u8; 32]),
    /// The segment before is pruned, missing or damaged.
    Unknown,
}

impl Report {
    fn add(&mut self, segment: SegmentNumber, offset: u64, kind: DamageKind) {
        self.damage.push(Damage { segment, offset, kind });
    }

    fn check(
        &mut self,
        folder: &Folder,
        segment: SegmentNumber,
        form: Form,
        before: Chain,
        is_last: bool,
    ) -> Result<Chain, SegmentError> {
        if form.is_quarantined() {
            self.add(segment, 0, DamageKind::Quarantined);
            return Ok(Chain::Unknown);
        }
        let mut source = match Source::open_form(folder, segment, form, WALK_BYTES) {
            Ok(Some(source)) => source,
            Ok(None) => {
                // Sealed or pruned since the folder was listed.
                return match Source::open(folder, segment, WALK_BYTES)? {
                    Some(found) if found.form != form => {
                        self.check(folder, segment, found.form, before, is_last)
                    }
                    _ => Ok(Chain::Unknown),
                };
            }
            Err(SegmentError::Damaged { offset, .. }) => {
                self.add(segment, offset, DamageKind::Sealed);
                return Ok(Chain::Unknown);
            }
            Err(other) => return Err(other),
        };
        let found = match scan(&mut source) {
            Ok(found) => found,
            Err(SegmentError::UnknownVersion { .. }) => {
                self.add(segment, 0, DamageKind::UnknownVersion);
                return Ok(Chain::Unknown);
            }
            Err(other) => return Err(other),
        };
        self.n_batches = self.n_batches.saturating_add(found.n_batches);
        self.n_commits = self.n_commits.saturating_add(found.n_commits);
        if let (Chain::Hash(hash), Some(state)) = (before, &found.state)
            && state.previous_hash != hash
        {
            self.add(segment, 0, DamageKind::PreviousHash);
        }
        let damage = if is_last && found.state.is_some() {
            match found.broken {
                Some(broken)
                    if found.broken_is_whole || source.find_commit(broken.saturating_add(1))?.is_some() =>
                {
                    Some(broken)
                }
                _ => {
                    self.uncommitted_bytes = source.limit().saturating_sub(found.committed_end);
                    None
                }
            }
        } else {
            found.damage_if_finished(source.limit())
        };
        if let Some(offset) = damage {
            self.add(segment, offset, DamageKind::Frame);
            return Ok(Chain::Unknown);
        }
        let hash = found.content_hash();
        if source.sealed().is_some_and(|sealed| sealed.content_hash != hash) {
            self.add(segment, 0, DamageKind::Sealed);
            return Ok(Chain::Unknown);
        }
        let Some(was) = source.sealed().and_then(|sealed| sealed.was) else { return Ok(Chain::Hash(hash)) };
        self.pruned.push(PrunedSegment { segment, was, is: hash });
        // The next STATE vouches for what the segment was, not for what is left of it.
        Ok(Chain::Hash(was))
    }
}
