//! Down the ladder with the real agent: another owner of kernel audit, an audit that was made blind, no audit at all; and
//! what logs add. Alone on the machine; accounts, rules and files that are made here are removed again.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::login_rig::{
    self, Account, AuditRestored, Auditd, SEEN_WITHIN as WITHIN, SshLog, Syslog, can_run, owns_audit, run,
    ssh_with_key, sshd,
};
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::{audit_state, wait};
use rustix::process::Signal;
use serde_json::Value;

const USER: &str = "ntk-keyholder";
/// Login uids that no account of a test machine has.
const VISITOR: u32 = 4244;

/// What a login that the log daemon hears of needs.
fn can_run_with_log(test: &str) -> bool {
    can_run(test, &[login_rig::SSH, &[Syslog::PROGRAM]].concat()) && !Syslog::is_taken(test)
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
    let machine = login_rig::watching(practice, &mail, sensor)?;
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

#[test]
fn live_whoever_owns_audit_instead_of_the_agent_is_told_and_listened_to() -> Result<()> {
    if !can_run("live_whoever_owns_audit_instead_of_the_agent", Auditd::PROGRAMS) {
        return Ok(());
    }
    let practice = Practice::start()?;
    let restored = AuditRestored(audit_state::read()?);
    let (mut machine, mail) =
        machine(&practice, "audit = true\nfanotify = false\nlogs = false\nnotify = false")?;
    owns_audit(&practice, &mut machine)?;
    // The twin: while the agent lives the kernel refuses everybody else, also when it is held still.
    machine.agent()?.signal(Signal::STOP)?;
    let mut refused = Auditd::start(practice.folder())?;
    let ended = refused.ended();
    machine.agent()?.signal(Signal::CONT)?;
    ensure!(!ended? && audit_state::read()?.owner == machine.agent()?.id());

    wait::until_so("its first entry", WITHIN, || Ok(practice.size_of("ws-01")? > 0))?;
    machine.kill()?;
    let auditd = Auditd::start(practice.folder())?;
    wait::until_so("auditd to take the place", WITHIN, || Ok(audit_state::read()?.owner == auditd.id()))?;
    machine.start()?;
    let sentence = format!("kernel audit belongs to process {}", auditd.id());
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
    ensure!(audit_state::read()?.owner == auditd.id(), "it is not fought for");
    drop(auditd);
    owns_audit(&practice, &mut machine)?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    let before = restored.0.clone();
    drop(restored);
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}

#[test]
fn live_a_rule_that_hides_a_person_does_not_hide_the_open() -> Result<()> {
    if !can_run("live_a_rule_that_hides_a_person", &["/sbin/auditctl"]) {
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let (mut machine, mail) =
        machine(&practice, "audit = true\nfanotify = true\nlogs = false\nnotify = false")?;
    owns_audit(&practice, &mut machine)?;
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

#[test]
fn live_a_login_and_its_session_bear_the_fingerprint_of_the_key() -> Result<()> {
    let test = "live_a_login_and_its_session_bear_the_fingerprint";
    if !can_run_with_log(test) {
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let log = practice.folder().join("auth.log");
    File::create(&log)?;
    let holder = Account::make(USER)?;
    let (key, fingerprint) = holder.take_key(practice.folder())?;
    let rsyslog = Syslog::start(practice.folder(), &log)?;
    let (sshd, port) = sshd(practice.folder(), SshLog::System)?;
    let logs = format!(
        "audit = true\nfanotify = false\nlogs = true\nlog_files = [\"{}\"]\nnotify = false",
        log.display()
    );
    let (mut machine, mail) = machine(&practice, &logs)?;
    owns_audit(&practice, &mut machine)?;
    run("chmod", &["a+x", &practice.folder().to_string_lossy()])?;
    let letter = mail.join("letter-0").to_string_lossy().into_owned();
    ssh_with_key(USER, port, &key, &format!("cat {letter}"))?;
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
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}

#[test]
fn live_without_audit_fanotify_names_the_reader_and_the_log_the_login() -> Result<()> {
    let test = "live_without_audit_fanotify_names_the_reader";
    if !can_run_with_log(test) {
        return Ok(());
    }
    let practice = Practice::start()?;
    let log = practice.folder().join("auth.log");
    File::create(&log)?;
    let holder = Account::make(USER)?;
    let (key, fingerprint) = holder.take_key(practice.folder())?;
    let rsyslog = Syslog::start(practice.folder(), &log)?;
    let (sshd, port) = sshd(practice.folder(), SshLog::System)?;
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
    ssh_with_key(USER, port, &key, "true")?;
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
    Ok(())
}
