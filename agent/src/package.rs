//! `check-package`: whether a package or program is one that the practice key announced, before anybody installs it.
//!
//! The agent installs nothing and fetches nothing: packages do that, by whoever keeps the machine. What is compared is the
//! file's own hash with a signed announcement ([`ntk_evidence::program`]); the practice key is the one of the trust file
//! that this machine was enrolled with, or of one that is named.

use std::path::{Path, PathBuf};

use ntk_evidence::hash::Hash;
use ntk_evidence::program::{Announcement, AnnouncementError};
use ntk_evidence::trust::{TrustError, TrustFile};

use crate::host;
use crate::identity::IdentityFiles;

/// A trust file or announcement is small: more is none, bytes.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Whether a file may be installed is not known.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A file cannot be read.
    #[error("could not read `{path}`; check the path and permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The trust file is none.
    #[error("`{path}` is no trust file; name the practice's with --trust")]
    Trust {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TrustError,
    },
    /// The announcement is none, or the practice key did not sign it.
    #[error("`{path}` announces nothing here: {source}")]
    Announcement {
        /// The file.
        path: PathBuf,
        /// Why.
        source: AnnouncementError,
    },
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is the program, or a package, of this version and platform.
    Announced(String),
    /// The announcement names other files.
    Other {
        /// SHA-256 of the file, hex.
        sha256: String,
        /// Version and platform of the announcement.
        announced: String,
    },
}

/// Compares a file with an announcement; `trust` in the place of the one of this machine's identity.
pub fn check(file: &Path, announced: &Path, trust: Option<&Path>, dir: &Path) -> Result<Found, PackageError> {
    let trust_path = trust.map_or_else(|| IdentityFiles::of(dir).trust(), Path::to_owned);
    let trust = TrustFile::parse(&small(&trust_path)?)
        .map_err(|source| PackageError::Trust { path: trust_path, source })?;
    let announcement = Announcement::parse(&small(announced)?, &trust.slug, &trust.practice_key)
        .map_err(|source| PackageError::Announcement { path: announced.to_owned(), source })?;
    let read = |source| PackageError::Read { path: file.to_owned(), source };
    let sha256 = std::fs::File::open(file).and_then(host::hash_of).map_err(read)?;
    let what = format!("{} for {}", announcement.version, announcement.platform);
    Ok(match Hash::from_hex(&sha256).is_ok_and(|hash| announcement.names(&hash)) {
        true => Found::Announced(what),
        false => Found::Other { sha256, announced: what },
    })
}

fn small(path: &Path) -> Result<Vec<u8>, PackageError> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(TEXT_BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(|source| PackageError::Read { path: path.to_owned(), source })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::{finished, practice, trust, trust_file};
    use ntk_evidence::note::{KeyType, NoteSigner};

    #[test]
    fn a_package_is_the_announced_one_or_is_refused_with_its_hash() {
        let (scratch, _identity) = finished();
        let at = |name: &str| scratch.path().join(name);
        let announcement = Announcement {
            slug: trust_file().slug,
            version: "0.2.0".to_owned(),
            platform: "linux-x86_64".to_owned(),
            made: "2026-11-28T10:00:00Z".to_owned(),
            program: Hash::of(b"program"),
            packages: vec![Hash::of(b"package")],
        };
        std::fs::write(at("announced"), announcement.sign(&practice()).unwrap()).unwrap();
        std::fs::write(at("good.deb"), "package").unwrap();
        std::fs::write(at("changed.deb"), "Package").unwrap();
        let check =
            |file: &str, trust: Option<&Path>| check(&at(file), &at("announced"), trust, scratch.path());
        assert_eq!(check("good.deb", None).unwrap(), Found::Announced("0.2.0 for linux-x86_64".to_owned()));
        assert!(
            matches!(check("changed.deb", None).unwrap(), Found::Other { sha256, .. } if sha256.len() == 64)
        );
        assert!(matches!(check("gone.deb", None), Err(PackageError::Read { .. })));
        // A machine that is not enrolled yet takes the trust file that it is given.
        std::fs::write(at("trust.txt"), trust()).unwrap();
        assert!(matches!(check("good.deb", Some(&at("trust.txt"))).unwrap(), Found::Announced(_)));
        assert!(matches!(check("good.deb", Some(&at("good.deb"))), Err(PackageError::Trust { .. })));

        let other = NoteSigner::new(practice().verifier().name(), KeyType::Ed25519, &[4; 32]).unwrap();
        std::fs::write(at("announced"), announcement.sign(&other).unwrap()).unwrap();
        let refused = check("good.deb", None).unwrap_err();
        assert!(refused.to_string().contains("announces nothing here"), "{refused}");
    }
}
