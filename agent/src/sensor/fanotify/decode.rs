//! Bytes that a fanotify group gives: events with file handles and names instead of open files.
//!
//! ```text
//! event:  length u32, version u8, -, length of this header u16, mask u64, fd i32, pid i32; then records
//! record: type u8, -, length u16; then
//!   1 file, 2 folder and name, 3 folder, 10 and 12 old and new folder and name of a rename:
//!     file system u64, bytes of the handle u32, type of the handle i32, handle, name, zeros
//!   4 process: pidfd i32, negative for none
//! ```
//! All in the machine's order. EV-2: any bytes give events or end the reading.

const VERSION: u8 = 3;
const HEADER_BYTES: usize = 24;

/// A file handle as the kernel names an inode; only good for comparing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Handle {
    pub(crate) file_system: u64,
    pub(crate) kind: i32,
    pub(crate) bytes: Vec<u8>,
}

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) folder: Handle,
    pub(crate) name: String,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) mask: u64,
    pub(crate) pid: i32,
    /// The folder and the name in it; `.` is the folder itself.
    pub(crate) entry: Option<Entry>,
    /// Where a rename began, where it ended.
    pub(crate) old: Option<Entry>,
    pub(crate) new: Option<Entry>,
    /// The file itself.
    pub(crate) file: Option<Handle>,
    /// Number of a descriptor of the process, ours to close; none where the process is gone.
    pub(crate) pidfd: Option<i32>,
}

/// Reads everything that one read gave.
pub(crate) fn events(mut bytes: &[u8]) -> Vec<Seen> {
    let mut all = Vec::new();
    while let Some((event, rest)) = event(bytes) {
        all.extend(event);
        bytes = rest;
    }
    all
}

fn event(bytes: &[u8]) -> Option<(Option<Seen>, &[u8])> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok().filter(|length| *length >= HEADER_BYTES)?;
    let (event, rest) = (bytes.get(..length)?, bytes.get(length..)?);
    if event.get(4) != Some(&VERSION) {
        return Some((None, rest));
    }
    let header = usize::from(u16::from_ne_bytes(event.get(6..8)?.try_into().ok()?));
    let mut seen = Seen {
        mask: u64::from_ne_bytes(event.get(8..16)?.try_into().ok()?),
        pid: u32_at(event, 20)?.cast_signed(),
        ..Seen::default()
    };
    let mut records = event.get(header.max(HEADER_BYTES)..).unwrap_or_default();
    while let Some(next) = record(records, &mut seen) {
        records = next;
    }
    Some((Some(seen), rest))
}

fn record<'a>(bytes: &'a [u8], seen: &mut Seen) -> Option<&'a [u8]> {
    let kind = *bytes.first()?;
    let length = usize::from(u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?));
    let body = bytes.get(4..length)?;
    match kind {
        1 => seen.file = handle(body).map(|(handle, _)| handle),
        2 | 3 => seen.entry = entry(body),
        4 => seen.pidfd = u32_at(body, 0).map(u32::cast_signed).filter(|number| *number >= 0),
        10 => seen.old = entry(body),
        12 => seen.new = entry(body),
        _ => {}
    }
    bytes.get(length..)
}

fn handle(body: &[u8]) -> Option<(Handle, &[u8])> {
    let file_system = u64::from_ne_bytes(body.get(..8)?.try_into().ok()?);
    let n_bytes = usize::try_from(u32_at(body, 8)?).ok()?;
    let kind = u32_at(body, 12)?.cast_signed();
    let end = n_bytes.checked_add(16)?;
    let bytes = body.get(16..end)?.to_vec();
    Some((Handle { file_system, kind, bytes }, body.get(end..)?))
}

fn entry(body: &[u8]) -> Option<Entry> {
    let (folder, rest) = handle(body)?;
    let name = rest.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = if name.is_empty() { "." } else { &String::from_utf8_lossy(name) };
    Some(Entry { folder, name: name.to_owned() })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record_bytes(kind: u8, handle: &[u8], name: &str) -> Vec<u8> {
        let mut body = 7_u64.to_ne_bytes().to_vec();
        body.extend(u32::try_from(handle.len()).unwrap().to_ne_bytes());
        body.extend(1_i32.to_ne_bytes());
        body.extend(handle);
        body.extend(name.as_bytes());
        body.resize((body.len() + 4).next_multiple_of(4), 0);
        let length = u16::try_from(body.len() + 4).unwrap();
        [&[kind, 0][..], &length.to_ne_bytes(), &body].concat()
    }

    fn event_bytes(mask: u64, pid: i32, records: &[Vec<u8>]) -> Vec<u8> {
        let records = records.concat();
        let mut bytes = u32::try_from(HEADER_BYTES + records.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend([VERSION, 0]);
        bytes.extend(24_u16.to_ne_bytes());
        bytes.extend(mask.to_ne_bytes());
        bytes.extend((-1_i32).to_ne_bytes());
        bytes.extend(pid.to_ne_bytes());
        [bytes, records].concat()
    }

    fn pidfd_bytes(number: i32) -> Vec<u8> {
        [&[4_u8, 0][..], &8_u16.to_ne_bytes(), &number.to_ne_bytes()].concat()
    }

    #[test]
    fn events_with_names_handles_and_processes_are_read() {
        let first = event_bytes(
            0x20,
            41,
            &[record_bytes(2, b"folder", "week.csv"), record_bytes(1, b"file", ""), pidfd_bytes(9)],
        );
        let second = event_bytes(
            0x1000_0000,
            42,
            &[record_bytes(10, b"folder", "a"), record_bytes(12, b"other", "b"), pidfd_bytes(-1)],
        );
        let seen = events(&[first, second].concat());
        let handle = |bytes: &[u8]| Handle { file_system: 7, kind: 1, bytes: bytes.to_vec() };
        let entry = |folder: &[u8], name: &str| Some(Entry { folder: handle(folder), name: name.to_owned() });
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].mask, seen[0].pid, seen[0].pidfd), (0x20, 41, Some(9)));
        assert_eq!((&seen[0].entry, &seen[0].file), (&entry(b"folder", "week.csv"), &Some(handle(b"file"))));
        assert_eq!((&seen[1].old, &seen[1].new), (&entry(b"folder", "a"), &entry(b"other", "b")));
        assert_eq!(seen[1].pidfd, None);
    }

    proptest! {
        #[test]
        fn any_bytes_give_events_or_end(bytes in prop::collection::vec(any::<u8>(), 0..400), length in 0_u32..200) {
            events(&bytes);
            let mut bytes = bytes;
            if let Some(begin) = bytes.get_mut(..8) {
                begin[..4].copy_from_slice(&length.to_ne_bytes());
                begin[4] = VERSION;
            }
            events(&bytes);
        }
    }
}
