//! Random values of which only a hash is kept: sessions, links, recovery codes.

use ntk_evidence::hash::{Hash, hex};

use crate::home::{HomeError, random};

/// Letters of a recovery code: none that is taken for another.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789x";
/// How many recovery codes a person gets.
pub const CODES: usize = 10;

/// 256 random bits as hex: unguessable, so a plain hash of it is enough to keep.
pub fn token() -> Result<String, HomeError> {
    Ok(hex(&random()?))
}

/// What is kept of a token or code.
pub fn hash(text: &str) -> String {
    Hash::of(text.as_bytes()).to_hex()
}

/// Whether two texts are the same, in a time that does not say where they part.
pub fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one.bytes().zip(other.bytes()).fold(0u8, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// New recovery codes, `k7m2-x9qd-4hfw`: 60 bits each.
pub fn recovery_codes() -> Result<Vec<String>, HomeError> {
    let mut codes = Vec::new();
    for _ in 0..CODES {
        let mut code = String::new();
        for (at, byte) in random()?.into_iter().take(12).enumerate() {
            if at > 0 && at % 4 == 0 {
                code.push('-');
            }
            code.extend(LETTERS.get(usize::from(byte & 31)).map(|c| char::from(*c)));
        }
        codes.push(code);
    }
    Ok(codes)
}

/// A recovery code as somebody typed it.
pub fn typed(code: &str) -> String {
    let plain: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let plain = plain.to_lowercase();
    let mut parts = Vec::new();
    let mut rest = plain.as_str();
    while let Some((part, more)) = rest.split_at_checked(4) {
        parts.push(part);
        rest = more;
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_differ_and_are_read_however_they_are_typed() {
        let codes = recovery_codes().unwrap();
        let set: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(set.len(), CODES);
        for code in &codes {
            assert_eq!(code.len(), 14, "{code}");
            assert_eq!(typed(code), *code);
            assert_eq!(typed(&code.replace('-', " ").to_uppercase()), *code);
        }
        assert_eq!(typed(""), "");
        assert_eq!(typed("äöüß€"), "äö-üß-€");
        assert!(is_same("ab", "ab") && !is_same("ab", "aa") && !is_same("a", "ab"));
        assert_ne!(token().unwrap(), token().unwrap());
    }
}
