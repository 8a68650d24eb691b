//! The ledger under a sick disk, two streams at once, and an operator who edits what is stored.

mod epochs;
mod permitted;
mod sick_disk;

use std::sync::Arc;

use ntk_evidence::act::{self, Enrolment};
use ntk_evidence::author_log::{AuthorLog, SealedBatch};
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::event::{Event, Kind};
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::time::Moment;
use ntk_segment::disk::{Disk, RealDisk};
use ntk_segment::frame::Frame;
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::reader::Reader;
use sick_disk::{SickDisk, Sickness};

use super::handle::LedgerHandle;
use super::writer::open_on;
use super::{Appended, Continuation, LedgerError};
use crate::at_rest;
use crate::at_rest::source::Source;
use crate::clock::Clock;
use crate::home::Home;
use crate::ingest::verify::verify;
use crate::init::{AtRestOptions, InitOptions, init};
use crate::practice::Practice;
use crate::self_check::self_check;

struct Rig {
    _scratch: tempfile::TempDir,
    practice: Practice,
    agent: NoteSigner,
    log: AuthorLog,
}

impl Rig {
    fn new() -> Self {
        Self::kept(false)
    }

    /// A practice that is encrypted at rest, or is not.
    fn kept(is_encrypted: bool) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let key = Source::File(scratch.path().join("ntk.key"));
        let home = Home::new(scratch.path().join("collector"));
        let options = InitOptions {
            name: "Maple Street".into(),
            timezone: "UTC".into(),
            template: "small-practice".into(),
            keys_to: vec![scratch.path().join("keys.txt")],
            administers: [("host".to_owned(), "us".to_owned())].into(),
            listen: "127.0.0.1:0".into(),
            console: None,
            console_address: None,
            place: None,
            at_rest: is_encrypted.then_some(AtRestOptions { key, passphrase_file: None }),
        };
        init(&home, &options, &clock()).unwrap();
        let practice = Practice::open(at_rest::unlock(home).unwrap()).unwrap();
        let author = Author::agent("ws-01").unwrap();
        let agent =
            NoteSigner::new(&practice.trust.slug.author_origin(&author), KeyType::Ed25519, &[7; 32]).unwrap();
        let log = AuthorLog::new(&practice.trust.slug, author, agent.verifier().clone());
        Self { _scratch: scratch, practice, agent, log }
    }

    fn open(&self, disk: &SickDisk) -> LedgerHandle {
        let keys = self.practice.ledger_keys().unwrap();
        let sick = Arc::new(disk.clone());
        let disk: Arc<dyn Disk> = match self.practice.home.keys() {
            None => sick,
            Some(keys) => Arc::new(keys.encrypted_disk().over(sick)),
        };
        open_on(disk, &self.practice.home, &self.practice.trust.slug, keys, clock()).unwrap().handle
    }

    fn enrolment(&self, handle: &LedgerHandle) -> Event {
        let enrolment = Enrolment {
            author: self.log.author().to_string(),
            key: self.agent.verifier().to_string(),
            epoch: 0,
            certificate: Some("00".repeat(32)),
            machine: None,
            notice: None,
            replaces: None,
            witness: None,
            begins: None,
        };
        act::event(act::kind::ENROLMENT, handle.now(), serde_json::to_value(enrolment).unwrap())
    }

    fn enrol(&self, handle: &LedgerHandle) {
        let _appended = handle.act_blocking(vec![self.enrolment(handle)]).unwrap();
    }

    fn batch(&self, after: &AuthorLog, text: &str) -> (SealedBatch, AuthorLog) {
        let mut event = Event::new(Kind::Health, "2026-11-22T10:00:00Z");
        event.last = Some(text.to_owned());
        after.seal(vec![Entry::freeze(event).unwrap()], BatchKey::new([1; 32]), &self.agent).unwrap()
    }

    fn checked(&self, base: &AuthorLog, batch: SealedBatch) -> Continuation {
        verify(base, batch).unwrap().into_continuation()
    }

    fn self_check(&self) -> crate::self_check::SelfCheck {
        self_check(&self.practice, &reader(&self.practice), |_| {}).unwrap()
    }
}

fn clock() -> Clock {
    Clock::fixed(Moment::parse("2026-11-22T12:00:00Z").unwrap())
}

fn append(handle: &LedgerHandle, continuation: Continuation) -> Result<Appended, LedgerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let answer = handle.append(continuation).await?;
        answer.await.map_err(|_| LedgerError::Stopped)?
    })
}

fn reader(practice: &Practice) -> Reader {
    Reader::open_on(practice.home.disk(), &practice.home.ledger()).unwrap()
}

fn notes_of(practice: &Practice, author: &str) -> Vec<Vec<u8>> {
    let reader = reader(practice);
    let batches = reader.frames().unwrap().filter_map(|frame| match frame.unwrap().1 {
        Frame::Batch(batch) if batch.author == author => Some(batch.note),
        _ => None,
    });
    batches.collect()
}

#[test]
fn nothing_is_acknowledged_that_a_sick_disk_may_have_lost_and_nothing_is_doubled_after() {
    let sicknesses = [
        Sickness::NotWritten,
        Sickness::HalfWritten,
        Sickness::WrittenThoughReportedFailed,
        Sickness::SyncFails,
    ];
    for (sickness, is_encrypted) in sicknesses.into_iter().flat_map(|it| [(it, false), (it, true)]) {
        let rig = Rig::kept(is_encrypted);
        let disk = SickDisk::default();
        let handle = rig.open(&disk);
        rig.enrol(&handle);
        let (one, after_one) = rig.batch(&rig.log, "one");
        let appended = append(&handle, rig.checked(&rig.log, one)).unwrap();
        assert_eq!(appended.leaf_index(), 2, "init, enrolment, then this");

        disk.fall_ill(sickness);
        let (two, after_two) = rig.batch(&after_one, "two");
        let answer = append(&handle, rig.checked(&after_one, two.clone()));
        assert!(matches!(answer, Err(LedgerError::Stopped)), "{sickness:?}: {answer:?}");
        // LG-2: from here on the thread is gone, and says so.
        assert!(matches!(handle.act_blocking(Vec::new()), Err(LedgerError::Stopped)));
        drop(handle);

        disk.recover();
        let handle = rig.open(&disk);
        let known = handle.published().authors.get(rig.log.author()).unwrap().log.clone();
        let whole = matches!(sickness, Sickness::WrittenThoughReportedFailed | Sickness::SyncFails);
        assert_eq!(known, if whole { after_two.clone() } else { after_one.clone() }, "{sickness:?}");
        if !whole {
            let appended = append(&handle, rig.checked(&after_one, two)).unwrap();
            assert_eq!(appended.leaf_index(), 3);
        }
        drop(handle);
        assert_eq!(notes_of(&rig.practice, "agent/ws-01").len(), 2, "{sickness:?}: once each");
        let check = rig.self_check();
        assert!(check.passed, "{sickness:?}: {check:?}");
    }
}

#[test]
fn of_two_streams_of_one_machine_the_slower_is_told_and_the_ledger_has_one_history() {
    let rig = Rig::new();
    let handle = rig.open(&SickDisk::default());
    rig.enrol(&handle);
    let (one, _) = rig.batch(&rig.log, "one");
    let (other, _) = rig.batch(&rig.log, "other");
    let (first, second) = (rig.checked(&rig.log, one), rig.checked(&rig.log, other));
    assert!(append(&handle, first).is_ok());
    assert!(matches!(append(&handle, second), Err(LedgerError::Moved(_))));
    drop(handle);
    assert_eq!(notes_of(&rig.practice, "agent/ws-01").len(), 1);
    assert!(rig.self_check().passed);
}

#[test]
fn no_author_is_enrolled_twice_be_it_in_one_group_after_a_start_or_after_its_revocation() {
    let rig = Rig::new();
    let handle = rig.open(&SickDisk::default());
    let twice = vec![rig.enrolment(&handle), rig.enrolment(&handle)];
    assert!(matches!(handle.act_blocking(twice), Err(LedgerError::Enrolled(name)) if name == "agent/ws-01"));
    rig.enrol(&handle);
    drop(handle);
    let handle = rig.open(&SickDisk::default());
    let again = |handle: &LedgerHandle| handle.act_blocking(vec![rig.enrolment(handle)]);
    assert!(matches!(again(&handle), Err(LedgerError::Enrolled(_))));
    let body = serde_json::json!({"author": "agent/ws-01"});
    let _appended = handle.act_blocking(vec![act::event(act::kind::REVOCATION, handle.now(), body)]).unwrap();
    assert!(matches!(again(&handle), Err(LedgerError::Enrolled(_))));
    drop(handle);
    assert!(rig.self_check().passed);
}

#[test]
fn a_machine_that_is_not_enrolled_or_was_revoked_writes_nothing() {
    let rig = Rig::new();
    let handle = rig.open(&SickDisk::default());
    let (one, _) = rig.batch(&rig.log, "one");
    assert!(matches!(append(&handle, rig.checked(&rig.log, one.clone())), Err(LedgerError::NotEnrolled(_))));
    rig.enrol(&handle);
    let body = serde_json::json!({"author": "agent/ws-01"});
    let _appended = handle.act_blocking(vec![act::event(act::kind::REVOCATION, handle.now(), body)]).unwrap();
    assert!(matches!(append(&handle, rig.checked(&rig.log, one)), Err(LedgerError::NotEnrolled(_))));
    drop(handle);
    let reopened = rig.open(&SickDisk::default());
    assert!(
        reopened.published().authors.get(rig.log.author()).unwrap().key().is_none(),
        "also after a start"
    );
    drop(reopened);
    assert!(notes_of(&rig.practice, "agent/ws-01").is_empty());
}

/// Writes the ledger anew with every checksum right, as an operator with the files could.
fn rewrite(rig: &Rig, mut edit: impl FnMut(u64, Frame) -> Option<Frame>) {
    let from = rig.practice.home.ledger();
    let reader = Reader::open(&from).unwrap();
    let frames: Vec<Frame> = reader.frames().unwrap().map(|frame| frame.unwrap().1).collect();
    std::fs::rename(&from, rig.practice.home.path("ledger-before")).unwrap();
    let mut frames = frames.into_iter();
    let Some(Frame::State(state)) = frames.next() else { panic!("a segment begins with STATE") };
    let mut log = SegmentLog::create_on(Arc::new(RealDisk), &from, Options::default(), state).unwrap();
    for (nth, frame) in (0..).zip(frames) {
        match edit(nth, frame) {
            Some(Frame::Batch(batch)) => drop(log.append(&batch).unwrap()),
            Some(Frame::Commit(commit)) => drop(log.commit(&commit).unwrap()),
            Some(Frame::State(_)) | Some(Frame::Pruned(_)) => {}
            None => {}
        }
    }
}

#[test]
fn an_operator_who_edits_drops_swaps_or_cuts_what_is_stored_fails_the_self_check() {
    type Edit = fn(u64, Frame) -> Option<Frame>;
    let edits: [(&str, Edit, &str); 4] = [
        ("nothing", |_, frame| Some(frame), "verifies"),
        (
            "an entry edited",
            |_, frame| match frame {
                Frame::Batch(mut batch) if batch.author == "agent/ws-01" => {
                    batch.entries[0][0].extend(b" ");
                    Some(Frame::Batch(batch))
                }
                frame => Some(frame),
            },
            "do not lead to the signed root",
        ),
        (
            "a batch dropped",
            |_, frame| match &frame {
                Frame::Batch(batch) if batch.author == "agent/ws-01" && batch.first == 0 => None,
                _ => Some(frame),
            },
            "is not the one that the batches lead to",
        ),
        (
            "an entry backdated by its receive time",
            |_, frame| match frame {
                Frame::Commit(mut commit) => {
                    commit.received_unix_ns -= 1;
                    Some(Frame::Commit(commit))
                }
                frame => Some(frame),
            },
            // Receive times are the collector's own claim and not signed in this version: SECURITY.md says so.
            "verifies",
        ),
    ];
    for (what, edit, expected) in edits {
        let rig = Rig::new();
        let handle = rig.open(&SickDisk::default());
        rig.enrol(&handle);
        let (one, after_one) = rig.batch(&rig.log, "one");
        let (two, _) = rig.batch(&after_one, "two");
        let _one = append(&handle, rig.checked(&rig.log, one)).unwrap();
        let _two = append(&handle, rig.checked(&after_one, two)).unwrap();
        drop(handle);
        rewrite(&rig, edit);
        let check = rig.self_check();
        assert_eq!(check.passed, expected == "verifies", "{what}: {check:?}");
        assert!(check.sentence.contains(expected), "{what}: {}", check.sentence);
    }
}
