//! Tables of requests, approvals and fits; the book read again is the book.

use expect_test::{Expect, expect};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use super::*;
use crate::policy::{Policy, TicketTerms};
use crate::roster::Roster;

/// A practice with a firm that is one person in the roster, and two technicians of it.
pub(in crate::ticket) fn roster() -> Roster {
    Roster::parse(
        r#"
[[person]]
id = "mary"
name = "Mary Lopez"
roles = ["manager"]
[[person]]
id = "drchen"
name = "Dr. Chen"
roles = ["physician"]
[[person]]
id = "sam"
name = "Sam Ortiz"
roles = ["frontdesk"]
[[person]]
id = "olga"
name = "Olga Ruiz"
roles = ["reviewer"]
leave_date = "2026-11-01"
[[person]]
id = "northwind"
name = "Northwind IT"
organisation = "Northwind IT"
roles = ["itadmin"]
[[person]]
id = "tess"
name = "Tess Hall"
organisation = "northwind it"
roles = ["itadmin", "manager"]
"#,
    )
    .unwrap()
}

pub(in crate::ticket) fn terms() -> TicketTerms {
    TicketTerms::default()
}

/// Friday 27 November 2026, in New York.
pub(in crate::ticket) fn local(time: &str) -> Zoned {
    let zone = TimeZone::get("America/New_York").unwrap();
    zone.to_timestamp(format!("2026-11-27T{time}:00").parse::<jiff::civil::DateTime>().unwrap())
        .unwrap()
        .to_zoned(zone)
}

pub(in crate::ticket) fn at(time: &str) -> Timestamp {
    local(time).timestamp()
}

pub(in crate::ticket) fn draft(json: Value) -> Draft {
    let mut all = json!({"for": "northwind", "class": "export", "from": "2026-11-27T14:00", "to": "2026-11-27T18:00", "reason": "Restore a record"});
    for (key, value) in json.as_object().unwrap() {
        all[key] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

/// A book with one request, made at 14:00.
pub(in crate::ticket) fn asked(json: Value) -> Tickets {
    let mut book = Tickets::default();
    let request =
        draft(json).read(book.next_ticket(), &roster(), &terms(), Via::CommandLine, &local("14:00")).unwrap();
    book.apply(at("14:00"), "act_ticket", &json!({"step": "requested", "ticket": request})).unwrap();
    book
}

pub(in crate::ticket) fn sign(book: &mut Tickets, by: &str, time: &str) {
    let body = json!({"step": "approved", "id": "T-1", "by": by, "proof": "passphrase", "echo": "so"});
    book.apply(at(time), "act_ticket", &body).unwrap();
}

#[track_caller]
fn reads(json: Value, expected: Expect) {
    let read = draft(json).read("T-1".into(), &roster(), &terms(), Via::CommandLine, &local("14:00"));
    let text = match read {
        Ok(request) => serde_json::to_string(&request).unwrap(),
        Err(faults) => {
            faults.iter().map(|fault| format!("{}: {}\n", fault.key, fault.wrong)).collect::<String>()
        }
    };
    expected.assert_eq(&text);
}

#[test]
fn a_request_is_read_or_every_fault_of_it_is_named() {
    reads(
        json!({}),
        expect![[
            r#"{"id":"T-1","kind":"ticket","assignee":"northwind","class":"export","scope":"everything","from":"2026-11-27T19:00:00Z","to":"2026-11-27T23:00:00Z","reason":"Restore a record","requested_by":"northwind","via":"command line"}"#
        ]],
    );
    reads(
        json!({"from": null, "to": null}),
        expect![[
            r#"{"id":"T-1","kind":"ticket","assignee":"northwind","class":"export","scope":"everything","from":"2026-11-27T19:00:00Z","to":"2026-11-27T23:00:00Z","reason":"Restore a record","requested_by":"northwind","via":"command line"}"#
        ]],
    );
    reads(
        json!({"from": null, "to": null, "hours": 2, "owner": "sam", "class": "mailbox"}),
        expect![[
            r#"{"id":"T-1","kind":"ticket","assignee":"northwind","class":"mailbox","scope":{"owner":"sam"},"from":"2026-11-27T19:00:00Z","to":"2026-11-27T21:00:00Z","reason":"Restore a record","requested_by":"northwind","via":"command line"}"#
        ]],
    );
    reads(
        json!({"for": "role:itadmin", "kind": "maintenance", "class": "system", "host": "srv-01"}),
        expect![[
            r#"{"id":"T-1","kind":"maintenance","assignee":"role:itadmin","class":"system","scope":{"host":"srv-01"},"from":"2026-11-27T19:00:00Z","to":"2026-11-27T23:00:00Z","reason":"Restore a record","requested_by":"role:itadmin","via":"command line"}"#
        ]],
    );
    reads(
        json!({"for": "role:itadmin"}),
        expect![[r#"
        for: only a maintenance window is for a role; name a person or an organisation
    "#]],
    );
    reads(
        json!({"for": "role:pilot", "kind": "maintenance"}),
        expect![[r#"
        for: nobody in the roster has the role `pilot`
        host: is missing; a maintenance window is for one machine
    "#]],
    );
    reads(
        json!({"for": "nobody", "class": "own_mailbox", "owner": "a", "host": "b", "from": "soon", "hours": 99, "reason": " ", "kind": "party", "by": "a\nb"}),
        expect![[r#"
            kind: `party` is none of ticket, maintenance, on_call
            for: `nobody` is not in the roster; use an id that `ntk-collector roster export` shows
            class: `own_mailbox` is a special case; write `mailbox` and name the owner
            owner: give an owner or a host, not both
            from: `soon` is not a time; write 2026-11-20, 2026-11-20T18:30 or 2026-11-20T18:30:00Z
            hours: give an end or a number of hours, not both
            hours: is a number from 1 to 72
            reason: is empty; say why in a few words
            by: is not a name of 1 to 120 letters without line breaks
        "#]],
    );
    reads(
        json!({"class": "mailbox, ehr"}),
        expect![[r#"
            class: `mailbox, ehr` is none of mailbox, voicemail, ehr, export, hr, backup, system, self, login, elevation, remote_control, recording, access_rights; name exactly one
        "#]],
    );
    reads(
        json!({"from": "2026-11-27T14:00", "to": "2026-11-30T14:01"}),
        expect![[r#"
        to: is more than 72 hours after `from`; ask for less
    "#]],
    );
    reads(
        json!({"from": "2026-11-27T09:00", "to": "2026-11-27T13:00"}),
        expect![[r#"
        to: is over already; a ticket cannot allow what was done before it
    "#]],
    );
    reads(
        json!({"from": "2026-11-27T19:00"}),
        expect![[r#"
        to: is not later than `from`
    "#]],
    );
    reads(
        json!({"from": "2027-11-27", "to": "2027-11-27"}),
        expect![[r#"
        from: is more than 90 days ahead
    "#]],
    );
}

#[track_caller]
fn approves(book: &Tickets, by: &str, time: &str, expected: Expect) {
    approves_under(book, by, time, &terms(), expected);
}

#[track_caller]
fn approves_under(book: &Tickets, by: &str, time: &str, terms: &TicketTerms, expected: Expect) {
    let text = match approve(book, &roster(), terms, "T-1", by, &local(time)) {
        Ok(approved) if approved.awaits_second() => "yes, and a second person".to_owned(),
        Ok(_) => "yes".to_owned(),
        Err(refusal) => refusal.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn who_may_approve_what_and_when() {
    let book = asked(json!({}));
    approves(&book, "mary", "14:05", expect!["yes"]);
    approves(
        &book,
        "mary",
        "18:00",
        expect!["ticket T-1 is not open: never decided, and over; ask for a new one"],
    );
    approves(
        &book,
        "drchen",
        "14:05",
        expect!["Dr. Chen approves as the second person; somebody else approves first"],
    );
    approves(
        &book,
        "sam",
        "14:05",
        expect![
            "Sam Ortiz has none of the roles that approve tickets: manager, reviewer, or one that the policy lists under `[tickets] approvers`"
        ],
    );
    approves(
        &book,
        "olga",
        "14:05",
        expect!["Olga Ruiz has left by the roster and approves nothing any more"],
    );
    approves(
        &book,
        "zoe",
        "14:05",
        expect!["`zoe` is not in the roster, so nobody knows whose approval it would be"],
    );
    approves(
        &book,
        "northwind",
        "14:05",
        expect!["ticket T-1 is for the person who would approve it; another person has to"],
    );
    approves(
        &book,
        "tess",
        "14:05",
        expect![
            "ticket T-1 is for the firm that the approver works for; somebody of the practice has to approve"
        ],
    );
    let listed = TicketTerms { approvers: vec!["frontdesk".into()], hours_max: 3, ..terms() };
    approves_under(
        &book,
        "sam",
        "14:05",
        &listed,
        expect!["ticket T-1 covers more than 3 hours; ask for less"],
    );
    let listed = TicketTerms { approvers: vec!["frontdesk".into()], ..terms() };
    approves_under(&book, "sam", "14:05", &listed, expect!["yes"]);
    let unknown = approve(&book, &roster(), &terms(), "T-9", "mary", &local("14:05")).unwrap_err();
    assert_eq!(unknown, Refusal::Unknown("T-9".into()));
}

#[test]
fn the_policy_says_who_else_may_approve() {
    let policy = |line: &str| {
        Policy::parse(&format!("name = \"x\"\n[tickets]\n{line}\n[table.everyone]\nlogin = \"always\"\n"))
    };
    let read = policy("approvers = [\"owner\", \"frontdesk\"]").unwrap();
    assert_eq!(read.tickets().approvers, ["owner", "frontdesk"]);
    assert_eq!(policy("").unwrap().tickets(), &terms());
    for (line, says) in [
        ("approvers = \"owner\"", "tickets.approvers (line 3): write a list of roles"),
        ("approvers = [\"owner\", 7, \" \"]", "tickets.approvers (line 3): 7 is not a role"),
        ("aprovers = [\"owner\"]", "tickets.aprovers (line 3): unknown"),
    ] {
        let fault = policy(line).unwrap_err().to_string();
        assert!(fault.contains(says), "{line}: {fault}");
    }
}

#[test]
fn a_mailbox_needs_two_people_and_a_manager_does_not_approve_for_herself() {
    let mut book = asked(json!({"class": "mailbox"}));
    approves(&book, "mary", "14:05", expect!["yes, and a second person"]);
    sign(&mut book, "mary", "14:05");
    approves(
        &book,
        "mary",
        "14:06",
        expect!["Mary Lopez approved this already; the second approval is another person's"],
    );
    approves(&book, "drchen", "14:06", expect!["yes"]);
    sign(&mut book, "drchen", "14:06");
    approves(&book, "sam", "14:07", expect!["ticket T-1 is not open: approved; ask for a new one"]);
    let book = asked(json!({"for": "mary"}));
    approves(
        &book,
        "mary",
        "14:05",
        expect!["ticket T-1 is for the person who would approve it; another person has to"],
    );
    // Tess of Northwind has the role of a manager, so the second reviewer does not have to stand in.
    approves(
        &book,
        "drchen",
        "14:05",
        expect!["Dr. Chen approves as the second person; somebody else approves first"],
    );
    let book = asked(json!({"for": "role:itadmin", "kind": "maintenance", "host": "srv-01"}));
    approves(
        &book,
        "tess",
        "14:05",
        expect!["ticket T-1 is for the person who would approve it; another person has to"],
    );
    approves(&book, "mary", "14:05", expect!["yes"]);
}

#[track_caller]
fn says(json: Value, expected: Expect) {
    let book = asked(json);
    let request = &book.record("T-1").unwrap().request;
    let said = echo::echo(request, &roster(), &local("14:00"));
    for word in crate::finding::wording::ACCUSING_WORDS {
        assert!(!said.to_lowercase().contains(word), "{said}");
    }
    expected.assert_eq(&said);
}

#[test]
fn the_echo_says_what_it_allows() {
    says(
        json!({"class": "mailbox"}),
        expect![
            "Until Friday 27 November 18:00, Northwind IT may open 4 people’s mailboxes on any computer. Meanwhile they may log in and take on rights there."
        ],
    );
    says(
        json!({"class": "mailbox", "owner": "sam"}),
        expect![
            "Until Friday 27 November 18:00, Northwind IT may open Sam Ortiz’s mailbox on any computer. Meanwhile they may log in and take on rights there."
        ],
    );
    says(
        json!({"class": "hr", "host": "srv-01"}),
        expect![
            "Until Friday 27 November 18:00, Northwind IT may open 4 people’s personnel files on srv-01. Meanwhile they may log in and take on rights there."
        ],
    );
    says(
        json!({"class": "ehr", "from": "2026-11-27T15:00"}),
        expect![
            "On Friday 27 November from 15:00 to 18:00, Northwind IT may open the health records on any computer. Meanwhile they may log in and take on rights there."
        ],
    );
    says(
        json!({"class": "login", "to": "2026-11-28T12:00", "from": "2026-11-27T20:00"}),
        expect![
            "From Friday 27 November 20:00 until Saturday 28 November 12:00, Northwind IT may log in on any computer."
        ],
    );
    says(
        json!({"for": "role:itadmin", "kind": "maintenance", "class": "system", "host": "srv-01"}),
        expect![
            "Until Friday 27 November 18:00, whoever has the role itadmin (now Northwind IT and Tess Hall) may open and change system files on srv-01. Meanwhile they may log in and take on rights there."
        ],
    );
    says(
        json!({"kind": "on_call", "class": "backup", "to": "2026-11-29T14:00"}),
        expect![
            "Until Sunday 29 November 14:00, Northwind IT, while on call, may open the backups on any computer. Meanwhile they may log in and take on rights there."
        ],
    );
}

#[test]
fn the_book_read_again_from_its_acts_or_its_snapshot_is_the_same() {
    let request = |id: &str| {
        let request = draft(json!({})).read(id.into(), &roster(), &terms(), Via::Csv, &local("14:00"));
        json!({"step": "requested", "ticket": request.unwrap()})
    };
    let acts = [
        ("act_ticket", request("T-1")),
        ("act_ticket", request("T-2")),
        ("act_ticket", request("T-7")),
        ("act_roster", json!({"text": ""})),
        ("act_ticket", json!({"step": "refused", "id": "T-1", "by": "tess", "why": "own firm"})),
        (
            "act_ticket",
            json!({"step": "approved", "id": "T-1", "by": "mary", "proof": "passphrase", "echo": "…"}),
        ),
        ("act_ticket", json!({"step": "declined", "id": "T-2", "by": "mary", "reason": "not now"})),
        (
            "act_break_glass",
            json!({"step": "opened", "id": "B-1", "person": "northwind", "reason": "server down", "from": at("14:00").to_string(), "to": at("18:00").to_string()}),
        ),
        (
            "act_break_glass",
            json!({"step": "acknowledged", "id": "B-1", "by": "mary", "proof": "passphrase"}),
        ),
        ("act_ticket", json!({"step": "closed", "id": "T-1", "by": "mary", "note": "done"})),
    ];
    let mut book = Tickets::default();
    for (n, (kind, body)) in acts.iter().enumerate() {
        let time = at("14:00").checked_add(jiff::Span::new().minutes(i64::try_from(n).unwrap())).unwrap();
        book.apply(time, kind, body).unwrap();
        let snapshot: Tickets = serde_json::from_str(&serde_json::to_string(&book).unwrap()).unwrap();
        assert_eq!(snapshot, book, "after {body}");
    }
    let states: Vec<_> = book.records().map(|record| record.state(&terms(), at("15:00"))).collect();
    assert_eq!(states, [State::Closed, State::Declined, State::Requested]);
    assert_eq!(book.record("T-7").unwrap().state(&terms(), at("18:00")), State::Expired);
    assert_eq!((book.next_ticket().as_str(), book.next_break_glass().as_str()), ("T-8", "B-2"));
    assert!(book.break_glass("northwind", at("14:01")).is_some());
    assert!(book.break_glass("northwind", at("18:01")).is_none());
    assert_eq!(book.glasses().next().unwrap().acknowledged.as_ref().unwrap().by, "mary");

    // What does not follow leaves the book as it was.
    let before = book.clone();
    for body in [
        request("T-7"),
        request("12"),
        json!({"step": "approved", "id": "T-1", "by": "drchen", "proof": "passphrase", "echo": "…"}),
        json!({"step": "approved", "id": "T-99", "by": "mary", "proof": "passphrase", "echo": "…"}),
        json!({"step": "teleported", "id": "T-1"}),
        json!(7),
    ] {
        assert!(book.apply(at("16:00"), "act_ticket", &body).is_err(), "{body}");
        assert_eq!(book, before, "{body}");
    }
}

#[test]
fn the_book_stays_within_its_bounds_and_keeps_what_still_allows_something() {
    let mut book = Tickets::default();
    let mut request =
        draft(json!({})).read("T-1".into(), &roster(), &terms(), Via::Rest, &local("14:00")).unwrap();
    for n in 1..=book::RECORDS_MAX + 5 {
        request.id = format!("T-{n}");
        book.apply(at("14:00"), "act_ticket", &json!({"step": "requested", "ticket": request})).unwrap();
        if n == 1 {
            sign(&mut book, "mary", "14:01");
        }
    }
    assert_eq!(book.records().count(), book::RECORDS_MAX);
    assert!(book.record("T-1").is_some() && book.record("T-2").is_none());
}

mod fits;
