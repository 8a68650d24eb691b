//! The live sensor: kernel audit, with this process as its owner, or as a listener beside another one ([`steps`]).
//!
//! Two threads: the drain takes records from the kernel ([`drain`]); this one parses, attributes, classifies,
//! hands over, and every few seconds looks whether audit is still on, ours, and has its rules. Someone who
//! switches audit off leaves one record and then silence: the look notices, says so, and switches it on again.
//!
//! # Invariants
//! - SE-1: growth of the kernel's lost counter, an overflow of the socket or of the queue, and time without
//!   audit each become a `gap` with cause and bounds.
//! - Other people's rules and another owner are never touched; what was there before is there after.

mod canary;
mod drain;
mod filter_ffi;
mod follow;
mod guards;
mod hold;
mod keys;
mod netlink;
pub mod observe;
mod put_back;
mod rules;
mod scan;
mod seal;
mod state_file;
mod status;
mod steps;
mod watchdog;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ntk_evidence::event::{Actor, Confidence, Event, Kind, Outcome, Source, Tamper, TamperKind};

use super::fingerprints::Fingerprints;
use super::pipeline::{Pipeline, gap};
use super::sink::{Closed, Sink};
use super::standing::Standing;
use super::stop::Stop;
use crate::attribute::{Names, Present};
use crate::classify::{Classifier, ForeignKeys, SENSOR};
use crate::clock::{self, Clock};
use crate::coalesce::Runs;
use crate::host;
use crate::origin::Origin;
use crate::watch_list::WatchList;

use canary::{Canary, Turn};
use drain::Drain;
use follow::Followed;
use hold::{Hold, Look, Role};
use keys::Keys;
use steps::Overlap;

pub use hold::Unavailable;
pub use put_back::{PutBack, lock, put_back};
pub use status::{AuditStatus, Lock};

/// How often the kernel's state and rules are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often it is looked which sessions still have processes.
const SESSIONS_EVERY: Duration = Duration::from_secs(30);

/// How long one wait for a record lasts, so that the rest gets its turn.
const TURN: Duration = Duration::from_millis(100);

/// What the live sensor needs.
pub struct AuditConfig {
    /// What is watched.
    pub watches: WatchList,
    /// Kernel audit and login uids are to be locked until the machine boots.
    pub sealed: bool,
    /// Where the state before us is kept while we run.
    pub state_file: PathBuf,
    /// Names of uids on this machine.
    pub names: Box<dyn Names>,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// What the other sensors are told of audit.
    pub standing: Arc<Standing>,
    /// Keys of ssh logins, as the log's reader learns them.
    pub fingerprints: Arc<Fingerprints>,
}

/// Kernel audit in our hands and being drained; [`Self::run`] makes events of it.
pub struct AuditSensor {
    hold: Hold,
    drain: Drain,
    drain_stop: Stop,
    pipeline: Pipeline,
    watches: WatchList,
    followed: Followed,
    canary: Option<Canary>,
    runs: Runs<()>,
    keys: Keys,
    overlap: Overlap,
    standing: Arc<Standing>,
    around: host::Surroundings,
    accounts: host::Accounts,
    clock: Arc<dyn Clock>,
    status: Arc<Mutex<AuditStatus>>,
    cannot_see: Arc<Mutex<Vec<String>>>,
    seen: Seen,
}

/// What the last look showed, to notice changes.
#[derive(Default)]
struct Seen {
    at: String,
    after: Duration,
    lost: u64,
    n_queue_full: u64,
    n_overflows: u64,
    rules_hash: String,
    /// Other people's rules that keep records from being made, by the way they do.
    blind: Vec<&'static str>,
    /// When the sessions were last looked at.
    sessions: Option<Duration>,
    enabled: u32,
    /// Whether any record came, since when the socket is the one it is.
    heard: bool,
    since: Duration,
}

impl AuditSensor {
    /// Takes kernel audit over; nothing is changed where it cannot be had.
    pub fn take(config: AuditConfig) -> Result<Self, Unavailable> {
        let pid = std::process::id();
        let own = host::own_hand(pid);
        let own_dir = config.state_file.parent().unwrap_or(Path::new("/")).to_owned();
        let canary = Canary::make(&own_dir, config.clock.uptime());
        let watches = config.watches.with(guards::guards(&own_dir));
        // Rules that cannot be replaced must mean the same to the next start, whatever its number and its list.
        let watches = if config.sealed || hold::is_locked() { watches.lasting() } else { watches };
        let folders = Box::new(host::OpenFolders);
        let mut classifier = Classifier::new(watches.clone(), ForeignKeys::Ignored, folders, Some(own));
        // Before the rules: our own reading of the folders is no event.
        scan::scan(&watches, classifier.places_mut());
        let origin = Origin::new(Box::new(host::RunningProcesses), Some(pid));
        let mut pipeline = Pipeline::new(classifier, config.names, origin);
        let now = clock::text(config.clock.now());
        pipeline.set_fallback_time(now.clone());
        pipeline.tell(Arc::clone(&config.standing));
        let canary_path = canary.as_ref().and_then(Canary::path);
        let (mut hold, socket) = Hold::take(&watches, canary_path, &config.state_file, &host::boot_id())?;
        let followed = Followed::open(&own_dir);
        for (place, path) in followed.existing(&watches) {
            if let Some(watch) = watches.at(place) {
                hold.follow(place, watch, &path);
            }
        }
        // Last: nothing can be added after it.
        hold.seal = seal::Seal::new(config.sealed);
        hold.seal();
        let drain_stop = Stop::default();
        let failed = |error: std::io::Error| Unavailable {
            reason: format!("kernel audit could not be read ({error})"),
        };
        let drain = Drain::start(socket, drain_stop.clone()).map_err(failed)?;
        watchdog::watch(drain.beats(), drain_stop.clone()).map_err(failed)?;
        let look = hold.look().map_err(failed)?;
        let seen = Seen {
            at: now,
            after: config.clock.uptime(),
            lost: hold.lost_before().into(),
            rules_hash: look.status.rules_hash.clone(),
            blind: look.blind.clone(),
            enabled: look.status.enabled,
            since: config.clock.uptime(),
            ..Seen::default()
        };
        let mut overlap = Overlap::default();
        overlap.begin(hold.role(), seen.since);
        let sensor = Self {
            status: Arc::new(Mutex::new(look.status.clone())),
            cannot_see: Arc::default(),
            hold,
            drain,
            drain_stop,
            pipeline,
            watches,
            followed,
            canary,
            runs: Runs::default(),
            keys: Keys::new(config.fingerprints),
            overlap,
            standing: config.standing,
            around: host::Surroundings::default(),
            accounts: host::Accounts::default(),
            clock: config.clock,
            seen,
        };
        let sentences = sensor.sentences(&look, sensor.seen.since);
        *sensor.cannot_see.lock().unwrap_or_else(PoisonError::into_inner) = sentences;
        Ok(sensor)
    }

    /// What the last look showed, for health entries; shared with the running sensor.
    pub fn status(&self) -> Arc<Mutex<AuditStatus>> {
        Arc::clone(&self.status)
    }

    /// Sentences about what is not seen; shared with the running sensor.
    pub fn cannot_see(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.cannot_see)
    }

    /// Hands over events until the stop, then gives kernel audit back.
    pub fn run(mut self, sink: &Sink, stop: &Stop) {
        drain::go_ahead();
        let mut open = Ok(());
        while open.is_ok() && !stop.requested() {
            let received = self.drain.records.recv_timeout(TURN);
            let now = self.clock.uptime();
            let mut events = Vec::new();
            match &received {
                Ok(batch) => {
                    self.seen.heard = true;
                    for raw in batch.iter() {
                        self.canary.iter_mut().for_each(|canary| canary.saw(raw, now));
                        if self.overlap.is_new(raw, now) {
                            self.pipeline.raw(raw, now, &mut events);
                        }
                    }
                }
                Err(_) => events = self.pipeline.tick(now),
            }
            events.extend(self.test_sight(now));
            events.iter().for_each(|event| self.follow(event));
            open = self.hand_over(events, now, sink);
            if open.is_ok() && now.saturating_sub(self.seen.after) >= LOOK_EVERY {
                let events = self.look(now);
                open = self.hand_over(events, now, sink).and(sink.settle());
            }
            if received == Err(RecvTimeoutError::Disconnected) {
                // The drain ended on an error of the socket: begin again at the next look.
                stop.wait(TURN);
            }
        }
        self.end(sink);
    }

    fn hand_over(&mut self, events: Vec<Event>, now: Duration, sink: &Sink) -> Result<(), Closed> {
        let mut ready: Vec<Event> = self.runs.expire(now).into_iter().map(|(event, ())| event).collect();
        for mut event in events {
            if let (Kind::FileAccess, Some(process)) = (&event.kind, &mut event.process)
                && let Some(pid) = process.pid.filter(|_| process.parent.is_none())
            {
                process.parent = self.around.parent_of(pid, now);
            }
            mark(&self.standing, &event);
            self.keys.take(event, now);
        }
        while let Some(event) = self.keys.ready(now) {
            ready.extend(self.runs.take(event, (), now).into_iter().map(|(event, ())| event));
        }
        ready.into_iter().try_for_each(|event| sink.offer(event))
    }

    /// Watches the name that an event leads out of a watch by.
    fn follow(&mut self, event: &Event) {
        let Some((place, path)) = self.followed.leads_out(event, &self.watches) else { return };
        let Some(watch) = self.watches.at(place) else { return };
        self.hold.follow(place, watch, &path);
        self.followed.keep(&path, &watch.path);
        // The rules changed by our own hand.
        if let Ok(look) = self.hold.look() {
            self.seen.rules_hash = look.status.rules_hash;
        }
    }

    /// Opens the file of the test when it is due; says so where its record did not come.
    fn test_sight(&mut self, now: Duration) -> Vec<Event> {
        match self.canary.as_mut().map(|canary| canary.turn(now)) {
            Some(Turn::Open) => {
                self.canary.iter_mut().for_each(Canary::open);
                Vec::new()
            }
            Some(Turn::Missing) => {
                let time = clock::text(self.clock.now());
                let detail = "the agent had a file of its own opened and no record of it came";
                vec![tamper(TamperKind::RecordGap, detail, &time), self.blindness("self_test", &time)]
            }
            Some(Turn::Wait) | None => Vec::new(),
        }
    }

    /// Hands over what is known, gives audit back, then hands over what still came.
    fn end(mut self, sink: &Sink) {
        // First, because giving back asks the kernel rule by rule, and the agent does not wait for the end for ever.
        if self.hand_over_all(sink).is_err() {
            return;
        }
        self.hold.give_back();
        self.drain_stop.request();
        let now = self.clock.uptime();
        let mut events = Vec::new();
        loop {
            match self.drain.records.recv_timeout(TURN) {
                Ok(batch) => batch.iter().for_each(|raw| self.pipeline.raw(raw, now, &mut events)),
                Err(RecvTimeoutError::Timeout) => {}
                // The drain has ended, and this was all.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        events.extend(self.pipeline.finish());
        for event in events {
            mark(&self.standing, &event);
            self.keys.take(event, now);
        }
        // Everything was said: whoever compares need not wait any longer.
        self.standing.set(false, false);
        let _ = self.hand_over_all(sink);
    }

    /// Hands over what waits: for its key, or for its run to go on.
    fn hand_over_all(&mut self, sink: &Sink) -> Result<(), Closed> {
        let now = self.clock.uptime();
        self.keys.flush();
        let mut ready = Vec::new();
        while let Some(event) = self.keys.ready(now) {
            ready.extend(self.runs.take(event, (), now));
        }
        ready.extend(self.runs.flush());
        ready.into_iter().try_for_each(|(event, ())| sink.offer(event))?;
        sink.settle()
    }

    /// Looks at the kernel's state; what changed becomes events, what is ours is put right.
    fn look(&mut self, now: Duration) -> Vec<Event> {
        let time = clock::text(self.clock.now());
        self.pipeline.set_fallback_time(time.clone());
        let mut events = self.losses(&time);
        events.extend(self.look_around(now));
        let Ok(look) = self.hold.look() else {
            // What cannot be asked may not be relied on: the others stand in until it answers again.
            self.standing.set(false, false);
            self.seen.after = now;
            return events;
        };
        for way in &look.blind {
            if look.blind.iter().filter(|other| *other == way).count()
                > self.seen.blind.iter().filter(|other| *other == way).count()
            {
                let detail = format!("{way} rule: it keeps records from being made");
                events.push(tamper(TamperKind::RulesChanged, &detail, &time));
                events.push(self.blindness("rules_blind", &time));
            }
        }
        self.seen.blind.clone_from(&look.blind);
        let status = look.status.clone();
        if status.lost > self.seen.lost {
            let n_lost = status.lost.saturating_sub(self.seen.lost);
            events.push(self.gap("kernel_lost", &time, Some(n_lost)));
        }
        self.seen.lost = status.lost;
        let mut put_right = false;
        // A listener's owner may keep it off: that is told when it changes, and stays the owner's business.
        let is_owner = self.hold.role() == Role::Owner;
        if status.enabled == 0 && (is_owner || self.seen.enabled != 0) {
            events.push(tamper(TamperKind::AuditDisabled, "audit_enabled=0", &time));
            events.push(self.gap("audit_disabled", &time, None));
            put_right = is_owner;
            if is_owner {
                let _ = self.hold.switch_on();
            }
        }
        let (stepped, again) = self.step(&status, &time, now);
        events.extend(stepped);
        put_right |= again;
        if status.rules_hash != self.seen.rules_hash {
            let detail = match look.n_missing {
                0 => "other rules were added or removed".to_owned(),
                n => format!("{n} rules of this agent were removed"),
            };
            events.push(tamper(TamperKind::RulesChanged, &detail, &time));
            if look.n_missing > 0 {
                events.push(self.gap("rules_removed", &time, None));
            }
            put_right = true;
        }
        if put_right || self.hold.may_add_more() {
            self.hold.add_rules();
            self.hold.seal();
        }
        let look = self.hold.look().unwrap_or(look);
        let status = look.status.clone();
        self.seen.rules_hash = status.rules_hash.clone();
        self.seen.enabled = status.enabled;
        self.seen.at = time;
        self.seen.after = now;
        let sentences = self.sentences(&look, now);
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        *self.cannot_see.lock().unwrap_or_else(PoisonError::into_inner) = sentences;
        events
    }

    /// Looks who is connected through remote-support tools, and now and then which sessions still have processes.
    fn look_around(&mut self, now: Duration) -> Vec<Event> {
        let origin = self.pipeline.origin();
        let presence = host::presence(origin.tools(), &origin.followed(), &self.accounts);
        let is_due = self.seen.sessions.is_none_or(|last| now.saturating_sub(last) >= SESSIONS_EVERY);
        let sessions = is_due.then(|| {
            self.seen.sessions = Some(now);
            let sessions = host::sessions(&self.accounts).into_iter();
            sessions.map(|one| Present { number: one.number, login_uid: one.login_uid }).collect::<Vec<_>>()
        });
        let nanos = u64::try_from(self.clock.now().unix_nanos()).unwrap_or_default();
        self.pipeline.look(&presence, sessions.as_deref(), Duration::from_nanos(nanos))
    }

    /// Sentences about what is not seen now.
    fn sentences(&self, look: &Look, now: Duration) -> Vec<String> {
        let mut sentences = self.stand(&look.status, now);
        if self.canary.as_ref().is_some_and(Canary::is_blind) {
            sentences.push(
                "this agent had a file of its own opened and no record of it came: accesses may go unseen"
                    .to_owned(),
            );
        }
        for way in ["exclude", "never"] {
            if look.blind.contains(&way) {
                let sentence =
                    format!("somebody else's audit rule ({way}) keeps some records from being made");
                sentences.push(sentence);
            }
        }
        sentences
    }

    /// Gaps of what the drain counted.
    fn losses(&mut self, time: &str) -> Vec<Event> {
        let mut events = Vec::new();
        let n_queue_full = self.drain.losses.n_queue_full.load(Ordering::Relaxed);
        let n_overflows = self.drain.losses.n_overflows.load(Ordering::Relaxed);
        if n_queue_full > self.seen.n_queue_full {
            let n_lost = n_queue_full.saturating_sub(self.seen.n_queue_full);
            events.push(self.gap("raw_queue_overflow", time, Some(n_lost)));
        }
        if n_overflows > self.seen.n_overflows {
            events.push(self.gap("socket_overflow", time, None));
        }
        self.seen.n_queue_full = n_queue_full;
        self.seen.n_overflows = n_overflows;
        events
    }

    /// Records that are not made, which is no loss of records that were: what fanotify misses then is news.
    fn blindness(&self, cause: &str, time: &str) -> Event {
        gap(cause, time, Some(&self.seen.at), Some(time))
    }

    fn gap(&self, cause: &str, time: &str, lost: Option<u64>) -> Event {
        self.standing.lost();
        let mut event = gap(cause, time, Some(&self.seen.at), Some(time));
        if let Some(gap) = &mut event.gap {
            gap.lost = lost;
        }
        event
    }
}

/// Adds a rule that changes nothing and removes it, as somebody else than the agent: for the on-site test.
pub fn add_and_remove_rule(folder: &str, key: &str) -> std::io::Result<()> {
    let rule = rules::probe_rule(folder, key);
    let mut socket = netlink::AuditSocket::open()?;
    socket.request(netlink::ADD_RULE, rule.bytes())?;
    socket.request(netlink::DEL_RULE, rule.bytes())
}

/// Tells the comparison with fanotify which paths audit spoke of.
fn mark(standing: &Standing, event: &Event) {
    if event.kind == Kind::FileAccess && standing.is_compared() {
        let paths = event.object.iter().flat_map(|object| [&object.path, &object.to]).flatten();
        standing.tell(paths.map(|path| standing.path(path)));
    }
}

/// What the look noticed. Who did it is in the record of the act, where there is one.
fn tamper(what: TamperKind, detail: &str, time: &str) -> Event {
    let mut event = Event::new(Kind::Tamper, time);
    event.outcome = Some(Outcome::Success);
    event.actor = Some(Actor { confidence: Some(Confidence::Unattributed), ..Actor::default() });
    event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
    event.tamper = Some(Tamper { what, detail: Some(detail.to_owned()), other: Default::default() });
    event
}

#[cfg(test)]
mod tests;
