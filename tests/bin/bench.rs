//! `tests/bench`: figures of this machine, each beside the physical limit measured in the same run; and what
//! detection finds and costs.

#[path = "bench/detection.rs"]
mod detection;
#[path = "bench/limit.rs"]
mod limit;
#[path = "bench/storage.rs"]
mod storage;
#[path = "bench/table.rs"]
mod table;
#[path = "bench/transport.rs"]
mod transport;

use anyhow::{Result, bail};
use ntk_tests::detection::report::Report;
use serde_json::Value;
use table::Table;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|name| *name != "--json").collect();
    let (tables, reports): (Vec<Table>, Vec<Report>) = match words.as_slice() {
        [] => {
            let reports = detection::run(&detection::Wanted::parse(&[])?)?;
            (vec![storage::measure()?, transport::measure()?], reports)
        }
        ["storage"] => (vec![storage::measure()?], Vec::new()),
        ["transport"] => (vec![transport::measure()?], Vec::new()),
        ["detection", flags @ ..] => (Vec::new(), detection::run(&detection::Wanted::parse(flags)?)?),
        _ => bail!("one of: transport, storage, detection"),
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
