//! The templates of `agent/data/watch_templates.toml` and `watch_templates_windows.toml`, and where they are found on a
//! machine. Bounded.

use ntk_evidence::event::Class;
use serde::Deserialize;

use crate::inventory::root::Root;

const LINUX: &str = include_str!("../../data/watch_templates.toml");
const WINDOWS: &str = include_str!("../../data/watch_templates_windows.toml");

/// Places that one pattern may give: a machine with more has other worries.
const PLACES_MAX: usize = 400;

/// Everything that the data file holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Templates {
    /// What is looked for by its place.
    pub template: Vec<Template>,
    /// Where files are recognised by their content.
    pub likely: Likely,
}

/// Folders into which exports and mailboxes arrive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Likely {
    /// Patterns, as in a template.
    pub folders: Vec<String>,
}

/// One template; the data file says what its fields mean.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// As it is told to people.
    pub name: String,
    /// Class of what is found.
    pub class: Class,
    /// Patterns of its places.
    pub paths: Vec<String>,
    /// Whose it is.
    #[serde(default)]
    pub owner: Option<OwnerBy>,
    /// Names of which one must be in the folder.
    #[serde(default)]
    pub holds: Vec<String>,
    /// Whether it is a file.
    #[serde(default)]
    pub file: bool,
}

/// From what the owner of a found place follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerBy {
    /// The account of the home folder.
    Home,
    /// The last name of the path.
    Name,
}

/// A place that a pattern gave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Absolute path.
    pub path: String,
    /// The account whose home folder it lies in, where the pattern begins there.
    pub account: Option<String>,
}

impl Templates {
    /// The templates for this system; a test holds that the data files are sound.
    pub fn known() -> Self {
        Self::read(if cfg!(windows) { WINDOWS } else { LINUX })
    }

    /// The templates for Windows, wherever this program runs.
    pub fn of_windows() -> Self {
        Self::read(WINDOWS)
    }

    fn read(data: &str) -> Self {
        let none = Self { template: Vec::new(), likely: Likely { folders: Vec::new() } };
        toml::from_str(data).unwrap_or(none)
    }
}

/// The places that a pattern gives on this machine; links are not followed. `~` stands for each home, `?:` for each drive
/// of its own disks.
pub fn places(root: &Root, homes: &[Place], pattern: &str) -> Vec<Place> {
    let separator = root.separator();
    let (mut found, pattern) = if let Some(below) = pattern.strip_prefix('~') {
        (homes.to_vec(), below)
    } else if let Some(below) = pattern.strip_prefix("?:") {
        (root.drives().into_iter().map(|path| Place { path, account: None }).collect(), below)
    } else if root.is_caseless() {
        let (drive, below) = pattern.split_once(separator).unwrap_or((pattern, ""));
        (vec![Place { path: drive.to_owned(), account: None }], below)
    } else {
        (vec![Place { path: String::new(), account: None }], pattern)
    };
    for name in pattern.split(separator).filter(|name| !name.is_empty()) {
        let mut next = Vec::new();
        for place in found {
            if name.contains('*') {
                let names = root.names(if place.path.is_empty() { "/" } else { &place.path });
                let fitting = names.into_iter().filter(|candidate| is_named(root, candidate, name));
                next.extend(fitting.map(|candidate| below(root, &place, &candidate)));
            } else {
                next.push(below(root, &place, name));
            }
        }
        next.retain(|place| root.is_folder(&place.path) || root.is_plain_file(&place.path));
        next.truncate(PLACES_MAX);
        found = next;
    }
    found.sort();
    found.dedup();
    found
}

fn below(root: &Root, place: &Place, name: &str) -> Place {
    Place { path: root.below(&place.path, name), account: place.account.clone() }
}

/// The same as [`fits`], by the rules of a machine's own names.
pub fn is_named(root: &Root, name: &str, pattern: &str) -> bool {
    match root.is_caseless() {
        true => fits(&name.to_lowercase(), &pattern.to_lowercase()),
        false => fits(name, pattern),
    }
}

/// Whether a name fits a pattern with `*`; what begins with a point fits only a pattern that does.
pub fn fits(name: &str, pattern: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_data_file_is_sound() {
        for (data, root) in [(LINUX, "/"), (WINDOWS, "?:\\")] {
            is_sound(&toml::from_str(data).unwrap(), root);
        }
    }

    fn is_sound(templates: &Templates, root: &str) {
        assert!(templates.template.len() > 15);
        for template in &templates.template {
            assert!(template.class.is_known(), "{}", template.name);
            assert!(!template.file || template.holds.is_empty(), "{}: a file holds no names", template.name);
            let all = template.paths.iter().all(|path| path.starts_with(root) || path.starts_with('~'));
            assert!(all && !template.paths.is_empty(), "{}", template.name);
            let of_home = template.owner == Some(OwnerBy::Home);
            assert!(!of_home || template.paths.iter().all(|path| path.starts_with('~')), "{}", template.name);
        }
        for class in [Class::Mailbox, Class::Voicemail, Class::Ehr, Class::Export, Class::Backup] {
            assert!(templates.template.iter().any(|template| template.class == class), "{class}");
        }
    }

    #[test]
    fn names_fit_patterns_as_in_a_shell() {
        for (name, pattern, is) in [
            ("mail.pst", "*.pst", true),
            ("mail.pst.bak", "*.pst", false),
            ("restic-2", "restic*", true),
            ("a-b-c", "a*b*c", true),
            ("ac", "a*b*c", false),
            (".hidden", "*", false),
            (".hidden", ".*", true),
            ("x", "x", true),
            ("xy", "x", false),
        ] {
            assert_eq!(fits(name, pattern), is, "{name} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn any_name_fits_or_not(name in ".{0,40}", pattern in "[a-z*.]{0,20}") {
            let _ = fits(&name, &pattern);
            let between = format!("a{name}b");
            prop_assert!(fits(&between, "a*b"));
        }
    }
}
