//! The way to the ledger, for any thread: what is durable now, requests to the writer, proofs.

use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ntk_evidence::event::Event;
use ntk_evidence::hash::Hash;
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::tree;
use ntk_segment::pointer::{Pointer, SegmentNumber};
use ntk_segment::prune::Pruner;
use ntk_segment::reader::{Form, Reader};
use tokio::sync::{mpsc, oneshot, watch};

use super::enrolled::Permission;
use super::hashes::StoredHashes;
use super::state::KnownAuthor;
use super::writer::{Pruned, Published, Request, lock};
use super::{Appended, Continuation, LedgerError, SignedCheckpoint};
use crate::clock::Clock;
use crate::witness::trust::CurrentTrust;

/// Which machines this collector hears, and which others do, where several share a ledger.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) here: Vec<String>,
    pub(super) elsewhere: Vec<String>,
}

/// The way to the ledger, for any thread.
#[derive(Clone, Debug)]
pub struct LedgerHandle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) permission: Permission,
    pub(super) published: Arc<(Mutex<Published>, Condvar)>,
    pub(super) sizes: watch::Receiver<u64>,
    pub(super) hashes: Arc<RwLock<StoredHashes>>,
    pub(super) reader: Reader,
    pub(super) pruner: Pruner,
    pub(super) slug: Slug,
    pub(super) clock: Clock,
    pub(super) leads: watch::Receiver<bool>,
    pub(super) heard: Arc<Mutex<Heard>>,
    pub(super) is_shared: bool,
}

impl LedgerHandle {
    /// From now on no more machines are enrolled than this trust file, or the one that takes its place, permits: counted
    /// where the log is written. Not held to it is a ledger that is filled again, in which every machine was counted before.
    pub fn hold_to(&self, trust: CurrentTrust) {
        let _first = self.permission.set(trust);
    }

    /// What is durable now.
    pub fn published(&self) -> Published {
        lock(&self.published.0).clone()
    }

    /// The newest checkpoint that is durable.
    pub fn checkpoint(&self) -> Arc<SignedCheckpoint> {
        Arc::clone(&lock(&self.published.0).checkpoint)
    }

    /// How far one author's log reaches, with the checkpoint of that moment.
    pub fn standing(&self, author: &Author) -> (Option<Arc<KnownAuthor>>, Arc<SignedCheckpoint>) {
        let published = lock(&self.published.0);
        (published.authors.get(author).cloned(), Arc::clone(&published.checkpoint))
    }

    /// Waits until the log has more than `size` leaves or the time is over; whether it has.
    pub fn wait_beyond(&self, size: u64, at_most: Duration) -> bool {
        let (published, changed) = &*self.published;
        let waited = changed
            .wait_timeout_while(lock(published), at_most, |now| now.checkpoint.checkpoint.size <= size);
        waited.unwrap_or_else(PoisonError::into_inner).0.checkpoint.checkpoint.size > size
    }

    /// Tells of every new size of the log.
    pub fn sizes(&self) -> watch::Receiver<u64> {
        self.sizes.clone()
    }

    /// Whether the ledger takes in: it ends after a write whose outcome is not known (LG-2).
    pub fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }

    /// Reads segments, up to what is committed.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Takes entries out of finished segments; [`crate::prune`] says which.
    pub const fn pruner(&self) -> &Pruner {
        &self.pruner
    }

    /// Finishes the segment that is written now and has it sealed, from a thread that may wait.
    pub fn finish_segment_blocking(&self) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.requests.blocking_send(Request::Roll(reply)).map_err(|_| LedgerError::Stopped)?;
        answer.blocking_recv().map_err(|_| LedgerError::Stopped)
    }

    /// Position after the last durable group.
    pub fn committed_end(&self) -> Pointer {
        self.reader.committed_end()
    }

    /// Says which machines are heard here, and hears which are heard by other collectors of the same ledger.
    pub fn share_heard(&self, here: Vec<String>) -> Vec<String> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.here = here;
        heard.elsewhere.clone()
    }

    /// Takes the entries of a finished segment out of the database, too, after they were taken out of the files here.
    /// Nothing to do where there is none.
    pub fn share_pruned(&self, segment: SegmentNumber) -> Result<(), LedgerError> {
        if !self.is_shared {
            return Ok(());
        }
        let Some((Form::Pruned, file)) = self.reader.file_of(segment)? else { return Ok(()) };
        let leaves =
            (self.reader.state_of(segment)?.log_size, self.reader.state_of(segment.next())?.log_size);
        let pruned = Pruned { number: segment.value(), leaves, file };
        let (reply, answer) = oneshot::channel();
        self.requests.blocking_send(Request::Pruned(pruned, reply)).map_err(|_| LedgerError::Stopped)?;
        answer.blocking_recv().map_err(|_| LedgerError::Stopped)?
    }

    /// Whether this collector is the one that adds to the log; always, where no database is shared.
    pub fn leads(&self) -> bool {
        *self.leads.borrow()
    }

    /// Tells when that changes.
    pub fn leading(&self) -> watch::Receiver<bool> {
        self.leads.clone()
    }

    /// The practice's slug.
    pub const fn slug(&self) -> &Slug {
        &self.slug
    }

    /// The clock.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Now, as acts write it.
    pub fn now(&self) -> String {
        self.clock.now().to_rfc3339(3)
    }

    /// Appends a batch that was verified; answers when it is durable.
    pub async fn append(
        &self,
        continuation: Continuation,
    ) -> Result<oneshot::Receiver<Result<Appended, LedgerError>>, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Batch(Box::new(continuation), reply);
        self.requests.send(request).await.map_err(|_| LedgerError::Stopped)?;
        Ok(answer)
    }

    /// [`LedgerHandle::append`] from a thread that is not async.
    pub fn append_blocking(
        &self,
        continuation: Continuation,
    ) -> Result<oneshot::Receiver<Result<Appended, LedgerError>>, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Batch(Box::new(continuation), reply);
        self.requests.blocking_send(request).map_err(|_| LedgerError::Stopped)?;
        Ok(answer)
    }

    /// Writes acts; answers when they are durable.
    pub async fn act(&self, acts: Vec<Event>) -> Result<Appended, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Acts(acts, Some(reply))).await.map_err(|_| LedgerError::Stopped)?;
        answer.await.map_err(|_| LedgerError::Stopped)?
    }

    /// Writes acts from a thread that is not async; answers when they are durable.
    pub fn act_blocking(&self, acts: Vec<Event>) -> Result<Appended, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.requests.blocking_send(Request::Acts(acts, Some(reply))).map_err(|_| LedgerError::Stopped)?;
        answer.blocking_recv().map_err(|_| LedgerError::Stopped)?
    }

    /// Inclusion proof of a leaf in the tree of a size.
    pub fn inclusion(&self, leaf: u64, size: u64) -> Result<Vec<Hash>, LedgerError> {
        tree::inclusion_proof(&*self.hashes.read().unwrap_or_else(PoisonError::into_inner), leaf, size)
    }

    /// Root of the tree of a size that the log had; none for one that it has not reached.
    pub fn root_at(&self, size: u64) -> Result<Option<Hash>, LedgerError> {
        let hashes = self.hashes.read().unwrap_or_else(PoisonError::into_inner);
        if size > hashes.size() { Ok(None) } else { tree::root(&*hashes, size).map(Some) }
    }

    /// Consistency proof between two sizes; empty from size 0 and between equal sizes.
    pub fn consistency(&self, old: u64, size: u64) -> Result<Vec<Hash>, LedgerError> {
        if old == 0 || old == size {
            return Ok(Vec::new());
        }
        tree::consistency_proof(&*self.hashes.read().unwrap_or_else(PoisonError::into_inner), old, size)
    }
}
