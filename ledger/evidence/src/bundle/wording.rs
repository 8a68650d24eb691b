//! What a record proves, in words: account, computer and a verb from a fixed table (RP-3).
//!
//! No sentence here says that a person did something, and no verb says more than the sensor can know.

mod mail;
pub mod table;

use crate::act;
use crate::event::{Action, Event, Kind, Outcome, TamperKind};

/// The verb that the record of a file access proves.
pub fn file_verb(event: &Event) -> &'static str {
    if let Some(verb) = mail::verb(event) {
        return verb;
    }
    let refused = matches!(event.outcome, Some(Outcome::Denied));
    match (event.source.as_ref().and_then(|source| source.event_id), refused) {
        (Some(4656), true) => return "asked for access, refused",
        (Some(4656), false) => return "asked for access",
        (Some(4663), _) => return "used access, first use on this handle",
        (Some(5145), true) => return "was checked for access over the share, refused",
        (Some(5145), false) => return "was checked for access over the share",
        _ => {}
    }
    let failed = matches!(event.outcome, Some(Outcome::Failed));
    match (&event.action, refused, failed) {
        (Some(Action::Read), false, false) => "opened for reading",
        (Some(Action::Read), true, _) => "asked to open for reading, refused",
        (Some(Action::Read), false, true) => "asked to open for reading, failed",
        (Some(Action::Write), false, false) => "opened for writing",
        (Some(Action::Write), true, _) => "asked to open for writing, refused",
        (Some(Action::Write), false, true) => "asked to open for writing, failed",
        (Some(Action::Create), false, false) => "created",
        (Some(Action::Create), true, _) => "asked to create, refused",
        (Some(Action::Create), false, true) => "asked to create, failed",
        (Some(Action::Delete), false, false) => "removed",
        (Some(Action::Delete), true, _) => "asked to remove, refused",
        (Some(Action::Delete), false, true) => "asked to remove, failed",
        (Some(Action::Rename), false, false) => "renamed",
        (Some(Action::Rename), true, _) => "asked to rename, refused",
        (Some(Action::Rename), false, true) => "asked to rename, failed",
        (Some(Action::Link), false, false) => "gave a second name",
        (Some(Action::Link), true, _) => "asked to give a second name, refused",
        (Some(Action::Link), false, true) => "asked to give a second name, failed",
        (Some(Action::Attributes), false, false) => "changed attributes",
        (Some(Action::Attributes), true, _) => "asked to change attributes, refused",
        (Some(Action::Attributes), false, true) => "asked to change attributes, failed",
        (Some(Action::List), false, false) => "opened for listing",
        (Some(Action::List), true, _) => "asked to open for listing, refused",
        (Some(Action::List), false, true) => "asked to open for listing, failed",
        (Some(Action::OpenDenied), _, _) => "asked to open, refused",
        (Some(Action::Other(_)) | None, _, _) => "touched, in a way that this version has no word for",
    }
}

/// The verb of any event.
pub fn verb(event: &Event) -> &'static str {
    match (&event.kind, &event.outcome) {
        (Kind::FileAccess, _) => file_verb(event),
        (Kind::Login, Some(Outcome::Denied | Outcome::Failed)) => "asked for a session, refused",
        (Kind::Login, _) => "session began",
        (Kind::Logout, _) => "session ended",
        (Kind::Elevation, Some(Outcome::Denied | Outcome::Failed)) => {
            "asked for another account's rights, refused"
        }
        (Kind::Elevation, _) => match event.source.as_ref().and_then(|source| source.event_id) {
            Some(4672) => "session was given special privileges",
            Some(4648) => "gave another account's name and password",
            _ => "took on another account's rights",
        },
        (Kind::ProcessStart, _) => "process started",
        (Kind::RemoteControl, _) => "session under remote control",
        (Kind::AccountChange, outcome) => mail::change(event.change.as_deref(), outcome.as_ref()),
        (Kind::Tamper, Some(Outcome::Denied)) => "asked to change the means of recording, refused",
        (Kind::Tamper, _) => {
            event.tamper.as_ref().map_or("recording touched", |tamper| tamper_words(&tamper.what))
        }
        (Kind::Gap, _) => "something was not recorded",
        (Kind::Health, _) => "state of the recording program",
        (Kind::Inventory, _) => "inventory of the computer",
        (Kind::Epoch, _) => "next signing key",
        (Kind::Commission, _) => "on-site test of the recording program",
        (Kind::Other(_), _) if act::is_act(&event.kind) => "act recorded by the collector",
        (Kind::Other(_), _) => "an event of a kind that this version does not know",
    }
}

const fn tamper_words(what: &TamperKind) -> &'static str {
    match what {
        TamperKind::AuditDisabled => "kernel audit was switched off",
        TamperKind::RulesChanged => "audit rules were changed",
        TamperKind::LoginUidChanged => "a login identity was overwritten",
        TamperKind::AgentKilled => "the recording program was ended",
        TamperKind::LogCleared => "a log was cleared",
        TamperKind::AuditPolicyChanged => "the audit policy was changed",
        TamperKind::ClockChanged => "the clock was moved",
        TamperKind::SaclChanged => "an access list for auditing was changed",
        TamperKind::ServiceInstalled => "a service was installed",
        TamperKind::RecordGap => "records are missing from a sequence",
        TamperKind::MountChanged => "a file system was mounted at or from a watched folder",
        TamperKind::AgentTraced => "another program attached itself to the recording program",
        TamperKind::KernelChanged => {
            "the kernel was changed: a module, a kernel, or what it was started with"
        }
        TamperKind::MachineRestored => {
            "the virtual machine went on from an earlier point (a snapshot, a backup or a copy)"
        }
        TamperKind::Other(_) => "the means of recording was touched",
    }
}

/// What the record of an event does not show, by the table.
pub fn does_not_show(event: &Event) -> &'static str {
    table::of_verb(verb(event)).does_not_show
}

/// The account that the record names: the one that logged in, by name or number.
pub fn account(event: &Event) -> Option<String> {
    let actor = event.actor.as_ref()?;
    let name =
        actor.login_user.as_ref().or(actor.upn.as_ref()).or(actor.ehr_user.as_ref()).or(actor.sid.as_ref());
    name.cloned().or_else(|| actor.login_uid.map(|uid| format!("login uid {uid}")))
}

/// One sentence: account, computer, verb, and what was touched as far as it is shown.
pub fn message(event: &Event, computer: Option<&str>) -> String {
    let mut words = match account(event) {
        Some(account) => format!("account {account}"),
        None => "account not named by the record".to_owned(),
    };
    if let Some(user) = event.actor.as_ref().and_then(|actor| actor.effective_user.as_ref()) {
        words.push_str(&format!(" with the rights of {user}"));
    }
    if let Some(claims) = event.actor.as_ref().and_then(|actor| actor.claims.as_ref()) {
        words.push_str(&format!(", claiming {claims}"));
    }
    if let Some(computer) = computer {
        words.push_str(&format!(", computer {computer}"));
    }
    if matches!(event.kind, Kind::Gap | Kind::Health | Kind::Inventory | Kind::Epoch | Kind::Commission)
        || act::is_act(&event.kind)
    {
        words = computer.map_or_else(|| "collector".to_owned(), |computer| format!("computer {computer}"));
    }
    words.push_str(&format!(": {}", verb(event)));
    if act::is_act(&event.kind) {
        words.push_str(&format!(" ({})", event.kind.as_str().trim_start_matches("act_").replace('_', " ")));
    }
    if let Some(commission) = &event.commission {
        words.push_str(&format!(", {}", commission.in_words()));
    }
    if let Some(gap) = &event.gap {
        words.push_str(&format!(", cause {}", gap.cause));
    }
    if let Some(object) = &event.object {
        if let Some(class) = &object.class {
            words.push_str(&format!(", {class}"));
        }
        if let Some(path) = &object.path {
            words.push_str(&format!(", {path}"));
        }
        if let Some(to) = &object.to {
            words.push_str(&format!(", to {to}"));
        }
    }
    if let Some(count) = event.count.filter(|count| *count > 1) {
        words.push_str(&format!(", {count} times"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::table::{ACCUSING_WORDS, TABLE, of_verb};
    use super::*;
    use crate::event::{ChangeWhat, Source, Tamper};

    /// Every event that the vocabulary allows, as far as the verb depends on it.
    fn every_event() -> Vec<Event> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let with_other = |known: &[&str]| [words(known), vec!["something new".to_owned()]].concat();
        let mut events = Vec::new();
        let outcomes: Vec<Option<Outcome>> =
            words(Outcome::WORDS).into_iter().map(|word| Some(Outcome::from(word))).chain([None]).collect();
        for kind in with_other(Kind::WORDS).into_iter().chain(["act_export".to_owned()]) {
            for outcome in &outcomes {
                let mut event = Event::new(Kind::from(kind.clone()), "2026-11-20T20:00:00Z");
                event.outcome = outcome.clone();
                events.push(event.clone());
                for action in with_other(Action::WORDS) {
                    event.action = Some(Action::from(action));
                    events.push(event.clone());
                }
                for number in [4648, 4656, 4663, 4672, 5145] {
                    event.source = Some(Source { event_id: Some(number), ..Source::default() });
                    events.push(event.clone());
                }
                for operation in mail::OPERATIONS {
                    event.source = Some(Source { operation: Some((*operation).into()), ..Source::default() });
                    events.push(event.clone());
                }
                for action in Action::WORDS {
                    event.source =
                        Some(Source { sensor: Some(mail::HEALTH_RECORDS.into()), ..Source::default() });
                    event.action = Some(Action::from((*action).to_owned()));
                    events.push(event.clone());
                }
                (event.source, event.action) = (None, None);
            }
            for what in with_other(ChangeWhat::WORDS) {
                let mut event = Event::new(Kind::AccountChange, "2026-11-20T20:00:00Z");
                event.change = serde_json::from_value(serde_json::json!({"what": what})).ok();
                events.push(event.clone());
                event.outcome = Some(Outcome::Failed);
                events.push(event);
            }
        }
        for what in with_other(TamperKind::WORDS) {
            let mut event = Event::new(Kind::Tamper, "2026-11-20T20:00:00Z");
            event.tamper = serde_json::from_value::<Tamper>(serde_json::json!({"what": what})).ok();
            events.push(event);
        }
        events
    }

    #[test]
    fn every_verb_stands_in_the_table_once_and_says_what_is_not_shown() {
        let events = every_event();
        assert!(events.len() > 400);
        for event in &events {
            let verb = verb(event);
            assert_eq!(TABLE.iter().filter(|line| line.verb == verb).count(), 1, "`{verb}`");
            assert_eq!(of_verb(verb).verb, verb);
            assert!(!does_not_show(event).is_empty());
        }
        for line in TABLE {
            assert!(events.iter().any(|event| verb(event) == line.verb), "no record gives `{}`", line.verb);
        }
    }

    #[test]
    fn the_table_accuses_nobody() {
        for line in TABLE {
            let text = format!("{} {} {}", line.record, line.verb, line.does_not_show).to_lowercase();
            assert!(ACCUSING_WORDS.iter().all(|word| !text.contains(word)), "{text}");
        }
    }
}
