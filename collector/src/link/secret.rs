//! What is secret in a link: its token, and the code that goes another way.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ntk_evidence::hash::Hash;

use crate::home::{HomeError, random};

/// Characters of a token: 32 bytes in base64 for addresses.
const TOKEN_LEN: usize = 43;
/// Characters of a code: five bits each.
const CODE_LEN: usize = 10;
/// Letters and digits that are not taken for one another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The secret part of a link's address; never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one.
    pub fn make() -> Result<Self, HomeError> {
        Ok(Self(URL_SAFE_NO_PAD.encode(random()?)))
    }

    /// One out of an address; none where it has not the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
        (text.len() == TOKEN_LEN && is_plain).then(|| Self(text.to_owned()))
    }

    /// What the ledger keeps of it, hex.
    pub fn sha256(&self) -> String {
        Hash::of(self.0.as_bytes()).to_hex()
    }

    /// The text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(withheld)")
    }
}

/// A code that is handed over on paper or by telephone: `7K3QZ-M09TB`.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// A new one.
    pub fn make() -> Result<Self, HomeError> {
        let letters = random()?.into_iter().take(CODE_LEN);
        let letter = |byte: u8| ALPHABET.get(usize::from(byte % 32)).copied().map(char::from);
        Ok(Self(letters.filter_map(letter).collect()))
    }

    /// One as a person types it: small letters, hyphens, blanks, and letters that are taken for digits.
    pub fn parse(text: &str) -> Option<Self> {
        let letter = |c: char| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let typed: String =
            text.chars().filter(|c| !matches!(c, '-' | ' ')).map(letter).take(CODE_LEN + 1).collect();
        let is_one = typed.len() == CODE_LEN && typed.bytes().all(|c| ALPHABET.contains(&c));
        is_one.then_some(Self(typed))
    }

    /// What the ledger keeps of it. Takes a good part of a second.
    pub fn hash(&self) -> Result<String, SecretError> {
        let salt = random()?;
        let hash: PasswordHash = Argon2::default()
            .hash_password_with_salt(self.0.as_bytes(), &salt)
            .map_err(|error| SecretError::Hash(error.to_string()))?;
        Ok(hash.to_string())
    }

    /// Whether it is the one of a hash. Takes a good part of a second.
    pub fn is_of(&self, hash: &str) -> bool {
        let Ok(hash) = PasswordHash::new(hash) else { return false };
        Argon2::default().verify_password(self.0.as_bytes(), &hash).is_ok()
    }

    /// The text, to be shown once.
    pub fn reveal(&self) -> String {
        match self.0.split_at_checked(CODE_LEN / 2) {
            Some((first, second)) => format!("{first}-{second}"),
            None => self.0.clone(),
        }
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(withheld)")
    }
}

/// A secret could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No random numbers.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Hashing failed.
    #[error("a code could not be hashed: {0}")]
    Hash(String),
}
