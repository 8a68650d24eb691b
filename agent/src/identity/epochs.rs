//! The seeds of this machine's signing keys: one file an epoch, and none of an epoch that is over.
//!
//! ```text
//! DIR/identity/epoch-<n>.key  0600  64 hex digits: the seed of the Ed25519 key that signs this machine's log in epoch n
//! ```
//! The next one is durable before the roll-over that names it; the old one goes at once after the roll-over is
//! durable: overwritten, synced, removed. So there are two files only from the one step to the other, and a start
//! finishes what a crash left: which epoch is current is what the log says, never a file here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntk_evidence::hash::hex;
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::{KeyType, NoteSigner};
use zeroize::Zeroizing;

use super::{IdentityError, IdentityFiles, modes, seed};
use crate::whole_file::{Files, Readable};

/// The secret half of a signing key; overwritten when it is let go.
pub type Seed = Zeroizing<[u8; 32]>;

/// The keys on disk.
#[derive(Clone, Debug)]
pub struct EpochKeys {
    identity: IdentityFiles,
    /// Name of the keys: the origin of this machine's log.
    origin: String,
    files: Arc<dyn Files>,
}

/// Number of the epoch that a file's name says.
pub(super) fn number_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.strip_prefix("epoch-")?.strip_suffix(".key")?;
    name.parse().ok().filter(|number: &u32| number.to_string() == name)
}

/// The seed as its file holds it.
pub(super) fn written(seed: &Seed) -> Zeroizing<String> {
    let mut text = Zeroizing::new(hex(&**seed));
    text.push('\n');
    text
}

impl EpochKeys {
    /// The keys of an identity.
    pub fn new(identity: IdentityFiles, slug: &Slug, author: &Author, files: Arc<dyn Files>) -> Self {
        Self { identity, origin: slug.author_origin(author), files }
    }

    /// Epochs of which there is a file, in their order.
    pub fn numbers(&self) -> Result<Vec<u32>, IdentityError> {
        self.identity.epochs()
    }

    /// The key of an epoch.
    pub fn signer(&self, epoch: u32) -> Result<NoteSigner, IdentityError> {
        let path = self.identity.epoch_key(epoch);
        modes::check_secret(&path)?;
        let seed: Seed = Zeroizing::new(seed(&*self.files, path.clone())?);
        self.named(&seed, path)
    }

    /// The key of an epoch that is to begin, durable. One that an earlier attempt left is used again: its roll-over
    /// may stand in the log although the disk reported otherwise.
    pub fn prepare(&self, epoch: u32) -> Result<NoteSigner, IdentityError> {
        match self.signer(epoch) {
            // A damaged one signed nothing: the log is still in the epoch before.
            Err(IdentityError::Missing { .. } | IdentityError::Damaged { .. }) => {}
            found => return found,
        }
        let mut seed: Seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(IdentityError::Random)?;
        let path = self.identity.epoch_key(epoch);
        self.files
            .replace(&path, written(&seed).as_bytes(), Readable::Secret)
            .map_err(|source| IdentityError::Write { path: path.clone(), source })?;
        self.named(&seed, path)
    }

    /// Overwrites, syncs and removes the seeds of every epoch before this one.
    pub fn forget_before(&self, epoch: u32) -> Result<(), IdentityError> {
        for old in self.numbers()?.into_iter().filter(|number| *number < epoch) {
            let path = self.identity.epoch_key(old);
            self.files.destroy(&path).map_err(|source| IdentityError::Write { path, source })?;
        }
        Ok(())
    }

    fn named(&self, seed: &Seed, path: PathBuf) -> Result<NoteSigner, IdentityError> {
        NoteSigner::new(&self.origin, KeyType::Ed25519, seed)
            .map_err(|error| IdentityError::Damaged { path, what: error.to_string() })
    }
}
