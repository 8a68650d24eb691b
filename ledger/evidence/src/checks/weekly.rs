//! Weekly checkpoints of a bundle: each is signed by the log's key and leads to the final one. Part of the check
//! checkpoint.

use crate::bundle::WEEKLY;
use crate::bundle::bag::Files;
use crate::checkpoint::Checkpoint;
use crate::checks::{Faults, Status, log, quoted};
use crate::hash::Hash;
use crate::merkle::verify_consistency;
use crate::trust::TrustFile;

/// How many hashes a consistency proof can have.
const HASHES_MAX: usize = 65;

/// Judges those that are there; how many hold.
pub(super) fn judge(files: &Files, trust: &TrustFile, last: &Checkpoint, faults: &mut Faults) -> usize {
    let mut held = 0usize;
    let weekly = files.range(WEEKLY.to_owned()..).take_while(|(path, _)| path.starts_with(WEEKLY));
    for (path, note) in weekly {
        let Some(stem) = path.strip_suffix(".txt") else {
            let paired = path
                .strip_suffix(".consistency")
                .is_some_and(|stem| files.contains_key(&format!("{stem}.txt")));
            if !paired {
                faults.add(Status::Incomplete, format!("{} stands without its checkpoint", quoted(path)));
            }
            continue;
        };
        match leads(files, note, stem, trust, last) {
            Ok(()) => held = held.saturating_add(1),
            Err((status, wrong)) => faults.add(status, format!("{}: {wrong}", quoted(path))),
        }
    }
    held
}

fn leads(
    files: &Files,
    note: &[u8],
    stem: &str,
    trust: &TrustFile,
    last: &Checkpoint,
) -> Result<(), (Status, String)> {
    let checkpoint = log::checkpoint(note, trust)?;
    let proof = files.get(&format!("{stem}.consistency"));
    let proof = proof.ok_or_else(|| (Status::Incomplete, "its consistency proof is missing".to_owned()))?;
    let lines = String::from_utf8_lossy(proof);
    let hashes = lines.lines().take(HASHES_MAX).map(Hash::from_base64).collect::<Result<Vec<_>, _>>();
    let hashes =
        hashes.map_err(|_| (Status::Altered, "its consistency proof is no list of hashes".to_owned()))?;
    verify_consistency(checkpoint.size, last.size, &hashes, &checkpoint.root, &last.root)
        .map_err(|error| (Status::Altered, format!("it does not lead to the final checkpoint: {error}")))
}
