//! Absence as evidence: killed, held still, cut off; each is an act with its bounds and cause, and a machine that is
//! left alone gives none. The coverage of a bundle is the ledger's alone.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::proxy::Proxy;
use ntk_tests::{recording, wait};
use rustix::process::Signal;
use serde_json::Value;

use crate::bundle::{unpack, verify};
use crate::crash::reaches;
use crate::refusals::{enrolled, runtime};

const WITHIN: Duration = Duration::from_secs(90);
const AGENT: &str = "agent/ws-01";

/// A practice that notices silence after three seconds.
fn attentive() -> Result<Practice> {
    let mut practice = Practice::start()?;
    practice.stop_collector()?;
    let config = practice.dir().join("collector.toml");
    let text = fs::read_to_string(&config)?;
    let text = text.replace("silent_after_seconds = 35", "silent_after_seconds = 3");
    let text = text.replace("settle_seconds = 10", "settle_seconds = 3");
    ensure!(text.contains("silent_after_seconds = 3\n"), "{text}");
    fs::write(&config, text)?;
    practice.start_collector()?;
    Ok(practice)
}

/// A machine that plays slowly for minutes, over an address.
fn machine(practice: &Practice, address: Option<&str>) -> Result<Machine> {
    let mut machine = practice.enroll("ws-01")?;
    let file = practice.folder().join("slow.log");
    recording::write(&file, "slow", 1001, 3000, 3)?;
    let collector =
        address.map(|address| format!("collector = \"{address}\"\nhealth_every_s = 2\n")).unwrap_or_default();
    machine.configure(&(collector + &recording::configuration(&[&file], Some(5))))?;
    machine.start()?;
    reaches(practice, &mut machine, 10)?;
    Ok(machine)
}

fn silences(practice: &Practice) -> Result<Vec<Value>> {
    let rows = practice.events(&["--acts"])?;
    let acts = rows.iter().filter(|row| row["event"]["kind"] == "act_silence");
    Ok(acts.map(|row| row["event"]["act"].clone()).filter(|act| act["author"] == AGENT).collect())
}

fn comes(practice: &Practice, step: &str) -> Result<Value> {
    wait::until(&format!("a silence that {step}"), WITHIN, || {
        Ok(silences(practice)?.into_iter().find(|act| act["step"] == step))
    })
}

/// A silence of a machine to which this is done; the ended act.
fn silenced(
    practice: &Practice,
    cause: &str,
    act: impl FnOnce() -> Result<()>,
    back: impl FnOnce() -> Result<()>,
) -> Result<Value> {
    ensure!(silences(practice)?.is_empty(), "the twin: a machine that is left alone is not silent");
    act()?;
    let began = comes(practice, "began")?;
    back()?;
    let ended = comes(practice, "ended")?;
    ensure!(ended["cause"] == cause, "expected {cause}: {ended}");
    ensure!(ended["from"] == began["from"], "one silence: {began} {ended}");
    ensure!(ended["from"].as_str() < ended["to"].as_str(), "bounds: {ended}");
    ensure!(
        ended["detail"].as_str().is_some_and(|detail| detail.len() > 20),
        "says by what it was decided: {ended}"
    );
    Ok(ended)
}

#[test]
fn a_killed_agent_was_stopped() -> Result<()> {
    let practice = attentive()?;
    let machine = std::cell::RefCell::new(machine(&practice, None)?);
    silenced(&practice, "stopped", || machine.borrow_mut().kill(), || machine.borrow_mut().start())?;
    Ok(())
}

#[test]
fn an_agent_that_was_held_still_shows_its_own_hole_and_the_collector_says_so() -> Result<()> {
    let practice = attentive()?;
    let machine = std::cell::RefCell::new(machine(&practice, None)?);
    let signal = |signal| machine.borrow_mut().agent()?.signal(signal);
    let ended = silenced(
        &practice,
        "frozen",
        || signal(Signal::STOP),
        || {
            // Long enough for the agent's own threshold, whatever the collector has noticed.
            let began = std::time::Instant::now();
            wait::until_so("some seconds", WITHIN, || Ok(began.elapsed() > Duration::from_secs(6)))?;
            signal(Signal::CONT)
        },
    )?;
    let rows = practice.events(&[])?;
    let gap =
        rows.iter().find(|row| row["event"]["gap"]["cause"] == "frozen").context("the agent's own gap")?;
    let (from, to) = (&gap["event"]["gap"]["from"], &gap["event"]["gap"]["to"]);
    ensure!(from.as_str() < ended["to"].as_str() && to.as_str() > ended["from"].as_str(), "{gap} {ended}");

    // The coverage of a bundle has the seconds, and is the same from the ledger alone.
    let coverage = |name: &str, practice: &Practice| -> Result<String> {
        let out = practice.folder().join(format!("{name}.zip"));
        let arguments =
            ["--from", "2026-01-01", "--to", "2036-12-31", "--case", name, "--out", &out.to_string_lossy()];
        practice.collector(&[&["export"][..], &arguments].concat())?;
        let (code, said) = verify(&out, Some(&practice.dir().join("trust.txt")))?;
        ensure!(code == Some(0), "{said}");
        let bag = unpack(&out, &practice.folder().join(name))?;
        Ok(fs::read_to_string(bag.join("data/coverage.csv"))?)
    };
    let frozen = |csv: &str| -> i64 {
        let column = csv.lines().next().and_then(|head| head.split(',').position(|name| name == "frozen_s"));
        let cells = csv.lines().skip(1).filter_map(|line| line.split(',').nth(column?)?.parse::<i64>().ok());
        cells.sum()
    };
    let before = coverage("one", &practice)?;
    ensure!(frozen(&before) >= 5, "{before}");
    machine.borrow_mut().stop()?;
    let mut practice = practice;
    practice.stop_collector()?;
    fs::remove_dir_all(practice.dir().join("cache"))?;
    practice.start_collector()?;
    ensure!(frozen(&coverage("two", &practice)?) == frozen(&before), "from the ledger alone");
    let out = practice.folder().join("review");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let report = fs::read_to_string(out.join("report.json"))?;
    ensure!(report.contains("held still while the computer ran"), "the review tells of it");
    Ok(())
}

#[test]
fn a_machine_whose_way_is_cut_recorded_meanwhile() -> Result<()> {
    let practice = attentive()?;
    let proxy = Proxy::to(&practice.address())?;
    let mut machine = machine(&practice, Some(&proxy.address()))?;
    let cut = || {
        proxy.cut();
        Ok(())
    };
    let mend = || {
        let began = std::time::Instant::now();
        wait::until_so("a silence longer than its edges", WITHIN, || {
            Ok(began.elapsed() > Duration::from_secs(12))
        })?;
        proxy.mend();
        Ok(())
    };
    silenced(&practice, "firewalled", cut, mend)?;
    machine.agent()?.ensure_running()
}

/// Nobody here switches a computer off or lets one sleep: a machine of ours comes back with what such a one says.
#[test]
fn a_machine_that_was_off_or_slept_is_told_by_its_boot_and_its_clocks() -> Result<()> {
    let (awake, an_hour) = ((10_000, 10_000), 3_600_000);
    for (cause, boot, run, clocks) in [
        ("powered_off", "boot-2", "run-2", (5_000, 5_000)),
        ("asleep", "boot-1", "run-1", (14_000, 14_000 + an_hour)),
        // The twin: the same run with clocks that agree was neither.
        ("silent", "boot-1", "run-1", (14_000, 14_000)),
    ] {
        let practice = attentive()?;
        let runtime = runtime()?;
        let machine = runtime.block_on(enrolled(&practice, "ws-01"))?;
        drop(runtime.block_on(machine.stream_at("boot-1", "run-1", awake))?);
        let began = comes(&practice, "began")?;
        let back = runtime.block_on(machine.stream_at(boot, run, clocks))?;
        let ended = wait::until("the silence to end", WITHIN, || {
            runtime.block_on(back.keepalive(clocks))?;
            Ok(silences(&practice)?.into_iter().find(|act| act["step"] == "ended"))
        })?;
        ensure!(ended["cause"] == cause && ended["from"] == began["from"], "{cause}: {began} {ended}");
        ensure!(ended["from"].as_str() < ended["to"].as_str(), "bounds: {ended}");
        drop(back);
    }
    Ok(())
}

#[test]
fn a_silence_goes_on_over_the_collectors_restart() -> Result<()> {
    let mut practice = attentive()?;
    let mut machine = machine(&practice, None)?;
    machine.kill()?;
    let began = comes(&practice, "began")?;
    practice.kill_collector()?;
    practice.start_collector()?;
    machine.start()?;
    let ended = comes(&practice, "ended")?;
    ensure!(ended["from"] == began["from"] && ended["cause"] == "stopped", "{began} {ended}");
    let starts = practice.events(&["--acts"])?;
    let starts = starts.iter().filter(|row| row["event"]["act"]["change"] == "started").count();
    ensure!(starts >= 3, "each start of the collector is an act: {starts}");
    Ok(())
}

#[test]
fn the_ledger_checks_itself_and_the_review_says_when() -> Result<()> {
    let practice = Practice::start()?;
    wait::until_so("the first self-check by itself", WITHIN, || {
        Ok(practice.status()?["self_check"]["passed"] == true)
    })?;
    let out = practice.folder().join("review");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let report: Value = serde_json::from_slice(&fs::read(out.join("report.json"))?)?;
    ensure!(report["footer"]["self_check_passed"] == true, "{}", report["footer"]);
    Ok(())
}
