//! Names: the practice's slug, the origins of its logs, the ids of authors.

use crate::hash::Hash;

/// A name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Only lower-case letters, digits and `-`, 1 to 63 characters.
    #[error(
        "`{0}` is not a name: use 1 to 63 lower-case letters, digits and `-`, beginning with a letter or digit"
    )]
    Word(String),
    /// Not `<word>.<8 hex digits>`.
    #[error("`{0}` is not a practice's slug such as `maple-street.b90014ca`")]
    Slug(String),
    /// Not `agent/<id>`, `collector` or `import/<source>`.
    #[error("`{0}` is not an author such as `agent/ws-01` or `collector`")]
    Author(String),
}

/// Whether a person's text may stand in one line of what is signed: not empty, no space at either end, no control character,
/// and none that turns the direction of writing or cannot be seen, with which it would read as another one.
pub(crate) fn is_plain(text: &str) -> bool {
    let is_seen = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{3164}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    !text.is_empty() && text.trim() == text && text.chars().all(is_seen)
}

fn word(text: &str) -> Result<&str, NameError> {
    let fits = (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
    if fits { Ok(text) } else { Err(NameError::Word(text.to_owned())) }
}

/// A practice's name in logs: a word and the first 8 hex digits of SHA-256 of its public key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slug(String);

impl Slug {
    /// Makes the slug of a practice from a word and its public key.
    pub fn new(chosen: &str, practice_public_key: &[u8; 32]) -> Result<Self, NameError> {
        let digest = Hash::of(practice_public_key).to_hex();
        Ok(Self(format!("{}.{}", word(chosen)?, digest.get(..8).unwrap_or_default())))
    }

    /// Makes a word for a slug from a practice's full name: "Maple Street Family Practice" -> `maple-street-family-practice`.
    pub fn word_from_name(name: &str) -> String {
        let mut out = String::new();
        for c in name.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                out.push(c);
            } else if !out.is_empty() && !out.ends_with('-') {
                out.push('-');
            }
        }
        out.truncate(40);
        let out = out.trim_matches('-');
        if out.is_empty() { "practice".to_owned() } else { out.to_owned() }
    }

    /// Reads a slug.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError::Slug(text.to_owned());
        let (name, digits) = text.rsplit_once('.').ok_or_else(wrong)?;
        word(name).map_err(|_| wrong())?;
        let hex = digits.len() == 8 && digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        if hex { Ok(Self(text.to_owned())) } else { Err(wrong()) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this slug was made from that public key.
    pub fn belongs_to(&self, practice_public_key: &[u8; 32]) -> bool {
        let digest = Hash::of(practice_public_key).to_hex();
        self.0.rsplit_once('.').is_some_and(|(_, digits)| digest.get(..8) == Some(digits))
    }

    /// Origin of the collector log, whose leaves are batch notes.
    pub fn log_origin(&self) -> String {
        format!("{self}/log")
    }

    /// Origin of an author's own log.
    pub fn author_origin(&self, author: &Author) -> String {
        format!("{self}/{author}")
    }

    /// Name of the key that signs bundles.
    pub fn bundle_name(&self) -> String {
        format!("{self}/bundle")
    }

    /// Name of the practice key's signature on trust files and delegations.
    pub fn practice_name(&self) -> String {
        format!("{self}/practice")
    }

    /// Name of a cosigning key.
    pub fn witness_name(&self, id: &str) -> String {
        format!("{self}/witness/{id}")
    }
}

impl std::fmt::Display for Slug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who writes a log of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Author {
    /// One machine's agent: the machine's name, and `.2`, `.3` ... after a re-imaged one was enrolled in its place.
    Agent(String),
    /// The collector: everything that people and the collector itself decide or change.
    Collector,
    /// Records imported from a source that has no agent: its name, and `.2`, `.3` ... after its key was lost.
    Import(String),
}

impl Author {
    /// The agent of a machine.
    pub fn agent(machine: &str) -> Result<Self, NameError> {
        Ok(Self::Agent(word(machine)?.to_owned()))
    }

    /// Reads `agent/<id>`, `collector` or `import/<source>`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match text.split_once('/') {
            None if text == "collector" => Ok(Self::Collector),
            Some(("agent", id)) => Self::generation(id, Self::Agent),
            Some(("import", source)) => Self::generation(source, Self::Import),
            _ => Err(NameError::Author(text.to_owned())),
        }
    }

    /// The author of imports from a source.
    pub fn import(source: &str) -> Result<Self, NameError> {
        Ok(Self::Import(word(source)?.to_owned()))
    }

    /// An author by its id, or one that was enrolled in place of an earlier one.
    fn generation(id: &str, make: impl Fn(String) -> Self) -> Result<Self, NameError> {
        let Some((first, number)) = id.split_once('.') else { return Ok(make(word(id)?.to_owned())) };
        let counts = number.parse::<u32>().is_ok_and(|n| n >= 2 && n.to_string() == number);
        if counts { word(first).map(|_| make(id.to_owned())) } else { Err(NameError::Author(id.to_owned())) }
    }

    /// The author that comes after this one, of the same machine or source: `agent/ws-01` -> `agent/ws-01.2`.
    pub fn successor(&self) -> Option<Self> {
        let (id, make): (_, fn(String) -> Self) = match self {
            Self::Agent(id) => (id, Self::Agent),
            Self::Import(id) => (id, Self::Import),
            Self::Collector => return None,
        };
        let (first, number) = id.split_once('.').unwrap_or((id, "1"));
        let next = number.parse::<u32>().ok()?.checked_add(1)?;
        Some(make(format!("{first}.{next}")))
    }

    /// The machine's name, where the author is an agent; the same for all that were enrolled there.
    pub fn machine(&self) -> Option<&str> {
        match self {
            Self::Agent(id) => Some(id.split_once('.').map_or(id.as_str(), |(machine, _)| machine)),
            Self::Collector | Self::Import(_) => None,
        }
    }

    /// The source of an import; the same for all that were enrolled for it.
    pub fn source(&self) -> Option<&str> {
        match self {
            Self::Import(id) => Some(id.split_once('.').map_or(id.as_str(), |(source, _)| source)),
            Self::Agent(_) | Self::Collector => None,
        }
    }

    /// Where its events happened, in words: the machine, or the service that an import comes from.
    pub fn place(&self) -> &str {
        match self.source() {
            Some("m365") => "Microsoft 365",
            Some("exchange") => "Exchange",
            Some("evtx") => "a copied Windows log",
            Some("ehr-audit") => "the health-record system",
            Some(source) => source,
            None => self.machine().unwrap_or("the collector"),
        }
    }

    /// A name for files: `agent-ws-01`, `collector`.
    pub fn file_stem(&self) -> String {
        self.to_string().replace('/', "-")
    }
}

impl std::fmt::Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Agent(id) => write!(f, "agent/{id}"),
            Self::Collector => f.write_str("collector"),
            Self::Import(source) => write!(f, "import/{source}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_read_back_and_odd_ones_are_refused() {
        for text in ["agent/ws-01", "agent/ws-01.2", "collector", "import/m365", "import/m365.2"] {
            assert_eq!(Author::parse(text).unwrap().to_string(), text);
        }
        let second = Author::agent("ws-01").unwrap().successor().unwrap();
        assert_eq!((second.to_string().as_str(), second.machine()), ("agent/ws-01.2", Some("ws-01")));
        assert_eq!(second.successor().unwrap().to_string(), "agent/ws-01.3");
        let lost = Author::import("m365").unwrap().successor().unwrap();
        assert_eq!(
            (lost.to_string().as_str(), lost.source(), lost.place()),
            ("import/m365.2", Some("m365"), "Microsoft 365")
        );
        assert_eq!(lost.machine(), None);
        for wrong in [
            "import/m365.1",
            "import/.2",
            "agent/a.1",
            "agent/a.02",
            "agent/a.",
            "agent/a.b",
            "agent/.2",
            "agent/a.2.3",
        ] {
            assert!(Author::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "agent/", "agent/../x", "agent/A", "Collector", "agent/a/b", "import/é", "agent/-a"]
        {
            assert!(Author::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_slug_is_tied_to_the_key_and_made_from_any_name() {
        let slug = Slug::new("maple-street", &[1; 32]).unwrap();
        assert!(slug.belongs_to(&[1; 32]) && !slug.belongs_to(&[2; 32]));
        assert_eq!(Slug::parse(slug.as_str()), Ok(slug));
        assert_eq!(Slug::word_from_name("Dr. Žluťoučký & Søn  GmbH"), "dr-lu-ou-k-s-n-gmbh");
        assert_eq!(Slug::word_from_name("医院"), "practice");
        assert!(Slug::parse("maple-street.B90014CA").is_err());
    }
}
