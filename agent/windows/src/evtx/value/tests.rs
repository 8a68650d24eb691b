//! What Windows writes for each type, from MS-EVEN6, MS-DTYP and the days of calendars.

use super::*;

fn text(kind: u8, bytes: &[u8]) -> Option<String> {
    Value { kind, at: 0, bytes }.text()
}

fn units(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn every_type_is_written_as_windows_does() {
    for (kind, bytes, written) in [
        (0, &b"\x01\x02"[..], ""),
        (1, &units("Zoë 𝄞\0rest"), "Zoë 𝄞"),
        (1, b"\x00\xd8a\0", "\u{fffd}a"),
        (2, b"caf\xe9 \x80\0", "café €"),
        (3, b"\xff", "-1"),
        (4, b"\xff", "255"),
        (5, b"\xfe\xff", "-2"),
        (6, b"\xfe\xff", "65534"),
        (7, b"\xfd\xff\xff\xff", "-3"),
        (8, b"\xfd\xff\xff\xff", "4294967293"),
        (9, &[0xff; 8], "-1"),
        (10, &[0xff; 8], "18446744073709551615"),
        (11, &1.5_f32.to_le_bytes(), "1.5"),
        (12, &(-2.25_f64).to_le_bytes(), "-2.25"),
        (13, b"\0\0\0\0", "false"),
        (13, b"\x01\0\0\0", "true"),
        (13, b"\x04\0\0\0", "4"),
        (14, b"\x00\xab\x0f", "00AB0F"),
        (
            15,
            b"\x25\x96\x84\x54\x78\x54\x94\x49\xa5\xba\x3e\x3b\x03\x28\xc3\x0d",
            "{54849625-5478-4994-a5ba-3e3b0328c30d}",
        ),
        (16, b"\x10\0\0\0", "0x10"),
        (16, b"\x10\0\0\0\x01\0\0\0", "0x100000010"),
        (17, &0_u64.to_le_bytes(), "1601-01-01T00:00:00.0000000Z"),
        (17, &132_514_047_021_234_567_u64.to_le_bytes(), "2020-12-02T17:45:02.1234567Z"),
        (17, &116_444_736_000_000_000_u64.to_le_bytes(), "1970-01-01T00:00:00.0000000Z"),
        (17, &u64::MAX.to_le_bytes(), "0000-00-00T00:00:00.0000000Z"),
        (18, b"\xe8\x07\x02\0\x04\0\x1d\0\x17\0\x3b\0\x3b\0\xe7\x03", "2024-02-29T23:59:59.9990000Z"),
        (18, b"\xe7\x07\x02\0\x04\0\x1d\0\x17\0\x3b\0\x3b\0\xe7\x03", "1601-01-01T00:00:00.0000000Z"),
        (19, b"\x01\x01\0\0\0\0\0\x05\x12\0\0\0", "S-1-5-18"),
        (19, b"\x01\x01\0\x01\0\0\0\x05\x12\0\0\0", "S-1-0x000100000005-18"),
        (20, b"\xef\xbe\xad\xde", "0xdeadbeef"),
        (21, b"\0\0\0\0\0\0\x20\x80", "0x8020000000000000"),
        // What takes no bytes has no text, whatever its type.
        (17, b"", ""),
        (33, b"", ""),
    ] {
        assert_eq!(text(kind, bytes).as_deref(), Some(written), "type {kind}, {bytes:?}");
    }
}

#[test]
fn what_is_too_short_or_of_an_unknown_type_has_no_text() {
    for (kind, bytes) in [
        (7, &b"\x01\x02"[..]),
        (15, &[0; 15]),
        (19, b"\x01\x02\0\0\0\0\0\x05\x12\0\0\0"),
        (32, b"1"),
        (99, b"1"),
    ] {
        assert_eq!(text(kind, bytes), None, "type {kind}, {bytes:?}");
    }
}

#[test]
fn arrays_are_their_items() {
    let sids = b"\x01\x01\0\0\0\0\0\x05\x12\0\0\0\x01\x01\0\0\0\0\0\x05\x13\0\0\0";
    for (kind, bytes, items) in [
        (0x81, &units("a\0\0bc\0")[..], &["a", "", "bc"][..]),
        (0x81, &units("a\0b"), &["a", "b"]),
        (0x81, b"", &[]),
        (0x82, b"x\0\0y\0", &["x", "", "y"]),
        (0x82, b"", &[]),
        (0x84, b"\x01\x02", &["1", "2"]),
        (0x95, &[1, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0], &["0x1", "0xff"]),
        (0x93, sids, &["S-1-5-18", "S-1-5-19"]),
    ] {
        let found = Value { kind, at: 0, bytes }.items().expect("an array");
        let found: Vec<String> = found.into_iter().filter_map(Value::text).collect();
        assert_eq!(found, items, "type {kind}, {bytes:?}");
    }
}

#[test]
fn every_day_has_the_date_of_the_calendar() {
    // Days from 1601-01-01, among them the ends of Februaries of leap years and of a century that is none.
    for (days, date_of_it) in [
        (0, [1601, 1, 1]),
        (58, [1601, 2, 28]),
        (59, [1601, 3, 1]),
        (36_523, [1700, 12, 31]),
        (36_524, [1701, 1, 1]),
        (134_774, [1970, 1, 1]),
        (145_790, [2000, 2, 29]),
        (146_096, [2000, 12, 31]),
        (146_097, [2001, 1, 1]),
    ] {
        assert_eq!(date(days), date_of_it, "{days}");
    }
}
