//! The check report-tied: a report in the bundle names a state of the log that the final checkpoint covers.

use serde_json::Value;

use crate::bundle::bag::Files;
use crate::bundle::{REPORT_CONSISTENCY, REPORT_HTML, REPORT_JSON};
use crate::checkpoint::Checkpoint;
use crate::checks::{Check, Faults, Status};
use crate::hash::Hash;
use crate::merkle::verify_consistency;

/// Judges `report.json`: size and root of the log stand in its object `footer` (or `log`, `checkpoint`).
///
/// A report of an earlier, smaller log needs the consistency proof beside it.
pub(super) fn tied(files: &Files, last: Option<&Checkpoint>) -> Check {
    let mut faults = Faults::default();
    let mut told = "there is no report in this bundle to be tied".to_owned();
    match (files.get(REPORT_JSON), last) {
        (None, _) if files.contains_key(REPORT_HTML) => {
            faults.add(Status::Incomplete, format!("{REPORT_HTML} is there and {REPORT_JSON} is not"));
        }
        (None, Some(_)) => {}
        (None, None) => faults.add(Status::Incomplete, "there is neither report nor verified checkpoint"),
        (Some(_), None) => {
            faults.add(Status::NotVerifiable, "there is no verified checkpoint to tie the report to")
        }
        (Some(bytes), Some(last)) => match named(bytes) {
            None => faults
                .add(Status::NotVerifiable, format!("{REPORT_JSON} does not name size and root of the log")),
            Some((size, root)) => match covered(size, &root, last, files) {
                Ok(()) => {
                    told =
                        format!("the report names the log at size {size}, which the final checkpoint covers")
                }
                Err((status, wrong)) => faults.add(status, wrong),
            },
        },
    }
    faults.into_check("report-tied", || told)
}

fn named(bytes: &[u8]) -> Option<(u64, Hash)> {
    let report: Value = serde_json::from_slice(bytes).ok()?;
    let holders = [report.get("footer"), report.get("log"), report.get("checkpoint"), Some(&report)];
    holders.into_iter().flatten().find_map(|holder| {
        let size = holder.get("log_size").or_else(|| holder.get("size"))?.as_u64()?;
        let root = holder.get("log_root").or_else(|| holder.get("root"))?.as_str()?;
        Some((size, Hash::from_hex(root).or_else(|_| Hash::from_base64(root)).ok()?))
    })
}

fn covered(size: u64, root: &Hash, last: &Checkpoint, files: &Files) -> Result<(), (Status, String)> {
    if size > last.size {
        return Err((
            Status::Altered,
            format!("the report names size {size}, the final checkpoint has {}", last.size),
        ));
    }
    let lines = files.get(REPORT_CONSISTENCY).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    if size == last.size {
        return if *root == last.root {
            Ok(())
        } else {
            Err((Status::Altered, "the report names another root than the final checkpoint".to_owned()))
        };
    }
    let lines = lines.ok_or_else(|| {
        (
            Status::Incomplete,
            format!("the report names the smaller size {size} and {REPORT_CONSISTENCY} is missing"),
        )
    })?;
    let proof = lines.lines().take(65).map(Hash::from_base64).collect::<Result<Vec<_>, _>>();
    let proof =
        proof.map_err(|_| (Status::Altered, format!("{REPORT_CONSISTENCY} is not a list of hashes")))?;
    verify_consistency(size, last.size, &proof, root, &last.root).map_err(|error| {
        (Status::Altered, format!("the report's log does not lead to the final checkpoint: {error}"))
    })
}
