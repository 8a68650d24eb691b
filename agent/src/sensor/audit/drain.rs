//! The drain thread: takes records from the kernel as fast as they come, and does nothing else.
//!
//! An owner that does not read stalls every audited call of the machine. So nothing here parses, logs or touches disk or
//! network. Records go on in batches: whatever came since the last one. Between two batches the thread naps a moment, so
//! that under load one call of the system brings many records, and one wake-up of each thread serves them all. What finds
//! no room in the queue waits for it as long as the socket's own buffer can take what comes, and is counted then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::netlink::{AuditSocket, Many, Room};
use crate::record::{RawRecord, RawRecords, kind};
use crate::sensor::stop::Stop;

/// Bytes of raw records that wait for the pipeline: a fifth of a second of the fastest machine. The socket holds as much
/// again, and more.
const QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of one batch, give or take a record.
const BATCH_BYTES: usize = 64 * 1024;

/// Between two batches; the socket's buffer holds what comes in a hundred times as long.
const NAP: Duration = Duration::from_millis(5);

/// So many naps for room in the queue; then what comes is counted as lost until there is room again.
const NAPS_MAX: u32 = 50;

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
    pub(super) records: Batches,
    pub(super) losses: Arc<Losses>,
    beats: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

/// The pipeline's end of the queue.
pub(super) struct Batches {
    receiver: Receiver<RawRecords>,
    n_bytes: Arc<AtomicUsize>,
}

impl Batches {
    /// Waits for a batch.
    pub(super) fn recv_timeout(&self, within: Duration) -> Result<RawRecords, RecvTimeoutError> {
        let batch = self.receiver.recv_timeout(within)?;
        self.n_bytes.fetch_sub(batch.size_bytes(), Ordering::AcqRel);
        Ok(batch)
    }

    /// What is left after the thread ended.
    pub(super) fn rest(self) -> impl Iterator<Item = RawRecords> {
        self.receiver.into_iter()
    }
}

/// The drain's end of the queue.
struct Queue {
    sender: Sender<RawRecords>,
    n_bytes: Arc<AtomicUsize>,
    losses: Arc<Losses>,
    beats: Arc<AtomicU64>,
    /// The last batch found no room at all: the next one does not wait again.
    is_stuck: bool,
}

/// Nobody takes records any more.
struct Closed;

impl Queue {
    /// Hands over a batch; waits a while for room.
    fn put(&mut self, batch: RawRecords) -> Result<(), Closed> {
        let n_bytes = batch.size_bytes();
        let has_room = || self.n_bytes.load(Ordering::Acquire).saturating_add(n_bytes) <= QUEUE_BYTES_MAX;
        let mut n_naps = if self.is_stuck { NAPS_MAX } else { 0 };
        while !has_room() && n_naps < NAPS_MAX {
            n_naps = n_naps.saturating_add(1);
            self.beats.fetch_add(1, Ordering::Relaxed);
            nap();
        }
        self.is_stuck = !has_room();
        if self.is_stuck {
            // INVARIANT SE-1: counted here, told by the pipeline's thread.
            let n_lost = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            self.losses.n_queue_full.fetch_add(n_lost, Ordering::Relaxed);
            return Ok(());
        }
        self.n_bytes.fetch_add(n_bytes, Ordering::AcqRel);
        self.sender.send(batch).map_err(|_| Closed)
    }
}

impl Drain {
    /// Starts draining. `stop` is the drain's own: it ends after the rules are gone.
    pub(super) fn start(socket: AuditSocket, stop: Stop) -> std::io::Result<Self> {
        let (mut queue, records) = queue();
        let (losses, beats) = (Arc::clone(&queue.losses), Arc::clone(&queue.beats));
        let thread = std::thread::Builder::new()
            .name("audit-drain".to_owned())
            .spawn(move || drain(&socket, &mut queue, &stop))?;
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

    /// Waits for the thread, which was asked to stop; gives what is left of the queue.
    pub(super) fn join(self) -> impl Iterator<Item = RawRecords> {
        let _ = self.thread.join();
        self.records.rest()
    }
}

fn queue() -> (Queue, Batches) {
    let (sender, receiver) = channel();
    let n_bytes = Arc::<AtomicUsize>::default();
    let records = Batches { receiver, n_bytes: Arc::clone(&n_bytes) };
    let queue = Queue { sender, n_bytes, losses: Arc::default(), beats: Arc::default(), is_stuck: false };
    (queue, records)
}

/// Niceness of the threads that read: below everybody else's.
const NICE: i32 = -10;

/// Puts the calling thread before others: whoever floods the machine to hide one access must not win against those who
/// read. Without the right to it (root, or LimitNICE in the unit) nothing changes.
pub(super) fn go_ahead() {
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// Waits for [`NAP`]. Nobody wakes this thread, and if something did, the next batch would only be smaller.
fn nap() {
    std::thread::park_timeout(NAP);
}

/// Whether a message is a record. The kernel also answers here, and asks its owner whether it still lives.
fn is_record(kind: u16) -> bool {
    const REPLACE: u16 = 1329;
    matches!(kind, kind::USER | kind::LOGIN | 1100..) && kind != REPLACE
}

fn drain(socket: &AuditSocket, queue: &mut Queue, stop: &Stop) {
    go_ahead();
    let mut room = Room::default();
    loop {
        queue.beats.fetch_add(1, Ordering::Relaxed);
        let mut batch = RawRecords::default();
        let received = loop {
            let received = socket.receive_many(&mut room, |kind, payload| {
                if is_record(kind) {
                    batch.push(RawRecord { kind, payload });
                }
            });
            match received {
                Ok(Many::Some { is_full: true }) if batch.size_bytes() < BATCH_BYTES => {}
                received => break received,
            }
        };
        if !batch.is_empty() && queue.put(batch).is_err() {
            return;
        }
        match received {
            Ok(Many::Some { is_full: true }) => {}
            Ok(Many::Some { is_full: false }) => nap(),
            Ok(Many::Overflowed) => {
                queue.losses.n_overflows.fetch_add(1, Ordering::Relaxed);
            }
            // Asked to stop, and the socket is empty.
            Ok(Many::Nothing) if stop.requested() => return,
            Ok(Many::Nothing) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(n_records: usize) -> RawRecords {
        let mut batch = RawRecords::default();
        (0..n_records).for_each(|_| batch.push(RawRecord { kind: kind::SYSCALL, payload: &[0; 1024] }));
        batch
    }

    #[test]
    fn what_finds_no_room_is_counted_and_there_is_room_again_when_some_was_taken() {
        let (mut queue, records) = queue();
        let mut n_put = 0_u64;
        while queue.losses.n_queue_full.load(Ordering::Relaxed) == 0 {
            assert!(queue.put(batch(1000)).is_ok());
            n_put += 1000;
        }
        assert!(queue.put(batch(1001)).is_ok());
        assert_eq!(queue.losses.n_queue_full.load(Ordering::Relaxed), 2001);
        let n_taken = records.recv_timeout(Duration::ZERO).unwrap().len();
        assert!(queue.put(batch(5)).is_ok());
        drop(queue);
        let n_left: usize = records.rest().map(|batch| batch.len()).sum();
        assert_eq!((n_taken + n_left) as u64, n_put - 1000 + 5);
    }

    #[test]
    fn one_after_the_other_they_are_what_they_were() {
        let mut records = RawRecords::default();
        for payload in [&b"audit(1.0:1): a"[..], b"", b"audit(1.0:1): b"] {
            records.push(RawRecord { kind: 1300, payload });
        }
        let texts: Vec<&[u8]> = records.iter().map(|raw| raw.payload).collect();
        assert_eq!(texts, [&b"audit(1.0:1): a"[..], b"", b"audit(1.0:1): b"]);
    }
}
