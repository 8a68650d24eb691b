//! When the machine was last shut down in order, by its own records: the `shutdown` line of wtmp.
//!
//! wtmp is a file of fixed records (utmp(5)); on 64-bit Linux each has 384 bytes. Only its end is read, and what is
//! no such record is passed over. A machine that keeps no wtmp says nothing; that is no sign of a crash.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use ntk_evidence::time::Moment;

const RECORD_BYTES: usize = 384;
/// The end of the file that is read: some months of an office machine.
const TAIL_BYTES: u64 = 384 * 4096;
/// ut_type of a change of run level.
const RUN_LEVEL: i16 = 1;

/// The last orderly shutdown that wtmp tells of.
pub(super) fn last() -> Option<Moment> {
    read(Path::new("/var/log/wtmp"))
}

fn read(path: &Path) -> Option<Moment> {
    let mut file = File::open(path).ok()?;
    let whole = file.metadata().ok()?.len();
    let record = u64::try_from(RECORD_BYTES).ok()?;
    let records = whole.checked_div(record)?;
    let begin = records.saturating_mul(record).saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(begin)).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail).ok()?;
    last_in(&tail)
}

fn last_in(bytes: &[u8]) -> Option<Moment> {
    bytes.chunks_exact(RECORD_BYTES).filter_map(shutdown).next_back()
}

fn shutdown(record: &[u8]) -> Option<Moment> {
    let (kind, _) = record.split_first_chunk::<2>()?;
    let user = record.get(44..76)?;
    let name = user.split(|byte| *byte == 0).next().unwrap_or_default();
    let (seconds, _) = record.get(340..344)?.split_first_chunk::<4>()?;
    let is_shutdown = i16::from_le_bytes(*kind) == RUN_LEVEL && name == b"shutdown";
    // The field has 32 bits, read as unsigned: good until 2106.
    is_shutdown.then(|| Moment::from_unix_seconds(i64::from(u32::from_le_bytes(*seconds)))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: i16, user: &str, seconds: u32) -> Vec<u8> {
        let mut record = vec![0; RECORD_BYTES];
        record[..2].copy_from_slice(&kind.to_le_bytes());
        record[44..44 + user.len()].copy_from_slice(user.as_bytes());
        record[340..344].copy_from_slice(&seconds.to_le_bytes());
        record
    }

    #[test]
    fn the_last_orderly_shutdown_is_found_and_logins_and_boots_are_none() {
        let mut all = record(1, "shutdown", 1000);
        all.extend(record(7, "shutdown", 2000));
        all.extend(record(1, "runlevel", 3000));
        all.extend(record(1, "shutdown", 4000));
        all.extend(record(2, "reboot", 5000));
        all.extend([9; 100]);
        assert_eq!(last_in(&all).map(|at| at.to_rfc3339(0)).as_deref(), Some("1970-01-01T01:06:40Z"));
        assert_eq!(last_in(&record(2, "reboot", 1)), None);
        assert_eq!(last_in(&[0xff; 1000]), None);
        assert_eq!(read(Path::new("/no/such/file")), None);
    }
}
