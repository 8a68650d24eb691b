//! Fields of a record: `name=value` pairs, found by scanning. Nothing is allocated until a value is asked for.

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
        .or_else(|| text.windows(6).position(|window| window == b" msg='").map(|at| at.saturating_add(1)));
    if let Some(at) = claims_at {
        let (body, claims) = text.split_at_checked(at)?;
        let claims = claims.strip_prefix(b"msg='")?;
        let end = claims.iter().rposition(|byte| *byte == b'\'')?;
        let (claims, after) = claims.split_at_checked(end)?;
        let enriched =
            after.iter().position(|byte| *byte == 0x1D).and_then(|at| after.get(at.saturating_add(1)..));
        return Some(Parts { body, claims: Some(claims), enriched });
    }
    let (body, enriched) = match text.iter().position(|byte| *byte == 0x1D) {
        Some(at) => (text.get(..at)?, text.get(at.saturating_add(1)..)),
        None => (text, None),
    };
    let quotes = body.iter().filter(|byte| **byte == b'"').count();
    (quotes % 2 == 0).then_some(Parts { body, claims: None, enriched })
}

/// The first value of a name.
pub(super) fn find<'a>(text: &'a [u8], name: &str) -> Option<Value<'a>> {
    Fields { rest: text }.find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.rest = self.rest.trim_ascii_start();
            let end = self.rest.iter().position(|byte| *byte == b'=' || *byte == b' ')?;
            let (name, after) = self.rest.split_at_checked(end)?;
            let Some(after) = after.strip_prefix(b"=") else {
                // A word without a value, as in `op=adding user to group`.
                self.rest = after;
                continue;
            };
            let (value, rest) = match after.strip_prefix(b"\"") {
                Some(quoted) => {
                    let end = quoted.iter().position(|byte| *byte == b'"').unwrap_or(quoted.len());
                    let (value, rest) = quoted.split_at_checked(end)?;
                    (Value::Quoted(value), rest.strip_prefix(b"\"").unwrap_or(rest))
                }
                None => {
                    let end = after.iter().position(|byte| *byte == b' ').unwrap_or(after.len());
                    let (value, rest) = after.split_at_checked(end)?;
                    (Value::Bare(value), rest)
                }
            };
            self.rest = rest;
            return Some((name, value));
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
        self.decoded().map(|bytes| text_of(&bytes)).filter(|text| !text.is_empty() && text != "?")
    }

    /// A bare word such as `success` or `op`, not decoded.
    pub fn word(self) -> &'a [u8] {
        self.bytes()
    }

    /// A decimal number.
    pub fn number(self) -> Option<u64> {
        std::str::from_utf8(self.bytes()).ok()?.parse().ok()
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
        u64::from_str_radix(std::str::from_utf8(self.bytes()).ok()?, 16).ok()
    }
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
    bytes
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)?.wrapping_shl(4) | digit(*low)?),
            _ => None,
        })
        .collect()
}
