//! The need-to-know table at the terminal: tried on what was recorded, adopted by two, and never backwards.

use std::fs;

use anyhow::{Context as _, Result};
use ntk_tests::practice::{Practice, ROSTER};
use serde_json::Value;

use crate::bundle::{Exported, exported};

/// Outcome and reasons of every entry, as they are recomputed from the ledger.
fn decisions(practice: &Practice) -> Result<Vec<Value>> {
    Ok(practice.events(&[])?.into_iter().map(|row| row["decision"].clone()).collect())
}

/// The table in force with another cell.
fn changed(practice: &Practice, from: &str, to: &str) -> Result<String> {
    let file = practice.folder().join("table.toml").to_string_lossy().into_owned();
    practice.collector(&["policy", "export", &file])?;
    let text = fs::read_to_string(&file)?;
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replace(from, to))?;
    Ok(file)
}

// ND-2: decided again from the ledger, a decision is the same, whatever came into force later.
#[test]
fn a_table_is_tried_then_adopted_and_changes_no_earlier_decision() -> Result<()> {
    let Exported { mut practice, .. } = exported(120)?;
    let before = decisions(&practice)?;
    assert!(before.iter().any(|decision| decision["outcome"] == "unexplained"), "{before:?}");

    let file = changed(&practice, "export = \"with_ticket\"", "export = \"always\"")?;
    let weeks = ["policy", "try", &file, "--weeks", "26", "--json"];
    let tried: Value = serde_json::from_str(&practice.collector(&weeks)?)?;
    let said = practice.collector(&["policy", "try", &file])?;
    assert!(said.contains("Nothing was changed") && said.contains("Items to decide"), "{said}");
    assert!(tried["comparison"]["n_accesses"].is_u64(), "{tried}");
    assert_eq!(decisions(&practice)?, before, "trying changes nothing");

    practice.collector(&["policy", "adopt", &file])?;
    assert_eq!(decisions(&practice)?, before, "adopting changes nothing that was decided");
    let nobody = ROSTER.replace("northwind", "southwind");
    practice.import_roster(&nobody)?;
    assert_eq!(decisions(&practice)?, before, "nor does another roster");
    practice.kill_collector()?;
    practice.start_collector()?;
    practice.collector(&["rebuild"])?;
    assert_eq!(decisions(&practice)?, before, "nor a start, nor a rebuild");
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn a_wrong_table_or_expert_file_is_refused_with_its_line_and_changes_nothing() -> Result<()> {
    let practice = Practice::start()?;
    let export = |practice: &Practice| -> Result<String> {
        let file = practice.folder().join("now.toml");
        practice.collector(&["policy", "export", &file.to_string_lossy()])?;
        Ok(fs::read_to_string(file)?)
    };
    let before = export(&practice)?;
    let wrong = changed(&practice, "export = \"with_ticket\"", "export = \"wiht_ticket\"")?;
    for command in ["try", "adopt"] {
        let (code, said) = practice.try_collector(&["policy", command, &wrong])?;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("(line ") && said.contains("`wiht_ticket` is none of never"), "{said}");
    }
    let right = changed(&practice, "hours_max = 72", "hours_max = 24")?;
    let expert = practice.folder().join("house.cedar");
    for (text, says) in [
        (
            "@id(\"a\") @plain(\"A.\")\npermit (principal, action, resource)\nwhen { context.minute > };",
            "in line 3 of the policies",
        ),
        ("@id(\"a\") permit (principal, action, resource);", "has no @plain"),
        (
            "@id(\"a\") @plain(\"A.\") permit (principal, action, resource) when { context.mood == \"good\" };",
            "attribute `mood`",
        ),
        (
            "@id(\"a\") @plain(\"A.\") forbid (principal, action, resource) when { context has tool };",
            "reads `context.tool`, which no enrolled sensor delivers",
        ),
    ] {
        fs::write(&expert, text)?;
        let (code, said) =
            practice.try_collector(&["policy", "adopt", &right, "--expert", &expert.to_string_lossy()])?;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(says), "{says} in {said}");
    }
    let (code, said) = practice.try_collector(&["policy", "adopt", "no-such-file.toml"])?;
    assert!(code != Some(0) && said.contains("no-such-file.toml"), "{said}");
    assert_eq!(export(&practice)?, before);
    fs::write(
        &expert,
        "@id(\"early\") @plain(\"Billing begins early.\")\npermit (principal in Practice::Role::\"billing\", action == Practice::Action::\"login\", resource)\nwhen { context.minute >= 360 };\n",
    )?;
    practice.collector(&["policy", "adopt", &right, "--expert", &expert.to_string_lossy()])?;
    let shown = practice.collector(&["policy", "show"])?;
    assert!(shown.contains("expert:early") && shown.contains("Billing begins early."), "{shown}");
    let cedar = practice.folder().join("all.cedar");
    practice.collector(&["policy", "export", "--cedar", &cedar.to_string_lossy()])?;
    let cedar = fs::read_to_string(cedar)?;
    assert!(cedar.contains("@id(\"table:itadmin.login\")") && cedar.contains("@id(\"left\")"), "{cedar}");
    Ok(())
}

#[test]
fn once_there_are_reviewers_a_table_needs_who_adopts_it_and_the_second_person() -> Result<()> {
    let practice = Practice::start()?;
    let roster =
        format!("{ROSTER}\n[[person]]\nid = \"drchen\"\nname = \"Dr. Chen\"\nroles = [\"reviewer\"]\n");
    practice.import_roster(&roster)?;
    let file = |who: &str, words: &str| -> Result<String> {
        let file = practice.folder().join(format!("{who}.txt"));
        fs::write(&file, words)?;
        let file = file.to_string_lossy().into_owned();
        practice.collector(&["reviewer", "passphrase", who, "--passphrase-file", &file])?;
        Ok(file)
    };
    let (mary, chen) = (file("mary", "correct horse battery")?, file("drchen", "staple of the morning")?);
    let sams = practice.folder().join("sam.txt");
    fs::write(&sams, "a passphrase of sam")?;
    let table = changed(&practice, "hours_max = 72", "hours_max = 24")?;
    let adopt = |more: &[&str]| practice.try_collector(&[&["policy", "adopt", &table], more].concat());
    for (more, says) in [
        (vec![], "say who adopts"),
        (vec!["--by", "mary"], "`mary` has a passphrase"),
        (vec!["--by", "sam"], "`sam` has no passphrase yet"),
        (vec!["--by", "mary", "--passphrase-file", &chen], "not the passphrase of `mary`"),
        (
            vec!["--by", "mary", "--passphrase-file", &mary],
            "a second person adopts with you: --second `drchen`",
        ),
        (
            vec![
                "--by",
                "mary",
                "--passphrase-file",
                &mary,
                "--second",
                "mary",
                "--second-passphrase-file",
                &mary,
            ],
            "the second person is another one",
        ),
        (
            vec![
                "--by",
                "mary",
                "--passphrase-file",
                &mary,
                "--second",
                "drchen",
                "--second-passphrase-file",
                &mary,
            ],
            "not the passphrase of `drchen`",
        ),
    ] {
        let (code, said) = adopt(&more)?;
        assert_eq!(code, Some(1), "{more:?}: {said}");
        assert!(said.contains(says), "{says} in {said}");
    }
    let both =
        ["--by", "mary", "--passphrase-file", &mary, "--second", "drchen", "--second-passphrase-file", &chen];
    assert_eq!(adopt(&both)?.0, Some(0));
    let alone = ["--by", "mary", "--passphrase-file", &mary, "--alone-because", "Dr. Chen is on leave"];
    assert_eq!(adopt(&alone)?.0, Some(0));
    let acts = practice.events(&["--acts"])?;
    let adopted: Vec<&Value> = acts
        .iter()
        .filter(|row| row["event"]["kind"] == "act_policy")
        .map(|row| &row["event"]["act"])
        .collect();
    let [.., with, without] = adopted.as_slice() else { return Err(anyhow::anyhow!("{adopted:?}")) };
    assert_eq!(
        (&with["by"], &with["proof"], &with["second"]),
        (&"mary".into(), &"passphrase".into(), &"drchen".into())
    );
    assert_eq!(without["alone_because"], "Dr. Chen is on leave");

    // The same holds for the roster and for a departure.
    let on =
        (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(60 * 24)).strftime("%Y-%m-%d").to_string();
    let (code, said) = practice.try_collector(&["leave", "sam", "--on", &on, "--by", "drchen"])?;
    assert!(code == Some(1) && said.contains("has a passphrase"), "{said}");
    practice.collector(&["leave", "sam", "--on", &on, "--by", "drchen", "--passphrase-file", &chen])?;
    let roster_file = practice.folder().join("roster.toml").to_string_lossy().into_owned();
    let (code, said) = practice.try_collector(&["roster", "import", &roster_file])?;
    assert!(code == Some(1) && said.contains("--by WHO"), "{said}");
    let shown = practice.collector(&["departure", "sam"])?;
    let first = shown.lines().find_map(|line| line.strip_prefix("[ ] ")).context("a step")?;
    assert!(first.contains("session"), "{shown}");
    Ok(())
}
