//! Attacks on the judgement: a trusted job's name, tickets, floods, answers in another's name.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::practice::{Practice, ROSTER};
use ntk_tests::recording::{self, Open};
use serde_json::Value;

use crate::bundle::{Exported, exported};
use crate::crash::reaches;

/// The account of the job: no person holds it.
const JOBS_UID: u32 = 1990;

const JOB: &str = r#"
[[job]]
id = "statements"
name = "the statements run"
program = "/usr/bin/statements"
host = "ws-01"
uid = 1990
classes = ["export"]
"#;

/// Plays one recording in which every access bears this login and program; the findings.
fn played(login: u32, program: &str) -> Result<Vec<Value>> {
    let practice = Practice::start()?;
    practice.import_roster(&format!("{ROSTER}{JOB}"))?;
    let mut machine = practice.enroll("ws-01")?;
    let file = practice.folder().join("job.log");
    let open = |number| Open {
        login_uid: login,
        session: 7,
        program: program.to_owned(),
        file: recording::file_of("job", number),
    };
    recording::write_opens(&file, recording::BEGINS, (0..20).map(open), 3)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    reaches(&practice, &mut machine, 21)?;
    practice.findings()
}

#[test]
fn a_program_renamed_to_a_trusted_jobs_name_is_not_that_job() -> Result<()> {
    let twin = played(JOBS_UID, "/usr/bin/statements")?;
    ensure!(twin.is_empty(), "the twin: the job itself is explained: {twin:?}");
    let found = noticed("rename", || played(1001, "/home/itadmin1/statements"))?;
    ensure!(!found.is_empty(), "the renamed program is a finding");
    let same_path = played(1001, "/usr/bin/statements")?;
    ensure!(!same_path.is_empty(), "somebody who logged in and starts the job's own program is not the job");
    Ok(())
}

#[test]
fn an_own_ticket_is_approved_by_nobody_of_the_same_firm() -> Result<()> {
    let practice = Practice::start()?;
    let file = practice.folder().join("mary.txt");
    fs::write(&file, "correct horse battery")?;
    let file = file.to_string_lossy().into_owned();
    practice.collector(&["reviewer", "passphrase", "mary", "--passphrase-file", &file])?;
    let theirs = practice.folder().join("northwind.txt");
    fs::write(&theirs, "staple of the morning")?;
    let theirs = theirs.to_string_lossy().into_owned();
    practice.collector(&["reviewer", "passphrase", "northwind", "--passphrase-file", &theirs])?;
    let request = |reason: &str| {
        practice.collector(&[
            "ticket",
            "request",
            "--for",
            "northwind",
            "--class",
            "export",
            "--hours",
            "2",
            "--reason",
            reason,
        ])
    };
    request("Restore")?;
    let (code, said) = practice.try_collector(&[
        "ticket",
        "approve",
        "T-1",
        "--by",
        "mary",
        "--yes",
        "--passphrase-file",
        &file,
    ])?;
    ensure!(code == Some(0), "the twin: the manager approves: {said}");
    request("Restore again")?;
    let (code, said) = noticed("own-ticket", || {
        practice.try_collector(&[
            "ticket",
            "approve",
            "T-2",
            "--by",
            "northwind",
            "--yes",
            "--passphrase-file",
            &theirs,
        ])
    })?;
    ensure!(code == Some(1), "{said}");
    let acts = super::acts(&practice, "act_ticket")?;
    ensure!(acts.iter().any(|act| act["step"] == "refused"), "that it was tried is an act: {acts:?}");
    Ok(())
}

#[test]
fn a_broad_ticket_says_in_plain_words_what_it_opens_before_anybody_approves() -> Result<()> {
    let practice = Practice::start()?;
    let narrow = practice.collector(&[
        "ticket",
        "request",
        "--for",
        "northwind",
        "--class",
        "mailbox",
        "--owner",
        "sam",
        "--hours",
        "1",
        "--reason",
        "x",
    ])?;
    ensure!(!narrow.contains(" people’s mailboxes"), "the twin: one mailbox: {narrow}");
    let broad = noticed("broad-ticket", || {
        practice.collector(&[
            "ticket",
            "request",
            "--for",
            "northwind",
            "--class",
            "mailbox",
            "--hours",
            "72",
            "--reason",
            "Move mail",
        ])
    })?;
    ensure!(broad.contains(" people’s mailboxes"), "{broad}");
    let (code, said) = practice.try_collector(&[
        "ticket",
        "request",
        "--for",
        "northwind",
        "--class",
        "mailbox",
        "--hours",
        "73",
        "--reason",
        "x",
    ])?;
    ensure!(code == Some(1), "more than 72 hours: {said}");
    Ok(())
}

#[test]
fn an_answer_in_anothers_name_needs_that_persons_passphrase_and_decides_nothing() -> Result<()> {
    let Exported { practice, .. } = exported(120)?;
    let roster =
        format!("{ROSTER}\n[[person]]\nid = \"drchen\"\nname = \"Dr. Chen\"\nroles = [\"physician\"]\n");
    practice.import_roster(&roster)?;
    let file = practice.folder().join("mary.txt");
    fs::write(&file, "correct horse battery")?;
    let file = file.to_string_lossy().into_owned();
    practice.collector(&["reviewer", "passphrase", "mary", "--passphrase-file", &file])?;
    let listed = practice.collector(&["findings"])?;
    let first = listed.lines().find(|line| line.starts_with(['!', '?'])).context("an item")?;
    let id = first.split_whitespace().nth(1).context("an id")?.to_owned();
    let decide = ["finding", &id, "decide", "expected", "--because", "All is well.", "--by", "mary"];
    let (code, said) = noticed("answer", || practice.try_collector(&decide))?;
    ensure!(code == Some(1) && said.contains("passphrase"), "decided in her name: {code:?} {said}");
    ensure!(practice.collector(&["findings"])?.contains(&id), "the item is still open");
    practice.collector(&[&decide[..], &["--passphrase-file", &file]].concat())?;
    ensure!(!practice.collector(&["findings"])?.contains(&id), "the twin: she decides herself");
    Ok(())
}

#[test]
fn a_flood_of_findings_buries_nothing_that_is_never_allowed() -> Result<()> {
    let practice = Practice::start()?;
    let mut machine = practice.enroll("ws-01")?;
    let file = practice.folder().join("flood.log");
    let open = |session: u32, file: String| Open {
        login_uid: 1001,
        session,
        program: "/usr/bin/cat".to_owned(),
        file,
    };
    let flood = (0..80).map(|n: u32| open(100 + n / 2, recording::file_of("flood", u64::from(n))));
    let mail = std::iter::once(open(7, "/srv/practice/mail/mary/letter".to_owned()));
    recording::write_opens(&file, recording::BEGINS, flood.chain(mail), 3)?;
    let watch = "[[watch]]\npath = \"/srv/practice/mail/mary\"\nclass = \"mailbox\"\nowner = \"mary\"\n";
    machine.configure(&(recording::configuration(&[&file], None) + watch))?;
    machine.start()?;
    reaches(&practice, &mut machine, 82)?;
    let said = noticed("flood", || practice.collector(&["findings"]))?;
    let items: Vec<&str> = said.lines().filter(|line| line.starts_with(['!', '?'])).collect();
    ensure!(items.len() < 10, "{} items for one flood: {said}", items.len());
    ensure!(items.iter().any(|line| line.starts_with('!') && line.to_lowercase().contains("mail")), "{said}");
    Ok(())
}
