//! Every sentence that can be generated, held to RP-3.

use std::sync::LazyLock;

use expect_test::expect;
use jiff::tz::TimeZone;
use ntk_evidence::event::Event;

use super::*;
use crate::finding::{FindingStep, Findings};
use crate::need_to_know::{Access, decide};
use crate::policy::{Policy, Rule};
use crate::roster::Roster;
use crate::signal::{Signal, Weight};

/// Fails when a text accuses.
#[track_caller]
pub(crate) fn accuses_nobody(text: &str) {
    let lower = text.to_lowercase();
    for word in ACCUSING_WORDS {
        assert!(!lower.contains(word), "`{word}` in: {text}");
    }
}

fn finding(
    kind: &str,
    action: &str,
    outcome: &str,
    object: &str,
    actor: &str,
    source: &str,
) -> Option<Finding> {
    let action = if action.is_empty() { String::new() } else { format!(r#""action":"{action}","#) };
    let json = format!(
        r#"{{"kind":"{kind}","time":"2026-11-19T02:03:00Z",{action}"outcome":"{outcome}","actor":{{{actor}}},
        "process":{{"exe":"/usr/bin/cat","parent":"/usr/bin/sudo"}},"object":{{{object}}},"source":{{{source}}},
        "tamper":{{"what":"{outcome}"}}}}"#
    );
    let json = if kind == "tamper" { json.replace(&format!(r#""outcome":"{outcome}","#), "") } else { json };
    let event: Event = serde_json::from_str(&json).unwrap();
    let access = Access::new("agent/ws-01", "ws-01", 7, &event, &TimeZone::UTC);
    let decision = decide(&access, &ROSTER, &POLICY, &crate::ticket::Tickets::default());
    for reason in &decision.reasons {
        accuses_nobody(&reason.sentence);
    }
    let candidates = ["Sam Ortiz".to_owned(), "account helpdesk2".to_owned()];
    match Findings::new().observe(&access, &decision, &all_signals(), &candidates).pop() {
        Some(FindingStep::Opened { finding }) => Some(finding),
        _ => None,
    }
}

/// One of each kind, so that every innocent cause is held.
fn all_signals() -> Vec<Signal> {
    let kinds = [
        "first_time",
        "bulk",
        "volume",
        "after_rights_change",
        "after_reset",
        "after_notice",
        "denied",
        "through_copy",
        "unenrolled_host",
        "moved_out",
        "clock_off",
        "remote_control",
    ];
    let signal = |kind: &&str| Signal {
        kind: serde_json::from_value((*kind).into()).unwrap(),
        sentence: "Unusual.".to_owned(),
        weight: Weight::Note,
    };
    kinds.iter().map(signal).collect()
}

static ROSTER: LazyLock<Roster> =
    LazyLock::new(|| Roster::parse(include_str!("../../../templates/roster-example.toml")).unwrap());
static POLICY: LazyLock<Policy> =
    LazyLock::new(|| Policy::parse(Policy::template("small-practice").unwrap()).unwrap());

const ACTORS: &[&str] = &[
    r#""login_uid":1001,"login_user":"itadmin1","effective_user":"root","confidence":"kernel""#,
    r#""login_uid":1044,"login_user":"helpdesk2","confidence":"derived","tool":"AnyDesk","from":"10.0.0.14""#,
    r#""confidence":"unattributed""#,
    r#""claims":"itadmin1","from":"10.0.0.14""#,
    r#""claims":"admin""#,
];

const SOURCES: &[&str] = &[
    r#""sensor":"linux-audit""#,
    r#""sensor":"notify""#,
    r#""sensor":"windows-security","event_id":4656"#,
    r#""sensor":"windows-security","event_id":4663"#,
    r#""sensor":"windows-security","event_id":5145"#,
    r#""sensor":"m365""#,
];

#[test]
fn no_sentence_accuses_anybody() {
    let mut n = 0;
    let mut held = std::collections::BTreeSet::new();
    let mut hold = |finding: Option<Finding>| {
        let Some(finding) = finding else { return };
        n += 1;
        let mut sentences =
            vec![headline(&finding), what(&finding), account(&finding), tag(&finding).to_owned()];
        sentences.extend(way(&finding));
        sentences.extend(candidates(&finding));
        sentences.extend(not_shown(&finding));
        sentences.extend(finding.innocent_causes.clone());
        sentences.extend(finding.would_explain.clone());
        assert!(!not_shown(&finding).is_empty() && !finding.innocent_causes.is_empty());
        for sentence in sentences {
            if !held.insert(sentence.clone()) {
                continue;
            }
            accuses_nobody(&sentence);
            assert!(!sentence.contains("  ") && !sentence.contains(".."), "{sentence}");
        }
        assert!(
            headline(&finding).ends_with('.') && headline(&finding).contains("ws-01")
                || headline(&finding).contains("mail service")
        );
    };
    for actor in ACTORS {
        for outcome in Outcome::WORDS {
            for kind in ["login", "elevation", "remote_control"] {
                hold(finding(kind, "", outcome, "", actor, SOURCES[0]));
            }
            for action in Action::WORDS {
                for class in ntk_evidence::event::Class::WORDS {
                    for source in SOURCES {
                        for via in ["direct", "raw_disk", "share", "shadow_copy", "handle"] {
                            let object = format!(r#""class":"{class}","owner":"manager","via":"{via}""#);
                            hold(finding("file_access", action, outcome, &object, actor, source));
                        }
                    }
                }
            }
        }
        for what in TamperKind::WORDS {
            hold(finding("tamper", "", what, "", actor, SOURCES[0]));
        }
    }
    assert!(n > 5000, "{n}");
}

#[test]
fn no_cell_of_the_table_accuses_anybody() {
    let roles =
        ["everyone", "manager", "physician", "nurse", "billing", "frontdesk", "itadmin", "vendor", "cleaner"];
    for rule in Rule::WORDS.iter().filter(|rule| **rule != "own") {
        let row = |role: &&str| {
            let cells = Area::ALL.iter().map(|area| format!("{area} = \"{rule}\"\n")).collect::<String>();
            format!("[table.{role}]\n{cells}")
        };
        let text = format!("name = \"x\"\n{}", roles.iter().map(row).collect::<String>());
        let policy = Policy::parse(&text).unwrap();
        for (role, area) in roles.iter().flat_map(|role| Area::ALL.iter().map(move |area| (role, *area))) {
            accuses_nobody(&policy.cell(role, area).unwrap().sentence);
        }
    }
}

#[test]
fn headlines_say_what_the_record_proves() {
    let mailbox = r#""class":"mailbox","owner":"manager""#;
    let mut text = String::new();
    for source in SOURCES {
        text.push_str(&headline(
            &finding("file_access", "read", "success", mailbox, ACTORS[0], source).unwrap(),
        ));
        text.push('\n');
    }
    for (action, outcome, object, actor) in [
        ("read", "denied", mailbox, ACTORS[0]),
        ("delete", "success", mailbox, ACTORS[1]),
        ("open_denied", "denied", r#""class":"export""#, ACTORS[1]),
        ("rename", "success", r#""class":"export""#, ACTORS[1]),
        ("read", "success", r#""class":"export""#, ACTORS[0]),
        ("read", "success", r#""class":"hr","via":"raw_disk""#, ACTORS[0]),
        ("list", "success", r#""class":"voicemail","owner":"drchen""#, ACTORS[2]),
    ] {
        let finding = finding("file_access", action, outcome, object, actor, SOURCES[0]).unwrap();
        text.push_str(&format!("{} [{}]\n", headline(&finding), what(&finding)));
    }
    for (kind, outcome, actor) in [
        ("login", "success", ACTORS[1]),
        ("login", "failed", ACTORS[3]),
        ("login", "failed", ACTORS[4]),
        ("elevation", "success", ACTORS[0]),
        ("elevation", "denied", ACTORS[1]),
        ("remote_control", "success", ACTORS[1]),
        ("tamper", "audit_disabled", ACTORS[0]),
        ("tamper", "agent_killed", ACTORS[2]),
    ] {
        let finding = finding(kind, "", outcome, "", actor, SOURCES[0]).unwrap();
        text.push_str(&format!("{} [{}]\n", headline(&finding), what(&finding)));
    }
    expect![[r#"
        The manager’s mailbox was opened for reading on ws-01 by account itadmin1 (held by Northwind IT), working as root after sudo.
        The manager’s mailbox was opened for reading on ws-01; this sensor cannot show by whom.
        Account itadmin1 (held by Northwind IT), working as root after sudo, asked for access to the manager’s mailbox on ws-01.
        Account itadmin1 (held by Northwind IT), working as root after sudo, used read access to the manager’s mailbox on ws-01, first use on this handle.
        Account itadmin1 (held by Northwind IT), working as root after sudo, was checked for access to the manager’s mailbox over the share on ws-01.
        In the manager’s mailbox a message was accessed, by account itadmin1 (held by Northwind IT), working as root after sudo, as ws-01 recorded.
        Opening the manager’s mailbox for reading on ws-01 was refused to account itadmin1 (held by Northwind IT), working as root after sudo. [1 × opened for reading: refused]
        A file was removed from the manager’s mailbox on ws-01 by account helpdesk2 (uid 1044), which is not in the roster, in a session driven through AnyDesk. [1 × removed]
        Opening the health-record exports on ws-01 was refused to account helpdesk2 (uid 1044), which is not in the roster, in a session driven through AnyDesk. [1 × opened, for what is not recorded: refused]
        A file was moved or renamed in the health-record exports on ws-01 by account helpdesk2 (uid 1044), which is not in the roster, in a session driven through AnyDesk. [1 × moved or renamed]
        The health-record exports were opened for reading on ws-01 by account itadmin1 (held by Northwind IT), working as root after sudo. [1 × opened for reading]
        The personnel files were opened for reading on ws-01 by account itadmin1 (held by Northwind IT), working as root after sudo, through the raw disk. [1 × opened for reading]
        The contents of the voicemail of Dr. Chen were listed on ws-01 by an account that the record does not name. [1 × listed]
        A login to ws-01 from 10.0.0.14 with account helpdesk2 (uid 1044), which is not in the roster, succeeded. [1 × login]
        A login to ws-01 from 10.0.0.14 with the name itadmin1 (held by Northwind IT) was refused. [1 × login: failed]
        A login to ws-01 with names that are not in the roster was refused. [1 × login: failed]
        A session with the rights of root was opened on ws-01 by account itadmin1 (held by Northwind IT), through sudo. [1 × rights taken on]
        Opening a session with the rights of another account was refused on ws-01 to account helpdesk2 (uid 1044), which is not in the roster, through sudo. [1 × rights taken on: refused]
        AnyDesk was driving a session on ws-01 of account helpdesk2 (uid 1044), not in the roster. [1 × remote control]
        Kernel audit was switched off on ws-01 in a session of account itadmin1, held by Northwind IT. [1 × change to the recording]
        The agent was ended on ws-01; the record does not show by which account. [1 × change to the recording]
    "#]].assert_eq(&text);
}
