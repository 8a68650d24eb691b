//! The observer: a second process under another account that may only listen, and reports the end of the agent.
//!
//! A killed agent cannot say who killed it: the record is made when it is gone. The kernel lets a process with
//! CAP_AUDIT_READ and no other right hear the records, whoever owns them. The observer is a machine of its own in the
//! ledger, with keys of its own, and tells nothing but acts against the recording.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ntk_evidence::event::{Event, Kind, TamperKind};

use super::drain::Drain;
use super::hold::Unavailable;
use super::netlink::AuditSocket;
use super::{TURN, tamper};
use crate::attribute::Names;
use crate::classify::{Classifier, ForeignKeys, NoFolders};
use crate::clock::{self, Clock};
use crate::host;
use crate::origin::{NoProcesses, Origin};
use crate::sensor::pipeline::{Pipeline, gap};
use crate::sensor::sink::Sink;
use crate::sensor::stop::Stop;
use crate::watch_list::WatchList;

/// Name of this sensor in health entries.
pub const OBSERVER: &str = "observer";

/// How often the agent's process is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long an act waits, until it is known whether the agent itself did it: one that has just started is not known yet.
const HELD_FOR: Duration = Duration::from_secs(2);

/// Processes that were the agent, which are remembered.
const AGENTS_MAX: usize = 4;

/// Room in the socket: the kernel does not wait for a listener.
const RECEIVE_BYTES: usize = 8 * 1024 * 1024;

/// Listening, and looking for the agent's process.
pub struct Observer {
    drain: Drain,
    drain_stop: Stop,
    pipeline: Pipeline,
    clock: Arc<dyn Clock>,
    cannot_see: Arc<Mutex<Vec<String>>>,
    agent: Option<u32>,
    /// Processes that were the agent, the newest last: what one did as it ended comes out when it is gone.
    agents: Vec<u32>,
    held: Vec<(Duration, Event)>,
    n_overflows: u64,
    looked: Duration,
}

impl Observer {
    /// Listens to kernel audit; nothing is changed.
    pub fn start(names: Box<dyn Names>, clock: Arc<dyn Clock>) -> Result<Self, Unavailable> {
        let failed = |error: std::io::Error| Unavailable {
            reason: format!(
                "kernel audit cannot be heard ({error}); the observer needs CAP_AUDIT_READ in the machine's first network namespace"
            ),
        };
        let socket = AuditSocket::listen().map_err(failed)?;
        socket.widen(RECEIVE_BYTES);
        let drain_stop = Stop::default();
        let drain = Drain::start(socket, drain_stop.clone()).map_err(failed)?;
        let classifier =
            Classifier::new(WatchList::default(), ForeignKeys::Ignored, Box::new(NoFolders), None);
        let mut pipeline =
            Pipeline::new(classifier, names, Origin::new(Box::new(NoProcesses), Some(std::process::id())));
        pipeline.set_fallback_time(clock::text(clock.now()));
        let mut observer = Self {
            drain,
            drain_stop,
            pipeline,
            cannot_see: Arc::default(),
            agent: None,
            agents: Vec::new(),
            held: Vec::new(),
            n_overflows: 0,
            looked: clock.uptime(),
            clock,
        };
        observer.look();
        Ok(observer)
    }

    /// Sentences about what is not seen; shared with the running sensor.
    pub fn cannot_see(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.cannot_see)
    }

    /// Hands over acts against the recording until the stop.
    pub fn run(mut self, sink: &Sink, stop: &Stop) {
        while !stop.requested() {
            let received = self.drain.records.recv_timeout(TURN);
            let now = self.clock.uptime();
            let mut events = Vec::new();
            match &received {
                Ok(batch) => batch.iter().for_each(|raw| self.pipeline.raw(raw, now, &mut events)),
                Err(_) => events = self.pipeline.tick(now),
            }
            self.hold(events, now);
            if now.saturating_sub(self.looked) >= LOOK_EVERY {
                self.looked = now;
                let events = self.look();
                self.held.extend(events.into_iter().map(|event| (now, event)));
            }
            if self.hand_over(now, sink).is_err() {
                break;
            }
        }
        self.drain_stop.request();
        let _ = self.hand_over(Duration::MAX, sink);
        let _ = sink.settle();
    }

    fn hold(&mut self, events: Vec<Event>, now: Duration) {
        let against = events.into_iter().filter(|event| event.kind == Kind::Tamper);
        self.held.extend(against.map(|event| (now, event)));
    }

    fn hand_over(&mut self, now: Duration, sink: &Sink) -> Result<(), crate::sensor::sink::Closed> {
        let is_due = |since: &Duration| now.saturating_sub(*since) >= HELD_FOR;
        let due: Vec<Event> =
            self.held.extract_if(.., |(since, _)| is_due(since)).map(|(_, event)| event).collect();
        due.into_iter().filter(|event| !is_by(event, &self.agents)).try_for_each(|event| sink.offer(event))
    }

    /// Looks whether the agent runs, and whether records were lost.
    fn look(&mut self) -> Vec<Event> {
        let time = clock::text(self.clock.now());
        self.pipeline.set_fallback_time(time.clone());
        let mut events = Vec::new();
        let n_overflows = self.drain.losses.n_overflows.load(std::sync::atomic::Ordering::Relaxed);
        if n_overflows > self.n_overflows {
            self.n_overflows = n_overflows;
            events.push(gap("socket_overflow", &time, None, Some(&time)));
        }
        let agent = host::agent_process();
        if self.agent.is_some() && agent != self.agent {
            events.push(tamper(TamperKind::AgentKilled, "the agent's process ended", &time));
        }
        if let Some(pid) = agent {
            self.pipeline.set_own(host::own_hand(pid));
            if self.agents.last() != Some(&pid) {
                self.agents.push(pid);
                let n_over = self.agents.len().saturating_sub(AGENTS_MAX);
                self.agents.drain(..n_over);
            }
        }
        self.agent = agent;
        let sentence = "no agent runs on this machine: nothing but its absence is seen";
        *self.cannot_see.lock().unwrap_or_else(PoisonError::into_inner) =
            agent.is_none().then(|| sentence.to_owned()).into_iter().collect();
        events
    }
}

/// What the agent does to rules and state itself, at its start and end, is no act against it.
fn is_by(event: &Event, agents: &[u32]) -> bool {
    event.process.as_ref().and_then(|process| process.pid).is_some_and(|pid| agents.contains(&pid))
}
