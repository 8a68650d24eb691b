//! The protocol with the collector as a state machine, without I/O, clock or randomness.
//!
//! ```text
//! Resting --Connected--> Greeting --Welcome, Place--> Streaming --Lost--> Resting ...
//!                                        any --(the collector or the spool rules sending out)--> Halted
//! ```
//! Streaming keeps at most [`WINDOW_BYTES_MAX`] in flight: batches that were read from the spool and sent and not
//! yet acknowledged. A receipt acknowledges its own batch and, because one author's log has one order, all before
//! it. After a lost stream everything that was not acknowledged is read and sent again; the collector knows equal
//! notes and answers with the old receipt.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use ntk_evidence::note::VerifierKey;
use ntk_evidence::receipt::ReceiptError;
use ntk_evidence::witness::{self, AddCheckpoint, WitnessError};
use ntk_segment::frame::Batch;
use ntk_segment::pointer::Pointer;

use super::incident::Incident;
use super::wire::{Heard, ReceiptFor, Refusal, Welcome};
use crate::spool::position::{KeptReceipt, Position};
use crate::spool::shelf::{self, Place};

/// Bytes that may be in flight: a collector that is slow costs this much memory, not more.
pub const WINDOW_BYTES_MAX: usize = 8 << 20;
/// Batches that may be in flight: small batches cost more than their bytes.
pub const WINDOW_BATCHES_MAX: usize = 1024;
/// Bytes that are read from the spool at once.
pub const READ_BYTES_MAX: usize = 2 << 20;

/// Ties an answer of the spool to the stream for which it was asked: the spool may answer after that stream is
/// gone and another one open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// What happens to a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A stream to the collector is open, and Hello is on it.
    Connected,
    /// The stream ended, or could not be opened.
    Lost,
    /// The collector said something.
    Heard(Heard),
    /// The spool found the place of a size, or not.
    Found(Ticket, Option<Place>),
    /// Batches from the spool, and where reading goes on.
    Read(Ticket, Vec<Batch>, Pointer),
    /// The spool can no longer be read there.
    Unreadable(Ticket),
    /// So many entries are durable now.
    Durable(u64),
    /// This position is durable now.
    Persisted(Position),
    /// It is time for a sign of life.
    KeepaliveDue,
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Open a stream after the wait for so many failed attempts in a row.
    ConnectAfter(u32),
    /// Close the stream; [`Input::Lost`] does not follow.
    Close,
    /// Find the place of a size in the spool.
    Find(Ticket, u64),
    /// Read from the spool, at most so many bytes.
    Read(Ticket, Pointer, usize),
    /// Send a batch.
    Send(Batch),
    /// Send a sign of life with the number of entries that wait.
    Keepalive(u64),
    /// Answer a round of witnessing: the size that is remembered, and why not the newer one.
    CheckpointSeen(u64, String),
    /// Tell the collector that entries from this number on, which it lost, are not here any more as they could be sent.
    Short(u64),
    /// Keep the remembered checkpoint and this one, which contradicts it, and why.
    KeepBoth(String, String),
    /// Make this position durable; [`Input::Persisted`] follows.
    Persist(Position),
    /// Put this into the machine's own log.
    Record(Incident),
    /// A receipt verified.
    Acknowledged,
    /// For the log and the status: why the stream was closed or sending ended.
    Trouble(String),
}

/// A batch in flight.
#[derive(Clone, Debug, PartialEq)]
struct Flying {
    size: u64,
    bytes: usize,
    note: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    /// No stream; an attempt is under way or waits for its turn.
    Resting,
    /// Hello is sent.
    Greeting,
    /// The spool looks for the place where sending goes on.
    Placing { welcome: Welcome },
    /// Sending.
    Streaming(Streaming),
    /// Connected, and nothing can be sent: what the collector lacks is no longer here as it could be sent.
    Short,
    /// Sending is over until a person has acted.
    Halted,
}

#[derive(Clone, Debug, PartialEq)]
struct Streaming {
    /// Where the next read begins, and the number of the entry there.
    next: Pointer,
    next_number: u64,
    /// Whether the spool is reading.
    is_reading: bool,
    flying: VecDeque<Flying>,
    flying_bytes: usize,
}

/// A session and what it remembers from one stream to the next.
#[derive(Clone, Debug)]
pub struct Session {
    log_key: VerifierKey,
    /// Verified; the part of it that is durable is `persisted`.
    position: Position,
    durable: u64,
    n_failed: u32,
    /// The current stream, or the next one.
    ticket: Ticket,
    /// Incidents that were told since a receipt last verified.
    told: BTreeSet<Incident>,
    /// Sizes whose answer waits until they are durable.
    answers: VecDeque<u64>,
    /// Size of the collector's log up to which what is remembered is durable.
    persisted: u64,
    /// Whether the collector of this stream holds less than it acknowledged: what it then refuses says nothing of this machine.
    is_rolled_back: bool,
    /// A round that came before the greeting was judged.
    deferred: Option<String>,
    phase: Phase,
}

impl Session {
    /// A session that begins by connecting.
    pub fn start(log_key: VerifierKey, position: Position, durable: u64) -> (Self, Vec<Output>) {
        let persisted = position.log_size();
        let session = Self {
            log_key,
            position,
            durable,
            n_failed: 0,
            ticket: Ticket(0),
            told: BTreeSet::new(),
            answers: VecDeque::new(),
            persisted,
            is_rolled_back: false,
            deferred: None,
            phase: Phase::Resting,
        };
        (session, vec![Output::ConnectAfter(0)])
    }

    /// Size of the collector log that is remembered: for Hello.
    pub fn remembered_log_size(&self) -> u64 {
        self.position.log_size()
    }

    /// Whether a stream is open on which batches go.
    pub fn is_streaming(&self) -> bool {
        matches!(self.phase, Phase::Streaming(_))
    }

    /// Whether sending is over until a person has acted.
    pub fn is_halted(&self) -> bool {
        self.phase == Phase::Halted
    }

    /// Whether everything that is durable is acknowledged.
    pub fn is_drained(&self) -> bool {
        self.position.released >= self.durable
    }

    /// Entries that are durable and not acknowledged.
    pub fn n_waiting(&self) -> u64 {
        self.durable.saturating_sub(self.position.released)
    }

    #[cfg(test)]
    pub(crate) fn ticket_for_test(&self) -> Ticket {
        self.ticket
    }

    #[cfg(test)]
    pub(crate) fn durable_for_test(&self) -> u64 {
        self.durable
    }

    /// The next state and what to do.
    pub fn handle(mut self, input: Input) -> (Self, Vec<Output>) {
        let mut out = Vec::new();
        let phase = std::mem::replace(&mut self.phase, Phase::Resting);
        self.phase = self.step(phase, input, &mut out);
        (self, out)
    }

    fn step(&mut self, phase: Phase, input: Input, out: &mut Vec<Output>) -> Phase {
        match (phase, input) {
            // --- what is the same in every phase ---
            (phase, Input::Durable(durable)) => {
                self.durable = self.durable.max(durable);
                self.advance(phase, out)
            }
            (phase, Input::Persisted(position)) => {
                self.persisted = self.persisted.max(position.log_size());
                // INVARIANT UP-1: an answer leaves only when what it speaks of is durable.
                while let Some(size) = self.answers.pop_front_if(|size| *size <= position.log_size()) {
                    out.push(Output::CheckpointSeen(size, String::new()));
                }
                phase
            }
            (Phase::Halted, _) => Phase::Halted,
            (phase, Input::Found(ticket, _) | Input::Read(ticket, ..) | Input::Unreadable(ticket))
                if ticket != self.ticket =>
            {
                phase
            }
            (_, Input::Lost) => {
                self.n_failed = self.n_failed.saturating_add(1);
                self.rest(out)
            }
            // --- opening ---
            (Phase::Resting, Input::Connected) => Phase::Greeting,
            (Phase::Greeting, Input::Heard(Heard::Welcome(welcome))) => {
                out.push(Output::Find(self.ticket, welcome.size.max(self.position.released)));
                self.placing(welcome, out)
            }
            (Phase::Placing { welcome }, Input::Found(_, place)) => self.resume(welcome, place, out),
            // --- sending ---
            (Phase::Streaming(streaming), Input::Read(_, batches, next)) => {
                self.send(streaming, batches, next, out)
            }
            (Phase::Streaming(streaming), Input::Heard(Heard::Receipt(receipt))) => {
                self.receipt(streaming, &receipt, out)
            }
            // The greeting's receipt is judged first: what the round continues is known only then.
            (phase @ (Phase::Greeting | Phase::Placing { .. }), Input::Heard(Heard::Round(round))) => {
                self.deferred = Some(round.body);
                phase
            }
            (phase @ (Phase::Streaming(_) | Phase::Short), Input::Heard(Heard::Round(round))) => {
                self.round(phase, &round.body, out)
            }
            (
                Phase::Greeting | Phase::Placing { .. } | Phase::Streaming(_) | Phase::Short,
                Input::Heard(Heard::Refusal(refusal)),
            ) => self.refused(&refusal, out),
            (
                phase @ (Phase::Greeting | Phase::Placing { .. } | Phase::Streaming(_) | Phase::Short),
                Input::KeepaliveDue,
            ) => {
                out.push(Output::Keepalive(self.n_waiting()));
                phase
            }
            (Phase::Placing { .. } | Phase::Streaming(_), Input::Unreadable(_)) => {
                self.halt(Incident::SpoolUnreadable, out)
            }
            // --- out of turn ---
            (Phase::Greeting | Phase::Placing { .. } | Phase::Short, Input::Heard(Heard::Receipt(_)))
            | (Phase::Placing { .. } | Phase::Streaming(_) | Phase::Short, Input::Heard(Heard::Welcome(_))) => {
                self.part("the collector spoke out of turn", out)
            }
            // --- late answers of a stream that is gone ---
            (
                phase @ Phase::Resting,
                Input::Heard(_)
                | Input::Found(..)
                | Input::Read(..)
                | Input::Unreadable(_)
                | Input::KeepaliveDue,
            )
            | (
                phase @ Phase::Greeting,
                Input::Connected | Input::Found(..) | Input::Read(..) | Input::Unreadable(_),
            )
            | (phase @ Phase::Placing { .. }, Input::Connected | Input::Read(..))
            | (phase @ Phase::Streaming(_), Input::Connected | Input::Found(..)) => phase,
            (Phase::Short, Input::Connected | Input::Found(..) | Input::Read(..) | Input::Unreadable(_)) => {
                Phase::Short
            }
        }
    }

    fn placing(&mut self, welcome: Welcome, out: &mut Vec<Output>) -> Phase {
        if welcome.size > self.durable {
            out.clear();
            return self.halt(Incident::SpoolBehind, out);
        }
        self.is_rolled_back = welcome.size < self.position.released;
        if self.is_rolled_back {
            self.record(Incident::RolledBack, out);
        }
        Phase::Placing { welcome }
    }

    /// After Welcome: sending goes on behind what the collector proves to hold, else behind our own position.
    fn resume(&mut self, welcome: Welcome, place: Option<Place>, out: &mut Vec<Output>) -> Phase {
        let from = welcome.size.max(self.position.released);
        let Some(place) = place else {
            // Only a spool that was altered has no batch that ends at a size which was acknowledged or signed: where the
            // collector holds that size, the spool was cut or set back, and has grown again since.
            return if from == welcome.size && self.position.restores > 0 {
                // The collector was put back from a copy: what it lost was released here, and may be put away or gone.
                out.push(Output::Short(from));
                Phase::Short
            } else if from == welcome.size {
                self.halt(Incident::SpoolBehind, out)
            } else {
                self.halt(Incident::SpoolUnreadable, out)
            };
        };
        if welcome.size >= self.position.released && welcome.size > 0 {
            if welcome.note != place.note {
                return self.halt(Incident::ReceiptInvalid, out);
            }
            let verified = welcome.receipt.as_ref().map(|receipt| {
                receipt.receipt.verify(&place.note, self.position.seen.as_ref(), &self.log_key)
            });
            match verified {
                Some(Ok(seen)) => {
                    let kept = welcome.receipt.as_ref().map(|receipt| {
                        Arc::new(KeptReceipt::new(welcome.size, &place.note, &receipt.receipt))
                    });
                    let restores = self.position.restores;
                    let position =
                        Position { released: welcome.size, seen: Some(seen), receipt: kept, restores };
                    self.accept(position, out);
                }
                Some(Err(error)) => return self.distrust(&error, &welcome.receipt, out),
                None => return self.part("the collector greeted without a receipt", out),
            }
        }
        let streaming = Streaming {
            next: place.next,
            next_number: place.size,
            is_reading: false,
            flying: VecDeque::new(),
            flying_bytes: 0,
        };
        let phase = match self.deferred.take() {
            Some(body) => self.round(Phase::Streaming(streaming), &body, out),
            None => Phase::Streaming(streaming),
        };
        self.advance(phase, out)
    }

    /// Reads on, where there is something to read and room in the window.
    fn advance(&self, phase: Phase, out: &mut Vec<Output>) -> Phase {
        let Phase::Streaming(mut streaming) = phase else { return phase };
        let room = WINDOW_BYTES_MAX.saturating_sub(streaming.flying_bytes);
        let is_open = room > READ_BYTES_MAX / 2 && streaming.flying.len() < WINDOW_BATCHES_MAX;
        if !streaming.is_reading && is_open && streaming.next_number < self.durable {
            streaming.is_reading = true;
            out.push(Output::Read(self.ticket, streaming.next, room.min(READ_BYTES_MAX)));
        }
        Phase::Streaming(streaming)
    }

    fn send(
        &mut self,
        mut streaming: Streaming,
        batches: Vec<Batch>,
        next: Pointer,
        out: &mut Vec<Output>,
    ) -> Phase {
        streaming.is_reading = false;
        streaming.next = next;
        if batches.is_empty() {
            // Durable is told only after the reader can see it; asking again would turn in a circle.
            return Phase::Streaming(streaming);
        }
        for batch in batches {
            if batch.first != streaming.next_number {
                return self.halt(Incident::SpoolUnreadable, out);
            }
            let flying = Flying {
                size: shelf::end_of(&batch),
                bytes: shelf::bytes_of(&batch),
                note: batch.note.clone(),
            };
            streaming.next_number = flying.size;
            streaming.flying_bytes = streaming.flying_bytes.saturating_add(flying.bytes);
            streaming.flying.push_back(flying);
            out.push(Output::Send(batch));
        }
        self.advance(Phase::Streaming(streaming), out)
    }

    fn receipt(&mut self, mut streaming: Streaming, receipt: &ReceiptFor, out: &mut Vec<Output>) -> Phase {
        let Some(flying) = streaming.flying.iter().find(|flying| flying.size == receipt.size) else {
            return self.part("the collector acknowledged what was not sent", out);
        };
        // INVARIANT UP-1: our own note, in a log that continues the one seen before.
        match receipt.receipt.verify(&flying.note, self.position.seen.as_ref(), &self.log_key) {
            Ok(seen) => {
                let kept = Arc::new(KeptReceipt::new(receipt.size, &flying.note, &receipt.receipt));
                while let Some(done) = streaming.flying.pop_front_if(|flying| flying.size <= receipt.size) {
                    streaming.flying_bytes = streaming.flying_bytes.saturating_sub(done.bytes);
                }
                let restores = self.position.restores;
                let position =
                    Position { released: receipt.size, seen: Some(seen), receipt: Some(kept), restores };
                self.accept(position, out);
                self.advance(Phase::Streaming(streaming), out)
            }
            Err(error) => self.distrust(&error, &Some(receipt.clone()), out),
        }
    }

    fn accept(&mut self, position: Position, out: &mut Vec<Output>) {
        self.n_failed = 0;
        self.told.clear();
        self.position.merge(position);
        out.push(Output::Acknowledged);
        out.push(Output::Persist(self.position.clone()));
    }

    /// A round of witnessing: remembered durably first, answered then.
    fn round(&mut self, phase: Phase, body: &str, out: &mut Vec<Output>) -> Phase {
        let remembered = self.position.log_size();
        let considered = AddCheckpoint::parse(body)
            .and_then(|request| witness::consider(self.position.seen.as_ref(), &request, &self.log_key));
        match considered {
            Ok((seen, _)) => {
                let size = seen.checkpoint().size;
                let restores = self.position.restores;
                self.position.merge(Position { seen: Some(seen), restores, ..Position::default() });
                if size <= self.persisted {
                    // Durable already, by the receipt that brought it.
                    out.push(Output::CheckpointSeen(size, String::new()));
                } else {
                    self.answers.push_back(size);
                    out.push(Output::Persist(self.position.clone()));
                }
            }
            Err(error) => {
                if let WitnessError::Inconsistent(error) = &error {
                    self.record(Incident::of(error), out);
                    let offered = AddCheckpoint::parse(body).map(|request| request.checkpoint);
                    out.push(Output::KeepBoth(offered.unwrap_or_default(), error.to_string()));
                }
                out.push(Output::CheckpointSeen(remembered, error.to_string()));
            }
        }
        phase
    }

    fn refused(&mut self, refusal: &Refusal, out: &mut Vec<Output>) -> Phase {
        let code = &refusal.code;
        let is_final = matches!(
            code.as_str(),
            "bad_signature" | "fork" | "revoked" | "wrong_root" | "epoch" | "not_an_entry" | "too_large"
        );
        // A collector that was set back is asked again: it may be put right, or the practice key may announce a restore.
        if is_final && !refusal.retry && !self.is_rolled_back {
            out.push(Output::Close);
            out.push(Output::Trouble(format!(
                "the collector refuses this machine's batches ({code}); events are recorded and kept here: ask who runs the collector, then restart the agent"
            )));
            return Phase::Halted;
        }
        self.part(&format!("the collector did not take a batch ({code}); it is sent again later"), out)
    }

    /// A proof that does not verify: recorded, nothing released, tried again later.
    fn distrust(
        &mut self,
        error: &ReceiptError,
        receipt: &Option<ReceiptFor>,
        out: &mut Vec<Output>,
    ) -> Phase {
        if let (ReceiptError::Forked(_) | ReceiptError::RolledBack { .. }, Some(receipt)) = (error, receipt) {
            let offered = String::from_utf8_lossy(&receipt.receipt.checkpoint).into_owned();
            out.push(Output::KeepBoth(offered, error.to_string()));
        }
        let incident = Incident::of(error);
        self.record(incident, out);
        self.part(incident.sentence(), out)
    }

    fn record(&mut self, incident: Incident, out: &mut Vec<Output>) {
        if self.told.insert(incident) {
            out.push(Output::Record(incident));
        }
    }

    fn part(&mut self, why: &str, out: &mut Vec<Output>) -> Phase {
        out.push(Output::Close);
        out.push(Output::Trouble(why.to_owned()));
        self.n_failed = self.n_failed.saturating_add(1);
        self.rest(out)
    }

    fn rest(&mut self, out: &mut Vec<Output>) -> Phase {
        self.deferred = None;
        self.answers.clear();
        self.ticket = Ticket(self.ticket.0.wrapping_add(1));
        out.push(Output::ConnectAfter(self.n_failed));
        Phase::Resting
    }

    fn halt(&mut self, incident: Incident, out: &mut Vec<Output>) -> Phase {
        self.record(incident, out);
        out.push(Output::Close);
        out.push(Output::Trouble(incident.sentence().to_owned()));
        Phase::Halted
    }
}
