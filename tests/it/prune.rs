//! Retention with real programs: old entries go, notes and proofs stay, holds are respected, nothing is removed in
//! silence.

use std::fs;
use std::path::Path;

use anyhow::Result;
use ntk_tests::forge::Forge;
use ntk_tests::practice::Practice;
use serde_json::Value;

use crate::bundle::{Exported, export, exported, unpack, verify};

/// A practice whose ledger was received three years ago, and its bundle of then.
fn old() -> Result<Exported> {
    let mut made = exported(20)?;
    made.practice.stop_collector()?;
    Forge::open(&made.practice.dir())?.aged(3 * 365).write()?;
    Ok(made)
}

fn pruned(practice: &Practice, more: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&practice.collector(&[&["prune", "--json"], more].concat())?)?)
}

/// Whether a text stands anywhere in the ledger's files, packed or not.
fn stands(practice: &Practice, text: &str) -> Result<bool> {
    let mut found = false;
    for frame in ntk_segment::reader::Reader::open(&practice.dir().join("ledger"))?.frames()? {
        found |= format!("{:?}", frame?.1)
            .contains(&format!("{:?}", text.as_bytes()).trim_matches(['[', ']']).to_owned());
    }
    Ok(found)
}

#[test]
fn old_entries_go_and_the_ledger_old_bundles_and_new_ones_still_verify() -> Result<()> {
    let mut made = old()?;
    let practice = &mut made.practice;
    assert!(stands(practice, "front-desk-00")? || stands(practice, "week-00")?, "entries are there before");
    // In-process first: nothing is removed by a dry run.
    let dry = pruned(practice, &["--dry-run"])?;
    assert_eq!(dry["removed"], serde_json::json!([0]), "{dry}");
    assert!(stands(practice, "week-00")?);
    let done = pruned(practice, &[])?;
    assert_eq!(done["removed"], serde_json::json!([0]), "{done}");
    assert!(!stands(practice, "week-00")?, "no path is left");
    assert!(practice.dir().join("ledger/00000000000000000000.segp").exists());
    assert!(!practice.dir().join("ledger/00000000000000000000.seg").exists());
    let again = pruned(practice, &[])?;
    assert_eq!((&again["removed"], &again["before_this"]), (&serde_json::json!([]), &1.into()), "{again}");
    let said = practice.collector(&["self-check"])?;
    assert!(said.contains("The whole ledger verifies") && said.contains("removed after retention"), "{said}");
    practice.start_collector()?;
    // A bundle of then still verifies; the log of now leads on from it.
    assert_eq!(verify(&made.bundle, Some(&made.trust))?.0, Some(0));
    let new = practice.folder().join("new.zip");
    export(practice, &new, &[])?;
    let (code, said) = verify(&new, Some(&made.trust))?;
    assert_eq!(code, Some(0), "{said}");
    let folder = unpack(&new, &practice.folder().join("new"))?;
    let info = fs::read_to_string(folder.join("bag-info.txt"))?;
    assert!(
        info.contains("entries 0 to ")
            && info.contains(" of agent/front-desk were removed after their retention"),
        "{info}"
    );
    let custody = fs::read_to_string(folder.join("data/custody/custody.jsonl"))?;
    assert!(custody.contains("removed after retention"), "{custody}");
    // Deleted caches are made again from what is left.
    practice.stop_collector()?;
    fs::remove_dir_all(practice.dir().join("cache"))?;
    practice.start_collector()?;
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn what_is_held_stays_until_the_hold_is_released() -> Result<()> {
    let made = old()?;
    let practice = &made.practice;
    practice.collector(&["hold", "add", "--case", "T-1", "--reason", "letter of counsel", "--by", "mary"])?;
    let held = pruned(practice, &[])?;
    assert_eq!(held["held"][0][1], serde_json::json!(["H-1"]), "{held}");
    assert_eq!(held["removed"], serde_json::json!([]));
    assert!(stands(practice, "week-00")?);
    practice.collector(&["hold", "release", "H-1", "--by", "mary"])?;
    assert_eq!(pruned(practice, &[])?["removed"], serde_json::json!([0]));
    assert!(!stands(practice, "week-00")?);
    Ok(())
}

#[test]
fn what_is_young_stays_and_entries_removed_without_an_act_are_a_fault() -> Result<()> {
    let mut made = exported(20)?;
    made.practice.stop_collector()?;
    let ledger = made.practice.dir().join("ledger");
    let young = pruned(&made.practice, &[])?;
    assert_eq!(young["removed"], serde_json::json!([]), "{young}");
    assert!(stands(&made.practice, "week-00")?);
    // Somebody with the files takes the entries out and leaves the proofs, and writes no act.
    take_out(&ledger)?;
    let (code, said) = made.practice.try_collector(&["self-check"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no act says that retention removed them"), "{said}");
    Ok(())
}

fn take_out(ledger: &Path) -> Result<()> {
    use ntk_evidence::entry::{BatchKey, Entry};
    use ntk_segment::log::{Options, SegmentLog};
    use ntk_segment::pointer::SegmentNumber;

    let state = end_state(ledger)?;
    let (mut log, _) = SegmentLog::open(ledger, Options::default())?;
    log.roll(state)?;
    let leaves = |batch: &ntk_segment::frame::Batch| {
        let key = BatchKey::new(batch.batch_key);
        let leaf = |(number, parts): (u64, &[Vec<u8>; 3])| {
            Some(*key.leaf(number, &Entry::from_parts(parts.clone()).ok()?).as_bytes())
        };
        (batch.author != "collector").then(|| (batch.first..).zip(&batch.entries).filter_map(leaf).collect())
    };
    let prepared = log.pruner().prepare(SegmentNumber::FIRST, leaves)?;
    Ok(log.pruner().publish(&prepared)?)
}

/// The STATE at the end of the ledger, as the collector would write it.
fn end_state(ledger: &Path) -> Result<ntk_segment::frame::State> {
    use ntk_collector::ledger::state::LedgerState;
    use ntk_segment::frame::Frame;

    let home = ledger.parent().unwrap();
    let trust = ntk_evidence::trust::TrustFile::parse(&fs::read(home.join("trust.txt"))?)?;
    let reader = ntk_segment::reader::Reader::open(ledger)?;
    let mut state = LedgerState::new(trust.slug.clone(), trust.collector.clone());
    for frame in reader.frames()? {
        if let Frame::Batch(batch) = frame?.1 {
            state.follow(ntk_collector::ledger::from_frame(0, batch)?)?;
        }
    }
    Ok(state.to_frame())
}
