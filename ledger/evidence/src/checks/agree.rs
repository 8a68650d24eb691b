//! Whether two bundles of one log agree: the same notes, the same leaf for every number that both have, and the
//! same text wherever both show a part; and what one of them shows that the other withholds.
//!
//! It says nothing of either bundle alone: each is to be verified by itself. Nothing agrees because something is
//! absent: two bundles that have no row and no note in common have nothing to agree about, and are told so.
//!
//! Where the trust file of one announces that a copy was put back after the other was made, what the other has beyond the
//! size at which its log was closed is void: it contradicts nothing. Only places in the log and the collector's acts can
//! be void so; what a machine signed is the same before and after.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bundle::bag::Files;
use crate::bundle::row::Row;
use crate::bundle::{CHECKPOINT, NOTE_SUFFIX, TRUST, notes_prefix, proof_path};
use crate::checkpoint::Checkpoint;
use crate::checks::quoted;
use crate::checks::rows::Rows;
use crate::entry::Part;
use crate::name::Author;
use crate::note::SignedNote;
use crate::tlog_proof::TlogProof;
use crate::trust::TrustFile;

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
    found.void = Void::between(a, b);
    let is_one_log = found.logs(a, b);
    if is_one_log {
        found.notes(a, b);
        found.rows(&rows_a, &rows_b);
    }
    found.into_agreement()
}

/// What an announced restore made void in the bundle that is older than it.
struct Void {
    /// Name of that bundle.
    older: &'static str,
    /// Leaves from this one on are of a log that was closed.
    leaf: u64,
    /// The collector's acts from this number on are of it, too, as far as the newer bundle shows.
    act: u64,
    said: Vec<String>,
}

impl Void {
    fn between(a: &Files, b: &Files) -> Option<Self> {
        let read = |files: &Files| TrustFile::parse(files.get(TRUST)?).ok();
        let (trust_a, trust_b) = (read(a)?, read(b)?);
        let new = |newer: &TrustFile, older: &TrustFile| {
            newer.since(older).filter(|new| !new.is_empty()).map(<[_]>::to_vec)
        };
        let (older, newer, new) = match (new(&trust_b, &trust_a), new(&trust_a, &trust_b)) {
            (Some(new), _) => ("A", b, new),
            (None, Some(new)) => ("B", a, new),
            (None, None) => return None,
        };
        let leaf = new.iter().map(|closed| closed.size).min()?;
        let prefix = notes_prefix(&Author::Collector);
        let sizes = newer.range(prefix.clone()..).map_while(|(path, _)| path.strip_prefix(&prefix));
        let sizes = sizes.filter_map(|name| name.strip_suffix(NOTE_SUFFIX)?.parse::<u64>().ok());
        let before =
            |size: &u64| index(newer, &proof_path(&Author::Collector, *size)).is_some_and(|at| at < leaf);
        // Where no note says how many acts there were before, none is void.
        let act = sizes.filter(before).max().unwrap_or(u64::MAX);
        let said = new.iter().map(|closed| format!("{older} was made before this: {}", closed.sentence()));
        Some(Self { older, leaf, act, said: said.collect() })
    }
}

/// Where a proof says that its note stands in the log.
fn index(files: &Files, proof: &str) -> Option<u64> {
    let text = std::str::from_utf8(files.get(proof)?).ok()?;
    TlogProof::parse(text).ok().map(|proof| proof.index)
}

#[derive(Default)]
struct Found {
    void: Option<Void>,
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
        let older = |void: &Void| if void.older == "A" { a.size } else { b.size };
        let is_void = self.void.as_ref().is_some_and(|void| older(void) > void.leaf);
        self.other.extend(self.void.iter().flat_map(|void| void.said.clone()));
        if a.size == b.size && a.root != b.root && !is_void {
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
            let proof = format!("{}.tlog-proof", path.trim_end_matches(".note"));
            let (at, other_at) = (index(a, &proof), index(b, &proof));
            let of_older = |void: &Void| if void.older == "A" { at } else { other_at };
            let is_void =
                self.void.as_ref().is_some_and(|void| of_older(void).is_some_and(|at| at >= void.leaf));
            if is_void && path.starts_with(&notes_prefix(&Author::Collector)) {
                continue;
            }
            self.notes = self.notes.saturating_add(1);
            if one != other {
                self.contradict(format!("{} is one note in A and another in B", quoted(path)));
            }
            if let (Some(one), Some(other)) = (at, other_at)
                && one != other
                && !is_void
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
        let is_void =
            self.void.as_ref().is_some_and(|void| number >= void.act) && *author == Author::Collector;
        if is_void && a.leaf_hash() != b.leaf_hash() {
            return self
                .differ("A and B have other acts of the collector behind the restore".to_owned(), number);
        }
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
