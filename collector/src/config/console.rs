//! `[console]`: where people sign in with a browser, what links say, and the certificate.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::is_address;

/// Where the console of a new practice listens: for this computer alone. Agents have the port below it.
pub const LISTEN: &str = "127.0.0.1:7444";

/// The section as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RawConsole {
    /// Where it listens: `address:port`.
    #[serde(default = "default_listen")]
    pub listen: String,
    /// What links say, where it is not `listen`: `host` or `host:port`, as a browser reaches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// File with a certificate that browsers trust, with its chain, PEM; the practice's own authority vouches where
    /// absent, and browsers ask once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// File with that certificate's private key, PEM, readable by the collector alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

fn default_listen() -> String {
    LISTEN.to_owned()
}

impl Default for RawConsole {
    fn default() -> Self {
        Self { listen: default_listen(), address: None, certificate: None, key: None }
    }
}

/// The section, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleAt {
    /// Where it listens.
    pub listen: String,
    /// Beginning of every link: `https://host:port`.
    pub origin: String,
    /// Host of the links: what a certificate has to name.
    pub host: String,
    /// A certificate of one's own: its file, and its key's.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

impl RawConsole {
    /// Checks the section; every fault names its key.
    pub(super) fn check(&self, faults: &mut Vec<String>) -> Option<ConsoleAt> {
        let before = faults.len();
        if !is_address(&self.listen) {
            faults.push(format!("`console.listen`: `{}` is not `address:port`", self.listen));
        }
        let address = self.address.as_ref().unwrap_or(&self.listen);
        if !is_address(address) && !is_address(&format!("{address}:443")) {
            faults.push(format!(
                "`console.address`: `{address}` is neither `host` nor `host:port`; leave `https://` away"
            ));
        }
        let certificate = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) => {
                faults.push(
                    "`console.key` is missing: it is the file with the certificate's private key".into(),
                );
                None
            }
            (None, Some(_)) => {
                faults.push(
                    "`console.certificate` is missing: it is the file that `console.key` belongs to".into(),
                );
                None
            }
        };
        if faults.len() > before {
            return None;
        }
        let address = address.strip_suffix(":443").unwrap_or(address);
        let host = address.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let host = host.map_or(address, |(host, _)| host);
        Some(ConsoleAt {
            listen: self.listen.clone(),
            origin: format!("https://{address}"),
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            certificate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_say_the_address_and_every_fault_names_its_key() {
        let checked = |raw: RawConsole| {
            let mut faults = Vec::new();
            (raw.check(&mut faults), faults.join("; "))
        };
        let (at, faults) = checked(RawConsole::default());
        assert_eq!(faults, "");
        assert_eq!(at.unwrap().origin, "https://127.0.0.1:7444");
        for (address, origin, host) in [
            ("console.maple.example", "https://console.maple.example", "console.maple.example"),
            ("console.maple.example:443", "https://console.maple.example", "console.maple.example"),
            ("10.0.0.5:7444", "https://10.0.0.5:7444", "10.0.0.5"),
            ("[fd00::5]:7444", "https://[fd00::5]:7444", "fd00::5"),
        ] {
            let raw = RawConsole { address: Some(address.into()), ..RawConsole::default() };
            let at = checked(raw).0.unwrap();
            assert_eq!((at.origin.as_str(), at.host.as_str()), (origin, host));
        }
        let raw = RawConsole {
            listen: "here".into(),
            address: Some("https://x".into()),
            certificate: Some("a.pem".into()),
            key: None,
        };
        let (at, faults) = checked(raw);
        assert!(at.is_none());
        for key in ["`console.listen`", "`console.address`", "`console.key`"] {
            assert!(faults.contains(key), "{key} in {faults}");
        }
    }
}
