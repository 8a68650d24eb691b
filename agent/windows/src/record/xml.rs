//! Records as XML, the form of `EvtRender` and of event viewers: read in one pass, without a tree.
//!
//! Only the elements `System`, `EventData` and `UserData` are looked at. `RenderingInfo`, which holds localised texts,
//! is passed over. Entities other than the five of XML and character references give nothing; a document type is
//! refused, so nothing can be expanded.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::{FIELD_BYTES_MAX, FIELDS_MAX, Record, RecordError, Stamp, bounded, number};

/// Longest text of one record, in bytes. A record has at most 64 KiB as binary XML; as text it may be several times that.
pub const XML_BYTES_MAX: usize = 1024 * 1024;

/// How deep elements may lie; those of Windows lie five deep.
const DEPTH_MAX: usize = 32;

/// What is known of a record so far.
#[derive(Default)]
struct Parts {
    computer: String,
    channel: String,
    provider: String,
    event_id: Option<u32>,
    version: u8,
    record_id: Option<u64>,
    time: Option<Stamp>,
    keywords: u64,
    user_sid: Option<String>,
    fields: Vec<(String, String)>,
    n_unnamed: usize,
}

/// Reads one `Event` element.
pub fn parse(text: &str) -> Result<Record, RecordError> {
    if text.len() > XML_BYTES_MAX {
        return Err(RecordError::TooLong);
    }
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut parts = Parts::default();
    // Names of the open elements, outermost first, and the name of the field that the innermost one is.
    let mut open: Vec<String> = Vec::new();
    let mut field: Option<String> = None;
    let mut content = String::new();
    loop {
        match reader.read_event().map_err(|_| RecordError::Malformed)? {
            Event::Start(element) => {
                if open.len() >= DEPTH_MAX {
                    return Err(RecordError::Malformed);
                }
                field = parts.begins(&open, &element);
                open.push(local_name(&element));
                content.clear();
            }
            Event::Empty(element) => {
                if let Some(name) = parts.begins(&open, &element) {
                    parts.takes_field(name, "");
                }
                content.clear();
            }
            Event::End(_) => {
                let name = open.pop().ok_or(RecordError::Malformed)?;
                match field.take() {
                    Some(field) => parts.takes_field(field, &content),
                    None => parts.takes_system(&open, &name, content.trim()),
                }
                content.clear();
                if open.is_empty() {
                    return parts.whole();
                }
            }
            Event::Text(text) => push(&mut content, &text.decode().map_err(|_| RecordError::Malformed)?),
            Event::CData(text) => push(&mut content, &text.decode().map_err(|_| RecordError::Malformed)?),
            Event::GeneralRef(reference) => push(&mut content, &resolved(&reference)),
            Event::DocType(_) | Event::Eof => return Err(RecordError::Malformed),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

fn push(content: &mut String, text: &str) {
    if content.len() <= FIELD_BYTES_MAX {
        content.push_str(text);
    }
}

/// The character that a reference stands for.
fn resolved(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    let name = reference.decode().unwrap_or_default();
    match name.as_ref() {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => "",
    }
    .to_owned()
}

fn local_name(element: &BytesStart<'_>) -> String {
    String::from_utf8_lossy(element.local_name().as_ref()).into_owned()
}

/// An attribute's text; Windows writes attributes without line breaks.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element
        .attributes()
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == name.as_bytes());
    let raw = String::from_utf8_lossy(&found?.value).into_owned();
    quick_xml::escape::unescape(&raw).ok().map(|text| bounded(&text)).filter(|text| !text.is_empty())
}

impl Parts {
    /// An element begins within these; gives the name of the field that it is, if it is one.
    fn begins(&mut self, open: &[String], element: &BytesStart<'_>) -> Option<String> {
        let name = local_name(element);
        let names: Vec<&str> = open.iter().map(String::as_str).collect();
        match (names.as_slice(), name.as_str()) {
            (["Event", "System"], "Provider") => {
                self.provider = attribute(element, "Name").unwrap_or_default();
                None
            }
            (["Event", "System"], "TimeCreated") => {
                self.time = attribute(element, "SystemTime").and_then(|text| Stamp::parse(&text));
                None
            }
            (["Event", "System"], "Security") => {
                self.user_sid = attribute(element, "UserID");
                None
            }
            (["Event", "EventData"], "Data") => {
                Some(attribute(element, "Name").unwrap_or_else(|| self.place()))
            }
            (["Event", "EventData"], name) => Some(name.to_owned()),
            // UserData holds one element of the provider's own, and that one holds the fields.
            (["Event", "UserData", _], name) => Some(name.to_owned()),
            _ => None,
        }
    }

    fn place(&mut self) -> String {
        let place = self.n_unnamed;
        self.n_unnamed = self.n_unnamed.saturating_add(1);
        place.to_string()
    }

    fn takes_field(&mut self, name: String, text: &str) {
        if self.fields.len() < FIELDS_MAX {
            self.fields.push((bounded(&name), bounded(text)));
        }
    }

    fn takes_system(&mut self, open: &[String], name: &str, text: &str) {
        let is_system = open.iter().map(String::as_str).eq(["Event", "System"]);
        if !is_system {
            return;
        }
        match name {
            "Computer" => self.computer = bounded(text),
            "Channel" => self.channel = bounded(text),
            "EventID" => self.event_id = number(text).and_then(|id| u32::try_from(id).ok()),
            "Version" => self.version = text.parse().unwrap_or_default(),
            "EventRecordID" => self.record_id = number(text),
            "Keywords" => self.keywords = number(text).unwrap_or_default(),
            _ => {}
        }
    }

    fn whole(self) -> Result<Record, RecordError> {
        if self.computer.is_empty() {
            return Err(RecordError::Missing("Computer"));
        }
        Ok(Record {
            computer: self.computer,
            channel: self.channel,
            provider: self.provider,
            event_id: self.event_id.ok_or(RecordError::Missing("EventID"))?,
            version: self.version,
            record_id: self.record_id,
            time: self.time.ok_or(RecordError::Missing("TimeCreated"))?,
            keywords: self.keywords,
            user_sid: self.user_sid,
            fields: self.fields,
        })
    }
}
