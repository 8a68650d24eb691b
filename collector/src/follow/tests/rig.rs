//! A practice in a scratch folder, its follower driven step by step.

use std::sync::Arc;
use std::thread::JoinHandle;

use ntk_evidence::act::{self, Enrolment};
use ntk_evidence::author_log::AuthorLog;
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::time::Moment;
use serde_json::json;

use super::super::{Follower, Lookup, Progress, Writing};
use crate::clock::Clock;
use crate::finding::Finding;
use crate::home::Home;
use crate::ingest::verify::verify;
use crate::init::{InitOptions, init};
use crate::ledger::LedgerHandle;
use crate::ledger::writer::{self, Opened};
use crate::need_to_know::Decision;
use crate::practice::Practice;
use crate::store::Store;

/// Friday 27 November 2026, 14:20 in New York.
const NOW: &str = "2026-11-27T19:20:00Z";

/// The accounts are other people's, Bea is back, a job explains what was none, nobody administers.
pub(super) const OTHER_ROSTER: &str = r#"
    [[person]]
    id = "mary"
    name = "Mary Lopez"
    roles = ["itadmin"]
    [[person]]
    id = "northwind"
    name = "Northwind IT"
    roles = ["physician"]
    [[person]]
    id = "sam"
    name = "Sam Ortiz"
    roles = ["manager"]
    [[person]]
    id = "bea"
    name = "Bea Novak"
    roles = ["billing"]
    [[account]]
    person = "sam"
    host = "ws-01"
    uid = 1001
    user = "itadmin1"
    [[account]]
    person = "northwind"
    user = "frontdesk1"
    [[account]]
    person = "bea"
    user = "billing1"
    [[account]]
    person = "mary"
    host = "ws-01"
    uid = 1777
    user = "temp"
    [[job]]
    id = "reader"
    name = "the reader"
    program = "/usr/bin/less"
    host = "ws-01"
    user = "itadmin1"
    classes = ["mailbox"]
"#;

/// The practice.
pub(super) struct Desk {
    scratch: tempfile::TempDir,
    practice: Practice,
    agent: NoteSigner,
    log: AuthorLog,
    working: Option<Working>,
}

struct Working {
    ledger: LedgerHandle,
    thread: JoinHandle<()>,
    store: Arc<Store>,
    progress: Arc<Progress>,
    follower: Option<Follower>,
}

impl Desk {
    pub(super) fn open() -> Self {
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
        init(&home, &options, &clock()).unwrap();
        let practice = Practice::open(home).unwrap();
        let author = Author::agent("ws-01").unwrap();
        let agent =
            NoteSigner::new(&practice.trust.slug.author_origin(&author), KeyType::Ed25519, &[7; 32]).unwrap();
        let log = AuthorLog::new(&practice.trust.slug, author, agent.verifier().clone());
        let mut desk = Self { scratch, practice, agent, log, working: None };
        desk.start();
        let enrolment = Enrolment {
            author: desk.log.author().to_string(),
            key: desk.agent.verifier().to_string(),
            epoch: 0,
            certificate: Some("00".repeat(32)),
            machine: None,
            notice: None,
            replaces: None,
            witness: None,
            begins: None,
        };
        let body = serde_json::to_value(enrolment).unwrap();
        desk.act(act::event(act::kind::ENROLMENT, NOW, body));
        desk
    }

    fn start(&mut self) {
        let keys = self.practice.ledger_keys().unwrap();
        let Opened { handle, thread, .. } =
            writer::open(&self.practice.home, &self.practice.trust.slug, keys, clock(), None).unwrap();
        let store = Arc::new(Store::open(&self.store_path()).unwrap().0);
        let progress = Arc::new(Progress::default());
        let follower = Follower::new(
            handle.clone(),
            Arc::clone(&store),
            self.practice.config.zone.clone(),
            Arc::clone(&progress),
            Writing::Acts,
        );
        let follower = Some(follower.unwrap());
        self.working = Some(Working { ledger: handle, thread, store, progress, follower });
    }

    fn stop(&mut self) {
        let Some(Working { ledger, thread, store, follower, .. }) = self.working.take() else { return };
        drop((follower, ledger));
        thread.join().unwrap();
        store.flush().unwrap();
    }

    fn store_path(&self) -> std::path::PathBuf {
        self.scratch.path().join("store")
    }

    fn working(&mut self) -> &mut Working {
        self.working.as_mut().unwrap()
    }

    /// Stops and starts, and follows up to the end.
    pub(super) fn restart(&mut self) {
        self.stop();
        self.start();
        self.catch_up();
    }

    /// The same with the query store lost meanwhile.
    pub(super) fn lose_the_store(&mut self) {
        self.stop();
        std::fs::remove_dir_all(self.store_path()).unwrap();
        self.start();
        self.catch_up();
    }

    /// Records what a person decided.
    pub(super) fn act(&mut self, event: Event) {
        let _appended = self.working().ledger.act_blocking(vec![event]).unwrap();
    }

    /// Appends entries of the agent; comes back with the receipt.
    pub(super) fn append(&mut self, events: &[String]) {
        let freeze = |json: &String| Entry::freeze(serde_json::from_str(json).unwrap()).unwrap();
        let entries = events.iter().map(freeze).collect();
        let (batch, next) = self.log.seal(entries, BatchKey::new([1; 32]), &self.agent).unwrap();
        let verified = verify(&self.log, batch).unwrap().into_continuation();
        let ledger = &self.working().ledger;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let appended = runtime.block_on(async { ledger.append(verified).await?.await.unwrap() });
        let _appended = appended.unwrap();
        self.log = next;
    }

    /// Follows until everything is decided, the acts of its findings among it.
    pub(super) fn catch_up(&mut self) {
        let working = self.working();
        while working.progress.applied() < working.ledger.published().checkpoint.checkpoint.size {
            working.follower.as_mut().unwrap().catch_up().unwrap();
        }
    }

    /// Follows once in a thread of its own.
    pub(super) fn follow_apart(&mut self) -> JoinHandle<Follower> {
        let mut follower = self.working().follower.take().unwrap();
        std::thread::spawn(move || {
            follower.catch_up().unwrap();
            follower
        })
    }

    pub(super) fn take_back(&mut self, follower: JoinHandle<Follower>) {
        self.working().follower = Some(follower.join().unwrap());
    }

    pub(super) fn progress(&mut self) -> Arc<Progress> {
        Arc::clone(&self.working().progress)
    }

    /// Leaves that are durable and acknowledged.
    pub(super) fn durable(&mut self) -> u64 {
        self.working().ledger.published().checkpoint.checkpoint.size
    }

    /// Every decision on the agent's entries, made again from the ledger, by author and number.
    pub(super) fn decisions(&mut self) -> Vec<((String, u64), Decision)> {
        let zone = self.practice.config.zone.clone();
        let Working { ledger, store, progress, .. } = self.working();
        let lookup = Lookup::new(ledger.clone(), Arc::clone(store), Arc::clone(progress), zone);
        let mut decisions = Vec::new();
        let each = |seen: super::super::answer::Seen<'_>| {
            if seen.access.author.starts_with("agent/") {
                let at = (seen.access.author.to_owned(), seen.access.number);
                decisions.push((at, seen.decision.clone()));
            }
        };
        lookup.events(i64::MIN, i64::MAX, each).unwrap();
        decisions
    }

    /// Every finding, as the follower made it.
    pub(super) fn findings(&mut self) -> Vec<Finding> {
        let records = self.working().store.findings().unwrap();
        records.into_iter().map(|record| record.finding).collect()
    }
}

fn clock() -> Clock {
    Clock::fixed(Moment::parse(NOW).unwrap())
}

pub(super) fn roster(text: &str) -> Event {
    act::event(act::kind::ROSTER, NOW, json!({ "text": text }))
}

pub(super) fn policy(text: &str) -> Event {
    act::event(act::kind::POLICY, NOW, json!({ "text": text }))
}

/// A request for the firm that administers, for everything of a class.
pub(super) fn ticket(id: &str, class: &str, from: &str, to: &str) -> Event {
    let ticket = json!({"id": id, "kind": "ticket", "assignee": "northwind", "class": class, "scope": "everything",
        "from": from, "to": to, "reason": "a printer", "requested_by": "northwind", "via": "command line"});
    act::event(act::kind::TICKET, "2026-11-27T18:30:00Z", json!({"step": "requested", "ticket": ticket}))
}

pub(super) fn approved(id: &str) -> Event {
    let body =
        json!({"step": "approved", "id": id, "by": "drchen", "proof": "passphrase", "echo": "as asked"});
    act::event(act::kind::TICKET, "2026-11-27T18:31:00Z", body)
}

pub(super) fn login(day: &str, at: &str, actor: &str) -> String {
    format!(
        r#"{{"kind":"login","time":"{day}T{at}:00Z","outcome":"success","actor":{{{actor}}},"source":{{"sensor":"linux-audit"}}}}"#
    )
}

pub(super) fn file(day: &str, at: &str, actor: &str, class: &str, owner: &str, program: &str) -> String {
    format!(
        r#"{{"kind":"file_access","time":"{day}T{at}:00Z","outcome":"success","action":"read","actor":{{{actor}}},"process":{{"exe":"{program}"}},"object":{{"class":"{class}","owner":"{owner}"}},"source":{{"sensor":"linux-audit"}}}}"#
    )
}
