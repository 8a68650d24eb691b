//! RFC 3161 time-stamps: the request, and what a response says. The response's own signature is for openssl.
//!
//! A strictly bounded reader of DER: definite lengths of at most four bytes, one way down to the `TSTInfo`, no
//! recursion. What it reads is a claim of whoever wrote the response; `openssl ts -verify` with the authority's
//! certificate says who that was. SHA-256 imprints only.

pub mod bracket;
mod name;
pub mod placed;

use crate::hash::{Hash, hex};
use crate::time::Moment;

/// The most bytes that a response may have.
pub const RESPONSE_BYTES_MAX: usize = 64 << 10;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const GENERALIZED_TIME: u8 = 0x18;
const EXPLICIT_0: u8 = 0xa0;
const EXPLICIT_4: u8 = 0xa4;

/// 2.16.840.1.101.3.4.2.1
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.16.1.4
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];

/// A response is none, or does not answer what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeStampError {
    /// Not the DER that RFC 3161 asks for.
    #[error("this is no time-stamp response: {0}")]
    Form(&'static str),
    /// The authority said no; its status number.
    #[error("the time-stamping authority did not grant it (status {0})")]
    Refused(u8),
    /// Something else was stamped.
    #[error("the time-stamp is over another text")]
    OtherText,
    /// An answer to another request, such as an old one played again.
    #[error("the time-stamp answers another request")]
    OtherRequest,
}

/// What a time-stamp says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeStamp {
    /// SHA-256 of what was stamped.
    pub imprint: Hash,
    /// The authority's time, to the second.
    pub time: Moment,
    /// The authority's policy, dotted.
    pub policy: String,
    /// The authority's number for it, hex.
    pub serial: String,
    /// The authority's name as the response has it, on one line; absent where it has none.
    pub authority: Option<String>,
    /// The request's nonce, without leading zeros.
    nonce: Option<Vec<u8>>,
}

/// The request for a time-stamp over the text with this SHA-256; the answer is to carry certificates.
pub fn request(imprint: &Hash, nonce: &[u8; 8]) -> Vec<u8> {
    let algorithm = tlv(SEQUENCE, &[tlv(OID, SHA256), vec![0x05, 0x00]].concat());
    let imprint = tlv(SEQUENCE, &[algorithm, tlv(OCTETS, imprint.as_bytes())].concat());
    // A positive INTEGER in its shortest form: no leading zeros but the one that keeps it positive.
    let mut number = significant(nonce).to_vec();
    if number.first().is_none_or(|first| *first >= 0x80) {
        number.insert(0, 0);
    }
    let body = [tlv(INTEGER, &[1]), imprint, tlv(INTEGER, &number), tlv(BOOLEAN, &[0xff])];
    tlv(SEQUENCE, &body.concat())
}

impl TimeStamp {
    /// Reads a response (`application/timestamp-reply`) that was granted.
    pub fn parse(response: &[u8]) -> Result<Self, TimeStampError> {
        if response.len() > RESPONSE_BYTES_MAX {
            return Err(TimeStampError::Form("it is too large"));
        }
        let mut outer = Der(response);
        let mut reply = outer.inside(SEQUENCE)?;
        outer.end()?;
        let status = reply.inside(SEQUENCE)?.value(INTEGER)?;
        match status {
            // Granted, or granted with changes that the caller sees in imprint and nonce.
            [0 | 1] => {}
            [other] => return Err(TimeStampError::Refused(*other)),
            _ => return Err(TimeStampError::Form("its status is no small number")),
        }
        let mut token = reply.inside(SEQUENCE)?;
        reply.end()?;
        token.named(SIGNED_DATA)?;
        let mut signed = token.inside(EXPLICIT_0)?.inside(SEQUENCE)?;
        let _version = signed.value(INTEGER)?;
        let _digests = signed.value(SET)?;
        let mut content = signed.inside(SEQUENCE)?;
        content.named(TST_INFO)?;
        let octets = content.inside(EXPLICIT_0)?.value(OCTETS)?;
        let mut wrapped = Der(octets);
        let mut info = wrapped.inside(SEQUENCE)?;
        wrapped.end()?;
        if info.value(INTEGER)? != [1] {
            return Err(TimeStampError::Form("its version is not 1"));
        }
        let policy = dotted(info.value(OID)?)?;
        let mut imprint = info.inside(SEQUENCE)?;
        imprint.inside(SEQUENCE)?.named(SHA256)?;
        let imprint = <[u8; 32]>::try_from(imprint.value(OCTETS)?)
            .map_err(|_| TimeStampError::Form("its imprint has not 32 bytes"))?;
        let serial = hex(info.value(INTEGER)?);
        let time = moment(info.value(GENERALIZED_TIME)?)?;
        let _accuracy = info.optional(SEQUENCE)?;
        let _ordering = info.optional(BOOLEAN)?;
        let nonce = info.optional(INTEGER)?.map(|nonce| significant(nonce).to_vec());
        // Whoever reads a name of another form than a distinguished one asks openssl.
        let authority = info.optional(EXPLICIT_0)?.and_then(|name| name::distinguished(name).ok());
        Ok(Self { imprint: Hash::from_bytes(imprint), time, policy, serial, authority, nonce })
    }

    /// Whether these are the bytes of [`request`] that it answers.
    pub fn was_asked_by(&self, query: &[u8]) -> bool {
        let Some(number) = &self.nonce else { return false };
        let zeros = vec![0; 8usize.saturating_sub(number.len())];
        let nonce: Result<[u8; 8], _> = [zeros.as_slice(), number].concat().try_into();
        nonce.is_ok_and(|nonce| request(&self.imprint, &nonce) == query)
    }

    /// Whether it answers the request for this text with this nonce.
    pub fn answers(&self, imprint: &Hash, nonce: &[u8; 8]) -> Result<(), TimeStampError> {
        if self.imprint != *imprint {
            return Err(TimeStampError::OtherText);
        }
        if self.nonce.as_deref() == Some(significant(nonce)) {
            Ok(())
        } else {
            Err(TimeStampError::OtherRequest)
        }
    }
}

/// The bytes of a number without leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// For values of the request, all shorter than 128 bytes.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    [&[tag, length], value].concat()
}

/// `YYYYMMDDhhmmss[.f]Z`; parts of a second are dropped, which is never later than the truth.
fn moment(text: &[u8]) -> Result<Moment, TimeStampError> {
    let wrong = TimeStampError::Form("its time is not `YYYYMMDDhhmmssZ`");
    let text = std::str::from_utf8(text).map_err(|_| wrong.clone())?;
    let (whole, rest) = text.split_at_checked(14).ok_or_else(|| wrong.clone())?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let fraction = rest.strip_suffix('Z').ok_or_else(|| wrong.clone())?;
    if !is_number(whole) || !(fraction.is_empty() || fraction.strip_prefix('.').is_some_and(is_number)) {
        return Err(wrong);
    }
    let part = |from: usize, to: usize| whole.get(from..to).unwrap_or_default();
    let rfc3339 = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    );
    Moment::parse(&rfc3339).ok_or(wrong)
}

fn dotted(oid: &[u8]) -> Result<String, TimeStampError> {
    let wrong = TimeStampError::Form("its policy is no object identifier");
    let mut numbers: Vec<u64> = Vec::new();
    let (mut number, mut open) = (0u64, false);
    for byte in oid {
        number = number.checked_mul(128).ok_or_else(|| wrong.clone())?;
        number = number.checked_add(u64::from(byte & 0x7f)).ok_or_else(|| wrong.clone())?;
        open = byte & 0x80 != 0;
        if !open {
            if numbers.is_empty() {
                let first = if number < 40 {
                    0
                } else if number < 80 {
                    1
                } else {
                    2u64
                };
                numbers.push(first);
                number = number.saturating_sub(first.saturating_mul(40));
            }
            numbers.push(std::mem::take(&mut number));
        }
    }
    if open || numbers.is_empty() {
        return Err(wrong);
    }
    Ok(numbers.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
}

/// What is left to read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The value of the next element, which has to bear this tag.
    fn value(&mut self, tag: u8) -> Result<&'a [u8], TimeStampError> {
        const CUT: TimeStampError = TimeStampError::Form("it is cut short");
        let (found, rest) = self.0.split_first().ok_or(CUT)?;
        if *found != tag {
            return Err(TimeStampError::Form("an element is not what RFC 3161 has there"));
        }
        let (first, mut rest) = rest.split_first().ok_or(CUT)?;
        let length = match first {
            short @ 0..=0x7f => usize::from(*short),
            long @ 0x81..=0x84 => {
                let (bytes, after) = rest.split_at_checked(usize::from(long & 0x7f)).ok_or(CUT)?;
                rest = after;
                let length = bytes.iter().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
                usize::try_from(length).map_err(|_| CUT)?
            }
            _ => return Err(TimeStampError::Form("a length is not definite")),
        };
        let (value, after) = rest.split_at_checked(length).ok_or(CUT)?;
        self.0 = after;
        Ok(value)
    }

    fn inside(&mut self, tag: u8) -> Result<Self, TimeStampError> {
        self.value(tag).map(Self)
    }

    fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, TimeStampError> {
        if self.tag() == Some(tag) { self.value(tag).map(Some) } else { Ok(None) }
    }

    fn named(&mut self, oid: &[u8]) -> Result<(), TimeStampError> {
        if self.value(OID)? == oid {
            Ok(())
        } else {
            Err(TimeStampError::Form("it is of another type, or not over SHA-256"))
        }
    }

    const fn end(&self) -> Result<(), TimeStampError> {
        if self.0.is_empty() { Ok(()) } else { Err(TimeStampError::Form("something follows it")) }
    }
}

#[cfg(test)]
mod tests;
