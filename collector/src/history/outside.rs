//! Places outside a watched folder: where a file goes that somebody takes along, and whose programs nobody pins.

/// A kind of place, with its own root: two folders of one place are not outside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside<'a> {
    /// A browser's folder for downloads.
    Downloads,
    /// A stick or disk that can be taken out, by the name under which it is mounted.
    Removable(&'a str),
    /// A disk that is mounted for longer, by its name: often the practice's own.
    Mounted(&'a str),
    /// A folder that a cloud service copies elsewhere, by the service's folder name.
    Cloud(&'a str),
    /// A folder for temporary files.
    Temporary,
    /// The home folder of this account.
    Home(&'a str),
}

/// Names of folders that cloud services copy.
const CLOUD: &[&str] = &[
    "onedrive",
    "dropbox",
    "google drive",
    "googledrive",
    "icloud drive",
    "iclouddrive",
    "nextcloud",
    "box",
];

impl<'a> Outside<'a> {
    /// The place of a path; nothing where it is none of these.
    ///
    /// Inside a home folder the narrower place counts: downloads and cloud folders lie there.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let mut parts = path.split(['/', '\\']).filter(|part| !part.is_empty()).peekable();
        let mut narrower = None;
        for part in path.split(['/', '\\']) {
            if part.eq_ignore_ascii_case("Downloads") {
                narrower = Some(Self::Downloads);
            } else if is_cloud(part) {
                narrower = Some(Self::Cloud(part));
            }
        }
        // A drive's letter says nothing about what it is.
        if parts.peek().is_some_and(|part| part.len() == 2 && part.ends_with(':')) {
            parts.next();
        }
        let first = parts.next().unwrap_or_default();
        let second = parts.next().unwrap_or_default();
        let third = parts.next().unwrap_or_default();
        let is = |word: &str| first.eq_ignore_ascii_case(word);
        let place = match first {
            // A stick is a stick, whatever its folders are called.
            "media" => return Some(Self::Removable(if third.is_empty() { second } else { third })),
            "Volumes" => return Some(Self::Removable(second)),
            "mnt" => Some(Self::Mounted(second)),
            "run" if second == "media" => return Some(Self::Removable(third)),
            "tmp" => Some(Self::Temporary),
            "var" if second == "tmp" => Some(Self::Temporary),
            "dev" if second == "shm" => Some(Self::Temporary),
            "home" => Some(Self::Home(second)),
            "root" => Some(Self::Home(first)),
            _ if is("Users") => Some(Self::Home(second)),
            _ if is("Temp") || (is("Windows") && second.eq_ignore_ascii_case("Temp")) => {
                Some(Self::Temporary)
            }
            _ => None,
        };
        narrower.or(place)
    }

    /// The place in words.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Downloads => "a downloads folder",
            Self::Removable(_) => "a stick or disk that can be taken out",
            Self::Mounted(_) => "another disk",
            Self::Cloud(_) => "a folder that a cloud service copies",
            Self::Temporary => "a folder for temporary files",
            Self::Home(_) => "a home folder",
        }
    }
}

fn is_cloud(part: &str) -> bool {
    // "OneDrive - Maple Street" is OneDrive.
    let name = part.split(" - ").next().unwrap_or(part);
    CLOUD.iter().any(|cloud| name.eq_ignore_ascii_case(cloud))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart_by_their_root() {
        for (path, place) in [
            ("/srv/exports/a.csv", None),
            ("/home/sam/Downloads/a.csv", Some(Outside::Downloads)),
            (r"C:\Users\sam\Downloads\a.csv", Some(Outside::Downloads)),
            ("/home/sam/Maildir/new/1", Some(Outside::Home("sam"))),
            (r"C:\Users\sam\OneDrive - Maple Street\a.csv", Some(Outside::Cloud("OneDrive - Maple Street"))),
            ("/run/media/sam/STICK/a.csv", Some(Outside::Removable("sam"))),
            ("/media/sam/STICK/Downloads/a.csv", Some(Outside::Removable("STICK"))),
            ("/mnt/usb/a.csv", Some(Outside::Mounted("usb"))),
            ("/var/tmp/a", Some(Outside::Temporary)),
            (r"C:\Windows\Temp\a", Some(Outside::Temporary)),
            ("/var/mail/sam", None),
            ("", None),
        ] {
            assert_eq!(Outside::of(path), place, "{path}");
        }
    }
}
