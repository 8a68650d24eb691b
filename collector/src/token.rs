//! The one-time enrolment token: everything a machine needs, in one line to copy.
//!
//! `ntk1.` + base64url without padding of `{"a":"host:port","o":["host:port"],"n":"server name","s":"<64 hex>","c":"<64 hex>",
//! "m":"machine"}`: address, name in the collector's certificate, secret, SHA-256 of the certificate
//! authority, machine; `o`, more addresses, is there only where there are any, so that agents from before they existed take
//! every token that they can follow. The ledger keeps only the secret's hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// What a token says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Address of the agents' listener, `host:port`.
    #[serde(rename = "a")]
    pub address: String,
    /// More addresses, in the order in which agents try them.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub more_addresses: Vec<String>,
    /// Name in the collector's certificate.
    #[serde(rename = "n")]
    pub server_name: String,
    /// The secret, 64 hex digits.
    #[serde(rename = "s")]
    pub secret: String,
    /// SHA-256 of the certificate authority in DER, 64 hex digits.
    #[serde(rename = "c")]
    pub authority: String,
    /// The machine's name.
    #[serde(rename = "m")]
    pub machine: String,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| std::fmt::Error)?;
        write!(f, "ntk1.{}", URL_SAFE_NO_PAD.encode(json))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(machine {}, secret withheld)", self.machine)
    }
}
