//! Fields of a record: `name=value` pairs, found by scanning once. Nothing is decoded until a value is asked for.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memmem, memrchr};

/// The three parts of a record's text.
pub(super) struct Parts<'a> {
    pub(super) body: &'a [u8],
    pub(super) claims: Option<&'a [u8]>,
    pub(super) enriched: Option<&'a [u8]>,
}

/// Splits into the kernel's part, the sender's (`msg='...'`) and auditd's (after 0x1D).
pub(super) fn split(text: &[u8]) -> Option<Parts<'_>> {
    // The sender may write 0x1D and quotes too: its part ends at the last quote, and only what follows that
    // quote is auditd's.
    let claims_at = text
        .strip_prefix(b"msg='")
        .map(|_| 0)
        // Most records have no such quote at all.
        .or_else(|| {
            memchr(b'\'', text).and_then(|_| memmem::find(text, b" msg='")).map(|at| at.saturating_add(1))
        });
    if let Some(at) = claims_at {
        let (body, claims) = text.split_at_checked(at)?;
        let claims = claims.strip_prefix(b"msg='")?;
        let end = memrchr(b'\'', claims)?;
        let (claims, after) = claims.split_at_checked(end)?;
        let enriched = memchr(0x1D, after).and_then(|at| after.get(at.saturating_add(1)..));
        return Some(Parts { body, claims: Some(claims), enriched });
    }
    let (body, enriched) = match memchr(0x1D, text) {
        Some(at) => (text.get(..at)?, text.get(at.saturating_add(1)..)),
        None => (text, None),
    };
    memchr_iter(b'"', body).count().is_multiple_of(2).then_some(Parts { body, claims: None, enriched })
}

/// The first value of a name.
pub(super) fn find<'a>(text: &'a [u8], name: &str) -> Option<Value<'a>> {
    Fields::of(text).find(|slot| slot.name(text) == name.as_bytes())?.value(text)
}

/// Where one field stands in its part: positions of its name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    name: (u16, u16),
    value: (u16, u16),
    is_quoted: bool,
}

impl Slot {
    fn of(text: &[u8], (from, to): (u16, u16)) -> Option<&[u8]> {
        text.get(usize::from(from)..usize::from(to))
    }

    fn name(self, text: &[u8]) -> &[u8] {
        Self::of(text, self.name).unwrap_or_default()
    }

    fn value(self, text: &[u8]) -> Option<Value<'_>> {
        let bytes = Self::of(text, self.value)?;
        Some(if self.is_quoted { Value::Quoted(bytes) } else { Value::Bare(bytes) })
    }
}

/// A part that is asked for many fields: its text, and where each field stands, found in one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Indexed {
    text: Box<[u8]>,
    slots: Vec<Slot>,
}

impl Indexed {
    pub(super) fn new(text: &[u8]) -> Self {
        // A SYSCALL record, which is the longest, has 26 fields and a key.
        let n_fields = match text.len() {
            0 => 0,
            1..200 => 12,
            _ => 28,
        };
        let mut slots = Vec::with_capacity(n_fields);
        slots.extend(Fields::of(text));
        Self { text: text.into(), slots }
    }

    /// The first value of a name.
    pub(super) fn find(&self, name: &str) -> Option<Value<'_>> {
        let (name, first) = (name.as_bytes(), name.as_bytes().first());
        // Many names are as long as many others: the first letter keeps most of them from being compared.
        let is_it = |slot: &&Slot| {
            let found = slot.name(&self.text);
            found.first() == first && found == name
        };
        self.slots.iter().find(is_it)?.value(&self.text)
    }

    /// Bytes that it holds, for bounds on memory.
    pub(super) fn size_bytes(&self) -> usize {
        self.text.len().saturating_add(self.slots.capacity().saturating_mul(size_of::<Slot>()))
    }
}

/// The fields of a part, in order. A record has less than 65,536 bytes ([`super::RECORD_BYTES_MAX`]), so that 16 bits
/// hold a position; what would lie beyond is none.
struct Fields<'a> {
    n_bytes: usize,
    rest: std::slice::Iter<'a, u8>,
}

impl<'a> Fields<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self { n_bytes: text.len(), rest: text.iter() }
    }

    /// Position of the byte that comes next.
    fn at(&self) -> usize {
        self.n_bytes.saturating_sub(self.rest.len())
    }

    /// Goes past the end of a value; its position.
    fn end(&mut self, mark: u8) -> usize {
        let at = self.at();
        self.rest.position(|byte| *byte == mark).map_or(self.n_bytes, |n| at.saturating_add(n))
    }
}

impl Iterator for Fields<'_> {
    type Item = Slot;

    /// Each byte is looked at once: a sixth of what an event costs was once spent here.
    fn next(&mut self) -> Option<Slot> {
        loop {
            let mut byte = *self.rest.next()?;
            if byte.is_ascii_whitespace() {
                continue;
            }
            let from = self.at().saturating_sub(1);
            while !matches!(byte, b'=' | b' ') {
                byte = *self.rest.next()?;
            }
            if byte == b' ' {
                // A word without a value, as in `op=adding user to group`.
                continue;
            }
            let to = self.at().saturating_sub(1);
            let is_quoted = self.rest.as_slice().first() == Some(&b'"');
            if is_quoted {
                self.rest.next();
            }
            let start = self.at();
            let end = self.end(if is_quoted { b'"' } else { b' ' });
            let place = |from: usize, to: usize| Some((u16::try_from(from).ok()?, u16::try_from(to).ok()?));
            return Some(Slot { name: place(from, to)?, value: place(start, end)?, is_quoted });
        }
    }
}

/// One value as it stands in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Between double quotes: never encoded.
    Quoted(&'a [u8]),
    /// Without quotes: a number, a word, or text in upper-case hex.
    Bare(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The bytes without quotes.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Quoted(bytes) | Self::Bare(bytes) => bytes,
        }
    }

    /// The decoded bytes of a field that the kernel encodes when it must; placeholders are none.
    pub fn decoded(self) -> Option<Vec<u8>> {
        match self {
            Self::Quoted(bytes) => Some(bytes.to_vec()),
            Self::Bare(b"(null)" | b"(none)" | b"?" | b"") => None,
            Self::Bare(bytes) => Some(unhex(bytes).unwrap_or_else(|| bytes.to_vec())),
        }
    }

    /// Decoded text; bytes that are no UTF-8 become `\xNN`. Placeholders are none.
    pub fn text(self) -> Option<String> {
        self.spelled().map(Cow::into_owned)
    }

    /// The same without a copy where the record holds the text as it is.
    pub fn spelled(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Quoted(b"" | b"?") => None,
            Self::Quoted(bytes) => Some(match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => Cow::Owned(text_of(bytes)),
            }),
            Self::Bare(_) => {
                let text = text_of(&self.decoded()?);
                Some(text).filter(|text| !text.is_empty() && text != "?").map(Cow::Owned)
            }
        }
    }

    /// A bare word such as `success` or `op`, not decoded.
    pub fn word(self) -> &'a [u8] {
        self.bytes()
    }

    /// A decimal number.
    pub fn number(self) -> Option<u64> {
        decimal(self.bytes())
    }

    /// A decimal number that may be negative.
    pub fn signed(self) -> Option<i64> {
        std::str::from_utf8(self.bytes()).ok()?.parse().ok()
    }

    /// A uid, pid or session number; `4294967295`, `-1` and `unset` are none.
    pub fn id(self) -> Option<u32> {
        u32::try_from(self.number()?).ok().filter(|id| *id != super::UNSET)
    }

    /// A hexadecimal number without prefix.
    pub fn hexadecimal(self) -> Option<u64> {
        let digits = self.bytes();
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let number = digits
            .iter()
            .try_fold(0_u64, |number, byte| number.checked_mul(16)?.checked_add(digit(byte)?.into()));
        number.filter(|_| !digits.is_empty())
    }
}

/// A number of decimal digits, and nothing else: a record bears a dozen of them, so not by way of text.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'));
    let number = digits
        .iter()
        .try_fold(0_u64, |number, byte| number.checked_mul(10)?.checked_add(digit(byte)?.into()));
    number.filter(|_| !digits.is_empty())
}

/// Text of bytes: UTF-8 as it is, anything else byte by byte as `\xNN`, so that no two names become one.
pub fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Upper case only: the kernel and libaudit write no other, and a bare lower-case word may be a name.
fn unhex(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < 2 || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'A'..=b'F' => Some(byte.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    };
    // Collecting options would grow the text byte by byte.
    let mut text = Vec::with_capacity(bytes.len() / 2);
    for pair in bytes.chunks_exact(2) {
        let [high, low] = pair else { return None };
        text.push(digit(*high)?.wrapping_shl(4) | digit(*low)?);
    }
    Some(text)
}
