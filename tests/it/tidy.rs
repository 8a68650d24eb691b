//! The walls of the house, held by a test: arrows between crates, forbidden words per room, what every file
//! owes its reader (AR-1, ND-1).
//!
//! Each rule is a plain function from data to a list of sentences; a test feeds it the workspace and expects
//! none, and beside it a twin feeds it something broken and expects the sentence.

mod arrows;
mod invariants;
mod licences;
mod text;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

/// One text file of the project: its path from the top, with `/`, and what is in it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whole file is test code: in a `tests` folder or a module named `tests`.
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    fn is_generated(&self) -> bool {
        self.path.contains("/gen/")
    }

    /// Code outside `#[cfg(test)]`, and the code inside: by our habit tests stand last in a file.
    fn split_tests(&self) -> (&str, &str) {
        if self.is_test() {
            return ("", &self.text);
        }
        match self.text.find("#[cfg(test)]\nmod ") {
            Some(at) => self.text.split_at(at),
            None => (&self.text, ""),
        }
    }
}

/// Top of the workspace.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every text file that belongs to the project, in order of path.
pub(crate) fn sources() -> Vec<Source> {
    let top = top();
    let mut found = Vec::new();
    walk(&top, &top, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.iter().filter(|source| source.is_rust()).count() > 20, "the walk found the project");
    found
}

fn walk(top: &Path, dir: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            if !["target", "var", ".git"].contains(&name.as_str()) {
                walk(top, &path, found);
            }
        } else if entry.file_type().unwrap().is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            let path = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            found.push(Source { path, text });
        }
    }
}

/// No sentence may be left.
#[track_caller]
pub(crate) fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} broken:\n  {}\n", complaints.len(), complaints.join("\n  "));
}

/// The rule must complain, and say this.
#[track_caller]
pub(crate) fn some(complaints: &[String], says: &str) {
    assert!(complaints.iter().any(|line| line.contains(says)), "expected `{says}` in {complaints:?}");
}
