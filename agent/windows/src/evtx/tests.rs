//! Files that are no logs, or hardly, and chunks made by hand: the reading of real logs is tested by `ntk-agent`, with
//! the shared test data.

use std::io::Cursor;

use proptest::prelude::*;

use super::binxml::tests::Chunk;
use super::*;

/// A file of a length that no disk has, of which all is zeros but one byte; remembers the most that was asked for at once.
struct Sparse {
    length: u64,
    at: u64,
    set: u64,
    most: usize,
}

impl Read for Sparse {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.most = self.most.max(bytes.len());
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let n_read = bytes.len().min(left);
        bytes[..n_read].fill(0);
        if let Some(byte) =
            self.set.checked_sub(self.at).and_then(|at| bytes[..n_read].get_mut(usize::try_from(at).unwrap()))
        {
            *byte = 1;
        }
        self.at += u64::try_from(n_read).unwrap();
        Ok(n_read)
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(_) => self.length,
            SeekFrom::Current(_) => self.at,
        };
        Ok(self.at)
    }
}

fn said(bytes: &[u8]) -> Vec<String> {
    let said = |read: Result<Record, Damaged>| {
        read.map_or_else(|damaged| damaged.to_string(), |_| "record".to_owned())
    };
    Records::open(Cursor::new(bytes)).unwrap().map(said).collect()
}

#[test]
fn what_is_no_log_is_said() {
    assert_eq!(said(b""), ["the file does not begin as a log file does"]);
    let mut file = vec![0; 4096 + 2 * CHUNK_BYTES];
    file[..8].copy_from_slice(FILE_MAGIC);
    assert_eq!(said(&file), Vec::<String>::new(), "unused chunks");
    file[4096 + CHUNK_BYTES] = 7;
    assert_eq!(said(&file), ["chunk 1 is not readable"]);
    file.truncate(4096 + CHUNK_BYTES + 100);
    assert_eq!(said(&file), ["the file ends within chunk 1"]);
}

#[test]
fn a_file_of_many_gigabytes_is_read_by_the_chunk() {
    let set = offset(65_535);
    let mut records = Records::open(Sparse { length: 4 << 30, at: 0, set, most: 0 }).unwrap();
    assert!(matches!(records.next(), Some(Err(Damaged::FileHeader))));
    assert!(matches!(records.next(), Some(Err(Damaged::CutOff { chunk: 65_535 }))));
    assert!(records.next().is_none());
    assert_eq!(records.file.most, CHUNK_BYTES);
    // What is beyond all bounds is not looked at, and that is said.
    let records = Records::open(Sparse { length: 1 << 50, at: 0, set: u64::MAX, most: 0 }).unwrap();
    let said: Vec<String> = records.filter_map(Result::err).map(|damaged| damaged.to_string()).collect();
    assert_eq!(
        said,
        [
            "the file is longer than any log; its end was not read",
            "the file does not begin as a log file does"
        ]
    );
}

/// A record of a machine that has this name.
fn with_record(chunk: Chunk, id: u64, computer: &str) -> Chunk {
    let begin = chunk.0.len();
    let chunk = chunk.with(b"\x2a\x2a\0\0").long(0).with(&id.to_le_bytes()).with(&[0; 8]);
    let open = |chunk: Chunk, name: &str| chunk.with(&[0x01]).long(0).name(name);
    let chunk = open(open(chunk.with(&[0x0f, 1, 1, 0]), "Event").with(&[0x02]), "System").with(&[0x02]);
    let chunk = open(chunk, "Computer").with(&[0x02]).text(computer).with(&[0x04]);
    let chunk = open(chunk, "EventID").with(&[0x02, 0x05, 6, 0x36, 0x12, 0x04]);
    let chunk = open(chunk, "TimeCreated").with(&[0x06]).name("SystemTime");
    let mut chunk = chunk.text("2026-11-20T08:01:02.1234567Z").with(&[0x03, 0x04, 0x04, 0]);
    let n_bytes = chunk.0.len() - begin + 4;
    chunk.0[begin + 4..begin + 8].copy_from_slice(&u32::try_from(n_bytes).unwrap().to_le_bytes());
    chunk.long(n_bytes)
}

/// A file of one chunk: records 1 to 3, then one that another pass over the log left behind.
fn log(flags: u8, change: impl Fn(&mut [u8], &[usize])) -> Vec<u8> {
    let mut chunk = Chunk(vec![0; 512]);
    let mut begins = Vec::new();
    for (id, computer) in [(1, "first"), (2, "second"), (3, "third"), (99, "overwritten")] {
        begins.push(chunk.0.len());
        chunk = with_record(chunk, id, computer);
    }
    let mut bytes = chunk.0;
    bytes.resize(CHUNK_BYTES, 0);
    let number = |at: usize| u32::try_from(at).unwrap().to_le_bytes();
    bytes[..8].copy_from_slice(CHUNK_MAGIC);
    for (at, id) in [(8, 1_u64), (16, 3), (24, 1), (32, 3)] {
        bytes[at..at + 8].copy_from_slice(&id.to_le_bytes());
    }
    bytes[40..44].copy_from_slice(&128_u32.to_le_bytes());
    bytes[44..48].copy_from_slice(&number(begins[2]));
    bytes[48..52].copy_from_slice(&number(begins[3]));
    let of_records = crc32fast::hash(&bytes[512..begins[3]]);
    bytes[52..56].copy_from_slice(&of_records.to_le_bytes());
    bytes[120] = flags;
    let of_header = crc32fast::hash(&[&bytes[..120], &bytes[128..512]].concat());
    bytes[124..128].copy_from_slice(&of_header.to_le_bytes());
    change(&mut bytes, &begins);
    let mut file = vec![0; 4096];
    file[..8].copy_from_slice(FILE_MAGIC);
    file.extend(bytes);
    file
}

#[test]
fn a_damaged_chunk_gives_what_can_be_read_and_the_damage() {
    type Change = fn(&mut [u8], &[usize]);
    let damaged = "a record of chunk 0 is not readable";
    let checksum = "the checksum of chunk 0 is not that of its contents";
    let cases: &[(&str, u8, Change, &[&str])] = &[
        ("whole", 0, |_, _| {}, &["first", "second", "third"]),
        ("no magic", 0, |bytes, at| bytes[at[1]] = 0x2b, &["first", damaged, "third", checksum]),
        (
            "a length of zero",
            0,
            |bytes, at| bytes[at[1] + 4..at[1] + 8].fill(0),
            &["first", damaged, "third", checksum],
        ),
        ("a wrong token", 0, |bytes, at| bytes[at[1] + 28] = 0xff, &["first", damaged, "third", checksum]),
        ("zeros", 0, |bytes, at| bytes[at[1]..at[2]].fill(0), &["first", damaged, "third", checksum]),
        ("zeros to the end", 0, |bytes, at| bytes[at[1]..].fill(0), &["first", checksum]),
        (
            "a name beyond it",
            0,
            |bytes, at| bytes[at[2] + 33..at[2] + 37].fill(255),
            &["first", "second", damaged, checksum],
        ),
        ("number of a header", 0, |bytes, _| bytes[16] = 9, &["first", "second", "third", checksum]),
        ("free space beyond the chunk", 0, |bytes, _| bytes[50] = 9, &["first", "second", "third", checksum]),
        ("Windows made no checksums", 4, |bytes, _| bytes[16] = 9, &["first", "second", "third"]),
    ];
    for (case, flags, change, given) in cases {
        let file = log(*flags, change);
        let read = Records::open(Cursor::new(&file)).unwrap();
        let read: Vec<String> = read
            .map(|read| read.map_or_else(|damaged| damaged.to_string(), |record| record.computer))
            .collect();
        assert_eq!(read, *given, "{case}");
    }
}

proptest! {
    // EV-2
    #[test]
    fn any_bytes_are_records_or_damage(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        chunks in proptest::collection::vec((any::<[u8; 32]>(), proptest::collection::vec(any::<u8>(), 0..3000)), 0..4),
    ) {
        said(&bytes);
        let mut file = vec![0; 4096];
        file[..8].copy_from_slice(FILE_MAGIC);
        for (header, body) in chunks {
            let mut chunk = vec![0; CHUNK_BYTES];
            chunk[..8].copy_from_slice(CHUNK_MAGIC);
            // Numbers of records, then where the last record and the free space begin.
            chunk[8..40].copy_from_slice(&header);
            chunk[40..44].copy_from_slice(&128_u32.to_le_bytes());
            chunk[48..52].copy_from_slice(&20_000_u32.to_le_bytes());
            chunk[512..516].copy_from_slice(b"\x2a\x2a\0\0");
            chunk[516..516 + body.len()].copy_from_slice(&body);
            file.extend(chunk);
        }
        said(&file);
    }
}
