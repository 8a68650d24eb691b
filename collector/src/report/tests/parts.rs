//! Incidents, tickets, break-glass and the roster, from the store's records to sentences.

use expect_test::expect;
use serde_json::{Value, json};

use super::{
    Access, at, event, file, input, page, quiet, record, records_of, said, usual_week, weighed, zone,
};
use crate::policy::Area;
use crate::report::week::Week;
use crate::report::{Matter, RosterPart, WeekInput};
use crate::roster::Roster;
use crate::ticket::Tickets;
use crate::ticket::items::{Period, Usage};

use super::WEEK;

/// A book with a break-glass that waits, one that is acknowledged, a ticket that nobody used, one for a mailbox.
pub(super) fn matters(roster: &Roster) -> (Vec<Matter>, Vec<Matter>) {
    let mut book = Tickets::default();
    let opened = |id: &str, reason: &str, day: &str| json!({"step": "opened", "id": id, "person": "northwind", "reason": reason, "from": format!("{day}T22:00:00Z"), "to": format!("2026-11-{}T02:00:00Z", day[8..].parse::<u8>().unwrap() + 1)});
    let ticket = |id: &str, class: &str| json!({"step": "requested", "ticket": {"id": id, "kind": "ticket", "assignee": "northwind", "class": class, "scope": {"owner": "sam"}, "from": "2026-11-18T14:00:00Z", "to": "2026-11-18T18:00:00Z", "reason": "printer", "requested_by": "northwind", "via": "command line"}});
    let approved = |id: &str, by: &str| json!({"step": "approved", "id": id, "by": by, "proof": "passphrase", "echo": "Until Wednesday"});
    for (time, kind, body) in [
        ("2026-11-17T22:00:00Z", "act_break_glass", opened("B-1", "server down", "2026-11-17")),
        (
            "2026-11-18T13:00:00Z",
            "act_break_glass",
            json!({"step": "acknowledged", "id": "B-1", "by": "mary", "proof": "passphrase"}),
        ),
        ("2026-11-19T22:00:00Z", "act_break_glass", opened("B-2", " ", "2026-11-19")),
        ("2026-11-18T12:00:00Z", "act_ticket", ticket("T-1", "export")),
        ("2026-11-18T12:10:00Z", "act_ticket", approved("T-1", "mary")),
        ("2026-11-18T12:20:00Z", "act_ticket", ticket("T-2", "mailbox")),
        ("2026-11-18T12:30:00Z", "act_ticket", approved("T-2", "mary")),
        ("2026-11-18T12:40:00Z", "act_ticket", approved("T-2", "drchen")),
    ] {
        book.apply(at(time), kind, &body).unwrap();
    }
    let (from, to) = Week::parse(WEEK).unwrap().bounds(&zone());
    let terms = crate::policy::TicketTerms::default();
    let period = Period { roster, terms: &terms, from, to, now: at("2026-11-23T11:00:00Z") };
    let used = |n_accesses| Usage { n_accesses, n_before_approval: 0 };
    let uses = [("B-1".to_owned(), used(4)), ("T-2".to_owned(), used(2))].into();
    (
        crate::report::matters::break_glass(&book, &uses, &Default::default(), period, &zone()),
        crate::report::matters::tickets(&book, &uses, period),
    )
}

pub(super) fn roster_part(roster: &Roster) -> RosterPart {
    let mut gathering = crate::roster::proposal::Gathering::default();
    let login = event(
        r#"{"kind":"login","time":"2026-11-20T08:00:00Z","actor":{"login_uid":1044,"login_user":"temp"}}"#,
    );
    let access = Access::new("agent/ws-02", "ws-02", 1, &login, &zone());
    gathering.observe(&access, roster);
    let contract = "The contract of Northwind IT ended on 2026-11-15, and no leave date is recorded: record it with `ntk-collector leave northwind --on DATE`, or correct the contract.";
    crate::report::matters::roster_part(vec![contract.to_owned()], &gathering.finish(roster), &[], roster)
}

/// Nine small questions of one holder about nine things, hours apart.
fn many_small() -> WeekInput {
    let mut input = quiet();
    let mut events = Vec::new();
    for (day, class) in (16..22).zip(["ehr", "export", "voicemail", "hr", "backup", "system"]) {
        for (hour, owner) in [(13, "a"), (16, "b")] {
            let object = format!(r#""class":"{class}","owner":"{owner}""#);
            let time = format!("2026-11-{day}T{hour}:00:00Z");
            events.push((
                "ws-01",
                file(&time, r#""login_uid":1044,"login_user":"helpdesk2""#, "read", "denied", &object),
            ));
        }
    }
    input.incidents = super::input(&events, "2026-11-23T11:00:00Z").incidents;
    input
}

#[test]
fn a_flood_is_one_item_that_says_for_how_many_it_stands() {
    let (report, html) = page("small", many_small());
    assert_eq!(report.items.len(), 1);
    let item = &report.items[0];
    assert!(item.incident.is_flood && html.contains("questions as one"));
    expect![[r#"
        Account helpdesk2 (uid 1044) on ws-01, which is not in the roster: 12 separate questions in the week of 16 November, shown as one because they are so many: the backups of a once, the backups of b once, the health-record exports of a once, the health-record exports of b once, the health-record system’s files of a once and 7 more.
        So many small questions about one holder are shown as one, and that there are so many is a question of its own: stands for 12 questions with 12 findings; open with `ntk-collector finding 40a02fec62afcbfe`.
    "#]].assert_eq(&format!("{}\n{}\n", item.headline, item.stands_for.clone().unwrap()));
}

/// An access again on another day, and a login close to it: one item.
fn chained(steps: &[Value]) -> WeekInput {
    let mut events = usual_week();
    let it = r#""login_uid":1001,"login_user":"itadmin1","effective_user":"root","session":5"#;
    for time in ["2026-11-17T15:00:00Z", "2026-11-18T15:00:00Z", "2026-11-18T15:05:00Z"] {
        let class = if time.contains("15:05") { r#""class":"export""# } else { r#""class":"hr""# };
        events.push(("ws-01", file(time, it, "read", "success", class)));
    }
    let mut input = input(&events, "2026-11-23T11:00:00Z");
    let mut records = records_of(&input);
    for record in &mut records {
        let n = record.finding.n_accesses;
        record.steps = (50..)
            .zip(steps)
            .map(|(number, step)| said(number, "2026-11-19T15:00:00Z", n, step.clone()))
            .collect();
    }
    input.incidents = weighed(&records).0;
    input
}

#[test]
fn an_incident_is_one_item_with_everything_that_was_said_about_it() {
    let asked = json!({"step": "asked", "question": "What was this for?", "by": "mary", "proof": "none"});
    let late = json!({"step": "late_ticket", "ticket": "T-9"});
    let (report, html) = page("chained", chained(&[asked, late]));
    assert_eq!(report.items.len(), 1);
    let item = &report.items[0];
    assert_eq!(item.finding.id, item.incident.id, "the weightiest finding");
    assert_eq!(item.incident.findings.len(), 3);
    let mut text = format!("{}\n{}\n", report.verdict.sentence, item.headline);
    for (name, value) in &item.facts {
        text.push_str(&format!("  {name}: {value}\n"));
    }
    text.push_str(item.stands_for.as_ref().unwrap());
    let id = item.finding.id.as_str();
    assert!(html.contains(&format!("<code>ntk-collector finding {id}</code>")));
    expect![[r#"
        One item needs your decision. All 3,400 other recorded accesses and logins are explained.
        The personnel files were opened for reading on ws-01 by account itadmin1 (held by Northwind IT), working as root after sudo. This happened on 2 days since 17 November, 2 accesses in all. Close to it in time: the health-record exports.
          When: on 2 days: first Tuesday 17 November, 10:00 (EST), last Wednesday 18 November, 10:05 (EST)
          Account: itadmin1, held by Northwind IT, working as root after sudo
          What: The personnel files: 2 × opened for reading; the health-record exports: 1 × opened for reading, by the program cat
          Rule: IT administrators may never open personnel files. IT administrators may open exports of health records under an approved ticket.
          Would explain it: an approved ticket for the health-record exports that covers this time; there was none
          Asked: “What was this for?”, recorded in Mary Lopez’s name; nobody proved to be Mary Lopez, Thursday 19 November, 10:00 (EST)
          Late ticket: T-9 was approved afterwards and would have covered this; it explains nothing.
        Stands for 3 findings: open with `ntk-collector finding ID`."#]].assert_eq(&text.replace(id, "ID"));
}

#[test]
fn what_is_decided_or_covered_is_counted_and_no_item() {
    let decided = |decision: &str| json!({"step": "decided", "decision": decision, "because": "the audit of our insurer", "by": "mary", "proof": "passphrase", "until": "2026-11-30T05:00:00Z"});
    let (report, html) = page("decided", chained(&[decided("expected")]));
    assert!(report.items.is_empty() && report.verdict.is_quiet);
    assert!(html.contains("1 expected. Nothing is asked about these"));
    let mut text = format!("{}\n{}\n", report.verdict.sentence, report.settled[0].sentence);
    let (report, _) = page("escalated", chained(&[decided("escalated")]));
    text.push_str(&format!("{}\n", report.settled[0].sentence));
    let (report, _) = page("reopened", chained(&[decided("expected"), decided("open")]));
    assert_eq!(report.items.len(), 1);
    expect![[r#"
        Nothing needs your decision: 3,400 recorded accesses and logins are explained, and one question was decided or covered by an earlier answer.
        Expected: “the audit of our insurer”, by Mary Lopez, Thursday 19 November, 10:00 (EST).
        Escalated: “the audit of our insurer”, by Mary Lopez, Thursday 19 November, 10:00 (EST).
    "#]].assert_eq(&text);
}

#[test]
fn a_later_finding_of_the_same_is_covered_until_the_day() {
    let decided = json!({"step": "decided", "decision": "expected", "because": "the audit of our insurer", "by": "mary", "proof": "passphrase", "until": "2026-11-30T05:00:00Z"});
    let mut input = chained(&[]);
    let mut records = records_of(&input);
    // The audit began weeks ago; a decision of then speaks of the same.
    records.retain(|record| record.finding.asset.area == Area::Export);
    let mut earlier = records[0].finding.clone();
    earlier.id = "0123456789abcdef".to_owned();
    (earlier.first_time, earlier.last_time) =
        (Some(at("2026-11-03T15:00:00Z")), Some(at("2026-11-03T15:00:00Z")));
    let n = earlier.n_accesses;
    records.push(record(earlier, vec![said(9, "2026-11-04T15:00:00Z", n, decided)]));
    input.incidents = weighed(&records).0;
    let (report, html) = page("covered", input);
    assert!(report.items.is_empty(), "{:?}", report.items);
    assert!(html.contains("1 covered by an earlier answer"));
    expect!["Covered by the answer to 0123456789abcdef: “the audit of our insurer”, by Mary Lopez, until 30 November 2026."].assert_eq(&report.settled[0].sentence);
}

#[test]
fn tickets_break_glass_and_the_roster_count_in_the_verdict() {
    let mut input = quiet();
    (input.break_glass, input.tickets) = matters(&input.names);
    input.roster = roster_part(&input.names);
    let (report, html) = page("matters", input);
    let mut text = format!("{}\n{}\n", report.verdict.sentence, report.verdict.more.join("\n"));
    for line in report.break_glass.iter().chain(&report.tickets) {
        let mark = if line.is_to_decide { "decide" } else { "listed" };
        text.push_str(&format!("{mark} {}: {}\n", line.when, line.sentence));
    }
    for account in &report.roster.unknown_accounts {
        text.push_str(&format!("{}: {}\n", account.n_records, account.sentence));
    }
    assert!(!report.verdict.is_quiet && !html.contains("Break-glass was not used"));
    expect![[r#"
        Three items need your decision. All 3,400 other recorded accesses and logins are explained.
        These are one break-glass to acknowledge, one ticket and one matter of the roster.
        decide Thursday 19 November, 17:00 (EST): B-2: Northwind IT took access without a ticket for 4 hours; no reason was typed; no access rested on it; nobody has acknowledged it yet.
        listed Tuesday 17 November, 17:00 (EST): B-1: Northwind IT took access without a ticket for 4 hours; the typed reason is “server down”; 4 accesses rested on it; Mary Lopez acknowledged it on Wednesday 18 November, 08:00 (EST).
        decide Wednesday 18 November, 13:00 (EST): Ticket T-1 for Northwind IT was approved and is over, and no access rested on it.
        listed Wednesday 18 November, 07:40 (EST): Ticket T-2 for Northwind IT allowed mailboxes, approved by Mary Lopez and Dr. Chen; 2 accesses rested on it.
        1: Account temp (uid 1044) on ws-02 is not in the roster: 1 login. Whose it is, the roster does not show.
    "#]].assert_eq(&text);
}
