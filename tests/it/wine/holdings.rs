//! What is held on a Windows machine and what might be watched there: registry, tasks and files of a Wine of our own, and the
//! agent built for Windows.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::wine::{self, Windows};
use ntk_tests::{skip, wait};
use serde_json::Value;

use super::{enrolled, events};

const WITHIN: Duration = Duration::from_secs(90);
/// In the arguments of everything that is started.
const SECRET: &str = "planted-Secret-7f3a";
const PATIENTS: &str = "MRN,Last Name,First Name,DOB\r\n7,Roth,Anna,1970-01-02\r\n";

/// What a file of `regedit` puts into the registry.
fn registry() -> String {
    let services = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services";
    let windows = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion";
    let shares = "Path=C:\\Patients\0Type=0\0\0";
    // In this form of the file a byte a letter; the registry has two.
    let shares: Vec<String> = shares.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "REGEDIT4\r\n\r\n\
         [{services}\\NightSync]\r\n\"Type\"=dword:10\r\n\"Start\"=dword:4\r\n\"ObjectName\"=\".\\\\sam\"\r\n\
         \"ImagePath\"=\"\\\"C:\\\\Tools\\\\night sync.exe\\\" --key {SECRET}\"\r\n\r\n\
         [{services}\\LanmanServer\\Shares]\r\n\"Patients\"=hex(7):{}\r\n\r\n\
         [{windows}\\Run]\r\n\"Updater\"=\"C:\\\\Tools\\\\up.exe /k:{SECRET}\"\r\n\r\n\
         [{windows}\\Uninstall\\AnyDesk]\r\n\"DisplayName\"=\"AnyDesk\"\r\n\"InstallLocation\"=\"C:\\\\Program Files (x86)\\\\AnyDesk\"\r\n\
         \"DisplayIcon\"=\"C:\\\\Program Files (x86)\\\\AnyDesk\\\\AnyDesk.exe\"\r\n\r\n\
         [HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server]\r\n\"fDenyTSConnections\"=dword:0\r\n",
        shares.join(",")
    )
}

fn task() -> Vec<u8> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n<Task version=\"1.2\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">\
         <Triggers><BootTrigger/></Triggers><Principals><Principal id=\"Author\"><UserId>S-1-5-18</UserId></Principal></Principals>\
         <Actions><Exec><Command>C:\\Tools\\copy.exe</Command><Arguments>{SECRET}</Arguments></Exec></Actions></Task>"
    );
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn configure(windows: &Windows, more: &str) -> Result<()> {
    let config = fs::read_to_string(windows.file("agent.toml"))?;
    Ok(fs::write(windows.file("agent.toml"), format!("{more}\n{config}"))?)
}

fn inventories(practice: &Practice, reason: &str) -> Result<Vec<Value>> {
    let all = events(practice, "inventory")?.into_iter();
    Ok(all.filter(|event| event["inventory"]["reason"] == reason).collect())
}

/// One thing of an inventory as `kind name [accounts] detail`.
fn held(event: &Value, list: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |one: &Value| {
        let accounts: Vec<String> = one["accounts"].as_array().into_iter().flatten().map(text).collect();
        format!(
            "{} {} [{}] {}",
            text(&one["what"]),
            text(&one["name"]),
            accounts.join(", "),
            text(&one["detail"])
        )
    };
    event["inventory"][list].as_array().into_iter().flatten().map(line).collect()
}

/// Everything at the start, what is new and gone afterwards, and never what stands beside it.
#[test]
fn an_inventory_lists_services_tasks_run_keys_tools_and_shares_and_gives_away_no_argument() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("wine::inventory", &why);
        return Ok(());
    }
    let (practice, windows) = enrolled()?;
    configure(&windows, "inventory_every_s = 1")?;
    fs::write(windows.drive().join("held.reg"), registry())?;
    let tasks = windows.drive().join("windows/system32/Tasks");
    fs::create_dir_all(&tasks)?;
    fs::write(tasks.join("Nightly"), task())?;
    let read = windows.end_of(windows.command("regedit.exe", &["/S", r"C:\held.reg"]))?;
    ensure!(read.0.success(), "{read:?}");
    let said = windows.end_of(windows.command(&windows.program(), &["inventory"]))?;
    ensure!(said.0.success() && said.1.contains("NightSync") && !said.1.contains(SECRET), "{said:?}");

    let mut agent = windows.run()?;
    let first = wait::until("the first inventory", WITHIN, || {
        agent.ensure_running()?;
        Ok(inventories(&practice, "start")?.pop())
    })?;
    let lines = held(&first, "holdings");
    for expected in [
        r"service NightSync [sam] starts C:\Tools\night sync.exe, switched off",
        r"service Updater [] starts C:\Tools\up.exe at a login",
        r"remote_tool AnyDesk [] installed (C:\Program Files (x86)\AnyDesk)",
        "remote_tool Remote Desktop [] is on, port 3389, a session begins before the password",
        "share Patients [] ",
    ] {
        ensure!(lines.iter().any(|line| line == expected), "{expected} is not in {lines:#?}");
    }
    let job = lines.iter().find(|line| line.starts_with(r"scheduled_job \Nightly"));
    ensure!(
        job.is_some_and(|job| job.ends_with(r"starts C:\Tools\copy.exe, at a start of the machine")),
        "{lines:#?}"
    );
    // Who is signed in to Wine is its administrator.
    ensure!(lines.iter().any(|line| line.starts_with("admin_group Administrators [")), "{lines:#?}");

    let run = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run";
    for arguments in [
        ["add", run, "/v", "Helper", "/d", r"C:\Tools\helper.exe", "/f"].as_slice(),
        &["delete", run, "/v", "Updater", "/f"],
    ] {
        let changed = windows.end_of(windows.command("reg.exe", arguments))?;
        ensure!(changed.0.success(), "{changed:?}");
    }
    wait::until_so("the changes", WITHIN, || {
        let all = inventories(&practice, "change")?;
        let told = |list: &str, name: &str| {
            all.iter().any(|event| held(event, list).iter().any(|line| line.starts_with(name)))
        };
        Ok(told("holdings", "service Helper ") && told("gone", "service Updater "))
    })?;
    // The collector's question is answered by the same inventory.
    practice.collector(&[
        "inventory",
        "--machine",
        super::MACHINE,
        "--now",
        "--by",
        "mary",
        "--passphrase-file",
        &marys(&practice)?,
    ])?;
    wait::until_so("the answer", WITHIN, || Ok(!inventories(&practice, "asked")?.is_empty()))?;
    let events = practice.collector(&["events", "--json"])?;
    ensure!(!events.contains(SECRET), "an argument is told");
    ensure!(!agent.said().contains("Tools"), "PR-1: {}", agent.said());
    Ok(())
}

/// A file with the manager's passphrase.
fn marys(practice: &Practice) -> Result<String> {
    let file = practice.folder().join("mary.txt");
    fs::write(&file, "correct horse battery\n")?;
    let file = file.to_string_lossy().into_owned();
    practice.collector(&["reviewer", "passphrase", "mary", "--passphrase-file", &file])?;
    Ok(file)
}

/// By its place, by its first bytes as it arrives, and after the manager confirmed it.
#[test]
fn a_mailbox_is_proposed_a_download_that_looks_like_an_export_is_watched_and_a_decision_arrives() -> Result<()>
{
    if let Some(why) = wine::missing() {
        skip::skip("wine::discovery", &why);
        return Ok(());
    }
    let (practice, windows) = enrolled()?;
    configure(&windows, "inventory_every_s = 2")?;
    let marys = marys(&practice)?;
    let bea = windows.drive().join("users/bea");
    let outlook = bea.join("AppData/Local/Microsoft/Outlook");
    for folder in [&outlook, &bea.join("Downloads"), &windows.drive().join("Backups")] {
        fs::create_dir_all(folder)?;
    }
    fs::write(outlook.join("bea@maple.example.ost"), "!BDN of a test")?;
    fs::write(windows.drive().join("new.csv"), PATIENTS)?;
    fs::write(windows.drive().join("new.txt"), "a letter")?;
    let mut agent = windows.run()?;
    let proposed = |end: &str| -> Result<Option<Value>> {
        let list: Value = serde_json::from_str(&practice.collector(&["watch", "list", "--json"])?)?;
        let rows = list["proposals"].as_array().context("a list")?;
        Ok(rows.iter().find(|row| row["path"].as_str().is_some_and(|path| path.ends_with(end))).cloned())
    };
    let mailbox = wait::until("the mailbox to be proposed", WITHIN, || {
        agent.ensure_running()?;
        proposed(r"\bea\AppData\Local\Microsoft\Outlook")
    })?;
    ensure!(mailbox["class"] == "mailbox" && mailbox["owner"] == "bea", "{mailbox}");
    let backups = wait::until("the backups to be proposed", WITHIN, || proposed(r"C:\Backups"))?;

    // A program of the machine writes: Wine, like Windows, tells only of what passes through it.
    let mut n = 0;
    let begun = wait::until("a download to be watched", WITHIN, || {
        n += 1;
        for (from, to) in [("new.txt", format!("letter{n}.txt")), ("new.csv", format!("patients{n}.csv"))] {
            let to = format!(r"C:\users\bea\Downloads\{to}");
            windows.end_of(windows.command("cmd.exe", &["/c", &format!(r"copy C:\{from} {to}")]))?;
        }
        Ok(inventories(&practice, "watch_begun")?.pop())
    })?;
    let path = begun["object"]["path"].as_str().unwrap_or_default();
    ensure!(path.contains(r"\bea\Downloads\patients") && begun["object"]["class"] == "export", "{begun}");

    let id = backups["id"].as_str().context("an id")?;
    practice.collector(&["watch", "confirm", id, "--by", "mary", "--passphrase-file", &marys])?;
    wait::until_so("the decision to arrive", WITHIN, || {
        Ok(proposed(r"C:\Backups")?.is_some_and(|row| row["standing"] == "watched"))
    })?;
    wait::until_so("an access to be told", WITHIN, || {
        windows.end_of(windows.command("cmd.exe", &["/c", r"copy C:\new.txt C:\Backups\monday.bak"]))?;
        let touched = events(&practice, "file_access")?;
        Ok(touched.iter().any(|event| event["object"]["class"] == "backup"))
    })?;
    let all = inventories(&practice, "watch_begun")?;
    ensure!(all.iter().all(|event| !event.to_string().contains("letter")), "{all:?}");
    Ok(())
}
