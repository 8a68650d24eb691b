//! Encryption at rest: whoever images the collector's disk, or takes its backup, reads nothing that names people,
//! accounts or paths, and holds no signing key. Root on the running collector can read; nothing here prevents that.
//!
//! One random data key encrypts; [`keys`] derives from it a key for the segments, the query store, `private/` and
//! `reports/`. [`header`] holds it wrapped, in `at-rest.json`; [`source`] says where the key comes from that unwraps it.
//! [`unlock`] is done once by each program that opens the folder, and what it gives is part of
//! [`Home`](crate::home::Home) from then on. [`convert`] encrypts a folder that is in use, and decrypts it.
//!
//! Plain stay: `collector.toml`, `trust.txt`, certificates, `at-rest.json`, hashes of notes in `cache/hashes`, names,
//! sizes and times of files. Where there is no `at-rest.json` nothing is encrypted
//! here; whether the disk below is, [`luks`] looks.

pub mod convert;
pub mod header;
pub mod keys;
pub mod luks;
pub mod source;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ntk_segment::encrypted::PlainFiles;
use ntk_segment::error::SegmentError;

use self::header::{Header, State};
use self::keys::{Keys, SealError};
use self::source::{CREDENTIAL, PASSPHRASE_FILE, Secret, Source};
use crate::home::{Home, HomeError};
use crate::reviewer::LETTERS_MIN;

/// What is encrypted could not be opened, or not be made.
#[derive(Debug, thiserror::Error)]
pub enum AtRestError {
    /// The header.
    #[error(
        "`{}` cannot be used ({why}); put it back from a backup: it holds the key to everything that is encrypted",
        path.display()
    )]
    Header {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Another passphrase, credential or file.
    #[error("{}; nothing was changed", wrong(.0))]
    Wrong(Source),
    /// No passphrase.
    #[error(
        "the collector's data is encrypted with a passphrase, and none was given: type it at a terminal, write it to standard input, or name a file with it in {PASSPHRASE_FILE}"
    )]
    NoPassphrase,
    /// No credential.
    #[error(
        "the collector's data is encrypted with the systemd credential `{CREDENTIAL}`, which is not here: start the service that loads it and ask while it runs, or use systemd-run --property=LoadCredentialEncrypted={CREDENTIAL}:FILE"
    )]
    NoCredential,
    /// The medium is missing.
    #[error(
        "the collector's data is encrypted with the key in `{}`, which is not there: put in the medium that holds it, or, if it is mounted elsewhere now, run `ntk-collector at-rest change`",
        .0.display()
    )]
    NoFile(PathBuf),
    /// A secret that others can read.
    #[error(
        "`{path}` can be read by other accounts; run: {closing} (a FAT medium: {})",
        crate::system::CLOSING_FAT,
        path = .0.display(),
        closing = crate::system::closing(.0)
    )]
    Loose(PathBuf),
    /// The key beside what it opens.
    #[error(
        "`{}` lies in the collector's own folder: whoever copies that has the key, too; name a file on removable media",
        .0.display()
    )]
    Inside(PathBuf),
    /// Too short or too long.
    #[error("a passphrase has at least {LETTERS_MIN} letters; four or five words do well")]
    Weak,
    /// Typed differently.
    #[error("the two passphrases are not the same; nothing was changed")]
    Twice,
    /// The terminal or standard input.
    #[error("the passphrase could not be read")]
    Terminal(#[source] io::Error),
    /// argon2id.
    #[error("the key could not be derived from the passphrase: {0}")]
    Derive(String),
    /// The recovery key.
    #[error("the recovery key does not help here: {0}")]
    Recovery(String),
    /// Nobody unlocked.
    #[error("the collector's data is encrypted and was not unlocked")]
    NotUnlocked,
    /// Nothing to change.
    #[error("the collector's data is not encrypted; begin with `ntk-collector at-rest on`")]
    NotEncrypted,
    /// Under way in the other direction.
    #[error("the folder is still being decrypted; finish that with `ntk-collector at-rest off`")]
    Decrypting,
    /// Encrypting.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Files.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Segments.
    #[error("the ledger's files could not be written again")]
    Segment(#[from] SegmentError),
}

fn wrong(source: &Source) -> String {
    match source {
        Source::Passphrase => "that is not the passphrase of the collector's data".to_owned(),
        Source::Credential => format!("the credential `{CREDENTIAL}` is not the key of the collector's data"),
        Source::File(path) => format!("`{}` does not hold the key of the collector's data", path.display()),
    }
}

/// The folder with the keys to what is encrypted in it; as it is where nothing is. The secret is asked for here, once.
pub fn unlock(home: Home) -> Result<Home, AtRestError> {
    let Some(header) = Header::read(&home)? else { return Ok(home) };
    let secret = source::obtain(&header.source(), &home, None)?;
    unlock_with(home, &header, &Opening::Secret(secret))
}

/// What opens an encrypted folder.
#[derive(Debug)]
pub enum Opening {
    /// What it is encrypted with.
    Secret(Secret),
    /// The practice's recovery key, where that is forgotten or lost.
    RecoveryKey(Box<zeroize::Zeroizing<[u8; 32]>>),
}

impl Opening {
    fn data_key(&self, header: &Header) -> Result<keys::Key, AtRestError> {
        match self {
            Self::Secret(secret) => header.unwrap(secret),
            Self::RecoveryKey(key) => header.recover(key),
        }
    }
}

/// [`unlock`] with what is known already.
pub fn unlock_with(home: Home, header: &Header, opening: &Opening) -> Result<Home, AtRestError> {
    let data_key = opening.data_key(header)?;
    Ok(with_keys(home, &data_key, header.state))
}

fn with_keys(home: Home, data_key: &keys::Key, state: State) -> Home {
    crate::system::keep_memory();
    let plain_files = match state {
        State::Encrypted => PlainFiles::Refused,
        State::Encrypting | State::Decrypting => PlainFiles::Accepted,
    };
    home.with_keys(Arc::new(Keys::new(data_key, plain_files)))
}

/// How the folder is kept, in a sentence for `check`, `status` and reviews; it names no path.
pub fn sentence(home: &Home) -> Result<&'static str, AtRestError> {
    Ok(match Header::read(home)? {
        None if luks::is_under(home.dir()) => {
            "The ledger is NOT encrypted by the collector; the disk it stands on is (LUKS): whoever takes that disk without its key reads nothing, whoever reads it while it is open, or takes a backup then, reads everything."
        }
        None => {
            "The ledger is NOT encrypted at rest: whoever copies the collector's disk, or a backup of it, reads everything."
        }
        Some(header) => match (header.state, header.source()) {
            (State::Encrypting, _) => {
                "The ledger is being encrypted; parts of it can still be read on the collector's disk. The next start goes on."
            }
            (State::Decrypting, _) => "The ledger is being decrypted. The next start goes on.",
            (State::Encrypted, Source::Passphrase) => {
                "The ledger is encrypted at rest; its key comes from a passphrase that somebody types at each start."
            }
            (State::Encrypted, Source::Credential) => {
                "The ledger is encrypted at rest; its key comes from a systemd credential."
            }
            (State::Encrypted, Source::File(_)) => {
                "The ledger is encrypted at rest; its key is a file outside of the collector's folder."
            }
        },
    })
}
