//! Our Merkle tree against two that others wrote: roots, and every proof checked by the other side.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof};
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::{CompactRange, leaf_hash, node_hash, verify_consistency, verify_inclusion};
use ntk_evidence::tree::{MemoryTree, consistency_proof, inclusion_proof, root};
use sha2::Sha256;
use tlog_tiles::tlog;

use crate::practice::Dice;

type CtTree = MemoryBackedTree<Sha256, Vec<u8>>;

/// The stored hashes of a tlog tree, in its own order.
struct Stored(Vec<tlog::Hash>);

impl tlog::HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn theirs(hash: &Hash) -> tlog::Hash {
    tlog::Hash(*hash.as_bytes())
}

fn ours(hashes: &[tlog::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash::from_bytes(hash.0)).collect()
}

fn chunks(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.iter().map(|chunk| Hash::from_bytes(*chunk)).collect()
}

fn joined(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

#[test]
fn single_hashes_agree() {
    let mut dice = Dice::thrown("single_hashes_agree");
    for n in 0..100 {
        let data = dice.bytes(n);
        assert_eq!(leaf_hash(&data).as_bytes(), &tlog::record_hash(&data).0);
        let (left, right) = (Hash::of(&data), Hash::of(b"right"));
        assert_eq!(node_hash(&left, &right).as_bytes(), &tlog::node_hash(theirs(&left), theirs(&right)).0);
    }
}

#[test]
fn roots_and_proofs_of_random_trees_are_accepted_both_ways() {
    let mut dice = Dice::thrown("roots_and_proofs_of_random_trees_are_accepted_both_ways");
    for round in 0..60 {
        let n = if round < 20 { round + 1 } else { dice.below(600) + 1 };
        let leaves: Vec<Vec<u8>> = (0..n)
            .map(|_| {
                let length = dice.below(40);
                dice.bytes(length)
            })
            .collect();
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        let tree = MemoryTree::of(hashes.iter().copied());
        let mut ct = CtTree::new();
        let mut stored = Stored(Vec::new());
        for (at, leaf) in (0u64..).zip(&leaves) {
            ct.push(leaf.clone());
            let more = tlog::stored_hashes(at, leaf, &stored).unwrap();
            stored.0.extend(more);
        }
        let size = u64::try_from(n).unwrap();
        let top = root(&tree, size).unwrap();
        assert_eq!(CompactRange::of(&hashes).unwrap().root(), top);
        assert_eq!(top.as_bytes(), &tlog::tree_hash(size, &stored).unwrap().0, "tlog_tiles, {n} leaves");
        assert_eq!(top.as_bytes().as_slice(), ct.root().as_bytes().as_slice(), "ct-merkle, {n} leaves");

        let at = dice.below(n);
        let index = u64::try_from(at).unwrap();
        let proof = inclusion_proof(&tree, index, size).unwrap();
        let tlog_proof = tlog::prove_record(size, index, &stored).unwrap();
        assert_eq!(ours(&tlog_proof), proof, "inclusion {at} of {n}");
        assert_eq!(chunks(ct.prove_inclusion(at).as_bytes()), proof);
        let theirs_proof: Vec<tlog::Hash> = proof.iter().map(theirs).collect();
        tlog::check_record(&theirs_proof, size, theirs(&top), index, theirs(&hashes[at])).unwrap();
        ct.root()
            .verify_inclusion(&leaves[at], index, &InclusionProof::try_from_bytes(joined(&proof)).unwrap())
            .unwrap();
        verify_inclusion(&hashes[at], index, size, &ours(&tlog_proof), &top).unwrap();

        let m = dice.below(n) + 1;
        let old = u64::try_from(m).unwrap();
        let old_root = root(&tree, old).unwrap();
        let proof = consistency_proof(&tree, old, size).unwrap();
        let tlog_proof = tlog::prove_tree(size, old, &stored).unwrap();
        assert_eq!(ours(&tlog_proof), proof, "consistency {m} of {n}");
        let ct_old = leaves[..m].iter().cloned().fold(CtTree::new(), |mut tree, leaf| {
            tree.push(leaf);
            tree
        });
        let theirs_proof: Vec<tlog::Hash> = proof.iter().map(theirs).collect();
        tlog::check_tree(&theirs_proof, size, theirs(&top), old, theirs(&old_root)).unwrap();
        ct.root()
            .verify_consistency(&ct_old.root(), &ConsistencyProof::try_from_bytes(joined(&proof)).unwrap())
            .unwrap();
        let ct_proof = chunks(ct.prove_consistency(n - m).as_bytes());
        verify_consistency(old, size, &ct_proof, &old_root, &top).unwrap();
    }
}

#[test]
fn a_broken_proof_is_refused_by_all_three() {
    let mut dice = Dice::thrown("a_broken_proof_is_refused_by_all_three");
    for _ in 0..100 {
        let n = dice.below(200) + 2;
        let leaves: Vec<Vec<u8>> = (0..n).map(|n| n.to_be_bytes().to_vec()).collect();
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        let tree = MemoryTree::of(hashes.iter().copied());
        let (at, size) = (dice.below(n), u64::try_from(n).unwrap());
        let (index, top) = (u64::try_from(at).unwrap(), root(&tree, size).unwrap());
        let mut proof = inclusion_proof(&tree, index, size).unwrap();
        let place = dice.below(proof.len());
        proof[place] = Hash::of(&dice.bytes(8));
        let ct = leaves.iter().cloned().fold(CtTree::new(), |mut tree, leaf| {
            tree.push(leaf);
            tree
        });
        let theirs_proof: Vec<tlog::Hash> = proof.iter().map(theirs).collect();
        assert!(verify_inclusion(&hashes[at], index, size, &proof, &top).is_err());
        assert!(tlog::check_record(&theirs_proof, size, theirs(&top), index, theirs(&hashes[at])).is_err());
        let ct_proof = InclusionProof::try_from_bytes(joined(&proof)).unwrap();
        assert!(ct.root().verify_inclusion(&leaves[at], index, &ct_proof).is_err());
    }
}
