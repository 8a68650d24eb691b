//! Rows: one entry a line, shown in whole, shown in part, or withheld behind its leaf hash.
//!
//! A shown part gives its salt and text, a withheld part its commitment, a withheld entry its leaf hash. So
//! whoever has all rows of a range can compute its root, whatever is withheld. Nothing else may stand in a row.

use serde::{Deserialize, Serialize};

use crate::entry::{BatchKey, Entry, EntryError, PART_BYTES_MAX, Part, commitment, leaf_of, read_event};
use crate::event::Event;
use crate::hash::{Hash, hex, unhex};

/// Whether a disclosed row shows the paths, also those that stand in a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paths {
    /// Shown like the rest.
    Shown,
    /// Only the commitments are given: a patient's name may stand in a path, and a path in a command line.
    Withheld,
}

/// One entry of an author's log in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRow", into = "RawRow")]
pub struct Row {
    number: u64,
    shown: Shown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    Leaf(Hash),
    Parts(Box<[RowPart; 3]>),
}

/// One of the three parts of a disclosed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowPart {
    /// The part's text and the salt of its commitment.
    Text {
        /// Salt of the commitment.
        salt: [u8; 16],
        /// The frozen text.
        text: String,
    },
    /// The part's commitment.
    Withheld(Hash),
}

/// A row is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Neither or both of `leaf` and `parts`.
    #[error("a row has either `leaf` or three `parts`")]
    Form,
    /// Neither or both of a text with its salt and a commitment.
    #[error("a part has either `salt` (32 hex digits) and `text`, or `commitment`")]
    Part,
    /// A text is larger than an entry's part can be.
    #[error("a part is larger than 1 MiB")]
    TooLarge,
}

impl RowPart {
    /// The commitment to this part.
    pub fn commitment(&self) -> Hash {
        match self {
            Self::Text { salt, text } => commitment(salt, text),
            Self::Withheld(commitment) => *commitment,
        }
    }

    /// The text, where it is shown.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            Self::Withheld(_) => None,
        }
    }
}

impl Row {
    /// Shows an entry; its paths only if they are to be shown.
    pub fn disclosed(number: u64, entry: &Entry, key: &BatchKey, paths: Paths) -> Self {
        let parts = Part::ALL.map(|part| {
            let (salt, text) = (key.salt(number, part), entry.part(part));
            // An absent part needs no black bar: that there was none tells nothing about anyone.
            if part != Part::Core && paths == Paths::Withheld && !text.is_empty() {
                RowPart::Withheld(commitment(&salt, text))
            } else {
                RowPart::Text { salt, text: text.to_owned() }
            }
        });
        Self { number, shown: Shown::Parts(Box::new(parts)) }
    }

    /// Withholds an entry behind its leaf hash.
    pub const fn withheld(number: u64, leaf: Hash) -> Self {
        Self { number, shown: Shown::Leaf(leaf) }
    }

    /// The entry's number in its author's log.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The three parts, where the entry is disclosed.
    pub fn parts(&self) -> Option<&[RowPart; 3]> {
        match &self.shown {
            Shown::Leaf(_) => None,
            Shown::Parts(parts) => Some(parts),
        }
    }

    /// Whether the entry is disclosed, at least in part.
    pub fn is_disclosed(&self) -> bool {
        self.parts().is_some()
    }

    /// The leaf hash that this row leads to.
    pub fn leaf_hash(&self) -> Hash {
        match &self.shown {
            Shown::Leaf(leaf) => *leaf,
            Shown::Parts(parts) => leaf_of(&parts.each_ref().map(RowPart::commitment)),
        }
    }

    /// The event, as far as it is shown; none for a withheld row or a withheld core.
    pub fn event(&self) -> Result<Option<Event>, EntryError> {
        let Some([core, paths, command]) = self.parts() else { return Ok(None) };
        let Some(core) = core.text() else { return Ok(None) };
        read_event(core, paths.text().unwrap_or_default(), command.text().unwrap_or_default()).map(Some)
    }

    /// The row as one line of an entries file, with its line end.
    pub fn line(&self) -> String {
        // Strings and numbers under string keys: writing them cannot fail.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leaf: Option<Hash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts: Option<[RawPart; 3]>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPart {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commitment: Option<Hash>,
}

impl TryFrom<RawRow> for Row {
    type Error = RowError;
    fn try_from(raw: RawRow) -> Result<Self, RowError> {
        let shown = match (raw.leaf, raw.parts) {
            (Some(leaf), None) => Shown::Leaf(leaf),
            (None, Some([core, paths, command])) => {
                Shown::Parts(Box::new([core.try_into()?, paths.try_into()?, command.try_into()?]))
            }
            (None, None) | (Some(_), Some(_)) => return Err(RowError::Form),
        };
        Ok(Self { number: raw.number, shown })
    }
}

impl TryFrom<RawPart> for RowPart {
    type Error = RowError;
    fn try_from(raw: RawPart) -> Result<Self, RowError> {
        match (raw.salt, raw.text, raw.commitment) {
            (Some(_), Some(text), None) if text.len() > PART_BYTES_MAX => Err(RowError::TooLarge),
            (Some(salt), Some(text), None) => {
                let salt = unhex(&salt).and_then(|bytes| bytes.try_into().ok()).ok_or(RowError::Part)?;
                Ok(Self::Text { salt, text })
            }
            (None, None, Some(commitment)) => Ok(Self::Withheld(commitment)),
            _ => Err(RowError::Part),
        }
    }
}

impl From<Row> for RawRow {
    fn from(row: Row) -> Self {
        let (leaf, parts) = match row.shown {
            Shown::Leaf(leaf) => (Some(leaf), None),
            Shown::Parts(parts) => (None, Some(parts.map(RawPart::from))),
        };
        Self { number: row.number, leaf, parts }
    }
}

impl From<RowPart> for RawPart {
    fn from(part: RowPart) -> Self {
        match part {
            RowPart::Text { salt, text } => {
                Self { salt: Some(hex(&salt)), text: Some(text), commitment: None }
            }
            RowPart::Withheld(commitment) => Self { commitment: Some(commitment), ..Self::default() },
        }
    }
}
