//! The recovery key: what is kept for a rebuild is encrypted to its public half (age-encryption.org/v1, X25519),
//! and only whoever holds the secret half, which was taken away at `init`, can read it again.

use std::str::FromStr as _;

use age::x25519::Identity;
use bech32::Hrp;

/// The recovery key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// Not a secret that age takes.
    #[error("the recovery key cannot be used: {0}")]
    Secret(String),
}

/// The key of a 32-byte secret, as `init` writes it in hex and in words.
pub fn identity(secret: &[u8; 32]) -> Result<Identity, RecoveryError> {
    let wrong = |error: &dyn std::fmt::Display| RecoveryError::Secret(error.to_string());
    let prefix = Hrp::parse("age-secret-key-").map_err(|error| wrong(&error))?;
    let text = bech32::encode_upper::<bech32::Bech32>(prefix, secret).map_err(|error| wrong(&error))?;
    Identity::from_str(&text).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_secret_has_one_recipient_and_reads_back_as_age_writes_it() {
        let key = identity(&[7; 32]).unwrap();
        assert!(key.to_string().expose_secret().starts_with("AGE-SECRET-KEY-1"));
        assert_eq!(key.to_public(), identity(&[7; 32]).unwrap().to_public());
        assert_ne!(key.to_public().to_string(), identity(&[8; 32]).unwrap().to_public().to_string());
        assert_eq!(key.to_public().to_string().len(), 62);
    }
}
