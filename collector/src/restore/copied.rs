//! The copy as a restore reads it: nothing in it is believed before the practice key, the log key and the list's hashes have
//! spoken for it.

use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::hash::Hash;
use ntk_evidence::trust::TrustFile;
use ntk_segment::disk::Disk;
use ntk_segment::pointer::SegmentNumber;
use ntk_segment::put_back::PutBack;
use ntk_segment::reader::Form;
use std::path::Path;
use std::sync::Arc;

use super::RestoreError;
use crate::off_site::list::{self, Newest, Object};
use crate::off_site::settings::{self, Settings};
use crate::off_site::shelf::Shelf;
use crate::recovery::{NotOpened, RecoveryKeys, which};

/// A copy whose list leads to a checkpoint that the lost log signed.
pub(super) struct Copied {
    shelf: Box<dyn Shelf>,
    /// What lies there.
    pub(super) list: Newest,
    /// The trust file beside it.
    pub(super) trust: TrustFile,
    /// The log's last words in it.
    pub(super) checkpoint: Checkpoint,
}

impl Copied {
    /// Reads list and trust file; whether the practice key is the right one is the caller's to ask.
    pub(super) fn open(shelf: Box<dyn Shelf>) -> Result<Self, RestoreError> {
        let there = |name: &str| shelf.get(name)?.ok_or_else(|| RestoreError::Missing(name.to_owned()));
        let trust = TrustFile::parse(&there(list::TRUST)?)
            .map_err(|error| RestoreError::Copy(list::TRUST, error.to_string()))?;
        let list = Newest::parse(&there(list::NAME)?)
            .map_err(|error| RestoreError::Copy(list::NAME, error.to_string()))?;
        if list.slug != trust.slug.as_str() {
            return Err(RestoreError::Copy(list::NAME, "it is of another practice".to_owned()));
        }
        let signed = trust.checkpoint(list.checkpoint.as_bytes());
        let checkpoint = signed.map_err(|error| RestoreError::Copy(list::NAME, error.to_string()))?;
        if let Some(left) = list.left_out.first() {
            return Err(RestoreError::Hole(left.number));
        }
        let mut numbers = list.segments.iter().map(|object| object.number);
        let mut next = SegmentNumber::FIRST.value();
        if let Some(missing) = numbers.find_map(|number| {
            let missing = (number != next).then_some(next);
            next = number.saturating_add(1);
            missing
        }) {
            return Err(RestoreError::Hole(missing));
        }
        if list.segments.is_empty() {
            return Err(RestoreError::Hole(next));
        }
        Ok(Self { shelf, list, trust, checkpoint })
    }

    /// Puts every segment into a folder as it was.
    pub(super) fn put_back(
        &self,
        disk: Arc<dyn Disk>,
        dir: &Path,
        (recovery, newest): (&RecoveryKeys, &TrustFile),
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<PutBack, RestoreError> {
        let mut put_back = PutBack::begin(disk, dir).map_err(crate::ledger::LedgerError::from)?;
        let total = u64::try_from(self.list.segments.len()).unwrap_or(u64::MAX);
        for (done, object) in (0u64..).zip(&self.list.segments) {
            tell(done, total);
            let plain = self.segment(object, (recovery, newest))?;
            let number = SegmentNumber::new(object.number);
            put_back.put(number, form(object), &plain).map_err(crate::ledger::LedgerError::from)?;
        }
        tell(total, total);
        Ok(put_back)
    }

    fn segment(&self, object: &Object, keys: (&RecoveryKeys, &TrustFile)) -> Result<Vec<u8>, RestoreError> {
        let name = object.name();
        let sealed = self.shelf.get(&name)?.ok_or_else(|| RestoreError::Missing(name.clone()))?;
        self.open_sealed(&name, &sealed, (&object.sha256, &object.recipient), keys).and_then(|plain| {
            let is_whole = Hash::of(&plain).to_hex() == object.plain_sha256;
            is_whole.then_some(plain).ok_or(RestoreError::Changed(name))
        })
    }

    fn open_sealed(
        &self,
        name: &str,
        sealed: &[u8],
        (sha256, recipient): (&str, &str),
        (recovery, newest): (&RecoveryKeys, &TrustFile),
    ) -> Result<Vec<u8>, RestoreError> {
        if Hash::of(sealed).to_hex() != sha256 {
            return Err(RestoreError::Changed(name.to_owned()));
        }
        recovery.open(sealed).map_err(|error| {
            let why = match error {
                NotOpened::OtherKey => format!("it is encrypted to {}", which(recipient, newest)),
                error => error.to_string(),
            };
            RestoreError::Sealed(name.to_owned(), why)
        })
    }

    /// What stood beside the ledger. Without it there is no restore: machines know the authority that is in it.
    pub(super) fn settings(
        &self,
        recovery: &RecoveryKeys,
        newest: &TrustFile,
    ) -> Result<Settings, RestoreError> {
        let object = self.list.settings.as_ref().ok_or(RestoreError::NoSettings)?;
        let name = object.name();
        let sealed = self.shelf.get(&name)?.ok_or_else(|| RestoreError::Missing(name.clone()))?;
        let plain =
            self.open_sealed(&name, &sealed, (&object.sha256, &object.recipient), (recovery, newest))?;
        let settings = settings::open(&plain, &self.trust.slug, &self.trust.collector);
        let settings = settings.map_err(|error| RestoreError::Settings(error.to_string()))?;
        if settings::AUTHORITY.iter().all(|name| settings.files.contains_key(*name)) {
            Ok(settings)
        } else {
            Err(RestoreError::NoSettings)
        }
    }
}

/// The list was parsed: it names no other form.
fn form(object: &Object) -> Form {
    match object.form.as_str() {
        "segz" => Form::Sealed,
        "segp" => Form::Pruned,
        _ => Form::Plain,
    }
}
