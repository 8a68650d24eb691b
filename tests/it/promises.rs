//! Promises that only whole programs can keep: what the logs leave out, who may run beside whom, what is made when
//! there is nothing to tell, what cannot be asked for at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::{program, recording, skip, wait};
use serde_json::Value;

use crate::crash::{player, reaches};

const ALL_WITHIN: Duration = Duration::from_secs(90);

/// PR-1: ids only. Everything is logged, faults too, and no path, account or person stands there.
#[test]
fn the_logs_name_no_path_no_account_and_no_person() -> Result<()> {
    let mut practice = Practice::start()?;
    practice.stop_collector()?;
    let config = practice.dir().join("collector.toml");
    let text = fs::read_to_string(&config)?;
    fs::write(&config, text.replace("log_level = \"info\"", "log_level = \"trace\""))?;
    practice.start_collector()?;
    let bad = practice.folder().join("bad.toml");
    fs::write(&bad, "[[person]]\nid = \"mary\"\nname = \"Mary Lopez\"\nroles = [\"wizard\"]\nshoe = 7\n")?;
    let _ = practice.try_collector(&["roster", "import", &bad.to_string_lossy()])?;
    let mut machine = player(&practice, "ws-01", 1001, 500, None)?;
    reaches(&practice, &mut machine, 501)?;
    practice.findings()?;
    practice.kill_collector()?;
    practice.start_collector()?;
    machine.kill()?;
    machine.start()?;
    practice.events(&["--person", "northwind"])?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    practice.stop_collector()?;
    let (collector, agent) = (practice.collector_log(), machine.log());
    assert!(collector.lines().count() > 5 && !agent.is_empty(), "both logged something");
    for (who, log) in [("collector", &collector), ("agent", &agent)] {
        for word in
            [recording::WATCHED, "ws-01-00", ".csv", "itadmin1", "frontdesk1", "Mary", "Northwind", "Ortiz"]
        {
            let line = log.lines().find(|line| line.contains(word));
            assert!(line.is_none(), "the {who}'s log says `{word}`: {line:?}");
        }
    }
    Ok(())
}

/// SP-3: one process per spool and per ledger; the second says so and the first goes on.
#[test]
fn a_second_agent_or_collector_on_the_same_folder_is_refused() -> Result<()> {
    let practice = Practice::start()?;
    let mut machine = player(&practice, "ws-01", 1001, 50, None)?;
    reaches(&practice, &mut machine, 51)?;
    let second = program::run("ntk-agent", &["run", "--dir", &machine.dir().to_string_lossy()])?;
    let said = program::text(&second.stderr);
    assert_eq!(second.status.code(), Some(69), "{said}");
    assert!(said.contains("another") || said.contains("runs"), "{said}");
    let dir = practice.dir();
    let second = program::run("ntk-collector", &["--dir", &dir.to_string_lossy(), "run"])?;
    assert!(!second.status.success(), "two collectors on one ledger");
    machine.agent()?.ensure_running()?;
    practice.status()?;
    Ok(())
}

/// RP-2: a report is made when there is nothing to tell, and says what it could not see (RP-1).
#[test]
fn a_week_with_nothing_to_tell_has_its_report() -> Result<()> {
    let practice = Practice::start()?;
    for week in ["2026-W30", "2026-W47"] {
        let out = practice.folder().join(week);
        practice.collector(&["report", "--week", week, "--out", &out.to_string_lossy()])?;
        let report: Value = serde_json::from_slice(&fs::read(out.join("report.json"))?)?;
        assert!(report.to_string().contains("2026"), "{report}");
        let html = fs::read_to_string(out.join("report.html"))?;
        assert!(html.contains("Maple Street Family Practice"), "the report is the practice's");
    }
    Ok(())
}

/// ND-2: asked again, after everything that can be made again was, each decision is the same, word for word.
#[test]
fn decisions_are_the_same_when_they_are_made_again() -> Result<()> {
    let mut practice = Practice::start()?;
    let mut machine = player(&practice, "ws-01", 1001, 200, None)?;
    reaches(&practice, &mut machine, 201)?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    let decided = |practice: &Practice| -> Result<BTreeMap<u64, String>> {
        let rows = practice.events(&[])?;
        let rows = rows.iter().filter(|row| row["decision"].is_object());
        Ok(rows.filter_map(|row| Some((row["number"].as_u64()?, row["decision"].to_string()))).collect())
    };
    let before = decided(&practice)?;
    assert!(before.len() >= 200, "{} decisions", before.len());
    assert!(before.values().all(|decision| decision.contains("sentence")), "each names its reasons");
    for row in practice.findings()? {
        for field in ["policy_hash", "roster_version"] {
            assert_eq!(row["finding"][field].as_str().map_or(0, str::len), 64, "{field} in {row}");
        }
    }
    practice.stop_collector()?;
    fs::remove_dir_all(practice.dir().join("cache"))?;
    practice.start_collector()?;
    assert_eq!(decided(&practice)?, before);
    practice.collector(&["rebuild"])?;
    Ok(())
}

/// LG-3: nothing can be asked for that deletes: no method, no route, no subcommand.
#[test]
fn nothing_can_be_asked_to_delete() -> Result<()> {
    let practice = Practice::start()?;
    let before = practice.status()?["log"]["size"].as_u64().context("a size")?;
    let ask = |method: &str, path: &str| -> Result<u16> {
        let mut socket = UnixStream::connect(practice.dir().join("admin.sock"))?;
        socket.write_all(
            format!(
                "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
            )
            .as_bytes(),
        )?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer)?;
        let answer = program::text(&answer);
        Ok(answer.split_whitespace().nth(1).context("a status line")?.parse()?)
    };
    assert_eq!(ask("GET", "/v1/status")?, 200, "the socket answers");
    for path in
        ["/v1/status", "/v1/events", "/v1/findings", "/v1/roster", "/v1/policy", "/v1/enroll", "/v1/ledger"]
    {
        for method in ["DELETE", "PUT", "PATCH"] {
            let status = ask(method, path)?;
            assert!([404, 405].contains(&status), "{method} {path} answered {status}");
        }
    }
    for command in ["delete", "purge", "truncate", "reset", "forget"] {
        let (code, said) = practice.try_collector(&[command])?;
        assert_eq!(code, Some(64), "{command}: {said}");
    }
    assert_eq!(practice.status()?["log"]["size"].as_u64(), Some(before), "nothing was written either");
    Ok(())
}

/// SP-4: in the order of the agent's own system calls, no segment is removed before the position that allows it was
/// renamed into place and its folder synced.
#[test]
fn no_segment_is_removed_before_the_position_is_durable() -> Result<()> {
    if Command::new("strace").arg("-V").output().is_err() {
        skip::skip("order of system calls", "strace is not here");
        return Ok(());
    }
    let practice = Practice::start()?;
    let mut machine = practice.enroll("ws-01")?;
    let file = practice.folder().join("recording.log");
    recording::write(&file, "ws-01", 1001, 60_000, 1)?;
    // The smallest spool, so that acknowledged segments have to go.
    let small = "[spool]\nbytes_max = 4194304\n";
    machine.configure(&(recording::configuration(&[&file], Some(10_000)) + small))?;
    let trace = practice.folder().join("trace");
    machine.start_under(
        "strace",
        &[
            "-f",
            "-y",
            "-qq",
            "-e",
            "trace=unlink,unlinkat,rename,renameat,renameat2,fsync",
            "-o",
            &trace.to_string_lossy(),
        ],
    )?;
    let calls = wait::until("removed segments", ALL_WITHIN, || {
        let calls = fs::read_to_string(&trace)?;
        Ok((removals(&calls) >= 1).then_some(calls))
    })?;
    let (mut durable, mut renamed) = (false, false);
    for line in calls.lines() {
        if line.contains("rename") && line.contains("position") {
            (renamed, durable) = (true, false);
        } else if line.contains("fsync(") && renamed {
            durable = true;
        } else if is_removal(line) {
            assert!(durable, "removed before a position was durable: {line}");
        }
    }
    // The tracer passes no signal on: the agent is asked by its own number, and the tracer ends with it.
    let status: Value = serde_json::from_slice(&fs::read(machine.dir().join("status.json"))?)?;
    let id =
        status["pid"].as_i64().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(id.context("the agent's number")?, rustix::process::Signal::TERM)?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    Ok(())
}

fn is_removal(line: &str) -> bool {
    line.contains("unlink") && line.contains(".seg") && !line.contains("= -1")
}

fn removals(calls: &str) -> usize {
    calls.lines().filter(|line| is_removal(line)).count()
}
