//! The table of decisions: one line per event.

use expect_test::{Expect, expect};
use jiff::tz::TimeZone;
use ntk_evidence::event::Event;

use super::*;

mod surroundings;

fn roster() -> Roster {
    Roster::parse(include_str!("../../templates/roster-example.toml")).unwrap()
}

fn policy() -> Policy {
    Policy::parse(Policy::template("small-practice").unwrap()).unwrap()
}

fn tickets() -> Tickets {
    let json = r#"[
        {"id":"T-104","assignee":"northwind","class":"export","scope":"everything","from":"2026-11-18T15:00:00Z","to":"2026-11-18T19:00:00Z","approved_by":"mary"},
        {"id":"T-105","assignee":"northwind","class":"ehr","scope":"everything","from":"2026-11-18T15:00:00Z","to":"2026-11-18T19:00:00Z","approved_by":"northwind"},
        {"id":"T-106","assignee":"northwind","class":"mailbox","scope":{"owner":"drchen"},"from":"2026-11-18T15:00:00Z","to":"2026-11-18T19:00:00Z","approved_by":"mary"},
        {"id":"T-107","assignee":"northwind","class":"mailbox","scope":{"owner":"sam"},"from":"2026-11-18T15:00:00Z","to":"2026-11-18T19:00:00Z","approved_by":"mary","second_approved_by":"drchen"},
        {"id":"T-108","assignee":"northwind","class":"backup","scope":"everything","from":"2026-11-10T15:00:00Z","to":"2026-11-30T19:00:00Z","approved_by":"mary"}
    ]"#;
    Tickets::of_approved(serde_json::from_str::<Vec<_>>(json).unwrap())
}

fn judge(json: &str) -> Decision {
    let event: Event = serde_json::from_str(json).unwrap();
    let zone = TimeZone::get("America/New_York").unwrap();
    let access = Access::new("agent/ws-01", "ws-01", 7, &event, &zone);
    decide(&access, &roster(), &policy(), &tickets())
}

#[track_caller]
fn check(json: &str, expected: Expect) {
    let decision = judge(json);
    let mut text = format!("{:?}\n", decision.outcome);
    for reason in &decision.reasons {
        text.push_str(&format!("  {}: {}\n", reason.rule, reason.sentence));
    }
    for remedy in &decision.would_explain {
        text.push_str(&format!("  would explain it: {remedy}\n"));
    }
    expected.assert_eq(&text);
}

/// Wednesday 18 November 2026, at an hour in New York.
fn file(hour_utc: &str, actor: &str, class: &str, owner: &str) -> String {
    let owner = if owner.is_empty() { String::new() } else { format!(r#","owner":"{owner}""#) };
    format!(
        r#"{{"kind":"file_access","time":"2026-11-18T{hour_utc}:00Z","outcome":"success","action":"read",
            "actor":{{{actor}}},"process":{{"exe":"/usr/bin/cat","parent":"/usr/bin/sudo"}},
            "object":{{"class":"{class}"{owner}}},"source":{{"sensor":"linux-audit"}}}}"#
    )
}

const IT: &str = r#""login_uid":1001,"login_user":"itadmin1","effective_user":"root","confidence":"kernel""#;

#[test]
fn never_wins_over_everything() {
    check(
        &file("16:00", IT, "mailbox", "manager"),
        expect![[r#"
        Never
          table:itadmin.managers_mailbox: IT does not open the manager’s mailbox.
    "#]],
    );
    // Bea left on the 20th; on that day even opening her own mailbox is never.
    let bea = file("16:00", r#""login_uid":1002,"login_user":"billing1""#, "mailbox", "bea");
    check(
        &bea,
        expect![[r#"
        Explained
          table:everyone.own_mailbox: Everyone in the roster may open their own mailbox at any time.
    "#]],
    );
    check(
        &bea.replace("11-18T", "11-20T"),
        expect![[r#"
        Never
          left: The roster says that nothing held by Bea Novak is used from 2026-11-20 on.
    "#]],
    );
}

#[test]
fn refused_attempts_are_judged_like_the_rest() {
    let refused = file("16:00", IT, "mailbox", "manager").replace("success", "denied");
    assert_eq!(judge(&refused).outcome, Judgement::Never);
}

#[test]
fn tickets_explain_what_they_cover_and_nothing_else() {
    check(
        &file("16:00", IT, "export", ""),
        expect![[r#"
            Explained
              ticket:T-104: Ticket T-104, approved by Mary Lopez, covers this.
        "#]],
    );
    check(
        &file("20:00", IT, "export", ""),
        expect![[r#"
            Unexplained
              table:itadmin.export: IT administrators may open exports of health records under an approved ticket.
              would explain it: an approved ticket for the health-record exports that covers this time; there was none
        "#]],
    );
    check(
        &file("16:00", IT, "ehr", ""),
        expect![[r#"
            Unexplained
              ticket:T-105: Ticket T-105 does not explain this: it was approved by the person it was for.
              table:itadmin.ehr: IT administrators may open files of the health-record system under an approved ticket.
              would explain it: an approved ticket for the health-record system’s files that covers this time
        "#]],
    );
    check(
        &file("16:00", IT, "mailbox", "drchen"),
        expect![[r#"
            Unexplained
              ticket:T-106: Ticket T-106 does not explain this: a ticket for a mailbox needs the approval of a second person.
              table:itadmin.mailbox: IT administrators may open other people’s mailboxes under an approved ticket.
              would explain it: an approved ticket for the mailbox of Dr. Chen that covers this time
        "#]],
    );
    check(
        &file("16:00", IT, "mailbox", "sam"),
        expect![[r#"
            Explained
              ticket:T-107: Ticket T-107, approved by Mary Lopez, covers this.
        "#]],
    );
    check(
        &file("16:00", IT, "backup", ""),
        expect![[r#"
            Unexplained
              ticket:T-108: Ticket T-108 does not explain this: it covers more hours than the policy allows.
              table:itadmin.backup: IT administrators may open backups under an approved ticket.
              would explain it: an approved ticket for the backups that covers this time
        "#]],
    );
}

#[test]
fn hours_are_those_of_the_practice() {
    let billing = r#""login_uid":1002,"login_user":"billing1""#;
    check(
        &file("12:00", billing, "export", ""),
        expect![[r#"
        Explained
          table:billing.export: Billing may open exports of health records in opening hours.
    "#]],
    );
    check(
        &file("11:59", billing, "export", ""),
        expect![[r#"
        Unexplained
          table:billing.export: Billing may open exports of health records in opening hours.
          would explain it: opening hours (Wednesday 07:00 to 18:30)
    "#]],
    );
}

#[test]
fn own_explains_unless_a_remote_tool_drives_the_session() {
    let chen = r#""login_uid":1003,"login_user":"drchen""#;
    check(
        &file("03:00", chen, "mailbox", "drchen"),
        expect![[r#"
        Explained
          table:everyone.own_mailbox: Everyone in the roster may open their own mailbox at any time.
    "#]],
    );
    check(
        &file("03:00", &format!(r#"{chen},"tool":"AnyDesk""#), "mailbox", "drchen"),
        expect![[r#"
            Unexplained
              no-rule: No row of the table speaks of other people’s mailboxes for the role “physician”.
              remote-control: The session was driven through AnyDesk, and the roster names no firm behind it.
              would explain it: an entry in the table for other people’s mailboxes, if this is their work
              would explain it: an entry in the roster that says who works through AnyDesk
        "#]],
    );
}

#[test]
fn unknown_accounts_and_records_without_account_are_questions() {
    check(
        &file("16:00", r#""login_uid":1044,"login_user":"helpdesk2""#, "hr", ""),
        expect![[r#"
        Unexplained
          unknown-account: Account helpdesk2 (uid 1044) on ws-01 is not in the roster, so no row of the table applies.
          would explain it: an entry in the roster that says who holds the account
    "#]],
    );
    let nobody = file("16:00", r#""confidence":"unattributed""#, "hr", "");
    check(
        &nobody,
        expect![[r#"
        Unexplained
          unattributed: The record names no account; who could have been is not known.
          would explain it: a sensor that names accounts on this machine, or a job in the roster for this program
    "#]],
    );
    check(
        &nobody.replace("\"hr\"", "\"system\""),
        expect![[r#"
        NotJudged
          system-work: A service outside any login read a system file.
    "#]],
    );
}

#[test]
fn a_job_is_explained_as_its_program_account_and_hours_only() {
    let job = r#""login_uid":4294967295,"login_user":"unset","effective_user":"svc-backup""#;
    let backup = file("08:30", job, "hr", "").replace("/usr/bin/cat", "/usr/bin/restic");
    check(
        &backup,
        expect![[r#"
        Explained
          job:nightly-backup: This is the nightly backup, doing its own work in its own hours.
    "#]],
    );
    for (change, with) in [
        ("T08:30", "T12:30"),
        ("/restic", "/rsync"),
        ("svc-backup", "root"),
        (r#""actor":{"#, r#""actor":{"from":"10.0.0.9","#),
    ] {
        assert_eq!(
            judge(&backup.replace(change, with)).outcome,
            Judgement::Unexplained,
            "{change} -> {with}"
        );
    }
}

#[test]
fn logins_and_elevations_have_their_own_columns() {
    let login = |time: &str, actor: &str, outcome: &str| {
        format!(r#"{{"kind":"login","time":"2026-11-{time}:00Z","outcome":"{outcome}","actor":{{{actor}}}}}"#)
    };
    check(
        &login("18T16:00", IT, "success"),
        expect![[r#"
            Explained
              table:everyone.login: Everyone in the roster may log in in opening hours.
              table:itadmin.login: IT administrators may log in in opening hours.
        "#]],
    );
    check(
        &login("19T02:00", IT, "success"),
        expect![[r#"
            Unexplained
              ticket:T-108: Ticket T-108 does not explain this: it covers more hours than the policy allows.
              table:everyone.login: Everyone in the roster may log in in opening hours.
              table:itadmin.login: IT administrators may log in in opening hours.
              would explain it: opening hours (Wednesday 07:00 to 18:30)
        "#]],
    );
    // A timer opened it: nobody came in. The same from an address, or with a key, is a login.
    let timer = format!(r#"{IT},"from":"cron""#);
    check(
        &login("19T02:00", &timer, "success"),
        expect![[r#"
        NotJudged
          timer: A timer opened a session for a scheduled job.
    "#]],
    );
    for (change, with) in [("cron", "10.0.4.9"), (r#""from":"cron""#, r#""from":"cron","tool":"RustDesk""#)] {
        let outcome = judge(&login("19T02:00", &timer, "success").replace(change, with)).outcome;
        assert_eq!(outcome, Judgement::Unexplained, "{with}");
    }
    check(
        &login("18T16:00", r#""claims":"itadmin1""#, "failed"),
        expect![[r#"
            Explained
              table:everyone.login: Everyone in the roster may log in in opening hours.
              table:itadmin.login: IT administrators may log in in opening hours.
        "#]],
    );
    check(
        &login("21T16:00", r#""claims":"billing1""#, "failed"),
        expect![[r#"
        Unexplained
          left: The roster says that nothing held by Bea Novak is used from 2026-11-20 on.
          table:everyone.login: Everyone in the roster may log in in opening hours.
          typed-name: The name billing1 was typed; that does not show who typed it.
          would explain it: opening hours (Saturday: closed)
    "#]],
    );
    check(
        &login("18T16:00", r#""claims":"admin""#, "failed"),
        expect![[r#"
            Unexplained
              typed-name: The names that were typed are in nobody’s entry of the roster.
              would explain it: a mistyped name, or a device with an old password
        "#]],
    );
    check(
        &login("18T16:00", IT, "success").replace("login\"", "elevation\""),
        expect![[r#"
            Explained
              table:itadmin.elevation: IT administrators may take on another account’s rights in opening hours.
        "#]],
    );
    check(
        &login("18T16:00", r#""login_uid":1005,"login_user":"frontdesk1""#, "success")
            .replace("\"login\"", "\"elevation\""),
        expect![[r#"
            Unexplained
              no-rule: No row of the table speaks of taking on another account’s rights for the role “frontdesk”.
              would explain it: an entry in the table for taking on another account’s rights, if this is their work
        "#]],
    );
}

#[test]
fn what_cannot_be_evaluated_is_held_against_nobody() {
    check(
        &file("16:00", IT, "fax", ""),
        expect![[r#"
        NotJudged
          unknown-class: A newer agent named a class of asset that this version does not know.
    "#]],
    );
    check(
        r#"{"kind":"dream","time":"2026-11-18T16:00:00Z"}"#,
        expect![[r#"
        NotJudged
          unknown-kind: A newer agent told of a kind of event that this version does not know.
    "#]],
    );
    check(
        r#"{"kind":"file_access","time":"2026-11-18T16:00:00Z","action":"read"}"#,
        expect![[r#"
        NotJudged
          no-class: A file access came without the class of its folder, so no column of the table applies.
    "#]],
    );
    check(
        r#"{"kind":"health","time":"2026-11-18T16:00:00Z","health":{}}"#,
        expect![[r#"
        NotJudged
    "#]],
    );
    check(
        &file("25:00", IT, "export", ""),
        expect![[r#"
            NotJudged
              time-unreadable: The time in a record cannot be read, so hours and tickets could not be considered.
        "#]],
    );
}

#[test]
fn doing_something_to_the_recording_is_judged_by_the_account() {
    let tamper = |what: &str, actor: &str| {
        format!(r#"{{"kind":"tamper","time":"2026-11-18T16:00:00Z","tamper":{{"what":"{what}"}}{actor}}}"#)
    };
    check(
        &tamper("audit_disabled", &format!(r#","actor":{{{IT}}}"#)),
        expect![[r#"
            Unexplained
              table:itadmin.recording: IT administrators may change what is recorded under an approved ticket.
              would explain it: an approved ticket for the recording that covers this time; there was none
        "#]],
    );
    check(
        &tamper("agent_killed", ""),
        expect![[r#"
        Unexplained
          unattributed: The record names no account; who could have been is not known.
          would explain it: a sensor that names accounts on this machine
    "#]],
    );
    check(
        &tamper("clock_changed", ""),
        expect![[r#"
        NotJudged
    "#]],
    );
    check(
        &tamper("dissolved", ""),
        expect![[r#"
        NotJudged
          unknown-word: A newer agent told of a change to the recording that this version does not know.
    "#]],
    );
}

#[test]
fn a_decision_can_be_replayed_and_kept() {
    for json in [
        file("16:00", IT, "mailbox", "manager"),
        file("20:00", IT, "export", ""),
        file("16:00", IT, "fax", ""),
    ] {
        let (one, other) = (judge(&json), judge(&json));
        assert_eq!(one, other);
        assert_eq!(one.policy_hash, policy().hash());
        assert_eq!(one.roster_version, roster().version());
        let kept = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Decision>(&kept).unwrap(), one);
    }
}

#[test]
fn the_clocks_change_and_the_minute_on_the_wall_is_right() {
    let zone = TimeZone::get("America/New_York").unwrap();
    let minute = |time: &str| LocalTime::new(time.parse().unwrap(), &zone).minute;
    assert_eq!(minute("2026-11-01T05:30:00Z"), 90);
    assert_eq!(minute("2026-11-01T06:30:00Z"), 90);
    assert_eq!(minute("2026-03-08T06:59:00Z"), 119);
    assert_eq!(minute("2026-03-08T07:00:00Z"), 180);
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let minute = |time: &str| LocalTime::new(time.parse().unwrap(), &zone).minute;
    assert_eq!(minute("2026-10-25T00:30:00Z"), 150);
    assert_eq!(minute("2026-10-25T01:30:00Z"), 150);
    assert_eq!(minute("2026-03-29T00:59:00Z"), 119);
    assert_eq!(minute("2026-03-29T01:00:00Z"), 180);
}

#[test]
fn working_hours_are_those_of_the_clock_on_the_wall_before_and_after_it_changes() {
    // Seven in the morning and six in the evening, on the Fridays before and the Mondays after.
    for (zone, before, after) in [
        (
            "America/New_York",
            ["2026-03-06T12:00:00Z", "2026-03-06T23:00:00Z"],
            ["2026-03-09T11:00:00Z", "2026-03-09T22:00:00Z"],
        ),
        (
            "America/New_York",
            ["2026-10-30T11:00:00Z", "2026-10-30T22:00:00Z"],
            ["2026-11-02T12:00:00Z", "2026-11-02T23:00:00Z"],
        ),
        (
            "Europe/Berlin",
            ["2026-03-27T06:00:00Z", "2026-03-27T17:00:00Z"],
            ["2026-03-30T05:00:00Z", "2026-03-30T16:00:00Z"],
        ),
        (
            "Europe/Berlin",
            ["2026-10-23T05:00:00Z", "2026-10-23T16:00:00Z"],
            ["2026-10-26T06:00:00Z", "2026-10-26T17:00:00Z"],
        ),
    ] {
        let zone = TimeZone::get(zone).unwrap();
        for day in [before, after] {
            let minutes = day.map(|time| LocalTime::new(time.parse().unwrap(), &zone).minute);
            assert_eq!(minutes, [7 * 60, 18 * 60], "{day:?}");
        }
    }
}
