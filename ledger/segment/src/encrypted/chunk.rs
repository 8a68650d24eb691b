//! One chunk: its header, and sealing and opening it.
use std::io;

use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};

use crate::sizes;

/// The last byte is the version.
pub(super) const MAGIC: [u8; 8] = *b"NTKCHNK\x01";
/// Magic, file id, offset, length, nonce, checksum.
pub(super) const HEADER_BYTES: usize = 64;
const ID_BYTES: usize = 16;
/// Magic, file id, offset and length: what the chunk is bound to.
const BOUND_BYTES: usize = 36;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// So much content in one chunk: enough to hide the cost of its header, little enough for one lookup.
pub(super) const CONTENT_BYTES_MAX: usize = 64 * 1024;

/// Which file a chunk belongs to, whatever name that file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId([u8; ID_BYTES]);

impl FileId {
    pub(super) fn random() -> io::Result<Self> {
        random().map(Self)
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// A header whose checksum holds. Nobody vouches for it before its chunk opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) file: FileId,
    /// Where the content belongs, in the file as its reader sees it.
    pub(super) offset: u64,
    pub(super) content_bytes: u32,
    nonce: [u8; NONCE_BYTES],
}

impl Header {
    /// The header at the beginning of these bytes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        let (before, crc) = header.split_last_chunk::<4>()?;
        let (magic, rest) = before.split_first_chunk()?;
        // The cheap test first: a torn tail is searched byte by byte.
        if *magic != MAGIC || crc32fast::hash(before) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (file, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (content_bytes, nonce) = rest.split_first_chunk()?;
        let content_bytes = u32::from_le_bytes(*content_bytes);
        (1..=CONTENT_BYTES_MAX).contains(&sizes::of_field(content_bytes)).then_some(())?;
        Some(Self {
            file: FileId(*file),
            offset: u64::from_le_bytes(*offset),
            content_bytes,
            nonce: *nonce.first_chunk()?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.file.0);
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.content_bytes.to_le_bytes());
        out.extend_from_slice(&self.nonce);
        let crc = crc32fast::hash(out.get(begin..).unwrap_or_default());
        out.extend_from_slice(&crc.to_le_bytes());
    }

    /// The offset behind the content.
    pub(super) fn content_end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.content_bytes))
    }

    /// The length of the whole chunk on the disk.
    pub(super) fn raw_bytes(&self) -> u64 {
        let around = HEADER_BYTES.saturating_add(TAG_BYTES);
        u64::from(self.content_bytes).saturating_add(sizes::on_disk(around))
    }
}

/// Encrypts `content` as the chunk of this file and place, at the end of `out`.
pub(super) fn seal(
    cipher: &XChaCha20Poly1305,
    file: FileId,
    offset: u64,
    content: &[u8],
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let failed = || io::Error::other("a chunk could not be encrypted");
    let content_bytes = u32::try_from(content.len()).map_err(|_| failed())?;
    let header = Header { file, offset, content_bytes, nonce: random()? };
    let begin = out.len();
    header.encode(out);
    let begin_of_content = out.len();
    out.extend_from_slice(content);
    let (before, sealed) = out.split_at_mut_checked(begin_of_content).ok_or_else(failed)?;
    let bound = before.get(begin..).and_then(|header| header.get(..BOUND_BYTES)).ok_or_else(failed)?;
    let tag = cipher
        .encrypt_in_place_detached(XNonce::from_slice(&header.nonce), bound, sealed)
        .map_err(|_| failed())?;
    out.extend_from_slice(&tag);
    Ok(())
}

/// The content of a whole chunk, if it opens.
pub(super) fn open(cipher: &XChaCha20Poly1305, mut raw: Vec<u8>) -> Option<Vec<u8>> {
    let header = Header::decode(&raw)?;
    let tag = *raw.last_chunk::<TAG_BYTES>()?;
    raw.truncate(raw.len().checked_sub(TAG_BYTES)?);
    let (before, sealed) = raw.split_at_mut_checked(HEADER_BYTES)?;
    (sealed.len() == sizes::of_field(header.content_bytes)).then_some(())?;
    let bound = before.get(..BOUND_BYTES)?;
    let nonce = XNonce::from_slice(&header.nonce);
    cipher.decrypt_in_place_detached(nonce, bound, sealed, Tag::from_slice(&tag)).ok()?;
    raw.drain(..HEADER_BYTES);
    Some(raw)
}
