//! One person in four worlds, through the real programs: Microsoft 365, an Exchange server, a health-record system, a Windows
//! computer without an agent. Each file is taken in by its own author, once, and what is found names the same person.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::{skip, wait};
use serde_json::{Value, json};

use crate::tidy::top;

const WITHIN: Duration = Duration::from_secs(60);

/// The last identifier is that of the account in the sample of a cleared log.
const PEOPLE: &str = r#"
[[person]]
id = "dana"
name = "Dana Reyes"
roles = ["manager"]

[[person]]
id = "northwind"
name = "Northwind IT"
organisation = "Northwind IT"
roles = ["itadmin"]

[[account]]
person = "dana"
upn = "dana@practice.example"

[[account]]
person = "northwind"
upn = "it@practice.example"

[[account]]
person = "northwind"
sid = "S-1-5-21-9"

[[account]]
person = "northwind"
ehr_user = "nwadmin"

[[account]]
person = "northwind"
sid = "S-1-5-21-4230534742-2542757381-3142984815-1111"
"#;

const SEARCH_RESULT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<SearchResults>
  <Event Owner="PRACTICE\dana" LastAccessed="2026-11-16T09:05:00-05:00" Operation="FolderBind" OperationResult="Succeeded" LogonType="Delegate" FolderPathName="\Inbox" ClientIPAddress="10.0.0.9" MailboxOwnerUPN="dana@practice.example" LogonUserDisplayName="IT Admin" LogonUserSid="S-1-5-21-9" />
</SearchResults>"#;

const MAP: &str = "time = \"When\"\ntimezone = \"America/New_York\"\nuser = \"Who\"\npatient = \"Patient\"\naction = \"Did\"\n";
const TABLE: &str =
    "When,Who,Patient,Did\n2026-11-16 22:05:00,nwadmin,4711,View\n2026-11-16 22:06:00,nwadmin,4712,View\n";

#[test]
fn what_four_systems_recorded_of_one_person_is_found_to_be_theirs() -> Result<()> {
    let log =
        top().parent().context("the project lies in a folder")?.join("shared/data/evtx/cc0-4624-type9.evtx");
    if !log.is_file() {
        skip::skip("one_person", "shared/data is not here");
        return Ok(());
    }
    let practice = Practice::start()?;
    practice.import_roster(PEOPLE)?;
    let read = json!({"Id": "00000000-0000-0000-0002-000000000001", "CreationTime": "2026-11-16T14:05:00",
        "Operation": "MailItemsAccessed", "UserId": "it@practice.example", "UserType": 0, "Workload": "Exchange",
        "RecordType": 50, "ResultStatus": "Succeeded", "LogonType": 2, "MailboxOwnerUPN": "dana@practice.example",
        "OperationProperties": [{"Name": "MailAccessType", "Value": "Bind"}]});
    let event = json!({"resourceType": "AuditEvent", "id": "ae-1", "recorded": "2026-11-16T22:15:00-05:00", "action": "R",
        "outcome": "0", "type": {"code": "rest"}, "agent": [{"requestor": true, "altId": "nwadmin"}],
        "entity": [{"what": {"reference": "Patient/4713"}}]});
    let put = |name: &str, text: &str| -> Result<String> {
        let path = practice.folder().join(name);
        fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    };
    let (map, log) = (put("map.toml", MAP)?, log.to_string_lossy().into_owned());
    let files = [
        vec!["m365".to_owned(), put("audit.jsonl", &read.to_string())?],
        vec!["exchange".to_owned(), put("SearchResult.xml", SEARCH_RESULT)?],
        vec!["ehr-audit".to_owned(), put("access.csv", TABLE)?, "--map".to_owned(), map],
        vec!["ehr-audit".to_owned(), put("events.ndjson", &event.to_string())?],
        vec!["evtx".to_owned(), log],
    ];
    let taken_in = |file: &[String], counts: &str| -> Result<u64> {
        let mut arguments = vec!["import"];
        arguments.extend(file.iter().map(String::as_str));
        let said = practice.collector(&[&arguments[..], &["--by", "dana", "--json"]].concat())?;
        let act: Value = serde_json::from_str(said.trim()).with_context(|| said.clone())?;
        Ok(act.pointer(&format!("/tally/{counts}")).and_then(Value::as_u64).unwrap_or(0))
    };
    for file in &files {
        ensure!(taken_in(file, "entries")? > 0, "{file:?}");
        ensure!(taken_in(file, "entries")? == 0, "{file:?}: what is there is not taken in again");
    }
    let found = || -> Result<BTreeMap<String, String>> {
        let text =
            |finding: &Value, name: &str| finding["finding"][name].as_str().unwrap_or_default().to_owned();
        Ok(practice.findings()?.iter().map(|one| (text(one, "author"), text(one, "person"))).collect())
    };
    wait::until_so("findings of every source", WITHIN, || Ok(found()?.len() == 4))?;
    let expected = ["import/ehr-audit", "import/evtx", "import/exchange", "import/m365"];
    let expected: BTreeMap<String, String> =
        expected.iter().map(|author| ((*author).to_owned(), "northwind".to_owned())).collect();
    ensure!(found()? == expected, "{:?}", found()?);
    Ok(())
}
