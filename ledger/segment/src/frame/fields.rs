//! Fields inside a frame's payload: little-endian numbers, and byte strings with a 32-bit length before them.
use super::{FrameError, Hash};
use crate::sizes;

/// Appends a byte string with its length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), FrameError> {
    put_count(out, bytes.len())?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends a count or length as 32 bits.
pub(super) fn put_count(out: &mut Vec<u8>, count: usize) -> Result<(), FrameError> {
    let count = u32::try_from(count).map_err(|_| FrameError::TooLong)?;
    out.extend_from_slice(&count.to_le_bytes());
    Ok(())
}

/// Appends hashes with their count.
pub(super) fn put_hashes(out: &mut Vec<u8>, hashes: &[Hash]) -> Result<(), FrameError> {
    put_count(out, hashes.len())?;
    for hash in hashes {
        out.extend_from_slice(hash);
    }
    Ok(())
}

/// Takes fields off the front of a payload; nothing is allocated before the bytes for it are known to be there.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(FrameError::BadPayload)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(FrameError::BadPayload)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, FrameError> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, FrameError> {
        let length = self.u32()?;
        self.take(sizes::of_field(length)).map(<[u8]>::to_vec)
    }

    pub(super) fn text(&mut self) -> Result<String, FrameError> {
        let length = self.u32()?;
        let bytes = self.take(sizes::of_field(length))?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| FrameError::BadPayload)
    }

    /// A count of items that take at least `bytes_min` each: never more than the rest can hold.
    pub(super) fn count(&mut self, bytes_min: usize) -> Result<usize, FrameError> {
        let count = sizes::of_field(self.u32()?);
        if count.saturating_mul(bytes_min) > self.rest.len() {
            return Err(FrameError::BadPayload);
        }
        Ok(count)
    }

    pub(super) fn hashes(&mut self) -> Result<Vec<Hash>, FrameError> {
        let count = self.count(size_of::<Hash>())?;
        let mut hashes = Vec::with_capacity(count);
        for _ in 0..count {
            hashes.push(self.array()?);
        }
        Ok(hashes)
    }

    /// Refuses anything but zeros after the last field.
    pub(super) fn zeros(self) -> Result<(), FrameError> {
        if self.rest.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(FrameError::BadPayload) }
    }

    /// Refuses bytes after the last field: one value has one encoding.
    pub(super) fn end(self) -> Result<(), FrameError> {
        if self.rest.is_empty() { Ok(()) } else { Err(FrameError::BadPayload) }
    }
}
