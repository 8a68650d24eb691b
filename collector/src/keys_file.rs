//! The file that `init` wrote to be taken away: practice key and recovery key, in hex or in paper words.

use ntk_evidence::hash::unhex;
use ntk_evidence::words;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Signs trust files.
    Practice,
    /// Reads what was kept for a rebuild.
    Recovery,
}

impl Secret {
    const fn label(self) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;
    use ntk_evidence::hash::hex;

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
