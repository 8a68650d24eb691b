//! `check-package`: whether a package or program is one that the practice key announced, before anybody installs it.
//!
//! The agent installs nothing and fetches nothing: packages do that, by whoever keeps the machine. What is compared is the
//! file's own hash with a signed announcement ([`ntk_evidence::program`]); the practice key is the one of the trust file
//! that this machine was enrolled with, or of one that is named.
//!
//! A file cannot say what was signed after it: an announcement that was withdrawn since looks as before. So several files can be
//! named, withdrawals among them, and whoever is told "announced" is told of when that is.

use std::path::{Path, PathBuf};

use ntk_evidence::hash::Hash;
use ntk_evidence::program::withdrawal::Withdrawal;
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
    /// It is the program, or a package, that was announced, and none of the files that were named takes it back.
    Announced {
        /// Version and platform.
        what: String,
        /// When it was announced, RFC 3339: what the practice key signed since is not known from it.
        made: String,
    },
    /// The practice key took the announcement back.
    Withdrawn {
        /// Version and platform.
        what: String,
        /// Why.
        reason: String,
    },
    /// The announcement names other files.
    Other {
        /// SHA-256 of the file, hex.
        sha256: String,
        /// Version and platform of the announcement.
        announced: String,
    },
}

/// Compares a file with announcements and withdrawals; `trust` in the place of the one of this machine's identity.
pub fn check(
    file: &Path,
    announced: &[PathBuf],
    trust: Option<&Path>,
    dir: &Path,
) -> Result<Found, PackageError> {
    let trust_path = trust.map_or_else(|| IdentityFiles::of(dir).trust(), Path::to_owned);
    let trust = TrustFile::parse(&small(&trust_path)?)
        .map_err(|source| PackageError::Trust { path: trust_path, source })?;
    let (mut announcements, mut withdrawals) = (Vec::new(), Vec::new());
    for path in announced {
        let text = small(path)?;
        // `update show` writes the withdrawal in the place of what was withdrawn.
        if let Ok(withdrawal) = Withdrawal::parse(&text, &trust.slug, &trust.practice_key) {
            withdrawals.push(withdrawal);
            continue;
        }
        let announcement = Announcement::parse(&text, &trust.slug, &trust.practice_key)
            .map_err(|source| PackageError::Announcement { path: path.clone(), source })?;
        announcements.push(announcement);
    }
    let read = |source| PackageError::Read { path: file.to_owned(), source };
    let sha256 = std::fs::File::open(file).and_then(host::hash_of).map_err(read)?;
    let hash = Hash::from_hex(&sha256).ok();
    let what = |of: &Announcement| format!("{} for {}", of.version, of.platform);
    let is_it = |one: &&Announcement| hash.is_some_and(|hash| one.names(&hash));
    let in_force = |one: &&Announcement| !withdrawals.iter().any(|withdrawal| withdrawal.ends(one));
    if let Some(found) = announcements.iter().filter(is_it).find(in_force) {
        return Ok(Found::Announced { what: what(found), made: found.made.clone() });
    }
    if let Some(withdrawal) = withdrawals.iter().find(|one| is_it(&&one.of)) {
        return Ok(Found::Withdrawn { what: what(&withdrawal.of), reason: withdrawal.reason.clone() });
    }
    let others = announcements.iter().map(what);
    let others =
        others.chain(withdrawals.iter().map(|one| format!("{}, which was withdrawn", what(&one.of))));
    Ok(Found::Other { sha256, announced: others.collect::<Vec<_>>().join("; ") })
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
    fn a_package_is_the_announced_one_or_is_refused_with_its_hash_or_as_withdrawn() {
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
        let files = [at("announced")];
        let check = |file: &str, trust: Option<&Path>| check(&at(file), &files, trust, scratch.path());
        let found = Found::Announced {
            what: "0.2.0 for linux-x86_64".to_owned(),
            made: "2026-11-28T10:00:00Z".to_owned(),
        };
        assert_eq!(check("good.deb", None).unwrap(), found);
        assert!(
            matches!(check("changed.deb", None).unwrap(), Found::Other { sha256, .. } if sha256.len() == 64)
        );
        assert!(matches!(check("gone.deb", None), Err(PackageError::Read { .. })));
        // A machine that is not enrolled yet takes the trust file that it is given.
        std::fs::write(at("trust.txt"), trust()).unwrap();
        assert!(matches!(check("good.deb", Some(&at("trust.txt"))).unwrap(), Found::Announced { .. }));
        assert!(matches!(check("good.deb", Some(&at("good.deb"))), Err(PackageError::Trust { .. })));

        let withdrawal = Withdrawal { of: announcement.clone(), reason: "it loses events".to_owned() };
        std::fs::write(at("announced"), withdrawal.sign(&practice()).unwrap()).unwrap();
        assert_eq!(
            check("good.deb", None).unwrap(),
            Found::Withdrawn {
                what: "0.2.0 for linux-x86_64".to_owned(),
                reason: "it loses events".to_owned()
            }
        );
        assert!(matches!(check("changed.deb", None).unwrap(), Found::Other { .. }));

        let other = NoteSigner::new(practice().verifier().name(), KeyType::Ed25519, &[4; 32]).unwrap();
        std::fs::write(at("announced"), announcement.sign(&other).unwrap()).unwrap();
        let refused = check("good.deb", None).unwrap_err();
        assert!(refused.to_string().contains("announces nothing here"), "{refused}");
    }

    #[test]
    fn an_announcement_from_before_a_withdrawal_announces_nothing_beside_it_and_one_from_after_does() {
        let (scratch, _identity) = finished();
        let at = |name: &str| scratch.path().join(name);
        let announcement = |made: &str| Announcement {
            slug: trust_file().slug,
            version: "0.2.0".to_owned(),
            platform: "linux-x86_64".to_owned(),
            made: made.to_owned(),
            program: Hash::of(b"program"),
            packages: vec![Hash::of(b"package")],
        };
        let write = |name: &str, text: String| std::fs::write(at(name), text).unwrap();
        write("before", announcement("2026-11-28T10:00:00Z").sign(&practice()).unwrap());
        write("after", announcement("2026-11-30T10:00:00Z").sign(&practice()).unwrap());
        let other = Announcement {
            program: Hash::of(b"other"),
            packages: Vec::new(),
            ..announcement("2026-11-28T10:00:00Z")
        };
        write("other", other.sign(&practice()).unwrap());
        let taken_back = |of| Withdrawal { of, reason: "it loses events".to_owned() };
        write("withdrawn", taken_back(announcement("2026-11-29T10:00:00Z")).sign(&practice()).unwrap());
        let forged = NoteSigner::new(practice().verifier().name(), KeyType::Ed25519, &[4; 32]).unwrap();
        write("forged", taken_back(announcement("2026-11-29T10:00:00Z")).sign(&forged).unwrap());
        write("good.deb", "package".to_owned());
        let check = |names: &[&str]| {
            let files: Vec<PathBuf> = names.iter().map(|name| at(name)).collect();
            check(&at("good.deb"), &files, None, scratch.path())
        };
        assert!(matches!(check(&["before"]).unwrap(), Found::Announced { .. }), "alone it cannot know");
        for order in [["before", "withdrawn"], ["withdrawn", "before"]] {
            assert!(
                matches!(check(&order).unwrap(), Found::Withdrawn { reason, .. } if reason == "it loses events")
            );
        }
        let again = check(&["before", "withdrawn", "after"]).unwrap();
        assert!(
            matches!(again, Found::Announced { made, .. } if made == "2026-11-30T10:00:00Z"),
            "announced again"
        );
        let others = check(&["other"]).unwrap();
        assert!(matches!(others, Found::Other { announced, .. } if announced == "0.2.0 for linux-x86_64"));
        assert!(
            matches!(check(&["before", "forged"]), Err(PackageError::Announcement { .. })),
            "nobody else takes back"
        );
    }
}
