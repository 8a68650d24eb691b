//! Taking entries out: notes, leaves, offsets and the chain stay; what was taken is nowhere on the disk.
use std::path::{Path, PathBuf};

use ntk_segment::error::SegmentError;
use ntk_segment::frame::{Batch, Frame};
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::pointer::{Pointer, SegmentNumber};
use ntk_segment::reader::{Form, Kept};
use ntk_segment::verify::{DamageKind, verify_chain_on};

use super::disk::{Content, MemoryDisk};
use super::values::{commit, state, write};

const DIR: &str = "/log";
const PRUNED: &str = "/log/00000000000000000000.segp";

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

/// A batch of one entry as an agent writes it.
fn batch(first: u64) -> Batch {
    let secret = format!("{{\"kind\":\"file_access\",\"time\":\"2026-11-20T20:00:00Z\",\"secret\":{first}}}");
    Batch {
        author: "agent/ws-01".into(),
        epoch: 0,
        first,
        note: format!("note {first}").into_bytes(),
        batch_key: [9; 32],
        entries: vec![[secret.into_bytes(), b"path of a patient".to_vec(), Vec::new()]],
    }
}

fn leaf(batch: &Batch) -> Option<Vec<[u8; 32]>> {
    Some(vec![[u8::try_from(batch.first).unwrap_or(0); 32]])
}

fn two_segments() -> (MemoryDisk, SegmentLog, Vec<Pointer>) {
    two_segments_of(Content::Plain)
}

fn two_segments_of(content: Content) -> (MemoryDisk, SegmentLog, Vec<Pointer>) {
    let disk = MemoryDisk::new(content);
    let mut log = SegmentLog::create_on(disk.shared(), Path::new(DIR), Options::default(), state(0)).unwrap();
    let mut pointers = Vec::new();
    for first in 0..4 {
        pointers.push(log.append(&batch(first)).unwrap());
        let _durable = log.commit(&commit(first)).unwrap();
    }
    log.roll(state(4)).unwrap();
    write(&mut log, &[4]);
    (disk, log, pointers)
}

#[test]
fn what_is_taken_out_is_gone_and_everything_else_stands_where_it_stood() {
    for (content, seal_first) in [
        (Content::Plain, false),
        (Content::Plain, true),
        (Content::Encrypted, false),
        (Content::Encrypted, true),
    ] {
        let (disk, mut log, pointers) = two_segments_of(content);
        if seal_first {
            log.seal(SegmentNumber::FIRST).unwrap();
        }
        let reader = log.reader();
        let keep_the_third = |batch: &Batch| if batch.first == 2 { None } else { leaf(batch) };
        let prepared = log.pruner().prepare(SegmentNumber::FIRST, keep_the_third).unwrap();
        assert_eq!((prepared.n_pruned, prepared.n_kept), (3, 0));
        assert_eq!(
            reader.read_batch(pointers[0]).unwrap(),
            batch(0),
            "until it is published nothing has changed"
        );
        log.pruner().publish(&prepared).unwrap();
        assert_eq!(disk.names(), ["00000000000000000000.segp", "00000000000000000001.seg"]);
        assert!(log.pruner().is_pruned(SegmentNumber::FIRST).unwrap());
        let fresh = log.reader();
        assert!(matches!(fresh.read_batch(pointers[0]), Err(SegmentError::Removed { .. })));
        let Kept::Pruned(kept) = fresh.read_kept(pointers[1]).unwrap() else { panic!("whole") };
        assert_eq!((kept.note, kept.leaves, kept.first), (b"note 1".to_vec(), vec![[1; 32]], 1));
        assert_eq!(fresh.read_batch(pointers[2]).unwrap(), batch(2));
        let commits =
            fresh.frames().unwrap().filter(|item| matches!(item, Ok((_, Frame::Commit(_))))).count();
        assert_eq!(commits, 5);
        let report = verify_chain_on(disk.shared(), Path::new(DIR)).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!((report.n_batches, report.pruned.len()), (5, 1));
        assert_eq!((report.pruned[0].was, report.pruned[0].is), (prepared.was, prepared.is));
        assert!(matches!(
            log.pruner().prepare(SegmentNumber::FIRST, leaf),
            Err(SegmentError::Missing { .. })
        ));
        log.seal(SegmentNumber::FIRST).unwrap();
        drop(log);
        let (mut log, _) = SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()).unwrap();
        write(&mut log, &[5]);
    }
}

#[test]
fn a_crash_leaves_either_form_and_open_keeps_the_one_that_holds() {
    let (disk, log, pointers) = two_segments();
    let plain = disk.content(&path("00000000000000000000.seg"));
    let prepared = log.pruner().prepare(SegmentNumber::FIRST, leaf).unwrap();
    // Crash before it is published: the temporary file goes, the entries stay.
    let again = log.pruner().prepare(SegmentNumber::FIRST, leaf).unwrap();
    assert_eq!((prepared.was, prepared.is), (again.was, again.is), "the same bytes each time");
    drop(log);
    let (log, _) = SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()).unwrap();
    assert_eq!(disk.names(), ["00000000000000000000.seg", "00000000000000000001.seg"]);
    assert_eq!(log.reader().read_batch(pointers[3]).unwrap(), batch(3));
    let prepared = log.pruner().prepare(SegmentNumber::FIRST, leaf).unwrap();
    log.pruner().publish(&prepared).unwrap();
    drop(log);
    let pruned = disk.content(Path::new(PRUNED));
    let open = || {
        let (log, _) = SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()).unwrap();
        log.segments().unwrap()[0].form
    };
    // Crash after it: both forms.
    disk.put(&path("00000000000000000000.seg"), &plain);
    assert_eq!(open(), Form::Pruned);
    // The pruned one is damaged: the whole one stays.
    let mut flipped = pruned.clone();
    flipped[50] ^= 1;
    disk.put(&path("00000000000000000000.seg"), &plain);
    disk.put(Path::new(PRUNED), &flipped);
    assert_eq!(open(), Form::Plain);
}

#[test]
fn every_flipped_byte_and_another_past_are_seen() {
    [Content::Plain, Content::Encrypted].into_iter().for_each(every_flipped_byte_is_seen);
}

fn every_flipped_byte_is_seen(content: Content) {
    let (disk, log, _) = two_segments_of(content);
    let prepared = log.pruner().prepare(SegmentNumber::FIRST, leaf).unwrap();
    log.pruner().publish(&prepared).unwrap();
    let good = disk.content(Path::new(PRUNED));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        disk.put(Path::new(PRUNED), &bad);
        let report = verify_chain_on(disk.shared(), Path::new(DIR));
        let seen = match &report {
            Ok(report) => {
                !report.is_sound()
                    || report.pruned.first().map(|found| (found.was, found.is))
                        != Some((prepared.was, prepared.is))
            }
            Err(_) => true,
        };
        assert!(seen, "byte {at}: {report:?}");
    }
    // A segment that was never there, pruned: the next STATE does not vouch for it.
    let other_disk = MemoryDisk::new(content);
    let mut log =
        SegmentLog::create_on(other_disk.shared(), Path::new("/other"), Options::default(), state(0))
            .unwrap();
    log.append(&batch(0)).unwrap();
    let _durable = log.commit(&commit(0)).unwrap();
    log.roll(state(1)).unwrap();
    let prepared = log.pruner().prepare(SegmentNumber::FIRST, leaf).unwrap();
    log.pruner().publish(&prepared).unwrap();
    disk.put(Path::new(PRUNED), &other_disk.content(Path::new("/other/00000000000000000000.segp")));
    let report = verify_chain_on(disk.shared(), Path::new(DIR)).unwrap();
    assert_eq!(report.damage[0].kind, DamageKind::PreviousHash);
}

#[test]
fn the_last_segment_and_a_damaged_one_are_left_alone() {
    let (disk, log, _) = two_segments();
    let last = log.pruner().prepare(SegmentNumber::new(1), leaf);
    assert!(matches!(last, Err(SegmentError::NotFinished { .. })));
    let plain = path("00000000000000000000.seg");
    let mut bad = disk.content(&plain);
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    disk.put(&plain, &bad);
    assert!(matches!(log.pruner().prepare(SegmentNumber::FIRST, leaf), Err(SegmentError::Damaged { .. })));
    assert_eq!(disk.content(&plain), bad);
}

#[test]
fn what_would_not_fit_in_its_place_stays_whole() {
    let (_, log, pointers) = two_segments();
    let prepared = log.pruner().prepare(SegmentNumber::FIRST, |_| Some(vec![[0; 32]; 40])).unwrap();
    assert_eq!((prepared.n_pruned, prepared.n_kept), (0, 4));
    log.pruner().publish(&prepared).unwrap();
    assert_eq!(log.reader().read_batch(pointers[0]).unwrap(), batch(0));
}
