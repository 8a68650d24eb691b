//! Released segments that are finished, put away: encrypted to the practice's recovery key, which is not on this
//! machine, so that a wiped collector can be filled again and this disk tells nobody what they hold.
//!
//! `spool/kept/<20-digit number>.age` is the segment's file as it was, in the format age-encryption.org/v1. It is
//! durable before the segment itself is removed; a crash between leaves both, and the next start does it again.
//! Where the trust file names another recovery key later, what lies here stays encrypted to the one before it.
//! The removed file's blocks are not overwritten: what the file system still holds of them is the disk's to protect.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::UNIX_EPOCH;

use age::x25519::Recipient;
use ntk_evidence::time::Moment;
use ntk_segment::disk::Disk;
use ntk_segment::pointer::SegmentNumber;

use crate::whole_file::{Files, Readable, create_private_folder};

const SUFFIX: &str = ".age";

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Days since it was put away.
    pub days: u32,
    /// Bytes of all files together; the oldest go first.
    pub bytes: u64,
}

/// A segment could not be put away.
#[derive(Debug, thiserror::Error)]
pub enum AwayError {
    /// The trust file names no recovery key.
    #[error("the trust file's recovery key `{0}` is none; have this machine enrolled anew")]
    Recipient(String),
    /// Encryption failed.
    #[error("could not encrypt to the recovery key: {0}")]
    Encrypt(String),
    /// The disk.
    #[error("could not use `{path}`; check free space and permissions")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// A file that was put away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// When it was put away.
    pub since: Moment,
}

/// Where segments are put away, and for whom.
#[derive(Clone, Debug)]
pub struct Away {
    folder: PathBuf,
    recipient: Recipient,
    limits: Limits,
}

impl Away {
    /// Below this spool, for this recovery key (`age1…`).
    pub fn new(spool: &Path, recovery: &str, limits: Limits) -> Result<Self, AwayError> {
        let recipient =
            Recipient::from_str(recovery).map_err(|_| AwayError::Recipient(recovery.to_owned()))?;
        Ok(Self { folder: folder_in(spool), recipient, limits })
    }

    /// The same place and limits for another recovery key; what lies there stays as it is.
    pub fn for_recovery(&self, recovery: &str) -> Result<Self, AwayError> {
        let recipient =
            Recipient::from_str(recovery).map_err(|_| AwayError::Recipient(recovery.to_owned()))?;
        Ok(Self { recipient, ..self.clone() })
    }

    /// Encrypts these bytes as age does.
    pub fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>, AwayError> {
        age::encrypt(&self.recipient, plain).map_err(|error| AwayError::Encrypt(error.to_string()))
    }

    /// Puts a segment's file away. When this returns it is durable, and the segment may go.
    pub(super) fn put(
        &self,
        disk: &dyn Disk,
        spool: &Path,
        number: SegmentNumber,
        files: &dyn Files,
    ) -> Result<(), AwayError> {
        let path = spool.join(format!("{number}.seg"));
        let plain = read_whole(disk, &path).map_err(|source| AwayError::Io { path, source })?;
        let path = self.folder.join(format!("{number}{SUFFIX}"));
        let sealed = self.encrypt(&plain)?;
        create_private_folder(&self.folder)
            .and_then(|()| files.replace(&path, &sealed, Readable::ByOwner))
            .map_err(|source| AwayError::Io { path, source })
    }

    /// Removes what is beyond the limits, and says how many files went.
    pub(super) fn prune(&self, now: Moment) -> Result<usize, AwayError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| AwayError::Io { path, source }
        };
        let stored = list_folder(&self.folder).map_err(failed(&self.folder))?;
        let n_beyond = beyond(&stored, self.limits, now);
        for file in stored.iter().take(n_beyond) {
            std::fs::remove_file(&file.path).map_err(failed(&file.path))?;
        }
        Ok(n_beyond)
    }
}

/// The folder below a spool.
fn folder_in(spool: &Path) -> PathBuf {
    spool.join("kept")
}

/// What was put away below this spool, oldest first.
pub fn list(spool: &Path) -> io::Result<Vec<Stored>> {
    list_folder(&folder_in(spool))
}

fn list_folder(folder: &Path) -> io::Result<Vec<Stored>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut stored = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "age") {
            let metadata = std::fs::metadata(&path)?;
            let since = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            let since = Moment::from_unix_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
            stored.push(Stored { path, bytes: metadata.len(), since });
        }
    }
    // Names are numbers of one width: the order of names is the order of writing.
    stored.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(stored)
}

/// How many of the oldest are beyond the limits.
fn beyond(stored: &[Stored], limits: Limits, now: Moment) -> usize {
    let mut bytes = stored.iter().fold(0u64, |sum, file| sum.saturating_add(file.bytes));
    let seconds = i64::from(limits.days).saturating_mul(86_400);
    stored
        .iter()
        .take_while(|file| {
            let goes = bytes > limits.bytes || file.since.plus_seconds(seconds) < now;
            bytes = bytes.saturating_sub(file.bytes);
            goes
        })
        .count()
}

fn read_whole(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open_read(path)?;
    let mut bytes = vec![0; usize::try_from(file.size()?).map_err(io::Error::other)?];
    let n_read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(n_read);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(days_and_bytes: &[(i64, u64)]) -> Vec<Stored> {
        let file = |&(day, bytes): &(i64, u64)| Stored {
            path: PathBuf::new(),
            bytes,
            since: Moment::from_unix_nanos(0).plus_seconds(day * 86_400),
        };
        days_and_bytes.iter().map(file).collect()
    }

    #[test]
    fn the_oldest_go_by_age_and_by_bytes_and_never_a_younger_one_before_an_older() {
        let limits = Limits { days: 90, bytes: 100 };
        let now = Moment::from_unix_nanos(0).plus_seconds(100 * 86_400);
        for (files, n_beyond) in [
            (vec![], 0),
            (vec![(20, 10), (30, 10)], 0),
            (vec![(5, 10), (9, 10), (30, 10)], 2),
            (vec![(20, 60), (30, 40)], 0),
            (vec![(20, 60), (30, 41)], 1),
            (vec![(20, 60), (30, 60), (40, 60)], 2),
            (vec![(20, 101)], 1),
            (vec![(30, 10), (5, 10)], 0),
        ] {
            assert_eq!(beyond(&stored(&files), limits, now), n_beyond, "{files:?}");
        }
    }
}
