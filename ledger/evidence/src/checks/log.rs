//! Checkpoints of the practice's log, each under the key of the log to which its size belongs, and the seams between those
//! logs: where the trust file announces that a copy was put back.
//!
//! A checkpoint of a closed log beyond the size at which it was closed is no forgery of the practice: an announced restore
//! explains it. It is void all the same and vouches for nothing. What a later key signed of a size that it does not cover
//! contradicts the announcement.

use crate::bundle::bag::Files;
use crate::bundle::restored_path;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::checks::anchor::status_of_checkpoint;
use crate::checks::{Faults, Status};
use crate::hash::Hash;
use crate::merkle::verify_consistency;
use crate::note::NoteError;
use crate::trust::TrustFile;

/// How many hashes a consistency proof can have.
const HASHES_MAX: usize = 65;

/// The checkpoint, if the log to which its size belongs signed it; else how that counts and what to say.
pub(super) fn checkpoint(note: &[u8], trust: &TrustFile) -> Result<Checkpoint, (Status, String)> {
    let checkpoint = trust.checkpoint(note).map_err(|error| {
        let explained = matches!(error, CheckpointError::Note(NoteError::NotSigned(_)));
        let explained = if explained { of_another_log(note, trust) } else { None };
        explained.unwrap_or_else(|| (status_of_checkpoint(&error), error.to_string()))
    })?;
    // One size of one log has one root, and the practice key named it.
    let mut closed = trust.closed_within(checkpoint.size.saturating_add(1));
    if closed.any(|closed| closed.size == checkpoint.size && closed.root != checkpoint.root) {
        let size = checkpoint.size;
        let wrong = format!("the log was closed at {size} batches with another root, as the trust file says");
        return Err((Status::Altered, wrong));
    }
    Ok(checkpoint)
}

/// What is to be said of a checkpoint that another log of this practice signed.
fn of_another_log(note: &[u8], trust: &TrustFile) -> Option<(Status, String)> {
    let size = Checkpoint::unverified(note).ok()?.size;
    let belongs = trust.generation(size);
    let logs = trust.restored.iter().map(|closed| &closed.log).chain([&trust.log]);
    let (signed, _) = logs.enumerate().find(|(_, log)| Checkpoint::verify(note, log).is_ok())?;
    let before = |generation: usize| trust.restored.get(generation.checked_sub(1)?);
    if signed < belongs {
        let closed = before(belongs)?;
        let wrong = format!(
            "void: a checkpoint of {size} batches by a log that was closed at {} when a copy was put back at {} ({}), as the practice key announced; what that log had beyond proves nothing",
            closed.size, closed.made, closed.why
        );
        return Some((Status::NotVerifiable, wrong));
    }
    let closed = before(signed)?;
    let wrong = format!(
        "the key of the log that goes on from {} batches signed a checkpoint of {size}, which belongs to a log before it",
        closed.size
    );
    Some((Status::Altered, wrong))
}

/// Whether the final checkpoint continues each log that was closed, from the root that the trust file names; at which
/// sizes it does.
pub(super) fn continues(
    files: &Files,
    trust: &TrustFile,
    last: &Checkpoint,
    faults: &mut Faults,
) -> Vec<u64> {
    let mut held = Vec::new();
    for closed in trust.closed_within(last.size) {
        let path = restored_path(closed.size);
        match proof(files, &path).and_then(|hashes| {
            verify_consistency(closed.size, last.size, &hashes, &closed.root, &last.root).map_err(|error| {
                (
                    Status::Altered,
                    format!("the final checkpoint does not continue the log that was closed: {error}"),
                )
            })
        }) {
            Ok(()) => held.push(closed.size),
            Err((status, wrong)) => faults.add(status, format!("{path}: {wrong}")),
        }
    }
    held
}

/// The hashes of a consistency proof, one in base64 a line, and nothing else.
pub(super) fn proof(files: &Files, path: &str) -> Result<Vec<Hash>, (Status, String)> {
    let bytes = files.get(path).ok_or((Status::Incomplete, "missing".to_owned()))?;
    let text = String::from_utf8_lossy(bytes);
    let hashes = text.lines().take(HASHES_MAX).map(Hash::from_base64).collect::<Result<Vec<_>, _>>().ok();
    let is_exact = |hashes: &Vec<Hash>| {
        hashes.iter().map(|hash| format!("{}\n", hash.to_base64())).collect::<String>() == text
    };
    hashes.filter(is_exact).ok_or_else(|| (Status::Altered, "not a list of hashes".to_owned()))
}
