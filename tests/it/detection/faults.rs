//! What a scenario's reader refuses, and how it says so.

use expect_test::{Expect, expect};
use ntk_tests::detection::scenario::read::read;
use proptest::prelude::*;

const HEADER: &str = r#"{"scenario":"ntk-scenario/1","name":"n","timezone":"America/New_York","people":3,"weeks":2,"from":"2026-01-05T05:00:00Z","counted_from":"2026-01-05T05:00:00Z"}"#;

fn event(time: &str, rest: &str) -> String {
    format!(
        r#"{{"event":{{"kind":"file_access","time":"{time}","outcome":"success","action":"read",{rest}}},"author":"agent/srv-01","received":"{time}"}}"#
    )
}

#[track_caller]
fn refused(lines: &[&str], expected: Expect) {
    let text = lines.join("\n");
    let told = match read(&mut text.as_bytes()) {
        Ok(_) => "taken".to_owned(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&told);
}

#[test]
fn faults_of_lines_are_told_with_what_to_do() {
    refused(&[""], expect!["line 1: the file is empty; begin with a header; tests/scenario.md shows one"]);
    refused(
        &[
            HEADER,
            "not json",
            "[1]",
            "",
            r#"{"neither":1}"#,
            r#"{"act":{"kind":"roster","body":{}},"at":"2026-01-05T06:00:00Z"}"#,
            r#"{"act":{"kind":"act_roster","body":{"text":"x = "}},"at":"2026-01-05T06:00:00Z"}"#,
            r#"{"act":{"kind":"act_policy","body":{"template":"dental-office"}},"at":"2026-01-05T06:00:00Z"}"#,
            r#"{"act":{"kind":"act_ticket","body":{"id":"T-1"}},"at":"2026-01-05T06:00:00Z","by":"mary"}"#,
            r#"{"act":{"kind":"act_ticket","body":{"id":"T-1"}},"at":"2026-01-05T05:59:00Z"}"#,
            HEADER,
        ],
        expect![[r#"
            line 2: this is no JSON object (expected ident at column 2); write one whole object a line, in double quotes
            line 3: this is no JSON object (invalid type: sequence, expected a map at column 0); write one whole object a line, in double quotes
            line 4: the line is empty; take it out; each line is one JSON object
            line 5: none of scenario, act, event, label stands here (found: neither); tests/scenario.md shows the four kinds of lines
            line 6: act.kind: `roster` is no act; acts begin with act_, such as act_roster; what machines record goes into an event
            line 7: act.body.text is no TOML: string values must be quoted, expected literal string; import the file with ntk-collector, which names its line, and paste the text that it took
            line 8: act.body.template: there is no template `dental-office`; write "small-practice", or the whole table as `text`
            line 9: an act is not as it should be: unknown field `by`, expected `act` or `at`; tests/scenario.md lists the fields of each kind of line
            line 10: at: 2026-01-05T05:59:00Z lies before the line above; sort acts and events by `at` and `received`, as the collector would have them
            line 10: act.body has no step; write "step":"requested", "approved", "declined", "closed", "opened" or "acknowledged"
            line 11: a second header; keep the first line only; one scenario a file"#]],
    );
}

#[test]
fn faults_of_headers_are_told_at_once() {
    refused(
        &[
            r#"{"scenario":"ntk-scenario/9","name":"n","timezone":"Mars/Olympus","people":0,"weeks":2,"from":"yesterday","counted_from":"2026-01-05T05:00:00Z"}"#,
        ],
        expect![[r#"
            line 1: scenario: this version does not know `ntk-scenario/9`; write "ntk-scenario/1"
            line 1: timezone: there is no zone `Mars/Olympus`; write an IANA name such as America/New_York
            line 1: people and weeks: not counts of a practice; write whole numbers from 1, weeks to 5200
            line 1: from: `yesterday` is no moment; write RFC 3339 UTC, such as 2026-01-05T09:00:00Z"#]],
    );
    refused(
        &[r#"{"scenario":"ntk-scenario/1","people":-1}"#],
        expect![
            "line 1: the header is not as it should be: invalid value: integer `-1`, expected u32; tests/scenario.md lists the fields of each kind of line"
        ],
    );
    refused(
        &[&event("2026-01-05T15:00:00Z", r#""object":{"class":"export"}"#)],
        expect![[
            r#"line 1: the header is missing; begin with {"scenario":"ntk-scenario/1","name":..,"timezone":..,..}"#
        ]],
    );
}

#[test]
fn faults_of_events_and_labels_are_told_with_what_to_do() {
    let label =
        |id: &str, rest: &str| format!(r#"{{"label":{{"id":"{id}","kind":"k","about":"a",{rest}}}}}"#);
    refused(
        &[
            HEADER,
            &event("2026-01-05T15:00:00Z", r#""object":{"class":"fax"}"#),
            &event("noon", r#""object":{"class":"export"}"#),
            &event("2026-01-05T15:00:00Z", r#""colour":"red""#),
            &event("2026-01-05T14:00:00Z", r#""object":{"class":"export"}"#),
            r#"{"event":{"kind":"act_roster","time":"2026-01-05T15:00:00Z"},"author":"agent/a","received":"2026-01-05T15:00:00Z"}"#,
            r#"{"event":{"kind":"login","time":"2026-01-05T15:00:00Z"},"author":"collector","received":"2026-01-05T15:00:00Z"}"#,
            r#"{"event":{"kind":"login","time":"2026-01-05T15:00:00Z"},"author":"agent/a","received":"2026-01-05T15:00:00Z","label":"I-9"}"#,
            &label("I-1", r#""incident":true"#),
            &label("I-1", r#""incident":true"#),
            &label("I-2-context", r#""incident":true,"key":false"#),
            &label("I-3", r#""incident":false,"key":false"#),
            r#"{"label":{"id":"I-4","kind":"Not A Word","incident":true,"about":"a"}}"#,
        ],
        expect![[r#"
            line 2: event: this version does not know `object.class=fax`; correct the word; event.schema.json of the evidence crate lists all
            line 3: received: `noon` is no moment; write RFC 3339 UTC, such as 2026-01-05T09:00:00Z
            line 3: event.time: `noon` is no moment; write RFC 3339 UTC, such as 2026-01-05T09:00:00.250Z
            line 4: event: this version does not know `colour`; correct the word; event.schema.json of the evidence crate lists all
            line 5: received: 2026-01-05T14:00:00Z lies before the line above; sort acts and events by `at` and `received`, as the collector would have them
            line 6: event.kind: `act_roster` is an act; write acts as {"act":{"kind":..,"body":..},"at":..}
            line 7: author: `collector` is no agent and no import; write agent/NAME or import/NAME in small letters, digits, dots and dashes
            line 8: label: `I-9` is not declared above; declare it in a line of its own before its first event
            line 9: the incident `I-1` has no entry; put its label on the events that matter, or take it out
            line 10: label.id: `I-1` is declared in line 9 already; give each case an id of its own
            line 11: label.id: there is no case `I-2` for this context; declare the case in a line above
            line 12: label.id: `I-3` and key do not fit; end the id with -context where key is false, and only there
            line 13: label.kind: `Not A Word` is not in snake_case; write a word such as slow_drip
            line 13: the incident `I-4` has no entry; put its label on the events that matter, or take it out"#]],
    );
}

#[test]
fn a_line_without_end_is_not_kept_in_memory() {
    let mut text = format!("{HEADER}\n{{\"label\":\"").into_bytes();
    text.extend(std::iter::repeat_n(b'x', 9 << 20));
    text.extend_from_slice(b"\"}\n[]");
    let error = read(&mut text.as_slice()).unwrap_err();
    expect![[r#"
        line 2: the line is longer than 4194304 bytes; write one object a line
        line 3: this is no JSON object (invalid type: sequence, expected a map at column 0); write one whole object a line, in double quotes"#]].assert_eq(&error.to_string());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_a_scenario_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&mut bytes.as_slice());
    }

    #[test]
    fn a_scenario_with_any_bytes_in_it_is_a_scenario_or_an_error(
        at in 0usize..4000,
        bytes in proptest::collection::vec(any::<u8>(), 0..8),
    ) {
        let time = "2026-01-05T15:00:00Z";
        let lines = [HEADER.to_owned(), event(time, r#""object":{"class":"export"},"count":2"#), event(time, r#""pid":1"#)];
        let mut text = lines.join("\n").into_bytes();
        let at = at % text.len();
        let end = (at + bytes.len()).min(text.len());
        text.splice(at..end, bytes);
        let _ = read(&mut text.as_slice());
    }
}
