//! A small practice, day by day: what is noted, what becomes an item, and what is nobody's business.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use ntk_evidence::event::{Candidate, Event, Process};
use serde_json::{Value, json};

use super::*;
use crate::finding::wording::ACCUSING_WORDS;
use crate::need_to_know::decide;
use crate::policy::Policy;
use crate::ticket::{Ticket, Tickets};

const ROSTER: &str = r#"
    [[person]]
    id = "mary"
    name = "Mary Lopez"
    roles = ["manager"]
    [[person]]
    id = "chen"
    name = "Dr. Chen"
    roles = ["physician"]
    [[person]]
    id = "bea"
    name = "Bea Novak"
    roles = ["billing"]
    [[person]]
    id = "sam"
    name = "Sam Ortiz"
    roles = ["frontdesk"]
    [[person]]
    id = "northwind"
    name = "Northwind IT"
    roles = ["itadmin"]
    [[account]]
    person = "mary"
    user = "mary"
    [[account]]
    person = "chen"
    user = "chen"
    [[account]]
    person = "bea"
    user = "bea"
    [[account]]
    person = "sam"
    user = "sam"
    [[account]]
    person = "northwind"
    user = "itadmin"
    [[job]]
    id = "nightly-backup"
    name = "the nightly backup"
    program = "/usr/bin/restic"
    host = "srv"
    user = "svc-backup"
    classes = ["mailbox", "ehr"]
"#;

/// Everything is allowed, so that what becomes an item does so by a signal alone.
const POLICY: &str = r#"
    name = "open"
    [table.everyone]
    mailbox = "always"
    own_mailbox = "always"
    managers_mailbox = "always"
    ehr = "always"
    export = "always"
    hr = "always"
    backup = "always"
    login = "always"
    remote_control = "always"
    [table.itadmin]
    export = "with_ticket"
    remote_control = "with_ticket"
"#;

/// The first Monday of entries.
const START: Date = date(2026, 8, 31);

struct Scene {
    history: History,
    roster: Roster,
    policy: Policy,
    tickets: Tickets,
    number: u64,
}

impl Scene {
    fn new() -> Self {
        Self {
            history: History::new(),
            roster: Roster::parse(ROSTER).unwrap(),
            policy: Policy::parse(POLICY).unwrap(),
            tickets: Tickets::default(),
            number: 0,
        }
    }

    /// Shows one entry to the history; its signals, one a line.
    fn see(&mut self, day: i64, clock: &str, event: Value) -> String {
        self.see_received(day, clock, event, None)
    }

    fn see_received(
        &mut self,
        day: i64,
        clock: &str,
        mut event: Value,
        received: Option<[&str; 2]>,
    ) -> String {
        let date = START.checked_add(day.days()).unwrap();
        event["time"] = json!(format!("{date}T{clock}:00Z"));
        let event: Event = serde_json::from_value(event).unwrap();
        let mut access = Access::new("agent/srv", "srv", self.number, &event, &TimeZone::UTC);
        let moment = |clock: &str| format!("{date}T{clock}:00Z").parse::<Timestamp>().unwrap();
        if let Some([before, now]) = received {
            access = access.received(moment(now), Some(moment(before)), &TimeZone::UTC);
        }
        let tool = self.history.remote_tool(&access).map(str::to_owned);
        access.remote_tool = tool.as_deref();
        self.number += 1;
        let decision = decide(&access, &self.roster, &self.policy, &self.tickets);
        let signals = self.history.observe(&access, &decision, &self.roster);
        let mut text = String::new();
        for signal in signals {
            for word in ACCUSING_WORDS {
                assert!(!signal.sentence.to_lowercase().contains(word), "{}", signal.sentence);
            }
            writeln!(text, "{:?} {:?}: {}", signal.weight, signal.kind, signal.sentence).unwrap();
        }
        text
    }

    /// Ordinary days up to, not including, this one: health records, exports for billing, their own mail.
    fn work_until(&mut self, day: i64) {
        for today in (0..day).filter(|day| day % 7 < 5) {
            for (user, n) in [("chen", 30), ("bea", 20), ("sam", 20), ("mary", 5)] {
                self.see(today, "09:00", login(user, today, "tty2"));
                self.see(today, "09:30", with(file(user, today, "ehr", ""), json!({"count": n})));
                self.see(today, "10:00", file(user, today, "mailbox", user));
            }
            self.see(today, "11:00", with(file("bea", today, "export", ""), json!({"count": 2})));
        }
    }
}

fn login(user: &str, session: i64, from: &str) -> Value {
    json!({"kind": "login", "outcome": "success",
        "actor": {"login_user": user, "session": number(user, session), "from": from}})
}

fn file(user: &str, session: i64, class: &str, owner: &str) -> Value {
    let mut object = json!({"class": class, "path": "/srv/a"});
    if !owner.is_empty() {
        object["owner"] = json!(owner);
    }
    json!({"kind": "file_access", "outcome": "success", "action": "read", "object": object,
        "actor": {"login_user": user, "session": number(user, session)},
        "process": {"exe": "/usr/bin/viewer"}})
}

/// Sessions of one machine have different numbers.
fn number(user: &str, session: i64) -> i64 {
    session * 1000 + i64::from(user.bytes().fold(0, |sum: u8, byte| sum.wrapping_add(byte)))
}

fn reset(by: &str, of: &str, program: &str) -> Value {
    json!({"kind": "account_change", "outcome": "success", "action": "attributes",
        "actor": {"login_user": by}, "process": {"exe": program}, "object": {"owner": of, "class": "system"}})
}

/// The fields of the second laid over the first.
fn with(mut one: Value, other: Value) -> Value {
    for (key, value) in other.as_object().unwrap() {
        match one.get_mut(key).filter(|_| value.is_object()) {
            Some(inner) => *inner = with(inner.take(), value.clone()),
            None => one[key] = value.clone(),
        }
    }
    one
}

fn check(actual: String, expected: Expect) {
    expected.assert_eq(&actual);
}

#[test]
fn eight_ordinary_weeks_raise_nothing_and_the_history_survives_being_written_down() {
    let mut scene = Scene::new();
    scene.work_until(56);
    for user in ["chen", "bea", "sam", "mary"] {
        check(scene.see(56, "09:00", login(user, 56, "tty2")), expect![""]);
        check(scene.see(56, "09:30", with(file(user, 56, "ehr", ""), json!({"count": 40}))), expect![""]);
    }
    let text = serde_json::to_string(&scene.history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&text).unwrap(), scene.history);
    assert!(!text.contains("/srv"), "no path is kept");
}

#[test]
fn a_first_time_is_an_item_where_the_whole_role_never_did_it() {
    let mut scene = Scene::new();
    check(scene.see(0, "09:00", file("sam", 0, "mailbox", "mary")), expect![""]);
    let mut scene = Scene::new();
    scene.work_until(56);
    let read = file("sam", 56, "mailbox", "mary");
    check(
        scene.see(56, "09:00", read.clone()),
        expect![[r#"
        Raise FirstTime: No entry since 2026-08-31 shows this account at the manager’s mailbox before, nor anybody else with the role “frontdesk”.
    "#]],
    );
    check(scene.see(56, "09:01", read), expect![""]);
    check(
        scene.see(56, "09:02", file("bea", 56, "hr", "")),
        expect![[r#"
        Raise FirstTime: No entry since 2026-08-31 shows this account at the personnel files before, nor anybody else with the role “billing”.
    "#]],
    );
}

#[test]
fn under_a_ticket_a_first_time_and_a_bulk_are_noted_only() {
    let mut scene = Scene::new();
    scene.work_until(56);
    let ticket = r#"[{"id":"T-1","assignee":"northwind","class":"export","scope":"everything",
        "from":"2026-10-26T00:00:00Z","to":"2026-10-26T20:00:00Z","approved_by":"mary"}]"#;
    scene.tickets = Tickets::of_approved(serde_json::from_str::<Vec<Ticket>>(ticket).unwrap());
    scene.see(56, "09:00", login("itadmin", 56, "tty3"));
    check(
        scene.see(56, "09:01", with(file("itadmin", 56, "export", ""), json!({"count": 500}))),
        expect![[r#"
            Note FirstTime: No entry since 2026-08-31 shows this account at the health-record exports before.
            Note Bulk: 500 accesses to the health-record exports in this session so far; there are too few earlier sessions to say what is usual.
        "#]],
    );
}

#[test]
fn bulk_is_measured_by_the_sessions_before_and_stays_one_item_in_its_session() {
    let mut scene = Scene::new();
    scene.work_until(56);
    let read = |n: u32| with(file("sam", 56, "ehr", ""), json!({"count": n}));
    check(
        scene.see(56, "09:00", read(100)),
        expect![[r#"
        Raise Volume: 100 accesses to the health-record system’s files today so far; a usual day has 20.
    "#]],
    );
    check(
        scene.see(56, "09:10", read(20)),
        expect![[r#"
        Note Bulk: 120 accesses to the health-record system’s files in this session so far; a usual session has 20.
        Raise Volume: 120 accesses to the health-record system’s files today so far; a usual day has 20.
    "#]],
    );
    check(
        scene.see(56, "09:20", read(200)),
        expect![[r#"
        Raise Bulk: 320 accesses to the health-record system’s files in this session so far; a usual session has 20.
        Raise Volume: 320 accesses to the health-record system’s files this week so far; a usual week of the last eight has 100.
    "#]],
    );
    check(
        scene.see(56, "09:30", read(1)),
        expect![[r#"
        Raise Bulk: 321 accesses to the health-record system’s files in this session so far; a usual session has 20.
        Raise Volume: 321 accesses to the health-record system’s files this week so far; a usual week of the last eight has 100.
    "#]],
    );
    // The same day, another session: the day's item is there already.
    let other = with(file("sam", 560, "ehr", ""), json!({"count": 400}));
    check(
        scene.see(56, "15:00", other),
        expect![[r#"
        Note Bulk: 400 accesses to the health-record system’s files in this session so far; a usual session has 20.
        Note Volume: 721 accesses to the health-record system’s files this week so far; a usual week of the last eight has 100.
    "#]],
    );
}

#[test]
fn growth_that_is_too_slow_for_the_median_is_measured_against_the_oldest_weeks() {
    let mut scene = Scene::new();
    scene.work_until(28);
    let mut first = None;
    for week in 0..12 {
        // A fifth more each week.
        let per_day = (20.0 * 1.2f64.powi(week)).round();
        for weekday in 0..5 {
            let day = 28 + i64::from(week) * 7 + weekday;
            let text =
                scene.see(day, "09:00", with(file("sam", day, "ehr", ""), json!({"count": per_day as u32})));
            if text.contains("Raise") && first.is_none() {
                first = Some((week, text));
            }
        }
    }
    check(
        format!("{first:?}"),
        expect![[
            r#"Some((6, "Raise Volume: 300 accesses to the health-record system’s files this week so far; a usual week of the last eight has 133.\n"))"#
        ]],
    );
}

#[test]
fn a_password_set_by_another_is_an_item_where_the_mailbox_is_opened_from_a_new_computer() {
    let mut scene = Scene::new();
    scene.work_until(56);
    scene.see(56, "09:00", reset("itadmin", "chen", "/usr/sbin/chpasswd"));
    check(
        scene.see(56, "09:05", login("chen", 56, "tty2")),
        expect![[r#"
        Note AfterReset: The password of this account was set 5 minutes before, by Northwind IT; this is from a computer that it was used from before.
    "#]],
    );
    check(
        scene.see(56, "09:06", file("chen", 56, "mailbox", "chen")),
        expect![[r#"
        Note AfterReset: The password of this account was set 6 minutes before, by Northwind IT; this is from a computer that it was used from before.
    "#]],
    );
    check(
        scene.see(56, "23:00", login("chen", 57, "10.0.9.9")),
        expect![[r#"
        Note AfterReset: The password of this account was set 14 hours before, by Northwind IT; this is from a computer that it was not used from before.
        Note UnenrolledHost: The session came from 10.0.9.9, which is not enrolled and was not used by this account on 3 days before.
    "#]],
    );
    check(
        scene.see(56, "23:01", file("chen", 57, "mailbox", "chen")),
        expect![[r#"
        Raise AfterReset: The password of this account was set 14 hours 1 minute before, by Northwind IT; this is from a computer that it was not used from before.
        Note UnenrolledHost: The session came from 10.0.9.9, which is not enrolled and was not used by this account on 3 days before.
    "#]],
    );
    // Their own change, and two days later, are no news.
    scene.see(56, "09:00", reset("sam", "sam", "/usr/bin/passwd"));
    check(scene.see(56, "09:06", file("sam", 56, "mailbox", "sam")), expect![""]);
    check(scene.see(59, "09:06", file("chen", 59, "mailbox", "chen")), expect![""]);
}

#[test]
fn rights_that_somebody_gave_themselves_stand_beside_what_follows() {
    let mut scene = Scene::new();
    scene.work_until(56);
    scene.see(56, "09:00", reset("sam", "sam", "/usr/sbin/usermod"));
    check(
        scene.see(56, "09:06", file("sam", 56, "export", "")),
        expect![[r#"
        Raise FirstTime: No entry since 2026-08-31 shows this account at the health-record exports before, nor anybody else with the role “frontdesk”.
        Raise AfterRightsChange: Rights of this account were changed 6 minutes before, by Sam Ortiz.
    "#]],
    );
    scene.see(56, "09:00", reset("itadmin", "bea", "/usr/sbin/usermod"));
    check(
        scene.see(56, "09:06", file("bea", 56, "export", "")),
        expect![[r#"
        Note AfterRightsChange: Rights of this account were changed 6 minutes before, by Northwind IT.
    "#]],
    );
}

#[test]
fn what_goes_outside_and_what_is_read_through_copies_is_an_item() {
    let mut scene = Scene::new();
    scene.work_until(56);
    let export = file("bea", 56, "export", "");
    let moved = |to: &str| with(export.clone(), json!({"action": "rename", "object": {"to": to}}));
    check(scene.see(56, "09:00", moved("/srv/b")), expect![""]);
    check(
        scene.see(56, "09:00", moved("/media/bea/STICK/b")),
        expect![[r#"
            Raise MovedOut: The file was moved to a stick or disk that can be taken out.
        "#]],
    );
    let made = json!({"action": "create", "object": {"path": "/home/bea/Downloads/patients.csv"}});
    check(
        scene.see(57, "09:00", with(export.clone(), made)),
        expect![[r#"
        Raise MovedOut: The file was made in a downloads folder.
    "#]],
    );
    let own = json!({"action": "rename", "object": {"path": "/home/bea/Maildir/new/1", "to": "/home/bea/Maildir/cur/1"}});
    check(scene.see(57, "09:00", with(file("bea", 57, "mailbox", "bea"), own)), expect![""]);
    let raw = json!({"object": {"via": "raw_disk"}});
    check(
        scene.see(57, "09:00", with(export, raw)),
        expect![[r#"
        Raise ThroughCopy: It was reached below the file system, from the disk itself.
    "#]],
    );
    let backup = file("mary", 57, "backup", "");
    check(
        scene.see(57, "09:00", backup.clone()),
        expect![[r#"
        Note FirstTime: No entry since 2026-08-31 shows this account at the backups before, nor anybody else with the role “manager”.
        Raise ThroughCopy: A backup was read, not the files that it was made of.
    "#]],
    );
    check(
        scene.see(58, "09:00", backup.clone()),
        expect![[r#"
            Note ThroughCopy: A backup was read, not the files that it was made of.
        "#]],
    );
    check(
        scene.see(64, "09:00", backup),
        expect![[r#"
            Raise ThroughCopy: A backup was read, not the files that it was made of.
        "#]],
    );
}

#[test]
fn remote_control_covers_its_session_until_it_ends() {
    let mut scene = Scene::new();
    scene.work_until(56);
    scene.see(56, "09:00", login("sam", 56, "tty2"));
    let own = file("sam", 56, "mailbox", "sam");
    let remote = json!({"kind": "remote_control", "outcome": "success",
        "actor": {"login_user": "sam", "session": number("sam", 56), "tool": "AnyDesk"}});
    check(scene.see(56, "09:10", remote.clone()), expect![""]);
    check(
        scene.see(56, "09:20", own.clone()),
        expect![[r#"
            Raise RemoteControl: AnyDesk was driving the session or the computer at that time, without a ticket for it.
        "#]],
    );
    // Another session of the machine is not driven.
    check(scene.see(56, "09:20", file("bea", 56, "mailbox", "bea")), expect![""]);
    let over = with(remote.clone(), json!({"time": "", "last": "2026-10-26T09:30:00Z"}));
    scene.see(56, "09:10", over);
    check(scene.see(56, "09:31", own.clone()), expect![""]);
    scene.see(56, "10:00", remote);
    scene.see(56, "10:10", json!({"kind": "logout", "actor": {"session": number("sam", 56)}}));
    check(scene.see(56, "10:20", own), expect![""]);
}

#[test]
fn a_decoy_that_is_touched_is_an_item_whoever_it_was_unless_a_job_of_the_roster_did() {
    let mut scene = Scene::new();
    let decoy = |event: Value| with(event, json!({"object": {"decoy": true}}));
    let open = with(file("chen", 1, "export", ""), json!({"object": {"decoy": null}}));
    check(scene.see(0, "09:00", open.clone()), expect![""]);
    check(
        scene.see(0, "09:01", decoy(open.clone())),
        expect![[r#"
            Raise Decoy: A decoy was opened: it was put there for nobody to open, so no task leads to it.
        "#]],
    );
    check(
        scene.see(1, "09:01", decoy(with(open.clone(), json!({"action": "list"})))),
        expect![[r#"
            Raise Decoy: A decoy was listed: it was put there for nobody to open, so no task leads to it.
        "#]],
    );
    check(
        scene.see(2, "09:01", decoy(with(open.clone(), json!({"outcome": "denied"})))),
        expect![[r#"
            Note Denied: 1 attempt was refused in this session so far.
            Raise Decoy: A decoy was asked for, and the system refused it: it was put there for nobody to open, so no task leads to it.
        "#]],
    );
    let backup = json!({"object": {"class": "mailbox"}, "actor": {"login_user": "svc-backup"},
        "process": {"exe": "/usr/bin/restic"}});
    check(
        scene.see(3, "01:00", decoy(with(open, backup))),
        expect![[r#"
        Raise Decoy: A decoy was opened: it was put there for nobody to open, so no task leads to it.
    "#]],
    );
}

#[test]
fn who_could_have_been_is_told_from_the_sessions_that_are_open() {
    let mut scene = Scene::new();
    scene.see(0, "09:00", login("sam", 1, "tty2"));
    scene.see(0, "09:01", login("bea", 1, "10.0.4.17"));
    scene.see(0, "09:02", login("stranger", 1, "tty4"));
    let event = |clock: &str| -> Event {
        let json = json!({"kind": "file_access", "time": format!("2026-08-31T{clock}:00Z")});
        serde_json::from_value(json).unwrap()
    };
    let candidates = |scene: &Scene, event: &Event| {
        let access = Access::new("agent/srv", "srv", 9, event, &TimeZone::UTC);
        scene.history.candidates(&access, &scene.roster)
    };
    check(
        format!("{:#?}", candidates(&scene, &event("10:00"))),
        expect![[r#"
        [
            "Bea Novak (account bea)",
            "Sam Ortiz (account sam)",
            "account stranger, which is not in the roster",
        ]"#]],
    );
    scene.see(0, "10:30", json!({"kind": "logout", "actor": {"session": number("sam", 1)}}));
    assert_eq!(candidates(&scene, &event("11:00")).len(), 2);
    assert_eq!(candidates(&scene, &event("08:00")).len(), 0, "before they logged in");
    // The machine's own list counts where it made one, and where it says that it did its own work.
    let mut listed = event("11:00");
    let one = |user: &str, session: u64| Candidate {
        login_user: Some(user.to_owned()),
        session: Some(session),
        ..Candidate::default()
    };
    let candidates_of = vec![one("sam", 5), one("stranger", 6)];
    listed.actor = Some(Actor { candidates: candidates_of, ..Actor::default() });
    check(
        format!("{:#?}", candidates(&scene, &listed)),
        expect![[r#"
        [
            "Sam Ortiz (account sam)",
            "account stranger, which is not in the roster",
        ]"#]],
    );
    let mut own_work = event("11:00");
    own_work.process = Some(Process { unit: Some("apt-daily.service".to_owned()), ..Process::default() });
    assert_eq!(candidates(&scene, &own_work).len(), 0);
}

#[test]
fn an_unknown_computer_is_noted_and_with_others_files_an_item_until_it_is_known() {
    let mut scene = Scene::new();
    scene.work_until(56);
    let mut lines = String::new();
    for day in [56, 57, 58, 59] {
        lines.push_str(&scene.see(day, "19:00", login("bea", day + 500, "203.0.113.7")));
        lines.push_str(&scene.see(day, "19:01", file("bea", day + 500, "export", "")));
    }
    check(
        lines,
        expect![[r#"
            Note UnenrolledHost: The session came from 203.0.113.7, which is not enrolled and was not used by this account on 3 days before.
            Raise UnenrolledHost: The session came from 203.0.113.7, which is not enrolled and was not used by this account on 3 days before.
            Note UnenrolledHost: The session came from 203.0.113.7, which is not enrolled and was not used by this account on 3 days before.
            Note UnenrolledHost: The session came from 203.0.113.7, which is not enrolled and was not used by this account on 3 days before.
            Note UnenrolledHost: The session came from 203.0.113.7, which is not enrolled and was not used by this account on 3 days before.
            Note UnenrolledHost: The session came from 203.0.113.7, which is not enrolled and was not used by this account on 3 days before.
        "#]],
    );
}

#[test]
fn refusals_clocks_and_notice_are_said_beside_an_item() {
    let mut scene = Scene::new();
    scene.work_until(56);
    let refused = with(file("sam", 56, "hr", ""), json!({"outcome": "denied", "count": 3}));
    check(
        scene.see(56, "09:00", refused.clone()),
        expect![[r#"
        Note Denied: 3 attempts were refused in this session so far.
    "#]],
    );
    check(
        scene.see(56, "09:01", refused),
        expect![[r#"
        Note Denied: 6 attempts were refused in this session so far.
    "#]],
    );
    let read = file("sam", 56, "ehr", "");
    check(scene.see_received(56, "09:10", read.clone(), Some(["09:00", "09:10"])), expect![""]);
    check(
        scene.see_received(56, "08:00", read.clone(), Some(["09:00", "09:10"])),
        expect![[r#"
            Note ClockOff: By the machine’s clock this happened 1 hour earlier than the machine’s entries before it allow.
        "#]],
    );
    check(
        scene.see_received(56, "09:20", read, Some(["09:00", "09:10"])),
        expect![[r#"
            Note ClockOff: By the machine’s clock this happened 10 minutes later than it was received.
        "#]],
    );
}

#[test]
fn a_job_is_nobodys_habit_and_raises_nothing() {
    let mut scene = Scene::new();
    scene.work_until(56);
    let before = serde_json::to_string(&scene.history.people).unwrap();
    let mut night = file("", 0, "mailbox", "mary");
    night["actor"] = json!({"login_uid": 4_294_967_295u32, "effective_user": "svc-backup"});
    night["process"]["exe"] = json!("/usr/bin/restic");
    check(scene.see(56, "03:00", with(night, json!({"count": 40000}))), expect![""]);
    assert_eq!(serde_json::to_string(&scene.history.people).unwrap(), before);
}
