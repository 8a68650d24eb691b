//! Keys that follow one another in a bundle: what a forger with a stolen key and the bundle key can make of them, and
//! which check says so.

use ntk_evidence::act;
use ntk_evidence::author_log::SealedBatch;
use ntk_evidence::bundle;
use ntk_evidence::bundle::range::{ListedKey, Range};
use ntk_evidence::bundle::row::{Paths, Row};
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::checks::{Status, check};
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::merkle::CompactRange;
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, NoteSigner};
use serde_json::json;

use crate::attacks::forged;
use crate::practice::{Draft, Keys, Practice, agent, nothing};

#[track_caller]
fn verifies(practice: &Practice, draft: Draft) {
    let verification = check(&practice.seal(draft), Some(practice.keys.trust_text().as_bytes()));
    assert_eq!(verification.exit_code(), 0, "{:#?}", verification.checks);
}

#[test]
fn a_bundle_over_three_epochs_verifies_and_says_how_its_keys_follow() {
    let p = Practice::rolled();
    let verification = check(&p.bundle(), Some(p.keys.trust_text().as_bytes()));
    assert_eq!(verification.exit_code(), 0, "{:#?}", verification.checks);
    let keys = verification.checks.iter().find(|check| check.name == "author-keys").unwrap();
    assert!(keys.sentence.contains("2 roll-overs"), "{}", keys.sentence);
    // A range that ends with an epoch: its last note is the roll-over itself, signed by the key that it ends.
    let mut draft = p.draft();
    let leaves: Vec<_> = p.entries(&agent()).iter().take(3).map(|(n, e, k)| k.leaf(*n, e)).collect();
    draft.ranges[1] = Range::new(&agent(), 0, &CompactRange::of(&leaves).unwrap(), 0, 9);
    draft.agent_rows().truncate(6);
    draft.files.extend(p.note_files(&agent(), 9));
    draft.info.disclosed_events -= 5;
    verifies(&p, draft);
}

#[test]
fn a_roll_over_that_was_edited_withheld_or_moved_is_seen() {
    let p = Practice::rolled();
    use Status::{Altered, NotVerifiable};
    let edit = |status, edit: &dyn Fn(&mut ListedKey)| {
        forged(&p, "author-keys", status, |d: &mut Draft| edit(&mut d.keys[2]))
    };
    let by = |key: &mut ListedKey| key.rolled_by.clone().unwrap();
    edit(NotVerifiable, &|key| key.rolled_by = None);
    edit(NotVerifiable, &|key| key.epoch = 3);
    edit(NotVerifiable, &|key| {
        let mut by = by(key);
        by.row = Row::withheld(8, by.row.leaf_hash());
        key.rolled_by = Some(by);
    });
    edit(Altered, &|key| key.rolled_by.as_mut().unwrap().number = 7);
    edit(Altered, &|key| key.rolled_by.as_mut().unwrap().before[0].hash = nothing());
    edit(Altered, &|key| key.rolled_by.as_mut().unwrap().before[0].size = 4);
    edit(Altered, &|key| key.rolled_by.as_mut().unwrap().index += 1);
    edit(Altered, &|key| {
        key.rolled_by.as_mut().unwrap().inclusion.pop();
    });
    edit(Altered, &|key| {
        let by = key.rolled_by.as_mut().unwrap();
        by.note = by.note.replacen("\n9\n", "\n7\n", 1);
    });
    // Of another day: signed by the same author, but by the next key.
    let later = p.agent_keys()[2].rolled_by.clone().unwrap();
    edit(NotVerifiable, &|key| key.rolled_by = Some(later.clone()));
    let text = edit(Altered, &|key| {
        let by = key.rolled_by.as_mut().unwrap();
        let line = by.row.line().replacen("daily", "start", 1);
        by.row = serde_json::from_str(&line).unwrap();
    });
    assert!(text.contains("does not lead to the root"), "{text}");
    // Enrolled and rolled over to: it cannot be both.
    edit(NotVerifiable, &|key| key.enrolled_by = p.agent_keys()[0].enrolled_by.clone());
}

#[test]
fn a_key_that_a_thief_puts_in_the_chain_is_seen() {
    let p = Practice::rolled();
    use Status::{Altered, NotVerifiable};
    let thief = NoteSigner::new(&p.keys.slug.author_origin(&agent()), KeyType::Ed25519, &[66; 32]).unwrap();
    let named = |status, edit: &dyn Fn(&mut Draft)| forged(&p, "author-keys", status, |d| edit(d));
    named(NotVerifiable, &|d| d.keys[2].key = thief.verifier().to_string());
    named(NotVerifiable, &|d| drop(d.keys.remove(1)));
    named(NotVerifiable, &|d| drop(d.keys.remove(2)));
    named(Altered, &|d| {
        let again = d.keys[2].clone();
        d.keys.push(again);
    });
    // He writes the roll-over himself and signs with the stolen old key; but the log does not hold that note.
    named(Altered, &|d| {
        let by = d.keys[2].rolled_by.clone().unwrap();
        let next = ntk_evidence::epoch::RollOver { number: 1, key: thief.verifier().clone() };
        let entry = next.entry("daily", "2026-11-20T21:30:00Z").unwrap();
        let key = BatchKey::new([3; 32]);
        let mut range = by.compact_range().unwrap();
        range.append(key.leaf(8, &entry)).unwrap();
        let origin = p.keys.slug.author_origin(&agent());
        let forged = Checkpoint { origin, size: 9, root: range.root() };
        let by = d.keys[2].rolled_by.as_mut().unwrap();
        by.row = Row::disclosed(8, &entry, &key, Paths::Shown);
        by.note = forged.sign(&p.keys.agent).unwrap();
        d.keys[2].key = thief.verifier().to_string();
    });
}

/// A batch that continues the agent's log as of a size, signed by the key of an epoch, whatever is current.
fn sealed_out_of_turn(p: &Practice, first: u64, epoch: u8) -> SealedBatch {
    let entries =
        vec![Entry::from_parts([b"{\"kind\":\"login\",\"time\":\"t\"}".to_vec(), vec![], vec![]]).unwrap()];
    let before = p.entries(&agent()).into_iter().filter(|(number, ..)| *number < first);
    let leaves: Vec<_> = before.map(|(number, entry, key)| key.leaf(number, entry)).collect();
    let mut range = CompactRange::of(&leaves).unwrap();
    let mut batch = SealedBatch {
        removed: Vec::new(),
        author: agent(),
        epoch: epoch.into(),
        first,
        note: Vec::new(),
        key: BatchKey::new([9; 32]),
        entries,
    };
    for leaf in batch.leaves() {
        range.append(leaf).unwrap();
    }
    let origin = p.keys.slug.author_origin(&agent());
    let note = Checkpoint { origin, size: first + 1, root: range.root() }.sign(&p.keys.epoch(epoch)).unwrap();
    batch.note = note.into_bytes();
    batch
}

#[test]
fn a_note_out_of_its_epoch_is_seen_although_key_and_log_are_right() {
    // The operator of the log helps the thief of an old key: his batch is in the log, cosigned and all.
    for (first, epoch, expected) in [
        (15, 0, "lies behind epoch 0, which ended at 9"),
        (15, 1, "lies behind epoch 1, which ended at 12"),
        (5, 2, "lies before epoch 2, which began at 12"),
    ] {
        let mut p = Practice::rolled();
        let batch = sealed_out_of_turn(&p, first, epoch);
        p.push(batch);
        let sentence = forged(&p, "batch-notes", Status::Altered, |d| {
            let (before, epoch) = (d.ranges[1].compact_range().unwrap(), u32::from(epoch));
            d.ranges[1] = Range::new(&agent(), epoch, &before, 0, first + 1);
            d.files.extend(p.note_files(&agent(), first + 1));
        });
        assert!(sentence.contains(expected), "{sentence}");
    }
    // A replay of epoch 0 behind its end: the note fits the sizes, its place in the log does not.
    let mut p = Practice::rolled();
    let late = sealed_out_of_turn(&p, 6, 0);
    p.push(late);
    let sentence = forged(&p, "batch-notes", Status::Altered, |d| {
        let before = d.ranges[1].compact_range().unwrap();
        d.ranges[1] = Range::new(&agent(), 0, &before, 0, 7);
        d.files.extend(p.note_files(&agent(), 7));
    });
    assert!(sentence.contains("lies behind epoch 0"), "{sentence}");
}

#[test]
fn a_revoked_author_is_listed_as_such_and_nothing_of_it_comes_after() {
    use Status::{Altered, NotVerifiable};
    let revoke = |p: &mut Practice| p.act(act::kind::REVOCATION, json!({"author": agent().to_string()}));
    let listed = |p: &Practice, act: u64| {
        let mut draft = p.draft();
        draft.keys = std::iter::once(draft.keys[0].clone())
            .chain(p.agent_keys().into_iter().map(|key| key.revoked(act)))
            .collect();
        draft
    };
    let mut p = Practice::rolled();
    let act = revoke(&mut p);
    verifies(&p, listed(&p, act));
    forged(&p, "author-keys", Altered, |_| {});
    forged(&p, "author-keys", Altered, |d| *d = listed(&p, act - 1));
    // The act is in a batch of its own, which ends the collector's range: without its note there is no place.
    p.act(act::kind::EXPORT, json!({"case": "C-2"}));
    let note = bundle::note_path(&Author::Collector, act + 1);
    let mut draft = listed(&p, act);
    draft.files.extend(p.note_files(&Author::Collector, act + 1));
    verifies(&p, draft);
    forged(&p, "author-keys", NotVerifiable, |d| {
        *d = listed(&p, act);
        d.files.extend(p.note_files(&Author::Collector, act + 1));
        d.files.remove(&bundle::proof_path(&Author::Collector, act + 1));
        assert!(d.files.contains_key(&note));
    });
    // The collector's operator lets the revoked key speak on.
    let mut late = Practice::rolled();
    let act = revoke(&mut late);
    let batch = sealed_out_of_turn(&late, 15, 2);
    late.push(batch);
    let sentence = forged(&late, "batch-notes", Altered, |d| {
        *d = listed(&late, act);
        let before = d.ranges[1].compact_range().unwrap();
        d.ranges[1] = Range::new(&agent(), 2, &before, 0, 16);
        d.files.extend(late.note_files(&agent(), 16));
    });
    assert!(sentence.contains("which revoked its author"), "{sentence}");
    let p = Practice::rolled();
    forged(&p, "author-keys", NotVerifiable, |d| *d = listed(&p, 2));
}

#[test]
fn a_machine_in_its_own_place_ends_the_earlier_one_and_counts_once() {
    let mut p = Practice::with(Keys::of(40), "2026-11-20T20:30:00Z", 1);
    let second = agent().successor().unwrap();
    let key = NoteSigner::new(&p.keys.slug.author_origin(&second), KeyType::Ed25519, &[67; 32]).unwrap();
    let body = json!({"author": second.to_string(), "key": key.verifier().to_string(), "epoch": 0, "replaces": p.keys.agent.verifier().to_string()});
    let act = p.act(act::kind::ENROLMENT, body);
    let mut draft = p.draft();
    draft.keys[1] = draft.keys[1].clone().revoked(act);
    // The trust file allows one machine, and this is still one.
    verifies(&p, draft);
    forged(&p, "author-keys", Status::Altered, |_| {});
}
