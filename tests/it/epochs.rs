//! Keys of an agent's log, with real programs: they follow one another, a stolen one is worth nothing once its epoch is
//! over, a machine that was set up anew takes its own place, and a copy of a machine is told.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_evidence::epoch::RollOver;
use ntk_evidence::hash::unhex;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_tests::attack_table::noticed;
use ntk_tests::crafted::{Answer, Crafted, Stream, core, entry, message};
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::{program, wait};
use serde_json::Value;

use crate::bundle::verify;
use crate::foreign::proofs::script_agrees;
use crate::refusals::{enrolled, runtime};

const WITHIN: Duration = Duration::from_secs(60);
/// No sensor: what an agent says of itself is enough here.
const QUIET: &str = "[sensor]\naudit = false\nnotify = false\n";

/// Waits until the collector holds everything that the agent has.
fn drained(practice: &Practice, machine: &mut Machine, author: &str, at_least: u64) -> Result<u64> {
    wait::until(&format!("{at_least} entries of {author}"), WITHIN, || {
        machine.agent()?.ensure_running()?;
        let size = practice.size_of(author)?;
        Ok((size >= at_least).then_some(size))
    })
}

fn stop(machine: &mut Machine) -> Result<()> {
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    Ok(())
}

fn acts(practice: &Practice, kind: &str) -> Result<Vec<Value>> {
    let acts = practice.events(&["--acts"])?;
    let of_kind = acts.into_iter().filter(|row| row["event"]["kind"] == kind);
    Ok(of_kind.map(|row| row["event"]["act"].clone()).collect())
}

fn keys_on_disk(machine: &Machine) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(machine.dir().join("identity"))? {
        names.extend(file?.file_name().into_string().ok().filter(|name| name.starts_with("epoch-")));
    }
    names.sort();
    Ok(names)
}

fn seed_of(machine: &Machine, epoch: u32) -> Result<[u8; 32]> {
    let text = fs::read_to_string(machine.dir().join(format!("identity/epoch-{epoch}.key")))?;
    let seed = unhex(text.trim_end()).and_then(|seed| seed.try_into().ok());
    seed.context("64 hex digits")
}

/// An agent that was started three times: it is in its third epoch, and stopped.
fn three_epochs(practice: &Practice) -> Result<(Machine, [u8; 32])> {
    let mut machine = practice.enroll("ws-01")?;
    machine.configure(QUIET)?;
    let first = seed_of(&machine, 0)?;
    for start in 0..3 {
        machine.start()?;
        let held = practice.size_of("ws-01")?;
        drained(practice, &mut machine, "ws-01", held + 1)?;
        assert_eq!(keys_on_disk(&machine)?, [format!("epoch-{start}.key")], "one key at a time");
        stop(&mut machine)?;
    }
    Ok((machine, first))
}

fn export(practice: &Practice) -> Result<(Option<i32>, String)> {
    let out = practice.folder().join("epochs.zip");
    let _ = fs::remove_file(&out);
    let to = out.to_string_lossy().into_owned();
    practice.collector(&[
        "export",
        "--from",
        "2026-01-01",
        "--to",
        "2036-12-31",
        "--case",
        "E-1",
        "--out",
        &to,
    ])?;
    let trust = practice.dir().join("trust.txt");
    let said = verify(&out, Some(&trust))?;
    script_agrees("epochs::script", &out, &trust, &said)?;
    Ok(said)
}

#[test]
fn an_agent_that_restarts_twice_has_three_epochs_and_its_bundle_verifies() -> Result<()> {
    let mut practice = Practice::start()?;
    let (mut machine, _) = three_epochs(&practice)?;
    let events = practice.events(&[])?;
    let rolled: Vec<_> = events.iter().filter(|row| row["event"]["kind"] == "epoch").collect();
    let numbers: Vec<_> = rolled.iter().map(|row| row["event"]["epoch"]["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2)], "{rolled:?}");
    let (code, said) = export(&practice)?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2 roll-overs"), "{said}");
    practice.collector(&["self-check"])?;
    practice.collector(&["rebuild"])?;
    // The collector's own start follows them, too; and one machine is never told to be two.
    practice.stop_collector()?;
    practice.start_collector()?;
    machine.start()?;
    let held = practice.size_of("ws-01")?;
    drained(&practice, &mut machine, "ws-01", held + 1)?;
    let check = machine.command(&["check"])?;
    assert!(check.contains("epoch-3.key` mode 0600") && check.contains("epoch 3, its key is"), "{check}");
    stop(&mut machine)?;
    for kind in ["act_clone", "act_fork", "act_refusal"] {
        assert_eq!(acts(&practice, kind)?, Vec::<Value>::new(), "{kind}");
    }
    Ok(())
}

async fn refused(stream: &mut Stream, batch: ntk_proto::v1::Batch) -> Result<String> {
    stream.send(batch).await?;
    match stream.answer().await? {
        Answer::Refusal(refusal) => Ok(refusal.code),
        other => anyhow::bail!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn a_stolen_key_signs_nothing_once_its_epoch_is_over_and_the_attempt_is_recorded() -> Result<()> {
    let practice = Practice::start()?;
    let (mut machine, seed) = three_epochs(&practice)?;
    let held = practice.size_of("ws-01")?;
    let thief = Crafted::stolen(&practice.address(), machine.dir(), &seed)?;
    let forged = || Ok::<_, anyhow::Error>(vec![entry(&core(1))?]);
    let next = NoteSigner::new(thief.log().origin(), KeyType::Ed25519, &[66; 32])?;
    let hijack =
        RollOver { number: 1, key: next.verifier().clone() }.entry("start", "2026-11-27T12:00:00Z")?;
    let told = || acts(&practice, "act_refusal").map(|acts| acts.iter().any(|act| act["code"] == "epoch"));
    assert!(!told()?, "the twin: three honest epochs are refused nothing");
    runtime()?.block_on(async {
        for (what, epoch, entries, code) in [
            ("the old epoch", 0, forged()?, "epoch"),
            ("the current epoch under the old key", 2, forged()?, "bad_signature"),
            ("a second roll-over", 0, vec![hijack.clone()], "epoch"),
            ("an epoch that is not there yet", 3, forged()?, "epoch"),
        ] {
            let mut stream = thief.stream().await?;
            let batch = message(&thief.forge(epoch, entries)?);
            assert_eq!(refused(&mut stream, batch).await.context(what)?, code, "{what}");
        }
        anyhow::Ok(())
    })?;
    noticed("old-key", || wait::until_so("the refusal to be an act", WITHIN, &told))?;
    assert_eq!(practice.size_of("ws-01")?, held, "nothing is stored");
    let refusals = acts(&practice, "act_refusal")?;
    let codes: Vec<_> = refusals.iter().map(|act| act["code"].as_str().unwrap_or_default()).collect();
    assert_eq!(codes, ["epoch", "bad_signature"], "each kind at once, then once a minute: {refusals:?}");
    assert_eq!(practice.status()?["refusals"]["epoch"].as_u64(), Some(3), "all are counted");
    // The machine itself goes on.
    machine.start()?;
    drained(&practice, &mut machine, "ws-01", held + 2)?;
    stop(&mut machine)?;
    let (code, said) = export(&practice)?;
    assert_eq!(code, Some(0), "{said}");
    Ok(())
}

#[test]
fn a_machine_that_was_set_up_anew_takes_its_own_place() -> Result<()> {
    let practice = Practice::start()?;
    let (mut machine, _) = three_epochs(&practice)?;
    let held = practice.size_of("ws-01")?;
    let dir = machine.dir().to_string_lossy().into_owned();
    let token = |arguments: &[&str]| -> Result<String> {
        Ok(practice.collector(&[&["enroll", "new"], arguments].concat())?.trim().to_owned())
    };
    let (code, said) = practice.try_collector(&["enroll", "new", "--machine", "ws-01"])?;
    assert!(code != Some(0) && said.contains("--replace ws-01"), "{said}");
    let (code, said) = practice.try_collector(&["enroll", "new", "--replace", "ws-07"])?;
    assert!(code != Some(0) && said.contains("there is no machine `ws-07`"), "{said}");
    let token = token(&["--replace", "ws-01"])?;
    let refused = program::run("ntk-agent", &["enroll", "--token", &token, "--dir", &dir])?;
    assert_eq!(refused.status.code(), Some(78), "an identity that is there is not touched without a word");
    let said = program::succeed("ntk-agent", &["enroll", "--token", &token, "--dir", &dir, "--replace"])?;
    assert!(said.contains("agent/ws-01.2"), "{said}");
    machine.start()?;
    drained(&practice, &mut machine, "ws-01.2", 1)?;
    stop(&mut machine)?;
    assert_eq!(practice.size_of("ws-01")?, held, "the earlier log stays as it was");

    // What was there before is kept; run again, it is turned away, and that it tried is recorded.
    let before = practice.folder().join("before");
    fs::create_dir(&before)?;
    for file in fs::read_dir(machine.dir())? {
        let path = file?.path();
        let name = path.file_name().context("a name")?.to_string_lossy().into_owned();
        if let Some((folder, _)) = name.split_once(".before-") {
            fs::rename(&path, before.join(folder))?;
        }
    }
    fs::write(before.join("agent.toml"), QUIET)?;
    let mut ghost = program::Running::start(
        "ntk-agent",
        &["run", "--dir", &before.to_string_lossy()],
        &before.join("log"),
    )?;
    let refusals = noticed("replaced", || {
        wait::until("the earlier identity to be turned away", WITHIN, || {
            ghost.ensure_running()?;
            Ok(Some(acts(&practice, "act_refusal")?).filter(|acts| !acts.is_empty()))
        })
    })?;
    assert_eq!(
        (&refusals[0]["author"], &refusals[0]["code"]),
        (&"agent/ws-01".into(), &"revoked".into()),
        "{refusals:?}"
    );
    assert!(ghost.stop()?.success());

    let enrolments = acts(&practice, "act_enrolment")?;
    let replaces = enrolments[1]["replaces"].as_str().unwrap_or_default();
    assert!(replaces.contains("/agent/ws-01+"), "{enrolments:?}");
    let listed = practice.collector(&["enroll", "list"])?;
    assert!(
        listed.contains("ws-01.2") && listed.contains("the same machine as ws-01, set up anew"),
        "{listed}"
    );
    let (code, said) = export(&practice)?;
    assert_eq!(code, Some(0), "{said}");
    practice.collector(&["self-check"])?;
    // A third one comes after the second.
    practice.collector(&["enroll", "new", "--replace", "ws-01"])?;
    practice.collector(&["enroll", "revoke", "ws-01"])?;
    let listed = practice.collector(&["enroll", "list"])?;
    assert_eq!(listed.matches("revoked").count(), 2, "the name means the newest: {listed}");
    Ok(())
}

#[test]
fn a_receipt_stands_without_agent_and_collector_and_a_bundle_cannot_deny_it() -> Result<()> {
    let practice = Practice::start()?;
    let (machine, _) = three_epochs(&practice)?;
    let out = practice.folder().join("receipt");
    fs::create_dir(&out)?;
    let receipt = |machine: &Machine| {
        let (dir, out) = (machine.dir().to_string_lossy(), out.to_string_lossy());
        program::run("ntk-agent", &["receipt", "--dir", &dir, "--out", &out])
    };
    let said = receipt(&machine)?;
    ensure!(said.status.success(), "{}", program::text(&said.stderr));
    let said = program::text(&said.stdout);
    let held = practice.size_of("ws-01")?;
    assert!(said.contains(&format!("acknowledged {held} entries of agent/ws-01")), "{said}");
    let path = |ending: &str| out.join(format!("agent-ws-01-{held}.{ending}"));
    let trust = practice.dir().join("trust.txt");
    let judge = |bundle: Option<&Path>| -> Result<(Option<i32>, String)> {
        let [note, proof, trust] =
            [path("note"), path("tlog-proof"), trust.clone()].map(|path| path.to_string_lossy().into_owned());
        let bundle = bundle.map(|bundle| bundle.to_string_lossy().into_owned());
        let mut arguments = vec!["receipt", &note, &proof, "--trust", &trust];
        if let Some(bundle) = &bundle {
            arguments.extend(["--bundle", bundle]);
        }
        let output = program::run("ntk-verify", &arguments)?;
        Ok((output.status.code(), program::text(&output.stdout) + &program::text(&output.stderr)))
    };
    let (code, said) = judge(None)?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the log key acknowledged"), "{said}");
    assert_eq!(export(&practice)?.0, Some(0));
    let bundle = practice.folder().join("epochs.zip");
    let (code, said) = judge(Some(&bundle))?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the same note at the same leaf"), "{said}");

    // One changed byte, and a bundle whose rows lead elsewhere.
    let note = fs::read(path("note"))?;
    let mut changed = note.clone();
    changed[20] ^= 1;
    fs::write(path("note"), &changed)?;
    assert!(judge(None)?.0 != Some(0));
    fs::write(path("note"), &note)?;
    let folder = crate::bundle::unpack(&bundle, &practice.folder().join("edited"))?;
    let rows = folder.join("data/entries/agent-ws-01.jsonl");
    fs::write(&rows, fs::read_to_string(&rows)?.replacen("clean_stop", "agent_restart", 1))?;
    let (code, said) = judge(Some(&folder))?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("entries were changed after the receipt"), "{said}");

    // A receipt that somebody changed in the spool is not passed on.
    let position = machine.dir().join("spool/position.json");
    let text = fs::read_to_string(&position)?;
    fs::write(&position, text.replacen("\"leaf_index\":", "\"leaf_index\":1", 1))?;
    let said = receipt(&machine)?;
    assert_eq!(said.status.code(), Some(78), "{}", program::text(&said.stderr));
    // A machine that sent nothing has none.
    assert_eq!(receipt(&practice.enroll("ws-02")?)?.status.code(), Some(1));
    Ok(())
}

#[test]
fn a_loose_key_is_refused_by_both_programs_with_what_mends_it() -> Result<()> {
    let practice = Practice::start()?;
    let machine = practice.enroll("ws-01")?;
    machine.configure(QUIET)?;
    let dir = machine.dir().to_string_lossy().into_owned();
    let agent = |command: &str| -> Result<(Option<i32>, String)> {
        let output = program::run("ntk-agent", &[command, "--dir", &dir])?;
        Ok((output.status.code(), program::text(&output.stdout) + &program::text(&output.stderr)))
    };
    let mode =
        |path: &Path, mode| fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode));
    let (code, said) = agent("check")?;
    assert_eq!(code, Some(0), "{said}");
    let key = machine.dir().join("identity/epoch-0.key");
    mode(&key, 0o644)?;
    let mends = format!("run `chmod 0600 {}`", key.display());
    for command in ["check", "run"] {
        let (code, said) = agent(command)?;
        assert_eq!(code, Some(78), "{command}: {said}");
        assert!(said.contains(&mends), "{command}: {said}");
    }
    let (code, said) = practice.try_collector(&["check"])?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("log.key` mode 0600, owner uid"), "{said}");
    let key = practice.dir().join("private/collector.key");
    mode(&key, 0o640)?;
    let (code, said) = practice.try_collector(&["check"])?;
    assert!(code != Some(0) && said.contains(&format!("run: chmod 0600 {}", key.display())), "{said}");
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for file in fs::read_dir(from)? {
        let path = file?.path();
        let target = to.join(path.file_name().context("a name")?);
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

#[test]
fn a_copy_of_a_machine_that_runs_beside_it_is_told() -> Result<()> {
    let practice = Practice::start()?;
    let (mut machine, _) = three_epochs(&practice)?;
    let clone = practice.folder().join("clone");
    copy(machine.dir(), &clone)?;
    machine.start()?;
    let held = practice.size_of("ws-01")?;
    drained(&practice, &mut machine, "ws-01", held + 2)?;
    let mut other = program::Running::start(
        "ntk-agent",
        &["run", "--dir", &clone.to_string_lossy()],
        &clone.join("log"),
    )?;
    let clones = noticed("clone", || {
        wait::until("the clone to be told", WITHIN, || {
            other.ensure_running()?;
            machine.agent()?.ensure_running()?;
            Ok(Some(acts(&practice, "act_clone")?).filter(|acts| !acts.is_empty()))
        })
    })?;
    assert_eq!(clones[0]["author"], "agent/ws-01", "{clones:?}");
    let what: Vec<_> = clones.iter().filter_map(|act| act["what"].as_str()).collect();
    assert!(
        what.iter().all(|what| ["other_history", "behind", "fork", "run_id_returned"].contains(what)),
        "{what:?}"
    );
    assert!(other.stop()?.success());
    stop(&mut machine)?;
    practice.collector(&["self-check"])?;
    let week = practice.folder().join("week");
    practice.collector(&["report", "--out", &week.to_string_lossy()])?;
    let mut report = String::new();
    for file in fs::read_dir(&week)? {
        report.push_str(&fs::read_to_string(file?.path()).unwrap_or_default());
    }
    let told = ["speak with the keys of ws-01", "The machine ws-01 came back with less"];
    assert!(told.iter().any(|sentence| report.contains(sentence)), "the review says so: {clones:?}");
    Ok(())
}

#[test]
fn a_run_that_was_over_and_speaks_again_is_told_once() -> Result<()> {
    let practice = Practice::start()?;
    runtime()?.block_on(async {
        let agent = enrolled(&practice, "ws-01").await?;
        for (boot, run) in [("boot-a", "1"), ("boot-a", "2"), ("boot-b", "3")] {
            agent.stream_of(boot, run).await?;
        }
        assert_eq!(
            acts(&practice, "act_clone")?,
            Vec::<Value>::new(),
            "restarts and reboots are one machine"
        );
        for (boot, run) in [("boot-a", "2"), ("boot-b", "3"), ("boot-a", "2")] {
            agent.stream_of(boot, run).await?;
        }
        anyhow::Ok(())
    })?;
    let clones = acts(&practice, "act_clone")?;
    assert_eq!(clones.len(), 1, "{clones:?}");
    assert_eq!(clones[0]["what"], "boot_id_returned");
    assert_eq!(clones[0]["run_ids"], serde_json::json!(["3", "2"]));
    Ok(())
}
