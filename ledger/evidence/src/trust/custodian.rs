//! Who outside the practice holds copies of its keys or remembers its log, as the practice key says so.

use std::fmt;

use crate::name::is_plain;

/// The most custodians that a trust file names.
pub const CUSTODIANS_MAX: usize = 8;
/// The longest name, bytes.
const NAME_BYTES_MAX: usize = 200;

/// What a custodian holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A copy of the recovery key.
    RecoveryKey,
    /// Copies of the practice key and of the recovery key.
    BothKeys,
    /// No key of the practice: the sizes and hashes of its log, as a witness.
    Witness,
}

impl Held {
    const ALL: [Self; 3] = [Self::RecoveryKey, Self::BothKeys, Self::Witness];

    const fn word(self) -> &'static str {
        match self {
            Self::RecoveryKey => "recovery-key",
            Self::BothKeys => "both-keys",
            Self::Witness => "witness",
        }
    }
}

/// A person or firm outside the practice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custodian {
    /// What they hold.
    pub held: Held,
    name: String,
}

/// A text that names no custodian.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CustodianError {
    /// What is held is unknown.
    #[error("`recovery-key NAME`, `both-keys NAME` or `witness NAME` is needed")]
    Held,
    /// The name.
    #[error(
        "a custodian's name has 1 to {NAME_BYTES_MAX} bytes, no control character, and no space at either end"
    )]
    Name,
}

impl Custodian {
    /// Reads `<what is held> <name>`, as a trust file has it.
    pub fn parse(text: &str) -> Result<Self, CustodianError> {
        let (word, name) = text.split_once(' ').ok_or(CustodianError::Held)?;
        let held = Held::ALL.into_iter().find(|held| held.word() == word).ok_or(CustodianError::Held)?;
        if name.len() > NAME_BYTES_MAX || !is_plain(name) {
            return Err(CustodianError::Name);
        }
        Ok(Self { held, name: name.to_owned() })
    }

    /// Their name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What they hold and what that lets them do, in one sentence.
    pub fn sentence(&self) -> String {
        let name = &self.name;
        match self.held {
            Held::RecoveryKey => format!(
                "{name} holds a copy of the recovery key: with the files of a machine or of the copy outside they could read what those keep; without such files they read nothing, and they can sign nothing."
            ),
            Held::BothKeys => format!(
                "{name} holds copies of the practice key and of the recovery key: they could sign another trust file, name other witnesses and permit machines, and with the files of a machine or of the copy outside read what those keep; what is printed or witnessed they cannot change."
            ),
            Held::Witness => format!(
                "{name} remembers sizes and hashes of the log as a witness: they hold no key of the practice, and can read none of its entries."
            ),
        }
    }
}

impl fmt::Display for Custodian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.held.word(), self.name)
    }
}

/// Who holds what, in sentences for a review, a bundle and a verifier.
pub fn in_words(custodians: &[Custodian]) -> String {
    if custodians.is_empty() {
        return "No custodian outside the practice is named: as far as the practice key says, nobody outside holds a copy of its keys.".to_owned();
    }
    let sentences: Vec<String> = custodians.iter().map(Custodian::sentence).collect();
    format!("Named by the practice key as independent of the practice: {}", sentences.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custodian_reads_back_and_a_name_that_could_mislead_is_refused() {
        for text in ["recovery-key Smith & Jones, CPA", "both-keys Notary A. Weiß", "witness Ann Lee"] {
            assert_eq!(Custodian::parse(text).unwrap().to_string(), text);
        }
        let long = format!("witness {}", "x".repeat(201));
        for text in [
            "",
            "witness",
            "witness ",
            "witness  Ann",
            "witness Ann ",
            "keys Ann",
            "witness A\u{202e}nn",
            "witness A\u{61c}nn",
            "witness A\tnn",
            &long,
        ] {
            assert!(Custodian::parse(text).is_err(), "{text:?}");
        }
    }
}
