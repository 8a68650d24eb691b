//! Logs of the shared samples as an import reads them: which events, which noise, what is no log.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};

use expect_test::expect;

use super::*;

fn all(bytes: &[u8], list: &str) -> Result<Vec<Found>, NotThis> {
    let scratch = tempfile::tempdir().unwrap();
    let mut waiting = Waiting::new(scratch.path()).unwrap();
    for piece in bytes.chunks(100_000) {
        waiting.push(piece).unwrap()?;
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "the file has no name");
    let mut found = Vec::new();
    let read = waiting.read(watches(list).unwrap(), "2026-11-28T10:00:00Z", |_, one| {
        found.push(one);
        Ok::<(), std::convert::Infallible>(())
    });
    read.unwrap()?.unwrap();
    Ok(found)
}

fn sample(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/evtx").join(name);
    let bytes = fs::read(path).ok();
    if bytes.is_none() {
        println!("skipped: the public event logs are not beside the project");
        if let Some(skips) = std::env::var_os("NTK_SKIPS") {
            let file = OpenOptions::new().append(true).create(true).open(skips);
            file.and_then(|mut file| writeln!(file, "import::windows: no shared data")).unwrap();
        }
    }
    bytes
}

#[test]
fn an_event_log_gives_the_events_of_its_machine_by_its_name() {
    let Some(bytes) = sample("mit-new-user-security.evtx") else { return };
    let found = all(&bytes, "").unwrap();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut computers = std::collections::BTreeSet::new();
    for event in found.iter().flat_map(|found| match found {
        Found::Events(events) | Found::Rest(events) => events.clone(),
        Found::Noise(_) | Found::Damaged(_) => Vec::new(),
    }) {
        *kinds.entry(event.kind.to_string()).or_default() += 1;
        computers.extend(event.source.and_then(|source| source.computer));
    }
    expect![[r#"{"account_change": 4, "gap": 1} {"ie8win7"}"#]]
        .assert_eq(&format!("{kinds:?} {computers:?}"));
}

#[test]
fn a_command_of_an_exchange_administrator_is_a_change_like_that_of_microsoft_365() {
    let Some(bytes) = sample("cc0-msexchange-management-6.evtx") else { return };
    let found = all(&bytes, "").unwrap();
    let line = |found: &Found| match found {
        Found::Events(events) => events.iter().map(|event| serde_json::to_string(event).unwrap()).collect(),
        _ => Vec::new(),
    };
    let lines: Vec<String> = found.iter().flat_map(line).collect();
    expect![[r#"
        {"kind":"account_change","time":"2021-06-04T08:41:47.9821281Z","outcome":"failed","actor":{"login_user":"admmig"},"action":"attributes","object":{"class":"mailbox"},"source":{"sensor":"exchange-management","record":"7184","event_id":6,"operation":"Install-TransportAgent","computer":"exchange01","recorded":true},"change":{"what":"connector"}}
        {"kind":"account_change","time":"2021-06-04T08:41:48.0411363Z","outcome":"failed","actor":{"login_user":"admmig"},"action":"attributes","object":{"class":"mailbox"},"source":{"sensor":"exchange-management","record":"7185","event_id":6,"operation":"Install-TransportAgent","computer":"exchange01","recorded":true},"change":{"what":"connector"}}
        {"kind":"account_change","time":"2021-06-04T08:43:08.4765853Z","outcome":"failed","actor":{"login_user":"admmig"},"action":"attributes","object":{"class":"mailbox"},"source":{"sensor":"exchange-management","record":"7186","event_id":6,"operation":"Enable-TransportAgent","computer":"exchange01","recorded":true},"change":{"what":"connector"}}
        {"kind":"account_change","time":"2021-06-04T08:43:08.5465892Z","outcome":"failed","actor":{"login_user":"admmig"},"action":"attributes","object":{"class":"mailbox"},"source":{"sensor":"exchange-management","record":"7187","event_id":6,"operation":"Enable-TransportAgent","computer":"exchange01","recorded":true},"change":{"what":"connector"}}"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn what_is_no_event_log_is_refused_and_a_wrong_list_is_told() {
    assert_eq!(all(b"Name,Age\n", ""), Err(NotThis::NoEventLog));
    assert_eq!(all(b"", ""), Err(NotThis::Empty));
    assert!(watches("[[watch]]\npath = 'Exports'\nclass = 'export'").unwrap_err().contains("Exports"));
    assert!(watches("[[watch]]\npath = 'C:\\X'\nclass = 'gold'").unwrap_err().contains("gold"));
    assert!(watches("[[watch]]\npath = 'C:\\X'").unwrap_err().contains("class"));
    assert!(watches("[[watch]]\npath = 'C:\\Exports'\nclass = 'export'").is_ok());
}
