//! "Provable up to": until when somebody outside the collector is known to have seen the log, from a bundle's files.
//!
//! The lines of bag-info.txt are made here and checked here, against what the files themselves prove.

use crate::bundle::bag::Files;
use crate::bundle::{CHECKPOINT, TIME_STAMPS, time_stamp_path};
use crate::checks::anchor::FinalCheckpoint;
use crate::checks::witnesses::{best, continued, vouching};
use crate::checks::{Faults, log};
use crate::hash::Hash;
use crate::time::Moment;
use crate::time_stamp::TimeStamp;
use crate::trust::TrustFile;

/// The label of the lines in bag-info.txt.
pub(super) const LABEL: &str = "Provable-Up-To";
/// What stands there where nobody outside the collector saw the log.
const NOTHING: &str = "no time: nobody outside the collector is known to have seen this log";

/// One line a source: inside (the committee of agents), outside (witnesses), time-stamp (an authority, whose signature
/// is for openssl to judge). Times are theirs, RFC 3339 in UTC.
pub fn provable_up_to(files: &Files, trust: &TrustFile) -> Vec<String> {
    let note = files.get(CHECKPOINT).map(Vec::as_slice).unwrap_or_default();
    let Ok(checkpoint) = log::checkpoint(note, trust) else { return vec![NOTHING.to_owned()] };
    let last = FinalCheckpoint { checkpoint, note: note.to_vec() };
    // Faults are for the check witnesses to tell.
    let mut faults = Faults::default();
    let all = vouching(files, &last, trust, &mut faults);
    let mut lines = Vec::new();
    let mut line = |source: &str, time: Moment, size: u64| {
        lines.push(format!("{} {source}, log size {size}", time.to_rfc3339(0)));
    };
    for (source, keys, quorum) in [
        ("inside", &trust.committee, trust.committee_quorum),
        ("outside", &trust.outside, trust.outside_quorum),
    ] {
        let best = best(&all, keys, quorum.max(1), &mut faults);
        let time = best.latest.and_then(|time| Moment::from_unix_seconds(i64::try_from(time).ok()?));
        if let (Some(time), Some(size)) = (time, best.size) {
            line(source, time, size);
        }
    }
    if let Some((time, size)) = stamped(files, &last, trust) {
        line("time-stamp", time, size);
    }
    if lines.is_empty() { vec![NOTHING.to_owned()] } else { lines }
}

/// The newest time-stamp whose checkpoint the final one continues.
fn stamped(files: &Files, last: &FinalCheckpoint, trust: &TrustFile) -> Option<(Moment, u64)> {
    let below = files.range(TIME_STAMPS.to_owned()..).take_while(|(path, _)| path.starts_with(TIME_STAMPS));
    let stamps = below.filter(|(path, _)| path.ends_with(".txt")).filter_map(|(path, note)| {
        let (size, _) = continued(files, TIME_STAMPS, path, note, last, trust).ok()?;
        let stamp = TimeStamp::parse(files.get(&time_stamp_path(size, ".tsr"))?).ok()?;
        (stamp.imprint == Hash::of(note)).then_some((stamp.time, size))
    });
    stamps.max()
}
