//! The restore drill: a collector is destroyed and put back from its copy; machines explain the difference, send again what
//! they hold, and what no longer can be sent is named, and taken back with the recovery key.

mod away;
mod moved;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::{program, recording, wait};
use serde_json::Value;

use crate::bundle::verify;
use crate::crash::reaches;
use crate::foreign::proofs::script_agrees;
use crate::survival::with_vault;

const WITHIN: Duration = Duration::from_secs(60);
/// Segments of 256 KiB, so that some are put away.
const LITTLE: &str = "[spool]\nbytes_max = 4194304\n";
const BEFORE: u64 = 20;
const AFTER: u64 = 30;
const MUCH: u64 = 3000;

/// A machine that plays a recording; its agent runs.
fn played(practice: &Practice, name: &str, more: &str) -> Result<Machine> {
    let mut machine = practice.enroll(name)?;
    let file = practice.folder().join(format!("{name}-before.log"));
    recording::write(&file, &format!("{name}-before"), 1001, BEFORE, 3)?;
    machine.configure(&(recording::configuration(&[&file], None) + more))?;
    machine.start()?;
    reaches(practice, &mut machine, BEFORE + 1)?;
    Ok(machine)
}

/// The same machine plays on.
fn plays_on(practice: &Practice, machine: &mut Machine, accesses: u64, more: &str) -> Result<()> {
    let [before, after] =
        ["before", "after"].map(|part| practice.folder().join(format!("{}-{part}.log", machine.name())));
    let begins = recording::BEGINS + 3600;
    let opens = (0..accesses).map(|number| recording::Open {
        login_uid: 1001,
        session: 8,
        program: "/usr/bin/cat".to_owned(),
        file: recording::file_of(&format!("{}-after", machine.name()), number),
    });
    recording::write_opens(&after, begins, opens, 3)?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    machine.configure(&(recording::configuration(&[&before, &after], None) + more))?;
    machine.start()?;
    reaches(practice, machine, BEFORE + accesses + 2)
}

/// `restore` into the practice's own folder, which is not there any more; exit code and words.
fn restore(practice: &Practice, from: &Path, more: &[&str]) -> Result<(Option<i32>, String)> {
    let keys = practice.folder().join("keys-to-take-away.txt").to_string_lossy().into_owned();
    let from = from.to_string_lossy().into_owned();
    let mut arguments = vec!["restore", "--keys", &keys, "--from", &from, "--by", "Anna Roth"];
    arguments.extend(["--reason", "the collector's disk broke"]);
    arguments.extend(more);
    practice.try_collector(&arguments)
}

/// The accesses of a machine that the ledger holds, by file, each once.
fn accesses(practice: &Practice, machine: &str) -> Result<u64> {
    let events = practice.events(&[])?;
    let author = format!("agent/{machine}");
    let of_machine =
        events.iter().filter(|row| row["author"] == author.as_str() && row["event"]["kind"] == "file_access");
    let mut files: Vec<String> = of_machine.map(|row| row["event"]["object"]["path"].to_string()).collect();
    let n_rows = files.len();
    files.sort();
    files.dedup();
    ensure!(files.len() == n_rows, "an access of {machine} stands twice");
    Ok(u64::try_from(n_rows)?)
}

fn copied(folder: &Path, to: &Path) -> Result<()> {
    let output = Command::new("cp").arg("-a").arg(folder).arg(to).output()?;
    ensure!(output.status.success(), "{}", program::text(&output.stderr));
    Ok(())
}

fn acts(practice: &Practice, kind: &str) -> Result<Vec<Value>> {
    let acts = practice.events(&["--acts"])?;
    Ok(acts
        .into_iter()
        .filter(|row| row["event"]["kind"] == kind)
        .map(|row| row["event"]["act"].clone())
        .collect())
}

/// The practice's own folder in the vault.
fn below(vault: &Path) -> Result<PathBuf> {
    Ok(fs::read_dir(vault)?.next().context("a copy")??.path())
}

#[test]
fn a_destroyed_collector_is_put_back_machines_explain_the_difference_and_send_again_what_they_hold()
-> Result<()> {
    let (mut practice, vault) = with_vault()?;
    let mut machines = [
        played(&practice, "ws-01", "")?,
        played(&practice, "ws-02", "")?,
        played(&practice, "ws-03", LITTLE)?,
    ];
    let said = practice.collector(&["backup"])?;
    ensure!(said.contains("readable with the recovery key alone"), "{said}");
    // What is in the building that night, for whoever puts it back without a word.
    let silent = practice.folder().join("silent");
    copied(&practice.dir(), &silent)?;
    for (machine, more) in machines.iter_mut().zip(["", "", LITTLE]) {
        plays_on(&practice, machine, if more.is_empty() { AFTER } else { MUCH }, more)?;
    }
    let [first, second, third] = &mut machines;
    wait::until_so("finished segments to be put away", WITHIN, || {
        Ok(third.command(&["kept"])?.contains(".age"))
    })?;
    let sizes: Vec<u64> =
        ["ws-01", "ws-02", "ws-03"].iter().map(|name| practice.size_of(name)).collect::<Result<_>>()?;
    let old_leaves = practice.status()?["log"]["size"].as_u64().context("a size")?;
    practice.kill_collector()?;
    fs::remove_dir_all(practice.dir())?;

    // A silent rollback: refused by each machine, as ever.
    copied(&silent, &practice.dir())?;
    let noticed_by = noticed("silent-rollback-beside-a-restore", || {
        practice.start_collector()?;
        wait::until_so("a machine to refuse what was put back without a word", WITHIN, || {
            Ok(first.log().contains("it was rolled back or restored"))
        })?;
        practice.kill_collector()?;
        fs::remove_dir_all(practice.dir())?;
        Ok(first.log())
    })?;
    ensure!(!noticed_by.contains("the practice key announces"), "{noticed_by}");

    let (code, said) = restore(&practice, &vault, &[])?;
    ensure!(code == Some(0), "{said}");
    for word in ["The whole ledger verifies", "closed at", "is void", "send again what they still hold"] {
        ensure!(said.contains(word), "`{word}` in {said}");
    }
    practice.start_collector()?;
    for (machine, size) in [&mut *first, &mut *second].into_iter().zip(&sizes) {
        wait::until_so("a machine to send again what the collector lost", WITHIN, || {
            machine.agent()?.ensure_running()?;
            Ok(practice.size_of(machine.name())? >= *size)
        })
        .with_context(|| format!("{}\n{}", machine.log(), practice.collector_log()))?;
        assert_eq!(accesses(&practice, machine.name())?, BEFORE + AFTER);
        let kept: Value = serde_json::from_slice(&fs::read(machine.dir().join("restored-0.json"))?)?;
        ensure!(kept["remembered"].as_str().is_some_and(|note| note.contains("/log\n")), "{kept}");
        ensure!(kept["announced"].as_str().is_some_and(|text| text.contains("\nrestored ")), "{kept}");
    }
    // Each machine's own log says that it took the announcement in.
    wait::until_so("machines to say what they believed", WITHIN, || {
        let events = practice.events(&[])?;
        let told = events.iter().filter(|row| row["event"]["health"]["reason"] == "collector_restored");
        Ok(told.count() >= 2)
    })?;

    // The third has put away what the collector lost: it says so, and the gap is named.
    let short = wait::until("the third machine to say what it cannot send", WITHIN, || {
        third.agent()?.ensure_running()?;
        Ok(acts(&practice, "act_restored")?.into_iter().find(|act| act["step"] == "short"))
    })
    .with_context(|| format!("{}\n{}", third.log(), practice.collector_log()))?;
    ensure!(short["author"] == "agent/ws-03" && short["first"].as_u64() > Some(BEFORE), "{short}");
    let restored = acts(&practice, "act_restored")?.remove(0);
    ensure!(restored["by"] == "Anna Roth" && restored["why"] == "the collector's disk broke", "{restored}");
    let closed = restored["old_log"]["size"].as_u64().context("a size")?;
    ensure!(closed < old_leaves, "{closed} of {old_leaves}");
    let out = practice.folder().join("reviews");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let review = fs::read_dir(&out)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let review =
        review.filter(|path| path.extension().is_some_and(|end| end == "html")).map(fs::read_to_string);
    let review: String = review.collect::<Result<Vec<_>, _>>()?.concat();
    for word in ["put back from a copy by Anna Roth", "Of ws-03, entries"] {
        ensure!(review.contains(word), "`{word}` in the review");
    }

    // The recovery key opens what it put away: the gap closes, and the machine goes on by itself.
    let package = practice.folder().join("package-ws-03").to_string_lossy().into_owned();
    third.command(&["kept", "--out", &package])?;
    practice.stop_collector()?;
    let keys = practice.folder().join("keys-to-take-away.txt").to_string_lossy().into_owned();
    let said = practice.collector(&["take-back", "--keys", &keys, "--package", &package])?;
    ensure!(said.contains("came back from what it had put away"), "{said}");
    practice.start_collector()?;
    wait::until_so("the third machine to go on", WITHIN, || {
        third.agent()?.ensure_running()?;
        Ok(practice.size_of("ws-03")? >= sizes[2])
    })
    .with_context(|| third.log())?;
    assert_eq!(accesses(&practice, "ws-03")?, BEFORE + MUCH);

    // Everything verifies: here, anew, and offline with the trust file that announces it.
    practice.collector(&["self-check"])?;
    practice.collector(&["rebuild"])?;
    let bundle = practice.folder().join("after.zip");
    let to = bundle.to_string_lossy().into_owned();
    practice.collector(&[
        "export",
        "--from",
        "2026-01-01",
        "--to",
        "2036-12-31",
        "--case",
        "R-1",
        "--out",
        &to,
    ])?;
    let trust = practice.dir().join("trust.txt");
    let (code, told) = verify(&bundle, Some(&trust))?;
    ensure!(code == Some(0), "{told}");
    script_agrees("restore::script", &bundle, &trust, &(code, told))?;
    // A start knows all that again, and the next copy goes on in the same place.
    practice.stop_collector()?;
    practice.start_collector()?;
    practice.collector(&["backup"])?;
    practice.collector(&["off-site", "check"])?;
    for machine in &mut machines {
        ensure!(machine.stop()?.success(), "{}", machine.log());
    }
    Ok(())
}

#[test]
fn a_copy_that_somebody_changed_is_refused_by_the_name_of_the_piece_and_nothing_is_made_of_it() -> Result<()>
{
    let (mut practice, vault) = with_vault()?;
    let mut machine = played(&practice, "ws-01", "")?;
    practice.collector(&["backup"])?;
    let older = practice.folder().join("older");
    copied(&vault, &older)?;
    plays_on(&practice, &mut machine, AFTER, "")?;
    practice.collector(&["backup"])?;
    practice.kill_collector()?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    let trust = fs::read_to_string(practice.dir().join("trust.txt"))?;
    fs::remove_dir_all(practice.dir())?;
    let copy = below(&vault)?;
    let mut segments: Vec<PathBuf> =
        fs::read_dir(copy.join("segments"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    segments.sort();
    ensure!(segments.len() >= 2, "{segments:?}");
    let mut settings = fs::read_dir(&copy)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let settings = settings.find(|path| path.to_string_lossy().contains("settings-")).context("settings")?;
    let name =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let refused = |files: &[(&Path, Option<Vec<u8>>)], word: &str| -> Result<()> {
        let before: Vec<Vec<u8>> = files.iter().map(|(path, _)| fs::read(path)).collect::<Result<_, _>>()?;
        for (path, bytes) in files {
            match bytes {
                Some(bytes) => fs::write(path, bytes)?,
                None => fs::remove_file(path)?,
            }
        }
        let (code, said) = noticed("copy-changed-before-a-restore", || restore(&practice, &vault, &[]))?;
        ensure!(code == Some(1) && said.contains(word), "`{word}`: {code:?} {said}");
        ensure!(!practice.dir().join("collector.toml").exists(), "{word}: a collector was made");
        for ((path, _), bytes) in files.iter().zip(before) {
            fs::write(path, bytes)?;
        }
        Ok(())
    };
    let (one, two) = (segments[0].as_path(), segments[1].as_path());
    let (of_one, of_two) = (fs::read(one)?, fs::read(two)?);
    let mut flipped = of_one.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    refused(&[(one, Some(flipped))], &name(one))?;
    refused(&[(one, Some(of_one[..of_one.len() / 2].to_vec()))], &name(one))?;
    refused(&[(one, Some(of_two.clone())), (two, Some(of_one.clone()))], &name(one))?;
    refused(&[(two, None)], "is missing")?;
    refused(&[(&settings, None)], "settings-")?;
    let list = copy.join("newest.json");
    let text = fs::read_to_string(&list)?;
    let mut without: Value = serde_json::from_str(&text)?;
    without["segments"].as_array_mut().context("segments")?.remove(0);
    refused(&[(&list, Some(without.to_string().into_bytes()))], "no segment 0")?;
    let of_log = text.replacen("\"log_size\": ", "\"log_size\": 1", 1);
    refused(&[(&list, Some(of_log.into_bytes()))], "newest.json")?;
    // Somebody else's keys, and a trust file that somebody else signed.
    let stranger = Practice::make_named("Elm Street")?;
    let keys = stranger.folder().join("keys-to-take-away.txt").to_string_lossy().into_owned();
    let from = vault.to_string_lossy().into_owned();
    let arguments = ["restore", "--keys", &keys, "--from", &from, "--by", "X", "--reason", "x"];
    let (code, said) = noticed("restore-without-the-practice-key", || practice.try_collector(&arguments))?;
    ensure!(code == Some(64) && said.contains("another practice key"), "{code:?} {said}");

    // The older copy can be put back, openly: what it lacks is said, and machines still hold it.
    let (code, said) = restore(&practice, &older, &[])?;
    ensure!(code == Some(0) && said.contains("If a newer copy exists"), "{said}");
    // Whoever takes the announcement out again has a collector that refuses its own keys.
    let announced = fs::read_to_string(practice.dir().join("trust.txt"))?;
    ensure!(announced.contains("\nrestored "), "{announced}");
    fs::write(practice.dir().join("trust.txt"), &trust)?;
    let (code, said) = practice.try_collector(&["self-check"])?;
    ensure!(code != Some(0) && said.contains("log.key"), "{code:?} {said}");
    fs::write(practice.dir().join("trust.txt"), &announced)?;
    practice.start_collector()?;
    machine.start()?;
    wait::until_so("the machine to send again", WITHIN, || {
        Ok(accesses(&practice, "ws-01")? == BEFORE + AFTER)
    })?;
    // Lost again before anything of it was copied. The newer copy of the first log reaches beyond where machines were told that
    // this log was closed; the older one goes on, and a second announcement follows the first.
    practice.kill_collector()?;
    let newest = practice.folder().join("newest-trust.txt");
    fs::write(&newest, &announced)?;
    fs::remove_dir_all(practice.dir())?;
    let (code, said) = restore(&practice, &vault, &["--trust", &newest.to_string_lossy()])?;
    ensure!(code == Some(1) && said.contains("that the practice key closed at"), "{code:?} {said}");
    let (code, said) = restore(&practice, &older, &["--trust", &newest.to_string_lossy()])?;
    ensure!(code == Some(0), "{said}");
    ensure!(
        fs::read_to_string(practice.dir().join("trust.txt"))?.matches("\nrestored ").count() == 2,
        "{said}"
    );
    practice.start_collector()?;
    wait::until_so("the machine to believe the second one", WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(machine.dir().join("restored-1.json").exists())
    })
    .with_context(|| machine.log())?;
    wait::until_so("everything to be there again", WITHIN, || {
        Ok(accesses(&practice, "ws-01")? == BEFORE + AFTER)
    })?;
    practice.collector(&["self-check"])?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    Ok(())
}
