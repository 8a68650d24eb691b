//! A real login over ssh with a password, a refused read, sudo, a read as root, a wrong password: what the
//! kernel's audit makes of them. Alone on the machine; makes one account and removes it again.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::program::Running;
use ntk_tests::{audit_state, skip, wait};
use serde_json::Value;

pub(crate) const USER: &str = "ntk-visitor";
pub(crate) const PASSWORD: &str = "only-for-this-test-7";
const SUDOERS: &str = "/etc/sudoers.d/ntk-visitor-test";
pub(crate) const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// An account that may use sudo, for as long as this lives.
pub(crate) struct Visitor;

impl Visitor {
    pub(crate) fn make() -> Result<Self> {
        remove_visitor();
        let visitor = Self;
        run("useradd", &["-m", "-s", "/bin/sh", USER])?;
        run("sh", &["-c", &format!("echo '{USER}:{PASSWORD}' | chpasswd")])?;
        fs::write(SUDOERS, format!("{USER} ALL=(ALL) ALL\n"))?;
        run("chmod", &["440", SUDOERS])?;
        Ok(visitor)
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        remove_visitor();
    }
}

fn remove_visitor() {
    let _ = fs::remove_file(SUDOERS);
    let _ = Command::new("userdel").args(["-r", "-f", USER]).output();
}

pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| format!("{program} is there"))?;
    ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// An ssh server of a test's own on loopback. It takes certificates of the key `authority` in the folder.
pub(crate) fn sshd(folder: &Path) -> Result<(Running, u16)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    fs::create_dir_all("/run/sshd")?;
    let (key, config, log) = (folder.join("hostkey"), folder.join("sshd_config"), folder.join("sshd.log"));
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key.to_string_lossy()])?;
    let authority = folder.join("authority");
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &authority.to_string_lossy()])?;
    let text = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nUsePAM yes\nPasswordAuthentication yes\nUseDNS no\n\
         KbdInteractiveAuthentication no\nStrictModes no\nPidFile none\nSubsystem sftp internal-sftp\n\
         TrustedUserCAKeys {}.pub\n",
        key.display(),
        authority.display()
    );
    fs::write(&config, text)?;
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(&config);
    let running = Running::spawn("sshd", command, &log)?;
    wait::until_so("sshd to listen", Duration::from_secs(20), || {
        Ok(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
    })?;
    Ok((running, port))
}

pub(crate) fn ssh(port: u16, password: &str, script: &str) -> Result<bool> {
    let options = [
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "NumberOfPasswordPrompts=1",
    ];
    let output = Command::new("sshpass")
        .args(["-p", password, "ssh", "-tt"])
        .args(options)
        .args(["-p", &port.to_string(), &format!("{USER}@127.0.0.1"), script])
        .output()?;
    Ok(output.status.success())
}

pub(crate) fn missing() -> Option<String> {
    if let Err(why) = audit_state::free_for_a_test() {
        return Some(why);
    }
    for program in ["/usr/sbin/sshd", "/usr/bin/sshpass", "/usr/bin/sudo", "/usr/sbin/useradd"] {
        if !Path::new(program).exists() {
            return Some(format!("{program} is not installed"));
        }
    }
    None
}

#[test]
fn live_a_login_over_ssh_is_named_behind_sudo_and_refused_ones_are_seen() -> Result<()> {
    if let Some(why) = missing() {
        skip::skip("live_a_login_over_ssh", &why);
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let locked = practice.folder().join("locked");
    let folder = locked.join("mail");
    fs::create_dir_all(&folder)?;
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700))?;
    let letter = folder.join("letter").to_string_lossy().into_owned();
    fs::write(&letter, "text\n")?;
    let _visitor = Visitor::make()?;
    let (_sshd, port) = sshd(practice.folder())?;
    let mut machine = practice.enroll("ws-01")?;
    machine.configure(&format!(
        "keepalive_s = 1\n[sensor]\naudit = true\nnotify = false\n[[watch]]\npath = \"{}\"\nclass = \"mailbox\"\nowner = \"mary\"\n",
        folder.display()
    ))?;
    machine.start()?;
    wait::until_so("the kernel's rules", SEEN_WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(audit_state::read()?.owner == machine.agent()?.id() && practice.size_of("ws-01")? > 0)
    })?;

    ensure!(!ssh(port, "not-the-password", "true")?, "a wrong password lets nobody in");
    // The folder above lets only root in: the first cat is refused at a parent folder, the second one not.
    let script = format!("cat {letter}; echo {PASSWORD} | sudo -S -p '' cat {letter} > /dev/null");
    ensure!(ssh(port, PASSWORD, &script)?, "the visitor comes in and sudo lets him");

    let has = |wanted: &[(&str, &str)]| -> Result<bool> {
        let fits = |row: &Value| {
            wanted.iter().all(|(pointer, value)| row.pointer(pointer) == Some(&Value::from(*value)))
        };
        Ok(practice.events(&[])?.iter().any(fits))
    };
    let person = ("/event/actor/login_user", USER);
    let expected: [(&str, Vec<(&str, &str)>); 6] = [
        (
            "the wrong password",
            vec![("/event/kind", "login"), ("/event/outcome", "denied"), ("/event/actor/claims", USER)],
        ),
        (
            "the login",
            vec![
                ("/event/kind", "login"),
                ("/event/outcome", "success"),
                person,
                ("/event/actor/from", "127.0.0.1"),
            ],
        ),
        (
            "the refused read",
            vec![
                ("/event/kind", "file_access"),
                ("/event/outcome", "denied"),
                person,
                ("/event/object/path", &letter),
            ],
        ),
        (
            "sudo",
            vec![
                ("/event/kind", "elevation"),
                ("/event/outcome", "success"),
                person,
                ("/event/actor/effective_user", "root"),
            ],
        ),
        (
            "the read as root",
            vec![
                ("/event/kind", "file_access"),
                ("/event/action", "read"),
                ("/event/outcome", "success"),
                person,
                ("/event/actor/effective_user", "root"),
                ("/event/object/path", &letter),
            ],
        ),
        ("the logout", vec![("/event/kind", "logout"), person]),
    ];
    for (what, wanted) in &expected {
        let told = wait::until_so(what, SEEN_WITHIN, || has(wanted));
        told.with_context(|| format!("{what}: {:#?}", practice.events(&[])))?;
    }
    let findings = practice.findings()?;
    ensure!(
        findings.iter().any(|row| row["headline"].as_str().is_some_and(|line| line.contains(USER))),
        "{findings:#?}"
    );
    ensure!(machine.stop()?.success(), "{}", machine.log());
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}
