//! One event as OCSF 1.8.0: File System Activity, Authentication, Process Activity; the Base Event for the rest.

use serde_json::{Map, Value, json};

use super::{Line, last_part};
use crate::bundle::wording;
use crate::event::{Action, Kind, Outcome};

/// Version of the schema.
const VERSION: &str = "1.8.0";

/// Class, its name, category, its name.
type Class = (u64, &'static str, u64, &'static str);
const BASE: Class = (0, "Base Event", 0, "Uncategorized");
const FILE: Class = (1001, "File System Activity", 1, "System Activity");
const PROCESS: Class = (1007, "Process Activity", 1, "System Activity");
const AUTHENTICATION: Class = (3002, "Authentication", 3, "Identity & Access Management");

pub(super) fn event(line: &Line<'_>) -> Value {
    let event = &line.event;
    let ((class, class_name, category, category_name), (activity, activity_name)) = class(line);
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("class_uid", class.into());
    put("class_name", class_name.into());
    put("category_uid", category.into());
    put("category_name", category_name.into());
    put("activity_id", activity.into());
    put("activity_name", activity_name.into());
    put("type_uid", class.saturating_mul(100).saturating_add(activity).into());
    put("type_name", format!("{class_name}: {activity_name}").into());
    // A record is a record: how grave it is, the need-to-know table and a manager decide.
    put("severity_id", 1.into());
    put("severity", "Informational".into());
    let (status, status_name) = match event.outcome {
        Some(Outcome::Success) => (1, "Success"),
        Some(Outcome::Denied | Outcome::Failed) => (2, "Failure"),
        Some(Outcome::Other(_)) | None => (0, "Unknown"),
    };
    put("status_id", status.into());
    put("status", status_name.into());
    put("time", line.time_ms().into());
    put("message", wording::message(event, line.author.machine()).into());
    if let Some(count) = event.count {
        put("count", count.into());
    }
    put(
        "metadata",
        json!({
            "version": VERSION, "uid": line.reference(), "sequence": line.number,
            "product": {"name": "Need-to-Know", "vendor_name": "Need-to-Know"},
            "log_provider": event.source.as_ref().and_then(|source| source.sensor.clone()).unwrap_or_else(|| line.author.to_string()),
        }),
    );
    let device = json!({"hostname": line.computer(), "type_id": 0, "type": "Unknown"});
    match class {
        1001 => {
            put("device", device);
            put("actor", actor(line));
            let name = line.path().map_or("withheld", last_part);
            let mut file = json!({"name": name, "type_id": 0, "type": "Unknown"});
            if let (Some(path), Some(file)) = (line.path(), file.as_object_mut()) {
                file.insert("path".to_owned(), path.into());
            }
            put("file", file);
        }
        1007 => {
            put("device", device);
            put("actor", actor(line));
            put("process", process(line));
        }
        3002 => {
            put("user", json!({"name": account(line)}));
            put("dst_endpoint", json!({"hostname": line.computer()}));
            if let Some(from) = event.actor.as_ref().and_then(|actor| actor.from.as_ref()) {
                let is_address = from.parse::<core::net::IpAddr>().is_ok();
                put("src_endpoint", json!({ if is_address { "ip" } else { "hostname" }: from }));
            }
        }
        _ => {}
    }
    let class = event.object.as_ref().and_then(|object| object.class.as_ref()).map(ToString::to_string);
    put(
        "unmapped",
        json!({
            "entry": {"author": line.author.to_string(), "number": line.number, "leaf_sha256": line.leaf.to_hex()},
            "kind": event.kind.as_str(), "verb": wording::verb(event),
            "does_not_show": wording::does_not_show(event), "time_as_recorded": event.time, "asset_class": class,
        }),
    );
    Value::Object(out)
}

fn class(line: &Line<'_>) -> (Class, (u64, &'static str)) {
    match (&line.event.kind, &line.event.action) {
        (Kind::FileAccess, action) => (FILE, file_activity(line, action.as_ref())),
        (Kind::Login, _) => (AUTHENTICATION, (1, "Logon")),
        (Kind::Logout, _) => (AUTHENTICATION, (2, "Logoff")),
        (Kind::ProcessStart, _) => (PROCESS, (1, "Launch")),
        _ => (BASE, (99, "Other")),
    }
}

/// What the record proves, in OCSF's words: an open is an open, not a read.
fn file_activity(line: &Line<'_>, action: Option<&Action>) -> (u64, &'static str) {
    let used = line.event.source.as_ref().and_then(|source| source.event_id) == Some(4663);
    match action {
        Some(Action::Read) if used => (2, "Read"),
        Some(Action::Write) if used => (3, "Update"),
        Some(Action::Read | Action::Write | Action::List | Action::OpenDenied) => (14, "Open"),
        Some(Action::Create) => (1, "Create"),
        Some(Action::Delete) => (4, "Delete"),
        Some(Action::Rename) => (5, "Rename"),
        Some(Action::Attributes) => (6, "Set Attributes"),
        Some(Action::Link | Action::Other(_)) | None => (99, "Other"),
    }
}

fn account(line: &Line<'_>) -> String {
    wording::account(&line.event).unwrap_or_else(|| "not named by the record".to_owned())
}

fn actor(line: &Line<'_>) -> Value {
    let mut user = json!({"name": account(line)});
    if let (Some(uid), Some(user)) =
        (line.event.actor.as_ref().and_then(|actor| actor.login_uid), user.as_object_mut())
    {
        user.insert("uid".to_owned(), uid.to_string().into());
    }
    let mut actor = json!({"user": user});
    let process = process(line);
    if let (false, Some(actor)) =
        (process == json!({"name": "not named by the record"}), actor.as_object_mut())
    {
        actor.insert("process".to_owned(), process);
    }
    actor
}

fn process(line: &Line<'_>) -> Value {
    let mut process = json!({"name": line.program().map_or("not named by the record", last_part)});
    let pid = line.event.process.as_ref().and_then(|process| process.pid);
    if let (Some(pid), Some(process)) = (pid, process.as_object_mut()) {
        process.insert("pid".to_owned(), pid.into());
    }
    if let (Some(path), Some(process)) = (line.program(), process.as_object_mut()) {
        let file = json!({"name": last_part(path), "path": path, "type_id": 1, "type": "Regular File"});
        process.insert("file".to_owned(), file);
    }
    process
}
