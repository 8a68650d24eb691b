//! What was proposed, what a person decided, and what is watched beyond the configuration: one small file.
//!
//! It only ever adds watches. If it is lost, the collector's decisions come down again with the next greeting, and what
//! was found is found again under the same ids.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntk_evidence::event::{Event, InventoryReason};
use ntk_evidence::time::Moment;
use serde::{Deserialize, Serialize};

use super::Proposal;
use crate::uplink::wire::WatchDecision;
use crate::watch_list::Watch;
use crate::whole_file::{Files, Readable};

/// New files that are watched unasked: each costs the kernel rules of its own. More are proposed.
const UNASKED_MAX: usize = 64;
/// Proposals that are remembered.
const PROPOSALS_MAX: usize = 1000;
/// Decisions that are remembered.
const DECISIONS_MAX: usize = 10_000;
/// The file's largest size that is read.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What a person at the collector decided about a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Watch it.
    Confirmed,
    /// Ask no more.
    Declined,
}

/// The book could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("could not write `{path}`; check permissions and free space; what is watched now stays watched")]
pub struct BookError {
    path: PathBuf,
    source: std::io::Error,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Pages {
    /// Everything that was found, by id.
    #[serde(default)]
    proposals: BTreeMap<String, Proposal>,
    /// What was decided, by id.
    #[serde(default)]
    decisions: BTreeMap<String, Decision>,
    /// Ids of what is watched unasked.
    #[serde(default)]
    unasked: BTreeSet<String>,
    /// The question for what accounts hold here that was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answered: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    files: Arc<dyn Files>,
    pages: Pages,
    /// What was proposed by an event since the start.
    told: BTreeSet<String>,
    /// Whether the file lacks what is in memory.
    is_behind: bool,
    trouble: Option<BookError>,
}

/// The book below the agent's folder.
pub fn path_in(dir: &Path) -> PathBuf {
    dir.join("watches.json")
}

impl Book {
    /// Opens the book. One that cannot be read is begun anew: decisions come again, and finding does, too.
    pub fn open(dir: &Path, files: Arc<dyn Files>) -> Self {
        let path = path_in(dir);
        let is_small =
            std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() <= FILE_BYTES_MAX);
        let text = is_small.then(|| std::fs::read(&path).ok()).flatten();
        let pages = text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { path, files, pages, told: BTreeSet::new(), is_behind: false, trouble: None }
    }

    /// What is watched beyond the configuration.
    pub fn watches(&self) -> Vec<Watch> {
        let confirmed = self.pages.decisions.iter().filter(|(_, decision)| **decision == Decision::Confirmed);
        let ids = confirmed.map(|(id, _)| id).chain(&self.pages.unasked);
        let mut watches: Vec<Watch> =
            ids.filter_map(|id| self.pages.proposals.get(id)).filter_map(watch).collect();
        watches.sort_by(|a, b| a.path.cmp(&b.path));
        watches.dedup_by(|a, b| a.path == b.path);
        watches
    }

    /// Takes in what a look found: events about what is new since the start and undecided, or decided and found again.
    pub fn found(&mut self, found: Vec<Proposal>, now: Moment) -> Vec<Event> {
        let mut events = Vec::new();
        let before = self.pages.clone();
        for proposal in found {
            let is_new = !self.told.contains(&proposal.id);
            if !is_new || self.pages.proposals.len() >= PROPOSALS_MAX {
                continue;
            }
            match self.pages.decisions.get(&proposal.id) {
                None => events.push(proposal.event(InventoryReason::WatchProposed, now)),
                // Confirmed before this machine knew the place: after a new set-up, or a lost book.
                Some(Decision::Confirmed) if !self.pages.proposals.contains_key(&proposal.id) => {
                    events.push(proposal.event(InventoryReason::WatchBegun, now));
                }
                Some(Decision::Confirmed | Decision::Declined) => {}
            }
            self.told.insert(proposal.id.clone());
            self.pages.proposals.insert(proposal.id.clone(), proposal);
        }
        self.keep(&before);
        events
    }

    /// A new file was recognised: it is watched at once, or proposed where too many are. The event says which.
    pub fn arrived(&mut self, proposal: Proposal, now: Moment) -> Option<Event> {
        if self.pages.unasked.contains(&proposal.id) || self.pages.decisions.contains_key(&proposal.id) {
            return None;
        }
        if self.pages.unasked.len() >= UNASKED_MAX {
            let pages = &mut self.pages;
            pages
                .unasked
                .retain(|id| pages.proposals.get(id).is_some_and(|known| Path::new(&known.path).exists()));
        }
        if self.pages.unasked.len() >= UNASKED_MAX {
            return self.found(vec![proposal], now).pop();
        }
        let before = self.pages.clone();
        let event = proposal.event(InventoryReason::WatchBegun, now);
        self.told.insert(proposal.id.clone());
        self.pages.unasked.insert(proposal.id.clone());
        self.pages.proposals.insert(proposal.id.clone(), proposal);
        self.keep(&before);
        Some(event)
    }

    /// Takes in the collector's decisions: events about those that are news here. A confirmed one is never taken back.
    pub fn decided(&mut self, decisions: &[WatchDecision], now: Moment) -> Vec<Event> {
        let mut events = Vec::new();
        let before = self.pages.clone();
        for WatchDecision { id, is_confirmed } in decisions {
            let decision = if *is_confirmed { Decision::Confirmed } else { Decision::Declined };
            let known = self.pages.decisions.get(id).copied();
            let is_final = known == Some(Decision::Confirmed) || known == Some(decision);
            if is_final || self.pages.decisions.len() >= DECISIONS_MAX {
                continue;
            }
            self.pages.decisions.insert(id.clone(), decision);
            if let Some(proposal) = self.pages.proposals.get(id) {
                let reason = match decision {
                    Decision::Confirmed => InventoryReason::WatchBegun,
                    Decision::Declined => InventoryReason::WatchDeclined,
                };
                events.push(proposal.event(reason, now));
            }
        }
        self.keep(&before);
        events
    }

    /// Every proposal that waits for a decision, by path.
    pub fn open_proposals(&self) -> Vec<&Proposal> {
        let is_open = |proposal: &&Proposal| {
            !self.pages.decisions.contains_key(&proposal.id) && !self.pages.unasked.contains(&proposal.id)
        };
        let mut open: Vec<&Proposal> = self.pages.proposals.values().filter(is_open).collect();
        open.sort_by(|a, b| a.path.cmp(&b.path));
        open
    }

    /// What was decided about a proposal.
    pub fn decision(&self, id: &str) -> Option<Decision> {
        self.pages.decisions.get(id).copied()
    }

    /// Whether this question for what accounts hold here was answered.
    pub fn has_answered(&self, id: &str) -> bool {
        self.pages.answered.as_deref() == Some(id)
    }

    /// It was answered: a new start does not answer it again.
    pub fn answered(&mut self, id: &str) {
        let before = self.pages.clone();
        self.pages.answered = Some(id.to_owned());
        self.keep(&before);
    }

    /// Why the book could not be written, since this was asked last.
    pub fn take_trouble(&mut self) -> Option<BookError> {
        self.trouble.take()
    }

    fn keep(&mut self, before: &Pages) {
        if *before == self.pages && !self.is_behind {
            return;
        }
        let text = serde_json::to_vec_pretty(&self.pages).map_err(std::io::Error::other);
        let kept = text.and_then(|text| self.files.replace(&self.path, &text, Readable::ByOwner));
        // In memory it holds all the same: recording comes first, and the next step writes everything.
        self.is_behind = kept.is_err();
        self.trouble = kept.err().map(|source| BookError { path: self.path.clone(), source });
    }
}

fn watch(proposal: &Proposal) -> Option<Watch> {
    Watch::new(&proposal.path, proposal.class.clone(), proposal.owner.clone()).ok()
}
