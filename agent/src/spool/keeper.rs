//! What the spool's thread does, without the thread: groups, losses, releases, and going on after a failed disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::author_log::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX};
use ntk_evidence::entry::Entry;
use ntk_evidence::event::Event;
use ntk_evidence::time::Moment;
use ntk_evidence::trust::TrustFile;
use ntk_segment::disk::Disk;
use ntk_segment::reader::Reader;
use tracing::{error, info, warn};

use super::away::Away;
use super::position::{Position, PositionFile, Recalled};
use super::room::{self, Cause, Content, Loss};
use super::{Bookmark, Ending, Found, Spool, SpoolError, Writer};
use crate::clock::Clock;
use crate::whole_file::Files;

/// Where the spool is and how large it may become.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The folder.
    pub path: PathBuf,
    /// Bytes on disk, kept segments included.
    pub bytes_max: u64,
    /// How long a signing key is used before the next one takes its place.
    pub epoch_every: Duration,
    /// Says which logs the collector's checkpoints are of.
    pub trust: TrustFile,
    /// The disk under the segments.
    pub disk: Arc<dyn Disk>,
    /// The disk under the position.
    pub files: Arc<dyn Files>,
    /// Where finished segments are put away once they are released; `None` leaves them as they are.
    pub away: Option<Away>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// How far the spool is; published after each group and release.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Entries that are durable.
    pub size: u64,
    /// The author's note of that size; empty for 0.
    pub note: Arc<[u8]>,
    /// Epoch of the key that signs now.
    pub epoch: u32,
    /// The position that is durable.
    pub position: Position,
    /// Reads what is durable. After the disk failed there is another one.
    pub reader: Arc<Reader>,
    /// Bytes on disk.
    pub bytes_on_disk: u64,
    /// Events that were lost for lack of room since the start.
    pub n_lost: u64,
    /// Why nothing can be written at the moment.
    pub fault: Option<String>,
}

/// An event on its way into the spool.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Of a sensor; of a recording, with its place there.
    Observed(Event, Option<Bookmark>),
    /// The agent's own: gap, health, tamper of the collector. It may use the reserve.
    Own(Event),
}

/// After a failed disk the spool is opened again at most this often.
const REOPEN_EVERY: Duration = Duration::from_secs(1);

/// A signing key that could not be made or removed is tried again after this time.
const ROLL_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// More than a roll-over ever takes.
const ROLL_OVER_BYTES_MAX: usize = 1 << 10;

/// Room in each batch for the gap entry that tells of losses.
const GAP_BYTES_MAX: usize = 4 << 10;

/// The group that is being filled.
#[derive(Debug, Default)]
struct Group {
    entries: Vec<Entry>,
    bytes: usize,
    /// Set when writing begins, so that a second attempt writes the same.
    closed: Option<Closed>,
}

/// What goes with a group besides its entries.
#[derive(Clone, Debug)]
struct Closed {
    loss: Option<Loss>,
    bookmark: Option<Bookmark>,
}

/// See the module.
#[derive(Debug)]
pub struct Keeper {
    setup: Setup,
    writer: Arc<Writer>,
    /// `None` after the disk failed, until it could be opened again.
    spool: Option<Spool>,
    group: Group,
    /// As of the last event taken.
    bookmark: Option<Bookmark>,
    loss: Option<Loss>,
    n_lost: u64,
    position: Position,
    progress: Progress,
    /// Uptime before which the spool is not opened again.
    reopen_at: Duration,
    rolling: Rolling,
}

/// When the next epoch is due, and what is left to do of the last one. Times are uptimes.
#[derive(Debug)]
struct Rolling {
    /// Why the next epoch is due, if it is.
    due: Option<&'static str>,
    /// Since when the key is in use.
    since: Duration,
    /// Before then nothing is tried again.
    again_at: Duration,
    /// Seeds of epochs that are over may still be on the disk.
    is_old_key_left: bool,
}

impl Keeper {
    /// Opens the spool. The gap since the last run is written, or in the first group, and the next epoch has begun.
    pub fn open(setup: Setup, writer: Arc<Writer>) -> Result<(Self, Found), SpoolError> {
        let now = setup.clock.now();
        let (spool, found) = open_spool(&setup, &writer, now)?;
        let file = PositionFile::of(&setup.path);
        let recalled = file.read(&*setup.files, &setup.trust)?;
        if found.last_commit.is_none() && recalled == Recalled::None {
            // From the first entry on there is a file: a missing one was removed.
            file.write(&*setup.files, &Position::default())?;
        }
        let mut first = Vec::new();
        if let Some(last) = found.last_commit {
            let cause = match found.ending {
                Ending::Clean => "clean_stop",
                Ending::Cut => "agent_restart",
            };
            first.push(room::gap(cause, Some(last), now, now, None));
        }
        let position = match recalled {
            Recalled::Known(position) => position,
            Recalled::None | Recalled::Damaged => {
                if found.last_commit.is_some() {
                    warn!("the position of the spool is lost; everything counts as not yet acknowledged");
                    first.push(room::gap("position_lost", None, now, now, None));
                }
                Position::default()
            }
        };
        let rolling = Rolling {
            // A key that has signed nothing yet, because the machine was just enrolled, is the next one already.
            due: (spool.size() > 0).then_some("start"),
            since: setup.clock.uptime(),
            again_at: Duration::ZERO,
            is_old_key_left: true,
        };
        let progress = Progress {
            size: spool.size(),
            note: spool.last_note().into(),
            epoch: spool.epoch(),
            position: position.clone(),
            reader: Arc::new(spool.reader()),
            bytes_on_disk: spool.bytes_on_disk(),
            n_lost: 0,
            fault: None,
        };
        let bookmark = spool.bookmark().cloned();
        let group = Group::default();
        let mut keeper = Self {
            setup,
            writer,
            spool: Some(spool),
            group,
            bookmark,
            loss: None,
            n_lost: 0,
            position,
            progress,
            reopen_at: Duration::ZERO,
            rolling,
        };
        for event in first {
            keeper.take(Incoming::Own(event));
        }
        if keeper.rolling.due.is_some() {
            // The gap is durable before the roll-over, so that no crash between them hides it (SE-1); nothing of this
            // run that a sensor saw is signed by a key that was on the disk while the machine was off.
            keeper.flush();
        }
        Ok((keeper, found))
    }

    /// How far the spool is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Takes an event into the group, writing the group first where it would become too large.
    pub fn take(&mut self, incoming: Incoming) {
        let (event, bookmark, content) = match incoming {
            Incoming::Observed(event, bookmark) => (event, bookmark, Content::Observations),
            Incoming::Own(event) => (event, None, Content::Own),
        };
        let entry = match Entry::freeze(event) {
            Ok(entry) => entry,
            Err(error) => {
                warn!(%error, "an event cannot be an entry; a gap tells of it");
                self.pass(bookmark);
                return self.lose(Cause::EventTooLarge);
            }
        };
        let bytes = self.group.bytes.saturating_add(entry.len());
        if self.is_full()
            || bytes.saturating_add(GAP_BYTES_MAX) > BATCH_BYTES_MAX && !self.group.entries.is_empty()
        {
            self.flush();
        }
        self.pass(bookmark);
        if self.group.closed.is_some() {
            // The group that could not be written waits as it is; what comes now is counted.
            return self.lose(Cause::SpoolFailed);
        }
        let bytes = self.group.bytes.saturating_add(entry.len());
        if bytes.saturating_add(GAP_BYTES_MAX) > BATCH_BYTES_MAX {
            return self.lose(Cause::EventTooLarge);
        }
        let n_entries = self.group.entries.len().saturating_add(1);
        if !self.has_room(n_entries, bytes, content) {
            return self.lose(Cause::SpoolFull);
        }
        self.group.bytes = bytes;
        self.group.entries.push(entry);
    }

    /// Whether anything waits to be written, and could be.
    pub fn is_waiting(&self) -> bool {
        !self.group.entries.is_empty()
            || self.group.closed.is_some()
            || self.loss.is_some() && self.fits(1, GAP_BYTES_MAX, Content::Observations)
    }

    /// Whether the group is as large as it may be; one more place is for what was lost.
    pub fn is_full(&self) -> bool {
        self.group.entries.len() >= BATCH_ENTRIES_MAX.saturating_sub(1)
    }

    /// Writes the group, if there is one, and with it what was lost until then.
    pub fn flush(&mut self) {
        let now = self.setup.clock.now();
        if self.spool.is_none() && !self.reopen(now) {
            return;
        }
        if self.is_waiting() && !self.write_group(now) {
            return;
        }
        self.roll_over(now);
    }

    fn write_group(&mut self, now: Moment) -> bool {
        let Some(spool) = &mut self.spool else { return false };
        let closed = self
            .group
            .closed
            .get_or_insert_with(|| Closed { loss: self.loss.take(), bookmark: self.bookmark.clone() });
        let told = closed.loss.and_then(|loss| Entry::freeze(loss.event(now)).ok());
        let entries = told.into_iter().chain(self.group.entries.iter().cloned()).collect();
        match spool.write(entries, closed.bookmark.as_ref(), now) {
            Ok(()) => {
                self.group = Group::default();
                self.publish();
                true
            }
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    /// Begins the next epoch where it is due and there is room for it, and lets the old seed go. What cannot be done
    /// now is done later: the epoch goes on, and nothing is lost.
    fn roll_over(&mut self, now: Moment) {
        let uptime = self.setup.clock.uptime();
        if uptime.saturating_sub(self.rolling.since) >= self.setup.epoch_every {
            self.rolling.due.get_or_insert("daily");
        }
        if self.rolling.due.is_none() && !self.rolling.is_old_key_left || uptime < self.rolling.again_at {
            return;
        }
        let has_room = self.has_room(1, ROLL_OVER_BYTES_MAX, Content::Own);
        let Some(spool) = &mut self.spool else { return };
        if let Some(reason) = self.rolling.due.filter(|_| has_room) {
            match spool.roll_over(reason, now) {
                Ok(()) => {
                    info!(epoch = spool.epoch(), reason, "the next signing key is in use");
                    (self.rolling.due, self.rolling.since) = (None, uptime);
                    self.rolling.is_old_key_left = true;
                }
                Err(error @ (SpoolError::Key(_) | SpoolError::RollOver(_))) => {
                    error!(error = %chain(&error), "the next signing key could not be made; this one goes on");
                }
                Err(error) => return self.fail(&error),
            }
        }
        match spool.forget_old_keys() {
            Ok(()) => self.rolling.is_old_key_left = false,
            Err(error) => error!(error = %chain(&error), "an old signing key could not be removed yet"),
        }
        self.rolling.again_at = uptime.saturating_add(ROLL_AGAIN_AFTER);
        self.publish();
    }

    /// Makes a new position durable, then removes what it lets go. The old one stays when that fails.
    pub fn release(&mut self, newer: Position) {
        let mut position = self.position.clone();
        position.merge(newer);
        if position == self.position {
            return;
        }
        // INVARIANT SP-4: written and synced first; only then is anything removed, or said to be released.
        match PositionFile::of(&self.setup.path).write(&*self.setup.files, &position) {
            Ok(()) => {
                self.position = position;
                self.tidy();
                self.publish();
            }
            Err(error) => {
                error!(error = %chain(&error), "the acknowledged position could not be written");
                self.progress.fault = Some(error.to_string());
            }
        }
    }

    /// Removes kept segments that are too old or in the way.
    pub fn tidy(&mut self) {
        let now = self.setup.clock.now();
        let wanted = self.setup.bytes_max.saturating_sub(headroom(self.setup.bytes_max));
        self.put_away(now);
        let Some(spool) = &mut self.spool else { return };
        match spool.prune(self.position.released, wanted, now) {
            Ok(0) => {}
            Ok(n_removed) => info!(n_removed, "released segments removed"),
            Err(error) => self.fail(&error),
        }
    }

    /// From now on segments are put away for this recovery key. One that cannot be used leaves them as they are, as a start would.
    pub fn put_away_for(&mut self, recovery: &str) {
        let next = self.setup.away.as_ref().map(|away| away.for_recovery(recovery)).transpose();
        self.setup.away = next
            .inspect_err(|error| error!(%error, "released segments stay unencrypted on this disk"))
            .unwrap_or_default();
    }

    /// What cannot be put away now stays, and is tried again: recording goes on.
    fn put_away(&mut self, now: Moment) {
        let (Some(spool), Some(away)) = (&mut self.spool, &self.setup.away) else { return };
        match spool.put_away(self.position.released, away, &*self.setup.disk, &*self.setup.files) {
            Ok(0) => {}
            Ok(n_away) => info!(n_away, "released segments were encrypted to the recovery key and put away"),
            Err(error @ SpoolError::Away(_)) => error!(error = %chain(&error), "a released segment stays"),
            Err(error) => return self.fail(&error),
        }
        match away.prune(now) {
            Ok(0) => {}
            Ok(n_removed) => info!(n_removed, "the oldest segments that were put away were removed"),
            Err(error) => error!(error = %chain(&error), "what was put away could not be tidied"),
        }
    }

    fn has_room(&mut self, n_entries: usize, bytes: usize, content: Content) -> bool {
        if self.fits(n_entries, bytes, content) {
            return true;
        }
        self.tidy();
        self.fits(n_entries, bytes, content)
    }

    fn fits(&self, n_entries: usize, bytes: usize, content: Content) -> bool {
        let max = self.setup.bytes_max;
        self.spool
            .as_ref()
            .is_none_or(|spool| room::fits(max, spool.bytes_on_disk(), n_entries, bytes, content))
    }

    fn pass(&mut self, bookmark: Option<Bookmark>) {
        if bookmark.is_some() {
            self.bookmark = bookmark;
        }
    }

    fn lose(&mut self, cause: Cause) {
        if self.loss.is_none() {
            error!(cause = cause.as_str(), "events are being lost; a gap entry will say how many");
        }
        room::lose(&mut self.loss, cause, self.setup.clock.now());
        self.n_lost = self.n_lost.saturating_add(1);
        self.progress.n_lost = self.n_lost;
    }

    /// After a failed write the state on disk is unknown: close, and find out by opening (LG-2).
    fn fail(&mut self, error: &SpoolError) {
        error!(error = %chain(error), "the spool failed; it is opened again");
        self.progress.fault = Some(error.to_string());
        self.spool = None;
        self.reopen_at = self.setup.clock.uptime();
    }

    fn reopen(&mut self, now: Moment) -> bool {
        let uptime = self.setup.clock.uptime();
        if uptime < self.reopen_at {
            return false;
        }
        self.reopen_at = uptime.saturating_add(REOPEN_EVERY);
        let spool = match open_spool(&self.setup, &self.writer, now) {
            Ok((spool, _)) => spool,
            Err(error) => {
                self.progress.fault = Some(error.to_string());
                return false;
            }
        };
        if spool.size() < self.progress.size {
            // Going on would sign a second tree of one size: a person has to look at the disk.
            self.progress.fault = Some(format!(
                "the spool lost durable entries: {} are left of {}; check the disk, then enrol this machine anew",
                spool.size(),
                self.progress.size
            ));
            return false;
        }
        info!(size = spool.size(), "the spool is open again");
        if spool.size() > self.progress.size && self.group.closed.is_some() {
            // The group that failed is durable although the disk reported otherwise.
            self.group = Group::default();
        }
        if spool.epoch() > self.progress.epoch {
            // So is the roll-over.
            (self.rolling.due, self.rolling.since) = (None, uptime);
        }
        self.rolling.is_old_key_left = true;
        self.rolling.again_at = Duration::ZERO;
        self.spool = Some(spool);
        self.publish();
        true
    }

    /// How far recordings were taken.
    pub fn bookmark(&self) -> Option<&Bookmark> {
        self.bookmark.as_ref()
    }

    /// Whether the disk failed and the spool waits to be opened again.
    pub fn is_failing(&self) -> bool {
        self.spool.is_none()
    }

    fn publish(&mut self) {
        let Some(spool) = &self.spool else { return };
        self.progress = Progress {
            size: spool.size(),
            note: spool.last_note().into(),
            epoch: spool.epoch(),
            position: self.position.clone(),
            reader: Arc::new(spool.reader()),
            bytes_on_disk: spool.bytes_on_disk(),
            n_lost: self.n_lost,
            fault: None,
        };
    }
}

/// The size at which a segment is followed by the next: small enough that a cap can be kept by removing whole ones.
fn segment_bytes_max(bytes_max: u64) -> u64 {
    (bytes_max / 16).clamp(128 << 10, 8 << 20)
}

/// Kept segments leave this much below the cap for what comes.
fn headroom(bytes_max: u64) -> u64 {
    room::RESERVE_BYTES.saturating_add(bytes_max / 8)
}

fn open_spool(setup: &Setup, writer: &Arc<Writer>, now: Moment) -> Result<(Spool, Found), SpoolError> {
    let segment_bytes_max = segment_bytes_max(setup.bytes_max);
    Spool::open(Arc::clone(&setup.disk), &setup.path, Arc::clone(writer), segment_bytes_max, now)
}

/// An error and its causes on one line, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    crate::error_chain(error)
}
