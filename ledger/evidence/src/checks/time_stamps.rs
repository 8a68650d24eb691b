//! The check time-stamps: checkpoints that a time-stamping authority saw (RFC 3161), when by its clock, and between
//! which of these times the rows came into the log.
//!
//! Each is signed by the log, continued by the final checkpoint, and is what the response's imprint names. Who signed
//! the response is for `openssl ts -verify` to say, with a certificate that whoever checks trusts: the sentence says so.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::bag::Files;
use crate::bundle::received::{Received, Recorded, placed_notes};
use crate::bundle::{BRACKETS, PLACED, TIME_STAMP_CHAIN, TIME_STAMPS, time_stamp_path};
use crate::checkpoint::Checkpoint;
use crate::checks::anchor::{Anchor, FinalCheckpoint, status_of_checkpoint};
use crate::checks::bag::Info;
use crate::checks::keys::Keys;
use crate::checks::provable::{LABEL, provable_up_to};
use crate::checks::ranges::Listed;
use crate::checks::rows::Rows;
use crate::checks::witnesses::continued;
use crate::checks::{Check, Faults, Status, quoted};
use crate::hash::Hash;
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::name::Author;
use crate::time_stamp::TimeStamp;
use crate::time_stamp::placed::PlacedNote;
use crate::trust::TrustFile;

/// How many are looked at.
const FILES_MAX: usize = 4000;
/// How many are told one by one when all is well.
const STAMPS_TOLD_MAX: usize = 5;
/// How the paths of one time-stamp end, beside its checkpoint's.
const SUFFIXES: [&str; 3] = ["tsq", "tsr", "consistency"];

/// Judges the time-stamps of a bundle, and the brackets that follow from them.
pub(super) fn time_stamps(
    anchor: &Anchor,
    files: &Files,
    info: Option<&Info>,
    last: Option<&FinalCheckpoint>,
    keys: &Keys,
    listed: &Listed,
    rows: &Rows,
) -> Check {
    let mut faults = Faults::default();
    let below =
        || files.range(TIME_STAMPS.to_owned()..).take_while(|(path, _)| path.starts_with(TIME_STAMPS));
    let (Some(trust), Some(last)) = (anchor.trust(), last) else {
        let status = if anchor.trust().is_none() { Status::NotVerifiable } else { Status::Incomplete };
        faults.add(status, "without trust file and checkpoint no time-stamp can be judged");
        return faults.into_check("time-stamps", String::new);
    };
    let recorded = Recorded::among(rows.of(&Author::Collector));
    let mut told = Vec::new();
    if below().nth(FILES_MAX).is_some() {
        faults.add(Status::NotVerifiable, format!("there are more than {FILES_MAX} files of time-stamps"));
    }
    for (path, bytes) in below().take(FILES_MAX) {
        let (stem, suffix) = path.rsplit_once('.').unwrap_or((path, ""));
        if suffix == "txt" {
            match one(files, path, bytes, last, trust, &recorded) {
                Ok(sentence) => told.push(sentence),
                Err((status, wrong)) => faults.add(status, format!("{}: {wrong}", quoted(path))),
            }
        } else if path == TIME_STAMP_CHAIN {
            // Whose certificates these are is for whoever checks the responses' signatures.
        } else if !SUFFIXES.contains(&suffix) {
            faults.add(Status::Altered, format!("{} is no part of a time-stamp", quoted(path)));
        } else if !files.contains_key(&format!("{stem}.txt")) {
            faults.add(Status::Incomplete, format!("{} stands without its checkpoint", quoted(path)));
        }
    }
    brackets(files, last, keys, listed, rows, &mut faults);
    let claimed = info.map(|info| info.all(LABEL)).unwrap_or_default();
    if claimed.is_empty() {
        faults.add(Status::Incomplete, format!("bag-info.txt has no {LABEL}"));
    } else if claimed != provable_up_to(files, trust) {
        faults.add(Status::Altered, format!("bag-info.txt has another {LABEL} than the proofs show"));
    }
    // Only where a log is there does "none" say something about it.
    if below().next().is_none() {
        return faults
            .into_check("time-stamps", || "none: no time-stamping authority saw this log".to_owned());
    }
    faults.into_check("time-stamps", || {
        let more = told.len().saturating_sub(STAMPS_TOLD_MAX);
        // The newest say the most: they stand at the end of the folder.
        let shown = told.get(more..).unwrap_or_default().join("; ");
        let more = if more > 0 { format!("{more} earlier ones; ") } else { String::new() };
        format!(
            "{more}{shown}; the responses' own signatures are for `openssl ts -verify` with a certificate that you trust",
        )
    })
}

fn one(
    files: &Files,
    path: &str,
    note: &[u8],
    last: &FinalCheckpoint,
    trust: &TrustFile,
    recorded: &[Recorded],
) -> Result<String, (Status, String)> {
    let (size, _) = continued(files, TIME_STAMPS, path, note, last, trust)?;
    let response = files.get(&time_stamp_path(size, ".tsr"));
    let response = response.ok_or((Status::Incomplete, "its response (.tsr) is missing".to_owned()))?;
    let altered = |wrong: &str| Err((Status::Altered, wrong.to_owned()));
    let stamp = TimeStamp::parse(response).map_err(|error| (Status::Altered, error.to_string()))?;
    if stamp.imprint != Hash::of(note) {
        return altered("the time-stamp is over another text");
    }
    let request = files.get(&time_stamp_path(size, ".tsq"));
    if request.is_some_and(|request| !stamp.was_asked_by(request)) {
        return altered("the time-stamp answers another request than its .tsq");
    }
    // An act that holds one over this checkpoint settles which response and which request it was.
    let acts: Vec<&Recorded> = recorded.iter().filter(|act| act.imprint == stamp.imprint).collect();
    match acts.iter().find(|act| act.response == *response) {
        None if !acts.is_empty() => {
            return altered("the response is not the one that the collector's act holds");
        }
        Some(act) if act.request.as_ref() != request => {
            return Err((
                Status::Incomplete,
                "its request (.tsq) is not there as the act holds it".to_owned(),
            ));
        }
        _ => {}
    }
    Ok(format!("the log at size {size} existed by {} (policy {})", stamp.time.to_rfc3339(0), stamp.policy))
}

/// The notes that place rows, and `proofs/brackets.csv` made again.
fn brackets(
    files: &Files,
    last: &FinalCheckpoint,
    keys: &Keys,
    listed: &Listed,
    rows: &Rows,
    faults: &mut Faults,
) {
    let received = Received::read(files, rows.of(&Author::Collector));
    let Some(placed) = placed_notes(files) else {
        faults.add(Status::Altered, format!("{PLACED} is no list of notes by author and size"));
        return;
    };
    let mut sizes: BTreeMap<Author, BTreeSet<u64>> = BTreeMap::new();
    for note in &placed {
        if let Ok(author) = Author::parse(&note.author) {
            sizes.entry(author).or_default().insert(note.size);
        }
    }
    let roots: BTreeMap<&Author, BTreeMap<u64, Hash>> =
        sizes.iter().map(|(author, sizes)| (author, listed.roots(author, sizes, rows))).collect();
    for note in &placed {
        let led_to = |author: &Author| roots.get(author)?.get(&note.size).copied();
        if let Err((status, wrong)) = placed_note(note, led_to, last, keys) {
            let which = format!("{PLACED}: the note of {} entries of {}", note.size, quoted(&note.author));
            faults.add(status, format!("{which}: {wrong}"));
        }
    }
    match files.get(BRACKETS) {
        None if received.has_recorded() => {
            faults.add(Status::Incomplete, format!("{BRACKETS} is missing"));
        }
        Some(bytes) if *bytes != received.csv().into_bytes() => {
            faults.add(Status::Altered, format!("{BRACKETS} is not what time-stamps, acts and notes tell"));
        }
        _ => {}
    }
}

/// A note is its author's, lies inside a range whose rows lead to it, and stands in the log where the line says.
fn placed_note(
    placed: &PlacedNote,
    led_to: impl Fn(&Author) -> Option<Hash>,
    last: &FinalCheckpoint,
    keys: &Keys,
) -> Result<(), (Status, String)> {
    let altered = |wrong: &dyn std::fmt::Display| (Status::Altered, wrong.to_string());
    let author = Author::parse(&placed.author).map_err(|error| altered(&error))?;
    let key = keys
        .of(&author, placed.epoch)
        .ok_or((Status::NotVerifiable, format!("no key is known in epoch {}", placed.epoch)))?;
    let note = placed.note.as_bytes();
    let checkpoint =
        Checkpoint::verify(note, key).map_err(|error| (status_of_checkpoint(&error), error.to_string()))?;
    if checkpoint.size != placed.size {
        return Err(altered(&"it is of another size"));
    }
    let Checkpoint { size, root, .. } = &last.checkpoint;
    verify_inclusion(&leaf_hash(note), placed.index, *size, &placed.inclusion, root)
        .map_err(|error| altered(&error))?;
    keys.within(&author, placed.epoch, placed.size, placed.index).map_err(|wrong| altered(&wrong))?;
    match led_to(&author) {
        Some(found) if found == checkpoint.root => Ok(()),
        Some(_) => Err(altered(&"the rows do not lead to its root")),
        None => Err(altered(&"it lies inside no range of this bundle")),
    }
}
