//! The many names of one file on Windows, made comparable by text alone: nothing here asks a file system.
//!
//! | recorded | taken as |
//! |---|---|
//! | `C:\a`, `C:/a`, `\??\C:\a`, `\\?\C:\a`, `\\.\C:\a`, `\DosDevices\C:\a` | drive C |
//! | `\\server\C$\a`, `\\?\UNC\server\C$\a`, `\Device\Mup\server\C$\a` | drive C (an administrative share is a drive) |
//! | `\\server\share\a`, `\\*\share\a` | a share |
//! | `\Device\HarddiskVolume3\a`, `\\?\Volume{..}\a` | a volume, whose drive letter the record does not tell |
//! | `\Device\HarddiskVolumeShadowCopy7\a`, `..\@GMT-2026.01.31-12.00.00\a` | the same, of a shadow copy |
//! | `\Device\Harddisk0\DR0`, `\\.\PhysicalDrive0`, `\\.\C:`, `\Device\HarddiskVolume3` | a disk or volume as a whole |
//!
//! Names lose what Windows ignores: case, dots and spaces at their end, and a stream after `:`. A name such as
//! `PRACTI~1` counts as any longer name that could be shortened to it: better told once too often than not at all.

/// Where a path begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// A drive, by its letter in upper case.
    Drive(char),
    /// A volume by its device name, as it was recorded: which drive that is is not known.
    Volume(String),
    /// A share of a server; `*` stands for any server, as Windows writes it in event 5145.
    Share {
        /// Name or address of the server.
        server: String,
        /// Name of the share.
        share: String,
    },
    /// A disk or a volume as a whole, by its device name.
    Whole(String),
}

/// A path that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it begins.
    pub root: Root,
    /// The names below, as they were recorded but for what Windows ignores at their end.
    pub names: Vec<String>,
    /// Whether it lies in a shadow copy.
    pub is_snapshot: bool,
}

/// Longest path that is looked at, in bytes; Windows allows 32,767 characters.
pub const PATH_BYTES_MAX: usize = 4 * 32_767;

/// Marks a path as one of the object manager's; some of them stand before others.
const PREFIXES: &[&str] = &[r"\??\", r"\\?\", r"\\.\", r"\DosDevices\", r"\GLOBAL??\", r"GLOBALROOT\"];

impl Place {
    /// Reads an absolute path; none where it is relative, empty, or too long.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > PATH_BYTES_MAX {
            return None;
        }
        let text = text.trim().replace('/', r"\");
        let (rest, was_prefixed) = without_prefixes(&text);
        if let Some(device) =
            strip(rest, r"\Device\").or_else(|| strip(rest, r"Device\").filter(|_| was_prefixed))
        {
            return Self::of_device(device);
        }
        if let Some(unc) = strip(rest, r"UNC\").filter(|_| was_prefixed) {
            return Self::of_share(unc);
        }
        if was_prefixed
            && (starts(rest, "Volume{") || starts(rest, "HarddiskVolume") || starts(rest, "PhysicalDrive"))
        {
            return Self::of_device(rest);
        }
        if let Some(unc) = rest.strip_prefix(r"\\").filter(|_| !was_prefixed) {
            return Self::of_share(unc);
        }
        let mut characters = rest.chars();
        let (letter, colon) = (characters.next()?, characters.next()?);
        if !letter.is_ascii_alphabetic() || colon != ':' {
            return None;
        }
        let below = characters.as_str();
        if below.is_empty() && text.starts_with(r"\\.\") {
            return Some(Self::whole(text));
        }
        // `C:name` is relative to a folder that the record does not tell.
        (below.is_empty() || below.starts_with('\\'))
            .then(|| Self::below(Root::Drive(letter.to_ascii_uppercase()), below, false))
    }

    fn of_device(device: &str) -> Option<Self> {
        let (volume, below) = device.split_once('\\').unwrap_or((device, ""));
        if starts(volume, "Mup") || starts(volume, "LanmanRedirector") {
            // A redirector may name drive and session first: `;Z:00000000001a2b3c\server\share`.
            let below = below.strip_prefix(';').map_or(Some(below), |rest| Some(rest.split_once('\\')?.1))?;
            return Self::of_share(below);
        }
        let name = format!(r"\Device\{volume}");
        if below.trim_matches('\\').is_empty() && !device.ends_with('\\') {
            return Some(Self::whole(name));
        }
        if starts(volume, "Harddisk") && !starts(volume, "HarddiskVolume") || starts(volume, "PhysicalDrive")
        {
            return Some(Self::whole(format!(r"\Device\{device}")));
        }
        let is_volume = starts(volume, "HarddiskVolume") || starts(volume, "Volume{");
        is_volume.then(|| Self::below(Root::Volume(name), below, starts(volume, "HarddiskVolumeShadowCopy")))
    }

    fn of_share(text: &str) -> Option<Self> {
        let (server, rest) = text.split_once('\\')?;
        let (share, below) = rest.split_once('\\').unwrap_or((rest, ""));
        if server.is_empty() || share.is_empty() {
            return None;
        }
        let mut characters = share.chars();
        let root = match (characters.next(), characters.as_str()) {
            (Some(letter), "$") if letter.is_ascii_alphabetic() => Root::Drive(letter.to_ascii_uppercase()),
            _ => Root::Share { server: server.to_owned(), share: share.to_owned() },
        };
        Some(Self::below(root, below, false))
    }

    fn below(root: Root, text: &str, is_snapshot: bool) -> Self {
        let mut place = Self { root, names: Vec::new(), is_snapshot };
        for name in text.split('\\') {
            match name {
                "" | "." => {}
                ".." => {
                    place.names.pop();
                }
                name if is_moment(name) => place.is_snapshot = true,
                name => {
                    let name = name.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
                    if !name.is_empty() {
                        place.names.push(name.to_owned());
                    }
                }
            }
        }
        place
    }

    fn whole(name: String) -> Self {
        Self { root: Root::Whole(name), names: Vec::new(), is_snapshot: false }
    }

    /// Whether it lies at or below another place.
    pub fn is_below(&self, above: &Self) -> bool {
        let same_root = match (&self.root, &above.root) {
            (Root::Drive(one), Root::Drive(other)) => one == other,
            (Root::Volume(_), Root::Drive(_) | Root::Volume(_)) | (Root::Drive(_), Root::Volume(_)) => true,
            (Root::Share { server: one, share: of }, Root::Share { server: other, share }) => {
                same(of, share) && (one == "*" || other == "*" || same(one, other))
            }
            _ => false,
        };
        same_root
            && self.names.len() >= above.names.len()
            && self
                .names
                .iter()
                .zip(&above.names)
                .all(|(name, other)| same(name, other) || is_short_for(name, other))
    }

    /// The path in one form: names as they were recorded.
    pub fn shown(&self) -> String {
        let mut text = match &self.root {
            Root::Drive(letter) => format!("{letter}:"),
            Root::Volume(name) | Root::Whole(name) => name.clone(),
            Root::Share { server, share } => format!(r"\\{server}\{share}"),
        };
        for name in &self.names {
            text.push('\\');
            text.push_str(name);
        }
        if self.names.is_empty() && matches!(self.root, Root::Drive(_)) {
            text.push('\\');
        }
        text
    }
}

/// The last name of a path, in lower case: that of a program.
pub fn file_name(path: &str) -> String {
    path.rsplit(['\\', '/']).next().unwrap_or_default().to_lowercase()
}

fn without_prefixes(text: &str) -> (&str, bool) {
    let mut rest = text;
    let mut any = false;
    while let Some(after) = PREFIXES.iter().find_map(|prefix| strip(rest, prefix)) {
        (rest, any) = (after, true);
    }
    (rest, any)
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..)).flatten()
}

fn starts(text: &str, prefix: &str) -> bool {
    strip(text, prefix).is_some()
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || one.to_lowercase() == other.to_lowercase()
}

/// A previous version in a share: `@GMT-YYYY.MM.DD-HH.MM.SS` (MS-SMB2, 2.2.1.1).
fn is_moment(name: &str) -> bool {
    starts(name, "@GMT-") && name.len() == "@GMT-2026.01.31-12.00.00".len()
}

/// Whether a name is what Windows makes of a longer one: six characters or two with four digits of a hash, `~`, a number,
/// and three characters of what follows the last dot.
fn is_short_for(short: &str, long: &str) -> bool {
    let (base, extension) = short.rsplit_once('.').unwrap_or((short, ""));
    let Some((base, number)) = base.split_once('~') else { return false };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || base.len() > 6 || extension.len() > 3 {
        return false;
    }
    let (long_base, long_extension) = long.rsplit_once('.').unwrap_or((long, ""));
    let squeezed = |text: &str| -> String {
        let kept = text.chars().filter(|character| !matches!(character, ' ' | '.'));
        kept.map(|character| if "+,;=[]".contains(character) { '_' } else { character })
            .collect::<String>()
            .to_lowercase()
    };
    let (base, whole) = (base.to_lowercase(), squeezed(long_base));
    let is_hashed = base.len() == 6
        && base.get(2..).is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && base.get(..2).is_some_and(|start| whole.starts_with(start));
    (is_hashed || whole.starts_with(&base)) && squeezed(long_extension).starts_with(&extension.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_many_names_of_a_file_lie_below_its_watch() {
        let watch = Place::parse(r"C:\Practice Data\Exports").unwrap();
        for (text, is_snapshot) in [
            (r"C:\Practice Data\Exports\a.csv", false),
            (r"c:/practice data/exports/a.csv", false),
            (r"\??\C:\Practice Data\Exports\a.csv", false),
            (r"\\?\C:\Practice Data\Exports\a.csv", false),
            (r"\\.\C:\Practice Data\Exports", false),
            (r"\\srv01\C$\Practice Data\Exports\a.csv", false),
            (r"\\*\c$\Practice Data\Exports\a.csv", false),
            (r"\\?\UNC\srv01\c$\Practice Data\Exports\a.csv", false),
            (r"\Device\Mup\srv01\c$\Practice Data\Exports\a.csv", false),
            (r"\Device\LanmanRedirector\;Z:00000000000a1b2c\srv01\c$\Practice Data\Exports\a.csv", false),
            (r"\Device\HarddiskVolume3\Practice Data\Exports\a.csv", false),
            (r"\\?\Volume{b75e2c83-0000-0000-0000-602f00000000}\Practice Data\Exports\a.csv", false),
            (r"\Device\HarddiskVolumeShadowCopy7\Practice Data\Exports\a.csv", true),
            (r"\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy7\Practice Data\Exports\a.csv", true),
            (r"\\srv01\C$\@GMT-2026.01.31-12.00.00\Practice Data\Exports\a.csv", true),
            (r"C:\PRACTI~1\Exports\a.csv", false),
            (r"C:\PR1A2B~5\EXPORTS\a.csv", false),
            (r"C:\Practice Data\Exports\a.csv:hidden:$DATA", false),
            (r"C:\Practice Data\Exports\a.csv::$DATA", false),
            (r"C:\Practice Data.\Exports \a.csv", false),
            (r"C:\Windows\..\Practice Data\.\Exports\\a.csv", false),
        ] {
            let place = Place::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert!(place.is_below(&watch), "{text}");
            assert_eq!(place.is_snapshot, is_snapshot, "{text}");
        }
        for text in [
            r"D:\Practice Data\Exports\a.csv",
            r"C:\Practice Data\Exports2\a.csv",
            r"C:\Practice Data",
            r"C:\PRACTI~1.X\Exports\a.csv",
            r"C:\OTHERS~1\Exports\a.csv",
            r"\\srv01\share\Practice Data\Exports\a.csv",
            r"\Device\HarddiskVolume3",
        ] {
            assert!(!Place::parse(text).is_some_and(|place| place.is_below(&watch)), "{text}");
        }
        for text in ["", "a", r"a\b", "C:a", r"\Registry\Machine\x", r"\Device\NamedPipe\lsass", "\u{0}"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_share_is_compared_by_its_name_and_a_disk_is_a_whole() {
        let watch = Place::parse(r"\\*\Patients").unwrap();
        assert!(Place::parse(r"\\SRV01\patients\a.csv").unwrap().is_below(&watch));
        assert!(!Place::parse(r"\\SRV01\others\a.csv").unwrap().is_below(&watch));
        for text in [r"\Device\Harddisk0\DR0", r"\\.\PhysicalDrive0", r"\\.\C:", r"\Device\HarddiskVolume3"] {
            assert!(matches!(Place::parse(text).unwrap().root, Root::Whole(_)), "{text}");
        }
    }

    #[test]
    fn a_path_is_shown_in_one_form() {
        let shown = |text| Place::parse(text).unwrap().shown();
        assert_eq!(shown(r"\??\c:\Users\Anna\a.pst:x"), r"C:\Users\Anna\a.pst");
        assert_eq!(shown(r"\\*\C$\Users"), r"C:\Users");
        assert_eq!(shown(r"\\?\UNC\srv\s\a"), r"\\srv\s\a");
        assert_eq!(shown("C:"), r"C:\");
        assert_eq!(shown(r"\Device\HarddiskVolumeShadowCopy2\a\"), r"\Device\HarddiskVolumeShadowCopy2\a");
    }

    proptest! {
        // EV-2
        #[test]
        fn any_text_is_a_place_or_none(text in any::<String>(), other in r"[\\?.*$~:;@A-Za-z/]{0,40}") {
            for text in [&text, &other] {
                if let Some(place) = Place::parse(text) {
                    prop_assert!(place.is_below(&place));
                    place.shown();
                }
            }
        }
    }
}
