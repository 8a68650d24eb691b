//! Receipts as transferable proofs: what a stranger can check with the two files and a trust file, and what a bundle that
//! tells something else looks like beside them.

use ntk_evidence::bundle;
use ntk_evidence::bundle::bag::Files;
use ntk_evidence::bundle::row::Row;
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::checks::{Status, Verification, receipt};
use ntk_evidence::merkle::leaf_hash;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::tlog_proof::TlogProof;
use ntk_evidence::tree::{MemoryTree, inclusion_proof, root};

use crate::practice::{Keys, Practice, agent, nothing};

/// Note and proof of the agent's batch of that size, in the log as of so many leaves: no cosignature.
fn receipt_of(p: &Practice, size: u64, leaves: u64) -> (Vec<u8>, String) {
    let index = p.batches.iter().position(|batch| batch.author == agent() && batch.size() == size).unwrap();
    let place = u64::try_from(index).unwrap();
    let log =
        Checkpoint { origin: p.keys.slug.log_origin(), size: leaves, root: root(&p.tree, leaves).unwrap() };
    let hashes = inclusion_proof(&p.tree, place, leaves).unwrap();
    let proof = TlogProof { index: place, hashes, checkpoint: log.sign(&p.keys.log).unwrap() };
    (p.batches[index].note.clone(), proof.to_string())
}

fn judged(p: &Practice, (note, proof): &(Vec<u8>, String), bundle: Option<&Files>) -> Verification {
    receipt(note, proof.as_bytes(), p.keys.trust_text().as_bytes(), bundle)
}

#[track_caller]
fn check(verification: &Verification, name: &str, status: Status, words: &str) {
    let found = verification.checks.iter().find(|check| check.name == name).unwrap();
    assert_eq!(found.status, status, "{:#?}", verification.checks);
    assert!(found.sentence.contains(words), "{}", found.sentence);
}

#[test]
fn a_receipt_stands_alone_and_every_changed_byte_of_it_is_seen() {
    let p = Practice::new();
    let good = receipt_of(&p, 5, 4);
    let verification = judged(&p, &good, None);
    assert_eq!(verification.exit_code(), 0, "{:#?}", verification.checks);
    let words = "acknowledged 5 entries of agent/ws-01 as leaf 2 of its log of 4";
    check(&verification, "receipt-proof", Status::Passed, words);
    for at in 0..good.0.len() {
        let mut changed = good.clone();
        changed.0[at] ^= 1;
        assert_ne!(judged(&p, &changed, None).exit_code(), 0, "note byte {at}");
    }
    for at in 0..good.1.len() {
        let mut proof = good.1.clone().into_bytes();
        proof[at] ^= 1;
        let verification = receipt(&good.0, &proof, p.keys.trust_text().as_bytes(), None);
        assert_ne!(verification.exit_code(), 0, "proof byte {at}");
    }
    let stranger = Keys::of(90).trust_text();
    assert_eq!(receipt(&good.0, good.1.as_bytes(), stranger.as_bytes(), None).exit_code(), 3);
    assert_eq!(receipt(&good.0, good.1.as_bytes(), b"", None).exit_code(), 3);
    assert_eq!(judged(&p, &(Vec::new(), String::new()), None).exit_code(), 1);
    // Another batch's note under this proof; a proof that a stranger's log key signed.
    let other = receipt_of(&p, 3, 4);
    check(&judged(&p, &(other.0, good.1.clone()), None), "receipt-proof", Status::Altered, "does not lead");
    let thief = NoteSigner::new(&p.keys.slug.log_origin(), KeyType::Ed25519, &[66; 32]).unwrap();
    let log = Checkpoint { origin: p.keys.slug.log_origin(), size: 4, root: root(&p.tree, 4).unwrap() };
    let (head, _) = good.1.split_once("\n\n").unwrap();
    let forged = format!("{head}\n\n{}", log.sign(&thief).unwrap());
    check(
        &judged(&p, &(good.0.clone(), forged), None),
        "receipt-proof",
        Status::NotVerifiable,
        "no signature",
    );
}

#[test]
fn a_bundle_of_the_same_log_agrees_and_says_by_what() {
    let p = Practice::new();
    let bundle = p.bundle();
    for (size, leaves, words) in [
        (5, 3, "the rows of agent/ws-01 lead to the acknowledged root at 5 entries"),
        (8, 5, "the same note at the same leaf 4"),
        (8, 5, "the same log of 5 leaves"),
        (3, 2, "the same note at the same leaf 1"),
    ] {
        let verification = judged(&p, &receipt_of(&p, size, leaves), Some(&bundle));
        assert_eq!(verification.exit_code(), 0, "{:#?}", verification.checks);
        check(&verification, "bundle-agrees", Status::Passed, words);
    }
}

#[test]
fn a_bundle_that_tells_another_history_than_the_receipt_is_contradicted() {
    use Status::{Altered, Incomplete, NotVerifiable};
    let p = Practice::new();
    // The operator drops the acknowledged batch and signs all of it again.
    let mut dropped = Practice::new();
    dropped.batches.remove(2);
    dropped.tree = MemoryTree::of(dropped.batches.iter().map(|batch| leaf_hash(&batch.note)));
    let log = Checkpoint { origin: p.keys.slug.log_origin(), size: 4, root: root(&dropped.tree, 4).unwrap() };
    let smaller: Files =
        [(bundle::CHECKPOINT.to_owned(), log.sign(&p.keys.log).unwrap().into_bytes())].into();
    let at_four = judged(&p, &receipt_of(&p, 5, 4), Some(&smaller));
    check(&at_four, "bundle-agrees", Altered, "two roots of one log of 4 leaves");
    assert_eq!(at_four.exit_code(), 1);
    let at_five = judged(&p, &receipt_of(&p, 5, 5), Some(&smaller));
    check(&at_five, "bundle-agrees", NotVerifiable, "the bundle's log has 4 leaves where the receipt saw 5");

    // He changes an entry after the receipt, and everything round it.
    let mut draft = p.draft();
    draft.agent_rows()[1] = Row::withheld(4, nothing());
    let edited = p.seal(draft);
    let verification = judged(&p, &receipt_of(&p, 5, 3), Some(&edited));
    check(&verification, "bundle-agrees", Altered, "lead to another root at 5 entries");
    let mut draft = p.draft();
    draft.agent_rows().remove(1);
    check(&judged(&p, &receipt_of(&p, 5, 3), Some(&p.seal(draft))), "bundle-agrees", Incomplete, "entry 4");

    // Another note of the acknowledged size, or another one at the acknowledged leaf.
    let origin = p.keys.slug.author_origin(&agent());
    let other = Checkpoint { origin, size: 8, root: nothing() }.sign(&p.keys.agent).unwrap();
    let mut draft = p.draft();
    draft.files.insert(bundle::note_path(&agent(), 8), other.into_bytes());
    let verification = judged(&p, &receipt_of(&p, 8, 5), Some(&p.seal(draft)));
    check(&verification, "bundle-agrees", Altered, "two histories of one log");
    let mut draft = p.draft();
    let moved = draft.files[&bundle::proof_path(&agent(), 3)].clone();
    draft.files.insert(bundle::proof_path(&agent(), 8), moved);
    let verification = judged(&p, &receipt_of(&p, 8, 5), Some(&p.seal(draft)));
    check(
        &verification,
        "bundle-agrees",
        Altered,
        "stands at leaf 1 in the bundle, at leaf 4 in the receipt",
    );

    // Nothing in common is no agreement, and an empty bundle is none either.
    let mut draft = p.draft();
    draft.ranges.truncate(1);
    check(
        &judged(&p, &receipt_of(&p, 5, 3), Some(&p.seal(draft))),
        "bundle-agrees",
        NotVerifiable,
        "neither agrees",
    );
    check(&judged(&p, &receipt_of(&p, 5, 3), Some(&Files::new())), "bundle-agrees", Incomplete, "is missing");
}
