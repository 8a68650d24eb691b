//! Proofs out of a whole tree: from the stored roots of its full subtrees.
//!
//! Level 0 holds leaf hashes; `subtree(level, index)` is the root over the leaves
//! `[index << level, (index + 1) << level)`. A store keeps what is full; everything else is computed on the
//! way, in O(log n) steps. [`MemoryTree`] is such a store; the collector keeps another one on disk.

use crate::hash::Hash;
use crate::merkle::{CompactRange, ProofError, empty_root, node_hash};

/// The roots of the full subtrees of a tree.
pub trait Subtrees {
    /// Why a stored hash could not be read.
    type Error: From<ProofError>;
    /// Root of the full subtree with this index on this level.
    fn subtree(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Root over the first `size` leaves.
pub fn root<S: Subtrees>(store: &S, size: u64) -> Result<Hash, S::Error> {
    if size == 0 { Ok(empty_root()) } else { range_root(store, 0, size) }
}

/// The hashes from leaf `index` upwards to the root of the tree of `size` leaves (RFC 6962 2.1.1).
pub fn inclusion_proof<S: Subtrees>(store: &S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    if index >= size {
        return Err(ProofError::IndexOutsideTree.into());
    }
    let (mut from, mut to, mut proof) = (0, size, Vec::new());
    while let Some(middle) = split(from, to) {
        if index < middle {
            proof.push(range_root(store, middle, to)?);
            to = middle;
        } else {
            proof.push(range_root(store, from, middle)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show that the tree of `old` leaves is a prefix of the one of `size` leaves (RFC 6962 2.1.2).
pub fn consistency_proof<S: Subtrees>(store: &S, old: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    if old == 0 || old > size {
        return Err(ProofError::SizesDoNotGrow.into());
    }
    let (mut from, mut to, mut proof) = (0, size, Vec::new());
    while let Some(middle) = split(from, to).filter(|_| old != to) {
        if old <= middle {
            proof.push(range_root(store, middle, to)?);
            to = middle;
        } else {
            proof.push(range_root(store, from, middle)?);
            from = middle;
        }
    }
    // The old tree itself needs no hash where it is one full subtree that the checker knows.
    if from != 0 {
        proof.push(range_root(store, from, to)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The compact range of the first `size` leaves.
pub fn compact_range<S: Subtrees>(store: &S, size: u64) -> Result<CompactRange, S::Error> {
    let (mut hashes, mut from) = (Vec::new(), 0u64);
    for level in (0..u64::BITS).rev() {
        let Some(leaves) = 1u64.checked_shl(level).filter(|leaves| size & leaves != 0) else { continue };
        hashes.push(store.subtree(level, from.checked_shr(level).unwrap_or(0))?);
        from = from.saturating_add(leaves);
    }
    Ok(CompactRange::new(size, hashes)?)
}

/// Root over the leaves `[from, to)`, where the range is one that splitting makes.
fn range_root<S: Subtrees>(store: &S, from: u64, to: u64) -> Result<Hash, S::Error> {
    let n = to.saturating_sub(from);
    if n.is_power_of_two() {
        let level = n.trailing_zeros();
        return store.subtree(level, from.checked_shr(level).unwrap_or(0));
    }
    let middle = split(from, to).ok_or(ProofError::IndexOutsideTree)?;
    Ok(node_hash(&range_root(store, from, middle)?, &range_root(store, middle, to)?))
}

/// Where `[from, to)` splits: after the largest power of two of leaves that leaves some; none for one leaf.
fn split(from: u64, to: u64) -> Option<u64> {
    let last = to.checked_sub(from)?.checked_sub(2)?.checked_add(1)?;
    from.checked_add(1u64.checked_shl(last.checked_ilog2()?)?)
}

/// All full subtrees of a tree in memory: about 64 bytes a leaf.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    levels: Vec<Vec<Hash>>,
}

impl MemoryTree {
    /// A tree over these leaf hashes.
    pub fn of(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut tree = Self::default();
        for leaf in leaves {
            tree.append(leaf);
        }
        tree
    }

    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| u64::try_from(leaves.len()).unwrap_or(u64::MAX))
    }

    /// Puts one more leaf at the end.
    pub fn append(&mut self, leaf: Hash) {
        let mut completed = Some(leaf);
        for level in &mut self.levels {
            let Some(hash) = completed else { return };
            level.push(hash);
            completed = match level.as_slice() {
                [.., left, right] if level.len().is_multiple_of(2) => Some(node_hash(left, right)),
                _ => None,
            };
        }
        if let Some(hash) = completed {
            self.levels.push(vec![hash]);
        }
    }
}

impl Subtrees for MemoryTree {
    type Error = ProofError;
    fn subtree(&self, level: u32, index: u64) -> Result<Hash, ProofError> {
        let level = usize::try_from(level).ok().and_then(|level| self.levels.get(level));
        let hash = usize::try_from(index).ok().and_then(|index| level?.get(index));
        hash.copied().ok_or(ProofError::IndexOutsideTree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{leaf_hash, verify_consistency, verify_inclusion};
    use proptest::prelude::*;

    /// RFC 6962 2.1 word for word, over a slice: the slow form to compare with.
    fn plain_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [only] => *only,
            _ => {
                let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
                node_hash(&plain_root(left), &plain_root(right))
            }
        }
    }

    proptest! {
        #[test]
        fn every_proof_that_is_made_is_accepted_and_no_neighbour_of_it(n in 1usize..200, i in 0usize..200, m in 1usize..200) {
            let leaves: Vec<Hash> = (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect();
            let tree = MemoryTree::of(leaves.iter().copied());
            let (i, m) = (i % n, m % n + 1);
            let (index, size, old) = (i as u64, n as u64, m as u64);
            let top = root(&tree, size).unwrap();
            prop_assert_eq!(top, plain_root(&leaves));
            prop_assert_eq!(root(&tree, old).unwrap(), plain_root(&leaves[..m]));
            let range = CompactRange::of(&leaves).unwrap();
            prop_assert_eq!(range.root(), top);
            prop_assert_eq!(&compact_range(&tree, size).unwrap(), &range);

            let proof = inclusion_proof(&tree, index, size).unwrap();
            prop_assert_eq!(verify_inclusion(&leaves[i], index, size, &proof, &top), Ok(()));
            prop_assert!(verify_inclusion(&leaf_hash(b"other"), index, size, &proof, &top).is_err());
            let mut longer = proof.clone();
            longer.push(top);
            prop_assert!(verify_inclusion(&leaves[i], index, size, &longer, &top).is_err());
            if let Some((_, shorter)) = proof.split_last() {
                prop_assert!(verify_inclusion(&leaves[i], index, size, shorter, &top).is_err());
            }

            let proof = consistency_proof(&tree, old, size).unwrap();
            let old_root = plain_root(&leaves[..m]);
            prop_assert_eq!(verify_consistency(old, size, &proof, &old_root, &top), Ok(()));
            prop_assert!(verify_consistency(old, size, &proof, &leaf_hash(b"other"), &top).is_err());
            prop_assert!(verify_consistency(old, size, &proof, &old_root, &leaf_hash(b"other")).is_err());
        }
    }
}
