//! What a finding is called: account, computer, and a verb that its record proves (RP-3).
//!
//! No sentence here says that a person did something, or why. A verb comes from a fixed table per sensor,
//! action and outcome; beside it stands what the record does not show.

mod limits;
mod service;

use ntk_evidence::event::{ActingAs, Action, Outcome, TamperKind, Via};

pub(super) use limits::innocent_causes;
pub use limits::not_shown;

use super::{Deed, Finding};
use crate::need_to_know::Judgement;
use crate::policy::Area;
use crate::report::text::{capitalise, count, list_of};

/// Words that no generated text may contain; tests hold every sentence to it.
pub const ACCUSING_WORDS: &[&str] = &[
    "stole",
    "steal",
    "stolen",
    "theft",
    "thief",
    "snoop",
    "spy",
    "spied",
    "illegal",
    "unlawful",
    "suspicious",
    "suspect",
    "malicious",
    "violat",
    "guilt",
    "culprit",
    "offend",
    "intrud",
    "attack",
    "abuse",
    "misuse",
    "unauthori",
    "breach",
    "crime",
    "criminal",
    "hack",
    "perpetrat",
    "rogue",
    "fraud",
    "evil",
    "sneak",
    "tamper",
    "forged",
];

/// Which family of records a finding rests on.
enum Family {
    /// Kernel audit or the like: an account is on the record.
    Audit,
    /// Tells that a file was opened, not by whom.
    Unattributed,
    /// Windows 4656: a handle was asked for.
    HandleAsked,
    /// Windows 4663: a right was used on a handle.
    HandleUsed,
    /// Windows 5145: a check at the share.
    ShareChecked,
    /// The mail service's own log.
    MailService,
    /// The health-record system's own log.
    HealthRecords,
}

fn family(finding: &Finding) -> Family {
    match (finding.way.event_id, finding.way.sensor.as_deref()) {
        (Some(4656), _) => Family::HandleAsked,
        (Some(4663), _) => Family::HandleUsed,
        (Some(5145), _) => Family::ShareChecked,
        (_, Some("notify")) => Family::Unattributed,
        (_, Some("ehr-audit")) => Family::HealthRecords,
        (_, Some(sensor)) if sensor.contains("m365") || sensor.contains("exchange") => Family::MailService,
        _ => Family::Audit,
    }
}

/// Why it is shown, in a few words.
pub fn tag(finding: &Finding) -> &'static str {
    match finding.outcome {
        Judgement::Never => "your table says never",
        Judgement::Explained if finding.is_break_glass() => "break-glass was used",
        Judgement::Explained => "explained, but worth a look",
        Judgement::Unexplained | Judgement::NotJudged => "no explanation yet",
    }
}

/// Who had a session at the time, where the record names nobody.
pub fn candidates(finding: &Finding) -> Option<String> {
    let who = list_of(&finding.candidates);
    (!who.is_empty()).then(|| format!("Had a session on {} at that time: {who}.", finding.host))
}

/// The finding in one sentence.
pub fn headline(finding: &Finding) -> String {
    let sentence = match finding.asset.area {
        Area::Login => login(finding),
        Area::Elevation => elevation(finding),
        Area::RemoteControl => {
            let tool = finding.way.tool.as_deref().unwrap_or("A remote-support tool");
            format!("{tool} was driving a session on {}{}.", finding.host, of_account(finding, " of "))
        }
        Area::Recording => {
            let by = of_account(finding, " in a session of ");
            let mut deeds = finding.deeds.iter();
            let is_refused =
                deeds.len() > 0 && deeds.all(|deed| matches!(deed.outcome, Some(Outcome::Denied)));
            format!("{}.", recording(finding.way.tamper.as_ref(), is_refused, &finding.host, &by))
        }
        Area::AccessRights => service::change(finding),
        area if area.class() == Area::Mailbox && service::is_sign_in(finding) => service::sign_in(finding),
        _ => file(finding),
    };
    capitalise(&sentence)
}

fn file(finding: &Finding) -> String {
    let asset = &finding.asset.label;
    let host = &finding.host;
    let Some(deed) = chief_deed(finding) else {
        return format!("{asset} was touched on {host} by {}.", account_and_way(finding));
    };
    let is_refused = matches!(deed.outcome, Some(Outcome::Denied));
    let is_failed = matches!(deed.outcome, Some(Outcome::Failed));
    match family(finding) {
        Family::Unattributed => {
            return format!("{} on {host}; this sensor cannot show by whom.", plain_verb(deed, asset));
        }
        Family::HandleAsked => {
            let ending = if is_refused { " and was refused" } else { "" };
            return format!("{} asked for access to {asset} on {host}{ending}.", subject(finding));
        }
        Family::HandleUsed => {
            let right = deed.action.as_ref().map_or("read", right_in_words);
            return format!(
                "{} used {right} access to {asset} on {host}, first use on this handle.",
                subject(finding)
            );
        }
        Family::ShareChecked => {
            return format!(
                "{} was checked for access to {asset} over the share on {host}.",
                subject(finding)
            );
        }
        Family::MailService => {
            return service::mail(finding, deed);
        }
        Family::HealthRecords => return service::health_records(finding, deed),
        Family::Audit => {}
    }
    if is_refused || is_failed {
        let ending = if is_refused { "was refused to" } else { "failed for" };
        return format!("{} on {host} {ending} {}.", attempt(deed, asset), account_and_way(finding));
    }
    format!("{} on {host} by {}.", plain_verb(deed, asset), account_and_way(finding))
}

/// The action that matters most, done before attempted.
fn chief_deed(finding: &Finding) -> Option<&Deed> {
    let weight = |deed: &&Deed| {
        let is_done = matches!(deed.outcome, Some(Outcome::Success) | None);
        let action = match deed.action {
            Some(Action::Delete) => 8,
            Some(Action::Rename) => 7,
            Some(Action::Link) => 6,
            Some(Action::Write) => 5,
            Some(Action::Read) => 4,
            Some(Action::Create) => 3,
            Some(Action::Attributes) => 2,
            Some(Action::List) => 1,
            Some(Action::OpenDenied | Action::Other(_)) | None => 0,
        };
        (is_done, action)
    };
    finding.deeds.iter().max_by_key(weight)
}

fn plain_verb(deed: &Deed, asset: &str) -> String {
    let files = |one: &str, more: &str| if deed.count == 1 { one.to_owned() } else { more.to_owned() };
    let was = if asset.ends_with("exports") || asset.ends_with('s') && !asset.contains(" of ") {
        "were"
    } else {
        "was"
    };
    match &deed.action {
        Some(Action::Read) => format!("{asset} {was} opened for reading"),
        Some(Action::Write) => format!("{asset} {was} opened for writing"),
        Some(Action::List) => format!("the contents of {asset} were listed"),
        Some(Action::Create) => format!("{} created in {asset}", files("a file was", "files were")),
        Some(Action::Delete) => format!("{} removed from {asset}", files("a file was", "files were")),
        Some(Action::Rename) => format!("{} moved or renamed in {asset}", files("a file was", "files were")),
        Some(Action::Link) => format!("{} given a second name in {asset}", files("a file was", "files were")),
        Some(Action::Attributes) => format!("access rights or other attributes were changed in {asset}"),
        Some(Action::OpenDenied | Action::Other(_)) | None => format!("{asset} {was} opened"),
    }
}

fn attempt(deed: &Deed, asset: &str) -> String {
    match &deed.action {
        Some(Action::Read) => format!("opening {asset} for reading"),
        Some(Action::Write) => format!("opening {asset} for writing"),
        Some(Action::List) => format!("listing {asset}"),
        Some(Action::Create) => format!("creating a file in {asset}"),
        Some(Action::Delete) => format!("removing a file from {asset}"),
        Some(Action::Rename) => format!("moving or renaming a file in {asset}"),
        Some(Action::Link) => format!("giving a file a second name in {asset}"),
        Some(Action::Attributes) => format!("changing attributes in {asset}"),
        Some(Action::OpenDenied | Action::Other(_)) | None => format!("opening {asset}"),
    }
}

fn right_in_words(action: &Action) -> &'static str {
    match action {
        Action::Write | Action::Create | Action::Rename | Action::Link => "write",
        Action::Delete => "delete",
        Action::Attributes => "change-attributes",
        Action::List => "list",
        Action::Read | Action::OpenDenied | Action::Other(_) => "read",
    }
}

fn elevation(finding: &Finding) -> String {
    let whose = finding.way.working_as.as_deref().unwrap_or("another account");
    let through =
        finding.way.after.as_ref().map(|program| format!(", through {program}")).unwrap_or_default();
    let (host, account) = (&finding.host, named(finding));
    if finding.is_only_attempts() {
        return format!(
            "Opening a session with the rights of {whose} was refused on {host} to {account}{through}."
        );
    }
    format!("A session with the rights of {whose} was opened on {host} by {account}{through}.")
}

fn login(finding: &Finding) -> String {
    let from = finding.way.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
    let host = &finding.host;
    if !finding.is_verified {
        let names = match (&finding.account, &finding.holder) {
            (Some(name), Some(holder)) => format!("the name {name} (held by {holder})"),
            (Some(name), None) => format!("the name {name}"),
            (None, _) => "names that are not in the roster".to_owned(),
        };
        let logins = if finding.n_accesses == 1 {
            "A login".to_owned()
        } else {
            count(finding.n_accesses, "login", "logins")
        };
        let was = if finding.n_accesses == 1 { "was" } else { "were" };
        return format!("{logins} to {host}{from} with {names} {was} refused.");
    }
    let ending = if finding.is_only_attempts() { "was refused" } else { "succeeded" };
    format!("A login to {host}{from} with {} {ending}.", closed_by_comma(named(finding)))
}

/// What was done to the means of recording, or was asked for and refused; `by` stands behind it.
pub(crate) fn recording(what: Option<&TamperKind>, is_refused: bool, host: &str, by: &str) -> String {
    // A service is no computer.
    let at = if host.contains(' ') || host == "Exchange" { "in" } else { "on" };
    if is_refused {
        format!("{} {at} {host} was asked for{by}, and refused", recording_asked(what))
    } else {
        format!("{} {at} {host}{by}", recording_done(what))
    }
}

fn recording_asked(what: Option<&TamperKind>) -> &'static str {
    match what {
        Some(TamperKind::AuditDisabled) => "Switching kernel audit off",
        Some(TamperKind::RulesChanged) => "Changing the audit rules",
        Some(TamperKind::LoginUidChanged) => "Overwriting a login identity",
        Some(TamperKind::AgentKilled) => "Ending the agent",
        Some(TamperKind::LogCleared) => "Clearing a log",
        Some(TamperKind::AuditPolicyChanged) => "Changing the audit policy",
        Some(TamperKind::ClockChanged) => "Moving the clock",
        Some(TamperKind::SaclChanged) => "Changing the list of recorded accesses",
        Some(TamperKind::ServiceInstalled) => "Installing a service",
        Some(TamperKind::MountChanged) => "Mounting a file system at or from a watched folder",
        Some(TamperKind::AgentTraced) => "Attaching another program to the agent",
        Some(TamperKind::KernelChanged) => "Changing the kernel (a module, or a kernel)",
        Some(TamperKind::MachineRestored) => "Putting the machine back to an earlier point",
        Some(TamperKind::RecordGap | TamperKind::Other(_)) | None => "A change of the recording",
    }
}

fn recording_done(what: Option<&TamperKind>) -> &'static str {
    match what {
        Some(TamperKind::AuditDisabled) => "Kernel audit was switched off",
        Some(TamperKind::RulesChanged) => "The audit rules were changed",
        Some(TamperKind::LoginUidChanged) => "A login identity was overwritten",
        Some(TamperKind::AgentKilled) => "The agent was ended",
        Some(TamperKind::LogCleared) => "A log was cleared",
        Some(TamperKind::AuditPolicyChanged) => "The audit policy was changed",
        Some(TamperKind::ClockChanged) => "The clock was moved",
        Some(TamperKind::SaclChanged) => "The list of recorded accesses was changed",
        Some(TamperKind::ServiceInstalled) => "A service was installed",
        Some(TamperKind::RecordGap) => "Records are missing",
        Some(TamperKind::MountChanged) => "A file system was mounted at or from a watched folder",
        Some(TamperKind::AgentTraced) => "Another program attached itself to the agent",
        Some(TamperKind::KernelChanged) => {
            "The kernel was changed (a module, a kernel, or what it was started with)"
        }
        Some(TamperKind::MachineRestored) => {
            "The machine went on from an earlier point (a snapshot, a backup or a copy)"
        }
        Some(TamperKind::Other(_)) | None => "The recording was changed",
    }
}

/// `account itadmin1 (held by Northwind IT)`; says so where the roster has no holder, or the record no account.
pub fn account(finding: &Finding) -> String {
    match (&finding.account, &finding.holder) {
        (Some(account), Some(holder)) => format!("account {account}, held by {holder}"),
        (Some(account), None) => format!("account {account}, not in the roster"),
        (None, _) => "an account that the record does not name".to_owned(),
    }
}

/// The account as part of a sentence.
fn named(finding: &Finding) -> String {
    match (&finding.account, &finding.holder) {
        (Some(account), Some(holder)) => format!("account {account} (held by {holder})"),
        (Some(account), None) => format!("account {account}, which is not in the roster"),
        (None, _) => "an account that the record does not name".to_owned(),
    }
}

fn account_and_way(finding: &Finding) -> String {
    match way(finding) {
        Some(way) => format!("{}, {way}", named(finding)),
        None => named(finding),
    }
}

/// The account where a verb follows.
fn subject(finding: &Finding) -> String {
    closed_by_comma(account_and_way(finding))
}

fn closed_by_comma(text: String) -> String {
    if text.contains(", ") { format!("{text},") } else { text }
}

/// `working as root after sudo, through AnyDesk`.
pub fn way(finding: &Finding) -> Option<String> {
    let mut parts = Vec::new();
    match (&finding.way.working_as, &finding.way.after) {
        (Some(user), Some(after)) => parts.push(format!("working as {user} after {after}")),
        (Some(user), None) => parts.push(format!("working as {user}")),
        (None, _) => {}
    }
    if let Some(tool) = &finding.way.tool {
        parts.push(format!("in a session driven through {tool}"));
    }
    match &finding.way.acting_as {
        Some(ActingAs::Admin) => parts.push("as an administrator".to_owned()),
        Some(ActingAs::Delegate) => parts.push("as a delegate".to_owned()),
        Some(ActingAs::Application) => parts.push("an application with rights of its own".to_owned()),
        Some(ActingAs::Owner | ActingAs::Service | ActingAs::Other(_)) | None => {}
    }
    match &finding.way.via {
        Some(Via::RawDisk) => parts.push("through the raw disk".to_owned()),
        Some(Via::ShadowCopy) => parts.push("through a shadow copy".to_owned()),
        Some(Via::Share) => parts.push("over a network share".to_owned()),
        Some(Via::Handle) => parts.push("through a file handle".to_owned()),
        Some(Via::Direct | Via::IoUring | Via::Other(_)) | None => {}
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn of_account(finding: &Finding, before: &str) -> String {
    if finding.account.is_none() {
        return "; the record does not show by which account".to_owned();
    }
    format!("{before}{}", account(finding))
}

/// How much: `4,012 opened for reading, 2 refused when opening for reading`.
pub fn what(finding: &Finding) -> String {
    let parts: Vec<_> = finding
        .deeds
        .iter()
        .map(|deed| {
            let verb = match (&deed.action, finding.asset.area) {
                (_, Area::AccessRights) => "change of who may reach mail",
                (Some(action), _) if matches!(family(finding), Family::MailService) => service::deed(action),
                (Some(Action::Read), _) => "opened for reading",
                (Some(Action::Write), _) => "opened for writing",
                (Some(Action::List), _) => "listed",
                (Some(Action::Create), _) => "created",
                (Some(Action::Delete), _) => "removed",
                (Some(Action::Rename), _) => "moved or renamed",
                (Some(Action::Link), _) => "given a second name",
                (Some(Action::Attributes), _) => "attributes changed",
                (Some(Action::OpenDenied), _) => "opened, for what is not recorded",
                (Some(Action::Other(_)), _) => "touched in a way that this version does not know",
                (None, Area::Login) => "login",
                (None, Area::Elevation) => "rights taken on",
                (None, Area::Recording) => "change to the recording",
                (None, Area::RemoteControl) => "remote control",
                (None, area) if area.class() == Area::Mailbox => "sign-in",
                (None, _) => "recorded",
            };
            let ending = match deed.outcome {
                Some(Outcome::Denied) => ": refused",
                Some(Outcome::Failed) => ": failed",
                Some(Outcome::Success | Outcome::Other(_)) | None => "",
            };
            format!("{} × {verb}{ending}", crate::report::text::number(deed.count))
        })
        .collect();
    list_of(&parts)
}

#[cfg(test)]
pub(crate) mod tests;
