//! The Merkle tree of RFC 6962 (2.1, unchanged in RFC 9162): hashes, proofs, compact ranges.
//!
//! leaf = SHA256(0x00 || data), node = SHA256(0x01 || left || right), empty = SHA256(""); a tree of n leaves
//! splits at the largest power of two below n. The checks are the iterative ones of RFC 9162 2.1.3.2 and
//! 2.1.4.2. A [`CompactRange`] holds the roots of the full subtrees of the binary digits of its size, left
//! to right (largest first): enough to append and to compute the root.

use crate::hash::Hash;

/// A proof does not show what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index is not in a tree of that size.
    #[error("the index lies outside the tree")]
    IndexOutsideTree,
    /// The older size is zero or larger than the newer one.
    #[error("the older tree is empty or larger than the newer one")]
    SizesDoNotGrow,
    /// The number of hashes does not fit the sizes.
    #[error("the proof has the wrong number of hashes")]
    WrongLength,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    OtherRoot,
    /// A compact range has a number of hashes that does not fit its size.
    #[error("the compact range has the wrong number of hashes for its size")]
    RangeLength,
    /// The tree would have more than 2^64 - 1 leaves.
    #[error("the tree is full")]
    Full,
}

/// Hash of a leaf's data.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash::of_parts(&[&[0], data])
}

/// Hash of an inner node.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// Root of the tree without leaves.
pub fn empty_root() -> Hash {
    Hash::of(b"")
}

/// Checks that `leaf` stands at `index` in the tree of `size` leaves with this root (RFC 9162 2.1.3.2).
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutsideTree);
    }
    let (mut fnode, mut snode, mut r) = (index, size.saturating_sub(1), *leaf);
    for p in proof {
        if snode == 0 {
            return Err(ProofError::WrongLength);
        }
        if fnode & 1 == 1 || fnode == snode {
            r = node_hash(p, &r);
            while fnode & 1 == 0 && fnode != 0 {
                fnode >>= 1;
                snode >>= 1;
            }
        } else {
            r = node_hash(&r, p);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    if snode != 0 {
        return Err(ProofError::WrongLength);
    }
    if r == *root { Ok(()) } else { Err(ProofError::OtherRoot) }
}

/// Checks that the tree of size `old` is a prefix of the tree of size `new` (RFC 9162 2.1.4.2).
///
/// Size 0 is refused: a witness that remembers nothing starts before this check.
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofError> {
    if old == 0 || old > new {
        return Err(ProofError::SizesDoNotGrow);
    }
    if old == new {
        return match (proof.is_empty(), old_root == new_root) {
            (false, _) => Err(ProofError::WrongLength),
            (true, false) => Err(ProofError::OtherRoot),
            (true, true) => Ok(()),
        };
    }
    let mut hashes = proof.iter();
    let first =
        if old.is_power_of_two() { old_root } else { hashes.next().ok_or(ProofError::WrongLength)? };
    let (mut fnode, mut snode) = (old.saturating_sub(1), new.saturating_sub(1));
    while fnode & 1 == 1 {
        fnode >>= 1;
        snode >>= 1;
    }
    let (mut from_old, mut from_new) = (*first, *first);
    for c in hashes {
        if snode == 0 {
            return Err(ProofError::WrongLength);
        }
        if fnode & 1 == 1 || fnode == snode {
            from_old = node_hash(c, &from_old);
            from_new = node_hash(c, &from_new);
            while fnode & 1 == 0 && fnode != 0 {
                fnode >>= 1;
                snode >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, c);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    if snode != 0 {
        return Err(ProofError::WrongLength);
    }
    if from_old == *old_root && from_new == *new_root { Ok(()) } else { Err(ProofError::OtherRoot) }
}

/// The roots of the full subtrees of a tree, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    hashes: Vec<Hash>,
}

impl CompactRange {
    /// The range of the empty tree.
    pub const fn empty() -> Self {
        Self { size: 0, hashes: Vec::new() }
    }

    /// Takes the roots of the full subtrees of `size`, largest first.
    pub fn new(size: u64, hashes: Vec<Hash>) -> Result<Self, ProofError> {
        if usize::try_from(size.count_ones()) != Ok(hashes.len()) {
            return Err(ProofError::RangeLength);
        }
        Ok(Self { size, hashes })
    }

    /// The range of a tree over these leaf hashes.
    pub fn of(leaves: &[Hash]) -> Result<Self, ProofError> {
        leaves.iter().try_fold(Self::empty(), |mut range, leaf| range.append(*leaf).map(|()| range))
    }

    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the full subtrees, largest first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The full subtrees as (number of leaves, root), largest first.
    pub fn subtrees(&self) -> Vec<(u64, Hash)> {
        let digits = (0..u64::BITS).rev().filter_map(|digit| {
            let leaves = 1u64.checked_shl(digit)?;
            (self.size & leaves != 0).then_some(leaves)
        });
        digits.zip(self.hashes.iter().copied()).collect()
    }

    /// Puts one more leaf at the end.
    pub fn append(&mut self, leaf: Hash) -> Result<(), ProofError> {
        let size = self.size.checked_add(1).ok_or(ProofError::Full)?;
        let mut hash = leaf;
        // Each trailing one of the old size is a full subtree that the new leaf completes.
        for _ in 0..self.size.trailing_ones() {
            let left = self.hashes.pop().ok_or(ProofError::RangeLength)?;
            hash = node_hash(&left, &hash);
        }
        self.hashes.push(hash);
        self.size = size;
        Ok(())
    }

    /// Root of the tree.
    pub fn root(&self) -> Hash {
        let mut from_right = self.hashes.iter().rev();
        let Some(last) = from_right.next() else { return empty_root() };
        from_right.fold(*last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_the_wrong_length_is_refused() {
        let leaf = leaf_hash(b"");
        assert_eq!(CompactRange::new(3, vec![leaf]), Err(ProofError::RangeLength));
        assert_eq!(CompactRange::new(0, vec![leaf]), Err(ProofError::RangeLength));
        assert_eq!(CompactRange::empty().root(), empty_root());
    }
}
