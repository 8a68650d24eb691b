//! Decoys: a mailbox and an export that nobody has a reason to open. Whoever touches one is reported.
//!
//! A decoy is a folder with files of synthetic content and ordinary names. It is watched like any other folder; its
//! events bear a mark. A folder that is there already is left as it is: nothing of anybody's is written over.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ntk_evidence::event::Class;
use tracing::warn;

use crate::config;
use crate::watch_list::{Watch, WatchError, WatchList};
use crate::whole_file::{Files, Readable};

/// Patients that are nobody: names, numbers and addresses that are reserved for examples.
const TABLE: &str = "\
MRN,Last Name,First Name,DOB,SSN,Phone,Diagnosis
000-0001,Example,Alex,1900-01-01,000-00-0001,555-0100,Z00.00
000-0002,Sample,Robin,1900-01-02,000-00-0002,555-0101,Z00.00
000-0003,Specimen,Kim,1900-01-03,000-00-0003,555-0102,Z00.00
";

const DOCUMENT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
  <title>Example summary of care</title>
  <recordTarget><patientRole><patient><name><given>Alex</given><family>Example</family></name></patient></patientRole></recordTarget>
</ClinicalDocument>
"#;

const MAIL: &str = "\
From alex@example.invalid Mon Jan 07 09:00:00 2019
From: Alex Example <alex@example.invalid>
To: Robin Sample <robin@example.invalid>
Date: Mon, 7 Jan 2019 09:00:00 +0000
Message-ID: <1@example.invalid>
Subject: example

This is an example.

";

/// The decoy could not be made or written down.
#[derive(Debug, thiserror::Error)]
pub enum DecoyError {
    /// Something else is there.
    #[error("`{0}` is there already and not a decoy; name a folder that does not exist yet")]
    There(PathBuf),
    /// Not a path that can be watched.
    #[error(transparent)]
    Path(#[from] WatchError),
    /// It cannot be written.
    #[error("could not write `{path}`; check permissions and free space")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
}

fn files(class: &Class) -> &'static [(&'static str, &'static str)] {
    match class {
        Class::Mailbox => &[("Inbox", MAIL), ("Archive", MAIL)],
        _ => &[("patients-2019.csv", TABLE), ("summary-2019.xml", DOCUMENT)],
    }
}

/// Makes the folder and its files. One that was begun is finished; another one is refused.
pub fn plant(path: &Path, class: &Class) -> Result<(), DecoyError> {
    let failed = |path: &Path, source| DecoyError::Write { path: path.to_owned(), source };
    let wanted = files(class);
    match fs::read_dir(path) {
        Ok(entries) => {
            let is_ours = |name: &std::ffi::OsStr| wanted.iter().any(|(file, _)| name == *file);
            if !entries.flatten().all(|entry| is_ours(&entry.file_name())) {
                return Err(DecoyError::There(path.to_owned()));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path).map_err(|source| failed(path, source))?;
        }
        Err(_) => return Err(DecoyError::There(path.to_owned())),
    }
    for (name, content) in wanted {
        let file = path.join(name);
        // Never over a file that is there, not even our own: somebody may have put it there meanwhile.
        match File::create_new(&file) {
            Ok(mut new) => new.write_all(content.as_bytes()).map_err(|source| failed(&file, source))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed(&file, source)),
        }
    }
    Ok(())
}

/// Makes those decoys of a list that are not there.
pub fn plant_missing(watches: &WatchList) {
    for watch in watches.iter().filter(|watch| watch.is_decoy && !Path::new(&watch.path).exists()) {
        if plant(Path::new(&watch.path), &watch.class).is_err() {
            warn!("a decoy of the configuration could not be made; run `ntk-agent check`");
        }
    }
}

/// Makes a decoy and writes it into the configuration; a running agent reads that at once. The files come first, so that
/// making them is no access. Done again, it finishes what was begun.
pub fn plant_and_list(dir: &Path, path: &str, class: Class, files: &dyn Files) -> Result<Watch, DecoyError> {
    let watch = Watch::new(path, class, None)?.as_decoy();
    let file = config::path_in(dir);
    let known = config::load(&file)?;
    if let Some(other) = known.watches.iter().find(|known| known.path == watch.path && !known.is_decoy) {
        return Err(DecoyError::There(PathBuf::from(&other.path)));
    }
    let is_listed = known.watches.iter().any(|known| known.path == watch.path);
    if is_listed {
        return Ok(watch);
    }
    plant(Path::new(&watch.path), &watch.class)?;
    let failed = |source| DecoyError::Write { path: file.clone(), source };
    let text = fs::read_to_string(&file).map_err(failed)?;
    let quoted = toml::Value::String(watch.path.clone());
    let text = format!("{}\n\n[[decoy]]\npath = {quoted}\nclass = \"{}\"\n", text.trim_end(), watch.class);
    // What would not be read again is not written.
    config::parse(&text, &file)?;
    files.replace(&file, text.as_bytes(), Readable::ByOwner).map_err(failed)?;
    Ok(watch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whole_file::RealFiles;

    #[test]
    fn a_decoy_is_planted_listed_and_left_alone_afterwards() {
        let scratch = tempfile::tempdir().unwrap();
        let config = config::path_in(scratch.path());
        fs::write(&config, "keepalive_s = 7\n[sensor]\naudit = false\n").unwrap();
        let decoy = scratch.path().join("2019 \"old\"");
        let text = decoy.to_str().unwrap();
        let plant = || plant_and_list(scratch.path(), text, Class::Mailbox, &RealFiles);
        assert!(plant().unwrap().is_decoy);
        let known = config::load(&config).unwrap();
        assert_eq!(known.watches.iter().map(|watch| watch.is_decoy).collect::<Vec<_>>(), [true]);
        assert_eq!(known.keepalive, std::time::Duration::from_secs(7));
        let before = fs::read(&config).unwrap();
        plant().unwrap();
        assert_eq!(fs::read(&config).unwrap(), before, "once");
        assert_eq!(fs::read_dir(&decoy).unwrap().count(), 2);
        fs::remove_file(decoy.join("Inbox")).unwrap();
        plant_missing(&known.watches);
        assert!(!decoy.join("Inbox").exists(), "a folder that is there is left as it is");
        fs::remove_dir_all(&decoy).unwrap();
        plant_missing(&known.watches);
        assert!(decoy.join("Inbox").exists());
    }

    #[test]
    fn nothing_of_anybodys_is_written_over() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(config::path_in(scratch.path()), "[[watch]]\npath = \"/srv/mail\"\nclass = \"mailbox\"\n")
            .unwrap();
        let full = scratch.path().join("full");
        fs::create_dir(&full).unwrap();
        fs::write(full.join("mine"), "x").unwrap();
        for path in [full.to_str().unwrap(), full.join("mine").to_str().unwrap(), "/srv/mail", "relative"] {
            assert!(plant_and_list(scratch.path(), path, Class::Export, &RealFiles).is_err(), "{path}");
        }
        assert_eq!(fs::read(full.join("mine")).unwrap(), b"x");
        // A planting that broke off is finished.
        let begun = scratch.path().join("begun");
        fs::create_dir(&begun).unwrap();
        fs::write(begun.join("patients-2019.csv"), "cut").unwrap();
        plant_and_list(scratch.path(), begun.to_str().unwrap(), Class::Export, &RealFiles).unwrap();
        assert_eq!(fs::read(begun.join("patients-2019.csv")).unwrap(), b"cut");
        assert!(begun.join("summary-2019.xml").exists());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_decoy_looks_like_what_it_stands_for() {
        for class in [Class::Mailbox, Class::Export] {
            for (name, content) in files(&class) {
                let looks = crate::discover::recognise::recognise(content.as_bytes());
                assert_eq!(looks.map(|looks| looks.class()), Some(class.clone()), "{name}");
            }
        }
    }
}
