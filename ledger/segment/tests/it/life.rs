//! The ordinary life of a log on a real folder: create, open, append, commit, roll, prune.
use std::fs;
use std::path::Path;

use ntk_segment::error::SegmentError;
use ntk_segment::frame::{Batch, Frame, State};
use ntk_segment::log::{GROUP_BYTES_MAX, Options, SegmentLog};
use ntk_segment::pointer::{Pointer, SegmentNumber};
use ntk_segment::reader::Reader;
use ntk_segment::verify::verify_chain;

use super::values::{batch, batches_of, commit, committed, firsts, state, write};

fn create(dir: &Path) -> SegmentLog {
    SegmentLog::create(dir, Options::default(), state(0)).unwrap()
}

#[test]
fn a_log_opened_again_replays_its_state_and_every_commit_since() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = create(&dir.path().join("spool"));
    write(&mut log, &[0, 2]);
    let durable = committed(&mut log, &[4]);
    drop(log);
    let (log, recovery) = SegmentLog::open(&dir.path().join("spool"), Options::default()).unwrap();
    assert_eq!(recovery.state, State { previous_hash: [0; 32], ..state(0) });
    assert_eq!((recovery.truncated_bytes, recovery.truncated_batches), (0, 0));
    assert_eq!(recovery.committed_end, durable.end());
    let frames: Vec<Frame> = recovery.replay().map(|item| item.unwrap().1).collect();
    let expected = [
        Frame::Batch(batch(0)),
        Frame::Batch(batch(2)),
        Frame::Commit(commit(2)),
        Frame::Batch(batch(4)),
        Frame::Commit(commit(4)),
    ];
    assert_eq!(frames, expected);
    assert_eq!(log.committed_end(), durable.end());
}

#[test]
fn creating_and_opening_are_never_mistaken_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    assert!(matches!(SegmentLog::open(&path, Options::default()), Err(SegmentError::Folder { .. })));
    fs::create_dir(&path).unwrap();
    assert!(matches!(SegmentLog::open(&path, Options::default()), Err(SegmentError::NoLog { .. })));
    assert!(matches!(Reader::open(&path), Err(SegmentError::NoLog { .. })));
    assert!(matches!(verify_chain(&path), Err(SegmentError::NoLog { .. })));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "a refusal leaves nothing behind");
    drop(create(&path));
    let again = SegmentLog::create(&path, Options::default(), state(0));
    assert!(matches!(again, Err(SegmentError::AlreadyThere { .. })));
}

#[test]
fn only_one_writer_has_the_log_at_a_time_while_readers_need_no_lock() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = create(dir.path());
    write(&mut log, &[0]);
    assert!(matches!(SegmentLog::open(dir.path(), Options::default()), Err(SegmentError::Locked { .. })));
    assert_eq!(firsts(&Reader::open(dir.path()).unwrap()), [0]);
    drop(log);
    SegmentLog::open(dir.path(), Options::default()).unwrap();
}

#[test]
fn a_reader_never_sees_a_batch_before_its_commit() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = create(dir.path());
    let reader = log.reader();
    let pointer = log.append(&batch(0)).unwrap();
    assert!(matches!(reader.read_batch(pointer), Err(SegmentError::NoBatch { .. })));
    assert_eq!(firsts(&reader), [0_u64; 0]);
    let durable = log.commit(&commit(0)).unwrap();
    assert_eq!(reader.read_batch(pointer).unwrap(), batch(0));
    assert!(pointer < durable.through() && durable.through() < durable.end());
    assert!(matches!(reader.read_batch(durable.through()), Err(SegmentError::NoBatch { .. })));
    assert!(matches!(reader.read_batch(durable.end()), Err(SegmentError::NoBatch { .. })));
}

#[test]
fn discarded_batches_are_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = create(dir.path());
    log.append(&batch(0)).unwrap();
    log.discard_buffered();
    write(&mut log, &[7]);
    assert_eq!(firsts(&log.reader()), [7]);
}

#[test]
fn a_group_that_would_grow_too_large_is_refused_and_the_rest_still_commits() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = create(dir.path());
    let large = Batch { note: vec![1; 15 * 1024 * 1024], ..batch(0) };
    log.append(&large).unwrap();
    log.append(&large).unwrap();
    assert!(matches!(log.append(&large), Err(SegmentError::GroupTooLarge { bytes_max: GROUP_BYTES_MAX })));
    assert_eq!(log.commit(&commit(0)).unwrap().n_batches(), 2);
    let huge = Batch { note: vec![1; 17 * 1024 * 1024], ..batch(0) };
    assert!(matches!(log.append(&huge), Err(SegmentError::Encode { .. })));
    write(&mut log, &[3]);
    assert!(verify_chain(dir.path()).unwrap().is_sound());
}

#[test]
fn a_log_rolls_when_its_segment_is_long_enough_and_reads_on_across_segments() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes_max: 2000 };
    let mut log = SegmentLog::create(dir.path(), options, state(0)).unwrap();
    let mut pointers = Vec::new();
    for first in 0..100 {
        pointers.push(log.append(&batch(first)).unwrap());
        assert!(matches!(log.roll(state(first)), Err(SegmentError::Uncommitted)));
        let durable = log.commit(&commit(first)).unwrap();
        assert_eq!(durable.end(), log.committed_end());
        if log.needs_roll() {
            log.roll(state(first + 1)).unwrap();
        }
    }
    assert!(log.segments().unwrap().len() > 5);
    assert_eq!(firsts(&log.reader()), (0..100).collect::<Vec<_>>());
    let from_the_middle = log.reader().frames_from(pointers[40]).map(|item| item.unwrap().1);
    assert_eq!(batches_of(from_the_middle), (40..100).collect::<Vec<_>>());
    for (first, pointer) in pointers.iter().enumerate() {
        assert_eq!(log.reader().read_batch(*pointer).unwrap(), batch(first as u64));
    }
    let report = verify_chain(dir.path()).unwrap();
    assert!(report.is_sound() && report.n_batches == 100 && report.n_commits == 100, "{report:?}");
    let on_disk: u64 = log.segments().unwrap().iter().map(|segment| segment.bytes_on_disk).sum();
    assert_eq!(log.bytes_on_disk(), on_disk);
}

#[test]
fn pruning_removes_whole_segments_and_reading_starts_at_the_oldest_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = create(dir.path());
    for n in 0..4 {
        write(&mut log, &[n]);
        log.roll(state(n + 1)).unwrap();
    }
    let pointer = log.append(&batch(4)).unwrap();
    let _durable = log.commit(&commit(4)).unwrap();
    log.seal(SegmentNumber::FIRST).unwrap();
    assert_eq!(log.remove_whole_segments_before(Pointer::first_in(SegmentNumber::new(2))).unwrap(), 2);
    assert_eq!(firsts(&log.reader()), [2, 3, 4]);
    assert_eq!(log.remove_whole_segments_before(Pointer::first_in(SegmentNumber::new(99))).unwrap(), 2);
    assert_eq!(firsts(&log.reader()), [4]);
    assert_eq!(log.reader().read_batch(pointer).unwrap(), batch(4));
    let pruned = Pointer::first_in(SegmentNumber::new(1));
    assert!(matches!(log.reader().read_batch(pruned), Err(SegmentError::Missing { .. })));
    let mut frames = log.reader().frames_from(pruned);
    assert!(matches!(frames.next(), Some(Err(SegmentError::Missing { .. }))));
    assert!(frames.next().is_none());
    assert!(verify_chain(dir.path()).unwrap().is_sound());
    assert_eq!(log.bytes_on_disk(), log.segments().unwrap()[0].bytes_on_disk);
    drop(log);
    let (mut log, _) = SegmentLog::open(dir.path(), Options::default()).unwrap();
    write(&mut log, &[5]);
    assert_eq!(firsts(&log.reader()), [4, 5]);
}

#[test]
fn pointers_sort_as_bytes_as_they_sort_as_values() {
    let pointers = [(0, 8), (0, 300), (1, 8), (1, u64::MAX), (300, 0)]
        .map(|(segment, offset)| Pointer::new(SegmentNumber::new(segment), offset));
    assert!(pointers.map(Pointer::to_bytes).is_sorted() && pointers.is_sorted());
    assert_eq!(pointers.map(|pointer| Pointer::from_bytes(pointer.to_bytes())), pointers);
}
