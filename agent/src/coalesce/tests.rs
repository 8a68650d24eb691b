//! Which records make one observation, in any order and with any of them missing.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(lines: &str, expected: Expect) {
    let mut coalescer = Coalescer::default();
    let mut text = String::new();
    let mut show = |when: &str, observations: Vec<Observation>| {
        for observation in observations {
            let kinds: Vec<u16> = observation.records.iter().map(Record::kind).collect();
            text.push_str(&format!("{when}: {} {kinds:?} ", observation.stamp.serial()));
            text.push_str(&format!("{:?}\n", observation.completeness));
        }
    };
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let record = Record::from_line(line.as_bytes()).unwrap();
        let (name, now) = (record.kind().to_string(), record.stamp().since_epoch());
        show(&name, coalescer.take(record, now));
    }
    show("end", coalescer.flush());
    expected.assert_eq(&text);
}

#[test]
fn interleaved_events_are_told_apart_and_end_with_eoe() {
    check(
        "type=SYSCALL msg=audit(1.000:1): items=1
         type=SYSCALL msg=audit(1.000:2): items=0
         type=CWD msg=audit(1.000:1): cwd=\"/\"
         type=EOE msg=audit(1.000:2): 
         type=PATH msg=audit(1.000:1): item=0
         type=EOE msg=audit(1.000:1): ",
        expect![[r#"
            1320: 2 [1300] Complete
            1320: 1 [1300, 1307, 1302] Complete
        "#]],
    );
}

#[test]
fn without_eoe_an_event_ends_with_its_command_line_and_late_records_are_dropped() {
    check(
        "type=SYSCALL msg=audit(1.000:1): items=0
         type=PROCTITLE msg=audit(1.000:1): proctitle=\"x\"
         type=EOE msg=audit(1.000:1): 
         type=USER_END msg=audit(1.000:2): pid=1 msg='op=x'
         type=USER_END msg=audit(1.000:2): pid=1 msg='op=x'",
        expect![[r#"
            1327: 1 [1300, 1327] Complete
            1106: 2 [1106] Complete
        "#]],
    );
}

#[test]
fn an_io_uring_event_ends_with_the_last_path_that_it_announces() {
    check(
        "type=URINGOP msg=audit(1.000:1): uring_op=18 items=2 pid=7
         type=CWD msg=audit(1.000:1): cwd=\"/\"
         type=PATH msg=audit(1.000:1): item=0
         type=URINGOP msg=audit(1.000:2): uring_op=26 items=0 pid=7
         type=URINGOP msg=audit(1.000:3): uring_op=18 items=1 pid=7
         type=SYSCALL msg=audit(1.000:3): syscall=426 items=1 pid=7
         type=CWD msg=audit(1.000:3): cwd=\"/\"
         type=PATH msg=audit(1.000:3): item=0
         type=PROCTITLE msg=audit(1.000:3): proctitle=\"x\"
         type=PATH msg=audit(1.000:1): item=1",
        expect![[r#"
            1327: 3 [1336, 1300, 1307, 1302, 1327] Complete
            1302: 1 [1336, 1307, 1302, 1302] Complete
            end: 2 [1336] Complete
        "#]],
    );
}

#[test]
fn what_is_missing_is_said() {
    check(
        "type=SYSCALL msg=audit(1.000:1): items=2
         type=PATH msg=audit(1.000:1): item=0
         type=PATH msg=audit(1.000:2): item=0
         type=CONFIG_CHANGE msg=audit(1.500:3): op=set
         type=USER_END msg=audit(3.000:4): pid=1 msg='op=x'",
        expect![[r#"
            1106: 1 [1300, 1302] Partial { missing: ["PATH", "CWD"] }
            1106: 2 [1302] Partial { missing: ["SYSCALL"] }
            1106: 4 [1106] Complete
            end: 3 [1305] Complete
        "#]],
    );
}

#[test]
fn a_login_goes_out_before_what_follows_it() {
    check(
        "type=LOGIN msg=audit(1.000:1): pid=1 auid=1001
         type=USER_START msg=audit(1.000:2): pid=1 msg='op=x'
         type=SYSCALL msg=audit(1.000:1): items=0",
        expect![[r#"
            1105: 1 [1006] Complete
            1105: 2 [1105] Complete
        "#]],
    );
}

#[test]
fn memory_is_bounded_by_giving_out_the_oldest() {
    let mut coalescer = Coalescer::default();
    let mut n_out = 0;
    for serial in 0..PENDING_MAX + 10 {
        let line = format!("type=SYSCALL msg=audit(1.000:{serial}): items=1");
        n_out += coalescer.take(Record::from_line(line.as_bytes()).unwrap(), Duration::ZERO).len();
    }
    assert_eq!((n_out, coalescer.pending.len()), (10, PENDING_MAX));
    let long = format!("type=PATH msg=audit(2.000:7): name={}", "4".repeat(60_000));
    for _ in 0..PENDING_BYTES_MAX / 60_000 + 2 {
        coalescer.take(Record::from_line(long.as_bytes()).unwrap(), Duration::ZERO);
    }
    assert!(coalescer.pending_bytes <= PENDING_BYTES_MAX);
}
