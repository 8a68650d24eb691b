//! Records in, events out: what is told of processes and remote-support tools, and what is not.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::{Expect, expect};
use ntk_evidence::event::{Candidate, Event, Kind};

use crate::attribute::NoNames;
use crate::classify::{Classifier, ForeignKeys, NoFolders};
use crate::origin::{Connection, NoProcesses, Origin, Presence, Processes, Running};
use crate::sensor::Pipeline;
use crate::watch_list::WatchList;

/// One exec as the kernel writes it: second, process, parent, login uid, session, effective uid, program, words.
struct Exec(u64, u32, u32, i64, i64, u32, &'static str, &'static [&'static str]);

impl Exec {
    fn lines(&self) -> String {
        let Self(second, pid, parent, auid, ses, euid, exe, words) = self;
        let unset = |number: i64| if number < 0 { u64::from(u32::MAX) } else { number.unsigned_abs() };
        let stamp = format!("audit({}.000:{})", 1_795_350_000 + second, 1000 + second);
        let mut text = format!(
            "type=SYSCALL msg={stamp}: arch=c000003e syscall=59 success=yes exit=0 items=0 ppid={parent} pid={pid} auid={} \
             uid={euid} euid={euid} tty=pts0 ses={} comm=\"x\" exe=\"{exe}\" key=\"ntk-start\"\n\
             type=EXECVE msg={stamp}: argc={}",
            unset(*auid),
            unset(*ses),
            words.len()
        );
        for (n, word) in words.iter().enumerate() {
            write!(text, " a{n}=\"{word}\"").unwrap();
        }
        writeln!(text, "\ntype=PROCTITLE msg={stamp}: proctitle=\"x\"").unwrap();
        text
    }
}

/// A message of a login program.
fn message(second: u64, kind: &str, pid: u32, auid: u32, ses: u32, claims: &str) -> String {
    let stamp = format!("audit({}.000:{})", 1_795_350_000 + second, 1000 + second);
    format!("type={kind} msg={stamp}: pid={pid} uid=0 auid={auid} ses={ses} msg='{claims} res=success'\n")
}

fn line(event: &Event) -> String {
    let actor = event.actor.clone().unwrap_or_default();
    let process = event.process.clone().unwrap_or_default();
    let word = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let second = event.time.get(17..19).unwrap_or_default();
    let ends = event.last.as_deref().and_then(|last| last.get(17..19)).map(|last| format!("..{last}"));
    let mut text = format!("{second}{} {}", ends.unwrap_or_default(), event.kind);
    write!(text, " {} as {}", word(actor.login_user), word(actor.effective_user)).unwrap();
    actor.from.into_iter().for_each(|from| write!(text, " from {from}").unwrap());
    actor.tool.into_iter().for_each(|tool| write!(text, " through {tool}").unwrap());
    write!(text, " | {} `{}`", word(process.exe), word(process.command)).unwrap();
    write!(text, " < {}", word(process.parent)).unwrap();
    process.ancestors.iter().for_each(|above| write!(text, " < {above}").unwrap());
    event.count.into_iter().for_each(|count| write!(text, " x{count}").unwrap());
    let name = |one: Candidate| one.login_user.or_else(|| one.login_uid.map(|uid| uid.to_string()));
    let open: Vec<String> = actor.candidates.into_iter().filter_map(name).collect();
    if !open.is_empty() {
        write!(text, " | open: {}", open.join(", ")).unwrap();
    }
    text + "\n"
}

fn pipeline() -> Pipeline {
    Pipeline::recorded(WatchList::default(), ForeignKeys::Ignored)
}

fn feed(pipeline: &mut Pipeline, text: &str) -> String {
    text.lines().flat_map(|text| pipeline.line(text.as_bytes())).map(|event| line(&event)).collect()
}

#[track_caller]
fn check(records: &[String], expected: Expect) {
    let mut pipeline = pipeline();
    let mut shown = feed(&mut pipeline, &records.concat());
    shown.extend(pipeline.finish().iter().map(line));
    expected.assert_eq(&shown);
}

#[test]
fn what_a_privileged_session_starts_is_told_with_its_parents_and_ordinary_work_is_not() {
    let records = [
        Exec(1, 10, 9, 1001, 4, 1001, "/usr/bin/bash", &["-bash"]),
        Exec(2, 11, 10, 1001, 4, 1001, "/usr/bin/ls", &["ls"]),
        Exec(3, 12, 10, 1001, 4, 0, "/usr/bin/sudo", &["sudo", "cat", "/etc/shadow"]),
        Exec(4, 13, 12, 1001, 4, 0, "/usr/bin/cat", &["cat", "/etc/shadow"]),
        Exec(5, 14, 12, 1001, 4, 1002, "/usr/bin/mysqldump", &["mysqldump", "-phunter2", "ehr"]),
        Exec(6, 15, 1, -1, -1, 0, "/usr/sbin/nginx", &["nginx"]),
        Exec(7, 16, 15, -1, -1, 0, "/usr/bin/sh", &["sh", "-c", "date"]),
    ];
    check(
        &records.map(|exec| exec.lines()),
        expect![[r#"
            03 process_start - as root | /usr/bin/sudo `sudo cat /etc/shadow` < /usr/bin/bash
            04 process_start - as root | /usr/bin/cat `cat /etc/shadow` < /usr/bin/sudo < /usr/bin/bash
            05 process_start - as 1002 | /usr/bin/mysqldump `mysqldump -p*** ehr` < /usr/bin/sudo < /usr/bin/bash
        "#]],
    );
}

#[test]
fn a_tools_shell_begins_an_interval_and_everything_below_names_the_tool() {
    let records = [
        Exec(1, 10, 1, -1, -1, 0, "/usr/bin/rustdesk", &["rustdesk", "--service"]),
        Exec(2, 11, 10, -1, -1, 0, "/usr/bin/ps", &["ps", "-e"]),
        Exec(3, 12, 10, -1, -1, 0, "/usr/bin/bash", &["bash"]),
        Exec(4, 13, 12, -1, -1, 0, "/usr/bin/cat", &["cat", "/srv/mail/x"]),
        Exec(5, 14, 13, 1001, 4, 1001, "/usr/bin/id", &["id"]),
    ];
    let mut pipeline = pipeline();
    let mut shown = feed(&mut pipeline, &records.map(|exec| exec.lines()).concat());
    assert_eq!(pipeline.origin().followed(), [12]);
    let mut presence = Presence::default();
    let at = |second: u64| Duration::from_secs(1_795_350_000 + second);
    presence.living.insert(12);
    shown.extend(pipeline.look(&presence, None, at(8)).iter().map(line));
    presence.living.clear();
    shown.extend(pipeline.look(&presence, None, at(9)).iter().map(line));
    expect![[r#"
        01 process_start - as root through RustDesk | /usr/bin/rustdesk `rustdesk --service` < -
        02 process_start - as root through RustDesk | /usr/bin/ps `ps -e` < /usr/bin/rustdesk
        03 remote_control - as - through RustDesk | /usr/bin/bash `-` < /usr/bin/rustdesk
        03 process_start - as root through RustDesk | /usr/bin/bash `bash` < /usr/bin/rustdesk
        04 process_start - as root through RustDesk | /usr/bin/cat `cat /srv/mail/x` < /usr/bin/bash < /usr/bin/rustdesk
        05 process_start - as - through RustDesk | /usr/bin/id `id` < /usr/bin/cat < /usr/bin/bash < /usr/bin/rustdesk
        03..09 remote_control - as - through RustDesk | /usr/bin/bash `-` < /usr/bin/rustdesk
    "#]].assert_eq(&shown);
}

#[test]
fn a_program_that_runs_only_while_somebody_is_connected_begins_an_interval_of_its_session() {
    let records = [
        Exec(1, 10, 1, -1, -1, 0, "/usr/bin/rustdesk", &["rustdesk", "--service"]),
        Exec(2, 11, 10, 1001, 4, 1001, "/usr/bin/rustdesk", &["rustdesk", "--server"]),
        Exec(3, 12, 11, 1001, 4, 1001, "/usr/bin/rustdesk", &["rustdesk", "--cm"]),
        Exec(4, 20, 19, 1001, 4, 1001, "/usr/bin/less", &["less"]),
        Exec(5, 30, 29, 1002, 5, 1002, "/usr/bin/less", &["less"]),
    ];
    check(
        &records.map(|exec| exec.lines()),
        expect![[r#"
        01 process_start - as root through RustDesk | /usr/bin/rustdesk `rustdesk --service` < -
        02 process_start - as - through RustDesk | /usr/bin/rustdesk `rustdesk --server` < /usr/bin/rustdesk
        03 remote_control - as - through RustDesk | /usr/bin/rustdesk `-` < /usr/bin/rustdesk < /usr/bin/rustdesk
        03 process_start - as - through RustDesk | /usr/bin/rustdesk `rustdesk --cm` < /usr/bin/rustdesk < /usr/bin/rustdesk
        04 process_start - as - through RustDesk | /usr/bin/less `less` < -
    "#]],
    );
}

#[test]
fn a_session_that_a_tool_opened_is_remote_control_from_login_to_logout() {
    let claims = r#"op=PAM:session_open acct="anna" exe="/usr/lib/cockpit/cockpit-session" hostname=? addr=192.0.2.7 terminal=?"#;
    let records = [
        "type=LOGIN msg=audit(1795350001.000:1): pid=50 uid=0 old-auid=4294967295 auid=1001 tty=(none) old-ses=4294967295 ses=9 res=1\n".to_owned(),
        message(2, "USER_START", 50, 1001, 9, claims),
        Exec(3, 51, 50, 1001, 9, 0, "/usr/bin/less", &["less"]).lines(),
        message(4, "USER_END", 50, 1001, 9, &claims.replace("open", "close")),
        Exec(5, 60, 59, 1001, 8, 0, "/usr/bin/less", &["less"]).lines(),
    ];
    check(
        &records,
        expect![[r#"
        02 login anna as - from 192.0.2.7 through Cockpit | /usr/lib/cockpit/cockpit-session `-` < -
        02 remote_control anna as - from 192.0.2.7 through Cockpit | /usr/lib/cockpit/cockpit-session `-` < -
        03 process_start anna as root from 192.0.2.7 through Cockpit | /usr/bin/less `less` < -
        04 logout anna as - from 192.0.2.7 through Cockpit | /usr/lib/cockpit/cockpit-session `-` < -
        02..04 remote_control anna as - from 192.0.2.7 through Cockpit | /usr/lib/cockpit/cockpit-session `-` < -
        05 process_start anna as root | /usr/bin/less `less` < -
    "#]],
    );
}

#[test]
fn desktops_consoles_timers_and_services_are_told_by_their_door() {
    let mut records = Vec::new();
    let doors = [
        ("/usr/libexec/gdm-session-worker", "/dev/tty2"),
        ("/usr/sbin/lightdm", ":0"),
        ("/usr/libexec/sddm-helper", ":0"),
        ("/usr/bin/login", "/dev/tty1"),
        ("/usr/sbin/cron", "cron"),
        ("/usr/sbin/atd", "?"),
        ("/usr/lib/systemd/systemd", "?"),
    ];
    for (n, (exe, terminal)) in (1_u32..).zip(doors) {
        let claims =
            format!(r#"op=PAM:session_open acct="anna" exe="{exe}" hostname=? addr=? terminal={terminal}"#);
        records.push(message(n.into(), "USER_START", 40 + n, 1001, n, &claims));
    }
    let refused = |second: u64, kind: &str, exe: &str| {
        let claims =
            format!(r#"op=PAM:authentication acct="anna" exe="{exe}" hostname=? addr=? terminal=:0"#);
        message(second, kind, 90, u32::MAX, u32::MAX, &claims).replace("res=success", "res=failed")
    };
    records.push(refused(20, "USER_AUTH", "/usr/libexec/gdm-session-worker"));
    check(
        &records,
        expect![[r#"
        01 login anna as - from /dev/tty2 | /usr/libexec/gdm-session-worker `-` < -
        02 login anna as - from :0 | /usr/sbin/lightdm `-` < -
        03 login anna as - from :0 | /usr/libexec/sddm-helper `-` < -
        04 login anna as - from /dev/tty1 | /usr/bin/login `-` < -
        05 login anna as - from cron | /usr/sbin/cron `-` < -
        06 login anna as - from atd | /usr/sbin/atd `-` < -
        07 login anna as - from systemd-user | /usr/lib/systemd/systemd `-` < -
        20 login - as - from :0 | /usr/libexec/gdm-session-worker `-` < -
    "#]],
    );
}

#[test]
fn root_without_a_login_names_who_was_in_and_only_then() {
    let open = |second, session, user: &str| {
        let claims = format!(
            r#"op=PAM:session_open acct="{user}" exe="/usr/sbin/sshd" hostname=? addr=192.0.2.7 terminal=ssh"#
        );
        message(second, "USER_START", 40 + session, 1000 + session, session, &claims)
    };
    let change = |second: u64| {
        let stamp = format!("audit({}.000:{})", 1_795_350_000 + second, 1000 + second);
        format!(
            "type=CONFIG_CHANGE msg={stamp}: auid=4294967295 uid=0 ses=4294967295 op=remove_rule key=\"x\" list=4 res=1\n\
             type=PROCTITLE msg={stamp}: proctitle=\"x\"\n"
        )
    };
    let close = open(5, 1, "anna").replace("USER_START", "USER_END");
    let mut pipeline = pipeline();
    let records = [change(1), open(2, 1, "anna"), open(3, 2, "boris"), change(4), close, change(6)];
    let mut shown = feed(&mut pipeline, &records.concat());
    // A session that began before the agent, and one that ended without a word.
    let look = |pipeline: &mut Pipeline, second: u64| -> String {
        let present = [crate::attribute::Present { number: 7, login_uid: 1007 }];
        let at = Duration::from_secs(1_795_350_000 + second);
        pipeline.look(&Presence::default(), Some(&present), at).iter().map(line).collect()
    };
    shown.push_str(&look(&mut pipeline, 10));
    shown.push_str(&look(&mut pipeline, 40));
    let connection = Connection {
        tool: "AnyDesk".to_owned(),
        pid: 5,
        exe: "/usr/bin/anydesk".to_owned(),
        from: Some(("203.0.113.9".to_owned(), 4)),
        session: None,
        login_user: None,
    };
    let presence = Presence { connections: vec![connection], ..Presence::default() };
    for second in [41, 43] {
        let at = Duration::from_secs(1_795_350_000 + second);
        shown.extend(pipeline.look(&presence, None, at).iter().map(line));
    }
    expect![[r#"
        01 tamper - as root | - `-` < -
        02 login anna as - from 192.0.2.7 | /usr/sbin/sshd `-` < -
        03 login boris as - from 192.0.2.7 | /usr/sbin/sshd `-` < -
        04 tamper - as root | - `-` < - | open: boris, anna
        05 logout anna as - from 192.0.2.7 | /usr/sbin/sshd `-` < -
        06 tamper - as root | - `-` < - | open: boris
        40 logout boris as - from 192.0.2.7 | - `-` < -
        41 remote_control - as - from 203.0.113.9 through AnyDesk | /usr/bin/anydesk `-` < - | open: 1007
    "#]]
    .assert_eq(&shown);
}

/// A machine on which process 5 runs in a unit.
struct InUnit(&'static str);

impl Processes for InUnit {
    fn process(&self, _pid: u32) -> Option<Running> {
        None
    }

    fn unit(&self, _pid: u32) -> Option<String> {
        Some(self.0.to_owned())
    }

    fn is_live(&self) -> bool {
        true
    }
}

#[test]
fn what_systemd_started_names_its_unit_and_only_housekeeping_lists_nobody() {
    let claims =
        r#"op=PAM:session_open acct="anna" exe="/usr/sbin/sshd" hostname=? addr=192.0.2.7 terminal=ssh"#;
    let stamp = "audit(1795350009.000:1009)";
    let read = format!(
        "type=SYSCALL msg={stamp}: arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=0 a2=0 a3=0 items=1 ppid=1 pid=5 \
         auid=4294967295 uid=0 euid=0 ses=4294967295 comm=\"cat\" exe=\"/usr/bin/cat\"\n\
         type=CWD msg={stamp}: cwd=\"/\"\n\
         type=PATH msg={stamp}: item=0 name=\"/srv/mail/x\" inode=1 dev=fe:00 mode=0100644 nametype=NORMAL\n\
         type=PROCTITLE msg={stamp}: proctitle=\"cat\"\n"
    );
    let told = |unit: &'static str| {
        let watches = WatchList::new(vec!["/srv/mail=mailbox".parse().unwrap()]).unwrap();
        let classifier = Classifier::new(watches, ForeignKeys::Ignored, Box::new(NoFolders), None);
        let origin = Origin::new(Box::new(InUnit(unit)), None);
        let mut pipeline = Pipeline::new(classifier, Box::new(NoNames), origin);
        feed(&mut pipeline, &message(1, "USER_START", 40, 1001, 4, claims));
        let events: Vec<Event> = read.lines().flat_map(|text| pipeline.line(text.as_bytes())).collect();
        let event = &events[0];
        let unit = event.process.as_ref().unwrap().unit.clone().unwrap();
        (unit, event.actor.as_ref().unwrap().candidates.len())
    };
    assert_eq!(told("run-u7.service"), ("run-u7.service".to_owned(), 1), "systemd-run by somebody");
    assert_eq!(told("apt-daily.service"), ("apt-daily.service".to_owned(), 0));
}

#[test]
fn a_command_line_in_parts_and_in_hex_is_put_together_and_cut_at_its_bound() {
    let stamp = "audit(1795350001.000:1)";
    let call = format!(
        "type=SYSCALL msg={stamp}: arch=40000003 syscall=11 success=yes items=0 ppid=1 pid=2 auid=1001 uid=0 euid=0 ses=3 exe=\"/bin/echo\"\n"
    );
    let end = format!("type=PROCTITLE msg={stamp}: proctitle=\"x\"\n");
    let long = "61".repeat(3000);
    let words = format!(
        "type=EXECVE msg={stamp}: argc=3 a0=\"echo\" a1=C3A42062 a2_len=12000 a2[0]={long}\ntype=EXECVE msg={stamp}: a2[1]={long}\n"
    );
    let mut pipeline = pipeline();
    let events: Vec<Event> =
        [call, words, end].concat().lines().flat_map(|text| pipeline.line(text.as_bytes())).collect();
    let command = events[0].process.clone().unwrap().command.unwrap();
    assert!(command.starts_with("echo ä b aaaa") && command.ends_with("a…"), "{}", &command[..40]);
    assert_eq!(command.len(), 4096 + "…".len());
}

#[test]
fn an_access_bears_the_command_line_of_its_own_exec_and_not_the_title_of_the_program_before() {
    let stamp = |n: u32| format!("audit(179535000{n}.000:{n})");
    let call = |n: u32, syscall: u32| {
        format!(
            "type=SYSCALL msg={}: arch=c000003e syscall={syscall} success=yes exit=3 a0=1 a1=0 a2=0 a3=0 items=1 ppid=1 pid=5 auid=1001 \
             uid=1001 euid=1001 ses=4 comm=\"sh\" exe=\"/usr/bin/dash\"\n",
            stamp(n)
        )
    };
    // "sh first.sh": the kernel keeps it through the exec of the same program.
    let title = |n: u32| format!("type=PROCTITLE msg={}: proctitle=73680066697273742E7368\n", stamp(n));
    let words = format!("type=EXECVE msg={}: argc=2 a0=\"sh\" a1=\"second.sh\"\n", stamp(1));
    let path = format!(
        "type=CWD msg={0}: cwd=\"/\"\ntype=PATH msg={0}: item=0 name=\"/srv/mail/x\" inode=1 dev=fe:00 mode=0100644 nametype=NORMAL\n",
        stamp(2)
    );
    let opens = [call(2, 2), path, title(2)].concat();
    let told = |text: String| {
        let watches = WatchList::new(vec!["/srv/mail=mailbox".parse().unwrap()]).unwrap();
        let classifier = Classifier::new(watches, ForeignKeys::Ignored, Box::new(NoFolders), None);
        let mut pipeline =
            Pipeline::new(classifier, Box::new(NoNames), Origin::new(Box::new(NoProcesses), None));
        let events: Vec<Event> = text.lines().flat_map(|line| pipeline.line(line.as_bytes())).collect();
        let access = events.into_iter().find(|event| event.kind == Kind::FileAccess).unwrap();
        access.process.unwrap().command.unwrap()
    };
    assert_eq!(told([call(1, 59), words, title(1), opens.clone()].concat()), "sh second.sh");
    assert_eq!(told(opens), "sh first.sh", "no exec was seen: the title is all there is");
}
