//! Hashes as twelve English words, so that people can compare them aloud or on paper (BIP-39 word list).

use crate::hash::Hash;

/// The twelve BIP-39 words of the first 16 bytes of a hash.
pub fn twelve(hash: &Hash) -> String {
    let Some((first, _)) = hash.as_bytes().split_first_chunk::<16>() else { return String::new() };
    bip39::Mnemonic::from_entropy(first).map(|words| words.to_string()).unwrap_or_default()
}

/// Words of a raw 32-byte public key: of SHA-256 of its bytes.
pub fn of_key(key: &[u8; 32]) -> String {
    twelve(&Hash::of(key))
}

/// Words of a checkpoint: of SHA-256 of its text with the last line end, without signatures.
pub fn of_checkpoint(text: &str) -> String {
    twelve(&Hash::of(text.as_bytes()))
}

/// Twenty-four words that hold a whole 32-byte secret, for paper.
pub fn secret_to_words(secret: &[u8; 32]) -> String {
    bip39::Mnemonic::from_entropy(secret).map(|words| words.to_string()).unwrap_or_default()
}

/// The secret behind twenty-four words; none when a word or the checksum is wrong.
pub fn secret_from_words(words: &str) -> Option<[u8; 32]> {
    bip39::Mnemonic::parse_normalized(words).ok()?.to_entropy().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_from_its_words_and_a_wrong_word_is_noticed() {
        let words = secret_to_words(&[7; 32]);
        assert_eq!(words.split(' ').count(), 24);
        assert_eq!(secret_from_words(&words), Some([7; 32]));
        let (first, rest) = words.split_once(' ').unwrap();
        let other = if first == "abandon" { "zoo" } else { "abandon" };
        assert_eq!(secret_from_words(&format!("{other} {rest}")), None);
    }
}
