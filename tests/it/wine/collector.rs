//! The collector for Windows under Wine: a practice, a service, an agent of this machine that delivers to it, its console and its
//! bundle. What it shows is our side of pipes, rights and services; Wine's file system keeps Unix's bits behind Windows' lists.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::machine::Machine;
use ntk_tests::practice::free_port;
use ntk_tests::program::{self, text};
use ntk_tests::wine::{self, Windows};
use ntk_tests::{recording, skip, wait};
use serde_json::Value;
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(60);
const MACHINE: &str = "ws-09";
/// What the machine's agent plays, and how many of it a second.
const ACCESSES: u64 = 1200;
const RATE: u32 = 40;

/// A machine with a practice on it, and a folder for the agent of this one.
struct Office {
    windows: Windows,
    scratch: TempDir,
    console: u16,
}

impl Office {
    fn new() -> Result<Self> {
        let (windows, scratch) = (Windows::new(&[])?, tempfile::Builder::new().prefix("ntk-").tempdir()?);
        let (port, console) = (free_port()?, free_port()?);
        let (listen, console_at) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{console}"));
        windows.collect(&[
            "init",
            "--name",
            "Maple Street Family Practice",
            "--timezone",
            "America/New_York",
            "--keys-to",
            r"C:\keys-to-take-away.txt",
            "--administers",
            "host=Northwind IT,hypervisor=Northwind IT,network=Northwind IT,backup=Northwind IT",
            "--listen",
            &listen,
            "--console",
            &console_at,
        ])?;
        Ok(Self { windows, scratch, console })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.windows.drive().join("practice").join(name)
    }

    fn events(&self) -> Result<Vec<Value>> {
        let lines = self.windows.collect(&["events", "--json"])?;
        lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Files that were opened, as the collector holds them, each with how often.
    fn opened(&self) -> Result<BTreeMap<String, u32>> {
        let mut counted = BTreeMap::new();
        for row in self.events()? {
            if let Some(path) = row["event"]["object"]["path"].as_str() {
                *counted.entry(path.to_owned()).or_default() += 1;
            }
        }
        Ok(counted)
    }

    fn token(&self) -> Result<String> {
        let said = self.windows.collect(&["enroll", "new", "--machine", MACHINE])?;
        let token = said.split_whitespace().find(|word| word.starts_with("ntk1."));
        Ok(token.with_context(|| format!("no token in {said}"))?.trim_matches('`').to_owned())
    }

    /// The console's answer to a page, from outside.
    fn page(&self, path: &str) -> Result<String> {
        let authority = self.file("private/authority.pem").display().to_string();
        let url = format!("https://127.0.0.1:{}{path}", self.console);
        let asked = ["-sS", "-i", "--noproxy", "*", "--max-time", "20", "--cacert", &authority, &url];
        let output = Command::new("curl").args(asked).output()?;
        ensure!(output.status.success(), "curl {url}: {}", text(&output.stderr));
        Ok(text(&output.stdout))
    }
}

/// A Windows service takes an agent's entries over mutual TLS, answers commands over its pipe and browsers over TLS; killed with
/// -9 it has lost nothing; stopped, it ends in order. Its bundle verifies elsewhere.
#[test]
fn a_service_takes_entries_answers_commands_and_loses_nothing_through_a_kill() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("wine::collector", &why);
        return Ok(());
    }
    let office = Office::new()?;
    let windows = &office.windows;
    let said = windows.collect(&["install", "--dry-run"])?;
    ensure!(said.contains("nothing was changed"), "{said}");
    let said = windows.collect(&["install"])?;
    ensure!(said.contains("the service runs"), "{said}");
    wait::until_so("the service to answer", WITHIN, || Ok(office.file("admin.pipe").is_file()))?;
    // Whoever has the ledger open is the service: a second collector gets neither ledger nor pipe.
    let second = windows.end_of(windows.collector(&["run"]))?;
    ensure!(!second.0.success(), "{second:?}");

    let mut machine = Machine::enroll(office.scratch.path(), MACHINE, &office.token()?)?;
    let file = office.scratch.path().join("recording.log");
    recording::write(&file, "week", 1001, ACCESSES, 5)?;
    machine.configure(&recording::configuration(&[&file], Some(RATE)))?;
    machine.start()?;
    wait::until_so("something to be there", WITHIN, || Ok(!office.opened()?.is_empty()))?;
    let page = office.page("/")?;
    ensure!(page.starts_with("HTTP/1.1 "), "{page}");

    // Most of it is still to come.
    let before = office.opened()?;
    ensure!(windows.kill("ntk-collector.exe")? > 0, "there was a service to kill");
    ensure!(office.file("admin.pipe").is_file(), "a killed one leaves the name of its pipe");
    // By the command itself: nobody answers on that pipe.
    let kept = office.opened()?;
    ensure!(before.keys().all(|path| kept.contains_key(path)), "lost: {before:?}, {kept:?}");
    let started = windows.end_of(windows.command("sc.exe", &["start", "ntk-collector"]))?;
    ensure!(started.0.success(), "{started:?}");
    let all: BTreeMap<String, u32> =
        (0..ACCESSES).map(|number| (recording::file_of("week", number), 1)).collect();
    let came = wait::until_so("everything to be there", WITHIN, || Ok(office.opened()?.len() >= all.len()));
    ensure!(office.opened()? == all, "{came:?}: {} before, then {:?}", before.len(), office.opened()?);
    ensure!(before.len() < all.len(), "the kill met a recording that still played");
    for what in [&["self-check"][..], &["rebuild"], &["report", "--out", r"C:\review"]] {
        windows.collect(what)?;
    }
    ensure!(windows.drive().join("review/report.pdf").is_file(), "a review was made");
    let bundle = ["--case", "T-1", "--out", r"C:\bundle.zip"];
    windows.collect(&[&["export", "--from", "2026-01-01", "--to", "2036-12-31"][..], &bundle].concat())?;
    let (bundle, trust) = (windows.drive().join("bundle.zip"), office.file("trust.txt"));
    let arguments = [&*bundle.to_string_lossy(), "--trust", &*trust.to_string_lossy()];
    let verified = program::run("ntk-verify", &arguments)?;
    ensure!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));

    machine.stop()?;
    let said = windows.collect(&["uninstall"])?;
    ensure!(said.contains("the practice stays"), "{said}");
    let log = std::fs::read_to_string(office.file("collector.log"))?;
    ensure!(log.lines().last().is_some_and(|line| line.ends_with("stopped")), "not ended in order: {log}");
    ensure!(!office.file("admin.pipe").exists(), "no pipe is named where nobody answers");
    ensure!(office.opened()? == all, "the practice stays, and is read without a service, too");
    let again = windows.end_of(windows.collector(&["uninstall"]))?;
    ensure!(!again.0.success(), "there is no service any more: {again:?}");
    Ok(())
}

/// What names people or holds keys is for SYSTEM, administrators and its owner; a key that others could read is refused.
#[test]
fn secrets_are_closed_to_other_accounts_and_a_loose_key_is_refused() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("wine::collector_secrets", &why);
        return Ok(());
    }
    let office = Office::new()?;
    let others = |name: &str| -> Result<u32> {
        Ok(std::fs::metadata(office.file(name))?.permissions().mode() & 0o007)
    };
    for name in ["", "private", "ledger", "cache", "reports", "bundles", "private/log.key"] {
        ensure!(others(name)? == 0, "`{name}` is open to others");
    }
    let (status, said) = office.windows.end_of(office.windows.collector(&["check"]))?;
    ensure!(status.success(), "{said}");
    std::fs::set_permissions(office.file("private/log.key"), std::fs::Permissions::from_mode(0o644))?;
    let (status, said) = office.windows.end_of(office.windows.collector(&["check"]))?;
    ensure!(!status.success() && said.contains("icacls"), "{said}");
    let (status, said) = office.windows.end_of(office.windows.collector(&["status"]))?;
    ensure!(status.code() == Some(78) && said.contains("can be read by other accounts"), "{said}");
    Ok(())
}

/// The package puts the programs there, lets a practice that is there go on, and takes the programs away again.
#[test]
fn the_package_installs_over_a_practice_and_leaves_it() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("wine::collector_package", &why);
        return Ok(());
    }
    let windows = Windows::new(&[])?;
    let Some(package) = windows.package("ntk-collector.msi")? else {
        skip::skip("wine::collector_package", "no ntk-collector.msi was built (wixl is not installed)");
        return Ok(());
    };
    let installed = |what: &str| -> Result<()> {
        let ran = windows.end_of(windows.command("msiexec.exe", &[what, &package, "/qn"]))?;
        ensure!(ran.0.success(), "{ran:?}");
        Ok(())
    };
    installed("/i")?;
    let programs = windows.drive().join("Program Files/Need-to-Know");
    ensure!(programs.join("ntk-verify.exe").is_file(), "the verifier is there");
    let collector = programs.join("ntk-collector.exe");
    let keys = ["--keys-to", r"C:\keys.txt", "--administers", "host=N,hypervisor=N,network=N,backup=N"];
    let (listen, console) = (format!("127.0.0.1:{}", free_port()?), format!("127.0.0.1:{}", free_port()?));
    let rest = ["--timezone", "America/New_York", "--listen", &listen, "--console", &console];
    // In the folder that is taken where none is named.
    let init = [&["init", "--name", "Maple Street Family Practice"][..], &keys, &rest].concat();
    let made = windows.end_of(windows.command(&collector.to_string_lossy(), &init))?;
    ensure!(made.0.success(), "{made:?}");
    let made = windows.end_of(windows.command(&collector.to_string_lossy(), &["install"]))?;
    ensure!(made.0.success(), "{made:?}");
    let folder = windows.drive().join("ProgramData/Need-to-Know/collector");
    wait::until_so("the service to answer", WITHIN, || Ok(folder.join("admin.pipe").is_file()))?;
    installed("/x")?;
    ensure!(!collector.exists() && folder.join("private/log.key").is_file());
    let log = std::fs::read_to_string(folder.join("collector.log"))?;
    ensure!(log.lines().last().is_some_and(|line| line.ends_with("stopped")), "not ended in order: {log}");
    Ok(())
}
