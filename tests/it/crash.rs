//! Crashes in mid-stream: what was acknowledged or spooled is there afterwards, once, and every check agrees.
//! SP-1, SP-2, LG-1, LG-2, UP-1.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::{recording, wait};
use serde_json::Value;

const ACCESSES: u64 = 12_000;
const ALL_WITHIN: Duration = Duration::from_secs(120);

/// Starts a machine that plays a recording of its own.
pub(crate) fn player(
    practice: &Practice,
    name: &str,
    uid: u32,
    accesses: u64,
    rate: Option<u32>,
) -> Result<Machine> {
    let mut machine = practice.enroll(name)?;
    let file = practice.folder().join(format!("{name}.log"));
    recording::write(&file, name, uid, accesses, 3)?;
    machine.configure(&recording::configuration(&[&file], rate))?;
    machine.start()?;
    Ok(machine)
}

/// Waits until the collector holds more than so many entries of a machine.
pub(crate) fn reaches(practice: &Practice, machine: &mut Machine, entries: u64) -> Result<()> {
    let name = machine.name().to_owned();
    wait::until_so(&format!("{entries} entries of {name}"), ALL_WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(practice.size_of(&name)? >= entries)
    })
}

/// Every access of the recording is there, once, and the author's numbers have no hole.
pub(crate) fn nothing_lost_nothing_doubled(events: &[Value], machine: &str, accesses: u64) -> Result<()> {
    let author = format!("agent/{machine}");
    let rows: Vec<&Value> = events.iter().filter(|row| row["author"] == author.as_str()).collect();
    let numbers: Vec<u64> = rows.iter().filter_map(|row| row["number"].as_u64()).collect();
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    ensure!(distinct.len() == numbers.len(), "{machine}: a number stands twice");
    let last = distinct.last().copied().context("entries")?;
    ensure!(u64::try_from(distinct.len())? == last + 1, "{machine}: {} numbers up to {last}", distinct.len());
    let mut seen = std::collections::BTreeMap::new();
    for row in rows.iter().filter(|row| row["event"]["kind"] == "file_access") {
        let path = row["event"]["object"]["path"].as_str().unwrap_or("no path").to_owned();
        *seen.entry(path).or_insert(0u64) += row["event"]["count"].as_u64().unwrap_or(1);
    }
    for number in 0..accesses {
        let path = recording::file_of(machine, number);
        let count = seen.get(&path).copied().unwrap_or(0);
        ensure!(count == 1, "{machine}: access {number} is there {count} times");
    }
    ensure!(u64::try_from(seen.len())? == accesses, "{machine}: {} files", seen.len());
    Ok(())
}

#[test]
fn the_collector_killed_in_mid_stream_loses_and_doubles_nothing() -> Result<()> {
    let mut practice = Practice::start()?;
    let mut one = player(&practice, "ws-01", 1001, ACCESSES, Some(4000))?;
    let mut two = player(&practice, "ws-02", 1002, ACCESSES, Some(4000))?;
    for stop in 1..=3 {
        reaches(&practice, &mut one, ACCESSES * stop / 5)?;
        practice.kill_collector()?;
        practice.start_collector()?;
    }
    reaches(&practice, &mut one, ACCESSES + 1)?;
    reaches(&practice, &mut two, ACCESSES + 1)?;
    ensure!(
        one.stop()?.success() && two.stop()?.success(),
        "agents end in order:\n{}\n{}",
        one.log(),
        two.log()
    );
    let events = practice.events(&[])?;
    nothing_lost_nothing_doubled(&events, "ws-01", ACCESSES)?;
    nothing_lost_nothing_doubled(&events, "ws-02", ACCESSES)?;
    let findings = practice.findings()?;
    let of = |person: &str| findings.iter().filter(|row| row["finding"]["person"] == person).count();
    assert!(of("northwind") >= 1, "a finding for the IT firm: {findings:?}");
    practice.collector(&["self-check"])?;
    practice.collector(&["rebuild"])?;
    Ok(())
}

#[test]
fn an_agent_killed_in_mid_stream_goes_on_where_it_was_durable() -> Result<()> {
    let practice = Practice::start()?;
    let mut machine = player(&practice, "ws-01", 1001, ACCESSES, Some(4000))?;
    for stop in 1..=3 {
        reaches(&practice, &mut machine, ACCESSES * stop / 5)?;
        machine.kill()?;
        machine.start()?;
    }
    wait::until_so("every access", ALL_WITHIN, || {
        machine.agent()?.ensure_running()?;
        let events = practice.events(&["--asset", "export"])?;
        Ok(u64::try_from(events.len())? >= ACCESSES)
    })?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    let events = practice.events(&[])?;
    nothing_lost_nothing_doubled(&events, "ws-01", ACCESSES)?;
    // SE-1: an end with -9 leaves a gap in the record, once each.
    let gaps = events.iter().filter(|row| row["event"]["kind"] == "gap").count();
    assert!(gaps >= 3, "three kills, {gaps} gaps");
    practice.collector(&["self-check"])?;
    practice.collector(&["rebuild"])?;
    Ok(())
}

#[test]
fn what_is_spooled_while_the_collector_is_away_arrives_when_it_is_back() -> Result<()> {
    let mut practice = Practice::start()?;
    let mut machine = practice.enroll("ws-01")?;
    practice.stop_collector()?;
    let file = practice.folder().join("away.log");
    recording::write(&file, "ws-01", 1001, 2000, 3)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    wait::until_so("the agent to spool everything", ALL_WITHIN, || {
        machine.agent()?.ensure_running()?;
        let status: Value = serde_json::from_str(&machine.command(&["status", "--json"])?)?;
        Ok(status["waiting"].as_u64().unwrap_or(0) > 2000)
    })?;
    machine.kill()?;
    machine.start()?;
    practice.start_collector()?;
    reaches(&practice, &mut machine, 2001)?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    nothing_lost_nothing_doubled(&practice.events(&[])?, "ws-01", 2000)?;
    practice.collector(&["self-check"])?;
    Ok(())
}
