//! Every door through which somebody comes into a machine, opened for real: what the kernel's audit makes of it, who
//! is behind sudo and su, and what a privileged session starts. Alone on the machine; makes two accounts and removes
//! them again.

mod desktop;
mod remote;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::login_rig::{
    Account, SEEN_WITHIN, SSH_AND_SUDO, SshLog, can_run_without_login, make_key, owns_audit, run, sshd,
    unasked, watching,
};
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::program::Running;
use ntk_tests::{audit_state, login_rig, wait};
use serde_json::Value;

const USER: &str = "ntk-visitor";
const PASSWORD: &str = "only-for-this-test-7";
const OTHER: &str = "ntk-other";
const CRON_FILE: &str = "/etc/cron.d/ntk-doors-test";
/// cron looks once a minute.
const JOB_WITHIN: Duration = Duration::from_secs(100);

/// A cron table, for as long as this lives.
struct CronTable;

impl Drop for CronTable {
    fn drop(&mut self) {
        let _ = fs::remove_file(CRON_FILE);
    }
}

fn visitor() -> Result<Account> {
    Account::make(USER)?.with_password(PASSWORD)?.with_sudo()
}

fn ssh(port: u16, password: &str, script: &str) -> Result<bool> {
    login_rig::ssh(USER, port, password, script)
}

/// Whether this test can run here; otherwise it is told as skipped.
fn can_run(test: &str, programs: &[&str]) -> Result<bool> {
    can_run_without_login(test, &[SSH_AND_SUDO, programs].concat())
}

/// An agent on the kernel's audit that watches one folder.
fn on_audit(practice: &Practice, folder: &Path) -> Result<Machine> {
    let mut machine = watching(practice, folder, "audit = true\nnotify = false")?;
    owns_audit(practice, &mut machine)?;
    Ok(machine)
}

/// What an event must have: pointers below `event`, and their values; `*` for any.
type Wanted<'a> = &'a [(&'a str, &'a str)];

fn fits(row: &Value, wanted: Wanted<'_>) -> bool {
    wanted.iter().all(|(pointer, value)| {
        let found = row["event"].pointer(pointer);
        match (found, *value) {
            (Some(_), "*") => true,
            (Some(Value::String(found)), value) => found == value,
            (Some(_), _) => false,
            (None, value) => value == "-",
        }
    })
}

fn told(practice: &Practice, wanted: Wanted<'_>) -> Result<Option<Value>> {
    Ok(practice.events(&[])?.into_iter().find(|row| fits(row, wanted)))
}

/// Waits for an event; where it does not come, everything that came is told.
fn sees(practice: &Practice, what: &str, within: Duration, wanted: Wanted<'_>) -> Result<Value> {
    let found = wait::until(what, within, || told(practice, wanted));
    found.with_context(|| {
        let events: Vec<String> =
            practice.events(&[]).unwrap_or_default().iter().map(|row| row["event"].to_string()).collect();
        format!("{what}:\n{}", events.join("\n"))
    })
}

/// Comes in at the console: a login program on a terminal of its own, which asks for the password.
fn console(word: &str) -> Result<()> {
    use std::io::{Read as _, Write as _};
    let mut command = Command::new("script");
    command.args(["-qec", &format!("/usr/bin/login {USER}"), "/dev/null"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut input = child.stdin.take().context("a pipe")?;
    let mut output = child.stdout.take().context("a pipe")?;
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"assword: ") {
        ensure!(output.read(&mut byte)? == 1, "login ended: {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&byte);
    }
    input.write_all(format!("{word}\nexit\n").as_bytes())?;
    // After a wrong word it asks for a name: that the input ends ends it.
    drop(input);
    std::io::copy(&mut output, &mut std::io::sink())?;
    child.wait()?;
    Ok(())
}

#[test]
fn live_every_door_over_ssh_is_told_with_person_and_address_and_its_end() -> Result<()> {
    if !can_run("live_every_door_over_ssh", &["/usr/bin/scp", "/usr/bin/sftp"])? {
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let folder = practice.folder().join("mail");
    fs::create_dir_all(&folder)?;
    let _visitor = visitor()?;
    let (_sshd, port) = sshd(practice.folder(), SshLog::Own)?;
    let home = practice.folder().join("home");
    fs::create_dir_all(&home)?;
    let key = home.join("key").to_string_lossy().into_owned();
    let signed = home.join("signed").to_string_lossy().into_owned();
    for name in [&key, &signed] {
        make_key(Path::new(name))?;
    }
    let authority = practice.folder().join("authority").to_string_lossy().into_owned();
    run("ssh-keygen", &["-q", "-s", &authority, "-I", "visitor", "-n", USER, &format!("{signed}.pub")])?;
    let keys = format!("/home/{USER}/.ssh");
    fs::create_dir_all(&keys)?;
    fs::copy(format!("{key}.pub"), format!("{keys}/authorized_keys"))?;
    let mut machine = on_audit(&practice, &folder)?;

    let at = format!("{USER}@127.0.0.1");
    let stranger = "ntk-nobody@127.0.0.1";
    let options = unasked(port, "-p");
    let with = |program: &str, options: &[String], identity: &str, rest: &[&str]| -> Result<bool> {
        let mut command = Command::new(program);
        command.args(options).args(["-i", identity, "-o", "IdentitiesOnly=yes"]).args(rest);
        Ok(command.stdin(Stdio::null()).output()?.status.success())
    };
    let copied = home.join("copied").to_string_lossy().into_owned();
    let batch = home.join("batch");
    fs::write(&batch, format!("put {copied} from-sftp\n"))?;
    fs::write(&copied, "text\n")?;
    let batch = batch.to_string_lossy().into_owned();
    let copies = unasked(port, "-P");

    ensure!(ssh(port, PASSWORD, "true")?, "the password");
    ensure!(with("ssh", &options, &key, &[&at, "true"])?, "the key, without a terminal");
    ensure!(with("ssh", &options, &signed, &[&at, "true"])?, "the certificate");
    ensure!(with("scp", &copies, &key, &[&copied, &format!("{at}:from-scp")])?, "scp");
    ensure!(with("sftp", &copies, &key, &["-b", &batch, &at])?, "sftp");
    ensure!(!with("ssh", &options, &key, &[stranger, "true"])?, "a name that does not exist");
    ensure!(
        Path::new(&format!("/home/{USER}/from-sftp")).exists()
            && Path::new(&format!("/home/{USER}/from-scp")).exists()
    );

    let n_of = |kind: &str| -> Result<usize> {
        let wanted = [
            ("/kind", kind),
            ("/outcome", "success"),
            ("/actor/login_user", USER),
            ("/actor/from", "127.0.0.1"),
        ];
        Ok(practice.events(&[])?.iter().filter(|row| fits(row, &wanted)).count())
    };
    wait::until_so("five logins and their ends", SEEN_WITHIN, || {
        Ok(n_of("login")? == 5 && n_of("logout")? == 5)
    })
    .with_context(|| format!("{:#?}", practice.events(&[])))?;
    let sessions: std::collections::BTreeSet<String> = practice
        .events(&[])?
        .iter()
        .filter(|row| fits(row, &[("/kind", "login"), ("/outcome", "success")]))
        .map(|row| row["event"]["actor"]["session"].to_string())
        .collect();
    assert_eq!(sessions.len(), 5, "each has a session of its own");
    sees(
        &practice,
        "the door",
        SEEN_WITHIN,
        &[("/kind", "login"), ("/process/exe", "*"), ("/actor/login_user", USER)],
    )?;
    let refused =
        [("/kind", "login"), ("/outcome", "denied"), ("/actor/from", "127.0.0.1"), ("/actor/login_uid", "-")];
    sees(&practice, "the refused login", SEEN_WITHIN, &refused)?;
    // The twin: what an ordinary session runs with its own rights is nobody's business.
    let ordinary = [("/kind", "process_start"), ("/actor/login_user", USER), ("/actor/effective_user", USER)];
    assert_eq!(told(&practice, &ordinary)?, None);
    ensure!(machine.stop()?.success(), "{}", machine.log());
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}

#[test]
fn live_console_su_sudo_cron_and_at_are_told_with_what_they_start() -> Result<()> {
    let programs = ["/usr/sbin/cron", "/usr/sbin/atd", "/usr/bin/at", "/usr/bin/login", "/usr/bin/script"];
    if !can_run("live_console_su_sudo_cron_and_at", &programs)? {
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let folder = practice.folder().join("mail");
    fs::create_dir_all(&folder)?;
    let letter = folder.join("letter").to_string_lossy().into_owned();
    fs::write(&letter, "text\n")?;
    fs::set_permissions(practice.folder(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let _visitor = visitor()?;
    let _other = Account::make(OTHER)?;
    let (_sshd, port) = sshd(practice.folder(), SshLog::Own)?;
    let _table = CronTable;
    fs::write(CRON_FILE, format!("* * * * * {OTHER} /usr/bin/head -n1 {letter} >/dev/null\n"))?;
    let log = practice.folder().join("daemons.log");
    let mut command = Command::new("/usr/sbin/cron");
    command.arg("-f");
    let mut machine = on_audit(&practice, &folder)?;
    let _cron = Running::spawn("cron", command, &log)?;
    let mut command = Command::new("/usr/sbin/atd");
    command.args(["-f", "-b", "1"]);
    let _atd = Running::spawn("atd", command, &log)?;

    // The console: a login program on a terminal of its own, the right word and the wrong one.
    console(PASSWORD)?;
    console("not-the-password")?;
    let sudo = |rest: &str| format!("echo {PASSWORD} | sudo -S -p '' {rest}");
    ensure!(ssh(port, PASSWORD, &sudo("-i /usr/bin/id -u"))?, "sudo -i");
    ensure!(ssh(port, PASSWORD, &sudo(&format!("-u {OTHER} /usr/bin/tail -n1 {letter}")))?, "sudo -u");
    ensure!(ssh(port, PASSWORD, &sudo(&format!("su {OTHER} -c '/usr/bin/wc -l {letter}'")))?, "su");
    ensure!(
        ssh(
            port,
            PASSWORD,
            &sudo("sh -c '/usr/bin/env API_TOKEN=not-to-be-kept-9 /usr/bin/true; /usr/bin/nl /etc/hostname'")
        )?,
        "a shell"
    );
    ensure!(!ssh(port, PASSWORD, &format!("echo not-it | su {OTHER} -c id"))?, "su with a wrong word");
    ensure!(ssh(port, PASSWORD, &format!("echo '/usr/bin/sort {letter}' | at now"))?, "at");

    let person = ("/actor/login_user", USER);
    let as_root = ("/actor/effective_user", "root");
    let by_start = ("/kind", "process_start");
    let from_console =
        [("/kind", "login"), ("/outcome", "success"), person, ("/process/exe", "/usr/bin/login")];
    let login = sees(&practice, "the console", SEEN_WITHIN, &from_console)?;
    ensure!(login["event"]["actor"]["from"].as_str().is_some_and(|from| from.contains("pts")), "{login}");
    sees(
        &practice,
        "the console's end",
        SEEN_WITHIN,
        &[("/kind", "logout"), person, ("/process/exe", "/usr/bin/login")],
    )?;
    let refused = [
        ("/kind", "login"),
        ("/outcome", "denied"),
        ("/actor/claims", USER),
        ("/process/exe", "/usr/bin/login"),
    ];
    sees(&practice, "the wrong word at the console", SEEN_WITHIN, &refused)?;
    let elevated = [("/kind", "elevation"), ("/outcome", "success"), person];
    sees(&practice, "sudo to root", SEEN_WITHIN, &[&elevated[..], &[as_root]].concat())?;
    sees(
        &practice,
        "sudo to the other",
        SEEN_WITHIN,
        &[&elevated[..], &[("/actor/effective_user", OTHER), ("/process/exe", "/usr/bin/sudo")]].concat(),
    )?;
    sees(
        &practice,
        "su to the other",
        SEEN_WITHIN,
        &[&elevated[..], &[("/actor/effective_user", OTHER), ("/process/exe", "/usr/bin/su")]].concat(),
    )?;
    sees(
        &practice,
        "the refused su",
        SEEN_WITHIN,
        &[("/kind", "elevation"), ("/outcome", "denied"), person],
    )?;
    sees(
        &practice,
        "what sudo -i started",
        SEEN_WITHIN,
        &[by_start, person, as_root, ("/process/exe", "/usr/bin/id"), ("/process/command", "/usr/bin/id -u")],
    )?;
    sees(
        &practice,
        "what sudo -u started",
        SEEN_WITHIN,
        &[
            by_start,
            person,
            ("/actor/effective_user", OTHER),
            ("/process/exe", "/usr/bin/tail"),
            ("/process/parent", "/usr/bin/sudo"),
        ],
    )?;
    sees(
        &practice,
        "what su started",
        SEEN_WITHIN,
        &[by_start, person, ("/actor/effective_user", OTHER), ("/process/exe", "/usr/bin/wc")],
    )?;
    let masked = [
        by_start,
        person,
        ("/process/exe", "/usr/bin/env"),
        ("/process/command", "/usr/bin/env API_TOKEN=*** /usr/bin/true"),
    ];
    sees(&practice, "a command line without its secret", SEEN_WITHIN, &masked)?;
    let chain = sees(
        &practice,
        "a start with its parents",
        SEEN_WITHIN,
        &[by_start, ("/process/exe", "/usr/bin/nl"), ("/process/ancestors", "*")],
    )?;
    let above: Vec<&str> = chain["event"]["process"]["ancestors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    ensure!(above.contains(&"/usr/bin/sudo") && above.iter().any(|exe| exe.contains("sshd")), "{chain}");
    sees(
        &practice,
        "the job of at",
        SEEN_WITHIN,
        &[("/kind", "file_access"), person, ("/process/exe", "/usr/bin/sort"), ("/actor/from", "atd")],
    )?;
    let job = [
        ("/kind", "file_access"),
        ("/actor/login_user", OTHER),
        ("/process/exe", "/usr/bin/head"),
        ("/actor/from", "cron"),
    ];
    sees(&practice, "the job of cron", JOB_WITHIN, &job)?;
    for row in practice.events(&[])? {
        ensure!(!row.to_string().contains("not-to-be-kept-9"), "{row}");
    }
    for row in practice.findings()? {
        let is_login = row["finding"]["asset"]["area"] == "login" && row.to_string().contains(OTHER);
        ensure!(!is_login, "a timer that opens a session is nobody who logs in: {row}");
    }
    ensure!(machine.stop()?.success(), "{}", machine.log());
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}
