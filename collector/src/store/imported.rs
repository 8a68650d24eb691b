//! Which records of imports are entries already: so that one that is imported again is known.

use sha2::{Digest as _, Sha256};

use super::{Changes, Store, StoreError};

/// What tells an id from others.
pub fn mark(id: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    let mut mark = [0; 16];
    mark.copy_from_slice(digest.split_at(16).0);
    mark
}

fn key(source: &str, id: &str) -> Vec<u8> {
    [b"i", source.as_bytes(), b"\0", &mark(id)].concat()
}

impl Changes {
    /// A record of a source is an entry.
    pub fn imported(&mut self, source: &str, id: &str) {
        self.sets.push((key(source, id), Vec::new()));
    }
}

impl Store {
    /// Whether a record of a source is an entry.
    pub fn is_imported(&self, source: &str, id: &str) -> Result<bool, StoreError> {
        Ok(self.get(key(source, id))?.is_some())
    }
}
