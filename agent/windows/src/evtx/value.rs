//! One value of binary XML (MS-EVEN6 2.2.12 to 2.2.18) to the text that Windows writes for it.
//!
//! # What it does not know
//! - The code page of the machine: ANSI strings, which hardly any provider writes, are read as Windows-1252.
//! - Handles and texts of types that stand in no log known to us. A record that shows one is told as not readable.

use std::fmt::Write;

pub(super) const NULL: u8 = 0;
pub(super) const STRING: u8 = 1;
const ANSI_STRING: u8 = 2;
const BINARY: u8 = 14;
const SID: u8 = 19;
/// Binary XML within a value.
pub(super) const BIN_XML: u8 = 33;
/// Bit of a type: an array of what the rest says.
const ARRAY: u8 = 0x80;

/// 100-nanosecond steps of a FILETIME in a second and in a day.
const STEPS_PER_SECOND: u64 = 10_000_000;
const STEPS_PER_DAY: u64 = 864_000_000_000;

/// A value in a chunk.
#[derive(Clone, Copy)]
pub(super) struct Value<'c> {
    pub(super) kind: u8,
    /// Where in the chunk its bytes begin.
    pub(super) at: usize,
    pub(super) bytes: &'c [u8],
}

impl<'c> Value<'c> {
    /// Whether elements that depend on it are left out.
    pub(super) const fn is_null(self) -> bool {
        self.kind == NULL || (self.kind == BIN_XML && self.bytes.is_empty())
    }

    /// Of an array, its items.
    pub(super) fn items(self) -> Option<Vec<Self>> {
        let kind = self.kind & !ARRAY;
        if self.kind == kind {
            return None;
        }
        let split = match kind {
            STRING => strings(self.bytes),
            ANSI_STRING => {
                let whole = self.bytes.strip_suffix(&[0]).unwrap_or(self.bytes);
                if self.bytes.is_empty() { Vec::new() } else { whole.split(|byte| *byte == 0).collect() }
            }
            SID => sids(self.bytes)?,
            _ => {
                let chunks = self.bytes.chunks_exact(width(kind)?);
                if !chunks.remainder().is_empty() {
                    return None;
                }
                chunks.collect()
            }
        };
        // Only binary XML asks where it stands, and there are no arrays of it.
        Some(split.into_iter().map(|bytes| Self { kind, at: self.at, bytes }).collect())
    }

    /// The text of a value that is neither an array nor binary XML. What takes no bytes has none.
    pub(super) fn text(self) -> Option<String> {
        if self.bytes.is_empty() {
            return Some(String::new());
        }
        let bytes = self.bytes;
        Some(match self.kind {
            NULL => String::new(),
            STRING => utf16(bytes),
            ANSI_STRING => bytes.iter().filter(|byte| **byte != 0).map(|byte| windows_1252(*byte)).collect(),
            3 => i8::from_le_bytes(first(bytes)?).to_string(),
            4 => u8::from_le_bytes(first(bytes)?).to_string(),
            5 => i16::from_le_bytes(first(bytes)?).to_string(),
            6 => u16::from_le_bytes(first(bytes)?).to_string(),
            7 => i32::from_le_bytes(first(bytes)?).to_string(),
            8 => u32::from_le_bytes(first(bytes)?).to_string(),
            9 => i64::from_le_bytes(first(bytes)?).to_string(),
            10 => u64::from_le_bytes(first(bytes)?).to_string(),
            11 => format!("{:?}", f32::from_le_bytes(first(bytes)?)),
            12 => format!("{:?}", f64::from_le_bytes(first(bytes)?)),
            // Some providers keep masks in a bool: nothing of those may be lost.
            13 => match i32::from_le_bytes(first(bytes)?) {
                0 => "false".to_owned(),
                1 => "true".to_owned(),
                other => other.to_string(),
            },
            BINARY => hex(bytes),
            15 => guid(first(bytes)?),
            // A size is as wide as the pointers of the machine.
            16 if bytes.len() < 8 => format!("{:#x}", u32::from_le_bytes(first(bytes)?)),
            16 | 21 => format!("{:#x}", u64::from_le_bytes(first(bytes)?)),
            17 => file_time(u64::from_le_bytes(first(bytes)?)),
            18 => system_time(first(bytes)?),
            SID => sid(bytes)?,
            20 => format!("{:#x}", u32::from_le_bytes(first(bytes)?)),
            _ => return None,
        })
    }
}

/// Bytes of a value whose length its type says.
pub(super) const fn width(kind: u8) -> Option<usize> {
    Some(match kind {
        3 | 4 => 1,
        5 | 6 => 2,
        7 | 8 | 11 | 13 | 20 => 4,
        9 | 10 | 12 | 17 | 21 => 8,
        15 | 18 => 16,
        _ => return None,
    })
}

fn first<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.first_chunk().copied()
}

/// UTF-16 up to the first NUL. Half characters become U+FFFD.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let (units, _) = bytes.as_chunks();
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit)).take_while(|unit| *unit != 0);
    char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// UTF-16 strings, each with a NUL after it; the last one may lack it.
fn strings(bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (units, _) = rest.as_chunks::<2>();
        let n_units = units.iter().take_while(|unit| **unit != [0, 0]).count();
        let (string, after) = rest.split_at(n_units.saturating_mul(2).min(rest.len()));
        found.push(string);
        rest = after.get(2..).unwrap_or_default();
    }
    found
}

fn sids(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let n_bytes = usize::from(*rest.get(1)?).saturating_mul(4).saturating_add(8);
        let (sid, after) = rest.split_at_checked(n_bytes)?;
        found.push(sid);
        rest = after;
    }
    Some(found)
}

/// The characters in which Windows-1252 differs from Unicode; 0 is none of them.
fn windows_1252(byte: u8) -> char {
    const FROM_128: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    let place = byte.checked_sub(128).map(usize::from);
    place.and_then(|place| FROM_128.get(place)).copied().unwrap_or_else(|| char::from(byte))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// The first three parts are numbers, the last two are bytes in their order.
fn guid(bytes: [u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, tail @ ..] = bytes;
    let number = u32::from_le_bytes([a, b, c, d]);
    let tail = hex(&tail).to_ascii_lowercase();
    let (clock, node) = tail.split_at_checked(4).unwrap_or_default();
    format!(
        "{{{number:08x}-{:04x}-{:04x}-{clock}-{node}}}",
        u16::from_le_bytes([e, f]),
        u16::from_le_bytes([g, h])
    )
}

/// As MS-DTYP 2.4.2.1 writes it.
fn sid(bytes: &[u8]) -> Option<String> {
    let [revision, n_parts, a, b, c, d, e, f, parts @ ..] = bytes else { return None };
    let authority = u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f]);
    let mut text = format!("S-{revision}-");
    let _ =
        if authority >> 32 == 0 { write!(text, "{authority}") } else { write!(text, "{authority:#014x}") };
    let (parts, _) = parts.as_chunks();
    for part in parts.get(..usize::from(*n_parts))? {
        let _ = write!(text, "-{}", u32::from_le_bytes(*part));
    }
    Some(text)
}

/// A FILETIME as Windows writes it: years beyond 9999 keep their last four digits, negative ones are all zeros.
fn file_time(steps: u64) -> String {
    if i64::try_from(steps).is_err() {
        return date_time([0; 6], 0);
    }
    let [year, month, day] = date(steps / STEPS_PER_DAY);
    let seconds = steps % STEPS_PER_DAY / STEPS_PER_SECOND;
    date_time([year, month, day, seconds / 3_600, seconds / 60 % 60, seconds % 60], steps % STEPS_PER_SECOND)
}

/// A SYSTEMTIME as Windows writes it: one that is none is the beginning of its calendar.
fn system_time(bytes: [u8; 16]) -> String {
    let (fields, _) = bytes.as_chunks();
    let mut fields = fields.iter().map(|field| u64::from(u16::from_le_bytes(*field)));
    let mut next = || fields.next().unwrap_or_default();
    let [year, month, _day_of_week, day, hour, minute, second, millis] = std::array::from_fn(|_| next());
    let is_time = (1601..=30_827).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && millis < 1000;
    if is_time {
        date_time([year, month, day, hour, minute, second], millis.saturating_mul(10_000))
    } else {
        date_time([1601, 1, 1, 0, 0, 0], 0)
    }
}

fn date_time([year, month, day, hour, minute, second]: [u64; 6], steps: u64) -> String {
    let year = year % 10_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{steps:07}Z")
}

const fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The Gregorian date so many days after 1601-01-01: a span of 400 years is the same as every other.
fn date(days: u64) -> [u64; 3] {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let mut year = (days / DAYS_IN_400_YEARS).saturating_mul(400).saturating_add(1601);
    let mut left = days % DAYS_IN_400_YEARS;
    let mut month = 1;
    // At most 4800 months.
    loop {
        let n_days = days_in_month(year, month);
        if left < n_days {
            return [year, month, left.saturating_add(1)];
        }
        left = left.saturating_sub(n_days);
        (year, month) =
            if month == 12 { (year.saturating_add(1), 1) } else { (year, month.saturating_add(1)) };
    }
}

#[cfg(test)]
mod tests;
