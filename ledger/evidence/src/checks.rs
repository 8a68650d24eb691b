//! The checks that a bundle must pass, each with a name, a status and one sentence.
//!
//! Nothing passes because something is absent: a missing file, an unknown key or an unsigned manifest fails a
//! check by name. Every check is total: any bytes give a verdict, never a panic (EV-2). Only a trust file that
//! came by another way than the bundle makes "verified" possible.

pub mod agree;
mod anchor;
mod bag;
mod epochs;
mod keys;
mod log;
mod provable;
mod ranges;
mod receipt;
mod report;
mod rows;
mod time_stamps;
mod weekly;
mod witnesses;

use serde::Serialize;

use crate::bundle::bag::Files;
use crate::checkpoint::Checkpoint;
use crate::words;

pub use bag::{Profile, bag_checks};
pub use provable::provable_up_to;
pub use receipt::receipt;

/// Names of the checks, in the order in which they are told.
pub const NAMES: [&str; 18] = [
    "bag-structure",
    "bag-manifests",
    "bag-tagmanifest",
    "bag-oxum",
    "trust-file",
    "practice-key",
    "bundle-signature",
    "checkpoint",
    "witnesses",
    "time-stamps",
    "author-keys",
    "batch-notes",
    "inclusion",
    "entries",
    "counts",
    "timeline",
    "events-readable",
    "report-tied",
];

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It holds.
    Passed,
    /// Something contradicts a hash or signature.
    Altered,
    /// Something that belongs here is missing.
    Incomplete,
    /// Nothing contradicts, but nothing vouches either.
    NotVerifiable,
}

impl Status {
    /// Altered outranks not verifiable, which outranks incomplete.
    const fn rank(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Incomplete => 1,
            Self::NotVerifiable => 2,
            Self::Altered => 3,
        }
    }

    /// The exit code of `ntk-verify` for this status.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Altered => 1,
            Self::Incomplete => 2,
            Self::NotVerifiable => 3,
        }
    }
}

/// One check as it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name, one of [`NAMES`].
    pub name: &'static str,
    /// How it ended.
    pub status: Status,
    /// What was found, for people.
    pub sentence: String,
}

/// All checks of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// One per name in [`NAMES`], in that order.
    pub checks: Vec<Check>,
    /// The final checkpoint, where its signature verified.
    pub checkpoint: Option<Checkpoint>,
    /// The twelve words of the practice key that was used.
    pub practice_words: Option<String>,
}

impl Verification {
    /// The worst status: altered before not verifiable before incomplete.
    pub fn status(&self) -> Status {
        let worst = self.checks.iter().map(|check| check.status).max_by_key(|status| status.rank());
        // No check at all is no verdict.
        worst.unwrap_or(Status::NotVerifiable)
    }

    /// 0 verified, 1 altered, 2 incomplete, 3 not verifiable.
    pub fn exit_code(&self) -> u8 {
        self.status().exit_code()
    }

    /// The last sentence: what all checks together say.
    pub fn verdict(&self) -> String {
        let status = self.status();
        let names = |status| {
            let of = |check: &&Check| check.status == status;
            self.checks.iter().filter(of).map(|check| check.name).collect::<Vec<_>>().join(", ")
        };
        match status {
            Status::Passed => format!(
                "verified: all {} checks passed under the practice key {}",
                self.checks.len(),
                self.practice_words.as_deref().unwrap_or("that was given"),
            ),
            Status::Altered => format!("altered: see {}", names(status)),
            Status::Incomplete => format!("incomplete: see {}", names(status)),
            Status::NotVerifiable => format!("not verifiable: see {}", names(status)),
        }
    }

    /// The twelve words of the final checkpoint, where its signature verified.
    pub fn checkpoint_words(&self) -> Option<String> {
        self.checkpoint.as_ref().map(|checkpoint| words::of_checkpoint(&checkpoint.text()))
    }
}

/// Checks a bundle. `trust` is a trust file that did not come with it.
pub fn check(files: &Files, trust: Option<&[u8]>) -> Verification {
    // Sums of all files and the reading of rows take the time of a large bundle: beside each other.
    let (mut checks, rows) = std::thread::scope(|scope| {
        let bag = scope.spawn(|| bag_checks(files, Profile::Bundle));
        let rows = rows::Rows::read(files);
        // A thread that could not run to its end is no verdict: what it did is done again here.
        (bag.join().unwrap_or_else(|_| bag_checks(files, Profile::Bundle)), rows)
    });
    let info = bag::Info::of(files);
    let anchor = anchor::Anchor::find(files, trust, &mut checks);
    checks.push(anchor.bundle_signature(files));
    let (checkpoint, check) = anchor.checkpoint(files, info.as_ref());
    checks.push(check);
    let (listed, mut range_faults) = ranges::Listed::read(files, &rows);
    checks.push(witnesses::witnesses(&anchor, files, checkpoint.as_ref(), &listed, &rows));
    let before_keys = checks.len();
    let (timeline, readable, stamps) = std::thread::scope(|scope| {
        let timeline = scope.spawn(|| rows.timeline(files));
        let keys =
            keys::judge(files, &listed, &anchor, &rows, checkpoint.as_ref(), &mut range_faults, &mut checks);
        for range in listed.of_others() {
            let _ = range.verify(&keys, files, checkpoint.as_ref(), &rows, &mut range_faults);
        }
        let last = checkpoint.as_ref();
        let stamps = time_stamps::time_stamps(&anchor, files, info.as_ref(), last, &keys, &listed, &rows);
        let readable = rows.readable();
        (timeline.join().unwrap_or_else(|_| rows.timeline(files)), readable, stamps)
    });
    // Told before the keys, which it needs.
    checks.insert(before_keys, stamps);
    range_faults.into_checks(&listed, &mut checks);
    checks.push(rows.counts(info.as_ref()));
    checks.push(timeline);
    checks.push(readable);
    checks.push(report::tied(files, checkpoint.as_ref().map(|seen| &seen.checkpoint)));
    let practice_words = anchor.trust().map(crate::trust::TrustFile::practice_words);
    Verification { checks, checkpoint: checkpoint.map(|seen| seen.checkpoint), practice_words }
}

/// The faults of one check in the making: the worst status, and as many sentences as people read.
#[derive(Debug, Default)]
struct Faults {
    found: Vec<(Status, String)>,
    more: usize,
    worst: Option<Status>,
}

/// How many faults of one check are told.
const FAULTS_TOLD_MAX: usize = 5;

impl Faults {
    fn add(&mut self, status: Status, sentence: impl Into<String>) {
        if self.worst.is_none_or(|worst| worst.rank() < status.rank()) {
            self.worst = Some(status);
        }
        if self.found.len() < FAULTS_TOLD_MAX {
            self.found.push((status, sentence.into()));
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn into_check(self, name: &'static str, passed: impl FnOnce() -> String) -> Check {
        let Some(status) = self.worst else {
            return Check { name, status: Status::Passed, sentence: passed() };
        };
        let mut sentence =
            self.found.into_iter().map(|(_, sentence)| sentence).collect::<Vec<_>>().join("; ");
        if self.more > 0 {
            sentence.push_str(&format!("; and {} more", self.more));
        }
        // Errors may quote a stranger's text: nothing of it steers a terminal.
        let sentence = sentence.chars().map(|c| if c.is_control() || is_bidi(c) { '?' } else { c }).collect();
        Check { name, status, sentence }
    }
}

const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A stranger's text, cut and without control characters, for a sentence.
fn quoted(text: &str) -> String {
    let shown: String =
        text.chars().map(|c| if c.is_control() || is_bidi(c) { '?' } else { c }).take(80).collect();
    let cut = if text.chars().count() > 80 { ".." } else { "" };
    format!("`{shown}{cut}`")
}
