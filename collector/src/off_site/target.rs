//! `[off_site]` of the configuration: where copies go and what each kind of place needs. Pure: no file is opened here.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The section as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RawOffSite {
    /// `/mnt/backup/ntk`, `sftp://user@host:22/path` or `s3://bucket/prefix`. Never with a password in it.
    pub to: String,
    /// A copy is tried every so many minutes, and when a segment is finished.
    #[serde(default = "default_every")]
    pub every_minutes: u32,
    /// A segment that has been written into for so many hours since the last copy is finished, so that it is copied.
    #[serde(default = "default_finish")]
    pub finish_after_hours: u32,
    /// SFTP: the private key, readable by the collector's account alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_file: Option<PathBuf>,
    /// SFTP: the file with the server's key, as `ssh-keyscan` prints it; an unknown key is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<PathBuf>,
    /// S3: `https://host:port` of a server other than Amazon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// S3: the region, such as `us-east-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// S3: a file of mode 0600 with `aws_access_key_id = ...` and `aws_secret_access_key = ...`; without it the
    /// environment's variables of these names in capitals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<PathBuf>,
}

fn default_every() -> u32 {
    60
}
fn default_finish() -> u32 {
    24
}

/// Where copies go, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A folder: another disk, a mounted share.
    Folder(PathBuf),
    /// A server that speaks SFTP.
    Sftp(Sftp),
    /// A bucket.
    S3(S3),
}

/// An SFTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sftp {
    /// The account there.
    pub user: String,
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The folder there, without a `/` at its end; relative to the account's home where it begins with `~/`.
    pub path: String,
    /// The private key.
    pub identity_file: PathBuf,
    /// The file with the server's key.
    pub known_hosts: PathBuf,
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3 {
    /// The bucket.
    pub bucket: String,
    /// What stands before every name, without `/` at both ends; may be empty.
    pub prefix: String,
    /// The server, where it is not Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The file with the credentials; the environment where absent.
    pub credentials: Option<PathBuf>,
}

impl fmt::Display for Target {
    /// As it may stand in acts, reports and messages: it holds no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Sftp(Sftp { user, host, port, path, .. }) => write!(f, "sftp://{user}@{host}:{port}{path}"),
            Self::S3(S3 { bucket, prefix, .. }) if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3(S3 { bucket, prefix, .. }) => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl Target {
    /// Reads the section; every fault in a sentence that names its key.
    pub fn parse(raw: &RawOffSite) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        if !(1..=44_640).contains(&raw.every_minutes) {
            faults.push("`off_site.every_minutes` is a number from 1 to 44640".to_owned());
        }
        if !(1..=8760).contains(&raw.finish_after_hours) {
            faults.push("`off_site.finish_after_hours` is a number from 1 to 8760".to_owned());
        }
        let target = if let Some(rest) = raw.to.strip_prefix("sftp://") {
            sftp(raw, rest, &mut faults)
        } else if let Some(rest) = raw.to.strip_prefix("s3://") {
            s3(raw, rest, &mut faults)
        } else {
            folder(raw, &mut faults)
        };
        target.filter(|_| faults.is_empty()).ok_or(faults)
    }
}

/// A key that another kind of place needs is a misunderstanding: said, not ignored.
fn not_for(kind: &str, keys: &[(&str, bool)], faults: &mut Vec<String>) {
    for (key, _) in keys.iter().filter(|(_, is_set)| *is_set) {
        faults.push(format!("`off_site.{key}` is not for {kind}: leave it out or change `off_site.to`"));
    }
}

fn folder(raw: &RawOffSite, faults: &mut Vec<String>) -> Option<Target> {
    not_for(
        "a folder",
        &[
            ("identity_file", raw.identity_file.is_some()),
            ("known_hosts", raw.known_hosts.is_some()),
            ("endpoint", raw.endpoint.is_some()),
            ("region", raw.region.is_some()),
            ("credentials", raw.credentials.is_some()),
        ],
        faults,
    );
    let path = PathBuf::from(&raw.to);
    if !path.is_absolute() || raw.to.contains(char::is_control) {
        // Not repeated: a mistyped address may have a password in it.
        faults.push(
            "`off_site.to` is a whole path such as `/mnt/backup/ntk`, `sftp://user@host:22/path` or `s3://bucket/prefix`".to_owned(),
        );
        return None;
    }
    Some(Target::Folder(path))
}

fn sftp(raw: &RawOffSite, rest: &str, faults: &mut Vec<String>) -> Option<Target> {
    not_for(
        "an SFTP server",
        &[
            ("endpoint", raw.endpoint.is_some()),
            ("region", raw.region.is_some()),
            ("credentials", raw.credentials.is_some()),
        ],
        faults,
    );
    for (key, file, what) in [
        ("identity_file", &raw.identity_file, "the private key with which to log in"),
        ("known_hosts", &raw.known_hosts, "the file with the server's key, as `ssh-keyscan` prints it"),
    ] {
        if file.as_ref().is_none_or(|file| !is_plain_path(file)) {
            faults.push(format!("`off_site.{key}` is missing or no whole path without spaces: {what}"));
        }
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let Some((user, server)) = authority.rsplit_once('@') else {
        faults.push("`off_site.to`: an SFTP address is `sftp://user@host:22/path`".to_owned());
        return None;
    };
    if user.contains(':') {
        faults.push(
            "`off_site.to` has a password in it: take it out, change it on the server, and use `off_site.identity_file`".to_owned(),
        );
        return None;
    }
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok().filter(|port| *port > 0)),
        None => (server, Some(22)),
    };
    // What begins with `-` would be an option of ssh.
    let is_word = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        !text.is_empty() && !text.starts_with('-') && text.chars().all(plain)
    };
    let path = path.trim_end_matches('/');
    if !is_word(user)
        || !is_word(host)
        || path.contains(char::is_control)
        || path.split('/').any(|part| part == "..")
    {
        faults.push(
            "`off_site.to`: an SFTP address is `sftp://user@host:22/path`, with plain names".to_owned(),
        );
    }
    let Some(port) = port else {
        faults.push("`off_site.to`: the port is a number from 1 to 65535".to_owned());
        return None;
    };
    if path.is_empty() {
        faults.push("`off_site.to`: name a folder on the SFTP server, `sftp://user@host:22/path`".to_owned());
    }
    Some(Target::Sftp(Sftp {
        user: user.to_owned(),
        host: host.to_owned(),
        port,
        path: format!("/{path}"),
        identity_file: raw.identity_file.clone().unwrap_or_default(),
        known_hosts: raw.known_hosts.clone().unwrap_or_default(),
    }))
}

/// ssh takes lists of files, separated by spaces, and expands `%`.
fn is_plain_path(path: &std::path::Path) -> bool {
    path.is_absolute()
        && path.to_str().is_some_and(|text| {
            !text.contains(|c: char| {
                c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '%' | '\\' | '$')
            })
        })
}

fn s3(raw: &RawOffSite, rest: &str, faults: &mut Vec<String>) -> Option<Target> {
    not_for(
        "a bucket",
        &[("identity_file", raw.identity_file.is_some()), ("known_hosts", raw.known_hosts.is_some())],
        faults,
    );
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'-');
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(plain) {
        faults.push(
            "`off_site.to`: a bucket is 3 to 63 lower-case letters, digits, `.` and `-`, as in `s3://bucket/prefix`; keys go into `off_site.credentials`".to_owned(),
        );
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    let is_odd = |part: &str| matches!(part, "" | "." | "..");
    if !prefix.chars().all(is_plain) || (!prefix.is_empty() && prefix.split('/').any(is_odd)) {
        faults.push("`off_site.to`: a prefix is letters, digits, `.`, `-`, `_` and single `/`".to_owned());
    }
    let region = raw.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
    if region.is_empty() || !region.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
    {
        faults.push("`off_site.region` is a name such as `us-east-1`".to_owned());
    }
    if raw.endpoint.as_deref().is_some_and(|endpoint| !is_endpoint(endpoint)) {
        faults.push(
            "`off_site.endpoint` is `https://host:port` without a path (`http://` inside the own network); keys go into `off_site.credentials`".to_owned(),
        );
    }
    if raw.credentials.as_ref().is_some_and(|file| !file.is_absolute()) {
        faults.push("`off_site.credentials` is a whole path".to_owned());
    }
    Some(Target::S3(S3 {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: raw.endpoint.clone().map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
        region,
        credentials: raw.credentials.clone(),
    }))
}

fn is_endpoint(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    rest.map(|rest| rest.trim_end_matches('/'))
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Target, Vec<String>> {
        Target::parse(&toml::from_str(text).unwrap())
    }

    #[test]
    fn each_kind_of_place_is_read_and_named_without_a_secret() {
        for (text, named) in [
            ("to='/mnt/backup/ntk'", "/mnt/backup/ntk"),
            (
                "to='sftp://copy@vault.example:2022/ntk/'\nidentity_file='/k/id'\nknown_hosts='/k/hosts'",
                "sftp://copy@vault.example:2022/ntk",
            ),
            (
                "to='sftp://copy@vault/a/b'\nidentity_file='/k/id'\nknown_hosts='/k/h'",
                "sftp://copy@vault:22/a/b",
            ),
            ("to='s3://vault-1'\ncredentials='/k/s3'", "s3://vault-1"),
            (
                "to='s3://vault-1/a/b/'\nendpoint='https://s3.example:9000'\nregion='eu-west-1'",
                "s3://vault-1/a/b",
            ),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), named, "{text}");
        }
    }

    #[test]
    fn every_fault_is_named_with_its_key_and_no_password_is_repeated() {
        for (text, key) in [
            ("to='backup'", "off_site.to"),
            ("to=''", "off_site.to"),
            ("to='ftp://me:hunter2@host/x'", "off_site.to"),
            ("to='/b'\nevery_minutes=0", "off_site.every_minutes"),
            ("to='/b'\nfinish_after_hours=0", "off_site.finish_after_hours"),
            ("to='/b'\nregion='us-east-1'", "off_site.region"),
            ("to='sftp://me@host/x'\nknown_hosts='/h'", "off_site.identity_file"),
            ("to='sftp://me@host/x'\nidentity_file='/i'", "off_site.known_hosts"),
            ("to='sftp://me@host/x'\nidentity_file='/i'\nknown_hosts='/h /other'", "off_site.known_hosts"),
            ("to='sftp://host/x'\nidentity_file='/i'\nknown_hosts='/h'", "off_site.to"),
            ("to='sftp://me@-oProxyCommand=x/x'\nidentity_file='/i'\nknown_hosts='/h'", "off_site.to"),
            ("to='sftp://me@host:0/x'\nidentity_file='/i'\nknown_hosts='/h'", "off_site.to"),
            ("to='sftp://me@host'\nidentity_file='/i'\nknown_hosts='/h'", "off_site.to"),
            (
                "to='sftp://me:hunter2@host/x'\nidentity_file='/i'\nknown_hosts='/h'",
                "off_site.to` has a password",
            ),
            ("to='s3://a/x'", "off_site.to"),
            ("to='s3://AKIA:hunter2@bucket/x'", "off_site.to"),
            ("to='s3://bucket/../x'", "off_site.to"),
            ("to='s3://bucket/a//b'", "off_site.to"),
            ("to='s3://bucket'\nendpoint='https://key:hunter2@host'", "off_site.endpoint"),
            ("to='s3://bucket'\ncredentials='keys'", "off_site.credentials"),
            ("to='s3://bucket'\nknown_hosts='/h'", "off_site.known_hosts"),
        ] {
            let said = parse(text).unwrap_err().join("; ");
            assert!(said.contains(key), "{text}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
