//! `tests/bench`: figures of this machine, each beside the physical limit measured in the same run; and what
//! detection finds and costs.

#[path = "bench/console.rs"]
mod console;
#[path = "bench/decisions.rs"]
mod decisions;
#[path = "bench/detection.rs"]
mod detection;
#[path = "bench/evidence.rs"]
mod evidence;
#[path = "bench/fleet.rs"]
mod fleet;
#[path = "bench/fleet_plot.rs"]
mod fleet_plot;
#[path = "bench/sensor/flood.rs"]
mod flood;
#[path = "bench/ingest.rs"]
mod ingest;
#[path = "bench/limit.rs"]
mod limit;
#[path = "bench/sensor.rs"]
mod sensor;
#[path = "bench/storage.rs"]
mod storage;
#[path = "bench/table.rs"]
mod table;
#[path = "bench/transport.rs"]
mod transport;
#[path = "bench/year.rs"]
mod year;

use std::process::ExitCode;

use anyhow::Result;
use ntk_tests::detection::report::Report;
use ntk_tests::detection::scenario::read::ScenarioError;
use ntk_tests::detection::score::Refused;
use serde_json::Value;
use table::Table;

/// The command line is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(String);

/// Exit codes of sysexits.h: what was asked for, and what was given, cannot be used.
const USAGE: u8 = 64;
const DATA: u8 = 65;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The chain alone: where in our code it came from helps nobody who wrote a scenario.
            eprintln!("tests/bench: {error:#}");
            ExitCode::from(code_of(&error))
        }
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    let is_data = |cause: &(dyn std::error::Error + 'static)| {
        matches!(cause.downcast_ref(), Some(ScenarioError::Faults(_))) || cause.is::<Refused>()
    };
    match error {
        error if error.is::<Usage>() => USAGE,
        error if error.chain().any(is_data) => DATA,
        _ => 1,
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|name| *name != "--json").collect();
    let (tables, reports): (Vec<Table>, Vec<Report>) = match words.as_slice() {
        [] => {
            let reports = detection::run(&detection::Wanted::parse(&[])?)?;
            (
                vec![
                    storage::measure()?,
                    transport::measure()?,
                    decisions::measure()?,
                    evidence::measure()?,
                    sensor::measure()?,
                ],
                reports,
            )
        }
        ["storage"] => (vec![storage::measure()?], Vec::new()),
        ["transport"] => (vec![transport::measure()?], Vec::new()),
        ["console"] => (vec![console::measure(console::ENTRIES)?], Vec::new()),
        ["console", "--entries", n] => {
            let is_no_number = |_| Usage(format!("--entries: `{n}` is no number; write a whole one"));
            (vec![console::measure(n.parse().map_err(is_no_number)?)?], Vec::new())
        }
        ["sensor"] => (vec![sensor::measure()?], Vec::new()),
        ["sensor", "flood"] => (vec![flood::alone()?], Vec::new()),
        ["evidence"] => (vec![evidence::measure()?], Vec::new()),
        ["decisions"] => (vec![decisions::measure()?], Vec::new()),
        ["fleet", flags @ ..] => (fleet::measure(&fleet::Wanted::parse(flags)?)?, Vec::new()),
        ["detection", flags @ ..] => (Vec::new(), detection::run(&detection::Wanted::parse(flags)?)?),
        ["console" | "transport" | "storage" | "decisions" | "evidence" | "sensor", more, ..] => {
            return Err(Usage(format!("`{more}` is not understood here; only --json is")).into());
        }
        [other, ..] => {
            let words = format!(
                "`{other}` is no bench; write transport, storage, decisions, evidence, sensor, console, fleet or detection"
            );
            return Err(Usage(words).into());
        }
    };
    if !json {
        tables.iter().for_each(|table| println!("{table}"));
        reports.iter().for_each(|report| println!("{report}"));
        return Ok(());
    }
    match (tables.as_slice(), reports.as_slice()) {
        // One bench that was named: one object with its figures on top, the public files' below.
        ([], [report, cert @ ..]) => {
            let mut all = report.json();
            if let (Value::Object(all), [cert, ..]) = (&mut all, cert) {
                all.insert("cert".to_owned(), cert.json());
            }
            println!("{all}");
        }
        _ => {
            let all = tables.iter().map(Table::json).chain(reports.iter().map(Report::json));
            println!("{}", all.collect::<Value>());
        }
    }
    Ok(())
}
