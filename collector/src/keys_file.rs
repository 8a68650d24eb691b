//! What is taken away at `init`: practice key and recovery key, as a file, in hex, or in paper words.
//!
//! Both are 32 random bytes, neither is derived from the other: the practice key is the seed of an Ed25519 key, the
//! recovery key the secret of an X25519 key of age. So 24 words each carry all that the file holds; its other lines
//! are made of them and of the trust file.

pub mod paper;

use age::secrecy::ExposeSecret as _;
use ntk_evidence::hash::{hex, unhex};
use ntk_evidence::name::Slug;
use ntk_evidence::note::{KeyType, NoteError, NoteSigner};
use ntk_evidence::trust::TrustFile;
use ntk_evidence::words;

use crate::recovery::{self, RecoveryError};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Signs trust files.
    Practice,
    /// Reads what was kept for a rebuild.
    Recovery,
}

impl Secret {
    /// Both, in the order of the file.
    pub const BOTH: [Self; 2] = [Self::Practice, Self::Recovery];

    /// What the file calls it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Practice => "practice key",
            Self::Recovery => "recovery key",
        }
    }
}

/// The secret in a text: the whole file of `init`, or the key alone in 64 hex digits or 24 words.
pub fn secret(text: &str, which: Secret) -> Option<[u8; 32]> {
    let of_line = text.lines().find_map(|line| line.trim().strip_prefix(which.label()));
    let candidate = of_line.unwrap_or(text).trim();
    let hex = unhex(candidate).and_then(|bytes| bytes.try_into().ok());
    hex.or_else(|| words::secret_from_words(&candidate.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// The two keys together.
#[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct TakenAway {
    practice: [u8; 32],
    recovery: [u8; 32],
}

impl std::fmt::Debug for TakenAway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TakenAway(keys withheld)")
    }
}

impl TakenAway {
    /// Of the two seeds.
    pub const fn new(practice: [u8; 32], recovery: [u8; 32]) -> Self {
        Self { practice, recovery }
    }

    /// The two keys of a text; none where one is missing or wrong.
    pub fn read(text: &str) -> Option<Self> {
        Some(Self::new(labelled(text, Secret::Practice)??, labelled(text, Secret::Recovery)??))
    }

    /// The 24 words of one of them.
    pub fn words(&self, which: Secret) -> Vec<String> {
        let words = words::secret_to_words(match which {
            Secret::Practice => &self.practice,
            Secret::Recovery => &self.recovery,
        });
        words.split(' ').map(str::to_owned).collect()
    }

    /// These keys with another practice key, which has signed nothing yet.
    pub fn with_practice(&self, practice: [u8; 32]) -> Self {
        Self::new(practice, self.recovery)
    }

    /// These keys with another recovery key, to which nothing is encrypted yet.
    pub fn with_recovery(&self, recovery: [u8; 32]) -> Self {
        Self::new(self.practice, recovery)
    }

    /// The recovery key's public half, `age1...`.
    pub fn recipient(&self) -> Result<String, RecoveryError> {
        recovery::recipient(&self.recovery)
    }

    /// The practice key, as it signs.
    pub fn signer(&self, slug: &Slug) -> Result<NoteSigner, NoteError> {
        NoteSigner::new(&slug.practice_name(), KeyType::Ed25519, &self.practice)
    }

    /// Whether both hold one practice key.
    pub fn is_same_practice(&self, other: &Self) -> bool {
        self.practice == other.practice
    }

    /// Whether both hold one recovery key.
    pub fn is_same_recovery(&self, other: &Self) -> bool {
        self.recovery == other.recovery
    }

    /// The file: the same bytes whenever it is made of the same keys.
    pub fn file(&self, practice: &str, slug: &Slug, public: &[u8; 32]) -> Result<String, RecoveryError> {
        Ok(format!(
            "Need-to-Know: keys of {practice} ({slug})\n\
             Take this file away now: to a USB stick or on paper, then delete it here.\n\
             Whoever holds the practice key decides whom verifiers trust. Whoever holds the recovery key can\n\
             read what was kept for a rebuild. Nobody can make them again.\n\n\
             The practice key's public half in twelve words (these may be shown to anybody):\n  {words}\n\n\
             practice key  {hex}\n  as words: {practice_words}\n\n\
             recovery key  {recovery}\n  for age: {recovery_age}\n  as words: {recovery_words}\n",
            words = words::of_key(public),
            hex = hex(&self.practice),
            practice_words = words::secret_to_words(&self.practice),
            recovery = hex(&self.recovery),
            recovery_age = recovery::identity(&self.recovery)?.to_string().expose_secret(),
            recovery_words = words::secret_to_words(&self.recovery),
        ))
    }
}

/// Whether a text holds a practice's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is this practice's.
    Ours,
    /// It was this practice's, and another one took its place.
    Former,
    /// There is one, and it is another's, or cannot be read.
    Other,
    /// There is none.
    Absent,
}

/// Whether a text, the whole file or one key alone, holds the two keys of a practice, in the order of [`Secret::BOTH`].
///
/// A key alone carries no name: it counts as the one that it fits, and where it fits neither as another's practice key.
pub fn check(text: &str, trust: &TrustFile) -> [Found; 2] {
    let found = Secret::BOTH.map(|which| match labelled(text, which) {
        Some(Some(secret)) if is_of(&secret, which, trust) => Found::Ours,
        Some(Some(secret)) if was_of(&secret, which, trust) => Found::Former,
        Some(_) => Found::Other,
        None => Found::Absent,
    });
    if found != [Found::Absent; 2] {
        return found;
    }
    match secret(text, Secret::Practice) {
        Some(secret) if is_of(&secret, Secret::Practice, trust) => [Found::Ours, Found::Absent],
        Some(secret) if is_of(&secret, Secret::Recovery, trust) => [Found::Absent, Found::Ours],
        Some(secret) if was_of(&secret, Secret::Practice, trust) => [Found::Former, Found::Absent],
        Some(secret) if was_of(&secret, Secret::Recovery, trust) => [Found::Absent, Found::Former],
        Some(_) => [Found::Other, Found::Absent],
        None => found,
    }
}

/// Whether a secret is the one whose public half the trust file names.
pub fn is_of(secret: &[u8; 32], which: Secret, trust: &TrustFile) -> bool {
    match which {
        Secret::Practice => NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, secret)
            .is_ok_and(|signer| *signer.verifier() == trust.practice_key),
        Secret::Recovery => recovery::recipient(secret).is_ok_and(|recipient| recipient == trust.recovery),
    }
}

/// Whether a secret is one that the trust file names as a former one.
fn was_of(secret: &[u8; 32], which: Secret, trust: &TrustFile) -> bool {
    match which {
        Secret::Practice => NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, secret)
            .is_ok_and(|signer| trust.succeeded.iter().any(|one| one.former == *signer.verifier())),
        Secret::Recovery => recovery::recipient(secret)
            .is_ok_and(|recipient| trust.retired.iter().any(|one| one.recipient == recipient)),
    }
}

/// The key on its own line of the file: none where there is no such line, and none within where it cannot be read.
fn labelled(text: &str, which: Secret) -> Option<Option<[u8; 32]>> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(which.label()))?;
    Some(secret(line, which))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust() -> TrustFile {
        let clock = crate::clock::Clock::system();
        crate::init::trust_for_tests([1; 32], [2; 32], clock.now())
    }

    #[test]
    fn a_file_and_a_key_alone_are_told_from_those_of_another_practice() {
        let trust = trust();
        let file = |practice, recovery| {
            let keys = TakenAway::new([practice; 32], [recovery; 32]);
            keys.file("X", &trust.slug, trust.practice_key.public_bytes()).unwrap()
        };
        assert_eq!(check(&file(1, 2), &trust), [Found::Ours, Found::Ours]);
        assert_eq!(check(&file(1, 3), &trust), [Found::Ours, Found::Other]);
        assert_eq!(check(&file(2, 1), &trust), [Found::Other, Found::Other], "exchanged");
        let alone = |byte| words::secret_to_words(&[byte; 32]);
        assert_eq!(check(&alone(1), &trust), [Found::Ours, Found::Absent]);
        assert_eq!(check(&alone(2), &trust), [Found::Absent, Found::Ours]);
        assert_eq!(check(&alone(3), &trust), [Found::Other, Found::Absent]);
        assert_eq!(check("nothing", &trust), [Found::Absent, Found::Absent]);
        let damaged = file(1, 2).replace("practice key  01", "practice key  zz");
        assert_eq!(check(&damaged, &trust), [Found::Other, Found::Ours]);
        assert!(TakenAway::read(&damaged).is_none() && TakenAway::read(&file(1, 2)).is_some());
    }

    #[test]
    fn a_recovery_key_that_was_replaced_is_told_from_one_of_another_practice() {
        let mut trust = trust();
        trust
            .replace_recovery(&recovery::recipient(&[3; 32]).unwrap(), "2036-01-01T00:00:00Z", "lost")
            .unwrap();
        let file = |recovery| {
            let keys = TakenAway::new([1; 32], [recovery; 32]);
            keys.file("X", &trust.slug, trust.practice_key.public_bytes()).unwrap()
        };
        assert_eq!(check(&file(3), &trust), [Found::Ours, Found::Ours]);
        assert_eq!(check(&file(2), &trust), [Found::Ours, Found::Former]);
        assert_eq!(check(&file(4), &trust), [Found::Ours, Found::Other]);
        assert_eq!(check(&words::secret_to_words(&[2; 32]), &trust), [Found::Absent, Found::Former]);
        assert_eq!(check(&hex(&[3; 32]), &trust), [Found::Absent, Found::Ours]);
    }

    #[test]
    fn both_keys_are_found_in_the_file_alone_and_in_words() {
        let file = format!(
            "Need-to-Know: keys of X\n\npractice key  {}\n  as words: w\n\nrecovery key  {}\n  for age: y\n",
            hex(&[1; 32]),
            hex(&[2; 32])
        );
        assert_eq!(secret(&file, Secret::Practice), Some([1; 32]));
        assert_eq!(secret(&file, Secret::Recovery), Some([2; 32]));
        assert_eq!(secret(&hex(&[3; 32]), Secret::Practice), Some([3; 32]));
        assert_eq!(secret(&words::secret_to_words(&[4; 32]), Secret::Practice), Some([4; 32]));
        assert_eq!(secret("nothing", Secret::Practice), None);
        assert_eq!(secret("", Secret::Recovery), None);
    }
}
