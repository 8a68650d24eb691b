//! What is withheld stays a commitment: paths, other people; and two bundles of one range agree all the same.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::{program, recording, wait};
use serde_json::Value;

use crate::bundle::{export, unpack, verify};

/// Two people on two machines, each with their own files.
fn two_people() -> Result<Practice> {
    let practice = Practice::start()?;
    for (name, uid, prefix) in [("front-desk", 1001, "north"), ("ws-02", 1002, "south")] {
        let mut machine = practice.enroll(name)?;
        let file = practice.folder().join(format!("{name}.log"));
        recording::write(&file, prefix, uid, 12, 5)?;
        machine.configure(&recording::configuration(&[&file], None))?;
        machine.start()?;
        wait::until_so("all accesses to arrive", Duration::from_secs(60), || {
            machine.agent()?.ensure_running()?;
            Ok(practice.size_of(name)? > 12)
        })?;
        ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    }
    Ok(practice)
}

fn agree(a: &Path, b: &Path) -> Result<(Option<i32>, String)> {
    let output = program::run("ntk-verify", &["agree", &a.to_string_lossy(), &b.to_string_lossy()])?;
    Ok((output.status.code(), program::text(&output.stdout) + &program::text(&output.stderr)))
}

/// Everything in a bundle as one text.
fn everything(folder: &Path) -> Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            text.push_str(&everything(&path)?);
        } else {
            text.push_str(&String::from_utf8_lossy(&fs::read(&path)?));
        }
    }
    Ok(text)
}

#[test]
fn a_bundle_of_one_person_withholds_the_others_and_agrees_with_the_whole_one() -> Result<()> {
    let practice = two_people()?;
    let trust = practice.dir().join("trust.txt");
    let made = |name: &str, more: &[&str]| -> Result<(std::path::PathBuf, String)> {
        let bundle = practice.folder().join(format!("{name}.zip"));
        export(&practice, &bundle, more)?;
        let (code, said) = verify(&bundle, Some(&trust))?;
        ensure!(code == Some(0), "{name}: {said}");
        let text = everything(&unpack(&bundle, &practice.folder().join(name))?)?;
        Ok((bundle, text))
    };
    let (whole, all) = made("whole", &[])?;
    assert!(all.contains("north-0000003") && all.contains("south-0000003"));
    let (one, text) = made("one", &["--person", "northwind"])?;
    assert!(
        text.contains("north-0000003") && !text.contains("south-0000003"),
        "others are withheld by default"
    );
    let (_, text) = made("people", &["--person", "northwind", "--redact", "people"])?;
    for word in ["south-0000003", "Sam Ortiz", "frontdesk1", "Mary Lopez"] {
        assert!(!text.contains(word), "`{word}` stands in a bundle without other people");
    }
    assert!(text.contains("withheld behind their hashes") && text.contains("north-0000003"));
    let (blind, text) = made("blind", &["--redact", "paths"])?;
    assert!(!text.contains("north-0000003") && !text.contains("south-0000003") && text.contains("itadmin1"));
    for (a, b) in [(&whole, &one), (&whole, &blind), (&one, &blind)] {
        let (code, said) = agree(a, b)?;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("withholds"), "{said}");
    }
    Ok(())
}

#[test]
fn a_changed_text_contradicts_and_two_practices_have_nothing_in_common() -> Result<()> {
    let practice = two_people()?;
    let bundle = practice.folder().join("whole.zip");
    export(&practice, &bundle, &[])?;
    let folder = unpack(&bundle, &practice.folder().join("changed"))?;
    let rows = folder.join("data/entries/agent-front-desk.jsonl");
    let text = fs::read_to_string(&rows)?;
    fs::write(&rows, text.replacen("north-0000003", "north-0000004", 1))?;
    let (code, said) = agree(&bundle, &folder)?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("has one text in A and another in B"), "{said}");
    let other = Practice::start()?;
    let theirs = other.folder().join("theirs.zip");
    export(&other, &theirs, &[])?;
    let (code, said) = agree(&bundle, &theirs)?;
    assert_eq!(code, Some(3), "{said}");
    Ok(())
}

#[test]
fn withholding_people_needs_a_person_and_unknown_words_are_refused() -> Result<()> {
    let practice = Practice::start()?;
    let dir = practice.dir().to_string_lossy().into_owned();
    let out = practice.folder().join("none.zip").to_string_lossy().into_owned();
    let code = |more: &[&str]| -> Result<Option<i32>> {
        let always = [
            "--dir",
            &dir,
            "export",
            "--from",
            "2026-01-01",
            "--to",
            "2036-12-31",
            "--case",
            "T-1",
            "--out",
            &out,
        ];
        Ok(program::run("ntk-collector", &[&always, more].concat())?.status.code())
    };
    assert_eq!(code(&["--redact", "people"])?, Some(1));
    assert_eq!(code(&["--redact", "times"])?, Some(64));
    assert_eq!(code(&["--interchange", "xml"])?, Some(1));
    assert!(!Path::new(&out).exists());
    Ok(())
}

#[test]
fn a_preview_counts_what_the_bundle_shows_and_only_the_assets_asked_for_are_in_it() -> Result<()> {
    let practice = two_people()?;
    let trust = practice.dir().join("trust.txt");
    let check = |name: &str, more: &[&str], shows: &[(&str, bool)]| -> Result<()> {
        let asked =
            ["export", "--from", "2026-01-01", "--to", "2036-12-31", "--case", "T-1", "--preview", "--json"];
        let preview: Value = serde_json::from_str(&practice.collector(&[&asked, more].concat())?)?;
        let bundle = practice.folder().join(format!("{name}.zip"));
        export(&practice, &bundle, more)?;
        let (code, said) = verify(&bundle, Some(&trust))?;
        ensure!(code == Some(0), "{name}: {said}");
        let folder = unpack(&bundle, &practice.folder().join(name))?;
        for part in preview["authors"].as_array().into_iter().flatten() {
            let author = part["author"].as_str().unwrap_or_default().replace('/', "-");
            if author == "collector" {
                // Preview and export are acts themselves.
                continue;
            }
            let rows = fs::read_to_string(folder.join(format!("data/entries/{author}.jsonl")))?;
            let shown = rows.lines().filter(|row| row.contains("\"parts\"")).count();
            ensure!(part["shown"] == shown, "{name}: {part} and {shown} shown");
            ensure!(part["withheld"] == rows.lines().count() - shown, "{name}: {part}");
        }
        let text = everything(&folder)?;
        for (word, is_there) in shows {
            ensure!(text.contains(word) == *is_there, "{name}: {word}");
            let in_preview = preview["words"].to_string().contains(word);
            ensure!(!in_preview || *is_there, "{name}: the preview shows {word}");
        }
        Ok(())
    };
    // A review that names everything lies there: it goes into no bundle that leaves something out.
    practice.collector(&[
        "report",
        "--week",
        "2026-W47",
        "--out",
        &practice.folder().join("review").to_string_lossy(),
    ])?;
    let review = fs::read_to_string(practice.folder().join("review/report.json"))?;
    ensure!(review.contains("north-0000000"), "the twin: the review names files");
    check("all", &[], &[("north-0000003", true), ("south-0000003", true)])?;
    check("exports", &["--asset", "export"], &[("north-0000003", true), ("south-0000003", true)])?;
    check(
        "mail",
        &["--asset", "mailbox:mary,hr"],
        &[("north-", false), ("south-", false), ("health-record exports", false)],
    )?;
    check("paths", &["--redact", "paths"], &[("north-0000003", false)])?;
    check("one", &["--person", "northwind"], &[("north-0000003", true), ("south-0000003", false)])?;
    let asked = ["export", "--from", "2026-01-01", "--to", "2036-12-31", "--case", "T-1", "--preview"];
    let said = practice.collector(&asked)?;
    ensure!(said.contains("shown: ") && said.contains("agent/front-desk"), "{said}");
    let wrong = practice.collector(&[&asked[..], &["--asset", "Mailbox"]].concat());
    ensure!(wrong.is_err_and(|error| format!("{error:#}").contains("write assets as class or class:owner")));
    Ok(())
}
