//! The segment log against the raw disk: the same bytes in the same groups.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use ntk_segment::disk::{Disk, RealDisk};
use ntk_segment::encrypted::{EncryptedDisk, PlainFiles};
use ntk_segment::frame::{Batch, Commit, State};
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::verify::verify_chain_on;
use ntk_tests::usage;

use crate::limit;
use crate::table::{Table, float};

const GROUP: u32 = 512;
const GROUPS: u32 = 400;
const ENTRIES: f64 = (GROUP * GROUPS) as f64;

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

/// What one log took.
struct Run {
    log: SegmentLog,
    /// Entries a second, durable.
    rate: f64,
    /// Microseconds of CPU for each entry.
    cpu: f64,
    /// Entries a second when every frame is verified again.
    verified: f64,
    /// Bytes on the disk for each entry.
    bytes: f64,
}

fn run(disk: &Arc<dyn Disk>, dir: &Path, batches: &[Batch]) -> Result<Run> {
    let mut log = SegmentLog::create_on(Arc::clone(disk), dir, Options::default(), State::default())?;
    let own = std::process::id();
    let cpu = usage::of(own)?.cpu;
    let began = Instant::now();
    for batch in batches {
        log.append(batch)?;
        let _durable = log.commit(&Commit { received_unix_ns: 1, checkpoint: vec![b'c'; 190] })?;
        if log.needs_roll() {
            log.roll(State::default())?;
        }
    }
    let (rate, cpu) = (ENTRIES / began.elapsed().as_secs_f64(), usage::of(own)?.cpu - cpu);
    let bytes = float(usage::bytes_below(dir)?) / ENTRIES;
    let began = Instant::now();
    let chain = verify_chain_on(Arc::clone(disk), dir)?;
    anyhow::ensure!(chain.is_sound(), "the log that was just written verifies");
    let verified = ENTRIES / began.elapsed().as_secs_f64();
    Ok(Run { log, rate, cpu: cpu.as_secs_f64() * 1e6 / ENTRIES, verified, bytes })
}

/// Seals everything; bytes on the disk for each entry.
fn sealed(mut log: SegmentLog, dir: &Path) -> Result<f64> {
    let last = log.segments()?.last().context("a log has segments")?.number;
    log.roll(State::default())?;
    for segment in log.segments()? {
        if segment.number <= last {
            log.seal(segment.number)?;
        }
    }
    Ok(float(usage::bytes_below(dir)?) / ENTRIES)
}

/// Measures: the plain log, the same on an encrypted disk, and the raw disk.
pub(crate) fn measure() -> Result<Table> {
    let mut table = Table::new("storage: groups of 512 entries, one fdatasync each");
    let scratch = tempfile::tempdir()?;
    let batches: Vec<Batch> = (0..GROUPS).map(|n| batch(u64::from(n * GROUP))).collect();
    let plain_disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let encrypted_disk: Arc<dyn Disk> =
        Arc::new(EncryptedDisk::new(Arc::clone(&plain_disk), &[7; 32], PlainFiles::Refused));
    let (plain_dir, encrypted_dir) = (scratch.path().join("plain"), scratch.path().join("encrypted"));
    let plain = run(&plain_disk, &plain_dir, &batches)?;
    let encrypted = run(&encrypted_disk, &encrypted_dir, &batches)?;
    let group_bytes = usize::try_from(usage::bytes_below(&plain_dir)? / u64::from(GROUPS))?;
    let raw = limit::groups_per_second(scratch.path(), group_bytes, GROUPS)? * f64::from(GROUP);
    table.row("segment log, durable", plain.rate, "entries/s");
    table.row("segment log, durable, encrypted at rest", encrypted.rate, "entries/s");
    table.row("raw append and fdatasync of the same bytes (the limit)", raw, "entries/s");
    table.row("segment log against the limit", 100.0 * plain.rate / raw, "%");
    table.row("segment log, encrypted, against the limit", 100.0 * encrypted.rate / raw, "%");
    table.row("CPU an entry", plain.cpu, "us");
    table.row("CPU an entry, encrypted", encrypted.cpu, "us");
    table.row("bytes an entry, open segment", plain.bytes, "B");
    table.row("bytes an entry, open segment, encrypted", encrypted.bytes, "B");
    table.row("verifying every frame again", plain.verified, "entries/s");
    table.row("verifying every frame again, encrypted", encrypted.verified, "entries/s");
    let what = "bytes an entry, sealed (made-up entries: real ones differ)";
    table.row(what, sealed(plain.log, &plain_dir)?, "B");
    table.row("bytes an entry, sealed, encrypted", sealed(encrypted.log, &encrypted_dir)?, "B");
    Ok(table)
}
