//! The on-site test with the real agent: from a real login everything arrives and the review says so; what an agent does
//! not see, and what is only said, is no proof; and an upgrade ends one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::crafted::{entry, message};
use ntk_tests::login_rig::{Account, SSH_AND_SUDO, SshLog, can_run, ssh, sshd};
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::{audit_state, program, skip, wait};
use serde_json::{Value, json};

use crate::refusals::{accepted, enrolled, runtime};

const WITHIN: Duration = Duration::from_secs(60);

const USER: &str = "ntk-visitor";
const PASSWORD: &str = "only-for-this-test-7";

/// A machine with a mailbox whose agent runs with these sensors.
fn machine(practice: &Practice, name: &str, sensors: &str) -> Result<Machine> {
    let mail = practice.folder().join(format!("mail-of-{name}"));
    fs::create_dir_all(&mail)?;
    fs::write(mail.join("letter"), "text\n")?;
    let mut machine = practice.enroll(name)?;
    machine.configure(&format!(
        "keepalive_s = 1\n[sensor]\n{sensors}\n[[watch]]\npath = \"{}\"\nclass = \"mailbox\"\nowner = \"mary\"\n",
        mail.display()
    ))?;
    machine.start()?;
    wait::until_so("the agent's first entry", WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(practice.size_of(name)? > 0 && machine.dir().join("status.json").exists())
    })?;
    Ok(machine)
}

/// The sealed results of a machine.
fn sealed(practice: &Practice, name: &str) -> Result<Vec<Value>> {
    let author = format!("agent/{name}");
    let rows = practice.events(&[])?.into_iter();
    let of_it = |row: &Value| row["author"] == author.as_str() && row["event"]["kind"] == "commission";
    Ok(rows.filter(of_it).map(|row| row["event"].clone()).collect())
}

/// What this week's review says of a machine.
fn reviewed(practice: &Practice, name: &str) -> Result<Value> {
    let out = practice.folder().join("review");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let report: Value = serde_json::from_slice(&fs::read(out.join("report.json"))?)?;
    let machines = report["machines"].as_array().context("a review names machines")?;
    machines.iter().find(|machine| machine["name"] == name).cloned().context("the machine is in the review")
}

fn says(machine: &Value, sentence: &str) -> Result<()> {
    let said = machine["sentence"].as_str().context("a sentence")?;
    ensure!(said.contains(sentence), "{said}");
    Ok(())
}

/// The steps that did not arrive.
fn exceptions(event: &Value) -> Vec<String> {
    let steps = event["commission"]["steps"].as_array().cloned().unwrap_or_default();
    let missing = steps.into_iter().filter(|step| step["outcome"] != "arrived");
    missing.map(|step| step["what"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Stops and starts the agent as soon as the test asks for it.
fn restart_when_asked(
    machine: &mut Machine,
    said: &Path,
    mut has_ended: impl FnMut() -> Result<bool>,
) -> Result<()> {
    wait::until_so("the test to ask for a restart", WITHIN, || {
        ensure!(!has_ended()?, "it ended before: {}", fs::read_to_string(said).unwrap_or_default());
        Ok(fs::read_to_string(said).is_ok_and(|said| said.contains("NOW")))
    })?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    machine.start()
}

#[test]
fn live_a_test_from_a_real_login_proves_the_machine_and_the_review_names_who_was_there() -> Result<()> {
    let name = "live_a_test_from_a_real_login_proves_the_machine_and_the_review_names_who_was_there";
    // perl makes the opens that need calls of their own.
    if !can_run(name, &[SSH_AND_SUDO, &["/usr/bin/perl"]].concat()) {
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let mut agent =
        machine(&practice, "ws-01", "audit = true\nfanotify = false\nlogs = false\nnotify = false")?;
    wait::until_so("the kernel's rules", WITHIN, || Ok(audit_state::read()?.owner == agent.agent()?.id()))?;
    says(&reviewed(&practice, "ws-01")?, "Not proved by an on-site test.")?;
    let _visitor = Account::make(USER)?.with_password(PASSWORD)?.with_sudo()?;
    let (_sshd, port) = sshd(practice.folder(), SshLog::Own)?;
    let (out, said) = (practice.folder().join("out.json"), practice.folder().join("said"));
    let script = format!(
        "echo {PASSWORD} | sudo -S -p '' sh -c \"exec '{}' commission --dir '{}' --by 'Jan Novak' --witnessed-by 'Anna Roth' \
         --yes --json < /dev/null > '{}' 2> '{}'\"",
        program::binary("ntk-agent")?.display(),
        agent.dir().display(),
        out.display(),
        said.display()
    );
    let session = std::thread::spawn(move || ssh(USER, port, PASSWORD, &script));
    restart_when_asked(&mut agent, &said, || Ok(session.is_finished()))?;
    let is_proved = session.join().map_err(|_| anyhow::anyhow!("the session"))??;
    let result: Value = serde_json::from_slice(&fs::read(&out)?).context(fs::read_to_string(&said)?)?;
    let device = fs::metadata(agent.dir()).map(|folder| std::os::unix::fs::MetadataExt::dev(&folder))?;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let has_disk = Path::new(&format!("/sys/dev/block/{major}:{minor}")).exists();
    let missing = exceptions(&result["event"]);
    if has_disk {
        ensure!(missing.is_empty() && is_proved, "{missing:?}: {result:#}");
    } else {
        skip::skip(name, "the scratch folder lies on no block device: no disk to read");
        ensure!(missing == ["raw_disk"] && !is_proved, "{missing:?}: {result:#}");
    }
    let event = wait::until("the sealed result", WITHIN, || Ok(sealed(&practice, "ws-01")?.pop()))?;
    ensure!(event == result["event"], "the collector has what the machine sealed: {event}");
    ensure!(event["actor"]["login_user"] == USER, "whoever ran it is the kernel's word: {event}");
    ensure!(event["commission"]["made_login"].is_null(), "{event}");
    let machine_of = reviewed(&practice, "ws-01")?;
    if has_disk {
        ensure!(machine_of["is_proved"] == true, "{machine_of}");
        says(&machine_of, "Proved by an on-site test on ")?;
    } else {
        says(&machine_of, "Proved except: raw disk.")?;
    }
    says(&machine_of, "(run by Jan Novak; Anna Roth was there)")?;
    let left = fs::read_dir(agent.dir().join("on-site-test"))?.count();
    ensure!(left == 0, "the test took away what it made: {left} files are left");
    practice.collector(&["self-check"])?;
    practice.collector(&["rebuild"])?;
    ensure!(agent.stop()?.success(), "{}", agent.log());
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}

/// A claim of a test that was never made, out of the numbers of another one.
fn invented(id: &str, since: u64, steps: &[(String, u64)]) -> Value {
    let now = jiff::Timestamp::now().to_string();
    let steps: Vec<Value> =
        steps.iter().map(|(what, pid)| json!({"what": what, "began": now, "pid": pid})).collect();
    json!({"id": id, "began": now, "ended": now, "since": since, "by": "Jan Novak", "present": ["Anna Roth"],
        "login_uid": 65534, "steps": steps})
}

/// Lays a claim into an agent's folder; what the agent sealed of it.
fn claim(practice: &Practice, machine: &Machine, claim: &Value) -> Result<Value> {
    let file = machine.dir().join("on-site-test.json");
    fs::write(&file, claim.to_string())?;
    wait::until("the sealed result", WITHIN, || {
        let of_it = |event: &Value| event["commission"]["id"] == claim["id"];
        Ok(sealed(practice, machine.name())?.into_iter().find(of_it).filter(|_| !file.exists()))
    })
    .with_context(|| machine.log())
}

const WITHOUT_AUDIT: &str = "audit = false\nfanotify = true\nlogs = false\nnotify = true";

#[test]
fn live_what_is_left_out_or_not_seen_is_said_and_neither_inventing_nor_replaying_a_result_proves_anything()
-> Result<()> {
    let name = "live_what_is_left_out_or_not_seen_is_said_and_neither_inventing_nor_replaying_a_result_proves_anything";
    if let Err(why) = audit_state::free_for_a_test() {
        skip::skip(name, &why);
        return Ok(());
    }
    let practice = Practice::start()?;
    let mut one = machine(&practice, "ws-01", WITHOUT_AUDIT)?;
    let mut two = machine(&practice, "ws-02", WITHOUT_AUDIT)?;
    // A real test where kernel audit is not to be had: what fanotify cannot see is no proof, and nobody may leave it out
    // unseen.
    let said = practice.folder().join("said");
    let mut command = Command::new(program::binary("ntk-agent")?);
    command.arg("commission").arg("--dir").arg(one.dir());
    command.args([
        "--by",
        "Jan Novak",
        "--yes",
        "--json",
        "--within",
        "6",
        "--skip",
        "clock",
        "--skip",
        "stop",
    ]);
    let output = command.stdin(Stdio::null()).stderr(fs::File::create(&said)?).output()?;
    ensure!(output.status.code() == Some(1), "{}", fs::read_to_string(&said)?);
    let result: Value = serde_json::from_slice(&output.stdout).context(fs::read_to_string(&said)?)?;
    let missing = exceptions(&result["event"]);
    for what in ["login", "denied", "rules", "clock", "stop", "read_again"] {
        ensure!(missing.iter().any(|step| step == what), "{what}: {missing:?}");
    }
    noticed("commission-step-skipped", || {
        says(&wait_reviewed(&practice, "ws-01", "except")?, "a stop of the recording")
    })?;
    // The result of that machine laid into another one's folder, and one that nobody made.
    let event = &result["event"]["commission"];
    let steps: Vec<(String, u64)> = event["steps"]
        .as_array()
        .context("steps")?
        .iter()
        .filter_map(|step| Some((step["what"].as_str()?.to_owned(), step["pid"].as_u64()?)))
        .collect();
    ensure!(!steps.is_empty(), "{event:#}");
    let id = event["id"].as_str().context("a number")?;
    let replayed = noticed("commission-replayed", || claim(&practice, &two, &invented(id, 0, &steps)))?;
    ensure!(
        replayed["commission"]["steps"]
            .as_array()
            .is_some_and(|steps| { steps.iter().all(|step| step["outcome"] != "arrived") }),
        "{replayed:#}"
    );
    let everything: Vec<(String, u64)> = event["steps"]
        .as_array()
        .context("steps")?
        .iter()
        .map(|step| (step["what"].as_str().unwrap_or_default().to_owned(), u64::from(std::process::id())))
        .collect();
    let made_up = noticed("commission-invented", || {
        claim(&practice, &two, &invented("00112233445566aa", 0, &everything))
    })?;
    ensure!(exceptions(&made_up).len() >= everything.len() - 1, "{made_up:#}");
    says(&reviewed(&practice, "ws-02")?, "Not proved by an on-site test.")?;
    // The same number again is sealed no second time.
    let n = sealed(&practice, "ws-01")?.len();
    fs::write(one.dir().join("on-site-test.json"), invented(id, 0, &steps).to_string())?;
    wait::until_so("the claim to be taken away", WITHIN, || {
        Ok(!one.dir().join("on-site-test.json").exists())
    })?;
    ensure!(sealed(&practice, "ws-01")?.len() == n, "once");
    // What is no claim gets a line in the log and is taken away.
    fs::write(one.dir().join("on-site-test.json"), "{}")?;
    wait::until_so("the claim to be taken away", WITHIN, || {
        Ok(!one.dir().join("on-site-test.json").exists())
    })?;
    ensure!(one.log().contains("no result of an on-site test"), "{}", one.log());
    for machine in [&mut one, &mut two] {
        ensure!(machine.stop()?.success(), "{}", machine.log());
    }
    Ok(())
}

/// The review, once it says this of a machine.
fn wait_reviewed(practice: &Practice, name: &str, word: &str) -> Result<Value> {
    wait::until("the review", WITHIN, || {
        let machine = reviewed(practice, name)?;
        Ok(machine["sentence"].as_str().is_some_and(|said| said.contains(word)).then_some(machine))
    })
}

#[test]
fn a_machine_is_proved_until_its_kernel_is_another_one() -> Result<()> {
    let practice = Practice::start()?;
    let time = jiff::Timestamp::now().to_string();
    let health = |kernel: &str| json!({"kind": "health", "time": time, "health": {"os": format!("Debian 12, kernel {kernel}"), "version": "1"}});
    let schema: Value = serde_json::from_str(include_str!("../../ledger/evidence/schema/event.schema.json"))?;
    let words =
        schema["$defs"]["commission_step"]["properties"]["what"]["enum"].as_array().context("words")?;
    let steps: Vec<Value> = words.iter().map(|what| json!({"what": what, "outcome": "arrived"})).collect();
    let test = json!({"kind": "commission", "time": time, "commission": {"id": "00112233445566aa", "by": "Jan Novak",
        "os": "Debian 12, kernel 6.1.0-18", "version": "1", "steps": steps}});
    let tell = |agent: &mut ntk_tests::crafted::Crafted, events: &[&Value]| -> Result<()> {
        runtime()?.block_on(async {
            let mut stream = agent.stream().await?;
            let entries = events.iter().map(|event| entry(&event.to_string())).collect::<Result<Vec<_>>>()?;
            let batch = agent.seal(entries)?;
            accepted(&mut stream, message(&batch), batch.size()).await
        })
    };
    let mut agent = runtime()?.block_on(enrolled(&practice, "ws-01"))?;
    tell(&mut agent, &[&health("6.1.0-18"), &test])?;
    let machine = reviewed(&practice, "ws-01")?;
    says(&machine, "Proved by an on-site test on ")?;
    ensure!(machine["is_proved"] == true, "{machine}");
    let said = practice.collector(&["events"])?;
    ensure!(said.contains("on-site test") || said.contains("commission"), "{said}");
    tell(&mut agent, &[&health("6.1.0-21")])?;
    let machine = reviewed(&practice, "ws-01")?;
    noticed("commission-outdated", || says(&machine, "(kernel 6.1.0-18 to 6.1.0-21)"))?;
    ensure!(machine["is_proved"] == false, "{machine}");
    practice.collector(&["rebuild"])?;
    says(&reviewed(&practice, "ws-01")?, "Not proved since the upgrade of ")?;
    Ok(())
}
