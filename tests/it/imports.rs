//! Records of Microsoft 365 through the real programs: from a file of Purview to findings, review and bundle; twice, cut,
//! damaged, too long, with the key gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::wait;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::bundle::{export, verify};

const PEOPLE: &str = r#"
[[person]]
id = "dana"
name = "Dana Reyes"
email = "dana@practice.example"
roles = ["manager"]

[[person]]
id = "bea"
name = "Bea Novak"
email = "bea@practice.example"
roles = ["frontdesk"]

[[person]]
id = "northwind"
name = "Northwind IT"
organisation = "Northwind IT"
roles = ["itadmin"]

[[account]]
person = "dana"
upn = "dana@practice.example"

[[account]]
person = "bea"
upn = "bea@practice.example"

[[account]]
person = "northwind"
upn = "it@practice.example"
"#;

/// What no file of ours may hold afterwards.
const SUBJECT: &str = "Mrs-Miller-biopsy";

/// One record: minutes after nine on 16 November 2026, operation, account, and the rest.
fn record(minute: u32, operation: &str, user: &str, more: Value) -> Value {
    let mut record = json!({
        "Id": format!("00000000-0000-0000-0000-{minute:012}"),
        "CreationTime": format!("2026-11-16T{:02}:{:02}:00", 9 + minute / 60, minute % 60),
        "Operation": operation, "UserId": user, "UserType": 0, "Workload": "Exchange", "ResultStatus": "Succeeded",
        "ClientIP": "203.0.113.7",
    });
    if let (Some(record), Some(more)) = (record.as_object_mut(), more.as_object()) {
        record.extend(more.clone());
    }
    record
}

fn read_of(minute: u32, user: &str, owner: &str, logon: u8) -> Value {
    record(
        minute,
        "MailItemsAccessed",
        user,
        json!({"RecordType": 50, "LogonType": logon, "MailboxOwnerUPN": owner, "ClientInfoString": "Client=OWA;",
            "OperationProperties": [{"Name": "MailAccessType", "Value": "Bind"}],
            "Folders": [{"Path": "\\Inbox", "FolderItems": [{"Subject": SUBJECT, "InternetMessageId": "<m-17@x>"}]}]}),
    )
}

fn cmdlet(minute: u32, operation: &str, parameters: &[(&str, &str)]) -> Value {
    let parameters: Vec<Value> =
        parameters.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    record(minute, operation, "it@practice.example", json!({"Parameters": parameters}))
}

fn a_morning() -> Vec<Value> {
    let (dana, bea, it) = ("dana@practice.example", "bea@practice.example", "it@practice.example");
    vec![
        read_of(1, bea, bea, 0),
        cmdlet(
            5,
            "Add-MailboxPermission",
            &[("Identity", dana), ("User", it), ("AccessRights", "FullAccess")],
        ),
        read_of(12, it, dana, 2),
        read_of(13, it, dana, 2),
        cmdlet(20, "Set-Mailbox", &[("Identity", dana), ("AuditEnabled", "False")]),
        record(
            40,
            "Reset user password.",
            it,
            json!({"Workload": "AzureActiveDirectory", "Target": [{"ID": bea, "Type": 5}]}),
        ),
        record(55, "UserLoggedIn", bea, json!({"Workload": "AzureActiveDirectory", "RecordType": 15})),
        record(70, "FileAccessed", bea, json!({"Workload": "SharePoint"})),
        record(
            80,
            "Set-Mailbox",
            "NT AUTHORITY\\SYSTEM (Microsoft.Exchange.ServiceHost)",
            json!({"UserType": 3}),
        ),
    ]
}

/// As Purview writes it: newest first, the record in one column.
fn csv_of(records: &[Value]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    writer.write_record(["RecordId", "CreationDate", "RecordType", "Operation", "UserId", "AuditData"])?;
    for record in records.iter().rev() {
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let cells = [text("Id"), text("CreationTime"), String::new(), text("Operation"), text("UserId")];
        writer.write_record(cells.iter().chain([&record.to_string()]))?;
    }
    writer.into_inner().map_err(|error| anyhow::anyhow!("{error}"))
}

fn put(practice: &Practice, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let path = practice.folder().join(name);
    fs::write(&path, bytes)?;
    Ok(path)
}

/// Imports a file; exit code and the answer.
fn import(practice: &Practice, file: &Path) -> Result<(Option<i32>, Value)> {
    let (code, said) =
        practice.try_collector(&["import", "m365", &file.to_string_lossy(), "--by", "dana", "--json"])?;
    Ok((code, serde_json::from_str(said.trim()).with_context(|| said.clone())?))
}

fn count(answer: &Value, name: &str) -> u64 {
    answer.pointer(&format!("/tally/{name}")).and_then(Value::as_u64).unwrap_or(0)
}

fn practice_with(people: &str) -> Result<Practice> {
    let practice = Practice::start()?;
    practice.import_roster(people)?;
    Ok(practice)
}

/// How many entries an author has.
fn size_of(practice: &Practice, author: &str) -> Result<u64> {
    let status = practice.status()?;
    let authors = status.get("authors").and_then(Value::as_array).context("authors")?;
    let own = authors.iter().find(|row| row.get("author").and_then(Value::as_str) == Some(author));
    Ok(own.and_then(|row| row.get("size")?.as_u64()).unwrap_or(0))
}

fn headlines(practice: &Practice) -> Result<Vec<String>> {
    let headline =
        |finding: &Value| finding.get("headline").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut lines: Vec<String> = practice.findings()?.iter().map(headline).collect();
    lines.sort();
    Ok(lines)
}

fn is_anywhere(folder: &Path, text: &str) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            is_anywhere(&path, text)?
        } else {
            fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[test]
fn a_morning_of_microsoft_365_becomes_findings_a_review_and_a_bundle_that_verifies() -> Result<()> {
    let practice = practice_with(PEOPLE)?;
    let bytes = csv_of(&a_morning())?;
    let file = put(&practice, "AuditLog.csv", &bytes)?;
    let (code, answer) = import(&practice, &file)?;
    assert_eq!(code, Some(0), "{answer}");
    assert_eq!((count(&answer, "records"), count(&answer, "entries"), count(&answer, "known")), (9, 7, 0));
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(answer.get("sha256").and_then(Value::as_str), Some(sha256.as_str()));
    assert_eq!(
        answer.pointer("/tally/noise"),
        Some(&json!({"other services than mail and sign-in": 1, "the service’s own maintenance": 1}))
    );
    wait::until_so("the findings", Duration::from_secs(60), || Ok(practice.findings()?.len() >= 5))?;
    expect_test::expect![[r#"
        A sign-in to Microsoft 365 from 203.0.113.7 with account bea@practice.example (held by Bea Novak) succeeded.
        In the manager’s mailbox 2 messages were accessed, by account it@practice.example (held by Northwind IT), as a delegate from 203.0.113.7, as the mail service recorded.
        The audit policy was changed in Microsoft 365 in a session of account it@practice.example, held by Northwind IT.
        Who may reach the mailbox of Dana Reyes in Microsoft 365 was changed: access was given to it@practice.example, by account it@practice.example (held by Northwind IT).
        Who may sign in as Bea Novak in Microsoft 365 was changed: the password was set by another account, by account it@practice.example (held by Northwind IT)."#]].assert_eq(&headlines(&practice)?.join("\n"));

    // The same again, and the same as JSON lines, add nothing.
    let (code, again) = import(&practice, &file)?;
    assert_eq!((code, count(&again, "entries"), count(&again, "known")), (Some(0), 0, 7));
    let lines: Vec<String> = a_morning().iter().map(Value::to_string).collect();
    let (_, again) = import(&practice, &put(&practice, "api.jsonl", lines.join("\n").as_bytes())?)?;
    assert_eq!((count(&again, "entries"), count(&again, "known")), (0, 7));
    assert_eq!(size_of(&practice, "import/m365")?, 7);
    let list = practice.collector(&["imports"])?;
    assert!(list.matches(&sha256).count() == 2 && list.contains("AuditLog.csv, by dana"), "{list}");

    // Neither subject nor message id is anywhere, in whatever file.
    assert!(!is_anywhere(&practice.dir(), SUBJECT)? && !is_anywhere(&practice.dir(), "m-17@x")?);

    let out = practice.folder().join("out");
    practice.collector(&["report", "--week", "2026-W47", "--out", &out.to_string_lossy()])?;
    let page = fs::read_to_string(out.join("report.html"))?;
    for said in [
        "collected afterwards",
        "Microsoft 365: nothing is known of it before 16 November 2026 and after 16 November 2026",
        "Access to a mailbox changed of dana@practice.example, to it@practice.example (FullAccess), in Microsoft 365",
        "The audit policy was changed in Microsoft 365",
    ] {
        ensure!(page.contains(said), "`{said}` is not on the page");
    }
    // Two messages were accessed after the account was given access: that is said once, with the first of them.
    assert_eq!(page.matches("Rights of this account were changed").count(), 1);
    // That somebody imported is told in the review of the week in which they did.
    let now = practice.folder().join("now");
    practice.collector(&["report", "--out", &now.to_string_lossy()])?;
    let page = fs::read_to_string(now.join("report.html"))?;
    for said in [
        "Records of Microsoft 365 were imported by Dana Reyes from AuditLog.csv: 9 records, 7 new entries",
        "A first import: what Microsoft 365 recorded has a log of its own from here on.",
    ] {
        ensure!(page.contains(said), "`{said}` is not on the page");
    }
    let bundle = practice.folder().join("bundle.zip");
    export(&practice, &bundle, &["--person", "northwind"])?;
    let (code, said) = verify(&bundle, Some(&practice.dir().join("trust.txt")))?;
    assert_eq!(code, Some(0), "{said}");
    let rebuilt = practice.collector(&["rebuild", "--json"])?;
    assert!(rebuilt.contains("\"same\":true"), "{rebuilt}");
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn damaged_rows_are_named_cut_ones_are_read_as_far_as_they_go_and_both_are_gaps() -> Result<()> {
    let practice = practice_with(PEOPLE)?;
    let mut text = String::from_utf8(csv_of(&a_morning())?)?;
    let cut: String = format!("{{\"Id\":\"c\",\"x\":\"{}", "y".repeat(40_000)).chars().take(32_767).collect();
    text.push_str("r-broken,2026-11-16T11:00:00,,MailItemsAccessed,it@practice.example,\"{\"\"Id\"\":\"\n");
    text.push_str(&format!(
        "r-cut,2026-11-16T11:05:00,,MailItemsAccessed,it@practice.example,\"{}\"\n",
        cut.replace('"', "\"\"")
    ));
    text.push_str("too,few,cells\n");
    let (code, answer) = import(&practice, &put(&practice, "cut.csv", text.as_bytes())?)?;
    assert_eq!(code, Some(1), "records that could not be read are no success");
    assert_eq!((count(&answer, "damaged"), count(&answer, "cut"), count(&answer, "gaps")), (2, 1, 2));
    let rows = answer.pointer("/tally/damaged_rows").context("rows")?.to_string();
    assert!(
        rows.contains("\"row\":11") && rows.contains("it has 3 cells where the first line names 6"),
        "{rows}"
    );
    let events = practice.events(&["--from", "2026-11-16", "--to", "2026-11-17"])?;
    let causes: Vec<&str> = events
        .iter()
        .filter_map(|event| event.pointer("/event/gap/cause").or(event.pointer("/gap/cause"))?.as_str())
        .collect();
    assert!(causes.contains(&"cells_cut") && causes.contains(&"import_damaged"), "{causes:?}");
    // A gap of the same file is told once, however often it is imported.
    let before = size_of(&practice, "import/m365")?;
    import(&practice, &practice.folder().join("cut.csv"))?;
    assert_eq!(size_of(&practice, "import/m365")?, before);
    Ok(())
}

#[test]
fn an_export_of_exactly_fifty_thousand_rows_says_that_older_ones_are_missing() -> Result<()> {
    let practice = practice_with(PEOPLE)?;
    let mut text = String::from("RecordId,CreationDate,Operation,UserId,AuditData\n");
    for n in (0..50_000_u32).rev() {
        let (hour, minute, second) = (n / 3600, n / 60 % 60, n % 60);
        let data = format!(
            "{{\"\"Id\"\":\"\"r{n}\"\",\"\"CreationTime\"\":\"\"2026-11-16T{hour:02}:{minute:02}:{second:02}\"\",\"\"Operation\"\":\"\"MailItemsAccessed\"\",\"\"UserId\"\":\"\"bea@practice.example\"\",\"\"MailboxOwnerUPN\"\":\"\"bea@practice.example\"\"}}"
        );
        text.push_str(&format!("r{n},,MailItemsAccessed,bea@practice.example,\"{data}\"\n"));
    }
    let (code, answer) = import(&practice, &put(&practice, "full.csv", text.as_bytes())?)?;
    assert_eq!((code, count(&answer, "entries"), count(&answer, "gaps")), (Some(0), 50_001, 1));
    let events = practice.collector(&["events", "--json", "--from", "2026-11-15", "--to", "2026-11-17"])?;
    let gap = events.lines().find(|line| line.contains("export_truncated")).context("a gap")?;
    assert!(
        gap.contains("\"to\":\"2026-11-16T00:00:00Z\"") && !gap.contains("\"from\":\"2026-11-16"),
        "{gap}"
    );
    Ok(())
}

#[test]
fn what_is_no_export_is_refused_in_a_sentence_and_nothing_is_stored() -> Result<()> {
    let practice = practice_with(PEOPLE)?;
    for (name, bytes, sentence) in [
        ("table.csv", &b"Name,Age\nx,7\n"[..], "names no column `AuditData`"),
        ("book.xlsx", b"PK\x03\x04xxxxxxxxxx", "is a ZIP archive or a spreadsheet"),
        ("wide.csv", b"\xff\xfeR\0e\0c\0", "UTF-16"),
        ("empty.csv", b"", "is empty"),
    ] {
        let file = put(&practice, name, bytes)?;
        let (code, said) = practice.try_collector(&["import", "m365", &file.to_string_lossy()])?;
        ensure!(code != Some(0) && said.contains(sentence), "{name}: {code:?} {said}");
    }
    let (code, said) = practice.try_collector(&["import", "gmail", "x.csv"])?;
    assert!(code != Some(0) && said.contains("x.csv"), "{said}");
    let file = put(&practice, "x.csv", b"a")?;
    let (code, said) = practice.try_collector(&["import", "gmail", &file.to_string_lossy()])?;
    assert!(code != Some(0) && said.contains("`gmail` is no source"), "{said}");
    assert_eq!(size_of(&practice, "import/m365")?, 0);
    Ok(())
}

#[test]
fn a_record_that_was_edited_before_its_import_is_named_when_the_original_comes() -> Result<()> {
    let practice = practice_with(PEOPLE)?;
    let edited = |record: Value| {
        serde_json::from_str(&record.to_string().replace("it@practice.example", "bea@practice.example"))
    };
    let edited = a_morning().into_iter().map(edited).collect::<Result<Vec<Value>, _>>()?;
    import(&practice, &put(&practice, "edited.csv", &csv_of(&edited)?)?)?;
    let (_, answer) = import(&practice, &put(&practice, "original.csv", &csv_of(&a_morning())?)?)?;
    assert_eq!(
        (count(&answer, "entries"), count(&answer, "known"), count(&answer, "differ")),
        (0, 7, 5),
        "{answer}"
    );
    let out = practice.folder().join("out");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let page = fs::read_to_string(out.join("report.html"))?;
    ensure!(page.contains("5 that say something else than their entries"), "the review says so");
    // The twin: the same twice differs nowhere.
    let other = practice_with(PEOPLE)?;
    import(&other, &put(&other, "a.csv", &csv_of(&a_morning())?)?)?;
    let (_, answer) = import(&other, &put(&other, "b.csv", &csv_of(&a_morning())?)?)?;
    assert_eq!((count(&answer, "known"), count(&answer, "differ")), (7, 0));
    Ok(())
}

#[test]
fn where_its_key_is_gone_the_next_author_takes_over_and_nothing_is_doubled_or_lost() -> Result<()> {
    let practice = practice_with(PEOPLE)?;
    let morning = a_morning();
    let file = put(&practice, "first.csv", &csv_of(&morning[..4])?)?;
    let (_, answer) = import(&practice, &file)?;
    assert_eq!(count(&answer, "entries"), 4);
    fs::remove_file(practice.dir().join("private/import-m365.key"))?;
    let file = put(&practice, "second.csv", &csv_of(&morning)?)?;
    let (_, answer) = import(&practice, &file)?;
    assert_eq!((count(&answer, "entries"), count(&answer, "known")), (3, 4));
    assert_eq!(answer.get("author").and_then(Value::as_str), Some("import/m365.2"));
    assert_eq!((size_of(&practice, "import/m365")?, size_of(&practice, "import/m365.2")?), (4, 3));
    practice.collector(&["self-check"])?;
    let bundle = practice.folder().join("bundle.zip");
    export(&practice, &bundle, &[])?;
    let (code, said) = verify(&bundle, Some(&practice.dir().join("trust.txt")))?;
    assert_eq!(code, Some(0), "{said}");
    Ok(())
}
