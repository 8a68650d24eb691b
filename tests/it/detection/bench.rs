//! The bench as a program: what it prints for machines, and what it says to a faulty file or flag.

use std::fs;

use anyhow::{Context as _, Result};
use ntk_tests::program;
use serde_json::Value;

const USAGE: i32 = 64;
const DATA: i32 = 65;

#[test]
fn a_scenario_that_was_written_is_judged_as_the_one_that_was_made() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("made.jsonl");
    let file = file.to_str().context("a path in UTF-8")?;
    let figures = |flags: &[&str]| -> Result<Value> {
        let output = program::succeed("ntk-bench", &[&["detection", "--json"], flags].concat())?;
        Ok(serde_json::from_str(&output)?)
    };
    let made = figures(&["--seed", "5", "--people", "15", "--weeks", "6", "--write", file])?;
    for key in
        ["incidents", "found", "recall", "items", "items_per_week", "precision", "kinds", "misses", "naive"]
    {
        assert!(made.get(key).is_some(), "{key} is missing: {made}");
    }
    assert_eq!(figures(&["--scenario", file])?, made);
    Ok(())
}

#[test]
fn a_faulty_file_or_flag_is_told_in_words_with_what_to_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let header = r#"{"scenario":"ntk-scenario/1","name":"n","timezone":"America/New_York","people":3,"weeks":2,"from":"2026-01-05T05:00:00Z","counted_from":"2026-01-05T05:00:00Z"}"#;
    let roster = r#"{"act":{"kind":"act_roster","body":{"text":"[[person]]\nid='tom'\nname='Tom'\nroles=['it']\n[[person]]\nid='tom'\nname='Tom'\nroles=['it']\n"}},"at":"2026-01-05T06:00:00Z"}"#;
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(path("broken.jsonl"), format!("{header}\nnot json\n\n"))?;
    fs::write(path("roster.jsonl"), format!("{header}\n{roster}\n"))?;
    let (broken, roster, none) = (path("broken.jsonl"), path("roster.jsonl"), path("none.jsonl"));
    let cases: [(&[&str], i32, &[&str]); 6] = [
        (
            &["detection", "--scenario", &broken],
            DATA,
            &["line 2: this is no JSON object", "write one whole object a line", "line 3: the line is empty"],
        ),
        (
            &["detection", "--scenario", &roster],
            DATA,
            &["line 2: act_roster is not taken", "`tom` is already"],
        ),
        (&["detection", "--scenario", &none], 1, &["could not open"]),
        (&["detection", "--people", "many"], USAGE, &["--people: `many` is no number; write a whole one"]),
        (&["detection", "--people", "2"], USAGE, &["--people: from 5 to 1000, and not 2"]),
        (&["decision"], USAGE, &["`decision` is no bench", "decisions"]),
    ];
    for (arguments, code, says) in cases {
        let output = program::run("ntk-bench", arguments)?;
        let said = program::text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}: nothing is judged");
        for word in says {
            assert!(said.contains(word), "{arguments:?} should say `{word}`: {said}");
        }
        assert!(!said.contains("backtrace") && !said.contains(".rs:"), "no stack trace: {said}");
    }
    Ok(())
}
