//! What records come to: written as `ID[!] TIME FIELD=TEXT | FIELD=TEXT`, `!` for an audited failure.
//!
//! The records are written for these tests, in the form of `EvtRender`, with the fields that Microsoft documents for
//! each id; real ones are replayed by the tests of `ntk-agent`.

mod missing;

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::watch::Watch;

const WATCHES: &[&str] = &[
    r"C:\Users\anna\Documents\Outlook Files=mailbox:anna",
    r"C:\Practice\Exports=export",
    r"C:\ProgramData\Need-to-Know=self",
    r"\\*\Patients=ehr",
];

/// The sessions that most tests begin with: an administrator at the console and over remote desktop.
const ADMIN: &str = "SubjectUserSid=S-1-5-21-1-2-3-1105 | SubjectUserName=itadmin | SubjectDomainName=PRACTICE | SubjectLogonId=0x9a";
const SYSTEM: &str =
    "SubjectUserSid=S-1-5-18 | SubjectUserName=SRV01$ | SubjectDomainName=PRACTICE | SubjectLogonId=0x3e7";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;")
}

fn record(n: usize, line: &str) -> Record {
    let line = line.replace("$ADMIN", ADMIN).replace("$SYSTEM", SYSTEM);
    let mut parts = line.trim().splitn(3, ' ');
    let (id, time, fields) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap_or_default());
    let keywords = if id.ends_with('!') { "0x8010000000000000" } else { "0x8020000000000000" };
    let id = id.trim_end_matches('!');
    let (provider, channel) = match id {
        "7045" | "7036" => ("Service Control Manager", "System"),
        "104" => ("Microsoft-Windows-Eventlog", "System"),
        "1100" | "1101" | "1102" => ("Microsoft-Windows-Eventlog", "Security"),
        _ => ("Microsoft-Windows-Security-Auditing", "Security"),
    };
    // A number of its own after `#`.
    let (time, n) = time.split_once('#').map_or((time, n), |(time, n)| (time, n.parse().unwrap()));
    let mut data = String::new();
    for field in fields.split(" | ").filter(|field| !field.is_empty()) {
        let (name, text) = field.split_once('=').unwrap();
        write!(data, "<Data Name='{name}'>{}</Data>", escaped(text)).unwrap();
    }
    Record::from_xml(&format!(
        "<Event><System><Provider Name='{provider}'/><EventID>{id}</EventID><Keywords>{keywords}</Keywords>\
         <TimeCreated SystemTime='2026-11-20T{time}Z'/><EventRecordID>{n}</EventRecordID><Channel>{channel}</Channel>\
         <Computer>SRV01</Computer></System><EventData>{data}</EventData></Event>"
    ))
    .unwrap()
}

/// One line per event: what a person needs to compare.
fn shown(event: &Event) -> String {
    assert_eq!(event.unknown(), Vec::<String>::new());
    let word = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let mut text = format!("{} {}", event.kind, word(event.outcome.as_ref().map(|outcome| outcome.as_str())));
    if let Some(actor) = &event.actor {
        write!(text, " | {}", word(actor.login_user.as_deref())).unwrap();
        actor.effective_user.iter().for_each(|user| write!(text, " as {user}").unwrap());
        actor.session.iter().for_each(|session| write!(text, " ses {session:x}").unwrap());
        actor.from.iter().for_each(|from| write!(text, " from {from}").unwrap());
        actor.claims.iter().for_each(|claims| write!(text, " claims {claims}").unwrap());
        actor.tool.iter().for_each(|tool| write!(text, " through {tool}").unwrap());
        write!(text, " ({})", word(actor.confidence.as_ref().map(|confidence| confidence.as_str()))).unwrap();
        actor.because.iter().for_each(|because| write!(text, " {because}").unwrap());
        for candidate in &actor.candidates {
            write!(text, " or {}", word(candidate.login_user.as_deref())).unwrap();
        }
    }
    event.action.iter().for_each(|action| write!(text, " | {action}").unwrap());
    if let Some(object) = &event.object {
        object.path.iter().for_each(|path| write!(text, " {path}").unwrap());
        object.to.iter().for_each(|to| write!(text, " -> {to}").unwrap());
        object.class.iter().for_each(|class| write!(text, " [{class}]").unwrap());
        object.owner.iter().for_each(|owner| write!(text, " of {owner}").unwrap());
        object.via.iter().for_each(|via| write!(text, " {via}").unwrap());
        if !object.holds.is_empty() {
            write!(text, " holds {}", object.holds.join(" ")).unwrap();
        }
    }
    if let Some(process) = &event.process {
        write!(text, " | {}", word(process.exe.as_deref())).unwrap();
        process.command.iter().for_each(|command| write!(text, " `{command}`").unwrap());
        process.parent.iter().for_each(|parent| write!(text, " < {parent}").unwrap());
        process.ancestors.iter().for_each(|parent| write!(text, " < {parent}").unwrap());
    }
    if let Some(change) = &event.change {
        let word = if change.is_removal { "no longer" } else { "now" };
        write!(text, " | {word} {}", change.rights.join(" ")).unwrap();
    }
    if let Some(tamper) = &event.tamper {
        write!(text, " | {}: {}", tamper.what, word(tamper.detail.as_deref())).unwrap();
    }
    if let Some(gap) = &event.gap {
        let lost = gap.lost.map_or("-".to_owned(), |lost| lost.to_string());
        write!(
            text,
            " | {} lost {lost} from {} to {}",
            gap.cause,
            word(gap.from.as_deref()),
            word(gap.to.as_deref())
        )
        .unwrap();
    }
    event.count.iter().for_each(|count| write!(text, " | x{count}").unwrap());
    format!("{} {text}", event.time.get(11..).unwrap_or_default())
}

fn watches() -> Watches {
    Watches::new(WATCHES.iter().map(|text| text.parse::<Watch>().unwrap()).collect()).unwrap()
}

fn told(numbers: Numbers, lines: &str) -> (Vec<String>, Tally) {
    let mut room = Room::new(watches(), numbers);
    let mut events = Vec::new();
    // Each log counts its own records.
    let mut numbers_of = std::collections::BTreeMap::<String, usize>::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let number = numbers_of.entry(record(0, line).channel).or_default();
        *number += 1;
        events.extend(room.feed(&record(*number, line)));
    }
    events.extend(room.finish());
    assert_eq!(room.tally().n_events, u64::try_from(events.len()).unwrap());
    (events.iter().map(shown).collect(), room.tally().clone())
}

/// What records come to, and the room's summary.
#[track_caller]
fn check(lines: &str, expected: Expect) {
    let (events, tally) = told(Numbers::Whole, lines);
    let mut text = String::new();
    events.iter().for_each(|event| writeln!(text, "{event}").unwrap());
    expected.assert_eq(&format!("{text}{tally}\n"));
}

#[test]
fn the_two_sessions_of_one_login_under_user_account_control_are_one() {
    check(
        r"
        4672 08:00:00.1 SubjectUserSid=S-1-5-21-1-2-3-1105 | SubjectUserName=itadmin | SubjectDomainName=PRACTICE | SubjectLogonId=0x9b
        4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0x9a | LogonType=2 | IpAddress=127.0.0.1 | ElevatedToken=%%1843 | TargetLinkedLogonId=0x9b
        4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0x9b | LogonType=2 | IpAddress=127.0.0.1 | ElevatedToken=%%1842 | TargetLinkedLogonId=0x9a
        4663 08:01:00.1 SubjectUserSid=S-1-5-21-1-2-3-1105 | SubjectUserName=itadmin | SubjectDomainName=PRACTICE | SubjectLogonId=0x9b | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x1 | ProcessId=0x64 | ProcessName=C:\Windows\explorer.exe
        4634 09:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0x9b | LogonType=2
        4634 09:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0x9a | LogonType=2
        ",
        expect![[r#"
            08:00:00.1Z login success | PRACTICE\itadmin ses 9a from console (kernel)
            08:00:00.1Z elevation success | PRACTICE\itadmin ses 9a from console (kernel)
            08:01:00.1Z file_access success | PRACTICE\itadmin ses 9a from console (kernel) | read C:\Practice\Exports\a.csv [export] direct | C:\Windows\explorer.exe
            09:00:00.1Z logout success | PRACTICE\itadmin ses 9a from console (kernel)
            6 records, 4 events; dropped by rule: 2 told_already; 1 of 1 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn older_versions_do_not_name_the_twin_and_are_joined_all_the_same() {
    check(
        r"
        4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0x9b | LogonType=10 | IpAddress=192.0.2.7
        4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0x9a | LogonType=10 | IpAddress=192.0.2.7
        4672 08:00:00.1 $ADMIN
        4647 09:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0x9a
        4634 09:00:00.2 TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0x9b
        ",
        expect![[r#"
            08:00:00.1Z login success | PRACTICE\itadmin ses 9b from 192.0.2.7 (kernel)
            08:00:00.1Z elevation success | PRACTICE\itadmin ses 9b from 192.0.2.7 (kernel)
            09:00:00.1Z logout success | PRACTICE\itadmin ses 9b from 192.0.2.7 (kernel)
            5 records, 3 events; dropped by rule: 1 end_of_untold, 1 told_already; 1 of 1 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn a_session_over_remote_desktop_is_left_and_taken_up_from_elsewhere() {
    check(
        r"
        4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0x9a | LogonType=10 | IpAddress=::ffff:192.0.2.7
        4779 08:10:00.1 AccountName=itadmin | AccountDomain=PRACTICE | LogonID=0x9a | SessionName=RDP-Tcp#0 | ClientName=LAPTOP | ClientAddress=192.0.2.7
        4778 08:20:00.1 AccountName=itadmin | AccountDomain=PRACTICE | LogonID=0x9a | SessionName=RDP-Tcp#1 | ClientName=HOME | ClientAddress=198.51.100.9
        4663 08:21:00.1 $ADMIN | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x1 | ProcessId=0x64 | ProcessName=C:\Windows\explorer.exe
        4778 08:30:00.1 AccountName=itadmin | AccountDomain=PRACTICE | LogonID=0x9a | SessionName=Console | ClientName=Unknown | ClientAddress=LOCAL
        ",
        expect![[r#"
            08:00:00.1Z login success | PRACTICE\itadmin ses 9a from 192.0.2.7 (kernel)
            08:10:00.1Z logout success | PRACTICE\itadmin ses 9a from 192.0.2.7 (kernel)
            08:20:00.1Z login success | PRACTICE\itadmin ses 9a from 198.51.100.9 (kernel)
            08:21:00.1Z file_access success | PRACTICE\itadmin ses 9a from 198.51.100.9 (kernel) | read C:\Practice\Exports\a.csv [export] direct | C:\Windows\explorer.exe
            08:30:00.1Z login success | PRACTICE\itadmin ses 9a from console (kernel)
            5 records, 5 events; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn what_is_done_with_another_accounts_password_stays_with_who_logged_in() {
    check(
        r"
        4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0x9a | LogonType=2
        4648 08:01:00.1 $ADMIN | TargetUserName=anna | TargetDomainName=PRACTICE | TargetServerName=localhost | ProcessId=0x300 | ProcessName=C:\Windows\System32\svchost.exe
        4624 08:01:00.2 $ADMIN | TargetUserSid=S-1-5-21-1-2-3-1001 | TargetUserName=anna | TargetDomainName=PRACTICE | TargetLogonId=0xaa | LogonType=2 | LogonProcessName=seclogo
        4663 08:01:30.1 SubjectUserSid=S-1-5-21-1-2-3-1001 | SubjectUserName=anna | SubjectDomainName=PRACTICE | SubjectLogonId=0xaa | ObjectType=File | ObjectName=C:\Users\anna\Documents\Outlook Files\anna.pst | AccessMask=0x1 | ProcessId=0x64 | ProcessName=C:\Windows\System32\cmd.exe
        4624 08:02:00.1 $ADMIN | TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0xab | LogonType=9 | LogonProcessName=seclogo | TargetOutboundUserName=backup | TargetOutboundDomainName=PRACTICE
        ",
        expect![[r#"
            08:00:00.1Z login success | PRACTICE\itadmin ses 9a from console (kernel)
            08:01:00.1Z elevation success | PRACTICE\itadmin as PRACTICE\anna ses 9a from console (kernel) | C:\Windows\System32\svchost.exe
            08:01:30.1Z file_access success | PRACTICE\itadmin as PRACTICE\anna ses 9a from console (derived) | read C:\Users\anna\Documents\Outlook Files\anna.pst [mailbox] of anna direct | C:\Windows\System32\cmd.exe
            08:02:00.1Z elevation success | PRACTICE\itadmin as PRACTICE\backup ses 9a from console (kernel)
            5 records, 4 events; dropped by rule: 1 told_already; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn a_privileged_session_whose_start_was_not_seen_is_told_without_an_address() {
    check(
        r"
        4672 08:00:00.1 $ADMIN
        4672 08:00:00.1 SubjectUserSid=S-1-5-21-1-2-3-1010 | SubjectUserName=PC07$ | SubjectDomainName=PRACTICE | SubjectLogonId=0x77
        4672 08:00:00.1 $SYSTEM
        4608 08:00:30.1
        ",
        expect![[r#"
            08:00:00.1Z elevation success | PRACTICE\itadmin ses 9a (kernel)
            4 records, 1 events; dropped by rule: 1 id_not_needed, 1 system_session, 1 machine_session; 0 of 3 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn refused_logins_are_counted_by_claim_and_place_and_told_once() {
    check(
        r"
        4776! 08:00:00.1 TargetUserName=anna | Workstation=\\PC07 | Status=0xc000006a
        4625! 08:00:00.1 $SYSTEM | TargetUserSid=S-1-0-0 | TargetUserName=anna | TargetDomainName=PRACTICE | LogonType=3 | IpAddress=192.0.2.7 | Status=0xc000006d | SubStatus=0xc000006a
        4625! 08:00:02.1 $SYSTEM | TargetUserSid=S-1-0-0 | TargetUserName=anna | TargetDomainName=PRACTICE | LogonType=3 | IpAddress=192.0.2.7 | Status=0xc000006d | SubStatus=0xc000006a
        4625! 08:00:02.3 $ADMIN | TargetUserSid=S-1-0-0 | TargetUserName=ben | TargetDomainName=PRACTICE | LogonType=2 | Status=0xc000006d
        4776! 08:30:00.1 TargetUserName=carl | Workstation=\\PC07 | Status=0xc0000064
        4776 08:30:01.1 TargetUserName=carl | Workstation=\\PC07 | Status=0x0
        4771! 08:31:00.1 TargetUserName=dora | TargetSid=S-1-5-21-1-2-3-1009 | IpAddress=::ffff:192.0.2.8 | Status=0x18
        ",
        expect![[r#"
            08:00:00.1Z login denied | - from 192.0.2.7 claims PRACTICE\anna (unattributed) | x2
            08:00:02.3Z login denied | PRACTICE\itadmin ses 9a from console claims PRACTICE\ben (kernel)
            08:30:00.1Z login denied | - from PC07 claims carl (unattributed)
            08:31:00.1Z login denied | - from 192.0.2.8 claims dora (unattributed)
            7 records, 4 events; dropped by rule: 1 told_already, 1 password_right; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn several_records_of_one_open_are_one_access_of_each_kind() {
    check(
        r"
        4656 08:00:00.1 $ADMIN | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x120089 | ProcessId=0x64 | ProcessName=C:\x.exe
        4656 08:00:00.1 $ADMIN | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x120089 | ProcessId=0x64 | ProcessName=C:\x.exe
        4663 08:00:00.1 $ADMIN | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x80 | ProcessId=0x64 | ProcessName=C:\x.exe
        4663 08:00:00.2 $ADMIN | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x1 | ProcessId=0x64 | ProcessName=C:\x.exe
        4663 08:00:00.3 $ADMIN | ObjectType=File | ObjectName=\??\C:\PRACTICE\Exports\A.CSV | AccessMask=0x1 | ProcessId=0x64 | ProcessName=C:\x.exe
        4663 08:00:00.4 $ADMIN | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x6 | ProcessId=0x64 | ProcessName=C:\x.exe
        4663 08:00:00.5 $ADMIN | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x10000 | ProcessId=0x64 | ProcessName=C:\x.exe
        4663 08:00:00.6 $ADMIN | ObjectType=File | ObjectName=C:\Practice\Exports\b.csv | AccessMask=0x40000 | ProcessId=0x64 | ProcessName=C:\x.exe
        4663 08:00:30.1 $ADMIN | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x1 | ProcessId=0x64 | ProcessName=C:\x.exe
        4663 08:00:31.1 $ADMIN | ObjectType=Key | ObjectName=\REGISTRY\MACHINE\SYSTEM | AccessMask=0x1 | ProcessId=0x64
        4663 08:00:31.1 $ADMIN | ObjectType=File | ObjectName=C:\Windows\a | AccessMask=0x1 | ProcessId=0x64
        4660 08:00:31.1 $ADMIN | ObjectServer=Security | HandleId=0x1
        4664 08:00:40.1 $ADMIN | FileName=C:\Practice\Exports\a.csv | LinkName=C:\Temp\a.csv
        4670 08:00:41.1 $ADMIN | ObjectType=File | ObjectName=C:\Practice\Exports | OldSd=D: | NewSd=D:(A;;FA;;;WD)
        ",
        expect![[r#"
            08:00:00.2Z file_access success | PRACTICE\itadmin ses 9a (kernel) | read C:\Practice\Exports\a.csv [export] direct | C:\x.exe | x2
            08:00:00.4Z file_access success | PRACTICE\itadmin ses 9a (kernel) | write C:\Practice\Exports\a.csv [export] direct | C:\x.exe
            08:00:00.5Z file_access success | PRACTICE\itadmin ses 9a (kernel) | delete C:\Practice\Exports\a.csv [export] direct | C:\x.exe
            08:00:00.6Z file_access success | PRACTICE\itadmin ses 9a (kernel) | attributes C:\Practice\Exports\b.csv [export] direct | C:\x.exe
            08:00:30.1Z file_access success | PRACTICE\itadmin ses 9a (kernel) | read C:\Practice\Exports\a.csv [export] direct | C:\x.exe
            08:00:40.1Z file_access success | PRACTICE\itadmin ses 9a (kernel) | link C:\Practice\Exports\a.csv -> C:\Temp\a.csv [export] direct
            08:00:41.1Z file_access success | PRACTICE\itadmin ses 9a (kernel) | attributes C:\Practice\Exports [export] direct
            14 records, 7 events; dropped by rule: 1 id_not_needed, 1 not_a_file, 1 not_watched, 1 attributes_only, 2 asked_and_granted; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn refused_accesses_say_what_was_asked_for() {
    check(
        r"
        4656! 08:00:00.1 $ADMIN | ObjectType=File | ObjectName=C:\Users\anna\Documents\Outlook Files\anna.pst | AccessMask=0x120089 | ProcessId=0x64 | ProcessName=C:\x.exe
        4656! 08:00:10.1 $ADMIN | ObjectType=File | ObjectName=C:\Users\anna\Documents\Outlook Files\anna.pst | AccessMask=0x13019f | ProcessId=0x64 | ProcessName=C:\x.exe
        4656! 08:00:20.1 $ADMIN | ObjectType=File | ObjectName=C:\Users\anna\Documents\Outlook Files\anna.pst | AccessMask=0x2000000 | ProcessId=0x64 | ProcessName=C:\x.exe
        4656! 08:00:30.1 $ADMIN | ObjectType=File | ObjectName=C:\Users\anna\Documents\Outlook Files\anna.pst | AccessMask=0x100080 | ProcessId=0x64 | ProcessName=C:\x.exe
        5145! 08:00:40.1 $ADMIN | ObjectType=File | IpAddress=192.0.2.7 | ShareName=\\*\Patients | RelativeTargetName=x.csv | AccessMask=0x120089
        ",
        expect![[r#"
            08:00:00.1Z file_access denied | PRACTICE\itadmin ses 9a (kernel) | read C:\Users\anna\Documents\Outlook Files\anna.pst [mailbox] of anna direct | C:\x.exe
            08:00:10.1Z file_access denied | PRACTICE\itadmin ses 9a (kernel) | write C:\Users\anna\Documents\Outlook Files\anna.pst [mailbox] of anna direct | C:\x.exe
            08:00:20.1Z file_access denied | PRACTICE\itadmin ses 9a (kernel) | open_denied C:\Users\anna\Documents\Outlook Files\anna.pst [mailbox] of anna direct | C:\x.exe
            08:00:40.1Z file_access denied | PRACTICE\itadmin ses 9a from 192.0.2.7 (kernel) | read \\*\Patients\x.csv [ehr] share
            5 records, 4 events; dropped by rule: 1 attributes_only; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn shares_shadow_copies_and_whole_disks_are_ways_to_the_same_files() {
    check(
        r"
        5145 08:00:00.1 $ADMIN | ObjectType=File | IpAddress=192.0.2.7 | ShareName=\\*\C$ | ShareLocalPath=\??\C:\ | RelativeTargetName=Users\anna\Documents\Outlook Files\anna.pst | AccessMask=0x120089
        5145 08:00:10.1 $ADMIN | ObjectType=File | IpAddress=192.0.2.7 | ShareName=\\*\Exports | ShareLocalPath=\??\C:\Practice\Exports | RelativeTargetName=\ | AccessMask=0x100081
        5145 08:00:20.1 $ADMIN | ObjectType=File | IpAddress=192.0.2.7 | ShareName=\\*\Patients | RelativeTargetName=a\b.pdf | AccessMask=0x1
        5145 08:00:30.1 $ADMIN | ObjectType=File | IpAddress=192.0.2.7 | ShareName=\\*\Exports | ShareLocalPath=\??\C:\Practice\Exports | RelativeTargetName=@GMT-2026.11.01-05.00.00\a.csv | AccessMask=0x1
        4663 08:00:40.1 $ADMIN | ObjectType=File | ObjectName=\Device\HarddiskVolumeShadowCopy3\Practice\Exports\a.csv | AccessMask=0x1 | ProcessId=0x64 | ProcessName=C:\x.exe
        4663 08:00:50.1 $ADMIN | ObjectType=File | ObjectName=\Device\Harddisk0\DR0 | AccessMask=0x1 | ProcessId=0x64 | ProcessName=C:\x.exe
        5145 08:01:00.1 $ADMIN | ObjectType=File | IpAddress=192.0.2.7 | ShareName=\\*\IPC$ | RelativeTargetName=srvsvc | AccessMask=0x3
        ",
        expect![[r#"
            08:00:00.1Z file_access success | PRACTICE\itadmin ses 9a from 192.0.2.7 (kernel) | read C:\Users\anna\Documents\Outlook Files\anna.pst [mailbox] of anna share
            08:00:10.1Z file_access success | PRACTICE\itadmin ses 9a from 192.0.2.7 (kernel) | list C:\Practice\Exports [export] share
            08:00:20.1Z file_access success | PRACTICE\itadmin ses 9a from 192.0.2.7 (kernel) | read \\*\Patients\a\b.pdf [ehr] share
            08:00:30.1Z file_access success | PRACTICE\itadmin ses 9a from 192.0.2.7 (kernel) | read C:\Practice\Exports\a.csv [export] shadow_copy
            08:00:40.1Z file_access success | PRACTICE\itadmin ses 9a (kernel) | read \Device\HarddiskVolumeShadowCopy3\Practice\Exports\a.csv [export] shadow_copy | C:\x.exe
            08:00:50.1Z file_access success | PRACTICE\itadmin ses 9a (kernel) | read \Device\Harddisk0\DR0 raw_disk holds export mailbox:anna self | C:\x.exe
            7 records, 6 events; dropped by rule: 1 not_watched; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn what_the_system_does_is_nobodys_and_names_who_was_there() {
    check(
        r"
        4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1105 | TargetUserName=itadmin | TargetDomainName=PRACTICE | TargetLogonId=0x9a | LogonType=2
        4663 08:01:00.1 $SYSTEM | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x1 | ProcessId=0x64 | ProcessName=C:\backup.exe
        4608 08:02:00.1
        4663 08:03:00.1 $SYSTEM | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x1 | ProcessId=0x64 | ProcessName=C:\backup.exe
        ",
        expect![[r#"
            08:00:00.1Z login success | PRACTICE\itadmin ses 9a from console (kernel)
            08:01:00.1Z file_access success | - as PRACTICE\SRV01$ (unattributed) no_login or PRACTICE\itadmin | read C:\Practice\Exports\a.csv [export] direct | C:\backup.exe
            08:03:00.1Z file_access success | - as PRACTICE\SRV01$ (unattributed) no_login | read C:\Practice\Exports\a.csv [export] direct | C:\backup.exe
            4 records, 3 events; dropped by rule: 1 id_not_needed; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn privileged_starts_are_told_with_parents_and_without_secrets() {
    check(
        r"
        4688 08:00:00.1 $ADMIN | NewProcessId=0x10 | NewProcessName=C:\Windows\explorer.exe | ProcessId=0x1 | TokenElevationType=%%1938 | MandatoryLabel=S-1-16-8192
        4688 08:00:01.1 $ADMIN | NewProcessId=0x20 | NewProcessName=C:\Windows\System32\cmd.exe | ProcessId=0x10 | CommandLine=cmd.exe | TokenElevationType=%%1937 | ParentProcessName=C:\Windows\explorer.exe | MandatoryLabel=S-1-16-12288
        4688 08:00:01.2 $ADMIN | NewProcessId=0x24 | NewProcessName=C:\Windows\System32\conhost.exe | ProcessId=0x20 | TokenElevationType=%%1937 | MandatoryLabel=S-1-16-12288
        4688 08:00:02.1 $ADMIN | NewProcessId=0x30 | NewProcessName=C:\Windows\System32\net.exe | ProcessId=0x20 | CommandLine=net user sam hunter2 /add | TokenElevationType=%%1937
        4688 08:00:03.1 $SYSTEM | NewProcessId=0x40 | NewProcessName=C:\Windows\System32\svchost.exe | ProcessId=0x2 | TokenElevationType=%%1936
        4689 08:00:04.1 $ADMIN | ProcessId=0x30 | ProcessName=C:\Windows\System32\net.exe | Status=0x0
        ",
        expect![[r#"
            08:00:01.1Z process_start success | PRACTICE\itadmin ses 9a (kernel) | C:\Windows\System32\cmd.exe `cmd.exe` < C:\Windows\explorer.exe
            08:00:02.1Z process_start success | PRACTICE\itadmin ses 9a (kernel) | C:\Windows\System32\net.exe `net user sam *** /add` < C:\Windows\System32\cmd.exe < C:\Windows\explorer.exe
            6 records, 2 events; dropped by rule: 3 ordinary_start, 1 end_of_process; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn a_remote_support_tool_marks_what_lies_below_it_and_a_shell_begins_control() {
    check(
        r#"
        4688 08:00:00.1 $SYSTEM | NewProcessId=0x10 | NewProcessName=C:\Program Files (x86)\ScreenConnect Client (0a1b)\ScreenConnect.ClientService.exe | ProcessId=0x1 | TokenElevationType=%%1936
        4688 08:00:01.1 $SYSTEM | NewProcessId=0x20 | NewProcessName=C:\Windows\System32\cmd.exe | ProcessId=0x10 | CommandLine=cmd.exe | TokenElevationType=%%1936
        4663 08:00:02.1 $SYSTEM | ObjectType=File | ObjectName=C:\Practice\Exports\a.csv | AccessMask=0x1 | ProcessId=0x20 | ProcessName=C:\Windows\System32\cmd.exe
        4689 08:10:00.1 $SYSTEM | ProcessId=0x20 | ProcessName=C:\Windows\System32\cmd.exe
        7045 08:11:00.1 ServiceName=AnyDesk | ImagePath="C:\Program Files\AnyDesk\AnyDesk.exe" --service | ServiceType=user mode service | StartType=auto start | AccountName=LocalSystem
        "#,
        expect![[r#"
            08:00:01.1Z process_start success | - as PRACTICE\SRV01$ through ScreenConnect (unattributed) no_login | C:\Windows\System32\cmd.exe `cmd.exe` < C:\Program Files (x86)\ScreenConnect Client (0a1b)\ScreenConnect.ClientService.exe
            08:00:01.1Z remote_control success | - through ScreenConnect (unattributed) no_login | C:\Windows\System32\cmd.exe < C:\Program Files (x86)\ScreenConnect Client (0a1b)\ScreenConnect.ClientService.exe
            08:00:02.1Z file_access success | - as PRACTICE\SRV01$ through ScreenConnect (unattributed) no_login | read C:\Practice\Exports\a.csv [export] direct | C:\Windows\System32\cmd.exe < C:\Program Files (x86)\ScreenConnect Client (0a1b)\ScreenConnect.ClientService.exe
            08:00:01.1Z remote_control success | - through ScreenConnect (unattributed) no_login | C:\Windows\System32\cmd.exe < C:\Program Files (x86)\ScreenConnect Client (0a1b)\ScreenConnect.ClientService.exe
            08:11:00.1Z tamper success | - (unattributed) | - `"C:\Program Files\AnyDesk\AnyDesk.exe" --service` | service_installed: service AnyDesk, of the remote-support tool AnyDesk
            5 records, 5 events; dropped by rule: 1 ordinary_start; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn the_means_of_recording_are_touched() {
    check(
        r"
        1102 08:00:00.1 $ADMIN
        104 08:00:01.1 SubjectUserName=itadmin | SubjectDomainName=PRACTICE | Channel=Application | BackupPath=C:\patients.evtx
        4719 08:00:02.1 $ADMIN | SubcategoryGuid={0cce921d-69ae-11d9-bed3-505054503030} | AuditPolicyChanges=%%8448, %%8450
        4719 08:00:03.1 $ADMIN | SubcategoryGuid={0cce9240-69ae-11d9-bed3-505054503030} | AuditPolicyChanges=%%8449
        4907 08:00:04.1 $ADMIN | ObjectType=File | ObjectName=C:\Practice\Exports | OldSd=S:(AU;SAFA;FA;;;WD) | NewSd=S:ARAI | ProcessId=0x64 | ProcessName=C:\Windows\System32\icacls.exe
        4907 08:00:05.1 $ADMIN | ObjectType=File | ObjectName=C:\ProgramData\Need-to-Know\spool | OldSd=S: | NewSd=S:(AU;SAFA;FA;;;WD)
        4907 08:00:06.1 $SYSTEM | ObjectType=File | ObjectName=C:\Windows\winsxs\x | OldSd=S: | NewSd=S:ARAI
        4616 08:00:07.1 $ADMIN | PreviousTime=2026-11-20T08:00:07.1Z | NewTime=2026-11-19T08:00:07.1Z | ProcessId=0x64 | ProcessName=C:\Windows\System32\powershell.exe
        4616 08:00:08.1 SubjectUserSid=S-1-5-19 | SubjectUserName=LOCAL SERVICE | SubjectDomainName=NT AUTHORITY | SubjectLogonId=0x3e5 | PreviousTime=2026-11-20T08:00:08.1Z | NewTime=2026-11-20T08:00:08.9Z
        7036 08:00:09.1 param1=Need-to-Know | param2=angehalten | Binary=6e0074006b002d006100670065006e0074002f0031000000
        7036 08:00:10.1 param1=Druckwarteschlange | param2=angehalten | Binary=530070006f006f006c00650072002f0031000000
        4697 08:00:11.1 $ADMIN | ServiceName=PSEXESVC | ServiceFileName=%SystemRoot%\PSEXESVC.exe
        1100 08:00:12.1
        4612 08:00:13.1 AuditsDiscarded=17
        ",
        expect![[r#"
            08:00:00.1Z tamper success | PRACTICE\itadmin ses 9a (kernel) | log_cleared: log Security
            08:00:01.1Z tamper success | PRACTICE\itadmin (kernel) | log_cleared: log Application
            08:00:02.1Z tamper success | PRACTICE\itadmin ses 9a (kernel) | audit_policy_changed: File System: success removed, failure removed
            08:00:03.1Z tamper success | PRACTICE\itadmin ses 9a (kernel) | audit_policy_changed: subcategory 0cce9240-69ae-11d9-bed3-505054503030: success added
            08:00:04.1Z tamper success | PRACTICE\itadmin ses 9a (kernel) C:\Practice\Exports [export] direct | C:\Windows\System32\icacls.exe | sacl_changed: of what is watched: no entry for auditing is left
            08:00:05.1Z tamper success | PRACTICE\itadmin ses 9a (kernel) C:\ProgramData\Need-to-Know\spool [self] direct | sacl_changed: of the program's own files: entries for auditing were replaced
            08:00:07.1Z tamper success | PRACTICE\itadmin ses 9a (kernel) | C:\Windows\System32\powershell.exe | clock_changed: by -86400 s
            08:00:09.1Z tamper success | - (unattributed) | agent_killed: service ntk-agent stopped
            08:00:11.1Z tamper success | PRACTICE\itadmin ses 9a (kernel) | - `%SystemRoot%\PSEXESVC.exe` | service_installed: service PSEXESVC
            08:00:12.1Z gap - | event_log_stopped lost - from 2026-11-20T08:00:12.1Z to -
            08:00:13.1Z gap - | queue_overflow lost 17 from 2026-11-20T08:00:13.1Z to -
            14 records, 11 events; dropped by rule: 1 not_watched, 1 clock_kept, 1 ordinary_service; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn accounts_and_groups_are_told_by_identifier_in_any_language() {
    check(
        r"
        4720 08:00:00.1 $ADMIN | TargetUserName=sam | TargetDomainName=PRACTICE | TargetSid=S-1-5-21-1-2-3-1200 | SamAccountName=sam
        4732 08:00:01.1 $ADMIN | MemberName=- | MemberSid=S-1-5-21-1-2-3-1200 | TargetUserName=Administratoren | TargetDomainName=Builtin | TargetSid=S-1-5-32-544
        4728 08:00:02.1 $ADMIN | MemberName=CN=Sam,OU=x,DC=y | MemberSid=S-1-5-21-1-2-3-1200 | TargetUserName=Domänen-Admins | TargetDomainName=PRACTICE | TargetSid=S-1-5-21-1-2-3-512
        4733 08:00:03.1 $ADMIN | MemberName=- | MemberSid=S-1-5-21-1-2-3-1200 | TargetUserName=Sicherungs-Operatoren | TargetDomainName=Builtin | TargetSid=S-1-5-32-551
        4724 08:00:04.1 $ADMIN | TargetUserName=anna | TargetDomainName=PRACTICE | TargetSid=S-1-5-21-1-2-3-1001
        4726 08:00:05.1 $ADMIN | TargetUserName=sam | TargetDomainName=PRACTICE | TargetSid=S-1-5-21-1-2-3-1200
        4724! 08:00:06.1 $ADMIN | TargetUserName=anna | TargetDomainName=PRACTICE | TargetSid=S-1-5-21-1-2-3-1001
        ",
        expect![[r#"
            08:00:00.1Z account_change success | PRACTICE\itadmin ses 9a (kernel) | create [system] of PRACTICE\sam (S-1-5-21-1-2-3-1200)
            08:00:01.1Z account_change success | PRACTICE\itadmin ses 9a (kernel) | attributes [system] of S-1-5-21-1-2-3-1200 | now Administrators (S-1-5-32-544)
            08:00:02.1Z account_change success | PRACTICE\itadmin ses 9a (kernel) | attributes [system] of Sam (S-1-5-21-1-2-3-1200) | now Domain Admins (S-1-5-21-1-2-3-512)
            08:00:03.1Z account_change success | PRACTICE\itadmin ses 9a (kernel) | attributes [system] of S-1-5-21-1-2-3-1200 | no longer Backup Operators (S-1-5-32-551)
            08:00:04.1Z account_change success | PRACTICE\itadmin ses 9a (kernel) | attributes [system] of PRACTICE\anna (S-1-5-21-1-2-3-1001)
            08:00:05.1Z account_change success | PRACTICE\itadmin ses 9a (kernel) | delete [system] of PRACTICE\sam (S-1-5-21-1-2-3-1200)
            08:00:06.1Z account_change failed | PRACTICE\itadmin ses 9a (kernel) | attributes [system] of PRACTICE\anna (S-1-5-21-1-2-3-1001)
            7 records, 7 events; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn what_the_agent_itself_does_is_not_told() {
    let mut room = Room::new(watches(), Numbers::Whole);
    room.set_own(0x64);
    let access = |pid: &str| {
        format!(
            r"4663 08:00:00.1 $SYSTEM | ObjectType=File | ObjectName=C:\Practice\Exports\a | AccessMask=0x1 | ProcessId={pid}"
        )
    };
    room.feed(&record(1, &access("0x64")));
    room.feed(&record(2, &access("0x65")));
    assert_eq!((room.finish().len(), room.tally().noise.get(&Noise::Own)), (1, Some(&1)));
    room.set_watches(Watches::default());
    room.feed(&record(3, &access("0x65")));
    assert_eq!(room.finish(), []);
}

#[test]
fn jobs_of_one_account_that_begin_together_are_sessions_of_their_own() {
    check(
        r"
        4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1200 | TargetUserName=backup | TargetLogonId=0x1a | LogonType=4
        4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1200 | TargetUserName=backup | TargetLogonId=0x1b | LogonType=4
        4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1200 | TargetUserName=backup | TargetLogonId=0x1c | LogonType=10 | TargetLinkedLogonId=0x0 | IpAddress=192.0.2.7
        4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1200 | TargetUserName=backup | TargetLogonId=0x1d | LogonType=10 | TargetLinkedLogonId=0x0 | IpAddress=192.0.2.8
        ",
        expect![[r#"
            08:00:00.1Z login success | backup ses 1a from batch (kernel)
            08:00:00.1Z login success | backup ses 1b from batch (kernel)
            08:00:00.1Z login success | backup ses 1c from 192.0.2.7 (kernel)
            08:00:00.1Z login success | backup ses 1d from 192.0.2.8 (kernel)
            4 records, 4 events; 0 of 0 privileged sessions joined to their login
        "#]],
    );
}

#[test]
fn machines_of_one_recording_are_told_apart() {
    let mut room = Room::new(watches(), Numbers::Excerpt);
    let login = |user: &str| {
        format!(
            "4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-1{user} | TargetUserName=u{user} | TargetLogonId=0x9a | LogonType=2"
        )
    };
    let access = "4663 08:01:00.1 SubjectLogonId=0x9a | ObjectType=File | ObjectName=C:\\Practice\\Exports\\a | AccessMask=0x1";
    let mut events = Vec::new();
    for (n, (line, computer)) in
        [(login("1"), "A"), (login("2"), "B"), (access.to_owned(), "A"), (access.to_owned(), "B")]
            .iter()
            .enumerate()
    {
        let mut record = record(n + 1, line);
        record.computer = (*computer).to_owned();
        events.extend(room.feed(&record));
    }
    events.extend(room.finish());
    let users: Vec<_> = events
        .iter()
        .filter(|event| event.kind == Kind::FileAccess)
        .map(|event| event.actor.as_ref().and_then(|actor| actor.login_user.clone()))
        .collect();
    assert_eq!(users, [Some("u1".to_owned()), Some("u2".to_owned())]);
}
