//! From a ledger to the review: what the store, the book, the roster and the weeks before have to say.

use expect_test::{Expect, expect};
use ntk_evidence::act;
use serde_json::{Value, json};

use crate::desk::rig::Rig;
use crate::finding::wording::ACCUSING_WORDS;

async fn report(rig: &Rig, week: &str) -> Value {
    let (status, body) = rig.post("/v1/report", json!({"week": week})).await;
    assert_eq!(status, 200, "{body}");
    let mut said = body["report"].clone();
    // The footer's twelve words are drawn, and any word may come up.
    said["footer"] = Value::Null;
    for word in ACCUSING_WORDS {
        assert!(!said.to_string().to_lowercase().contains(word), "RP-3: `{word}`");
    }
    body["report"].clone()
}

async fn acts(rig: &Rig, acts: &[(&str, Value)]) {
    let now = rig.app().ledger.now();
    let events = acts.iter().map(|(kind, body)| act::event(kind, now.clone(), body.clone()));
    let _appended = rig.app().ledger.act(events.collect()).await.unwrap();
}

fn read(time: &str, actor: &str, program: &str, class: &str, count: u64) -> String {
    format!(
        r#"{{"kind":"file_access","time":"{time}","count":{count},"outcome":"success","action":"read","actor":{{{actor},"confidence":"kernel"}},
        "process":{{"exe":"{program}"}},"object":{{{class},"path":"/srv/x"}},"source":{{"sensor":"linux-audit"}}}}"#
    )
}

const IT: &str = r#""login_uid":1001,"login_user":"itadmin1","session":5"#;
const MAIL: &str = r#""class":"mailbox","owner":"manager""#;

fn text(report: &Value) -> String {
    let say = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = |part: &Value| part.as_array().unwrap().clone();
    let mut lines = vec![say(&report["verdict"]["sentence"])];
    lines.extend(rows(&report["verdict"]["more"]).iter().map(|line| format!("- {}", say(line))));
    lines.extend(rows(&report["items"]).iter().map(|item| {
        format!(
            "item of {}: {}",
            item["incident"]["findings"].as_array().unwrap().len(),
            say(&item["headline"])
        )
    }));
    for part in ["settled", "break_glass", "tickets", "changes", "previous_opens"] {
        lines.extend(rows(&report[part]).iter().map(|line| format!("{part}: {}", say(&line["sentence"]))));
    }
    let roster = &report["roster"];
    lines.extend(rows(&roster["new_items"]).iter().map(|line| format!("roster: {}", say(line))));
    lines.extend(
        rows(&roster["unknown_accounts"])
            .iter()
            .map(|line| format!("unknown: {} records: {}", line["n_records"], say(&line["sentence"]))),
    );
    lines.extend(roster["standing_permits"].as_str().map(|line| format!("permits: {line}")));
    for area in rows(&report["areas"]).iter().filter(|area| area["median"].is_u64()) {
        lines.push(format!("{}: {}, usually {}", say(&area["heading"]), area["count"], area["median"]));
    }
    lines.join("\n") + "\n"
}

#[track_caller]
fn check(report: &Value, expected: Expect) {
    expected.assert_eq(&text(report));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_is_told_from_the_ledger_alone() {
    let rig = Rig::start().await;
    let (from, to) = ("2026-11-26T00:00:00Z", "2026-11-26T04:00:00Z");
    let ticket = json!({"id": "T-1", "kind": "ticket", "assignee": "northwind", "class": "export", "scope": {"owner": "sam"}, "from": from, "to": to, "reason": "printer", "requested_by": "northwind", "via": "command line"});
    let text = format!(
        "{}\n[[account]]\nshared_by = [\"sam\", \"bea\"]\nuser = \"desk\"\n",
        include_str!("../../templates/roster-example.toml")
    );
    acts(
        &rig,
        &[
            ("act_ticket", json!({"step": "requested", "ticket": ticket})),
            ("act_break_glass", json!({"step": "opened", "id": "B-1", "person": "northwind", "reason": "server down", "from": "2026-11-27T18:00:00Z", "to": "2026-11-27T20:00:00Z"})),
            ("act_reviewer", json!({"step": "reset", "person": "mary"})),
            ("act_roster", json!({"text": text, "change": "A roster came into force. 1 account is new.", "by": "mary", "proof": "none"})),
        ],
    )
    .await;
    rig.entries(
        "ws-01",
        &[
            read("2026-11-24T14:00:00Z", IT, "/usr/bin/cat", MAIL, 3),
            read("2026-11-25T14:00:00Z", IT, "/usr/bin/cat", MAIL, 2),
            read(
                "2026-11-25T15:00:00Z",
                r#""login_uid":1044,"login_user":"temp""#,
                "/usr/bin/cat",
                r#""class":"hr""#,
                1,
            ),
            read("2026-11-27T18:30:00Z", IT, "/usr/bin/cat", r#""class":"export""#, 4),
        ],
    )
    .await;
    check(
        &report(&rig, "2026-W48").await,
        expect![[r#"
            Seven items need your decision.
            - These are three questions about accesses, one break-glass to acknowledge, one ticket and two matters of the roster.
            - One of them is something that your table says never happens.
            - The passphrase of Mary Lopez was reset without the old one: whoever has the new one decides in this name. Ask Mary Lopez whether they did it.
            item of 1: The personnel files were opened for reading on ws-01 by account temp (uid 1044), which is not in the roster.
            item of 2: The manager’s mailbox was opened for reading on ws-01 by account itadmin1 (held by Northwind IT). This happened on 2 days since 24 November, 5 accesses in all.
            item of 1: The health-record exports were opened for reading on ws-01 by account itadmin1 (held by Northwind IT).
            break_glass: B-1: Northwind IT took access without a ticket for 2 hours; the typed reason is “server down”; 4 accesses rested on it (the health-record exports 4); nobody has acknowledged it yet.
            tickets: Ticket T-1 for Northwind IT was asked for, and its time passed before anybody decided.
            changes: There is no second reviewer, and nobody has declined one. Decisions, leave dates, tables and exports rest on one person’s word. Name one: ntk-collector reviewer second PERSON --by WHO.
            changes: A need-to-know table came into force, as the practice was set up.
            changes: A roster came into force.
            changes: A roster came into force.
            changes: The passphrase of Mary Lopez was reset without the old one: whoever has the new one decides in this name. Ask Mary Lopez whether they did it.
            changes: A roster came into force. 1 account is new. Recorded in Mary Lopez’s name; nobody proved to be Mary Lopez.
            changes: The machine ws-01 was enrolled.
            previous_opens: The review of week 2026-W48 was made.
            roster: Account desk is shared by Sam Ortiz and Bea Novak: a record of it does not show which of them it was. An account for each of them would.
            roster: The password of account desk is also known to Bea Novak, whose leave date has come: change it, then correct the roster.
            unknown: 1 records: Account temp (uid 1044) on ws-01 is not in the roster: 1 other record. Whose it is, the roster does not show.
        "#]],
    );
    // What came after the week's end is not of the week.
    let before = report(&rig, "2026-W47").await;
    assert_eq!(before["verdict"]["is_quiet"], true, "{before}");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_weeks_before_say_what_is_usual_and_what_works_by_itself() {
    let rig = Rig::start().await.again("2027-02-08T12:00:00Z").await;
    let mut events = Vec::new();
    let first: jiff::civil::Date = "2026-11-30".parse().unwrap();
    for n in 0..70i64 {
        let day = first.checked_add(jiff::ToSpan::days(n)).unwrap();
        let scanner = r#""login_uid":4294967295,"effective_user":"clamav""#;
        events.push(read(&format!("{day}T07:00:00Z"), scanner, "/usr/sbin/clamd", r#""class":"ehr""#, 10));
    }
    rig.entries("ws-01", &events).await;
    let week = report(&rig, "2027-W05").await;
    let only = json!({"verdict": {"sentence": "", "more": []}, "items": [], "settled": [], "break_glass": [], "tickets": [], "changes": [], "previous_opens": [], "areas": week["areas"], "roster": week["roster"]});
    check(
        &only,
        expect![[r#"

        permits: One program works regularly with nobody logged in and could be confirmed as a standing permit: the virus scanner clamd on ws-01. Look with `ntk-collector baseline`.
        Health records: 70, usually 70
    "#]],
    );
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_shows_its_own_tickets_alone() {
    let rig = Rig::start().await;
    acts(&rig, &[("act_break_glass", json!({"step": "opened", "id": "B-1", "person": "northwind", "reason": "server down", "from": "2026-11-27T18:00:00Z", "to": "2026-11-27T20:00:00Z"}))]).await;
    let app = rig.app().clone();
    let extract = tokio::task::spawn_blocking(move || {
        let week = crate::report::week::Week::parse("2026-W48").unwrap();
        let now = "2026-11-27T19:00:00Z".parse().unwrap();
        let none = |_: &crate::follow::answer::Seen<'_>| false;
        super::review(
            &app.practice,
            &app.lookup,
            &app.ledger.published(),
            &app.practice.trust,
            now,
            week,
            Some(&none),
        )
        .unwrap()
    })
    .await
    .unwrap();
    assert!(extract.is_extract && extract.break_glass.is_empty());
    assert_eq!(report(&rig, "2026-W48").await["break_glass"].as_array().unwrap().len(), 1);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_came_afterwards_is_a_step_of_the_finding_and_listed_as_late() {
    let rig = Rig::start().await;
    let text = include_str!("../../templates/roster-example.toml");
    acts(&rig, &[("act_roster", json!({"text": text}))]).await;
    rig.entries("ws-01", &[read("2026-11-24T14:30:00Z", IT, "/usr/bin/cat", r#""class":"export""#, 7)]).await;
    let app = rig.app().clone();
    let opened = move || {
        app.lookup.up_to_date().unwrap();
        let found = app.lookup.store().findings().unwrap();
        found.first().is_some_and(|record| record.opened_by.is_some())
    };
    rig.until("the finding to be opened", opened).await;
    let ticket = json!({"id": "T-1", "kind": "ticket", "assignee": "northwind", "class": "export", "scope": {"host": "ws-01"}, "from": "2026-11-24T14:00:00Z", "to": "2026-11-24T18:00:00Z", "reason": "restore test", "requested_by": "northwind", "via": "command line"});
    acts(
        &rig,
        &[
            ("act_ticket", json!({"step": "requested", "ticket": ticket})),
            (
                "act_ticket",
                json!({"step": "approved", "id": "T-1", "by": "mary", "proof": "passphrase", "echo": "x"}),
            ),
        ],
    )
    .await;
    let app = rig.app().clone();
    let stepped = move || {
        app.lookup.up_to_date().unwrap();
        let found = app.lookup.store().findings().unwrap();
        found.first().is_some_and(|record| record.steps.len() == 1)
    };
    rig.until("the step", stepped).await;
    let said = report(&rig, "2026-W48").await;
    let late: Vec<_> =
        said["tickets"].as_array().unwrap().iter().map(|line| line["sentence"].clone()).collect();
    let sentence = "Ticket T-1 for Northwind IT was approved after 7 accesses that it would have covered.";
    assert!(late.contains(&json!(sentence)), "{late:?}");
    // The decision stands: it saw the ledger up to its entry.
    assert_eq!(said["items"][0]["finding"]["outcome"], "unexplained");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rested_on_a_ticket_can_be_opened() {
    let rig = Rig::start().await;
    let ticket = json!({"id": "T-1", "kind": "ticket", "assignee": "northwind", "class": "export", "scope": "everything", "from": "2026-11-27T18:00:00Z", "to": "2026-11-27T21:00:00Z", "reason": "restore test", "requested_by": "northwind", "via": "command line"});
    acts(
        &rig,
        &[
            ("act_ticket", json!({"step": "requested", "ticket": ticket})),
            (
                "act_ticket",
                json!({"step": "approved", "id": "T-1", "by": "mary", "proof": "passphrase", "echo": "x"}),
            ),
        ],
    )
    .await;
    let under = read("2026-11-27T19:00:30Z", IT, "/usr/bin/cat", r#""class":"export""#, 7);
    let beside = read("2026-11-27T19:00:40Z", IT, "/usr/bin/cat", MAIL, 1);
    rig.entries("ws-01", &[beside, under]).await;
    let (status, row) = rig.get("/v1/events?rests_on=T-1").await;
    assert_eq!((status, &row["number"]), (200, &json!(1)), "one line, and it is this one: {row}");
    assert_eq!(row["decision"]["reasons"][0]["rule"], "ticket:T-1");
    let (_, none) = rig.get("/v1/events?rests_on=T-2").await;
    assert_eq!(none, Value::Null);
    let said = report(&rig, "2026-W48").await;
    let broad = "Ticket T-1 for Northwind IT was approved for all record exports, not for one owner or machine; 7 accesses rested on it so far.";
    let listed = said["tickets"].as_array().unwrap().iter().any(|line| line["sentence"] == broad);
    assert!(listed, "{}", said["tickets"]);
    rig.end().await;
}
