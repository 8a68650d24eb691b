//! Signed notes (c2sp.org/signed-note): a text, an empty line, and lines of signatures.
//!
//! The text ends in a line end. A signature line is `— <name> <base64(key id || signature)>` with U+2014.
//! Text and signatures part at the LAST empty line. Unknown keys are ignored; a known key whose signature
//! does not verify refuses the whole note. A key id is the first four bytes of SHA256(name || 0x0A || type
//! || public key), so one name may have several keys.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::hash::{Hash, base64, hex, unbase64, unhex};

/// The largest note that is read, bytes.
pub const NOTE_BYTES_MAX: usize = 1 << 20;
/// How many signatures a note may carry.
pub const SIGNATURES_MAX: usize = 100;

/// What a key signs, the type byte of its key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// 0x01: Ed25519 over the note's text.
    Ed25519,
    /// 0x04: Ed25519 over a timestamped checkpoint (c2sp.org/tlog-cosignature, cosignature/v1).
    CosignatureV1,
}

impl KeyType {
    const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::CosignatureV1 => 4,
        }
    }
}

/// A note, key or signature is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Too large, not UTF-8, no empty line, or a line that is no signature.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// Not a verifier key such as `name+1a2b3c4d+AX...`.
    #[error("not a verifier key: {0}")]
    Key(&'static str),
    /// None of the keys asked for has signed.
    #[error("no signature by `{0}`")]
    NotSigned(String),
    /// A known key's signature does not verify.
    #[error("the signature by `{0}` does not fit the text")]
    BadSignature(String),
}

/// A public key with its name: `name+hex8(key id)+base64(type || public key)`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key_type: KeyType,
    public: VerifyingKey,
}

impl VerifierKey {
    /// A key of a type under a name.
    pub fn new(name: &str, key_type: KeyType, public: &[u8; 32]) -> Result<Self, NoteError> {
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+') {
            return Err(NoteError::Key("a name has no white space and no `+`"));
        }
        let public =
            VerifyingKey::from_bytes(public).map_err(|_| NoteError::Key("not an Ed25519 public key"))?;
        Ok(Self { name: name.to_owned(), key_type, public })
    }

    /// Reads the text form and checks that the key id belongs to the key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        // The base64 part may hold `+` itself: split from the left.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("three parts joined by `+` are needed"));
        };
        let bytes = unbase64(key).ok_or(NoteError::Key("the key is not base64"))?;
        let (key_type, public) = match bytes.split_first() {
            Some((1, public)) => (KeyType::Ed25519, public),
            Some((4, public)) => (KeyType::CosignatureV1, public),
            _ => return Err(NoteError::Key("an unknown type of key")),
        };
        let public: &[u8; 32] = public.try_into().map_err(|_| NoteError::Key("a key has 32 bytes"))?;
        let parsed = Self::new(name, key_type, public)?;
        if unhex(id).as_deref() != Some(parsed.id().as_slice()) {
            return Err(NoteError::Key("the key id does not belong to the key"));
        }
        Ok(parsed)
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    pub const fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The four bytes that tell this key from others of its name.
    pub fn id(&self) -> [u8; 4] {
        let digest =
            Hash::of_parts(&[self.name.as_bytes(), b"\n", &[self.key_type.byte()], self.public.as_bytes()]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        [a, b, c, d]
    }

    /// The raw 32 bytes.
    pub fn public_bytes(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    /// Whether this signature of a note was made by this key over this message; strict (RFC 8032, no small orders).
    pub fn verify_bytes(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.public.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut bytes = vec![self.key_type.byte()];
        bytes.extend_from_slice(self.public.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), base64(&bytes))
    }
}

impl std::fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// A secret key with its name. Never printed.
pub struct NoteSigner {
    key: SigningKey,
    verifier: VerifierKey,
}

impl NoteSigner {
    /// A key of a type under a name, from its 32 secret bytes.
    pub fn new(name: &str, key_type: KeyType, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let key = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, key_type, key.verifying_key().as_bytes())?;
        Ok(Self { key, verifier })
    }

    /// The public half.
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a text that ends in a line end and returns the whole note.
    pub fn sign(&self, text: &str) -> Result<String, NoteError> {
        check_text(text)?;
        let line = self.line(&self.raw(text.as_bytes()));
        Ok(format!("{text}\n{line}"))
    }

    /// The raw signature over some bytes.
    pub fn raw(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// The signature line for signature bytes (for a cosignature: time and signature).
    pub fn line(&self, signature: &[u8]) -> String {
        let mut bytes = self.verifier.id().to_vec();
        bytes.extend_from_slice(signature);
        format!("— {} {}\n", self.verifier.name, base64(&bytes))
    }
}

impl std::fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NoteSigner({}, secret withheld)", self.verifier)
    }
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    /// The signer's name, unverified.
    pub name: String,
    /// Which key of that name.
    pub key_id: [u8; 4],
    /// The signature's bytes, without the key id.
    pub signature: Vec<u8>,
}

/// A note as read: nothing about its signatures is known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl SignedNote {
    /// Reads a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Form("larger than 1 MiB"));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Form("not UTF-8"))?;
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Form("control characters"));
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Form("no empty line before the signatures"))?;
        let (text, lines) = note.split_at(at.saturating_add(1));
        let lines = lines.strip_prefix('\n').unwrap_or_default();
        if !lines.ends_with('\n') {
            return Err(NoteError::Form("no signature, or the last line does not end"));
        }
        let signatures = lines.split_terminator('\n').map(parse_line).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Form("more than 100 signatures"));
        }
        check_text(text)?;
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text that is signed, with its last line end. Not yet verified.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in their order.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// The text, if this plain key has signed it and all of its signatures verify.
    pub fn verified_by(&self, key: &VerifierKey) -> Result<&str, NoteError> {
        let mut found = false;
        for line in self.lines_of(key) {
            let signature: &[u8; 64] = line
                .signature
                .as_slice()
                .try_into()
                .map_err(|_| NoteError::BadSignature(key.name.clone()))?;
            if key.key_type != KeyType::Ed25519 || !key.verify_bytes(self.text.as_bytes(), signature) {
                return Err(NoteError::BadSignature(key.name.clone()));
            }
            found = true;
        }
        if found { Ok(&self.text) } else { Err(NoteError::NotSigned(key.name.clone())) }
    }

    /// The signature lines that claim to be by this key.
    pub fn lines_of<'a>(&'a self, key: &'a VerifierKey) -> impl Iterator<Item = &'a SignatureLine> {
        let id = key.id();
        self.signatures.iter().filter(move |line| line.name == key.name && line.key_id == id)
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.ends_with('\n') && text.len() > 1 && !text.starts_with('\n') {
        Ok(())
    } else {
        Err(NoteError::Form("the text is empty or does not end in a line end"))
    }
}

fn parse_line(line: &str) -> Result<SignatureLine, NoteError> {
    let wrong = NoteError::Form("a line after the text is not a signature");
    let (name, encoded) =
        line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or(wrong.clone())?;
    let bytes = unbase64(encoded).ok_or(wrong.clone())?;
    let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or(wrong.clone())?;
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '+') || signature.is_empty() {
        return Err(wrong);
    }
    Ok(SignatureLine { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn signer(name: &str, seed: u8) -> NoteSigner {
        NoteSigner::new(name, KeyType::Ed25519, &[seed; 32]).unwrap()
    }

    #[test]
    fn text_and_signatures_part_at_the_last_empty_line() {
        let signer = signer("maple/log", 1);
        let note = signer.sign("first\n\nsecond\n").unwrap();
        let parsed = SignedNote::parse(note.as_bytes()).unwrap();
        assert_eq!(parsed.verified_by(signer.verifier()), Ok("first\n\nsecond\n"));
    }

    #[test]
    fn an_unknown_key_is_ignored_and_a_false_signature_of_a_known_key_refuses() {
        let (a, b) = (signer("maple/log", 1), signer("oak/log", 2));
        let text = "hello\n";
        let both = format!("{text}\n{}{}", a.line(&a.raw(text.as_bytes())), b.line(&b.raw(text.as_bytes())));
        let note = SignedNote::parse(both.as_bytes()).unwrap();
        assert_eq!(note.verified_by(a.verifier()), Ok(text));
        let false_b = format!("{text}\n{}{}", a.line(&a.raw(text.as_bytes())), b.line(&b.raw(b"other")));
        let note = SignedNote::parse(false_b.as_bytes()).unwrap();
        assert_eq!(note.verified_by(a.verifier()), Ok(text));
        assert_eq!(note.verified_by(b.verifier()), Err(NoteError::BadSignature("oak/log".into())));
        let c = signer("elm/log", 3);
        assert_eq!(note.verified_by(c.verifier()), Err(NoteError::NotSigned("elm/log".into())));
    }

    #[test]
    fn a_verifier_key_reads_back_and_a_changed_one_is_refused() {
        let key = signer("maple/log", 1).verifier().to_string();
        assert_eq!(VerifierKey::parse(&key).unwrap().to_string(), key);
        for (at, _) in key.char_indices() {
            let mut bytes = key.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(VerifierKey::parse(&changed).is_err(), "{changed}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_no_changed_note_verifies(at in 0usize..200, with in any::<u8>(), noise in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = SignedNote::parse(&noise);
            let signer = signer("maple/log", 1);
            let note = signer.sign("maple/log\n3\nabc\n").unwrap().into_bytes();
            let mut changed = note.clone();
            let at = at % note.len();
            changed[at] = with;
            if changed != note && let Ok(parsed) = SignedNote::parse(&changed) {
                prop_assert!(parsed.verified_by(signer.verifier()).is_err());
            }
        }
    }
}
