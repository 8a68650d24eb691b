//! The agent for Windows under Wine, with a collector of this machine: enrolled, recording, a service. The event log stands
//! in for Windows' own (`tests/windows`): what it shows is our side of its contracts, not Windows.

mod collector;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::wine::{self, DIR, Windows};
use ntk_tests::{skip, wait};
use rustix::process::Signal;
use serde_json::Value;

mod commission;
mod holdings;

const WITHIN: Duration = Duration::from_secs(60);
const MACHINE: &str = "ws-09";

/// A login over remote desktop, as Windows renders 4624: of an account named by its record, on the 20th.
fn login(record: u64) -> String {
    login_of(record, record, 20)
}

fn login_of(record: u64, account: u64, day: u32) -> String {
    let second = record % 60;
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
        <Provider Name='Microsoft-Windows-Security-Auditing' Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/>\
        <EventID>4624</EventID><Version>2</Version><Level>0</Level><Keywords>0x8020000000000000</Keywords>\
        <TimeCreated SystemTime='2026-11-{day}T21:00:{second:02}.{record:07}Z'/><EventRecordID>{record}</EventRecordID>\
        <Channel>Security</Channel><Computer>WS-09</Computer></System><EventData>\
        <Data Name='TargetUserSid'>S-1-5-21-1-2-3-{account}</Data><Data Name='TargetUserName'>u{account}</Data>\
        <Data Name='TargetDomainName'>WS-09</Data><Data Name='TargetLogonId'>0x{record:x}</Data>\
        <Data Name='LogonType'>10</Data><Data Name='IpAddress'>192.0.2.7</Data></EventData></Event>"
    )
}

fn events(practice: &Practice, kind: &str) -> Result<Vec<Value>> {
    let rows = practice.events(&[])?.into_iter().map(|row| row["event"].clone());
    Ok(rows.filter(|event| event["kind"] == kind).collect())
}

/// How often each account logged in, as the collector holds it.
fn logins(practice: &Practice) -> Result<BTreeMap<String, u32>> {
    let mut counted = BTreeMap::new();
    for event in events(practice, "login")? {
        // `WS-09\u7`: the domain, here the machine, and the account.
        let account = event["actor"]["login_user"].as_str().unwrap_or_default();
        let name = account.rsplit('\\').next().unwrap_or(account);
        *counted.entry(name.to_owned()).or_default() += 1;
    }
    Ok(counted)
}

fn gaps(practice: &Practice, cause: &str) -> Result<usize> {
    Ok(events(practice, "gap")?.iter().filter(|event| event["gap"]["cause"] == cause).count())
}

/// Whether a service's log ends with an end in order.
fn has_stopped(log: &Path) -> Result<bool> {
    Ok(std::fs::read_to_string(log)?
        .lines()
        .last()
        .is_some_and(|line| line.ends_with("ntk_agent::run: stopped")))
}

fn enrolled() -> Result<(Practice, Windows)> {
    let practice = Practice::start()?;
    let windows = Windows::new(&["Security", "System"])?;
    windows.succeed(&["enroll", "--token", &practice.token(MACHINE)?])?;
    Ok((practice, windows))
}

/// UP-1, SP-1, and the event log's own promise: each record once, whatever ends the agent, and a cleared log is a gap.
#[test]
fn records_are_delivered_once_through_stops_kills_and_a_cleared_log() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("wine::records", &why);
        return Ok(());
    }
    let (practice, windows) = enrolled()?;
    // Sealed to the machine: the file alone, in a backup say, is no key.
    let key = std::fs::read(windows.file(r"identity/agent.key"))?;
    ensure!(key.starts_with(b"ntk sealed by DPAPI\n"), "the key of TLS lies there as it is");
    for record in 1..=3 {
        windows.write("Security", record, &login(record))?;
    }
    let mut agent = windows.run()?;
    wait::until_so("the first start to be told", WITHIN, || {
        agent.ensure_running()?;
        Ok(gaps(&practice, "event_log_begins")? == 2)
    })?;
    ensure!(logins(&practice)?.is_empty(), "what was there before the first start is not told");
    let mut last = 3;
    for run in 0_u64..6 {
        for _ in 0..40 {
            last += 1;
            windows.write("Security", last, &login(last))?;
            // The kill meets records that are unread, read, written down and delivered.
            if last % 40 == 5 * run {
                let seen = logins(&practice)?.len();
                if seen > 0 && run % 2 == 0 {
                    agent.kill()?;
                } else {
                    agent.signal(Signal::INT)?;
                    drop(agent);
                }
                agent = windows.run()?;
            }
        }
    }
    let all: BTreeMap<String, u32> = (4..=last).map(|record| (format!("u{record}"), 1)).collect();
    let once =
        wait::until_so("every record to be there", WITHIN, || Ok(logins(&practice)?.len() >= all.len()));
    ensure!(logins(&practice)? == all, "{once:?}: {:?}\n{}", logins(&practice)?, agent.said());
    ensure!(gaps(&practice, "event_log_cut")? == 0, "nothing was cleared yet");

    agent.kill()?;
    windows.clear("Security")?;
    for record in 1..=2 * last {
        windows.write("Security", record, &login_of(record, 10_000 + record, 21))?;
    }
    agent = windows.run()?;
    wait::until_so("the cleared log to be told", WITHIN, || {
        agent.ensure_running()?;
        let all = usize::try_from(last)? * 3 - 3;
        Ok(gaps(&practice, "event_log_cut")? == 1 && logins(&practice)?.len() == all)
    })?;
    agent.signal(Signal::INT)?;
    Ok(())
}

/// `install` makes a service that records; `uninstall` ends it in order and leaves what was recorded.
#[test]
fn it_is_installed_as_a_service_and_removed() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("wine::service", &why);
        return Ok(());
    }
    let (practice, windows) = enrolled()?;
    std::fs::create_dir_all(windows.drive().join("Exports"))?;
    let config = std::fs::read_to_string(windows.file("agent.toml"))?;
    let watch = "\n[[watch]]\npath = 'c:/exports/'\nclass = \"export\"\n";
    std::fs::write(windows.file("agent.toml"), config + watch)?;
    let said = windows.succeed(&["install", "--dry-run"])?;
    ensure!(said.contains("nothing was changed"), "{said}");
    let said = windows.succeed(&["install"])?;
    ensure!(said.contains("the service runs"), "{said}");
    let health = |reason: &str| -> Result<usize> {
        Ok(events(&practice, "health")?.iter().filter(|event| event["health"]["reason"] == reason).count())
    };
    wait::until_so("the service to record", WITHIN, || Ok(health("start")? == 1))?;
    let status = windows.succeed(&["status"])?;
    ensure!(status.contains("is running since") && status.contains("event-log, notify"), "{status}");
    windows.write("Security", 1, &login(1))?;
    wait::until_so("a login to be there", WITHIN, || Ok(logins(&practice)?.len() == 1))?;
    // A program of the machine writes: Wine, like Windows, tells only of what passes through it.
    let copied = windows
        .end_of(windows.command("cmd.exe", &["/c", r"copy C:\windows\win.ini C:\Exports\patients.csv"]))?;
    ensure!(copied.0.success(), "{copied:?}");
    wait::until_so("the copy to be there", WITHIN, || {
        let touched = events(&practice, "file_access")?;
        Ok(touched.iter().any(|event| event["object"]["path"] == r"C:\exports\patients.csv"))
    })?;
    // Over the one that runs, as an update does.
    windows.succeed(&["install"])?;
    wait::until_so("the service to record again", WITHIN, || Ok(health("start")? == 2))?;
    let said = windows.succeed(&["uninstall"])?;
    ensure!(said.contains(DIR), "{said}");
    // In order: its own log says so. Whether the last entry came out in time is the uplink's affair.
    ensure!(has_stopped(&windows.file("agent.log"))?, "it was not ended in order");
    ensure!(windows.file("agent.toml").is_file(), "what was recorded stays");
    let again = windows.end_of(windows.agent(&["uninstall"]))?;
    ensure!(again.0.code() == Some(69), "there is no service any more: {again:?}");
    Ok(())
}

/// The package, without a word: enrolled with the token, recording as a service, gone again; what was recorded stays.
#[test]
fn the_package_enrols_starts_and_removes_without_a_question() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("wine::package", &why);
        return Ok(());
    }
    let (practice, windows) = (Practice::start()?, Windows::new(&["Security", "System"])?);
    let Some(package) = windows.package("ntk-agent.msi")? else {
        skip::skip("wine::package", "no ntk-agent.msi was built (wixl is not installed)");
        return Ok(());
    };
    let token = format!("TOKEN={}", practice.token(MACHINE)?);
    let ran = windows.end_of(windows.command("msiexec.exe", &["/i", &package, "/qn", &token]))?;
    ensure!(ran.0.success(), "{ran:?}");
    wait::until_so("the service to deliver", WITHIN, || Ok(practice.size_of(MACHINE)? > 0))?;
    let dir = windows.drive().join("ProgramData/Need-to-Know/agent");
    let program = windows.drive().join("Program Files/Need-to-Know/ntk-agent.exe");
    ensure!(program.is_file() && dir.join("spool").is_dir());
    let ran = windows.end_of(windows.command("msiexec.exe", &["/x", &package, "/qn"]))?;
    ensure!(ran.0.success(), "{ran:?}");
    ensure!(!program.exists() && dir.join("identity/agent.key").is_file());
    ensure!(has_stopped(&dir.join("agent.log"))?, "it was not ended in order");
    Ok(())
}
