//! Whether two bundles of one log agree: the same notes, the same leaf for every number that both have, and the
//! same text wherever both show a part; and what one of them shows that the other withholds.
//!
//! It says nothing of either bundle alone: each is to be verified by itself. Nothing agrees because something is
//! absent: two bundles that have no row and no note in common have nothing to agree about, and are told so.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bundle::CHECKPOINT;
use crate::bundle::bag::Files;
use crate::bundle::row::Row;
use crate::checkpoint::Checkpoint;
use crate::checks::quoted;
use crate::checks::rows::Rows;
use crate::entry::Part;
use crate::name::Author;
use crate::note::SignedNote;
use crate::tlog_proof::TlogProof;

/// How many contradictions, and how many numbers of one kind of difference, are told one by one.
const TOLD_MAX: usize = 20;

/// What comparing two bundles gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// The answer.
    pub outcome: Outcome,
    /// Rows that both have.
    pub rows_in_common: u64,
    /// Notes of authors that both have.
    pub notes_in_common: u64,
    /// Parts whose text both show.
    pub parts_in_common: u64,
    /// What one says and the other denies, a sentence each.
    pub contradictions: Vec<String>,
    /// What one shows and the other withholds or does not reach, a sentence each.
    pub differences: Vec<String>,
}

/// The answer of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything that both have is the same.
    Agree,
    /// Something that both have is not the same, or one of them cannot be read.
    Contradict,
    /// They have neither a row nor a note in common.
    NothingInCommon,
}

impl Outcome {
    /// 0 agree, 1 contradict, 3 nothing in common.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Agree => 0,
            Self::Contradict => 1,
            Self::NothingInCommon => 3,
        }
    }
}

/// Compares two bundles, called `A` and `B` in the sentences.
pub fn agree(a: &Files, b: &Files) -> Agreement {
    let mut found = Found::default();
    let (rows_a, rows_b) = (Rows::read(a), Rows::read(b));
    for (name, rows) in [("A", &rows_a), ("B", &rows_b)] {
        for wrong in rows.unreadable() {
            found.contradict(format!("{name} cannot be read: {wrong}"));
        }
    }
    let is_one_log = found.logs(a, b);
    if is_one_log {
        found.notes(a, b);
        found.rows(&rows_a, &rows_b);
    }
    found.into_agreement()
}

#[derive(Default)]
struct Found {
    rows: u64,
    notes: u64,
    parts: u64,
    contradictions: Vec<String>,
    more: u64,
    differences: BTreeMap<String, (u64, Vec<u64>)>,
    other: Vec<String>,
}

impl Found {
    fn contradict(&mut self, sentence: String) {
        if self.contradictions.len() < TOLD_MAX {
            self.contradictions.push(sentence);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    fn differ(&mut self, what: String, number: u64) {
        let (count, numbers) = self.differences.entry(what).or_default();
        *count = count.saturating_add(1);
        if numbers.len() < TOLD_MAX {
            numbers.push(number);
        }
    }

    /// Whether both final checkpoints are of one log; two roots of one size are a contradiction.
    fn logs(&mut self, a: &Files, b: &Files) -> bool {
        let read = |files: &Files| {
            let note = SignedNote::parse(files.get(CHECKPOINT)?).ok()?;
            Checkpoint::parse(note.text()).ok()
        };
        let (a, b) = match (read(a), read(b)) {
            (Some(a), Some(b)) => (a, b),
            (a, b) => {
                for (name, read) in [("A", a), ("B", b)] {
                    if read.is_none() {
                        self.contradict(format!("{name} has no final checkpoint that can be read"));
                    }
                }
                return false;
            }
        };
        if a.origin != b.origin {
            self.other.push(format!(
                "A is of the log {}, B of the log {}: two logs have nothing in common",
                quoted(&a.origin),
                quoted(&b.origin)
            ));
            return false;
        }
        if a.size == b.size && a.root != b.root {
            self.contradict(format!("the log of {} batches has one root in A and another in B", a.size));
        }
        if a.size != b.size {
            self.other.push(format!("A ends at {} batches of the log, B at {}", a.size, b.size));
        }
        true
    }

    /// Notes of one author and size are one note, at one place of the log.
    fn notes(&mut self, a: &Files, b: &Files) {
        let is_note = |path: &str| path.starts_with("data/proofs/") && path.ends_with(".note");
        for (path, one) in a.iter().filter(|(path, _)| is_note(path)) {
            let Some(other) = b.get(path) else { continue };
            self.notes = self.notes.saturating_add(1);
            if one != other {
                self.contradict(format!("{} is one note in A and another in B", quoted(path)));
            }
            let proof = format!("{}.tlog-proof", path.trim_end_matches(".note"));
            let index = |files: &Files| {
                let text = std::str::from_utf8(files.get(&proof)?).ok()?;
                TlogProof::parse(text).ok().map(|proof| proof.index)
            };
            if let (Some(one), Some(other)) = (index(a), index(b))
                && one != other
            {
                let path = quoted(path);
                self.contradict(format!("{path} stands at place {one} of the log in A and at {other} in B"));
            }
        }
    }

    fn rows(&mut self, a: &Rows, b: &Rows) {
        for author in a.authors() {
            let of_b = numbered(b.of(author));
            if of_b.is_empty() {
                self.other.push(format!("A has rows of {author}, B has none"));
            }
            for row in a.of(author) {
                match of_b.get(&row.number()) {
                    Some(other) => self.row(author, row, other),
                    None if of_b.is_empty() => {}
                    None => {
                        self.differ(format!("A has rows of {author} that B does not reach"), row.number())
                    }
                }
            }
        }
        for author in b.authors() {
            let of_a = numbered(a.of(author));
            if of_a.is_empty() {
                self.other.push(format!("B has rows of {author}, A has none"));
                continue;
            }
            for row in b.of(author).iter().filter(|row| !of_a.contains_key(&row.number())) {
                self.differ(format!("B has rows of {author} that A does not reach"), row.number());
            }
        }
    }

    fn row(&mut self, author: &Author, a: &Row, b: &Row) {
        let number = a.number();
        self.rows = self.rows.saturating_add(1);
        if a.leaf_hash() != b.leaf_hash() {
            self.contradict(format!("entry {number} of {author} is one entry in A and another in B"));
        }
        match (a.parts(), b.parts()) {
            (None, None) => {}
            (Some(_), None) => self.differ(format!("A shows entries of {author} that B withholds"), number),
            (None, Some(_)) => self.differ(format!("B shows entries of {author} that A withholds"), number),
            (Some(a), Some(b)) => {
                for ((part, a), b) in Part::ALL.iter().zip(a).zip(b) {
                    match (a.text(), b.text()) {
                        (Some(a), Some(b)) => {
                            self.parts = self.parts.saturating_add(1);
                            if a != b {
                                self.contradict(format!(
                                    "the {part} part of entry {number} of {author} has one text in A and another in B"
                                ));
                            }
                        }
                        (Some(_), None) => {
                            self.differ(
                                format!("A shows the {part} part of entries of {author} that B withholds"),
                                number,
                            );
                        }
                        (None, Some(_)) => {
                            self.differ(
                                format!("B shows the {part} part of entries of {author} that A withholds"),
                                number,
                            );
                        }
                        (None, None) => {}
                    }
                }
            }
        }
    }

    fn into_agreement(mut self) -> Agreement {
        if self.more > 0 {
            self.contradictions.push(format!("and {} more", self.more));
        }
        let told = self.differences.into_iter().map(|(what, (count, numbers))| {
            let listed = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            let more = count.saturating_sub(u64::try_from(numbers.len()).unwrap_or(u64::MAX));
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{what}: {count}, numbers {listed}{more}")
        });
        let outcome = match (self.contradictions.is_empty(), self.rows, self.notes) {
            (false, _, _) => Outcome::Contradict,
            (true, 0, 0) => Outcome::NothingInCommon,
            (true, _, _) => Outcome::Agree,
        };
        Agreement {
            outcome,
            rows_in_common: self.rows,
            notes_in_common: self.notes,
            parts_in_common: self.parts,
            contradictions: self.contradictions,
            differences: self.other.into_iter().chain(told).collect(),
        }
    }
}

fn numbered(rows: &[Row]) -> BTreeMap<u64, &Row> {
    rows.iter().map(|row| (row.number(), row)).collect()
}
