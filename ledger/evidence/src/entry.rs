//! An entry: one event frozen to three strings, and what commits to them.
//!
//! The three strings are core (the event without paths and command line), paths and command. Leaf data =
//! c0 || c1 || c2 with c_k = SHA256(salt_k || part_k) and salt_k = HMAC-SHA256(batch_key, u64be(number) || k)
//! cut to 16 bytes, k = one byte 0, 1, 2. An absent part is the empty string and is committed to like any
//! other. So a part can be shown, or withheld behind its commitment, without touching the rest; the salt
//! keeps a withheld path from being guessed.
//!
//! INVARIANT EV-1: the strings are made once by [`Entry::freeze`] and carried verbatim ever after.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::event::{Event, Object, Process};
use crate::hash::Hash;
use crate::merkle::leaf_hash;

/// The largest part of an entry, bytes.
pub const PART_BYTES_MAX: usize = 1 << 20;

/// An entry cannot be read as an event.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// A part is larger than [`PART_BYTES_MAX`].
    #[error("the {0} part is larger than 1 MiB")]
    TooLarge(Part),
    /// A part is not UTF-8.
    #[error("the {0} part is not UTF-8")]
    NotUtf8(Part),
    /// A part is not the JSON that it should be.
    #[error("the {part} part is not the JSON of an event")]
    NotJson {
        /// Which part.
        part: Part,
        /// What the JSON reader said.
        source: serde_json::Error,
    },
    /// The core holds a field that belongs to another part.
    #[error("the core part holds `{0}`, which belongs to another part")]
    Misplaced(&'static str),
}

/// One of the three strings of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The event without paths and command line.
    Core,
    /// `{"path":..,"to":..}` or empty.
    Paths,
    /// `{"command":..}` or empty.
    Command,
}

impl Part {
    /// The three parts in the order of their commitments.
    pub const ALL: [Self; 3] = [Self::Core, Self::Paths, Self::Command];

    const fn number(self) -> u8 {
        match self {
            Self::Core => 0,
            Self::Paths => 1,
            Self::Command => 2,
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Core => "core",
            Self::Paths => "paths",
            Self::Command => "command",
        })
    }
}

/// One event as three frozen strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    parts: [String; 3],
}

impl Entry {
    /// Freezes an event. The strings are never made again.
    pub fn freeze(mut event: Event) -> Result<Self, EntryError> {
        let mut paths = Map::new();
        if let Some(object) = &mut event.object {
            let taken = [("path", object.path.take()), ("to", object.to.take())];
            paths.extend(
                taken.into_iter().filter_map(|(key, path)| Some((key.to_owned(), Value::String(path?)))),
            );
            if *object == Object::default() {
                event.object = None;
            }
        }
        let mut command = Map::new();
        if let Some(process) = &mut event.process {
            command.extend(process.command.take().map(|line| ("command".to_owned(), Value::String(line))));
            if *process == Process::default() {
                event.process = None;
            }
        }
        let write = |part, map: Map<String, Value>| match map.is_empty() {
            true => Ok(String::new()),
            false => serde_json::to_string(&map).map_err(|source| EntryError::NotJson { part, source }),
        };
        let core = serde_json::to_string(&event)
            .map_err(|source| EntryError::NotJson { part: Part::Core, source })?;
        Self::from_parts(
            [core, write(Part::Paths, paths)?, write(Part::Command, command)?].map(String::into_bytes),
        )
    }

    /// Takes the three parts as they came over the wire or from disk: UTF-8 within the size bound.
    pub fn from_parts(parts: [Vec<u8>; 3]) -> Result<Self, EntryError> {
        let read = |part: Part, bytes: Vec<u8>| {
            if bytes.len() > PART_BYTES_MAX {
                return Err(EntryError::TooLarge(part));
            }
            String::from_utf8(bytes).map_err(|_| EntryError::NotUtf8(part))
        };
        let [core, paths, command] = parts;
        Ok(Self {
            parts: [read(Part::Core, core)?, read(Part::Paths, paths)?, read(Part::Command, command)?],
        })
    }

    /// The frozen text of a part.
    pub fn part(&self, part: Part) -> &str {
        let [core, paths, command] = &self.parts;
        match part {
            Part::Core => core,
            Part::Paths => paths,
            Part::Command => command,
        }
    }

    /// The three parts as they travel and are stored.
    pub fn into_parts(self) -> [Vec<u8>; 3] {
        self.parts.map(String::into_bytes)
    }

    /// How many bytes the three parts hold.
    pub fn len(&self) -> usize {
        self.parts.iter().map(String::len).fold(0, usize::saturating_add)
    }

    /// Whether all parts are empty; such an entry is no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the event behind the strings, paths and command line in their places.
    pub fn event(&self) -> Result<Event, EntryError> {
        read_event(self.part(Part::Core), self.part(Part::Paths), self.part(Part::Command))
    }
}

/// Reads an event from its parts; an empty paths or command part is an absent one.
pub fn read_event(core: &str, paths: &str, command: &str) -> Result<Event, EntryError> {
    let json = |part| move |source| EntryError::NotJson { part, source };
    let mut event: Event = serde_json::from_str(core).map_err(json(Part::Core))?;
    let inside = |event: &Event, path: fn(&Object) -> &Option<String>| {
        event.object.as_ref().is_some_and(|o| path(o).is_some())
    };
    if inside(&event, |object| &object.path) || inside(&event, |object| &object.to) {
        return Err(EntryError::Misplaced("object.path"));
    }
    if event.process.as_ref().is_some_and(|process| process.command.is_some()) {
        return Err(EntryError::Misplaced("process.command"));
    }
    if !paths.is_empty() {
        #[derive(serde::Deserialize)]
        struct Paths {
            path: Option<String>,
            to: Option<String>,
        }
        let read: Paths = serde_json::from_str(paths).map_err(json(Part::Paths))?;
        let object = event.object.get_or_insert_default();
        (object.path, object.to) = (read.path, read.to);
    }
    if !command.is_empty() {
        #[derive(serde::Deserialize)]
        struct Command {
            command: Option<String>,
        }
        let read: Command = serde_json::from_str(command).map_err(json(Part::Command))?;
        event.process.get_or_insert_default().command = read.command;
    }
    Ok(event)
}

/// The random key of a batch, from which its salts come. Kept in its frame, never in a bundle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BatchKey([u8; 32]);

impl BatchKey {
    /// Takes 32 random bytes.
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The bytes, for the frame.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The salt of one part of the entry with this number in its author's log.
    pub fn salt(&self, number: u64, part: Part) -> [u8; 16] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 16] };
        mac.update(&number.to_be_bytes());
        mac.update(&[part.number()]);
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        let mut salt = [0; 16];
        salt.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        salt
    }

    /// The three commitments of an entry.
    pub fn commitments(&self, number: u64, entry: &Entry) -> [Hash; 3] {
        Part::ALL.map(|part| commitment(&self.salt(number, part), entry.part(part)))
    }

    /// The leaf hash of an entry in its author's log.
    pub fn leaf(&self, number: u64, entry: &Entry) -> Hash {
        leaf_of(&self.commitments(number, entry))
    }
}

impl std::fmt::Debug for BatchKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BatchKey(withheld)")
    }
}

/// c_k = SHA256(salt_k || part_k).
pub fn commitment(salt: &[u8; 16], part: &str) -> Hash {
    Hash::of_parts(&[salt, part.as_bytes()])
}

/// The leaf hash over three commitments.
pub fn leaf_of(commitments: &[Hash; 3]) -> Hash {
    let [c0, c1, c2] = commitments.map(|hash| *hash.as_bytes());
    leaf_hash(&[c0, c1, c2].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Kind;
    use proptest::prelude::*;

    #[test]
    fn an_event_comes_back_from_its_three_strings() {
        let mut event = Event::new(Kind::FileAccess, "2026-11-20T21:02:00.250Z");
        event.object = Some(Object { path: Some("/srv/a \"b\".csv".into()), ..Object::default() });
        event.process = Some(Process { command: Some("cat x".into()), ..Process::default() });
        let entry = Entry::freeze(event.clone()).unwrap();
        assert_eq!(entry.part(Part::Core), r#"{"kind":"file_access","time":"2026-11-20T21:02:00.250Z"}"#);
        assert_eq!(entry.part(Part::Paths), r#"{"path":"/srv/a \"b\".csv"}"#);
        assert_eq!(entry.part(Part::Command), r#"{"command":"cat x"}"#);
        assert_eq!(entry.event().unwrap(), event);
    }

    #[test]
    fn unknown_words_and_fields_are_kept_and_named() {
        let core =
            r#"{"kind":"printed","time":"t","pages":3,"actor":{"badge":"7"},"object":{"class":"fax"}}"#;
        let event = read_event(core, "", "").unwrap();
        assert_eq!(event.unknown(), ["actor.badge", "kind=printed", "object.class=fax", "pages"]);
        assert_eq!(serde_json::to_string(&event).unwrap().len(), core.len());
    }

    #[test]
    fn a_path_in_the_core_is_refused() {
        let core = r#"{"kind":"file_access","time":"t","object":{"path":"/p"}}"#;
        assert!(matches!(read_event(core, "", ""), Err(EntryError::Misplaced("object.path"))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(a in prop::collection::vec(any::<u8>(), 0..99), b in ".{0,50}", c in ".{0,50}") {
            if let Ok(entry) = Entry::from_parts([a, b.into_bytes(), c.into_bytes()]) { let _ = entry.event(); }
        }
    }
}
