//! What was done in mailboxes, by whom in what capacity.

use jiff::{SignedDuration, Timestamp};
use ntk_evidence::event::{ActingAs, Action, Event, Gap, Kind, Object, Process};
use serde_json::Value;

use super::fields::Fields;
use super::{BY_SERVICE, Base, Found, mailbox};

/// How long a mailbox is not recorded once it was throttled: Microsoft, "Use MailItemsAccessed to investigate compromised
/// accounts" (more than 1,000 records in less than 24 hours stop its Bind records for 24 hours).
const THROTTLED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The events of an operation on a mailbox.
pub(super) fn read(base: &Base<'_>) -> Option<Found> {
    let action = match base.operation.as_str() {
        "MailItemsAccessed" | "FolderBind" | "MessageBind" | "SearchQueryInitiatedExchange" => Action::Read,
        "Create" | "Copy" | "Send" | "SendAs" | "SendOnBehalf" => Action::Create,
        "Update" => Action::Write,
        "Move" | "MoveToDeletedItems" => Action::Rename,
        "SoftDelete" | "HardDelete" => Action::Delete,
        _ => return None,
    };
    let fields = base.fields;
    let is_of_mailbox = base.operation.contains("Mail")
        || fields
            .value(&["MailboxOwnerUPN", "MailboxGuid", "MailboxOwnerSid", "LogonType", "Logon_Type"])
            .is_some();
    if !is_of_mailbox && base.operation != "SearchQueryInitiatedExchange" {
        // Files and lists have operations of these names, too.
        let is_exchange = fields.text(&["Workload", "OfficeWorkload"]).is_some_and(|name| name == "Exchange");
        let kind = fields.text(&["RecordType"]).unwrap_or_default();
        if !is_exchange
            && !matches!(kind.as_str(), "2" | "3" | "50" | "ExchangeItem" | "ExchangeItemAggregated")
        {
            return None;
        }
    }
    let mut event = base.event(Kind::FileAccess);
    event.action = Some(action);
    event.object = Some(object(base));
    event.count = count(fields).filter(|count| *count > 1);
    event.process = client(fields);
    if let Some(access) = fields.named(&["OperationProperties"], "MailAccessType") {
        if access == "Sync" {
            event.action = Some(Action::List);
        }
        if let Some(source) = &mut event.source {
            source.operation = Some(access);
        }
    }
    acting(base, &mut event);
    let is_services = event.actor.as_ref().is_some_and(|actor| actor.acting_as == Some(ActingAs::Service));
    if is_services {
        return Some(Found::Noise(BY_SERVICE));
    }
    let is_throttled = fields.named(&["OperationProperties"], "IsThrottled");
    let mut events = vec![event];
    if is_throttled.is_some_and(|truth| truth.eq_ignore_ascii_case("true")) {
        events.push(throttled(base));
    }
    Some(Found::Events(events))
}

/// The mailbox, and its folder where the record names one only.
fn object(base: &Base<'_>) -> Object {
    let fields = base.fields;
    let own = || fields.text(&["UserId"]).filter(|user| user.contains('@') && is_owners(base));
    let owner = fields.text(&["MailboxOwnerUPN"]).or_else(own).or_else(|| fields.text(&["MailboxGuid"]));
    let folders = fields.list(&["Folders", "Folder"]);
    let path = |folder: &Value| Fields::of(folder).text(&["Path", "FolderPathName"]);
    let path = match folders.as_slice() {
        [only] => path(only),
        [] => fields
            .list(&["Item", "AffectedItems"])
            .first()
            .and_then(|item| Fields::of(item).list(&["ParentFolder"]).first().and_then(path)),
        _ => None,
    };
    Object { path, ..mailbox(owner) }
}

fn count(fields: &Fields<'_>) -> Option<u64> {
    let items = || {
        let folders = fields.list(&["Folders"]);
        let of = |folder: &Value| Fields::of(folder).list(&["FolderItems"]).len();
        let items: usize = folders.iter().map(of).sum();
        let affected = fields.list(&["AffectedItems"]).len();
        u64::try_from(items.max(affected)).ok().filter(|n| *n > 0)
    };
    items().or_else(|| fields.text(&["OperationCount"])?.parse().ok())
}

/// What the mail was opened with: `OWA`, `REST`, `MSExchangeRPC`, and the application behind it.
fn client(fields: &Fields<'_>) -> Option<Process> {
    let said = fields.text(&["ClientInfoString"])?;
    let name = said.split(';').find_map(|part| part.trim().strip_prefix("Client=")).unwrap_or(&said);
    let app = fields.text(&["ClientAppId", "AppId"]).filter(|app| app.len() > 8);
    let exe = app.map_or_else(|| name.to_owned(), |app| format!("{name}, application {app}"));
    Some(Process { exe: Some(exe), ..Process::default() })
}

/// LogonType 0, 1, 2: owner, administrator, delegate. Sentinel writes the words.
fn logon(base: &Base<'_>) -> Option<ActingAs> {
    Some(match base.fields.text(&["LogonType", "Logon_Type", "InternalLogonType"])?.as_str() {
        "0" | "Owner" => ActingAs::Owner,
        "1" | "Admin" | "3" | "Transport" | "DelegatedAdmin" | "6" => ActingAs::Admin,
        "2" | "Delegated" | "Delegate" => ActingAs::Delegate,
        _ => return None,
    })
}

/// Whether the record itself shows the owner at work: by its capacity, and by both identifiers where both stand there.
fn is_owners(base: &Base<'_>) -> bool {
    let sids = (base.fields.text(&["LogonUserSid"]), base.fields.text(&["MailboxOwnerSid"]));
    let is_one = !matches!(&sids, (Some(user), Some(owner)) if user != owner);
    logon(base).is_none_or(|logon| logon == ActingAs::Owner) && is_one
}

fn acting(base: &Base<'_>, event: &mut Event) {
    let Some(actor) = &mut event.actor else { return };
    if actor.acting_as.is_some() {
        return;
    }
    let said = logon(base);
    actor.acting_as = match said {
        Some(ActingAs::Owner) if !is_owners(base) => Some(ActingAs::Delegate),
        said => said,
    };
}

/// The service stopped recording what is opened in this mailbox.
fn throttled(base: &Base<'_>) -> Event {
    let mut event = base.event(Kind::Gap);
    (event.outcome, event.actor) = (None, None);
    event.object = Some(mailbox(base.fields.text(&["MailboxOwnerUPN"])));
    if let Some(source) = &mut event.source {
        source.record = Some(format!("{}/throttled", base.record));
    }
    let until: Option<Timestamp> = base.time.checked_add(THROTTLED_FOR).ok();
    event.gap = Some(Gap {
        cause: "mailbox_throttled".to_owned(),
        from: Some(base.time.to_string()),
        to: until.map(|until| until.to_string()),
        lost: None,
        other: Default::default(),
    });
    event
}
