//! What only a machine of our own can show: see [`ntk_tests::vm`].

mod audited;
mod booted;
mod boxed;
mod installed;
mod sealed;
mod service;

use std::time::Duration;

use anyhow::Result;
use ntk_tests::vm::{Ended, Image, Kernel};
use ntk_tests::{practice, skip};
use serde_json::Value;

/// Emulated, and beside other tests: seconds here are minutes on a bad day.
const AT_MOST: Duration = Duration::from_secs(500);

/// The kernel to boot; none is told as a skipped test.
fn kernel(test: &str) -> Option<Kernel> {
    Kernel::find().inspect_err(|why| skip::skip(test, why)).ok()
}

/// A machine with a practice of its own: `/practice.sh` starts it.
fn practice_of_its_own(script: &str) -> Result<Image> {
    let mut image = Image::with_script(script)?;
    image.file("/practice.sh", 0o644, include_str!("../vm/practice.sh"));
    image.file("/practice/roster.toml", 0o644, practice::ROSTER);
    image.program(&ntk_tests::program::binary("ntk-audit-state")?, "/usr/bin/ntk-audit-state")?;
    Ok(image)
}

/// What the collector of the machine told at the end.
fn rows(ended: &Ended) -> Result<Vec<Value>> {
    ended.said("events.jsonl")?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The events alone.
fn events(ended: &Ended) -> Result<Vec<Value>> {
    Ok(rows(ended)?.into_iter().map(|mut row| row["event"].take()).collect())
}
