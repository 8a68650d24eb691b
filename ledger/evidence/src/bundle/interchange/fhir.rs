//! One event as a FHIR R4 AuditEvent. What it does not say, the entry does not say either.

use serde_json::{Map, Value, json};

use super::Line;
use crate::bundle::wording;
use crate::event::{Action, Class, Kind, Outcome};

const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
/// What a time is that cannot be read: the outcome's words give it as recorded.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

pub(super) fn event(line: &Line<'_>) -> Value {
    let event = &line.event;
    let coding = |(code, display): (&str, &str)| json!({"system": DICOM, "code": code, "display": display});
    let (kind, subtype) = kind(line);
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("resourceType", "AuditEvent".into());
    put("id", line.leaf.to_hex().into());
    put("type", coding(kind));
    if let Some(subtype) = subtype {
        put("subtype", json!([coding(subtype)]));
    }
    if let Some(action) = action(line) {
        put("action", action.into());
    }
    let readable = crate::time::Moment::parse(&event.time).is_some();
    put("recorded", if readable { event.time.as_str() } else { NO_TIME }.into());
    if let Some(outcome) = &event.outcome {
        put("outcome", if *outcome == Outcome::Success { "0" } else { "4" }.into());
    }
    put(
        "outcomeDesc",
        format!("{}; does not show {}", wording::verb(event), wording::does_not_show(event)).into(),
    );
    put("agent", agents(line));
    put(
        "source",
        json!({"observer": {"identifier": {"value": line.author.to_string()}, "display": line.computer()}}),
    );
    let what = line.path().unwrap_or("withheld or none");
    let detail = [
        ("author", line.author.to_string()),
        ("number", line.number.to_string()),
        ("leaf_sha256", line.leaf.to_hex()),
        ("time_as_recorded", event.time.clone()),
    ];
    let detail: Vec<Value> =
        detail.into_iter().map(|(name, value)| json!({"type": name, "valueString": value})).collect();
    let mut entity = json!({
        "what": {"identifier": {"value": line.reference()}, "display": what},
        "description": wording::message(event, line.author.machine()), "detail": detail,
    });
    let class = event.object.as_ref().and_then(|object| object.class.as_ref());
    if let (Some(class), Some(entity)) = (class, entity.as_object_mut()) {
        entity.insert("name".to_owned(), class.to_string().into());
    }
    put("entity", json!([entity]));
    Value::Object(out)
}

/// DICOM's event id, and its type where there is one.
fn kind(line: &Line<'_>) -> ((&'static str, &'static str), Option<(&'static str, &'static str)>) {
    const ACTIVITY: (&str, &str) = ("110100", "Application Activity");
    let class = line.event.object.as_ref().and_then(|object| object.class.as_ref());
    match (&line.event.kind, class) {
        (Kind::FileAccess, Some(Class::Ehr | Class::Export)) => (("110110", "Patient Record"), None),
        (Kind::Login, _) => (("110114", "User Authentication"), Some(("110122", "Login"))),
        (Kind::Logout, _) => (("110114", "User Authentication"), Some(("110123", "Logout"))),
        (Kind::AccountChange, _) => {
            (("110113", "Security Alert"), Some(("110136", "Security Roles Changed")))
        }
        (Kind::Tamper, _) => (("110113", "Security Alert"), None),
        _ => (ACTIVITY, None),
    }
}

fn action(line: &Line<'_>) -> Option<&'static str> {
    match (&line.event.kind, &line.event.action) {
        (Kind::FileAccess, Some(Action::Read | Action::List)) => Some("R"),
        (Kind::FileAccess, Some(Action::Write | Action::Rename | Action::Link | Action::Attributes)) => {
            Some("U")
        }
        (Kind::FileAccess, Some(Action::Create)) => Some("C"),
        (Kind::FileAccess, Some(Action::Delete)) => Some("D"),
        (Kind::Login | Kind::Logout | Kind::ProcessStart | Kind::Elevation, _) => Some("E"),
        _ => None,
    }
}

fn agents(line: &Line<'_>) -> Value {
    let account = wording::account(&line.event);
    let from = line.event.actor.as_ref().and_then(|actor| actor.from.clone());
    let is_account = account.is_some();
    let name = account.unwrap_or_else(|| "not named by the record".to_owned());
    let mut user = json!({"altId": name, "who": {"display": name}, "requestor": is_account});
    if let (Some(from), Some(user)) = (from, user.as_object_mut()) {
        let kind = if from.parse::<core::net::IpAddr>().is_ok() { "2" } else { "1" };
        user.insert("network".to_owned(), json!({"address": from, "type": kind}));
    }
    let mut agents = vec![user];
    if let Some(program) = line.program() {
        let kind = json!({"coding": [{"system": DICOM, "code": "110150", "display": "Application"}]});
        agents.push(json!({"type": kind, "name": program, "requestor": false}));
    }
    Value::Array(agents)
}
