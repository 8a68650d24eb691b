//! `deploy/debian`, `deploy/tarballs`: packages are the same each time they are made, and live and end in a fresh Debian as they
//! are meant to. The image of a container is in [`crate::container`].

use std::collections::BTreeMap;
use std::fs;
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

/// Runs one of the scripts of `deploy`; none, and the skip counted, where it says that it cannot work here.
fn run(test: &str, script: &str, arguments: &[&str]) -> Result<Option<Output>> {
    let mut command = Command::new(top().join("deploy").join(script));
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
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        found.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
    }
    Ok(found)
}

/// How much of the machine each unit may reach at most, as `systemd-analyze security` counts it: from 0 to 10, in tenths.
/// The same numbers stand in docs/installing.md.
const EXPOSURES: [(&str, u32); 3] = [("ntk-agent", 35), ("ntk-collector", 15), ("ntk-observer", 25)];

/// Makes something twice; the files of both, by name, and what was said the second time.
type Twice = (BTreeMap<String, Vec<u8>>, BTreeMap<String, Vec<u8>>, String);

fn twice(test: &str, script: &str, second: &[&str]) -> Result<Option<Twice>> {
    let (one, two) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut said = String::new();
    for (out, more) in [(&one, &[][..]), (&two, second)] {
        let path = out.path().to_str().context("a path in UTF-8")?;
        let Some(output) = run(test, script, &[&["--out", path, "--strip"], more].concat())? else {
            return Ok(None);
        };
        said = program::text(&output.stdout);
    }
    Ok(Some((packages(one.path())?, packages(two.path())?, said)))
}

#[test]
fn packages_of_the_same_programs_are_the_same_bytes_and_lintian_finds_no_fault() -> Result<()> {
    let name = "packages_of_the_same_programs_are_the_same_bytes_and_lintian_finds_no_fault";
    // The checks fail on any error and warning of lintian, and on any word of `systemd-analyze verify`.
    let Some((first, second, said)) = twice(name, "debian/build", &["--check"])? else { return Ok(()) };
    ensure!(first.len() == 3, "{:?}", first.keys());
    ensure!(first == second, "two builds differ");
    if said.contains("without lintian") {
        skip::skip(name, "lintian is not installed");
    }
    Ok(())
}

#[test]
fn the_units_are_valid_and_reach_no_more_of_the_machine_than_the_documents_say() -> Result<()> {
    let name = "the_units_are_valid_and_reach_no_more_of_the_machine_than_the_documents_say";
    let page = fs::read_to_string(top().join("docs/installing.md"))?;
    for (unit, most) in EXPOSURES {
        let most = format!("{}.{}", most / 10, most % 10);
        ensure!(page.contains(&format!("`{unit}` {most}")), "docs/installing.md does not say {unit} {most}");
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(["security", "--offline=true", "--no-pager"]);
        let file = top().join(format!("deploy/systemd/{unit}.service"));
        let Ok(output) = analyze.arg(&file).stdin(Stdio::null()).output() else {
            skip::skip(name, "systemd-analyze is not installed");
            return Ok(());
        };
        let said = program::text(&output.stdout);
        let level = said.rsplit_once(".service: ").map(|(_, level)| level);
        let level = level.and_then(|level| level.split(' ').next()).context("a level of exposure")?;
        let (level, most): (f64, f64) = (level.parse()?, most.parse()?);
        ensure!(level <= most, "{unit}: {level} is more than {most}: {said}");
    }
    Ok(())
}

/// The page has a section with each command of each command, and the options of the deepest.
fn man_page(test: &str, folder: &Path, package: &str) -> Result<()> {
    let (section, wanted): (_, &[&str]) = match package {
        "ntk-agent" => ("8", &["ntk-agent enroll", "--collector <HOST:PORT>", "ntk-agent decoy plant"]),
        "ntk-collector" => (
            "8",
            &[
                "ntk-collector init",
                "--keys-to <FILE>",
                "ntk-collector update announce",
                "--platform <PLATFORM>",
            ],
        ),
        _ => ("1", &["ntk-verify witness", "--log-key <VKEY>", "ntk-verify completions"]),
    };
    let page = folder.join(format!("man/{package}.{section}.gz"));
    if !page.is_file() {
        skip::skip(test, "help2man is not installed");
        return Ok(());
    }
    let text = Command::new("gzip").arg("-dc").arg(&page).output()?;
    ensure!(text.status.success(), "{}", page.display());
    let text = program::text(&text.stdout).replace('\\', "");
    let (_, options) = text.split_once("OPTIONS OF EACH COMMAND").context("options of each command")?;
    for wanted in wanted {
        let wanted =
            if wanted.starts_with("ntk-") { format!(".SS \"{wanted}\"") } else { (*wanted).to_owned() };
        ensure!(options.contains(&wanted), "the page of {package} has no `{wanted}`");
    }
    ensure!(!options.contains("-h, --help"), "what all have alike is not said of each");
    Ok(())
}

#[test]
fn tarballs_of_the_same_programs_are_the_same_bytes_and_name_the_sums_of_their_files() -> Result<()> {
    let test = "tarballs_of_the_same_programs_are_the_same_bytes_and_name_the_sums_of_their_files";
    let Some((first, second, _)) = twice(test, "tarballs", &[])? else { return Ok(()) };
    ensure!(first == second, "two builds differ");
    let kinds: Vec<_> =
        first.keys().map(|name| name.split('-').take(2).collect::<Vec<_>>().join("-")).collect();
    ensure!(kinds == ["SHA256SUMS", "ntk-agent", "ntk-collector", "ntk-verify"], "{kinds:?}");
    for (name, bytes) in first.iter().filter(|(name, _)| name.ends_with(".tar.gz")) {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("a.tar.gz"), bytes)?;
        let unpacked = Command::new("tar").args(["-xzf", "a.tar.gz"]).current_dir(&dir).status()?;
        ensure!(unpacked.success(), "{name}");
        let (folder, _) = name.split_once(".tar.gz").context("a tarball")?;
        let folder = dir.path().join(folder);
        let check =
            || Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&folder).output();
        ensure!(check()?.status.success(), "{name}: {}", program::text(&check()?.stderr));
        let package = name.split('-').take(2).collect::<Vec<_>>().join("-");
        for file in [
            "README.md",
            "LICENCE",
            &format!("completions/bash/{package}"),
            &format!("completions/zsh/_{package}"),
            &format!("completions/fish/{package}.fish"),
        ] {
            ensure!(folder.join(file).is_file(), "{name} has no {file}");
        }
        man_page(test, &folder, &package)?;
        if package != "ntk-verify" {
            ensure!(folder.join("systemd").is_dir(), "{name}");
            ensure!(folder.join("examples").is_dir(), "{name} has no example of a configuration");
        }
        fs::write(folder.join("README.md"), "another")?;
        ensure!(!check()?.status.success(), "{name}: a changed file is seen");
    }
    Ok(())
}

#[test]
fn packages_live_in_a_fresh_debian_and_leave_only_the_ledger() -> Result<()> {
    let name = "packages_live_in_a_fresh_debian_and_leave_only_the_ledger";
    let Some(output) = run(name, "debian/try", &[])? else { return Ok(()) };
    let said = program::text(&output.stdout);
    ensure!(said.contains("is not installed over 0.2.0"), "an older version is refused: {said}");
    ensure!(said.contains("held by Northwind IT"), "a finding: {said}");
    ensure!(said.contains("The practice's ledger stays"), "purge keeps the ledger: {said}");
    ensure!(said.trim_end().ends_with("all of it was shown"), "{said}");
    Ok(())
}
