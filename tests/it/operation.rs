//! What keeps it running for years: certificates that are renewed under moved clocks, programs that are announced, health
//! for monitoring, a configuration that takes effect when it is saved.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::practice::{Practice, free_port};
use ntk_tests::program::{self, Running};
use ntk_tests::{recording, skip, wait};

use crate::attacks::acts;

/// The first look at a certificate comes fifteen seconds after a start.
const RENEWED_WITHIN: Duration = Duration::from_secs(90);

/// The library that moves a program's clock, from Debian's package faketime.
fn library() -> Option<PathBuf> {
    let folders =
        ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"];
    folders.iter().map(|folder| Path::new(folder).join("libfaketime.so.1")).find(|path| path.is_file())
}

/// Variables under which a program's clock is so many days ahead.
fn ahead(library: &Path, days: i64) -> Vec<(String, String)> {
    let variable = |name: &str, value: String| (name.to_owned(), value);
    vec![
        variable("LD_PRELOAD", library.display().to_string()),
        variable("FAKETIME", format!("+{days}d")),
        variable("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        variable("FAKETIME_NO_CACHE", "1".to_owned()),
    ]
}

fn certificate(machine: &ntk_tests::machine::Machine) -> Result<String> {
    Ok(fs::read_to_string(machine.dir().join("identity/certificate.pem"))?)
}

/// Starts collector and machine so many days ahead, and waits for what is asked.
fn days_later(
    practice: &mut Practice,
    machine: &mut ntk_tests::machine::Machine,
    library: &Path,
    days: i64,
) -> Result<()> {
    let environment = ahead(library, days);
    let words: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    practice.set_environment(environment);
    practice.start_collector()?;
    let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    machine.start_under("env", &arguments)
}

#[test]
fn certificates_are_renewed_at_two_thirds_and_also_by_a_machine_that_was_off_for_most_of_a_year() -> Result<()>
{
    let Some(library) = library() else {
        skip::skip("certificates_are_renewed", "faketime is not installed");
        return Ok(());
    };
    let mut practice = Practice::start()?;
    let mut machine = practice.enroll("front-desk")?;
    let file = practice.folder().join("recording.log");
    recording::write(&file, "week", 1001, 6, 5)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    let connected = |practice: &Practice| practice.size_of("front-desk");
    wait::until_so("the machine to be heard", RENEWED_WITHIN, || Ok(connected(&practice)? > 6))?;
    ensure!(machine.stop()?.success());
    let first = certificate(&machine)?;
    practice.stop_collector()?;

    days_later(&mut practice, &mut machine, &library, 61)?;
    wait::until_so("the certificate to be renewed", RENEWED_WITHIN, || Ok(certificate(&machine)? != first))?;
    let given = acts(&practice, "act_certificate")?;
    let of = |author: &str| given.iter().filter(|act| act.to_string().contains(author)).count();
    ensure!(of("\"agent/front-desk\"") == 1 && of("\"collector\"") == 1, "one each: {given:?}");
    ensure!(given.iter().any(|act| act.to_string().contains("\"asked_by\":\"author\"")), "{given:?}");
    ensure!(!machine.dir().join("identity/agent-next.key").exists(), "nothing is left beside");
    ensure!(machine.stop()?.success());
    let second = certificate(&machine)?;
    practice.stop_collector()?;

    // The new one opens the stream when the first has long ended.
    days_later(&mut practice, &mut machine, &library, 100)?;
    let before = connected(&practice)?;
    wait::until_so("the machine to be heard with its new certificate", RENEWED_WITHIN, || {
        Ok(connected(&practice)? > before)
    })?;
    ensure!(machine.stop()?.success());
    practice.stop_collector()?;

    // Off until all of them have ended: it records, renews late, and delivers.
    days_later(&mut practice, &mut machine, &library, 400)?;
    let before = connected(&practice)?;
    wait::until_so("the certificate to be renewed late", RENEWED_WITHIN, || {
        Ok(certificate(&machine)? != second)
    })?;
    wait::until_so("what was recorded meanwhile to arrive", RENEWED_WITHIN, || {
        Ok(connected(&practice)? > before)
    })?;
    let is_late = |act: &serde_json::Value| act.to_string().contains("\"asked_by\":\"witness\"");
    ensure!(
        acts(&practice, "act_certificate")?.iter().any(is_late),
        "the act says by which key it was asked"
    );
    ensure!(machine.stop()?.success());
    Ok(())
}

#[test]
fn a_changed_program_of_an_agent_is_told() -> Result<()> {
    let practice = Practice::start()?;
    let mut machine = practice.enroll("front-desk")?;
    let file = practice.folder().join("recording.log");
    recording::write(&file, "week", 1001, 6, 5)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    let program = program::binary("ntk-agent")?;
    let keys = practice.folder().join("keys-to-take-away.txt");
    let (program_text, keys) = (program.display().to_string(), keys.display().to_string());
    practice.collector(&[
        "update",
        "announce",
        "--version",
        "0.1.0",
        "--platform",
        "linux-x86_64",
        "--program",
        &program_text,
        "--key",
        &keys,
    ])?;
    let listed = || practice.collector(&["enroll", "list"]);
    machine.start()?;
    wait::until_so("the twin: the announced program is known", Duration::from_secs(60), || {
        Ok(listed()?.contains("It runs a program that was announced: version 0.1.0."))
    })?;
    ensure!(machine.stop()?.success());

    // Another program: the same one with a byte behind its end.
    let changed = practice.folder().join("ntk-agent-changed");
    fs::copy(&program, &changed)?;
    let mut bytes = fs::read(&changed)?;
    bytes.push(0);
    fs::write(&changed, bytes)?;
    let announced = practice.folder().join("0.1.0.txt");
    let (announced_text, changed_text) = (announced.display().to_string(), changed.display().to_string());
    practice.collector(&["update", "show", "0.1.0", "--out", &announced_text])?;
    let dir = machine.dir().display().to_string();
    let check = |file: &str| {
        program::run("ntk-agent", &["check-package", file, "--announced", &announced_text, "--dir", &dir])
    };
    ensure!(check(&program_text)?.status.code() == Some(0), "the announced one may be installed");
    ensure!(check(&changed_text)?.status.code() == Some(1), "the changed one may not");
    let text = fs::read_to_string(&announced)?;
    fs::write(&announced, text.replace("0.1.0", "0.1.1"))?;
    ensure!(
        check(&program_text)?.status.code() == Some(1),
        "nor anything by an announcement that was changed"
    );
    let reason = "loses events after a suspend";
    practice.collector(&["update", "withdraw", "0.1.0", "--keys", &keys, "--reason", reason])?;
    ensure!(practice.collector(&["update", "list"])?.contains(&format!("Z: {reason}")), "the list says so");
    practice.collector(&["update", "show", "0.1.0", "--out", &announced_text])?;
    let refused = check(&program_text)?;
    ensure!(refused.status.code() == Some(1), "what was withdrawn may not be installed either");
    ensure!(program::text(&refused.stdout).contains(reason), "and it says why");
    // A file from before it still announces, and says from when; with the withdrawal beside it, it does not.
    let before = practice.folder().join("before.txt");
    fs::write(&before, &text)?;
    let before = before.display().to_string();
    let order = ["check-package", &program_text, "--dir", &dir, "--announced", &before];
    let alone = program::run("ntk-agent", &order)?;
    ensure!(
        program::text(&alone.stdout).contains("Whether it was withdrawn since"),
        "it says what it cannot know"
    );
    let both = program::run("ntk-agent", &[&order[..], &["--announced", &announced_text]].concat())?;
    ensure!(
        both.status.code() == Some(1) && program::text(&both.stdout).contains(reason),
        "with the withdrawal: no"
    );
    wait::until_so("the withdrawn program is named", Duration::from_secs(60), || {
        Ok(listed()?.contains("It runs version 0.1.0, which was withdrawn on"))
    })?;

    let mut command = Command::new(&changed);
    command.args(["run", "--dir", &dir]);
    let running = noticed("agent-changed", || {
        let running = Running::spawn("ntk-agent", command, &practice.folder().join("changed.log"))?;
        wait::until_so("the collector to say so", Duration::from_secs(60), || {
            Ok(listed()?.contains("It runs a program that nobody announced since"))
        })?;
        wait::until_so("the act", Duration::from_secs(120), || {
            let acts = acts(&practice, "act_program")?;
            Ok(acts.iter().any(|act| act.to_string().contains("\"not_announced\"")))
        })?;
        Ok(running)
    })?;
    ensure!(running.stop()?.success());
    let out = practice.folder().join("out").display().to_string();
    practice.collector(&["report", "--out", &out])?;
    let report = fs::read_dir(&out)?.filter_map(Result::ok).map(|entry| entry.path());
    let report = report.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "json"));
    let report = fs::read_to_string(report.context("the review as data")?)?;
    ensure!(report.contains("runs a program") && report.contains("nobody announced"), "the review says so");
    Ok(())
}

#[test]
fn monitoring_is_answered_on_its_own_address_and_a_saved_configuration_takes_effect() -> Result<()> {
    let port = free_port()?;
    let practice = Practice::start_configured(&format!("\n[monitoring]\nlisten = \"127.0.0.1:{port}\"\n"))?;
    let ask = |path: &str| -> Result<(u16, String)> {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: monitoring\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).context("a status")?.parse()?;
        Ok((status, answer))
    };
    ensure!(ask("/healthz")?.0 == 200);
    let (status, ready) = ask("/readyz")?;
    ensure!(status == 200 && ready.contains("ledger ok\ndeciding ok\ndisk ok\n"), "{ready}");
    let (status, metrics) = ask("/metrics")?;
    ensure!(status == 200 && metrics.contains("ntk_log_size"), "{metrics}");
    ensure!(ask("/v1/status")?.0 == 404, "nothing else is answered there");

    // Time-stamps that are set up while it runs: an authority that is not there is soon said to fail.
    let config = practice.dir().join("collector.toml");
    let text = fs::read_to_string(&config)?;
    let authority = practice.folder().join("tsa.pem");
    fs::write(&authority, rcgen_certificate()?)?;
    let section = format!(
        "\n[time_stamps]\nurl = \"http://127.0.0.1:1/tsr\"\ncertificates = \"{}\"\n",
        authority.display()
    );
    let listen = text.lines().find(|line| line.starts_with("listen")).context("listen")?;
    let other = text.replacen(listen, "listen = \"127.0.0.1:1\"", 1);
    fs::write(&config, other + &section)?;
    wait::until_so("the log to name what waits for a start", Duration::from_secs(30), || {
        let log = practice.collector_log();
        Ok(log.contains("asks for a new start") && log.contains("listen"))
    })?;
    ensure!(!practice.collector_log().contains("time_stamps,"), "what takes effect at once is not named");
    wait::until_so("the authority to be asked", Duration::from_secs(90), || {
        let status = practice.status()?;
        Ok(status["time_stamps"]["configured"] == true && status["time_stamps"]["failed"].as_u64() > Some(0))
    })?;
    Ok(())
}

fn rcgen_certificate() -> Result<String> {
    let key = rcgen::KeyPair::generate()?;
    Ok(rcgen::CertificateParams::new(vec!["tsa.example".to_owned()])?.self_signed(&key)?.pem())
}
