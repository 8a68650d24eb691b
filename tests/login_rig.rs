//! What live tests put on the machine and take away again: accounts, an ssh server, a log daemon, an auditd.
//!
//! Everything lives as long as its value. Names begin with `ntk-`, so that what a killed test left is known and removed by
//! the next one. Alone on the machine.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::machine::Machine;
use crate::practice::Practice;
use crate::program::Running;
use crate::{audit_state, skip, wait};

/// How long something that was done may take until it is told.
pub const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// What logins over ssh need.
pub const SSH: &[&str] = &["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/sbin/useradd"];
/// The same with a password, and sudo behind it.
pub const SSH_AND_SUDO: &[&str] =
    &["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/sshpass", "/usr/bin/sudo", "/usr/sbin/useradd"];

const SSH_OPTIONS: [&str; 4] = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];

/// Whether a live test can run here with these programs; where it cannot, why is said and counted.
pub fn can_run(test: &str, programs: &[&str]) -> bool {
    let absent = programs.iter().find(|program| !Path::new(program).exists());
    let absent = absent.map(|program| format!("{program} is not installed"));
    let why = audit_state::free_for_a_test().err().or(absent);
    if let Some(why) = &why {
        skip::skip(test, why);
    }
    why.is_none()
}

/// The same for a test whose own work must have no person.
pub fn can_run_without_login(test: &str, programs: &[&str]) -> Result<bool> {
    if fs::read_to_string("/proc/self/loginuid")?.trim() != u32::MAX.to_string() {
        skip::skip(test, "this shell stems from a login: its work would have a person");
        return Ok(false);
    }
    Ok(can_run(test, programs))
}

/// Runs a program that must succeed; what it printed.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| format!("{program} is there"))?;
    ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// An account, as long as this lives.
#[derive(Debug)]
pub struct Account(&'static str);

impl Account {
    /// Makes it; one of that name that a killed test left is removed first.
    pub fn make(name: &'static str) -> Result<Self> {
        ensure!(name.starts_with("ntk-"), "`{name}` may be somebody's account");
        remove(name);
        let account = Self(name);
        // No password, and not locked: sshd lets nobody into a locked one.
        run("useradd", &["-m", "-s", "/bin/sh", "-p", "*", name])?;
        Ok(account)
    }

    /// Lets it in with a password.
    pub fn with_password(self, password: &str) -> Result<Self> {
        run("sh", &["-c", &format!("echo '{}:{password}' | chpasswd", self.0)])?;
        Ok(self)
    }

    /// Lets sudo do everything for it.
    pub fn with_sudo(self) -> Result<Self> {
        let file = sudoers(self.0);
        fs::write(&file, format!("{} ALL=(ALL) ALL\n", self.0))?;
        run("chmod", &["440", &file.to_string_lossy()])?;
        Ok(self)
    }

    /// Lets a new key in, which is made in the folder: its file, and its fingerprint.
    pub fn take_key(&self, folder: &Path) -> Result<(PathBuf, String)> {
        let key = folder.join("id_test");
        make_key(&key)?;
        let shown = run("ssh-keygen", &["-l", "-f", &key.to_string_lossy()])?;
        let fingerprint = shown.split_whitespace().nth(1).context("a fingerprint")?.to_owned();
        let ssh = Path::new("/home").join(self.0).join(".ssh");
        fs::create_dir_all(&ssh)?;
        fs::copy(key.with_extension("pub"), ssh.join("authorized_keys"))?;
        run("chown", &["-R", self.0, &ssh.to_string_lossy()])?;
        Ok((key, fingerprint))
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        remove(self.0);
    }
}

fn sudoers(name: &str) -> PathBuf {
    PathBuf::from(format!("/etc/sudoers.d/{name}-test"))
}

fn remove(name: &str) {
    let _ = fs::remove_file(sudoers(name));
    let _ = Command::new("userdel").args(["-r", "-f", name]).output();
}

/// Makes an ed25519 key without a passphrase.
pub fn make_key(path: &Path) -> Result<()> {
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &path.to_string_lossy()]).map(drop)
}

/// Where an ssh server writes what it has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshLog {
    /// To a file of the test's folder.
    Own,
    /// To the log daemon, as on any machine.
    System,
}

/// An ssh server of a test's own on loopback, and its port. It takes passwords, keys, and certificates of the key
/// `authority` in the folder.
pub fn sshd(folder: &Path, log: SshLog) -> Result<(Running, u16)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    fs::create_dir_all("/run/sshd")?;
    let (key, authority, config) =
        (folder.join("hostkey"), folder.join("authority"), folder.join("sshd_config"));
    make_key(&key)?;
    make_key(&authority)?;
    let text = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nUsePAM yes\nPasswordAuthentication yes\nUseDNS no\n\
         KbdInteractiveAuthentication no\nStrictModes no\nPidFile none\nSubsystem sftp internal-sftp\n\
         TrustedUserCAKeys {}.pub\n",
        key.display(),
        authority.display()
    );
    fs::write(&config, text)?;
    let mut command = Command::new("/usr/sbin/sshd");
    command.arg("-D");
    if log == SshLog::Own {
        command.arg("-e");
    }
    command.arg("-f").arg(&config);
    let running = Running::spawn("sshd", command, &folder.join("sshd.log"))?;
    wait::until_so("sshd to listen", SEEN_WITHIN, || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok()))?;
    Ok((running, port))
}

/// Comes in with a password, on a terminal; whether what was to be done there was done.
pub fn ssh(user: &str, port: u16, password: &str, script: &str) -> Result<bool> {
    let output = Command::new("sshpass")
        .args(["-p", password, "ssh", "-tt"])
        .args(SSH_OPTIONS)
        .args(["-o", "NumberOfPasswordPrompts=1"])
        .args(["-p", &port.to_string(), &format!("{user}@127.0.0.1"), script])
        .output()?;
    Ok(output.status.success())
}

/// Options of ssh, scp and sftp that ask nobody; the port's flag differs between them.
pub fn unasked(port: u16, port_flag: &str) -> Vec<String> {
    let words = SSH_OPTIONS.into_iter().chain(["-o", "BatchMode=yes", port_flag]);
    words.map(str::to_owned).chain([port.to_string()]).collect()
}

/// Comes in with a key, without a terminal; what was to be done there must be done.
pub fn ssh_with_key(user: &str, port: u16, key: &Path, script: &str) -> Result<()> {
    let (options, to) = (unasked(port, "-p"), format!("{user}@127.0.0.1"));
    let key = key.to_string_lossy();
    let mut arguments: Vec<&str> = vec!["-i", &key];
    arguments.extend(options.iter().map(String::as_str));
    arguments.extend([to.as_str(), script]);
    run("ssh", &arguments).map(drop)
}

/// A syslog daemon at /dev/log that writes what Debian's auth.log holds.
#[derive(Debug)]
pub struct Syslog(Option<Running>);

impl Syslog {
    /// Where it listens.
    const SOCKET: &str = "/dev/log";

    /// The program that it is.
    pub const PROGRAM: &str = "/usr/sbin/rsyslogd";

    /// Whether the machine has one of its own, so that a test of one cannot run here; said, and counted.
    pub fn is_taken(test: &str) -> bool {
        let is_taken = Path::new(Self::SOCKET).exists();
        if is_taken {
            skip::skip(test, "this machine has a log daemon of its own");
        }
        is_taken
    }

    /// Starts it.
    pub fn start(folder: &Path, log: &Path) -> Result<Self> {
        let config = folder.join("rsyslog.conf");
        fs::write(
            &config,
            format!(
                "module(load=\"imuxsock\")\nmodule(load=\"builtin:omfile\" Template=\"RSYSLOG_FileFormat\")\n\
                 auth,authpriv.* action(type=\"omfile\" file=\"{}\")\n",
                log.display()
            ),
        )?;
        let mut command = Command::new(Self::PROGRAM);
        command.args(["-n", "-i"]).arg(folder.join("rsyslogd.pid")).arg("-f").arg(&config);
        let running = Self(Some(Running::spawn("rsyslogd", command, &folder.join("rsyslogd.log"))?));
        wait::until_so("rsyslogd to listen", SEEN_WITHIN, || Ok(Path::new(Self::SOCKET).exists()))?;
        Ok(running)
    }

    /// Ends it in order.
    pub fn stop(mut self) -> Result<()> {
        self.0.take().map_or(Ok(()), |running| running.stop().map(drop))
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        drop(self.0.take());
        let _ = fs::remove_file(Self::SOCKET);
    }
}

/// auditd in the foreground, with a folder of its own. What it changes of the kernel's audit, [`AuditRestored`] puts back.
#[derive(Debug)]
pub struct Auditd(Child);

impl Auditd {
    /// The program that it is, and the one that changes rules.
    pub const PROGRAMS: &[&str] = &["/sbin/auditd", "/sbin/auditctl"];

    /// Starts it.
    pub fn start(folder: &Path) -> Result<Self> {
        let config = folder.join("auditd");
        fs::create_dir_all(config.join("plugins.d"))?;
        let text = format!(
            "log_file = {}\nlog_format = RAW\nflush = NONE\nlocal_events = yes\nspace_left = 2\nadmin_space_left = 1\n\
             space_left_action = IGNORE\nadmin_space_left_action = IGNORE\ndisk_full_action = IGNORE\n\
             disk_error_action = IGNORE\nmax_log_file = 8\nmax_log_file_action = IGNORE\n",
            config.join("audit.log").display()
        );
        fs::write(config.join("auditd.conf"), text)?;
        let mut command = Command::new("/sbin/auditd");
        command.args(["-n", "-c"]).arg(&config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it gave up by itself in order; an error where it goes on.
    pub fn ended(&mut self) -> Result<bool> {
        Ok(wait::until("auditd to give up", SEEN_WITHIN, || Ok(self.0.try_wait()?))?.success())
    }
}

impl Drop for Auditd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Puts back what an auditd or a test changed of the kernel's audit: switch and limits.
#[derive(Debug)]
pub struct AuditRestored(pub audit_state::AuditState);

impl Drop for AuditRestored {
    fn drop(&mut self) {
        let state = &self.0;
        for (flag, value) in [
            ("-b", state.backlog_limit),
            ("--backlog_wait_time", state.backlog_wait_time),
            ("-e", state.enabled),
        ] {
            let _ = Command::new("/sbin/auditctl").args([flag, &value.to_string()]).output();
        }
    }
}

/// An agent `ws-01` with these sensors, which watches one folder as Mary's mailbox.
pub fn watching(practice: &Practice, folder: &Path, sensors: &str) -> Result<Machine> {
    let mut machine = practice.enroll("ws-01")?;
    machine.configure(&format!(
        "keepalive_s = 1\n[sensor]\n{sensors}\n[[watch]]\npath = \"{}\"\nclass = \"mailbox\"\nowner = \"mary\"\n",
        folder.display()
    ))?;
    machine.start()?;
    Ok(machine)
}

/// Waits until an agent owns the kernel's audit and has told its first word.
pub fn owns_audit(practice: &Practice, machine: &mut Machine) -> Result<()> {
    wait::until_so("the agent to own the kernel's audit", SEEN_WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(audit_state::read()?.owner == machine.agent()?.id() && practice.size_of(machine.name())? > 0)
    })
}
