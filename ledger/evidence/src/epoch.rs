//! Epochs: each of an author's signing keys names the next one in the last entry that it signs.
//!
//! The roll-over is an entry of kind `epoch`, alone in its batch. After it the author's epoch is one higher, under
//! the key that it names, and no batch of the old key is taken any more: whoever steals a key can sign what comes
//! after the theft in its epoch, and nothing once that epoch has ended. An `epoch` entry anywhere else, with
//! another number or with a key of another name is refused by name.

use std::borrow::Cow;

use serde::Deserialize;

use crate::entry::{Entry, EntryError, Part};
use crate::event::{Epoch, Event, Kind};
use crate::name::Author;
use crate::note::{KeyType, VerifierKey};

/// A roll-over is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollOverError {
    /// No number and key, or more than the core part.
    #[error("the roll-over has no number and key, or more than that")]
    Form,
    /// Other entries stand in its batch, before it or after it.
    #[error("the roll-over is not alone in its batch")]
    NotAlone,
    /// Not the number after the current one.
    #[error("the roll-over begins epoch {found} where epoch {expected} is next")]
    Number {
        /// The epoch that is next.
        expected: u64,
        /// The one that the entry names.
        found: u32,
    },
    /// Not a key that could sign this author's log.
    #[error("the roll-over names a key that cannot sign `{0}`")]
    Key(String),
    /// The key of the epoch that ends.
    #[error("the roll-over names the key that it ends")]
    SameKey,
    /// Only agents have epochs.
    #[error("`{0}` has one key and no epochs")]
    NoEpochs(Author),
}

/// The next epoch of an author, as the last entry of the one before names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollOver {
    /// Number of the epoch that begins.
    pub number: u32,
    /// Its key.
    pub key: VerifierKey,
}

impl RollOver {
    /// Reads the roll-over out of an event of the author with this origin.
    pub fn read(event: &Event, origin: &str) -> Result<Self, RollOverError> {
        let Epoch { number, key, .. } = event.epoch.as_deref().ok_or(RollOverError::Form)?;
        let key = VerifierKey::parse(key).map_err(|_| RollOverError::Key(origin.to_owned()))?;
        if key.name() != origin || key.key_type() != KeyType::Ed25519 {
            return Err(RollOverError::Key(origin.to_owned()));
        }
        Ok(Self { number: *number, key })
    }

    /// The entry that an agent signs last in an epoch; `reason` is `start` or `daily`.
    pub fn entry(&self, reason: &str, time: impl Into<String>) -> Result<Entry, EntryError> {
        let mut event = Event::new(Kind::Epoch, time);
        let (number, key, reason) = (self.number, self.key.to_string(), Some(reason.to_owned()));
        event.epoch = Some(Box::new(Epoch { number, key, reason, other: crate::event::OtherFields::new() }));
        Entry::freeze(event)
    }
}

/// Whether an entry is of kind `epoch`, in whatever spelling of JSON.
pub fn is_roll_over(entry: &Entry) -> bool {
    #[derive(Deserialize)]
    struct Core<'a> {
        #[serde(borrow)]
        kind: Cow<'a, str>,
    }
    let core = entry.part(Part::Core);
    // Nearly every entry is told by its text alone; only an escape could hide the word.
    if !core.contains("epoch") && !core.contains("\\u") {
        return false;
    }
    serde_json::from_str::<Core<'_>>(core).is_ok_and(|core| core.kind == "epoch")
}

/// The roll-over that a batch of these entries is, if it is one.
pub(crate) fn of_batch(
    author: &Author,
    origin: &str,
    epoch: u32,
    entries: &[Entry],
) -> Result<Option<RollOver>, RollOverError> {
    if !entries.iter().any(is_roll_over) {
        return Ok(None);
    }
    let [entry] = entries else { return Err(RollOverError::NotAlone) };
    if author.machine().is_none() {
        return Err(RollOverError::NoEpochs(author.clone()));
    }
    let event = entry.event().map_err(|_| RollOverError::Form)?;
    if !entry.part(Part::Paths).is_empty() || !entry.part(Part::Command).is_empty() {
        return Err(RollOverError::Form);
    }
    let next = RollOver::read(&event, origin)?;
    let expected = u64::from(epoch).saturating_add(1);
    if u64::from(next.number) != expected {
        return Err(RollOverError::Number { expected, found: next.number });
    }
    Ok(Some(next))
}
