//! An agent of a later version: kinds, words and fields that this version does not know are stored as they came,
//! counted and shown; they are judged by nobody and held against nobody.

use std::fs;

use anyhow::{Context as _, Result};
use ntk_tests::crafted::{entry, message};
use ntk_tests::practice::Practice;
use serde_json::Value;

use crate::refusals::{accepted, enrolled, runtime};

const CORES: [&str; 2] = [
    r#"{"kind":"printed","time":"2026-11-18T15:00:00.250Z","pages":3,"actor":{"login_uid":1001,"badge":"7"}}"#,
    r#"{"kind":"file_access","time":"2026-11-18T15:00:01Z","outcome":"success","action":"read","actor":{"login_uid":1001,"confidence":"kernel"},"object":{"class":"fax"}}"#,
];

#[test]
fn what_a_newer_agent_says_is_stored_counted_and_shown_and_held_against_nobody() -> Result<()> {
    let practice = Practice::start()?;
    runtime()?.block_on(async {
        let mut agent = enrolled(&practice, "ws-01").await?;
        let mut stream = agent.stream().await?;
        let batch = message(&agent.seal(vec![entry(CORES[0])?, entry(CORES[1])?])?);
        accepted(&mut stream, batch, 2).await
    })?;
    let events = practice.events(&[])?;
    let of = |number: u64| events.iter().find(|row| row["number"] == number).context("the entry is there");
    for (number, core) in (0..).zip(CORES) {
        let stored = &of(number)?["event"];
        assert_eq!(*stored, serde_json::from_str::<Value>(core)?, "kept as it came");
    }
    assert!(practice.findings()?.is_empty(), "held against nobody");
    let out = practice.folder().join("out");
    practice.collector(&["report", "--week", "2026-W47", "--out", &out.to_string_lossy()])?;
    let report: Value = serde_json::from_slice(&fs::read(out.join("report.json"))?)?;
    let named = report["unknown"].to_string();
    for word in ["kind=printed", "pages", "actor.badge", "object.class=fax"] {
        assert!(named.contains(word), "{word} is counted: {named}");
        assert!(fs::read_to_string(out.join("report.html"))?.contains(word), "{word} is shown");
    }
    practice.collector(&["self-check"])?;
    Ok(())
}
