//! Follows the ledger: puts each batch into the query store, decides each event, and writes finding acts.
//!
//! One thread reads the segments from a cursor, in the order of the log, by the same code after a start as
//! while running. Everything that goes in comes from the ledger (entries, receive times, roster and policy
//! acts), so reading the same leaves again gives the same steps; a step whose act is in the ledger already
//! is not written again. The cursor moves only over leaves at which no finding was open, so that a new start
//! rebuilds the open ones from their first entry. Once a day everything is closed, which bounds that.
//!
//! Decided after append: a wrong policy cannot lose evidence. Only agents and imports are decided, never
//! acts, so no decision depends on an earlier one.
//!
//! What decides is [`crate::engine`]; here is only the I/O around it.

pub mod answer;
mod ranges;
pub mod rules;
mod steps;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_evidence::act;
use ntk_evidence::author_log::SealedBatch;
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use ntk_evidence::time::Moment;
use ntk_segment::frame::Frame;
use ntk_segment::pointer::Pointer;
use tracing::{error, info, warn};

use crate::engine::{Effect, Engine, Entry, Snapshot};
use crate::finding::step::StepAct;
use crate::finding::{Finding, FindingStep};
use crate::import::identity;
use crate::ledger::{LedgerError, LedgerHandle, from_frame, from_pruned};
use crate::need_to_know::host_of;
use crate::on_site::{self, Facts};
use crate::policy::Policy;
use crate::roster::Roster;
use crate::store::{Changes, Cursor, FindingRecord, LeafRecord, Store, StoreError, TicketAct};

pub use answer::Lookup;
use ranges::Ranges;
pub use rules::Rules;
use told::Told;

/// How long to wait for new leaves before looking whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often the store is made durable while leaves come.
const FLUSH_EVERY_LEAVES: u64 = 256;
/// How often the engine's state is kept: so many leaves are at most decided again after a start (and the day of
/// an open finding).
const SNAPSHOT_EVERY_LEAVES: u64 = 256;

/// Following failed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A segment cannot be read.
    #[error("a segment of the ledger cannot be read")]
    Segment(#[from] ntk_segment::error::SegmentError),
}

/// How far following has come, for those who wait for it.
#[derive(Debug, Default)]
pub struct Progress {
    applied: AtomicU64,
    rolled_up: AtomicU64,
    failed: AtomicBool,
    gate: Mutex<()>,
    moved: Condvar,
}

impl Progress {
    /// Leaves that are in the store.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Leaves from the first on that are rolled up.
    pub fn rolled_up(&self) -> u64 {
        self.rolled_up.load(Ordering::Acquire)
    }

    /// Leaves up to here are rolled up.
    pub(crate) fn set_rolled_up(&self, leaves: u64) {
        self.rolled_up.store(leaves, Ordering::Release);
    }

    /// Whether following has come to an end by a failure.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Waits until `size` leaves are in the store; false when the time is over or following has failed.
    pub fn wait_for(&self, size: u64, at_most: Duration) -> bool {
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let not_yet = |_: &mut ()| self.applied() < size && !self.failed.load(Ordering::Acquire);
        let _gate =
            self.moved.wait_timeout_while(gate, at_most, not_yet).unwrap_or_else(PoisonError::into_inner);
        self.applied() >= size
    }

    fn set(&self, size: u64) {
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.applied.store(size, Ordering::Release);
        self.moved.notify_all();
    }

    fn fail(&self) {
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.failed.store(true, Ordering::Release);
        self.moved.notify_all();
    }
}

/// Whether steps become acts, or only what stands in the ledger is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// New steps become acts.
    Acts,
    /// Nothing is written to the ledger: a rebuild for comparing.
    Nothing,
}

/// The state of following.
pub struct Follower {
    ledger: LedgerHandle,
    store: Arc<Store>,
    progress: Arc<Progress>,
    writing: Writing,
    engine: Engine,
    next: Cursor,
    /// How far each agent's log reaches at `next`: what a roll-over is shown by.
    ranges: Ranges,
    /// Batches since the last COMMIT frame: their receive time is not known yet.
    group: Vec<(Pointer, SealedBatch)>,
    written: BTreeSet<(String, bool)>,
    /// Steps to be written once everything that is committed has been read: their acts may stand further on.
    pending: Vec<FindingStep>,
    /// The same for what came later to a finding.
    later: Vec<StepAct>,
    /// What each machine was when it last told of itself.
    facts: BTreeMap<String, Facts>,
    /// Leaf of the last snapshot.
    kept_at: u64,
}

impl Follower {
    /// Goes on where the store's cursor stands.
    pub fn new(
        ledger: LedgerHandle,
        store: Arc<Store>,
        zone: TimeZone,
        progress: Arc<Progress>,
        writing: Writing,
    ) -> Result<Self, FollowError> {
        let start = ledger.reader().frames()?.position();
        if !store.is_current()? {
            // Made by an older version, or new: what it lacks is made from the entries.
            store.begin_current()?;
        }
        let (next, state) = store.cursor()?.unwrap_or((Cursor::at(0, start), Snapshot::default()));
        let roster = store.roster_before(next.leaf)?.and_then(|text| Roster::parse(&text).ok());
        let policy = store.policy_before(next.leaf)?.and_then(|text| Policy::parse(&text).ok());
        let engine = Engine::resume(zone, state, roster.unwrap_or_default(), policy.unwrap_or_default());
        let mut written = BTreeSet::new();
        for record in store.findings()? {
            written.extend(record.opened_by.map(|_| (record.finding.id.clone(), false)));
            written.extend(record.closed_by.map(|_| (record.finding.id.clone(), true)));
        }
        let ranges = Ranges::at(&ledger, next.pointer())?;
        Ok(Self {
            ledger,
            store,
            progress,
            writing,
            engine,
            next,
            ranges,
            group: Vec::new(),
            written,
            pending: Vec::new(),
            later: Vec::new(),
            facts: BTreeMap::new(),
            kept_at: next.leaf,
        })
    }

    /// Follows until `stop` is set; a failure is logged and ends following, never ingest.
    pub fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            if let Err(failure) = self.catch_up() {
                error!(reason = %crate::error_chain(&failure), "following the ledger failed; findings and queries stand still");
                self.progress.fail();
                return;
            }
            let applied = self.progress.applied();
            self.ledger.wait_beyond(applied, LOOK_EVERY);
        }
        if let Err(failure) = self.store.flush() {
            warn!(reason = %crate::error_chain(&failure), "the query store was not flushed; it is read again at the next start");
        }
    }

    /// Takes in everything that is committed now.
    pub fn catch_up(&mut self) -> Result<(), FollowError> {
        let mut since_flush = 0u64;
        for frame in self.ledger.reader().frames_from(self.next.pointer()) {
            let (pointer, frame) = frame?;
            match frame {
                Frame::State(_) => {}
                Frame::Batch(frame) => {
                    let leaf =
                        self.next.leaf.saturating_add(u64::try_from(self.group.len()).unwrap_or(u64::MAX));
                    self.group.push((pointer, from_frame(leaf, frame)?));
                }
                Frame::Pruned(frame) => {
                    let leaf =
                        self.next.leaf.saturating_add(u64::try_from(self.group.len()).unwrap_or(u64::MAX));
                    self.group.push((pointer, from_pruned(leaf, frame)?));
                }
                Frame::Commit(commit) => {
                    let n = u64::try_from(self.group.len()).unwrap_or(u64::MAX);
                    self.commit(commit.received_unix_ns, pointer)?;
                    since_flush = since_flush.saturating_add(n);
                    if since_flush >= FLUSH_EVERY_LEAVES {
                        since_flush = 0;
                        self.store.flush()?;
                    }
                }
            }
        }
        // Batches without their COMMIT are read again with it.
        self.group.clear();
        self.write()
    }

    fn commit(&mut self, received_unix_ns: i64, commit: Pointer) -> Result<(), FollowError> {
        let mut changes = Changes::default();
        let mut steps = Vec::new();
        let received =
            Timestamp::from_nanosecond(i128::from(received_unix_ns)).unwrap_or(Timestamp::UNIX_EPOCH);
        steps.extend(self.engine.advance(received));
        let mut leaf = self.next.leaf;
        let mut told = Told::begin(&self.store);
        for (pointer, batch) in std::mem::take(&mut self.group) {
            let mut record = record(leaf, pointer, &batch, received_unix_ns);
            match &batch.author {
                Author::Collector => self.acts(leaf, &batch, &mut changes)?,
                Author::Agent(_) | Author::Import(_) => {
                    if let Some(rolled) = self.ranges.take(&self.ledger, leaf, &batch)? {
                        changes.roll_over(&record.author, &rolled)?;
                    }
                    steps.extend(self.decide(&batch, received, &mut record, &mut told, &mut changes)?);
                }
            }
            changes.leaf(&record)?;
            leaf = leaf.saturating_add(1);
        }
        told.end(&mut changes)?;
        for step in &steps {
            if let FindingStep::Closed { finding, .. } = step {
                self.keep(finding, false, &mut changes)?;
            }
        }
        // The others are in the store as they are.
        for finding in self.engine.grown() {
            self.keep(finding, true, &mut changes)?;
        }
        // COMMIT itself is read again and does nothing twice: it has no batch of its own.
        self.next = Cursor::at(leaf, commit);
        let is_due = leaf.saturating_sub(self.kept_at) >= SNAPSHOT_EVERY_LEAVES;
        let kept = is_due && self.engine.open().next().is_none();
        self.store.apply(changes, kept.then_some((self.next, self.engine.snapshot())))?;
        if kept {
            self.kept_at = leaf;
        }
        self.pending.extend(steps);
        self.progress.set(leaf);
        Ok(())
    }

    fn decide(
        &mut self,
        batch: &SealedBatch,
        received: Timestamp,
        record: &mut LeafRecord,
        told: &mut Told,
        changes: &mut Changes,
    ) -> Result<Vec<FindingStep>, FollowError> {
        let author = batch.author.to_string();
        let mut steps = Vec::new();
        let mut used = BTreeSet::new();
        for (number, entry) in batch.numbered() {
            let Ok(event) = entry.event() else { continue };
            self.mark(&author, number, &event, received, changes)?;
            told.observe(record, &event)?;
            if let Some(source) = batch.author.source()
                && let Some(id) = identity(source, &event)
            {
                changes.imported(source, &id, &event);
            }
            let host = host_of(&batch.author, &event);
            let seen = Entry { author: &author, host, number, event: &event, received };
            let decided = self.engine.entry(seen);
            if record.around(number) != decided.around {
                record.around.insert(number, decided.around);
            }
            let tickets = decided.decision.reasons.iter().filter_map(|reason| reason.rule.split_once(':'));
            used.extend(tickets.map(|(_, id)| id.to_owned()));
            steps.extend(decided.steps);
        }
        for id in used {
            if let Some(used) = self.engine.uses().get(&id) {
                changes.ticket_use(&id, *used)?;
            }
        }
        Ok(steps)
    }

    /// Keeps what the proof of a machine rests on. Read again, the same entries give the same marks.
    fn mark(
        &mut self,
        author: &str,
        number: u64,
        event: &Event,
        received: Timestamp,
        changes: &mut Changes,
    ) -> Result<(), FollowError> {
        if event.health.is_none() && event.commission.is_none() {
            return Ok(());
        }
        if !self.facts.contains_key(author) {
            let last = self.store.marks(author, number)?.pop();
            self.facts.extend(last.map(|mark| (author.to_owned(), mark.facts)));
        }
        let received = i64::try_from(received.as_nanosecond()).unwrap_or(i64::MAX);
        if let Some(mark) = on_site::mark(event, number, received, self.facts.get(author)) {
            changes.mark(author, &mark)?;
            self.facts.insert(author.to_owned(), mark.facts);
        }
        Ok(())
    }

    fn acts(&mut self, leaf: u64, batch: &SealedBatch, changes: &mut Changes) -> Result<(), FollowError> {
        for (number, entry) in batch.numbered() {
            let Ok(event) = entry.event() else { continue };
            let Some(body) = act::body(&event) else { continue };
            let text = body.get("text").and_then(|text| text.as_str()).unwrap_or_default();
            match self.engine.act(&event) {
                Ok(Effect::Roster) => changes.roster(leaf, text),
                Ok(Effect::Policy) => changes.policy(leaf, text),
                Ok(Effect::Ticket(change)) => {
                    self.later.extend(steps::later(&self.store, &self.engine, change.as_ref())?);
                    let kind = event.kind.as_str().to_owned();
                    let step = TicketAct { time: event.time.clone(), kind, body: body.clone() };
                    changes.ticket(leaf, number, &step)?;
                }
                Ok(Effect::None) => {}
                Err(fault) => warn!(number, reason = %crate::error_chain(&fault), "an act is not taken in"),
            }
            match event.kind.as_str() {
                act::kind::FINDING_OPENED | act::kind::FINDING_CLOSED => {
                    self.step_is_written(number, &event, changes)?;
                }
                act::kind::FINDING_STEP => {
                    let taken = steps::apply(&self.store, number, &event)?;
                    let is_taken = |later: &StepAct| {
                        taken.iter().any(|taken| taken.id == later.id && taken.step == later.step)
                    };
                    self.later.retain(|later| !is_taken(later));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// An act of a finding stands in the ledger: remember which, and do not write it again.
    fn step_is_written(
        &mut self,
        number: u64,
        event: &Event,
        changes: &mut Changes,
    ) -> Result<(), FollowError> {
        let step = act::body(event).and_then(|body| serde_json::from_value::<FindingStep>(body.clone()).ok());
        let Some(step) = step else { return Ok(()) };
        let closed = matches!(step, FindingStep::Closed { .. });
        let finding = step.finding().clone();
        self.written.insert((finding.id.clone(), closed));
        let mut record = self.store.finding(&finding.id)?.unwrap_or(FindingRecord {
            finding: finding.clone(),
            is_open: !closed,
            opened_by: None,
            closed_by: None,
            steps: Vec::new(),
        });
        if closed {
            record.closed_by = Some(number);
            (record.is_open, record.finding) = (false, finding);
        } else {
            record.opened_by = Some(number);
        }
        // Written at once: the same commit may hold both acts of a finding.
        let mut now = Changes::default();
        now.finding(&record)?;
        self.store.apply(now, None)?;
        let _ = changes;
        Ok(())
    }

    fn keep(&self, finding: &Finding, is_open: bool, changes: &mut Changes) -> Result<(), FollowError> {
        let before = self.store.finding(&finding.id)?;
        if before.as_ref().is_some_and(|record| record.finding == *finding && record.is_open == is_open) {
            return Ok(());
        }
        let (opened_by, closed_by, steps) = before
            .map_or((None, None, Vec::new()), |record| (record.opened_by, record.closed_by, record.steps));
        // A finding that the ledger has closed stays closed while its entries are read again.
        let is_open = is_open && closed_by.is_none();
        if closed_by.is_some() {
            return Ok(());
        }
        changes.finding(&FindingRecord { finding: finding.clone(), is_open, opened_by, closed_by, steps })?;
        Ok(())
    }

    /// Writes the steps whose acts are nowhere in the ledger.
    fn write(&mut self) -> Result<(), FollowError> {
        if self.writing == Writing::Acts && !self.ledger.leads() {
            // The collector that leads writes them; should it end, this one will.
            let written = &self.written;
            self.pending.retain(|step| {
                let closed = matches!(step, FindingStep::Closed { .. });
                !written.contains(&(step.finding().id.clone(), closed))
            });
            return Ok(());
        }
        let mut acts = Vec::new();
        for step in std::mem::take(&mut self.pending) {
            let closed = matches!(step, FindingStep::Closed { .. });
            if !self.written.insert((step.finding().id.clone(), closed)) || self.writing == Writing::Nothing {
                continue;
            }
            let kind = if closed { act::kind::FINDING_CLOSED } else { act::kind::FINDING_OPENED };
            let body = serde_json::to_value(&step).map_err(StoreError::from)?;
            acts.push(act::event(kind, self.ledger.now(), body));
            info!(finding = %step.finding().id, closed, "finding");
        }
        for step in std::mem::take(&mut self.later) {
            if self.writing == Writing::Acts {
                let body = serde_json::to_value(&step).map_err(StoreError::from)?;
                acts.push(act::event(act::kind::FINDING_STEP, self.ledger.now(), body));
            }
        }
        if !acts.is_empty() {
            let _appended = self.ledger.act_blocking(acts)?;
        }
        Ok(())
    }
}

fn record(leaf: u64, pointer: Pointer, batch: &SealedBatch, received_unix_ns: i64) -> LeafRecord {
    let times = batch.entries.iter().filter_map(|entry| {
        let event = entry.event().ok()?;
        // Whose time cannot be read is looked for when it came.
        let first = Moment::parse(&event.time).map_or(received_unix_ns, Moment::unix_nanos);
        let last = event.last.as_deref().and_then(Moment::parse).map_or(first, Moment::unix_nanos);
        Some((first.min(last), last.max(first)))
    });
    let span = times.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    let (from_unix_ns, to_unix_ns) = span.unwrap_or((received_unix_ns, received_unix_ns));
    LeafRecord {
        leaf,
        segment: pointer.segment.value(),
        offset: pointer.offset,
        author: batch.author.to_string(),
        epoch: batch.epoch,
        first: batch.first,
        size: batch.size(),
        received_unix_ns,
        from_unix_ns,
        to_unix_ns,
        around: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests;
