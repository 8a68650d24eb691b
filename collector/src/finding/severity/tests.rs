//! What makes a finding urgent, high, normal or low.

use expect_test::{Expect, expect};
use jiff::tz::TimeZone;
use ntk_evidence::event::Event;

use super::*;
use crate::finding::Findings;
use crate::need_to_know::{Access, Reason, decide};
use crate::policy::Policy;
use crate::roster::Roster;
use crate::signal::Signal;
use crate::ticket::Tickets;

/// `kind, actor, rest of the event, signal or reason`: the severity it is given.
fn weigh(kind: &str, actor: &str, rest: &str, beside: &str) -> String {
    let json = format!(
        r#"{{"kind":"{kind}","time":"2026-11-19T02:03:00Z","actor":{{{actor}}},{rest}"source":{{"sensor":"linux-audit"}}}}"#
    );
    let event: Event = serde_json::from_str(&json).unwrap();
    let roster = Roster::parse(include_str!("../../../templates/roster-example.toml")).unwrap();
    let policy = Policy::parse(Policy::template("small-practice").unwrap()).unwrap();
    let access = Access::new("agent/ws-01", "ws-01", 7, &event, &TimeZone::UTC);
    let mut decision = decide(&access, &roster, &policy, &Tickets::default());
    let mut signals = Vec::new();
    match beside.split_once(' ') {
        Some(("break-glass", _)) => {
            decision.outcome = Judgement::Explained;
            decision.reasons.push(Reason::new("break-glass:B-1", "Break-glass B-1."));
        }
        Some(("left", _)) => decision.reasons.push(Reason::new("left", "They left.")),
        Some((weight, kind)) => signals.push(Signal {
            kind: serde_json::from_value(kind.into()).unwrap(),
            sentence: "Unusual.".to_owned(),
            weight: serde_json::from_value(weight.into()).unwrap(),
        }),
        None => {}
    }
    let steps = Findings::new().observe(&access, &decision, &signals, &[]);
    let severity = steps.first().map(|step| step.finding().severity);
    severity.map_or("nothing".to_owned(), |severity| format!("{severity:?}"))
}

#[track_caller]
fn check(cases: &[(&str, &str, &str, &str, &str)], expected: Expect) {
    let lines = cases
        .iter()
        .map(|(what, kind, actor, rest, beside)| format!("{:<8} {what}\n", weigh(kind, actor, rest, beside)));
    expected.assert_eq(&lines.collect::<String>());
}

const IT: &str = r#""login_uid":1001,"login_user":"itadmin1","session":5,"confidence":"kernel""#;
const STRANGER: &str = r#""login_uid":1044,"login_user":"helpdesk2","session":5,"confidence":"kernel""#;
const NOBODY: &str = r#""confidence":"unattributed""#;
const DONE: &str = r#""outcome":"success","#;
const CHEN: &str = r#""outcome":"success","action":"read","object":{"class":"mailbox","owner":"drchen"},"#;
const REFUSED: &str = r#""outcome":"denied","action":"read","object":{"class":"mailbox","owner":"drchen"},"#;
const MANY_REFUSED: &str =
    r#""outcome":"denied","action":"read","count":50,"object":{"class":"mailbox","owner":"drchen"},"#;
const MANAGER: &str =
    r#""outcome":"success","action":"read","object":{"class":"mailbox","owner":"manager"},"#;
const OWN: &str = r#""outcome":"success","action":"read","object":{"class":"mailbox","owner":"northwind"},"#;
const SYSTEM: &str = r#""outcome":"success","action":"write","object":{"class":"system"},"#;
const EHR: &str = r#""outcome":"success","action":"read","object":{"class":"ehr"},"#;

#[test]
fn what_the_table_says_and_what_is_unusual_weigh_together() {
    check(
        &[
            ("the manager's mailbox", "file_access", IT, MANAGER, ""),
            ("the same with a strong signal", "file_access", IT, MANAGER, "raise bulk"),
            ("a mailbox without a ticket", "file_access", IT, CHEN, ""),
            ("the same in bulk", "file_access", IT, CHEN, "note bulk"),
            ("the same, first time", "file_access", IT, CHEN, "raise first_time"),
            ("their own mailbox", "file_access", IT, OWN, ""),
            ("their own mailbox with a strong signal", "file_access", IT, OWN, "raise moved_out"),
            ("their own mailbox with a weak signal", "file_access", IT, OWN, "note moved_out"),
            ("a mailbox under break-glass", "file_access", IT, CHEN, "break-glass B-1"),
            ("health records under break-glass", "file_access", IT, EHR, "break-glass B-1"),
            ("a system file at night", "file_access", IT, SYSTEM, ""),
            ("two refusals", "file_access", IT, REFUSED, ""),
            ("fifty refusals", "file_access", IT, MANY_REFUSED, ""),
            ("a login at night", "login", IT, DONE, ""),
            ("a login at night after leaving", "login", IT, DONE, "left x"),
            ("a login at night from elsewhere", "login", IT, DONE, "raise unenrolled_host"),
            ("rights at night", "elevation", IT, DONE, ""),
            ("a login of an unknown account", "login", STRANGER, DONE, ""),
            ("a typed name", "login", r#""claims":"admin""#, r#""outcome":"failed","#, ""),
            ("audit off", "tamper", STRANGER, r#""tamper":{"what":"audit_disabled"},"#, ""),
            ("a log cleared by nobody named", "tamper", NOBODY, r#""tamper":{"what":"log_cleared"},"#, ""),
            ("a login uid overwritten", "tamper", NOBODY, r#""tamper":{"what":"login_uid_changed"},"#, ""),
            ("rules loaded at start", "tamper", NOBODY, r#""tamper":{"what":"rules_changed"},"#, ""),
        ],
        expect![[r#"
            High     the manager's mailbox
            Urgent   the same with a strong signal
            Normal   a mailbox without a ticket
            High     the same in bulk
            Normal   the same, first time
            nothing  their own mailbox
            Normal   their own mailbox with a strong signal
            nothing  their own mailbox with a weak signal
            High     a mailbox under break-glass
            Normal   health records under break-glass
            Normal   a system file at night
            Low      two refusals
            Normal   fifty refusals
            Low      a login at night
            Urgent   a login at night after leaving
            Normal   a login at night from elsewhere
            Low      rights at night
            Normal   a login of an unknown account
            Low      a typed name
            Urgent   audit off
            High     a log cleared by nobody named
            High     a login uid overwritten
            Normal   rules loaded at start
        "#]],
    );
}
