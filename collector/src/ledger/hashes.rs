//! The stored roots of all full subtrees of the collector log, for proofs in a few reads.
//!
//! A cache: one flat file of 32-byte hashes a level, `cache/hashes/<level>`. Nothing is synced; at start the
//! root is compared with the last checkpoint, and any difference throws the cache away and fills it again
//! from the segments.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::node_hash;
use ntk_evidence::tree::Subtrees;

use super::LedgerError;
use crate::system;

const HASH_BYTES: u64 = 32;

/// All full subtrees of the collector log on disk.
#[derive(Debug)]
pub struct StoredHashes {
    dir: PathBuf,
    levels: Vec<File>,
    size: u64,
}

impl StoredHashes {
    /// Opens what is there; `size` is the number of leaves that it holds, which may be fewer than the log's.
    pub fn open(dir: &Path) -> Result<Self, LedgerError> {
        let mut store = Self { dir: dir.to_owned(), levels: Vec::new(), size: 0 };
        fs::create_dir_all(dir).map_err(|source| store.error(source))?;
        while store.level_path(store.levels.len()).exists() {
            store.add_level()?;
        }
        let bytes = match store.levels.first() {
            Some(leaves) => leaves.metadata().map_err(|source| store.error(source))?.len(),
            None => 0,
        };
        store.size = bytes / HASH_BYTES;
        Ok(store)
    }

    /// Throws everything away.
    pub fn clear(&mut self) -> Result<(), LedgerError> {
        self.levels.clear();
        self.size = 0;
        fs::remove_dir_all(&self.dir)
            .and_then(|()| fs::create_dir_all(&self.dir))
            .map_err(|source| self.error(source))
    }

    /// How many leaves it holds.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Puts one more leaf at the end.
    pub fn append(&mut self, leaf: Hash) -> Result<(), LedgerError> {
        let mut hash = leaf;
        let mut index = self.size;
        for level in 0.. {
            if level == self.levels.len() {
                self.add_level()?;
            }
            self.write(level, index, &hash)?;
            if index.is_multiple_of(2) {
                break;
            }
            let left = self.read(level, index.saturating_sub(1))?;
            hash = node_hash(&left, &hash);
            index /= 2;
        }
        self.size = self.size.saturating_add(1);
        Ok(())
    }

    fn level_path(&self, level: usize) -> PathBuf {
        self.dir.join(format!("{level:02}"))
    }

    fn add_level(&mut self) -> Result<(), LedgerError> {
        let path = self.level_path(self.levels.len());
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        self.levels.push(file.map_err(|source| LedgerError::Hashes { path, source })?);
        Ok(())
    }

    fn file(&self, level: usize) -> Result<&File, LedgerError> {
        self.levels.get(level).ok_or_else(|| self.error(io::ErrorKind::NotFound.into()))
    }

    fn write(&self, level: usize, index: u64, hash: &Hash) -> Result<(), LedgerError> {
        let at = index.saturating_mul(HASH_BYTES);
        system::write_all_at(self.file(level)?, hash.as_bytes(), at).map_err(|source| self.error(source))
    }

    fn read(&self, level: usize, index: u64) -> Result<Hash, LedgerError> {
        let mut bytes = [0; 32];
        let at = index.saturating_mul(HASH_BYTES);
        system::read_exact_at(self.file(level)?, &mut bytes, at).map_err(|source| self.error(source))?;
        Ok(Hash::from_bytes(bytes))
    }

    fn error(&self, source: io::Error) -> LedgerError {
        LedgerError::Hashes { path: self.dir.clone(), source }
    }
}

impl Subtrees for StoredHashes {
    type Error = LedgerError;
    fn subtree(&self, level: u32, index: u64) -> Result<Hash, LedgerError> {
        self.read(usize::try_from(level).unwrap_or(usize::MAX), index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntk_evidence::merkle::leaf_hash;
    use ntk_evidence::tree::{MemoryTree, root};

    #[test]
    fn the_stored_tree_is_the_tree_in_memory_also_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut memory = MemoryTree::default();
        for n in 0u64..37 {
            let mut stored = StoredHashes::open(dir.path()).unwrap();
            assert_eq!(stored.size(), n);
            stored.append(leaf_hash(&n.to_be_bytes())).unwrap();
            memory.append(leaf_hash(&n.to_be_bytes()));
            assert_eq!(root(&stored, n + 1).unwrap(), root(&memory, n + 1).unwrap());
        }
    }
}
