//! The I/O round the session: one task that owns it, one per stream, and the spool read on blocking threads.

use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::note::VerifierKey;
use ntk_evidence::time::Moment;
use ntk_proto::v1;
use ntk_proto::v1::agent_message::Message as Up;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::addresses::Addresses;
use super::backoff;
use super::cosigner::Cosigner;
use super::session::{Input, Output, Session};
use super::stream::{self, Line, StreamEvent};
use super::wire::{self, Heard, WatchDecision};
use crate::clock::Clock;
use crate::spool::keeper::Progress;
use crate::spool::shelf;
use crate::spool::thread::{Intake, Wishes};

/// Events of streams and of the spool that may wait for the session: backpressure reaches the stream.
const EVENTS_MAX: usize = 64;

/// What a person may know about the uplink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UplinkStatus {
    /// Whether batches go to the collector.
    pub is_connected: bool,
    /// Whether sending is over until a person has acted.
    pub is_halted: bool,
    /// When a receipt last verified.
    pub last_receipt: Option<Moment>,
    /// Why there is no connection, or was none last.
    pub trouble: Option<String>,
    /// Milliseconds by which this machine's clock was ahead of the collector's at the last greeting.
    pub clock_ahead_ms: Option<i64>,
}

/// Everything that the uplink is joined to.
#[derive(Debug)]
pub struct Uplink {
    /// Addresses, certificate and keys for streams.
    pub lines: Addresses<Line>,
    /// Brings lines with a new certificate, for the next stream.
    pub renewed_lines: watch::Receiver<Option<Addresses<Line>>>,
    /// Checks the collector's checkpoints.
    pub log_key: VerifierKey,
    /// Takes incidents into this machine's log.
    pub intake: Intake,
    /// Takes acknowledged positions.
    pub wishes: Wishes,
    /// How far the spool is.
    pub progress: watch::Receiver<Progress>,
    /// Tells what a person may know.
    pub status: watch::Sender<UplinkStatus>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Cosigns checkpoints, and keeps the practice's trust file.
    pub cosigner: Cosigner,
    /// Takes what was decided about this machine's proposals to watch more.
    pub decisions: watch::Sender<Vec<WatchDecision>>,
    /// Takes the newest question for what accounts hold here.
    pub inventory_asked: watch::Sender<Option<String>>,
    /// Time between two signs of life.
    pub keepalive: Duration,
}

enum Event {
    Stream(u64, StreamEvent),
    Spool(Input),
}

/// A stream that is open or on its way.
struct Attempt {
    number: u64,
    task: JoinHandle<()>,
    sender: Option<mpsc::Sender<v1::AgentMessage>>,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Running {
    uplink: Uplink,
    session: Option<Session>,
    attempt: Option<Attempt>,
    n_attempts: u64,
    events: mpsc::Sender<Event>,
}

impl Uplink {
    /// Runs until `drain` is cancelled and everything durable is acknowledged; the caller sets the deadline.
    pub async fn run(self, drain: CancellationToken) {
        let (events, mut arriving) = mpsc::channel(EVENTS_MAX);
        let mut progress = self.progress.clone();
        let keepalive = self.keepalive;
        let mut running = Running { uplink: self, session: None, attempt: None, n_attempts: 0, events };
        let first = progress.borrow_and_update().clone();
        let (session, outputs) = Session::start(running.uplink.log_key.clone(), first.position, first.size);
        running.session = Some(session);
        running.act(outputs);
        let mut ticks = tokio::time::interval(keepalive);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(event) = arriving.recv() => running.arrived(event),
                changed = progress.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let (size, position) = {
                        let progress = progress.borrow_and_update();
                        (progress.size, progress.position.clone())
                    };
                    running.give(Input::Durable(size));
                    running.give(Input::Persisted(position));
                }
                _ = ticks.tick() => running.give(Input::KeepaliveDue),
                () = drain.cancelled(), if running.may_end() => {
                    // What became durable just before the end may not have been heard of yet: it is sent first.
                    if !progress.has_changed().unwrap_or(false) {
                        return;
                    }
                }
            }
        }
    }
}

impl Running {
    /// Nothing waits for an acknowledgement, or none will come.
    fn may_end(&self) -> bool {
        self.session.as_ref().is_none_or(|session| session.is_drained() || session.is_halted())
    }

    fn arrived(&mut self, event: Event) {
        match event {
            Event::Spool(input) => self.give(input),
            Event::Stream(number, event) => {
                let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.number == number) else {
                    return;
                };
                match event {
                    StreamEvent::Opened(sender) => {
                        attempt.sender = Some(sender);
                        self.give(Input::Connected);
                    }
                    StreamEvent::Heard(heard) => {
                        match &heard {
                            Heard::Welcome(welcome) => {
                                self.compare_clocks(welcome.unix_nanos);
                                if self.hear_of_trust(&welcome.trust) {
                                    return;
                                }
                                self.hear_of_decisions(&welcome.decisions);
                                self.hear_of_question(welcome.inventory_asked.as_ref());
                            }
                            // Before the round itself: whom it makes a witness cosigns this very checkpoint.
                            Heard::Round(round) => {
                                if self.hear_of_trust(&round.trust) {
                                    return;
                                }
                                self.hear_of_decisions(&round.decisions);
                                self.hear_of_question(round.inventory_asked.as_ref());
                            }
                            Heard::Receipt(_) | Heard::Refusal(_) => {}
                        }
                        self.give(Input::Heard(heard));
                    }
                    StreamEvent::Lost(why) => {
                        self.attempt = None;
                        self.trouble(why);
                        self.give(Input::Lost);
                    }
                }
            }
        }
    }

    fn give(&mut self, input: Input) {
        let Some(session) = self.session.take() else { return };
        let was_streaming = session.is_streaming();
        let (session, outputs) = session.handle(input);
        let (is_streaming, is_halted) = (session.is_streaming(), session.is_halted());
        self.session = Some(session);
        if is_streaming && !was_streaming {
            self.uplink.lines.works(self.uplink.clock.monotonic());
        }
        self.act(outputs);
        if is_streaming != was_streaming {
            if is_streaming {
                info!("connected to the collector");
            }
            self.uplink.status.send_modify(|status| {
                status.is_connected = is_streaming;
                status.is_halted = is_halted;
                if is_streaming {
                    status.trouble = None;
                }
            });
        } else if is_halted {
            self.uplink.status.send_if_modified(|status| !std::mem::replace(&mut status.is_halted, true));
        }
    }

    fn act(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::ConnectAfter(n_failed) => self.connect_after(n_failed),
                Output::Close => self.attempt = None,
                Output::Find(ticket, size) => self.ask_spool(move |reader| match shelf::find(reader, size) {
                    Ok(place) => Input::Found(ticket, place),
                    Err(error) => unreadable(&error, Input::Unreadable(ticket)),
                }),
                Output::Read(ticket, from, bytes_max) => {
                    self.ask_spool(move |reader| match shelf::read(reader, from, bytes_max) {
                        Ok((batches, next)) => Input::Read(ticket, batches, next),
                        Err(error) => unreadable(&error, Input::Unreadable(ticket)),
                    });
                }
                Output::Send(batch) => self.say(wire::batch(batch)),
                Output::Keepalive(waiting) => {
                    let (uptime_seconds, unix_nanos) = self.times();
                    let lost = self.uplink.progress.borrow().n_lost;
                    self.say(wire::said(Up::Keepalive(v1::Keepalive {
                        uptime_seconds,
                        unix_nanos,
                        waiting,
                        monotonic_ms: stream::millis(self.uplink.clock.monotonic()),
                        boottime_ms: stream::millis(self.uplink.clock.uptime()),
                        lost,
                    })));
                }
                Output::CheckpointSeen(size, refusal) => {
                    let answer = self.checkpoint_seen(size, refusal);
                    self.say(wire::said(Up::CheckpointSeen(answer)));
                }
                Output::Short(first) => self.tell_short(first),
                Output::KeepBoth(offered, why) => {
                    let remembered = self.uplink.progress.borrow().position.seen.clone();
                    if let Some(remembered) = remembered {
                        let now = self.uplink.clock.now();
                        self.uplink.cosigner.keep_both(&remembered, &offered, &why, now);
                    }
                }
                Output::Persist(position) => self.uplink.wishes.release(position),
                Output::Record(incident) => {
                    error!(cause = incident.cause(), "{}", incident.sentence());
                    self.record(incident.event(self.uplink.clock.now()));
                }
                Output::Acknowledged => {
                    let now = self.uplink.clock.now();
                    self.uplink.status.send_modify(|status| status.last_receipt = Some(now));
                }
                Output::Trouble(why) => self.trouble(why),
            }
        }
    }

    /// The answer to a round; a cosignature only over what is durable.
    fn checkpoint_seen(&self, size: u64, refusal: String) -> v1::CheckpointSeen {
        let seen = self.uplink.progress.borrow().position.seen.clone();
        let mut answer = v1::CheckpointSeen { size, refusal, ..v1::CheckpointSeen::default() };
        let Some(seen) = seen else { return answer };
        if !answer.refusal.is_empty() {
            answer.remembered = seen.note().to_vec();
        } else if seen.checkpoint().size == size {
            let line = self.uplink.cosigner.cosign(&seen, self.uplink.clock.now());
            answer.cosignature = line.unwrap_or_default().into_bytes();
        }
        answer
    }

    /// Whether the session began anew, because the collector was put back from a copy: what it said before counts for nothing.
    fn hear_of_trust(&mut self, text: &[u8]) -> bool {
        if text.is_empty() {
            return false;
        }
        let now = self.uplink.clock.now();
        let (position, durable) = {
            let progress = self.uplink.progress.borrow();
            (progress.position.clone(), progress.size)
        };
        let Some(news) = self.uplink.cosigner.hear_of(text, &position, now) else { return false };
        self.record(news.event);
        if let Some(recovery) = news.recovery {
            self.uplink.wishes.put_away_for(recovery);
        }
        let Some((log_key, position)) = news.restored else { return false };
        self.uplink.log_key = log_key.clone();
        self.uplink.wishes.release(position.clone());
        self.attempt = None;
        let (session, outputs) = Session::start(log_key, position, durable);
        self.session = Some(session);
        self.act(outputs);
        true
    }

    /// What the collector lost and this machine cannot send: it was put away for the recovery key alone, or is gone.
    fn tell_short(&mut self, first: u64) {
        let reader = Arc::clone(&self.uplink.progress.borrow().reader);
        let oldest = shelf::oldest(&reader).ok().flatten().filter(|oldest| *oldest > first);
        let last = oldest.unwrap_or_else(|| self.uplink.progress.borrow().size).saturating_sub(1);
        self.trouble(format!(
            "the collector was put back from a copy and lacks entries {first} to {last} of this machine, which are put away here for the recovery key or gone: write them out with `ntk-agent kept --out DIR` and take them to the collector (`ntk-collector take-back`), or enrol this machine anew"
        ));
        let answer = self.checkpoint_seen(0, format!("{}{first} {last}", ntk_proto::SHORT));
        self.say(wire::said(Up::CheckpointSeen(v1::CheckpointSeen { remembered: Vec::new(), ..answer })));
    }

    fn hear_of_decisions(&self, decisions: &[WatchDecision]) {
        if !decisions.is_empty() {
            self.uplink.decisions.send_replace(decisions.to_vec());
        }
    }

    fn hear_of_question(&self, id: Option<&String>) {
        if let Some(id) = id {
            self.uplink.inventory_asked.send_replace(Some(id.clone()));
        }
    }

    /// How far this machine's clock is ahead of the collector's; the way of the greeting counts as nothing.
    fn compare_clocks(&self, collector_unix_nanos: i64) {
        const NANOS_PER_MILLI: i64 = 1_000_000;
        if collector_unix_nanos > 0 {
            let ahead = self.uplink.clock.now().unix_nanos().saturating_sub(collector_unix_nanos);
            let ahead_ms = ahead.checked_div(NANOS_PER_MILLI);
            self.uplink.status.send_modify(|status| status.clock_ahead_ms = ahead_ms);
        }
    }

    fn times(&self) -> (u64, i64) {
        (self.uplink.clock.uptime().as_secs(), self.uplink.clock.now().unix_nanos())
    }

    fn connect_after(&mut self, n_failed: u32) {
        if self.n_attempts > 0 {
            self.uplink.lines.ended(self.uplink.clock.monotonic());
        }
        let n_failed = self.uplink.lines.n_failed_walks(n_failed);
        let wait = if n_failed == 0 {
            Duration::ZERO
        } else {
            backoff::wait(n_failed.saturating_sub(1), backoff::random())
        };
        if self.uplink.renewed_lines.has_changed().unwrap_or(false)
            && let Some(renewed) = self.uplink.renewed_lines.borrow_and_update().clone()
        {
            self.uplink.lines.replace_each(renewed);
        }
        let Some(line) = self.uplink.lines.current().cloned() else { return };
        self.n_attempts = self.n_attempts.saturating_add(1);
        let number = self.n_attempts;
        let remembered_log_size = self
            .session
            .as_ref()
            .map_or_else(|| self.uplink.progress.borrow().position.log_size(), Session::remembered_log_size);
        let events = self.events.clone();
        let (progress, clock) = (self.uplink.progress.clone(), Arc::clone(&self.uplink.clock));
        let task = tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let hello = {
                let progress = progress.borrow();
                line.hello(progress.size, &progress.note, progress.epoch, remembered_log_size, &*clock)
            };
            stream::run(&line, hello, |event| {
                let events = events.clone();
                async move { events.send(Event::Stream(number, event)).await.is_ok() }
            })
            .await;
        });
        self.attempt = Some(Attempt { number, task, sender: None });
    }

    fn say(&mut self, message: v1::AgentMessage) {
        let Some(sender) = self.attempt.as_ref().and_then(|attempt| attempt.sender.clone()) else { return };
        if sender.try_send(message).is_err() {
            // Full or closed: the stream does not move. Whatever was on it is sent again on the next one.
            let Some(number) = self.attempt.as_ref().map(|attempt| attempt.number) else { return };
            let events = self.events.clone();
            let lost = StreamEvent::Lost("the stream to the collector does not move".to_owned());
            tokio::spawn(async move { events.send(Event::Stream(number, lost)).await });
        }
    }

    /// Reads the spool on a thread where blocking is allowed; the answer comes as an input.
    fn ask_spool(&self, ask: impl FnOnce(&ntk_segment::reader::Reader) -> Input + Send + 'static) {
        let reader = Arc::clone(&self.uplink.progress.borrow().reader);
        let events = self.events.clone();
        tokio::task::spawn_blocking(move || {
            let input = ask(&reader);
            let _ = events.blocking_send(Event::Spool(input));
        });
    }

    fn record(&self, event: ntk_evidence::event::Event) {
        let intake = self.uplink.intake.clone();
        tokio::task::spawn_blocking(move || intake.own(event));
    }

    fn trouble(&self, why: String) {
        self.uplink.status.send_if_modified(|status| {
            status.is_connected = false;
            let is_new = status.trouble.as_ref() != Some(&why);
            if is_new {
                warn!(reason = %why, "no connection to the collector; events wait in the spool");
                status.trouble = Some(why);
            }
            true
        });
    }
}

fn unreadable(error: &ntk_segment::error::SegmentError, input: Input) -> Input {
    error!(error = %crate::error_chain(error), "the spool could not be read");
    input
}
