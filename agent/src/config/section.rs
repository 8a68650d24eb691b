//! One table of the configuration: keys are taken out by name and type, what is left over is a fault.

use toml::{Table, Value};

use super::Fault;

/// A table and where it stands, with the faults found so far.
pub(super) struct Section<'a> {
    prefix: String,
    table: Table,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Section<'a> {
    pub(super) fn new(prefix: impl Into<String>, table: Table, faults: &'a mut Vec<Fault>) -> Self {
        Self { prefix: prefix.into(), table, faults }
    }

    pub(super) fn fault(&mut self, key: &str, sentence: impl Into<String>) {
        let key = format!("{}{key}", self.prefix);
        self.faults.push(Fault { key, sentence: sentence.into() });
    }

    /// Runs on a table below this one; an absent table is an empty one.
    pub(super) fn below<T>(&mut self, key: &str, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let table = match self.table.remove(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.fault(key, format!("must be a table: write [{key}] on a line of its own"));
                Table::new()
            }
        };
        let mut section = Section::new(format!("{}{key}.", self.prefix), table, self.faults);
        let value = read(&mut section);
        section.finish();
        value
    }

    /// Runs on each table of a list.
    pub(super) fn each<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&mut Section<'_>) -> Option<T>,
    ) -> Vec<T> {
        let items = match self.table.remove(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.fault(key, format!("must be a list of tables: write [[{key}]] before each"));
                Vec::new()
            }
        };
        let mut values = Vec::new();
        for (place, item) in (1u32..).zip(items) {
            let Value::Table(table) = item else {
                self.fault(&format!("{key}[{place}]"), format!("must be a table: write [[{key}]] before it"));
                continue;
            };
            let mut section = Section::new(format!("{}{key}[{place}].", self.prefix), table, self.faults);
            values.extend(read(&mut section));
            section.finish();
        }
        values
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.table.remove(key)? {
            Value::String(text) if !text.trim().is_empty() => Some(text),
            _ => {
                self.fault(key, "must be a text in quotes that is not empty");
                None
            }
        }
    }

    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(value) = self.table.remove(key) else { return Vec::new() };
        let texts = value.as_array().and_then(|items| {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
        });
        texts.unwrap_or_else(|| {
            self.fault(key, "must be a list of texts, such as [\"a\", \"b\"]");
            Vec::new()
        })
    }

    /// One text, or a list of them.
    pub(super) fn text_or_texts(&mut self, key: &str) -> Vec<String> {
        if self.table.get(key).is_some_and(Value::is_array) {
            return self.texts(key);
        }
        self.text(key).into_iter().collect()
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        match self.table.remove(key) {
            None => default,
            Some(Value::Boolean(flag)) => flag,
            Some(_) => {
                self.fault(key, "must be true or false");
                default
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, key: &str, bounds: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let number = match self.table.remove(key)? {
            Value::Integer(number) => u64::try_from(number).ok().filter(|number| bounds.contains(number)),
            _ => None,
        };
        if number.is_none() {
            self.fault(key, format!("must be a whole number from {} to {}", bounds.start(), bounds.end()));
        }
        number
    }

    /// Reports every key that nobody took.
    pub(super) fn finish(mut self) {
        for key in std::mem::take(&mut self.table).keys() {
            self.fault(key, "there is no such key; remove it, or check its spelling");
        }
    }
}
