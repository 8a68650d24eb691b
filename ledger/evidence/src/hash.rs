//! SHA-256 hashes and the two ways they are written: hex for rows, base64 for notes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

/// A text is not a hash of 32 bytes in the encoding that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a hash of 32 bytes")]
pub struct NotAHash;

impl Hash {
    /// Wraps 32 bytes that are a hash already.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash of several pieces one after the other.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Lower-case hex, 64 characters.
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }

    /// Standard base64 with padding, 44 characters.
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }

    /// Reads lower-case hex.
    pub fn from_hex(text: &str) -> Result<Self, NotAHash> {
        unhex(text).and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotAHash)
    }

    /// Reads standard base64 with padding; other spellings of the same bytes are refused.
    pub fn from_base64(text: &str) -> Result<Self, NotAHash> {
        let bytes: [u8; 32] = unbase64(text).and_then(|bytes| bytes.try_into().ok()).ok_or(NotAHash)?;
        Ok(Self(bytes))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl TryFrom<String> for Hash {
    type Error = NotAHash;
    fn try_from(text: String) -> Result<Self, NotAHash> {
        Self::from_hex(&text)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_hex()
    }
}

/// Lower-case hex of any bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of lower-case hex; nothing else is accepted.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |c: u8| match c {
        b'0'..=b'9' => c.checked_sub(b'0'),
        b'a'..=b'f' => c.checked_sub(b'a')?.checked_add(10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| nibble(*high)?.checked_mul(16)?.checked_add(nibble(*low)?)).collect()
}

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes of canonical standard base64; loose bits and missing padding are refused.
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_read_what_they_write_and_nothing_else() {
        let hash = Hash::of(b"entry");
        assert_eq!(Hash::from_hex(&hash.to_hex()), Ok(hash));
        assert_eq!(Hash::from_base64(&hash.to_base64()), Ok(hash));
        for wrong in ["", "00", &hash.to_hex().to_uppercase(), &format!("{hash}0"), "é".repeat(32).as_str()]
        {
            assert_eq!(Hash::from_hex(wrong), Err(NotAHash), "{wrong}");
        }
        let loose = format!("{}B=", &hash.to_base64()[..42]);
        for wrong in ["", "AAAA", loose.as_str(), hash.to_base64().trim_end_matches('=')] {
            assert_eq!(Hash::from_base64(wrong), Err(NotAHash), "{wrong}");
        }
    }
}
