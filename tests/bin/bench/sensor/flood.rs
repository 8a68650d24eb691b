//! As many watched opens as four processes make: so many, and for so long.
//!
//! Nothing may be missing unsaid: where no record is lost, as many opens are told as were made; where the kernel lost some, the
//! gaps count as many as the kernel does, and with what was told they cover what was made. They do not say how many opens
//! these were: an open is several records, and is missing where one of them is.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::{audit_state, usage, wait};
use serde_json::Value;

use crate::table::{Table, float};

const PROCESSES: u64 = 4;
const FILES: u64 = 100;
/// What is made may wait in the agent for so long before it is told.
const TOLD_WITHIN: Duration = Duration::from_secs(180);

/// How much is done.
#[derive(Clone, Copy)]
enum Until {
    /// So many opens by each process.
    Opens(u64),
    /// So many seconds.
    Seconds(u64),
}

/// Opens the files of a folder in turn: how often, and the longest that one open took, in microseconds.
const OPENER: &str = "import os, sys, time\nfolder, n, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])\n\
                      paths = [f'{folder}/{i}' for i in range(100)]\ndone, longest, last = 0, 0.0, time.monotonic()\n\
                      end = last + seconds\nwhile done < n if n else last < end:\n    \
                      os.close(os.open(paths[done % 100], os.O_RDONLY))\n    now = time.monotonic()\n    \
                      longest = max(longest, now - last)\n    last = now\n    done += 1\nprint(done, int(longest * 1e6))\n";

struct Done {
    opens: u64,
    longest_us: u64,
    took: Duration,
}

fn flood(script: &Path, folder: &Path, until: Until) -> Result<Done> {
    let (n, seconds) = match until {
        Until::Opens(n) => (n, 0),
        Until::Seconds(seconds) => (0, seconds),
    };
    let one = || -> Result<Child> {
        let sh = "echo 4248 > /proc/self/loginuid; exec python3 \"$@\"";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", sh, "opener"]).arg(script).arg(folder).args([n.to_string(), seconds.to_string()]);
        Ok(command.stdout(Stdio::piped()).spawn()?)
    };
    let began = Instant::now();
    let children: Vec<Child> = (0..PROCESSES).map(|_| one()).collect::<Result<_>>()?;
    let mut done = Done { opens: 0, longest_us: 0, took: Duration::ZERO };
    for child in children {
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (opens, longest) = said.trim().split_once(' ').context("the opener's figures")?;
        done.opens += opens.parse::<u64>()?;
        done.longest_us = done.longest_us.max(longest.parse()?);
    }
    done.took = began.elapsed();
    Ok(done)
}

/// What was told.
#[derive(Clone, Copy, Default)]
struct Told {
    /// Reads below the folder.
    reads: u64,
    /// Records that are lost, whoever lost them.
    lost: u64,
    /// Those that the kernel lost.
    lost_by_kernel: u64,
}

fn told(practice: &Practice, folder: &Path) -> Result<Told> {
    let folder = format!("{}/", folder.display());
    let mut told = Told::default();
    for row in practice.events(&[])? {
        let text =
            |pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        if text("/event/kind") == "file_access"
            && text("/event/action") == "read"
            && text("/event/object/path").starts_with(&folder)
        {
            told.reads += row.pointer("/event/count").and_then(Value::as_u64).unwrap_or(1);
        }
        let lost = row.pointer("/event/gap/lost").and_then(Value::as_u64).unwrap_or(0);
        told.lost += lost;
        if text("/event/gap/cause") == "kernel_lost" {
            told.lost_by_kernel += lost;
        }
    }
    Ok(told)
}

/// Nothing but the floods.
pub(crate) fn alone() -> Result<Table> {
    let mut table = Table::new("sensor");
    if let Err(why) = audit_state::free_for_a_test() {
        println!("skipped: {why}");
        return Ok(table);
    }
    measure(&mut table)?;
    Ok(table)
}

/// Both floods, beside one agent.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let practice = Practice::start()?;
    let (folder, script) = (practice.folder().join("flooded"), practice.folder().join("flood.py"));
    fs::create_dir_all(&folder)?;
    fs::write(&script, OPENER)?;
    for n in 0..FILES {
        fs::write(folder.join(n.to_string()), "text\n")?;
    }
    let mut machine = practice.enroll("flood")?;
    machine.configure(&format!(
        "[sensor]\naudit = true\nfanotify = false\nlogs = false\nnotify = false\n[[watch]]\npath = \"{}\"\nclass = \"export\"\n",
        folder.display()
    ))?;
    machine.start()?;
    wait::until_so("the agent to own the kernel's audit", TOLD_WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(audit_state::read()?.owner == machine.agent()?.id() && practice.size_of("flood")? > 0)
    })?;
    for (name, until) in [("200,000 opens", Until::Opens(50_000)), ("60 s of opens", Until::Seconds(60))] {
        let (before, kernel_before) = (told(&practice, &folder)?, audit_state::lost()?);
        let done = flood(&script, &folder, until)?;
        let (mut now, mut by_kernel) = (before, 0);
        let covered = wait::until_so("every open to be told or counted as lost", TOLD_WITHIN, || {
            now = told(&practice, &folder)?;
            by_kernel = u64::from(audit_state::lost()?.saturating_sub(kernel_before));
            let covers = now.reads - before.reads + now.lost - before.lost >= done.opens;
            Ok(covers && now.lost_by_kernel - before.lost_by_kernel == by_kernel)
        });
        let (reads, lost) = (now.reads - before.reads, now.lost - before.lost);
        covered.with_context(|| {
            format!(
                "{name}: {} done, {reads} told, {lost} records lost, {by_kernel} by the kernel's count",
                done.opens
            )
        })?;
        ensure!(reads <= done.opens, "{name}: {} done, and {reads} told", done.opens);
        ensure!(lost > 0 || reads == done.opens, "{name}: {} done, {reads} told, none lost", done.opens);
        let used = usage::of(machine.agent()?.id())?;
        table.row(format!("{name}, four processes, done"), float(done.opens), "");
        table.row(format!("{name}, told one by one or as a count"), float(reads), "");
        table.row(format!("{name}, records lost, as gaps say"), float(lost), "");
        table.row(format!("{name}, records lost, as the kernel counts"), float(by_kernel), "");
        table.row(format!("{name}, rate"), float(done.opens) / done.took.as_secs_f64(), "/s");
        table.row(format!("{name}, longest open of a caller"), float(done.longest_us) / 1000.0, "ms");
        table.row(
            format!("{name}, agent at its worst, resident"),
            float(used.resident_max) / 1048576.0,
            "MiB",
        );
    }
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    Ok(())
}
