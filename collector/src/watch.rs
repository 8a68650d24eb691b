//! Which machines are connected, when they last spoke, and what they have witnessed: in memory only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ntk_evidence::name::Author;
use ntk_evidence::time::Moment;
use ntk_proto::v1;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// What is known of one machine's stream.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stream {
    /// Whether it is connected now.
    pub connected: bool,
    /// Since when it is, or is not, RFC 3339.
    pub since: String,
    /// When it last said anything, RFC 3339.
    pub last_spoke: String,
    /// Entries that wait on the agent, by its last keepalive.
    pub waiting: u64,
    /// Batches that this agent sent again although the ledger held them, since the collector's start.
    pub replayed: u64,
    /// Largest size of the collector log that this agent has checked in a round.
    pub witnessed: u64,
    #[serde(skip)]
    generation: u64,
    #[serde(skip)]
    replaced: CancellationToken,
}

/// All streams by author.
#[derive(Clone, Debug, Default)]
pub struct Liveness(Arc<Mutex<BTreeMap<String, Stream>>>);

impl Liveness {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new stream; an older one of the same machine is told to end.
    pub fn connected(&self, author: &Author, now: &Moment) -> (u64, CancellationToken) {
        let mut streams = self.lock();
        let stream = streams.entry(author.to_string()).or_default();
        stream.replaced.cancel();
        stream.replaced = CancellationToken::new();
        stream.generation = stream.generation.saturating_add(1);
        stream.connected = true;
        stream.since = now.to_rfc3339(3);
        stream.last_spoke = now.to_rfc3339(3);
        (stream.generation, stream.replaced.clone())
    }

    /// A stream ended; nothing changes where a newer one has taken over.
    pub fn disconnected(&self, author: &Author, generation: u64, now: &Moment) {
        if let Some(stream) =
            self.lock().get_mut(&author.to_string()).filter(|stream| stream.generation == generation)
        {
            stream.connected = false;
            stream.since = now.to_rfc3339(3);
        }
    }

    /// A machine said something.
    pub fn spoke(&self, author: &Author, now: &Moment) {
        if let Some(stream) = self.lock().get_mut(&author.to_string()) {
            stream.last_spoke = now.to_rfc3339(3);
        }
    }

    /// A machine's keepalive.
    pub fn keepalive(&self, author: &Author, keepalive: &v1::Keepalive) {
        if let Some(stream) = self.lock().get_mut(&author.to_string()) {
            stream.waiting = keepalive.waiting;
        }
    }

    /// A machine sent a batch again that the ledger holds.
    pub fn replayed(&self, author: &Author) {
        if let Some(stream) = self.lock().get_mut(&author.to_string()) {
            stream.replayed = stream.replayed.saturating_add(1);
        }
    }

    /// A machine has checked the log up to this size.
    pub fn witnessed(&self, author: &Author, size: u64) {
        if let Some(stream) = self.lock().get_mut(&author.to_string()) {
            stream.witnessed = stream.witnessed.max(size);
        }
    }

    /// All streams as they are now.
    pub fn streams(&self) -> BTreeMap<String, Stream> {
        self.lock().clone()
    }
}
