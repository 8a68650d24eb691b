//! Places to copy to, of this test's own: a real SSH server, and a bucket.

mod bucket;
mod valve;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use ntk_tests::program::{self, Running};
use ntk_tests::{skip, wait};

use super::program_succeeds;

pub(crate) use bucket::Bucket;
pub(crate) use valve::Valve;

/// How long a copy may take to be seen.
pub(crate) const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// Debian's sshd on loopback; it lets in one key, as the account that runs the test.
#[derive(Debug)]
pub(crate) struct Sshd {
    folder: PathBuf,
    user: String,
    port: u16,
    _running: Running,
}

impl Sshd {
    /// Starts it; none where there is no sshd, and says so.
    pub(crate) fn start(scratch: &Path) -> Result<Option<Self>> {
        if !Path::new("/usr/sbin/sshd").exists() || Command::new("ssh").arg("-V").output().is_err() {
            skip::skip("off_site over sftp", "openssh-server or openssh-client is not installed");
            return Ok(None);
        }
        let folder = scratch.join("sshd");
        for made in [folder.clone(), folder.join("place")] {
            fs::create_dir_all(made)?;
        }
        let _ = fs::create_dir_all("/run/sshd");
        for key in ["host", "ours", "other", "otherhost"] {
            key_pair(&folder.join(key))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        fs::copy(folder.join("ours.pub"), folder.join("authorized"))?;
        let config = folder.join("config");
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nAuthorizedKeysFile {keys}\nUsePAM no\nUseDNS no\n\
             StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             PidFile none\nSubsystem sftp internal-sftp\n",
            host = folder.join("host").display(),
            keys = folder.join("authorized").display(),
        );
        fs::write(&config, text)?;
        for (name, key) in [("hosts", "host"), ("other-hosts", "otherhost")] {
            let public = fs::read_to_string(folder.join(format!("{key}.pub")))?;
            fs::write(folder.join(name), format!("[127.0.0.1]:{port} {public}"))?;
        }
        let mut command = Command::new("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f"]).arg(&config);
        let running = Running::spawn("sshd", command, &folder.join("log"))?;
        wait::until_so("sshd to listen", Duration::from_secs(20), || {
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())
        })?;
        let user = program::text(&Command::new("id").arg("-un").output()?.stdout).trim().to_owned();
        Ok(Some(Self { folder, user, port, _running: running }))
    }

    /// What `off_site.to` says.
    pub(crate) fn address(&self) -> String {
        self.address_through(self.port)
    }

    /// The same by way of another port on loopback.
    pub(crate) fn address_through(&self, port: u16) -> String {
        format!("sftp://{}@127.0.0.1:{port}{}", self.user, self.place().display())
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Known hosts with the server's own key, by way of another port.
    pub(crate) fn hosts_through(&self, port: u16) -> Result<PathBuf> {
        let public = fs::read_to_string(self.folder.join("host.pub"))?;
        let path = self.folder.join(format!("hosts-{port}"));
        fs::write(&path, format!("[127.0.0.1]:{port} {public}"))?;
        Ok(path)
    }

    /// The folder that the address names.
    pub(crate) fn place(&self) -> PathBuf {
        self.folder.join("place")
    }

    /// The key that is let in.
    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("ours")
    }

    /// A key that is not.
    pub(crate) fn other_key(&self) -> Result<PathBuf> {
        Ok(self.folder.join("other"))
    }

    /// The right key, readable by others.
    pub(crate) fn loose_key(&self) -> Result<PathBuf> {
        let loose = self.folder.join("loose");
        fs::copy(self.key(), &loose)?;
        fs::set_permissions(&loose, fs::Permissions::from_mode(0o644))?;
        Ok(loose)
    }

    /// Known hosts with the server's own key.
    pub(crate) fn hosts(&self) -> PathBuf {
        self.folder.join("hosts")
    }

    /// Known hosts with nobody.
    pub(crate) fn no_hosts(&self) -> Result<PathBuf> {
        let path = self.folder.join("no-hosts");
        if !path.exists() {
            fs::write(&path, "")?;
        }
        Ok(path)
    }

    /// Known hosts with another key for the server.
    pub(crate) fn other_host(&self) -> Result<PathBuf> {
        Ok(self.folder.join("other-hosts"))
    }
}

fn key_pair(path: &Path) -> Result<()> {
    program_succeeds(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path))
}
