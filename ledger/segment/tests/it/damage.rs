//! Damage and torn tails: what was acknowledged is never cut away in silence, what was torn does no harm.
use std::path::{Path, PathBuf};

use ntk_segment::error::SegmentError;
use ntk_segment::frame::{Commit, Frame};
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::pointer::{Pointer, SegmentNumber};
use ntk_segment::quarantine::{quarantine_on, resume_after_quarantine_on};
use ntk_segment::reader::Reader;
use ntk_segment::verify::{DamageKind, verify_chain_on};

use super::disk::MemoryDisk;
use super::values::{batch, batches_of, committed, firsts, state, write};

const DIR: &str = "/log";

fn first_path() -> PathBuf {
    Path::new(DIR).join("00000000000000000000.seg")
}

fn open(disk: &MemoryDisk) -> Result<SegmentLog, SegmentError> {
    SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()).map(|(log, _)| log)
}

fn create(disk: &MemoryDisk) -> SegmentLog {
    SegmentLog::create_on(disk.shared(), Path::new(DIR), Options::default(), state(0)).unwrap()
}

/// One segment with three commits of one batch; its bytes, the end of its STATE and the end of each commit.
fn three_commits() -> (Vec<u8>, u64, Vec<u64>) {
    let disk = MemoryDisk::default();
    let mut log = create(&disk);
    let state_end = log.committed_end().offset;
    let ends = (0..3).map(|n| committed(&mut log, &[n]).end().offset).collect();
    (disk.content(&first_path()), state_end, ends)
}

fn disk_with(content: &[u8]) -> MemoryDisk {
    let disk = MemoryDisk::default();
    disk.put(&first_path(), content);
    disk
}

#[test]
fn a_file_cut_anywhere_opens_with_every_commit_before_the_cut() {
    let (content, state_end, ends) = three_commits();
    for cut in 0..=content.len() {
        let disk = disk_with(&content[..cut]);
        let cut = cut as u64;
        match SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()) {
            Ok((log, recovery)) => {
                let n = ends.iter().filter(|end| **end <= cut).count();
                assert_eq!(firsts(&log.reader()).len(), n, "cut at {cut}");
                let kept = n.checked_sub(1).map_or(state_end, |last| ends[last]);
                assert_eq!(recovery.truncated_bytes, cut - kept, "cut at {cut}");
                assert!(recovery.truncated_batches <= 1);
            }
            // Nothing comes before the first segment that its STATE would follow from.
            Err(SegmentError::Damaged { .. }) => assert!(cut < state_end, "cut at {cut}"),
            Err(other) => panic!("cut at {cut}: {other}"),
        }
    }
}

#[test]
fn a_flipped_byte_before_the_last_group_is_named_and_nothing_is_touched() {
    let (content, _, ends) = three_commits();
    for at in 0..usize::try_from(ends[1]).unwrap() {
        let mut flipped = content.clone();
        flipped[at] ^= 0x41;
        let disk = disk_with(&flipped);
        let before = disk.n_steps();
        match open(&disk) {
            Err(SegmentError::Damaged { segment, offset }) => {
                assert_eq!(segment, SegmentNumber::FIRST);
                assert!(offset <= at as u64, "{offset} is behind {at}");
            }
            Err(SegmentError::UnknownVersion { .. }) => assert_eq!(at, 7),
            other => panic!("byte {at}: {other:?}"),
        }
        // Only the folder was synced.
        assert_eq!(disk.n_steps(), before + 1);
        assert_eq!(disk.content(&first_path()), flipped);
        let report = verify_chain_on(disk.shared(), Path::new(DIR)).unwrap();
        assert!(!report.is_sound(), "byte {at}");
    }
}

#[test]
fn a_flipped_byte_in_the_last_group_never_shows_what_was_not_written() {
    let (content, _, ends) = three_commits();
    for at in usize::try_from(ends[1]).unwrap()..content.len() {
        let mut flipped = content.clone();
        flipped[at] ^= 0x41;
        let report = verify_chain_on(disk_with(&flipped).shared(), Path::new(DIR)).unwrap();
        assert!(!report.is_sound() || report.uncommitted_bytes > 0, "byte {at}");
        match open(&disk_with(&flipped)) {
            Ok(log) => assert_eq!(firsts(&log.reader()), [0, 1], "byte {at}"),
            Err(error) => assert!(matches!(error, SegmentError::Damaged { .. }), "byte {at}: {error}"),
        }
    }
}

#[test]
fn a_tail_of_zeros_or_of_batches_without_a_commit_is_cut() {
    let (content, ..) = three_commits();
    let mut log_bytes = content.clone();
    Frame::Batch(batch(3)).encode(&mut log_bytes).unwrap();
    Frame::Batch(batch(4)).encode(&mut log_bytes).unwrap();
    log_bytes.extend_from_slice(&[0; 5000]);
    let disk = disk_with(&log_bytes);
    let (mut log, recovery) = SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()).unwrap();
    assert_eq!(recovery.truncated_batches, 2);
    assert_eq!(recovery.truncated_bytes, (log_bytes.len() - content.len()) as u64);
    write(&mut log, &[3]);
    assert_eq!(firsts(&log.reader()), [0, 1, 2, 3]);
}

#[test]
fn a_frame_whose_checksum_holds_but_whose_content_is_foreign_is_never_cut() {
    let (mut content, ..) = three_commits();
    let at = content.len() as u64;
    // A COMMIT with one byte too many: perhaps of a later version.
    Frame::Commit(Commit::default()).encode(&mut content).unwrap();
    content.truncate(usize::try_from(at).unwrap());
    let payload = [0_u8; 13];
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[3, 13, 0, 0, 0]);
    crc.update(&payload);
    content.extend_from_slice(&[3, 13, 0, 0, 0]);
    content.extend_from_slice(&crc.finalize().to_le_bytes());
    content.extend_from_slice(&payload);
    assert!(matches!(open(&disk_with(&content)), Err(SegmentError::Damaged { offset, .. }) if offset == at));
}

#[test]
fn a_new_last_file_with_only_part_of_a_state_is_begun_again() {
    for content in [&b""[..], b"NTKS", b"NTKSEG\x00\x01", b"NTKSEG\x00\x01\x01\x50\x00\x00\x00abcd"] {
        let disk = MemoryDisk::default();
        let mut log = create(&disk);
        write(&mut log, &[0]);
        drop(log);
        disk.put(&Path::new(DIR).join("00000000000000000001.seg"), content);
        let mut log = open(&disk).unwrap();
        assert_eq!(disk.names(), ["00000000000000000000.seg"]);
        write(&mut log, &[1]);
        log.roll(state(2)).unwrap();
        assert_eq!(firsts(&log.reader()), [0, 1]);
        assert!(verify_chain_on(disk.shared(), Path::new(DIR)).unwrap().is_sound());
    }
}

#[test]
fn damage_in_an_earlier_segment_does_not_stop_the_log_and_readers_say_where_it_is() {
    let disk = MemoryDisk::default();
    let mut log = create(&disk);
    let durables: Vec<_> = (0..4).map(|n| committed(&mut log, &[n])).collect();
    log.roll(state(4)).unwrap();
    write(&mut log, &[4]);
    drop(log);
    let mut content = disk.content(&first_path());
    // The batch after the first commit: its first payload bytes.
    let damaged = durables[0].end();
    content[usize::try_from(damaged.offset).unwrap() + 20] ^= 1;
    disk.put(&first_path(), &content);

    let mut log = open(&disk).unwrap();
    let mut strict = log.reader().frames().unwrap();
    let error = strict.find_map(Result::err).unwrap();
    assert!(matches!(error, SegmentError::Damaged { offset, .. } if offset == damaged.offset));
    assert!(strict.next().is_none());
    let skipping: Vec<_> = log.reader().frames().unwrap().skipping_damage().collect();
    assert_eq!(skipping.iter().filter(|item| item.is_err()).count(), 1);
    assert_eq!(
        batches_of(skipping.into_iter().filter_map(|item| item.ok().map(|(_, frame)| frame))),
        [0, 2, 3, 4]
    );
    let error = log.seal(SegmentNumber::FIRST).unwrap_err();
    assert!(matches!(error, SegmentError::Damaged { .. }), "damage is never sealed in");
    let report = verify_chain_on(disk.shared(), Path::new(DIR)).unwrap();
    assert_eq!(report.damage.len(), 1);
    assert_eq!((report.damage[0].kind, report.damage[0].offset), (DamageKind::Frame, damaged.offset));
}

#[test]
fn a_flipped_length_costs_only_the_group_it_is_in() {
    let (mut content, _, ends) = three_commits();
    content[usize::try_from(ends[0]).unwrap() + 1] ^= 0x55;
    let reader = Reader::open_on(disk_with(&content).shared(), Path::new(DIR)).unwrap();
    let whole =
        reader.frames().unwrap().skipping_damage().filter_map(|item| item.ok().map(|(_, frame)| frame));
    assert_eq!(batches_of(whole), [0, 2]);
}

#[test]
fn a_damaged_last_segment_is_set_aside_and_the_log_goes_on_behind_it() {
    let (mut content, _, ends) = three_commits();
    content[usize::try_from(ends[0]).unwrap() + 20] ^= 1;
    let disk = disk_with(&content);
    let resume = |disk: &MemoryDisk| {
        resume_after_quarantine_on(disk.shared(), Path::new(DIR), Options::default(), state(3))
    };
    assert!(matches!(resume(&disk), Err(SegmentError::NotQuarantined { .. })));
    let path = quarantine_on(disk.shared(), Path::new(DIR), SegmentNumber::FIRST).unwrap();
    assert_eq!(disk.content(&path), content, "not a byte is changed");
    assert!(matches!(open(&disk), Err(SegmentError::LastQuarantined { .. })));
    let mut log = resume(&disk).unwrap();
    assert!(matches!(
        quarantine_on(disk.shared(), Path::new(DIR), SegmentNumber::FIRST),
        Err(SegmentError::Locked { .. })
    ));
    write(&mut log, &[3]);
    drop(log);
    let mut log = open(&disk).unwrap();
    let whole = log.reader().frames().unwrap().skipping_damage().filter_map(|item| item.ok().map(|(_, f)| f));
    assert_eq!(batches_of(whole), [0, 2, 3]);
    assert!(matches!(log.reader().frames().unwrap().next(), Some(Err(SegmentError::Damaged { .. }))));
    let report = verify_chain_on(disk.shared(), Path::new(DIR)).unwrap();
    assert_eq!(report.damage.iter().map(|damage| damage.kind).collect::<Vec<_>>(), [DamageKind::Quarantined]);
    // Pruning leaves it to a person.
    let _ = log.remove_whole_segments_before(Pointer::first_in(SegmentNumber::new(1))).unwrap();
    assert_eq!(disk.content(&path), content);
}

#[test]
fn a_missing_swapped_or_rewritten_segment_breaks_the_chain() {
    let whole = MemoryDisk::default();
    let mut log = create(&whole);
    for n in 0..3 {
        write(&mut log, &[n]);
        log.roll(state(n + 1)).unwrap();
    }
    let paths: Vec<PathBuf> = whole.names().iter().map(|name| Path::new(DIR).join(name)).collect();
    let with = |order: [Option<usize>; 4]| {
        let disk = MemoryDisk::default();
        for (path, from) in paths.iter().zip(order) {
            if let Some(from) = from {
                disk.put(path, &whole.content(&paths[from]));
            }
        }
        let report = verify_chain_on(disk.shared(), Path::new(DIR)).unwrap();
        report.damage.iter().map(|damage| (damage.segment.value(), damage.kind)).collect::<Vec<_>>()
    };
    assert_eq!(with([Some(0), Some(1), Some(2), Some(3)]), []);
    assert_eq!(with([None, Some(1), Some(2), Some(3)]), [], "the oldest may be pruned");
    assert_eq!(with([Some(0), None, Some(2), Some(3)]), [(1, DamageKind::Missing)]);
    let swapped = with([Some(0), Some(2), Some(1), Some(3)]);
    assert_eq!(swapped.len(), 3);
    assert!(swapped.iter().all(|(_, kind)| *kind == DamageKind::PreviousHash));
}

#[test]
fn noise_in_place_of_a_segment_gives_an_error_and_never_a_panic() {
    let (content, ..) = three_commits();
    // A fixed seed: what fails once fails again.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..3000 {
        let mut noise = content.clone();
        for _ in 0..random() % 8 + 1 {
            let at = usize::try_from(random()).unwrap() % noise.len();
            noise[at] = random().to_le_bytes()[0];
        }
        let disk = disk_with(&noise);
        if let Ok(reader) = Reader::open_on(disk.shared(), Path::new(DIR)) {
            assert!(reader.frames().unwrap().skipping_damage().count() < 100);
        }
        let _ = verify_chain_on(disk.shared(), Path::new(DIR));
        if let Ok(log) = open(&disk) {
            let found = firsts(&log.reader());
            assert!([0, 1, 2].starts_with(&found), "{found:?}");
        }
    }
}
