//! Where rows stand in the collector log as far as notes prove it, and so between which two times they came.
//!
//! A note of size n at leaf i of the collector log says of every entry below n that its batch stands at i or before,
//! and of every other that it stands behind i: an author's sizes only grow with the leaves, which receipts and the
//! self-check hold a collector to. Rows lead to each of these notes' roots. That no note between two shown ones was left
//! out is the exporter's word alone, so the lower bound of a batch is that of the note before it, never its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bracket::{Bracket, Stamped, bracket};
use crate::hash::Hash;
use crate::name::Author;
use crate::time::Moment;

/// The header line of `proofs/brackets.csv`.
pub const HEADER: &str = "author,first,last,received_not_before,received_not_after";

/// A note of an author that stands in the collector log, as a line of `proofs/placed.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedNote {
    /// Whose note.
    pub author: String,
    /// Epoch of the key that signed it.
    pub epoch: u32,
    /// Size of the author's log in it.
    pub size: u64,
    /// The note, verbatim.
    pub note: String,
    /// Its index in the collector log.
    pub index: u64,
    /// From that leaf upwards to the final checkpoint's root.
    pub inclusion: Vec<Hash>,
}

/// The notes of all authors by size: at which leaf of the collector log each stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placements(BTreeMap<Author, BTreeMap<u64, u64>>);

impl Placements {
    /// A note of this size stands at this leaf.
    pub fn insert(&mut self, author: &Author, size: u64, leaf: u64) {
        self.0.entry(author.clone()).or_default().insert(size, leaf);
    }

    /// The last leaf at which the batch of an entry may stand; none where no note covers it.
    pub fn at_most(&self, author: &Author, number: u64) -> Option<u64> {
        let mut later = self.0.get(author)?.range(number.saturating_add(1)..);
        later.next().map(|(_, leaf)| *leaf)
    }

    /// The first leaf at which the batch of an entry may stand.
    pub fn at_least(&self, author: &Author, number: u64) -> u64 {
        let before = self.0.get(author).and_then(|notes| notes.range(..=number).next_back());
        before.map_or(0, |(_, leaf)| leaf.saturating_add(1))
    }

    /// Between which times an entry came into the log, as far as these stamps and notes prove it.
    pub fn bracket(&self, stamps: &[Stamped], author: &Author, number: u64) -> Bracket {
        Bracket {
            not_before: bracket(stamps, self.at_least(author, number)).not_before,
            not_after: self.at_most(author, number).and_then(|leaf| bracket(stamps, leaf).not_after),
        }
    }

    /// Sizes of an author's notes inside `[first, size)`, where a bracket may change.
    fn edges(&self, author: &Author, first: u64, size: u64) -> Vec<u64> {
        // Not `range(first..size)`, which panics on the bounds of a forged range that ends before it begins.
        let later = self.0.get(author).into_iter().flat_map(|notes| notes.range(first..));
        let inside = later.map(|(edge, _)| *edge).take_while(|edge| *edge < size);
        let mut edges: Vec<u64> = std::iter::once(first).chain(inside).collect();
        edges.dedup();
        edges
    }
}

/// `proofs/brackets.csv`: a line for each run of entries between two notes, with the bracket that they share; a bound
/// that nothing proves is empty.
///
/// `ranges` are author, first number and the number after the last, in the order of `proofs/ranges.json`.
pub fn brackets_csv(ranges: &[(Author, u64, u64)], placements: &Placements, stamps: &[Stamped]) -> String {
    let mut text = format!("{HEADER}\n");
    let told = |moment: Option<Moment>| moment.map(|moment| moment.to_rfc3339(0)).unwrap_or_default();
    for (author, first, size) in ranges {
        let edges = placements.edges(author, *first, *size);
        let ends: Vec<u64> = edges.iter().skip(1).copied().chain([*size]).collect();
        for (from, end) in edges.iter().zip(ends) {
            let bracket = placements.bracket(stamps, author, *from);
            text.push_str(&format!(
                "{author},{from},{},{},{}\n",
                end.saturating_sub(1),
                told(bracket.not_before),
                told(bracket.not_after)
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_between_the_notes_that_prove_it_and_no_narrower() {
        let at = |second: i64| Moment::from_unix_seconds(1_795_209_000 + second).unwrap();
        let author = Author::agent("ws-01").unwrap();
        let mut placements = Placements::default();
        // Leaves 2, 5 and 9 hold the notes of 4, 7 and 12 entries.
        for (size, leaf) in [(4, 2), (7, 5), (12, 9)] {
            placements.insert(&author, size, leaf);
        }
        assert_eq!((placements.at_least(&author, 0), placements.at_most(&author, 0)), (0, Some(2)));
        assert_eq!((placements.at_least(&author, 4), placements.at_most(&author, 6)), (3, Some(5)));
        assert_eq!((placements.at_least(&author, 11), placements.at_most(&author, 12)), (6, None));
        let stamps = [
            Stamped { size: 4, time: at(0), recorded: Some(4) },
            Stamped { size: 11, time: at(60), recorded: None },
        ];
        let csv = brackets_csv(&[(author.clone(), 1, 12)], &placements, &stamps);
        // Entries 4..6 may stand at leaf 3, before the response of the first stamp: no lower bound.
        expect_test::expect![[r#"
            author,first,last,received_not_before,received_not_after
            agent/ws-01,1,3,,2026-11-20T21:10:00Z
            agent/ws-01,4,6,,2026-11-20T21:11:00Z
            agent/ws-01,7,11,2026-11-20T21:10:00Z,2026-11-20T21:11:00Z
        "#]]
        .assert_eq(&csv);
        let backwards = brackets_csv(&[(author.clone(), 12, 1)], &placements, &stamps);
        assert_eq!(
            backwards.lines().count(),
            2,
            "a range that ends before it begins is one line: {backwards}"
        );
        let nothing = brackets_csv(&[(author, 1, 12)], &Placements::default(), &stamps);
        assert!(nothing.ends_with("agent/ws-01,1,11,,\n"), "{nothing}");
    }
}
