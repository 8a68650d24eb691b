//! The log's history: cut, begun anew, rolled back, told twice. What the ledger alone cannot show, those show who
//! remember a checkpoint.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::forge::{Forge, copy_folder};
use ntk_tests::practice::Practice;
use ntk_tests::wait;

use super::{WITHIN, acts, agent_says, at_rest, stopped, whole};
use crate::crash::{player, reaches};

/// Brings the collector back in whatever state it is and lets the agent meet it; what the agent then says.
fn agent_meets(id: &str, says: &str, spoil: impl FnOnce(&Practice) -> Result<()>) -> Result<Practice> {
    let (mut practice, mut machine) = at_rest(1500)?;
    practice.start_collector()?;
    machine.start()?;
    let now = practice.size_of("ws-01")?;
    reaches(&practice, &mut machine, now + 1).context("the twin: an untouched collector is met again")?;
    ensure!(!machine.log().contains(says), "the twin says nothing of the kind");
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    practice.stop_collector()?;
    spoil(&practice)?;
    practice.start_collector()?;
    machine.start()?;
    noticed(id, || agent_says(&machine, says))?;
    Ok(practice)
}

#[test]
fn a_suffix_cut_off_the_ledger_is_seen_by_the_agent_that_remembers_more() -> Result<()> {
    let practice = agent_meets("cut", "collector_rolled_back", |practice| {
        let mut forge = Forge::open(&practice.dir())?;
        let keep = forge.batches.len().saturating_sub(4);
        forge.batches.truncate(keep);
        forge.write()?;
        whole(practice).context("by itself a shorter ledger is whole: only memory outside shows the cut")
    })?;
    drop(practice);
    Ok(())
}

#[test]
fn a_collector_rolled_back_to_a_copy_is_seen_by_its_agents() -> Result<()> {
    let mut practice = Practice::start()?;
    let mut machine = player(&practice, "ws-01", 1001, 3000, Some(200))?;
    reaches(&practice, &mut machine, 100)?;
    machine.stop()?;
    practice.stop_collector()?;
    let copy = practice.folder().join("copy");
    copy_folder(&practice.dir().join("ledger"), &copy)?;
    practice.start_collector()?;
    let then = practice.size_of("ws-01")?;
    machine.start()?;
    reaches(&practice, &mut machine, then + 100).context("the twin: the ledger that goes on")?;
    machine.stop()?;
    practice.stop_collector()?;
    fs::remove_dir_all(practice.dir().join("ledger"))?;
    fs::remove_dir_all(practice.dir().join("cache"))?;
    copy_folder(&copy, &practice.dir().join("ledger"))?;
    ntk_tests::postgres::put_in_place(&practice.dir())?;
    practice.start_collector()?;
    machine.start()?;
    noticed("rollback", || agent_says(&machine, "collector_rolled_back"))?;
    Ok(())
}

#[test]
fn a_log_begun_anew_with_the_same_keys_is_refused_by_the_agents() -> Result<()> {
    let practice = agent_meets("wipe", "collector_rolled_back", |practice| {
        let mut forge = Forge::open(&practice.dir())?;
        // What `init` wrote, the enrolment, and nothing else: the same keys, a log that begins again.
        let enrolled = forge.place("agent/ws-01", 0)?;
        forge.batches.truncate(enrolled);
        forge.write()
    })?;
    drop(practice);
    Ok(())
}

#[test]
fn an_acknowledged_batch_that_was_dropped_is_proved_by_its_receipt() -> Result<()> {
    // The collector's own act about it lies before the batch that is dropped: dropped with it, it would be written again, and
    // the two logs were not of one size any more, which is what shows two roots.
    let decided = |practice: &Practice| {
        wait::until_so("the finding to be opened", WITHIN, || {
            Ok(!acts(practice, "act_finding_opened")?.is_empty())
        })
    };
    let (practice, machine) = stopped(1500, decided)?;
    let (bundle, trust) = export(&practice, "before")?;
    let out = practice.folder().join("receipt");
    machine.command(&["receipt", "--out", &out.to_string_lossy()])?;
    let (note, proof) = receipt_files(&out)?;
    let check = |bundle: &str| {
        let output = ntk_tests::program::run(
            "ntk-verify",
            &["receipt", &note, &proof, "--trust", &trust, "--bundle", bundle],
        )?;
        let said = ntk_tests::program::text(&output.stdout) + &ntk_tests::program::text(&output.stderr);
        anyhow::Ok((output.status.code(), said))
    };
    let (code, said) = check(&bundle)?;
    ensure!(code == Some(0), "the twin: {said}");
    let mut forge = Forge::open(&practice.dir())?;
    let last =
        forge.batches.iter().rposition(|(batch, _)| batch.author == "agent/ws-01").context("a batch")?;
    forge.batches.truncate(last);
    forge.write()?;
    let (after, _) = export(&practice, "after")?;
    let (code, said) = noticed("unacknowledge", || check(&after))?;
    ensure!(code == Some(1), "{said}");
    Ok(())
}

/// A bundle of everything; its path and that of the trust file.
fn export(practice: &Practice, name: &str) -> Result<(String, String)> {
    let out = practice.folder().join(format!("{name}.zip")).to_string_lossy().into_owned();
    practice.collector(&[
        "export",
        "--from",
        "2026-01-01",
        "--to",
        "2036-12-31",
        "--case",
        name,
        "--out",
        &out,
    ])?;
    Ok((out, practice.dir().join("trust.txt").to_string_lossy().into_owned()))
}

fn receipt_files(folder: &std::path::Path) -> Result<(String, String)> {
    let find = |ending: &str| {
        let found = fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
        let mut found = found.filter(|path| path.to_string_lossy().ends_with(ending));
        Ok::<_, anyhow::Error>(
            found.next().context(format!("a file *{ending}"))?.to_string_lossy().into_owned(),
        )
    };
    Ok((find(".note")?, find(".tlog-proof")?))
}
