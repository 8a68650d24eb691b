//! Log files (.evtx) to records, a chunk of 64 KiB at a time: a file of many gigabytes is never held in memory.
//!
//! A chunk's records are found by `chunk`, `binxml` writes each as the XML that Windows would hand out, and that goes the
//! way of [`crate::record::xml`]. Chunks are read in the order of their record numbers, which in a log that wrapped round
//! is not their order in the file. What a damaged chunk still gives is given, and the damage is told beside it.
//!
//! The format is that of MS-EVEN6 2.2.12 to 2.2.18, in the files that Windows writes since Vista.
//!
//! # What it does not read
//! Records that were overwritten or cleared, in the unused space of chunks: whoever wants those needs a forensic tool.

mod binxml;
mod chunk;
mod value;

use std::io::{self, Read, Seek, SeekFrom};

use crate::record::Record;

/// Length of the header before the first chunk, in bytes (MS-EVEN6).
const FILE_HEADER_BYTES: u64 = 4096;

/// Length of a chunk, in bytes.
const CHUNK_BYTES: usize = 65_536;

/// Chunks of one file that are read: 64 GiB. Windows allows logs of 4 GiB at most.
pub const CHUNKS_MAX: u64 = 1 << 20;

/// The first bytes of a log file.
pub const FILE_MAGIC: &[u8; 8] = b"ElfFile\0";

const CHUNK_MAGIC: &[u8; 8] = b"ElfChnk\0";

/// Something in a log file that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Damaged {
    /// The first 4096 bytes are no header of a log file. Chunks are looked for all the same.
    #[error("the file does not begin as a log file does")]
    FileHeader,
    /// A chunk that is none.
    #[error("chunk {chunk} is not readable")]
    Chunk {
        /// Its place in the file, from 0.
        chunk: u64,
    },
    /// The records of a chunk are not those that its checksum was made of. Those that could be read were given.
    #[error("the checksum of chunk {chunk} is not that of its contents")]
    Checksum {
        /// Its place in the file, from 0.
        chunk: u64,
    },
    /// One record.
    #[error("a record of chunk {chunk} is not readable")]
    Record {
        /// Place of its chunk, from 0.
        chunk: u64,
    },
    /// The file ends within a chunk.
    #[error("the file ends within chunk {chunk}")]
    CutOff {
        /// Its place in the file, from 0.
        chunk: u64,
    },
    /// There is more than [`CHUNKS_MAX`]; the rest is not read.
    #[error("the file is longer than any log; its end was not read")]
    TooLong,
    /// The file's storage failed; nothing follows.
    #[error("the file could not be read on")]
    Read(#[source] io::Error),
}

/// The records of a log file, oldest first.
pub struct Records<R> {
    file: R,
    /// Chunks that are still to be read, the next one last.
    chunks: Vec<u64>,
    /// What the last chunk gave, in reverse.
    ready: Vec<Result<Record, Damaged>>,
}

impl<R: Read + Seek> Records<R> {
    /// Reads the headers of all chunks, 32 bytes of each. Fails only where the file cannot be read at all.
    pub fn open(mut file: R) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        let mut ready = Vec::new();
        let mut magic = [0; 8];
        file.seek(SeekFrom::Start(0))?;
        if read_full(&mut file, &mut magic)? < magic.len() || magic != *FILE_MAGIC {
            ready.push(Err(Damaged::FileHeader));
        }
        let mut found = Vec::new();
        let mut n_chunk = 0;
        while n_chunk < CHUNKS_MAX && offset(n_chunk) < length {
            let mut header = [0; 32];
            file.seek(SeekFrom::Start(offset(n_chunk)))?;
            read_full(&mut file, &mut header)?;
            // An unused chunk is zeros; what is neither is damage, which is told in its place.
            if header.iter().any(|byte| *byte != 0) {
                let first = match header.first_chunk() {
                    Some(magic) if magic == CHUNK_MAGIC => first_record(&header),
                    _ => found.last().map_or(0, |(first, _)| *first),
                };
                found.push((first, n_chunk));
            }
            n_chunk = n_chunk.saturating_add(1);
        }
        if offset(n_chunk) < length {
            ready.push(Err(Damaged::TooLong));
        }
        found.sort_unstable();
        let chunks = found.into_iter().rev().map(|(_, chunk)| chunk).collect();
        Ok(Self { file, chunks, ready })
    }

    fn read(&mut self, chunk: u64) -> Vec<Result<Record, Damaged>> {
        let mut bytes = vec![0; CHUNK_BYTES];
        let read = self.file.seek(SeekFrom::Start(offset(chunk)));
        match read.and_then(|_| read_full(&mut self.file, &mut bytes)) {
            Ok(CHUNK_BYTES) => {}
            Ok(n_read) => {
                // The rest of it is as if unused: records before the cut are whole.
                bytes.get_mut(n_read..).unwrap_or_default().fill(0);
                let mut given: Vec<_> =
                    chunk::records(chunk, &bytes).into_iter().filter(Result::is_ok).collect();
                given.push(Err(Damaged::CutOff { chunk }));
                return given;
            }
            Err(error) => {
                self.chunks.clear();
                return vec![Err(Damaged::Read(error))];
            }
        }
        chunk::records(chunk, &bytes)
    }
}

impl<R: Read + Seek> Iterator for Records<R> {
    type Item = Result<Record, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(next) = self.ready.pop() {
                return Some(next);
            }
            let chunk = self.chunks.pop()?;
            self.ready = self.read(chunk);
            self.ready.reverse();
        }
    }
}

const fn offset(chunk: u64) -> u64 {
    // At most 2^20 chunks of 2^16 bytes.
    FILE_HEADER_BYTES.saturating_add(chunk.saturating_mul(65_536))
}

/// Number of the first record in a chunk, from its header (bytes 24 to 31: first record identifier).
fn first_record(header: &[u8; 32]) -> u64 {
    let bytes = header.get(24..).and_then(|bytes| bytes.first_chunk()).copied();
    u64::from_le_bytes(bytes.unwrap_or_default())
}

/// Fills as much as the file has.
fn read_full(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut n_read = 0;
    while let Some(room) = bytes.get_mut(n_read..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(more) => n_read = n_read.saturating_add(more),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_read)
}

#[cfg(test)]
mod tests;
