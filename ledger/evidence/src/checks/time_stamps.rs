//! The check time-stamps: checkpoints that a time-stamping authority saw (RFC 3161), and when by its clock.
//!
//! Each is signed by the log, continued by the final checkpoint, and is what the response's imprint names. Who signed
//! the response is for `openssl ts -verify` to say, with a certificate that whoever checks trusts: the sentence says so.

use crate::bundle::bag::Files;
use crate::bundle::{TIME_STAMP_CHAIN, TIME_STAMPS, time_stamp_path};
use crate::checks::anchor::{Anchor, FinalCheckpoint};
use crate::checks::witnesses::continued;
use crate::checks::{Check, Faults, Status, quoted};
use crate::hash::Hash;
use crate::note::VerifierKey;
use crate::time_stamp::TimeStamp;

/// How many are looked at.
const STAMPS_MAX: usize = 1000;

/// Judges the time-stamps of a bundle.
pub(super) fn time_stamps(anchor: &Anchor, files: &Files, last: Option<&FinalCheckpoint>) -> Check {
    let mut faults = Faults::default();
    let below =
        || files.range(TIME_STAMPS.to_owned()..).take_while(|(path, _)| path.starts_with(TIME_STAMPS));
    let (Some(trust), Some(last)) = (anchor.trust(), last) else {
        let status = if anchor.trust().is_none() { Status::NotVerifiable } else { Status::Incomplete };
        faults.add(status, "without trust file and checkpoint no time-stamp can be judged");
        return faults.into_check("time-stamps", String::new);
    };
    // Only where a log is there does "none" say something about it.
    if below().next().is_none() {
        return faults
            .into_check("time-stamps", || "none: no time-stamping authority saw this log".to_owned());
    }
    let mut told = Vec::new();
    for (path, bytes) in below().take(STAMPS_MAX) {
        let stem = path.rsplit_once('.').map_or(path.as_str(), |(stem, _)| stem);
        if path.ends_with(".txt") {
            match one(files, path, bytes, last, &trust.log) {
                Ok(sentence) => told.push(sentence),
                Err((status, wrong)) => faults.add(status, format!("{}: {wrong}", quoted(path))),
            }
        } else if path != TIME_STAMP_CHAIN && !files.contains_key(&format!("{stem}.txt")) {
            faults.add(Status::Incomplete, format!("{} stands without its checkpoint", quoted(path)));
        }
    }
    faults.into_check("time-stamps", || {
        format!(
            "{}; the responses' own signatures are for `openssl ts -verify` with a certificate that you trust",
            told.join("; ")
        )
    })
}

fn one(
    files: &Files,
    path: &str,
    note: &[u8],
    last: &FinalCheckpoint,
    log: &VerifierKey,
) -> Result<String, (Status, String)> {
    let (size, _) = continued(files, TIME_STAMPS, path, note, last, log)?;
    let response = files.get(&time_stamp_path(size, ".tsr"));
    let response = response.ok_or((Status::Incomplete, "its response (.tsr) is missing".to_owned()))?;
    let stamp = TimeStamp::parse(response).map_err(|error| (Status::Altered, error.to_string()))?;
    if stamp.imprint != Hash::of(note) {
        return Err((Status::Altered, "the time-stamp is over another text".to_owned()));
    }
    Ok(format!("the log at size {size} existed by {} (policy {})", stamp.time.to_rfc3339(0), stamp.policy))
}
