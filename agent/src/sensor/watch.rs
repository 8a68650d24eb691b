//! The fallback where kernel audit is missing: opens and changes through the notify crate.
//!
//! It tells that a file was touched, not who touched it: every event is `unattributed`, and refused access is
//! not seen at all. Who was logged in at the time stands in health entries; it is no actor.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, CreateKind, EventKind, ModifyKind, RemoveKind, RenameMode};
use notify::{RecursiveMode, Watcher};

use ntk_evidence::event::{Action, Actor, Confidence, Event, Kind, Object, Outcome, Source, Via};

use super::pipeline::gap;
use super::sink::{Closed, Sink};
use super::standing::Standing;
use super::stop::Stop;
use crate::clock::{self, Clock};
use crate::coalesce::Runs;
use crate::watch_list::{WatchList, normalise_local};

/// Name of this sensor in events.
pub const SENSOR: &str = "notify";

/// Hints that wait; beyond that they are counted and become a gap.
const HINTS_MAX: usize = 16_384;

/// How long the first name of a rename waits for the second.
const HALF_WAIT: Duration = Duration::from_secs(1);

/// How long one wait for a hint lasts.
const TURN: Duration = Duration::from_millis(100);

/// A started watcher.
pub struct WatchSensor {
    _watcher: notify::RecommendedWatcher,
    hints: std::sync::mpsc::Receiver<notify::Result<notify::Event>>,
    n_full: Arc<AtomicU64>,
    watches: WatchList,
    clock: Arc<dyn Clock>,
    cannot_see: Vec<String>,
}

impl WatchSensor {
    /// Starts watching; sentences say what could not be watched.
    pub fn start(watches: WatchList, clock: Arc<dyn Clock>) -> notify::Result<Self> {
        let (sender, hints) = sync_channel(HINTS_MAX);
        let n_full = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&n_full);
        let mut watcher = notify::recommended_watcher(move |hint| {
            if let Err(TrySendError::Full(_)) = sender.try_send(hint) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        let mut cannot_see = vec![
            "who opened a file is not seen, only that it was opened".to_owned(),
            "refused access, listing a folder, logins and sudo are not seen".to_owned(),
        ];
        if cfg!(windows) {
            // ReadDirectoryChangesW then answers with nothing, and notify says nothing of that.
            cannot_see.push("of many changes at once some may be lost without a word".to_owned());
        }
        for watch in watches.iter() {
            if watcher.watch(Path::new(&watch.path), RecursiveMode::Recursive).is_err() {
                cannot_see
                    .push(format!("{} cannot be watched; check that it exists and may be read", watch.path));
            }
        }
        Ok(Self { _watcher: watcher, hints, n_full, watches, clock, cannot_see })
    }

    /// Sentences about what is not seen.
    pub fn cannot_see(&self) -> &[String] {
        &self.cannot_see
    }

    /// Hands over events until the stop.
    pub fn run(self, sink: &Sink, stop: &Stop) {
        self.run_until(sink, &|| stop.requested());
    }

    /// Hands over events until this is true.
    fn run_until(self, sink: &Sink, is_over: &dyn Fn() -> bool) {
        let mut runs = Runs::default();
        let mut halves = Halves::default();
        let mut open = Ok(());
        while open.is_ok() && !is_over() {
            let received = self.hints.recv_timeout(TURN);
            let (now, time) = (self.clock.uptime(), clock::text(self.clock.now()));
            let mut events = match received {
                Ok(hint) => self.events(hint, &time, now, &mut halves),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            events.extend(halves.expire(now));
            let n_full = self.n_full.swap(0, Ordering::Relaxed);
            if n_full > 0 {
                events.push(lost("queue_overflow", &time, Some(n_full)));
            }
            open = hand_over(&mut runs, events, now, sink);
        }
        let last = runs.flush().into_iter().map(|(event, ())| event).chain(halves.expire(Duration::MAX));
        for event in last {
            if sink.offer(event).is_err() {
                return;
            }
        }
    }

    fn events(
        &self,
        hint: notify::Result<notify::Event>,
        time: &str,
        now: Duration,
        halves: &mut Halves,
    ) -> Vec<Event> {
        let Ok(hint) = hint else { return vec![lost("notify_error", time, None)] };
        // First of all: a rescan means that hints were lost, and may carry no paths (SE-1).
        if hint.need_rescan() {
            return vec![lost("notify_rescan", time, None)];
        }
        let Some(action) = action_of(&hint.kind) else { return Vec::new() };
        let mut paths = hint.paths.iter().map(|path| normalise_local(&path.to_string_lossy()));
        let (mut path, mut to) = (paths.next(), paths.next());
        if hint.kind == EventKind::Modify(ModifyKind::Name(RenameMode::To)) {
            to = path.take();
        }
        let held = |path: &Option<String>| self.watches.classify_path(path.as_deref()?);
        let Some(watch) = held(&path).or_else(|| held(&to)) else { return Vec::new() };
        // Watching a folder opens it, and so does every new folder below it: such an open may be our own.
        if action == Action::Read && path.as_deref().is_some_and(|path| Path::new(path).is_dir()) {
            return Vec::new();
        }
        let mut event = Event::new(Kind::FileAccess, time);
        event.outcome = Some(Outcome::Success);
        event.action = Some(action);
        event.actor = Some(Actor { confidence: Some(Confidence::Unattributed), ..Actor::default() });
        event.object = Some(Object {
            path,
            to,
            owner: watch.owner.clone(),
            class: Some(watch.class.clone()),
            decoy: watch.decoy(),
            via: Some(Via::Direct),
            ..Object::default()
        });
        event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
        match hint.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => halves.joined(hint.attrs.tracker()),
            EventKind::Modify(ModifyKind::Name(_)) => {
                halves.open.push((hint.attrs.tracker(), event, now));
                return Vec::new();
            }
            _ => {}
        }
        vec![event]
    }
}

/// Stands in whenever kernel audit tells of no files, until the stop; `awake` says when that is.
pub fn stand_in(
    watches: &WatchList,
    clock: &Arc<dyn Clock>,
    standing: &Standing,
    told: (&AtomicBool, &Mutex<Vec<String>>),
    sink: &Sink,
    stop: &Stop,
) {
    let (awake, cannot_see) = told;
    while !stop.wait(TURN) {
        if standing.sees_files() {
            continue;
        }
        let Ok(sensor) = WatchSensor::start(watches.clone(), Arc::clone(clock)) else { continue };
        *cannot_see.lock().unwrap_or_else(PoisonError::into_inner) = sensor.cannot_see().to_vec();
        awake.store(true, Ordering::Release);
        sensor.run_until(sink, &|| stop.requested() || standing.sees_files());
        awake.store(false, Ordering::Release);
    }
}

/// Renames of which one name was told so far. The other one follows at once, unless it lies outside the watches.
#[derive(Default)]
struct Halves {
    open: Vec<(Option<usize>, Event, Duration)>,
}

impl Halves {
    fn joined(&mut self, tracker: Option<usize>) {
        self.open.retain(|(other, ..)| *other != tracker);
    }

    fn expire(&mut self, now: Duration) -> Vec<Event> {
        let late = |half: &mut (Option<usize>, Event, Duration)| now.saturating_sub(half.2) >= HALF_WAIT;
        self.open.extract_if(.., late).map(|(_, event, _)| event).collect()
    }
}

fn hand_over(runs: &mut Runs<()>, events: Vec<Event>, now: Duration, sink: &Sink) -> Result<(), Closed> {
    let mut ready = runs.expire(now);
    for event in events {
        ready.extend(runs.take(event, (), now));
    }
    ready.into_iter().try_for_each(|(event, ())| sink.offer(event)).and(sink.settle())
}

/// The action of a hint; none for what repeats another hint (a close after an open).
fn action_of(kind: &EventKind) -> Option<Action> {
    Some(match kind {
        EventKind::Access(AccessKind::Open(_)) => Action::Read,
        EventKind::Create(CreateKind::File | CreateKind::Folder | CreateKind::Any | CreateKind::Other) => {
            Action::Create
        }
        EventKind::Modify(ModifyKind::Data(_)) => Action::Write,
        EventKind::Modify(ModifyKind::Metadata(_)) => Action::Attributes,
        EventKind::Modify(ModifyKind::Name(_)) => Action::Rename,
        EventKind::Remove(RemoveKind::File | RemoveKind::Folder | RemoveKind::Any | RemoveKind::Other) => {
            Action::Delete
        }
        _ => return None,
    })
}

fn lost(cause: &str, time: &str, n_lost: Option<u64>) -> Event {
    let mut event = gap(cause, time, None, Some(time));
    event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
    if let Some(gap) = &mut event.gap {
        gap.lost = n_lost;
    }
    event
}

#[cfg(test)]
mod tests;
