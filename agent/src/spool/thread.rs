//! The spool's own thread: events in through a bounded channel, progress out to whoever watches.
//!
//! One thread owns the segment log, because an fsync may take long and must block nobody's event loop. The channel
//! holds [`QUEUE_MAX`] events: about a second of a busy machine. When it is full, whoever sends waits; the sensors
//! have bounded queues of their own before that, which count what they lose.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ntk_evidence::event::Event;
use tokio::sync::watch;

use super::keeper::{Incoming, Keeper, Progress};
use super::position::Position;
use super::{Bookmark, SpoolError};

/// Events that may wait for the spool.
pub const QUEUE_MAX: usize = 4096;

/// Without events the thread wakes this often, to remove old segments.
const IDLE: Duration = Duration::from_secs(10);

/// While the disk fails the thread tries again this often.
const FAILING: Duration = Duration::from_secs(1);

enum Message {
    /// Boxed: the queue sets aside room for all of its places at once.
    Event(Box<Incoming>),
    /// Look at the wishes.
    Nudge,
    /// Write what came before this, then answer.
    Sync(SyncSender<()>),
    /// Write what came before this, then end.
    Stop,
}

/// The spool ended before its senders did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the spool is closed")]
pub struct Closed;

/// Where events go in.
#[derive(Clone, Debug)]
pub struct Intake {
    sender: SyncSender<Message>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message")
    }
}

impl Intake {
    /// Hands over a sensor's event; waits while the queue is full.
    pub fn observed(&self, event: Event, bookmark: Option<Bookmark>) -> Result<(), Closed> {
        self.sender.send(Message::Event(Box::new(Incoming::Observed(event, bookmark)))).map_err(|_| Closed)
    }

    /// Hands over an event of the agent itself; waits while the queue is full.
    pub fn own(&self, event: Event) -> Result<(), Closed> {
        self.sender.send(Message::Event(Box::new(Incoming::Own(event)))).map_err(|_| Closed)
    }
}

/// Where the uplink says what was acknowledged. Wishes add up; the thread takes them all at once.
#[derive(Clone, Debug)]
pub struct Wishes {
    wish: Arc<Mutex<Option<Position>>>,
    /// The recovery key for which segments are to be put away, where it was replaced.
    recovery: Arc<Mutex<Option<String>>>,
    sender: SyncSender<Message>,
}

impl Wishes {
    /// Asks to make this position durable and to let go what it releases. Does not wait.
    pub fn release(&self, position: Position) {
        self.put(position);
        // A full queue keeps the thread awake anyway.
        let _ = self.sender.try_send(Message::Nudge);
    }

    /// Asks to put segments away for this recovery key from now on. Does not wait.
    pub fn put_away_for(&self, recovery: String) {
        *self.recovery.lock().unwrap_or_else(PoisonError::into_inner) = Some(recovery);
        let _ = self.sender.try_send(Message::Nudge);
    }

    fn recovery(&self) -> Option<String> {
        self.recovery.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, position: Position) {
        let mut wish = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        wish.get_or_insert_with(Position::default).merge(position);
    }

    fn take(&self) -> Option<Position> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The running spool.
#[derive(Debug)]
pub struct SpoolThread {
    intake: Intake,
    wishes: Wishes,
    progress: watch::Receiver<Progress>,
    thread: JoinHandle<()>,
}

impl SpoolThread {
    /// Starts the thread; `commit_after` is the longest an event waits for its group.
    pub fn start(keeper: Keeper, commit_after: Duration) -> Result<Self, SpoolError> {
        let (sender, receiver) = sync_channel(QUEUE_MAX);
        let (progress_sender, progress) = watch::channel(keeper.progress().clone());
        let wishes = Wishes { wish: Arc::default(), recovery: Arc::default(), sender: sender.clone() };
        let theirs = wishes.clone();
        let thread = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || run(keeper, &receiver, commit_after, &theirs, &progress_sender))
            .map_err(SpoolError::Thread)?;
        Ok(Self { intake: Intake { sender }, wishes, progress, thread })
    }

    /// Where events go in.
    pub fn intake(&self) -> Intake {
        self.intake.clone()
    }

    /// Where acknowledgements go in.
    pub fn wishes(&self) -> Wishes {
        self.wishes.clone()
    }

    /// How far the spool is.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Writes everything that was handed over until now; the thread goes on. False when that took too long.
    pub fn sync(&self, within: Duration) -> bool {
        let (answer, answered) = sync_channel(1);
        self.intake.sender.send(Message::Sync(answer)).is_ok() && answered.recv_timeout(within).is_ok()
    }

    /// Writes everything that was handed over until now, and ends the thread.
    pub fn end(self) {
        let _ = self.intake.sender.send(Message::Stop);
        let _ = self.thread.join();
    }
}

fn run(
    mut keeper: Keeper,
    receiver: &Receiver<Message>,
    commit_after: Duration,
    wishes: &Wishes,
    progress: &watch::Sender<Progress>,
) {
    // What opening the spool put into the first group goes out at once.
    let mut deadline = keeper.is_waiting().then(Instant::now);
    loop {
        let rest = if keeper.is_failing() { FAILING } else { IDLE };
        let wait =
            deadline.map_or(rest, |deadline| deadline.saturating_duration_since(Instant::now()).min(rest));
        let (mut is_last, mut asked) = (false, None);
        let came = receiver.recv_timeout(wait);
        // Before anything is put away in this turn.
        if let Some(recovery) = wishes.recovery() {
            keeper.put_away_for(&recovery);
        }
        match came {
            Ok(Message::Event(incoming)) => {
                keeper.take(*incoming);
                deadline.get_or_insert_with(|| Instant::now() + commit_after);
            }
            Ok(Message::Nudge) => {}
            Ok(Message::Sync(answer)) => asked = Some(answer),
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => is_last = true,
            Err(RecvTimeoutError::Timeout) => {
                if deadline.is_none() {
                    keeper.tidy();
                }
                deadline = Some(Instant::now());
            }
        }
        if is_last
            || asked.is_some()
            || keeper.is_full()
            || deadline.is_some_and(|deadline| deadline <= Instant::now())
        {
            keeper.flush();
            deadline = None;
        }
        if let Some(position) = wishes.take() {
            keeper.release(position.clone());
            let durable = &keeper.progress().position;
            if position.restores > durable.restores || position.released > durable.released {
                // Not durable yet: it stays a wish.
                wishes.put(position);
            }
        }
        publish(progress, keeper.progress());
        if let Some(answer) = asked {
            let _ = answer.try_send(());
        }
        if is_last {
            return;
        }
    }
}

fn publish(progress: &watch::Sender<Progress>, now: &Progress) {
    progress.send_if_modified(|before| {
        let is_same = before.size == now.size
            && before.epoch == now.epoch
            && before.position == now.position
            && before.bytes_on_disk == now.bytes_on_disk
            && before.n_lost == now.n_lost
            && before.fault == now.fault
            && Arc::ptr_eq(&before.reader, &now.reader);
        if !is_same {
            before.clone_from(now);
        }
        !is_same
    });
}
