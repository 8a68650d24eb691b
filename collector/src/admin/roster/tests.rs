//! A practice in a scratch folder: requests as the command line sends them, and what the ledger then holds.

use expect_test::{Expect, expect};
use ntk_evidence::act::{self, Enrolment};
use ntk_evidence::author_log::AuthorLog;
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::time::Moment;
use serde_json::{Value, json};

use crate::admin::client::Client;
use crate::app::Working;
use crate::clock::Clock;
use crate::home::Home;
use crate::ingest::verify::verify;
use crate::init::{InitOptions, init};

const ROSTER: &str = r#"
[[person]]
id = "mary"
name = "Mary Lopez"
roles = ["manager"]

[[person]]
id = "bea"
name = "Bea Novak"
roles = ["billing"]

[[account]]
person = "bea"
user = "billing1"
host = "ws-01"

# A comment that stays.
[[notice]]
id = "monitoring"
title = "Access is recorded"
version = "1"
kind = "monitoring"
in_force_from = "2026-01-01"
"#;

struct Rig {
    _scratch: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Rig {
    /// A practice on 22 November 2026 whose roster is in force.
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path().join("collector"));
        let options = InitOptions {
            name: "Maple Street".into(),
            timezone: "America/New_York".into(),
            template: "small-practice".into(),
            keys_to: vec![scratch.path().join("keys.txt")],
            administers: [("host".to_owned(), "us".to_owned())].into(),
            listen: "127.0.0.1:0".into(),
            console: None,
            console_address: None,
            place: None,
            at_rest: None,
        };
        let clock = Clock::fixed(Moment::parse("2026-11-22T12:00:00Z").unwrap());
        init(&home, &options, &clock).unwrap();
        let working = Working::start(home, clock).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let rig = Self { _scratch: scratch, runtime, client: Client::Here(Box::new(working)) };
        rig.post("/v1/roster", json!({"text": ROSTER})).unwrap();
        rig
    }

    fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        let answer = self.runtime.block_on(self.client.post(path, &body));
        answer.map(|bytes| serde_json::from_slice(&bytes).unwrap()).map_err(|error| error.to_string())
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let answer = self.runtime.block_on(self.client.get(path, query));
        answer.map(|bytes| serde_json::from_slice(&bytes).unwrap()).map_err(|error| error.to_string())
    }

    fn text(&self) -> String {
        self.get("/v1/roster", &[]).unwrap()["text"].as_str().unwrap().to_owned()
    }

    /// Bodies of the acts of a kind, without the roster's text.
    fn acts(&self, kind: &str) -> Vec<String> {
        let bytes = self.runtime.block_on(self.client.get("/v1/events", &[("acts", "true")])).unwrap();
        let rows = String::from_utf8(bytes).unwrap();
        let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let bodies = rows.filter(|row| row["event"]["kind"] == kind).map(|row| {
            let mut body = row["event"]["act"].clone();
            body.as_object_mut().unwrap().retain(|key, _| !matches!(key.as_str(), "text" | "version"));
            body.to_string()
        });
        bodies.collect()
    }

    /// What the machine ws-01 reports.
    fn machine_says(&self, events: &[&str]) {
        let Client::Here(working) = &self.client else { unreachable!("opened here") };
        let (ledger, slug) = (&working.app.ledger, &working.app.practice.trust.slug);
        let author = Author::agent("ws-01").unwrap();
        let signer = NoteSigner::new(&slug.author_origin(&author), KeyType::Ed25519, &[7; 32]).unwrap();
        let log = AuthorLog::new(slug, author, signer.verifier().clone());
        let enrolment = Enrolment {
            author: "agent/ws-01".into(),
            key: signer.verifier().to_string(),
            epoch: 0,
            certificate: None,
            machine: None,
            notice: None,
            replaces: None,
            witness: None,
            begins: None,
        };
        let body = serde_json::to_value(enrolment).unwrap();
        let _appended =
            ledger.act_blocking(vec![act::event(act::kind::ENROLMENT, ledger.now(), body)]).unwrap();
        let entries = events.iter().map(|text| Entry::freeze(serde_json::from_str(text).unwrap()).unwrap());
        let (batch, _) = log.seal(entries.collect(), BatchKey::new([1; 32]), &signer).unwrap();
        let continuation = verify(&log, batch).unwrap().into_continuation();
        let _appended = self
            .runtime
            .block_on(async { ledger.append(continuation).await.unwrap().await.unwrap().unwrap() });
    }
}

#[track_caller]
fn check(said: &[String], expected: Expect) {
    expected.assert_eq(&said.join("\n"));
}

#[test]
fn a_leave_date_is_recorded_shown_and_withdrawn_and_nothing_is_deleted() {
    let rig = Rig::new();
    let said = rig
        .post(
            "/v1/leave",
            json!({"person": "bea", "on": "2026-12-01", "notice_given": "2026-11-20", "by": "mary"}),
        )
        .unwrap();
    assert_eq!(said["leave_date"], "2026-12-01");
    assert!(rig.text().starts_with(ROSTER), "what stood before stays, with its comments");
    let said = rig.post("/v1/leave", json!({"person": "bea", "withdraw": true, "by": "mary"})).unwrap();
    assert_eq!(said["leave_date"], Value::Null);
    let refused = [
        json!({"person": "zoe", "on": "2026-12-01", "by": "mary"}),
        json!({"person": "bea", "on": "2026-12-01", "by": "zoe"}),
        json!({"person": "bea", "on": "2026-12-01", "by": "bea"}),
        json!({"person": "bea", "on": "1.12.2026", "by": "mary"}),
        json!({"person": "bea", "on": "2026-12-01", "notice_given": "2026-12-02", "by": "mary"}),
        json!({"person": "bea", "by": "mary"}),
        json!({"person": "bea", "withdraw": true, "by": "mary"}),
    ];
    let mut faults: Vec<_> =
        refused.into_iter().map(|body| rig.post("/v1/leave", body).unwrap_err()).collect();
    rig.post("/v1/leave", json!({"person": "bea", "on": "2026-11-22", "by": "mary"})).unwrap();
    faults.push(rig.post("/v1/leave", json!({"person": "bea", "withdraw": true, "by": "mary"})).unwrap_err());
    check(
        &faults,
        expect![[r#"
        nobody in the roster has the id `zoe`; `ntk-collector roster export FILE` shows the ids
        `--by zoe`: nobody in the roster has the id `zoe`; `ntk-collector roster export FILE` shows the ids
        `--by bea`: a leave date is recorded by another person
        `--on 1.12.2026` is not a date; write it as 2026-11-30
        `--notice-given` is later than `--on`
        give either `--on DATE` or `--withdraw`
        no leave date of Bea Novak was recorded with `leave`; there is nothing to withdraw
        the leave date of Bea Novak, 2026-11-22, has come and is no longer withdrawn; if they work here again, record it in the roster and import that"#]],
    );
    check(
        &rig.acts(act::kind::ROSTER),
        expect![[r#"
            {}
            {"change":"A roster came into force. 2 people are new: Mary Lopez and Bea Novak. 1 account is new: billing1 on ws-01."}
            {"change":"Mary Lopez recorded that Bea Novak leaves: 2026-12-01.","by":"mary","proof":"none"}
            {"change":"Mary Lopez withdrew the leave date of Bea Novak, 2026-12-01.","by":"mary","proof":"none"}
            {"change":"Mary Lopez recorded that Bea Novak leaves: 2026-11-22.","by":"mary","proof":"none"}"#]],
    );
}

#[test]
fn a_departure_shows_steps_ticks_and_what_was_used_after_the_date() {
    let rig = Rig::new();
    rig.post("/v1/leave", json!({"person": "bea", "on": "2026-11-20", "by": "mary"})).unwrap();
    rig.machine_says(&[
        r#"{"kind":"login","time":"2026-11-19T12:00:00Z","outcome":"success","actor":{"login_uid":1003,"login_user":"billing1","session":1}}"#,
        r#"{"kind":"login","time":"2026-11-21T12:00:00Z","outcome":"success","actor":{"login_uid":1003,"login_user":"billing1","session":2}}"#,
        r#"{"kind":"login","time":"2026-11-21T13:00:00Z","outcome":"success","actor":{"login_uid":1044,"login_user":"temp","session":3}}"#,
        r#"{"kind":"inventory","time":"2026-11-21T14:00:00Z","admin_groups":[{"group":"wheel","members":["billing1"]}]}"#,
    ]);
    let tick = |item: &str, by: &str, untick: bool| {
        let body = json!({"person": "bea", "item": item, "by": by, "untick": untick, "note": "by telephone"});
        rig.post("/v1/departure/tick", body)
    };
    tick("sessions", "mary", false).unwrap();
    tick("machine/ws-01/admingroups/wheel", "mary", false).unwrap();
    tick("sessions", "mary", true).unwrap();
    let faults = [
        tick("nothing", "mary", false),
        tick("sessions", "bea", false),
        tick("sessions", "mary", true),
        tick("machine/ws-01/admingroups/wheel", "mary", false),
    ];
    check(
        &faults.map(|fault| fault.unwrap_err()),
        expect![[r#"
        the list of `bea` has no step `nothing`; `ntk-collector departure bea` shows it
        `--by bea`: a departure is ticked off by another person
        `sessions` is not ticked; `ntk-collector departure bea` shows the list
        `machine/ws-01/admingroups/wheel` is ticked already; `untick` takes that back"#]],
    );
    let body = rig.get("/v1/departure", &[("person", "bea")]).unwrap();
    let steps = body["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {}", row["step"]["id"], row["tick"]["by"], row["tick"]["at"]));
    assert_eq!((&body["watch"]["since"], &body["watch"]["has_begun"]), (&json!("2026-11-20"), &json!(true)));
    let watch = ["theirs", "others"].map(|of| body["watch"][of].as_array().unwrap().clone());
    let watch = watch.iter().flatten().map(|row| row["sentence"].to_string());
    check(
        &steps.chain(watch).collect::<Vec<_>>(),
        expect![[r#"
        "sessions" null null
        "machine/ws-01/admingroups/wheel" "mary" "2026-11-22T12:00:00.000Z"
        "account/billing1@ws-01" null null
        "contract" null null
        "keys-and-phone" null null
        "Account billing1 (uid 1003) on ws-01, which they held: 1 login at 2026-11-21T12:00:00Z."
        "Account temp (uid 1044) on ws-01, which is in nobody’s entry: 1 login at 2026-11-21T13:00:00Z.""#]],
    );
    check(
        &rig.acts(act::kind::DEPARTURE),
        expect![[r#"
            {"step":"ticked","person":"bea","item":"sessions","by":"mary","note":"by telephone","proof":"none"}
            {"step":"ticked","person":"bea","item":"machine/ws-01/admingroups/wheel","by":"mary","note":"by telephone","proof":"none"}
            {"step":"unticked","person":"bea","item":"sessions","by":"mary","note":"by telephone","proof":"none"}"#]],
    );
}

#[test]
fn an_account_that_was_seen_is_proposed_confirmed_and_proposed_no_more() {
    let rig = Rig::new();
    rig.machine_says(&[
        r#"{"kind":"login","time":"2026-11-21T13:00:00Z","outcome":"success","actor":{"login_uid":1044,"login_user":"temp","session":3}}"#,
    ]);
    let proposed = || {
        let body = rig.get("/v1/roster/proposals", &[]).unwrap();
        body["proposals"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["sentence"].to_string())
            .collect::<Vec<_>>()
    };
    check(
        &proposed(),
        expect![[
            r#""Account temp (uid 1044) on ws-01 is not in the roster: 1 login. Whose it is, the roster does not show.""#
        ]],
    );
    let confirm = |account: &str, persons: &[&str], by: &str| {
        rig.post("/v1/roster/confirm", json!({"account": account, "persons": persons, "by": by}))
    };
    let faults = [
        confirm("other", &["bea"], "mary"),
        confirm("temp@ws-01", &["zoe"], "mary"),
        confirm("temp@ws-01", &["bea"], "zoe"),
        confirm("temp@ws-01", &["bea", "bea"], "mary"),
        confirm("temp@ws-01", &[], "mary"),
    ];
    check(
        &faults.map(|fault| fault.unwrap_err()),
        expect![[r#"
        no account `other` was seen that is outside the roster; seen were: `temp (uid 1044) on ws-01`
        nobody in the roster has the id `zoe`; `ntk-collector roster export FILE` shows the ids
        `--by zoe`: nobody in the roster has the id `zoe`; `ntk-collector roster export FILE` shows the ids
        the roster has 1 thing to mend:
        - account[1].shared_by (line 26): names `bea` twice
        the roster has 1 thing to mend:
        - account[1].shared_by (line 26): names fewer than two people; write person = ".." for an account of one"#]],
    );
    confirm("temp@ws-01", &["bea"], "mary").unwrap();
    assert!(rig.text().contains("confirmed_on = \"2026-11-22\""));
    assert_eq!(proposed(), Vec::<String>::new());
    check(
        &rig.acts(act::kind::ROSTER),
        expect![[r#"
            {}
            {"change":"A roster came into force. 2 people are new: Mary Lopez and Bea Novak. 1 account is new: billing1 on ws-01."}
            {"change":"Mary Lopez recorded that account temp (uid 1044) on ws-01 is held by Bea Novak.","by":"mary","proof":"none"}"#]],
    );
}

#[test]
fn a_spreadsheet_goes_out_and_in_and_a_half_wrong_one_changes_nothing() {
    let rig = Rig::new();
    let csv = rig.get("/v1/roster", &[("format", "csv")]).unwrap()["text"].as_str().unwrap().to_owned();
    let wrong = csv.replace("billing1", "billing1\nzoe,Zoe,,");
    let before = rig.text();
    assert!(rig.post("/v1/roster", json!({"csv": wrong})).is_err());
    assert!(rig.post("/v1/roster", json!({"csv": csv, "text": "x"})).is_err());
    assert_eq!(rig.text(), before);
    let more = format!("{csv}sam,Sam Ortiz,frontdesk\n");
    let said = rig.post("/v1/roster", json!({"csv": more, "by": "sam"})).unwrap();
    assert_eq!((said["people"].as_u64(), said["accounts"].as_u64()), (Some(3), Some(1)));
    assert!(rig.text().contains("[[notice]]"));
}

#[test]
fn a_notice_is_acknowledged_and_the_item_goes() {
    let rig = Rig::new();
    let items = || {
        let body = rig.get("/v1/roster/items", &[]).unwrap();
        body["items"].as_array().unwrap().iter().map(|item| item["sentence"].to_string()).collect::<Vec<_>>()
    };
    check(
        &items(),
        expect![[
            r#""2 people have not acknowledged “Access is recorded”, version 1, in force since 2026-01-01: Mary Lopez and Bea Novak.""#
        ]],
    );
    for (person, version) in [("bea", "2"), ("zoe", "1")] {
        let body = json!({"person": person, "notice": "monitoring", "version": version});
        assert!(rig.post("/v1/roster/acknowledge", body).is_err());
    }
    for person in ["bea", "mary"] {
        let body = json!({"person": person, "notice": "monitoring", "version": "1"});
        rig.post("/v1/roster/acknowledge", body).unwrap();
    }
    assert_eq!(items(), Vec::<String>::new());
}

#[test]
fn an_offer_keeps_whether_the_users_were_told() {
    let rig = Rig::new();
    for (machine, notice) in [("ws-02", Some("its users were told on 2026-11-20")), ("ws-03", None)] {
        let body = json!({"machine": machine, "expires_seconds": 3600, "notice": notice});
        rig.post("/v1/enroll", body).unwrap();
    }
    let offers = rig.get("/v1/enroll", &[]).unwrap()["offers"].clone();
    let mut said: Vec<_> = offers
        .as_array()
        .unwrap()
        .iter()
        .map(|offer| format!("{} {}", offer["machine"], offer["notice"]))
        .collect();
    said.sort();
    check(
        &said,
        expect![[r#"
        "ws-02" "its users were told on 2026-11-20"
        "ws-03" "not said at enrolment""#]],
    );
}
