//! Paths of Windows with a drive (`C:\Users\anna`): `/` and `\` are one, and so are large and small letters.

/// A path with a drive, without `.`, `..` and needless separators, by text alone; `None` for every other path. Not the
/// root of a drive: its rest would be empty.
pub(super) fn normalise(path: &str) -> Option<String> {
    let (drive, rest) = path.split_at_checked(2)?;
    let letter = drive.strip_suffix(':')?.chars().next().filter(char::is_ascii_alphabetic)?;
    if !rest.starts_with(['\\', '/']) {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    for name in rest.split(['\\', '/']) {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    let mut normal = format!("{}:", letter.to_ascii_uppercase());
    for name in &names {
        normal.push('\\');
        normal.push_str(name);
    }
    Some(normal)
}

/// Whether a path is this folder with a drive, or below it. Both are normalised.
pub(super) fn holds(folder: &str, path: &str) -> bool {
    let is_drive = |path: &str| path.as_bytes().get(1) == Some(&b':');
    if !is_drive(folder) || !is_drive(path) {
        return false;
    }
    // Letter by letter: NTFS compares by a table of its own, which for the letters of names agrees with this.
    let mut path = path.chars().flat_map(char::to_lowercase);
    let same = folder.chars().flat_map(char::to_lowercase).all(|letter| path.next() == Some(letter));
    same && matches!(path.next(), None | Some('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_has_one_form_and_what_has_no_drive_is_none() {
        for (path, normal) in [
            (r"c:\Users\Anna\", Some(r"C:\Users\Anna")),
            ("d:/a/./b//../c", Some(r"D:\a\c")),
            (r"C:\..", Some("C:")),
            (r"C:Users", None),
            ("/srv/mail", None),
            (r"\\server\share", None),
            ("é:", None),
            ("", None),
        ] {
            assert_eq!(normalise(path).as_deref(), normal, "{path}");
        }
    }

    #[test]
    fn a_folder_holds_what_lies_below_it_whatever_the_case() {
        assert!(holds(r"C:\Praxis\Ärzte", r"c:\PRAXIS\ärzte\a.pst"));
        assert!(holds(r"C:\a", r"C:\A"));
        assert!(!holds(r"C:\a", r"C:\ab"));
        assert!(!holds(r"C:\a\b", r"C:\a"));
        assert!(!holds("/srv/a", "/srv/a/b"));
    }
}
