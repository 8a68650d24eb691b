//! The segment log against the raw disk: the same bytes in the same groups.

use std::time::Instant;

use anyhow::{Context as _, Result};
use ntk_segment::frame::{Batch, Commit, State};
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::verify::verify_chain;
use ntk_tests::usage;

use crate::limit;
use crate::table::{Table, float};

const GROUP: u32 = 512;
const GROUPS: u32 = 400;

/// Numbers that do not repeat soon (splitmix64), so that sealing has something to do.
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A batch of made-up entries in the shape of an agent's, with the parts varied that vary in real ones.
fn batch(first: u64) -> Batch {
    let entry = |number: u64| {
        let core = format!(
            "{{\"kind\":\"file_access\",\"time\":\"2026-11-22T14:{:02}:{:02}.{:03}Z\",\"outcome\":\"success\",\"actor\":{{\"login_uid\":1001,\"login_user\":\"itadmin1\",\"effective_user\":\"root\",\"session\":{},\"from\":\"10.0.0.14\",\"confidence\":\"kernel\"}},\"action\":\"read\",\"process\":{{\"pid\":{},\"exe\":\"/usr/bin/cat\"}},\"object\":{{\"class\":\"export\",\"via\":\"direct\"}},\"source\":{{\"sensor\":\"linux-audit\",\"record\":\"{number}\"}}}}",
            number / 60_000 % 60,
            number / 1000 % 60,
            number % 1000,
            mix(number / 40) % 97,
            4000 + mix(number) % 30_000,
        );
        let paths = format!(
            "{{\"path\":\"/srv/practice/ehr/exports/week/{:08x}-patient-{:05}.csv\"}}",
            mix(number) >> 32,
            mix(number) % 9000
        );
        [core.into_bytes(), paths.into_bytes(), b"{\"command\":\"cat patient.csv\"}".to_vec()]
    };
    Batch {
        author: "agent/ws-01".into(),
        epoch: 0,
        first,
        note: (0..190).map(|n| mix(first ^ (n << 40)).to_le_bytes()[0]).collect(),
        batch_key: [(first % 251) as u8; 32],
        entries: (first..first + u64::from(GROUP)).map(entry).collect(),
    }
}

/// Measures.
pub(crate) fn measure() -> Result<Table> {
    let mut table = Table::new("storage: groups of 512 entries, one fdatasync each");
    let scratch = tempfile::tempdir()?;
    let dir = scratch.path().join("log");
    let mut log = SegmentLog::create(&dir, Options::default(), State::default())?;
    let batches: Vec<Batch> = (0..GROUPS).map(|n| batch(u64::from(n * GROUP))).collect();
    let own = std::process::id();
    let cpu = usage::of(own)?.cpu;
    let began = Instant::now();
    for batch in &batches {
        log.append(batch)?;
        let _durable = log.commit(&Commit { received_unix_ns: 1, checkpoint: vec![b'c'; 190] })?;
        if log.needs_roll() {
            log.roll(State::default())?;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let entries = f64::from(GROUP * GROUPS);
    let cpu = (usage::of(own)?.cpu - cpu).as_secs_f64();
    let bytes = usage::bytes_below(&dir)?;
    let raw = limit::groups_per_second(scratch.path(), usize::try_from(bytes / u64::from(GROUPS))?, GROUPS)?;
    table.row("segment log, durable", entries / seconds, "entries/s");
    table.row("raw append and fdatasync of the same bytes (the limit)", raw * f64::from(GROUP), "entries/s");
    table.row("segment log against the limit", 100.0 * entries / seconds / (raw * f64::from(GROUP)), "%");
    table.row("CPU an entry", cpu * 1e6 / entries, "us");
    table.row("bytes an entry, open segment", float(bytes) / entries, "B");
    let began = Instant::now();
    let chain = verify_chain(&dir)?;
    anyhow::ensure!(chain.is_sound(), "the log that was just written verifies");
    table.row("verifying every frame again", entries / began.elapsed().as_secs_f64(), "entries/s");
    let last = log.segments()?.last().context("a log has segments")?.number;
    log.roll(State::default())?;
    for segment in log.segments()? {
        if segment.number <= last {
            log.seal(segment.number)?;
        }
    }
    table.row(
        "bytes an entry, sealed (made-up entries: real ones differ)",
        float(usage::bytes_below(&dir)?) / entries,
        "B",
    );
    Ok(table)
}
