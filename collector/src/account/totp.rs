//! Six-digit codes that change every half minute (RFC 6238, SHA-1, 30 s), as every authenticator app makes them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// How long a code stands, seconds.
pub const STEP_SECONDS: i64 = 30;
/// Steps before and after the present one that are taken: clocks of telephones go wrong a little.
const WINDOW: u64 = 1;
/// Letters of base32 (RFC 4648).
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The number of the half minute that a moment is in.
pub fn step(unix_seconds: i64) -> u64 {
    u64::try_from(unix_seconds.div_euclid(STEP_SECONDS)).unwrap_or(0)
}

/// The code of a step (RFC 4226, section 5.3).
pub fn code(secret: &[u8], step: u64) -> u32 {
    // A key of any length is a key for HMAC; the other way out is a code that nobody has.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { return u32::MAX };
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest.last().copied().unwrap_or(0) & 0x0f);
    let mut word = [0; 4];
    for (to, from) in word.iter_mut().zip(digest.iter().skip(offset)) {
        *to = *from;
    }
    (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000
}

/// The step of which this is the code, if it is one of now and later than the last that was used: a code that
/// somebody looked at over a shoulder does not work again.
pub fn accept(secret: &[u8], given: &str, unix_seconds: i64, last_used: Option<u64>) -> Option<u64> {
    let given: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    if given.len() != 6 || !given.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let given: u32 = given.parse().ok()?;
    let now = step(unix_seconds);
    let mut steps = now.saturating_sub(WINDOW)..=now.saturating_add(WINDOW);
    steps.find(|step| last_used.is_none_or(|last| *step > last) && code(secret, *step) == given)
}

/// A secret as apps take it when it is typed.
pub fn base32(secret: &[u8]) -> String {
    let mut text = String::new();
    for block in secret.chunks(5) {
        let bits = block.iter().fold(0u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let n_bits = block.len().saturating_mul(8);
        let bits = bits << (40usize.saturating_sub(n_bits));
        for at in 0..n_bits.div_ceil(5) {
            let index = (bits >> (35usize.saturating_sub(at.saturating_mul(5)))) & 31;
            text.extend(usize::try_from(index).ok().and_then(|i| ALPHABET.get(i)).map(|c| char::from(*c)));
        }
    }
    text
}

/// What the QR code holds: the form that apps read.
pub fn address(secret: &[u8], practice: &str, person: &str) -> String {
    let plain = |text: &str| -> String {
        text.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect()
    };
    let (practice, person) = (plain(practice), plain(person));
    format!("otpauth://totp/{practice}:{person}?secret={}&issuer={practice}", base32(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 6238, appendix B, the rows of SHA-1; of the eight digits there the last six.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (at, expected) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(code(secret, step(at)), expected, "at {at}");
        }
        // RFC 4648, section 10.
        for (text, expected) in [("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(text.as_bytes()), expected);
        }
        assert_eq!(base32(secret), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_code_is_taken_once_and_near_its_time_only() {
        let secret = b"12345678901234567890";
        let now = 1_111_111_111;
        assert_eq!(accept(secret, "050 471", now, None), Some(step(now)));
        assert_eq!(accept(secret, "050471", now, Some(step(now))), None, "used already");
        assert_eq!(accept(secret, "081804", now, None), Some(step(now) - 1), "a slow clock");
        assert_eq!(accept(secret, "081804", now, Some(step(now))), None, "older than the last one used");
        assert_eq!(accept(secret, "050471", now + 61, None), None);
        for wrong in ["", "05047", "0504711", "05047a", "١٢٣٤٥٦", "-50471", "+50471"] {
            assert_eq!(accept(secret, wrong, now, None), None, "{wrong}");
        }
    }
}
