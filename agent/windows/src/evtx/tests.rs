//! Files that are no logs, or hardly: the reading of real ones is tested by `ntk-agent`, with the shared test data.

use std::io::Cursor;

use proptest::prelude::*;

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
