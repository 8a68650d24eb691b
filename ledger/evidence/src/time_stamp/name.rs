//! The name that an authority gives itself: a distinguished name of RFC 5280 as one line of text.

use super::{Der, EXPLICIT_4, OID, SEQUENCE, SET, TimeStampError, dotted};

/// How many parts of a name are read.
const PARTS_MAX: usize = 16;
/// How many characters of a part are shown.
const PART_CHARS_MAX: usize = 80;

/// Attribute types of X.520 with the short names of RFC 4514.
const SHORT: [(&str, &str); 6] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
];

/// Reads a `GeneralName` that is a directory name: `CN=..., O=...` in the order of the certificate.
pub(super) fn distinguished(name: &[u8]) -> Result<String, TimeStampError> {
    let mut parts = Vec::new();
    let mut sequence = Der(name).inside(EXPLICIT_4)?.inside(SEQUENCE)?;
    while sequence.end().is_err() && parts.len() < PARTS_MAX {
        let mut pair = sequence.inside(SET)?.inside(SEQUENCE)?;
        let kind = dotted(pair.value(OID)?)?;
        let tag = pair.tag().ok_or(TimeStampError::Form("a name has a part without text"))?;
        let text = String::from_utf8_lossy(pair.value(tag)?).into_owned();
        let text: String = text
            .chars()
            .map(|c| if c.is_control() || c == '\u{fffd}' { '?' } else { c })
            .take(PART_CHARS_MAX)
            .collect();
        let short = SHORT.iter().find(|(oid, _)| *oid == kind).map_or(kind.as_str(), |(_, short)| short);
        parts.push(format!("{short}={text}"));
    }
    Ok(parts.join(", "))
}
