//! Three agents, one of them on the kernel's own audit; accesses before, during and after its death. Alone on the
//! machine: the kernel's audit is one. SE-1: what happened while nobody looked is a gap, and says so.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::{audit_state, skip, wait};
use serde_json::Value;

use crate::crash::{nothing_lost_nothing_doubled, player, reaches};

const VISITOR: u32 = 4242;
/// PR-2: no content and no subject of a message is ever collected.
const SUBJECT: &str = "none-of-your-business";
const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// Opens a file as another login: a child sets its own login identity once, as a login does.
fn open_as_visitor(path: &str) -> Result<()> {
    let script = format!("echo {VISITOR} > /proc/self/loginuid && exec cat '{path}' > /dev/null");
    ensure!(
        Command::new("sh").args(["-c", &script]).status()?.success(),
        "the visitor could not read {path}"
    );
    Ok(())
}

fn seen(practice: &Practice, path: &str) -> Result<Vec<Value>> {
    let rows = practice.events(&["--asset", path])?;
    Ok(rows.into_iter().filter(|row| row["event"]["object"]["path"] == path).collect())
}

/// Whether any file below a folder holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            holds(&path, bytes)?
        } else {
            path.is_file() && fs::read(&path)?.windows(bytes.len()).any(|window| window == bytes)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[test]
fn live_three_agents_survive_kills_and_name_the_login() -> Result<()> {
    if let Err(why) = audit_state::free_for_a_test() {
        skip::skip("live_three_agents", &why);
        return Ok(());
    }
    if fs::read_to_string("/proc/self/loginuid")?.trim() != u32::MAX.to_string() {
        skip::skip(
            "live_three_agents",
            "this shell stems from a login: a second login identity would be a forged one",
        );
        return Ok(());
    }
    let before = audit_state::read()?;
    let mut practice = Practice::start()?;
    let mail = practice.folder().join("mail");
    fs::create_dir_all(&mail)?;
    let letter = |n: u32| mail.join(format!("letter-{n}")).to_string_lossy().into_owned();
    for n in 0..30 {
        fs::write(letter(n), format!("Subject: {SUBJECT}\n"))?;
    }
    let mut live = practice.enroll("live")?;
    live.configure(&format!(
        "keepalive_s = 1\n[sensor]\naudit = true\nnotify = false\n[[watch]]\npath = \"{}\"\nclass = \"mailbox\"\nowner = \"mary\"\n",
        mail.display()
    ))?;
    live.start()?;
    let mut one = player(&practice, "ws-01", 1001, 6000, Some(2000))?;
    let mut two = player(&practice, "ws-02", 1002, 6000, Some(2000))?;
    wait::until_so("the kernel's rules", SEEN_WITHIN, || {
        live.agent()?.ensure_running()?;
        Ok(audit_state::read()?.owner == live.agent()?.id() && practice.size_of("live")? > 0)
    })?;

    // Before, while and after the collector is killed.
    for n in 0..10 {
        open_as_visitor(&letter(n))?;
    }
    practice.kill_collector()?;
    for n in 10..20 {
        open_as_visitor(&letter(n))?;
    }
    practice.start_collector()?;
    wait::until_so("twenty accesses", SEEN_WITHIN, || {
        live.agent()?.ensure_running()?;
        Ok((0..20).all(|n| seen(&practice, &letter(n)).is_ok_and(|rows| !rows.is_empty())))
    })?;

    // The agent dies; an access while it is dead; it comes back.
    live.kill()?;
    open_as_visitor(&letter(20))?;
    live.start()?;
    wait::until_so("the agent to own the kernel's audit again", SEEN_WITHIN, || {
        live.agent()?.ensure_running()?;
        Ok(audit_state::read()?.owner == live.agent()?.id())
    })?;
    wait::until_so("an access after the restart", SEEN_WITHIN, || {
        live.agent()?.ensure_running()?;
        open_as_visitor(&letter(21))?;
        Ok(!seen(&practice, &letter(21))?.is_empty())
    })?;
    reaches(&practice, &mut one, 6001)?;
    reaches(&practice, &mut two, 6001)?;
    for machine in [&mut live, &mut one, &mut two] {
        ensure!(machine.stop()?.success(), "{} ends in order: {}", machine.name(), machine.log());
    }
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");

    let events = practice.events(&[])?;
    nothing_lost_nothing_doubled(&events, "ws-01", 6000)?;
    nothing_lost_nothing_doubled(&events, "ws-02", 6000)?;
    for n in 0..20 {
        let path = letter(n);
        let rows: Vec<&Value> =
            events.iter().filter(|row| row["event"]["object"]["path"] == path.as_str()).collect();
        let count: u64 = rows.iter().map(|row| row["event"]["count"].as_u64().unwrap_or(1)).sum();
        assert_eq!(count, 1, "{path}: {rows:?}");
        assert_eq!(rows[0]["event"]["actor"]["login_uid"], VISITOR, "the login, not root: {}", rows[0]);
        assert_eq!(rows[0]["event"]["actor"]["confidence"], "kernel");
    }
    let gaps: Vec<&Value> =
        events.iter().filter(|row| row["author"] == "agent/live" && row["event"]["kind"] == "gap").collect();
    assert!(!gaps.is_empty(), "the time without an agent is a gap");
    println!("gaps: {gaps:?}");
    for folder in [practice.dir(), live.dir().to_owned()] {
        assert!(
            !holds(&folder, SUBJECT.as_bytes())?,
            "a message's subject stands below {}",
            folder.display()
        );
    }
    assert!(holds(&mail, SUBJECT.as_bytes())?, "the search finds it where it is");
    let findings = practice.findings()?;
    let managers: Vec<&Value> = findings
        .iter()
        .filter(|row| row["finding"]["person"] == "northwind" && row["finding"]["outcome"] == "never")
        .collect();
    assert!(!managers.is_empty(), "the manager's mailbox is a finding: {findings:?}");
    practice.collector(&["self-check"])?;
    practice.collector(&["rebuild"])?;
    Ok(())
}
