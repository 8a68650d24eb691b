//! Logs of health-record systems: columns by a map, FHIR AuditEvents, and what is wrong with either.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

use super::map::{Map, MapError};
use super::*;
use crate::import::records::Records;

const MAP: &str = r#"
time = "Access Time"
timezone = "America/New_York"
user = "User ID"
patient = "Patient"
action = "Event"
what = "Screen"
from = "Workstation"
outcome = "Result"

[actions]
"Chart Review" = "read"
"Sign on" = "login"
"Heartbeat" = "noise"
"#;

fn told(found: &Found) -> String {
    match found {
        Found::Noise(rule) => format!("noise: {rule}"),
        Found::Damaged(what) => format!("damaged: {what}"),
        Found::Events(events) | Found::Rest(events) => {
            events.iter().map(|event| serde_json::to_string(event).unwrap()).collect::<Vec<_>>().join("\n")
        }
    }
}

fn check_csv(text: &str, expected: Expect) {
    let map = Map::parse(MAP).unwrap();
    let mut records = Records::default();
    let mut found = records.push(text.as_bytes()).unwrap();
    fits(records.columns().unwrap(), Some(&map)).unwrap();
    found.extend(records.finish().unwrap());
    let lines: Vec<String> = found.iter().map(|record| told(&read(record, Some(&map)))).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_table_is_read_by_its_map_in_the_systems_own_zone() {
    check_csv(
        "Access Time,User ID,Patient,Event,Screen,Workstation,Result\n\
         11/16/2026 8:05:00 AM,bnovak,4711,Chart Review,Notes,FD-02,OK\n\
         2026-11-16 08:06:00,bnovak,4711,Print,Labs,FD-02,Denied: no rights\n\
         2026-11-16T13:06:30Z,bnovak,,Sign on,,FD-02,OK\n\
         2026-11-16 08:07:00,,4712,Update,,,\n\
         2026-11-16 08:07:00,svc,,Heartbeat,,,\n\
         tomorrow,bnovak,4711,View,,,\n",
        expect![[r#"
            {"kind":"file_access","time":"2026-11-16T13:05:00Z","outcome":"success","actor":{"ehr_user":"bnovak","from":"FD-02"},"action":"read","object":{"path":"4711/Notes","class":"ehr"},"source":{"sensor":"ehr-audit","record":"line:e275bdf1007c642ef39325230fb2cd27","operation":"Chart Review","recorded":true}}
            {"kind":"file_access","time":"2026-11-16T13:06:00Z","outcome":"denied","actor":{"ehr_user":"bnovak","from":"FD-02"},"action":"read","object":{"path":"4711/Labs","class":"ehr"},"source":{"sensor":"ehr-audit","record":"line:bd9051234a3c3133796a8aabc793fbc8","operation":"Print","recorded":true}}
            {"kind":"login","time":"2026-11-16T13:06:30Z","outcome":"success","actor":{"ehr_user":"bnovak","from":"FD-02"},"source":{"sensor":"ehr-audit","record":"line:0592efb15e289c1353302363e4d175a4","operation":"Sign on","recorded":true}}
            {"kind":"file_access","time":"2026-11-16T13:07:00Z","actor":{"confidence":"unattributed"},"action":"write","object":{"path":"4712","class":"ehr"},"source":{"sensor":"ehr-audit","record":"line:866d45d8edf06745afeaf3846a954b85","operation":"Update","recorded":true}}
            noise: words that the map calls noise
            damaged: its time cannot be read"#]],
    );
}

#[test]
fn a_map_that_fits_no_file_is_told_with_what_to_do() {
    let columns = ["Time".to_owned(), "User ID".to_owned()];
    let map = Map::parse(MAP).unwrap();
    expect!["the file has no column Access Time, Patient, Event, Screen, Workstation, Result, which the map names; its columns are Time, User ID"]
        .assert_eq(&fits(&columns, Some(&map)).unwrap_err().to_string());
    expect!["say which column holds what: give --map FILE (see `ntk-collector import --help`); the columns of this file are Time, User ID"]
        .assert_eq(&fits(&columns, None).unwrap_err().to_string());
    assert!(matches!(Map::parse("time = \"x\""), Err(MapError::Form(what)) if what.contains("user")));
    assert!(matches!(Map::parse("time = \"x\"\nuser = \"y\"\ncolour = 7"), Err(MapError::Form(_))));
    assert!(matches!(
        Map::parse("time = \"x\"\nuser = \"y\"\ntimezone = \"Mars\""),
        Err(MapError::Zone(zone)) if zone == "Mars"
    ));
}

#[test]
fn an_audit_event_of_fhir_names_user_record_and_workstation() {
    let event = json!({"resourceType": "AuditEvent", "id": "ae-1", "recorded": "2026-11-16T08:05:00-05:00", "action": "R",
        "outcome": "0", "type": {"code": "rest"}, "subtype": [{"code": "read"}],
        "agent": [{"who": {"display": "EHR server"}, "requestor": false},
            {"altId": "bnovak", "name": "Bea Novak", "requestor": true, "network": {"address": "10.0.0.12"}}],
        "entity": [{"what": {"reference": "Observation/77"}}, {"what": {"reference": "Patient/4711"}, "name": "Miller, Mary"}]});
    expect![[r#"{"kind":"file_access","time":"2026-11-16T13:05:00Z","outcome":"success","actor":{"ehr_user":"bnovak","from":"10.0.0.12"},"action":"read","object":{"path":"Patient/4711/Observation/77","class":"ehr"},"source":{"sensor":"ehr-audit","record":"ae-1","operation":"read","recorded":true}}"#]].assert_eq(&told(&fhir::read(&event)));
    let login = json!({"resourceType": "AuditEvent", "id": "ae-2", "recorded": "2026-11-16T13:00:00Z", "outcome": "8",
        "type": {"code": "110114"}, "subtype": [{"code": "110122"}], "agent": [{"altId": "bnovak"}]});
    expect![[r#"{"kind":"login","time":"2026-11-16T13:00:00Z","outcome":"failed","actor":{"ehr_user":"bnovak"},"source":{"sensor":"ehr-audit","record":"ae-2","operation":"110122","recorded":true}}"#]].assert_eq(&told(&fhir::read(&login)));
    for wrong in [json!({"resourceType": "Patient"}), json!({"resourceType": "AuditEvent"}), json!({})] {
        assert!(matches!(fhir::read(&wrong), Found::Damaged(_)), "{wrong}");
    }
}

#[test]
fn lines_without_ids_are_told_apart_by_who_what_when_and_whose() {
    let map = Map::parse(MAP).unwrap();
    let line = |screen: &str| {
        let cells = [
            ("Access Time", "2026-11-16 08:00:00"),
            ("User ID", "bnovak"),
            ("Patient", "4711"),
            ("Event", "View"),
            ("Screen", screen),
        ];
        let cells: Vec<_> =
            cells.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        match map.read(&cells) {
            Found::Events(events) => events[0].source.as_ref().unwrap().record.clone().unwrap(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(line("Notes"), line("Notes"));
    assert_ne!(line("Notes"), line("Labs"));
}

proptest! {
    #[test]
    fn any_map_and_any_cells_never_panic(map in "\\PC{0,80}", form in "[%a-zA-Z/: ]{0,20}", time in "\\PC{0,30}", word in "\\PC{0,20}") {
        let _ = Map::parse(&map);
        let quoted = form.replace(['"', '\\'], "");
        if let Ok(map) = Map::parse(&format!("time = \"t\"\nuser = \"u\"\naction = \"a\"\ntime_format = \"{quoted}\"")) {
            let cell = |name: &str, text: &str| (name.to_owned(), text.to_owned());
            let _ = map.read(&[cell("t", &time), cell("u", &word), cell("a", &word)]);
        }
    }

    #[test]
    fn any_json_is_an_audit_event_or_damage(text in "\\PC{0,40}", name in prop::sample::select(vec!["agent", "entity", "recorded", "action", "outcome", "type", "subtype", "id"])) {
        let mut event = json!({"resourceType": "AuditEvent", "recorded": "2026-11-16T08:05:00Z"});
        event[name] = json!([{"who": text, "what": {"reference": text}}, text]);
        let _ = fhir::read(&event);
        event[name] = json!(text);
        let _ = fhir::read(&event);
    }
}
