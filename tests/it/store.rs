//! The query store is a cache: deleted or damaged, it is made again from the ledger, and nobody's answer changes.

use std::fs;

use anyhow::{Context as _, Result};
use ntk_tests::practice::Practice;

use crate::bundle::{Exported, exported};

fn answers(practice: &Practice) -> Result<(usize, Vec<String>)> {
    let findings = practice.findings()?;
    let ids = findings.iter().map(|row| row["finding"]["id"].as_str().unwrap_or("no id").to_owned());
    Ok((practice.events(&[])?.len(), ids.collect()))
}

#[test]
fn a_deleted_or_damaged_query_store_is_made_again() -> Result<()> {
    let Exported { mut practice, .. } = exported(300)?;
    let before = answers(&practice)?;
    assert!(before.0 >= 300 && !before.1.is_empty(), "{before:?}");
    let cache = practice.dir().join("cache");
    for damage in ["deleted", "flipped", "cut"] {
        practice.stop_collector()?;
        match damage {
            "deleted" => fs::remove_dir_all(&cache)?,
            _ => {
                let database = largest_below(&cache)?.context("a file in the cache")?;
                let mut bytes = fs::read(&database)?;
                if damage == "cut" {
                    bytes.truncate(bytes.len() / 3);
                } else {
                    bytes.iter_mut().skip(512).step_by(997).for_each(|byte| *byte ^= 0x5a);
                }
                fs::write(&database, bytes)?;
            }
        }
        practice.start_collector()?;
        assert_eq!(answers(&practice)?, before, "after the store was {damage}: {}", practice.collector_log());
        practice.collector(&["rebuild"])?;
        practice.collector(&["self-check"])?;
    }
    Ok(())
}

fn largest_below(folder: &std::path::Path) -> Result<Option<std::path::PathBuf>> {
    let mut largest = None;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() { largest_below(&path)? } else { Some(path) };
        if let Some(found) = found {
            let length = found.metadata()?.len();
            if largest.as_ref().is_none_or(|(most, _)| length > *most) {
                largest = Some((length, found));
            }
        }
    }
    Ok(largest.map(|(_, path)| path))
}
