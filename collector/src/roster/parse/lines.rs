//! Where things stand in a text: each block with the lines of its fields, each fault with its line.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// One block, read, with its place.
pub(super) struct Block<T> {
    pub(super) raw: T,
    pub(super) place: Place,
}

/// Name and lines of one block.
pub(super) struct Place {
    block: (String, usize),
    line: usize,
    fields: BTreeMap<String, usize>,
}

/// One thing to mend.
#[derive(Debug)]
pub(in crate::roster) struct Fault {
    /// Name of the block's kind, such as `person`.
    pub(in crate::roster) kind: String,
    /// Which of its kind, from 0; none where the fault is of all of them.
    pub(in crate::roster) position: Option<usize>,
    /// The field.
    pub(in crate::roster) field: Option<String>,
    /// The line it is found on, from 1.
    pub(in crate::roster) line: usize,
    /// What is wrong, and what to do.
    pub(in crate::roster) said: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, position, field, line, said } = self;
        write!(f, "{kind}")?;
        if let Some(position) = position {
            write!(f, "[{position}]")?;
        }
        if let Some(field) = field {
            write!(f, ".{field}")?;
        }
        write!(f, " (line {line}): {said}")
    }
}

/// What has to be mended.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// A fault of a whole block.
    pub(super) fn block(&mut self, place: &Place, fault: impl std::fmt::Display) {
        self.block_at(place, place.line, fault);
    }

    fn block_at(&mut self, place: &Place, line: usize, fault: impl std::fmt::Display) {
        let (kind, position) = place.block.clone();
        self.0.push(Fault { kind, position: Some(position), field: None, line, said: fault.to_string() });
    }

    /// A fault of one field; of the block's line where the field is not written.
    pub(super) fn field(&mut self, place: &Place, field: &str, fault: impl std::fmt::Display) {
        let line = place.fields.get(field).copied().unwrap_or(place.line);
        let (kind, position) = place.block.clone();
        let (position, field) = (Some(position), Some(field.to_owned()));
        self.0.push(Fault { kind, position, field, line, said: fault.to_string() });
    }

    /// A fault of a key of the text.
    pub(super) fn text(&mut self, line: usize, key: &str, fault: impl std::fmt::Display) {
        let (kind, said) = (key.to_owned(), fault.to_string());
        self.0.push(Fault { kind, position: None, field: None, line, said });
    }

    /// A text that may not be empty.
    pub(super) fn if_empty(&mut self, place: &Place, fields: &[(&str, &str)]) {
        for (field, text) in fields {
            if text.trim().is_empty() {
                self.field(place, field, "is empty");
            }
        }
    }

    /// A day, where one is written.
    pub(super) fn date(&mut self, place: &Place, field: &str, text: Option<&str>) -> Option<Date> {
        let text = text?;
        let date = text.parse::<Date>().ok();
        if date.is_none() {
            self.field(place, field, format!("`{text}` is not a date; write it as \"2026-11-30\""));
        }
        date
    }

    /// The faults in the order of the text.
    pub(super) fn in_order(mut self) -> Vec<Fault> {
        self.0.sort_by_key(|fault| fault.line);
        self.0
    }
}

/// The text as blocks by name.
pub(super) struct Document<'t> {
    lines: Lines,
    blocks: BTreeMap<String, (usize, Spanned<DeValue<'t>>)>,
}

impl<'t> Document<'t> {
    /// Reads the text as TOML.
    pub(super) fn read(text: &'t str) -> Result<Self, toml::de::Error> {
        let table = DeTable::parse(text).map_err(|mut error| {
            error.set_input(Some(text));
            error
        })?;
        let lines = Lines::of(text);
        let blocks = table.into_inner().into_iter().map(|(key, value)| {
            let line = lines.at(key.span().start);
            (key.into_inner().into_owned(), (line, value))
        });
        Ok(Self { blocks: blocks.collect(), lines })
    }

    /// Takes one list out; each block is read by itself, so that one bad block hides no other.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str, faults: &mut Faults) -> Vec<Block<T>> {
        let Some((line, value)) = self.blocks.remove(name) else { return Vec::new() };
        let DeValue::Array(entries) = value.into_inner() else {
            faults.text(line, name, format!("write [[{name}]] with two brackets, once for each entry"));
            return Vec::new();
        };
        let mut taken = Vec::new();
        for (position, entry) in entries.into_iter().enumerate() {
            let place = self.place((name.to_owned(), position), &entry);
            match T::deserialize(ValueDeserializer::from(entry)) {
                Ok(raw) => taken.push(Block { raw, place }),
                Err(error) => {
                    // A missing field has the whole block for its span, an unknown one its own line.
                    let line = error.span().map_or(place.line, |span| self.lines.at(span.start));
                    let said = error.message().trim().replace('\n', "; ");
                    faults.block_at(&place, line, said);
                }
            }
        }
        taken
    }

    /// What nobody has taken.
    pub(super) fn left(&self) -> impl Iterator<Item = (&str, usize)> {
        self.blocks.iter().map(|(name, (line, _))| (name.as_str(), *line))
    }

    fn place(&self, block: (String, usize), entry: &Spanned<DeValue<'_>>) -> Place {
        let line = self.lines.at(entry.span().start);
        let table = match entry.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        };
        let fields = table
            .into_iter()
            .flatten()
            .map(|(field, _)| (field.get_ref().to_string(), self.lines.at(field.span().start)));
        Place { block, line, fields: fields.collect() }
    }
}

/// Where each line of a text ends: a large roster asks for thousands of lines.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line of a position, from 1.
    fn at(&self, position: usize) -> usize {
        self.0.partition_point(|end| *end < position).saturating_add(1)
    }
}
