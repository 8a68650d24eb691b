//! SearchResult.xml of an Exchange server: whole, cut off, something else.

use expect_test::expect;
use proptest::prelude::*;

use super::*;

const FILE: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<SearchResults>
  <Event MailboxGuid="d6f8" Owner="PRACTICE\dana" LastAccessed="2026-11-16T09:05:00-05:00" Operation="FolderBind" OperationResult="Succeeded" LogonType="Delegate" ExternalAccess="false" FolderPathName="\Inbox" ClientInfoString="Client=OWA;Mozilla" ClientIPAddress="10.0.0.9" MailboxOwnerUPN="dana@practice.example" MailboxOwnerSid="S-1-5-21-2" LogonUserDisplayName="IT Admin" LogonUserSid="S-1-5-21-9" />
  <Event Operation="HardDelete" OperationResult="Succeeded" LastAccessed="2026-11-16T14:06:00Z" LogonType="Admin" MailboxOwnerUPN="dana@practice.example" LogonUserDisplayName="IT &amp; Co" LogonUserSid="S-1-5-21-9">
    <SourceItems><Item Id="AAA" Subject="Mrs. Miller" FolderPathName="\Inbox"/><Item Id="BBB" Subject="Labs"/></SourceItems>
  </Event>
</SearchResults>"#;

fn all(text: &str) -> Result<Vec<Record>, NotThis> {
    let mut records = Records::default();
    for piece in text.as_bytes().chunks(7) {
        records.push(piece)?;
    }
    records.finish()
}

fn told(records: &[Record]) -> String {
    let line = |record: &Record| match read(record) {
        Found::Events(events) | Found::Rest(events) => serde_json::to_string(&events[0]).unwrap(),
        Found::Noise(rule) => format!("noise: {rule}"),
        Found::Damaged(what) => format!("damaged: {what}"),
    };
    records.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_search_result_names_who_in_what_capacity_and_counts_items_without_their_subjects() {
    let found = all(FILE).unwrap();
    expect![[r#"
        {"kind":"file_access","time":"2026-11-16T14:05:00Z","outcome":"success","actor":{"sid":"S-1-5-21-9","from":"10.0.0.9","acting_as":"delegate"},"action":"read","process":{"exe":"OWA"},"object":{"path":"\\Inbox","owner":"dana@practice.example","class":"mailbox"},"source":{"sensor":"exchange-audit","record":"exchange:61fc797d7553a43a228593f910d56aa8","operation":"FolderBind","recorded":true}}
        {"kind":"file_access","time":"2026-11-16T14:06:00Z","outcome":"success","actor":{"sid":"S-1-5-21-9","acting_as":"admin"},"action":"delete","object":{"owner":"dana@practice.example","class":"mailbox"},"count":2,"source":{"sensor":"exchange-audit","record":"exchange:b4e126b82311c54ef8a6ba1b80d158bb","operation":"HardDelete","recorded":true}}"#]].assert_eq(&told(&found));
    assert_eq!(found, all(FILE).unwrap(), "the same file gives the same ids");
}

#[test]
fn a_file_that_breaks_off_gives_what_is_whole_and_one_damaged_record() {
    let cut = FILE.split("<Item Id=\"BBB\"").next().unwrap();
    let found = all(cut).unwrap();
    assert_eq!(found.len(), 2);
    assert!(matches!(&found[1].content, Content::Damaged(what) if what.contains("ends inside")), "{found:?}");
    let broken = FILE.replace("<SourceItems>", "</Wrong>");
    assert!(matches!(&all(&broken).unwrap().last().unwrap().content, Content::Damaged(_)));
}

#[test]
fn what_is_no_search_result_is_refused() {
    assert_eq!(all("<html><Event/></html>"), Err(NotThis::NoSearchResults));
    assert_eq!(all("Name,Age\n"), Err(NotThis::NoSearchResults));
    assert_eq!(all(" \n"), Err(NotThis::Empty));
}

proptest! {
    #[test]
    fn any_text_gives_records_or_a_refusal(text in "[<>/a-zA-Z=\"' &;]{0,200}") {
        let _ = all(&text);
        let _ = all(&format!("<SearchResults>{text}"));
    }
}
