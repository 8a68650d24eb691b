//! A FHIR AuditEvent (R4): who, what, when, whose.

use ntk_evidence::event::{Action, Kind, Outcome};
use serde_json::Value;

use super::{Access, short, text};
use crate::import::Found;

/// What an AuditEvent amounts to.
pub(super) fn read(value: &Value) -> Found {
    if value.get("resourceType").and_then(Value::as_str) != Some("AuditEvent") {
        return Found::Damaged("it is no AuditEvent".to_owned());
    }
    let agents = value.get("agent").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_requestor = |agent: &&Value| agent.get("requestor").and_then(Value::as_bool).unwrap_or(false);
    let agent = agents.iter().find(is_requestor).or_else(|| agents.first());
    let of_agent = |pointer: &str| agent.and_then(|agent| text(agent, pointer));
    let entities = value.get("entity").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let reference = |entity: &&Value| text(entity, "/what/reference");
    let is_patient = |name: &String| name.contains("Patient/");
    let mut named: Vec<String> = entities.iter().filter_map(|entity| reference(&entity)).collect();
    let patient = named.iter().position(is_patient).map(|at| named.remove(at));
    // DICOM's 110114 is user authentication, 110122 login, 110123 logout (audit event ids of FHIR's own value set).
    let kind = ["/subtype/0/code", "/type/code"].iter().find_map(|pointer| {
        Some(match value.pointer(pointer)?.as_str()? {
            "110122" | "110114" => Kind::Login,
            "110123" => Kind::Logout,
            _ => return None,
        })
    });
    let action = match value.get("action").and_then(Value::as_str) {
        Some("C") => Some(Action::Create),
        Some("U") => Some(Action::Write),
        Some("D") => Some(Action::Delete),
        Some("R" | "E") | None => Some(Action::Read),
        Some(_) => None,
    };
    let outcome = match value.get("outcome").and_then(Value::as_str) {
        Some("0") => Some(Outcome::Success),
        Some(_) => Some(Outcome::Failed),
        None => None,
    };
    let period = || text(value, "/period/start");
    Access {
        id: text(value, "/id"),
        time: text(value, "/recorded").or_else(period).and_then(|time| time.parse().ok()),
        user: of_agent("/altId")
            .or_else(|| of_agent("/who/identifier/value"))
            .or_else(|| of_agent("/who/reference"))
            .or_else(|| of_agent("/name")),
        from: of_agent("/network/address"),
        action,
        kind,
        outcome,
        patient,
        what: short(&named.join(" "), 200),
        operation: text(value, "/subtype/0/code").or_else(|| text(value, "/type/code")),
    }
    .found()
}
