//! Walks a whole segment and says what holds: the STATE, the committed part, and what comes after it.
use sha2::{Digest, Sha256};

use crate::error::SegmentError;
use crate::frame::{Frame, MAGIC, MAGIC_BYTES, State};
use crate::sizes;
use crate::source::{Found, Source};

/// What a segment holds.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The first frame, if it is a whole STATE.
    pub(crate) state: Option<State>,
    /// The end of the STATE.
    pub(crate) state_end: u64,
    /// The end of the last COMMIT before anything that does not hold; of the STATE if there is none.
    pub(crate) committed_end: u64,
    /// Where the group of that COMMIT begins.
    pub(crate) group_start: u64,
    /// Batches in the committed part.
    pub(crate) n_batches: u64,
    /// Commits in the committed part.
    pub(crate) n_commits: u64,
    /// Whole batches after the committed part.
    pub(crate) tail_batches: u64,
    /// The hash of the committed part; of all bytes, if nothing comes after it.
    pub(crate) hash: Sha256,
    /// The first offset at which no whole frame is.
    pub(crate) broken: Option<u64>,
    /// Whether that frame's checksum holds though its content does not: then it was never torn.
    pub(crate) broken_is_whole: bool,
}

impl Scan {
    /// The hash of the committed part.
    pub(crate) fn content_hash(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// Where a finished segment is damaged, if it is: it has nothing after its last COMMIT.
    pub(crate) fn damage_if_finished(&self, limit: u64) -> Option<u64> {
        if self.state.is_none() {
            return Some(self.broken.unwrap_or(0));
        }
        self.broken.or_else(|| (self.committed_end != limit).then_some(self.committed_end))
    }
}

/// Walks from the first byte to the limit, or to the first frame that does not hold.
pub(crate) fn scan(source: &mut Source) -> Result<Scan, SegmentError> {
    let mut scan = Scan {
        state: None,
        state_end: 0,
        committed_end: 0,
        group_start: 0,
        n_batches: 0,
        n_commits: 0,
        tail_batches: 0,
        hash: Sha256::new(),
        broken: None,
        broken_is_whole: false,
    };
    if let Some(magic) = source.window(0, MAGIC.len())?.first_chunk::<8>() {
        let ([.., found_version], [.., version]) = (magic, MAGIC);
        if magic.get(..7) == MAGIC.get(..7) && *found_version != version {
            return Err(SegmentError::UnknownVersion { segment: source.segment });
        }
        if *magic != MAGIC {
            scan.broken = Some(0);
            return Ok(scan);
        }
    } else {
        scan.broken = Some(0);
        return Ok(scan);
    }
    let mut hash = Sha256::new();
    hash.update(MAGIC);
    let mut offset = MAGIC_BYTES;
    loop {
        let raw = match source.frame_at(offset)? {
            Found::Frame(raw) => raw,
            Found::End if scan.state.is_some() => break,
            Found::End | Found::Broken => {
                scan.broken = Some(offset);
                break;
            }
        };
        let end = offset.saturating_add(sizes::on_disk(raw.bytes.len()));
        match (raw.decode(), &scan.state) {
            (Ok(Frame::State(state)), None) => {
                hash.update(raw.bytes);
                scan.state = Some(state);
                scan.state_end = end;
                scan.committed_end = end;
                scan.group_start = MAGIC_BYTES;
                scan.hash = hash.clone();
            }
            (Ok(Frame::Batch(_) | Frame::Pruned(_)), Some(_)) => {
                hash.update(raw.bytes);
                scan.tail_batches = scan.tail_batches.saturating_add(1);
            }
            (Ok(Frame::Commit(_)), Some(_)) => {
                hash.update(raw.bytes);
                scan.hash = hash.clone();
                scan.group_start = scan.committed_end;
                scan.committed_end = end;
                scan.n_batches = scan.n_batches.saturating_add(scan.tail_batches);
                scan.n_commits = scan.n_commits.saturating_add(1);
                scan.tail_batches = 0;
            }
            (Ok(Frame::State(_)), Some(_))
            | (Ok(Frame::Batch(_) | Frame::Commit(_) | Frame::Pruned(_)), None)
            | (Err(_), _) => {
                scan.broken = Some(offset);
                scan.broken_is_whole = true;
                break;
            }
        }
        offset = end;
    }
    Ok(scan)
}

/// The end of the last whole COMMIT, damage before it or not; of the STATE if there is none.
pub(crate) fn last_commit_end(source: &mut Source) -> Result<u64, SegmentError> {
    let first = scan(source)?;
    let mut end = first.committed_end;
    let Some(mut broken) = first.broken else { return Ok(end) };
    while let Some(commit) = source.find_commit(broken.saturating_add(1))? {
        let Found::Frame(raw) = source.frame_at(commit)? else { break };
        end = commit.saturating_add(sizes::on_disk(raw.bytes.len()));
        broken = end.saturating_sub(1);
    }
    Ok(end)
}
