//! Whole files, damaged ones too: what is printed, line by line.

use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::auth_log::tests::record;
use crate::replay::tests::skipped;
use crate::replay::{Format, replay as replay_any};
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
    replay_any(Format::AuthLog, &paths, &WatchList::default(), &mut out).unwrap();
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
    check_shared("syslog_ssh.log", expect![[r#""#]]);
}

#[test]
fn a_line_that_continues_nothing_is_a_gap() {
    check_shared("syslog_rsyslog_SyslogProtocol23Format", expect![[r#""#]]);
}

#[test]
fn records_of_wtmp_are_logins_and_what_is_left_over_is_a_gap() {
    check_shared("wtmp.1", expect![[r#""#]]);
    check_shared("utmp_x86_64", expect![[r#""#]]);
}

#[test]
fn text_journal_and_records_are_one_stream() {
    let text =
        b"Nov 20 20:00:00 h sshd[7]: Accepted password for anna from 10.0.0.9 port 5 ssh2\n\0\0\n\xff\xfe\n";
    let journal = br#"{"__REALTIME_TIMESTAMP":"1795208400000000","_PID":"8","_EXE":"/usr/bin/sudo","SYSLOG_IDENTIFIER":"sudo","MESSAGE":"anna : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"}"#;
    let tries = record(6, 9, "ssh:notty", "eve", "10.0.0.9", 1_795_204_900);
    let files: [(&str, &[u8]); 3] = [("auth.log", text), ("journal", journal), ("btmp", &tries)];
    expect![[r#""#]].assert_eq(&replayed(&files));
    assert_eq!(replayed(&[("empty", b""), ("blank", b"\n \n")]), "");
}

#[test]
fn a_wrong_name_prints_nothing() {
    let mut out = Vec::new();
    let files = [PathBuf::from("/nowhere/auth.log")];
    let error = replay_any(Format::AuthLog, &files, &WatchList::default(), &mut out).unwrap_err();
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
