//! The console in a browser that nobody here wrote: Debian's Chromium, driven by PyPI's playwright; axe-core looks for what
//! keeps people out. Not part of `tests/run quick`. Pictures of every page lie in `target/screenshots`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use ntk_tests::console::set_up_link;
use ntk_tests::practice::Practice;
use ntk_tests::{program, recording, skip, wait};

use crate::foreign::tool;
use crate::tidy::top;

const CHROMIUM: &str = "/usr/bin/chromium";

/// Where the pictures go: beside the programs' folder.
fn pictures() -> Result<PathBuf> {
    let collector = program::binary("ntk-collector")?;
    let target = collector.ancestors().nth(2).map_or_else(|| PathBuf::from("target"), Path::to_path_buf);
    Ok(target.join("screenshots"))
}

/// A practice in which one account read some exports.
fn with_a_finding() -> Result<Practice> {
    let practice = Practice::start()?;
    let mut machine = practice.enroll("front-desk")?;
    let file = practice.folder().join("recording.log");
    recording::write(&file, "<script>alert(1)</script>", 1001, 12, 5)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    wait::until_so("a finding", Duration::from_secs(60), || {
        machine.agent()?.ensure_running()?;
        Ok(practice.collector(&["findings", "--json"])?.contains("\"id\""))
    })?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    let out = practice.folder().join("report");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    Ok(practice)
}

#[test]
fn a_managers_first_day_by_keyboard_telephone_paper_and_without_scripts() -> Result<()> {
    let test = "browser::a_managers_first_day";
    let Some(python) = tool("NTK_BROWSER", test) else { return Ok(()) };
    if !Path::new(CHROMIUM).exists() {
        skip::skip(test, "chromium is not installed; tests/run installs it");
        return Ok(());
    }
    let practice = with_a_finding()?;
    let link = set_up_link(&practice)?;
    let mut command = Command::new(python);
    command.arg(top().join("tests/it/browser/first_day.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.args([CHROMIUM, &practice.console_origin(), &link]).arg(pictures()?);
    let output = command.stdin(Stdio::null()).output()?;
    let said = program::text(&output.stdout) + &program::text(&output.stderr);
    ensure!(output.status.success(), "{said}");
    println!("{said}");
    Ok(())
}
