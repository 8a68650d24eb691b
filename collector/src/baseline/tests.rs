//! Four weeks of a practice's programs: what is proposed, what is not and why, and what confirming writes.

use expect_test::{Expect, expect};
use jiff::ToSpan;
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::*;
use crate::need_to_know::decide;
use crate::policy::Policy;
use crate::ticket::Tickets;

const ROSTER: &str = r#"
[[person]]
id = "mary"
name = "Mary Lopez"
roles = ["manager"]

[[account]]
person = "mary"
host = "srv"
uid = 1001
"#;

/// Monday.
const TODAY: Date = date(2026, 9, 28);

fn now() -> Timestamp {
    "2026-09-28T08:00:00Z".parse().unwrap()
}

/// What a program did by itself: every so many days, at a clock, in some manner.
fn work(exe: &str, every: i64, clock: &str, more: Value) -> Vec<Value> {
    let first = date(2026, 8, 24);
    let days = (0..=35).filter(|day| day % every == 0);
    days.map(|day| {
        let day = first.checked_add(day.days()).unwrap();
        let mut event = json!({"kind": "file_access", "time": format!("{day}T{clock}:00Z"), "action": "read",
            "outcome": "success", "actor": {"login_uid": 4_294_967_295u32, "effective_user": "svc"},
            "process": {"exe": exe, "parent": "/usr/lib/systemd/systemd"},
            "object": {"class": "mailbox", "owner": "mary"}, "count": 100});
        for (pointer, value) in more.as_object().unwrap() {
            let (inside, field) = pointer.split_once('.').unwrap();
            event[inside][field] = value.clone();
        }
        event
    })
    .collect()
}

fn survey(events: &[Value]) -> Baseline {
    let roster = Roster::parse(ROSTER).unwrap();
    let policy = Policy::parse("name = \"none\"\n[table.manager]\nmailbox = \"never\"").unwrap();
    let mut survey = Survey::new(now(), None);
    for (number, event) in (0..).zip(events) {
        let event: Event = serde_json::from_value(event.clone()).unwrap();
        let access = Access::new("agent/srv", "srv", number, &event, &TimeZone::UTC);
        survey.observe(&access, &decide(&access, &roster, &policy, &Tickets::default()));
    }
    survey.finish(&roster, TODAY)
}

fn check(events: Vec<Vec<Value>>, expected: Expect) {
    let baseline = survey(&events.concat());
    let mut text = baseline.not_before.map_or(String::new(), |day| format!("not before {day}\n"));
    for proposal in &baseline.proposals {
        text.push_str(&format!("{}\n", proposal.sentence));
        proposal.cautions.iter().for_each(|caution| text.push_str(&format!("  {caution}\n")));
    }
    for unfit in &baseline.unfit {
        text.push_str(&format!("not {}: {}\n", unfit.program, unfit.why));
    }
    expected.assert_eq(&text);
}

#[test]
fn regular_programs_are_proposed_with_what_the_records_show() {
    let hash = json!({"process.sha256": "A".repeat(64), "process.signer": "Debian"});
    check(
        vec![
            work("/usr/bin/restic", 1, "02:10", hash),
            work("/usr/sbin/clamd", 1, "11:00", json!({"actor.effective_user": "clamav"})),
            work("/usr/bin/weekly-check", 7, "04:00", json!({"object.class": "ehr"})),
            work("/usr/bin/now-and-then", 9, "04:00", json!({})),
        ],
        expect![[r#"
            The backup restic on srv (/usr/bin/restic, started by /usr/lib/systemd/systemd, under service account svc) touched mailboxes between 02:00 and 02:30 on 28 of the last 28 days, 2,800 accesses, with nobody logged in.
            The program weekly-check on srv (/usr/bin/weekly-check, started by /usr/lib/systemd/systemd, under service account svc) touched health records between 04:00 and 04:30 on 4 of the last 28 days, 400 accesses, with nobody logged in.
              The records show neither the program’s file nor its signer: another program in its place would look the same.
            The virus scanner clamd on srv (/usr/sbin/clamd, started by /usr/lib/systemd/systemd, under service account clamav) touched mailboxes between 11:00 and 11:30 on 28 of the last 28 days, 2,800 accesses, with nobody logged in.
              The records show neither the program’s file nor its signer: another program in its place would look the same.
        "#]],
    );
}

#[test]
fn what_could_be_somebody_is_not_proposed() {
    let mut as_mary = work("/usr/bin/own-script", 1, "03:00", json!({"actor.login_uid": 1001}));
    as_mary.iter_mut().for_each(|event| event["object"]["class"] = json!("ehr"));
    let login = json!({"kind": "login", "time": "2026-09-20T03:00:00Z", "outcome": "success",
        "actor": {"login_uid": 990, "login_user": "svc-sync", "from": "10.0.4.17"}});
    check(
        vec![
            work("/usr/bin/by-hand", 1, "03:00", json!({"actor.from": "10.0.4.17"})),
            work("/usr/bin/driven", 1, "03:00", json!({"actor.tool": "AnyDesk"})),
            work("/tmp/restic", 1, "03:00", json!({"actor.effective_user": "root"})),
            work("/usr/bin/rclone", 1, "03:00", json!({})),
            work("/opt/rclone", 1, "03:00", json!({})),
            work("/usr/bin/nobody", 1, "03:00", json!({"actor.effective_user": null})),
            as_mary,
            vec![login],
            work(
                "/usr/bin/syncthing",
                1,
                "03:00",
                json!({"actor.login_uid": 990, "actor.login_user": "svc-sync"}),
            ),
        ],
        expect![[r#"
            not /opt/rclone: Programs of this name ran from several places: /opt/rclone and /usr/bin/rclone.
            not /tmp/restic: The program lies in a folder for temporary files, where others could put a program of this name.
            not /usr/bin/nobody: The records do not name the account, so none can be pinned.
            not /usr/bin/own-script: It runs under an account held by Mary Lopez; a program needs an account of its own.
            not /usr/bin/rclone: Programs of this name ran from several places: /opt/rclone and /usr/bin/rclone.
            not /usr/bin/syncthing: Somebody also logs in with its account; a program needs an account of its own.
        "#]],
    );
}

#[test]
fn less_than_four_weeks_of_entries_propose_nothing_and_say_from_when() {
    let events = work("/usr/bin/restic", 1, "02:10", json!({}));
    check(
        vec![events[20..].to_vec()],
        expect![[r#"
        not before 2026-10-11
    "#]],
    );
    check(
        vec![],
        expect![[r#"
        not before 2026-10-26
    "#]],
    );
}

#[test]
fn a_confirmed_proposal_is_a_job_that_fits_the_work_it_was_made_from() {
    let events = work("/usr/bin/restic", 1, "02:10", json!({"process.signer": "Debian \"stable\""}));
    let baseline = survey(&events);
    let proposal = &baseline.proposals[0];
    let confirmation =
        Confirmation { by: "mary", proof: "passphrase", on: TODAY, until: Some(date(2027, 9, 28)) };
    let confirmed = confirm(ROSTER, proposal, confirmation).unwrap();
    let text = confirmed.body["text"].as_str().unwrap();
    assert!(text.starts_with(ROSTER.trim_end()), "nothing that stood there is changed");
    expect![[r#"


        [[job]]
        id = "restic-srv"
        name = "the backup restic on srv"
        program = "/usr/bin/restic"
        host = "srv"
        user = "svc"
        hours = "02:00-02:30"
        classes = ["mailbox"]
        signer = 'Debian "stable"'
        parent = "/usr/lib/systemd/systemd"
        until = "2027-09-28"
        confirmed_by = "mary"
        confirmed_on = "2026-09-28"
    "#]]
    .assert_eq(&text[ROSTER.trim_end().len()..]);
    let event: Event = serde_json::from_value(events[30].clone()).unwrap();
    let access = Access::new("agent/srv", "srv", 1, &event, &TimeZone::UTC);
    assert_eq!(job::fits(&confirmed.roster.jobs()[0], &access), Ok(()));
    // Once it is a job, it is explained and not proposed again.
    let again = confirm(text, proposal, confirmation).unwrap_err().to_string();
    assert!(again.contains("the roster in force"), "{again}");
}

#[test]
fn only_a_person_of_the_roster_confirms_and_only_for_days_to_come() {
    let baseline = survey(&work("/usr/bin/restic", 1, "02:10", json!({})));
    let refused = |by, until| {
        let confirmation = Confirmation { by, proof: "passphrase", on: TODAY, until };
        confirm(ROSTER, &baseline.proposals[0], confirmation).unwrap_err().to_string()
    };
    expect!["nobody in the roster has the id `zoe`; `--by` names a person of the roster in force"]
        .assert_eq(&refused("zoe", None));
    expect!["`2026-01-01` is over; give a day to come, or leave `until` out"]
        .assert_eq(&refused("mary", Some(date(2026, 1, 1))));
}

#[test]
fn the_id_is_of_the_pins_alone() {
    let id = |clock| survey(&work("/usr/bin/restic", 1, clock, json!({}))).proposals[0].id.clone();
    assert_eq!(id("02:10"), id("02:20"));
    assert_ne!(id("02:10"), id("03:10"));
    assert_eq!(id("02:10").len(), 12);
}
