//! A practice at work for tests: a scratch folder, a clock that stands still, the example roster.

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use ntk_evidence::act;
use ntk_evidence::author_log::AuthorLog;
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::time::Moment;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::app::{App, Working};
use crate::clock::Clock;
use crate::home::Home;
use crate::ingest::verify::verify;
use crate::init::{InitOptions, init};
use crate::roster::Roster;

/// 27 November 2026, 14:00 in New York: nothing depends on the day a test runs.
const NOW: &str = "2026-11-27T19:00:00Z";

/// The practice.
pub(crate) struct Rig {
    scratch: tempfile::TempDir,
    working: Working,
}

impl Rig {
    /// Makes it and lets it work.
    pub(crate) async fn start() -> Self {
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
        init(&Home::new(scratch.path().join("collector")), &options, &Self::clock(NOW)).unwrap();
        let working = Self::open(&scratch, NOW).await;
        let rig = Self { scratch, working };
        let text = include_str!("../../templates/roster-example.toml");
        let version = Roster::parse(text).unwrap().version().to_owned();
        let body = json!({"text": text, "version": version});
        let roster = act::event(act::kind::ROSTER, rig.app().ledger.now(), body);
        let _appended = rig.app().ledger.act(vec![roster]).await.unwrap();
        rig
    }

    /// The same practice after a stop and a start at another moment.
    pub(crate) async fn again(self, now: &str) -> Self {
        let working = self.working;
        tokio::task::spawn_blocking(move || working.stop()).await.unwrap();
        let working = Self::open(&self.scratch, now).await;
        Self { scratch: self.scratch, working }
    }

    /// The folder above that of the collector: `keys.txt` lies there.
    pub(crate) fn scratch(&self) -> &std::path::Path {
        self.scratch.path()
    }

    /// Stops it.
    pub(crate) async fn end(self) {
        let working = self.working;
        tokio::task::spawn_blocking(move || working.stop()).await.unwrap();
    }

    /// What requests need.
    pub(crate) fn app(&self) -> &App {
        &self.working.app
    }

    /// Enrols a machine and takes in its entries, as one batch.
    pub(crate) async fn entries(&self, machine: &str, events: &[String]) {
        self.batches(machine, events, events.len()).await;
    }

    /// The same in batches of so many entries.
    pub(crate) async fn batches(&self, machine: &str, events: &[String], size: usize) {
        let app = self.app();
        let author = Author::agent(machine).unwrap();
        let agent =
            NoteSigner::new(&app.practice.trust.slug.author_origin(&author), KeyType::Ed25519, &[7; 32])
                .unwrap();
        let mut log = AuthorLog::new(&app.practice.trust.slug, author, agent.verifier().clone());
        let body = json!({"author": format!("agent/{machine}"), "key": agent.verifier().to_string(), "epoch": 0, "certificate": "00".repeat(32)});
        let enrolment = act::event(act::kind::ENROLMENT, app.ledger.now(), body);
        let _appended = app.ledger.act(vec![enrolment]).await.unwrap();
        for events in events.chunks(size) {
            let entries =
                events.iter().map(|json| Entry::freeze(serde_json::from_str(json).unwrap()).unwrap());
            let (batch, next) = log.seal(entries.collect(), BatchKey::new([1; 32]), &agent).unwrap();
            let checked = verify(&log, batch).unwrap().into_continuation();
            let answer = app.ledger.append(checked).await.unwrap();
            let _appended = answer.await.unwrap().unwrap();
            log = next;
        }
    }

    /// Waits until something is so, at most half a minute.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool + Clone + Send + 'static) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        while !tokio::task::spawn_blocking(is_so.clone()).await.unwrap() {
            assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
            tokio::time::sleep(crate::admin::client::ASK_EVERY).await;
        }
    }

    /// A POST to the admin API: status and answer.
    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// A GET to the admin API.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> (u16, Value) {
        let response = crate::admin::router(self.app().clone()).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn open(scratch: &tempfile::TempDir, now: &str) -> Working {
        let (home, clock) = (Home::new(scratch.path().join("collector")), Self::clock(now));
        tokio::task::spawn_blocking(move || Working::start(home, clock)).await.unwrap().unwrap()
    }

    fn clock(now: &str) -> Clock {
        Clock::fixed(Moment::parse(now).unwrap())
    }
}
