//! One agent and one collector as real processes over mutual TLS: from a recording to a receipt.
//!
//! The way measured is the whole one: parse, coalesce, attribute, classify, freeze, sign, spool with fdatasync,
//! send, verify, append with fdatasync, decide, receipt.

use std::time::{Duration, Instant};

use anyhow::Result;
use ntk_tests::practice::Practice;
use ntk_tests::{recording, usage, wait};

use crate::limit;
use crate::table::{Table, float};

const BURST: u64 = 150_000;
const DAY: u64 = 400;
const DAY_RATE: u32 = 20;

/// Measures.
pub(crate) fn measure() -> Result<Table> {
    let mut table =
        Table::new("transport: one agent, one collector, mutual TLS 1.3, zstd, durable at both ends");
    let mut practice = Practice::start()?;
    burst(&mut table, &mut practice)?;
    day(&mut table, &practice)?;
    Ok(table)
}

fn burst(table: &mut Table, practice: &mut Practice) -> Result<()> {
    let file = practice.folder().join("burst.log");
    recording::write(&file, "burst", 1001, BURST, 2)?;
    let mut machine = practice.enroll("burst")?;
    machine.configure(&recording::configuration(&[], None))?;
    machine.start()?;
    wait::until_so("the agent's first entry", Duration::from_secs(30), || {
        Ok(practice.size_of("burst")? >= 1)
    })?;
    let collector = practice.collector_id()?;
    table.row("agent, idle, resident", float(usage::of(machine.agent()?.id())?.resident) / 1048576.0, "MiB");
    table.row("collector, idle, resident", float(usage::of(collector)?.resident) / 1048576.0, "MiB");
    machine.stop()?;

    machine.configure(&recording::configuration(&[&file], None))?;
    let before = practice.size_of("burst")?;
    let (kept, cpu) = (usage::bytes_below(&practice.dir().join("ledger"))?, usage::of(collector)?.cpu);
    let began = Instant::now();
    machine.start()?;
    wait::until_so("all entries to be durable in the collector", Duration::from_secs(600), || {
        Ok(practice.size_of("burst")? >= before + BURST)
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let (agent, collector) = (usage::of(machine.agent()?.id())?, usage::of(collector)?);
    let events = float(BURST);
    let bytes = float(usage::bytes_below(&practice.dir().join("ledger"))? - kept) / events;
    let raw = limit::groups_per_second(practice.folder(), 512 * 500, 200)? * 512.0;
    table.row("burst: accepted durably end to end", events / seconds, "events/s");
    table.row("raw append and fdatasync, 512 events of 500 B a group (the limit)", raw, "events/s");
    table.row(
        "burst: CPU an event, agent (from the record's text)",
        agent.cpu.as_secs_f64() * 1e6 / events,
        "us",
    );
    table.row("burst: CPU an event, collector", (collector.cpu - cpu).as_secs_f64() * 1e6 / events, "us");
    table.row("burst: agent, resident at most", float(agent.resident_max) / 1048576.0, "MiB");
    table.row("burst: collector, resident at most", float(collector.resident_max) / 1048576.0, "MiB");
    table.row("burst: bytes kept an event, collector's ledger", bytes, "B");
    machine.stop()?;
    Ok(())
}

/// An office day: events come one by one, so each is a batch with a note and a checkpoint of its own.
fn day(table: &mut Table, practice: &Practice) -> Result<()> {
    let file = practice.folder().join("day.log");
    recording::write(&file, "day", 1001, DAY, 50)?;
    let mut machine = practice.enroll("day")?;
    machine.configure(&recording::configuration(&[&file], Some(DAY_RATE)))?;
    let kept = usage::bytes_below(&practice.dir().join("ledger"))?;
    machine.start()?;
    wait::until_so("the office day to be durable", Duration::from_secs(120), || {
        Ok(practice.size_of("day")? >= DAY)
    })?;
    let bytes = float(usage::bytes_below(&practice.dir().join("ledger"))? - kept) / float(DAY);
    table.row("office day (20 events/s, one by one): bytes kept an event", bytes, "B");
    let cpu = usage::of(machine.agent()?.id())?.cpu.as_secs_f64() * 1e6 / float(DAY);
    table.row("office day: CPU an event, agent", cpu, "us");
    machine.stop()?;
    Ok(())
}
