//! Who had a bundle, when: acts that grow, and stand in every later bundle.

use std::fs;

use anyhow::Result;
use ntk_tests::program;
use serde_json::Value;

use crate::bundle::{export, exported, unpack, verify};

#[test]
fn an_export_and_a_hand_over_are_acts_that_the_next_bundle_shows() -> Result<()> {
    let made = exported(20)?;
    let practice = &made.practice;
    let sha256 = ntk_evidence::bundle::bag::sha256_hex(&fs::read(&made.bundle)?);
    practice.collector(&[
        "custody",
        "add",
        "--case",
        "T-1",
        "--what",
        "handed_over",
        "--to",
        "Counsel for Northwind IT",
        "--by",
        "mary",
        "--sha256",
        &sha256,
    ])?;
    let next = practice.folder().join("next.zip");
    export(practice, &next, &[])?;
    let (code, said) = verify(&next, Some(&made.trust))?;
    assert_eq!(code, Some(0), "{said}");
    let folder = unpack(&next, &practice.folder().join("next"))?;
    let custody = fs::read_to_string(folder.join("data/custody/custody.jsonl"))?;
    let lines: Vec<Value> = custody.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let find = |what: &str| lines.iter().find(|line| line["what"] == what).unwrap();
    assert_eq!(
        find("exported")["hash"],
        sha256,
        "the hash of the bundle, written down after it was made: {custody}"
    );
    assert_eq!(
        (&find("handed_over")["who"], &find("handed_over")["hash"]),
        (&"mary".into(), &sha256.clone().into())
    );
    assert_eq!(find("handed_over")["to"], "Counsel for Northwind IT");
    assert!(lines.iter().any(|line| line["what"] == "collection began"));
    let listed = practice.collector(&["custody", "list", "--case", "T-1"])?;
    assert!(listed.contains("handed over") && listed.contains(&sha256), "{listed}");
    assert!(!practice.collector(&["custody", "list", "--case", "T-2"])?.contains(&sha256));
    // Each act is an entry: without one line's entry the bundle no longer verifies.
    let rows = folder.join("data/entries/collector.jsonl");
    let text = fs::read_to_string(&rows)?;
    let without: String =
        text.lines().filter(|line| !line.contains("handed_over")).map(|line| format!("{line}\n")).collect();
    assert_ne!(text, without);
    fs::write(&rows, without)?;
    assert_ne!(verify(&folder, Some(&made.trust))?.0, Some(0));
    Ok(())
}

#[test]
fn a_hand_over_without_a_hash_that_is_one_or_by_a_stranger_is_refused() -> Result<()> {
    let practice = ntk_tests::practice::Practice::start()?;
    let dir = practice.dir().to_string_lossy().into_owned();
    let add = |by: &str, sha256: &str, case: &str| -> Result<Option<i32>> {
        let arguments = [
            "--dir",
            &dir,
            "custody",
            "add",
            "--case",
            case,
            "--what",
            "handed_over",
            "--to",
            "Counsel",
            "--by",
            by,
            "--sha256",
            sha256,
        ];
        Ok(program::run("ntk-collector", &arguments)?.status.code())
    };
    let hash = "ab".repeat(32);
    assert_eq!(add("mary", &hash, "C-1")?, Some(0));
    assert_eq!(add("mary", "abc", "C-1")?, Some(1));
    assert_eq!(add("nobody", &hash, "C-1")?, Some(1));
    assert_eq!(add("mary", &hash, "no case")?, Some(1));
    let listed = practice.collector(&["custody", "list", "--json"])?;
    assert_eq!(listed.lines().count(), 1, "only what was taken is written down: {listed}");
    Ok(())
}
