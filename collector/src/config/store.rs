//! `[store]`: the ledger in a PostgreSQL database instead of this computer's own files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_postgres::config::{Host, SslMode};

/// How long a collector leads without renewing, seconds.
const LEASE_SECONDS: u64 = 10;

/// `[store]` as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StoreSection {
    /// Where the database is: `host=db-1,db-2 user=ntk dbname=ntk`. Of several hosts the one that can be written to is used.
    pub postgres: String,
    /// A PEM file, in the collector's folder or absolute: who vouches for the database's certificate. The authorities
    /// that this machine trusts where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// A file that holds the password in its first line, in the collector's folder or absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// A collector that leads and is not heard of for so many seconds is replaced by another.
    #[serde(default = "default_lease")]
    pub lease_seconds: u64,
}

fn default_lease() -> u64 {
    LEASE_SECONDS
}

/// The section, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreAt {
    /// Where the database is, without its password.
    pub postgres: tokio_postgres::Config,
    /// Who vouches for its certificate.
    pub authority: Option<PathBuf>,
    /// Where its password is.
    pub password_file: Option<PathBuf>,
    /// For how long a collector leads without renewing.
    pub lease: Duration,
}

impl StoreSection {
    /// Checks the section; what is wrong goes into `faults`.
    pub fn check(&self, faults: &mut Vec<String>) -> Option<StoreAt> {
        let before = faults.len();
        let parsed = self.postgres.parse::<tokio_postgres::Config>();
        let mut postgres = match parsed {
            Ok(postgres) => postgres,
            Err(wrong) => {
                faults.push(format!(
                    "`store.postgres` is `host=… user=… dbname=…`: {}",
                    crate::error_chain(&wrong)
                ));
                return None;
            }
        };
        if postgres.get_hosts().is_empty() || postgres.get_user().is_none() || postgres.get_dbname().is_none()
        {
            faults.push("`store.postgres` names host, user and dbname".into());
        }
        if postgres.get_password().is_some() {
            faults.push(
                "`store.postgres` holds a password; put it into the file that `password_file` names".into(),
            );
        }
        if !(2..=300).contains(&self.lease_seconds) {
            faults.push("`store.lease_seconds` is a number from 2 to 300".into());
        }
        // What is read on the way could be changed on the way: never without TLS beyond this computer.
        if postgres.get_hosts().iter().any(|host| !is_here(host)) {
            if postgres.get_ssl_mode() == SslMode::Disable {
                faults.push(
                    "`store.postgres`: `sslmode=disable` is only for a database on this computer".into(),
                );
            }
            postgres.ssl_mode(SslMode::Require);
        }
        postgres.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
        postgres.application_name("ntk-collector").connect_timeout(Duration::from_secs(3));
        postgres.keepalives_idle(Duration::from_secs(5)).tcp_user_timeout(Duration::from_secs(10));
        (faults.len() == before).then(|| StoreAt {
            postgres,
            authority: self.authority.as_ref().map(PathBuf::from),
            password_file: self.password_file.as_ref().map(PathBuf::from),
            lease: Duration::from_secs(self.lease_seconds),
        })
    }
}

impl StoreAt {
    /// A file of the section: in the collector's folder where it is not absolute.
    pub fn file(dir: &Path, file: &Path) -> PathBuf {
        dir.join(file)
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        #[cfg(unix)]
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(postgres: &str) -> (bool, Vec<String>) {
        let section = StoreSection {
            postgres: postgres.into(),
            authority: None,
            password_file: None,
            lease_seconds: LEASE_SECONDS,
        };
        let mut faults = Vec::new();
        let checked = section.check(&mut faults);
        (checked.is_some_and(|at| at.postgres.get_ssl_mode() == SslMode::Require), faults)
    }

    #[test]
    fn beyond_this_computer_there_is_no_database_without_tls() {
        assert_eq!(check("host=db-1,db-2 user=ntk dbname=ntk"), (true, vec![]));
        assert_eq!(check("host=127.0.0.1 user=ntk dbname=ntk"), (false, vec![]));
        assert_eq!(check("host=/run/postgresql user=ntk dbname=ntk"), (false, vec![]));
        let (_, faults) = check("host=127.0.0.1,db-2 user=ntk dbname=ntk sslmode=disable");
        assert_eq!(faults, ["`store.postgres`: `sslmode=disable` is only for a database on this computer"]);
    }

    #[test]
    fn a_password_has_no_place_in_the_configuration() {
        let (_, faults) = check("host=localhost user=ntk dbname=ntk password=hunter2");
        assert_eq!(
            faults,
            ["`store.postgres` holds a password; put it into the file that `password_file` names"]
        );
        let (_, faults) = check("host=localhost");
        assert_eq!(faults, ["`store.postgres` names host, user and dbname"]);
    }
}
