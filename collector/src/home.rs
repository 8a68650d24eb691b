//! The collector's folder: what lies where, and how its small files are written.
//!
//! ```text
//! collector.toml        configuration, read at start and when it changes
//! trust.txt             who is trusted for what, signed by the practice key
//! ledger/               segments: the only truth
//! private/              keys, certificates and what waits to be sent (outbox-*.json), readable by the owner alone
//! at-rest.json          the wrapped key to what is encrypted; nothing is where it is absent
//! cache/                sled and stored hashes: may be deleted at any time
//! reports/              weekly reviews as they were made
//! bundles/              evidence bundles that were built in the console, until somebody removes them
//! off-site.json         what was copied off-site last: working memory
//! admin.sock            the JSON API for the command line, while the collector runs; on Windows `admin.pipe`
//! ```
//! Where several collectors share a ledger, passphrases, accounts, tokens of help desks and kept reviews are copies of what
//! all of them have ([`crate::in_common`]).
//! Segments, query store, secrets, kept reviews and bundles go through here, so that they are encrypted at rest where the
//! practice is ([`crate::at_rest`]).

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntk_segment::disk::{Disk, RealDisk};

use crate::at_rest::keys::{Keys, Room, StoreSeal, is_sealed};
use crate::in_common::InCommon;
use crate::ledger::database::DatabaseError;
use crate::system;

/// The collector's folder, and the keys to what is encrypted in it.
#[derive(Clone, Debug)]
pub struct Home {
    dir: PathBuf,
    keys: Option<Arc<Keys>>,
    common: Option<Arc<InCommon>>,
}

/// A file of the collector's folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Reading failed.
    #[error("could not read `{}`", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Writing failed.
    #[error("could not write `{}`; check free space and permissions", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A secret can be read by others.
    #[error("`{}` can be read by other accounts; run: {}", path.display(), system::closing(path))]
    Loose {
        /// Which file.
        path: PathBuf,
    },
    /// A key file does not hold 32 bytes in hex.
    #[error("`{}` does not hold a key of 64 hex digits", path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
    /// Encrypted, and nobody unlocked.
    #[error(
        "`{}` is encrypted, and `at-rest.json`, which says with what, is not there; put it back from a backup",
        path.display()
    )]
    Encrypted {
        /// Which file.
        path: PathBuf,
    },
    /// Plain where everything is encrypted.
    #[error(
        "`{}` is not encrypted, and everything else here is; where you put it back yourself, run `ntk-collector at-rest on` again",
        path.display()
    )]
    NotEncrypted {
        /// Which file.
        path: PathBuf,
    },
    /// What collectors have in common could not be read or written.
    #[error("`{name}`, which the collectors have in common, was not changed")]
    Common {
        /// Which file.
        name: String,
        /// Why.
        source: Box<DatabaseError>,
    },
    /// It was changed, or is of another name or key.
    #[error(
        "`{}` does not open with this collector's key: it was changed, or is another file; put it back from a backup",
        path.display()
    )]
    DoesNotOpen {
        /// Which file.
        path: PathBuf,
    },
}

impl Home {
    /// The folder at this path.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), keys: None, common: None }
    }

    /// The same folder, unlocked.
    pub fn with_keys(self, keys: Arc<Keys>) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// The same folder, of one collector of several: what they have in common goes through the database.
    #[must_use]
    pub fn with_in_common(self, common: Arc<InCommon>) -> Self {
        Self { common: Some(common), ..self }
    }

    /// What this collector has in common with others; nothing where the ledger is in files.
    pub const fn in_common(&self) -> Option<&Arc<InCommon>> {
        self.common.as_ref()
    }

    /// What unlocked it.
    pub const fn keys(&self) -> Option<&Arc<Keys>> {
        self.keys.as_ref()
    }

    /// The disk that the segments are on.
    pub fn disk(&self) -> Arc<dyn Disk> {
        self.keys.as_ref().map_or_else(|| Arc::new(RealDisk) as Arc<dyn Disk>, |keys| keys.disk())
    }

    /// What seals the query store.
    pub fn store_seal(&self) -> Option<Arc<StoreSeal>> {
        self.keys.as_ref().map(|keys| keys.store())
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path below it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.path("collector.toml")
    }

    /// The trust file.
    pub fn trust(&self) -> PathBuf {
        self.path("trust.txt")
    }

    /// The segments.
    pub fn ledger(&self) -> PathBuf {
        self.path("ledger")
    }

    /// What may be deleted.
    pub fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    /// The socket of the admin API.
    pub fn socket(&self) -> PathBuf {
        self.path(system::SOCKET)
    }

    /// A secret's path.
    pub fn private(&self, name: &str) -> PathBuf {
        self.path("private").join(name)
    }

    /// Makes the folders.
    pub fn create(&self) -> Result<(), HomeError> {
        for (dir, mode) in [
            (self.dir.clone(), 0o750),
            (self.path("private"), 0o700),
            (self.ledger(), 0o700),
            (self.cache(), 0o700),
            (self.path("reports"), 0o700),
            (self.path("bundles"), 0o700),
        ] {
            create_folder(&dir, mode)?;
        }
        Ok(())
    }

    /// Writes a secret of 32 bytes as hex.
    pub fn write_key(&self, name: &str, seed: &[u8; 32]) -> Result<(), HomeError> {
        let text = zeroize::Zeroizing::new(format!("{}\n", ntk_evidence::hash::hex(seed)));
        self.write_secret(name, text.as_bytes())
    }

    /// Writes a secret.
    pub fn write_secret(&self, name: &str, content: &[u8]) -> Result<(), HomeError> {
        self.write_small(Room::Private, name, content)
    }

    /// Reads a secret text, changes it and writes it. Where collectors have it in common, what all of them have is
    /// changed; of two changes that meet, one is made again on top of the other.
    ///
    /// # Errors
    /// As `change` says; when the file or the database fails.
    pub fn change_secret<T, E: From<HomeError>>(
        &self,
        name: &'static str,
        mut change: impl FnMut(Option<&str>) -> Result<(T, Vec<u8>), E>,
    ) -> Result<T, E> {
        if let Some(common) = &self.common {
            return common.change(name, &mut change);
        }
        let before = self.find_secret(name)?;
        let (changed, text) = change(before.as_deref())?;
        self.write_secret(name, &text)?;
        Ok(changed)
    }

    /// Reads a secret text where there is one.
    pub fn find_secret(&self, name: &str) -> Result<Option<String>, HomeError> {
        if self.private(name).exists() { self.read_secret(name).map(Some) } else { Ok(None) }
    }

    /// Writes a review as it was made, where all collectors find it.
    pub fn write_report(&self, name: &str, content: &[u8]) -> Result<(), HomeError> {
        if let Some(common) = &self.common {
            common.keep_review(name, content)?;
        }
        self.write_small(Room::Reports, name, content)
    }

    /// Reads a review that was kept.
    pub fn read_report(&self, name: &str) -> Result<Vec<u8>, HomeError> {
        self.read_small(Room::Reports, name)
    }

    /// Writes a file of a bundle that is kept. A practice of an earlier version has no folder for it yet.
    pub fn write_bundle(&self, name: &str, content: &[u8]) -> Result<(), HomeError> {
        create_folder(&self.path(Room::Bundles.folder()), 0o700)?;
        self.write_small(Room::Bundles, name, content)
    }

    /// Reads a file of a bundle that is kept.
    pub fn read_bundle(&self, name: &str) -> Result<Vec<u8>, HomeError> {
        self.read_small(Room::Bundles, name)
    }

    fn write_small(&self, room: Room, name: &str, content: &[u8]) -> Result<(), HomeError> {
        let path = self.path(room.folder()).join(name);
        match &self.keys {
            None => write_file(&path, content, 0o600),
            Some(keys) => {
                let failed = |error| HomeError::Write { path: path.clone(), source: io::Error::other(error) };
                write_file(&path, &keys.seal(room, name, content).map_err(failed)?, 0o600)
            }
        }
    }

    fn read_small(&self, room: Room, name: &str) -> Result<Vec<u8>, HomeError> {
        let path = self.path(room.folder()).join(name);
        let bytes = fs::read(&path).map_err(|source| HomeError::Read { path: path.clone(), source })?;
        match (&self.keys, is_sealed(&bytes)) {
            (None, false) => Ok(bytes),
            (None, true) => Err(HomeError::Encrypted { path }),
            (Some(keys), false) if keys.accepts_plain() => Ok(bytes),
            (Some(_), false) => Err(HomeError::NotEncrypted { path }),
            (Some(keys), true) => keys.open(room, name, &bytes).ok_or(HomeError::DoesNotOpen { path }),
        }
    }

    /// Reads a secret of 32 bytes.
    pub fn read_key(&self, name: &str) -> Result<[u8; 32], HomeError> {
        let path = self.private(name);
        let text = self.read_secret(name)?;
        let seed = ntk_evidence::hash::unhex(text.trim()).and_then(|bytes| bytes.try_into().ok());
        seed.ok_or(HomeError::NotAKey { path })
    }

    /// Reads a secret text and refuses one that others can read.
    pub fn read_secret(&self, name: &str) -> Result<String, HomeError> {
        let path = self.private(name);
        let content = self.read_small(Room::Private, name)?;
        let not_text = |error| HomeError::Read { path: path.clone(), source: io::Error::other(error) };
        let text = String::from_utf8(content).map_err(not_text)?;
        match system::is_loose_at(&path) {
            Ok(false) => Ok(text),
            Ok(true) => Err(HomeError::Loose { path }),
            Err(source) => Err(HomeError::Read { path, source }),
        }
    }
}

/// Makes a folder, and those above it.
pub fn create_folder(dir: &Path, mode: u32) -> Result<(), HomeError> {
    system::make_folder(dir, mode).map_err(|source| HomeError::Write { path: dir.to_owned(), source })
}

/// Reads a text file.
pub fn read_text(path: &Path) -> Result<String, HomeError> {
    fs::read_to_string(path).map_err(|source| HomeError::Read { path: path.to_owned(), source })
}

/// Writes a whole file: beside it, synced, then renamed over it, then the folder synced.
pub fn write_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), HomeError> {
    let attempt = || {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let _ = fs::remove_file(&beside);
        let mut file = system::create_new(&beside, mode)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(path)
    };
    attempt().map_err(|source| HomeError::Write { path: path.to_owned(), source })
}

/// Makes a file's name durable: after a power cut a new file may have contents but no name.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => RealDisk.sync_folder(Path::new(".")),
        Some(parent) => RealDisk.sync_folder(parent),
        None => Ok(()),
    }
}

/// 32 random bytes from the kernel.
pub fn random() -> Result<[u8; 32], HomeError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| HomeError::Read {
        path: "the kernel's random numbers".into(),
        source: io::Error::other(error.to_string()),
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_names_patients_or_keys_is_closed_to_other_accounts_and_a_loose_key_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path().join("collector"));
        home.create().unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for folder in ["ledger", "cache", "private", "reports", "bundles"] {
            assert_eq!(mode(home.path(folder)), 0o700, "{folder}");
        }
        home.write_key("log.key", &[7; 32]).unwrap();
        assert_eq!(mode(home.private("log.key")), 0o600);
        assert_eq!(home.read_key("log.key").unwrap(), [7; 32]);
        fs::set_permissions(home.private("log.key"), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(home.read_key("log.key"), Err(HomeError::Loose { .. })));
    }

    #[test]
    fn secrets_and_reviews_are_sealed_where_the_folder_is_unlocked_and_plain_ones_are_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let plain = Home::new(scratch.path());
        plain.create().unwrap();
        plain.write_key("old.key", &[6; 32]).unwrap();
        let home = plain.clone().with_keys(Arc::new(crate::at_rest::keys::for_tests(1)));
        home.write_key("log.key", &[7; 32]).unwrap();
        home.write_report("week.html", b"Mary").unwrap();
        assert_eq!(home.read_key("log.key").unwrap(), [7; 32]);
        assert_eq!(home.read_report("week.html").unwrap(), b"Mary");
        let on_disk = fs::read(home.private("log.key")).unwrap();
        assert!(is_sealed(&on_disk) && is_sealed(&fs::read(home.path("reports/week.html")).unwrap()));
        assert!(matches!(plain.read_key("log.key"), Err(HomeError::Encrypted { .. })));
        assert!(matches!(home.read_key("old.key"), Err(HomeError::NotEncrypted { .. })));
        let other = plain.with_keys(Arc::new(crate::at_rest::keys::for_tests(2)));
        assert!(matches!(other.read_key("log.key"), Err(HomeError::DoesNotOpen { .. })));
        write_file(&home.private("bundle.key"), &on_disk, 0o600).unwrap();
        assert!(matches!(home.read_key("bundle.key"), Err(HomeError::DoesNotOpen { .. })), "another's name");
        write_file(&home.private("log.key"), &on_disk, 0o640).unwrap();
        assert!(matches!(home.read_key("log.key"), Err(HomeError::Loose { .. })));
    }
}
