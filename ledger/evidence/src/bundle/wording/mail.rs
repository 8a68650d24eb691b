//! Verbs of what mail and directory services record: by the service's own name of the operation.

use crate::event::{Change, ChangeWhat, Event, Outcome};

/// Names of operations that have a verb of their own.
#[cfg(test)]
pub(super) const OPERATIONS: &[&str] = &[
    "Bind",
    "Sync",
    "FolderBind",
    "MessageBind",
    "SearchQueryInitiated",
    "Send",
    "SendAs",
    "SendOnBehalf",
    "Copy",
    "Move",
    "MoveToDeletedItems",
    "SoftDelete",
    "HardDelete",
    "Create",
    "Update",
];

/// The verb of a mailbox operation, where the record names one.
pub(super) fn verb(event: &Event) -> Option<&'static str> {
    let operation = event.source.as_ref()?.operation.as_deref()?;
    let verb = match operation {
        "Bind" => "message accessed",
        "Sync" => "folder synchronised, items unknown",
        "FolderBind" => "folder of a mailbox opened",
        "MessageBind" => "message opened or previewed",
        "SearchQueryInitiated" => "mailbox searched",
        "Send" | "SendAs" | "SendOnBehalf" => "message sent",
        "Copy" => "message copied",
        "Move" | "MoveToDeletedItems" => "message moved",
        "SoftDelete" | "HardDelete" => "message removed",
        "Create" | "Update" => "message made or changed",
        _ => return None,
    };
    let is_refused = matches!(event.outcome, Some(Outcome::Denied | Outcome::Failed));
    Some(if is_refused { "asked the mail service, refused or failed" } else { verb })
}

/// The verb of a change of accounts and rights.
pub(super) fn change(change: Option<&Change>, outcome: Option<&Outcome>) -> &'static str {
    let Some(change) = change else { return "account, group or right changed" };
    if change.what.opens_a_way() && matches!(outcome, Some(Outcome::Denied | Outcome::Failed)) {
        return "asked for a change of who may reach mail, refused or failed";
    }
    match change.what {
        ChangeWhat::Account | ChangeWhat::Other(_) => "account, group or right changed",
        ChangeWhat::MailboxPermission => "access to a mailbox changed",
        ChangeWhat::FolderPermission => "access to a folder of a mailbox changed",
        ChangeWhat::SendAs => "right to send in another name changed",
        ChangeWhat::Forwarding => "forwarding of mail changed",
        ChangeWhat::TransportRule => "rule for everybody's mail changed",
        ChangeWhat::JournalRule => "copying of mail to an address changed",
        ChangeWhat::Connector => "server that mail passes through changed",
        ChangeWhat::MailboxExport => "export of a mailbox asked for",
        ChangeWhat::ContentSearch => "search through mailboxes made, looked at or taken out",
        ChangeWhat::Impersonation => "right to act as others changed",
        ChangeWhat::Application => "application's rights changed",
        ChangeWhat::ApplicationCredential => "application's key or password changed",
        ChangeWhat::Role => "administrator's role changed",
        ChangeWhat::PasswordReset => "password set by another account",
        ChangeWhat::SecondFactor => "second factor of an account changed",
        ChangeWhat::SignInRules => "rules of signing in changed",
    }
}
