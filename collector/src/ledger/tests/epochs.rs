//! Roll-overs in the ledger: they outlast starts and segments, and what is out of its epoch never gets in.

use ntk_evidence::author_log::BatchError;
use ntk_evidence::epoch::RollOver;
use ntk_evidence::note::VerifierKey;

use super::*;
use crate::ingest::verify::Refusal;
use crate::ledger::state::LedgerState;

fn signer(rig: &Rig, epoch: u8) -> NoteSigner {
    let seed = if epoch == 0 { 7 } else { 100 + epoch };
    NoteSigner::new(rig.log.origin(), KeyType::Ed25519, &[seed; 32]).unwrap()
}

fn entries(text: &str) -> Vec<Entry> {
    let mut event = Event::new(Kind::Health, "2026-11-22T10:00:00Z");
    event.last = Some(text.to_owned());
    vec![Entry::freeze(event).unwrap()]
}

fn roll_over(number: u8, key: &VerifierKey) -> Vec<Entry> {
    let next = RollOver { number: u32::from(number), key: key.clone() };
    vec![next.entry("daily", "2026-11-22T10:00:00Z").unwrap()]
}

fn put(handle: &LedgerHandle, log: &mut AuthorLog, entries: Vec<Entry>, signer: &NoteSigner) {
    let (batch, next) = log.seal(entries, BatchKey::new([1; 32]), signer).unwrap();
    let _appended = append(handle, verify(log, batch).unwrap().into_continuation()).unwrap();
    *log = next;
}

fn known(handle: &LedgerHandle, rig: &Rig) -> AuthorLog {
    handle.published().authors.get(rig.log.author()).unwrap().log.clone()
}

#[test]
fn roll_overs_outlast_every_start_and_the_state_of_a_segment() {
    let rig = Rig::new();
    let mut log = rig.log.clone();
    for epoch in 0..5 {
        let handle = rig.open(&SickDisk::default());
        if epoch == 0 {
            rig.enrol(&handle);
        }
        assert_eq!(known(&handle, &rig), log, "epoch {epoch} after a start");
        put(&handle, &mut log, entries("in"), &signer(&rig, epoch));
        let next = roll_over(epoch + 1, signer(&rig, epoch + 1).verifier());
        put(&handle, &mut log, next, &signer(&rig, epoch));
    }
    assert_eq!((log.epoch(), log.key()), (5, Some(signer(&rig, 5).verifier())));
    let handle = rig.open(&SickDisk::default());
    assert_eq!(known(&handle, &rig), log);
    // What the next segment would begin with says the same.
    let published = handle.published();
    let collector = published.authors[&Author::Collector].key().unwrap().clone();
    let mut state = LedgerState::new(rig.practice.trust.slug.clone(), collector.clone());
    state.authors.clone_from(&published.authors);
    let read =
        LedgerState::from_frame(rig.practice.trust.slug.clone(), collector, &state.to_frame()).unwrap();
    assert_eq!(read.authors[rig.log.author()].log, log);
    drop(handle);
    let check = rig.self_check();
    assert!(check.passed, "{check:?}");
}

#[test]
fn a_batch_out_of_its_epoch_is_refused_as_such_and_the_next_one_is_taken() {
    let rig = Rig::new();
    let handle = rig.open(&SickDisk::default());
    rig.enrol(&handle);
    let mut log = rig.log.clone();
    put(&handle, &mut log, entries("in"), &signer(&rig, 0));
    let before = log.clone();
    put(&handle, &mut log, roll_over(1, signer(&rig, 1).verifier()), &signer(&rig, 0));

    // The thief of the old key seals as if nothing had happened: for the old epoch, and for the new one.
    let range = log.range().clone();
    let (slug, author) = (&rig.practice.trust.slug, log.author().clone());
    for (epoch, code) in [(0, "epoch"), (1, "bad_signature")] {
        let key = Some(signer(&rig, 0).verifier().clone());
        let stolen = AuthorLog::resume(slug, author.clone(), epoch, key, range.clone());
        let (batch, _) = stolen.seal(entries("forged"), BatchKey::new([1; 32]), &signer(&rig, 0)).unwrap();
        let refusal = verify(&log, batch).unwrap_err();
        assert_eq!(refusal.code(), code, "{refusal}");
    }
    // A stream that still stands before the roll-over cannot append either.
    let (late, _) = before.seal(entries("late"), BatchKey::new([1; 32]), &signer(&rig, 0)).unwrap();
    assert!(matches!(
        append(&handle, verify(&before, late.clone()).unwrap().into_continuation()),
        Err(LedgerError::Moved(_))
    ));
    let old = verify(&log, late).unwrap_err();
    assert!(matches!(old, Refusal::Batch(BatchError::OtherEpoch { expected: 1, found: 0 })), "{old}");
    put(&handle, &mut log, entries("honest"), &signer(&rig, 1));
    drop(handle);
    assert!(rig.self_check().passed);
}

#[test]
fn a_machine_in_its_own_place_speaks_and_its_earlier_identity_does_not() {
    let rig = Rig::new();
    let handle = rig.open(&SickDisk::default());
    rig.enrol(&handle);
    let mut log = rig.log.clone();
    put(&handle, &mut log, entries("in"), &signer(&rig, 0));
    let slug = &rig.practice.trust.slug;
    let author = log.author().successor().unwrap();
    let new = NoteSigner::new(&slug.author_origin(&author), KeyType::Ed25519, &[9; 32]).unwrap();
    let enrol = |author: &Author, replaces: &str| {
        let body = serde_json::json!({"author": author.to_string(), "key": new.verifier().to_string(), "epoch": 0, "replaces": replaces});
        let _appended =
            handle.act_blocking(vec![act::event(act::kind::ENROLMENT, handle.now(), body)]).unwrap();
    };
    // An act that names another machine's key takes the word from nobody.
    let other = Author::agent("ws-02").unwrap();
    enrol(&other, &signer(&rig, 0).verifier().to_string());
    put(&handle, &mut log, entries("still"), &signer(&rig, 0));
    enrol(&author, &signer(&rig, 0).verifier().to_string());
    let (late, _) = log.seal(entries("late"), BatchKey::new([1; 32]), &signer(&rig, 0)).unwrap();
    let late = append(&handle, verify(&log, late).unwrap().into_continuation());
    assert!(matches!(late, Err(LedgerError::NotEnrolled(_))), "{late:?}");
    let mut fresh = AuthorLog::new(slug, author.clone(), new.verifier().clone());
    put(&handle, &mut fresh, entries("anew"), &new);

    let registry = handle.published().registry;
    assert_eq!(registry.newest("ws-01").map(|(newest, _)| newest), Some(author));
    assert!(registry.machines["agent/ws-01"].revoked.is_some(), "{registry:?}");
    assert_eq!(registry.machines["agent/ws-01"].revoked_by, Some(registry.machines["agent/ws-01.2"].act));
    drop(handle);
    assert_eq!(notes_of(&rig.practice, "agent/ws-01").len(), 2, "its log stays");
    assert!(rig.self_check().passed);
    let reopened = rig.open(&SickDisk::default());
    assert!(known(&reopened, &rig).key().is_none());
}
