//! Who else remembers: a committee of three agents, a stick outside, a trust file signed again; and a collector that
//! shows another history than it did.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::forge::Forge;
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::{program, recording, skip, wait};

use crate::bundle::verify;
use crate::crash::reaches;
use crate::foreign::proofs::script_agrees;

const WITHIN: Duration = Duration::from_secs(60);

fn machine(practice: &Practice, name: &str, uid: u32) -> Result<Machine> {
    let mut machine = practice.enroll(name)?;
    let file = practice.folder().join(format!("{name}.log"));
    recording::write(&file, name, uid, 40, 3)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    reaches(practice, &mut machine, 41)?;
    Ok(machine)
}

fn committee() -> Result<(Practice, Vec<Machine>)> {
    let practice = Practice::start()?;
    let machines = [("ws-01", 1001), ("ws-02", 1002), ("ws-03", 1003)]
        .into_iter()
        .map(|(name, uid)| machine(&practice, name, uid))
        .collect::<Result<Vec<_>>>()?;
    Ok((practice, machines))
}

fn keys(practice: &Practice) -> String {
    practice.folder().join("keys-to-take-away.txt").to_string_lossy().into_owned()
}

fn export(practice: &Practice, name: &str) -> Result<std::path::PathBuf> {
    let out = practice.folder().join(format!("{name}.zip"));
    let path = out.to_string_lossy().into_owned();
    practice.collector(&[
        "export",
        "--from",
        "2026-01-01",
        "--to",
        "2036-12-31",
        "--case",
        name,
        "--out",
        &path,
    ])?;
    Ok(out)
}

/// What `ntk-verify` says of a bundle; the Python script says the same.
fn judged(bundle: &std::path::Path, trust: &std::path::Path) -> Result<(Option<i32>, String)> {
    let said = verify(bundle, Some(trust))?;
    script_agrees("witness::script", bundle, trust, &said)?;
    Ok(said)
}

/// Signs the committee; streams that are open hear of it with the next round.
fn sign(practice: &Practice, more: &[&str]) -> Result<String> {
    let keys = keys(practice);
    practice.collector(&[&["trust", "sign", "--key", &keys][..], more].concat())
}

#[test]
fn a_committee_cosigns_and_a_stick_outside_and_the_bundle_says_until_when() -> Result<()> {
    let (practice, machines) = committee()?;
    let trust = practice.dir().join("trust.txt");
    let (code, said) = judged(&export(&practice, "nobody")?, &trust)?;
    ensure!(code == Some(0) && said.contains("none asked for by the trust file"), "{said}");

    let said = sign(&practice, &["--committee", "ws-01,ws-02,ws-03"])?;
    ensure!(said.contains("2 needed"), "a majority by itself: {said}");
    let note = practice.collector(&["witness", "round"])?;
    ensure!(note.matches("/witness/ws-0").count() == 3, "three cosigned: {note}");
    let (code, said) = judged(&export(&practice, "inside")?, &trust)?;
    ensure!(code == Some(0) && said.contains("3 of 3 in the committee cosigned"), "{said}");

    // One machine fewer is still a majority; two fewer are not.
    let mut machines = machines;
    machines.pop().context("a machine")?.stop()?;
    let (code, said) = judged(&export(&practice, "two")?, &trust)?;
    ensure!(code == Some(0) && said.contains("2 of 3 in the committee"), "{said}");
    machines.pop().context("a machine")?.stop()?;
    let (code, said) = judged(&export(&practice, "one")?, &trust)?;
    ensure!(code == Some(2) && said.contains("where 2 are needed"), "{said}");
    for machine in &mut machines {
        machine.agent()?.ensure_running()?;
    }

    // The stick: its key, the trust file, a body, its cosignature.
    let folder = practice.folder().to_owned();
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let trust_path = trust.to_string_lossy().into_owned();
    let stick = ["witness", "--state", &path("usb.state"), "--trust", &trust_path].map(str::to_owned);
    let stick: Vec<&str> = stick.iter().map(String::as_str).collect();
    let key = program::succeed("ntk-verify", &stick)?;
    let key = key.split_whitespace().find(|word| word.contains("+")).context("the stick's key")?.to_owned();
    let keys = keys(&practice);
    practice.collector(&["trust", "sign", "--key", &keys, "--witness", &key, "--quorum-committee", "1"])?;
    let (code, said) = judged(&export(&practice, "unseen")?, &trust)?;
    ensure!(code == Some(2) && said.contains("outside witnesses cosigned where 1"), "{said}");
    practice.collector(&["witness", "body", "--out", &path("body.txt")])?;
    let line = program::succeed("ntk-verify", &[&stick[..], &[&path("body.txt")]].concat())?;
    fs::write(folder.join("line.txt"), &line)?;
    let said = practice.collector(&["witness", "add", &path("line.txt")])?;
    ensure!(said.contains("Witnessed outside up to size"), "{said}");
    let bundle = export(&practice, "outside")?;
    let (code, said) = judged(&bundle, &trust)?;
    ensure!(code == Some(0) && said.contains("1 of 1 in the outside witnesses cosigned"), "{said}");

    // Somebody else's cosignature, and one over nothing that was handed out, are not taken.
    let stranger = program::succeed(
        "ntk-verify",
        &["witness", "--state", &path("other.state"), "--trust", &trust_path, &path("body.txt")],
    )?;
    fs::write(folder.join("stranger.txt"), &stranger)?;
    let (code, said) = practice.try_collector(&["witness", "add", &path("stranger.txt")])?;
    ensure!(code == Some(1) && said.contains("no outside witness of the trust file"), "{said}");
    let out = practice.folder().join("review");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let report: serde_json::Value = serde_json::from_slice(&fs::read(out.join("report.json"))?)?;
    let until = report["footer"]["provable_until"].as_str().context("the review says until when")?;
    let zone = jiff::tz::TimeZone::get("America/New_York")?;
    let today = jiff::Timestamp::now().to_zoned(zone).strftime("Provable up to %A %-d %B %Y, ").to_string();
    let by_our_clocks =
        until.starts_with(&today) && until.matches(" (ES").count() + until.matches(" (ED").count() == 2;
    ensure!(by_our_clocks, "by the practice's clocks, as all times of the review: {until}");
    practice.collector(&["self-check"])?;
    Ok(())
}

/// What a stranger's reader sees in the page's QR code.
fn seen_by_a_camera(practice: &Practice, name: &str) -> Result<(String, serde_json::Value)> {
    let out = practice.folder().join(name);
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let page = fs::read_to_string(out.join("report.html"))?;
    let at = page.find("<svg class=\"qr\"").context("a QR code on the page")?;
    let end = page[at..].find("</svg>").context("its end")? + "</svg>".len();
    let (svg, png) = (out.join("qr.svg"), out.join("qr.png"));
    // Inside a page the name of the language is not needed, in a file of its own it is.
    let alone = page[at..at + end].replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1);
    fs::write(&svg, alone)?;
    let drawn = Command::new("rsvg-convert").args(["-w", "500", "-o"]).arg(&png).arg(&svg).output()?;
    ensure!(drawn.status.success(), "{}", program::text(&drawn.stderr));
    let read = Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&png).output()?;
    let report = serde_json::from_slice(&fs::read(out.join("report.json"))?)?;
    Ok((program::text(&read.stdout), report))
}

#[test]
fn the_checkpoint_on_a_page_is_read_by_a_camera() -> Result<()> {
    if ["rsvg-convert", "zbarimg"].iter().any(|name| Command::new(name).arg("--version").output().is_err()) {
        skip::skip("witness::the_checkpoint_on_a_page", "librsvg2-bin and zbar-tools are not installed");
        return Ok(());
    }
    let practice = Practice::start()?;
    let (first, report) = seen_by_a_camera(&practice, "first")?;
    let footer = &report["footer"];
    let lines: Vec<&str> = first.trim_end().lines().collect();
    ensure!(lines.len() == 3 && lines[0].ends_with("/log"), "{first}");
    ensure!(Some(lines[1]) == footer["log_size"].as_u64().map(|size| size.to_string()).as_deref(), "{first}");
    ensure!(Some(lines[2]) == footer["root"].as_str(), "{first} {footer}");
    // The page before it was an act: another log, another code.
    let (second, _) = seen_by_a_camera(&practice, "second")?;
    ensure!(second != first && second.lines().next() == Some(lines[0]), "{second}");
    Ok(())
}

#[test]
fn a_trust_file_is_signed_by_the_practice_key_and_nobody_else() -> Result<()> {
    let practice = Practice::start()?;
    let other = Practice::make(&practice.folder().join("other"), None)?;
    let strangers = other.folder().join("keys-to-take-away.txt").to_string_lossy().into_owned();
    let (code, said) =
        practice.try_collector(&["trust", "sign", "--key", &strangers, "--reviewer", "mary"])?;
    ensure!(code == Some(64) && said.contains("not this practice's"), "{code:?} {said}");
    let keys = keys(&practice);
    for (more, says) in [
        (vec!["--committee", "ws-99"], "there is no machine `ws-99`"),
        (vec!["--witness", "nonsense"], "nonsense"),
        (vec!["--quorum-outside", "3"], "more witnesses than are named"),
        (vec!["--until", "soon"], "soon"),
    ] {
        let (code, said) =
            practice.try_collector(&[&["trust", "sign", "--key", &keys][..], &more].concat())?;
        ensure!(code.is_some_and(|code| code != 0) && said.contains(says), "{more:?}: {code:?} {said}");
    }
    practice.collector(&["trust", "sign", "--key", &keys, "--reviewer", "mary", "--machines-max", "7"])?;
    let shown = practice.collector(&["trust", "show"])?;
    ensure!(shown.contains("mary") && shown.contains("at most 7"), "{shown}");
    let acts = practice.events(&["--acts"])?;
    ensure!(acts.iter().filter(|row| row["event"]["kind"] == "act_trust").count() == 1, "one act");
    Ok(())
}

#[test]
fn a_custodian_that_the_practice_key_names_stands_in_review_and_bundle_with_what_they_hold() -> Result<()> {
    let practice = Practice::start()?;
    let trust = practice.dir().join("trust.txt");
    let old = fs::read(&trust)?;
    let (code, said) =
        practice.try_collector(&["trust", "sign", "--key", &keys(&practice), "--custodian", "Ann"])?;
    ensure!(code == Some(64) && said.contains("recovery-key NAME"), "{code:?} {said}");
    let said = sign(&practice, &["--custodian", "recovery-key Smith & Jones, CPA"])?;
    ensure!(said.contains("Smith & Jones, CPA holds a copy of the recovery key"), "{said}");
    ensure!(fs::read_to_string(&trust)?.contains("\ncustodian recovery-key Smith & Jones, CPA\n"), "signed");
    // A later signature about something else keeps them.
    sign(&practice, &["--reviewer", "mary"])?;
    let out = practice.folder().join("review");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let review: serde_json::Value = serde_json::from_slice(&fs::read(out.join("report.json"))?)?;
    let page = fs::read_to_string(out.join("report.html"))?;
    ensure!(page.contains("holds a copy of the recovery key"), "the page");
    let foot = review["footer"]["custodians"].as_str().context("the foot")?;
    ensure!(foot.contains("Smith & Jones, CPA holds a copy") && foot.contains("can sign nothing"), "{foot}");
    let (code, said) = judged(&export(&practice, "named")?, &trust)?;
    ensure!(
        code == Some(0) && said.contains("Smith & Jones, CPA holds a copy of the recovery key"),
        "{said}"
    );

    // The file from before, and one of which a line was changed.
    let path = practice.folder().join("other.txt");
    fs::write(&path, fs::read_to_string(&trust)?.replace("Smith & Jones", "Smith & Janes"))?;
    let (code, said) = verify(&export(&practice, "changed")?, Some(&path))?;
    ensure!(code == Some(3), "{code:?} {said}");
    fs::write(&path, &old)?;
    let (_, said) = judged(&export(&practice, "before")?, &path)?;
    ensure!(said.contains("No custodian outside the practice is named"), "{said}");
    let said = sign(&practice, &["--no-custodian"])?;
    ensure!(said.contains("No custodian outside the practice is named"), "{said}");
    Ok(())
}

#[test]
fn more_machines_than_the_practice_key_permits_and_one_after_its_date_are_not_enrolled() -> Result<()> {
    let practice = Practice::start()?;
    sign(&practice, &["--machines-max", "1"])?;
    practice.enroll("ws-01")?;
    let refused = practice.enroll("ws-02").err().context("one too many")?;
    ensure!(format!("{refused:#}").contains("as many machines as the practice key permits"), "{refused:#}");
    // A bundle is judged by every name that was enrolled: to revoke one makes no room.
    practice.collector(&["enroll", "revoke", "ws-01"])?;
    let refused = practice.enroll("ws-02").err().context("in the place of a revoked one")?;
    ensure!(format!("{refused:#}").contains("revoked ones among them"), "{refused:#}");
    let said = practice.collector(&["status"])?;
    ensure!(said.contains("1 of the 1 machines that the practice key permits"), "{said}");
    sign(&practice, &["--machines-max", "100", "--until", "2026-01-01T00:00:00Z"])?;
    let refused = practice.enroll("ws-02").err().context("after the date")?;
    ensure!(format!("{refused:#}").contains("permission to enrol has ended"), "{refused:#}");
    sign(&practice, &["--until", "2036-01-01T00:00:00Z"])?;
    practice.enroll("ws-02")?;
    let said = practice.collector(&["status"])?;
    ensure!(!said.contains("permission to enrol"), "{said}");
    Ok(())
}

#[test]
fn a_collector_that_shows_another_history_is_refused_and_both_notes_are_kept_by_both_sides() -> Result<()> {
    let (mut practice, mut machines) = committee()?;
    practice.collector(&["witness", "round"])?;
    ensure!(machines[2].command(&["status", "--json"])?.contains("\"disagreements\":0"), "nothing yet");
    for machine in &mut machines {
        machine.stop()?;
    }
    practice.stop_collector()?;
    // The same log key tells another tree: one machine was never there. Everything in it is signed as it should be.
    let mut forge = Forge::open(&practice.dir())?;
    forge.place("agent/ws-02", 0)?;
    forge.batches.retain(|(batch, _)| batch.author != "agent/ws-02");
    forge.write()?;
    practice.start_collector()?;
    // The machine that was stopped last remembers the most.
    machines[2].start()?;
    let kept = wait::until("both notes in a file of the agent", WITHIN, || {
        let names = fs::read_dir(machines[2].dir())?.filter_map(Result::ok);
        let mut found = names.filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.starts_with("disagreement-") && name.ends_with(".json")
        });
        Ok(found.next().map(|entry| entry.path()))
    })
    .with_context(|| machines[2].log())?;
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(kept)?)?;
    ensure!(kept["remembered"].as_str().is_some_and(|note| note.contains("/log\n")), "{kept}");
    ensure!(kept["offered"].as_str().is_some_and(|note| note.contains("/log\n")), "{kept}");
    ensure!(kept["remembered"] != kept["offered"], "{kept}");
    let dir = machines[2].dir().to_string_lossy().into_owned();
    // Told whether the agent runs at that moment or not: the exit code is for that.
    let said = program::run("ntk-agent", &["status", "--dir", &dir])?;
    let said = program::text(&said.stdout);
    ensure!(said.contains("another history of its log"), "{said}");
    Ok(())
}
