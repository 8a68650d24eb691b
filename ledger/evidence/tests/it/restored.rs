//! A practice whose collector was lost and put back from a copy: what an announced restore explains to whoever verifies
//! offline, and everything that it does not.

use ntk_evidence::act;
use ntk_evidence::author_log::AuthorLog;
use ntk_evidence::bundle::bag::Files;
use ntk_evidence::bundle::{self, restored_path, witnessed_consistency_path, witnessed_path};
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::checks::{Check, Status, Verification, check, provable_up_to, receipt};
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::name::Author;
use ntk_evidence::note::NoteSigner;
use ntk_evidence::tlog_proof::TlogProof;
use ntk_evidence::tree::{consistency_proof, inclusion_proof, root};
use ntk_evidence::trust::TrustFile;
use serde_json::json;

use crate::attacks::forged;
use crate::practice::{Draft, Keys, Practice, nothing};

fn verified(files: &Files, trust: &TrustFile, keys: &Keys) -> Verification {
    check(files, Some(trust.sign(&keys.practice).unwrap().as_bytes()))
}

#[track_caller]
fn found<'a>(verification: &'a Verification, name: &str) -> &'a Check {
    verification.checks.iter().find(|check| check.name == name).unwrap()
}

/// A checkpoint of the first batches, signed by whoever.
fn checkpoint(p: &Practice, size: u64, log: &NoteSigner) -> String {
    let origin = p.keys.slug.log_origin();
    Checkpoint { origin, size, root: root(&p.tree, size).unwrap() }.sign(log).unwrap()
}

/// An older checkpoint beside the final one, as a witness outside would have cosigned it.
fn older(p: &Practice, draft: &mut Draft, size: u64, note: String) {
    let hashes = consistency_proof(&p.tree, size, p.tree.size()).unwrap();
    let lines: String = hashes.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
    draft.files.insert(witnessed_path(size), note.into_bytes());
    draft.files.insert(witnessed_consistency_path(size), lines.into_bytes());
}

#[test]
fn a_bundle_from_behind_an_announced_restore_verifies_and_says_what_was_closed_when_and_why() {
    let p = Practice::restored();
    let verification = verified(&p.bundle(), &p.keys.trust, &p.keys);
    assert_eq!(verification.exit_code(), 0, "{:#?}", verification.checks);
    let said = ["trust-file", "checkpoint", "author-keys"].map(|name| &*found(&verification, name).sentence);
    expect_test::expect![[r#"
        the trust file that was given is signed by the practice key that it names. No custodian outside the practice is named: as far as the practice key says, nobody outside holds a copy of its keys. A copy of the log was put back at 2026-11-21T08:00:00Z, as the practice key announces (the disk of the collector broke): the log was closed at 4 batches and goes on under another key. What the lost collector had beyond them is not here, except what machines sent again.
        the log key signed the final checkpoint of size 6, which bag-info.txt names too; it continues the log that was closed at 4
        2 keys: the collector's of the trust file, and each other one enrolled by a disclosed act; the collector's acts lead to what its key signed before each restore (1)"#]].assert_eq(&said.join("\n"));
    // A checkpoint from before the restore still leads to today's, under the key that was closed.
    let mut draft = p.draft();
    older(&p, &mut draft, 3, checkpoint(&p, 3, &p.keys.closed[0].0));
    let files = p.seal(draft);
    assert_eq!(verified(&files, &p.keys.trust, &p.keys).exit_code(), 0);
    assert_eq!(provable_up_to(&files, &p.keys.trust).len(), 1);
}

#[test]
fn a_log_that_was_restored_twice_verifies_also_where_the_second_copy_was_older() {
    for size in [5, 4, 2] {
        let mut p = Practice::restored();
        let again: Vec<_> =
            Practice::new().batches.into_iter().filter(|batch| batch.author.machine().is_some()).collect();
        p.restore(size);
        p.act("act_restored", json!({"size": size}));
        for batch in again {
            if batch.first >= p.logs[&batch.author].size() {
                p.again(batch);
            }
        }
        let verification = verified(&p.bundle(), &p.keys.trust, &p.keys);
        assert_eq!(verification.exit_code(), 0, "{size}: {:#?}", verification.checks);
        let seams = found(&verification, "checkpoint").sentence.matches("closed at").count();
        assert_eq!(seams, if size == 2 { 1 } else { 2 }, "{size}");
    }
}

#[test]
fn a_bundle_from_before_the_restore_verifies_up_to_the_size_of_the_copy_and_is_void_beyond() {
    let p = Practice::restored();
    let mut before = Practice::new();
    let whole = before.bundle();
    assert_eq!(verified(&whole, &before.keys.trust, &before.keys).exit_code(), 0, "then it was the log");
    let verification = verified(&whole, &p.keys.trust, &p.keys);
    let said = found(&verification, "checkpoint");
    assert_eq!(said.status, Status::NotVerifiable, "explained, and no forgery: {said:?}");
    assert!(
        said.sentence.contains("void: a checkpoint of 5 batches by a log that was closed at 4"),
        "{said:?}"
    );
    assert!(verification.checkpoint.is_none() && verification.exit_code() == 3, "{:#?}", verification.checks);
    before.cut(4);
    let verification = verified(&before.bundle(), &p.keys.trust, &p.keys);
    assert_eq!(verification.exit_code(), 0, "{:#?}", verification.checks);
}

#[test]
fn without_the_word_of_the_practice_key_the_new_keys_are_nobodys() {
    // The administrator puts an old copy back and goes on under keys of their own.
    let p = Practice::restored();
    let before = Practice::new().keys.trust;
    let mut draft = p.draft();
    draft.files.insert(bundle::TRUST.into(), before.sign(&p.keys.practice).unwrap().into_bytes());
    let verification = verified(&p.seal(draft), &before, &p.keys);
    for name in ["checkpoint", "author-keys"] {
        assert_eq!(found(&verification, name).status, Status::NotVerifiable, "{:#?}", verification.checks);
    }
    assert!(!found(&verification, "checkpoint").sentence.contains("older than"));
    // The keys alone, signed by the practice key, are no word about a restore.
    let mut silent = p.keys.trust.clone();
    silent.restored.clear();
    assert_ne!(verified(&p.bundle(), &silent, &p.keys).exit_code(), 0);
    // A trust file from before it: the same, and it is said where today's word stands.
    let verification = verified(&p.bundle(), &before, &p.keys);
    let said = found(&verification, "checkpoint");
    assert_eq!(said.status, Status::NotVerifiable);
    assert!(said.sentence.contains("is older than a restore"), "{said:?}");
}

#[test]
fn an_announcement_that_was_edited_removed_or_borrowed_is_refused() {
    let p = Practice::restored();
    let signed = p.keys.trust_text();
    let line = signed.lines().find(|line| line.starts_with("restored ")).unwrap();
    let other = Keys::of(90);
    let mut borrowed = p.keys.trust.clone();
    borrowed.restored[0].log = other.log.verifier().clone();
    let stranger = p.keys.trust.sign(&other.practice).unwrap();
    for trust in [
        signed.replacen(&format!("{line}\n"), "", 1),
        signed.replacen("Z 4 ", "Z 5 ", 1),
        signed.replacen("broke", "burnt", 1),
        borrowed.sign(&p.keys.practice).unwrap(),
        stranger,
    ] {
        assert_ne!(trust, signed);
        let verification = check(&p.bundle(), Some(trust.as_bytes()));
        let said = found(&verification, "trust-file");
        assert_ne!(said.status, Status::Passed, "{said:?}");
        assert_ne!(verification.exit_code(), 0);
    }
}

#[test]
fn a_checkpoint_counts_only_under_the_log_to_which_its_size_belongs() {
    let p = Practice::restored();
    let (closed, _) = &p.keys.closed[0];
    let void = forged(&p, "witnesses", Status::NotVerifiable, |d| older(&p, d, 5, checkpoint(&p, 5, closed)));
    assert!(void.contains("void:"), "{void}");
    let early = forged(&p, "witnesses", Status::Altered, |d| older(&p, d, 3, checkpoint(&p, 3, &p.keys.log)));
    assert!(early.contains("which belongs to a log before it"), "{early}");
    let weekly = |d: &mut Draft, size: u64, log: &NoteSigner| {
        older(&p, d, size, checkpoint(&p, size, log));
        let moved = d.files.remove(&witnessed_path(size)).unwrap();
        let proof = d.files.remove(&witnessed_consistency_path(size)).unwrap();
        d.files.insert("data/proofs/weekly/2026-W47.txt".into(), moved);
        d.files.insert("data/proofs/weekly/2026-W47.consistency".into(), proof);
    };
    forged(&p, "checkpoint", Status::NotVerifiable, |d| weekly(d, 5, closed));
    forged(&p, "checkpoint", Status::Altered, |d| weekly(d, 4, &p.keys.log));
    // The final checkpoint itself.
    let put =
        |d: &mut Draft, note: String| drop(d.files.insert(bundle::CHECKPOINT.into(), note.into_bytes()));
    forged(&p, "checkpoint", Status::NotVerifiable, |d| put(d, checkpoint(&p, p.tree.size(), closed)));
    let other = Checkpoint { origin: p.keys.slug.log_origin(), size: 4, root: nothing() };
    let said = forged(&p, "checkpoint", Status::Altered, |d| put(d, other.sign(closed).unwrap()));
    assert!(said.contains("with another root"), "{said}");
}

#[test]
fn a_log_that_does_not_continue_the_closed_one_or_does_not_show_that_it_does_is_seen() {
    let p = Practice::restored();
    let path = restored_path(4);
    forged(&p, "checkpoint", Status::Incomplete, |d| drop(d.files.remove(&path)));
    forged(&p, "checkpoint", Status::Altered, |d| {
        let line = format!("{}\n", nothing().to_base64()).into_bytes();
        d.files.insert(path.clone(), line);
    });
    forged(&p, "author-keys", Status::Incomplete, |d| {
        let gone = [bundle::note_path(&Author::Collector, 3), bundle::proof_path(&Author::Collector, 3)];
        gone.iter().for_each(|path| drop(d.files.remove(path)));
    });
    // The new keys' holder tells the part that the copy had in another order.
    let mut other = Practice::restored();
    other.batches.swap(2, 3);
    let all = std::mem::take(&mut other.batches);
    all.into_iter().for_each(|batch| other.push(batch));
    let said = forged(&other, "checkpoint", Status::Altered, |_| {});
    assert!(said.contains("does not continue the log that was closed"), "{said}");
}

#[test]
fn a_batch_of_the_collector_counts_only_at_leaves_of_its_epoch() {
    // Whoever has the lost collector's key writes one more act into the log that goes on.
    let mut p = Practice::restored();
    let entry = Entry::freeze(act::event("act_policy", "2026-11-22T09:00:00Z", json!({}))).unwrap();
    let closed = &p.keys.closed[0].1;
    let log = p.logs[&Author::Collector].clone();
    let old = AuthorLog::resume(
        &p.keys.slug,
        Author::Collector,
        0,
        Some(closed.verifier().clone()),
        log.range().clone(),
    );
    let (batch, next) = old.seal(vec![entry], BatchKey::new([9; 32]), closed).unwrap();
    p.push(batch);
    p.logs.insert(Author::Collector, next);
    let said = forged(&p, "batch-notes", Status::Altered, |d| d.ranges[0].epoch = 0);
    assert!(said.contains("stands at leaf 6, which is of epoch 1"), "{said}");
    forged(&p, "batch-notes", Status::NotVerifiable, |d| d.ranges[0].epoch = 1);
}

#[test]
fn the_new_key_vouches_for_no_act_before_the_restore_and_no_act_vouches_for_it() {
    let p = Practice::restored();
    // Other first acts, under a good signature of the new key: the note from before the restore contradicts.
    let mut other = Practice::with(Keys::of(40), "2026-11-20T20:31:00Z", 1);
    other.restore(4);
    other.act("act_restored", json!({"size": 4}));
    let mut mixed = Practice::restored();
    mixed.batches[4] = other.batches[4].clone();
    let all = std::mem::take(&mut mixed.batches);
    all.into_iter().for_each(|batch| mixed.push(batch));
    let said = forged(&mixed, "author-keys", Status::Altered, |d| {
        d.rows.insert(Author::Collector, other.draft().rows[&Author::Collector].clone());
    });
    assert!(said.contains("do not lead to the root of 3 entries"), "{said}");
    let said = forged(&p, "author-keys", Status::NotVerifiable, |d| {
        d.keys[1].enrolled_by = d.keys[2].enrolled_by.clone()
    });
    assert!(said.contains("only the trust file names it"), "{said}");
    forged(&p, "author-keys", Status::NotVerifiable, |d| d.keys[1].epoch = 2);
    forged(&p, "author-keys", Status::NotVerifiable, |d| drop(d.keys.remove(0)));
    forged(&p, "author-keys", Status::NotVerifiable, |d| drop(d.keys.remove(1)));
    forged(&p, "author-keys", Status::NotVerifiable, |d| {
        let today = d.keys[1].key.clone();
        d.keys[0].key = today;
    });
}

#[test]
fn a_receipt_for_what_the_closed_log_had_beyond_is_void_and_one_for_what_the_copy_has_holds() {
    let (p, before) = (Practice::restored(), Practice::new());
    let of = |p: &Practice, index: u64, size: u64, log: &NoteSigner| {
        let hashes = inclusion_proof(&p.tree, index, size).unwrap();
        let proof = TlogProof { index, hashes, checkpoint: checkpoint(p, size, log) }.to_string();
        (p.batches[usize::try_from(index).unwrap()].note.clone(), proof)
    };
    let trust = p.keys.trust_text();
    let judged = |(note, proof): (Vec<u8>, String)| {
        receipt(&note, proof.as_bytes(), trust.as_bytes(), Some(&p.bundle()))
    };
    let held = judged(of(&before, 2, 4, &before.keys.log));
    assert_eq!(held.exit_code(), 0, "{:#?}", held.checks);
    assert!(found(&held, "trust-file").sentence.contains("the disk of the collector broke"));
    let again = judged(of(&p, 5, 6, &p.keys.log));
    assert_eq!(again.exit_code(), 0, "{:#?}", again.checks);
    let void = judged(of(&before, 4, 5, &before.keys.log));
    assert_eq!(found(&void, "receipt-proof").status, Status::NotVerifiable, "{:#?}", void.checks);
    assert!(found(&void, "receipt-proof").sentence.contains("void:"), "{:#?}", void.checks);
    let early = judged(of(&p, 2, 4, &p.keys.log));
    assert_eq!(found(&early, "receipt-proof").status, Status::Altered, "{:#?}", early.checks);
}
