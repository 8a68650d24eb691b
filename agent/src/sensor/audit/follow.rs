//! Names that lead out of a watch: a hard link or a rename to another folder, an overlay over a watched one.
//!
//! The folder's rule ends at the folder. So the new name gets a rule of its own, with the watch's key: the same owner
//! and class. The names are kept on disk, because the file is still there after a restart.

use std::path::{Path, PathBuf};

use ntk_evidence::event::{Action, Event, Kind, Outcome, TamperKind};
use serde::{Deserialize, Serialize};

use crate::classify::ELSEWHERE;
use crate::watch_list::WatchList;
use crate::whole_file::{Files as _, Readable, RealFiles};

/// Names that are kept; beyond that the oldest is forgotten.
const NAMES_MAX: usize = 512;

/// A name, and the path of the watch that it leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Name {
    path: String,
    watch: String,
}

/// The names that lead out of the watches.
#[derive(Debug)]
pub(super) struct Followed {
    file: PathBuf,
    names: Vec<Name>,
}

impl Followed {
    /// The names that an earlier run kept in the agent's folder; a damaged file is none.
    pub(super) fn open(own_dir: &Path) -> Self {
        let file = own_dir.join("followed.json");
        let names = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { file, names: names.unwrap_or_default() }
    }

    /// The kept names that still exist, with the place of their watch.
    pub(super) fn existing(&self, watches: &WatchList) -> Vec<(usize, String)> {
        let place = |name: &Name| watches.iter().position(|watch| watch.path == name.watch);
        let there = self.names.iter().filter(|name| Path::new(&name.path).exists());
        there.filter_map(|name| Some((place(name)?, name.path.clone()))).collect()
    }

    /// The name that an event leads out by, with the place of its watch.
    pub(super) fn leads_out(&self, event: &Event, watches: &WatchList) -> Option<(usize, String)> {
        let object = event.object.as_ref()?;
        let (from, to) = (object.path.as_deref()?, object.to.as_deref()?);
        let leads = match event.kind {
            Kind::FileAccess => matches!(event.action, Some(Action::Rename | Action::Link)),
            // A rule on a name of another namespace would be one on the same name in this one.
            Kind::Tamper => event.tamper.as_ref().is_some_and(|tamper| {
                let is_elsewhere = tamper.detail.as_ref().is_some_and(|detail| detail.contains(ELSEWHERE));
                tamper.what == TamperKind::MountChanged && !is_elsewhere
            }),
            _ => false,
        };
        if !leads || event.outcome != Some(Outcome::Success) || watches.place_of(to).is_some() {
            return None;
        }
        let kept =
            || self.names.iter().find(|name| is_within(from, &name.path)).map(|name| name.watch.as_str());
        let place = watches.place_of(from).or_else(|| {
            let kept = kept()?;
            watches.iter().position(|watch| watch.path == kept)
        })?;
        watches.at(place).filter(|watch| watch.is_asset())?;
        Some((place, to.to_owned()))
    }

    /// Keeps a name. A file that cannot be written is tried again with the next one; the rule stands meanwhile.
    pub(super) fn keep(&mut self, path: &str, watch: &str) {
        let name = Name { path: path.to_owned(), watch: watch.to_owned() };
        if self.names.contains(&name) {
            return;
        }
        self.names.push(name);
        let n_over = self.names.len().saturating_sub(NAMES_MAX);
        self.names.drain(..n_over);
        if let Ok(text) = serde_json::to_vec(&self.names) {
            let _ = RealFiles.replace(&self.file, &text, Readable::ByOwner);
        }
    }
}

fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntk_evidence::event::Object;

    fn event(action: Action, from: &str, to: &str) -> Event {
        let mut event = Event::new(Kind::FileAccess, "2026-11-20T10:00:00Z");
        (event.outcome, event.action) = (Some(Outcome::Success), Some(action));
        event.object = Some(Object { path: Some(from.into()), to: Some(to.into()), ..Object::default() });
        event
    }

    #[test]
    fn a_name_outside_is_followed_and_one_inside_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let watches = WatchList::new(vec!["/srv/ehr=ehr".parse().unwrap()]).unwrap();
        let mut followed = Followed::open(dir.path());
        let mut check = |action, from, to, expected: Option<&str>| {
            let found = followed.leads_out(&event(action, from, to), &watches);
            assert_eq!(found.as_ref().map(|(_, to)| to.as_str()), expected, "{from} -> {to}");
            if let Some((place, path)) = found {
                followed.keep(&path, &watches.at(place).unwrap().path);
            }
        };
        check(Action::Link, "/srv/ehr/a", "/tmp/a", Some("/tmp/a"));
        check(Action::Rename, "/srv/ehr/a", "/srv/ehr/b", None);
        check(Action::Rename, "/opt/a", "/tmp/b", None);
        check(Action::Read, "/srv/ehr/a", "/tmp/c", None);
        // What was followed once is followed again.
        check(Action::Rename, "/tmp/a", "/home/x/a", Some("/home/x/a"));
        let again = Followed::open(dir.path());
        assert_eq!(again.names, followed.names);
        assert_eq!(again.existing(&watches), Vec::new(), "neither is there");
        std::fs::write(dir.path().join("followed.json"), b"{").unwrap();
        assert_eq!(Followed::open(dir.path()).names, Vec::new());
    }
}
