//! Applications with rights to mail, compared once a week with what they were: what is new is a change, what is gone, too.
//!
//! Rights of two kinds: those that an application has by itself (`appRoleAssignedTo` of Microsoft Graph and Exchange Online),
//! and those that it has in somebody's name (`oauth2PermissionGrants`). Who gave them is in the directory's audits, if there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ntk_evidence::event::{
    Action, Actor, Change, ChangeWhat, Class, Confidence, Event, Kind, Object, Outcome, Source as EventSource,
};
use serde_json::Value;

use super::graph::pages;
use super::session::{Session, encoded, said};
use super::web::Asked;
use super::{Feed, Memory, PollError};
use crate::import::m365;

/// Microsoft Graph and Office 365 Exchange Online, by their ids in every tenant.
const RESOURCES: [&str; 2] = ["00000003-0000-0000-c000-000000000000", "00000002-0000-0ff1-ce00-000000000000"];

/// Whether a right reaches mail.
fn reaches_mail(right: &str) -> bool {
    let right = right.to_ascii_lowercase();
    right.starts_with("mail")
        || ["full_access_as_app", "ews.", "imap.", "pop.", "exchange.manage"]
            .iter()
            .any(|part| right.contains(part))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Feeds what is new and what is gone since the last comparison; false where the directory may not be read.
pub(super) async fn compare(
    session: &mut Session<'_>,
    feed: &mut Feed<'_>,
    memory: &mut Memory,
    notes: &mut Vec<String>,
    now: Timestamp,
) -> Result<bool, PollError> {
    let mut rights: BTreeMap<String, String> = BTreeMap::new();
    for resource in RESOURCES {
        let filter = encoded(&format!("appId eq '{resource}'"));
        let path = format!("/v1.0/servicePrincipals?$filter={filter}&$select=id,appId,appRoles");
        let answer = session.ask(&Asked::get(path)).await?;
        if matches!(answer.status, 400 | 403 | 404) {
            notes.push(format!(
                "Which applications have rights to mail could not be asked ({}).",
                said(&answer)
            ));
            return Ok(false);
        }
        for principal in pages(session, answer, |_| ()).await?.0 {
            let roles: BTreeMap<&str, &str> = principal
                .get("appRoles")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|role| (text(role, "id"), text(role, "value")))
                .collect();
            let path = format!(
                "/v1.0/servicePrincipals/{}/appRoleAssignedTo?$top=500",
                encoded(text(&principal, "id"))
            );
            let answer = session.ask(&Asked::get(path)).await?;
            for given in pages(session, answer, |_| ()).await?.0 {
                let right = roles.get(text(&given, "appRoleId")).copied().unwrap_or_default();
                if reaches_mail(right) {
                    let key = format!("{}/{right}", text(&given, "principalId"));
                    rights.insert(key, text(&given, "principalDisplayName").to_owned());
                }
            }
        }
    }
    let answer = session.ask(&Asked::get("/v1.0/oauth2PermissionGrants?$top=500")).await?;
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for grant in pages(session, answer, |_| ()).await?.0 {
        let client = text(&grant, "clientId").to_owned();
        for right in text(&grant, "scope").split_whitespace().filter(|right| reaches_mail(right)) {
            let name = match names.get(&client) {
                Some(name) => name.clone(),
                None => {
                    let path =
                        format!("/v1.0/servicePrincipals/{}?$select=displayName,appId", encoded(&client));
                    let answer = session.ask(&Asked::get(path)).await?;
                    let body = answer.json("an application").unwrap_or_default();
                    let name = text(&body, "displayName").to_owned();
                    names.insert(client.clone(), name.clone());
                    name
                }
            };
            let whose =
                if text(&grant, "consentType") == "AllPrincipals" { "everybody" } else { "one person" };
            rights.insert(format!("{client}/{right} in the name of {whose}"), name);
        }
    }
    for (key, name) in &rights {
        feed.event(change(key, name, now, false)).await?;
    }
    for (key, name) in memory.rights.iter().filter(|(key, _)| !rights.contains_key(*key)) {
        feed.event(change(key, name, now, true)).await?;
    }
    memory.rights = rights;
    Ok(true)
}

/// An application's right, as it was found; nothing says who gave it.
fn change(key: &str, name: &str, now: Timestamp, is_removal: bool) -> Event {
    let (id, right) = key.split_once('/').unwrap_or((key, ""));
    let to = if name.is_empty() { format!("application {id}") } else { format!("{name} (application {id})") };
    let mut event = Event::new(Kind::AccountChange, now.to_string());
    event.outcome = Some(Outcome::Success);
    event.actor = Some(Actor { confidence: Some(Confidence::Unattributed), ..Actor::default() });
    event.action = Some(if is_removal { Action::Delete } else { Action::Create });
    event.object = Some(Object { class: Some(Class::Mailbox), ..Object::default() });
    event.change = Some(Box::new(Change {
        what: ChangeWhat::Application,
        to: Some(to),
        rights: vec![right.to_owned()],
        is_removal,
        other: Default::default(),
    }));
    let gone = if is_removal { format!("/gone {now}") } else { String::new() };
    event.source = Some(EventSource {
        sensor: Some(m365::SENSOR.to_owned()),
        record: Some(format!("application:{key}{gone}")),
        operation: Some("found by comparison".to_owned()),
        recorded: Some(true),
        ..EventSource::default()
    });
    event
}
