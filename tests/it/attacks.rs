//! Attacks, one scripted test each, against real processes and with the attacker's real powers: files edited, keys
//! used, processes stopped. Each has a twin without the attack that raises nothing. How each line of the design's
//! list ends stands in `ntk_tests::attack_table` and, the same, in SECURITY.md.

mod agent;
mod bundle;
mod console;
mod history;
mod need_to_know;
mod operator;
mod table;
mod texts;

use std::time::Duration;

use anyhow::{Result, ensure};
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::wait;

use crate::crash::{player, reaches};

/// The longest that anything here may take.
const WITHIN: Duration = Duration::from_secs(60);

/// A practice with one agent that played so many accesses; everything stopped in order.
fn at_rest(accesses: u64) -> Result<(Practice, Machine)> {
    stopped(accesses, |_| Ok(()))
}

/// The same, where something about the collector is so before the machine sends its last entry.
fn stopped(accesses: u64, before: impl FnOnce(&Practice) -> Result<()>) -> Result<(Practice, Machine)> {
    let mut practice = Practice::start()?;
    let mut machine = player(&practice, "ws-01", 1001, accesses, None)?;
    reaches(&practice, &mut machine, accesses + 1)?;
    before(&practice)?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    practice.stop_collector()?;
    Ok((practice, machine))
}

/// The ledger is whole: `self-check` says so.
fn whole(practice: &Practice) -> Result<()> {
    practice.collector(&["self-check"]).map(|_| ())
}

/// `self-check` or already the opening of the ledger says no; what it said.
fn not_whole(practice: &Practice) -> Result<String> {
    let (code, said) = practice.try_collector(&["self-check"])?;
    ensure!(code.is_some_and(|code| code != 0), "the self-check passed: {said}");
    Ok(said)
}

/// Kinds and bodies of the collector's acts.
pub(crate) fn acts(practice: &Practice, kind: &str) -> Result<Vec<serde_json::Value>> {
    let rows = practice.events(&["--acts"])?;
    let of_kind = rows.into_iter().filter(|row| row["event"]["kind"] == kind);
    Ok(of_kind.map(|row| row["event"]["act"].clone()).collect())
}

/// Waits for an act of this kind; its body.
pub(crate) fn act_comes(practice: &Practice, kind: &str) -> Result<serde_json::Value> {
    wait::until(&format!("an act of kind {kind}"), WITHIN, || Ok(acts(practice, kind)?.pop()))
}

/// Waits until the agent's own status says this.
fn agent_says(machine: &Machine, says: &str) -> Result<()> {
    wait::until_so(&format!("the agent to say `{says}`"), WITHIN, || {
        let status = std::fs::read_to_string(machine.dir().join("status.json"))?;
        Ok(status.contains(says) || machine.log().contains(says))
    })
}
