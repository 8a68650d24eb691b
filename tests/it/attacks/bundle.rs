//! A bundle in the hands of whoever made it: rows and reports changed, everything sealed again with the bundle key.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::forge::reseal;

use crate::bundle::{Exported, exported, unpack, verify};

/// Unpacks a bundle, changes it, seals it again with the bundle key; the checks must say no. The twin is sealed again
/// without a change.
fn resealed(id: &str, says: &str, change: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let Exported { practice, bundle, trust } = exported(120)?;
    let bag = unpack(&bundle, &practice.folder().join("bag"))?;
    reseal(&bag, &practice.dir())?;
    let (code, said) = verify(&bag, Some(&trust))?;
    ensure!(code == Some(0), "the twin, sealed again without a change: {said}");
    change(&bag)?;
    reseal(&bag, &practice.dir())?;
    let (code, said) = noticed(id, || verify(&bag, Some(&trust)))?;
    ensure!(code.is_some_and(|code| code != 0), "{id} verified: {said}");
    ensure!(said.contains(says), "{id}: expected `{says}` in: {said}");
    Ok(())
}

fn rows_of(bag: &Path, author: &str) -> Result<(PathBuf, Vec<String>)> {
    let path = bag.join(format!("data/entries/{author}.jsonl"));
    let lines = fs::read_to_string(&path)?.lines().map(str::to_owned).collect();
    Ok((path, lines))
}

#[test]
fn a_row_dropped_from_an_export_is_missing_by_its_number() -> Result<()> {
    resealed("row", "is missing", |bag| {
        let (path, mut lines) = rows_of(bag, "agent-ws-01").or_else(|_| rows_of(bag, "agent-front-desk"))?;
        let middle = lines.len() / 2;
        lines.remove(middle);
        Ok(fs::write(path, lines.join("\n") + "\n")?)
    })
}

#[test]
fn a_row_of_another_account_put_in_its_place_leads_to_another_root() -> Result<()> {
    resealed("swap", "do not lead to the root", |bag| {
        let (path, lines) = rows_of(bag, "agent-front-desk")?;
        let text = lines.join("\n") + "\n";
        ensure!(text.contains("1001"), "the account stands there");
        Ok(fs::write(path, text.replace("1001", "1002"))?)
    })
}

#[test]
fn an_act_that_was_never_recorded_cannot_be_shown() -> Result<()> {
    // A finding is shown as decided: a row of the collector's is rewritten as if the manager had done so.
    resealed("reviewed", "do not lead to the root", |bag| {
        let (path, lines) = rows_of(bag, "collector")?;
        let at = lines.iter().position(|line| line.contains("act_finding_opened")).context("a finding")?;
        let mut lines = lines;
        lines[at] = lines[at].replace("act_finding_opened", "act_finding_step");
        Ok(fs::write(path, lines.join("\n") + "\n")?)
    })
}
