//! Prints the table of attacks with the times that a run of the suite measured: `ntk-attacks FILE`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use ntk_tests::attack_table::{Ends, table};

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("the file that the suite wrote")?;
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let measured: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    println!("attack -> who notices -> after how long (in this run) -> which check");
    for attack in table() {
        let told = match attack.ends {
            Ends::Seen { by, check, after, test } => {
                let here =
                    measured.get(attack.id).map_or_else(|| format!("see {test}"), |ms| format!("{ms} ms"));
                format!("{by} -> {after} ({here}) -> {check}")
            }
            Ends::Prevented { how, test } => format!("prevented: {how} (see {test})"),
            Ends::Indirectly(how) => format!("shows elsewhere: {how}"),
            Ends::Unseen(why) => format!("cannot be seen: {why}"),
            Ends::NotYet(what) => format!("not in this version: {what}"),
        };
        println!("- {} -> {told}", attack.what);
    }
    Ok(())
}
