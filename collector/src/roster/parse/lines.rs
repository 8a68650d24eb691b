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

/// Key and lines of one block.
pub(super) struct Place {
    key: String,
    line: usize,
    fields: BTreeMap<String, usize>,
}

/// What has to be mended, with the line it is found on.
#[derive(Default)]
pub(super) struct Faults(Vec<(usize, String)>);

impl Faults {
    /// A fault of a whole block.
    pub(super) fn block(&mut self, place: &Place, fault: impl std::fmt::Display) {
        self.0.push((place.line, format!("{} (line {}): {fault}", place.key, place.line)));
    }

    /// A fault of one field; of the block's line where the field is not written.
    pub(super) fn field(&mut self, place: &Place, field: &str, fault: impl std::fmt::Display) {
        let line = place.fields.get(field).copied().unwrap_or(place.line);
        self.0.push((line, format!("{}.{field} (line {line}): {fault}", place.key)));
    }

    /// A fault of the text.
    pub(super) fn text(&mut self, line: usize, key: &str, fault: impl std::fmt::Display) {
        self.0.push((line, format!("{key} (line {line}): {fault}")));
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
        // The library also reads a day out of a date with time: only the plain day is meant here.
        let date = text.parse::<Date>().ok().filter(|_| text.len() == 10);
        if date.is_none() {
            self.field(place, field, format!("`{text}` is not a date; write it as \"2026-11-30\""));
        }
        date
    }

    /// The sentences in the order of the text.
    pub(super) fn into_sentences(mut self) -> Vec<String> {
        self.0.sort_by_key(|(line, _)| *line);
        self.0.into_iter().map(|(_, sentence)| sentence).collect()
    }
}

/// The text as blocks by name.
pub(super) struct Document<'t> {
    text: &'t str,
    blocks: BTreeMap<String, (usize, Spanned<DeValue<'t>>)>,
}

impl<'t> Document<'t> {
    /// Reads the text as TOML.
    pub(super) fn read(text: &'t str) -> Result<Self, toml::de::Error> {
        let table = DeTable::parse(text).map_err(|mut error| {
            error.set_input(Some(text));
            error
        })?;
        let blocks = table.into_inner().into_iter().map(|(key, value)| {
            let line = line_at(text, key.span().start);
            (key.into_inner().into_owned(), (line, value))
        });
        Ok(Self { text, blocks: blocks.collect() })
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
            let place = self.place(format!("{name}[{position}]"), &entry);
            match T::deserialize(ValueDeserializer::from(entry)) {
                Ok(raw) => taken.push(Block { raw, place }),
                Err(error) => {
                    // A missing field has the whole block for its span, an unknown one its own line.
                    let line = error.span().map_or(place.line, |span| line_at(self.text, span.start));
                    let said = error.message().trim().replace('\n', "; ");
                    faults.text(line, &place.key, said);
                }
            }
        }
        taken
    }

    /// What nobody has taken.
    pub(super) fn left(&self) -> impl Iterator<Item = (&str, usize)> {
        self.blocks.iter().map(|(name, (line, _))| (name.as_str(), *line))
    }

    fn place(&self, key: String, entry: &Spanned<DeValue<'_>>) -> Place {
        let line = line_at(self.text, entry.span().start);
        let table = match entry.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        };
        let fields = table
            .into_iter()
            .flatten()
            .map(|(field, _)| (field.get_ref().to_string(), line_at(self.text, field.span().start)));
        Place { key, line, fields: fields.collect() }
    }
}

/// The line of a position, from 1.
fn line_at(text: &str, position: usize) -> usize {
    let before = text.as_bytes().get(..position.min(text.len())).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1)
}
