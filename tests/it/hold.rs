//! Legal holds and `preserve`: acts, seen in bundles, safe to run twice, naming nobody.

use std::fs;

use anyhow::Result;
use ntk_tests::program;
use serde_json::Value;

use crate::bundle::{export, exported, unpack, verify};

#[test]
fn a_hold_is_listed_stands_in_bag_info_and_ends_only_once() -> Result<()> {
    let made = exported(10)?;
    let practice = &made.practice;
    let dir = practice.dir().to_string_lossy().into_owned();
    let said = practice.collector(&[
        "hold",
        "add",
        "--case",
        "T-1",
        "--person",
        "northwind",
        "--from",
        "2026-01-01",
        "--reason",
        "letter of counsel",
        "--by",
        "mary",
    ])?;
    assert!(said.contains("H-1"), "{said}");
    let bag_info = |name: &str| -> Result<String> {
        let bundle = practice.folder().join(format!("{name}.zip"));
        export(practice, &bundle, &[])?;
        assert_eq!(verify(&bundle, Some(&made.trust))?.0, Some(0));
        Ok(fs::read_to_string(unpack(&bundle, &practice.folder().join(name))?.join("bag-info.txt"))?)
    };
    assert!(bag_info("held")?.contains("Legal-Hold-Id: H-1\n"));
    assert!(practice.collector(&["hold", "list"])?.contains("in force"));
    practice.collector(&["hold", "release", "H-1", "--by", "mary", "--because", "settled"])?;
    assert!(!bag_info("free")?.contains("Legal-Hold-Id"));
    assert!(practice.collector(&["hold", "list"])?.contains("released"));
    for refused in [
        vec!["hold", "release", "H-1", "--by", "mary"],
        vec!["hold", "release", "H-9", "--by", "mary"],
        vec!["hold", "add", "--case", "T-1", "--reason", "x", "--by", "nobody"],
        vec!["hold", "add", "--case", "T-1", "--person", "nobody", "--reason", "x", "--by", "mary"],
        vec![
            "hold",
            "add",
            "--case",
            "T-1",
            "--from",
            "2026-02-01",
            "--to",
            "2026-01-01",
            "--reason",
            "x",
            "--by",
            "mary",
        ],
    ] {
        let arguments = [vec!["--dir", &dir], refused.clone()].concat();
        assert_eq!(program::run("ntk-collector", &arguments)?.status.code(), Some(1), "{refused:?}");
    }
    let listed: Value = serde_json::from_str(&practice.collector(&["hold", "list", "--json"])?)?;
    assert_eq!(listed["holds"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[test]
fn preserve_takes_every_step_says_what_is_not_set_up_and_names_nobody() -> Result<()> {
    let mut made = exported(10)?;
    let run = |practice: &ntk_tests::practice::Practice| -> Result<Value> {
        Ok(serde_json::from_str(&practice.collector(&["preserve", "--case", "T-9", "--json"])?)?)
    };
    let first = run(&made.practice)?;
    let outcome = |body: &Value, step: &str| -> String {
        let steps = body["steps"].as_array().cloned().unwrap_or_default();
        let found = steps.iter().find(|found| found["step"] == step).cloned().unwrap_or_default();
        found["outcome"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(first["hold"], "H-1");
    for (step, expected) in
        [("hold", "done"), ("inventory", "done"), ("self-check", "done"), ("time-stamp", "not_configured")]
    {
        assert_eq!(outcome(&first, step), expected, "{step}: {first}");
    }
    assert_eq!(run(&made.practice)?["hold"], "H-1", "a second run finds the hold of the first");
    let holds: Value = serde_json::from_str(&made.practice.collector(&["hold", "list", "--json"])?)?;
    assert_eq!(holds["holds"].as_array().map(Vec::len), Some(1));
    let told = made.practice.collector(&["preserve", "--case", "T-9"])?;
    assert!(told.contains("1/6 hold"), "{told}");
    for word in ["northwind", "Northwind", "itadmin1", "mary", "Mary", "sam"] {
        assert!(!told.contains(word) && !first.to_string().contains(word), "`{word}` in {told}");
    }
    // The twin: what is wrong with the ledger is said by the step that finds it, and the rest is done.
    made.practice.stop_collector()?;
    let segment = made.practice.dir().join("ledger/00000000000000000000.seg");
    let mut bytes = fs::read(&segment)?;
    let at = bytes
        .windows(12)
        .position(|window| window == b"week/week-00")
        .or_else(|| bytes.windows(8).position(|window| window == b"itadmin1"));
    bytes[at.unwrap()] ^= 1;
    fs::write(&segment, bytes)?;
    let dir = made.practice.dir().to_string_lossy().into_owned();
    let output = program::run("ntk-collector", &["--dir", &dir, "preserve", "--case", "T-9"])?;
    assert_ne!(output.status.code(), Some(0), "{}", program::text(&output.stdout));
    Ok(())
}
