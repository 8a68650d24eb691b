//! Bytes for named readers only: encrypted to public keys (age-encryption.org/v1, X25519), so that a disk, a stick
//! or a mail on the way shows nothing of them.
//!
//! Pure: bytes and recipients in, bytes out. Whoever holds the secret half of any one recipient reads the whole;
//! a changed byte or a cut end is no plain text to any of them. Nothing here says who encrypted: that a bundle is
//! the practice's is in the bundle, after decryption.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr as _;

use age::x25519::Recipient;
use ntk_evidence::hash::hex;

/// A key cannot be encrypted to, or encrypting failed.
#[derive(Debug, thiserror::Error)]
pub enum EncryptError {
    /// Not a public key that age takes.
    #[error(
        "cannot encrypt to `{text}`: it is no age recipient ({why}); a recipient is the line `age1...` that age-keygen prints as the public key"
    )]
    NotARecipient {
        /// What was given.
        text: String,
        /// What age says of it.
        why: &'static str,
    },
    /// A secret key, which is not repeated here: errors end up in logs and on screens.
    #[error(
        "cannot encrypt to a secret key (AGE-SECRET-KEY-...): give its public half, which `age-keygen -y KEYFILE` prints; make a new key if others could see this command line"
    )]
    Secret,
    /// A public key that nobody can have the secret half of.
    #[error(
        "cannot encrypt to `{text}`: the key is one of the few that are the same for everybody; make another with age-keygen"
    )]
    Weak {
        /// What was given.
        text: String,
    },
    /// The format's own code failed.
    #[error("could not encrypt: {0}")]
    Failed(String),
}

/// The keys that may read, at least one, each once.
#[derive(Clone)]
pub struct Recipients(Vec<Recipient>);

impl fmt::Debug for Recipients {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(ToString::to_string)).finish()
    }
}

impl Recipients {
    /// Reads recipients as `age-keygen` prints them; `None` where no text was given.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Option<Self>, EncryptError> {
        let mut recipients: Vec<Recipient> = Vec::new();
        for text in texts.iter().map(|text| text.as_ref().trim()) {
            if text.to_ascii_uppercase().contains("AGE-SECRET-KEY") {
                return Err(EncryptError::Secret);
            }
            let recipient = Recipient::from_str(text)
                .map_err(|why| EncryptError::NotARecipient { text: text.to_owned(), why })?;
            if is_weak(text) {
                return Err(EncryptError::Weak { text: text.to_owned() });
            }
            if !recipients.contains(&recipient) {
                recipients.push(recipient);
            }
        }
        Ok((!recipients.is_empty()).then_some(Self(recipients)))
    }

    /// How many keys may read; never 0.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// The points of X25519 whose shared secret is zero with everybody (<https://cr.yp.to/ecdh.html>, "Validate").
/// The crate takes them for a broken source of random numbers and panics.
const WEAK: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn is_weak(text: &str) -> bool {
    let Ok((_, mut point)) = bech32::decode(text) else { return false };
    // X25519 ignores the highest bit.
    if let Some(highest) = point.last_mut() {
        *highest &= 0x7f;
    }
    WEAK.contains(&hex(&point).as_str())
}

/// Encrypts to every recipient; the binary form, not the armoured one.
pub fn encrypt(bytes: &[u8], to: &Recipients) -> Result<Vec<u8>, EncryptError> {
    let failed = |error: &dyn fmt::Display| EncryptError::Failed(error.to_string());
    let keys = to.0.iter().map(|recipient| -> &dyn age::Recipient { recipient });
    write(bytes, age::Encryptor::with_recipients(keys).map_err(|error| failed(&error))?)
}

/// Encrypts to whoever knows the passphrase; the work of trying one is about a second.
pub fn encrypt_to_passphrase(bytes: &[u8], passphrase: &str) -> Result<Vec<u8>, EncryptError> {
    write(
        bytes,
        age::Encryptor::with_user_passphrase(age::secrecy::SecretString::from(passphrase.to_owned())),
    )
}

fn write(bytes: &[u8], encryptor: age::Encryptor) -> Result<Vec<u8>, EncryptError> {
    let failed = |error: &dyn fmt::Display| EncryptError::Failed(error.to_string());
    let mut encrypted = Vec::new();
    let mut writer = encryptor.wrap_output(&mut encrypted).map_err(|error| failed(&error))?;
    writer.write_all(bytes).map_err(|error| failed(&error))?;
    // The last chunk is marked as the last one: without it readers refuse the file as cut.
    writer.finish().map_err(|error| failed(&error))?;
    Ok(encrypted)
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;
    use age::x25519::Identity;

    use super::*;

    const PLAIN: &[u8] = b"/srv/practice/ehr/exports/week/lopez.csv";

    fn recipients(keys: &[&Identity]) -> Recipients {
        let texts: Vec<String> = keys.iter().map(|key| key.to_public().to_string()).collect();
        Recipients::parse(&texts).unwrap().unwrap()
    }

    #[test]
    fn each_recipient_reads_all_of_it_and_nobody_else_does() {
        let (auditor, counsel, other) = (Identity::generate(), Identity::generate(), Identity::generate());
        // Larger than one chunk of the format (64 KiB), and empty.
        for plain in [PLAIN.to_vec(), vec![7; 200_000], Vec::new()] {
            let encrypted = encrypt(&plain, &recipients(&[&auditor, &counsel])).unwrap();
            assert_eq!(age::decrypt(&auditor, &encrypted).unwrap(), plain);
            assert_eq!(age::decrypt(&counsel, &encrypted).unwrap(), plain);
            assert!(age::decrypt(&other, &encrypted).is_err());
        }
    }

    #[test]
    fn a_flipped_byte_or_a_cut_end_is_no_plain_text_and_none_stands_in_the_file() {
        let key = Identity::generate();
        let encrypted = encrypt(PLAIN, &recipients(&[&key])).unwrap();
        assert!(!encrypted.windows(8).any(|window| PLAIN.windows(8).any(|plain| plain == window)));
        for at in 0..encrypted.len() {
            let mut flipped = encrypted.clone();
            flipped[at] ^= 1;
            assert!(age::decrypt(&key, &flipped).is_err(), "byte {at} flipped");
            assert!(age::decrypt(&key, &encrypted[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_same_bytes_twice_look_different() {
        let to = recipients(&[&Identity::generate()]);
        assert_ne!(encrypt(PLAIN, &to).unwrap(), encrypt(PLAIN, &to).unwrap());
    }

    #[test]
    fn a_key_that_is_weak_with_everybody_is_refused() {
        let prefix = bech32::Hrp::parse("age").unwrap();
        for (point, highest) in WEAK.iter().flat_map(|point| [(point, 0), (point, 0x80)]) {
            let mut bytes = ntk_evidence::hash::unhex(point).unwrap();
            bytes[31] |= highest;
            let text = bech32::encode::<bech32::Bech32>(prefix, &bytes).unwrap();
            assert!(matches!(Recipients::parse(&[text]), Err(EncryptError::Weak { .. })), "{point}");
        }
    }

    #[test]
    fn recipients_are_public_keys_each_once_and_a_secret_is_never_repeated() {
        let key = Identity::generate();
        let public = key.to_public().to_string();
        assert!(Recipients::parse::<&str>(&[]).unwrap().is_none());
        assert_eq!(Recipients::parse(&[&public, &format!(" {public}\n")]).unwrap().unwrap().count(), 1);
        let mut changed = public.clone();
        let last = if changed.pop() == Some('q') { 'p' } else { 'q' };
        changed.push(last);
        for wrong in ["", "age1", "northwind", "ssh-ed25519 AAAA", changed.as_str()] {
            let error = Recipients::parse(&[public.as_str(), wrong]).unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}`")) && !error.contains('\n'), "{error}");
        }
        let secret = key.to_string().expose_secret().to_owned();
        for said in [secret.clone(), secret.to_lowercase()] {
            let error = Recipients::parse(&[said.as_str()]).unwrap_err().to_string();
            assert!(error.contains("secret key") && !error.contains(&said[20..]), "{error}");
        }
    }
}
