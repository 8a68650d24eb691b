//! Rows of the CERT files; what is wrong in one is told with file, line, and what was expected.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result, anyhow};
use csv::{Reader, StringRecord};
use jiff::civil::DateTime;

/// How their moments are written.
const MOMENT: &str = "%m/%d/%Y %H:%M:%S";

/// The rows of one file.
pub(super) struct Rows {
    path: PathBuf,
    headers: StringRecord,
    reader: Reader<File>,
}

/// One row.
pub(super) struct Row {
    path: PathBuf,
    headers: StringRecord,
    record: StringRecord,
}

impl Rows {
    /// Opens a file with a first line of names.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let what =
            || format!("could not open `{}`; NTK_CERT_DIR must name a folder such as r4.2", path.display());
        let mut reader = Reader::from_path(path).with_context(what)?;
        let headers =
            reader.headers().with_context(|| format!("`{}` has no first line", path.display()))?.clone();
        Ok(Self { path: path.to_owned(), headers, reader })
    }

    /// The next row.
    pub(super) fn next(&mut self) -> Result<Option<Row>> {
        let mut record = StringRecord::new();
        let what = || {
            format!(
                "`{}` is no table of the CERT files; take the file as it was published",
                self.path.display()
            )
        };
        if !self.reader.read_record(&mut record).with_context(what)? {
            return Ok(None);
        }
        Ok(Some(Row { path: self.path.clone(), headers: self.headers.clone(), record }))
    }
}

impl Row {
    /// A field by its column's name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let column = self.headers.iter().position(|header| header == name)?;
        self.record.get(column)
    }

    /// A field that has to be there.
    pub(super) fn field(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| {
            anyhow!("{}: the column `{name}` is missing; take the file as it was published", self.place())
        })
    }

    /// A moment that has to be there.
    pub(super) fn moment(&self, name: &str) -> Result<DateTime> {
        let text = self.field(name)?;
        DateTime::strptime(MOMENT, text).map_err(|_| self.fault(name, text, "MM/DD/YYYY HH:MM:SS"))
    }

    /// What is wrong with a field.
    pub(super) fn fault(&self, name: &str, text: &str, expected: &str) -> Error {
        let text: String = text.chars().take(60).collect();
        anyhow!("{}: {name}: `{text}` should be {expected}; take the file as it was published", self.place())
    }

    fn place(&self) -> String {
        let line = self.record.position().map_or(0, csv::Position::line);
        format!("`{}`, line {line}", self.path.display())
    }
}
