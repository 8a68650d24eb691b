//! Certificates of the machine that have a private key: whose, until when, by which thumbprint. Never a key.
//!
//! A store of the registry keeps each certificate as a `Blob` of properties (wincrypt.h, `CERT_*_PROP_ID`): number, 1,
//! length (32 bits each, little endian), bytes.

use ntk_evidence::event::{Holding, HoldingKind};
use x509_parser::prelude::FromDer as _;

use super::system::{System, Value};
use crate::inventory::list::List;

const STORES: &str = r"HKLM\SOFTWARE\Microsoft\SystemCertificates";
/// `CERT_KEY_PROV_INFO_PROP_ID`: which key belongs to it.
const KEY: u32 = 2;
/// `CERT_CERT_PROP_ID`: the certificate itself.
const CERTIFICATE: u32 = 32;
/// Properties of one certificate that are looked at.
const PROPERTIES_MAX: usize = 64;

/// Lists them.
pub(super) fn list(system: &dyn System, list: &mut List) {
    for store in system.keys(STORES) {
        let key = format!("{STORES}\\{store}\\Certificates");
        for thumbprint in system.keys(&key) {
            let Some(Value::Bytes(blob)) = system.value(&format!("{key}\\{thumbprint}"), "Blob") else {
                continue;
            };
            let Some((subject, until)) = with_key(&blob) else { continue };
            list.add(Holding {
                place: Some(format!("certificates of the machine, {store}")),
                detail: Some(format!("certificate {}, until {until}", thumbprint.to_uppercase())),
                ..List::of::<&str>(HoldingKind::PrivateKey, &subject, &[])
            });
        }
    }
}

/// Subject and end of a certificate that has a key.
fn with_key(blob: &[u8]) -> Option<(String, String)> {
    let properties: Vec<(u32, &[u8])> = properties(blob).take(PROPERTIES_MAX).collect();
    let of = |wanted: u32| properties.iter().find(|(number, _)| *number == wanted).map(|(_, bytes)| *bytes);
    of(KEY)?;
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(of(CERTIFICATE)?).ok()?;
    let until = certificate.validity().not_after.timestamp();
    let until = ntk_evidence::time::Moment::from_unix_seconds(until)?.to_rfc3339(0);
    let subject = certificate.subject().to_string();
    Some((if subject.is_empty() { "no subject".to_owned() } else { subject }, until))
}

fn properties(mut rest: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        let (head, after) = rest.split_at_checked(12)?;
        let number = |at: usize| Some(u32::from_le_bytes(*head.get(at..)?.first_chunk::<4>()?));
        let length = usize::try_from(number(8)?).ok()?;
        let (bytes, after) = after.split_at_checked(length)?;
        rest = after;
        Some((number(0)?, bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn property(number: u32, bytes: &[u8]) -> Vec<u8> {
        let head = [number, 1, u32::try_from(bytes.len()).unwrap()];
        head.iter().flat_map(|word| word.to_le_bytes()).chain(bytes.iter().copied()).collect()
    }

    #[test]
    fn only_a_certificate_with_a_key_is_told_and_of_the_key_nothing() {
        let mut request = rcgen::CertificateParams::new(Vec::new()).unwrap();
        request.distinguished_name = rcgen::DistinguishedName::new();
        request.distinguished_name.push(rcgen::DnType::CommonName, "mail.maple.example");
        request.not_after = rcgen::date_time_ymd(2030, 1, 2);
        let der = request.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
        let alone = property(CERTIFICATE, &der);
        let with = [property(3, &[7; 20]), property(KEY, b"container"), alone.clone()].concat();
        let expected = ("CN=mail.maple.example".to_owned(), "2030-01-02T00:00:00Z".to_owned());
        assert_eq!(with_key(&with), Some(expected));
        assert_eq!(with_key(&alone), None);
        assert_eq!(with_key(with.get(..with.len() - 1).unwrap()), None, "cut short");
    }

    proptest! {
        // EV-2
        #[test]
        fn any_blob_is_a_certificate_or_none(blob in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = with_key(&blob);
            let _ = with_key(&[property(KEY, b""), property(CERTIFICATE, &blob)].concat());
        }
    }
}
