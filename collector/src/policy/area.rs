//! Protected areas: the columns of the table, and which one an event belongs to.

use ntk_evidence::event::Class;
use serde::{Deserialize, Serialize};

/// One column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Another person's mail.
    Mailbox,
    /// The person's own mail.
    OwnMailbox,
    /// The manager's mail, for everybody but the manager.
    ManagersMailbox,
    /// Another person's voice messages.
    Voicemail,
    /// The person's own voice messages.
    OwnVoicemail,
    /// The health-record system.
    Ehr,
    /// Files exported from the health-record system.
    Export,
    /// Personnel files of others.
    Hr,
    /// The person's own personnel file.
    OwnHr,
    /// Copies made for safekeeping.
    Backup,
    /// System and account files.
    System,
    /// Need-to-Know's own files.
    #[serde(rename = "self")]
    SelfFiles,
    /// Logging in.
    Login,
    /// Taking on another account's rights.
    Elevation,
    /// Driving a session through a remote-support tool.
    RemoteControl,
    /// The means of recording.
    Recording,
    /// Who may reach mail, or sign in as whom: rights, forwarding, searches, applications, passwords set by others.
    AccessRights,
}

impl Area {
    /// Every area, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::Mailbox,
        Self::OwnMailbox,
        Self::ManagersMailbox,
        Self::Voicemail,
        Self::OwnVoicemail,
        Self::Ehr,
        Self::Export,
        Self::Hr,
        Self::OwnHr,
        Self::Backup,
        Self::System,
        Self::SelfFiles,
        Self::Login,
        Self::Elevation,
        Self::RemoteControl,
        Self::Recording,
        Self::AccessRights,
    ];

    /// The word as it stands in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::OwnMailbox => "own_mailbox",
            Self::ManagersMailbox => "managers_mailbox",
            Self::Voicemail => "voicemail",
            Self::OwnVoicemail => "own_voicemail",
            Self::Ehr => "ehr",
            Self::Export => "export",
            Self::Hr => "hr",
            Self::OwnHr => "own_hr",
            Self::Backup => "backup",
            Self::System => "system",
            Self::SelfFiles => "self",
            Self::Login => "login",
            Self::Elevation => "elevation",
            Self::RemoteControl => "remote_control",
            Self::Recording => "recording",
            Self::AccessRights => "access_rights",
        }
    }

    /// The area of a file, before it is known whose it is; nothing for a class of a newer version.
    pub fn of_class(class: &Class) -> Option<Self> {
        match class {
            Class::Mailbox => Some(Self::Mailbox),
            Class::Voicemail => Some(Self::Voicemail),
            Class::Ehr => Some(Self::Ehr),
            Class::Export => Some(Self::Export),
            Class::Hr => Some(Self::Hr),
            Class::Backup => Some(Self::Backup),
            Class::System => Some(Self::System),
            Class::SelfFiles => Some(Self::SelfFiles),
            Class::Other(_) => None,
        }
    }

    /// The same area where the asset is the acting person's own.
    pub fn owned(self) -> Self {
        match self {
            Self::Mailbox | Self::ManagersMailbox => Self::OwnMailbox,
            Self::Voicemail => Self::OwnVoicemail,
            Self::Hr => Self::OwnHr,
            other => other,
        }
    }

    /// Whether this is the person's own asset.
    pub fn is_own(self) -> bool {
        matches!(self, Self::OwnMailbox | Self::OwnVoicemail | Self::OwnHr)
    }

    /// The area whose cell applies where this special one has none.
    pub fn general(self) -> Option<Self> {
        match self {
            Self::OwnMailbox | Self::ManagersMailbox => Some(Self::Mailbox),
            Self::OwnVoicemail => Some(Self::Voicemail),
            Self::OwnHr => Some(Self::Hr),
            _ => None,
        }
    }

    /// What a ticket is written for: special areas count as their general one.
    pub fn class(self) -> Self {
        self.general().unwrap_or(self)
    }

    /// Whether the area is files, which a watched folder stands for.
    pub fn is_files(self) -> bool {
        !matches!(
            self,
            Self::Login | Self::Elevation | Self::RemoteControl | Self::Recording | Self::AccessRights
        )
    }

    /// The column's heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Mailbox => "Mailboxes",
            Self::OwnMailbox => "Own mailbox",
            Self::ManagersMailbox => "Manager’s mailbox",
            Self::Voicemail => "Voicemail",
            Self::OwnVoicemail => "Own voicemail",
            Self::Ehr => "Health records",
            Self::Export => "Record exports",
            Self::Hr => "Personnel files",
            Self::OwnHr => "Own personnel file",
            Self::Backup => "Backups",
            Self::System => "System files",
            Self::SelfFiles => "Need-to-Know’s files",
            Self::Login => "Logins",
            Self::Elevation => "Raised rights",
            Self::RemoteControl => "Remote control",
            Self::Recording => "The recording itself",
            Self::AccessRights => "Access to mail",
        }
    }
}

impl std::fmt::Display for Area {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
