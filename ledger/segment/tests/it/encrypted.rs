//! The encrypted disk: what the medium shows, and what becomes of bytes that were flipped, dropped, swapped or moved.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntk_segment::convert::Conversion;
use ntk_segment::disk::Disk;
use ntk_segment::encrypted::{EncryptedDisk, PlainFiles};
use ntk_segment::error::SegmentError;
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::pointer::SegmentNumber;
use ntk_segment::verify::verify_chain_on;

use super::disk::{Aftermath, Content, Fault, MemoryDisk};
use super::values::{firsts, state, write};

const DIR: &str = "/log";
const MAGIC: &[u8] = b"NTKCHNK\x01";
const HEADER_BYTES: usize = 64;
const TAG_BYTES: usize = 16;

fn first_path() -> PathBuf {
    Path::new(DIR).join("00000000000000000000.seg")
}

fn open(disk: &MemoryDisk) -> Result<SegmentLog, SegmentError> {
    SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()).map(|(log, _)| log)
}

fn create(content: Content) -> (MemoryDisk, SegmentLog) {
    let disk = MemoryDisk::new(content);
    let log = SegmentLog::create_on(disk.shared(), Path::new(DIR), Options::default(), state(0)).unwrap();
    (disk, log)
}

/// The chunks of a file, as the format says.
fn chunks(content: &[u8]) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        assert!(rest.starts_with(MAGIC));
        let length = u32::from_le_bytes(rest[32..36].try_into().unwrap());
        let (chunk, behind) = rest.split_at(HEADER_BYTES + usize::try_from(length).unwrap() + TAG_BYTES);
        chunks.push(chunk.to_vec());
        rest = behind;
    }
    chunks
}

fn disk_with(content: &[u8]) -> MemoryDisk {
    let disk = MemoryDisk::new(Content::Encrypted);
    disk.put(&first_path(), content);
    disk
}

/// A STATE and four commits, each a chunk.
fn four_commits() -> Vec<Vec<u8>> {
    let (disk, mut log) = create(Content::Encrypted);
    (0..4).for_each(|n| write(&mut log, &[n]));
    let chunks = chunks(&disk.content(&first_path()));
    assert_eq!(chunks.len(), 5);
    chunks
}

fn holds(content: &[u8], part: &[u8]) -> bool {
    content.windows(part.len()).any(|window| window == part)
}

#[test]
fn nothing_that_was_written_can_be_read_on_the_medium_and_the_plain_twin_shows_it() {
    for content in [Content::Plain, Content::Encrypted] {
        let (disk, mut log) = create(content);
        (0..4).for_each(|n| write(&mut log, &[n]));
        for part in ["desk-1", "note 2", "actor", "checkpoint", "NTKSEG"] {
            let is_there = holds(&disk.content(&first_path()), part.as_bytes());
            assert_eq!(is_there, content == Content::Plain, "{part}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_opens_with_every_commit_before_the_cut() {
    let chunks = four_commits();
    let content = chunks.concat();
    for cut in 0..=content.len() {
        let mut end = 0;
        let whole = chunks.iter().take_while(|chunk| {
            end += chunk.len();
            end <= cut
        });
        let whole = whole.count();
        let disk = disk_with(&content[..cut]);
        match SegmentLog::open_on(disk.shared(), Path::new(DIR), Options::default()) {
            Ok((mut log, recovery)) => {
                let kept: usize = chunks[..whole].iter().map(Vec::len).sum();
                assert_eq!(recovery.truncated_bytes, (cut - kept) as u64, "cut at {cut}");
                assert_eq!(firsts(&log.reader()), (0..whole as u64 - 1).collect::<Vec<_>>(), "cut at {cut}");
                write(&mut log, &[whole as u64 - 1]);
                drop(log);
                assert_eq!(firsts(&open(&disk).unwrap().reader()).len(), whole, "cut at {cut}");
            }
            Err(SegmentError::Damaged { .. }) => assert_eq!(whole, 0, "cut at {cut}"),
            Err(other) => panic!("cut at {cut}: {other}"),
        }
    }
}

#[test]
fn a_flipped_byte_before_the_last_chunk_is_damage_that_is_named_and_nothing_is_touched() {
    let chunks = four_commits();
    let content = chunks.concat();
    let last = content.len() - chunks[4].len();
    let mut offsets = std::collections::BTreeSet::new();
    for at in 0..last {
        let mut flipped = content.clone();
        flipped[at] ^= 0x41;
        let disk = disk_with(&flipped);
        match open(&disk) {
            Err(SegmentError::Damaged { segment, offset }) => {
                assert_eq!(segment, SegmentNumber::FIRST);
                offsets.insert(offset);
            }
            other => panic!("byte {at}: {other:?}"),
        }
        assert_eq!(disk.content(&first_path()), flipped);
        assert!(!verify_chain_on(disk.shared(), Path::new(DIR)).unwrap().is_sound(), "byte {at}");
    }
    // One offset for each chunk: where its content would begin.
    assert_eq!(offsets.len(), 4, "{offsets:?}");
}

#[test]
fn a_flipped_byte_of_the_last_chunk_never_shows_what_was_not_written() {
    let chunks = four_commits();
    let content = chunks.concat();
    for at in content.len() - chunks[4].len()..content.len() {
        let mut flipped = content.clone();
        flipped[at] ^= 0x41;
        let report = verify_chain_on(disk_with(&flipped).shared(), Path::new(DIR)).unwrap();
        assert!(!report.is_sound() || report.uncommitted_bytes > 0, "byte {at}");
        assert_eq!(firsts(&open(&disk_with(&flipped)).unwrap().reader()), [0, 1, 2], "byte {at}");
    }
}

#[test]
fn chunks_that_were_dropped_swapped_doubled_or_brought_from_elsewhere_are_damage() {
    let own = four_commits();
    let foreign = four_commits();
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut chunks = own.clone();
        change(&mut chunks);
        open(&disk_with(&chunks.concat())).map(|log| firsts(&log.reader()))
    };
    assert_eq!(with(&|_| {}).unwrap(), [0, 1, 2, 3], "the twin");
    type Change = Box<dyn Fn(&mut Vec<Vec<u8>>)>;
    let changes: [(&str, Change); 6] = [
        ("dropped", Box::new(|chunks| drop(chunks.remove(2)))),
        ("swapped", Box::new(|chunks| chunks.swap(2, 3))),
        ("the first dropped", Box::new(|chunks| drop(chunks.remove(0)))),
        ("of another file", Box::new(move |chunks| chunks[2] = foreign[2].clone())),
        ("of another place", Box::new(|chunks| chunks[2] = chunks[1].clone())),
        ("two dropped", Box::new(|chunks| drop(chunks.drain(1..3)))),
    ];
    for (what, change) in changes {
        let found = with(&change);
        assert!(matches!(found, Err(SegmentError::Damaged { .. })), "{what}: {found:?}");
    }
    // What stands there twice is read once; what was cut off is seen by whoever remembers more, as on a plain disk.
    assert_eq!(with(&|chunks| chunks.insert(2, chunks[1].clone())).unwrap(), [0, 1, 2, 3]);
    assert_eq!(with(&|chunks| chunks.truncate(4)).unwrap(), [0, 1, 2]);
}

#[test]
fn another_key_opens_nothing_and_changes_nothing() {
    let content = four_commits().concat();
    let disk = disk_with(&content);
    let wrong: Arc<dyn Disk> =
        Arc::new(EncryptedDisk::new(Arc::new(disk.clone()), &[6; 32], PlainFiles::Refused));
    let opened = SegmentLog::open_on(Arc::clone(&wrong), Path::new(DIR), Options::default());
    assert!(matches!(opened, Err(SegmentError::Damaged { offset: 0, .. })), "{opened:?}");
    assert!(!verify_chain_on(wrong, Path::new(DIR)).unwrap().is_sound());
    assert_eq!(disk.content(&first_path()), content);
}

#[test]
fn a_plain_file_is_refused_where_everything_is_encrypted() {
    let (plain, mut log) = create(Content::Plain);
    write(&mut log, &[0]);
    drop(log);
    let before = plain.content(&first_path());
    let refusing = Arc::new(plain.encrypted(PlainFiles::Refused));
    let opened = SegmentLog::open_on(refusing, Path::new(DIR), Options::default());
    assert!(matches!(opened, Err(SegmentError::Read { .. })), "{opened:?}");
    assert_eq!(plain.content(&first_path()), before);
    let accepting = Arc::new(plain.encrypted(PlainFiles::Accepted));
    let (log, _) = SegmentLog::open_on(accepting, Path::new(DIR), Options::default()).unwrap();
    assert_eq!(firsts(&log.reader()), [0]);
}

#[test]
fn an_encrypted_file_is_written_at_its_end_and_cut_between_writes_only() {
    let disk = MemoryDisk::default();
    let encrypted = disk.encrypted(PlainFiles::Refused);
    let mut file = encrypted.create(Path::new("/log/x")).unwrap();
    assert_eq!(file.size().unwrap(), 0);
    let content: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    file.write_at(&content, 0).unwrap();
    file.write_at(b"more", 200_000).unwrap();
    assert_eq!(file.size().unwrap(), 200_004);
    for (offset, length) in [(0, 10), (65_530, 20), (131_072, 1), (199_990, 14), (0, 200_004)] {
        let mut buffer = vec![9; length];
        assert_eq!(file.read_at(&mut buffer, offset).unwrap(), length);
        let all = [&content[..], b"more"].concat();
        let from = usize::try_from(offset).unwrap();
        assert_eq!(buffer, all[from..from + length]);
    }
    let mut buffer = [0; 9];
    assert_eq!(file.read_at(&mut buffer, 200_000).unwrap(), 4, "the end");
    assert_eq!(file.read_at(&mut buffer, 300_000).unwrap(), 0, "behind the end");
    let before = disk.content(Path::new("/log/x"));
    file.write_at(&content[70_000..80_000], 70_000).unwrap();
    assert_eq!(disk.content(Path::new("/log/x")), before, "the same content, the same bytes");
    assert!(file.write_at(b"other", 70_000).is_err());
    assert!(file.write_at(b"sparse", 200_005).is_err());
    assert!(file.truncate(199_999).is_err(), "inside of a write");
    assert_eq!(disk.content(Path::new("/log/x")), before);
    file.truncate(200_000).unwrap();
    file.write_at(b"less", 200_000).unwrap();
    file.truncate(0).unwrap();
    assert_eq!(file.size().unwrap(), 0);
    file.write_at(b"anew", 0).unwrap();
    let again = encrypted.open_read(Path::new("/log/x")).unwrap();
    assert_eq!((again.size().unwrap(), again.read_at(&mut buffer, 0).unwrap()), (4, 4));
    assert_eq!(&buffer[..4], b"anew");
}

/// No nonce ever stands before two contents: not after a torn commit, its recovery and what is written then.
#[test]
fn whatever_fails_a_nonce_seals_one_content_only() {
    let mut sealed: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut note = |disk: &MemoryDisk| {
        let content = disk.content(&first_path());
        let starts = content.windows(MAGIC.len()).enumerate().filter(|(_, bytes)| *bytes == MAGIC);
        for start in starts.map(|(start, _)| start) {
            let Some(header) = content.get(start..start + HEADER_BYTES) else { continue };
            let length = usize::try_from(u32::from_le_bytes(header[32..36].try_into().unwrap())).unwrap();
            // What is torn shows the beginning of its content all the same.
            let body = &content[start + HEADER_BYTES..];
            let body = &body[..body.len().min(length)];
            let known = sealed.entry(header[36..60].to_vec()).or_default();
            let common = known.len().min(body.len());
            assert_eq!(known[..common], body[..common], "one nonce, two contents");
            if body.len() > known.len() {
                *known = body.to_vec();
            }
        }
    };
    for fault in [Fault::NotDone, Fault::HalfDone, Fault::DoneThoughReportedFailed] {
        for step in 1..=2 {
            for aftermath in [Aftermath::ReopenAtOnce, Aftermath::PowerCutKeepingHalfOfTheUnsynced] {
                let (disk, mut log) = create(Content::Encrypted);
                write(&mut log, &[0]);
                disk.fail_at(disk.n_steps() + step, fault);
                log.append(&super::values::batch(1)).unwrap();
                log.commit(&super::values::commit(1)).unwrap_err();
                note(&disk);
                drop(log);
                disk.suffer(aftermath);
                note(&disk);
                let mut log = open(&disk).unwrap();
                note(&disk);
                let next = firsts(&log.reader()).len() as u64;
                write(&mut log, &[next, next + 1]);
                note(&disk);
            }
        }
    }
    assert!(sealed.len() > 30, "{}", sealed.len());
}

#[test]
fn a_log_is_encrypted_and_decrypted_in_place_and_each_step_may_fail() {
    let made = || {
        let (disk, mut log) = create(Content::Plain);
        write(&mut log, &[0, 1]);
        log.roll(state(2)).unwrap();
        write(&mut log, &[2]);
        log.seal(SegmentNumber::FIRST).unwrap();
        log.roll(state(3)).unwrap();
        write(&mut log, &[3]);
        disk
    };
    let plain = |disk: &MemoryDisk| -> Arc<dyn Disk> { Arc::new(disk.clone()) };
    let encrypt = |disk: &MemoryDisk| {
        let encrypted = Arc::new(disk.encrypted(PlainFiles::Refused));
        let (to, asked) = (Arc::clone(&encrypted) as Arc<dyn Disk>, encrypted);
        Conversion::begin(to, Path::new(DIR))?.rewrite(
            plain(disk).as_ref(),
            |path| asked.is_encrypted(path),
            |_, _| {},
        )
    };
    let decrypt = |disk: &MemoryDisk| {
        let encrypted = Arc::new(disk.encrypted(PlainFiles::Accepted));
        let done = |path: &Path| encrypted.is_encrypted(path).map(|is_encrypted| !is_encrypted);
        Conversion::begin(plain(disk), Path::new(DIR))?.rewrite(encrypted.as_ref(), done, |_, _| {})
    };
    let reads = |disk: &MemoryDisk, plain_files| {
        let disk: Arc<dyn Disk> = Arc::new(disk.encrypted(plain_files));
        let (log, _) = SegmentLog::open_on(Arc::clone(&disk), Path::new(DIR), Options::default()).unwrap();
        assert_eq!(firsts(&log.reader()), [0, 1, 2, 3]);
        assert!(verify_chain_on(disk, Path::new(DIR)).unwrap().is_sound());
    };
    let disk = made();
    let names = disk.names();
    let before = disk.n_steps();
    encrypt(&disk).unwrap();
    reads(&disk, PlainFiles::Refused);
    let n_steps = disk.n_steps();
    for name in &names {
        assert!(!holds(&disk.content(&Path::new(DIR).join(name)), b"NTKSEG"), "{name}");
    }
    let again = disk.n_steps();
    encrypt(&disk).unwrap();
    assert_eq!(disk.n_steps(), again, "nothing is left to do");
    decrypt(&disk).unwrap();
    let (log, _) = SegmentLog::open_on(plain(&disk), Path::new(DIR), Options::default()).unwrap();
    assert_eq!((firsts(&log.reader()), disk.names()), (vec![0, 1, 2, 3], names));
    drop(log);
    for step in before + 1..=n_steps {
        for fault in [Fault::NotDone, Fault::HalfDone, Fault::DoneThoughReportedFailed] {
            for aftermath in [Aftermath::ReopenAtOnce, Aftermath::PowerCut] {
                let disk = made();
                disk.fail_at(step, fault);
                let _ = encrypt(&disk);
                disk.stop_failing();
                disk.suffer(aftermath);
                reads(&disk, PlainFiles::Accepted);
                encrypt(&disk).unwrap();
                reads(&disk, PlainFiles::Refused);
            }
        }
    }
}
