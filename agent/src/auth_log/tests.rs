//! Sentences of login programs, the forms of their lines, and anything else that a log may hold.

use ntk_evidence::event::Event;
use ntk_evidence::time::Moment;
use proptest::prelude::*;

use super::*;

fn now() -> Moment {
    Moment::parse("2026-11-20T21:00:00Z").unwrap()
}

fn shown(event: &Event) -> String {
    let actor = event.actor.clone().unwrap_or_default();
    let word = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let process = event.process.clone().unwrap_or_default();
    format!(
        "{} {} {} as {} claims {} from {} key {} `{}` x{} ({})",
        event.kind,
        event.outcome.as_ref().unwrap(),
        word(actor.login_user),
        word(actor.effective_user),
        word(actor.claims),
        word(actor.from),
        word(actor.key),
        word(process.command),
        event.count.unwrap_or(1),
        actor.confidence.unwrap(),
    )
}

fn told(lines: &[&str]) -> Vec<String> {
    let mut teller = Teller::default();
    let mut out = Vec::new();
    for text in lines {
        let line = Line::parse(format!("Nov 20 20:59:58 ws-01 {text}").as_bytes(), Undated::Before(now()));
        out.extend(teller.line(&line.unwrap()).map(|event| shown(&event)));
    }
    out
}

#[track_caller]
fn check(lines: &[&str], expected: &[&str]) {
    assert_eq!(told(lines), expected);
}

const KEY: &str = "SHA256:5xyQ+PG1Z3CIiShclJ2iNya5TOdKDgE/HrOXr21IdOo";

#[test]
fn a_login_over_ssh_is_one_event_with_its_key_and_its_end() {
    check(
        &[
            &format!("sshd[7]: Accepted publickey for anna from 10.0.0.9 port 5022 ssh2: ED25519 {KEY}"),
            "sshd[7]: pam_unix(sshd:session): session opened for user anna(uid=1000) by (uid=0)",
            "systemd[9]: pam_unix(systemd-user:session): session opened for user anna(uid=1000) by (uid=0)",
            "sshd[7]: pam_unix(sshd:session): session closed for user anna",
        ],
        &[
            &format!("login success anna as - claims - from 10.0.0.9 key {KEY} `-` x1 (derived)"),
            &format!("logout success anna as - claims - from 10.0.0.9 key {KEY} `-` x1 (derived)"),
        ],
    );
}

#[test]
fn refused_logins_are_claims_and_counted() {
    check(
        &[
            "sshd[8]: Invalid user x from 10.0.0.9 port 1",
            "sshd[8]: Failed password for invalid user x from 10.0.0.9 port 1 ssh2",
            "sshd[8]: message repeated 2 times: [ Failed password for invalid user x from 10.0.0.9 port 1 ssh2]",
            "sshd[8]: Connection closed by invalid user x 10.0.0.9 port 1 [preauth]",
            "sshd[9]: Connection closed by authenticating user anna 10.0.0.9 port 2 [preauth]",
            "sshd[10]: Failed none for invalid user a from 1.1.1.1 port 5 ssh2 from 10.0.0.9 port 3 ssh2",
            "login[11]: FAILED LOGIN (1) on '/dev/tty1' FOR 'anna', Authentication failure",
        ],
        &[
            "login denied - as - claims x from 10.0.0.9 key - `-` x1 (unattributed)",
            "login denied - as - claims x from 10.0.0.9 key - `-` x2 (unattributed)",
            "login denied - as - claims anna from 10.0.0.9 key - `-` x1 (unattributed)",
            "login denied - as - claims a from 1.1.1.1 port 5 ssh2 from 10.0.0.9 key - `-` x1 (unattributed)",
            "login denied - as - claims anna from tty1 key - `-` x1 (unattributed)",
        ],
    );
}

#[test]
fn sudo_and_su_name_both_accounts_and_the_command() {
    check(
        &[
            "sudo:     anna : TTY=pts/0 ; PWD=/home/anna ; USER=root ; COMMAND=/usr/bin/cat /srv/mail/x",
            "sudo: pam_unix(sudo:session): session opened for user root(uid=0) by anna(uid=1000)",
            "sudo[5]:     anna : PWD=/ ; USER=bob ; COMMAND=/bin/true",
            "sudo[5]: pam_unix(sudo:session): session opened for user bob(uid=1001) by anna(uid=1000)",
            "sudo[5]: pam_unix(sudo:session): session closed for user bob",
            "sudo[6]:     anna : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            "sudo[7]:     eve : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            "sudo[8]:     anna : TTY=pts/0 ; PWD=/a ; USER=eve ; USER=root ; COMMAND=/bin/sh",
            "su[20]: (to root) anna on pts/1",
            "su[20]: pam_unix(su:session): session opened for user root(uid=0) by anna(uid=1000)",
            "su[21]: FAILED SU (to root) eve on pts/1",
            "pkexec[22]: anna: Executing command [USER=root] [TTY=unknown] [CWD=/home/anna] [COMMAND=/bin/ls]",
        ],
        &[
            "elevation success anna as root claims - from - key - `/usr/bin/cat /srv/mail/x` x1 (derived)",
            "elevation success anna as root claims - from - key - `-` x1 (derived)",
            "elevation success anna as bob claims - from - key - `/bin/true` x1 (derived)",
            "elevation denied anna as root claims - from - key - `/bin/sh` x3 (derived)",
            "elevation denied eve as root claims - from - key - `/bin/sh` x1 (derived)",
            "elevation success anna as - claims - from - key - `/bin/sh` x1 (derived)",
            "elevation success anna as root claims - from - key - `-` x1 (derived)",
            "elevation denied eve as root claims - from - key - `-` x1 (derived)",
            "elevation success anna as root claims - from - key - `/bin/ls` x1 (derived)",
        ],
    );
}

#[test]
fn consoles_desktops_and_cron_are_logins_and_greeters_are_none() {
    check(
        &[
            "login[3]: pam_unix(login:session): session opened for user anna(uid=1000) by LOGIN(uid=0)",
            "login[3]: LOGIN ON tty1 BY anna",
            "gdm-password][4]: pam_unix(gdm-password:session): session opened for user anna(uid=1000) by (uid=0)",
            "gdm-launch-environment][5]: pam_unix(gdm-launch-environment:session): session opened for user gdm by (uid=0)",
            "CRON[6]: pam_unix(cron:session): session opened for user backup(uid=34) by (uid=0)",
            "CRON[6]: pam_unix(cron:session): session closed for user backup",
        ],
        &[
            "login success anna as - claims - from - key - `-` x1 (derived)",
            "login success anna as - claims - from - key - `-` x1 (derived)",
            "login success backup as - claims - from - key - `-` x1 (derived)",
            "logout success backup as - claims - from - key - `-` x1 (derived)",
        ],
    );
}

#[test]
fn times_have_the_precision_that_they_had() {
    let time = |text: &str| Line::parse(text.as_bytes(), Undated::Before(now())).map(|line| line.time());
    let shown = |text: &str| time(text).unwrap_or_else(|| "none".to_owned());
    assert_eq!(shown("Nov 20 20:59:58 h a[1]: b"), "2026-11-20T20:59:58Z");
    assert_eq!(shown("<86>Dec  1 00:00:00 h a: b"), "2025-12-01T00:00:00Z", "the last such date");
    assert_eq!(shown("Feb 29 00:00:00 h a: b"), "2024-02-29T00:00:00Z");
    assert_eq!(shown("2026-11-20T22:59:58.123456+02:00 h a[1]: b"), "2026-11-20T20:59:58.123456Z");
    assert_eq!(shown("<86>1 2026-11-20T20:59:58Z h a 1 - [x y=\"]\\]\"][z] b"), "2026-11-20T20:59:58Z");
    for none in
        ["", "Nov 20", "Feb 30 00:00:00 h a: b", "with another line", "Nov 20 20:59:58 h", "<86>1 - h a"]
    {
        assert_eq!(shown(none), "none", "{none}");
    }
    let live = Line::parse(b"Nov 20 03:59:58 h a[1]: b", Undated::Now(now())).unwrap();
    assert_eq!(live.at, now(), "followed live: written now, in whatever zone");
}

fn entry(exe: &str, message: &str) -> Line {
    let json = serde_json::json!({
        "__REALTIME_TIMESTAMP": "1795208400000000", "_PID": "7", "_EXE": exe, "SYSLOG_IDENTIFIER": "sshd",
        "MESSAGE": message, "_AUDIT_LOGINUID": "1000", "_AUDIT_SESSION": "12"
    });
    line_of_journal(json.to_string().as_bytes()).unwrap()
}

#[test]
fn the_journal_vouches_for_the_program_and_a_line_of_another_one_is_passed_over() {
    let message = format!("Accepted publickey for anna from 10.0.0.9 port 5022 ssh2: ED25519 {KEY}");
    let event = Teller::default().line(&entry("/usr/sbin/sshd", &message)).unwrap();
    let actor = event.actor.unwrap();
    assert_eq!((actor.session, actor.login_uid), (Some(12), Some(1000)));
    assert_eq!(event.time, "2026-11-20T21:00:00.000000Z");
    let found = accepted(&entry("/usr/lib/openssh/sshd-session", &message)).unwrap();
    assert_eq!(found, Accepted { pid: 7, user: "anna".to_owned(), key: Some(KEY.to_owned()) });
    for forger in ["/usr/bin/logger", "/home/eve/sshd", "/usr/local/bin/sshd", "/tmp/sshd"] {
        assert_eq!(Teller::default().line(&entry(forger, &message)), None, "{forger}");
        assert_eq!(accepted(&entry(forger, &message)), None);
    }
}

pub(crate) fn record(kind: i16, pid: u32, line: &str, user: &str, host: &str, seconds: u32) -> Vec<u8> {
    let mut record = vec![0; RECORD_BYTES];
    record[..2].copy_from_slice(&kind.to_le_bytes());
    record[4..8].copy_from_slice(&pid.to_le_bytes());
    record[8..8 + line.len()].copy_from_slice(line.as_bytes());
    record[44..44 + user.len()].copy_from_slice(user.as_bytes());
    record[76..76 + host.len()].copy_from_slice(host.as_bytes());
    record[340..344].copy_from_slice(&seconds.to_le_bytes());
    record
}

#[test]
fn wtmp_tells_logins_and_ends_but_not_what_a_line_told_already() {
    let at = 1_795_208_400;
    let visit = |record: Vec<u8>| Visit::parse(&record).unwrap();
    let mut teller = Teller::default();
    let began = teller.visit(&visit(record(7, 5, "pts/0", "anna", "10.0.0.9", at)), false).unwrap();
    assert_eq!(shown(&began), "login success anna as - claims - from 10.0.0.9 key - `-` x1 (derived)");
    assert_eq!(began.time, "2026-11-20T21:00:00Z");
    let ended = teller.visit(&visit(record(8, 5, "pts/0", "", "", at + 60)), false).unwrap();
    assert_eq!(shown(&ended), "logout success anna as - claims - from pts/0 key - `-` x1 (derived)");
    let unnamed = teller.visit(&visit(record(8, 6, "pts/7", "", "", at + 61)), false).unwrap();
    assert_eq!(shown(&unnamed), "logout success - as - claims - from pts/7 key - `-` x1 (unattributed)");
    assert_eq!(teller.visit(&visit(record(8, 6, "tty2", "", "", at)), false), None, "a getty was nobody");
    let refused = teller.visit(&visit(record(6, 9, "ssh:notty", "eve", "10.0.0.9", at)), true).unwrap();
    assert_eq!(shown(&refused), "login denied - as - claims eve from 10.0.0.9 key - `-` x1 (unattributed)");
    let line = b"2026-11-20T21:10:00Z h sshd[5]: Accepted password for bob from 10.0.0.9 port 1 ssh2";
    teller.line(&Line::parse(line, Undated::Now(now())).unwrap()).unwrap();
    assert_eq!(teller.visit(&visit(record(7, 6, "pts/1", "bob", "10.0.0.9", at + 601)), false), None);
    assert!(teller.visit(&visit(record(7, 6, "pts/2", "bob", "10.0.0.9", at + 660)), false).is_some());
    assert!(looks_like_utmp(&record(7, 1, "", "", "", 1)));
    assert!(!looks_like_utmp(b"Nov 20"));
    assert_eq!(Visit::parse(&[0xff; RECORD_BYTES]), None);
}

#[test]
fn a_number_of_a_process_that_is_used_again_hides_nothing() {
    let mut teller = Teller::default();
    let mut n_told = 0;
    for hour in ["10", "11"] {
        let text = format!(
            "2026-11-20T{hour}:00:00Z h cron[5]: pam_unix(cron:session): session opened for user a by (uid=0)"
        );
        n_told +=
            usize::from(teller.line(&Line::parse(text.as_bytes(), Undated::Now(now())).unwrap()).is_some());
    }
    assert_eq!(n_told, 2);
}

proptest! {
    #[test]
    fn any_bytes_give_a_line_a_record_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let mut teller = Teller::default();
        for undated in [Undated::Now(now()), Undated::Before(now())] {
            if let Some(line) = Line::parse(&bytes, undated) {
                teller.line(&line);
            }
        }
        line_of_journal(&bytes);
        Visit::parse(&bytes);
        looks_like_utmp(&bytes);
    }

    #[test]
    fn any_message_of_a_login_program_gives_an_event_or_nothing(
        program in prop::sample::select(vec!["sshd", "sudo", "su", "login", "pkexec", "cron"]),
        begin in prop::sample::select(vec![
            "Accepted ", "Failed ", "message repeated 2 times: [ Failed ", "pam_unix(su:session): session opened for user ",
            "Connection closed by invalid user ", "FAILED LOGIN ", "LOGIN ON ", "FAILED SU (to ", "anna : TTY=",
        ]),
        rest in "(\\PC| for | from | port | : |USER=| ; |COMMAND=|\\) |\\(){0,20}",
    ) {
        let text = format!("Nov 20 20:59:58 ws-01 {program}[1]: {begin}{rest}");
        if let Some(line) = Line::parse(text.as_bytes(), Undated::Before(now())) {
            Teller::default().line(&line);
        }
    }
}
