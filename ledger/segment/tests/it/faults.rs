//! Every durable step fails: not done, done though reported failed, half done; then the process goes on at once or
//! the power fails. Afterwards everything acknowledged is there, nothing else than what was written, and the log
//! can be written on.
use std::path::Path;

use ntk_segment::error::SegmentError;
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::pointer::{Pointer, SegmentNumber};
use ntk_segment::reader::Reader;
use ntk_segment::verify::verify_chain_on;

use super::disk::{Aftermath, Content, Fault, MemoryDisk};
use super::values::{batch, batches_of, commit, firsts, state};

const DIR: &str = "/log";
const FAULTS: [Fault; 3] = [Fault::NotDone, Fault::DoneThoughReportedFailed, Fault::HalfDone];
const CONTENTS: [Content; 2] = [Content::Plain, Content::Encrypted];
const AFTERMATHS: [Aftermath; 3] =
    [Aftermath::ReopenAtOnce, Aftermath::PowerCut, Aftermath::PowerCutKeepingHalfOfTheUnsynced];

/// What a run may rely on.
#[derive(Debug, Default)]
struct Acknowledged {
    created: bool,
    firsts: Vec<u64>,
    /// Pruning below this was begun, so batches there may be gone.
    pruned_below: u64,
}

/// Two batches and a commit.
fn group(log: &mut SegmentLog, first: u64, acknowledged: &mut Acknowledged) -> Result<(), SegmentError> {
    log.append(&batch(first))?;
    log.append(&batch(first + 1))?;
    let durable = log.commit(&commit(first))?;
    assert_eq!(durable.n_batches(), 2);
    acknowledged.firsts.extend([first, first + 1]);
    Ok(())
}

/// A whole life: create, commit, roll twice, seal, prune, commit.
fn live(disk: &MemoryDisk, acknowledged: &mut Acknowledged) -> Result<(), SegmentError> {
    let mut log = SegmentLog::create_on(disk.shared(), Path::new(DIR), Options::default(), state(0))?;
    acknowledged.created = true;
    group(&mut log, 0, acknowledged)?;
    group(&mut log, 2, acknowledged)?;
    log.roll(state(4))?;
    group(&mut log, 4, acknowledged)?;
    log.seal(SegmentNumber::FIRST)?;
    group(&mut log, 6, acknowledged)?;
    log.roll(state(8))?;
    log.seal(SegmentNumber::new(1))?;
    group(&mut log, 8, acknowledged)?;
    acknowledged.pruned_below = 4;
    log.remove_whole_segments_before(Pointer::first_in(SegmentNumber::new(1)))?;
    group(&mut log, 10, acknowledged)
}

fn check(disk: &MemoryDisk, acknowledged: &Acknowledged, story: &str) {
    let (mut log, recovery) = match SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()) {
        Ok(opened) => opened,
        Err(SegmentError::NoLog { .. }) => {
            assert!(!acknowledged.created, "{story}: the log vanished");
            // Creating it again must work on what the crash left.
            SegmentLog::create_on(disk.shared(), Path::new(DIR), Options::default(), state(0)).unwrap();
            return;
        }
        Err(error) => panic!("{story}: {error}"),
    };
    let found = firsts(&log.reader());
    for first in acknowledged.firsts.iter().filter(|first| **first >= acknowledged.pruned_below) {
        assert!(found.contains(first), "{story}: batch {first} was acknowledged and is lost: {found:?}");
    }
    let whole: Vec<u64> = (found.first().copied().unwrap_or(0)..).take(found.len()).collect();
    assert_eq!(found, whole, "{story}");
    let replayed = batches_of(recovery.replay().map(|item| item.unwrap().1));
    let next = found.last().map_or(0, |last| last + 1);
    assert_eq!(replayed, (recovery.state.log_size..next).collect::<Vec<_>>(), "{story}");
    let report = verify_chain_on(disk.shared(), Path::new(DIR)).unwrap();
    assert!(report.is_sound(), "{story}: {report:?}");
    assert_eq!(report.uncommitted_bytes, 0, "{story}");

    // What recovery showed must now outlast a power cut, and so must what comes after.
    disk.suffer(Aftermath::PowerCut);
    let reader = Reader::open_on(disk.shared(), Path::new(DIR)).unwrap();
    assert_eq!(firsts(&reader), found, "{story}: recovery showed what was not durable");
    let mut written = Acknowledged::default();
    group(&mut log, next, &mut written).unwrap();
    log.roll(state(next + 2)).unwrap();
    disk.suffer(Aftermath::PowerCut);
    let mut expected = found;
    expected.extend(written.firsts);
    assert_eq!(firsts(&log.reader()), expected, "{story}");
    assert!(verify_chain_on(disk.shared(), Path::new(DIR)).unwrap().is_sound(), "{story}");
}

#[test]
fn each_step_of_a_life_may_fail_in_each_way_and_nothing_acknowledged_is_lost() {
    for content in CONTENTS {
        let disk = MemoryDisk::new(content);
        live(&disk, &mut Acknowledged::default()).unwrap();
        let n_steps = disk.n_steps();
        assert!(n_steps > 40, "{n_steps}");
        for step in 1..=n_steps {
            for fault in FAULTS {
                for aftermath in AFTERMATHS {
                    let story = format!("{content:?}, step {step} of {n_steps}, {fault:?}, {aftermath:?}");
                    let disk = MemoryDisk::new(content);
                    disk.fail_at(step, fault);
                    let mut acknowledged = Acknowledged::default();
                    live(&disk, &mut acknowledged).unwrap_err();
                    disk.suffer(aftermath);
                    check(&disk, &acknowledged, &story);
                }
            }
        }
    }
}

#[test]
fn the_power_may_fail_after_each_step_of_recovery() {
    CONTENTS.into_iter().for_each(power_fails_in_recovery);
}

fn power_fails_in_recovery(content: Content) {
    // A life that ends in a torn commit, so that recovery has all its steps to do.
    let crashed = || {
        let disk = MemoryDisk::new(content);
        let mut acknowledged = Acknowledged::default();
        let mut log =
            SegmentLog::create_on(disk.shared(), Path::new(DIR), Options::default(), state(0)).unwrap();
        acknowledged.created = true;
        group(&mut log, 0, &mut acknowledged).unwrap();
        disk.fail_at(disk.n_steps() + 1, Fault::HalfDone);
        group(&mut log, 2, &mut acknowledged).unwrap_err();
        disk.put(Path::new("/log/00000000000000000001.seg.tmp"), b"NTKS");
        (disk, acknowledged)
    };
    let (disk, acknowledged) = crashed();
    let before = disk.n_steps();
    check(&disk, &acknowledged, "without a fault");
    for step in before + 1..before + 7 {
        for fault in FAULTS {
            for aftermath in AFTERMATHS {
                let (disk, acknowledged) = crashed();
                disk.fail_at(step, fault);
                let failed = SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()).is_err();
                disk.stop_failing();
                disk.suffer(aftermath);
                let story = format!("{content:?}, step {step}, {fault:?}, {aftermath:?}");
                assert!(failed, "{story}: recovery went on after a failed step");
                check(&disk, &acknowledged, &story);
            }
        }
    }
}

#[test]
fn after_a_failed_commit_every_call_refuses_until_the_log_is_opened_again() {
    for (content, fault) in CONTENTS.into_iter().flat_map(|content| FAULTS.map(|fault| (content, fault))) {
        for step in 1..=2 {
            let disk = MemoryDisk::new(content);
            let mut log =
                SegmentLog::create_on(disk.shared(), Path::new(DIR), Options::default(), state(0)).unwrap();
            log.append(&batch(0)).unwrap();
            disk.fail_at(disk.n_steps() + step, fault);
            log.commit(&commit(0)).unwrap_err();
            assert!(matches!(log.append(&batch(1)), Err(SegmentError::Poisoned)));
            assert!(matches!(log.commit(&commit(1)), Err(SegmentError::Poisoned)));
            assert!(matches!(log.roll(state(1)), Err(SegmentError::Poisoned)));
            assert!(matches!(log.seal(SegmentNumber::FIRST), Err(SegmentError::Poisoned)));
            let everything = Pointer::first_in(SegmentNumber::new(9));
            assert!(matches!(log.remove_whole_segments_before(everything), Err(SegmentError::Poisoned)));
            assert_eq!(firsts(&log.reader()), [0_u64; 0], "a reader saw what was not durable");
            drop(log);
            SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()).unwrap();
        }
    }
}

#[test]
fn after_a_failed_roll_every_call_refuses_until_the_log_is_opened_again() {
    for (content, fault) in CONTENTS.into_iter().flat_map(|content| FAULTS.map(|fault| (content, fault))) {
        // Create, write, sync, rename, sync the folder.
        for step in 1..=5 {
            let disk = MemoryDisk::new(content);
            let mut log =
                SegmentLog::create_on(disk.shared(), Path::new(DIR), Options::default(), state(0)).unwrap();
            group(&mut log, 0, &mut Acknowledged::default()).unwrap();
            disk.fail_at(disk.n_steps() + step, fault);
            log.roll(state(2)).unwrap_err();
            assert!(matches!(log.append(&batch(2)), Err(SegmentError::Poisoned)), "step {step}, {fault:?}");
            assert!(matches!(log.commit(&commit(2)), Err(SegmentError::Poisoned)), "step {step}, {fault:?}");
            drop(log);
            let (log, _) = SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()).unwrap();
            assert_eq!(firsts(&log.reader()), [0, 1]);
        }
    }
}
