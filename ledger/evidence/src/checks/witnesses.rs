//! The check witnesses: whether enough of the trust file's witnesses cosigned, and which rows came after that.
//!
//! The committee cosigns the final checkpoint; a witness outside often an older one, which then lies in
//! `proofs/witnessed/` with the proof that the final checkpoint continues it. A row is covered where the note that
//! ends its range stands in the log below the size that was cosigned.

use crate::bundle::bag::Files;
use crate::bundle::{CHECKPOINT, POLICY, TRUST, WITNESSED};
use crate::checkpoint::{Checkpoint, cosigned_at};
use crate::checks::anchor::{Anchor, FinalCheckpoint};
use crate::checks::ranges::Listed;
use crate::checks::rows::Rows;
use crate::checks::{Check, Faults, Status, log, quoted};
use crate::merkle::verify_consistency;
use crate::name::Author;
use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::time::Moment;
use crate::tlog_proof::TlogProof;
use crate::trust::TrustFile;

/// How many older checkpoints are looked at.
const OLDER_MAX: usize = 1000;

/// A checkpoint that the final one continues, with its note.
pub(super) struct Vouching {
    size: u64,
    note: SignedNote,
    path: String,
}

/// The best that a group of witnesses did: at which size, how many, and when last.
#[derive(Default)]
pub(super) struct Best {
    pub(super) size: Option<u64>,
    most: u32,
    pub(super) latest: Option<u64>,
}

/// Judges who cosigned.
pub(super) fn witnesses(
    anchor: &Anchor,
    files: &Files,
    last: Option<&FinalCheckpoint>,
    listed: &Listed,
    rows: &Rows,
) -> Check {
    let mut faults = Faults::default();
    match (files.get(POLICY), anchor.own()) {
        (None, _) => faults.add(Status::Incomplete, format!("{POLICY} is missing")),
        (Some(policy), Some(own)) if *policy != own.tlog_policy().into_bytes() => {
            faults.add(Status::Altered, format!("{POLICY} is not the policy of {TRUST}"));
        }
        _ => {}
    }
    let (Some(trust), Some(last)) = (anchor.trust(), last) else {
        let status = if anchor.trust().is_none() { Status::NotVerifiable } else { Status::Incomplete };
        faults.add(status, "without trust file and checkpoint no witness can be judged");
        return faults.into_check("witnesses", String::new);
    };
    let vouching = vouching(files, last, trust, &mut faults);
    let mut told = Vec::new();
    for (who, keys, quorum) in [
        ("the committee", &trust.committee, trust.committee_quorum),
        ("the outside witnesses", &trust.outside, trust.outside_quorum),
    ] {
        let best = best(&vouching, keys, quorum.max(1), &mut faults);
        if best.size.is_none() && quorum > 0 {
            faults.add(
                Status::Incomplete,
                format!("{} of {who} cosigned where {quorum} are needed", best.most),
            );
        }
        let until = best.latest.and_then(|time| Moment::from_unix_seconds(i64::try_from(time).ok()?));
        let until = until.map(|moment| format!(", the last at {}", moment.to_rfc3339(0))).unwrap_or_default();
        let at = best.size.map(|size| format!(", the log at size {size}")).unwrap_or_default();
        let mut sentence =
            format!("{} of {} in {who} cosigned{until}{at} ({quorum} needed)", best.most, keys.len());
        if let Some(size) = best.size {
            let later = rows_after(size, files, listed, rows);
            if later > 0 {
                let later =
                    format!("{later} rows of machines came after that and are not witnessed by {who} yet");
                if quorum > 0 {
                    faults.add(Status::Incomplete, later.clone());
                }
                sentence.push_str(&format!("; {later}"));
            }
        }
        told.push(sentence);
    }
    let asked = trust.committee_quorum > 0 || trust.outside_quorum > 0;
    let begin = if asked { "" } else { "none asked for by the trust file: " };
    faults.into_check("witnesses", || format!("{begin}{}", told.join("; ")))
}

/// The final checkpoint and every older one that it continues.
pub(super) fn vouching(
    files: &Files,
    last: &FinalCheckpoint,
    trust: &TrustFile,
    faults: &mut Faults,
) -> Vec<Vouching> {
    let mut all = Vec::new();
    match SignedNote::parse(&last.note) {
        Ok(note) => all.push(Vouching { size: last.checkpoint.size, note, path: CHECKPOINT.to_owned() }),
        Err(error) => faults.add(Status::Altered, format!("{CHECKPOINT}: {error}")),
    }
    let older = files.iter().filter(|(path, _)| path.starts_with(WITNESSED) && path.ends_with(".txt"));
    for (path, note) in older.take(OLDER_MAX) {
        match continued(files, WITNESSED, path, note, last, trust) {
            Ok((size, note)) => all.push(Vouching { size, note, path: path.clone() }),
            Err((status, wrong)) => faults.add(status, format!("{}: {wrong}", quoted(path))),
        }
    }
    all
}

/// An older checkpoint below `folder`: signed by the log of its size, of the size that its path says, continued by the final one.
pub(super) fn continued(
    files: &Files,
    folder: &str,
    path: &str,
    note: &[u8],
    last: &FinalCheckpoint,
    trust: &TrustFile,
) -> Result<(u64, SignedNote), (Status, String)> {
    let altered = |wrong: &dyn std::fmt::Display| (Status::Altered, wrong.to_string());
    let checkpoint = log::checkpoint(note, trust)?;
    let name = path.strip_prefix(folder).and_then(|name| name.strip_suffix(".txt"));
    if name != Some(checkpoint.size.to_string().as_str()) || checkpoint.size == 0 {
        return Err(altered(&"it holds a checkpoint of another size than its name says"));
    }
    let proof_path = format!("{folder}{}.consistency", checkpoint.size);
    let hashes = log::proof(files, &proof_path)
        .map_err(|(status, wrong)| (status, format!("{proof_path} is {wrong}")))?;
    let Checkpoint { size, root, .. } = &last.checkpoint;
    verify_consistency(checkpoint.size, *size, &hashes, &checkpoint.root, root)
        .map_err(|error| altered(&format!("the final checkpoint does not continue it: {error}")))?;
    let note = SignedNote::parse(note).map_err(|error| altered(&error))?;
    Ok((checkpoint.size, note))
}

/// The largest size at which as many as are needed cosigned.
pub(super) fn best(vouching: &[Vouching], keys: &[VerifierKey], needed: u32, faults: &mut Faults) -> Best {
    let mut best = Best::default();
    for one in vouching {
        let (mut count, mut latest) = (0u32, None);
        for key in keys {
            match cosigned_at(&one.note, key) {
                Ok(time) => {
                    count = count.saturating_add(1);
                    latest = latest.max(Some(time));
                }
                Err(NoteError::NotSigned(_)) => {}
                Err(error) => faults.add(Status::Altered, format!("{}: {error}", quoted(&one.path))),
            }
        }
        if count >= needed && best.size.is_none_or(|size| size < one.size) {
            best = Best { size: Some(one.size), most: count, latest };
        } else if best.size.is_none() && count > best.most {
            (best.most, best.latest) = (count, latest);
        }
    }
    best
}

/// How many disclosed rows of machines lie in ranges whose end note stands in the log at or after this size.
fn rows_after(size: u64, files: &Files, listed: &Listed, rows: &Rows) -> usize {
    let mut later = 0usize;
    for range in listed.of_others() {
        // An index that cannot be read counts as later; the check inclusion says what is wrong with it.
        let proof = files.get(&range.range.proof).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let index = proof.and_then(|text| TlogProof::parse(text).ok()).map_or(u64::MAX, |proof| proof.index);
        if index >= size && range.author != Author::Collector {
            let all = rows.of(&range.author);
            let from = all.partition_point(|row| row.number() < range.range.first);
            let to = all.partition_point(|row| row.number() < range.range.size);
            let shown = all.get(from..to).unwrap_or_default().iter().filter(|row| row.is_disclosed()).count();
            later = later.saturating_add(shown);
        }
    }
    later
}
