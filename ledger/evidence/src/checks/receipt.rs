//! A receipt on its own, away from agent and collector: whether the log key acknowledged an author's note, and whether a
//! bundle of the same practice contradicts that.

use crate::bundle::bag::Files;
use crate::bundle::range::Range;
use crate::bundle::{CHECKPOINT, NOTE_SUFFIX, RANGES, note_path, proof_path};
use crate::checkpoint::Checkpoint;
use crate::checks::rows::Rows;
use crate::checks::{Check, Faults, Status, Verification, log, quoted};
use crate::name::Author;
use crate::tlog_proof::TlogProof;
use crate::trust::{TrustFile, restored};

/// What a receipt acknowledges, as far as it could be read.
struct Acknowledged {
    author: Author,
    /// The author's note: how many entries, and their root.
    note: Checkpoint,
    /// Where the note stands in the log, and the log's checkpoint.
    index: u64,
    log: Checkpoint,
}

/// Checks a receipt: the author's note and its tlog-proof, under a trust file that came another way. With a bundle,
/// also whether the bundle's log and rows say the same.
pub fn receipt(note: &[u8], proof: &[u8], trust: &[u8], bundle: Option<&Files>) -> Verification {
    let mut checks = Vec::new();
    let trust = trust_file(trust, &mut checks);
    let read = receipt_note(note, trust.as_ref(), &mut checks);
    let acknowledged = acknowledged(note, proof, read, trust.as_ref(), &mut checks);
    if let Some(files) = bundle {
        let mut faults = Faults::default();
        let said = match (&acknowledged, &trust) {
            (Some(receipt), Some(trust)) => against(receipt, note, trust, files, &mut faults),
            _ => {
                faults.add(Status::NotVerifiable, "without a receipt that holds there is nothing to compare");
                Vec::new()
            }
        };
        checks.push(faults.into_check("bundle-agrees", || said.join("; ")));
    }
    Verification {
        checks,
        checkpoint: acknowledged.map(|receipt| receipt.log),
        practice_words: trust.as_ref().map(TrustFile::practice_words),
    }
}

fn trust_file(bytes: &[u8], checks: &mut Vec<Check>) -> Option<TrustFile> {
    let mut faults = Faults::default();
    let trust = TrustFile::parse(bytes)
        .map_err(|error| {
            faults
                .add(Status::NotVerifiable, format!("the trust file that was given cannot be used: {error}"));
        })
        .ok();
    checks.push(faults.into_check("trust-file", || {
        let words = trust.as_ref().map(TrustFile::practice_words).unwrap_or_default();
        let restored = trust.as_ref().map(|trust| restored::in_words(&trust.restored)).unwrap_or_default();
        let said = format!("the trust file that was given is signed by the practice key {words}. {restored}");
        said.trim_end_matches([' ', '.']).to_owned()
    }));
    trust
}

fn receipt_note(
    note: &[u8],
    trust: Option<&TrustFile>,
    checks: &mut Vec<Check>,
) -> Option<(Author, Checkpoint)> {
    let mut faults = Faults::default();
    let read = match (Checkpoint::unverified(note), trust) {
        (_, None) => {
            faults.add(Status::NotVerifiable, "without a trust file nobody's note is known");
            None
        }
        (Err(error), _) => {
            faults.add(Status::Altered, format!("the note is none: {error}"));
            None
        }
        (Ok(note), Some(trust)) => {
            let prefix = format!("{}/", trust.slug);
            let author = note.origin.strip_prefix(&prefix).and_then(|name| Author::parse(name).ok());
            if author.is_none() {
                let origin = quoted(&note.origin);
                faults.add(
                    Status::NotVerifiable,
                    format!("the note is of {origin}, which is no author of this practice"),
                );
            }
            author.map(|author| (author, note))
        }
    };
    checks.push(faults.into_check("receipt-note", || {
        read.as_ref()
            .map(|(author, note)| format!("the note speaks of {} entries of {author}", note.size))
            .unwrap_or_default()
    }));
    read
}

fn acknowledged(
    note: &[u8],
    proof: &[u8],
    read: Option<(Author, Checkpoint)>,
    trust: Option<&TrustFile>,
    checks: &mut Vec<Check>,
) -> Option<Acknowledged> {
    let mut faults = Faults::default();
    let mut found = None;
    match (std::str::from_utf8(proof).map(TlogProof::parse), read, trust) {
        (_, None, _) | (_, _, None) => {
            faults
                .add(Status::NotVerifiable, "without a note of the practice there is nothing to acknowledge");
        }
        (Err(_), ..) => faults.add(Status::Altered, "the proof is not UTF-8"),
        (Ok(Err(error)), ..) => faults.add(Status::Altered, format!("the proof is none: {error}")),
        (Ok(Ok(proof)), Some((author, size)), Some(trust)) => {
            match log::checkpoint(proof.checkpoint.as_bytes(), trust) {
                Err((status, wrong)) => faults.add(status, format!("the proof's checkpoint: {wrong}")),
                Ok(log) => match proof.verify(note, trust.log_at(log.size)) {
                    Ok(log) => found = Some(Acknowledged { author, note: size, index: proof.index, log }),
                    Err(error) => faults
                        .add(Status::Altered, format!("the proof does not lead to the log's root: {error}")),
                },
            }
        }
    }
    checks.push(faults.into_check("receipt-proof", || {
        found.as_ref().map_or_else(String::new, |receipt| {
            format!(
                "the log key acknowledged {} entries of {} as leaf {} of its log of {}",
                receipt.note.size, receipt.author, receipt.index, receipt.log.size
            )
        })
    }));
    found
}

/// Whether the bundle's log and rows contradict the receipt; what agrees, for the sentence.
fn against(
    receipt: &Acknowledged,
    note: &[u8],
    trust: &TrustFile,
    files: &Files,
    faults: &mut Faults,
) -> Vec<String> {
    let mut agrees = Vec::new();
    let last = match files.get(CHECKPOINT).map(|bytes| log::checkpoint(bytes, trust)) {
        None => {
            faults.add(Status::Incomplete, format!("{CHECKPOINT} is missing"));
            return agrees;
        }
        Some(Err((status, wrong))) => {
            faults.add(status, format!("{CHECKPOINT}: {wrong}"));
            return agrees;
        }
        Some(Ok(last)) => last,
    };
    let (now, then) = (last.size, receipt.log.size);
    match (now.cmp(&then), last.root == receipt.log.root) {
        (std::cmp::Ordering::Equal, false) => faults.add(
            Status::Altered,
            format!("the log key signed two roots of one log of {now} leaves: the receipt's and the bundle's"),
        ),
        (std::cmp::Ordering::Less, _) => faults.add(
            Status::NotVerifiable,
            format!("the bundle's log has {now} leaves where the receipt saw {then}: it was made before the receipt, or the log was cut; ask for a bundle of today"),
        ),
        (std::cmp::Ordering::Equal, true) => agrees.push(format!("the same log of {now} leaves")),
        (std::cmp::Ordering::Greater, _) => {}
    }
    leaves(receipt, note, files, faults, &mut agrees);
    rows(receipt, files, faults, &mut agrees);
    if agrees.is_empty() && faults.worst.is_none() {
        let (size, author) = (receipt.note.size, &receipt.author);
        let wrong = format!(
            "the bundle shows nothing of {author} at {size} entries, nor of leaf {}: it neither agrees nor contradicts; ask for one that shows entry {}, which a log that has kept what it acknowledged can",
            receipt.index,
            size.saturating_sub(1)
        );
        faults.add(Status::NotVerifiable, wrong);
    }
    agrees
}

/// The bundle's notes: another one of this size, or another one at this leaf.
fn leaves(receipt: &Acknowledged, note: &[u8], files: &Files, faults: &mut Faults, agrees: &mut Vec<String>) {
    let (author, size, index) = (&receipt.author, receipt.note.size, receipt.index);
    let place = |path: &str| {
        let proof = files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok())?;
        TlogProof::parse(proof).ok().map(|proof| proof.index)
    };
    if let Some(shown) = files.get(&note_path(author, size)) {
        match place(&proof_path(author, size)) {
            _ if shown != note => {
                let same_root =
                    Checkpoint::unverified(shown).is_ok_and(|shown| shown.root == receipt.note.root);
                if !same_root {
                    let wrong = format!(
                        "the bundle has another note of {size} entries of {author}: two histories of one log"
                    );
                    faults.add(Status::Altered, wrong);
                }
            }
            Some(shown) if shown != index => {
                let wrong = format!(
                    "the note of {size} entries of {author} stands at leaf {shown} in the bundle, at leaf {index} in the receipt"
                );
                faults.add(Status::Altered, wrong);
            }
            Some(_) => agrees.push(format!("the same note at the same leaf {index}")),
            None => {}
        }
    }
    for (path, shown) in
        files.iter().filter(|(path, _)| path.starts_with("data/proofs/") && path.ends_with(NOTE_SUFFIX))
    {
        let stem = path.strip_suffix(NOTE_SUFFIX).unwrap_or(path);
        if place(&format!("{stem}.tlog-proof")) == Some(index) && shown != note {
            let wrong = format!(
                "{} stands at leaf {index} of the bundle's log, where the receipt shows another note",
                quoted(path)
            );
            faults.add(Status::Altered, wrong);
        }
    }
}

/// The bundle's rows: whether they lead to the acknowledged root where they reach that size.
fn rows(receipt: &Acknowledged, files: &Files, faults: &mut Faults, agrees: &mut Vec<String>) {
    let (author, size) = (&receipt.author, receipt.note.size);
    let rows = Rows::read(files);
    let ranges = files.get(RANGES).and_then(|bytes| serde_json::from_slice::<Vec<Range>>(bytes).ok());
    let name = author.to_string();
    let reaches = |range: &&Range| range.author == name && range.first < size && size <= range.size;
    let Some(range) = ranges.iter().flatten().find(reaches) else { return };
    let Ok(mut before) = range.compact_range() else {
        return faults
            .add(Status::Altered, format!("the compact range before the rows of {author} cannot be read"));
    };
    let mut expected = range.first;
    for row in rows.of(author).iter().filter(|row| row.number() >= range.first && row.number() < size) {
        if row.number() != expected || before.append(row.leaf_hash()).is_err() {
            break;
        }
        expected = expected.saturating_add(1);
    }
    if expected != size {
        faults.add(Status::Incomplete, format!("entry {expected} of {author} is missing in the bundle"));
    } else if before.root() != receipt.note.root {
        let wrong = format!(
            "the rows of {author} lead to another root at {size} entries than the acknowledged one: entries were changed after the receipt"
        );
        faults.add(Status::Altered, wrong);
    } else {
        agrees.push(format!("the rows of {author} lead to the acknowledged root at {size} entries"));
    }
}
