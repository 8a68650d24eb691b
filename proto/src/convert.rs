//! Limits of the wire, and hashes out of bytes.

/// The largest message, bytes; tonic refuses larger ones before decoding.
pub const MESSAGE_BYTES_MAX: usize = 8 << 20;
/// The largest note, bytes.
pub const NOTE_BYTES_MAX: usize = 1 << 20;
/// The most hashes in a proof.
pub const PROOF_HASHES_MAX: usize = 64;

/// A field of a message is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name.
    pub field: &'static str,
    /// What it should be.
    pub wanted: &'static str,
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the field `{}` is not {}", self.field, self.wanted)
    }
}

impl std::error::Error for FieldError {}

/// A field of exactly N bytes.
pub fn exactly<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], FieldError> {
    bytes.try_into().map_err(|_| FieldError { field, wanted: "of the right length" })
}

/// The hashes of a proof, at most [`PROOF_HASHES_MAX`] of 32 bytes.
pub fn hashes(field: &'static str, proof: &[Vec<u8>]) -> Result<Vec<[u8; 32]>, FieldError> {
    if proof.len() > PROOF_HASHES_MAX {
        return Err(FieldError { field, wanted: "a proof of at most 64 hashes" });
    }
    proof.iter().map(|hash| exactly(field, hash)).collect()
}

/// A note within its bound.
pub fn note(field: &'static str, bytes: Vec<u8>) -> Result<Vec<u8>, FieldError> {
    if bytes.len() > NOTE_BYTES_MAX {
        return Err(FieldError { field, wanted: "a note of at most 1 MiB" });
    }
    Ok(bytes)
}
