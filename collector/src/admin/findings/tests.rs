//! From entries to a decided incident, through the routes; the same after a new start and a lost store.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use ntk_evidence::act::Enrolment;
use ntk_evidence::author_log::AuthorLog;
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::time::Moment;
use tower::ServiceExt as _;

use super::*;
use crate::admin::router;
use crate::app::Working;
use crate::clock::Clock;
use crate::home::Home;
use crate::ingest::verify::verify;
use crate::init::{InitOptions, init};

struct Rig {
    scratch: tempfile::TempDir,
    working: Option<Working>,
}

fn clock() -> Clock {
    Clock::fixed(Moment::parse("2026-11-22T12:00:00Z").unwrap())
}

impl Rig {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
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
        let home = Home::new(scratch.path().join("collector"));
        init(&home, &options, &clock()).unwrap();
        let mut rig = Self { scratch, working: None };
        rig.start();
        rig
    }

    fn home(&self) -> Home {
        Home::new(self.scratch.path().join("collector"))
    }

    fn start(&mut self) {
        self.working = Some(Working::start(self.home(), clock()).unwrap());
    }

    fn stop(&mut self) {
        self.working.take().unwrap().stop();
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(if body.is_null() { String::new() } else { body.to_string() }))
            .unwrap();
        let app = self.working.as_ref().unwrap().app.clone();
        let response = router(app).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        // What is no JSON of the right form is refused by axum in plain text.
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Enrols `ws-01` and takes in its entries.
    async fn entries(&self, events: &[String]) {
        let app = &self.working.as_ref().unwrap().app;
        let author = Author::agent("ws-01").unwrap();
        let agent =
            NoteSigner::new(&app.practice.trust.slug.author_origin(&author), KeyType::Ed25519, &[7; 32])
                .unwrap();
        let log = AuthorLog::new(&app.practice.trust.slug, author, agent.verifier().clone());
        let enrolment = Enrolment {
            author: "agent/ws-01".to_owned(),
            key: agent.verifier().to_string(),
            epoch: 0,
            certificate: Some("00".repeat(32)),
            machine: None,
            notice: None,
            replaces: None,
            witness: None,
            begins: None,
        };
        record(app, act::kind::ENROLMENT, serde_json::to_value(enrolment).unwrap()).await.unwrap();
        let entries = events.iter().map(|json| {
            let event: Event = serde_json::from_str(json).unwrap();
            Entry::freeze(event).unwrap()
        });
        let (batch, _) = log.seal(entries.collect(), BatchKey::new([1; 32]), &agent).unwrap();
        let checked = verify(&log, batch).unwrap().into_continuation();
        let answer = app.ledger.append(checked).await.unwrap();
        let _appended = answer.await.unwrap().unwrap();
    }
}

/// An event of `itadmin1` on ws-01.
fn event(time: &str, kind: &str, session: u32, rest: &str) -> String {
    format!(
        r#"{{"kind":"{kind}","time":"{time}","outcome":"success","actor":{{"login_uid":1001,"login_user":"itadmin1","session":{session},"confidence":"kernel"}},{rest}"source":{{"sensor":"linux-audit"}}}}"#
    )
}

fn read(time: &str, session: u32, owner: &str) -> String {
    event(
        time,
        "file_access",
        session,
        &format!(r#""action":"read","object":{{"class":"mailbox","owner":"{owner}"}},"#),
    )
}

fn states(list: &Value) -> Vec<(String, String)> {
    let incidents = list["incidents"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    incidents.map(|incident| (text(&incident["severity"]), text(&incident["state"]))).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_asked_about_answered_and_decided_and_stays_so() {
    let mut rig = Rig::new();
    let roster = include_str!("../../../templates/roster-example.toml");
    assert_eq!(rig.ask("POST", "/v1/roster", json!({"text": roster})).await.0, 200);
    rig.entries(&[
        event("2026-11-19T02:00:00Z", "login", 5, ""),
        read("2026-11-19T02:03:00Z", 5, "manager"),
        read("2026-11-19T02:04:00Z", 5, "drchen"),
        event("2026-11-19T02:10:00Z", "logout", 5, ""),
        read("2026-11-21T15:00:00Z", 6, "bea"),
    ])
    .await;
    let list = rig.get("/v1/findings").await;
    assert_eq!(list["findings"].as_array().unwrap().len(), 4);
    assert_eq!(states(&list), pairs(&[("high", "open"), ("normal", "open")]));
    let (worst, other) = (&list["incidents"][0], &list["incidents"][1]);
    assert_eq!(worst["findings"].as_array().unwrap().len(), 3, "login, manager's mailbox, Dr. Chen's");
    assert_eq!((worst["age"].as_str(), worst["outcome"].as_str()), (Some("3 days"), Some("never")));
    let (worst, other) = (worst["id"].as_str().unwrap().to_owned(), other["id"].as_str().unwrap().to_owned());

    let one = rig.get(&format!("/v1/findings/{}", worst.get(..6).unwrap())).await;
    assert_eq!(one["incident"]["id"].as_str(), Some(worst.as_str()));
    let story: Vec<&str> =
        one["story"]["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(story.len(), 4, "{story:?}");
    assert!(story[0].starts_with("A login to ws-01") && story[3].ends_with("on ws-01 ended."), "{story:?}");

    let step = format!("/v1/findings/{worst}/step");
    let asked = |by: &str| json!({"what": {"step": "asked", "question": "What was this for?"}, "by": by});
    let refused = rig.ask("POST", &step, asked("northwind")).await;
    assert_eq!(refused.0, 400);
    assert!(
        refused.1["error"].as_str().unwrap().contains("nobody decides about themselves"),
        "{}",
        refused.1
    );
    assert_eq!(
        rig.ask("POST", &step, json!({"what": {"step": "asked", "question": "x"}, "by": "mary", "no": 1}))
            .await
            .0
            / 100,
        4
    );
    assert_eq!(rig.ask("POST", "/v1/findings/ffff/step", asked("mary")).await.0, 404);
    assert_eq!(rig.ask("POST", &step, asked("mary")).await.1["state"], "asked");
    let answer = json!({"what": {"step": "answered", "answer": "The migration."}, "by": "northwind"});
    assert_eq!(rig.ask("POST", &step, answer).await.1["state"], "answered");
    let decided = |until: Value| json!({"what": {"step": "decided", "decision": "expected", "because": "It was.", "until": until}, "by": "mary"});
    let never = rig.ask("POST", &step, decided("2026-12-04".into())).await;
    assert!(never.1["error"].as_str().unwrap().contains("cannot be explained ahead"), "{}", never.1);
    assert_eq!(rig.ask("POST", &step, decided(Value::Null)).await.1["state"], "expected");
    let ahead = rig.ask("POST", &format!("/v1/findings/{other}/step"), decided("2026-12-04".into())).await;
    assert_eq!(ahead.1["state"], "expected", "{}", ahead.1);

    let one = rig.get(&format!("/v1/findings/{worst}")).await;
    let steps: Vec<_> = one["findings"][1]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["asked", "answered", "decided"], "a refused step leaves nothing behind");
    assert_eq!(
        states(&rig.get("/v1/findings").await),
        pairs(&[("high", "expected"), ("normal", "expected")])
    );
    let rebuilt = rig.ask("POST", "/v1/rebuild", json!({})).await.1;
    assert_eq!(rebuilt["same"], true, "{rebuilt}");

    let before = rig.get("/v1/findings").await["findings"].clone();
    rig.stop();
    std::fs::remove_dir_all(rig.home().cache()).unwrap();
    rig.start();
    assert_eq!(rig.get("/v1/findings").await["findings"], before, "steps are read from the ledger again");
    rig.stop();
}

// VW-1.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_signed_in_is_shown_nothing_about_themselves_and_steps_on_nothing_of_it() {
    let mut rig = Rig::new();
    let roster = include_str!("../../../templates/roster-example.toml");
    assert_eq!(rig.ask("POST", "/v1/roster", json!({"text": roster})).await.0, 200);
    rig.entries(&[read("2026-11-19T02:03:00Z", 5, "manager")]).await;
    let app = rig.working.as_ref().unwrap().app.clone();
    let query = || FindingsQuery { since: None, person: None, viewer: None };
    let (themselves, other) = (
        Viewer::signed_in("northwind", &crate::account::Role::Manager),
        Viewer::signed_in("mary", &crate::account::Role::Manager),
    );
    let shown = found(&app, &other, query()).await.unwrap();
    let id = shown["incidents"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!((shown["findings"].as_array().unwrap().len(), &shown["not_shown"]), (1, &json!(0)));
    assert!(told(&app, &other, id.clone()).await.is_ok(), "the twin");

    let shown = found(&app, &themselves, query()).await.unwrap();
    assert_eq!((shown["findings"].as_array().unwrap().len(), &shown["not_shown"]), (0, &json!(1)));
    assert_eq!(shown["incidents"], json!([]));
    assert!(hidden_from(&app, &themselves).await.unwrap().contains(&id));
    assert!(hidden_from(&app, &Viewer::default()).await.unwrap().is_empty(), "the command line");
    let refused = told(&app, &themselves, id.clone()).await.unwrap_err().into_parts();
    assert_eq!(refused.0.as_u16(), 403, "{}", refused.1);
    let asked = || Asked::Asked { question: "Why?".into(), way: Default::default() };
    let request = |by: &str| StepRequest { what: asked(), by: by.into(), passphrase: None };
    let refused = step_on(app.clone(), &themselves, id.clone(), request("mary")).await.unwrap_err();
    assert_eq!(refused.into_parts().0.as_u16(), 403);
    assert!(step_on(app, &other, id, request("mary")).await.is_ok(), "the twin");
    rig.stop();
}
