//! An announced restore: the log was closed at this size and goes on under another key, as the practice key says.
//!
//! ```text
//! restored <RFC 3339> <size> <root, base64> <log's verifier key> <collector's verifier key> <why, one line>
//! ```
//!
//! A copy of the ledger that is put back holds fewer leaves than the log had when it was lost. Whoever remembers more sees a
//! log that was rolled back. The keys that signed the lost leaves are gone with the collector, and no copy has them, so the
//! log goes on under new ones: no key ever signs two trees of one size (LG-1). The practice key lies in the safe; only who
//! opens it can write this line, so an administrator of the collector cannot pass a rollback off as a restore.
//!
//! Lines stand in the order in which they were written. The first size that a line does not cover belongs to the next log.

use std::fmt;

use super::line::{are_in_order, is_reason};
use crate::hash::Hash;
use crate::name::Slug;
use crate::note::{KeyType, VerifierKey};
use crate::time::Moment;

/// The most restores that a trust file names.
pub const RESTORED_MAX: usize = 32;

/// A log that was closed, where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the copy was put back, RFC 3339.
    pub made: String,
    /// Leaves that the copy holds: what the closed log had beyond them is void.
    pub size: u64,
    /// The root at that size.
    pub root: Hash,
    /// The key that signed checkpoints until then.
    pub log: VerifierKey,
    /// The key that signed the collector's acts until then.
    pub collector: VerifierKey,
    /// Why, in one line.
    pub why: String,
}

/// A line that announces no restore; what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an announced restore has no valid {0}")]
pub struct NotRestored(pub &'static str);

impl Restored {
    /// Reads what stands behind `restored `.
    pub fn parse(text: &str, slug: &Slug) -> Result<Self, NotRestored> {
        let mut words = text.splitn(6, ' ');
        let mut word = |name| words.next().ok_or(NotRestored(name));
        let made = word("time")?.to_owned();
        let size = word("size")?;
        let root = Hash::from_base64(word("root")?).map_err(|_| NotRestored("root"))?;
        let mut key = |name, owner: &str| {
            let key = VerifierKey::parse(word(name)?).map_err(|_| NotRestored(name))?;
            let is_right = key.name() == owner && key.key_type() == KeyType::Ed25519;
            is_right.then_some(key).ok_or(NotRestored(name))
        };
        let log = key("log key", &slug.log_origin())?;
        let collector = key("collector key", &format!("{slug}/collector"))?;
        let why = word("reason")?.to_owned();
        let size = size.parse().map_err(|_| NotRestored("size"))?;
        let restored = Self { made, size, root, log, collector, why };
        restored.check()?;
        // One text for one meaning: `007` and `+7` are none of ours.
        if restored.to_string() == text { Ok(restored) } else { Err(NotRestored("form")) }
    }

    /// What it says, for people.
    pub fn sentence(&self) -> String {
        let Self { made, size, why, .. } = self;
        format!(
            "A copy of the log was put back at {made}, as the practice key announces ({why}): the log was closed at {size} batches and goes on under another key. What the lost collector had beyond them is not here, except what machines sent again."
        )
    }

    /// Whether it can be written as a line.
    pub fn check(&self) -> Result<(), NotRestored> {
        if Moment::parse(&self.made).is_none() {
            return Err(NotRestored("time"));
        }
        if self.size == 0 {
            return Err(NotRestored("size"));
        }
        if !is_reason(&self.why) {
            return Err(NotRestored("reason"));
        }
        Ok(())
    }
}

/// Restores stand in the order of their times, and no key comes back: a log that goes on under a key which was closed would
/// be two trees of one size under it.
pub(super) fn follow_each_other(
    restored: &[Restored],
    (made, log, collector): (&str, &VerifierKey, &VerifierKey),
) -> Result<(), NotRestored> {
    if restored.is_empty() {
        return Ok(());
    }
    if restored.len() > RESTORED_MAX {
        return Err(NotRestored("number of lines"));
    }
    let times = restored.iter().map(|closed| closed.made.as_str()).chain([made]);
    if !are_in_order(times) {
        return Err(NotRestored("time"));
    }
    // Bytes are compared: names and ids are derived from them.
    let keys = restored.iter().flat_map(|closed| [&closed.log, &closed.collector]).chain([log, collector]);
    let mut keys: Vec<[u8; 32]> = keys.map(|key| *key.public_bytes()).collect();
    let n_keys = keys.len();
    keys.sort_unstable();
    keys.dedup();
    if keys.len() == n_keys { Ok(()) } else { Err(NotRestored("new key")) }
}

/// The announced restores in sentences; nothing where there is none.
pub fn in_words(restored: &[Restored]) -> String {
    restored.iter().map(Restored::sentence).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { made, size, root, log, collector, why } = self;
        write!(f, "{made} {size} {} {log} {collector} {why}", root.to_base64())
    }
}
