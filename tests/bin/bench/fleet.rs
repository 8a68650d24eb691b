//! A fleet of agents on one collector, at several sizes: what a connected agent costs at rest, what it costs when all come
//! back at once, and how many entries a second the collector takes from all of them.
//!
//! The collector is a process of its own, and what it used is read of that process; the simulator's share of the machine is
//! told beside it, as both are on the same cores. Each size begins with a new start of the collector, so that no memory of the
//! size before is in the figure. At the end of each, every entry is accounted for, or the bench fails.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::fleet::{Arrival, Fleet, room_for};
use ntk_tests::practice::Practice;
use ntk_tests::{usage, wait};
use serde_json::Value;

use crate::Usage;
use crate::limit;
use crate::table::{Table, float};

/// How long a fleet is at rest for its figure: two signs of life each.
const AT_REST: Duration = Duration::from_secs(30);
/// For how long each agent says little, again and again.
const LITTLE_FOR: Duration = Duration::from_secs(10);
/// Entries of such a batch: an office's machine rarely has more waiting.
const LITTLE: usize = 4;
/// Entries that all agents together say at once for the highest rate, if the command line does not say.
const MUCH: usize = 100_000;
/// Entries of a batch at most.
const BATCH_MAX: usize = 512;
/// How long deciding may take.
const PATIENCE: Duration = Duration::from_secs(600);
const MIB: f64 = 1024.0 * 1024.0;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    sizes: Vec<usize>,
    store: Store,
    plot: Option<std::path::PathBuf>,
    much: usize,
}

/// Where the ledger is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Store {
    Files,
    Postgres,
}

impl Wanted {
    /// From the words behind `fleet`.
    pub(crate) fn parse(flags: &[&str]) -> Result<Self, Usage> {
        let mut wanted =
            Self { sizes: vec![10, 100, 1_000, 5_000], store: Store::Files, plot: None, much: MUCH };
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            let value = flags.next().ok_or_else(|| Usage(format!("`{flag}`: something is to follow it")))?;
            match *flag {
                "--agents" => {
                    let sizes: Result<Vec<usize>, _> = value.split(',').map(str::parse).collect();
                    let wrong = |_| Usage(format!("--agents: `{value}` is not like 10,100,1000"));
                    wanted.sizes = sizes.map_err(wrong)?;
                    wanted.sizes.sort_unstable();
                }
                "--store" => {
                    wanted.store = match *value {
                        "files" => Store::Files,
                        "postgres" => Store::Postgres,
                        other => {
                            return Err(Usage(format!("--store: `{other}` is neither files nor postgres")));
                        }
                    }
                }
                "--entries" => {
                    let wrong = |_| Usage(format!("--entries: `{value}` is no number; write a whole one"));
                    wanted.much = value.parse().map_err(wrong)?;
                }
                "--plot" => wanted.plot = Some(value.into()),
                other => return Err(Usage(format!("`{other}` is not understood by fleet"))),
            }
        }
        Ok(wanted)
    }
}

/// The figures of one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Connected agents.
    pub(crate) agents: usize,
    /// Memory of the collector with them at rest, bytes.
    pub(crate) memory: f64,
    /// Until all were back, seconds.
    pub(crate) back: f64,
    /// Entries a second when each says little.
    pub(crate) sustained: f64,
    /// Entries a second when much waits.
    pub(crate) peak: f64,
}

/// Measures.
pub(crate) fn measure(wanted: &Wanted) -> Result<Vec<Table>> {
    if wanted.store == Store::Postgres && std::env::var_os("NTK_STORE_PORT").is_none() {
        on_postgres()?;
    }
    let most = wanted.sizes.last().copied().unwrap_or(0);
    ensure!(room_for(most)?, "{most} agents need as many open files: raise `ulimit -n`");
    let mut practice = Practice::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut fleet = runtime.block_on(Fleet::enrolled(&practice, 0, most))?;
    let (mut tables, mut all) = (Vec::new(), Vec::new());
    for &size in &wanted.sizes {
        let mut table = Table::new(match wanted.store {
            Store::Files => "fleet: ledger in files",
            Store::Postgres => "fleet: ledger in PostgreSQL",
        });
        table.row("agents", float(u64::try_from(size)?), "");
        let figures = one(&mut table, &mut practice, &mut fleet, (size, wanted.much), &runtime)
            .with_context(|| {
                format!("with {size} agents; the collector's last words:\n{}\nand so", last_words(&practice))
            })?;
        all.push(figures);
        // As it comes: a bench of half an hour that is broken off has told something.
        eprintln!("{table}");
        tables.push(table);
    }
    if let Some(path) = &wanted.plot {
        std::fs::write(path, crate::fleet_plot::drawn(&all)).with_context(|| path.display().to_string())?;
    }
    practice.collector(&["self-check"])?;
    Ok(tables)
}

fn one(
    table: &mut Table,
    practice: &mut Practice,
    fleet: &mut Fleet,
    (size, much): (usize, usize),
    runtime: &tokio::runtime::Runtime,
) -> Result<Figures> {
    let n = float(u64::try_from(size)?);
    let (before, began) = (fleet.members.len(), Instant::now());
    runtime.block_on(fleet.grow(size))?;
    let more = float(u64::try_from(size.saturating_sub(before))?);
    if more > 0.0 {
        table.row(
            "enrolled, each with a token and an act",
            more / began.elapsed().as_secs_f64(),
            "machines/s",
        );
    }
    fleet.members.iter_mut().for_each(ntk_tests::fleet::agent::Member::hang_up);
    decided(practice)?;
    practice.stop_collector()?;
    let began = Instant::now();
    practice.start_collector()?;
    table.row("start of the collector", began.elapsed().as_secs_f64(), "s");
    let began = Instant::now();
    decided(practice)?;
    table.row("  until it has decided again what came since midnight", began.elapsed().as_secs_f64(), "s");
    let collector = practice.collector_id()?;
    let alone = usage::of(collector)?;
    table.row("collector, nobody connected: memory of its own", float(alone.own) / MIB, "MiB");

    let (own, began) = (usage::of(std::process::id())?, Instant::now());
    let took = runtime.block_on(fleet.storm(Arrival::AtOnce))?;
    let back = began.elapsed().as_secs_f64();
    let (now, own_now) = (usage::of(collector)?, usage::of(std::process::id())?);
    table.row("all come at once: until the last is greeted", back, "s");
    table.row("  half of them after", middle(took), "s");
    let cpu = (now.cpu - alone.cpu).as_secs_f64();
    table.row("  collector's CPU for a handshake and a greeting", cpu * 1e3 / n, "ms");
    let simulator = (own_now.cpu - own.cpu).as_secs_f64();
    table.row("  simulator's CPU for the same", simulator * 1e3 / n, "ms");

    runtime.block_on(fleet.rest(AT_REST))?;
    let at_rest = usage::of(collector)?;
    let each = (float(at_rest.own) - float(alone.own)).max(0.0) / n;
    table.row("at rest: collector's memory of its own", float(at_rest.own) / MIB, "MiB");
    table.row("  for each connected agent", each / 1024.0, "KiB");
    let cpu = (at_rest.cpu - now.cpu).as_secs_f64() / AT_REST.as_secs_f64();
    table.row("  collector's CPU, share of one core", cpu * 100.0, "%");
    table.row("  for each agent, a second", cpu * 1e6 / n, "us");

    let (held, began, before) = (fleet.sealed(), Instant::now(), at_rest.cpu);
    let took = runtime.block_on(fleet.murmur(LITTLE, LITTLE_FOR))?;
    let (said, seconds) = (float(fleet.sealed() - held), began.elapsed().as_secs_f64());
    decided(practice)?;
    let cpu = (usage::of(collector)?.cpu - before).as_secs_f64();
    let sustained = said / seconds;
    table.row("each says four entries and waits for the receipt, again and again", sustained, "entries/s");
    table.row("  collector's CPU an entry, decided", cpu * 1e6 / said, "us");
    table.row("  half of the receipts came after", middle(took), "s");

    let batch = (much / size.max(1)).clamp(1, BATCH_MAX);
    let batches = (much / size.max(1) / batch).max(1);
    let (held, before) = (fleet.sealed(), usage::of(collector)?.cpu);
    let began = Instant::now();
    runtime.block_on(fleet.speak(batches, batch))?;
    let (said, seconds) = (float(fleet.sealed() - held), began.elapsed().as_secs_f64());
    decided(practice)?;
    let cpu = (usage::of(collector)?.cpu - before).as_secs_f64();
    let peak = said / seconds;
    table.row(format!("{much} wait in batches of {batch}"), peak, "entries/s");
    table.row("  collector's CPU an entry, decided", cpu * 1e6 / said, "us");
    let raw = limit::groups_per_second(practice.folder(), 512 * 500, 100)? * 512.0;
    table.row("raw append and fdatasync, 512 entries of 500 B a group (the limit)", raw, "entries/s");
    let most = usage::of(collector)?;
    table.row("collector, resident at most", float(most.resident_max) / MIB, "MiB");
    let entries = fleet.agrees(&practice.status()?)?;
    table.row("entries of all so far, each held once and each with a receipt", float(entries), "");
    Ok(Figures { agents: size, memory: float(at_rest.own), back, sustained, peak })
}

/// Waits until every entry is decided.
fn decided(practice: &Practice) -> Result<()> {
    wait::until_so("every entry to be decided", PATIENCE, || {
        let status = practice.status()?;
        let number = |path: &str| status.pointer(path).and_then(Value::as_u64).context("status has numbers");
        Ok(number("/decided/leaves")? >= number("/log/size")?)
    })
}

fn middle(mut took: Vec<Duration>) -> f64 {
    took.sort_unstable();
    took.get(took.len() / 2).map_or(0.0, Duration::as_secs_f64)
}

fn last_words(practice: &Practice) -> String {
    let log = practice.collector_log();
    let lines: Vec<&str> = log.lines().rev().take(12).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// This bench once more, below a server of the distribution that `ntk-on-postgres` starts and ends; ends as that one does.
fn on_postgres() -> Result<()> {
    let this = std::env::current_exe()?;
    let server = this.with_file_name("ntk-on-postgres");
    let status = std::process::Command::new(server).arg(this).args(std::env::args_os().skip(1)).status()?;
    ensure!(status.success(), "the bench on PostgreSQL ended with {status}");
    std::process::exit(0)
}
