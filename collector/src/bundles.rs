//! Bundles that were built in the console and are kept until somebody removes them, below `bundles/`.
//!
//! Each is two files: `ID.zip`, and `ID.json` with what was asked and the SHA-256. The second is written last and removed
//! first: a ZIP file without it is what a crash left, is shown to nobody, and goes at the next start. What a file holds is
//! believed only where its SHA-256 stands in an act of the ledger ([`crate::admin`]).

pub mod acts;
pub mod work;

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use crate::export::Question;
use crate::home::{Home, HomeError, sync_folder};

/// The folder, below the collector's.
const FOLDER: &str = "bundles";
/// How many are listed.
const LISTED_MAX: usize = 500;

/// A bundle that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// `C-1-204`: the case, and the leaf of the act that asked for it.
    pub id: String,
    /// What was asked.
    pub question: Question,
    /// Id of the person who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was made, RFC 3339.
    pub made: String,
    /// SHA-256 of the ZIP file, hex.
    pub sha256: String,
    /// Its size, bytes.
    pub bytes: u64,
}

/// The id of a bundle.
pub fn id(case: &str, leaf: u64) -> String {
    format!("{case}-{leaf}")
}

/// Whether a text could be an id: one part of a path, and nothing that leads elsewhere.
fn is_id(id: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    !id.is_empty() && id.len() <= 100 && id.bytes().all(plain)
}

/// Keeps a bundle's bytes; it is listed only once [`list_it`] has run.
pub fn write(home: &Home, id: &str, zip: &[u8]) -> Result<(), HomeError> {
    home.write_bundle(&format!("{id}.zip"), zip)
}

/// Lists a bundle whose bytes are kept.
pub fn list_it(home: &Home, kept: &Kept) -> Result<(), HomeError> {
    let name = format!("{}.json", kept.id);
    let text = serde_json::to_vec_pretty(kept).map_err(|error| HomeError::Write {
        path: home.path(FOLDER).join(&name),
        source: io::Error::other(error),
    })?;
    home.write_bundle(&name, &text)
}

/// Names of the files in the folder; none where there is no folder yet.
fn names(home: &Home) -> Result<Vec<String>, HomeError> {
    let folder = home.path(FOLDER);
    match fs::read_dir(&folder) {
        Ok(entries) => Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(HomeError::Read { path: folder, source }),
    }
}

/// Every bundle that is kept, the newest first. A record that cannot be read is left out and left alone.
pub fn list(home: &Home) -> Result<Vec<Kept>, HomeError> {
    let ids = names(home)?.into_iter().filter_map(|name| Some(name.strip_suffix(".json")?.to_owned()));
    let mut found: Vec<Kept> = ids.filter_map(|id| one(home, &id).ok().flatten()).collect();
    found.sort_by(|a, b| b.made.cmp(&a.made).then_with(|| b.id.cmp(&a.id)));
    found.truncate(LISTED_MAX);
    Ok(found)
}

/// One that is kept; nothing where it is not listed.
pub fn one(home: &Home, id: &str) -> Result<Option<Kept>, HomeError> {
    if !is_id(id) {
        return Ok(None);
    }
    let bytes = match home.read_bundle(&format!("{id}.json")) {
        Ok(bytes) => bytes,
        Err(HomeError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let kept: Option<Kept> = serde_json::from_slice(&bytes).ok();
    Ok(kept.filter(|kept| kept.id == id))
}

/// Its bytes.
pub fn read(home: &Home, kept: &Kept) -> Result<Vec<u8>, HomeError> {
    home.read_bundle(&format!("{}.zip", kept.id))
}

/// Takes a bundle away; what is gone already is no error, so that it can be done again.
pub fn remove(home: &Home, id: &str) -> Result<(), HomeError> {
    for ending in ["json", "zip"] {
        remove_file(home, &format!("{id}.{ending}"))?;
    }
    Ok(())
}

fn remove_file(home: &Home, name: &str) -> Result<(), HomeError> {
    let path = home.path(FOLDER).join(name);
    match fs::remove_file(&path).and_then(|()| sync_folder(&path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(HomeError::Write { path, source: error })
        }
        _ => Ok(()),
    }
}

/// Takes away what a build that did not end left behind. Only while none runs: at a start.
pub fn sweep(home: &Home) -> Result<(), HomeError> {
    let names = names(home)?;
    let is_listed = |name: &str| {
        name.strip_suffix(".zip").is_none_or(|id| names.iter().any(|other| *other == format!("{id}.json")))
    };
    for name in &names {
        if name.ends_with(".new") || !is_listed(name) {
            remove_file(home, name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn kept(id: &str, made: &str) -> Kept {
        let question =
            serde_json::json!({"case": "C-1", "from": "2026-01-01T00:00:00Z", "to": "2026-12-31T00:00:00Z"});
        Kept {
            id: id.to_owned(),
            question: serde_json::from_value(question).unwrap(),
            by: Some("mary".to_owned()),
            made: made.to_owned(),
            sha256: "00".repeat(32),
            bytes: 3,
        }
    }

    #[test]
    fn a_bundle_is_listed_once_it_is_whole_and_what_a_crash_left_goes_at_the_next_start() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path().join("collector"));
        // A practice of an earlier version has no such folder.
        assert_eq!(list(&home).unwrap(), []);
        sweep(&home).unwrap();
        write(&home, "C-1-7", b"zip").unwrap();
        assert_eq!(list(&home).unwrap(), [], "not listed yet");
        list_it(&home, &kept("C-1-7", "2026-11-27T12:00:00Z")).unwrap();
        write(&home, "C-1-9", b"half").unwrap();
        fs::write(home.path("bundles/C-1-11.zip.new"), b"ha").unwrap();
        sweep(&home).unwrap();
        let mut left = names(&home).unwrap();
        left.sort();
        assert_eq!(left, ["C-1-7.json", "C-1-7.zip"]);
        let found = one(&home, "C-1-7").unwrap().unwrap();
        assert_eq!(read(&home, &found).unwrap(), b"zip");
        let mode = fs::metadata(home.path("bundles/C-1-7.zip")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        // Removed, and once more; and nothing outside the folder is ever meant.
        remove(&home, "C-1-7").unwrap();
        remove(&home, "C-1-7").unwrap();
        assert_eq!(one(&home, "C-1-7").unwrap(), None);
        for outside in ["../private/log", "", "a/b", "..", "C-1\0"] {
            assert_eq!(one(&home, outside).unwrap(), None, "{outside:?}");
        }
    }

    #[test]
    fn a_record_under_another_name_is_none_of_this_one_and_a_broken_one_is_left_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path());
        list_it(&home, &kept("C-1-7", "2026-11-27T12:00:00Z")).unwrap();
        fs::rename(home.path("bundles/C-1-7.json"), home.path("bundles/C-2-8.json")).unwrap();
        fs::write(home.path("bundles/C-3-9.json"), b"{").unwrap();
        assert_eq!(list(&home).unwrap(), []);
        assert!(home.path("bundles/C-3-9.json").exists());
    }
}
