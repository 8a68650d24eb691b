//! Records of the shape of real ones (Exchange 2016 and 2019), with values made up.

use proptest::prelude::*;

use super::*;

fn record(channel: &str, id: u32, data: &[&str]) -> Record {
    let escaped = |text: &&str| {
        format!("<Data>{}</Data>", text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
    };
    let data: String = data.iter().map(escaped).collect();
    let xml = format!(
        r#"<Event><System><Provider Name="MSExchange CmdletLogs"/><EventID Qualifiers="16384">{id}</EventID><Keywords>0x80000000000000</Keywords><TimeCreated SystemTime="2026-11-20T08:01:02.1234567Z"/><EventRecordID>77</EventRecordID><Channel>{channel}</Channel><Computer>mail01.practice.example</Computer><Security/></System><EventData>{data}</EventData></Event>"#
    );
    Record::from_xml(&xml).unwrap()
}

const LOG: &str = "MSExchange Management";

#[test]
fn a_command_is_read_with_its_parameters_and_its_author() {
    let forwards = r#"-Identity "Anna Berg" -DeliverToMailboxAndForward "False" -ForwardingSmtpAddress "smtp:x@outside.example""#;
    let user = "practice.example/Users/Olga";
    let sid = "S-1-5-21-1-2-3-1111";
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let done = record(LOG, 1, &["Set-Mailbox", forwards, user, sid, sid, "Remote-ManagementShell-Unknown"]);
    let done = cmdlet(&done).unwrap();
    assert_eq!((done.name.as_str(), done.user.as_str(), done.failed), ("Set-Mailbox", user, false));
    let written = pairs(&[
        ("Identity", "Anna Berg"),
        ("DeliverToMailboxAndForward", "False"),
        ("ForwardingSmtpAddress", "smtp:x@outside.example"),
    ]);
    assert_eq!(done.parameters, written);
    assert_eq!(done.parameter("identity"), Some("Anna Berg"));
    assert_eq!(done.parameter("User"), None);
    let failed = record(LOG, 6, &["Install-TransportAgent", r#"-Name "n""#, "", sid, sid]);
    let failed = cmdlet(&failed).unwrap();
    assert_eq!((failed.user.as_str(), failed.failed), (sid, true));
}

#[test]
fn parameters_are_split_outside_of_quotation_marks_only() {
    for (text, found) in [
        ("", &[][..]),
        ("nothing", &[]),
        ("-Force", &[("Force", "")]),
        (
            r#"-Force -Confirm:$false -ResultSize -1"#,
            &[("Force", ""), ("Confirm", "$false"), ("ResultSize", "-1")],
        ),
        (r#"-Name "a -User b" -User "c""#, &[("Name", "a -User b"), ("User", "c")]),
        (
            r#"-AccessRights "FullAccess","ReadPermission" -User "x-Y""#,
            &[("AccessRights", r#""FullAccess","ReadPermission""#), ("User", "x-Y")],
        ),
        (r#"-Name """#, &[("Name", "")]),
        (r#"-Name "cut off -User b"#, &[("Name", r#""cut off -User b"#)]),
        ("-Größe 1\r\n  -B\t2", &[("Größe", "1"), ("B", "2")]),
    ] {
        let found: Vec<(String, String)> =
            found.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(parameters(text), found, "{text}");
    }
    assert_eq!(parameters(&"-a ".repeat(1000)).len(), PARAMETERS_MAX);
}

#[test]
fn other_records_are_no_commands() {
    for (channel, id, data) in
        [("Application", 1, &["Set-Mailbox"][..]), (LOG, 2, &["Set-Mailbox"]), (LOG, 1, &[]), (LOG, 6, &[""])]
    {
        assert_eq!(cmdlet(&record(channel, id, data)), None, "{channel} {id} {data:?}");
    }
}

#[test]
fn winlogbeat_counts_the_texts_from_one() {
    let line = r#"{"@timestamp":"2026-11-20T08:01:02.123Z","winlog":{"computer_name":"mail01","channel":"MSExchange Management","provider_name":"MSExchange CmdletLogs","event_id":"1","event_data":{"param1":"Add-MailboxPermission","param2":"-Identity \"Anna\"","param3":"practice.example/Users/Olga"}}}"#;
    let found = cmdlet(&Record::from_json(line.as_bytes()).unwrap()).unwrap();
    assert_eq!((found.name.as_str(), found.parameter("Identity")), ("Add-MailboxPermission", Some("Anna")));
    assert_eq!(found.user, "practice.example/Users/Olga");
}

proptest! {
    // EV-2
    #[test]
    fn any_text_gives_bounded_parameters(text in r#"([-" :a\n,ß]{0,80}|.{0,80})"#) {
        let found = parameters(&text);
        prop_assert!(found.len() <= PARAMETERS_MAX);
        let n_bytes: usize = found.iter().map(|(name, value)| name.len() + value.len()).sum();
        prop_assert!(n_bytes <= text.len());
    }
}
