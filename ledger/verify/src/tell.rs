//! The outcome for people, one line a check, or as JSON.

use ntk_evidence::checks::{Status, Verification};
use serde_json::json;

/// Which marks stand before the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// ✓ ✗ ?
    Symbols,
    /// Words, for files and old terminals.
    Ascii,
}

impl Marks {
    const fn of(self, status: Status) -> &'static str {
        match (self, status) {
            (Self::Symbols, Status::Passed) => "✓",
            (Self::Symbols, Status::Altered | Status::Incomplete) => "✗",
            (Self::Symbols, Status::NotVerifiable) => "?",
            (Self::Ascii, Status::Passed) => "ok  ",
            (Self::Ascii, Status::Altered | Status::Incomplete) => "FAIL",
            (Self::Ascii, Status::NotVerifiable) => "??  ",
        }
    }
}

/// One line a check, and the verdict as the last line.
pub fn text(verification: &Verification, marks: Marks) -> String {
    let mut out = String::new();
    for check in &verification.checks {
        out.push_str(&format!("{} {:<16} {}\n", marks.of(check.status), check.name, check.sentence));
    }
    if let (Some(checkpoint), Some(words)) = (&verification.checkpoint, verification.checkpoint_words()) {
        out.push_str(&format!("\nThe log of {} batches in words: {words}\n", checkpoint.size));
    }
    out.push_str(&format!("\n{}\n", verification.verdict()));
    out
}

/// What was read, and how long reading and checking took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// How many files.
    pub files: usize,
    /// How many bytes they hold together, unpacked.
    pub bytes: u64,
    /// Seconds from the beginning of reading to the last check.
    pub seconds: f64,
}

/// The same for machines: `verified`, `exit_code`, `verdict`, `checks`, what was signed, and what was read.
pub fn json(verification: &Verification, measured: Measured) -> String {
    let checkpoint = verification.checkpoint.as_ref().map(|checkpoint| {
        json!({
            "origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root,
            "words": verification.checkpoint_words(),
        })
    });
    let value = json!({
        "verified": verification.exit_code() == 0,
        "exit_code": verification.exit_code(),
        "status": verification.status(),
        "verdict": verification.verdict(),
        "practice_words": verification.practice_words,
        "checkpoint": checkpoint,
        "checks": verification.checks,
        "files": measured.files,
        "bytes": measured.bytes,
        "seconds": measured.seconds,
    });
    format!("{value:#}\n")
}
