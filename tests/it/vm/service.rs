//! The shipped units under the service manager that they are written for.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::skip;
use ntk_tests::vm::{Ended, Image, is_installed};
use serde_json::Value;

use super::{AT_MOST, kernel, practice_of_its_own, rows};

/// What a machine with systemd is put together from.
pub(super) const PACKAGES: &[&str] = &[
    "systemd",
    "libpam-systemd",
    "dbus",
    "dbus-daemon",
    "dbus-bin",
    "dbus-system-bus-common",
    "libpam-modules",
    "libpam-modules-bin",
    "libpam-runtime",
    "login",
    "passwd",
    "bash",
    "dash",
    "coreutils",
    "util-linux",
    "mount",
    "sudo",
    "openssh-server",
    "openssh-client",
];

/// Units that a machine of one test has no use for.
const MASKED: &[&str] = &[
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "getty.target",
    "systemd-hwdb-update.service",
    "systemd-journal-flush.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-binfmt.service",
    "systemd-modules-load.service",
    "remote-fs.target",
    "timers.target",
    "systemd-random-seed.service",
    "systemd-pstore.service",
    "dev-hugepages.mount",
    "systemd-journald-audit.socket",
];

pub(super) fn image() -> Result<Image> {
    let mut image = practice_of_its_own("")?;
    image.file("/collector.sh", 0o644, include_str!("collector.sh"));
    for package in PACKAGES {
        image.package(package)?;
    }
    for file in [
        "common-account",
        "common-auth",
        "common-password",
        "common-session",
        "common-session-noninteractive",
    ] {
        image.host(format!("/etc/pam.d/{file}"))?;
    }
    for file in [
        "/etc/nsswitch.conf",
        "/etc/os-release",
        "/etc/debian_version",
        "/usr/lib/os-release",
        "/etc/login.defs",
    ] {
        image.host(file)?;
    }
    for library in ["libnss_files.so.2", "libnss_systemd.so.2", "libgcc_s.so.1"] {
        let path = format!("/lib/x86_64-linux-gnu/{library}");
        if Path::new(&path).exists() {
            image.host(path)?;
        }
    }
    image.file("/init", 0o755, include_str!("../../vm/switch.sh"));
    image.file("/etc/passwd", 0o644, include_str!("passwd"));
    image.file("/etc/group", 0o644, include_str!("group"));
    image.file("/etc/shadow", 0o600, "root:*:20000::::::\nitadmin1:*:20000::::::\n");
    image.file("/etc/hostname", 0o644, "ws-01\n");
    image.file("/etc/machine-id", 0o444, "0123456789abcdef0123456789abcdef\n");
    image.file("/etc/fstab", 0o644, "");
    // Their packages are not worth their size.
    for applet in ["grep", "sed", "find", "cpio", "tail", "usleep"] {
        image.link(&format!("/usr/bin/{applet}"), "busybox");
    }
    for unit in MASKED {
        image.link(&format!("/etc/systemd/system/{unit}"), "/dev/null");
    }
    image.link("/etc/systemd/system/default.target", "/usr/lib/systemd/system/multi-user.target");
    image.link("/etc/systemd/system/multi-user.target.wants/vm-test.service", "../vm-test.service");
    image.file("/etc/systemd/system/vm-test.service", 0o644, include_str!("vm-test.service"));
    for unit in ["ntk-agent", "ntk-collector", "ntk-observer"] {
        let text = std::fs::read(crate::tidy::top().join(format!("deploy/systemd/{unit}.service")))?;
        image.file(&format!("/etc/systemd/system/{unit}.service"), 0o644, text);
    }
    image.file("/script", 0o755, include_str!("service.sh"));
    image.with_libraries()
}

#[test]
fn the_shipped_units_work_under_systemd_and_say_who_is_behind_its_jobs() -> Result<()> {
    let name = "the_shipped_units_work_under_systemd_and_say_who_is_behind_its_jobs";
    let Some(kernel) = kernel(name) else { return Ok(()) };
    if let Some(absent) = PACKAGES.iter().find(|package| !is_installed(package)) {
        skip::skip(name, &format!("the package {absent} is not installed"));
        return Ok(());
    }
    let ended = kernel.boot(&image()?, AT_MOST)?;
    ended.ensure_done()?;
    println!("{}", ended.steps());
    units_run(&ended)?;
    let rows = rows(&ended)?;
    let of = |author: &str| {
        let own = rows.iter().filter(|row| row["author"] == author);
        own.map(|row| row["event"].clone()).collect::<Vec<_>>()
    };
    people_are_named(&ended, &of("agent/ws-01"))?;
    a_stopped_agent_holds_nobody_up(&ended, &of("agent/ws-01"), &of("agent/ws-01-observer"))
}

/// The units start, own what they should, and their sandboxes let them work.
fn units_run(ended: &Ended) -> Result<()> {
    for unit in ["agent", "observer"] {
        let state = ended.said(&format!("{unit}.state"))?;
        ensure!(state.contains("ActiveState=active") && state.contains("NRestarts=0"), "{unit}: {state}");
    }
    let (running, pid) = (ended.said("audit.running")?, ended.said("agent.pid")?);
    ensure!(running.starts_with(&format!("on, read by process {},", pid.trim())), "{running}");
    let after = ended.said("audit.after")?;
    ensure!(
        after.starts_with("on, read by nobody, 0 rules, failure 1, rate 0, backlog 8192, wait 15000"),
        "{after}"
    );
    let verified = ended.said("verify")?;
    ensure!(verified.trim().is_empty(), "systemd-analyze verify: {verified}");
    for line in ended.said("security")?.lines().filter(|line| line.contains("Overall")) {
        println!("{line}");
    }
    Ok(())
}

/// Whoever came through sshd, and whoever had systemd do it.
fn people_are_named(ended: &Ended, events: &[Value]) -> Result<()> {
    let key = ended.said("fingerprint")?;
    let login = events.iter().find(|event| event["kind"] == "login" && event["actor"]["from"] == "127.0.0.1");
    let login = login.with_context(|| format!("no login: {events:#?}"))?;
    // Through journald, which runs here: no text log is written.
    ensure!(login["actor"]["key"] == key.trim(), "{login}, not {key}");
    let read = |n: u32| {
        let path = format!("/srv/mail/letter-{n}");
        let found =
            events.iter().find(|event| event["object"]["path"] == path.as_str() && event["action"] == "read");
        found.with_context(|| format!("{path} was read: {events:#?}"))
    };
    let by_ssh = read(1)?;
    ensure!(by_ssh["actor"]["login_uid"] == 1001 && by_ssh["actor"]["key"] == key.trim(), "{by_ssh}");
    // A job of systemd's has no login: it is nobody's, and says who was there and what it ran as.
    let by_job = read(2)?;
    ensure!(
        by_job["actor"]["confidence"] == "unattributed" && by_job["actor"].get("login_uid").is_none(),
        "{by_job}"
    );
    let is_transient = |unit: &str| unit.starts_with("run-") && unit.ends_with(".service");
    ensure!(by_job["process"]["unit"].as_str().is_some_and(is_transient), "{by_job}");
    let candidates = by_job["actor"]["candidates"].as_array().context("candidates")?;
    ensure!(candidates.iter().any(|one| one["login_uid"] == 1001), "{by_job}");
    let asked = events.iter().find(|event| {
        event["kind"] == "process_start"
            && event["actor"]["login_uid"] == 1001
            && event["process"]["command"].as_str().is_some_and(|said| said.starts_with("systemd-run"))
    });
    ensure!(asked.is_some(), "who asked for it: {events:#?}");
    Ok(())
}

/// The service manager ends it, starts it anew, and both logs say what happened.
fn a_stopped_agent_holds_nobody_up(ended: &Ended, agent: &[Value], observer: &[Value]) -> Result<()> {
    let state = ended.said("agent.state.again")?;
    ensure!(state.contains("ActiveState=active") && !state.contains("NRestarts=0"), "{state}");
    let (opens, seconds) = (ended.said("opens")?, ended.said("stopped.seconds")?);
    println!("{} opens of a watched file in {} s without a reader", opens.trim(), seconds.trim());
    ensure!(opens.trim().parse::<u64>()? > 0, "whoever opened a watched file was held up until the end");
    let stopped = |event: &&Value| {
        event["tamper"]["what"] == "agent_killed"
            && event["tamper"]["detail"].as_str().is_some_and(|said| said.starts_with("signal 19"))
            && event["actor"]["login_uid"] == 1001
    };
    ensure!(observer.iter().any(|event| stopped(&event)), "the observer says who: {observer:#?}");
    ensure!(agent.iter().any(|event| event["gap"]["cause"] == "agent_restart"), "{agent:#?}");
    let again = agent.iter().find(|event| event["object"]["path"] == "/srv/mail/letter-4");
    ensure!(again.is_some_and(|event| event["actor"]["login_uid"] == 1001), "{agent:#?}");
    Ok(())
}
