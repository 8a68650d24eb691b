//! The folder of a log: names of files, the lock, and the steps that make a file appear or vanish durably.
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, HeldLock, Locking};
use crate::error::SegmentError;
use crate::pointer::SegmentNumber;

const LOCK_NAME: &str = "lock";
const TEMPORARY: &str = ".tmp";
const NUMBER_DIGITS: usize = 20;

/// How a segment lies on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// `.seg`: frames as they were written.
    Plain,
    /// `.segz`: compressed, finished for good.
    Sealed,
    /// `.segp`: compressed, without the entries whose retention is over.
    Pruned,
    /// `.seg.quarantined`: damaged, set aside by a person.
    QuarantinedPlain,
    /// `.segz.quarantined`: damaged after sealing, set aside by a person.
    QuarantinedSealed,
}

impl Form {
    const ALL: [Self; 5] =
        [Self::Plain, Self::Sealed, Self::Pruned, Self::QuarantinedPlain, Self::QuarantinedSealed];

    /// What stands behind the number in the file's name.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Plain => ".seg",
            Self::Sealed => ".segz",
            Self::Pruned => ".segp",
            Self::QuarantinedPlain => ".seg.quarantined",
            Self::QuarantinedSealed => ".segz.quarantined",
        }
    }

    /// Whether a person set the file aside.
    #[must_use]
    pub fn is_quarantined(self) -> bool {
        matches!(self, Self::QuarantinedPlain | Self::QuarantinedSealed)
    }

    /// Whether the bytes are those of a sealed file.
    #[must_use]
    pub fn is_sealed(self) -> bool {
        matches!(self, Self::Sealed | Self::Pruned | Self::QuarantinedSealed)
    }
}

/// The forms in which each segment is there, oldest first. Readers prefer the first form.
pub(crate) type Listing = BTreeMap<SegmentNumber, Vec<Form>>;

/// The folder, and the disk it is on.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(disk: Arc<dyn Disk>, path: &Path) -> Self {
        Self { disk, path: path.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn path_of(&self, segment: SegmentNumber, form: Form) -> PathBuf {
        self.path.join(format!("{segment}{}", form.suffix()))
    }

    pub(crate) fn temporary_path_of(&self, segment: SegmentNumber, form: Form) -> PathBuf {
        self.path.join(format!("{segment}{}{TEMPORARY}", form.suffix()))
    }

    /// Makes the folder if need be.
    pub(crate) fn create(&self) -> Result<(), SegmentError> {
        self.disk.create_folder(&self.path).map_err(|source| self.folder_error(source))
    }

    // INVARIANT SP-3: whoever writes holds this lock, and the kernel gives it to one process at a time.
    pub(crate) fn lock(&self) -> Result<Box<dyn HeldLock>, SegmentError> {
        let path = self.path.join(LOCK_NAME);
        match self.disk.lock(&path) {
            Ok(Locking::Held(lock)) => Ok(lock),
            Ok(Locking::Busy) => Err(SegmentError::Locked { path }),
            Err(source) => Err(SegmentError::Lock { path, source }),
        }
    }

    pub(crate) fn list(&self) -> Result<Listing, SegmentError> {
        let mut listing = Listing::new();
        for name in self.names()? {
            if let Some((segment, form)) = parse(&name) {
                listing.entry(segment).or_default().push(form);
            }
        }
        for forms in listing.values_mut() {
            forms.sort_unstable();
        }
        Ok(listing)
    }

    /// Removes files that a crash left without their final name.
    pub(crate) fn remove_temporaries(&self) -> Result<(), SegmentError> {
        for name in self.names()? {
            if name.strip_suffix(TEMPORARY).is_some_and(|whole| parse(whole).is_some()) {
                self.remove(&self.path.join(name))?;
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>, SegmentError> {
        self.disk.list(&self.path).map_err(|source| self.folder_error(source))
    }

    fn folder_error(&self, source: io::Error) -> SegmentError {
        SegmentError::Folder { path: self.path.clone(), source }
    }

    /// Opens a segment for reading; `None` when it is not there in this form.
    pub(crate) fn open_read(
        &self,
        segment: SegmentNumber,
        form: Form,
    ) -> Result<Option<Box<dyn DiskFile>>, SegmentError> {
        let path = self.path_of(segment, form);
        match self.disk.open_read(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SegmentError::Read { path, source }),
        }
    }

    pub(crate) fn open_write(&self, segment: SegmentNumber) -> Result<Box<dyn DiskFile>, SegmentError> {
        let path = self.path_of(segment, Form::Plain);
        self.disk.open_write(&path).map_err(|source| SegmentError::Write { path, source })
    }

    /// Makes a file under its temporary name.
    pub(crate) fn create_temporary(
        &self,
        segment: SegmentNumber,
        form: Form,
    ) -> Result<Box<dyn DiskFile>, SegmentError> {
        let path = self.temporary_path_of(segment, form);
        self.disk.create(&path).map_err(|source| SegmentError::Write { path, source })
    }

    /// Gives a temporary file, whose content is already durable, its final name.
    pub(crate) fn publish(&self, segment: SegmentNumber, form: Form) -> Result<(), SegmentError> {
        self.rename(&self.temporary_path_of(segment, form), &self.path_of(segment, form))
    }

    /// Makes a segment file with this content appear, whole or not at all.
    pub(crate) fn write_new(
        &self,
        segment: SegmentNumber,
        content: &[u8],
    ) -> Result<Box<dyn DiskFile>, SegmentError> {
        let path = self.temporary_path_of(segment, Form::Plain);
        let mut file = self.create_temporary(segment, Form::Plain)?;
        file.write_at(content, 0).map_err(|source| SegmentError::Write { path: path.clone(), source })?;
        file.sync_data().map_err(|source| SegmentError::Sync { path, source })?;
        self.publish(segment, Form::Plain)?;
        Ok(file)
    }

    /// Renames, durably.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), SegmentError> {
        self.disk
            .rename(from, to)
            .map_err(|source| SegmentError::Rename { path: from.to_owned(), source })?;
        // Sync the folder too: after a power cut a file may have contents but no name.
        self.sync()
    }

    /// Removes, durably.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), SegmentError> {
        match self.disk.remove(path) {
            Ok(()) => self.sync(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(SegmentError::Remove { path: path.to_owned(), source }),
        }
    }

    pub(crate) fn sync(&self) -> Result<(), SegmentError> {
        self.disk
            .sync_folder(&self.path)
            .map_err(|source| SegmentError::Sync { path: self.path.clone(), source })
    }

    /// All bytes of a segment's file; `None` when it is not there in this form.
    pub(crate) fn read_whole(
        &self,
        segment: SegmentNumber,
        form: Form,
    ) -> Result<Option<Vec<u8>>, SegmentError> {
        let Some(file) = self.open_read(segment, form)? else { return Ok(None) };
        let read = || {
            let mut bytes = vec![0; usize::try_from(file.size()?).map_err(io::Error::other)?];
            let n_read = file.read_at(&mut bytes, 0)?;
            bytes.truncate(n_read);
            Ok(bytes)
        };
        read().map(Some).map_err(|source| SegmentError::Read { path: self.path_of(segment, form), source })
    }

    /// The bytes a segment takes on the disk in one form.
    pub(crate) fn size_of(&self, segment: SegmentNumber, form: Form) -> Result<u64, SegmentError> {
        match self.open_read(segment, form)? {
            Some(file) => {
                file.size().map_err(|source| SegmentError::Read { path: self.path_of(segment, form), source })
            }
            None => Ok(0),
        }
    }

    /// The bytes on the disk of all segments before this one, in all forms.
    pub(crate) fn bytes_before(&self, segment: SegmentNumber) -> Result<u64, SegmentError> {
        let mut total = 0_u64;
        for (number, forms) in self.list()?.range(..segment) {
            for form in forms {
                total = total.saturating_add(self.size_of(*number, *form)?);
            }
        }
        Ok(total)
    }
}

fn parse(name: &str) -> Option<(SegmentNumber, Form)> {
    let (digits, suffix) = name.split_at_checked(NUMBER_DIGITS)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().ok().map(SegmentNumber::new)?;
    let form = Form::ALL.into_iter().find(|form| form.suffix() == suffix)?;
    Some((number, form))
}
