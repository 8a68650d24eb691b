//! Down the ladder with the real agent: another owner of kernel audit, an audit that was made blind, no audit at all; and
//! what logs add. Alone on the machine; accounts, rules and files that are made here are removed again.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::program::Running;
use ntk_tests::{audit_state, skip, wait};
use rustix::process::Signal;
use serde_json::Value;

const USER: &str = "ntk-keyholder";
/// Login uids that no account of a test machine has.
const VISITOR: u32 = 4244;
const WITHIN: Duration = Duration::from_secs(60);

/// Why this cannot run here; said, and counted.
fn is_missing(test: &str, programs: &[&str]) -> bool {
    let absent = programs.iter().find(|program| !Path::new(program).exists());
    let why = match (audit_state::free_for_a_test(), absent) {
        (Err(why), _) => why,
        (Ok(()), Some(program)) => format!("{program} is not installed"),
        (Ok(()), None) => return false,
    };
    skip::skip(test, &why);
    true
}

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| format!("{program} is there"))?;
    ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Somebody who opens a file and stays until this goes.
struct Reader(Child);

impl Reader {
    fn open(path: &Path) -> Result<Self> {
        let script =
            format!("echo {VISITOR} > /proc/self/loginuid; exec 3< '{}'; read x; true", path.display());
        Ok(Self(Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::piped()).spawn()?))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A watched folder with letters, and its agent.
fn machine(practice: &Practice, sensor: &str) -> Result<(Machine, PathBuf)> {
    let mail = practice.folder().join("mail");
    fs::create_dir_all(&mail)?;
    for n in 0..4 {
        fs::write(mail.join(format!("letter-{n}")), "text\n")?;
    }
    let mut machine = practice.enroll("ws-01")?;
    machine.configure(&format!(
        "keepalive_s = 1\n[sensor]\n{sensor}\n[[watch]]\npath = \"{}\"\nclass = \"mailbox\"\nowner = \"mary\"\n",
        mail.display()
    ))?;
    machine.start()?;
    Ok((machine, mail))
}

/// Waits until an event has all of these.
fn comes(practice: &Practice, what: &str, wanted: &[(&str, &str)]) -> Result<Value> {
    let fits = |row: &Value| {
        wanted.iter().all(|(pointer, value)| row.pointer(pointer).and_then(Value::as_str) == Some(*value))
    };
    wait::until(what, WITHIN, || Ok(practice.events(&[])?.into_iter().find(fits)))
        .with_context(|| format!("{what}: {:#?}", practice.events(&[])))
}

/// A health entry that says that audit tells of no logins.
fn says_no_logins(row: &Value) -> bool {
    let sentences = row.pointer("/event/health/cannot_see");
    sentences.is_some_and(|all| all.to_string().contains("does not tell of logins now"))
}

fn says(machine: &Machine, sentence: &str) -> Result<()> {
    wait::until_so(sentence, WITHIN, || Ok(machine.command(&["status"])?.contains(sentence)))
        .with_context(|| machine.command(&["status"]).unwrap_or_default())
}

fn is_owner(machine: &mut Machine) -> Result<()> {
    wait::until_so("the agent to own the kernel's audit", WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(audit_state::read()?.owner == machine.agent()?.id())
    })
}

/// auditd in the foreground, with a folder of its own.
struct Auditd(Child);

impl Auditd {
    fn start(folder: &Path) -> Result<Self> {
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
        command
            .args(["-n", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Self(command.spawn()?))
    }
}

impl Drop for Auditd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Puts back what an auditd or a test changed: switch and limits.
struct Restored(audit_state::AuditState);

impl Drop for Restored {
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

#[test]
fn live_whoever_owns_audit_instead_of_the_agent_is_told_and_listened_to() -> Result<()> {
    if is_missing("live_whoever_owns_audit_instead_of_the_agent", &["/sbin/auditd", "/sbin/auditctl"]) {
        return Ok(());
    }
    let practice = Practice::start()?;
    let restored = Restored(audit_state::read()?);
    let (mut machine, mail) =
        machine(&practice, "audit = true\nfanotify = false\nlogs = false\nnotify = false")?;
    is_owner(&mut machine)?;
    // The twin: while the agent lives the kernel refuses everybody else, also when it is held still.
    machine.agent()?.signal(Signal::STOP)?;
    let mut refused = Auditd::start(practice.folder())?;
    let ended = wait::until("auditd to give up", WITHIN, || Ok(refused.0.try_wait()?));
    machine.agent()?.signal(Signal::CONT)?;
    ensure!(!ended?.success() && audit_state::read()?.owner == machine.agent()?.id());

    wait::until_so("its first entry", WITHIN, || Ok(practice.size_of("ws-01")? > 0))?;
    machine.kill()?;
    let auditd = Auditd::start(practice.folder())?;
    wait::until_so("auditd to take the place", WITHIN, || Ok(audit_state::read()?.owner == auditd.0.id()))?;
    machine.start()?;
    let sentence = format!("kernel audit belongs to process {}", auditd.0.id());
    noticed("audit-taken", || {
        wait::until_so("a health entry that says so", WITHIN, || {
            let says = |row: &Value| {
                row.pointer("/event/health/cannot_see").is_some_and(|all| all.to_string().contains(&sentence))
            };
            Ok(practice.events(&[])?.iter().any(says))
        })
    })?;
    comes(&practice, "its gap", &[("/event/kind", "gap"), ("/event/gap/cause", "agent_restart")])?;
    says(&machine, &sentence)?;
    let reader = Reader::open(&mail.join("letter-1"))?;
    let pid = reader.0.id();
    drop(reader);
    wait::until_so("a read that is heard beside the other owner", WITHIN, || {
        Ok(practice.events(&[])?.iter().any(|row| {
            row.pointer("/event/process/pid") == Some(&pid.into())
                && row.pointer("/event/actor/confidence") == Some(&"kernel".into())
        }))
    })?;
    ensure!(audit_state::read()?.owner == auditd.0.id(), "it is not fought for");
    drop(auditd);
    is_owner(&mut machine)?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    let before = restored.0.clone();
    drop(restored);
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}

#[test]
fn live_a_rule_that_hides_a_person_does_not_hide_the_open() -> Result<()> {
    if is_missing("live_a_rule_that_hides_a_person", &["/sbin/auditctl"]) {
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let (mut machine, mail) =
        machine(&practice, "audit = true\nfanotify = true\nlogs = false\nnotify = false")?;
    is_owner(&mut machine)?;
    // The twin: audit tells of it.
    let (seen, hidden) = (mail.join("letter-0"), mail.join("letter-1"));
    let (seen, hidden) = (seen.to_string_lossy().into_owned(), hidden.to_string_lossy().into_owned());
    let reader = Reader::open(Path::new(&seen))?;
    comes(&practice, "the read", &[("/event/object/path", &seen), ("/event/source/sensor", "linux-audit")])?;
    drop(reader);
    let rule = ["exit,never", "-F", &format!("auid={VISITOR}")];
    run("/sbin/auditctl", &[&["-A"], rule.as_slice()].concat())?;
    let told = noticed("audit-blind", || {
        let _reader = Reader::open(Path::new(&hidden))?;
        comes(
            &practice,
            "the comparison's news",
            &[
                ("/event/kind", "tamper"),
                ("/event/tamper/what", "record_gap"),
                ("/event/object/path", &hidden),
            ],
        )
    });
    run("/sbin/auditctl", &[&["-d"], rule.as_slice()].concat())?;
    let told = told?;
    assert_eq!(told.pointer("/event/actor/login_uid"), Some(&VISITOR.into()), "{told}");
    assert_eq!(told.pointer("/event/actor/confidence"), Some(&"derived".into()), "{told}");
    comes(
        &practice,
        "the access itself",
        &[
            ("/event/kind", "file_access"),
            ("/event/object/path", &hidden),
            ("/event/source/sensor", "fanotify"),
        ],
    )?;
    let of_seen = |row: &Value| {
        row.pointer("/event/object/path") == Some(&seen.as_str().into())
            && row.pointer("/event/kind") == Some(&"tamper".into())
    };
    ensure!(!practice.events(&[])?.iter().any(of_seen), "what audit told is no news");
    ensure!(machine.stop()?.success(), "{}", machine.log());
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}

/// An account with a key, as long as this lives.
struct Keyholder;

impl Keyholder {
    fn make(folder: &Path) -> Result<(Self, PathBuf, String)> {
        let _ = Command::new("userdel").args(["-r", "-f", USER]).output();
        let holder = Self;
        run("useradd", &["-m", "-s", "/bin/sh", "-p", "*", USER])?;
        let key = folder.join("id_test");
        run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key.to_string_lossy()])?;
        let shown = run("ssh-keygen", &["-l", "-f", &key.to_string_lossy()])?;
        let fingerprint = shown.split_whitespace().nth(1).context("a fingerprint")?.to_owned();
        let ssh = Path::new("/home").join(USER).join(".ssh");
        fs::create_dir_all(&ssh)?;
        fs::copy(key.with_extension("pub"), ssh.join("authorized_keys"))?;
        run("chown", &["-R", USER, &ssh.to_string_lossy()])?;
        Ok((holder, key, fingerprint))
    }
}

impl Drop for Keyholder {
    fn drop(&mut self) {
        let _ = Command::new("userdel").args(["-r", "-f", USER]).output();
    }
}

/// A syslog daemon at /dev/log that writes what Debian's auth.log holds.
fn rsyslog(folder: &Path, log: &Path) -> Result<Running> {
    let config = folder.join("rsyslog.conf");
    fs::write(
        &config,
        format!(
            "module(load=\"imuxsock\")\nmodule(load=\"builtin:omfile\" Template=\"RSYSLOG_FileFormat\")\n\
             auth,authpriv.* action(type=\"omfile\" file=\"{}\")\n",
            log.display()
        ),
    )?;
    let mut command = Command::new("/usr/sbin/rsyslogd");
    command.args(["-n", "-i"]).arg(folder.join("rsyslogd.pid")).arg("-f").arg(&config);
    let running = Running::spawn("rsyslogd", command, &folder.join("rsyslogd.log"))?;
    wait::until_so("rsyslogd to listen", WITHIN, || Ok(Path::new("/dev/log").exists()))?;
    Ok(running)
}

/// An ssh server of this test's own on loopback, that writes to the system's log.
fn sshd(folder: &Path) -> Result<(Running, u16)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    fs::create_dir_all("/run/sshd")?;
    let (key, config) = (folder.join("hostkey"), folder.join("sshd_config"));
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key.to_string_lossy()])?;
    let text = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nUsePAM yes\nPasswordAuthentication no\nUseDNS no\n\
         KbdInteractiveAuthentication no\nStrictModes no\nPidFile none\n",
        key.display()
    );
    fs::write(&config, text)?;
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-f"]).arg(&config);
    let running = Running::spawn("sshd", command, &folder.join("sshd.log"))?;
    wait::until_so("sshd to listen", WITHIN, || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok()))?;
    Ok((running, port))
}

fn ssh(key: &Path, port: u16, script: &str) -> Result<()> {
    let key = key.to_string_lossy();
    let to = format!("{USER}@127.0.0.1");
    let options =
        ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"];
    let port = port.to_string();
    run("ssh", &[&["-i", &key, "-p", &port], options.as_slice(), &[&to, script]].concat()).map(drop)
}

const SSH: &[&str] = &["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/sbin/rsyslogd", "/usr/sbin/useradd"];

#[test]
fn live_a_login_and_its_session_bear_the_fingerprint_of_the_key() -> Result<()> {
    let test = "live_a_login_and_its_session_bear_the_fingerprint";
    if is_missing(test, SSH) {
        return Ok(());
    }
    if Path::new("/dev/log").exists() {
        skip::skip(test, "this machine has a log daemon of its own");
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let log = practice.folder().join("auth.log");
    File::create(&log)?;
    let (_holder, key, fingerprint) = Keyholder::make(practice.folder())?;
    let rsyslog = rsyslog(practice.folder(), &log)?;
    let (sshd, port) = sshd(practice.folder())?;
    let logs = format!(
        "audit = true\nfanotify = false\nlogs = true\nlog_files = [\"{}\"]\nnotify = false",
        log.display()
    );
    let (mut machine, mail) = machine(&practice, &logs)?;
    is_owner(&mut machine)?;
    run("chmod", &["a+x", &practice.folder().to_string_lossy()])?;
    let letter = mail.join("letter-0").to_string_lossy().into_owned();
    ssh(&key, port, &format!("cat {letter}"))?;
    let by_key = ("/event/actor/key", fingerprint.as_str());
    let user = ("/event/actor/login_user", USER);
    comes(
        &practice,
        "the login",
        &[("/event/kind", "login"), ("/event/source/sensor", "linux-audit"), user, by_key],
    )?;
    comes(
        &practice,
        "the read",
        &[("/event/kind", "file_access"), ("/event/object/path", &letter), user, by_key],
    )?;
    comes(&practice, "the logout", &[("/event/kind", "logout"), user, by_key])?;
    let of_the_log = |row: &Value| row.pointer("/event/source/sensor") == Some(&"auth-log".into());
    let events = practice.events(&[])?;
    ensure!(!events.iter().any(of_the_log), "beside audit the log makes no events");
    ensure!(!events.iter().any(says_no_logins), "no word of a start stays in a health entry: {events:#?}");
    ensure!(machine.stop()?.success(), "{}", machine.log());
    sshd.stop()?;
    rsyslog.stop()?;
    let _ = fs::remove_file("/dev/log");
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}

#[test]
fn live_without_audit_fanotify_names_the_reader_and_the_log_the_login() -> Result<()> {
    let test = "live_without_audit_fanotify_names_the_reader";
    if is_missing(test, SSH) {
        return Ok(());
    }
    if Path::new("/dev/log").exists() {
        skip::skip(test, "this machine has a log daemon of its own");
        return Ok(());
    }
    let practice = Practice::start()?;
    let log = practice.folder().join("auth.log");
    File::create(&log)?;
    let (_holder, key, fingerprint) = Keyholder::make(practice.folder())?;
    let rsyslog = rsyslog(practice.folder(), &log)?;
    let (sshd, port) = sshd(practice.folder())?;
    let logs = format!(
        "audit = false\nfanotify = true\nlogs = true\nlog_files = [\"{}\"]\nnotify = true",
        log.display()
    );
    let (mut machine, mail) = machine(&practice, &logs)?;
    says(&machine, "kernel audit does not tell of files now; fanotify does")?;
    says(&machine, "any account of this machine can write a line there")?;
    wait::until_so("a health entry that says so", WITHIN, || {
        Ok(practice.events(&[])?.iter().any(says_no_logins))
    })?;
    let letter = mail.join("letter-0");
    let reader = Reader::open(&letter)?;
    let read = comes(
        &practice,
        "the read",
        &[
            ("/event/kind", "file_access"),
            ("/event/action", "read"),
            ("/event/object/path", &letter.to_string_lossy()),
            ("/event/source/sensor", "fanotify"),
            ("/event/actor/confidence", "derived"),
        ],
    )?;
    drop(reader);
    assert_eq!(read.pointer("/event/actor/login_uid"), Some(&VISITOR.into()), "{read}");
    ssh(&key, port, "true")?;
    comes(
        &practice,
        "the login",
        &[
            ("/event/kind", "login"),
            ("/event/source/sensor", "auth-log"),
            ("/event/actor/login_user", USER),
            ("/event/actor/key", &fingerprint),
            ("/event/actor/confidence", "derived"),
        ],
    )?;
    // The twin: rotation is no clearing.
    sshd.stop()?;
    rsyslog.stop()?;
    fs::rename(&log, log.with_extension("log.1"))?;
    File::create(&log)?.write_all(
        b"2026-11-20T21:00:00Z ws-01 sshd[9]: Accepted password for bob from 10.0.0.9 port 5 ssh2\n",
    )?;
    comes(
        &practice,
        "a login after rotation",
        &[("/event/kind", "login"), ("/event/actor/login_user", "bob")],
    )?;
    let cleared = [("/event/kind", "tamper"), ("/event/tamper/what", "log_cleared")];
    let is_cleared = |row: &Value| row.pointer("/event/tamper/what") == Some(&"log_cleared".into());
    ensure!(!practice.events(&[])?.iter().any(is_cleared), "a rotated log was not cleared");
    noticed("log-cleared", || {
        fs::write(&log, "")?;
        comes(&practice, "the clearing", &cleared)
    })?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    let _ = fs::remove_file("/dev/log");
    Ok(())
}
