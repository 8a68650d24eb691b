//! What an `account_change` changed: who may reach mail from then on, or as whom.

use serde::{Deserialize, Serialize};

use super::OtherFields;

vocabulary! {
    /// What was changed. All but [`ChangeWhat::Account`] let somebody reach mail, or act as somebody else, from then on.
    ChangeWhat {
        /// An account, group or right of which nothing more is said here.
        Account = "account",
        /// Somebody may open another's mailbox (`Add-MailboxPermission`).
        MailboxPermission = "mailbox_permission",
        /// Somebody may open a folder of another's mailbox (`Add-MailboxFolderPermission`).
        FolderPermission = "folder_permission",
        /// Somebody may send in another's name (`Add-RecipientPermission`).
        SendAs = "send_as",
        /// Mail of a mailbox goes on to another address (`New-InboxRule`, `Set-Mailbox -ForwardingSmtpAddress`).
        Forwarding = "forwarding",
        /// A rule for the mail of everybody (`New-TransportRule`).
        TransportRule = "transport_rule",
        /// Copies of mail go to an address (`New-JournalRule`).
        JournalRule = "journal_rule",
        /// Mail passes through another server (`New-OutboundConnector`).
        Connector = "connector",
        /// A mailbox was exported as a file (`New-MailboxExportRequest`).
        MailboxExport = "mailbox_export",
        /// Mailboxes were searched by their contents, or what was found was looked at or taken out (`New-ComplianceSearch`).
        ContentSearch = "content_search",
        /// An account or application may act as other people (`New-ManagementRoleAssignment`).
        Impersonation = "impersonation",
        /// An application was let in, or given rights (`Consent to application`, `Add app role assignment`).
        Application = "application",
        /// An application got a new key or password.
        ApplicationCredential = "application_credential",
        /// An account got an administrator's role.
        Role = "role",
        /// An account's password was set by another account.
        PasswordReset = "password_reset",
        /// A second factor of an account was set, removed or passed over by another account; a Temporary Access Pass was made.
        SecondFactor = "second_factor",
        /// What is asked for at a sign-in was changed for many (conditional access, security defaults).
        SignInRules = "sign_in_rules",
    }
}

vocabulary! {
    /// In what capacity a mail service let an account into a mailbox.
    ActingAs {
        /// As the one whose mailbox it is.
        Owner = "owner",
        /// As an administrator, through a tool of the service.
        Admin = "admin",
        /// As somebody who was given access to the mailbox.
        Delegate = "delegate",
        /// No person: an application with rights of its own.
        Application = "application",
        /// The service itself.
        Service = "service",
    }
}

/// Details of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What was changed. Of whom, or of whose mailbox, is the object's owner.
    pub what: ChangeWhat,
    /// Who or what it was given to: an account, an address, an application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What was given, in the source's own words: `FullAccess`. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rights: Vec<String>,
    /// Whether it was taken away instead of given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_removal: bool,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl ChangeWhat {
    /// Whether it lets somebody reach mail, or act as somebody else, from then on.
    pub fn opens_a_way(&self) -> bool {
        !matches!(self, Self::Account | Self::Other(_))
    }
}
