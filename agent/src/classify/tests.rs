//! Which event a record becomes, by call, flags, outcome, names and keys.

use expect_test::{Expect, expect};

use super::*;
use crate::attribute::{Attribution, NoNames};
use crate::coalesce::Coalescer;

/// /proc of a process that has /srv/w/sub open as 9.
struct Proc;

impl Folders for Proc {
    fn folder(&self, _pid: u32, descriptor: i32) -> Option<String> {
        (descriptor == 9).then(|| "/srv/w/sub".to_owned())
    }
}

fn shown(lines: &str, keys: ForeignKeys, own: Option<OwnHand>) -> String {
    let watches = ["/srv/w=export", "/srv/mail/anna=mailbox:anna"];
    let watches = WatchList::new(watches.iter().map(|watch| watch.parse().unwrap()).collect()).unwrap();
    let mut classifier = Classifier::new(watches, keys, Box::new(Proc), own);
    let mut attribution = Attribution::new(Box::new(NoNames));
    let mut coalescer = Coalescer::default();
    let mut observations = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let record = Record::from_line(line.as_bytes()).unwrap();
        let moment = record.stamp().since_epoch();
        observations.extend(coalescer.take(record, moment));
    }
    observations.extend(coalescer.flush());
    let mut text = String::new();
    for observation in observations {
        let attributed = attribution.observe(&observation, observation.stamp.since_epoch());
        let mut events = Vec::new();
        classifier.classify(&observation, &attributed.actor, attributed.facts, &mut events);
        for event in events {
            let object = event.object.unwrap_or_default();
            let mut words = vec![format!("#{} {}", observation.stamp.serial(), event.kind)];
            words.extend(event.outcome.map(|outcome| outcome.to_string()));
            words.extend(event.action.map(|action| action.to_string()));
            words.extend(object.path);
            words.extend(object.to.map(|to| format!("-> {to}")));
            words.extend(object.class.map(|class| format!("[{class}]")));
            words.extend(object.owner.map(|owner| format!("of {owner}")));
            words.extend(object.via.filter(|via| via.as_str() != "direct").map(|via| format!("via {via}")));
            words.extend(
                event.tamper.map(|tamper| format!("{}: {}", tamper.what, tamper.detail.unwrap_or_default())),
            );
            text.push_str(&words.join(" "));
            text.push('\n');
        }
    }
    text
}

#[track_caller]
fn check(lines: &str, expected: Expect) {
    expected.assert_eq(&shown(lines, ForeignKeys::Ignored, None));
}

/// A call of x86-64 with its paths: `(nametype, name, inode, mode)`.
fn call(serial: u32, call: &str, key: &str, paths: &[(&str, &str, u32, &str)]) -> String {
    let items = paths.len();
    let mut text = format!(
        "type=SYSCALL msg=audit(1.000:{serial}): arch=c000003e {call} items={items} pid=7 auid=1001 uid=1001 euid=1001 ses=3 comm=\"x\" exe=\"/bin/x\" key={key}\ntype=CWD msg=audit(1.000:{serial}): cwd=\"/srv/w\"\n"
    );
    for (nth, (nametype, name, inode, mode)) in paths.iter().enumerate() {
        let inode = if *inode == 0 { String::new() } else { format!("inode={inode} dev=fe:00 mode={mode}") };
        text += &format!(
            "type=PATH msg=audit(1.000:{serial}): item={nth} name={name} {inode} nametype={nametype}\n"
        );
    }
    text + &format!("type=EOE msg=audit(1.000:{serial}): \n")
}

const FILE: &str = "0100644";
const FOLDER: &str = "040755";
const OK: &str = "success=yes exit=3";

#[test]
fn the_action_comes_from_the_open_flags() {
    let open = |serial, flags: &str, nametype: &str, mode: &str| {
        call(
            serial,
            &format!("syscall=257 {OK} a0=ffffff9c a1=0 a2={flags}"),
            "(null)",
            &[(nametype, "\"/srv/w/f\"", 5, mode)],
        )
    };
    let lines = [
        open(1, "0", "NORMAL", FILE),
        open(2, "90800", "NORMAL", FOLDER),
        open(3, "0", "NORMAL", FOLDER),
        open(4, "1", "NORMAL", FILE),
        open(5, "2", "NORMAL", FILE),
        open(6, "200", "NORMAL", FILE),
        open(7, "241", "CREATE", FILE),
        open(8, "241", "NORMAL", FILE),
        open(9, "40", "NORMAL", FILE),
    ];
    check(
        &lines.concat(),
        expect![[r#"
        #1 file_access success read /srv/w/f [export]
        #2 file_access success list /srv/w/f [export]
        #3 file_access success list /srv/w/f [export]
        #4 file_access success write /srv/w/f [export]
        #5 file_access success write /srv/w/f [export]
        #6 file_access success write /srv/w/f [export]
        #7 file_access success create /srv/w/f [export]
        #8 file_access success write /srv/w/f [export]
        #9 file_access success read /srv/w/f [export]
    "#]],
    );
}

#[test]
fn each_call_has_its_action_and_outcome() {
    let one = |serial, words: &str| call(serial, words, "(null)", &[("NORMAL", "\"/srv/w/f\"", 5, FILE)]);
    let lines = [
        one(1, "syscall=76 success=yes exit=0"),
        one(2, "syscall=90 success=yes exit=0"),
        one(3, "syscall=188 success=no exit=-1"),
        one(4, "syscall=437 success=no exit=-13 a0=ffffff9c"),
        one(5, "syscall=257 success=no exit=-2 a0=ffffff9c a2=0"),
        one(6, "syscall=257 success=no exit=EACCES(Permission a0=ffffff9c a2=0"),
        one(7, "syscall=85 success=yes exit=3"),
        one(8, "syscall=304 success=yes exit=3 a2=0"),
        // Reading a link or an attribute opens nothing.
        one(9, "syscall=89 success=yes exit=9"),
        one(10, "syscall=191 success=yes exit=9"),
        call(
            11,
            "syscall=83 success=yes exit=0",
            "(null)",
            &[("PARENT", "\"/srv/w\"", 4, FOLDER), ("CREATE", "\"/srv/w/new\"", 6, FOLDER)],
        ),
        call(
            12,
            "syscall=84 success=yes exit=0",
            "(null)",
            &[("PARENT", "\"/srv/w\"", 4, FOLDER), ("DELETE", "\"/srv/w/new\"", 6, FOLDER)],
        ),
    ];
    check(
        &lines.concat(),
        expect![[r#"
        #1 file_access success write /srv/w/f [export]
        #2 file_access success attributes /srv/w/f [export]
        #3 file_access denied attributes /srv/w/f [export]
        #4 file_access denied open_denied /srv/w/f [export]
        #5 file_access failed read /srv/w/f [export]
        #6 file_access denied read /srv/w/f [export]
        #7 file_access success write /srv/w/f [export]
        #8 file_access success read /srv/w/f [export] via handle
        #11 file_access success create /srv/w/new [export]
        #12 file_access success delete /srv/w/new [export]
    "#]],
    );
}

#[test]
fn renames_and_links_have_an_old_and_a_new_name() {
    let rename = "syscall=82 success=yes exit=0";
    let lines = [
        // Over a file that existed: it is a DELETE item too.
        call(
            1,
            rename,
            "(null)",
            &[
                ("PARENT", "\"/srv/w\"", 4, FOLDER),
                ("PARENT", "\"/srv/w\"", 4, FOLDER),
                ("DELETE", "\"/srv/w/there\"", 8, FILE),
                ("DELETE", "\"/srv/w/old\"", 7, FILE),
                ("CREATE", "\"/srv/w/there\"", 7, FILE),
            ],
        ),
        // Into the watch, and out of it: the inode is known from there on.
        call(2, rename, "(null)", &[("DELETE", "\"/tmp/a\"", 9, FILE), ("CREATE", "\"/srv/w/a\"", 9, FILE)]),
        call(3, rename, "(null)", &[("DELETE", "\"/srv/w/a\"", 9, FILE), ("CREATE", "\"/tmp/b\"", 9, FILE)]),
        call(
            4,
            &format!("syscall=257 {OK} a0=ffffff9c a2=0"),
            "(null)",
            &[("NORMAL", "\"/tmp/b\"", 9, FILE)],
        ),
        // Refused before the kernel knew what the names are.
        call(
            5,
            "syscall=264 success=no exit=-13 a0=ffffff9c a2=ffffff9c",
            "\"ntk-denied\"",
            &[("UNKNOWN", "\"/srv/mail/anna/x\"", 0, ""), ("UNKNOWN", "\"/tmp/x\"", 0, "")],
        ),
        call(
            6,
            "syscall=86 success=yes exit=0",
            "(null)",
            &[
                ("NORMAL", "\"/srv/w/f\"", 10, FILE),
                ("PARENT", "\"/tmp\"", 3, FOLDER),
                ("CREATE", "\"/tmp/ln\"", 10, FILE),
            ],
        ),
    ];
    check(
        &lines.concat(),
        expect![[r#"
        #1 file_access success rename /srv/w/old -> /srv/w/there [export]
        #2 file_access success rename /tmp/a -> /srv/w/a [export]
        #3 file_access success rename /srv/w/a -> /tmp/b [export]
        #4 file_access success read /tmp/b [export]
        #5 file_access denied rename /srv/mail/anna/x -> /tmp/x [mailbox] of anna
        #6 file_access success link /srv/w/f -> /tmp/ln [export]
    "#]],
    );
}

#[test]
fn a_record_concerns_a_watch_by_path_by_key_or_by_inode() {
    let read = |serial, key: &str, name: &str, inode| {
        call(serial, &format!("syscall=257 {OK} a0=ffffff9c a2=0"), key, &[("NORMAL", name, inode, FILE)])
    };
    let lines = [
        read(1, "(null)", "\"/srv/wide/f\"", 20),
        read(2, "(null)", "\"../w/./f\"", 21),
        read(3, "\"ntk-w1\"", "\"/tmp/link\"", 22),
        read(4, "(null)", "\"/proc/self/fd/3\"", 21),
        read(5, "\"ntk-denied\"", "\"/etc/shadow\"", 23),
        read(6, "\"ntk-w9\"", "\"/tmp/x\"", 24),
        read(7, "\"other\"", "\"/tmp/x\"", 24),
        // Two rules matched; their keys are joined by 0x01, so the kernel writes hex: other, ntk-w0.
        read(8, "6F74686572016E746B2D7730", "\"/mnt/f\"", 25),
        // A name in hex with a space: /srv/mail/anna/a b
        read(9, "(null)", "2F7372762F6D61696C2F616E6E612F612062", 26),
    ];
    check(
        &lines.concat(),
        expect![[r#"
        #2 file_access success read /srv/w/f [export]
        #3 file_access success read /tmp/link [mailbox] of anna
        #4 file_access success read /proc/self/fd/3 [export]
        #8 file_access success read /mnt/f [export]
        #9 file_access success read /srv/mail/anna/a b [mailbox] of anna
    "#]],
    );
}

#[test]
fn names_that_start_at_an_open_folder_are_found_or_said_to_be_unknown() {
    let at = |serial, descriptor: &str, key: &str, name: &str, inode| {
        call(serial, &format!("syscall=257 {OK} a0={descriptor} a2=0"), key, &[("NORMAL", name, inode, FILE)])
    };
    let lines = [
        // The folder's own open is known, and gave descriptor 4.
        call(
            1,
            "syscall=257 success=yes exit=4 a0=ffffff9c a2=90800",
            "\"ntk-w0\"",
            &[("NORMAL", "\"/srv/w/deep\"", 30, FOLDER)],
        ),
        at(2, "4", "\"ntk-w0\"", "\"f\"", 31),
        // Descriptor 9 only /proc knows; 8 nobody does.
        at(3, "9", "\"ntk-w0\"", "\"g\"", 32),
        at(4, "8", "\"ntk-w1\"", "\"h\"", 33),
        at(5, "8", "\"ntk-denied\"", "\"h\"", 34),
        // /proc knows a folder, but not of this rule's watch: it is not believed.
        at(6, "9", "\"ntk-w1\"", "\"i\"", 35),
        // The parent's inode says where, although its name does not.
        call(
            7,
            "syscall=263 success=yes exit=0 a0=8",
            "\"ntk-w0\"",
            &[("PARENT", "\"/srv/w\"", 30, FOLDER), ("DELETE", "\"f\"", 31, FILE)],
        ),
    ];
    check(
        &lines.concat(),
        expect![[r#"
        #1 file_access success list /srv/w/deep [export]
        #2 file_access success read /srv/w/deep/f [export]
        #3 file_access success read /srv/w/sub/g [export]
        #4 file_access success read /srv/mail/anna/.../h [mailbox] of anna
        #6 file_access success read /srv/mail/anna/.../i [mailbox] of anna
        #7 file_access success delete /srv/w/deep/f [export]
    "#]],
    );
}

#[test]
fn other_ways_to_a_file_are_named() {
    let mut lines = call(
        1,
        &format!("syscall=257 {OK} a0=ffffff9c a2=0"),
        "\"ntk-w0\"",
        &[("NORMAL", "\"/dev/vda\"", 40, "060600")],
    );
    lines += "type=URINGOP msg=audit(1.000:2): uring_op=18 success=no exit=-13 items=1 pid=8 uid=1001 euid=1001 key=\"ntk-w0\"
        type=CWD msg=audit(1.000:2): cwd=\"/srv/w\"
        type=PATH msg=audit(1.000:2): item=0 name=\"f\" inode=41 dev=fe:00 mode=0100600 nametype=NORMAL
        type=EOE msg=audit(1.000:2): \n";
    // 32-bit: open is 5, and the flags are its second argument.
    lines += &call(3, "syscall=5 success=yes exit=3 a1=1", "(null)", &[("NORMAL", "\"/srv/w/f\"", 41, FILE)])
        .replace("c000003e", "40000003");
    check(
        &lines,
        expect![[r#"
        #1 file_access success read /dev/vda [export] via raw_disk
        #2 file_access denied open_denied /srv/w/f [export] via io_uring
        #3 file_access success write /srv/w/f [export]
    "#]],
    );
}

#[test]
fn changes_to_the_recording_are_told_unless_they_are_our_own() {
    let own = OwnHand { pid: 77, login_uid: None, session: None };
    let lines = "type=CONFIG_CHANGE msg=audit(1.000:1): op=set audit_enabled=0 old=1 auid=1001 ses=3 res=1
        type=CONFIG_CHANGE msg=audit(1.000:2): op=set audit_enabled=1 old=0 auid=1001 ses=3 res=1
        type=CONFIG_CHANGE msg=audit(1.000:3): auid=1001 ses=3 op=remove_rule key=\"ntk-w0\" list=4 res=1
        type=CONFIG_CHANGE msg=audit(1.000:4): auid=4294967295 ses=4294967295 op=add_rule key=\"ntk-w0\" list=4 res=1
        type=CONFIG_CHANGE msg=audit(1.000:5): auid=4294967295 ses=4294967295 op=remove_rule key=\"theirs\" list=4 res=1
        type=CONFIG_CHANGE msg=audit(1.000:6): op=set audit_pid=77 old=0 auid=1001 ses=3 res=1
        type=CONFIG_CHANGE msg=audit(1.000:7): op=set audit_pid=88 old=77 auid=1001 ses=3 res=0
        type=CONFIG_CHANGE msg=audit(1.000:8): op=set audit_backlog_limit=1 old=8192 auid=1001 ses=3 res=1
        type=FEATURE_CHANGE msg=audit(1.000:9): feature=loginuid_immutable old=1 new=0 auid=1001 ses=3 res=1
        type=SYSCALL msg=audit(1.000:10): arch=c000003e syscall=62 success=yes exit=0 a0=4d a1=9 items=0 pid=9 auid=1001 uid=0 euid=0 ses=3
        type=OBJ_PID msg=audit(1.000:10): opid=77 oauid=-1 ouid=0 oses=-1 ocomm=\"x\"
        type=SYSCALL msg=audit(1.000:11): arch=c000003e syscall=62 success=yes exit=0 a0=4d a1=0 items=0 pid=9 auid=1001 uid=0 euid=0 ses=3
        type=OBJ_PID msg=audit(1.000:11): opid=77 oauid=-1 ouid=0 oses=-1 ocomm=\"x\"";
    expect![[r#"
        #1 tamper success audit_disabled: op=set audit_enabled=0 old=1
        #3 tamper success rules_changed: op=remove_rule key=ntk-w0 list=4
        #5 tamper success rules_changed: op=remove_rule key=theirs list=4
        #7 tamper denied audit_policy_changed: op=set audit_pid=88 old=77
        #8 tamper success audit_policy_changed: op=set audit_backlog_limit=1 old=8192
        #9 tamper success audit_policy_changed: feature=loginuid_immutable old=1 new=0
        #10 tamper success agent_killed: signal 9 to x
    "#]]
    .assert_eq(&shown(lines, ForeignKeys::Ignored, Some(own)));
}

#[test]
fn what_a_locked_kernel_refuses_is_told_as_refused_with_the_person() {
    let own = OwnHand { pid: 77, login_uid: None, session: None };
    let task = "ppid=1 pid=9 auid=1001 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts1 ses=3 comm=\"auditctl\" exe=\"/usr/sbin/auditctl\"";
    let lines = format!(
        "type=CONFIG_CHANGE msg=audit(1.000:1): op=set audit_enabled=0 old=2 auid=1001 ses=3 res=0
        type=CONFIG_CHANGE msg=audit(1.000:2): op=set audit_enabled=1 old=2 auid=1001 ses=3 res=0
        type=CONFIG_CHANGE msg=audit(1.000:3): pid=9 uid=0 auid=1001 ses=3 op=add_rule audit_enabled=2 res=0
        type=CONFIG_CHANGE msg=audit(1.000:4): pid=9 uid=0 auid=1001 ses=3 op=remove_rule audit_enabled=2 res=0
        type=CONFIG_CHANGE msg=audit(1.000:5): op=set audit_backlog_limit=1 old=8192 auid=1001 ses=3 res=0
        type=CONFIG_CHANGE msg=audit(1.000:6): op=set audit_backlog_wait_time=0 old=15 auid=1001 ses=3 res=0
        type=FEATURE_CHANGE msg=audit(1.000:7): {task} feature=loginuid_immutable old=1 new=0 old_lock=1 new_lock=1 res=0
        type=LOGIN msg=audit(1.000:8): pid=9 uid=0 old-auid=1001 auid=1002 tty=pts1 old-ses=3 ses=4294967295 res=0
        type=CONFIG_CHANGE msg=audit(1.000:9): op=set audit_backlog_limit=8192 old=8192 auid=1001 ses=3 res=0
        type=CONFIG_CHANGE msg=audit(1.000:10): op=set audit_enabled=2 old=1 auid=1001 ses=3 res=1
        type=CONFIG_CHANGE msg=audit(1.000:11): op=set audit_enabled=2 old=1 auid=4294967295 ses=4294967295 res=1
        type=FEATURE_CHANGE msg=audit(1.000:12): ppid=1 pid=77 auid=4294967295 uid=0 ses=4294967295 comm=\"x\" feature=loginuid_immutable old=0 new=1 old_lock=0 new_lock=1 res=1
        type=SYSCALL msg=audit(1.000:13): arch=c000003e syscall=62 success=yes exit=0 a0=4d a1=a items=0 pid=9 auid=1001 uid=0 euid=0 ses=3
        type=OBJ_PID msg=audit(1.000:13): opid=77 oauid=-1 ouid=0 oses=-1 ocomm=\"x\"
        type=SYSCALL msg=audit(1.000:14): arch=c000003e syscall=62 success=yes exit=0 a0=4e a1=9 items=0 pid=9 auid=1001 uid=0 euid=0 ses=3
        type=OBJ_PID msg=audit(1.000:14): opid=78 oauid=-1 ouid=0 oses=-1 ocomm=\"sleep\""
    );
    // 11 and 12 are what the agent itself does to seal the machine; 14 is a signal to somebody else.
    expect![[r#"
        #1 tamper denied audit_disabled: op=set audit_enabled=0 old=2
        #2 tamper denied audit_policy_changed: op=set audit_enabled=1 old=2
        #3 tamper denied rules_changed: op=add_rule audit_enabled=2
        #4 tamper denied rules_changed: op=remove_rule audit_enabled=2
        #5 tamper denied audit_policy_changed: op=set audit_backlog_limit=1 old=8192
        #6 tamper denied audit_policy_changed: op=set audit_backlog_wait_time=0 old=15
        #7 tamper denied audit_policy_changed: feature=loginuid_immutable old=1 new=0
        #8 tamper denied login_uid_changed: old-auid=1001 auid=1002
        #10 tamper success audit_policy_changed: op=set audit_enabled=2 old=1
        #13 tamper success agent_killed: signal 10 to x
    "#]]
    .assert_eq(&shown(&lines, ForeignKeys::Ignored, Some(own)));
}

#[test]
fn a_file_whose_second_name_came_moved_and_went_is_still_known_by_its_first() {
    let folder = |serial: u32| {
        call(
            serial,
            "syscall=257 success=yes exit=3 a0=ffffff9c a1=0 a2=90800",
            "(null)",
            &[("NORMAL", "/srv/w", 5, FOLDER)],
        )
    };
    let by_handle = |serial: u32| {
        call(
            serial,
            "syscall=304 success=yes exit=3 a0=3 a1=0 a2=0",
            "\"ntk-handle\"",
            &[("NORMAL", "(null)", 7, FILE)],
        )
    };
    let lines = [
        folder(1),
        call(
            2,
            "syscall=257 success=yes exit=3 a0=ffffff9c a1=0 a2=c1",
            "\"ntk-w0\"",
            &[("PARENT", "/srv/w", 5, FOLDER), ("CREATE", "/srv/w/a", 7, FILE)],
        ),
        call(
            3,
            "syscall=86 success=yes exit=0 a0=0 a1=0",
            "\"ntk-w0\"",
            &[
                ("NORMAL", "/srv/w/a", 7, FILE),
                ("PARENT", "/srv/w", 5, FOLDER),
                ("CREATE", "/srv/w/b", 7, FILE),
            ],
        ),
        call(
            4,
            "syscall=82 success=yes exit=0 a0=0 a1=0",
            "\"ntk-w0\"",
            &[
                ("PARENT", "/srv/w", 5, FOLDER),
                ("PARENT", "/srv/w", 5, FOLDER),
                ("DELETE", "/srv/w/b", 7, FILE),
                ("CREATE", "/srv/w/c", 7, FILE),
            ],
        ),
        call(
            5,
            "syscall=87 success=yes exit=0 a0=0",
            "\"ntk-w0\"",
            &[("PARENT", "/srv/w", 5, FOLDER), ("DELETE", "/srv/w/c", 7, FILE)],
        ),
        by_handle(6),
        call(
            7,
            "syscall=87 success=yes exit=0 a0=0",
            "\"ntk-w0\"",
            &[("PARENT", "/srv/w", 5, FOLDER), ("DELETE", "/srv/w/a", 7, FILE)],
        ),
        by_handle(8),
    ];
    check(
        &lines.concat(),
        expect![[r#"
        #1 file_access success list /srv/w [export]
        #2 file_access success create /srv/w/a [export]
        #3 file_access success link /srv/w/a -> /srv/w/b [export]
        #4 file_access success rename /srv/w/b -> /srv/w/c [export]
        #5 file_access success delete /srv/w/c [export]
        #6 file_access success read /srv/w/a [export] via handle
        #7 file_access success delete /srv/w/a [export]
    "#]],
    );
}
