//! Every form of a record, and everything that can be wrong with one.

use proptest::prelude::*;

use super::*;

/// A record as `EvtRender` gives it, with the fields of a file access.
const XML: &str = r#"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing' Guid='{54849625-5478-4994-a5ba-3e3b0328c30d}'/><EventID Qualifiers='0'>4663</EventID><Version>1</Version><Level>0</Level><Task>12800</Task><Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='2026-11-20T08:01:02.1234567Z'/><EventRecordID>77</EventRecordID><Correlation/><Execution ProcessID='4' ThreadID='88'/><Channel>Security</Channel><Computer>SRV01</Computer><Security UserID='S-1-5-18'/></System><EventData><Data Name='ObjectName'>C:\R&amp;D &lt;x&gt;\M&#252;ller.pst</Data><Data Name='AccessMask'>0x1</Data><Data Name='HandleId'>-</Data><Data Name='Empty'/><Data>one</Data><Data>two</Data><Binary>00</Binary></EventData><RenderingInfo Culture='de-DE'><Message>Es wurde versucht</Message></RenderingInfo></Event>"#;

#[test]
fn xml_gives_system_and_fields_and_no_message() {
    let record = Record::from_xml(XML).unwrap();
    assert_eq!((record.computer.as_str(), record.channel.as_str()), ("SRV01", "Security"));
    assert_eq!((record.event_id, record.version, record.record_id), (4663, 1, Some(77)));
    assert_eq!(record.time.rfc3339(), "2026-11-20T08:01:02.1234567Z");
    assert_eq!(record.user_sid.as_deref(), Some("S-1-5-18"));
    assert_eq!(record.field("ObjectName"), Some(r"C:\R&D <x>\Müller.pst"));
    assert_eq!(record.number("AccessMask"), Some(1));
    assert_eq!(
        (record.field("HandleId"), record.field("Empty"), record.field("Message")),
        (None, None, None)
    );
    assert_eq!(
        (record.field("0"), record.field("1"), record.field("Binary")),
        (Some("one"), Some("two"), Some("00"))
    );
    assert!(!record.is_failure());
}

#[test]
fn user_data_lies_within_an_element_of_the_provider() {
    let xml = r#"<Event><System><Provider Name="Microsoft-Windows-Eventlog"/><EventID>1102</EventID><TimeCreated SystemTime="2026-11-20T08:01:02Z"/><Channel>Security</Channel><Computer>X</Computer></System><UserData><LogFileCleared xmlns="x"><SubjectUserName>sam</SubjectUserName></LogFileCleared></UserData></Event>"#;
    assert_eq!(Record::from_xml(xml).unwrap().field("SubjectUserName"), Some("sam"));
}

#[test]
fn what_is_no_record_is_said() {
    assert_eq!(Record::from_xml("<Event>"), Err(RecordError::Malformed));
    assert_eq!(Record::from_xml(""), Err(RecordError::Malformed));
    assert_eq!(Record::from_xml("<Event/>"), Err(RecordError::Malformed));
    assert_eq!(Record::from_xml("<Event></Event>"), Err(RecordError::Missing("Computer")));
    assert_eq!(
        Record::from_xml("<!DOCTYPE a [<!ENTITY b 'c'>]><Event></Event>"),
        Err(RecordError::Malformed)
    );
    assert_eq!(Record::from_xml(&"<a>".repeat(100_000)), Err(RecordError::Malformed));
    assert_eq!(Record::from_xml(&" ".repeat(xml::XML_BYTES_MAX + 1)), Err(RecordError::TooLong));
    assert_eq!(
        Record::from_xml(&XML.replace("<Computer>SRV01</Computer>", "")),
        Err(RecordError::Missing("Computer"))
    );
    assert_eq!(Record::from_json(b"[]"), Err(RecordError::Malformed));
    assert_eq!(Record::from_json(b"{\"EventID\": 1}"), Err(RecordError::Missing("Computer")));
    assert_eq!(Record::from_json("[".repeat(200_000).as_bytes()), Err(RecordError::Malformed));
}

/// The access of [`XML`] as each forwarder writes it, with and without what it does not have.
const JSON: &[(&str, &str)] = &[
    (
        "winlogbeat, nested",
        r#"{"@timestamp":"2026-11-20T08:01:02.123Z","message":"Es wurde","event":{"outcome":"success"},"winlog":{"computer_name":"SRV01","channel":"Security","provider_name":"Microsoft-Windows-Security-Auditing","event_id":"4663","record_id":77,"version":1,"time_created":"2026-11-20T08:01:02.1234567Z","keywords":["Audit Success"],"event_data":{"ObjectName":"C:\\x","AccessMask":"0x1"}}}"#,
    ),
    (
        "winlogbeat, dotted",
        r#"{"@timestamp":"2026-11-20T08:01:02.123Z","winlog.computer_name":"SRV01","winlog.channel":"Security","winlog.provider_name":"Microsoft-Windows-Security-Auditing","winlog.event_id":4663,"winlog.record_id":"77","winlog.version":1,"winlog.time_created":"2026-11-20T08:01:02.1234567Z","winlog.event_data.ObjectName":"C:\\x","winlog.event_data.AccessMask":"0x1"}"#,
    ),
    (
        "winlogbeat 6",
        r#"{"@timestamp":"2026-11-20T08:01:02.1234567Z","computer_name":"SRV01","log_name":"Security","source_name":"Microsoft-Windows-Security-Auditing","event_id":4663,"record_number":"77","version":1,"event_data":{"ObjectName":"C:\\x","AccessMask":"0x1"}}"#,
    ),
    (
        "nxlog",
        r#"{"@timestamp":"2026-11-20T13:01:04.5Z","EventReceivedTime":"2026-11-20 08:01:03","EventTime":"2026-11-20 03:01:02.1234567","Hostname":"SRV01","Channel":"Security","SourceName":"Microsoft-Windows-Security-Auditing","EventID":4663,"RecordNumber":77,"Version":1,"Keywords":-9214364837600034816,"EventType":"AUDIT_SUCCESS","ObjectName":"C:\\x","AccessMask":"0x1","Message":"Es wurde"}"#,
    ),
    (
        "evtx_dump",
        r##"{"Event":{"#attributes":{"xmlns":"x"},"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Security-Auditing"}},"EventID":4663,"Version":1,"Keywords":"0x8020000000000000","TimeCreated":{"#attributes":{"SystemTime":"2026-11-20T08:01:02.1234567Z"}},"EventRecordID":77,"Channel":"Security","Computer":"SRV01"},"EventData":{"ObjectName":"C:\\x","AccessMask":"0x1"}}}"##,
    ),
];

#[test]
fn every_form_of_json_gives_the_same_record() {
    for (form, line) in JSON {
        let record = Record::from_json(line.as_bytes()).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(record.computer, "SRV01", "{form}");
        assert_eq!((record.event_id, record.version, record.record_id), (4663, 1, Some(77)), "{form}");
        assert!(record.is_security() && !record.is_failure(), "{form}");
        assert_eq!(record.field("ObjectName"), Some(r"C:\x"), "{form}");
        assert_eq!(record.fields().filter(|(name, _)| *name != "xmlns").count(), 2, "{form}: {record:?}");
        if *form != "nxlog" {
            assert_eq!(record.time.rfc3339(), "2026-11-20T08:01:02.1234567Z", "{form}");
        }
    }
}

#[test]
fn a_refusal_is_known_in_every_form() {
    for (form, line) in JSON {
        let line = line
            .replace(r#""outcome":"success""#, r#""outcome":"failure""#)
            .replace("AUDIT_SUCCESS", "AUDIT_FAILURE")
            .replace("0x8020000000000000", "0x8010000000000000")
            .replace(r#""winlog.version""#, r#""event.outcome":"failure","winlog.version""#)
            .replace(r#""record_number""#, r#""keywords":["Audit Failure"],"record_number""#);
        assert!(Record::from_json(line.as_bytes()).unwrap().is_failure(), "{form}");
    }
}

#[test]
fn local_time_without_a_zone_is_put_right_by_the_time_of_reception() {
    let time = |line: &str| Record::from_json(line.as_bytes()).unwrap().time.rfc3339();
    let line = |utc: &str| {
        format!(
            r#"{{"@timestamp":"{utc}","EventReceivedTime":"2026-11-20 03:01:03","EventTime":"2026-11-20 03:01:02","Hostname":"x","EventID":1}}"#
        )
    };
    assert_eq!(time(&line("2026-11-20T08:01:05.5Z")), "2026-11-20T08:01:02Z");
    assert_eq!(time(&line("2026-11-19T21:16:04Z")), "2026-11-19T21:16:02Z", "a zone of quarters of an hour");
    assert_eq!(time(&line("2026-12-20T08:01:05Z")), "2026-11-20T03:01:02Z", "a month is no zone");
    assert_eq!(
        time(r#"{"EventTime":"2026-11-20 03:01:02","Hostname":"x","EventID":1}"#),
        "2026-11-20T03:01:02Z"
    );
    let zoned = r#"{"@timestamp":"2026-11-20T09:01:05Z","EventTime":"2026-11-20T03:01:02-05:00","EventReceivedTime":"2026-11-20 03:01:03","Hostname":"x","EventID":1}"#;
    assert_eq!(time(zoned), "2026-11-20T08:01:02Z");
}

proptest! {
    // EV-2: any bytes give a record or an error.
    #[test]
    fn any_text_is_a_record_or_an_error(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Record::from_xml(&text);
        let _ = Record::from_json(text.as_bytes());
        let _ = Record::from_json(&bytes);
    }

    // EV-2: the same of records with bytes exchanged, cut and doubled.
    #[test]
    fn a_mutated_record_is_a_record_or_an_error(
        which in 0_usize..=JSON.len(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
        doubled in any::<prop::sample::Index>(),
    ) {
        let text = JSON.get(which).map_or(XML, |(_, line)| line);
        let mut bytes = text.as_bytes().to_vec();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let tail = bytes.split_off(doubled.index(bytes.len()));
        let again = tail.get(..tail.len().min(60)).unwrap().to_vec();
        bytes.extend(again);
        bytes.extend(tail);
        bytes.truncate(cut.index(bytes.len()).max(bytes.len() / 2));
        let text = String::from_utf8_lossy(&bytes);
        for record in [Record::from_xml(&text), Record::from_json(&bytes)].into_iter().flatten() {
            prop_assert!(record.fields().count() <= FIELDS_MAX);
            prop_assert!(record.fields().all(|(_, text)| text.len() <= FIELD_BYTES_MAX));
        }
    }
}
