//! Acts about evidence that were read once: what was exported, handed on, preserved.
//!
//! Memory of this process. Acts are only ever added, so what was read stays right, and a page reads the new ones alone.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// An act of the collector.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its number.
    pub act: u64,
    /// When, RFC 3339.
    pub time: String,
    /// What kind.
    pub kind: String,
    /// Its body.
    pub body: Value,
}

#[derive(Debug, Default)]
struct State {
    /// The first leaf that was not read.
    next: u64,
    lines: Vec<Line>,
}

/// What was read so far.
#[derive(Debug, Default)]
pub struct Seen(Mutex<State>);

impl Seen {
    /// All lines of some kinds, oldest first, once `read` has added those of each of `leaves` that is new. Where it fails,
    /// the next call begins with that leaf again.
    pub fn after<L, E>(
        &self,
        leaves: impl IntoIterator<Item = L>,
        number: impl Fn(&L) -> u64,
        mut read: impl FnMut(&L) -> Result<Vec<Line>, E>,
        kinds: &[&str],
    ) -> Result<Vec<Line>, E> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for leaf in leaves {
            let at = number(&leaf);
            if at < state.next {
                continue;
            }
            let new = read(&leaf)?;
            state.lines.extend(new);
            state.next = at.saturating_add(1);
        }
        Ok(state.lines.iter().filter(|line| kinds.contains(&line.kind.as_str())).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(act: u64) -> Line {
        let kind = if act % 2 == 0 { "even" } else { "odd" };
        Line { act, time: String::new(), kind: kind.to_owned(), body: Value::Null }
    }

    #[test]
    fn each_leaf_is_read_once_and_one_that_failed_is_read_again() {
        let seen = Seen::default();
        let mut asked = Vec::new();
        let mut after = |leaves: &[u64], fails: Option<u64>, kinds: &[&str]| {
            let read = |leaf: &u64| {
                asked.push(*leaf);
                if fails == Some(*leaf) { Err(*leaf) } else { Ok(vec![line(*leaf)]) }
            };
            let found = seen.after(leaves.to_vec(), |leaf| *leaf, read, kinds);
            found.map(|lines| lines.iter().map(|line| line.act).collect::<Vec<_>>())
        };
        assert_eq!(after(&[1, 2, 5], None, &["odd"]), Ok(vec![1, 5]));
        assert_eq!(after(&[1, 2, 5, 6, 7], Some(7), &["even"]), Err(7));
        assert_eq!(after(&[1, 2, 5, 6, 7], None, &["even", "odd"]), Ok(vec![1, 2, 5, 6, 7]));
        assert_eq!(asked, [1, 2, 5, 6, 7, 7]);
    }
}
