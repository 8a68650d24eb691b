//! The console over a year of a practice of fifteen: what a review costs, and how long the server takes for each page;
//! beside them a page that asks nothing of the ledger, and the time for reading as many bytes of it as nine weeks have.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ntk_collector::account::Role;
use ntk_collector::console::table::navigation;
use ntk_tests::console::{Browser, set_up_link};
use ntk_tests::practice::{Practice, free_port};
use ntk_tests::{usage, wait};
use serde_json::Value;

use crate::table::{Table, float};
use crate::year;

/// About a year of a practice of fifteen, by what an office of that size does.
pub(crate) const ENTRIES: u64 = 10_000_000;
/// How long deciding a year may take.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Each page is opened so often; the middle and the longest are told.
const OPENED: usize = 9;
const MIB: f64 = 1024.0 * 1024.0;

/// Measures.
pub(crate) fn measure(entries: u64) -> Result<Table> {
    let mut table = Table::new("console: a year of a practice of fifteen");
    let folder = tempfile::Builder::new().prefix("ntk-").tempdir()?;
    let ports = (free_port()?, free_port()?);
    let began = Instant::now();
    let written = year::written(folder.path(), ports, entries)?;
    table.row("entries in the ledger", float(written), "");
    table.row("written, sealed and durable", float(written) / began.elapsed().as_secs_f64(), "entries/s");
    table.row(
        "the ledger on disk",
        float(usage::bytes_below(&folder.path().join("collector/ledger"))?) / MIB,
        "MiB",
    );
    let mut practice = Practice::over(folder, ports.0, ports.1);
    let began = Instant::now();
    practice.start_collector()?;
    wait::until_so("a year to be decided", PATIENCE, || {
        let status = practice.status()?;
        let number = |path: &str| status.pointer(path).and_then(Value::as_u64).context("status has numbers");
        Ok(number("/decided/leaves")? >= number("/log/size")?)
    })?;
    table.row(
        "decided from nothing, as after a lost store",
        float(written) / began.elapsed().as_secs_f64(),
        "entries/s",
    );
    let began = Instant::now();
    wait::until_so("a year to be rolled up", PATIENCE, || {
        let status = practice.status()?;
        let number = |path: &str| status.pointer(path).and_then(Value::as_u64).context("status has numbers");
        // The last batches are fewer than fill a roll-up.
        Ok(number("/decided/rolled_up")?.saturating_add(64) >= number("/log/size")?)
    })?;
    table.row("and then until it is rolled up", began.elapsed().as_secs_f64(), "s");
    let process = practice.collector_id()?;
    table.row(
        "the collector's memory, most of that time",
        float(usage::of(process)?.resident_max) / MIB,
        "MiB",
    );
    practice.stop_collector()?;
    let began = Instant::now();
    practice.start_collector()?;
    table.row("started again", began.elapsed().as_secs_f64(), "s");
    let (seconds, bytes) = read_of_ledger(&practice.dir().join("ledger"))?;
    table.row("nine weeks of the ledger, read from the disk (the limit)", seconds, "s");
    table.row("that is", float(bytes) / MIB, "MiB");
    reviews(&mut table, &practice)?;
    pages(&mut table, &practice)?;
    Ok(table)
}

/// Seconds for reading as many bytes of the newest segments as the weeks have that a review looks at, and how many.
fn read_of_ledger(folder: &Path) -> Result<(f64, u64)> {
    let wanted = usage::bytes_below(folder)? / 52 * 9;
    let mut files: Vec<_> = std::fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    let (began, mut bytes) = (Instant::now(), 0);
    for file in files.iter().rev() {
        if bytes >= wanted {
            break;
        }
        bytes += u64::try_from(std::hint::black_box(std::fs::read(file)?).len())?;
    }
    Ok((began.elapsed().as_secs_f64(), bytes))
}

/// A week's review as a file, twice: the first finds nothing in memory.
fn reviews(table: &mut Table, practice: &Practice) -> Result<()> {
    let process = practice.collector_id()?;
    let before = usage::of(process)?.resident;
    let out = practice.folder().join("report").to_string_lossy().into_owned();
    for (which, what) in
        ["the week's review, HTML, PDF, JSON (aim: 2)", "the same again"].into_iter().enumerate()
    {
        let began = Instant::now();
        practice.collector(&["report", "--out", &out])?;
        table.row(what, began.elapsed().as_secs_f64(), "s");
        if which == 0 {
            let most = usage::of(process)?.resident_max;
            table.row("the collector's memory, before", float(before) / MIB, "MiB");
            table.row("the collector's memory, most until then (aim: 200)", float(most) / MIB, "MiB");
        }
    }
    let report = std::fs::read(practice.folder().join("report/report.json"))?;
    let report: Value = serde_json::from_slice(&report)?;
    let items = report.get("items").and_then(Value::as_array).map_or(0, Vec::len);
    table.row("items in it", float(u64::try_from(items)?), "");
    Ok(())
}

/// Every page of the navigation, signed in as the manager; the sign-in page beside them.
fn pages(table: &mut Table, practice: &Practice) -> Result<()> {
    let mut browser = Browser::open(practice)?;
    browser.set_up(&set_up_link(practice)?, &[("person", "mary"), ("name", "Mary Lopez")])?;
    page(table, &browser, "sign-in (asks nothing of the ledger)", "/sign-in")?;
    for (name, path) in navigation(&Role::Manager) {
        page(table, &browser, name, path)?;
    }
    Ok(())
}

fn page(table: &mut Table, browser: &Browser, name: &str, path: &str) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..OPENED {
        let answer = browser.ask(&["-w", "\n%{time_pretransfer} %{time_total}"], path)?;
        ensure!(answer.status == 200, "{path} answers {}", answer.status);
        let (_, said) = answer.body.rsplit_once('\n').context("curl's times")?;
        let (ready, done) = said.split_once(' ').context("two times")?;
        times.push((done.parse::<f64>()? - ready.parse::<f64>()?) * 1000.0);
    }
    let first = times.first().copied().unwrap_or_default();
    times.sort_by(f64::total_cmp);
    let middle = times.get(OPENED / 2).copied().unwrap_or_default();
    table.row(format!("{name}: first (aim: 100)"), first, "ms");
    table.row(format!("{name}: middle of {OPENED}"), middle, "ms");
    Ok(())
}
