//! The console in a browser that nobody here wrote: Debian's Chromium, driven by PyPI's playwright; axe-core looks for what
//! keeps people out. Not part of `tests/run quick`. Pictures of every page lie in `target/screenshots`.

mod month;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use ntk_collector::console::COOKIE;
use ntk_tests::console::{marys_passphrase, set_up_link, with_manager};
use ntk_tests::crafted::{entry, message};
use ntk_tests::practice::Practice;
use ntk_tests::{program, recording, skip, wait};
use serde_json::json;

use crate::foreign::tool;
use crate::refusals::{accepted, enrolled, runtime};
use crate::tidy::top;

const CHROMIUM: &str = "/usr/bin/chromium";
/// The longest that one part of a walk may take.
const WITHIN: Duration = Duration::from_secs(180);

/// Where the pictures go: beside the programs' folder.
fn pictures() -> Result<PathBuf> {
    let collector = program::binary("ntk-collector")?;
    let target = collector.ancestors().nth(2).map_or_else(|| PathBuf::from("target"), Path::to_path_buf);
    Ok(target.join("screenshots"))
}

/// The interpreter that drives Chromium; a skipped test where one of them is not there.
fn can_look(test: &str) -> Option<PathBuf> {
    let python = tool("NTK_BROWSER", test)?;
    if !Path::new(CHROMIUM).exists() {
        skip::skip(test, "chromium is not installed; tests/run installs it");
        return None;
    }
    Some(python)
}

fn script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(top().join("tests/it/browser").join(name)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A practice in which one account read some exports.
fn with_a_finding() -> Result<Practice> {
    let practice = Practice::start()?;
    let mut machine = practice.enroll("front-desk")?;
    let file = practice.folder().join("recording.log");
    recording::write(&file, "<script>alert(1)</script>", 1001, 12, 5)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    wait::until_so("a finding", Duration::from_secs(60), || {
        machine.agent()?.ensure_running()?;
        Ok(practice.collector(&["findings", "--json"])?.contains("\"id\""))
    })?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    let out = practice.folder().join("report");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    Ok(practice)
}

/// A machine tells that an account has read in the manager's mailbox just now.
fn reads_a_mailbox(practice: &Practice, machine: &str) -> Result<()> {
    let access = json!({"kind": "file_access", "time": Timestamp::now().to_string(), "outcome": "success", "action": "read",
        "actor": {"login_uid": 1001, "login_user": "itadmin1", "session": 5, "confidence": "kernel"},
        "object": {"class": "mailbox", "owner": "manager"}, "source": {"sensor": "linux-audit"}});
    runtime()?.block_on(async {
        let mut agent = enrolled(practice, machine).await?;
        let mut stream = agent.stream().await?;
        let batch = agent.seal(vec![entry(&access.to_string())?])?;
        accepted(&mut stream, message(&batch), batch.size()).await
    })
}

#[test]
fn this_week_follows_while_it_is_open_and_the_operator_is_shown_nothing_of_a_finding() -> Result<()> {
    let Some(python) = can_look("browser::this_week_follows") else { return Ok(()) };
    let (practice, browser, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let file = marys_passphrase(&practice)?;
    let add = ["account", "add", "otto", "--role", "operator", "--by", "mary", "--passphrase-file", &file];
    let said = practice.collector(&add)?;
    let link = said.split_whitespace().find(|word| word.starts_with("https://")).context("a link")?;
    let log = practice.folder().join("live.log");
    let mut command = script(&python, "live.py");
    command.args([CHROMIUM, &practice.console_origin(), &format!("{COOKIE}={}", browser.cookie()?), link]);
    command
        .arg(pictures()?)
        .stdin(Stdio::null())
        .stdout(File::create(&log)?)
        .stderr(File::options().append(true).open(&log)?);
    let mut looking = command.spawn()?;
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    for (word, machine) in [("OPEN", "ws-01"), ("AGAIN", "ws-02")] {
        wait::until_so(&format!("the page to say {word}"), WITHIN, || {
            ensure!(looking.try_wait()?.is_none(), "{}", said());
            Ok(said().lines().any(|line| line == word))
        })?;
        reads_a_mailbox(&practice, machine)?;
    }
    let ended = wait::until("the browser to end", WITHIN, || Ok(looking.try_wait()?))?;
    ensure!(ended.success(), "{}", said());
    println!("{}", said());
    Ok(())
}

#[test]
fn a_managers_first_day_by_keyboard_telephone_paper_and_without_scripts() -> Result<()> {
    let Some(python) = can_look("browser::a_managers_first_day") else { return Ok(()) };
    let practice = with_a_finding()?;
    let link = set_up_link(&practice)?;
    let mut command = script(&python, "first_day.py");
    command.args([CHROMIUM, &practice.console_origin(), &link]).arg(pictures()?);
    let output = command.stdin(Stdio::null()).output()?;
    let said = program::text(&output.stdout) + &program::text(&output.stderr);
    ensure!(output.status.success(), "{said}");
    println!("{said}");
    Ok(())
}
