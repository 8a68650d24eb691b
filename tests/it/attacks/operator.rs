//! The collector's administrator at the ledger, with the collector's own keys.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use ntk_collector::store::Store;
use ntk_tests::attack_table::noticed;
use ntk_tests::forge::Forge;
use ntk_tests::practice::Practice;
use serde_json::Value;

use super::{at_rest, not_whole, whole};
use crate::refusals::{enrolled, runtime};

const AGENT: &str = "agent/ws-01";

/// Changes the stored batches and signs every checkpoint again; what the self-check then says. The twin writes the
/// same bytes back through the same hand.
fn forged(id: &str, says: &str, change: impl FnOnce(&mut Forge) -> Result<()>) -> Result<()> {
    let (practice, _machine) = at_rest(1500)?;
    Forge::open(&practice.dir())?.write()?;
    whole(&practice).context("the twin: rewritten without a change")?;
    let mut forge = Forge::open(&practice.dir())?;
    change(&mut forge)?;
    forge.write()?;
    let said = noticed(id, || not_whole(&practice))?;
    ensure!(said.contains(says), "{id}: expected `{says}` in: {said}");
    Ok(())
}

#[test]
fn an_edited_record_no_longer_leads_to_the_agents_signed_root() -> Result<()> {
    forged("edit", "do not lead to the signed root", |forge| {
        let at = forge.place(AGENT, 1)?;
        let entry = forge.batches[at].0.entries.first_mut().context("an entry")?;
        let text = String::from_utf8(entry[0].clone())?;
        ensure!(text.contains("1001"), "the account stands there: {text}");
        entry[0] = text.replace("1001", "1002").into_bytes();
        Ok(())
    })
}

#[test]
fn a_batch_taken_out_of_the_middle_leaves_a_hole_in_the_authors_numbers() -> Result<()> {
    forged("drop", "begins at number", |forge| {
        let at = forge.place(AGENT, 1)?;
        forge.batches.remove(at);
        Ok(())
    })
}

#[test]
fn a_batch_put_in_backdated_is_signed_by_nobody() -> Result<()> {
    forged("insert", "does not verify", |forge| {
        let at = forge.place(AGENT, 1)?;
        let (mut batch, received) = forge.batches[at].clone();
        for entry in &mut batch.entries {
            entry[0] = String::from_utf8(entry[0].clone())?.replace("2026-11", "2026-01").into_bytes();
        }
        forge.batches.insert(at, (batch, received));
        Ok(())
    })
}

#[test]
fn batches_in_another_order_do_not_follow_each_other() -> Result<()> {
    forged("reorder", "begins at number", |forge| {
        let (one, two) = (forge.place(AGENT, 0)?, forge.place(AGENT, 1)?);
        forge.batches.swap(one, two);
        Ok(())
    })
}

#[test]
fn one_changed_byte_of_a_stored_segment_is_named() -> Result<()> {
    let (practice, _machine) = at_rest(300)?;
    whole(&practice)?;
    let segment = fs::read_dir(practice.dir().join("ledger"))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|kind| kind == "seg"))
        .context("a segment")?;
    let mut bytes = fs::read(&segment)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes)?;
    let said = noticed("flip", || not_whole(&practice))?;
    ensure!(said.contains("offset") || said.contains("segment"), "{said}");
    Ok(())
}

#[test]
fn an_edited_query_store_is_named_by_rebuild_and_changes_no_proof() -> Result<()> {
    let (mut practice, _machine) = at_rest(300)?;
    practice.start_collector()?;
    practice.collector(&["rebuild"])?;
    let listed = practice.findings()?.len();
    practice.stop_collector()?;
    // What the store knows of findings is taken out, with the store's own code.
    {
        let (store, _) = Store::open(&practice.dir().join("cache/sled"))?;
        let all = store.contents().collect::<Result<BTreeMap<_, _>, _>>()?;
        let kept: BTreeMap<_, _> = all
            .iter()
            .filter(|(key, _)| !key.starts_with(b"f"))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        ensure!(kept.len() < all.len(), "there were findings to remove");
        store.replace(kept)?;
    }
    practice.start_collector()?;
    let left = practice.findings()?.len();
    let (code, said) = noticed("store", || practice.try_collector(&["rebuild"]))?;
    ensure!(left == listed || code == Some(1), "{left} of {listed} findings, and rebuild said {said}");
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn a_used_name_and_a_used_token_enrol_nobody() -> Result<()> {
    let practice = Practice::start()?;
    let token = practice.token("ws-01")?;
    let folder = practice.folder().to_owned();
    let _machine = ntk_tests::machine::Machine::enroll(&folder, "ws-01", &token)?;
    let _twin = practice.enroll("ws-02")?;
    noticed("enrol", || {
        let other = folder.join("other");
        let again = ntk_tests::program::run(
            "ntk-agent",
            &["enroll", "--token", &token, "--dir", &other.to_string_lossy()],
        )?;
        ensure!(!again.status.success(), "a used token was taken");
        let (code, said) = practice.try_collector(&["enroll", "new", "--machine", "ws-01"])?;
        ensure!(code == Some(1) && said.contains("ws-01"), "a second token for a used name: {code:?} {said}");
        Ok(())
    })?;
    let refused = practice.status()?["refusals"]["enrolment"].as_u64();
    ensure!(refused >= Some(1), "the refusal is counted: {refused:?}");
    Ok(())
}

#[test]
fn a_policy_changed_and_changed_back_leaves_both_texts_and_its_decisions() -> Result<()> {
    let (mut practice, _machine) = at_rest(60)?;
    practice.start_collector()?;
    let table = practice.folder().join("table.toml").to_string_lossy().into_owned();
    practice.collector(&["policy", "export", &table])?;
    let before = fs::read_to_string(&table)?;
    let decided = |practice: &Practice| -> Result<Vec<Value>> {
        Ok(practice.events(&[])?.into_iter().map(|row| row["decision"].clone()).collect())
    };
    let decisions = decided(&practice)?;
    let policies = super::acts(&practice, "act_policy")?.len();
    fs::write(&table, before.replace("export = \"with_ticket\"", "export = \"always\""))?;
    practice.collector(&["policy", "adopt", &table])?;
    fs::write(&table, &before)?;
    practice.collector(&["policy", "adopt", &table])?;
    let acts = noticed("policy", || super::acts(&practice, "act_policy"))?;
    ensure!(acts.len() == policies + 2, "both changes are acts: {acts:?}");
    ensure!(acts.iter().any(|act| act["text"].as_str().is_some_and(|text| text.contains("\"always\""))));
    ensure!(decided(&practice)? == decisions, "no earlier decision changed");
    let out = practice.folder().join("report");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let report = fs::read_to_string(out.join("report.json"))?;
    ensure!(report.contains("table"), "the review tells of the changed table");
    Ok(())
}

#[test]
fn a_stranger_with_an_authority_of_his_own_reads_nothing_between_agent_and_collector() -> Result<()> {
    let practice = Practice::start()?;
    runtime()?.block_on(async {
        let honest = enrolled(&practice, "ws-01").await?;
        honest.stream().await.context("the twin: the practice's own authority")?;
        anyhow::Ok(())
    })?;
    // The agent meets a listener whose certificate another authority signed.
    let mut other = Practice::start()?;
    let mut machine = practice.enroll("ws-02")?;
    let identity = machine.dir().join("identity/identity.toml");
    let text = fs::read_to_string(&identity)?;
    fs::write(&identity, text.replace(&practice.address(), &other.address()))?;
    machine.configure("keepalive_s = 1\n[sensor]\naudit = false\nnotify = false\n")?;
    machine.start()?;
    noticed("proxy", || super::agent_says(&machine, "\"last_error\""))?;
    ensure!(other.size_of("ws-02")? == 0, "nothing reached the stranger");
    other.stop_collector()
}

#[test]
fn a_review_that_is_edited_after_it_was_made_is_named() -> Result<()> {
    let practice = Practice::start()?;
    let out = practice.folder().join("review").to_string_lossy().into_owned();
    practice.collector(&["report", "--out", &out])?;
    whole(&practice).context("the twin: the review as it was made")?;
    let kept = fs::read_dir(practice.dir().join("reports"))?.filter_map(Result::ok).map(|entry| entry.path());
    let mut kept = kept;
    let page = kept.find(|path| path.extension().is_some_and(|kind| kind == "html")).context("a page")?;
    let text = fs::read_to_string(&page)?;
    fs::write(&page, text.replace("Weekly access review", "Weekly access  review"))?;
    let said = noticed("report", || not_whole(&practice))?;
    ensure!(said.contains("is not the one that was made"), "{said}");
    Ok(())
}
