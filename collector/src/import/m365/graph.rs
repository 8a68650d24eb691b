//! Sign-ins and directory audits as Microsoft Graph gives them (`signIn`, `directoryAudit`), told in the words of the unified
//! audit log, so that one room reads both.

use serde_json::{Map, Value, json};

use super::Found;
use super::fields::Fields;

/// What a record of Graph amounts to; nothing where it is none.
pub(super) fn read(fields: &Fields<'_>) -> Option<Found> {
    let same = sign_in(fields).or_else(|| directory_audit(fields))?;
    Some(super::of_json(&Value::Object(same)))
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn sign_in(fields: &Fields<'_>) -> Option<Map<String, Value>> {
    let user = fields.text(&["userPrincipalName"])?;
    let time = fields.text(&["createdDateTime"])?;
    let status = fields.value(&["status"]).map(Fields::of)?;
    let is_done = status.text(&["errorCode"]).is_none_or(|code| code == "0");
    Some(map(json!({
        "Id": fields.text(&["id"])?,
        "CreationTime": time,
        "Operation": if is_done { "UserLoggedIn" } else { "UserLoginFailed" },
        "ResultStatus": if is_done { "Success" } else { "Failed" },
        "UserId": user,
        "ClientIP": fields.text(&["ipAddress"]),
        "Workload": "AzureActiveDirectory",
    })))
}

fn directory_audit(fields: &Fields<'_>) -> Option<Map<String, Value>> {
    let activity = fields.text(&["activityDisplayName"])?;
    let by = fields.value(&["initiatedBy"]).map(Fields::of);
    let part = |name: &str| by.as_ref().and_then(|by| by.value(&[name])).map(Fields::of);
    let (user, app) = (part("user"), part("app"));
    let upn = user.as_ref().and_then(|user| user.text(&["userPrincipalName", "id"]));
    let app = app.and_then(|app| app.text(&["appId", "servicePrincipalId", "displayName"]));
    let is_app = upn.is_none() && app.is_some();
    let targets = fields.list(&["targetResources"]);
    let named = |target: &Value| Fields::of(target).text(&["userPrincipalName", "displayName", "id"]);
    let ids: Vec<Value> = targets.iter().filter_map(named).map(|id| json!({"ID": id})).collect();
    let properties: Vec<Value> =
        targets.iter().flat_map(|target| Fields::of(target).list(&["modifiedProperties"])).collect();
    let user_type = if is_app { 5 } else { 0 };
    Some(map(json!({
        "Id": fields.text(&["id"])?,
        "CreationTime": fields.text(&["activityDateTime"])?,
        "Operation": activity,
        "ResultStatus": fields.text(&["result"]),
        "UserId": upn.or_else(|| app.clone()),
        "AppId": app.filter(|_| is_app),
        "UserType": user_type,
        "ClientIP": user.and_then(|user| user.text(&["ipAddress"])),
        "Workload": "AzureActiveDirectory",
        "Target": ids,
        "ModifiedProperties": properties,
    })))
}
