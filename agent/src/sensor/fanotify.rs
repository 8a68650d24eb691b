//! fanotify on the watched folders: the sensor where kernel audit is missing, and a witness against it where it is not.
//!
//! ```text
//! group -> decode -> folders (paths) + who (the person, from /proc)
//!   audit tells of files:  an open waits for audit's record; without one it is told, and that audit was silent
//!   audit does not:        each event is told, `derived` or `unattributed` with the reason
//! ```
//! It sees what passes audit's rules by (io_uring, handles, processes that a rule hides), it sees no refusals, and it
//! joins equal events: who touched what, not how often. Nothing waits for it: there are no permission events.
//!
//! # Invariants
//! - SE-1: an overflow of the kernel's queue or of the comparison is a gap.

mod decode;
mod folders;
mod group;
mod who;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ntk_evidence::event::{
    Action, Actor, Because, Confidence, Event, Kind, Object, Outcome, Process, Source, Tamper, TamperKind,
    Via,
};

use super::cross_check::{CrossCheck, Missing};
use super::pipeline::gap;
use super::sink::{Closed, Sink};
use super::standing::{Mark, Standing, Told};
use super::stop::Stop;
use crate::attribute::Names;
use crate::clock::{self, Clock};
use crate::coalesce::Runs;
use crate::watch_list::WatchList;

use decode::Seen;
use folders::Folders;
use group::Group;

/// Name of this sensor in events.
pub const SENSOR: &str = "fanotify";

/// How long one wait for events lasts.
const TURN: Duration = Duration::from_millis(100);

/// How long the end of audit is waited for at a stop.
const LAST_WORD_WITHIN: Duration = Duration::from_secs(2);

/// How often watches that were not there are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What the sensor needs.
pub struct FanotifyConfig {
    /// What is watched.
    pub watches: WatchList,
    /// What kernel audit tells.
    pub standing: Arc<Standing>,
    /// Names of uids on this machine.
    pub names: Box<dyn Names>,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
}

/// A group with its marks; [`Self::run`] makes events of what it gives.
pub struct FanotifySensor {
    config: FanotifyConfig,
    group: Group,
    folders: Folders,
    /// Places of watches that could not be marked yet.
    absent: Vec<usize>,
    check: CrossCheck<Event>,
    runs: Runs<()>,
    cannot_see: Arc<Mutex<Vec<String>>>,
    looked: Duration,
}

impl FanotifySensor {
    /// Marks the watches. The error is a sentence for a person.
    pub fn start(config: FanotifyConfig) -> Result<Self, String> {
        let group = Group::open().map_err(|error| refusal(&error))?;
        let looked = config.clock.uptime();
        let mut sensor = Self {
            absent: (0..config.watches.len()).collect(),
            config,
            group,
            folders: Folders::default(),
            check: CrossCheck::default(),
            runs: Runs::default(),
            cannot_see: Arc::default(),
            looked,
        };
        sensor.add_absent();
        if sensor.absent.len() == sensor.config.watches.len() {
            return Err("fanotify could mark none of the watched folders".to_owned());
        }
        sensor.config.standing.compare();
        sensor.say();
        Ok(sensor)
    }

    /// Sentences about what is not seen; shared with the running sensor.
    pub fn cannot_see(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.cannot_see)
    }

    /// Hands over events until the stop.
    pub fn run(mut self, sink: &Sink, stop: &Stop) {
        let mut open = Ok(());
        let mut beside_audit = self.config.standing.sees_files();
        while open.is_ok() && !stop.requested() {
            let read = self.group.read(TURN);
            let (now, time) = (self.config.clock.uptime(), clock::text(self.config.clock.now()));
            let was_beside = std::mem::replace(&mut beside_audit, self.config.standing.sees_files());
            let mut events = Vec::new();
            match read {
                Ok(seen) => events.extend(self.seen(seen, beside_audit, &time, now)),
                Err(_) => {
                    events.push(self.gap("fanotify_failed", &time, None));
                    stop.wait(LOOK_EVERY);
                }
            }
            events.extend(self.compare(was_beside && !beside_audit, &time, now));
            if now.saturating_sub(self.looked) >= LOOK_EVERY || was_beside != beside_audit {
                self.looked = now;
                let n_absent = self.absent.len();
                self.add_absent();
                if self.absent.len() < n_absent {
                    // Audit's rule for a folder that has just appeared may come later: that is no silence of audit's.
                    self.check.told(Told { lossy: true, ..Told::default() }, now);
                }
                self.say();
            }
            open = self.hand_over(events, now, sink);
        }
        // Audit has the last word: what still waits is told only when that was said, or did not come.
        let ends = self.config.clock.uptime().saturating_add(LAST_WORD_WITHIN);
        while self.config.standing.sees_files() && self.config.clock.uptime() < ends {
            let (now, time) = (self.config.clock.uptime(), clock::text(self.config.clock.now()));
            let seen = self.group.read(TURN).unwrap_or_default();
            let events = self.seen(seen, beside_audit, &time, now);
            let _ = self.hand_over(events, now, sink);
        }
        let (now, time) = (self.config.clock.uptime(), clock::text(self.config.clock.now()));
        let last = self.compare(true, &time, now);
        let _ = self.hand_over(last, now, sink);
        for (event, ()) in self.runs.flush() {
            if sink.offer(event).is_err() {
                return;
            }
        }
    }

    fn seen(&mut self, all: Vec<Seen>, beside_audit: bool, time: &str, now: Duration) -> Vec<Event> {
        let own = std::process::id();
        // One process is asked for once in what one read gave: it cannot have become another one meanwhile.
        let mut asked: Vec<(u32, Actor, Process)> = Vec::new();
        let mut events = Vec::new();
        for seen in all {
            let pid = u32::try_from(seen.pid).unwrap_or_default();
            if seen.mask & group::OVERFLOW != 0 {
                events.push(self.gap("fanotify_overflow", time, None));
            } else if pid != own {
                let known = asked.iter().position(|(asked, ..)| *asked == pid);
                if known.is_none() {
                    let (actor, process) = who::who(pid, seen.pidfd, self.config.names.as_ref());
                    asked.push((pid, actor, process));
                }
                let place = known.unwrap_or(asked.len().saturating_sub(1));
                let by = asked.get(place).map(|(_, actor, process)| (actor.clone(), process.clone()));
                if let Some((actor, process)) = by {
                    let told = self.one(&seen, &actor, &process, beside_audit, time);
                    if beside_audit {
                        self.wait_for_record(&seen, told, now);
                    } else {
                        events.extend(told);
                    }
                }
            }
            seen.pidfd.into_iter().for_each(group::close);
        }
        events
    }

    /// The events of one: it may bear several signs at once.
    fn one(&mut self, seen: &Seen, actor: &Actor, process: &Process, beside: bool, time: &str) -> Vec<Event> {
        let named =
            |entry: &Option<decode::Entry>| entry.as_ref().and_then(|entry| self.folders.path_of(entry));
        let (old, new) = (named(&seen.old), named(&seen.new));
        let path =
            named(&seen.entry).or_else(|| self.folders.file(seen.file.as_ref()?)).or_else(|| old.clone());
        let is_folder = seen.mask & group::ON_FOLDER != 0;
        let has = |sign: u64| seen.mask & sign != 0;
        let mut events = Vec::new();
        let mut tell = |action: Action, path: Option<String>, to: Option<String>| {
            let watch =
                [&path, &to].into_iter().flatten().find_map(|path| self.config.watches.classify_path(path));
            let Some(watch) = watch else { return };
            let mut event = access(action, time, actor.clone(), process.clone());
            event.object = Some(Object {
                path,
                to,
                owner: watch.owner.clone(),
                class: Some(watch.class.clone()),
                via: Some(Via::Direct),
                ..Object::default()
            });
            events.push(event);
        };
        if has(group::CREATE) {
            tell(Action::Create, path.clone(), None);
        }
        if has(group::RENAME) {
            tell(Action::Rename, old.clone(), new.clone());
        }
        if has(group::MOVED_FROM) {
            tell(Action::Rename, path.clone(), None);
        }
        if has(group::MOVED_TO) {
            tell(Action::Rename, None, path.clone());
        }
        if has(group::ATTRIBUTES) {
            tell(Action::Attributes, path.clone(), None);
        }
        if has(group::MODIFY) {
            tell(Action::Write, path.clone(), None);
        }
        if has(group::OPEN) && (!has(group::MODIFY | group::CREATE) || is_folder) {
            tell(if is_folder { Action::List } else { Action::Read }, path.clone(), None);
        }
        if has(group::DELETE) {
            tell(Action::Delete, path.clone(), None);
        }
        if is_folder {
            let below = self.folder_changed(seen, path.as_deref(), old.as_deref(), new.as_deref(), time);
            if !beside {
                events.extend(below);
            }
        }
        events
    }

    /// Keeps the marks in step with the folders; gives what lay in a new folder before it was marked.
    fn folder_changed(
        &mut self,
        seen: &Seen,
        path: Option<&str>,
        old: Option<&str>,
        new: Option<&str>,
        time: &str,
    ) -> Vec<Event> {
        if seen.mask & group::DELETE != 0 {
            path.into_iter().for_each(|path| self.folders.removed(path));
        }
        let appeared = match (old, new) {
            (Some(old), Some(new)) => {
                self.folders.renamed(old, new);
                None
            }
            (None, Some(new)) => Some(new),
            _ if seen.mask & (group::CREATE | group::MOVED_TO) != 0 => path,
            _ => None,
        };
        let Some(found) = appeared.and_then(|path| self.folders.add(&mut self.group, Path::new(path)).ok())
        else {
            return Vec::new();
        };
        let because = Some(Because::BeforeWatching);
        let actor = Actor { confidence: Some(Confidence::Unattributed), because, ..Actor::default() };
        let event = |path: String| {
            let watch = self.config.watches.classify_path(&path)?;
            let mut event = access(Action::Create, time, actor.clone(), Process::default());
            event.process = None;
            event.object = Some(Object {
                owner: watch.owner.clone(),
                class: Some(watch.class.clone()),
                via: Some(Via::Direct),
                path: Some(path),
                ..Object::default()
            });
            Some(event)
        };
        found.folders.into_iter().chain(found.files).filter_map(event).collect()
    }

    /// An open waits for audit's record. What ran a program is none: rules that tell of reading do not tell of it.
    fn wait_for_record(&mut self, seen: &Seen, told: Vec<Event>, now: Duration) {
        if seen.mask & group::OPEN == 0 || seen.mask & group::OPEN_EXEC != 0 {
            return;
        }
        // Created, renamed and written at once: each has the open's own path, and one comparison is enough.
        let Some(event) = told.into_iter().next_back() else { return };
        let marks = self.marks(&event);
        self.check.opened(marks, event, now);
    }

    fn marks(&self, event: &Event) -> Vec<Mark> {
        let standing = &self.config.standing;
        let Some(path) = event.object.as_ref().and_then(|object| object.path.as_deref()) else {
            return Vec::new();
        };
        let inode = std::fs::symlink_metadata(path).ok().map(|metadata| {
            let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
            standing.inode(&format!("{major:02x}:{minor:02x}"), metadata.ino())
        });
        inode.into_iter().chain([standing.path(path)]).collect()
    }

    /// What audit told, against what was seen. `is_over`: audit does not tell of files any more.
    fn compare(&mut self, is_over: bool, time: &str, now: Duration) -> Vec<Event> {
        self.check.told(self.config.standing.take(), now);
        let mut events = Vec::new();
        for Missing { with: event, lossy } in self.check.expire(now) {
            if !lossy {
                events.push(silent(&event, time));
            }
            events.push(event);
        }
        if is_over {
            events.extend(self.check.forget());
        }
        let n_unchecked = self.check.unchecked();
        if n_unchecked > 0 {
            events.push(self.gap("cross_check_overflow", time, Some(n_unchecked)));
        }
        events
    }

    fn hand_over(&mut self, events: Vec<Event>, now: Duration, sink: &Sink) -> Result<(), Closed> {
        let mut ready = self.runs.expire(now);
        for event in events {
            ready.extend(self.runs.take(event, (), now));
        }
        ready.into_iter().try_for_each(|(event, ())| sink.offer(event)).and(sink.settle())
    }

    fn add_absent(&mut self) {
        let watches = &self.config.watches;
        let (folders, group) = (&mut self.folders, &mut self.group);
        self.absent.retain(|place| {
            let path = watches.at(*place).map(|watch| Path::new(&watch.path));
            path.is_some_and(|path| folders.add(group, path).is_err())
        });
    }

    fn say(&self) {
        let mut sentences = Vec::new();
        if !self.config.standing.sees_files() {
            sentences.push(
                "kernel audit does not tell of files now; fanotify does: refused access is not seen, nor how often a file was \
                 opened, and a program that ends at once may stay unnamed"
                    .to_owned(),
            );
        }
        for place in &self.absent {
            let path = self.config.watches.at(*place).map(|watch| watch.path.as_str()).unwrap_or_default();
            if !self.config.standing.sees_files() {
                sentences.push(format!(
                    "{path} does not exist or cannot be marked, so nothing in it is seen until it does"
                ));
            } else if Path::new(path).exists() {
                sentences
                    .push(format!("fanotify cannot mark {path}; what audit tells of it is not compared"));
            }
        }
        if self.folders.is_full {
            sentences.push("fanotify marks 16384 folders; there are more below the watches, and the rest is not compared with audit".to_owned());
        }
        if self.folders.n_unnamed > 0 {
            let n = self.folders.n_unnamed;
            sentences.push(format!("the file system of {n} watched folders names no handles to fanotify; nothing is seen by it there"));
        }
        *self.cannot_see.lock().unwrap_or_else(PoisonError::into_inner) = sentences;
    }

    fn gap(&self, cause: &str, time: &str, n_lost: Option<u64>) -> Event {
        let mut event = gap(cause, time, None, Some(time));
        event.source = source();
        if let Some(gap) = &mut event.gap {
            gap.lost = n_lost;
        }
        event
    }
}

fn access(action: Action, time: &str, actor: Actor, process: Process) -> Event {
    let mut event = Event::new(Kind::FileAccess, time);
    event.outcome = Some(Outcome::Success);
    event.action = Some(action);
    event.actor = Some(actor);
    event.process = Some(process);
    event.source = source();
    event
}

fn source() -> Option<Source> {
    Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() })
}

/// The news of the comparison: this was opened, and audit has no record of it.
fn silent(opened: &Event, time: &str) -> Event {
    let mut event = Event::new(Kind::Tamper, time);
    event.outcome = Some(Outcome::Success);
    event.actor.clone_from(&opened.actor);
    event.process.clone_from(&opened.process);
    event.object.clone_from(&opened.object);
    event.source = source();
    let detail = format!("opened at {}, and kernel audit made no record of it", opened.time);
    event.tamper =
        Some(Tamper { what: TamperKind::RecordGap, detail: Some(detail), other: Default::default() });
    event
}

fn refusal(error: &std::io::Error) -> String {
    match rustix::io::Errno::from_io_error(error) {
        Some(rustix::io::Errno::PERM) => {
            "fanotify needs root (CAP_SYS_ADMIN) in the machine's first user namespace; most containers do not have it".to_owned()
        }
        Some(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            "this kernel's fanotify names no processes; it needs Linux 5.15 or later".to_owned()
        }
        _ => format!("fanotify could not be had ({error})"),
    }
}

#[cfg(test)]
mod tests;
