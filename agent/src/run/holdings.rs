//! The thread that looks, now and then, at what accounts hold and at what might be watched; and that hears what a
//! person of the practice decided.
//!
//! It records events of its own and gives the waiting thread the watches that come on top of the configuration. What it
//! looks at is bounded; it looks at its start, every few minutes, when a likely folder tells of a new file, when the
//! collector's decisions arrive, and when the collector asks, at most once a minute.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use ntk_evidence::event::Event;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::Control;
use crate::clock::Clock;
use crate::discover;
use crate::discover::arrivals::{Arrival, Arrivals};
use crate::discover::book::Book;
use crate::discover::homes::homes;
use crate::discover::look::{self, file_looks_like, likely_folders, of_file};
use crate::discover::templates::{Place, Templates};
use crate::inventory::root::Root;
use crate::inventory::{self, Watch};
use crate::sensor::Stop;
use crate::spool::thread::Intake;
use crate::uplink::wire::WatchDecision;
use crate::watch_list::WatchList;
use crate::whole_file::RealFiles;

/// How long one wait for an arrival lasts: so long a stop and a decision may wait.
const TURN: Duration = Duration::from_millis(500);
/// A look that is under way may take so long to end.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// Sensors start anew for new watches. After one such start new files wait so long for the next, so that nobody keeps the
/// sensors starting by making files.
const UNASKED_EVERY: Duration = Duration::from_secs(60);
/// After an answer the next question waits so long, so that nobody keeps the machine looking by asking.
const ANSWERS_EVERY: Duration = Duration::from_secs(60);

/// What the thread is joined to.
pub(super) struct Setup {
    pub(super) dir: PathBuf,
    pub(super) every: Duration,
    pub(super) intake: Intake,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) control: mpsc::Sender<Control>,
    pub(super) decisions: watch::Receiver<Vec<WatchDecision>>,
    /// The newest question for what accounts hold here.
    pub(super) inventory_asked: watch::Receiver<Option<String>>,
    /// What is watched now, the configuration's and what was added.
    pub(super) watched: watch::Receiver<WatchList>,
}

/// The running thread.
pub(super) struct Holdings {
    stop: Stop,
    ended: mpsc::Receiver<()>,
}

impl Holdings {
    /// Starts the thread.
    pub(super) fn start(setup: Setup) -> std::io::Result<Self> {
        let stop = Stop::default();
        let stopped = stop.clone();
        let (ends, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name("holdings".to_owned());
        thread.spawn(move || {
            // Dropped when the thread ends, also by a panic: that is the signal.
            let _ends: mpsc::Sender<()> = ends;
            Looking::new(setup).run(&stopped);
        })?;
        Ok(Self { stop, ended })
    }

    /// Ends the thread. A look that hangs in somebody's network folder does not hold up the agent's end.
    pub(super) fn stop(self) {
        self.stop.request();
        if self.ended.recv_timeout(ENDS_WITHIN) == Err(mpsc::RecvTimeoutError::Timeout) {
            warn!("looking at what accounts hold did not end in time");
        }
    }
}

struct Looking {
    setup: Setup,
    root: Root,
    homes: Vec<Place>,
    templates: Templates,
    book: Book,
    inventory: Watch,
    arrivals: Option<Arrivals>,
    /// When everything was looked at last, and when new files last made the sensors start anew; uptime.
    looked: Option<Duration>,
    unasked: Option<Duration>,
    /// When a question was answered last; uptime.
    answered: Option<Duration>,
    /// How many places a look found and did not propose.
    left_out: u64,
    /// New files that are watched as soon as it is their turn.
    waits: bool,
}

impl Looking {
    fn new(setup: Setup) -> Self {
        let arrivals = Arrivals::start();
        let arrivals =
            arrivals.inspect_err(|_| warn!("new files are not noticed at once, only every few minutes"));
        Self {
            book: Book::open(&setup.dir, Arc::new(RealFiles)),
            root: Root::here(),
            homes: Vec::new(),
            templates: Templates::known(),
            inventory: Watch::default(),
            arrivals: arrivals.ok(),
            looked: None,
            unasked: None,
            answered: None,
            left_out: 0,
            waits: false,
            setup,
        }
    }

    fn run(mut self, stop: &Stop) {
        // The agent's own first word comes first.
        stop.wait(TURN);
        while !stop.requested() {
            self.hear();
            let now = self.setup.clock.uptime();
            if self.looked.is_none_or(|looked| now.saturating_sub(looked) >= self.setup.every) {
                self.looked = Some(now);
                self.look_at_holdings(None);
                self.look_around();
            }
            self.answer(now);
            if self.waits && self.unasked.is_none_or(|last| now.saturating_sub(last) >= UNASKED_EVERY) {
                (self.waits, self.unasked) = (false, Some(now));
                self.apply();
            }
            let arrival = match &mut self.arrivals {
                Some(arrivals) => arrivals.next(TURN),
                None => {
                    stop.wait(TURN);
                    Arrival::Nothing
                }
            };
            match arrival {
                Arrival::Nothing => {}
                Arrival::Rescan => self.look_around(),
                Arrival::File(path, account) => self.arrived(path, account),
            }
        }
    }

    /// Takes in what was decided since the last turn.
    fn hear(&mut self) {
        if !self.setup.decisions.has_changed().unwrap_or(false) {
            return;
        }
        let decisions = self.setup.decisions.borrow_and_update().clone();
        let before = self.book.watches();
        let events = self.book.decided(&decisions, self.setup.clock.now());
        self.record(events);
        if self.book.watches() != before {
            self.apply();
        }
    }

    /// Takes the inventory that was asked for, once for each question.
    fn answer(&mut self, now: Duration) {
        let Some(id) = self.setup.inventory_asked.borrow().clone() else { return };
        if self.book.has_answered(&id) || !may_answer(self.answered, now) {
            return;
        }
        self.answered = Some(now);
        self.look_at_holdings(Some(&id));
        // Afterwards: a crash in between answers twice rather than never.
        self.book.answered(&id);
    }

    fn look_at_holdings(&mut self, asked: Option<&str>) {
        let now = self.setup.clock.now();
        let found = inventory::look(now);
        let change = self.inventory.event(&found, now);
        let answer = asked.map(|id| inventory::answer(&found, id, now));
        self.record(change.into_iter().chain(answer));
    }

    fn look_around(&mut self) {
        let watched = self.setup.watched.borrow().clone();
        let before = self.book.watches();
        self.homes = homes(&self.root);
        let found = look::look(&self.root, &self.homes, &self.templates, &watched);
        let events = self.book.found(found.proposals, self.setup.clock.now());
        self.record(events);
        if found.left_out != self.left_out {
            self.left_out = found.left_out;
            let event = discover::left_out(found.left_out, self.setup.clock.now());
            self.record([event]);
        }
        if self.book.watches() != before {
            self.apply();
        }
        if let Some(arrivals) = &mut self.arrivals {
            let folders = likely_folders(&self.root, &self.homes, &self.templates);
            // What is watched already needs no second look.
            let folders: Vec<_> =
                folders.into_iter().filter(|place| watched.classify_path(&place.path).is_none()).collect();
            arrivals.follow(&folders);
        }
    }

    fn arrived(&mut self, path: String, account: Option<String>) {
        if self.setup.watched.borrow().classify_path(&path).is_some() {
            return;
        }
        let Some(looks) = file_looks_like(&self.root, &path) else { return };
        let before = self.book.watches();
        let event = self.book.arrived(of_file(path, looks, account), self.setup.clock.now());
        self.record(event);
        self.waits |= self.book.watches() != before;
    }

    fn record(&mut self, events: impl IntoIterator<Item = Event>) {
        if let Some(error) = self.book.take_trouble() {
            error!(error = %crate::error_chain(&error), "what is watched on top of the configuration could not be kept");
        }
        for event in events {
            if self.setup.intake.own(event).is_err() {
                return;
            }
        }
    }

    fn apply(&self) {
        let watches = self.book.watches();
        info!(n = watches.len(), "watches on top of the configuration");
        let _ = self.setup.control.send(Control::Watch(watches));
    }
}

/// Whether the next question may be answered, after one that was answered then; uptime.
fn may_answer(last: Option<Duration>, now: Duration) -> bool {
    last.is_none_or(|last| now.saturating_sub(last) >= ANSWERS_EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_again_and_again_is_answered_once_a_minute() {
        let s = Duration::from_secs;
        assert!(may_answer(None, s(0)));
        assert!(!may_answer(Some(s(100)), s(100)) && !may_answer(Some(s(100)), s(159)));
        assert!(may_answer(Some(s(100)), s(160)));
    }
}
