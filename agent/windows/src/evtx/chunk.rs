//! One chunk of a log file to records.
//!
//! A chunk has a header of 512 bytes, in it the numbers of its records, where its free space begins, and two checksums:
//! of the header and of the records. Each record says how long it is, before and after itself. Where one cannot be read
//! the next is looked for whose two lengths agree and whose number is one of this chunk's, so that nothing is given
//! that was overwritten.

use super::{CHUNK_MAGIC, Damaged, binxml};
use crate::record::Record;

const HEADER_BYTES: usize = 512;

/// What stands at the beginning of each record, and how many bytes there are before and after its contents.
const RECORD_MAGIC: &[u8; 4] = b"\x2a\x2a\0\0";
const RECORD_HEADER_BYTES: usize = 24;
const RECORD_FRAME_BYTES: usize = 28;

/// Flag of a chunk: Windows made no checksums.
const NO_CHECKSUMS: u32 = 4;

struct Header {
    first_id: u64,
    last_id: u64,
    /// Where the chunk's last record begins, and where the space begins that no record has taken.
    last_record: usize,
    free_space: usize,
    is_sound: bool,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.first_chunk() != Some(CHUNK_MAGIC) || bytes.len() < HEADER_BYTES {
            return None;
        }
        let free_space = length(bytes, 48)?;
        let of_records = bytes.get(HEADER_BYTES..free_space).map(crc32fast::hash);
        let mut of_header = crc32fast::Hasher::new();
        of_header.update(bytes.get(..120)?);
        of_header.update(bytes.get(128..HEADER_BYTES)?);
        let is_checked = number(bytes, 120)? & NO_CHECKSUMS == 0;
        let is_sound = of_records == Some(number(bytes, 52)?) && of_header.finalize() == number(bytes, 124)?;
        Some(Self {
            first_id: u64::from_le_bytes(array(bytes, 24)?),
            last_id: u64::from_le_bytes(array(bytes, 32)?),
            last_record: length(bytes, 44)?,
            free_space: free_space.min(bytes.len()),
            is_sound: is_sound || !is_checked,
        })
    }
}

/// A record's place in its chunk.
struct Place {
    id: u64,
    /// Where the binary XML begins and ends.
    begin: usize,
    end: usize,
    /// Where the next record begins.
    next: usize,
    /// Its length after it is the one before it.
    is_framed: bool,
}

impl Place {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        if array(bytes, at)? != *RECORD_MAGIC {
            return None;
        }
        let n_bytes = length(bytes, at.checked_add(4)?)?;
        let begin = at.checked_add(RECORD_HEADER_BYTES)?;
        let end = begin.checked_add(n_bytes.checked_sub(RECORD_FRAME_BYTES)?)?;
        (end <= bytes.len()).then_some(())?;
        Some(Self {
            id: u64::from_le_bytes(array(bytes, at.checked_add(8)?)?),
            begin,
            end,
            next: at.checked_add(n_bytes)?,
            is_framed: length(bytes, end) == Some(n_bytes),
        })
    }
}

/// What a chunk gives, in its order; its damage last.
pub(super) fn records(chunk: u64, bytes: &[u8]) -> Vec<Result<Record, Damaged>> {
    let Some(header) = Header::read(bytes) else { return vec![Err(Damaged::Chunk { chunk })] };
    let mut given = Vec::new();
    let mut work = binxml::WORK_MAX;
    let mut at = HEADER_BYTES;
    while at < header.free_space {
        if let Some(place) = Place::read(bytes, at) {
            let xml = binxml::xml(bytes, place.begin..place.end, &mut work);
            let record = xml.and_then(|xml| Record::from_xml(&xml).ok());
            given.push(record.ok_or(Damaged::Record { chunk }));
            if place.id == header.last_id {
                break;
            }
            at = place.next;
            continue;
        }
        let next = next_record(bytes, &header, at);
        // Zeros up to the end are free space after all: the header of a log that was not closed is behind its records.
        let is_free = array(bytes, at).is_none_or(|magic: [u8; 4]| magic == [0; 4]);
        if next.is_some() || !is_free {
            given.push(Err(Damaged::Record { chunk }));
        }
        let Some(next) = next else { break };
        at = next;
    }
    if !header.is_sound {
        given.push(Err(Damaged::Checksum { chunk }));
    }
    given
}

/// Where the next record of this chunk begins after something that is none.
fn next_record(bytes: &[u8], header: &Header, after: usize) -> Option<usize> {
    let last = header.last_record.min(header.free_space);
    let is_one = |at: &usize| {
        Place::read(bytes, *at).is_some_and(|place| {
            place.is_framed
                && place.next <= header.free_space
                && (header.first_id..=header.last_id).contains(&place.id)
        })
    };
    (after.saturating_add(1)..=last).find(is_one)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

fn length(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(number(bytes, at)?).ok()
}
