//! Which folders are watched, what class of asset they hold, and whose they are.
//!
//! A path belongs to the watch with the longest prefix, compared name by name: `/srv/a` holds `/srv/a/b`, not
//! `/srv/ab`. Paths are compared as text, after [`normalise`]: nothing here asks the file system.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ntk_evidence::event::{Class, Event, Kind};
use ntk_evidence::hash::Hash;

mod drive;

/// Prefix of the keys that our audit rules bear, so that they are told from everyone else's.
pub const KEY_PREFIX: &str = "ntk-";

/// Key of the rules that report refused opens anywhere; only those below a watch become events.
pub const DENIED_KEY: &str = "ntk-denied";

/// Which touches of a watch are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Touch {
    /// Every one: what the practice protects.
    #[default]
    Any,
    /// Changes: files of the system, which every program reads.
    Changes,
    /// Every one, of what is the agent's own: its keys.
    Own,
}

/// Key of the rule of the agent's own test.
pub const CANARY_KEY: &str = "ntk-canary";

/// Key of the rules on clocks that are set.
pub const CLOCK_KEY: &str = "ntk-clock";

/// Key of the rules on kernel modules and on another kernel that is loaded.
pub const KERNEL_KEY: &str = "ntk-kernel";

/// Key of the rules that report the start of programs.
pub const START_KEY: &str = "ntk-start";

/// One watched folder or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Absolute path, normalised.
    pub path: String,
    /// What it holds.
    pub class: Class,
    /// Whose it is, where it belongs to one person.
    pub owner: Option<String>,
    /// Which touches are told.
    pub touch: Touch,
    /// Whether it was made for nobody to open.
    pub is_decoy: bool,
}

/// Why a watch was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// No `=` in `PATH=CLASS`.
    #[error(
        "`{0}` names no class; write it as PATH=CLASS or PATH=CLASS:OWNER, for example /srv/mail/anna=mailbox:anna"
    )]
    NoClass(String),
    /// A class that does not exist.
    #[error("`{class}` is no class of asset; use one of {known}")]
    UnknownClass {
        /// The word that was given.
        class: String,
        /// The words that exist.
        known: String,
    },
    /// A relative path.
    #[error(
        "`{0}` is not an absolute path; write it from the root, for example /srv/practice/exports or D:\\Exports"
    )]
    Relative(String),
    /// The root itself, or that of a drive.
    #[error("the root or a whole drive cannot be watched; name the folders that hold the practice's data")]
    Root,
    /// The same path twice.
    #[error("`{0}` is watched twice; keep one of the two entries")]
    Twice(String),
}

impl Watch {
    /// A watch of an absolute path.
    pub fn new(path: &str, class: Class, owner: Option<String>) -> Result<Self, WatchError> {
        let path = match drive::normalise(path) {
            Some(path) if path.ends_with(':') => return Err(WatchError::Root),
            Some(path) => path,
            None if !path.starts_with('/') => return Err(WatchError::Relative(path.to_owned())),
            None => normalise(path),
        };
        if path == "/" {
            return Err(WatchError::Root);
        }
        if !class.is_known() {
            return Err(WatchError::UnknownClass {
                class: class.to_string(),
                known: Class::WORDS.join(", "),
            });
        }
        Ok(Self { path, class, owner, touch: Touch::Any, is_decoy: false })
    }

    /// A file or folder of the system or of this agent, whose changes are told.
    pub fn guard(path: &str, class: Class, touch: Touch) -> Self {
        Self { path: normalise(path), class, owner: None, touch, is_decoy: false }
    }

    /// Whether it is what the practice protects, and not a file of the system or of this agent.
    pub fn is_asset(&self) -> bool {
        self.touch == Touch::Any
    }

    /// The same as something that was made for nobody to open.
    pub fn as_decoy(self) -> Self {
        Self { is_decoy: true, ..self }
    }

    /// The mark of a decoy, as events bear it.
    pub fn decoy(&self) -> Option<bool> {
        self.is_decoy.then_some(true)
    }

    /// The audit rule key that follows from the path alone, so that it means the same to whoever starts later with another
    /// list: what stands in a locked kernel cannot be written anew.
    pub fn lasting_key(&self) -> String {
        let hash = Hash::of(self.path.as_bytes()).to_hex();
        format!("{KEY_PREFIX}p{}", hash.get(..16).unwrap_or_default())
    }

    /// Whether a normalised path is this folder or below it.
    pub fn holds(&self, path: &str) -> bool {
        is_below(&self.path, path)
    }
}

impl std::str::FromStr for Watch {
    type Err = WatchError;

    /// The form of the command line: `PATH=CLASS[:OWNER]`. The path may hold `=`; the class may not.
    fn from_str(text: &str) -> Result<Self, WatchError> {
        let (path, class) = text.rsplit_once('=').ok_or_else(|| WatchError::NoClass(text.to_owned()))?;
        let (class, owner) = match class.split_once(':') {
            Some((class, owner)) => (class, Some(owner.to_owned()).filter(|owner| !owner.is_empty())),
            None => (class, None),
        };
        Self::new(path, Class::from(class.to_owned()), owner)
    }
}

/// The watches of one machine. A watch's place in the list is part of its audit rule's key, or where rules outlast the
/// agent its path is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchList {
    watches: Vec<Watch>,
    /// Keys that follow from paths, where rules bear those.
    lasting: Option<BTreeMap<String, usize>>,
}

impl WatchList {
    /// A list without duplicates.
    pub fn new(watches: Vec<Watch>) -> Result<Self, WatchError> {
        let mut paths = std::collections::BTreeSet::new();
        if let Some(twice) = watches.iter().find(|watch| !paths.insert(watch.path.as_str())) {
            return Err(WatchError::Twice(twice.path.clone()));
        }
        Ok(Self { watches, lasting: None })
    }

    /// The same list, whose rules bear keys that follow from paths; keys by place say nothing in it.
    #[must_use]
    pub fn lasting(self) -> Self {
        let keys = self.watches.iter().enumerate().map(|(place, watch)| (watch.lasting_key(), place));
        Self { lasting: Some(keys.collect()), watches: self.watches }
    }

    /// Whether its rules bear keys that follow from paths.
    pub fn is_lasting(&self) -> bool {
        self.lasting.is_some()
    }

    /// This list with more at its end; what it watches already stays as it is.
    #[must_use]
    pub fn with(&self, more: Vec<Watch>) -> Self {
        let mut watches = self.watches.clone();
        for watch in more {
            if watches.iter().all(|known| known.path != watch.path) {
                watches.push(watch);
            }
        }
        let with = Self { watches, lasting: None };
        if self.is_lasting() { with.lasting() } else { with }
    }

    /// The watch that a normalised path lies under: the one with the longest path.
    pub fn classify_path(&self, path: &str) -> Option<&Watch> {
        self.place_of(path).and_then(|place| self.watches.get(place))
    }

    /// The same as [`Self::classify_path`], as a place in the list.
    pub fn place_of(&self, path: &str) -> Option<usize> {
        let held = self.watches.iter().enumerate().filter(|(_, watch)| watch.holds(path));
        held.max_by_key(|(_, watch)| watch.path.len()).map(|(place, _)| place)
    }

    /// Marks an access of a decoy, whichever sensor told of it.
    pub fn mark_decoy(&self, event: &mut Event) {
        let Some(object) = event.object.as_mut().filter(|_| event.kind == Kind::FileAccess) else { return };
        let of = |path: &Option<String>| self.classify_path(path.as_deref()?)?.decoy();
        object.decoy = object.decoy.or_else(|| of(&object.path)).or_else(|| of(&object.to));
    }

    /// The watch at a place.
    pub fn at(&self, place: usize) -> Option<&Watch> {
        self.watches.get(place)
    }

    /// The audit rule key of the watch at a place.
    pub fn key(place: usize) -> String {
        format!("{KEY_PREFIX}w{place}")
    }

    /// The place whose rule bears this key.
    pub fn place_of_key(&self, key: &str) -> Option<usize> {
        if let Some(lasting) = &self.lasting {
            return lasting.get(key).copied();
        }
        let place = key.strip_prefix(KEY_PREFIX)?.strip_prefix('w')?.parse().ok()?;
        (place < self.watches.len()).then_some(place)
    }

    /// Every watch in order.
    pub fn iter(&self) -> impl Iterator<Item = &Watch> {
        self.watches.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.watches.len()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }
}

/// Whether a normalised path is this folder or below it.
pub fn is_below(folder: &str, path: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        || drive::holds(folder, path)
}

/// A path of this machine's own file system, as watches name theirs.
pub fn normalise_local(path: &str) -> String {
    if cfg!(windows) { drive::normalise(path).unwrap_or_else(|| path.to_owned()) } else { normalise(path) }
}

/// An absolute path without `.`, `..`, double and trailing slashes: by text alone, links are not followed.
pub fn normalise(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    let mut normal = String::with_capacity(path.len());
    for name in &names {
        normal.push('/');
        normal.push_str(name);
    }
    if normal.is_empty() {
        normal.push('/');
    }
    normal
}

/// The same without a copy of a path that is so already, as most are.
pub fn normal(path: &str) -> Cow<'_, str> {
    let is_plain = |name: &str| !matches!(name, "" | "." | "..");
    let is_normal = path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_plain));
    if is_normal { Cow::Borrowed(path) } else { Cow::Owned(normalise(path)) }
}

/// A recorded name made absolute: relative ones start at the folder.
pub fn absolute(folder: &str, name: &str) -> String {
    if name.starts_with('/') { normalise(name) } else { normalise(&format!("{folder}/{name}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntk_evidence::event::Object;

    fn list(watches: &[&str]) -> WatchList {
        WatchList::new(watches.iter().map(|watch| watch.parse().unwrap()).collect()).unwrap()
    }

    #[test]
    fn the_longest_prefix_by_whole_names_decides() {
        let list = list(&["/srv/mail=mailbox", "/srv/mail/anna/=mailbox:anna", "/srv/exports=export"]);
        let owner = |path| list.classify_path(path).map(|watch| watch.owner.as_deref());
        assert_eq!(owner("/srv/mail/anna/cur/1"), Some(Some("anna")));
        assert_eq!(owner("/srv/mail/annabel/1"), Some(None));
        assert_eq!(owner("/srv/mailing"), None);
        assert_eq!(list.classify_path("/srv/exports").unwrap().class, Class::Export);
    }

    #[test]
    fn an_access_of_a_decoy_is_marked_by_either_name_and_its_neighbour_is_not() {
        let decoy = "/srv/exports/2019=export".parse::<Watch>().unwrap().as_decoy();
        let list = WatchList::new(vec!["/srv/exports=export".parse().unwrap(), decoy]).unwrap();
        for (path, to, is_marked) in [
            (Some("/srv/exports/2019/a.csv"), None, true),
            (Some("/srv/exports/2019"), None, true),
            (Some("/srv/exports/2020/a.csv"), None, false),
            (Some("/srv/exports/x"), Some("/srv/exports/2019/x"), true),
            (None, None, false),
        ] {
            let text = |path: Option<&str>| path.map(str::to_owned);
            let mut event = Event::new(Kind::FileAccess, "t");
            event.object = Some(Object { path: text(path), to: text(to), ..Object::default() });
            list.mark_decoy(&mut event);
            assert_eq!(event.object.unwrap().decoy, is_marked.then_some(true), "{path:?} {to:?}");
        }
    }

    #[test]
    fn keys_lead_back_to_their_watch() {
        let list = list(&["/a=ehr", "/b=hr"]);
        assert_eq!(list.place_of_key(&WatchList::key(1)), Some(1));
        assert_eq!(list.place_of_key("ntk-w2"), None);
        assert_eq!(list.place_of_key("emrlab"), None);
        assert_eq!(list.place_of_key(DENIED_KEY), None);
    }

    #[test]
    fn a_lasting_key_means_the_same_watch_in_another_list() {
        let key = "/b=hr".parse::<Watch>().unwrap().lasting_key();
        let other = list(&["/c=ehr"]).lasting().with(vec!["/b=hr".parse().unwrap()]);
        assert_eq!(other.place_of_key(&key), Some(1));
        // By place it would be another watch than the one that the rule was made for.
        assert_eq!(other.place_of_key(&WatchList::key(1)), None);
        assert_eq!(list(&["/a=ehr", "/b=hr"]).place_of_key(&key), None, "keys of one kind at a time");
        assert_eq!(list(&["/c=ehr"]).lasting().place_of_key(&key), None, "no longer watched");
    }

    #[test]
    fn names_are_made_absolute_by_text() {
        for path in ["/a/b", "/", "", "a", "/a/", "//a", "/a/./b", "/a/../b", "/.a/..b"] {
            assert_eq!(normal(path), normalise(path), "{path}");
        }
        assert_eq!(absolute("/home/a", "x"), "/home/a/x");
        assert_eq!(absolute("/srv/w", "../v/./p//q"), "/srv/v/p/q");
        assert_eq!(absolute("/", "../../x"), "/x");
        assert_eq!(absolute("/a", "/b/../"), "/");
    }

    #[track_caller]
    fn refused(text: &str, sentence: &str) {
        assert_eq!(text.parse::<Watch>().unwrap_err().to_string(), sentence);
    }

    #[test]
    fn a_wrong_watch_gets_a_sentence() {
        refused(
            "/srv",
            "`/srv` names no class; write it as PATH=CLASS or PATH=CLASS:OWNER, for example /srv/mail/anna=mailbox:anna",
        );
        refused(
            "srv=ehr",
            "`srv` is not an absolute path; write it from the root, for example /srv/practice/exports or D:\\Exports",
        );
        refused(
            "/../=ehr",
            "the root or a whole drive cannot be watched; name the folders that hold the practice's data",
        );
        refused(
            r"D:\=ehr",
            "the root or a whole drive cannot be watched; name the folders that hold the practice's data",
        );
        refused(
            "/srv=mail",
            "`mail` is no class of asset; use one of mailbox, voicemail, ehr, export, hr, backup, system, self",
        );
        let twice = WatchList::new(vec!["/a=ehr".parse().unwrap(), "/a/=hr".parse().unwrap()]).unwrap_err();
        assert_eq!(twice.to_string(), "`/a` is watched twice; keep one of the two entries");
    }
}
