//! Sealing: the same frames at the same pointers, in less space, and every flipped byte is found.
use std::path::{Path, PathBuf};

use ntk_segment::error::SegmentError;
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::pointer::{Pointer, SegmentNumber};
use ntk_segment::reader::{Form, Reader};
use ntk_segment::verify::{DamageKind, verify_chain_on};

use super::disk::{Content, MemoryDisk};
use super::values::{batch, commit, firsts, state, write};

const DIR: &str = "/log";

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

/// A finished first segment of several blocks, a second one after it, and where the batches are.
fn two_segments(n: u64) -> (MemoryDisk, SegmentLog, Vec<Pointer>) {
    two_segments_of(Content::Plain, n)
}

fn two_segments_of(content: Content, n: u64) -> (MemoryDisk, SegmentLog, Vec<Pointer>) {
    let disk = MemoryDisk::new(content);
    let mut log = SegmentLog::create_on(disk.shared(), Path::new(DIR), Options::default(), state(0)).unwrap();
    let mut pointers = Vec::new();
    for first in 0..n {
        pointers.push(log.append(&batch(first)).unwrap());
        let _durable = log.commit(&commit(first)).unwrap();
    }
    log.roll(state(n)).unwrap();
    write(&mut log, &[n]);
    (disk, log, pointers)
}

#[test]
fn sealing_keeps_every_pointer_and_takes_less_space() {
    [Content::Plain, Content::Encrypted].into_iter().for_each(sealing_keeps_every_pointer);
}

fn sealing_keeps_every_pointer(content: Content) {
    let (disk, mut log, pointers) = two_segments_of(content, 2000);
    let before = log.bytes_on_disk();
    let reader = log.reader();
    assert_eq!(reader.read_batch(pointers[5]).unwrap(), batch(5));
    log.seal(SegmentNumber::FIRST).unwrap();
    log.seal(SegmentNumber::FIRST).unwrap();
    assert_eq!(disk.names(), ["00000000000000000000.segz", "00000000000000000001.seg"]);
    for reader in [reader.clone(), reader] {
        for (first, pointer) in pointers.iter().enumerate() {
            assert_eq!(reader.read_batch(*pointer).unwrap(), batch(first as u64));
        }
    }
    assert_eq!(firsts(&log.reader()), (0..2001).collect::<Vec<_>>());
    assert!(log.bytes_on_disk() < before / 2, "{before} became {}", log.bytes_on_disk());
    let forms: Vec<Form> = log.segments().unwrap().iter().map(|segment| segment.form).collect();
    assert_eq!(forms, [Form::Sealed, Form::Plain]);
    assert!(verify_chain_on(disk.shared(), Path::new(DIR)).unwrap().is_sound());
    drop(log);
    let (mut log, _) = SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()).unwrap();
    write(&mut log, &[2001]);
    assert_eq!(firsts(&log.reader()).len(), 2002);
}

#[test]
fn only_finished_segments_are_sealed() {
    let (_, log, _) = two_segments(1);
    let sealer = log.sealer();
    assert_eq!(sealer.unsealed().unwrap(), [SegmentNumber::FIRST]);
    let last = SegmentNumber::new(1);
    assert!(matches!(sealer.seal(last), Err(SegmentError::NotFinished { .. })));
    sealer.seal(SegmentNumber::FIRST).unwrap();
    assert_eq!(sealer.unsealed().unwrap(), []);
}

#[test]
fn a_segment_rewritten_with_right_checksums_is_not_sealed() {
    let (disk, log, _) = two_segments(3);
    let (other, ..) = two_segments(4);
    let plain_path = path("00000000000000000000.seg");
    disk.put(&plain_path, &other.content(&plain_path));
    let sealed = log.sealer().seal(SegmentNumber::FIRST);
    assert!(matches!(sealed, Err(SegmentError::Damaged { .. })));
    assert_eq!(disk.names(), ["00000000000000000000.seg", "00000000000000000001.seg"]);
    let report = verify_chain_on(disk.shared(), Path::new(DIR)).unwrap();
    assert_eq!(report.damage[0].kind, DamageKind::PreviousHash);
}

#[test]
fn both_forms_after_a_crash_become_one_again_whichever_is_whole() {
    [Content::Plain, Content::Encrypted].into_iter().for_each(both_forms_become_one);
}

fn both_forms_become_one(content: Content) {
    let (disk, mut log, _) = two_segments_of(content, 3);
    let (plain_path, sealed_path) = (path("00000000000000000000.seg"), path("00000000000000000000.segz"));
    let plain = disk.content(&plain_path);
    log.seal(SegmentNumber::FIRST).unwrap();
    let sealed = disk.content(&sealed_path);
    drop(log);
    let flipped = |content: &[u8]| {
        let mut content = content.to_vec();
        content[40] ^= 1;
        content
    };
    let try_with = |plain: &[u8], sealed: &[u8]| {
        disk.put(&plain_path, plain);
        disk.put(&sealed_path, sealed);
        SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()).map(|(log, _)| {
            assert_eq!(firsts(&log.reader()), [0, 1, 2, 3]);
            log.segments().unwrap()[0].form
        })
    };
    assert_eq!(try_with(&plain, &sealed).unwrap(), Form::Sealed);
    assert_eq!(try_with(&flipped(&plain), &sealed).unwrap(), Form::Sealed);
    assert_eq!(try_with(&plain, &flipped(&sealed)).unwrap(), Form::Plain);
    assert_eq!(try_with(&plain, b"").unwrap(), Form::Plain);
    let neither = try_with(&flipped(&plain), &flipped(&sealed));
    assert!(matches!(neither, Err(SegmentError::Damaged { .. })));
    assert_eq!((disk.content(&plain_path), disk.content(&sealed_path)), (flipped(&plain), flipped(&sealed)));
}

#[test]
fn every_flipped_byte_of_a_sealed_segment_is_found() {
    [Content::Plain, Content::Encrypted].into_iter().for_each(every_flipped_byte_is_found);
}

fn every_flipped_byte_is_found(content: Content) {
    let (disk, mut log, pointers) = two_segments_of(content, 20);
    log.seal(SegmentNumber::FIRST).unwrap();
    let sealed_path = path("00000000000000000000.segz");
    let sealed = disk.content(&sealed_path);
    for at in 0..sealed.len() {
        let mut flipped = sealed.clone();
        flipped[at] ^= 0x10;
        disk.put(&sealed_path, &flipped);
        let report = verify_chain_on(disk.shared(), Path::new(DIR)).unwrap();
        assert!(!report.is_sound(), "byte {at}");
        if let Ok(found) = log.reader().read_batch(pointers[3]) {
            assert_eq!(found, batch(3));
        }
        let _ = log.reader().frames().unwrap().skipping_damage().count();
    }
    for length in 0..sealed.len() {
        disk.put(&sealed_path, &sealed[..length]);
        let report = verify_chain_on(disk.shared(), Path::new(DIR)).unwrap();
        assert_eq!(report.damage[0].kind, DamageKind::Sealed, "cut to {length}");
    }
}

#[test]
fn one_damaged_block_costs_only_that_block() {
    let (disk, mut log, _) = two_segments(2000);
    log.seal(SegmentNumber::FIRST).unwrap();
    let sealed_path = path("00000000000000000000.segz");
    let mut sealed = disk.content(&sealed_path);
    let middle = sealed.len() / 2;
    sealed[middle] ^= 1;
    disk.put(&sealed_path, &sealed);
    let items: Vec<_> = log.reader().frames().unwrap().skipping_damage().collect();
    assert_eq!(items.iter().filter(|item| item.is_err()).count(), 1);
    let n_batches =
        items.iter().filter(|item| matches!(item, Ok((_, ntk_segment::frame::Frame::Batch(_))))).count();
    assert!(n_batches > 1000 && n_batches < 2001, "{n_batches}");
}

#[test]
fn a_sealed_last_segment_is_no_log_to_go_on_with() {
    let (disk, mut log, _) = two_segments(3);
    log.seal(SegmentNumber::FIRST).unwrap();
    let sealed = disk.content(&path("00000000000000000000.segz"));
    let alone = MemoryDisk::default();
    alone.put(&path("00000000000000000000.segz"), &sealed);
    let opened = SegmentLog::open_on(alone.shared(), Path::new(DIR), Options::default());
    assert!(matches!(opened, Err(SegmentError::Missing { segment }) if segment.value() == 1));
    assert_eq!(firsts(&Reader::open_on(alone.shared(), Path::new(DIR)).unwrap()), [0, 1, 2]);
}
