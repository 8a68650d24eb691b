//! What people are asked, told and sign, with the real program: questions by link and on paper, staff notices, the second
//! reviewer, breach assessments, the self view; and that all of it stands in the ledger and in a bundle that verifies.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use ntk_tests::practice::{Practice, ROSTER};
use ntk_tests::{program, recording};
use serde_json::Value;

use crate::bundle::{Exported, exported_from};

const NO: i32 = 1;

/// Two people with passphrases in files of a practice.
fn with_passphrases(practice: &Practice) -> Result<(String, String)> {
    let chen = "\n[[person]]\nid = \"drchen\"\nname = \"Dr. Chen\"\nroles = [\"physician\"]\n";
    practice.import_roster(&format!("{ROSTER}{chen}"))?;
    let set = |who: &str, words: &str| -> Result<String> {
        let file = practice.folder().join(format!("{who}.txt")).to_string_lossy().into_owned();
        fs::write(&file, words)?;
        practice.collector(&["reviewer", "passphrase", who, "--passphrase-file", &file])?;
        Ok(file)
    };
    Ok((set("mary", "correct horse battery\n")?, set("drchen", "staple of the morning\n")?))
}

/// A command in somebody's name.
fn by<'a>(arguments: &[&'a str], who: &'a str, file: &'a str) -> Vec<&'a str> {
    [arguments, &["--by", who, "--passphrase-file", file]].concat()
}

fn first_finding(practice: &Practice) -> Result<String> {
    let listed = practice.collector(&["findings"])?;
    let line = listed.lines().find(|line| line.starts_with(['!', '?'])).context("an item")?;
    Ok(line.split_whitespace().nth(1).context("an id")?.to_owned())
}

#[test]
fn a_month_of_questions_signatures_and_notices_stands_in_a_bundle_that_verifies() -> Result<()> {
    // Today's accesses: people are shown what is recorded of their last days.
    let Exported { mut practice, trust, .. } =
        exported_from(Practice::start()?, recording::an_hour_ago()?, 60)?;
    let (marys, chens) = with_passphrases(&practice)?;
    let mary = |arguments: &[&str]| practice.try_collector(&by(arguments, "mary", &marys));
    let chen = |arguments: &[&str]| practice.try_collector(&by(arguments, "drchen", &chens));
    let ok = |said: Result<(Option<i32>, String)>| -> Result<String> {
        let (code, said) = said?;
        anyhow::ensure!(code == Some(0), "{said}");
        Ok(said)
    };
    assert!(practice.collector(&["reviewer", "second"])?.contains("There is no second reviewer"));
    ok(mary(&["reviewer", "second", "drchen"]))?;

    // A question by link and on paper; the answer on paper comes with the form's code, a forged one without.
    let id = first_finding(&practice)?;
    let form = practice.folder().join("form.txt").to_string_lossy().into_owned();
    let asked = ok(mary(&[
        "finding",
        &id,
        "ask",
        "--question",
        "What was this for?",
        "--link",
        "--paper",
        &form,
        "--address",
        "https://records.example:7444/",
    ]))?;
    assert!(
        asked.contains("https://records.example:7444/a/") && asked.contains("never in the same mail"),
        "{asked}"
    );
    let paper = fs::read_to_string(&form)?;
    let code = paper.split("code ").nth(1).and_then(|rest| rest.split('.').next()).context("a code")?;
    assert!(paper.contains("never taken as an admission"), "{paper}");
    assert!(practice.collector(&["link", "list"])?.contains("not opened yet"));
    let answer = ["finding", &id, "answer", "--text", "We moved mail.", "--paper"];
    let (refused, said) = mary(&[&answer[..], &["--code", "AAAAA-AAAAA"]].concat())?;
    assert!(refused == Some(NO) && said.contains("not the code of an open form"), "{said}");
    ok(mary(&[&answer[..], &["--code", code]].concat()))?;
    ok(mary(&answer))?;
    let told = practice.collector(&["finding", &id])?;
    assert!(told.contains("with the code of the form") && told.contains("NOT CONFIRMED"), "{told}");

    // A table waits for the second signature; a leave date does not.
    let table = practice.folder().join("table.toml").to_string_lossy().into_owned();
    practice.collector(&["policy", "export", &table])?;
    fs::write(&table, format!("{}\n# changed\n", fs::read_to_string(&table)?))?;
    let (code, said) = mary(&["policy", "adopt", &table])?;
    assert!(code == Some(NO) && said.contains("Not yet: C-1 waits"), "{said}");
    let (code, said) = mary(&["cosign", "sign", "C-1", "--yes"])?;
    assert!(code == Some(NO) && said.contains("somebody else signs"), "{said}");
    ok(chen(&["cosign", "sign", "C-1", "--yes"]))?;
    let said = ok(mary(&["leave", "sam", "--on", "2099-01-01"]))?;
    assert!(said.contains("holds already") && said.contains("C-2"), "{said}");
    ok(chen(&["cosign", "decline", "C-2", "--because", "He stays."]))?;
    assert!(practice.collector(&["departure", "sam"])?.contains("no leave date"));

    // The staff notice; an assessment; what people see of themselves.
    ok(mary(&["staff-notice", "publish"]))?;
    ok(mary(&["staff-notice", "paper", "sam"]))?;
    ok(mary(&["staff-notice", "acknowledge"]))?;
    let listed = practice.collector(&["staff-notice", "list"])?;
    assert!(
        listed.contains("drchen") && listed.contains("not yet") && listed.contains("recorded by mary"),
        "{listed}"
    );
    let begun = ok(mary(&["breach", "start", &id, "--because", "A mailbox was opened."]))?;
    assert!(begun.contains("A-1") && begun.contains("60 days left"), "{begun}");
    let (code, said) = mary(&["breach", "close", "A-1", "low-probability", "--because", "x"])?;
    assert!(code == Some(NO) && said.contains("all four factors"), "{said}");
    let (code, said) = practice.try_collector(&["mine", "mary"])?;
    assert!(code == Some(NO) && said.contains("does not show people"), "{said}");
    ok(mary(&["self-view", "allow"]))?;
    assert!(practice.collector(&["mine", "northwind"])?.contains("opened for reading"));

    // An export waits, is made once, handed over with its hash; the week's review tells.
    let out = practice.folder().join("signed.zip").to_string_lossy().into_owned();
    let question = ["export", "--from", "2020-01-01", "--to", "2099-01-01", "--case", "C-9", "--out", &out];
    let (code, said) = mary(&question)?;
    assert!(code == Some(NO) && said.contains("C-3") && !Path::new(&out).exists(), "{said}");
    ok(chen(&["cosign", "sign", "C-3", "--yes"]))?;
    ok(mary(&[&question[..], &["--cosigned", "C-3"]].concat()))?;
    let (code, said) = mary(&[&question[..], &["--cosigned", "C-3"]].concat())?;
    assert!(code == Some(NO) && said.contains("is over"), "{said}");
    let handed = ok(mary(&[
        "custody",
        "add",
        "--case",
        "C-9",
        "--what",
        "handed_over",
        "--to",
        "Counsel",
        "--file",
        &out,
    ]))?;
    assert!(handed.contains("the bundle that was made here"), "{handed}");
    ok(mary(&["preserve"]))?;
    let reports = practice.folder().join("reports");
    practice.collector(&["report", "--out", &reports.to_string_lossy()])?;
    let report: Value = serde_json::from_slice(&fs::read(reports.join("report.json"))?)?;
    let changes = report["changes"].to_string();
    for part in [
        "Assessment A-1 under 45 CFR 164.402",
        "not acknowledged the staff notice",
        "Dr. Chen co-signed C-3",
        "did not co-sign C-2",
    ] {
        assert!(changes.contains(part), "{part} in {changes}");
    }

    practice.kill_collector()?;
    practice.start_collector()?;
    practice.collector(&["self-check"])?;
    practice.collector(&["rebuild"])?;
    assert!(practice.collector(&["reviewer", "second"])?.contains("drchen is the second reviewer"));
    assert!(practice.collector(&["cosign", "list"])?.contains("signed, and done"));
    let verified = program::run("ntk-verify", &[&out, "--trust", &trust.to_string_lossy()])?;
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    let acts = practice.events(&["--acts"])?.iter().map(ToString::to_string).collect::<String>();
    let token =
        asked.split("/a/").nth(1).and_then(|rest| rest.split_whitespace().next()).context("a token")?;
    for secret in [token, code_of(&paper)?] {
        assert!(!acts.contains(secret), "no secret in the ledger");
    }
    assert!(!acts.contains("horse") && acts.contains("$argon2id$"), "codes as their hashes alone");
    Ok(())
}

fn code_of(paper: &str) -> Result<&str> {
    paper.split("code ").nth(1).and_then(|rest| rest.split('.').next()).context("a code")
}

#[test]
fn what_was_said_about_a_second_reviewer_at_set_up_is_in_every_report() -> Result<()> {
    for (more, says) in [
        (vec!["--decline-second", "there are two of us"], "there are two of us"),
        (vec!["--second-reviewer", "Dr. Chen"], "Dr. Chen was to be the second reviewer"),
        (vec![], "nobody has declined one"),
    ] {
        let more: Vec<String> = more.into_iter().map(str::to_owned).collect();
        let practice = Practice::start_so(|_| (more.clone(), Vec::new()))?;
        let out = practice.folder().join("out");
        practice.collector(&["report", "--out", &out.to_string_lossy()])?;
        let html = fs::read_to_string(out.join("report.html"))?;
        assert!(html.contains(says), "{says}");
    }
    Ok(())
}

#[test]
fn a_wrong_command_about_people_is_a_sentence_that_says_what_to_do() -> Result<()> {
    let practice = Practice::start()?;
    for (arguments, says) in [
        (vec!["cosign", "show", "C-7"], "nothing with the number `C-7`"),
        (vec!["link", "withdraw", "L-7", "--by", "mary"], "`L-7` is not open"),
        (vec!["staff-notice", "acknowledge", "--by", "mary"], "has no passphrase"),
        (vec!["staff-notice", "link", "zoe", "--by", "mary"], "`zoe`"),
        (vec!["staff-notice", "publish", "--text", "no-such.md", "--by", "mary"], "no-such.md"),
        (vec!["breach", "start", "ffff", "--because", "x", "--by", "mary"], "there is no finding `ffff`"),
        (vec!["breach", "note", "A-9", "--text", "x", "--by", "mary"], "there is no breach assessment `A-9`"),
        (vec!["reviewer", "second", "drchen"], "--by WHO"),
        (vec!["self-view", "allow", "--by", "zoe"], "`zoe`"),
        (
            vec![
                "custody",
                "add",
                "--case",
                "C-1",
                "--what",
                "copied",
                "--to",
                "x",
                "--file",
                "no-such.zip",
                "--by",
                "mary",
            ],
            "no-such.zip",
        ),
        (
            vec![
                "export",
                "--from",
                "2026-01-01",
                "--to",
                "2026-02-01",
                "--case",
                "C-1",
                "--out",
                "x.zip",
                "--cosigned",
                "C-1",
            ],
            "--by",
        ),
    ] {
        let (code, said) = practice.try_collector(&arguments)?;
        assert!(code.is_some_and(|code| code != 0) && said.contains(says), "{arguments:?}: {said}");
    }
    Ok(())
}
