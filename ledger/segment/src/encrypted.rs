//! A disk whose files are encrypted: whoever reads the medium without the key learns names, sizes and times only.
//!
//! It is a [`Disk`] over another one, so that a log, its recovery, sealing and pruning work on it as they do on a
//! plain disk. Names of files, the lock and the folder are the other disk's.
//!
//! # Format
//! A file is a row of chunks; each write makes its own, of at most 64 KiB of content each:
//! ```text
//! "NTKCHNK" 01 | file id 16 | offset u64 | content_bytes u32 | nonce 24 | crc32 of the bytes before u32
//! content encrypted with XChaCha20-Poly1305 | tag 16
//! ```
//! Numbers are little-endian. The offset is that of the content in the file as its reader sees it. The file id is
//! random, made with the file. The associated data is everything up to `content_bytes`: a chunk opens in its own file
//! and at its own place only. The nonce is random for each chunk, so that no key and nonce ever seal two contents,
//! whatever is written again after a crash. The checksum only tells a torn header from a whole one.
//!
//! # What does not open
//! reads as zeros, which are no frame: so the log above tells a torn tail from damage as it always does, and names
//! segment and offset. A chunk that is missing, swapped, moved from elsewhere or changed leaves such a hole, and what
//! stands behind it is still read: a chunk behind a hole counts only if it opens. Bytes behind the last chunk count as
//! unreadable content of the same length, so that recovery cuts them.
//!
//! # Writing
//! At the end only. A write over what is there with the very same content, as recovery makes, writes the same
//! encrypted bytes again; with another content it is refused. A file is cut between two writes only: to cut inside of a
//! chunk would mean to write its beginning again in its place, and a power cut would take it.
//!
//! # Threads
//! Open files of one id share one index through the disk. It is locked while a chunk is written, so no reader looks
//! at half of one. Another process builds its own, and sees whole chunks only.

mod chunk;
mod index;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};

use self::chunk::{CONTENT_BYTES_MAX, FileId, Header};
use self::index::{Index, Piece};
use crate::disk::{Disk, DiskFile, Locking};
use crate::sizes;

/// How plain files of segments begin, in every form.
const PLAIN: &[u8] = b"NTKSEG";

/// What happens to a file that is not encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainFiles {
    /// It is refused: nothing plain belongs here.
    Refused,
    /// It is read and written as it is: the folder is being encrypted or decrypted.
    Accepted,
}

/// An encrypted disk over another one.
pub struct EncryptedDisk {
    disk: Arc<dyn Disk>,
    cipher: Arc<XChaCha20Poly1305>,
    plain_files: PlainFiles,
    indexes: Indexes,
}

/// One index for each open file.
type Indexes = Arc<Mutex<BTreeMap<FileId, Weak<Mutex<Index>>>>>;

impl fmt::Debug for EncryptedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedDisk")
            .field("disk", &self.disk)
            .field("plain_files", &self.plain_files)
            .finish_non_exhaustive()
    }
}

impl EncryptedDisk {
    /// Encrypts with this key what is written to `disk`.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, key: &[u8; 32], plain_files: PlainFiles) -> Self {
        let cipher = Arc::new(XChaCha20Poly1305::new(key.into()));
        Self { disk, cipher, plain_files, indexes: Indexes::default() }
    }

    /// The same key over another disk.
    #[must_use]
    pub fn over(&self, disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            cipher: Arc::clone(&self.cipher),
            plain_files: self.plain_files,
            indexes: Indexes::default(),
        }
    }

    /// The same disk, which refuses plain files from now on.
    #[must_use]
    pub fn refusing_plain_files(&self) -> Self {
        Self {
            disk: Arc::clone(&self.disk),
            cipher: Arc::clone(&self.cipher),
            plain_files: PlainFiles::Refused,
            indexes: Arc::clone(&self.indexes),
        }
    }

    /// Whether a file is encrypted, with this key or another, or damaged beyond telling; an empty file is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_encrypted(&self, path: &Path) -> io::Result<bool> {
        let file = self.disk.open_read(path)?;
        let mut begin = [0; chunk::MAGIC.len()];
        let count = file.read_at(&mut begin, 0)?;
        if count == 0 || begin == chunk::MAGIC {
            return Ok(true);
        }
        if begin.starts_with(PLAIN) {
            return Ok(false);
        }
        // Damaged at its very beginning: encrypted if anything in it opens.
        let mut index = Index::default();
        index.extend(file.as_ref(), &self.cipher)?;
        index.any_opens(file.as_ref(), &self.cipher)
    }

    fn open(&self, path: &Path, file: Box<dyn DiskFile>) -> io::Result<Box<dyn DiskFile>> {
        let mut begin = [0; PLAIN.len()];
        if file.read_at(&mut begin, 0)? == begin.len() && begin == PLAIN {
            return match self.plain_files {
                PlainFiles::Accepted => Ok(file),
                PlainFiles::Refused => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("`{}` is not encrypted, and everything here is", path.display()),
                )),
            };
        }
        let mut first = [0; chunk::HEADER_BYTES];
        file.read_at(&mut first, 0)?;
        let index = match Header::decode(&first) {
            Some(header) => self.shared_index(header.file),
            None => Arc::default(),
        };
        Ok(Box::new(EncryptedFile { file, cipher: Arc::clone(&self.cipher), index }))
    }

    fn shared_index(&self, id: FileId) -> Arc<Mutex<Index>> {
        let mut indexes = lock(&self.indexes);
        if let Some(index) = indexes.get(&id).and_then(Weak::upgrade) {
            return index;
        }
        indexes.retain(|_, index| index.strong_count() > 0);
        let index = Arc::new(Mutex::new(Index::of(id)));
        indexes.insert(id, Arc::downgrade(&index));
        index
    }
}

impl Disk for EncryptedDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_folder(folder)
    }

    fn lock(&self, path: &Path) -> io::Result<Locking> {
        self.disk.lock(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.create(path)?;
        let index = self.shared_index(FileId::random()?);
        Ok(Box::new(EncryptedFile { file, cipher: Arc::clone(&self.cipher), index }))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path, self.disk.open_write(path)?)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path, self.disk.open_read(path)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }
}

struct EncryptedFile {
    file: Box<dyn DiskFile>,
    cipher: Arc<XChaCha20Poly1305>,
    index: Arc<Mutex<Index>>,
}

impl fmt::Debug for EncryptedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedFile").field("file", &self.file).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("an encrypted file {why}"))
}

impl EncryptedFile {
    /// Content of some pieces, one after the other; zeros where it does not open.
    fn read(&self, pieces: &[Piece], buffer: &mut [u8], offset: u64) -> io::Result<()> {
        buffer.fill(0);
        for piece in pieces {
            let Some(content) = piece.open(self.file.as_ref(), &self.cipher)? else { continue };
            let into = sizes::in_memory(piece.offset.saturating_sub(offset));
            let from = sizes::in_memory(offset.saturating_sub(piece.offset));
            let (Some(into), Some(from)) = (buffer.get_mut(into..), content.get(from..)) else { continue };
            let count = into.len().min(from.len());
            if let (Some(into), Some(from)) = (into.get_mut(..count), from.get(..count)) {
                into.copy_from_slice(from);
            }
        }
        Ok(())
    }

    /// Writes the encrypted bytes of what is there again: the same bytes, in their place.
    fn write_again(&mut self, index: &Index, bytes: &[u8], offset: u64) -> io::Result<()> {
        let pieces = index.pieces(offset, bytes.len());
        let mut there = vec![0; bytes.len()];
        self.read(&pieces, &mut there, offset)?;
        if there != bytes {
            return Err(refused("is written at its end only"));
        }
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return Ok(()) };
        let mut raw = vec![0; sizes::in_memory(last.raw_end().saturating_sub(first.raw))];
        if self.file.read_at(&mut raw, first.raw)? != raw.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.file.write_at(&raw, first.raw)
    }

    fn append(&mut self, index: &mut Index, bytes: &[u8]) -> io::Result<()> {
        if index.leftover(self.file.as_ref())? > 0 {
            self.file.truncate(index.raw_end())?;
        }
        let id = index.id_or_random()?;
        let (mut raw, mut offset) = (Vec::new(), index.content_end());
        for content in bytes.chunks(CONTENT_BYTES_MAX) {
            chunk::seal(&self.cipher, id, offset, content, &mut raw)?;
            offset = offset.saturating_add(sizes::on_disk(content.len()));
        }
        // One write, as it would be on a plain disk.
        self.file.write_at(&raw, index.raw_end())?;
        index.extend(self.file.as_ref(), &self.cipher)
    }
}

impl DiskFile for EncryptedFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let shared = Arc::clone(&self.index);
        let mut index = lock(&shared);
        index.extend(self.file.as_ref(), &self.cipher)?;
        let end = offset.saturating_add(sizes::on_disk(bytes.len()));
        if offset == index.content_end() {
            self.append(&mut index, bytes)
        } else if end <= index.content_end() {
            self.write_again(&index, bytes, offset)
        } else {
            Err(refused("is written at its end only"))
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (pieces, size) = {
            let mut index = lock(&self.index);
            index.extend(self.file.as_ref(), &self.cipher)?;
            (index.pieces(offset, buffer.len()), index.size(self.file.as_ref())?)
        };
        let count = buffer.len().min(sizes::in_memory(size.saturating_sub(offset)));
        if let Some(buffer) = buffer.get_mut(..count) {
            self.read(&pieces, buffer, offset)?;
        }
        Ok(count)
    }

    fn size(&self) -> io::Result<u64> {
        let mut index = lock(&self.index);
        index.extend(self.file.as_ref(), &self.cipher)?;
        index.size(self.file.as_ref())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        let shared = Arc::clone(&self.index);
        let mut index = lock(&shared);
        index.extend(self.file.as_ref(), &self.cipher)?;
        let raw = index.raw_of(size).ok_or_else(|| refused("is cut between two writes only"))?;
        self.file.truncate(raw)?;
        index.cut(size, raw);
        Ok(())
    }
}
