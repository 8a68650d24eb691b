//! The durable queue between sensors and the uplink: this machine's own signed log on disk.
//!
//! # Format
//! Frames of `ntk_segment` below `DIR/spool`, with one author. BATCH holds the entries with the author's signed
//! note; STATE the author's size and range. What the segment crate leaves open is used so: the COMMIT's
//! checkpoint field and the STATE's `decided` field hold the [`Bookmark`] as JSON (how far recordings
//! and channels of the event log are durable), and `decided` also the time at which its segment began. `position.json` beside the
//! segments says how far the collector acknowledged ([`position`]).
//!
//! # Operation
//! One thread owns it ([`thread`]): entries of at most 50 ms or 512 become one sealed batch, one BATCH and one
//! COMMIT frame, one fdatasync; then [`Progress`] is published and the uplink may read them back ([`shelf`]).
//!
//! # Epochs
//! The log's key changes at every start and every day ([`Spool::roll_over`]): the next key is durable, then the
//! roll-over batch, alone and last under the old key, then the old seed is overwritten, synced and removed. Recovery
//! follows the roll-overs of the last segment, so the epoch is what the log says; a start goes on from any step.
//!
//! # Exactly once for recordings
//! Recordings are played by a pure pipeline, so the event at a position is always the same. The position of the
//! last durable event stands in the same COMMIT as that event: both are on disk or neither is. A restart plays
//! the recordings again and hands over only what lies behind it. The event log of Windows goes the same way:
//! [`crate::sensor::event_log`].
//!
//! # What a crash leaves
//! Before the fdatasync: nothing that anyone was told of; the segment log cuts the torn tail. After it: the whole
//! group. The next start extends the log by a gap from the last COMMIT to now.
//!
//! # Invariants
//! - SP-1: [`Progress`] speaks only of what was written, signed and synced.
//! - SP-2: no gap in numbers: recovery follows every batch of the last segment by signature and root.
//! - SP-3: one process per spool, by the segment log's lock. SP-4: see [`position`].
//! - SE-1: what does not fit is counted and becomes a gap event ([`room`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntk_evidence::author_log::{AuthorLog, BatchError, SealedBatch};
use ntk_evidence::entry::{BatchKey, Entry, EntryError};
use ntk_evidence::epoch::RollOver;
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::CompactRange;
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::{NoteSigner, VerifierKey};
use ntk_evidence::time::Moment;
use ntk_segment::disk::Disk;
use ntk_segment::error::SegmentError;
use ntk_segment::frame::{self, AuthorState, Frame, State};
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::pointer::Pointer;
use ntk_segment::reader::Reader;

use crate::clock;
use crate::identity::IdentityError;
use crate::identity::epochs::EpochKeys;
use crate::whole_file::Files;

pub mod away;
mod bookmark;
pub mod keeper;
mod kept;
pub mod position;
pub mod room;
pub mod shelf;
pub mod thread;

pub use bookmark::Bookmark;
use bookmark::Decided;
use kept::Kept;

/// The spool cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The segment log failed.
    #[error("could not use the spool `{path}`")]
    Segment {
        /// The spool's folder.
        path: PathBuf,
        /// What failed.
        source: SegmentError,
    },
    /// The spool was written by another author or with another key.
    #[error("the spool `{path}` belongs to `{found}`; move it away, or restore the identity that wrote it")]
    OtherAuthor {
        /// The spool's folder.
        path: PathBuf,
        /// Who wrote it.
        found: String,
    },
    /// A stored batch does not continue the log.
    #[error(
        "the spool was altered: the batch at number {first} does not continue this machine's log; keep a copy of the folder, then have the machine enrolled anew"
    )]
    Altered {
        /// Number of the batch's first entry.
        first: u64,
        /// Why.
        source: BatchError,
    },
    /// A frame holds what the agent never writes.
    #[error(
        "the spool holds a {0} that this agent cannot have written; keep a copy of the folder, then have the machine enrolled anew"
    )]
    Foreign(&'static str),
    /// The batch could not be signed.
    #[error("could not seal a batch of {n_entries} entries")]
    Seal {
        /// How many.
        n_entries: usize,
        /// Why.
        source: BatchError,
    },
    /// A signing key.
    #[error(transparent)]
    Key(#[from] IdentityError),
    /// There is no signing key for a new log.
    #[error(
        "this machine has no signing key; have it enrolled anew with a token from `ntk-collector enroll new --replace NAME`"
    )]
    NoKey,
    /// The roll-over to the next key could not be written down.
    #[error("the roll-over to the next signing key could not be written down")]
    RollOver(#[source] EntryError),
    /// No random numbers.
    #[error("the system gave no random numbers for a batch key: {0}")]
    Random(getrandom::Error),
    /// The position file failed.
    #[error(transparent)]
    Position(#[from] position::PositionError),
    /// A finished segment could not be put away.
    #[error("a finished segment could not be put away; it stays as it is")]
    Away(#[from] away::AwayError),
    /// The thread could not start.
    #[error("could not start the spool's thread")]
    Thread(#[source] std::io::Error),
}

/// Whose spool it is, and where its keys are.
#[derive(Debug)]
pub struct Writer {
    /// The practice.
    pub slug: Slug,
    /// This machine.
    pub author: Author,
    /// The keys, one an epoch.
    pub keys: EpochKeys,
}

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// When the last group was committed; `None` for a new spool.
    pub last_commit: Option<Moment>,
    /// Whether the last entry says that the agent was stopped in order.
    pub ending: Ending,
    /// How far recordings are durable.
    pub bookmark: Option<Bookmark>,
    /// Bytes of a torn tail that were cut; nobody was told of them.
    pub truncated_bytes: u64,
}

/// How the last run of the agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its last entry is a health event with the reason `stop`.
    Clean,
    /// Anything else.
    Cut,
}

/// The spool, open for writing.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    log: SegmentLog,
    author_log: AuthorLog,
    writer: Arc<Writer>,
    /// The key of the log's epoch; overwritten in memory when the next one takes its place.
    signer: NoteSigner,
    last_note: Vec<u8>,
    bookmark: Option<Bookmark>,
    kept: Kept,
}

/// What recovery finds out, frame by frame.
struct Past {
    author_log: AuthorLog,
    last_note: Vec<u8>,
    bookmark: Option<Bookmark>,
}

impl Spool {
    /// Opens the spool, or creates it where there is none, and recovers what the last run left.
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        writer: Arc<Writer>,
        segment_bytes_max: u64,
        now: Moment,
    ) -> Result<(Self, Found), SpoolError> {
        let segment = |source| SpoolError::Segment { path: path.to_owned(), source };
        let options = Options { segment_bytes_max };
        match SegmentLog::open_on(Arc::clone(&disk), path, options) {
            Ok((log, recovery)) => {
                let reader = log.reader();
                let mut past = Past::begin(path, &writer, &recovery.state)?;
                let mut found = Found {
                    last_commit: None,
                    ending: Ending::Cut,
                    bookmark: None,
                    truncated_bytes: recovery.truncated_bytes,
                };
                for item in recovery.replay() {
                    let (_, frame) = item.map_err(segment)?;
                    past.replay(frame, &mut found)?;
                }
                if found.last_commit.is_none() {
                    past.look_back(&reader, &mut found).map_err(segment)?;
                }
                let Past { author_log, last_note, bookmark } = past;
                let signer = writer.keys.signer(author_log.epoch())?;
                if author_log.key() != Some(signer.verifier()) {
                    return Err(SpoolError::OtherAuthor {
                        path: path.to_owned(),
                        found: format!("another key of {}", writer.author),
                    });
                }
                let kept = Kept::read(&reader).map_err(segment)?;
                found.bookmark.clone_from(&bookmark);
                let path = path.to_owned();
                Ok((Self { path, log, author_log, writer, signer, last_note, bookmark, kept }, found))
            }
            Err(SegmentError::NoLog { .. } | SegmentError::Folder { .. }) => {
                let epoch = writer.keys.numbers()?.last().copied().ok_or(SpoolError::NoKey)?;
                let signer = writer.keys.signer(epoch)?;
                let author_log = AuthorLog::resume(
                    &writer.slug,
                    writer.author.clone(),
                    epoch,
                    Some(signer.verifier().clone()),
                    CompactRange::empty(),
                );
                let state = state_of(&author_log, None, now);
                let log = SegmentLog::create_on(disk, path, options, state).map_err(segment)?;
                let kept = Kept::read(&log.reader()).map_err(segment)?;
                let found =
                    Found { last_commit: None, ending: Ending::Cut, bookmark: None, truncated_bytes: 0 };
                let (path, last_note) = (path.to_owned(), Vec::new());
                Ok((Self { path, log, author_log, writer, signer, last_note, bookmark: None, kept }, found))
            }
            Err(source) => Err(segment(source)),
        }
    }

    /// Seals entries into one batch and makes it durable with the bookmark as of its last entry.
    pub fn write(
        &mut self,
        entries: Vec<Entry>,
        bookmark: Option<&Bookmark>,
        now: Moment,
    ) -> Result<(), SpoolError> {
        let segment = |source| SpoolError::Segment { path: self.path.clone(), source };
        let is_due = self.kept.is_last_due(self.author_log.size(), now);
        if self.log.needs_roll() || is_due {
            let state = state_of(&self.author_log, self.bookmark.as_ref(), now);
            let number = self.log.roll(state).map_err(segment)?;
            self.kept.rolled(number, self.author_log.size(), now);
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(SpoolError::Random)?;
        let n_entries = entries.len();
        let (batch, next) = self
            .author_log
            .seal(entries, BatchKey::new(key), &self.signer)
            .map_err(|source| SpoolError::Seal { n_entries, source })?;
        let note = batch.note.clone();
        self.log.append(&framed(batch)).map_err(segment)?;
        let commit =
            frame::Commit { received_unix_ns: now.unix_nanos(), checkpoint: bookmark::encode(bookmark) };
        // INVARIANT SP-1: only after this returned does the log count as longer.
        let _durable = self.log.commit(&commit).map_err(segment)?;
        self.author_log = next;
        self.last_note = note;
        self.bookmark = bookmark.cloned();
        Ok(())
    }

    /// Begins the next epoch: its key, then the roll-over to it, are durable when this returns. The old seed is gone
    /// from memory, and from the disk after [`Self::forget_old_keys`].
    pub fn roll_over(&mut self, reason: &str, now: Moment) -> Result<(), SpoolError> {
        // An epoch a minute would take eight thousand years to get there.
        let number = self.author_log.epoch().saturating_add(1);
        let next = self.writer.keys.prepare(number)?;
        let rolled = RollOver { number, key: next.verifier().clone() };
        let entry = rolled.entry(reason, clock::text(now)).map_err(SpoolError::RollOver)?;
        let bookmark = self.bookmark.clone();
        self.write(vec![entry], bookmark.as_ref(), now)?;
        self.signer = next;
        Ok(())
    }

    /// Overwrites and removes the seeds of the epochs before this one.
    pub fn forget_old_keys(&self) -> Result<(), SpoolError> {
        Ok(self.writer.keys.forget_before(self.author_log.epoch())?)
    }

    /// Epoch of the key that signs now.
    pub fn epoch(&self) -> u32 {
        self.author_log.epoch()
    }

    /// How many entries are durable.
    pub fn size(&self) -> u64 {
        self.author_log.size()
    }

    /// The note of that size; empty for an empty log.
    pub fn last_note(&self) -> &[u8] {
        &self.last_note
    }

    /// How far recordings are durable.
    pub fn bookmark(&self) -> Option<&Bookmark> {
        self.bookmark.as_ref()
    }

    /// Bytes of all segments.
    pub fn bytes_on_disk(&self) -> u64 {
        self.log.bytes_on_disk()
    }

    /// Reads what is durable, on any thread, as long as this spool is open.
    pub fn reader(&self) -> Reader {
        self.log.reader()
    }

    /// Removes released segments that are older than the time for which they are kept, and as many more, oldest
    /// first, as are needed to bring the spool below `bytes_wanted`. Says how many went.
    ///
    /// INVARIANT SP-4: `released` is what `position.json` says, durably.
    pub fn prune(&mut self, released: u64, bytes_wanted: u64, now: Moment) -> Result<u64, SpoolError> {
        let mut n_removed = 0u64;
        while let Some(next) = self.kept.removable(released, self.log.bytes_on_disk() > bytes_wanted, now) {
            let removed = self
                .log
                .remove_whole_segments_before(Pointer::first_in(next))
                .map_err(|source| SpoolError::Segment { path: self.path.clone(), source })?;
            self.kept.removed_before(next);
            n_removed = n_removed.saturating_add(removed);
        }
        Ok(n_removed)
    }
}

impl Spool {
    /// Puts finished segments away whose entries are all released, oldest first, and removes them. Says how many.
    ///
    /// INVARIANT SP-4: `released` is what `position.json` says, durably; the encrypted file is durable before the
    /// segment goes.
    pub fn put_away(
        &mut self,
        released: u64,
        away: &away::Away,
        disk: &dyn Disk,
        files: &dyn Files,
    ) -> Result<u64, SpoolError> {
        let mut n_away = 0u64;
        while let Some((oldest, next)) = self.kept.finished(released) {
            away.put(disk, &self.path, oldest, files)?;
            self.log
                .remove_whole_segments_before(Pointer::first_in(next))
                .map_err(|source| SpoolError::Segment { path: self.path.clone(), source })?;
            self.kept.removed_before(next);
            n_away = n_away.saturating_add(1);
        }
        Ok(n_away)
    }
}

impl Past {
    fn begin(path: &Path, writer: &Writer, state: &State) -> Result<Self, SpoolError> {
        let [author] = state.authors.as_slice() else {
            return Err(SpoolError::Foreign("STATE without one author"));
        };
        let origin = writer.slug.author_origin(&writer.author);
        let key = VerifierKey::parse(&author.key).ok().filter(|key| key.name() == origin);
        if author.author != writer.author.to_string() || key.is_none() {
            return Err(SpoolError::OtherAuthor { path: path.to_owned(), found: author.author.clone() });
        }
        let hashes = author.range.iter().copied().map(Hash::from_bytes).collect();
        let range = CompactRange::new(author.size, hashes)
            .map_err(|_| SpoolError::Foreign("STATE with a wrong range"))?;
        let author_log = AuthorLog::resume(&writer.slug, writer.author.clone(), author.epoch, key, range);
        let decided =
            Decided::decode(&state.decided).ok_or(SpoolError::Foreign("STATE with an unknown bookmark"))?;
        Ok(Self { author_log, last_note: Vec::new(), bookmark: decided.recorded })
    }

    fn replay(&mut self, frame: Frame, found: &mut Found) -> Result<(), SpoolError> {
        match frame {
            Frame::State(_) => Ok(()),
            Frame::Pruned(_) => Err(SpoolError::Foreign("a frame of a collector's retention")),
            Frame::Commit(commit) => {
                found.last_commit = Some(Moment::from_unix_nanos(commit.received_unix_ns));
                self.bookmark = bookmark::decode(&commit.checkpoint)
                    .ok_or(SpoolError::Foreign("COMMIT with an unknown bookmark"))?;
                Ok(())
            }
            Frame::Batch(batch) => {
                let batch = sealed(batch).ok_or(SpoolError::Foreign("BATCH that holds no entries"))?;
                // INVARIANT SP-2: an edit, gap or reorder does not follow.
                self.author_log = self
                    .author_log
                    .follow(&batch)
                    .map_err(|source| SpoolError::Altered { first: batch.first, source })?;
                found.ending = ending(&batch);
                self.last_note = batch.note;
                Ok(())
            }
        }
    }

    /// The last segment has only a STATE: the last batch and COMMIT are in the one before.
    fn look_back(&mut self, reader: &Reader, found: &mut Found) -> Result<(), SegmentError> {
        let segments = reader.segments()?;
        let Some(before) = segments.iter().rev().nth(1) else { return Ok(()) };
        for item in reader.frames_from(before.first) {
            match item?.1 {
                Frame::Commit(commit) => {
                    found.last_commit = Some(Moment::from_unix_nanos(commit.received_unix_ns))
                }
                Frame::Batch(batch) => {
                    self.last_note.clone_from(&batch.note);
                    found.ending = sealed(batch).map_or(Ending::Cut, |batch| ending(&batch));
                }
                Frame::State(_) | Frame::Pruned(_) => {}
            }
        }
        Ok(())
    }
}

fn state_of(author_log: &AuthorLog, bookmark: Option<&Bookmark>, now: Moment) -> State {
    let author = AuthorState {
        author: author_log.author().to_string(),
        key: author_log.key().map(ToString::to_string).unwrap_or_default(),
        epoch: author_log.epoch(),
        size: author_log.size(),
        range: author_log.range().hashes().iter().map(|hash| *hash.as_bytes()).collect(),
    };
    let decided = Decided { began_unix_ns: now.unix_nanos(), recorded: bookmark.cloned() }.encode();
    State { authors: vec![author], decided, ..State::default() }
}

fn framed(batch: SealedBatch) -> frame::Batch {
    frame::Batch {
        author: batch.author.to_string(),
        epoch: batch.epoch,
        first: batch.first,
        note: batch.note,
        batch_key: *batch.key.as_bytes(),
        entries: batch.entries.into_iter().map(Entry::into_parts).collect(),
    }
}

fn sealed(batch: frame::Batch) -> Option<SealedBatch> {
    let entries = batch.entries.into_iter().map(Entry::from_parts).collect::<Result<Vec<_>, _>>().ok()?;
    Some(SealedBatch {
        removed: Vec::new(),
        author: Author::parse(&batch.author).ok()?,
        epoch: batch.epoch,
        first: batch.first,
        note: batch.note,
        key: BatchKey::new(batch.batch_key),
        entries,
    })
}

fn ending(batch: &SealedBatch) -> Ending {
    let event = batch.entries.last().and_then(|entry| entry.event().ok());
    let reason = event.and_then(|event| event.health?.reason);
    if reason.as_deref() == Some("stop") { Ending::Clean } else { Ending::Cut }
}

#[cfg(test)]
mod tests;
