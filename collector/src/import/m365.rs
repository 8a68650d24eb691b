//! Records of Microsoft 365 as events: mailbox access, administration, sign-ins, directory changes.
//!
//! Shapes: the unified audit log as Purview exports it (CSV whose column `AuditData` is a JSON object), as the Office 365
//! Management Activity API gives it (JSON), as Microsoft Sentinel keeps it (table OfficeActivity, other names, numbers as
//! words), and sign-ins and directory audits as Microsoft Graph gives them. Names of fields and operations: Microsoft's
//! "Office 365 Management Activity API schema" and "Audit log activities".
//!
//! Subjects, message ids and attachments' names stand in these records; no event has a place for them (PR-2).

mod fields;
mod graph;
mod mailbox;
mod operations;

use jiff::Timestamp;
use ntk_evidence::event::{
    ActingAs, Actor, Because, Class, Confidence, Event, Kind, Object, Outcome, Source as EventSource,
};
use serde_json::Value;

use super::records::{CELL_CHARS_MAX, Content, Record};
use super::{Found, NotThis};
use fields::Fields;

/// Name of the sensor in events.
pub const SENSOR: &str = "m365-audit";
/// Rows of an export at which Purview stops: the rest of what was searched for is missing.
pub const EXPORT_ROWS_MAX: u64 = 50_000;

/// Rule: an administrator's command of the service itself.
const BY_SERVICE: &str = "the service’s own maintenance";
/// Rule: a service that no mail is in.
const OTHER_SERVICE: &str = "other services than mail and sign-in";

/// Whether a CSV file has the columns that are needed.
pub fn fits(columns: &[String]) -> Result<(), NotThis> {
    let has = columns.iter().any(|name| name.eq_ignore_ascii_case("AuditData"));
    let shown = || columns.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
    if has { Ok(()) } else { Err(NotThis::NoColumn(shown())) }
}

/// What a record amounts to; whether it was cut off by a spreadsheet and read from its other columns.
pub fn read(record: &Record) -> (Found, bool) {
    match &record.content {
        Content::Damaged(what) => (Found::Damaged(what.clone()), false),
        Content::Json(value) => (of_json(value), false),
        Content::Cells(cells) => of_cells(cells),
    }
}

/// A row of an export: its JSON, or what the other columns say where the JSON was cut off.
fn of_cells(cells: &[(String, String)]) -> (Found, bool) {
    let cell = |names: &[&str]| {
        let is = |name: &str| names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted));
        cells.iter().find(|(name, text)| is(name) && !text.is_empty()).map(|(_, text)| text.as_str())
    };
    let Some(data) = cell(&["AuditData"]) else {
        return (Found::Damaged("its column AuditData is empty".to_owned()), false);
    };
    let error = match serde_json::from_str::<Value>(data) {
        Ok(value) => return (of_json(&value), false),
        Err(error) => error,
    };
    if data.chars().nth(CELL_CHARS_MAX.saturating_sub(100)).is_none() {
        return (Found::Damaged(format!("its column AuditData is no JSON: {error}")), false);
    }
    // Cut at the limit of a cell: who, what and when stand in columns of their own.
    let mut rest = serde_json::Map::new();
    for (field, names) in [
        ("Id", &["RecordId", "Identity", "Id"][..]),
        ("CreationTime", &["CreationDate", "CreationTime"]),
        ("Operation", &["Operation", "Operations"]),
        ("UserId", &["UserId", "UserIds"]),
        ("RecordType", &["RecordType"]),
    ] {
        rest.extend(cell(names).map(|text| (field.to_owned(), Value::from(text))));
    }
    (of_json(&Value::Object(rest)), true)
}

/// A record of any shape.
pub fn of_json(value: &Value) -> Found {
    let fields = Fields::of(value);
    if let Some(found) = graph::read(&fields) {
        return found;
    }
    let Some(record) = fields.text(&["Id", "SourceRecordId", "OfficeId", "Identity"]) else {
        return Found::Damaged("it has no id, so that it could not be told from another one".to_owned());
    };
    let Some(time) = fields.time(&["CreationTime", "TimeGenerated", "CreationDate"]) else {
        return Found::Damaged(format!("the time of record {record} cannot be read"));
    };
    let Some(operation) = fields.text(&["Operation"]) else {
        return Found::Damaged(format!("record {record} names no operation"));
    };
    let base = Base { fields: &fields, record, time, operation };
    mailbox::read(&base).or_else(|| operations::read(&base)).unwrap_or(Found::Noise(OTHER_SERVICE))
}

/// What every record has.
struct Base<'a> {
    fields: &'a Fields<'a>,
    record: String,
    time: Timestamp,
    operation: String,
}

impl Base<'_> {
    fn event(&self, kind: Kind) -> Event {
        let mut event = Event::new(kind, self.time.to_string());
        event.source = Some(EventSource {
            sensor: Some(SENSOR.to_owned()),
            record: Some(self.record.clone()),
            operation: Some(self.operation.clone()),
            recorded: Some(true),
            ..EventSource::default()
        });
        event.outcome = self.outcome();
        event.actor = Some(self.actor());
        event
    }

    /// `Succeeded`, `Success`, `True`, `PartiallySucceeded`; absent where the record does not say.
    fn outcome(&self) -> Option<Outcome> {
        let said = self.fields.text(&["ResultStatus"])?.to_ascii_lowercase();
        Some(match said.as_str() {
            "succeeded" | "success" | "true" | "partiallysucceeded" => Outcome::Success,
            _ => Outcome::Failed,
        })
    }

    fn actor(&self) -> Actor {
        let mut actor = Actor {
            from: self.fields.address(&["ClientIP", "ClientIPAddress", "Client_IPAddress", "ActorIpAddress"]),
            sid: self.fields.text(&["LogonUserSid"]),
            ..Actor::default()
        };
        let user = self.fields.text(&["UserId"]).unwrap_or_default();
        let app = self.fields.text(&["AppId", "ClientAppId", "ClientAppID"]);
        if self.is_application() {
            actor.acting_as = Some(ActingAs::Application);
            (actor.upn, actor.sid) = (Some(format!("app:{}", app.unwrap_or(user))), None);
        } else if self.is_service() {
            actor.acting_as = Some(ActingAs::Service);
            (actor.sid, actor.confidence) = (None, Some(Confidence::Unattributed));
            actor.because = Some(Because::NoLogin);
        } else if user.contains('@') {
            actor.upn = Some(user);
        } else if user.contains('\\') {
            actor.login_user = Some(user);
        } else if user.starts_with("S-1-") {
            actor.sid = actor.sid.or(Some(user));
        } else if actor.sid.is_none() && !user.is_empty() {
            actor.login_user = Some(user);
        }
        if actor.is_nobody() && actor.login_user.is_none() {
            actor.confidence = Some(Confidence::Unattributed);
        }
        actor
    }

    /// An application with rights of its own (UserType 5 or 6).
    fn is_application(&self) -> bool {
        let user = self.fields.text(&["UserId"]).unwrap_or_default();
        let kind = self.fields.text(&["UserType"]).unwrap_or_default();
        user.starts_with("ServicePrincipal_")
            || matches!(kind.as_str(), "5" | "6" | "Application" | "ServicePrincipal")
    }

    /// The service itself (UserType 3 or 4, `NT AUTHORITY\SYSTEM`): what the same commands do all day.
    fn is_service(&self) -> bool {
        let user = self.fields.text(&["UserId"]).unwrap_or_default().to_ascii_uppercase();
        let kind = self.fields.text(&["UserType"]).unwrap_or_default();
        user.starts_with("NT AUTHORITY\\")
            || user.starts_with("NT SERVICE\\")
            || matches!(kind.as_str(), "3" | "4" | "DcAdmin" | "System")
    }
}

/// A mailbox as an object.
fn mailbox(owner: Option<String>) -> Object {
    Object { owner, class: Some(Class::Mailbox), ..Object::default() }
}

#[cfg(test)]
mod tests;
