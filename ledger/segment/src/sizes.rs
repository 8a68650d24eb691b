//! Lengths in memory are `usize`, on disk `u64` and `u32`: conversions that saturate instead of wrapping.

/// A length in memory as a length on disk.
pub(crate) fn on_disk(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A length on disk as a length in memory; what does not fit becomes a length that no buffer has.
pub(crate) fn in_memory(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// A 32-bit field as a length in memory.
pub(crate) fn of_field(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
