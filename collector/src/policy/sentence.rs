//! The sentence of a cell that the manager gave none.

use super::{Area, EVERYONE, Rule};

/// `IT administrators may never open the manager’s mailbox.`
pub(super) fn default_sentence(role: &str, area: Area, rule: Rule) -> String {
    let who = role_in_words(role);
    let what = deed(area);
    match rule {
        Rule::Never => format!("{who} may never {what}."),
        Rule::WithTicket => format!("{who} may {what} under an approved ticket."),
        Rule::InHours => format!("{who} may {what} in opening hours."),
        Rule::Always => format!("{who} may {what} at any time."),
        Rule::Own => format!("{who} may {what} where it is their own."),
    }
}

/// The row's name as people say it.
fn role_in_words(role: &str) -> String {
    match role {
        EVERYONE => "Everyone in the roster".to_owned(),
        "manager" => "The practice manager".to_owned(),
        "physician" => "Physicians".to_owned(),
        "nurse" => "Nurses".to_owned(),
        "billing" => "Billing".to_owned(),
        "frontdesk" => "The front desk".to_owned(),
        "itadmin" => "IT administrators".to_owned(),
        "vendor" => "Vendors".to_owned(),
        "dentist" => "Dentists".to_owned(),
        "hygienist" => "Hygienists".to_owned(),
        "assistant" => "Dental assistants".to_owned(),
        "sitelead" => "Site leads".to_owned(),
        "helpdesk" => "The help desk".to_owned(),
        "reviewer" => "The second reviewer".to_owned(),
        other => format!("People with the role “{other}”"),
    }
}

fn deed(area: Area) -> &'static str {
    match area {
        Area::Mailbox => "open other people’s mailboxes",
        Area::OwnMailbox => "open their own mailbox",
        Area::ManagersMailbox => "open the manager’s mailbox",
        Area::Voicemail => "open other people’s voicemail",
        Area::OwnVoicemail => "open their own voicemail",
        Area::Ehr => "open files of the health-record system",
        Area::Export => "open exports of health records",
        Area::Hr => "open personnel files",
        Area::OwnHr => "open their own personnel file",
        Area::Backup => "open backups",
        Area::System => "open system and account files",
        Area::SelfFiles => "open Need-to-Know’s own files",
        Area::Login => "log in",
        Area::Elevation => "take on another account’s rights",
        Area::RemoteControl => "drive a session by remote control",
        Area::Recording => "change what is recorded",
        Area::AccessRights => "change who may reach mail or sign in as others",
    }
}
