//! `tests/bench`: figures of this machine, each beside the physical limit measured in the same run.

#[path = "bench/limit.rs"]
mod limit;
#[path = "bench/storage.rs"]
mod storage;
#[path = "bench/table.rs"]
mod table;
#[path = "bench/transport.rs"]
mod transport;

use anyhow::{Result, bail};
use table::Table;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let names: Vec<&str> = arguments.iter().map(String::as_str).filter(|name| *name != "--json").collect();
    let tables: Vec<Table> = match names.as_slice() {
        [] => vec![storage::measure()?, transport::measure()?],
        ["storage"] => vec![storage::measure()?],
        ["transport"] => vec![transport::measure()?],
        _ => bail!("one of: transport, storage"),
    };
    if json {
        let all: Vec<_> = tables.iter().map(Table::json).collect();
        println!("{}", serde_json::Value::from(all));
    } else {
        tables.iter().for_each(|table| println!("{table}"));
    }
    Ok(())
}
