//! Who continues an author's log, who does not, and how its keys follow one another.

use super::*;
use crate::epoch::RollOver;
use crate::note::KeyType;

fn slug() -> Slug {
    Slug::new("maple-street", &[9; 32]).unwrap()
}

fn entry(text: &str) -> Entry {
    Entry::from_parts([text.as_bytes().to_vec(), Vec::new(), Vec::new()]).unwrap()
}

/// The key of an epoch: its number is its seed.
fn signer(epoch: u8) -> NoteSigner {
    let origin = slug().author_origin(&Author::agent("ws-01").unwrap());
    NoteSigner::new(&origin, KeyType::Ed25519, &[epoch + 1; 32]).unwrap()
}

fn log() -> AuthorLog {
    AuthorLog::new(&slug(), Author::agent("ws-01").unwrap(), signer(0).verifier().clone())
}

fn rolled(number: u32, key: &VerifierKey) -> Entry {
    RollOver { number, key: key.clone() }.entry("daily", "2026-11-20T21:00:00Z").unwrap()
}

fn sealed(log: &AuthorLog, entries: Vec<Entry>, signer: &NoteSigner) -> (SealedBatch, AuthorLog) {
    log.seal(entries, BatchKey::new([1; 32]), signer).unwrap()
}

/// What a thief seals who holds a key and claims an epoch: the checks of an honest author are not his.
fn forged(log: &AuthorLog, epoch: u32, entries: Vec<Entry>, signer: &NoteSigner) -> SealedBatch {
    let size = log.size() + u64::try_from(entries.len()).unwrap();
    let mut batch = SealedBatch {
        removed: Vec::new(),
        author: log.author().clone(),
        epoch,
        first: log.size(),
        note: Vec::new(),
        key: BatchKey::new([1; 32]),
        entries,
    };
    let mut range = log.range().clone();
    for leaf in batch.leaves() {
        range.append(leaf).unwrap();
    }
    let checkpoint = Checkpoint { origin: log.origin().to_owned(), size, root: range.root() };
    batch.note = checkpoint.sign(signer).unwrap().into_bytes();
    batch
}

#[test]
fn a_follower_accepts_what_the_author_sealed_and_nothing_else() {
    let (log, signer) = (log(), signer(0));
    let (one, after_one) = log.seal(vec![entry("a"), entry("b")], BatchKey::new([1; 32]), &signer).unwrap();
    let (two, after_two) = after_one.seal(vec![entry("c")], BatchKey::new([2; 32]), &signer).unwrap();
    assert_eq!(log.follow(&one).unwrap(), after_one);
    assert_eq!(after_one.follow(&two).unwrap(), after_two);

    assert_eq!(after_one.follow(&one), Err(BatchError::Gap { expected: 2, found: 0 }), "replayed");
    assert_eq!(log.follow(&two), Err(BatchError::Gap { expected: 0, found: 2 }), "dropped");
    let change = |edit: fn(&mut SealedBatch)| {
        let mut batch = one.clone();
        edit(&mut batch);
        log.follow(&batch)
    };
    assert_eq!(change(|b| b.entries.swap(0, 1)), Err(BatchError::WrongRoot), "swapped");
    assert_eq!(change(|b| b.entries[1] = entry("x")), Err(BatchError::WrongRoot), "edited");
    assert_eq!(change(|b| b.key = BatchKey::new([9; 32])), Err(BatchError::WrongRoot), "other salts");
    assert_eq!(change(|b| drop(b.entries.pop())), Err(BatchError::WrongSize { noted: 2, counted: 1 }), "cut");
    assert_eq!(change(|b| b.epoch = 1), Err(BatchError::OtherEpoch { expected: 0, found: 1 }));
    assert_eq!(change(|b| b.author = Author::Collector), Err(BatchError::OtherAuthor));
    assert!(matches!(change(|b| b.note[40] ^= 1), Err(BatchError::Note(_))), "note flipped");
    assert_eq!(change(|b| b.entries = vec![entry("a"); 513]), Err(BatchError::TooLarge));
    assert_eq!(log.seal(Vec::new(), BatchKey::new([1; 32]), &signer).err(), Some(BatchError::Empty));
    assert_eq!(log.clone().revoked().follow(&one), Err(BatchError::Revoked));
}

#[test]
fn a_roll_over_hands_the_log_to_the_next_key_and_the_old_one_has_spoken_last() {
    let (first, after) = sealed(&log(), vec![entry("a")], &signer(0));
    let (roll, second) = sealed(&after, vec![rolled(1, signer(1).verifier())], &signer(0));
    assert_eq!((second.epoch(), second.key(), second.size()), (1, Some(signer(1).verifier()), 2));
    assert_eq!(
        log().follow(&first).unwrap().follow(&roll).unwrap(),
        second,
        "a follower is where the author is"
    );

    // An epoch without an entry is one, too.
    let (again, third) = sealed(&second, vec![rolled(2, signer(2).verifier())], &signer(1));
    assert_eq!(second.follow(&again).unwrap(), third);
    let (batch, last) = sealed(&third, vec![entry("b")], &signer(2));
    assert_eq!((batch.epoch, last.epoch()), (2, 2));
    assert_eq!(third.follow(&batch).unwrap(), last);

    // The author itself cannot sign with a key that is not its epoch's.
    let old = second.seal(vec![entry("b")], BatchKey::new([1; 32]), &signer(0));
    assert_eq!(old.err(), Some(BatchError::OtherKey(1)));
}

#[test]
fn a_batch_out_of_its_epoch_is_refused_whoever_signed_it() {
    let (_, before) = sealed(&log(), vec![entry("a")], &signer(0));
    let (roll, after) = sealed(&before, vec![rolled(1, signer(1).verifier())], &signer(0));
    let other = |expected, found| Err(BatchError::OtherEpoch { expected, found });
    let x = || vec![entry("x")];
    assert_eq!(
        after.follow(&forged(&after, 0, x(), &signer(0))),
        other(1, 0),
        "the old epoch, after the roll-over"
    );
    assert_eq!(before.follow(&forged(&before, 1, x(), &signer(1))), other(0, 1), "the new one, before it");
    let stolen = after.follow(&forged(&after, 1, x(), &signer(0)));
    assert!(matches!(stolen, Err(BatchError::Note(_))), "the stolen old key in the new epoch: {stolen:?}");
    let early = before.follow(&forged(&before, 0, x(), &signer(1)));
    assert!(matches!(early, Err(BatchError::Note(_))), "the new key in the old epoch: {early:?}");
    let second = forged(&after, 0, vec![rolled(1, signer(7).verifier())], &signer(0));
    assert_eq!(after.follow(&second), other(1, 0), "a second roll-over by the stolen old key");
    let hijacked = after.follow(&forged(&after, 1, vec![rolled(2, signer(7).verifier())], &signer(0)));
    assert!(matches!(hijacked, Err(BatchError::Note(_))), "a hijacked next epoch: {hijacked:?}");
    assert_eq!(after.follow(&roll), Err(BatchError::OtherEpoch { expected: 1, found: 0 }), "replayed");
}

#[test]
fn every_other_form_of_a_roll_over_is_refused_by_name() {
    let (_, at) = sealed(&log(), vec![entry("a")], &signer(0));
    let next = signer(1).verifier().clone();
    let refused = |entries: Vec<Entry>| match at.follow(&forged(&at, 0, entries.clone(), &signer(0))) {
        Err(BatchError::RollOver(error)) => {
            let own = at.seal(entries, BatchKey::new([1; 32]), &signer(0)).err();
            assert_eq!(own, Some(BatchError::RollOver(error.clone())), "the author itself makes none");
            error
        }
        other => panic!("expected a refusal, got {other:?}"),
    };
    let inside = vec![entry("{}"), rolled(1, &next)];
    assert_eq!(refused(inside), RollOverError::NotAlone);
    assert_eq!(refused(vec![rolled(1, &next), entry("{}")]), RollOverError::NotAlone);
    let two = vec![rolled(1, &next), rolled(2, signer(2).verifier())];
    assert_eq!(refused(two), RollOverError::NotAlone);
    assert_eq!(refused(vec![rolled(2, &next)]), RollOverError::Number { expected: 1, found: 2 }, "skipped");
    assert_eq!(refused(vec![rolled(0, &next)]), RollOverError::Number { expected: 1, found: 0 });
    assert_eq!(refused(vec![rolled(1, signer(0).verifier())]), RollOverError::SameKey);
    let named = |name: &str, kind| NoteSigner::new(name, kind, &[8; 32]).unwrap().verifier().clone();
    let wrong = RollOverError::Key(at.origin().to_owned());
    let other = slug().author_origin(&Author::agent("ws-02").unwrap());
    assert_eq!(refused(vec![rolled(1, &named(&other, KeyType::Ed25519))]), wrong, "another name");
    assert_eq!(
        refused(vec![rolled(1, &named(at.origin(), KeyType::CosignatureV1))]),
        wrong,
        "a cosigning key"
    );
    let core = |text: &str| vec![entry(text)];
    assert_eq!(refused(core(r#"{"kind":"epoch","time":"t"}"#)), RollOverError::Form);
    assert_eq!(refused(core(r#"{"kind":"epoch","time":"t","epoch":{"number":"1"}}"#)), RollOverError::Form);
    assert_eq!(refused(core(r#"{"kind":"\u0065poch","time":"t"}"#)), RollOverError::Form, "escaped");
    assert_eq!(refused(core(r#"{"kind":"epoch","time":"t","epoch":{"number":1,"key":"k"}}"#)), wrong);

    let collector =
        NoteSigner::new(&slug().author_origin(&Author::Collector), KeyType::Ed25519, &[5; 32]).unwrap();
    let log = AuthorLog::new(&slug(), Author::Collector, collector.verifier().clone());
    let batch = forged(&log, 0, vec![rolled(1, &named(log.origin(), KeyType::Ed25519))], &collector);
    assert_eq!(
        log.follow(&batch),
        Err(BatchError::RollOver(RollOverError::NoEpochs(Author::Collector))),
        "the collector's key is the trust file's"
    );
}

#[test]
fn a_word_in_an_entry_makes_no_roll_over() {
    let (_, after) = sealed(
        &log(),
        vec![entry(r#"{"kind":"login","time":"t","epoch":{"number":1,"key":"k"}}"#), entry("epoch")],
        &signer(0),
    );
    assert_eq!((after.epoch(), after.key()), (0, Some(signer(0).verifier())));
}
