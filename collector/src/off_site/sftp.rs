//! An SFTP server as the place of copies. The system's `ssh` program makes the connection, so that keys, ciphers and
//! known hosts are what administrators know; SFTP itself is spoken here.
//!
//! Nothing of the account's own ssh configuration is used. The server shows the key that `known_hosts` names, or nothing
//! is sent. An object is written as `<name>.part`, synced where the server can, and renamed over its place; a crash
//! leaves the part, which is no object and is written over by the next run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ntk_evidence::name::Slug;
use openssh_sftp_client::error::SftpErrorKind;
use openssh_sftp_client::{Error, Sftp, SftpOptions};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::shelf::{OBJECT_BYTES_MAX, Shelf, ShelfError};
use super::target::{self, Target};
use super::wire::Wire;
use crate::system;

/// How much of what ssh complains about is read.
const COMPLAINT_BYTES_MAX: u64 = 16 * 1024;
/// How long ssh may take to end after the connection broke, so that it can say why.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Files of one practice below a folder there.
pub(super) struct SftpShelf {
    wire: Wire,
    sftp: Sftp,
    /// Ends with this value: its pipes close.
    _ssh: Child,
    top: String,
}

impl SftpShelf {
    /// Logs in. The folder that the address names must be there.
    pub(super) fn new(
        address: &target::Sftp,
        slug: &Slug,
        stop: CancellationToken,
    ) -> Result<Self, ShelfError> {
        readable_by_us_alone(&address.identity_file)?;
        if !address.known_hosts.is_file() {
            return Err(ShelfError::Settings(format!(
                "`{}` (off_site.known_hosts) is not there: ask whoever runs the server for its key, and put that line into the file",
                address.known_hosts.display()
            )));
        }
        let wire = Wire::new(Target::Sftp(address.clone()).to_string(), stop)?;
        let (sftp, ssh) = wire.wait(0, connect(address, &wire))?;
        if !sftp.support_posix_rename() {
            return Err(wire.refused(&"the server cannot rename a file over another one (posix-rename)"));
        }
        let root = address.path.strip_prefix("/~/").unwrap_or(&address.path).to_owned();
        let shelf = Self { top: format!("{root}/{slug}", slug = slug.as_str()), wire, sftp, _ssh: ssh };
        let there = async { Ok(shelf.sftp.fs().metadata(&root).await) };
        match shelf.wire.wait(0, there)? {
            Ok(found) if found.file_type().is_some_and(|kind| kind.is_dir()) => Ok(shelf),
            Ok(_) => Err(shelf.wire.failed("use", &root, &"it is no folder")),
            Err(error) => Err(shelf.wire.failed("use", &root, &error)),
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.top)
    }

    /// The practice's folder and what is below it on the way to this object.
    async fn make_folders(&self, name: &str) {
        let mut fs = self.sftp.fs();
        let folder = name.rsplit_once('/').map(|(folder, _)| self.path(folder));
        for folder in std::iter::once(self.top.clone()).chain(folder) {
            // One that is there already is refused; what is really wrong shows when the file is opened.
            let _ = fs.create_dir(&folder).await;
        }
    }

    async fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.make_folders(name).await;
        let (path, part) = (self.path(name), self.path(&format!("{name}.part")));
        let mut file = self.sftp.options().write(true).create(true).truncate(true).open(&part).await?;
        file.write_all(bytes).await?;
        if self.sftp.support_fsync() {
            file.sync_all().await?;
        }
        file.close().await?;
        self.sftp.fs().rename(&part, &path).await
    }

    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut fs = self.sftp.fs();
        let Some(found) = there(fs.metadata(self.path(name)).await)? else { return Ok(None) };
        if found.len().is_some_and(|bytes| bytes > OBJECT_BYTES_MAX) {
            return Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge).into());
        }
        Ok(there(fs.read(self.path(name)).await)?.map(|bytes| bytes.to_vec()))
    }

    async fn names(&self, folder: &str) -> Result<BTreeMap<String, u64>, Error> {
        let Some(opened) = there(self.sftp.fs().open_dir(self.path(folder)).await)? else {
            return Ok(BTreeMap::new());
        };
        let (mut found, mut entries) = (BTreeMap::new(), std::pin::pin!(opened.read_dir()));
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            if let (Some(name), Some(bytes), Some(true)) = (
                entry.filename().to_str(),
                entry.metadata().len(),
                entry.file_type().map(|kind| kind.is_file()),
            ) {
                found.insert(format!("{folder}/{name}"), bytes);
            }
        }
        Ok(found)
    }
}

impl Shelf for SftpShelf {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ShelfError> {
        let step =
            async { self.write(name, bytes).await.map_err(|error| self.wire.failed("write", name, &error)) };
        self.wire.wait(bytes.len(), step)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ShelfError> {
        let step = async { self.read(name).await.map_err(|error| self.wire.failed("read", name, &error)) };
        // Nobody knows yet how long it is.
        self.wire.wait(usize::try_from(OBJECT_BYTES_MAX).unwrap_or(usize::MAX), step)
    }

    fn list(&self, folder: &str) -> Result<BTreeMap<String, u64>, ShelfError> {
        let step =
            async { self.names(folder).await.map_err(|error| self.wire.failed("list", folder, &error)) };
        self.wire.wait(0, step)
    }

    fn remove(&self, name: &str) -> Result<(), ShelfError> {
        let step = async {
            let removed = self.sftp.fs().remove_file(self.path(name)).await;
            there(removed).map(|_| ()).map_err(|error| self.wire.failed("remove", name, &error))
        };
        self.wire.wait(0, step)
    }
}

/// None where there is no such file.
fn there<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::SftpError(SftpErrorKind::NoSuchFile, _)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn readable_by_us_alone(key: &Path) -> Result<(), ShelfError> {
    let name = key.display();
    match system::is_loose_at(key) {
        Ok(false) => Ok(()),
        Ok(true) => Err(ShelfError::Settings(format!(
            "`{name}` (off_site.identity_file) can be read by other accounts; run: {}",
            system::closing(key)
        ))),
        Err(error) => Err(ShelfError::Settings(format!(
            "`{name}` (off_site.identity_file) cannot be used: {error}; make it with `ssh-keygen -t ed25519 -N '' -f {name}`"
        ))),
    }
}

async fn connect(address: &target::Sftp, wire: &Wire) -> Result<(Sftp, Child), ShelfError> {
    let mut command = Command::new("ssh");
    // None of the account's own settings, agents or other keys: what is configured here is what counts.
    command.args(["-F", "none", "-x", "-a", "-T"]);
    for option in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "PreferredAuthentications=publickey",
        "ConnectTimeout=30",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=4",
        "ClearAllForwardings=yes",
        "ControlPath=none",
        "LogLevel=ERROR",
    ] {
        command.args(["-o", option]);
    }
    command.arg("-o").arg(format!("UserKnownHostsFile={}", address.known_hosts.display()));
    command.arg("-i").arg(&address.identity_file);
    command.args(["-p", &address.port.to_string(), "-l", &address.user, "-s", "--", &address.host, "sftp"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut ssh = command.spawn().map_err(|error| {
        ShelfError::Settings(format!("could not run `ssh`: {error}; install the package openssh-client"))
    })?;
    let complaints = ssh.stderr.take();
    let (Some(stdin), Some(stdout)) = (ssh.stdin.take(), ssh.stdout.take()) else {
        return Err(wire.unreachable(&"ssh has no pipes"));
    };
    match Sftp::new(stdin, stdout, SftpOptions::new()).await {
        Ok(sftp) => Ok((sftp, ssh)),
        Err(error) => {
            let mut said = String::new();
            if let Some(complaints) = complaints {
                let mut limited = complaints.take(COMPLAINT_BYTES_MAX);
                let _ = tokio::time::timeout(ENDS_WITHIN, limited.read_to_string(&mut said)).await;
            }
            if said.trim().is_empty() {
                said = error.to_string();
            }
            Err(understood(&said, address, wire))
        }
    }
}

/// What ssh says, as what a person has to do.
fn understood(said: &str, address: &target::Sftp, wire: &Wire) -> ShelfError {
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED", "host key is known"])
    {
        let (target, known_hosts) = (wire.target().to_owned(), address.known_hosts.clone());
        ShelfError::HostKey { target, known_hosts }
    } else if says(&["Permission denied", "Too many authentication failures", "subsystem request failed"]) {
        wire.refused(&said)
    } else {
        wire.unreachable(&said)
    }
}
