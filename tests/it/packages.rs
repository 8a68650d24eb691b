//! `deploy/debian`: packages are the same each time they are made, and live and end in a fresh Debian as they are meant to.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::{program, skip};

use crate::tidy::top;

/// What the scripts of `deploy` end with where something is not to be had here.
const SKIPPED: i32 = 3;

fn binaries() -> Result<std::path::PathBuf> {
    Ok(program::binary("ntk-agent")?.parent().context("a folder of programs")?.to_owned())
}

/// Runs one of the scripts; none, and the skip counted, where it says that it cannot work here.
fn run(test: &str, script: &str, arguments: &[&str]) -> Result<Option<Output>> {
    let mut command = Command::new(top().join("deploy/debian").join(script));
    command.arg("--from").arg(binaries()?).args(arguments).env("SOURCE_DATE_EPOCH", "1790000000");
    let output = command.env("NTK_DEB_COMPRESSION", "-Zgzip -z1").stdin(Stdio::null()).output()?;
    let said = program::text(&output.stdout) + &program::text(&output.stderr);
    println!("{said}");
    if output.status.code() == Some(SKIPPED) {
        let why = said.lines().find_map(|line| line.strip_prefix("skipped: ")).unwrap_or("no reason given");
        skip::skip(test, why);
        return Ok(None);
    }
    ensure!(output.status.success(), "{script}: {} {said}", output.status);
    Ok(Some(output))
}

fn packages(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        found.insert(entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path())?);
    }
    Ok(found)
}

#[test]
fn packages_of_the_same_programs_are_the_same_bytes() -> Result<()> {
    let mut made = Vec::new();
    for _ in 0..2 {
        let out = tempfile::tempdir()?;
        let path = out.path().to_str().context("a path in UTF-8")?;
        let name = "packages_of_the_same_programs_are_the_same_bytes";
        if run(name, "build", &["--out", path, "--strip"])?.is_none() {
            return Ok(());
        }
        made.push(packages(out.path())?);
    }
    let [first, second] = &made[..] else { anyhow::bail!("made twice") };
    ensure!(first.len() == 3, "{:?}", first.keys());
    ensure!(first == second, "two builds differ");
    Ok(())
}

#[test]
fn packages_live_in_a_fresh_debian_and_leave_only_the_ledger() -> Result<()> {
    let name = "packages_live_in_a_fresh_debian_and_leave_only_the_ledger";
    let Some(output) = run(name, "try", &[])? else { return Ok(()) };
    let said = program::text(&output.stdout);
    ensure!(said.contains("is not installed over 0.2.0"), "an older version is refused: {said}");
    ensure!(said.contains("held by Northwind IT"), "a finding: {said}");
    ensure!(said.contains("The practice's ledger stays"), "purge keeps the ledger: {said}");
    ensure!(said.trim_end().ends_with("all of it was shown"), "{said}");
    Ok(())
}
