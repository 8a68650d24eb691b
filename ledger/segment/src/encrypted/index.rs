//! Where the chunks of a file are: found by walking from header to header, from where the last walk ended.
use std::io;

use chacha20poly1305::XChaCha20Poly1305;

use super::chunk::{self, FileId, HEADER_BYTES, Header, MAGIC};
use crate::disk::DiskFile;
use crate::sizes;

/// Read at once while walking.
const WALK_BYTES: usize = 64 * 1024;

/// Where one chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The offset of its content as the file's reader sees it.
    pub(super) offset: u64,
    /// The offset of its header on the disk.
    pub(super) raw: u64,
    header: Header,
}

impl Piece {
    pub(super) fn raw_end(&self) -> u64 {
        self.raw.saturating_add(self.header.raw_bytes())
    }

    /// Its content; nothing where what is on the disk is not that chunk, or does not open.
    pub(super) fn open(
        &self,
        file: &dyn DiskFile,
        cipher: &XChaCha20Poly1305,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut raw = vec![0; sizes::in_memory(self.header.raw_bytes())];
        if file.read_at(&mut raw, self.raw)? != raw.len() || Header::decode(&raw) != Some(self.header) {
            return Ok(None);
        }
        Ok(chunk::open(cipher, raw))
    }
}

/// The chunks of a file, in order.
#[derive(Debug, Default)]
pub(super) struct Index {
    id: Option<FileId>,
    pieces: Vec<Piece>,
    /// Everything before was walked.
    raw_end: u64,
}

impl Index {
    pub(super) fn of(id: FileId) -> Self {
        Self { id: Some(id), ..Self::default() }
    }

    /// The file's id; a new one where there is no chunk that tells it.
    pub(super) fn id_or_random(&mut self) -> io::Result<FileId> {
        match self.id {
            Some(id) => Ok(id),
            None => FileId::random().inspect(|id| self.id = Some(*id)),
        }
    }

    /// The end of the last chunk on the disk.
    pub(super) const fn raw_end(&self) -> u64 {
        self.raw_end
    }

    /// The offset behind the last chunk's content.
    pub(super) fn content_end(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.header.content_end())
    }

    /// Bytes behind the last chunk: of one that is torn, or still on its way.
    pub(super) fn leftover(&self, file: &dyn DiskFile) -> io::Result<u64> {
        Ok(file.size()?.saturating_sub(self.raw_end))
    }

    /// The size of the file as its reader sees it.
    pub(super) fn size(&self, file: &dyn DiskFile) -> io::Result<u64> {
        Ok(self.content_end().saturating_add(self.leftover(file)?))
    }

    /// The chunks that hold any of these bytes.
    pub(super) fn pieces(&self, offset: u64, length: usize) -> Vec<Piece> {
        let end = offset.saturating_add(sizes::on_disk(length));
        let first = self.pieces.partition_point(|piece| piece.header.content_end() <= offset);
        let rest = self.pieces.get(first..).unwrap_or_default();
        rest.iter().take_while(|piece| piece.offset < end).copied().collect()
    }

    /// Where on the disk a file ends that ends at this offset; nothing inside of a chunk or of what is missing.
    pub(super) fn raw_of(&self, size: u64) -> Option<u64> {
        if size == 0 {
            return Some(0);
        }
        let last = self.pieces.iter().rev().find(|piece| piece.header.content_end() <= size)?;
        (last.header.content_end() == size).then(|| last.raw_end())
    }

    /// Forgets what was cut off.
    pub(super) fn cut(&mut self, size: u64, raw: u64) {
        self.pieces.retain(|piece| piece.header.content_end() <= size);
        self.raw_end = raw;
    }

    /// Walks on over what was written since.
    pub(super) fn extend(&mut self, file: &dyn DiskFile, cipher: &XChaCha20Poly1305) -> io::Result<()> {
        let size = file.size()?;
        if size < self.raw_end {
            // Cut by another process: walk again.
            *self = Self { id: self.id, ..Self::default() };
        }
        let mut walk = Walk { file, size, window: Vec::new(), window_start: 0 };
        let mut at = self.raw_end;
        while at < size {
            match walk.header_at(at)? {
                Some(header) if self.takes(at, &header, &walk, cipher)? => {
                    let piece = Piece { offset: header.offset, raw: at, header };
                    self.id = Some(header.file);
                    at = piece.raw_end();
                    self.raw_end = at;
                    self.pieces.push(piece);
                }
                _ => match walk.next_magic(at.saturating_add(1))? {
                    Some(next) => at = next,
                    None => break,
                },
            }
        }
        Ok(())
    }

    /// Whether the chunk with this header is whole and the next one.
    fn takes(
        &self,
        at: u64,
        header: &Header,
        walk: &Walk<'_>,
        cipher: &XChaCha20Poly1305,
    ) -> io::Result<bool> {
        let is_whole = at.saturating_add(header.raw_bytes()) <= walk.size;
        if !is_whole || self.id.is_some_and(|id| id != header.file) || header.offset < self.content_end() {
            return Ok(false);
        }
        if header.offset == self.content_end() && at == self.raw_end {
            return Ok(true);
        }
        // Behind a hole anybody's bytes could stand: the offset counts only if whoever has the key wrote it.
        let piece = Piece { offset: header.offset, raw: at, header: *header };
        Ok(piece.open(walk.file, cipher)?.is_some())
    }

    /// Whether any chunk opens.
    pub(super) fn any_opens(&self, file: &dyn DiskFile, cipher: &XChaCha20Poly1305) -> io::Result<bool> {
        for piece in &self.pieces {
            if piece.open(file, cipher)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The bytes of a file through a window.
struct Walk<'a> {
    file: &'a dyn DiskFile,
    size: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl Walk<'_> {
    /// At least `wanted` bytes from `offset` on, or all that there are.
    fn window(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        let window_end = self.window_start.saturating_add(sizes::on_disk(self.window.len()));
        let wanted_end = offset.saturating_add(sizes::on_disk(wanted)).min(self.size);
        if offset < self.window_start || wanted_end > window_end || self.window.is_empty() {
            let rest = sizes::in_memory(self.size.saturating_sub(offset));
            self.window.clear();
            self.window.resize(WALK_BYTES.max(wanted).min(rest), 0);
            let count = self.file.read_at(&mut self.window, offset)?;
            self.window.truncate(count);
            self.window_start = offset;
        }
        let start = sizes::in_memory(offset.saturating_sub(self.window_start));
        Ok(self.window.get(start..).unwrap_or_default())
    }

    fn header_at(&mut self, at: u64) -> io::Result<Option<Header>> {
        Ok(Header::decode(self.window(at, HEADER_BYTES)?))
    }

    /// Where the next chunk may begin.
    fn next_magic(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at < self.size {
            let window = self.window(at, MAGIC.len())?;
            if let Some(found) = window.windows(MAGIC.len()).position(|bytes| bytes == MAGIC) {
                return Ok(Some(at.saturating_add(sizes::on_disk(found))));
            }
            // A magic may reach over the end of the window.
            match window.len().checked_sub(MAGIC.len().saturating_sub(1)) {
                Some(n_looked_at) if n_looked_at > 0 => {
                    at = at.saturating_add(sizes::on_disk(n_looked_at));
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }
}
