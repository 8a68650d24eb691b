//! Which folders are watched on a Windows machine, what class of asset they hold, and whose they are.
//!
//! A path belongs to the watch with the most names, compared name by name as [`crate::path`] says. As on Linux a watch
//! is a file or a folder with all below it; patterns are resolved before, by whoever makes the list.

use ntk_evidence::event::Class;

use crate::path::{Place, Root};

/// One watched folder or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Where it is.
    pub place: Place,
    /// What it holds.
    pub class: Class,
    /// Whose it is, where it belongs to one person.
    pub owner: Option<String>,
    /// Whether it was made for nobody to open.
    pub is_decoy: bool,
}

/// Why a watch was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// No `=` in `PATH=CLASS`.
    #[error(
        "`{0}` names no class; write it as PATH=CLASS or PATH=CLASS:OWNER, for example C:\\Exports=export"
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
    /// Neither a path on a drive nor one on a share.
    #[error(
        "`{0}` is no absolute Windows path; write it with its drive or share, for example C:\\Exports or \\\\*\\Patients"
    )]
    Relative(String),
    /// A drive or disk as a whole.
    #[error("`{0}` cannot be watched as a whole; name the folders that hold the practice's data")]
    Whole(String),
    /// The same path twice.
    #[error("`{0}` is watched twice; keep one of the two entries")]
    Twice(String),
}

impl Watch {
    /// A watch of an absolute path on a drive or share.
    pub fn new(path: &str, class: Class, owner: Option<String>) -> Result<Self, WatchError> {
        let place = Place::parse(path).ok_or_else(|| WatchError::Relative(path.to_owned()))?;
        let is_whole = match &place.root {
            Root::Drive(_) | Root::Volume(_) => place.names.is_empty(),
            Root::Share { .. } => false,
            Root::Whole(_) => true,
        };
        if is_whole {
            return Err(WatchError::Whole(path.to_owned()));
        }
        if !class.is_known() {
            return Err(WatchError::UnknownClass {
                class: class.to_string(),
                known: Class::WORDS.join(", "),
            });
        }
        Ok(Self { place, class, owner, is_decoy: false })
    }

    /// The same as something that was made for nobody to open.
    #[must_use]
    pub fn as_decoy(self) -> Self {
        Self { is_decoy: true, ..self }
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

/// The watches of one machine, or of all that a recording is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watches(Vec<Watch>);

impl Watches {
    /// A list without duplicates.
    pub fn new(watches: Vec<Watch>) -> Result<Self, WatchError> {
        let is_same = |one: &Watch, other: &Watch| {
            one.place.shown().to_lowercase() == other.place.shown().to_lowercase()
        };
        for (nth, watch) in watches.iter().enumerate() {
            if watches.iter().take(nth).any(|other| is_same(watch, other)) {
                return Err(WatchError::Twice(watch.place.shown()));
            }
        }
        Ok(Self(watches))
    }

    /// The watch that a place lies under: the one with the most names.
    pub fn of(&self, place: &Place) -> Option<&Watch> {
        self.0.iter().filter(|watch| place.is_below(&watch.place)).max_by_key(|watch| watch.place.names.len())
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Classes and owners of everything that is watched on drives, as an event says what a disk holds.
    pub fn holds(&self) -> Vec<String> {
        let said = |watch: &Watch| match &watch.owner {
            Some(owner) => format!("{}:{owner}", watch.class),
            None => watch.class.to_string(),
        };
        let on_drive = |watch: &&Watch| matches!(watch.place.root, Root::Drive(_) | Root::Volume(_));
        let mut holds: Vec<String> = self.0.iter().filter(on_drive).map(said).collect();
        holds.sort();
        holds.dedup();
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watch_with_the_most_names_decides() {
        let list = [r"C:\Mail=mailbox", r"c:\mail\anna=mailbox:anna", r"\\*\Patients=ehr"]
            .map(|text| text.parse().unwrap());
        let list = Watches::new(list.to_vec()).unwrap();
        let owner = |path| list.of(&Place::parse(path).unwrap()).map(|watch| watch.owner.as_deref());
        assert_eq!(owner(r"C:\MAIL\Anna\a.ost"), Some(Some("anna")));
        assert_eq!(owner(r"C:\Mail\b.ost"), Some(None));
        assert_eq!(owner(r"C:\Mailing"), None);
        assert_eq!(owner(r"\\srv\patients\x"), Some(None));
        assert_eq!(list.holds(), ["mailbox", "mailbox:anna"]);
    }

    #[track_caller]
    fn refused(text: &str, sentence: &str) {
        assert_eq!(text.parse::<Watch>().unwrap_err().to_string(), sentence);
    }

    #[test]
    fn a_wrong_watch_gets_a_sentence() {
        refused(
            r"C:\Exports",
            r"`C:\Exports` names no class; write it as PATH=CLASS or PATH=CLASS:OWNER, for example C:\Exports=export",
        );
        refused(
            "/srv/mail=mailbox",
            r"`/srv/mail` is no absolute Windows path; write it with its drive or share, for example C:\Exports or \\*\Patients",
        );
        refused(
            r"C:\=ehr",
            r"`C:\` cannot be watched as a whole; name the folders that hold the practice's data",
        );
        refused(
            r"C:\x=mail",
            "`mail` is no class of asset; use one of mailbox, voicemail, ehr, export, hr, backup, system, self",
        );
        let twice =
            Watches::new(vec![r"C:\a=ehr".parse().unwrap(), "c:/A/=hr".parse().unwrap()]).unwrap_err();
        assert_eq!(twice.to_string(), r"`C:\A` is watched twice; keep one of the two entries");
    }
}
