//! Sealed segments: the same logical bytes in compressed blocks, with a table at the end.
//!
//! ```text
//! "NTKSEGZ" 01, or "NTKSEGP" 01 | sha256 of the logical bytes before entries were taken out 32
//! blocks: one zstd frame each, cut after a COMMIT at 64 KiB or more of logical bytes
//! table: for each block  logical_offset u64 | logical_bytes u32 | file_offset u64 | file_bytes u32 | crc32 u32
//! footer: table_offset u64 | n_blocks u32 | logical_bytes u64 | sha256 of the logical bytes 32
//!         | crc32 of the table and the footer so far u32 | "NTKSEGF" 01
//! ```
//! The checksum of a block is over its compressed bytes. The first block also holds the magic and the STATE.
use std::io;

use sha2::{Digest, Sha256};

use crate::disk::DiskFile;
use crate::sizes;

const MAGIC: [u8; 8] = *b"NTKSEGZ\x01";
/// Entries were taken out: the hash of what was follows.
const PRUNED_MAGIC: [u8; 8] = *b"NTKSEGP\x01";
const FOOTER_MAGIC: [u8; 8] = *b"NTKSEGF\x01";
const MAGIC_BYTES: u64 = 8;
const WAS_BYTES: u64 = 32;
const ENTRY_BYTES: usize = 28;
const FOOTER_BYTES: usize = 64;
const COMPRESSION_LEVEL: i32 = 3;
/// A block is cut at the first COMMIT after this many logical bytes.
pub(crate) const BLOCK_BYTES_MIN: usize = 64 * 1024;
/// No block is larger: a STATE, the rest of a block and a whole group fit.
pub(crate) const BLOCK_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Where one block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) logical_offset: u64,
    logical_bytes: u32,
    file_offset: u64,
    file_bytes: u32,
    crc: u32,
}

impl Block {
    /// The logical offset after the block.
    pub(crate) fn logical_end(&self) -> u64 {
        self.logical_offset.saturating_add(u64::from(self.logical_bytes))
    }

    fn file_end(&self) -> u64 {
        self.file_offset.saturating_add(u64::from(self.file_bytes))
    }
}

/// Writes a sealed file, block after block.
pub(crate) struct SealedWriter {
    file: Box<dyn DiskFile>,
    file_end: u64,
    logical_end: u64,
    hash: Sha256,
    blocks: Vec<Block>,
}

impl SealedWriter {
    pub(crate) fn begin(mut file: Box<dyn DiskFile>) -> io::Result<Self> {
        file.write_at(&MAGIC, 0)?;
        Ok(Self { file, file_end: MAGIC_BYTES, logical_end: 0, hash: Sha256::new(), blocks: Vec::new() })
    }

    /// Begins a file of a segment whose entries were taken out; `was` is the hash of its logical bytes before.
    pub(crate) fn begin_pruned(mut file: Box<dyn DiskFile>, was: &[u8; 32]) -> io::Result<Self> {
        file.write_at(&PRUNED_MAGIC, 0)?;
        file.write_at(was, MAGIC_BYTES)?;
        let file_end = MAGIC_BYTES.saturating_add(WAS_BYTES);
        Ok(Self { file, file_end, logical_end: 0, hash: Sha256::new(), blocks: Vec::new() })
    }

    /// Compresses and writes one block of logical bytes.
    pub(crate) fn block(&mut self, logical: &[u8]) -> io::Result<()> {
        let compressed = zstd::bulk::compress(logical, COMPRESSION_LEVEL)?;
        let block = Block {
            logical_offset: self.logical_end,
            logical_bytes: u32::try_from(logical.len()).map_err(|_| too_large())?,
            file_offset: self.file_end,
            file_bytes: u32::try_from(compressed.len()).map_err(|_| too_large())?,
            crc: crc32fast::hash(&compressed),
        };
        self.file.write_at(&compressed, self.file_end)?;
        self.file_end = block.file_end();
        self.logical_end = block.logical_end();
        self.hash.update(logical);
        self.blocks.push(block);
        Ok(())
    }

    /// Writes the table and the footer; the file is not synced yet.
    pub(crate) fn finish(mut self) -> io::Result<Box<dyn DiskFile>> {
        let mut out = Vec::new();
        for block in &self.blocks {
            out.extend_from_slice(&block.logical_offset.to_le_bytes());
            out.extend_from_slice(&block.logical_bytes.to_le_bytes());
            out.extend_from_slice(&block.file_offset.to_le_bytes());
            out.extend_from_slice(&block.file_bytes.to_le_bytes());
            out.extend_from_slice(&block.crc.to_le_bytes());
        }
        out.extend_from_slice(&self.file_end.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.blocks.len()).map_err(|_| too_large())?.to_le_bytes());
        out.extend_from_slice(&self.logical_end.to_le_bytes());
        out.extend_from_slice(&self.hash.finalize());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&FOOTER_MAGIC);
        self.file.write_at(&out, self.file_end)?;
        Ok(self.file)
    }
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "a block or table is over 4 GiB")
}

/// An open sealed file whose table holds together.
#[derive(Debug)]
pub(crate) struct SealedFile {
    file: Box<dyn DiskFile>,
    blocks: Vec<Block>,
    /// The length of the logical bytes.
    pub(crate) logical_bytes: u64,
    /// SHA-256 of the logical bytes, as the footer says.
    pub(crate) content_hash: [u8; 32],
    /// SHA-256 of the logical bytes before entries were taken out; none for a segment that was only compressed.
    pub(crate) was: Option<[u8; 32]>,
}

impl SealedFile {
    /// Reads footer and table; `None` when they do not hold.
    pub(crate) fn open(file: Box<dyn DiskFile>) -> io::Result<Option<Self>> {
        let size = file.size()?;
        let Some(footer_offset) = size.checked_sub(sizes::on_disk(FOOTER_BYTES)) else { return Ok(None) };
        let mut footer = [0; FOOTER_BYTES];
        let mut magic = [0; 8];
        if file.read_at(&mut footer, footer_offset)? != footer.len()
            || file.read_at(&mut magic, 0)? != magic.len()
        {
            return Ok(None);
        }
        let was = match magic {
            MAGIC => None,
            PRUNED_MAGIC => {
                let mut was = [0; 32];
                if file.read_at(&mut was, MAGIC_BYTES)? != was.len() {
                    return Ok(None);
                }
                Some(was)
            }
            _ => return Ok(None),
        };
        let blocks_begin = MAGIC_BYTES.saturating_add(if was.is_some() { WAS_BYTES } else { 0 });
        let Some((table_offset, n_blocks, logical_bytes, content_hash, crc)) = parse_footer(&footer) else {
            return Ok(None);
        };
        let table_bytes = footer_offset.checked_sub(table_offset);
        let expected_bytes = u64::from(n_blocks).saturating_mul(sizes::on_disk(ENTRY_BYTES));
        if table_bytes != Some(expected_bytes) {
            return Ok(None);
        }
        let mut table = vec![0; sizes::in_memory(expected_bytes)];
        if file.read_at(&mut table, table_offset)? != table.len() {
            return Ok(None);
        }
        let mut found = crc32fast::Hasher::new();
        found.update(&table);
        // The checksum and the magic themselves are not part of it.
        found.update(footer.split_last_chunk::<12>().map_or(&[], |(before, _)| before));
        if found.finalize() != crc {
            return Ok(None);
        }
        let blocks: Option<Vec<Block>> = table.chunks_exact(ENTRY_BYTES).map(parse_block).collect();
        Ok(blocks
            .filter(|blocks| are_contiguous(blocks, blocks_begin, table_offset, logical_bytes))
            .map(|blocks| Self { file, blocks, logical_bytes, content_hash, was }))
    }

    /// The block that holds this logical offset.
    pub(crate) fn block_at(&self, offset: u64) -> Option<Block> {
        let after = self.blocks.partition_point(|block| block.logical_end() <= offset);
        self.blocks.get(after).copied()
    }

    /// Decompresses a block into `out`; `false`, and `out` empty, when it is damaged.
    pub(crate) fn read_block(&self, block: &Block, out: &mut Vec<u8>) -> io::Result<bool> {
        out.clear();
        let mut compressed = vec![0; sizes::of_field(block.file_bytes)];
        let found = self.file.read_at(&mut compressed, block.file_offset)?;
        if found != compressed.len() || crc32fast::hash(&compressed) != block.crc {
            return Ok(false);
        }
        let logical_bytes = sizes::of_field(block.logical_bytes);
        match zstd::bulk::decompress(&compressed, logical_bytes) {
            Ok(logical) if logical.len() == logical_bytes => {
                *out = logical;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Whether every block is whole and all of them together have the hash of the footer.
    pub(crate) fn verify(&self) -> io::Result<bool> {
        let mut hash = Sha256::new();
        let mut logical = Vec::new();
        for block in &self.blocks {
            if !self.read_block(block, &mut logical)? {
                return Ok(false);
            }
            hash.update(&logical);
        }
        Ok(<[u8; 32]>::from(hash.finalize()) == self.content_hash)
    }
}

type Footer = (u64, u32, u64, [u8; 32], u32);

fn parse_footer(bytes: &[u8]) -> Option<Footer> {
    let (table_offset, rest) = bytes.split_first_chunk()?;
    let (n_blocks, rest) = rest.split_first_chunk()?;
    let (logical_bytes, rest) = rest.split_first_chunk()?;
    let (content_hash, rest) = rest.split_first_chunk()?;
    let (crc, magic) = rest.split_first_chunk()?;
    (magic == FOOTER_MAGIC).then(|| {
        (
            u64::from_le_bytes(*table_offset),
            u32::from_le_bytes(*n_blocks),
            u64::from_le_bytes(*logical_bytes),
            *content_hash,
            u32::from_le_bytes(*crc),
        )
    })
}

fn parse_block(bytes: &[u8]) -> Option<Block> {
    let (logical_offset, rest) = bytes.split_first_chunk()?;
    let (logical_bytes, rest) = rest.split_first_chunk()?;
    let (file_offset, rest) = rest.split_first_chunk()?;
    let (file_bytes, rest) = rest.split_first_chunk()?;
    let (crc, _) = rest.split_first_chunk()?;
    Some(Block {
        logical_offset: u64::from_le_bytes(*logical_offset),
        logical_bytes: u32::from_le_bytes(*logical_bytes),
        file_offset: u64::from_le_bytes(*file_offset),
        file_bytes: u32::from_le_bytes(*file_bytes),
        crc: u32::from_le_bytes(*crc),
    })
}

/// Whether the blocks follow each other without gap, in the file and logically, to the very ends.
fn are_contiguous(blocks: &[Block], begin: u64, table_offset: u64, logical_bytes: u64) -> bool {
    let (mut file_end, mut logical_end) = (begin, 0);
    for block in blocks {
        if block.file_offset != file_end
            || block.logical_offset != logical_end
            || sizes::of_field(block.logical_bytes) > BLOCK_BYTES_MAX
        {
            return false;
        }
        (file_end, logical_end) = (block.file_end(), block.logical_end());
    }
    file_end == table_offset && logical_end == logical_bytes
}
