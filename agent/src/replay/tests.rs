//! Every recording through the whole pipeline, and everything that can be wrong with one.
//!
//! A recording that is not among the project's own is read from the shared test data; where that is missing the
//! test says so and counts as skipped.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use expect_test::{Expect, expect, expect_file};
use proptest::prelude::*;

use super::*;

/// The folder that the recordings watch.
const WATCHED: &str = "/srv/practice/ehr/exports/week=export";

/// One line per event: what a person needs to compare.
fn shown(json: &str) -> String {
    let event: Event = serde_json::from_str(json).unwrap();
    assert_eq!(event.unknown(), Vec::<String>::new(), "{json}");
    let word = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let actor = event.actor.clone().unwrap_or_default();
    let mut text = format!("{} {}", event.kind, word(event.outcome.as_ref().map(|outcome| outcome.as_str())));
    let uid = actor.login_uid.map_or("-".to_owned(), |uid| uid.to_string());
    write!(text, " | {uid} {}", word(actor.login_user.as_deref())).unwrap();
    write!(text, " as {}", word(actor.effective_user.as_deref())).unwrap();
    write!(text, " ses {}", actor.session.map_or("-".to_owned(), |session| session.to_string())).unwrap();
    write!(text, " from {}", word(actor.from.as_deref())).unwrap();
    actor.claims.into_iter().for_each(|claims| write!(text, " claims {claims}").unwrap());
    write!(text, " ({})", word(actor.confidence.as_ref().map(|confidence| confidence.as_str()))).unwrap();
    event.action.into_iter().for_each(|action| write!(text, " | {action}").unwrap());
    if let Some(object) = event.object {
        write!(text, " {}", word(object.path.as_deref())).unwrap();
        object.to.into_iter().for_each(|to| write!(text, " -> {to}").unwrap());
        write!(text, " [{}]", word(object.class.as_ref().map(|class| class.as_str()))).unwrap();
        object.owner.into_iter().for_each(|owner| write!(text, " of {owner}").unwrap());
        write!(text, " {}", word(object.via.as_ref().map(|via| via.as_str()))).unwrap();
    }
    if let Some(process) = event.process {
        let command = word(process.command.as_deref());
        write!(text, " | {} `{command}`", word(process.exe.as_deref())).unwrap();
    }
    if let Some(tamper) = event.tamper {
        write!(text, " | {}: {}", tamper.what, word(tamper.detail.as_deref())).unwrap();
    }
    if let Some(gap) = event.gap {
        let lost = gap.lost.map_or("-".to_owned(), |lost| lost.to_string());
        let (from, to) = (word(gap.from.as_deref()), word(gap.to.as_deref()));
        write!(text, " | {} lost {lost} from {from} to {to}", gap.cause).unwrap();
    }
    event.count.into_iter().for_each(|count| write!(text, " | x{count}").unwrap());
    format!("{} #{} {text}\n", event.time, word(event.source.and_then(|source| source.record).as_deref()))
}

fn replayed(files: &[PathBuf], watches: &[&str]) -> String {
    let watches = WatchList::new(watches.iter().map(|watch| watch.parse().unwrap()).collect()).unwrap();
    let mut out = Vec::new();
    replay(Format::LinuxAudit, files, &Watched::Linux(watches), &mut out).unwrap();
    String::from_utf8(out).unwrap().lines().map(shown).collect()
}

/// What a text replays to.
#[track_caller]
fn check(text: &str, watches: &[&str], expected: Expect) {
    expected.assert_eq(&replayed_text(text.as_bytes(), watches));
}

fn replayed_text(text: &[u8], watches: &[&str]) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    file.as_file().set_modified(time).unwrap();
    replayed(&[file.path().to_owned()], watches)
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A recording of the project, or of the shared test data.
pub(crate) fn recording(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("NTK_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let places = [fixtures().join("linux-audit"), shared.join("data/linux-audit")];
    let found = places.iter().map(|place| place.join(name)).find(|path| path.exists());
    if found.is_none() {
        skipped(&format!("recording {name}"), "no shared test data");
    }
    found
}

/// Says that a test cannot be run here.
pub(crate) fn skipped(test: &str, why: &str) {
    println!("skipped: {test}: {why}");
    if let Some(skips) = std::env::var_os("NTK_SKIPS") {
        let mut file = File::options().create(true).append(true).open(skips).unwrap();
        writeln!(file, "{test}: {why}").unwrap();
    }
}

fn own_recordings() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fixtures().join("linux-audit").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

macro_rules! recordings {
    ($($test:ident = $name:literal,)+) => {
        $(#[test]
        fn $test() {
            let Some(path) = recording(concat!($name, ".log")) else { return };
            expect_file![fixtures().join(concat!("golden/", $name, ".txt"))].assert_eq(&replayed(&[path], &[WATCHED]));
        })+
    };
}

recordings! {
    recording_00 = "00-auditd-start-stop-node-hostname",
    recording_10 = "10-ssh-password-ok",
    recording_11 = "11-ssh-password-fail",
    recording_12 = "12-ssh-invalid-user-fail",
    recording_13 = "13-ssh-pubkey-ok",
    recording_14 = "14-ssh-pubkey-fail",
    recording_15 = "15-ssh-pty-ok",
    recording_16 = "16-sudo-ok",
    recording_17 = "17-sudo-wrong-password",
    recording_18 = "18-sudo-not-in-sudoers",
    recording_19 = "19-su-ok",
    recording_20 = "20-su-fail",
    recording_21 = "21-su-root-fail",
    recording_22 = "22-sudo-su-root-read",
    recording_24 = "24-console-login-ok",
    recording_25 = "25-console-login-fail",
    recording_30 = "30-read-denied-file",
    recording_31 = "31-read-denied-parentdir",
    recording_32 = "32-read-enoent",
    recording_33 = "33-create-write",
    recording_34 = "34-append",
    recording_35 = "35-rename",
    recording_37 = "37-chmod",
    recording_38 = "38-hardlink-out",
    recording_39 = "39-symlink-read",
    recording_40 = "40-truncate",
    recording_41 = "41-delete",
    recording_42 = "42-delete-denied",
    recording_43 = "43-copy",
    recording_44 = "44-relative-cwd",
    recording_46 = "46-listdir",
    recording_47 = "47-stat",
    recording_50_opath = "5opath-with-rule",
    recording_50_sqpoll = "5sqpoll-with-rule",
    recording_50_uring = "5uring-with-rule",
    recording_60 = "60-bind-and-overlay",
    recording_62 = "62-debugfs-rawdisk-rule",
    recording_63 = "63-pidns-unshare-userns",
    recording_70 = "70-tamper-disable",
    recording_72 = "72-tamper-enable-again",
    recording_73 = "73-tamper-delete-all",
    recording_74 = "74-tamper-exclude-config-change",
    recording_75 = "75-tamper-task-never",
    recording_77 = "77-tamper-loginuid-forge",
    recording_79 = "79-forged-user-message",
    recording_80 = "80-auditd-sighup-by-admin",
    recording_81 = "81-multicast-kill9-auditd-numeric-types",
    recording_82 = "82-auditd-sigterm-by-admin",
    recording_90 = "90-multicast-raw-numeric-types-uring-denied",
    recording_92 = "92-useradd-passwd-userdel",
}

#[test]
fn without_a_watch_records_that_bear_a_rule_key_are_accesses_without_class() {
    let text = std::fs::read_to_string(fixtures().join("linux-audit/39-symlink-read.log")).unwrap();
    check(
        &text,
        &[],
        expect![[r#"
        2026-11-22T12:34:02.552Z #275 login success | 1001 itadmin1 as - ses 22 from 127.0.0.1 (kernel) | /usr/sbin/sshd `-`
        2026-11-22T12:34:02.612Z #277 file_access success | 1001 itadmin1 as itadmin1 ses 22 from 127.0.0.1 (kernel) | read /tmp/lssym [-] direct | /usr/bin/cat `cat /tmp/lssym`
        2026-11-22T12:34:02.616Z #278 logout success | 1001 itadmin1 as - ses 22 from 127.0.0.1 (kernel) | /usr/sbin/sshd `-`
    "#]],
    );
    // Two watches, and no record below either: the lone key counts, for neither of them.
    check(
        &text,
        &["/srv/other=ehr", "/srv/more=hr"],
        expect![[r#"
        2026-11-22T12:34:02.552Z #275 login success | 1001 itadmin1 as - ses 22 from 127.0.0.1 (kernel) | /usr/sbin/sshd `-`
        2026-11-22T12:34:02.612Z #277 file_access success | 1001 itadmin1 as itadmin1 ses 22 from 127.0.0.1 (kernel) | read /tmp/lssym [-] direct | /usr/bin/cat `cat /tmp/lssym`
        2026-11-22T12:34:02.616Z #278 logout success | 1001 itadmin1 as - ses 22 from 127.0.0.1 (kernel) | /usr/sbin/sshd `-`
    "#]],
    );
}

#[test]
fn damaged_lines_become_gaps_and_the_rest_is_read() {
    let text = std::fs::read_to_string(fixtures().join("linux-audit/10-ssh-password-ok.log")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1] = "type=USER_ACCT msg=audit(17953507";
    lines[2] = "\u{1}\u{2} half a line";
    // The PATH record of the read is damaged too: the access is told, and that it is not whole.
    let path = lines.iter().position(|line| line.starts_with("type=PATH")).unwrap();
    lines[path] = "type=PATX msg=audit(1795350710.388:22): item=0";
    lines.push("the end is missing");
    check(
        &lines.join("\n"),
        &[WATCHED],
        expect![[r#"
            2026-11-22T12:31:50.124Z #- gap - | - - as - ses - from - (-) | damaged_record lost 2 from 2026-11-22T12:31:50.124Z to 2026-11-22T12:31:50.284Z
            2026-11-22T12:31:50.316Z #20 login success | 1001 itadmin1 as - ses 1 from 127.0.0.1 (kernel) | /usr/sbin/sshd `-`
            2026-11-22T12:31:50.388Z #- gap - | - - as - ses - from - (-) | damaged_record lost 1 from 2026-11-22T12:31:50.388Z to 2026-11-22T12:31:50.388Z
            2026-11-22T12:31:50.388Z #22 file_access success | 1001 itadmin1 as itadmin1 ses 1 from 127.0.0.1 (kernel) | read - [export] direct | /usr/bin/cat `cat /srv/practice/ehr/exports/week/patients.csv`
            2026-11-22T12:31:50.400Z #23 logout success | 1001 itadmin1 as - ses 1 from 127.0.0.1 (kernel) | /usr/sbin/sshd `-`
            2026-11-22T12:31:50.388Z #22 gap - | - - as - ses - from - (-) | partial_record lost 1 from 2026-11-22T12:31:50.388Z to 2026-11-22T12:31:50.388Z
            2026-11-22T12:31:50.400Z #- gap - | - - as - ses - from - (-) | damaged_record lost 1 from 2026-11-22T12:31:50.400Z to -
        "#]],
    );
}

#[test]
fn input_without_any_record_is_one_gap() {
    check(
        "\u{0}\u{1}\u{2}\nhello\n\n# a comment\n",
        &[WATCHED],
        expect![[r#"
        2001-09-09T01:46:40.000Z #- gap - | - - as - ses - from - (-) | damaged_record lost 2 from - to -
    "#]],
    );
    check("", &[WATCHED], expect![[r#""#]]);
    let endless = vec![b'x'; 3 * RECORD_BYTES_MAX];
    expect![[r#"
        2001-09-09T01:46:40.000Z #- gap - | - - as - ses - from - (-) | damaged_record lost 1 from - to -
    "#]]
    .assert_eq(&replayed_text(&endless, &[]));
}

#[test]
fn rotated_logs_are_one_stream_and_a_repeated_record_is_told_once() {
    let path = fixtures().join("linux-audit/16-sudo-ok.log");
    let text = std::fs::read_to_string(&path).unwrap();
    let whole = replayed(std::slice::from_ref(&path), &[WATCHED]);
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = text.split_at(text.find("type=USER_CMD").unwrap());
    let files = [("audit.log.1", first), ("audit.log", second)].map(|(name, part)| {
        std::fs::write(dir.path().join(name), part).unwrap();
        dir.path().join(name)
    });
    assert_eq!(replayed(&files, &[WATCHED]), whole);
    assert_eq!(replayed(&[path.clone(), path], &[WATCHED]), whole);
}

#[test]
fn interleaved_sessions_keep_their_persons() {
    let read = |name: &str| std::fs::read_to_string(fixtures().join("linux-audit").join(name)).unwrap();
    // The second one is moved into the same second.
    let (one, two) = (read("16-sudo-ok.log"), read("19-su-ok.log").replace("1795350755", "1795350746"));
    let alone: Vec<String> = [&one, &two]
        .into_iter()
        .flat_map(|text| {
            replayed_text(text.as_bytes(), &[WATCHED]).lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let (mut left, mut right) = (one.lines(), two.lines());
    let mut mixed = String::new();
    loop {
        let pair = [left.next(), right.next()];
        if pair == [None, None] {
            break;
        }
        pair.into_iter().flatten().for_each(|line| writeln!(mixed, "{line}").unwrap());
    }
    let mut together: Vec<String> =
        replayed_text(mixed.as_bytes(), &[WATCHED]).lines().map(str::to_owned).collect();
    let mut alone = alone;
    together.sort();
    alone.sort();
    assert_eq!(together, alone);
}

#[test]
fn machines_of_one_log_are_told_apart() {
    let text = std::fs::read_to_string(fixtures().join("linux-audit/10-ssh-password-ok.log")).unwrap();
    let other = text.replace("itadmin1", "frontdesk1");
    let mut mixed = String::new();
    for (one, two) in text.lines().zip(other.lines()) {
        write!(mixed, "node=a {one}\nnode=b {two}\n").unwrap();
    }
    let shown = replayed_text(mixed.as_bytes(), &[WATCHED]);
    let n_of = |name: &str| shown.lines().filter(|line| line.contains(&format!("1001 {name}"))).count();
    assert_eq!((n_of("itadmin1"), n_of("frontdesk1")), (3, 3), "{shown}");
}

#[test]
fn a_wrong_request_gets_a_sentence_and_prints_nothing() {
    let sentence = |word: &str| word.parse::<Format>().unwrap_err().to_string();
    assert_eq!(
        sentence("pcap"),
        "`pcap` is no format of recordings; use linux-audit, auth-log, evtx or windows-json"
    );
    let files = [fixtures().join("linux-audit/16-sudo-ok.log"), PathBuf::from("/nowhere/audit.log")];
    let mut out = Vec::new();
    let error =
        replay(Format::LinuxAudit, &files, &Watched::Linux(WatchList::default()), &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not read the recording `/nowhere/audit.log`; check the name and that this account may read it"
    );
    assert_eq!(out, b"");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let print = || {
        let mut out = Vec::new();
        let watches = WatchList::new(vec![WATCHED.parse().unwrap()]).unwrap();
        replay(Format::LinuxAudit, &own_recordings(), &Watched::Linux(watches), &mut out).unwrap();
        out
    };
    assert_eq!(print(), print());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // EV-2: flipped bytes, swapped, doubled and missing lines of real recordings end in events, never in a panic.
    #[test]
    fn mutated_recordings_are_replayed(
        which in 0_usize..1000,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40),
        moves in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..10),
        cut in any::<prop::sample::Index>(),
    ) {
        let files = own_recordings();
        let mut bytes = std::fs::read(&files[which % files.len()]).unwrap();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        for (from, to) in moves {
            let line = lines.remove(from.index(lines.len()));
            lines.push(line.clone());
            let to = to.index(lines.len());
            lines.insert(to, line);
        }
        let mut bytes = lines.join(&b'\n');
        bytes.truncate(cut.index(bytes.len()).max(bytes.len() / 2));
        replayed_text(&bytes, &[WATCHED]);
    }
}
