//! The session against the model over a line that loses streams, and with an agent that is killed: in the end the
//! collector holds every entry once, and everything is released.

use std::collections::VecDeque;

use ntk_segment::frame::Batch;

use super::model::{Collector, FakeSpool};
use super::{Random, pointer};
use crate::identity::tests::log_signer;
use crate::spool::position::Position;
use crate::uplink::session::{Input, Output, Session, Ticket};
use crate::uplink::wire::{Heard, Refusal};

enum Up {
    Hello(u64),
    Batch(Batch),
    Seen(u64),
}

enum Job {
    Find(Ticket, u64),
    Read(Ticket, usize, usize),
    Persist(Position),
}

struct World {
    random: Random,
    spool: FakeSpool,
    collector: Collector,
    session: Session,
    /// What is on the disk of the agent.
    persisted: Position,
    wants_stream: bool,
    is_open: bool,
    up: VecDeque<Up>,
    down: VecDeque<Heard>,
    jobs: VecDeque<Job>,
    n_lost_streams: u32,
    n_seen: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let (session, _) = Session::start(log_signer().verifier().clone(), Position::default(), 0);
        Self {
            random: Random::new(seed),
            spool: FakeSpool::new(),
            collector: Collector::new(),
            session,
            persisted: Position::default(),
            wants_stream: true,
            is_open: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            jobs: VecDeque::new(),
            n_lost_streams: 0,
            n_seen: 0,
        }
    }

    fn give(&mut self, input: Input) {
        let (session, outputs) = self.session.clone().handle(input);
        self.session = session;
        for output in outputs {
            match output {
                Output::ConnectAfter(_) => self.wants_stream = true,
                Output::Close => self.cut(),
                Output::Find(ticket, size) => self.jobs.push_back(Job::Find(ticket, size)),
                Output::Read(ticket, from, bytes) => {
                    self.jobs.push_back(Job::Read(ticket, usize::try_from(from.offset).unwrap() - 8, bytes))
                }
                Output::Send(batch) => self.up.push_back(Up::Batch(batch)),
                Output::KeepBoth(..) => {}
                Output::Persist(position) => self.jobs.push_back(Job::Persist(position)),
                Output::CheckpointSeen(size, refusal) => {
                    assert_eq!(refusal, "");
                    assert!(self.persisted.log_size() >= size, "answered before it was durable");
                    self.up.push_back(Up::Seen(size));
                }
                Output::Short(first) => panic!("nothing was put away, and {first} is said to be"),
                Output::Record(incident) => panic!("an honest collector was suspected: {incident:?}"),
                Output::Trouble(why) => panic!("an honest collector made trouble: {why}"),
                Output::Keepalive(_) | Output::Acknowledged => {}
            }
        }
    }

    fn cut(&mut self) {
        self.is_open = false;
        self.up.clear();
        self.down.clear();
    }

    fn lose_stream(&mut self) {
        self.n_lost_streams += 1;
        self.cut();
        // What the spool was asked is still answered, late.
        self.give(Input::Lost);
    }

    fn kill(&mut self) {
        self.cut();
        self.jobs.clear();
        let (session, _) =
            Session::start(log_signer().verifier().clone(), self.persisted.clone(), self.spool.size());
        self.session = session;
        self.wants_stream = true;
    }

    fn work(&mut self) {
        match self.jobs.pop_front() {
            Some(Job::Find(ticket, size)) => self.give(Input::Found(ticket, self.spool.find(size))),
            Some(Job::Read(ticket, from, bytes)) => {
                let n = (bytes / 400_000).max(1).min(self.spool.batches.len() - from);
                let batches = self.spool.batches[from..from + n].to_vec();
                self.give(Input::Read(ticket, batches, pointer(from + n)));
            }
            Some(Job::Persist(position)) => {
                assert!(
                    position.released >= self.persisted.released
                        && position.log_size() >= self.persisted.log_size()
                );
                self.persisted = position.clone();
                self.give(Input::Persisted(position));
            }
            None => {}
        }
    }

    fn collect(&mut self) {
        match self.up.pop_front() {
            Some(Up::Hello(remembered)) => {
                self.down.push_back(Heard::Welcome(self.collector.greet(remembered)))
            }
            Some(Up::Batch(batch)) => match self.collector.take(&batch) {
                Ok(()) => self.down.push_back(Heard::Receipt(self.collector.receipt(&batch.note).unwrap())),
                Err(code) => {
                    let refusal = Refusal { first: batch.first, code: code.to_owned(), retry: false };
                    self.down.push_back(Heard::Refusal(refusal));
                }
            },
            Some(Up::Seen(size)) => {
                assert!(size <= self.collector.log_size());
                self.n_seen += 1;
            }
            None => {}
        }
    }

    fn step(&mut self, is_lossy: bool) {
        match self.random.below(if is_lossy { 110 } else { 90 }) {
            0..10 if is_lossy => {
                self.spool.append(usize::try_from(self.random.below(4)).unwrap() + 1);
                self.give(Input::Durable(self.spool.size()));
            }
            0..20 if self.wants_stream => {
                self.wants_stream = false;
                if is_lossy && self.random.below(3) == 0 {
                    return self.give(Input::Lost);
                }
                self.is_open = true;
                self.up.push_back(Up::Hello(self.session.remembered_log_size()));
                self.give(Input::Connected);
            }
            20..45 => self.collect(),
            45..65 => {
                if let Some(heard) = self.down.pop_front() {
                    self.give(Input::Heard(heard));
                }
            }
            65..85 => self.work(),
            85..88 => self.give(Input::KeepaliveDue),
            88..92 => {
                let is_greeted = self.is_open && self.session.is_streaming();
                if is_greeted && self.collector.log_size() > 0 && self.down.is_empty() {
                    let body = self.collector.round_on_stream();
                    self.down.push_back(Heard::Round(body.into()));
                }
            }
            92..106 if self.random.below(4) == 0 && self.is_open => self.lose_stream(),
            106..110 if self.random.below(3) == 0 => self.kill(),
            _ => {}
        }
        assert!(self.persisted.released <= self.collector.held.len() as u64, "released without being held");
    }
}

#[test]
fn over_a_lossy_line_nothing_is_lost_or_doubled() {
    let (mut n_lost_streams, mut n_seen) = (0, 0);
    for seed in 0..100 {
        let mut world = World::new(seed);
        for _ in 0..3000 {
            world.step(true);
        }
        for _ in 0..60_000 {
            world.step(false);
            if world.session.is_drained() && world.persisted.released == world.spool.size() {
                break;
            }
        }
        let size = world.spool.size();
        let expected: Vec<String> = (0..size).map(|n| format!("entry {n}")).collect();
        assert_eq!(world.collector.held, expected, "seed {seed}");
        assert_eq!(world.persisted.released, size, "seed {seed}");
        n_lost_streams += world.n_lost_streams;
        n_seen += world.n_seen;
    }
    assert!(n_lost_streams > 500 && n_seen > 100, "{n_lost_streams} streams lost, {n_seen} rounds answered");
}
