//! Whole files, damaged ones too: what is printed, line by line.

use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::auth_log::tests::record;
use crate::replay::tests::skipped;
use crate::replay::{Format, Watched, replay as replay_any};
use crate::watch_list::WatchList;

/// What bytes under a name replay to; the file was last changed on 2026-11-20.
fn replayed(files: &[(&str, &[u8])]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        let mut file = File::create(&path).unwrap();
        file.write_all(bytes).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_795_208_400)).unwrap();
        paths.push(path);
    }
    let mut out = Vec::new();
    replay_any(Format::AuthLog, &paths, &Watched::Linux(WatchList::default()), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn check_shared(name: &str, expected: Expect) {
    let shared = std::env::var_os("NTK_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    match std::fs::read(shared.join("data/auth-log").join(name)) {
        Ok(bytes) => expected.assert_eq(&replayed(&[(name, &bytes)])),
        Err(_) => skipped(&format!("auth-log {name}"), "no shared test data"),
    }
}

#[test]
fn lines_of_sshd_are_logins_with_their_keys() {
    check_shared(
        "syslog_ssh.log",
        expect![[r#"
        {"kind":"login","time":"2026-03-11T19:26:39Z","outcome":"success","actor":{"key":"00:aa:bb:cc:dd:ee:ff:11:22:33:44:55:66:77:88:99","login_user":"plaso","from":"192.168.0.1","confidence":"derived"},"process":{"pid":3,"exe":"sshd"},"source":{"sensor":"auth-log"}}
        {"kind":"login","time":"2026-03-11T22:55:30Z","outcome":"success","actor":{"login_user":"plaso","from":"2001:0db8:0a0b:12f0:0000:0000:0000:0001","confidence":"derived"},"process":{"pid":3,"exe":"sshd"},"source":{"sensor":"auth-log"}}
        {"kind":"login","time":"2026-03-11T22:55:30Z","outcome":"denied","actor":{"from":"001:db8:a0b:12f0::1","claims":"plaso","confidence":"unattributed"},"process":{"pid":3,"exe":"sshd"},"source":{"sensor":"auth-log"}}
        {"kind":"login","time":"2026-03-11T22:55:32Z","outcome":"denied","actor":{"from":"188.124.3.41","claims":"root","confidence":"unattributed"},"process":{"pid":3,"exe":"sshd"},"source":{"sensor":"auth-log"}}
        {"kind":"login","time":"2026-03-11T22:55:33Z","outcome":"success","actor":{"key":"e8:31:68:c7:01:2d:25:20:36:8f:50:5d:f9:ee:70:4c","login_user":"fred","from":"192.0.2.60","confidence":"derived"},"process":{"pid":3,"exe":"sshd"},"source":{"sensor":"auth-log"}}
        {"kind":"login","time":"2026-03-11T22:55:34Z","outcome":"success","actor":{"login_user":"fred","from":"192.0.2.60","confidence":"derived"},"process":{"pid":3,"exe":"sshd"},"source":{"sensor":"auth-log"}}
        {"kind":"login","time":"2026-03-11T22:55:35Z","outcome":"success","actor":{"key":"SHA256:5xyQ+PG1Z3CIiShclJ2iNya5TOdKDgE/HrOXr21IdOo","login_user":"fred","from":"192.0.2.60","confidence":"derived"},"process":{"pid":3,"exe":"sshd"},"source":{"sensor":"auth-log"}}
    "#]],
    );
}

#[test]
fn a_line_that_continues_nothing_is_a_gap() {
    check_shared(
        "syslog_rsyslog_SyslogProtocol23Format",
        expect![[r#"
        {"kind":"gap","time":"2021-03-06T04:07:38.251280Z","source":{"sensor":"auth-log"},"gap":{"cause":"damaged_record","from":"2021-03-06T04:07:38.251280Z","to":"2021-03-06T04:07:38.251318Z","lost":1}}
    "#]],
    );
}

#[test]
fn records_of_wtmp_are_logins_and_what_is_left_over_is_a_gap() {
    check_shared(
        "wtmp.1",
        expect![[r#"
        {"kind":"login","time":"2011-12-01T17:36:38Z","outcome":"success","actor":{"login_user":"userA","from":"10.10.122.1","confidence":"derived"},"process":{"pid":20060},"source":{"sensor":"auth-log"}}
        {"kind":"logout","time":"2011-12-02T00:21:18Z","outcome":"success","actor":{"from":"pts/89","confidence":"unattributed"},"process":{"pid":20060},"source":{"sensor":"auth-log"}}
        {"kind":"gap","time":"2011-12-02T00:21:18Z","source":{"sensor":"auth-log"},"gap":{"cause":"damaged_record","from":"2011-12-02T00:21:18Z","lost":1}}
    "#]],
    );
    check_shared("utmp_x86_64", expect![[r#""#]]);
}

#[test]
fn text_journal_and_records_are_one_stream() {
    let text =
        b"Nov 20 20:00:00 h sshd[7]: Accepted password for anna from 10.0.0.9 port 5 ssh2\n\0\0\n\xff\xfe\n";
    let journal = br#"{"__REALTIME_TIMESTAMP":"1795208400000000","_PID":"8","_EXE":"/usr/bin/sudo","SYSLOG_IDENTIFIER":"sudo","MESSAGE":"anna : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"}"#;
    let tries = record(6, 9, "ssh:notty", "eve", "10.0.0.9", 1_795_204_900);
    let files: [(&str, &[u8]); 3] = [("auth.log", text), ("journal", journal), ("btmp", &tries)];
    expect![[r#"
        {"kind":"login","time":"2026-11-20T20:00:00Z","outcome":"success","actor":{"login_user":"anna","from":"10.0.0.9","confidence":"derived"},"process":{"pid":7,"exe":"sshd"},"source":{"sensor":"auth-log"}}
        {"kind":"gap","time":"2026-11-20T20:00:00Z","source":{"sensor":"auth-log"},"gap":{"cause":"damaged_record","from":"2026-11-20T20:00:00Z","lost":2}}
        {"kind":"elevation","time":"2026-11-20T21:00:00.000000Z","outcome":"success","actor":{"login_user":"anna","effective_user":"root","confidence":"derived"},"process":{"pid":8,"exe":"sudo","command":"/bin/sh"},"source":{"sensor":"auth-log"}}
        {"kind":"login","time":"2026-11-20T20:01:40Z","outcome":"denied","actor":{"from":"10.0.0.9","claims":"eve","confidence":"unattributed"},"process":{"pid":9},"source":{"sensor":"auth-log"}}
    "#]].assert_eq(&replayed(&files));
    assert_eq!(replayed(&[("empty", b""), ("blank", b"\n \n")]), "");
}

#[test]
fn a_wrong_name_prints_nothing() {
    let mut out = Vec::new();
    let files = [PathBuf::from("/nowhere/auth.log")];
    let error =
        replay_any(Format::AuthLog, &files, &Watched::Linux(WatchList::default()), &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not read the recording `/nowhere/auth.log`; check the name and that this account may read it"
    );
    assert_eq!(out, b"");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // EV-2: flipped bytes of lines and records end in events, never in a panic.
    #[test]
    fn damaged_files_are_replayed(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..30),
        cut in any::<prop::sample::Index>(),
        is_text in any::<bool>(),
    ) {
        let line = "2026-11-20T21:00:00Z h sshd[7]: Accepted password for anna from 10.0.0.9 port 5 ssh2\n";
        let mut bytes = if is_text { line.repeat(8).into_bytes() } else { record(7, 9, "pts/0", "anna", "", 9).repeat(3) };
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()));
        replayed(&[("wtmp", &bytes)]);
    }
}
