//! Mailbox audit of an Exchange server: `SearchResult.xml` as New-MailboxAuditLogSearch mails it.
//!
//! Each `<Event>` bears in attributes what a record of Microsoft 365 has in fields, so one room reads both
//! ([`super::m365`]). It has no id of its own: its id is the hash of what is taken over. `<SourceItems>` holds subjects; of
//! it nothing is read but how many items there are (PR-2).

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event as Xml};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::records::{Content, Record};
use super::{Found, NotThis, m365};

/// Name of the sensor in events.
pub const SENSOR: &str = "exchange-audit";

/// The largest file, bytes: New-MailboxAuditLogSearch itself stops at 10 MB.
pub const FILE_BYTES_MAX: usize = 64 << 20;

/// Attributes that are taken over, and as which field of a record.
const TAKEN: &[(&str, &str)] = &[
    ("LastAccessed", "CreationTime"),
    ("Operation", "Operation"),
    ("OperationResult", "ResultStatus"),
    ("LogonType", "LogonType"),
    ("MailboxOwnerUPN", "MailboxOwnerUPN"),
    ("MailboxOwnerSid", "MailboxOwnerSid"),
    ("MailboxGuid", "MailboxGuid"),
    ("LogonUserDisplayName", "UserId"),
    ("LogonUserSid", "LogonUserSid"),
    ("ClientInfoString", "ClientInfoString"),
    ("ClientIPAddress", "ClientIPAddress"),
    ("FolderPathName", "FolderPathName"),
];

/// Takes in a whole file: the root element is `SearchResults`, its events come one after the other.
#[derive(Debug, Default)]
pub struct Records {
    held: Vec<u8>,
}

impl Records {
    /// Takes in the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), NotThis> {
        match self.held.as_slice() {
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => return Err(NotThis::Utf16),
            [b'P', b'K', 3, 4, ..] => return Err(NotThis::Archive),
            held if held.len().saturating_add(bytes.len()) > FILE_BYTES_MAX => return Err(NotThis::TooLarge),
            _ => {}
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// The file ends here: its records. What follows a fault in the XML cannot be read, and is one damaged record.
    pub fn finish(self) -> Result<Vec<Record>, NotThis> {
        let text = self.held.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.held);
        if text.iter().all(u8::is_ascii_whitespace) {
            return Err(NotThis::Empty);
        }
        let mut reader = Reader::from_reader(text);
        let (mut found, mut open, mut is_ours) = (Vec::new(), None::<(Map<String, Value>, u64)>, false);
        let mut row = 0_u64;
        loop {
            match reader.read_event() {
                Ok(Xml::Start(tag) | Xml::Empty(tag)) if tag.local_name().as_ref() == b"SearchResults" => {
                    is_ours = true
                }
                Ok(Xml::Empty(tag)) if is_ours && tag.local_name().as_ref() == b"Event" => {
                    row = row.saturating_add(1);
                    found.push(record(row, attributes(&tag), 0));
                }
                Ok(Xml::Start(tag)) if is_ours && tag.local_name().as_ref() == b"Event" => {
                    row = row.saturating_add(1);
                    open = Some((attributes(&tag), 0));
                }
                Ok(Xml::Start(tag) | Xml::Empty(tag)) if tag.local_name().as_ref() == b"Item" => {
                    if let Some((_, items)) = &mut open {
                        *items = items.saturating_add(1);
                    }
                }
                Ok(Xml::End(tag)) if tag.local_name().as_ref() == b"Event" => {
                    found.extend(open.take().map(|(fields, items)| record(row, fields, items)));
                }
                Ok(Xml::Eof) => {
                    if open.is_some() {
                        found.push(damaged(row, "the file ends inside this record"));
                    }
                    break;
                }
                Ok(_) => {}
                Err(_) if !is_ours => break,
                Err(error) => {
                    let what = format!("it is no XML, so what follows could not be read: {error}");
                    found.push(damaged(row.saturating_add(1), &what));
                    break;
                }
            }
        }
        if is_ours { Ok(found) } else { Err(NotThis::NoSearchResults) }
    }
}

/// What a record amounts to.
pub fn read(record: &Record) -> Found {
    let found = match &record.content {
        Content::Json(value) => m365::of_json(value),
        Content::Damaged(what) => return Found::Damaged(what.clone()),
        Content::Cells(_) => return Found::Damaged("it is no record of an Exchange server".to_owned()),
    };
    match found {
        Found::Events(mut events) => {
            for source in events.iter_mut().filter_map(|event| event.source.as_mut()) {
                source.sensor = Some(SENSOR.to_owned());
            }
            Found::Events(events)
        }
        other => other,
    }
}

fn damaged(row: u64, what: &str) -> Record {
    Record { row, content: Content::Damaged(what.to_owned()) }
}

fn attributes(tag: &BytesStart<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    for attribute in tag.attributes().flatten() {
        let name = String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned();
        let Some((_, field)) = TAKEN.iter().find(|(own, _)| *own == name) else { continue };
        if let Ok(text) = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0) {
            fields.insert((*field).to_owned(), Value::from(text.into_owned()));
        }
    }
    fields
}

fn record(row: u64, mut fields: Map<String, Value>, items: u64) -> Record {
    let text = Value::Object(fields.clone()).to_string();
    let id: String =
        Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    fields.insert("Id".to_owned(), Value::from(format!("exchange:{id}")));
    fields.insert("Workload".to_owned(), Value::from("Exchange"));
    if items > 0 {
        fields.insert("OperationCount".to_owned(), Value::from(items));
    }
    if let Some(path) = fields.remove("FolderPathName") {
        fields.insert("Folder".to_owned(), serde_json::json!({"Path": path}));
    }
    Record { row, content: Content::Json(Value::Object(fields)) }
}

#[cfg(test)]
mod tests;
