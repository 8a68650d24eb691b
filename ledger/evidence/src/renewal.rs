//! What a machine signs when it asks for a new certificate: both sides make these bytes, nobody parses them.
//!
//! ```text
//! need-to-know certificate renewal
//! <slug>
//! <author>
//! <SHA-256 of the certificate request, hex>
//! <SHA-256 of the certificate that it has, hex>
//! ```
//! No note begins with the first line, and no cosignature: a signature over one is none over the other. Who replays the
//! request gets a certificate for a key that he does not have.

use crate::hash::Hash;
use crate::name::{Author, Slug};

/// The bytes under the signature.
pub fn statement(slug: &Slug, author: &Author, request_der: &[u8], certificate_der: &[u8]) -> Vec<u8> {
    let (request, certificate) = (Hash::of(request_der).to_hex(), Hash::of(certificate_der).to_hex());
    format!("need-to-know certificate renewal\n{slug}\n{author}\n{request}\n{certificate}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_statement_names_practice_machine_request_and_certificate() {
        let slug = Slug::parse("maple-street.b62e867f").unwrap();
        let author = Author::parse("agent/ws-01").unwrap();
        let text = String::from_utf8(statement(&slug, &author, b"request", b"certificate")).unwrap();
        expect![[r#"
            need-to-know certificate renewal
            maple-street.b62e867f
            agent/ws-01
            1f58b9145b24d108d7ac38887338b3ea3229833b9c1e418250343f907bfd1047
            03d66dd08835c1ca3f128cceacd1f31ac94163096b20f445ae84285bc0832d72
        "#]]
        .assert_eq(&text);
    }
}
