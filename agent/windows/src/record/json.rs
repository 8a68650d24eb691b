//! Records as lines of JSON, as forwarders write them.
//!
//! | form | where what stands |
//! |---|---|
//! | winlogbeat 7 and later | `winlog.{computer_name,channel,provider_name,event_id,record_id,version,time_created,event_data,user_data}`, nested or with dotted names |
//! | winlogbeat 6 | the same without `winlog`; `log_name`, `source_name`, `record_number` |
//! | nxlog | flat: `Hostname`, `Channel`, `SourceName`, `EventID`, `RecordNumber`, `EventTime`, `Keywords` (a signed number), `EventType` |
//! | evtx_dump | `Event.System`, `Event.EventData` |
//!
//! # Times
//! nxlog writes `EventTime` in local time and without a zone. Where the line also has the moment of its reception twice,
//! in local time (`EventReceivedTime`) and in UTC (`@timestamp`), their difference in quarters of an hour is the zone.
//! Any other time without a zone is taken as UTC.
//!
//! `Message`, the localised text, is passed over: it says nothing that fields do not say.

use ntk_evidence::time::Moment;
use serde_json::Value;

use super::xml::XML_BYTES_MAX;
use super::{AUDIT_FAILURE, FIELDS_MAX, Record, RecordError, Stamp, bounded, number};

/// Values of one line that are looked at.
const LEAVES_MAX: usize = 512;

/// Places of the fields of an event; within them a name is a field.
const DATA: &[&str] = &[
    "winlog.event_data.",
    "winlog.user_data.",
    "event_data.",
    "user_data.",
    "Event.EventData.",
    "Event.UserData.",
];

/// Names that nxlog and other flat forms use for what is no field of the event.
const NOT_DATA: &[&str] = &[
    "@timestamp",
    "@version",
    "Category",
    "Channel",
    "Computer",
    "EventID",
    "EventReceivedTime",
    "EventTime",
    "EventType",
    "ExecutionProcessID",
    "Hostname",
    "Keywords",
    "Level",
    "Message",
    "Opcode",
    "OpcodeValue",
    "ProviderGuid",
    "RecordNumber",
    "EventRecordID",
    "Severity",
    "SeverityValue",
    "SourceModuleName",
    "SourceModuleType",
    "SourceName",
    "Task",
    "ThreadID",
    "TimeCreated",
    "Version",
    "ActivityID",
    "host",
    "port",
    "tags",
    "type",
];

/// Reads one line.
pub fn parse(line: &[u8]) -> Result<Record, RecordError> {
    if line.len() > XML_BYTES_MAX {
        return Err(RecordError::TooLong);
    }
    // serde_json refuses what lies more than 128 deep.
    let value: Value = serde_json::from_slice(line).map_err(|_| RecordError::Malformed)?;
    let leaves = Leaves::of(&value)?;
    let text = |names: &[&str]| names.iter().find_map(|name| leaves.text(name));
    let computer =
        text(&["winlog.computer_name", "computer_name", "Event.System.Computer", "Hostname", "Computer"]);
    let event_id = text(&[
        "winlog.event_id",
        "event_id",
        "Event.System.EventID",
        "Event.System.EventID.#text",
        "EventID",
    ]);
    let event_id = event_id.as_deref().and_then(number).and_then(|id| u32::try_from(id).ok());
    let record_id = text(&[
        "winlog.record_id",
        "record_number",
        "Event.System.EventRecordID",
        "RecordNumber",
        "EventRecordID",
    ]);
    let version = text(&["winlog.version", "version", "Event.System.Version", "Version"]);
    Ok(Record {
        computer: computer.ok_or(RecordError::Missing("Computer"))?,
        channel: text(&["winlog.channel", "log_name", "Event.System.Channel", "Channel"]).unwrap_or_default(),
        provider: text(&[
            "winlog.provider_name",
            "source_name",
            "Event.System.Provider.#attributes.Name",
            "SourceName",
            "ProviderName",
        ])
        .unwrap_or_default(),
        event_id: event_id.ok_or(RecordError::Missing("EventID"))?,
        version: version.and_then(|text| text.parse().ok()).unwrap_or_default(),
        record_id: record_id.as_deref().and_then(number),
        time: time(&leaves).ok_or(RecordError::Missing("TimeCreated"))?,
        keywords: keywords(&leaves),
        user_sid: text(&[
            "winlog.user.identifier",
            "user.identifier",
            "Event.System.Security.#attributes.UserID",
            "UserID",
        ]),
        fields: fields(&leaves),
    })
}

/// The values of a line by dotted name.
struct Leaves(Vec<(String, String)>);

impl Leaves {
    fn of(value: &Value) -> Result<Self, RecordError> {
        if !value.is_object() {
            return Err(RecordError::Malformed);
        }
        let mut leaves = Self(Vec::new());
        leaves.take(String::new(), value);
        Ok(leaves)
    }

    fn take(&mut self, name: String, value: &Value) {
        if self.0.len() >= LEAVES_MAX {
            return;
        }
        let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
        match value {
            Value::Null => {}
            Value::Bool(word) => self.0.push((name, word.to_string())),
            Value::Number(number) => self.0.push((name, number.to_string())),
            Value::String(text) => self.0.push((name, bounded(text))),
            Value::Array(values) => {
                values.iter().enumerate().for_each(|(nth, value)| self.take(below(&nth.to_string()), value));
            }
            Value::Object(values) => {
                values.iter().for_each(|(key, value)| self.take(below(&bounded(key)), value))
            }
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(known, text)| known == name && !text.is_empty());
        found.map(|(_, text)| text.clone())
    }
}

fn fields(leaves: &Leaves) -> Vec<(String, String)> {
    let nested = |name: &str| DATA.iter().find_map(|place| name.strip_prefix(place)).map(str::to_owned);
    let is_nested = leaves.0.iter().any(|(name, _)| nested(name).is_some() || name.starts_with("winlog."));
    let field = |(name, text): &(String, String)| {
        let name = match is_nested {
            true => nested(name)?,
            false => Some(name.clone()).filter(|name| !NOT_DATA.contains(&name.as_str()))?,
        };
        // A provider's own element within user data, and the lists of unnamed fields, are one level further down.
        let name = name.rsplit('.').next().unwrap_or_default();
        let name = name.strip_prefix("param").filter(|_| is_nested && is_unnamed(leaves)).map_or_else(
            || name.to_owned(),
            |place| {
                place
                    .parse::<usize>()
                    .map_or_else(|_| name.to_owned(), |place| place.saturating_sub(1).to_string())
            },
        );
        Some((name, text.clone()))
    };
    leaves.0.iter().filter_map(field).take(FIELDS_MAX).collect()
}

/// winlogbeat calls fields without a name param1, param2, ..., which the service control manager's are really called.
fn is_unnamed(leaves: &Leaves) -> bool {
    let provider = leaves.text("winlog.provider_name").or_else(|| leaves.text("source_name"));
    provider.is_none_or(|provider| !provider.eq_ignore_ascii_case("Service Control Manager"))
}

fn keywords(leaves: &Leaves) -> u64 {
    let word = |name: &str| leaves.text(name).unwrap_or_default().to_ascii_lowercase();
    let failed = word("event.outcome") == "failure"
        || word("EventType") == "audit_failure"
        || word("winlog.keywords.0") == "audit failure"
        || word("keywords.0") == "audit failure";
    let bits = ["Keywords", "winlog.keywords_raw", "Event.System.Keywords"]
        .iter()
        .find_map(|name| leaves.text(name));
    let bits =
        bits.and_then(|text| number(&text).or_else(|| Some(text.parse::<i64>().ok()?.cast_unsigned())));
    bits.unwrap_or_default() | if failed { AUDIT_FAILURE } else { 0 }
}

/// Quarter of an hour, in seconds: all zones are whole numbers of them.
const QUARTER: i64 = 900;

fn time(leaves: &Leaves) -> Option<Stamp> {
    let stamp = |name: &str| Stamp::parse(&leaves.text(name)?);
    let exact = ["winlog.time_created", "Event.System.TimeCreated.#attributes.SystemTime", "TimeCreated"];
    if let Some(found) = exact.iter().find_map(|name| stamp(name)) {
        return Some(found);
    }
    let Some(local) = stamp("EventTime") else { return stamp("@timestamp") };
    let has_zone = leaves.text("EventTime").is_some_and(|text| Moment::parse(&text).is_some());
    let zone = match (stamp("EventReceivedTime"), stamp("@timestamp")) {
        (Some(here), Some(utc)) if !has_zone => {
            let seconds = utc.moment.unix_seconds().saturating_sub(here.moment.unix_seconds());
            // A line may have waited some seconds between the two.
            let quarters = seconds.saturating_add(QUARTER.wrapping_div(2)).div_euclid(QUARTER);
            quarters.saturating_mul(QUARTER)
        }
        _ => 0,
    };
    // No zone is further than a day from UTC: what says so is no zone.
    let zone = if zone.abs() <= 24 * 3600 { zone } else { 0 };
    Some(Stamp { moment: local.moment.plus_seconds(zone), digits: local.digits })
}
