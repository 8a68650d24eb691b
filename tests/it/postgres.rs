//! The second form of the store: a PostgreSQL database that several collectors share. Nothing lost, nothing doubled, one
//! unbroken ledger, whoever is killed; and what somebody who writes to the database cannot do. LG-1, LG-2, UP-1.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::crafted::Crafted;
use ntk_tests::machine::Machine;
use ntk_tests::postgres::Postgres;
use ntk_tests::practice::Practice;
use ntk_tests::proxy::{Cutter, Proxy};
use ntk_tests::{recording, skip, wait};
use serde_json::Value;

use crate::crash::{nothing_lost_nothing_doubled, player, reaches};
use crate::refusals::runtime;

const ACCESSES: u64 = 6_000;
const WITHIN: Duration = Duration::from_secs(120);

fn server(test: &str) -> Result<Option<Postgres>> {
    let server = Postgres::start()?;
    if server.is_none() {
        skip::skip(test, "no PostgreSQL server is installed");
    }
    Ok(server)
}

/// A practice whose ledger is in a database of this server.
fn practice_in(settings: &str) -> Result<Practice> {
    let mut practice = Practice::start()?;
    practice.stop_collector()?;
    practice.migrate(settings)?;
    Ok(practice)
}

fn root(practice: &Practice) -> Result<(u64, String)> {
    let status = practice.status()?;
    let (size, root) = (status["log"]["size"].as_u64(), status["log"]["root"].as_str());
    Ok((size.context("a size")?, root.context("a root")?.to_owned()))
}

/// Both collectors show the same log.
fn same_log(one: &Practice, other: &Practice) -> Result<()> {
    wait::until_so("both collectors to show the same log", WITHIN, || Ok(root(one)? == root(other)?))
}

/// Enrols a machine that connects through a balancer, and starts it on a recording.
fn player_through(practice: &Practice, proxy: &Proxy, name: &str, uid: u32, rate: u32) -> Result<Machine> {
    let said = practice.collector(&["enroll", "new", "--machine", name, "--address", &proxy.address()])?;
    let token = said.split_whitespace().find(|word| word.starts_with("ntk1.")).context("a token")?;
    let mut machine = Machine::enroll(practice.folder(), name, token.trim_matches('`'))?;
    let file = practice.folder().join(format!("{name}.log"));
    recording::write(&file, name, uid, ACCESSES, 3)?;
    machine.configure(&recording::configuration(&[&file], Some(rate)))?;
    machine.start()?;
    Ok(machine)
}

fn everything_is_there(practice: &Practice, machines: &mut [&mut Machine]) -> Result<()> {
    for machine in &mut *machines {
        reaches(practice, machine, ACCESSES + 1)?;
        ensure!(machine.stop()?.success(), "an agent ends in order:\n{}", machine.log());
    }
    let events = practice.events(&[])?;
    for machine in machines {
        nothing_lost_nothing_doubled(&events, machine.name(), ACCESSES)?;
    }
    practice.collector(&["self-check"])?;
    practice.collector(&["rebuild"])?;
    Ok(())
}

/// No finding is opened twice: the collector that leads writes, the others only read.
fn findings_once(practice: &Practice) -> Result<Vec<Value>> {
    let acts = practice.events(&["--acts"])?;
    let opened = acts.iter().filter(|row| row["event"]["kind"] == "act_finding_opened");
    let ids: Vec<String> = opened
        .filter_map(|row| {
            row["event"]["act"]["id"]
                .as_str()
                .or(row["event"]["act"]["finding"]["id"].as_str())
                .map(str::to_owned)
        })
        .collect();
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    ensure!(distinct.len() == ids.len(), "a finding was opened twice: {ids:?}");
    practice.findings()
}

#[test]
fn a_ledger_moves_into_a_database_and_back_and_has_the_same_root() -> Result<()> {
    let Some(server) = server("postgres: there and back")? else { return Ok(()) };
    let mut practice = Practice::start()?;
    let mut machine = player(&practice, "ws-01", 1001, 500, None)?;
    reaches(&practice, &mut machine, 501)?;
    machine.stop()?;
    practice.stop_collector()?;
    let said = practice.migrate(&server.database("ntk")?)?;
    let (there, again) =
        (said.lines().next().context("a line")?.to_owned(), practice.migrate(&server.settings("ntk")));
    assert!(there.contains("both places have the root"), "{said}");
    assert!(again.is_err_and(|error| error.to_string().contains("in a database already")));
    practice.start_collector()?;
    let mut machine = player(&practice, "ws-02", 1002, 500, None)?;
    reaches(&practice, &mut machine, 501)?;
    machine.stop()?;
    let there = root(&practice)?;
    practice.stop_collector()?;
    let said = practice.collector(&["migrate", "--to", "files"])?;
    assert!(said.contains("In the database it is closed"), "{said}");
    practice.start_collector()?;
    let here = root(&practice)?;
    assert!(here.0 > there.0, "{there:?} {here:?}");
    practice.collector(&["self-check"])?;
    practice.stop_collector()?;
    // A collector that was left on the database is told where the ledger is now.
    let other = practice.second()?;
    let config = other.dir().join("collector.toml");
    let text = std::fs::read_to_string(&config)?;
    std::fs::write(&config, format!("{text}\n[store]\npostgres = \"{}\"\n", server.settings("ntk")))?;
    let (_, said) = other.try_collector(&["status"])?;
    assert!(said.contains("was moved out of this database"), "{said}");
    Ok(())
}

#[test]
fn two_collectors_share_one_ledger_and_the_one_that_leads_is_killed() -> Result<()> {
    let Some(server) = server("postgres: two collectors")? else { return Ok(()) };
    let mut one = practice_in(&server.database("ntk")?)?;
    one.start_collector()?;
    let mut two = one.second()?;
    two.start_collector()?;
    let to_both = Proxy::to_first_of(&[&one.address(), &two.address()])?;
    let to_two = Proxy::to(&two.address())?;
    let mut first = player_through(&one, &to_both, "ws-01", 1001, 1500)?;
    // Whoever connects to the collector that does not lead gets receipts, too.
    let mut second = player_through(&one, &to_two, "ws-02", 1002, 1500)?;
    reaches(&two, &mut first, ACCESSES / 5)?;
    reaches(&two, &mut second, ACCESSES / 5)?;
    one.kill_collector()?;
    reaches(&two, &mut first, ACCESSES * 2 / 5)?;
    reaches(&two, &mut second, ACCESSES * 2 / 5)?;
    assert!(two.collector_log().contains("this collector leads"), "{}", two.collector_log());
    one.start_collector()?;
    same_log(&one, &two)?;
    two.kill_collector()?;
    two.start_collector()?;
    everything_is_there(&one, &mut [&mut first, &mut second])?;
    same_log(&one, &two)?;
    assert!(!findings_once(&one)?.is_empty(), "findings");
    two.collector(&["self-check"])?;
    two.collector(&["rebuild"])?;
    Ok(())
}

#[test]
fn a_token_that_is_shown_to_two_collectors_at_once_enrols_one_machine() -> Result<()> {
    let Some(server) = server("postgres: one token, two collectors")? else { return Ok(()) };
    let mut one = practice_in(&server.database("ntk")?)?;
    one.start_collector()?;
    let mut two = one.second()?;
    two.start_collector()?;
    let machines = ["ws-01", "ws-02", "ws-03", "ws-04", "ws-05"];
    for machine in machines {
        let token = one.token(machine)?;
        same_log(&one, &two)?;
        let (here, there) = (one.address(), two.address());
        let (dir, other_dir) = (one.dir(), two.dir());
        let both = async {
            tokio::join!(Crafted::enroll(&here, &dir, &token), Crafted::enroll(&there, &other_dir, &token))
        };
        let taken = match runtime()?.block_on(both) {
            (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
            (Ok(_), Ok(_)) => anyhow::bail!("both collectors took the token of {machine}"),
            (Err(here), Err(there)) => {
                anyhow::bail!("nobody took the token of {machine}: {here:#}; {there:#}")
            }
        };
        ensure!(format!("{taken:#}").contains("was used already"), "{taken:#}");
    }
    let acts = one.events(&["--acts"])?;
    let enrolled = acts.iter().filter(|row| row["event"]["kind"] == "act_enrolment").count();
    assert_eq!(enrolled, machines.len());
    same_log(&one, &two)?;
    for collector in [&one, &two] {
        collector.collector(&["self-check"])?;
        collector.collector(&["rebuild"])?;
    }
    Ok(())
}

#[test]
fn of_machines_that_enrol_at_two_collectors_at_once_no_more_are_taken_than_the_practice_key_permits()
-> Result<()> {
    let Some(server) = server("postgres: machines at once, two collectors")? else { return Ok(()) };
    let mut one = practice_in(&server.database("ntk")?)?;
    one.start_collector()?;
    let keys = one.folder().join("keys-to-take-away.txt").to_string_lossy().into_owned();
    one.collector(&["trust", "sign", "--key", &keys, "--machines-max", "2"])?;
    let mut two = one.second()?;
    two.start_collector()?;
    let (here, there) = (one.address(), two.address());
    let (dir, other_dir) = (one.dir(), two.dir());
    let [first, second, third, fourth, fifth] = [1, 2, 3, 4, 5].map(|n| one.token(&format!("ws-{n:02}")));
    let (first, second, third, fourth, fifth) = (first?, second?, third?, fourth?, fifth?);
    same_log(&one, &two)?;
    let _first = runtime()?.block_on(Crafted::enroll(&here, &dir, &first))?;
    same_log(&one, &two)?;
    // One place is left, and each collector believes that it is its own to give.
    let all = async {
        let (a, b, c, d) = tokio::join!(
            Crafted::enroll(&here, &dir, &second),
            Crafted::enroll(&there, &other_dir, &third),
            Crafted::enroll(&here, &dir, &fourth),
            Crafted::enroll(&there, &other_dir, &fifth),
        );
        [a, b, c, d]
    };
    let answers = runtime()?.block_on(all);
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "one place: {answers:?}");
    for refused in answers.into_iter().filter_map(Result::err) {
        let said = format!("{refused:#}");
        ensure!(said.contains("as many machines as the practice key permits were enrolled"), "{said}");
    }
    same_log(&one, &two)?;
    let status = two.status()?;
    let machines = status["authors"].as_array().context("authors")?.iter();
    let machines = machines.filter_map(|row| row["author"].as_str()?.strip_prefix("agent/"));
    assert_eq!(machines.count(), 2, "{status}");
    Ok(())
}

#[test]
fn the_database_is_killed_in_mid_stream_and_its_standby_promoted() -> Result<()> {
    let Some(mut primary) = server("postgres: promotion")? else { return Ok(()) };
    primary.database("ntk")?;
    let standby = primary.standby()?;
    let mut one = practice_in(&primary.settings_of_two(&standby, "ntk"))?;
    one.start_collector()?;
    let mut two = one.second()?;
    two.start_collector()?;
    let to_one = Proxy::to_first_of(&[&one.address(), &two.address()])?;
    let to_two = Proxy::to_first_of(&[&two.address(), &one.address()])?;
    let mut first = player_through(&one, &to_one, "ws-01", 1001, 1000)?;
    let mut second = player_through(&one, &to_two, "ws-02", 1002, 1000)?;
    reaches(&one, &mut first, ACCESSES / 4)?;
    reaches(&one, &mut second, ACCESSES / 4)?;
    primary.kill()?;
    standby.promote()?;
    everything_is_there(&one, &mut [&mut first, &mut second])?;
    same_log(&one, &two)?;
    Ok(())
}

#[test]
fn a_commit_that_was_not_sent_or_not_answered_is_asked_for_until_it_is_known() -> Result<()> {
    let Some(server) = server("postgres: commits")? else { return Ok(()) };
    let settings = server.database("ntk")?;
    let mut practice = practice_in(&settings)?;
    let cutter = Cutter::to(&format!("127.0.0.1:{}", server.port()), 5)?;
    let config = practice.dir().join("collector.toml");
    let text = std::fs::read_to_string(&config)?;
    let cut = text.replace(&format!("port={}", server.port()), &format!("port={}", cutter.port()));
    ensure!(cut != text, "the configuration names the wire");
    std::fs::write(&config, cut)?;
    practice.start_collector()?;
    let mut other = practice.second()?;
    other.start_collector()?;
    // One machine writes through the collector that leads, one through the other.
    let mut first = player_through(&practice, &Proxy::to(&practice.address())?, "ws-01", 1001, 1000)?;
    let mut second = player_through(&practice, &Proxy::to(&other.address())?, "ws-02", 1002, 1000)?;
    everything_is_there(&practice, &mut [&mut first, &mut second])?;
    let [not_sent, not_answered] = cutter.cuts();
    assert!(not_sent > 3 && not_answered > 3, "{not_sent} were not sent, {not_answered} not answered");
    Ok(())
}
