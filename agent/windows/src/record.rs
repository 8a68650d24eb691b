//! One record of a Windows event log, whatever form it came in.

pub mod json;
pub mod xml;

use ntk_evidence::time::Moment;

/// Longest text of one field that is kept, in bytes; the rest is cut off. A command line has at most 32,767 characters.
pub const FIELD_BYTES_MAX: usize = 64 * 1024;

/// Fields of one record that are kept. The richest event of the security log (4624, version 2) has 27.
pub const FIELDS_MAX: usize = 128;

/// Bit of [`Record::keywords`]: the audited attempt was refused or failed (winmeta.xml, `AuditFailure`).
const AUDIT_FAILURE: u64 = 0x0010_0000_0000_0000;

/// One record. Texts are as they were recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Name of the machine that wrote it, as it calls itself.
    pub computer: String,
    /// Log in which it stands, such as `Security`.
    pub channel: String,
    /// Who wrote it, such as `Microsoft-Windows-Security-Auditing`.
    pub provider: String,
    /// Number of the kind of event, without qualifiers.
    pub event_id: u32,
    /// Version of that kind's fields; later versions only add to them.
    pub version: u8,
    /// EventRecordID: the place in the log. Absent where a forwarder left it out.
    pub record_id: Option<u64>,
    /// When, as the machine claims.
    pub time: Stamp,
    /// Keywords; see [`Record::is_failure`].
    pub keywords: u64,
    /// The account under which the provider wrote it, where the record says so (`System/Security/@UserID`).
    pub user_sid: Option<String>,
    /// Fields of EventData or UserData by name, in order. Fields without a name are called by their place, from `0`.
    fields: Vec<(String, String)>,
}

/// A moment with the precision in which the source gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// The moment.
    pub moment: Moment,
    /// Digits of the second's fraction, 0 to 9.
    pub digits: u8,
}

impl Stamp {
    /// Reads RFC 3339, and the same without a zone, which is taken as UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count().min(9);
        let moment = Moment::parse(text).or_else(|| Moment::parse(&format!("{text}Z")))?;
        Some(Self { moment, digits: u8::try_from(digits).ok()? })
    }

    /// RFC 3339 in UTC.
    pub fn rfc3339(self) -> String {
        self.moment.to_rfc3339(self.digits.into())
    }
}

/// Why something is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Longer than any record that Windows writes (64 KiB as binary XML).
    #[error("the record is longer than {} bytes", xml::XML_BYTES_MAX)]
    TooLong,
    /// Not the form that was promised.
    #[error("the record is not well-formed")]
    Malformed,
    /// A record without computer, event id or time says nothing that could be kept.
    #[error("the record has no `{0}`")]
    Missing(&'static str),
}

impl Record {
    /// Reads the text that `EvtRender` gives with `EvtRenderEventXml`: UTF-8, an `Event` element.
    pub fn from_xml(text: &str) -> Result<Self, RecordError> {
        xml::parse(text)
    }

    /// Reads one line of winlogbeat or nxlog; see [`json`].
    pub fn from_json(line: &[u8]) -> Result<Self, RecordError> {
        json::parse(line)
    }

    /// A field that says something: neither absent, nor empty, nor `-`.
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, text)| text.trim()).filter(|text| !text.is_empty() && *text != "-")
    }

    /// A field as a number: decimal, or hexadecimal after `0x`.
    pub fn number(&self, name: &str) -> Option<u64> {
        number(self.field(name)?)
    }

    /// A field as a logon id other than 0, which stands for none.
    pub fn logon_id(&self, name: &str) -> Option<u64> {
        self.number(name).filter(|id| *id != 0)
    }

    /// Every field by name, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The same record with another text in one field: how tests derive the read of a mailbox from that of another file.
    #[must_use]
    pub fn with_field(mut self, name: &str, text: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Whether the audited attempt was refused or failed.
    pub const fn is_failure(&self) -> bool {
        self.keywords & AUDIT_FAILURE != 0
    }

    /// Whether it is of the security log, or was forwarded from it.
    pub fn is_security(&self) -> bool {
        self.provider.eq_ignore_ascii_case("Microsoft-Windows-Security-Auditing")
            || self.channel.eq_ignore_ascii_case("Security")
    }
}

/// A decimal number, or a hexadecimal one after `0x`.
pub(crate) fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A text that is at most as long as a field may be.
fn bounded(text: &str) -> String {
    let end = (0..=FIELD_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
