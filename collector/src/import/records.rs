//! From the bytes of a file to its records: CSV with a line of column names, JSON lines, or one JSON array. Sans-IO: bytes
//! go in as they come, whole records come out; no more than one record is held.
//!
//! EV-2: any bytes give records or damage; a record beyond [`RECORD_BYTES_MAX`] is damage, and reading goes on behind it.

use serde_json::Value;

use super::NotThis;

/// The largest record, bytes. Microsoft's own limit for a cell is 32,767 characters; an API record seldom passes 100 KiB.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// So long a cell was cut off by whoever wrote the file: the limit of a spreadsheet's cell.
pub const CELL_CHARS_MAX: usize = 32_767;

/// One record, where it stands, and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its line in a CSV file (the first one has the names), or its place in a file of JSON, from 1.
    pub row: u64,
    /// What it holds.
    pub content: Content,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A JSON object.
    Json(Value),
    /// Cells by the names of their columns.
    Cells(Vec<(String, String)>),
    /// What is wrong.
    Damaged(String),
}

/// Cuts one file into records.
#[derive(Debug, Default)]
pub struct Records {
    form: Option<Form>,
    held: Vec<u8>,
    row: u64,
}

#[derive(Debug)]
enum Form {
    /// A JSON value a line.
    Lines { is_skipping: bool },
    /// JSON values one after the other, or in one array.
    Values(Scan),
    /// CSV with these names of columns, once they are read.
    Csv {
        names: Option<Vec<String>>,
        is_quoted: bool,
        scanned: usize,
        is_skipping: bool,
        /// So many bytes of what is held are read line by line: a quote before them was never closed.
        by_line: usize,
    },
}

/// Where a scan for the end of a JSON value stands.
#[derive(Debug, Default)]
struct Scan {
    scanned: usize,
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    is_skipping: bool,
}

impl Records {
    /// Takes in the next bytes: the records that are whole now.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Record>, NotThis> {
        self.held.extend_from_slice(bytes);
        let mut found = Vec::new();
        if self.form.is_none() && !self.begin(false)? {
            return Ok(found);
        }
        self.cut(&mut found, false);
        Ok(found)
    }

    /// The file ends here.
    pub fn finish(mut self) -> Result<Vec<Record>, NotThis> {
        let mut found = Vec::new();
        if self.form.is_none() && !self.begin(true)? {
            return Err(NotThis::Empty);
        }
        self.cut(&mut found, true);
        if let Some(Form::Csv { names: None, .. }) = &self.form {
            return Err(NotThis::Neither(beginning(&self.held)));
        }
        Ok(found)
    }

    /// Names of the columns, of a CSV file whose first line was read.
    pub fn columns(&self) -> Option<&[String]> {
        match &self.form {
            Some(Form::Csv { names, .. }) => names.as_deref(),
            _ => None,
        }
    }

    /// Decides what the file is by its first line; false as long as that cannot be said.
    fn begin(&mut self, is_all: bool) -> Result<bool, NotThis> {
        match self.held.as_slice() {
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => return Err(NotThis::Utf16),
            [b'P', b'K', 3, 4, ..] => return Err(NotThis::Archive),
            held if held.len() < 4 && !is_all => return Ok(false),
            _ => {}
        }
        if self.held.starts_with(&[0xEF, 0xBB, 0xBF]) {
            self.held.drain(..3);
        }
        let Some(first) = self.held.iter().position(|byte| !byte.is_ascii_whitespace()) else {
            // Blank so far: nothing of it counts.
            self.held.clear();
            return Ok(false);
        };
        self.form = Some(match self.held.get(first) {
            Some(b'[') => {
                self.held.drain(..=first);
                Form::Values(Scan::default())
            }
            Some(b'{') => {
                let line = self.held.get(first..).unwrap_or_default();
                let end = line.iter().position(|byte| *byte == b'\n');
                let is_whole = |line: &[u8]| serde_json::from_slice::<Value>(line).is_ok();
                match end {
                    None if !is_all && line.len() <= RECORD_BYTES_MAX => return Ok(false),
                    Some(end) if is_whole(line.get(..end).unwrap_or_default()) => {
                        Form::Lines { is_skipping: false }
                    }
                    _ => Form::Values(Scan::default()),
                }
            }
            _ if self.held.iter().take(4096).any(|byte| *byte == 0) => {
                return Err(NotThis::Neither(beginning(&self.held)));
            }
            _ => Form::Csv { names: None, is_quoted: false, scanned: 0, is_skipping: false, by_line: 0 },
        });
        Ok(true)
    }

    fn cut(&mut self, found: &mut Vec<Record>, is_all: bool) {
        let Self { form: Some(form), held, row } = self else { return };
        loop {
            let is_open = Self::cut_whole(form, held, row, found, is_all);
            if !is_open || !form.gave_up(held) {
                break;
            }
        }
        if is_all && form.is_inside() {
            let what = "the file ends inside a record; what follows its beginning could not be read";
            found.push(Record { row: row.saturating_add(1), content: Content::Damaged(what.to_owned()) });
        }
    }

    /// Takes what is whole; whether what is left is longer than any record.
    fn cut_whole(
        form: &mut Form,
        held: &mut Vec<u8>,
        row: &mut u64,
        found: &mut Vec<Record>,
        is_all: bool,
    ) -> bool {
        let mut from = 0;
        while let Some(end) = form.end(held.get(from..).unwrap_or_default(), is_all) {
            let (record, rest) = held.get(from..).unwrap_or_default().split_at(end.record);
            from = from.saturating_add(end.record).saturating_add(end.behind.min(rest.len()));
            form.take(record, row, found);
        }
        held.drain(..from.min(held.len()));
        if held.len() <= RECORD_BYTES_MAX {
            return false;
        }
        if form.skip() {
            *row = row.saturating_add(1);
            found.push(too_long(*row));
        }
        true
    }
}

/// Where a record ends: its bytes, and those behind it that belong to nothing.
struct End {
    record: usize,
    behind: usize,
}

impl Form {
    /// The end of the first record in what is held.
    fn end(&mut self, held: &[u8], is_all: bool) -> Option<End> {
        let at_end = || (is_all && !held.is_empty()).then_some(End { record: held.len(), behind: 0 });
        match self {
            Self::Lines { .. } => {
                let end = held.iter().position(|byte| *byte == b'\n');
                end.map(|record| End { record, behind: 1 }).or_else(at_end)
            }
            Self::Values(scan) => scan.end(held).or_else(at_end),
            Self::Csv { is_quoted, scanned, by_line, .. } => {
                for (at, byte) in held.iter().enumerate().skip(*scanned) {
                    match byte {
                        b'"' if at >= *by_line => *is_quoted = !*is_quoted,
                        b'\n' if !*is_quoted => {
                            (*scanned, *is_quoted) = (0, false);
                            *by_line = by_line.saturating_sub(at.saturating_add(1));
                            return Some(End { record: at, behind: 1 });
                        }
                        _ => {}
                    }
                }
                *scanned = held.len();
                let end = at_end();
                if end.is_some() {
                    (*scanned, *is_quoted) = (0, false);
                }
                end
            }
        }
    }

    fn take(&mut self, record: &[u8], row: &mut u64, found: &mut Vec<Record>) {
        let was_skipping = match self {
            Self::Lines { is_skipping } | Self::Csv { is_skipping, .. } => std::mem::take(is_skipping),
            // At the end of the file a record may still be open: then its end never came.
            Self::Values(scan) if scan.depth == 0 => std::mem::take(&mut scan.is_skipping),
            Self::Values(scan) => scan.is_skipping,
        };
        let record = match self {
            // What stands between the values of an array.
            Self::Values(_) => {
                record.get(record.iter().take_while(|byte| b", \t\r\n".contains(byte)).count()..)
            }
            Self::Lines { .. } | Self::Csv { .. } => Some(record),
        };
        let record = record.unwrap_or_default();
        let is_blank = record.iter().all(|byte| byte.is_ascii_whitespace() || b",]".contains(byte));
        if was_skipping || is_blank {
            return;
        }
        *row = row.saturating_add(1);
        let content = match self {
            _ if record.len() > RECORD_BYTES_MAX => return found.push(too_long(*row)),
            Self::Lines { .. } | Self::Values(_) => match serde_json::from_slice::<Value>(record) {
                Ok(value) if value.is_object() => Content::Json(value),
                Ok(_) => Content::Damaged("it is JSON and no object".to_owned()),
                Err(error) => Content::Damaged(format!("it is no JSON: {error}")),
            },
            Self::Csv { names, .. } => {
                let cells = match cells(record) {
                    Ok(cells) => cells,
                    Err(what) => return found.push(Record { row: *row, content: Content::Damaged(what) }),
                };
                match names {
                    None => {
                        *names = Some(cells.iter().map(|name| name.trim().to_owned()).collect());
                        return;
                    }
                    Some(names) if names.len() != cells.len() => Content::Damaged(format!(
                        "it has {} cells where the first line names {} columns",
                        cells.len(),
                        names.len()
                    )),
                    Some(names) => Content::Cells(names.iter().cloned().zip(cells).collect()),
                }
            }
        };
        found.push(Record { row: *row, content });
    }

    /// Whether a record was given up and its end never came.
    fn is_inside(&self) -> bool {
        matches!(self, Self::Values(Scan { depth: 1.., is_skipping: true, .. }))
    }

    /// Gives up the record that is being read; whether it was not given up before.
    fn skip(&mut self) -> bool {
        let is_skipping = match self {
            Self::Lines { is_skipping } | Self::Csv { is_skipping, .. } => is_skipping,
            Self::Values(scan) => &mut scan.is_skipping,
        };
        !std::mem::replace(is_skipping, true)
    }

    /// Lets go of what is held of a record that was given up; whether something is left that may hold others.
    ///
    /// In CSV a quote that was never closed has swallowed the lines after its own: they are read again line by line.
    fn gave_up(&mut self, held: &mut Vec<u8>) -> bool {
        let kept = match self {
            Self::Lines { .. } => 0,
            Self::Values(scan) => {
                scan.scanned = 0;
                0
            }
            Self::Csv { is_quoted, scanned, is_skipping, by_line, .. } => {
                let line = held.iter().position(|byte| *byte == b'\n');
                let kept = line.map_or(0, |end| held.len().saturating_sub(end.saturating_add(1)));
                (*scanned, *is_quoted, *by_line) = (0, false, kept);
                *is_skipping = line.is_none();
                kept
            }
        };
        held.drain(..held.len().saturating_sub(kept));
        kept > 0
    }
}

impl Scan {
    fn end(&mut self, held: &[u8]) -> Option<End> {
        for (at, byte) in held.iter().enumerate().skip(self.scanned) {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_text => self.is_escaped = true,
                b'"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.scanned = 0;
                        let after = held.get(at.saturating_add(1)..).unwrap_or_default();
                        let behind = after.iter().take_while(|byte| b", \t\r\n".contains(byte)).count();
                        return Some(End { record: at.saturating_add(1), behind });
                    }
                }
                _ => {}
            }
        }
        self.scanned = held.len();
        None
    }
}

fn too_long(row: u64) -> Record {
    Record { row, content: Content::Damaged(format!("it is longer than {} KiB", RECORD_BYTES_MAX >> 10)) }
}

fn cells(record: &[u8]) -> Result<Vec<String>, String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record);
    let row = reader.records().next().ok_or("it is empty")?;
    row.map(|row| row.iter().map(str::to_owned).collect()).map_err(|error| format!("it is no CSV: {error}"))
}

/// How a file begins, for a sentence.
fn beginning(held: &[u8]) -> String {
    String::from_utf8_lossy(held).chars().filter(|letter| !letter.is_control()).take(24).collect()
}

#[cfg(test)]
mod tests;
