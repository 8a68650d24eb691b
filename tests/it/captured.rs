//! Windows, through the real programs: records that real machines wrote, and one story across Microsoft 365 and a file server.
//!
//! The captured records are rendered again as `EvtRender` does, with their own fields, times and numbers, and served to the
//! agent under Wine by the stand-in event log. The story's records are derived: written for this test in the documented form.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use ntk_tests::practice::Practice;
use ntk_tests::program::{self, text};
use ntk_tests::wine::{self, Windows};
use ntk_tests::{skip, wait};
use ntk_windows::evtx::Records;
use ntk_windows::record::Record;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::tidy::top;

const WITHIN: Duration = Duration::from_secs(240);
const MACHINE: &str = "srv-01";
/// Kinds that are made of records alone; health, gaps and inventories are the agent's own.
const OF_RECORDS: [&str; 5] = ["login", "logout", "elevation", "account_change", "file_access"];

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&apos;")
}

/// A record as `EvtRender` gives it, of what was captured of it.
fn rendered(record: &Record) -> String {
    let mut data = String::new();
    for (name, text) in record.fields() {
        let _ = write!(data, "<Data Name='{}'>{}</Data>", escaped(name), escaped(text));
    }
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='{}'/><EventID>{}</EventID>\
         <Version>{}</Version><Keywords>0x{:x}</Keywords><TimeCreated SystemTime='{}'/><EventRecordID>{}</EventRecordID>\
         <Channel>{}</Channel><Computer>{}</Computer></System><EventData>{data}</EventData></Event>",
        escaped(&record.provider),
        record.event_id,
        record.version,
        record.keywords,
        record.time.rfc3339(),
        record.record_id.unwrap_or_default(),
        escaped(&record.channel),
        escaped(&record.computer),
    )
}

/// What is told: how often each kind came of each record.
fn counted<'a>(events: impl Iterator<Item = &'a Value>) -> BTreeMap<String, u32> {
    let mut counted = BTreeMap::new();
    for event in events {
        let kind = event["kind"].as_str().unwrap_or_default();
        let record = event.pointer("/source/record").and_then(Value::as_str).unwrap_or_default();
        if OF_RECORDS.contains(&kind) && !record.is_empty() {
            *counted.entry(format!("{kind} of record {record}")).or_default() += 1;
        }
    }
    counted
}

fn delivered(practice: &Practice) -> Result<BTreeMap<String, u32>> {
    let rows = practice.events(&[])?;
    Ok(counted(rows.iter().map(|row| &row["event"])))
}

/// What a replay of the same file tells: the other way through the same room.
fn replayed(file: &Path) -> Result<BTreeMap<String, u32>> {
    let output = std::process::Command::new(program::binary("ntk-agent")?)
        .args(["replay", "--format", "evtx"])
        .arg(file)
        .output()?;
    ensure!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok(counted(lines.iter()))
}

#[test]
fn records_that_a_real_machine_wrote_are_told_once_through_a_kill_and_a_stop() -> Result<()> {
    let file = top()
        .parent()
        .context("the project lies in a folder")?
        .join("shared/data/evtx/mit-security-2mb.evtx");
    if let Some(why) =
        wine::missing().or_else(|| (!file.is_file()).then(|| "shared/data is not here".to_owned()))
    {
        skip::skip("captured::records", &why);
        return Ok(());
    }
    let (practice, windows) = (Practice::start()?, Windows::new(&["Security", "System"])?);
    windows.succeed(&["enroll", "--token", &practice.token(MACHINE)?])?;
    let mut agent = windows.run()?;
    let gaps = || -> Result<usize> {
        let rows = practice.events(&[])?;
        Ok(rows.iter().filter(|row| row["event"]["gap"]["cause"] == "event_log_begins").count())
    };
    wait::until_so("the first start to be told", WITHIN, || {
        agent.ensure_running()?;
        Ok(gaps()? == 2)
    })?;
    let records: Vec<Record> = Records::open(File::open(&file)?)?.filter_map(Result::ok).collect();
    ensure!(records.len() > 2000, "{} records", records.len());
    for (n, record) in records.iter().enumerate() {
        windows.write(
            "Security",
            record.record_id.context("a captured record has its number")?,
            &rendered(record),
        )?;
        if n == records.len() / 3 {
            wait::until_so(
                "the first of them to be there",
                WITHIN,
                || Ok(!delivered(&practice)?.is_empty()),
            )?;
            agent.kill()?;
            agent = windows.run()?;
        } else if n == 2 * records.len() / 3 {
            agent.signal(Signal::INT)?;
            drop(agent);
            agent = windows.run()?;
        }
    }
    let expected = replayed(&file)?;
    ensure!(expected.len() > 150, "{expected:?}");
    wait::until_so("every one of them to be there", WITHIN, || {
        agent.ensure_running()?;
        Ok(delivered(&practice)?.len() >= expected.len())
    })?;
    agent.signal(Signal::INT)?;
    drop(agent);
    let told = delivered(&practice)?;
    let differ: Vec<_> = expected
        .iter()
        .map(|(what, n)| (what, *n, told.get(what).copied().unwrap_or_default()))
        .filter(|(_, expected, told)| expected != told)
        .collect();
    let more: Vec<_> = told.keys().filter(|what| !expected.contains_key(*what)).collect();
    ensure!(
        differ.is_empty() && more.is_empty(),
        "replayed and delivered differ: {differ:?}; only delivered: {more:?}"
    );
    Ok(())
}

const PEOPLE: &str = r#"
[[person]]
id = "dana"
name = "Dana Reyes"
roles = ["manager"]

[[person]]
id = "northwind"
name = "Northwind IT"
organisation = "Northwind IT"
roles = ["itadmin"]

[[account]]
person = "dana"
upn = "dana@practice.example"

[[account]]
person = "northwind"
upn = "it@practice.example"

[[account]]
person = "northwind"
sid = "S-1-5-21-1-2-3-1107"
"#;

/// One record of the security log, at a time.
fn security(record: u64, id: u32, at: Timestamp, fields: &[(&str, &str)]) -> String {
    let mut data = String::new();
    for (name, text) in fields {
        let _ = write!(data, "<Data Name='{name}'>{}</Data>", escaped(text));
    }
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>{id}</EventID><Version>2</Version>\
         <Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='{at}'/><EventRecordID>{record}</EventRecordID>\
         <Channel>Security</Channel><Computer>SRV-01</Computer></System><EventData>{data}</EventData></Event>"
    )
}

fn audit_record(id: u32, at: Timestamp, operation: &str, more: Value) -> String {
    let mut record = json!({
        "Id": format!("00000000-0000-0000-0001-{id:012}"), "CreationTime": at.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        "Operation": operation, "UserId": "it@practice.example", "UserType": 0, "Workload": "Exchange",
        "ResultStatus": "Succeeded", "ClientIP": "203.0.113.7",
    });
    if let (Some(record), Some(more)) = (record.as_object_mut(), more.as_object()) {
        record.extend(more.clone());
    }
    record.to_string()
}

/// A right given in Microsoft 365 and used there (imported), a login over remote desktop and a mailbox file copied over C$
/// (live, from the agent for Windows): one hand, one item, in its order.
#[test]
fn a_grant_a_delegates_read_a_remote_login_and_a_copied_mailbox_are_one_story() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("captured::story", &why);
        return Ok(());
    }
    let practice = Practice::start()?;
    practice.import_roster(PEOPLE)?;
    let windows = Windows::new(&["Security", "System"])?;
    windows.succeed(&["enroll", "--token", &practice.token(MACHINE)?])?;
    let config = fs::read_to_string(windows.file("agent.toml"))?;
    let watch = "\n[[watch]]\npath = 'c:/users/dana/documents/outlook files/'\nclass = \"mailbox\"\nowner = \"dana\"\n";
    fs::write(windows.file("agent.toml"), config + watch)?;
    let agent = windows.run()?;
    wait::until_so("the first start to be told", WITHIN, || Ok(practice.size_of(MACHINE)? > 2))?;
    let now = Timestamp::now();
    let at = |seconds: i64| now + SignedDuration::from_secs(seconds);

    // Live.
    let who = [
        ("TargetUserSid", "S-1-5-21-1-2-3-1107"),
        ("TargetUserName", "it"),
        ("TargetDomainName", "PRACTICE"),
    ];
    let login =
        [&who[..], &[("TargetLogonId", "0x9a"), ("LogonType", "10"), ("IpAddress", "192.0.2.7")]].concat();
    windows.write("Security", 1, &security(1, 4624, at(1), &login))?;
    let copy = [
        ("SubjectUserSid", "S-1-5-21-1-2-3-1107"),
        ("SubjectUserName", "it"),
        ("SubjectDomainName", "PRACTICE"),
        ("SubjectLogonId", "0x9a"),
        ("ObjectType", "File"),
        ("IpAddress", "192.0.2.7"),
        ("ShareName", r"\\*\C$"),
        ("ShareLocalPath", r"\??\C:\"),
        ("RelativeTargetName", r"Users\dana\Documents\Outlook Files\dana.pst"),
        ("AccessMask", "0x120089"),
    ];
    windows.write("Security", 2, &security(2, 5145, at(2), &copy))?;
    // What comes behind, so that nothing waits for it.
    windows.write(
        "Security",
        3,
        &security(3, 4634, at(3), &[("TargetLogonId", "0x9a"), ("LogonType", "10")]),
    )?;
    wait::until_so("the copy to be there", WITHIN, || {
        let rows = practice.events(&[])?;
        Ok(rows.iter().any(|row| row["event"]["kind"] == "file_access"))
    })?;

    // Imported.
    let grant = json!({"Parameters": [{"Name": "Identity", "Value": "dana@practice.example"},
        {"Name": "User", "Value": "it@practice.example"}, {"Name": "AccessRights", "Value": "FullAccess"}]});
    let read = json!({"RecordType": 50, "LogonType": 2, "MailboxOwnerUPN": "dana@practice.example",
        "ClientInfoString": "Client=OWA;", "OperationProperties": [{"Name": "MailAccessType", "Value": "Bind"}],
        "Folders": [{"Path": "\\Inbox", "FolderItems": [{"Subject": "s", "InternetMessageId": "<m@x>"}]}]});
    let lines = [
        audit_record(1, at(-1500), "Add-MailboxPermission", grant),
        audit_record(2, at(-900), "MailItemsAccessed", read),
    ];
    let file = practice.folder().join("audit.jsonl");
    fs::write(&file, lines.join("\n"))?;
    practice.collector(&["import", "m365", &file.to_string_lossy(), "--by", "dana"])?;

    // One item: what belongs together is the incident that findings name. A login in opening hours would be explained, and then
    // stands in the story only.
    let grown = wait::until("one item with the right, both accesses and their way", WITHIN, || {
        let mut items: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for finding in practice.findings()? {
            items
                .entry(finding["incident"].as_str().unwrap_or_default().to_owned())
                .or_default()
                .push(finding);
        }
        let areas = |item: &Vec<Value>| -> Vec<String> {
            item.iter().filter_map(|one| Some(one["finding"]["asset"]["area"].as_str()?.to_owned())).collect()
        };
        let is_whole = |item: &&Vec<Value>| {
            let areas = areas(item);
            areas.iter().any(|area| area == "access_rights")
                && areas.iter().filter(|area| *area == "managers_mailbox").count() == 2
        };
        Ok(items.values().find(is_whole).cloned())
    })?;
    let authors: BTreeSet<&str> = grown.iter().filter_map(|one| one["finding"]["author"].as_str()).collect();
    ensure!(authors == BTreeSet::from(["agent/srv-01", "import/m365"]), "{authors:?}");
    let id = grown[0]["finding"]["id"].as_str().context("a finding has its id")?;
    let told = practice.collector(&["finding", id])?;
    let mut rest = told.split_once("in order:").context("the story")?.1;
    for step in [
        "access was given to it@practice.example, by account it@practice.example (held by Northwind IT)",
        "as a delegate from 203.0.113.7",
        "login to srv-01 from 192.0.2.7",
        "access to the manager’s mailbox over the share",
    ] {
        rest = rest.split_once(step).with_context(|| format!("no `{step}` in its place in\n{told}"))?.1;
    }
    agent.signal(Signal::INT)?;
    Ok(())
}
