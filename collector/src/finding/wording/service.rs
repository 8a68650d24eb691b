//! Sentences about what mail and directory services recorded: mailboxes, sign-ins, and who was given access.

use ntk_evidence::event::{Action, ChangeWhat, Outcome};

use super::{Deed, Finding, account_and_way, closed_by_comma, named};
use crate::report::text::{count, number};

/// What was done in a mailbox, and that it is the service that says so.
pub(super) fn mail(finding: &Finding, deed: &Deed) -> String {
    let messages = |one: &str, more: &str| match deed.count {
        1 => format!("a message was {one}"),
        n => format!("{} {more}", count(n, "message was", "messages were")),
    };
    let what = match deed.action {
        Some(Action::List) => "folders were synchronised, items unknown".to_owned(),
        Some(Action::Create) => messages("made, copied or sent", "made, copied or sent"),
        Some(Action::Write) => messages("changed", "changed"),
        Some(Action::Delete) => messages("removed", "removed"),
        Some(Action::Rename) => messages("moved", "moved"),
        _ => messages("accessed", "accessed"),
    };
    let ending = match deed.outcome {
        Some(Outcome::Denied | Outcome::Failed) => "; it was refused or failed",
        _ => "",
    };
    let from = finding.way.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
    format!(
        "In {} {what}, by {}{from}, as the mail service recorded{ending}.",
        finding.asset.label,
        account_and_way(finding)
    )
}

/// One kind of deed in a mailbox, where it is counted.
pub(super) fn deed(action: &Action) -> &'static str {
    match action {
        Action::List => "folder synchronised",
        Action::Create => "message made, copied or sent",
        Action::Write => "message changed",
        Action::Delete => "message removed",
        Action::Rename => "message moved",
        _ => "message accessed",
    }
}

/// What was done with health records, and that it is the system that says so.
pub(super) fn health_records(finding: &Finding, deed: &Deed) -> String {
    let records = |what: &str| match deed.count {
        1 => format!("a health record was {what}"),
        n => format!("{} {what}", count(n, "health record was", "health records were")),
    };
    let what = match deed.action {
        Some(Action::Create) => "entries were made in health records".to_owned(),
        Some(Action::Delete) => "entries of health records were removed".to_owned(),
        Some(Action::List) => "health records were listed".to_owned(),
        Some(Action::Write) => records("changed"),
        _ => records("opened"),
    };
    let ending = match deed.outcome {
        Some(Outcome::Denied | Outcome::Failed) => "; it was refused or failed",
        _ => "",
    };
    let from = finding.way.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
    format!("{what} by {}{from}, as the health-record system recorded{ending}.", account_and_way(finding))
}

/// Whether it is about signing in to a service, not about messages.
pub(super) fn is_sign_in(finding: &Finding) -> bool {
    !finding.deeds.is_empty() && finding.deeds.iter().all(|deed| deed.action.is_none())
}

/// A sign-in to a mail service.
pub(super) fn sign_in(finding: &Finding) -> String {
    let from = finding.way.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
    let sign_ins = count(finding.n_accesses, "sign-in", "sign-ins");
    let sign_ins = if finding.n_accesses == 1 { "A sign-in".to_owned() } else { sign_ins };
    let ending = if finding.is_only_attempts() {
        if finding.n_accesses == 1 { "was refused" } else { "were refused" }
    } else {
        "succeeded"
    };
    if !finding.is_verified {
        let name = match (&finding.account, &finding.holder) {
            (Some(name), Some(holder)) => format!("the name {name} (held by {holder})"),
            (Some(name), None) => format!("the name {name}"),
            (None, _) => "names that are not in the roster".to_owned(),
        };
        return format!("{sign_ins} to {}{from} with {name} {ending}.", finding.host);
    }
    format!("{sign_ins} to {}{from} with {} {ending}.", finding.host, closed_by_comma(named(finding)))
}

/// A change of who may reach mail or sign in as whom: the asset, then what was done.
pub(super) fn change(finding: &Finding) -> String {
    let to = finding.way.to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
    let what = match finding.way.change {
        Some(ChangeWhat::MailboxPermission) => format!("access was given{to}"),
        Some(ChangeWhat::FolderPermission) => format!("access to a folder was given or changed{to}"),
        Some(ChangeWhat::SendAs) => format!("that right was given{to}"),
        Some(ChangeWhat::Forwarding) => format!("its mail was set to go on{to}"),
        Some(ChangeWhat::TransportRule) => format!("a rule for everybody’s mail was made or changed{to}"),
        Some(ChangeWhat::JournalRule) => format!("copies of mail were set to go{to}"),
        Some(ChangeWhat::Connector) => "the servers that mail passes through were changed".to_owned(),
        Some(ChangeWhat::MailboxExport) => "an export of it as a file was asked for".to_owned(),
        Some(ChangeWhat::ContentSearch) => {
            "a search through the contents of mailboxes was made, looked at or taken out".to_owned()
        }
        Some(ChangeWhat::Impersonation) => format!("the right to act as other people was given{to}"),
        Some(ChangeWhat::Application) => format!("rights were given{to}, an application"),
        Some(ChangeWhat::ApplicationCredential) => {
            format!("a key or password was given{to}, an application")
        }
        Some(ChangeWhat::Role) => format!("an administrator’s role was given{to}"),
        Some(ChangeWhat::PasswordReset) => "the password was set by another account".to_owned(),
        Some(ChangeWhat::SecondFactor) => {
            "a second factor was set, removed or passed over by another account".to_owned()
        }
        Some(ChangeWhat::SignInRules) => "the rules of signing in were changed".to_owned(),
        Some(ChangeWhat::Account | ChangeWhat::Other(_)) | None => {
            "an account or right was changed".to_owned()
        }
    };
    let more = match finding.n_accesses {
        0 | 1 => String::new(),
        n => format!(" {} changes of that kind followed in this session.", number(n.saturating_sub(1))),
    };
    let by = account_and_way(finding);
    if finding.is_only_attempts() {
        return format!(
            "A change of {} was asked for by {by}, and refused or failed: {what}.",
            finding.asset.label
        );
    }
    format!("{} was changed: {what}, by {by}.{more}", finding.asset.label)
}
