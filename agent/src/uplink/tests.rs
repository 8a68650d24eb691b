//! The session as lists of inputs, and against a model collector over a line that loses what it can.

mod live;
mod model;
pub(crate) mod server;
mod simulation;

use ntk_evidence::name::{Author, Slug};
use ntk_segment::pointer::{Pointer, SegmentNumber};

use super::incident::Incident;
use super::session::{Input, Output, Session};
use super::wire::{Heard, Refusal, Welcome};
use crate::identity::tests::{SLUG, log_signer};
use crate::spool::position::Position;
use model::{Collector, FakeSpool};

/// Random enough, and the same again from the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn slug() -> Slug {
    Slug::parse(SLUG).unwrap()
}

fn author() -> Author {
    Author::agent("ws-01").unwrap()
}

fn pointer(index: usize) -> Pointer {
    Pointer::new(SegmentNumber::FIRST, 8 + index as u64)
}

/// Outputs in short.
fn short(outputs: &[Output]) -> Vec<String> {
    outputs
        .iter()
        .map(|output| match output {
            Output::Send(batch) => format!("send {}", batch.first),
            Output::Read(_, from, _) => format!("read {}", from.offset - 8),
            Output::Find(_, size) => format!("find {size}"),
            Output::Persist(position) => format!("persist {} {}", position.released, position.log_size()),
            Output::Trouble(_) => "trouble".to_owned(),
            other => format!("{other:?}"),
        })
        .collect()
}

/// A session, its spool and a collector that are walked through step by step.
struct Walk {
    session: Session,
    spool: FakeSpool,
    collector: Collector,
}

impl Walk {
    /// With so many batches durable, of which the collector holds some already.
    fn new(n_batches: usize, n_held: usize, position: Position) -> Self {
        let mut spool = FakeSpool::new();
        let mut collector = Collector::new();
        for n in 0..n_batches {
            spool.append(n % 3 + 1);
            if n < n_held {
                collector.take(&spool.batches[n]).unwrap();
            }
        }
        let (session, first) = Session::start(log_signer().verifier().clone(), position, spool.size());
        assert_eq!(first, [Output::ConnectAfter(0)]);
        Self { session, spool, collector }
    }

    fn give(&mut self, input: Input) -> Vec<Output> {
        let (session, out) = self.session.clone().handle(input);
        self.session = session;
        out
    }

    fn check(&mut self, input: Input, expected: &[&str]) {
        let story = format!("{input:?}");
        assert_eq!(short(&self.give(input)), expected, "{}", story.chars().take(200).collect::<String>());
    }

    fn welcome(&mut self) -> Welcome {
        self.collector.greet(self.session.remembered_log_size())
    }

    fn found(&self, size: u64) -> Input {
        Input::Found(self.session.ticket_for_test(), self.spool.find(size))
    }

    /// Up to streaming, whatever the collector holds.
    fn stream(&mut self) -> Vec<Output> {
        self.give(Input::Connected);
        let welcome = self.welcome();
        let size = welcome.size.max(self.released());
        self.give(Input::Heard(Heard::Welcome(welcome)));
        let found = self.found(size);
        self.give(found)
    }

    fn released(&self) -> u64 {
        self.session.durable_for_test().saturating_sub(self.session.n_waiting())
    }

    fn read(&self, from: usize, n: usize) -> Input {
        let batches = self.spool.batches[from..from + n].to_vec();
        Input::Read(self.session.ticket_for_test(), batches, pointer(from + n))
    }

    fn receipt_for(&mut self, index: usize) -> Input {
        let note = self.spool.batches[index].note.clone();
        Input::Heard(Heard::Receipt(self.collector.receipt(&note).unwrap()))
    }
}

#[test]
fn batches_go_out_and_a_verified_receipt_releases_them() {
    let mut walk = Walk::new(3, 0, Position::default());
    walk.check(Input::Connected, &[]);
    let welcome = walk.welcome();
    walk.check(Input::Heard(Heard::Welcome(welcome)), &["find 0"]);
    let found = walk.found(0);
    walk.check(found, &["read 0"]);
    let read = walk.read(0, 3);
    walk.check(read, &["send 0", "send 1", "send 3"]);
    for index in 0..3 {
        let batch = walk.spool.batches[index].clone();
        walk.collector.take(&batch).unwrap();
    }
    let receipt = walk.receipt_for(0);
    walk.check(receipt, &["Acknowledged", "persist 1 3"]);
    let receipt = walk.receipt_for(2);
    walk.check(receipt, &["Acknowledged", "persist 6 3"]);
    assert!(walk.session.is_drained() && walk.session.is_streaming());
    walk.check(Input::KeepaliveDue, &["Keepalive(0)"]);
    walk.check(Input::Durable(9), &["read 3"]);
    walk.check(Input::Lost, &["ConnectAfter(1)"]);
    assert_eq!(walk.session.n_waiting(), 3);
}

#[test]
fn a_receipt_that_was_lost_with_the_stream_comes_with_the_next_welcome() {
    let mut walk = Walk::new(3, 2, Position::default());
    assert_eq!(short(&walk.stream()), ["Acknowledged", "persist 3 2", "read 2"]);
}

#[test]
fn a_receipt_that_does_not_verify_releases_nothing_and_is_recorded_once() {
    let mut walk = Walk::new(2, 0, Position::default());
    walk.stream();
    let read = walk.read(0, 2);
    walk.give(read);
    for index in 0..2 {
        let batch = walk.spool.batches[index].clone();
        walk.collector.take(&batch).unwrap();
    }
    let Input::Heard(Heard::Receipt(mut forged)) = walk.receipt_for(0) else { unreachable!() };
    forged.receipt.leaf_index = 1;
    let told = format!("Record({:?})", Incident::ReceiptInvalid);
    walk.check(Input::Heard(Heard::Receipt(forged.clone())), &[&told, "Close", "trouble", "ConnectAfter(1)"]);
    assert_eq!(walk.released(), 0);
    let mut welcome = walk.collector.greet(0);
    welcome.receipt.as_mut().unwrap().receipt.leaf_index = 0;
    walk.give(Input::Connected);
    walk.give(Input::Heard(Heard::Welcome(welcome)));
    let found = walk.found(3);
    walk.check(found, &["Close", "trouble", "ConnectAfter(2)"]);
    // A good one ends the silence about it and the waits.
    assert_eq!(short(&walk.stream()), ["Acknowledged", "persist 3 2"]);
    walk.check(Input::Lost, &["ConnectAfter(1)"]);
}

#[test]
fn a_collector_that_was_rolled_back_is_recorded_and_gets_the_rest_from_our_own_position() {
    let before = Walk::new(3, 3, Position::default());
    let position = {
        let mut walk = before;
        let out = walk.stream();
        let Some(Output::Persist(position)) = out.into_iter().nth(1) else { unreachable!() };
        position
    };
    let mut walk = Walk::new(4, 1, position);
    walk.give(Input::Connected);
    let welcome = walk.welcome();
    let told = format!("Record({:?})", Incident::RolledBack);
    walk.check(Input::Heard(Heard::Welcome(welcome)), &["find 6", &told]);
    let found = walk.found(6);
    walk.check(found, &["read 3"]);
    let read = walk.read(3, 1);
    walk.check(read, &["send 6"]);
    // Whatever it says of our entries now: it is asked again, for it may be put right.
    let epoch = Refusal { first: 6, code: "epoch".to_owned(), retry: false };
    walk.check(Input::Heard(Heard::Refusal(epoch)), &["Close", "trouble", "ConnectAfter(1)"]);
}

#[test]
fn a_collector_that_holds_more_than_the_spool_ends_sending() {
    let mut walk = Walk::new(3, 3, Position::default());
    let (session, _) = Session::start(log_signer().verifier().clone(), Position::default(), 3);
    walk.session = session;
    walk.give(Input::Connected);
    let welcome = walk.welcome();
    let told = format!("Record({:?})", Incident::SpoolBehind);
    walk.check(Input::Heard(Heard::Welcome(welcome)), &[&told, "Close", "trouble"]);
    assert!(walk.session.is_halted());
    walk.check(Input::Durable(99), &[]);
    walk.check(Input::Lost, &[]);
    walk.check(Input::Connected, &[]);
}

#[test]
fn another_note_of_our_size_ends_sending() {
    let mut walk = Walk::new(2, 0, Position::default());
    let mut cloned = FakeSpool::with_text("clone");
    cloned.append(1);
    walk.collector.take(&cloned.batches[0]).unwrap();
    let out = walk.stream();
    assert_eq!(short(&out)[0], format!("Record({:?})", Incident::ReceiptInvalid));
    assert!(walk.session.is_halted());
}

#[test]
fn refusals_end_sending_or_put_it_off() {
    for (code, retry, halted) in [
        ("bad_signature", false, true),
        ("fork", false, true),
        ("revoked", false, true),
        ("busy", true, false),
        ("gap", false, false),
        ("novel", false, false),
    ] {
        let mut walk = Walk::new(1, 0, Position::default());
        walk.stream();
        walk.give(Input::Heard(Heard::Refusal(Refusal { first: 0, code: code.to_owned(), retry })));
        assert_eq!(walk.session.is_halted(), halted, "{code}");
    }
}

#[test]
fn a_round_is_answered_only_when_it_is_durable_and_conflicts_say_the_size() {
    let mut walk = Walk::new(2, 2, Position::default());
    walk.stream();
    let more = Walk::new(3, 3, Position::default());
    walk.collector = more.collector;
    let body = walk.collector.round(walk.session.remembered_log_size());
    let out = walk.give(Input::Heard(Heard::Round(body.clone().into())));
    assert_eq!(short(&out), ["persist 3 3"]);
    let Output::Persist(position) = out[0].clone() else { unreachable!() };
    let older = Position { released: position.released, ..Position::default() };
    walk.check(Input::Persisted(older), &[]);
    walk.check(Input::Persisted(position), &["CheckpointSeen(3, \"\")"]);
    let again = walk.give(Input::Heard(Heard::Round(body.into())));
    assert_eq!(again, [Output::CheckpointSeen(3, "conflict: this witness remembers size 3".to_owned())]);
    // Another log under the same key: recorded, and what is remembered stays.
    let forked = Collector::forked_at(3);
    let out = walk.give(Input::Heard(Heard::Round(forked.round_from_other(3).into())));
    assert_eq!(short(&out)[0], format!("Record({:?})", Incident::Forked));
    assert_eq!(walk.session.remembered_log_size(), 3);
}

#[test]
fn answers_of_a_stream_that_is_gone_change_nothing() {
    let mut walk = Walk::new(2, 0, Position::default());
    walk.stream();
    let read = walk.read(0, 2);
    let unreadable = Input::Unreadable(walk.session.ticket_for_test());
    walk.give(Input::Lost);
    walk.check(read.clone(), &[]);
    walk.check(Input::KeepaliveDue, &[]);
    walk.check(unreadable.clone(), &[]);
    assert_eq!(short(&walk.stream()), ["read 0"], "and it is all sent from the beginning");
    walk.check(read, &[]);
    walk.check(unreadable, &[]);
}

#[test]
fn a_receipt_for_what_was_not_sent_ends_the_stream() {
    let mut walk = Walk::new(2, 0, Position::default());
    walk.stream();
    for index in 0..2 {
        let batch = walk.spool.batches[index].clone();
        walk.collector.take(&batch).unwrap();
    }
    let receipt = walk.receipt_for(1);
    walk.check(receipt, &["Close", "trouble", "ConnectAfter(1)"]);
}
