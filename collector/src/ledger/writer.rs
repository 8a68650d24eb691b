//! The thread that owns the segment files, and the way to reach it.
//!
//! A group is whatever waits when the thread comes round, at most [`GROUP_ENTRIES_MAX`] entries: while one
//! group is being synced, the next one gathers, so no timer is needed. Acts of one group share one batch.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use ntk_evidence::author_log::SealedBatch;
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::event::Event;
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::leaf_hash;
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::NoteSigner;
use ntk_evidence::tree;
use ntk_segment::disk::Disk;
use ntk_segment::error::SegmentError;
use ntk_segment::frame::{Commit, Frame, State};
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::pointer::SegmentNumber;
use ntk_segment::put_back::PutBack;
use ntk_segment::reader::Reader;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info};

use super::database::{Answer, BatchRow, Database, Refusal};
use super::enrolled::Permission;
use super::handle::{Heard, LedgerHandle};
use super::hashes::StoredHashes;
use super::registry::Registry;
use super::sequencer::{self, Shared};
use super::state::{KnownAuthor, LedgerState};
use super::{Appended, Continuation, LedgerError, SignedCheckpoint, from_frame, from_pruned, to_frame};
use crate::clock::Clock;
use crate::config::store::StoreAt;
use crate::home::{Home, random};
use crate::threads;

/// How many entries one group may hold before it is synced.
pub const GROUP_ENTRIES_MAX: usize = 4096;
/// How many requests may wait: enough to keep a group full, few enough to bound memory (4 MiB each at worst).
const REQUESTS_MAX: usize = 64;
/// How many acts one batch of the collector holds.
const ACTS_MAX: usize = 256;

/// The keys that the ledger signs with.
#[derive(Debug)]
pub struct LedgerKeys {
    /// Signs checkpoints of the collector log.
    pub log: NoteSigner,
    /// Signs the collector's own batches.
    pub collector: NoteSigner,
}

pub(super) type Reply = oneshot::Sender<Result<Appended, LedgerError>>;

pub(super) enum Request {
    Batch(Box<Continuation>, Reply),
    Acts(Vec<Event>, Option<Reply>),
    /// A batch that another collector was sent; checked here as it was there.
    Stored(Box<SealedBatch>, String),
    /// Acts of another collector.
    StoredActs(Vec<Event>, String),
    /// Finish the segment; answered when it is sealed, too.
    Roll(oneshot::Sender<()>),
    /// The entries of a finished segment were taken out here: its leaves, and its file.
    Pruned(Pruned, oneshot::Sender<Result<(), LedgerError>>),
}

/// A segment whose entries were taken out.
pub(super) struct Pruned {
    pub(super) number: u64,
    pub(super) leaves: (u64, u64),
    pub(super) file: Vec<u8>,
}

/// What readers may know: never ahead of what is durable.
#[derive(Clone, Debug)]
pub struct Published {
    /// How far each author's log reaches, and its key.
    pub authors: Arc<BTreeMap<Author, Arc<KnownAuthor>>>,
    /// Who is enrolled.
    pub registry: Arc<Registry>,
    /// The last checkpoint.
    pub checkpoint: Arc<SignedCheckpoint>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request")
    }
}

/// What opening found.
#[derive(Debug)]
pub struct Opened {
    /// The way to the running ledger.
    pub handle: LedgerHandle,
    /// The thread; it ends when all handles are gone.
    pub thread: std::thread::JoinHandle<()>,
    /// Bytes of a torn tail that were cut; nothing in it had been acknowledged.
    pub truncated_bytes: u64,
}

/// Creates the segment files of a new practice and writes its first acts.
pub fn create(
    home: &Home,
    slug: &Slug,
    keys: LedgerKeys,
    acts: Vec<Event>,
    clock: &Clock,
) -> Result<(), LedgerError> {
    let state = LedgerState::new(slug.clone(), keys.collector.verifier().clone());
    let log = SegmentLog::create_on(home.disk(), &home.ledger(), Options::default(), state.to_frame())?;
    let mut core = Core { log, state, keys, rows: None };
    let continuation = core.seal(acts)?;
    core.append(&continuation)?;
    let (note, commit) = core.sign(clock)?;
    core.keep(note, &commit).map(|_| ())
}

/// Goes on behind segments that were put back: a new segment under these keys, with these acts first in it.
pub fn go_on(
    put_back: PutBack,
    state: LedgerState,
    keys: LedgerKeys,
    acts: Vec<Event>,
    clock: &Clock,
) -> Result<(), LedgerError> {
    let log = put_back.go_on(Options::default(), state.to_frame())?;
    let mut core = Core { log, state, keys, rows: None };
    let continuation = core.seal(acts)?;
    core.append(&continuation)?;
    let (note, commit) = core.sign(clock)?;
    core.keep(note, &commit).map(|_| ())
}

/// Opens the segment files, recovers, and starts the thread. With a database, the segment files are a copy of what it
/// holds: made where they are missing, checked against it, and brought up to it first.
pub fn open(
    home: &Home,
    slug: &Slug,
    keys: LedgerKeys,
    clock: Clock,
    store: Option<&StoreAt>,
) -> Result<Opened, LedgerError> {
    let disk = home.disk();
    let database = store.map(|at| sequencer::connect(at, home, slug, &disk)).transpose()?;
    open_with(disk, home, slug, keys, clock, database)
}

/// [`open`] on another disk, so that a test can make it fail.
pub fn open_on(
    disk: Arc<dyn Disk>,
    home: &Home,
    slug: &Slug,
    keys: LedgerKeys,
    clock: Clock,
) -> Result<Opened, LedgerError> {
    open_with(disk, home, slug, keys, clock, None)
}

fn open_with(
    disk: Arc<dyn Disk>,
    home: &Home,
    slug: &Slug,
    keys: LedgerKeys,
    clock: Clock,
    database: Option<Database>,
) -> Result<Opened, LedgerError> {
    let (log, recovery) = SegmentLog::open_on(disk, &home.ledger(), Options::default())?;
    let mut state =
        LedgerState::from_frame(slug.clone(), keys.collector.verifier().clone(), &recovery.state)?;
    let mut note = None;
    for frame in recovery.replay() {
        match frame?.1 {
            Frame::Batch(frame) => {
                let leaf = state.range.size();
                state.follow(from_frame(leaf, frame)?)?;
            }
            Frame::Pruned(frame) => {
                let leaf = state.range.size();
                state.follow(from_pruned(leaf, frame)?)?;
            }
            Frame::Commit(commit) => note = Some(commit.checkpoint),
            Frame::State(_) => {}
        }
    }
    let checkpoint = state.checkpoint();
    let signed = match note {
        Some(note) => SignedCheckpoint { checkpoint: Checkpoint::verify(&note, keys.log.verifier())?, note },
        // A segment that was begun and holds no group yet: its STATE says how far the log reaches.
        None => SignedCheckpoint {
            note: checkpoint.sign(&keys.log)?.into_bytes(),
            checkpoint: checkpoint.clone(),
        },
    };
    if signed.checkpoint != checkpoint {
        let wrong = "the last checkpoint is not the one that the batches lead to";
        return Err(LedgerError::Damaged { leaf: checkpoint.size, source: wrong.into() });
    }
    let (reader, pruner) = (log.reader(), log.pruner());
    let hashes = Arc::new(RwLock::new(stored_hashes(home, &reader, &checkpoint)?));
    let published = Published {
        authors: Arc::new(state.authors.clone()),
        registry: Arc::clone(&state.registry),
        checkpoint: Arc::new(signed),
    };
    let published = Arc::new((Mutex::new(published), Condvar::new()));
    let (requests, waiting) = mpsc::channel(REQUESTS_MAX);
    let (size, sizes) = watch::channel(checkpoint.size);
    let (leads, is_leading) = watch::channel(database.is_none());
    let heard = Arc::<Mutex<Heard>>::default();
    let permission = Permission::default();
    let handle = LedgerHandle {
        requests,
        permission: Arc::clone(&permission),
        published: Arc::clone(&published),
        sizes,
        hashes: Arc::clone(&hashes),
        reader,
        pruner,
        slug: slug.clone(),
        clock: clock.clone(),
        leads: is_leading,
        heard: Arc::clone(&heard),
        is_shared: database.is_some(),
    };
    info!(leaves = checkpoint.size, truncated_bytes = recovery.truncated_bytes, "ledger opened");
    let rows = database.is_some().then(Vec::new);
    let core = Core { log, state, keys, rows };
    let mut writer = Writer { core, permission, published, size, hashes, clock };
    let common = home.in_common().cloned();
    let shared =
        database.map(|database| Shared::begin(&mut writer, database, leads, heard, common)).transpose()?;
    let thread = threads::spawn("ledger", move || match shared {
        None => writer.run(waiting),
        Some(shared) => shared.run(writer, waiting),
    });
    let thread = thread.map_err(|source| LedgerError::Hashes { path: home.ledger(), source })?;
    Ok(Opened { handle, thread, truncated_bytes: recovery.truncated_bytes })
}

/// Opens the stored hashes and brings them up to the log, from nothing if they do not lead to its root.
fn stored_hashes(home: &Home, reader: &Reader, checkpoint: &Checkpoint) -> Result<StoredHashes, LedgerError> {
    let mut store = StoredHashes::open(&home.cache().join("hashes"))?;
    let fits = |store: &StoredHashes| {
        store.size() == checkpoint.size
            && tree::root(store, store.size()).is_ok_and(|root| root == checkpoint.root)
    };
    if !fits(&store) {
        store.clear()?;
        for frame in reader.frames()? {
            match frame?.1 {
                Frame::Batch(batch) => store.append(leaf_hash(&batch.note))?,
                Frame::Pruned(pruned) => store.append(leaf_hash(&pruned.note))?,
                Frame::State(_) | Frame::Commit(_) => {}
            }
        }
        if !fits(&store) {
            let wrong = "the batches do not lead to the last checkpoint";
            return Err(LedgerError::Damaged { leaf: checkpoint.size, source: wrong.into() });
        }
    }
    Ok(store)
}

/// The segment files and what they amount to.
pub(super) struct Core {
    pub(super) log: SegmentLog,
    pub(super) state: LedgerState,
    pub(super) keys: LedgerKeys,
    /// The group's batches as rows, where the truth is a database.
    pub(super) rows: Option<Vec<BatchRow>>,
}

impl Core {
    /// Makes the collector's next batch out of acts.
    fn seal(&self, acts: Vec<Event>) -> Result<Continuation, LedgerError> {
        let entries = acts.into_iter().map(Entry::freeze).collect::<Result<Vec<_>, _>>()?;
        let known = self.state.authors.get(&Author::Collector);
        let base = known
            .map(|known| known.log.clone())
            .ok_or_else(|| LedgerError::NotEnrolled("collector".into()))?;
        let (batch, next) = base.seal(entries, BatchKey::new(random()?), &self.keys.collector)?;
        Ok(Continuation { batch, base, next })
    }

    /// Checks that a batch continues its author's log and puts it into the group; its leaf hash.
    fn append(&mut self, continuation: &Continuation) -> Result<Hash, LedgerError> {
        let index = self.state.range.size();
        let leaf = self.state.apply(continuation)?;
        let frame = to_frame(&continuation.batch);
        if let Some(rows) = &mut self.rows {
            let (author, size) = (frame.author.clone(), continuation.batch.size());
            let mut bytes = Vec::new();
            frame.encode(&mut bytes).map_err(|source| SegmentError::Encode { source })?;
            rows.push(BatchRow { leaf: index, author, size, frame: bytes });
        }
        self.log.append(&frame)?;
        Ok(leaf)
    }

    /// Signs the group: the checkpoint, and the COMMIT that holds it.
    pub(super) fn sign(&self, clock: &Clock) -> Result<(SignedCheckpoint, Commit), LedgerError> {
        let checkpoint = self.state.checkpoint();
        let note = checkpoint.sign(&self.keys.log)?.into_bytes();
        let commit = Commit { received_unix_ns: clock.now().unix_nanos(), checkpoint: note.clone() };
        Ok((SignedCheckpoint { checkpoint, note }, commit))
    }

    /// Writes and syncs the group.
    pub(super) fn keep(
        &mut self,
        signed: SignedCheckpoint,
        commit: &Commit,
    ) -> Result<SignedCheckpoint, LedgerError> {
        // INVARIANT LG-1: the checkpoint is given back only after its COMMIT is durable.
        let _durable = self.log.commit(commit)?;
        Ok(signed)
    }
}

pub(super) struct Writer {
    pub(super) core: Core,
    pub(super) permission: Permission,
    published: Arc<(Mutex<Published>, Condvar)>,
    size: watch::Sender<u64>,
    hashes: Arc<RwLock<StoredHashes>>,
    pub(super) clock: Clock,
}

/// Whoever waits for a group.
#[derive(Default)]
pub(super) struct Replies {
    /// Here, for a batch: its leaf.
    batches: Vec<(u64, String, Reply)>,
    /// Here, for acts.
    acts: Vec<(Vec<Event>, Option<Reply>)>,
    /// In another collector: the request's id and its leaf; none for acts, which come last.
    there: Vec<(String, Option<u64>)>,
    /// In another collector, and not taken.
    pub(super) refused: Vec<(String, Refusal)>,
}

/// A group before it is written.
#[derive(Default)]
pub(super) struct Gathered {
    leaves: Vec<Hash>,
    pub(super) replies: Replies,
    pub(super) rolls: Vec<oneshot::Sender<()>>,
    pub(super) pruned: Vec<(Pruned, oneshot::Sender<Result<(), LedgerError>>)>,
}

impl Gathered {
    pub(super) const fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// What other collectors are answered, if the log reaches so far.
    pub(super) fn answers(&self, size: u64) -> Vec<(String, Answer)> {
        let last = size.saturating_sub(1);
        let there =
            self.replies.there.iter().map(|(id, leaf)| (id.clone(), Answer::Leaf(leaf.unwrap_or(last))));
        let refused = self.replies.refused.iter().map(|(id, why)| (id.clone(), Answer::Refused(*why)));
        there.chain(refused).collect()
    }

    /// The group was not written: who waits for a batch checks it again, and the acts are given back.
    pub(super) fn undo(self) -> Vec<(Vec<Event>, Option<Reply>)> {
        for (_, author, reply) in self.replies.batches {
            drop(reply.send(Err(LedgerError::Moved(author))));
        }
        self.replies.acts
    }
}

impl Writer {
    fn run(mut self, mut waiting: mpsc::Receiver<Request>) {
        while let Some(first) = waiting.blocking_recv() {
            if let Err(failure) = self.group(first, &mut waiting) {
                // INVARIANT LG-2: what is on disk is unknown now; stop, and let the next start find out.
                error!(reason = %crate::error_chain(&failure), "the ledger stopped");
                return;
            }
        }
    }

    fn group(&mut self, first: Request, waiting: &mut mpsc::Receiver<Request>) -> Result<(), LedgerError> {
        let gathered = self.gather(vec![first], waiting)?;
        if gathered.is_empty() {
            return self.finish(gathered.rolls);
        }
        let (signed, commit) = self.core.sign(&self.clock)?;
        self.conclude(gathered, signed, &commit)
    }

    /// Takes what waits, applies it and puts it into the group; nothing is written yet.
    pub(super) fn gather(
        &mut self,
        first: Vec<Request>,
        waiting: &mut mpsc::Receiver<Request>,
    ) -> Result<Gathered, LedgerError> {
        let mut gathered = Gathered::default();
        let mut n_entries = 0usize;
        let mut acts = Vec::new();
        let mut first = first.into_iter();
        let mut next = first.next();
        while let Some(request) = next {
            let index = self.core.state.range.size();
            match request {
                Request::Batch(continuation, reply) => {
                    n_entries = n_entries.saturating_add(continuation.batch.entries.len());
                    match self.core.append(&continuation) {
                        Ok(leaf) => {
                            gathered.leaves.push(leaf);
                            let author = continuation.batch.author.to_string();
                            gathered.replies.batches.push((index, author, reply));
                        }
                        Err(refusal @ (LedgerError::Moved(_) | LedgerError::NotEnrolled(_))) => {
                            drop(reply.send(Err(refusal)))
                        }
                        Err(fatal) => return Err(fatal),
                    }
                }
                Request::Stored(batch, id) => {
                    n_entries = n_entries.saturating_add(batch.entries.len());
                    match self.core.state.continuation(*batch).and_then(|batch| self.core.append(&batch)) {
                        Ok(leaf) => {
                            gathered.leaves.push(leaf);
                            gathered.replies.there.push((id, Some(index)));
                        }
                        Err(LedgerError::NotEnrolled(_)) => {
                            gathered.replies.refused.push((id, Refusal::NotEnrolled));
                        }
                        // It was checked where it came in: the author's log has moved on since, or somebody wrote it
                        // into the database.
                        Err(LedgerError::Moved(_) | LedgerError::Damaged { .. }) => {
                            gathered.replies.refused.push((id, Refusal::Moved));
                        }
                        Err(fatal) => return Err(fatal),
                    }
                }
                Request::Roll(reply) => gathered.rolls.push(reply),
                // Nothing but the files here: they hold the pruned form already.
                Request::Pruned(pruned, reply) => gathered.pruned.push((pruned, reply)),
                Request::Acts(more, reply) if let Some((_, refusal)) = self.not_enrolled(&acts, &more) => {
                    if let Some(reply) = reply {
                        drop(reply.send(Err(refusal)));
                    }
                }
                Request::StoredActs(more, id) if let Some((word, _)) = self.not_enrolled(&acts, &more) => {
                    gathered.replies.refused.push((id, word));
                }
                Request::Acts(more, reply) => {
                    n_entries = n_entries.saturating_add(more.len());
                    // Kept only where the group may have to be undone.
                    let kept = if self.core.rows.is_some() { more.clone() } else { Vec::new() };
                    acts.extend(more);
                    gathered.replies.acts.push((kept, reply));
                }
                Request::StoredActs(more, id) => {
                    n_entries = n_entries.saturating_add(more.len());
                    acts.extend(more);
                    gathered.replies.there.push((id, None));
                }
            }
            let full = n_entries >= GROUP_ENTRIES_MAX
                || self.core.log.buffered_bytes() > 8 << 20
                || acts.len() >= ACTS_MAX;
            next = first.next();
            if next.is_none() && !full {
                next = waiting.try_recv().ok();
            }
        }
        while !acts.is_empty() {
            let rest = acts.split_off(acts.len().min(ACTS_MAX));
            let continuation = self.core.seal(std::mem::replace(&mut acts, rest))?;
            gathered.leaves.push(self.core.append(&continuation)?);
        }
        Ok(gathered)
    }

    /// Writes the segment file, tells readers, and answers.
    pub(super) fn conclude(
        &mut self,
        gathered: Gathered,
        signed: SignedCheckpoint,
        commit: &Commit,
    ) -> Result<(), LedgerError> {
        let signed = Arc::new(self.core.keep(signed, commit)?);
        self.publish(&gathered.leaves, &signed)?;
        for (leaf_index, _, reply) in gathered.replies.batches {
            drop(reply.send(Ok(Appended { leaf_index, checkpoint: Arc::clone(&signed) })));
        }
        for reply in gathered.replies.acts.into_iter().filter_map(|(_, reply)| reply) {
            let leaf_index = signed.checkpoint.size.saturating_sub(1);
            drop(reply.send(Ok(Appended { leaf_index, checkpoint: Arc::clone(&signed) })));
        }
        if self.core.rows.is_some() {
            // Where segments begin is written into the database first.
            return Ok(());
        }
        if self.core.log.needs_roll() && gathered.rolls.is_empty() {
            self.roll(Finished(Vec::new()))?;
        }
        self.finish(gathered.rolls)
    }

    /// Finishes the segment for whoever asked.
    fn finish(&mut self, rolls: Vec<oneshot::Sender<()>>) -> Result<(), LedgerError> {
        if rolls.is_empty() { Ok(()) } else { self.roll(Finished(rolls)) }
    }

    /// The newest checkpoint that is durable.
    pub(super) fn newest(&self) -> Arc<SignedCheckpoint> {
        Arc::clone(&lock(&self.published.0).checkpoint)
    }

    pub(super) fn publish(
        &mut self,
        leaves: &[Hash],
        signed: &Arc<SignedCheckpoint>,
    ) -> Result<(), LedgerError> {
        {
            let mut hashes = self.hashes.write().unwrap_or_else(PoisonError::into_inner);
            for leaf in leaves {
                hashes.append(*leaf)?;
            }
        }
        let (published, waiting) = &*self.published;
        let state = &mut self.core.state;
        let changed = std::mem::take(&mut state.changed);
        {
            // In place, unless somebody reads the list of authors at this moment: then a copy is theirs.
            let mut now = lock(published);
            let authors = Arc::make_mut(&mut now.authors);
            for (name, known) in changed.iter().filter_map(|name| state.authors.get_key_value(name)) {
                authors.insert(name.clone(), Arc::clone(known));
            }
            now.registry = Arc::clone(&state.registry);
            now.checkpoint = Arc::clone(signed);
        }
        waiting.notify_all();
        self.size.send_replace(signed.checkpoint.size);
        Ok(())
    }

    fn roll(&mut self, told: Finished) -> Result<(), LedgerError> {
        let state = self.core.state.to_frame();
        self.roll_to(state, told)
    }

    /// Begins a segment with this STATE.
    pub(super) fn roll_to(&mut self, state: State, told: Finished) -> Result<(), LedgerError> {
        let new = self.core.log.roll(state)?;
        // Sealing compresses the finished segment; it is not in a hurry, and a failure leaves it readable.
        let (sealer, finished) = (self.core.log.sealer(), new.value().saturating_sub(1));
        let sealing = threads::spawn("seal", move || {
            if let Err(failure) = sealer.seal(SegmentNumber::new(finished)) {
                error!(segment = finished, reason = %crate::error_chain(&failure), "a finished segment stays uncompressed");
            }
            drop(told);
        });
        drop(sealing);
        info!(segment = new.value(), "a new segment began");
        Ok(())
    }
}

/// Who waits for a segment to be finished. They are told when this is dropped: sealed, or as plain as it was.
pub(super) struct Finished(pub(super) Vec<oneshot::Sender<()>>);

impl Drop for Finished {
    fn drop(&mut self) {
        for reply in self.0.drain(..) {
            let _ = reply.send(());
        }
    }
}

pub(super) fn lock(published: &Mutex<Published>) -> MutexGuard<'_, Published> {
    published.lock().unwrap_or_else(PoisonError::into_inner)
}
