//! A real login over ssh with a password, a refused read, sudo, a read as root, a wrong password: what the
//! kernel's audit makes of them. Alone on the machine; makes one account and removes it again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::login_rig::{
    Account, SEEN_WITHIN, SSH_AND_SUDO, SshLog, can_run, owns_audit, ssh, sshd, watching,
};
use ntk_tests::practice::Practice;
use ntk_tests::{audit_state, wait};
use serde_json::Value;

const USER: &str = "ntk-visitor";
const PASSWORD: &str = "only-for-this-test-7";

#[test]
fn live_a_login_over_ssh_is_named_behind_sudo_and_refused_ones_are_seen() -> Result<()> {
    if !can_run("live_a_login_over_ssh", SSH_AND_SUDO) {
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
    let _visitor = Account::make(USER)?.with_password(PASSWORD)?.with_sudo()?;
    let (_sshd, port) = sshd(practice.folder(), SshLog::Own)?;
    let mut machine = watching(&practice, &folder, "audit = true\nnotify = false")?;
    owns_audit(&practice, &mut machine)?;

    ensure!(!ssh(USER, port, "not-the-password", "true")?, "a wrong password lets nobody in");
    // The folder above lets only root in: the first cat is refused at a parent folder, the second one not.
    let script = format!("cat {letter}; echo {PASSWORD} | sudo -S -p '' cat {letter} > /dev/null");
    ensure!(ssh(USER, port, PASSWORD, &script)?, "the visitor comes in and sudo lets him");

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
