//! Where a frame is: the number of its segment and its offset in the segment's logical bytes.
//!
//! Logical bytes are those of the `.seg` file. A sealed file keeps the same offsets, so a pointer outlives sealing.
use std::fmt;

use crate::frame::MAGIC_BYTES;

/// The number of a segment; the first is 0, each next one is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(u64);

impl SegmentNumber {
    /// The number of a log's first segment.
    pub const FIRST: Self = Self(0);

    /// The segment with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The bare number, for storing it elsewhere.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The number after this one. At the very last number it stays, which no disk can hold.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for SegmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}", self.0)
    }
}

/// The position of a frame, or the end of one. Pointers sort in the order of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer {
    /// The segment.
    pub segment: SegmentNumber,
    /// The offset in the segment's logical bytes.
    pub offset: u64,
}

impl Pointer {
    /// The number of bytes of [`Pointer::to_bytes`].
    pub const BYTES: usize = 16;

    /// A pointer to `offset` in `segment`.
    #[must_use]
    pub const fn new(segment: SegmentNumber, offset: u64) -> Self {
        Self { segment, offset }
    }

    /// The first frame (the STATE) of a segment.
    #[must_use]
    pub const fn first_in(segment: SegmentNumber) -> Self {
        Self::new(segment, MAGIC_BYTES)
    }

    /// Sixteen bytes, big-endian, that sort like the pointers themselves.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        ((u128::from(self.segment.0) << 64) | u128::from(self.offset)).to_be_bytes()
    }

    /// The pointer that [`Pointer::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7] = bytes;
        Self {
            segment: SegmentNumber(u64::from_be_bytes([a0, a1, a2, a3, a4, a5, a6, a7])),
            offset: u64::from_be_bytes([b0, b1, b2, b3, b4, b5, b6, b7]),
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment.0, self.offset)
    }
}
