//! A file in any pieces gives the same records; damage is one record's and goes no further.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn all(bytes: &[u8], at_once: usize) -> Result<Vec<Record>, NotThis> {
    let mut records = Records::default();
    let mut found = Vec::new();
    for piece in bytes.chunks(at_once.max(1)) {
        found.extend(records.push(piece)?);
    }
    found.extend(records.finish()?);
    Ok(found)
}

fn check(text: &[u8], expected: Expect) {
    let told = |found: Result<Vec<Record>, NotThis>| match found {
        Err(refusal) => format!("! {refusal}"),
        Ok(found) => {
            let line = |record: &Record| match &record.content {
                Content::Json(value) => format!("{} {value}", record.row),
                Content::Cells(cells) => format!("{} {cells:?}", record.row),
                Content::Damaged(what) => format!("{} damaged: {what}", record.row),
            };
            found.iter().map(line).collect::<Vec<_>>().join("\n")
        }
    };
    let whole = told(all(text, usize::MAX));
    for at_once in [1, 3, 7, 64] {
        assert_eq!(told(all(text, at_once)), whole, "in pieces of {at_once}");
    }
    expected.assert_eq(&whole);
}

#[test]
fn json_comes_as_lines_one_after_the_other_or_as_an_array() {
    check(
        b"{\"a\":1}\n\n{\"b\":\"}{\\\"\"}",
        expect![[r#"
        1 {"a":1}
        2 {"b":"}{\""}"#]],
    );
    check(
        b" [ {\"a\":1},\n {\"b\":[1,{\"c\":2}]} ] \n",
        expect![[r#"
        1 {"a":1}
        2 {"b":[1,{"c":2}]}"#]],
    );
    check(
        b"{\n  \"a\": 1\n}\n{\n  \"b\": 2\n}\n",
        expect![[r#"
        1 {"a":1}
        2 {"b":2}"#]],
    );
}

#[test]
fn a_damaged_line_is_one_record_and_the_next_is_read() {
    check(
        b"{\"a\":1}\n{\"b\":\n7\n{\"c\":3}\n",
        expect![[r#"
        1 {"a":1}
        2 damaged: it is no JSON: EOF while parsing a value at line 1 column 5
        3 damaged: it is JSON and no object
        4 {"c":3}"#]],
    );
    check(
        b"[{\"a\":1},{\"b\":",
        expect![[r#"
        1 {"a":1}
        2 damaged: it is no JSON: EOF while parsing a value at line 1 column 5"#]],
    );
}

#[test]
fn csv_has_names_in_its_first_line_and_cells_with_commas_quotes_and_lines() {
    check(
        "\u{feff}RecordId,AuditData\r\nr1,\"{\"\"a\"\":\n1}\"\r\nr2\r\nr3,x\r\n".as_bytes(),
        expect![[r#"
            2 [("RecordId", "r1"), ("AuditData", "{\"a\":\n1}")]
            3 damaged: it has 1 cells where the first line names 2 columns
            4 [("RecordId", "r3"), ("AuditData", "x")]"#]],
    );
}

#[test]
fn what_is_something_else_is_refused_with_what_to_do() {
    check(b"", expect!["! the file is empty"]);
    check(b"  \n", expect!["! the file is empty"]);
    check(
        b"PK\x03\x04....",
        expect!["! the file is a ZIP archive or a spreadsheet; import the CSV or JSON file itself"],
    );
    check(
        b"\xff\xfea\0",
        expect![
            "! the file is in UTF-16; save it again as UTF-8 (in a spreadsheet: “CSV UTF-8”) and import that one"
        ],
    );
    // How much of it is shown depends on how much was there.
    for bytes in [&b"\x00\x01\x02\x03 "[..], b"Mary\x00Miller, 12 March"] {
        assert!(matches!(all(bytes, usize::MAX), Err(NotThis::Neither(_))));
    }
}

#[test]
fn a_record_without_end_is_given_up_and_reading_goes_on_behind_it() {
    let mut text = b"{\"a\":1}\n{\"long\":\"".to_vec();
    text.extend(std::iter::repeat_n(b'x', RECORD_BYTES_MAX + 10));
    text.extend(b"\"}\n{\"c\":3}\n");
    let found = all(&text, 100_000).unwrap();
    let rows: Vec<u64> = found.iter().map(|record| record.row).collect();
    assert_eq!(rows, [1, 2, 3]);
    assert!(matches!(&found[1].content, Content::Damaged(what) if what.contains("longer than 1024 KiB")));
    assert!(matches!(&found[2].content, Content::Json(_)));
    // A quote that is never closed swallows no more than one record's room.
    let mut text = b"A,AuditData\n1,\"open".to_vec();
    text.extend(std::iter::repeat_n(b'x', RECORD_BYTES_MAX));
    text.extend(b"\n2,b\n");
    let found = all(&text, 4096).unwrap();
    assert!(matches!(&found[0].content, Content::Damaged(_)), "{:?}", found[0].row);
    assert!(matches!(&found.last().unwrap().content, Content::Cells(cells) if cells[1].1 == "b"));
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_records_or_a_refusal(
        start in prop::sample::select(vec!["", "[", "{", "A,AuditData\n", "{\"a\":1}\n", "\u{feff}"]),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        at_once in 1usize..50,
    ) {
        let text = [start.as_bytes(), &bytes].concat();
        let _ = all(&text, at_once);
    }

    #[test]
    fn text_of_json_and_csv_with_faults_never_panics(
        text in "[\\[\\]{}\",:\\\\na1 \\n\\r]{0,200}",
        at_once in 1usize..20,
    ) {
        let whole = all(text.as_bytes(), usize::MAX);
        let pieces = all(text.as_bytes(), at_once);
        if let (Ok(whole), Ok(pieces)) = (whole, pieces) {
            prop_assert_eq!(whole, pieces);
        }
    }
}
