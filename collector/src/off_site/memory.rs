//! `off-site.json`: what this collector knows of its copy without asking the place. Working memory: where it is deleted,
//! everything is sent once more.

use serde::{Deserialize, Serialize};

use super::list::Newest;
use crate::home::{Home, HomeError, write_file};

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Of which place.
    pub target: String,
    /// The list that was written there last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Newest>,
    /// When a run last came to its end, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<String>,
    /// Since when every run has failed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
    /// What the last failure was, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl Memory {
    /// What is remembered of this place; nothing of another one, and nothing from a file that cannot be read.
    pub fn read(home: &Home, target: &str) -> Self {
        let text = std::fs::read(path(home)).unwrap_or_default();
        let memory = serde_json::from_slice::<Self>(&text).ok();
        memory
            .filter(|memory| memory.target == target)
            .unwrap_or_else(|| Self { target: target.to_owned(), ..Self::default() })
    }

    /// Writes it down.
    pub fn write(&self, home: &Home) -> Result<(), HomeError> {
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        write_file(&path(home), &bytes, 0o600)
    }
}

fn path(home: &Home) -> std::path::PathBuf {
    home.path("off-site.json")
}
