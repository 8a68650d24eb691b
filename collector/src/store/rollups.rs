//! Roll-ups in the store: packed, because their rows are alike.

use std::io::Read as _;

use super::{Store, StoreError, leaf_key};
use crate::rollup::{Cover, Rollup};

/// No roll-up of some thousand entries is larger.
const BYTES_MAX: u64 = 256 << 20;

impl Store {
    /// What the roll-ups cover, in the order of the log.
    pub fn covers(&self) -> Result<Vec<Cover>, StoreError> {
        self.prefix(b"Q").map(|item| Ok(serde_json::from_slice(&item?.1)?)).collect()
    }

    /// The roll-up that begins with a leaf.
    pub fn rollup(&self, first: u64) -> Result<Option<Rollup>, StoreError> {
        let Some(packed) = self.get(leaf_key(b'q', first))? else { return Ok(None) };
        let mut text = Vec::new();
        let unpacked = zstd::stream::Decoder::new(packed.as_ref());
        let unpacked = unpacked.and_then(|unpacked| unpacked.take(BYTES_MAX).read_to_end(&mut text));
        unpacked.map_err(|source| StoreError::File { path: self.path.clone(), source })?;
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// Keeps a roll-up.
    pub fn put_rollup(&self, cover: &Cover, rollup: &Rollup) -> Result<(), StoreError> {
        let packed = zstd::bulk::compress(&serde_json::to_vec(rollup)?, 1);
        let packed = packed.map_err(|source| StoreError::File { path: self.path.clone(), source })?;
        let row = (leaf_key(b'q', cover.first), packed);
        self.put([row, (leaf_key(b'Q', cover.first), serde_json::to_vec(cover)?)].into_iter())
    }

    /// Takes out roll-ups.
    pub fn forget_rollups(&self, is_gone: impl Fn(&Cover) -> bool) -> Result<(), StoreError> {
        for cover in self.covers()?.iter().filter(|cover| is_gone(cover)) {
            self.db.remove(leaf_key(b'Q', cover.first))?;
            self.db.remove(leaf_key(b'q', cover.first))?;
        }
        Ok(())
    }
}
