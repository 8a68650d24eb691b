//! Whether who appends waits for who decides: the same batches into a ledger that is followed, and into one
//! that is not.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ntk_collector::clock::Clock;
use ntk_collector::follow::{Follower, Progress, Writing};
use ntk_collector::home::Home;
use ntk_collector::ingest::verify::verify;
use ntk_collector::init::{InitOptions, init};
use ntk_collector::ledger::writer::{self, Opened};
use ntk_collector::ledger::{Continuation, LedgerHandle};
use ntk_collector::practice::Practice;
use ntk_collector::store::Store;
use ntk_evidence::act::{self, Enrolment};
use ntk_evidence::author_log::AuthorLog;
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_tests::detection::scenario::Scenario;
use ntk_tests::detection::walk::event_of;
use serde_json::to_value;

use crate::table::{Table, float};

/// Entries a batch and batches: what an office sends in some days.
const BATCH: usize = 256;
const BATCHES: usize = 200;
/// How long the follower may take for them.
const PATIENCE: Duration = Duration::from_secs(300);

/// Adds the two rates, and how fast following is.
pub(crate) fn measure(table: &mut Table, scenario: &Scenario) -> Result<()> {
    let (alone, _) = appended(scenario, false)?;
    let (followed, decided) = appended(scenario, true)?;
    table.row("appended durably and receipted, nobody follows", alone, "entries/s");
    table.row("appended durably and receipted, followed meanwhile", followed, "entries/s");
    table.row("followed: decided, kept in the query store, findings written", decided, "entries/s");
    Ok(())
}

/// Entries a second until their receipts, and until they are decided.
fn appended(scenario: &Scenario, is_followed: bool) -> Result<(f64, f64)> {
    let scratch = tempfile::tempdir()?;
    let practice = practice(scratch.path())?;
    let opened =
        writer::open(&practice.home, &practice.trust.slug, practice.ledger_keys()?, Clock::system(), None)?;
    let Opened { handle, thread, .. } = opened;
    let rules =
        scenario.acts().filter(|act| matches!(act.kind.as_str(), act::kind::ROSTER | act::kind::POLICY));
    let (batches, enrolment) = batches(scenario, &practice)?;
    let _appended = handle.act_blocking(rules.take(2).map(event_of).chain([enrolment]).collect())?;
    let n = float(u64::try_from(BATCH * batches.len())?);
    let (stop, progress) = (Arc::new(AtomicBool::new(false)), Arc::new(Progress::default()));
    let follower =
        is_followed.then(|| follow(&handle, scratch.path(), &practice, &stop, &progress)).transpose()?;

    let began = Instant::now();
    let last = receipts(&handle, batches)?;
    let receipted = began.elapsed();
    if let Some(follower) = follower {
        ensure!(progress.wait_for(last + 1, PATIENCE), "the follower decides what was appended");
        stop.store(true, Ordering::Release);
        drop(follower.join());
    }
    let decided = began.elapsed();
    drop(handle);
    drop(thread.join());
    Ok((n / receipted.as_secs_f64(), n / decided.as_secs_f64()))
}

fn practice(folder: &Path) -> Result<Practice> {
    let home = Home::new(folder.join("collector"));
    let options = InitOptions {
        name: "Maple Street".into(),
        timezone: "America/New_York".into(),
        template: "small-practice".into(),
        keys_to: vec![folder.join("keys.txt")],
        administers: [("host".to_owned(), "us".to_owned())].into(),
        listen: "127.0.0.1:0".into(),
        console: None,
        console_address: None,
        place: None,
        at_rest: None,
    };
    init(&home, &options, &Clock::system())?;
    Ok(Practice::open(home)?)
}

/// Entries of the made-up practice as one agent's batches, sealed and verified before anything is measured.
fn batches(scenario: &Scenario, practice: &Practice) -> Result<(Vec<Continuation>, Event)> {
    let author = Author::agent("srv-01")?;
    let agent = NoteSigner::new(&practice.trust.slug.author_origin(&author), KeyType::Ed25519, &[7; 32])?;
    let mut log = AuthorLog::new(&practice.trust.slug, author, agent.verifier().clone());
    let enrolment = Enrolment {
        author: log.author().to_string(),
        key: agent.verifier().to_string(),
        epoch: 0,
        certificate: Some("00".repeat(32)),
        machine: None,
        notice: None,
        replaces: None,
        witness: None,
        begins: None,
    };
    let entries: Vec<Event> =
        scenario.entries().take(BATCH * BATCHES).map(|entry| entry.event.clone()).collect();
    let mut batches = Vec::new();
    for events in entries.chunks_exact(BATCH) {
        let entries = events.iter().cloned().map(Entry::freeze).collect::<Result<_, _>>()?;
        let (batch, next) = log.seal(entries, BatchKey::new([1; 32]), &agent)?;
        batches.push(verify(&log, batch)?.into_continuation());
        log = next;
    }
    Ok((batches, act::event(act::kind::ENROLMENT, Clock::system().now().to_rfc3339(3), to_value(enrolment)?)))
}

fn follow(
    handle: &LedgerHandle,
    folder: &Path,
    practice: &Practice,
    stop: &Arc<AtomicBool>,
    progress: &Arc<Progress>,
) -> Result<std::thread::JoinHandle<()>> {
    let store = Arc::new(Store::open(&folder.join("store"))?.0);
    let zone = practice.config.zone.clone();
    let follower = Follower::new(handle.clone(), store, zone, Arc::clone(progress), Writing::Acts)?;
    let stop = Arc::clone(stop);
    Ok(std::thread::spawn(move || follower.run(&stop)))
}

/// Hands over every batch and waits for every receipt; the leaf of the last.
fn receipts(handle: &LedgerHandle, batches: Vec<Continuation>) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let mut waiting = Vec::new();
        for batch in batches {
            waiting.push(handle.append(batch).await?);
        }
        let mut last = 0;
        for receipt in waiting {
            last = receipt.await.context("the ledger stands")??.leaf_index();
        }
        Ok(last)
    })
}
