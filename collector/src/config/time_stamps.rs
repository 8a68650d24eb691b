//! `[time_stamps]`: which authority is asked for RFC 3161 time-stamps, how often, and its certificates.

use std::path::{Path, PathBuf};

use axum::http::Uri;
use serde::{Deserialize, Serialize};

/// The most bytes that a file of certificates may have.
const CERTIFICATES_BYTES_MAX: u64 = 256 << 10;

/// `[time_stamps]` as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimeStampSection {
    /// Where the authority answers: `http://` is usual, because each answer is signed and names what was asked.
    pub url: String,
    /// How often it is asked for the newest checkpoint, minutes.
    #[serde(default = "default_every")]
    pub every_minutes: u32,
    /// A PEM file, in the collector's folder or absolute: the authority's certificates, which go into bundles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<String>,
}

fn default_every() -> u32 {
    60
}

/// The section, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeStamps {
    /// Where the authority answers.
    pub authority: AuthorityUrl,
    /// How often it is asked, seconds.
    pub every_seconds: i64,
    /// Its certificates.
    pub certificates: Option<PathBuf>,
}

/// The address of a time-stamping authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityUrl {
    /// Whether TLS is spoken.
    pub is_https: bool,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query, from the first slash.
    pub path: String,
}

impl AuthorityUrl {
    /// Reads `http://HOST[:PORT][/PATH]` or the same with https.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let is_https = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        // A password in an address would stand in the ledger's acts about the configuration.
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        (!host.is_empty()).then_some(Self { is_https, host, port, path })
    }

    /// Value of the header Host.
    pub fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.is_https, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl TimeStampSection {
    /// The section checked; what is wrong with it goes to `faults`, by key.
    pub(super) fn check(&self, faults: &mut Vec<String>) -> Option<TimeStamps> {
        let before = faults.len();
        let authority = AuthorityUrl::parse(&self.url);
        if authority.is_none() {
            faults.push(format!(
                "`time_stamps.url`: `{}` is not an address such as `http://tsa.example.com/tsr`",
                self.url
            ));
        }
        if !(1..=10_080).contains(&self.every_minutes) {
            faults.push("`time_stamps.every_minutes` is a number from 1 to 10080".into());
        }
        if self.certificates.as_deref().is_some_and(|path| path.trim().is_empty()) {
            faults.push("`time_stamps.certificates` is the path of a PEM file, or not there".into());
        }
        let authority = authority.filter(|_| faults.len() == before)?;
        Some(TimeStamps {
            authority,
            every_seconds: i64::from(self.every_minutes).saturating_mul(60),
            certificates: self.certificates.as_ref().map(PathBuf::from),
        })
    }
}

/// Certificates of an authority, PEM, read from a file; else what is wrong with it and what to do.
pub fn read_certificates(home: &Path, file: &Path) -> Result<String, String> {
    let path = home.join(file);
    let wrong = |what: &str| format!("`time_stamps.certificates`: `{}` {what}", path.display());
    let size = std::fs::metadata(&path).map_err(|error| wrong(&format!("cannot be read: {error}")))?.len();
    if size > CERTIFICATES_BYTES_MAX {
        return Err(wrong(&format!("is larger than {CERTIFICATES_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    if text.contains("PRIVATE KEY") {
        return Err(wrong("holds a private key, which no bundle may carry; give certificates only"));
    }
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(wrong("holds no certificate in PEM; take the chain from the authority's own page"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_odd_ones_are_none() {
        let read = |text| AuthorityUrl::parse(text).map(|url| (url.host_header(), url.path));
        let pair = |host: &str, path: &str| Some((host.to_owned(), path.to_owned()));
        assert_eq!(read("http://tsa.example.com"), pair("tsa.example.com", "/"));
        assert_eq!(read("https://tsa.example.com/tsr?x=1"), pair("tsa.example.com", "/tsr?x=1"));
        assert_eq!(read("http://[::1]:318/a"), pair("[::1]:318", "/a"));
        for odd in ["tsa.example.com", "ftp://tsa", "http://user:word@tsa", "http://", "/path", "http://a b"]
        {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_file_of_certificates_that_is_none_is_named_with_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let check = |text: &str| {
            std::fs::write(home.path().join("chain.pem"), text).unwrap();
            read_certificates(home.path(), Path::new("chain.pem"))
        };
        let good = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n";
        assert_eq!(check(good).as_deref(), Ok(good));
        for (text, said) in [("", "no certificate"), ("-----BEGIN PRIVATE KEY-----\n", "private key")] {
            assert!(check(text).unwrap_err().contains(said), "{text}");
        }
        assert!(read_certificates(home.path(), Path::new("absent.pem")).unwrap_err().contains("absent.pem"));
    }
}
