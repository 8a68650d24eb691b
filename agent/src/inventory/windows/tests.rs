//! A whole Windows in a map and a folder: everything is found, nothing secret is repeated, and Windows' own is left out.

use super::fake::{Fake, text};
use super::system::{LocalAccount, Value};
use super::*;
use expect_test::expect;
use std::fs;

const SECRET: &str = "hunter2-is-planted";

fn task(account: &str, command: &str, arguments: &str) -> Vec<u8> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n<Task version=\"1.2\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">\
         <Triggers><LogonTrigger/></Triggers><Principals><Principal id=\"Author\"><UserId>{account}</UserId></Principal></Principals>\
         <Actions><Exec><Command>{command}</Command><Arguments>{arguments}</Arguments></Exec></Actions></Task>"
    );
    std::iter::once(0xfeff).chain(xml.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn put(root: &Root, path: &str, content: &[u8]) {
    let path = root.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn machine() -> (tempfile::TempDir, Root, Fake) {
    let scratch = tempfile::tempdir().unwrap();
    let root = Root::with_drives(scratch.path());
    let mut system = Fake::default();
    let service = |system: &mut Fake, name: &str, image: &str, account: &str, start: u64| {
        let values = [
            ("Type", Value::Number(0x10)),
            ("Start", Value::Number(start)),
            ("ImagePath", text(image)),
            ("ObjectName", text(account)),
        ];
        system.put(&format!("{}\\{name}", services::SERVICES), &values);
    };
    service(&mut system, "Spooler", r"%SystemRoot%\System32\spoolsv.exe", "LocalSystem", 2);
    service(
        &mut system,
        "Dnscache",
        r"%SystemRoot%\System32\svchost.exe -k NetworkService",
        r"NT AUTHORITY\NetworkService",
        2,
    );
    system.put(
        &format!("{}\\Dnscache\\Parameters", services::SERVICES),
        &[("ServiceDll", text(r"%SystemRoot%\System32\dnsrslvr.dll"))],
    );
    service(&mut system, "Odd", r"%SystemRoot%\System32\svchost.exe -k x", "LocalSystem", 3);
    system.put(
        &format!("{}\\Odd\\Parameters", services::SERVICES),
        &[("ServiceDll", text(r"C:\ProgramData\odd.dll"))],
    );
    service(&mut system, "Sync", &format!("\"C:\\Tools\\sync.exe\" --key {SECRET}"), r".\bea", 2);
    service(&mut system, "Shell", &format!(r"C:\Windows\System32\cmd.exe /c {SECRET}"), "LocalSystem", 4);
    service(
        &mut system,
        "AnyDesk",
        r#""C:\Program Files (x86)\AnyDesk\AnyDesk.exe" --service"#,
        "LocalSystem",
        2,
    );
    service(&mut system, "sshd", r"C:\Windows\System32\OpenSSH\sshd.exe", "LocalSystem", 2);
    system.put(
        &format!("{}\\disk", services::SERVICES),
        &[("Type", Value::Number(1)), ("ImagePath", text(r"C:\x\disk.sys"))],
    );
    let run = r"Software\Microsoft\Windows\CurrentVersion\Run";
    system.put(
        &format!(r"HKLM\SOFTWARE\{}", &run["Software\\".len()..]),
        &[("Updater", text(&format!(r"C:\u\up.exe /k:{SECRET}")))],
    );
    system.put(
        &format!(r"HKU\S-1-5-21-1-2-3-1001\{run}"),
        &[("Chat", text(r"%ProgramFiles%\Chat\chat.exe -min"))],
    );
    system.put(&format!(r"HKU\S-1-5-21-1-2-3-1001_Classes\{run}"), &[("Twice", text("x.exe"))]);
    let tool = r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall\TeamViewer";
    system.put(
        tool,
        &[("DisplayName", text("TeamViewer 15")), ("InstallLocation", text(r"C:\Program Files\TeamViewer"))],
    );
    system.put(
        r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\X",
        &[("DisplayName", text("Goto the dentist"))],
    );
    let terminals = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server";
    system.put(terminals, &[("fDenyTSConnections", Value::Number(0))]);
    system.put(&format!(r"{terminals}\WinStations\RDP-Tcp"), &[("PortNumber", Value::Number(3390))]);
    let share = |texts: &[&str]| Value::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
    system.put(
        r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Shares",
        &[("Patients", share(&["Path=D:\\Patients", "Type=0"])), ("Printer", share(&["Path=HP", "Type=1"]))],
    );
    system.put(
        r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList\S-1-5-21-1-2-3-1001",
        &[("ProfileImagePath", text(r"C:\Users\bea.MAPLE"))],
    );
    system.members.insert(
        "S-1-5-32-544".into(),
        vec!["bea".into(), r"MAPLE\Domain Admins".into(), "S-1-5-21-9-9-9-1".into()],
    );
    system.members.insert("S-1-5-32-551".into(), vec!["svc-backup".into()]);
    let account = |name: &str, is_disabled, needs_no_password| LocalAccount {
        name: name.into(),
        is_disabled,
        needs_no_password,
    };
    system.accounts =
        vec![account("bea", false, false), account("Gast", true, true), account("scan", false, true)];
    let tasks = r"C:\Windows\System32\Tasks";
    put(&root, &format!(r"{tasks}\Nightly"), &task("S-1-5-18", r"C:\Tools\copy.exe", SECRET));
    put(
        &root,
        &format!(r"{tasks}\Microsoft\Windows\Defrag\Scheduled"),
        &task("S-1-5-18", r"%windir%\system32\defrag.exe", "-c"),
    );
    put(
        &root,
        &format!(r"{tasks}\Microsoft\Windows\Defrag\Extra"),
        &task("S-1-5-18", "powershell.exe", SECRET),
    );
    put(&root, &format!(r"{tasks}\Broken"), b"<Task>");
    put(
        &root,
        r"C:\Users\bea.MAPLE\AppData\Roaming\Microsoft\Windows\Start Menu\Programs\Startup\vpn.lnk",
        b"",
    );
    (scratch, root, system)
}

#[test]
fn everything_that_a_windows_machine_holds_is_listed_without_what_comes_with_it_or_is_secret() {
    let (_scratch, root, system) = machine();
    let running = Running {
        programs: ["rustdesk.exe".to_owned(), "explorer.exe".to_owned()].into(),
        ..Running::default()
    };
    let found = take(&system, &root, &running);
    let lines: Vec<String> = found.holdings.iter().map(crate::inventory::text::line).collect();
    expect![[r#"
        account bea [bea] of this machine
        account scan [scan] of this machine, needs no password
        admin_group Administrators [MAPLE\Domain Admins] may do everything on this machine (S-1-5-32-544)
        admin_group Administrators [S-1-5-21-9-9-9-1] may do everything on this machine (S-1-5-32-544)
        admin_group Administrators [bea] may do everything on this machine (S-1-5-32-544)
        admin_group Backup Operators [svc-backup] may read every file, to back it up (S-1-5-32-551)
        scheduled_job \Microsoft\Windows\Defrag\Extra [SYSTEM] starts powershell.exe, at a login (scheduled tasks)
        scheduled_job \Nightly [SYSTEM] starts C:\Tools\copy.exe, at a login (scheduled tasks)
        service AnyDesk [SYSTEM] starts C:\Program Files (x86)\AnyDesk\AnyDesk.exe, with the machine (services)
        service Chat [bea] starts C:\Program Files\Chat\chat.exe at a login (Software\Microsoft\Windows\CurrentVersion\Run)
        service Odd [SYSTEM] starts C:\ProgramData\odd.dll, when asked (services)
        service Shell [SYSTEM] starts C:\Windows\System32\cmd.exe, switched off (services)
        service Sync [bea] starts C:\Tools\sync.exe, with the machine (services)
        service Updater [] starts C:\u\up.exe at a login (HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run)
        service sshd [SYSTEM] starts C:\Windows\System32\OpenSSH\sshd.exe, with the machine (services)
        service vpn.lnk [bea] starts at a login (Startup)
        remote_tool AnyDesk [] starts by itself (service AnyDesk)
        remote_tool OpenSSH [] starts by itself (service sshd)
        remote_tool Remote Desktop [] is on, port 3390, a session begins before the password
        remote_tool RustDesk [] runs without being installed
        remote_tool TeamViewer [] installed (C:\Program Files\TeamViewer)
        share Patients [] (D:\Patients)"#]].assert_eq(&lines.join("\n"));
    assert!(!format!("{found:?}").contains(SECRET));
    let administrators: Vec<&str> = found.administrators.iter().map(String::as_str).collect();
    assert_eq!(administrators, [r"MAPLE\Domain Admins", "S-1-5-21-9-9-9-1", "bea"]);
    assert_eq!(
        found.cannot_see.first().map(String::as_str),
        Some("some files of scheduled tasks could not be read (1)")
    );
}

#[test]
fn remote_desktop_goes_by_the_policy_before_the_setting() {
    let (_scratch, root, mut system) = machine();
    let has_it = |system: &Fake| {
        take(system, &root, &Running::default()).holdings.iter().any(|one| one.name == "Remote Desktop")
    };
    assert!(has_it(&system));
    let policy = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services";
    system.put(policy, &[("fDenyTSConnections", Value::Number(1))]);
    assert!(!has_it(&system));
}
