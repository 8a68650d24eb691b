//! Which records of imports are entries already: so that one that is imported again is known.

use ntk_evidence::event::Event;
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

/// What an event says, short: two that differ anywhere have different marks.
pub fn content(event: &Event) -> [u8; 16] {
    mark(&serde_json::to_string(event).unwrap_or_default())
}

impl Changes {
    /// A record of a source is this entry.
    pub fn imported(&mut self, source: &str, id: &str, event: &Event) {
        self.sets.push((key(source, id), content(event).to_vec()));
    }
}

impl Store {
    /// What the entry of a source's record says ([`content`]); none where it is no entry yet.
    pub fn imported(&self, source: &str, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.get(key(source, id))?.map(|value| value.to_vec()))
    }
}
