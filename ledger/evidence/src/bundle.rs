//! The evidence bundle: a BagIt 1.0 directory that a stranger can check without us.
//!
//! A [`bag::Bag`] collects the payload and seals it with manifests and a signature; [`row`]s disclose or
//! withhold entries; [`range`]s tie the rows to signed notes and those to the log; the [`timeline`] and the
//! [`readme`] are renderings for people. The constants here are the fixed layout; [`crate::checks`] judges it.

pub mod bag;
pub mod certification;
pub mod interchange;
pub mod range;
pub mod readme;
pub mod received;
pub mod row;
pub mod timeline;
pub mod verifier_source;
pub mod wording;

use crate::name::Author;

/// Declares that this folder is a bag.
pub const BAGIT: &str = "bagit.txt";
/// Who made the bag, for which case, from which log and range.
pub const BAG_INFO: &str = "bag-info.txt";
/// SHA-256 of every payload file.
pub const MANIFEST_SHA256: &str = "manifest-sha256.txt";
/// SHA-512 of every payload file.
pub const MANIFEST_SHA512: &str = "manifest-sha512.txt";
/// SHA-256 of every file that is no payload.
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// The tag manifest's hash, signed by the bundle key.
pub const TAG_MANIFEST_NOTE: &str = "tagmanifest-sha256.txt.note";

/// Where every payload path begins.
pub const PAYLOAD: &str = "data/";
/// How to verify, for a browser.
pub const README_HTML: &str = "data/README-how-to-verify.html";
/// How to verify, as plain text.
pub const README_TXT: &str = "data/README-how-to-verify.txt";
/// The report for people.
pub const REPORT_HTML: &str = "data/report.html";
/// The report for programs.
pub const REPORT_JSON: &str = "data/report.json";
/// The disclosed events in order of time.
pub const TIMELINE: &str = "data/timeline.csv";
/// The disclosed events as OCSF 1.8.0, one a line.
pub const OCSF: &str = "data/interchange/ocsf.jsonl";
/// The disclosed events as FHIR R4 AuditEvents, one a line.
pub const FHIR: &str = "data/interchange/fhir-auditevents.ndjson";
/// Which ranges of which logs the rows come from.
pub const RANGES: &str = "data/proofs/ranges.json";
/// Which keys signed them, and where each was enrolled.
pub const KEYS: &str = "data/proofs/keys.json";
/// The final checkpoint of the collector log, with its cosignatures.
pub const CHECKPOINT: &str = "data/proofs/checkpoint.txt";
/// The trust file as the collector has it; whoever checks brings another copy.
pub const TRUST: &str = "data/proofs/trust.txt";
/// The witness rules of the trust file, for tools that read a tlog-policy.
pub const POLICY: &str = "data/proofs/policy.txt";
/// Consistency proof (base64 lines) from the report's checkpoint to the final one, where they differ.
pub const REPORT_CONSISTENCY: &str = "data/proofs/report.consistency";
/// The folder of older checkpoints that witnesses outside cosigned.
pub const WITNESSED: &str = "data/proofs/witnessed/";
/// The folder of proofs that the final checkpoint continues each log that was closed when a copy was put back.
pub const RESTORED: &str = "data/proofs/restored/";
/// The folder of checkpoints that a time-stamping authority stamped.
pub const TIME_STAMPS: &str = "data/proofs/timestamps/";
/// Certificates with which the responses of the authority are verified, PEM.
pub const TIME_STAMP_CHAIN: &str = "data/proofs/timestamps/chain.pem";
/// Where notes of authors stand in the collector log, one a line, beside those that end ranges.
pub const PLACED: &str = "data/proofs/placed.jsonl";
/// Between which time-stamps the rows came into the log.
pub const BRACKETS: &str = "data/proofs/brackets.csv";
/// The folder of need-to-know tables that were in force.
pub const POLICIES: &str = "data/policies/";
/// Who collected, viewed, exported, handed over.
pub const CUSTODY: &str = "data/custody/custody.jsonl";
/// What was up, silent or lost, by author and hour.
pub const COVERAGE: &str = "data/coverage.csv";
/// Versions of the programs.
pub const VERSIONS: &str = "data/system/versions.json";
/// Binary hashes, configuration and its changes, administrators over time, self-tests, loss counters.
pub const SYSTEM: &str = "data/system/system.json";
/// What the programs are made of: CycloneDX 1.6.
pub const SBOM: &str = "data/system/sbom.cdx.json";
/// Who acknowledged which notice when, out of the rosters that are shown.
pub const ACKNOWLEDGEMENTS: &str = "data/acknowledgements/acknowledgements.jsonl";
/// Declaration to be filled in by a qualified person, for a browser.
pub const CERTIFICATION_HTML: &str = "data/certification/certification.html";
/// The same as plain text.
pub const CERTIFICATION_TXT: &str = "data/certification/certification.txt";
/// The folder of weekly reviews.
pub const REVIEWS: &str = "data/reviews/";
/// What was decided about findings, with reasons.
pub const DECISIONS: &str = "data/reviews/decisions.jsonl";
/// The folder of weekly checkpoints with their consistency proofs.
pub const WEEKLY: &str = "data/proofs/weekly/";
/// The folder of rows.
pub const ENTRIES: &str = "data/entries/";

/// Path of an author's rows.
pub fn entries_path(author: &Author) -> String {
    format!("{ENTRIES}{}.jsonl", author.file_stem())
}

/// How the path of a note ends.
pub const NOTE_SUFFIX: &str = ".note";

/// How the paths of an author's notes begin.
pub fn notes_prefix(author: &Author) -> String {
    format!("data/proofs/{}-", author.file_stem())
}

/// Path of an author's checkpoint note of a size.
pub fn note_path(author: &Author, size: u64) -> String {
    format!("{}{size}{NOTE_SUFFIX}", notes_prefix(author))
}

/// Path of the tlog-proof that this note stands in the collector log.
pub fn proof_path(author: &Author, size: u64) -> String {
    format!("data/proofs/{}-{size}.tlog-proof", author.file_stem())
}

/// Path of an older checkpoint, of this size, that was witnessed outside.
pub fn witnessed_path(size: u64) -> String {
    format!("{WITNESSED}{size}.txt")
}

/// Path of the consistency proof (base64 lines) from that size to the final checkpoint.
pub fn witnessed_consistency_path(size: u64) -> String {
    format!("{WITNESSED}{size}.consistency")
}

/// Path of the consistency proof (base64 lines) from the size at which a log was closed to the final checkpoint.
pub fn restored_path(size: u64) -> String {
    format!("{RESTORED}{size}.consistency")
}

/// Path of a checkpoint of this size that was time-stamped (`.txt`), of the request (`.tsq`), the response (`.tsr`) and
/// of the consistency proof to the final checkpoint (`.consistency`).
pub fn time_stamp_path(size: u64, suffix: &str) -> String {
    format!("{TIME_STAMPS}{size}{suffix}")
}

/// Whether a path can be written below any folder on any desktop without meaning another place.
///
/// Only ASCII letters, digits, `.`, `_`, `-` between single slashes; no part begins with a dot or ends in one.
pub fn is_safe_path(path: &str) -> bool {
    let part_is_safe = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && part.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'))
    };
    path.len() <= 240 && path.split('/').all(part_is_safe)
}
