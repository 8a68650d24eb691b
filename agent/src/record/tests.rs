//! What a record is, and that anything else is an error and no panic.

use proptest::prelude::*;

use super::*;

const OPEN: &[u8] = br#"node=vm type=SYSCALL msg=audit(1795350710.388:22): arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c a2=0 auid=1001 ses=4294967295 comm="cat" exe=2F612062 key=(null)"#;

#[test]
fn fields_are_read_in_every_form() {
    let record = Record::from_line(OPEN).unwrap();
    assert_eq!(record.node(), Some("vm"));
    assert_eq!(record.kind(), kind::SYSCALL);
    assert_eq!(record.stamp().serial(), 22);
    assert_eq!(record.stamp().rfc3339(), "2026-11-22T12:31:50.388Z");
    assert_eq!(record.id("auid"), Some(1001));
    assert_eq!(record.id("ses"), None);
    assert_eq!(record.field("exit").unwrap().signed(), Some(-13));
    assert_eq!(record.hexadecimal("a0"), Some(0xffff_ff9c));
    assert_eq!(record.text("comm").as_deref(), Some("cat"));
    assert_eq!(record.text("exe").as_deref(), Some("/a b"));
    assert_eq!(record.text("key"), None);
    assert_eq!(record.text("absent"), None);
}

#[test]
fn a_senders_words_never_pass_for_the_kernels() {
    let line = br#"type=USER msg=audit(1795351803.844:1697049): pid=16685 uid=0 auid=1001 ses=46 msg='text=op=login ' auid=1002 acct="frontdesk1" res=success'"#;
    let record = Record::from_line(line).unwrap();
    assert_eq!(record.id("auid"), Some(1001));
    assert_eq!(record.field("acct"), None);
    assert_eq!(record.claim_text("acct").as_deref(), Some("frontdesk1"));
    assert_eq!(record.claim("auid").unwrap().id(), Some(1002));
}

#[test]
fn enriched_names_count_only_where_no_sender_could_write_them() {
    let line = b"type=LOGIN msg=audit(1.000:1): pid=1 auid=1001\x1dAUID=\"itadmin1\" UID=\"unset\"";
    let record = Record::from_line(line).unwrap();
    assert_eq!(record.enriched("AUID").as_deref(), Some("itadmin1"));
    assert_eq!(record.enriched("UID"), None);
    let line = b"type=USER msg=audit(1.000:1): pid=1 auid=1001 msg='x=1 \x1dAUID=\"root\" '\x1dAUID=\"root\"";
    assert_eq!(Record::from_line(line).unwrap().enriched("AUID"), None);
}

#[test]
fn types_may_be_names_or_numbers() {
    for word in ["URINGOP", "1336", "UNKNOWN[1336]"] {
        let line = format!("type={word} msg=audit(1.000:1): uring_op=18");
        assert_eq!(Record::from_line(line.as_bytes()).unwrap().kind(), kind::URINGOP);
    }
    assert_eq!(Record::from_line(b"type=SYSCXLL msg=audit(1.000:1): x=1"), Err(RecordError::Type));
}

#[test]
fn a_netlink_message_is_the_same_record_without_type_and_node() {
    let payload = b"audit(1795350710.388:22): pid=1 auid=1001\0\0".to_vec();
    let record = Record::from_raw(RawRecord { kind: 1006, payload: &payload }).unwrap();
    assert_eq!(
        record,
        Record::from_line(b"type=LOGIN msg=audit(1795350710.388:22): pid=1 auid=1001").unwrap()
    );
}

#[test]
fn damage_is_an_error_that_says_which() {
    assert_eq!(Record::from_line(b"hello"), Err(RecordError::Type));
    assert_eq!(Record::from_line(b"type=PATH msg=audit(1.5"), Err(RecordError::Stamp));
    assert_eq!(Record::from_line(b"type=PATH msg=audit(1.1000:5): x"), Err(RecordError::Stamp));
    assert_eq!(Record::from_line(b"type=PATH msg=audit(1.100:5): name=\"/a"), Err(RecordError::CutOff));
    assert_eq!(
        Record::from_line(b"type=USER_END msg=audit(1.100:5): pid=1 msg='op="),
        Err(RecordError::CutOff)
    );
    assert_eq!(Record::from_line(&vec![b'a'; RECORD_BYTES_MAX + 1]), Err(RecordError::TooLong));
}

#[test]
fn names_that_are_no_utf8_stay_apart() {
    let record = Record::from_line(b"type=PATH msg=audit(1.100:5): name=2FFF62").unwrap();
    assert_eq!(record.text("name").as_deref(), Some("/\\xffb"));
}

fn touch(record: &Record) {
    for name in ["pid", "name", "acct", "a2", "exit", "key", "auid", ""] {
        let _ = (record.text(name), record.claim_text(name), record.number(name), record.id(name));
        let _ = (record.hexadecimal(name), record.enriched(name), record.size_bytes());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..512), kind in any::<u16>()) {
        if let Ok(record) = Record::from_line(&bytes) { touch(&record); }
        if let Ok(record) = Record::from_raw(RawRecord { kind, payload: &bytes }) { touch(&record); }
    }

    #[test]
    fn a_mutated_record_is_a_record_or_an_error(at in 0..OPEN.len(), byte in any::<u8>(), cut in 0..OPEN.len()) {
        let mut line = OPEN.to_vec();
        line[at] = byte;
        if let Ok(record) = Record::from_line(&line) { touch(&record); }
        if let Ok(record) = Record::from_line(&line[..cut]) { touch(&record); }
    }
}

#[test]
fn a_bare_name_that_looks_like_lower_case_hex_stays_a_name() {
    let record =
        Record::from_line(b"type=USER_AUTH msg=audit(1.100:5): pid=1 msg='acct=abba exe=2F61'").unwrap();
    assert_eq!(record.claim_text("acct").as_deref(), Some("abba"));
    assert_eq!(record.claim_text("exe").as_deref(), Some("/a"));
}
