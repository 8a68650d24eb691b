//! A bundle in the hands of whoever made it: rows and reports changed, everything sealed again with the bundle key.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::authority::Authority;
use ntk_tests::forge::reseal;
use ntk_tests::practice::Practice;
use ntk_tests::skip::skip;

use crate::bundle::{Exported, exported, exported_by, unpack, verify};
use crate::time_stamps::newest;

/// Unpacks a bundle, changes it, seals it again with the bundle key; the checks must say no. The twin is sealed again
/// without a change.
fn resealed(id: &str, says: &str, change: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    resealed_of(exported(120)?, id, says, change)
}

fn resealed_of(
    exported: Exported,
    id: &str,
    says: &str,
    change: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let Exported { practice, bundle, trust } = exported;
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

/// A bundle with two time-stamps, changed so.
fn stamped(id: &str, says: &str, change: impl FnOnce(&Path, (u64, u64)) -> Result<()>) -> Result<()> {
    if !Authority::is_possible() {
        skip(id, "openssl is not installed; tests/run installs it");
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    let authority = Authority::start(scratch.path())?;
    let practice = Practice::start_configured(&authority.section(60))?;
    practice.collector(&["time-stamp"])?;
    resealed_of(exported_by(practice, 120)?, id, says, |bag| {
        let proofs = bag.join("data/proofs");
        change(&proofs, newest(&proofs.join("timestamps"))?)
    })
}

#[test]
fn a_time_stamp_of_another_checkpoint_is_no_time_stamp_of_this_one() -> Result<()> {
    stamped("stamp-swapped", "the time-stamp is over another text", |proofs, (large, small)| {
        let path = |size: u64| proofs.join(format!("timestamps/{size}.tsr"));
        Ok(fs::copy(path(small), path(large)).map(drop)?)
    })
}

#[test]
fn a_receive_time_that_the_time_stamps_do_not_bear_out_is_named() -> Result<()> {
    stamped("bracket", "brackets.csv is not what time-stamps, acts and notes tell", |proofs, _| {
        let path = proofs.join("brackets.csv");
        let text = fs::read_to_string(&path)?;
        let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
        let mut lines = text.lines().skip(1);
        let line = lines.find(|line| !cells(line)[3].is_empty()).context("rows with a lower bound")?;
        let cells = cells(line);
        let earlier = line.replace(&cells[3], "2020-01-01T00:00:00Z");
        Ok(fs::write(&path, text.replace(line, &earlier))?)
    })
}
