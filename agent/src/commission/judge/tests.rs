//! A whole test as a log has it, and each way in which it is no proof.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

const FOLDER: &str = "/var/lib/ntk-agent/on-site-test";
const ID: &str = "0123456789abcdef";

/// What arrived, with the process of each step in its hundreds.
fn events() -> Vec<(u64, Value)> {
    let actor = json!({"login_uid": 1001, "session": 3, "confidence": "kernel"});
    let letter = format!("{FOLDER}/letter-{ID}");
    let (second, third) = (format!("{FOLDER}/second-{ID}"), format!("{FOLDER}/third-{ID}"));
    let access = |pid: u32, action: &str, via: &str, path: &str, to: Option<&str>| {
        json!({"kind": "file_access", "outcome": "success", "action": action, "actor": actor,
            "process": {"pid": pid}, "object": {"path": path, "to": to, "via": via, "class": "self"}})
    };
    let tamper = |pid: u32, what: &str| json!({"kind": "tamper", "actor": actor, "process": {"pid": pid}, "tamper": {"what": what}});
    let health = |reason: &str| json!({"kind": "health", "health": {"reason": reason, "os": "Debian, kernel 6.1.0-18", "version": "1", "boot_id": "b"}});
    let mut denied = access(112, "read", "direct", &letter, None);
    denied["outcome"] = "denied".into();
    let mut mount = tamper(116, "mount_changed");
    mount["object"] = json!({"path": FOLDER, "to": format!("{FOLDER}/mount-{ID}")});
    let mut rules = tamper(1, "rules_changed");
    rules["tamper"]["detail"] = format!("op=add_rule key={ID} list=4").into();
    vec![
        (3, json!({"kind": "login", "outcome": "success", "actor": actor, "process": {"pid": 9}})),
        (8, health("periodic")),
        (10, json!({"kind": "elevation", "outcome": "success", "actor": actor, "process": {"pid": 102}})),
        (
            11,
            json!({"kind": "process_start", "actor": actor, "process": {"pid": 103, "command": format!("true {ID}")}}),
        ),
        (12, access(104, "create", "direct", &letter, None)),
        (13, access(105, "write", "direct", &letter, None)),
        (14, access(106, "read", "direct", &letter, None)),
        (15, access(107, "attributes", "direct", &letter, None)),
        (16, access(108, "list", "direct", FOLDER, None)),
        (17, access(109, "link", "direct", &letter, Some(&second))),
        (18, access(110, "rename", "direct", &second, Some(&third))),
        (19, access(111, "delete", "direct", &third, None)),
        (20, denied),
        (21, access(113, "read", "handle", &letter, None)),
        (22, access(114, "read", "io_uring", &letter, None)),
        (23, access(115, "read", "raw_disk", "/dev/sda1", None)),
        (24, mount),
        (25, rules),
        (26, tamper(118, "clock_changed")),
        (27, access(119, "list", "direct", "/srv/mail/anna", None)),
        (28, access(119, "list", "direct", "/srv/exports", None)),
        (29, health("stop")),
        (30, json!({"kind": "gap", "gap": {"cause": "clean_stop"}})),
        (32, health("start")),
        (33, access(121, "read", "direct", &letter, None)),
    ]
}

fn log(events: &[(u64, Value)]) -> Vec<(u64, Event)> {
    let event = |value: &Value| {
        let mut value = value.clone();
        value["time"] = "2026-11-20T21:00:00Z".into();
        serde_json::from_value(value).unwrap()
    };
    events.iter().map(|(number, value)| (*number, event(value))).collect()
}

fn claim() -> Claim {
    let made = |(nth, what): (usize, CommissionWhat)| Made {
        what,
        began: "t".into(),
        pid: u32::try_from(101 + nth).ok(),
        skipped: false,
        because: None,
    };
    Claim {
        id: ID.into(),
        began: "t".into(),
        ended: "t".into(),
        since: 10,
        by: None,
        present: Vec::new(),
        login_uid: 1001,
        sid: None,
        session: Some(3),
        steps: CommissionWhat::all().enumerate().map(made).collect(),
    }
}

fn steps(claim: &Claim, events: &[(u64, Value)], released: u64) -> Vec<CommissionStep> {
    let watched = ["/srv/mail/anna".to_owned(), "/srv/exports".to_owned()];
    judge(claim, &log(events), &Scene { folder: FOLDER, watched: &watched, released }).0
}

/// The steps that did not arrive, with their reasons.
#[track_caller]
fn check(claim: &Claim, events: &[(u64, Value)], expected: Expect) {
    let lines: Vec<String> = steps(claim, events, 100)
        .into_iter()
        .filter(|step| step.outcome != CommissionOutcome::Arrived)
        .map(|step| format!("{} {} {}", step.what, step.outcome, step.because.unwrap_or_default()))
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_whole_test_is_proved_and_each_step_names_its_entries() {
    check(&claim(), &events(), expect![""]);
    let said: Vec<String> = steps(&claim(), &events(), 100)
        .iter()
        .map(|step| format!("{}{:?}", step.what, step.entries))
        .collect();
    expect!["login[3] elevation[10] process_start[11] create[12] write[13] read[14] attributes[15] list[16] link[17] rename[18] delete[19] denied[20] handle[21] io_uring[22] raw_disk[23] mount[24] rules[25] clock[26] watched[27, 28] stop[29, 30, 32] read_again[33] receipt[]"]
        .assert_eq(&said.join(" "));
}

#[test]
fn what_the_log_does_not_have_did_not_arrive() {
    for (number, event) in events() {
        if event["kind"] == "health" {
            continue;
        }
        let without: Vec<_> = events().into_iter().filter(|(of, _)| *of != number).collect();
        let missing = steps(&claim(), &without, 100);
        assert!(
            missing.iter().any(|step| step.outcome != CommissionOutcome::Arrived),
            "entry {number} is no part of the proof: {event}"
        );
    }
}

#[test]
fn an_entry_of_another_process_file_account_or_session_is_no_proof() {
    let changed = |pointer: &str, value: Value| {
        let mut events = events();
        for (_, event) in &mut events {
            if event["kind"] == "file_access"
                && event["action"] == "read"
                && event["object"]["via"] == "direct"
            {
                *event.pointer_mut(pointer).unwrap() = value.clone();
            }
        }
        events
    };
    let none = expect![[r#"
        read not_arrived no entry of it came
        denied not_arrived no entry of it came
        read_again not_arrived no entry of it came"#]];
    check(&claim(), &changed("/process/pid", json!(7)), none);
    check(
        &claim(),
        &changed("/object/path", json!(format!("{FOLDER}/letter-fedcba9876543210"))),
        expect![[r#"
            read not_arrived no entry of it came
            denied not_arrived no entry of it came
            read_again not_arrived no entry of it came"#]],
    );
    for pointer in ["/actor/login_uid", "/actor/session"] {
        check(
            &claim(),
            &changed(pointer, json!(7)),
            expect![[r#"
                read not_arrived what came does not name the account that did it
                denied not_arrived what came does not name the account that did it
                read_again not_arrived what came does not name the account that did it"#]],
        );
    }
    check(
        &claim(),
        &changed("/actor", json!({"confidence": "unattributed"})),
        expect![[r#"
            read not_arrived what came does not name the account that did it
            denied not_arrived what came does not name the account that did it
            read_again not_arrived what came does not name the account that did it"#]],
    );
}

#[test]
fn entries_of_an_earlier_test_or_of_another_machines_log_are_no_proof() {
    let late = Claim { since: 40, ..claim() };
    let n_arrived = steps(&late, &events(), 100);
    let arrived: Vec<_> = n_arrived
        .iter()
        .filter(|step| step.outcome == CommissionOutcome::Arrived)
        .map(|step| step.what.as_str())
        .collect();
    assert_eq!(arrived, ["login", "receipt"], "only the login may be older");
    let other = Claim { id: "fedcba9876543210".into(), ..claim() };
    let n = steps(&other, &events(), 100)
        .iter()
        .filter(|step| step.outcome == CommissionOutcome::Arrived)
        .count();
    // Only what bears no number holds by process and person: login, elevation, list, disk, clock, watched, stop...
    assert_eq!(n, 8, "{:#?}", steps(&other, &events(), 100));
}

#[test]
fn what_was_left_out_could_not_be_done_or_was_said_twice_is_not_proved() {
    let mut claim = claim();
    claim.steps.retain(|made| made.what != CommissionWhat::Write);
    for made in &mut claim.steps {
        match made.what {
            CommissionWhat::Clock => made.skipped = true,
            CommissionWhat::IoUring => made.because = Some("perl is not installed".into()),
            CommissionWhat::Delete => made.pid = None,
            _ => {}
        }
    }
    let twice = claim.step(&CommissionWhat::List).unwrap().clone();
    claim.steps.push(twice);
    claim.session = None;
    check(
        &claim,
        &events(),
        expect![[r#"
            login not_made the test was run outside every login
            write skipped 
            list skipped 
            delete not_arrived no entry of it came
            io_uring not_made perl is not installed
            clock skipped "#]],
    );
}

#[test]
fn every_watched_place_counts_and_a_practice_without_one_proves_nothing() {
    let watched = vec!["/srv/mail/anna".to_owned(), "/srv/mail/bob".to_owned()];
    let scene = Scene { folder: FOLDER, watched: &watched, released: 100 };
    let found = step(CommissionWhat::Watched, &claim(), &log(&events()), &scene);
    assert_eq!(found.because.as_deref(), Some("1 of 2 watched places told of it"));
    let scene = Scene { watched: &[], ..scene };
    let found = step(CommissionWhat::Watched, &claim(), &log(&events()), &scene);
    assert_eq!(found.outcome, CommissionOutcome::NotArrived);
}

#[test]
fn a_receipt_covers_the_newest_entry_or_it_is_none() {
    for (released, outcome) in [(33, CommissionOutcome::NotArrived), (34, CommissionOutcome::Arrived)] {
        let steps = steps(&claim(), &events(), released);
        assert_eq!(steps.last().unwrap().outcome, outcome, "{released}");
    }
    assert_eq!(receipt(None, 100).outcome, CommissionOutcome::NotArrived);
}

#[test]
fn the_machine_must_be_the_same_from_before_the_test_on() {
    let facts = |value: Value| Facts::of(&serde_json::from_value(value).unwrap());
    let now = || json!({"os": "Debian, kernel 6.1.0-18", "version": "1", "boot_id": "b"});
    let events = log(&events());
    assert!(facts(now()).hold_since(10, &events));
    assert!(!facts(now()).hold_since(10, &[]), "no word of the machine is no proof of it");
    for (field, value) in [
        ("os", "Debian, kernel 6.1.0-21"),
        ("version", "2"),
        ("boot_id", "c"),
        ("os_build", "12.5"),
        ("binary_sha256", "0"),
    ] {
        let mut other = now();
        other[field] = value.into();
        assert!(!facts(other).hold_since(10, &events), "{field}");
    }
    // The test began under the old kernel, and only what came before it says so.
    let mut upgraded = events.clone();
    upgraded.iter_mut().filter(|(number, _)| *number == 8).for_each(|(_, event)| {
        event.health.iter_mut().for_each(|health| health.os = Some("older".into()));
    });
    assert!(!facts(now()).hold_since(10, &upgraded));
}

const ON_WINDOWS: &str = r"C:\ProgramData\Need-to-Know\agent\on-site-test";
const SID: &str = "S-1-5-21-1-2-3-1001";

/// The same on Windows: paths as its log writes them, the account by its identifier, fewer kinds of access.
fn of_windows() -> (Claim, Vec<(u64, Value)>) {
    let actor = json!({"sid": SID, "session": 0x51f3, "confidence": "kernel"});
    let at = |name: &str| format!(r"C:\programdata\NEED-TO-KNOW\agent\on-site-test\{name}-{ID}");
    let access = |pid: u32, action: &str, path: &str| {
        json!({"kind": "file_access", "outcome": "success", "action": action, "actor": actor,
            "process": {"pid": pid}, "object": {"path": path, "via": "direct", "class": "self"}})
    };
    let mut link = access(109, "link", &at("letter"));
    link["object"]["to"] = at("second").into();
    link.as_object_mut().unwrap().remove("process");
    let mut denied = access(112, "read", &at("letter"));
    denied["outcome"] = "denied".into();
    let events = vec![
        (2, json!({"kind": "login", "outcome": "success", "actor": {"sid": SID, "session": 7}})),
        (3, json!({"kind": "login", "outcome": "success", "actor": actor})),
        (
            11,
            json!({"kind": "process_start", "actor": actor, "process": {"pid": 103, "command": format!("cmd.exe /c rem {ID}")}}),
        ),
        (12, access(104, "write", &at("letter"))),
        (13, access(105, "write", &at("letter"))),
        (14, access(106, "read", &at("letter"))),
        (15, access(107, "attributes", &at("letter"))),
        (16, access(108, "read", &ON_WINDOWS.to_lowercase().replace("c:", "C:"))),
        (17, link),
        (18, access(110, "delete", &at("second"))),
        (19, access(111, "delete", &at("third"))),
        (20, denied),
    ];
    let mut claim = Claim { sid: Some(SID.to_lowercase()), login_uid: 65_534, session: Some(9), ..claim() };
    for made in &mut claim.steps {
        if let Some(why) = not_on_windows(&made.what) {
            made.because = Some(why.to_owned());
        }
    }
    (claim, events)
}

fn not_on_windows(what: &CommissionWhat) -> Option<&'static str> {
    let is_his = matches!(
        what,
        CommissionWhat::Elevation
            | CommissionWhat::Handle
            | CommissionWhat::IoUring
            | CommissionWhat::Mount
            | CommissionWhat::Rules
            | CommissionWhat::Clock
    );
    is_his.then_some("not on Windows")
}

/// The steps that arrived.
fn arrived(claim: &Claim, events: &[(u64, Value)]) -> String {
    let scene = Scene { folder: ON_WINDOWS, watched: &[], released: 100 };
    let steps = judge(claim, &log(events), &scene).0.into_iter();
    let arrived = steps.filter(|step| step.outcome == CommissionOutcome::Arrived);
    arrived.map(|step| format!("{}{:?}", step.what, step.entries)).collect::<Vec<_>>().join(" ")
}

#[test]
fn on_windows_an_entry_counts_by_account_process_and_name_and_the_login_by_the_session_of_the_entries() {
    let (claim, mut events) = of_windows();
    expect![[r#"login[3] process_start[11] create[12] write[13] read[14] attributes[15] list[16] link[17] rename[18] delete[19] denied[20] receipt[]"#]]
        .assert_eq(&arrived(&claim, &events));
    // Of another account nothing is a proof, and what only Windows records in that way is none on Linux.
    let other = Claim { sid: Some("S-1-5-21-1-2-3-1002".into()), ..claim.clone() };
    expect![""].assert_eq(&arrived(&other, &events));
    let linux = Claim { sid: None, ..claim.clone() };
    expect![""].assert_eq(&arrived(&linux, &events));
    // An entry of a process of somebody else, about the very file.
    events.retain(|(number, _)| *number == 14 || *number == 3);
    events[1].1["process"]["pid"] = 4.into();
    expect![""].assert_eq(&arrived(&claim, &events));
}
