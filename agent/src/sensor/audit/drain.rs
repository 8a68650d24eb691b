//! The drain thread: takes records from the kernel as fast as they come, and does nothing else.
//!
//! An owner that does not read stalls every audited call of the machine. So nothing here parses, logs or waits;
//! what finds no room in the queue is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::netlink::{AuditSocket, Received};
use crate::record::{RawRecord, kind};
use crate::sensor::stop::Stop;

/// Raw records that wait for the pipeline: some 20 MB, a second of the fastest machine.
pub(super) const RAW_QUEUE_MAX: usize = 65_536;

/// Losses that the drain thread counted.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Records that found the queue full.
    pub(super) n_queue_full: AtomicU64,
    /// Times that the socket overflowed (ENOBUFS).
    pub(super) n_overflows: AtomicU64,
}

/// A running drain thread.
pub(super) struct Drain {
    pub(super) records: Receiver<RawRecord>,
    pub(super) losses: Arc<Losses>,
    beats: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Drain {
    /// Starts draining. `stop` is the drain's own: it ends after the rules are gone.
    pub(super) fn start(socket: AuditSocket, stop: Stop) -> std::io::Result<Self> {
        let (sender, records) = sync_channel(RAW_QUEUE_MAX);
        let losses = Arc::new(Losses::default());
        let counted = Arc::clone(&losses);
        let beats = Arc::<AtomicU64>::default();
        let beat = Arc::clone(&beats);
        let thread = std::thread::Builder::new()
            .name("audit-drain".to_owned())
            .spawn(move || drain(socket, &sender, &counted, &beat, &stop))?;
        Ok(Self { records, losses, beats, thread })
    }

    /// Moves for as long as the thread reads, whether or not there is anything to read.
    pub(super) fn beats(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.beats)
    }

    /// Whether the thread has ended, though nobody asked it to.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the thread, which was asked to stop; what is left of the queue stays readable.
    pub(super) fn join(self) -> Receiver<RawRecord> {
        let _ = self.thread.join();
        self.records
    }
}

/// Whether a message is a record. The kernel also answers here, and asks its owner whether it still lives.
fn is_record(kind: u16) -> bool {
    const REPLACE: u16 = 1329;
    matches!(kind, kind::USER | kind::LOGIN | 1100..) && kind != REPLACE
}

fn drain(
    mut socket: AuditSocket,
    sender: &SyncSender<RawRecord>,
    losses: &Losses,
    beats: &AtomicU64,
    stop: &Stop,
) {
    loop {
        beats.fetch_add(1, Ordering::Relaxed);
        match socket.receive() {
            Ok(Received::Message(kind, payload)) if is_record(kind) => {
                match sender.try_send(RawRecord { kind, payload }) {
                    Ok(()) => {}
                    // INVARIANT SE-1: counted here, told by the pipeline's thread.
                    Err(TrySendError::Full(_)) => {
                        losses.n_queue_full.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(TrySendError::Disconnected(_)) => return,
                }
            }
            Ok(Received::Message(..)) => {}
            Ok(Received::Overflowed) => {
                losses.n_overflows.fetch_add(1, Ordering::Relaxed);
            }
            // Asked to stop, and the socket is empty.
            Ok(Received::Nothing) if stop.requested() => return,
            Ok(Received::Nothing) => {}
            Err(_) => return,
        }
    }
}
