//! Tickets from request to end, over the admin API of a practice at work.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::desk::rig::Rig;

const MARYS: &str = "correct horse battery";
const CHENS: &str = "staple of the morning";

async fn with_passphrases() -> Rig {
    let rig = Rig::start().await;
    for (person, new) in [("mary", MARYS), ("drchen", CHENS), ("northwind", "a technician's own words")] {
        let set = rig.post("/v1/reviewers/passphrase", json!({"person": person, "new": new})).await;
        assert_eq!(set, (200, json!({"person": person, "step": "set"})));
    }
    rig
}

async fn request(rig: &Rig, class: &str) -> (String, String) {
    let draft = json!({"for": "northwind", "class": class, "reason": "Restore a record", "hours": 4});
    let (status, body) = rig.post("/v1/tickets/request", draft).await;
    assert_eq!(status, 200, "{body}");
    (body["id"].as_str().unwrap().to_owned(), body["echo"].as_str().unwrap().to_owned())
}

async fn approve(rig: &Rig, id: &str, echo: &str, by: &str, passphrase: &str) -> (u16, Value) {
    let ask = json!({"id": id, "by": by, "echo": echo, "passphrase": passphrase});
    rig.post("/v1/tickets/approve", ask).await
}

/// State, approvals and refused attempts of every ticket.
async fn standing(rig: &Rig) -> String {
    let (status, body) = rig.get("/v1/tickets").await;
    assert_eq!(status, 200, "{body}");
    let rows = body["tickets"].as_array().unwrap().iter().map(|row| {
        let by = |key: &str| {
            let rows = row["record"][key].as_array().cloned().unwrap_or_default();
            rows.iter().map(|one| one["by"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("+")
        };
        format!("{} {} approved:{} refused:{}", row["id"], row["state"], by("approvals"), by("attempts"))
    });
    rows.collect::<Vec<_>>().join("\n").replace('"', "")
}

#[track_caller]
fn said(answer: (u16, Value), expected: Expect) {
    let text = answer.1["error"].as_str().map_or_else(|| answer.1.to_string(), ToOwned::to_owned);
    expected.assert_eq(&format!("{} {text}", answer.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_approved_by_another_person_who_shows_who_they_are_and_saw_the_echo() {
    let rig = with_passphrases().await;
    let (id, echo) = request(&rig, "export").await;
    said(
        approve(&rig, &id, &echo, "mary", "not hers at all").await,
        expect!["400 that is not the passphrase of `mary`"],
    );
    said(
        approve(&rig, &id, &echo, "sam", MARYS).await,
        expect!["400 `sam` has no passphrase yet; set one with `ntk-collector reviewer passphrase sam`"],
    );
    said(
        approve(&rig, &id, "something else", "mary", MARYS).await,
        expect![
            "400 what the ticket allows reads differently by now; look at it again: Until Friday 27 November 18:00, Northwind IT may open every export of health records on any computer. Meanwhile they may log in and take on rights there."
        ],
    );
    said(
        approve(&rig, &id, &echo, "northwind", "a technician's own words").await,
        expect!["400 ticket T-1 is for the person who would approve it; another person has to"],
    );
    let own = rig.post("/v1/tickets/echo", json!({"id": id, "by": "northwind"})).await;
    assert_eq!(own.0, 200, "whose side it is shows only after the passphrase: {}", own.1);
    said(
        approve(&rig, "T-9", &echo, "mary", MARYS).await,
        expect!["400 there is no ticket `T-9`; see `ntk-collector ticket list`"],
    );
    expect!["T-1 requested approved: refused:northwind"].assert_eq(&standing(&rig).await);
    said(
        rig.post("/v1/tickets/echo", json!({"id": id, "by": "mary"})).await,
        expect![[
            r#"200 {"echo":"Until Friday 27 November 18:00, Northwind IT may open every export of health records on any computer. Meanwhile they may log in and take on rights there.","awaits_second":false,"reason":"Restore a record"}"#
        ]],
    );
    said(
        approve(&rig, &id, &echo, "mary", MARYS).await,
        expect![[
            r#"200 {"id":"T-1","echo":"Until Friday 27 November 18:00, Northwind IT may open every export of health records on any computer. Meanwhile they may log in and take on rights there.","awaits_second":false}"#
        ]],
    );
    said(
        approve(&rig, &id, &echo, "drchen", CHENS).await,
        expect!["400 ticket T-1 is not open: approved; ask for a new one"],
    );
    said(
        rig.post("/v1/tickets/close", json!({"id": id, "by": "mary"})).await,
        expect![[r#"200 {"id":"T-1"}"#]],
    );
    said(
        rig.post("/v1/tickets/close", json!({"id": id, "by": "mary"})).await,
        expect!["400 ticket T-1 has ended: closed"],
    );
    let before = standing(&rig).await;
    expect!["T-1 closed approved:mary refused:northwind"].assert_eq(&before);
    let rig = rig.again("2026-11-27T20:00:00Z").await;
    assert_eq!(standing(&rig).await, before, "the book is read again from the ledger");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_takes_two_people_and_two_at_once_are_still_in_order() {
    let rig = with_passphrases().await;
    let (id, echo) = request(&rig, "mailbox").await;
    let marys = || approve(&rig, &id, &echo, "mary", MARYS);
    let (one, other) = tokio::join!(marys(), marys());
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "the same person counts once");
    expect!["T-1 awaits_second approved:mary refused:"].assert_eq(&standing(&rig).await);
    said(
        approve(&rig, &id, &echo, "drchen", CHENS).await,
        expect![[
            r#"200 {"id":"T-1","echo":"Until Friday 27 November 18:00, Northwind IT may open 4 people’s mailboxes on any computer. Meanwhile they may log in and take on rights there.","awaits_second":false}"#
        ]],
    );
    expect!["T-1 approved approved:mary+drchen refused:"].assert_eq(&standing(&rig).await);
    let ids = tokio::join!(request(&rig, "ehr"), request(&rig, "ehr"), request(&rig, "ehr"));
    let mut ids = [ids.0.0, ids.1.0, ids.2.0];
    ids.sort();
    assert_eq!(ids, ["T-2", "T-3", "T-4"], "no number is given twice");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_imported_whole_or_not_at_all() {
    let rig = Rig::start().await;
    let import = |text: &str| rig.post("/v1/tickets/import", json!({"text": text}));
    said(
        import("for,class,reason\nnorthwind,export,Restore\nnobody,export,Restore\n").await,
        expect![[r#"
            400 nothing was imported; the file has 1 thing to mend:
            - line 3, column for: `nobody` is not in the roster; use an id that `ntk-collector roster export` shows"#]],
    );
    assert_eq!(standing(&rig).await, "");
    said(
        import("for,class,reason\nnorthwind,export,Restore\nnorthwind,ehr,Look\n").await,
        expect![[r#"200 {"ids":["T-1","T-2"]}"#]],
    );
    expect![[r#"
        T-1 requested approved: refused:
        T-2 requested approved: refused:"#]]
    .assert_eq(&standing(&rig).await);
    let wrong = json!({"for": "nobody", "class": "tea", "reason": "", "hours": 99});
    said(
        rig.post("/v1/tickets/request", wrong).await,
        expect![[r#"
            400 --for: `nobody` is not in the roster; use an id that `ntk-collector roster export` shows
            --class: `tea` is none of mailbox, voicemail, ehr, export, hr, backup, system, self, login, elevation, remote_control, recording, access_rights; name exactly one
            --hours: is a number from 1 to 72
            --reason: is empty; say why in a few words"#]],
    );
    said(
        rig.post("/v1/tickets/decline", json!({"id": "T-1", "by": "mary"})).await,
        expect!["400 --reason: is empty; say why in a few words"],
    );
    let why = json!({"id": "T-1", "by": "mary", "reason": "Not this week"});
    said(rig.post("/v1/tickets/decline", why.clone()).await, expect![[r#"200 {"id":"T-1"}"#]]);
    said(rig.post("/v1/tickets/decline", why).await, expect!["400 ticket T-1 is not open: declined"]);
    said(
        rig.post("/v1/tickets/close", json!({"id": "T-2", "by": "zoe"})).await,
        expect!["400 `zoe` is not in the roster; use an id that `ntk-collector roster export` shows"],
    );
    said(
        rig.post("/v1/tickets/close", json!({"id": "T-7", "by": "mary"})).await,
        expect!["404 there is no ticket `T-7`; see `ntk-collector ticket list`"],
    );
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn break_glass_is_open_at_once_and_acknowledged_by_another_person() {
    let rig = with_passphrases().await;
    let open = |person: &str, reason: &str, hours: u32| {
        rig.post("/v1/break-glass", json!({"person": person, "reason": reason, "hours": hours}))
    };
    said(open("northwind", " ", 4).await, expect!["400 --reason: is empty; say why in a few words"]);
    said(
        open("nobody", "Server down", 4).await,
        expect!["400 `nobody` is not in the roster; use an id that `ntk-collector roster export` shows"],
    );
    said(open("northwind", "Server down", 100).await, expect!["400 --hours: is a number from 1 to 72"]);
    said(
        open("northwind", "Server down", 4).await,
        expect![[r#"200 {"id":"B-1","person":"Northwind IT","until":"Friday 27 November 18:00"}"#]],
    );
    let seen = |id: &str, by: &str, passphrase: &str| {
        rig.post("/v1/break-glass/acknowledge", json!({"id": id, "by": by, "passphrase": passphrase}))
    };
    said(
        seen("B-1", "northwind", "a technician's own words").await,
        expect!["400 B-1 was used on the side that Northwind IT stands on; another person acknowledges it"],
    );
    said(
        seen("B-2", "mary", MARYS).await,
        expect!["404 there is no break-glass `B-2`; see `ntk-collector ticket list`"],
    );
    said(seen("B-1", "drchen", CHENS).await, expect![[r#"200 {"id":"B-1"}"#]]);
    said(seen("B-1", "mary", MARYS).await, expect!["400 B-1 was acknowledged already"]);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passphrase_is_changed_with_the_old_one_or_by_an_act_that_the_review_shows() {
    let rig = with_passphrases().await;
    let set = |body: Value| rig.post("/v1/reviewers/passphrase", body);
    said(
        set(json!({"person": "nobody", "new": MARYS})).await,
        expect!["404 `nobody` is not in the roster; import a roster with this person first"],
    );
    said(
        set(json!({"person": "sam", "new": "short"})).await,
        expect!["400 a passphrase has at least 12 letters and no line breaks; four or five words do well"],
    );
    said(
        set(json!({"person": "mary", "new": CHENS})).await,
        expect!["400 `mary` has a passphrase; give the old one, or use --reset, which the review will show"],
    );
    said(
        set(json!({"person": "mary", "new": CHENS, "old": "wrong one here"})).await,
        expect!["400 that is not the passphrase of `mary`"],
    );
    said(
        set(json!({"person": "mary", "new": CHENS, "old": MARYS})).await,
        expect![[r#"200 {"person":"mary","step":"changed"}"#]],
    );
    said(
        set(json!({"person": "mary", "new": MARYS, "reset": true})).await,
        expect![[r#"200 {"person":"mary","step":"reset"}"#]],
    );
    let (_, list) = rig.get("/v1/reviewers").await;
    let rows =
        list["reviewers"].as_array().unwrap().iter().map(|row| {
            format!("{} {} {}\n", row["person"], row["approves"], row["passphrase_set"].is_string())
        });
    expect![[r#"
        "mary" true true
        "drchen" false true
        "northwind" false true
    "#]]
    .assert_eq(&rows.collect::<String>());
    let mut acts = Vec::new();
    rig.app()
        .lookup
        .events(0, i64::MAX, |seen| {
            if seen.event.kind.as_str() == "act_reviewer" {
                acts.push(ntk_evidence::act::body(seen.event).unwrap().to_string());
            }
        })
        .unwrap();
    expect![[r#"
        {"step":"set","person":"mary"}
        {"step":"set","person":"drchen"}
        {"step":"set","person":"northwind"}
        {"step":"changed","person":"mary"}
        {"step":"reset","person":"mary"}"#]]
    .assert_eq(&acts.join("\n"));
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_desks_tokens_are_acts_without_the_token() {
    let rig = Rig::start().await;
    let (status, made) = rig.post("/v1/ticket-tokens", json!({"name": "helpdesk"})).await;
    assert!(status == 200 && made["token"].as_str().unwrap().starts_with("ntk-ticket."), "{made}");
    said(
        rig.post("/v1/ticket-tokens", json!({"name": "helpdesk"})).await,
        expect![
            "400 there was a token `helpdesk` before; choose another name, so that its requests are told apart"
        ],
    );
    said(
        rig.post("/v1/ticket-tokens", json!({"name": "Help Desk"})).await,
        expect!["400 `Help Desk` is not a name: use 1 to 40 lower-case letters, digits and `-`"],
    );
    said(
        rig.post("/v1/ticket-tokens/revoke", json!({"name": "other"})).await,
        expect!["404 there is no token `other`; see `ntk-collector ticket token list`"],
    );
    said(
        rig.post("/v1/ticket-tokens/revoke", json!({"name": "helpdesk"})).await,
        expect![[r#"200 {"revoked":"helpdesk"}"#]],
    );
    said(
        rig.get("/v1/ticket-tokens").await,
        expect![[
            r#"200 {"tokens":[{"name":"helpdesk","made":"2026-11-27T19:00:00Z","revoked":"2026-11-27T19:00:00Z"}]}"#
        ]],
    );
    rig.end().await;
}
