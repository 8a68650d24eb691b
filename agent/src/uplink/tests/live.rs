//! The whole lower half on this machine: enrolment, spool on disk, mutual TLS, streams that end, receipts.

use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::event::{Event, Kind, Process};
use ntk_segment::disk::RealDisk;
use tokio_util::sync::CancellationToken;

use super::server::TestCollector;
use crate::clock::{Clock, RealClock};
use crate::enroll::{Request, enroll};
use crate::host::Run;
use crate::identity::IdentityFiles;
use crate::identity::epochs::EpochKeys;
use crate::spool::Writer;
use crate::spool::keeper::{Keeper, Setup};
use crate::spool::thread::SpoolThread;
use crate::uplink::cosigner::Cosigner;
use crate::uplink::stream::Line;
use crate::uplink::task::{Uplink, UplinkStatus};
use crate::whole_file::RealFiles;

const PATIENCE: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_reach_the_collector_once_over_streams_that_end() {
    let collector = TestCollector::start().await;
    let scratch = tempfile::tempdir().unwrap();
    let request = Request {
        token: collector.token(),
        dir: scratch.path().to_owned(),
        collector: None,
        notice: "told".to_owned(),
        machine: "test".to_owned(),
        replace: crate::enroll::Replace::No,
    };
    enroll(&request, &RealFiles).await.unwrap();
    let identity = IdentityFiles::of(scratch.path()).load(&RealFiles).unwrap();
    // The model knows only this key.
    let files = IdentityFiles::of(scratch.path());
    std::fs::write(files.epoch_key(0), format!("{}\n", "05".repeat(32))).unwrap();
    let (slug, author) = (identity.slug.clone(), identity.author.clone());
    let keys = EpochKeys::new(files, &slug, &author, Arc::new(RealFiles));
    let writer = Writer { slug, author, keys };
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let setup = Setup {
        path: scratch.path().join("spool"),
        bytes_max: 64 << 20,
        epoch_every: Duration::from_secs(86_400),
        trust: identity.trust.clone(),
        away: None,
        disk: Arc::new(RealDisk),
        files: Arc::new(RealFiles),
        clock: Arc::clone(&clock),
    };
    let (keeper, _) = Keeper::open(setup, Arc::new(writer)).unwrap();
    let spool = SpoolThread::start(keeper, Duration::from_millis(2)).unwrap();
    collector.shared.lock().unwrap().batches_per_stream = 7;

    let (status_sender, mut status) = tokio::sync::watch::channel(UplinkStatus::default());
    let uplink = Uplink {
        lines: Line::all(&identity, &[], &Run::begin(RealClock.now())).unwrap(),
        renewed_lines: tokio::sync::watch::channel(None).1,
        log_key: identity.log_key.clone(),
        intake: spool.intake(),
        wishes: spool.wishes(),
        progress: spool.progress(),
        status: status_sender,
        clock,
        cosigner: Cosigner::new(
            &identity,
            &IdentityFiles::of(scratch.path()),
            scratch.path().to_owned(),
            Arc::new(RealFiles),
        )
        .unwrap(),
        decisions: tokio::sync::watch::channel(Vec::new()).0,
        inventory_asked: tokio::sync::watch::channel(None).0,
        keepalive: Duration::from_millis(50),
    };
    let drain = CancellationToken::new();
    let running = tokio::spawn(uplink.run(drain.clone()));
    let intake = spool.intake();
    let feeding = std::thread::spawn(move || {
        for n in 0..6000 {
            let mut event = Event::new(Kind::FileAccess, "2026-11-20T21:00:00.000Z");
            event.process = Some(Process { exe: Some(format!("e{n}")), ..Process::default() });
            intake.observed(event, None).unwrap();
        }
    });
    tokio::task::spawn_blocking(move || feeding.join().unwrap()).await.unwrap();
    let mut progress = spool.progress();
    tokio::time::timeout(PATIENCE, progress.wait_for(|progress| progress.size == 6000))
        .await
        .unwrap()
        .unwrap();
    collector.shared.lock().unwrap().batches_per_stream = usize::MAX;
    let released = progress.wait_for(|progress| progress.position.released == 6000);
    tokio::time::timeout(PATIENCE, released).await.unwrap().unwrap();
    tokio::time::timeout(PATIENCE, status.wait_for(|status| status.is_connected)).await.unwrap().unwrap();
    assert_eq!(collector.n_held(), 6000, "every entry once");
    assert!(collector.shared.lock().unwrap().n_streams > 1);
    assert!(status.borrow().last_receipt.is_some());
    drain.cancel();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    tokio::task::spawn_blocking(move || spool.end()).await.unwrap();
}
