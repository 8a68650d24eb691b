//! The agent under Wine: what it says of a system whose audit policy cannot be read, who may use its folder, and a service whose
//! process is killed. Wine keeps no failure actions and no rights: what is not shown here is said by the skips.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::wine::{self, DIR, Windows};
use ntk_tests::{skip, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(60);
/// The first restart comes after two seconds; this is many times that.
const AGAIN_WITHIN: Duration = Duration::from_secs(20);
const MACHINE: &str = "ws-10";

fn enrolled() -> Result<(Practice, Windows)> {
    let practice = Practice::start()?;
    let windows = Windows::new(&["Security", "System"])?;
    windows.succeed(&["enroll", "--token", &practice.token(MACHINE)?])?;
    Ok((practice, windows))
}

fn health(practice: &Practice) -> Result<Vec<Value>> {
    let rows = practice.events(&[])?.into_iter().map(|row| row["event"].clone());
    Ok(rows.filter(|event| event["kind"] == "health").map(|event| event["health"].clone()).collect())
}

/// RP-1: what nobody could read is never in order, in the check, in the list and in what the review is made of.
#[test]
fn a_system_that_cannot_be_read_is_said_to_be_so() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("windows_policy::unread", &why);
        return Ok(());
    }
    let (practice, windows) = enrolled()?;
    std::fs::create_dir_all(windows.drive().join("Exports"))?;
    let config = std::fs::read_to_string(windows.file("agent.toml"))?;
    let watch = "\n[[watch]]\npath = 'c:/exports/'\nclass = \"export\"\n";
    std::fs::write(windows.file("agent.toml"), config + watch)?;

    let (_, said) = windows.end_of(windows.agent(&["check"]))?;
    ensure!(
        said.contains("note  event log: whether the audit policy of this computer records logins and file access could not be read"),
        "{said}"
    );
    ensure!(!said.contains("are as they should be"), "{said}");
    // Wine gives files away to everybody: the check reads that back, and does not take `install`'s word for it.
    ensure!(
        said.contains("folder: others may use it, too (")
            || said.contains("folder: who may use it could not"),
        "{said}"
    );

    let (status, said) = windows.end_of(windows.agent(&["audit-policy"]))?;
    ensure!(status.code() == Some(1) && !said.contains("records all of it"), "{status}: {said}");
    ensure!(said.contains("0cce921d-69ae-11d9-bed3-505054503030 File System: success, failure"), "{said}");
    // What the script asks for.
    let said = windows.succeed(&["audit-policy", "--json"])?;
    let told: Value = serde_json::from_str(said.trim()).with_context(|| said.clone())?;
    ensure!(told["folders"] == serde_json::json!([r"C:\exports"]), "{told}");
    ensure!(told["wanted"]["sacl"]["rights"] == 0xD0007, "{told}");

    let mut agent = windows.run()?;
    wait::until_so("health to say what could not be read", WITHIN, || {
        agent.ensure_running()?;
        let told = health(&practice)?;
        let sentences = told.iter().filter_map(|health| health["cannot_see"].as_array()).flatten();
        Ok(sentences.filter_map(Value::as_str).any(|sentence| {
            sentence.starts_with("whether the audit policy of this computer")
                && sentence.contains("could not be read")
        }))
    })?;
    // No hypervisor, no generation: absent, and never invented.
    let told = health(&practice)?;
    ensure!(told.iter().all(|health| health.get("vm_generation").is_none()), "{told:#?}");
    Ok(())
}

/// Sets a number of the machine's registry.
fn set(windows: &Windows, key: &str, name: &str, value: u32) -> Result<()> {
    let key = format!(r"HKLM\SYSTEM\CurrentControlSet\{key}");
    let value = value.to_string();
    let arguments = ["add", &key, "/v", name, "/t", "REG_DWORD", "/d", &value, "/f"];
    let (status, said) = windows.end_of(windows.command("reg.exe", &arguments))?;
    ensure!(status.success(), "{arguments:?}: {said}");
    Ok(())
}

/// A change of the audit policy, as Windows renders 4719: success of File System removed.
const POLICY_CHANGED: &str = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
    <Provider Name='Microsoft-Windows-Security-Auditing' Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}'/>\
    <EventID>4719</EventID><Version>0</Version><Level>0</Level><Keywords>0x8020000000000000</Keywords>\
    <TimeCreated SystemTime='2026-11-20T21:00:07.0000001Z'/><EventRecordID>1</EventRecordID>\
    <Channel>Security</Channel><Computer>WS-10</Computer></System><EventData>\
    <Data Name='SubjectUserSid'>S-1-5-21-1-2-3-500</Data><Data Name='SubjectUserName'>itadmin</Data>\
    <Data Name='SubjectDomainName'>WS-10</Data><Data Name='SubjectLogonId'>0x77</Data>\
    <Data Name='CategoryId'>%%8274</Data><Data Name='SubcategoryId'>%%12800</Data>\
    <Data Name='SubcategoryGuid'>{0cce921d-69ae-11d9-bed3-505054503030}</Data>\
    <Data Name='AuditPolicyChanges'>%%8448</Data></EventData></Event>";

/// What Wine does keep, its registry, is read; what became worse is told soon after the record that says so, and beside it.
#[test]
fn what_becomes_worse_is_told_beside_the_record_of_who_did_it() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("windows_policy::drift", &why);
        return Ok(());
    }
    const LSA: (&str, &str) = (r"Control\Lsa", "SCENoApplyLegacyAuditPolicy");
    const LOG: (&str, &str) = (r"Services\EventLog\Security", "MaxSize");
    let (practice, windows) = enrolled()?;
    set(&windows, LSA.0, LSA.1, 1)?;
    set(&windows, LOG.0, LOG.1, 512 << 20)?;
    let mut agent = windows.run()?;
    let tampers = || -> Result<Vec<String>> {
        let rows = practice.events(&[])?.into_iter().map(|row| row["event"].clone());
        let told = rows.filter(|event| event["kind"] == "tamper").map(|event| {
            let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
            format!("{}: {}", text(&event["source"]["sensor"]), text(&event["tamper"]["detail"]))
        });
        Ok(told.collect())
    };
    let says = |words: &str| -> Result<bool> {
        let Some(last) = health(&practice)?.pop() else { return Ok(false) };
        Ok(last["cannot_see"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|said| said.as_str().unwrap().contains(words)))
    };
    wait::until_so("the first look", WITHIN, || {
        agent.ensure_running()?;
        says("the audit policy of this computer records logins")
    })?;
    ensure!(
        !says("SCENoApplyLegacyAuditPolicy")? && !says("the Security log holds")?,
        "both are as they should be"
    );
    ensure!(tampers()?.is_empty(), "nobody did anything: {:?}", tampers()?);

    set(&windows, LSA.0, LSA.1, 0)?;
    set(&windows, LOG.0, LOG.1, 1 << 20)?;
    // Long before the next look that nothing asks for.
    windows.write("Security", 1, POLICY_CHANGED)?;
    wait::until_so("the changes to be told", WITHIN, || {
        agent.ensure_running()?;
        Ok(tampers()?.len() == 3)
    })
    .with_context(|| format!("{:?}", tampers()))?;
    let mut told = tampers()?;
    told.sort();
    ensure!(
        told == [
            "audit-policy: an audit policy of the older kind may replace this one",
            "audit-policy: the Security log holds 1 MiB, less than 512",
            "windows-security: File System: success removed"
        ],
        "{told:#?}"
    );
    wait::until_so("health to say so", WITHIN, || {
        Ok(says("SCENoApplyLegacyAuditPolicy is not 1")?
            && says("the Security log holds 1 MiB, less than 512")?)
    })?;
    Ok(())
}

/// Processes of this machine that are the service. Wine's own path of the program is in the command line.
fn service_of(windows: &Windows) -> Result<Vec<Pid>> {
    let prefix = format!("WINEPREFIX={}", windows.prefix().display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        // One that ended meanwhile has neither.
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let has =
            |bytes: &[u8], text: &str| bytes.split(|byte| *byte == 0).any(|part| part == text.as_bytes());
        let line = read("cmdline");
        let is_program = line.windows(13).any(|part| part == b"ntk-agent.exe");
        if is_program && has(&read("environ"), &prefix) && has(&line, "serve") {
            found.push(pid);
        }
    }
    Ok(found)
}

fn has_line(log: &Path, words: &str) -> Result<bool> {
    Ok(std::fs::read_to_string(log)?.lines().any(|line| line.contains(words)))
}

/// A killed service loses nothing: whoever starts it again (Windows after two seconds; Wine keeps no failure actions, so here it
/// is started by hand) finds it going on.
#[test]
fn a_killed_service_goes_on_when_it_is_started_again() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("windows_policy::killed", &why);
        return Ok(());
    }
    let (practice, windows) = enrolled()?;
    let said = windows.succeed(&["install"])?;
    ensure!(said.contains("the service runs"), "{said}");
    let starts = || -> Result<usize> {
        Ok(health(&practice)?.iter().filter(|health| health["reason"] == "start").count())
    };
    wait::until_so("the service to record", WITHIN, || Ok(starts()? == 1))?;
    let running = service_of(&windows)?;
    ensure!(running.len() == 1, "one process is the service: {running:?}");
    kill_process(running[0], Signal::KILL)?;
    wait::until_so("the killed process to be gone", WITHIN, || Ok(service_of(&windows)? != running))?;
    let came_back = wait::until_so("the service to come back", AGAIN_WITHIN, || Ok(starts()? == 2)).is_ok();
    if !came_back {
        skip::skip(
            "windows_policy::failure_actions",
            "Wine does not start a killed service again; that Windows does so after 2, 5 and 30 s is not shown",
        );
        wait::until_so("the service to be started by hand", WITHIN, || {
            Ok(windows.end_of(windows.command("sc.exe", &["start", "ntk-agent"]))?.0.success())
        })?;
        wait::until_so("the service to record again", WITHIN, || Ok(starts()? == 2))?;
    }
    let log = windows.file("agent.log");
    ensure!(!has_line(&log, "panicked")?, "{}", std::fs::read_to_string(&log)?);
    windows.succeed(&["uninstall"])?;
    ensure!(windows.file("agent.toml").is_file(), "{DIR} stays");
    Ok(())
}
