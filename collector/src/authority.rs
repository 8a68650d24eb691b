//! The practice's own certificate authority: it vouches for the collector to agents and for agents to the
//! collector, and for nothing else.
//!
//! Certificates of machines and of the agents' listener live [`LIFE_DAYS`] days and are renewed by themselves from the day
//! on that leaves [`LEFT_DAYS`] ([`Dates::is_due`]); those that earlier versions made last until 2036 and are due at once.
//! The authority itself lasts until 31 December 2036: tokens and agents pin it, so it is not renewed by itself; from a year
//! before on `status` and each self-check say so ([`Dates::authority_ends`]).
//!
//! A certificate begins long before it is made: a machine whose clock stands behind must still be heard, because its
//! offset is told in the review, and a machine that cannot connect is only silent. Whoever steals `private/authority.key` can pose as the
//! collector or as an agent on the wire; he cannot write a batch in an agent's name, because entries are
//! signed with the agent's own key.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;

use ntk_evidence::hash::Hash;

use crate::init::SERVER_NAME;

/// How long the certificate of a machine or of the agents' listener holds.
pub const LIFE_DAYS: i64 = 90;
/// With so many days left it is renewed: at two thirds of its life.
pub const LEFT_DAYS: i64 = 30;
/// Seconds in a day.
pub const DAY: i64 = 86_400;

/// So many days before its end an authority is said to end: a later version, and each machine, have to come in that time.
const ENDS_SOON_DAYS: i64 = 365;

/// How long the console's own certificate holds: browsers refuse more than 825 days.
const CONSOLE_DAYS: i64 = 800;

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The request of an agent is not one.
    #[error("not a certificate request: {0}")]
    Request(rcgen::Error),
    /// A name for the certificate is not one.
    #[error("`{name}` is neither a host name nor an address")]
    Name {
        /// The name.
        name: String,
    },
    /// Certificate and key of the listener do not belong together, or this authority did not sign.
    #[error(
        "`private/server.pem` and `private/server.key`, or `private/server-renewed.key`, do not fit each other or the authority: {0}; put back the right files from a backup"
    )]
    Server(rustls::Error),
    /// The dates of the listener's certificate cannot be read.
    #[error("`private/server.pem` is no certificate; put it back from a backup")]
    Dates,
    /// Making or reading failed.
    #[error("could not make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// A certificate with its key, PEM.
#[derive(Clone)]
pub struct Credentials {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(key withheld)")
    }
}

impl Credentials {
    /// From when to when the certificate holds.
    pub fn dates(&self) -> Result<Dates, AuthorityError> {
        let der = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        der.ok().and_then(|der| Dates::of(&der)).ok_or(AuthorityError::Dates)
    }
}

/// The authority, ready to sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
}

/// Makes a new authority for a practice.
pub fn make(slug: &str) -> Result<Credentials, AuthorityError> {
    let key = KeyPair::generate()?;
    let mut params = params(&format!("{slug} need-to-know authority"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok(Credentials { certificate: certificate.pem(), key: key.serialize_pem() })
}

impl Authority {
    /// Reads an authority back.
    pub fn open(credentials: &Credentials, certificate_der: Vec<u8>) -> Result<Self, AuthorityError> {
        let key = KeyPair::from_pem(&credentials.key)?;
        let issuer = Issuer::from_ca_cert_pem(&credentials.certificate, key)?;
        Ok(Self { issuer, certificate: certificate_der })
    }

    /// The authority's certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// SHA-256 of it: what tokens pin.
    pub fn fingerprint(&self) -> Hash {
        Hash::of(&self.certificate)
    }

    /// A server certificate for these host names and addresses, for [`LIFE_DAYS`].
    pub fn server(&self, names: &[String], now_unix_seconds: i64) -> Result<Credentials, AuthorityError> {
        let mut params = params("need-to-know collector");
        let (year, month, day) = date(now_unix_seconds, LIFE_DAYS);
        params.not_after = rcgen::date_time_ymd(year, month, day);
        self.server_with(params, names)
    }

    fn server_with(
        &self,
        mut params: CertificateParams,
        names: &[String],
    ) -> Result<Credentials, AuthorityError> {
        let key = KeyPair::generate()?;
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => {
                    let wrong = |_| AuthorityError::Name { name: name.clone() };
                    SanType::DnsName(name.as_str().try_into().map_err(wrong)?)
                }
            });
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Credentials { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// A certificate for browsers, for these host names and addresses: for two years and a bit, the longest that all of
    /// them take. It is made at each start and kept nowhere.
    pub fn console(&self, names: &[String], now_unix_seconds: i64) -> Result<Credentials, AuthorityError> {
        let mut params = params("need-to-know console");
        let (year, month, day) = date(now_unix_seconds, -1);
        params.not_before = rcgen::date_time_ymd(year, month, day);
        let (year, month, day) = date(now_unix_seconds, CONSOLE_DAYS);
        params.not_after = rcgen::date_time_ymd(year, month, day);
        self.server_with(params, names)
    }

    /// Checks that a server certificate has this key and that this authority signed it.
    pub fn vouches_for(&self, server: &Credentials) -> Result<(), AuthorityError> {
        let unreadable = |_| AuthorityError::Server(rustls::Error::General("not PEM".into()));
        let certificate =
            CertificateDer::from_pem_slice(server.certificate.as_bytes()).map_err(unreadable)?;
        let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).map_err(unreadable)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let of_server = AuthorityError::Server;
        CertifiedKey::from_der(vec![certificate.clone()], key, &provider).map_err(of_server)?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.certificate.as_slice())).map_err(of_server)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let verifier =
            verifier.map_err(|error| AuthorityError::Server(rustls::Error::General(error.to_string())))?;
        let name = ServerName::try_from(SERVER_NAME)
            .map_err(|error| AuthorityError::Server(rustls::Error::General(error.to_string())))?;
        // Any moment between its dates tells whether the signature holds; one that ended is renewed at the start.
        let dates = Dates::of(&certificate).ok_or(AuthorityError::Dates)?;
        let seconds = u64::try_from(dates.not_after.saturating_sub(1)).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        verifier.verify_server_cert(&certificate, &[], &name, &[], at).map(|_| ()).map_err(of_server)
    }

    /// A client certificate for an agent, for [`LIFE_DAYS`]: its key from the request, everything else ours.
    pub fn client(
        &self,
        author: &str,
        request_der: &[u8],
        now_unix_seconds: i64,
    ) -> Result<Vec<u8>, AuthorityError> {
        let request = CertificateSigningRequestDer::from(request_der);
        let mut request =
            CertificateSigningRequestParams::from_der(&request).map_err(AuthorityError::Request)?;
        request.params = params(author);
        let (year, month, day) = date(now_unix_seconds, LIFE_DAYS);
        request.params.not_after = rcgen::date_time_ymd(year, month, day);
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Ok(request.signed_by(&self.issuer)?.der().to_vec())
    }
}

/// From when to when a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// Its last second, since 1970.
    pub not_after: i64,
}

impl Dates {
    /// Those of a certificate, DER; nothing where it is none.
    pub fn of(certificate_der: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate_der).ok()?;
        Some(Self { not_after: certificate.validity().not_after.timestamp() })
    }

    /// Whether it is time for a new one: little is left, or it lasts longer than any that this version makes.
    pub fn is_due(self, now_unix_seconds: i64) -> bool {
        let left = self.not_after.saturating_sub(now_unix_seconds);
        left <= LEFT_DAYS.saturating_mul(DAY) || left > LIFE_DAYS.saturating_add(1).saturating_mul(DAY)
    }
}

impl Dates {
    /// What to do about an authority with these dates, in a sentence, from a year before its end on.
    pub fn authority_ends(self, now_unix_seconds: i64) -> Option<String> {
        let left = self.not_after.saturating_sub(now_unix_seconds);
        let ends = if left < 0 { "ended" } else { "ends" };
        let day = jiff::Timestamp::from_second(self.not_after).unwrap_or_default();
        let day = day.to_zoned(jiff::tz::TimeZone::UTC).date();
        (left <= ENDS_SOON_DAYS.saturating_mul(DAY)).then(|| {
            format!(
                "The practice's own authority {ends} on {day}: after that day no machine can connect, and none can be enrolled. Nothing in version {} renews it: ask for a version that does, well before that day. What is recorded stays valid; entries are signed with other keys.",
                env!("CARGO_PKG_VERSION")
            )
        })
    }
}

/// What a certificate request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The common name.
    pub name: Option<String>,
    /// SHA-256 of its public key, hex.
    pub key: String,
}

impl Asked {
    /// Reads a request, whose own signature must hold.
    pub fn read(request_der: &[u8]) -> Result<Self, AuthorityError> {
        let request = CertificateSigningRequestDer::from(request_der);
        let request = CertificateSigningRequestParams::from_der(&request).map_err(AuthorityError::Request)?;
        let name = match request.params.distinguished_name.get(&DnType::CommonName) {
            Some(DnValue::Utf8String(name)) => Some(name.clone()),
            Some(DnValue::PrintableString(name)) => Some(name.as_str().to_owned()),
            _ => None,
        };
        Ok(Self { name, key: Hash::of(request.public_key.der_bytes()).to_hex() })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority(key withheld)")
    }
}

/// The day that is so many days from now; certificates begin and end at its midnight.
fn date(now_unix_seconds: i64, days: i64) -> (i32, u8, u8) {
    let at = now_unix_seconds.saturating_add(days.saturating_mul(DAY));
    let at = jiff::Timestamp::from_second(at).unwrap_or_default();
    let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let number = |n: i8| u8::try_from(n).unwrap_or(1);
    (i32::from(date.year()), number(date.month()), number(date.day()))
}

/// From 2026 on, and where nobody says otherwise until the end of 2036.
fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2036, 12, 31);
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_said_to_end_from_a_year_before_on() {
        let made = make("maple-street.b62e867f").unwrap().dates().unwrap();
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
        assert_eq!(made.authority_ends(at("2026-11-29T00:00:00Z")), None);
        assert_eq!(made.authority_ends(at("2035-12-31T23:59:59Z")), None);
        let soon = made.authority_ends(at("2036-01-01T00:00:00Z")).unwrap();
        assert!(soon.starts_with("The practice's own authority ends on 2036-12-31: "), "{soon}");
        let over = made.authority_ends(at("2037-01-01T00:00:00Z")).unwrap();
        assert!(over.starts_with("The practice's own authority ended on 2036-12-31: "), "{over}");
    }
}
