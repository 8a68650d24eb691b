//! Frames: the bytes of STATE, BATCH and COMMIT.
//!
//! ```text
//! frame    type u8 (1 STATE, 2 BATCH, 3 COMMIT, 4 PRUNED) | length u32 | crc32 u32 over type, length, payload | payload
//! STATE    n u32, n x author | log_size u64 | hashes log_range | previous_hash 32 | bytes decided
//!          author = text author | text key | epoch u32 | size u64 | hashes range
//! BATCH    text author | epoch u32 | first u64 | bytes note | batch_key 32 | n u32, n x three bytes
//! COMMIT   received_unix_ns i64 | bytes checkpoint
//! PRUNED   text author | epoch u32 | first u64 | bytes note | hashes leaves | zeros up to the length of the BATCH
//! bytes, text = length u32, then as many bytes (text is UTF-8); hashes = n u32, n x 32 bytes
//! ```
//! Numbers are little-endian. One value has one encoding: bytes left over in a payload are an error. The decoder
//! is total (EV-2): any bytes give a frame or an error, and no length is believed before its bytes are there.
use crate::sizes;

mod fields;

use fields::{Fields, put_bytes, put_count, put_hashes};

/// The first bytes of every segment; the last one is the version of the format.
pub const MAGIC: [u8; 8] = *b"NTKSEG\x00\x01";
/// The length of [`MAGIC`].
pub const MAGIC_BYTES: u64 = 8;
/// Type, length and checksum before each payload.
pub const HEADER_BYTES: usize = 9;
/// The longest frame, header included. A STATE of 20,000 authors fits.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest COMMIT frame, header included: a checkpoint with its cosignatures is a few KiB.
pub const COMMIT_BYTES_MAX: usize = 64 * 1024;

/// A SHA-256 hash.
type Hash = [u8; 32];

/// Why bytes are no frame, or a value cannot become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes end before the frame does.
    #[error("the frame is cut short")]
    Short,
    /// The first byte names no type of frame.
    #[error("there is no frame of type {0}")]
    UnknownType(u8),
    /// The length exceeds what a frame of this type may have.
    #[error("the frame is longer than its type allows; write smaller batches")]
    TooLong,
    /// The checksum is not the one of these bytes.
    #[error("the frame's checksum does not match its bytes")]
    Checksum,
    /// The payload has no such fields, though its checksum matches.
    #[error("the frame's payload has an unknown form; it may be of a newer version")]
    BadPayload,
}

/// What a segment starts with: enough to go on without the segments before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Every author known so far.
    pub authors: Vec<AuthorState>,
    /// The number of leaves in the collector's log.
    pub log_size: u64,
    /// The compact range of the collector's log.
    pub log_range: Vec<[u8; 32]>,
    /// SHA-256 of the logical bytes of the segment before, zero for the first. The log itself sets it.
    pub previous_hash: [u8; 32],
    /// How far deciding came; opaque here.
    pub decided: Vec<u8>,
}

/// How far one author's own log has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorState {
    /// The author's name.
    pub author: String,
    /// The text of the key that checks the author's notes.
    pub key: String,
    /// The epoch of the author's log.
    pub epoch: u32,
    /// The number of entries in it.
    pub size: u64,
    /// Its compact range.
    pub range: Vec<[u8; 32]>,
}

/// Entries of one author under one signed note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The author's name.
    pub author: String,
    /// The epoch of the author's log.
    pub epoch: u32,
    /// The number of the first entry.
    pub first: u64,
    /// The signed note, verbatim.
    pub note: Vec<u8>,
    /// The key the salts come from.
    pub batch_key: [u8; 32],
    /// The three parts of each entry, verbatim.
    pub entries: Vec<[Vec<u8>; 3]>,
}

/// What stays of a batch whose entries were removed after their retention: its note, and each entry's leaf hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The author's name.
    pub author: String,
    /// The epoch of the author's log.
    pub epoch: u32,
    /// The number of the first entry.
    pub first: u64,
    /// The signed note, verbatim.
    pub note: Vec<u8>,
    /// The leaf hash of each entry.
    pub leaves: Vec<[u8; 32]>,
}

/// Ends a group of batches: everything before it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// When the group was received, in nanoseconds since 1970. Passed in, never read from a clock here.
    pub received_unix_ns: i64,
    /// The signed checkpoint over every batch so far, verbatim.
    pub checkpoint: Vec<u8>,
}

/// Any frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The first frame of a segment.
    State(State),
    /// Entries of one author.
    Batch(Batch),
    /// The end of a group.
    Commit(Commit),
    /// What stays of a batch.
    Pruned(Pruned),
}

/// The type of a frame, its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// STATE.
    State,
    /// BATCH.
    Batch,
    /// COMMIT.
    Commit,
    /// PRUNED.
    Pruned,
}

impl Kind {
    fn of(byte: u8) -> Result<Self, FrameError> {
        match byte {
            1 => Ok(Self::State),
            2 => Ok(Self::Batch),
            3 => Ok(Self::Commit),
            4 => Ok(Self::Pruned),
            other => Err(FrameError::UnknownType(other)),
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::State => 1,
            Self::Batch => 2,
            Self::Commit => 3,
            Self::Pruned => 4,
        }
    }

    fn bytes_max(self) -> usize {
        match self {
            Self::State | Self::Batch | Self::Pruned => FRAME_BYTES_MAX,
            Self::Commit => COMMIT_BYTES_MAX,
        }
    }
}

/// A frame whose header and checksum hold, its payload not yet decoded.
#[derive(Clone, Copy, Debug)]
pub struct RawFrame<'a> {
    /// The type.
    pub kind: Kind,
    /// The whole frame, header included.
    pub bytes: &'a [u8],
    payload: &'a [u8],
}

/// What the nine bytes before a payload say; the length is within what the type allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) frame_bytes: usize,
    crc: u32,
}

impl Header {
    /// Reads a header from the front of `bytes`.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let ([kind, l0, l1, l2, l3, c0, c1, c2, c3], _) =
            bytes.split_first_chunk::<HEADER_BYTES>().ok_or(FrameError::Short)?;
        let kind = Kind::of(*kind)?;
        let payload_bytes = sizes::of_field(u32::from_le_bytes([*l0, *l1, *l2, *l3]));
        let frame_bytes = payload_bytes.saturating_add(HEADER_BYTES);
        if frame_bytes > kind.bytes_max() {
            return Err(FrameError::TooLong);
        }
        Ok(Self { kind, frame_bytes, crc: u32::from_le_bytes([*c0, *c1, *c2, *c3]) })
    }
}

impl<'a> RawFrame<'a> {
    /// The whole frame at the front of `bytes`, its checksum verified.
    ///
    /// # Errors
    /// When the bytes do not begin with a whole frame.
    pub fn read(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let header = Header::decode(bytes)?;
        let (frame, _) = bytes.split_at_checked(header.frame_bytes).ok_or(FrameError::Short)?;
        let (_, payload) = frame.split_at_checked(HEADER_BYTES).ok_or(FrameError::Short)?;
        if checksum(header.kind, payload)? != header.crc {
            return Err(FrameError::Checksum);
        }
        Ok(Self { kind: header.kind, bytes: frame, payload })
    }

    /// Decodes the payload.
    ///
    /// # Errors
    /// When the payload has an unknown form.
    pub fn decode(&self) -> Result<Frame, FrameError> {
        Ok(match self.kind {
            Kind::State => Frame::State(State::decode_payload(self.payload)?),
            Kind::Batch => Frame::Batch(Batch::decode_payload(self.payload)?),
            Kind::Commit => Frame::Commit(Commit::decode_payload(self.payload)?),
            Kind::Pruned => Frame::Pruned(Pruned::decode_payload(self.payload)?),
        })
    }
}

impl Frame {
    /// Appends the frame, header included, to `out`.
    ///
    /// # Errors
    /// When it would be longer than its type allows; `out` is then as before.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        match self {
            Self::State(state) => state.encode(out),
            Self::Batch(batch) => batch.encode(out),
            Self::Commit(commit) => commit.encode(out),
            Self::Pruned(pruned) => pruned.encode(0, out),
        }
    }

    /// The frame at the front of `bytes`, and how many bytes it takes.
    ///
    /// # Errors
    /// When the bytes do not begin with a whole frame of a known form.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), FrameError> {
        let raw = RawFrame::read(bytes)?;
        Ok((raw.decode()?, raw.bytes.len()))
    }
}

impl State {
    /// Appends the STATE frame to `out`.
    ///
    /// # Errors
    /// When it would be too long; `out` is then as before.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        framed(Kind::State, out, |out| {
            put_count(out, self.authors.len())?;
            for author in &self.authors {
                put_bytes(out, author.author.as_bytes())?;
                put_bytes(out, author.key.as_bytes())?;
                out.extend_from_slice(&author.epoch.to_le_bytes());
                out.extend_from_slice(&author.size.to_le_bytes());
                put_hashes(out, &author.range)?;
            }
            out.extend_from_slice(&self.log_size.to_le_bytes());
            put_hashes(out, &self.log_range)?;
            out.extend_from_slice(&self.previous_hash);
            put_bytes(out, &self.decided)
        })
    }

    fn decode_payload(payload: &[u8]) -> Result<Self, FrameError> {
        /// Three lengths, an epoch and a size.
        const AUTHOR_BYTES_MIN: usize = 24;
        let mut fields = Fields::new(payload);
        let count = fields.count(AUTHOR_BYTES_MIN)?;
        let mut authors = Vec::with_capacity(count);
        for _ in 0..count {
            authors.push(AuthorState {
                author: fields.text()?,
                key: fields.text()?,
                epoch: fields.u32()?,
                size: fields.u64()?,
                range: fields.hashes()?,
            });
        }
        let state = Self {
            authors,
            log_size: fields.u64()?,
            log_range: fields.hashes()?,
            previous_hash: fields.array()?,
            decided: fields.bytes()?,
        };
        fields.end()?;
        Ok(state)
    }
}

impl Batch {
    /// Appends the BATCH frame to `out`.
    ///
    /// # Errors
    /// When it would be too long; `out` is then as before.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        framed(Kind::Batch, out, |out| {
            put_bytes(out, self.author.as_bytes())?;
            out.extend_from_slice(&self.epoch.to_le_bytes());
            out.extend_from_slice(&self.first.to_le_bytes());
            put_bytes(out, &self.note)?;
            out.extend_from_slice(&self.batch_key);
            put_count(out, self.entries.len())?;
            for [first, second, third] in &self.entries {
                // INVARIANT EV-1: entry bytes go to the disk as they came.
                put_bytes(out, first)?;
                put_bytes(out, second)?;
                put_bytes(out, third)?;
            }
            Ok(())
        })
    }

    fn decode_payload(payload: &[u8]) -> Result<Self, FrameError> {
        /// Three lengths.
        const ENTRY_BYTES_MIN: usize = 12;
        let mut fields = Fields::new(payload);
        let author = fields.text()?;
        let epoch = fields.u32()?;
        let first = fields.u64()?;
        let note = fields.bytes()?;
        let batch_key = fields.array()?;
        let count = fields.count(ENTRY_BYTES_MIN)?;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            entries.push([fields.bytes()?, fields.bytes()?, fields.bytes()?]);
        }
        fields.end()?;
        Ok(Self { author, epoch, first, note, batch_key, entries })
    }
}

impl Commit {
    /// Appends the COMMIT frame to `out`.
    ///
    /// # Errors
    /// When it would be too long; `out` is then as before.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        framed(Kind::Commit, out, |out| {
            out.extend_from_slice(&self.received_unix_ns.to_le_bytes());
            put_bytes(out, &self.checkpoint)
        })
    }

    fn decode_payload(payload: &[u8]) -> Result<Self, FrameError> {
        let mut fields = Fields::new(payload);
        let commit = Self { received_unix_ns: fields.i64()?, checkpoint: fields.bytes()? };
        fields.end()?;
        Ok(commit)
    }
}

impl Pruned {
    /// Appends the PRUNED frame to `out`, filled up with zeros to `frame_bytes`; no filling for 0.
    ///
    /// # Errors
    /// When it would be longer than that; `out` is then as before.
    pub fn encode(&self, frame_bytes: usize, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let end = out.len().saturating_add(frame_bytes);
        framed(Kind::Pruned, out, |out| {
            put_bytes(out, self.author.as_bytes())?;
            out.extend_from_slice(&self.epoch.to_le_bytes());
            out.extend_from_slice(&self.first.to_le_bytes());
            put_bytes(out, &self.note)?;
            put_hashes(out, &self.leaves)?;
            if frame_bytes > 0 {
                if out.len() > end {
                    return Err(FrameError::TooLong);
                }
                out.resize(end, 0);
            }
            Ok(())
        })
    }

    fn decode_payload(payload: &[u8]) -> Result<Self, FrameError> {
        let mut fields = Fields::new(payload);
        let pruned = Self {
            author: fields.text()?,
            epoch: fields.u32()?,
            first: fields.u64()?,
            note: fields.bytes()?,
            leaves: fields.hashes()?,
        };
        fields.zeros()?;
        Ok(pruned)
    }
}

/// Writes a payload straight into `out` and fills in the header that belongs before it.
fn framed(
    kind: Kind,
    out: &mut Vec<u8>,
    write_payload: impl FnOnce(&mut Vec<u8>) -> Result<(), FrameError>,
) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    let written = write_payload(out).and_then(|()| fill_header(kind, out, start));
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn fill_header(kind: Kind, out: &mut [u8], start: usize) -> Result<(), FrameError> {
    let frame = out.get_mut(start..).ok_or(FrameError::Short)?;
    if frame.len() > kind.bytes_max() {
        return Err(FrameError::TooLong);
    }
    let (header, payload) = frame.split_first_chunk_mut::<HEADER_BYTES>().ok_or(FrameError::Short)?;
    let [l0, l1, l2, l3] = payload_length(payload)?.to_le_bytes();
    let [c0, c1, c2, c3] = checksum(kind, payload)?.to_le_bytes();
    *header = [kind.byte(), l0, l1, l2, l3, c0, c1, c2, c3];
    Ok(())
}

fn checksum(kind: Kind, payload: &[u8]) -> Result<u32, FrameError> {
    let [l0, l1, l2, l3] = payload_length(payload)?.to_le_bytes();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&[kind.byte(), l0, l1, l2, l3]);
    crc.update(payload);
    Ok(crc.finalize())
}

fn payload_length(payload: &[u8]) -> Result<u32, FrameError> {
    u32::try_from(payload.len()).map_err(|_| FrameError::TooLong)
}
