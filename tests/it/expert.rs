//! The other side's expert: a clean folder with the bundle and the trust file, a shell without anything of ours in its
//! environment, and the page README-how-to-verify. Every command of the page is typed as written, and what it prints is
//! compared with what the page says. Not part of `tests/run quick`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::authority::Authority;
use ntk_tests::practice::Practice;
use ntk_tests::{program, skip};

use crate::bundle::{exported_by, unpack};

/// A command of the page, and what must stand in what it prints.
#[derive(Debug)]
struct Step {
    command: String,
    expected: Vec<String>,
}

/// Reads the commands and expectations out of the page's text.
fn steps(page: &str) -> Vec<Step> {
    let (mut steps, mut expecting): (Vec<Step>, bool) = (Vec::new(), false);
    for line in page.lines() {
        match (line.strip_prefix("    "), steps.last_mut()) {
            (Some(code), _) if code.starts_with("$ ") => {
                steps.push(Step { command: code[2..].to_owned(), expected: Vec::new() });
                expecting = false;
            }
            (Some(code), Some(step)) if expecting => step.expected.push(code.to_owned()),
            _ => expecting = line == "Expected:",
        }
    }
    steps
}

/// Types everything into one shell with Debian's PATH and `tools` in front; the part that each command printed.
fn typed(folder: &Path, tools: &Path, steps: &[Step]) -> Result<Vec<String>> {
    const MARK: &str = "---- next ----";
    let mut script = String::new();
    let mut open = false;
    for step in steps {
        script.push_str(&step.command);
        script.push('\n');
        // A function over several lines is one command: nothing is printed in between.
        open = (open || step.command.contains("() {")) && !step.command.ends_with("; }");
        if !open {
            script.push_str(&format!("echo '{MARK}'\n"));
        }
    }
    let output = Command::new("/bin/bash")
        .args(["-c", &format!("exec 2>&1\n{script}")])
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", tools.display()))
        .env("HOME", folder)
        .current_dir(folder)
        .output()?;
    let mut parts =
        program::text(&output.stdout).split(MARK).map(str::to_owned).collect::<Vec<_>>().into_iter();
    let mut printed = Vec::new();
    let mut open = false;
    for step in steps {
        open = (open || step.command.contains("() {")) && !step.command.ends_with("; }");
        printed.push(if open { String::new() } else { parts.next().context("a part for each command")? });
    }
    Ok(printed)
}

fn has(command: &str, arguments: &[&str]) -> bool {
    Command::new(command).args(arguments).output().is_ok_and(|output| output.status.success())
}

#[test]
fn the_page_of_a_bundle_works_as_written() -> Result<()> {
    let go = Path::new("/usr/share/gocode/src/golang.org/x/mod/sumdb/note").is_dir()
        && has("/usr/bin/go", &["version"]);
    let cryptography = has("/usr/bin/python3", &["-c", "import cryptography"]);
    if !go || !cryptography || !has("/usr/bin/openssl", &["version"]) {
        let wanted = "golang-go, golang-golang-x-mod-dev, python3-cryptography and openssl are needed; tests/run installs them";
        skip::skip("expert", wanted);
        return Ok(());
    }
    // A practice that asks an authority: its bundle's page has the most to type.
    let tsa = tempfile::tempdir()?;
    let authority = Authority::start(tsa.path())?;
    let exported = exported_by(Practice::start_configured(&authority.section(60))?, 60)?;
    let desk = tempfile::tempdir()?;
    fs::copy(&exported.bundle, desk.path().join("bundle.zip"))?;
    fs::copy(&exported.trust, desk.path().join("trust.txt"))?;
    // Way C takes ntk-verify from elsewhere: a folder with this one program.
    let tools = tempfile::tempdir()?;
    fs::copy(program::binary("ntk-verify")?, tools.path().join("ntk-verify"))?;
    let unpacked = unpack(&exported.bundle, &exported.practice.folder().join("page"))?;
    let page = fs::read_to_string(unpacked.join("data/README-how-to-verify.txt"))?;
    let steps = steps(&page);
    ensure!(steps.len() >= 15, "commands of the page: {steps:?}");
    let printed = typed(desk.path(), tools.path(), &steps)?;
    let mut compared = 0;
    for (step, printed) in steps.iter().zip(&printed) {
        for line in &step.expected {
            ensure!(
                printed.contains(line.as_str()),
                "`{}` printed\n{printed}\nand not `{line}`",
                step.command
            );
            compared += 1;
        }
    }
    println!("{} commands typed, {compared} expectations met", steps.len());
    ensure!(compared >= 15, "expectations of the page: {compared}");
    Ok(())
}
