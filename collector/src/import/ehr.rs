//! Audit logs of health-record systems: CSV with a map of its columns (ASTM E2147 says what such a log holds), and FHIR R4
//! AuditEvent as NDJSON (hl7.org/fhir/R4/auditevent.html).
//!
//! Whose record was opened travels in the paths part of an entry, so that it can be blacked out in a bundle. Nothing of what
//! the record holds is taken over.

mod fhir;
pub mod map;

use jiff::Timestamp;
use ntk_evidence::event::{
    Action, Actor, Class, Confidence, Event, Kind, Object, Outcome, Source as EventSource,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::records::{Content, Record};
use super::{Found, NotThis};
use map::Map;

/// Name of the sensor in events.
pub const SENSOR: &str = "ehr-audit";

/// What one access is, before it is an event.
#[derive(Debug, Default)]
struct Access {
    id: Option<String>,
    time: Option<Timestamp>,
    user: Option<String>,
    from: Option<String>,
    action: Option<Action>,
    kind: Option<Kind>,
    outcome: Option<Outcome>,
    patient: Option<String>,
    what: Option<String>,
    operation: Option<String>,
}

/// Whether a CSV file has the columns that the map names.
pub fn fits(columns: &[String], map: Option<&Map>) -> Result<(), NotThis> {
    let Some(map) = map else {
        return Err(NotThis::NoMap(columns.iter().take(12).cloned().collect::<Vec<_>>().join(", ")));
    };
    let missing = map.missing(columns);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(NotThis::OtherColumns {
            missing: missing.join(", "),
            found: columns.iter().take(12).cloned().collect::<Vec<_>>().join(", "),
        })
    }
}

/// What a record amounts to.
pub fn read(record: &Record, map: Option<&Map>) -> Found {
    match (&record.content, map) {
        (Content::Damaged(what), _) => Found::Damaged(what.clone()),
        (Content::Json(value), _) => fhir::read(value),
        (Content::Cells(cells), Some(map)) => map.read(cells),
        (Content::Cells(_), None) => Found::Damaged("a file of CSV needs a map of its columns".to_owned()),
    }
}

impl Access {
    fn found(self) -> Found {
        let Some(time) = self.time else { return Found::Damaged("its time cannot be read".to_owned()) };
        let kind = self.kind.unwrap_or(Kind::FileAccess);
        let mut event = Event::new(kind.clone(), time.to_string());
        let path = match (&self.patient, &self.what) {
            (Some(patient), Some(what)) => Some(format!("{patient}/{what}")),
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        };
        // Systems without an id of their own for each line: who, what, when and whose make one.
        let id = self.id.unwrap_or_else(|| {
            let parts = [
                Some(time.to_string()),
                self.user.clone(),
                path.clone(),
                self.operation.clone(),
                self.from.clone(),
            ];
            let text = parts.map(Option::unwrap_or_default).join("\n");
            let mark: String =
                Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            format!("line:{mark}")
        });
        let is_nobody = self.user.is_none();
        event.outcome = self.outcome;
        event.actor = Some(Actor {
            ehr_user: self.user,
            from: self.from,
            confidence: is_nobody.then_some(Confidence::Unattributed),
            ..Actor::default()
        });
        if kind == Kind::FileAccess {
            event.action = Some(self.action.unwrap_or(Action::Read));
            event.object = Some(Object { path, class: Some(Class::Ehr), ..Object::default() });
        }
        event.source = Some(EventSource {
            sensor: Some(SENSOR.to_owned()),
            record: Some(id),
            operation: self.operation,
            recorded: Some(true),
            ..EventSource::default()
        });
        Found::Events(vec![event])
    }
}

/// A word of a log as an action: `View`, `Print`, `Update`; nothing where the word says nothing of a record.
fn action_of(word: &str) -> Option<Action> {
    let word = word.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
    Some(match () {
        () if has(&["delet", "remov", "purge"]) => Action::Delete,
        () if has(&[
            "export", "print", "copy", "download", "fax", "send", "query", "search", "view", "open", "read",
            "access", "display",
        ]) =>
        {
            Action::Read
        }
        () if has(&["creat", "add", "insert", "new"]) => Action::Create,
        () if has(&["updat", "edit", "chang", "modif", "sign", "amend", "write", "save"]) => Action::Write,
        () if has(&["list"]) => Action::List,
        () => return None,
    })
}

fn short(text: &str, most: usize) -> Option<String> {
    let text: String = text.trim().chars().filter(|letter| !letter.is_control()).take(most).collect();
    (!text.is_empty()).then_some(text)
}

/// A text of a JSON value.
fn text(value: &Value, pointer: &str) -> Option<String> {
    short(value.pointer(pointer)?.as_str()?, 200)
}

#[cfg(test)]
mod tests;
