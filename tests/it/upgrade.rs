//! An upgrade over data: what older programs wrote, another commit's, not the same one's under another number, is opened by
//! today's in place. Everything is there, under the roots that the older programs signed, and both go on. EV-1, LG-1, UP-1.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::machine::Machine;
use ntk_tests::practice::{Practice, free_port};
use ntk_tests::{postgres, program, recording, wait};
use serde_json::Value;

use crate::bundle::verify;
use crate::foreign::proofs::script_agrees;
use crate::tidy::top;

const WITHIN: Duration = Duration::from_secs(60);
const MACHINE: &str = "front-desk";
/// What the agent recorded with the older programs, by recording.
const OLDER: [(&str, u64); 3] = [("first", 30), ("second", 20), ("third", 10)];
const NEWER: u64 = 15;

/// What the older programs left, copied, on ports that are free now. Nothing runs.
struct Older {
    practice: Practice,
    machine: Machine,
}

fn json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Writes another text in the place of one that must be there.
fn exchanged(path: &Path, changes: &[(&str, &str)]) -> Result<()> {
    let mut text = fs::read_to_string(path)?;
    for (from, to) in changes {
        ensure!(text.contains(from), "`{from}` in {}", path.display());
        text = text.replace(from, to);
    }
    Ok(fs::write(path, text)?)
}

impl Older {
    fn unpack() -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("ntk-").tempdir()?;
        let package = top().join("tests/it/upgrade/d3f0762.tar.xz");
        let mut tar = Command::new("tar");
        tar.args(["--strip-components=1", "--no-same-owner", "-xJf"])
            .arg(&package)
            .arg("-C")
            .arg(scratch.path());
        let output = tar.output()?;
        ensure!(output.status.success(), "{}", program::text(&output.stderr));
        let (port, console_port) = (free_port()?, free_port()?);
        let machine = Machine::at(MACHINE, scratch.path().join("agent"));
        let practice = Practice::over(scratch, port, console_port);
        let (address, console) = (practice.address(), format!("127.0.0.1:{console_port}"));
        // The ports are the machine's on which this runs; and retention must not reach what is compared, whatever the year.
        let config = practice.dir().join("collector.toml");
        let changes = [("127.0.0.1:39411", address.as_str()), ("127.0.0.1:39412", &console)];
        exchanged(&config, &[&changes[..], &[("raw_months = 24", "raw_months = 600")]].concat())?;
        exchanged(&machine.dir().join("identity/identity.toml"), &changes[..1])?;
        Ok(Self { practice, machine })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.practice.folder().join(name)
    }

    /// The rows that the older collector printed of its ledger.
    fn rows(&self) -> Result<Vec<Value>> {
        fs::read_to_string(self.file("events.jsonl"))?
            .lines()
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect()
    }

    /// The agent starts, and records more.
    fn plays(&mut self) -> Result<()> {
        let file = self.file("fourth.audit");
        recording::write_from(&file, recording::an_hour_ago()?, "fourth", 1001, NEWER, 5)?;
        self.machine.configure(&recording::configuration(&[&file], None))?;
        self.machine.start()
    }
}

/// Every row of the older ledger stands where it stood, word by word.
fn all_of_it_is_there(practice: &Practice, older: &[Value]) -> Result<()> {
    let now = practice.events(&["--acts"])?;
    for row in older {
        let same = now.iter().find(|other| {
            other["author"] == row["author"]
                && other["number"] == row["number"]
                && other["leaf"] == row["leaf"]
        });
        let same = same.with_context(|| format!("gone: {row}"))?;
        ensure!(same["event"] == row["event"], "was {row}\nis {same}");
    }
    Ok(())
}

fn accesses_of(practice: &Practice, recording: &str) -> Result<usize> {
    let events = practice.events(&[])?;
    let of_it = |row: &&Value| {
        let path = row["event"]["object"]["path"].as_str().unwrap_or_default();
        row["event"]["kind"] == "file_access" && path.contains(&format!("/{recording}-"))
    };
    Ok(events.iter().filter(of_it).count())
}

fn root_of(status: &Value) -> Result<(u64, String)> {
    let (size, root) = (status["log"]["size"].as_u64(), status["log"]["root"].as_str());
    Ok((size.context("a size")?, root.context("a root")?.to_owned()))
}

#[test]
fn what_older_programs_wrote_is_opened_in_place_and_everything_goes_on() -> Result<()> {
    let mut older = Older::unpack()?;
    let rows = older.rows()?;
    let before = json(&older.file("status.json"))?;
    ensure!(rows.len() > 80, "{} rows", rows.len());
    let trust = older.practice.dir().join("trust.txt");
    let kept_trust = older.file("trust-before.txt");
    fs::copy(&trust, &kept_trust)?;

    // A bundle of then is verified by the verifiers of now.
    let old_bundle = older.file("bundle-U-1");
    let said = verify(&old_bundle, Some(&kept_trust))?;
    ensure!(said.0 == Some(0), "{}", said.1);
    script_agrees("upgrade::older_bundle", &old_bundle, &kept_trust, &said)?;

    // Opened by commands alone, it is the same log; then a collector runs on it.
    ensure!(root_of(&older.practice.status()?)? == root_of(&before)?, "the same root");
    all_of_it_is_there(&older.practice, &rows)?;
    let segment = older.practice.dir().join("ledger/00000000000000000000.seg");
    let frames = fs::read(&segment)?;
    if let Some(database) = postgres::database_of_this_run()? {
        older.practice.migrate(&database)?;
    }
    older.practice.start_collector()?;
    older.practice.collector(&["self-check"])?;
    all_of_it_is_there(&older.practice, &rows)?;

    // What waited in the older spool arrives, the agent goes on in its own log behind it, with its own key.
    let durable = json(&older.machine.dir().join("status.json"))?["durable"].as_u64().context("a size")?;
    let received = older.practice.size_of(MACHINE)?;
    ensure!(durable >= received + OLDER[2].1, "{durable} entries were recorded, {received} had arrived");
    let certificate = fs::read(older.machine.dir().join("identity/certificate.pem"))?;
    older.plays()?;
    wait::until_so("what waited, and what is new", WITHIN, || {
        older.machine.agent()?.ensure_running()?;
        Ok(older.practice.size_of(MACHINE)? >= durable + NEWER)
    })
    .with_context(|| format!("{}\n{}", older.machine.log(), older.practice.collector_log()))?;
    let practice = &older.practice;
    for (name, accesses) in OLDER.into_iter().chain([("fourth", NEWER)]) {
        ensure!(accesses_of(practice, name)? == usize::try_from(accesses)?, "each of `{name}` once");
    }
    let numbers: Vec<u64> = practice
        .events(&[])?
        .iter()
        .filter(|row| row["author"] == "agent/front-desk")
        .filter_map(|row| row["number"].as_u64())
        .collect();
    let distinct: std::collections::BTreeSet<u64> = numbers.iter().copied().collect();
    ensure!(distinct.len() == numbers.len(), "a number stands twice");
    ensure!(distinct.last().copied() == Some(u64::try_from(numbers.len())? - 1), "no number is left out");

    // Findings of then are as they were decided; what is new makes its own.
    let fresh = wait::until("a finding of what is new", WITHIN, || {
        let found = practice.findings()?;
        Ok(found.into_iter().find(|one| one["finding"]["last_number"].as_u64() >= Some(durable)))
    })
    .with_context(|| practice.collector_log())?;
    ensure!(fresh["finding"]["person"] == "northwind", "{fresh}");
    let all: Value = serde_json::from_str(&practice.collector(&["findings", "--all", "--json"])?)?;
    let all = all.get("findings").unwrap_or(&all).as_array().context("findings")?;
    for was in json(&older.file("findings.json"))?.as_array().context("findings")? {
        let id = &was["finding"]["id"];
        let is = all.iter().find(|one| one["finding"]["id"] == *id).with_context(|| format!("gone: {id}"))?;
        for same in ["state", "steps", "headline", "covered_by", "opened_by", "closed_by"] {
            ensure!(is[same] == was[same], "{same} of {id}: was {} is {}", was[same], is[same]);
        }
    }
    let tickets = practice.collector(&["ticket", "list"])?;
    ensure!(tickets.contains("T-1") && tickets.contains("closed"), "{tickets}");
    ensure!(practice.collector(&["hold", "list"])?.contains("C-1"), "the hold holds");
    let (passphrase, again) = (older.file("passphrase.txt"), older.file("again"));
    let passphrase = passphrase.to_string_lossy().into_owned();
    let id = fresh["finding"]["id"].as_str().context("an id")?;
    let decide = ["finding", id, "decide", "expected", "--because", "As before.", "--by", "mary"];
    practice.collector(&[&decide[..], &["--passphrase-file", &passphrase]].concat())?;
    practice.collector(&["report", "--week", "2026-W47", "--out", &again.to_string_lossy()])?;
    let (code, said) =
        practice.try_collector(&["keys", "check", &older.file("keys.txt").to_string_lossy()])?;
    ensure!(code == Some(0), "the keys of then are this practice's: {said}");

    // Its certificate of ten years is replaced by one of 90 days.
    wait::until_so("a new certificate", WITHIN, || {
        Ok(fs::read(older.machine.dir().join("identity/certificate.pem"))? != certificate)
    })
    .with_context(|| older.machine.log())?;
    practice.collector(&["witness", "round"])?;

    // Everything verifies, here and with strangers; the bundle of then and the one of now do not contradict each other.
    practice.collector(&["self-check"])?;
    practice.collector(&["rebuild"])?;
    let bundle = older.file("bundle.zip");
    let out = bundle.to_string_lossy().into_owned();
    practice.collector(&[
        "export",
        "--from",
        "2026-01-01",
        "--to",
        "2099-12-31",
        "--case",
        "U-2",
        "--out",
        &out,
    ])?;
    let said = verify(&bundle, Some(&kept_trust))?;
    ensure!(said.0 == Some(0), "with the trust file of then: {}", said.1);
    script_agrees("upgrade::bundle", &bundle, &kept_trust, &said)?;
    program::succeed("ntk-verify", &["agree", &old_bundle.to_string_lossy(), &out])?;

    // EV-1, LG-1: the older frames are the beginning of today's file, to the byte; so each root that was signed is a prefix.
    ensure!(older.machine.stop()?.success(), "{}", older.machine.log());
    older.practice.stop_collector()?;
    ensure!(fs::read(&segment)?.starts_with(&frames), "the older frames are as they were");
    older.practice.start_collector()?;
    all_of_it_is_there(&older.practice, &rows)?;
    Ok(())
}

#[test]
fn what_older_programs_wrote_is_judged_no_milder_one_flipped_bit_stops_the_upgrade() -> Result<()> {
    let older = Older::unpack()?;
    let segment = older.practice.dir().join("ledger/00000000000000000000.seg");
    let whole = fs::read(&segment)?;
    let mut changed = whole.clone();
    *changed.get_mut(whole.len() / 2).context("a byte")? ^= 1;
    fs::write(&segment, changed)?;
    let (code, said) = older.practice.try_collector(&["self-check"])?;
    ensure!(code != Some(0), "{said}");
    // The query store of then cannot lend its truth to a ledger that was cut: there is less, and the agent knows of more.
    fs::write(&segment, whole.get(..whole.len() / 2).context("a half")?)?;
    let before = root_of(&json(&older.file("status.json"))?)?;
    let (code, said) = older.practice.try_collector(&["status", "--json"])?;
    let short = serde_json::from_str(&said).ok().as_ref().and_then(|status| root_of(status).ok());
    ensure!(code != Some(0) || short.is_some_and(|(size, _)| size < before.0), "{code:?} {said}");
    Ok(())
}
