//! One audit record: from a line of text or from a netlink message to a value whose fields can be asked for.
//!
//! ```text
//! [node=HOST ]type=NAME|NUMBER|UNKNOWN[NUMBER] msg=audit(SECONDS.MILLIS:SERIAL): name=value ...   text
//! audit(SECONDS.MILLIS:SERIAL): name=value ...                             netlink, type beside it
//! ```
//! A user-space message carries what its sender says inside `msg='...'`. The kernel stamps pid, uid, auid and
//! ses *in front of* it. Both parts are kept apart here: [`Record::field`] reads only the kernel's part,
//! [`Record::claim`] only the sender's, so that a sender can never speak for the kernel. What an auditd in
//! ENRICHED format adds after 0x1D is a third part, [`Record::enriched`].
//!
//! # Invariants
//! - EV-2: any bytes give a [`Record`] or a [`RecordError`], in memory bounded by [`RECORD_BYTES_MAX`].

use std::borrow::Cow;

mod field;
pub mod kind;
mod stamp;

pub use field::{Value, text_of};
pub use stamp::{Stamp, rfc3339};

/// Longest record that is read. The kernel's own bound is 8,970 bytes; auditd adds names to it.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

/// Room that [`RawRecords`] begins with.
const FIRST_BYTES: usize = 4096;

/// Login uid and session that the kernel writes for "none".
pub const UNSET: u32 = u32::MAX;

/// A record as the drain thread took it from the kernel: nothing parsed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawRecord<'a> {
    /// The netlink message type, which is the record type.
    pub kind: u16,
    /// The message without its header: `audit(...): ...`.
    pub payload: &'a [u8],
}

/// Raw records in the order in which they came, in one piece of memory: under load they come by the thousand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawRecords {
    bytes: Vec<u8>,
    ends: Vec<(u16, usize)>,
}

impl RawRecords {
    /// Adds one.
    pub fn push(&mut self, raw: RawRecord<'_>) {
        if self.ends.is_empty() {
            // A few records; under load it grows from here and not from nothing.
            self.bytes.reserve(FIRST_BYTES);
        }
        self.bytes.extend_from_slice(raw.payload);
        self.ends.push((raw.kind, self.bytes.len()));
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = RawRecord<'_>> {
        let mut from = 0;
        self.ends.iter().map(move |(kind, to)| {
            let payload = self.bytes.get(from..*to).unwrap_or_default();
            from = *to;
            RawRecord { kind: *kind, payload }
        })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes that they hold, for bounds on memory.
    pub fn size_bytes(&self) -> usize {
        self.bytes.capacity().saturating_add(self.ends.capacity().saturating_mul(size_of::<(u16, usize)>()))
    }
}

/// Why bytes are not a record. It names no contents: they may be anybody's (PR-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Longer than [`RECORD_BYTES_MAX`].
    #[error("the record is longer than {RECORD_BYTES_MAX} bytes")]
    TooLong,
    /// No `type=`, or a type that no version of audit names.
    #[error("the record names no known type")]
    Type,
    /// No `audit(seconds.millis:serial):` where it belongs.
    #[error("the record has no time and serial number")]
    Stamp,
    /// A quoted value or a `msg='` without its end.
    #[error("the record is cut off inside a value")]
    CutOff,
}

/// One audit record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    node: Option<Box<str>>,
    kind: u16,
    stamp: Stamp,
    body: field::Indexed,
    claims: Option<Box<[u8]>>,
    enriched: Option<Box<[u8]>>,
}

impl Record {
    /// Reads one line of a recording or of auditd's log.
    pub fn from_line(line: &[u8]) -> Result<Self, RecordError> {
        if line.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLong);
        }
        let mut rest = line.trim_ascii();
        let mut node = None;
        if let Some(after) = rest.strip_prefix(b"node=") {
            let (name, after) = split_at_space(after);
            node = Some(text_of(name).into_boxed_str());
            rest = after.trim_ascii_start();
        }
        let rest = rest.strip_prefix(b"type=").ok_or(RecordError::Type)?;
        let (name, rest) = split_at_space(rest);
        let kind = kind::from_word(name).ok_or(RecordError::Type)?;
        let rest = rest.trim_ascii_start().strip_prefix(b"msg=").ok_or(RecordError::Stamp)?;
        Self::from_stamped(node, kind, rest)
    }

    /// Reads one message of the kernel's netlink socket.
    pub fn from_raw(raw: RawRecord<'_>) -> Result<Self, RecordError> {
        if raw.payload.len() > RECORD_BYTES_MAX {
            return Err(RecordError::TooLong);
        }
        let end = raw.payload.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
        Self::from_stamped(None, raw.kind, raw.payload.get(..end).unwrap_or_default())
    }

    fn from_stamped(node: Option<Box<str>>, kind: u16, bytes: &[u8]) -> Result<Self, RecordError> {
        let (stamp, rest) = Stamp::parse(bytes).ok_or(RecordError::Stamp)?;
        let parts = field::split(rest).ok_or(RecordError::CutOff)?;
        Ok(Self {
            node,
            kind,
            stamp,
            body: field::Indexed::new(parts.body),
            claims: parts.claims.map(Into::into),
            enriched: parts.enriched.map(Into::into),
        })
    }

    /// Name of the machine, where the line says one.
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// The record type, one of [`kind`]'s numbers.
    pub fn kind(&self) -> u16 {
        self.kind
    }

    /// Time and serial number; records of one event share it.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Bytes that this record holds, for bounds on memory.
    pub fn size_bytes(&self) -> usize {
        let part = |part: &Option<Box<[u8]>>| part.as_ref().map_or(0, |bytes| bytes.len());
        self.body
            .size_bytes()
            .saturating_add(part(&self.claims))
            .saturating_add(part(&self.enriched))
            .saturating_add(size_of::<Self>())
    }

    /// A field that the kernel wrote. The first one of that name wins.
    pub fn field(&self, name: &str) -> Option<Value<'_>> {
        self.body.find(name)
    }

    /// A field inside `msg='...'`: the sender's word, not the kernel's.
    pub fn claim(&self, name: &str) -> Option<Value<'_>> {
        field::find(self.claims.as_deref()?, name)
    }

    /// A name that auditd looked up and added. Only for records without claims: a sender could write one.
    pub fn enriched(&self, name: &str) -> Option<String> {
        if self.claims.is_some() {
            return None;
        }
        let text = field::find(self.enriched.as_deref()?, name)?.text()?;
        (text != "unset" && !text.starts_with("unknown(")).then_some(text)
    }

    /// A decimal field of the kernel's part.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.number()
    }

    /// A uid, pid or session number of the kernel's part; "unset" is none.
    pub fn id(&self, name: &str) -> Option<u32> {
        self.field(name)?.id()
    }

    /// A hexadecimal field of the kernel's part: `a0`..`a3`, `arch`.
    pub fn hexadecimal(&self, name: &str) -> Option<u64> {
        self.field(name)?.hexadecimal()
    }

    /// A field of the kernel's part that the kernel may have written in hex because of its characters.
    pub fn text(&self, name: &str) -> Option<String> {
        self.field(name)?.text()
    }

    /// The same without a copy where the record holds the text as it is.
    pub fn spelled(&self, name: &str) -> Option<Cow<'_, str>> {
        self.field(name)?.spelled()
    }

    /// The same for a field of the sender's part.
    pub fn claim_text(&self, name: &str) -> Option<String> {
        self.claim(name)?.text()
    }
}

/// Whether a line of a recording is no record at all: empty, a comment, or ausearch's separators.
pub fn is_remark(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.is_empty() || line.starts_with(b"#") || line.starts_with(b"----") || line.starts_with(b"time->")
}

fn split_at_space(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests;
