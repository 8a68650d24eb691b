//! The one-time token: one word that a person carries from the collector to a machine.
//!
//! ```text
//! ntk1. base64url-without-padding( {"a":"host:port","n":"server name","s":"<64 hex>","c":"<64 hex>","m":"machine"} )
//! ```
//! `a` address of the collector, and `o`, where there are several, a list of the others in order; `n` the name in its certificate, `s` the secret of 32 bytes, `c` SHA-256 of the
//! practice's certificate authority in DER, `m` the machine's name. The collector has its own copy of this format,
//! because the two programs never see each other's code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ntk_evidence::hash::{Hash, unhex};
use ntk_evidence::name::Author;
use serde::Deserialize;

use crate::config::ADDRESSES_MAX;

/// What a token begins with.
pub const PREFIX: &str = "ntk1.";

/// A token is a few hundred bytes; more is none.
const BYTES_MAX: usize = 4096;

/// A token, checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// `host:port` of the collector.
    pub address: String,
    /// The others, in the order in which they are tried; at most [`ADDRESSES_MAX`] with the first.
    pub more_addresses: Vec<String>,
    /// The name in the collector's certificate.
    pub server_name: String,
    /// The one-time secret.
    pub secret: [u8; 32],
    /// SHA-256 of the certificate authority in DER.
    pub authority: Hash,
    /// The machine's name.
    pub machine: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({} for {}, secret withheld)", self.machine, self.address)
    }
}

/// Why a token is refused. The token itself is never repeated: it is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token cannot be used: {0}; copy the whole line that `ntk-collector enroll new` printed")]
pub struct TokenError(&'static str);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    a: String,
    #[serde(default)]
    o: Vec<String>,
    n: String,
    s: String,
    c: String,
    m: String,
}

impl Token {
    /// Reads a token.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let encoded = text.strip_prefix(PREFIX).ok_or(TokenError("it does not begin with `ntk1.`"))?;
        if encoded.len() > BYTES_MAX {
            return Err(TokenError("it is too long"));
        }
        let json =
            URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError("a part of it is missing or changed"))?;
        let raw: Raw =
            serde_json::from_slice(&json).map_err(|_| TokenError("a part of it is missing or changed"))?;
        let is_address = |text: &String| crate::config::is_address(text);
        if !is_address(&raw.a) || !raw.o.iter().all(is_address) || raw.o.len() >= ADDRESSES_MAX {
            return Err(TokenError("it names no address"));
        }
        if raw.n.is_empty()
            || !raw.n.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b':'))
        {
            return Err(TokenError("it names no server"));
        }
        let secret = unhex(&raw.s)
            .and_then(|secret| secret.try_into().ok())
            .ok_or(TokenError("its secret is none"))?;
        let authority = Hash::from_hex(&raw.c).map_err(|_| TokenError("its certificate hash is none"))?;
        Author::agent(&raw.m).map_err(|_| TokenError("it names no machine"))?;
        Ok(Self {
            address: raw.a,
            more_addresses: raw.o,
            server_name: raw.n,
            secret,
            authority,
            machine: raw.m,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(json: &str) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }

    fn good() -> String {
        let (secret, authority) = ("ab".repeat(32), "cd".repeat(32));
        token(&format!(
            r#"{{"a":"10.0.0.5:7443","n":"collector","s":"{secret}","c":"{authority}","m":"ws-01"}}"#
        ))
    }

    #[test]
    fn a_token_reads_and_hides_its_secret() {
        let token = Token::parse(&format!(" {}\n", good())).unwrap();
        assert_eq!(
            (token.address.as_str(), token.machine.as_str(), token.secret),
            ("10.0.0.5:7443", "ws-01", [0xab; 32])
        );
        assert!(!format!("{token:?}").contains("abab"));
    }

    #[test]
    fn the_other_addresses_keep_their_order_and_a_token_of_before_has_none() {
        assert_eq!(Token::parse(&good()).unwrap().more_addresses, Vec::<String>::new());
        let json = URL_SAFE_NO_PAD.decode(good().strip_prefix(PREFIX).unwrap()).unwrap();
        let json = String::from_utf8(json).unwrap().replace("\"n\"", "\"o\":[\"b:2\",\"a:1\"],\"n\"");
        assert_eq!(Token::parse(&token(&json)).unwrap().more_addresses, ["b:2", "a:1"]);
    }

    #[test]
    fn each_wrong_part_gets_a_sentence_without_the_token() {
        let with = |from: &str, to: &str| {
            let json = URL_SAFE_NO_PAD.decode(good().strip_prefix(PREFIX).unwrap()).unwrap();
            let json = String::from_utf8(json).unwrap();
            assert!(json.contains(from));
            let text = token(&json.replace(from, to));
            let sentence = Token::parse(&text).unwrap_err().to_string();
            assert!(!sentence.contains(&text) && sentence.contains("copy the whole line"), "{sentence}");
            sentence
        };
        assert!(with("10.0.0.5:7443", "10.0.0.5").contains("no address"));
        let others = |list: &str| with("\"n\"", &format!("\"o\":[{list}],\"n\""));
        assert!(others("\"10.0.0.6\"").contains("no address"));
        assert!(others(&["\"10.0.0.6:1\""; ADDRESSES_MAX].join(",")).contains("no address"));
        assert!(with("collector", "a b").contains("no server"));
        assert!(with("abab", "xx").contains("secret is none"));
        assert!(with("cdcd", "CDCD").contains("certificate hash"));
        assert!(with("ws-01", "../x").contains("no machine"));
        assert!(with("\"m\"", "\"z\"").contains("missing or changed"));
        assert!(Token::parse("ntk2.abc").unwrap_err().to_string().contains("does not begin"));
        assert!(Token::parse(&good()[..40]).unwrap_err().to_string().contains("missing or changed"));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_changed_token_reads_the_same(noise in ".{0,200}", at in 5usize..300, with in any::<char>()) {
            let _ = Token::parse(&noise);
            let _ = Token::parse(&format!("{PREFIX}{noise}"));
            let _ = Token::parse(&token(&noise));
            let mut changed: Vec<char> = good().chars().collect();
            let at = at % changed.len();
            if changed[at] != with {
                changed[at] = with;
                let changed: String = changed.into_iter().collect();
                prop_assert_ne!(Token::parse(&changed), Token::parse(&good()));
            }
        }
    }
}
